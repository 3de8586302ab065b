// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/reach/change.c - what two rule sets of the same endpoints differ in
 */
#include "policy/change.h"

#include "common/limits.h"
#include "common/util.h"
#include "policy/reach/change_internal.h"

#include "common/banned.h"

int bh_changes_new(struct bh_reach *was, struct bh_reach *is, struct bh_changes **ret)
{
	struct bh_changes *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->was = was;
	c->is = is;
	*ret = c;
	return 0;
}

struct bh_changes *bh_changes_free(struct bh_changes *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n; i++)
		free(c->lists[i].items);
	free(c->lists);
	bh_intern_done(&c->asked);
	bh_intern_done(&c->words);
	free(c);
	return NULL;
}

/* ---- two lists side by side ---- */

struct walk {
	const struct bh_reach_list *l;
	size_t i;
};

/* The piece that holds a port; *end: where it ends, if that is nearer. @w stands at or before it. */
static const struct bh_reach_piece *walk_piece(struct walk *w, uint32_t l4, uint32_t port,
					       uint32_t *end)
{
	const struct bh_reach_piece *p = w->l->items, *last = &p[w->l->n - 1];

	while (&p[w->i] != last && (p[w->i].l4 < l4 || (p[w->i].l4 == l4 && p[w->i].hi < port)))
		w->i++;
	if (&p[w->i] == last || p[w->i].l4 != l4)
		return last;
	*end = BH_MIN(*end, p[w->i].hi);
	return &p[w->i];
}

/* The next protocol that is named; 0: none. */
static uint32_t walk_l4(const struct walk *w, uint32_t after)
{
	for (size_t i = w->i; i + 1 < w->l->n; i++) {
		if (w->l->items[i].l4 > after)
			return w->l->items[i].l4;
	}
	return 0;
}

static struct bh_change_piece piece_of(uint32_t l4, uint32_t lo, uint32_t hi,
				       const struct bh_reach_piece *was,
				       const struct bh_reach_piece *is)
{
	return (struct bh_change_piece){
		.l4 = l4,
		.lo = lo,
		.hi = hi,
		.was = { was->words, was->meaning },
		.is = { is->words, is->meaning },
	};
}

/* One protocol. Left out where all of it is as every other protocol. */
static void compare_l4(struct walk *a, struct walk *b, uint32_t l4, struct bh_buf *out)
{
	const struct bh_reach_piece *was = &a->l->items[a->l->n - 1];
	const struct bh_reach_piece *is = &b->l->items[b->l->n - 1];
	const size_t begin = out->len;
	bool other = false;
	uint32_t end;

	for (uint32_t port = bh_reach_first_port(l4); port <= BH_REACH_LAST_PORT; port = end + 1) {
		const struct bh_reach_piece *x, *y;
		struct bh_change_piece p;

		end = BH_REACH_LAST_PORT;
		x = walk_piece(a, l4, port, &end);
		y = walk_piece(b, l4, port, &end);
		p = piece_of(l4, port, end, x, y);
		other |= x->meaning != was->meaning || y->meaning != is->meaning;
		bh_buf_add(out, &p, sizeof(p));
	}
	if (!other)
		out->len = begin;
}

static void compare(const struct bh_reach_list *was, const struct bh_reach_list *is,
		    struct bh_buf *out)
{
	struct walk a = { .l = was }, b = { .l = is };
	struct bh_change_piece other = piece_of(BH_L4_ANY, 0, BH_REACH_LAST_PORT,
						&was->items[was->n - 1], &is->items[is->n - 1]);
	uint32_t l4 = 0;

	for (;;) {
		uint32_t x = walk_l4(&a, l4), y = walk_l4(&b, l4);

		l4 = x == 0 ? y : y == 0 ? x : BH_MIN(x, y);
		if (l4 == 0)
			break;
		compare_l4(&a, &b, l4, out);
	}
	bh_buf_add(out, &other, sizeof(other));
}

static int keep(struct bh_changes *c, const uint32_t key[2], struct bh_buf *out, uint32_t *ret)
{
	struct bh_change_kept *l;
	int r;

	if (bh_buf_failed(out))
		return -ENOMEM;
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;

		l = reallocarray(c->lists, cap, sizeof(*l));
		if (!l)
			return -ENOMEM;
		c->lists = l;
		c->cap = cap;
	}
	r = bh_intern(&c->asked, key, 2 * sizeof(*key), ret);
	if (r < 0)
		return r;
	l = &c->lists[c->n++];
	*l = (struct bh_change_kept){ .n = out->len / sizeof(*l->items), .words = UINT32_MAX };
	l->items = (struct bh_change_piece *)(void *)bh_buf_take(out);
	for (size_t i = 0; i < l->n; i++)
		l->differs |= bh_change_differs(&l->items[i]);
	return 0;
}

int bh_changes_pair(struct bh_changes *c, const uint32_t from[2], const uint32_t to[2],
		    struct bh_change_list *ret, struct bh_err *err)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	struct bh_reach_list was, is;
	uint32_t key[2], i;
	int r = bh_reach_pair(c->was, from[0], to[0], &was, err);

	if (r == 0)
		r = bh_reach_pair(c->is, from[1], to[1], &is, err);
	if (r < 0)
		return r;
	key[0] = was.number;
	key[1] = is.number;
	if (!bh_intern_find(&c->asked, key, sizeof(key), &i)) {
		c->n_pieces += was.n + is.n;
		if (c->n_pieces > BH_REACH_PIECES_MAX)
			return bh_err_set(err, -E2BIG,
					  "the ranges of ports fall into more than %u pieces",
					  BH_REACH_PIECES_MAX);
		compare(&was, &is, &out);
		r = keep(c, key, &out, &i);
		if (r < 0)
			return bh_err_set(err, r, "out of memory");
	}
	*ret = bh_changes_list(c, i);
	return 0;
}

struct bh_change_list bh_changes_list(const struct bh_changes *c, uint32_t number)
{
	const struct bh_change_kept *l = &c->lists[number];

	return (struct bh_change_list){ l->items, l->n, l->differs, number };
}
