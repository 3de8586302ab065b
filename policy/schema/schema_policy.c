/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_policy.c - tables of fields: NetworkPolicy, TrafficPolicy, ClusterTrafficPolicy
 *
 * One spec for three kinds: NetworkPolicy has the fewest fields, ClusterTrafficPolicy all.
 */
#include "policy/schema/schema_tables.h"

#include "common/limits.h"

#define TRAFFIC_ONLY                    \
	.not_in = BH_IN_NETWORK_POLICY, \
	.not_here = "that is a field of TrafficPolicy (bulkhead.network/v1alpha1)"
#define CLUSTER_ONLY                                           \
	.not_in = BH_IN_NETWORK_POLICY | BH_IN_TRAFFIC_POLICY, \
	.not_here = "that is a field of ClusterTrafficPolicy (bulkhead.network/v1alpha1)"
#define VALUES_OF(what)                                                            \
	LIST_OF(BH_FIELD_STRING), .flags = BH_FIELD_NOT_NULL | BH_FIELD_NOT_EMPTY, \
				  .max_items = BH_DETAIL_VALUES_MAX, .format = what

static const char *const policy_types[] = { "Ingress", "Egress", NULL };
static const char *const isolate_values[] = { "none", "ingress", "egress", "both", NULL };
static const char *const modes[] = { "enforce", "monitor", "learn", NULL };
static const char *const tiers[] = { "application", "admin", "baseline", NULL };
static const char *const unknown_values[] = { "deny", "alert", "allow", NULL };
static const char *const fail_values[] = { "refuse", "alert", "allow", NULL };
static const char *const actions[] = { "allow", "deny", "reject", "pass", "alert", "log", NULL };
static const char *const severities[] = { "info", "warning", "critical", NULL };
static const char *const switches[] = { "starttls", "sslrequest", NULL };
static const char *const proxy_values[] = { "refuse", "allow", "require", NULL };
static const char *const entities[] = { "world", "host", "nodes", "cluster", "dns", "all", NULL };
static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", NULL };
static const char *const tls_versions[] = { "1.0", "1.1", "1.2", "1.3", NULL };
static const char *const ech_values[] = { "present", "absent", NULL };
static const char *const l4_names[] = { "TCP", "UDP", "SCTP", NULL };
static const char *const operators[] = { "In", "NotIn", "Exists", "DoesNotExist", NULL };

/* ---- selectors, peers ---- */

static const struct bh_field requirement_fields[] = {
	[BH_F_REQ_KEY] = { .name = "key",
			   .type = BH_FIELD_STRING,
			   .format = "label-key",
			   .help = "label key" },
	[BH_F_REQ_OPERATOR] = { .name = "operator",
				.type = BH_FIELD_STRING,
				.values = operators,
				.help =
				    "NotIn and DoesNotExist also match where the key is absent" },
	[BH_F_REQ_VALUES] = { .name = "values",
			      LIST_OF(BH_FIELD_STRING),
			      .format = "label-value",
			      .help = "for In and NotIn: at least one; else none" },
};
const struct bh_object bh_object_requirement =
    OBJECT("requirement", "one condition on labels", requirement_fields);

static const struct bh_field selector_fields[] = {
	[BH_F_SELECTOR_LABELS] = { .name = "matchLabels",
				   .type = BH_FIELD_STRINGS,
				   .help = "labels that must all be there, with these values" },
	[BH_F_SELECTOR_EXPRESSIONS] = { .name = "matchExpressions",
					LIST_OF_MAPS(&bh_object_requirement),
					.help = "conditions that must all hold" },
};
const struct bh_object bh_object_selector =
    OBJECT("selector", "which labels an object must have; empty: every object", selector_fields);

static const struct bh_field block_fields[] = {
	[BH_F_BLOCK_CIDR] = { .name = "cidr",
			      .type = BH_FIELD_STRING,
			      .format = "cidr",
			      .help = "addresses, like \"10.0.0.0/8\" or \"fd00::/8\"" },
	[BH_F_BLOCK_EXCEPT] = { .name = "except",
				LIST_OF(BH_FIELD_STRING),
				.format = "cidr",
				.help = "smaller ranges inside of cidr that are left out" },
};
const struct bh_object bh_object_block =
    OBJECT("ipBlock", "a range of addresses, whoever has them", block_fields);

