// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_fail.c - who passes although nobody looked, and what is told of it
 *
 * Real packets of a client through a router to a server, IPv4 and IPv6, in network namespaces of this program's own
 * (root). The rule sets are made by hand; the worker is played by tests/lib/teller.c, or by nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/kernel_fail.h"

/* The report that a flow passed. */
static void passed_as(char cause, uint16_t port, bool reply)
{
	const struct bh_refused *r;

	/* What is left of the connections of other tests may be told, too. */
	do
		r = next_log();
	while (r->epoch != bh_kernel_epoch(s.k) || r->word == 0 ||
	       (reply ? r->sport : r->dport) != port);
	assert_int_equal(r->cause, cause);
	assert_int_equal(r->word, BH_WORD_ALLOW | BH_WORD_REPORT);
	assert_int_equal(r->reply, reply);
}

/* Its handshake says nothing; the first packet behind it waits for a worker. */
struct half {
	int listener, client;
};

static struct half open_half(uint16_t port)
{
	struct half h = { .listener = netlab_serve(NETLAB_SERVER, s.family, SOCK_STREAM, port),
			  .client = connect_to(port, 2000) };

	assert_true(h.client >= 0);
	assert_int_equal(netlab_write(h.client, "GET /", 5), 5);
	return h;
}

static void nothing_came(struct half *h, int ms)
{
	assert_int_equal(netlab_accept(h->listener, ms), -ETIMEDOUT);
	(void)close(h->client);
	(void)close(h->listener);
}

/* Whoever waits is let in once there is nobody to hold him: no queue, a full one. @hang: it is there, and full */
static void without_judgement(bool hang)
{
	four_ports();
	if (hang)
		teller_hang(QUEUE, 2, 1);
	BOTH
	{
		struct bh_kernel_counters before = counters(), after;
		struct half closed = { -1, -1 }, no_start = { -1, -1 };
		struct conn c;

		/* Fills both queues of both pairs. */
		for (int i = 0; hang && i < 40; i++) {
			int fd = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_DGRAM,
						8004, 0);

			(void)netlab_write(fd, "x", 1);
			(void)close(fd);
		}
		closed = open_half(8001);
		no_start = open_half(8003);
		for (uint16_t port = 8002; port <= 8004; port += 2) {
			c = open_conn(port);
			carries(c.client, c.server, "SSH-");
			carries(c.server, c.client, "SSH-");
			/* From now on nobody is asked: it goes on when somebody is there again. */
			carries(c.client, c.server, "more");
			close_conn(&c);
		}
		nothing_came(&closed, 300);
		nothing_came(&no_start, 0);
		after = counters();
		assert_true(after.unjudged - before.unjudged >= 2);
		assert_int_equal(after.midstream, before.midstream);
	}
	teller_stop();
}

static void nobody_listens(void **state)
{
	(void)state;
	without_judgement(false);
}

static void datagrams(void **state)
{
	(void)state;
	four_ports();
	BOTH
	{
		for (uint16_t port = 8001; port <= 8004; port++) {
			struct bh_kernel_counters before = counters();
			int server = netlab_serve(NETLAB_SERVER, s.family, SOCK_DGRAM, port);
			int fd = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_DGRAM,
						port, 0);
			bool passes = port % 2 == 0;
			char buf[16];

			for (int i = 0; i < 3; i++) {
				assert_int_equal(netlab_write(fd, "SSH-", 4), 4);
				if (passes)
					assert_int_equal(
					    netlab_read(server, buf, sizeof(buf), 2000), 4);
			}
			if (passes)
				passed_as('u', port, false);
			else
				stays_silent(server, 100);
			assert_int_equal(counters().unjudged - before.unjudged, passes);
			(void)close(fd);
			(void)close(server);
		}
	}
}

static void the_queue_is_full(void **state)
{
	(void)state;
	without_judgement(true);
}

