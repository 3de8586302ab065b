/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/ruleset/ruleset_spoken.c - answers where the protocol alone does not tell: predicates, and graphs of them
 *
 * A test asks one attribute, a predicate is an OR of ANDs of tests, a graph asks predicates until it comes to a word. What is
 * not known leaves it open, unless all that it could be comes to the same.
 */
#include "policy/ruleset.h"

#include "common/util.h"
#include "policy/ruleset/ruleset_block.h"

#include "common/banned.h"

const struct bh_rs_node *bh_ruleset_node(const struct bh_ruleset *rs, uint32_t next)
{
	if (bh_word_verdict(next) != BH_WORD_CONTRACT || bh_word_number(next) >= rs->n[BH_RS_NODES])
		return NULL;
	return &rs->nodes[bh_word_number(next)];
}

const struct bh_rs_pred *bh_ruleset_pred_at(const struct bh_ruleset *rs, uint32_t index)
{
	return index < rs->n[BH_RS_PREDS] ? &rs->preds[index] : NULL;
}

/* One test of a clause. */
static enum bh_truth test_holds(const struct bh_ruleset *rs, const struct bh_rs_test *t,
				const struct bh_spoken *sp)
{
	/* Where several values are offered or asked for, all must be among those listed. */
	bool all = t->attr == BH_ATTR_TLS_ALPN || t->attr == BH_ATTR_DNS_NAME ||
		   t->attr == BH_ATTR_DNS_TYPE;
	size_t hits = 0;

	if (!(sp->known >> t->attr & 1))
		return BH_OPEN;
	for (size_t i = 0; i < sp->attr[t->attr].n; i++) {
		bool hit = false;

		for (uint32_t k = 0; k < t->n && !hit; k++)
			hit = bh_attr_match(t->attr,
					    bh_ruleset_text(rs, rs->values[t->first + k].text),
					    sp->attr[t->attr].v[i]);
		hits += hit;
	}
	if (all)
		return hits > 0 && hits == sp->attr[t->attr].n ? BH_TRUE : BH_FALSE;
	return hits > 0 ? BH_TRUE : BH_FALSE;
}

enum bh_truth bh_ruleset_pred(const struct bh_ruleset *rs, uint32_t pred,
			      const struct bh_spoken *sp)
{
	const struct bh_rs_pred *p = bh_ruleset_pred_at(rs, pred);
	enum bh_truth any = BH_FALSE;

	if (!p)
		return BH_OPEN;
	for (uint32_t i = 0; i < p->n;) {
		uint32_t clause = rs->tests[p->first + i].clause;
		enum bh_truth all = BH_TRUE;

		for (; i < p->n && rs->tests[p->first + i].clause == clause; i++) {
			enum bh_truth one = test_holds(rs, &rs->tests[p->first + i], sp);

			if (one == BH_FALSE)
				all = BH_FALSE;
			else if (one == BH_OPEN && all == BH_TRUE)
				all = BH_OPEN;
		}
		if (all == BH_TRUE)
			return BH_TRUE;
		if (all == BH_OPEN)
			any = BH_OPEN;
	}
	return any;
}

/* Whatever it turns out to be, the same happens, and the same is recorded. */
static bool comes_to_the_same(uint32_t a, uint32_t b)
{
	if (a == b)
		return true;
	if (bh_word_refuses(a) || bh_word_refuses(b))
		return bh_word_refuses(a) && bh_word_refuses(b);
	return !((a | b) & BH_WORD_REPORT);
}

/* Nodes looked at for one answer: a graph whose branches come together again is no tree to walk through. */
#define FOLLOW_MAX 4096U

/* Follows a graph as far as what is known leads. *@budget at its end: open, which is never wrong. */
static uint32_t follow(const struct bh_ruleset *rs, uint32_t next, const struct bh_spoken *sp,
		       unsigned *budget, bool *ret_open)
{
	const struct bh_rs_node *n;

	while ((n = bh_ruleset_node(rs, next)) != NULL) {
		enum bh_truth t = *budget > 0 ? bh_ruleset_pred(rs, n->pred, sp) : BH_OPEN;

		if (t == BH_OPEN) {
			uint32_t yes, no;

			if (*budget == 0) {
				*ret_open = true;
				return next;
			}
			(*budget)--;
			yes = follow(rs, n->yes, sp, budget, ret_open);
			no = *ret_open ? 0 : follow(rs, n->no, sp, budget, ret_open);
			if (!*ret_open && comes_to_the_same(yes, no))
				return no;
			*ret_open = true;
			return next;
		}
		next = t == BH_TRUE ? n->yes : n->no;
	}
	return next;
}

uint32_t bh_ruleset_settle_spoken(const struct bh_ruleset *rs, uint32_t word,
				  const struct bh_spoken *sp, bool *ret_open)
{
	const struct bh_contract *c;
	const struct bh_contract_entry *e;

	unsigned budget = FOLLOW_MAX;

	*ret_open = false;
	if (bh_word_verdict(word) != BH_WORD_CONTRACT)
		return word;
	c = bh_ruleset_contract(rs, bh_word_number(word));
	if (!c)
		return 0;
	if (sp->proto == 0) {
		*ret_open = true;
		return word;
	}
	if (sp->proto == BH_PROTO_UNKNOWN)
		return follow(rs, c->unknown_next, sp, &budget, ret_open);
	if (sp->proto == BH_PROTO_UNDECIDED || sp->proto < BH_PROTO_FIRST)
		return c->undecided;
	e = bh_ruleset_entries(rs, c);
	for (uint32_t i = 0; i < c->n; i++) {
		if (e[i].proto == sp->proto)
			return follow(rs, e[i].next, sp, &budget, ret_open);
	}
	return follow(rs, c->other_next, sp, &budget, ret_open);
}
