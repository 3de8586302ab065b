/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/scalar.h - what a plain (unquoted) YAML scalar is: YAML 1.1, as kubectl and the API server read it
 *
 * "y", "on" and "No" are booleans, 010 is eight, 0o17 is fifteen, 1_000 and 1e3 are numbers, "~", "null" and
 * nothing are null; 12:30:45, 2001-01-01, NaN and tRUE are strings. Scalars in quotes are always strings and
 * do not come here.
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_SCALAR_H
#define BH_POLICY_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types of nodes; a scalar is one of those up to BH_YAML_STRING. */
enum bh_yaml_type {
	BH_YAML_INVALID = 0,
	BH_YAML_NULL,
	BH_YAML_BOOL,
	BH_YAML_INT,
	BH_YAML_FLOAT,
	BH_YAML_STRING,
	BH_YAML_LIST,
	BH_YAML_MAP,
};

struct bh_scalar {
	enum bh_yaml_type type;
	bool
	    octal; /* an INT that is another number than its decimal digits say, because it begins with 0 */
	union {
		bool boolean;
		int64_t integer; /* saturated: INT64_MAX for numbers up to 2^64 - 1 */
		double real;
	};
};

struct bh_scalar bh_scalar_resolve(const char *text, size_t len);

/* "a boolean", "a number", "a list", ...: for messages. */
const char *bh_yaml_type_name(enum bh_yaml_type t);

#endif
