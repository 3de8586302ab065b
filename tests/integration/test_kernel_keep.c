// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_keep.c - which connections live on: older than the tables, allowed before a change
 *
 * Real packets of a client through a router to a server, and with the router itself, IPv4 and IPv6, in network
 * namespaces of this program's own (root). The rule sets are made by hand; the worker is played by
 * tests/lib/teller.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/kernel_fail.h"

static void restart(bool keep, uint16_t grace)
{
	struct bh_err err = { .code = 0 };
	bool adopted;

	s.k = bh_kernel_close(s.k);
	s.cfg.keep = keep;
	s.cfg.grace_sec = grace;
	no_error(bh_kernel_open(&s.cfg, &s.k, &err), &err);
	no_error(bh_kernel_start(s.k, &adopted, &err), &err);
}

static void teardown(void)
{
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_teardown(s.k, &err), &err);
}

/* Without our tables nothing would ask conntrack to look. */
static void conntrack_on(void)
{
	assert_int_equal(netlab_run(NETLAB_ROUTER,
				    "nft 'table inet tracks { chain a { type filter hook forward "
				    "priority 50; ct state invalid counter; }; }'"),
			 0);
}

static void conntrack_off(void)
{
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft delete table inet tracks"), 0);
}

/* For a while connections that are older than the tables pass, and those that passed live on. */
static void grace(void **state)
{
	/* Emulated, what comes before the end takes longer (tests/qemu/run). */
	const uint16_t grace_sec = (uint16_t)slow(1);

	(void)state;
	conntrack_on();
	teller_start(QUEUE, 2);
	BOTH
	{
		bh_msec_t end;
		struct conn c, d, e;

		teardown();
		c = open_conn(8001);
		d = open_conn(8002);
		carries(c.client, c.server, "SSH-");
		carries(d.client, d.server, "SSH-");
		restart(false, grace_sec);
		end = bh_clock_now() + grace_sec * 1000;
		four_ports();
		carries(c.server, c.client, "one");
		carries(c.client, c.server, "two");
		assert_int_equal(counters().midstream, 1);
		/* What begins now is judged all the same. */
		e = open_conn(8003);
		assert_int_equal(netlab_write(e.client, "SSH-", 4), 4);
		assert_int_equal(netlab_end_of(e.client, slow(2000)), -ECONNRESET);
		close_conn(&e);
		/* The kernel ends it, whoever is there. */
		s.k = bh_kernel_close(s.k);
		while (bh_clock_now() < end + 100)
			(void)poll(NULL, 0, 10);
		assert_int_equal(netlab_write(d.client, "x", 1), 1);
		assert_int_equal(netlab_end_of(d.server, slow(2000)), -ECONNRESET);
		carries(c.client, c.server, "three");
		restart(false, 0);
		begin();
		contract(9, BH_FAIL_REFUSE, BH_FAIL_REFUSE);
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, CONTRACT(9));
		apply();
		carries(c.client, c.server, "four");
		no_log();
		close_conn(&c);
		close_conn(&d);
	}
	teardown();
	restart(false, 0);
	conntrack_off();
}

static bool has_late_chain(void)
{
	const int four =
	    netlab_run(NETLAB_ROUTER, "nft list chain ip " TABLE " late >/dev/null 2>&1");
	const int six =
	    netlab_run(NETLAB_ROUTER, "nft list chain ip6 " TABLE " late >/dev/null 2>&1");

	assert_int_equal(four, six);
	return four == 0;
}

/* What every packet would pay for is there from the first contract on that needs it, and for good. */
static void late_chains_come_with_who_needs_them(void **state)
{
	struct bh_err err = { .code = 0 };
	bool adopted;

	(void)state;
	teller_start(QUEUE, 2);
	teardown();
	restart(false, 0);
	s.family = 4;
	for (int open = 0; open < 2; open++) {
		begin();
		contract(1, open ? BH_FAIL_ALERT : BH_FAIL_REFUSE, BH_FAIL_ALLOW);
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, CONTRACT(1));
		apply();
		assert_int_equal(has_late_chain(), open);
		no_error(bh_kernel_verify(s.k, &err), &err);
	}
	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(2));
	apply();
	assert_true(has_late_chain());
	/* The next agent knows them as ours. */
	s.k = bh_kernel_close(s.k);
	no_error(bh_kernel_open(&s.cfg, &s.k, &err), &err);
	no_error(bh_kernel_start(s.k, &adopted, &err), &err);
	assert_true(adopted);
	no_error(bh_kernel_verify(s.k, &err), &err);
	assert_true(has_late_chain());
	teardown();
	restart(false, 0);
	assert_false(has_late_chain());
}

static void shut(void)
{
	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(2));
	apply();
}

