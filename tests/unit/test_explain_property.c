/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_explain_property.c - what an explanation reads in policies is what they mean
 *
 * Explanations say which rule of which tier decides, what earlier tiers said and which rules come near by reading the
 * policies as they were written. Here that reading is compared with the plain evaluator of tests/lib/oracle.c, on random
 * worlds. Another seed or number of worlds: BH_SEED, BH_SETS.
 */
#include "common/json.h"
#include "common/util.h"
#include "policy/explain/explain_internal.h"
#include "tests/lib/oracle.h"
#include "tests/lib/randset.h"
#include "tests/lib/saying.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED      20310302U
#define SETS      300U
#define QUESTIONS 300U
#define NOW       INT64_C(1930316400) /* Monday, 3 March 2031, 15:00 UTC */

static const struct {
	uint8_t l4;
	uint16_t port;
} ports[] = {
	{ BH_L4_TCP, 80 },          { BH_L4_TCP, 81 },          { BH_L4_TCP, 85 },
	{ BH_L4_TCP, 8080 },        { BH_L4_TCP, 9 },           { BH_L4_UDP, 80 },
	{ BH_L4_UDP, 53 },          { BH_L4_SCTP, 80 },         { BH_L4_ICMP, 8 << 8 },
	{ BH_L4_ICMP, 3 << 8 | 2 }, { BH_L4_ICMPV6, 128 << 8 },
};

static const unsigned protos[] = {
	0,
	BH_PROTO_HTTP,
	BH_PROTO_HTTP2,
	BH_PROTO_TLS,
	BH_PROTO_QUIC,
	BH_PROTO_SSH,
	BH_PROTO_DNS,
	BH_PROTO_GRPC,
	BH_PROTO_MYSQL,
	BH_PROTO_KAFKA,
	BH_PROTO_UNKNOWN,
};

struct tally {
	size_t asked, certain, by_rule, misses;
};

/* ---- questions ---- */

static void spoken_random(struct rnd *r, struct saying *s)
{
	saying_random(r, protos[rnd_below(r, BH_ARRAY_SIZE(protos))], 2 + rnd_below(r, 12), s);
}

static const struct bh_endpoint *endpoint_random(struct rnd *r, const struct randset *w)
{
	for (;;) {
		const struct bh_endpoint *ep = w->eps[rnd_below(r, w->n_eps)];

		if (ep && ep->n_addrs > 0)
			return ep;
	}
}

static void addr_random(struct rnd *r, const struct randset *w, struct bh_addr *ret)
{
	size_t n = 0;

	if (w->set->n_nodes > 0 && rnd_one_in(r, 3)) {
		const struct bh_node *node = w->set->nodes[rnd_below(r, (uint32_t)w->set->n_nodes)];

		if (node->n_addrs > 0) {
			*ret = node->addrs[rnd_below(r, (uint32_t)node->n_addrs)];
			return;
		}
	}
	if (w->around.n_resolvers > 0 && rnd_one_in(r, 4)) {
		*ret = w->around.resolvers[rnd_below(r, (uint32_t)w->around.n_resolvers)];
		return;
	}
	while (randset_outside(n))
		n++;
	assert_int_equal(bh_addr_parse(randset_outside(rnd_below(r, (uint32_t)n)), ret), 0);
}

static void question_random(struct rnd *r, const struct randset *w, struct oracle_query *q)
{
	size_t port = rnd_below(r, BH_ARRAY_SIZE(ports));

	*q = (struct oracle_query){
		.dir = rnd_one_in(r, 2) ? BH_DIR_INGRESS : BH_DIR_EGRESS,
		.subject = endpoint_random(r, w),
		.l4 = ports[port].l4,
		.port = ports[port].port,
	};
	if (rnd_one_in(r, 2)) {
		q->peer = endpoint_random(r, w);
		q->peer_addr = q->peer->addrs[rnd_below(r, (uint32_t)q->peer->n_addrs)];
		return;
	}
	addr_random(r, w, &q->peer_addr);
	q->own_node = rnd_one_in(r, 6);
}

/* ---- comparing ---- */

static bool refuses(const struct bh_rule *r)
{
	return r->action == BH_ACTION_DENY || r->action == BH_ACTION_REJECT || bh_rule_is_closed(r);
}

