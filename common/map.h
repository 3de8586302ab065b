/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/map.h - uthash with our keyed hash, and an error instead of exit(3) when memory runs out
 *
 * Include this, never <uthash.h>. Control plane only: the packet path has its own fixed tables. After
 * HASH_ADD*, a NULL "hh.tbl" in the element means that it was not added for lack of memory.
 *
 * Thread-safety: a table belongs to one thread.
 */
#ifndef BH_COMMON_MAP_H
#define BH_COMMON_MAP_H

#include "common/hash.h"

#define HASH_FUNCTION(keyptr, keylen, hashv)                                       \
	do {                                                                       \
		(hashv) = (unsigned)bh_siphash((keyptr), (keylen), bh_hash_key()); \
	} while (0)
#define HASH_NONFATAL_OOM 1

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <uthash.h>
#pragma GCC diagnostic pop

#endif
