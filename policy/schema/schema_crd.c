/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_crd.c - manifests of CustomResourceDefinitions for our own kinds: apiextensions.k8s.io/v1
 *
 * The schema is that of policy/schema/schema_json.c. Here stands what a cluster wants to know besides: names, scope, the
 * columns of `kubectl get`, and the status that an agent may write (metav1.Condition).
 */
#include "common/json.h"
#include "common/util.h"
#include "policy/schema_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/banned.h"

#define GROUP "bulkhead.network"

struct column {
	const char *name, *type, *path;
	const char *of; /* the field that must be there for it: a path; NULL: always there */
};

static const struct column columns[] = {
	{ "Mode", "string", ".spec.mode", "spec.mode" },
	{ "Tier", "string", ".spec.tier", "spec.tier" },
	{ "Priority", "integer", ".spec.priority", "spec.priority" },
	{ "Addresses", "string", ".spec.addresses", "spec.addresses" },
	{ "Node", "string", ".spec.node", "spec.node" },
	{ "Age", "date", ".metadata.creationTimestamp", NULL },
};

bool bh_schema_has_crd(const struct bh_kind_info *k)
{
	return k->kind && strncmp(k->api, GROUP "/", strlen(GROUP "/")) == 0;
}

static json_t *columns_of(const struct bh_kind_info *k)
{
	bh_autojson json_t *list = json_array();

	for (size_t i = 0; i < BH_ARRAY_SIZE(columns); i++) {
		const struct column *c = &columns[i];

		if (c->of && !bh_schema_find_in(k, c->of, NULL, NULL))
			continue;
		if (json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", c->name,
							  "type", c->type, "jsonPath", c->path)))
			return NULL;
	}
	return json_incref(list);
}

/* Limits as those of metav1.Condition. */
static json_t *status_schema(void)
{
	json_t *time = json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
	json_t *states =
	    json_pack("{s:s, s:[s, s, s]}", "type", "string", "enum", "True", "False", "Unknown");
	json_t *generation =
	    json_pack("{s:s, s:s, s:i}", "type", "integer", "format", "int64", "minimum", 0);
	json_t *fields = json_pack(
	    "{s:o, s:o, s:{s:s, s:s, s:i, s:i}, s:{s:s, s:i}, s:o, s:o}", "type",
	    json_pack("{s:s, s:s, s:i}", "description", "Accepted: an agent has read the policy",
		      "type", "string", "maxLength", 316),
	    "status", states, "reason", "type", "string", "pattern",
	    "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", "minLength", 1, "maxLength", 1024,
	    "message", "type", "string", "maxLength", 32768, "observedGeneration", generation,
	    "lastTransitionTime", time);
	json_t *condition =
	    json_pack("{s:s, s:o, s:[s, s, s, s, s]}", "type", "object", "properties", fields,
		      "required", "type", "status", "reason", "message", "lastTransitionTime");

	return json_pack("{s:s, s:s, s:{s:{s:s, s:s, s:o, s:s, s:[s]}}}", "description",
			 "what agents say of it", "type", "object", "properties", "conditions",
			 "description", "one of each type", "type", "array", "items", condition,
			 "x-kubernetes-list-type", "map", "x-kubernetes-list-map-keys", "type");
}

static json_t *version_of(const struct bh_kind_info *k)
{
	bh_autojson json_t *schema = bh_schema_to_structural(k);
	bh_autojson json_t *v = NULL;
	bool status = !(k->in & BH_IN_NO_STATUS);

	if (!schema || (status && json_object_set_new(json_object_get(schema, "properties"),
						      "status", status_schema()) < 0))
		return NULL;
	v = json_pack("{s:s, s:b, s:b, s:o, s:{s:O}}", "name", strchr(k->api, '/') + 1, "served", 1,
		      "storage", 1, "additionalPrinterColumns", columns_of(k), "schema",
		      "openAPIV3Schema", schema);
	if (!v ||
	    (status && json_object_set_new(v, "subresources", json_pack("{s:{}}", "status")) < 0))
		return NULL;
	return json_incref(v);
}

/* Endpoints and nodes have short names of Kubernetes' own, which would mean those. */
static json_t *names_of(const struct bh_kind_info *k)
{
	bh_autojson json_t *names = NULL;
	char singular[40], list[40];
	size_t n = 0;

	for (; n + 1 < sizeof(singular) && k->name[n] != '\0'; n++)
		singular[n] = (char)tolower((unsigned char)k->name[n]);
	singular[n] = '\0';
	(void)snprintf(list, sizeof(list), "%sList", k->name);
	names = json_pack("{s:s, s:s, s:s, s:s, s:[s]}", "kind", k->name, "listKind", list,
			  "plural", k->plural, "singular", singular, "categories", "bulkhead");
	if (!names || (!(k->in & BH_IN_NO_POLICY) &&
		       json_object_set_new(names, "shortNames", json_pack("[s]", k->short_name))))
		return NULL;
	return json_incref(names);
}

json_t *bh_schema_to_crd(const struct bh_kind_info *k)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%s." GROUP, k->plural);
	return json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:o, s:s, s:[o]}}", "apiVersion",
			 "apiextensions.k8s.io/v1", "kind", "CustomResourceDefinition", "metadata",
			 "name", name, "spec", "group", GROUP, "names", names_of(k), "scope",
			 k->in & BH_IN_NO_NAMESPACE ? "Cluster" : "Namespaced", "versions",
			 version_of(k));
}
