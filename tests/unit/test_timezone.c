/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_timezone.c - common/timezone.h
 *
 * Offsets are those of Python's zoneinfo, a second before and at each change of some years: before the tables begin,
 * in them, and far behind their end. Files made by hand show what is refused.
 */
#include "common/timezone.h"

#include "common/file.h"
#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const struct {
	const char *zone;
	int64_t t;
	int32_t offset;
} offsets[] = {
	{ "Europe/Vienna", -5364662400, 3921 },
	{ "Europe/Vienna", -2422055122, 3921 },
	{ "Europe/Vienna", -2422055121, 3600 },
	{ "Europe/Vienna", 0, 3600 },
	{ "Europe/Vienna", 512528399, 3600 },
	{ "Europe/Vienna", 512528400, 7200 },
	{ "Europe/Vienna", 528253199, 7200 },
	{ "Europe/Vienna", 528253200, 3600 },
	{ "Europe/Vienna", 1924992000, 3600 },
	{ "Europe/Vienna", 1932598799, 3600 },
	{ "Europe/Vienna", 1932598800, 7200 },
	{ "Europe/Vienna", 1950742799, 7200 },
	{ "Europe/Vienna", 1950742800, 3600 },
	{ "Europe/Vienna", 4109878799, 3600 },
	{ "Europe/Vienna", 4109878800, 7200 },
	{ "Europe/Vienna", 4128627599, 7200 },
	{ "Europe/Vienna", 4128627600, 3600 },
	{ "Europe/Vienna", 13574563200, 3600 },
	{ "Europe/Vienna", 253346749199, 3600 },
	{ "Europe/Vienna", 253346749200, 7200 },
	{ "Europe/Vienna", 253364893199, 7200 },
	{ "Europe/Vienna", 253364893200, 3600 },
	{ "America/New_York", -5364662400, -17762 },
	{ "America/New_York", 0, -18000 },
	{ "America/New_York", 514969199, -18000 },
	{ "America/New_York", 514969200, -14400 },
	{ "America/New_York", 530690399, -14400 },
	{ "America/New_York", 530690400, -18000 },
	{ "America/New_York", 1924992000, -18000 },
	{ "America/New_York", 1930805999, -18000 },
	{ "America/New_York", 1930806000, -14400 },
	{ "America/New_York", 1951365599, -14400 },
	{ "America/New_York", 1951365600, -18000 },
	{ "America/New_York", 4108690799, -18000 },
	{ "America/New_York", 4108690800, -14400 },
	{ "America/New_York", 4129250399, -14400 },
	{ "America/New_York", 4129250400, -18000 },
	{ "America/New_York", 13574563200, -18000 },
	{ "America/New_York", 253344956399, -18000 },
	{ "America/New_York", 253344956400, -14400 },
	{ "America/New_York", 253365515999, -14400 },
	{ "America/New_York", 253365516000, -18000 },
	{ "Asia/Kathmandu", -5364662400, 20476 },
	{ "Asia/Kathmandu", 0, 19800 },
	{ "Asia/Kathmandu", 1924992000, 20700 },
	{ "Asia/Kathmandu", 13574563200, 20700 },
	{ "Australia/Lord_Howe", -5364662400, 38180 },
	{ "Australia/Lord_Howe", 0, 36000 },
	{ "Australia/Lord_Howe", 511282799, 39600 },
	{ "Australia/Lord_Howe", 511282800, 37800 },
	{ "Australia/Lord_Howe", 530033399, 37800 },
	{ "Australia/Lord_Howe", 530033400, 39600 },
	{ "Australia/Lord_Howe", 1924992000, 39600 },
	{ "Australia/Lord_Howe", 1933167599, 39600 },
	{ "Australia/Lord_Howe", 1933167600, 37800 },
	{ "Australia/Lord_Howe", 1948894199, 37800 },
	{ "Australia/Lord_Howe", 1948894200, 39600 },
	{ "Australia/Lord_Howe", 4110447599, 39600 },
	{ "Australia/Lord_Howe", 4110447600, 37800 },
	{ "Australia/Lord_Howe", 4126174199, 37800 },
	{ "Australia/Lord_Howe", 4126174200, 39600 },
	{ "Australia/Lord_Howe", 13574563200, 39600 },
	{ "Australia/Lord_Howe", 253347317999, 39600 },
	{ "Australia/Lord_Howe", 253347318000, 37800 },
	{ "Australia/Lord_Howe", 253363044599, 37800 },
	{ "Australia/Lord_Howe", 253363044600, 39600 },
	{ "UTC", -5364662400, 0 },
	{ "UTC", 0, 0 },
	{ "UTC", 1924992000, 0 },
	{ "UTC", 13574563200, 0 },
	{ "Europe/Dublin", -5364662400, -1521 },
	{ "Europe/Dublin", 0, 3600 },
	{ "Europe/Dublin", 512528399, 0 },
	{ "Europe/Dublin", 512528400, 3600 },
	{ "Europe/Dublin", 530672399, 3600 },
	{ "Europe/Dublin", 530672400, 0 },
	{ "Europe/Dublin", 1924992000, 0 },
	{ "Europe/Dublin", 1932598799, 0 },
	{ "Europe/Dublin", 1932598800, 3600 },
	{ "Europe/Dublin", 1950742799, 3600 },
	{ "Europe/Dublin", 1950742800, 0 },
	{ "Europe/Dublin", 4109878799, 0 },
	{ "Europe/Dublin", 4109878800, 3600 },
	{ "Europe/Dublin", 4128627599, 3600 },
	{ "Europe/Dublin", 4128627600, 0 },
	{ "Europe/Dublin", 13574563200, 0 },
	{ "Europe/Dublin", 253346749199, 0 },
	{ "Europe/Dublin", 253346749200, 3600 },
	{ "Europe/Dublin", 253364893199, 3600 },
	{ "Europe/Dublin", 253364893200, 0 },
};

