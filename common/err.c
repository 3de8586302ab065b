// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * common/err.c - an error a person can act on: filling and wrapping the fixed buffer
 */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/banned.h"

static const char *code_text(int r)
{
	const char *s = strerrordesc_np(r < 0 ? -r : r);

	return s ? s : "unknown error";
}

/* vsnprintf() that shows where it cut. */
static void format_cut(char *buf, size_t size, const char *fmt, va_list ap) bh_printf(3, 0);
static void format_cut(char *buf, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(buf, size, fmt, ap);

	if (n < 0)
		buf[0] = '\0';
	else if ((size_t)n >= size)
		memcpy(buf + size - 4, "...", 4);
}

int bh_err_set(struct bh_err *err, int code, const char *fmt, ...)
{
	char msg[BH_ERR_MSG_SIZE];
	va_list ap;

	if (!err)
		return code;
	/* By way of a second buffer: an argument may point into err->msg. */
	va_start(ap, fmt);
	format_cut(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	memcpy(err->msg, msg, sizeof(msg));
	err->code = code;
	return code;
}

int bh_err_wrap(struct bh_err *err, int r, const char *fmt, ...)
{
	char msg[BH_ERR_MSG_SIZE];
	size_t head, tail;
	const char *old;
	va_list ap;

	if (!err)
		return r;
	old = err->msg[0] != '\0' ? err->msg : code_text(r);
	va_start(ap, fmt);
	format_cut(msg, sizeof(msg), fmt, ap);
	va_end(ap);

	head = strlen(msg);
	if (head + 2 < sizeof(msg)) {
		memcpy(msg + head, ": ", 3);
		head += 2;
	}
	tail = strnlen(old, BH_ERR_MSG_SIZE - 1);
	if (head + tail < sizeof(msg)) {
		memcpy(msg + head, old, tail);
		msg[head + tail] = '\0';
	} else {
		memcpy(msg + head, old, sizeof(msg) - 1 - head);
		memcpy(msg + sizeof(msg) - 4, "...", 4);
	}
	memcpy(err->msg, msg, sizeof(msg));
	err->code = r;
	return r;
}

const char *bh_err_text(const struct bh_err *err, int r)
{
	if (err && err->msg[0] != '\0')
		return err->msg;
	return code_text(r);
}
