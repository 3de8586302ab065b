/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_format.h - what the formats of fields (struct bh_field) look like: in words, and as patterns
 *
 * The loader holds values against its own, stricter rules. A pattern here never refuses what the loader takes:
 * it is for schemas, which tell an editor or an API server early that a value cannot be right. Patterns are in
 * what ECMA 262 and RE2 have in common, and whole: "^...$".
 *
 * Thread-safety: constants.
 */
#ifndef BH_POLICY_SCHEMA_FORMAT_H
#define BH_POLICY_SCHEMA_FORMAT_H

#include "policy/reader.h"

struct bh_field_format {
	const char *name;
	const char *text;    /* "like 10.1.2.3 or fd00::1" */
	const char *pattern; /* of strings; NULL: none */
	unsigned longest;    /* in characters; 0: no limit */
	/* The words that there are, of a closed list: the i-th, NULL past the end. NULL: no such list. */
	const char *(*word)(size_t i);
};

/* NULL: none of this name, or @name is NULL. */
const struct bh_field_format *bh_field_format(const char *name);

#endif
