/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_order.c - policies of one priority that contradict each other
 *
 * Their order is not specified (we take the name). It matters only where a connection is decided by one rule of the
 * one and by another rule of the other. Told is what is certain: both rules match something, and no earlier rule
 * of their policies can have to do with it.
 */
#include "policy/lint/lint_internal.h"

#include <errno.h>

#include "common/banned.h"

/* Rules of one policy and direction, as they stand in the list of all. */
struct span {
	size_t first, n;
};

struct spans {
	struct span (*v)[BH_DIR_COUNT]; /* by policy in order */
};

static void spans_done(struct spans *s)
{
	free(s->v);
}

static int spans_make(const struct lint *l, struct spans *s)
{
	size_t at = 0;

	s->v = calloc(l->n_order + 1, sizeof(*s->v));
	if (!s->v)
		return -ENOMEM;
	for (size_t i = 0; i < l->n_order; i++) {
		for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
			s->v[i][d].first = at;
			while (at < l->n_rules && l->rules[at].p == l->order[i] &&
			       l->rules[at].dir == d)
				at++;
			s->v[i][d].n = at - s->v[i][d].first;
		}
	}
	return 0;
}

static bool decides(const struct lint_rule *r)
{
	return r->r->action != BH_ACTION_ALERT && r->r->action != BH_ACTION_LOG;
}

/* No earlier rule of its policy has to do with what @i and @other have in common. */
static bool comes_first(struct lint *l, const struct span *of, size_t i, size_t other)
{
	for (size_t k = of->first; k < i; k++)
		if (decides(&l->rules[k]) &&
		    (l->rules[k].odd || (lint_rules_meet(l, &l->rules[k], &l->rules[i]) &&
					 lint_rules_meet(l, &l->rules[k], &l->rules[other]))))
			return false;
	return true;
}

static bool contradict(struct lint *l, const struct span *sa, size_t a, const struct span *sb,
		       size_t b)
{
	const struct lint_rule *x = &l->rules[a], *y = &l->rules[b];

	if (x->odd || y->odd || !decides(x) || !decides(y) || x->r->action == y->r->action)
		return false;
	/* Windows that never open together are not looked for. */
	if (x->r->when.zone || y->r->when.zone || x->why != LINT_WHY_NOT || y->why != LINT_WHY_NOT)
		return false;
	return lint_rules_clash(l, x, y) && comes_first(l, sa, a, b) && comes_first(l, sb, b, a);
}

static int tell(struct lint *l, const struct lint_rule *a, const struct lint_rule *b)
{
	bh_cleanup(bh_buf_done) struct bh_buf rule = BH_BUF_INIT, other = BH_BUF_INIT;
	const struct lint_where w = {
		.p = b->p, .part = LINT_PART_RULE, .dir = b->dir, .rule = b->index
	};

	lint_put_rule(&rule, b->r, b->dir, b->index);
	lint_put_other(&other, b->p, a);
	if (bh_buf_failed(&rule) || bh_buf_failed(&other))
		return -ENOMEM;
	return lint_warn(l, &w, "w29", "give one of them another priority",
			 "%s (%s) and %s (%s) have the same priority in tier %s and match the same "
			 "connections: only the names of the policies say which one holds",
			 bh_buf_str(&rule), bh_action_name(b->r->action), bh_buf_str(&other),
			 bh_action_name(a->r->action), bh_tier_name(b->p->tier));
}

/* One warning for a policy is enough. */
static int pair(struct lint *l, const struct spans *s, size_t i, size_t k, bool *ret_told)
{
	struct lint_scope si = lint_subjects(l->order[i]), sk = lint_subjects(l->order[k]);

	if (!lint_scopes_meet(l, &si, &sk))
		return 0;
	for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		const struct span *si_d = &s->v[i][d], *sk_d = &s->v[k][d];

		for (size_t x = si_d->first; x < si_d->first + si_d->n; x++) {
			for (size_t y = sk_d->first; y < sk_d->first + sk_d->n; y++) {
				if (!lint_pay(&l->steps, 4))
					return 0;
				if (!contradict(l, si_d, x, sk_d, y))
					continue;
				*ret_told = true;
				return tell(l, &l->rules[x], &l->rules[y]);
			}
		}
	}
	return 0;
}

static bool same_place(const struct bh_policy *a, const struct bh_policy *b)
{
	return a->tier == b->tier && a->priority == b->priority;
}

int lint_priorities(struct lint *l)
{
	bh_cleanup(spans_done) struct spans s = { .v = NULL };
	int r = spans_make(l, &s);

	for (size_t k = 1; r == 0 && k < l->n_order; k++) {
		bool told = l->order[k]->tier == BH_TIER_APPLICATION;

		for (size_t i = k; r == 0 && !told && !l->steps.empty && i-- > 0;) {
			if (!same_place(l->order[i], l->order[k]))
				break;
			r = pair(l, &s, i, k, &told);
		}
	}
	return r;
}
