/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_relation.c - what one rule does to another
 *
 * Asked is when each of the two is in force, in which order they are looked at (admin tier in order; application tier
 * deny before allow; baseline in order where nobody isolates), and whether the first matches all that the second
 * does. Besides nothing may be lost that goes with the second: a record, a switch of protocols, what happens to
 * connections that stay unknown or cannot be judged. Each of these is explained where it is asked.
 */
#include "policy/lint/lint_internal.h"

#include "common/banned.h"

#define FOREVER INT64_MAX

/* ---- when rules are in force ---- */

static int64_t end_of(const struct bh_policy *p, const struct bh_rule *r)
{
	int64_t policy = p->expires ? p->expires : FOREVER;
	int64_t rule = r && r->expires ? r->expires : FOREVER;

	return BH_MIN(policy, rule);
}

static bool same_window(const struct bh_when *a, const struct bh_when *b)
{
	return a->days == b->days && a->from == b->from && a->to == b->to &&
	       bh_streq(a->zone, b->zone);
}

/* @a counts whenever @b would make a difference. Records are made by monitor policies too. */
static bool always_beside(const struct lint *l, const struct lint_rule *a,
			  const struct lint_rule *b, bool for_record)
{
	if (a->r->when.zone && !same_window(&a->r->when, &b->r->when))
		return false;
	if (end_of(a->p, a->r) < end_of(b->p, b->r))
		return false;
	if (a->p == b->p)
		return true;
	return lint_enforced(l, a->p) || (for_record && a->p->mode == BH_MODE_MONITOR);
}

/* ---- what is not a question of matching ---- */

bool lint_refuses(const struct lint_rule *r)
{
	return r->r->action == BH_ACTION_DENY || r->r->action == BH_ACTION_REJECT;
}

bool lint_records(const struct lint_rule *r)
{
	return r->r->action == BH_ACTION_ALERT || r->r->action == BH_ACTION_LOG;
}

/* UNSET is as strict as it gets. */
static bool as_lenient(enum bh_fail b, enum bh_fail a)
{
	return BH_MAX(b, BH_FAIL_REFUSE) >= BH_MAX(a, BH_FAIL_REFUSE);
}

/*
 * The strictest of the rules that match and ask what is spoken says what happens if nobody can tell, reached or not.
 * Without @b another one must be as strict, or all are.
 */
static bool same_failures(const struct lint *l, const struct lint_rule *a,
			  const struct lint_rule *b)
{
	if (!lint_asks(b->r) || !l->lenient[b->dir] || lint_records(b))
		return true;
	if (b->r->on_overload == BH_FAIL_ALLOW && b->r->midstream == BH_FAIL_ALLOW)
		return true;
	return a && lint_asks(a->r) && as_lenient(b->r->on_overload, a->r->on_overload) &&
	       as_lenient(b->r->midstream, a->r->midstream);
}

/*
 * An allow rule with protocols also decides about the unknown one, by unknownProtocol: it has no effect only if that
 * is decided elsewhere.
 */
static bool unknown_decided(const struct bh_rule *a, const struct bh_rule *b)
{
	return !lint_asks(b) || (lint_rule_speaks(a, BH_PROTO_UNKNOWN) && a->n_details == 0);
}

static bool same_proxy(const struct bh_rule *a, const struct bh_rule *b)
{
	if (a->proxy == b->proxy)
		return true;
	return a->proxy != BH_PROXY_REQUIRE && b->proxy <= BH_PROXY_REFUSE;
}

/* What @b allows @a allows, and nothing that goes with it is lost. */
static bool allows_alike(const struct lint *l, const struct lint_rule *la,
			 const struct lint_rule *lb, bool a_first)
{
	const struct bh_rule *a = la->r, *b = lb->r;

	/* The first rule that allows is asked whether it records: @b may stand before one that does. */
	if (b->log || (l->logging[lb->dir] && !a_first) || !same_proxy(a, b))
		return false;
	if ((b->switches & ~(BH_SWITCH_USUAL | a->switches)) != 0)
		return false;
	if (!lint_asks(a))
		return true;
	/* What passes as unknown with an alert is recorded under the first of the rules. */
	if (l->alerting[lb->dir] && !a_first)
		return false;
	return as_lenient(b->unknown, a->unknown) && b->evidence <= a->evidence &&
	       b->urgency <= a->urgency &&
	       (b->switches == a->switches || b->switches != BH_SWITCH_USUAL);
}

/* ---- matching ---- */

static bool covers(struct lint *l, const struct lint_rule *a, const struct lint_rule *b)
{
	if (!lint_ports_within(&l->steps, b->r, a->r) || !lint_speech_within(&l->steps, b->r, a->r))
		return false;
	if (a->p != b->p) {
		struct lint_scope sa = lint_subjects(a->p), sb = lint_subjects(b->p);

		if (!lint_scope_within(l, &sb, &sa))
			return false;
	}
	return lint_peers_within(l, b, a);
}

