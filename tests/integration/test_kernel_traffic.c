// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_traffic.c - what the rules in the kernel let through, and how they refuse
 *
 * Real packets of a client through a router to a server, IPv4 and IPv6, in network namespaces of this program's own
 * (root). The rule sets are made by hand; the worker is played by tests/lib/teller.c. Where a test says "nothing
 * comes", it waits for the report of the refusal and not for time to pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/kernel_scene.h"

static void no_policy_allows(void **state)
{
	(void)state;
	begin();
	apply();
	BOTH allowed(8001);
}

static void isolated_is_dropped(void **state)
{
	(void)state;
	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(7));
	apply();
	BOTH
	{
		dropped(8001, 7);
		assert_false(netlab_ping(NETLAB_CLIENT, NETLAB_SERVER, s.family, 50));
		refused_by(7, BH_DIR_INGRESS, 'p', BH_WORD_DROP);
		/* The other way round nobody isolates. */
		assert_true(netlab_ping(NETLAB_SERVER, NETLAB_CLIENT, s.family, 2000));
	}
}

static void port_of_a_class(void **state)
{
	(void)state;
	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	in_cell(CLIENT, BH_L4_ANY, BH_PORT_ANY, DROP(2));
	in_cell(CLIENT, BH_L4_TCP, 8001, ALLOW(3));
	apply();
	BOTH
	{
		allowed(8001);
		dropped(8002, 2);
	}
}

static void rejected_at_once(void **state)
{
	(void)state;
	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, REJECT(9));
	apply();
	BOTH
	{
		struct bh_refused last;
		int fd, r;

		assert_int_equal(connect_to(8001, 2000), -ECONNREFUSED);
		refused_by(9, BH_DIR_INGRESS, 'p', BH_WORD_REJECT);
		last = s.logs[s.read - 1];
		assert_int_equal(last.dport, 8001);
		assert_int_equal(last.hook, 2);
		assert_true(last.iif > 0 && last.oif > 0 && last.iif != last.oif);

		fd = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_DGRAM, 8001, 0);
		assert_int_equal(netlab_write(fd, "x", 1), 1);
		refused_by(9, BH_DIR_INGRESS, 'p', BH_WORD_REJECT);
		r = netlab_end_of(fd, 2000);
		assert_true(r == -EHOSTUNREACH || r == -EACCES);
		(void)close(fd);
	}
}

/* Of each kind one packet is reported, and none is lost, however many come. */
static void a_flood_is_counted(void **state)
{
	const struct {
		int type;
		uint32_t word;
	} floods[] = { { SOCK_DGRAM, BH_WORD_DROP }, { SOCK_DGRAM, BH_WORD_REJECT } };

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(floods); i++)
		BOTH
		{
			struct bh_kernel_counters before, after;
			struct bh_err err = { .code = 0 };
			uint64_t sum = 0;

			begin();
			in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, floods[i].word | 9);
			apply();
			no_error(bh_kernel_counters(s.k, &before, &err), &err);
			for (unsigned k = 0; k < 1000; k++) {
				/* A new socket each: 1000 source ports, two destination ports. */
				int fd =
				    netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family,
						   floods[i].type, (uint16_t)(9000 + k % 2), 0);

				assert_int_equal(netlab_write(fd, "flood", 5), 5);
				(void)close(fd);
			}
			netlab_icmp(NETLAB_CLIENT, NETLAB_SERVER, s.family, s.family == 4 ? 8 : 128,
				    0, 0);
			netlab_icmp(NETLAB_CLIENT, NETLAB_SERVER, s.family, s.family == 4 ? 8 : 128,
				    0, 0);
			no_error(bh_kernel_counters(s.k, &after, &err), &err);
			assert_int_equal(after.refused - before.refused, 1002);
			for (int k = 0; k < 3; k++)
				(void)next_log();
			assert_int_equal(s.n_logs, 3);
			take_told();
			assert_int_equal(s.n_told, 3);
			for (size_t k = 0; k < s.n_told; k++) {
				const struct bh_refused *t = &s.told[k], *same = NULL;

				for (size_t n = 0; n < s.n_logs; n++)
					if (s.logs[n].l4 == t->l4 && s.logs[n].dport == t->dport)
						same = &s.logs[n];
				assert_non_null(same);
				assert_true(bh_addr_eq(&same->src, &t->src) &&
					    bh_addr_eq(&same->dst, &t->dst));
				assert_int_equal(t->reason, 9);
				assert_int_equal(t->word, floods[i].word);
				assert_int_equal(t->epoch, bh_kernel_epoch(s.k));
				assert_int_equal(t->dir, BH_DIR_INGRESS);
				sum += s.n_of[k];
			}
			assert_int_equal(sum, 999);
			/* What is taken is taken. */
			take_told();
			assert_int_equal(s.n_told, 0);
		}
}

