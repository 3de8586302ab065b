/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/saying.h - what might be spoken: attributes with values, some absent, some not known
 *
 * Thread-safety: no state but the generator's.
 */
#ifndef BH_TESTS_LIB_SAYING_H
#define BH_TESTS_LIB_SAYING_H

#include "policy/ruleset.h"
#include "tests/lib/randset.h"

/* Values that lie still while somebody asks about them: must not be copied or moved. */
struct saying {
	struct bh_spoken sp;
	const char *v[BH_ATTR_COUNT][2];
};

/*
 * Whatever, in @proto, by randset_value(): about one in @unknown attributes is not known (0: all are), some are absent,
 * some have two values.
 */
void saying_random(struct rnd *r, unsigned proto, uint32_t unknown, struct saying *s);

/* Hits one clause of the details of one of the rules, or misses it by one test. Without details: nothing changes. */
void saying_for_clause(struct rnd *r, const struct bh_policy_set *set, struct saying *s);

#endif
