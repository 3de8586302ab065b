// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/out.c - aligned tables, colour, and clean text
 */
#include "cli/out.h"

#include "cli/cli.h"
#include "common/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/banned.h"

bool bh_colour_wanted(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no && *no != '\0')
		return false;
	return term && !bh_streq(term, "dumb") && isatty(fd) == 1;
}

/* The character at @p (UTF-8) in *ret; its length, 0 if it is none. */
static size_t decode(const unsigned char *p, uint32_t *ret)
{
	size_t n = *p < 0x80                 ? 1
		   : *p >= 0xf0 && *p < 0xf5 ? 4
		   : *p >= 0xe0              ? 3
		   : *p >= 0xc2              ? 2
					     : 0;
	uint32_t c = n == 1 ? *p : n > 0 ? *p & (0x7fU >> n) : 0;

	if (*p >= 0xf5)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fU);
	}
	*ret = c;
	return n;
}

/* What a terminal obeys, and what turns the direction of writing. */
static bool harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void bh_put_clean(struct bh_buf *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p != '\0') {
		uint32_t c = 0;
		size_t n = decode(p, &c);

		if (n == 0 || harmful(c))
			bh_buf_putc(out, '?');
		else
			bh_buf_add(out, p, n);
		p += n > 0 ? n : 1;
	}
}

void bh_put_colour(struct bh_buf *out, bool on, enum bh_colour c, const char *s)
{
	static const char *const codes[] = {
		[BH_COLOUR_NONE] = "",           [BH_COLOUR_BOLD] = "\x1b[1m",
		[BH_COLOUR_RED] = "\x1b[31m",    [BH_COLOUR_GREEN] = "\x1b[32m",
		[BH_COLOUR_YELLOW] = "\x1b[33m",
	};

	on = on && c != BH_COLOUR_NONE;
	if (on)
		bh_buf_puts(out, codes[c]);
	bh_put_clean(out, s);
	if (on)
		bh_buf_puts(out, "\x1b[0m");
}

void bh_out_complain(const char *fmt, ...)
{
	va_list ap;

	(void)fflush(stdout);
	(void)fputs("bulkhead: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

int bh_out_write(struct bh_buf *b)
{
	int code = BH_EXIT_OK;

	if (bh_buf_failed(b)) {
		bh_out_complain("out of memory");
		code = BH_EXIT_FAILED;
	} else if (b->len > 0 &&
		   (fwrite(b->data, 1, b->len, stdout) != b->len || fflush(stdout) != 0)) {
		bh_out_complain("cannot write to standard output: %s", strerrordesc_np(errno));
		code = BH_EXIT_FAILED;
	}
	bh_buf_clear(b);
	return code;
}

int bh_out_json(const json_t *v)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_autofree char *text = v ? json_dumps(v, JSON_INDENT(2) | JSON_ENCODE_ANY) : NULL;

	if (!text) {
		bh_out_complain("out of memory");
		return BH_EXIT_FAILED;
	}
	bh_buf_puts(&out, text);
	bh_buf_putc(&out, '\n');
	return bh_out_write(&out);
}

void bh_table_init(struct bh_table *t, const char *const *head, size_t n)
{
	*t = (struct bh_table){ .n_columns = n };
	for (size_t i = 0; i < n; i++)
		bh_table_add_colour(t, head[i], BH_COLOUR_BOLD);
}

void bh_table_done(struct bh_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i].text);
	free(t->cells);
	*t = (struct bh_table){ .n = 0 };
}

void bh_table_add_colour(struct bh_table *t, const char *text, enum bh_colour c)
{
	bh_cleanup(bh_buf_done) struct bh_buf clean = BH_BUF_INIT;
	char *taken;

	if (t->failed)
		return;
	if (t->n == t->cap) {
		size_t cap = t->cap > 0 ? t->cap * 2 : 64;
		struct bh_cell_text *cells = reallocarray(t->cells, cap, sizeof(*cells));

		if (!cells) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->cap = cap;
	}
	bh_put_clean(&clean, text && *text != '\0' ? text : "-");
	taken = bh_buf_take(&clean);
	if (!taken) {
		t->failed = true;
		return;
	}
	t->cells[t->n++] = (struct bh_cell_text){ .text = taken, .colour = c };
}

void bh_table_add(struct bh_table *t, const char *text)
{
	bh_table_add_colour(t, text, BH_COLOUR_NONE);
}

void bh_table_printf(struct bh_table *t, const char *fmt, ...)
{
	bh_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		t->failed = true;
	}
	va_end(ap);
	bh_table_add(t, text);
}

/* Characters, not bytes. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

int bh_table_print(const struct bh_table *t, bool colour, struct bh_buf *out)
{
	bh_autofree size_t *widths = calloc(t->n_columns, sizeof(*widths));

	if (t->failed || !widths)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++) {
		size_t w = width(t->cells[i].text), c = i % t->n_columns;

		widths[c] = BH_MAX(widths[c], w);
	}
	for (size_t i = 0; i < t->n; i++) {
		const struct bh_cell_text *cell = &t->cells[i];
		size_t c = i % t->n_columns;

		bh_put_colour(out, colour, cell->colour, cell->text);
		if (c == t->n_columns - 1)
			bh_buf_putc(out, '\n');
		else
			bh_buf_printf(out, "%*s", (int)(widths[c] - width(cell->text) + 2), "");
	}
	return bh_buf_failed(out) ? -ENOMEM : 0;
}
