// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_buf.c - a buffer grows, stays text, and remembers that memory ran out
 */
#include "common/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_empty(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	bh_autofree char *s = NULL;

	assert_string_equal(bh_buf_str(&b), "");
	assert_false(bh_buf_failed(&b));
	s = bh_buf_take(&b);
	assert_non_null(s);
	assert_string_equal(s, "");
}

static void test_add(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	bh_buf_puts(&b, "ab");
	bh_buf_putc(&b, 'c');
	bh_buf_add(&b, "d\0e", 3);
	bh_buf_add(&b, "", 0);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "abcd\0e", 7);
	bh_buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(bh_buf_str(&b), "");
	memcpy(bh_buf_reserve(&b, 3), "xyz", 3);
	assert_string_equal(bh_buf_str(&b), "xyz");
}

static void test_grows(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	for (int i = 0; i < 100000; i++)
		bh_buf_putc(&b, (char)('a' + i % 26));
	assert_int_equal(b.len, 100000);
	assert_int_equal(strlen(bh_buf_str(&b)), 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
}

/* Every length around the first capacity: the text that fits exactly is the one that goes wrong. */
static void test_printf(void **state)
{
	for (int n = 0; n < 300; n++) {
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

		bh_buf_printf(&b, "%*s|", n, "");
		bh_buf_printf(&b, "%d", 7);
		assert_int_equal(b.len, n + 2);
		assert_int_equal(strlen(bh_buf_str(&b)), n + 2);
		assert_string_equal(bh_buf_str(&b) + n, "|7");
	}
}

static void test_take(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	bh_autofree char *s = NULL;

	bh_buf_puts(&b, "mine");
	s = bh_buf_take(&b);
	assert_string_equal(s, "mine");
	assert_null(b.data);
	bh_buf_puts(&b, "next");
	assert_string_equal(bh_buf_str(&b), "next");
	assert_string_equal(s, "mine");
}

static void test_failure_sticks(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	bh_buf_puts(&b, "before");
	assert_null(bh_buf_reserve(&b, SIZE_MAX - 2));
	assert_true(bh_buf_failed(&b));
	bh_buf_puts(&b, "after");
	bh_buf_printf(&b, "%s", "after");
	assert_string_equal(bh_buf_str(&b), "");
	bh_buf_clear(&b);
	assert_true(bh_buf_failed(&b));
	assert_null(bh_buf_take(&b));
	assert_false(bh_buf_failed(&b));
	bh_buf_puts(&b, "again");
	assert_string_equal(bh_buf_str(&b), "again");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty), cmocka_unit_test(test_add),
		cmocka_unit_test(test_grows), cmocka_unit_test(test_printf),
		cmocka_unit_test(test_take),  cmocka_unit_test(test_failure_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
