// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * common/loop.c - one event loop per process
 *
 * A source may vanish while its own callback runs, or while an event for it waits in the batch that is being
 * dispatched. So bh_source_remove() only takes it out of epoll and marks it; the memory goes when no
 * dispatch is under way.
 */
#include "common/loop.h"

#include "common/log.h"
#include "common/util.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "common/banned.h"

#define ROUND_MAX 16
#define SLOW_MS   100

enum source_kind {
	SOURCE_IO,
	SOURCE_TIMER,
	SOURCE_SIGNAL,
};

struct bh_source {
	struct bh_loop *loop;
	enum source_kind kind;
	const char *name;
	int fd; /* ours for timers and signals, the caller's for io */
	bool dead;
	struct bh_source *next_dead;
	void *arg;
	union {
		bh_io_fn io;
		bh_timer_fn timer;
		bh_signal_fn signal;
	} fn;
};

struct bh_loop {
	int epfd;
	size_t n_sources;
	unsigned depth; /* of dispatch: a callback may run a round itself */
	struct bh_source *dead;
	bool exiting;
	int exit_code;
};

int bh_loop_new(struct bh_loop **ret, struct bh_err *err)
{
	struct bh_loop *l = calloc(1, sizeof(*l));

	if (!l)
		return bh_err_set(err, -ENOMEM, "out of memory");
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		int r = -errno;

		free(l);
		return bh_err_set(err, r, "cannot make an epoll descriptor: %s",
				  strerrordesc_np(-r));
	}
	*ret = l;
	return 0;
}

static void bury(struct bh_loop *l)
{
	while (l->dead) {
		struct bh_source *s = l->dead;

		l->dead = s->next_dead;
		free(s);
	}
}

struct bh_loop *bh_loop_free(struct bh_loop *l)
{
	if (!l)
		return NULL;
	if (l->n_sources > 0 || l->depth > 0) {
		/* Whoever holds such a source would use freed memory later. */
		bh_error("an event loop with %zu sources left was freed", l->n_sources);
		abort();
	}
	(void)close(l->epfd);
	free(l);
	return NULL;
}

/* @fd is closed on failure if the source would have owned it. */
static int add_source(struct bh_loop *l, enum source_kind kind, const char *name, int fd,
		      uint32_t events, void *arg, struct bh_source **ret)
{
	struct bh_source *s = calloc(1, sizeof(*s));
	struct epoll_event ev = { .events = events, .data.ptr = s };
	int r = 0;

	if (!s)
		r = -ENOMEM;
	else if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		r = -errno;
	if (r < 0) {
		if (kind != SOURCE_IO)
			(void)close(fd);
		free(s);
		return r;
	}
	s->loop = l;
	s->kind = kind;
	s->name = name;
	s->fd = fd;
	s->arg = arg;
	l->n_sources++;
	*ret = s;
	return 0;
}

int bh_loop_add_io(struct bh_loop *l, const char *name, int fd, uint32_t events, bh_io_fn fn,
		   void *arg, struct bh_source **ret)
{
	int r = add_source(l, SOURCE_IO, name, fd, events, arg, ret);

	if (r == 0)
		(*ret)->fn.io = fn;
	return r;
}

int bh_source_set_events(struct bh_source *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (epoll_ctl(s->loop->epfd, EPOLL_CTL_MOD, s->fd, &ev) < 0)
		return -errno;
	return 0;
}

int bh_loop_add_timer(struct bh_loop *l, const char *name, bh_timer_fn fn, void *arg,
		      struct bh_source **ret)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), r;

	if (fd < 0)
		return -errno;
	r = add_source(l, SOURCE_TIMER, name, fd, EPOLLIN, arg, ret);
	if (r == 0)
		(*ret)->fn.timer = fn;
	return r;
}

static struct timespec timespec_of(bh_msec_t ms)
{
	return (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
}

int bh_timer_set(struct bh_source *s, bh_msec_t first_ms, bh_msec_t interval_ms)
{
	struct itimerspec its = { .it_value = { 0 } };

	if (first_ms >= 0) {
		its.it_value = timespec_of(first_ms);
		if (first_ms == 0)
			its.it_value.tv_nsec = 1; /* zero would disarm */
		if (interval_ms > 0)
			its.it_interval = timespec_of(interval_ms);
	}
	return timerfd_settime(s->fd, 0, &its, NULL) < 0 ? -errno : 0;
}

int bh_loop_add_signal(struct bh_loop *l, int signo, bh_signal_fn fn, void *arg,
		       struct bh_source **ret)
{
	sigset_t set;
	int fd, r;

	(void)sigemptyset(&set);
	if (sigaddset(&set, signo) < 0)
		return -errno;
	r = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (r != 0)
		return -r;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = add_source(l, SOURCE_SIGNAL, "signal", fd, EPOLLIN, arg, ret);
	if (r == 0)
		(*ret)->fn.signal = fn;
	return r;
}

/* A signal stays blocked: one that is pending would otherwise strike now. */
struct bh_source *bh_source_remove(struct bh_source *s)
{
	struct bh_loop *l;
	int saved = errno;

	if (!s || s->dead)
		return NULL;
	l = s->loop;
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	if (s->kind != SOURCE_IO)
		(void)close(s->fd);
	s->dead = true;
	s->next_dead = l->dead;
	l->dead = s;
	l->n_sources--;
	if (l->depth == 0)
		bury(l);
	errno = saved;
	return NULL;
}

static int dispatch(struct bh_source *s, uint32_t events)
{
	struct signalfd_siginfo si;
	uint64_t ticks;

	switch (s->kind) {
	case SOURCE_IO:
		return s->fn.io(s, s->fd, events, s->arg);
	case SOURCE_TIMER:
		if (read(s->fd, &ticks, sizeof(ticks)) != (ssize_t)sizeof(ticks))
			return 0; /* set anew since it fired */
		return s->fn.timer(s, s->arg);
	case SOURCE_SIGNAL:
		if (read(s->fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
			return 0;
		return s->fn.signal(s, (int)si.ssi_signo, s->arg);
	}
	return -ENOTRECOVERABLE;
}

static int run_one(struct bh_source *s, uint32_t events)
{
	bh_msec_t start = bh_clock_now(), took;
	char name[48];
	int r;

	/* The name may go with the source. */
	(void)snprintf(name, sizeof(name), "%s", s->name ? s->name : "?");
	r = dispatch(s, events);
	took = bh_clock_now() - start;
	if (took > SLOW_MS)
		bh_warning("'%s' kept the event loop for %lld ms: everything else waited", name,
			   (long long)took);
	return r;
}

int bh_loop_once(struct bh_loop *l, int timeout_ms)
{
	struct epoll_event ev[ROUND_MAX];
	int n, r = 0;

	n = epoll_wait(l->epfd, ev, ROUND_MAX, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	l->depth++;
	for (int i = 0; i < n && r >= 0 && !l->exiting; i++) {
		struct bh_source *s = ev[i].data.ptr;

		if (!s->dead)
			r = run_one(s, ev[i].events);
	}
	if (--l->depth == 0)
		bury(l);
	return r < 0 ? r : 0;
}

int bh_loop_run(struct bh_loop *l)
{
	int r = 0;

	while (r == 0 && !l->exiting)
		r = bh_loop_once(l, -1);
	if (l->exiting && r == 0)
		r = l->exit_code;
	l->exiting = false;
	return r;
}

void bh_loop_exit(struct bh_loop *l, int code)
{
	l->exiting = true;
	l->exit_code = code;
}
