/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/diag.c - the list of errors and warnings: add, sort, print, JSON
 */
#include "policy/diag.h"

#include "common/limits.h"
#include "common/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

/* Columns of a source line that are shown; of a longer one, a part with so many in front of the place. */
#define LINE_MAX_COLUMNS 120
#define LINE_BEFORE      40

/* ---- text that is safe on a terminal ---- */

/* Control characters, and what turns the direction of writing. */
static bool harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c ||
	       (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* A message: harmful characters become escapes. Owned by the caller; NULL: no memory. */
static char *escape(const char *s)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	size_t size = strlen(s);

	for (size_t off = 0; off < size;) {
		uint32_t c = 0;
		size_t n = bh_utf8_next(s + off, size - off, &c);

		if (n == 0) {
			bh_buf_printf(&b, "\\x%02x", (uint8_t)s[off]);
			n = 1;
		} else if (c == '\n') {
			bh_buf_puts(&b, "\\n");
		} else if (harmful(c)) {
			bh_buf_printf(&b, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
		} else {
			bh_buf_add(&b, s + off, n);
		}
		off += n;
	}
	bh_buf_puts(&b, "");
	return bh_buf_failed(&b) ? NULL : b.data ? bh_buf_take(&b) : strdup("");
}

/* A source line: one character for one, so that columns stay. */
static int take_line(struct bh_diag *g, const struct bh_text *t, struct bh_pos pos)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	uint32_t column = 1, first = 1;
	size_t size = 0, off = 0;
	const char *line = bh_text_line(t, pos.line, &size);

	if (!line)
		return 0;
	if (pos.column > LINE_MAX_COLUMNS - LINE_BEFORE)
		first = pos.column - LINE_BEFORE;
	for (; off < size && column < first + LINE_MAX_COLUMNS; column++) {
		uint32_t c = 0;
		size_t n = bh_utf8_next(line + off, size - off, &c);

		if (column >= first) {
			if (n == 0 || (harmful(c) && c != '\t'))
				bh_buf_putc(&b, '?');
			else
				bh_buf_add(&b, line + off, n);
		}
		off += n ? n : 1;
	}
	if (bh_buf_failed(&b))
		return -ENOMEM;
	g->line = b.data ? bh_buf_take(&b) : strdup("");
	g->line_column = first;
	return g->line ? 0 : -ENOMEM;
}

/* ---- the list ---- */

static void diag_done(struct bh_diag *g)
{
	free(g->file);
	free(g->path);
	free(g->message);
	free(g->hint);
	free(g->line);
	*g = (struct bh_diag){ .file = NULL };
}

void bh_diags_done(struct bh_diags *d)
{
	for (size_t i = 0; i < d->n; i++)
		diag_done(&d->items[i]);
	free(d->items);
	*d = (struct bh_diags)BH_DIAGS_INIT;
}

/* Room for one more; an error may take the place of the last warning. NULL: none, or *@ret_r < 0. */
static struct bh_diag *room(struct bh_diags *d, enum bh_severity severity, int *ret_r)
{
	struct bh_diag *items;

	*ret_r = 0;
	if (d->n < BH_DIAG_MAX) {
		items = reallocarray(d->items, d->n + 1, sizeof(*items));
		if (!items) {
			*ret_r = -ENOMEM;
			return NULL;
		}
		d->items = items;
		items[d->n] = (struct bh_diag){ .file = NULL };
		return &items[d->n++];
	}
	d->omitted++;
	for (size_t i = d->n; severity == BH_SEVERITY_ERROR && i-- > 0;) {
		if (d->items[i].severity != BH_SEVERITY_WARNING)
			continue;
		diag_done(&d->items[i]);
		memmove(d->items + i, d->items + i + 1, (d->n - i - 1) * sizeof(*d->items));
		d->items[d->n - 1] = (struct bh_diag){ .file = NULL };
		return &d->items[d->n - 1];
	}
	return NULL;
}

static int fill(struct bh_diag *g, const struct bh_diag_at *at, const char *hint,
		const char *message)
{
	const char *file = at->text ? at->text->file : at->file;

	g->pos = at->pos;
	g->width = at->width;
	g->file = escape(file ? file : "");
	g->message = escape(message);
	if (!g->file || !g->message)
		return -ENOMEM;
	if (at->path && at->path[0]) {
		g->path = escape(at->path);
		if (!g->path)
			return -ENOMEM;
	}
	if (hint) {
		g->hint = escape(hint);
		if (!g->hint)
			return -ENOMEM;
	}
	return at->text && at->pos.line ? take_line(g, at->text, at->pos) : 0;
}

