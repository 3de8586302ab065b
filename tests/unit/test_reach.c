// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_reach.c - who reaches whom: the pieces are what the evaluator says at every port
 *
 * Random policy sets: for each pair of classes the pieces cover every port once, and the evaluator, asked at their
 * ends and in between, gives their words. Another seed or number of sets: BH_SEED, BH_SETS.
 */
#include "policy/load.h"
#include "policy/party.h"
#include "policy/reach.h"
#include "tests/lib/randset.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED 20310417U
#define SETS 200U

struct scene {
	struct bh_policy_set *set;
	struct bh_endpoint **eps;
	unsigned n_eps;
	struct bh_compiled out;
	struct bh_meanings *m;
	struct bh_reach *reach;
};

static void compile(const struct bh_policy_set *set, struct bh_endpoint *const *eps, size_t n,
		    struct bh_compiled *ret)
{
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct bh_err err = { .code = 0 };
	const struct bh_compile_input in = {
		.set = set,
		.eps = (const struct bh_endpoint *const *)eps,
		.n_eps = n,
		.now = 1930000000,
		.revision = 1,
	};

	assert_int_equal(bh_compiler_new(&c), 0);
	if (bh_compile(c, &in, ret, &err) < 0)
		fail_msg("%s", err.msg);
}

static void look(struct scene *s)
{
	struct bh_err err = { .code = 0 };
	unsigned source = 7;

	assert_int_equal(bh_meanings_new(&s->m), 0);
	assert_int_equal(bh_meanings_add(s->m, s->out.rules, &source, &err), 0);
	assert_int_equal(source, 0);
	assert_int_equal(bh_reach_new(s->out.rules, s->m, source, &s->reach), 0);
}

static void scene_done(struct scene *s)
{
	(void)bh_reach_free(s->reach);
	(void)bh_meanings_free(s->m);
	bh_compiled_done(&s->out);
}

/* ---- the same as the evaluator ---- */

static void check_words(const struct scene *s, uint32_t from, uint32_t to,
			const struct bh_reach_piece *p, uint32_t port)
{
	struct bh_decision d = { 0, 0 };
	uint8_t l4 = p->l4 ? (uint8_t)p->l4 : 47;

	if (from & BH_CLASS_ENDPOINT)
		d.egress =
		    bh_ruleset_lookup(s->out.rules, BH_DIR_EGRESS, from, to, l4, (uint16_t)port);
	if (to & BH_CLASS_ENDPOINT)
		d.ingress =
		    bh_ruleset_lookup(s->out.rules, BH_DIR_INGRESS, to, from, l4, (uint16_t)port);
	assert_int_equal(d.egress, p->words.egress);
	assert_int_equal(d.ingress, p->words.ingress);
}

static void check_pair(const struct scene *s, struct rnd *r, uint32_t from, uint32_t to)
{
	struct bh_reach_list l, again;
	struct bh_err err = { .code = 0 };
	uint32_t l4 = 0, next = 0;

	assert_int_equal(bh_reach_pair(s->reach, from, to, &l, &err), 0);
	assert_int_equal(bh_reach_pair(s->reach, from, to, &again, &err), 0);
	assert_int_equal(l.number, again.number);
	assert_true(l.n > 0);
	for (size_t i = 0; i < l.n; i++) {
		const struct bh_reach_piece *p = &l.items[i];

		if (i + 1 == l.n) { /* every other protocol */
			assert_true(i == 0 || next == BH_REACH_LAST_PORT + 1);
			assert_int_equal(p->l4, 0);
			check_words(s, from, to, p, 0);
			break;
		}
		if (p->l4 != l4) {
			assert_true(p->l4 > l4);
			assert_true(i == 0 || next == BH_REACH_LAST_PORT + 1);
			l4 = p->l4;
			next = bh_reach_first_port(l4);
		}
		assert_int_equal(p->lo, next);
		assert_true(p->hi >= p->lo && p->hi <= BH_REACH_LAST_PORT);
		next = p->hi + 1;
		check_words(s, from, to, p, p->lo);
		check_words(s, from, to, p, p->hi);
		check_words(s, from, to, p, p->lo + rnd_below(r, p->hi - p->lo + 1));
	}
}

