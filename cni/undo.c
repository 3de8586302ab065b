// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/undo.c - a stack of steps that take back what was done
 */
#include "cni/undo.h"

#include "common/log.h"

#include <stdlib.h>

void bh_undo_push(struct bh_undo *u, const char *what, bh_undo_fn fn, void *arg)
{
	if (u->n == BH_UNDO_MAX)
		abort();
	u->steps[u->n++] = (struct bh_undo_step){ .what = what, .fn = fn, .arg = arg };
}

void bh_undo_run(struct bh_undo *u)
{
	while (u->n > 0) {
		const struct bh_undo_step *s = &u->steps[--u->n];
		struct bh_err err = { 0 };
		int r = s->fn(s->arg, &err);

		if (r < 0)
			bh_warning("undo of %s: %s; it stays behind until DEL", s->what,
				   bh_err_text(&err, r));
	}
}

void bh_undo_forget(struct bh_undo *u)
{
	u->n = 0;
}
