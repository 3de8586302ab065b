/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_index.c - hashed key -> numbers
 */
#include "policy/lint/lint_index.h"

#include "common/banned.h"

void lint_index_done(struct lint_index *x)
{
	free(x->v);
	free(x->bits);
	*x = (struct lint_index){ .v = NULL };
}

int lint_index_add(struct lint_index *x, uint64_t key, uint32_t value)
{
	if (x->n == x->cap) {
		size_t cap = x->cap ? x->cap * 2 : 64;
		struct lint_entry *v = reallocarray(x->v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		x->v = v;
		x->cap = cap;
	}
	x->v[x->n++] = (struct lint_entry){ key, value };
	return 0;
}

static int entry_cmp(const void *a, const void *b)
{
	const struct lint_entry *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

int lint_index_seal(struct lint_index *x)
{
	unsigned log = 10;

	if (x->n > 0)
		qsort(x->v, x->n, sizeof(*x->v), entry_cmp);
	while (log < 26 && (size_t)1 << log < 16 * x->n)
		log++;
	x->shift = 64 - log;
	x->bits = calloc(((size_t)1 << log) / 64, sizeof(*x->bits));
	if (!x->bits)
		return -ENOMEM;
	for (size_t i = 0; i < x->n; i++) {
		uint64_t bit = x->v[i].key >> x->shift;

		x->bits[bit / 64] |= UINT64_C(1) << bit % 64;
	}
	return 0;
}

/* The first entry that is not before (or, @behind, not with) a key. */
static size_t bound(const struct lint_index *x, uint64_t key, bool behind)
{
	size_t lo = 0, hi = x->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (x->v[mid].key < key || (behind && x->v[mid].key == key))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct lint_entry *lint_index_find(const struct lint_index *x, uint64_t key, size_t *ret_n)
{
	uint64_t bit = key >> x->shift;
	size_t first;

	*ret_n = 0;
	if (!(x->bits[bit / 64] >> bit % 64 & 1))
		return NULL;
	first = bound(x, key, false);
	*ret_n = bound(x, key, true) - first;
	return *ret_n ? &x->v[first] : NULL;
}