static void test_as_the_evaluator(void **state)
{
	const unsigned seed = rnd_from_env("BH_SEED", SEED), sets = rnd_from_env("BH_SETS", SETS);

	for (unsigned i = 0; i < sets; i++) {
		struct rnd r = { .state = seed + i };
		const struct randset_config c = { .policies = 1 + rnd_below(&r, 6),
						  .endpoints = 1 + rnd_below(&r, 8),
						  .features = RANDSET_ALL & ~(unsigned)RANDSET_NODE,
						  .now = 1930000000 };
		struct scene s = { .set = randset_policies(&r, &c) };
		const struct bh_class *classes;
		size_t n;

		s.eps = randset_endpoints(&r, &c);
		compile(s.set, s.eps, c.endpoints, &s.out);
		look(&s);
		classes = bh_ruleset_classes(s.out.rules, &n);
		for (size_t a = 0; a < n; a++) {
			for (size_t b = 0; b < n; b++)
				check_pair(&s, &r, classes[a].number, classes[b].number);
			check_pair(&s, &r, classes[a].number, BH_CLASS_HOST);
			check_pair(&s, &r, BH_CLASS_HOST, classes[a].number);
		}
		scene_done(&s);
		randset_endpoints_free(s.eps, c.endpoints);
		bh_policy_set_free(s.set);
	}
}

/* ---- in words ---- */

static void scene_load(struct scene *s, const char *yaml)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	int r;

	*s = (struct scene){ .set = bh_policy_set_new() };
	assert_non_null(s->set);
	r = bh_load_text(s->set, "t.yaml", yaml, strlen(yaml), &d);
	if (bh_load_finish(s->set, &d) < 0 || r < 0) {
		bh_diags_print(&d, &text);
		fail_msg("%s", bh_buf_str(&text));
	}
	compile(s->set, s->set->endpoints, s->set->n_endpoints, &s->out);
	look(s);
}

static uint32_t class_of(const struct scene *s, const char *addr)
{
	const struct bh_addr_class *c;
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(addr, &a), 0);
	c = bh_compiled_find(&s->out, &a);
	return c ? c->cls : bh_ruleset_outside_class(s->out.rules, &a);
}

/* "80/tcp http [TrafficPolicy ...]; everything else refused [...]" */
static void put_pair(struct scene *s, const char *from, const char *to, struct bh_buf *out)
{
	struct bh_reach_list l;
	struct bh_err err = { .code = 0 };

	assert_int_equal(bh_reach_pair(s->reach, class_of(s, from), class_of(s, to), &l, &err), 0);
	bh_buf_clear(out);
	for (size_t i = 0, end; i < l.n; i = end) {
		const struct bh_reach_piece *p = &l.items[i];
		bool allows = bh_meaning_extent(s->m, p->meaning) != BH_EXTENT_NONE;

		end = bh_reach_alike(&l, i);
		if (i > 0)
			bh_buf_puts(out, "; ");
		bh_reach_put_port(out, p->l4, p->lo, l.items[end - 1].hi);
		bh_buf_putc(out, ' ');
		bh_meaning_put(s->m, p->meaning, false, out);
		bh_buf_puts(out, " [");
		bh_reach_put_why(s->out.rules, &p->words, allows, out);
		bh_buf_putc(out, ']');
	}
}

