/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_time.c - what has ended, and what soon opens because it ends
 */
#include "policy/lint/lint_internal.h"
#include "policy/when.h"

#include <errno.h>
#include <stdio.h>

#include "common/banned.h"

#define DAY  INT64_C(86400)
#define SOON (7 * DAY)

/* They isolate for longer: what another policy leaves open they keep shut. */
static bool keeps(const struct lint *l, const struct bh_policy *p, enum bh_dir dir)
{
	return p->tier == BH_TIER_APPLICATION && p->isolates[dir] && lint_enforced(l, p) &&
	       (p->expires == 0 || p->expires > l->in->now + SOON);
}

static bool for_all_of(struct lint *l, const struct bh_policy *one, const struct bh_policy *p)
{
	struct lint_scope a = lint_subjects(one), b = lint_subjects(p);

	return lint_scope_within(l, &b, &a);
}

struct keepers {
	struct lint_group by_dir[BH_DIR_COUNT];
};

static void keepers_done(struct keepers *k)
{
	for (unsigned d = 0; d < BH_DIR_COUNT; d++)
		lint_group_done(&k->by_dir[d]);
}

static const char *directions(const bool open[BH_DIR_COUNT])
{
	if (open[BH_DIR_INGRESS] && open[BH_DIR_EGRESS])
		return "ingress and egress";
	return open[BH_DIR_INGRESS] ? "ingress" : "egress";
}

/* The end of a policy that isolates opens traffic. */
static int ends_soon(struct lint *l, const struct keepers *k, const struct bh_policy *p)
{
	const struct lint_where w = { .p = p, .part = LINT_PART_EXPIRES };
	bool open[BH_DIR_COUNT] = { false };
	int64_t days = (p->expires - l->in->now) / DAY;
	char when[32], left[32];

	if (p->tier != BH_TIER_APPLICATION || !lint_enforced(l, p) ||
	    p->expires > l->in->now + SOON)
		return 0;
	for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++)
		open[d] = p->isolates[d] && !lint_group_any(l, &k->by_dir[d], p, for_all_of);
	if (!open[BH_DIR_INGRESS] && !open[BH_DIR_EGRESS])
		return 0;
	if (days == 0)
		(void)snprintf(left, sizeof(left), "within a day");
	else
		(void)snprintf(left, sizeof(left), "in %d day%s", (int)days, days == 1 ? "" : "s");
	return lint_warn(l, &w, "w52", NULL,
			 "the policy ends %s (%s): what it isolates for %s is open then", left,
			 bh_time_format(p->expires, when), directions(open));
}

static int ended(struct lint *l, const struct lint_where *w, const char *what, int64_t expires)
{
	char when[32];
	bool policy = w->part == LINT_PART_EXPIRES;

	return lint_warn(l, w, policy ? "w50" : "w51", "remove it",
			 "%s has ended at %s: it has no effect any more", what,
			 bh_time_format(expires, when));
}

static int ended_rules(struct lint *l, const struct bh_policy *p)
{
	int r = 0;

	for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t i = 0; r == 0 && i < p->n_rules[d]; i++) {
			const struct lint_where w = {
				.p = p, .part = LINT_PART_RULE_EXPIRES, .dir = d, .rule = i
			};
			bh_cleanup(bh_buf_done) struct bh_buf who = BH_BUF_INIT;

			if (!lint_rule_over(l, &p->rules[d][i]))
				continue;
			lint_put_rule(&who, &p->rules[d][i], d, i);
			r = bh_buf_failed(&who)
				? -ENOMEM
				: ended(l, &w, bh_buf_str(&who), p->rules[d][i].expires);
		}
	}
	return r;
}

int lint_time(struct lint *l)
{
	bh_cleanup(keepers_done) struct keepers k = { .by_dir = { { .v = NULL } } };
	const struct bh_policy_set *set = l->in->set;
	int r = 0;

	if (l->in->now == 0)
		return 0;
	for (unsigned d = BH_DIR_INGRESS; r == 0 && d < BH_DIR_COUNT; d++)
		r = lint_group_make(l, &k.by_dir[d], keeps, d);
	for (size_t i = 0; r == 0 && i < set->n_policies; i++) {
		const struct bh_policy *p = set->policies[i];
		const struct lint_where w = { .p = p, .part = LINT_PART_EXPIRES };

		if (lint_policy_over(l, p)) {
			r = ended(l, &w, "the policy", p->expires);
			continue;
		}
		r = ended_rules(l, p);
		if (r == 0 && p->expires)
			r = ends_soon(l, &k, p);
	}
	return r;
}
