/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load.h - manifests in, policy set or readable errors out
 *
 * All errors of all files come in one run, sorted by file and place. A set that had any error must not be
 * put in force. Unknown kinds and fields, duplicate keys and wrong values are errors, with file, line and
 * column, the line itself, and what was probably meant.
 *
 * Thread-safety: no state; a set or list of diagnostics belongs to one thread while it is being filled.
 */
#ifndef BH_POLICY_LOAD_H
#define BH_POLICY_LOAD_H

#include "common/buf.h"
#include "common/err.h"
#include "policy/model.h"

#include <jansson.h>

enum bh_severity {
	BH_SEVERITY_INVALID = 0,
	BH_SEVERITY_ERROR,
	BH_SEVERITY_WARNING,
};

struct bh_diag {
	enum bh_severity severity;
	char code[8]; /* "e1", "w3": policy.md 6.6; stable */
	char *file;
	struct bh_pos pos;
	char *path; /* "spec.ingress[0].from[0]"; may be NULL */
	char *message;
	char *hint; /* how to mend it; may be NULL */
	char *line; /* the source line, or the part of a long one around the place; may be NULL */
	uint32_t line_column; /* where @line begins: 1, or more in a long one */
	unsigned width;       /* columns to underline; 0: one */
};

/* How to add to a list: policy/diag.h. */
struct bh_diags {
	struct bh_diag *items;
	size_t n;          /* at most BH_DIAG_MAX; an error takes the place of a warning */
	size_t n_errors;   /* all that were found, kept or not */
	size_t n_warnings; /* likewise */
	size_t omitted;    /* beyond BH_DIAG_MAX */
	size_t n_texts;    /* that were looked at */
};
#define BH_DIAGS_INIT         \
	{                     \
		.items = NULL \
	}
void bh_diags_done(struct bh_diags *d);
void bh_diags_sort(struct bh_diags *d);
/* As a compiler prints them: "web.yaml:9:5: error: ... [e1]", the line, a caret, the hint. */
void bh_diags_print(const struct bh_diags *d, struct bh_buf *out);
/* An array of {severity, code, file, line, column, path, message, hint}. NULL: out of memory. */
json_t *bh_diags_json(const struct bh_diags *d);

/**
 * bh_load_text() - Read all documents of one text
 * @set:	Objects are added here; on error it holds those that were right
 * @file:	Name shown in messages and kept in each object
 * @data:	@size bytes of YAML or JSON; need not end in NUL
 * @d:		Filled with errors and warnings
 *
 * Return: 0; -EINVAL if an error was added; -ENOMEM
 */
int bh_load_text(struct bh_policy_set *set, const char *file, const char *data, size_t size,
		 struct bh_diags *d) bh_must_check;

/*
 * Is a file of this name read, where it stands in a folder? What ends in .yaml, .yml or .json, but not tests of
 * policies (NAME.test.yaml), which may stand beside them.
 */
bool bh_load_is_manifest(const char *name);
bool bh_load_is_test(const char *name);

/*
 * A file, or a folder with everything below it that ends in .yaml, .yml or .json (sorted by name; names
 * beginning with '.' are left out). A folder or file that cannot be read is an error in @d.
 */
int bh_load_path(struct bh_policy_set *set, const char *path, struct bh_diags *d) bh_must_check;

/*
 * Notes a file as read into the set: it is read once, however often it is named, by itself and by a folder that it is
 * in. Return: 1: it was read before; 0: it was not, or is no regular file, which who reads it refuses; -ENOMEM
 */
int bh_load_was_read(struct bh_policy_set *set, const char *path) bh_must_check;

/*
 * Checks across objects, when everything was added: two policies of one identity (e14) and the like. To be
 * called once after the last bh_load_*. -EINVAL if an error was added.
 */
int bh_load_finish(struct bh_policy_set *set, struct bh_diags *d) bh_must_check;

#endif
