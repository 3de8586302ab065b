// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/explain/explain_text.c - an explanation in words
 *
 *	shop/web -> shop/db tcp/5432 (ssh): REFUSED
 *	  egress of shop/web: allowed (no policy selects it for egress)
 *	  ingress of shop/db: refused – application tier: only postgres allowed here, by ...
 *	     admin tier: passed on by ClusterTrafficPolicy shells rule "bastion" (shells.yaml:9)
 *	     rule "api" (line 12) does not match: protocol ssh is not in [postgres]
 */
#include "policy/explain/explain_internal.h"

#include "common/util.h"
#include "policy/when.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* Near misses shown for a direction that is refused, and for one that is allowed. */
#define MISSES_REFUSED 8U
#define MISSES_ALLOWED 3U
#define POLICIES_SHOWN 4U
/* Cases are aligned up to this width. */
#define LABEL_WIDTH_MAX 90U

#define INDENT "     "

void bh_explain_put_side(struct bh_buf *b, const struct bh_explain_side *s)
{
	char addr[BH_ADDR_STRLEN];

	if (s->ep) {
		bh_buf_printf(b, "%s/%s", s->ep->ns, s->ep->name);
		return;
	}
	if (s->node_name)
		bh_buf_printf(b, "node %s", s->node_name);
	if (s->addr.family)
		bh_buf_printf(b, s->node_name ? " (%s)" : "%s", bh_addr_format(&s->addr, addr));
}

/* ---- reasons ---- */

static void put_file(struct bh_buf *b, const char *file, uint32_t line)
{
	if (!file || !*file)
		return;
	bh_buf_printf(b, " (%s", file);
	if (line)
		bh_buf_printf(b, ":%u", line);
	bh_buf_putc(b, ')');
}

static void put_place(struct bh_buf *b, const struct bh_ruleset *rs, const struct bh_reason *r)
{
	const struct bh_rs_policy *p = bh_ruleset_policy(rs, r->policy);
	const struct bh_rs_rule *rule = bh_ruleset_rule(rs, r->rule);

	if (p)
		put_file(b, bh_ruleset_text(rs, p->file),
			 rule && rule->line ? rule->line : p->line);
}

/* "isolated by TrafficPolicy shop/web (01-web.yaml:3); no rule allows it" */
static void put_isolated(struct bh_buf *b, const struct bh_explain_said *s)
{
	bool any_rule = false;
	size_t n = 0;

	for (size_t i = 0; i < s->trace.n_policies; i++) {
		const struct bh_policy *p = s->trace.policies[i];

		if (!p->isolates[s->dir] || bh_policy_mode_at(p, s->asked.now) != BH_MODE_ENFORCE ||
		    n++ >= POLICIES_SHOWN)
			continue;
		bh_buf_puts(b, n > 1 ? ", " : "isolated by ");
		bh_policy_put_name(b, p);
		put_file(b, p->file, p->pos.line);
	}
	if (n > POLICIES_SHOWN)
		bh_buf_printf(b, " and %zu more", n - POLICIES_SHOWN);
	for (size_t i = 0; i < s->trace.n_looks; i++)
		any_rule |= s->trace.looks[i].mode == BH_MODE_ENFORCE &&
			    s->trace.looks[i].rule->action == BH_ACTION_ALLOW;
	bh_buf_puts(b, any_rule ? "; no rule allows it" : "; no rule allows anything");
}

/* The reason tells what is recorded, not what decides. */
static bool is_record(const struct bh_explain_run *x, uint32_t word)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	const struct bh_reason *r = bh_ruleset_reason(rs, bh_word_number(word));
	const struct bh_rs_rule *rule = r ? bh_ruleset_rule(rs, r->rule) : NULL;

	if (!r || bh_word_verdict(word) != BH_WORD_ALLOW)
		return false;
	return r->kind == BH_REASON_WOULD || r->kind == BH_REASON_LEARN ||
	       (rule && rule->action != BH_ACTION_ALLOW);
}

enum bh_tier bh_explain_tier(const struct bh_explain_run *x, const struct bh_explain_said *s,
			     uint32_t word)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	const struct bh_reason *r = bh_ruleset_reason(rs, bh_word_number(word));
	const struct bh_rs_policy *p = r ? bh_ruleset_policy(rs, r->policy) : NULL;

	if (is_record(x, word)) {
		enum bh_tier tier = bh_rank_tier(s->rank);

		return word == s->word && tier < BH_TIER_COUNT ? tier : BH_TIER_INVALID;
	}
	return p && p->tier < BH_TIER_COUNT ? (enum bh_tier)p->tier : BH_TIER_INVALID;
}

