// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_json.c - strict JSON, and getters that never turn an absent field into zero
 */
#include "common/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int load(const char *s, json_t **ret, struct bh_err *err)
{
	return bh_json_load(s, strlen(s), 1000, ret, err);
}

static json_t *loaded(const char *s)
{
	struct bh_err err = { .code = 0 };
	json_t *v = NULL;

	if (load(s, &v, &err) < 0)
		fail_msg("%s: %s", s, err.msg);
	return v;
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",     "{",       "{} x",       "{}{}",     "{\"a\":1,\"a\":2}", "{'a':1}",
		"[1,]", "\"a\"",   "1",          "nul",      "[\"\\u0000\"]",     "[01]",
		"[+1]", "[1e999]", "[\"\xff\"]", "// x\n{}",
	};
	struct bh_err err = { .code = 0 };
	json_t *v = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (load(bad[i], &v, &err) != -EINVAL)
			fail_msg("'%s' was accepted", bad[i]);
	}
	assert_int_equal(load("{\n  \"a\": x}", &v, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "line 2, column"));
	assert_null(v);
}

static void test_limit(void **state)
{
	struct bh_err err = { .code = 0 };
	bh_autojson json_t *v = NULL;

	assert_int_equal(bh_json_load("[1]", 3, 2, &v, &err), -E2BIG);
	assert_int_equal(bh_json_load("[1]", 3, 3, &v, &err), 0);
	/* Only @size bytes are looked at. */
	json_decref(v);
	assert_int_equal(bh_json_load("[1]]", 3, 3, &v, &err), 0);
}

static void test_big_integers(void **state)
{
	bh_autojson json_t *v = loaded("{\"n\":18446744073709551615,\"m\":-9223372036854775809,"
				       "\"max\":9223372036854775807,\"r\":1.5,"
				       "\"s\":\"99999999999999999999 \\\" 99999999999999999999\"}");
	struct bh_err err = { .code = 0 };
	const char *s = NULL;
	uint64_t n = 0;

	assert_true(json_is_real(json_object_get(v, "n")));
	assert_true(json_real_value(json_object_get(v, "n")) > 1.8e19);
	assert_true(json_is_real(json_object_get(v, "m")));
	assert_true(json_real_value(json_object_get(v, "r")) > 1.4);
	assert_int_equal(bh_json_str(v, "s", &s, &err), 0);
	assert_string_equal(s, "99999999999999999999 \" 99999999999999999999");
	assert_int_equal(bh_json_u64(v, "max", UINT64_MAX, &n, &err), 0);
	assert_true(n == INT64_MAX);
	assert_int_equal(bh_json_u64(v, "n", UINT64_MAX, &n, &err), -EINVAL);
}

static void test_strings(void **state)
{
	bh_autojson json_t *v = loaded("{\"s\":\"x\",\"empty\":\"\",\"null\":null,\"n\":1}");
	struct bh_err err = { .code = 0 };
	const char *s = NULL;

	assert_int_equal(bh_json_str(v, "s", &s, &err), 0);
	assert_string_equal(s, "x");
	assert_int_equal(bh_json_str(v, "empty", &s, &err), 0);
	assert_string_equal(s, "");
	assert_int_equal(bh_json_str(v, "none", &s, &err), -ENOENT);
	assert_string_equal(err.msg, "\"none\" is missing");
	assert_int_equal(bh_json_str(v, "null", &s, &err), -ENOENT);
	assert_int_equal(bh_json_str(v, "n", &s, &err), -EINVAL);
	assert_string_equal(err.msg, "\"n\" must be a string, and is a number");
	assert_int_equal(bh_json_str(NULL, "s", &s, &err), -EINVAL);
	assert_int_equal(bh_json_str(json_object_get(v, "n"), "s", &s, &err), -EINVAL);
}

static void test_numbers(void **state)
{
	bh_autojson json_t *v =
	    loaded("{\"p\":65535,\"q\":65536,\"neg\":-1,\"r\":80.0,\"s\":\"80\",\"z\":0}");
	struct bh_err err = { .code = 0 };
	uint64_t n = 7;

	assert_int_equal(bh_json_u64(v, "p", 65535, &n, &err), 0);
	assert_int_equal(n, 65535);
	assert_int_equal(bh_json_u64(v, "z", 65535, &n, &err), 0);
	assert_int_equal(n, 0);
	n = 7;
	assert_int_equal(bh_json_u64(v, "q", 65535, &n, &err), -EINVAL);
	assert_string_equal(err.msg, "\"q\" is 65536, not in 0-65535");
	assert_int_equal(bh_json_u64(v, "neg", 65535, &n, &err), -EINVAL);
	assert_int_equal(bh_json_u64(v, "r", 65535, &n, &err), -EINVAL);
	assert_int_equal(bh_json_u64(v, "s", 65535, &n, &err), -EINVAL);
	assert_int_equal(bh_json_u64(v, "none", 65535, &n, &err), -ENOENT);
	assert_int_equal(n, 7);
}

static void test_other_types(void **state)
{
	bh_autojson json_t *v =
	    loaded("{\"t\":true,\"f\":false,\"o\":{\"x\":1},\"a\":[1,2],\"n\":0}");
	struct bh_err err = { .code = 0 };
	json_t *sub = NULL;
	bool b = false;

	assert_int_equal(bh_json_bool(v, "t", &b, &err), 0);
	assert_true(b);
	assert_int_equal(bh_json_bool(v, "f", &b, &err), 0);
	assert_false(b);
	assert_int_equal(bh_json_bool(v, "n", &b, &err), -EINVAL);
	assert_int_equal(bh_json_bool(v, "none", &b, &err), -ENOENT);
	assert_int_equal(bh_json_obj(v, "o", &sub, &err), 0);
	assert_int_equal(json_object_size(sub), 1);
	assert_int_equal(bh_json_obj(v, "a", &sub, &err), -EINVAL);
	assert_string_equal(err.msg, "\"a\" must be an object, and is a list");
	assert_int_equal(bh_json_obj(v, "none", &sub, &err), -ENOENT);
	assert_int_equal(bh_json_arr(v, "a", &sub, &err), 0);
	assert_int_equal(json_array_size(sub), 2);
	assert_int_equal(bh_json_arr(v, "o", &sub, &err), -EINVAL);
	assert_int_equal(bh_json_arr(v, "none", &sub, &err), -ENOENT);
}

static void test_text(void **state)
{
	bh_autojson json_t *v = loaded("{ \"a\" : [ 1, \"x\" ] }");
	bh_autofree char *s = bh_json_text(v);

	assert_string_equal(s, "{\"a\":[1,\"x\"]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),      cmocka_unit_test(test_limit),
		cmocka_unit_test(test_big_integers), cmocka_unit_test(test_strings),
		cmocka_unit_test(test_numbers),      cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
