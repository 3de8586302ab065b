/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_row.c - the rules that match a peer -> what each protocol and port gets
 *
 * Inside a row the ports are cut into single ports, pieces of ranges, the rest of each protocol, and
 * everything else. A cell that says what the look-up would find anyway is left out.
 *
 * A row knows pieces by their ports, cut by the ranges of its own rules. All ranges of all rules together cut each
 * protocol's ports into the pieces that have numbers; those are finer, and only put in when the block is made. So a
 * range that somebody else writes changes no row.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

/* ---- pieces that have numbers ---- */

struct port_edge {
	uint32_t at; /* up to 65536 */
	uint8_t l4;
	bool begins;
};

static int port_edge_cmp(const void *a, const void *b)
{
	const struct port_edge *x = a, *y = b;

	if (x->l4 != y->l4)
		return x->l4 < y->l4 ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int cut_add(struct bh_state *s, size_t *cap, uint8_t l4, uint32_t lo, uint32_t end)
{
	struct bh_port_cut cut = { .l4 = l4, .lo = (uint16_t)lo, .hi = (uint16_t)(end - 1) };
	int r = bh_grow(&s->cuts, cap, s->n_cuts, sizeof(*s->cuts));

	if (r == 0)
		s->cuts[s->n_cuts++] = cut;
	return r;
}

int bh_cuts_make(struct bh_state *s)
{
	bh_autofree struct port_edge *e = calloc(2 * s->ranges.n + 1, sizeof(*e));
	size_t n = 0, cap = 0, open = 0;
	int r = 0;

	if (!e)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->ranges.n; i++) {
		const uint32_t *key;

		if (!bh_slot_live(&s->ranges, i))
			continue;
		key = bh_slot_key(&s->ranges, i, NULL);
		e[n++] = (struct port_edge){ key[1], (uint8_t)key[0], true };
		e[n++] = (struct port_edge){ key[2] + 1, (uint8_t)key[0], false };
	}
	qsort(e, n, sizeof(*e), port_edge_cmp);
	free(s->cuts);
	s->cuts = NULL;
	s->n_cuts = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (e[i].begins)
			open++;
		else
			open--;
		/* Within a protocol ranges are all closed at its last edge. */
		if (open && e[i + 1].at != e[i].at)
			r = cut_add(s, &cap, e[i].l4, e[i].at, e[i + 1].at);
	}
	s->cuts_dirty = false;
	s->changed = true;
	return r;
}

/* ---- ports of one row ---- */

/* A numeric port entry of a rule that matches the peer. */
struct entry {
	uint8_t l4;
	uint16_t lo, hi;
	uint32_t rule; /* bit in the sigma's sets */
};

struct build {
	struct bh_state *s;
	struct bh_sigma *g;
	bool host;
	size_t words;   /* of a set */
	uint64_t *any;  /* rules that match every port of every protocol */
	uint64_t *base; /* ... and every port of the protocol at hand */
	uint64_t *set;  /* scratch */
	struct entry *entries;
	size_t n_entries, cap_entries;
	struct bh_rcell *cells;
	size_t n_cells, cap_cells;
	struct bh_u32s edges;
};

static void build_done(struct build *b)
{
	free(b->any);
	free(b->base);
	free(b->set);
	free(b->entries);
	free(b->cells);
	bh_u32s_done(&b->edges);
}

static bool every_port(const struct entry *e)
{
	return e->lo == 0 && e->hi == UINT16_MAX;
}

static bool is_range(const struct entry *e)
{
	return e->lo < e->hi && !every_port(e);
}

static int entry_add(struct build *b, uint8_t l4, uint16_t lo, uint16_t hi, uint32_t rule)
{
	int r = bh_grow(&b->entries, &b->cap_entries, b->n_entries, sizeof(*b->entries));

	if (r == 0)
		b->entries[b->n_entries++] = (struct entry){ l4, lo, hi, rule };
	return r;
}

