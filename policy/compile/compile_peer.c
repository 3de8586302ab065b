/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_peer.c - a row for every peer of a sigma
 *
 * A peer's row follows from the rules whose peers match it: what every address, every endpoint, every address of the
 * world gets, and what the terms add in which its class lies. Peers for which the same rules match share a row.
 *
 * The own node has a row beside them. It lies in no term, whatever addresses it has. What it opens to a subject with
 * hostToContainer: policy is judged by that row like anybody's: rules without peers match, and isolation binds it.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

/* ---- one peer ---- */

static void add_terms(const struct bh_sigma *g, const uint32_t *terms, size_t n, uint64_t *set)
{
	for (size_t i = 0; i < n; i++) {
		size_t lo = 0, hi = g->n_terms;

		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;

			if (g->terms[mid].term < terms[i])
				lo = mid + 1;
			else
				hi = mid;
		}
		for (; lo < g->n_terms && g->terms[lo].term == terms[i]; lo++) {
			if (g->terms[lo].rule != BH_NONE)
				bh_set_add(set, g->terms[lo].rule);
		}
	}
}

static bool is_reserved(const struct bh_state *s, const uint32_t *terms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s->terms[terms[i]].kind == BH_TERM_RESERVED)
			return true;
	}
	return false;
}

/* Rules that match by the piece of the address space alone. */
static void match_cset(const struct bh_state *s, const struct bh_sigma *g, uint32_t cset,
		       bool endpoint, uint64_t *set)
{
	size_t n;
	const uint32_t *terms = bh_cset_terms(s, cset, &n);
	const uint64_t *base = g->endpoints;

	if (!endpoint)
		base = g->world && is_reserved(s, terms, n) ? g->every : g->outside;
	memcpy(set, base, bh_set_words(g->n_rules) * sizeof(*set));
	add_terms(g, terms, n, set);
}

static int row_for(struct bh_state *s, struct bh_sigma *g, const uint64_t *set,
		   const struct bh_resolved *ports, size_t n_ports, bool host, uint32_t *ret)
{
	struct bh_buf *key = &s->key;
	uint32_t head = host;
	size_t n = g->row_memo.n;
	uint32_t idx;
	int r;

	bh_buf_clear(key);
	bh_buf_add(key, set, bh_set_words(g->n_rules) * sizeof(*set));
	bh_buf_add(key, &head, sizeof(head));
	bh_buf_add(key, ports, n_ports * sizeof(*ports));
	if (bh_buf_failed(key))
		return -ENOMEM;
	r = bh_intern(&g->row_memo, key->data, key->len, &idx);
	if (r < 0)
		return r;
	if (idx < n) {
		*ret = g->rows.v[idx];
		return 0;
	}
	r = bh_row_make(s, g, set, ports, n_ports, host, ret);
	return r < 0 ? r : bh_u32s_add(&g->rows, *ret);
}

/* Some rule of the set asks for a port by its name. */
static bool asks_for_names(const struct bh_sigma *g, const uint64_t *set)
{
	for (size_t i = 0; g->named && i < g->n_rules; i++) {
		if (g->rules[i]->named && bh_set_has(set, i))
			return true;
	}
	return false;
}

/* Named ports of the destination, where @set asks for them: the subject's for ingress. */
static const struct bh_resolved *ports_for(const struct bh_state *s, const struct bh_sigma *g,
					   uint32_t vec, const uint64_t *set, size_t *ret_n)
{
	*ret_n = 0;
	if (!asks_for_names(g, set))
		return NULL;
	*ret_n = g->n_ports;
	if (g->dir == BH_DIR_INGRESS)
		return g->ports;
	*ret_n = 0;
	return vec == BH_NONE ? NULL : bh_vec_ports(s, vec, ret_n);
}

