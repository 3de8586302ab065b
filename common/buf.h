/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/buf.h - a growing byte or text buffer
 *
 * The contents are always followed by a NUL that does not count. Running out of memory sticks: later
 * additions do nothing, and who uses the result asks bh_buf_failed() once, at the end.
 *
 *	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
 *
 * Thread-safety: a buffer belongs to one thread.
 */
#ifndef BH_COMMON_BUF_H
#define BH_COMMON_BUF_H

#include "common/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct bh_buf {
	char *data; /* NULL while nothing was added */
	size_t len; /* bytes without the NUL */
	size_t cap;
	bool failed;
};
#define BH_BUF_INIT          \
	{                    \
		.data = NULL \
	}

void bh_buf_done(struct bh_buf *b);
void bh_buf_clear(struct bh_buf *b); /* empty, memory and failure kept */
void bh_buf_add(struct bh_buf *b, const void *data, size_t size);
void bh_buf_puts(struct bh_buf *b, const char *s);
void bh_buf_putc(struct bh_buf *b, char c);
void bh_buf_printf(struct bh_buf *b, const char *fmt, ...) bh_printf(2, 3);
/* Room for @size more bytes, uninitialised, counted in len; NULL on failure. */
void *bh_buf_reserve(struct bh_buf *b, size_t size);
static inline bool bh_buf_failed(const struct bh_buf *b)
{
	return b->failed;
}
/* The text, never NULL ("" when empty or failed); borrowed. */
const char *bh_buf_str(const struct bh_buf *b);
/* Hands the memory over (to be freed by the caller), leaves the buffer empty; NULL if it failed. */
char *bh_buf_take(struct bh_buf *b) bh_must_check;

#endif
