/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema.c - every field of every object that a manifest may have
 *
 * Fields of the dialect that this version does not have are listed too (LATER): they are refused by name,
 * because a condition that is ignored is a hole.
 */
#include "policy/schema.h"

#include "common/util.h"

#include <string.h>

#include "common/banned.h"

#define TRAFFIC_ONLY                    \
	.not_in = BH_IN_NETWORK_POLICY, \
	.not_here = "that is a field of TrafficPolicy (bulkhead.network/v1alpha1)"
#define LATER(field, text)                                                                        \
	{                                                                                         \
		.name = field, .type = BH_FIELD_ANY, .flags = BH_FIELD_UNSUPPORTED, .help = text, \
		.not_in = BH_IN_NETWORK_POLICY                                                    \
	}
#define FROM_SERVER(field)                                                      \
	{                                                                       \
		.name = field, .type = BH_FIELD_ANY, .flags = BH_FIELD_IGNORED, \
		.help = "set by a server; ignored"                              \
	}
#define OBJECT(what, text, table)                                                      \
	{                                                                              \
		.name = what, .help = text, .fields = table, .n = BH_ARRAY_SIZE(table) \
	}

static const char *const policy_types[] = { "Ingress", "Egress", NULL };
static const char *const isolate_values[] = { "none", "ingress", "egress", "both", NULL };
static const char *const modes[] = { "enforce", "monitor", NULL };
static const char *const modes_later[] = { "learn", NULL };
static const char *const unknown_values[] = { "deny", "alert", "allow", NULL };
static const char *const actions[] = { "allow", "deny", "reject", "alert", "log", NULL };
static const char *const actions_later[] = { "pass", NULL };
static const char *const l4_names[] = { "TCP", "UDP", "SCTP", NULL };
static const char *const operators[] = { "In", "NotIn", "Exists", "DoesNotExist", NULL };

/* ---- parts ---- */

static const struct bh_field requirement_fields[] = {
	[BH_F_REQ_KEY] = { .name = "key", .type = BH_FIELD_STRING, .help = "label key" },
	[BH_F_REQ_OPERATOR] = { .name = "operator",
				.type = BH_FIELD_STRING,
				.values = operators,
				.help =
				    "NotIn and DoesNotExist also match where the key is absent" },
	[BH_F_REQ_VALUES] = { .name = "values",
			      .type = BH_FIELD_LIST,
			      .item = BH_FIELD_STRING,
			      .help = "for In and NotIn: at least one; else none" },
};
const struct bh_object bh_object_requirement =
    OBJECT("requirement", "one condition on labels", requirement_fields);

static const struct bh_field selector_fields[] = {
	[BH_F_SELECTOR_LABELS] = { .name = "matchLabels",
				   .type = BH_FIELD_STRINGS,
				   .help = "labels that must all be there, with these values" },
	[BH_F_SELECTOR_EXPRESSIONS] = { .name = "matchExpressions",
					.type = BH_FIELD_LIST,
					.item = BH_FIELD_MAP,
					.object = &bh_object_requirement,
					.help = "conditions that must all hold" },
};
const struct bh_object bh_object_selector =
    OBJECT("selector", "which labels an object must have; empty: every object", selector_fields);

static const struct bh_field block_fields[] = {
	[BH_F_BLOCK_CIDR] = { .name = "cidr",
			      .type = BH_FIELD_STRING,
			      .help = "addresses, like \"10.0.0.0/8\" or \"fd00::/8\"" },
	[BH_F_BLOCK_EXCEPT] = { .name = "except",
				.type = BH_FIELD_LIST,
				.item = BH_FIELD_STRING,
				.help = "smaller ranges inside of cidr that are left out" },
};
const struct bh_object bh_object_block =
    OBJECT("ipBlock", "a range of addresses, whoever has them", block_fields);

static const struct bh_field peer_fields[] = {
	[BH_F_PEER_POD] = { .name = "podSelector",
			    .type = BH_FIELD_MAP,
			    .object = &bh_object_selector,
			    .help = "endpoints with these labels, in the policy's namespace or "
				    "those of namespaceSelector" },
	[BH_F_PEER_NS] = { .name = "namespaceSelector",
			   .type = BH_FIELD_MAP,
			   .object = &bh_object_selector,
			   .help =
			       "endpoints of namespaces with these labels; {}: all namespaces" },
	[BH_F_PEER_BLOCK] = { .name = "ipBlock",
			      .type = BH_FIELD_MAP,
			      .object = &bh_object_block,
			      .help = "a range of addresses; stands alone in its list item" },
	[BH_F_PEER_ENTITY] = LATER("entity", "world, host, nodes, cluster, dns, all"),
	[BH_F_PEER_FQDN] = LATER("fqdn", "addresses that DNS gave for these names"),
};
const struct bh_object bh_object_peer = OBJECT("peer", "who may be at the other end", peer_fields);

