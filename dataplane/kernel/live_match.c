// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/live_match.c - a projection made elsewhere, in the numbers that the kernel has
 *
 * Numbers of classes, pieces, contracts and reasons are given as they come: whoever compiles the same policies anew has
 * others. But what they stand for can be found: a class by the addresses and ranges that have it, a piece by its ports, a
 * contract by what becomes of each protocol. What has no counterpart gets a number that the kernel cannot have, and shows
 * up as a difference. Reasons are not compared: what happens is, not why.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/live_internal.h"
#include "dataplane/kernel/projection_key.h"

#include "common/banned.h"

struct pair {
	uint32_t from, to;
};

struct pairs {
	struct pair *v;
	size_t n;
	uint32_t strangers;
};

static const struct bh_projection *of_family(const struct bh_projection is[2],
					     const struct bh_kelem *e)
{
	return &is[e->family == 4 ? 0 : 1];
}

static int cmp_elem(const void *a, const void *b)
{
	return bh_kelem_cmp(a, b);
}

static const struct bh_kelem *find(const struct bh_projection is[2], const struct bh_kelem *e)
{
	const struct bh_projection *p = of_family(is, e);

	return p->n > 0 ? bsearch(e, p->elems, p->n, sizeof(*e), cmp_elem) : NULL;
}

static int cmp_pair(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

/* What the elements of @first .. @last stand for on both sides; the lowest number where there are several. */
static int learn(struct pairs *m, const struct bh_projection *should,
		 const struct bh_projection is[2], enum bh_kset first, enum bh_kset last)
{
	m->v = calloc(should->n + 1, sizeof(*m->v));
	if (!m->v)
		return -ENOMEM;
	for (size_t i = 0; i < should->n; i++) {
		const struct bh_kelem *e = &should->elems[i], *k;

		k = e->set >= first && e->set <= last ? find(is, e) : NULL;
		if (k)
			m->v[m->n++] = (struct pair){ e->data, k->data };
	}
	qsort(m->v, m->n, sizeof(*m->v), cmp_pair);
	return 0;
}

static const struct pair *lookup(const struct pairs *m, uint32_t from)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->v[mid].from < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->n && m->v[lo].from == from ? &m->v[lo] : NULL;
}

static uint32_t class_of(const struct pairs *m, uint32_t cls)
{
	const struct pair *p;

	if (cls == BH_PEER_ANY || cls == BH_PEER_ANY_ENDPOINT || cls == BH_CLASS_WORLD ||
	    cls == BH_CLASS_HOST)
		return cls;
	p = lookup(m, cls);
	/* Numbers are given from 1 on: nobody has come to these. */
	return p ? p->to : cls | 0x40000000U;
}

static void put_word(struct bh_kelem *e, unsigned i, uint32_t word)
{
	memcpy(&e->key[i * sizeof(word)], &word, sizeof(word));
}

static void renumber(struct bh_kelem *e, const struct pairs *classes, const struct pairs *pieces)
{
	const struct pair *piece;

	if (e->set == BH_KSET_PEER || e->set == BH_KSET_SUBJ_IN || e->set == BH_KSET_SUBJ_EG ||
	    e->set == BH_KSET_CIDR)
		e->data = class_of(classes, e->data);
	if (e->set >= BH_KSET_PORT_TCP && e->set <= BH_KSET_PORT_ICMP) {
		piece = lookup(pieces, e->data);
		e->data = piece ? piece->to : e->data;
	}
	if (e->set != BH_KSET_CELL)
		return;
	put_word(e, 1, class_of(classes, bh_key_word(e->key, 1)));
	put_word(e, 2, class_of(classes, bh_key_word(e->key, 2)));
	if (bh_key_port(e->key) < BH_PORT_PIECE_BASE)
		return;
	piece = lookup(pieces, bh_key_word(e->key, 3));
	if (piece)
		put_word(e, 3, piece->to);
}

/* ---- contracts ---- */

/* The first result of a contract in @p, sorted; @n: how many there are. */
static const struct bh_kelem *results(const struct bh_projection *p, uint8_t family,
				      uint32_t number, size_t *ret_n)
{
	struct bh_kelem first = { .set = BH_KSET_RESULT, .family = family, .key_len = 12 };
	size_t lo = 0, hi = p->n, n = 0;

	put_word(&first, 1, number);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_kelem_cmp(&p->elems[mid], &first) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo + n < p->n && p->elems[lo + n].set == BH_KSET_RESULT &&
	       p->elems[lo + n].family == family && bh_key_word(p->elems[lo + n].key, 1) == number)
		n++;
	*ret_n = n;
	return &p->elems[lo];
}

#define WHAT (BH_WORD_VERDICT | BH_WORD_REPORT | BH_WORD_OPEN)

static bool same_words(uint32_t a, uint32_t b)
{
	return (a & WHAT) == (b & WHAT);
}

/* The same becomes of every protocol. */
static bool same_contract(const struct bh_projection *should, const struct bh_kelem *s,
			  const struct bh_projection *is, const struct bh_kelem *k)
{
	const struct bh_kelem *a, *b;
	size_t n, m;

	a = results(should, s->family, bh_word_number(s->data), &n);
	b = results(is, k->family, bh_word_number(k->data), &m);
	if (n != m)
		return false;
	for (size_t i = 0; i < n; i++)
		if (bh_key_word(a[i].key, 2) != bh_key_word(b[i].key, 2) ||
		    !same_words(a[i].data, b[i].data))
			return false;
	return true;
}

static uint32_t last_contract(const struct bh_projection is[2])
{
	uint32_t last = 0;

	for (unsigned f = 0; f < 2; f++)
		for (size_t i = 0; i < is[f].n; i++)
			if (is[f].elems[i].set == BH_KSET_RESULT)
				last = BH_MAX(last, bh_key_word(is[f].elems[i].key, 1));
	return BH_MIN(last, BH_WORD_NUMBER / 2);
}

/* Where the kernel says the same in other numbers, its numbers. */
static void take_words(struct bh_projection *should, const struct bh_projection is[2])
{
	uint32_t last = last_contract(is);

	for (size_t i = 0; i < should->n; i++) {
		struct bh_kelem *s = &should->elems[i];
		const struct bh_kelem *k = s->set == BH_KSET_CELL ? find(is, s) : NULL;
		bool contract = bh_word_verdict(s->data) == BH_WORD_CONTRACT;

		if (k && same_words(s->data, k->data) &&
		    (!contract || same_contract(should, s, of_family(is, s), k)))
			s->data = k->data;
		else if (s->set == BH_KSET_CELL && contract)
			s->data += last; /* the kernel's of this number is another */
	}
}

int bh_live_match(struct bh_projection *should, const struct bh_projection is[2])
{
	struct pairs classes = { .v = NULL }, pieces = { .v = NULL };
	size_t n = 0;
	int r;

	r = learn(&classes, should, is, BH_KSET_PEER, BH_KSET_CIDR);
	if (r == 0)
		r = learn(&pieces, should, is, BH_KSET_PORT_TCP, BH_KSET_PORT_ICMP);
	for (size_t i = 0; r == 0 && i < should->n; i++)
		renumber(&should->elems[i], &classes, &pieces);
	free(classes.v);
	free(pieces.v);
	if (r < 0)
		return r;
	if (should->n > 0)
		qsort(should->elems, should->n, sizeof(*should->elems), cmp_elem);
	take_words(should, is);
	/* Contracts were compared where they are referred to. */
	for (size_t i = 0; i < should->n; i++)
		if (should->elems[i].set != BH_KSET_RESULT)
			should->elems[n++] = should->elems[i];
	should->n = n;
	return 0;
}
