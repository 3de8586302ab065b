/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_judge.c - the rules that match a packet -> what happens to it
 *
 * The order of evaluation is explained in compile.c. Here it is applied for one protocol that is spoken. A rule with
 * details depends on more than the protocol: as long as a predicate is not given and could matter, there is no
 * answer, and whoever asks has to suppose it true, and false, and ask again (compile_word.c).
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

static const struct bh_cpolicy *policy_of(const struct bh_judge_run *j, const struct bh_crule *cr)
{
	return j->s->policies[cr->policy];
}

static enum bh_action action_of(const struct bh_crule *cr)
{
	return cr->deny_all ? BH_ACTION_DENY : cr->src->action;
}

/* Could it be the worse for the connection if the rule held? */
static bool is_harsh(enum bh_action a)
{
	return a == BH_ACTION_DENY || a == BH_ACTION_REJECT;
}

static enum bh_truth pred_truth(const struct bh_judge_run *j, uint32_t pred)
{
	for (size_t i = 0; i < j->n_given; i++) {
		if (j->given[i].pred == pred)
			return j->given[i].holds ? BH_TRUE : BH_FALSE;
	}
	return BH_OPEN;
}

static enum bh_truth speaks(struct bh_judge_run *j, const struct bh_crule *cr, unsigned proto)
{
	const struct bh_rule *r = cr->src;

	if (cr->deny_all)
		return BH_TRUE;
	if (r->has_protocols && bh_protoset_has(&r->protocols, proto) == r->negated)
		return BH_FALSE;
	for (size_t i = 0; i < r->n_details; i++) {
		enum bh_truth t;

		if (!bh_detail_binds(r->details[i].kind, proto))
			continue;
		t = pred_truth(j, cr->preds[i]);
		if (t == BH_OPEN && j->hopeful)
			t = is_harsh(r->action) ? BH_FALSE : BH_TRUE;
		if (t == BH_OPEN)
			j->need = cr->preds[i];
		if (t != BH_TRUE)
			return t;
	}
	return BH_TRUE;
}

/* Enforced, or the one policy that is tried. */
static bool counts(const struct bh_judge_run *j, uint32_t policy, uint32_t tried)
{
	return j->s->policies[policy]->mode == BH_MODE_ENFORCE || policy == tried;
}

static struct bh_answer by_rule(uint32_t word, enum bh_reason_kind kind, const struct bh_crule *cr)
{
	return (struct bh_answer){
		.word = word,
		.kind = kind,
		.policy = cr->policy,
		.rule = cr->index,
	};
}

static struct bh_answer refusal(const struct bh_crule *cr)
{
	return by_rule(action_of(cr) == BH_ACTION_REJECT ? BH_WORD_REJECT : BH_WORD_DROP,
		       BH_REASON_RULE, cr);
}

enum step { ON, DECIDED, NEEDS };

/* A tier in which rules stand in order. */
static enum step ordered(struct bh_judge_run *j, enum bh_tier tier, unsigned proto, uint32_t tried,
			 struct bh_answer *ret)
{
	for (size_t i = j->g->first[tier]; i < j->g->first[tier + 1]; i++) {
		const struct bh_crule *cr = j->g->rules[i];
		enum bh_action a = action_of(cr);
		enum bh_truth t;

		if (!bh_set_has(j->set, i) || !counts(j, cr->policy, tried) ||
		    a == BH_ACTION_ALERT || a == BH_ACTION_LOG)
			continue;
		t = speaks(j, cr, proto);
		if (t == BH_OPEN)
			return NEEDS;
		if (t == BH_FALSE)
			continue;
		if (a == BH_ACTION_PASS)
			return ON;
		*ret =
		    a == BH_ACTION_ALLOW ? by_rule(BH_WORD_ALLOW, BH_REASON_RULE, cr) : refusal(cr);
		return DECIDED;
	}
	return ON;
}

static bool isolated(const struct bh_judge_run *j, uint32_t tried)
{
	if (j->host)
		return false;
	return j->g->isolated ||
	       (tried != BH_NONE && j->s->policies[tried]->src->isolates[j->g->dir]);
}

/* The application tier: a set. */
static enum step application(struct bh_judge_run *j, unsigned proto, uint32_t tried,
			     struct bh_answer *ret)
{
	const size_t first = j->g->first[BH_TIER_APPLICATION],
		     end = j->g->first[BH_TIER_APPLICATION + 1];
	const struct bh_crule *miss = NULL;
	bool deny = false, alert = false;

