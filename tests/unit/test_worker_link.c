// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_worker_link.c - findings are kept until they are acknowledged, and losses are counted
 *
 * A link on a socket in a folder of its own; this program is the agent. No privilege is needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common/util.h"
#include "dataplane/worker/link.h"
#include "dataplane/worker/pool_os.h"

#define RING 256U

struct scene {
	char dir[64], path[128];
	int listen_fd, epoll_fd, conn;
	struct bh_link *l;
	uint64_t revision;
	int rules_result;
	unsigned made;
	struct bh_worker_stats stats; /* the last heard */
	uint64_t hello_acked, hello_lost;
};

static int on_rules(void *arg, int rules_fd, int addrs_fd, struct bh_err *err)
{
	struct scene *s = arg;

	assert_true(rules_fd >= 0 && addrs_fd >= 0);
	if (s->rules_result < 0)
		return bh_err_set(err, s->rules_result, "not today");
	s->revision = 7;
	return 0;
}

static uint64_t on_revision(void *arg)
{
	struct scene *s = arg;

	return s->revision;
}

static void on_stats(void *arg, struct bh_worker_stats *ret)
{
	ret->verdicts = 11;
}

static const struct bh_link_ops ops = { on_rules, on_revision, on_stats };

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct bh_link_config cfg = { .queue_fd = 2, .queue = 99, .ring = RING };

	assert_non_null(s);
	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/bh-link-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	(void)snprintf(s->path, sizeof(s->path), "%s/s", s->dir);
	assert_int_equal(bh_os_listen(s->path, &s->listen_fd, NULL), 0);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->conn = -1;
	cfg.listen_fd = s->listen_fd;
	cfg.epoll_fd = s->epoll_fd;
	assert_int_equal(bh_link_new(&cfg, &ops, s, &s->l, NULL), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	bh_link_free(s->l);
	bh_closep(&s->conn);
	(void)close(s->listen_fd);
	(void)close(s->epoll_fd);
	(void)unlink(s->path);
	(void)rmdir(s->dir);
	free(s);
	return 0;
}

static void find(struct scene *s, unsigned n)
{
	for (; n > 0; n--) {
		struct bh_finding f = { .pkts = ++s->made };

		bh_link_finding(s->l, &f);
	}
	(void)bh_link_flush(s->l, bh_clock_now());
}

/* The next message; type INVALID if there is none. */
static struct bh_wmsg next(struct scene *s)
{
	struct bh_os_msg msg;
	int r = bh_os_recv(s->conn, &msg);

	if (r != 1)
		return (struct bh_wmsg){ .type = BH_WMSG_INVALID };
	assert_int_equal(msg.size, sizeof(msg.m));
	assert_int_equal(msg.m.version, BH_WORKER_PROTO_VERSION);
	assert_int_equal(msg.pid, getpid());
	if (msg.m.type == BH_WMSG_HELLO)
		assert_true(msg.fds[0] >= 0 && msg.fds[1] >= 0);
	bh_closep(&msg.fds[0]);
	bh_closep(&msg.fds[1]);
	return msg.m;
}

static void say(struct scene *s, struct bh_wmsg m, bool stop)
{
	m.version = BH_WORKER_PROTO_VERSION;
	assert_int_equal(bh_os_send(s->conn, &m, NULL, 0), 0);
	assert_int_equal(bh_link_serve(s->l), stop);
	(void)bh_link_flush(s->l, bh_clock_now());
}

static void connect_agent(struct scene *s)
{
	struct bh_wmsg m;

	assert_int_equal(bh_os_connect(s->path, &s->conn), 0);
	bh_link_accept(s->l);
	m = next(s);
	assert_int_equal(m.type, BH_WMSG_HELLO);
	assert_int_equal(m.seq, 99);
	assert_int_equal(m.hello.pid, getpid());
	s->hello_acked = m.hello.acked;
	s->hello_lost = m.hello.lost_acked;
	(void)bh_link_flush(s->l, bh_clock_now());
}

