/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/patch.h - other addresses under the same rule set: what changes in the maps
 *
 * Thread-safety: no state; a patch belongs to one thread.
 */
#ifndef BH_DATAPLANE_KERNEL_PATCH_H
#define BH_DATAPLANE_KERNEL_PATCH_H

#include "common/cleanup.h"
#include "dataplane/kernel/projection.h"

/* Changes of addresses that are worth a patch. */
#define BH_PATCH_MAX 256U

/* Two small projections, each sorted as they are: what goes, and what comes. Data that change are in both. */
struct bh_patch {
	struct bh_projection gone, come;
};

/**
 * bh_patch_make() - Find what changes
 * @now:	Made of @rs, and of other addresses
 * @addrs:	As bh_projection_make() takes them
 * @ret:	Filled if 1 is returned; to be released by bh_patch_done()
 *
 * Return: 1; 0: more changes than addresses, or too many of them, or something is wrong with them: it takes
 * bh_projection_make(); -ENOMEM
 */
int bh_patch_make(const struct bh_projection *now, const struct bh_ruleset *rs,
		  const struct bh_addr_class *addrs, size_t n_addrs, struct bh_patch *ret)
    bh_must_check;
void bh_patch_done(struct bh_patch *p);

/* Makes room for it in @now, so that bh_patch_apply() cannot fail. 0, -ENOMEM */
int bh_patch_reserve(struct bh_projection *now, const struct bh_patch *p) bh_must_check;
void bh_patch_apply(struct bh_projection *now, const struct bh_patch *p);

#endif
