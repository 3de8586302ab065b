/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile_row.c - subjects x peers -> rows
 *
 * Subjects for which the same policies hold in a direction share a "sigma". For each sigma the peers are
 * looked at that some rule names: only their rows can differ from what every address, or every endpoint,
 * gets. Peers for which the same rules match share a row, and a row that equals the one a look-up would
 * fall back to is left out.
 *
 * Inside a row the ports are cut into single ports, pieces of ranges, the rest of each protocol, and
 * everything else. A cell that says what the look-up would find anyway is left out too.
 */
#include "common/util.h"
#include "policy/compile_internal.h"

#include <string.h>

#include "common/banned.h"

/* ---- ports of one row ---- */

/* A numeric port entry of a rule that matches the peer. */
struct entry {
	uint8_t l4;
	uint16_t lo, hi;
	uint32_t rule; /* bit in the sigma's sets */
};

struct row_build {
	struct bh_run *run;
	struct bh_sigma *s;
	size_t words;   /* of a set */
	uint64_t *any;  /* rules that match every port of every protocol */
	uint64_t *base; /* ... and every port of the protocol at hand */
	uint64_t *set;  /* scratch */
	struct entry *entries;
	size_t n_entries, cap_entries;
	struct bh_rcell *cells;
	size_t n_cells, cap_cells;
};

static void row_done(struct row_build *b)
{
	free(b->any);
	free(b->base);
	free(b->set);
	free(b->entries);
	free(b->cells);
}

static bool every_port(const struct entry *e)
{
	return e->lo == 0 && e->hi == UINT16_MAX;
}

static int entry_add(struct row_build *b, uint8_t l4, uint16_t lo, uint16_t hi, uint32_t rule)
{
	int r = bh_grow(&b->entries, &b->cap_entries, b->n_entries, sizeof(*b->entries));

	if (r == 0)
		b->entries[b->n_entries++] = (struct entry){ l4, lo, hi, rule };
	return r;
}

static int named_add(struct row_build *b, const struct bh_cport *p, uint32_t rule, uint32_t ports)
{
	size_t n;
	const struct bh_resolved *v = bh_intern_key(&b->run->port_vecs, ports, &n);
	int r = 0;

	for (size_t i = 0; r == 0 && i < n / sizeof(*v); i++) {
		if (v[i].name == p->name && (p->l4 == BH_L4_ANY || p->l4 == v[i].l4))
			r = entry_add(b, (uint8_t)v[i].l4, (uint16_t)v[i].port, (uint16_t)v[i].port,
				      rule);
	}
	return r;
}

