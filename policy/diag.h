/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/diag.h - how readers of YAML files say what is wrong, and where
 *
 * The list itself, printing and JSON are in policy/load.h. Whatever a file says may be put into a message:
 * control characters are shown as escapes when it is added.
 *
 * Thread-safety: a list belongs to one thread.
 */
#ifndef BH_POLICY_DIAG_H
#define BH_POLICY_DIAG_H

#include "policy/load.h"
#include "policy/text.h"

#include <stdarg.h>

/* The place a message is about. */
struct bh_diag_at {
	const struct bh_text *text; /* the line is taken from here; NULL: not shown */
	const char *file;           /* used where @text is NULL */
	struct bh_pos pos;          /* line 0: the file as a whole */
	unsigned width;
	const char *path; /* may be NULL */
};

/* @hint: may be NULL. Nothing is kept of the arguments. 0 or -ENOMEM. */
int bh_diag_add(struct bh_diags *d, const struct bh_diag_at *at, enum bh_severity severity,
		const char *code, const char *hint, const char *fmt, ...)
    bh_must_check bh_printf(6, 7);
int bh_diag_addv(struct bh_diags *d, const struct bh_diag_at *at, enum bh_severity severity,
		 const char *code, const char *hint, const char *fmt, va_list ap)
    bh_must_check bh_printf(6, 0);

#endif
