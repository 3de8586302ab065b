/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_compile_oom.c - running out of memory is an error of the compiler, not its end
 *
 * The n-th allocation of a compile fails, for every n. Each time -ENOMEM comes back, nothing leaks (run
 * under AddressSanitizer to see it), and the same compiler then gives the same rule set as an untouched one.
 */
#include "policy/compile.h"
#include "policy/explain.h"
#include "tests/lib/oom.h"
#include "tests/lib/randset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct scene {
	struct bh_policy_set *set;
	struct bh_endpoint **eps;
	unsigned n;
};

static struct scene scene_make(void)
{
	struct rnd r = { .state = 4711 };
	const struct randset_config cfg = { .policies = 4, .endpoints = 5, .local_percent = 100 };
	struct scene s = { .n = cfg.endpoints };

	s.set = randset_policies(&r, &cfg);
	s.eps = randset_endpoints(&r, &cfg);
	return s;
}

static void scene_done(struct scene *s)
{
	bh_policy_set_free(s->set);
	randset_endpoints_free(s->eps, s->n);
}

static int compile(struct bh_compiler *c, const struct scene *s, struct bh_compiled *out)
{
	const struct bh_compile_input in = {
		.set = s->set,
		.eps = (const struct bh_endpoint *const *)s->eps,
		.n_eps = s->n,
		.revision = 1,
	};

	return bh_compile(c, &in, out, NULL);
}

static void assert_same(const struct bh_compiled *a, const struct bh_compiled *b)
{
	size_t na, nb;
	const void *ma = bh_ruleset_data(a->rules, &na), *mb = bh_ruleset_data(b->rules, &nb);

	assert_int_equal(na, nb);
	assert_memory_equal(ma, mb, na);
}

static void test_every_allocation_of_a_compile(void **state)
{
	struct scene s = scene_make();
	bh_cleanup(bh_compiler_freep) struct bh_compiler *calm = NULL;
	struct bh_compiled want, got;
	long n = 0;
	int r;

	assert_int_equal(bh_compiler_new(&calm), 0);
	assert_int_equal(compile(calm, &s, &want), 0);
	do {
		bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;

		assert_int_equal(bh_compiler_new(&c), 0);
		oom_fail_at(++n);
		r = compile(c, &s, &got);
		oom_fail_at(0);
		if (r == 0) {
			assert_same(&want, &got);
			bh_compiled_done(&got);
		} else {
			assert_true(oom_failed());
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(compile(c, &s, &got), 0);
			assert_same(&want, &got);
			bh_compiled_done(&got);
		}
	} while (oom_failed());
	print_message("# %ld allocations, each failed once\n", n - 1);
	assert_true(n > 100);
	bh_compiled_done(&want);
	scene_done(&s);
}

static void test_every_allocation_of_an_explanation(void **state)
{
	struct scene s = scene_make();
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct bh_query q = { .l4 = BH_L4_TCP, .port = 80, .from_endpoint = SIZE_MAX };
	struct bh_compiled out;
	long n = 0;

	assert_int_equal(bh_compiler_new(&c), 0);
	assert_int_equal(compile(c, &s, &out), 0);
	assert_int_equal(bh_addr_parse("10.0.1.200", &q.from_addr), 0);
	q.to_endpoint = out.addrs[0].endpoint;
	do {
		bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
		enum bh_outcome outcome;
		int r;

		oom_fail_at(++n);
		r = bh_explain(s.set, (const struct bh_endpoint *const *)s.eps, s.n, &out, &q,
			       &text, NULL, &outcome, NULL);
		oom_fail_at(0);
		if (r < 0)
			assert_int_equal(r, -ENOMEM);
		else
			assert_true(outcome != BH_OUTCOME_INVALID);
	} while (oom_failed());
	bh_compiled_done(&out);
	scene_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_of_a_compile),
		cmocka_unit_test(test_every_allocation_of_an_explanation),
	};

	return cmocka_run_group_tests_name("compile_oom", tests, NULL, NULL);
}