static int named_add(struct build *b, const struct bh_cport *p, uint32_t rule,
		     const struct bh_resolved *v, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (v[i].name == p->name && (p->l4 == BH_L4_ANY || p->l4 == v[i].l4))
			r = entry_add(b, (uint8_t)v[i].l4, (uint16_t)v[i].port, (uint16_t)v[i].port,
				      rule);
	}
	return r;
}

static int rule_entries(struct build *b, uint32_t rule, const struct bh_resolved *ports,
			size_t n_ports)
{
	const struct bh_crule *cr = b->g->rules[rule];
	int r = 0;

	if (cr->no_ports && !cr->deny_all)
		return 0;
	if (cr->n_ports == 0)
		bh_set_add(b->any, rule);
	for (size_t i = 0; r == 0 && i < cr->n_ports; i++) {
		const struct bh_cport *p = &cr->ports[i];

		if (p->name != BH_NONE)
			r = named_add(b, p, rule, ports, n_ports);
		else if (p->l4 == BH_L4_ANY)
			bh_set_add(b->any, rule);
		else
			r = entry_add(b, p->l4, p->lo, p->hi, rule);
	}
	return r;
}

static int entry_cmp(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->l4 != y->l4)
		return x->l4 < y->l4 ? -1 : 1;
	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return (x->hi > y->hi) - (x->hi < y->hi);
}

static int cell_add(struct build *b, uint8_t l4, uint16_t lo, uint16_t hi, uint32_t word)
{
	int r = bh_grow(&b->cells, &b->cap_cells, b->n_cells, sizeof(*b->cells));

	if (r == 0)
		b->cells[b->n_cells++] =
		    (struct bh_rcell){ .lo = lo, .hi = hi, .l4 = l4, .word = word };
	return r;
}

/* Word for ports of the entries @e (of one protocol): those that cover lo..hi, and the base. */
static int word_at(struct build *b, const struct entry *e, size_t n, uint16_t lo, uint16_t hi,
		   uint32_t *ret)
{
	memcpy(b->set, b->base, b->words * sizeof(*b->set));
	for (size_t i = 0; i < n; i++) {
		if (e[i].lo <= lo && hi <= e[i].hi)
			bh_set_add(b->set, e[i].rule);
	}
	return bh_word_for(b->s, b->g, b->set, b->host, ret);
}

static int edges_of(struct build *b, const struct entry *e, size_t n)
{
	int r = 0;

	b->edges.n = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!is_range(&e[i]))
			continue;
		r = bh_u32s_add(&b->edges, e[i].lo);
		if (r == 0)
			r = bh_u32s_add(&b->edges, (uint32_t)e[i].hi + 1);
	}
	bh_u32s_sort(&b->edges);
	return r;
}

static bool in_range(const struct entry *e, size_t n, uint32_t port)
{
	for (size_t i = 0; i < n; i++) {
		if (is_range(&e[i]) && e[i].lo <= port && port <= e[i].hi)
			return true;
	}
	return false;
}

static int segments_of(struct build *b, const struct entry *e, size_t n, uint32_t word_l4)
{
	size_t first = b->n_cells;
	int r = edges_of(b, e, n);

	for (size_t i = 0; r == 0 && i + 1 < b->edges.n; i++) {
		uint16_t lo = (uint16_t)b->edges.v[i], hi = (uint16_t)(b->edges.v[i + 1] - 1);
		struct bh_rcell *last = b->n_cells > first ? &b->cells[b->n_cells - 1] : NULL;
		uint32_t w;

		if (!in_range(e, n, lo))
			continue;
		r = word_at(b, e, n, lo, hi, &w);
		if (r < 0 || w == word_l4)
			continue;
		if (last && last->word == w && (uint32_t)last->hi + 1 == lo)
			last->hi = hi;
		else
			r = cell_add(b, e->l4, lo, hi, w);
	}
	return r;
}

/* What a look-up of @port finds if it has no cell of its own. */
static uint32_t fallback_of(const struct build *b, size_t first, size_t end, uint16_t port,
			    uint32_t word_l4)
{
	for (size_t i = first; i < end; i++) {
		if (b->cells[i].lo <= port && port <= b->cells[i].hi)
			return b->cells[i].word;
	}
	return word_l4;
}

