// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/guard.c - what the kernel's guard is told of the endpoints of this host
 *
 * Read from the generation that comes into force, so that an endpoint's entry comes and goes with its policies: it is
 * there before the endpoint's link leaves the quarantine.
 */
#include "agent/guard.h"

#include <string.h>

#include "common/util.h"

#include "common/banned.h"

int bh_guard_of(const struct bh_generation *g, struct bh_guard **ret, size_t *ret_n)
{
	bh_autofree bool *here = calloc(g->roster->n + 1, sizeof(*here));
	struct bh_guard *v = calloc(g->roster->n + 1, sizeof(*v));
	size_t n = 0;

	if (!v || !here) {
		free(v);
		return -ENOMEM;
	}
	/* In the roster are some who have left. */
	for (size_t i = 0; i < g->n_addrs; i++)
		if (g->addrs[i].endpoint < g->roster->n)
			here[g->addrs[i].endpoint] = true;
	for (size_t i = 0; i < g->roster->n; i++) {
		const struct bh_ep *ep = g->roster->v[i].local;

		if (!here[i] || !ep || ep->host_index == 0)
			continue;
		v[n] = (struct bh_guard){ .ifindex = ep->host_index,
					  .has_mac = ep->has_mac,
					  .routed = ep->routed,
					  .addrs = ep->e->addrs,
					  .n_addrs = ep->e->n_addrs };
		memcpy(v[n].mac, ep->mac, sizeof(ep->mac));
		n++;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

const struct bh_ep *bh_guard_endpoint(const struct bh_generation *g, uint32_t ifindex)
{
	const struct bh_ep *found = NULL;

	/* The last record of it. */
	for (size_t i = 0; g && ifindex != 0 && i < g->roster->n; i++) {
		const struct bh_ep *ep = g->roster->v[i].local;

		if (ep && ep->host_index == ifindex)
			found = ep;
	}
	return found;
}
