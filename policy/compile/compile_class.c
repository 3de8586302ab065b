/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_class.c - addresses with equal match vectors form a class
 *
 * A vector has two halves: what selectors, named ports and hostToContainer say of a group (bh_vec), and what terms
 * about addresses say of a piece of the address space (bh_cset). A class is a pair of them; addresses of no endpoint
 * have the second only. Its number comes from the compiler's dictionary by the ids of all its terms (compile_emit.c).
 *
 * A class that has lost its last address is idle, and stays until the next block is made: a container that is
 * replaced by its like changes nothing but the list of addresses.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

/* ---- what selectors and ports say ---- */

const uint32_t *bh_vec_terms(const struct bh_state *s, uint32_t vec, size_t *ret_n)
{
	const struct bh_vec_head *h = bh_slot_key(&s->vec_keys, vec, NULL);

	*ret_n = h->n_terms;
	return (const uint32_t *)(h + 1);
}

bool bh_vec_host_judged(const struct bh_state *s, uint32_t vec)
{
	const struct bh_vec_head *h = bh_slot_key(&s->vec_keys, vec, NULL);

	return h->host_judged != 0;
}

const struct bh_resolved *bh_vec_ports(const struct bh_state *s, uint32_t vec, size_t *ret_n)
{
	size_t size;
	const struct bh_vec_head *h = bh_slot_key(&s->vec_keys, vec, &size);
	const uint32_t *terms = (const uint32_t *)(h + 1);

	*ret_n = (size - sizeof(*h) - h->n_terms * sizeof(*terms)) / sizeof(struct bh_resolved);
	return (const struct bh_resolved *)(terms + h->n_terms);
}

static int vec_begin(struct bh_state *s, uint32_t vec)
{
	size_t n;
	const uint32_t *terms = bh_vec_terms(s, vec, &n);
	const struct bh_resolved *ports;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = bh_u32s_add(&s->terms[terms[i]].vecs, vec);
	ports = bh_vec_ports(s, vec, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i == 0 || ports[i].name != ports[i - 1].name)
			r = bh_u32s_add(&s->names[ports[i].name].vecs, vec);
	}
	return r;
}

static int vec_get(struct bh_state *s, const struct bh_group *g, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	const struct bh_vec_head head = { (uint32_t)g->terms.n, g->host_judged };
	bool fresh;
	int r;

	bh_buf_add(&key, &head, sizeof(head));
	bh_buf_add(&key, g->terms.v, g->terms.n * sizeof(*g->terms.v));
	for (size_t i = 0; i < g->n_ports; i++) {
		if (s->names[g->ports[i].name].uses)
			bh_buf_add(&key, &g->ports[i], sizeof(g->ports[i]));
	}
	if (bh_buf_failed(&key))
		return -ENOMEM;
	r = bh_slot_get(&s->vec_keys, key.data, key.len, ret, &fresh);
	if (r < 0 || !fresh)
		return r;
	r = bh_grow(&s->vecs, &s->cap_vecs, *ret, sizeof(*s->vecs));
	if (r < 0)
		return r;
	s->vecs[*ret] = (struct bh_vec){ .classes = { .v = NULL } };
	return vec_begin(s, *ret);
}

void bh_vec_put(struct bh_state *s, uint32_t vec)
{
	if (bh_slot_last(&s->vec_keys, vec)) {
		size_t n;
		const uint32_t *terms = bh_vec_terms(s, vec, &n);
		const struct bh_resolved *ports;

		for (size_t i = 0; i < n; i++)
			bh_u32s_remove(&s->terms[terms[i]].vecs, vec);
		ports = bh_vec_ports(s, vec, &n);
		for (size_t i = 0; i < n; i++) {
			if (i == 0 || ports[i].name != ports[i - 1].name)
				bh_u32s_remove(&s->names[ports[i].name].vecs, vec);
		}
		bh_u32s_done(&s->vecs[vec].classes);
	}
	(void)bh_slot_put(&s->vec_keys, vec);
}

/* ---- classes ---- */

int bh_class_resubject(struct bh_state *s, uint32_t cls)
{
	if (s->classes[cls].resubject)
		return 0;
	s->classes[cls].resubject = true;
	return bh_u32s_add(&s->resubject, cls);
}

static int class_begin(struct bh_state *s, uint32_t cls, uint32_t vec, uint32_t cset)
{
	int r;

	s->classes[cls] = (struct bh_cclass){
		.vec = vec,
		.cset = cset,
		.sigma = { BH_NONE, BH_NONE, BH_NONE },
	};
	s->changed = true;
	bh_slot_ref(&s->cset_keys, cset);
	if (vec == BH_NONE) {
		s->csets[cset].outside = cls;
		return bh_u32s_insert(&s->outsiders, cls);
	}
	bh_slot_ref(&s->vec_keys, vec);
	r = bh_u32s_add(&s->vecs[vec].classes, cls);
	if (r == 0 && s->csets[cset].classes.n == 0)
		r = bh_u32s_insert(&s->ep_csets, cset);
	return r < 0 ? r : bh_u32s_add(&s->csets[cset].classes, cls);
}

static int class_get(struct bh_state *s, uint32_t vec, uint32_t cset, uint32_t *ret)
{
	const uint32_t key[] = { vec, cset };
	bool fresh;
	int r;

	if (bh_slot_find(&s->class_keys, key, sizeof(key), ret))
		return 0;
	r = bh_slot_get(&s->class_keys, key, sizeof(key), ret, &fresh);
	if (r == 0)
		r = bh_grow(&s->classes, &s->cap_classes, *ret, sizeof(*s->classes));
	return r < 0 ? r : class_begin(s, *ret, vec, cset);
}

static unsigned family_index(uint8_t family)
{
	return family == 4 ? 0 : 1;
}

