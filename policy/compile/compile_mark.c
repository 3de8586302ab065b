/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_mark.c - what the block will name: reasons, contracts, graphs, policies; and their numbers
 *
 * Reasons and contracts are kept once they were made, as the next change may need them again; what no row names any
 * more is not put into the block. Numbers are given in the order of contents, so that the same policies get the same
 * numbers in an agent that starts again.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

void bh_live_done(struct bh_live *l)
{
	bh_u32s_done(&l->reasons);
	bh_u32s_done(&l->contracts);
	bh_u32s_done(&l->preds);
	bh_u32s_done(&l->nodes);
	bh_u32s_done(&l->policies);
}

/* ---- marking ---- */

static int mark_policy(struct bh_state *s, struct bh_live *l, uint32_t policy)
{
	struct bh_cpolicy *cp = s->policies[policy];

	if (cp->mark == s->emission)
		return 0;
	cp->mark = s->emission;
	return bh_u32s_add(&l->policies, policy);
}

static int mark_reason(struct bh_state *s, struct bh_live *l, uint32_t idx)
{
	struct bh_creason *c = &s->reasons[idx];
	int r;

	if (c->mark == s->emission)
		return 0;
	c->mark = s->emission;
	r = bh_u32s_add(&l->reasons, idx);
	return r < 0 || c->policy == BH_NONE ? r : mark_policy(s, l, c->policy);
}

/* Depth: the number of predicates that decide about one port. */
static int mark_next(struct bh_state *s, struct bh_live *l, uint32_t next)
{
	uint32_t idx = bh_word_number(next);
	const struct bh_cnode *n;
	int r;

	if (bh_word_verdict(next) != BH_WORD_CONTRACT)
		return mark_reason(s, l, idx - 1);
	if (s->node_infos[idx].mark == s->emission)
		return 0;
	s->node_infos[idx].mark = s->emission;
	n = bh_intern_key(&s->node_keys, idx, NULL);
	r = bh_u32s_add(&l->nodes, idx);
	if (r == 0 && s->preds[n->pred].mark != s->emission) {
		s->preds[n->pred].mark = s->emission;
		r = bh_u32s_add(&l->preds, n->pred);
	}
	if (r == 0)
		r = mark_next(s, l, n->yes);
	return r < 0 ? r : mark_next(s, l, n->no);
}

static int mark_word(struct bh_state *s, struct bh_live *l, uint32_t word)
{
	uint32_t idx = bh_word_number(word) - 1;
	const struct bh_contract_key *k;
	int r;

	if (bh_word_verdict(word) != BH_WORD_CONTRACT)
		return mark_reason(s, l, idx);
	if (s->contracts[idx].mark == s->emission)
		return 0;
	s->contracts[idx].mark = s->emission;
	k = bh_intern_key(&s->contract_keys, idx, NULL);
	r = bh_u32s_add(&l->contracts, idx);
	if (r == 0)
		r = mark_next(s, l, k->other_next);
	if (r == 0)
		r = mark_next(s, l, k->unknown_next);
	for (uint32_t i = 0; r == 0 && i < k->n; i++)
		r = mark_next(s, l, k->e[i].next);
	return r;
}

int bh_live_find(struct bh_state *s, struct bh_live *l)
{
	int r = 0;

	s->emission++;
	for (uint32_t i = 0; r == 0 && i < s->row_keys.n; i++) {
		const struct bh_rcell *row;
		size_t n;

		if (!bh_slot_live(&s->row_keys, i))
			continue;
		row = bh_slot_key(&s->row_keys, i, &n);
		for (size_t k = 0; r == 0 && k < n / sizeof(*row); k++)
			r = mark_word(s, l, row[k].word);
	}
	return r;
}

/* ---- final words ---- */

uint32_t bh_word_final(const struct bh_state *s, uint32_t word)
{
	uint32_t idx = bh_word_number(word) - 1;
	uint32_t number = bh_word_verdict(word) == BH_WORD_CONTRACT ? s->contracts[idx].number
								    : s->reasons[idx].number;

	return (word & ~BH_WORD_NUMBER) | number;
}

uint32_t bh_next_final(const struct bh_state *s, uint32_t next)
{
	if (bh_word_verdict(next) != BH_WORD_CONTRACT)
		return bh_word_final(s, next);
	return BH_WORD_CONTRACT | s->node_infos[bh_word_number(next)].index;
}

/* ---- numbers ---- */

struct keyed {
	const void *key;
	size_t size;
	uint32_t idx;
};

static int keyed_cmp(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int c = memcmp(x->key, y->key, BH_MIN(x->size, y->size));

	return c ? c : (x->size > y->size) - (x->size < y->size);
}

/*
 * Numbers for those of @k that have none (@all: for all of them): *number(s, idx). The keys are sorted.
 */
static int give(struct bh_state *s, struct bh_dict *d, struct keyed *k, size_t n, const char *what,
		uint32_t *(*number)(struct bh_state *, uint32_t))
{
	if (n)
		qsort(k, n, sizeof(*k), keyed_cmp);
	for (size_t i = 0; i < n; i++) {
		int r = bh_dict_number(d, k[i].key, k[i].size, s->c->revision, number(s, k[i].idx));

		if (r == -E2BIG)
			return bh_err_set(s->err, r, "no %s number is left", what);
		if (r < 0)
			return r;
	}
	return 0;
}

static uint32_t *reason_number(struct bh_state *s, uint32_t idx)
{
	return &s->reasons[idx].number;
}

static uint32_t *pred_number(struct bh_state *s, uint32_t idx)
{
	return &s->preds[idx].number;
}

