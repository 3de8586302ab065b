/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema.h - every field of every object that a manifest may have: one table for each
 *
 * The loader holds manifests against these tables (bh_read_fields()), so what they say is what is accepted.
 * `explain-field`, the documentation and schemas can be made from them: bh_schema_find() steps from
 * "TrafficPolicy" down to "spec.ingress.ports".
 *
 * Tables: schema_policy.c has NetworkPolicy and our own policies, schema_cluster.c the cluster-scoped kinds of
 * Kubernetes, schema_object.c everything else.
 *
 * Thread-safety: constants.
 */
#ifndef BH_POLICY_SCHEMA_H
#define BH_POLICY_SCHEMA_H

#include "policy/reader.h"

/* Where we are: fields that do not exist there have the bit in not_in. */
enum {
	BH_IN_NETWORK_POLICY = 1 << 0,
	BH_IN_TRAFFIC_POLICY = 1 << 1,
	BH_IN_INGRESS = 1 << 2,
	BH_IN_EGRESS = 1 << 3,
	BH_IN_CLUSTER_TRAFFIC_POLICY = 1 << 4,
	BH_IN_CLUSTER_NETWORK_POLICY = 1 << 5,
	BH_IN_ADMIN_NETWORK_POLICY = 1 << 6,
	BH_IN_BASELINE_ADMIN_NETWORK_POLICY = 1 << 7,
	BH_IN_NO_NAMESPACE = 1 << 8, /* objects of the kind stand in no namespace */
	BH_IN_NO_STATUS = 1 << 9,    /* no server writes it */
	BH_IN_NO_POLICY = 1 << 10,   /* Namespace, Endpoint, Node */
};

enum { BH_F_TOP_API, BH_F_TOP_KIND, BH_F_TOP_META, BH_F_TOP_SPEC, BH_F_TOP_STATUS, BH_F_TOP_COUNT };

enum {
	BH_F_META_NAME,
	BH_F_META_NAME_LOOSE, /* the same, of what is no policy */
	BH_F_META_NAMESPACE,
	BH_F_META_LABELS,
	BH_F_META_ANNOTATIONS,
	BH_F_META_GENERATE_NAME,
	BH_F_META_UID,
	BH_F_META_RESOURCE_VERSION,
	BH_F_META_GENERATION,
	BH_F_META_CREATION,
	BH_F_META_DELETION,
	BH_F_META_GRACE,
	BH_F_META_FINALIZERS,
	BH_F_META_OWNERS,
	BH_F_META_MANAGED,
	BH_F_META_SELF_LINK,
	BH_F_META_COUNT,
};

enum {
	BH_F_SPEC_POD_SELECTOR,
	BH_F_SPEC_NS_SELECTOR,
	BH_F_SPEC_POLICY_TYPES,
	BH_F_SPEC_ISOLATE,
	BH_F_SPEC_MODE,
	BH_F_SPEC_TIER,
	BH_F_SPEC_PRIORITY,
	BH_F_SPEC_UNKNOWN,
	BH_F_SPEC_ON_OVERLOAD,
	BH_F_SPEC_MIDSTREAM,
	BH_F_SPEC_EXPIRES,
	BH_F_SPEC_PROMOTE,
	BH_F_SPEC_EVIDENCE,
	BH_F_SPEC_INGRESS,
	BH_F_SPEC_EGRESS,
	BH_F_SPEC_COUNT,
};

enum {
	BH_F_RULE_NAME,
	BH_F_RULE_ACTION,
	BH_F_RULE_FROM,
	BH_F_RULE_TO,
	BH_F_RULE_PORTS,
	BH_F_RULE_PORTS_MAPS, /* the same, of NetworkPolicy: without the short forms */
	BH_F_RULE_ICMP,
	BH_F_RULE_PROTOCOLS,
	BH_F_RULE_NOT_PROTOCOLS,
	BH_F_RULE_HTTP,
	BH_F_RULE_TLS,
	BH_F_RULE_DNS,
	BH_F_RULE_GRPC,
	BH_F_RULE_RISKS,
	BH_F_RULE_LOG,
	BH_F_RULE_SEVERITY,
	BH_F_RULE_EXPIRES,
	BH_F_RULE_WHEN,
	BH_F_RULE_UNKNOWN,
	BH_F_RULE_ON_OVERLOAD,
	BH_F_RULE_MIDSTREAM,
	BH_F_RULE_SWITCHES,
	BH_F_RULE_PROXY_HEADER,
	BH_F_RULE_EVIDENCE,
	BH_F_RULE_COUNT,
};

