/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load.c - the front door of the library: texts, files and folders in, policy set or messages out
 *
 * Documents are read one at a time (policy/yaml.h); the kind of each says which part of the loader takes it.
 * `kind: List` is a document of several objects.
 */
#include "policy/load.h"

#include "common/file.h"
#include "common/folder.h"
#include "common/limits.h"
#include "common/util.h"
#include "policy/load/load_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/banned.h"

/* ---- memory ---- */

char *bh_load_strdup(struct bh_load *l, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		bh_reader_nomem(&l->rd);
	return copy;
}

void *bh_load_array(struct bh_load *l, size_t n, size_t size)
{
	void *p;

	if (n == 0)
		return NULL;
	p = calloc(n, size);
	if (!p)
		bh_reader_nomem(&l->rd);
	return p;
}

bool bh_load_append(struct bh_load *l, void *list, size_t *n, void *item)
{
	void *items, *grown;

	memcpy(&items, list, sizeof(items)); /* a pointer to pointers, of whatever type */
	/* The room is doubled whenever the count is a power of two: no capacity needs to be kept. */
	if ((*n & (*n - 1)) == 0) {
		grown = reallocarray(items, *n ? *n * 2 : 1, sizeof(item));
		if (!grown) {
			bh_reader_nomem(&l->rd);
			return false;
		}
		items = grown;
		memcpy(list, &items, sizeof(items));
	}
	memcpy((char *)items + *n * sizeof(item), &item, sizeof(item));
	(*n)++;
	return true;
}

/* ---- objects ---- */

static const struct bh_kind_info *kind_by(const char *name, const char *api)
{
	const struct bh_kind_info *k, *found = NULL;

	for (size_t i = 0; (k = bh_schema_kind(i)) != NULL; i++) {
		if (strcmp(k->name, name) != 0)
			continue;
		if (!found || strcmp(k->api, api) == 0)
			found = k;
	}
	return found;
}

static void unknown_kind(struct bh_load *l, const struct bh_yaml_node *n)
{
	const char *names[16];
	char buf[128];
	size_t count = 0;
	const struct bh_kind_info *k;

	for (size_t i = 0; (k = bh_schema_kind(i)) != NULL && count < BH_ARRAY_SIZE(names); i++)
		if (count == 0 || strcmp(names[count - 1], k->name) != 0)
			names[count++] = k->name;
	if (!bh_suggest(n->text, names, count, buf, sizeof(buf)))
		(void)snprintf(buf, sizeof(buf),
			       "NetworkPolicy, TrafficPolicy, ClusterTrafficPolicy, Namespace, "
			       "Endpoint, Node ...");
	bh_complain(&l->rd, n, "e24", buf, "unknown kind \"%.80s\"", n->text);
}

static const struct bh_yaml_node *string_field(struct bh_load *l, const struct bh_yaml_node *root,
					       const char *name, const char *example)
{
	static const struct bh_field text = { .name = "", .type = BH_FIELD_STRING };
	const struct bh_yaml_node *n = bh_yaml_get(root, name, NULL);
	size_t mark = bh_path_key(&l->rd, name);
	bool ok = false;

	if (bh_node_is_null(n))
		bh_complain(&l->rd, n, "e18", example, "this document has no \"%s\"", name);
	else
		ok = bh_read_value(&l->rd, n, &text);
	bh_path_back(&l->rd, mark);
	return ok ? n : NULL;
}

/* Which kind it is, if we have it; complains if not. */
static const struct bh_kind_info *kind_of(struct bh_load *l, const struct bh_yaml_node *root)
{
	const struct bh_yaml_node *api, *kind;
	const struct bh_kind_info *k = NULL;
	char hint[128];
	size_t mark;

	kind = string_field(l, root, "kind", "for example \"kind: TrafficPolicy\"");
	api = string_field(l, root, "apiVersion",
			   "for example \"apiVersion: bulkhead.network/v1alpha1\"");
	if (!kind || !api)
		return NULL;
	mark = bh_path_key(&l->rd, "kind");
	k = kind_by(kind->text, api->text);
	if (!k)
		unknown_kind(l, kind);
	bh_path_back(&l->rd, mark);
	if (!k || strcmp(k->api, api->text) == 0)
		return k;
	mark = bh_path_key(&l->rd, "apiVersion");
	(void)snprintf(hint, sizeof(hint), "write \"apiVersion: %s\"", k->api);
	bh_complain(&l->rd, api, "e24", hint, "kind %s does not exist in \"%.80s\"", k->name,
		    api->text);
	bh_path_back(&l->rd, mark);
	return NULL;
}

