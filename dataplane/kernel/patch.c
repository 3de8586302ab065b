// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/patch.c - other addresses under the same rule set: what changes in the maps
 *
 * DOC: Why there is a second way
 *
 * An endpoint that comes or goes with a class that is known changes a few elements. To make the whole projection for that
 * cost 10 ms with 10,000 endpoints and as many policies, nearly all of what the change took. As long as the rule set is the
 * same, everything but `peer` and `subj_*` is; those are compared with the addresses, which are sorted alike.
 *
 * One more thing hangs on addresses: cells and results are only there for subjects that have a local address of the family.
 * Where the last address of such a class goes, or the first comes, the whole projection is made.
 */
#include "dataplane/kernel/patch.h"

#include <stdlib.h>
#include <string.h>

#include "common/util.h"

#include "common/banned.h"

struct maker {
	const struct bh_projection *now;
	const struct bh_ruleset *rs;
	const struct bh_addr_class *addrs;
	size_t n_addrs;
	struct bh_patch *p;
};

/* The first of @v[@lo] to @v[@hi - 1] that is not before @e; @hi: none. */
static size_t lower_bound(const struct bh_kelem *v, size_t lo, size_t hi, const struct bh_kelem *e)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_kelem_cmp(&v[mid], e) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The elements of a map: from *@ret_first on. Return: behind the last */
static size_t range_of(const struct bh_projection *p, uint8_t family, enum bh_kset set,
		       size_t *ret_first)
{
	struct bh_kelem e = {
		.set = (uint8_t)set,
		.family = family,
		.key_len = (uint8_t)bh_kset_key_len(set, family),
	};

	*ret_first = lower_bound(p->elems, 0, p->n, &e);
	e.set++;
	e.key_len = (uint8_t)bh_kset_key_len(set + 1, family);
	return lower_bound(p->elems, *ret_first, p->n, &e);
}

/* @side has room for BH_PATCH_MAX. */
static bool note(struct bh_projection *side, const struct bh_kelem *e)
{
	if (side->n == BH_PATCH_MAX)
		return false;
	side->elems[side->n++] = *e;
	return true;
}

static bool note_come(const struct maker *m, const struct bh_addr_class *a, enum bh_kset set)
{
	struct bh_kelem e = {
		.set = (uint8_t)set,
		.family = a->addr.family,
		.key_len = (uint8_t)bh_kset_key_len(set, a->addr.family),
		.flag = set == BH_KSET_PEER && a->local,
		.data = a->cls,
	};

	/* What must not reach the kernel is told by who makes the whole. */
	if (a->cls <= BH_CLASS_ENDPOINT || !bh_ruleset_class(m->rs, a->cls))
		return false;
	memcpy(e.key, a->addr.bytes, e.key_len);
	return note(&m->p->come, &e);
}

static bool is_subject(const struct maker *m, const struct bh_addr_class *a, enum bh_kset set)
{
	const struct bh_class *c = bh_ruleset_class(m->rs, a->cls);

	return c && (set == BH_KSET_SUBJ_IN ? c->subject_in : c->subject_eg);
}

#define MAPS 3U

/* Where the comparison with a map stands. */
struct cursor {
	enum bh_kset set;
	size_t at, end;
};

/* What the map holds of lower addresses has none any more. */
static bool pass(const struct maker *m, struct cursor *c, const uint8_t *addr, size_t len)
{
	const struct bh_kelem *e = m->now->elems;

	for (; c->at < c->end && (!addr || memcmp(e[c->at].key, addr, len) < 0); c->at++)
		if (!note(&m->p->gone, &e[c->at]))
			return false;
	return true;
}

/* The element of the address; NULL: the map has none. */
static const struct bh_kelem *element_of(const struct maker *m, const struct cursor *c,
					 const struct bh_addr_class *a, size_t len)
{
	const struct bh_kelem *e = &m->now->elems[c->at];

	return c->at < c->end && memcmp(e->key, a->addr.bytes, len) == 0 ? e : NULL;
}

static bool change(const struct maker *m, struct cursor *c, const struct bh_addr_class *a,
		   size_t len, bool want)
{
	const struct bh_kelem *e = element_of(m, c, a, len);

	if (e && want && e->data == a->cls && e->flag == (c->set == BH_KSET_PEER && a->local))
		want = false;
	else if (e && !note(&m->p->gone, e))
		return false;
	c->at += e != NULL;
	return !want || note_come(m, a, c->set);
}

/* @c: peer, subj_in, subj_eg. Return: 1 if the address is as it was; 0: changes were noted; -1: they cannot be */
static int compare(const struct maker *m, struct cursor *c, const struct bh_addr_class *a,
		   size_t len)
{
	const struct bh_kelem *e;
	bool known;

	if (!pass(m, &c[0], a->addr.bytes, len))
		return -1;
	e = element_of(m, &c[0], a, len);
	known = e && e->data == a->cls && e->flag == a->local;
	/* Remote as before: no subject, then and now. */
	if (known && !a->local) {
		c[0].at++;
		return 1;
	}
	for (size_t i = 0; i < MAPS; i++) {
		if (!pass(m, &c[i], a->addr.bytes, len))
			return -1;
		if (known)
			c[i].at += element_of(m, &c[i], a, len) != NULL;
		else if (!change(m, &c[i], a, len,
				 i == 0 || (a->local && is_subject(m, a, c[i].set))))
			return -1;
	}
	return known;
}

