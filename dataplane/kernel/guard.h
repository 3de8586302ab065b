/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/guard.h - what a local endpoint may call itself: elements of the guard's sets
 *
 * The rules that ask them are explained in chains_guard.c.
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_KERNEL_GUARD_H
#define BH_DATAPLANE_KERNEL_GUARD_H

#include "dataplane/kernel/kernel.h"
#include "dataplane/kernel/projection.h"

/*
 * All elements of these entries, in order. @caps: which tables there are. -EPROTO: an entry without an interface or with
 * an address of no family. -ENOMEM
 */
int bh_guard_elems(const struct bh_guard *guard, size_t n, const struct bh_kernel_caps *caps,
		   struct bh_projection *ret) bh_must_check;

/*
 * What the kernel's sets hold: entries, or what was found there by an agent that takes over, who does not know the
 * entries that made it.
 */
struct bh_guard_held {
	struct bh_guard *v; /* sorted by interface; their addresses are in @addrs */
	size_t n;
	struct bh_addr *addrs;
	bool found; /* @elems holds, and not @v */
	struct bh_projection elems;
};
/* A copy of entries. -EPROTO, -ENOMEM */
int bh_guard_hold(const struct bh_guard *guard, size_t n, struct bh_guard_held *ret) bh_must_check;
/* Takes the guard's elements out of what was read. */
int bh_guard_take(struct bh_projection *p, struct bh_guard_held *ret) bh_must_check;
void bh_guard_held_done(struct bh_guard_held *h);
int bh_guard_held_elems(const struct bh_guard_held *h, const struct bh_kernel_caps *caps,
			struct bh_projection *ret) bh_must_check;
/*
 * Elements of what differs: *@ret_from turned into *@ret_to turns @from into @to. Only entries that are not the same are
 * looked at closer: one that comes among 10,000 costs a comparison of each.
 */
int bh_guard_diff(const struct bh_guard_held *from, const struct bh_guard_held *to,
		  const struct bh_kernel_caps *caps, struct bh_projection *ret_from,
		  struct bh_projection *ret_to) bh_must_check;

#endif
