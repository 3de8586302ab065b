/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_sigma.c - subjects, and what policies hold for them
 *
 * Subjects for which the same policies hold in a direction, and to which their node is alike, share a "sigma": its rules in order of evaluation, the terms
 * that they ask about, and a row for every peer (compile_peer.c). It is made when the first subject needs it; classes
 * that come later get their rows one by one.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

/* ---- making one ---- */

static int term_cmp(const void *a, const void *b)
{
	const struct bh_sigma_term *x = a, *y = b;

	if (x->term != y->term)
		return x->term < y->term ? -1 : 1;
	return (x->rule > y->rule) - (x->rule < y->rule);
}

static int sigma_terms(struct bh_state *s, struct bh_sigma *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_rules; i++)
		n += g->rules[i]->any_peer ? 0 : g->rules[i]->peers.n;
	g->terms = calloc(n + 1, sizeof(*g->terms));
	if (!g->terms)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->n_rules; i++) {
		const struct bh_crule *cr = g->rules[i];

		for (size_t k = 0; !cr->any_peer && k < cr->peers.n; k++) {
			uint32_t t = cr->peers.v[k];
			/* Says who is not meant. */
			bool mark = s->terms[t].kind == BH_TERM_RESERVED;

			g->terms[g->n_terms++] = (struct bh_sigma_term){ t, mark ? BH_NONE : i };
		}
	}
	qsort(g->terms, g->n_terms, sizeof(*g->terms), term_cmp);
	return 0;
}

static int sigma_rules(struct bh_state *s, struct bh_sigma *g)
{
	size_t n = 0, words;
	unsigned tier = 0;

	for (size_t i = 0; i < g->n_policies; i++)
		n += s->policies[g->policies[i]]->n_rules[g->dir];
	words = bh_set_words(n) + 1;
	g->rules = calloc(n + 1, sizeof(*g->rules));
	g->every = calloc(words, sizeof(*g->every));
	g->endpoints = calloc(words, sizeof(*g->endpoints));
	g->outside = calloc(words, sizeof(*g->outside));
	g->scratch = calloc(words, sizeof(*g->scratch));
	if (!g->rules || !g->every || !g->endpoints || !g->outside || !g->scratch)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_policies; i++) {
		const struct bh_cpolicy *cp = s->policies[g->policies[i]];

		g->isolated |= cp->mode == BH_MODE_ENFORCE && cp->src->isolates[g->dir];
		while (tier < cp->src->tier)
			g->first[++tier] = g->n_rules;
		for (size_t k = 0; k < cp->n_rules[g->dir]; k++) {
			const struct bh_crule *cr = &cp->rules[g->dir][k];

			if (cr->any_peer)
				bh_set_add(g->every, g->n_rules);
			if (cr->any_peer || cr->any_endpoint)
				bh_set_add(g->endpoints, g->n_rules);
			if (cr->any_peer || cr->world)
				bh_set_add(g->outside, g->n_rules);
			g->named |= cr->named;
			g->world |= cr->world;
			g->rules[g->n_rules++] = cr;
		}
	}
	while (tier < BH_TIER_COUNT)
		g->first[++tier] = g->n_rules;
	return 0;
}

/* So that whoever changes a term or a name finds it. */
static int sigma_file(struct bh_state *s, uint32_t sigma, bool in)
{
	const struct bh_sigma *g = &s->sigmas[sigma];
	int r = 0;

	for (size_t i = 0; r == 0 && i < g->n_terms; i++) {
		struct bh_u32s *l = &s->terms[g->terms[i].term].sigmas;

		if (i && g->terms[i - 1].term == g->terms[i].term)
			continue;
		if (in)
			r = bh_u32s_add(l, sigma);
		else
			bh_u32s_remove(l, sigma);
	}
	for (size_t i = 0; g->dir == BH_DIR_EGRESS && i < g->n_rules; i++) {
		const struct bh_crule *cr = g->rules[i];

		for (size_t k = 0; r == 0 && k < cr->n_ports; k++) {
			if (cr->ports[k].name == BH_NONE)
				continue;
			/* As often as it is named. */
			if (in)
				r = bh_u32s_add(&s->names[cr->ports[k].name].sigmas, sigma);
			else
				bh_u32s_remove(&s->names[cr->ports[k].name].sigmas, sigma);
		}
	}
	return r;
}

