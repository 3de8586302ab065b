// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/live_text.c - the kernel's state (GET /v1/live) as people read it
 *
 * Cells stand as in the text of a rule set (policy/ruleset/ruleset_print.c): under their subject and their peer.
 */
#include "cli/live_text.h"

#include "cli/view.h"
#include "common/util.h"

#include <string.h>

#include "common/banned.h"

static void put(struct bh_buf *out, const json_t *v, const char *key)
{
	bh_put_clean(out, bh_view_str(v, key));
}

/* " (text)" where there is one. */
static void put_means(struct bh_buf *out, const json_t *v, const char *key)
{
	if (*bh_view_str(v, key) == '\0')
		return;
	bh_buf_puts(out, " (");
	put(out, v, key);
	bh_buf_putc(out, ')');
}

/* Padded to @width and two spaces. */
static void put_wide(struct bh_buf *out, const json_t *v, const char *key, size_t width)
{
	size_t before = out->len;

	put(out, v, key);
	do
		bh_buf_putc(out, ' ');
	while (!bh_buf_failed(out) && out->len < before + width);
}

static void heading(struct bh_buf *out, const json_t *table, const char *what)
{
	bh_buf_putc(out, '\n');
	put(out, table, "family");
	bh_buf_printf(out, " %s\n", what);
}

static void put_endpoints(const json_t *table, struct bh_buf *out)
{
	json_t *list = json_object_get(table, "endpoints"), *item;
	size_t i;

	if (json_array_size(list) > 0)
		heading(out, table, "endpoints");
	json_array_foreach(list, i, item) {
		bh_buf_puts(out, "  ");
		put_wide(out, item, "address", 24);
		put_wide(out, item, "class", 8);
		put(out, item, "name");
		bh_buf_putc(out, '\n');
	}
	list = json_object_get(table, "subjects");
	if (json_array_size(list) > 0)
		heading(out, table, "endpoints that policies select here");
	json_array_foreach(list, i, item) {
		bh_buf_puts(out, "  ");
		put_wide(out, item, "address", 24);
		put_wide(out, item, "class", 8);
		put_wide(out, item, "direction", 8);
		put(out, item, "name");
		bh_buf_putc(out, '\n');
	}
}

static void put_ranges(const json_t *table, struct bh_buf *out)
{
	json_t *list = json_object_get(table, "ranges"), *item;
	uint64_t piece = 0;
	size_t i;

	if (json_array_size(list) > 0)
		heading(out, table, "addresses of no endpoint");
	json_array_foreach(list, i, item) {
		bh_buf_puts(out, "  ");
		put_wide(out, item, "class", 8);
		put(out, item, "from");
		bh_buf_puts(out, " - ");
		put(out, item, "to");
		put_means(out, item, "means");
		bh_buf_putc(out, '\n');
	}
	list = json_object_get(table, "ports");
	if (json_array_size(list) > 0)
		heading(out, table, "port pieces");
	json_array_foreach(list, i, item) {
		if (!bh_view_u64(item, "piece", &piece))
			continue;
		bh_buf_printf(out, "  p%-6llu ", (unsigned long long)piece);
		put(out, item, "protocol");
		bh_buf_putc(out, ' ');
		put(out, item, "port");
		bh_buf_putc(out, '\n');
	}
}

static bool same_as(const json_t *a, const json_t *b, const char *key)
{
	return a && strcmp(bh_view_str(a, key), bh_view_str(b, key)) == 0;
}

static void put_cells(const json_t *table, struct bh_buf *out)
{
	json_t *list = json_object_get(table, "cells"), *item;
	const json_t *last = NULL;
	size_t i;

	json_array_foreach(list, i, item) {
		bool in = strcmp(bh_view_str(item, "direction"), "ingress") == 0;
		bool subject = same_as(last, item, "direction") && same_as(last, item, "subject");
		size_t before;

		if (!subject) {
			bh_buf_putc(out, '\n');
			put(out, table, "family");
			bh_buf_printf(out, " %s of ", in ? "ingress" : "egress");
			put(out, item, "subject");
			put_means(out, item, "subjectMeans");
			bh_buf_putc(out, '\n');
		}
		if (!subject || !same_as(last, item, "peer")) {
			bh_buf_puts(out, in ? "  from " : "  to ");
			put(out, item, "peer");
			put_means(out, item, "peerMeans");
			bh_buf_putc(out, '\n');
		}
		bh_buf_puts(out, "    ");
		before = out->len;
		put(out, item, "protocol");
		bh_buf_putc(out, ' ');
		put(out, item, "port");
		while (!bh_buf_failed(out) && out->len < before + 17)
			bh_buf_putc(out, ' ');
		put(out, item, "decision");
		put_means(out, item, "by");
		bh_buf_putc(out, '\n');
		last = item;
	}
}

