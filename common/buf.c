// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * common/buf.c - a growing byte or text buffer
 */
#include "common/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/banned.h"

#define FIRST_CAP 64

void bh_buf_done(struct bh_buf *b)
{
	free(b->data);
	*b = (struct bh_buf)BH_BUF_INIT;
}

void bh_buf_clear(struct bh_buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

/* Room for @size more and the NUL. */
static bool grow(struct bh_buf *b, size_t size)
{
	size_t need, cap;
	char *p;

	if (b->failed)
		return false;
	if (__builtin_add_overflow(b->len, size, &need) || need > SIZE_MAX / 2 - 1) {
		b->failed = true;
		return false;
	}
	need++;
	if (need <= b->cap)
		return true;
	cap = b->cap > 0 ? b->cap : FIRST_CAP;
	while (cap < need)
		cap *= 2;
	p = realloc(b->data, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->data = p;
	b->cap = cap;
	return true;
}

void *bh_buf_reserve(struct bh_buf *b, size_t size)
{
	void *room;

	if (!grow(b, size))
		return NULL;
	room = b->data + b->len;
	b->len += size;
	b->data[b->len] = '\0';
	return room;
}

void bh_buf_add(struct bh_buf *b, const void *data, size_t size)
{
	void *room = bh_buf_reserve(b, size);

	if (room && size > 0)
		memcpy(room, data, size);
}

void bh_buf_puts(struct bh_buf *b, const char *s)
{
	bh_buf_add(b, s, strlen(s));
}

void bh_buf_putc(struct bh_buf *b, char c)
{
	bh_buf_add(b, &c, 1);
}

void bh_buf_printf(struct bh_buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int n;

	if (!grow(b, 0))
		return;
	room = b->cap - b->len;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room) {
		b->data[b->len] = '\0';
		if (!grow(b, (size_t)n))
			return;
		va_start(ap, fmt);
		n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
		va_end(ap);
	}
	if (n < 0) {
		b->data[b->len] = '\0';
		b->failed = true;
		return;
	}
	b->len += (size_t)n;
}

const char *bh_buf_str(const struct bh_buf *b)
{
	return b->failed || !b->data ? "" : b->data;
}

char *bh_buf_take(struct bh_buf *b)
{
	char *taken = NULL;

	if (grow(b, 0)) {
		b->data[b->len] = '\0';
		taken = bh_take_ptr(&b->data);
	}
	bh_buf_done(b);
	return taken;
}
