// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_contract.c - flows whose protocol decides
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

/* ---- contracts ---- */

static void contract_allows(void **state)
{
	(void)state;
	http_only();
	teller_start(QUEUE, 2);
	BOTH
	{
		struct conn c = open_conn(8001);
		struct teller_seen t;

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
		no_log();
	}
}

static void contract_refuses_and_resets(void **state)
{
	(void)state;
	http_only();
	teller_start(QUEUE, 2);
	BOTH
	{
		struct conn c = open_conn(8001);
		struct bh_kernel_counters before, after;
		struct bh_err err = { .code = 0 };

		no_error(bh_kernel_counters(s.k, &before, &err), &err);
		carries(c.client, c.server, "MORE");
		assert_int_equal(netlab_write(c.client, "SSH-2.0", 7), 7);
		assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
		assert_int_equal(netlab_end_of(c.server, 2000), -ECONNRESET);
		no_error(bh_kernel_counters(s.k, &after, &err), &err);
		assert_int_equal(after.killed - before.killed, 1);
		assert_true(after.queued - before.queued >= 2);
		close_conn(&c);

		/* By the server's first word, too. */
		c = open_conn(8001);
		assert_int_equal(netlab_write(c.server, "SSH-2.0", 7), 7);
		assert_int_equal(netlab_end_of(c.server, 2000), -ECONNRESET);
		assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
		close_conn(&c);
	}
}

/* Mode monitor, mode learn: what is spoken is of interest, and nobody is in its way. */
static void open_contract(void **state)
{
	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		struct bh_kernel_counters before, after;
		struct bh_err err = { .code = 0 };
		struct conn old, c;

		s.family = family;
		begin();
		apply();
		old = open_conn(8001);
		carries(old.client, old.server, "one");

		begin();
		hand_contract(s.h, 1, BH_PROTO_HTTP, ALLOW(10), ALLOW(11) | BH_WORD_REPORT);
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, CONTRACT(1) | BH_WORD_OPEN);
		teller_start(QUEUE, 2);
		(void)teller_seen();
		apply();
		/* It was there before, and what it speaks nobody will know. */
		no_error(bh_kernel_counters(s.k, &before, &err), &err);
		carries(old.client, old.server, "two");
		carries(old.server, old.client, "three");
		no_error(bh_kernel_counters(s.k, &after, &err), &err);
		assert_int_equal(after.unwatched - before.unwatched, 1);
		/* Not even its beginning was seen. */
		assert_int_equal(netlab_run(NETLAB_ROUTER, "conntrack -F 2>/dev/null"), 0);
		carries(old.client, old.server, "four");
		carries(old.server, old.client, "five");
		assert_int_equal(teller_seen().packets, 0);
		close_conn(&old);

		c = open_conn(8002);
		carries(c.client, c.server, "GET /");
		assert_int_equal(teller_seen().results, 1);
		carries(c.server, c.client, "more");
		close_conn(&c);
		c = open_conn(8002);
		carries(c.client, c.server, "SSH-2.0");
		assert_int_equal(teller_seen().results, 1);
		carries(c.server, c.client, "SSH-2.0");
		close_conn(&c);
		no_log();
		teller_stop();
	}
}

/* That a contract calls itself open is no reason to let pass what it can refuse. */
static void open_by_name_only(void **state)
{
	(void)state;
	begin();
	hand_contract(s.h, 1, BH_PROTO_HTTP, ALLOW(10), DROP(11));
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, CONTRACT(1) | BH_WORD_OPEN);
	apply();
	teller_start(QUEUE, 2);
	BOTH
	{
		struct conn c = open_conn(8001);

		assert_int_equal(netlab_write(c.client, "SSH-2.0", 7), 7);
		assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
		close_conn(&c);
		c = open_conn(8001);
		assert_int_equal(netlab_run(NETLAB_ROUTER, "conntrack -F 2>/dev/null"), 0);
		assert_int_equal(netlab_write(c.client, "GET /", 5), 5);
		refused_by(0, BH_DIR_INGRESS, 'm', 0);
		s.read = s.n_logs;
		close_conn(&c);
	}
}

