/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_compile_change.c - changes one by one come to the same as everything at once
 *
 * A random world changes; the compiler is told the changes only. After each step another compiler, which knows nothing
 * of before, compiles the world as it is, and the two results must mean the same. What did not change keeps its number.
 * Another seed or number of worlds: BH_SEED, BH_SETS.
 */
#include "policy/compile.h"
#include "tests/lib/oom.h"
#include "tests/lib/randset.h"
#include "tests/lib/samerules.h"
#include "tests/lib/wordcheck.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED  20310301U
#define SETS  150U
#define STEPS 12U
#define NOW   INT64_C(1930316400) /* Monday, 3 March 2031, 15:00 UTC */

/* ---- one world, one compiler ---- */

struct scene {
	uint64_t seed;
	struct randset *w;
	struct bh_compiler *c;
	struct bh_compiled now;
	uint64_t revision;
	struct bh_endpoint_change eps[8]; /* of this step */
	size_t n_eps;
	char story[1024];
	unsigned again; /* how often everything had to be compiled */
};

static void tell(struct scene *sc, const char *text)
{
	size_t n = strlen(sc->story);

	snprintf(sc->story + n, sizeof(sc->story) - n, "%s; ", text);
}

static struct bh_compile_input input_of(struct scene *sc)
{
	return (struct bh_compile_input){
		.set = sc->w->set,
		.eps = (const struct bh_endpoint *const *)sc->w->eps,
		.n_eps = sc->w->n_eps,
		.around = &sc->w->around,
		.now = sc->w->now,
		.revision = sc->revision,
	};
}

static bool anybody_is_local(const struct randset *w)
{
	for (unsigned i = 0; i < w->n_eps; i++) {
		if (w->eps[i] && w->eps[i]->local && w->eps[i]->n_addrs)
			return true;
	}
	return false;
}

static void scene_make(struct scene *sc, uint64_t seed, unsigned features)
{
	static const unsigned locals[] = { 100, 100, 60, 30, 0 };
	struct rnd r = { .state = seed };
	struct randset_config cfg = {
		.policies = 1 + rnd_below(&r, 7),
		.endpoints = 3 + rnd_below(&r, 7),
		.nodes = rnd_below(&r, 4),
		.local_percent = locals[rnd_below(&r, 5)],
		.features = features & rnd_from_env("BH_FEATURES", RANDSET_ALL),
		.now = NOW,
	};
	struct bh_err err = { .code = 0 };

	*sc = (struct scene){ .seed = seed, .revision = 1 };
	sc->w = randset_new(seed, &cfg);
	assert_int_equal(bh_compiler_new(&sc->c), 0);

	const struct bh_compile_input in = input_of(sc);

	if (bh_compile(sc->c, &in, &sc->now, &err) < 0)
		fail_msg("seed %llu: %s", (unsigned long long)seed, err.msg);
}

static void scene_done(struct scene *sc)
{
	bh_compiled_done(&sc->now);
	bh_compiler_free(sc->c);
	randset_free(sc->w);
}

static void scene_fail(const struct scene *sc, const char *what)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	randset_print(sc->w, &b);
	print_message("# seed %llu: after %s: %s\n%s", (unsigned long long)sc->seed, sc->story,
		      what, bh_buf_str(&b));
	fail();
}

/* ---- against a compiler that knows nothing of before ---- */

#define SPOTS_MAX 600

static void spot_add(struct bh_addr *spots, size_t *n, const struct bh_addr *a)
{
	for (size_t i = 0; i < *n; i++) {
		if (bh_addr_eq(&spots[i], a))
			return;
	}
	if (*n < SPOTS_MAX)
		spots[(*n)++] = *a;
}

/* The ends of all pieces of the address space. */
static void spots_make(const struct bh_ruleset *rs, struct bh_addr *spots, size_t *n)
{
	size_t n_pieces;
	const struct bh_cidr_piece *p = bh_ruleset_cidr_pieces(rs, &n_pieces);

	for (size_t i = 0; i < n_pieces; i++) {
		bool v4 = p[i].family == 4;
		struct bh_addr lo = v4 ? bh_addr_from_v4(p[i].lo) : bh_addr_from_v6(p[i].lo), next;
		struct bh_addr hi = v4 ? bh_addr_from_v4(p[i].hi) : bh_addr_from_v6(p[i].hi);

		spot_add(spots, n, &lo);
		spot_add(spots, n, &hi);
		if (bh_addr_prev(&lo, &next))
			spot_add(spots, n, &next);
		if (bh_addr_next(&hi, &next))
			spot_add(spots, n, &next);
	}
}

