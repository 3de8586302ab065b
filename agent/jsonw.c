// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/jsonw.c - JSON text straight into a buffer
 */
#include "agent/jsonw.h"

#include "common/util.h"

#include <string.h>

#include "common/banned.h"

/* Length of the UTF-8 sequence at @s, 0 if it is none (overlong forms and surrogates are none). */
static size_t utf8_len(const unsigned char *s)
{
	uint32_t c = 0;
	size_t n;

	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		n = 2;
		c = s[0] & 0x1fU;
	} else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		n = 3;
		c = s[0] & 0x0fU;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		n = 4;
		c = s[0] & 0x07U;
	} else {
		return 0;
	}
	/* The NUL at the end is no continuation byte, so this stops before it runs over. */
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff))) ||
	    (n == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return n;
}

static bool plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void escape(struct bh_buf *b, unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		bh_buf_putc(b, '\\');
		bh_buf_putc(b, (char)c);
		break;
	case '\n':
		bh_buf_puts(b, "\\n");
		break;
	case '\t':
		bh_buf_puts(b, "\\t");
		break;
	case '\r':
		bh_buf_puts(b, "\\r");
		break;
	default:
		bh_buf_printf(b, "\\u%04x", (unsigned)c);
		break;
	}
}

void bh_jsonw_str(struct bh_buf *b, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	if (!s) {
		bh_buf_puts(b, "null");
		return;
	}
	bh_buf_putc(b, '"');
	while (*p) {
		size_t n = 0;

		while (plain(p[n]))
			n++;
		if (n > 0) {
			bh_buf_add(b, p, n);
			p += n;
			continue;
		}
		if (*p < 0x80) {
			escape(b, *p++);
			continue;
		}
		n = utf8_len(p);
		if (n > 0) {
			bh_buf_add(b, p, n);
			p += n;
		} else {
			bh_buf_puts(b, "\\ufffd");
			p++;
		}
	}
	bh_buf_putc(b, '"');
}

void bh_jsonw_addr(struct bh_buf *b, const struct bh_addr *a)
{
	char text[BH_ADDR_STRLEN];

	if (a->family == 0)
		bh_buf_puts(b, "null");
	else
		bh_jsonw_str(b, bh_addr_format(a, text));
}

void bh_jsonw_labels(struct bh_buf *b, const struct bh_labels *l)
{
	bh_buf_putc(b, '{');
	for (size_t i = 0; i < l->n; i++) {
		if (i > 0)
			bh_buf_putc(b, ',');
		bh_jsonw_str(b, l->items[i].key);
		bh_buf_putc(b, ':');
		bh_jsonw_str(b, l->items[i].value);
	}
	bh_buf_putc(b, '}');
}

void bh_jsonw_hex(struct bh_buf *b, const uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	bh_buf_putc(b, '"');
	for (size_t i = 0; i < size; i++) {
		bh_buf_putc(b, digits[data[i] >> 4]);
		bh_buf_putc(b, digits[data[i] & 15]);
	}
	bh_buf_putc(b, '"');
}
