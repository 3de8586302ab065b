/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/randset.h - random policy sets and endpoints, the same for the same seed
 *
 * Built from small vocabularies, so that selectors, addresses and ports meet often.
 *
 * Thread-safety: no state but the generator's, which belongs to one thread.
 */
#ifndef BH_TESTS_LIB_RANDSET_H
#define BH_TESTS_LIB_RANDSET_H

#include "policy/model.h"

struct rnd {
	uint64_t state;
};
uint32_t rnd_below(struct rnd *r, uint32_t n); /* 0 .. n-1 */
bool rnd_one_in(struct rnd *r, uint32_t n);

struct randset_config {
	unsigned policies, endpoints;
	bool traffic_only_allow; /* NetworkPolicy only */
	unsigned local_percent;
};

struct bh_policy_set *randset_policies(struct rnd *r, const struct randset_config *c);
/* @ret: an array of @c->endpoints, owned by the caller, each to be freed by bh_endpoint_free(). */
struct bh_endpoint **randset_endpoints(struct rnd *r, const struct randset_config *c);
void randset_endpoints_free(struct bh_endpoint **eps, unsigned n);

/* Addresses of nobody, some in the vocabulary's CIDRs. NULL past the end. */
const char *randset_outside(size_t i);

#endif
