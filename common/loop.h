/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/loop.h - one event loop per process: descriptors, timers, signals, deferred calls
 *
 * On epoll, timerfd and signalfd. A source belongs to who made it; it may be removed at any time, also
 * inside its own callback. Level triggered; at most 16 events a round, so that no source starves.
 * A callback returns 0, or a negative errno that ends the loop with it: it deals itself with what it
 * can survive. A callback that ran longer than 100 ms is logged with the name of its source.
 *
 * Thread-safety: a loop and its sources belong to one thread.
 */
#ifndef BH_COMMON_LOOP_H
#define BH_COMMON_LOOP_H

#include "common/clock.h"
#include "common/err.h"

#include <stdint.h>

struct bh_loop;
struct bh_source;

typedef int (*bh_io_fn)(struct bh_source *s, int fd, uint32_t events, void *arg); /* EPOLLIN ... */
typedef int (*bh_timer_fn)(struct bh_source *s, void *arg);
typedef int (*bh_signal_fn)(struct bh_source *s, int signo, void *arg);

int bh_loop_new(struct bh_loop **ret, struct bh_err *err) bh_must_check;
struct bh_loop *bh_loop_free(struct bh_loop *l); /* all sources must be gone; NULL is accepted */

/*
 * @name: shown in logs, borrowed for the life of the source. @fd stays the caller's.
 * @events: EPOLLIN, EPOLLOUT, ...; 0 is allowed (only errors are reported then).
 */
int bh_loop_add_io(struct bh_loop *l, const char *name, int fd, uint32_t events, bh_io_fn fn,
		   void *arg, struct bh_source **ret) bh_must_check;
int bh_source_set_events(struct bh_source *s, uint32_t events) bh_must_check;

/* Disarmed at first. */
int bh_loop_add_timer(struct bh_loop *l, const char *name, bh_timer_fn fn, void *arg,
		      struct bh_source **ret) bh_must_check;
/* First after @first_ms, then every @interval_ms (0: once). @first_ms < 0 disarms; 0 means at once. */
int bh_timer_set(struct bh_source *s, bh_msec_t first_ms, bh_msec_t interval_ms);

/* Blocks @signo for the process and delivers it here. Call before any thread or child is made. */
int bh_loop_add_signal(struct bh_loop *l, int signo, bh_signal_fn fn, void *arg,
		       struct bh_source **ret) bh_must_check;

/* Removes and frees; NULL is accepted. Return: NULL */
struct bh_source *bh_source_remove(struct bh_source *s);

/* Until bh_loop_exit() or a callback's error. Return: the code of either. */
int bh_loop_run(struct bh_loop *l);
/* One round, waiting at most @timeout_ms (-1: no limit). Return: 0, or what a callback returned. */
int bh_loop_once(struct bh_loop *l, int timeout_ms);
void bh_loop_exit(struct bh_loop *l, int code);

#endif
