// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/flow.c - the flows of one engine: a table of fixed size
 *
 * DOC: Memory
 *
 * Flows lie in one array; a free one is chained through its `newer`. The hash index beside it has four
 * bytes a slot and twice as many slots as flows, so that it is at most half full and a search for a flow
 * that is not there ends soon, whatever an attacker sends: the hash is keyed.
 */
#include "dataplane/classifier/flow.h"

#include <linux/netfilter.h>
#include <string.h>

#include "common/banned.h"

/* A connection begins at the hook that its first packet crosses. */
enum bh_node_end bh_flow_node_end(const struct bh_flow_key *key)
{
	switch (key->where) {
	case NF_INET_LOCAL_IN:
		return BH_NODE_SERVER;
	case NF_INET_LOCAL_OUT:
		return BH_NODE_CLIENT;
	default:
		return BH_NODE_NONE;
	}
}

struct list {
	uint32_t oldest, newest;
};

struct bh_flow_table {
	struct bh_hash_key key;
	uint32_t capacity; /* a power of two */
	uint32_t used;
	uint32_t free;   /* chain of free flows */
	uint32_t fresh;  /* from here on no flow was ever used */
	uint32_t *slots; /* index + 1; 0: empty */
	struct bh_flow *flows;
	struct list lists[BH_FLOW_STATE_COUNT];
};

static uint32_t slot_mask(const struct bh_flow_table *t)
{
	return t->capacity * 2 - 1;
}

int bh_flow_table_new(uint32_t capacity, const struct bh_hash_key *key, struct bh_flow_table **ret)
{
	bh_cleanup(bh_flow_table_freep) struct bh_flow_table *t = calloc(1, sizeof(*t));
	uint32_t n = 16;
	size_t i;

	if (!t)
		return -ENOMEM;
	while (n < capacity && n < UINT32_C(1) << 30)
		n *= 2;
	t->key = *key;
	t->capacity = n;
	t->free = BH_FLOW_NONE;
	t->slots = calloc((size_t)n * 2, sizeof(*t->slots));
	t->flows = calloc(n, sizeof(*t->flows));
	if (!t->slots || !t->flows)
		return -ENOMEM;
	for (i = 0; i < BH_FLOW_STATE_COUNT; i++)
		t->lists[i] = (struct list){ BH_FLOW_NONE, BH_FLOW_NONE };
	*ret = bh_take_ptr(&t);
	return 0;
}

struct bh_flow_table *bh_flow_table_free(struct bh_flow_table *t)
{
	if (t) {
		free(t->slots);
		free(t->flows);
		free(t);
	}
	return NULL;
}

uint32_t bh_flow_count(const struct bh_flow_table *t)
{
	return t->used;
}

uint32_t bh_flow_index(const struct bh_flow_table *t, const struct bh_flow *f)
{
	return (uint32_t)(f - t->flows);
}

struct bh_flow *bh_flow_at(struct bh_flow_table *t, uint32_t index)
{
	return index < t->capacity && t->flows[index].state != BH_FLOW_FREE ? &t->flows[index]
									    : NULL;
}

static void list_add(struct bh_flow_table *t, struct bh_flow *f, enum bh_flow_state state)
{
	struct list *l = &t->lists[state];
	uint32_t i = bh_flow_index(t, f);

	f->state = (uint8_t)state;
	f->newer = BH_FLOW_NONE;
	f->older = l->newest;
	if (l->newest == BH_FLOW_NONE)
		l->oldest = i;
	else
		t->flows[l->newest].newer = i;
	l->newest = i;
}

static void list_remove(struct bh_flow_table *t, struct bh_flow *f)
{
	struct list *l = &t->lists[f->state];

	if (f->older == BH_FLOW_NONE)
		l->oldest = f->newer;
	else
		t->flows[f->older].newer = f->newer;
	if (f->newer == BH_FLOW_NONE)
		l->newest = f->older;
	else
		t->flows[f->newer].older = f->older;
}

