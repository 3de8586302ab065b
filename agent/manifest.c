// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/manifest.c - files of policies, and sets that are put together from them
 */
#include "agent/manifest.h"

#include <stdio.h>
#include <string.h>

#include "agent/gate.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/util.h"

#include "common/banned.h"

void bh_stamp_of(const struct stat *st, struct bh_stamp *ret)
{
	*ret = (struct bh_stamp){ .dev = st->st_dev,
				  .ino = st->st_ino,
				  .size = st->st_size,
				  .mtime = st->st_mtim,
				  .ctime = st->st_ctim };
}

static bool time_eq(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool bh_stamp_eq(const struct bh_stamp *a, const struct bh_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       time_eq(&a->mtime, &b->mtime) && time_eq(&a->ctime, &b->ctime);
}

/* ---- diagnostics ---- */

static char *dup_or_null(const char *s, bool *failed)
{
	char *copy = s ? strdup(s) : NULL;

	if (s && !copy)
		*failed = true;
	return copy;
}

/* The last warning gives way. false: there is none. */
static bool drop_warning(struct bh_diags *d)
{
	for (size_t i = d->n; i-- > 0;) {
		struct bh_diag *g = &d->items[i];

		if (g->severity != BH_SEVERITY_WARNING)
			continue;
		free(g->file);
		free(g->path);
		free(g->message);
		free(g->hint);
		free(g->line);
		memmove(g, g + 1, (d->n - i - 1) * sizeof(*g));
		d->n--;
		return true;
	}
	return false;
}

static int diag_copy(struct bh_diags *d, const struct bh_diag *from)
{
	bool failed = false;
	struct bh_diag *items, *to;

	if (d->n >= BH_DIAG_MAX) {
		d->omitted++;
		if (from->severity != BH_SEVERITY_ERROR || !drop_warning(d))
			goto counted;
	}
	items = reallocarray(d->items, d->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	d->items = items;
	to = &d->items[d->n];
	*to = *from;
	to->file = dup_or_null(from->file, &failed);
	to->path = dup_or_null(from->path, &failed);
	to->message = dup_or_null(from->message, &failed);
	to->hint = dup_or_null(from->hint, &failed);
	to->line = dup_or_null(from->line, &failed);
	d->n++; /* released with the rest, whole or not */
	if (failed)
		return -ENOMEM;
counted:
	if (from->severity == BH_SEVERITY_WARNING)
		d->n_warnings++;
	else
		d->n_errors++;
	return 0;
}

int bh_diags_add(struct bh_diags *d, enum bh_severity severity, const char *code, const char *file,
		 const char *message, const char *hint)
{
	char file_buf[4096], message_buf[1024], hint_buf[1024];
	struct bh_diag g = { .severity = severity };

	(void)snprintf(g.code, sizeof(g.code), "%s", code);
	(void)snprintf(file_buf, sizeof(file_buf), "%s", file);
	(void)snprintf(message_buf, sizeof(message_buf), "%s", message);
	(void)snprintf(hint_buf, sizeof(hint_buf), "%s", hint ? hint : "");
	g.file = file_buf;
	g.message = message_buf;
	g.hint = hint ? hint_buf : NULL;
	return diag_copy(d, &g);
}

/* ---- one file ---- */

struct bh_manifest *bh_manifest_ref(struct bh_manifest *m)
{
	m->refs++;
	return m;
}

struct bh_manifest *bh_manifest_unref(struct bh_manifest *m)
{
	if (!m || --m->refs > 0)
		return NULL;
	bh_policy_set_free(m->set);
	bh_diags_done(&m->diags);
	free(m->path);
	free(m->text);
	free(m);
	return NULL;
}

int bh_manifest_new(const char *path, char *text, size_t size, bool applied,
		    struct bh_manifest **ret)
{
	bh_cleanup(bh_manifest_unrefp) struct bh_manifest *m = calloc(1, sizeof(*m));
	int r;

	if (!m) {
		free(text);
		return -ENOMEM;
	}
	m->refs = 1;
	m->text = text;
	m->size = size;
	m->applied = applied;
	m->path = strdup(path);
	m->set = bh_policy_set_new();
	if (!m->path || !m->set)
		return -ENOMEM;
	r = bh_load_text(m->set, m->path, m->text, m->size, &m->diags);
	if (r != -ENOMEM && bh_gate_check(m->set, m->path, m->text, m->size, &m->diags) == -ENOMEM)
		r = -ENOMEM;
	if (r == -ENOMEM)
		return r;
	m->broken = r < 0 || m->diags.n_errors > 0;
	*ret = bh_take_ptr(&m);
	return 0;
}

int bh_manifest_unreadable(const char *path, bool applied, const char *why,
			   struct bh_manifest **ret)
{
	bh_cleanup(bh_manifest_unrefp) struct bh_manifest *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	m->refs = 1;
	m->applied = applied;
	m->broken = true;
	m->path = strdup(path);
	m->text = strdup("");
	m->set = bh_policy_set_new();
	if (!m->path || !m->text || !m->set)
		return -ENOMEM;
	r = bh_diags_add(&m->diags, BH_SEVERITY_ERROR, "e0", path, why, NULL);
	if (r < 0)
		return r;
	*ret = bh_take_ptr(&m);
	return 0;
}

int bh_manifest_read(const char *path, bool applied, struct bh_manifest **ret)
{
	struct bh_err err = { 0 };
	char *text = NULL;
	struct stat st = { 0 };
	size_t size = 0;
	int r;

	/* Before the contents: if it changes in between, the stamp is too old, and it is read again. */
	if (stat(path, &st) < 0 && errno == ENOENT)
		return -ENOENT;
	r = bh_file_read(path, BH_YAML_FILE_MAX, &text, &size, &err);
	if (r == -ENOENT || r == -ENOMEM)
		return r;
	if (r < 0)
		r = bh_manifest_unreadable(path, applied, bh_err_text(&err, r), ret);
	else
		r = bh_manifest_new(path, text, size, applied, ret);
	if (r == 0)
		bh_stamp_of(&st, &(*ret)->stamp);
	return r;
}

/* ---- lists ---- */

void bh_manifests_done(struct bh_manifests *l)
{
	for (size_t i = 0; i < l->n; i++)
		bh_manifest_unref(l->items[i]);
	free(l->items);
	*l = (struct bh_manifests)BH_MANIFESTS_INIT;
}

int bh_manifests_add(struct bh_manifests *l, struct bh_manifest *m)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct bh_manifest **items = reallocarray(l->items, cap, sizeof(*items));

		if (!items) {
			bh_manifest_unref(m);
			return -ENOMEM;
		}
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = m;
	return 0;
}

int bh_manifests_copy(const struct bh_manifests *from, struct bh_manifests *ret)
{
	for (size_t i = 0; i < from->n; i++) {
		int r = bh_manifests_add(ret, bh_manifest_ref(from->items[i]));

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- a set of files ---- */

struct bh_policies *bh_policies_ref(struct bh_policies *p)
{
	p->refs++;
	return p;
}

struct bh_policies *bh_policies_unref(struct bh_policies *p)
{
	if (!p || --p->refs > 0)
		return NULL;
	if (p->set) {
		/* The objects belong to the files. */
		p->set->n_policies = 0;
		p->set->n_namespaces = 0;
		p->set->n_endpoints = 0;
		p->set->n_nodes = 0;
		bh_policy_set_free(p->set);
	}
	bh_manifests_done(&p->files);
	free(p);
	return NULL;
}

static int reserve(struct bh_policies *p)
{
	size_t n_policies = 1, n_namespaces = 1, n_endpoints = 1, n_nodes = 1;

	for (size_t i = 0; i < p->files.n; i++) {
		const struct bh_policy_set *s = p->files.items[i]->set;

		n_policies += s->n_policies;
		n_namespaces += s->n_namespaces;
		n_endpoints += s->n_endpoints;
		n_nodes += s->n_nodes;
	}
	p->set->policies = calloc(n_policies, sizeof(*p->set->policies));
	p->set->namespaces = calloc(n_namespaces, sizeof(*p->set->namespaces));
	p->set->endpoints = calloc(n_endpoints, sizeof(*p->set->endpoints));
	p->set->nodes = calloc(n_nodes, sizeof(*p->set->nodes));
	if (!p->set->policies || !p->set->namespaces || !p->set->endpoints || !p->set->nodes)
		return -ENOMEM;
	return n_policies > BH_POLICIES_MAX ? -E2BIG : 0;
}

static int put_together(struct bh_policies *p, struct bh_diags *d)
{
	bh_cleanup(bh_diags_done) struct bh_diags found = BH_DIAGS_INIT;
	struct bh_policy_set *to = p->set;
	int r = reserve(p);

	if (r == -E2BIG) {
		char message[80];

		(void)snprintf(message, sizeof(message), "more than %u policies", BH_POLICIES_MAX);
		r = bh_diags_add(d, BH_SEVERITY_ERROR, "e0", "", message, NULL);
		return r < 0 ? r : -EINVAL;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->files.n; i++) {
		const struct bh_policy_set *s = p->files.items[i]->set;

		for (size_t k = 0; k < s->n_policies; k++)
			to->policies[to->n_policies++] = s->policies[k];
		for (size_t k = 0; k < s->n_namespaces; k++)
			to->namespaces[to->n_namespaces++] = s->namespaces[k];
		for (size_t k = 0; k < s->n_endpoints; k++)
			to->endpoints[to->n_endpoints++] = s->endpoints[k];
		for (size_t k = 0; k < s->n_nodes; k++)
			to->nodes[to->n_nodes++] = s->nodes[k];
	}
	to->unsorted = true;
	/* A list of its own: how the loader reserves room is its affair. */
	r = bh_load_finish(to, &found);
	for (size_t i = 0; i < found.n && r != -ENOMEM; i++)
		if (diag_copy(d, &found.items[i]) < 0)
			r = -ENOMEM;
	d->omitted += found.omitted;
	return r;
}

int bh_policies_new(const struct bh_manifests *folder, const struct bh_manifests *applied,
		    struct bh_policies **ret, struct bh_diags *d)
{
	bh_cleanup(bh_policies_unrefp) struct bh_policies *p = calloc(1, sizeof(*p));
	bool broken = false;
	int r;

	if (!p)
		return -ENOMEM;
	p->refs = 1;
	p->set = bh_policy_set_new();
	if (!p->set)
		return -ENOMEM;
	r = bh_manifests_copy(folder, &p->files);
	if (r == 0)
		r = bh_manifests_copy(applied, &p->files);
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->files.n; i++) {
		const struct bh_manifest *m = p->files.items[i];

		broken = broken || m->broken;
		for (size_t k = 0; k < m->diags.n; k++) {
			r = diag_copy(d, &m->diags.items[k]);
			if (r < 0)
				return r;
		}
		d->omitted += m->diags.omitted;
	}
	/* The checks across files look at all that could be read, so that one run shows everything. */
	r = put_together(p, d);
	bh_diags_sort(d);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || broken)
		return -EINVAL;
	*ret = bh_take_ptr(&p);
	return 0;
}

const struct bh_manifest *bh_policies_origin(const struct bh_policies *p, const char *file)
{
	for (size_t i = 0; file && i < p->files.n; i++)
		if (strcmp(p->files.items[i]->path, file) == 0)
			return p->files.items[i];
	return NULL;
}