static void test_offsets_as_others_know_them(void **state)
{
	struct bh_zone z;

	for (size_t i = 0; i < BH_ARRAY_SIZE(offsets); i++) {
		int32_t got;

		assert_int_equal(bh_zone_load(NULL, offsets[i].zone, &z), 0);
		got = bh_zone_offset(&z, offsets[i].t, NULL);
		if (got != offsets[i].offset)
			fail_msg("%s at %lld: %d, want %d", offsets[i].zone,
				 (long long)offsets[i].t, got, offsets[i].offset);
	}
}

/* Tables may end with an entry that changes nothing. */
static int64_t next_change(const struct bh_zone *z, int64_t t)
{
	int64_t until;
	int32_t offset = bh_zone_offset(z, t, &until);

	while (until != INT64_MAX && bh_zone_offset(z, until, NULL) == offset) {
		t = until;
		(void)bh_zone_offset(z, t, &until);
	}
	if (until != INT64_MAX)
		assert_int_equal(bh_zone_offset(z, until - 1, NULL), offset);
	return until;
}

/* From change to change: each is where the table says, and nothing is left out. */
static void test_until_leads_to_the_next_change(void **state)
{
	static const struct {
		const char *zone;
		int64_t from;
		int64_t changes[3];
	} cases[] = {
		{ "Europe/Vienna", 1924992000, { 1932598800, 1950742800, 1964048400 } },
		{ "Australia/Lord_Howe", 1924992000, { 1933167600, 1948894200, 1964617200 } },
		{ "UTC", 1924992000, { INT64_MAX, 0, 0 } },
		{ "Asia/Kathmandu", 0, { 504901800, INT64_MAX, 0 } },
		{ "Europe/Vienna", INT64_MAX, { INT64_MAX, 0, 0 } },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		int64_t t = cases[i].from;
		struct bh_zone z;

		assert_int_equal(bh_zone_load(NULL, cases[i].zone, &z), 0);
		for (size_t k = 0; k < 3 && cases[i].changes[k] != 0; k++) {
			t = next_change(&z, t);
			if (t != cases[i].changes[k])
				fail_msg("%s: %lld", cases[i].zone, (long long)t);
		}
	}
}

