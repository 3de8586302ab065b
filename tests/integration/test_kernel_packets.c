// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_packets.c - packets that are not plain: fragments, without a connection, to oneself
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

#define BIG 6000 /* bytes of a datagram: five fragments */

static int dial(uint16_t port)
{
	return netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_DGRAM, port, 0);
}

static void send_big(int fd, const char *begin)
{
	char data[BIG];

	memset(data, 'x', sizeof(data));
	memcpy(data, begin, strlen(begin));
	assert_int_equal(netlab_write(fd, data, sizeof(data)), sizeof(data));
}

/* Ports stand in the first fragment alone: all of them are judged by it. */
static void fragments(void **state)
{
	(void)state;
	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	in_cell(BH_PEER_ANY, BH_L4_UDP, 8001, ALLOW(2));
	apply();
	BOTH
	{
		int server = netlab_serve(NETLAB_SERVER, s.family, SOCK_DGRAM, 8001);
		int other = netlab_serve(NETLAB_SERVER, s.family, SOCK_DGRAM, 8002);
		int fd = dial(8001), wrong = dial(8002);
		char buf[BIG + 1];

		send_big(fd, "GET");
		assert_int_equal(netlab_read(server, buf, sizeof(buf), 2000), BIG);
		no_log();
		send_big(wrong, "GET");
		refused_by(1, BH_DIR_INGRESS, 'p', BH_WORD_DROP);
		assert_int_equal(s.logs[s.read - 1].dport, 8002);
		assert_int_equal(netlab_read(other, buf, sizeof(buf), 0), -ETIMEDOUT);
		(void)close(fd);
		(void)close(wrong);
		(void)close(server);
		(void)close(other);
	}
}

/* What the worker sees is the whole. */
static void fragments_under_a_contract(void **state)
{
	(void)state;
	begin();
	hand_contract(s.h, 1, BH_PROTO_HTTP, ALLOW(10), DROP(11));
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	in_cell(BH_PEER_ANY, BH_L4_UDP, 8001, CONTRACT(1));
	apply();
	teller_start(QUEUE, 2);
	(void)teller_seen();
	BOTH
	{
		int server = netlab_serve(NETLAB_SERVER, s.family, SOCK_DGRAM, 8001),
		    fd = dial(8001);
		char buf[BIG + 1];
		int r;

		send_big(fd, "GET");
		assert_int_equal(netlab_read(server, buf, sizeof(buf), 2000), BIG);
		assert_int_equal(teller_seen().packets, 1);
		(void)close(fd);
		fd = dial(8001);
		send_big(fd, "SSH-");
		r = netlab_end_of(fd, 2000);
		assert_true(r == -EHOSTUNREACH || r == -EACCES);
		assert_int_equal(netlab_read(server, buf, sizeof(buf), 0), -ETIMEDOUT);
		assert_int_equal(teller_seen().packets, 1);
		(void)close(fd);
		(void)close(server);
	}
}

/* Nobody follows them, so nothing can be known of them: they do not reach who is isolated. */
static void untracked(void **state)
{
	(void)state;
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft -f - <<'E'\n"
						   "table inet blind {\n"
						   "chain pre {\n"
						   " type filter hook prerouting priority raw\n"
						   " udp dport 8001 notrack\n"
						   "}\n"
						   "}\nE\n"),
			 0);
	BOTH
	{
		int server = netlab_serve(NETLAB_SERVER, s.family, SOCK_DGRAM, 8001),
		    fd = dial(8001);
		char buf[16];

		/* A container that no policy selects is none of our business. */
		begin();
		apply();
		assert_int_equal(netlab_write(fd, "one", 3), 3);
		assert_int_equal(netlab_read(server, buf, sizeof(buf), 2000), 3);
		begin();
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(1));
		apply();
		assert_int_equal(netlab_write(fd, "two", 3), 3);
		assert_true(netlab_ping(NETLAB_CLIENT, NETLAB_SERVER, s.family, 2000));
		assert_int_equal(netlab_read(server, buf, sizeof(buf), 0), -ETIMEDOUT);
		(void)close(fd);
		(void)close(server);
	}
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft delete table inet blind"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(fragments, after),
		cmocka_unit_test_teardown(fragments_under_a_contract, after),
		cmocka_unit_test_teardown(untracked, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