enum {
	BH_F_PEER_POD,
	BH_F_PEER_NS,
	BH_F_PEER_BLOCK,
	BH_F_PEER_ENTITY,
	BH_F_PEER_FQDN,
	BH_F_PEER_COUNT,
};

enum { BH_F_BLOCK_CIDR, BH_F_BLOCK_EXCEPT, BH_F_BLOCK_COUNT };
enum { BH_F_SELECTOR_LABELS, BH_F_SELECTOR_EXPRESSIONS, BH_F_SELECTOR_COUNT };
enum { BH_F_REQ_KEY, BH_F_REQ_OPERATOR, BH_F_REQ_VALUES, BH_F_REQ_COUNT };
enum { BH_F_PORT_PORT, BH_F_PORT_END, BH_F_PORT_PROTOCOL, BH_F_PORT_COUNT };
enum {
	BH_F_HTTP_METHODS,
	BH_F_HTTP_PATHS,
	BH_F_HTTP_HOSTS,
	BH_F_HTTP_CONNECT,
	BH_F_HTTP_UPGRADE,
	BH_F_HTTP_COUNT,
};
enum { BH_F_TLS_NAMES, BH_F_TLS_ALPN, BH_F_TLS_VERSION, BH_F_TLS_ECH, BH_F_TLS_COUNT };
enum { BH_F_DNS_NAMES, BH_F_DNS_TYPES, BH_F_DNS_COUNT };
enum { BH_F_GRPC_SERVICES, BH_F_GRPC_METHODS, BH_F_GRPC_COUNT };
enum { BH_F_WHEN_DAYS, BH_F_WHEN_FROM, BH_F_WHEN_TO, BH_F_WHEN_ZONE, BH_F_WHEN_COUNT };
enum { BH_F_PROMOTE_MONITOR, BH_F_PROMOTE_ENFORCE, BH_F_PROMOTE_COUNT };

/* ClusterNetworkPolicy, AdminNetworkPolicy, BaselineAdminNetworkPolicy. */
enum {
	BH_F_CSPEC_TIER,
	BH_F_CSPEC_PRIORITY,
	BH_F_CSPEC_SUBJECT,
	BH_F_CSPEC_INGRESS,
	BH_F_CSPEC_EGRESS,
	BH_F_CSPEC_COUNT,
};
enum { BH_F_SUBJECT_NAMESPACES, BH_F_SUBJECT_PODS, BH_F_SUBJECT_COUNT };
enum { BH_F_PODS_NS, BH_F_PODS_POD, BH_F_PODS_COUNT };
enum {
	BH_F_CRULE_NAME,
	BH_F_CRULE_ACTION,
	BH_F_CRULE_ACTION_BASELINE, /* the same, without Pass */
	BH_F_CRULE_FROM,
	BH_F_CRULE_TO,
	BH_F_CRULE_PROTOCOLS, /* ClusterNetworkPolicy */
	BH_F_CRULE_PORTS,     /* the other two */
	BH_F_CRULE_COUNT,
};
enum {
	BH_F_CPEER_NAMESPACES,
	BH_F_CPEER_PODS,
	BH_F_CPEER_NODES,
	BH_F_CPEER_NETWORKS,
	BH_F_CPEER_DOMAINS,
	BH_F_CPEER_COUNT,
};
enum { BH_F_CPROTO_TCP, BH_F_CPROTO_UDP, BH_F_CPROTO_SCTP, BH_F_CPROTO_NAMED, BH_F_CPROTO_COUNT };
enum { BH_F_CL4_PORT, BH_F_CL4_COUNT };
enum { BH_F_CPORT_NUMBER, BH_F_CPORT_RANGE, BH_F_CPORT_COUNT };
enum { BH_F_APORT_NUMBER, BH_F_APORT_NAMED, BH_F_APORT_RANGE, BH_F_APORT_COUNT };
enum { BH_F_ANUMBER_PORT, BH_F_ANUMBER_PROTOCOL, BH_F_ANUMBER_COUNT };
/* ClusterNetworkPolicy's ranges have no protocol. */
enum { BH_F_RANGE_START, BH_F_RANGE_END, BH_F_RANGE_PROTOCOL, BH_F_RANGE_COUNT };

