/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/addrtable.h - address -> class, in memory that one writer and all workers share
 *
 * A sealed-size memory file: the agent maps it writable, workers read-only. Open addressing, fixed number
 * of slots, keyed hash, no rehash in place. A slot's address is written before its class is published and
 * never changes afterwards; a removed address keeps its slot with class 0 and is taken up again if the same
 * address comes back. When three quarters of the slots are used, the writer makes a new table and hands it
 * to the workers with the next rule set. So a reader needs no lock and a writer that dies in the middle of
 * an update leaves nothing that a reader could misread.
 *
 * The class numbers in a table are those of the rule set it was handed out with.
 *
 * Thread-safety: one writer; any number of readers in any process.
 */
#ifndef BH_DATAPLANE_ADDRTABLE_H
#define BH_DATAPLANE_ADDRTABLE_H

#include "common/addr.h"
#include "common/err.h"

struct bh_addrtable;

/* @capacity: addresses; slots are twice that, rounded up to a power of two. *@ret_fd: memory file, owned by the table. */
int bh_addrtable_new(size_t capacity, struct bh_addrtable **ret, struct bh_err *err) bh_must_check;
int bh_addrtable_fd(const struct bh_addrtable *t); /* borrowed */
/* Read-only view of a table made elsewhere; @fd stays the caller's. Every field is checked: -EPROTO. */
int bh_addrtable_map(int fd, struct bh_addrtable **ret, struct bh_err *err) bh_must_check;
struct bh_addrtable *bh_addrtable_free(struct bh_addrtable *t);
BH_DEFINE_CLEANUP(struct bh_addrtable, bh_addrtable_free);

/* -ENOSPC: full; the writer makes a larger one. */
int bh_addrtable_set(struct bh_addrtable *t, const struct bh_addr *a, uint32_t cls, bool local)
    bh_must_check;
void bh_addrtable_remove(struct bh_addrtable *t, const struct bh_addr *a);
/* Class of an endpoint's address, 0 if it is none's. *@ret_local: on this host; may be NULL. */
uint32_t bh_addrtable_get(const struct bh_addrtable *t, const struct bh_addr *a, bool *ret_local);
size_t bh_addrtable_used(const struct bh_addrtable *t); /* slots, removed ones included */

#endif
