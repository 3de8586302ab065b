/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/reach/meaning_internal.h - what meaning.c and meaning_text.c share (inside policy/ only)
 *
 * Thread-safety: one thread.
 */
#ifndef BH_POLICY_MEANING_INTERNAL_H
#define BH_POLICY_MEANING_INTERNAL_H

#include "policy/diagram.h"
#include "policy/meaning.h"

/* What happens to one protocol. */
struct bh_meaning_entry {
	uint32_t proto;
	uint32_t what;     /* diagram */
	uint32_t switches; /* BH_SWITCH_* that were written out; BH_SWITCH_USUAL: nothing was */
	uint32_t proxy;    /* enum bh_proxy; UNSET: as if REFUSE */
};

/* Stands in an interner: no padding. Entries follow, sorted by protocol, none that is as @other. */
struct bh_meaning {
	uint32_t other;                  /* diagram: every protocol without an entry */
	uint32_t unknown;                /* diagram */
	uint32_t undecided;              /* leaf */
	uint32_t on_overload, midstream; /* enum bh_fail; REFUSE where nothing depends */
	uint32_t n;
};

/* Predicates as texts: variables of the diagrams. */
struct bh_meaning_source {
	const struct bh_ruleset *rs;
	uint32_t *nodes; /* diagram of each decision node */
	size_t n_nodes;
};

struct bh_meanings {
	struct bh_diagrams d;
	struct bh_intern vars; /* "http methods GET": kind and text */
	struct bh_intern meanings;
	struct bh_intern asked; /* (source, egress, ingress, mute) */
	struct bh_u32s answers; /* at the same indexes */
	struct bh_meaning_source sources[BH_MEANING_SOURCES];
	unsigned n_sources;
};

static inline const struct bh_meaning *bh_meaning_at(const struct bh_meanings *m, uint32_t meaning)
{
	return bh_intern_key(&m->meanings, meaning, NULL);
}
static inline const struct bh_meaning_entry *bh_meaning_entries(const struct bh_meaning *mean)
{
	return (const struct bh_meaning_entry *)(mean + 1);
}

#endif
