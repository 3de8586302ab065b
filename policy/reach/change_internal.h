/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/reach/change_internal.h - what change.c and change_text.c share (inside policy/ only)
 *
 * Thread-safety: one thread.
 */
#ifndef BH_POLICY_CHANGE_INTERNAL_H
#define BH_POLICY_CHANGE_INTERNAL_H

#include "policy/change.h"
#include "policy/compile/compile_number.h"

struct bh_change_kept {
	struct bh_change_piece *items;
	size_t n;
	bool differs;
	uint32_t words; /* index; UINT32_MAX: not put into words yet */
};

struct bh_changes {
	struct bh_reach *was, *is;
	struct bh_intern asked;       /* numbers of two lists */
	struct bh_change_kept *lists; /* at the same indexes */
	size_t n, cap, n_pieces;
	struct bh_intern words; /* texts */
};

#endif