static const struct bh_field port_fields[] = {
	[BH_F_PORT_PORT] = { .name = "port",
			     .type = BH_FIELD_INT_OR_STRING,
			     .help =
				 "number, or name of a port of the destination; missing: every" },
	[BH_F_PORT_END] = { .name = "endPort",
			    .type = BH_FIELD_INT,
			    .help = "last port of a range that begins at port" },
	[BH_F_PORT_PROTOCOL] = { .name = "protocol",
				 .type = BH_FIELD_STRING,
				 .values = l4_names,
				 .otherwise = "TCP",
				 .help = "TCP, UDP or SCTP" },
};
const struct bh_object bh_object_port = OBJECT("port", "a destination port", port_fields);

/* ---- policies ---- */

static const struct bh_field rule_fields[] = {
	[BH_F_RULE_NAME] = { .name = "name",
			     .type = BH_FIELD_STRING,
			     .flags = BH_FIELD_NOT_NULL,
			     .help = "shown in messages and in the violation log",
			     TRAFFIC_ONLY },
	[BH_F_RULE_ACTION] = { .name = "action",
			       .type = BH_FIELD_STRING,
			       .flags = BH_FIELD_NOT_NULL,
			       .values = actions,
			       .later = actions_later,
			       .otherwise = "allow",
			       .help = "deny drops, reject answers; alert and log record and go on",
			       TRAFFIC_ONLY },
	[BH_F_RULE_FROM] = { .name = "from",
			     .type = BH_FIELD_LIST,
			     .item = BH_FIELD_MAP,
			     .object = &bh_object_peer,
			     .not_in = BH_IN_EGRESS,
			     .not_here = "an egress rule says \"to\"",
			     .help = "who may connect; missing or empty: everybody" },
	[BH_F_RULE_TO] = { .name = "to",
			   .type = BH_FIELD_LIST,
			   .item = BH_FIELD_MAP,
			   .object = &bh_object_peer,
			   .not_in = BH_IN_INGRESS,
			   .not_here = "an ingress rule says \"from\"",
			   .help = "to whom connections may be made; missing or empty: everybody" },
	[BH_F_RULE_PORTS] = { .name = "ports",
			      .type = BH_FIELD_LIST,
			      .item = BH_FIELD_ANY,
			      .object = &bh_object_port,
			      .help =
				  "destination ports; missing or empty: every port and protocol. "
				  "TrafficPolicy also takes 80, 53/udp, 8000-8100, http" },
	[BH_F_RULE_PROTOCOLS] = { .name = "protocols",
				  .type = BH_FIELD_LIST,
				  .item = BH_FIELD_STRING,
				  .flags = BH_FIELD_NOT_NULL,
				  .help =
				      "what must be spoken: one of these; \"unknown\" is a name too",
				  TRAFFIC_ONLY },
	[BH_F_RULE_NOT_PROTOCOLS] = { .name = "notProtocols",
				      .type = BH_FIELD_LIST,
				      .item = BH_FIELD_STRING,
				      .flags = BH_FIELD_NOT_NULL,
				      .help = "what must be spoken: none of these",
				      TRAFFIC_ONLY },
	[BH_F_RULE_ICMP] = LATER("icmp", "ICMP types"),
	[BH_F_RULE_HTTP] = LATER("http", "methods, paths and hosts of requests"),
	[BH_F_RULE_TLS] = LATER("tls", "server names, ALPN and version of TLS"),
	[BH_F_RULE_DNS] = LATER("dns", "names and types that may be asked"),
	[BH_F_RULE_GRPC] = LATER("grpc", "services and methods"),
	[BH_F_RULE_LOG] = LATER("log", "record what this rule allowed"),
	[BH_F_RULE_SEVERITY] = LATER("severity", "info, warning or critical"),
	[BH_F_RULE_EXPIRES] = LATER("expires", "when the rule ends"),
	[BH_F_RULE_WHEN] = LATER("when", "days and hours"),
	[BH_F_RULE_ON_OVERLOAD] = LATER("onOverload", "what happens when it cannot be judged"),
	[BH_F_RULE_MIDSTREAM] = LATER("midstream", "what happens to flows without a seen start"),
	[BH_F_RULE_UNKNOWN] = { .name = "unknownProtocol",
				.type = BH_FIELD_ANY,
				.flags = BH_FIELD_UNSUPPORTED,
				.not_in = BH_IN_NETWORK_POLICY,
				.not_here = "write it into spec, for the whole policy",
				.help = "what happens where the protocol stays unknown" },
	[BH_F_RULE_SWITCHES] = LATER("switches", "starttls, sslrequest"),
	[BH_F_RULE_PROXY_HEADER] = LATER("proxyHeader", "PROXY protocol in front"),
	[BH_F_RULE_RISKS] = LATER("risks", "risks that nDPI names"),
	[BH_F_RULE_EVIDENCE] = LATER("evidence", "packets kept"),
};
const struct bh_object bh_object_rule =
    OBJECT("rule", "fields are ANDed, entries of a list are ORed", rule_fields);

