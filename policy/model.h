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
	BH_KIND_NETWORK_POLICY,                /* networking.k8s.io/v1 */
	BH_KIND_TRAFFIC_POLICY,                /* bulkhead.network/v1alpha1 */
	BH_KIND_CLUSTER_NETWORK_POLICY,        /* policy.networking.k8s.io/v1alpha2 */
	BH_KIND_ADMIN_NETWORK_POLICY,          /* policy.networking.k8s.io/v1alpha1 */
	BH_KIND_BASELINE_ADMIN_NETWORK_POLICY, /* policy.networking.k8s.io/v1alpha1 */
	BH_KIND_CLUSTER_TRAFFIC_POLICY,        /* bulkhead.network/v1alpha1 */
	BH_KIND_NAMESPACE,                     /* v1: labels of a namespace */
	BH_KIND_ENDPOINT, /* bulkhead.network/v1alpha1: an endpoint this host cannot see */
	BH_KIND_NODE,     /* v1 or bulkhead.network/v1alpha1: a host, its labels and addresses */
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
	BH_ACTION_PASS,   /* admin, baseline: leaves the tier */
	BH_ACTION_ALERT,  /* recorded as a warning, goes on */
	BH_ACTION_LOG,    /* recorded, goes on */
	BH_ACTION_COUNT,
};

