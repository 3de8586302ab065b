/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema.h - every field of every object that a manifest may have: one table for each
 *
 * The loader holds manifests against these tables (bh_read_fields()), so what they say is what is accepted.
 * `explain-field` and the documentation can be made from them: bh_schema_find() steps from "TrafficPolicy"
 * down to "spec.ingress.ports".
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
};

enum { BH_F_TOP_API, BH_F_TOP_KIND, BH_F_TOP_META, BH_F_TOP_SPEC, BH_F_TOP_STATUS, BH_F_TOP_COUNT };

enum {
	BH_F_META_NAME,
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
	BH_F_SPEC_POLICY_TYPES,
	BH_F_SPEC_ISOLATE,
	BH_F_SPEC_MODE,
	BH_F_SPEC_UNKNOWN,
	BH_F_SPEC_INGRESS,
	BH_F_SPEC_EGRESS,
	BH_F_SPEC_NS_SELECTOR,
	BH_F_SPEC_TIER,
	BH_F_SPEC_PRIORITY,
	BH_F_SPEC_EXPIRES,
	BH_F_SPEC_ON_OVERLOAD,
	BH_F_SPEC_MIDSTREAM,
	BH_F_SPEC_PROMOTE,
	BH_F_SPEC_COUNT,
};

enum {
	BH_F_RULE_NAME,
	BH_F_RULE_ACTION,
	BH_F_RULE_FROM,
	BH_F_RULE_TO,
	BH_F_RULE_PORTS,
	BH_F_RULE_PROTOCOLS,
	BH_F_RULE_NOT_PROTOCOLS,
	BH_F_RULE_ICMP,
	BH_F_RULE_HTTP,
	BH_F_RULE_TLS,
	BH_F_RULE_DNS,
	BH_F_RULE_GRPC,
	BH_F_RULE_LOG,
	BH_F_RULE_SEVERITY,
	BH_F_RULE_EXPIRES,
	BH_F_RULE_WHEN,
	BH_F_RULE_ON_OVERLOAD,
	BH_F_RULE_MIDSTREAM,
	BH_F_RULE_UNKNOWN,
	BH_F_RULE_SWITCHES,
	BH_F_RULE_PROXY_HEADER,
	BH_F_RULE_RISKS,
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
enum { BH_F_EP_ADDRESSES, BH_F_EP_NODE, BH_F_EP_LOCAL, BH_F_EP_PORTS, BH_F_EP_COUNT };
enum { BH_F_EPPORT_NAME, BH_F_EPPORT_PORT, BH_F_EPPORT_PROTOCOL, BH_F_EPPORT_COUNT };
enum { BH_F_LIST_API, BH_F_LIST_KIND, BH_F_LIST_META, BH_F_LIST_ITEMS, BH_F_LIST_COUNT };

extern const struct bh_object bh_object_policy, bh_object_namespace, bh_object_endpoint,
    bh_object_list;
extern const struct bh_object bh_object_meta, bh_object_spec, bh_object_rule, bh_object_peer,
    bh_object_block, bh_object_selector, bh_object_requirement, bh_object_port,
    bh_object_endpoint_spec, bh_object_endpoint_port;

/* A kind that manifests can be of. */
struct bh_kind_info {
	const char *name, *api;
	enum bh_kind
	    kind; /* BH_KIND_INVALID: not a policy, namespace or endpoint, or not supported */
	const struct bh_object *object; /* NULL: it exists, but not in this version */
	unsigned in;
};
/* The i-th, NULL past the end. */
const struct bh_kind_info *bh_schema_kind(size_t i);

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

#endif
