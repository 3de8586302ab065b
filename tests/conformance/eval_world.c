/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/conformance/eval_world.c - a request of the runner as the input of a compiler
 */
#include "common/util.h"
#include "tests/conformance/eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

void *must(void *p)
{
	if (!p) {
		fputs("conformance_eval: out of memory\n", stderr);
		exit(2);
	}
	return p;
}

char *text_of(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return must(strdup(s ? s : ""));
}

uint8_t l4_of(const char *name)
{
	if (bh_streq(name, "UDP"))
		return BH_L4_UDP;
	return bh_streq(name, "SCTP") ? BH_L4_SCTP : BH_L4_TCP;
}

static void labels_make(const json_t *obj, struct bh_labels *ret)
{
	json_t *map = json_object_get(obj, "labels"), *v;
	const char *key;

	json_object_foreach(map, key, v) {
		const char *value = json_string_value(v);

		if (bh_labels_set(ret, key, value ? value : "") < 0)
			must(NULL);
	}
}

static struct bh_addr *addrs_make(const json_t *obj, size_t *ret_n)
{
	json_t *list = json_object_get(obj, "addresses"), *v;
	struct bh_addr *addrs = must(calloc(json_array_size(list) + 1, sizeof(*addrs)));
	size_t i;

	*ret_n = 0;
	json_array_foreach(list, i, v) {
		if (bh_addr_parse(json_string_value(v), &addrs[*ret_n]) == 0)
			(*ret_n)++;
	}
	return addrs;
}

/* ---- manifests ---- */

static void nodes_add(struct bh_policy_set *set, const json_t *list)
{
	const json_t *j;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	set->nodes = must(calloc(json_array_size(list), sizeof(struct bh_node *)));
	json_array_foreach(list, i, j) {
		struct bh_node *n = must(calloc(1, sizeof(*n)));

		n->name = text_of(j, "name");
		n->file = must(strdup("world"));
		labels_make(j, &n->labels);
		n->addrs = addrs_make(j, &n->n_addrs);
		set->nodes[set->n_nodes++] = n;
	}
}

static int documents_load(struct world *w, const json_t *docs, const json_t *nodes,
			  struct bh_buf *error)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	const json_t *doc;
	size_t i;
	int r = 0;

	w->set = must(bh_policy_set_new());
	json_array_foreach(docs, i, doc) {
		const json_t *t = json_object_get(doc, "text");
		bh_autofree char *file = text_of(doc, "file");

		if (bh_load_text(w->set, file, json_string_value(t), json_string_length(t), &d) < 0)
			r = -EINVAL;
	}
	nodes_add(w->set, nodes);
	if (bh_load_finish(w->set, &d) < 0)
		r = -EINVAL;
	if (r < 0) {
		bh_diags_sort(&d);
		bh_diags_print(&d, error);
	}
	return r;
}

/* ---- endpoints, names ---- */

static struct bh_endpoint *endpoint_make(const json_t *j)
{
	struct bh_endpoint *ep = must(calloc(1, sizeof(*ep)));
	json_t *ports = json_object_get(j, "ports"), *v;
	size_t i;

	ep->ns = text_of(j, "ns");
	ep->name = text_of(j, "name");
	if (asprintf(&ep->id, "%s/%s", ep->ns, ep->name) < 0)
		must(NULL);
	if (json_is_string(json_object_get(j, "node")))
		ep->node = text_of(j, "node");
	ep->local = true;
	labels_make(j, &ep->labels);
	ep->addrs = addrs_make(j, &ep->n_addrs);
	ep->ports = must(calloc(json_array_size(ports) + 1, sizeof(*ep->ports)));
	json_array_foreach(ports, i, v) {
		struct bh_named_port *p = &ep->ports[ep->n_ports++];

		p->name = text_of(v, "name");
		p->l4 = l4_of(json_string_value(json_object_get(v, "protocol")));
		p->port = (uint16_t)json_integer_value(json_object_get(v, "port"));
	}
	return ep;
}

static void names_make(struct world *w, const json_t *list)
{
	const json_t *j;
	size_t i;

	w->names = must(calloc(json_array_size(list) + 1, sizeof(*w->names)));
	json_array_foreach(list, i, j) {
		struct bh_known_name *n = &w->names[i];

		n->name = text_of(j, "name");
		n->addrs = addrs_make(j, &n->n);
	}
	w->around.names = w->names;
	w->around.n_names = json_array_size(list);
}

int world_make(struct world *w, const json_t *req, struct bh_buf *error)
{
	const json_t *list = json_object_get(req, "endpoints"), *j;
	size_t i;

	*w = (struct world){ .set = NULL };
	names_make(w, json_object_get(req, "names"));
	w->eps = must(calloc(json_array_size(list) + 1, sizeof(struct bh_endpoint *)));
	json_array_foreach(list, i, j)
		w->eps[w->n_eps++] = endpoint_make(j);
	return documents_load(w, json_object_get(req, "documents"), json_object_get(req, "nodes"),
			      error);
}

void world_done(struct world *w)
{
	bh_policy_set_free(w->set);
	for (size_t i = 0; i < w->n_eps; i++)
		bh_endpoint_free(w->eps[i]);
	free(w->eps);
	for (size_t i = 0; i < w->around.n_names; i++) {
		free((char *)w->names[i].name);
		free((struct bh_addr *)w->names[i].addrs);
	}
	free(w->names);
	*w = (struct world){ .set = NULL };
}

struct bh_compile_input world_input(const struct world *w, uint64_t revision)
{
	return (struct bh_compile_input){
		.set = w->set,
		.eps = (const struct bh_endpoint *const *)w->eps,
		.n_eps = w->n_eps,
		.around = &w->around,
		.revision = revision,
	};
}

/* ---- ends ---- */

struct end *ends_make(const json_t *list, size_t *ret_n)
{
	struct end *ends = must(calloc(json_array_size(list) + 1, sizeof(*ends)));
	const json_t *j;
	size_t i;

	*ret_n = json_array_size(list);
	json_array_foreach(list, i, j) {
		struct end *e = &ends[i];
		size_t n;
		bh_autofree struct bh_addr *addrs = addrs_make(j, &n);

		e->endpoint = json_is_true(json_object_get(j, "endpoint"));
		e->node = json_string_value(json_object_get(j, "node"));
		while (n > 0) { /* the first of each family */
			const struct bh_addr *a = &addrs[--n];

			e->addr[a->family == 6] = *a;
		}
	}
	return ends;
}
