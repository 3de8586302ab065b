/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_number.h - numbers for things that are known by their contents (inside policy/ only)
 *
 * struct bh_intern	equal bytes, equal index; indexes are dense from 0 and never given up
 * struct bh_slots	the same, counted: who needs it no more gives it back, and the slot may be used again
 * struct bh_dict	across runs: equal bytes, equal number, for as long as they were used within the last
 *			BH_NUMBER_KEEP revisions; only then may the number get another meaning
 * struct bh_u32s	a growing list
 *
 * Thread-safety: each belongs to one thread.
 */
#ifndef BH_POLICY_COMPILE_NUMBER_H
#define BH_POLICY_COMPILE_NUMBER_H

#include "common/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Revisions for which an unused number keeps its meaning: the agent resolves old events by it. */
#define BH_NUMBER_KEEP 64U

struct bh_u32s {
	uint32_t *v;
	size_t n, cap;
};
int bh_u32s_add(struct bh_u32s *l, uint32_t value) bh_must_check;
void bh_u32s_done(struct bh_u32s *l);
void bh_u32s_sort(struct bh_u32s *l); /* ascending, each once */
/* One occurrence of @value, if there is one; the order is not kept. */
void bh_u32s_remove(struct bh_u32s *l, uint32_t value);
/* Lists that are kept ascending: -ENOMEM; adds once. */
int bh_u32s_insert(struct bh_u32s *l, uint32_t value) bh_must_check;
void bh_u32s_take(struct bh_u32s *l, uint32_t value);
bool bh_u32s_has(const uint32_t *v, size_t n, uint32_t value);

struct bh_intern_item;
struct bh_intern {
	struct bh_intern_item *table;
	struct bh_intern_item **items;
	size_t n, cap;
};
int bh_intern(struct bh_intern *t, const void *key, size_t size, uint32_t *ret) bh_must_check;
bool bh_intern_find(const struct bh_intern *t, const void *key, size_t size, uint32_t *ret);
/* The bytes behind an index; aligned for any type. */
const void *bh_intern_key(const struct bh_intern *t, uint32_t index, size_t *ret_size);
void bh_intern_done(struct bh_intern *t);

struct bh_slot;
struct bh_slots {
	struct bh_slot *table;
	struct bh_slot **items; /* NULL: free */
	size_t n, cap;          /* slots ever used */
	struct bh_u32s free;    /* to be used again */
	struct bh_u32s later;   /* given up, but perhaps still named somewhere */
};
/* With a reference. *@ret_new: it was not there. */
int bh_slot_get(struct bh_slots *t, const void *key, size_t size, uint32_t *ret, bool *ret_new)
    bh_must_check;
bool bh_slot_find(const struct bh_slots *t, const void *key, size_t size, uint32_t *ret);
void bh_slot_ref(struct bh_slots *t, uint32_t slot);
/* true: that was the last reference. The slot is not used again before bh_slots_settle(). */
bool bh_slot_put(struct bh_slots *t, uint32_t slot);
/* The next bh_slot_put() is the last. */
bool bh_slot_last(const struct bh_slots *t, uint32_t slot);
const void *bh_slot_key(const struct bh_slots *t, uint32_t slot, size_t *ret_size);
static inline bool bh_slot_live(const struct bh_slots *t, uint32_t slot)
{
	return slot < t->n && t->items[slot];
}
int bh_slots_settle(struct bh_slots *t) bh_must_check;
void bh_slots_done(struct bh_slots *t);

struct bh_dict_entry;
struct bh_dict {
	struct bh_dict_entry *table;
	uint32_t next, last; /* numbers never given yet */
	uint32_t *free;      /* ring of numbers that may be given again, the oldest first */
	size_t free_head, free_n, free_cap;
};
void bh_dict_init(struct bh_dict *d, uint32_t first, uint32_t last);
void bh_dict_done(struct bh_dict *d);
/* -E2BIG: no number is left. @now: revision. */
int bh_dict_number(struct bh_dict *d, const void *key, size_t size, uint64_t now, uint32_t *ret)
    bh_must_check;
/* It is used at @now, too. */
void bh_dict_touch(struct bh_dict *d, const void *key, size_t size, uint64_t now);
/* Forgets what was not used for BH_NUMBER_KEEP revisions. */
void bh_dict_sweep(struct bh_dict *d, uint64_t now);

#endif
