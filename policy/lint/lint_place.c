/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_place.c - where a part of a policy stands, and the path to it
 *
 * The model keeps the places of policies, rules, peers and ports. For selectors and other fields the policy's own
 * text is read once more and laid over the file: it fits if the first rules stand where the model has them, which
 * they do not if the loader had to write the text anew (an item of a List with aliases in it). Then the place of
 * what is around has to do.
 */
#include "policy/lint/lint_internal.h"
#include "policy/yaml.h"

#include <string.h>

#include "common/banned.h"

/* Reading longer texts again for one column is not worth it. */
#define SOURCE_MAX (64U * 1024)

static bool of_rule(enum lint_part part)
{
	return part >= LINT_PART_RULE;
}

static const struct bh_rule *rule_of(const struct lint_where *w)
{
	return of_rule(w->part) && w->rule < w->p->n_rules[w->dir] ? &w->p->rules[w->dir][w->rule]
								   : NULL;
}

/* ---- what the model knows ---- */

static struct bh_pos model_pos(const struct lint_where *w)
{
	const struct bh_rule *r = rule_of(w);
	struct bh_pos pos = r && r->pos.line ? r->pos : w->p->pos;

	if (!r)
		return pos;
	if (w->part == LINT_PART_PORT && w->item < r->n_ports && r->ports[w->item].pos.line)
		return r->ports[w->item].pos;
	if (w->part >= LINT_PART_PEER && w->part < LINT_PART_PORT && w->item < r->n_peers &&
	    r->peers[w->item].pos.line)
		return r->peers[w->item].pos;
	return pos;
}

/* Whether fields are called as in a NetworkPolicy. */
static bool plain_kind(enum bh_kind k)
{
	return k == BH_KIND_NETWORK_POLICY || k == BH_KIND_TRAFFIC_POLICY ||
	       k == BH_KIND_CLUSTER_TRAFFIC_POLICY;
}

static const char *const fields[] = {
	[LINT_PART_PODS] = "podSelector",
	[LINT_PART_NAMESPACES] = "namespaceSelector",
	[LINT_PART_MODE] = "mode",
	[LINT_PART_PRIORITY] = "priority",
	[LINT_PART_EXPIRES] = "expires",
	[LINT_PART_RULE_EXPIRES] = "expires",
	[LINT_PART_PROTOCOLS] = "protocols",
	[LINT_PART_PEER_PODS] = "podSelector",
	[LINT_PART_PEER_NAMESPACES] = "namespaceSelector",
	[LINT_PART_PORT] = NULL,
};

/* The path as far as the model can tell it; parts that other kinds have elsewhere are left out. */
static void model_path(const struct lint_where *w, struct bh_buf *path)
{
	bh_buf_puts(path, "spec");
	if (!of_rule(w->part)) {
		if (fields[w->part] && (plain_kind(w->p->kind) || w->part == LINT_PART_PRIORITY))
			bh_buf_printf(path, ".%s", fields[w->part]);
		return;
	}
	bh_buf_printf(path, ".%s[%zu]", bh_dir_name(w->dir), w->rule);
	if (!plain_kind(w->p->kind))
		return;
	if (w->part == LINT_PART_RULE_EXPIRES || w->part == LINT_PART_PROTOCOLS)
		bh_buf_printf(path, ".%s", fields[w->part]);
	if (w->part == LINT_PART_PORT)
		bh_buf_printf(path, ".ports");
	if (w->part >= LINT_PART_PEER && w->part < LINT_PART_PORT)
		bh_buf_printf(path, w->dir == BH_DIR_INGRESS ? ".from" : ".to");
}

/* ---- the text ---- */

struct overlay {
	const struct bh_yaml_node *spec;
	uint32_t lines; /* that the file has before the text */
};

static const struct bh_yaml_node *rule_node(const struct bh_yaml_node *spec, enum bh_dir dir,
					    size_t index)
{
	const struct bh_yaml_node *list = bh_yaml_get(spec, bh_dir_name(dir), NULL);

	return list && list->type == BH_YAML_LIST && index < list->n ? list->items[index] : NULL;
}

/* Stands @n of the text where the file has @pos? */
static bool fits(const struct overlay *o, const struct bh_yaml_node *n, struct bh_pos pos)
{
	return n && n->pos.line + o->lines == pos.line && n->pos.column == pos.column;
}

