/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/oracle.h - what a policy set means, one connection at a time
 *
 * Written from the description of the semantics, not from the compiler: no classes, no cells, no tables,
 * every question is answered by reading all policies. Slow and plain on purpose. The property test compares
 * the compiled rule set with it.
 *
 * Thread-safety: no state.
 */
#ifndef BH_TESTS_LIB_ORACLE_H
#define BH_TESTS_LIB_ORACLE_H

#include "policy/model.h"
#include "policy/ruleset.h"

struct oracle_query {
	const struct bh_policy_set *set;
	enum bh_dir dir;
	const struct bh_endpoint *subject; /* whose policies are asked */
	const struct bh_endpoint *peer;    /* NULL: nobody's address */
	struct bh_addr peer_addr;
	uint8_t l4;
	uint16_t port;
	unsigned proto; /* enum bh_proto, UNKNOWN and UNDECIDED included */
};

enum oracle_word {
	ORACLE_FREE, /* no policy selects the subject in this direction */
	ORACLE_ALLOW,
	ORACLE_RECORD, /* allowed and recorded */
	ORACLE_DROP,
	ORACLE_REJECT,
};

struct oracle_answer {
	enum oracle_word word;
	enum bh_reason_kind kind;
	const struct bh_policy *policy; /* NULL: none */
	const struct bh_rule *rule;     /* NULL: none */
};

struct oracle_answer oracle_ask(const struct oracle_query *q);
static inline bool oracle_refuses(const struct oracle_answer *a)
{
	return a->word == ORACLE_DROP || a->word == ORACLE_REJECT;
}

#endif
