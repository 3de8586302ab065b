/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/party.h - the parties of a matrix: endpoints that no policy tells apart, nodes, and the outside
 *
 * Compiled rule sets know classes; people know names. A party is what has one class (with two rule sets: one pair of
 * classes) and, for endpoints, one namespace. Addresses of nobody are cut into the pieces that policies name; what
 * none names is the party "world".
 *
 * Thread-safety: one thread.
 */
#ifndef BH_POLICY_PARTY_H
#define BH_POLICY_PARTY_H

#include "policy/compile.h"

#define BH_PARTY_SETS 2U

enum bh_party_kind {
	BH_PARTY_INVALID = 0,
	BH_PARTY_ENDPOINTS,
	BH_PARTY_HOST,    /* the node that the other side runs on */
	BH_PARTY_NODES,   /* nodes that the other side does not run on */
	BH_PARTY_OUTSIDE, /* addresses of nobody */
	BH_PARTY_COUNT,
};

struct bh_party {
	enum bh_party_kind kind;
	char *ns; /* "" where it is not about endpoints */
	char *
	    name; /* "shop/web", "shop/web-* (3)", "nodes n1 and n2", "10.0.0.0/8", "world"; unique */
	uint32_t cls[BH_PARTY_SETS];
	bool v4, v6;       /* has addresses of that family */
	uint32_t *members; /* indexes of endpoints, or of nodes */
	size_t n_members;
};

/* Endpoints by namespace and name, then the own node, nodes, pieces of the outside, the world. */
struct bh_parties {
	struct bh_party *items;
	size_t n;
};

struct bh_party_input {
	/* One or two rule sets, made of the same endpoints. */
	const struct bh_compiled *compiled[BH_PARTY_SETS];
	size_t n_compiled;
	const struct bh_endpoint *const *eps;
	size_t n_eps;
	struct bh_node *const *nodes;
	size_t n_nodes;
};

/* -EINVAL: the rule sets are not of the same endpoints. -ENOMEM. */
int bh_parties_make(const struct bh_party_input *in, struct bh_parties *ret, struct bh_err *err)
    bh_must_check;
void bh_parties_done(struct bh_parties *p);

const char *bh_party_kind_name(enum bh_party_kind k); /* "endpoints", "node", "nodes", "outside" */

/* Both can have the family of a connection in common, and it is no connection of one address to itself. */
bool bh_party_can_meet(const struct bh_party *from, const struct bh_party *to);

#endif
