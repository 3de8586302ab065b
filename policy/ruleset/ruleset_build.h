/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/ruleset/ruleset_build.h - putting a rule set together (inside policy/, and for tests)
 *
 * Elements are added section by section, in the order in which they have to stand (ruleset_block.h); the
 * finished block goes through the same checks as one that was mapped. Running out of memory sticks and is
 * told at the end.
 *
 *	struct bh_rs_builder b = BH_RS_BUILDER_INIT;
 *	off = bh_rs_build_text(&b, "shop: app=web");
 *	bh_rs_build_add(&b, BH_RS_CLASSES, &cls, 1);
 *	r = bh_rs_build_finish(&b, revision, &rs, err);
 *	bh_rs_builder_done(&b);
 *
 * Thread-safety: a builder belongs to one thread.
 */
#ifndef BH_POLICY_RULESET_BUILD_H
#define BH_POLICY_RULESET_BUILD_H

#include "common/buf.h"
#include "policy/ruleset/ruleset_block.h"

struct bh_rs_text; /* a text that is in the block already */

struct bh_rs_builder {
	struct bh_buf sect[BH_RS_SECT_COUNT];
	struct bh_rs_text *texts;
	bool failed;
	bool trusted; /* the finished block is not checked: its maker knows what he does */
};
#define BH_RS_BUILDER_INIT    \
	{                     \
		.texts = NULL \
	}

void bh_rs_builder_done(struct bh_rs_builder *b);

/* Offset of @s; equal texts share one. NULL is "". */
uint32_t bh_rs_build_text(struct bh_rs_builder *b, const char *s);
/* @n elements of the section's type. Return: index of the first. */
uint32_t bh_rs_build_add(struct bh_rs_builder *b, enum bh_rs_sect s, const void *items, size_t n);
size_t bh_rs_build_count(const struct bh_rs_builder *b, enum bh_rs_sect s);

/* -ENOMEM; -E2BIG: more than the numbers of a block can count; -EPROTO: what was added does not hold together. */
int bh_rs_build_finish(struct bh_rs_builder *b, uint64_t revision, struct bh_ruleset **ret,
		       struct bh_err *err) bh_must_check;

#endif
