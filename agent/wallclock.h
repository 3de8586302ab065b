/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/wallclock.h - the time of day, and a call when a moment of it has come
 *
 * Policies begin and end at times of the calendar. Such a moment may be far away, and clocks are set: forwards, so that
 * it comes at once, or backwards, so that what has come is still to come. So whoever waits is also called whenever the
 * clock was set, looks what time it is, and waits anew.
 *
 * Thread-safety: the thread of the loop.
 */
#ifndef BH_AGENT_WALLCLOCK_H
#define BH_AGENT_WALLCLOCK_H

#include "common/loop.h"

struct bh_wallclock;

typedef void (*bh_wallclock_fn)(void *arg);

int64_t bh_wallclock_now(void); /* UNIX seconds */

int bh_wallclock_new(struct bh_loop *loop, bh_wallclock_fn fn, void *arg, struct bh_wallclock **ret,
		     struct bh_err *err) bh_must_check;
struct bh_wallclock *bh_wallclock_free(struct bh_wallclock *w);
/* Once, at that time or when the clock is set before it. INT64_MAX: only when the clock is set. */
int bh_wallclock_at(struct bh_wallclock *w, int64_t at);

#endif