static int rule_entries(struct row_build *b, uint32_t rule, uint32_t ports)
{
	const struct bh_crule *cr = b->s->rules[rule];
	int r = 0;

	if (cr->src->n_ports == 0)
		bh_set_add(b->any, rule);
	for (size_t i = 0; r == 0 && i < cr->n_ports; i++) {
		const struct bh_cport *p = &cr->ports[i];

		if (p->name != BH_NONE)
			r = named_add(b, p, rule, ports);
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

static int cell_add(struct row_build *b, uint32_t l4, uint32_t port, uint32_t word)
{
	int r = bh_grow(&b->cells, &b->cap_cells, b->n_cells, sizeof(*b->cells));

	if (r == 0)
		b->cells[b->n_cells++] = (struct bh_rcell){ l4, port, word };
	return r;
}

/* Word for a port of the entries @e (of one protocol): those that cover lo..hi, and the base. */
static int word_at(struct row_build *b, const struct entry *e, size_t n, uint16_t lo, uint16_t hi,
		   uint32_t *ret)
{
	memcpy(b->set, b->base, b->words * sizeof(*b->set));
	for (size_t i = 0; i < n; i++) {
		if (e[i].lo <= lo && hi <= e[i].hi)
			bh_set_add(b->set, e[i].rule);
	}
	return bh_judge(b->run, b->s, b->set, ret);
}

/* The first piece of @l4 that ends at @port or later; n_cuts if there is none. */
static size_t cut_find(const struct bh_run *run, uint8_t l4, uint16_t port)
{
	size_t lo = 0, hi = run->n_cuts;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct bh_port_cut *c = &run->cuts[mid];

		if (c->l4 < l4 || (c->l4 == l4 && c->hi < port))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* What a look-up of @port finds if it has no cell of its own. */
static uint32_t fallback_of(const struct row_build *b, size_t first, uint8_t l4, uint16_t port,
			    uint32_t word_l4)
{
	size_t c = cut_find(b->run, l4, port);

	if (c == b->run->n_cuts || b->run->cuts[c].l4 != l4 || b->run->cuts[c].lo > port)
		return word_l4;
	for (size_t i = first; i < b->n_cells; i++) {
		if (b->cells[i].port == b->run->cuts[c].id)
			return b->cells[i].word;
	}
	return word_l4;
}

static int pieces_of(struct row_build *b, const struct entry *e, size_t n, uint32_t word_l4)
{
	const struct bh_run *run = b->run;
	size_t next = 0; /* pieces before it are done */
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		size_t c = cut_find(run, e[i].l4, e[i].lo);

		if (e[i].lo == e[i].hi || every_port(&e[i]))
			continue;
		for (c = BH_MAX(c, next); r == 0 && c < run->n_cuts; c++) {
			const struct bh_port_cut *cut = &run->cuts[c];
			uint32_t w;

			if (cut->l4 != e[i].l4 || cut->lo > e[i].hi)
				break;
			r = word_at(b, e, n, cut->lo, cut->hi, &w);
			if (r == 0 && w != word_l4)
				r = cell_add(b, cut->l4, cut->id, w);
			next = c + 1;
		}
	}
	return r;
}

static int singles_of(struct row_build *b, const struct entry *e, size_t n, size_t first,
		      uint32_t word_l4)
{
	uint32_t last = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		uint32_t w;

		if (e[i].lo != e[i].hi || e[i].lo == last || e[i].lo == 0)
			continue;
		last = e[i].lo;
		r = word_at(b, e, n, e[i].lo, e[i].lo, &w);
		if (r == 0 && w != fallback_of(b, first, e[i].l4, e[i].lo, word_l4))
			r = cell_add(b, e[i].l4, e[i].lo, w);
	}
	return r;
}

/* All cells of one protocol. @word_any: what everything else gets. */
static int protocol_cells(struct row_build *b, const struct entry *e, size_t n, uint32_t word_any)
{
	size_t first = b->n_cells;
	uint32_t word_l4;
	int r;

	memcpy(b->base, b->any, b->words * sizeof(*b->base));
	for (size_t i = 0; i < n; i++) {
		if (every_port(&e[i]))
			bh_set_add(b->base, e[i].rule);
	}
	r = bh_judge(b->run, b->s, b->base, &word_l4);
	if (r == 0 && word_l4 != word_any)
		r = cell_add(b, e->l4, BH_PORT_ANY, word_l4);
	if (r == 0)
		r = pieces_of(b, e, n, word_l4);
	if (r == 0)
		r = singles_of(b, e, n, first, word_l4);
	return r;
}

static int rcell_cmp(const void *a, const void *b)
{
	const struct bh_rcell *x = a, *y = b;

	if (x->l4 != y->l4)
		return x->l4 < y->l4 ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

/* The row of a peer for which the rules @match hold and whose named ports are @ports. */
static int row_make(struct bh_run *run, struct bh_sigma *s, const uint64_t *match, uint32_t ports,
		    uint32_t *ret)
{
	size_t words = bh_set_words(s->n_rules);
	bh_cleanup(row_done) struct row_build b = {
		.run = run,
		.s = s,
		.words = words,
		.any = calloc(words + 1, sizeof(uint64_t)),
		.base = calloc(words + 1, sizeof(uint64_t)),
		.set = calloc(words + 1, sizeof(uint64_t)),
	};
	uint32_t word_any;
	int r = 0;

	if (!b.any || !b.base || !b.set)
		return -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < s->n_rules; i++) {
		if (bh_set_has(match, i))
			r = rule_entries(&b, i, ports);
	}
	if (r == 0)
		r = bh_judge(run, s, b.any, &word_any);
	if (r == 0)
		r = cell_add(&b, BH_L4_ANY, BH_PORT_ANY, word_any);
	if (b.n_entries)
		qsort(b.entries, b.n_entries, sizeof(*b.entries), entry_cmp);
	for (size_t i = 0, n; r == 0 && i < b.n_entries; i += n) {
		for (n = 1; i + n < b.n_entries && b.entries[i + n].l4 == b.entries[i].l4;)
			n++;
		r = protocol_cells(&b, &b.entries[i], n, word_any);
	}
	if (r < 0)
		return r;
	qsort(b.cells, b.n_cells, sizeof(*b.cells), rcell_cmp);
	return bh_intern(&run->rows, b.cells, b.n_cells * sizeof(*b.cells), ret);
}

/* ---- peers of one sigma ---- */

/* Rule @rule names class @cls; BH_NONE: no rule does, but its named ports may matter. */
struct hit {
	uint32_t cls, rule;
};

struct sigma_build {
	struct bh_run *run;
	struct bh_sigma *s;
	struct hit *hits;
	size_t n_hits, cap_hits;
	struct bh_intern memo; /* (ports, rules that match) -> index into rows */
	struct bh_u32s rows;
	uint64_t *every, *endpoints; /* rules for every address, for every endpoint */
	uint64_t *key;               /* ports, then a set */
	size_t words, cap_peers;
};

static void sigma_build_done(struct sigma_build *b)
{
	free(b->hits);
	bh_intern_done(&b->memo);
	bh_u32s_done(&b->rows);
	free(b->every);
	free(b->endpoints);
	free(b->key);
}

static int hits_add(struct sigma_build *b, const struct bh_u32s *classes, uint32_t rule)
{
	for (size_t i = 0; i < classes->n; i++) {
		int r = bh_grow(&b->hits, &b->cap_hits, b->n_hits, sizeof(*b->hits));

		if (r < 0)
			return r;
		b->hits[b->n_hits++] = (struct hit){ classes->v[i], rule };
	}
	return 0;
}

/* Egress: what a name means depends on the peer, so every peer that has the name may have its own row. */
static int named_hits(struct sigma_build *b, const struct bh_crule *cr)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < cr->n_ports; i++) {
		if (cr->ports[i].name != BH_NONE)
			r = hits_add(b, &b->run->port_classes[cr->ports[i].name], BH_NONE);
	}
	return r;
}