static bool same_decision(const struct bh_decided *d, const struct oracle_answer *a)
{
	if (a->stays_unknown)
		return d->rank == BH_RANK_ISOLATION;
	switch (a->kind) {
	case BH_REASON_ISOLATED:
	case BH_REASON_PROTOCOL:
		return d->rank == BH_RANK_ISOLATION && !d->look;
	case BH_REASON_NOT_ISOLATED:
	case BH_REASON_HOST:
		return d->rank == BH_RANK_NONE && !d->look;
	case BH_REASON_RULE:
		if (a->word == ORACLE_RECORD)
			return !d->look || !refuses(d->look->rule);
		return d->look && d->look->rule == a->rule;
	default:
		/* What a monitor or learn policy would do: it is allowed, by whatever. */
		return !d->look || !refuses(d->look->rule);
	}
}

static bool answers_differ(const struct oracle_answers *all)
{
	for (size_t i = 1; i < all->n; i++) {
		if (oracle_refuses(&all->all[i]) != oracle_refuses(&all->all[0]))
			return true;
	}
	return false;
}

static void complain(const struct randset *w, const struct oracle_query *q,
		     const struct bh_decided *d, const struct oracle_answer *a)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	char peer[BH_ADDR_STRLEN];

	randset_print(w, &b);
	fail_msg(
	    "%s\n%s of %s/%s, peer %s%s, l4 %u port %u, proto %u: read %s %s, want kind %u %s %s",
	    bh_buf_str(&b), bh_dir_name(q->dir), q->subject->ns, q->subject->name,
	    bh_addr_format(&q->peer_addr, peer), q->own_node ? " (own node)" : "", q->l4, q->port,
	    q->spoken.proto, d->look ? d->look->policy->name : "-",
	    d->look ? bh_action_name(d->look->rule->action) : "-", a->kind,
	    a->policy ? a->policy->name : "-", a->rule ? bh_action_name(a->rule->action) : "-");
}

static void check_misses(const struct bh_asked *q, const struct bh_trace *t,
			 const struct bh_decided *d, bool refused, struct tally *tally)
{
	bh_cleanup(bh_misses_done) struct bh_misses m = { .items = NULL };

	assert_int_equal(bh_misses_find(q, t, &(struct bh_verdict){ d->rank, refused, NULL }, &m),
			 0);
	tally->misses += m.n;
	for (size_t i = 0; i < m.n; i++) {
		const struct bh_miss *one = &m.items[i];

		assert_true(one->why[0] != '\0');
		assert_true(one->matches == (one->failed == 0));
		assert_true(i == 0 ||
			    bh_distance(one->failed) >= bh_distance(m.items[i - 1].failed));
		if (!one->rule)
			assert_false(refused);
		else
			assert_true(refuses(one->rule) != refused);
	}
}

/* All that can come out, against what was read. */
static void check(const struct randset *w, const struct oracle *o, const struct oracle_query *oq,
		  struct tally *tally)
{
	const struct bh_asked q = {
		.set = w->set,
		.around = &w->around,
		.now = w->now,
		.dir = oq->dir,
		.subject = oq->subject,
		.peer = oq->peer,
		.node = bh_node_of_addr(w->set, &oq->peer_addr),
		.peer_addr = &oq->peer_addr,
		.own_node = oq->own_node,
		.l4 = oq->l4,
		.port = oq->port,
		.spoken = &oq->spoken,
	};
	bh_cleanup(bh_trace_done) struct bh_trace t = { .policies = NULL };
	struct oracle_answers all;
	struct oracle_answer a = oracle_ask(o, oq, &all);
	struct bh_decided d;

	assert_int_equal(bh_trace_make(&q, &t), 0);
	d = bh_trace_decide(&q, &t);
	tally->asked++;
	if (a.word == ORACLE_FREE) {
		assert_true(d.rank == BH_RANK_NONE && d.certain);
		check_misses(&q, &t, &d, false, tally);
		return;
	}
	if (!d.certain)
		return;
	tally->certain++;
	tally->by_rule += d.look != NULL;
	/* Certain is who decides; unknownProtocol and what is recorded may still hang on what is not known. */
	for (size_t i = 0; i < all.n; i++) {
		if (!same_decision(&d, &all.all[i]))
			complain(w, oq, &d, &all.all[i]);
	}
	if (!answers_differ(&all))
		check_misses(&q, &t, &d, oracle_refuses(&all.all[0]), tally);
}