static void object(struct bh_load *l, const struct bh_yaml_node *root, const struct bh_kind_info *k)
{
	l->kind = k->kind;
	l->in = k->in;
	l->object = k->object;
	l->rd.around = root;
	if (bh_kind_is_policy(k->kind))
		bh_load_policy(l, root);
	else if (k->kind == BH_KIND_NAMESPACE)
		bh_load_namespace(l, root);
	else if (k->kind == BH_KIND_ENDPOINT)
		bh_load_endpoint(l, root);
	else if (k->kind == BH_KIND_NODE)
		bh_load_node(l, root);
	free(l->source);
	l->source = NULL;
}

static void list_item(struct bh_load *l, const struct bh_yaml_node *n)
{
	static const struct bh_field a_map = { .name = "", .type = BH_FIELD_MAP };
	const struct bh_kind_info *k;

	l->rd.bad = false;
	l->rd.around = n;
	if (!bh_read_value(&l->rd, n, &a_map))
		return;
	k = kind_of(l, n);
	if (!k)
		return;
	if (k->kind == BH_KIND_INVALID) {
		bh_complain(&l->rd, n, "e24", "put its items into the outer list",
			    "a list inside of a list");
		return;
	}
	l->source = bh_yaml_copy(l->rd.text, n);
	if (!l->source)
		bh_reader_nomem(&l->rd);
	object(l, n, k);
}

static void list(struct bh_load *l, const struct bh_yaml_node *root)
{
	struct bh_got got[BH_F_LIST_COUNT];
	const struct bh_yaml_node *items;

	if (!bh_read_fields(&l->rd, root, &bh_object_list, 0, got))
		return;
	items = got[BH_F_LIST_ITEMS].value;
	for (uint32_t i = 0; items && i < items->n && l->rd.r == 0; i++) {
		size_t mark = bh_path_key(&l->rd, "items");

		(void)bh_path_index(&l->rd, i);
		list_item(l, items->items[i]);
		bh_path_back(&l->rd, mark);
	}
}

static void document(struct bh_load *l, const struct bh_yaml_doc *doc)
{
	static const struct bh_field a_map = { .name = "", .type = BH_FIELD_MAP };
	const struct bh_kind_info *k;

	/* What could not be read whole is looked at, for its errors, but not used. */
	l->rd.bad = doc->bad;
	l->rd.around = doc->root;
	if (bh_node_is_null(doc->root) || !bh_read_value(&l->rd, doc->root, &a_map))
		return;
	k = kind_of(l, doc->root);
	if (!k)
		return;
	if (k->kind == BH_KIND_INVALID && doc->bad)
		return;
	if (k->kind == BH_KIND_INVALID) {
		list(l, doc->root);
		return;
	}
	l->source = strndup(l->rd.text->data + doc->begin, doc->end - doc->begin);
	if (!l->source)
		bh_reader_nomem(&l->rd);
	object(l, doc->root, k);
}

/* ---- texts ---- */

int bh_load_text(struct bh_policy_set *set, const char *file, const char *data, size_t size,
		 struct bh_diags *d)
{
	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = NULL;
	const struct bh_yaml_doc *doc = NULL;
	size_t errors = d->n_errors;
	struct bh_load l = { .set = set, .file = file };
	int r;

	d->n_texts++;
	r = bh_yaml_open(file, data, size, d, &y);
	if (r < 0)
		return r;
	bh_reader_init(&l.rd, bh_yaml_text(y), d);
	while (r == 0 && (r = bh_yaml_next(y, &doc)) == 1) {
		document(&l, doc);
		r = bh_buf_failed(&l.rd.path) ? -ENOMEM : l.rd.r;
	}
	bh_reader_done(&l.rd);
	if (r < 0)
		return r;
	return d->n_errors > errors ? -EINVAL : 0;
}

