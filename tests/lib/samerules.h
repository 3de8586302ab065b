/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/samerules.h - do two rule sets mean the same, whatever their numbers?
 *
 * Not by asking: what they are made of is compared, contracts, graphs, predicates and reasons with their texts. Numbers
 * may differ as long as each number of one always stands for the same number of the other.
 *
 * Thread-safety: no state.
 */
#ifndef BH_TESTS_LIB_SAMERULES_H
#define BH_TESTS_LIB_SAMERULES_H

#include "policy/compile.h"

/*
 * The same addresses, their classes equal but for the numbers, and the same answer for every pair of @spots (addresses
 * outside) and endpoints at every port of @ports. False: @wrong says what is not so.
 */
struct same_port {
	uint8_t l4;
	uint16_t port;
};
bool same_meaning(const struct bh_compiled *a, const struct bh_compiled *b,
		  const struct bh_addr *spots, size_t n_spots, const struct same_port *ports,
		  size_t n_ports, char *wrong, size_t size);

/*
 * @b came after @a, from the same compiler, not many revisions later: what is the same has the same number, and a number
 * that both have stands for the same: reasons, contracts, pieces of port ranges.
 */
bool same_numbers(const struct bh_ruleset *a, const struct bh_ruleset *b, char *wrong, size_t size);

#endif
