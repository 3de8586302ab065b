/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/randset_internal.h - what the files of tests/lib/randset.h share
 *
 * Thread-safety: no state.
 */
#ifndef BH_TESTS_LIB_RANDSET_INTERNAL_H
#define BH_TESTS_LIB_RANDSET_INTERNAL_H

#include "common/util.h"
#include "tests/lib/randset.h"

#define PICK(r, list) ((list)[rnd_below((r), (uint32_t)BH_ARRAY_SIZE(list))])

uint64_t rnd_next(struct rnd *r);
/* Aborts for want of memory: tests have enough. */
void *rs_must(void *p);
char *rs_copy(const char *s);

const char *rs_namespace(struct rnd *r);
void rs_labels_random(struct rnd *r, struct bh_labels *l);
void rs_selector_random(struct rnd *r, struct bh_selector *s, uint32_t all_one_in);
void rs_ns_selector_random(struct rnd *r, struct bh_selector *s);
const char *rs_port_name(struct rnd *r);

/* An address of the @i-th endpoint, or another's. */
void rs_addr_random(struct rnd *r, unsigned i, bool v6, struct bh_addr *ret);
struct bh_endpoint *rs_endpoint_random(struct rnd *r, unsigned i, const struct randset_config *c);
struct bh_namespace *rs_namespace_random(struct rnd *r, const char *name);
struct bh_node *rs_node_random(struct rnd *r, unsigned i);

/* Who a policy is; what it says comes from a seed. */
struct rs_identity {
	enum bh_kind kind;
	char ns[16], name[16];
};
void rs_identity_random(struct rnd *r, const struct randset_config *c, unsigned i,
			struct rs_identity *ret);
/* Equal for equal arguments. */
struct bh_policy *rs_policy_make(const struct rs_identity *id, uint64_t seed,
				 const struct randset_config *c);
void rs_rule_random(struct rnd *r, struct bh_rule *rule, const struct bh_policy *p, enum bh_dir dir,
		    const struct randset_config *c);
/* Puts it where it belongs; false if there is one of that identity. */
bool rs_set_insert(struct bh_policy_set *set, struct bh_policy *p);

#endif