static void egress_of_the_client(void **state)
{
	(void)state;
	begin();
	hand_cell(s.h, BH_DIR_EGRESS, CLIENT, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(4));
	hand_cell(s.h, BH_DIR_EGRESS, CLIENT, SERVER, BH_L4_ANY, BH_PORT_ANY, DROP(5));
	hand_cell(s.h, BH_DIR_EGRESS, CLIENT, SERVER, BH_L4_TCP, 8001, ALLOW(6));
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(8));
	apply();
	BOTH
	{
		allowed(8001);
		assert_int_equal(connect_to(8002, 50), -ETIMEDOUT);
		refused_by(5, BH_DIR_EGRESS, 'p', BH_WORD_DROP);
		s.read = s.n_logs;
	}
	/* Either refusal refuses. */
	begin();
	hand_cell(s.h, BH_DIR_EGRESS, CLIENT, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(4));
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(8));
	apply();
	BOTH dropped(8001, 8);
}

static void any_endpoint(void **state)
{
	(void)state;
	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	in_cell(BH_PEER_ANY_ENDPOINT, BH_L4_ANY, BH_PORT_ANY, DROP(2));
	in_cell(BH_PEER_ANY_ENDPOINT, BH_L4_TCP, 8001, ALLOW(3));
	apply();
	BOTH
	{
		allowed(8001);
		dropped(8002, 2);
	}
	begin_outside();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	in_cell(BH_PEER_ANY_ENDPOINT, BH_L4_ANY, BH_PORT_ANY, ALLOW(2));
	apply();
	BOTH dropped(8001, 1);
}

static void lan(uint32_t word)
{
	hand_cidr(s.h, "10.71.0.0/16", LAN);
	hand_cidr(s.h, "fd71::/16", LAN);
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	in_cell(LAN, BH_L4_ANY, BH_PORT_ANY, word);
}

static void cidr_and_world(void **state)
{
	(void)state;
	begin_outside();
	lan(DROP(2));
	in_cell(LAN, BH_L4_TCP, 8001, ALLOW(3));
	apply();
	BOTH
	{
		allowed(8001);
		dropped(8002, 2);
	}
	/* An endpoint goes by its class, not by the address block that it lies in. */
	begin();
	lan(ALLOW(2));
	in_cell(BH_PEER_ANY_ENDPOINT, BH_L4_ANY, BH_PORT_ANY, DROP(4));
	apply();
	BOTH dropped(8001, 4);
	begin();
	lan(ALLOW(2));
	apply();
	BOTH dropped(8001, 1);
	/* What is in no block is the world. */
	begin_outside();
	hand_cidr(s.h, "192.168.0.0/16", LAN);
	hand_cidr(s.h, "fd00:1::/32", LAN);
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	in_cell(LAN, BH_L4_ANY, BH_PORT_ANY, DROP(2));
	in_cell(BH_CLASS_WORLD, BH_L4_ANY, BH_PORT_ANY, ALLOW(3));
	apply();
	BOTH allowed(8001);
}

