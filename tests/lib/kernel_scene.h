/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/kernel_scene.h - tables in the kernel of a router, between a client and a server
 *
 * What the tests of dataplane/kernel with real traffic say most. Include after <cmocka.h>.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_LIB_KERNEL_SCENE_H
#define BH_TESTS_LIB_KERNEL_SCENE_H

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
#include "tests/lib/slow.h"
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
	struct bh_kernel_config cfg;
	struct bh_kernel *k;
	struct bh_nflog *log;
	struct hand *h;
	uint64_t revision;
	struct bh_refused logs[LOGS_MAX];
	size_t n_logs, read;
	struct bh_refused told[LOGS_MAX];
	uint64_t n_of[LOGS_MAX];
	size_t n_told;
	int family; /* 4, 6: of the test that runs */
} s;

static inline void no_error(int r, const struct bh_err *err)
{
	if (r != 0)
		fail_msg("%d: %s", r, err->msg);
}

static inline void must_start(void)
{
	struct bh_err err = { .code = 0 };
	bool adopted;

	s.cfg = (struct bh_kernel_config){
		.table = TABLE,
		.queue_base = QUEUE,
		.n_queues = 2,
		.nflog_group = NFLOG,
		.group_quarantine = QUARANTINE,
		.group_managed = MANAGED,
	};
	no_error(bh_kernel_open(&s.cfg, &s.k, &err), &err);
	no_error(bh_kernel_start(s.k, &adopted, &err), &err);
}

static inline int group_up(void **state)
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

static inline int group_down(void **state)
{
	struct bh_err err = { .code = 0 };

	(void)state;
	no_error(bh_kernel_teardown(s.k, &err), &err);
	s.k = bh_kernel_close(s.k);
	s.log = bh_nflog_close(s.log);
	netlab_down();
	return 0;
}

static inline int after(void **state)
{
	(void)state;
	netlab_close_all();
	teller_stop();
	return 0;
}

/* ---- rules ---- */

static inline void keep_log(void *arg, const struct bh_refused *r)
{
	(void)arg;
	if (s.n_logs < LOGS_MAX)
		s.logs[s.n_logs++] = *r;
}

static inline void read_logs(void)
{
	uint64_t lost;

	assert_int_equal(bh_nflog_read(s.log, keep_log, NULL, &lost), 0);
	assert_int_equal(lost, 0);
}

static inline void keep_told(void *arg, const struct bh_refused *r, uint64_t n)
{
	(void)arg;
	if (s.n_told < LOGS_MAX) {
		s.told[s.n_told] = *r;
		s.n_of[s.n_told++] = n;
	}
}

/* What was refused like something reported; the next of its kind is reported again. */
static inline void take_told(void)
{
	struct bh_err err = { .code = 0 };

	s.n_told = 0;
	no_error(bh_kernel_take_told(s.k, keep_told, NULL, &err), &err);
}

/* Both ends are endpoints, known by their addresses of both families. */
static inline void begin(void)
{
	s.h = hand_new();
	for (int family = 4; family <= 6; family += 2) {
		hand_addr(s.h, netlab_addr(NETLAB_CLIENT, family), CLIENT, true);
		hand_addr(s.h, netlab_addr(NETLAB_SERVER, family), SERVER, true);
	}
}

/* The client is nobody's endpoint. */
static inline void begin_outside(void)
{
	s.h = hand_new();
	for (int family = 4; family <= 6; family += 2)
		hand_addr(s.h, netlab_addr(NETLAB_SERVER, family), SERVER, true);
}

static inline void in_cell(uint32_t peer, uint8_t l4, uint32_t port, uint32_t word)
{
	hand_cell(s.h, BH_DIR_INGRESS, SERVER, peer, l4, port, word);
}

static inline struct bh_kernel_change apply(void)
{
	struct bh_err err = { .code = 0 };
	struct bh_kernel_change change;
	struct bh_ruleset *rs = hand_ruleset(s.h, ++s.revision);

	no_error(bh_kernel_apply(s.k, rs, s.h->addrs, s.h->n_addrs, NULL, 0, &change, &err), &err);
	if (change.needs_bump)
		no_error(bh_kernel_bump(s.k, &err), &err);
	bh_ruleset_free(rs);
	hand_free(s.h);
	s.h = NULL;
	/* What was refused before belongs to another test. */
	take_told();
	read_logs();
	s.n_logs = s.read = 0;
	return change;
}

/* The next report, within two seconds. */
static inline const struct bh_refused *next_log(void)
{
	bh_msec_t end = bh_clock_now() + slow(2000);

	while (s.read == s.n_logs && bh_clock_now() < end) {
		struct pollfd p = { .fd = bh_nflog_fd(s.log), .events = POLLIN };

		(void)poll(&p, 1, 100);
		read_logs();
	}
	if (s.read == s.n_logs)
		fail_msg("no report of a refused packet");
	return &s.logs[s.read++];
}

static inline void refused_by(uint32_t reason, uint8_t dir, char cause, uint32_t word)
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
	take_told();
}

static inline void no_log(void)
{
	read_logs();
	for (; s.read < s.n_logs; s.read++)
		if (s.logs[s.read].epoch == bh_kernel_epoch(s.k))
			assert_int_equal(s.logs[s.read].cause, 'q');
}

/* ---- traffic ---- */

static inline int connect_to(uint16_t port, int timeout_ms)
{
	return netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, s.family, SOCK_STREAM, port,
			      timeout_ms);
}

struct conn {
	int listener, client, server;
};

static inline struct conn open_conn(uint16_t port)
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

static inline void close_conn(struct conn *c)
{
	(void)close(c->client);
	(void)close(c->server);
	(void)close(c->listener);
}

static inline void carries(int from, int to, const char *text)
{
	char buf[128];
	int n;

	assert_int_equal(netlab_write(from, text, strlen(text)), strlen(text));
	n = netlab_read(to, buf, sizeof(buf), 2000);
	if (n != (int)strlen(text) || memcmp(buf, text, strlen(text)) != 0)
		fail_msg("'%s' does not arrive: %d", text, n);
}

static inline void allowed(uint16_t port)
{
	struct conn c = open_conn(port);

	carries(c.client, c.server, "GET /");
	carries(c.server, c.client, "HTTP");
	close_conn(&c);
	no_log();
}

static inline void dropped(uint16_t port, uint32_t reason)
{
	assert_int_equal(connect_to(port, 50), -ETIMEDOUT);
	refused_by(reason, BH_DIR_INGRESS, 'p', BH_WORD_DROP);
	assert_int_equal(s.logs[s.read - 1].dport, port);
	assert_int_equal(s.logs[s.read - 1].l4, BH_L4_TCP);
	s.read = s.n_logs;
}

/* A connection from a time in which everything is allowed. */
static inline struct conn allowed_before(uint16_t port, const char *text)
{
	struct conn c;

	begin();
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(1));
	apply();
	c = open_conn(port);
	carries(c.client, c.server, text);
	return c;
}

/* The server takes HTTP at port 8001 and nothing else. */
static inline void http_only(void)
{
	begin();
	hand_contract(s.h, 1, BH_PROTO_HTTP, ALLOW(10), DROP(11));
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	in_cell(BH_PEER_ANY, BH_L4_TCP, 8001, CONTRACT(1));
	in_cell(BH_PEER_ANY, BH_L4_UDP, 8001, CONTRACT(1));
	apply();
	(void)teller_seen();
}

/* Runs the body for both families. */
#define BOTH for (s.family = 4; s.family <= 6; s.family += 2)

#endif
