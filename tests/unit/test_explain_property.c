/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_explain_property.c - what an explanation reads in policies is what they mean
 *
 * Explanations say which rule of which tier decides, what earlier tiers said and which rules come near by reading the
 * policies as they were written. Here that reading is compared with the plain evaluator of tests/lib/oracle.c, on random
 * worlds. Another seed or number of worlds: BH_SEED, BH_SETS.
 */
#include "common/util.h"
#include "policy/explain_internal.h"
#include "tests/lib/oracle.h"
#include "tests/lib/randset.h"

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

static unsigned from_env(const char *name, unsigned otherwise)
{
	const char *s = getenv(name);

	return s && *s ? (unsigned)strtoul(s, NULL, 10) : otherwise;
}

/* ---- questions ---- */

struct saying {
	struct bh_spoken sp;
	const char *v[BH_ATTR_COUNT][2];
};

static const char *value_random(struct rnd *r, enum bh_attr attr)
{
	size_t n = 0;

	while (randset_value(attr, n))
		n++;
	return randset_value(attr, rnd_below(r, (uint32_t)n));
}

static void saying_random(struct rnd *r, struct saying *s)
{
	uint32_t known = 1 + rnd_below(r, 12);

	*s = (struct saying){ .sp.proto = protos[rnd_below(r, BH_ARRAY_SIZE(protos))] };
	for (enum bh_attr a = BH_ATTR_HTTP_METHOD; a < BH_ATTR_COUNT; a++) {
		if (rnd_one_in(r, known + 1))
			continue;
		s->sp.known |= 1U << a;
		s->sp.attr[a].v = s->v[a];
		if (rnd_one_in(r, 8))
			continue;
		s->v[a][s->sp.attr[a].n++] = value_random(r, a);
		if (rnd_one_in(r, 3))
			s->v[a][s->sp.attr[a].n++] = value_random(r, a);
	}
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

	assert_int_equal(bh_misses_find(q, t, d->rank, refused, &m), 0);
	tally->misses += m.n;
	for (size_t i = 0; i < m.n; i++) {
		const struct bh_miss *one = &m.items[i];

		assert_true(one->why[0] != '\0');
		assert_true(one->matches == (one->failed == 0));
		assert_true(i == 0 || bh_parts(one->failed) >= bh_parts(m.items[i - 1].failed));
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
		saying_random(&r, &s);
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
	unsigned seed = from_env("BH_SEED", SEED), sets = from_env("BH_SETS", SETS);
	struct tally tally = { 0 };

	for (unsigned i = 0; i < sets; i++)
		world(seed + i, features[i % BH_ARRAY_SIZE(features)], &tally);
	print_message("# %zu questions, %zu certain, %zu of them by a rule; %zu near misses\n",
		      tally.asked, tally.certain, tally.by_rule, tally.misses);
	assert_true(tally.by_rule > tally.asked / 10 && tally.misses > tally.asked / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading_agrees),
	};

	return cmocka_run_group_tests_name("explain_property", tests, NULL, NULL);
}
