// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_local.c - between a container and the node it runs on
 *
 * The node is the router, the container its client: real packets through its input and output hooks, IPv4 and IPv6,
 * in network namespaces of this program's own (root). The rule sets are made by hand; the worker is played by
 * tests/lib/teller.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/kernel_node.h"

static void talks(const struct side *w, uint16_t port)
{
	struct conn c = open_side(w, port);

	carries(c.client, c.server, "GET /");
	carries(c.server, c.client, "HTTP");
	close_conn(&c);
	no_log();
}

static void silent(const struct side *w, uint16_t port, uint32_t reason)
{
	assert_int_equal(dial(w, port, 50), -ETIMEDOUT);
	refused_by(reason, (uint8_t)w->dir, 'p', BH_WORD_DROP);
	assert_int_equal(s.logs[s.read - 1].hook, w->hook);
	s.read = s.n_logs;
}

/* As begin(), and what is left of the connections of other tests is not refused now. */
static void begin_quiet(void)
{
	assert_int_equal(netlab_run(NETLAB_ROUTER, "conntrack -F 2>/dev/null"), 0);
	begin();
}

/* Is there an entry of the last connections that shows this? */
static bool kept_with(const char *pattern)
{
	return netlab_run(NETLAB_ROUTER,
			  "conntrack -L -f ipv%d -p tcp --dport 8001 2>/dev/null | grep -q '%s'",
			  s.family, pattern) == 0;
}

static void bare_node(void **state)
{
	(void)state;
	begin();
	apply();
	EACH_SIDE(w) BOTH
	{
		talks(w, 8001);
		/* What is nobody's business leaves no mark. */
		assert_false(kept_with("mark=[^0]"));
		assert_true(kept_with("mark=0"));
	}
}

