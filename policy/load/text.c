/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/text.c - the text of a file, its lines, and what may not stand in it
 *
 * One pass checks the encoding and notes where every 128th line begins: a file of nothing but line breaks
 * costs little, and a line is found by walking over at most 127 others.
 *
 * Source of the set of characters: YAML 1.1, section 5.1 (c-printable).
 */
#include "policy/text.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

size_t bh_utf8_next(const char *p, size_t size, uint32_t *ret)
{
	const uint8_t *u = (const uint8_t *)p;
	uint32_t cp, min;
	size_t n;

	if (u[0] < 0x80) {
		*ret = u[0];
		return 1;
	}
	if (u[0] >= 0xc2 && u[0] <= 0xdf) {
		n = 2;
		cp = u[0] & 0x1fU;
		min = 0x80;
	} else if (u[0] >= 0xe0 && u[0] <= 0xef) {
		n = 3;
		cp = u[0] & 0x0fU;
		min = 0x800;
	} else if (u[0] >= 0xf0 && u[0] <= 0xf4) {
		n = 4;
		cp = u[0] & 0x07U;
		min = 0x10000;
	} else {
		return 0;
	}
	if (size < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (u[i] & 0x3fU);
	}
	if (cp < min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*ret = cp;
	return n;
}

static bool printable(uint32_t c)
{
	return c == 0x09 || c == 0x0a || c == 0x0d || (c >= 0x20 && c <= 0x7e) || c == 0x85 ||
	       (c >= 0xa0 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd && c != 0xfeff) ||
	       c >= 0x10000;
}

/* Most of what a file holds: needs no closer look. */
static bool ordinary(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* Bytes of the line break at @off; 0 if there is none. */
static size_t line_break(const struct bh_text *t, size_t off)
{
	const uint8_t *u = (const uint8_t *)t->data + off;
	size_t left = t->size - off;

	if (left >= 1 && u[0] == '\n')
		return 1;
	if (left >= 1 && u[0] == '\r')
		return left >= 2 && u[1] == '\n' ? 2 : 1;
	if (left >= 2 && u[0] == 0xc2 && u[1] == 0x85)
		return 2;
	if (left >= 3 && u[0] == 0xe2 && u[1] == 0x80 && (u[2] == 0xa8 || u[2] == 0xa9))
		return 3;
	return 0;
}

static int mark_line(struct bh_text *t, size_t off)
{
	if (t->n_lines % BH_TEXT_MARK == 0) {
		if ((t->n_marks & (t->n_marks - 1)) == 0) {
			uint32_t *m =
			    reallocarray(t->marks, t->n_marks ? t->n_marks * 2 : 1, sizeof(*m));

			if (!m)
				return -ENOMEM;
			t->marks = m;
		}
		t->marks[t->n_marks++] = (uint32_t)off;
	}
	t->n_lines++;
	return 0;
}

static int refuse(const struct bh_text *t, size_t off, struct bh_err *err)
{
	const uint8_t *u = (const uint8_t *)t->data + off;
	uint32_t cp = 0;

	if (u[0] == 0)
		return bh_err_set(err, -EINVAL, "a NUL byte: this is no text, or UTF-16");
	if (bh_utf8_next(t->data + off, t->size - off, &cp) == 0)
		return bh_err_set(err, -EINVAL, "byte 0x%02x is not UTF-8", u[0]);
	if (cp == 0xfeff)
		return bh_err_set(err, -EINVAL, "a byte order mark in the middle of the text");
	return bh_err_set(err, -EINVAL, "control character U+%04X is not allowed in YAML", cp);
}

int bh_text_init(struct bh_text *t, const char *file, const char *data, size_t size,
		 struct bh_pos *ret_pos, struct bh_err *err)
{
	struct bh_pos pos = { .line = 1, .column = 1 };
	size_t off = 0;

	*t = (struct bh_text){ .file = file, .data = data, .size = size };
	*ret_pos = pos;
	if (size > UINT32_MAX)
		return bh_err_set(err, -EINVAL, "larger than 4 GiB");
	if (size >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0))
		return bh_err_set(err, -EINVAL, "this is UTF-16: save it as UTF-8");
	if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		t->data += 3;
		t->size -= 3;
	}
	if (mark_line(t, 0) < 0)
		return -ENOMEM;
	while (off < t->size) {
		uint32_t cp;
		size_t n;

		if (ordinary(t->data[off])) {
			off++;
			pos.column++;
			continue;
		}
		n = line_break(t, off);
		if (n > 0) {
			off += n;
			pos = (struct bh_pos){ .line = pos.line + 1, .column = 1 };
			if (mark_line(t, off) < 0)
				return -ENOMEM;
			continue;
		}
		n = bh_utf8_next(t->data + off, t->size - off, &cp);
		if (n == 0 || !printable(cp)) {
			*ret_pos = pos;
			return refuse(t, off, err);
		}
		off += n;
		pos.column++;
	}
	return 0;
}

void bh_text_done(struct bh_text *t)
{
	free(t->marks);
	*t = (struct bh_text){ .data = NULL };
}

/* The end of the line that begins at @off. */
static size_t line_end(const struct bh_text *t, size_t off)
{
	while (off < t->size && (ordinary(t->data[off]) || line_break(t, off) == 0))
		off++;
	return off;
}

const char *bh_text_line(const struct bh_text *t, uint32_t line, size_t *ret_size)
{
	size_t off;

	if (line == 0 || line > t->n_lines)
		return NULL;
	off = t->marks[(line - 1) / BH_TEXT_MARK];
	for (uint32_t i = 0; i < (line - 1) % BH_TEXT_MARK; i++) {
		off = line_end(t, off);
		off += line_break(t, off);
	}
	*ret_size = line_end(t, off) - off;
	return t->data + off;
}

size_t bh_text_offset(const struct bh_text *t, struct bh_pos pos)
{
	size_t size = 0;
	const char *line = bh_text_line(t, pos.line, &size);
	size_t off = 0;

	if (!line)
		return t->size;
	for (uint32_t c = 1; c < pos.column && off < size; c++) {
		uint32_t cp;
		size_t n = bh_utf8_next(line + off, size - off, &cp);

		off += n ? n : 1;
	}
	return (size_t)(line - t->data) + off;
}

static bool begins_document(const struct bh_text *t, size_t off)
{
	const char *p = t->data + off;
	size_t left = t->size - off;

	if (left < 3 || memcmp(p, "---", 3) != 0)
		return false;
	return left == 3 || p[3] == ' ' || p[3] == '\t' || line_break(t, off + 3) > 0;
}

uint32_t bh_text_find_document(const struct bh_text *t, uint32_t line)
{
	size_t off = bh_text_offset(t, (struct bh_pos){ .line = line, .column = 1 });

	for (; line <= t->n_lines; line++) {
		if (begins_document(t, off))
			return line;
		off = line_end(t, off);
		off += line_break(t, off);
	}
	return 0;
}
