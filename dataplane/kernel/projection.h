/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/projection.h - what a rule set becomes in the kernel: elements of maps and sets
 *
 * Pure: no netlink. The golden tests print it; transaction.c sends the difference of two of them.
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_KERNEL_PROJECTION_H
#define BH_DATAPLANE_KERNEL_PROJECTION_H

#include "common/buf.h"
#include "policy/compile.h"

/* Maps and sets of each family's table. */
enum bh_kset {
	BH_KSET_INVALID = 0,
	BH_KSET_PEER,	  /* address -> class: every endpoint */
	BH_KSET_SUBJ_IN,  /* address -> class: local endpoints that some policy selects for ingress */
	BH_KSET_SUBJ_EG,  /* the same for egress */
	BH_KSET_CIDR,	  /* address range -> class of addresses of no endpoint (interval) */
	BH_KSET_PORT_TCP, /* port range -> piece (interval) */
	BH_KSET_PORT_UDP,
	BH_KSET_PORT_SCTP,
	BH_KSET_CELL,	  /* direction . subject . peer . l4 . port -> decision word */
	BH_KSET_RESULT,	  /* contract . result -> decision word; result 0 is "any other" */
	BH_KSET_COUNT,
};

struct bh_kelem {
	uint8_t set;	  /* enum bh_kset */
	uint8_t family;	  /* 4 or 6 */
	uint8_t key_len;
	uint8_t pad;
	uint32_t data;	  /* host order, as the register holds it */
	uint8_t key[20];  /* as the kernel compares it */
	uint8_t key_end[16]; /* interval sets: inclusive end */
};

/* Levels of look-up that some cell uses: others get no rule. */
#define BH_LEVEL_PEER_CLASS    0x01U
#define BH_LEVEL_PEER_ENDPOINT 0x02U
#define BH_LEVEL_PEER_CIDR     0x04U
#define BH_LEVEL_PORT_EXACT    0x10U
#define BH_LEVEL_PORT_PIECE    0x20U
#define BH_LEVEL_PORT_L4       0x40U
#define BH_LEVEL_CONTRACT      0x100U

struct bh_projection {
	struct bh_kelem *elems; /* sorted by (family, set, key) */
	size_t n;
	uint32_t levels[2];	/* of the family 4, 6 tables */
	uint64_t revision;
};

int bh_projection_make(const struct bh_ruleset *rs, const struct bh_addr_class *addrs, size_t n_addrs,
		       struct bh_projection *ret) bh_must_check;
void bh_projection_done(struct bh_projection *p);
void bh_projection_print(const struct bh_projection *p, struct bh_buf *out);
const char *bh_kset_name(enum bh_kset s); /* as `nft list` shows it */

#endif
