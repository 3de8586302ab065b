/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/live_internal.h - what the files behind live.h share
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_KERNEL_LIVE_INTERNAL_H
#define BH_DATAPLANE_KERNEL_LIVE_INTERNAL_H

#include "dataplane/kernel/projection.h"

/* @should in the numbers of what was read of each family, without results of contracts. -ENOMEM */
int bh_live_match(struct bh_projection *should, const struct bh_projection is[2]) bh_must_check;

#endif
