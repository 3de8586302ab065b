/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_lint.c - the proofs of lint, each against trying everything out; its table of codes; its limits
 *
 * "Within" and "meet" of selectors are exact, so both answers are held against all labels of a small world. Of the
 * others only a yes is a claim. What users read: tests/unit/test_golden_lint.c. That rules without effect have
 * none: tests/unit/test_lint_property.c.
 */
#include "common/limits.h"
#include "policy/lint/lint_internal.h"
#include "policy/ruleset.h"
#include "tests/lib/randset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 20000U

static struct lint_steps plenty(void)
{
	return (struct lint_steps){ .left = UINT64_MAX };
}

/* ---- selectors ---- */

#define WORD(s) ((char *)(s))
static char *const words[] = { WORD(""), WORD("a"), WORD("b"), WORD("new") };

struct selector_of {
	struct bh_sel_req reqs[4];
	char *values[4][3];
	struct bh_selector s;
};

static void selector_random(struct rnd *r, struct selector_of *o)
{
	static char *const keys[] = { WORD("k"), WORD("l") };

	o->s = (struct bh_selector){ o->reqs, rnd_below(r, 4) };
	for (size_t i = 0; i < o->s.n; i++) {
		struct bh_sel_req *q = &o->reqs[i];

		*q = (struct bh_sel_req){ .op = BH_SEL_IN + rnd_below(r, 4),
					  .key = keys[rnd_below(r, 2)],
					  .values = o->values[i] };
		/* Sorted, and never "new": there is always a value that nobody names. */
		for (size_t k = 0; k < 3 && q->op <= BH_SEL_NOT_IN; k++)
			if (rnd_one_in(r, 2))
				q->values[q->n_values++] = words[k];
		if (q->op <= BH_SEL_NOT_IN && q->n_values == 0)
			q->values[q->n_values++] = words[1];
	}
}

static bool matches(const struct bh_selector *s, unsigned k, unsigned l)
{
	struct bh_label items[2];
	struct bh_labels labels = { items, 0 };

	if (k < 4)
		items[labels.n++] = (struct bh_label){ WORD("k"), words[k] };
	if (l < 4)
		items[labels.n++] = (struct bh_label){ WORD("l"), words[l] };
	return bh_selector_match(s, &labels);
}

static void test_selectors(void **state)
{
	struct rnd r = { .state = 1 };
	size_t within = 0, apart = 0;

	(void)state;
	for (unsigned n = 0; n < ROUNDS; n++) {
		bool inside = true, common = false, some = false;
		struct lint_steps s = plenty();
		struct selector_of a, b;

		selector_random(&r, &a);
		selector_random(&r, &b);
		for (unsigned k = 0; k <= 4; k++) {
			for (unsigned l = 0; l <= 4; l++) {
				bool x = matches(&a.s, k, l), y = matches(&b.s, k, l);

				inside &= x || !y;
				common |= x && y;
				some |= y;
			}
		}
		assert_int_equal(lint_selectors_meet(&s, &a.s, &b.s), common);
		/* Of what matches nothing everything is true, and nothing need be proved. */
		if (some)
			assert_int_equal(lint_selector_within(&s, &b.s, &a.s), inside);
		within += some && inside;
		apart += !common;
	}
	assert_true(within > ROUNDS / 50 && apart > ROUNDS / 50);
}

/* With nothing to spend nothing is proved. */
static void test_empty_purse(void **state)
{
	struct lint_steps s = { .left = 3 };
	struct bh_sel_req q = { .op = BH_SEL_EXISTS, .key = WORD("k") };
	const struct bh_selector one = { &q, 1 };

	(void)state;
	assert_false(lint_selector_within(&s, &one, &one));
	assert_true(s.empty);
	assert_true(lint_selectors_meet(&s, &one, &one));
}

/* ---- ranges of addresses ---- */

static struct bh_prefix prefix_random(struct rnd *r, unsigned least)
{
	struct bh_prefix p = { { { 10, 0, 0, (uint8_t)rnd_below(r, 256) }, 4 },
			       (uint8_t)(least + rnd_below(r, 33 - least)) };

	p.addr.bytes[3] = (uint8_t)(p.addr.bytes[3] & (0xff00U >> (p.len - 24)));
	return p;
}

static bool in_block(const struct bh_ip_block *b, const struct bh_addr *a)
{
	for (size_t i = 0; i < b->n_except; i++)
		if (bh_prefix_contains(&b->except[i], a))
			return false;
	return bh_prefix_contains(&b->cidr, a);
}

