/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_cidr.c - terms about addresses -> disjoint pieces of the address space
 *
 * An ipBlock is its cidr less its own exceptions; nodes, names and resolvers are single addresses: all are intervals. A
 * sweep over the ends of all intervals of a family gives the pieces; a piece knows every term that covers it.
 * Pieces that no term covers are "the world" and not kept. What terms an address lies in is kept with it; a walk
 * along both sorted lists finds the addresses for which that has changed.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

struct edge {
	struct bh_addr at;
	uint32_t term;
	bool begins;
};

struct edges {
	struct edge *v;
	size_t n, cap;
};

struct interval {
	struct bh_addr lo, hi;
};

struct intervals {
	struct interval *v;
	size_t n, cap;
};

static int edge_cmp(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;
	int c = bh_addr_cmp(&x->at, &y->at);

	if (c)
		return c;
	/* Ends before beginnings. */
	if (x->begins != y->begins)
		return x->begins ? 1 : -1;
	return (x->term > y->term) - (x->term < y->term);
}

static int edge_add(struct edges *e, struct bh_addr at, uint32_t term, bool begins)
{
	int r = bh_grow(&e->v, &e->cap, e->n, sizeof(*e->v));

	if (r == 0)
		e->v[e->n++] = (struct edge){ .at = at, .term = term, .begins = begins };
	return r;
}

static int interval_add(struct edges *e, struct bh_addr lo, struct bh_addr hi, uint32_t term)
{
	struct bh_addr after;
	int r = edge_add(e, lo, term, true);

	/* Up to the last address of the family: it never ends. */
	if (r == 0 && bh_addr_next(&hi, &after))
		r = edge_add(e, after, term, false);
	return r;
}

static int interval_cmp(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	return bh_addr_cmp(&x->lo, &y->lo);
}

/* The intervals of one block: what is left of its cidr between its exceptions. */
static int block_add(struct edges *e, const struct bh_ip_block *blk, uint32_t term)
{
	bh_autofree struct interval *ex = calloc(blk->n_except + 1, sizeof(*ex));
	struct bh_addr at, end;
	size_t n = 0;

	if (!ex)
		return -ENOMEM;
	for (size_t i = 0; i < blk->n_except; i++) {
		/* Prefixes are nested or apart: one that covers the cidr leaves nothing of it. */
		if (bh_prefix_covers(&blk->except[i], &blk->cidr))
			return 0;
		if (!bh_prefix_covers(&blk->cidr, &blk->except[i]))
			continue;
		bh_prefix_range(&blk->except[i], &ex[n].lo, &ex[n].hi);
		n++;
	}
	qsort(ex, n, sizeof(*ex), interval_cmp);
	bh_prefix_range(&blk->cidr, &at, &end);
	for (size_t i = 0; i < n; i++) {
		struct bh_addr before;
		int r;

		if (bh_addr_cmp(&ex[i].lo, &at) > 0 && bh_addr_prev(&ex[i].lo, &before)) {
			r = interval_add(e, at, before, term);
			if (r < 0)
				return r;
		}
		if (bh_addr_cmp(&ex[i].hi, &at) < 0)
			continue; /* inside an exception that came before */
		if (bh_addr_cmp(&ex[i].hi, &end) >= 0 || !bh_addr_next(&ex[i].hi, &at))
			return 0;
	}
	return interval_add(e, at, end, term);
}

static int single_add(struct intervals *l, const struct bh_addr *a)
{
	int r = bh_grow(&l->v, &l->cap, l->n, sizeof(*l->v));

	if (r == 0)
		l->v[l->n++] = (struct interval){ *a, *a };
	return r;
}