static const struct bh_field spec_fields[] = {
	[BH_F_SPEC_POD_SELECTOR] = { .name = "podSelector",
				     .type = BH_FIELD_MAP,
				     .object = &bh_object_selector,
				     .help = "endpoints of the policy's namespace that it is for; "
					     "missing or {}: all" },
	[BH_F_SPEC_POLICY_TYPES] = { .name = "policyTypes",
				     .type = BH_FIELD_LIST,
				     .item = BH_FIELD_STRING,
				     .values = policy_types,
				     .otherwise = "Ingress; Egress too if there are egress rules",
				     .help = "directions in which what no rule allows is refused" },
	[BH_F_SPEC_ISOLATE] = { .name = "isolate",
				.type = BH_FIELD_STRING,
				.flags = BH_FIELD_NOT_NULL,
				.values = isolate_values,
				.otherwise = "as policyTypes",
				.help = "the same as policyTypes in plain words",
				TRAFFIC_ONLY },
	[BH_F_SPEC_MODE] = { .name = "mode",
			     .type = BH_FIELD_STRING,
			     .flags = BH_FIELD_NOT_NULL,
			     .values = modes,
			     .later = modes_later,
			     .otherwise = "enforce",
			     .help = "monitor refuses nothing and records what it would refuse",
			     TRAFFIC_ONLY },
	[BH_F_SPEC_UNKNOWN] = { .name = "unknownProtocol",
				.type = BH_FIELD_STRING,
				.flags = BH_FIELD_NOT_NULL,
				.values = unknown_values,
				.otherwise = "deny",
				.help =
				    "for connections whose protocol nobody can name, where only "
				    "rules with protocols could allow them",
				TRAFFIC_ONLY },
	[BH_F_SPEC_INGRESS] = { .name = "ingress",
				.type = BH_FIELD_LIST,
				.item = BH_FIELD_MAP,
				.object = &bh_object_rule,
				.help = "rules for connections to the selected endpoints" },
	[BH_F_SPEC_EGRESS] = { .name = "egress",
			       .type = BH_FIELD_LIST,
			       .item = BH_FIELD_MAP,
			       .object = &bh_object_rule,
			       .help = "rules for connections from the selected endpoints" },
	[BH_F_SPEC_NS_SELECTOR] = LATER("namespaceSelector", "for ClusterTrafficPolicy"),
	[BH_F_SPEC_TIER] = LATER("tier", "for ClusterTrafficPolicy"),
	[BH_F_SPEC_PRIORITY] = LATER("priority", "for ClusterTrafficPolicy"),
	[BH_F_SPEC_EXPIRES] = LATER("expires", "when the policy ends"),
	[BH_F_SPEC_ON_OVERLOAD] = LATER("onOverload", "what happens when it cannot be judged"),
	[BH_F_SPEC_MIDSTREAM] = LATER("midstream", "what happens to flows without a seen start"),
	[BH_F_SPEC_PROMOTE] = LATER("promote", "from monitor to enforce after a time"),
};
const struct bh_object bh_object_spec = OBJECT("spec", "what the policy says", spec_fields);

/* ---- objects ---- */