static int count_more(struct bh_state *s, uint32_t cls, uint8_t family, bool local)
{
	struct bh_cclass *c = &s->classes[cls];
	int r = 0;

	/* New, or back, or in reach of subjects that could not be its peers before. */
	if (c->n[family_index(family)]++ == 0) {
		if (bh_class_families(c) & ~c->emitted)
			s->changed = true;
		r = bh_u32s_add(&s->born, cls);
		if (r == 0)
			r = bh_class_resubject(s, cls);
	}
	if (local && c->n_local++ == 0 && r == 0)
		r = bh_class_resubject(s, cls);
	return r;
}

/* Nothing is done about it before it has to. */
static int count_less(struct bh_state *s, uint32_t cls, uint8_t family, bool local)
{
	struct bh_cclass *c = &s->classes[cls];
	bool zero = --c->n[family_index(family)] == 0;

	if (local)
		zero |= --c->n_local == 0;
	return zero ? bh_u32s_add(&s->idle, cls) : 0;
}

int bh_class_outside(struct bh_state *s, uint32_t cset, uint8_t family)
{
	uint32_t cls;
	int r = class_get(s, BH_NONE, cset, &cls);

	return r < 0 ? r : count_more(s, cls, family, false);
}

int bh_class_outside_drop(struct bh_state *s, uint32_t cset, uint8_t family)
{
	return count_less(s, s->csets[cset].outside, family, false);
}

int bh_class_leave(struct bh_state *s, uint32_t addr)
{
	struct bh_caddr *a = &s->addrs[addr];
	uint32_t cls = a->cls;

	if (cls == BH_NONE)
		return 0;
	a->cls = BH_NONE;
	return count_less(s, cls, a->addr.family, a->counted_local);
}

/* ---- what became dirty ---- */

static int group_settle(struct bh_state *s, uint32_t group)
{
	struct bh_group *g = &s->groups[group];
	uint32_t vec, old = g->vec;
	int r = vec_get(s, g, &vec);

	if (r < 0)
		return r;
	g->vec = vec;
	if (old != BH_NONE)
		bh_vec_put(s, old);
	for (size_t i = 0; r == 0 && vec != old && i < g->addrs.n; i++)
		r = bh_addr_dirty(s, g->addrs.v[i]);
	return r;
}

static int addr_settle(struct bh_state *s, uint32_t addr)
{
	struct bh_caddr *a = &s->addrs[addr];
	uint32_t cset = bh_cset_of(s, &a->addr), cls;
	int r;

	if (a->cset != cset) {
		bh_slot_ref(&s->cset_keys, cset);
		if (a->cset != BH_NONE) {
			r = bh_cset_put(s, a->cset);
			if (r < 0)
				return r;
		}
		a->cset = cset;
	}
	r = class_get(s, s->groups[a->group].vec, cset, &cls);
	if (r < 0 || (cls == a->cls && a->counted_local == a->local))
		return r;
	/* First in, then out: a class that it only changes its place in is not idle in between. */
	r = count_more(s, cls, a->addr.family, a->local);
	if (r == 0)
		r = bh_class_leave(s, addr);
	a->cls = cls;
	a->counted_local = a->local;
	return r;
}

int bh_classes_settle(struct bh_state *s)
{
	int r = s->pieces_dirty ? bh_pieces_make(s) : 0;

	for (; r == 0 && s->dirty_groups.n; s->dirty_groups.n--) {
		uint32_t g = s->dirty_groups.v[s->dirty_groups.n - 1];

		if (!bh_slot_live(&s->group_keys, g) || !s->groups[g].dirty)
			continue;
		s->groups[g].dirty = false;
		r = group_settle(s, g);
	}
	for (; r == 0 && s->dirty_addrs.n; s->dirty_addrs.n--) {
		uint32_t a = s->dirty_addrs.v[s->dirty_addrs.n - 1];

		if (!s->addrs[a].dirty || !s->addrs[a].addr.family)
			continue;
		s->addrs[a].dirty = false;
		r = addr_settle(s, a);
	}
	return r;
}

/* ---- idle ones ---- */

static int class_end(struct bh_state *s, uint32_t cls)
{
	struct bh_cclass c = s->classes[cls];
	int r = 0;

	s->changed = true;
	bh_class_unnumber(s, cls);
	bh_sigmas_forget(s, cls);
	for (enum bh_dir d = BH_DIR_INGRESS; r == 0 && d < BH_DIR_COUNT; d++) {
		if (c.sigma[d] != BH_NONE)
			r = bh_sigma_put(s, c.sigma[d]);
	}
	if (r < 0)
		return r;
	if (c.vec == BH_NONE) {
		s->csets[c.cset].outside = BH_NONE;
		bh_u32s_take(&s->outsiders, cls);
	} else {
		bh_u32s_remove(&s->vecs[c.vec].classes, cls);
		bh_u32s_remove(&s->csets[c.cset].classes, cls);
		if (s->csets[c.cset].classes.n == 0)
			bh_u32s_take(&s->ep_csets, c.cset);
		bh_vec_put(s, c.vec);
	}
	(void)bh_slot_put(&s->class_keys, cls);
	return bh_cset_put(s, c.cset);
}

int bh_classes_purge(struct bh_state *s)
{
	int r = 0;

	for (; r == 0 && s->idle.n; s->idle.n--) {
		uint32_t cls = s->idle.v[s->idle.n - 1];
		const struct bh_cclass *c = &s->classes[cls];

		if (!bh_slot_live(&s->class_keys, cls))
			continue;
		if (c->n[0] + c->n[1] == 0)
			r = class_end(s, cls);
		else
			r = bh_class_resubject(s, cls);
	}
	return r;
}