static void ranges_and_protocols(void **state)
{
	(void)state;
	begin();
	hand_range(s.h, BH_L4_TCP, BH_PORT_PIECE_BASE + 5, 8000, 8009);
	hand_range(s.h, BH_L4_UDP, BH_PORT_PIECE_BASE + 6, 8000, 8009);
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	in_cell(BH_PEER_ANY, BH_L4_TCP, BH_PORT_PIECE_BASE + 5, ALLOW(2));
	in_cell(BH_PEER_ANY, BH_L4_TCP, 8005, DROP(3));
	in_cell(BH_PEER_ANY, s.family == 6 ? BH_L4_ICMPV6 : BH_L4_ICMP, BH_PORT_ANY, ALLOW(4));
	in_cell(BH_PEER_ANY, s.family == 6 ? BH_L4_ICMP : BH_L4_ICMPV6, BH_PORT_ANY, ALLOW(4));
	in_cell(BH_PEER_ANY, BH_L4_UDP, BH_PORT_ANY, DROP(5));
	in_cell(BH_PEER_ANY, BH_L4_UDP, BH_PORT_PIECE_BASE + 6, ALLOW(6));
	apply();
	BOTH
	{
		int fd, server;
		char c;

		allowed(8000);
		allowed(8009);
		dropped(7999, 1);
		dropped(8010, 1);
		dropped(8005, 3);
		assert_true(netlab_ping(NETLAB_CLIENT, NETLAB_SERVER, s.family, 2000));

		server = netlab_serve(NETLAB_SERVER, s.family, SOCK_DGRAM, 8003);
		fd = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_DGRAM, 8003, 0);
		assert_int_equal(netlab_write(fd, "x", 1), 1);
		assert_int_equal(netlab_read(server, &c, 1, 2000), 1);
		(void)close(fd);
		fd = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_DGRAM, 9003, 0);
		assert_int_equal(netlab_write(fd, "x", 1), 1);
		refused_by(5, BH_DIR_INGRESS, 'p', BH_WORD_DROP);
		(void)close(fd);
		(void)close(server);
	}
}

/* Which messages: a question that Linux answers, and another one that conntrack follows. */
#define ECHO  (s.family == 4 ? 8 : 128)
#define OTHER (s.family == 4 ? 13 : 139) /* timestamp; node information */

static void icmp_cell(uint8_t type4, uint8_t type6, uint32_t word)
{
	in_cell(BH_PEER_ANY, BH_L4_ICMP, (uint32_t)type4 << 8, word);
	in_cell(BH_PEER_ANY, BH_L4_ICMPV6, (uint32_t)type6 << 8, word);
}

static void icmp_dropped(uint16_t code, uint32_t reason)
{
	refused_by(reason, BH_DIR_INGRESS, 'p', BH_WORD_DROP);
	assert_int_equal(s.logs[s.read - 1].l4, s.family == 4 ? BH_L4_ICMP : BH_L4_ICMPV6);
	assert_int_equal(s.logs[s.read - 1].dport, code);
	s.read = s.n_logs;
}

/* A message of that type comes to the server. */
static void icmp_arrives(uint8_t type)
{
	int fd = netlab_capture(NETLAB_SERVER);
	size_t at = s.family == 4 ? 20 : 40;
	uint8_t in[512];
	int n;

	netlab_icmp(NETLAB_CLIENT, NETLAB_SERVER, s.family, type, 0, 0);
	do {
		n = netlab_read(fd, in, sizeof(in), 2000);
		if (n < 0)
			fail_msg("type %u does not arrive: %d", type, n);
	} while (in[0] >> 4 != s.family || (size_t)n <= at || in[at] != type);
	(void)close(fd);
}

static void types_of_icmp(void **state)
{
	(void)state;
	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	icmp_cell(8, 128, ALLOW(2));
	in_cell(BH_PEER_ANY, BH_L4_TCP, 8001, ALLOW(3));
	apply();
	BOTH
	{
		assert_true(netlab_ping(NETLAB_CLIENT, NETLAB_SERVER, s.family, 2000));
		no_log();
		netlab_icmp(NETLAB_CLIENT, NETLAB_SERVER, s.family, (uint8_t)OTHER, 0, 0);
		icmp_dropped((uint16_t)(OTHER << 8), 1);
		/* Another code is another message. */
		netlab_icmp(NETLAB_CLIENT, NETLAB_SERVER, s.family, (uint8_t)ECHO, 1, 0);
		icmp_dropped((uint16_t)(ECHO << 8 | 1), 1);
		/* A checksum in the place of a port opens nothing. */
		netlab_icmp(NETLAB_CLIENT, NETLAB_SERVER, s.family, (uint8_t)OTHER, 0,
			    (uint16_t)(ECHO << 8));
		icmp_dropped((uint16_t)(OTHER << 8), 1);
		netlab_icmp(NETLAB_CLIENT, NETLAB_SERVER, s.family, (uint8_t)OTHER, 0, 8001);
		icmp_dropped((uint16_t)(OTHER << 8), 1);
		allowed(8001);
	}
	/* Every code of a type, and the rest passes. */
	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(4));
	hand_range(s.h, BH_L4_ICMP, BH_PORT_PIECE_BASE + 1, 8 << 8, 8 << 8 | 255);
	hand_range(s.h, BH_L4_ICMPV6, BH_PORT_PIECE_BASE + 2, 128 << 8, 128 << 8 | 255);
	in_cell(BH_PEER_ANY, BH_L4_ICMP, BH_PORT_PIECE_BASE + 1, DROP(5));
	in_cell(BH_PEER_ANY, BH_L4_ICMPV6, BH_PORT_PIECE_BASE + 2, DROP(5));
	apply();
	BOTH
	{
		netlab_icmp(NETLAB_CLIENT, NETLAB_SERVER, s.family, (uint8_t)ECHO, 3, 0);
		icmp_dropped((uint16_t)(ECHO << 8 | 3), 5);
		icmp_arrives((uint8_t)OTHER);
		no_log();
		/* Questions of the server, and their answers. */
		assert_true(netlab_ping(NETLAB_SERVER, NETLAB_CLIENT, s.family, 2000));
	}
}

