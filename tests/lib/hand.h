/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/hand.h - rule sets made by hand, cell by cell
 *
 * For tests of what becomes of a rule set, where it does not matter which policy says so. Sections are sorted
 * and completed: reasons exist for every number up to 99, classes for every number that is named.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_LIB_HAND_H
#define BH_TESTS_LIB_HAND_H

#include "policy/compile.h"
#include "policy/ruleset.h"

#define HAND_MAX 65536U

/* Classes of endpoints. */
#define HAND_EP(n) (BH_CLASS_ENDPOINT | (uint32_t)(n))

struct hand {
	struct bh_cell *cells;
	size_t n_cells;
	struct bh_class *classes;
	size_t n_classes;
	struct bh_cidr_piece cidrs[16];
	size_t n_cidrs;
	struct bh_port_piece ports[16];
	size_t n_ports;
	struct bh_contract contracts[64];
	struct bh_contract_entry entries[256];
	size_t n_contracts, n_entries;
	struct bh_addr_class *addrs;
	size_t n_addrs;
};

struct hand *hand_new(void);
void hand_free(struct hand *h);

void hand_class(struct hand *h, uint32_t number);
/* A subject is what has the cell (dir, class, any, any, any): hand_cell() with that marks it. */
void hand_cell(struct hand *h, enum bh_dir dir, uint32_t subject, uint32_t peer, uint8_t l4,
	       uint32_t port, uint32_t word);
/* A contract with one protocol, or with none (0). */
void hand_contract(struct hand *h, uint32_t number, unsigned proto, uint32_t word, uint32_t other);
void hand_cidr(struct hand *h, const char *prefix, uint32_t cls);
void hand_range(struct hand *h, uint8_t l4, uint32_t piece, uint16_t lo, uint16_t hi);
void hand_addr(struct hand *h, const char *addr, uint32_t cls, bool local);
/* Sorts the addresses too. */
struct bh_ruleset *hand_ruleset(struct hand *h, uint64_t revision);

#endif
