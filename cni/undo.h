/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/undo.h - a stack of steps that take back what was done
 *
 * ADD pushes one step before or after everything it leaves in the world. When it returns early, the stack
 * runs in reverse by its cleanup attribute; at the end of success bh_undo_forget() empties it:
 *
 *	bh_cleanup(bh_undo_run) struct bh_undo undo = { .n = 0 };
 *	...
 *	bh_undo_push(&undo, "link", undo_link, &add);
 *
 * A step that fails is reported on stderr and does not stop the ones below it.
 *
 * Thread-safety: belongs to one thread.
 */
#ifndef BH_CNI_UNDO_H
#define BH_CNI_UNDO_H

#include "common/err.h"

#include <stddef.h>

typedef int (*bh_undo_fn)(void *arg, struct bh_err *err);

#define BH_UNDO_MAX 8U

struct bh_undo {
	size_t n;
	struct bh_undo_step {
		const char *what; /* borrowed */
		bh_undo_fn fn;
		void *arg;
	} steps[BH_UNDO_MAX];
};

/* Aborts if the stack is full: its depth is known when the program is written. */
void bh_undo_push(struct bh_undo *u, const char *what, bh_undo_fn fn, void *arg);
void bh_undo_run(struct bh_undo *u);
void bh_undo_forget(struct bh_undo *u);

#endif
