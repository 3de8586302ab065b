/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_schema_text.c - what is made of the tables, where tests/cli cannot see it: without memory
 *
 * The n-th allocation of jansson fails, for every n. Each time there is no tree at all, rather than one with something
 * missing: a schema that lacks a limit would let through what it should not. Nothing leaks.
 */
#include "common/util.h"
#include "policy/schema/schema_format.h"
#include "policy/schema_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static long countdown; /* 0: none fails; else the one that brings it to 0, and all after it */
static bool out;
static long live;

static void *allocate(size_t size)
{
	void *p;

	if (countdown > 0 && --countdown == 0)
		out = true;
	p = out ? NULL : malloc(size);
	live += p != NULL;
	return p;
}

static void release(void *p)
{
	live -= p != NULL;
	free(p);
}

static const struct bh_kind_info *kind(const char *name)
{
	const struct bh_kind_info *k = NULL;

	assert_int_equal(bh_schema_kind_parse(name, NULL, &k, NULL), 0);
	return k;
}

static json_t *describe(const struct bh_kind_info *k)
{
	struct bh_schema_view v;

	assert_int_equal(bh_schema_look(k, "", &v, NULL), 0);
	return bh_schema_to_json(&v, true);
}

static json_t *kinds(const struct bh_kind_info *k)
{
	return bh_schema_kinds_json();
}

static const struct {
	const char *kind;
	json_t *(*make)(const struct bh_kind_info *k);
} trees[] = {
	{ "Endpoint", bh_schema_to_schema },
	{ "Endpoint", bh_schema_to_crd },
	{ "Endpoint", describe },
	{ "List", kinds },
};

static void test_no_memory(void **state)
{
	(void)state;
	json_set_alloc_funcs(allocate, release);
	for (size_t i = 0; i < BH_ARRAY_SIZE(trees); i++) {
		const struct bh_kind_info *k = kind(trees[i].kind);
		json_t *v = NULL;
		long n = 0;

		while (!v) {
			assert_true(++n < 100000);
			countdown = n;
			out = false;
			v = trees[i].make(k);
			if (v && out)
				fail_msg("tree %zu: whole, although allocation %ld failed", i, n);
			if (!v && !out)
				fail_msg("tree %zu: none, although nothing failed", i);
			if (!v && live)
				fail_msg("tree %zu: %ld blocks left after allocation %ld", i, live,
					 n);
		}
		countdown = 0;
		assert_true(n > 50);
		json_decref(v);
		assert_int_equal(live, 0);
	}
	json_set_alloc_funcs(malloc, free);
}

static void test_yaml(void **state)
{
	static const char want[] = "a: plain words, (here)\n"
				   "b: \"no\"\n"
				   "c: \"12\"\n"
				   "d: \"with: colon\"\n"
				   "e: \"\"\n"
				   "\"10\":\n"
				   "- x: 1\n"
				   "  \"y\": null\n"
				   "- - true\n"
				   "- {}\n"
				   "f: []\n"
				   "g: \" \\\"x\\\"\\n\"\n";
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	json_t *v = json_pack("{s:s, s:s, s:s, s:s, s:s, s:[{s:i, s:n}, [b], {}], s:[], s:s}", "a",
			      "plain words, (here)", "b", "no", "c", "12", "d", "with: colon", "e",
			      "", "10", "x", 1, "y", 1, "f", "g", " \"x\"\n");

	(void)state;
	assert_non_null(v);
	bh_schema_put_yaml(&b, v);
	json_decref(v);
	assert_string_equal(bh_buf_str(&b), want);
}

static void test_formats(void **state)
{
	const struct bh_field_format *f = bh_field_format("protocol");
	size_t n = 0;

	(void)state;
	assert_null(bh_field_format(NULL));
	assert_null(bh_field_format("port-"));
	while (f->word(n))
		n++;
	assert_true(n > 50);
	assert_string_equal(f->word(n - 1), "unknown");
	assert_null(f->word(n + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_no_memory),
					    cmocka_unit_test(test_yaml),
					    cmocka_unit_test(test_formats) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
