// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_life.c - tables that outlive their agent, and what others do to them
 *
 * In network namespaces of this program's own (root). Other programs are played by nft(8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"
#include "dataplane/marks.h"
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

static void no_error(int r, const struct bh_err *err)
{
	if (r != 0)
		fail_msg("%d: %s", r, err->msg);
}

static void opened(void)
{
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_open(&config, &k, &err), &err);
}

/* Return: taken over what was there. */
static bool started(void)
{
	struct bh_err err = { .code = 0 };
	bool adopted;

	no_error(bh_kernel_start(k, &adopted, &err), &err);
	return adopted;
}

/* As on kernels before 6.9: anybody can change the tables. */
static void started_plain(void)
{
	opened();
	k->caps.owner_persist = false;
	assert_false(started());
}

static void verified(void)
{
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_verify(k, &err), &err);
}

static void stale(const char *words)
{
	struct bh_err err = { .code = 0 };

	assert_int_equal(bh_kernel_verify(k, &err), -ESTALE);
	if (!strstr(err.msg, words))
		fail_msg("'%s' does not say '%s'", err.msg, words);
}

static int nft(const char *command)
{
	return netlab_run(NETLAB_ROUTER, "nft '%s' 2>/dev/null", command);
}

static int group_up(void **state)
{
	char prefix[32];

	(void)state;
	(void)snprintf(prefix, sizeof(prefix), "bhk-%d", getpid());
	netlab_up(prefix);
	return 0;
}

static int group_down(void **state)
{
	(void)state;
	netlab_down();
	return 0;
}

static int after(void **state)
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

static struct hand *server_and_client(void)
{
	struct hand *h = hand_new();

	for (int family = 4; family <= 6; family += 2) {
		hand_addr(h, netlab_addr(NETLAB_CLIENT, family), CLIENT, true);
		hand_addr(h, netlab_addr(NETLAB_SERVER, family), SERVER, true);
	}
	return h;
}

static struct bh_kernel_change apply(struct hand *h, uint64_t revision)
{
	struct bh_ruleset *rs = hand_ruleset(h, revision);
	struct bh_err err = { .code = 0 };
	struct bh_kernel_change change;

	no_error(bh_kernel_apply(k, rs, h->addrs, h->n_addrs, &change, &err), &err);
	bh_ruleset_free(rs);
	hand_free(h);
	return change;
}

static void bump(void)
{
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_bump(k, &err), &err);
}

/* The server is isolated but for one port. */
static struct hand *only_8001(void)
{
	struct hand *h = server_and_client();

