/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/pool.h - the agent's side of the workers: start, hand rules to, watch, take over
 *
 * A worker is the program bulkhead-worker, one for each queue. It goes on when the agent dies; the next agent
 * finds its socket in the run folder, connects, gets the queue socket and continues. If a worker dies, the
 * pool still holds the queue socket: it starts a successor with it, which first answers the older packets by
 * one batch verdict (drop; TCP sends again).
 *
 * A worker that hangs (five seconds without an answer) is ended and replaced likewise; after the first of them what waits
 * in its open queue goes on, unjudged. The operations are
 * called from the loop only, never inside a call of the owner.
 *
 * Thread-safety: the thread of the loop.
 */
#ifndef BH_DATAPLANE_WORKER_POOL_H
#define BH_DATAPLANE_WORKER_POOL_H

#include "common/loop.h"
#include "dataplane/worker/proto.h"

struct bh_pool;

struct bh_pool_ops {
	void (*finding)(void *arg, unsigned worker, int64_t wall_us, const struct bh_finding *f);
	/* Findings or packets that nobody will hear of: to be written as a `loss` record. */
	void (*lost)(void *arg, unsigned worker, const char *cause, uint64_t n);
	/*
	 * A worker died and was replaced. @status: as waitpid(2) gives it, -1 if it was started by an
	 * agent before us; @gap_ms: from the death to the successor's first word, -1: none could be started
	 * (tried again every second).
	 */
	void (*restarted)(void *arg, unsigned worker, int status, bh_msec_t gap_ms);
};

struct bh_pool_config {
	const char *run_dir;    /* worker-N.sock, worker-N.pid */
	const char *worker_bin; /* path of bulkhead-worker */
	uint16_t
	    queue_base; /* worker i has queue_base + i and, BH_QUEUE_OPEN higher, its open one */
	uint16_t n;
	struct bh_engine_config engine;
};

int bh_pool_new(struct bh_loop *loop, const struct bh_pool_config *cfg,
		const struct bh_pool_ops *ops, void *arg, struct bh_pool **ret, struct bh_err *err)
    bh_must_check;
/* Leaves the workers running (the next agent takes them over). */
struct bh_pool *bh_pool_free(struct bh_pool *p);

/* Takes over workers that run, starts those that do not. When it returns, every queue is bound. */
int bh_pool_start(struct bh_pool *p, struct bh_err *err) bh_must_check;

/**
 * bh_pool_publish() - Hand a rule set and its address table to every worker, and wait until all run it
 *
 * @rs, @addrs are kept (a successor of a dead worker gets them): borrowed until the next publish that succeeds.
 * Return: 0; -ETIMEDOUT, -EPROTO: some worker did not take it (the others may run it)
 */
int bh_pool_publish(struct bh_pool *p, const struct bh_ruleset *rs, struct bh_addrtable *addrs,
		    struct bh_err *err) bh_must_check;

struct bh_pool_worker {
	int pid;
	uint16_t queue;
	bool connected;
	uint64_t revision;
	unsigned restarts;
	struct bh_worker_stats stats; /* the last heard */
};
/* @i < n of the configuration. */
void bh_pool_get(const struct bh_pool *p, unsigned i, struct bh_pool_worker *ret);
size_t bh_pool_count(const struct bh_pool *p);
/* Ends all workers: for uninstalling and tests. */
void bh_pool_stop_workers(struct bh_pool *p);

#endif
