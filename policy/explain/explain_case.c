// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/explain/explain_case.c - a verdict that is open: what comes out when
 *
 * A contract has a word for each protocol that it names, and for all others. Where a graph stands in place of a word,
 * each way through it is a case. They are listed with "yes" before "no", so that each needs to name only what holds
 * on its way: read in that order, the first case of which all holds is the right one.
 */
#include "policy/explain/explain_internal.h"

#include "common/util.h"
#include "policy/ruleset/ruleset_block.h"

#include <string.h>

#include "common/banned.h"

struct walk {
	const struct bh_ruleset *rs;
	const struct bh_spoken *sp;
	struct bh_cases *cases;
	size_t first; /* case of these protocols */
	uint32_t worst;
	bool cut, failed;
};

void bh_cases_done(struct bh_cases *c)
{
	free(c->items);
	*c = (struct bh_cases){ .items = NULL };
}

static struct bh_case *case_add(struct walk *w, const struct bh_case *like)
{
	struct bh_case *items;

	items = reallocarray(w->cases->items, w->cases->n + 1, sizeof(*items));
	if (!items) {
		w->failed = true;
		return NULL;
	}
	w->cases->items = items;
	items[w->cases->n] = *like;
	return &items[w->cases->n++];
}

/* One way through the graph; @so_far: what holds on it. */
static void walk(struct walk *w, uint32_t next, const struct bh_case *so_far)
{
	const struct bh_rs_node *n;
	struct bh_case c = *so_far;

	while ((n = bh_ruleset_node(w->rs, next)) != NULL) {
		enum bh_truth t = bh_ruleset_pred(w->rs, n->pred, w->sp);

		if (w->cut || w->failed)
			return;
		if (t == BH_OPEN) {
			struct bh_case yes = c;

			if (yes.n_preds == BH_CASE_PREDS) {
				w->cut = true;
				return;
			}
			yes.preds[yes.n_preds++] = n->pred;
			walk(w, n->yes, &yes);
		}
		next = t == BH_TRUE ? n->yes : n->no;
	}
	if (w->cut || w->failed)
		return;
	if (w->cases->n - w->first >= BH_CASES_EACH) {
		w->cut = true;
		return;
	}
	c.word = next;
	(void)case_add(w, &c);
}

/* Cases at the end that come to the same are one. */
static void merge_tail(struct walk *w)
{
	struct bh_cases *cs = w->cases;

	while (cs->n >= w->first + 2 && cs->items[cs->n - 1].word == cs->items[cs->n - 2].word) {
		cs->items[cs->n - 2] = cs->items[cs->n - 1];
		cs->n--;
	}
}

/* All cases of one protocol (or of several with the same graph). */
static void add_graph(struct walk *w, uint32_t next, uint32_t worst, const struct bh_case *like)
{
	struct bh_case *c;

	w->first = w->cases->n;
	w->cut = false;
	walk(w, next, like);
	if (w->cut) {
		c = case_add(w, like);
		if (c) {
			c->word = worst;
			c->cut = true;
		}
	} else {
		merge_tail(w);
	}
	for (size_t i = w->first; i < w->cases->n; i++)
		w->cases->items[i].rest = i > w->first && w->cases->items[i].n_preds == 0;
}

/* Protocols with the same answer are listed together. */
static void add_entries(struct walk *w, const struct bh_contract *c)
{
	const struct bh_contract_entry *e = bh_ruleset_entries(w->rs, c);

	for (uint32_t i = 0; i < c->n && w->cases->n < BH_CASES_MAX; i++) {
		struct bh_case like = { .kind = BH_CASE_NAMED };
		bool before = false;

		for (uint32_t k = 0; k < c->n; k++) {
			if (e[k].next != e[i].next)
				continue;
			before |= k < i;
			bh_protoset_add(&like.protos, e[k].proto);
		}
		if (!before)
			add_graph(w, e[i].next, e[i].word, &like);
	}
}

