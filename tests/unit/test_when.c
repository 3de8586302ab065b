/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_when.c - policy/when.h
 *
 * The moments were worked out with Python's zoneinfo.
 */
#include "policy/when.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	MON = 1 << 0,
	FRI = 1 << 4,
	SUN = 1 << 6,
	WORK = 0x1f,
	DAILY = 0x7f,
};

static int64_t at(const char *text)
{
	int64_t t = 0;

	if (bh_time_parse(text, &t) < 0)
		fail_msg("not a time: %s", text);
	return t;
}

static struct bh_when window(unsigned days, unsigned from, unsigned to, const char *zone)
{
	return (struct bh_when){ (uint8_t)days, (uint16_t)from, (uint16_t)to, (char *)zone };
}

static void test_times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t t;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2031-03-01T18:00:00Z", 1930154400 },
		{ "2031-03-01t18:00:00z", 1930154400 },
		{ "2031-03-01T18:00:00.999999999999Z", 1930154400 },
		{ "2031-03-01T19:00:00+01:00", 1930154400 },
		{ "2031-03-01T12:15:00-05:45", 1930154400 },
		{ "2031-03-02T17:59:00+23:59", 1930154400 },
		{ "2031-03-01T18:00:00-00:00", 1930154400 },
		{ "2000-02-29T00:00:00Z", 951782400 },
		{ "2016-12-31T23:59:60Z", 1483228799 },
		{ "2017-01-01T00:59:60+01:00", 1483228799 },
		{ "0001-01-01T00:00:00Z", -62135596800 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
	};
	static const char *const bad[] = {
		"",
		"2031",
		"2031-03-01",
		"2031-03-01T18:00Z",
		"2031-03-01T18:00:00",
		"2031-03-01 18:00:00Z",
		"2031-03-01T18:00:00 Z",
		"2031-03-01T18:00:00Z ",
		" 2031-03-01T18:00:00Z",
		"2031-03-01T18:00:00.Z",
		"2031-03-01T18:00:00,5Z",
		"2031-03-01T18:00:00+1:00",
		"2031-03-01T18:00:00+0100",
		"2031-03-01T18:00:00+24:00",
		"2031-03-01T18:00:00+01:60",
		"2031-3-1T18:00:00Z",
		"2031-13-01T18:00:00Z",
		"2031-00-01T18:00:00Z",
		"2031-02-29T18:00:00Z",
		"2100-02-29T18:00:00Z",
		"2031-03-00T18:00:00Z",
		"2031-04-31T18:00:00Z",
		"2031-03-01T24:00:00Z",
		"2031-03-01T18:60:00Z",
		"2031-03-01T18:00:60Z",
		"2031-03-01T23:59:61Z",
		"0000-01-01T00:00:00Z",
		"+2031-03-01T18:00:00Z",
		"-001-03-01T18:00:00Z",
		"12031-03-01T18:00:00Z",
	};
	int64_t t = 4711;

	for (size_t i = 0; i < BH_ARRAY_SIZE(good); i++)
		assert_int_equal(at(good[i].text), good[i].t);
	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++) {
		if (bh_time_parse(bad[i], &t) != -EINVAL)
			fail_msg("taken: \"%s\"", bad[i]);
	}
	assert_int_equal(t, 4711);
	assert_int_equal(bh_time_parse(NULL, &t), -EINVAL);
}

static void test_times_are_written(void **state)
{
	char buf[32];

	assert_string_equal(bh_time_format(0, buf), "1970-01-01T00:00:00Z");
	assert_string_equal(bh_time_format(-1, buf), "1969-12-31T23:59:59Z");
	assert_string_equal(bh_time_format(1930154400, buf), "2031-03-01T18:00:00Z");
	assert_string_equal(bh_time_format(-62135596800, buf), "0001-01-01T00:00:00Z");
	assert_string_equal(bh_time_format(253402300799, buf), "9999-12-31T23:59:59Z");
	assert_string_equal(bh_time_format(INT64_MAX, buf), "292277026596-12-04T15:30:07Z");
	assert_string_equal(bh_time_format(INT64_MIN, buf), "-292277022657-01-27T08:29:52Z");
}

