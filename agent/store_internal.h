/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/store_internal.h - what store.c and store_change.c share
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_STORE_INTERNAL_H
#define BH_AGENT_STORE_INTERNAL_H

#include "agent/applied.h"
#include "agent/store.h"
#include "agent/watch.h"

struct bh_store {
	bh_store_fn fn;
	void *arg;
	char *policy_dir, *applied_dir, *last_good;
	struct bh_watch *watch;
	struct bh_manifests seen; /* the folder at the last look, errors included; sorted by path */
	struct bh_manifests folder;  /* the folder's part of the current set */
	struct bh_manifests applied; /* sorted by path */
	struct bh_policies *current, *saved;
	struct bh_diags diags;
	bool ok;
	bool again;       /* the last look found no memory */
	bool never_there; /* the folder was missing at the start, and nothing is known of it */
	int missing;      /* why the folder cannot be read; 0: it can */
};

#endif