static void put_contracts(const json_t *table, struct bh_buf *out)
{
	json_t *list = json_object_get(table, "contracts"), *item;
	uint64_t last = UINT64_MAX, n = 0;
	size_t i;

	json_array_foreach(list, i, item) {
		if (!bh_view_u64(item, "contract", &n))
			continue;
		if (n != last) {
			bh_buf_putc(out, '\n');
			put(out, table, "family");
			bh_buf_printf(out, " contract %llu\n", (unsigned long long)n);
		}
		bh_buf_puts(out, "    ");
		put_wide(out, item, "protocol", 17);
		put(out, item, "decision");
		put_means(out, item, "by");
		bh_buf_putc(out, '\n');
		last = n;
	}
}

static void put_head(const json_t *v, struct bh_buf *out)
{
	json_t *counters = json_object_get(v, "counters"), *item;
	uint64_t revision = 0, epoch = 0;
	const char *key, *sep = "packets: ";

	bh_buf_puts(out, "table ");
	put(out, v, "table");
	if (bh_view_u64(v, "revision", &revision) && bh_view_u64(v, "epoch", &epoch))
		bh_buf_printf(out, ", revision %llu, epoch %llu", (unsigned long long)revision,
			      (unsigned long long)epoch);
	if (!bh_view_true(v, "applied"))
		bh_buf_puts(out, ", no policies yet: everything passes");
	bh_buf_putc(out, '\n');
	json_object_foreach(counters, key, item) {
		bh_buf_puts(out, sep);
		bh_put_clean(out, key);
		bh_buf_printf(out, " %" JSON_INTEGER_FORMAT, json_integer_value(item));
		sep = ", ";
	}
	bh_buf_puts(out, *sep == ',' ? "\n" : "");
}

static void put_differences(const json_t *v, bool colour, struct bh_buf *out)
{
	json_t *list = json_object_get(v, "differences"), *item;
	uint64_t n = 0;
	size_t i;

	bh_buf_putc(out, '\n');
	if (!bh_view_true(v, "compared")) {
		bh_put_colour(out, colour, BH_COLOUR_YELLOW,
			      "not compared: without an agent nobody knows what should be there");
		bh_buf_puts(out, " (--policy and --endpoints can say it)\n");
		return;
	}
	if (bh_view_true(v, "equal")) {
		bh_put_colour(out, colour, BH_COLOUR_GREEN, "the kernel holds what it should hold");
		bh_buf_putc(out, '\n');
		return;
	}
	(void)bh_view_u64(v, "differing", &n);
	bh_put_colour(out, colour, BH_COLOUR_RED, "the kernel does not hold what it should hold");
	bh_buf_printf(out, ": %llu difference%s\n", (unsigned long long)n, n == 1 ? "" : "s");
	json_array_foreach(list, i, item) {
		bh_buf_puts(out, "  ");
		bh_put_colour(out, colour, BH_COLOUR_RED, bh_view_str(item, "what"));
		bh_buf_puts(out, ": ");
		put(out, item, "family");
		bh_buf_putc(out, ' ');
		put(out, item, "object");
		bh_buf_puts(out, ": ");
		put(out, item, "text");
		bh_buf_putc(out, '\n');
	}
	if (n > json_array_size(list))
		bh_buf_printf(out, "  and %llu more\n",
			      (unsigned long long)(n - json_array_size(list)));
}

void bh_live_text(const json_t *v, bool colour, struct bh_buf *out)
{
	json_t *list = json_object_get(v, "tables"), *item;
	size_t i;

	put_head(v, out);
	json_array_foreach(list, i, item) {
		if (strcmp(bh_view_str(item, "state"), "present") != 0) {
			heading(out, item, "table: ");
			out->len -= bh_buf_failed(out) ? 0 : 1;
			bh_put_colour(out, colour, BH_COLOUR_RED, bh_view_str(item, "state"));
			bh_buf_putc(out, '\n');
		}
		put_endpoints(item, out);
		put_ranges(item, out);
		put_cells(item, out);
		put_contracts(item, out);
	}
	put_differences(v, colour, out);
}