static const struct same_port ports[] = {
	{ BH_L4_TCP, 80 },   { BH_L4_TCP, 81 },          { BH_L4_TCP, 85 },
	{ BH_L4_TCP, 8080 }, { BH_L4_TCP, 65535 },       { BH_L4_TCP, 9 },
	{ BH_L4_UDP, 81 },   { BH_L4_SCTP, 80 },         { BH_L4_ICMP, 8 << 8 | 1 },
	{ BH_L4_ICMP, 0 },   { BH_L4_ICMPV6, 128 << 8 }, { 47, 0 },
};

static void owners_check(const struct scene *sc, const struct bh_compiled *fresh,
			 const struct bh_endpoint *const *eps)
{
	for (size_t i = 0; i < fresh->n_addrs; i++) {
		if (sc->now.n_addrs != fresh->n_addrs ||
		    sc->w->eps[sc->now.addrs[i].endpoint] != eps[fresh->addrs[i].endpoint])
			scene_fail(sc, "an address belongs to somebody else");
	}
}

static void against_fresh(struct scene *sc)
{
	static struct bh_addr spots[SPOTS_MAX];
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	bh_autofree const struct bh_endpoint **eps = calloc(sc->w->n_eps + 1, sizeof(*eps));
	struct bh_compile_input in = input_of(sc);
	struct bh_compiled fresh;
	size_t n = 0, n_spots = 0;
	char wrong[256];

	assert_non_null(eps);
	for (unsigned i = 0; i < sc->w->n_eps; i++) {
		if (sc->w->eps[i])
			eps[n++] = sc->w->eps[i];
	}
	in.eps = eps;
	in.n_eps = n;
	assert_int_equal(bh_compiler_new(&c), 0);
	assert_int_equal(bh_compile(c, &in, &fresh, NULL), 0);
	owners_check(sc, &fresh, eps);
	spots_make(sc->now.rules, spots, &n_spots);
	spots_make(fresh.rules, spots, &n_spots);
	if (!same_meaning(&sc->now, &fresh, spots, n_spots, ports, BH_ARRAY_SIZE(ports), wrong,
			  sizeof(wrong)) ||
	    !ruleset_is_sound(sc->now.rules, wrong, sizeof(wrong)))
		scene_fail(sc, wrong);
	if (bh_compile_next_change(sc->c) != bh_compile_next_change(c))
		scene_fail(sc, "another moment of the next change");
	bh_compiled_done(&fresh);
}

/* ---- steps ---- */

static bool is_changed(const struct scene *sc, unsigned endpoint)
{
	for (size_t i = 0; i < sc->n_eps; i++) {
		if (sc->eps[i].index == endpoint)
			return true;
	}
	return false;
}

/* Only the last of what happens to an endpoint is told. */
static void endpoint_changes(struct scene *sc)
{
	struct randset_change ch;

	sc->n_eps = 0;
	for (unsigned n = 1 + rnd_below(&sc->w->r, 3); n > 0; n--) {
		if (!randset_change(sc->w, rnd_below(&sc->w->r, RANDSET_EP_KINDS), &ch))
			continue;
		tell(sc, ch.text);
		if (!is_changed(sc, ch.endpoint))
			sc->eps[sc->n_eps++].index = ch.endpoint;
	}
	for (size_t i = 0; i < sc->n_eps; i++)
		sc->eps[i].ep = sc->w->eps[sc->eps[i].index];
}

/* Everything anew, from this compiler: the list begins again without gaps. */
static void all_again(struct scene *sc, struct bh_compiled *ret)
{
	unsigned n = 0;

	for (unsigned i = 0; i < sc->w->n_eps; i++) {
		if (sc->w->eps[i])
			sc->w->eps[n++] = sc->w->eps[i];
	}
	sc->w->n_eps = n;

	const struct bh_compile_input in = input_of(sc);

	assert_int_equal(bh_compile(sc->c, &in, ret, NULL), 0);
	sc->again++;
}