static void add_contract(struct walk *w, const struct bh_contract *c)
{
	add_entries(w, c);
	add_graph(w, c->other_next, c->other, &(struct bh_case){ .kind = BH_CASE_OTHER });
	if (c->unknown_next != c->other_next)
		add_graph(w, c->unknown_next, c->unknown,
			  &(struct bh_case){ .kind = BH_CASE_UNKNOWN });
	if (c->undecided != c->other_next)
		add_graph(w, c->undecided, c->undecided,
			  &(struct bh_case){ .kind = BH_CASE_UNDECIDED });
}

int bh_cases_make(const struct bh_ruleset *rs, uint32_t word, const struct bh_spoken *sp,
		  struct bh_cases *ret)
{
	bh_cleanup(bh_cases_done) struct bh_cases cases = { .items = NULL };
	struct walk w = { .rs = rs, .sp = sp, .cases = &cases };
	const struct bh_contract *c;
	bool open;

	if (sp->proto == 0) {
		c = bh_ruleset_contract(rs, bh_word_number(word));
		if (c)
			add_contract(&w, c);
	} else {
		add_graph(&w, bh_ruleset_settle_spoken(rs, word, sp, &open),
			  bh_ruleset_settle(rs, word, sp->proto),
			  &(struct bh_case){ .kind = BH_CASE_GIVEN });
	}
	if (w.failed)
		return -ENOMEM;
	*ret = cases;
	cases = (struct bh_cases){ .items = NULL };
	return 0;
}

/* ---- predicates in words ---- */

static void put_test(struct bh_buf *b, const struct bh_ruleset *rs, const struct bh_rs_test *t)
{
	bh_buf_printf(b, "%s ", bh_attr_name((enum bh_attr)t->attr));
	for (uint32_t i = 0; i < t->n; i++)
		bh_buf_printf(b, "%s%s", i ? ", " : "",
			      bh_ruleset_text(rs, rs->values[t->first + i].text));
}

static enum bh_truth test_truth(struct bh_buf *b, const struct bh_ruleset *rs,
				const struct bh_rs_test *t, const struct bh_spoken *sp)
{
	bh_autofree const char **values = calloc(t->n + (size_t)1, sizeof(*values));

	if (!values) {
		b->failed = true;
		return BH_OPEN;
	}
	for (uint32_t i = 0; i < t->n; i++)
		values[i] = bh_ruleset_text(rs, rs->values[t->first + i].text);
	return bh_test_holds(
	    sp, &(struct bh_test){ (enum bh_attr)t->attr, { .items = (char **)values, .n = t->n } },
	    NULL);
}

/* The tests of a clause that are open, if none fails. */
static void put_clause(struct bh_buf *b, const struct bh_ruleset *rs, const struct bh_rs_pred *p,
		       uint32_t first, uint32_t end, const struct bh_spoken *sp)
{
	const char *sep = b->len ? " or " : "";

	for (uint32_t i = first; i < end; i++) {
		if (test_truth(b, rs, &rs->tests[p->first + i], sp) == BH_FALSE)
			return;
	}
	for (uint32_t i = first; i < end; i++) {
		if (test_truth(b, rs, &rs->tests[p->first + i], sp) != BH_OPEN)
			continue;
		bh_buf_puts(b, sep);
		put_test(b, rs, &rs->tests[p->first + i]);
		sep = "; ";
	}
}

void bh_explain_put_pred(struct bh_buf *b, const struct bh_explain_run *x, uint32_t pred)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	const struct bh_rs_pred *p = bh_ruleset_pred_at(rs, pred);
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	uint32_t end;

	for (uint32_t i = 0; p && i < p->n; i = end) {
		for (end = i + 1; end < p->n && rs->tests[p->first + end].clause ==
						    rs->tests[p->first + i].clause;
		     end++)
			;
		put_clause(&text, rs, p, i, end, &x->q->spoken);
	}
	bh_say_buf(b, &text);
}

bool bh_cases_ask_more(const struct bh_cases *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->items[i].kind == BH_CASE_GIVEN || c->items[i].n_preds > 0 || c->items[i].cut)
			return true;
	}
	return false;
}