static int class_row(struct bh_state *s, struct bh_sigma *g, uint32_t cls, uint32_t *ret)
{
	const struct bh_cclass *c = &s->classes[cls];
	uint64_t *set = g->scratch;
	const struct bh_resolved *ports;
	size_t n;

	match_cset(s, g, c->cset, c->vec != BH_NONE, set);
	if (c->vec != BH_NONE) {
		const uint32_t *terms = bh_vec_terms(s, c->vec, &n);

		add_terms(g, terms, n, set);
	}
	ports = ports_for(s, g, c->vec, set, &n);
	return row_for(s, g, set, ports, n, false, ret);
}

/* ---- the list of peers ---- */

static size_t peer_place(const struct bh_sigma *g, uint32_t cls)
{
	size_t lo = 0, hi = g->n_peers;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (g->peers[mid].cls < cls)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int peer_set(struct bh_state *s, struct bh_sigma *g, uint32_t cls, uint32_t row)
{
	bool plain = row == (s->classes[cls].vec == BH_NONE ? g->row_any : g->row_ep);
	size_t at = peer_place(g, cls);
	bool have = at < g->n_peers && g->peers[at].cls == cls;
	int r;

	if (plain ? !have : have && g->peers[at].row == row)
		return 0;
	s->changed = g->unordered = true;
	if (plain) {
		memmove(g->peers + at, g->peers + at + 1,
			(g->n_peers - at - 1) * sizeof(*g->peers));
		g->n_peers--;
		return 0;
	}
	if (!have) {
		r = bh_grow(&g->peers, &g->cap_peers, g->n_peers, sizeof(*g->peers));
		if (r < 0)
			return r;
		memmove(g->peers + at + 1, g->peers + at, (g->n_peers - at) * sizeof(*g->peers));
		g->n_peers++;
	}
	g->peers[at] = (struct bh_sigma_peer){ cls, row };
	return 0;
}

int bh_peer_update(struct bh_state *s, uint32_t sigma, uint32_t cls)
{
	struct bh_sigma *g = &s->sigmas[sigma];
	uint32_t row;
	int r = class_row(s, g, cls, &row);

	return r < 0 ? r : peer_set(s, g, cls, row);
}

void bh_sigmas_forget(struct bh_state *s, uint32_t cls)
{
	for (uint32_t i = 0; i < s->sigma_keys.n; i++) {
		struct bh_sigma *g = &s->sigmas[i];
		size_t at;

		if (!bh_slot_live(&s->sigma_keys, i))
			continue;
		at = peer_place(g, cls);
		if (at == g->n_peers || g->peers[at].cls != cls)
			continue;
		g->unordered = true;
		memmove(g->peers + at, g->peers + at + 1,
			(g->n_peers - at - 1) * sizeof(*g->peers));
		g->n_peers--;
	}
}

/* ---- all of them ---- */

struct tally {
	uint32_t row;
	size_t n;
};

struct build {
	struct bh_state *s;
	struct bh_sigma *g;
	struct bh_u32s hits; /* classes of endpoints that a selector or a named port names */
	struct bh_u32s hit_rows;
	struct bh_u32s outside; /* classes of other addresses that a term names */
	struct bh_u32s outside_rows;
	struct bh_u32s cset_rows; /* beside ep_csets */
	struct tally *tally;
	size_t n_tally, cap_tally;
};

static void build_done(struct build *b)
{
	bh_u32s_done(&b->hits);
	bh_u32s_done(&b->hit_rows);
	bh_u32s_done(&b->outside);
	bh_u32s_done(&b->outside_rows);
	bh_u32s_done(&b->cset_rows);
	free(b->tally);
}

static bool reachable(const struct build *b, uint32_t cls)
{
	return bh_class_families(&b->s->classes[cls]) & b->g->families;
}

static int hits_of_vecs(struct build *b, const struct bh_u32s *vecs)
{
	int r = 0;

	for (size_t i = 0; i < vecs->n; i++) {
		const struct bh_u32s *c = &b->s->vecs[vecs->v[i]].classes;

		for (size_t k = 0; r == 0 && k < c->n; k++) {
			if (reachable(b, c->v[k]))
				r = bh_u32s_add(&b->hits, c->v[k]);
		}
	}
	return r;
}

/* Endpoints that no selector of the rule names. */
static bool reaches_unnamed(const struct bh_state *s, const struct bh_crule *cr)
{
	if (cr->any_peer || cr->any_endpoint)
		return true;
	for (size_t i = 0; i < cr->peers.n; i++) {
		const struct bh_u32s *l = &s->terms[cr->peers.v[i]].csets;

		for (size_t k = 0; k < l->n; k++) {
			if (s->csets[l->v[k]].classes.n)
				return true;
		}
	}
	return false;
}

static int hits_collect(struct build *b)
{
	const struct bh_sigma *g = b->g;
	struct bh_state *s = b->s;
	int r = 0;

	for (size_t i = 0; r == 0 && i < g->n_terms; i++) {
		const struct bh_term *t = &s->terms[g->terms[i].term];

		if (i && g->terms[i - 1].term == g->terms[i].term)
			continue;
		r = hits_of_vecs(b, &t->vecs);
		for (size_t k = 0; r == 0 && k < t->csets.n; k++) {
			uint32_t cls = s->csets[t->csets.v[k]].outside;

			if (cls != BH_NONE && reachable(b, cls))
				r = bh_u32s_add(&b->outside, cls);
		}
	}
	/* What a name is depends on the peer: where a rule reaches peers that no selector names, all that have it. */
	for (size_t i = 0; g->dir == BH_DIR_EGRESS && g->named && i < g->n_rules; i++) {
		for (size_t k = 0;
		     r == 0 && reaches_unnamed(s, g->rules[i]) && k < g->rules[i]->n_ports; k++) {
			if (g->rules[i]->ports[k].name != BH_NONE)
				r = hits_of_vecs(b, &s->names[g->rules[i]->ports[k].name].vecs);
		}
	}
	bh_u32s_sort(&b->hits);
	bh_u32s_sort(&b->outside);
	return r;
}

static int tally_add(struct build *b, uint32_t row, size_t n)
{
	int r;

	for (size_t i = 0; i < b->n_tally; i++) {
		if (b->tally[i].row == row) {
			b->tally[i].n += n;
			return 0;
		}
	}
	r = bh_grow(&b->tally, &b->cap_tally, b->n_tally, sizeof(*b->tally));
	if (r == 0)
		b->tally[b->n_tally++] = (struct tally){ row, n };
	return r;
}

/* What endpoints get by their address alone, for each piece in which endpoints are. */
static int cset_rows(struct build *b, uint64_t *set)
{
	struct bh_state *s = b->s;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->ep_csets.n; i++) {
		const struct bh_u32s *c = &s->csets[s->ep_csets.v[i]].classes;
		size_t n_ports, n = 0, hit = 0;
		const struct bh_resolved *ports;
		uint32_t row;

		match_cset(s, b->g, s->ep_csets.v[i], true, set);
		ports = ports_for(s, b->g, BH_NONE, set, &n_ports);
		r = row_for(s, b->g, set, ports, n_ports, false, &row);
		if (r == 0)
			r = bh_u32s_add(&b->cset_rows, row);
		for (size_t k = 0; k < c->n; k++)
			n += reachable(b, c->v[k]);
		for (size_t k = 0; k < b->hits.n; k++)
			hit += s->classes[b->hits.v[k]].cset == s->ep_csets.v[i];
		if (r == 0)
			r = tally_add(b, row, n - hit);
	}
	return r;
}

