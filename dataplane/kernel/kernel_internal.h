/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/kernel_internal.h - what the files behind kernel.h share
 *
 * Thread-safety: as kernel.h.
 */
#ifndef BH_DATAPLANE_KERNEL_KERNEL_INTERNAL_H
#define BH_DATAPLANE_KERNEL_KERNEL_INTERNAL_H

#include <pthread.h>

#include "dataplane/kernel/batch.h"
#include "dataplane/kernel/chains.h"
#include "dataplane/kernel/guard.h"
#include "dataplane/kernel/kernel.h"
#include "dataplane/kernel/projection.h"
#include "dataplane/kernel/sets.h"

/* Since Linux 6.9: a table stays when its owner is gone. Debian 12's headers do not know it. */
#define BH_TABLE_OWNER_PERSIST 6U

/* Tables, in this order everywhere: ip, ip6, which enforce the rule set, then arp, bridge, where the kernel has them. */
#define BH_FAMILIES 2
#define BH_TABLES   4
extern const uint8_t bh_nfproto[BH_TABLES];

struct bh_kernel {
	struct bh_kernel_config cfg;
	char *table; /* cfg.table points here */
	struct bh_kernel_caps caps;
	struct bh_nl nl; /* owns the tables: every change goes through it */
	int monitor;
	struct {
		struct bh_ahead_thread {
			bool running;
			pthread_t thread;
		} probe, epochs;
		int caps_r, epoch_r;
		struct bh_err err; /* of caps_r */
		bool has_epoch;    /* it was looked for, and not used yet */
		unsigned epoch;
	} ahead;
	bool ready;   /* what could be taken over was: the next apply may make what is not there */
	bool started; /* the tables stand */
	bool untouched; /* new tables: nothing was applied yet */
	bool late;      /* the tables have the chains of bh_chains_late(), and keep them */
	unsigned epoch;
	unsigned
	    tidied; /* first epoch of the block that was cleaned ahead of time; BH_TIDIED_NONE */
	uint64_t chains_hash;
	bool blind; /* rules do not come back as they were made: they are only counted */
	struct bh_projection now;   /* what the maps hold */
	struct bh_guard_held guard; /* and the guard's sets */
	struct bh_ruleset *rs;      /* that it was made of; NULL: it was found there */
	bh_who_fn who;              /* may be NULL */
	void *who_arg;
	struct bh_buf renamed; /* struct bh_addr: who has them now is to be written */
};

/* In the flags of an element that is to come: its comment is another than before. */
#define BH_KELEM_RENAMED 0x02U

/* What was found under our name. */
struct bh_found {
	bool exists[BH_TABLES];
	uint32_t flags[BH_TABLES];
	uint32_t state[BH_FAMILIES][BH_STATE_COUNT];
};

/* Number of the table for a family of elements (projection.h), and back. */
static inline unsigned bh_table_of(uint8_t family)
{
	return family == 4 ? 0 : family == 6 ? 1 : family == BH_FAMILY_ARP ? 2 : 3;
}
static inline uint8_t bh_table_family(unsigned table)
{
	static const uint8_t families[BH_TABLES] = { 4, 6, BH_FAMILY_ARP, BH_FAMILY_BRIDGE };

	return families[table];
}
static inline bool bh_kernel_has(const struct bh_kernel *k, unsigned table)
{
	return table == 2 ? k->caps.arp : table == 3 ? k->caps.bridge : true;
}

/* ahead.c: begun when it is opened. Until bh_ahead_caps() has returned, nobody else uses k->nl and k->caps. */
void bh_ahead_begin(struct bh_kernel *k);
void bh_ahead_end(struct bh_kernel *k);
int bh_ahead_caps(struct bh_kernel *k, struct bh_err *err) bh_must_check;
/* k->epoch becomes one that stands in no mark; -ENOENT: there is none that it would be safe to begin with. */
int bh_ahead_epoch(struct bh_kernel *k) bh_must_check;

/* caps.c */
int bh_caps_probe(struct bh_nl *nl, const char *table, struct bh_kernel_caps *ret,
		  struct bh_err *err) bh_must_check;

/* The tables could not be made: says in @err what the kernel lacks, if it is that. */
void bh_caps_explain(struct bh_nl *nl, const char *table, int error, struct bh_err *err);

/* read.c */
int bh_read_tables(struct bh_kernel *k, struct bh_found *ret, struct bh_err *err) bh_must_check;
/* @families: 1 << index of those that are read. -ENOENT: a map is missing; -ESTALE: it holds what we never put there. */
#define BH_FAMILIES_ALL 3U
int bh_read_state(struct bh_kernel *k, unsigned families, struct bh_found *ret) bh_must_check;
/* Of tables that exist. @format: theirs (BH_STATE_FORMAT). @comments: read them too. */
int bh_read_elements(struct bh_kernel *k, const struct bh_found *found, uint32_t format,
		     bool comments, struct bh_projection *ret) bh_must_check;
/* @fn is told each chain that is not as it should be: gone, not ours, with other rules. */
typedef void (*bh_read_fn)(void *arg, const char *text);
int bh_read_chains(struct bh_kernel *k, bh_read_fn fn, void *arg, struct bh_err *err) bh_must_check;
/* Chains and rules as they should be? 0, -ESTALE with the first that is not. */
int bh_read_chains_check(struct bh_kernel *k, struct bh_err *err) bh_must_check;

/* kernel.c: the tables anew, with what k->now and k->guard have. needs_bump of @change: some marks mean something. */
int bh_kernel_build(struct bh_kernel *k, struct bh_kernel_change *change, struct bh_err *err)
    bh_must_check;

/* transaction.c: what the chains of a family depend on now. */
struct bh_chains bh_kernel_chains(struct bh_kernel *k, struct bh_batch *b, unsigned family);
/* Elements that turn @from into @to. */
void bh_kernel_diff(struct bh_batch *b, const struct bh_projection *from,
		    const struct bh_projection *to, const struct bh_commenter *say,
		    struct bh_kernel_change *ret);
/* What is known for the comments of k->now, or of what @rs is about to make of it; @rs: NULL: k->now was found. */
struct bh_commenter bh_kernel_commenter(const struct bh_kernel *k, const struct bh_ruleset *rs);
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
/* So many, aligned, are cleaned before a bump comes to the first of them. */
#define BH_EPOCH_BLOCK 16U
#define BH_TIDIED_NONE UINT32_MAX
/* Marks of @first .. @first + @n - 1 get the epoch @to instead, so that those can be used again. */
int bh_ct_retire(struct bh_nl *nl, uint8_t mark_down, unsigned first, unsigned n, unsigned to)
    bh_must_check;
/* What is allowed, or has no mark of ours, gets one that says nothing: it is decided again, and not kept. */
int bh_ct_doubt(struct bh_nl *nl, uint8_t mark_down) bh_must_check;
int bh_ct_delete(struct bh_nl *nl, const struct bh_addr *a) bh_must_check;

/* monitor.c */
int bh_monitor_open(uint32_t our_portid, int *ret_fd, struct bh_err *err) bh_must_check;
void bh_monitor_listen(int fd, bool on);
int bh_monitor_drain(int fd, uint32_t our_portid, const char *table, bool *ret_touched)
    bh_must_check;

#endif
