/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/judge.h - the packets of one queue through the engine, and a verdict for each
 *
 * What the worker does apart from talking to the agent. A packet that the engine cannot be asked about
 * (no rule set yet, a damaged message, no mark of ours, too many unanswered) is dropped; of the open queue it goes on where
 * only there is no rule set or no room (dataplane/worker/nfq.h).
 *
 * Thread-safety: a judge belongs to one thread.
 */
#ifndef BH_DATAPLANE_WORKER_JUDGE_H
#define BH_DATAPLANE_WORKER_JUDGE_H

#include "dataplane/classifier/engine.h"
#include "dataplane/worker/proto.h"

struct bh_judge;

typedef void (*bh_judge_finding_fn)(void *arg, const struct bh_finding *f);

/* @queue_fd stays the caller's. All memory is taken here. */
int bh_judge_new(int queue_fd, uint16_t queue, const struct bh_engine_config *cfg,
		 bh_judge_finding_fn fn, void *arg, struct bh_judge **ret, struct bh_err *err)
    bh_must_check;
struct bh_judge *bh_judge_free(struct bh_judge *j);
BH_DEFINE_CLEANUP(struct bh_judge, bh_judge_free);

/**
 * bh_judge_rules() - Take a rule set and its address table, to be used from the next packet on
 * @rules_fd, @addrs_fd: Memory files; need not be trusted. They stay the caller's
 *
 * Return: 0; -EPROTO and the like: nothing has changed
 */
int bh_judge_rules(struct bh_judge *j, int rules_fd, int addrs_fd, struct bh_err *err)
    bh_must_check;
uint64_t bh_judge_revision(const struct bh_judge *j); /* 0: none yet */

/* Answers what is in the queue, some rounds of it. Return: 0 or a negative errno of the queue's socket. */
int bh_judge_read(struct bh_judge *j) bh_must_check;
/* Ends what waited too long. Return: ms until it should be called again, -1: nothing waits. */
int bh_judge_tick(struct bh_judge *j);
/* Drops everything that is held: before the end. */
void bh_judge_drain(struct bh_judge *j);
/* Packets without a verdict: held by the engine. */
size_t bh_judge_pending(const struct bh_judge *j);

/* Fills what the judge knows of it: engine, verdicts, verdict_errors. */
void bh_judge_stats_get(const struct bh_judge *j, struct bh_worker_stats *ret);

#endif