/* Slot of the flow with this key, or the empty one where it would stand. */
static uint32_t find_slot(const struct bh_flow_table *t, const struct bh_flow_key *key,
			  uint32_t hash)
{
	uint32_t i = hash & slot_mask(t);

	for (; t->slots[i]; i = (i + 1) & slot_mask(t)) {
		const struct bh_flow *f = &t->flows[t->slots[i] - 1];

		if (f->hash == hash && memcmp(&f->key, key, sizeof(*key)) == 0)
			break;
	}
	return i;
}

static uint32_t hash_of(const struct bh_flow_table *t, const struct bh_flow_key *key)
{
	return (uint32_t)bh_siphash(key, sizeof(*key), &t->key);
}

struct bh_flow *bh_flow_find(struct bh_flow_table *t, const struct bh_flow_key *key)
{
	uint32_t i = find_slot(t, key, hash_of(t, key));

	return t->slots[i] ? &t->flows[t->slots[i] - 1] : NULL;
}

struct bh_flow *bh_flow_add(struct bh_flow_table *t, const struct bh_flow_key *key, bh_msec_t now)
{
	uint32_t hash = hash_of(t, key), i;
	struct bh_flow *f;

	if (t->free != BH_FLOW_NONE) {
		i = t->free;
		t->free = t->flows[i].newer;
	} else if (t->fresh < t->capacity) {
		i = t->fresh++;
	} else {
		return NULL;
	}
	f = &t->flows[i];
	memset(f, 0, sizeof(*f));
	f->key = *key;
	f->hash = hash;
	f->context = BH_FLOW_NONE;
	f->since = now;
	list_add(t, f, BH_FLOW_IDLE);
	t->slots[find_slot(t, key, hash)] = i + 1;
	t->used++;
	return f;
}

void bh_flow_remove(struct bh_flow_table *t, struct bh_flow *f)
{
	uint32_t hole = find_slot(t, &f->key, f->hash), i = hole;

	list_remove(t, f);
	f->state = BH_FLOW_FREE;
	f->newer = t->free;
	t->free = bh_flow_index(t, f);
	t->used--;

	/* Close the gap with whatever could have stood in it. */
	for (;;) {
		uint32_t home;

		i = (i + 1) & slot_mask(t);
		if (!t->slots[i])
			break;
		home = t->flows[t->slots[i] - 1].hash & slot_mask(t);
		if (((i - home) & slot_mask(t)) < ((i - hole) & slot_mask(t)))
			continue;
		t->slots[hole] = t->slots[i];
		hole = i;
	}
	t->slots[hole] = 0;
}

void bh_flow_move(struct bh_flow_table *t, struct bh_flow *f, enum bh_flow_state state,
		  bh_msec_t now)
{
	list_remove(t, f);
	list_add(t, f, state);
	f->since = now;
}

struct bh_flow *bh_flow_oldest(struct bh_flow_table *t, enum bh_flow_state state)
{
	uint32_t i = t->lists[state].oldest;

	return i == BH_FLOW_NONE ? NULL : &t->flows[i];
}

struct bh_flow *bh_flow_newer(struct bh_flow_table *t, const struct bh_flow *f)
{
	return f->newer == BH_FLOW_NONE ? NULL : &t->flows[f->newer];
}

struct bh_flow *bh_flow_victim(struct bh_flow_table *t, bh_msec_t now)
{
	struct bh_flow *done = bh_flow_oldest(t, BH_FLOW_DONE), *f;

	if (done && now - done->since >= BH_FLOW_LINGER_MIN_MS)
		return done;
	f = bh_flow_oldest(t, BH_FLOW_IDLE);
	if (!f)
		f = done;
	if (!f)
		f = bh_flow_oldest(t, BH_FLOW_OPEN);
	if (!f)
		f = bh_flow_oldest(t, BH_FLOW_CONFIRM);
	return f;
}
