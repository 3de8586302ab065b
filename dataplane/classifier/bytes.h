/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/classifier/bytes.h - numbers and words out of bytes whose length was checked
 *
 * Thread-safety: pure functions.
 */
#ifndef BH_DATAPLANE_CLASSIFIER_BYTES_H
#define BH_DATAPLANE_CLASSIFIER_BYTES_H

#include "dataplane/classifier/probe.h"

#include <string.h>

static inline uint16_t bh_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t bh_be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t bh_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint8_t bh_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static inline bool bh_is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Do the @n bytes at @p begin with @word? MORE: they end before they differ. */
static inline enum bh_answer bh_begins(const uint8_t *p, uint32_t n, const char *word)
{
	uint32_t i;

	for (i = 0; word[i]; i++) {
		if (i == n)
			return BH_ANSWER_MORE;
		if (p[i] != (uint8_t)word[i])
			return BH_ANSWER_NO;
	}
	return BH_ANSWER_YES;
}

/* Offset of the first '\n' at or behind @from; @n if there is none. */
static inline uint32_t bh_line_end(const uint8_t *p, uint32_t n, uint32_t from)
{
	const uint8_t *e;

	if (from >= n)
		return n;
	e = memchr(p + from, '\n', n - from);
	return e ? (uint32_t)(e - p) : n;
}

#endif
