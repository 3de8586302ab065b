// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_addr.c - addresses and prefixes: what is read, what is refused, what lies where
 */
#include "common/addr.h"
#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct bh_addr addr(const char *s)
{
	struct bh_addr a = { .family = 0 };

	assert_int_equal(bh_addr_parse(s, &a), 0);
	return a;
}

static struct bh_prefix prefix(const char *s)
{
	struct bh_prefix p = { .len = 0 };

	assert_int_equal(bh_prefix_parse(s, &p), 0);
	return p;
}

static void test_addr_parse(void **state)
{
	static const char *const good[][2] = {
		{ "10.1.2.3", "10.1.2.3" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" },
		{ "FD00::0005", "fd00::5" },
		{ "::ffff:10.0.0.1", "::ffff:10.0.0.1" },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
	};
	static const char *const bad[] = {
		"",          "10.1.2",    "10.1.2.3.4",        "10.1.2.256",
		"010.1.2.3", "10.1.2.3 ", " 10.1.2.3",         "10.1.2.3/32",
		"fe80::1%1", "::1::",     "1:2:3:4:5:6:7:8:9", "g::",
		"web",       "0x0a.1.2.3"
	};
	char buf[BH_ADDR_STRLEN];
	struct bh_addr a;

	for (size_t i = 0; i < BH_ARRAY_SIZE(good); i++) {
		a = addr(good[i][0]);
		assert_string_equal(bh_addr_format(&a, buf), good[i][1]);
		assert_int_equal(a.family, strchr(good[i][0], ':') ? 6 : 4);
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		assert_int_equal(bh_addr_parse(bad[i], &a), -EINVAL);
	assert_int_equal(bh_addr_parse(NULL, &a), -EINVAL);
	a = (struct bh_addr){ .family = 0 };
	assert_string_equal(bh_addr_format(&a, buf), "none");
}

static void test_compare(void **state)
{
	struct bh_addr a = addr("10.0.0.1"), b = addr("10.0.0.2"), c = addr("::1");
	uint8_t raw[4] = { 10, 0, 0, 1 };
	struct bh_addr d = bh_addr_from_v4(raw), e = bh_addr_from_v6(c.bytes);

	assert_true(bh_addr_eq(&a, &d));
	assert_true(bh_addr_eq(&c, &e));
	assert_false(bh_addr_eq(&a, &b));
	assert_false(bh_addr_eq(&a, &c));
	assert_true(bh_addr_cmp(&a, &b) < 0);
	assert_true(bh_addr_cmp(&b, &a) > 0);
	assert_true(bh_addr_cmp(&b, &c) < 0); /* the family first */
	assert_int_equal(bh_addr_size(&a), 4);
	assert_int_equal(bh_addr_size(&c), 16);
}

static void test_neighbours(void **state)
{
	static const char *const pairs[][2] = {
		{ "10.0.0.255", "10.0.1.0" },
		{ "0.255.255.255", "1.0.0.0" },
		{ "::ffff:ffff", "::1:0:0" },
		{ "fd00::", "fd00::1" },
	};
	struct bh_addr a, b, c;

	for (size_t i = 0; i < BH_ARRAY_SIZE(pairs); i++) {
		a = addr(pairs[i][0]);
		b = addr(pairs[i][1]);
		assert_true(bh_addr_next(&a, &c));
		assert_true(bh_addr_eq(&c, &b));
		assert_true(bh_addr_prev(&b, &c));
		assert_true(bh_addr_eq(&c, &a));
	}
	a = addr("255.255.255.255");
	assert_false(bh_addr_next(&a, &c));
	a = addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_false(bh_addr_next(&a, &c));
	a = addr("0.0.0.0");
	assert_false(bh_addr_prev(&a, &c));
	a = addr("::");
	assert_false(bh_addr_prev(&a, &c));
	a = (struct bh_addr){ .family = 0 };
	assert_false(bh_addr_next(&a, &c));
	assert_false(bh_addr_prev(&a, &c));
}

static void test_prefix_parse(void **state)
{
	static const char *const good[][2] = {
		{ "10.0.0.0/8", "10.0.0.0/8" },
		{ "10.1.2.3/8", "10.0.0.0/8" },
		{ "010.0.0.0/08", "10.0.0.0/8" },
		{ "010.000.000.009/032", "10.0.0.9/32" },
		{ "10.1.2.3/32", "10.1.2.3/32" },
		{ "10.1.2.255/25", "10.1.2.128/25" },
		{ "255.255.255.255/0", "0.0.0.0/0" },
		{ "FD00::/8", "fd00::/8" },
		{ "fd00::1/127", "fd00::/127" },
		{ "::/0", "::/0" },
		{ "::1/128", "::1/128" },
		{ "1::/16", "1::/16" },
		{ "00001:2:3:4:5:6:7:8/128", "1:2:3:4:5:6:7:8/128" },
		{ "1:2:3:4:5:6:10.0.0.1/128", "1:2:3:4:5:6:a00:1/128" },
		{ "64:ff9b::010.0.0.1/128", "64:ff9b::a00:1/128" },
		{ "1:2:3:4:5:6:7::/112", "1:2:3:4:5:6:7:0/112" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
	};
	static const char *const bad[] = {
		"",
		"/",
		"/8",
		"10.0.0.0",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/ 8",
		"10.0.0.0/8 ",
		" 10.0.0.0/8",
		"10.0.0.0/255.0.0.0",
		"10.0.0/8",
		"10.0.0.0.0/8",
		"10.0.0.256/8",
		"10..0.0/8",
		"a.0.0.0/8",
		"10.0.0.0/8/8",
		"::/129",
		"fe80::%eth0/64",
		"fe80::%1/64",
		":/0",
		":1::/16",
		"1:/16",
		"1::2::/16",
		":::/16",
		"1:2:3:4:5:6:7/64",
		"1:2:3:4:5:6:7:8:9/64",
		"1:2:3:4:5:6:7:8::/64",
		"::1:2:3:4:5:6:7:8/64",
		"10000::/16",
		"g::/16",
		"1:2:3:4:5:6:7:10.0.0.1/64",
		"::10.0.0/64",
		"::10.0.0.1:1/64",
		"::10.0.0.256/64",
		"10.0.0.0/99999999999999999999",
		"00000000000000000000000000000000000000000000000000000000000010.0.0.0/8",
	};
	char buf[BH_PREFIX_STRLEN];
	struct bh_prefix p;

	for (size_t i = 0; i < BH_ARRAY_SIZE(good); i++) {
		p = prefix(good[i][0]);
		assert_string_equal(bh_prefix_format(&p, buf), good[i][1]);
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++) {
		if (bh_prefix_parse(bad[i], &p) != -EINVAL)
			fail_msg("'%s' was accepted", bad[i]);
	}
	assert_int_equal(bh_prefix_parse(NULL, &p), -EINVAL);
}

static void test_contains(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool in;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "9.255.255.255", false },
		{ "10.0.0.0/9", "10.127.255.255", true },
		{ "10.0.0.0/9", "10.128.0.0", false },
		{ "0.0.0.0/0", "192.0.2.1", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "10.0.0.1", false },
		{ "::/0", "fd00::1", true },
		{ "fd00::/127", "fd00::1", true },
		{ "fd00::/127", "fd00::2", false },
		{ "10.0.0.1/32", "10.0.0.1", true },
		{ "10.0.0.1/32", "10.0.0.0", false },
	};
	struct bh_addr none = { .family = 0 };
	struct bh_prefix nothing = { .len = 0 };

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_prefix p = prefix(cases[i].prefix);
		struct bh_addr a = addr(cases[i].addr);

		assert_int_equal(bh_prefix_contains(&p, &a), cases[i].in);
	}
	assert_false(bh_prefix_contains(&nothing, &none));
}

