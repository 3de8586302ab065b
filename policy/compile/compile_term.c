/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_term.c - terms, and which groups of endpoints they match
 *
 * A term is one question about an address: does this selector match its endpoint, does it lie in this
 * ipBlock. Equal questions of different policies are one term, known by its canonical text; the text also
 * gives the term a number that lasts (vectors of these numbers are what classes are known by).
 *
 * DOC: Who has to meet whom
 *
 * A selector that wants key=value is filed under that label, in its namespace if it is bound to one; the others are
 * filed with their namespace, or with their selector of namespaces. Groups are filed under each of their labels in their
 * namespace. So a new group meets only terms that name one of its labels, and those without labels that its namespace
 * has; a new term meets only groups that have its label. Which namespaces a selector matches is kept.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

#define NAME_LABEL "kubernetes.io/metadata.name"

/* ---- canonical text ---- */

/* So that no value can be mistaken for punctuation: "a,b" is one value, not two. */
static void put_escaped(struct bh_buf *b, const char *s)
{
	for (; *s; s++) {
		if (strchr("\\,()!=;:{} ", *s))
			bh_buf_putc(b, '\\');
		bh_buf_putc(b, *s);
	}
}

static void put_requirement(struct bh_buf *b, const struct bh_sel_req *q)
{
	switch (q->op) {
	case BH_SEL_EXISTS:
		put_escaped(b, q->key);
		return;
	case BH_SEL_DOES_NOT_EXIST:
		bh_buf_putc(b, '!');
		put_escaped(b, q->key);
		return;
	case BH_SEL_IN:
	case BH_SEL_NOT_IN:
		break;
	case BH_SEL_INVALID:
		bh_buf_puts(b, "(never)");
		return;
	}
	put_escaped(b, q->key);
	if (q->n_values == 1) {
		bh_buf_puts(b, q->op == BH_SEL_IN ? "=" : "!=");
		put_escaped(b, q->values[0]);
		return;
	}
	bh_buf_puts(b, q->op == BH_SEL_IN ? " in (" : " notin (");
	for (size_t i = 0; i < q->n_values; i++) {
		if (i)
			bh_buf_putc(b, ',');
		put_escaped(b, q->values[i]);
	}
	bh_buf_putc(b, ')');
}

static void put_selector(struct bh_buf *b, const struct bh_selector *s)
{
	if (!s || s->n == 0) {
		bh_buf_putc(b, '*');
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			bh_buf_puts(b, ", ");
		put_requirement(b, &s->reqs[i]);
	}
}

static void put_block(struct bh_buf *b, const struct bh_ip_block *blk)
{
	char p[BH_PREFIX_STRLEN];

	bh_buf_puts(b, bh_prefix_format(&blk->cidr, p));
	for (size_t i = 0; i < blk->n_except; i++)
		bh_buf_printf(b, "%s%s", i ? ", " : " except ",
			      bh_prefix_format(&blk->except[i], p));
}

static void put_term(struct bh_buf *b, const struct bh_state *s, const struct bh_term *t,
		     const struct bh_selector *ns_sel)
{
	switch (t->kind) {
	case BH_TERM_BLOCK:
		put_block(b, t->block);
		return;
	case BH_TERM_NODES:
		bh_buf_puts(b, "nodes {");
		put_selector(b, t->nodes);
		bh_buf_putc(b, '}');
		return;
	case BH_TERM_NAMES:
		bh_buf_puts(b, "names");
		for (size_t i = 0; i < t->names->n; i++)
			bh_buf_printf(b, "%s%s", i ? ", " : " ", t->names->items[i]);
		return;
	case BH_TERM_RESOLVERS:
		bh_buf_puts(b, "resolvers");
		return;
	case BH_TERM_RESERVED:
		bh_buf_puts(b, "not the world");
		return;
	case BH_TERM_SELECTOR:
		break;
	}
	if (t->ns != BH_NONE) {
		put_escaped(b, bh_intern_key(&s->ns_names, t->ns, NULL));
	} else {
		bh_buf_putc(b, '{');
		put_selector(b, ns_sel);
		bh_buf_putc(b, '}');
	}
	bh_buf_puts(b, ": ");
	put_selector(b, t->pod);
}

