/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_golden_lint.c - what a user reads about policies that are right, but do not do what was meant
 *
 *	tests/golden/lint/NAME.yaml	manifests; the first lines may say "# at: TIME", "# endpoints: all",
 *					"# cluster: RANGE", "# resolver: ADDRESS" (or none)
 *	tests/golden/lint/NAME.txt	exactly what is printed; nothing for quiet-*.yaml
 */
#include "common/util.h"
#include "policy/lint.h"
#include "policy/when.h"
#include "tests/lib/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What the first lines of a file say about the world around it. */
struct world {
	struct bh_prefix cluster[4];
	struct bh_addr resolvers[4];
	struct bh_surroundings around;
	struct bh_lint_input in;
};

static void say(struct world *w, const char *what, const char *value)
{
	if (strcmp(what, "at") == 0) {
		assert_int_equal(bh_time_parse(value, &w->in.now), 0);
	} else if (strcmp(what, "endpoints") == 0) {
		assert_string_equal(value, "all");
		w->in.endpoints = BH_LINT_ALL;
	} else if (strcmp(what, "cluster") == 0) {
		w->in.around = &w->around;
		assert_true(w->around.n_cluster < 4);
		assert_int_equal(bh_prefix_parse(value, &w->cluster[w->around.n_cluster++]), 0);
	} else if (strcmp(what, "resolver") == 0) {
		w->in.around = &w->around;
		assert_true(w->around.n_resolvers < 4);
		w->in.no_resolvers = strcmp(value, "none") == 0;
		if (!w->in.no_resolvers)
			assert_int_equal(
			    bh_addr_parse(value, &w->resolvers[w->around.n_resolvers++]), 0);
	}
}

static void read_head(struct world *w, const char *data)
{
	char what[32], value[128];

	w->around.cluster = w->cluster;
	w->around.resolvers = w->resolvers;
	while (*data == '#') {
		if (sscanf(data, "# %31[a-z]: %127[^\n]", what, value) == 2)
			say(w, what, value);
		data += strcspn(data, "\n");
		data += *data == '\n';
	}
}

static const struct bh_text *the_text(void *ctx, const char *file)
{
	const struct bh_text *t = ctx;

	return bh_streq(t->file, file) ? t : NULL;
}

/* What `bulkhead lint` prints. */
static void messages(const char *name, const char *data, size_t size, struct bh_buf *out)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_text_done) struct bh_text text = { .file = NULL };
	struct world w = { .in.now = 0 };
	struct bh_pos pos;
	int r;

	assert_non_null(set);
	r = bh_load_text(set, name, data, size, &d);
	assert_int_equal(r, d.n_errors ? -EINVAL : 0);
	r = bh_load_finish(set, &d);
	assert_true(r == 0 || r == -EINVAL);
	assert_int_equal(bh_text_init(&text, name, data, size, &pos, NULL), 0);
	w.in.set = set;
	w.in.eps = (const struct bh_endpoint *const *)set->endpoints;
	w.in.n_eps = set->n_endpoints;
	w.in.endpoints = set->n_endpoints > 0 ? BH_LINT_SOME : BH_LINT_NONE;
	w.in.text = the_text;
	w.in.ctx = &text;
	read_head(&w, data);
	assert_int_equal(bh_lint(&w.in, &d), 0);
	bh_diags_sort(&d);
	bh_diags_print(&d, out);
}

static void test_messages(void **state)
{
	golden_folder("lint", ".txt", messages);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_messages) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
