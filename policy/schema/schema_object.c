/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_object.c - tables of fields: metadata, Namespace, Endpoint, Node, List
 */
#include "policy/schema/schema_tables.h"

#include "common/limits.h"

#define BH_IN_POLICIES                                                                \
	(BH_IN_NETWORK_POLICY | BH_IN_TRAFFIC_POLICY | BH_IN_CLUSTER_TRAFFIC_POLICY | \
	 BH_IN_CLUSTER_NETWORK_POLICY | BH_IN_ADMIN_NETWORK_POLICY |                  \
	 BH_IN_BASELINE_ADMIN_NETWORK_POLICY)

static const char *const l4_names[] = { "TCP", "UDP", "SCTP", NULL };
static const char *const host_to_container[] = { "allow", "policy", NULL };

static const struct bh_field meta_fields[] = {
	[BH_F_META_NAME] = { .name = "name",
			     .type = BH_FIELD_STRING,
			     .flags = BH_FIELD_REQUIRED,
			     .format = "name",
			     .not_in = BH_IN_NO_POLICY,
			     .help = "every object has a name" },
	[BH_F_META_NAME_LOOSE] = { .name = "name",
				   .type = BH_FIELD_STRING,
				   .flags = BH_FIELD_REQUIRED,
				   .format = "loose-name",
				   .not_in = BH_IN_POLICIES,
				   .help = "every object has a name" },
	[BH_F_META_NAMESPACE] = { .name = "namespace",
				  .type = BH_FIELD_STRING,
				  .format = "namespace",
				  .not_in = BH_IN_NO_NAMESPACE,
				  .not_here = "leave it out: objects of this kind stand in no "
					      "namespace",
				  .otherwise = "default",
				  .help = "namespace, compose project or network it belongs to" },
	[BH_F_META_LABELS] = { .name = "labels",
			       .type = BH_FIELD_STRINGS,
			       .help = "of namespaces, endpoints and nodes: what selectors match" },
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

static const struct bh_field namespace_fields[] = { TOP_FIELDS(BH_FIELD_ANY, NULL, BH_FIELD_IGNORED,
							       "ignored") };
const struct bh_object bh_object_namespace =
    OBJECT("the namespace", "labels of a namespace", namespace_fields);

/* ---- Endpoint ---- */

static const struct bh_field endpoint_port_fields[] = {
	[BH_F_EPPORT_NAME] = { .name = "name",
			       .type = BH_FIELD_STRING,
			       .flags = BH_FIELD_REQUIRED,
			       .format = "port-name",
			       .help = "the name that policies write" },
	[BH_F_EPPORT_PORT] = { .name = "port",
			       PORT_NUMBER,
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
				LIST_OF(BH_FIELD_STRING),
				.flags = BH_FIELD_REQUIRED | BH_FIELD_NOT_EMPTY,
				.max_items = BH_ADDRESSES_MAX,
				.format = "address",
				.help = "its addresses, IPv4 and IPv6; at least one" },
	[BH_F_EP_NODE] = { .name = "node",
			   .type = BH_FIELD_STRING,
			   .format = "loose-name",
			   .help = "the host it runs on" },
	[BH_F_EP_LOCAL] = { .name = "local",
			    .type = BH_FIELD_BOOL,
			    .otherwise = "false",
			    .help = "it runs on this host: policies are enforced for it here" },
	[BH_F_EP_PORTS] = { .name = "ports",
			    LIST_OF_MAPS(&bh_object_endpoint_port),
			    .help = "ports that policies can name" },
	[BH_F_EP_HOST_TO_CONTAINER] = { .name = "hostToContainer",
					.type = BH_FIELD_STRING,
					.values = host_to_container,
					.otherwise = "allow",
					.help =
					    "what its own node opens to it: allow: isolation does "
					    "not bind it; policy: it is judged as what anybody opens" },
};
const struct bh_object bh_object_endpoint_spec =
    OBJECT("spec", "what is known of the endpoint", endpoint_spec_fields);

static const struct bh_field endpoint_fields[] = { TOP_FIELDS(
    BH_FIELD_MAP, &bh_object_endpoint_spec, BH_FIELD_REQUIRED,
    "addresses, node, ports, hostToContainer") };
const struct bh_object bh_object_endpoint =
    OBJECT("the endpoint", "an endpoint that this host cannot see", endpoint_fields);

/* ---- Node ---- */

static const struct bh_field node_spec_fields[] = {
	[BH_F_NODE_ADDRESSES] = { .name = "addresses",
				  LIST_OF(BH_FIELD_STRING),
				  .flags = BH_FIELD_REQUIRED | BH_FIELD_NOT_EMPTY,
				  .max_items = BH_ADDRESSES_MAX,
				  .format = "address",
				  .help = "addresses of the host, IPv4 and IPv6; at least one" },
};
const struct bh_object bh_object_node_spec =
    OBJECT("spec", "what is known of the host", node_spec_fields);

static const struct bh_field node_fields[] = { TOP_FIELDS(
    BH_FIELD_MAP, &bh_object_node_spec, BH_FIELD_REQUIRED, "addresses of the host") };
const struct bh_object bh_object_node =
    OBJECT("the node", "a host: its labels and addresses", node_fields);

static const struct bh_field node_address_fields[] = {
	[BH_F_NODEADDR_TYPE] = { .name = "type",
				 .type = BH_FIELD_STRING,
				 .flags = BH_FIELD_REQUIRED,
				 .help = "InternalIP and ExternalIP are read, others ignored" },
	[BH_F_NODEADDR_ADDRESS] = { .name = "address",
				    .type = BH_FIELD_STRING,
				    .flags = BH_FIELD_REQUIRED,
				    .format = "address",
				    .help = "the address" },
};
const struct bh_object bh_object_node_address =
    OBJECT("address", "one address of the node", node_address_fields);

static const struct bh_field node_status_fields[] = {
	[BH_F_NODE_ADDRESSES] = { .name = "addresses",
				  LIST_OF_MAPS(&bh_object_node_address),
				  .max_items = BH_ADDRESSES_MAX,
				  .help = "addresses of the node" },
};
const struct bh_object bh_object_node_status = {
	.name = "status",
	.help = "what a server knows of the node; only the addresses are read",
	.fields = node_status_fields,
	.n = BH_ARRAY_SIZE(node_status_fields),
	.flags = BH_OBJECT_OPEN,
};

static const struct bh_field k8s_node_fields[] = {
	[BH_F_TOP_API] = { .name = "apiVersion",
			   .type = BH_FIELD_STRING,
			   .flags = BH_FIELD_REQUIRED,
			   .help = "group and version of the kind" },
	[BH_F_TOP_KIND] = { .name = "kind",
			    .type = BH_FIELD_STRING,
			    .flags = BH_FIELD_REQUIRED,
			    .help = "what the document is" },
	[BH_F_TOP_META] = { .name = "metadata",
			    MAP_OF(&bh_object_meta),
			    .flags = BH_FIELD_READ_ANYWAY,
			    .help = "name, labels" },
	[BH_F_TOP_SPEC] = { .name = "spec",
			    .type = BH_FIELD_ANY,
			    .flags = BH_FIELD_IGNORED,
			    .help = "ignored" },
	[BH_F_TOP_STATUS] = { .name = "status",
			      MAP_OF(&bh_object_node_status),
			      .help = "addresses; the rest is ignored" },
};
const struct bh_object bh_object_k8s_node =
    OBJECT("the node", "a node of Kubernetes: its labels and addresses", k8s_node_fields);

/* ---- List ---- */

static const struct bh_field list_fields[] = {
	[BH_F_LIST_API] = { .name = "apiVersion", .type = BH_FIELD_STRING, .help = "v1" },
	[BH_F_LIST_KIND] = { .name = "kind", .type = BH_FIELD_STRING, .help = "List" },
	[BH_F_LIST_META] = FROM_SERVER("metadata"),
	[BH_F_LIST_ITEMS] = { .name = "items",
			      LIST_OF(BH_FIELD_MAP),
			      .help = "objects, each as in a document of its own" },
};
const struct bh_object bh_object_list = OBJECT("the list", "several objects in one", list_fields);