static void the_node_is_a_peer_of_its_own(void **state)
{
	(void)state;
	EACH_SIDE(w)
	{
		begin();
		cell(w, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		cell(w, HOST, BH_L4_ANY, BH_PORT_ANY, ALLOW(2));
		cell(w, HOST, BH_L4_TCP, 8022, DROP(3));
		/* Whatever else its address may be. */
		hand_cidr(s.h, "10.71.0.0/16", LAN);
		hand_cidr(s.h, "fd71::/16", LAN);
		cell(w, LAN, BH_L4_ANY, BH_PORT_ANY, DROP(4));
		apply();
		BOTH
		{
			talks(w, 8001);
			silent(w, 8022, 3);
			assert_true(netlab_ping(w->from, w->to, s.family, 2000));
			/* The other direction has no policies. */
			talks(w == sides ? &sides[1] : &sides[0], 8022);
		}
	}
}

static void without_a_word_for_the_node(void **state)
{
	(void)state;
	EACH_SIDE(w)
	{
		begin_quiet();
		cell(w, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		cell(w, BH_PEER_ANY, BH_L4_TCP, 8001, ALLOW(2));
		/* The node is no endpoint. */
		cell(w, BH_PEER_ANY_ENDPOINT, BH_L4_ANY, BH_PORT_ANY, ALLOW(3));
		cell(w, SERVER, BH_L4_ANY, BH_PORT_ANY, ALLOW(3));
		apply();
		BOTH
		{
			talks(w, 8001);
			silent(w, 8002, 1);
			assert_false(netlab_ping(w->from, w->to, s.family, 50));
			refused_by(1, (uint8_t)w->dir, 'p', BH_WORD_DROP);
			s.read = s.n_logs;
		}
	}
}

static void rejected(void **state)
{
	(void)state;
	EACH_SIDE(w)
	{
		begin();
		cell(w, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, REJECT(5));
		apply();
		BOTH
		{
			int fd, r;

			assert_int_equal(dial(w, 8001, 2000), -ECONNREFUSED);
			refused_by(5, (uint8_t)w->dir, 'p', BH_WORD_REJECT);
			fd = netlab_connect(w->from, w->to, s.family, SOCK_DGRAM, 8001, 0);
			r = netlab_write(fd, "x", 1);
			refused_by(5, (uint8_t)w->dir, 'p', BH_WORD_REJECT);
			/* A sender on this host hears of it at once, by another error. */
			if (r == 1)
				r = netlab_end_of(fd, 2000);
			assert_true(r == -EHOSTUNREACH || r == -EACCES || r == -EPERM);
			(void)close(fd);
		}
	}
}

/* ---- contracts ---- */

static void http_with_the_node(const struct side *w)
{
	begin();
	hand_contract(s.h, 1, BH_PROTO_HTTP, ALLOW(10), DROP(11));
	cell(w, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	cell(w, HOST, BH_L4_ANY, BH_PORT_ANY, ALLOW(2));
	cell(w, HOST, BH_L4_TCP, 8001, CONTRACT(1));
	cell(w, HOST, BH_L4_UDP, 8001, CONTRACT(1));
	apply();
	(void)teller_seen();
}

static void contract_with_the_node(void **state)
{
	(void)state;
	teller_start(QUEUE, 2);
	EACH_SIDE(w)
	{
		http_with_the_node(w);
		BOTH
		{
			struct teller_seen t = teller_seen();
			struct conn c = open_side(w, 8001);

			carries(c.client, c.server, "MORE");
			carries(c.server, c.client, "MORE");
			carries(c.client, c.server, "GET /");
			t = teller_seen();
			assert_int_equal(t.results, 1);
			assert_int_equal(t.start, 1);
			assert_int_equal(t.reply, 1);
			assert_false(t.odd_mark);
			carries(c.server, c.client, "SSH- is nobody's business any more");
			carries(c.client, c.server, "whatever");
			assert_int_equal(teller_seen().packets, 0);
			close_conn(&c);

			/* Both ends learn of a refusal, whoever spoke. */
			c = open_side(w, 8001);
			assert_int_equal(netlab_write(c.client, "SSH-2.0", 7), 7);
			assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
			assert_int_equal(netlab_end_of(c.server, 2000), -ECONNRESET);
			close_conn(&c);
			c = open_side(w, 8001);
			assert_int_equal(netlab_write(c.server, "SSH-2.0", 7), 7);
			assert_int_equal(netlab_end_of(c.server, 2000), -ECONNRESET);
			assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
			close_conn(&c);
		}
	}
}

static void datagrams_with_the_node(void **state)
{
	(void)state;
	teller_start(QUEUE, 2);
	EACH_SIDE(w)
	{
		http_with_the_node(w);
		BOTH
		{
			int server = netlab_serve(w->to, s.family, SOCK_DGRAM, 8001), r;
			int fd = netlab_connect(w->from, w->to, s.family, SOCK_DGRAM, 8001, 0);
			char buf[16];

			carries(fd, server, "GET");
			(void)close(fd);
			fd = netlab_connect(w->from, w->to, s.family, SOCK_DGRAM, 8001, 0);
			assert_int_equal(netlab_write(fd, "SSH-", 4), 4);
			r = netlab_end_of(fd, 2000);
			assert_true(r == -EHOSTUNREACH || r == -EACCES);
			assert_int_equal(netlab_read(server, buf, sizeof(buf), 0), -ETIMEDOUT);
			(void)close(fd);
			(void)close(server);
		}
	}
}

/* ---- changes ---- */

static void cut_by_a_change(void **state)
{
	(void)state;
	EACH_SIDE(w) BOTH for (int who = 0; who < 2; who++)
	{
		struct conn c, other;

		begin();
		apply();
		c = open_side(w, 8001);
		other = open_side(w, 8002);
		carries(c.client, c.server, "one");
		carries(other.client, other.server, "one");

		begin();
		cell(w, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		cell(w, BH_PEER_ANY, BH_L4_TCP, 8002, ALLOW(2));
		apply();
		/* The first packet is dropped, the next one resets both. */
		assert_int_equal(netlab_write(who == 0 ? c.client : c.server, "two", 3), 3);
		refused_by(1, (uint8_t)w->dir, 'c', 0);
		assert_int_equal(netlab_end_of(c.client, 4000), -ECONNRESET);
		assert_int_equal(netlab_end_of(c.server, 4000), -ECONNRESET);
		carries(other.client, other.server, "two");
		carries(other.server, other.client, "three");
		close_conn(&c);
		close_conn(&other);
	}
}

/* A connection that the node began to a container that is isolated for egress only: its answers are no connection. */
static void answers_are_no_connection(void **state)
{
	(void)state;
	begin();
	hand_cell(s.h, BH_DIR_EGRESS, CLIENT, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	apply();
	BOTH
	{
		talks(&sides[FROM_NODE], 8001);
		silent(&sides[TO_NODE], 8001, 1);
	}
}

/* Errors that the node makes about a container's packets, and the container about the node's, find their way. */
static void errors_pass(void **state)
{
	(void)state;
	EACH_SIDE(w)
	{
		begin();
		cell(w, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		cell(w, BH_PEER_ANY, BH_L4_UDP, 8009, ALLOW(2));
		apply();
		BOTH
		{
			int fd = netlab_connect(w->from, w->to, s.family, SOCK_DGRAM, 8009, 0);

			assert_int_equal(netlab_write(fd, "x", 1), 1);
			assert_int_equal(netlab_end_of(fd, 2000),
					 -ECONNREFUSED); /* port unreachable */
			(void)close(fd);
		}
	}
}

/* A neighbour that is asked for anew is found, whatever the policies say. */
static void neighbours(void **state)
{
	(void)state;
	begin();
	EACH_SIDE(w)
	{
		cell(w, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		cell(w, BH_PEER_ANY, BH_L4_TCP, 8001, ALLOW(2));
	}
	apply();
	BOTH
	{
		assert_int_equal(netlab_run(NETLAB_ROUTER, "ip -%d neigh flush all", s.family), 0);
		assert_int_equal(netlab_run(NETLAB_CLIENT, "ip -%d neigh flush all", s.family), 0);
		EACH_SIDE(w) talks(w, 8001);
	}
}

/* The node may be the other end by its own NAT: what is really spoken to counts. */
static void redirected_to_the_node(void **state)
{
	(void)state;
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER,
		       "nft -f - <<'E'\n"
		       "table inet nat {\n"
		       "chain pre {\n"
		       " type nat hook prerouting priority dstnat\n"
		       " ip daddr 10.71.9.9 tcp dport 80 dnat ip to 10.71.2.1:8001\n"
		       " ip6 daddr fd71:9::9 tcp dport 80 dnat ip6 to [fd71:2::1]:8001\n"
		       "}\n"
		       "}\nE\n"),
	    0);
	begin_quiet();
	cell(&sides[TO_NODE], BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	cell(&sides[TO_NODE], HOST, BH_L4_ANY, BH_PORT_ANY, DROP(2));
	cell(&sides[TO_NODE], HOST, BH_L4_TCP, 8001, ALLOW(3));
	apply();
	BOTH
	{
		struct conn c = { .listener =
				      netlab_serve(NETLAB_ROUTER, s.family, SOCK_STREAM, 8001) };

		c.client =
		    netlab_connect(NETLAB_CLIENT, NETLAB_VIP, s.family, SOCK_STREAM, 80, 2000);
		if (c.client < 0)
			fail_msg("%s", strerror(-c.client));
		c.server = netlab_accept(c.listener, 2000);
		carries(c.client, c.server, "GET /");
		carries(c.server, c.client, "HTTP");
		close_conn(&c);
		no_log();
	}
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft delete table inet nat"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(bare_node, after),
		cmocka_unit_test_teardown(the_node_is_a_peer_of_its_own, after),
		cmocka_unit_test_teardown(without_a_word_for_the_node, after),
		cmocka_unit_test_teardown(rejected, after),
		cmocka_unit_test_teardown(contract_with_the_node, after),
		cmocka_unit_test_teardown(datagrams_with_the_node, after),
		cmocka_unit_test_teardown(cut_by_a_change, after),
		cmocka_unit_test_teardown(answers_are_no_connection, after),
		cmocka_unit_test_teardown(errors_pass, after),
		cmocka_unit_test_teardown(neighbours, after),
		cmocka_unit_test_teardown(redirected_to_the_node, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
