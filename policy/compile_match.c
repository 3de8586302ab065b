/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile_match.c - which terms match which endpoints
 *
 * Endpoints with equal namespace, labels and ports are one group: a deployment of a thousand replicas is
 * looked at once. An index label -> groups keeps selectors away from groups that cannot match: a selector
 * that wants key=value looks only at groups that have it, one without such a wish at the groups of its
 * namespaces.
 */
#include "common/util.h"
#include "policy/compile_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

#define NAME_LABEL "kubernetes.io/metadata.name"

struct namespace
{
	struct bh_labels labels;
	struct bh_u32s groups;
};

/* Indexes of one phase. */
struct match {
	struct bh_run *run;
	struct bh_intern ns_names;
	struct namespace *ns; /* by index of ns_names */
	size_t cap_ns;
	struct bh_intern labels; /* key NUL value -> index */
	struct bh_u32s *with;    /* groups that have the label */
	size_t cap_with;
};

static void match_done(struct match *m)
{
	for (size_t i = 0; i < m->ns_names.n; i++) {
		bh_labels_done(&m->ns[i].labels);
		bh_u32s_done(&m->ns[i].groups);
	}
	for (size_t i = 0; i < m->labels.n; i++)
		bh_u32s_done(&m->with[i]);
	free(m->ns);
	free(m->with);
	bh_intern_done(&m->ns_names);
	bh_intern_done(&m->labels);
}

/* ---- groups ---- */

static int resolved_cmp(const void *a, const void *b)
{
	const struct bh_resolved *x = a, *y = b;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	if (x->l4 != y->l4)
		return x->l4 < y->l4 ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

/* What the names that policies use are on @ep. Names that nobody uses tell no endpoints apart. */
static int port_vec(struct bh_run *run, const struct bh_endpoint *ep, uint32_t *ret)
{
	bh_autofree struct bh_resolved *v = calloc(ep->n_ports + 1, sizeof(*v));
	size_t n = 0, used = 0, n_names = run->port_names.n;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < ep->n_ports; i++) {
		const struct bh_named_port *p = &ep->ports[i];

		for (uint32_t k = 0; p->name && p->port && k < n_names; k++) {
			if (bh_streq(p->name, bh_intern_key(&run->port_names, k, NULL)))
				v[n++] = (struct bh_resolved){ k, p->l4, p->port };
		}
	}
	qsort(v, n, sizeof(*v), resolved_cmp);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || resolved_cmp(&v[i], &v[used - 1]) != 0)
			v[used++] = v[i];
	}
	return bh_intern(&run->port_vecs, v, used * sizeof(*v), ret);
}

static int group_of(struct bh_run *run, const struct bh_endpoint *ep, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	size_t n = run->group_keys.n;
	uint32_t ports;
	int r;

	r = port_vec(run, ep, &ports);
	if (r < 0)
		return r;
	bh_buf_add(&key, &ports, sizeof(ports));
	bh_buf_add(&key, ep->ns, strlen(ep->ns) + 1);
	for (size_t i = 0; i < ep->labels.n; i++) {
		const struct bh_label *l = &ep->labels.items[i];

		bh_buf_add(&key, l->key, strlen(l->key) + 1);
		bh_buf_add(&key, l->value, strlen(l->value) + 1);
	}
	if (bh_buf_failed(&key))
		return -ENOMEM;
	r = bh_grow(&run->groups, &run->cap_groups, n, sizeof(*run->groups));
	if (r < 0)
		return r;
	r = bh_intern(&run->group_keys, key.data, key.len, ret);
	if (r < 0)
		return r;
	if (*ret == n)
		run->groups[n] = (struct bh_group){
			.ns = ep->ns,
			.labels = &ep->labels,
			.ports = ports,
		};
	return 0;
}

/* ---- addresses ---- */

static int caddr_cmp(const void *a, const void *b)
{
	const struct bh_caddr *x = a, *y = b;
	int c = bh_addr_cmp(&x->addr, &y->addr);

	if (c)
		return c;
	/* The owner comes first: local before remote, then the one that stands later. */
	if (x->local != y->local)
		return x->local ? -1 : 1;
	return (x->ep < y->ep) - (x->ep > y->ep);
}

