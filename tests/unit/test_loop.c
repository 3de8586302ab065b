// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_loop.c - the event loop: readiness, timers, signals, and sources that vanish
 */
#include "common/loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>

#include <cmocka.h>

struct fixture {
	struct bh_loop *l;
	struct bh_source *src[40];
	int pipes[40][2];
	unsigned calls;
	unsigned ticks;
	int signo;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || bh_loop_new(&f->l, NULL) < 0)
		return -1;
	*state = f;
	return 0;
}

/* All sources must be gone by themselves: bh_loop_free() aborts otherwise. */
static int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_null(bh_loop_free(f->l));
	free(f);
	return 0;
}

static int on_read(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	struct fixture *f = arg;
	char c;

	f->calls++;
	if (events & EPOLLHUP)
		return -EPIPE;
	return read(fd, &c, 1) == 1 ? 0 : -errno;
}

static void make_pipe(struct fixture *f, unsigned i, bh_io_fn fn)
{
	assert_int_equal(pipe2(f->pipes[i], O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(bh_loop_add_io(f->l, "pipe", f->pipes[i][0], EPOLLIN, fn, f, &f->src[i]),
			 0);
}

static void drop_pipe(struct fixture *f, unsigned i)
{
	f->src[i] = bh_source_remove(f->src[i]);
	(void)close(f->pipes[i][0]);
	if (f->pipes[i][1] >= 0)
		(void)close(f->pipes[i][1]);
}

static void test_io(void **state)
{
	struct fixture *f = *state;

	make_pipe(f, 0, on_read);
	assert_int_equal(bh_loop_once(f->l, 0), 0);
	assert_int_equal(f->calls, 0);
	assert_int_equal(write(f->pipes[0][1], "ab", 2), 2);
	assert_int_equal(bh_loop_once(f->l, 0), 0);
	assert_int_equal(bh_loop_once(f->l, 0), 0); /* level triggered: the second byte too */
	assert_int_equal(bh_loop_once(f->l, 0), 0);
	assert_int_equal(f->calls, 2);

	assert_int_equal(bh_source_set_events(f->src[0], 0), 0);
	assert_int_equal(write(f->pipes[0][1], "c", 1), 1);
	assert_int_equal(bh_loop_once(f->l, 0), 0);
	assert_int_equal(f->calls, 2);

	/* Errors come through although no event was asked for; a callback's error ends the loop. */
	(void)close(f->pipes[0][1]);
	f->pipes[0][1] = -1;
	assert_int_equal(bh_loop_run(f->l), -EPIPE);
	drop_pipe(f, 0);
	assert_null(bh_source_remove(NULL));
}

static void test_no_source_starves(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 40; i++) {
		make_pipe(f, i, on_read);
		assert_int_equal(write(f->pipes[i][1], "x", 1), 1);
	}
	assert_int_equal(bh_loop_once(f->l, 0), 0);
	assert_int_equal(f->calls, 16);
	for (int i = 0; i < 3; i++)
		assert_int_equal(bh_loop_once(f->l, 0), 0);
	assert_int_equal(f->calls, 40);
	for (unsigned i = 0; i < 40; i++)
		drop_pipe(f, i);
}

/* Removes every source, its own too. */
static int on_read_remove_all(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	struct fixture *f = arg;

	f->calls++;
	for (unsigned i = 0; i < 10; i++)
		drop_pipe(f, i);
	return 0;
}

static void test_remove_inside_callback(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 10; i++) {
		make_pipe(f, i, on_read_remove_all);
		assert_int_equal(write(f->pipes[i][1], "x", 1), 1);
	}
	assert_int_equal(bh_loop_once(f->l, 0), 0);
	assert_int_equal(f->calls, 1);
	assert_int_equal(bh_loop_once(f->l, 0), 0);
	assert_int_equal(f->calls, 1);
}

static int on_tick(struct bh_source *s, void *arg)
{
	struct fixture *f = arg;

	if (++f->ticks == 3)
		bh_loop_exit(f->l, 5);
	return 0;
}

static void test_timer(void **state)
{
	struct fixture *f = *state;
	struct bh_source *t = NULL;
	bh_msec_t start = bh_clock_now();

	assert_int_equal(bh_loop_add_timer(f->l, "tick", on_tick, f, &t), 0);
	assert_int_equal(bh_loop_once(f->l, 0), 0);
	assert_int_equal(f->ticks, 0); /* disarmed at first */
	assert_int_equal(bh_timer_set(t, 0, 10), 0);
	assert_int_equal(bh_loop_run(f->l), 5);
	assert_int_equal(f->ticks, 3);
	assert_true(bh_clock_now() - start >= 19);

	/* Once only. */
	assert_int_equal(bh_timer_set(t, 1, 0), 0);
	assert_int_equal(bh_loop_once(f->l, 5000), 0);
	assert_int_equal(f->ticks, 4);
	assert_int_equal(bh_loop_once(f->l, 5), 0);
	assert_int_equal(f->ticks, 4);

	assert_int_equal(bh_timer_set(t, 0, 0), 0);
	assert_int_equal(bh_timer_set(t, -1, 0), 0);
	assert_int_equal(bh_loop_once(f->l, 5), 0);
	assert_int_equal(f->ticks, 4);
	assert_null(bh_source_remove(t));
}

static int on_tick_remove(struct bh_source *s, void *arg)
{
	struct fixture *f = arg;

	f->ticks++;
	f->src[0] = bh_source_remove(s);
	return 0;
}

static void test_timer_removes_itself(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(bh_loop_add_timer(f->l, "tick", on_tick_remove, f, &f->src[0]), 0);
	assert_int_equal(bh_timer_set(f->src[0], 0, 1), 0);
	assert_int_equal(bh_loop_once(f->l, 5000), 0);
	assert_int_equal(bh_loop_once(f->l, 5), 0);
	assert_int_equal(f->ticks, 1);
	assert_null(f->src[0]);
}

static int on_signal(struct bh_source *s, int signo, void *arg)
{
	struct fixture *f = arg;

	f->signo = signo;
	bh_loop_exit(f->l, 0);
	return 0;
}

static void test_signal(void **state)
{
	struct fixture *f = *state;
	struct bh_source *s = NULL;

	assert_int_equal(bh_loop_add_signal(f->l, SIGUSR1, on_signal, f, &s), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(bh_loop_run(f->l), 0);
	assert_int_equal(f->signo, SIGUSR1);
	assert_null(bh_source_remove(s));
	assert_int_equal(bh_loop_add_signal(f->l, 9999, on_signal, f, &s), -EINVAL);
}

static void test_exit_before_run(void **state)
{
	struct fixture *f = *state;

	bh_loop_exit(f->l, 3);
	assert_int_equal(bh_loop_run(f->l), 3);
}

static void test_bad_descriptor(void **state)
{
	struct fixture *f = *state;
	struct bh_source *s = NULL;

	assert_int_equal(bh_loop_add_io(f->l, "none", -1, EPOLLIN, on_read, f, &s), -EBADF);
	assert_null(s);
}

static void test_free_null(void **state)
{
	assert_null(bh_loop_free(NULL));
}

#define LOOP(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP(test_io),
		LOOP(test_no_source_starves),
		LOOP(test_remove_inside_callback),
		LOOP(test_timer),
		LOOP(test_timer_removes_itself),
		LOOP(test_signal),
		LOOP(test_exit_before_run),
		LOOP(test_bad_descriptor),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
