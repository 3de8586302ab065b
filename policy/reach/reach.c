// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/reach/reach.c - who reaches whom, read from the cells
 */
#include "policy/reach.h"

#include "common/limits.h"
#include "common/util.h"
#include "policy/compile/compile_number.h"
#include "policy/ruleset/ruleset_block.h"

#include <string.h>

#include "common/banned.h"

/* What one row (or the lack of one) says: an interned array of these, the last for every other protocol. */
struct seg {
	uint32_t l4, lo, hi, word;
};

struct pieces {
	struct bh_reach_piece *items;
	size_t n;
};

struct bh_reach {
	const struct bh_ruleset *rs;
	struct bh_meanings *m;
	unsigned source;
	struct bh_intern shapes;
	uint32_t *row_shapes;   /* of each row; BH_RS_NONE: not made yet */
	uint32_t free, closed;  /* shapes of no row: no policy; refused */
	struct bh_intern asked; /* pairs of shapes */
	struct pieces *answers; /* at the same indexes */
	size_t n_answers, cap_answers, n_pieces;
};

static int shape_of_word(struct bh_reach *r, uint32_t word, uint32_t *ret)
{
	const struct seg s = { .l4 = BH_L4_ANY, .hi = BH_REACH_LAST_PORT, .word = word };

	return bh_intern(&r->shapes, &s, sizeof(s), ret);
}

int bh_reach_new(const struct bh_ruleset *rs, struct bh_meanings *m, unsigned source,
		 struct bh_reach **ret)
{
	bh_cleanup(bh_reach_freep) struct bh_reach *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	*r = (struct bh_reach){ .rs = rs, .m = m, .source = source };
	r->row_shapes = calloc(rs->n_rows + 1, sizeof(*r->row_shapes));
	if (!r->row_shapes)
		return -ENOMEM;
	for (size_t i = 0; i < rs->n_rows; i++)
		r->row_shapes[i] = BH_RS_NONE;
	err = shape_of_word(r, 0, &r->free);
	if (err == 0)
		err = shape_of_word(r, BH_WORD_DROP, &r->closed);
	if (err == 0)
		*ret = bh_take_ptr(&r);
	return err;
}

struct bh_reach *bh_reach_free(struct bh_reach *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n_answers; i++)
		free(r->answers[i].items);
	free(r->answers);
	free(r->row_shapes);
	bh_intern_done(&r->shapes);
	bh_intern_done(&r->asked);
	free(r);
	return NULL;
}

const struct bh_ruleset *bh_reach_rules(const struct bh_reach *r)
{
	return r->rs;
}

struct bh_meanings *bh_reach_meanings(const struct bh_reach *r)
{
	return r->m;
}

/* ---- rows ---- */

uint32_t bh_reach_first_port(uint32_t l4)
{
	return l4 == BH_L4_TCP || l4 == BH_L4_UDP || l4 == BH_L4_SCTP;
}

static void cell_range(const struct bh_ruleset *rs, const struct bh_cell *c, uint32_t *lo,
		       uint32_t *hi)
{
	const struct bh_port_piece *p = NULL;

	*lo = bh_reach_first_port(c->l4);
	*hi = BH_REACH_LAST_PORT;
	if (c->port == BH_PORT_ANY)
		return;
	if (c->port >= BH_PORT_PIECE_BASE)
		p = bh_rs_piece_by_id(rs, c->port);
	if (c->port < BH_PORT_PIECE_BASE || p) {
		*lo = p ? p->lo : c->port;
		*hi = p ? p->hi : c->port;
	}
}

static void seg_add(struct bh_buf *segs, const struct seg *s)
{
	struct seg *last =
	    segs->len > 0 ? (struct seg *)(void *)(segs->data + segs->len) - 1 : NULL;

	if (last && last->l4 == s->l4 && last->word == s->word && last->hi + 1 == s->lo)
		last->hi = s->hi;
	else
		bh_buf_add(segs, s, sizeof(*s));
}

/* One protocol: @n cells, @cuts the places where something begins. */
static void row_l4(struct bh_reach *r, const struct bh_rs_row *row, uint32_t l4,
		   struct bh_u32s *cuts, uint32_t other, struct bh_buf *segs)
{
	size_t begin = segs->len;

	bh_u32s_sort(cuts);
	for (size_t i = 0; i < cuts->n && cuts->v[i] <= BH_REACH_LAST_PORT; i++) {
		uint32_t hi = i + 1 < cuts->n ? cuts->v[i + 1] - 1 : BH_REACH_LAST_PORT;

		seg_add(segs,
			&(struct seg){
			    .l4 = l4,
			    .lo = cuts->v[i],
			    .hi = BH_MIN(hi, BH_REACH_LAST_PORT),
			    .word = bh_ruleset_lookup(r->rs, (enum bh_dir)row->dir, row->subject,
						      row->peer, (uint8_t)l4, (uint16_t)cuts->v[i]),
			});
	}
	/* All of it as every other protocol: nothing to say. */
	if (segs->len == begin + sizeof(struct seg) &&
	    ((const struct seg *)(void *)(segs->data + begin))->word == other)
		segs->len = begin;
}

