/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/kernel_internal.h - what the files behind kernel.h share
 *
 * Thread-safety: as kernel.h.
 */
#ifndef BH_DATAPLANE_KERNEL_KERNEL_INTERNAL_H
#define BH_DATAPLANE_KERNEL_KERNEL_INTERNAL_H

#include "dataplane/kernel/batch.h"
#include "dataplane/kernel/chains.h"
#include "dataplane/kernel/kernel.h"
#include "dataplane/kernel/projection.h"
#include "dataplane/kernel/sets.h"

/* Since Linux 6.9: a table stays when its owner is gone. Debian 12's headers do not know it. */
#define BH_TABLE_OWNER_PERSIST 6U

/* One for each family, in this order everywhere. */
#define BH_FAMILIES 2
extern const uint8_t bh_nfproto[BH_FAMILIES];

struct bh_kernel {
	struct bh_kernel_config cfg;
	char *table; /* cfg.table points here */
	struct bh_kernel_caps caps;
	struct bh_nl nl; /* owns the tables: every change goes through it */
	int monitor;
	bool started;
	bool untouched; /* new tables: nothing was applied yet */
	unsigned epoch;
	uint64_t chains_hash;
	struct bh_projection now; /* what the maps hold */
};

/* What was found under our name. */
struct bh_found {
	bool exists[BH_FAMILIES];
	uint32_t flags[BH_FAMILIES];
	uint32_t state[BH_FAMILIES][BH_STATE_COUNT];
};

/* caps.c */
int bh_caps_probe(struct bh_nl *nl, const char *table, struct bh_kernel_caps *ret,
		  struct bh_err *err) bh_must_check;

/* read.c */
int bh_read_tables(struct bh_kernel *k, struct bh_found *ret, struct bh_err *err) bh_must_check;
/* -ENOENT: a map is missing. */
int bh_read_state(struct bh_kernel *k, struct bh_found *ret) bh_must_check;
/* @format: of the tables (BH_STATE_FORMAT). */
int bh_read_elements(struct bh_kernel *k, uint32_t format, struct bh_projection *ret) bh_must_check;
/* Chains and numbers of rules as they should be? 0, -ESTALE. */
int bh_read_chains_check(struct bh_kernel *k, struct bh_err *err) bh_must_check;

/* transaction.c: what the chains of a family depend on now. */
struct bh_chains bh_kernel_chains(struct bh_kernel *k, struct bh_batch *b, unsigned family);
/* Elements that turn @from into @to. */
void bh_kernel_diff(struct bh_batch *b, const struct bh_projection *from,
		    const struct bh_projection *to, struct bh_kernel_change *ret);
/* Entries of the map `state` that differ; @from: NULL where there is none yet. */
void bh_kernel_state(struct bh_batch *b, unsigned family, const uint32_t *from, const uint32_t *to);
void bh_kernel_state_of(const struct bh_kernel *k, unsigned family, uint32_t ret[BH_STATE_COUNT]);

/* conntrack.c */
/* Bits of the epochs that stand in marks with a state. */
int bh_ct_epochs(struct bh_nl *nl, uint8_t mark_down, uint64_t *ret_used) bh_must_check;
/*
 * Does any mark with a state have one of the epochs @first .. @first + @n - 1? @n is a power of two that divides @first.
 * Reads no more than is needed to know.
 */
int bh_ct_has_epochs(uint8_t mark_down, unsigned first, unsigned n, bool *ret) bh_must_check;
/* A bump cleans so many, aligned, before it comes to the first of them. */
#define BH_EPOCH_BLOCK 16U
/* Marks of @first .. @first + @n - 1 get the epoch @to instead, so that those can be used again. */
int bh_ct_retire(struct bh_nl *nl, uint8_t mark_down, unsigned first, unsigned n, unsigned to)
    bh_must_check;
int bh_ct_delete(struct bh_nl *nl, const struct bh_addr *a) bh_must_check;

/* monitor.c */
int bh_monitor_open(uint32_t our_portid, int *ret_fd, struct bh_err *err) bh_must_check;
int bh_monitor_drain(int fd, uint32_t our_portid, const char *table, bool *ret_touched)
    bh_must_check;

#endif
