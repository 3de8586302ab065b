// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/integration/test_kernel_live.c - the kernel's state in words, and what somebody else made of it
 *
 * In network namespaces of this program's own (root). Other programs are played by nft(8), on tables without an owner.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/json.h"
#include "dataplane/kernel/live.h"
#include "tests/lib/kernel_tables.h"

static void who(void *arg, const struct bh_addr *a, char *buf, size_t size)
{
	char text[BH_ADDR_STRLEN];
	bool server = strcmp(bh_addr_format(a, text), netlab_addr(NETLAB_SERVER, a->family)) == 0;

	(void)arg;
	(void)snprintf(buf, size, "shop/%s", server ? "web" : "client");
}

static json_t *parsed(struct bh_buf *b)
{
	struct bh_err err = { .code = 0 };
	json_t *v = NULL;

	no_error(bh_json_load(b->data, b->len, SIZE_MAX, &v, &err), &err);
	bh_buf_done(b);
	return v;
}

static json_t *live(void)
{
	struct bh_buf b = BH_BUF_INIT;
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_live(k, &b, &err), &err);
	return parsed(&b);
}

static bool is_true(const json_t *v, const char *key)
{
	return json_is_true(json_object_get(v, key));
}

static const char *str(const json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s ? s : "";
}

static json_t *list_of(const json_t *v, unsigned family, const char *name)
{
	return json_object_get(json_array_get(json_object_get(v, "tables"), family), name);
}

static void equal(void)
{
	json_t *v = live();

	if (!is_true(v, "equal") || !is_true(v, "compared"))
		fail_msg("%s", str(json_array_get(json_object_get(v, "differences"), 0), "text"));
	assert_int_equal(json_array_size(json_object_get(v, "differences")), 0);
	json_decref(v);
}

/* One difference, in these words. */
static void differs(const char *family, const char *object, const char *what, const char *words)
{
	json_t *v = live(), *list = json_object_get(v, "differences"), *item;
	bool found = false;
	size_t i;

	assert_false(is_true(v, "equal"));
	assert_true(is_true(v, "compared"));
	json_array_foreach(list, i, item) {
		found = found ||
			(bh_streq(str(item, "family"), family) &&
			 bh_streq(str(item, "object"), object) &&
			 bh_streq(str(item, "what"), what) && strstr(str(item, "text"), words));
	}
	if (!found) {
		char *text = json_dumps(list, 0);

		fail_msg("%s %s %s: '%s' is not in %s", family, object, what, words, text);
	}
	json_decref(v);
}

static void everything_is_told(void **state)
{
	json_t *v, *item;
	size_t i, contracts = 0, all = 0;

	(void)state;
	opened();
	bh_kernel_names(k, who, NULL);
	assert_false(started());
	v = live();
	assert_false(is_true(v, "applied"));
	assert_true(is_true(v, "equal"));
	json_decref(v);
	apply(everything(15, ALL_PORTS), 41);
	bump();
	equal();
	v = live();
	assert_true(is_true(v, "applied"));
	assert_int_equal(json_integer_value(json_object_get(v, "revision")), 41);
	assert_int_equal(json_integer_value(json_object_get(v, "epoch")), bh_kernel_epoch(k));
	assert_string_equal(str(v, "table"), TABLE);
	for (unsigned f = 0; f < 2; f++) {
		assert_string_equal(str(json_array_get(json_object_get(v, "tables"), f), "state"),
				    "present");
		assert_int_equal(json_array_size(list_of(v, f, "endpoints")), 2);
		assert_int_equal(json_array_size(list_of(v, f, "subjects")), 2);
		assert_int_equal(json_array_size(list_of(v, f, "contracts")), 7);
		assert_true(json_array_size(list_of(v, f, "ranges")) > 1);
		assert_int_equal(json_array_size(list_of(v, f, "ports")), 5);
	}
	item = json_array_get(list_of(v, 0, "endpoints"), 0);
	assert_string_equal(str(item, "address"), netlab_addr(NETLAB_CLIENT, 4));
	assert_string_equal(str(item, "name"), "shop/client");
	assert_string_equal(str(item, "class"), "e1");
	json_array_foreach(list_of(v, 0, "cells"), i, item) {
		assert_string_equal(str(item, "subject"), "e2");
		contracts += bh_streq(str(item, "decision"), "contract 1");
		all += bh_streq(str(item, "protocol"), "tcp") &&
		       bh_streq(str(item, "port"), "8000-8009") &&
		       bh_streq(str(item, "peer"), "any endpoint") &&
		       bh_streq(str(item, "direction"), "egress");
	}
	assert_true(contracts > 10);
	assert_int_equal(all, 1);
	json_decref(v);
}