static const struct bh_field peer_fields[] = {
	[BH_F_PEER_POD] = { .name = "podSelector",
			    MAP_OF(&bh_object_selector),
			    .help = "endpoints with these labels, in the policy's namespace or "
				    "those of namespaceSelector" },
	[BH_F_PEER_NS] = { .name = "namespaceSelector",
			   MAP_OF(&bh_object_selector),
			   .help =
			       "endpoints of namespaces with these labels; {}: all namespaces" },
	[BH_F_PEER_BLOCK] = { .name = "ipBlock",
			      MAP_OF(&bh_object_block),
			      .help = "a range of addresses; stands alone in its list item" },
	[BH_F_PEER_ENTITY] = { .name = "entity",
			       .type = BH_FIELD_STRING,
			       .flags = BH_FIELD_NOT_NULL,
			       .values = entities,
			       .help = "world: neither endpoints nor nodes; host: the own node; "
				       "cluster: endpoints and nodes; dns: the resolvers; all: "
				       "every address",
			       TRAFFIC_ONLY },
	[BH_F_PEER_FQDN] = { .name = "fqdn",
			     VALUES_OF("name-pattern"),
			     .not_in = BH_IN_NETWORK_POLICY | BH_IN_INGRESS,
			     .not_here = "names are for egress rules of TrafficPolicy and "
					 "ClusterTrafficPolicy",
			     .help = "addresses that DNS gave for these names; in allow rules" },
};
const struct bh_object bh_object_peer = OBJECT("peer", "who may be at the other end", peer_fields);

static const struct bh_field port_fields[] = {
	[BH_F_PORT_PORT] = { .name = "port",
			     .type = BH_FIELD_INT_OR_STRING,
			     .format = "port",
			     .min = 1,
			     .max = 65535,
			     .help =
				 "number, or name of a port of the destination; missing: every" },
	[BH_F_PORT_END] = { .name = "endPort",
			    PORT_NUMBER,
			    .help = "last port of a range that begins at port" },
	[BH_F_PORT_PROTOCOL] = { .name = "protocol",
				 .type = BH_FIELD_STRING,
				 .values = l4_names,
				 .otherwise = "TCP",
				 .help = "TCP, UDP or SCTP" },
};
const struct bh_object bh_object_port = OBJECT("port", "a destination port", port_fields);

/* ---- what is spoken ---- */

static const struct bh_field http_fields[] = {
	[BH_F_HTTP_METHODS] = { .name = "methods",
				VALUES_OF("method"),
				.help = "GET, POST ...: upper case" },
	[BH_F_HTTP_PATHS] = { .name = "paths",
			      VALUES_OF("path-glob"),
			      .help = "without the query; * stands for anything within a segment, "
				      "** for anything" },
	[BH_F_HTTP_HOSTS] = { .name = "hosts",
			      VALUES_OF("name-pattern"),
			      .help = "names in the Host header, without port; \"*.\" in front: "
				      "every name below" },
	[BH_F_HTTP_CONNECT] = { .name = "connect",
				VALUES_OF("connect-target"),
				.help = "what CONNECT may ask for: \"name:port\" or \"name:*\"" },
	[BH_F_HTTP_UPGRADE] = { .name = "upgrade",
				VALUES_OF("token"),
				.help = "protocols that a request may change to: websocket, h2c" },
};
const struct bh_object bh_object_http =
    OBJECT("http", "what a request must be like: all fields that are written", http_fields);

