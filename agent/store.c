// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/store.c - which policies are to be in force: the policy folder and what was applied by the API
 *
 * Changes by the API are in store_change.c.
 */
#include "agent/store.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/store_internal.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/util.h"

#include "common/banned.h"

#define MISSING_MS 500 /* how often a folder that is not there is looked for */

/* ---- looking at the folder ---- */

struct scan {
	struct bh_store *s;
	struct bh_manifests found;
};

static int by_path(const void *a, const void *b)
{
	const struct bh_manifest *const *ma = a, *const *mb = b;

	return strcmp((*ma)->path, (*mb)->path);
}

/* What was read before, if the file is still the same. */
static struct bh_manifest *cached(const struct bh_store *s, const char *path, const struct stat *st)
{
	struct bh_manifest key = { .path = (char *)(uintptr_t)path }, *pkey = &key;
	struct bh_manifest **m =
	    s->seen.n == 0 ? NULL : bsearch(&pkey, s->seen.items, s->seen.n, sizeof(pkey), by_path);
	struct bh_stamp now;

	bh_stamp_of(st, &now);
	return m && bh_stamp_eq(&(*m)->stamp, &now) ? *m : NULL;
}

static int scan_file(struct scan *sc, const char *path)
{
	struct bh_manifest *m = NULL;
	struct stat st;
	int r;

	if (stat(path, &st) == 0) {
		m = cached(sc->s, path, &st);
		if (m)
			return bh_manifests_add(&sc->found, bh_manifest_ref(m));
	}
	r = bh_manifest_read(path, false, &m);
	if (r == -ENOENT) {
		struct stat link;

		/* Gone between the listing and now; a link to nowhere stays and is an error. */
		if (lstat(path, &link) < 0)
			return 0;
		r = bh_manifest_unreadable(path, false, "cannot be read: it is a link to nowhere",
					   &m);
	}
	return r < 0 ? r : bh_manifests_add(&sc->found, m);
}

static int scan_folder(struct scan *sc, const char *dir, unsigned depth);

static int scan_entry(struct scan *sc, const char *dir, const struct dirent *e, unsigned depth)
{
	bh_autofree char *path = NULL;
	bool is_dir = e->d_type == DT_DIR;
	struct stat st;

	if (e->d_name[0] == '.')
		return 0;
	if (asprintf(&path, "%s/%s", dir, e->d_name) < 0)
		return -ENOMEM;
	if (e->d_type == DT_UNKNOWN && lstat(path, &st) == 0)
		is_dir = S_ISDIR(st.st_mode);
	if (is_dir)
		return depth < BH_FOLDER_DEPTH_MAX ? scan_folder(sc, path, depth + 1) : -ELOOP;
	return bh_load_is_manifest(e->d_name) ? scan_file(sc, path) : 0;
}

static int scan_folder(struct scan *sc, const char *dir, unsigned depth)
{
	struct dirent *e;
	int r = 0;
	DIR *d;

	/* First the watch, then the look: what comes in between is seen twice, not never. */
	bh_watch_add(sc->s->watch, dir);
	d = opendir(dir);
	if (!d)
		return errno == ENOENT && depth > 0 ? 0 : -errno;
	while (r == 0) {
		errno = 0;
		// cppcheck-suppress readdirCalled
		e = readdir(d);
		if (!e) {
			r = -errno;
			break;
		}
		r = scan_entry(sc, dir, e, depth);
	}
	(void)closedir(d);
	return r;
}

static bool same_list(const struct bh_manifests *a, const struct bh_manifests *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i] != b->items[i])
			return false;
	return true;
}

static void watch_parent(struct bh_store *s)
{
	char parent[PATH_MAX];
	char *slash;

	(void)snprintf(parent, sizeof(parent), "%s", s->policy_dir);
	slash = strrchr(parent, '/');
	if (slash && slash > parent) {
		*slash = '\0';
		bh_watch_add(s->watch, parent);
	}
}

/* 1: something is new in s->seen; 0: nothing is; a negative errno: the folder cannot be read. */
static int scan(struct bh_store *s)
{
	struct scan sc = { .s = s };
	int r;

	watch_parent(s);
	r = scan_folder(&sc, s->policy_dir, 0);
	if (r == 0 && sc.found.n > 0)
		qsort(sc.found.items, sc.found.n, sizeof(struct bh_manifest *), by_path);
	if (r < 0 || same_list(&sc.found, &s->seen)) {
		bh_manifests_done(&sc.found);
		return r;
	}
	bh_manifests_done(&s->seen);
	s->seen = sc.found;
	return 1;
}

