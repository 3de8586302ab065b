// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_change.c - what two rule sets differ in, port by port; and running out of memory on the way
 *
 * Two random policy sets over the same endpoints: for each pair of parties the pieces cover every port once, their words
 * are those that the two evaluators give, and the groups name a piece exactly if its meaning differs. Another seed or
 * number of sets: BH_SEED, BH_SETS. Then the n-th allocation of all that fails, for every n: -ENOMEM comes
 * back, and nothing leaks (run under AddressSanitizer to see it).
 */
#include "policy/change.h"
#include "policy/party.h"
#include "tests/lib/oom.h"
#include "tests/lib/randset.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED 20310611U
#define SETS 40U

struct scene {
	struct bh_policy_set *set[2];
	struct bh_compiled out[2];
	struct bh_endpoint **eps;
	unsigned n_eps;
};

static void scene_make(struct scene *s, struct rnd *r, unsigned features)
{
	const struct randset_config c = {
		.policies = 1 + rnd_below(r, 5),
		.endpoints = 2 + rnd_below(r, 5),
		.features = features,
		.now = 1930000000,
	};

	*s = (struct scene){ .eps = randset_endpoints(r, &c), .n_eps = c.endpoints };
	for (unsigned i = 0; i < 2; i++) {
		bh_cleanup(bh_compiler_freep) struct bh_compiler *compiler = NULL;
		struct bh_err err = { .code = 0 };

		s->set[i] = randset_policies(r, &c);
		const struct bh_compile_input in = {
			.set = s->set[i],
			.eps = (const struct bh_endpoint *const *)s->eps,
			.n_eps = s->n_eps,
			.now = c.now,
			.revision = 1,
		};

		assert_int_equal(bh_compiler_new(&compiler), 0);
		if (bh_compile(compiler, &in, &s->out[i], &err) < 0)
			fail_msg("%s", err.msg);
	}
}

static void scene_done(struct scene *s)
{
	for (unsigned i = 0; i < 2; i++) {
		bh_compiled_done(&s->out[i]);
		bh_policy_set_free(s->set[i]);
	}
	randset_endpoints_free(s->eps, s->n_eps);
}

/* ---- what is looked at ---- */

struct look {
	struct bh_meanings *m;
	struct bh_reach *reach[2];
	struct bh_changes *c;
	struct bh_parties parties;
};

static void look_done(struct look *l)
{
	(void)bh_changes_free(l->c);
	(void)bh_reach_free(l->reach[0]);
	(void)bh_reach_free(l->reach[1]);
	(void)bh_meanings_free(l->m);
	bh_parties_done(&l->parties);
}

static int look_make(const struct scene *s, struct look *l)
{
	const struct bh_party_input in = {
		.compiled = { &s->out[0], &s->out[1] },
		.n_compiled = 2,
		.eps = (const struct bh_endpoint *const *)s->eps,
		.n_eps = s->n_eps,
	};
	int r = bh_meanings_new(&l->m);

	for (unsigned i = 0; i < 2 && r == 0; i++) {
		unsigned source = 0;

		r = bh_meanings_add(l->m, s->out[i].rules, &source, NULL);
		if (r == 0)
			r = bh_reach_new(s->out[i].rules, l->m, source, &l->reach[i]);
	}
	if (r == 0)
		r = bh_changes_new(l->reach[0], l->reach[1], &l->c);
	return r == 0 ? bh_parties_make(&in, &l->parties, NULL) : r;
}

static int look_all(struct look *l)
{
	int r = 0;

	for (size_t i = 0; i < l->parties.n && r == 0; i++) {
		for (size_t k = 0; k < l->parties.n && r == 0; k++) {
			struct bh_change_list list;
			const char *text;
			uint32_t number;

			r = bh_changes_pair(l->c, l->parties.items[i].cls, l->parties.items[k].cls,
					    &list, NULL);
			if (r == 0 && list.differs)
				r = bh_changes_words(l->c, list.number, &number, &text);
		}
	}
	return r;
}

/* ---- port by port ---- */

static struct bh_decision decide(const struct bh_ruleset *rs, uint32_t from, uint32_t to,
				 uint32_t l4, uint32_t port)
{
	struct bh_decision d = { 0, 0 };

	if (from & BH_CLASS_ENDPOINT)
		d.egress = bh_ruleset_lookup(rs, BH_DIR_EGRESS, from, to, (uint8_t)(l4 ? l4 : 47),
					     (uint16_t)port);
	if (to & BH_CLASS_ENDPOINT)
		d.ingress = bh_ruleset_lookup(rs, BH_DIR_INGRESS, to, from, (uint8_t)(l4 ? l4 : 47),
					      (uint16_t)port);
	return d;
}

static uint32_t meaning(struct bh_meanings *m, unsigned source, const struct bh_decision *d,
			uint32_t l4)
{
	bool mute = l4 == BH_L4_ICMP || l4 == BH_L4_ICMPV6;
	uint32_t ret = 0;

	assert_int_equal(bh_meaning_of(m, source, d, mute, &ret, NULL), 0);
	return ret;
}

