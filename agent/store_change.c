// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/store_change.c - changes of the applied manifests by the API
 *
 * Each object of a request becomes a file of its own, so that it can be replaced and removed alone.
 */
#include <stdio.h>
#include <string.h>

#include "agent/store_internal.h"
#include "common/util.h"

#include "common/banned.h"

const char *bh_change_result_name(enum bh_change_result r)
{
	switch (r) {
	case BH_CHANGE_CREATED:
		return "created";
	case BH_CHANGE_CONFIGURED:
		return "configured";
	case BH_CHANGE_UNCHANGED:
		return "unchanged";
	case BH_CHANGE_DELETED:
		return "deleted";
	case BH_CHANGE_INVALID:
		break;
	}
	return "invalid";
}

void bh_change_done(struct bh_change *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->items[i].ns);
		free(c->items[i].name);
		free(c->items[i].path);
	}
	free(c->items);
	bh_manifests_done(&c->applied);
	bh_policies_unref(c->policies);
	bh_policies_unref(c->before);
	*c = (struct bh_change)BH_CHANGE_INIT;
}

static int oom(struct bh_err *err)
{
	return bh_err_set(err, -ENOMEM, "out of memory");
}

/* Where an object of the current set was written; NULL: there is none. */
static const char *file_of(const struct bh_policy_set *set, enum bh_kind kind, const char *ns,
			   const char *name)
{
	const struct bh_policy *p;

	if (kind == BH_KIND_NODE) {
		for (size_t i = 0; i < set->n_nodes; i++)
			if (bh_streq(set->nodes[i]->name, name))
				return set->nodes[i]->file;
		return NULL;
	}
	if (kind == BH_KIND_NAMESPACE) {
		for (size_t i = 0; i < set->n_namespaces; i++)
			if (bh_streq(set->namespaces[i]->name, name))
				return set->namespaces[i]->file;
		return NULL;
	}
	if (kind == BH_KIND_ENDPOINT) {
		for (size_t i = 0; i < set->n_endpoints; i++)
			if (bh_streq(set->endpoints[i]->name, name) &&
			    bh_streq(set->endpoints[i]->ns, ns))
				return set->endpoints[i]->file;
		return NULL;
	}
	p = bh_policy_set_find(set, kind, ns, name);
	return p ? p->file : NULL;
}

static int refuse_if_from_folder(const struct bh_store *s, enum bh_kind kind, const char *ns,
				 const char *name, struct bh_err *err)
{
	const char *file = file_of(s->current->set, kind, ns, name);
	const struct bh_manifest *m = bh_policies_origin(s->current, file);

	if (!m || m->applied)
		return 0;
	return bh_err_set(err, -EEXIST,
			  "%s %s%s%s comes from the policy folder: change or remove it in '%s'",
			  bh_kind_name(kind), bh_kind_has_ns(kind) ? ns : "",
			  bh_kind_has_ns(kind) ? "/" : "", name, file);
}

/* Index in c->applied; c->applied.n: there is none. */
static size_t find_path(const struct bh_change *c, const char *path)
{
	size_t i = 0;

	while (i < c->applied.n && strcmp(c->applied.items[i]->path, path) != 0)
		i++;
	return i;
}

static int note(const struct bh_store *s, struct bh_change *c, enum bh_kind kind, const char *ns,
		const char *name, struct bh_change_item **ret, struct bh_err *err)
{
	struct bh_change_item *items = reallocarray(c->items, c->n + 1, sizeof(*items));
	struct bh_change_item *it;

	if (!items)
		return oom(err);
	c->items = items;
	it = &items[c->n++];
	*it = (struct bh_change_item){ .kind = kind };
	it->ns = strdup(bh_kind_has_ns(kind) ? ns : "");
	it->name = strdup(name);
	it->path = bh_applied_path(s->applied_dir, kind, ns, name);
	if (!it->ns || !it->name || !it->path)
		return oom(err);
	*ret = it;
	return 0;
}

