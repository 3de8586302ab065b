// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/record_words.c - what the words of a record's directions mean: which rule, how urgent, in which mode
 */
#include "agent/record_words.h"

#include "common/util.h"

#include "common/banned.h"

const struct bh_reason *bh_record_reason(const struct bh_record *r, uint32_t word)
{
	return r->gen && word ? bh_ruleset_reason(r->gen->rules->rs, bh_word_number(word)) : NULL;
}

const struct bh_rs_rule *bh_record_rule(const struct bh_record *r, const struct bh_reason *why)
{
	return why ? bh_ruleset_rule(r->gen->rules->rs, why->rule) : NULL;
}

/* As it was written. */
static const struct bh_rule *written(const struct bh_record *r, const struct bh_rs_rule *rule)
{
	const struct bh_ruleset *rs = r->gen->rules->rs;
	const struct bh_rs_policy *in = bh_ruleset_policy(rs, rule->policy);
	const struct bh_policy *p =
	    in ? bh_policy_set_find(r->gen->policies->set, in->kind, bh_ruleset_text(rs, in->ns),
				    bh_ruleset_text(rs, in->name))
	       : NULL;

	if (!p || rule->dir >= BH_DIR_COUNT || rule->index >= p->n_rules[rule->dir])
		return NULL;
	return &p->rules[rule->dir][rule->index];
}

/*
 * What is refused is a warning at least where no rule says how urgent it is. A rule that allows, but not this, may say
 * that it is more.
 */
static enum bh_urgency refusal_urgency(const struct bh_record *r, uint32_t word)
{
	const struct bh_reason *why = bh_record_reason(r, word);
	const struct bh_rs_rule *rule = bh_record_rule(r, why);

	if (rule && why->kind == BH_REASON_RULE)
		return rule->urgency;
	return rule ? BH_MAX(rule->urgency, (uint32_t)BH_URGENCY_WARNING) : BH_URGENCY_WARNING;
}

void bh_record_refusal_severity(struct bh_record *r)
{
	enum bh_urgency most = r->n_verdicts > 0 ? BH_URGENCY_INFO : BH_URGENCY_WARNING;

	for (unsigned i = 0; i < r->n_verdicts; i++)
		most = BH_MAX(most, refusal_urgency(r, r->verdicts[i].word));
	r->severity = bh_urgency_name(most);
}

/* An allow rule with protocols let it pass all the same: its unknownProtocol says so, and wants to be told. */
static bool is_unknown_alert(const struct bh_record *r, const struct bh_rs_rule *rule,
			     unsigned proto)
{
	const struct bh_rule *w = proto == BH_PROTO_UNKNOWN ? written(r, rule) : NULL;

	return w && w->has_protocols &&
	       bh_protoset_has(&w->protocols, BH_PROTO_UNKNOWN) == w->negated;
}

void bh_record_allowed(struct bh_record *r, const struct bh_reason *why, unsigned proto,
		       const char *refusal)
{
	const struct bh_rs_rule *rule = bh_record_rule(r, why);
	const struct bh_rs_policy *p =
	    why ? bh_ruleset_policy(r->gen->rules->rs, why->policy) : NULL;

	r->action = "none";
	r->mode = p ? bh_mode_name(p->mode) : "enforce";
	r->severity = bh_urgency_name(rule ? rule->urgency : BH_URGENCY_INFO);
	if (!why || why->kind == BH_REASON_WOULD) {
		r->mode = "monitor";
		r->would = rule && rule->action == BH_ACTION_REJECT && bh_streq(refusal, "drop")
			       ? "reject"
			       : refusal;
	} else if (why->kind == BH_REASON_LEARN) {
		r->learned = true;
		r->reason = BH_VIOLATION_NOT_COVERED;
	} else if (rule && rule->action == BH_ACTION_ALERT) {
		r->reason = BH_VIOLATION_ALERT;
	} else if (rule && is_unknown_alert(r, rule, proto)) {
		r->reason = BH_VIOLATION_ALERT;
		r->severity = bh_urgency_name(BH_URGENCY_WARNING);
	} else {
		r->reason = BH_VIOLATION_LOG;
	}
}