static const struct bh_field tls_fields[] = {
	[BH_F_TLS_NAMES] = { .name = "serverNames",
			     VALUES_OF("name-pattern"),
			     .help = "names that the client asks for (SNI); none is no match" },
	[BH_F_TLS_ALPN] = { .name = "alpn",
			    VALUES_OF("alpn"),
			    .help = "h2, http/1.1 ...: all that the client offers must be listed" },
	[BH_F_TLS_VERSION] = { .name = "minVersion",
			       .type = BH_FIELD_STRING,
			       .flags = BH_FIELD_NOT_NULL,
			       .values = tls_versions,
			       .help = "the client must offer this version or a later one; in "
				       "quotes" },
	[BH_F_TLS_ECH] = { .name = "ech",
			   .type = BH_FIELD_STRING,
			   .flags = BH_FIELD_NOT_NULL,
			   .values = ech_values,
			   .help = "whether the client hello must, or must not, be encrypted" },
};
const struct bh_object bh_object_tls =
    OBJECT("tls", "what the client hello must say: all fields that are written", tls_fields);

static const struct bh_field dns_fields[] = {
	[BH_F_DNS_NAMES] = { .name = "names",
			     VALUES_OF("name-pattern"),
			     .help = "names that may be asked for" },
	[BH_F_DNS_TYPES] = { .name = "types",
			     VALUES_OF("dns-type"),
			     .help = "types of records that may be asked for: A, AAAA, TYPE65" },
};
const struct bh_object bh_object_dns =
    OBJECT("dns", "what questions must be like: all fields that are written", dns_fields);

static const struct bh_field grpc_fields[] = {
	[BH_F_GRPC_SERVICES] = { .name = "services",
				 VALUES_OF("grpc-service"),
				 .help = "package.Service; * stands for one part, ** for any" },
	[BH_F_GRPC_METHODS] = { .name = "methods",
				VALUES_OF("grpc-method"),
				.help = "methods of these services; \"*\": every" },
};
const struct bh_object bh_object_grpc =
    OBJECT("grpc", "what a call must be like: all fields that are written", grpc_fields);

static const struct bh_field when_fields[] = {
	[BH_F_WHEN_DAYS] = { .name = "days",
			     LIST_OF(BH_FIELD_STRING),
			     .flags = BH_FIELD_NOT_NULL | BH_FIELD_NOT_EMPTY,
			     .values = days,
			     .max_items = 7,
			     .otherwise = "every day",
			     .help = "days on which the window opens" },
	[BH_F_WHEN_FROM] = { .name = "from",
			     .type = BH_FIELD_STRING,
			     .flags = BH_FIELD_NOT_NULL,
			     .format = "time-of-day",
			     .otherwise = "00:00",
			     .help = "when it opens" },
	[BH_F_WHEN_TO] = { .name = "to",
			   .type = BH_FIELD_STRING,
			   .flags = BH_FIELD_NOT_NULL,
			   .format = "time-of-day",
			   .otherwise = "24:00",
			   .help = "when it closes; before from: on the next day" },
	[BH_F_WHEN_ZONE] = { .name = "timeZone",
			     .type = BH_FIELD_STRING,
			     .flags = BH_FIELD_NOT_NULL,
			     .format = "time-zone",
			     .otherwise = "UTC",
			     .help = "like Europe/Vienna" },
};
const struct bh_object bh_object_when = OBJECT("when", "days and hours", when_fields);

/* ---- rules ---- */

