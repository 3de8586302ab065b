/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint.c - the run: what is in force, in which order, and how a warning is made
 */
#include "policy/lint.h"

#include "policy/lint/lint_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

static const struct bh_lint_code codes[] = {
#define X(code, text) { code, text },
	BH_LINT_CODES(X)
#undef X
};

const struct bh_lint_code *bh_lint_code(size_t i)
{
	return i < BH_ARRAY_SIZE(codes) ? &codes[i] : NULL;
}

/* ---- what is in force ---- */

bool lint_policy_over(const struct lint *l, const struct bh_policy *p)
{
	return l->in->now != 0 && p->expires != 0 && p->expires <= l->in->now;
}

bool lint_rule_over(const struct lint *l, const struct bh_rule *r)
{
	return l->in->now != 0 && r->expires != 0 && r->expires <= l->in->now;
}

bool lint_enforced(const struct lint *l, const struct bh_policy *p)
{
	return p->mode == BH_MODE_ENFORCE ||
	       (l->in->now != 0 && p->enforce_after != 0 && p->enforce_after <= l->in->now);
}

static int by_order(const void *x, const void *y)
{
	return bh_policy_order(*(const struct bh_policy *const *)x,
			       *(const struct bh_policy *const *)y);
}

/* The text says where what is equal by name stands: only there is no order among those. */
static int collect_policies(struct lint *l)
{
	const struct bh_policy_set *set = l->in->set;

	l->order = calloc(set->n_policies + 1, sizeof(*l->order));
	if (!l->order)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_policies; i++)
		if (!lint_policy_over(l, set->policies[i]))
			l->order[l->n_order++] = set->policies[i];
	if (l->n_order > 1)
		qsort(l->order, l->n_order, sizeof(*l->order), by_order);
	return 0;
}

static bool is_odd(const struct bh_rule *r)
{
	for (size_t i = 0; i < r->n_peers; i++)
		if (r->peers[i].kind == BH_PEER_UNKNOWN)
			return true;
	return r->has_ports && r->n_ports == 0;
}

static int collect_rules(struct lint *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_order; i++)
		n += l->order[i]->n_rules[BH_DIR_INGRESS] + l->order[i]->n_rules[BH_DIR_EGRESS];
	if (n >= UINT32_MAX)
		return -ENOMEM;
	l->rules = calloc(n + 1, sizeof(*l->rules));
	if (!l->rules)
		return -ENOMEM;
	for (size_t i = 0; i < l->n_order; i++) {
		const struct bh_policy *p = l->order[i];

		for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
			/* Rules in a direction that a NetworkPolicy does not isolate are inert. */
			if (p->kind == BH_KIND_NETWORK_POLICY && !p->isolates[d])
				continue;
			for (size_t k = 0; k < p->n_rules[d]; k++) {
				const struct bh_rule *r = &p->rules[d][k];

				l->logging[d] |= r->action == BH_ACTION_ALLOW && r->log;
				l->alerting[d] |= r->action == BH_ACTION_ALLOW && lint_asks(r) &&
						  r->unknown == BH_FAIL_ALERT;
				l->lenient[d] |= lint_asks(r) && (r->on_overload > BH_FAIL_REFUSE ||
								  r->midstream > BH_FAIL_REFUSE);
				if (!lint_rule_over(l, r))
					l->rules[l->n_rules++] =
					    (struct lint_rule){ .p = p,
								.r = r,
								.dir = d,
								.index = k,
								.odd = is_odd(r) };
			}
		}
	}
	return 0;
}

static void note_openings(struct lint *l)
{
	for (unsigned d = 0; d < BH_DIR_COUNT; d++)
		l->first_pass[d] = l->first_open[d] = LINT_NONE;
	for (size_t i = 0; i < l->n_rules; i++) {
		const struct lint_rule *r = &l->rules[i];

		if (r->p->tier != BH_TIER_ADMIN)
			continue;
		if (r->r->action == BH_ACTION_PASS)
			l->first_pass[r->dir] = BH_MIN(l->first_pass[r->dir], i);
		if (r->r->action == BH_ACTION_PASS || r->r->action == BH_ACTION_ALLOW)
			l->first_open[r->dir] = BH_MIN(l->first_open[r->dir], i);
	}
}

/* ---- groups of policies ---- */

void lint_group_done(struct lint_group *g)
{
	free(g->v);
}

