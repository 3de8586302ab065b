/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/generation.h - what is or was in force: policies, endpoints and the rule set compiled from them
 *
 * A change of policies is compiled, and makes a new revision. So does an endpoint of a kind that was not
 * there. An endpoint that comes where policies cannot tell it from one that is there, or goes, changes only the list of
 * addresses: the rule set is shared with the generation before, and costs nothing.
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

/* Who the addresses belong to; shared, and only ever added to. */
struct bh_roster {
	unsigned refs;
	const struct bh_endpoint **eps; /* manifests first, then local ones */
	struct bh_ep **local;           /* beside it: our record of each, NULL for a manifest's */
	size_t n, cap;
	size_t compiled;          /* of n: those that the rule set was compiled with */
	struct bh_addr *shadowed; /* claimed by manifests, and somebody else's while he is there */
	size_t n_shadowed;
};

struct bh_generation {
	unsigned refs;
	uint64_t revision; /* of the rule set */
	struct bh_policies *policies;
	struct bh_rules *rules;
	struct bh_roster *roster;
	struct bh_addr_class *addrs; /* sorted; endpoint: index into the roster */
	size_t n_addrs;
	size_t bytes; /* about what it holds in memory of its own */
};

/* What is to be compiled, beside endpoints. */
struct bh_wanted {
	struct bh_policies *policies;
	const struct bh_surroundings *around; /* NULL: nothing is known */
	const char *node;                     /* Endpoint manifests of this node are local */
	int64_t now;                          /* UNIX seconds */
};

/* Compiles. Return: 0, -E2BIG, -EINVAL, -ENOMEM */
int bh_generation_new(struct bh_compiler *c, const struct bh_wanted *w,
		      const struct bh_endpoints *eps, uint64_t revision, struct bh_generation **ret,
		      struct bh_err *err) bh_must_check;

/**
 * bh_generation_derive() - The same rule set with other addresses
 * @changed:	Who came or went since @from
 *
 * Return: 0; -EAGAIN: somebody came of a kind that is not there yet, or something else that has to be compiled;
 *	   -ENOMEM
 */
int bh_generation_derive(struct bh_generation *from, struct bh_ep *const *changed, size_t n_changed,
			 struct bh_generation **ret) bh_must_check;

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
struct bh_generation *bh_history_revision(const struct bh_history *h, uint64_t revision);
struct bh_generation *bh_history_newest(const struct bh_history *h);

#endif