/* What a term other than a block covers. */
static int intervals_of(const struct bh_state *s, const struct bh_term *t, struct intervals *l)
{
	bool nodes = t->kind == BH_TERM_NODES || t->kind == BH_TERM_RESERVED;
	int r = 0;

	for (size_t i = 0; nodes && i < s->n_nodes; i++) {
		const struct bh_node *n = s->nodes[i];

		if (t->nodes && !bh_selector_match(t->nodes, &n->labels))
			continue;
		for (size_t k = 0; r == 0 && k < n->n_addrs; k++)
			r = single_add(l, &n->addrs[k]);
	}
	for (size_t i = 0; r == 0 && t->kind == BH_TERM_RESERVED && i < s->n_cluster; i++) {
		r = single_add(l, &s->cluster[i].addr);
		if (r == 0)
			bh_prefix_range(&s->cluster[i], &l->v[l->n - 1].lo, &l->v[l->n - 1].hi);
	}
	for (size_t i = 0; r == 0 && t->kind == BH_TERM_RESOLVERS && i < s->n_resolvers; i++)
		r = single_add(l, &s->resolvers[i]);
	for (size_t i = 0; t->kind == BH_TERM_NAMES && i < s->n_known; i++) {
		bool hit = false;

		for (size_t k = 0; k < t->names->n && !hit; k++)
			hit = bh_name_match(t->names->items[k], s->known[i].name);
		for (size_t k = 0; r == 0 && hit && k < s->known[i].n; k++)
			r = single_add(l, &s->known[i].addrs[k]);
	}
	return r;
}

/* They may overlap; a term begins and ends once at a time. */
static int merged_add(struct edges *e, struct intervals *l, uint32_t term)
{
	int r = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), interval_cmp);
	for (size_t i = 0; r == 0 && i < l->n;) {
		struct interval one = l->v[i];
		struct bh_addr after;

		for (i++; i < l->n && l->v[i].lo.family == one.lo.family; i++) {
			if (bh_addr_cmp(&l->v[i].lo, &one.hi) > 0 &&
			    (!bh_addr_next(&one.hi, &after) || !bh_addr_eq(&after, &l->v[i].lo)))
				break;
			if (bh_addr_cmp(&l->v[i].hi, &one.hi) > 0)
				one.hi = l->v[i].hi;
		}
		r = interval_add(e, one.lo, one.hi, term);
	}
	return r;
}

static int term_edges(const struct bh_state *s, struct edges *e, uint32_t term)
{
	const struct bh_term *t = &s->terms[term];
	struct intervals l = { .v = NULL };
	int r;

	if (t->kind == BH_TERM_SELECTOR)
		return 0;
	if (t->kind == BH_TERM_BLOCK)
		return block_add(e, t->block, term);
	r = intervals_of(s, t, &l);
	if (r == 0)
		r = merged_add(e, &l, term);
	free(l.v);
	return r;
}

static struct bh_addr last_of(uint8_t family)
{
	struct bh_addr a = { .family = family };

	memset(a.bytes, 0xff, family == 4 ? 4 : 16);
	return a;
}

/* ---- sets of terms ---- */

const uint32_t *bh_cset_terms(const struct bh_state *s, uint32_t cset, size_t *ret_n)
{
	const uint32_t *v = bh_slot_key(&s->cset_keys, cset, ret_n);

	*ret_n /= sizeof(*v);
	return v;
}

int bh_cset_get(struct bh_state *s, const uint32_t *terms, size_t n, uint32_t *ret)
{
	bool fresh;
	int r = bh_slot_get(&s->cset_keys, terms, n * sizeof(*terms), ret, &fresh);

	if (r < 0 || !fresh)
		return r;
	r = bh_grow(&s->csets, &s->cap_csets, *ret, sizeof(*s->csets));
	if (r < 0)
		return r;
	s->csets[*ret] = (struct bh_cset){ .outside = BH_NONE };
	for (size_t i = 0; r == 0 && i < n; i++)
		r = bh_u32s_add(&s->terms[terms[i]].csets, *ret);
	return r;
}

int bh_cset_put(struct bh_state *s, uint32_t cset)
{
	size_t n;
	const uint32_t *terms = bh_cset_terms(s, cset, &n);

	if (bh_slot_last(&s->cset_keys, cset)) {
		for (size_t i = 0; i < n; i++)
			bh_u32s_remove(&s->terms[terms[i]].csets, cset);
		bh_u32s_done(&s->csets[cset].classes);
	}
	(void)bh_slot_put(&s->cset_keys, cset);
	return 0;
}

uint32_t bh_cset_of(const struct bh_state *s, const struct bh_addr *a)
{
	size_t lo = 0, hi = s->n_pieces;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&s->pieces[mid].hi, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < s->n_pieces && bh_addr_cmp(&s->pieces[lo].lo, a) <= 0)
		return s->pieces[lo].cset;
	return 0;
}

/* ---- the sweep ---- */

struct pieces {
	struct bh_piece *v;
	size_t n, cap;
};

