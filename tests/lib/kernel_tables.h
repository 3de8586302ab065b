/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/kernel_tables.h - tables in the kernel of a router, and agents that come and go
 *
 * What the tests of dataplane/kernel say most that are not about traffic. Include after <cmocka.h>.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_LIB_KERNEL_TABLES_H
#define BH_TESTS_LIB_KERNEL_TABLES_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"
#include "tests/lib/hand.h"
#include "tests/lib/netlab.h"
#include "tests/lib/teller.h"

#define TABLE  "bhk_life"
#define QUEUE  510
#define CLIENT HAND_EP(1)
#define SERVER HAND_EP(2)

#define ALLOW(n)    (BH_WORD_ALLOW | (n))
#define DROP(n)     (BH_WORD_DROP | (n))
#define CONTRACT(n) (BH_WORD_CONTRACT | (n))

static const struct bh_kernel_config config = {
	.table = TABLE,
	.queue_base = QUEUE,
	.n_queues = 1,
	.nflog_group = 72,
	.group_quarantine = 7101,
	.group_managed = 7102,
};

static struct bh_kernel *k; /* the agent that lives */

static inline void no_error(int r, const struct bh_err *err)
{
	if (r != 0)
		fail_msg("%d: %s", r, err->msg);
}

static inline void opened(void)
{
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_open(&config, &k, &err), &err);
}

/* Return: taken over what was there. */
static inline bool started(void)
{
	struct bh_err err = { .code = 0 };
	bool adopted;

	no_error(bh_kernel_start(k, &adopted, &err), &err);
	return adopted;
}

/* As on kernels before 6.9: anybody can change the tables. */
static inline void opened_plain(void)
{
	struct bh_err err = { .code = 0 };

	opened();
	no_error(bh_ahead_caps(k, &err), &err);
	k->caps.owner_persist = false;
}

static inline void started_plain(void)
{
	opened_plain();
	assert_false(started());
}

static inline void verified(void)
{
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_verify(k, &err), &err);
}

static inline void stale(const char *words)
{
	struct bh_err err = { .code = 0 };

	assert_int_equal(bh_kernel_verify(k, &err), -ESTALE);
	if (!strstr(err.msg, words))
		fail_msg("'%s' does not say '%s'", err.msg, words);
}

static inline int nft(const char *command)
{
	return netlab_run(NETLAB_ROUTER, "nft '%s' 2>/dev/null", command);
}

static inline int group_up(void **state)
{
	char prefix[32];

	(void)state;
	(void)snprintf(prefix, sizeof(prefix), "bhk-%d", getpid());
	netlab_up(prefix);
	return 0;
}

static inline int group_down(void **state)
{
	(void)state;
	netlab_down();
	return 0;
}

static inline int after(void **state)
{
	struct bh_err err = { .code = 0 };

	(void)state;
	teller_stop();
	netlab_close_all();
	if (k && bh_kernel_teardown(k, &err) < 0)
		print_error("%s\n", err.msg);
	k = bh_kernel_close(k);
	return nft("flush ruleset") == 0 ? 0 : -1;
}

/* ---- rule sets ---- */

static inline struct hand *server_and_client(void)
{
	struct hand *h = hand_new();

	for (int family = 4; family <= 6; family += 2) {
		hand_addr(h, netlab_addr(NETLAB_CLIENT, family), CLIENT, true);
		hand_addr(h, netlab_addr(NETLAB_SERVER, family), SERVER, true);
	}
	return h;
}

static inline struct bh_kernel_change apply(struct hand *h, uint64_t revision)
{
	struct bh_ruleset *rs = hand_ruleset(h, revision);
	struct bh_err err = { .code = 0 };
	struct bh_kernel_change change;

	no_error(bh_kernel_apply(k, rs, h->addrs, h->n_addrs, NULL, 0, &change, &err), &err);
	bh_ruleset_free(rs);
	hand_free(h);
	return change;
}

