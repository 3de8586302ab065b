/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/parse.h - strict text to number: the whole string, in range, or an error
 *
 * Thread-safety: no state.
 */
#ifndef BH_COMMON_PARSE_H
#define BH_COMMON_PARSE_H

#include "common/cleanup.h"

#include <stddef.h>
#include <stdint.h>

/* Decimal digits only, no sign, no space. -EINVAL not a number, -ERANGE above @max. */
int bh_parse_u64(const char *s, uint64_t max, uint64_t *ret) bh_must_check;
/* "250ms", "2s", "5m", "1h"; a bare number is refused. Milliseconds. */
int bh_parse_duration(const char *s, int64_t *ret_ms) bh_must_check;
/* "02:00:00:00:00:01". @ret: 6 bytes. -EINVAL: not six bytes so written */
int bh_parse_mac(const char *s, uint8_t *ret) bh_must_check;

/*
 * The candidate nearest to @word, if one is within two edits (a swap of neighbours counts as one) and
 * nearer than the length of the word; NULL otherwise. @candidates: @n strings. Return: borrowed.
 */
const char *bh_nearest(const char *word, const char *const *candidates, size_t n);

#endif
