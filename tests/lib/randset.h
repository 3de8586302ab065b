/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/randset.h - random policies, endpoints and surroundings, and what changes about them
 *
 * The same for the same seed. Built from small vocabularies, so that selectors, addresses, ports and what is spoken
 * meet often.
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
/* For seeds and numbers of worlds: what the environment says of @name. */
unsigned rnd_from_env(const char *name, unsigned otherwise);

/* What may occur besides NetworkPolicy and the plain fields of TrafficPolicy. */
enum {
	RANDSET_CLUSTER = 1 << 0, /* cluster-scoped kinds: three tiers, equal priorities, pass */
	RANDSET_ENTITY = 1 << 1,
	RANDSET_NODE = 1 << 2,   /* nodes as peers */
	RANDSET_NAME = 1 << 3,   /* names as peers */
	RANDSET_DETAIL = 1 << 4, /* methods, paths, server names, risks ... */
	RANDSET_TIME = 1 << 5,   /* expires, when, promote, around now */
	RANDSET_LEARN = 1 << 6,
	RANDSET_LOG = 1 << 7,     /* `log: true` */
	RANDSET_ICMP = 1 << 8,    /* types and codes; ports that come to nothing */
	RANDSET_UNKNOWN = 1 << 9, /* peers of a later version */
	RANDSET_FAIL = 1 << 10,   /* fail modes, switches, proxy headers: rule by rule */
	RANDSET_HOST = 1 << 11,   /* hostToContainer: policy */
	RANDSET_ALL = (1 << 12) - 1,
};

struct randset_config {
	unsigned policies, endpoints, nodes;
	unsigned rules;          /* of a direction, at most; 0: three */
	bool traffic_only_allow; /* NetworkPolicy only */
	unsigned local_percent;
	unsigned features; /* RANDSET_* */
	int64_t now;
};

/* Policies and namespaces; without nodes. */
struct bh_policy_set *randset_policies(struct rnd *r, const struct randset_config *c);
/* @ret: an array of @c->endpoints, owned by the caller, each to be freed by bh_endpoint_free(). */
struct bh_endpoint **randset_endpoints(struct rnd *r, const struct randset_config *c);
void randset_endpoints_free(struct bh_endpoint **eps, unsigned n);

/* Addresses of nobody, some in the vocabulary's CIDRs. NULL past the end. */
const char *randset_outside(size_t i);
/* Values that are met: some hit what rules ask for, some do not. NULL past the end. */
const char *randset_value(enum bh_attr attr, size_t i);

/* ---- a world that changes ---- */

struct randset {
	struct randset_config cfg; /* now: of the beginning */
	struct rnd r;
	struct bh_policy_set *set; /* with namespaces and nodes */
	struct bh_endpoint **eps;  /* NULL: gone */
	unsigned n_eps;
	struct bh_surroundings around; /* points into here */
	int64_t now;
	unsigned made; /* what was made so far: gives names and texts that were not there */
	struct bh_prefix cluster[2];
	struct bh_addr resolvers[2];
	struct bh_known_name names[4];
	struct bh_addr name_addrs[4][2];
};

enum randset_kind {
	RANDSET_EP_RELABELLED,
	RANDSET_EP_GONE,
	RANDSET_EP_NEW,
	RANDSET_EP_MOVED, /* another address */
	RANDSET_EP_LOCAL, /* here, or no longer */
	RANDSET_EP_PORTS,
	RANDSET_EP_HOST,  /* its node is judged like others, or no longer */
	RANDSET_EP_KINDS, /* up to here one endpoint changes */
	RANDSET_POLICY_ADDED = RANDSET_EP_KINDS,
	RANDSET_POLICY_REMOVED,
	RANDSET_POLICY_ALTERED,
	RANDSET_POLICIES_AGAIN, /* all of them: other objects, the same content */
	RANDSET_NAMESPACE,      /* other labels, declared, or no longer */
	RANDSET_NODE_CHANGED,
	RANDSET_AROUND,
	RANDSET_TIME_PASSES,
	RANDSET_KINDS,
};

struct randset_change {
	enum randset_kind kind;
	unsigned endpoint; /* index; EP_* only */
	char text[96];     /* for people */
};

struct randset *randset_new(uint64_t seed, const struct randset_config *c);
struct randset *randset_free(struct randset *w);
BH_DEFINE_CLEANUP(struct randset, randset_free);
/* For people: the smallest world that still fails is worth reading. */
struct bh_buf;
void randset_print(const struct randset *w, struct bh_buf *out);
/* Takes something away (a policy, a rule, an endpoint ...), the @i-th thing there is; false: there are fewer. */
bool randset_shrink(struct randset *w, size_t i);
/* Changes something of that kind; false: there is nothing to change. */
bool randset_change(struct randset *w, enum randset_kind kind, struct randset_change *ret);

#endif
