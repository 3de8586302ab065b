/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/sets.h - the maps of a table, as the kernel makes them and nft(8) shows them
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_KERNEL_SETS_H
#define BH_DATAPLANE_KERNEL_SETS_H

#include "dataplane/kernel/batch.h"
#include "dataplane/kernel/projection.h"

/* Keys of the map `state`: what the next agent must know before it touches anything. */
enum bh_state_key {
	BH_STATE_INVALID = 0,
	BH_STATE_FORMAT,    /* BH_STATE_FORMAT_NUMBER: what keys and data of the maps mean */
	BH_STATE_CHAINS_LO, /* which chains: a hash over them and what stands in them */
	BH_STATE_CHAINS_HI,
	BH_STATE_EPOCH,
	BH_STATE_REVISION_LO = 7, /* 5 and 6 were levels, which the cells say as well */
	BH_STATE_REVISION_HI,
	BH_STATE_APPLIED,   /* 0: the tables are new and let everything pass */
	BH_STATE_MARK_DOWN, /* where our bits are in marks; 0 in tables that have no such entry */
	BH_STATE_KEEP,      /* 1: connections that were allowed live on; the chains look here */
	BH_STATE_LATE,      /* 1: the chains are there that find what passed its queue unjudged */
	BH_STATE_COUNT,
};
#define BH_STATE_FORMAT_NUMBER 3U
/* Earlier ones: without the guard's sets; the first also without port_icmp. Everything else means the same. */
#define BH_STATE_FORMAT_NO_GUARD 2U
#define BH_STATE_FORMAT_FIRST    1U

/*
 * The set of what was reported (chains_refuse.c); no map, and in no projection. Its key: source, destination, protocol,
 * port (ICMP: type and code), and the mark of the report: reason, epoch, and these.
 */
#define BH_TOLD_SET      "told"
#define BH_TOLD_SIZE     16384U
#define BH_TOLD_EGRESS   0x40000000U /* else ingress */
#define BH_TOLD_REJECTED 0x80000000U /* else dropped */

/* As nft(8) names a family (NFPROTO_*). */
const char *bh_nfproto_name(uint8_t nfproto);
/* Beside the maps of projections: one element, which times out. */
#define BH_GRACE_MAP "grace"
#define BH_GRACE_KEY 1U
/* Gives connections older than new tables so much time to be taken over. */
void bh_sets_grace(struct bh_batch *b, uint8_t family, unsigned sec);

/* All maps and sets of a table, empty. @family: NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_ARP, NFPROTO_BRIDGE */
void bh_sets_make(struct bh_batch *b, uint8_t family);

#endif
