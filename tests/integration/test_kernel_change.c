// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_change.c - flows that a change decides again, and marks of others
 *
 * Real packets of a client through a router to a server, IPv4 and IPv6, in network namespaces of this program's own
 * (root). The rule sets are made by hand; the worker is played by tests/lib/teller.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/kernel_scene.h"

/* ---- changes ---- */

static void policy_change_cuts(void **state)
{
	(void)state;
	BOTH
	{
		struct conn c;

		c = allowed_before(8001, "one");

		/* A change that says nothing about it: the flow lives. */
		begin();
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(2));
		in_cell(BH_PEER_ANY, BH_L4_TCP, 8001, ALLOW(3));
		assert_true(apply().needs_bump);
		carries(c.server, c.client, "two");
		carries(c.client, c.server, "three");
		no_log();

		begin();
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(2));
		apply();
		assert_int_equal(netlab_write(c.client, "four", 4), 4);
		refused_by(2, BH_DIR_INGRESS, 'c', 0);
		assert_int_equal(netlab_end_of(c.client, 3000), -ECONNRESET);
		assert_int_equal(netlab_end_of(c.server, 3000), -ECONNRESET);
		close_conn(&c);
	}
}

static void known_protocols_are_judged_again(void **state)
{
	(void)state;
	teller_start(QUEUE, 2);
	BOTH
	{
		struct conn c, d;

		http_only();
		c = open_conn(8001);
		carries(c.client, c.server, "GET /");
		d = c;

		/* Another contract allows it too: nobody is asked. */
		begin();
		hand_contract(s.h, 2, BH_PROTO_SSH, DROP(12), ALLOW(13));
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		in_cell(BH_PEER_ANY, BH_L4_TCP, 8001, CONTRACT(2));
		apply();
		(void)teller_seen();
		carries(c.client, c.server, "still");
		carries(c.server, c.client, "here");
		assert_int_equal(teller_seen().packets, 0);

		/* Now it is the wrong one. */
		begin();
		hand_contract(s.h, 3, BH_PROTO_SSH, ALLOW(12), DROP(13));
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		in_cell(BH_PEER_ANY, BH_L4_TCP, 8001, CONTRACT(3));
		apply();
		assert_int_equal(netlab_write(d.client, "out", 3), 3);
		assert_int_equal(netlab_end_of(d.client, 3000), -ECONNRESET);
		assert_int_equal(netlab_end_of(d.server, 3000), -ECONNRESET);
		assert_int_equal(teller_seen().packets, 0);
		close_conn(&d);
	}
}

/* A flow of which nobody knows what it speaks comes under a contract: it is cut, and its successor is judged. */
static void unknown_flow_under_a_new_contract(void **state)
{
	(void)state;
	teller_start(QUEUE, 2);
	BOTH
	{
		struct conn c;

		begin();
		apply();
		c = open_conn(8001);
		carries(c.client, c.server, "one");
		http_only();
		assert_int_equal(netlab_write(c.client, "GET /", 5), 5);
		refused_by(0, BH_DIR_INGRESS, 'c', 0);
		assert_int_equal(netlab_end_of(c.client, 3000), -ECONNRESET);
		close_conn(&c);
		allowed(8001);
	}
}

/* A packet of the client waits for the worker's answer, which comes when the caller says teller_go_on(). */
static void waits(const struct conn *c, const char *text)
{
	bh_msec_t end = bh_clock_now() + slow(2000);
	struct bh_kernel_counters before, now;
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_counters(s.k, &before, &err), &err);
	teller_hold();
	assert_int_equal(netlab_write(c->client, text, strlen(text)), strlen(text));
	do
		no_error(bh_kernel_counters(s.k, &now, &err), &err);
	while (now.queued == before.queued && bh_clock_now() < end);
	assert_true(now.queued > before.queued);
}

static void arrives(const struct conn *c, const char *text)
{
	char buf[128];

	teller_go_on();
	assert_int_equal(netlab_read(c->server, buf, sizeof(buf), 2000), strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

/* @carries: the packet still has what was refused, so only its sender is told by it, the receiver at the latest when it speaks. */
static void is_cut(struct conn *c, bool carries)
{
	teller_go_on();
	assert_int_equal(netlab_end_of(c->client, 3000), -ECONNRESET);
	if (!carries || netlab_write(c->server, "?", 1) == 1)
		assert_int_equal(netlab_end_of(c->server, 3000), -ECONNRESET);
	close_conn(c);
}

/* The worker had seen a packet before the policy changed, and answers afterwards: what holds then, holds for it. */
static void answers_of_an_earlier_epoch(void **state)
{
	struct bh_err err = { .code = 0 };

	(void)state;
	teller_start(QUEUE, 2);
	BOTH
	{
		struct conn c;

		/* The same contract: what was named is judged by it, and who wants to see more sees more. */
		http_only();
		c = open_conn(8001);
		waits(&c, "CONFIRM");
		no_error(bh_kernel_bump(s.k, &err), &err);
		arrives(&c, "CONFIRM");
		waits(&c, "GET /");
		no_error(bh_kernel_bump(s.k, &err), &err);
		arrives(&c, "GET /");
		(void)teller_seen();
		carries(c.server, c.client, "more");
		assert_int_equal(teller_seen().packets, 0);
		close_conn(&c);

		c = open_conn(8001);
		waits(&c, "SSH-2.0");
		no_error(bh_kernel_bump(s.k, &err), &err);
		is_cut(&c, false);

		/* No contract any more. */
		c = open_conn(8001);
		waits(&c, "what is it");
		begin();
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(2));
		apply();
		arrives(&c, "what is it");
		carries(c.server, c.client, "whatever");
		close_conn(&c);

		/* Nobody any more, whatever it was. */
		for (int named = 0; named < 2; named++) {
			http_only();
			c = open_conn(8001);
			waits(&c, named ? "GET /" : "CONFIRM");
			begin();
			in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(2));
			apply();
			is_cut(&c, true);
		}
	}
}