	hand_cell(h, BH_DIR_INGRESS, SERVER, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	hand_cell(h, BH_DIR_INGRESS, SERVER, BH_PEER_ANY, BH_L4_TCP, 8001, ALLOW(2));
	return h;
}

/* Something in every map, and every level. */
static struct hand *everything(uint32_t only_peer, uint32_t only_port)
{
	static const uint32_t peers[] = { CLIENT, BH_PEER_ANY_ENDPOINT, 2, BH_PEER_ANY };
	static const struct {
		uint8_t l4;
		uint32_t port;
	} ports[] = {
		{ BH_L4_TCP, 8001 },
		{ BH_L4_TCP, BH_PORT_PIECE_BASE },
		{ BH_L4_UDP, BH_PORT_PIECE_BASE + 1 },
		{ BH_L4_SCTP, BH_PORT_PIECE_BASE + 2 },
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
	hand_contract(h, 1, BH_PROTO_HTTP, ALLOW(3), DROP(4));
	for (enum bh_dir d = BH_DIR_INGRESS; d <= BH_DIR_EGRESS; d++) {
		for (unsigned p = 0; p < BH_ARRAY_SIZE(peers); p++) {
			for (unsigned q = 0; q < BH_ARRAY_SIZE(ports); q++) {
				bool last = p == 3 && q == 5;

				/* A row is complete, and the last one is always there. */
				if (!last &&
				    !((only_peer >> p & 1) && ((only_port >> q & 1) || q == 5)))
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

static bool reaches(uint16_t port)
{
	int listener = netlab_serve(NETLAB_SERVER, 4, SOCK_STREAM, port);
	int fd = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, 4, SOCK_STREAM, port, 200);

	(void)close(listener);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/* ---- taking over ---- */

static void the_next_agent_changes_nothing(void **state)
{
	char *before, *after_text;
	unsigned epoch;
	struct bh_kernel_change c;

	(void)state;
	opened();
	assert_false(started());
	assert_true(apply(everything(15, 63), 41).needs_bump);
	bump();
	verified();
	epoch = bh_kernel_epoch(k);
	before = netlab_output(NETLAB_ROUTER, "nft list ruleset 2>/dev/null");
	assert_non_null(before);

	k = bh_kernel_close(k);
	opened();
	assert_true(started());
	assert_int_equal(bh_kernel_epoch(k), epoch);
	verified();
	assert_true(started()); /* nothing to repair */
	c = apply(everything(15, 63), 41);
	assert_false(c.changed);
	assert_false(c.needs_bump);
	assert_int_equal(c.added + c.removed + c.rules, 0);
	after_text = netlab_output(NETLAB_ROUTER, "nft list ruleset 2>/dev/null");
	assert_non_null(after_text);
	assert_string_equal(before, after_text);
	free(before);
	free(after_text);

	/* And goes on from there. */
	c = apply(only_8001(), 42);
	assert_true(c.changed && c.needs_bump && c.rules > 0);
	bump();
	verified();
	assert_true(reaches(8001));
	assert_false(reaches(8002));
}

static void rules_stay_without_an_agent(void **state)
{
	int listener, client, server;
	char buf[8];

	(void)state;
	opened();
	assert_false(started());
	apply(only_8001(), 1);
	bump();
	listener = netlab_serve(NETLAB_SERVER, 4, SOCK_STREAM, 8001);
	client = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, 4, SOCK_STREAM, 8001, 2000);
	server = netlab_accept(listener, 2000);
	assert_true(client >= 0 && server >= 0);

	k = bh_kernel_close(k);
	assert_false(reaches(8002));
	assert_int_equal(netlab_write(client, "alive", 5), 5);
	assert_int_equal(netlab_read(server, buf, sizeof(buf), 2000), 5);
	opened();
	assert_true(started());
	assert_int_equal(netlab_write(client, "alive", 5), 5);
	assert_int_equal(netlab_read(server, buf, sizeof(buf), 2000), 5);
	assert_false(reaches(8002));
}

/* While no agent lived, somebody opened a hole. */
static void other_chains_are_replaced_and_elements_kept(void **state)
{
	(void)state;
	opened();
	assert_false(started());
	apply(only_8001(), 7);
	bump();
	k = bh_kernel_close(k);
	assert_int_equal(nft("insert rule ip " TABLE " forward accept"), 0);
	assert_true(reaches(8002));

	opened();
	assert_true(started());
	verified();
	assert_false(reaches(8002));
	assert_true(reaches(8001));
	assert_false(apply(only_8001(), 7).changed);

	/* Another configuration makes other chains. */
	k = bh_kernel_close(k);
	opened();
	k->cfg.nflog_group = 73;
	k->chains_hash = bh_chains_hash(&k->cfg, &k->caps);
	assert_true(started());
	verified();
	assert_false(reaches(8002));
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft list chain ip " TABLE
						   " spoofed 2>&1 | grep -q 'group 73'"),
			 0);
}

static void another_table_of_our_name(void **state)
{
	(void)state;
	assert_int_equal(nft("add table ip " TABLE), 0);
	assert_int_equal(nft("add chain ip " TABLE
			     " forward { type filter hook forward priority 0; "
			     "policy drop; }"),
			 0);
	opened();
	assert_false(started());
	verified();
	apply(only_8001(), 1);
	assert_true(reaches(8001));
}

/* A map was emptied of its meaning. */
static void elements_that_nobody_reads(void **state)
{
	(void)state;
	opened();
	assert_false(started());
	apply(only_8001(), 1);
	k = bh_kernel_close(k);
	assert_int_equal(nft("delete element ip " TABLE " state { 0x00000001 }"), 0);
	opened();
	assert_false(started());
	assert_true(apply(only_8001(), 1).needs_bump);
	verified();
}

static void owned_by_another_agent(void **state)
{
	struct bh_err err = { .code = 0 };
	struct bh_kernel *other = NULL;
	bool adopted;

	(void)state;
	opened();
	assert_false(started());
	if (!k->caps.owner_persist) {
		print_message("this kernel knows no owners that tables survive\n");
		return;
	}
	apply(only_8001(), 1);
	bump();
	no_error(bh_kernel_open(&config, &other, &err), &err);
	assert_int_equal(bh_kernel_start(other, &adopted, &err), -EPERM);
	assert_non_null(strstr(err.msg, "belongs to another program"));
	other = bh_kernel_close(other);

	/* Others cannot change it, and a flush leaves it. */
	assert_int_not_equal(nft("add rule ip " TABLE " forward accept"), 0);
	assert_int_not_equal(nft("delete table ip " TABLE), 0);
	assert_int_equal(nft("flush ruleset"), 0);
	verified();
	assert_true(reaches(8001));
	assert_false(reaches(8002));
}

/* ---- others ---- */

static void tables_of_others_are_not_touched(void **state)
{
	static const char list[] = "nft list table inet theirs; nft list table ip theirs";
	char *before, *now;

	(void)state;
	assert_int_equal(
	    nft("add table inet theirs; add chain inet theirs f { type filter hook forward "
		"priority 0; }; add rule inet theirs f ct mark 7 accept; add table ip theirs; "
		"add set ip theirs s { type ipv4_addr; elements = { 10.1.1.1 } }"),
	    0);
	before = netlab_output(NETLAB_ROUTER, list);
	assert_non_null(before);
	opened();
	assert_false(started());
	apply(everything(15, 63), 1);
	bump();
	apply(only_8001(), 2);
	bump();
	now = netlab_output(NETLAB_ROUTER, list);
	assert_string_equal(before, now);
	free(now);
	after(NULL); /* teardown; its flush is theirs */
	free(before);
}

static void everything_can_be_listed(void **state)
{
	(void)state;
	opened();
	assert_false(started());
	for (unsigned peer = 0; peer <= 4; peer++) {
		for (unsigned port = 0; port <= 6; port++) {
			apply(everything(peer == 4 ? 15 : 1U << peer, port == 6 ? 63 : 1U << port),
			      1 + peer * 7 + port);
			if (netlab_run(NETLAB_ROUTER, "nft list ruleset >/dev/null 2>&1") != 0)
				fail_msg("nft list ruleset: peer %u, port %u", peer, port);
		}
	}
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft -a -s list ruleset >/dev/null 2>&1"), 0);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft list tables >/dev/null 2>&1"), 0);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft list map ip " TABLE " cell | grep -q 8001"),
			 0);
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER, "nft list map ip6 " TABLE " peer | grep -q fd71:1::2"), 0);
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER, "nft list map ip " TABLE " port_tcp | grep -q '8010-8019'"),
	    0);
	bump();
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft list ruleset >/dev/null 2>&1"), 0);
	verified();
}

