/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/generation.h - what is or was in force: policies, endpoints and the rule set compiled from them
 *
 * Made by agent/builder.h. Generations share what did not change between them: the rule set, if only addresses did; the
 * roster, always for a while.
 *
 * Generations are immutable and counted. The last 64 are kept (fewer if they are large), so that what a worker or
 * the kernel reports late is resolved by what it was decided with.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_GENERATION_H
#define BH_AGENT_GENERATION_H

#include "agent/endpoints.h"
#include "agent/manifest.h"
#include "policy/compile.h"

/* A compiled rule set; shared. */
struct bh_rules {
	unsigned refs;
	struct bh_ruleset *rs;
	uint32_t *contract_reasons; /* sorted; made at the first question */
	size_t n_contract_reasons;
};

/* Somebody who is, was, or has a place where nobody is (all NULL). */
struct bh_member {
	const struct bh_endpoint *e;
	struct bh_ep *local;       /* our record; NULL: a manifest's */
	struct bh_manifest *owner; /* of a manifest's */
};

/* Who the addresses belong to; shared. A place that was given is not given again. */
struct bh_roster {
	unsigned refs;
	struct bh_member *v;
	size_t n, cap;
};

struct bh_roster *bh_roster_new(void);
/* A copy in which these places are nobody's. NULL: no memory */
struct bh_roster *bh_roster_copy(const struct bh_roster *from, const uint32_t *without, size_t n);
struct bh_roster *bh_roster_ref(struct bh_roster *r);
struct bh_roster *bh_roster_unref(struct bh_roster *r);
BH_DEFINE_CLEANUP(struct bh_roster, bh_roster_unref);

struct bh_generation {
	unsigned refs;
	uint64_t revision; /* of the change that made it; the rule set may have an earlier one */
	struct bh_policies *policies;
	struct bh_rules *rules;
	struct bh_roster *roster;
	struct bh_addr_class *addrs; /* sorted; endpoint: its place in the roster */
	size_t n_addrs;
	size_t bytes; /* about what it holds in memory of its own */
};

/*
 * From what was compiled, which is taken (@c is empty afterwards), also on failure. @before: whose rules are shared if
 * they are the same; may be NULL. NULL: no memory
 */
struct bh_generation *bh_generation_new(struct bh_policies *policies, struct bh_roster *roster,
					struct bh_compiled *c, const struct bh_generation *before);
struct bh_generation *bh_generation_ref(struct bh_generation *g);
struct bh_generation *bh_generation_unref(struct bh_generation *g);
BH_DEFINE_CLEANUP(struct bh_generation, bh_generation_unref);

/* What an address is here; NULL: no endpoint's. */
const struct bh_addr_class *bh_generation_addr(const struct bh_generation *g,
					       const struct bh_addr *a);
/* Whose it is; NULL: nobody's. */
const struct bh_endpoint *bh_generation_endpoint(const struct bh_generation *g,
						 const struct bh_addr *a);
/* Our record of him; NULL: nobody's, or a manifest's. */
const struct bh_ep *bh_generation_local(const struct bh_generation *g, const struct bh_addr *a);
/* Some contract may end in this reason: the packet may have been judged by a worker. */
bool bh_generation_by_contract(const struct bh_generation *g, uint32_t reason);

/* ---- the last ones ---- */

#define BH_HISTORY_MAX 64U

struct bh_history {
	struct {
		struct bh_generation *g;
		unsigned epoch_first, epoch_last; /* epochs in which the kernel decided by it */
	} items[BH_HISTORY_MAX];                  /* a ring; the newest is at (next - 1) */
	size_t next, n;
};

void bh_history_done(struct bh_history *h);
/* @g is in force from @epoch on. Takes a reference of its own. */
void bh_history_add(struct bh_history *h, struct bh_generation *g, unsigned epoch);
/* The newest one was carried into this epoch. */
void bh_history_epoch(struct bh_history *h, unsigned epoch);
/* Borrowed. The newest that has this reason (0: any) in this epoch, else in any; NULL: none. */
struct bh_generation *bh_history_find(const struct bh_history *h, unsigned epoch, uint32_t reason);
/* The newest whose rule set has that revision: what workers name. */
struct bh_generation *bh_history_revision(const struct bh_history *h, uint64_t revision);
struct bh_generation *bh_history_newest(const struct bh_history *h);

#endif