/* ---- marks ---- */

static void foreign_table(const char *text)
{
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER, "nft -f - <<'E'\ntable inet foreign {\n%s}\nE\n", text), 0);
}

/* The marks that others put on packets and connections are theirs. */
static void foreign_marks_are_kept(void **state)
{
	(void)state;
	teller_start(QUEUE, 2);
	foreign_table("chain a {\n"
		      " type filter hook forward priority -200\n"
		      " meta mark set 0x4242\n"
		      " ct mark set ct mark & 0xffff0000 | 0x1717\n"
		      "}\n"
		      "counter odd { }\n"
		      "chain b {\n"
		      " type filter hook forward priority 100\n"
		      " meta mark != 0x4242 counter name odd\n"
		      " ct mark & 0xffff != 0x1717 counter name odd\n"
		      "}\n");
	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(1) | BH_WORD_REPORT);
	apply();
	BOTH
	{
		struct conn c = open_conn(8001);

		carries(c.client, c.server, "GET /");
		carries(c.server, c.client, "HTTP");
		close_conn(&c);
	}
	http_only();
	BOTH
	{
		struct conn c = open_conn(8001);

		carries(c.client, c.server, "MORE");
		carries(c.server, c.client, "MORE");
		assert_int_equal(teller_seen().foreign, 0x4242);
		carries(c.client, c.server, "GET /");
		carries(c.server, c.client, "HTTP");
		close_conn(&c);
	}
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER, "nft list counter inet foreign odd | grep -q 'packets 0 '"),
	    0);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft delete table inet foreign"), 0);
}

/* Somebody restores the mark of a connection under inspection into the packet: that is no verdict. */
static void restored_mark_is_no_verdict(void **state)
{
	(void)state;
	http_only();
	foreign_table("chain a {\n"
		      " type filter hook prerouting priority -100\n"
		      " meta mark set ct mark\n"
		      "}\n");
	BOTH
	{
		int listener = netlab_serve(NETLAB_SERVER, s.family, SOCK_STREAM, 8001);
		int client = connect_to(8001, 2000);

		/* Its first bare packet waits for the worker, and so does everything behind it. */
		assert_true(client >= 0);
		assert_int_equal(netlab_write(client, "GET /", 5), 5);
		assert_int_equal(netlab_accept(listener, 300), -ETIMEDOUT);
		(void)close(client);
		(void)close(listener);
	}
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft delete table inet foreign"), 0);
}

/* A service address, and the server sees the router as its client. */
/* The answer to its first packet comes when the flow is nobody's to inspect any more: its mark is of no use to others. */
static void marks_of_answers_do_not_leave(void **state)
{
	(void)state;
	teller_start(QUEUE, 2);
	BOTH
	{
		int listener = netlab_serve(NETLAB_SERVER, s.family, SOCK_STREAM, 8001);
		int client, server;
		char buf[8];

		http_only();
		foreign_table("counter marked { }\n"
			      "chain a {\n"
			      " type filter hook postrouting priority 0\n"
			      " meta mark & 0xff000000 == 0x7f000000 counter name marked\n"
			      "}\n");
		teller_hold();
		client = connect_to(8001, 2000);
		assert_true(client >= 0);
		begin();
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(2));
		apply();
		/* Overtakes the one that waits. */
		assert_int_equal(netlab_write(client, "one", 3), 3);
		server = netlab_accept(listener, 2000);
		assert_true(server >= 0);
		assert_int_equal(netlab_read(server, buf, sizeof(buf), 2000), 3);
		teller_go_on();
		teller_stop(); /* when it has answered */
		carries(client, server, "two");
		assert_int_equal(netlab_run(NETLAB_ROUTER, "nft list counter inet foreign marked | "
							   "grep -q 'packets 0 '"),
				 0);
		assert_int_equal(netlab_run(NETLAB_ROUTER, "nft delete table inet foreign"), 0);
		(void)close(client);
		(void)close(server);
		(void)close(listener);
		teller_start(QUEUE, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(policy_change_cuts, after),
		cmocka_unit_test_teardown(known_protocols_are_judged_again, after),
		cmocka_unit_test_teardown(unknown_flow_under_a_new_contract, after),
		cmocka_unit_test_teardown(answers_of_an_earlier_epoch, after),
		cmocka_unit_test_teardown(foreign_marks_are_kept, after),
		cmocka_unit_test_teardown(restored_mark_is_no_verdict, after),
		cmocka_unit_test_teardown(marks_of_answers_do_not_leave, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
