// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_meaning.c - two decisions have one meaning exactly if nobody could tell them apart
 *
 * Diagrams against tables of truth. Then random policy sets, with everything that rules can ask for: decisions of two
 * rule sets that have one meaning give the same for every protocol and every sample of what is spoken; and where
 * nothing but the protocol matters, those that give the same have one meaning. Another seed or number of sets:
 * BH_SEED, BH_SETS.
 */
#include "policy/compile.h"
#include "policy/diagram.h"
#include "policy/meaning.h"
#include "policy/ruleset/ruleset_build.h"
#include "tests/lib/randset.h"

#include "common/limits.h"
#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED    20310502U
#define SETS    60U
#define VARS    6U
#define SAMPLES 24U
/* Decisions of each rule set that are compared with each other. */
#define DECISIONS 60U

/* ---- diagrams ---- */

/* Leaves for all 64 answers to six variables. */
struct table {
	uint8_t leaf[1 << VARS];
};

static uint32_t ask(const struct bh_diagrams *d, uint32_t a, unsigned answers)
{
	const struct bh_diagram_node *n;
	uint32_t last = 0;

	while ((n = bh_diagram_node(d, a))) {
		assert_true(n->var < VARS && (last == 0 || n->var >= last));
		assert_int_not_equal(n->yes, n->no);
		last = n->var + 1;
		a = answers >> n->var & 1 ? n->yes : n->no;
	}
	return a;
}

static void check_table(const struct bh_diagrams *d, uint32_t a, const struct table *t)
{
	for (unsigned x = 0; x < 1U << VARS; x++)
		assert_int_equal(ask(d, a, x), t->leaf[x]);
}

static void random_diagram(struct rnd *r, struct bh_diagrams *d, unsigned depth, uint32_t *ret,
			   struct table *t)
{
	struct table yes, no;
	uint32_t y, n, var;

	if (depth == 0 || rnd_one_in(r, 6)) {
		*ret = rnd_below(r, BH_LEAF_COUNT);
		memset(t->leaf, (int)*ret, sizeof(t->leaf));
		return;
	}
	var = rnd_below(r, VARS);
	random_diagram(r, d, depth - 1, &y, &yes);
	random_diagram(r, d, depth - 1, &n, &no);
	assert_int_equal(bh_diagram_choose(d, var, y, n, ret), 0);
	for (unsigned x = 0; x < 1U << VARS; x++)
		t->leaf[x] = x >> var & 1 ? yes.leaf[x] : no.leaf[x];
}

static uint8_t both(uint8_t a, uint8_t b)
{
	if (!bh_leaf_allows(a))
		return a;
	if (!bh_leaf_allows(b))
		return b;
	return a == BH_LEAF_RECORD || b == BH_LEAF_RECORD ? BH_LEAF_RECORD : BH_LEAF_ALLOW;
}

static void test_diagrams(void **state)
{
	struct rnd r = { .state = rnd_from_env("BH_SEED", SEED) };
	struct bh_diagrams d = { .nodes = { .table = NULL } };
	uint32_t a[40], c, bits;
	struct table t[40], u;

	for (size_t i = 0; i < BH_ARRAY_SIZE(a); i++) {
		random_diagram(&r, &d, 1 + rnd_below(&r, 6), &a[i], &t[i]);
		check_table(&d, a[i], &t[i]);
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(a); i++) {
		uint32_t want = 0;

		for (size_t k = 0; k < BH_ARRAY_SIZE(a); k++) {
			assert_int_equal(a[i] == a[k], memcmp(&t[i], &t[k], sizeof(u)) == 0);
			assert_int_equal(bh_diagram_both(&d, a[i], a[k], &c), 0);
			for (unsigned x = 0; x < 1U << VARS; x++)
				u.leaf[x] = both(t[i].leaf[x], t[k].leaf[x]);
			check_table(&d, c, &u);
		}
		for (unsigned x = 0; x < 1U << VARS; x++) {
			u.leaf[x] = bh_leaf_allows(t[i].leaf[x]) ? BH_LEAF_ALLOW : BH_LEAF_DROP;
			want |= 1U << t[i].leaf[x];
		}
		assert_int_equal(bh_diagram_plain(&d, a[i], &c), 0);
		check_table(&d, c, &u);
		assert_int_equal(bh_diagram_leaves(&d, a[i], &bits), 0);
		assert_int_equal(bits, want);
	}
	bh_diagrams_done(&d);
}

