/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/reconcile.h - from what is wanted to what is enforced
 *
 * Any change of policies, endpoints or surroundings makes a new revision, and so does time where a rule begins or ends
 * with it. This is its way:
 *
 *	compile -> address table and rule set to the workers, all confirm -> kernel transaction -> new epoch,
 *	if flows that exist could now be decided otherwise
 *
 * Enforced means all of it. An address enters the workers' table before the kernel's and leaves it after.
 * Where a step fails, what was in force stays in force, and the whole way is tried again, later and later.
 *
 * Thread-safety: the main thread. A pass blocks for as long as workers and kernel take: milliseconds.
 */
#ifndef BH_AGENT_RECONCILE_H
#define BH_AGENT_RECONCILE_H

#include "agent/endpoints.h"
#include "agent/generation.h"
#include "agent/store.h"
#include "dataplane/kernel/kernel.h"
#include "dataplane/worker/pool.h"

struct bh_reconcile;

struct bh_reconcile_config {
	bool
	    keep; /* existingConnections: connections of the addresses of a new endpoint are deleted */
	struct bh_loop *loop;
	struct bh_store *store;
	struct bh_endpoints *eps;
	struct bh_pool *pool;
	struct bh_kernel *kernel;
	const char *node;
	const struct bh_surroundings
	    *around;       /* may change between passes; NULL: nothing is known */
	uint64_t revision; /* the last one of an earlier agent */
	/* A pass ended, well (r == 0) or not. Also called for passes that bh_reconcile_now() made. */
	void (*done)(void *arg, int r);
	/* Time makes a pass due, because something begins or ends now, or the clock was set; may be NULL. */
	void (*time)(void *arg);
	void *arg;
};

int bh_reconcile_new(const struct bh_reconcile_config *cfg, struct bh_reconcile **ret,
		     struct bh_err *err) bh_must_check;
struct bh_reconcile *bh_reconcile_free(struct bh_reconcile *rc);

/* Something changed: a pass in the next round of the loop, one for all that comes until then. */
void bh_reconcile_soon(struct bh_reconcile *rc);
/* At once. 0: what is wanted is enforced. -ENODATA: no policies are known. */
int bh_reconcile_now(struct bh_reconcile *rc, struct bh_err *err) bh_must_check;
/* The surroundings changed: nothing that was compiled holds any more. A pass in the next round. */
void bh_reconcile_renew(struct bh_reconcile *rc);
/* The kernel's tables were changed by others: bring everything into them again with the next pass. */
void bh_reconcile_distrust(struct bh_reconcile *rc);

struct bh_reconcile_state {
	uint64_t wanted, enforced;
	const char *error; /* why they differ; NULL: they do not, or it is on its way */
};
void bh_reconcile_state_get(const struct bh_reconcile *rc, struct bh_reconcile_state *ret);
/* What is in force, borrowed; NULL: nothing yet. */
struct bh_generation *bh_reconcile_enforced(const struct bh_reconcile *rc);
/* The revisions before it, borrowed. */
const struct bh_history *bh_reconcile_history(const struct bh_reconcile *rc);

#endif
