/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/record_words.h - what the words of a record's directions mean
 *
 * Thread-safety: no state.
 */
#ifndef BH_AGENT_RECORD_WORDS_H
#define BH_AGENT_RECORD_WORDS_H

#include "agent/record_text.h"

/* The reason that @word names in the record's rule set, and the rule that it comes from. NULL: none, or not known any more */
const struct bh_reason *bh_record_reason(const struct bh_record *r, uint32_t word);
const struct bh_rs_rule *bh_record_rule(const struct bh_record *r, const struct bh_reason *why);
/* The most urgent of the verdicts that stand in @r, which refuse. */
void bh_record_refusal_severity(struct bh_record *r);
/* It passed, and is to be recorded. @proto: 0: nobody looked; @refusal: how it would have ended */
void bh_record_allowed(struct bh_record *r, const struct bh_reason *why, unsigned proto,
		       const char *refusal);

#endif