static const struct bh_field meta_fields[] = {
	[BH_F_META_NAME] = { .name = "name",
			     .type = BH_FIELD_STRING,
			     .flags = BH_FIELD_REQUIRED,
			     .help = "every object has a name" },
	[BH_F_META_NAMESPACE] = { .name = "namespace",
				  .type = BH_FIELD_STRING,
				  .otherwise = "default",
				  .help = "namespace, compose project or network it belongs to" },
	[BH_F_META_LABELS] = { .name = "labels",
			       .type = BH_FIELD_STRINGS,
			       .help = "of namespaces and endpoints: what selectors match" },
	[BH_F_META_ANNOTATIONS] = { .name = "annotations",
				    .type = BH_FIELD_STRINGS,
				    .help = "any text; not looked at" },
	[BH_F_META_GENERATE_NAME] = { .name = "generateName",
				      .type = BH_FIELD_ANY,
				      .flags = BH_FIELD_UNSUPPORTED,
				      .not_here = "write \"name\"",
				      .help = "for API servers" },
	[BH_F_META_UID] = FROM_SERVER("uid"),
	[BH_F_META_RESOURCE_VERSION] = FROM_SERVER("resourceVersion"),
	[BH_F_META_GENERATION] = FROM_SERVER("generation"),
	[BH_F_META_CREATION] = FROM_SERVER("creationTimestamp"),
	[BH_F_META_DELETION] = FROM_SERVER("deletionTimestamp"),
	[BH_F_META_GRACE] = FROM_SERVER("deletionGracePeriodSeconds"),
	[BH_F_META_FINALIZERS] = FROM_SERVER("finalizers"),
	[BH_F_META_OWNERS] = FROM_SERVER("ownerReferences"),
	[BH_F_META_MANAGED] = FROM_SERVER("managedFields"),
	[BH_F_META_SELF_LINK] = FROM_SERVER("selfLink"),
};
const struct bh_object bh_object_meta = OBJECT("metadata", "who the object is", meta_fields);

static const struct bh_field endpoint_port_fields[] = {
	[BH_F_EPPORT_NAME] = { .name = "name",
			       .type = BH_FIELD_STRING,
			       .flags = BH_FIELD_REQUIRED,
			       .help = "the name that policies write" },
	[BH_F_EPPORT_PORT] = { .name = "port",
			       .type = BH_FIELD_INT,
			       .flags = BH_FIELD_REQUIRED,
			       .help = "the number of the port" },
	[BH_F_EPPORT_PROTOCOL] = { .name = "protocol",
				   .type = BH_FIELD_STRING,
				   .values = l4_names,
				   .otherwise = "TCP",
				   .help = "TCP, UDP or SCTP" },
};
const struct bh_object bh_object_endpoint_port =
    OBJECT("port", "a port with a name", endpoint_port_fields);

static const struct bh_field endpoint_spec_fields[] = {
	[BH_F_EP_ADDRESSES] = { .name = "addresses",
				.type = BH_FIELD_LIST,
				.item = BH_FIELD_STRING,
				.flags = BH_FIELD_REQUIRED,
				.help = "its addresses, IPv4 and IPv6" },
	[BH_F_EP_NODE] = { .name = "node", .type = BH_FIELD_STRING, .help = "the host it runs on" },
	[BH_F_EP_LOCAL] = { .name = "local",
			    .type = BH_FIELD_BOOL,
			    .otherwise = "false",
			    .help = "it runs on this host: policies are enforced for it here" },
	[BH_F_EP_PORTS] = { .name = "ports",
			    .type = BH_FIELD_LIST,
			    .item = BH_FIELD_MAP,
			    .object = &bh_object_endpoint_port,
			    .help = "ports that policies can name" },
};
const struct bh_object bh_object_endpoint_spec =
    OBJECT("spec", "what is known of the endpoint", endpoint_spec_fields);

#define TOP_FIELDS(spec_type, spec_object, spec_flags, spec_help)     \
	[BH_F_TOP_API] = { .name = "apiVersion",                      \
			   .type = BH_FIELD_STRING,                   \
			   .flags = BH_FIELD_REQUIRED,                \
			   .help = "group and version of the kind" }, \
	[BH_F_TOP_KIND] = { .name = "kind",                           \
			    .type = BH_FIELD_STRING,                  \
			    .flags = BH_FIELD_REQUIRED,               \
			    .help = "what the document is" },         \
	[BH_F_TOP_META] = { .name = "metadata",                       \
			    .type = BH_FIELD_MAP,                     \
			    .object = &bh_object_meta,                \
			    .help = "name, namespace, labels" },      \
	[BH_F_TOP_SPEC] = { .name = "spec",                           \
			    .type = spec_type,                        \
			    .flags = spec_flags,                      \
			    .object = spec_object,                    \
			    .help = spec_help },                      \
	[BH_F_TOP_STATUS] = {                                         \
		.name = "status",                                     \
		.type = BH_FIELD_ANY,                                 \
		.flags = BH_FIELD_IGNORED,                            \
		.not_in = BH_IN_TRAFFIC_POLICY,                       \
		.help = "set by a server; ignored",                   \
	}