int bh_diag_addv(struct bh_diags *d, const struct bh_diag_at *at, enum bh_severity severity,
		 const char *code, const char *hint, const char *fmt, va_list ap)
{
	bh_autofree char *message = NULL;
	struct bh_diag *g;
	int r;

	if (vasprintf(&message, fmt, ap) < 0) {
		message = NULL;
		return -ENOMEM;
	}
	if (severity == BH_SEVERITY_WARNING)
		d->n_warnings++;
	else
		d->n_errors++;
	g = room(d, severity, &r);
	if (!g)
		return r;
	g->severity = severity;
	(void)snprintf(g->code, sizeof(g->code), "%s", code);
	r = fill(g, at, hint, message);
	if (r < 0) { /* half a message is none */
		diag_done(g);
		d->n--;
	}
	return r;
}

int bh_diag_add(struct bh_diags *d, const struct bh_diag_at *at, enum bh_severity severity,
		const char *code, const char *hint, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = bh_diag_addv(d, at, severity, code, hint, fmt, ap);
	va_end(ap);
	return r;
}

static int diag_cmp(const struct bh_diag *a, const struct bh_diag *b)
{
	int c = strcmp(a->file, b->file);

	if (c)
		return c;
	if (a->pos.line != b->pos.line)
		return a->pos.line < b->pos.line ? -1 : 1;
	if (a->pos.column != b->pos.column)
		return a->pos.column < b->pos.column ? -1 : 1;
	return 0;
}

/* By insertion: at most BH_DIAG_MAX, nearly in order, and those of one place stay as they came. */
void bh_diags_sort(struct bh_diags *d)
{
	for (size_t i = 1; i < d->n; i++) {
		struct bh_diag g = d->items[i];
		size_t k = i;

		for (; k > 0 && diag_cmp(&d->items[k - 1], &g) > 0; k--)
			d->items[k] = d->items[k - 1];
		d->items[k] = g;
	}
}

/* ---- output ---- */

static const char *severity_name(enum bh_severity s)
{
	return s == BH_SEVERITY_WARNING ? "warning" : "error";
}

/* Blanks up to the place (tabs where the line has tabs), then what is underlined. */
static void print_caret(const struct bh_diag *g, struct bh_buf *out)
{
	uint32_t column = g->line_column;
	size_t size = strlen(g->line), off = 0;
	uint32_t c = 0;
	size_t n;

	for (; column < g->pos.column && off < size; column++, off += n) {
		n = bh_utf8_next(g->line + off, size - off, &c);
		if (n == 0)
			n = 1;
		bh_buf_putc(out, g->line[off] == '\t' ? '\t' : ' ');
	}
	bh_buf_putc(out, '^');
	for (unsigned i = 1; i < g->width && off < size; i++, off += n) {
		n = bh_utf8_next(g->line + off, size - off, &c);
		if (n == 0)
			n = 1;
		if (off + n < size)
			bh_buf_putc(out, '^');
	}
}

static void print_one(const struct bh_diag *g, struct bh_buf *out)
{
	bh_buf_puts(out, g->file);
	if (g->pos.line)
		bh_buf_printf(out, ":%u", g->pos.line);
	if (g->pos.line && g->pos.column)
		bh_buf_printf(out, ":%u", g->pos.column);
	bh_buf_printf(out, "%s%s: %s [%s]\n", *g->file ? ": " : "", severity_name(g->severity),
		      g->message, g->code);
	if (g->line) {
		bh_buf_printf(out, "%5u | %s\n      | ", g->pos.line, g->line);
		print_caret(g, out);
		bh_buf_printf(out, "%s%s\n", g->hint ? " " : "", g->hint ? g->hint : "");
	} else if (g->hint) {
		bh_buf_printf(out, "      | %s\n", g->hint);
	}
}

void bh_diags_print(const struct bh_diags *d, struct bh_buf *out)
{
	for (size_t i = 0; i < d->n; i++)
		print_one(&d->items[i], out);
	if (d->omitted)
		bh_buf_printf(out, "%zu more errors and warnings are not shown\n", d->omitted);
}

static json_t *diag_json(const struct bh_diag *g)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s?, s:s, s:s?}", "severity",
			 severity_name(g->severity), "code", g->code, "file", g->file, "line",
			 (json_int_t)g->pos.line, "column", (json_int_t)g->pos.column, "path",
			 g->path, "message", g->message, "hint", g->hint);
}

json_t *bh_diags_json(const struct bh_diags *d)
{
	json_t *arr = json_array();

	for (size_t i = 0; arr && i < d->n; i++) {
		if (json_array_append_new(arr, diag_json(&d->items[i])) < 0) {
			json_decref(arr);
			return NULL;
		}
	}
	return arr;
}