static void test_covers_and_range(void **state)
{
	struct bh_prefix wide = prefix("10.0.0.0/8"), narrow = prefix("10.1.0.0/16"),
			 six = prefix("::/0");
	struct bh_prefix other = prefix("11.0.0.0/16"), all6 = prefix("fd00::/63");
	char buf[BH_ADDR_STRLEN];
	struct bh_addr lo, hi;

	assert_true(bh_prefix_covers(&wide, &narrow));
	assert_true(bh_prefix_covers(&wide, &wide));
	assert_false(bh_prefix_covers(&narrow, &wide));
	assert_false(bh_prefix_covers(&wide, &other));
	assert_false(bh_prefix_covers(&six, &narrow));

	bh_prefix_range(&narrow, &lo, &hi);
	assert_string_equal(bh_addr_format(&lo, buf), "10.1.0.0");
	assert_string_equal(bh_addr_format(&hi, buf), "10.1.255.255");
	bh_prefix_range(&all6, &lo, &hi);
	assert_string_equal(bh_addr_format(&lo, buf), "fd00::");
	assert_string_equal(bh_addr_format(&hi, buf), "fd00::1:ffff:ffff:ffff:ffff");
	/* The unused bytes of an IPv4 address stay zero. */
	bh_prefix_range(&wide, &lo, &hi);
	for (size_t i = 4; i < 16; i++)
		assert_int_equal(hi.bytes[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_parse), cmocka_unit_test(test_compare),
		cmocka_unit_test(test_neighbours), cmocka_unit_test(test_prefix_parse),
		cmocka_unit_test(test_contains),   cmocka_unit_test(test_covers_and_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
