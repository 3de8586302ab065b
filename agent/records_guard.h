/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/records_guard.h - what the kernel's guard refused becomes violation records
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_RECORDS_GUARD_H
#define BH_AGENT_RECORDS_GUARD_H

#include "agent/generation.h"
#include "agent/violation_log.h"
#include "dataplane/kernel/nflog.h"

/* @p: bh_refused_by_guard(). @g: who is here now; NULL: not known */
void bh_records_guarded(struct bh_vlog *log, struct bh_generation *g, int64_t wall_us,
			const struct bh_refused *p);

#endif