static int by_namespace(const void *x, const void *y)
{
	return strcmp((*(const struct bh_policy *const *)x)->ns,
		      (*(const struct bh_policy *const *)y)->ns);
}

int lint_group_make(const struct lint *l, struct lint_group *g,
		    bool (*want)(const struct lint *l, const struct bh_policy *p, enum bh_dir dir),
		    enum bh_dir dir)
{
	g->v = calloc(l->n_order + 1, sizeof(*g->v));
	if (!g->v)
		return -ENOMEM;
	for (size_t i = 0; i < l->n_order; i++)
		if (want(l, l->order[i], dir))
			g->v[g->n++] = l->order[i];
	/* Those of the cluster (namespace "") come first. */
	if (g->n > 1)
		qsort(g->v, g->n, sizeof(*g->v), by_namespace);
	return 0;
}

static size_t first_of(const struct lint_group *g, const char *ns)
{
	size_t lo = 0, hi = g->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(g->v[mid]->ns, ns) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool lint_group_any(struct lint *l, const struct lint_group *g, const struct bh_policy *p,
		    bool (*is)(struct lint *l, const struct bh_policy *one,
			       const struct bh_policy *p))
{
	bool cluster = *p->ns == '\0';
	size_t i;

	for (i = 0; i < g->n && (cluster || *g->v[i]->ns == '\0'); i++)
		if (!lint_pay(&l->steps, 1) || is(l, g->v[i], p))
			return true;
	for (i = first_of(g, p->ns); !cluster && i < g->n && strcmp(g->v[i]->ns, p->ns) == 0; i++)
		if (!lint_pay(&l->steps, 1) || is(l, g->v[i], p))
			return true;
	return false;
}

/* ---- warnings ---- */

static size_t number_of(const char *code)
{
	return BH_MIN(strtoul(code + 1, NULL, 10), sizeof(((struct lint *)0)->told) - 1);
}

bool lint_only_counted(const struct lint *l, const char *code)
{
	return l->told[number_of(code)] >= BH_DIAG_MAX / 4 || l->d->n >= BH_DIAG_MAX;
}

int lint_warn(struct lint *l, const struct lint_where *w, const char *code, const char *hint,
	      const char *fmt, ...)
{
	struct lint_place place;
	struct bh_diag_at at = { .file = w->p->file };
	va_list ap;
	int r;

	if (lint_only_counted(l, code)) {
		l->d->n_warnings++;
		l->d->omitted++;
		return 0;
	}
	l->told[number_of(code)]++;
	r = lint_find_place(w, &place);
	if (r == 0) {
		if (l->in->text)
			at.text = l->in->text(l->in->ctx, w->p->file);
		at.pos = place.pos;
		at.width = place.width;
		at.path = bh_buf_str(&place.path);
		va_start(ap, fmt);
		r = bh_diag_addv(l->d, &at, BH_SEVERITY_WARNING, code, hint, fmt, ap);
		va_end(ap);
	}
	bh_buf_done(&place.path);
	return r;
}

static int exhausted(struct lint *l)
{
	const struct bh_diag_at at = { .file = "" };

	return bh_diag_add(
	    l->d, &at, BH_SEVERITY_WARNING, "w32", "look at fewer files at a time to see all",
	    "there is too much to compare: some rules were not held against all others");
}

/* ---- the run ---- */

static void lint_done(struct lint *l)
{
	free(l->order);
	free(l->rules);
}

int bh_lint(const struct bh_lint_input *in, struct bh_diags *d)
{
	static int (*const parts[])(struct lint *) = { lint_time, lint_traps, lint_data,
						       lint_shadow, lint_priorities };
	bh_cleanup(lint_done) struct lint l = { .in = in, .d = d, .whole = d->n_errors == 0 };
	bool empty = false;
	int r;

	r = collect_policies(&l);
	if (r == 0)
		r = collect_rules(&l);
	note_openings(&l);
	for (size_t i = 0; r == 0 && i < BH_ARRAY_SIZE(parts); i++) {
		/* A purse for each: none goes without because of another. */
		l.steps = (struct lint_steps){ .left = BH_LINT_STEPS_MAX };
		r = parts[i](&l);
		empty |= l.steps.empty;
	}
	if (r == 0 && empty)
		r = exhausted(&l);
	return r;
}