static bool monitor_says(void)
{
	struct pollfd p = { .fd = bh_kernel_monitor_fd(k), .events = POLLIN };
	bool touched = false;

	(void)poll(&p, 1, 0); /* the kernel tells before the change returns */
	assert_int_equal(bh_kernel_monitor_read(k, &touched), 0);
	return touched;
}

static void changes_of_others_are_noticed(void **state)
{
	static const struct {
		const char *command, *words;
	} hits[] = {
		{ "add rule ip " TABLE " fresh accept", "chain 'ip fresh' has" },
		{ "flush chain ip6 " TABLE " no_in", "chain 'ip6 no_in' has 0 rules" },
		{ "add chain ip " TABLE " mine { type filter hook input priority 0; }",
		  "not ours" },
		{ "delete element ip " TABLE " peer { 10.71.1.2 }", "1 elements are missing" },
		{ "add element ip " TABLE " peer { 10.9.9.9 : 0x80000001 }",
		  "1 have none of ours" },
		{ "flush map ip6 " TABLE " cell", "2 elements are missing" },
		{ "delete element ip " TABLE " state { 0x00000004 }", "map state" },
		{ "add table ip " TABLE " { flags dormant; }", "dormant" },
		{ "delete table ip6 " TABLE, "table ip6 " TABLE " is gone" },
		{ "flush ruleset", "is gone" },
	};

	(void)state;
	started_plain();
	apply(only_8001(), 1);
	bump();
	assert_false(monitor_says()); /* our own changes are nobody's business */
	verified();
	for (size_t i = 0; i < BH_ARRAY_SIZE(hits); i++) {
		if (nft(hits[i].command) != 0)
			fail_msg("nft %s", hits[i].command);
		if (!monitor_says())
			fail_msg("nobody noticed: %s", hits[i].command);
		stale(hits[i].words);
		/* Made good by another start. */
		assert_true(started());
		verified();
		bump();
		assert_false(reaches(8002));
		assert_true(reaches(8001));
		assert_false(apply(only_8001(), 1).changed);
		assert_false(monitor_says());
	}
	/* What is not ours does not matter. */
	assert_int_equal(nft("add table ip theirs; add chain ip theirs c"), 0);
	assert_false(monitor_says());
}