void bh_sigma_done(struct bh_sigma *g)
{
	free(g->ports);
	free(g->policies);
	free(g->rules);
	free(g->terms);
	free(g->every);
	free(g->endpoints);
	free(g->outside);
	free(g->scratch);
	bh_intern_done(&g->memo);
	bh_u32s_done(&g->words);
	bh_intern_done(&g->row_memo);
	bh_u32s_done(&g->rows);
	free(g->peers);
	free(g->by_number);
	*g = (struct bh_sigma){ .dir = BH_DIR_INVALID };
}

int bh_sigma_put(struct bh_state *s, uint32_t sigma)
{
	int r;

	if (!bh_slot_put(&s->sigma_keys, sigma))
		return 0;
	r = sigma_file(s, sigma, false);
	for (size_t i = 0; i < s->sigmas[sigma].rows.n; i++)
		(void)bh_slot_put(&s->row_keys, s->sigmas[sigma].rows.v[i]);
	bh_sigma_done(&s->sigmas[sigma]);
	return r;
}

/* ---- who is subject to what ---- */

static int order_cmp(const void *a, const void *b, void *arg)
{
	const struct bh_state *s = arg;

	return bh_policy_order(s->policies[*(const uint32_t *)a]->src,
			       s->policies[*(const uint32_t *)b]->src);
}

/* The policies that hold for a class in a direction, in order of evaluation. */
static int policies_of(const struct bh_state *s, const struct bh_cclass *c, enum bh_dir dir,
		       struct bh_u32s *ret)
{
	size_t n;
	const uint32_t *terms = bh_vec_terms(s, c->vec, &n);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		const struct bh_u32s *l = &s->terms[terms[i]].subjects;

		for (size_t k = 0; r == 0 && k < l->n; k++) {
			if (s->policies[l->v[k]]->effective[dir])
				r = bh_u32s_add(ret, l->v[k]);
		}
	}
	bh_u32s_sort(ret);
	if (ret->n)
		qsort_r(ret->v, ret->n, sizeof(*ret->v), order_cmp, (void *)s);
	return r;
}

static bool names_ports(const struct bh_state *s, const struct bh_u32s *policies, enum bh_dir dir)
{
	for (size_t i = 0; i < policies->n; i++) {
		const struct bh_cpolicy *cp = s->policies[policies->v[i]];

		for (size_t k = 0; k < cp->n_rules[dir]; k++) {
			if (cp->rules[dir][k].named)
				return true;
		}
	}
	return false;
}

static int sigma_begin(struct bh_state *s, uint32_t sigma, const struct bh_u32s *policies,
		       const struct bh_resolved *ports, size_t n_ports)
{
	struct bh_sigma *g = &s->sigmas[sigma];
	int r;

	g->policies = calloc(policies->n + 1, sizeof(*g->policies));
	g->ports = calloc(n_ports + 1, sizeof(*g->ports));
	if (!g->policies || !g->ports)
		return -ENOMEM;
	memcpy(g->policies, policies->v, policies->n * sizeof(*g->policies));
	g->n_policies = policies->n;
	if (n_ports)
		memcpy(g->ports, ports, n_ports * sizeof(*g->ports));
	g->n_ports = n_ports;
	r = sigma_rules(s, g);
	if (r == 0)
		r = sigma_terms(s, g);
	if (r == 0)
		r = sigma_file(s, sigma, true);
	return r < 0 ? r : bh_peers_make(s, g);
}

