/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile_class.c - addresses with equal match vectors form a class
 *
 * A vector is the sorted list of the ids of all terms that match: selectors, ipBlocks, and what named ports
 * resolve to. The compiler's dictionary remembers which vector has which number; new vectors are numbered in
 * their own order, so that the same input gives the same numbers to an agent that starts again.
 */
#include "common/util.h"
#include "policy/compile_internal.h"

#include <string.h>

#include "common/banned.h"

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

/* ---- which classes there are ---- */

static int class_new(struct bh_run *run, size_t *cap, const struct bh_cclass *c)
{
	int r = bh_grow(&run->classes, cap, run->n_classes, sizeof(*run->classes));

	if (r == 0)
		run->classes[run->n_classes++] = *c;
	return r;
}

/* Index of what the selectors and ports of a group say, apart from addresses. */
static int selector_vec(struct bh_intern *vecs, const struct bh_group *g, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;

	bh_buf_add(&key, &g->ports, sizeof(g->ports));
	if (g->terms.n)
		bh_buf_add(&key, g->terms.v, g->terms.n * sizeof(*g->terms.v));
	return bh_buf_failed(&key) ? -ENOMEM : bh_intern(vecs, key.data, key.len, ret);
}

static int endpoint_classes(struct bh_run *run, size_t *cap, uint32_t *vec_of)
{
	struct bh_intern pairs = { .table = NULL };
	const size_t first = run->n_classes;
	int r = 0;

	for (size_t i = 0; r == 0 && i < run->n_addrs; i++) {
		struct bh_caddr *a = &run->addrs[i];
		const uint32_t pair[] = { vec_of[a->group], bh_cidr_set_of(run, &a->addr) };
		uint32_t idx;

		r = bh_intern(&pairs, pair, sizeof(pair), &idx);
		if (r == 0 && first + idx == run->n_classes)
			r = class_new(run, cap,
				      &(struct bh_cclass){
					  .endpoint = true,
					  .group = a->group,
					  .cidrs = pair[1],
					  .ports = run->groups[a->group].ports,
				      });
		if (r == 0) {
			a->cls = (uint32_t)first + idx;
			run->classes[a->cls].local |= a->local;
			run->classes[a->cls].families |= bh_family_bit(&a->addr);
		}
	}
	bh_intern_done(&pairs);
	return r;
}

static int outside_classes(struct bh_run *run, size_t *cap)
{
	/* World is the class of the empty set; every other set of blocks has its own. */
	for (uint32_t s = 0; s < run->cidr_sets.n; s++) {
		int r = class_new(run, cap, &(struct bh_cclass){ .cidrs = s, .group = BH_NONE });

		if (r < 0)
			return r;
	}
	run->classes[0].families = BH_FAMILY_BOTH;
	for (size_t i = 0; i < run->n_pieces; i++) {
		run->pieces[i].cls = run->pieces[i].cidrs;
		run->classes[run->pieces[i].cls].families |= bh_family_bit(&run->pieces[i].lo);
	}
	return 0;
}

static int classes_find(struct bh_run *run)
{
	bh_autofree uint32_t *vec_of = calloc(run->group_keys.n + 1, sizeof(*vec_of));
	struct bh_intern vecs = { .table = NULL };
	size_t cap = 0;
	int r = vec_of ? 0 : -ENOMEM;

	for (uint32_t g = 0; r == 0 && g < run->group_keys.n; g++)
		r = selector_vec(&vecs, &run->groups[g], &vec_of[g]);
	if (r == 0)
		r = outside_classes(run, &cap);
	if (r == 0)
		r = endpoint_classes(run, &cap, vec_of);
	bh_intern_done(&vecs);
	return r;
}

/* ---- their numbers ---- */

static const uint32_t *cidr_terms(const struct bh_run *run, uint32_t set, size_t *ret_n)
{
	const uint32_t *v = bh_intern_key(&run->cidr_sets, set, ret_n);

	*ret_n /= sizeof(*v);
	return v;
}