static void test_zones(void **state)
{
	assert_true(bh_zone_known("UTC"));
	assert_true(bh_zone_known("America/Argentina/Buenos_Aires"));
	assert_false(bh_zone_known("Europe/Atlantis"));
	assert_false(bh_zone_known("../zoneinfo/UTC"));
	assert_false(bh_zone_known("/usr/share/zoneinfo/UTC"));
	assert_false(bh_zone_known(""));
	assert_false(bh_zone_known(NULL));
}

static void assert_changes(const struct bh_when *w, const char *from, bool open,
			   const char *const *changes)
{
	int64_t t = at(from);
	char buf[32];

	for (;; changes++, open = !open) {
		assert_int_equal(bh_when_open(w, t), open);
		if (!*changes) {
			assert_true(bh_when_next(w, t) == INT64_MAX);
			return;
		}
		t = bh_when_next(w, t);
		if (t == INT64_MAX || strcmp(bh_time_format(t, buf), *changes) != 0)
			fail_msg("%s: changes at %s, want %s", w->zone,
				 t == INT64_MAX ? "no time" : buf, *changes);
		assert_int_equal(bh_when_open(w, t - 1), open);
		if (!changes[1])
			return;
	}
}

#define CHANGES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_office_hours(void **state)
{
	struct bh_when w = window(WORK, 8 * 60, 18 * 60, "Europe/Vienna");

	/* From a Saturday on. */
	assert_changes(&w, "2031-03-01T12:00:00Z", false,
		       CHANGES("2031-03-03T07:00:00Z", "2031-03-03T17:00:00Z",
			       "2031-03-04T07:00:00Z", "2031-03-04T17:00:00Z"));
	assert_changes(&w, "2031-03-07T10:00:00Z", true,
		       CHANGES("2031-03-07T17:00:00Z", "2031-03-10T07:00:00Z"));
	/* The weekend on which clocks are put forward: an hour earlier in UTC. */
	assert_changes(&w, "2031-03-28T17:00:00Z", false,
		       CHANGES("2031-03-31T06:00:00Z", "2031-03-31T16:00:00Z"));
	w = window(DAILY, 9 * 60, 17 * 60, "Asia/Kathmandu");
	assert_changes(&w, "2031-01-01T00:00:00Z", false,
		       CHANGES("2031-01-01T03:15:00Z", "2031-01-01T11:15:00Z"));
	assert_true(bh_when_open(&w, 19896549300));
	assert_false(bh_when_open(&w, 19896549299));
}

static void test_over_midnight(void **state)
{
	struct bh_when w = window(FRI, 22 * 60, 6 * 60, "UTC");

	/* 7 March 2031 is a Friday; the day is that on which it begins. */
	assert_changes(
	    &w, "2031-03-07T03:00:00Z", false,
	    CHANGES("2031-03-07T22:00:00Z", "2031-03-08T06:00:00Z", "2031-03-14T22:00:00Z"));
	assert_true(bh_when_open(&w, at("2031-03-08T00:00:00Z")));
	w = window(SUN, 23 * 60, 60, "UTC");
	assert_changes(&w, "2031-03-09T12:00:00Z", false,
		       CHANGES("2031-03-09T23:00:00Z", "2031-03-10T01:00:00Z"));
	/* To midnight, written either way. */
	w = window(FRI, 22 * 60, 1440, "UTC");
	assert_changes(&w, "2031-03-07T03:00:00Z", false,
		       CHANGES("2031-03-07T22:00:00Z", "2031-03-08T00:00:00Z"));
	w.to = 0;
	assert_changes(&w, "2031-03-07T03:00:00Z", false,
		       CHANGES("2031-03-07T22:00:00Z", "2031-03-08T00:00:00Z"));
}

static void test_whole_days(void **state)
{
	struct bh_when w = window(DAILY, 0, 1440, "Europe/Vienna");

	assert_changes(&w, "2031-03-01T12:00:00Z", true, CHANGES(NULL));
	w = window(WORK, 0, 1440, "America/New_York");
	assert_changes(&w, "2031-03-06T12:00:00Z", true,
		       CHANGES("2031-03-08T05:00:00Z", "2031-03-10T04:00:00Z"));
	w = window(0, 0, 1440, "UTC");
	assert_changes(&w, "2031-03-01T12:00:00Z", false, CHANGES(NULL));
	w = window(DAILY, 600, 600, "UTC");
	assert_changes(&w, "2031-03-01T12:00:00Z", false, CHANGES(NULL));
}

