/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/wordcheck.h - words of a rule set against answers of tests/lib/oracle.h, and what every rule set holds
 *
 * Thread-safety: no state.
 */
#ifndef BH_TESTS_LIB_WORDCHECK_H
#define BH_TESTS_LIB_WORDCHECK_H

#include "tests/lib/oracle.h"

/* 2: refused, 1: recorded, 0: neither; as oracle_badness(). */
int word_badness(uint32_t word);
/* Verdict, flags and reason (kind, direction, policy, rule) are those of the answer. */
bool word_says(const struct bh_ruleset *rs, uint32_t word, const struct oracle_answer *a);

/* For people. */
void word_put(struct bh_buf *b, const struct bh_ruleset *rs, uint32_t word);
void spoken_put(struct bh_buf *b, const struct bh_spoken *sp);
const char *oracle_word_name(enum oracle_word w);

/*
 * Cells sorted, rows complete, none that a look-up would not miss; in contracts the word beside a graph is the worst of
 * its leaves, and the undecided one the worst of all. False: @wrong says what is not so.
 */
bool ruleset_is_sound(const struct bh_ruleset *rs, char *wrong, size_t size);
/* How many entries of contracts have a graph. */
size_t ruleset_graphs(const struct bh_ruleset *rs);

#endif