static void errors_name_the_object(void **state)
{
	struct bh_err err = { .code = 0 };
	struct bh_kernel_change c;
	struct bh_ruleset *rs;
	struct hand *h;

	(void)state;
	started_plain();
	apply(only_8001(), 1);
	assert_int_equal(nft("delete element ip " TABLE " peer { 10.71.1.2 }"), 0);
	h = hand_new();
	hand_addr(h, netlab_addr(NETLAB_SERVER, 4), SERVER, true);
	hand_cell(h, BH_DIR_INGRESS, SERVER, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, ALLOW(1));
	rs = hand_ruleset(h, 2);
	assert_int_equal(bh_kernel_apply(k, rs, h->addrs, h->n_addrs, &c, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "revision 2 is not in force"));
	assert_non_null(strstr(err.msg, "cannot remove"));
	assert_non_null(strstr(err.msg, "of map peer of table ip " TABLE));
	/* Nothing of it was done. */
	assert_false(reaches(8002));
	bh_ruleset_free(rs);
	hand_free(h);
}

/* ---- epochs ---- */

/* A connection that slept while the epochs went round is not taken for one of this epoch. */
static void epochs_go_round(void **state)
{
	int listener, client, server;
	unsigned epoch;

	(void)state;
	opened();
	assert_false(started());
	apply(only_8001(), 1);
	bump();
	epoch = bh_kernel_epoch(k);
	listener = netlab_serve(NETLAB_SERVER, 4, SOCK_STREAM, 8001);
	client = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, 4, SOCK_STREAM, 8001, 2000);
	server = netlab_accept(listener, 2000);
	assert_true(client >= 0 && server >= 0);
	{
		struct hand *h = server_and_client();

		hand_cell(h, BH_DIR_INGRESS, SERVER, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		apply(h, 2);
	}
	do {
		bump();
	} while (bh_kernel_epoch(k) != epoch);
	verified();
	assert_int_equal(netlab_write(client, "hello", 5), 5);
	assert_int_equal(netlab_end_of(client, 3000), -ECONNRESET);
	assert_int_equal(netlab_end_of(server, 3000), -ECONNRESET);
}

/* Marks of an earlier life of the table. */
static void new_tables_trust_no_old_mark(void **state)
{
	struct bh_err err = { .code = 0 };
	int listener, client, server;
	unsigned epoch;

	(void)state;
	opened();
	assert_false(started());
	apply(only_8001(), 1);
	bump();
	epoch = bh_kernel_epoch(k);
	listener = netlab_serve(NETLAB_SERVER, 4, SOCK_STREAM, 8001);
	client = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, 4, SOCK_STREAM, 8001, 2000);
	server = netlab_accept(listener, 2000);
	assert_true(client >= 0 && server >= 0);
	no_error(bh_kernel_teardown(k, &err), &err);

	assert_false(started());
	assert_int_not_equal(bh_kernel_epoch(k), epoch);
	{
		struct hand *h = server_and_client();

		hand_cell(h, BH_DIR_INGRESS, SERVER, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
		assert_true(apply(h, 2).needs_bump);
	}
	do {
		bump();
	} while (bh_kernel_epoch(k) != epoch);
	assert_int_equal(netlab_write(client, "hello", 5), 5);
	assert_int_equal(netlab_end_of(client, 3000), -ECONNRESET);
}

/* ---- when a bump is needed ---- */

