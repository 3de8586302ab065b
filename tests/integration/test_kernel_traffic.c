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

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/util.h"
#include "dataplane/kernel/kernel.h"
#include "dataplane/kernel/nflog.h"
#include "dataplane/marks.h"
#include "tests/lib/hand.h"
#include "tests/lib/netlab.h"
#include "tests/lib/teller.h"

#define TABLE      "bhk_traffic"
#define QUEUE      500
#define NFLOG      71
#define QUARANTINE 7101
#define MANAGED    7102

#define CLIENT HAND_EP(1)
#define SERVER HAND_EP(2)
#define LAN    2U /* class of 10.71.0.0/16 and fd71::/32 */

#define ALLOW(n)    (BH_WORD_ALLOW | (n))
#define DROP(n)     (BH_WORD_DROP | (n))
#define REJECT(n)   (BH_WORD_REJECT | (n))
#define CONTRACT(n) (BH_WORD_CONTRACT | (n))

#define LOGS_MAX 256

static struct scene {
	struct bh_kernel *k;
	struct bh_nflog *log;
	struct hand *h;
	uint64_t revision;
	struct bh_refused logs[LOGS_MAX];
	size_t n_logs, read;
	int family; /* 4, 6: of the test that runs */
} s;

static void no_error(int r, const struct bh_err *err)
{
	if (r != 0)
		fail_msg("%d: %s", r, err->msg);
}

static void must_start(void)
{
	const struct bh_kernel_config cfg = {
		.table = TABLE,
		.queue_base = QUEUE,
		.n_queues = 2,
		.nflog_group = NFLOG,
		.group_quarantine = QUARANTINE,
		.group_managed = MANAGED,
	};
	struct bh_err err = { .code = 0 };
	bool adopted;

	no_error(bh_kernel_open(&cfg, &s.k, &err), &err);
	no_error(bh_kernel_start(s.k, &adopted, &err), &err);
}

static int group_up(void **state)
{
	struct bh_err err = { .code = 0 };
	char prefix[32];

	(void)state;
	(void)snprintf(prefix, sizeof(prefix), "bhk-%d", getpid());
	netlab_up(prefix);
	must_start();
	no_error(bh_nflog_open(NFLOG, &s.log, &err), &err);
	return 0;
}

static int group_down(void **state)
{
	struct bh_err err = { .code = 0 };

	(void)state;
	no_error(bh_kernel_teardown(s.k, &err), &err);
	s.k = bh_kernel_close(s.k);
	s.log = bh_nflog_close(s.log);
	netlab_down();
	return 0;
}

static int after(void **state)
{
	(void)state;
	netlab_close_all();
	teller_stop();
	return 0;
}

/* ---- rules ---- */

static void keep_log(void *arg, const struct bh_refused *r)
{
	(void)arg;
	if (s.n_logs < LOGS_MAX)
		s.logs[s.n_logs++] = *r;
}

static void read_logs(void)
{
	uint64_t lost;

	assert_int_equal(bh_nflog_read(s.log, keep_log, NULL, &lost), 0);
	assert_int_equal(lost, 0);
}

/* Both ends are endpoints, known by their addresses of both families. */
static void begin(void)
{
	s.h = hand_new();
	for (int family = 4; family <= 6; family += 2) {
		hand_addr(s.h, netlab_addr(NETLAB_CLIENT, family), CLIENT, true);
		hand_addr(s.h, netlab_addr(NETLAB_SERVER, family), SERVER, true);
	}
}

/* The client is nobody's endpoint. */
static void begin_outside(void)
{
	s.h = hand_new();
	for (int family = 4; family <= 6; family += 2)
		hand_addr(s.h, netlab_addr(NETLAB_SERVER, family), SERVER, true);
}

static void in_cell(uint32_t peer, uint8_t l4, uint32_t port, uint32_t word)
{
	hand_cell(s.h, BH_DIR_INGRESS, SERVER, peer, l4, port, word);
}

static struct bh_kernel_change apply(void)
{
	struct bh_err err = { .code = 0 };
	struct bh_kernel_change change;
	struct bh_ruleset *rs = hand_ruleset(s.h, ++s.revision);

	no_error(bh_kernel_apply(s.k, rs, s.h->addrs, s.h->n_addrs, &change, &err), &err);
	if (change.needs_bump)
		no_error(bh_kernel_bump(s.k, &err), &err);
	bh_ruleset_free(rs);
	hand_free(s.h);
	s.h = NULL;
	/* What was refused before belongs to another test. */
	read_logs();
	s.n_logs = s.read = 0;
	return change;
}

/* The next report, within two seconds. */
static const struct bh_refused *next_log(void)
{
	bh_msec_t end = bh_clock_now() + 2000;

	while (s.read == s.n_logs && bh_clock_now() < end) {
		struct pollfd p = { .fd = bh_nflog_fd(s.log), .events = POLLIN };

		(void)poll(&p, 1, 100);
		read_logs();
	}
	if (s.read == s.n_logs)
		fail_msg("no report of a refused packet");
	return &s.logs[s.read++];
}

