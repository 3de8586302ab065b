// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_life.c - what others do to our tables, epochs, and what cannot be
 *
 * In network namespaces of this program's own (root). Other programs are played by nft(8).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/wait.h>

#include "dataplane/marks.h"
#include "tests/lib/kernel_tables.h"
#include "tests/lib/slow.h"

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
	apply(everything(15, ALL_PORTS), 1);
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
	/* Of peers (each, all) and ports (each, all), every seventh pair where it is slow, and always all of both. */
	const unsigned last = 4 * (EVERY_PORT + 2) + EVERY_PORT + 1,
		       step = slow_factor() > 1 ? 7 : 1;

	(void)state;
	opened();
	assert_false(started());
	for (unsigned i = last % step; i <= last; i += step) {
		unsigned peer = i / (EVERY_PORT + 2), port = i % (EVERY_PORT + 2);

		apply(everything(peer == 4 ? 15 : 1U << peer,
				 port > EVERY_PORT ? ALL_PORTS : 1U << port),
		      1 + i);
		if (netlab_run(NETLAB_ROUTER, "nft list ruleset >/dev/null 2>&1") != 0)
			fail_msg("nft list ruleset: peer %u, port %u", peer, port);
	}
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft -a -s list ruleset >/dev/null 2>&1"), 0);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft -j list ruleset >/dev/null 2>&1"), 0);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft list counters >/dev/null 2>&1"), 0);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft list tables >/dev/null 2>&1"), 0);
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft list map ip " TABLE " cell | grep -q 8001"),
			 0);
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER, "nft list map ip6 " TABLE " peer | grep -q fd71:1::2"), 0);
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER, "nft list map ip " TABLE " port_tcp | grep -q '8010-8019'"),
	    0);
	/* Types of ICMP stand there as ports would. */
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER, "nft list map ip " TABLE " port_icmp | grep -q '3328-3583'"),
	    0);
	assert_int_equal(
	    netlab_run(NETLAB_ROUTER, "nft list map ip " TABLE " cell | grep -q '2048 . [0-9i]'"),
	    0);
	bump();
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft list ruleset >/dev/null 2>&1"), 0);
	verified();
}

/* ---- comments ---- */

static const char *server_is;

static void who(void *arg, const struct bh_addr *a, char *buf, size_t size)
{
	char text[BH_ADDR_STRLEN];
	bool server = strcmp(bh_addr_format(a, text), netlab_addr(NETLAB_SERVER, a->family)) == 0;

	(void)arg;
	(void)snprintf(buf, size, "shop/%s", server ? server_is : "client");
}

static void shown(const char *list, const char *text)
{
	if (netlab_run(NETLAB_ROUTER, "nft %s 2>&1 | grep -qF '%s'", list, text) != 0)
		fail_msg("nft %s does not show: %s", list, text);
}

static void not_shown(const char *list, const char *text)
{
	if (netlab_run(NETLAB_ROUTER, "nft %s 2>&1 | grep -qF '%s'", list, text) == 0)
		fail_msg("nft %s shows: %s", list, text);
}

static void server_renamed(const char *name)
{
	struct bh_addr a;

	server_is = name;
	for (int family = 4; family <= 6; family += 2) {
		assert_int_equal(bh_addr_parse(netlab_addr(NETLAB_SERVER, family), &a), 0);
		bh_kernel_renamed(k, &a);
	}
}

static void comments_say_whose_it_is(void **state)
{
	static const char json[] = "nft -j list ruleset | python3 -c 'import json,sys; "
				   "json.load(sys.stdin)' 2>&1";
	struct bh_kernel_change c;

	(void)state;
	server_is = "web";
	opened();
	bh_kernel_names(k, who, NULL);
	assert_false(started());
	apply(everything(15, ALL_PORTS), 1);
	bump();
	for (int i = 0; i < 2; i++) {
		shown(i ? "list map ip6 " TABLE " subj_eg" : "list map ip " TABLE " subj_eg",
		      "comment \"shop/web\"");
		shown(i ? "list map ip6 " TABLE " peer" : "list map ip " TABLE " peer",
		      "comment \"shop/client\"");
	}
	shown("list map ip " TABLE " peer", "comment \"address of an endpoint -> class\"");
	shown("list map ip " TABLE " contract_result", "comment \"http allow: \"");
	shown("list map ip6 " TABLE " cell", "comment \"http allow: ; else drop\"");
	shown("list map ip " TABLE " state", "comment \"epoch\"");
	shown("list chain ip " TABLE " forward", "comment \"decided in this epoch");
	shown("list chain ip6 " TABLE " fresh_in", "comment \"peer any, port any\"");
	assert_int_equal(netlab_run(NETLAB_ROUTER, "nft list ruleset >/dev/null 2>&1"), 0);
	assert_int_equal(netlab_run(NETLAB_ROUTER, json), 0);

	/* They are not compared, but a name that is told to be another is written. */
	server_is = "new";
	assert_false(apply(everything(15, ALL_PORTS), 1).changed);
	server_renamed("new");
	c = apply(everything(15, ALL_PORTS), 1);
	assert_true(c.changed);
	assert_false(c.needs_bump);
	assert_int_equal(c.added, 2 * 3); /* peer and subject of both families */
	assert_int_equal(c.removed, c.added);
	assert_int_equal(c.rules, 0);
	shown("list map ip " TABLE " peer", "comment \"shop/new\"");
	not_shown("list ruleset", "shop/web");
	verified();
	assert_false(apply(everything(15, ALL_PORTS), 1).changed);
	server_renamed("gone");
	apply(server_and_client(), 2);
	verified();
}