static void test_clocks_put_forward(void **state)
{
	/* 30 March 2031: from 02:00 to 03:00. */
	struct bh_when w = window(DAILY, 120, 180, "Europe/Vienna");

	assert_changes(&w, "2031-03-29T12:00:00Z", false,
		       CHANGES("2031-03-31T00:00:00Z", "2031-03-31T01:00:00Z"));
	w = window(SUN, 150, 160, "Europe/Vienna");
	assert_changes(&w, "2031-03-29T12:00:00Z", false, CHANGES("2031-04-06T00:30:00Z"));
	/* It begins within what is left out, or ends there. */
	w = window(DAILY, 150, 200, "Europe/Vienna");
	assert_changes(&w, "2031-03-29T12:00:00Z", false,
		       CHANGES("2031-03-30T01:00:00Z", "2031-03-30T01:20:00Z"));
	w = window(DAILY, 60, 150, "America/New_York");
	assert_changes(&w, "2031-03-08T12:00:00Z", false,
		       CHANGES("2031-03-09T06:00:00Z", "2031-03-09T07:00:00Z"));
	/* Half an hour, on Lord Howe Island: 5 October, 02:00 becomes 02:30. */
	w = window(DAILY, 135, 180, "Australia/Lord_Howe");
	assert_changes(&w, "2031-10-04T12:00:00Z", false,
		       CHANGES("2031-10-04T15:30:00Z", "2031-10-04T16:00:00Z"));
}

static void test_clocks_put_back(void **state)
{
	/* 26 October 2031: 03:00 becomes 02:00, so it opens twice. */
	struct bh_when w = window(DAILY, 120, 150, "Europe/Vienna");

	assert_changes(&w, "2031-10-25T12:00:00Z", false,
		       CHANGES("2031-10-26T00:00:00Z", "2031-10-26T00:30:00Z",
			       "2031-10-26T01:00:00Z", "2031-10-26T01:30:00Z"));
	/* All of the repeated hour: it does not shut in between. */
	w = window(DAILY, 120, 180, "Europe/Vienna");
	assert_changes(&w, "2031-10-25T12:00:00Z", false,
		       CHANGES("2031-10-26T00:00:00Z", "2031-10-26T02:00:00Z"));
	w = window(DAILY, 30, 90, "America/New_York");
	assert_changes(&w, "2031-11-01T12:00:00Z", false,
		       CHANGES("2031-11-02T04:30:00Z", "2031-11-02T05:30:00Z",
			       "2031-11-02T06:00:00Z", "2031-11-02T06:30:00Z"));
	w = window(DAILY, 90, 115, "Australia/Lord_Howe");
	assert_changes(&w, "2031-04-05T12:00:00Z", false,
		       CHANGES("2031-04-05T14:30:00Z", "2031-04-05T14:55:00Z",
			       "2031-04-05T15:00:00Z", "2031-04-05T15:25:00Z"));
}

static void test_far_away(void **state)
{
	struct bh_when w = window(MON, 8 * 60, 9 * 60, "Europe/Vienna");

	/* By the footer: 30 June 2431 is a Monday, in summer time. */
	assert_changes(&w, "2431-06-29T12:00:00Z", false,
		       CHANGES("2431-06-30T06:00:00Z", "2431-06-30T07:00:00Z"));
	/* Whatever the clock of the machine says. */
	(void)bh_when_open(&w, INT64_MAX);
	(void)bh_when_open(&w, INT64_MIN);
	(void)bh_when_next(&w, INT64_MAX);
	(void)bh_when_next(&w, INT64_MIN);
}

static void test_windows_without_a_zone(void **state)
{
	struct bh_when w = window(0, 0, 0, NULL);

	assert_true(bh_when_open(&w, 0));
	assert_true(bh_when_next(&w, 0) == INT64_MAX);
	w = window(DAILY, 0, 1440, "Europe/Atlantis");
	assert_false(bh_when_open(&w, 0));
	assert_true(bh_when_next(&w, 0) == INT64_MAX);
}

