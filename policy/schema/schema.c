/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema.c - the kinds that manifests can be of, and the way from a kind to a field
 *
 * The tables themselves stand in schema_policy.c, schema_cluster.c and schema_object.c.
 */
#include "policy/schema.h"

#include "common/util.h"

#include <string.h>

#include "common/banned.h"

#define K8S      "networking.k8s.io/v1"
#define BULKHEAD "bulkhead.network/v1alpha1"
#define CLUSTER  "policy.networking.k8s.io/v1alpha2"
#define ADMIN    "policy.networking.k8s.io/v1alpha1"

static const struct bh_kind_info kinds[] = {
	{ "NetworkPolicy", "networkpolicies", "netpol", K8S, BH_KIND_NETWORK_POLICY,
	  &bh_object_policy, BH_IN_NETWORK_POLICY },
	{ "TrafficPolicy", "trafficpolicies", "tp", BULKHEAD, BH_KIND_TRAFFIC_POLICY,
	  &bh_object_policy, BH_IN_TRAFFIC_POLICY },
	{ "ClusterTrafficPolicy", "clustertrafficpolicies", "ctp", BULKHEAD,
	  BH_KIND_CLUSTER_TRAFFIC_POLICY, &bh_object_policy,
	  BH_IN_CLUSTER_TRAFFIC_POLICY | BH_IN_NO_NAMESPACE },
	{ "ClusterNetworkPolicy", "clusternetworkpolicies", "cnp", CLUSTER,
	  BH_KIND_CLUSTER_NETWORK_POLICY, &bh_object_cluster[0],
	  BH_IN_CLUSTER_NETWORK_POLICY | BH_IN_NO_NAMESPACE },
	{ "AdminNetworkPolicy", "adminnetworkpolicies", "anp", ADMIN, BH_KIND_ADMIN_NETWORK_POLICY,
	  &bh_object_cluster[1], BH_IN_ADMIN_NETWORK_POLICY | BH_IN_NO_NAMESPACE },
	{ "BaselineAdminNetworkPolicy", "baselineadminnetworkpolicies", "banp", ADMIN,
	  BH_KIND_BASELINE_ADMIN_NETWORK_POLICY, &bh_object_cluster[1],
	  BH_IN_BASELINE_ADMIN_NETWORK_POLICY | BH_IN_NO_NAMESPACE },
	{ "Namespace", "namespaces", "ns", "v1", BH_KIND_NAMESPACE, &bh_object_namespace,
	  BH_IN_NO_NAMESPACE | BH_IN_NO_POLICY },
	{ "Endpoint", "endpoints", "ep", BULKHEAD, BH_KIND_ENDPOINT, &bh_object_endpoint,
	  BH_IN_NO_STATUS | BH_IN_NO_POLICY },
	{ "Node", "nodes", "no", BULKHEAD, BH_KIND_NODE, &bh_object_node,
	  BH_IN_NO_NAMESPACE | BH_IN_NO_STATUS | BH_IN_NO_POLICY },
	{ "Node", "nodes", "no", "v1", BH_KIND_NODE, &bh_object_k8s_node,
	  BH_IN_NO_NAMESPACE | BH_IN_NO_POLICY },
	{ "List", "lists", NULL, "v1", BH_KIND_INVALID, &bh_object_list, BH_IN_NO_NAMESPACE },
};

const struct bh_kind_info *bh_schema_kind(size_t i)
{
	return i < BH_ARRAY_SIZE(kinds) ? &kinds[i] : NULL;
}

const struct bh_field *bh_schema_field(const struct bh_object *o, unsigned in, const char *name,
				       size_t len)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct bh_field *f = &o->fields[i];

		if (!(f->not_in & in) && strlen(f->name) == len && memcmp(f->name, name, len) == 0)
			return f;
	}
	return NULL;
}

unsigned bh_schema_below(unsigned in, unsigned level, const struct bh_field *f)
{
	if (level == 1 && strcmp(f->name, "ingress") == 0)
		in |= BH_IN_INGRESS;
	if (level == 1 && strcmp(f->name, "egress") == 0)
		in |= BH_IN_EGRESS;
	return in;
}

const struct bh_field *bh_schema_find_in(const struct bh_kind_info *k, const char *path,
					 const struct bh_object **ret_object, unsigned *ret_in)
{
	const struct bh_object *o = k->object;
	const struct bh_field *f = NULL;
	unsigned in = k->in, level = 0;

	for (; *path; level++) {
		size_t len = strcspn(path, ".[");

		f = o ? bh_schema_field(o, in, path, len) : NULL;
		if (!f)
			return NULL;
		if (ret_object)
			*ret_object = o;
		in = bh_schema_below(in, level, f);
		path += len;
		path += strcspn(path, ".");
		path += *path == '.';
		o = f->object;
	}
	if (ret_in)
		*ret_in = in;
	return f;
}

const struct bh_field *bh_schema_find(const char *kind, const char *path,
				      const struct bh_object **ret_object)
{
	const struct bh_field *f = NULL;

	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds) && !f; i++)
		if (strcmp(kinds[i].name, kind) == 0)
			f = bh_schema_find_in(&kinds[i], path, ret_object, NULL);
	return f;
}