/* What is refused is not recorded by alert and log rules. But it must be refused: nothing before lets it out. */
static enum lint_why on_record(const struct lint *l, const struct lint_rule *a, size_t ia,
			       const struct lint_rule *b, size_t ib)
{
	if (lint_refuses(a)) {
		bool surely = a->p->tier == BH_TIER_ADMIN ? ia < l->first_open[a->dir]
							  : l->first_open[a->dir] == LINT_NONE;

		return l->whole && surely && a->p->tier != BH_TIER_BASELINE ? LINT_WHY_UNRECORDED
									    : LINT_WHY_NOT;
	}
	if (!lint_records(a) || a->p->mode == BH_MODE_LEARN)
		return LINT_WHY_NOT;
	/* The first alert is recorded; a log only where there is no alert. */
	if (a->r->action == BH_ACTION_ALERT && (b->r->action == BH_ACTION_LOG || ia < ib))
		return LINT_WHY_RECORDED;
	return a->r->action == b->r->action && ia < ib ? LINT_WHY_RECORDED : LINT_WHY_NOT;
}

static enum lint_why on_application(const struct lint *l, const struct lint_rule *a, size_t ia,
				    const struct lint_rule *b, size_t ib)
{
	bool allow = b->r->action == BH_ACTION_ALLOW;

	if (a->p->tier == BH_TIER_ADMIN) {
		/* A pass before it would leave the tier, and @b would be asked. */
		return l->whole && ia < l->first_pass[a->dir] &&
			       (!allow || unknown_decided(a->r, b->r))
			   ? LINT_WHY_TIER
			   : LINT_WHY_NOT;
	}
	if (a->p->tier != BH_TIER_APPLICATION)
		return LINT_WHY_NOT;
	if (!allow) /* the first one is named in records */
		return lint_refuses(a) && ia < ib ? LINT_WHY_REFUSED : LINT_WHY_NOT;
	if (lint_refuses(a))
		return unknown_decided(a->r, b->r) ? LINT_WHY_BEATEN : LINT_WHY_NOT;
	return allows_alike(l, a, b, ia < ib) ? LINT_WHY_ALLOWED : LINT_WHY_NOT;
}

static enum lint_why on_ordered(const struct lint *l, const struct lint_rule *a, size_t ia,
				const struct lint_rule *b, size_t ib)
{
	if (a->p->tier == b->p->tier)
		return ia < ib ? LINT_WHY_BEHIND : LINT_WHY_NOT;
	if (b->p->tier != BH_TIER_BASELINE)
		return LINT_WHY_NOT;
	/* What leaves the admin tier by pass may still be decided by the application tier, but need not. */
	if (a->p->tier == BH_TIER_ADMIN && ia >= l->first_pass[a->dir])
		return LINT_WHY_NOT;
	return a->r->action != BH_ACTION_PASS && l->whole ? LINT_WHY_TIER : LINT_WHY_NOT;
}

/* What the rule @ia does to @ib. */
enum lint_why lint_relation(struct lint *l, size_t ia, size_t ib)
{
	const struct lint_rule *a = &l->rules[ia], *b = &l->rules[ib];
	enum lint_why why;
	bool both;

	if (ia == ib || a->odd || a->dir != b->dir || !lint_pay(&l->steps, 4))
		return LINT_WHY_NOT;
	if (lint_records(b))
		why = on_record(l, a, ia, b, ib);
	else if (lint_records(a))
		return LINT_WHY_NOT;
	else if (b->p->tier == BH_TIER_APPLICATION)
		why = on_application(l, a, ia, b, ib);
	else
		why = on_ordered(l, a, ia, b, ib);
	if (why == LINT_WHY_NOT || !same_failures(l, a, b) ||
	    !always_beside(l, a, b, why == LINT_WHY_RECORDED) || !covers(l, a, b))
		return LINT_WHY_NOT;
	/* Of two equal ones the first stays. */
	if (a->p != b->p && (why != LINT_WHY_ALLOWED || ia < ib))
		return why;
	both = a->r->action == b->r->action && covers(l, b, a);
	if (!both)
		return why;
	return ia < ib ? LINT_WHY_TWICE : why == LINT_WHY_ALLOWED ? LINT_WHY_NOT : why;
}

/*
 * Baseline is not asked where a policy isolates: except about the own node, which isolation does not touch. (Where it
 * does, by hostToContainer, rules without peers mean the node too, and are not asked either.)
 */
bool lint_isolated_by(struct lint *l, const struct lint_rule *b, const struct bh_policy *p)
{
	struct lint_scope sa = lint_subjects(p), sb = lint_subjects(b->p);

	if (!l->whole || !same_failures(l, NULL, b) || lint_has_entity(b->r, BH_ENTITY_ALL) ||
	    lint_has_entity(b->r, BH_ENTITY_HOST) || lint_has_entity(b->r, BH_ENTITY_NODES))
		return false;
	return end_of(p, NULL) >= end_of(b->p, b->r) && lint_scope_within(l, &sb, &sa);
}
