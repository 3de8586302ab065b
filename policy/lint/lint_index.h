/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_index.h - which things have something in common: hashed key -> numbers
 *
 * Filled, then sealed, then asked. Keys are hashes with a random key of the process, so that nobody can make them
 * meet; two keys that meet all the same only cost a look at what is none.
 *
 * Thread-safety: belongs to one thread while it is filled, then read only.
 */
#ifndef BH_POLICY_LINT_INDEX_H
#define BH_POLICY_LINT_INDEX_H

#include "common/hash.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct lint_entry {
	uint64_t key;
	uint32_t value;
};

struct lint_index {
	struct lint_entry *v; /* sealed: sorted by key, then value */
	size_t n, cap;
	uint64_t *bits; /* a set bit for each key, by its upper bits: most questions end here */
	unsigned shift;
};

void lint_index_done(struct lint_index *x);
/* 0, -ENOMEM */
int lint_index_add(struct lint_index *x, uint64_t key, uint32_t value);
int lint_index_seal(struct lint_index *x);
/* Entries with this key. NULL: none. */
const struct lint_entry *lint_index_find(const struct lint_index *x, uint64_t key, size_t *ret_n);

static inline uint64_t lint_key(const void *data, size_t size)
{
	return bh_siphash(data, size, bh_hash_key());
}

static inline uint64_t lint_key_str(const char *s)
{
	return lint_key(s, strlen(s));
}

static inline uint64_t lint_key2(uint64_t a, uint64_t b)
{
	const uint64_t both[] = { a, b };

	return lint_key(both, sizeof(both));
}

#endif
