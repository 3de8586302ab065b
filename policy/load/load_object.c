/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_object.c - metadata, Namespace, Endpoint and Node manifests
 */
#include "policy/load/load_internal.h"

#include "common/limits.h"
#include "common/util.h"
#include "policy/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

#define NAME_LABEL "kubernetes.io/metadata.name"

/* ---- labels ---- */

bool bh_load_label_type(struct bh_load *l, const struct bh_yaml_pair *p)
{
	const struct bh_yaml_node *v = p->value;
	char hint[128];

	if (v->type == BH_YAML_STRING)
		return true;
	(void)snprintf(hint, sizeof(hint), "write \"%.60s\" in quotes", v->text ? v->text : "");
	if (v->type == BH_YAML_BOOL)
		bh_complain(&l->rd, v, "e8", hint,
			    "label value for \"%.80s\" is a boolean (YAML reads \"%s\" as %s)",
			    p->name, v->text, v->boolean ? "true" : "false");
	else
		bh_complain(&l->rd, v, "e8", v->text ? hint : "a label has one value",
			    "label value for \"%.80s\" is %s", p->name,
			    bh_yaml_type_name((enum bh_yaml_type)v->type));
	return false;
}

/* @strict: as Kubernetes has them; else anything that is not empty (labels of containers). */
static void labels(struct bh_load *l, const struct bh_yaml_node *map, bool strict,
		   struct bh_labels *ret)
{
	if (map->n > BH_LABELS_MAX) {
		bh_complain(&l->rd, map, "e22", NULL, "%s has %u entries: more than %u",
			    bh_path(&l->rd, ""), map->n, BH_LABELS_MAX);
		return;
	}
	for (uint32_t i = 0; i < map->n; i++) {
		const struct bh_yaml_pair *p = &map->pairs[i];
		const char *why;

		if (!bh_node_is_null(p->value) && !bh_load_label_type(l, p))
			continue;
		why = strict     ? bh_name_label_key(p->name)
		      : *p->name ? NULL
				 : "it must not be empty";
		if (why)
			bh_complain(&l->rd, p->key, "e19", why, "\"%.80s\" is not a label key (%s)",
				    p->name, bh_path(&l->rd, ""));
		why = strict ? bh_name_label_value(bh_node_str(p->value)) : NULL;
		if (why)
			bh_complain(&l->rd, p->value, "e19", why,
				    "\"%.80s\" is not a label value (%s)", bh_node_str(p->value),
				    bh_path(&l->rd, ""));
		if (ret && bh_labels_set(ret, p->name, bh_node_str(p->value)) < 0)
			bh_reader_nomem(&l->rd);
	}
}

static void annotations(struct bh_load *l, const struct bh_yaml_node *map)
{
	static const struct bh_field text = { .name = "annotation", .type = BH_FIELD_STRING };

	for (uint32_t i = 0; i < map->n; i++) {
		const struct bh_yaml_pair *p = &map->pairs[i];
		size_t mark = bh_path_key(&l->rd, p->name);

		if (!bh_node_is_null(p->value))
			(void)bh_read_value(&l->rd, p->value, &text);
		bh_path_back(&l->rd, mark);
	}
}

/* ---- metadata ---- */

static void name(struct bh_load *l, const struct bh_yaml_node *n, const char *key,
		 const char *(*rule)(const char *), char **ret)
{
	size_t mark = bh_path_key(&l->rd, key);
	const char *why = rule(bh_node_str(n));

	if (why)
		bh_complain(&l->rd, n, "e19", why, "\"%.80s\" is not a name (%s)", bh_node_str(n),
			    bh_path(&l->rd, ""));
	*ret = bh_load_strdup(l, bh_node_str(n));
	bh_path_back(&l->rd, mark);
}

/* There can be only one, and everybody knows its name. */
static void only_default(struct bh_load *l, const struct bh_yaml_node *n)
{
	size_t mark = bh_path_key(&l->rd, "name");

	if (!bh_streq(bh_node_str(n), "default"))
		bh_complain(&l->rd, n, "e19", "there is one in a cluster: call it \"default\"",
			    "%s \"%.80s\" must be called \"default\"", bh_kind_name(l->kind),
			    bh_node_str(n));
	bh_path_back(&l->rd, mark);
}

