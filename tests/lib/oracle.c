/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/oracle.c - the plain evaluator that the compiler is compared with
 *
 * For one question the rules that reach it (by peer and port) are written down in their order; then one protocol after
 * the other, and one outcome of open details after the other, is judged by reading that list.
 */
#include "tests/lib/oracle.h"

#include "policy/when.h"
#include "tests/lib/oracle_match.h"

#include <stdlib.h>
#include <string.h>

struct known_policy {
	const struct bh_policy *p;
	enum bh_mode mode;         /* now */
	bool *holds[BH_DIR_COUNT]; /* of each rule: neither expired nor outside of its window */
};

struct oracle {
	struct oracle_world world;
	struct known_policy *policies; /* in order; those that have expired are left out */
	size_t n;
	unsigned unnamed; /* a protocol that no rule names */
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* ---- policies in their order ---- */

static int compare_numbers(int a, int b)
{
	return (a > b) - (a < b);
}

/*
 * By tier. In the tiers that have an order then by priority and name; in the application tier by kind, namespace and
 * name.
 */
static int compare_policies(const void *x, const void *y)
{
	const struct bh_policy *a = ((const struct known_policy *)x)->p;
	const struct bh_policy *b = ((const struct known_policy *)y)->p;
	int c = compare_numbers((int)a->tier, (int)b->tier);

	if (c == 0 && a->tier != BH_TIER_APPLICATION)
		c = compare_numbers(a->priority, b->priority);
	if (c == 0 && a->tier != BH_TIER_APPLICATION)
		c = strcmp(a->name, b->name);
	if (c == 0)
		c = compare_numbers((int)a->kind, (int)b->kind);
	if (c == 0)
		c = strcmp(a->ns, b->ns);
	return c ? c : strcmp(a->name, b->name);
}

static unsigned unnamed_protocol(const struct bh_policy_set *set)
{
	for (unsigned proto = BH_PROTO_FIRST;; proto++) {
		bool named = false;

		for (size_t i = 0; i < set->n_policies; i++) {
			const struct bh_policy *p = set->policies[i];

			for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
				for (size_t k = 0; k < p->n_rules[d]; k++)
					named |= bh_protoset_has(&p->rules[d][k].protocols, proto);
			}
		}
		if (!named)
			return proto;
	}
}

struct oracle *oracle_new(const struct bh_policy_set *set, const struct bh_surroundings *around,
			  int64_t now)
{
	struct oracle *o = must(calloc(1, sizeof(*o)));

	o->world = (struct oracle_world){ set, around };
	o->policies = must(calloc(set->n_policies + 1, sizeof(*o->policies)));
	o->unnamed = unnamed_protocol(set);
	for (size_t i = 0; i < set->n_policies; i++) {
		const struct bh_policy *p = set->policies[i];
		struct known_policy *k = &o->policies[o->n];

		k->p = p;
		k->mode = bh_policy_mode_at(p, now);
		if (k->mode == BH_MODE_INVALID)
			continue;
		for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
			k->holds[d] = must(calloc(p->n_rules[d] + 1, sizeof(bool)));
			for (size_t r = 0; r < p->n_rules[d]; r++)
				k->holds[d][r] = bh_rule_holds_at(&p->rules[d][r], now);
		}
		o->n++;
	}
	qsort(o->policies, o->n, sizeof(*o->policies), compare_policies);
	return o;
}

struct oracle *oracle_free(struct oracle *o)
{
	for (size_t i = 0; o && i < o->n; i++) {
		for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++)
			free(o->policies[i].holds[d]);
	}
	if (o)
		free(o->policies);
	free(o);
	return NULL;
}

/* ---- one question ---- */

#define POLICIES_MAX 128
#define REACHES_MAX  1024
#define OPEN_MAX     16

/* A rule that matches by peer and port. */
struct reach {
	const struct known_policy *by;
	const struct bh_rule *r;
	bool everything; /* for a peer of a later version: denies whatever it is */
};

struct question {
	const struct oracle *o;
	const struct oracle_query *q;
	const struct known_policy *policies[POLICIES_MAX]; /* that have an effect on it, in order */
	size_t n_policies;
	struct reach reaches[REACHES_MAX]; /* in order */
	size_t n_reaches;
	/* What is tried just now. */
	unsigned proto;
	const struct bh_detail *open[OPEN_MAX]; /* their outcomes: */
	unsigned n_open, outcomes;
};

