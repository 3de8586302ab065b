// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/markup.c - text inside of other languages
 */
#include "cli/markup.h"

#include "cli/out.h"

#include <string.h>

#include "common/banned.h"

/* @s cleaned as for a terminal, line by line; @put: what becomes of one clean character. */
static void each(struct bh_buf *out, const char *s, void (*put)(struct bh_buf *, char))
{
	bh_cleanup(bh_buf_done) struct bh_buf clean = BH_BUF_INIT;

	for (;;) {
		const char *nl = strchr(s, '\n');
		bh_autofree char *line = nl ? strndup(s, (size_t)(nl - s)) : strdup(s);

		if (!line) {
			out->failed = true;
			return;
		}
		bh_put_clean(&clean, line);
		if (!nl)
			break;
		bh_buf_putc(&clean, '\n');
		s = nl + 1;
	}
	if (bh_buf_failed(&clean))
		out->failed = true;
	for (const char *p = bh_buf_str(&clean); *p != '\0'; p++)
		put(out, *p);
}

static void xml_char(struct bh_buf *out, char c)
{
	switch (c) {
	case '&':
		bh_buf_puts(out, "&amp;");
		break;
	case '<':
		bh_buf_puts(out, "&lt;");
		break;
	case '>':
		bh_buf_puts(out, "&gt;");
		break;
	case '"':
		bh_buf_puts(out, "&quot;");
		break;
	default:
		bh_buf_putc(out, c);
	}
}

static void dot_char(struct bh_buf *out, char c)
{
	if (c == '\n') {
		bh_buf_puts(out, "\\n");
		return;
	}
	if (c == '"' || c == '\\')
		bh_buf_putc(out, '\\');
	bh_buf_putc(out, c);
}

static void csv_char(struct bh_buf *out, char c)
{
	if (c == '"')
		bh_buf_putc(out, '"');
	bh_buf_putc(out, c);
}

void bh_put_xml(struct bh_buf *out, const char *s)
{
	each(out, s, xml_char);
}

void bh_put_dot(struct bh_buf *out, const char *s)
{
	bh_buf_putc(out, '"');
	each(out, s, dot_char);
	bh_buf_putc(out, '"');
}

void bh_put_csv(struct bh_buf *out, const char *s)
{
	bool quote = strpbrk(s, "\",;\r\n") || *s == ' ' || *s == '\0';

	if (!quote) {
		each(out, s, csv_char);
		return;
	}
	bh_buf_putc(out, '"');
	each(out, s, csv_char);
	bh_buf_putc(out, '"');
}
