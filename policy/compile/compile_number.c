/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_number.c - interning, and numbers that keep their meaning from revision to revision
 */
#include "policy/compile/compile_number.h"

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

void bh_u32s_remove(struct bh_u32s *l, uint32_t value)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i] == value) {
			l->v[i] = l->v[--l->n];
			return;
		}
	}
}

/* Where @value is or would be. */
static size_t place_of(const uint32_t *v, size_t n, uint32_t value)
{
	size_t lo = 0;

	while (lo < n) {
		size_t mid = lo + (n - lo) / 2;

		if (v[mid] < value)
			lo = mid + 1;
		else
			n = mid;
	}
	return lo;
}

bool bh_u32s_has(const uint32_t *v, size_t n, uint32_t value)
{
	size_t i = place_of(v, n, value);

	return i < n && v[i] == value;
}

int bh_u32s_insert(struct bh_u32s *l, uint32_t value)
{
	size_t i = place_of(l->v, l->n, value);
	int r;

	if (i < l->n && l->v[i] == value)
		return 0;
	r = bh_u32s_add(l, value);
	if (r < 0)
		return r;
	memmove(l->v + i + 1, l->v + i, (l->n - 1 - i) * sizeof(*l->v));
	l->v[i] = value;
	return 0;
}

void bh_u32s_take(struct bh_u32s *l, uint32_t value)
{
	size_t i = place_of(l->v, l->n, value);

	if (i == l->n || l->v[i] != value)
		return;
	memmove(l->v + i, l->v + i + 1, (l->n - i - 1) * sizeof(*l->v));
	l->n--;
}

/* ---- interned for good ---- */

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

/* ---- interned and counted ---- */

struct bh_slot {
	UT_hash_handle hh;
	size_t size;
	uint32_t slot, refs;
	_Alignas(8) uint8_t key[];
};

/* Room for one more slot, in *@ret. */
static int slot_room(struct bh_slots *t, uint32_t *ret)
{
	if (t->free.n) {
		*ret = t->free.v[t->free.n - 1];
		return 0;
	}
	if (t->n >= UINT32_MAX - 1)
		return -E2BIG;
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 16;
		struct bh_slot **items = reallocarray(t->items, cap, sizeof(struct bh_slot *));

		if (!items)
			return -ENOMEM;
		t->items = items;
		t->cap = cap;
	}
	*ret = (uint32_t)t->n;
	return 0;
}

int bh_slot_get(struct bh_slots *t, const void *key, size_t size, uint32_t *ret, bool *ret_new)
{
	struct bh_slot *it;
	uint32_t slot;
	int r;

	if (size == 0)
		key = "";
	HASH_FIND(hh, t->table, key, size, it);
	*ret_new = !it;
	if (it) {
		it->refs++;
		*ret = it->slot;
		return 0;
	}
	r = slot_room(t, &slot);
	if (r < 0)
		return r;
	it = malloc(sizeof(*it) + size + 1);
	if (!it)
		return -ENOMEM;
	it->size = size;
	it->slot = slot;
	it->refs = 1;
	memcpy(it->key, key, size);
	it->key[size] = '\0';
	HASH_ADD_KEYPTR(hh, t->table, it->key, size, it);
	if (!it->hh.tbl) {
		free(it);
		return -ENOMEM;
	}
	if (slot == t->n)
		t->n++;
	else
		t->free.n--;
	t->items[slot] = it;
	*ret = slot;
	return 0;
}

bool bh_slot_find(const struct bh_slots *t, const void *key, size_t size, uint32_t *ret)
{
	struct bh_slot *it;

	if (size == 0)
		key = "";
	HASH_FIND(hh, t->table, key, size, it);
	if (it)
		*ret = it->slot;
	return it != NULL;
}

void bh_slot_ref(struct bh_slots *t, uint32_t slot)
{
	t->items[slot]->refs++;
}

bool bh_slot_put(struct bh_slots *t, uint32_t slot)
{
	struct bh_slot *it = t->items[slot];

	if (--it->refs > 0)
		return false;
	HASH_DEL(t->table, it);
	free(it);
	t->items[slot] = NULL;
	/* Without memory to note it, the slot is never used again. */
	(void)!bh_u32s_add(&t->later, slot);
	return true;
}

bool bh_slot_last(const struct bh_slots *t, uint32_t slot)
{
	return t->items[slot]->refs == 1;
}

const void *bh_slot_key(const struct bh_slots *t, uint32_t slot, size_t *ret_size)
{
	if (ret_size)
		*ret_size = t->items[slot]->size;
	return t->items[slot]->key;
}

int bh_slots_settle(struct bh_slots *t)
{
	for (; t->later.n; t->later.n--) {
		int r = bh_u32s_add(&t->free, t->later.v[t->later.n - 1]);

		if (r < 0)
			return r;
	}
	return 0;
}

void bh_slots_done(struct bh_slots *t)
{
	HASH_CLEAR(hh, t->table);
	for (size_t i = 0; i < t->n; i++)
		free(t->items[i]);
	free(t->items);
	bh_u32s_done(&t->free);
	bh_u32s_done(&t->later);
	*t = (struct bh_slots){ .table = NULL };
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

void bh_dict_touch(struct bh_dict *d, const void *key, size_t size, uint64_t now)
{
	struct bh_dict_entry *e;

	HASH_FIND(hh, d->table, key, size, e);
	if (e)
		e->used = now;
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