static bool has_effect(const struct oracle *o, const struct oracle_query *q,
		       const struct known_policy *k)
{
	bool rules = false;

	if (!oracle_selects(&o->world, k->p, q->subject))
		return false;
	for (size_t i = 0; i < k->p->n_rules[q->dir]; i++)
		rules |= k->holds[q->dir][i];
	return k->p->isolates[q->dir] || (rules && k->p->kind != BH_KIND_NETWORK_POLICY);
}

static void reaches_add(struct question *x, const struct known_policy *k)
{
	const struct oracle_query *q = x->q;

	for (size_t i = 0; i < k->p->n_rules[q->dir]; i++) {
		const struct bh_rule *r = &k->p->rules[q->dir][i];
		bool everything = !oracle_spares(q) && oracle_has_unknown_peer(r) &&
				  (r->action == BH_ACTION_DENY || r->action == BH_ACTION_PASS);

		if (!k->holds[q->dir][i])
			continue;
		if (!everything &&
		    !(oracle_peers_match(&x->o->world, q, k->p, r) && oracle_ports_match(q, r)))
			continue;
		if (x->n_reaches >= REACHES_MAX)
			abort();
		x->reaches[x->n_reaches++] = (struct reach){ k, r, everything };
	}
}

static void question_make(struct question *x, const struct oracle *o, const struct oracle_query *q)
{
	x->o = o;
	x->q = q;
	x->n_policies = x->n_reaches = 0;
	for (size_t i = 0; i < o->n; i++) {
		if (!has_effect(o, q, &o->policies[i]))
			continue;
		if (x->n_policies >= POLICIES_MAX)
			abort();
		x->policies[x->n_policies++] = &o->policies[i];
		reaches_add(x, &o->policies[i]);
	}
}

/* ---- what is spoken ---- */

static bool detail_holds(const struct question *x, const struct bh_detail *d)
{
	enum bh_truth t = oracle_detail_holds(d, &x->q->spoken);

	if (t != BH_OPEN)
		return t == BH_TRUE;
	for (unsigned i = 0; i < x->n_open; i++) {
		if (oracle_same_detail(x->open[i], d))
			return x->outcomes >> i & 1;
	}
	abort();
}

static bool speaks(const struct question *x, const struct bh_rule *r)
{
	if (r->has_protocols && bh_protoset_has(&r->protocols, x->proto) == r->negated)
		return false;
	for (size_t i = 0; i < r->n_details; i++) {
		if (oracle_detail_binds(r->details[i].kind, x->proto) &&
		    !detail_holds(x, &r->details[i]))
			return false;
	}
	return true;
}

/* What is open about this protocol. */
static void open_find(struct question *x)
{
	x->n_open = 0;
	for (size_t i = 0; i < x->n_reaches; i++) {
		const struct bh_rule *r = x->reaches[i].r;

		for (size_t k = 0; k < r->n_details; k++) {
			const struct bh_detail *d = &r->details[k];
			bool known = !oracle_detail_binds(d->kind, x->proto) ||
				     oracle_detail_holds(d, &x->q->spoken) != BH_OPEN;

			for (unsigned n = 0; n < x->n_open; n++)
				known |= oracle_same_detail(x->open[n], d);
			if (known)
				continue;
			if (x->n_open >= OPEN_MAX)
				abort();
			x->open[x->n_open++] = d;
		}
	}
}

/* ---- the verdict ---- */

static bool enforced(const struct known_policy *k, const struct known_policy *tried)
{
	return k->mode == BH_MODE_ENFORCE || k == tried;
}

static struct oracle_answer by_rule(enum oracle_word word, const struct reach *h)
{
	return (struct oracle_answer){ word, BH_REASON_RULE, h->by->p, h->r, false };
}

/* Admin and baseline: the first rule that decides. */
static struct oracle_answer in_order(const struct question *x, enum bh_tier tier,
				     const struct known_policy *tried)
{
	for (size_t i = 0; i < x->n_reaches; i++) {
		const struct reach *h = &x->reaches[i];

		if (h->by->p->tier != tier || !enforced(h->by, tried))
			continue;
		if (h->everything)
			return by_rule(ORACLE_DROP, h);
		if (!speaks(x, h->r))
			continue;
		switch (h->r->action) {
		case BH_ACTION_ALLOW:
			return by_rule(ORACLE_ALLOW, h);
		case BH_ACTION_DENY:
			return by_rule(ORACLE_DROP, h);
		case BH_ACTION_REJECT:
			return by_rule(ORACLE_REJECT, h);
		case BH_ACTION_PASS:
			return (struct oracle_answer){ ORACLE_INVALID };
		default:
			break;
		}
	}
	return (struct oracle_answer){ ORACLE_INVALID };
}

