/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_cluster.c - tables of fields: ClusterNetworkPolicy, AdminNetworkPolicy, BaselineAdminNetworkPolicy
 *
 * Source: the types of policy.networking.k8s.io (kubernetes-sigs/network-policy-api, apis/v1alpha2 and
 * apis/v1alpha1), with their experimental fields. The two versions differ in limits (25 and 100), in names of
 * actions, and in how ports are written; the rest is one set of macros.
 */
#include "policy/schema/schema_tables.h"

#define NOT_CNP  BH_IN_CLUSTER_NETWORK_POLICY
#define NOT_ANP  BH_IN_ADMIN_NETWORK_POLICY
#define NOT_BANP BH_IN_BASELINE_ADMIN_NETWORK_POLICY

static const char *const tiers[] = { "Admin", "Baseline", NULL };
static const char *const cnp_actions[] = { "Accept", "Deny", "Pass", NULL };
static const char *const anp_actions[] = { "Allow", "Deny", "Pass", NULL };
static const char *const banp_actions[] = { "Allow", "Deny", NULL };
static const char *const l4_names[] = { "TCP", "UDP", "SCTP", NULL };

/* ---- who ---- */

#define PODS_FIELDS(ns_flags)                                                                   \
	{                                                                                       \
		[BH_F_PODS_NS] = { .name = "namespaceSelector",                                 \
				   MAP_OF(&bh_object_selector),                                 \
				   .flags = ns_flags,                                           \
				   .help = "namespaces with these labels; {}: all" },           \
		[BH_F_PODS_POD] = { .name = "podSelector",                                      \
				    MAP_OF(&bh_object_selector),                                \
				    .flags = BH_FIELD_REQUIRED,                                 \
				    .help = "pods with these labels, in these namespaces; {}: " \
					    "all" },                                            \
	}
static const struct bh_field cnp_pods_fields[] = PODS_FIELDS(0);
static const struct bh_field anp_pods_fields[] = PODS_FIELDS(BH_FIELD_REQUIRED);
const struct bh_object bh_object_pods[] = {
	OBJECT("pods", "pods by namespace and labels", cnp_pods_fields),
	OBJECT("pods", "pods by namespace and labels", anp_pods_fields),
};

#define SUBJECT_FIELDS(version)                                                              \
	{                                                                                    \
		[BH_F_SUBJECT_NAMESPACES] = { .name = "namespaces",                          \
					      MAP_OF(&bh_object_selector),                   \
					      .help = "all pods of namespaces with these "   \
						      "labels" },                            \
		[BH_F_SUBJECT_PODS] = { .name = "pods",                                      \
					MAP_OF(&bh_object_pods[version]),                    \
					.help = "pods with these labels in namespaces with " \
						"these labels" },                            \
	}
static const struct bh_field cnp_subject_fields[] = SUBJECT_FIELDS(0);
static const struct bh_field anp_subject_fields[] = SUBJECT_FIELDS(1);
const struct bh_object bh_object_subject[] = {
	ONE_OF("subject", "which pods the policy is for: one of the fields", cnp_subject_fields),
	ONE_OF("subject", "which pods the policy is for: one of the fields", anp_subject_fields),
};