static bool lay_over(const struct bh_yaml_doc *doc, const struct bh_policy *p, struct overlay *o)
{
	const struct bh_yaml_node *root = doc->root;

	if (root->type != BH_YAML_MAP || p->pos.line < root->pos.line)
		return false;
	o->lines = p->pos.line - root->pos.line;
	o->spec = bh_yaml_get(root, "spec", NULL);
	if (!o->spec || o->spec->type != BH_YAML_MAP || !fits(o, root, p->pos))
		return false;
	for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++)
		for (size_t i = 0; i < p->n_rules[d]; i++)
			if (!fits(o, rule_node(o->spec, d, i), p->rules[d][i].pos))
				return false;
	return true;
}

/* The item of a list that stands at @pos. */
static const struct bh_yaml_node *item_at(const struct overlay *o, const struct bh_yaml_node *list,
					  struct bh_pos pos, size_t *ret_index)
{
	for (uint32_t i = 0; list && list->type == BH_YAML_LIST && i < list->n; i++) {
		if (!fits(o, list->items[i], pos))
			continue;
		*ret_index = i;
		return list->items[i];
	}
	return NULL;
}

static const struct bh_yaml_node *field(const struct bh_yaml_node *map, const char *name)
{
	return map && map->type == BH_YAML_MAP ? bh_yaml_get(map, name, NULL) : NULL;
}

/* A part of a rule; the path is made longer as far as it leads. */
static const struct bh_yaml_node *in_rule(const struct overlay *o, const struct lint_where *w,
					  const struct bh_rule *r, struct bh_buf *path)
{
	const struct bh_yaml_node *n = rule_node(o->spec, w->dir, w->rule), *list, *inner;
	size_t i = 0;

	if (w->part == LINT_PART_RULE)
		return n;
	if (w->part == LINT_PART_PROTOCOLS || w->part == LINT_PART_RULE_EXPIRES)
		return field(n, fields[w->part]);
	if (w->part == LINT_PART_PORT) {
		list = field(n, "ports");
		if (w->item >= r->n_ports)
			return NULL;
		n = item_at(o, list, r->ports[w->item].pos, &i);
		if (n)
			bh_buf_printf(path, "[%zu]", i);
		return n;
	}
	list = field(n, w->dir == BH_DIR_INGRESS ? "from" : "to");
	if (w->item >= r->n_peers)
		return NULL;
	n = item_at(o, list, r->peers[w->item].pos, &i);
	if (!n)
		return NULL;
	bh_buf_printf(path, "[%zu]", i);
	inner = fields[w->part] ? field(n, fields[w->part]) : NULL;
	if (!inner)
		return n;
	bh_buf_printf(path, ".%s", fields[w->part]);
	return inner;
}

static unsigned width_of(const struct bh_yaml_node *n)
{
	if (n->type == BH_YAML_LIST || n->type == BH_YAML_MAP || n->pos.line != n->end.line)
		return 1;
	return n->end.column > n->pos.column ? n->end.column - n->pos.column : 1;
}

static void look_up(const struct bh_yaml_doc *doc, const struct lint_where *w,
		    struct lint_place *ret)
{
	const struct bh_rule *r = rule_of(w);
	const struct bh_yaml_node *n = NULL;
	struct overlay o = { .spec = NULL };

	if (!lay_over(doc, w->p, &o))
		return;
	if (r)
		n = in_rule(&o, w, r, &ret->path);
	else if (fields[w->part])
		n = field(o.spec, fields[w->part]);
	if (!n || n->pos.line == 0)
		return;
	ret->pos = n->pos;
	ret->pos.line += o.lines;
	ret->width = width_of(n);
}

int lint_find_place(const struct lint_where *w, struct lint_place *ret)
{
	bh_cleanup(bh_diags_done) struct bh_diags ignored = BH_DIAGS_INIT;
	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = NULL;
	const struct bh_yaml_doc *doc = NULL;
	size_t size = w->p->source ? strlen(w->p->source) : 0;
	int r;

	*ret = (struct lint_place){ .pos = model_pos(w), .width = 1, .path = BH_BUF_INIT };
	model_path(w, &ret->path);
	if (size == 0 || size > SOURCE_MAX || !plain_kind(w->p->kind))
		return bh_buf_failed(&ret->path) ? -ENOMEM : 0;
	r = bh_yaml_open("", w->p->source, size, &ignored, &y);
	if (r == 0)
		r = bh_yaml_next(y, &doc);
	if (r == 1)
		look_up(doc, w, ret);
	return r < 0 || bh_buf_failed(&ret->path) ? -ENOMEM : 0;
}