static int singles_of(struct build *b, const struct entry *e, size_t n, size_t first,
		      uint32_t word_l4)
{
	size_t end = b->n_cells;
	uint32_t last = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		uint32_t w;

		if (e[i].lo != e[i].hi || e[i].lo == last || e[i].lo == 0)
			continue;
		last = e[i].lo;
		r = word_at(b, e, n, e[i].lo, e[i].lo, &w);
		if (r == 0 && w != fallback_of(b, first, end, e[i].lo, word_l4))
			r = cell_add(b, e[i].l4, e[i].lo, e[i].lo, w);
	}
	return r;
}

/* All cells of one protocol. @word_any: what everything else gets. */
static int protocol_cells(struct build *b, const struct entry *e, size_t n, uint32_t word_any)
{
	size_t first;
	uint32_t word_l4;
	int r;

	memcpy(b->base, b->any, b->words * sizeof(*b->base));
	for (size_t i = 0; i < n; i++) {
		if (every_port(&e[i]))
			bh_set_add(b->base, e[i].rule);
	}
	r = bh_word_for(b->s, b->g, b->base, b->host, &word_l4);
	if (r == 0 && word_l4 != word_any)
		r = cell_add(b, e->l4, 0, UINT16_MAX, word_l4);
	first = b->n_cells;
	if (r == 0)
		r = segments_of(b, e, n, word_l4);
	if (r == 0)
		r = singles_of(b, e, n, first, word_l4);
	return r;
}

/* As they will stand in the block: every port, single ports, pieces. */
static unsigned rank(const struct bh_rcell *c)
{
	if (c->lo == 0 && c->hi == UINT16_MAX)
		return 0;
	return c->lo == c->hi ? 1 : 2;
}

static int rcell_cmp(const void *a, const void *b)
{
	const struct bh_rcell *x = a, *y = b;

	if (x->l4 != y->l4)
		return x->l4 < y->l4 ? -1 : 1;
	if (rank(x) != rank(y))
		return rank(x) < rank(y) ? -1 : 1;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

static int cells_make(struct build *b)
{
	uint32_t word_any;
	int r = bh_word_for(b->s, b->g, b->any, b->host, &word_any);

	if (r == 0)
		r = cell_add(b, BH_L4_ANY, 0, UINT16_MAX, word_any);
	if (b->n_entries)
		qsort(b->entries, b->n_entries, sizeof(*b->entries), entry_cmp);
	for (size_t i = 0, n; r == 0 && i < b->n_entries; i += n) {
		for (n = 1; i + n < b->n_entries && b->entries[i + n].l4 == b->entries[i].l4;)
			n++;
		r = protocol_cells(b, &b->entries[i], n, word_any);
	}
	if (r == 0)
		qsort(b->cells, b->n_cells, sizeof(*b->cells), rcell_cmp);
	return r;
}

int bh_row_make(struct bh_state *s, struct bh_sigma *g, const uint64_t *match,
		const struct bh_resolved *ports, size_t n_ports, bool host, uint32_t *ret)
{
	size_t words = bh_set_words(g->n_rules);
	bh_cleanup(build_done) struct build b = {
		.s = s,
		.g = g,
		.host = host,
		.words = words,
		.any = calloc(words + 1, sizeof(uint64_t)),
		.base = calloc(words + 1, sizeof(uint64_t)),
		.set = calloc(words + 1, sizeof(uint64_t)),
	};
	bool fresh;
	int r = 0;

	if (!b.any || !b.base || !b.set)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < g->n_rules; i++) {
		if (bh_set_has(match, i))
			r = rule_entries(&b, i, ports, n_ports);
	}
	if (r == 0)
		r = cells_make(&b);
	return r < 0
		   ? r
		   : bh_slot_get(&s->row_keys, b.cells, b.n_cells * sizeof(*b.cells), ret, &fresh);
}