static void block_random(struct rnd *r, struct bh_ip_block *b, struct bh_prefix *except)
{
	*b = (struct bh_ip_block){ prefix_random(r, 24), except, 0 };
	for (size_t i = 0; i < 3; i++) {
		except[b->n_except] = prefix_random(r, 24);
		b->n_except += except[b->n_except].len > b->cidr.len &&
			       bh_prefix_covers(&b->cidr, &except[b->n_except]);
	}
}

static void test_blocks(void **state)
{
	struct rnd r = { .state = 2 };
	struct lint l = { .steps = plenty() };
	struct bh_policy p = { .kind = BH_KIND_NETWORK_POLICY, .ns = WORD("x") };
	size_t within = 0;

	(void)state;
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct bh_prefix except_a[3], except_b[3];
		struct bh_peer a = { .kind = BH_PEER_BLOCK }, b = a;
		bool inside = true, some = false;

		block_random(&r, &a.block, except_a);
		block_random(&r, &b.block, except_b);
		for (unsigned i = 0; i < 256; i++) {
			struct bh_addr at = { { 10, 0, 0, (uint8_t)i }, 4 };
			bool x = in_block(&a.block, &at), y = in_block(&b.block, &at);

			inside &= x || !y;
			some |= y;
		}
		assert_int_equal(!some, lint_prefix_covered(&l.steps, &b.block.cidr, except_b,
							    b.block.n_except));
		if (some)
			assert_int_equal(lint_peer_within(&l, &p, &b, &p, &a), inside);
		within += some && inside;
	}
	assert_true(within > ROUNDS / 50);
}

/* ---- ports ---- */

static void ports_random(struct rnd *r, struct bh_rule *rule, struct bh_port *ports)
{
	static const uint8_t l4s[] = { BH_L4_TCP, BH_L4_TCP, BH_L4_UDP, BH_L4_ICMP, BH_L4_ANY };
	static char *const names[] = { WORD("web"), WORD("metrics") };

	*rule = (struct bh_rule){ .ports = ports, .n_ports = rnd_below(r, 4) };
	rule->has_ports = rule->n_ports > 0 || rnd_one_in(r, 4);
	for (size_t i = 0; i < rule->n_ports; i++) {
		struct bh_port *p = &ports[i];

		*p = (struct bh_port){ .l4 = l4s[rnd_below(r, 5)], .hi = UINT16_MAX };
		if (rnd_one_in(r, 4)) {
			continue;
		} else if (rnd_one_in(r, 4)) {
			p->name = names[rnd_below(r, 2)];
			p->hi = 0;
		} else {
			p->lo = (uint16_t)(1 + rnd_below(r, 10));
			p->hi = (uint16_t)(p->lo + rnd_below(r, 4));
		}
	}
}

/* On a destination where "web" is TCP and UDP @web, and nobody has "metrics". */
static bool port_matches(const struct bh_rule *r, uint8_t l4, uint16_t port, uint16_t web)
{
	for (size_t i = 0; i < r->n_ports; i++) {
		const struct bh_port *p = &r->ports[i];

		if (p->l4 != l4 && p->l4 != BH_L4_ANY)
			continue;
		if (p->name ? bh_streq(p->name, "web") && port == web &&
				  (l4 == BH_L4_TCP || l4 == BH_L4_UDP)
			    : p->lo <= port && port <= p->hi)
			return true;
	}
	return r->n_ports == 0 && !r->has_ports;
}

static void test_ports(void **state)
{
	static const uint8_t l4s[] = { BH_L4_TCP, BH_L4_UDP, BH_L4_ICMP, 47 };
	struct rnd r = { .state = 3 };
	size_t within = 0;

	(void)state;
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct lint_steps s = plenty();
		struct bh_port pa[4], pb[4];
		struct bh_rule a, b;

		ports_random(&r, &a, pa);
		ports_random(&r, &b, pb);
		if (!lint_ports_within(&s, &b, &a))
			continue;
		within++;
		for (size_t k = 0; k < 4; k++)
			for (uint16_t port = 0; port < 16; port++)
				for (uint16_t web = 1; web < 16; web += 7)
					assert_true(!port_matches(&b, l4s[k], port, web) ||
						    port_matches(&a, l4s[k], port, web));
	}
	assert_true(within > ROUNDS / 50);
}

/* ---- what is spoken ---- */

static bool spoken_within(enum bh_detail_kind kind, enum bh_attr attr, const char *b, const char *a)
{
	char *va[] = { (char *)a }, *vb[] = { (char *)b };
	struct bh_test ta = { attr, { va, 1 } }, tb = { attr, { vb, 1 } };
	struct bh_clause ca = { .tests = &ta, .n = 1 }, cb = { .tests = &tb, .n = 1 };
	struct bh_detail da = { kind, &ca, 1, { 0 } }, db = { kind, &cb, 1, { 0 } };
	const struct bh_rule ra = { .details = &da, .n_details = 1 };
	const struct bh_rule rb = { .details = &db, .n_details = 1 };
	struct lint_steps s = plenty();

	return lint_speech_within(&s, &rb, &ra);
}