#define SHOP                                                                       \
	"apiVersion: bulkhead.network/v1alpha1\n"                                  \
	"kind: Endpoint\n"                                                         \
	"metadata: {name: web, namespace: shop, labels: {app: web}}\n"             \
	"spec: {addresses: [10.1.0.9, 'fd00::9']}\n"                               \
	"---\n"                                                                    \
	"apiVersion: bulkhead.network/v1alpha1\n"                                  \
	"kind: Endpoint\n"                                                         \
	"metadata: {name: client-7f-a, namespace: shop, labels: {role: client}}\n" \
	"spec: {addresses: [10.1.0.5]}\n"                                          \
	"---\n"                                                                    \
	"apiVersion: bulkhead.network/v1alpha1\n"                                  \
	"kind: Endpoint\n"                                                         \
	"metadata: {name: client-7f-b, namespace: shop, labels: {role: client}}\n" \
	"spec: {addresses: [10.1.0.6]}\n"                                          \
	"---\n"                                                                    \
	"apiVersion: bulkhead.network/v1alpha1\n"                                  \
	"kind: TrafficPolicy\n"                                                    \
	"metadata: {name: web, namespace: shop}\n"                                 \
	"spec:\n"                                                                  \
	"  podSelector: {matchLabels: {app: web}}\n"                               \
	"  isolate: ingress\n"                                                     \
	"  ingress:\n"                                                             \
	"  - name: clients\n"                                                      \
	"    from: [{podSelector: {matchLabels: {role: client}}}]\n"               \
	"    ports: [80, 9000-9010]\n"                                             \
	"    protocols: [http]\n"                                                  \
	"  - from: [{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.64/26]}}]\n"   \
	"    ports: [9000-9005]\n"                                                 \
	"---\n"                                                                    \
	"apiVersion: bulkhead.network/v1alpha1\n"                                  \
	"kind: TrafficPolicy\n"                                                    \
	"metadata: {name: no-ssh, namespace: shop}\n"                              \
	"spec:\n"                                                                  \
	"  podSelector: {matchLabels: {role: client}}\n"                           \
	"  isolate: none\n"                                                        \
	"  egress:\n"                                                              \
	"  - {action: reject, protocols: [ssh]}\n"                                 \
	"  - {action: deny, ports: [9003-9100]}\n"

static void test_words(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	struct scene s;

	scene_load(&s, SHOP);
	put_pair(&s, "10.1.0.5", "10.1.0.9", &b);
	assert_string_equal(bh_buf_str(&b),
			    "1-79/tcp refused [isolated by TrafficPolicy shop/web]; "
			    "80/tcp http [TrafficPolicy shop/web rule \"clients\"]; "
			    "81-8999/tcp refused [isolated by TrafficPolicy shop/web]; "
			    "9000-9002/tcp http [TrafficPolicy shop/web rule \"clients\"]; "
			    "9003-65535/tcp refused [TrafficPolicy shop/no-ssh egress[1]]; "
			    "everything else refused [isolated by TrafficPolicy shop/web]");
	put_pair(&s, "192.0.2.1", "10.1.0.9", &b);
	assert_string_equal(bh_buf_str(&b),
			    "1-8999/tcp refused [isolated by TrafficPolicy shop/web]; "
			    "9000-9005/tcp allowed [TrafficPolicy shop/web ingress[1]]; "
			    "9006-65535/tcp refused [isolated by TrafficPolicy shop/web]; "
			    "everything else refused [isolated by TrafficPolicy shop/web]");
	put_pair(&s, "192.0.2.70", "10.1.0.9", &b);
	assert_string_equal(bh_buf_str(&b),
			    "everything else refused [isolated by TrafficPolicy shop/web]");
	put_pair(&s, "10.1.0.5", "10.1.0.6", &b);
	assert_string_equal(bh_buf_str(&b),
			    "1-9002/tcp all but ssh []; "
			    "9003-9100/tcp refused [TrafficPolicy shop/no-ssh egress[1]]; "
			    "9101-65535/tcp all but ssh []; "
			    "everything else all but ssh []");
	put_pair(&s, "10.1.0.9", "198.51.100.1", &b);
	assert_string_equal(bh_buf_str(&b), "everything else allowed []");
	scene_done(&s);
	bh_policy_set_free(s.set);
}

