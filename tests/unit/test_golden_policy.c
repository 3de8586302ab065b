/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_golden_policy.c - manifests -> rule set, as a text that was reviewed
 *
 *	tests/golden/ruleset/NAME.yaml	policies, Namespaces, Endpoints
 *	tests/golden/ruleset/NAME.txt	the rule set as `bulkhead render` prints it
 */
#include "common/util.h"
#include "policy/compile.h"
#include "policy/load.h"
#include "tests/lib/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct scene {
	struct bh_policy_set *set;
	struct bh_compiled out;
};

static const struct bh_endpoint *const *endpoints(const struct scene *s)
{
	return (const struct bh_endpoint *const *)s->set->endpoints;
}

static void scene_load(struct scene *s, const char *name, const char *data, size_t size)
{
	struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct bh_err err = { .code = 0 };
	int r;

	s->set = bh_policy_set_new();
	assert_non_null(s->set);
	r = bh_load_text(s->set, name, data, size, &d);
	if (bh_load_finish(s->set, &d) < 0 || r < 0) {
		bh_diags_print(&d, &text);
		fail_msg("%s", bh_buf_str(&text));
	}
	bh_diags_done(&d);
	assert_int_equal(bh_compiler_new(&c), 0);
	const struct bh_compile_input in = {
		.set = s->set,
		.eps = endpoints(s),
		.n_eps = s->set->n_endpoints,
		.revision = 1,
	};

	if (bh_compile(c, &in, &s->out, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
}

static void scene_done(struct scene *s)
{
	bh_compiled_done(&s->out);
	bh_policy_set_free(s->set);
}

/* ---- what is compared ---- */

static void render(const char *name, const char *data, size_t size, struct bh_buf *out)
{
	struct scene s = { .set = NULL };

	scene_load(&s, name, data, size);
	for (size_t i = 0; i < s.out.n_addrs; i++) {
		const struct bh_addr_class *a = &s.out.addrs[i];
		const struct bh_endpoint *ep = s.set->endpoints[a->endpoint];
		char text[BH_ADDR_STRLEN];

		bh_buf_printf(out, "%-20s e%-3u %s/%s%s\n", bh_addr_format(&a->addr, text),
			      a->cls & ~BH_CLASS_ENDPOINT, ep->ns, ep->name,
			      a->local ? " (local)" : "");
	}
	bh_ruleset_print(s.out.rules, out);
	scene_done(&s);
}

static void test_rulesets(void **state)
{
	golden_folder("ruleset", ".txt", render);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rulesets),
	};

	return cmocka_run_group_tests_name("golden_policy", tests, NULL, NULL);
}