/* ---- labels ---- */

/* @make: it comes to be if it is not there. *@ret BH_NONE: it is not there. */
static int label_at(struct bh_state *s, uint32_t ns, const char *key, const char *value, bool make,
		    uint32_t *ret)
{
	struct bh_buf *b = &s->key;
	int r;

	bh_buf_clear(b);
	bh_buf_add(b, &ns, sizeof(ns));
	bh_buf_add(b, key, strlen(key) + 1);
	bh_buf_puts(b, value);
	if (bh_buf_failed(b))
		return -ENOMEM;
	*ret = BH_NONE;
	if (!make) {
		(void)bh_intern_find(&s->label_keys, b->data, b->len, ret);
		return 0;
	}
	r = bh_grow(&s->labels, &s->cap_labels, s->label_keys.n, sizeof(*s->labels));
	return r < 0 ? r : bh_intern(&s->label_keys, b->data, b->len, ret);
}

/* The first requirement of the form key=value; NULL if there is none. */
static const struct bh_sel_req *wanted(const struct bh_selector *sel)
{
	for (size_t i = 0; sel && i < sel->n; i++) {
		if (sel->reqs[i].op == BH_SEL_IN && sel->reqs[i].n_values == 1)
			return &sel->reqs[i];
	}
	return NULL;
}

/* ---- groups that a term may match ---- */

int bh_group_dirty(struct bh_state *s, uint32_t group)
{
	if (s->groups[group].dirty)
		return 0;
	s->groups[group].dirty = true;
	return bh_u32s_add(&s->dirty_groups, group);
}

static int join(struct bh_state *s, uint32_t term, uint32_t group)
{
	const struct bh_term *t = &s->terms[term];
	struct bh_group *g = &s->groups[group];
	int r;

	if (t->pod && !bh_selector_match(t->pod, &g->labels))
		return 0;
	r = bh_u32s_insert(&g->terms, term);
	return r < 0 ? r : bh_group_dirty(s, group);
}

static int part(struct bh_state *s, uint32_t term, uint32_t group)
{
	struct bh_group *g = &s->groups[group];

	if (!bh_u32s_has(g->terms.v, g->terms.n, term))
		return 0;
	bh_u32s_take(&g->terms, term);
	return bh_group_dirty(s, group);
}

static int each_in(struct bh_state *s, uint32_t term, uint32_t ns,
		   int (*fn)(struct bh_state *, uint32_t, uint32_t))
{
	const struct bh_sel_req *q = wanted(s->terms[term].pod);
	const struct bh_u32s *l = &s->ns[ns].groups;
	int r = 0;

	if (q) {
		uint32_t label;

		r = label_at(s, ns, q->key, q->values[0], false, &label);
		if (r < 0 || label == BH_NONE)
			return r;
		l = &s->labels[label].groups;
	}
	for (size_t i = 0; r == 0 && i < l->n; i++)
		r = fn(s, term, l->v[i]);
	return r;
}

static int each_group(struct bh_state *s, uint32_t term,
		      int (*fn)(struct bh_state *, uint32_t, uint32_t))
{
	const struct bh_term *t = &s->terms[term];
	const struct bh_nssel *n;
	int r = 0;

	if (t->kind != BH_TERM_SELECTOR)
		return 0;
	if (t->nssel == BH_NONE)
		return each_in(s, term, t->ns, fn);
	n = &s->nssels[t->nssel];
	for (size_t i = 0; r == 0 && i < n->namespaces.n; i++)
		r = each_in(s, term, n->namespaces.v[i], fn);
	return r;
}

