/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/explain.h - why a connection is allowed or refused
 *
 * The verdict comes from the compiled rule set (one evaluator); policies are only read to name the rules
 * that came nearest and what kept each from matching.
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_EXPLAIN_H
#define BH_POLICY_EXPLAIN_H

#include "policy/compile.h"

#include <jansson.h>

struct bh_query {
	/* Either an endpoint (index into the compiler's list) or, with endpoint == SIZE_MAX, an address. */
	size_t from_endpoint, to_endpoint;
	struct bh_addr from_addr, to_addr;
	/* 4 or 6: which addresses of the endpoints; 0: the first family both have. */
	uint8_t family;
	uint8_t l4;
	uint16_t port;
	unsigned proto; /* enum bh_proto; 0: not said: contracts are listed instead of settled */
	bool all_local; /* ask the policies of both ends, wherever they run (offline use) */
};

/*
 * Text for people in @text and/or JSON in *@ret_json (each may be NULL). *@ret_outcome: what happens; with
 * no protocol given and a contract in force, BH_OUTCOME_CONTRACT.
 * -EINVAL: an endpoint has no address of that family.
 */
int bh_explain(const struct bh_policy_set *set, const struct bh_endpoint *const *eps, size_t n_eps,
	       const struct bh_compiled *compiled, const struct bh_query *q, struct bh_buf *text,
	       json_t **ret_json, enum bh_outcome *ret_outcome, struct bh_err *err) bh_must_check;

/*
 * For a record of the violation log: what kept the nearest allow rule of the policies that select
 * @subject from matching, e.g. "nearest rule shop/web#0 does not match: port 8081 is not in 8080". Empty
 * where no rule comes near.
 */
void bh_explain_nearest(const struct bh_policy_set *set, const struct bh_endpoint *subject,
			const struct bh_endpoint *peer, const struct bh_addr *peer_addr,
			enum bh_dir dir, uint8_t l4, uint16_t port, struct bh_buf *out);

#endif
