// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/reach/reach_text.c - ports in words, and who decides about them
 */
#include "common/util.h"
#include "policy/icmp.h"
#include "policy/reach.h"

#include <string.h>

#include "common/banned.h"

/* Of who decides: shown; found at most; steps through decision graphs at most. */
#define WHY_SHOWN 3U
#define WHY_MAX   64U
#define STEPS_MAX 4096U

static void put_icmp_type(struct bh_buf *out, uint8_t l4, uint8_t type)
{
	const char *name = bh_icmp_name(l4, type);

	if (name)
		bh_buf_puts(out, name);
	else
		bh_buf_printf(out, "%u", type);
}

static void put_icmp(struct bh_buf *out, uint32_t type_code)
{
	bh_buf_printf(out, "%u/%u", type_code >> 8, type_code & 255);
}

void bh_reach_put_port(struct bh_buf *out, uint32_t l4, uint32_t lo, uint32_t hi)
{
	char buf[8];

	if (l4 == BH_L4_ANY) {
		bh_buf_puts(out, "everything else");
	} else if (lo <= bh_reach_first_port(l4) && hi >= BH_REACH_LAST_PORT) {
		bh_buf_puts(out, bh_l4_name(l4, buf));
	} else if (l4 == BH_L4_ICMP || l4 == BH_L4_ICMPV6) {
		bh_buf_printf(out, "%s ", bh_l4_name(l4, buf));
		if (lo % 256 == 0 && hi == (lo | 255U)) { /* one type, every code */
			put_icmp_type(out, (uint8_t)l4, (uint8_t)(lo >> 8));
			return;
		}
		put_icmp(out, lo);
		if (hi > lo) {
			bh_buf_putc(out, '-');
			put_icmp(out, hi);
		}
	} else if (lo == hi) {
		bh_buf_printf(out, "%u/%s", lo, bh_l4_name(l4, buf));
	} else {
		bh_buf_printf(out, "%u-%u/%s", lo, hi, bh_l4_name(l4, buf));
	}
}

/* ---- who decides ---- */

struct why {
	const struct bh_ruleset *rs;
	bool allowing;
	const struct bh_reason *found[WHY_MAX];
	size_t n;
	unsigned steps;
};

static bool alike(const struct bh_reason *a, const struct bh_reason *b)
{
	return a->policy == b->policy && a->rule == b->rule &&
	       (a->kind == BH_REASON_ISOLATED) == (b->kind == BH_REASON_ISOLATED);
}

static void add_word(struct why *w, uint32_t word)
{
	const struct bh_reason *r = bh_ruleset_reason(w->rs, bh_word_number(word));

	if ((bh_word_verdict(word) == BH_WORD_ALLOW) != w->allowing || !r ||
	    !bh_ruleset_policy(w->rs, r->policy))
		return;
	for (size_t i = 0; i < w->n; i++) {
		if (alike(w->found[i], r))
			return;
	}
	if (w->n < WHY_MAX)
		w->found[w->n++] = r;
}

static void add_next(struct why *w, uint32_t next)
{
	const struct bh_rs_node *n = bh_ruleset_node(w->rs, next);

	if (!n) {
		add_word(w, next);
		return;
	}
	/* Graphs share nodes: without a limit all their ways would be walked. */
	if (w->steps++ > STEPS_MAX)
		return;
	add_next(w, n->yes);
	add_next(w, n->no);
}

static void add_direction(struct why *w, uint32_t word)
{
	const struct bh_contract *c = NULL;
	const struct bh_contract_entry *e;

	if (bh_word_verdict(word) != BH_WORD_CONTRACT) {
		add_word(w, word);
		return;
	}
	c = bh_ruleset_contract(w->rs, bh_word_number(word));
	if (!c)
		return;
	e = bh_ruleset_entries(w->rs, c);
	for (uint32_t i = 0; i < c->n; i++)
		add_next(w, e[i].next);
	add_next(w, c->other_next);
	add_next(w, c->unknown_next);
}

