/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/store.h - which policies are to be in force: the policy folder and what was applied by the API
 *
 * The folder is the user's; it is watched. Applied manifests live in STATEDIR/applied, one object a file. Both
 * together are one set: an object that stands in both is an error. A set with any error changes nothing: the
 * last good one stays, and is also kept in STATEDIR/last-good for an agent that starts when the folder is broken.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_STORE_H
#define BH_AGENT_STORE_H

#include "agent/manifest.h"
#include "common/loop.h"

#include <jansson.h>

struct bh_store;

/* The set changed (or a set was rejected: bh_store_ok()). From the loop only. */
typedef void (*bh_store_fn)(void *arg);

int bh_store_new(struct bh_loop *loop, const char *policy_dir, const char *state_dir,
		 bh_store_fn fn, void *arg, struct bh_store **ret, struct bh_err *err)
    bh_must_check;
struct bh_store *bh_store_free(struct bh_store *s);
BH_DEFINE_CLEANUP(struct bh_store, bh_store_free);

/*
 * At start. 0: there is a set, though perhaps an older one than the folder's (bh_store_ok()); -ENODATA: nothing that can
 * be put in force; -ENOMEM, or an error of STATEDIR.
 */
int bh_store_load(struct bh_store *s, struct bh_err *err) bh_must_check;
/* Looks at the folder now; calls back if something is new. */
void bh_store_rescan(struct bh_store *s);

/* What is to be in force; NULL: nothing is known. Borrowed: take a reference to keep it. */
struct bh_policies *bh_store_current(const struct bh_store *s);
/* false: the folder is broken or vanished, and an older set stays. */
bool bh_store_ok(const struct bh_store *s);
/* What was found at the last look: errors of a set that was rejected, or warnings. */
const struct bh_diags *bh_store_diags(const struct bh_store *s);
/* Sentences for `status`. */
void bh_store_warnings(const struct bh_store *s, json_t *array);
/* The present set is enforced: it becomes the last good one on disk. */
void bh_store_enforced(struct bh_store *s);

/* ---- changes by the API ---- */

enum bh_change_result {
	BH_CHANGE_INVALID = 0,
	BH_CHANGE_CREATED,
	BH_CHANGE_CONFIGURED,
	BH_CHANGE_UNCHANGED,
	BH_CHANGE_DELETED,
};
const char *bh_change_result_name(enum bh_change_result r);

struct bh_change_item {
	enum bh_kind kind;
	char *ns, *name;
	char *path; /* in STATEDIR/applied */
	enum bh_change_result result;
};

struct bh_change {
	struct bh_change_item *items;
	size_t n;
	struct bh_manifests applied;  /* all of them, after the change */
	struct bh_policies *policies; /* the set it makes */
	struct bh_policies *before;   /* while it is on trial */
	bool any;                     /* something differs */
};
#define BH_CHANGE_INIT        \
	{                     \
		.items = NULL \
	}
void bh_change_done(struct bh_change *c);

/*
 * What the documents of @text would change. -EINVAL: errors in @d; -EEXIST: an object comes from the policy folder (said
 * in @err); -ENODATA: there is no document in it, or no good set to add to.
 */
int bh_store_prepare_apply(struct bh_store *s, const char *file, const char *text, size_t size,
			   struct bh_change *ret, struct bh_diags *d, struct bh_err *err)
    bh_must_check;
/* -ENOENT: no such object; -EEXIST: it comes from the policy folder. @ns is ignored for kinds without. */
int bh_store_prepare_delete(struct bh_store *s, enum bh_kind kind, const char *ns, const char *name,
			    struct bh_change *ret, struct bh_diags *d, struct bh_err *err)
    bh_must_check;

/*
 * In this order: stage (on disk, without effect), try (bh_store_current() is the new set now; the caller puts it in
 * force), then commit (on disk, for good) or abort (all as before; the caller puts the old set in force).
 */
int bh_store_stage(struct bh_store *s, const struct bh_change *c, struct bh_err *err) bh_must_check;
void bh_store_try(struct bh_store *s, struct bh_change *c);
int bh_store_commit(struct bh_store *s, struct bh_change *c, struct bh_err *err) bh_must_check;
void bh_store_abort(struct bh_store *s, struct bh_change *c);

#endif
