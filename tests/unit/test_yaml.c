/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_yaml.c - trees from YAML and JSON: places, limits, anchors, and texts that mean harm
 */
#include "common/buf.h"
#include "common/limits.h"
#include "common/util.h"
#include "policy/load.h"
#include "policy/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All documents of a text as JSON, one a line; messages in @d. */
static void read_text(const char *data, size_t size, struct bh_buf *out, struct bh_diags *d)
{
	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = NULL;
	const struct bh_yaml_doc *doc = NULL;
	int r;

	assert_int_equal(bh_yaml_open("t.yaml", data, size, d, &y), 0);
	while ((r = bh_yaml_next(y, &doc)) == 1) {
		bh_yaml_print_json(doc->root, out);
		bh_buf_puts(out, doc->bad ? " (bad)\n" : "\n");
	}
	assert_int_equal(r, 0);
}

static void expect(const char *text, const char *json)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;

	read_text(text, strlen(text), &out, &d);
	if (d.n_errors)
		fail_msg("%s: %s", text, d.items[0].message);
	assert_string_equal(bh_buf_str(&out), json);
}

/* The first message, with its place and path. */
static void expect_error(const char *data, size_t size, const char *want)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	char got[512];

	read_text(data, size, &out, &d);
	assert_int_equal(d.n_errors, 1);
	(void)snprintf(got, sizeof(got), "%u:%u %s %s [%s]", d.items[0].pos.line,
		       d.items[0].pos.column, d.items[0].code, d.items[0].message,
		       d.items[0].path ? d.items[0].path : "");
	assert_string_equal(got, want);
}
#define expect_text_error(text, want) expect_error(text, sizeof(text) - 1, want)

static void test_values(void **state)
{
	(void)state;
	expect("a: 1\nb: [x, 010, 0x10, on, ~, '1', \"\\u00e9\", 1.5]\n",
	       "{\"a\": 1, \"b\": [\"x\", 8, 16, true, null, \"1\", \"\xc3\xa9\", 1.5]}\n");
	expect("{\"a\": {\"b\": [1, -2, 3.5e1, true, null, \"x\\/y\\n\"]}}",
	       "{\"a\": {\"b\": [1, -2, 35, true, null, \"x/y\\n\"]}}\n");
	expect("a: |\n  x\n  y\nb: >-\n  x\n  y\n", "{\"a\": \"x\\ny\\n\", \"b\": \"x y\"}\n");
	expect(
	    "1: a\non: b\n1.5: c\n0x10: d\n\"1e3\": e\n1e1: f\n",
	    "{\"1\": \"a\", \"true\": \"b\", \"1.5\": \"c\", \"16\": \"d\", \"1e3\": \"e\", \"10\": "
	    "\"f\"}\n");
	expect(
	    "a: !!str 1\nb: !!int '7'\nc: !!float 1\nd: ! 5\ne: !!null ''\nf: !!map {}\ng: !!seq []\n",
	    "{\"a\": \"1\", \"b\": 7, \"c\": 1, \"d\": \"5\", \"e\": null, \"f\": {}, \"g\": []}\n");
	expect("", "");
	expect("# nothing\n", "");
	expect("\xef\xbb\xbf"
	       "a: b\r\nc: d\r\n",
	       "{\"a\": \"b\", \"c\": \"d\"}\n");
}

static void test_documents(void **state)
{
	(void)state;
	expect("a: 1\n---\nb: 2\n...\n# c\n---\n--- x\n", "{\"a\": 1}\n{\"b\": 2}\nnull\n\"x\"\n");
	expect("%YAML 1.1\n---\na: 1\n", "{\"a\": 1}\n");
}