static inline void bump(void)
{
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_bump(k, &err), &err);
}

/* The server is isolated but for one port. */
static inline struct hand *only_8001(void)
{
	struct hand *h = server_and_client();

	hand_cell(h, BH_DIR_INGRESS, SERVER, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	hand_cell(h, BH_DIR_INGRESS, SERVER, BH_PEER_ANY, BH_L4_TCP, 8001, ALLOW(2));
	return h;
}

/* Something in every map, and every level. Ports are bits of a number. */
#define EVERY_PORT 9
#define ALL_PORTS  ((2U << EVERY_PORT) - 1)
static inline struct hand *everything(uint32_t only_peer, uint32_t only_port)
{
	static const uint32_t peers[] = { CLIENT, BH_PEER_ANY_ENDPOINT, 2, BH_PEER_ANY };
	static const struct {
		uint8_t l4;
		uint32_t port;
	} ports[EVERY_PORT + 1] = {
		{ BH_L4_TCP, 8001 },
		{ BH_L4_TCP, BH_PORT_PIECE_BASE },
		{ BH_L4_UDP, BH_PORT_PIECE_BASE + 1 },
		{ BH_L4_SCTP, BH_PORT_PIECE_BASE + 2 },
		{ BH_L4_ICMP, 8 << 8 },
		{ BH_L4_ICMPV6, 128 << 8 },
		{ BH_L4_ICMP, BH_PORT_PIECE_BASE + 4 },
		{ BH_L4_ICMPV6, BH_PORT_PIECE_BASE + 5 },
		{ BH_L4_UDP, BH_PORT_ANY },
		{ BH_L4_ANY, BH_PORT_ANY },
	};
	struct hand *h = server_and_client();

	hand_cidr(h, "10.0.0.0/9", 2);
	hand_cidr(h, "10.128.0.0/9", 3);
	hand_cidr(h, "255.255.255.0/24", 3);
	hand_cidr(h, "fd00::/16", 2);
	hand_cidr(h, "ff00::/8", 3);
	hand_range(h, BH_L4_TCP, BH_PORT_PIECE_BASE, 8000, 8009);
	hand_range(h, BH_L4_TCP, BH_PORT_PIECE_BASE + 3, 8010, 8019);
	hand_range(h, BH_L4_UDP, BH_PORT_PIECE_BASE + 1, 1, 65535);
	hand_range(h, BH_L4_SCTP, BH_PORT_PIECE_BASE + 2, 0, 100);
	hand_range(h, BH_L4_ICMP, BH_PORT_PIECE_BASE + 4, 13 << 8, 13 << 8 | 255);
	hand_range(h, BH_L4_ICMPV6, BH_PORT_PIECE_BASE + 5, 139 << 8, 255 << 8 | 255);
	hand_contract(h, 1, BH_PROTO_HTTP, ALLOW(3), DROP(4));
	for (enum bh_dir d = BH_DIR_INGRESS; d <= BH_DIR_EGRESS; d++) {
		for (unsigned p = 0; p < BH_ARRAY_SIZE(peers); p++) {
			for (unsigned q = 0; q < BH_ARRAY_SIZE(ports); q++) {
				bool last = p == 3 && q == EVERY_PORT;

				/* A row is complete, and the last one is always there. */
				if (!last && !((only_peer >> p & 1) &&
					       ((only_port >> q & 1) || q == EVERY_PORT)))
					continue;
				hand_cell(h, d, SERVER, peers[p], ports[q].l4, ports[q].port,
					  last     ? DROP(5)
					  : q == 0 ? ALLOW(6) | BH_WORD_REPORT
						   : CONTRACT(1));
			}
		}
	}
	return h;
}

static inline bool reaches(uint16_t port)
{
	int listener = netlab_serve(NETLAB_SERVER, 4, SOCK_STREAM, port);
	int fd = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, 4, SOCK_STREAM, port, 200);

	(void)close(listener);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

#endif