/* The first rule of the application tier that does one of these and matches, but for what is spoken or with it. */
static const struct reach *first_of(const struct question *x, const struct known_policy *tried,
				    enum bh_action a, enum bh_action b, bool whatever_is_spoken)
{
	for (size_t i = 0; i < x->n_reaches; i++) {
		const struct reach *h = &x->reaches[i];

		if (h->by->p->tier == BH_TIER_APPLICATION && enforced(h->by, tried) &&
		    (h->r->action == a || h->r->action == b) &&
		    (whatever_is_spoken || speaks(x, h->r)))
			return h;
	}
	return NULL;
}

static const struct bh_policy *first_isolator(const struct question *x,
					      const struct known_policy *tried)
{
	for (size_t i = 0; i < x->n_policies; i++) {
		if (x->policies[i]->p->tier == BH_TIER_APPLICATION &&
		    enforced(x->policies[i], tried) && x->policies[i]->p->isolates[x->q->dir])
			return x->policies[i]->p;
	}
	return NULL;
}

/* Nobody knows the protocol, and rules might have allowed it had it been another: the strictest of them. */
static enum bh_fail unknown_is(const struct question *x, const struct known_policy *tried)
{
	enum bh_fail strictest = BH_FAIL_ALLOW;

	for (size_t i = 0; i < x->n_reaches; i++) {
		const struct reach *h = &x->reaches[i];

		if (h->by->p->tier == BH_TIER_APPLICATION && enforced(h->by, tried) &&
		    h->r->action == BH_ACTION_ALLOW && h->r->unknown < strictest)
			strictest = h->r->unknown;
	}
	return strictest;
}

static struct oracle_answer as_a_set(const struct question *x, const struct known_policy *tried)
{
	const struct reach *h = first_of(x, tried, BH_ACTION_DENY, BH_ACTION_REJECT, false);
	const struct bh_policy *isolator = first_isolator(x, tried);
	struct oracle_answer a;

	if (h)
		return by_rule(h->r->action == BH_ACTION_REJECT ? ORACLE_REJECT : ORACLE_DROP, h);
	h = first_of(x, tried, BH_ACTION_ALLOW, BH_ACTION_ALLOW, false);
	if (h)
		return by_rule(ORACLE_ALLOW, h);
	if (!isolator || oracle_spares(x->q))
		return (struct oracle_answer){ ORACLE_INVALID };
	h = first_of(x, tried, BH_ACTION_ALLOW, BH_ACTION_ALLOW, true);
	if (!h)
		return (struct oracle_answer){ ORACLE_DROP, BH_REASON_ISOLATED, isolator, NULL,
					       false };
	a = by_rule(ORACLE_DROP, h);
	a.kind = BH_REASON_PROTOCOL;
	if (x->proto != BH_PROTO_UNKNOWN || unknown_is(x, tried) < BH_FAIL_ALERT)
		return a;
	a = by_rule(unknown_is(x, tried) == BH_FAIL_ALERT ? ORACLE_RECORD : ORACLE_ALLOW, h);
	a.stays_unknown = true;
	return a;
}

/* By the enforced policies, and @tried as if it were one. */
static struct oracle_answer verdict(const struct question *x, const struct known_policy *tried)
{
	struct oracle_answer a = in_order(x, BH_TIER_ADMIN, tried);

	if (a.word == ORACLE_INVALID)
		a = as_a_set(x, tried);
	if (a.word == ORACLE_INVALID)
		a = in_order(x, BH_TIER_BASELINE, tried);
	if (a.word == ORACLE_INVALID)
		a = (struct oracle_answer){ ORACLE_ALLOW,
					    oracle_spares(x->q) ? BH_REASON_HOST
								: BH_REASON_NOT_ISOLATED,
					    NULL, NULL, false };
	return a;
}

/* ---- what is recorded ---- */

static const struct reach *first_recorder(const struct question *x, enum bh_action action)
{
	for (size_t i = 0; i < x->n_reaches; i++) {
		const struct reach *h = &x->reaches[i];

		if (h->by->mode != BH_MODE_LEARN && h->r->action == action && speaks(x, h->r))
			return h;
	}
	return NULL;
}

static struct oracle_answer recorded(const struct question *x, struct oracle_answer a)
{
	const struct reach *h;
	struct oracle_answer w;

