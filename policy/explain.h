/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/explain.h - why a connection is allowed or refused
 *
 * The verdict comes from the compiled rule set (one evaluator); policies are only read to name what earlier tiers said
 * of it, the rules that came nearest, and what kept each from matching.
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_EXPLAIN_H
#define BH_POLICY_EXPLAIN_H

#include "policy/compile.h"

#include <jansson.h>

struct bh_query {
	/*
	 * Either an endpoint (index into the compiler's list), or with SIZE_MAX a node by its name, or where that is NULL
	 * an address. A node on which the other end runs (bh_endpoint.node) is that end's own node; else it is an
	 * address of its manifest. An address that a Node manifest has is that node.
	 */
	size_t from_endpoint, to_endpoint;
	const char *from_node, *to_node;
	struct bh_addr from_addr, to_addr;
	/* 4 or 6: which addresses of the endpoints; 0: the first family both have. */
	uint8_t family;
	uint8_t l4;
	uint16_t port;           /* ICMP and ICMPv6: type << 8 | code */
	struct bh_spoken spoken; /* what is not known leaves the verdict open where it matters */
	int64_t now;             /* UNIX seconds; the moment for which @compiled was made */
	const struct bh_surroundings *around; /* as given to the compiler; NULL: nothing is known */
	bool all_local; /* ask the policies of both ends, wherever they run (offline use) */
};

/*
 * Text for people in @text and/or JSON in *@ret_json (each may be NULL). *@ret_outcome: what happens;
 * BH_OUTCOME_CONTRACT if what is not known of what is spoken can make it allowed and refused.
 * -EINVAL: an end has no address of that family.
 */
int bh_explain(const struct bh_policy_set *set, const struct bh_endpoint *const *eps, size_t n_eps,
	       const struct bh_compiled *compiled, const struct bh_query *q, struct bh_buf *text,
	       json_t **ret_json, enum bh_outcome *ret_outcome, struct bh_err *err) bh_must_check;

/*
 * The family over which it would be asked: @q's own, else the first that both ends have; 0: none. Indexes of endpoints
 * must be good.
 */
uint8_t bh_explain_family(const struct bh_policy_set *set, const struct bh_endpoint *const *eps,
			  const struct bh_query *q);

/* One direction of what was refused. */
struct bh_nearest {
	const struct bh_policy_set *set;
	const struct bh_surroundings *around; /* NULL: nothing is known */
	int64_t now;
	const struct bh_endpoint *subject;
	const struct bh_endpoint *peer; /* NULL: no endpoint's address */
	const struct bh_addr *peer_addr;
	bool own_node; /* the peer is the node that the subject runs on */
	enum bh_dir dir;
	uint8_t l4;
	uint16_t port;
	const struct bh_spoken *spoken; /* NULL: not asked about */
};

/*
 * For a record of the violation log: what kept the nearest allow rule of the policies that select the subject from
 * matching, e.g. "nearest rule shop/web#0 does not match: port 8081 is not in 8080". Empty where no rule comes near.
 * Costs a look at the policies of the subject's namespace and those of the cluster.
 */
void bh_explain_nearest(const struct bh_nearest *n, struct bh_buf *out);

#endif