static const struct bh_field rule_fields[] = {
	[BH_F_RULE_NAME] = { .name = "name",
			     .type = BH_FIELD_STRING,
			     .flags = BH_FIELD_NOT_NULL,
			     .format = "text",
			     .help = "shown in messages and in the violation log",
			     TRAFFIC_ONLY },
	[BH_F_RULE_ACTION] = { .name = "action",
			       .type = BH_FIELD_STRING,
			       .flags = BH_FIELD_NOT_NULL,
			       .values = actions,
			       .otherwise = "allow",
			       .help =
				   "deny drops, reject answers, pass leaves the tier (admin and "
				   "baseline); alert and log record and go on",
			       TRAFFIC_ONLY },
	[BH_F_RULE_FROM] = { .name = "from",
			     LIST_OF_MAPS(&bh_object_peer),
			     .not_in = BH_IN_EGRESS,
			     .not_here = "an egress rule says \"to\"",
			     .help = "who may connect; missing or empty: everybody" },
	[BH_F_RULE_TO] = { .name = "to",
			   LIST_OF_MAPS(&bh_object_peer),
			   .not_in = BH_IN_INGRESS,
			   .not_here = "an ingress rule says \"from\"",
			   .help = "to whom connections may be made; missing or empty: everybody" },
	[BH_F_RULE_PORTS] = { .name = "ports",
			      LIST_OF(BH_FIELD_ANY),
			      .flags = BH_FIELD_SEVERAL,
			      .min = 1,
			      .max = 65535,
			      .object = &bh_object_port,
			      .format = "port-short",
			      .not_in = BH_IN_NETWORK_POLICY,
			      .help = "destination ports: 80, 53/udp, 8000-8100, http, or a map; "
				      "missing or empty: every port and protocol" },
	[BH_F_RULE_PORTS_MAPS] = { .name = "ports",
				   LIST_OF_MAPS(&bh_object_port),
				   .not_in = BH_IN_TRAFFIC_POLICY | BH_IN_CLUSTER_TRAFFIC_POLICY,
				   .help = "destination ports; missing or empty: every port and "
					   "protocol" },
	[BH_F_RULE_ICMP] = { .name = "icmp",
			     LIST_OF(BH_FIELD_INT_OR_STRING),
			     .flags = BH_FIELD_NOT_NULL | BH_FIELD_NOT_EMPTY,
			     .format = "icmp",
			     .max = 255,
			     .max_items = BH_DETAIL_VALUES_MAX,
			     .help = "ICMP and ICMPv6 beside the ports: names, types, or type/code",
			     TRAFFIC_ONLY },
	[BH_F_RULE_PROTOCOLS] = { .name = "protocols",
				  VALUES_OF("protocol"),
				  .help =
				      "what must be spoken: one of these; \"unknown\" is a name too",
				  TRAFFIC_ONLY },
	[BH_F_RULE_NOT_PROTOCOLS] = { .name = "notProtocols",
				      VALUES_OF("protocol"),
				      .help = "what must be spoken: none of these",
				      TRAFFIC_ONLY },
	[BH_F_RULE_HTTP] = { .name = "http",
			     LIST_OF_MAPS(&bh_object_http),
			     .flags = BH_FIELD_NOT_NULL | BH_FIELD_NOT_EMPTY,
			     .max_items = BH_DETAIL_CLAUSES_MAX,
			     .help = "requests: each must be like one of these; means protocol "
				     "http",
			     TRAFFIC_ONLY },
	[BH_F_RULE_TLS] = { .name = "tls",
			    MAP_OF(&bh_object_tls),
			    .flags = BH_FIELD_NOT_NULL,
			    .help = "what the client hello must say; means protocol tls",
			    TRAFFIC_ONLY },
	[BH_F_RULE_DNS] = { .name = "dns",
			    MAP_OF(&bh_object_dns),
			    .flags = BH_FIELD_NOT_NULL,
			    .help = "what may be asked; means protocol dns",
			    TRAFFIC_ONLY },
	[BH_F_RULE_GRPC] = { .name = "grpc",
			     MAP_OF(&bh_object_grpc),
			     .flags = BH_FIELD_NOT_NULL,
			     .help = "what may be called; means protocol grpc",
			     TRAFFIC_ONLY },
	[BH_F_RULE_RISKS] = { .name = "risks",
			      VALUES_OF("risk"),
			      .help =
				  "what nDPI finds suspicious, by name: one is enough; in alert "
				  "and log rules",
			      CLUSTER_ONLY },
	[BH_F_RULE_LOG] = { .name = "log",
			    .type = BH_FIELD_BOOL,
			    .flags = BH_FIELD_NOT_NULL,
			    .otherwise = "false",
			    .help = "record what this rule allows",
			    TRAFFIC_ONLY },
	[BH_F_RULE_SEVERITY] = { .name = "severity",
				 .type = BH_FIELD_STRING,
				 .flags = BH_FIELD_NOT_NULL,
				 .values = severities,
				 .otherwise = "warning for deny, reject and alert; else info",
				 .help = "how urgent its records are",
				 TRAFFIC_ONLY },
	[BH_F_RULE_EXPIRES] = { .name = "expires",
				.type = BH_FIELD_STRING,
				.flags = BH_FIELD_NOT_NULL,
				.format = "date-time",
				.otherwise = "never",
				.help = "from then on as if the rule were not there",
				TRAFFIC_ONLY },
	[BH_F_RULE_WHEN] = { .name = "when",
			     MAP_OF(&bh_object_when),
			     .flags = BH_FIELD_NOT_NULL,
			     .otherwise = "always",
			     .help = "days and hours; outside of them as if the rule were not "
				     "there",
			     TRAFFIC_ONLY },
	[BH_F_RULE_UNKNOWN] = { .name = "unknownProtocol",
				.type = BH_FIELD_STRING,
				.flags = BH_FIELD_NOT_NULL,
				.values = unknown_values,
				.otherwise = "as in spec",
				.help = "for connections whose protocol nobody can name, where "
					"only this rule could allow them",
				TRAFFIC_ONLY },
	[BH_F_RULE_ON_OVERLOAD] = { .name = "onOverload",
				    .type = BH_FIELD_STRING,
				    .flags = BH_FIELD_NOT_NULL,
				    .values = fail_values,
				    .otherwise = "as in spec",
				    .help = "what happens when there is no time to look",
				    TRAFFIC_ONLY },
	[BH_F_RULE_MIDSTREAM] = { .name = "midstream",
				  .type = BH_FIELD_STRING,
				  .flags = BH_FIELD_NOT_NULL,
				  .values = fail_values,
				  .otherwise = "as in spec",
				  .help =
				      "what happens to connections whose beginning was not seen",
				  TRAFFIC_ONLY },
	[BH_F_RULE_SWITCHES] = { .name = "switches",
				 LIST_OF(BH_FIELD_STRING),
				 .flags = BH_FIELD_NOT_NULL,
				 .values = switches,
				 .max_items = 2,
				 .otherwise = "what is usual for the protocol",
				 .help =
				     "changes to TLS within a connection that are admitted; []: "
				     "none",
				 TRAFFIC_ONLY },
	[BH_F_RULE_PROXY_HEADER] = { .name = "proxyHeader",
				     .type = BH_FIELD_STRING,
				     .flags = BH_FIELD_NOT_NULL,
				     .values = proxy_values,
				     .otherwise = "refuse",
				     .help = "a PROXY protocol header in front of what is spoken",
				     TRAFFIC_ONLY },
	[BH_F_RULE_EVIDENCE] = { .name = "evidence",
				 .type = BH_FIELD_INT,
				 .flags = BH_FIELD_NOT_NULL,
				 .max = 64,
				 .otherwise = "as in spec",
				 .help = "packets to keep of what it refuses",
				 TRAFFIC_ONLY },
};
const struct bh_object bh_object_rule =
    OBJECT("rule", "fields are ANDed, entries of a list are ORed", rule_fields);