/* Nobody else can have changed: the address has its old class. */
static void classes_stay(const struct scene *sc, const struct bh_compiled *before)
{
	size_t n;
	const struct bh_cidr_piece *p = bh_ruleset_cidr_pieces(before->rules, &n);

	for (size_t i = 0; i < before->n_addrs; i++) {
		const struct bh_addr_class *was = &before->addrs[i];
		const struct bh_addr_class *is = bh_compiled_find(&sc->now, &was->addr);

		if (!is || is_changed(sc, was->endpoint) || is_changed(sc, is->endpoint))
			continue;
		if (was->endpoint != is->endpoint || was->cls != is->cls)
			scene_fail(sc, "the class of an endpoint that did not change is another");
	}
	for (size_t i = 0; i < n; i++) {
		struct bh_addr a =
		    p[i].family == 4 ? bh_addr_from_v4(p[i].lo) : bh_addr_from_v6(p[i].lo);

		if (bh_ruleset_outside_class(sc->now.rules, &a) != p[i].cls)
			scene_fail(sc, "the class of an address outside is another");
	}
}

static void step_endpoints(struct scene *sc)
{
	bool local = anybody_is_local(sc->w);
	struct bh_compiled before = sc->now;
	int r;

	endpoint_changes(sc);
	r = bh_compile_endpoints(sc->c, sc->eps, sc->n_eps, sc->revision, &sc->now, NULL);
	if (r == -EAGAIN) {
		if (anybody_is_local(sc->w) == local)
			scene_fail(sc, "asks for everything without need");
		all_again(sc, &sc->now);
		bh_compiled_done(&before);
		return;
	}
	if (r < 0)
		scene_fail(sc, "fails");
	if (anybody_is_local(sc->w) != local)
		scene_fail(sc, "others are to be compiled for, and nobody noticed");
	classes_stay(sc, &before);
	bh_compiled_done(&before);
}

static void step_policies(struct scene *sc)
{
	struct bh_compiled before = sc->now;
	struct randset_change ch;

	for (unsigned n = 1 + rnd_below(&sc->w->r, 3); n > 0; n--) {
		enum randset_kind kind =
		    RANDSET_EP_KINDS + rnd_below(&sc->w->r, RANDSET_KINDS - RANDSET_EP_KINDS);

		if (randset_change(sc->w, kind, &ch))
			tell(sc, ch.text);
	}

	const struct bh_compile_input in = input_of(sc);

	if (bh_compile_policies(sc->c, &in, &sc->now, NULL) < 0)
		scene_fail(sc, "fails");
	bh_compiled_done(&before);
	if (!rnd_one_in(&sc->w->r, 4) || !randset_change(sc->w, RANDSET_POLICIES_AGAIN, &ch))
		return;

	/* The same files once more, read into other objects. */
	const struct bh_compile_input same = input_of(sc);

	tell(sc, ch.text);
	before = sc->now;
	if (bh_compile_policies(sc->c, &same, &sc->now, NULL) < 0)
		scene_fail(sc, "fails");
	if (sc->now.rules != before.rules)
		scene_fail(sc, "policies of the same content made another rule set");
	bh_compiled_done(&before);
}

static void run_world(uint64_t seed, unsigned *again)
{
	struct scene sc;
	char wrong[256];

	scene_make(&sc, seed, RANDSET_ALL);
	for (unsigned step = 0; step < STEPS; step++) {
		struct bh_ruleset *before = bh_ruleset_ref(sc.now.rules);

		sc.revision++;
		*sc.story = '\0';
		if (rnd_one_in(&sc.w->r, 2))
			step_policies(&sc);
		else
			step_endpoints(&sc);
		against_fresh(&sc);
		if (!same_numbers(before, sc.now.rules, wrong, sizeof(wrong)))
			scene_fail(&sc, wrong);
		if (sc.now.rules == before ? bh_ruleset_revision(before) >= sc.revision
					   : bh_ruleset_revision(sc.now.rules) != sc.revision)
			scene_fail(&sc, "revision");
		bh_ruleset_free(before);
	}
	*again += sc.again;
	scene_done(&sc);
}

