/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/out.h - what people see: aligned tables, colour where it is wanted, nothing that a terminal obeys
 *
 * Names, labels and records come from elsewhere. Whatever is shown to people goes through bh_put_clean() (tables do
 * so themselves), so that no escape sequence reaches the terminal.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_CLI_OUT_H
#define BH_CLI_OUT_H

#include "common/buf.h"

#include <jansson.h>
#include <stdbool.h>

enum bh_colour {
	BH_COLOUR_NONE = 0,
	BH_COLOUR_BOLD,
	BH_COLOUR_RED,
	BH_COLOUR_GREEN,
	BH_COLOUR_YELLOW,
};

/* stdout (or stderr) is a terminal that understands colour, and NO_COLOR is not set. */
bool bh_colour_wanted(int fd);
/* @s, cleaned, in colour if @on. */
void bh_put_colour(struct bh_buf *out, bool on, enum bh_colour c, const char *s);
/* @s with '?' for control characters, characters that turn the direction of writing, and what is no UTF-8. */
void bh_put_clean(struct bh_buf *out, const char *s);

/* "bulkhead: ...", on stderr. */
void bh_out_complain(const char *fmt, ...) bh_printf(1, 2);
/* Writes all of @b to stdout and empties it. Return: exit code */
int bh_out_write(struct bh_buf *b);
/* Indented JSON to stdout; NULL is out of memory. Return: exit code */
int bh_out_json(const json_t *v);

struct bh_cell_text {
	char *text; /* cleaned */
	enum bh_colour colour;
};

/* Rows of equal numbers of cells; the first is the head. */
struct bh_table {
	size_t n_columns;
	struct bh_cell_text *cells;
	size_t n, cap;
	bool failed;
};

/* @head: @n column titles. */
void bh_table_init(struct bh_table *t, const char *const *head, size_t n);
void bh_table_done(struct bh_table *t);
/* The next cell, row by row; NULL and "" are shown as "-". */
void bh_table_add(struct bh_table *t, const char *text);
void bh_table_add_colour(struct bh_table *t, const char *text, enum bh_colour c);
void bh_table_printf(struct bh_table *t, const char *fmt, ...) bh_printf(2, 3);
/* Columns aligned, two spaces apart, nothing behind the last. -ENOMEM. */
int bh_table_print(const struct bh_table *t, bool colour, struct bh_buf *out) bh_must_check;

#endif