/* ---- policies ---- */

static const struct bh_field promote_fields[] = {
	[BH_F_PROMOTE_MONITOR] = { .name = "monitorAfter",
				   .type = BH_FIELD_STRING,
				   .flags = BH_FIELD_NOT_NULL,
				   .format = "date-time",
				   .help = "from then on the mode is monitor; for mode learn" },
	[BH_F_PROMOTE_ENFORCE] = { .name = "enforceAfter",
				   .type = BH_FIELD_STRING,
				   .flags = BH_FIELD_NOT_NULL,
				   .format = "date-time",
				   .help = "from then on the mode is enforce; for modes learn and "
					   "monitor" },
};
const struct bh_object bh_object_promote =
    OBJECT("promote", "when the mode changes by itself", promote_fields);

static const struct bh_field spec_fields[] = {
	[BH_F_SPEC_POD_SELECTOR] = { .name = "podSelector",
				     MAP_OF(&bh_object_selector),
				     .help = "endpoints that it is for; missing or {}: all" },
	[BH_F_SPEC_NS_SELECTOR] = { .name = "namespaceSelector",
				    MAP_OF(&bh_object_selector),
				    .help =
					"in namespaces with these labels; missing or {}: in all",
				    CLUSTER_ONLY },
	[BH_F_SPEC_POLICY_TYPES] = { .name = "policyTypes",
				     LIST_OF(BH_FIELD_STRING),
				     .values = policy_types,
				     .max_items = 2,
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
			     .otherwise = "enforce",
			     .help = "monitor and learn refuse nothing: they record what would be "
				     "refused, or what no rule covers",
			     TRAFFIC_ONLY },
	[BH_F_SPEC_TIER] = { .name = "tier",
			     .type = BH_FIELD_STRING,
			     .flags = BH_FIELD_NOT_NULL,
			     .values = tiers,
			     .otherwise = "application",
			     .help = "admin: before all policies of applications; baseline: after "
				     "them; both in ClusterTrafficPolicy only",
			     TRAFFIC_ONLY },
	[BH_F_SPEC_PRIORITY] = { .name = "priority",
				 .type = BH_FIELD_INT,
				 .flags = BH_FIELD_NOT_NULL,
				 .max = 1000,
				 .help =
				     "0 to 1000, the smaller comes first; needed in tiers admin "
				     "and baseline",
				 CLUSTER_ONLY },
	[BH_F_SPEC_UNKNOWN] = { .name = "unknownProtocol",
				.type = BH_FIELD_STRING,
				.flags = BH_FIELD_NOT_NULL,
				.values = unknown_values,
				.otherwise = "deny",
				.help =
				    "for connections whose protocol nobody can name, where only "
				    "rules with protocols could allow them",
				TRAFFIC_ONLY },
	[BH_F_SPEC_ON_OVERLOAD] = { .name = "onOverload",
				    .type = BH_FIELD_STRING,
				    .flags = BH_FIELD_NOT_NULL,
				    .values = fail_values,
				    .otherwise = "refuse",
				    .help = "what happens when there is no time to look",
				    TRAFFIC_ONLY },
	[BH_F_SPEC_MIDSTREAM] = { .name = "midstream",
				  .type = BH_FIELD_STRING,
				  .flags = BH_FIELD_NOT_NULL,
				  .values = fail_values,
				  .otherwise = "refuse",
				  .help =
				      "what happens to connections whose beginning was not seen",
				  TRAFFIC_ONLY },
	[BH_F_SPEC_EXPIRES] = { .name = "expires",
				.type = BH_FIELD_STRING,
				.flags = BH_FIELD_NOT_NULL,
				.format = "date-time",
				.otherwise = "never",
				.help = "from then on as if the policy were not there",
				TRAFFIC_ONLY },
	[BH_F_SPEC_PROMOTE] = { .name = "promote",
				MAP_OF(&bh_object_promote),
				.flags = BH_FIELD_NOT_NULL,
				.help = "when the mode changes by itself",
				TRAFFIC_ONLY },
	[BH_F_SPEC_EVIDENCE] = { .name = "evidence",
				 .type = BH_FIELD_INT,
				 .flags = BH_FIELD_NOT_NULL,
				 .max = 64,
				 .otherwise = "0",
				 .help = "packets to keep of what is refused",
				 TRAFFIC_ONLY },
	[BH_F_SPEC_INGRESS] = { .name = "ingress",
				LIST_OF_MAPS(&bh_object_rule),
				.help = "rules for connections to the selected endpoints" },
	[BH_F_SPEC_EGRESS] = { .name = "egress",
			       LIST_OF_MAPS(&bh_object_rule),
			       .help = "rules for connections from the selected endpoints" },
};
const struct bh_object bh_object_spec = OBJECT("spec", "what the policy says", spec_fields);

static const struct bh_field policy_fields[] = { TOP_FIELDS(BH_FIELD_MAP, &bh_object_spec, 0,
							    "what the policy says") };
const struct bh_object bh_object_policy =
    OBJECT("the policy", "what may connect to what", policy_fields);