static void passing_is_reported(void **state)
{
	(void)state;
	four_ports();
	BOTH
	{
		struct bh_kernel_counters before = counters();
		struct conn c = open_conn(8002);

		carries(c.client, c.server, "SSH-");
		passed_as('u', 8002, false);
		carries(c.server, c.client, "SSH-");
		carries(c.client, c.server, "SSH-");
		close_conn(&c);
		/* The server speaks first. */
		c = open_conn(8004);
		carries(c.server, c.client, "220 ");
		passed_as('u', 8004, true);
		/* It is out of the worker's hands. */
		teller_start(QUEUE, 2);
		carries(c.client, c.server, "SSH-");
		carries(c.server, c.client, "SSH-");
		assert_int_equal(teller_seen().packets, 0);
		teller_stop();
		close_conn(&c);
		no_log();
		assert_int_equal(counters().unjudged - before.unjudged, 2);
	}
}

/* The mark that others put on a packet is there behind us, and ours is not. */
static void marks_of_what_passes(void **state)
{
	(void)state;
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft -f - <<'E'\n"
						   "table inet foreign {\n"
						   "counter odd { }\n"
						   "chain a {\n"
						   " type filter hook forward priority -200\n"
						   " meta mark set 0x4242\n"
						   "}\n"
						   "chain b {\n"
						   " type filter hook forward priority 100\n"
						   " meta mark != 0x4242 counter name odd\n"
						   "}\n"
						   "}\nE\n"),
			 0);
	four_ports();
	BOTH
	{
		struct conn c = open_conn(8002);

		carries(c.client, c.server, "SSH-");
		carries(c.server, c.client, "SSH-");
		close_conn(&c);
	}
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER, "nft list counter inet foreign odd | grep -q 'packets 0 '"),
	    0);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft delete table inet foreign"), 0);
}

/* A later revision asks the contract that holds then. */
static void unjudged_is_asked_again(void **state)
{
	(void)state;
	BOTH
	{
		struct conn c;

		four_ports();
		c = open_conn(8002);
		carries(c.client, c.server, "SSH-");
		begin();
		contract(5, BH_FAIL_ALLOW, BH_FAIL_REFUSE);
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, CONTRACT(5));
		assert_true(apply().needs_bump);
		carries(c.client, c.server, "still");
		begin();
		contract(6, BH_FAIL_REFUSE, BH_FAIL_ALLOW);
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, CONTRACT(6));
		apply();
		assert_int_equal(netlab_write(c.client, "out", 3), 3);
		assert_int_equal(netlab_end_of(c.client, 3000), -ECONNRESET);
		close_conn(&c);
	}
}

/* One direction that does not let pass is enough, whichever it is. */
static void both_directions_have_a_say(void **state)
{
	(void)state;
	for (int closed = 0; closed < 4; closed++) {
		begin();
		contract(1, closed & 1 ? BH_FAIL_REFUSE : BH_FAIL_ALLOW,
			 closed & 1 ? BH_FAIL_REFUSE : BH_FAIL_ALLOW);
		contract(2, closed & 2 ? BH_FAIL_REFUSE : BH_FAIL_ALLOW,
			 closed & 2 ? BH_FAIL_REFUSE : BH_FAIL_ALLOW);
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, CONTRACT(1));
		hand_cell(s.h, BH_DIR_EGRESS, CLIENT, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY,
			  CONTRACT(2));
		apply();
		BOTH
		{
			struct conn c;

			if (closed == 0) {
				c = open_conn(8001);
				carries(c.client, c.server, "SSH-");
				close_conn(&c);
			} else {
				struct half h = open_half(8001);

				nothing_came(&h, 100);
			}
			teller_start(QUEUE, 2);
			c = open_conn(8001);
			carries(c.client, c.server, "MORE");
			assert_int_equal(netlab_run(NETLAB_ROUTER, "conntrack -F 2>/dev/null"), 0);
			if (closed == 0) {
				carries(c.client, c.server, "SSH-");
				carries(c.server, c.client, "SSH-");
			} else {
				assert_int_equal(netlab_write(c.client, "SSH-", 4), 4);
				assert_int_equal(netlab_end_of(c.client, 3000), -ECONNRESET);
			}
			teller_stop();
			close_conn(&c);
		}
	}
}

/* Of the client's connection from this port nothing is told again; the end of another may come late. */
static void told_once(uint16_t sport)
{
	read_logs();
	for (; s.read < s.n_logs; s.read++)
		assert_false(s.logs[s.read].sport == sport || s.logs[s.read].dport == sport);
}

