/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/sandbox.h - what a worker gives up before it sees the first packet
 *
 * Thread-safety: for the process; call with one thread only.
 */
#ifndef BH_DATAPLANE_WORKER_SANDBOX_H
#define BH_DATAPLANE_WORKER_SANDBOX_H

#include "common/err.h"

/* Every capability but CAP_NET_ADMIN, which the kernel demands for verdicts; and the way to new ones. */
int bh_sandbox_capabilities(struct bh_err *err) bh_must_check;
/* No new files, processes, core dumps; not to be traced. */
int bh_sandbox_limits(struct bh_err *err) bh_must_check;
/* System calls: a short list; any other one ends the process. */
int bh_sandbox_filter(struct bh_err *err) bh_must_check;

#endif