void bh_explain_put_reason(struct bh_buf *b, const struct bh_explain_run *x,
			   const struct bh_explain_said *s, uint32_t word)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	const struct bh_reason *r = bh_ruleset_reason(rs, bh_word_number(word));
	enum bh_tier tier = is_record(x, word) ? BH_TIER_INVALID : bh_explain_tier(x, s, word);

	if (bh_word_refuses(word))
		bh_buf_puts(b, bh_word_verdict(word) == BH_WORD_REJECT ? "refused with an answer – "
								       : "refused – ");
	if (tier != BH_TIER_INVALID)
		bh_buf_printf(b, "%s tier: ", bh_tier_name(tier));
	if (!r) {
		bh_buf_puts(b, "the rule set holds no decision for it");
	} else if (r->kind == BH_REASON_ISOLATED) {
		put_isolated(b, s);
	} else if (r->kind == BH_REASON_NOT_ISOLATED || r->kind == BH_REASON_HOST) {
		bh_buf_printf(b, "allowed (%s)", bh_ruleset_text(rs, r->text));
	} else {
		bh_buf_puts(b, bh_ruleset_text(rs, r->text));
		put_place(b, rs, r);
	}
}

/* ---- an open verdict ---- */

static void put_protos(struct bh_buf *b, const struct bh_protoset *set)
{
	const char *sep = "";

	for (unsigned p = 0; p < 256; p++) {
		if (!bh_protoset_has(set, p))
			continue;
		bh_buf_printf(b, "%s%s", sep, bh_proto_name(p) ? bh_proto_name(p) : "?");
		sep = ", ";
	}
}

/* "http", "anything else" */
static void put_case_name(struct bh_buf *b, const struct bh_case *c)
{
	switch (c->kind) {
	case BH_CASE_NAMED:
		put_protos(b, &c->protos);
		return;
	case BH_CASE_OTHER:
		bh_buf_puts(b, "anything else");
		return;
	case BH_CASE_UNKNOWN:
		bh_buf_puts(b, "unknown");
		return;
	case BH_CASE_UNDECIDED:
		bh_buf_puts(b, "not known in time");
		return;
	case BH_CASE_GIVEN:
	case BH_CASE_INVALID:
		return;
	}
}

/* "methods POST; paths /orders, and serverNames ..." */
static void put_case_when(struct bh_buf *b, const struct bh_explain_run *x, const struct bh_case *c)
{
	if (c->cut)
		bh_buf_puts(b, "otherwise, at worst");
	else if (c->rest)
		bh_buf_puts(b, "otherwise");
	for (unsigned i = 0; i < c->n_preds; i++) {
		bh_buf_puts(b, i ? ", and " : "");
		bh_explain_put_pred(b, x, c->preds[i]);
	}
}

/* Of the same protocols as the one before. */
static bool case_goes_on(const struct bh_case *c)
{
	return c[-1].kind == c->kind && memcmp(&c[-1].protos, &c->protos, sizeof(c->protos)) == 0;
}

/* "http: methods POST; paths /orders"; the name is left out where it is that of the line before. */
static void case_label(struct bh_buf *b, const struct bh_explain_run *x, const struct bh_cases *cs,
		       size_t i)
{
	const struct bh_case *c = &cs->items[i];
	bh_cleanup(bh_buf_done) struct bh_buf name = BH_BUF_INIT, when = BH_BUF_INIT;

	put_case_name(&name, c);
	put_case_when(&when, x, c);
	if (when.len > 0 && name.len > 0)
		bh_buf_puts(&name, ": ");
	if (i > 0 && case_goes_on(c))
		bh_buf_printf(b, "%*s", (int)name.len, "");
	else
		bh_buf_puts(b, bh_buf_str(&name));
	bh_buf_puts(b, bh_buf_str(&when));
	b->failed |= name.failed || when.failed;
}

static void text_cases(struct bh_buf *b, const struct bh_explain_run *x,
		       const struct bh_explain_said *s)
{
	size_t width = 0;

	for (size_t i = 0; i < s->cases.n; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf label = BH_BUF_INIT;

		case_label(&label, x, &s->cases, i);
		if (label.len <= LABEL_WIDTH_MAX)
			width = BH_MAX(width, label.len);
	}
	for (size_t i = 0; i < s->cases.n; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf label = BH_BUF_INIT;

		case_label(&label, x, &s->cases, i);
		bh_buf_printf(b, INDENT "%-*s -> ", (int)width, bh_buf_str(&label));
		bh_explain_put_reason(b, x, s, s->cases.items[i].word);
		bh_buf_putc(b, '\n');
		b->failed |= label.failed;
	}
}

