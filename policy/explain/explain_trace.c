// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/explain/explain_trace.c - the rules that could decide, in the order in which they would
 *
 * The order is that of compile.c: tier by tier; in the admin and baseline tiers rule after rule, in the application
 * tier first what refuses, then what allows, then isolation. A rule's rank says where it stands in it.
 */
#include "policy/explain/explain_internal.h"

#include "common/util.h"
#include "policy/when.h"

#include <string.h>

#include "common/banned.h"

void bh_trace_done(struct bh_trace *t)
{
	free(t->policies);
	free(t->looks);
	*t = (struct bh_trace){ .policies = NULL };
}

static bool refuses(enum bh_action a)
{
	return a == BH_ACTION_DENY || a == BH_ACTION_REJECT;
}

static bool decides(enum bh_action a)
{
	return refuses(a) || a == BH_ACTION_ALLOW || a == BH_ACTION_PASS;
}

static uint64_t rank_of(const struct bh_policy *p, size_t place, size_t index, enum bh_action a)
{
	uint64_t tier = (uint64_t)p->tier << 60;

	if (p->tier == BH_TIER_APPLICATION)
		return tier | (uint64_t)(refuses(a) ? 0 : 1) << 32;
	return tier | (uint64_t)place << 32 | (uint32_t)index;
}

static int policy_cmp(const void *a, const void *b)
{
	const struct bh_policy *const *x = a, *const *y = b;

	return bh_policy_order(*x, *y);
}

static int policies_collect(const struct bh_asked *q, struct bh_trace *t, size_t *ret_rules)
{
	*ret_rules = 0;
	t->policies = calloc(q->set->n_policies + 1, sizeof(*t->policies));
	if (!t->policies)
		return -ENOMEM;
	for (size_t i = 0; i < q->set->n_policies; i++) {
		const struct bh_policy *p = q->set->policies[i];

		if (!bh_policy_holds_for(q->set, p, q->subject, q->dir))
			continue;
		t->policies[t->n_policies++] = p;
		*ret_rules += p->n_rules[q->dir];
	}
	qsort(t->policies, t->n_policies, sizeof(*t->policies), policy_cmp);
	return 0;
}

int bh_trace_make(const struct bh_asked *q, struct bh_trace *ret)
{
	bh_cleanup(bh_trace_done) struct bh_trace t = { .policies = NULL };
	size_t n_rules;
	int r = policies_collect(q, &t, &n_rules);

	if (r < 0)
		return r;
	t.looks = calloc(n_rules + 1, sizeof(*t.looks));
	if (!t.looks)
		return -ENOMEM;
	for (size_t i = 0; i < t.n_policies; i++) {
		const struct bh_policy *p = t.policies[i];

		for (size_t k = 0; k < p->n_rules[q->dir]; k++) {
			struct bh_look *l = &t.looks[t.n_looks];
			const struct bh_rule *rule = &p->rules[q->dir][k];

			if (!decides(rule->action))
				continue;
			*l = (struct bh_look){
				.policy = p,
				.rule = rule,
				.index = (uint32_t)k,
				.mode = bh_policy_mode_at(p, q->now),
				.rank = rank_of(p, i, k, rule->action),
			};
			l->truth = bh_rule_match(q, p, rule, &l->failed, NULL);
			t.n_looks++;
		}
	}
	*ret = t;
	t = (struct bh_trace){ .policies = NULL };
	return 0;
}

/* The enforced rule of least rank, at or above @from, that matches or may match; the earlier one of equal rank. */
static const struct bh_look *first_from(const struct bh_trace *t, uint64_t from)
{
	const struct bh_look *best = NULL;

	for (size_t i = 0; i < t->n_looks; i++) {
		const struct bh_look *l = &t->looks[i];

		if (l->mode == BH_MODE_ENFORCE && l->truth != BH_FALSE && l->rank >= from &&
		    (!best || l->rank < best->rank))
			best = l;
	}
	return best;
}

static bool is_isolated(const struct bh_asked *q, const struct bh_trace *t)
{
	for (size_t i = 0; i < t->n_policies && !bh_host_is_free(q); i++) {
		if (t->policies[i]->isolates[q->dir] &&
		    bh_policy_mode_at(t->policies[i], q->now) == BH_MODE_ENFORCE)
			return true;
	}
	return false;
}

struct bh_decided bh_trace_decide(const struct bh_asked *q, const struct bh_trace *t)
{
	bool isolated = is_isolated(q, t);
	uint64_t from = 0;

	for (;;) {
		const struct bh_look *l = first_from(t, from);

		if (isolated && (!l || l->rank > BH_RANK_ISOLATION))
			return (struct bh_decided){ BH_RANK_ISOLATION, NULL, true };
		if (!l)
			return (struct bh_decided){ BH_RANK_NONE, NULL, true };
		if (l->truth == BH_OPEN)
			return (struct bh_decided){ l->rank, l, false };
		if (l->rule->action != BH_ACTION_PASS || bh_rule_is_closed(l->rule))
			return (struct bh_decided){ l->rank, l, true };
		from = (uint64_t)(bh_rank_tier(l->rank) + 1) << 60;
	}
}

struct bh_tier_said bh_trace_tier(const struct bh_trace *t, enum bh_tier tier, int64_t now)
{
	struct bh_tier_said said = { .certain = true };
	const struct bh_look *l = first_from(t, (uint64_t)tier << 60);

	for (size_t i = 0; i < t->n_policies; i++)
		said.n_policies += t->policies[i]->tier == tier &&
				   bh_policy_mode_at(t->policies[i], now) == BH_MODE_ENFORCE;
	if (!l || bh_rank_tier(l->rank) != tier)
		return said;
	said.certain =
	    l->truth == BH_TRUE && l->rule->action == BH_ACTION_PASS && !bh_rule_is_closed(l->rule);
	said.passed = said.certain ? l : NULL;
	return said;
}