static int row_shape_make(struct bh_reach *r, const struct bh_rs_row *row, uint32_t *ret)
{
	const struct bh_cell *cells = &r->rs->cells[row->first];
	bh_cleanup(bh_buf_done) struct bh_buf segs = BH_BUF_INIT;
	const struct seg other = {
		.hi = BH_REACH_LAST_PORT,
		.word = bh_ruleset_lookup(r->rs, (enum bh_dir)row->dir, row->subject, row->peer,
					  BH_L4_ANY, 0),
	};
	struct bh_u32s cuts = { .v = NULL };
	int err = 0;

	for (uint32_t i = 0, end; i < row->n && err == 0; i = end) {
		cuts.n = 0;
		for (end = i; end < row->n && cells[end].l4 == cells[i].l4 && err == 0; end++) {
			uint32_t lo, hi;

			cell_range(r->rs, &cells[end], &lo, &hi);
			err = bh_u32s_add(&cuts, lo);
			if (err == 0)
				err = bh_u32s_add(&cuts, hi + 1);
		}
		if (err == 0)
			err = bh_u32s_add(&cuts, bh_reach_first_port(cells[i].l4));
		if (err == 0 && cells[i].l4 != BH_L4_ANY)
			row_l4(r, row, cells[i].l4, &cuts, other.word, &segs);
	}
	bh_u32s_done(&cuts);
	bh_buf_add(&segs, &other, sizeof(other));
	if (err == 0 && bh_buf_failed(&segs))
		err = -ENOMEM;
	return err < 0 ? err : bh_intern(&r->shapes, segs.data, segs.len, ret);
}

static int row_shape(struct bh_reach *r, const struct bh_rs_row *row, uint32_t *ret)
{
	uint32_t *at = &r->row_shapes[row - r->rs->rows];
	int err = 0;

	if (*at == BH_RS_NONE)
		err = row_shape_make(r, row, at);
	*ret = *at;
	return err;
}

/* The row that the evaluator would enter (bh_ruleset_lookup()), or what it says without one. */
static int side_shape(struct bh_reach *r, enum bh_dir dir, uint32_t subject, uint32_t peer,
		      uint32_t *ret)
{
	const struct bh_rs_row *row;

	if (!(subject & BH_CLASS_ENDPOINT)) {
		*ret = r->free;
		return 0;
	}
	row = bh_rs_row_find(r->rs, (uint32_t)dir, subject, peer);
	if (!row && (peer & BH_CLASS_ENDPOINT))
		row = bh_rs_row_find(r->rs, (uint32_t)dir, subject, BH_PEER_ANY_ENDPOINT);
	if (!row)
		row = bh_rs_row_find(r->rs, (uint32_t)dir, subject, BH_PEER_ANY);
	if (row)
		return row_shape(r, row, ret);
	*ret =
	    bh_ruleset_lookup(r->rs, dir, subject, peer, BH_L4_ANY, 0) == 0 ? r->free : r->closed;
	return 0;
}

/* ---- pairs ---- */

struct walk {
	const struct seg *segs;
	size_t n, i;
};

static struct walk walk_begin(const struct bh_reach *r, uint32_t shape)
{
	struct walk w = { .n = 0 };

	w.segs = bh_intern_key(&r->shapes, shape, &w.n);
	w.n /= sizeof(*w.segs);
	return w;
}

/* The word at a place, and where it ends; @w stands at or before it. */
static uint32_t walk_word(struct walk *w, uint32_t l4, uint32_t port, uint32_t *end)
{
	while (w->i + 1 < w->n &&
	       (w->segs[w->i].l4 < l4 || (w->segs[w->i].l4 == l4 && w->segs[w->i].hi < port)))
		w->i++;
	if (w->i + 1 == w->n || w->segs[w->i].l4 != l4)
		return w->segs[w->n - 1].word;
	*end = BH_MIN(*end, w->segs[w->i].hi);
	return w->segs[w->i].word;
}

/* The next protocol that either side names; 0: none. */
static uint32_t walk_l4(const struct walk *w, uint32_t after)
{
	for (size_t i = w->i; i + 1 < w->n; i++) {
		if (w->segs[i].l4 > after)
			return w->segs[i].l4;
	}
	return 0;
}