static void test_anchors(void **state)
{
	(void)state;
	expect("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n",
	       "{\"a\": {\"b\": 1}, \"c\": {\"b\": 1}, \"d\": [{\"b\": 1}, {\"b\": 1}]}\n");
	expect("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "{\"a\": 1, \"b\": 1, \"c\": 2, \"d\": 2}\n");
	expect("a: &k key\n*k : v\n", "{\"a\": \"key\", \"key\": \"v\"}\n");
	/* What is written wins over what is merged; of several maps the first does. */
	expect(
	    "x: &x {a: 1, b: 2}\nw: &w {b: 3, c: 4}\nz: {<<: [*x, *w], c: 5}\n",
	    "{\"x\": {\"a\": 1, \"b\": 2}, \"w\": {\"b\": 3, \"c\": 4}, \"z\": {\"c\": 5, \"a\": 1, "
	    "\"b\": 2}}\n");
	expect("<<: {a: 1}\na: 2\n", "{\"a\": 2}\n");
	expect("'<<': 1\n", "{\"<<\": 1}\n");
	/* Anchors end with their document. */
	expect_text_error("a: &x 1\n---\nb: *x\n",
			  "3:4 e16 alias \"*x\" has no anchor \"&x\" before it [b]");
	expect_text_error("a: &x\n  b: *x\n",
			  "2:6 e16 alias \"*x\" stands inside of what it means [a.b]");
}

static void test_keys(void **state)
{
	(void)state;
	expect_text_error("a:\n- {b: 1, c: 2, b: 3}\n",
			  "2:16 e21 key \"b\" is written twice; the first is in line 2 [a[0].b]");
	expect_text_error("1: a\n\"1\": b\n",
			  "2:1 e21 key \"1\" is written twice; the first is in line 1 [1]");
	expect_text_error(
	    "a.b/c: {x: 1, x: 2}\n",
	    "1:15 e21 key \"x\" is written twice; the first is in line 1 [[a.b/c].x]");
	expect_text_error("<<: {}\n<<: {}\n",
			  "2:1 e21 key \"<<\" is written twice; the first is in line 1 [[<<]]");
	expect_text_error("? {a: b}\n: c\n", "1:3 e16 a map cannot be a key []");
	expect_text_error("a: {~: b}\n", "1:5 e16 nothing (null) cannot be a key [a]");
}

static void test_characters(void **state)
{
	(void)state;
	expect_text_error("a: b\nc: d\0\n", "2:5 e16 a NUL byte: this is no text, or UTF-16 []");
	expect_text_error("a: b\nc: \"\xc3\xa9\xff\"\n", "2:6 e16 byte 0xff is not UTF-8 []");
	expect_text_error("a: \xc0\x80\n", "1:4 e16 byte 0xc0 is not UTF-8 []");
	expect_text_error("a: \xe0\x80\x80\n", "1:4 e16 byte 0xe0 is not UTF-8 []");
	expect_text_error("a: \xed\xa0\x80\n", "1:4 e16 byte 0xed is not UTF-8 []");
	expect_text_error("a: \xf4\x90\x80\x80\n", "1:4 e16 byte 0xf4 is not UTF-8 []");
	expect_text_error("a: \xe2\x82", "1:4 e16 byte 0xe2 is not UTF-8 []");
	expect_text_error("a: \x1b[2J\n",
			  "1:4 e16 control character U+001B is not allowed in YAML []");
	expect_text_error("a: \xef\xbb\xbf\n",
			  "1:4 e16 a byte order mark in the middle of the text []");
	expect_text_error("\xff\xfe"
			  "a\0",
			  "1:1 e16 this is UTF-16: save it as UTF-8 []");
	expect_text_error("a: \"x\\0y\"\n", "1:4 e16 a value with a NUL character [a]");
}

static void test_goes_on_after_errors(void **state)
{
	static const char text[] = "a: {b\n---\nb: 1\n---\n@\n--- # c\nd: \"\n---x\n";
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;

	(void)state;
	read_text(text, sizeof(text) - 1, &out, &d);
	assert_string_equal(bh_buf_str(&out), "{\"b\": 1}\n");
	assert_int_equal(d.n_errors, 3);
	assert_int_equal(d.items[0].pos.line, 2);
	assert_int_equal(d.items[1].pos.line, 5);
	assert_int_equal(d.items[2].pos.line, 9);
}

static void test_places(void **state)
{
	static const char text[] = "a: 1\r\nb:\n  - {c: \xc3\xa9, d: x}\n\n  - 'y'\n";
	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = NULL;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	const struct bh_yaml_doc *doc = NULL;
	const struct bh_yaml_node *b, *key = NULL, *x;

	(void)state;
	assert_int_equal(bh_yaml_open("t", text, sizeof(text) - 1, &d, &y), 0);
	assert_int_equal(bh_yaml_next(y, &doc), 1);
	b = bh_yaml_get(doc->root, "b", &key);
	assert_int_equal(key->pos.line, 2);
	assert_int_equal(key->pos.column, 1);
	x = bh_yaml_get(b->items[0], "d", &key);
	assert_int_equal(key->pos.line, 3);
	assert_int_equal(key->pos.column, 12); /* characters, not bytes */
	assert_int_equal(x->pos.column, 15);
	assert_int_equal(x->end.column, 16);
	assert_int_equal(b->items[1]->pos.line, 5);
	assert_null(bh_yaml_get(doc->root, "z", NULL));
	assert_null(bh_yaml_get(b, "z", NULL));
}

static void copy_item(const char *text, size_t i, const char *want)
{
	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = NULL;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	const struct bh_yaml_doc *doc = NULL;
	bh_autofree char *copy = NULL;

	assert_int_equal(bh_yaml_open("t", text, strlen(text), &d, &y), 0);
	assert_int_equal(bh_yaml_next(y, &doc), 1);
	copy = bh_yaml_copy(bh_yaml_text(y), doc->root->items[i]);
	assert_string_equal(copy, want);
}

static void test_copy(void **state)
{
	static const char text[] =
	    "- a: 1\n  b: # c\n  - 2\n\n# d\n- {e: 3,\n   f: 4}\n- &x {g: 5}\n- [*x]\n";

	(void)state;
	copy_item(text, 0, "  a: 1\n  b: # c\n  - 2\n\n# d\n");
	copy_item(text, 1, "  {e: 3,\n   f: 4}\n");
	copy_item(text, 2, "  &x {g: 5}\n");
	copy_item(text, 3, "[{\"g\": 5}]\n");
}

/* ---- limits ---- */

static void test_depth(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT, out = BH_BUF_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;

	(void)state;
	for (unsigned i = 0; i < BH_YAML_DEPTH_MAX; i++)
		bh_buf_putc(&b, '[');
	for (unsigned i = 0; i < BH_YAML_DEPTH_MAX; i++)
		bh_buf_putc(&b, ']');
	read_text(b.data, b.len, &out, &d);
	assert_int_equal(d.n, 0);
	assert_int_equal(out.len, b.len + 1);
	bh_buf_clear(&b);
	for (unsigned i = 0; i <= BH_YAML_DEPTH_MAX; i++)
		bh_buf_putc(&b, '[');
	bh_buf_clear(&out);
	read_text(b.data, b.len, &out, &d);
	assert_int_equal(d.n_errors, 1);
	assert_string_equal(d.items[0].code, "e22");
	assert_string_equal(bh_buf_str(&out), "");
}

/* Each level is one deeper than the alias in it. */
static void alias_chain(unsigned levels, struct bh_diags *d)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT, out = BH_BUF_INIT;

	bh_buf_puts(&b, "- &a0 []\n");
	for (unsigned i = 1; i < levels; i++)
		bh_buf_printf(&b, "- &a%u [*a%u]\n", i, i - 1);
	read_text(b.data, b.len, &out, d);
}