void bh_load_meta(struct bh_load *l, const struct bh_yaml_node *meta, char **ret_ns,
		  char **ret_name, struct bh_labels *ret_labels)
{
	struct bh_got got[BH_F_META_COUNT];
	const struct bh_yaml_node *ns, *named;
	size_t mark = bh_path_key(&l->rd, "metadata"), inner;
	bool of_k8s = l->kind == BH_KIND_NETWORK_POLICY;
	bool policy = bh_kind_is_policy(l->kind);

	if (!bh_read_fields(&l->rd, meta, &bh_object_meta, l->in, got)) {
		bh_path_back(&l->rd, mark);
		return;
	}
	named = got[policy ? BH_F_META_NAME : BH_F_META_NAME_LOOSE].value;
	if (named)
		name(l, named, "name", policy ? bh_name_dns_domain : bh_name_loose, ret_name);
	if (named && l->kind == BH_KIND_BASELINE_ADMIN_NETWORK_POLICY)
		only_default(l, named);
	ns = got[BH_F_META_NAMESPACE].value;
	if (ret_ns && (!ns || !*bh_node_str(ns)))
		*ret_ns = bh_load_strdup(l, "default");
	else if (ret_ns)
		name(l, ns, "namespace", of_k8s ? bh_name_dns_label : bh_name_loose, ret_ns);
	if (got[BH_F_META_LABELS].value) {
		inner = bh_path_key(&l->rd, "labels");
		labels(l, got[BH_F_META_LABELS].value, l->kind != BH_KIND_ENDPOINT, ret_labels);
		bh_path_back(&l->rd, inner);
	}
	if (got[BH_F_META_ANNOTATIONS].value) {
		inner = bh_path_key(&l->rd, "annotations");
		annotations(l, got[BH_F_META_ANNOTATIONS].value);
		bh_path_back(&l->rd, inner);
	}
	bh_path_back(&l->rd, mark);
}

/* ---- Namespace ---- */

static void namespace_freep(struct bh_namespace **n)
{
	bh_namespace_free(*n);
}

void bh_load_namespace(struct bh_load *l, const struct bh_yaml_node *root)
{
	bh_cleanup(namespace_freep) struct bh_namespace *n = bh_load_array(l, 1, sizeof(*n));
	struct bh_got got[BH_F_TOP_COUNT];

	if (!n || !bh_read_fields(&l->rd, root, &bh_object_namespace, l->in, got))
		return;
	n->pos = root->pos;
	n->file = bh_load_strdup(l, l->file);
	bh_load_meta(l, got[BH_F_TOP_META].value, NULL, &n->name, &n->labels);
	/* As an API server adds it. */
	if (n->name && !bh_labels_get(&n->labels, NAME_LABEL) &&
	    bh_labels_set(&n->labels, NAME_LABEL, n->name) < 0)
		bh_reader_nomem(&l->rd);
	if (bh_reader_ok(&l->rd) &&
	    bh_load_append(l, &l->set->namespaces, &l->set->n_namespaces, n))
		n = NULL;
}

/* ---- addresses ---- */

/* Appends to @addrs, which has room. */
static void address(struct bh_load *l, const struct bh_yaml_node *n, struct bh_addr *addrs,
		    size_t *n_addrs)
{
	struct bh_addr a = { .family = 0 };

	if (bh_addr_parse(n->text, &a) < 0) {
		bh_complain(&l->rd, n, "e19", "write it like 10.1.2.3 or fd00::1",
			    "\"%.80s\" in %s is not an address", n->text, bh_path(&l->rd, ""));
		return;
	}
	for (size_t k = 0; k < *n_addrs; k++) {
		if (!bh_addr_eq(&addrs[k], &a))
			continue;
		bh_complain(&l->rd, n, "e21", NULL, "address %s is listed twice", n->text);
		return;
	}
	addrs[(*n_addrs)++] = a;
}

