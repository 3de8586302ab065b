// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_contract.c - flows whose protocol decides, and flows that a change decides again
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
		cmocka_unit_test_teardown(policy_change_cuts, after),
		cmocka_unit_test_teardown(known_protocols_are_judged_again, after),
		cmocka_unit_test_teardown(unknown_flow_under_a_new_contract, after),
		cmocka_unit_test_teardown(answers_of_an_earlier_epoch, after),
		cmocka_unit_test_teardown(foreign_marks_are_kept, after),
		cmocka_unit_test_teardown(restored_mark_is_no_verdict, after),
		cmocka_unit_test_teardown(marks_of_answers_do_not_leave, after),
		cmocka_unit_test_teardown(address_translation, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
