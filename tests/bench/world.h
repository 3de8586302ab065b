/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/bench/world.h - the policies and endpoints of a shape, as the product takes them
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_BENCH_WORLD_H
#define BH_TESTS_BENCH_WORLD_H

#include "policy/model.h"
#include "tests/bench/shape.h"

/* Policy @p as it is written. @port: of its rule. To be freed. */
char *world_policy_text(const struct shape *s, unsigned p, unsigned port);
/* The port that policy @p of the shape allows. */
unsigned world_policy_port(const struct shape *s, unsigned p);
/* All policies, read by the product's own loader. */
struct bh_policy_set *world_policies(const struct shape *s);
/* The same set, but for policy @p, which allows another port. What is the same is shared. */
struct bh_policy_set *world_policies_with(const struct bh_policy_set *old, const struct shape *s,
					  unsigned p, unsigned port);
/* Client or server @i, with an address of both families; as many more servers as one likes. */
struct bh_endpoint *world_endpoint(const struct shape *s, bool server, unsigned i);

#endif
