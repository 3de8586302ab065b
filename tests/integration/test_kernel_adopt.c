// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_adopt.c - tables that outlive their agent: the next one takes them over
 *
 * In network namespaces of this program's own (root). Other programs are played by nft(8).
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/kernel_tables.h"

static void the_next_agent_changes_nothing(void **state)
{
	char *before, *after_text;
	unsigned epoch;
	struct bh_kernel_change c;

	(void)state;
	opened();
	assert_false(started());
	assert_true(apply(everything(15, ALL_PORTS), 41).needs_bump);
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
	c = apply(everything(15, ALL_PORTS), 41);
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

/* Tables of a version before this one: not open for a moment, and what is new in them is there afterwards. */
static void tables_of_the_first_format(void **state)
{
	(void)state;
	opened();
	assert_false(started());
	apply(only_8001(), 7);
	bump();
	k = bh_kernel_close(k);
	for (int i = 0; i < 2; i++) {
		const char *family = i == 0 ? "ip" : "ip6";

		assert_int_equal(netlab_run(NETLAB_ROUTER,
					    "nft 'delete map %s " TABLE
					    " port_icmp; delete element %s " TABLE
					    " state { 0x00000001 }; add element %s " TABLE
					    " state { 0x00000001 : 0x00000001 }'",
					    family, family, family),
				 0);
	}
	opened();
	assert_true(started());
	verified();
	assert_false(reaches(8002));
	assert_true(reaches(8001));
	assert_false(apply(only_8001(), 7).changed);
	apply(everything(15, ALL_PORTS), 8);
	verified();
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

static void nobody_listens(void)
{
	struct pollfd p = { .fd = bh_kernel_monitor_fd(k), .events = POLLIN };

	assert_int_equal(nft("add table ip theirs; delete table ip theirs"), 0);
	assert_int_equal(poll(&p, 1, 0), 0);
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
	/* So nobody has to be told of it, the next agent neither. */
	nobody_listens();
	k = bh_kernel_close(k);
	opened();
	assert_true(started());
	nobody_listens();
	assert_false(reaches(8002));
}

/* Marks "allowed, in epoch @epoch", of connections that nobody speaks on. */
static void old_marks(unsigned first, unsigned last, unsigned step)
{
	for (unsigned epoch = first; epoch <= last; epoch += step)
		assert_int_equal(
		    netlab_run(NETLAB_ROUTER,
			       "conntrack -I -p udp -s 192.0.2.1 -d 192.0.2.2 --sport %u "
			       "--dport 9 --timeout 300 --mark 0x%x 2>/dev/null",
			       1000 + epoch, (0x80U | epoch) << 24),
		    0);
}

/*
 * Tables were removed while no agent lived: whatever epochs stand in marks, none of them is taken for ours, and a
 * connection that is not allowed any more is cut.
 */
static void after_a_flush_all_are_decided_again(void **state)
{
	/* Epochs in marks, beside that of the connection (16), and what is begun with. */
	static const struct {
		unsigned first, last, step, epoch;
	} rows[] = {
		{ 5, 5, 1, 32 },   /* the usual: a whole block stands in no mark */
		{ 32, 62, 1, 8 },  /* the second half of the first one */
		{ 1, 52, 10, 56 }, /* of the last one */
		{ 0, 62, 1, 62 },  /* all are in use */
	};

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(rows); i++) {
		int listener, client, server;
		char buf[8];

		assert_int_equal(netlab_run(NETLAB_ROUTER, "conntrack -F 2>/dev/null"), 0);
		opened();
		assert_false(started());
		listener = netlab_serve(NETLAB_SERVER, 4, SOCK_STREAM, 8002);
		client = netlab_connect(NETLAB_CLIENT, NETLAB_SERVER, 4, SOCK_STREAM, 8002, 2000);
		server = netlab_accept(listener, 2000);
		assert_true(client >= 0 && server >= 0);
		assert_int_equal(bh_kernel_epoch(k), 16);
		k = bh_kernel_close(k);
		assert_int_equal(nft("flush ruleset"), 0);
		old_marks(rows[i].first, rows[i].last, rows[i].step);

		opened();
		assert_false(started());
		assert_int_equal(bh_kernel_epoch(k), rows[i].epoch);
		assert_true(apply(only_8001(), 1).needs_bump);
		bump();
		assert_int_equal(netlab_write(client, "refused", 7), 7);
		assert_true(netlab_read(server, buf, sizeof(buf), 1000) <= 0);
		assert_true(netlab_read(client, buf, sizeof(buf), 2000) < 0);
		close(listener);
		close(client);
		close(server);
		k = bh_kernel_close(k);
		assert_int_equal(nft("flush ruleset"), 0);
	}
	assert_int_equal(netlab_run(NETLAB_ROUTER, "conntrack -F 2>/dev/null"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_next_agent_changes_nothing, after),
		cmocka_unit_test_teardown(rules_stay_without_an_agent, after),
		cmocka_unit_test_teardown(other_chains_are_replaced_and_elements_kept, after),
		cmocka_unit_test_teardown(another_table_of_our_name, after),
		cmocka_unit_test_teardown(tables_of_the_first_format, after),
		cmocka_unit_test_teardown(elements_that_nobody_reads, after),
		cmocka_unit_test_teardown(owned_by_another_agent, after),
		cmocka_unit_test_teardown(after_a_flush_all_are_decided_again, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