/* ---- files and folders ---- */

static int unreadable(struct bh_diags *d, const char *path, const char *code, const char *why)
{
	struct bh_diag_at at = { .file = path };
	int r = bh_diag_add(d, &at, BH_SEVERITY_ERROR, code, NULL, "cannot be read: %s", why);

	return r < 0 ? r : -EINVAL;
}

int bh_load_was_read(struct bh_policy_set *set, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return bh_policy_set_read(set, st.st_dev, st.st_ino);
}

static int load_file(struct bh_policy_set *set, const char *path, struct bh_diags *d)
{
	bh_autofree char *data = NULL;
	struct bh_err err = { .code = 0 };
	size_t size = 0;
	int r = bh_load_was_read(set, path);

	if (r != 0)
		return r < 0 ? r : 0;
	r = bh_file_read(path, BH_YAML_FILE_MAX, &data, &size, &err);

	if (r == -ENOMEM)
		return r;
	if (r == -E2BIG) {
		char why[64];

		(void)snprintf(why, sizeof(why), "it has more than %u bytes", BH_YAML_FILE_MAX);
		return unreadable(d, path, "e22", why);
	}
	if (r < 0)
		return unreadable(d, path, "e23", bh_err_text(&err, r));
	return bh_load_text(set, path, data, size, d);
}

static const char *const suffixes[] = { ".yaml", ".yml", ".json" };

/* The name ends in @before and one of the suffixes, and there is something in front. */
static bool ends_in(const char *name, const char *before)
{
	const size_t len = strlen(name), m = strlen(before);

	for (size_t i = 0; i < BH_ARRAY_SIZE(suffixes); i++) {
		const size_t n = strlen(suffixes[i]);

		if (len > n + m && strcmp(name + len - n, suffixes[i]) == 0 &&
		    memcmp(name + len - n - m, before, m) == 0)
			return true;
	}
	return false;
}

bool bh_load_is_test(const char *name)
{
	return ends_in(name, ".test");
}

bool bh_load_is_manifest(const char *name)
{
	return ends_in(name, "") && !bh_load_is_test(name);
}

/* Where to, and whether something was wrong: what else there is, is read all the same. */
struct loading {
	struct bh_policy_set *set;
	struct bh_diags *d;
	bool bad;
};

static int go_on(struct loading *x, int r)
{
	x->bad |= r < 0;
	return r == -ENOMEM ? r : 0;
}

static int on_file(void *arg, const char *path)
{
	struct loading *x = arg;

	return go_on(x, load_file(x->set, path, x->d));
}

static int on_unreadable(void *arg, const char *path, int error)
{
	struct loading *x = arg;

	if (error == -E2BIG)
		return go_on(
		    x, unreadable(x->d, path, "e22", "too many folders inside of each other"));
	return go_on(x, unreadable(x->d, path, "e23", bh_err_text(NULL, error)));
}

int bh_load_path(struct bh_policy_set *set, const char *path, struct bh_diags *d)
{
	struct loading x = { .set = set, .d = d };
	const struct bh_folder_visitor v = { bh_load_is_manifest, on_file, on_unreadable, &x };
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return unreadable(d, path, "e23", bh_err_text(NULL, -errno));
	r = bh_folder_walk(path, &v);
	return r < 0 ? r : x.bad ? -EINVAL : 0;
}

/* ---- checks across objects ---- */

static int place_cmp(const char *file_a, struct bh_pos a, const char *file_b, struct bh_pos b)
{
	int c = strcmp(file_a ? file_a : "", file_b ? file_b : "");

	if (c)
		return c;
	if (a.line != b.line)
		return a.line < b.line ? -1 : 1;
	return a.column < b.column ? -1 : a.column > b.column;
}

static int policy_cmp(const void *x, const void *y)
{
	const struct bh_policy *a = *(struct bh_policy *const *)x,
			       *b = *(struct bh_policy *const *)y;
	int c;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	c = strcmp(a->ns, b->ns);
	if (c == 0)
		c = strcmp(a->name, b->name);
	return c ? c : place_cmp(a->file, a->pos, b->file, b->pos);
}

