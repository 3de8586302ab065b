/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_vector.c - classes are known by their match vectors: numbers and texts
 *
 * A vector is the sorted list of the ids of all terms that match: selectors, what lies about addresses, what named
 * ports resolve to, and hostToContainer where it is not the default. The compiler's dictionary remembers which vector has which number; new vectors are numbered in
 * their own order, so that the same input gives the same numbers to an agent that starts again.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

/* ---- terms ---- */

struct text_order {
	const char *text;
	size_t size;
	uint32_t term;
};

static int text_cmp(const void *a, const void *b)
{
	const struct text_order *x = a, *y = b;
	int c = memcmp(x->text, y->text, BH_MIN(x->size, y->size));

	return c ? c : (x->size > y->size) - (x->size < y->size);
}

/* In order of their texts, so that the same policies get the same numbers after a restart. */
static int terms_number(struct bh_state *s, bool all)
{
	bh_autofree struct text_order *o = calloc(s->term_texts.n + 1, sizeof(*o));
	size_t n = 0;

	if (!o)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->term_texts.n; i++) {
		if (!bh_slot_live(&s->term_texts, i) || (s->terms[i].id && !all))
			continue;
		o[n].text = bh_slot_key(&s->term_texts, i, &o[n].size);
		o[n++].term = i;
	}
	qsort(o, n, sizeof(*o), text_cmp);
	for (size_t i = 0; i < n; i++) {
		int r = bh_dict_number(&s->c->terms, o[i].text, o[i].size, s->c->revision,
				       &s->terms[o[i].term].id);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- ports ---- */

struct port_text {
	const char *name;
	uint32_t l4, port;
};

/* By name, not by its slot: the text must not depend on the order of policies. */
static int port_text_cmp(const void *a, const void *b)
{
	const struct port_text *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	if (c)
		return c;
	if (x->l4 != y->l4)
		return x->l4 < y->l4 ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

/* "port metrics=9090/tcp, port web=80/tcp"; "" for none. */
static int ports_text(const struct bh_state *s, uint32_t vec, struct bh_buf *text)
{
	size_t n;
	const struct bh_resolved *ports = bh_vec_ports(s, vec, &n);
	bh_autofree struct port_text *v = calloc(n + 1, sizeof(*v));
	char l4[8];

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		v[i].name = bh_intern_key(&s->port_names, ports[i].name, NULL);
		v[i].l4 = ports[i].l4;
		v[i].port = ports[i].port;
	}
	qsort(v, n, sizeof(*v), port_text_cmp);
	for (size_t i = 0; i < n; i++)
		bh_buf_printf(text, "%sport %s=%u/%s", i ? ", " : "", v[i].name, v[i].port,
			      bh_l4_name(v[i].l4, l4));
	return bh_buf_failed(text) ? -ENOMEM : 0;
}

struct vec_order {
	struct bh_buf text;
	uint32_t vec;
};

static int vec_order_cmp(const void *a, const void *b)
{
	const struct vec_order *x = a, *y = b;

	return strcmp(bh_buf_str(&x->text), bh_buf_str(&y->text));
}

/* What named ports are stands in vectors too: it needs a number that lasts. */
static int ports_number(struct bh_state *s, bool all)
{
	struct vec_order *o = calloc(s->vec_keys.n + 1, sizeof(*o));
	size_t n = 0;
	int r = o ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < s->vec_keys.n; i++) {
		size_t n_ports;

		if (!bh_slot_live(&s->vec_keys, i) || (s->vecs[i].ports_id && !all))
			continue;
		s->vecs[i].ports_id = BH_NONE;
		(void)bh_vec_ports(s, i, &n_ports);
		if (n_ports == 0)
			continue;
		o[n].vec = i;
		r = ports_text(s, i, &o[n++].text);
	}
	if (r == 0)
		qsort(o, n, sizeof(*o), vec_order_cmp);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = bh_dict_number(&s->c->terms, bh_buf_str(&o[i].text), o[i].text.len,
				   s->c->revision, &s->vecs[o[i].vec].ports_id);
	for (size_t i = 0; o && i < n; i++)
		bh_buf_done(&o[i].text);
	free(o);
	return r;
}