static bool compare_family(const struct maker *m, uint8_t family, size_t *k)
{
	struct cursor c[MAPS] = { { .set = BH_KSET_PEER },
				  { .set = BH_KSET_SUBJ_IN },
				  { .set = BH_KSET_SUBJ_EG } };
	const size_t len = bh_kset_key_len(BH_KSET_PEER, family);
	int known = 0;

	for (size_t i = 0; i < MAPS; i++)
		c[i].end = range_of(m->now, family, c[i].set, &c[i].at);
	for (; *k < m->n_addrs && m->addrs[*k].addr.family == family; (*k)++) {
		const struct bh_addr_class *a = &m->addrs[*k];
		int before = known;

		known = compare(m, c, a, len);
		if (known < 0)
			return false;
		/* Neighbours that the map holds one after the other are in order. */
		if (*k > 0 && !(before && known) && bh_addr_cmp(&a[-1].addr, &a->addr) >= 0)
			return false;
	}
	return pass(m, &c[0], NULL, len) && pass(m, &c[1], NULL, len) && pass(m, &c[2], NULL, len);
}

static size_t count_class(const struct bh_projection *p, const struct bh_kelem *like)
{
	size_t i, end = range_of(p, like->family, like->set, &i), n = 0;

	for (; i < end; i++)
		n += p->elems[i].data == like->data;
	return n;
}

/* Has each class of subjects an address as it had, or none as it had none? */
static bool lives_as_before(const struct maker *m, const struct bh_projection *changed)
{
	for (size_t i = 0; i < changed->n; i++) {
		const struct bh_kelem *e = &changed->elems[i];
		size_t before;

		if (e->set == BH_KSET_PEER)
			continue;
		before = count_class(m->now, e);
		if (before == 0 ||
		    before + count_class(&m->p->come, e) == count_class(&m->p->gone, e))
			return false;
	}
	return true;
}

static int cmp_elems(const void *a, const void *b)
{
	return bh_kelem_cmp(a, b);
}

int bh_patch_make(const struct bh_projection *now, const struct bh_ruleset *rs,
		  const struct bh_addr_class *addrs, size_t n_addrs, struct bh_patch *ret)
{
	struct bh_patch p = { .gone = { .n = 0 } };
	const struct maker m = { now, rs, addrs, n_addrs, &p };
	size_t k = 0;
	bool can;

	p.gone.elems = calloc(BH_PATCH_MAX, sizeof(*p.gone.elems));
	p.come.elems = calloc(BH_PATCH_MAX, sizeof(*p.come.elems));
	if (!p.gone.elems || !p.come.elems) {
		bh_patch_done(&p);
		return -ENOMEM;
	}
	can = compare_family(&m, 4, &k) && compare_family(&m, 6, &k) && k == n_addrs;
	/* The maps were looked at side by side. */
	qsort(p.gone.elems, p.gone.n, sizeof(*p.gone.elems), cmp_elems);
	qsort(p.come.elems, p.come.n, sizeof(*p.come.elems), cmp_elems);
	can = can && lives_as_before(&m, &p.gone) && lives_as_before(&m, &p.come);
	if (!can) {
		bh_patch_done(&p);
		return 0;
	}
	*ret = p;
	return 1;
}

void bh_patch_done(struct bh_patch *p)
{
	bh_projection_done(&p->gone);
	bh_projection_done(&p->come);
}

int bh_patch_reserve(struct bh_projection *now, const struct bh_patch *p)
{
	struct bh_kelem *e = reallocarray(now->elems, now->n + p->come.n + 1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	now->elems = e;
	return 0;
}

/* Each element moves twice at most. */
void bh_patch_apply(struct bh_projection *now, const struct bh_patch *p)
{
	const struct bh_kelem *gone = p->gone.elems, *come = p->come.elems;
	struct bh_kelem *e = now->elems;
	size_t n = now->n, to, at, next;

	/* What is behind one that goes moves up, as far as the next one that goes. */
	to = at = p->gone.n > 0 ? lower_bound(e, 0, n, &gone[0]) : n;
	for (size_t i = 0; i < p->gone.n; i++, at = next) {
		next = i + 1 < p->gone.n ? lower_bound(e, at + 1, n, &gone[i + 1]) : n;
		memmove(&e[to], &e[at + 1], (next - at - 1) * sizeof(*e));
		to += next - at - 1;
	}
	/* From the end: what is behind one that comes moves to its place. */
	n = to;
	now->n = to = n + p->come.n;
	for (size_t i = p->come.n; i-- > 0; n = at) {
		at = lower_bound(e, 0, n, &come[i]);
		to -= n - at;
		memmove(&e[to], &e[at], (n - at) * sizeof(*e));
		e[--to] = come[i];
	}
}