static void test_depth_by_aliases(void **state)
{
	bh_cleanup(bh_diags_done) struct bh_diags fits = BH_DIAGS_INIT, over = BH_DIAGS_INIT;

	(void)state;
	alias_chain(BH_YAML_DEPTH_MAX - 1, &fits); /* and the list around them */
	assert_int_equal(fits.n, 0);
	alias_chain(BH_YAML_DEPTH_MAX, &over);
	assert_int_equal(over.n_errors, 1);
	assert_string_equal(over.items[0].code, "e22");
}

static void nodes(size_t n, struct bh_diags *d)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = NULL;
	const struct bh_yaml_doc *doc = NULL;

	bh_buf_putc(&b, '[');
	for (size_t i = 1; i < n; i++)
		bh_buf_puts(&b, "a,");
	bh_buf_putc(&b, ']');
	assert_int_equal(bh_yaml_open("t", b.data, b.len, d, &y), 0);
	if (bh_yaml_next(y, &doc) == 1)
		assert_int_equal(doc->root->weight, n);
}

static void test_nodes(void **state)
{
	bh_cleanup(bh_diags_done) struct bh_diags fits = BH_DIAGS_INIT, over = BH_DIAGS_INIT;

	(void)state;
	nodes(BH_YAML_NODES_MAX, &fits);
	assert_int_equal(fits.n, 0);
	nodes(BH_YAML_NODES_MAX + 1, &over);
	assert_int_equal(over.n_errors, 1);
	assert_string_equal(over.items[0].code, "e22");
}