/* ---- selectors of namespaces ---- */

static int nssel_get(struct bh_state *s, const struct bh_selector *sel, struct bh_policy *p,
		     uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	struct bh_nssel *n;
	bool fresh;
	int r;

	put_selector(&text, sel);
	if (bh_buf_failed(&text))
		return -ENOMEM;
	r = bh_slot_get(&s->nssel_texts, bh_buf_str(&text), text.len, ret, &fresh);
	if (r == 0 && fresh) {
		r = bh_grow(&s->nssels, &s->cap_nssels, *ret, sizeof(*s->nssels));
		if (r < 0) {
			(void)bh_slot_put(&s->nssel_texts, *ret);
			return r;
		}
		n = &s->nssels[*ret];
		*n = (struct bh_nssel){ .owner = bh_policy_ref(p), .sel = sel };
		for (uint32_t i = 0; r == 0 && i < s->ns_names.n; i++) {
			if (sel && !bh_selector_match(sel, &s->ns[i].labels))
				continue;
			r = bh_u32s_insert(&n->namespaces, i);
			if (r == 0)
				r = bh_u32s_insert(&s->ns[i].nssels, *ret);
		}
	}
	return r;
}

static void nssel_done(struct bh_nssel *n)
{
	bh_policy_free(n->owner);
	bh_u32s_done(&n->namespaces);
	bh_u32s_done(&n->terms);
	bh_u32s_done(&n->bare);
	*n = (struct bh_nssel){ .owner = NULL };
}

static void nssel_put(struct bh_state *s, uint32_t nssel)
{
	struct bh_nssel *n = &s->nssels[nssel];

	if (!bh_slot_put(&s->nssel_texts, nssel))
		return;
	for (size_t i = 0; i < n->namespaces.n; i++)
		bh_u32s_take(&s->ns[n->namespaces.v[i]].nssels, nssel);
	nssel_done(n);
}

/* ---- terms ---- */

static int file_term(struct bh_state *s, uint32_t term)
{
	struct bh_term *t = &s->terms[term];
	const struct bh_sel_req *q = wanted(t->pod);
	int r = 0;

	t->label = BH_NONE;
	if (t->nssel != BH_NONE)
		r = bh_u32s_add(&s->nssels[t->nssel].terms, term);
	if (r == 0 && q) {
		r = label_at(s, t->ns, q->key, q->values[0], true, &t->label);
		if (r == 0)
			r = bh_u32s_add(&s->labels[t->label].terms, term);
	} else if (r == 0) {
		r = bh_u32s_add(
		    t->nssel != BH_NONE ? &s->nssels[t->nssel].bare : &s->ns[t->ns].bare, term);
	}
	return r;
}

static void unfile_term(struct bh_state *s, uint32_t term)
{
	struct bh_term *t = &s->terms[term];

	if (t->label != BH_NONE)
		bh_u32s_remove(&s->labels[t->label].terms, term);
	else
		bh_u32s_remove(t->nssel != BH_NONE ? &s->nssels[t->nssel].bare : &s->ns[t->ns].bare,
			       term);
	if (t->nssel == BH_NONE)
		return;
	bh_u32s_remove(&s->nssels[t->nssel].terms, term);
	nssel_put(s, t->nssel);
}

void bh_term_done(struct bh_term *t)
{
	bh_policy_free(t->owner);
	bh_u32s_done(&t->subjects);
	bh_u32s_done(&t->vecs);
	bh_u32s_done(&t->csets);
	bh_u32s_done(&t->sigmas);
	*t = (struct bh_term){ .owner = NULL };
}

static int term_begin(struct bh_state *s, uint32_t term, const struct bh_selector *ns_sel,
		      struct bh_policy *p)
{
	struct bh_term *t = &s->terms[term];
	int r;