/* A chain is as deep as it is long; a well-meant one is not refused. */
static void test_deep_diagrams(void **state)
{
	struct bh_diagrams d = { .nodes = { .table = NULL } };
	uint32_t chain = BH_LEAF_DROP, c;
	int r = 0;

	for (uint32_t var = 5000; var-- > 0;)
		assert_int_equal(bh_diagram_choose(&d, var, BH_LEAF_ALLOW, chain, &chain), 0);
	r = bh_diagram_plain(&d, chain, &c);
	assert_int_equal(r, -E2BIG);
	chain = BH_LEAF_DROP;
	for (uint32_t var = 1000; var-- > 0;)
		assert_int_equal(bh_diagram_choose(&d, var, BH_LEAF_REJECT, chain, &chain), 0);
	assert_int_equal(bh_diagram_plain(&d, chain, &c), 0);
	assert_int_equal(c, BH_LEAF_DROP);
	bh_diagrams_done(&d);
}

/* ---- rule sets ---- */

struct side {
	struct bh_policy_set *set;
	struct bh_endpoint **eps;
	struct bh_compiled out;
	unsigned n_eps, source;
	struct bh_decision d[DECISIONS];
	uint32_t meaning[DECISIONS];
	/* What comes out, for each protocol and sample. */
	uint8_t told[DECISIONS][16 * SAMPLES];
	unsigned n;
};

static const uint32_t protos[] = { BH_PROTO_HTTP,
				   BH_PROTO_HTTP2,
				   BH_PROTO_GRPC,
				   BH_PROTO_TLS,
				   BH_PROTO_QUIC,
				   BH_PROTO_DNS,
				   BH_PROTO_SSH,
				   BH_PROTO_REDIS,
				   BH_PROTO_POSTGRES,
				   BH_PROTO_MYSQL,
				   BH_PROTO_KAFKA,
				   BH_PROTO_UNKNOWN,
				   200 };

/* Everything is known of it; which values, the number of the sample tells. */
static void make_spoken(struct rnd *r, unsigned proto, struct bh_spoken *sp,
			const char *values[BH_ATTR_COUNT])
{
	*sp = (struct bh_spoken){ .proto = proto };
	for (unsigned a = BH_ATTR_INVALID + 1; a < BH_ATTR_COUNT; a++) {
		size_t n = 0;

		while (randset_value((enum bh_attr)a, n))
			n++;
		sp->known |= 1U << a;
		values[a] =
		    n > 0 ? randset_value((enum bh_attr)a, rnd_below(r, (uint32_t)n)) : NULL;
		sp->attr[a].v = &values[a];
		sp->attr[a].n = values[a] && !rnd_one_in(r, 5);
	}
}

static uint8_t leaf_of(uint32_t word)
{
	switch (bh_word_verdict(word)) {
	case BH_WORD_ALLOW:
		return word & BH_WORD_REPORT ? BH_LEAF_RECORD : BH_LEAF_ALLOW;
	case BH_WORD_REJECT:
		return BH_LEAF_REJECT;
	default:
		return BH_LEAF_DROP;
	}
}

static uint8_t settle(const struct bh_ruleset *rs, uint32_t word, const struct bh_spoken *sp)
{
	bool open = true;
	uint32_t w;

	if (word == 0)
		return BH_LEAF_ALLOW;
	w = bh_ruleset_settle_spoken(rs, word, sp, &open);
	assert_false(open);
	return leaf_of(w);
}

/* What is refused whatever is spoken is refused at once. */
static uint8_t tell(const struct bh_ruleset *rs, const struct bh_decision *d,
		    const struct bh_spoken *sp)
{
	if (d->egress && bh_word_refuses(d->egress))
		return leaf_of(d->egress);
	if (d->ingress && bh_word_refuses(d->ingress))
		return leaf_of(d->ingress);
	return both(settle(rs, d->egress, sp), settle(rs, d->ingress, sp));
}