/* Found, and kept, whatever the next agent is told to write. */
static void comments_outlive_their_agent(void **state)
{
	(void)state;
	server_is = "web";
	opened();
	bh_kernel_names(k, who, NULL);
	assert_false(started());
	apply(only_8001(), 1);
	bump();
	k = bh_kernel_close(k);

	/* Other chains: the tables are made anew, from what was read. */
	opened();
	k->cfg.nflog_group = 73;
	k->chains_hash = bh_chains_hash(&k->cfg, &k->caps);
	assert_true(started());
	shown("list map ip " TABLE " peer", "comment \"shop/web\"");
	assert_false(apply(only_8001(), 1).changed);
	verified();
	k = bh_kernel_close(k);

	/* Comments that are not wanted any more go with their elements. */
	opened();
	k->cfg.comments = BH_COMMENTS_OFF;
	k->cfg.nflog_group = 73;
	k->chains_hash = bh_chains_hash(&k->cfg, &k->caps);
	assert_true(started());
	assert_false(apply(only_8001(), 1).changed);
	shown("list map ip " TABLE " peer", "comment \"shop/web\"");
	apply(everything(15, ALL_PORTS), 2);
	not_shown("list map ip " TABLE " contract_result", "http");
	k = bh_kernel_close(k);

	/* None are there: nothing is written for their sake. */
	opened();
	bh_kernel_names(k, who, NULL);
	k->cfg.nflog_group = 73;
	k->chains_hash = bh_chains_hash(&k->cfg, &k->caps);
	assert_true(started());
	assert_false(apply(everything(15, ALL_PORTS), 2).changed);
	verified();
}