static int vector_make(struct bh_run *run, uint32_t cls, struct vector *v)
{
	const struct bh_cclass *c = &run->classes[cls];
	const uint32_t *blocks;
	size_t n;
	int r = 0;

	v->cls = cls;
	if (c->endpoint) {
		const struct bh_group *g = &run->groups[c->group];

		for (size_t i = 0; r == 0 && i < g->terms.n; i++)
			r = bh_u32s_add(&v->ids, run->terms[g->terms.v[i]].id);
		if (r == 0 && run->port_vec_ids.v[c->ports] != BH_NONE)
			r = bh_u32s_add(&v->ids, run->port_vec_ids.v[c->ports]);
	}
	blocks = cidr_terms(run, c->cidrs, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = bh_u32s_add(&v->ids, run->terms[blocks[i]].id);
	bh_u32s_sort(&v->ids);
	return r;
}

static int number_give(struct bh_run *run, const struct vector *v)
{
	struct bh_cclass *c = &run->classes[v->cls];
	struct bh_dict *d = c->endpoint ? &run->c->ep_classes : &run->c->out_classes;
	int r;

	if (!c->endpoint && v->ids.n == 0) {
		c->number = BH_CLASS_WORLD;
		return 0;
	}
	r = bh_dict_number(d, v->ids.n ? v->ids.v : (const uint32_t[]){ 0 },
			   v->ids.n * sizeof(*v->ids.v), run->c->revision, &c->number);
	return r == -E2BIG ? bh_err_set(run->err, r, "no class number is left") : r;
}

struct by_number {
	uint32_t number, cls;
};

static int by_number_cmp(const void *a, const void *b)
{
	const struct by_number *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int classes_order(struct bh_run *run)
{
	bh_autofree struct by_number *o = calloc(run->n_classes, sizeof(*o));

	run->by_number = calloc(run->n_classes, sizeof(*run->by_number));
	if (!o || !run->by_number)
		return -ENOMEM;
	for (uint32_t i = 0; i < run->n_classes; i++)
		o[i] = (struct by_number){ run->classes[i].number, i };
	qsort(o, run->n_classes, sizeof(*o), by_number_cmp);
	for (size_t i = 0; i < run->n_classes; i++)
		run->by_number[i] = o[i].cls;
	return 0;
}

static int classes_number(struct bh_run *run)
{
	struct vector *v = calloc(run->n_classes, sizeof(*v));
	int r = v ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < run->n_classes; i++)
		r = vector_make(run, i, &v[i]);
	if (r == 0)
		qsort(v, run->n_classes, sizeof(*v), vector_cmp);
	for (size_t i = 0; r == 0 && i < run->n_classes; i++)
		r = number_give(run, &v[i]);
	for (size_t i = 0; v && i < run->n_classes; i++)
		bh_u32s_done(&v[i].ids);
	free(v);
	return r == 0 ? classes_order(run) : r;
}

/* ---- which classes a term matches ---- */

static int postings(struct bh_run *run, uint32_t cls)
{
	const struct bh_cclass *c = &run->classes[cls];
	const struct bh_resolved *ports;
	const uint32_t *blocks;
	size_t n;
	int r = 0;

	blocks = cidr_terms(run, c->cidrs, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = bh_u32s_add(&run->terms[blocks[i]].classes, cls);
	if (!c->endpoint)
		return r;
	for (size_t i = 0; r == 0 && i < run->groups[c->group].terms.n; i++)
		r = bh_u32s_add(&run->terms[run->groups[c->group].terms.v[i]].classes, cls);
	ports = bh_intern_key(&run->port_vecs, c->ports, &n);
	for (size_t i = 0; r == 0 && i < n / sizeof(*ports); i++) {
		if (i == 0 || ports[i].name != ports[i - 1].name)
			r = bh_u32s_add(&run->port_classes[ports[i].name], cls);
	}
	return r;
}

int bh_phase_class(struct bh_run *run)
{
	int r = classes_find(run);

	if (r == 0)
		r = classes_number(run);
	if (r == 0) {
		run->port_classes = calloc(run->port_names.n + 1, sizeof(*run->port_classes));
		if (!run->port_classes)
			r = -ENOMEM;
	}
	for (uint32_t i = 0; r == 0 && i < run->n_classes; i++)
		r = postings(run, i);
	return r;
}
