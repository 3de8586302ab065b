// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/test_report.c - results of tests: for people, as TAP, as JUnit XML
 */
#include "cli/markup.h"
#include "cli/out.h"
#include "cli/test_run.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

struct totals {
	size_t tests, failed, errors, cases;
};

static struct totals count(const struct bh_test_outcome *o)
{
	struct totals t = { .tests = o->n };

	for (size_t i = 0; i < o->n; i++) {
		t.cases += o->items[i].cases;
		if (o->items[i].error)
			t.errors++;
		else if (!bh_test_passed(&o->items[i]))
			t.failed++;
	}
	return t;
}

/* A file of which something could not be run, beside the tests that say so themselves. */
static bool file_error(const struct bh_test_outcome *o)
{
	return o->broken && count(o).errors == 0;
}

/* Every line of @text behind @indent, cleaned. */
static void put_lines(struct bh_buf *out, const char *indent, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");
		bh_autofree char *line = strndup(text, n);

		if (!line)
			out->failed = true;
		bh_buf_puts(out, indent);
		bh_put_clean(out, line ? line : "");
		bh_buf_putc(out, '\n');
		text += n + (text[n] != '\0');
	}
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- for people ---- */

static void text_failure(const struct bh_test_failure *f, struct bh_buf *out)
{
	put_lines(out, "        ", f->what);
	bh_buf_puts(out, "          expected: ");
	bh_put_clean(out, f->expected);
	bh_buf_puts(out, "\n          got:      ");
	bh_put_clean(out, f->got);
	bh_buf_putc(out, '\n');
	put_lines(out, "            ", f->why);
}

static void text_result(const char *path, const struct bh_test_result *r, bool colour,
			struct bh_buf *out)
{
	bool passed = bh_test_passed(r);

	bh_put_colour(out, colour, passed ? BH_COLOUR_GREEN : BH_COLOUR_RED,
		      passed     ? "  ok    "
		      : r->error ? "  ERROR "
				 : "  FAIL  ");
	bh_put_clean(out, r->name);
	if (passed && r->cases > 1)
		bh_buf_printf(out, " (%zu connections)", r->cases);
	if (!passed) {
		bh_buf_puts(out, " (");
		bh_put_clean(out, path);
		bh_buf_printf(out, ":%u)", r->line);
	}
	bh_buf_putc(out, '\n');
	for (size_t i = 0; i < r->failed && i < BH_TEST_FAILURES_MAX; i++)
		text_failure(&r->failures[i], out);
	if (r->failed > BH_TEST_FAILURES_MAX)
		bh_buf_printf(out, "        and %zu of %zu connections more\n",
			      r->failed - BH_TEST_FAILURES_MAX, r->cases);
}

void bh_test_put_text(const struct bh_test_outcomes *o, bool colour, struct bh_buf *out)
{
	struct totals all = { .tests = 0 };
	size_t files = 0;

	for (size_t i = 0; i < o->n; i++) {
		const struct bh_test_outcome *f = &o->items[i];
		struct totals t = count(f);

		bh_put_colour(out, colour, BH_COLOUR_BOLD, f->path);
		bh_buf_putc(out, '\n');
		for (size_t k = 0; k < f->n; k++)
			text_result(f->path, &f->items[k], colour, out);
		if (f->error) {
			put_lines(out, "  ", f->error);
		} else if (f->broken) {
			bh_put_colour(out, colour, BH_COLOUR_RED,
				      "  its policies could not be read");
			bh_buf_putc(out, '\n');
		}
		all.tests += t.tests;
		all.failed += t.failed;
		all.errors += t.errors;
		all.cases += t.cases;
		files += file_error(f);
	}
	bh_buf_printf(out, "%zu test%s, %zu connection%s: %zu passed, %zu failed", all.tests,
		      plural(all.tests), all.cases, plural(all.cases),
		      all.tests - all.failed - all.errors, all.failed);
	if (all.errors + files > 0)
		bh_buf_printf(out, ", %zu error%s", all.errors + files, plural(all.errors + files));
	bh_buf_putc(out, '\n');
}

/* ---- TAP ---- */

/* '#' begins a directive. */
static void tap_name(struct bh_buf *out, const char *s)
{
	bh_cleanup(bh_buf_done) struct bh_buf clean = BH_BUF_INIT;

	bh_put_clean(&clean, s);
	for (const char *p = bh_buf_str(&clean); *p != '\0'; p++) {
		if (*p == '#' || *p == '\\')
			bh_buf_putc(out, '\\');
		bh_buf_putc(out, *p);
	}
	if (bh_buf_failed(&clean))
		out->failed = true;
}

