/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/live_internal.h - what the files behind live.h share
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_KERNEL_LIVE_INTERNAL_H
#define BH_DATAPLANE_KERNEL_LIVE_INTERNAL_H

#include "common/json.h"
#include "dataplane/kernel/kernel_internal.h"

#define BH_LIVE_TEXT_SIZE 512U

struct bh_live_member {
	uint32_t cls, elem;
};

struct bh_live {
	struct bh_kernel *k;
	struct bh_found found;
	struct bh_projection is[BH_FAMILIES];
	bool readable[BH_FAMILIES];
	const struct bh_projection *should; /* NULL: nothing is compared */
	struct bh_projection matched;       /* what it points to, made elsewhere; with comments */
	struct bh_commenter say;
	struct bh_live_member
	    *members[BH_FAMILIES]; /* endpoints by class, where nobody knows what classes mean */
	size_t n_members[BH_FAMILIES];
	struct bh_buf diffs; /* items of a JSON list */
	size_t n_diffs;
};

static inline const char *bh_live_family_name(unsigned f)
{
	return f == 0 ? "ip" : "ip6";
}

static inline unsigned bh_live_family_of(const struct bh_kelem *e)
{
	return e->family == 4 ? 0 : 1;
}

/* live_text.c: an element as JSON, and in a sentence. */
json_t *bh_live_elem_json(const struct bh_live *l, const struct bh_kelem *e);
void bh_live_put_sentence(const struct bh_live *l, const struct bh_kelem *e, struct bh_buf *b);
/* Some address that was read has the class. */
bool bh_live_has_members(const struct bh_live *l, unsigned f, uint32_t cls);
/* Makes l->members of what was read, unless a rule set says what classes mean. -ENOMEM */
int bh_live_index_members(struct bh_live *l, unsigned f) bh_must_check;

/* @should in the numbers of what was read of each family, without results of contracts. -ENOMEM */
int bh_live_match(struct bh_projection *should, const struct bh_projection is[2]) bh_must_check;

#endif