static void test_billion_laughs(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT, merged = BH_BUF_INIT,
					      out = BH_BUF_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT, d2 = BH_DIAGS_INIT;

	(void)state;
	bh_buf_puts(&b, "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
	for (int i = 1; i < 30; i++) {
		bh_buf_printf(&b, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			bh_buf_printf(&b, "%s*a%d", k ? ", " : "", i - 1);
		bh_buf_puts(&b, "]\n");
	}
	read_text(b.data, b.len, &out, &d);
	assert_int_equal(d.n_errors, 1);
	assert_string_equal(d.items[0].code, "e22");
	assert_string_equal(bh_buf_str(&out), "");
	/* The same by merge keys. */
	bh_buf_puts(&merged, "a0: &a0 {x: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\n");
	for (int i = 1; i < 40; i++)
		bh_buf_printf(&merged, "a%d: &a%d {<<: [*a%d, *a%d, *a%d, *a%d], k%d: *a%d}\n", i,
			      i, i - 1, i - 1, i - 1, i - 1, i, i - 1);
	read_text(merged.data, merged.len, &out, &d2);
	assert_int_equal(d2.n_errors, 1);
	assert_string_equal(d2.items[0].code, "e22");
}

static void test_scalar_length(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT, out = BH_BUF_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;

	(void)state;
	for (unsigned i = 0; i < BH_YAML_SCALAR_MAX; i++)
		bh_buf_putc(&b, 'a');
	read_text(b.data, b.len, &out, &d);
	assert_int_equal(d.n, 0);
	bh_buf_putc(&b, 'a');
	read_text(b.data, b.len, &out, &d);
	assert_int_equal(d.n_errors, 1);
	assert_string_equal(d.items[0].code, "e22");
}

static void anchors(unsigned n, struct bh_diags *d)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT, out = BH_BUF_INIT;

	for (unsigned i = 0; i < n; i++)
		bh_buf_printf(&b, "- &a%u x\n", i);
	bh_buf_puts(&b, "- *a0\n");
	read_text(b.data, b.len, &out, d);
}

static void test_anchors_limit(void **state)
{
	bh_cleanup(bh_diags_done) struct bh_diags fits = BH_DIAGS_INIT, over = BH_DIAGS_INIT;

	(void)state;
	anchors(BH_YAML_ANCHORS_MAX, &fits);
	assert_int_equal(fits.n, 0);
	anchors(BH_YAML_ANCHORS_MAX + 1, &over);
	assert_int_equal(over.n_errors, 1);
	assert_string_equal(over.items[0].code, "e22");
}

static void test_file_size(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT, out = BH_BUF_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	char *p;

	(void)state;
	bh_buf_puts(&b, "a: b #");
	p = bh_buf_reserve(&b, BH_YAML_FILE_MAX - b.len);
	assert_non_null(p);
	memset(p, 'x', BH_YAML_FILE_MAX - 6);
	read_text(b.data, b.len, &out, &d);
	assert_int_equal(d.n, 0);
	assert_string_equal(bh_buf_str(&out), "{\"a\": \"b\"}\n");
	bh_buf_putc(&b, 'x');
	bh_buf_clear(&out);
	read_text(b.data, b.len, &out, &d);
	assert_int_equal(d.n_errors, 1);
	assert_string_equal(d.items[0].code, "e22");
	assert_string_equal(bh_buf_str(&out), "");
}

/* Texts that make naive readers slow: each must be done in a moment. */
static void test_slow_texts(void **state)
{
	static const char *const parts[] = { "\n",  "---\n@\n",  "- ",     "{",
					     "? ",  "a:\n",      "\"",     "&a ",
					     "#\n", "[]\n---\n", "a: b\n", "--- \n" };

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(parts); i++) {
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT, out = BH_BUF_INIT;
		bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;

		while (b.len < 1024 * 1024)
			bh_buf_puts(&b, parts[i]);
		read_text(b.data, b.len, &out, &d);
		assert_true(d.n <= BH_DIAG_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),        cmocka_unit_test(test_documents),
		cmocka_unit_test(test_anchors),       cmocka_unit_test(test_keys),
		cmocka_unit_test(test_characters),    cmocka_unit_test(test_goes_on_after_errors),
		cmocka_unit_test(test_places),        cmocka_unit_test(test_copy),
		cmocka_unit_test(test_depth),         cmocka_unit_test(test_depth_by_aliases),
		cmocka_unit_test(test_nodes),         cmocka_unit_test(test_billion_laughs),
		cmocka_unit_test(test_scalar_length), cmocka_unit_test(test_anchors_limit),
		cmocka_unit_test(test_file_size),     cmocka_unit_test(test_slow_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
