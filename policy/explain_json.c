/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/explain_json.c - an explanation as JSON: what policy/explain.c says, for programs
 */
#include "policy/explain_internal.h"

#include "common/util.h"

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

static json_t *json_side(const struct bh_explain_side *s)
{
	bh_cleanup(bh_buf_done) struct bh_buf name = BH_BUF_INIT;
	char addr[BH_ADDR_STRLEN];

	bh_explain_put_side(&name, s);
	return json_pack("{s:s?, s:s}", "endpoint", s->ep ? bh_buf_str(&name) : NULL, "address",
			 bh_addr_format(&s->addr, addr));
}

static json_t *json_policy(const struct bh_ruleset *rs, uint32_t idx)
{
	const struct bh_rs_policy *p = bh_ruleset_policy(rs, idx);

	if (!p)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "kind",
			 bh_kind_name((enum bh_kind)p->kind), "namespace",
			 bh_ruleset_text(rs, p->ns), "name", bh_ruleset_text(rs, p->name), "file",
			 bh_ruleset_text(rs, p->file), "line", (int)p->line, "mode",
			 bh_mode_name((enum bh_mode)p->mode));
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

static json_t *json_expected(const struct bh_protoset *set)
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

	return ids[kind];
}

/* One word: verdict, reason, policy, rule. */
static json_t *json_word(const struct bh_explain_run *x, const struct bh_explain_said *s,
			 uint32_t word)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	const struct bh_reason *r = bh_ruleset_reason(rs, bh_word_number(word));
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;

	bh_explain_put_reason(&text, x, s, word);
	return json_pack("{s:s, s:b, s:s, s:s, s:o, s:o, s:o}", "verdict", verdict_name(word),
			 "recorded", (word & BH_WORD_REPORT) != 0, "reason",
			 r ? reason_id(r->kind) : "invalid", "text", bh_buf_str(&text), "policy",
			 json_policy(rs, r ? r->policy : UINT32_MAX), "rule",
			 json_rule(rs, r ? r->rule : UINT32_MAX), "expected",
			 json_expected(r ? bh_ruleset_protoset(rs, r->expected) : NULL));
}

static json_t *json_contract(const struct bh_explain_run *x, const struct bh_explain_said *s)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	const struct bh_contract *c = bh_ruleset_contract(rs, bh_word_number(s->word));
	const struct bh_contract_entry *e = c ? bh_ruleset_entries(rs, c) : NULL;
	json_t *out = json_object();

	for (uint32_t i = 0; c && i < c->n; i++) {
		if (bh_proto_name(e[i].proto))
			(void)json_object_set_new(out, bh_proto_name(e[i].proto),
						  json_word(x, s, e[i].word));
	}
	if (c) {
		(void)json_object_set_new(out, "other", json_word(x, s, c->other));
		(void)json_object_set_new(out, "unknown", json_word(x, s, c->unknown));
		(void)json_object_set_new(out, "undecided", json_word(x, s, c->undecided));
	}
	return json_pack("{s:s, s:b, s:s, s:s, s:o}", "verdict", "contract", "recorded", 0,
			 "reason", "contract", "text", "depends on the protocol that is spoken",
			 "contract", out);
}

static json_t *json_misses(const struct bh_explain_said *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->misses.n; i++) {
		const struct bh_miss *m = &s->misses.items[i];

		(void)json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s, s:s?, s:i, s:s?, s:i, s:s}", "kind",
				    bh_kind_name(m->policy->kind), "namespace", m->policy->ns,
				    "name", m->policy->name, "file", m->policy->file, "index",
				    (int)m->index, "rule", m->rule->name, "line",
				    (int)m->rule->pos.line, "why", m->why));
	}
	return list;
}

static json_t *json_said(const struct bh_explain_run *x, const struct bh_explain_said *s)
{
	json_t *out;
	bh_cleanup(bh_buf_done) struct bh_buf subject = BH_BUF_INIT;

	bh_explain_put_side(&subject, s->subject);
	if (s->why_not)
		out = json_pack("{s:s, s:b, s:s, s:s, s:n, s:n, s:[]}", "verdict", "allow",
				"recorded", 0, "reason", s->why_not_id, "text", s->why_not,
				"policy", "rule", "expected");
	else if (bh_word_verdict(s->word) == BH_WORD_CONTRACT)
		out = json_contract(x, s);
	else
		out = json_word(x, s, s->word);
	if (!out)
		return NULL;
	(void)json_object_set_new(out, "direction", json_string(bh_dir_name(s->dir)));
	(void)json_object_set_new(out, "subject", json_string(bh_buf_str(&subject)));
	(void)json_object_set_new(out, "nearMisses", json_misses(s));
	return out;
}

json_t *bh_explain_json(const struct bh_explain_run *x)
{
	static const char *const words[] = {
		[BH_OUTCOME_INVALID] = "refuse",
		[BH_OUTCOME_ALLOW] = "allow",
		[BH_OUTCOME_REFUSE] = "refuse",
		[BH_OUTCOME_CONTRACT] = "contract",
	};
	char l4[8];

	return json_pack("{s:o, s:o, s:s, s:i, s:s?, s:s, s:[o, o]}", "from", json_side(&x->from),
			 "to", json_side(&x->to), "protocol", bh_l4_name(x->q->l4, l4), "port",
			 (int)x->q->port, "spoken", x->q->proto ? bh_proto_name(x->q->proto) : NULL,
			 "outcome", words[x->outcome], "directions", json_said(x, &x->said[0]),
			 json_said(x, &x->said[1]));
}