	t->owner = p ? bh_policy_ref(p) : NULL;
	if (t->kind != BH_TERM_SELECTOR) {
		s->pieces_dirty = true;
		return 0;
	}
	t->nssel = BH_NONE;
	if (t->ns == BH_NONE) {
		r = nssel_get(s, ns_sel, p, &t->nssel);
		if (r < 0)
			return r;
	}
	r = file_term(s, term);
	return r < 0 ? r : each_group(s, term, join);
}

int bh_term_get(struct bh_state *s, const struct bh_term *t, const struct bh_selector *ns_sel,
		struct bh_policy *p, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	bool fresh;
	int r;

	if (ns_sel && ns_sel->n == 0)
		ns_sel = NULL;
	put_term(&text, s, t, ns_sel);
	if (bh_buf_failed(&text))
		return -ENOMEM;
	r = bh_slot_get(&s->term_texts, bh_buf_str(&text), text.len, ret, &fresh);
	if (r < 0 || !fresh)
		return r;
	r = bh_grow(&s->terms, &s->cap_terms, *ret, sizeof(*s->terms));
	if (r < 0) {
		(void)bh_slot_put(&s->term_texts, *ret);
		return r;
	}
	s->terms[*ret] = *t;
	return term_begin(s, *ret, ns_sel, p);
}

/* What vectors still say of it is in place until the slot is settled (compile.c). */
int bh_term_put(struct bh_state *s, uint32_t term)
{
	int r;

	if (!bh_slot_put(&s->term_texts, term))
		return 0;
	if (s->terms[term].kind != BH_TERM_SELECTOR) {
		s->pieces_dirty = true;
		return 0;
	}
	r = each_group(s, term, part);
	unfile_term(s, term);
	return r;
}

int bh_term_resubject(struct bh_state *s, uint32_t term)
{
	const struct bh_term *t = &s->terms[term];
	int r = 0;

	for (size_t i = 0; r == 0 && i < t->vecs.n; i++) {
		const struct bh_u32s *c = &s->vecs[t->vecs.v[i]].classes;

		for (size_t k = 0; r == 0 && k < c->n; k++)
			r = bh_class_resubject(s, c->v[k]);
	}
	return r;
}

/* ---- namespaces ---- */

static int ns_rematch(struct bh_state *s, uint32_t ns, uint32_t nssel)
{
	struct bh_nssel *n = &s->nssels[nssel];
	struct bh_ns *e = &s->ns[ns];
	bool was = bh_u32s_has(e->nssels.v, e->nssels.n, nssel);
	bool is = !n->sel || bh_selector_match(n->sel, &e->labels);
	int r = 0;

	if (was == is)
		return 0;
	if (is) {
		r = bh_u32s_insert(&n->namespaces, ns);
		if (r == 0)
			r = bh_u32s_insert(&e->nssels, nssel);
	} else {
		bh_u32s_take(&n->namespaces, ns);
		bh_u32s_take(&e->nssels, nssel);
	}
	for (size_t i = 0; r == 0 && i < n->terms.n; i++)
		r = each_in(s, n->terms.v[i], ns, is ? join : part);
	return r;
}

static int ns_labels(struct bh_state *s, uint32_t ns, const struct bh_labels *labels)
{
	struct bh_ns *e = &s->ns[ns];
	const char *name = bh_intern_key(&s->ns_names, ns, NULL);
	int r;

	bh_labels_done(&e->labels);
	/* A namespace that nobody declared exists with its name as label. */
	r = bh_labels_set(&e->labels, NAME_LABEL, name);
	for (size_t k = 0; r == 0 && labels && k < labels->n; k++)
		r = bh_labels_set(&e->labels, labels->items[k].key, labels->items[k].value);
	for (uint32_t i = 0; r == 0 && i < s->nssel_texts.n; i++) {
		if (bh_slot_live(&s->nssel_texts, i))
			r = ns_rematch(s, ns, i);
	}
	return r;
}