static void test_changes_come_to_the_same(void **state)
{
	unsigned seed = rnd_from_env("BH_SEED", SEED), sets = rnd_from_env("BH_SETS", SETS),
		 again = 0;

	for (unsigned i = 0; i < sets; i++)
		run_world(seed + i, &again);
	print_message("# seed %u, %u worlds of %u steps, %u times everything anew\n", seed, sets,
		      STEPS, again);
	assert_true(again < sets * STEPS / 4);
}

/* ---- there and back ---- */

/* The very same words: numbers and all. */
static void assert_same_words(const struct bh_compiled *a, const struct bh_compiled *b)
{
	assert_int_equal(a->n_addrs, b->n_addrs);
	for (size_t i = 0; i < a->n_addrs; i++) {
		assert_int_equal(a->addrs[i].cls, b->addrs[i].cls);
		for (size_t k = 0; k < a->n_addrs; k++) {
			for (size_t p = 0; p < BH_ARRAY_SIZE(ports); p++) {
				for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++)
					assert_int_equal(
					    bh_ruleset_lookup(a->rules, d, a->addrs[i].cls,
							      a->addrs[k].cls, ports[p].l4,
							      ports[p].port),
					    bh_ruleset_lookup(b->rules, d, b->addrs[i].cls,
							      b->addrs[k].cls, ports[p].l4,
							      ports[p].port));
			}
		}
	}
}

static void test_what_comes_back_has_its_numbers(void **state)
{
	for (uint64_t seed = 500; seed < 530; seed++) {
		struct scene sc;

		scene_make(&sc, seed, RANDSET_ALL & ~(unsigned)RANDSET_TIME);
		for (size_t i = 0; i < sc.w->set->n_policies; i++) {
			struct bh_policy_set less = *sc.w->set;
			struct bh_compile_input in = input_of(&sc);
			struct bh_compiled without, with;

			/* Without one policy, the others being the same objects. */
			less.policies = calloc(less.n_policies, sizeof(struct bh_policy *));
			assert_non_null(less.policies);
			less.n_policies = 0;
			for (size_t k = 0; k < sc.w->set->n_policies; k++) {
				if (k != i)
					less.policies[less.n_policies++] = sc.w->set->policies[k];
			}
			in.set = &less;
			in.revision = ++sc.revision;
			assert_int_equal(bh_compile_policies(sc.c, &in, &without, NULL), 0);
			in.set = sc.w->set;
			in.revision = ++sc.revision;
			assert_int_equal(bh_compile_policies(sc.c, &in, &with, NULL), 0);
			assert_same_words(&sc.now, &with);
			bh_compiled_done(&without);
			bh_compiled_done(&with);
			free(less.policies);
		}
		for (uint32_t i = 0; i < sc.w->n_eps; i++) {
			struct bh_endpoint_change gone = { i, NULL };
			const struct bh_endpoint_change back = { i, sc.w->eps[i] };
			struct bh_compiled without, with;

			if (bh_compile_endpoints(sc.c, &gone, 1, ++sc.revision, &without, NULL) < 0)
				break; /* nobody is local any more */
			assert_int_equal(
			    bh_compile_endpoints(sc.c, &back, 1, ++sc.revision, &with, NULL), 0);
			assert_same_words(&sc.now, &with);
			bh_compiled_done(&without);
			bh_compiled_done(&with);
		}
		scene_done(&sc);
	}
}

static bool asks_for_addresses(const struct bh_policy_set *s)
{
	for (size_t i = 0; i < s->n_policies; i++) {
		for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
			for (size_t k = 0; k < s->policies[i]->n_rules[d]; k++) {
				const struct bh_rule *r = &s->policies[i]->rules[d][k];

				for (size_t p = 0; p < r->n_peers; p++) {
					if (r->peers[p].kind != BH_PEER_ENDPOINTS)
						return true;
				}
			}
		}
	}
	return false;
}