static void beginning_was_not_seen(void **state)
{
	(void)state;
	four_ports();
	teller_start(QUEUE, 2);
	BOTH
	{
		for (uint16_t port = 8001; port <= 8004; port++) {
			struct bh_kernel_counters before = counters();
			struct conn c = open_conn(port);
			uint16_t sport;

			carries(c.client, c.server, "GET /");
			assert_int_equal(netlab_run(NETLAB_ROUTER, "conntrack -F 2>/dev/null"), 0);
			(void)teller_seen();
			s.read = s.n_logs;
			if (port >= 8003) {
				carries(c.client, c.server, "one");
				passed_as('m', port, false);
				sport = s.logs[s.read - 1].sport;
				carries(c.server, c.client, "two");
				carries(c.client, c.server, "SSH-");
				assert_int_equal(teller_seen().packets, 0);
				told_once(sport);
				assert_true(counters().midstream > before.midstream);
			} else {
				assert_int_equal(netlab_write(c.client, "x", 1), 1);
				assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
				stays_silent(c.server, 0);
			}
			close_conn(&c);
		}
	}
}

/* A flow that was allowed without a contract comes under one. */
static void a_contract_comes_later(void **state)
{
	(void)state;
	teller_start(QUEUE, 2);
	BOTH
	{
		struct bh_kernel_counters before = counters();
		struct conn c;
		uint16_t sport;

		c = allowed_before(8003, "SSH-");
		four_ports();
		carries(c.server, c.client, "one");
		passed_as('m', 8003, true);
		sport = s.logs[s.read - 1].dport;
		carries(c.client, c.server, "two");
		/* It is asked again by every revision, and told once. */
		begin();
		contract(7, BH_FAIL_REFUSE, BH_FAIL_ALERT);
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		in_cell(BH_PEER_ANY, BH_L4_TCP, 8003, CONTRACT(7));
		apply();
		carries(c.client, c.server, "three");
		told_once(sport);
		/* Two packets that come at the same time may both be the first. */
		assert_in_range(counters().midstream - before.midstream, 1, 2);
		close_conn(&c);
	}
}

/* The worker's own answers: its tables are full, it has not seen the beginning. */
static void answers_of_the_worker(void **state)
{
	static const struct {
		const char *text;
		uint16_t port;
		bool passes;
	} t[] = {
		{ "BLIND", 8001, false }, { "BLIND", 8002, true },   { "BLIND", 8003, false },
		{ "BLIND", 8004, true },  { "UNSEEN", 8001, false }, { "UNSEEN", 8002, false },
		{ "UNSEEN", 8003, true }, { "UNSEEN", 8004, true },
	};

	(void)state;
	four_ports();
	teller_start(QUEUE, 2);
	BOTH
	{
		for (size_t i = 0; i < BH_ARRAY_SIZE(t); i++) {
			struct conn c = open_conn(t[i].port);

			if (t[i].passes) {
				carries(c.client, c.server, t[i].text);
				carries(c.server, c.client, "SSH-");
			} else {
				assert_true(netlab_write(c.client, t[i].text, strlen(t[i].text)) >
					    0);
				assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
			}
			close_conn(&c);
		}
	}
}

/* ---- with the own node ---- */

