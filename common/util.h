/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/util.h - the handful of macros everybody needs
 *
 * Thread-safety: no state.
 */
#ifndef BH_COMMON_UTIL_H
#define BH_COMMON_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BH_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Through void: the pointer is aligned as the member is, which is all that it needs. */
#define bh_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define BH_MIN(a, b) ((a) < (b) ? (a) : (b))
#define BH_MAX(a, b) ((a) > (b) ? (a) : (b))

/* A name table of an enum must name every member: a new member without one does not build. */
#define BH_STATIC_ASSERT_TABLE(table, count) \
	_Static_assert(BH_ARRAY_SIZE(table) == (count), #table " does not name every member")

static inline bool bh_streq(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* a * b + c without overflow; false if it does not fit. */
static inline bool bh_size_muladd(size_t a, size_t b, size_t c, size_t *ret)
{
	size_t m;

	return !__builtin_mul_overflow(a, b, &m) && !__builtin_add_overflow(m, c, ret);
}

#endif
