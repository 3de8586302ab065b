/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/text.h - the text of a file, its lines, and what may not stand in it
 *
 * Lines and columns count from 1; a column is a character, not a byte. Line breaks are those of YAML 1.1:
 * LF, CR, CR LF, NEL, LS, PS. The text is borrowed and must live as long as the struct bh_text.
 *
 * Thread-safety: no state outside; a struct bh_text may be read by any thread.
 */
#ifndef BH_POLICY_TEXT_H
#define BH_POLICY_TEXT_H

#include "common/err.h"
#include "policy/model.h"

struct bh_text {
	const char *file; /* as shown in messages; borrowed */
	const char *data; /* without a byte order mark; borrowed */
	size_t size;
	uint32_t n_lines;
	uint32_t *marks; /* byte offset of every BH_TEXT_MARK-th line */
	size_t n_marks;
};
#define BH_TEXT_MARK 128U

/**
 * bh_text_init() - Check a text and find its lines
 * @data:	@size bytes; a UTF-8 byte order mark at the beginning is left out
 * @ret_pos:	Where the character stands that may not (-EINVAL)
 *
 * The lines up to the bad character can be used after -EINVAL.
 *
 * Return: 0; -EINVAL: no UTF-8, a NUL or another character that YAML does not allow; -ENOMEM
 */
int bh_text_init(struct bh_text *t, const char *file, const char *data, size_t size,
		 struct bh_pos *ret_pos, struct bh_err *err) bh_must_check;
void bh_text_done(struct bh_text *t);

/* First byte of a line; its length without the break. NULL: there is no such line. */
const char *bh_text_line(const struct bh_text *t, uint32_t line, size_t *ret_size);
/* Byte offset of a place; the end of the line (or text) where it has no such column (line). */
size_t bh_text_offset(const struct bh_text *t, struct bh_pos pos);

/* The first line, from @line on, that begins a document ("---"); 0 if there is none. */
uint32_t bh_text_find_document(const struct bh_text *t, uint32_t line);

/*
 * The character at @p (@size > 0 bytes), strictly: no overlong forms, no surrogates.
 * Return: its length; 0 if there is none
 */
size_t bh_utf8_next(const char *p, size_t size, uint32_t *ret);

#endif