/* An object of the request, as @text, takes its place among the applied manifests. */
static int put_object(const struct bh_store *s, struct bh_change *c, enum bh_kind kind,
		      const char *ns, const char *name, const char *text, struct bh_err *err)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	struct bh_change_item *it;
	struct bh_manifest *m;
	size_t i, size;
	char *copy;
	int r = refuse_if_from_folder(s, kind, ns, name, err);

	if (r == 0)
		r = note(s, c, kind, ns, name, &it, err);
	if (r < 0)
		return r;
	size = strlen(text);
	bh_buf_add(&b, text, size);
	if (size == 0 || text[size - 1] != '\n')
		bh_buf_putc(&b, '\n');
	size = b.len;
	copy = bh_buf_take(&b);
	if (!copy)
		return oom(err);
	i = find_path(c, it->path);
	it->result = i == c->applied.n ? BH_CHANGE_CREATED : BH_CHANGE_CONFIGURED;
	if (i < c->applied.n && c->applied.items[i]->size == size &&
	    memcmp(c->applied.items[i]->text, copy, size) == 0) {
		it->result = BH_CHANGE_UNCHANGED;
		free(copy);
		return 0;
	}
	c->any = true;
	r = bh_manifest_new(it->path, copy, size, true, &m);
	if (r < 0)
		return oom(err);
	if (i == c->applied.n)
		return bh_manifests_add(&c->applied, m) < 0 ? oom(err) : 0;
	bh_manifest_unref(c->applied.items[i]);
	c->applied.items[i] = m;
	return 0;
}

static int put_objects(const struct bh_store *s, struct bh_change *c,
		       const struct bh_policy_set *set, struct bh_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->n_namespaces; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

		bh_namespace_print(set->namespaces[i], &b);
		r = put_object(s, c, BH_KIND_NAMESPACE, "", set->namespaces[i]->name,
			       bh_buf_str(&b), err);
	}
	for (size_t i = 0; r == 0 && i < set->n_nodes; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

		bh_node_print(set->nodes[i], &b);
		r = put_object(s, c, BH_KIND_NODE, "", set->nodes[i]->name, bh_buf_str(&b), err);
	}
	for (size_t i = 0; r == 0 && i < set->n_endpoints; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

		bh_endpoint_print(set->endpoints[i], &b);
		r = put_object(s, c, BH_KIND_ENDPOINT, set->endpoints[i]->ns,
			       set->endpoints[i]->name, bh_buf_str(&b), err);
	}
	for (size_t i = 0; r == 0 && i < set->n_policies; i++) {
		const struct bh_policy *p = set->policies[i];

		r = put_object(s, c, p->kind, p->ns, p->name, p->source, err);
	}
	return r;
}

int bh_store_prepare_apply(struct bh_store *s, const char *file, const char *text, size_t size,
			   struct bh_change *ret, struct bh_diags *d, struct bh_err *err)
{
	bh_cleanup(bh_manifest_unrefp) struct bh_manifest *m = NULL;
	bh_cleanup(bh_manifests_done) struct bh_manifests one = BH_MANIFESTS_INIT;
	bh_cleanup(bh_policies_unrefp) struct bh_policies *request = NULL;
	bh_cleanup(bh_diags_done) struct bh_diags all = BH_DIAGS_INIT;
	static const struct bh_manifests none = BH_MANIFESTS_INIT;
	char *copy = malloc(size + 1);
	int r;

	if (!copy)
		return oom(err);
	memcpy(copy, text, size);
	copy[size] = '\0';
	/* The request alone first: its errors are its sender's, with his lines. */
	r = bh_manifest_new(file, copy, size, false, &m);
	if (r == 0)
		r = bh_manifests_add(&one, bh_manifest_ref(m));
	if (r == 0)
		r = bh_policies_new(&one, &none, &request, d);
	if (r < 0)
		return r == -EINVAL ? bh_err_set(err, r, "the manifests have errors") : oom(err);
	if (request->set->n_policies + request->set->n_namespaces + request->set->n_endpoints +
		request->set->n_nodes ==
	    0)
		return bh_err_set(err, -ENODATA, "there is no manifest in the request");
	if (!s->current)
		return bh_err_set(err, -EBUSY,
				  "the policy folder has errors and no earlier set is known: "
				  "mend it first");
	r = bh_manifests_copy(&s->applied, &ret->applied);
	if (r < 0)
		return oom(err);
	r = put_objects(s, ret, request->set, err);
	if (r < 0)
		return r;
	r = bh_policies_new(&s->folder, &ret->applied, &ret->policies, &all);
	if (r == -EINVAL) {
		bh_diags_done(d);
		*d = all;
		all = (struct bh_diags)BH_DIAGS_INIT;
		return bh_err_set(err, r, "the manifests do not go with those in force");
	}
	return r < 0 ? oom(err) : 0;
}