int bh_ns_get(struct bh_state *s, const char *name, uint32_t *ret)
{
	size_t n = s->ns_names.n;
	int r = bh_grow(&s->ns, &s->cap_ns, n, sizeof(*s->ns));

	if (r == 0)
		r = bh_intern(&s->ns_names, name, strlen(name), ret);
	return r < 0 || *ret != n ? r : ns_labels(s, *ret, NULL);
}

/* What ns_labels() would make of them. */
static bool labels_are(const struct bh_labels *have, const struct bh_labels *want, const char *name)
{
	bool named = want && bh_labels_get(want, NAME_LABEL);

	if (have->n != (want ? want->n : 0) + (named ? 0 : 1))
		return false;
	if (!named && !bh_streq(bh_labels_get(have, NAME_LABEL), name))
		return false;
	for (size_t i = 0; want && i < want->n; i++) {
		if (!bh_streq(bh_labels_get(have, want->items[i].key), want->items[i].value))
			return false;
	}
	return true;
}

int bh_ns_declare(struct bh_state *s, const struct bh_policy_set *set)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->n_namespaces; i++) {
		uint32_t ns;

		r = bh_ns_get(s, set->namespaces[i]->name, &ns);
	}
	for (uint32_t i = 0; r == 0 && i < s->ns_names.n; i++) {
		const char *name = bh_intern_key(&s->ns_names, i, NULL);
		const struct bh_namespace *d = bh_policy_set_namespace(set, name);

		if (!labels_are(&s->ns[i].labels, d ? &d->labels : NULL, name))
			r = ns_labels(s, i, d ? &d->labels : NULL);
	}
	return r;
}

/* ---- groups ---- */

static int meet_all(struct bh_state *s, const struct bh_u32s *terms, uint32_t group)
{
	const struct bh_ns *ns = &s->ns[s->groups[group].ns];
	int r = 0;

	for (size_t i = 0; r == 0 && i < terms->n; i++) {
		const struct bh_term *t = &s->terms[terms->v[i]];

		if (t->nssel != BH_NONE && !bh_u32s_has(ns->nssels.v, ns->nssels.n, t->nssel))
			continue;
		r = join(s, terms->v[i], group);
	}
	return r;
}

static int index_label(struct bh_state *s, uint32_t group, const struct bh_label *l)
{
	uint32_t label, everywhere;
	int r = label_at(s, s->groups[group].ns, l->key, l->value, true, &label);

	if (r == 0)
		r = bh_u32s_add(&s->groups[group].label_entries, label);
	if (r == 0)
		r = bh_u32s_add(&s->labels[label].groups, group);
	if (r == 0)
		r = meet_all(s, &s->labels[label].terms, group);
	if (r == 0)
		r = label_at(s, BH_NONE, l->key, l->value, false, &everywhere);
	if (r == 0 && everywhere != BH_NONE)
		r = meet_all(s, &s->labels[everywhere].terms, group);
	return r;
}

int bh_group_index(struct bh_state *s, uint32_t group)
{
	const struct bh_group *g = &s->groups[group];
	const struct bh_ns *ns = &s->ns[g->ns];
	int r = bh_u32s_add(&s->ns[g->ns].groups, group);

	for (size_t i = 0; r == 0 && i < g->labels.n; i++)
		r = index_label(s, group, &g->labels.items[i]);
	if (r == 0)
		r = meet_all(s, &ns->bare, group);
	for (size_t i = 0; r == 0 && i < ns->nssels.n; i++)
		r = meet_all(s, &s->nssels[ns->nssels.v[i]].bare, group);
	return r;
}

void bh_group_unindex(struct bh_state *s, uint32_t group)
{
	struct bh_group *g = &s->groups[group];

	bh_u32s_remove(&s->ns[g->ns].groups, group);
	for (size_t i = 0; i < g->label_entries.n; i++)
		bh_u32s_remove(&s->labels[g->label_entries.v[i]].groups, group);
}
