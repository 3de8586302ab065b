/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/slow.h - deadlines on machines that are slow for a reason
 *
 * BH_TEST_SLOW says how many times as long as on a real machine everything may take; tests/qemu sets it, because an
 * emulated processor is. tests/e2e/topo.py and tests/integration/agent_host.py read it too.
 */
#ifndef BH_TESTS_LIB_SLOW_H
#define BH_TESTS_LIB_SLOW_H

#include <stdlib.h>

static inline int slow_factor(void)
{
	const char *text = getenv("BH_TEST_SLOW");
	int n = text ? atoi(text) : 1; /* NOLINT: a test's own setting */

	return n < 1 ? 1 : n;
}

/* A time in whatever unit, as long as it may take here. */
static inline int slow(int time)
{
	return time * slow_factor();
}

#endif
