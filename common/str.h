/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/str.h - slices: pointer and length, for bytes of packets and documents
 *
 * Thread-safety: no state.
 */
#ifndef BH_COMMON_STR_H
#define BH_COMMON_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bh_str {
	const uint8_t *ptr;
	size_t len;
};

static inline struct bh_str bh_str_of(const char *s)
{
	return (struct bh_str){ (const uint8_t *)s, strlen(s) };
}

static inline bool bh_str_eq(struct bh_str a, struct bh_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