/* An address of one endpoint only, and which that is. */
static bool sole_address(const struct scene *sc, uint32_t *ret_endpoint, struct bh_addr *ret)
{
	for (size_t i = 0; i < sc->now.n_addrs; i++) {
		unsigned claims = 0;

		for (unsigned k = 0; k < sc->w->n_eps; k++) {
			for (size_t a = 0; a < sc->w->eps[k]->n_addrs; a++)
				claims +=
				    bh_addr_eq(&sc->w->eps[k]->addrs[a], &sc->now.addrs[i].addr);
		}
		if (claims == 1) {
			*ret_endpoint = sc->now.addrs[i].endpoint;
			*ret = sc->now.addrs[i].addr;
			return true;
		}
	}
	return false;
}

/* The only one here, or anywhere: without it the rule set is made for others. */
static bool is_the_last(const struct scene *sc, uint32_t endpoint)
{
	bool local = anybody_is_local(sc->w);

	for (unsigned i = 0; i < sc->w->n_eps; i++) {
		if (i != endpoint && sc->w->eps[i]->n_addrs && (sc->w->eps[i]->local || !local))
			return false;
	}
	return true;
}

/* Containers come and go; the kernel gets their addresses, and no new rule set. */
static void test_an_address_alone_changes_no_rule(void **state)
{
	unsigned met = 0;

	for (uint64_t seed = 700; seed < 1000; seed++) {
		struct bh_endpoint_change ch = { .index = 0 };
		struct bh_compiled moved;
		struct bh_addr was;
		struct scene sc;
		uint32_t cls;

		scene_make(&sc, seed, 0);
		if (asks_for_addresses(sc.w->set) || !sole_address(&sc, &ch.index, &was)) {
			scene_done(&sc);
			continue;
		}
		met++;
		ch.ep = sc.w->eps[ch.index];
		cls = bh_compiled_find(&sc.now, &was)->cls;
		for (size_t i = 0; i < ch.ep->n_addrs; i++) {
			if (bh_addr_eq(&ch.ep->addrs[i], &was))
				sc.w->eps[ch.index]->addrs[i].bytes[0] = 99;
		}
		assert_int_equal(bh_compile_endpoints(sc.c, &ch, 1, 2, &moved, NULL), 0);
		if (moved.rules != sc.now.rules)
			scene_fail(&sc, "an address made another rule set");
		assert_int_equal(bh_ruleset_revision(moved.rules), 1);
		was.bytes[0] = 99;
		assert_non_null(bh_compiled_find(&moved, &was));
		assert_int_equal(bh_compiled_find(&moved, &was)->cls, cls);
		bh_compiled_done(&moved);
		/* It goes, and another one of its kind comes. */
		if (is_the_last(&sc, ch.index)) {
			scene_done(&sc);
			continue;
		}
		for (unsigned there = 0; there < 2; there++) {
			const struct bh_endpoint_change next = {
				ch.index,
				there ? sc.w->eps[ch.index] : NULL,
			};

			assert_int_equal(
			    bh_compile_endpoints(sc.c, &next, 1, 3 + there, &moved, NULL), 0);
			if (moved.rules != sc.now.rules)
				scene_fail(&sc,
					   "a container that was replaced made another rule set");
			bh_compiled_done(&moved);
		}
		scene_done(&sc);
	}
	assert_true(met > 3);
}

/* While an endpoint has no address of a family, its class is out of reach there; then it is back. */
static void test_a_family_that_comes_back(void **state)
{
	for (uint64_t seed = 3000; seed < 3150; seed++) {
		struct randset_change ch;
		struct scene sc;

		scene_make(&sc, seed, RANDSET_ALL);
		for (uint32_t i = 0; i < sc.w->n_eps; i++) {
			const struct bh_endpoint_change same = { i, sc.w->eps[i] };
			size_t all = sc.w->eps[i]->n_addrs;

			for (unsigned step = 0; all == 2 && step < 3; step++) {
				struct bh_compiled before = sc.now;
				int r;

				sc.revision++;
				/* The second of two is of the other family. */
				sc.w->eps[i]->n_addrs = step < 2 ? 1 : 2;
				if (step == 1)
					(void)randset_change(sc.w, RANDSET_POLICY_ALTERED, &ch);

				const struct bh_compile_input in = input_of(&sc);

				r = step == 1 ? bh_compile_policies(sc.c, &in, &sc.now, NULL)
					      : bh_compile_endpoints(sc.c, &same, 1, sc.revision,
								     &sc.now, NULL);
				assert_int_equal(r, 0);
				bh_compiled_done(&before);
				against_fresh(&sc);
			}
		}
		scene_done(&sc);
	}
}