/* ---- worlds ---- */

static void world(uint64_t seed, unsigned features, struct tally *tally)
{
	const struct randset_config cfg = {
		.policies = 8,
		.endpoints = 8,
		.nodes = 3,
		.local_percent = 100,
		.features = features,
		.now = NOW,
	};
	bh_cleanup(randset_freep) struct randset *w = randset_new(seed, &cfg);
	struct oracle *o = oracle_new(w->set, &w->around, w->now);
	struct rnd r = { .state = seed };

	for (unsigned i = 0; i < QUESTIONS; i++) {
		struct oracle_query q;
		struct saying s;

		question_random(&r, w, &q);
		spoken_random(&r, &s);
		q.spoken = s.sp;
		check(w, o, &q, tally);
	}
	oracle_free(o);
}

static void test_reading_agrees(void **state)
{
	static const unsigned features[] = {
		0,
		RANDSET_CLUSTER | RANDSET_LEARN,
		RANDSET_ENTITY | RANDSET_NODE | RANDSET_NAME | RANDSET_ICMP,
		RANDSET_DETAIL | RANDSET_TIME,
		RANDSET_ALL,
	};
	unsigned seed = rnd_from_env("BH_SEED", SEED), sets = rnd_from_env("BH_SETS", SETS);
	struct tally tally = { 0 };

	for (unsigned i = 0; i < sets; i++)
		world(seed + i, features[i % BH_ARRAY_SIZE(features)], &tally);
	print_message("# %zu questions, %zu certain, %zu of them by a rule; %zu near misses\n",
		      tally.asked, tally.certain, tally.by_rule, tally.misses);
	assert_true(tally.by_rule > tally.asked / 10 && tally.misses > tally.asked / 10);
}

/* ---- whole explanations ---- */

#define EXPLAINED 60U

struct pair {
	struct bh_query q;
	struct oracle_query egress, ingress;
	bool has_egress, has_ingress;
};

static const struct bh_endpoint *owner(const struct randset *w, const struct bh_compiled *c,
				       const struct bh_addr *a)
{
	const struct bh_addr_class *found = bh_compiled_find(c, a);

	return found ? w->eps[found->endpoint] : NULL;
}

/* An endpoint's address, or another of that family. */
static void end_random(struct rnd *r, const struct randset *w, uint8_t family, struct bh_addr *ret)
{
	do {
		if (rnd_one_in(r, 3)) {
			addr_random(r, w, ret);
		} else {
			const struct bh_endpoint *ep = endpoint_random(r, w);

			*ret = ep->addrs[rnd_below(r, (uint32_t)ep->n_addrs)];
		}
	} while (family && ret->family != family);
}

static bool is_own_node(const struct randset *w, const struct bh_addr *a,
			const struct bh_endpoint *subject)
{
	const struct bh_node *n = bh_node_of_addr(w->set, a);

	return n && subject && bh_streq(subject->node, n->name);
}

static void pair_random(struct rnd *r, const struct randset *w, const struct bh_compiled *c,
			const struct bh_spoken *sp, struct pair *ret)
{
	size_t port = rnd_below(r, BH_ARRAY_SIZE(ports));
	struct bh_query *q = &ret->q;
	const struct bh_endpoint *src, *dst;

	*ret = (struct pair){ .q = {
				  .from_endpoint = SIZE_MAX,
				  .to_endpoint = SIZE_MAX,
				  .l4 = ports[port].l4,
				  .port = ports[port].port,
				  .spoken = *sp,
				  .now = w->now,
				  .around = &w->around,
				  .all_local = true,
			      } };
	end_random(r, w, 0, &q->from_addr);
	end_random(r, w, q->from_addr.family, &q->to_addr);
	q->family = q->from_addr.family;
	src = owner(w, c, &q->from_addr);
	dst = owner(w, c, &q->to_addr);
	ret->has_egress = src && !bh_addr_eq(&q->from_addr, &q->to_addr);
	ret->has_ingress = dst && !bh_addr_eq(&q->from_addr, &q->to_addr);
	ret->egress = (struct oracle_query){
		.dir = BH_DIR_EGRESS,
		.subject = src,
		.own_node = !dst && is_own_node(w, &q->to_addr, src),
		.peer = dst,
		.peer_addr = q->to_addr,
		.l4 = q->l4,
		.port = q->port,
		.spoken = *sp,
	};
	/* Nobody looks into the rest. */
	if (q->l4 != BH_L4_TCP && q->l4 != BH_L4_UDP && sp->proto == 0)
		ret->egress.spoken.proto = BH_PROTO_UNKNOWN;
	ret->ingress = ret->egress;
	ret->ingress.dir = BH_DIR_INGRESS;
	ret->ingress.subject = dst;
	ret->ingress.own_node = !src && is_own_node(w, &q->from_addr, dst);
	ret->ingress.peer = src;
	ret->ingress.peer_addr = q->from_addr;
}