static int piece_add(struct bh_state *s, struct pieces *p, struct bh_addr lo, struct bh_addr hi,
		     const struct bh_u32s *active)
{
	struct bh_piece *prev = p->n ? &p->v[p->n - 1] : NULL;
	struct bh_addr after;
	uint32_t set;
	int r;

	if (active->n == 0)
		return 0;
	r = bh_grow(&p->v, &p->cap, p->n, sizeof(*p->v));
	if (r == 0)
		r = bh_cset_get(s, active->v, active->n, &set);
	if (r < 0)
		return r;
	prev = p->n ? &p->v[p->n - 1] : NULL;
	if (prev && prev->cset == set && bh_addr_next(&prev->hi, &after) &&
	    bh_addr_eq(&after, &lo)) {
		prev->hi = hi;
		return bh_cset_put(s, set);
	}
	p->v[p->n++] = (struct bh_piece){ .lo = lo, .hi = hi, .cset = set };
	return 0;
}

static int sweep(struct bh_state *s, const struct edges *e, struct pieces *p)
{
	struct bh_u32s active = { .v = NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < e->n;) {
		const struct edge *at = &e->v[i];
		struct bh_addr hi = last_of(at->at.family);

		if (i && e->v[i - 1].at.family != at->at.family)
			active.n = 0;
		for (; r == 0 && i < e->n && bh_addr_eq(&e->v[i].at, &at->at); i++) {
			if (e->v[i].begins)
				r = bh_u32s_insert(&active, e->v[i].term);
			else
				bh_u32s_take(&active, e->v[i].term);
		}
		if (i < e->n && e->v[i].at.family == at->at.family)
			(void)bh_addr_prev(&e->v[i].at, &hi); /* there is one: edges differ */
		if (r == 0)
			r = piece_add(s, p, at->at, hi, &active);
	}
	bh_u32s_done(&active);
	return r;
}

/* ---- what follows ---- */

static bool pieces_are(const struct bh_state *s, const struct pieces *p)
{
	if (s->n_pieces != p->n)
		return false;
	for (size_t i = 0; i < p->n; i++) {
		if (s->pieces[i].cset != p->v[i].cset ||
		    !bh_addr_eq(&s->pieces[i].lo, &p->v[i].lo) ||
		    !bh_addr_eq(&s->pieces[i].hi, &p->v[i].hi))
			return false;
	}
	return true;
}

static int addrs_move(struct bh_state *s)
{
	size_t k = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n_by_addr; i++) {
		struct bh_caddr *a = &s->addrs[s->by_addr[i]];
		uint32_t set = 0;

		while (k < s->n_pieces && bh_addr_cmp(&s->pieces[k].hi, &a->addr) < 0)
			k++;
		if (k < s->n_pieces && bh_addr_cmp(&s->pieces[k].lo, &a->addr) <= 0)
			set = s->pieces[k].cset;
		if (a->cset != set)
			r = bh_addr_dirty(s, s->by_addr[i]);
	}
	return r;
}

static int pieces_take(struct bh_state *s, struct pieces *p)
{
	struct bh_piece *old = s->pieces;
	size_t n_old = s->n_pieces;
	int r = 0;

	if (!pieces_are(s, p))
		s->changed = true;
	s->pieces = p->v;
	s->n_pieces = p->n;
	*p = (struct pieces){ .v = NULL };
	for (size_t i = 0; r == 0 && i < s->n_pieces; i++)
		r = bh_class_outside(s, s->pieces[i].cset, s->pieces[i].lo.family);
	for (size_t i = 0; r == 0 && i < n_old; i++) {
		r = bh_class_outside_drop(s, old[i].cset, old[i].lo.family);
		if (r == 0)
			r = bh_cset_put(s, old[i].cset);
	}
	free(old);
	return r < 0 ? r : addrs_move(s);
}

int bh_pieces_make(struct bh_state *s)
{
	struct edges e = { .v = NULL };
	struct pieces p = { .v = NULL };
	int r = 0;

	for (uint32_t t = 0; r == 0 && t < s->term_texts.n; t++) {
		if (bh_slot_live(&s->term_texts, t))
			r = term_edges(s, &e, t);
	}
	if (r == 0 && e.n)
		qsort(e.v, e.n, sizeof(*e.v), edge_cmp);
	if (r == 0)
		r = sweep(s, &e, &p);
	free(e.v);
	if (r == 0)
		r = pieces_take(s, &p);
	free(p.v);
	s->pieces_dirty = false;
	return r;
}