static void test_before_anything_was_compiled(void **state)
{
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	const struct bh_policy_set none = { .n_policies = 0 };
	const struct bh_compile_input in = { .set = &none, .revision = 1 };
	struct bh_compiled out;

	assert_int_equal(bh_compiler_new(&c), 0);
	assert_int_equal(bh_compile_endpoints(c, NULL, 0, 1, &out, NULL), -EAGAIN);
	assert_int_equal(bh_compile_policies(c, &in, &out, NULL), -EAGAIN);
	assert_true(bh_compile_next_change(c) == INT64_MAX);
	assert_int_equal(bh_compile(c, &in, &out, NULL), 0);
	bh_compiled_done(&out);
	assert_int_equal(bh_compile_endpoints(c, NULL, 0, 2, &out, NULL), 0);
	bh_compiled_done(&out);
}

/* ---- out of memory ---- */

/* What was made before says what it said. */
static uint32_t sum_of_words(const struct bh_compiled *out)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < out->n_addrs; i++) {
		for (size_t k = 0; k < BH_ARRAY_SIZE(ports); k++)
			sum = sum * 31 + bh_ruleset_lookup(out->rules, BH_DIR_INGRESS,
							   out->addrs[i].cls, BH_CLASS_WORLD,
							   ports[k].l4, ports[k].port);
	}
	return sum;
}

/* A change whose @n-th allocation fails. False: it has fewer. */
static bool run_out(uint64_t seed, bool policies, long n)
{
	struct scene sc;
	struct bh_compiled before, out;
	uint32_t sum;
	int r;

	scene_make(&sc, seed, RANDSET_ALL);
	before = sc.now;
	sum = sum_of_words(&before);
	sc.revision++;
	sc.n_eps = 0;
	for (unsigned i = 0; i < 3; i++) {
		enum randset_kind kind = policies ? RANDSET_POLICY_ADDED + i : i;
		struct randset_change ch;

		if (randset_change(sc.w, kind, &ch) && !policies && !is_changed(&sc, ch.endpoint))
			sc.eps[sc.n_eps++].index = ch.endpoint;
	}
	for (size_t i = 0; i < sc.n_eps; i++)
		sc.eps[i].ep = sc.w->eps[sc.eps[i].index];

	const struct bh_compile_input in = input_of(&sc);

	oom_fail_at(n);
	r = policies ? bh_compile_policies(sc.c, &in, &out, NULL)
		     : bh_compile_endpoints(sc.c, sc.eps, sc.n_eps, sc.revision, &out, NULL);
	oom_fail_at(0);
	assert_int_equal(sum_of_words(&before), sum);
	if (r < 0) {
		assert_int_equal(r, oom_failed() ? -ENOMEM : -EAGAIN);
		assert_int_equal(bh_compile_endpoints(sc.c, NULL, 0, sc.revision, &out, NULL),
				 -EAGAIN);
		all_again(&sc, &out);
	}
	sc.now = out;
	against_fresh(&sc);
	bh_compiled_done(&before);
	scene_done(&sc);
	return oom_failed();
}

static void test_every_allocation_of_a_change(void **state)
{
	for (int policies = 0; policies < 2; policies++) {
		long all = 0;

		for (uint64_t seed = 4711; seed < 4721; seed++) {
			long n = 1;

			while (run_out(seed, policies, n))
				n++;
			all += n - 1;
		}
		print_message("# %s: %ld allocations, each failed once\n",
			      policies ? "policies" : "endpoints", all);
		assert_true(all > 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes_come_to_the_same),
		cmocka_unit_test(test_what_comes_back_has_its_numbers),
		cmocka_unit_test(test_an_address_alone_changes_no_rule),
		cmocka_unit_test(test_a_family_that_comes_back),
		cmocka_unit_test(test_before_anything_was_compiled),
		cmocka_unit_test(test_every_allocation_of_a_change),
	};

	return cmocka_run_group_tests_name("compile_change", tests, NULL, NULL);
}