static void test_ports(void **state)
{
	static const struct {
		uint32_t l4, lo, hi;
		const char *text;
	} cases[] = {
		{ BH_L4_TCP, 80, 80, "80/tcp" },
		{ BH_L4_UDP, 1, 65535, "udp" },
		{ BH_L4_SCTP, 9, 10, "9-10/sctp" },
		{ BH_L4_ICMP, 8 << 8, 8 << 8 | 255, "icmp echo-request" },
		{ BH_L4_ICMPV6, 200 << 8, 200 << 8 | 255, "icmpv6 200" },
		{ BH_L4_ICMPV6, 0, 65535, "icmpv6" },
		{ BH_L4_ICMP, 3 << 8 | 4, 3 << 8 | 4, "icmp 3/4" },
		{ BH_L4_ICMP, 3 << 8 | 4, 5 << 8 | 255, "icmp 3/4-5/255" },
		{ 47, 0, 65535, "47" },
		{ BH_L4_ANY, 0, 65535, "everything else" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

		bh_reach_put_port(&b, cases[i].l4, cases[i].lo, cases[i].hi);
		assert_string_equal(bh_buf_str(&b), cases[i].text);
	}
}

/* ---- parties ---- */

static void parties_text(const struct scene *a, const struct scene *b, struct bh_buf *out)
{
	struct bh_party_input in = {
		.compiled = { &a->out, b ? &b->out : NULL },
		.n_compiled = b ? 2 : 1,
		.eps = (const struct bh_endpoint *const *)a->set->endpoints,
		.n_eps = a->set->n_endpoints,
		.nodes = a->set->nodes,
		.n_nodes = a->set->n_nodes,
	};
	struct bh_err err = { .code = 0 };
	struct bh_parties p;

	if (bh_parties_make(&in, &p, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < p.n; i++) {
		bh_buf_printf(out, "%s%s %s%s%s", i > 0 ? "; " : "",
			      bh_party_kind_name(p.items[i].kind), p.items[i].name,
			      p.items[i].v4 ? " 4" : "", p.items[i].v6 ? " 6" : "");
	}
	bh_parties_done(&p);
}

static void test_parties(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	struct scene s, t;

	scene_load(&s, SHOP);
	parties_text(&s, NULL, &b);
	assert_string_equal(bh_buf_str(&b), "endpoints shop/client-7f-* (2) 4; "
					    "endpoints shop/web 4 6; "
					    "outside 192.0.2.0/24 but 192.0.2.64/26 4; "
					    "outside world 4 6");
	/* A second rule set cuts what the first did not. */
	scene_load(&t, SHOP "---\n"
			    "apiVersion: networking.k8s.io/v1\n"
			    "kind: NetworkPolicy\n"
			    "metadata: {name: b, namespace: shop}\n"
			    "spec:\n"
			    "  podSelector: {matchLabels: {app: web}}\n"
			    "  ingress:\n"
			    "  - from: [{ipBlock: {cidr: 192.0.2.128/25}}, {ipBlock: {cidr: "
			    "'fd00::/126'}}, {ipBlock: {cidr: 10.1.0.5/32}}]\n");
	bh_buf_clear(&b);
	parties_text(&s, &t, &b);
	assert_string_equal(bh_buf_str(&b), "endpoints shop/client-7f-a 4; "
					    "endpoints shop/client-7f-b 4; "
					    "endpoints shop/web 4 6; "
					    "outside 192.0.2.0/26 4; "
					    "outside 192.0.2.128/25 4; "
					    "outside fd00::/126 6; "
					    "outside world 4 6");
	scene_done(&s);
	scene_done(&t);
	bh_policy_set_free(s.set);
	bh_policy_set_free(t.set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_evaluator),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_parties),
	};

	return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