static void what_others_did_is_named(void **state)
{
	static const struct {
		const char *command, *family, *object, *what, *words;
	} hits[] = {
		{ "add rule ip " TABLE " fresh accept", "ip", "chain", "changed",
		  "chain 'ip fresh' has" },
		{ "insert rule ip6 " TABLE " forward accept", "ip6", "chain", "changed",
		  "chain 'ip6 forward' has" },
		{ "flush chain ip6 " TABLE " no_in", "ip6", "chain", "changed", "has 0 rules" },
		{ "add chain ip " TABLE " mine { type filter hook input priority 0; }", "ip",
		  "chain", "changed", "chain 'ip mine' is not ours" },
		{ "delete element ip " TABLE " peer { 10.71.1.2 }", "ip", "peer", "missing",
		  "endpoint 10.71.1.2 (shop/client): class e1" },
		{ "delete element ip6 " TABLE " subj_in { fd71:2::2 }", "ip6", "subj_in", "missing",
		  "endpoint fd71:2::2 (shop/web) as a subject for ingress: class e2" },
		{ "add element ip " TABLE " peer { 10.9.9.9 : 0x80000001 }", "ip", "peer", "extra",
		  "endpoint 10.9.9.9" },
		{ "delete element ip " TABLE " peer { 10.71.1.2 }; add element ip " TABLE
		  " peer { 10.71.1.2 : 0x80000002 }",
		  "ip", "peer", "changed",
		  "class e2; should be: endpoint 10.71.1.2 (shop/client): class e1" },
		{ "flush map ip6 " TABLE " cell", "ip6", "cell", "missing",
		  "ingress of e2 from any, tcp 8001: allow" },
		{ "add element ip " TABLE " cell { 0x00000001 . 0x80000002 . 0x00000000 . 8002 . "
		  "tcp : 0x20000002 . 0x20000000 }",
		  "ip", "cell", "extra", "from any, tcp 8002: allow" },
		{ "delete element ip " TABLE " state { 0x00000004 }", "ip", "state", "changed",
		  "epoch: 0x0; should be" },
		{ "add table ip " TABLE " { flags dormant; }", "ip", "table", "changed",
		  "dormant" },
		{ "delete table ip6 " TABLE, "ip6", "table", "missing", "is gone" },
		{ "flush ruleset", "ip", "table", "missing", "is gone" },
	};

	(void)state;
	started_plain();
	bh_kernel_names(k, who, NULL);
	apply(only_8001(), 1);
	bump();
	bump();
	equal();
	for (size_t i = 0; i < BH_ARRAY_SIZE(hits); i++) {
		if (nft(hits[i].command) != 0)
			fail_msg("nft %s", hits[i].command);
		differs(hits[i].family, hits[i].object, hits[i].what, hits[i].words);
		assert_true(started()); /* repaired */
		equal();
	}
}

/* A whole map is gone for nobody: what is left is told. */
static void more_than_anybody_reads(void **state)
{
	json_t *v;

	(void)state;
	started_plain();
	apply(only_8001(), 1);
	assert_int_equal(netlab_run(NETLAB_ROUTER,
				    "for i in $(seq 0 4); do for j in $(seq 1 250); do "
				    "echo add element ip " TABLE
				    " peer { 10.9.$i.$j : 0x80000001 }; done; done | nft -f -"),
			 0);
	v = live();
	assert_int_equal(json_integer_value(json_object_get(v, "differing")), 1250);
	assert_int_equal(json_array_size(json_object_get(v, "differences")),
			 BH_LIVE_DIFFERENCES_MAX);
	json_decref(v);
}

/* No agent: names and policies stand beside the elements. */
static void without_an_agent(void **state)
{
	const struct bh_commenter nobody = { .rs = NULL };
	struct bh_buf b = BH_BUF_INIT;
	struct bh_err err = { .code = 0 };
	json_t *v, *item;

	(void)state;
	assert_int_equal(bh_live_read(TABLE, NULL, &nobody, &b, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "there is no table " TABLE));
	bh_buf_done(&b);
	opened();
	bh_kernel_names(k, who, NULL);
	assert_false(started());
	apply(everything(15, ALL_PORTS), 41);
	k = bh_kernel_close(k);

	no_error(bh_live_read(TABLE, NULL, &nobody, &b, &err), &err);
	v = parsed(&b);
	assert_false(is_true(v, "compared"));
	assert_false(is_true(v, "equal"));
	assert_int_equal(json_integer_value(json_object_get(v, "revision")), 41);
	item = json_array_get(list_of(v, 1, "endpoints"), 1);
	assert_string_equal(str(item, "name"), "shop/web");
	item = json_array_get(list_of(v, 1, "contracts"), 1);
	assert_string_equal(str(item, "protocol"), "http");
	assert_string_equal(str(item, "decision"), "allow");
	item = json_array_get(list_of(v, 0, "cells"), 0);
	assert_string_equal(str(item, "subjectMeans"), "shop/web");
	json_decref(v);

	/* Others' tables of that name are no reason to give up. */
	assert_int_equal(nft("flush ruleset"), 0);
	assert_int_equal(nft("add table ip " TABLE), 0);
	no_error(bh_live_read(TABLE, NULL, &nobody, &b, &err), &err);
	v = parsed(&b);
	assert_string_equal(str(json_array_get(json_object_get(v, "tables"), 0), "state"),
			    "unreadable");
	assert_string_equal(str(json_array_get(json_object_get(v, "tables"), 1), "state"),
			    "missing");
	json_decref(v);
	opened();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(everything_is_told, after),
		cmocka_unit_test_teardown(what_others_did_is_named, after),
		cmocka_unit_test_teardown(more_than_anybody_reads, after),
		cmocka_unit_test_teardown(without_an_agent, after),
	};

	return cmocka_run_group_tests(tests, group_up, group_down);
}
