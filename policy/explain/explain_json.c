/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/explain/explain_json.c - an explanation as JSON: what policy/explain/explain_text.c says, for programs
 */
#include "policy/explain/explain_internal.h"

#include "common/util.h"
#include "policy/spoken.h"
#include "policy/when.h"

#include <string.h>

#include "common/banned.h"

static const char *verdict_name(uint32_t word)
{
	switch (bh_word_verdict(word)) {
	case BH_WORD_ALLOW:
		return "allow";
	case BH_WORD_REJECT:
		return "reject";
	case BH_WORD_CONTRACT:
		return "contract";
	default:
		return "drop";
	}
}

static const char *outcome_name(enum bh_outcome o)
{
	return o == BH_OUTCOME_ALLOW ? "allow" : o == BH_OUTCOME_CONTRACT ? "contract" : "refuse";
}

static json_t *json_side(const struct bh_explain_side *s)
{
	bh_cleanup(bh_buf_done) struct bh_buf name = BH_BUF_INIT;
	char addr[BH_ADDR_STRLEN];

	bh_explain_put_side(&name, s);
	return json_pack("{s:s?, s:s?, s:s?, s:b}", "endpoint", s->ep ? bh_buf_str(&name) : NULL,
			 "node", s->ep ? NULL : s->node_name, "address",
			 s->addr.family ? bh_addr_format(&s->addr, addr) : NULL, "ownNode",
			 s->own_node);
}

static json_t *json_policy(const struct bh_ruleset *rs, uint32_t idx)
{
	const struct bh_rs_policy *p = bh_ruleset_policy(rs, idx);

	if (!p)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s}", "kind",
			 bh_kind_name((enum bh_kind)p->kind), "namespace",
			 bh_ruleset_text(rs, p->ns), "name", bh_ruleset_text(rs, p->name), "tier",
			 bh_tier_name((enum bh_tier)p->tier), "file", bh_ruleset_text(rs, p->file),
			 "line", (int)p->line, "mode", bh_mode_name((enum bh_mode)p->mode));
}

static json_t *json_rule(const struct bh_ruleset *rs, uint32_t idx)
{
	const struct bh_rs_rule *r = bh_ruleset_rule(rs, idx);
	const char *name = r ? bh_ruleset_text(rs, r->name) : "";

	if (!r)
		return json_null();
	return json_pack("{s:i, s:s?, s:i, s:s}", "index", (int)r->index, "name",
			 *name ? name : NULL, "line", (int)r->line, "action",
			 bh_action_name((enum bh_action)r->action));
}

static json_t *json_protos(const struct bh_protoset *set)
{
	json_t *list = json_array();

	for (unsigned p = 0; set && p < 256; p++) {
		if (bh_protoset_has(set, p) && bh_proto_name(p))
			(void)json_array_append_new(list, json_string(bh_proto_name(p)));
	}
	return list;
}

static const char *reason_id(uint32_t kind)
{
	static const char *const ids[] = {
		[BH_REASON_INVALID] = "invalid",
		[BH_REASON_RULE] = "rule",
		[BH_REASON_ISOLATED] = "isolated",
		[BH_REASON_PROTOCOL] = "protocol",
		[BH_REASON_NOT_ISOLATED] = "notIsolated",
		[BH_REASON_WOULD] = "would",
		[BH_REASON_LEARN] = "learn",
		[BH_REASON_HOST] = "host",
	};
	BH_STATIC_ASSERT_TABLE(ids, BH_REASON_COUNT);

	return kind < BH_REASON_COUNT ? ids[kind] : "invalid";
}

static const char *tier_or_null(enum bh_tier t)
{
	return t == BH_TIER_INVALID ? NULL : bh_tier_name(t);
}

/* One word: verdict, reason, tier, policy, rule. */
static json_t *json_word(const struct bh_explain_run *x, const struct bh_explain_said *s,
			 uint32_t word)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	const struct bh_reason *r = bh_ruleset_reason(rs, bh_word_number(word));
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;

	bh_explain_put_reason(&text, x, s, word);
	return json_pack("{s:s, s:b, s:s, s:s, s:s?, s:o, s:o, s:o}", "verdict", verdict_name(word),
			 "recorded", (word & BH_WORD_REPORT) != 0, "reason",
			 r ? reason_id(r->kind) : "invalid", "text", bh_buf_str(&text), "tier",
			 tier_or_null(bh_explain_tier(x, s, word)), "policy",
			 json_policy(rs, r ? r->policy : UINT32_MAX), "rule",
			 json_rule(rs, r ? r->rule : UINT32_MAX), "expected",
			 json_protos(r ? bh_ruleset_protoset(rs, r->expected) : NULL));
}

static const char *case_kind_name(enum bh_case_kind k)
{
	static const char *const names[] = {
		[BH_CASE_INVALID] = "invalid", [BH_CASE_GIVEN] = "given",
		[BH_CASE_NAMED] = "named",     [BH_CASE_OTHER] = "other",
		[BH_CASE_UNKNOWN] = "unknown", [BH_CASE_UNDECIDED] = "undecided",
	};

	return names[k];
}

