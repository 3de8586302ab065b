/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/model.h - policies, namespaces and endpoints as they were written, checked and defaulted
 *
 * policy/load.h makes a policy set from YAML; policy/compile.h makes a rule set from it. All source kinds
 * come into one form here: (tier, priority, policy, rule) -> {subjects, peers, ports, protocol predicate,
 * action} for each direction. A set is immutable once loaded: a change is a new set.
 *
 * Zero never means allow: every enum begins with an invalid member.
 *
 * Thread-safety: a set may be read by any thread once nobody changes it.
 */
#ifndef BH_POLICY_MODEL_H
#define BH_POLICY_MODEL_H

#include "common/addr.h"
#include "common/cleanup.h"
#include "policy/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bh_kind {
	BH_KIND_INVALID = 0,
	BH_KIND_NETWORK_POLICY, /* networking.k8s.io/v1 */
	BH_KIND_TRAFFIC_POLICY, /* bulkhead.network/v1alpha1 */
	BH_KIND_NAMESPACE,      /* v1: labels of a namespace */
	BH_KIND_ENDPOINT,       /* bulkhead.network/v1alpha1: an endpoint this host cannot see */
	BH_KIND_COUNT,
};

enum bh_dir {
	BH_DIR_INVALID = 0,
	BH_DIR_INGRESS = 1,
	BH_DIR_EGRESS = 2,
	BH_DIR_COUNT,
};

enum bh_action {
	BH_ACTION_INVALID = 0,
	BH_ACTION_ALLOW,
	BH_ACTION_DENY,   /* dropped */
	BH_ACTION_REJECT, /* refused with an answer: RST, ICMP */
	BH_ACTION_ALERT,  /* recorded as a warning, goes on */
	BH_ACTION_LOG,    /* recorded, goes on */
	BH_ACTION_COUNT,
};

enum bh_mode {
	BH_MODE_INVALID = 0,
	BH_MODE_ENFORCE,
	BH_MODE_MONITOR, /* changes no verdict; what it would refuse is recorded */
	BH_MODE_COUNT,
};

enum bh_tier {
	BH_TIER_INVALID = 0,
	BH_TIER_ADMIN,
	BH_TIER_APPLICATION,
	BH_TIER_BASELINE,
	BH_TIER_COUNT,
};

enum bh_l4 { /* IANA protocol numbers */
	     BH_L4_ANY = 0,
	     BH_L4_ICMP = 1,
	     BH_L4_TCP = 6,
	     BH_L4_UDP = 17,
	     BH_L4_ICMPV6 = 58,
	     BH_L4_SCTP = 132,
};

/* Where something was written. */
struct bh_pos {
	uint32_t line; /* from 1; 0: unknown */
	uint32_t column;
};

struct bh_label {
	char *key;
	char *value;
};

struct bh_labels {
	struct bh_label *items; /* sorted by key, keys unique */
	size_t n;
};

enum bh_sel_op {
	BH_SEL_INVALID = 0,
	BH_SEL_IN,
	BH_SEL_NOT_IN, /* also matches where the key is absent */
	BH_SEL_EXISTS,
	BH_SEL_DOES_NOT_EXIST,
};

struct bh_sel_req {
	enum bh_sel_op op;
	char *key;
	char **values; /* sorted, unique; IN, NOT_IN only */
	size_t n_values;
};

/* All requirements must hold; none: everything matches. matchLabels are IN with one value. */
struct bh_selector {
	struct bh_sel_req
	    *reqs; /* sorted by key, op: two selectors with the same meaning print alike */
	size_t n;
};

struct bh_ip_block {
	struct bh_prefix cidr;
	struct bh_prefix *except;
	size_t n_except;
};

struct bh_peer {
	bool has_pod;   /* podSelector given */
	bool has_ns;    /* namespaceSelector given */
	bool has_block; /* ipBlock given; then the other two are not */
	struct bh_selector pod;
	struct bh_selector ns; /* absent: the policy's own namespace */
	struct bh_ip_block block;
	struct bh_pos pos;
};

/* Matches if the protocol is l4 (BH_L4_ANY: every) and the destination port lies in lo..hi (0..65535: every). */
struct bh_port {
	uint8_t l4;
	uint16_t lo, hi;
	char *name; /* resolved at the destination; NULL: numeric */
	struct bh_pos pos;
};

