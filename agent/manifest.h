/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/manifest.h - files of policies, and sets that are put together from them
 *
 * A file is parsed once and kept; a set borrows what its files hold. So a change of one file of a thousand
 * costs the parsing of one. Both are counted and never change.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_MANIFEST_H
#define BH_AGENT_MANIFEST_H

#include "policy/load.h"

#include <sys/stat.h>
#include <time.h>

/* Tells whether a file is what it was. */
struct bh_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};
void bh_stamp_of(const struct stat *st, struct bh_stamp *ret);
bool bh_stamp_eq(const struct bh_stamp *a, const struct bh_stamp *b);

struct bh_manifest {
	unsigned refs;
	char *path; /* shown in messages */
	char *text;
	size_t size;
	bool applied; /* came by the API, not from the policy folder */
	bool broken;  /* diags has an error */
	struct bh_policy_set *set;
	struct bh_diags diags;
	struct bh_stamp stamp; /* zero: not from a file */
};

/* @text: taken, also on failure. A broken manifest is made too. -ENOMEM. */
int bh_manifest_new(const char *path, char *text, size_t size, bool applied,
		    struct bh_manifest **ret) bh_must_check;
/* A file that cannot be read is a broken manifest that says so. -ENOENT: there is none. */
int bh_manifest_read(const char *path, bool applied, struct bh_manifest **ret) bh_must_check;
/* What stands in for a file that cannot be read: no text, one error. */
int bh_manifest_unreadable(const char *path, bool applied, const char *why,
			   struct bh_manifest **ret) bh_must_check;
struct bh_manifest *bh_manifest_ref(struct bh_manifest *m);
struct bh_manifest *bh_manifest_unref(struct bh_manifest *m);
BH_DEFINE_CLEANUP(struct bh_manifest, bh_manifest_unref);

/* A growing list that owns a reference to each. */
struct bh_manifests {
	struct bh_manifest **items;
	size_t n, cap;
};
#define BH_MANIFESTS_INIT     \
	{                     \
		.items = NULL \
	}
void bh_manifests_done(struct bh_manifests *l);
/* Takes the reference, also on failure. */
int bh_manifests_add(struct bh_manifests *l, struct bh_manifest *m) bh_must_check;
int bh_manifests_copy(const struct bh_manifests *from, struct bh_manifests *ret) bh_must_check;

/* What is in force at one time. */
struct bh_policies {
	unsigned refs;
	struct bh_policy_set *set;
	struct bh_manifests files;
};

/**
 * bh_policies_new() - Put a set together
 * @folder, @applied:	Manifests of either origin
 * @d:			Gets the warnings of all of them and, on failure, every error
 *
 * Return: 0; -EINVAL: an error was added; -ENOMEM
 */
int bh_policies_new(const struct bh_manifests *folder, const struct bh_manifests *applied,
		    struct bh_policies **ret, struct bh_diags *d) bh_must_check;
struct bh_policies *bh_policies_ref(struct bh_policies *p);
struct bh_policies *bh_policies_unref(struct bh_policies *p);
BH_DEFINE_CLEANUP(struct bh_policies, bh_policies_unref);

/* The manifest an object came from, by the file name it carries; NULL if there is none. */
const struct bh_manifest *bh_policies_origin(const struct bh_policies *p, const char *file);

/* Adds a diagnostic of the agent's own making. */
int bh_diags_add(struct bh_diags *d, enum bh_severity severity, const char *code, const char *file,
		 const char *message, const char *hint) bh_must_check;

#endif