static const struct bh_field policy_fields[] = { TOP_FIELDS(BH_FIELD_MAP, &bh_object_spec, 0,
							    "what the policy says") };
const struct bh_object bh_object_policy =
    OBJECT("the policy", "what may connect to what", policy_fields);

static const struct bh_field namespace_fields[] = { TOP_FIELDS(BH_FIELD_ANY, NULL, BH_FIELD_IGNORED,
							       "ignored") };
const struct bh_object bh_object_namespace =
    OBJECT("the namespace", "labels of a namespace", namespace_fields);

static const struct bh_field endpoint_fields[] = { TOP_FIELDS(
    BH_FIELD_MAP, &bh_object_endpoint_spec, BH_FIELD_REQUIRED, "addresses, node, ports") };
const struct bh_object bh_object_endpoint =
    OBJECT("the endpoint", "an endpoint that this host cannot see", endpoint_fields);

static const struct bh_field list_fields[] = {
	[BH_F_LIST_API] = { .name = "apiVersion", .type = BH_FIELD_STRING, .help = "v1" },
	[BH_F_LIST_KIND] = { .name = "kind", .type = BH_FIELD_STRING, .help = "List" },
	[BH_F_LIST_META] = FROM_SERVER("metadata"),
	[BH_F_LIST_ITEMS] = { .name = "items",
			      .type = BH_FIELD_LIST,
			      .item = BH_FIELD_MAP,
			      .help = "objects, each as in a document of its own" },
};
const struct bh_object bh_object_list = OBJECT("the list", "several objects in one", list_fields);

/* ---- kinds ---- */

#define K8S      "networking.k8s.io/v1"
#define BULKHEAD "bulkhead.network/v1alpha1"

static const struct bh_kind_info kinds[] = {
	{ "NetworkPolicy", K8S, BH_KIND_NETWORK_POLICY, &bh_object_policy, BH_IN_NETWORK_POLICY },
	{ "TrafficPolicy", BULKHEAD, BH_KIND_TRAFFIC_POLICY, &bh_object_policy,
	  BH_IN_TRAFFIC_POLICY },
	{ "Namespace", "v1", BH_KIND_NAMESPACE, &bh_object_namespace, 0 },
	{ "Endpoint", BULKHEAD, BH_KIND_ENDPOINT, &bh_object_endpoint, BH_IN_TRAFFIC_POLICY },
	{ "List", "v1", BH_KIND_INVALID, &bh_object_list, 0 },
	{ "ClusterTrafficPolicy", BULKHEAD, BH_KIND_INVALID, NULL, 0 },
	{ "Node", "v1", BH_KIND_INVALID, NULL, 0 },
	{ "ClusterNetworkPolicy", "policy.networking.k8s.io/v1alpha2", BH_KIND_INVALID, NULL, 0 },
	{ "AdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1", BH_KIND_INVALID, NULL, 0 },
	{ "BaselineAdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1", BH_KIND_INVALID, NULL,
	  0 },
};

const struct bh_kind_info *bh_schema_kind(size_t i)
{
	return i < BH_ARRAY_SIZE(kinds) ? &kinds[i] : NULL;
}

static const struct bh_field *field_by(const struct bh_object *o, unsigned in, const char *name,
				       size_t len)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct bh_field *f = &o->fields[i];

		if (!(f->not_in & in) && strlen(f->name) == len && memcmp(f->name, name, len) == 0)
			return f;
	}
	return NULL;
}

const struct bh_field *bh_schema_find(const char *kind, const char *path,
				      const struct bh_object **ret_object)
{
	const struct bh_field *f = NULL;
	const struct bh_object *o = NULL;
	unsigned in = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, kind) != 0)
			continue;
		o = kinds[i].object;
		in = kinds[i].in;
	}
	while (o && *path) {
		size_t len = strcspn(path, ".[");

		f = field_by(o, in, path, len);
		if (!f)
			return NULL;
		if (ret_object)
			*ret_object = o;
		if (o == &bh_object_spec && strcmp(f->name, "ingress") == 0)
			in |= BH_IN_INGRESS;
		if (o == &bh_object_spec && strcmp(f->name, "egress") == 0)
			in |= BH_IN_EGRESS;
		path += len;
		path += strcspn(path, ".");
		path += *path == '.';
		o = f->object;
		if (!o && *path)
			return NULL;
	}
	return f;
}