/* ---- vectors ---- */

/* Not the text of a term: those of selectors have a colon, and no other begins like it. */
#define HOST_TEXT "hostToContainer policy"

struct vector {
	struct bh_u32s ids;
	uint32_t cls;
};

static int vector_cmp(const void *a, const void *b)
{
	const struct vector *x = a, *y = b;

	for (size_t i = 0; i < x->ids.n && i < y->ids.n; i++) {
		if (x->ids.v[i] != y->ids.v[i])
			return x->ids.v[i] < y->ids.v[i] ? -1 : 1;
	}
	return (x->ids.n > y->ids.n) - (x->ids.n < y->ids.n);
}

static int host_id_add(struct bh_state *s, struct bh_u32s *ids)
{
	uint32_t id;
	int r = bh_dict_number(&s->c->terms, HOST_TEXT, strlen(HOST_TEXT), s->c->revision, &id);

	return r < 0 ? r : bh_u32s_add(ids, id);
}

static int vector_make(struct bh_state *s, uint32_t cls, struct vector *v)
{
	const struct bh_cclass *c = &s->classes[cls];
	const uint32_t *terms;
	size_t n;
	int r = 0;

	v->cls = cls;
	if (c->vec != BH_NONE) {
		terms = bh_vec_terms(s, c->vec, &n);
		for (size_t i = 0; r == 0 && i < n; i++)
			r = bh_u32s_add(&v->ids, s->terms[terms[i]].id);
		if (r == 0 && s->vecs[c->vec].ports_id != BH_NONE)
			r = bh_u32s_add(&v->ids, s->vecs[c->vec].ports_id);
		if (r == 0 && bh_vec_host_judged(s, c->vec))
			r = host_id_add(s, &v->ids);
	}
	terms = bh_cset_terms(s, c->cset, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = bh_u32s_add(&v->ids, s->terms[terms[i]].id);
	bh_u32s_sort(&v->ids);
	return r;
}

static int number_give(struct bh_state *s, const struct vector *v)
{
	struct bh_cclass *c = &s->classes[v->cls];
	struct bh_dict *d = c->vec != BH_NONE ? &s->c->ep_classes : &s->c->out_classes;
	int r;

	if (c->vec == BH_NONE && v->ids.n == 0) {
		c->number = BH_CLASS_WORLD;
		return 0;
	}
	r = bh_dict_number(d, v->ids.n ? v->ids.v : (const uint32_t[]){ 0 },
			   v->ids.n * sizeof(*v->ids.v), s->c->revision, &c->number);
	return r == -E2BIG ? bh_err_set(s->err, r, "no class number is left") : r;
}

/* ---- the order of numbers ---- */

static size_t place_of(const struct bh_state *s, uint32_t number)
{
	size_t lo = 0, hi = s->n_by_number;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->classes[s->by_number[mid]].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int by_number_cmp(const void *a, const void *b, void *arg)
{
	const struct bh_state *s = arg;
	uint32_t x = s->classes[*(const uint32_t *)a].number,
		 y = s->classes[*(const uint32_t *)b].number;

	return (x > y) - (x < y);
}

static int order_add(struct bh_state *s, const struct vector *v, size_t n)
{
	size_t at;
	int r;

	for (size_t i = 0; i < n; i++) {
		r = bh_grow(&s->by_number, &s->cap_by_number, s->n_by_number,
			    sizeof(*s->by_number));
		if (r < 0)
			return r;
		at = n > 16 ? s->n_by_number : place_of(s, s->classes[v[i].cls].number);
		memmove(s->by_number + at + 1, s->by_number + at,
			(s->n_by_number - at) * sizeof(*s->by_number));
		s->by_number[at] = v[i].cls;
		s->n_by_number++;
	}
	if (n > 16)
		qsort_r(s->by_number, s->n_by_number, sizeof(*s->by_number), by_number_cmp, s);
	return 0;
}

void bh_class_unnumber(struct bh_state *s, uint32_t cls)
{
	size_t at;

	if (!s->classes[cls].number)
		return;
	at = place_of(s, s->classes[cls].number);
	if (at == s->n_by_number || s->by_number[at] != cls)
		return;
	memmove(s->by_number + at, s->by_number + at + 1,
		(s->n_by_number - at - 1) * sizeof(*s->by_number));
	s->n_by_number--;
}

/* @fresh: those that have no number yet; else those that have one. */
static int classes_number(struct bh_state *s, bool fresh)
{
	struct vector *v = calloc(s->class_keys.n + 1, sizeof(*v));
	size_t n = 0;
	int r = v ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < s->class_keys.n; i++) {
		if (bh_slot_live(&s->class_keys, i) && (s->classes[i].number == 0) == fresh)
			r = vector_make(s, i, &v[n++]);
	}
	if (r == 0 && fresh)
		qsort(v, n, sizeof(*v), vector_cmp);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = number_give(s, &v[i]);
	if (r == 0 && fresh)
		r = order_add(s, v, n);
	for (size_t i = 0; v && i < n; i++)
		bh_u32s_done(&v[i].ids);
	free(v);
	return r;
}

int bh_number_classes(struct bh_state *s, bool all)
{
	int r = terms_number(s, all);

	if (r == 0)
		r = ports_number(s, all);
	if (r == 0 && all)
		r = classes_number(s, false);
	return r < 0 ? r : classes_number(s, true);
}

/* ---- texts ---- */

#define CLASS_TEXT_MAX 240U

static int part_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t add_texts(const struct bh_state *s, const uint32_t *terms, size_t n,
			const char **parts)
{
	for (size_t i = 0; i < n; i++)
		parts[i] = bh_slot_key(&s->term_texts, terms[i], NULL);
	return n;
}

/* What the vector says: "10.0.0.0/8; port web=80/tcp; shop: app=web". */
int bh_emit_class_text(struct bh_state *s, uint32_t cls)
{
	struct bh_cclass *c = &s->classes[cls];
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT, ports = BH_BUF_INIT;
	size_t n_blocks, n_terms = 0, n;
	const uint32_t *blocks = bh_cset_terms(s, c->cset, &n_blocks), *terms = NULL;
	bh_autofree const char **parts = NULL;

	if (c->vec != BH_NONE) {
		terms = bh_vec_terms(s, c->vec, &n_terms);
		if (ports_text(s, c->vec, &ports) < 0)
			return -ENOMEM;
	}
	parts = calloc(n_blocks + n_terms + 2, sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	n = add_texts(s, blocks, n_blocks, parts);
	n += add_texts(s, terms, n_terms, parts + n);
	if (ports.len)
		parts[n++] = bh_buf_str(&ports);
	if (c->vec != BH_NONE && bh_vec_host_judged(s, c->vec))
		parts[n++] = HOST_TEXT;
	qsort(parts, n, sizeof(*parts), part_cmp);
	for (size_t i = 0; i < n && b.len < CLASS_TEXT_MAX; i++)
		bh_buf_printf(&b, "%s%s", i ? "; " : "", parts[i]);
	if (b.len >= CLASS_TEXT_MAX)
		bh_buf_puts(&b, "; ...");
	if (n == 0)
		bh_buf_puts(&b, c->vec != BH_NONE ? "other endpoints" : "world");
	if (bh_buf_failed(&b))
		return -ENOMEM;
	c->text = bh_emit_text(s, bh_buf_str(&b)) + 1;
	return 0;
}