/* A ping that runs, by the type that conntrack remembers: in either direction. */
static void types_of_icmp_again(void **state)
{
	(void)state;
	/* Pings of another test are the same flow. */
	assert_int_equal(netlab_run(NETLAB_ROUTER, "conntrack -F 2>/dev/null"), 0);
	for (int round = 0; round < 2; round++) {
		begin();
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		in_cell(BH_PEER_ANY, BH_L4_TCP, 8001, CONTRACT(1));
		hand_contract(s.h, 1, BH_PROTO_HTTP, ALLOW(6), DROP(7));
		icmp_cell(8, 128, ALLOW(2) | BH_WORD_REPORT);
		apply();
		BOTH
		{
			assert_true(netlab_ping(NETLAB_CLIENT, NETLAB_SERVER, s.family, 2000));
			if (round == 0)
				refused_by(2, BH_DIR_INGRESS, 'p', BH_WORD_ALLOW | BH_WORD_REPORT);
		}
		begin();
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(4));
		icmp_cell(8, 128, DROP(5));
		apply();
		BOTH
		{
			assert_false(netlab_ping(NETLAB_CLIENT, NETLAB_SERVER, s.family, 50));
			refused_by(5, BH_DIR_INGRESS, 'c', 0);
			assert_int_equal(s.logs[s.read - 1].dport, ECHO << 8);
			assert_false(netlab_ping(NETLAB_CLIENT, NETLAB_SERVER, s.family, 50));
			s.read = s.n_logs;
		}
	}
}

/* Monitor mode, alert, log: it passes, and its first packet is reported. */
static void allowed_and_recorded(void **state)
{
	(void)state;
	begin();
	hand_cell(s.h, BH_DIR_EGRESS, CLIENT, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY,
		  ALLOW(21) | BH_WORD_REPORT);
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(22) | BH_WORD_REPORT);
	in_cell(CLIENT, BH_L4_ANY, BH_PORT_ANY, ALLOW(23) | BH_WORD_REPORT);
	in_cell(CLIENT, BH_L4_TCP, 8002, ALLOW(24));
	apply();
	BOTH
	{
		struct conn c = open_conn(8001);
		struct bh_err err = { .code = 0 };

		refused_by(23, BH_DIR_INGRESS, 'p', BH_WORD_ALLOW | BH_WORD_REPORT);
		assert_int_equal(s.logs[s.read - 1].dport, 8001);
		refused_by(21, BH_DIR_EGRESS, 'p', BH_WORD_ALLOW | BH_WORD_REPORT);
		/* Once, also when it is decided again. */
		carries(c.client, c.server, "one");
		no_error(bh_kernel_bump(s.k, &err), &err);
		carries(c.client, c.server, "two");
		no_log();
		close_conn(&c);

		c = open_conn(8002);
		refused_by(21, BH_DIR_EGRESS, 'p', BH_WORD_ALLOW | BH_WORD_REPORT);
		no_log();
		close_conn(&c);
	}
}

/* ---- quarantine, guard ---- */

static void quarantine_drops_everything(void **state)
{
	struct bh_kernel_counters before, after;
	struct bh_err err = { .code = 0 };

	(void)state;
	begin();
	apply();
	no_error(bh_kernel_counters(s.k, &before, &err), &err);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "ip link set r0 group %d", QUARANTINE), 0);
	BOTH
	{
		/* Through, to the node itself, and from it. */
		assert_int_equal(connect_to(8001, 50), -ETIMEDOUT);
		refused_by(0, 0, 'q', 0);
		assert_false(netlab_ping(NETLAB_SERVER, NETLAB_CLIENT, s.family, 50));
		refused_by(0, 0, 'q', 0);
		assert_false(netlab_ping(NETLAB_ROUTER, NETLAB_CLIENT, s.family, 50));
		refused_by(0, 0, 'q', 0);
		s.read = s.n_logs;
	}
	no_error(bh_kernel_counters(s.k, &after, &err), &err);
	assert_true(after.quarantined - before.quarantined >= 6);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "ip link set r0 group default"), 0);
	BOTH allowed(8001);
}