int bh_store_prepare_delete(struct bh_store *s, enum bh_kind kind, const char *ns, const char *name,
			    struct bh_change *ret, struct bh_diags *d, struct bh_err *err)
{
	struct bh_change_item *it;
	size_t i;
	int r;

	if (!s->current)
		return bh_err_set(err, -EBUSY, "no policies are in force");
	r = refuse_if_from_folder(s, kind, ns, name, err);
	if (r == 0)
		r = note(s, ret, kind, ns, name, &it, err);
	if (r < 0)
		return r;
	if (bh_manifests_copy(&s->applied, &ret->applied) < 0)
		return oom(err);
	i = find_path(ret, it->path);
	if (i == ret->applied.n)
		return bh_err_set(err, -ENOENT, "there is no %s %s%s%s", bh_kind_name(kind), it->ns,
				  *it->ns ? "/" : "", name);
	it->result = BH_CHANGE_DELETED;
	ret->any = true;
	bh_manifest_unref(ret->applied.items[i]);
	memmove(&ret->applied.items[i], &ret->applied.items[i + 1],
		(ret->applied.n - i - 1) * sizeof(*ret->applied.items));
	ret->applied.n--;
	r = bh_policies_new(&s->folder, &ret->applied, &ret->policies, d);
	if (r == -EINVAL)
		return bh_err_set(err, r, "what remains has errors");
	return r < 0 ? oom(err) : 0;
}

int bh_store_stage(struct bh_store *s, const struct bh_change *c, struct bh_err *err)
{
	bh_autofree struct bh_applied_file *files = calloc(c->n + 1, sizeof(*files));
	size_t n = 0;

	if (!files)
		return oom(err);
	for (size_t i = 0; i < c->n; i++) {
		size_t k = find_path(c, c->items[i].path);

		if (c->items[i].result == BH_CHANGE_UNCHANGED)
			continue;
		files[n].path = c->items[i].path;
		if (k < c->applied.n) {
			files[n].text = c->applied.items[k]->text;
			files[n].size = c->applied.items[k]->size;
		}
		n++;
	}
	return bh_applied_stage(s->applied_dir, files, n, err);
}

void bh_store_try(struct bh_store *s, struct bh_change *c)
{
	c->before = s->current;
	s->current = bh_policies_ref(c->policies);
}

static int by_path(const void *a, const void *b)
{
	const struct bh_manifest *const *ma = a, *const *mb = b;

	return strcmp((*ma)->path, (*mb)->path);
}

int bh_store_commit(struct bh_store *s, struct bh_change *c, struct bh_err *err)
{
	struct bh_manifests t = s->applied;
	int r = bh_applied_commit(s->applied_dir, err);

	if (r < 0)
		return r;
	s->applied = c->applied;
	c->applied = t;
	if (s->applied.n > 0)
		qsort(s->applied.items, s->applied.n, sizeof(struct bh_manifest *), by_path);
	/* A folder that could not be read together with the old ones perhaps can be now. */
	if (!s->ok) {
		s->again = true;
		bh_watch_poke(s->watch, 0);
	}
	return 0;
}

void bh_store_abort(struct bh_store *s, struct bh_change *c)
{
	bh_applied_abort(s->applied_dir);
	if (c->before) {
		bh_policies_unref(s->current);
		s->current = bh_take_ptr(&c->before);
	}
}
