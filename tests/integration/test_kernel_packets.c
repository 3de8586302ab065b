// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_packets.c - packets that are not plain: fragments, errors, without a connection, on the
 * ports of another connection, to oneself
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
	http_only();
	teller_start(QUEUE, 2);
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

static int path_mtu(int fd)
{
	int mtu = 0;
	socklen_t len = sizeof(mtu);

	assert_int_equal(getsockopt(fd, s.family == 4 ? IPPROTO_IP : IPPROTO_IPV6,
				    s.family == 4 ? IP_MTU : IPV6_MTU, &mtu, &len),
			 0);
	return mtu;
}

/* Behind the server's address another one, of a router on the way. */
static const char *router(void)
{
	return s.family == 4 ? "10.71.2.9" : "fd71:2::9";
}

static void tell_of_a_smaller_mtu(int fd, const char *who)
{
	struct sockaddr_storage me;
	socklen_t len = sizeof(me);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&me, &len), 0);
	assert_int_equal(path_mtu(fd), 1500);
	netlab_too_big(NETLAB_SERVER, who, NETLAB_CLIENT, s.family,
		       ntohs(((struct sockaddr_in *)&me)->sin_port), 8001, 1400);
}

static void hears_of_a_smaller_mtu(int fd)
{
	bh_msec_t end = bh_clock_now() + 2000;
	socklen_t len;
	int error;

	tell_of_a_smaller_mtu(fd, router());
	while (path_mtu(fd) != 1400 && bh_clock_now() < end)
		(void)poll(NULL, 0, 5);
	assert_int_equal(path_mtu(fd), 1400);
	/* The socket tells of it once. */
	len = sizeof(error);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
}

/* A message of that kind among all that the link has received. */
static bool received_error(int sniffer)
{
	uint8_t in[2048];
	bool found = false;
	int n;

	while ((n = netlab_read(sniffer, in, sizeof(in), 0)) > 0)
		found |= s.family == 4
			     ? n > 21 && in[0] >> 4 == 4 && in[9] == IPPROTO_ICMP && in[20] == 3
			     : n > 41 && in[0] >> 4 == 6 && in[6] == IPPROTO_ICMPV6 && in[40] == 2;
	return found;
}

static int routers_up(void **state)
{
	(void)state;
	return netlab_run(NETLAB_SERVER,
			  "ip addr add 10.71.2.9/24 dev s0 && "
			  "ip -6 addr add fd71:2::9/64 dev s0 nodad preferred_lft 0");
}

static int routers_down(void **state)
{
	return after(state) | netlab_run(NETLAB_SERVER, "ip addr del 10.71.2.9/24 dev s0; "
							"ip -6 addr del fd71:2::9/64 dev s0");
}

/* A router on the way says that packets are too large: a flow under inspection must hear of it, or it stalls. */
static void errors_that_size_packets(void **state)
{
	(void)state;
	http_only();
	teller_start(QUEUE, 2);
	BOTH
	{
		int server = netlab_serve(NETLAB_SERVER, s.family, SOCK_DGRAM, 8001), sniffer;
		int fd =
		    netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_DGRAM, 8001, 0);

		carries(fd, server, "MORE");
		/*
		 * A container is no router. What it quotes in such an error is for it to choose: that would pass
		 * where it may speak HTTP only.
		 */
		sniffer = netlab_capture(NETLAB_CLIENT);
		(void)teller_seen();
		tell_of_a_smaller_mtu(fd, NULL);
		assert_true(netlab_ping(NETLAB_ROUTER, NETLAB_CLIENT, s.family, 2000));
		assert_int_equal(path_mtu(fd), 1500);
		assert_false(received_error(sniffer));
		(void)close(sniffer);
		hears_of_a_smaller_mtu(fd);
		(void)close(fd);
		(void)close(server);
		assert_int_equal(netlab_run(NETLAB_CLIENT, "ip -%d route flush cache", s.family),
				 0);
	}
}

/* The first packet of a flow in a new epoch is an error about it: it is decided as the flow, not as ICMP. */
static void an_error_decides_as_its_flow(void **state)
{
	(void)state;
	BOTH
	{
		struct bh_err err = { .code = 0 };
		int server, fd;

		begin();
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		in_cell(BH_PEER_ANY, BH_L4_UDP, 8001, ALLOW(2));
		apply();
		server = netlab_serve(NETLAB_SERVER, s.family, SOCK_DGRAM, 8001);
		fd = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_DGRAM, 8001, 0);
		carries(fd, server, "one");
		no_error(bh_kernel_bump(s.k, &err), &err);
		hears_of_a_smaller_mtu(fd);
		carries(fd, server, "two");
		no_log();
		(void)close(fd);
		(void)close(server);
		assert_int_equal(netlab_run(NETLAB_CLIENT, "ip -%d route flush cache", s.family),
				 0);
	}
}

/* A connection from a port of our own choice. */
static struct conn open_from(uint16_t sport)
{
	struct conn c = { .listener = netlab_serve(NETLAB_SERVER, s.family, SOCK_STREAM, 8001) };
	socklen_t len;
	struct sockaddr_storage me = netlab_sockaddr(NETLAB_CLIENT, s.family, sport, &len);
	struct sockaddr_storage to = netlab_sockaddr(NETLAB_SERVER, s.family, 8001, &len);
	const int one = 1;
	int error = -1;

	c.client = netlab_socket(NETLAB_CLIENT, s.family, SOCK_STREAM);
	assert_int_equal(setsockopt(c.client, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(c.client, (struct sockaddr *)&me, len), 0);
	(void)connect(c.client, (struct sockaddr *)&to, len);
	c.server = netlab_accept(c.listener, 3000);
	len = sizeof(error);
	assert_int_equal(getsockopt(c.client, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	if (c.server < 0 || error != 0)
		fail_msg("port %u: %s", sport, strerror(error));
	return c;
}

/*
 * Conntrack keeps a connection that was reset, and takes the next one with the same ports for it if the reset came from
 * the other side. What was decided about the one says nothing about the other.
 */
static void the_same_ports_again(void **state)
{
	const struct linger at_once = { .l_onoff = 1 };

	(void)state;
	http_only();
	teller_start(QUEUE, 2);
	BOTH for (int told = 0; told < 2; told++)
	{
		uint16_t sport = (uint16_t)(40000 + told);
		struct conn c = open_from(sport);
		char buf[16];

		if (told) {
			carries(c.client, c.server, "GET /");
			assert_int_equal(
			    setsockopt(c.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
			    0);
			(void)close(c.server);
			assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
			(void)close(c.client);
			(void)close(c.listener);
			/* Allowed once is not allowed now. */
			c = open_from(sport);
			assert_int_equal(netlab_write(c.client, "SSH-2.0", 7), 7);
			assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
			assert_int_equal(netlab_read(c.server, buf, sizeof(buf), 2000),
					 -ECONNRESET);
		} else {
			assert_int_equal(netlab_write(c.client, "SSH-2.0", 7), 7);
			assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
			assert_int_equal(netlab_end_of(c.server, 2000), -ECONNRESET);
			close_conn(&c);
			/* Refused once is not refused now. */
			c = open_from(sport);
			carries(c.client, c.server, "GET /");
			carries(c.server, c.client, "HTTP");
		}
		close_conn(&c);
	}
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
		cmocka_unit_test_setup_teardown(errors_that_size_packets, routers_up, routers_down),
		cmocka_unit_test_setup_teardown(an_error_decides_as_its_flow, routers_up,
						routers_down),
		cmocka_unit_test_teardown(the_same_ports_again, after),
		cmocka_unit_test_teardown(to_oneself, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