static void contract_over_udp(void **state)
{
	(void)state;
	http_only();
	teller_start(QUEUE, 2);
	BOTH
	{
		int server = netlab_serve(NETLAB_SERVER, s.family, SOCK_DGRAM, 8001);
		int fd =
		    netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_DGRAM, 8001, 0);
		char buf[16];
		int r;

		assert_int_equal(netlab_write(fd, "GET", 3), 3);
		assert_int_equal(netlab_read(server, buf, sizeof(buf), 2000), 3);
		(void)teller_seen();
		assert_int_equal(netlab_write(fd, "SSH-", 4), 4);
		assert_int_equal(netlab_read(server, buf, sizeof(buf), 2000), 4);
		assert_int_equal(teller_seen().packets, 0);
		(void)close(fd);

		fd = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_DGRAM, 8001, 0);
		assert_int_equal(netlab_write(fd, "SSH-", 4), 4);
		r = netlab_end_of(fd, 2000);
		assert_true(r == -EHOSTUNREACH || r == -EACCES);
		assert_int_equal(netlab_read(server, buf, sizeof(buf), 0), -ETIMEDOUT);
		(void)close(fd);
		(void)close(server);
	}
}

/* Nobody answers: nothing passes, and nothing is lost once somebody does. */
static void without_a_worker_nothing_passes(void **state)
{
	(void)state;
	http_only();
	BOTH
	{
		int listener = netlab_serve(NETLAB_SERVER, s.family, SOCK_STREAM, 8001);
		int client = connect_to(8001, 2000), server;
		char buf[16];

		assert_true(client >= 0); /* the handshake says nothing yet */
		assert_int_equal(netlab_write(client, "GET /", 5), 5);
		server = netlab_accept(listener, 100);
		if (server >= 0)
			assert_int_equal(netlab_read(server, buf, sizeof(buf), 100), -ETIMEDOUT);
		teller_start(QUEUE, 2);
		if (server < 0)
			server = netlab_accept(listener, 2000);
		assert_int_equal(netlab_read(server, buf, sizeof(buf), 5000), 5);
		teller_stop();
		(void)close(client);
		(void)close(server);
		(void)close(listener);
	}
}

static void confirming_asks_for_acknowledgements(void **state)
{
	(void)state;
	http_only();
	teller_start(QUEUE, 2);
	BOTH
	{
		struct conn c = open_conn(8001);
		bh_msec_t end = bh_clock_now() + 2000;
		struct teller_seen t = { .bare = 0 };

		carries(c.client, c.server, "CONFIRM");
		while (t.confirm == 0 && bh_clock_now() < end) {
			struct teller_seen more = teller_seen();

			t.bare += more.bare;
			t.confirm += more.confirm;
		}
		assert_true(t.confirm >= 1); /* the server's acknowledgement */
		carries(c.client, c.server, "GET /");
		close_conn(&c);
	}
}

static void fast_open(int mode)
{
	assert_int_equal(netlab_run(NETLAB_CLIENT, "sysctl -qw net.ipv4.tcp_fastopen=%d", mode), 0);
}

static int connect_fast(uint16_t port, const char *text)
{
	int fd = netlab_socket(NETLAB_CLIENT, s.family, SOCK_STREAM);
	socklen_t len;
	struct sockaddr_storage to = netlab_sockaddr(NETLAB_SERVER, s.family, port, &len);

	if (sendto(fd, text, strlen(text), MSG_FASTOPEN, (void *)&to, len) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

/* The TCP header of the next SYN that a capture shows; options behind it. */
static const uint8_t *next_syn(int capture, uint16_t port, uint8_t *buf, size_t size)
{
	for (;;) {
		int n = netlab_read(capture, buf, size, 2000);
		size_t head = buf[0] >> 4 == 4 ? (buf[0] & 15U) * 4U : 40;
		uint8_t l4 = buf[0] >> 4 == 4 ? buf[9] : buf[6];

		if (n < 0)
			fail_msg("no SYN arrives");
		if ((size_t)n >= head + 20 && l4 == BH_L4_TCP && (buf[head + 13] & 0x12) == 0x02 &&
		    (buf[head + 2] << 8 | buf[head + 3]) == port)
			return &buf[head];
	}
}

static bool has_option(const uint8_t *tcp, uint8_t kind)
{
	size_t end = (tcp[12] >> 4) * 4U;

	for (size_t i = 20; i < end && tcp[i] != 0; i += tcp[i] == 1 ? 1 : tcp[i + 1])
		if (tcp[i] == kind || (tcp[i] != 1 && tcp[i + 1] < 2))
			return true;
	return false;
}

/* What splits a stream over other packets than those that are judged is not offered to the server. */
static void syn_options_are_reset(void **state)
{
	uint8_t buf[2048];
	int capture;

	(void)state;
	http_only();
	fast_open(1); /* asks for a cookie */
	capture = netlab_capture(NETLAB_SERVER);
	BOTH
	{
		int fd = connect_fast(8001, "GET /");

		assert_false(has_option(next_syn(capture, 8001, buf, sizeof(buf)), 34));
		(void)close(fd);
	}
	begin();
	apply();
	BOTH
	{
		int fd = connect_fast(8001, "GET /");

		assert_true(has_option(next_syn(capture, 8001, buf, sizeof(buf)), 34));
		(void)close(fd);
	}
	(void)close(capture);
}

static void data_in_a_syn_is_refused(void **state)
{
	(void)state;
	http_only();
	teller_start(QUEUE, 2);
	fast_open(5); /* data without a cookie */
	BOTH
	{
		int listener = netlab_serve(NETLAB_SERVER, s.family, SOCK_STREAM, 8001);
		int fd = connect_fast(8001, "GET /"), server;
		char text[16];

		refused_by(0, 0, 'm', 0);
		/* The client sends it again behind a plain handshake, and there it is judged. */
		server = netlab_accept(listener, 5000);
		assert_true(server >= 0);
		assert_int_equal(netlab_read(server, text, sizeof(text), 2000), 5);
		assert_int_equal(teller_seen().results, 1);
		(void)close(fd);
		(void)close(server);
		(void)close(listener);
	}
	fast_open(1);
}

static void nat_on(void)
{
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft -f - <<'E'\n"
						   "table inet nat {\n"
						   "chain pre {\n"
						   " type nat hook prerouting priority dstnat\n"
						   " ip daddr 10.71.9.9 dnat ip to 10.71.2.2\n"
						   " ip6 daddr fd71:9::9 dnat ip6 to fd71:2::2\n"
						   "}\n"
						   "chain post {\n"
						   " type nat hook postrouting priority srcnat\n"
						   " oifname r1 masquerade\n"
						   "}\n"
						   "}\nE\n"),
			 0);
}

