/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_scalar.c - plain scalars are what YAML 1.1 and the API server make of them
 */
#include "common/util.h"
#include "policy/load/scalar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct bh_scalar resolve(const char *s)
{
	return bh_scalar_resolve(s, strlen(s));
}

static void expect(const char *const *texts, size_t n, enum bh_yaml_type type)
{
	for (size_t i = 0; i < n; i++)
		if (resolve(texts[i]).type != type)
			fail_msg("%s is %s, not %s", texts[i],
				 bh_yaml_type_name(resolve(texts[i]).type),
				 bh_yaml_type_name(type));
}

static void test_null(void **state)
{
	static const char *const texts[] = { "", "~", "null", "Null", "NULL" };

	(void)state;
	expect(texts, BH_ARRAY_SIZE(texts), BH_YAML_NULL);
}

static void test_booleans(void **state)
{
	static const char *const yes[] = { "y",    "Y",    "yes", "Yes", "YES", "true",
					   "True", "TRUE", "on",  "On",  "ON" };
	static const char *const no[] = { "n",     "N",     "no",  "No",  "NO", "false",
					  "False", "FALSE", "off", "Off", "OFF" };

	(void)state;
	expect(yes, BH_ARRAY_SIZE(yes), BH_YAML_BOOL);
	expect(no, BH_ARRAY_SIZE(no), BH_YAML_BOOL);
	for (size_t i = 0; i < BH_ARRAY_SIZE(yes); i++) {
		assert_true(resolve(yes[i]).boolean);
		assert_false(resolve(no[i]).boolean);
	}
}

static void test_strings(void **state)
{
	static const char *const texts[] = {
		"nULL",
		"tRUE",
		"yES",
		"oN",
		"Nope",
		"12:30:45",
		"2001-01-01",
		"NaN",
		"nan",
		"inf",
		"1.2.3",
		"1e",
		"1e+",
		"0x",
		"0o",
		"0b",
		"0b12",
		"0o18",
		"0xg",
		"-",
		"+",
		"--1",
		"_1",
		".",
		"..5",
		"._5",
		".5_0",
		"1 0",
		"1e999",
		"0x1.8p1",
		"10.0.0.0/8",
		"80-443",
		"443/tcp",
		"a",
		"<<",
		"1a",
		"+-1",
		".e3",
		"e3",
		"0x1p-2",
		"=",
		"١",
		"0x1ffffffffffffffff",
	};
	static const char nul[] = "1\0002";

	(void)state;
	expect(texts, BH_ARRAY_SIZE(texts), BH_YAML_STRING);
	assert_int_equal(bh_scalar_resolve(nul, 3).type, BH_YAML_STRING);
}

static void test_integers(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
		bool octal;
	} cases[] = {
		{ "0", 0, false },
		{ "-0", 0, false },
		{ "+1", 1, false },
		{ "80", 80, false },
		{ "-12", -12, false },
		{ "010", 8, true },
		{ "017", 15, true },
		{ "-010", -8, true },
		{ "007", 7, false },
		{ "00", 0, false },
		{ "0o17", 15, false },
		{ "0O17", 15, false },
		{ "0x50", 80, false },
		{ "0X5f", 95, false },
		{ "-0x10", -16, false },
		{ "0b11", 3, false },
		{ "0B11", 3, false },
		{ "1_000", 1000, false },
		{ "1__0", 10, false },
		{ "1_", 1, false },
		{ "0_10", 8, true },
		{ "0x_50", 80, false },
		{ "9223372036854775807", INT64_MAX, false },
		{ "-9223372036854775808", INT64_MIN, false },
		{ "18446744073709551615", INT64_MAX, false },
		{ "4294967376", 4294967376, false },
	};

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_scalar s = resolve(cases[i].text);

		if (s.type != BH_YAML_INT || s.integer != cases[i].value ||
		    s.octal != cases[i].octal)
			fail_msg("%s is %s %lld%s", cases[i].text, bh_yaml_type_name(s.type),
				 (long long)s.integer, s.octal ? " (octal)" : "");
	}
}

static void test_floats(void **state)
{
	static const struct {
		const char *text;
		double value;
	} cases[] = {
		{ "1.0", 1 },     { ".5", 0.5 },   { "-.5", -0.5 }, { "1.", 1 },
		{ "1e3", 1000 },  { "8e1", 80 },   { "1E3", 1000 }, { "1.5e+1", 15 },
		{ "25e-2", .25 }, { "08", 8 },     { "09", 9 },     { "1_0.5", 10.5 },
		{ ".5e1", 5 },    { "+1.5", 1.5 }, { "08.5", 8.5 }, { "0e999", 0 },
		{ "1e-999", 0 },
	};
	static const char *const special[] = { ".inf",
					       "-.Inf",
					       "+.INF",
					       ".nan",
					       ".NaN",
					       "18446744073709551616",
					       "-9223372036854775809" };

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_scalar s = resolve(cases[i].text);

		if (s.type != BH_YAML_FLOAT || s.real < cases[i].value || s.real > cases[i].value)
			fail_msg("%s is %s %g", cases[i].text, bh_yaml_type_name(s.type), s.real);
	}
	expect(special, BH_ARRAY_SIZE(special), BH_YAML_FLOAT);
}

static void test_long_ones(void **state)
{
	char text[70000];

	(void)state;
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(resolve(text).type, BH_YAML_STRING);
	text[300] = '\0';
	assert_int_equal(resolve(text).type, BH_YAML_FLOAT);
	text[0] = '.';
	assert_int_equal(resolve(text).type, BH_YAML_FLOAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_null),    cmocka_unit_test(test_booleans),
		cmocka_unit_test(test_strings), cmocka_unit_test(test_integers),
		cmocka_unit_test(test_floats),  cmocka_unit_test(test_long_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
