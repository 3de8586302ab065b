/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/change.h - what two rule sets of the same endpoints differ in
 *
 * Two lists of pieces (policy/reach.h), cut at each other's bounds, and their meanings compared: a port that is
 * allowed for another reason has not changed.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_POLICY_CHANGE_H
#define BH_POLICY_CHANGE_H

#include "policy/reach.h"

struct bh_change_piece {
	uint32_t l4, lo, hi; /* as in struct bh_reach_piece */
	struct {
		struct bh_decision words;
		uint32_t meaning;
	} was, is;
};

static inline bool bh_change_differs(const struct bh_change_piece *p)
{
	return p->was.meaning != p->is.meaning;
}

/* All pieces, also those that do not differ; "every other protocol" last. */
struct bh_change_list {
	const struct bh_change_piece *items;
	size_t n;
	bool differs;    /* some piece does */
	uint32_t number; /* equal numbers: equal lists */
};

struct bh_changes;

/* @was, @is: borrowed, with one struct bh_meanings. */
int bh_changes_new(struct bh_reach *was, struct bh_reach *is, struct bh_changes **ret)
    bh_must_check;
struct bh_changes *bh_changes_free(struct bh_changes *c);
BH_DEFINE_CLEANUP(struct bh_changes, bh_changes_free);

/*
 * Of one pair of parties, whose classes are @from[0], @to[0] in the first rule set and @from[1], @to[1] in the second.
 * @ret: borrowed. -E2BIG, -ENOMEM.
 */
int bh_changes_pair(struct bh_changes *c, const uint32_t from[2], const uint32_t to[2],
		    struct bh_change_list *ret, struct bh_err *err) bh_must_check;
struct bh_change_list bh_changes_list(const struct bh_changes *c, uint32_t number);

/* Ports that change alike, for one reason. */
struct bh_change_group {
	struct bh_strlist ports; /* "80/tcp"; "everything", "everything but 22/tcp" */
	char *was, *is;          /* "refused", "allowed", "allowed if http" */
	char *why;               /* 'TrafficPolicy shop/web rule "clients"', or "" */
	bool why_is;             /* @why is of the second rule set: else it is no longer so */
	bool allowing;           /* @why is about what allows; else about what refuses */
	int more;                /* > 0: more is allowed, < 0: less; 0: something else */
	const struct bh_change_piece *piece; /* one of them */
};

struct bh_change_groups {
	struct bh_change_group *items;
	size_t n;
};

/* What differs in a list, in order of the ports. -ENOMEM. */
int bh_change_groups_make(struct bh_changes *c, const struct bh_change_list *l,
			  struct bh_change_groups *ret) bh_must_check;
void bh_change_groups_done(struct bh_change_groups *g);

/* "80/tcp: refused -> allowed if http (TrafficPolicy shop/web rule "clients")", one line for each group. */
void bh_change_groups_put(const struct bh_change_groups *g, struct bh_buf *out);
/* [{ports, direction, old, new, was, is, decided, by}]. NULL: out of memory. */
json_t *bh_change_groups_json(struct bh_changes *c, const struct bh_change_groups *g);

/* Equal numbers: the lists are told in the same words. *@ret_text: borrowed. -ENOMEM. */
int bh_changes_words(struct bh_changes *c, uint32_t list, uint32_t *ret_number,
		     const char **ret_text) bh_must_check;

#endif
