/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/bench/rules.h - numbers that bench_rules puts into rules and others must know
 *
 * Thread-safety: constants.
 */
#ifndef BH_TESTS_BENCH_RULES_H
#define BH_TESTS_BENCH_RULES_H

#define RULES_TABLE      "bulkhead"
#define RULES_NFLOG      71
#define RULES_QUEUE      500 /* of the product; and 501 */
#define RULES_QUARANTINE 7101
#define RULES_MANAGED    7102 /* tests/bench/dataplane puts links into it */
#define JUDGE_QUEUE \
	600 /* of the judge in user space that the product is compared with; topology.py */

#endif