/* Words may be another's that means the same; the meaning is what counts. */
static void check_port(const struct scene *s, struct look *l, const uint32_t *from,
		       const uint32_t *to, const struct bh_change_piece *p, uint32_t port)
{
	struct bh_decision was = decide(s->out[0].rules, from[0], to[0], p->l4, port);
	struct bh_decision is = decide(s->out[1].rules, from[1], to[1], p->l4, port);

	assert_int_equal(meaning(l->m, 0, &was, p->l4), p->was.meaning);
	assert_int_equal(meaning(l->m, 1, &is, p->l4), p->is.meaning);
	assert_memory_equal(&was, &p->was.words, sizeof(was));
	assert_memory_equal(&is, &p->is.words, sizeof(is));
}

static size_t check_list(const struct scene *s, struct look *l, struct rnd *r, const uint32_t *from,
			 const uint32_t *to)
{
	bh_cleanup(bh_change_groups_done) struct bh_change_groups g = { .n = 0 };
	struct bh_change_list list;
	size_t ports = 0, differ = 0;

	assert_int_equal(bh_changes_pair(l->c, from, to, &list, NULL), 0);
	for (size_t i = 0; i < list.n; i++) {
		const struct bh_change_piece *p = &list.items[i];

		assert_true(i + 1 < list.n || p->l4 == 0);
		if (p->l4 != 0 && (i == 0 || list.items[i - 1].l4 != p->l4))
			assert_int_equal(p->lo, bh_reach_first_port(p->l4));
		else if (p->l4 != 0)
			assert_int_equal(p->lo, list.items[i - 1].hi + 1);
		if (p->l4 != 0 && list.items[i + 1].l4 != p->l4)
			assert_int_equal(p->hi, BH_REACH_LAST_PORT);
		check_port(s, l, from, to, p, p->l4 ? p->lo : 0);
		check_port(s, l, from, to, p, p->l4 ? p->hi : 0);
		if (p->l4)
			check_port(s, l, from, to, p, p->lo + rnd_below(r, p->hi - p->lo + 1));
		differ += bh_change_differs(p);
	}
	assert_int_equal(list.differs, differ > 0);
	assert_int_equal(bh_change_groups_make(l->c, &list, &g), 0);
	for (size_t i = 0; i < g.n; i++) {
		assert_true(bh_change_differs(g.items[i].piece));
		assert_string_not_equal(g.items[i].was, "");
		ports += g.items[i].ports.n;
	}
	assert_int_equal(g.n > 0, differ > 0);
	assert_true(ports >= g.n && ports <= differ);
	return differ;
}

static void test_port_by_port(void **state)
{
	const unsigned seed = rnd_from_env("BH_SEED", SEED), sets = rnd_from_env("BH_SETS", SETS);
	size_t differ = 0;

	for (unsigned i = 0; i < sets; i++) {
		struct rnd r = { .state = seed + i };
		struct look l = { .m = NULL };
		struct scene s;

		scene_make(&s, &r, RANDSET_ALL & ~(unsigned)RANDSET_NODE);
		assert_int_equal(look_make(&s, &l), 0);
		for (size_t a = 0; a < l.parties.n; a++) {
			for (size_t b = 0; b < l.parties.n; b++)
				differ += check_list(&s, &l, &r, l.parties.items[a].cls,
						     l.parties.items[b].cls);
		}
		look_done(&l);
		scene_done(&s);
	}
	assert_true(differ > sets * 20);
}

/* Nothing differs from itself. */
static void test_same(void **state)
{
	struct rnd r = { .state = SEED };

	for (unsigned i = 0; i < 20; i++) {
		struct look l = { .m = NULL };
		struct bh_compiled second;
		struct scene s;

		scene_make(&s, &r, RANDSET_ALL & ~(unsigned)RANDSET_NODE);
		second = s.out[1];
		s.out[1] = s.out[0];
		assert_int_equal(look_make(&s, &l), 0);
		for (size_t a = 0; a < l.parties.n; a++) {
			for (size_t b = 0; b < l.parties.n; b++)
				assert_int_equal(check_list(&s, &l, &r, l.parties.items[a].cls,
							    l.parties.items[b].cls),
						 0);
		}
		look_done(&l);
		s.out[1] = second;
		scene_done(&s);
	}
}

static void test_every_allocation(void **state)
{
	struct rnd r = { .state = 4711 };
	struct scene s;
	long n = 0;
	bool left;

	scene_make(&s, &r, RANDSET_DETAIL);
	do {
		struct look l = { .m = NULL };
		int e;

		oom_fail_at(++n);
		e = look_make(&s, &l);
		if (e == 0)
			e = look_all(&l);
		oom_fail_at(0);
		left = !oom_failed();
		/* What only words are made of may be left out; nothing else. */
		assert_true(e == 0 || e == -ENOMEM);
		assert_true(!left || e == 0);
		look_done(&l);
	} while (!left);
	assert_true(n > 100);
	scene_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_by_port),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_every_allocation),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
