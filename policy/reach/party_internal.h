/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/reach/party_internal.h - what party.c and party_name.c share (inside policy/ only)
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_PARTY_INTERNAL_H
#define BH_POLICY_PARTY_INTERNAL_H

#include "policy/party.h"

/* Addresses from lo to hi, which no rule set tells apart. */
struct bh_span {
	struct bh_addr lo, hi;
	uint32_t cls[BH_PARTY_SETS];
	uint32_t
	    group; /* equal classes, equal group; in order of the first address; the world last */
};

/* Names for a party; running out of memory sticks in @out. */
void bh_party_name_endpoints(const struct bh_party_input *in, const struct bh_party *p,
			     struct bh_buf *out);
void bh_party_name_nodes(const struct bh_party_input *in, const struct bh_party *p,
			 struct bh_buf *out);
/* @spans: in order of their addresses. */
void bh_party_name_spans(const struct bh_span *spans, size_t n, struct bh_buf *out);

/* Names that stand twice become different ones. -ENOMEM. */
int bh_party_names_part(struct bh_parties *p) bh_must_check;

#endif