static void only_news_needs_no_bump(void **state)
{
	struct hand *h;

	(void)state;
	opened();
	assert_false(started());
	assert_true(apply(server_and_client(), 1).needs_bump); /* new tables let everything pass */

	/* A new endpoint, with policies of its own. */
	h = server_and_client();
	hand_addr(h, "10.71.9.9", HAND_EP(3), true);
	hand_cell(h, BH_DIR_INGRESS, HAND_EP(3), BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	assert_false(apply(h, 2).needs_bump);
	/* One more of its kind; a remote one. */
	h = server_and_client();
	hand_addr(h, "10.71.9.9", HAND_EP(3), true);
	hand_addr(h, "10.71.9.10", HAND_EP(3), true);
	hand_addr(h, "10.99.0.1", HAND_EP(4), false);
	hand_cell(h, BH_DIR_INGRESS, HAND_EP(3), BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	assert_false(apply(h, 3).needs_bump);
	/* Another cell of a class that has some. */
	h = server_and_client();
	hand_addr(h, "10.71.9.9", HAND_EP(3), true);
	hand_addr(h, "10.71.9.10", HAND_EP(3), true);
	hand_addr(h, "10.99.0.1", HAND_EP(4), false);
	hand_cell(h, BH_DIR_INGRESS, HAND_EP(3), BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	hand_cell(h, BH_DIR_INGRESS, HAND_EP(3), BH_PEER_ANY, BH_L4_TCP, 80, DROP(1));
	assert_true(apply(h, 4).needs_bump);
	/* One goes. */
	h = server_and_client();
	hand_addr(h, "10.71.9.9", HAND_EP(3), true);
	hand_cell(h, BH_DIR_INGRESS, HAND_EP(3), BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	hand_cell(h, BH_DIR_INGRESS, HAND_EP(3), BH_PEER_ANY, BH_L4_TCP, 80, DROP(1));
	assert_true(apply(h, 5).needs_bump);
	/* The server, known so far, becomes a subject. */
	assert_true(apply(only_8001(), 6).needs_bump);
	verified();
}

/* ---- what cannot be ---- */

static void bad_configurations(void **state)
{
	struct bh_kernel_config c = config;
	struct bh_err err = { .code = 0 };
	struct bh_kernel *n = NULL;

	(void)state;
	c.n_queues = 0;
	assert_int_equal(bh_kernel_open(&c, &n, &err), -EINVAL);
	c = config;
	c.queue_base = 65535;
	assert_int_equal(bh_kernel_open(&c, &n, &err), -EINVAL);
	c = config;
	c.group_managed = c.group_quarantine;
	assert_int_equal(bh_kernel_open(&c, &n, &err), -EINVAL);
	c = config;
	c.table = "";
	assert_int_equal(bh_kernel_open(&c, &n, &err), -EINVAL);
	assert_null(n);
}

static void without_privilege(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		struct bh_err err = { .code = 0 };
		struct bh_kernel *n = NULL;

		if (setuid(65534) < 0)
			_exit(2);
		_exit(bh_kernel_open(&config, &n, &err) == -EPERM &&
			      strstr(err.msg, "CAP_NET_ADMIN")
			  ? 0
			  : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_next_agent_changes_nothing, after),
		cmocka_unit_test_teardown(rules_stay_without_an_agent, after),
		cmocka_unit_test_teardown(other_chains_are_replaced_and_elements_kept, after),
		cmocka_unit_test_teardown(another_table_of_our_name, after),
		cmocka_unit_test_teardown(elements_that_nobody_reads, after),
		cmocka_unit_test_teardown(owned_by_another_agent, after),
		cmocka_unit_test_teardown(tables_of_others_are_not_touched, after),
		cmocka_unit_test_teardown(everything_can_be_listed, after),
		cmocka_unit_test_teardown(changes_of_others_are_noticed, after),
		cmocka_unit_test_teardown(errors_name_the_object, after),
		cmocka_unit_test_teardown(epochs_go_round, after),
		cmocka_unit_test_teardown(new_tables_trust_no_old_mark, after),
		cmocka_unit_test_teardown(only_news_needs_no_bump, after),
		cmocka_unit_test(bad_configurations),
		cmocka_unit_test(without_privilege),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
