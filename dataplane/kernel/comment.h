/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/comment.h - what `nft list` shows beside our objects: which policy, which endpoint
 *
 * Comments are for people and for `bulkhead render --live` without an agent; nothing is ever decided by them. They are
 * made when an element is written and never compared with what the kernel holds.
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_KERNEL_COMMENT_H
#define BH_DATAPLANE_KERNEL_COMMENT_H

#include "dataplane/kernel/projection.h"
#include "dataplane/kernel/sets.h"

/* With the NUL. A quarter of what the kernel takes: each of 100,000 elements holds one. */
#define BH_COMMENT_SIZE 64U

/* Who has an address: "namespace/name" into @buf; "" if nobody knows. */
typedef void (*bh_who_fn)(void *arg, const struct bh_addr *a, char *buf, size_t size);

/* What is known of what elements mean; all members may be NULL. */
struct bh_commenter {
	const struct bh_ruleset *rs; /* in which classes and words stand */
	const struct bh_projection
	    *source; /* whose elements may bring comments that were read from the kernel */
	bh_who_fn who;
	void *arg;
};

/* Return: @buf; "" where there is nothing to say. Printable, without quotes, cut at @size. */
const char *bh_comment_elem(const struct bh_commenter *c, const struct bh_kelem *e, char *buf,
			    size_t size);
/* What is spoken, by the result in a connection's mark: "http"; "other", "unjudged", ...; "?" */
const char *bh_comment_result(unsigned result);
/* A decision and whose it is, as far as the rule set knows: "allow: shop/web 'clients'". */
const char *bh_comment_word(const struct bh_ruleset *rs, uint32_t word, char *buf, size_t size);
/* "" for a chain of another name. */
const char *bh_comment_chain(const char *name);
const char *bh_comment_set(enum bh_kset s);
const char *bh_comment_state(enum bh_state_key k);

#endif