enum {
	BH_F_EP_ADDRESSES,
	BH_F_EP_NODE,
	BH_F_EP_LOCAL,
	BH_F_EP_PORTS,
	BH_F_EP_HOST_TO_CONTAINER,
	BH_F_EP_COUNT
};
enum { BH_F_EPPORT_NAME, BH_F_EPPORT_PORT, BH_F_EPPORT_PROTOCOL, BH_F_EPPORT_COUNT };
enum { BH_F_NODE_ADDRESSES, BH_F_NODE_COUNT }; /* of spec of ours and of status of v1 */
enum { BH_F_NODEADDR_TYPE, BH_F_NODEADDR_ADDRESS, BH_F_NODEADDR_COUNT };
enum { BH_F_LIST_API, BH_F_LIST_KIND, BH_F_LIST_META, BH_F_LIST_ITEMS, BH_F_LIST_COUNT };

/* schema_policy.c */
extern const struct bh_object bh_object_policy, bh_object_spec, bh_object_rule, bh_object_peer,
    bh_object_block, bh_object_selector, bh_object_requirement, bh_object_port, bh_object_http,
    bh_object_tls, bh_object_dns, bh_object_grpc, bh_object_when, bh_object_promote;
/* schema_cluster.c: [0] of ClusterNetworkPolicy, [1] of the two kinds of v1alpha1 */
extern const struct bh_object bh_object_cluster[2], bh_object_cspec[2], bh_object_crule[2],
    bh_object_cpeer[2], bh_object_subject[2], bh_object_pods[2];
extern const struct bh_object bh_object_cproto, bh_object_cl4, bh_object_cport, bh_object_crange,
    bh_object_aport, bh_object_anumber, bh_object_arange;
/* schema_object.c */
extern const struct bh_object bh_object_namespace, bh_object_endpoint, bh_object_node,
    bh_object_k8s_node, bh_object_list;
extern const struct bh_object bh_object_meta, bh_object_endpoint_spec, bh_object_endpoint_port,
    bh_object_node_spec, bh_object_node_status, bh_object_node_address;

/* A kind that manifests can be of. */
struct bh_kind_info {
	const char *name;
	const char *plural, *short_name; /* lower case; the last NULL: none */
	const char *api;
	enum bh_kind kind; /* BH_KIND_INVALID: List */
	const struct bh_object *object;
	unsigned in;
};
/* The i-th, NULL past the end. Node stands there twice, for two apiVersions. */
const struct bh_kind_info *bh_schema_kind(size_t i);

/* The field of a name (@len bytes) that exists where @in says; NULL: none. */
const struct bh_field *bh_schema_field(const struct bh_object *o, unsigned in, const char *name,
				       size_t len);
/* The bits that hold below @f, which is @level steps below the top. */
unsigned bh_schema_below(unsigned in, unsigned level, const struct bh_field *f);

/**
 * bh_schema_find() - The field that a path means
 * @kind:	"TrafficPolicy"
 * @path:	"spec.ingress.ports"; indices in brackets are left out of account
 * @ret_object:	The object it is in; may be NULL
 *
 * Return: NULL if there is none
 */
const struct bh_field *bh_schema_find(const char *kind, const char *path,
				      const struct bh_object **ret_object);
/* The same for one of several kinds of a name. @ret_in: the bits that hold for what is below; may be NULL. */
const struct bh_field *bh_schema_find_in(const struct bh_kind_info *k, const char *path,
					 const struct bh_object **ret_object, unsigned *ret_in);

#endif