enum bh_mode {
	BH_MODE_INVALID = 0,
	BH_MODE_ENFORCE,
	BH_MODE_MONITOR, /* changes no verdict; what it would refuse is recorded */
	BH_MODE_LEARN,   /* the same, to propose rules from: no alarm */
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

struct bh_strlist {
	char **items;
	size_t n;
};

/* Who is meant without a selector. */
enum bh_entity {
	BH_ENTITY_INVALID = 0,
	BH_ENTITY_WORLD,   /* no endpoint, no node, not in the cluster's own ranges */
	BH_ENTITY_HOST,    /* the node that the subject runs on */
	BH_ENTITY_NODES,   /* every node, also the own */
	BH_ENTITY_CLUSTER, /* endpoints and nodes */
	BH_ENTITY_DNS,     /* the configured resolvers, whoever has their addresses */
	BH_ENTITY_ALL,     /* every address, also the own node's */
	BH_ENTITY_COUNT,
};

enum bh_peer_kind {
	BH_PEER_INVALID = 0,
	BH_PEER_ENDPOINTS, /* by namespace and labels */
	BH_PEER_BLOCK,     /* by address, whoever has it */
	BH_PEER_ENTITY,
	BH_PEER_NODES, /* nodes with these labels: by their addresses */
	BH_PEER_NAMES, /* addresses that DNS gave for these names */
	BH_PEER_UNKNOWN, /* of a later version: matches nothing; deny and pass rules deny everything */
	BH_PEER_COUNT,
};

/*
 * One entry of from or to. A list of networks or of several kinds of the cluster-scoped policies becomes as many
 * entries.
 */
struct bh_peer {
	enum bh_peer_kind kind;
	/* ENDPOINTS */
	bool has_pod; /* podSelector given; absent: every endpoint of the namespaces */
	bool
	    has_ns; /* namespaceSelector given; absent: the policy's own namespace (cluster-scoped: all) */
	struct bh_selector pod; /* also of NODES: their labels */
	struct bh_selector ns;
	struct bh_ip_block block;
	enum bh_entity entity;
	struct bh_strlist
	    names; /* lower case, no dot at the end; "*." in front: one or more labels */
	struct bh_pos pos;
};

/*
 * Matches if the protocol is l4 (BH_L4_ANY: every) and the destination port lies in lo..hi (0..65535: every). ICMP
 * and ICMPv6 have type << 8 | code for a port.
 */
struct bh_port {
	uint8_t l4;
	uint16_t lo, hi;
	char *name; /* resolved at the destination; NULL: numeric */
	struct bh_pos pos;
};

/* What is asked of what is spoken, beyond its protocol. Numbers stand in rule sets. */
enum bh_attr {
	BH_ATTR_INVALID = 0,
	BH_ATTR_HTTP_METHOD, /* exact */
	BH_ATTR_HTTP_PATH, /* glob: * within a segment, ** over segments; normalised path without query */
	BH_ATTR_HTTP_HOST,    /* name pattern, lower case, without port */
	BH_ATTR_HTTP_CONNECT, /* "name-pattern:port" or "name-pattern:*" that CONNECT may ask for */
	BH_ATTR_HTTP_UPGRADE, /* "websocket", "h2c": lower case */
	BH_ATTR_TLS_NAME,     /* name pattern */
	BH_ATTR_TLS_ALPN,     /* exact; all that the client offers must be listed */
	BH_ATTR_TLS_VERSION, /* "1.0" to "1.3": the least; what the client offers at most must reach it */
	BH_ATTR_TLS_ECH,  /* "present", "absent" */
	BH_ATTR_DNS_NAME, /* name pattern; every question must match */
	BH_ATTR_DNS_TYPE, /* "A", "HTTPS", "TYPE64999": bh_dns_type_name(); every question must match */
	BH_ATTR_GRPC_SERVICE, /* exact, or a glob over the dots: "shop.*", "shop.**" */
	BH_ATTR_GRPC_METHOD,  /* exact or "*" */
	BH_ATTR_RISK,         /* name of a risk that nDPI found; one is enough */
	BH_ATTR_COUNT,
};

/* One of the values. */
struct bh_test {
	enum bh_attr attr;
	struct bh_strlist values;
};

/* All tests must hold. */
struct bh_clause {
	struct bh_test *tests;
	size_t n;
	struct bh_pos pos;
};

/* What details are about: they bind connections of these protocols only. */
enum bh_detail_kind {
	BH_DETAIL_INVALID = 0,
	BH_DETAIL_HTTP, /* http, http2 */
	BH_DETAIL_TLS,  /* tls, quic */
	BH_DETAIL_DNS,
	BH_DETAIL_GRPC,
	BH_DETAIL_RISK, /* every protocol */
	BH_DETAIL_COUNT,
};

/* One of the clauses must hold. */
struct bh_detail {
	enum bh_detail_kind kind;
	struct bh_clause *clauses;
	size_t n;
	struct bh_pos pos;
};

/* What happens where a rule cannot be decided. A smaller number is stricter. */
enum bh_fail {
	BH_FAIL_UNSET = 0,
	BH_FAIL_REFUSE,
	BH_FAIL_ALERT, /* passes, and is recorded */
	BH_FAIL_ALLOW, /* passes, and is counted */
	BH_FAIL_COUNT,
};

enum bh_urgency { /* "severity" in manifests and records */
		  BH_URGENCY_UNSET = 0,
		  BH_URGENCY_INFO,
		  BH_URGENCY_WARNING,
		  BH_URGENCY_CRITICAL,
		  BH_URGENCY_COUNT,
};

/* Changes of protocol within a connection that a rule admits. */
enum {
	BH_SWITCH_STARTTLS = 1 << 0,   /* smtp, imap, pop3, ftp, ldap, mysql ... */
	BH_SWITCH_SSLREQUEST = 1 << 1, /* postgres */
	BH_SWITCH_USUAL = 1 << 7,      /* not written: whatever is usual for the protocol */
};

enum bh_proxy { /* a PROXY protocol header in front of what is spoken */
		BH_PROXY_UNSET = 0,
		BH_PROXY_REFUSE,
		BH_PROXY_ALLOW,
		BH_PROXY_REQUIRE,
		BH_PROXY_COUNT,
};

/* A time window. from > to: over midnight, and the day is that on which it begins. */
struct bh_when {
	uint8_t days;      /* bit 0: Monday ... bit 6: Sunday */
	uint16_t from, to; /* minutes of the day; to: exclusive, up to 1440 */
	char *zone;        /* "Europe/Vienna"; "UTC" where none is written */
};

/* Fields are ANDed, list entries ORed. */
struct bh_rule {
	char *name; /* as written, may be NULL */
	enum bh_action action;
	struct bh_peer *peers; /* none: every peer */
	size_t n_peers;
	struct bh_port
	    *ports; /* ports and icmp; none, and has_ports unset: every port and every protocol */
	size_t n_ports;
	bool
	    has_ports; /* something was asked for, though it may come to nothing: then nothing matches */
	bool has_protocols;           /* protocols or notProtocols given, or implied by details */
	bool negated;                 /* notProtocols */
	struct bh_protoset protocols; /* families are replaced by their members */
	struct bh_detail *details;    /* at most one of each kind */
	size_t n_details;
	bool log; /* record what it allows */
	enum bh_urgency urgency;
	enum bh_fail on_overload, midstream,
	    unknown;      /* as in force: the policy's where the rule has none */
	uint8_t switches; /* BH_SWITCH_* */
	enum bh_proxy proxy;
	uint16_t evidence;   /* packets to keep of what it refuses */
	int64_t expires;     /* UNIX seconds; 0: never */
	struct bh_when when; /* zone NULL: always */
	struct bh_pos pos;
};

/* BaselineAdminNetworkPolicy has none: it comes after all that have one. */
#define BH_PRIORITY_NONE 1001

struct bh_policy {
	unsigned refs;
	enum bh_kind kind;
	char *
	    ns; /* never NULL: "default" where the manifest names none; "" for cluster-scoped kinds */
	char *name;
	enum bh_tier tier;
	int priority; /* admin and baseline tiers: 0 to 1000, the smaller first; BH_PRIORITY_NONE; -1 else */
	enum bh_mode mode;                    /* as written; bh_policy_mode_at() tells what it is */
	int64_t monitor_after, enforce_after; /* promote: UNIX seconds; 0: not */
	int64_t expires;                      /* UNIX seconds; 0: never */
	struct bh_selector pods;              /* subjects; in namespace ns, or */
	bool has_ns; /* cluster-scoped: in the namespaces that ns_sel matches; else in all */
	struct bh_selector ns_sel;
	bool isolates[BH_DIR_COUNT];
	enum bh_fail unknown; /* unknownProtocol; never UNSET. Rules carry theirs */
	uint16_t evidence;    /* packets to keep of what isolation refuses */
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

struct bh_node {
	char *name;
	struct bh_labels labels;
	struct bh_addr *addrs;
	size_t n_addrs;
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
	/* hostToContainer: policy. What its own node opens to it is judged as what anybody opens. */
	bool host_judged;
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
	struct bh_node **nodes; /* sorted by name */
	size_t n_nodes;
	bool unsorted;              /* policies were added out of order; bh_load_finish() sorts */
	struct bh_file_seen *files; /* that were read */
};

/* What is known besides manifests. Borrowed. */
struct bh_known_name {
	const char *name; /* lower case, no dot at the end */
	const struct bh_addr *addrs;
	size_t n;
};
struct bh_surroundings {
	const struct bh_prefix *cluster; /* the cluster's own ranges */
	size_t n_cluster;
	const struct bh_addr *resolvers;
	size_t n_resolvers;
	const struct bh_known_name
	    *names; /* what DNS said (offline; the kernel learns by itself) */
	size_t n_names;
};

struct bh_policy_set *bh_policy_set_new(void);
struct bh_policy_set *bh_policy_set_free(struct bh_policy_set *s);
BH_DEFINE_CLEANUP(struct bh_policy_set, bh_policy_set_free);
/* Notes a file as read. 1: it had been read before; 0; -ENOMEM. */
int bh_policy_set_read(struct bh_policy_set *s, uint64_t dev, uint64_t ino) bh_must_check;
const struct bh_policy *bh_policy_set_find(const struct bh_policy_set *s, enum bh_kind kind,
					   const char *ns, const char *name);

/* Policies are counted, so that sets can share them. Made with one reference (refs == 0 counts as one). */
struct bh_policy *bh_policy_ref(struct bh_policy *p);
struct bh_policy *bh_policy_free(struct bh_policy *p); /* gives one reference back */
struct bh_namespace *bh_namespace_free(struct bh_namespace *n);
struct bh_node *bh_node_free(struct bh_node *n);
BH_DEFINE_CLEANUP(struct bh_node, bh_node_free);
struct bh_endpoint *bh_endpoint_free(struct bh_endpoint *e);
BH_DEFINE_CLEANUP(struct bh_endpoint, bh_endpoint_free);
void bh_rules_free(struct bh_rule *rules, size_t n);
void bh_selector_done(struct bh_selector *s);
void bh_labels_done(struct bh_labels *l);
void bh_strlist_done(struct bh_strlist *l);

/* Adds or replaces; keeps the order. -ENOMEM. */
int bh_labels_set(struct bh_labels *l, const char *key, const char *value) bh_must_check;
/* The value, or NULL where the key is absent. */
const char *bh_labels_get(const struct bh_labels *l, const char *key);
bool bh_selector_match(const struct bh_selector *s, const struct bh_labels *l);

/*
 * Name patterns: "a.example" is that name, "*.example" what stands one or more labels below example. Both in lower
 * case, without a dot at the end.
 */
bool bh_name_match(const char *pattern, const char *name);

/* Does this detail say anything about connections of this protocol? */
bool bh_detail_binds(enum bh_detail_kind k, unsigned proto);
/* The declared namespace of that name; NULL: there is none. The set is sorted (bh_load_finish()). */
const struct bh_namespace *bh_policy_set_namespace(const struct bh_policy_set *s, const char *name);

bool bh_kind_is_policy(enum bh_kind k);
bool bh_kind_is_cluster(enum bh_kind k); /* a policy that stands in no namespace */
bool bh_kind_has_ns(enum bh_kind k);     /* its objects stand in a namespace */
/* "NetworkPolicy shop/web", "ClusterTrafficPolicy no-shells". */
struct bh_buf;
void bh_policy_put_name(struct bh_buf *b, const struct bh_policy *p);
/* Order of evaluation: tier, priority (admin, baseline), then name or (application) kind, namespace, name. */
int bh_policy_order(const struct bh_policy *a, const struct bh_policy *b);

const char *bh_kind_name(enum bh_kind k);     /* "NetworkPolicy" */
const char *bh_dir_name(enum bh_dir d);       /* "ingress" */
const char *bh_action_name(enum bh_action a); /* "allow" */
const char *bh_mode_name(enum bh_mode m);
const char *bh_tier_name(enum bh_tier t);
const char *bh_entity_name(enum bh_entity e);
const char *bh_attr_name(enum bh_attr a);          /* as the field is called: "methods" */
const char *bh_detail_name(enum bh_detail_kind k); /* "http" */
const char *bh_fail_name(enum bh_fail f);          /* "refuse", "alert", "allow" */
const char *bh_urgency_name(enum bh_urgency u);    /* "warning" */
/* "tcp", "udp", "sctp", "icmp", "icmpv6", "any"; else the number in @buf (8 bytes). */
const char *bh_l4_name(unsigned l4, char *buf);

#endif
