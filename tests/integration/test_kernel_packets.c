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
#include <net/if.h>

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

/* What would be refused is not, if it goes from a container to itself: by a service's address, for example. */
static void to_oneself(void **state)
{
	char *text = netlab_output(NETLAB_CLIENT, "ip -br link show c0");
	struct bh_addr addrs[2];
	struct bh_guard g = {
		.ifindex = if_nametoindex("r0"), .routed = true, .addrs = addrs, .n_addrs = 2
	};

	(void)state;
	assert_non_null(text);
	assert_int_equal(sscanf(strstr(text, "UP"), "UP %hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &g.mac[0],
				&g.mac[1], &g.mac[2], &g.mac[3], &g.mac[4], &g.mac[5]),
			 6);
	free(text);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    bh_addr_parse(netlab_addr(NETLAB_CLIENT, i == 0 ? 4 : 6), &addrs[i]), 0);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft -f - <<'E'\n"
						   "table inet nat {\n"
						   "chain pre {\n"
						   " type nat hook prerouting priority dstnat\n"
						   " ip daddr 10.71.9.9 dnat ip to 10.71.1.2\n"
						   " ip6 daddr fd71:9::9 dnat ip6 to fd71:1::2\n"
						   "}\n"
						   "chain post {\n"
						   " type nat hook postrouting priority srcnat\n"
						   " oifname r0 masquerade\n"
						   "}\n"
						   "}\nE\n"),
			 0);
	for (int known = 0; known < 2; known++) {
		struct bh_err err = { .code = 0 };
		struct bh_kernel_change change;
		struct bh_ruleset *rs;

		g.has_mac = known;
		begin();
		hand_cell(s.h, BH_DIR_INGRESS, CLIENT, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY,
			  DROP(1));
		hand_cell(s.h, BH_DIR_EGRESS, CLIENT, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(2));
		rs = hand_ruleset(s.h, ++s.revision);
		no_error(bh_kernel_apply(s.k, rs, s.h->addrs, s.h->n_addrs, &g, 1, &change, &err),
			 &err);
		no_error(bh_kernel_bump(s.k, &err), &err);
		bh_ruleset_free(rs);
		hand_free(s.h);
		BOTH
		{
			struct conn c = { .listener = netlab_serve(NETLAB_CLIENT, s.family,
								   SOCK_STREAM, 8001) };

			c.client = netlab_connect(NETLAB_CLIENT, NETLAB_VIP, s.family, SOCK_STREAM,
						  8001, 2000);
			if (c.client < 0)
				fail_msg("%s", strerror(-c.client));
			c.server = netlab_accept(c.listener, 2000);
			carries(c.client, c.server, "GET /");
			no_error(bh_kernel_bump(s.k, &err), &err);
			carries(c.server, c.client, "HTTP");
			close_conn(&c);
			/* To somebody else, and from somebody else by the same address. */
			assert_int_equal(connect_to(8001, 50), -ETIMEDOUT);
			assert_int_equal(netlab_connect(NETLAB_SERVER, NETLAB_VIP, s.family,
							SOCK_STREAM, 8001, 50),
					 -ETIMEDOUT);
		}
	}
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft delete table inet nat"), 0);
	begin();
	apply();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(fragments, after),
		cmocka_unit_test_teardown(fragments_under_a_contract, after),
		cmocka_unit_test_teardown(untracked, after),
		cmocka_unit_test_teardown(to_oneself, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