/* A block of YAML, as TAP 13 has it. Texts are blocks themselves, so that nothing in them has to be escaped. */
static void tap_failures(const struct bh_test_result *r, struct bh_buf *out)
{
	bh_buf_printf(out, "  ---\n  connections: %zu\n  failed: %zu\n  failures:\n", r->cases,
		      r->failed);
	for (size_t i = 0; i < r->failed && i < BH_TEST_FAILURES_MAX; i++) {
		bh_buf_puts(out, "  - connection: |\n");
		put_lines(out, "      ", r->failures[i].what);
		bh_buf_puts(out, "    expected: |\n");
		put_lines(out, "      ", r->failures[i].expected);
		bh_buf_puts(out, "    got: |\n");
		put_lines(out, "      ", r->failures[i].got);
		bh_buf_puts(out, "    explanation: |\n");
		put_lines(out, "      ", r->failures[i].why);
	}
	bh_buf_puts(out, "  ...\n");
}

void bh_test_put_tap(const struct bh_test_outcomes *o, struct bh_buf *out)
{
	size_t n = 0, all = 0;

	for (size_t i = 0; i < o->n; i++)
		all += o->items[i].n + file_error(&o->items[i]);
	bh_buf_printf(out, "TAP version 13\n1..%zu\n", all);
	for (size_t i = 0; i < o->n; i++) {
		const struct bh_test_outcome *f = &o->items[i];

		for (size_t k = 0; k < f->n; k++) {
			const struct bh_test_result *r = &f->items[k];

			bh_buf_printf(out, "%sok %zu - ", bh_test_passed(r) ? "" : "not ", ++n);
			tap_name(out, r->name);
			bh_buf_putc(out, '\n');
			if (r->failed > 0)
				tap_failures(r, out);
		}
		if (file_error(f)) {
			bh_buf_printf(out, "not ok %zu - ", ++n);
			tap_name(out, f->path);
			bh_buf_puts(out, " can be run\n");
		}
		if (f->error)
			put_lines(out, "# ", f->error);
	}
}

/* ---- JUnit ---- */

static void junit_failures(const struct bh_test_result *r, struct bh_buf *out)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	const struct bh_test_failure *first = &r->failures[0];

	bh_buf_puts(out, "      <failure message=\"");
	bh_buf_printf(&text, "%s: expected %s, got %s", first->what, first->expected, first->got);
	bh_put_xml(out, bh_buf_str(&text));
	bh_buf_puts(out, "\">");
	bh_buf_clear(&text);
	for (size_t i = 0; i < r->failed && i < BH_TEST_FAILURES_MAX; i++)
		text_failure(&r->failures[i], &text);
	if (r->failed > BH_TEST_FAILURES_MAX)
		bh_buf_printf(&text, "and %zu more\n", r->failed - BH_TEST_FAILURES_MAX);
	bh_put_xml(out, bh_buf_str(&text));
	bh_buf_puts(out, "</failure>\n");
	if (bh_buf_failed(&text))
		out->failed = true;
}

static void junit_case(const char *path, const struct bh_test_result *r, struct bh_buf *out)
{
	bh_buf_puts(out, "    <testcase classname=\"");
	bh_put_xml(out, path);
	bh_buf_puts(out, "\" name=\"");
	bh_put_xml(out, r->name);
	bh_buf_printf(out, "\" line=\"%u\"", r->line);
	if (bh_test_passed(r)) {
		bh_buf_puts(out, "/>\n");
		return;
	}
	bh_buf_puts(out, ">\n");
	if (r->failed > 0)
		junit_failures(r, out);
	else
		bh_buf_puts(out, "      <error message=\"it could not be asked\"/>\n");
	bh_buf_puts(out, "    </testcase>\n");
}

static void junit_suite(const struct bh_test_outcome *f, struct bh_buf *out)
{
	struct totals t = count(f);
	unsigned extra = file_error(f);

	bh_buf_puts(out, "  <testsuite name=\"");
	bh_put_xml(out, f->path);
	bh_buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\">\n", t.tests + extra,
		      t.failed, t.errors + extra);
	for (size_t k = 0; k < f->n; k++)
		junit_case(f->path, &f->items[k], out);
	if (extra) {
		bh_buf_puts(out, "    <testcase classname=\"");
		bh_put_xml(out, f->path);
		bh_buf_puts(out, "\" name=\"can be run\">\n      <error "
				 "message=\"it, or its policies, cannot be read\"/>\n"
				 "    </testcase>\n");
	}
	if (f->error) {
		bh_buf_puts(out, "    <system-err>");
		bh_put_xml(out, f->error);
		bh_buf_puts(out, "</system-err>\n");
	}
	bh_buf_puts(out, "  </testsuite>\n");
}

void bh_test_put_junit(const struct bh_test_outcomes *o, struct bh_buf *out)
{
	bh_buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites "
			 "name=\"bulkhead test\">\n");
	for (size_t i = 0; i < o->n; i++)
		junit_suite(&o->items[i], out);
	bh_buf_puts(out, "</testsuites>\n");
}