static void addresses(struct bh_load *l, const struct bh_yaml_node *list, const struct bh_field *f,
		      struct bh_addr **ret, size_t *ret_n)
{
	*ret = bh_load_array(l, list->n, sizeof(**ret));
	for (uint32_t i = 0; *ret && i < list->n && i < f->max_items; i++) {
		size_t mark = bh_path_index(&l->rd, i);

		if (bh_read_item(&l->rd, list->items[i], f))
			address(l, list->items[i], *ret, ret_n);
		bh_path_back(&l->rd, mark);
	}
}

/* ---- Endpoint ---- */

static void endpoint_port(struct bh_load *l, const struct bh_yaml_node *n, struct bh_named_port *p)
{
	struct bh_got got[BH_F_EPPORT_COUNT];
	const struct bh_yaml_node *name_node, *port;
	const char *why;
	size_t mark;
	int64_t v = 0;

	if (!bh_read_fields(&l->rd, n, &bh_object_endpoint_port, l->in, got))
		return;
	name_node = got[BH_F_EPPORT_NAME].value;
	port = got[BH_F_EPPORT_PORT].value;
	why = name_node ? bh_name_port(name_node->text) : NULL;
	p->name = bh_load_strdup(l, bh_node_str(name_node));
	p->l4 = bh_load_l4(got[BH_F_EPPORT_PROTOCOL].value);
	mark = bh_path_key(&l->rd, "name");
	if (why)
		bh_complain(&l->rd, name_node, "e19", why,
			    "\"%.80s\" is not the name of a port (%s)", name_node->text,
			    bh_path(&l->rd, ""));
	bh_path_back(&l->rd, mark);
	mark = bh_path_key(&l->rd, "port");
	if (port && bh_node_int(port, &v))
		(void)bh_load_port_number(l, port, v, &p->port);
	bh_path_back(&l->rd, mark);
}

static void endpoint_spec(struct bh_load *l, const struct bh_yaml_node *n, struct bh_endpoint *e)
{
	struct bh_got got[BH_F_EP_COUNT];
	const struct bh_yaml_node *ports;
	size_t mark;

	if (!bh_read_fields(&l->rd, n, &bh_object_endpoint_spec, l->in, got))
		return;
	if (got[BH_F_EP_ADDRESSES].value) {
		mark = bh_path_key(&l->rd, "addresses");
		addresses(l, got[BH_F_EP_ADDRESSES].value,
			  &bh_object_endpoint_spec.fields[BH_F_EP_ADDRESSES], &e->addrs,
			  &e->n_addrs);
		bh_path_back(&l->rd, mark);
	}
	if (got[BH_F_EP_NODE].value)
		name(l, got[BH_F_EP_NODE].value, "node", bh_name_loose, &e->node);
	if (got[BH_F_EP_LOCAL].value)
		e->local = got[BH_F_EP_LOCAL].value->boolean;
	e->host_judged = bh_streq(bh_node_str(got[BH_F_EP_HOST_TO_CONTAINER].value), "policy");
	ports = got[BH_F_EP_PORTS].value;
	if (!ports)
		return;
	e->ports = bh_load_array(l, ports->n, sizeof(*e->ports));
	for (uint32_t i = 0; e->ports && i < ports->n; i++) {
		mark = bh_path_key(&l->rd, "ports");
		(void)bh_path_index(&l->rd, i);
		endpoint_port(l, ports->items[i], &e->ports[e->n_ports++]);
		bh_path_back(&l->rd, mark);
	}
}

