/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/ranges.h - which addresses may be given out, and which were asked for
 *
 * "ranges" is a list of sets, a set is a list of ranges, and an attachment gets one address of each set:
 *
 *	[["10.88.0.0/24", {"subnet": "10.88.9.0/24", "rangeStart": "10.88.9.100"}], ["fd00:88::/64"]]
 *
 * The network's own address and the broadcast address of an IPv4 subnet, and the first address of an IPv6
 * subnet (the anycast address of its routers), are never given out.
 *
 * Thread-safety: no state.
 */
#ifndef BH_CNI_RANGES_H
#define BH_CNI_RANGES_H

#include "cni/error.h"
#include "common/addr.h"
#include "common/json.h"

/* Sets of a network (addresses of an attachment), ranges of a set, excluded prefixes: far above what a
 * network needs, low enough that a message and a result stay small. */
#define BH_RANGE_SETS_MAX 8U
#define BH_RANGES_MAX     64U
#define BH_EXCLUDE_MAX    256U

struct bh_range {
	struct bh_addr lo, hi; /* both included, of one family */
	struct bh_prefix subnet;
};

struct bh_range_set {
	struct bh_range r[BH_RANGES_MAX];
	size_t n;
	struct bh_addr want; /* family 0: any address will do */
};

struct bh_ranges {
	struct bh_range_set *sets; /* owned */
	size_t n;
	struct bh_prefix *exclude; /* owned */
	size_t n_exclude;
};

/* @v: the value of "ranges". Replaces what was there. */
enum bh_cni_code bh_ranges_parse(json_t *v, struct bh_ranges *r, struct bh_cni_error *e);
/* @v: a list of addresses and prefixes. Adds to what was there. */
enum bh_cni_code bh_ranges_exclude(json_t *v, struct bh_ranges *r, struct bh_cni_error *e);
/* Ask for one address ("10.88.0.9" or "10.88.0.9/16") in the set that holds it. */
enum bh_cni_code bh_ranges_want(const char *text, struct bh_ranges *r, struct bh_cni_error *e);
void bh_ranges_done(struct bh_ranges *r);
bool bh_range_holds(const struct bh_range *r, const struct bh_addr *a);

#endif
