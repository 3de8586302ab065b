/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/hash.h - SipHash-2-4, for every table whose keys somebody else can choose
 *
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.
 *
 * Thread-safety: bh_hash_key() may be called by any thread; the rest holds no state.
 */
#ifndef BH_COMMON_HASH_H
#define BH_COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>

struct bh_hash_key {
	uint64_t k[2];
};

uint64_t bh_siphash(const void *data, size_t size, const struct bh_hash_key *key);
/* Random key of this process, made at first use; aborts if the kernel gives no randomness. */
const struct bh_hash_key *bh_hash_key(void);

#endif