/* Four ports of a container and its node, in one direction, as four_ports(); from @base on. */
static void ports_of_the_node(const struct side *w, uint16_t base)
{
	begin();
	contract(1, BH_FAIL_REFUSE, BH_FAIL_REFUSE);
	contract(2, BH_FAIL_ALLOW, BH_FAIL_REFUSE);
	contract(3, BH_FAIL_REFUSE, BH_FAIL_ALERT);
	contract(4, BH_FAIL_ALERT, BH_FAIL_ALLOW);
	cell(w, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	cell(w, HOST, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	for (uint32_t i = 1; i <= 4; i++)
		cell(w, HOST, BH_L4_TCP, base + i, CONTRACT(i));
	apply();
	(void)teller_seen();
}

/* At which hook the last report was made: the packet's, not the connection's. */
static void at_hook(const struct side *w, bool reply)
{
	const struct side *other = w == sides ? &sides[1] : &sides[0];

	assert_int_equal(s.logs[s.read - 1].hook, reply ? other->hook : w->hook);
}

static void node_without_judgement(void **state)
{
	(void)state;
	EACH_SIDE(w)
	{
		const uint16_t base = w == sides ? 8110 : 8120;

		ports_of_the_node(w, base);
		BOTH
		{
			struct bh_kernel_counters before = counters();
			struct conn c = open_side(w, (uint16_t)(base + 2));

			carries(c.client, c.server, "SSH-");
			passed_as('u', (uint16_t)(base + 2), false);
			at_hook(w, false);
			carries(c.server, c.client, "SSH-");
			close_conn(&c);
			/* The server speaks first. */
			c = open_side(w, (uint16_t)(base + 4));
			carries(c.server, c.client, "220 ");
			passed_as('u', (uint16_t)(base + 4), true);
			at_hook(w, true);
			carries(c.client, c.server, "SSH-");
			close_conn(&c);
			assert_int_equal(counters().unjudged - before.unjudged, 2);
			/* Where no contract says so, it waits. */
			for (unsigned i = 1; i <= 3; i += 2) {
				const uint16_t port = (uint16_t)(base + i);

				c = (struct conn){ .listener = netlab_serve(w->to, s.family,
									    SOCK_STREAM, port),
						   .client = dial(w, port, 2000) };
				assert_int_equal(netlab_write(c.client, "GET /", 5), 5);
				c.server = netlab_accept(c.listener, 100);
				assert_int_equal(c.server, -ETIMEDOUT);
				(void)close(c.client);
				(void)close(c.listener);
			}
		}
	}
}

static void node_did_not_see_the_beginning(void **state)
{
	(void)state;
	teller_start(QUEUE, 2);
	EACH_SIDE(w)
	{
		const uint16_t base = w == sides ? 8130 : 8140;

		ports_of_the_node(w, base);
		BOTH for (unsigned i = 1; i <= 4; i++)
		{
			const uint16_t port = (uint16_t)(base + i);
			struct bh_kernel_counters before = counters();
			struct conn c = open_side(w, port);

			carries(c.client, c.server, "GET /");
			assert_int_equal(netlab_run(NETLAB_ROUTER, "conntrack -F 2>/dev/null"), 0);
			(void)teller_seen();
			s.read = s.n_logs;
			if (i >= 3) {
				carries(c.client, c.server, "one");
				passed_as('m', port, false);
				at_hook(w, false);
				carries(c.server, c.client, "two");
				carries(c.client, c.server, "SSH-");
				assert_int_equal(teller_seen().packets, 0);
				assert_true(counters().midstream > before.midstream);
			} else {
				(void)netlab_write(c.client, "x", 1);
				assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
				stays_silent(c.server, 0);
			}
			close_conn(&c);
		}
	}
}

/* What only looks as if it came from a queue of ours, because others use our bits, is not our business. */
static void node_uses_our_bits(void **state)
{
	(void)state;
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft -f - <<'E'\n"
						   "table inet foreign {\n"
						   "chain a {\n"
						   " type filter hook output priority -200\n"
						   " meta mark set 0x3e004242\n"
						   "}\n"
						   "chain b {\n"
						   " type filter hook input priority -200\n"
						   " meta mark set 0x3e004242\n"
						   "}\n"
						   "}\nE\n"),
			 0);
	ports_of_the_node(sides, 8150);
	BOTH
	{
		const struct side server = { NETLAB_ROUTER, NETLAB_SERVER, BH_DIR_INGRESS, 3 };
		struct conn c = open_side(&server, 8001);

		carries(c.client, c.server, "SSH-");
		carries(c.server, c.client, "SSH-");
		close_conn(&c);
	}
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft delete table inet foreign"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nobody_listens, after),
		cmocka_unit_test_teardown(datagrams, after),
		cmocka_unit_test_teardown(the_queue_is_full, after),
		cmocka_unit_test_teardown(passing_is_reported, after),
		cmocka_unit_test_teardown(marks_of_what_passes, after),
		cmocka_unit_test_teardown(unjudged_is_asked_again, after),
		cmocka_unit_test_teardown(both_directions_have_a_say, after),
		cmocka_unit_test_teardown(beginning_was_not_seen, after),
		cmocka_unit_test_teardown(a_contract_comes_later, after),
		cmocka_unit_test_teardown(answers_of_the_worker, after),
		cmocka_unit_test_teardown(node_without_judgement, after),
		cmocka_unit_test_teardown(node_did_not_see_the_beginning, after),
		cmocka_unit_test_teardown(node_uses_our_bits, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