static struct conn open_vip(uint16_t port)
{
	struct conn c;

	c.listener = netlab_serve(NETLAB_SERVER, s.family, SOCK_STREAM, port);
	c.client = netlab_connect(NETLAB_CLIENT, NETLAB_VIP, s.family, SOCK_STREAM, port, 2000);
	if (c.client < 0)
		fail_msg("%s", strerror(-c.client));
	c.server = netlab_accept(c.listener, 2000);
	assert_true(c.server >= 0);
	return c;
}

static void address_translation(void **state)
{
	(void)state;
	nat_on();
	teller_start(QUEUE, 2);
	BOTH
	{
		struct conn c;

		/* Peer and subject are the real ends. */
		begin();
		hand_contract(s.h, 1, BH_PROTO_HTTP, ALLOW(10), DROP(11));
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		in_cell(CLIENT, BH_L4_ANY, BH_PORT_ANY, DROP(2));
		in_cell(CLIENT, BH_L4_TCP, 8001, CONTRACT(1));
		in_cell(CLIENT, BH_L4_TCP, 8002, ALLOW(3));
		apply();
		c = open_vip(8001);
		carries(c.client, c.server, "GET /");
		carries(c.server, c.client, "HTTP");
		close_conn(&c);
		c = open_vip(8001);
		assert_int_equal(netlab_write(c.client, "SSH-2.0", 7), 7);
		assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
		assert_int_equal(netlab_end_of(c.server, 2000), -ECONNRESET);
		close_conn(&c);
		c = open_vip(8001);
		assert_int_equal(netlab_write(c.server, "SSH-2.0", 7), 7);
		assert_int_equal(netlab_end_of(c.client, 2000), -ECONNRESET);
		assert_int_equal(netlab_end_of(c.server, 2000), -ECONNRESET);
		close_conn(&c);

		/* A change cuts it, whoever speaks first. */
		c = open_vip(8002);
		carries(c.client, c.server, "one");
		begin();
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(2));
		apply();
		assert_int_equal(netlab_write(c.server, "two", 3), 3);
		refused_by(2, BH_DIR_INGRESS, 'c', 0);
		assert_int_equal(netlab_end_of(c.client, 3000), -ECONNRESET);
		assert_int_equal(netlab_end_of(c.server, 3000), -ECONNRESET);
		close_conn(&c);
	}
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft delete table inet nat"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(contract_allows, after),
		cmocka_unit_test_teardown(contract_refuses_and_resets, after),
		cmocka_unit_test_teardown(open_contract, after),
		cmocka_unit_test_teardown(open_by_name_only, after),
		cmocka_unit_test_teardown(contract_over_udp, after),
		cmocka_unit_test_teardown(without_a_worker_nothing_passes, after),
		cmocka_unit_test_teardown(confirming_asks_for_acknowledgements, after),
		cmocka_unit_test_teardown(syn_options_are_reset, after),
		cmocka_unit_test_teardown(data_in_a_syn_is_refused, after),
		cmocka_unit_test_teardown(address_translation, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