void bh_load_endpoint(struct bh_load *l, const struct bh_yaml_node *root)
{
	bh_cleanup(bh_endpoint_freep) struct bh_endpoint *e = bh_load_array(l, 1, sizeof(*e));
	struct bh_got got[BH_F_TOP_COUNT];
	size_t mark;

	if (!e || !bh_read_fields(&l->rd, root, &bh_object_endpoint, l->in, got))
		return;
	e->pos = root->pos;
	e->file = bh_load_strdup(l, l->file);
	bh_load_meta(l, got[BH_F_TOP_META].value, &e->ns, &e->name, &e->labels);
	if (got[BH_F_TOP_SPEC].value) {
		mark = bh_path_key(&l->rd, "spec");
		endpoint_spec(l, got[BH_F_TOP_SPEC].value, e);
		bh_path_back(&l->rd, mark);
	}
	if (!bh_reader_ok(&l->rd))
		return;
	if (asprintf(&e->id, "%s/%s", e->ns, e->name) < 0) {
		e->id = NULL;
		bh_reader_nomem(&l->rd);
		return;
	}
	if (bh_load_append(l, &l->set->endpoints, &l->set->n_endpoints, e))
		e = NULL;
}

/* ---- Node ---- */

static void node_freep(struct bh_node **n)
{
	bh_node_free(*n);
}

/* What a server says: of several types; names of hosts among them. */
static void node_status(struct bh_load *l, const struct bh_yaml_node *n, struct bh_node *node)
{
	struct bh_got got[BH_F_NODE_COUNT], a[BH_F_NODEADDR_COUNT];
	const struct bh_yaml_node *list;

	if (!bh_read_fields(&l->rd, n, &bh_object_node_status, l->in, got))
		return;
	list = got[BH_F_NODE_ADDRESSES].value;
	node->addrs = list ? bh_load_array(l, list->n, sizeof(*node->addrs)) : NULL;
	for (uint32_t i = 0; node->addrs && i < list->n && i < BH_ADDRESSES_MAX; i++) {
		size_t mark = bh_path_key(&l->rd, "addresses");
		const char *type;

		(void)bh_path_index(&l->rd, i);
		if (bh_read_fields(&l->rd, list->items[i], &bh_object_node_address, l->in, a)) {
			type = bh_node_str(a[BH_F_NODEADDR_TYPE].value);
			(void)bh_path_key(&l->rd, "address");
			if (a[BH_F_NODEADDR_ADDRESS].value &&
			    (strcmp(type, "InternalIP") == 0 || strcmp(type, "ExternalIP") == 0))
				address(l, a[BH_F_NODEADDR_ADDRESS].value, node->addrs,
					&node->n_addrs);
		}
		bh_path_back(&l->rd, mark);
	}
}

static void node_spec(struct bh_load *l, const struct bh_yaml_node *n, struct bh_node *node)
{
	struct bh_got got[BH_F_NODE_COUNT];
	size_t mark;

	if (!bh_read_fields(&l->rd, n, &bh_object_node_spec, l->in, got) ||
	    !got[BH_F_NODE_ADDRESSES].value)
		return;
	mark = bh_path_key(&l->rd, "addresses");
	addresses(l, got[BH_F_NODE_ADDRESSES].value,
		  &bh_object_node_spec.fields[BH_F_NODE_ADDRESSES], &node->addrs, &node->n_addrs);
	bh_path_back(&l->rd, mark);
}

void bh_load_node(struct bh_load *l, const struct bh_yaml_node *root)
{
	bh_cleanup(node_freep) struct bh_node *n = bh_load_array(l, 1, sizeof(*n));
	struct bh_got got[BH_F_TOP_COUNT];
	size_t mark;

	if (!n || !bh_read_fields(&l->rd, root, l->object, l->in, got))
		return;
	n->pos = root->pos;
	n->file = bh_load_strdup(l, l->file);
	bh_load_meta(l, got[BH_F_TOP_META].value, NULL, &n->name, &n->labels);
	if (got[BH_F_TOP_SPEC].value) {
		mark = bh_path_key(&l->rd, "spec");
		node_spec(l, got[BH_F_TOP_SPEC].value, n);
		bh_path_back(&l->rd, mark);
	}
	if (got[BH_F_TOP_STATUS].value) {
		mark = bh_path_key(&l->rd, "status");
		node_status(l, got[BH_F_TOP_STATUS].value, n);
		bh_path_back(&l->rd, mark);
	}
	if (bh_reader_ok(&l->rd) && bh_load_append(l, &l->set->nodes, &l->set->n_nodes, n))
		n = NULL;
}
