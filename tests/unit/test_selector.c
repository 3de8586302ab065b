/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_selector.c - labels and selectors: what matches what, and that the same reads the same
 */
#include "common/buf.h"
#include "common/util.h"
#include "policy/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The podSelector written as @flow. */
static struct bh_policy_set *load(const char *flow)
{
	struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	bh_buf_printf(&b,
		      "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\n"
		      "spec:\n  podSelector: %s\n",
		      flow);
	assert_non_null(set);
	if (bh_load_text(set, "t.yaml", b.data, b.len, &d) < 0) {
		bh_diags_print(&d, &b);
		fail_msg("%s", b.data);
	}
	assert_int_equal(set->n_policies, 1);
	return set;
}

/* @labels: "a=1 b=" */
static bool matches(const char *flow, const char *labels)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = load(flow);
	struct bh_labels l = { .items = NULL };
	bh_autofree char *copy = strdup(labels);
	char *save = NULL;
	bool ret;

	assert_non_null(copy);
	for (char *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(s, '=');

		assert_non_null(eq);
		*eq = '\0';
		assert_int_equal(bh_labels_set(&l, s, eq + 1), 0);
	}
	ret = bh_selector_match(&set->policies[0]->pods, &l);
	bh_labels_done(&l);
	return ret;
}

static void test_match_labels(void **state)
{
	(void)state;
	assert_true(matches("{}", ""));
	assert_true(matches("{}", "a=1"));
	assert_true(matches("{matchLabels: {}}", "a=1"));
	assert_true(matches("{matchLabels: {a: '1'}}", "a=1 b=2"));
	assert_false(matches("{matchLabels: {a: '1'}}", "a=2"));
	assert_false(matches("{matchLabels: {a: '1'}}", "b=1"));
	assert_false(matches("{matchLabels: {a: '1', b: '2'}}", "a=1"));
	assert_true(matches("{matchLabels: {a: '1', b: '2'}}", "b=2 a=1"));
	assert_false(matches("{matchLabels: {a: web}}", "a=Web"));
	/* An empty value needs the key; null is the empty value. */
	assert_true(matches("{matchLabels: {a: ''}}", "a="));
	assert_false(matches("{matchLabels: {a: ''}}", "b=1"));
	assert_true(matches("{matchLabels: {a: }}", "a="));
	assert_false(matches("{matchLabels: {a: }}", ""));
}

static void test_expressions(void **state)
{
	(void)state;
	assert_true(matches("{matchExpressions: [{key: a, operator: In, values: [x, w]}]}", "a=w"));
	assert_false(
	    matches("{matchExpressions: [{key: a, operator: In, values: [x, w]}]}", "a=z"));
	assert_false(matches("{matchExpressions: [{key: a, operator: In, values: [x, w]}]}", ""));
	assert_false(
	    matches("{matchExpressions: [{key: a, operator: NotIn, values: [x]}]}", "a=x"));
	assert_true(matches("{matchExpressions: [{key: a, operator: NotIn, values: [x]}]}", "a=z"));
	assert_true(matches("{matchExpressions: [{key: a, operator: NotIn, values: [x]}]}", "b=x"));
	assert_true(matches("{matchExpressions: [{key: a, operator: Exists}]}", "a="));
	assert_false(matches("{matchExpressions: [{key: a, operator: Exists}]}", "b="));
	assert_false(matches("{matchExpressions: [{key: a, operator: DoesNotExist}]}", "a=x"));
	assert_true(matches("{matchExpressions: [{key: a, operator: DoesNotExist}]}", "b=x"));
	/* All of them must hold, together with matchLabels. */
	assert_false(matches(
	    "{matchLabels: {a: x}, matchExpressions: [{key: b, operator: Exists}]}", "a=x"));
	assert_true(matches("{matchLabels: {a: x}, matchExpressions: [{key: b, operator: Exists}]}",
			    "a=x b=w"));
	assert_false(
	    matches("{matchExpressions: [{key: a, operator: In, values: [x]}, {key: a, operator: "
		    "In, values: [w]}]}",
		    "a=x"));
}

static bool alike(const char *x, const char *y)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *sx = load(x), *sy = load(y);
	const struct bh_selector *a = &sx->policies[0]->pods, *b = &sy->policies[0]->pods;

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct bh_sel_req *p = &a->reqs[i], *q = &b->reqs[i];

		if (p->op != q->op || strcmp(p->key, q->key) != 0 || p->n_values != q->n_values)
			return false;
		for (size_t k = 0; k < p->n_values; k++)
			if (strcmp(p->values[k], q->values[k]) != 0)
				return false;
	}
	return true;
}

static void test_canonical(void **state)
{
	(void)state;
	assert_true(alike("{matchLabels: {a: x, b: w}}", "{matchLabels: {b: w, a: x}}"));
	assert_true(alike("{matchLabels: {a: x}}",
			  "{matchExpressions: [{key: a, operator: In, values: [x]}]}"));
	assert_true(alike("{matchExpressions: [{key: a, operator: In, values: [x, w, x]}]}",
			  "{matchExpressions: [{key: a, operator: In, values: [w, x]}]}"));
	assert_true(
	    alike("{matchLabels: {a: x}, matchExpressions: [{key: a, operator: In, values: [x]}]}",
		  "{matchLabels: {a: x}}"));
	assert_false(alike("{matchLabels: {a: x}}", "{matchLabels: {a: w}}"));
	assert_false(alike("{matchExpressions: [{key: a, operator: In, values: [x]}]}",
			   "{matchExpressions: [{key: a, operator: NotIn, values: [x]}]}"));
}

static void test_labels(void **state)
{
	struct bh_labels l = { .items = NULL };
	char key[16];

	(void)state;
	assert_null(bh_labels_get(&l, "a"));
	for (int i = 99; i >= 0; i--) {
		(void)snprintf(key, sizeof(key), "k%02d", i * 37 % 100);
		assert_int_equal(bh_labels_set(&l, key, "x"), 0);
	}
	assert_int_equal(bh_labels_set(&l, "k05", "y"), 0);
	assert_int_equal(l.n, 100);
	for (size_t i = 1; i < l.n; i++)
		assert_true(strcmp(l.items[i - 1].key, l.items[i].key) < 0);
	assert_string_equal(bh_labels_get(&l, "k05"), "y");
	assert_string_equal(bh_labels_get(&l, "k99"), "x");
	assert_null(bh_labels_get(&l, "k100"));
	bh_labels_done(&l);
	assert_int_equal(l.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match_labels),
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
