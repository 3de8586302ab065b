/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/watch.h - folders are watched, and somebody is told when they have come to rest
 *
 * inotify with a pause after the last event: 50 ms after a file was closed, renamed or removed, 300 ms while one is
 * being written, a second at most. File systems without inotify are looked at every ten seconds.
 *
 * Thread-safety: the thread of the loop.
 */
#ifndef BH_AGENT_WATCH_H
#define BH_AGENT_WATCH_H

#include "common/loop.h"

struct bh_watch;

typedef void (*bh_watch_fn)(void *arg);

int bh_watch_new(struct bh_loop *loop, bh_watch_fn fn, void *arg, struct bh_watch **ret,
		 struct bh_err *err) bh_must_check;
struct bh_watch *bh_watch_free(struct bh_watch *w);
/* Watches a folder; again and again is fine. A folder that cannot be watched is still polled. */
void bh_watch_add(struct bh_watch *w, const char *dir);
/* Calls back in @ms at the latest. */
void bh_watch_poke(struct bh_watch *w, bh_msec_t ms);

#endif