static void only_names_of_endpoints(void **state)
{
	(void)state;
	server_is = "web";
	opened();
	k->cfg.comments = BH_COMMENTS_NAMES;
	bh_kernel_names(k, who, NULL);
	assert_false(started());
	apply(everything(15, ALL_PORTS), 1);
	shown("list map ip " TABLE " peer", "comment \"shop/web\"");
	not_shown("list map ip " TABLE " cell", "comment \"drop");
	not_shown("list map ip " TABLE " contract_result", "http");
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
	assert_false(k->blind); /* rules come back as they were made */
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

/* As many rules as before, and one of them is not ours. */
static int replace_rule(const char *chain, const char *rule)
{
	return netlab_run(NETLAB_ROUTER,
			  "h=$(nft -a list chain ip " TABLE " %s 2>/dev/null | "
			  "sed -n 's/.* # handle //p' | sed -n 3p); "
			  "nft replace rule ip " TABLE " %s handle $h %s",
			  chain, chain, rule);
}

static void a_rule_in_place_of_ours(void **state)
{
	(void)state;
	started_plain();
	apply(only_8001(), 1);
	bump();
	assert_int_equal(replace_rule("forward", "accept"), 0);
	assert_true(reaches(8002));
	assert_true(monitor_says());
	stale("chain 'ip forward': rule 2 is not the one we made");
	assert_true(started());
	verified();
	bump();
	assert_false(reaches(8002));

	/* While no agent lives, too. */
	assert_int_equal(replace_rule("forward", "accept"), 0);
	k = bh_kernel_close(k);
	opened_plain();
	assert_true(started());
	verified();
	assert_false(reaches(8002));
	assert_false(apply(only_8001(), 1).changed);
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
	assert_int_equal(bh_kernel_apply(k, rs, h->addrs, h->n_addrs, NULL, 0, &c, &err), -ENOENT);
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
static void go_round(bool ahead)
{
	struct bh_err err = { .code = 0 };
	int listener, client, server;
	unsigned epoch;

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
		if (ahead)
			no_error(bh_kernel_tidy(k, &err), &err);
	} while (bh_kernel_epoch(k) != epoch);
	verified();
	assert_int_equal(netlab_write(client, "hello", 5), 5);
	assert_int_equal(netlab_end_of(client, 3000), -ECONNRESET);
	assert_int_equal(netlab_end_of(server, 3000), -ECONNRESET);
}

static void epochs_go_round(void **state)
{
	(void)state;
	go_round(false);
}

static void epochs_go_round_with_time_to_tidy(void **state)
{
	(void)state;
	go_round(true);
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

/* Whoever it talked to, in whatever direction, also where it answers for a service: and nobody else's. */
static void connections_of_an_address_are_forgotten(void **state)
{
	static const struct {
		int family;
		const char *other, *service, *gone;
	} rows[] = {
		{ 4, "10.66.0.1", "10.66.0.9", "10.66.0.7" },
		{ 6, "fd66::1", "fd66::9", "fd66::7" },
	};
	/* Few are listed and looked at here, of many the kernel lists some. */
	static const unsigned numbers[] = { 0, 6000 };

	(void)state;
	started_plain();
	for (size_t i = 0; i < BH_ARRAY_SIZE(rows) * BH_ARRAY_SIZE(numbers); i++) {
		const char *o = rows[i % 2].other, *s = rows[i % 2].service, *g = rows[i % 2].gone;
		struct bh_err err = { .code = 0 };
		struct bh_addr a;

		assert_int_equal(bh_addr_parse(g, &a), 0);
		assert_int_equal(
		    netlab_run(
			NETLAB_ROUTER,
			"conntrack -F 2>/dev/null; { "
			"echo -A -p udp -s %s -d %s --sport 1 --dport 9 --timeout 600; "
			"echo -A -p udp -s %s -d %s --sport 2 --dport 9 --timeout 600; "
			"echo -A -p udp -s %s -d %s -r %s -q %s --sport 3 --dport 9 "
			"--reply-port-src 9 --reply-port-dst 3 --timeout 600; "
			"echo -A -p udp -s %s -d %s --sport 4 --dport 9 --timeout 600; "
			"seq %u | sed 's/.*/-A -p udp -s %s -d %s --sport & --dport 10 --timeout 600/'; "
			"} | conntrack -R /proc/self/fd/0 >/dev/null 2>&1",
			g, o, o, g, o, s, g, o, o, s, numbers[i / 2], o, s),
		    0);
		assert_int_equal(
		    netlab_run(NETLAB_ROUTER, "test $(conntrack -C) = %u", numbers[i / 2] + 4), 0);
		no_error(bh_kernel_flush_conntrack(k, &a, &err), &err);
		assert_int_equal(
		    netlab_run(NETLAB_ROUTER, "test $(conntrack -C) = %u", numbers[i / 2] + 1), 0);
		assert_int_equal(
		    netlab_run(NETLAB_ROUTER,
			       "conntrack -L -f ipv%d 2>/dev/null | grep -q 'sport=4 '",
			       rows[i % 2].family),
		    0);
	}
}

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
		bool adopted;

		if (setuid(65534) < 0 || bh_kernel_open(&config, &n, &err) < 0)
			_exit(2);
		_exit(bh_kernel_take_over(n, &adopted, &err) == -EPERM &&
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
		cmocka_unit_test_teardown(tables_of_others_are_not_touched, after),
		cmocka_unit_test_teardown(everything_can_be_listed, after),
		cmocka_unit_test_teardown(comments_say_whose_it_is, after),
		cmocka_unit_test_teardown(comments_outlive_their_agent, after),
		cmocka_unit_test_teardown(only_names_of_endpoints, after),
		cmocka_unit_test_teardown(changes_of_others_are_noticed, after),
		cmocka_unit_test_teardown(a_rule_in_place_of_ours, after),
		cmocka_unit_test_teardown(errors_name_the_object, after),
		cmocka_unit_test_teardown(epochs_go_round, after),
		cmocka_unit_test_teardown(epochs_go_round_with_time_to_tidy, after),
		cmocka_unit_test_teardown(new_tables_trust_no_old_mark, after),
		cmocka_unit_test_teardown(only_news_needs_no_bump, after),
		cmocka_unit_test_teardown(connections_of_an_address_are_forgotten, after),
		cmocka_unit_test(bad_configurations),
		cmocka_unit_test(without_privilege),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