/* In their order: the first of which everything in "when" holds is what comes out. */
static json_t *json_cases(const struct bh_explain_run *x, const struct bh_explain_said *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->cases.n; i++) {
		const struct bh_case *c = &s->cases.items[i];
		json_t *one = json_word(x, s, c->word), *when = json_array();

		for (unsigned k = 0; k < c->n_preds; k++) {
			bh_cleanup(bh_buf_done) struct bh_buf pred = BH_BUF_INIT;

			bh_explain_put_pred(&pred, x, c->preds[k]);
			(void)json_array_append_new(when, json_string(bh_buf_str(&pred)));
		}
		(void)json_object_set_new(one, "protocol", json_string(case_kind_name(c->kind)));
		(void)json_object_set_new(one, "protocols", json_protos(&c->protos));
		(void)json_object_set_new(one, "when", when);
		(void)json_object_set_new(one, "atWorst", json_boolean(c->cut));
		(void)json_array_append_new(list, one);
	}
	return list;
}

static json_t *json_open(const struct bh_explain_run *x, const struct bh_explain_said *s)
{
	return json_pack("{s:s, s:b, s:s, s:s, s:n, s:n, s:n, s:[], s:o}", "verdict",
			 outcome_name(s->outcome), "recorded", 0, "reason", "contract", "text",
			 "depends on what is spoken", "tier", "policy", "rule", "expected", "cases",
			 json_cases(x, s));
}

static json_t *json_tiers(const struct bh_explain_run *x, const struct bh_explain_said *s)
{
	json_t *list = json_array();

	for (enum bh_tier t = BH_TIER_ADMIN; t < BH_TIER_COUNT && !s->why_not; t++) {
		bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;

		bh_explain_put_tier(&text, x, s, t);
		if (text.len > 0)
			(void)json_array_append_new(list,
						    json_pack("{s:s, s:s}", "tier", bh_tier_name(t),
							      "text", bh_buf_str(&text)));
	}
	return list;
}

static json_t *json_misses(const struct bh_explain_said *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->misses.n; i++) {
		const struct bh_miss *m = &s->misses.items[i];
		const struct bh_rule *r = m->rule;
		enum bh_mode mode = bh_policy_mode_at(m->policy, s->asked.now);
		json_t *one =
		    json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:b, s:s}", "kind",
			      bh_kind_name(m->policy->kind), "namespace", m->policy->ns, "name",
			      m->policy->name, "tier", bh_tier_name(m->policy->tier), "mode",
			      mode == BH_MODE_INVALID ? NULL : bh_mode_name(mode), "file",
			      m->policy->file, "matches", m->matches, "why", m->why);

		if (r)
			(void)json_object_update_new(
			    one, json_pack("{s:i, s:s?, s:i, s:s}", "index", (int)m->index, "rule",
					   r->name, "line", (int)r->pos.line, "action",
					   bh_action_name(r->action)));
		(void)json_array_append_new(list, one);
	}
	return list;
}

static json_t *json_said(const struct bh_explain_run *x, const struct bh_explain_said *s)
{
	json_t *out;
	bh_cleanup(bh_buf_done) struct bh_buf subject = BH_BUF_INIT;

	bh_explain_put_side(&subject, s->subject);
	if (s->why_not)
		out = json_pack("{s:s, s:b, s:s, s:s, s:n, s:n, s:n, s:[]}", "verdict", "allow",
				"recorded", 0, "reason", s->why_not_id, "text", s->why_not, "tier",
				"policy", "rule", "expected");
	else if (bh_word_verdict(s->word) == BH_WORD_CONTRACT)
		out = json_open(x, s);
	else
		out = json_word(x, s, s->word);
	if (!out)
		return NULL;
	(void)json_object_set_new(out, "direction", json_string(bh_dir_name(s->dir)));
	(void)json_object_set_new(out, "subject", json_string(bh_buf_str(&subject)));
	(void)json_object_set_new(out, "otherTiers", json_tiers(x, s));
	(void)json_object_set_new(out, "nearMisses", json_misses(s));
	return out;
}

/* {"http": {"methods": ["GET"], ...}}; what is not known is not there, what is absent is []. */
static json_t *json_attrs(const struct bh_spoken *sp)
{
	json_t *out = json_object();

	for (unsigned a = 1; a < BH_ATTR_COUNT; a++) {
		const char *kind = bh_detail_name(bh_attr_detail((enum bh_attr)a));
		json_t *group, *values;

		if (!(sp->known >> a & 1))
			continue;
		group = json_object_get(out, kind);
		if (!group) {
			group = json_object();
			(void)json_object_set_new(out, kind, group);
		}
		values = json_array();
		for (size_t i = 0; i < sp->attr[a].n; i++) {
			bh_cleanup(bh_buf_done) struct bh_buf shown = BH_BUF_INIT;

			bh_put_shown(&shown, sp->attr[a].v[i]);
			(void)json_array_append_new(values, json_string(bh_buf_str(&shown)));
		}
		(void)json_object_set_new(group, bh_attr_name((enum bh_attr)a), values);
	}
	return out;
}

json_t *bh_explain_json(const struct bh_explain_run *x)
{
	bh_cleanup(bh_buf_done) struct bh_buf port = BH_BUF_INIT;
	const struct bh_query *q = x->q;
	char l4[8], at[32];

	bh_explain_put_port(&port, q->l4, q->port);
	return json_pack("{s:o, s:o, s:s, s:i, s:s, s:s?, s:o, s:s, s:s, s:[o, o]}", "from",
			 json_side(&x->from), "to", json_side(&x->to), "protocol",
			 bh_l4_name(q->l4, l4), "port", (int)q->port, "portText", bh_buf_str(&port),
			 "spoken", q->spoken.proto ? bh_proto_name(q->spoken.proto) : NULL,
			 "details", json_attrs(&q->spoken), "at", bh_time_format(q->now, at),
			 "outcome", outcome_name(x->outcome), "directions",
			 json_said(x, &x->said[0]), json_said(x, &x->said[1]));
}