#define EGRESS_ONLY .not_in = BH_IN_INGRESS, .not_here = "this kind of peer is for egress rules"
#define PEER_FIELDS(version)                                                                      \
	{                                                                                         \
		[BH_F_CPEER_NAMESPACES] = { .name = "namespaces",                                 \
					    MAP_OF(&bh_object_selector),                          \
					    .help = "all pods of namespaces with these labels" }, \
		[BH_F_CPEER_PODS] = { .name = "pods",                                             \
				      MAP_OF(&bh_object_pods[version]),                           \
				      .help = "pods with these labels in namespaces with these "  \
					      "labels" },                                         \
		[BH_F_CPEER_NODES] = { .name = "nodes",                                           \
				       MAP_OF(&bh_object_selector),                               \
				       EGRESS_ONLY,                                               \
				       .help = "addresses of nodes with these labels" },          \
		[BH_F_CPEER_NETWORKS] = { .name = "networks",                                     \
					  LIST_OF(BH_FIELD_STRING),                               \
					  .flags = BH_FIELD_NOT_EMPTY,                            \
					  .max_items = 25,                                        \
					  .format = "cidr",                                       \
					  EGRESS_ONLY,                                            \
					  .help = "ranges of addresses, whoever has them" },      \
		[BH_F_CPEER_DOMAINS] = { .name = "domainNames",                                   \
					 LIST_OF(BH_FIELD_STRING),                                \
					 .flags = BH_FIELD_NOT_EMPTY,                             \
					 .max_items = 25,                                         \
					 .format = "name-pattern",                                \
					 .not_in = BH_IN_INGRESS | NOT_BANP,                      \
					 .not_here = "names are for egress rules, not in "        \
						     "BaselineAdminNetworkPolicy",                \
					 .help = "addresses that DNS gave for these names; in "   \
						 "rules that accept" },                           \
	}
static const struct bh_field cnp_peer_fields[] = PEER_FIELDS(0);
static const struct bh_field anp_peer_fields[] = PEER_FIELDS(1);
const struct bh_object bh_object_cpeer[] = {
	ONE_OF_OR_LATER("peer", "who may be at the other end: one of the fields", cnp_peer_fields),
	ONE_OF_OR_LATER("peer", "who may be at the other end: one of the fields", anp_peer_fields),
};

/* ---- ports ---- */

#define RANGE_FIELDS                                                        \
	[BH_F_RANGE_START] = { .name = "start",                             \
			       PORT_NUMBER,                                 \
			       .flags = BH_FIELD_REQUIRED,                  \
			       .help = "the first port" },                  \
	[BH_F_RANGE_END] = { .name = "end",                                 \
			     PORT_NUMBER,                                   \
			     .flags = BH_FIELD_REQUIRED,                    \
			     .help = "the last port; greater than start" }, \
	[BH_F_RANGE_PROTOCOL] = {                                           \
		.name = "protocol",                                         \
		.type = BH_FIELD_STRING,                                    \
		.values = l4_names,                                         \
		.otherwise = "TCP",                                         \
		.not_in = NOT_CNP,                                          \
		.help = "TCP, UDP or SCTP",                                 \
	}
static const struct bh_field range_fields[] = { RANGE_FIELDS };
const struct bh_object bh_object_crange = OBJECT("range", "ports from start to end", range_fields);
const struct bh_object bh_object_arange =
    OBJECT("portRange", "ports from start to end", range_fields);

static const struct bh_field port_fields[] = {
	[BH_F_CPORT_NUMBER] = { .name = "number", PORT_NUMBER, .help = "one port" },
	[BH_F_CPORT_RANGE] = { .name = "range",
			       MAP_OF(&bh_object_crange),
			       .help = "several ports in a row" },
};
const struct bh_object bh_object_cport =
    ONE_OF("destinationPort", "a port or a range: one of the fields", port_fields);

static const struct bh_field l4_fields[] = {
	[BH_F_CL4_PORT] = { .name = "destinationPort",
			    MAP_OF(&bh_object_cport),
			    .help = "ports of the destination; missing: every" },
};
const struct bh_object bh_object_cl4 = OBJECT("protocol", "ports of a protocol", l4_fields);

static const struct bh_field protocol_fields[] = {
	[BH_F_CPROTO_TCP] = { .name = "tcp",
			      MAP_OF(&bh_object_cl4),
			      .help = "TCP; {}: every port" },
	[BH_F_CPROTO_UDP] = { .name = "udp",
			      MAP_OF(&bh_object_cl4),
			      .help = "UDP; {}: every port" },
	[BH_F_CPROTO_SCTP] = { .name = "sctp",
			       MAP_OF(&bh_object_cl4),
			       .help = "SCTP; {}: every port" },
	[BH_F_CPROTO_NAMED] = { .name = "destinationNamedPort",
				.type = BH_FIELD_STRING,
				.format = "port-name",
				.help = "a port of the destination by its name, of whatever "
					"protocol" },
};
const struct bh_object bh_object_cproto =
    ONE_OF("protocol", "a protocol and its ports: one of the fields", protocol_fields);

