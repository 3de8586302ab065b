/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/meaning.h - what a decision comes to, so that two of them can be compared, and put into few words
 *
 * Decision words carry numbers of one rule set. A meaning is what both directions of a connection together come to:
 * for each protocol allowed (perhaps recorded), refused (in silence or with an answer), or one of these by what is
 * asked of it. Equal meanings have equal numbers, also across rule sets: protocols are known by their numbers,
 * predicates by their texts, decision graphs by what they decide. Who decides, and why, is not part of it.
 *
 * Graphs are kept as ordered decision diagrams with shared nodes: equal functions are one node. How many nodes there
 * may be is limited (BH_MEANING_NODES_MAX): beyond, -E2BIG.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_POLICY_MEANING_H
#define BH_POLICY_MEANING_H

#include "policy/ruleset.h"

#include <jansson.h>

struct bh_meanings;

int bh_meanings_new(struct bh_meanings **ret) bh_must_check;
struct bh_meanings *bh_meanings_free(struct bh_meanings *m);
BH_DEFINE_CLEANUP(struct bh_meanings, bh_meanings_free);

/* Rule sets whose decisions can be compared in one struct bh_meanings. */
#define BH_MEANING_SOURCES 2U

/*
 * One more rule set, which is borrowed. *@ret_source: its number, from 0. -E2BIG: BH_MEANING_SOURCES are there, or too
 * many predicates.
 */
int bh_meanings_add(struct bh_meanings *m, const struct bh_ruleset *rs, unsigned *ret_source,
		    struct bh_err *err) bh_must_check;

/*
 * The meaning of a decision of that rule set. @mute: about a transport over which no protocol is spoken that could be
 * told (ICMP): whatever depends on the protocol is decided as "unknown". -E2BIG.
 */
int bh_meaning_of(struct bh_meanings *m, unsigned source, const struct bh_decision *d, bool mute,
		  uint32_t *ret, struct bh_err *err) bh_must_check;

enum bh_extent {
	BH_EXTENT_INVALID = 0,
	BH_EXTENT_NONE, /* refused, whatever is spoken */
	BH_EXTENT_SOME, /* some protocols are allowed, perhaps under conditions; all others are refused */
	BH_EXTENT_MOST, /* allowed but for some protocols */
	BH_EXTENT_ALL,  /* allowed, whatever is spoken */
};

/* These work out things on the way; running out of memory reads as "depends" and sticks in no result. */
enum bh_extent bh_meaning_extent(struct bh_meanings *m, uint32_t meaning);
/* It depends on more than the protocol. */
bool bh_meaning_conditional(const struct bh_meanings *m, uint32_t meaning);
/* Something that it allows is recorded. */
bool bh_meaning_recorded(struct bh_meanings *m, uint32_t meaning);
/* The protocols by name that it allows, perhaps under conditions; BH_PROTO_UNKNOWN among them. */
struct bh_protoset bh_meaning_spoken(struct bh_meanings *m, uint32_t meaning);

/*
 * "allowed", "refused", "http, tls [server names *.example]", "all but ssh". @exact: with everything that two
 * meanings can differ in: how it is refused, what is recorded, what happens under overload.
 */
void bh_meaning_put(struct bh_meanings *m, uint32_t meaning, bool exact, struct bh_buf *out);
/* {outcome, recorded, protocols: [{name, outcome, if}], other, unknown}. NULL: out of memory. */
json_t *bh_meaning_json(struct bh_meanings *m, uint32_t meaning);

#endif
