/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/chains.h - the chains of a table
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_KERNEL_CHAINS_H
#define BH_DATAPLANE_KERNEL_CHAINS_H

#include "dataplane/kernel/batch.h"
#include "dataplane/kernel/kernel.h"

/* What the chains of one table depend on. */
struct bh_chains {
	struct bh_batch *b;
	const struct bh_kernel_config *cfg;
	const struct bh_kernel_caps *caps;
	uint8_t
	    family; /* NFPROTO_IPV4, NFPROTO_IPV6; of the guard alone: NFPROTO_ARP, NFPROTO_BRIDGE */
	unsigned epoch;
	bool late;          /* bh_chains_late() */
	uint64_t levels[2]; /* ingress, egress */
};

/* All of them, with their rules and counters; in the guard's own tables nothing depends on epoch and levels. */
void bh_chains_make(const struct bh_chains *c);
/*
 * What finds packets that passed their queue unjudged: base chains, which every packet pays for. So they are made when the
 * first contract comes that lets any pass, and stay, because removing a base chain drops what is queued.
 */
void bh_chains_late(const struct bh_chains *c);
/* Those that hold the epoch, anew. */
void bh_chains_bump(const struct bh_chains *c);
/* Those that look cells up, anew. @old: the levels they were made for. */
void bh_chains_relevel(const struct bh_chains *c, const uint64_t old[2]);
/* Over everything that bh_chains_make() makes, whatever the epoch and the levels. 0: out of memory */
uint64_t bh_chains_hash(const struct bh_kernel_config *cfg, const struct bh_kernel_caps *caps);

#endif
