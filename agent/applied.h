/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/applied.h - STATEDIR: the applied manifests and the last good set, on disk
 *
 * A change of several files happens wholly or not at all, whenever the machine stops: the new files are first
 * written to a folder `.stage`, synced; one rename makes it `.commit`; then its files move to their
 * places. An agent that finds `.commit` at its start finishes the moving.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_APPLIED_H
#define BH_AGENT_APPLIED_H

#include "agent/manifest.h"

/* Makes the folder, finishes a change that was cut short, reads all. */
int bh_applied_load(const char *dir, struct bh_manifests *ret, struct bh_err *err) bh_must_check;

struct bh_applied_file {
	const char *path; /* in the folder of applied manifests */
	const char *text; /* NULL: it is to be removed */
	size_t size;
};
int bh_applied_stage(const char *dir, const struct bh_applied_file *files, size_t n,
		     struct bh_err *err) bh_must_check;
int bh_applied_commit(const char *dir, struct bh_err *err) bh_must_check;
void bh_applied_abort(const char *dir);

/* The name of an object's file, made of its own names; owned by the caller. */
char *bh_applied_path(const char *dir, enum bh_kind kind, const char *ns, const char *name);

/* One file with the text of every manifest. */
int bh_lastgood_write(const char *path, const struct bh_manifests *files, struct bh_err *err)
    bh_must_check;
/* -ENOENT: there is none. */
int bh_lastgood_read(const char *path, struct bh_manifests *ret_folder,
		     struct bh_manifests *ret_applied, struct bh_err *err) bh_must_check;

/* A manifest of an object whose text as it was written is not kept. */
void bh_node_print(const struct bh_node *n, struct bh_buf *out);
void bh_namespace_print(const struct bh_namespace *n, struct bh_buf *out);
void bh_endpoint_print(const struct bh_endpoint *e, struct bh_buf *out);

#endif