/* Bits: something that can come out allows, refuses. */
static unsigned possible(const struct oracle *o, const struct oracle_query *q, bool asked)
{
	struct oracle_answers all;
	unsigned bits = 0;

	if (!asked)
		return 1;
	(void)oracle_ask(o, q, &all);
	for (size_t i = 0; i < all.n; i++)
		bits |= oracle_refuses(&all.all[i]) ? 2U : 1U;
	return bits;
}

static enum bh_outcome expected(const struct oracle *o, const struct pair *p)
{
	unsigned e = possible(o, &p->egress, p->has_egress);
	unsigned i = possible(o, &p->ingress, p->has_ingress);

	if (e == 2 || i == 2)
		return BH_OUTCOME_REFUSE;
	return e == 1 && i == 1 ? BH_OUTCOME_ALLOW : BH_OUTCOME_CONTRACT;
}

static void explain_some(struct randset *w, struct rnd *r, const struct bh_compiled *c)
{
	struct oracle *o = oracle_new(w->set, &w->around, w->now);

	for (unsigned i = 0; i < EXPLAINED; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT, world = BH_BUF_INIT;
		bh_autojson json_t *j = NULL;
		enum bh_outcome got = BH_OUTCOME_INVALID;
		struct bh_err err = { .code = 0 };
		struct saying s;
		struct pair p;

		spoken_random(r, &s);
		pair_random(r, w, c, &s.sp, &p);
		if (bh_explain(w->set, (const struct bh_endpoint *const *)w->eps, w->n_eps, c, &p.q,
			       &text, &j, &got, &err) < 0)
			fail_msg("%s", err.msg);
		if (got != expected(o, &p)) {
			randset_print(w, &world);
			print_message("%s\n", bh_buf_str(&world));
			fail_msg("%s\nbut outcome %d is wanted", bh_buf_str(&text),
				 expected(o, &p));
		}
	}
	oracle_free(o);
}

static void test_outcomes_agree(void **state)
{
	unsigned seed = rnd_from_env("BH_SEED", SEED), sets = rnd_from_env("BH_SETS", SETS);

	for (unsigned i = 0; i < sets; i++) {
		const struct randset_config cfg = {
			.policies = 6,
			.endpoints = 8,
			.nodes = 3,
			.features = RANDSET_ALL,
			.now = NOW,
		};
		bh_cleanup(randset_freep) struct randset *w = randset_new(seed + i, &cfg);
		bh_cleanup(bh_compiled_done) struct bh_compiled c = { .rules = NULL };
		bh_cleanup(bh_compiler_freep) struct bh_compiler *compiler = NULL;
		struct rnd r = { .state = seed + i };
		struct bh_err err = { .code = 0 };

		for (unsigned k = 0; k < w->n_eps && w->set->n_nodes > 0; k++) {
			free(w->eps[k]->node);
			w->eps[k]->node = strdup(w->set->nodes[k % w->set->n_nodes]->name);
		}
		assert_int_equal(bh_compiler_new(&compiler), 0);
		if (bh_compile(compiler,
			       &(struct bh_compile_input){
				   .set = w->set,
				   .eps = (const struct bh_endpoint *const *)w->eps,
				   .n_eps = w->n_eps,
				   .around = &w->around,
				   .now = w->now,
			       },
			       &c, &err) < 0)
			fail_msg("%s", err.msg);
		explain_some(w, &r, &c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading_agrees),
		cmocka_unit_test(test_outcomes_agree),
	};

	return cmocka_run_group_tests_name("explain_property", tests, NULL, NULL);
}