static void connections_are_kept(void **state)
{
	(void)state;
	conntrack_on();
	teller_start(QUEUE, 2);
	BOTH
	{
		struct bh_err err = { .code = 0 };
		struct conn old, c, u;

		/* Known to conntrack before there were tables at all. */
		teardown();
		old = open_conn(8005);
		carries(old.client, old.server, "one");
		restart(true, 0);
		shut();
		carries(old.server, old.client, "two");
		carries(old.client, old.server, "three");
		no_log();

		/* Allowed, and no policy would allow it any more. */
		c = allowed_before(8006, "one");
		shut();
		shut();
		carries(c.client, c.server, "two");
		carries(c.server, c.client, "three");
		four_ports();
		carries(c.client, c.server, "four");
		no_log();
		/* New ones are decided by what holds now. */
		dropped(8006, 1);

		/* Under inspection: it is judged, by the new policy. */
		u = open_conn(8001);
		carries(u.client, u.server, "MORE");
		four_ports();
		assert_int_equal(netlab_write(u.client, "SSH-", 4), 4);
		assert_int_equal(netlab_end_of(u.client, 3000), -ECONNRESET);
		close_conn(&u);

		/* The next agent keeps them, too. */
		shut();
		restart(true, 0);
		carries(c.client, c.server, "five");
		carries(old.client, old.server, "five");

		/* Others had a hand in it: nothing is kept on trust. */
		shut();
		no_error(bh_kernel_doubt(s.k, &err), &err);
		no_error(bh_kernel_bump(s.k, &err), &err);
		assert_int_equal(netlab_write(c.client, "six", 3), 3);
		assert_int_equal(netlab_end_of(c.client, 3000), -ECONNRESET);
		close_conn(&c);
		close_conn(&old);

		/* And an agent that cuts, cuts. */
		begin();
		apply();
		c = open_conn(8006);
		carries(c.client, c.server, "one");
		restart(false, 0);
		shut();
		assert_int_equal(netlab_write(c.client, "two", 3), 3);
		assert_int_equal(netlab_end_of(c.client, 3000), -ECONNRESET);
		close_conn(&c);
	}
	conntrack_off();
}

/* A SYN on the ports of a connection that is kept begins another one, and what it says is decided now. */
static void kept_ports_again(void **state)
{
	const struct linger at_once = { .l_onoff = 1 };

	(void)state;
	restart(true, 0);
	BOTH
	{
		struct sockaddr_storage me;
		socklen_t len = sizeof(me);
		struct conn c;
		int again;

		c = allowed_before(8006, "one");
		assert_int_equal(getsockname(c.client, (struct sockaddr *)&me, &len), 0);
		shut();
		carries(c.client, c.server, "two");
		assert_int_equal(
		    setsockopt(c.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
		(void)close(c.server);
		assert_int_equal(netlab_end_of(c.client, slow(2000)), -ECONNRESET);
		(void)close(c.client);

		again = netlab_socket(NETLAB_CLIENT, s.family, SOCK_STREAM);
		assert_int_equal(bind(again, (struct sockaddr *)&me, len), 0);
		me = netlab_sockaddr(NETLAB_SERVER, s.family, 8006, &len);
		(void)connect(again, (struct sockaddr *)&me, len);
		refused_by(2, BH_DIR_INGRESS, 'p', BH_WORD_DROP);
		assert_int_equal(netlab_accept(c.listener, 100), -ETIMEDOUT);
		(void)close(again);
		(void)close(c.listener);
	}
	restart(false, 0);
}

/* What stands in the old place of our bits is not seen in the new one: it may have been a refusal. */
static void nothing_is_kept_when_our_bits_move(void **state)
{
	(void)state;
	restart(true, 0);
	BOTH
	{
		struct conn c;

		c = allowed_before(8007, "one");
		s.cfg.mark_down = s.family == 4 ? 8 : 0;
		restart(true, 0);
		carries(c.client, c.server, "two");
		close_conn(&c);

		c = open_conn(8007);
		carries(c.client, c.server, "one");
		shut();
		carries(c.client, c.server, "two");
		s.cfg.mark_down = s.family == 4 ? 16 : 4;
		restart(true, 0);
		assert_int_equal(netlab_write(c.client, "three", 5), 5);
		assert_int_equal(netlab_end_of(c.client, 3000), -ECONNRESET);
		close_conn(&c);
	}
	s.cfg.mark_down = 0;
	restart(false, 0);
}

/* ---- with the own node ---- */

static void node_shut(const struct side *w)
{
	begin();
	cell(w, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(2));
	apply();
}

static void connections_with_the_node_are_kept(void **state)
{
	(void)state;
	conntrack_on();
	EACH_SIDE(w) BOTH
	{
		struct bh_err err = { .code = 0 };
		struct conn old, c;

		/* Known to conntrack before there were tables at all. */
		teardown();
		old = open_side(w, 8005);
		carries(old.client, old.server, "one");
		restart(true, 0);
		node_shut(w);
		carries(old.client, old.server, "two");
		carries(old.server, old.client, "three");

		/* Allowed, and no policy would allow it any more. */
		begin();
		cell(w, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(1));
		apply();
		c = open_side(w, 8006);
		carries(c.client, c.server, "one");
		node_shut(w);
		node_shut(w);
		carries(c.client, c.server, "two");
		carries(c.server, c.client, "three");
		no_log();
		/* New ones are decided by what holds now. */
		assert_int_equal(dial(w, 8006, 50), -ETIMEDOUT);

		/* Others had a hand in it: nothing is kept on trust. */
		no_error(bh_kernel_doubt(s.k, &err), &err);
		no_error(bh_kernel_bump(s.k, &err), &err);
		(void)netlab_write(c.client, "four", 4);
		assert_int_equal(netlab_end_of(c.client, 3000), -ECONNRESET);
		close_conn(&c);
		close_conn(&old);
	}
	restart(false, 0);
	conntrack_off();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(grace, after),
		cmocka_unit_test_teardown(late_chains_come_with_who_needs_them, after),
		cmocka_unit_test_teardown(connections_are_kept, after),
		cmocka_unit_test_teardown(kept_ports_again, after),
		cmocka_unit_test_teardown(nothing_is_kept_when_our_bits_move, after),
		cmocka_unit_test_teardown(connections_with_the_node_are_kept, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