/* Fields are ANDed, list entries ORed. */
struct bh_rule {
	char *name; /* as written, may be NULL */
	enum bh_action action;
	struct bh_peer *peers; /* none: every peer */
	size_t n_peers;
	struct bh_port *ports; /* none: every port and every protocol */
	size_t n_ports;
	bool has_protocols; /* protocols or notProtocols given */
	bool negated;       /* notProtocols */
	struct bh_protoset protocols;
	struct bh_pos pos;
};

struct bh_policy {
	enum bh_kind kind;
	char *ns; /* never NULL: "default" where the manifest names none */
	char *name;
	enum bh_tier tier;
	int priority; /* admin and baseline tiers; -1 else */
	enum bh_mode mode;
	struct bh_selector pods; /* subjects, in namespace ns */
	bool isolates[BH_DIR_COUNT];
	bool unknown_allow; /* unknownProtocol: allow */
	bool unknown_alert; /* unknownProtocol: alert (allow and record) */
	struct bh_rule *rules[BH_DIR_COUNT];
	size_t n_rules[BH_DIR_COUNT];
	char *file; /* as given to the loader */
	struct bh_pos pos;
	char
	    *source; /* the YAML document as it was read, for `get` and the store; NUL-terminated */
};

struct bh_namespace {
	char *name;
	struct bh_labels labels; /* kubernetes.io/metadata.name is added where it is missing */
	struct bh_pos pos;
	char *file;
};

struct bh_named_port {
	char *name;
	uint8_t l4;
	uint16_t port;
};

/* A workload: what a selector can match. */
struct bh_endpoint {
	char *id; /* container id, or "NAMESPACE/NAME" for a manifest; never NULL */
	char *ns;
	char *name;
	struct bh_labels labels;
	struct bh_addr *addrs;
	size_t n_addrs;
	struct bh_named_port *ports;
	size_t n_ports;
	char *node; /* NULL: unknown */
	bool local; /* on this host: policies are enforced for it here */
	struct bh_pos pos;
	char *file;
};

struct bh_policy_set {
	struct bh_policy **policies; /* sorted by kind, ns, name */
	size_t n_policies;
	struct bh_namespace **namespaces; /* sorted by name */
	size_t n_namespaces;
	struct bh_endpoint **endpoints; /* of kind Endpoint manifests; sorted by ns, name */
	size_t n_endpoints;
	bool unsorted; /* policies were added out of order; bh_load_finish() sorts */
};

struct bh_policy_set *bh_policy_set_new(void);
struct bh_policy_set *bh_policy_set_free(struct bh_policy_set *s);
BH_DEFINE_CLEANUP(struct bh_policy_set, bh_policy_set_free);
const struct bh_policy *bh_policy_set_find(const struct bh_policy_set *s, enum bh_kind kind,
					   const char *ns, const char *name);

struct bh_policy *bh_policy_free(struct bh_policy *p);
struct bh_namespace *bh_namespace_free(struct bh_namespace *n);
struct bh_endpoint *bh_endpoint_free(struct bh_endpoint *e);
BH_DEFINE_CLEANUP(struct bh_endpoint, bh_endpoint_free);
void bh_rules_free(struct bh_rule *rules, size_t n);
void bh_selector_done(struct bh_selector *s);
void bh_labels_done(struct bh_labels *l);

/* Adds or replaces; keeps the order. -ENOMEM. */
int bh_labels_set(struct bh_labels *l, const char *key, const char *value) bh_must_check;
/* The value, or NULL where the key is absent. */
const char *bh_labels_get(const struct bh_labels *l, const char *key);
bool bh_selector_match(const struct bh_selector *s, const struct bh_labels *l);

const char *bh_kind_name(enum bh_kind k);     /* "NetworkPolicy" */
const char *bh_dir_name(enum bh_dir d);       /* "ingress" */
const char *bh_action_name(enum bh_action a); /* "allow" */
const char *bh_mode_name(enum bh_mode m);
const char *bh_tier_name(enum bh_tier t);
/* "tcp", "udp", "sctp", "icmp", "icmpv6", "any"; else the number in @buf (8 bytes). */
const char *bh_l4_name(unsigned l4, char *buf);

#endif
