// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/watch.c - folders are watched, and somebody is told when they have come to rest
 */
#include "agent/watch.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "common/log.h"
#include "common/util.h"

#include "common/banned.h"

#define QUIET_MS   50
#define WRITING_MS 300
#define LATEST_MS  1000
#define POLL_MS    10000

#define INTEREST                                                                            \
	(IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR)

struct bh_watch {
	bh_watch_fn fn;
	void *arg;
	int fd;
	struct bh_source *io, *timer;
	bh_msec_t first; /* event of the present unrest; 0: none */
	bh_msec_t due;
};

static void arm(struct bh_watch *w, bh_msec_t due)
{
	w->due = due;
	(void)bh_timer_set(w->timer, BH_MAX(due - bh_clock_now(), 0), 0);
}

static int on_event(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	_Alignas(struct inotify_event) char buf[16384];
	struct bh_watch *w = arg;
	bh_msec_t now = bh_clock_now(), wait = -1;

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n <= 0)
			break;
		for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
			const struct inotify_event *e = (const void *)(buf + at);

			at += (ssize_t)(sizeof(*e) + e->len);
			wait = e->mask & (IN_MODIFY | IN_CREATE) ? WRITING_MS : QUIET_MS;
		}
	}
	if (wait < 0)
		return 0;
	if (w->first == 0)
		w->first = now;
	arm(w, BH_MIN(now + wait, w->first + LATEST_MS));
	return 0;
}

static int on_timer(struct bh_source *s, void *arg)
{
	struct bh_watch *w = arg;

	w->first = 0;
	arm(w, bh_clock_now() + POLL_MS);
	w->fn(w->arg);
	return 0;
}

int bh_watch_new(struct bh_loop *loop, bh_watch_fn fn, void *arg, struct bh_watch **ret,
		 struct bh_err *err)
{
	struct bh_watch *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w)
		return bh_err_set(err, -ENOMEM, "out of memory");
	w->fn = fn;
	w->arg = arg;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0)
		r = -errno;
	if (r == 0)
		r = bh_loop_add_io(loop, "policy folder", w->fd, EPOLLIN, on_event, w, &w->io);
	if (r == 0)
		r = bh_loop_add_timer(loop, "policy folder at rest", on_timer, w, &w->timer);
	if (r < 0) {
		bh_watch_free(w);
		return bh_err_set(err, r, "cannot watch folders: %s", strerrordesc_np(-r));
	}
	arm(w, bh_clock_now() + POLL_MS);
	*ret = w;
	return 0;
}

struct bh_watch *bh_watch_free(struct bh_watch *w)
{
	if (!w)
		return NULL;
	bh_source_remove(w->io);
	bh_source_remove(w->timer);
	bh_closep(&w->fd);
	free(w);
	return NULL;
}

void bh_watch_add(struct bh_watch *w, const char *dir)
{
	if (inotify_add_watch(w->fd, dir, INTEREST) < 0 && errno != ENOENT && errno != ENOTDIR)
		bh_debug("cannot watch '%s': %s; it is looked at every %d s", dir,
			 strerrordesc_np(errno), POLL_MS / 1000);
}

void bh_watch_poke(struct bh_watch *w, bh_msec_t ms)
{
	bh_msec_t due = bh_clock_now() + ms;

	if (due < w->due)
		arm(w, due);
}