static const char *open_words(const struct bh_explain_said *s)
{
	if (s->outcome == BH_OUTCOME_ALLOW)
		return "allowed, whatever is spoken; why, or what is recorded, depends on it";
	if (s->outcome == BH_OUTCOME_REFUSE)
		return "refused, whatever is spoken; why depends on it";
	return bh_cases_ask_more(&s->cases) ? "depends on what is spoken"
					    : "depends on the protocol that is spoken";
}

/* ---- what earlier tiers said ---- */

/* "TrafficPolicy shop/a, NetworkPolicy shop/b and 3 more" */
static void put_policies(struct bh_buf *b, const struct bh_explain_said *s, enum bh_tier tier)
{
	size_t n = 0;

	for (size_t i = 0; i < s->trace.n_policies; i++) {
		const struct bh_policy *p = s->trace.policies[i];

		if (p->tier != tier || bh_policy_mode_at(p, s->asked.now) != BH_MODE_ENFORCE ||
		    n++ >= POLICIES_SHOWN)
			continue;
		bh_buf_puts(b, n > 1 ? ", " : "");
		bh_policy_put_name(b, p);
	}
	if (n > POLICIES_SHOWN)
		bh_buf_printf(b, " and %zu more", n - POLICIES_SHOWN);
}

static void put_look(struct bh_buf *b, const struct bh_look *l, enum bh_dir dir)
{
	bh_policy_put_name(b, l->policy);
	bh_buf_putc(b, ' ');
	bh_put_rule_name(b, l->rule, l->index, dir);
	put_file(b, l->policy->file, l->rule->pos.line);
}

/* What decides stands in the first line, but where that tells what is recorded. */
static void put_decider(struct bh_buf *b, const struct bh_explain_said *s)
{
	struct bh_decided d = bh_trace_decide(&s->asked, &s->trace);

	if (!d.look || !d.certain || d.look->rule->action != BH_ACTION_ALLOW)
		return;
	bh_buf_puts(b, "allowed by ");
	put_look(b, d.look, s->dir);
}

void bh_explain_put_tier(struct bh_buf *b, const struct bh_explain_run *x,
			 const struct bh_explain_said *s, enum bh_tier tier)
{
	struct bh_tier_said said = bh_trace_tier(&s->trace, tier, s->asked.now);

	if (said.n_policies == 0 || tier > bh_rank_tier(s->rank))
		return;
	if (tier == bh_rank_tier(s->rank)) {
		if (is_record(x, s->word))
			put_decider(b, s);
		return;
	}
	if (!said.certain)
		return;
	if (said.passed) {
		bh_buf_puts(b, "passed on by ");
		put_look(b, said.passed, s->dir);
		return;
	}
	bh_buf_puts(b, "no rule of ");
	put_policies(b, s, tier);
	bh_buf_puts(b, " decides");
	if (tier == BH_TIER_APPLICATION && bh_host_is_free(&s->asked))
		bh_buf_puts(b, ", and isolation does not bind traffic with the own node");
	else if (tier == BH_TIER_APPLICATION)
		bh_buf_printf(b, ", and none isolates it for %s", bh_dir_name(s->dir));
}

static void text_tiers(struct bh_buf *b, const struct bh_explain_run *x,
		       const struct bh_explain_said *s)
{
	for (enum bh_tier t = BH_TIER_ADMIN; t < BH_TIER_COUNT; t++) {
		bh_cleanup(bh_buf_done) struct bh_buf one = BH_BUF_INIT;

		bh_explain_put_tier(&one, x, s, t);
		if (one.len > 0)
			bh_buf_printf(b, INDENT "%s tier: %s\n", bh_tier_name(t), bh_buf_str(&one));
		b->failed |= one.failed;
	}
}

/* ---- near misses ---- */