static int hits_collect(struct sigma_build *b)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < b->s->n_rules; i++) {
		const struct bh_crule *cr = b->s->rules[i];

		if (cr->any_peer)
			bh_set_add(b->every, i);
		if (cr->any_peer || cr->any_endpoint)
			bh_set_add(b->endpoints, i);
		if (!cr->any_peer) {
			for (size_t k = 0; r == 0 && k < cr->peers.n; k++)
				r = hits_add(b, &b->run->terms[cr->peers.v[k]].classes, i);
		}
		if (r == 0 && b->s->dir == BH_DIR_EGRESS && cr->named &&
		    (cr->any_peer || cr->any_endpoint))
			r = named_hits(b, cr);
	}
	return r;
}

static int row_for(struct sigma_build *b, const uint64_t *match, uint32_t ports, uint32_t *ret)
{
	size_t n = b->memo.n;
	uint32_t idx;
	int r;

	b->key[0] = ports;
	memcpy(b->key + 1, match, b->words * sizeof(*match));
	r = bh_intern(&b->memo, b->key, (b->words + 1) * sizeof(*b->key), &idx);
	if (r < 0)
		return r;
	if (idx < n) {
		*ret = b->rows.v[idx];
		return 0;
	}
	r = row_make(b->run, b->s, match, ports, ret);
	return r < 0 ? r : bh_u32s_add(&b->rows, *ret);
}

