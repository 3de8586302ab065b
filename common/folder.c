/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/folder.c - the files of a folder and of all folders below it
 *
 * A folder is listed as a whole and closed before its entries are looked at, so that deep trees hold no descriptors.
 */
#include "common/folder.h"

#include "common/limits.h"
#include "common/util.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/banned.h"

struct names {
	char **items;
	size_t n;
};

static void names_done(struct names *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->items[i]);
	free(v->items);
}

static void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

static int add_name(struct names *v, const char *name)
{
	if ((v->n & (v->n - 1)) == 0) {
		char **items = reallocarray(v->items, v->n ? v->n * 2 : 1, sizeof(*items));

		if (!items)
			return -ENOMEM;
		v->items = items;
	}
	v->items[v->n] = strdup(name);
	if (!v->items[v->n])
		return -ENOMEM;
	v->n++;
	return 0;
}

static int read_names(const char *path, struct names *v)
{
	bh_cleanup(closedirp) DIR *dir = opendir(path);
	struct dirent *e;
	int r;

	if (!dir)
		return -errno;
	// cppcheck-suppress readdirCalled
	while (errno = 0, (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		r = add_name(v, e->d_name);
		if (r < 0)
			return r;
	}
	if (errno)
		return -errno;
	if (v->n > 0)
		qsort(v->items, v->n, sizeof(char *), by_name);
	return 0;
}

static int walk(const char *path, unsigned depth, const struct bh_folder_visitor *v);

static int visit(const char *path, unsigned depth, const struct bh_folder_visitor *v)
{
	struct stat st;
	bool link;

	/* Gone since the folder was listed: as if it had never been there. */
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : v->unreadable(v->arg, path, -errno);
	link = S_ISLNK(st.st_mode);
	if (link && stat(path, &st) < 0)
		return v->wants(path) ? v->unreadable(v->arg, path, -errno) : 0;
	if (S_ISDIR(st.st_mode))
		return link ? 0 : walk(path, depth + 1, v);
	return v->wants(path) ? v->file(v->arg, path) : 0;
}

static int walk(const char *path, unsigned depth, const struct bh_folder_visitor *v)
{
	bh_cleanup(names_done) struct names names = { .items = NULL };
	const size_t len = strlen(path);
	int r;

	if (depth > BH_FOLDER_DEPTH_MAX)
		return v->unreadable(v->arg, path, -E2BIG);
	r = read_names(path, &names);
	if (r < 0)
		return r == -ENOMEM ? r : v->unreadable(v->arg, path, r);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		bh_autofree char *p = NULL;

		if (asprintf(&p, "%s%s%s", path, len > 0 && path[len - 1] == '/' ? "" : "/",
			     names.items[i]) < 0) {
			p = NULL;
			return -ENOMEM;
		}
		r = visit(p, depth, v);
	}
	return r;
}

int bh_folder_walk(const char *path, const struct bh_folder_visitor *v)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return walk(path, 0, v);
	return v->file(v->arg, path);
}