/* Refuses whatever is spoken. */
static bool flatly(uint32_t word)
{
	return word != 0 && bh_word_refuses(word);
}

static void find(struct why *w, const struct bh_decision *d)
{
	/* Where one side refuses everything, nobody else needs to be asked; egress comes first. */
	bool egress = !w->allowing && flatly(d->egress);
	bool ingress = !w->allowing && !egress && flatly(d->ingress);

	if (!ingress)
		add_direction(w, d->egress);
	if (!egress)
		add_direction(w, d->ingress);
}

static void put_one(struct bh_buf *out, const struct bh_ruleset *rs, const struct bh_reason *r)
{
	const struct bh_rs_policy *p = bh_ruleset_policy(rs, r->policy);
	const struct bh_rs_rule *rule = bh_ruleset_rule(rs, r->rule);
	const char *ns = bh_ruleset_text(rs, p->ns), *name;

	if (r->kind == BH_REASON_ISOLATED)
		bh_buf_puts(out, "isolated by ");
	else if (r->kind == BH_REASON_WOULD || r->kind == BH_REASON_LEARN)
		bh_buf_printf(out, "%s mode: ", bh_mode_name((enum bh_mode)p->mode));
	bh_buf_printf(out, "%s %s%s%s", bh_kind_name((enum bh_kind)p->kind), ns, *ns ? "/" : "",
		      bh_ruleset_text(rs, p->name));
	if (!rule || r->kind == BH_REASON_ISOLATED)
		return;
	name = bh_ruleset_text(rs, rule->name);
	if (*name)
		bh_buf_printf(out, " rule \"%s\"", name);
	else
		bh_buf_printf(out, " %s[%u]", bh_dir_name((enum bh_dir)rule->dir), rule->index);
}

void bh_reach_put_why(const struct bh_ruleset *rs, const struct bh_decision *d, bool allowing,
		      struct bh_buf *out)
{
	struct why w = { .rs = rs, .allowing = allowing };

	find(&w, d);
	for (size_t i = 0; i < w.n && i < WHY_SHOWN; i++) {
		bh_buf_puts(out, i > 0 ? ", " : "");
		put_one(out, rs, w.found[i]);
	}
	if (w.n > WHY_SHOWN)
		bh_buf_printf(out, " and %zu more", w.n - WHY_SHOWN);
}

static json_t *one_json(const struct bh_ruleset *rs, const struct bh_reason *r)
{
	const struct bh_rs_policy *p = bh_ruleset_policy(rs, r->policy);
	const struct bh_rs_rule *rule = bh_ruleset_rule(rs, r->rule);
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	json_t *in_rule = json_null();

	put_one(&text, rs, r);
	if (rule)
		in_rule = json_pack("{s:s, s:I}", "name", bh_ruleset_text(rs, rule->name), "index",
				    (json_int_t)rule->index);
	if (bh_buf_failed(&text)) {
		json_decref(in_rule);
		return NULL;
	}
	return json_pack(
	    "{s:s, s:s, s:s, s:s, s:o, s:s}", "direction", bh_dir_name((enum bh_dir)r->dir), "kind",
	    bh_kind_name((enum bh_kind)p->kind), "namespace", bh_ruleset_text(rs, p->ns), "name",
	    bh_ruleset_text(rs, p->name), "rule", in_rule, "text", bh_buf_str(&text));
}

json_t *bh_reach_why_json(const struct bh_ruleset *rs, const struct bh_decision *d, bool allowing)
{
	struct why w = { .rs = rs, .allowing = allowing };
	json_t *list = json_array();

	find(&w, d);
	for (size_t i = 0; list && i < w.n; i++) {
		if (json_array_append_new(list, one_json(rs, w.found[i])) < 0)
			json_decref(bh_take_ptr(&list));
	}
	return list;
}