static void try_patterns(enum bh_detail_kind kind, enum bh_attr attr, const char *const *patterns,
			 const char *const *values, size_t least)
{
	size_t within = 0;

	for (size_t i = 0; patterns[i]; i++) {
		for (size_t k = 0; patterns[k]; k++) {
			if (!spoken_within(kind, attr, patterns[i], patterns[k]))
				continue;
			within++;
			for (size_t v = 0; values[v]; v++)
				if (bh_attr_match(attr, patterns[i], values[v]) &&
				    !bh_attr_match(attr, patterns[k], values[v]))
					fail_msg("%s: %s is not within %s: %s", bh_attr_name(attr),
						 patterns[i], patterns[k], values[v]);
		}
	}
	assert_true(within >= least);
}

static void test_patterns(void **state)
{
	static const char *const paths[] = { "/",     "/a",      "/a/**",  "/a/*",  "/**",  "**",
					     "*",     "/a/b",    "/a*",    "/a**",  "/*/b", "/a/",
					     "/**/b", "/a/b/**", "/a/b/*", "/*/**", NULL };
	static const char *const seen[] = { "/",      "/a",   "/a/",   "/a/b",   "/ab",
					    "/a/b/c", "/x/b", "/b",    "/a/b/",  "*",
					    "/a/x/y", "",     "/ab/c", "/x/y/b", "/a/*",
					    "/a/b/b", NULL };
	static const char *const names[] = { "a.example",   "*.example", "*.a.example",
					     "b.a.example", "example",   "*.b.a.example",
					     NULL };
	static const char *const hosts[] = { "a.example", "example",       "b.a.example",
					     "x.example", "c.b.a.example", NULL };
	static const char *const services[] = { "shop.*", "shop.**", "shop.Cart",    "shop.v1.*",
						"**",     "*",       "shop.v1.Cart", NULL };
	static const char *const called[] = { "shop.Cart", "shop.v1.Cart", "shop",
					      "other.X",   "shop.",        NULL };
	static const char *const versions[] = { "1.0", "1.1", "1.2", "1.3", NULL };

	(void)state;
	try_patterns(BH_DETAIL_HTTP, BH_ATTR_HTTP_PATH, paths, seen, 30);
	try_patterns(BH_DETAIL_HTTP, BH_ATTR_HTTP_HOST, names, hosts, 10);
	try_patterns(BH_DETAIL_TLS, BH_ATTR_TLS_NAME, names, hosts, 10);
	try_patterns(BH_DETAIL_GRPC, BH_ATTR_GRPC_SERVICE, services, called, 12);
	try_patterns(BH_DETAIL_TLS, BH_ATTR_TLS_VERSION, versions, versions, 10);
	assert_true(spoken_within(BH_DETAIL_HTTP, BH_ATTR_HTTP_PATH, "/a/b", "/a/**"));
	assert_true(spoken_within(BH_DETAIL_HTTP, BH_ATTR_HTTP_PATH, "/a", "/a/**"));
	assert_false(spoken_within(BH_DETAIL_TLS, BH_ATTR_TLS_NAME, "example", "*.example"));
	assert_false(spoken_within(BH_DETAIL_TLS, BH_ATTR_TLS_VERSION, "1.2", "1.3"));
}

static void test_protocols(void **state)
{
	static const uint8_t known[] = { BH_PROTO_HTTP, BH_PROTO_TLS, BH_PROTO_SSH,
					 BH_PROTO_UNKNOWN };
	struct rnd r = { .state = 4 };
	size_t within = 0;

	(void)state;
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct bh_rule a = { .has_protocols = rnd_one_in(&r, 2),
				     .negated = rnd_one_in(&r, 2) };
		struct bh_rule b = { .has_protocols = rnd_one_in(&r, 2),
				     .negated = rnd_one_in(&r, 2) };
		struct lint_steps s = plenty();
		bool inside = true;

		for (size_t i = 0; i < 4; i++) {
			if (rnd_one_in(&r, 2))
				bh_protoset_add(&a.protocols, known[i]);
			if (rnd_one_in(&r, 2))
				bh_protoset_add(&b.protocols, known[i]);
		}
		for (size_t i = 0; i < 4; i++)
			inside &= !lint_rule_speaks(&b, known[i]) || lint_rule_speaks(&a, known[i]);
		inside &=
		    !lint_rule_speaks(&b, BH_PROTO_KAFKA) || lint_rule_speaks(&a, BH_PROTO_KAFKA);
		/* "Every protocol" is more than all that can be listed. */
		if (!b.has_protocols && a.has_protocols && a.negated &&
		    bh_protoset_empty(&a.protocols))
			continue;
		assert_int_equal(lint_speech_within(&s, &b, &a), inside);
		within += inside;
	}
	assert_true(within > ROUNDS / 50);
}