static void disconnect_agent(struct scene *s)
{
	bh_closep(&s->conn);
	s->conn = -1;
	assert_false(bh_link_serve(s->l));
	assert_false(bh_link_connected(s->l));
}

/* All findings there are must be @from.. in order. Return: how many; statistics on the way are kept. */
static unsigned hear(struct scene *s, uint64_t from)
{
	unsigned n = 0;

	for (;;) {
		struct bh_wmsg m = next(s);

		if (m.type == BH_WMSG_STATS) {
			s->stats = m.stats;
			continue;
		}
		if (m.type == BH_WMSG_INVALID)
			return n;
		assert_int_equal(m.type, BH_WMSG_FINDING);
		assert_int_equal(m.seq, from + n);
		assert_int_equal(m.finding.f.pkts, from + n);
		n++;
	}
}

static void ack(struct scene *s, uint64_t seq, uint64_t lost)
{
	say(s, (struct bh_wmsg){ .type = BH_WMSG_ACK, .ack = { seq, lost } }, false);
}

static void kept_until_somebody_listens(void **state)
{
	struct scene *s = *state;

	find(s, 100);
	connect_agent(s);
	assert_int_equal(hear(s, 1), 100);
	assert_int_equal(s->stats.findings, 100);
	assert_int_equal(s->stats.lost, 0);
	assert_int_equal(s->stats.verdicts, 11);
	find(s, 3);
	assert_int_equal(hear(s, 101), 3);
	ack(s, 103, 0);
	disconnect_agent(s);
	connect_agent(s);
	assert_int_equal(s->hello_acked, 103);
	assert_int_equal(hear(s, 104), 0);
}

static void not_acknowledged_is_said_again(void **state)
{
	struct scene *s = *state;

	connect_agent(s);
	find(s, 50);
	assert_int_equal(hear(s, 1), 50);
	ack(s, 20, 0);
	disconnect_agent(s);
	find(s, 5);
	connect_agent(s);
	assert_int_equal(s->hello_acked, 20);
	assert_int_equal(hear(s, 21), 35);
	/* An acknowledgement of what was never said moves nothing. */
	ack(s, 1000, 0);
	disconnect_agent(s);
	connect_agent(s);
	assert_int_equal(hear(s, 21), 35);
}

static void a_full_ring_gives_up_the_oldest(void **state)
{
	struct scene *s = *state;

	find(s, RING + 30);
	connect_agent(s);
	assert_int_equal(hear(s, 31), RING);
	assert_int_equal(s->stats.lost, 30);
	assert_int_equal(s->stats.findings, RING + 30);
	ack(s, RING + 30, 30);
	disconnect_agent(s);
	connect_agent(s);
	assert_int_equal(s->hello_lost, 30);
	assert_int_equal(s->hello_acked, RING + 30);
}

/* Said, overwritten, and then the agent dies without having acknowledged: these count as lost. */
static void said_but_never_acknowledged(void **state)
{
	struct scene *s = *state;

	connect_agent(s);
	find(s, RING);
	find(s, 40);
	assert_int_equal(hear(s, 1), RING + 40);
	assert_int_equal(s->stats.lost, 0);
	disconnect_agent(s);
	connect_agent(s);
	assert_int_equal(hear(s, 41), RING);
	assert_int_equal(s->stats.lost, 40);
}

static void a_window_bounds_what_is_under_way(void **state)
{
	struct bh_link_config cfg = { .queue_fd = 2, .queue = 99, .ring = 8192 };
	struct scene *s = *state;

	s->l = bh_link_free(s->l);
	(void)close(s->epoll_fd);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	cfg.listen_fd = s->listen_fd;
	cfg.epoll_fd = s->epoll_fd;
	assert_int_equal(bh_link_new(&cfg, &ops, s, &s->l, NULL), 0);
	connect_agent(s);
	find(s, 4000);
	for (uint64_t seq = 0; seq < 4000;) {
		unsigned n = hear(s, seq + 1);

		assert_in_range(n, 1, BH_WORKER_WINDOW);
		seq += n;
		ack(s, seq, 0);
	}
	assert_int_equal(s->stats.lost, 0);
}

