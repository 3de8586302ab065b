/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/oom.h - memory that runs out where a test wants it
 *
 * For programs linked with --wrap of malloc and its relatives (policy/meson.build: wrap_memory).
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_LIB_OOM_H
#define BH_TESTS_LIB_OOM_H

#include <stdbool.h>

/* The @n-th allocation from here on fails, it alone. 0: none does; oom_failed() still tells of the one before. */
void oom_fail_at(long n);

/* Was the allocation that oom_fail_at() named reached? */
bool oom_failed(void);

/*
 * Runs @what with the n-th allocation failing, for every n, alone and then with all after it. Each time it must return
 * -ENOMEM and leave nothing behind; at last it returns @want. @least: as many allocations there are, or more.
 */
void oom_everywhere(int (*what)(void *arg), void *arg, int want, long least);

#endif