static int peer_add(struct sigma_build *b, uint32_t peer, uint32_t row, uint8_t families)
{
	int r = bh_grow(&b->s->peers, &b->cap_peers, b->s->n_peers, sizeof(*b->s->peers));

	if (r == 0)
		b->s->peers[b->s->n_peers++] = (struct bh_sigma_peer){ peer, row, families };
	return r;
}

static int hit_cmp(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	if (x->cls != y->cls)
		return x->cls < y->cls ? -1 : 1;
	return (x->rule > y->rule) - (x->rule < y->rule);
}

/* The row of one class that some rule names: @h, @n are its hits. */
static int class_row(struct sigma_build *b, const struct hit *h, size_t n, uint32_t *ret)
{
	const struct bh_cclass *c = &b->run->classes[h->cls];
	bh_autofree uint64_t *match = calloc(b->words + 1, sizeof(*match));
	uint32_t ports = b->s->ports;

	if (!match)
		return -ENOMEM;
	memcpy(match, c->endpoint ? b->endpoints : b->every, b->words * sizeof(*match));
	for (size_t i = 0; i < n; i++) {
		if (h[i].rule != BH_NONE)
			bh_set_add(match, h[i].rule);
	}
	if (b->s->dir == BH_DIR_EGRESS && b->s->named)
		ports = c->ports;
	return row_for(b, match, ports, ret);
}

static int sigma_peer_cmp(const void *a, const void *b)
{
	const struct bh_sigma_peer *x = a, *y = b;

	return (x->peer > y->peer) - (x->peer < y->peer);
}

static int sigma_rows(struct sigma_build *b)
{
	uint32_t row_any = 0, row_ep = 0, row;
	bool outside = false;
	int r;

	r = row_for(b, b->every, b->s->ports, &row_any);
	if (r == 0)
		r = row_for(b, b->endpoints, b->s->ports, &row_ep);
	if (r == 0)
		r = peer_add(b, BH_PEER_ANY, row_any, BH_FAMILY_BOTH);
	if (b->n_hits)
		qsort(b->hits, b->n_hits, sizeof(*b->hits), hit_cmp);
	for (size_t i = 0, n; r == 0 && i < b->n_hits; i += n) {
		const struct bh_cclass *c = &b->run->classes[b->hits[i].cls];

		for (n = 1; i + n < b->n_hits && b->hits[i + n].cls == b->hits[i].cls;)
			n++;
		r = class_row(b, &b->hits[i], n, &row);
		if (r < 0 || row == (c->endpoint ? row_ep : row_any))
			continue;
		outside |= !c->endpoint;
		r = peer_add(b, c->number, row, c->families);
	}
	if (r == 0 && (row_ep != row_any || outside))
		r = peer_add(b, BH_PEER_ANY_ENDPOINT, row_ep, BH_FAMILY_BOTH);
	if (r == 0)
		qsort(b->s->peers, b->s->n_peers, sizeof(*b->s->peers), sigma_peer_cmp);
	return r;
}

/* ---- sigmas ---- */

static int sigma_rules(struct bh_run *run, struct bh_sigma *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_policies; i++) {
		const struct bh_cpolicy *cp = &run->policies[s->policies[i]];

		n += cp->n_rules[s->dir];
		s->isolated |= !cp->monitor && cp->src->isolates[s->dir];
	}
	s->rules = calloc(n + 1, sizeof(*s->rules));
	if (!s->rules)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_policies; i++) {
		const struct bh_cpolicy *cp = &run->policies[s->policies[i]];

		for (size_t k = 0; k < cp->n_rules[s->dir]; k++) {
			s->rules[s->n_rules++] = &cp->rules[s->dir][k];
			s->named |= cp->rules[s->dir][k].named;
		}
	}
	return 0;
}