static void refused_by(uint32_t reason, uint8_t dir, char cause, uint32_t word)
{
	const struct bh_refused *r;

	/*
	 * Of a link in quarantine, neighbour discovery and repetitions are reported too; what was refused
	 * before the last change may be reported late.
	 */
	do {
		r = next_log();
	} while ((r->cause != cause && r->cause == 'q') || r->epoch != bh_kernel_epoch(s.k));
	assert_int_equal(r->reason, reason);
	assert_int_equal(r->dir, dir);
	assert_int_equal(r->cause, cause);
	assert_int_equal(r->word, word);
}

static void no_log(void)
{
	read_logs();
	for (; s.read < s.n_logs; s.read++)
		if (s.logs[s.read].epoch == bh_kernel_epoch(s.k))
			assert_int_equal(s.logs[s.read].cause, 'q');
}

/* ---- traffic ---- */

static int connect_to(uint16_t port, int timeout_ms)
{
	return netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_STREAM, port,
			      timeout_ms);
}

struct conn {
	int listener, client, server;
};

static struct conn open_conn(uint16_t port)
{
	struct conn c;

	c.listener = netlab_serve(NETLAB_SERVER, s.family, SOCK_STREAM, port);
	c.client = connect_to(port, 2000);
	if (c.client < 0)
		fail_msg("port %u: %s", port, strerror(-c.client));
	c.server = netlab_accept(c.listener, 2000);
	assert_true(c.server >= 0);
	return c;
}

static void close_conn(struct conn *c)
{
	(void)close(c->client);
	(void)close(c->server);
	(void)close(c->listener);
}

static void carries(int from, int to, const char *text)
{
	char buf[128];
	int n;

	assert_int_equal(netlab_write(from, text, strlen(text)), strlen(text));
	n = netlab_read(to, buf, sizeof(buf), 2000);
	if (n != (int)strlen(text) || memcmp(buf, text, strlen(text)) != 0)
		fail_msg("'%s' does not arrive: %d", text, n);
}

static void allowed(uint16_t port)
{
	struct conn c = open_conn(port);

	carries(c.client, c.server, "GET /");
	carries(c.server, c.client, "HTTP");
	close_conn(&c);
	no_log();
}

static void dropped(uint16_t port, uint32_t reason)
{
	assert_int_equal(connect_to(port, 50), -ETIMEDOUT);
	refused_by(reason, BH_DIR_INGRESS, 'p', BH_WORD_DROP);
	assert_int_equal(s.logs[s.read - 1].dport, port);
	assert_int_equal(s.logs[s.read - 1].l4, BH_L4_TCP);
	s.read = s.n_logs;
}

/* Runs the body for both families. */
#define BOTH for (s.family = 4; s.family <= 6; s.family += 2)

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

/* ---- contracts ---- */

static void http_only(void)
{
	begin();
	hand_contract(s.h, 1, BH_PROTO_HTTP, ALLOW(10), DROP(11));
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	in_cell(BH_PEER_ANY, BH_L4_TCP, 8001, CONTRACT(1));
	in_cell(BH_PEER_ANY, BH_L4_UDP, 8001, CONTRACT(1));
	apply();
	(void)teller_seen();
}

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

		begin();
		in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(1));
		apply();
		c = open_conn(8001);
		carries(c.client, c.server, "one");

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
		cmocka_unit_test_teardown(egress_of_the_client, after),
		cmocka_unit_test_teardown(any_endpoint, after),
		cmocka_unit_test_teardown(cidr_and_world, after),
		cmocka_unit_test_teardown(ranges_and_protocols, after),
		cmocka_unit_test_teardown(allowed_and_recorded, after),
		cmocka_unit_test_teardown(contract_allows, after),
		cmocka_unit_test_teardown(contract_refuses_and_resets, after),
		cmocka_unit_test_teardown(contract_over_udp, after),
		cmocka_unit_test_teardown(without_a_worker_nothing_passes, after),
		cmocka_unit_test_teardown(confirming_asks_for_acknowledgements, after),
		cmocka_unit_test_teardown(syn_options_are_reset, after),
		cmocka_unit_test_teardown(data_in_a_syn_is_refused, after),
		cmocka_unit_test_teardown(policy_change_cuts, after),
		cmocka_unit_test_teardown(known_protocols_are_judged_again, after),
		cmocka_unit_test_teardown(unknown_flow_under_a_new_contract, after),
		cmocka_unit_test_teardown(foreign_marks_are_kept, after),
		cmocka_unit_test_teardown(restored_mark_is_no_verdict, after),
		cmocka_unit_test_teardown(address_translation, after),
		cmocka_unit_test_teardown(quarantine_drops_everything, after),
		cmocka_unit_test_teardown(managed_links_cannot_lie, after),
		cmocka_unit_test_teardown(forgotten_connections, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