static void rules_are_answered(void **state)
{
	struct scene *s = *state;
	struct bh_wmsg m = { .type = BH_WMSG_RULES,
			     .version = BH_WORKER_PROTO_VERSION,
			     .seq = 5,
			     .rules.revision = 7 };
	const int fds[2] = { 2, 2 };

	connect_agent(s);
	(void)hear(s, 1);
	assert_int_equal(bh_os_send(s->conn, &m, fds, 2), 0);
	assert_false(bh_link_serve(s->l));
	m = next(s);
	assert_int_equal(m.type, BH_WMSG_RULES_OK);
	assert_int_equal(m.seq, 5);
	assert_int_equal(m.rules.revision, 7);
	s->rules_result = -EPROTO;
	m.type = BH_WMSG_RULES;
	m.seq = 6;
	assert_int_equal(bh_os_send(s->conn, &m, fds, 2), 0);
	assert_false(bh_link_serve(s->l));
	m = next(s);
	assert_int_equal(m.type, BH_WMSG_RULES_BAD);
	assert_int_equal(m.seq, 6);
	assert_string_equal(m.rules.text, "not today");
	m.type = BH_WMSG_RULES;
	assert_int_equal(bh_os_send(s->conn, &m, fds, 1), 0);
	assert_false(bh_link_serve(s->l));
	m = next(s);
	assert_int_equal(m.type, BH_WMSG_RULES_BAD);
	assert_string_equal(m.rules.text, "1 descriptors came with the rule set, not two");
}

static void a_new_agent_replaces_the_old(void **state)
{
	struct scene *s = *state;
	bh_autoclose int old = -1;

	connect_agent(s);
	find(s, 2);
	assert_int_equal(hear(s, 1), 2);
	old = s->conn;
	s->conn = -1;
	connect_agent(s);
	assert_int_equal(hear(s, 1), 2);
	bh_closep(&s->conn);
	s->conn = bh_take_fd(&old);
	assert_int_equal(next(s).type, BH_WMSG_INVALID);
}

static void what_cannot_be_understood_ends_the_connection(void **state)
{
	struct scene *s = *state;
	const struct bh_wmsg bad[] = {
		{ .type = BH_WMSG_INVALID, .version = BH_WORKER_PROTO_VERSION },
		{ .type = BH_WMSG_HELLO, .version = BH_WORKER_PROTO_VERSION },
		{ .type = 4711, .version = BH_WORKER_PROTO_VERSION },
		{ .type = BH_WMSG_ACK, .version = BH_WORKER_PROTO_VERSION + 1 },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(bad) + 2; i++) {
		static const char large[2 * sizeof(struct bh_wmsg)] = { BH_WMSG_ACK };

		connect_agent(s);
		if (i < BH_ARRAY_SIZE(bad))
			assert_int_equal(bh_os_send(s->conn, &bad[i], NULL, 0), 0);
		else if (i == BH_ARRAY_SIZE(bad))
			assert_int_equal(send(s->conn, large, 3, 0), 3);
		else
			assert_int_equal(send(s->conn, large, sizeof(large), 0), sizeof(large));
		assert_false(bh_link_serve(s->l));
		assert_false(bh_link_connected(s->l));
		bh_closep(&s->conn);
	}
	/* STOP of any version is STOP. */
	const uint32_t stop[4] = { BH_WMSG_STOP, 99 };

	connect_agent(s);
	assert_int_equal(send(s->conn, stop, sizeof(stop), 0), sizeof(stop));
	assert_true(bh_link_serve(s->l));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(kept_until_somebody_listens),
		TEST(not_acknowledged_is_said_again),
		TEST(a_full_ring_gives_up_the_oldest),
		TEST(said_but_never_acknowledged),
		TEST(a_window_bounds_what_is_under_way),
		TEST(rules_are_answered),
		TEST(a_new_agent_replaces_the_old),
		TEST(what_cannot_be_understood_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