static int sigma_make(struct bh_run *run, struct bh_sigma *s)
{
	size_t words;
	int r = sigma_rules(run, s);

	if (r < 0)
		return r;
	words = bh_set_words(s->n_rules);

	bh_cleanup(sigma_build_done) struct sigma_build b = {
		.run = run,
		.s = s,
		.words = words,
		.every = calloc(words + 1, sizeof(uint64_t)),
		.endpoints = calloc(words + 1, sizeof(uint64_t)),
		.key = calloc(words + 1, sizeof(uint64_t)),
	};

	if (!b.every || !b.endpoints || !b.key)
		return -ENOMEM;
	r = hits_collect(&b);
	return r < 0 ? r : sigma_rows(&b);
}

/* The policies that hold for a class in a direction, in order. */
static int policies_of(struct bh_run *run, const struct bh_cclass *c, enum bh_dir dir,
		       struct bh_u32s *ret)
{
	const struct bh_group *g = &run->groups[c->group];
	int r = 0;

	for (size_t i = 0; i < g->terms.n; i++) {
		const struct bh_term *t = &run->terms[g->terms.v[i]];

		for (size_t k = 0; r == 0 && k < t->policies.n; k++) {
			if (run->policies[t->policies.v[k]].effective[dir])
				r = bh_u32s_add(ret, t->policies.v[k]);
		}
	}
	bh_u32s_sort(ret);
	return r;
}

static bool names_ports(const struct bh_run *run, const struct bh_u32s *policies, enum bh_dir dir)
{
	for (size_t i = 0; i < policies->n; i++) {
		const struct bh_cpolicy *cp = &run->policies[policies->v[i]];

		for (size_t k = 0; k < cp->n_rules[dir]; k++) {
			if (cp->rules[dir][k].named)
				return true;
		}
	}
	return false;
}

static int sigma_of(struct bh_run *run, struct bh_cclass *c, enum bh_dir dir, struct bh_u32s *list)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	bool named = dir == BH_DIR_INGRESS && names_ports(run, list, dir);
	const uint32_t head[] = { dir, named ? c->ports : 0 };
	size_t n = run->sigma_keys.n;
	struct bh_sigma *s;
	int r;

	bh_buf_add(&key, head, sizeof(head));
	bh_buf_add(&key, list->v, list->n * sizeof(*list->v));
	if (bh_buf_failed(&key))
		return -ENOMEM;
	r = bh_grow(&run->sigmas, &run->cap_sigmas, n, sizeof(*run->sigmas));
	if (r == 0)
		r = bh_intern(&run->sigma_keys, key.data, key.len, &c->sigma[dir]);
	if (r < 0 || c->sigma[dir] < n)
		return r;
	s = &run->sigmas[n];
	*s = (struct bh_sigma){ .dir = dir, .ports = head[1], .n_policies = list->n };
	s->policies = bh_take_ptr(&list->v);
	list->n = list->cap = 0;
	return sigma_make(run, s);
}

int bh_phase_row(struct bh_run *run)
{
	bool offline = true;

	/* Offline nothing is local: then the rule set is made for every endpoint. */
	for (size_t i = 0; i < run->n_classes; i++)
		offline &= !run->classes[i].local;
	for (size_t n = 0; n < run->n_classes; n++) {
		struct bh_cclass *c = &run->classes[run->by_number[n]];

		for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
			struct bh_u32s list = { .v = NULL };
			int r = c->endpoint ? policies_of(run, c, d, &list) : 0;

			c->sigma[d] = BH_NONE;
			c->selected[d] = list.n > 0;
			if (r == 0 && list.n && (c->local || offline))
				r = sigma_of(run, c, d, &list);
			bh_u32s_done(&list);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