static void side_make(struct rnd *r, const struct randset_config *c, struct bh_meanings *m,
		      struct side *s)
{
	bh_cleanup(bh_compiler_freep) struct bh_compiler *compiler = NULL;
	struct bh_err err = { .code = 0 };
	const struct bh_class *classes;
	size_t n;

	s->set = randset_policies(r, c);
	s->eps = randset_endpoints(r, c);
	s->n_eps = c->endpoints;
	assert_int_equal(bh_compiler_new(&compiler), 0);
	const struct bh_compile_input in = {
		.set = s->set,
		.eps = (const struct bh_endpoint *const *)s->eps,
		.n_eps = s->n_eps,
		.now = c->now,
		.revision = 1,
	};

	if (bh_compile(compiler, &in, &s->out, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(bh_meanings_add(m, s->out.rules, &s->source, &err), 0);
	classes = bh_ruleset_classes(s->out.rules, &n);
	for (s->n = 0; s->n < DECISIONS;) {
		static const uint16_t ports[] = { 80, 81, 443, 8080, 53, 22 };
		uint32_t from = classes[rnd_below(r, (uint32_t)n)].number;
		uint32_t to = classes[rnd_below(r, (uint32_t)n)].number;
		uint16_t port = ports[rnd_below(r, BH_ARRAY_SIZE(ports))];
		struct bh_decision *d = &s->d[s->n];

		*d = (struct bh_decision){ 0, 0 };
		if (from & BH_CLASS_ENDPOINT)
			d->egress = bh_ruleset_lookup(s->out.rules, BH_DIR_EGRESS, from, to,
						      BH_L4_TCP, port);
		if (to & BH_CLASS_ENDPOINT)
			d->ingress = bh_ruleset_lookup(s->out.rules, BH_DIR_INGRESS, to, from,
						       BH_L4_TCP, port);
		assert_int_equal(bh_meaning_of(m, s->source, d, false, &s->meaning[s->n], &err), 0);
		s->n++;
	}
}

/* The same samples for all decisions of both rule sets. */
static void side_ask(struct side *s, uint64_t seed)
{
	struct rnd r = { .state = seed };

	for (unsigned p = 0; p < BH_ARRAY_SIZE(protos); p++) {
		for (unsigned k = 0; k < SAMPLES; k++) {
			const char *values[BH_ATTR_COUNT];
			struct bh_spoken sp;

			make_spoken(&r, protos[p], &sp, values);
			for (unsigned i = 0; i < s->n; i++)
				s->told[i][p * SAMPLES + k] = tell(s->out.rules, &s->d[i], &sp);
		}
	}
}

static void compare(struct bh_meanings *m, const struct side *a, const struct side *b, size_t *same)
{
	const size_t size = BH_ARRAY_SIZE(protos) * SAMPLES;

	for (unsigned i = 0; i < a->n; i++) {
		for (unsigned k = 0; k < b->n; k++) {
			bool alike = memcmp(a->told[i], b->told[k], size) == 0;
			bh_cleanup(bh_buf_done) struct bh_buf x = BH_BUF_INIT, y = BH_BUF_INIT;

			bh_meaning_put(m, a->meaning[i], true, &x);
			bh_meaning_put(m, b->meaning[k], true, &y);
			if (a->meaning[i] == b->meaning[k]) {
				*same += 1;
				if (!alike)
					fail_msg("one meaning, but they differ: %s",
						 bh_buf_str(&x));
			} else if (strcmp(bh_buf_str(&x), bh_buf_str(&y)) == 0) {
				/* Only graphs that differ in how they refuse may read alike. */
				if (!bh_meaning_conditional(m, a->meaning[i]))
					fail_msg("two meanings read alike: %s", bh_buf_str(&x));
			} else if (alike && !bh_meaning_conditional(m, a->meaning[i]) &&
				   !bh_meaning_conditional(m, b->meaning[k])) {
				/* They differ in what happens under overload and the like, if there is a choice. */
				assert_int_not_equal(bh_meaning_extent(m, a->meaning[i]),
						     BH_EXTENT_NONE);
				bh_buf_clear(&x);
				bh_buf_clear(&y);
				bh_meaning_put(m, a->meaning[i], false, &x);
				bh_meaning_put(m, b->meaning[k], false, &y);
				assert_string_equal(bh_buf_str(&x), bh_buf_str(&y));
			}
		}
	}
}

static void check_extent(struct bh_meanings *m, const struct side *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		enum bh_extent e = bh_meaning_extent(m, s->meaning[i]);
		bool allows = false, refuses = false;

		for (size_t k = 0; k < BH_ARRAY_SIZE(protos) * SAMPLES; k++) {
			allows |= bh_leaf_allows(s->told[i][k]);
			refuses |= !bh_leaf_allows(s->told[i][k]);
		}
		if (e == BH_EXTENT_NONE)
			assert_false(allows);
		if (e == BH_EXTENT_ALL)
			assert_false(refuses);
		if (!bh_meaning_conditional(m, s->meaning[i])) {
			assert_int_equal(e == BH_EXTENT_NONE, !allows);
			assert_int_equal(e == BH_EXTENT_ALL, !refuses);
		}
	}
}

static void test_as_settled(void **state)
{
	const unsigned seed = rnd_from_env("BH_SEED", SEED), sets = rnd_from_env("BH_SETS", SETS);
	struct side *s = calloc(2, sizeof(*s));
	size_t same = 0;

	assert_non_null(s);
	for (unsigned i = 0; i < sets; i++) {
		struct rnd r = { .state = seed + i };
		struct bh_meanings *m = NULL;
		const struct randset_config c = {
			.policies = 1 + rnd_below(&r, 6),
			.endpoints = 2 + rnd_below(&r, 6),
			.features = RANDSET_ALL & ~(unsigned)RANDSET_NODE,
			.now = 1930000000,
		};

		memset(s, 0, 2 * sizeof(*s));
		assert_int_equal(bh_meanings_new(&m), 0);
		for (unsigned k = 0; k < 2; k++) {
			side_make(&r, &c, m, &s[k]);
			side_ask(&s[k], seed);
			check_extent(m, &s[k]);
		}
		compare(m, &s[0], &s[1], &same);
		compare(m, &s[0], &s[0], &same);
		for (unsigned k = 0; k < 2; k++) {
			bh_compiled_done(&s[k].out);
			randset_endpoints_free(s[k].eps, s[k].n_eps);
			bh_policy_set_free(s[k].set);
		}
		(void)bh_meanings_free(m);
	}
	assert_true(same > sets * DECISIONS);
	free(s);
}

/* ---- by hand: what else two contracts can differ in ---- */

struct hand {
	struct bh_contract c[2];
	struct bh_contract_entry e[2];
};

static void hand_texts(const struct hand *h, bool exact, struct bh_buf out[2], bool *ret_same)
{
	static const struct bh_reason reasons[] = {
		{ 1, BH_REASON_RULE, BH_DIR_INGRESS, UINT32_MAX, UINT32_MAX, 0, UINT32_MAX },
	};
	struct bh_rs_builder b = BH_RS_BUILDER_INIT;
	struct bh_ruleset *rs = NULL;
	struct bh_meanings *m = NULL;
	struct bh_err err = { .code = 0 };
	uint32_t meaning[2] = { 0, 0 };
	unsigned source;

	(void)bh_rs_build_text(&b, "");
	(void)bh_rs_build_add(&b, BH_RS_CONTRACTS, h->c, 2);
	(void)bh_rs_build_add(&b, BH_RS_ENTRIES, h->e, 2);
	(void)bh_rs_build_add(&b, BH_RS_REASONS, reasons, 1);
	if (bh_rs_build_finish(&b, 1, &rs, &err) < 0)
		fail_msg("%s", err.msg);
	bh_rs_builder_done(&b);
	assert_int_equal(bh_meanings_new(&m), 0);
	assert_int_equal(bh_meanings_add(m, rs, &source, &err), 0);
	for (unsigned i = 0; i < 2; i++) {
		const struct bh_decision d = { 0, BH_WORD_CONTRACT | (i + 1) };

		assert_int_equal(bh_meaning_of(m, source, &d, false, &meaning[i], &err), 0);
		bh_buf_clear(&out[i]);
		bh_meaning_put(m, meaning[i], exact, &out[i]);
	}
	*ret_same = meaning[0] == meaning[1];
	(void)bh_meanings_free(m);
	(void)bh_ruleset_free(rs);
}

static struct hand hand_new(void)
{
	const uint32_t allow = BH_WORD_ALLOW | 1, drop = BH_WORD_DROP | 1;
	struct hand h = {
		.e = { { 1, BH_PROTO_HTTP, allow, allow, BH_SWITCH_USUAL, BH_PROXY_REFUSE },
		       { 2, BH_PROTO_HTTP, allow, allow, BH_SWITCH_USUAL, BH_PROXY_REFUSE } }
	};

