/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/kernel_fail.h - contracts with fail modes, for tests of the kernel's part of them
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_LIB_KERNEL_FAIL_H
#define BH_TESTS_LIB_KERNEL_FAIL_H

#include "tests/lib/kernel_node.h"

/* A contract that allows HTTP alone, with these fail modes. */
static inline void contract(uint32_t number, enum bh_fail overload, enum bh_fail midstream)
{
	hand_contract(s.h, number, BH_PROTO_HTTP, ALLOW(10), DROP(11));
	s.h->contracts[s.h->n_contracts - 1].on_overload = overload;
	s.h->contracts[s.h->n_contracts - 1].midstream = midstream;
}

/* Port 8001 is closed, 8002 passes unjudged, 8003 without a beginning, 8004 both. */
static inline void four_ports(void)
{
	begin();
	contract(1, BH_FAIL_REFUSE, BH_FAIL_REFUSE);
	contract(2, BH_FAIL_ALLOW, BH_FAIL_REFUSE);
	contract(3, BH_FAIL_REFUSE, BH_FAIL_ALERT);
	contract(4, BH_FAIL_ALERT, BH_FAIL_ALLOW);
	in_cell(BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	for (uint32_t i = 1; i <= 4; i++) {
		in_cell(BH_PEER_ANY, BH_L4_TCP, 8000 + i, CONTRACT(i));
		in_cell(BH_PEER_ANY, BH_L4_UDP, 8000 + i, CONTRACT(i));
	}
	apply();
	(void)teller_seen();
}

static inline struct bh_kernel_counters counters(void)
{
	struct bh_kernel_counters c;
	struct bh_err err = { .code = 0 };

	no_error(bh_kernel_counters(s.k, &c, &err), &err);
	return c;
}

static inline void stays_silent(int fd, int ms)
{
	char buf[64];

	assert_int_equal(netlab_read(fd, buf, sizeof(buf), ms), -ETIMEDOUT);
}

#endif
