/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/oracle.h - what a policy set means, one connection at a time
 *
 * Written from the description of the semantics, not from the compiler: no classes, no cells, no tables, no graphs;
 * every question is answered by reading all policies. It shares the model and policy/when.h with the product, and
 * nothing else: selectors, prefixes, name patterns and globs are matched by code of its own. Slow and plain on
 * purpose. The property tests compare the compiled rule set with it.
 *
 * Thread-safety: an oracle may be asked by any thread once it is made.
 */
#ifndef BH_TESTS_LIB_ORACLE_H
#define BH_TESTS_LIB_ORACLE_H

#include "policy/model.h"
#include "policy/ruleset.h"

/* The policies in their order, with what time has made of them. Borrows what it is made from. */
struct oracle;

struct oracle *oracle_new(const struct bh_policy_set *set, const struct bh_surroundings *around,
			  int64_t now);
struct oracle *oracle_free(struct oracle *o);

struct oracle_query {
	enum bh_dir dir;
	const struct bh_endpoint *subject; /* whose policies are asked */
	bool own_node;                     /* the peer is the node that the subject runs on */
	const struct bh_endpoint *peer;    /* NULL: nobody's address, or the own node */
	struct bh_addr peer_addr;
	uint8_t l4;
	uint16_t port;
	struct bh_spoken spoken;
};

enum oracle_word {
	ORACLE_INVALID,
	ORACLE_FREE, /* no policy has an effect on the subject in this direction */
	ORACLE_ALLOW,
	ORACLE_RECORD, /* allowed and recorded */
	ORACLE_DROP,
	ORACLE_REJECT,
	ORACLE_OPEN, /* what is not known can change the verdict or what is recorded */
};

struct oracle_answer {
	enum oracle_word word;
	enum bh_reason_kind kind;
	const struct bh_policy *policy; /* NULL: none */
	const struct bh_rule *rule;     /* NULL: none */
	bool stays_unknown;             /* by unknownProtocol */
};

/*
 * The different answers that come out if everything that is not known is tried: any protocol where none is said,
 * either outcome of every detail that is open. Details that ask for the same are one.
 */
#define ORACLE_ANSWERS_MAX 256
struct oracle_answers {
	struct oracle_answer all[ORACLE_ANSWERS_MAX];
	size_t n;
};

/**
 * oracle_ask() - What happens to a connection in one direction
 * @ret_all:	Every answer that is possible, for BH_PROTO_UNDECIDED the worst of them; may be NULL
 *
 * Undecided is never open: it is the worst that is possible.
 */
struct oracle_answer oracle_ask(const struct oracle *o, const struct oracle_query *q,
				struct oracle_answers *ret_all);

static inline bool oracle_refuses(const struct oracle_answer *a)
{
	return a->word == ORACLE_DROP || a->word == ORACLE_REJECT;
}
/* 2: refused, 1: recorded, 0: neither. */
static inline int oracle_badness(const struct oracle_answer *a)
{
	return oracle_refuses(a) ? 2 : a->word == ORACLE_RECORD ? 1 : 0;
}
bool oracle_same_answer(const struct oracle_answer *a, const struct oracle_answer *b);
/* Verdict and record are the same; how it is refused, and by whom, may differ, and who allows it. */
bool oracle_same_effect(const struct oracle_answer *a, const struct oracle_answer *b);

#endif