/* Nothing is spoken over it that rules could name. "Every other protocol" may be one that speaks. */
static bool is_mute(uint32_t l4)
{
	return l4 == BH_L4_ICMP || l4 == BH_L4_ICMPV6;
}

static int piece_add(struct bh_reach *r, struct bh_buf *list, struct bh_reach_piece p,
		     struct bh_err *err)
{
	struct bh_reach_piece *last =
	    list->len > 0 ? (struct bh_reach_piece *)(void *)(list->data + list->len) - 1 : NULL;
	int e;

	if (last && last->l4 == p.l4 && last->words.egress == p.words.egress &&
	    last->words.ingress == p.words.ingress) {
		last->hi = p.hi;
		return 0;
	}
	if (++r->n_pieces > BH_REACH_PIECES_MAX)
		return bh_err_set(
		    err, -E2BIG,
		    "the ranges of ports fall into more than %u pieces; ask for fewer "
		    "endpoints",
		    BH_REACH_PIECES_MAX);
	e = bh_meaning_of(r->m, r->source, &p.words, is_mute(p.l4), &p.meaning, err);
	if (e == 0)
		bh_buf_add(list, &p, sizeof(p));
	return e;
}

static int answer_make(struct bh_reach *r, const uint32_t shapes[2], struct bh_buf *list,
		       struct bh_err *err)
{
	struct walk e = walk_begin(r, shapes[0]), i = walk_begin(r, shapes[1]);
	struct bh_reach_piece other = {
		.hi = BH_REACH_LAST_PORT,
		.words = { e.segs[e.n - 1].word, i.segs[i.n - 1].word },
	};
	uint32_t l4 = 0;
	int x = 0;

	for (;;) {
		uint32_t a = walk_l4(&e, l4), b = walk_l4(&i, l4), end;

		l4 = a == 0 ? b : b == 0 ? a : BH_MIN(a, b);
		if (l4 == 0)
			break;
		for (uint32_t port = bh_reach_first_port(l4); port <= BH_REACH_LAST_PORT && x == 0;
		     port = end + 1) {
			struct bh_reach_piece p = { .l4 = l4, .lo = port };

			end = BH_REACH_LAST_PORT;
			p.words.egress = walk_word(&e, l4, port, &end);
			p.words.ingress = walk_word(&i, l4, port, &end);
			p.hi = end;
			x = piece_add(r, list, p, err);
		}
		if (x < 0)
			return x;
	}
	return piece_add(r, list, other, err);
}

static int answer_keep(struct bh_reach *r, const uint32_t shapes[2], struct bh_buf *list,
		       uint32_t *ret)
{
	int x;

	if (r->n_answers == r->cap_answers) {
		size_t cap = r->cap_answers ? r->cap_answers * 2 : 64;
		struct pieces *more = reallocarray(r->answers, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		r->answers = more;
		r->cap_answers = cap;
	}
	x = bh_intern(&r->asked, shapes, 2 * sizeof(*shapes), ret);
	if (x < 0)
		return x;
	r->answers[r->n_answers].n = list->len / sizeof(struct bh_reach_piece);
	r->answers[r->n_answers++].items = (struct bh_reach_piece *)(void *)bh_buf_take(list);
	return 0;
}

int bh_reach_pair(struct bh_reach *r, uint32_t from, uint32_t to, struct bh_reach_list *ret,
		  struct bh_err *err)
{
	bh_cleanup(bh_buf_done) struct bh_buf list = BH_BUF_INIT;
	uint32_t shapes[2], i;
	int x = side_shape(r, BH_DIR_EGRESS, from, to, &shapes[0]);

	if (x == 0)
		x = side_shape(r, BH_DIR_INGRESS, to, from, &shapes[1]);
	if (x < 0)
		return bh_err_set(err, x, "out of memory");
	if (!bh_intern_find(&r->asked, shapes, sizeof(shapes), &i)) {
		x = answer_make(r, shapes, &list, err);
		if (x < 0)
			return x;
		x = bh_buf_failed(&list) ? -ENOMEM : answer_keep(r, shapes, &list, &i);
		if (x < 0)
			return bh_err_set(err, x, "out of memory");
	}
	*ret = bh_reach_list_at(r, i);
	return 0;
}

struct bh_reach_list bh_reach_list_at(const struct bh_reach *r, uint32_t number)
{
	const struct pieces *p = &r->answers[number];

	return (struct bh_reach_list){ p->items, p->n, number };
}

size_t bh_reach_alike(const struct bh_reach_list *l, size_t i)
{
	size_t j = i + 1;

	while (j < l->n && l->items[j].l4 == l->items[i].l4 &&
	       l->items[j].meaning == l->items[i].meaning)
		j++;
	return j;
}