	for (uint32_t i = 0; i < 2; i++)
		h.c[i] = (struct bh_contract){ i + 1, i,    1,    drop,           drop,
					       drop,  drop, drop, BH_FAIL_REFUSE, BH_FAIL_REFUSE };
	return h;
}

static void test_what_else_differs(void **state)
{
	struct bh_buf out[2] = { BH_BUF_INIT, BH_BUF_INIT };
	struct hand h = hand_new();
	bool same;

	hand_texts(&h, true, out, &same);
	assert_true(same);
	assert_string_equal(bh_buf_str(&out[0]), "http");
	static const struct {
		const char *text;
		unsigned what;
	} cases[] = {
		{ "http; under overload: alert", 0 },
		{ "http; in the middle of a connection: allow", 1 },
		{ "http; http may become: starttls", 2 },
		{ "http; http may become: nothing else", 3 },
		{ "http; PROXY header before http: allowed", 4 },
		{ "http; PROXY header before http: required", 5 },
		{ "http; not known in time: allowed", 6 },
		{ "http; refused with an answer: unknown", 7 },
		{ "http; recorded: http", 8 },
		{ "http, unknown", 9 },
		{ "all but http", 10 },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		h = hand_new();
		switch (cases[i].what) {
		case 0:
			h.c[1].on_overload = BH_FAIL_ALERT;
			break;
		case 1:
			h.c[1].midstream = BH_FAIL_ALLOW;
			break;
		case 2:
			h.e[1].switches = BH_SWITCH_STARTTLS;
			break;
		case 3:
			h.e[1].switches = 0;
			break;
		case 4:
			h.e[1].proxy = BH_PROXY_ALLOW;
			break;
		case 5:
			h.e[1].proxy = BH_PROXY_REQUIRE;
			break;
		case 6:
			h.c[1].undecided = BH_WORD_ALLOW | 1;
			break;
		case 7:
			h.c[1].unknown = h.c[1].unknown_next = BH_WORD_REJECT | 1;
			break;
		case 8:
			h.e[1].word = h.e[1].next = BH_WORD_ALLOW | BH_WORD_REPORT | 1;
			break;
		case 9:
			h.c[1].unknown = h.c[1].unknown_next = BH_WORD_ALLOW | 1;
			break;
		case 10:
			h.c[1].other = h.c[1].other_next = BH_WORD_ALLOW | 1;
			h.c[1].unknown = h.c[1].unknown_next = BH_WORD_ALLOW | 1;
			h.e[1].word = h.e[1].next = BH_WORD_DROP | 1;
			break;
		default:
			break;
		}
		hand_texts(&h, true, out, &same);
		assert_false(same);
		assert_string_equal(bh_buf_str(&out[0]), "http");
		assert_string_equal(bh_buf_str(&out[1]), cases[i].text);
	}
	bh_buf_done(&out[0]);
	bh_buf_done(&out[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diagrams),
		cmocka_unit_test(test_deep_diagrams),
		cmocka_unit_test(test_as_settled),
		cmocka_unit_test(test_what_else_differs),
	};

	return cmocka_run_group_tests_name("meaning", tests, NULL, NULL);
}