static int addrs_collect(struct bh_run *run)
{
	size_t n = 0, used = 0;

	for (size_t i = 0; i < run->n_eps; i++)
		n += run->eps[i]->n_addrs;
	if (n >= BH_CLASS_ENDPOINT || run->n_eps >= BH_NONE)
		return bh_err_set(run->err, -E2BIG, "too many addresses (%zu)", n);
	run->addrs = calloc(n ? n : 1, sizeof(*run->addrs));
	if (!run->addrs)
		return -ENOMEM;
	for (size_t i = 0; i < run->n_eps; i++) {
		const struct bh_endpoint *ep = run->eps[i];

		for (size_t k = 0; k < ep->n_addrs; k++)
			run->addrs[run->n_addrs++] = (struct bh_caddr){
				.addr = ep->addrs[k],
				.ep = (uint32_t)i,
				.local = ep->local,
			};
	}
	qsort(run->addrs, run->n_addrs, sizeof(*run->addrs), caddr_cmp);
	for (size_t i = 0; i < run->n_addrs; i++) {
		if (used && bh_addr_eq(&run->addrs[used - 1].addr, &run->addrs[i].addr))
			continue;
		run->addrs[used++] = run->addrs[i];
	}
	run->n_addrs = used;
	return 0;
}

/* Groups of those endpoints that own an address. */
static int groups_collect(struct bh_run *run)
{
	uint32_t empty;
	int r = bh_intern(&run->port_vecs, NULL, 0, &empty);

	if (r < 0)
		return r;

	bh_autofree uint32_t *of = calloc(run->n_eps ? run->n_eps : 1, sizeof(*of));

	if (!of)
		return -ENOMEM;
	memset(of, 0xff, run->n_eps * sizeof(*of));
	for (size_t i = 0; i < run->n_addrs; i++) {
		struct bh_caddr *a = &run->addrs[i];

		if (of[a->ep] == BH_NONE) {
			r = group_of(run, run->eps[a->ep], &of[a->ep]);
			if (r < 0)
				return r;
		}
		a->group = of[a->ep];
	}
	return 0;
}

/* By name, not by its index: the text must not depend on the order of policies. */
static int resolved_text_cmp(const void *a, const void *b, void *arg)
{
	const struct bh_run *run = arg;
	const struct bh_resolved *x = a, *y = b;
	int c = strcmp(bh_intern_key(&run->port_names, x->name, NULL),
		       bh_intern_key(&run->port_names, y->name, NULL));

	return c ? c : resolved_cmp(a, b);
}

/* Return: -ENOMEM, or 0 and the text of a port vector in @text. */
static int port_vec_text(struct bh_run *run, uint32_t idx, struct bh_buf *text)
{
	size_t size;
	const struct bh_resolved *key = bh_intern_key(&run->port_vecs, idx, &size);
	bh_autofree struct bh_resolved *v = malloc(size + 1);
	char l4[8];

	if (!v)
		return -ENOMEM;
	memcpy(v, key, size);
	qsort_r(v, size / sizeof(*v), sizeof(*v), resolved_text_cmp, run);
	for (size_t k = 0; k < size / sizeof(*v); k++)
		bh_buf_printf(text, "%sport %s=%u/%s", k ? ", " : "",
			      (const char *)bh_intern_key(&run->port_names, v[k].name, NULL),
			      v[k].port, bh_l4_name(v[k].l4, l4));
	return bh_buf_failed(text) ? -ENOMEM : 0;
}