static int sigma_get(struct bh_state *s, const struct bh_cclass *c, enum bh_dir dir,
		     const struct bh_u32s *policies, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	bool host_judged = dir == BH_DIR_INGRESS && bh_vec_host_judged(s, c->vec);
	const uint32_t head[] = { dir, bh_class_families(c), host_judged, (uint32_t)policies->n };
	const struct bh_resolved *ports = NULL;
	size_t n_ports = 0;
	bool fresh;
	int r;

	if (dir == BH_DIR_INGRESS && names_ports(s, policies, dir))
		ports = bh_vec_ports(s, c->vec, &n_ports);
	bh_buf_add(&key, head, sizeof(head));
	bh_buf_add(&key, policies->v, policies->n * sizeof(*policies->v));
	bh_buf_add(&key, ports, n_ports * sizeof(*ports));
	if (bh_buf_failed(&key))
		return -ENOMEM;
	r = bh_slot_get(&s->sigma_keys, key.data, key.len, ret, &fresh);
	if (r < 0 || !fresh)
		return r;
	r = bh_grow(&s->sigmas, &s->cap_sigmas, *ret, sizeof(*s->sigmas));
	if (r < 0)
		return r;
	s->sigmas[*ret] = (struct bh_sigma){
		.dir = dir,
		.families = bh_class_families(c),
		.host_judged = host_judged,
	};
	return sigma_begin(s, *ret, policies, ports, n_ports);
}

static int subject_settle(struct bh_state *s, uint32_t cls, enum bh_dir dir)
{
	struct bh_cclass *c = &s->classes[cls];
	struct bh_u32s list = { .v = NULL };
	uint32_t old = c->sigma[dir], sigma = BH_NONE;
	int r = policies_of(s, c, dir, &list);

	if (r == 0 && c->selected[dir] != (list.n > 0)) {
		s->changed = true;
		c->selected[dir] = list.n > 0;
	}
	if (r == 0 && list.n && bh_class_families(c) && (c->n_local || s->offline))
		r = sigma_get(s, c, dir, &list, &sigma);
	bh_u32s_done(&list);
	if (r < 0)
		return r;
	if (sigma != old)
		s->changed = true;
	c->sigma[dir] = sigma;
	return old == BH_NONE ? 0 : bh_sigma_put(s, old);
}

static int born_with_ports(struct bh_state *s, uint32_t cls)
{
	size_t n;
	const struct bh_resolved *ports = bh_vec_ports(s, s->classes[cls].vec, &n);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		const struct bh_u32s *l = &s->names[ports[i].name].sigmas;

		for (size_t k = 0; r == 0 && k < l->n; k++)
			r = bh_peer_update(s, l->v[k], cls);
	}
	return r;
}

/* Rows of a class that was not there before, in the sigmas that may have something to say about it. */
static int born_settle(struct bh_state *s, uint32_t cls)
{
	const struct bh_cclass *c = &s->classes[cls];
	size_t n;
	const uint32_t *terms = bh_cset_terms(s, c->cset, &n);
	int r = 0;

	for (unsigned half = 0; half < 2; half++) {
		for (size_t i = 0; i < n; i++) {
			const struct bh_u32s *l = &s->terms[terms[i]].sigmas;

			for (size_t k = 0; r == 0 && k < l->n; k++)
				r = bh_peer_update(s, l->v[k], cls);
		}
		if (c->vec == BH_NONE)
			break;
		terms = bh_vec_terms(s, c->vec, &n);
	}
	for (uint32_t i = 0; r == 0 && i < s->sigma_keys.n; i++) {
		const struct bh_sigma *g = &s->sigmas[i];

		if (bh_slot_live(&s->sigma_keys, i) &&
		    (c->vec == BH_NONE ? g->any_unusual : g->ep_unusual))
			r = bh_peer_update(s, i, cls);
	}
	return r < 0 || c->vec == BH_NONE ? r : born_with_ports(s, cls);
}

int bh_sigmas_settle(struct bh_state *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->resubject.n; i++) {
		uint32_t cls = s->resubject.v[i];

		if (!bh_slot_live(&s->class_keys, cls) || !s->classes[cls].resubject)
			continue;
		s->classes[cls].resubject = false;
		if (s->classes[cls].vec == BH_NONE)
			continue;
		for (enum bh_dir d = BH_DIR_INGRESS; r == 0 && d < BH_DIR_COUNT; d++)
			r = subject_settle(s, cls, d);
	}
	s->resubject.n = 0;
	for (size_t i = 0; r == 0 && i < s->born.n; i++) {
		if (bh_slot_live(&s->class_keys, s->born.v[i]))
			r = born_settle(s, s->born.v[i]);
	}
	s->born.n = 0;
	return r;
}
