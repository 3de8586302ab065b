// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/wallclock.c - the time of day, and a call when a moment of it has come
 */
#include "agent/wallclock.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "common/util.h"

#include "common/banned.h"

/* The kernel's limit is farther away; called for nothing once in ten years is often enough. */
#define FAR_SEC (INT64_C(3650) * 86400)

struct bh_wallclock {
	bh_wallclock_fn fn;
	void *arg;
	int fd;
	struct bh_source *io;
};

int64_t bh_wallclock_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

static int on_clock(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	struct bh_wallclock *w = arg;
	uint64_t ticks;
	ssize_t n = read(fd, &ticks, sizeof(ticks));

	/* ECANCELED: the clock was set. */
	if (n < 0 && errno != ECANCELED)
		return 0;
	w->fn(w->arg);
	return 0;
}

int bh_wallclock_new(struct bh_loop *loop, bh_wallclock_fn fn, void *arg, struct bh_wallclock **ret,
		     struct bh_err *err)
{
	struct bh_wallclock *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return bh_err_set(err, -ENOMEM, "out of memory");
	w->fn = fn;
	w->arg = arg;
	w->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->fd < 0)
		r = -errno;
	if (r == 0)
		r = bh_loop_add_io(loop, "time of day", w->fd, EPOLLIN, on_clock, w, &w->io);
	if (r < 0) {
		bh_wallclock_free(w);
		return bh_err_set(err, r, "cannot wait for times of day: %s", strerrordesc_np(-r));
	}
	*ret = w;
	return 0;
}

struct bh_wallclock *bh_wallclock_free(struct bh_wallclock *w)
{
	if (!w)
		return NULL;
	bh_source_remove(w->io);
	bh_closep(&w->fd);
	free(w);
	return NULL;
}

int bh_wallclock_at(struct bh_wallclock *w, int64_t at)
{
	int64_t now = bh_wallclock_now();
	struct itimerspec its = { .it_value = { 0 } };

	/* Zero would disarm; what has passed comes at once. */
	its.it_value.tv_sec = BH_MAX(BH_MIN(at, now + FAR_SEC), INT64_C(1));
	return timerfd_settime(w->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &its, NULL) < 0
		   ? -errno
		   : 0;
}