	for (size_t i = first; i < end; i++) {
		const struct bh_crule *cr = j->g->rules[i];
		enum bh_truth t;

		if (!bh_set_has(j->set, i) || !counts(j, cr->policy, tried) ||
		    !is_harsh(action_of(cr)))
			continue;
		t = speaks(j, cr, proto);
		if (t == BH_OPEN)
			return NEEDS;
		if (t == BH_TRUE) {
			*ret = refusal(cr);
			return DECIDED;
		}
	}
	for (size_t i = first; i < end; i++) {
		const struct bh_crule *cr = j->g->rules[i];
		enum bh_truth t;

		if (!bh_set_has(j->set, i) || !counts(j, cr->policy, tried) ||
		    action_of(cr) != BH_ACTION_ALLOW)
			continue;
		t = speaks(j, cr, proto);
		if (t == BH_OPEN)
			return NEEDS;
		if (t == BH_TRUE) {
			*ret = by_rule(BH_WORD_ALLOW, BH_REASON_RULE, cr);
			return DECIDED;
		}
		if (!miss)
			miss = cr;
		alert |= cr->src->unknown == BH_FAIL_ALERT;
		deny |= cr->src->unknown != BH_FAIL_ALERT && cr->src->unknown != BH_FAIL_ALLOW;
	}
	if (!isolated(j, tried))
		return ON;
	if (!miss) {
		*ret =
		    (struct bh_answer){ BH_WORD_DROP, BH_REASON_ISOLATED, BH_NONE, BH_NONE, false };
		return DECIDED;
	}
	*ret = by_rule(BH_WORD_DROP, BH_REASON_PROTOCOL, miss);
	if (proto == BH_PROTO_UNKNOWN && !deny) {
		*ret = by_rule(BH_WORD_ALLOW | (alert ? BH_WORD_REPORT : 0U), BH_REASON_RULE, miss);
		ret->stays_unknown = true;
	}
	return DECIDED;
}

bool bh_judge_verdict(struct bh_judge_run *j, unsigned proto, uint32_t tried, struct bh_answer *ret)
{
	enum step s = ordered(j, BH_TIER_ADMIN, proto, tried, ret);

	if (s == ON)
		s = application(j, proto, tried, ret);
	if (s == ON)
		s = ordered(j, BH_TIER_BASELINE, proto, tried, ret);
	if (s == ON)
		*ret = (struct bh_answer){ BH_WORD_ALLOW,
					   j->host ? BH_REASON_HOST : BH_REASON_NOT_ISOLATED,
					   BH_NONE, BH_NONE, false };
	return s != NEEDS;
}

/* ---- what is recorded of what is allowed ---- */

/* Would one of the policies of that mode refuse it? *@ret_found: the first one that would. */
static bool would(struct bh_judge_run *j, unsigned proto, enum bh_mode mode, bool *ret_found,
		  struct bh_answer *ret)
{
	*ret_found = false;
	for (size_t i = 0; i < j->g->n_policies; i++) {
		uint32_t p = j->g->policies[i];
		struct bh_answer v;

		if (j->s->policies[p]->mode != mode)
			continue;
		if (!bh_judge_verdict(j, proto, p, &v))
			return false;
		if (!bh_word_refuses(v.word))
			continue;
		/* A policy that is being learned has no rule for it yet. */
		if (mode == BH_MODE_LEARN && v.kind == BH_REASON_RULE)
			continue;
		*ret = (struct bh_answer){
			.word = BH_WORD_ALLOW | BH_WORD_REPORT,
			.kind = mode == BH_MODE_LEARN ? BH_REASON_LEARN : BH_REASON_WOULD,
			.policy = p,
			.rule = v.policy == p && mode == BH_MODE_MONITOR ? v.rule : BH_NONE,
		};
		*ret_found = true;
		return true;
	}
	return true;
}

/* The first rule of that action that holds, if it is looked at. */
static bool recorder(struct bh_judge_run *j, unsigned proto, enum bh_action action,
		     const struct bh_crule **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < j->g->n_rules; i++) {
		const struct bh_crule *cr = j->g->rules[i];
		enum bh_truth t;

		if (!bh_set_has(j->set, i) || action_of(cr) != action ||
		    policy_of(j, cr)->mode == BH_MODE_LEARN)
			continue;
		t = speaks(j, cr, proto);
		if (t == BH_OPEN)
			return false;
		if (t == BH_TRUE) {
			*ret = cr;
			return true;
		}
	}
	return true;
}

static bool is_logged(const struct bh_judge_run *j, const struct bh_answer *v)
{
	if (v->kind != BH_REASON_RULE || v->rule == BH_NONE || v->stays_unknown)
		return false;
	return j->s->policies[v->policy]->src->rules[j->g->dir][v->rule].log;
}

bool bh_judge_proto(struct bh_judge_run *j, unsigned proto, struct bh_answer *ret)
{
	const struct bh_crule *rec;
	struct bh_answer noted;
	bool found;

	if (!bh_judge_verdict(j, proto, BH_NONE, ret))
		return false;
	if (bh_word_refuses(ret->word))
		return true;
	if (!would(j, proto, BH_MODE_MONITOR, &found, &noted))
		return false;
	if (found) {
		*ret = noted;
		return true;
	}
	if (ret->word & BH_WORD_REPORT)
		return true;
	if (!recorder(j, proto, BH_ACTION_ALERT, &rec))
		return false;
	if (!rec && is_logged(j, ret)) {
		ret->word |= BH_WORD_REPORT;
		return true;
	}
	if (!rec && !recorder(j, proto, BH_ACTION_LOG, &rec))
		return false;
	if (rec) {
		*ret = by_rule(BH_WORD_ALLOW | BH_WORD_REPORT, BH_REASON_RULE, rec);
		return true;
	}
	if (!would(j, proto, BH_MODE_LEARN, &found, &noted))
		return false;
	if (found)
		*ret = noted;
	return true;
}
