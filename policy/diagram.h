/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/diagram.h - ordered decision diagrams over predicates, with outcomes for leaves (inside policy/ only)
 *
 * A diagram is a number: below BH_LEAF_COUNT it is that leaf, else a node, which asks one variable and goes on by its
 * answer. Variables are asked in ascending order, no node leads to the same diagram either way, and equal nodes are
 * one: so two diagrams that decide alike are the same number. Nodes are never given back.
 *
 * Thread-safety: a set of diagrams belongs to one thread.
 */
#ifndef BH_POLICY_DIAGRAM_H
#define BH_POLICY_DIAGRAM_H

#include "policy/compile/compile_number.h"

enum bh_leaf {
	BH_LEAF_DROP = 0,
	BH_LEAF_REJECT,
	BH_LEAF_ALLOW,
	BH_LEAF_RECORD, /* allowed, and recorded */
	BH_LEAF_COUNT,
};

#define BH_LEAVES_ALLOW  (1U << BH_LEAF_ALLOW | 1U << BH_LEAF_RECORD)
#define BH_LEAVES_REFUSE (1U << BH_LEAF_DROP | 1U << BH_LEAF_REJECT)

static inline bool bh_leaf_allows(uint32_t leaf)
{
	return leaf == BH_LEAF_ALLOW || leaf == BH_LEAF_RECORD;
}

struct bh_diagrams {
	struct bh_intern nodes; /* struct bh_diagram_node */
	struct bh_intern done;  /* operations whose results are known: */
	struct bh_u32s results; /* at the same indexes */
};

struct bh_diagram_node {
	uint32_t var, yes, no;
};

void bh_diagrams_done(struct bh_diagrams *d);

/* NULL: @diagram is a leaf. */
const struct bh_diagram_node *bh_diagram_node(const struct bh_diagrams *d, uint32_t diagram);

/*
 * All of these: 0; -E2BIG: more than BH_MEANING_NODES_MAX nodes or BH_MEANING_DEPTH_MAX variables one after another;
 * -ENOMEM.
 */

/* @yes where @var holds, else @no. */
int bh_diagram_choose(struct bh_diagrams *d, uint32_t var, uint32_t yes, uint32_t no, uint32_t *ret)
    bh_must_check;
/* Both must allow: the first that refuses says how; recorded if one of them is. */
int bh_diagram_both(struct bh_diagrams *d, uint32_t first, uint32_t second, uint32_t *ret)
    bh_must_check;
/* With the leaves BH_LEAF_ALLOW and BH_LEAF_DROP only. */
int bh_diagram_plain(struct bh_diagrams *d, uint32_t a, uint32_t *ret) bh_must_check;

/* Which leaves it comes to: bits 1 << enum bh_leaf. Small: asks every node below at most once. */
int bh_diagram_leaves(struct bh_diagrams *d, uint32_t a, uint32_t *ret_bits) bh_must_check;

#endif