static void test_names_stay_in_the_folder(void **state)
{
	static const char *const bad[] = {
		"",
		"/etc/passwd",
		"/usr/share/zoneinfo/UTC",
		"../x",
		"../zoneinfo/UTC",
		"Europe/../UTC",
		"Europe//Vienna",
		"Europe/",
		"./UTC",
		"UTC ",
		"UTC\n",
		"Europe\\Vienna",
		"zone.tab",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct bh_zone z;

	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		assert_int_equal(bh_zone_load(NULL, bad[i], &z), -EINVAL);
	assert_int_equal(bh_zone_load(NULL, "Europe", &z), -EINVAL);
	assert_int_equal(bh_zone_load(NULL, "Europe/Atlantis", &z), -ENOENT);
	assert_int_equal(bh_zone_load("/no/such/folder", "UTC", &z), -ENOENT);
	assert_int_equal(bh_zone_load(NULL, "Etc/GMT+5", &z), 0);
	assert_int_equal(bh_zone_offset(&z, 0, NULL), -5 * 3600);
}

/* ---- files made by hand ---- */

struct image {
	uint8_t b[256];
	size_t n;
};

static void put(struct image *m, const void *p, size_t n)
{
	assert_true(m->n + n <= sizeof(m->b));
	memcpy(m->b + m->n, p, n);
	m->n += n;
}

static void put32(struct image *m, uint32_t v)
{
	const uint8_t b[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
			       (uint8_t)v };

	put(m, b, sizeof(b));
}

static void put_header(struct image *m, uint32_t leap, uint32_t times, uint32_t types)
{
	put(m, "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	put32(m, 0);
	put32(m, 0);
	put32(m, leap);
	put32(m, times);
	put32(m, types);
	put32(m, 4);
}

/* One change at the UNIX time 1000, from +01:00 to +02:00, then the footer. */
static struct image image_make(const char *footer)
{
	struct image m = { .n = 0 };

	put_header(&m, 0, 0, 1);
	put(&m, "\0\0\0\0\0\0ABC\0", 10);
	put_header(&m, 0, 1, 2);
	put(&m, "\0\0\0\0\0\0\x03\xe8\1", 9);
	put32(&m, 3600);
	put(&m, "\0\0", 2);
	put32(&m, 7200);
	put(&m, "\1\0ABC\0", 6);
	put(&m, footer, strlen(footer));
	return m;
}

static int read_image(const struct image *m, struct bh_zone *z)
{
	/* Memory of exactly that size, so that a sanitizer sees whoever reads on. */
	bh_autofree uint8_t *p = malloc(m->n + 1);

	assert_non_null(p);
	memcpy(p, m->b, m->n);
	return bh_zone_read(p, m->n, z);
}

static void test_a_table_and_its_footer(void **state)
{
	struct image m = image_make("\n\n");
	struct bh_zone z;
	int64_t until;

	assert_int_equal(read_image(&m, &z), 0);
	assert_int_equal(bh_zone_offset(&z, INT64_MIN, &until), 3600);
	assert_true(until == 1000);
	assert_int_equal(bh_zone_offset(&z, 999, NULL), 3600);
	assert_int_equal(bh_zone_offset(&z, 1000, &until), 7200);
	assert_true(until == INT64_MAX);

	m = image_make("\nXYZ-3:30\n");
	assert_int_equal(read_image(&m, &z), 0);
	assert_int_equal(bh_zone_offset(&z, 999, NULL), 3600);
	assert_int_equal(bh_zone_offset(&z, 1000, NULL), 3 * 3600 + 1800);
}

static void test_rules_of_footers(void **state)
{
	static const struct {
		const char *footer;
		int64_t t; /* a change, or any moment */
		int32_t before, at;
	} cases[] = {
		/* Julian days: 1 March is the 60th, leap year or not. */
		{ "\nAAA0BBB,J60/0,J300\n", 1709251200, 0, 3600 },
		{ "\nAAA0BBB,J60/0,J300\n", 1740787200, 0, 3600 },
		{ "\nAAA0BBB,59/0,300\n", 1709164800, 0, 3600 },
		/* Summer time all year: RFC 9636, 3.3.1. */
		{ "\nXXX3EDT4,0/0,J365/23\n", 1735700400, -4 * 3600, -4 * 3600 },
		{ "\nXXX3EDT4,0/0,J365/23\n", 1735704000, -4 * 3600, -4 * 3600 },
		/* Three hours before midnight of a Saturday, -2:00 on Sunday (Nuuk). */
		{ "\n<-02>2<-01>,M3.5.0/-1,M10.5.0/0\n", 1932598800, -7200, -3600 },
		/* Beyond a day: the Saturday after the fourth Thursday (Gaza, as it was). */
		{ "\nEET-2EEST,M3.4.4/50,M10.4.4/50\n", 1932508800, 7200, 10800 },
		/* The fifth Sunday where there are four. */
		{ "\nAAA0BBB,M2.5.0/0,M10.5.0\n", 1740268800, 0, 3600 },
	};
	static const char *const bad[] = {
		"",
		"\n",
		"UTC0\n",
		"\nUTC0",
		"\nUT0\n",
		"\nUTC\n",
		"\nUTC25\n",
		"\n<+01-1\n",
		"\nAAA0BBB\n",
		"\nAAA0BBB,M3.5.0\n",
		"\nAAA0BBB,M13.1.0,M1.1.0\n",
		"\nAAA0BBB,M0.1.0,M1.1.0\n",
		"\nAAA0BBB,M1.6.0,M1.1.0\n",
		"\nAAA0BBB,M1.1.7,M1.1.0\n",
		"\nAAA0BBB,J0,J5\n",
		"\nAAA0BBB,366,5\n",
		"\nAAA0BBB,0/168,5\n",
		"\nAAA0BBB,0,5,\n",
		"\nAAA0BBB,99999999999999999999,5\n",
	};
	struct bh_zone z;
	struct image m;

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		m = image_make(cases[i].footer);
		assert_int_equal(read_image(&m, &z), 0);
		if (bh_zone_offset(&z, cases[i].t - 1, NULL) != cases[i].before ||
		    bh_zone_offset(&z, cases[i].t, NULL) != cases[i].at)
			fail_msg("%s: %d, %d", cases[i].footer,
				 bh_zone_offset(&z, cases[i].t - 1, NULL),
				 bh_zone_offset(&z, cases[i].t, NULL));
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++) {
		m = image_make(bad[i]);
		if (read_image(&m, &z) != -EPROTO)
			fail_msg("taken: \"%s\"", bad[i]);
	}
}

static void test_damaged_files(void **state)
{
	const struct image good = image_make("\nAAA0BBB,M3.5.0,M10.5.0\n");
	/* Where what stands in the second part; the first has 44 + 10 bytes. */
	const size_t second = 54, tables = second + 44;
	struct image m;
	struct bh_zone z;

	assert_int_equal(read_image(&good, &z), 0);
	for (size_t n = 0; n < good.n; n++) {
		m = good;
		m.n = n;
		assert_int_equal(read_image(&m, &z), -EPROTO);
	}
	m = good;
	m.b[4] = '\0'; /* version 1 */
	assert_int_equal(read_image(&m, &z), -EPROTO);
	m = good;
	m.b[tables + 8] = 2; /* a type that is none */
	assert_int_equal(read_image(&m, &z), -EPROTO);
	m = good;
	m.b[tables + 9] = 0x80; /* an offset of years */
	assert_int_equal(read_image(&m, &z), -EPROTO);
	m = good;
	memset(m.b + second + 28, 0xff, 4); /* four thousand million leap seconds */
	assert_int_equal(read_image(&m, &z), -EPROTO);
	/* Whatever stands at each byte: an answer, and nothing read beyond the end. */
	for (size_t i = 0; i < good.n; i++) {
		for (unsigned v = 0; v < 256; v++) {
			m = good;
			m.b[i] = (uint8_t)v;
			if (read_image(&m, &z) == 0)
				(void)bh_zone_offset(&z, (int64_t)v << 24, NULL);
		}
	}
	assert_int_equal(bh_zone_read(NULL, BH_ZONE_FILE_MAX + 1, &z), -E2BIG);
}

static void test_files_that_are_none(void **state)
{
	char folder[] = "/tmp/bh-zone-XXXXXX", path[64];
	bh_autofree char *big = calloc(1, BH_ZONE_FILE_MAX + 1);
	const struct image good = image_make("\nAAA0\n");
	struct bh_zone z;

	assert_non_null(big);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/Mine", folder);
	assert_int_equal(bh_file_write(path, good.b, good.n, 0600, NULL), 0);
	assert_int_equal(bh_zone_load(folder, "Mine", &z), 0);
	assert_int_equal(bh_zone_offset(&z, 2000, NULL), 0);
	assert_int_equal(bh_file_write(path, big, BH_ZONE_FILE_MAX + 1, 0600, NULL), 0);
	assert_int_equal(bh_zone_load(folder, "Mine", &z), -E2BIG);
	assert_int_equal(unlink(path), 0);
	/* Nobody will ever write to it. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(bh_zone_load(folder, "Mine", &z), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void test_calendar(void **state)
{
	static const struct {
		int64_t year;
		unsigned month, day, weekday;
		int64_t days;
	} cases[] = {
		{ 1970, 1, 1, 3, 0 },         { 1969, 12, 31, 2, -1 },   { 2000, 2, 29, 1, 11016 },
		{ 1900, 3, 1, 3, -25508 },    { 2031, 3, 1, 5, 22339 },  { 1, 1, 1, 0, -719162 },
		{ 9999, 12, 31, 4, 2932896 }, { 2100, 2, 28, 6, 47540 },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		unsigned month, day;
		int64_t year;

		assert_int_equal(bh_days_of_date(cases[i].year, cases[i].month, cases[i].day),
				 cases[i].days);
		bh_date_of_days(cases[i].days, &year, &month, &day);
		assert_int_equal(year, cases[i].year);
		assert_int_equal(month, cases[i].month);
		assert_int_equal(day, cases[i].day);
		assert_int_equal(bh_weekday_of_days(cases[i].days), cases[i].weekday);
	}
	/* Day after day, over two 400 years. */
	for (int64_t d = -800 * 366; d < 800 * 366; d++) {
		unsigned month, day;
		int64_t year;

		bh_date_of_days(d, &year, &month, &day);
		assert_true(month >= 1 && month <= 12 && day >= 1 &&
			    day <= bh_days_of_month(year, month));
		assert_true(bh_days_of_date(year, month, day) == d);
	}
	assert_int_equal(bh_days_of_month(2000, 2), 29);
	assert_int_equal(bh_days_of_month(2100, 2), 28);
	assert_int_equal(bh_days_of_month(2100, 13), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offsets_as_others_know_them),
		cmocka_unit_test(test_until_leads_to_the_next_change),
		cmocka_unit_test(test_names_stay_in_the_folder),
		cmocka_unit_test(test_a_table_and_its_footer),
		cmocka_unit_test(test_rules_of_footers),
		cmocka_unit_test(test_damaged_files),
		cmocka_unit_test(test_files_that_are_none),
		cmocka_unit_test(test_calendar),
	};

	return cmocka_run_group_tests_name("timezone", tests, NULL, NULL);
}