/* The row that more than half have: no two can be that, so it does not matter who comes first. */
static uint32_t most_have(struct build *b, uint32_t plain)
{
	size_t all = 0;

	for (size_t i = 0; i < b->n_tally; i++)
		all += b->tally[i].n;
	for (size_t i = 0; i < b->n_tally; i++) {
		if (b->tally[i].n > all / 2)
			plain = b->tally[i].row;
	}
	b->n_tally = 0;
	return plain;
}

/* Addresses of no endpoint. */
static int outside_choose(struct build *b)
{
	struct bh_sigma *g = b->g;
	struct bh_state *s = b->s;
	uint32_t plain = g->row_any;
	size_t rest = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->outside.n; i++) {
		uint32_t row;

		r = class_row(s, g, b->outside.v[i], &row);
		if (r == 0)
			r = bh_u32s_add(&b->outside_rows, row);
		if (r == 0)
			r = tally_add(b, row, 1);
	}
	for (size_t i = 0; i < s->outsiders.n; i++)
		rest += reachable(b, s->outsiders.v[i]);
	if (r == 0)
		r = tally_add(b, plain, rest - b->outside.n);
	g->row_any = most_have(b, plain);
	g->any_unusual = g->row_any != plain;
	for (size_t i = 0; r == 0 && i < b->outside.n; i++)
		r = peer_set(s, g, b->outside.v[i], b->outside_rows.v[i]);
	for (size_t i = 0; r == 0 && g->any_unusual && i < s->outsiders.n; i++) {
		uint32_t cls = s->outsiders.v[i];

		if (reachable(b, cls) && !bh_u32s_has(b->outside.v, b->outside.n, cls))
			r = peer_set(s, g, cls, plain);
	}
	return r;
}

