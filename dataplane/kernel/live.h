/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/live.h - what stands in the kernel now, in our words, and what of it should not
 *
 * The answer is JSON, as docs/api.md has it (GET /v1/live): for the agent, which knows what it put there, and for
 * `bulkhead render --live` without an agent, which only reads. Reading 100,000 elements takes about a second.
 *
 * Thread-safety: as kernel.h.
 */
#ifndef BH_DATAPLANE_KERNEL_LIVE_H
#define BH_DATAPLANE_KERNEL_LIVE_H

#include "dataplane/kernel/kernel.h"

/* Differences that are listed; all are counted. */
#define BH_LIVE_DIFFERENCES_MAX 1000U

/* Of a started kernel: compared with what it was left as. */
int bh_kernel_live(struct bh_kernel *k, struct bh_buf *json, struct bh_err *err) bh_must_check;

/*
 * Without an agent: reads the tables of that name and changes nothing. @should: what they should hold, made of @say's
 * rule set, in numbers of its own: classes, pieces and contracts are told by what they stand for. NULL: nothing is known,
 * nothing is compared. Chains and reasons are not compared: those follow from the agent's settings and its history.
 * -EPERM without CAP_NET_ADMIN; -ENOENT: there are no such tables.
 */
int bh_live_read(const char *table, const struct bh_projection *should,
		 const struct bh_commenter *say, struct bh_buf *json, struct bh_err *err)
    bh_must_check;

#endif