static uint32_t *contract_number(struct bh_state *s, uint32_t idx)
{
	return &s->contracts[idx].number;
}

static int interned_number(struct bh_state *s, const struct bh_u32s *l, struct bh_intern *t,
			   size_t skip, struct bh_dict *d, const char *what,
			   uint32_t *(*number)(struct bh_state *, uint32_t), bool all)
{
	bh_autofree struct keyed *k = calloc(l->n + 1, sizeof(*k));
	size_t n = 0;

	if (!k)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		if (*number(s, l->v[i]) && !all)
			continue;
		k[n].key = (const char *)bh_intern_key(t, l->v[i], &k[n].size) + skip;
		k[n].size -= skip;
		k[n++].idx = l->v[i];
	}
	return give(s, d, k, n, what, number);
}

/* What a graph says, in numbers that last. */
static void put_graph(const struct bh_state *s, uint32_t next, struct bh_buf *b)
{
	const struct bh_cnode *n;
	uint32_t word;

	if (bh_word_verdict(next) != BH_WORD_CONTRACT) {
		word = bh_word_final(s, next);
		bh_buf_add(b, &word, sizeof(word));
		return;
	}
	/* Written out as a tree: it was made as one, within limits (compile_word.c). */
	n = bh_intern_key(&s->node_keys, bh_word_number(next), NULL);
	word = BH_WORD_CONTRACT | s->preds[n->pred].number;
	bh_buf_add(b, &word, sizeof(word));
	put_graph(s, n->yes, b);
	put_graph(s, n->no, b);
}

/* Contracts are known by their final words. @b: filled. */
static int contract_text(const struct bh_state *s, uint32_t idx, struct bh_buf *b)
{
	const struct bh_contract_key *k = bh_intern_key(&s->contract_keys, idx, NULL);
	const uint32_t head[] = {
		k->n,
		bh_word_final(s, k->other),
		bh_word_final(s, k->unknown),
		bh_word_final(s, k->undecided),
		k->on_overload,
		k->midstream,
	};

	bh_buf_add(b, head, sizeof(head));
	put_graph(s, k->other_next, b);
	put_graph(s, k->unknown_next, b);
	for (uint32_t i = 0; i < k->n; i++) {
		const uint32_t e[] = { k->e[i].proto, k->e[i].switches, k->e[i].proxy };

		bh_buf_add(b, e, sizeof(e));
		put_graph(s, k->e[i].next, b);
	}
	return bh_buf_failed(b) ? -ENOMEM : 0;
}

static int contracts_number(struct bh_state *s, const struct bh_u32s *l, bool all)
{
	bh_autofree struct keyed *k = calloc(l->n + 1, sizeof(*k));
	struct bh_buf *texts = calloc(l->n + 1, sizeof(*texts));
	size_t n = 0;
	int r = k && texts ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < l->n; i++) {
		if (s->contracts[l->v[i]].number && !all)
			continue;
		r = contract_text(s, l->v[i], &texts[n]);
		k[n].key = texts[n].data;
		k[n].size = texts[n].len;
		k[n++].idx = l->v[i];
	}
	if (r == 0)
		r = give(s, &s->c->contracts, k, n, "contract", contract_number);
	for (size_t i = 0; texts && i < n; i++)
		bh_buf_done(&texts[i]);
	free(texts);
	return r;
}

struct by_number {
	uint32_t number, idx;
};

static int by_number_cmp(const void *a, const void *b)
{
	const struct by_number *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int sort_by(struct bh_state *s, struct bh_u32s *l,
		   uint32_t *(*number)(struct bh_state *, uint32_t))
{
	bh_autofree struct by_number *o = calloc(l->n + 1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++)
		o[i] = (struct by_number){ *number(s, l->v[i]), l->v[i] };
	qsort(o, l->n, sizeof(*o), by_number_cmp);
	for (size_t i = 0; i < l->n; i++)
		l->v[i] = o[i].idx;
	return 0;
}

/* The dictionaries are about to forget what is not alive: should it come back, it asks again. */
static void forget_numbers(struct bh_state *s)
{
	for (size_t i = 0; i < s->reason_keys.n; i++)
		s->reasons[i].number = 0;
	for (size_t i = 0; i < s->pred_keys.n; i++)
		s->preds[i].number = 0;
	for (size_t i = 0; i < s->contract_keys.n; i++)
		s->contracts[i].number = 0;
}

int bh_live_number(struct bh_state *s, struct bh_live *l, bool all)
{
	struct bh_compiler *c = s->c;
	int r;

	if (all)
		forget_numbers(s);
	r = interned_number(s, &l->reasons, &s->reason_keys, sizeof(uint64_t), &c->reasons,
			    "reason", reason_number, all);
	if (r == 0)
		r = interned_number(s, &l->preds, &s->pred_keys, 0, &c->preds, "predicate",
				    pred_number, all);
	if (r == 0)
		r = contracts_number(s, &l->contracts, all);
	if (r == 0)
		r = sort_by(s, &l->reasons, reason_number);
	if (r == 0)
		r = sort_by(s, &l->preds, pred_number);
	if (r == 0)
		r = sort_by(s, &l->contracts, contract_number);
	/* Made one after the other: in the order of their indexes each stands behind those it leads to. */
	bh_u32s_sort(&l->nodes);
	for (uint32_t i = 0; i < l->nodes.n; i++)
		s->node_infos[l->nodes.v[i]].index = i;
	for (uint32_t i = 0; i < l->preds.n; i++)
		s->preds[l->preds.v[i]].index = i;
	return r;
}