static int rows_choose(struct build *b, uint64_t *set)
{
	struct bh_sigma *g = b->g;
	const struct bh_resolved *ports;
	size_t n_ports;
	uint32_t plain;
	int r;

	ports = ports_for(b->s, g, BH_NONE, g->endpoints, &n_ports);
	r = row_for(b->s, g, g->endpoints, ports, n_ports, false, &plain);
	for (size_t i = 0; r == 0 && i < b->hits.n; i++) {
		uint32_t row;

		r = class_row(b->s, g, b->hits.v[i], &row);
		if (r == 0)
			r = bh_u32s_add(&b->hit_rows, row);
		if (r == 0)
			r = tally_add(b, row, 1);
	}
	if (r == 0)
		r = cset_rows(b, set);
	g->row_ep = most_have(b, plain);
	g->ep_unusual = g->row_ep != plain;
	return r;
}

static int peers_fill(struct build *b)
{
	struct bh_state *s = b->s;
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->hits.n; i++)
		r = peer_set(s, b->g, b->hits.v[i], b->hit_rows.v[i]);
	for (size_t i = 0; r == 0 && i < s->ep_csets.n; i++) {
		const struct bh_u32s *c = &s->csets[s->ep_csets.v[i]].classes;

		for (size_t k = 0; r == 0 && b->cset_rows.v[i] != b->g->row_ep && k < c->n; k++) {
			if (reachable(b, c->v[k]) && !bh_u32s_has(b->hits.v, b->hits.n, c->v[k]))
				r = peer_set(s, b->g, c->v[k], b->cset_rows.v[i]);
		}
	}
	return r;
}

int bh_peers_make(struct bh_state *s, struct bh_sigma *g)
{
	bh_cleanup(build_done) struct build b = { .s = s, .g = g };
	bh_autofree uint64_t *set = calloc(bh_set_words(g->n_rules) + 1, sizeof(*set));
	bh_autofree uint64_t *host = calloc(bh_set_words(g->n_rules) + 1, sizeof(*host));
	const struct bh_resolved *ports;
	size_t n_ports;
	int r;

	if (!set || !host)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_rules; i++) {
		if (g->rules[i]->host || (g->host_judged && g->rules[i]->any_peer))
			bh_set_add(host, i);
	}
	ports = ports_for(s, g, BH_NONE, g->outside, &n_ports);
	r = row_for(s, g, g->outside, ports, n_ports, false, &g->row_any);
	ports = ports_for(s, g, BH_NONE, host, &n_ports);
	if (r == 0)
		r = row_for(s, g, host, ports, n_ports, !g->host_judged, &g->row_host);
	if (r == 0)
		r = hits_collect(&b);
	if (r == 0)
		r = rows_choose(&b, set);
	if (r == 0)
		r = peers_fill(&b);
	return r < 0 ? r : outside_choose(&b);
}
