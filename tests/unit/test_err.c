// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_err.c - what an error message reads like, and where it is cut
 */
#include "common/err.h"
#include "common/log.h"
#include "common/util.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_set_and_wrap(void **state)
{
	struct bh_err err = { .code = 0 };

	assert_int_equal(bh_err_set(&err, -EINVAL, "port %u is not in 1-65535", 70000U), -EINVAL);
	assert_int_equal(bh_err_wrap(&err, -EINVAL, "ingress rule %zu", (size_t)2), -EINVAL);
	assert_string_equal(err.msg, "ingress rule 2: port 70000 is not in 1-65535");
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(bh_err_text(&err, -EINVAL), err.msg);
}

static void test_nothing_set(void **state)
{
	struct bh_err err = { .code = 0 };

	assert_string_equal(bh_err_text(NULL, -ENOENT), "No such file or directory");
	assert_string_equal(bh_err_text(&err, -ENOENT), "No such file or directory");
	assert_string_equal(bh_err_text(NULL, -99999), "unknown error");
	assert_int_equal(bh_err_wrap(&err, -EACCES, "writing '%s'", "x"), -EACCES);
	assert_string_equal(err.msg, "writing 'x': Permission denied");
	assert_int_equal(err.code, -EACCES);
}

static void test_null_is_accepted(void **state)
{
	assert_int_equal(bh_err_set(NULL, -EBUSY, "x"), -EBUSY);
	assert_int_equal(bh_err_wrap(NULL, -EBUSY, "x"), -EBUSY);
}

static void test_own_message_as_argument(void **state)
{
	struct bh_err err = { .code = 0 };

	(void)bh_err_set(&err, -EINVAL, "inner");
	(void)bh_err_set(&err, -EINVAL, "[%s]", err.msg);
	assert_string_equal(err.msg, "[inner]");
	(void)bh_err_wrap(&err, -EINVAL, "about %s", err.msg);
	assert_string_equal(err.msg, "about [inner]: [inner]");
}

/* A text of @n letters. */
static void letters(char *buf, size_t n)
{
	memset(buf, 'a', n);
	buf[n] = '\0';
}

static void test_cut(void **state)
{
	char text[BH_ERR_MSG_SIZE + 100];
	struct bh_err err = { .code = 0 };

	letters(text, BH_ERR_MSG_SIZE - 1);
	(void)bh_err_set(&err, -EINVAL, "%s", text);
	assert_string_equal(err.msg, text);

	letters(text, BH_ERR_MSG_SIZE);
	(void)bh_err_set(&err, -EINVAL, "%s", text);
	assert_int_equal(strlen(err.msg), BH_ERR_MSG_SIZE - 1);
	assert_string_equal(err.msg + BH_ERR_MSG_SIZE - 5, "a...");

	/* "x: " and exactly what fits behind it, then one letter more. */
	letters(text, BH_ERR_MSG_SIZE - 4);
	(void)bh_err_set(&err, -EINVAL, "%s", text);
	(void)bh_err_wrap(&err, -EINVAL, "x");
	assert_int_equal(strlen(err.msg), BH_ERR_MSG_SIZE - 1);
	assert_string_equal(err.msg + BH_ERR_MSG_SIZE - 5, "aaaa");
	letters(text, BH_ERR_MSG_SIZE - 3);
	(void)bh_err_set(&err, -EINVAL, "%s", text);
	(void)bh_err_wrap(&err, -EINVAL, "x");
	assert_int_equal(strlen(err.msg), BH_ERR_MSG_SIZE - 1);
	assert_string_equal(err.msg + BH_ERR_MSG_SIZE - 5, "a...");

	/* The words in front alone are too long. */
	letters(text, sizeof(text) - 1);
	(void)bh_err_set(&err, -EINVAL, "inner");
	(void)bh_err_wrap(&err, -EINVAL, "%s", text);
	assert_int_equal(strlen(err.msg), BH_ERR_MSG_SIZE - 1);
	assert_string_equal(err.msg + BH_ERR_MSG_SIZE - 5, "a...");
}

/* What @fn writes to stderr. */
static void captured(void (*fn)(void), char *buf, size_t size)
{
	int saved = dup(STDERR_FILENO), p[2];
	ssize_t n;

	assert_true(saved >= 0);
	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(dup2(p[1], STDERR_FILENO) >= 0);
	fn();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	(void)close(saved);
	(void)close(p[1]);
	n = read(p[0], buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	(void)close(p[0]);
}

static void log_some(void)
{
	bh_log_init("prog", BH_LOG_WARNING);
	errno = EACCES;
	bh_warning("one %d: %m", 1);
	assert_int_equal(errno, EACCES);
	bh_notice("not shown");
	bh_error("two\nlines \x1b[31m");
}

static void log_flood(void)
{
	struct bh_log_limit lim = { .interval_ms = 3600000, .burst = 2, .tokens = 2 };

	bh_log_init("prog", BH_LOG_WARNING);
	for (int i = 0; i < 10; i++)
		bh_log_limited(&lim, BH_LOG_WARNING, "line %d", i);
	lim.tokens = 1;
	bh_log_limited(&lim, BH_LOG_WARNING, "last");
}

static void log_long(void)
{
	static char text[10000];

	letters(text, sizeof(text) - 1);
	bh_log_init("prog", BH_LOG_WARNING);
	bh_warning("%s", text);
}

static void test_log(void **state)
{
	char out[4096];

	captured(log_some, out, sizeof(out));
	assert_string_equal(out, "prog: warning: one 1: Permission denied\n"
				 "prog: error: two lines ?[31m\n");
	captured(log_flood, out, sizeof(out));
	assert_string_equal(out, "prog: warning: line 0\nprog: warning: line 1\n"
				 "prog: warning: last (8 more like this were not shown)\n");
	captured(log_long, out, sizeof(out));
	assert_true(strlen(out) > 1000 && strlen(out) <= 2048);
	assert_string_equal(out + strlen(out) - 2, "a\n");
}

static void test_log_levels(void **state)
{
	static const char *const names[] = { "error", "warning", "notice", "info", "debug" };
	enum bh_log_level level = BH_LOG_ERROR;

	for (unsigned i = 0; i < BH_ARRAY_SIZE(names); i++) {
		assert_int_equal(bh_log_level_parse(names[i], &level), 0);
		assert_int_equal(level, BH_LOG_ERROR + i);
		bh_log_set_level(level);
		assert_int_equal(bh_log_level_get(), level);
	}
	assert_int_equal(bh_log_level_parse("Error", &level), -EINVAL);
	assert_int_equal(bh_log_level_parse("", &level), -EINVAL);
	assert_int_equal(bh_log_level_parse("verbose", &level), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_wrap),
		cmocka_unit_test(test_nothing_set),
		cmocka_unit_test(test_null_is_accepted),
		cmocka_unit_test(test_own_message_as_argument),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