static void test_modes(void **state)
{
	struct bh_policy p = { .mode = BH_MODE_LEARN, .monitor_after = 100, .enforce_after = 200 };

	assert_int_equal(bh_policy_mode_at(&p, 99), BH_MODE_LEARN);
	assert_int_equal(bh_policy_mode_at(&p, 100), BH_MODE_MONITOR);
	assert_int_equal(bh_policy_mode_at(&p, 199), BH_MODE_MONITOR);
	assert_int_equal(bh_policy_mode_at(&p, 200), BH_MODE_ENFORCE);
	assert_int_equal(bh_policy_next(&p, -5), 100);
	assert_int_equal(bh_policy_next(&p, 100), 200);
	assert_true(bh_policy_next(&p, 200) == INT64_MAX);
	p.expires = 150;
	assert_int_equal(bh_policy_mode_at(&p, 149), BH_MODE_MONITOR);
	assert_int_equal(bh_policy_mode_at(&p, 150), BH_MODE_INVALID);
	assert_int_equal(bh_policy_next(&p, 100), 150);
	assert_true(bh_policy_next(&p, 150) == INT64_MAX);
	p = (struct bh_policy){ .mode = BH_MODE_ENFORCE };
	assert_int_equal(bh_policy_mode_at(&p, INT64_MAX), BH_MODE_ENFORCE);
}

static void test_rules(void **state)
{
	struct bh_rule in[2] = {
		{ .expires = at("2031-03-04T12:00:00Z"), .when = window(WORK, 480, 1080, "UTC") },
		{ .action = BH_ACTION_ALLOW },
	};
	struct bh_rule eg[1] = { { .expires = at("2031-03-03T09:00:00Z") } };
	struct bh_policy p = { .mode = BH_MODE_ENFORCE };

	p.rules[BH_DIR_INGRESS] = in;
	p.n_rules[BH_DIR_INGRESS] = 2;
	p.rules[BH_DIR_EGRESS] = eg;
	p.n_rules[BH_DIR_EGRESS] = 1;
	assert_false(bh_rule_holds_at(&in[0], at("2031-03-03T07:59:59Z")));
	assert_true(bh_rule_holds_at(&in[0], at("2031-03-03T08:00:00Z")));
	assert_true(bh_rule_holds_at(&in[0], at("2031-03-04T11:59:59Z")));
	assert_false(bh_rule_holds_at(&in[0], at("2031-03-04T12:00:00Z")));
	assert_true(bh_rule_holds_at(&in[1], INT64_MAX));
	assert_int_equal(bh_policy_next(&p, at("2031-03-03T07:00:00Z")),
			 at("2031-03-03T08:00:00Z"));
	assert_int_equal(bh_policy_next(&p, at("2031-03-03T08:00:00Z")),
			 at("2031-03-03T09:00:00Z"));
	assert_int_equal(bh_policy_next(&p, at("2031-03-03T09:00:00Z")),
			 at("2031-03-03T18:00:00Z"));
	assert_int_equal(bh_policy_next(&p, at("2031-03-04T09:00:00Z")),
			 at("2031-03-04T12:00:00Z"));
	assert_true(bh_policy_next(&p, at("2031-03-04T12:00:00Z")) == INT64_MAX);
	/* A zone that cannot be read: what refuses holds, what opens does not. */
	in[0].when.zone = (char *)"Europe/Atlantis";
	for (enum bh_action a = BH_ACTION_ALLOW; a < BH_ACTION_COUNT; a++) {
		in[0].action = a;
		assert_int_equal(bh_rule_holds_at(&in[0], at("2031-03-03T08:00:00Z")),
				 a == BH_ACTION_DENY || a == BH_ACTION_REJECT);
	}
	/* With the policy all of it ends. */
	p.expires = at("2031-03-03T08:30:00Z");
	assert_int_equal(bh_policy_next(&p, at("2031-03-03T08:00:00Z")), p.expires);
	assert_true(bh_policy_next(&p, p.expires) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_are_read),
		cmocka_unit_test(test_times_are_written),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_office_hours),
		cmocka_unit_test(test_over_midnight),
		cmocka_unit_test(test_whole_days),
		cmocka_unit_test(test_clocks_put_forward),
		cmocka_unit_test(test_clocks_put_back),
		cmocka_unit_test(test_far_away),
		cmocka_unit_test(test_windows_without_a_zone),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests_name("when", tests, NULL, NULL);
}