/* ---- sets ---- */

/* The set of these lists becomes the current one, if it has no error. */
static int adopt_set(struct bh_store *s, const struct bh_manifests *folder,
		     const struct bh_manifests *applied, struct bh_diags *d)
{
	bh_cleanup(bh_policies_unrefp) struct bh_policies *p = NULL;
	struct bh_manifests list = BH_MANIFESTS_INIT;
	int r = bh_policies_new(folder, applied, &p, d);

	if (r == 0 && folder != &s->folder) {
		r = bh_manifests_copy(folder, &list);
		if (r < 0) {
			bh_manifests_done(&list);
			return r;
		}
		bh_manifests_done(&s->folder);
		s->folder = list;
	}
	if (r < 0)
		return r;
	bh_policies_unref(s->current);
	s->current = bh_take_ptr(&p);
	return 0;
}

static void log_diags(const struct bh_diags *d)
{
	for (size_t i = 0; i < d->n && i < 20; i++) {
		const struct bh_diag *g = &d->items[i];

		bh_log_msg(g->severity == BH_SEVERITY_WARNING ? BH_LOG_WARNING : BH_LOG_ERROR,
			   "%s:%u:%u: %s%s%s", g->file ? g->file : "", g->pos.line, g->pos.column,
			   g->message ? g->message : "", g->hint ? "; " : "",
			   g->hint ? g->hint : "");
	}
}

static void set_diags(struct bh_store *s, struct bh_diags *d)
{
	bh_diags_done(&s->diags);
	s->diags = *d;
	*d = (struct bh_diags)BH_DIAGS_INIT;
	log_diags(&s->diags);
}

static void folder_missing(struct bh_store *s, int r)
{
	if (s->missing != r)
		bh_warning("the policy folder '%s' cannot be read: %s; the last good policies stay "
			   "in force",
			   s->policy_dir, strerrordesc_np(-r));
	s->missing = r;
	s->ok = s->never_there;
}

static void look(struct bh_store *s)
{
	struct bh_diags d = BH_DIAGS_INIT;
	bool was_ok = s->ok, was_missing = s->missing != 0;
	int r = scan(s);

	if (r < 0) {
		folder_missing(s, r);
		bh_watch_poke(s->watch, MISSING_MS);
		if (was_ok != s->ok)
			s->fn(s->arg);
		return;
	}
	if (was_missing)
		bh_notice("the policy folder '%s' is there", s->policy_dir);
	s->missing = 0;
	s->never_there = false;
	if (r == 0 && !was_missing && !s->again)
		return;
	s->again = false;
	r = adopt_set(s, &s->seen, &s->applied, &d);
	if (r == -ENOMEM) {
		bh_error(
		    "out of memory while policies were loaded: the last good ones stay in force");
		s->again = true;
	}
	s->ok = r == 0;
	set_diags(s, &d);
	if (!s->ok)
		bh_error("the policies in '%s' have errors: the last good ones stay in force",
			 s->policy_dir);
	s->fn(s->arg);
}

static void on_rest(void *arg)
{
	look(arg);
}

void bh_store_rescan(struct bh_store *s)
{
	look(s);
}

/* ---- start ---- */

static int load_last_good(struct bh_store *s)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_manifests_done) struct bh_manifests old_folder = BH_MANIFESTS_INIT;
	bh_cleanup(bh_manifests_done) struct bh_manifests old_applied = BH_MANIFESTS_INIT;
	struct bh_err err = { 0 };
	int r = bh_lastgood_read(s->last_good, &old_folder, &old_applied, &err);

	if (r < 0) {
		if (r != -ENOENT)
			bh_warning("%s", bh_err_text(&err, r));
		return r;
	}
	if (adopt_set(s, &old_folder, &s->applied, &d) == 0)
		return 0;
	bh_diags_done(&d);
	d = (struct bh_diags)BH_DIAGS_INIT;
	/* What was applied does not go with it: then all as it was. */
	r = adopt_set(s, &old_folder, &old_applied, &d);
	if (r == 0) {
		struct bh_manifests t = s->applied;

		s->applied = old_applied;
		old_applied = t;
	}
	return r;
}