/* Port vectors stand in match vectors too: they need numbers that last. */
static int port_vecs_number(struct bh_run *run)
{
	for (uint32_t i = 0; i < run->port_vecs.n; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
		uint32_t id = BH_NONE, idx;
		int r = port_vec_text(run, i, &text);

		/* As many different texts as vectors: the indexes are the same. */
		if (r == 0)
			r = bh_intern(&run->port_vec_texts, bh_buf_str(&text), text.len, &idx);
		if (r == 0 && text.len)
			r = bh_dict_number(&run->c->terms, bh_buf_str(&text), text.len,
					   run->c->revision, &id);
		if (r == 0)
			r = bh_u32s_add(&run->port_vec_ids, id);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- indexes ---- */

static int ns_index(struct match *m, const char *name, uint32_t *ret)
{
	size_t n = m->ns_names.n;
	int r = bh_grow(&m->ns, &m->cap_ns, n, sizeof(*m->ns));

	if (r < 0)
		return r;
	r = bh_intern(&m->ns_names, name, strlen(name), ret);
	if (r < 0 || *ret != n)
		return r;
	/* A namespace that nobody declared exists with its name as label. */
	return bh_labels_set(&m->ns[n].labels, NAME_LABEL, name);
}

static int namespaces_add(struct match *m)
{
	const struct bh_policy_set *set = m->run->set;

	for (size_t i = 0; i < set->n_namespaces; i++) {
		const struct bh_namespace *ns = set->namespaces[i];
		uint32_t idx;
		int r = ns_index(m, ns->name, &idx);

		for (size_t k = 0; r == 0 && k < ns->labels.n; k++)
			r = bh_labels_set(&m->ns[idx].labels, ns->labels.items[k].key,
					  ns->labels.items[k].value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int label_key(struct bh_buf *b, const char *key, const char *value)
{
	bh_buf_clear(b);
	bh_buf_add(b, key, strlen(key) + 1);
	bh_buf_puts(b, value);
	return bh_buf_failed(b) ? -ENOMEM : 0;
}

static int group_index(struct match *m, uint32_t g)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	const struct bh_group *grp = &m->run->groups[g];
	uint32_t ns, l;
	int r = ns_index(m, grp->ns, &ns);

	if (r == 0)
		r = bh_u32s_add(&m->ns[ns].groups, g);
	for (size_t i = 0; r == 0 && i < grp->labels->n; i++) {
		r = label_key(&key, grp->labels->items[i].key, grp->labels->items[i].value);
		if (r == 0)
			r = bh_grow(&m->with, &m->cap_with, m->labels.n, sizeof(*m->with));
		if (r == 0)
			r = bh_intern(&m->labels, key.data, key.len, &l);
		if (r == 0)
			r = bh_u32s_add(&m->with[l], g);
	}
	return r;
}

/* ---- terms ---- */

static bool ns_matches(const struct match *m, const struct bh_term *t, uint32_t ns)
{
	if (t->ns)
		return bh_streq(t->ns, bh_intern_key(&m->ns_names, ns, NULL));
	return bh_selector_match(t->ns_sel, &m->ns[ns].labels);
}

static int try_group(struct match *m, uint32_t term, uint32_t g)
{
	const struct bh_term *t = &m->run->terms[term];
	struct bh_group *grp = &m->run->groups[g];

	if (t->pod && !bh_selector_match(t->pod, grp->labels))
		return 0;
	return bh_u32s_add(&grp->terms, term);
}

/* The requirement key=value that the fewest groups meet; NULL if the selector has none. */
static const struct bh_u32s *rarest(struct match *m, const struct bh_selector *s, int *ret)
{
	static const struct bh_u32s nobody;
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	const struct bh_u32s *best = NULL;

	*ret = 0;
	for (size_t i = 0; s && i < s->n; i++) {
		const struct bh_sel_req *q = &s->reqs[i];
		const struct bh_u32s *l = &nobody;
		uint32_t idx;

		if (q->op != BH_SEL_IN || q->n_values != 1)
			continue;
		*ret = label_key(&key, q->key, q->values[0]);
		if (*ret < 0)
			return NULL;
		if (bh_intern_find(&m->labels, key.data, key.len, &idx))
			l = &m->with[idx];
		if (!best || l->n < best->n)
			best = l;
	}
	return best;
}

static int term_match(struct match *m, uint32_t term)
{
	const struct bh_term *t = &m->run->terms[term];
	const struct bh_u32s *few;
	uint32_t last = BH_NONE;
	bool in = false;
	int r;

	if (t->kind != BH_TERM_SELECTOR)
		return 0;
	few = rarest(m, t->pod, &r);
	if (r < 0)
		return r;
	if (!few) {
		for (uint32_t ns = 0; r == 0 && ns < m->ns_names.n; ns++) {
			const struct bh_u32s *g = &m->ns[ns].groups;

			if (g->n == 0 || !ns_matches(m, t, ns))
				continue;
			for (size_t i = 0; r == 0 && i < g->n; i++)
				r = try_group(m, term, g->v[i]);
		}
		return r;
	}
	for (size_t i = 0; r == 0 && i < few->n; i++) {
		const char *name = m->run->groups[few->v[i]].ns;
		uint32_t ns;

		if (!bh_intern_find(&m->ns_names, name, strlen(name), &ns))
			continue;
		if (ns != last)
			in = ns_matches(m, t, ns);
		last = ns;
		if (in)
			r = try_group(m, term, few->v[i]);
	}
	return r;
}

int bh_phase_match(struct bh_run *run)
{
	bh_cleanup(match_done) struct match m = { .run = run };
	int r = addrs_collect(run);

	if (r == 0)
		r = groups_collect(run);
	if (r == 0)
		r = port_vecs_number(run);
	if (r == 0)
		r = namespaces_add(&m);
	for (uint32_t g = 0; r == 0 && g < run->group_keys.n; g++)
		r = group_index(&m, g);
	for (uint32_t t = 0; r == 0 && t < run->term_texts.n; t++)
		r = term_match(&m, t);
	return r;
}
