/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/difference.h - which connections change their verdict from one policy set to another
 *
 * Thread-safety: one thread.
 */
#ifndef BH_CLI_DIFFERENCE_H
#define BH_CLI_DIFFERENCE_H

#include "cli/world.h"
#include "policy/change.h"
#include "policy/party.h"

/* Pairs of parties that change in the same words: everybody of @from with everybody of @to. */
struct bh_difference {
	uint32_t list; /* one of the lists of changes that say so */
	uint32_t words;
	uint32_t *from, *to; /* indexes of parties, ascending */
	size_t n_from, n_to;
};

struct bh_differences {
	struct bh_compiled was, is;
	struct bh_parties parties;
	struct bh_meanings *meanings;
	struct bh_reach *reach_was, *reach_is;
	struct bh_changes *changes;
	const struct bh_endpoint *const *eps;
	struct bh_difference *items; /* in order of their parties */
	size_t n;
	size_t n_pairs; /* that change */
};
#define BH_DIFFERENCES_INIT             \
	{                               \
		.was = {.rules = NULL } \
	}

void bh_differences_done(struct bh_differences *d);

/* Two worlds of the same endpoints (bh_worlds_unite()). What is wrong is printed. Return: exit code */
int bh_differences_make(struct bh_differences *d, const struct bh_world *was,
			const struct bh_world *is);

void bh_differences_put(struct bh_differences *d, bool colour, struct bh_buf *out);
/* NULL: out of memory. */
json_t *bh_differences_json(struct bh_differences *d);

#endif