static void put_miss(struct bh_buf *b, const struct bh_explain_said *s, const struct bh_miss *m)
{
	bool only = s->trace.n_policies == 1;

	if (!only || !m->rule)
		bh_policy_put_name(b, m->policy);
	if (!m->rule) {
		put_file(b, m->policy->file, m->policy->pos.line);
		bh_buf_printf(b, " would isolate it, but %s", m->why);
		return;
	}
	if (!only)
		bh_buf_putc(b, ' ');
	bh_put_rule_name(b, m->rule, m->index, s->dir);
	if (!only)
		put_file(b, m->policy->file, m->rule->pos.line);
	else if (m->rule->pos.line)
		bh_buf_printf(b, " (line %u)", m->rule->pos.line);
	bh_buf_printf(b, m->matches ? " matches, but %s" : " does not match: %s", m->why);
}

static void text_misses(struct bh_buf *b, const struct bh_explain_said *s)
{
	size_t most = s->outcome == BH_OUTCOME_REFUSE ? MISSES_REFUSED : MISSES_ALLOWED, n = 0;

	for (; n < s->misses.n && n < most; n++) {
		bh_buf_puts(b, INDENT);
		put_miss(b, s, &s->misses.items[n]);
		bh_buf_putc(b, '\n');
	}
	if (s->misses.n > n)
		bh_buf_printf(b, INDENT "and %zu more rules do not match\n", s->misses.n - n);
}

/* ---- the whole ---- */

static void text_said(struct bh_buf *b, const struct bh_explain_run *x,
		      const struct bh_explain_said *s)
{
	bh_buf_printf(b, "  %s of ", bh_dir_name(s->dir));
	bh_explain_put_side(b, s->subject);
	bh_buf_puts(b, ": ");
	if (s->why_not)
		bh_buf_printf(b, "%s (%s)\n",
			      bh_streq(s->why_not_id, "notLocal") ? "not asked" : "allowed",
			      s->why_not);
	else if (bh_word_verdict(s->word) == BH_WORD_CONTRACT)
		bh_buf_printf(b, "%s\n", open_words(s));
	else {
		bh_explain_put_reason(b, x, s, s->word);
		bh_buf_putc(b, '\n');
	}
	if (!s->why_not)
		text_tiers(b, x, s);
	if (bh_word_verdict(s->word) == BH_WORD_CONTRACT)
		text_cases(b, x, s);
	text_misses(b, s);
}

/* " (http, GET, /x)" */
static void put_spoken(struct bh_buf *b, const struct bh_spoken *sp)
{
	const char *sep = " (";

	if (sp->proto) {
		bh_buf_printf(b, "%s%s", sep,
			      bh_proto_name(sp->proto) ? bh_proto_name(sp->proto) : "?");
		sep = ", ";
	}
	for (unsigned a = 1; a < BH_ATTR_COUNT; a++) {
		for (size_t i = 0; sp->known >> a & 1 && i < sp->attr[a].n; i++) {
			bh_buf_puts(b, sep);
			bh_put_shown(b, sp->attr[a].v[i]);
			sep = ", ";
		}
	}
	if (sep[0] == ',')
		bh_buf_putc(b, ')');
}

static void text_claims(struct bh_buf *b, const struct bh_explain_side *s)
{
	char addr[BH_ADDR_STRLEN];

	if (!s->claims)
		return;
	bh_buf_printf(b, "  note: %s of %s/%s belongs to ", bh_addr_format(&s->addr, addr),
		      s->claims->ns, s->claims->name);
	bh_explain_put_side(b, s);
	bh_buf_puts(b, " now\n");
}

static const char *outcome_words(const struct bh_explain_run *x)
{
	if (x->outcome == BH_OUTCOME_ALLOW)
		return "ALLOWED";
	if (x->outcome != BH_OUTCOME_CONTRACT)
		return "REFUSED";
	for (size_t i = 0; i < BH_ARRAY_SIZE(x->said); i++) {
		if (bh_cases_ask_more(&x->said[i].cases))
			return "DEPENDS ON WHAT IS SPOKEN";
	}
	return "DEPENDS ON THE PROTOCOL";
}

void bh_explain_text(struct bh_buf *b, const struct bh_explain_run *x)
{
	bh_explain_put_side(b, &x->from);
	bh_buf_puts(b, " -> ");
	bh_explain_put_side(b, &x->to);
	bh_buf_putc(b, ' ');
	bh_explain_put_port(b, x->q->l4, x->q->port);
	put_spoken(b, &x->q->spoken);
	bh_buf_printf(b, ": %s\n", outcome_words(x));
	text_claims(b, &x->from);
	text_claims(b, &x->to);
	text_said(b, x, &x->said[0]);
	text_said(b, x, &x->said[1]);
}
