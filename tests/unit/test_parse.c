// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_parse.c - numbers, durations, times, and the nearest word
 */
#include "common/clock.h"
#include "common/parse.h"
#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_u64(void **state)
{
	static const char *const bad[] = { "",     " 1",  "1 ",  "+1",  "-1",
					   "0x10", "1.0", "1e3", "one", "1," };
	uint64_t v = 42;

	assert_int_equal(bh_parse_u64("0", 10, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(bh_parse_u64("65535", 65535, &v), 0);
	assert_int_equal(v, 65535);
	assert_int_equal(bh_parse_u64("65536", 65535, &v), -ERANGE);
	assert_int_equal(bh_parse_u64("0007", 7, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(bh_parse_u64("18446744073709551615", UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	v = 42;
	assert_int_equal(bh_parse_u64("18446744073709551616", UINT64_MAX, &v), -ERANGE);
	assert_int_equal(bh_parse_u64("184467440737095516150000", UINT64_MAX, &v), -ERANGE);
	/* Not a number is said before too large. */
	assert_int_equal(bh_parse_u64("99999999999999999999x", 10, &v), -EINVAL);
	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		assert_int_equal(bh_parse_u64(bad[i], UINT64_MAX, &v), -EINVAL);
	assert_int_equal(bh_parse_u64(NULL, 10, &v), -EINVAL);
	assert_int_equal(v, 42);
}

static void test_mac(void **state)
{
	static const char *const bad[] = { "",
					   "02:00:00:00:00",
					   "02:00:00:00:00:01:",
					   "02:00:00:00:00:0g",
					   "2:0:0:0:0:1",
					   "02-00-00-00-00-01",
					   "02:00:00:00:00:1",
					   "02:00:00:00:00:001" };
	static const uint8_t want[6] = { 0x02, 0, 0xab, 0xCD, 0, 0xff };
	uint8_t mac[6] = { 0 };

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		assert_int_equal(bh_parse_mac(bad[i], mac), -EINVAL);
	assert_int_equal(mac[0], 0);
	assert_int_equal(bh_parse_mac("02:00:aB:Cd:00:fF", mac), 0);
	assert_memory_equal(mac, want, sizeof(mac));
}

static void test_duration(void **state)
{
	static const struct {
		const char *s;
		int64_t ms;
	} good[] = {
		{ "250ms", 250 },
		{ "0s", 0 },
		{ "2s", 2000 },
		{ "5m", 300000 },
		{ "1h", 3600000 },
		{ "9223372036854775807ms", INT64_MAX },
		{ "2562047788015h", INT64_C(9223372036854000000) },
	};
	static const char *const bad[] = { "",    "5",  "s",  "ms",  "1.5s", "-1s",
					   "1 s", "1d", "1S", "1sx", "1m30s" };
	static const char *const over[] = { "2562047788016h", "9223372036854775808ms",
					    "99999999999999999999s" };
	int64_t ms = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(good); i++) {
		assert_int_equal(bh_parse_duration(good[i].s, &ms), 0);
		assert_true(ms == good[i].ms);
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		assert_int_equal(bh_parse_duration(bad[i], &ms), -EINVAL);
	for (size_t i = 0; i < BH_ARRAY_SIZE(over); i++)
		assert_int_equal(bh_parse_duration(over[i], &ms), -ERANGE);
	assert_int_equal(bh_parse_duration(NULL, &ms), -EINVAL);
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "ingress", "egress", "ports", "http", "ssh", "from" };
	static const struct {
		const char *word, *nearest;
	} cases[] = {
		{ "ingres", "ingress" },
		{ "ingresss", "ingress" },
		{ "inrgess", "ingress" },
		{ "egres", "egress" },
		{ "prots", "ports" },
		{ "htpt", "http" },
		{ "port", "ports" },
		{ "ssh", "ssh" },
		{ "form", "from" },
		{ "xyzzy", NULL },
		{ "", NULL },
		{ "s", NULL },
		{ "xx", NULL },
		{ "inxxxss", NULL },
	};
	char longest[200];

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		const char *got = bh_nearest(cases[i].word, words, BH_ARRAY_SIZE(words));

		if (cases[i].nearest)
			assert_string_equal(got, cases[i].nearest);
		else
			assert_null(got);
	}
	assert_null(bh_nearest("ports", words, 0));
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(bh_nearest(longest, words, BH_ARRAY_SIZE(words)));
	assert_null(bh_nearest("ab", (const char *const[]){ longest, NULL }, 2));
}

static void test_time(void **state)
{
	char buf[BH_TIME_STRLEN];

	assert_string_equal(bh_clock_format(INT64_C(1767323045678901), buf),
			    "2026-01-02T03:04:05.678901Z");
	assert_string_equal(bh_clock_format(0, buf), "1970-01-01T00:00:00.000000Z");
	assert_string_equal(bh_clock_format(-1, buf), "1969-12-31T23:59:59.999999Z");
	/* No moment makes it write beyond the buffer. */
	assert_true(strlen(bh_clock_format(INT64_MAX, buf)) < BH_TIME_STRLEN);
	assert_true(strlen(bh_clock_format(INT64_MIN, buf)) < BH_TIME_STRLEN);
	assert_true(bh_clock_now() <= bh_clock_now());
	assert_true(bh_clock_wall_us() > INT64_C(1700000000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),  cmocka_unit_test(test_duration),
		cmocka_unit_test(test_mac),  cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
