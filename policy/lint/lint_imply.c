/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_imply.c - which selectors match no more than others, and which meet
 *
 * Labels can be anything, so the conditions on one key can be looked at apart from those on others: what is said
 * here of selectors is exact. Of namespaces that no manifest declares only the name is known.
 */
#include "policy/lint/lint_internal.h"

#include <string.h>

#include "common/banned.h"

/* ---- selectors ---- */

static bool listed(const struct bh_sel_req *r, const char *value)
{
	for (size_t i = 0; i < r->n_values; i++)
		if (strcmp(r->values[i], value) == 0)
			return true;
	return false;
}

/* May an object that @s matches have this value? */
static bool value_possible(const struct bh_selector *s, const char *key, const char *value)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct bh_sel_req *r = &s->reqs[i];

		if (strcmp(r->key, key) != 0)
			continue;
		if (r->op == BH_SEL_DOES_NOT_EXIST || (r->op == BH_SEL_IN && !listed(r, value)) ||
		    (r->op == BH_SEL_NOT_IN && listed(r, value)))
			return false;
	}
	return true;
}

static bool has_op(const struct bh_selector *s, const char *key, enum bh_sel_op op)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->reqs[i].op == op && strcmp(s->reqs[i].key, key) == 0)
			return true;
	return false;
}

/* Comparisons that value_possible() makes, at most. */
static uint64_t price(const struct bh_selector *s)
{
	uint64_t n = 1;

	for (size_t i = 0; i < s->n; i++)
		n += 1 + s->reqs[i].n_values;
	return n;
}

/* All values that one of the conditions "In" of @b leaves are in the list of @r. */
static bool values_within(const struct bh_selector *b, const struct bh_sel_req *r)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct bh_sel_req *in = &b->reqs[i];
		bool all = in->op == BH_SEL_IN && strcmp(in->key, r->key) == 0;

		for (size_t k = 0; all && k < in->n_values; k++)
			all = listed(r, in->values[k]) || !value_possible(b, r->key, in->values[k]);
		if (all)
			return true;
	}
	return false;
}

static bool none_possible(const struct bh_selector *b, const struct bh_sel_req *r)
{
	for (size_t i = 0; i < r->n_values; i++)
		if (value_possible(b, r->key, r->values[i]))
			return false;
	return true;
}

static bool implies(struct lint_steps *s, const struct bh_selector *b, const struct bh_sel_req *r)
{
	uint64_t p = price(b);

	if (!lint_pay(s, p * (p + r->n_values)))
		return false;
	switch (r->op) {
	case BH_SEL_IN:
		return values_within(b, r);
	case BH_SEL_NOT_IN:
		return none_possible(b, r);
	case BH_SEL_EXISTS:
		return has_op(b, r->key, BH_SEL_IN) || has_op(b, r->key, BH_SEL_EXISTS);
	case BH_SEL_DOES_NOT_EXIST:
		return has_op(b, r->key, BH_SEL_DOES_NOT_EXIST);
	case BH_SEL_INVALID:
		break;
	}
	return false;
}

bool lint_selector_within(struct lint_steps *s, const struct bh_selector *b,
			  const struct bh_selector *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (!implies(s, b, &a->reqs[i]))
			return false;
	return true;
}

/* Is there an object that fulfils this condition of one of them, and all others on the same key? */
static bool can_hold(const struct bh_selector *a, const struct bh_selector *b,
		     const struct bh_sel_req *r)
{
	bool none =
	    has_op(a, r->key, BH_SEL_DOES_NOT_EXIST) || has_op(b, r->key, BH_SEL_DOES_NOT_EXIST);

	if (r->op == BH_SEL_EXISTS)
		return !none;
	if (r->op != BH_SEL_IN)
		return true;
	for (size_t i = 0; i < r->n_values; i++)
		if (value_possible(a, r->key, r->values[i]) &&
		    value_possible(b, r->key, r->values[i]))
			return true;
	return false;
}

bool lint_selectors_meet(struct lint_steps *s, const struct bh_selector *a,
			 const struct bh_selector *b)
{
	uint64_t p = price(a) + price(b);

	if (!lint_pay(s, p * p))
		return true;
	for (size_t i = 0; i < a->n; i++)
		if (!can_hold(a, b, &a->reqs[i]))
			return false;
	for (size_t i = 0; i < b->n; i++)
		if (!can_hold(a, b, &b->reqs[i]))
			return false;
	return true;
}

