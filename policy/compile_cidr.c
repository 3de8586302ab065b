/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile_cidr.c - ipBlocks -> disjoint pieces of the address space
 *
 * Each ipBlock is its cidr less its own exceptions: some intervals. A sweep over the ends of all intervals
 * of a family gives the pieces; a piece knows every block that covers it. Pieces that no block covers are
 * "world" and not kept.
 */
#include "common/util.h"
#include "policy/compile_internal.h"

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

static struct bh_addr last_of(uint8_t family)
{
	struct bh_addr a = { .family = family };

	memset(a.bytes, 0xff, family == 4 ? 4 : 16);
	return a;
}

static int piece_add(struct bh_run *run, size_t *cap, struct bh_addr lo, struct bh_addr hi,
		     const struct bh_u32s *active)
{
	struct bh_piece *prev = run->n_pieces ? &run->pieces[run->n_pieces - 1] : NULL;
	struct bh_addr after;
	uint32_t set;
	int r;

	if (active->n == 0)
		return 0;
	r = bh_intern(&run->cidr_sets, active->v, active->n * sizeof(*active->v), &set);
	if (r < 0)
		return r;
	if (prev && prev->cidrs == set && bh_addr_next(&prev->hi, &after) &&
	    bh_addr_eq(&after, &lo)) {
		prev->hi = hi;
		return 0;
	}
	r = bh_grow(&run->pieces, cap, run->n_pieces, sizeof(*run->pieces));
	if (r == 0)
		run->pieces[run->n_pieces++] =
		    (struct bh_piece){ .lo = lo, .hi = hi, .cidrs = set };
	return r;
}

static int active_apply(struct bh_u32s *active, const struct edge *e)
{
	size_t i = 0;
	int r;

	while (i < active->n && active->v[i] < e->term)
		i++;
	if (!e->begins) {
		memmove(active->v + i, active->v + i + 1, (active->n - i - 1) * sizeof(*active->v));
		active->n--;
		return 0;
	}
	r = bh_u32s_add(active, e->term);
	if (r < 0)
		return r;
	memmove(active->v + i + 1, active->v + i, (active->n - 1 - i) * sizeof(*active->v));
	active->v[i] = e->term;
	return 0;
}

static int sweep(struct bh_run *run, const struct edges *e)
{
	struct bh_u32s active = { .v = NULL };
	size_t cap = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < e->n;) {
		const struct edge *at = &e->v[i];
		struct bh_addr hi = last_of(at->at.family);

		if (i && e->v[i - 1].at.family != at->at.family)
			active.n = 0;
		for (; r == 0 && i < e->n && bh_addr_eq(&e->v[i].at, &at->at); i++)
			r = active_apply(&active, &e->v[i]);
		if (i < e->n && e->v[i].at.family == at->at.family)
			(void)bh_addr_prev(&e->v[i].at, &hi); /* there is one: edges differ */
		if (r == 0)
			r = piece_add(run, &cap, at->at, hi, &active);
	}
	bh_u32s_done(&active);
	return r;
}

int bh_phase_cidr(struct bh_run *run)
{
	struct edges e = { .v = NULL };
	uint32_t empty;
	int r = bh_intern(&run->cidr_sets, NULL, 0, &empty);

	for (uint32_t t = 0; r == 0 && t < run->term_texts.n; t++) {
		if (run->terms[t].kind == BH_TERM_BLOCK)
			r = block_add(&e, run->terms[t].block, t);
	}
	if (r == 0 && e.n)
		qsort(e.v, e.n, sizeof(*e.v), edge_cmp);
	if (r == 0)
		r = sweep(run, &e);
	free(e.v);
	return r;
}

uint32_t bh_cidr_set_of(const struct bh_run *run, const struct bh_addr *a)
{
	size_t lo = 0, hi = run->n_pieces;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&run->pieces[mid].hi, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < run->n_pieces && bh_addr_cmp(&run->pieces[lo].lo, a) <= 0)
		return run->pieces[lo].cidrs;
	return 0;
}
