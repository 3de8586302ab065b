/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/records.h - what workers and kernel report becomes violation records: names, labels, policy, rule, text
 *
 * A report is resolved in the revision it was decided with. Both directions are evaluated again, so that a record
 * names each one that refused. A flow that a worker has judged is refused by the kernel's packet log
 * too, which knows less: the two are one violation, told by the worker's finding.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_RECORDS_H
#define BH_AGENT_RECORDS_H

#include "agent/generation.h"
#include "agent/violation_log.h"
#include "dataplane/classifier/engine.h"
#include "dataplane/kernel/nflog.h"

struct bh_records;

int bh_records_new(struct bh_vlog *log, const struct bh_history *history, struct bh_records **ret)
    bh_must_check;
struct bh_records *bh_records_free(struct bh_records *r);

void bh_records_finding(struct bh_records *r, int64_t wall_us, const struct bh_finding *f);
void bh_records_refused(struct bh_records *r, int64_t wall_us, const struct bh_refused *p);
/* @n packets that were refused like one that was reported (bh_kernel_take_told()). */
void bh_records_repeated(struct bh_records *r, int64_t wall_us, const struct bh_refused *p,
			 uint64_t n);
/* Writes what waited in vain for its finding. To be called about once a second. */
void bh_records_tick(struct bh_records *r, bh_msec_t now);
/* Writes all that waits. */
void bh_records_flush(struct bh_records *r);

#endif