static const struct bh_field number_fields[] = {
	[BH_F_ANUMBER_PORT] = { .name = "port",
				PORT_NUMBER,
				.flags = BH_FIELD_REQUIRED,
				.help = "the port" },
	[BH_F_ANUMBER_PROTOCOL] = { .name = "protocol",
				    .type = BH_FIELD_STRING,
				    .values = l4_names,
				    .otherwise = "TCP",
				    .help = "TCP, UDP or SCTP" },
};
const struct bh_object bh_object_anumber = OBJECT("portNumber", "one port", number_fields);

static const struct bh_field anp_port_fields[] = {
	[BH_F_APORT_NUMBER] = { .name = "portNumber",
				MAP_OF(&bh_object_anumber),
				.help = "one port" },
	[BH_F_APORT_NAMED] = { .name = "namedPort",
			       .type = BH_FIELD_STRING,
			       .format = "port-name",
			       .help = "a port of the destination by its name, of whatever "
				       "protocol" },
	[BH_F_APORT_RANGE] = { .name = "portRange",
			       MAP_OF(&bh_object_arange),
			       .help = "several ports in a row" },
};
const struct bh_object bh_object_aport =
    ONE_OF("port", "destination ports: one of the fields", anp_port_fields);

/* ---- rules ---- */

#define RULE_FIELDS(version, limit, allowing)                                                    \
	{                                                                                        \
		[BH_F_CRULE_NAME] = { .name = "name",                                            \
				      .type = BH_FIELD_STRING,                                   \
				      .format = "text",                                          \
				      .help = "shown in messages and in the violation log; at "  \
					      "most 100 characters" },                           \
		[BH_F_CRULE_ACTION] = { .name = "action",                                        \
					.type = BH_FIELD_STRING,                                 \
					.flags = BH_FIELD_REQUIRED,                              \
					.values = allowing,                                      \
					.not_in = NOT_BANP,                                      \
					.help = "what happens; Pass leaves the tier" },          \
		[BH_F_CRULE_ACTION_BASELINE] = { .name = "action",                               \
						 .type = BH_FIELD_STRING,                        \
						 .flags = BH_FIELD_REQUIRED,                     \
						 .values = banp_actions,                         \
						 .not_in = NOT_CNP | NOT_ANP,                    \
						 .help = "what happens" },                       \
		[BH_F_CRULE_FROM] = { .name = "from",                                            \
				      LIST_OF_MAPS(&bh_object_cpeer[version]),                   \
				      .flags = BH_FIELD_REQUIRED | BH_FIELD_NOT_EMPTY,           \
				      .max_items = limit,                                        \
				      .not_in = BH_IN_EGRESS,                                    \
				      .not_here = "an egress rule says \"to\"",                  \
				      .help = "who connects; at least one peer" },               \
		[BH_F_CRULE_TO] = { .name = "to",                                                \
				    LIST_OF_MAPS(&bh_object_cpeer[version]),                     \
				    .flags = BH_FIELD_REQUIRED | BH_FIELD_NOT_EMPTY,             \
				    .max_items = limit,                                          \
				    .not_in = BH_IN_INGRESS,                                     \
				    .not_here = "an ingress rule says \"from\"",                 \
				    .help = "to whom connections are made; at least one peer" }, \
		[BH_F_CRULE_PROTOCOLS] = { .name = "protocols",                                  \
					   LIST_OF_MAPS(&bh_object_cproto),                      \
					   .flags = BH_FIELD_NOT_EMPTY,                          \
					   .max_items = limit,                                   \
					   .not_in = NOT_ANP | NOT_BANP,                         \
					   .not_here = "here they are called \"ports\"",         \
					   .help = "protocols and their ports; missing: every "  \
						   "protocol" },                                 \
		[BH_F_CRULE_PORTS] = { .name = "ports",                                          \
				       LIST_OF_MAPS(&bh_object_aport),                           \
				       .flags = BH_FIELD_NOT_EMPTY,                              \
				       .max_items = limit,                                       \
				       .not_in = NOT_CNP,                                        \
				       .not_here = "here they are called \"protocols\"",         \
				       .help = "destination ports; missing: every port and "     \
					       "protocol" },                                     \
	}