/* ---- the whole ---- */

static void test_codes(void **state)
{
	const struct bh_lint_code *c;
	size_t n = 0;

	(void)state;
	for (; (c = bh_lint_code(n)) != NULL; n++) {
		const struct bh_lint_code *before = n ? bh_lint_code(n - 1) : NULL;

		assert_true(c->code[0] == 'e' || c->code[0] == 'w');
		assert_in_range(strlen(c->text), 5, 90);
		if (before && before->code[0] == c->code[0])
			assert_true(strtoul(before->code + 1, NULL, 10) <
				    strtoul(c->code + 1, NULL, 10));
	}
	assert_true(n > 50);
}

/* @n policies that can only be told apart by looking at each pair. */
static struct bh_policy_set *alike(unsigned n)
{
	struct bh_policy_set *set = bh_policy_set_new();

	assert_non_null(set);
	set->policies = calloc(n, sizeof(struct bh_policy *));
	assert_non_null(set->policies);
	for (unsigned i = 0; i < n; i++) {
		struct bh_policy *p = calloc(1, sizeof(*p));
		char name[16];

		assert_non_null(p);
		snprintf(name, sizeof(name), "p%05u", i);
		p->kind = BH_KIND_TRAFFIC_POLICY;
		p->tier = BH_TIER_APPLICATION;
		p->mode = BH_MODE_ENFORCE;
		p->priority = -1;
		p->ns = strdup("x");
		p->name = strdup(name);
		p->isolates[BH_DIR_INGRESS] = true;
		p->rules[BH_DIR_INGRESS] = calloc(1, sizeof(struct bh_rule));
		p->n_rules[BH_DIR_INGRESS] = 1;
		p->rules[BH_DIR_INGRESS][0] =
		    (struct bh_rule){ .action = BH_ACTION_ALLOW,
				      .has_ports = true,
				      .n_ports = 1,
				      .ports = calloc(1, sizeof(struct bh_port)) };
		p->rules[BH_DIR_INGRESS][0].ports[0] = (struct bh_port){
			.l4 = BH_L4_TCP, .lo = (uint16_t)(1 + i), .hi = (uint16_t)(n + 1 + i)
		};
		set->policies[set->n_policies++] = p;
	}
	return set;
}

static bool says(const struct bh_diags *d, const char *code)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->items[i].code, code) == 0)
			return true;
	return false;
}

/* The same for everybody: 10^8 steps, and then it says that it has not looked at everything. */
static void test_too_much(void **state)
{
	static const unsigned sizes[] = { 1000, 12000 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = alike(sizes[i]);
		bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
		const struct bh_lint_input in = { .set = set };

		assert_int_equal(bh_lint(&in, &d), 0);
		assert_int_equal(says(&d, "w32"), i == 1);
		assert_int_equal(d.n_warnings, i == 1);
	}
}

/* Of each code some are kept; all are counted. */
static void test_many_warnings(void **state)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = alike(1000);
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	const struct bh_lint_input in = { .set = set };

	(void)state;
	for (size_t i = 0; i < set->n_policies; i++)
		set->policies[i]->rules[BH_DIR_INGRESS][0].ports[0] =
		    (struct bh_port){ .l4 = BH_L4_TCP, .lo = 80, .hi = 80 };
	assert_int_equal(bh_lint(&in, &d), 0);
	assert_int_equal(d.n_warnings, 999);
	assert_int_equal(d.n, BH_DIAG_MAX / 4);
	assert_int_equal(d.omitted, 999 - BH_DIAG_MAX / 4);
	for (size_t i = 0; i < d.n; i++)
		assert_non_null(strstr(d.items[i].message, "TrafficPolicy x/p00000 "));
}

static void test_nothing(void **state)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	const struct bh_lint_input in = { .set = set, .endpoints = BH_LINT_ALL, .now = 1 };

	(void)state;
	assert_int_equal(bh_lint(&in, &d), 0);
	assert_int_equal(d.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selectors),     cmocka_unit_test(test_empty_purse),
		cmocka_unit_test(test_blocks),        cmocka_unit_test(test_ports),
		cmocka_unit_test(test_patterns),      cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_codes),         cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_many_warnings), cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
