/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/guard.h - what the kernel's guard is told of the endpoints of this host
 *
 * Thread-safety: no state.
 */
#ifndef BH_AGENT_GUARD_H
#define BH_AGENT_GUARD_H

#include "agent/generation.h"
#include "dataplane/kernel/kernel.h"

/*
 * The links of a generation's local endpoints, in the order in which those came; also of those whose labels are not
 * known yet, which are in quarantine. *@ret is to be freed, the addresses in it belong to the generation. -ENOMEM
 */
int bh_guard_of(const struct bh_generation *g, struct bh_guard **ret, size_t *ret_n) bh_must_check;
/* Who is behind a link; NULL: nobody that this generation knows. */
const struct bh_ep *bh_guard_endpoint(const struct bh_generation *g, uint32_t ifindex);

#endif