int bh_store_load(struct bh_store *s, struct bh_err *err)
{
	static const struct bh_manifests none = BH_MANIFESTS_INIT;
	struct bh_diags d = BH_DIAGS_INIT;
	int r = bh_applied_load(s->applied_dir, &s->applied, err), found;

	if (r < 0)
		return r;
	found = scan(s);
	if (found < 0) {
		s->missing = found;
		bh_watch_poke(s->watch, MISSING_MS);
		if (load_last_good(s) == 0 && s->folder.n > 0) {
			s->ok = false;
			bh_warning("the policy folder '%s' cannot be read: %s; the policies that "
				   "were in force last are used",
				   s->policy_dir, strerrordesc_np(-found));
			return 0;
		}
		s->never_there = true;
		bh_warning("the policy folder '%s' cannot be read: %s; it counts as empty",
			   s->policy_dir, strerrordesc_np(-found));
	}
	r = adopt_set(s, found < 0 ? &none : &s->seen, &s->applied, &d);
	if (r == -ENOMEM)
		return bh_err_set(err, r, "out of memory");
	s->ok = r == 0;
	set_diags(s, &d);
	if (s->ok)
		return 0;
	bh_error("the policies in '%s' have errors", s->policy_dir);
	r = load_last_good(s);
	if (r == 0) {
		bh_warning("the policies that were in force last are used");
		return 0;
	}
	return bh_err_set(
	    err, -ENODATA,
	    "the policies have errors, and no earlier set is known that could be used");
}

int bh_store_new(struct bh_loop *loop, const char *policy_dir, const char *state_dir,
		 bh_store_fn fn, void *arg, struct bh_store **ret, struct bh_err *err)
{
	bh_cleanup(bh_store_freep) struct bh_store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return bh_err_set(err, -ENOMEM, "out of memory");
	s->fn = fn;
	s->arg = arg;
	s->policy_dir = strdup(policy_dir);
	if (asprintf(&s->applied_dir, "%s/applied", state_dir) < 0)
		s->applied_dir = NULL;
	if (asprintf(&s->last_good, "%s/last-good/set", state_dir) < 0)
		s->last_good = NULL;
	if (!s->policy_dir || !s->applied_dir || !s->last_good)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = bh_watch_new(loop, on_rest, s, &s->watch, err);
	if (r < 0)
		return r;
	*ret = bh_take_ptr(&s);
	return 0;
}

struct bh_store *bh_store_free(struct bh_store *s)
{
	if (!s)
		return NULL;
	bh_watch_free(s->watch);
	bh_policies_unref(s->current);
	bh_policies_unref(s->saved);
	bh_manifests_done(&s->seen);
	bh_manifests_done(&s->folder);
	bh_manifests_done(&s->applied);
	bh_diags_done(&s->diags);
	free(s->policy_dir);
	free(s->applied_dir);
	free(s->last_good);
	free(s);
	return NULL;
}

/* ---- questions ---- */

struct bh_policies *bh_store_current(const struct bh_store *s)
{
	return s->current;
}

bool bh_store_ok(const struct bh_store *s)
{
	return s->ok;
}

const struct bh_diags *bh_store_diags(const struct bh_store *s)
{
	return &s->diags;
}

void bh_store_warnings(const struct bh_store *s, json_t *array)
{
	char text[PATH_MAX + 256];

	if (s->missing) {
		(void)snprintf(text, sizeof(text), "the policy folder %s cannot be read: %s; %s",
			       s->policy_dir, strerrordesc_np(-s->missing),
			       s->never_there ? "it counts as empty"
					      : "the last good policies stay in force");
		(void)json_array_append_new(array, json_string(text));
	}
	if (!s->current)
		(void)json_array_append_new(
		    array,
		    json_string("no policies are known that could be put in force: containers "
				"stay in quarantine until the errors in the policy folder are "
				"mended"));
	else if (!s->ok && !s->missing)
		(void)json_array_append_new(
		    array,
		    json_string("the policies have errors: the last good ones stay in force"));
}

void bh_store_enforced(struct bh_store *s)
{
	bh_autofree char *folder = NULL;
	struct bh_err err = { 0 };
	int r;

	if (!s->current || s->current == s->saved)
		return;
	folder = strndup(s->last_good, (size_t)(strrchr(s->last_good, '/') - s->last_good));
	r = folder ? bh_mkdir_parents(folder, 0700, &err) : -ENOMEM;
	if (r == 0)
		r = bh_lastgood_write(s->last_good, &s->current->files, &err);
	if (r < 0) {
		bh_warning("the policies in force cannot be saved for the next start: %s",
			   bh_err_text(&err, r));
		return;
	}
	bh_policies_unref(s->saved);
	s->saved = bh_policies_ref(s->current);
}