static const struct bh_field cnp_rule_fields[] = RULE_FIELDS(0, 25, cnp_actions);
static const struct bh_field anp_rule_fields[] = RULE_FIELDS(1, 100, anp_actions);
const struct bh_object bh_object_crule[] = {
	OBJECT("rule", "the first that matches decides", cnp_rule_fields),
	OBJECT("rule", "the first that matches decides", anp_rule_fields),
};

/* ---- policies ---- */

#define SPEC_FIELDS(version, limit)                                                                \
	{                                                                                          \
		[BH_F_CSPEC_TIER] = { .name = "tier",                                              \
				      .type = BH_FIELD_STRING,                                     \
				      .flags = BH_FIELD_REQUIRED,                                  \
				      .values = tiers,                                             \
				      .not_in = NOT_ANP | NOT_BANP,                                \
				      .not_here = "the kind says which tier it is",                \
				      .help = "Admin: before all NetworkPolicies; Baseline: "      \
					      "after them" },                                      \
		[BH_F_CSPEC_PRIORITY] = { .name = "priority",                                      \
					  .type = BH_FIELD_INT,                                    \
					  .flags = BH_FIELD_REQUIRED,                              \
					  .max = 1000,                                             \
					  .not_in = NOT_BANP,                                      \
					  .not_here = "there is one BaselineAdminNetworkPolicy, "  \
						      "after all others",                          \
					  .help = "0 to 1000; the smaller comes first" },          \
		[BH_F_CSPEC_SUBJECT] = { .name = "subject",                                        \
					 MAP_OF(&bh_object_subject[version]),                      \
					 .flags = BH_FIELD_REQUIRED,                               \
					 .help = "which pods it is for: namespaces or pods" },     \
		[BH_F_CSPEC_INGRESS] = { .name = "ingress",                                        \
					 LIST_OF_MAPS(&bh_object_crule[version]),                  \
					 .max_items = limit,                                       \
					 .help = "rules for connections to the pods, in order" },  \
		[BH_F_CSPEC_EGRESS] = { .name = "egress",                                          \
					LIST_OF_MAPS(&bh_object_crule[version]),                   \
					.max_items = limit,                                        \
					.help = "rules for connections from the pods, in order" }, \
	}
static const struct bh_field cnp_spec_fields[] = SPEC_FIELDS(0, 25);
static const struct bh_field anp_spec_fields[] = SPEC_FIELDS(1, 100);
const struct bh_object bh_object_cspec[] = {
	OBJECT("spec", "what the policy says", cnp_spec_fields),
	OBJECT("spec", "what the policy says", anp_spec_fields),
};

static const struct bh_field cnp_fields[] = { TOP_FIELDS(
    BH_FIELD_MAP, &bh_object_cspec[0], BH_FIELD_REQUIRED, "tier, priority, subject, rules") };
static const struct bh_field anp_fields[] = { TOP_FIELDS(
    BH_FIELD_MAP, &bh_object_cspec[1], BH_FIELD_REQUIRED, "priority, subject, rules") };
const struct bh_object bh_object_cluster[] = {
	OBJECT("the policy", "what holds in the whole cluster", cnp_fields),
	OBJECT("the policy", "what holds in the whole cluster", anp_fields),
};
