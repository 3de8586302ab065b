/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/oracle_match.h - the questions that tests/lib/oracle.c is made of
 *
 * Thread-safety: no state.
 */
#ifndef BH_TESTS_LIB_ORACLE_MATCH_H
#define BH_TESTS_LIB_ORACLE_MATCH_H

#include "tests/lib/oracle.h"

/* What is known about the world. */
struct oracle_world {
	const struct bh_policy_set *set; /* namespaces and nodes */
	const struct bh_surroundings *around;
};

bool oracle_selects(const struct oracle_world *w, const struct bh_policy *p,
		    const struct bh_endpoint *ep);
/*
 * The peer is the own node and is spared what binds everybody: isolation, rules without peers, what denies everything.
 * What it opens to an endpoint with hostToContainer: policy is not.
 */
bool oracle_spares(const struct oracle_query *q);
/* One of the peers matches, or none is written. A peer of a later version matches nothing. */
bool oracle_peers_match(const struct oracle_world *w, const struct oracle_query *q,
			const struct bh_policy *p, const struct bh_rule *r);
bool oracle_ports_match(const struct oracle_query *q, const struct bh_rule *r);
/* It has a peer of a later version. */
bool oracle_has_unknown_peer(const struct bh_rule *r);
/* The detail says something about connections of this protocol. */
bool oracle_detail_binds(enum bh_detail_kind kind, unsigned proto);
enum bh_truth oracle_detail_holds(const struct bh_detail *d, const struct bh_spoken *sp);
bool oracle_same_detail(const struct bh_detail *a, const struct bh_detail *b);
bool oracle_value_matches(enum bh_attr attr, const char *pattern, const char *value);

#endif