	for (size_t i = 0; i < x->n_policies; i++) {
		const struct known_policy *k = x->policies[i];

		if (k->mode != BH_MODE_MONITOR)
			continue;
		w = verdict(x, k);
		if (oracle_refuses(&w))
			return (struct oracle_answer){ ORACLE_RECORD, BH_REASON_WOULD, k->p,
						       w.policy == k->p ? w.rule : NULL, false };
	}
	if (a.word == ORACLE_RECORD)
		return a;
	h = first_recorder(x, BH_ACTION_ALERT);
	if (h)
		return by_rule(ORACLE_RECORD, h);
	if (a.rule && a.rule->log && !a.stays_unknown) {
		a.word = ORACLE_RECORD;
		return a;
	}
	h = first_recorder(x, BH_ACTION_LOG);
	if (h)
		return by_rule(ORACLE_RECORD, h);
	for (size_t i = 0; i < x->n_policies; i++) {
		const struct known_policy *k = x->policies[i];

		if (k->mode != BH_MODE_LEARN)
			continue;
		w = verdict(x, k);
		if (w.kind == BH_REASON_ISOLATED || w.kind == BH_REASON_PROTOCOL)
			return (struct oracle_answer){ ORACLE_RECORD, BH_REASON_LEARN, k->p, NULL,
						       false };
	}
	return a;
}

/* ---- all that is possible ---- */

bool oracle_same_answer(const struct oracle_answer *a, const struct oracle_answer *b)
{
	return a->word == b->word && a->kind == b->kind && a->policy == b->policy &&
	       a->rule == b->rule && a->stays_unknown == b->stays_unknown;
}

bool oracle_same_effect(const struct oracle_answer *a, const struct oracle_answer *b)
{
	if (oracle_badness(a) != oracle_badness(b))
		return false;
	return a->word != ORACLE_RECORD || oracle_same_answer(a, b);
}

static void answer_add(struct oracle_answers *all, const struct oracle_answer *a)
{
	for (size_t i = 0; i < all->n; i++) {
		if (oracle_same_answer(&all->all[i], a))
			return;
	}
	if (all->n >= ORACLE_ANSWERS_MAX)
		abort();
	all->all[all->n++] = *a;
}

static void try_protocol(struct question *x, unsigned proto, struct oracle_answers *all)
{
	x->proto = proto;
	open_find(x);
	for (x->outcomes = 0; x->outcomes < 1U << x->n_open; x->outcomes++) {
		struct oracle_answer a = verdict(x, NULL);

		if (!oracle_refuses(&a))
			a = recorded(x, a);
		answer_add(all, &a);
	}
}

/* Every protocol that a rule here names, one that none names, and unknown. */
static void try_all_protocols(struct question *x, struct oracle_answers *all)
{
	try_protocol(x, x->o->unnamed, all);
	try_protocol(x, BH_PROTO_UNKNOWN, all);
	for (unsigned proto = BH_PROTO_FIRST; proto < BH_PROTO_UNDECIDED; proto++) {
		bool named = false;

		for (size_t i = 0; i < x->n_reaches; i++)
			named |= bh_protoset_has(&x->reaches[i].r->protocols, proto);
		if (named)
			try_protocol(x, proto, all);
	}
}

static void keep_the_worst(struct oracle_answers *all)
{
	int worst = 0;
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		if (oracle_badness(&all->all[i]) > worst)
			worst = oracle_badness(&all->all[i]);
	}
	for (size_t i = 0; i < all->n; i++) {
		if (oracle_badness(&all->all[i]) == worst)
			all->all[n++] = all->all[i];
	}
	all->n = n;
}

struct oracle_answer oracle_ask(const struct oracle *o, const struct oracle_query *q,
				struct oracle_answers *ret_all)
{
	struct oracle_answers mine, *all = ret_all ? ret_all : &mine;
	unsigned proto = q->spoken.proto;
	struct question x;

	all->n = 0;
	question_make(&x, o, q);
	if (x.n_policies == 0) {
		all->all[all->n++] = (struct oracle_answer){ ORACLE_FREE };
		return all->all[0];
	}
	if (proto == 0 || proto == BH_PROTO_UNDECIDED)
		try_all_protocols(&x, all);
	else
		try_protocol(&x, proto, all);
	if (proto == BH_PROTO_UNDECIDED) {
		keep_the_worst(all);
		return all->all[0];
	}
	for (size_t i = 0; i < all->n; i++) {
		/* What is learned is what is spoken. */
		if (!oracle_same_effect(&all->all[0], &all->all[i]) ||
		    (proto == 0 && all->all[i].kind == BH_REASON_LEARN))
			return (struct oracle_answer){ ORACLE_OPEN };
	}
	return all->all[0];
}
