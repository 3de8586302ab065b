/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile_number.c - interning, and numbers that keep their meaning from revision to revision
 */
#include "policy/compile_number.h"

#include "common/map.h"

#include <string.h>

#include "common/banned.h"

/* ---- lists ---- */

int bh_u32s_add(struct bh_u32s *l, uint32_t value)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;
		uint32_t *v = reallocarray(l->v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = value;
	return 0;
}

void bh_u32s_done(struct bh_u32s *l)
{
	free(l->v);
	*l = (struct bh_u32s){ .v = NULL };
}

static int u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void bh_u32s_sort(struct bh_u32s *l)
{
	size_t n = 0;

	if (l->n < 2)
		return;
	qsort(l->v, l->n, sizeof(*l->v), u32_cmp);
	for (size_t i = 0; i < l->n; i++) {
		if (i == 0 || l->v[i] != l->v[n - 1])
			l->v[n++] = l->v[i];
	}
	l->n = n;
}

/* ---- within one run ---- */

struct bh_intern_item {
	UT_hash_handle hh;
	size_t size;
	uint32_t index;
	_Alignas(8) uint8_t key[];
};

int bh_intern(struct bh_intern *t, const void *key, size_t size, uint32_t *ret)
{
	struct bh_intern_item *it;

	if (size == 0)
		key = "";
	HASH_FIND(hh, t->table, key, size, it);
	if (it) {
		*ret = it->index;
		return 0;
	}
	if (t->n >= UINT32_MAX - 1)
		return -E2BIG;
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 16;
		struct bh_intern_item **items = reallocarray(t->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		t->items = items;
		t->cap = cap;
	}
	it = malloc(sizeof(*it) + size + 1);
	if (!it)
		return -ENOMEM;
	it->size = size;
	it->index = (uint32_t)t->n;
	memcpy(it->key, key, size);
	it->key[size] = '\0';
	HASH_ADD_KEYPTR(hh, t->table, it->key, size, it);
	if (!it->hh.tbl) {
		free(it);
		return -ENOMEM;
	}
	t->items[t->n++] = it;
	*ret = it->index;
	return 0;
}

bool bh_intern_find(const struct bh_intern *t, const void *key, size_t size, uint32_t *ret)
{
	struct bh_intern_item *it;

	HASH_FIND(hh, t->table, key, size, it);
	if (it)
		*ret = it->index;
	return it != NULL;
}

const void *bh_intern_key(const struct bh_intern *t, uint32_t index, size_t *ret_size)
{
	if (ret_size)
		*ret_size = t->items[index]->size;
	return t->items[index]->key;
}

void bh_intern_done(struct bh_intern *t)
{
	HASH_CLEAR(hh, t->table);
	for (size_t i = 0; i < t->n; i++)
		free(t->items[i]);
	free(t->items);
	*t = (struct bh_intern){ .table = NULL };
}

/* ---- across runs ---- */

struct bh_dict_entry {
	UT_hash_handle hh;
	uint64_t used; /* last revision */
	uint32_t number;
	uint8_t key[];
};

void bh_dict_init(struct bh_dict *d, uint32_t first, uint32_t last)
{
	*d = (struct bh_dict){ .next = first, .last = last };
}

void bh_dict_done(struct bh_dict *d)
{
	struct bh_dict_entry *e, *tmp;

	HASH_ITER(hh, d->table, e, tmp) {
		HASH_DEL(d->table, e);
		free(e);
	}
	free(d->free);
	d->free = NULL;
	d->free_n = d->free_cap = 0;
}

static int free_push(struct bh_dict *d, uint32_t number)
{
	if (d->free_n == d->free_cap) {
		size_t cap = d->free_cap ? d->free_cap * 2 : 64;
		uint32_t *ring = calloc(cap, sizeof(*ring));

		if (!ring)
			return -ENOMEM;
		for (size_t i = 0; i < d->free_n; i++)
			ring[i] = d->free[(d->free_head + i) % d->free_cap];
		free(d->free);
		d->free = ring;
		d->free_cap = cap;
		d->free_head = 0;
	}
	d->free[(d->free_head + d->free_n++) % d->free_cap] = number;
	return 0;
}

static int number_take(struct bh_dict *d, uint32_t *ret)
{
	if (d->free_n) {
		*ret = d->free[d->free_head];
		d->free_head = (d->free_head + 1) % d->free_cap;
		d->free_n--;
		return 0;
	}
	if (d->next > d->last || d->next == 0)
		return -E2BIG;
	*ret = d->next++;
	return 0;
}

int bh_dict_number(struct bh_dict *d, const void *key, size_t size, uint64_t now, uint32_t *ret)
{
	struct bh_dict_entry *e;
	int r;

	HASH_FIND(hh, d->table, key, size, e);
	if (!e) {
		e = malloc(sizeof(*e) + size);
		if (!e)
			return -ENOMEM;
		e->used = now;
		if (size)
			memcpy(e->key, key, size);
		HASH_ADD_KEYPTR(hh, d->table, e->key, size, e);
		if (!e->hh.tbl) {
			free(e);
			return -ENOMEM;
		}
		r = number_take(d, &e->number);
		if (r < 0) {
			HASH_DEL(d->table, e);
			free(e);
			return r;
		}
	}
	e->used = now;
	*ret = e->number;
	return 0;
}

void bh_dict_sweep(struct bh_dict *d, uint64_t now)
{
	struct bh_dict_entry *next;

	for (struct bh_dict_entry *e = d->table; e; e = next) {
		next = e->hh.next;
		if (now - e->used <= BH_NUMBER_KEEP)
			continue;
		/* No memory to note a free number: it stays taken until the next sweep. */
		if (free_push(d, e->number) < 0)
			return;
		HASH_DEL(d->table, e);
		free(e);
	}
}
