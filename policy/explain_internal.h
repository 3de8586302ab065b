/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/explain_internal.h - what the parts of an explanation share (inside policy/ only)
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_EXPLAIN_INTERNAL_H
#define BH_POLICY_EXPLAIN_INTERNAL_H

#include "policy/explain.h"

/* One direction of one connection. */
struct bh_miss_query {
	const struct bh_policy_set *set;
	enum bh_dir dir;
	const struct bh_endpoint *subject;
	const struct bh_endpoint *peer; /* NULL: nobody's address */
	const struct bh_addr *peer_addr;
	uint8_t l4;
	uint16_t port;
	unsigned proto; /* 0: not said */
};

/* A rule that did not match. */
struct bh_miss {
	const struct bh_policy *policy;
	const struct bh_rule *rule;
	uint32_t index;  /* in the policy's list */
	unsigned failed; /* parts that did not match: peers, ports, protocols */
	char *why;       /* "source has no label role=client; port 81 is not in 80" */
};

struct bh_misses {
	struct bh_miss *items; /* the nearest first */
	size_t n;
	size_t n_policies; /* that enforce, select the subject and have a say in this direction */
};
void bh_misses_done(struct bh_misses *m);

/* Allow rules of the enforced policies that select the subject and that do not match. -ENOMEM. */
int bh_misses_find(const struct bh_miss_query *q, struct bh_misses *ret) bh_must_check;

/* Has an effect on @ep in that direction. */
bool bh_policy_holds_for(const struct bh_policy *p, const struct bh_endpoint *ep, enum bh_dir dir);

/* `rule "clients"`, else `ingress[0]`. */
void bh_put_rule_name(struct bh_buf *b, const struct bh_rule *r, uint32_t index, enum bh_dir dir);

/* ---- the explanation ---- */

/* One end of the connection. */
struct bh_explain_side {
	const struct bh_endpoint *ep;     /* NULL: nobody's address */
	const struct bh_endpoint *claims; /* asked for, but @ep has the address now; else NULL */
	struct bh_addr addr;
	uint32_t cls; /* 0: nobody's */
	bool local;
};

/* What is said about one direction. */
struct bh_explain_said {
	enum bh_dir dir;
	const struct bh_explain_side *subject, *peer;
	uint32_t word;       /* as settled, if a protocol was given */
	const char *why_not; /* why no policy was asked; NULL: word tells */
	const char *why_not_id;
	struct bh_misses misses;
};

struct bh_explain_run {
	const struct bh_policy_set *set;
	const struct bh_endpoint *const *eps;
	size_t n_eps;
	const struct bh_compiled *compiled;
	const struct bh_query *q;
	struct bh_compiled own; /* made here, where @compiled knows local subjects only */
	struct bh_explain_side from, to;
	struct bh_explain_said said[2];
	enum bh_outcome outcome;
};

/* "shop/web", or the address. */
void bh_explain_put_side(struct bh_buf *b, const struct bh_explain_side *s);
/* The reason of a word that is no contract, with its place. */
void bh_explain_put_reason(struct bh_buf *b, const struct bh_explain_run *x,
			   const struct bh_explain_said *s, uint32_t word);
/* NULL: out of memory. */
json_t *bh_explain_json(const struct bh_explain_run *x);

#endif