static void managed_links_cannot_lie(void **state)
{
	struct bh_kernel_counters before, after;
	struct bh_err err = { .code = 0 };

	(void)state;
	begin();
	apply();
	assert_int_equal(netlab_run(NETLAB_ROUTER, "ip link set r0 group %d", MANAGED), 0);
	assert_int_equal(
	    netlab_run(
		NETLAB_CLIENT,
		"ip addr add 10.99.0.1/32 dev c0 && ip -6 addr add fd99::1/128 dev c0 nodad"),
	    0);
	BOTH
	{
		int fd = netlab_socket(NETLAB_CLIENT, s.family, SOCK_DGRAM);
		socklen_t len;
		struct sockaddr_storage to = netlab_sockaddr(NETLAB_SERVER, s.family, 8001, &len);
		struct sockaddr_in v4 = { .sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(0x0a630001) };
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
					   .sin6_addr.s6_addr = { 0xfd, 0x99, [15] = 1 } };

		allowed(8001);
		no_error(bh_kernel_counters(s.k, &before, &err), &err);
		assert_int_equal(s.family == 4 ? bind(fd, (void *)&v4, sizeof(v4))
					       : bind(fd, (void *)&v6, sizeof(v6)),
				 0);
		assert_int_equal(sendto(fd, "x", 1, 0, (void *)&to, len), 1);
		refused_by(0, 0, 's', 0);
		no_error(bh_kernel_counters(s.k, &after, &err), &err);
		assert_int_equal(after.spoofed - before.spoofed, 1);
		(void)close(fd);
	}
	assert_int_equal(netlab_run(NETLAB_ROUTER, "ip link set r0 group default"), 0);
	assert_int_equal(
	    netlab_run(NETLAB_CLIENT,
		       "ip addr del 10.99.0.1/32 dev c0 && ip -6 addr del fd99::1/128 dev c0"),
	    0);
}

/* A connection that goes on with the same ports under another endpoint's name must not. */
static void forgotten_connections(void **state)
{
	(void)state;
	begin();
	apply();
	BOTH
	{
		struct bh_err err = { .code = 0 };
		struct conn c = open_conn(8001);
		struct bh_addr a;

		carries(c.client, c.server, "one");
		assert_int_equal(bh_addr_parse(netlab_addr(NETLAB_CLIENT, s.family), &a), 0);
		assert_int_equal(
		    netlab_run(NETLAB_ROUTER,
			       "conntrack -L -f ipv%d 2>/dev/null | grep -q dport=8001", s.family),
		    0);
		no_error(bh_kernel_flush_conntrack(s.k, &a, &err), &err);
		assert_int_not_equal(
		    netlab_run(NETLAB_ROUTER,
			       "conntrack -L -f ipv%d 2>/dev/null | grep -q 'src=%s .*dport=8001'",
			       s.family, netlab_addr(NETLAB_CLIENT, s.family)),
		    0);
		close_conn(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(no_policy_allows, after),
		cmocka_unit_test_teardown(isolated_is_dropped, after),
		cmocka_unit_test_teardown(port_of_a_class, after),
		cmocka_unit_test_teardown(rejected_at_once, after),
		cmocka_unit_test_teardown(a_flood_is_counted, after),
		cmocka_unit_test_teardown(egress_of_the_client, after),
		cmocka_unit_test_teardown(any_endpoint, after),
		cmocka_unit_test_teardown(cidr_and_world, after),
		cmocka_unit_test_teardown(ranges_and_protocols, after),
		cmocka_unit_test_teardown(types_of_icmp, after),
		cmocka_unit_test_teardown(types_of_icmp_again, after),
		cmocka_unit_test_teardown(allowed_and_recorded, after),
		cmocka_unit_test_teardown(quarantine_drops_everything, after),
		cmocka_unit_test_teardown(managed_links_cannot_lie, after),
		cmocka_unit_test_teardown(forgotten_connections, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