/* ---- namespaces ---- */

const struct bh_namespace *lint_namespace(const struct lint *l, const char *name)
{
	return bh_policy_set_namespace(l->in->set, name);
}

enum guess {
	SURELY_NOT,
	PERHAPS,
	SURELY,
};

static enum guess namespace_matches(struct lint *l, const char *name, const struct bh_selector *sel)
{
	const struct bh_namespace *ns = lint_namespace(l, name);
	struct bh_label label = { (char *)LINT_NAME, (char *)name };
	struct bh_labels only_name = { &label, 1 };
	enum guess g = SURELY;

	if (!lint_pay(&l->steps, price(sel)))
		return PERHAPS;
	if (ns)
		return bh_selector_match(sel, &ns->labels) ? SURELY : SURELY_NOT;
	for (size_t i = 0; i < sel->n; i++) {
		struct bh_selector one = { &sel->reqs[i], 1 };

		if (strcmp(sel->reqs[i].key, LINT_NAME) != 0)
			g = PERHAPS;
		else if (!bh_selector_match(&one, &only_name))
			return SURELY_NOT;
	}
	return g;
}

/* ---- scopes ---- */

static const struct bh_selector *or_all(bool given, const struct bh_selector *s)
{
	return given && s->n > 0 ? s : NULL;
}

struct lint_scope lint_subjects(const struct bh_policy *p)
{
	struct lint_scope s = { .pods = or_all(true, &p->pods) };

	if (bh_kind_is_cluster(p->kind))
		s.ns_sel = or_all(p->has_ns, &p->ns_sel);
	else
		s.ns = p->ns;
	return s;
}

struct lint_scope lint_peer_scope(const struct bh_policy *p, const struct bh_peer *peer)
{
	struct lint_scope s = { .pods = or_all(peer->has_pod, &peer->pod) };

	if (peer->has_ns)
		s.ns_sel = or_all(true, &peer->ns);
	else if (!bh_kind_is_cluster(p->kind))
		s.ns = p->ns;
	return s;
}

static bool namespaces_within(struct lint *l, const struct lint_scope *b,
			      const struct lint_scope *a)
{
	if (a->ns) {
		char *name = (char *)a->ns;
		struct bh_sel_req r = { BH_SEL_IN, (char *)LINT_NAME, &name, 1 };

		if (b->ns)
			return strcmp(a->ns, b->ns) == 0;
		return b->ns_sel && implies(&l->steps, b->ns_sel, &r);
	}
	if (!a->ns_sel)
		return true;
	if (b->ns)
		return namespace_matches(l, b->ns, a->ns_sel) == SURELY;
	return b->ns_sel && lint_selector_within(&l->steps, b->ns_sel, a->ns_sel);
}

bool lint_scope_within(struct lint *l, const struct lint_scope *b, const struct lint_scope *a)
{
	if (!namespaces_within(l, b, a))
		return false;
	if (!a->pods)
		return true;
	return b->pods && lint_selector_within(&l->steps, b->pods, a->pods);
}

static bool namespaces_meet(struct lint *l, const struct lint_scope *a, const struct lint_scope *b)
{
	if (a->ns && b->ns)
		return strcmp(a->ns, b->ns) == 0;
	if (a->ns)
		return !b->ns_sel || namespace_matches(l, a->ns, b->ns_sel) != SURELY_NOT;
	if (b->ns)
		return !a->ns_sel || namespace_matches(l, b->ns, a->ns_sel) != SURELY_NOT;
	return !a->ns_sel || !b->ns_sel || lint_selectors_meet(&l->steps, a->ns_sel, b->ns_sel);
}

bool lint_scopes_meet(struct lint *l, const struct lint_scope *a, const struct lint_scope *b)
{
	static const struct bh_selector all = { .n = 0 };

	if (!namespaces_meet(l, a, b))
		return false;
	/* A selector that contradicts itself meets nothing. */
	return lint_selectors_meet(&l->steps, a->pods ? a->pods : &all, b->pods ? b->pods : &all);
}