static int namespace_cmp(const void *x, const void *y)
{
	const struct bh_namespace *a = *(struct bh_namespace *const *)x;
	const struct bh_namespace *b = *(struct bh_namespace *const *)y;
	int c = strcmp(a->name, b->name);

	return c ? c : place_cmp(a->file, a->pos, b->file, b->pos);
}

static int endpoint_cmp(const void *x, const void *y)
{
	const struct bh_endpoint *a = *(struct bh_endpoint *const *)x;
	const struct bh_endpoint *b = *(struct bh_endpoint *const *)y;
	int c = strcmp(a->ns, b->ns);

	if (c == 0)
		c = strcmp(a->name, b->name);
	return c ? c : place_cmp(a->file, a->pos, b->file, b->pos);
}

static int node_cmp(const void *x, const void *y)
{
	const struct bh_node *a = *(struct bh_node *const *)x;
	const struct bh_node *b = *(struct bh_node *const *)y;
	int c = strcmp(a->name, b->name);

	return c ? c : place_cmp(a->file, a->pos, b->file, b->pos);
}

static int twice(struct bh_diags *d, const char *kind, const char *ns, const char *name,
		 const char *file, struct bh_pos pos, const char *first_file, struct bh_pos first)
{
	struct bh_diag_at at = { .file = file, .pos = pos, .path = "metadata.name" };

	return bh_diag_add(d, &at, BH_SEVERITY_ERROR, "e14", NULL,
			   "%s %s%s%s is defined twice: here and in %s:%u:%u", kind, ns ? ns : "",
			   ns && *ns ? "/" : "", name, first_file ? first_file : "", first.line,
			   first.column);
}

int bh_load_finish(struct bh_policy_set *set, struct bh_diags *d)
{
	size_t errors = d->n_errors;
	int r = 0;

	if (set->n_policies > 1)
		qsort(set->policies, set->n_policies, sizeof(struct bh_policy *), policy_cmp);
	set->unsorted = false;
	if (set->n_namespaces > 1)
		qsort(set->namespaces, set->n_namespaces, sizeof(struct bh_namespace *),
		      namespace_cmp);
	if (set->n_endpoints > 1)
		qsort(set->endpoints, set->n_endpoints, sizeof(struct bh_endpoint *), endpoint_cmp);
	if (set->n_nodes > 1)
		qsort(set->nodes, set->n_nodes, sizeof(struct bh_node *), node_cmp);
	for (size_t i = 1; i < set->n_policies && r == 0; i++) {
		const struct bh_policy *a = set->policies[i - 1], *b = set->policies[i];

		if (a->kind == b->kind && strcmp(a->ns, b->ns) == 0 &&
		    strcmp(a->name, b->name) == 0)
			r = twice(d, bh_kind_name(b->kind), b->ns, b->name, b->file, b->pos,
				  a->file, a->pos);
	}
	for (size_t i = 1; i < set->n_namespaces && r == 0; i++) {
		const struct bh_namespace *a = set->namespaces[i - 1], *b = set->namespaces[i];

		if (strcmp(a->name, b->name) == 0)
			r = twice(d, "Namespace", NULL, b->name, b->file, b->pos, a->file, a->pos);
	}
	for (size_t i = 1; i < set->n_endpoints && r == 0; i++) {
		const struct bh_endpoint *a = set->endpoints[i - 1], *b = set->endpoints[i];

		if (strcmp(a->ns, b->ns) == 0 && strcmp(a->name, b->name) == 0)
			r = twice(d, "Endpoint", b->ns, b->name, b->file, b->pos, a->file, a->pos);
	}
	for (size_t i = 1; i < set->n_nodes && r == 0; i++) {
		const struct bh_node *a = set->nodes[i - 1], *b = set->nodes[i];

		if (strcmp(a->name, b->name) == 0)
			r = twice(d, "Node", NULL, b->name, b->file, b->pos, a->file, a->pos);
	}
	if (r < 0)
		return r;
	return d->n_errors > errors ? -EINVAL : 0;
}
