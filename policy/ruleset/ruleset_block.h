/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/ruleset/ruleset_block.h - how a rule set lies in memory (inside policy/ only)
 *
 * One block: a header, then sections, each an array of one of the structures of policy/ruleset.h, in host
 * byte order, at an offset divisible by eight. The text section is a heap of NUL-terminated strings; its
 * first byte is NUL, so that offset 0 is "". What is sorted, and by what, is listed with the sections and
 * held by ruleset_check.c.
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_RULESET_BLOCK_H
#define BH_POLICY_RULESET_BLOCK_H

#include "policy/ruleset.h"

#define BH_RS_MAGIC   "BHRULES\n"
#define BH_RS_VERSION 2U
#define BH_RS_NONE    UINT32_MAX

enum bh_rs_sect {
	BH_RS_CELLS,     /* by dir, subject, peer, l4, port; unique */
	BH_RS_PORTS,     /* by l4, lo; disjoint within an l4; ids unique */
	BH_RS_CIDRS,     /* by family, lo; disjoint */
	BH_RS_CLASSES,   /* by number; unique */
	BH_RS_CONTRACTS, /* by number; unique */
	BH_RS_ENTRIES,
	BH_RS_NODES, /* each after those that it leads to */
	BH_RS_PREDS,
	BH_RS_TESTS,
	BH_RS_VALUES,
	BH_RS_REASONS, /* by number; unique */
	BH_RS_POLICIES,
	BH_RS_RULES,
	BH_RS_PROTOSETS,
	BH_RS_TEXT,
	BH_RS_SECT_COUNT,
};

struct bh_rs_section {
	uint64_t off; /* from the start of the block */
	uint64_t n;   /* elements */
};

struct bh_rs_header {
	char magic[8];
	uint32_t version; /* also tells a foreign byte order */
	uint32_t n_sections;
	uint64_t size; /* of the whole block */
	uint64_t revision;
	struct bh_rs_section sect[BH_RS_SECT_COUNT];
};

/* Cells of one (direction, subject, peer), found when the block is mapped. */
struct bh_rs_row {
	uint32_t dir, subject, peer;
	uint32_t first, n;
};

struct bh_ruleset {
	unsigned refs;
	const uint8_t *mem;
	size_t size;
	void *owned; /* the block, where the view owns it */
	uint64_t revision;

	/* Borrowed from the block. */
	const struct bh_cell *cells;
	const struct bh_port_piece *ports;
	const struct bh_cidr_piece *cidrs;
	const struct bh_class *classes;
	const struct bh_contract *contracts;
	const struct bh_contract_entry *entries;
	const struct bh_rs_node *nodes;
	const struct bh_rs_pred *preds;
	const struct bh_rs_test *tests;
	const struct bh_rs_value *values;
	const struct bh_reason *reasons;
	const struct bh_rs_policy *policies;
	const struct bh_rs_rule *rules;
	const struct bh_protoset *protosets;
	const char *text;
	size_t n[BH_RS_SECT_COUNT];

	/* Made by the view. */
	struct bh_rs_row *rows; /* sorted by dir, subject, peer */
	size_t n_rows;
};

size_t bh_rs_elem_size(enum bh_rs_sect s);

/* Order of cells. */
int bh_rs_cell_cmp(const struct bh_cell *a, const struct bh_cell *b);

/* Everything that the look-ups rely on, of a view whose sections are in bounds. -EPROTO. */
int bh_rs_check(const struct bh_ruleset *rs, struct bh_err *err) bh_must_check;

/* A view that owns @mem (made by malloc) from now on, also when it fails. @trusted: it is not checked. */
int bh_rs_adopt(void *mem, size_t size, bool trusted, struct bh_ruleset **ret, struct bh_err *err)
    bh_must_check;

const struct bh_rs_row *bh_rs_row_find(const struct bh_ruleset *rs, uint32_t dir, uint32_t subject,
				       uint32_t peer);
const struct bh_port_piece *bh_rs_piece_by_id(const struct bh_ruleset *rs, uint32_t id);

#endif
