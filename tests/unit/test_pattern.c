/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_pattern.c - names, globs, times: what may be written; words of tables and their numbers
 */
#include "common/util.h"
#include "policy/dnstype.h"
#include "policy/pattern.h"
#include "policy/protocol.h"
#include "policy/risk.h"
#include "policy/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef const char *(*check)(const char *);

static void right(check f, const char *const *list)
{
	for (; *list; list++)
		if (f(*list))
			fail_msg("\"%s\": %s", *list, f(*list));
}

static void wrong(check f, const char *const *list)
{
	for (; *list; list++)
		if (!f(*list))
			fail_msg("\"%s\" was taken", *list);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define L63       "a23456789012345678901234567890123456789012345678901234567890123"
#define L61       "a234567890123456789012345678901234567890123456789012345678901"

static void test_names(void **state)
{
	(void)state;
	right(bh_pattern_name,
	      LIST("a", "localhost", "shop.example.com", "*.example.com", "*.com", "A.Example.",
		   "_sip._udp.example", "my_app", "10.0.0.5", "xn--bcher-kva.example", L63,
		   L63 "." L63 "." L63 "." L61, "*." L63 "." L63 "." L63 "." L61));
	wrong(bh_pattern_name,
	      LIST("", ".", "*", "*.", "**.a", "*a.example", "a.*", "a.*.b", "*.*.a", "a..b", ".a",
		   "-a", "a-", "a.-b", "a b", "b\xc3\xbc.example", "a:80", "http://a", "a/b", "a..",
		   L63 "a", "*." L63 "a.b", L63 "." L63 "." L63 "." L61 "b", "[::1]"));
	right(bh_pattern_connect,
	      LIST("a:1", "a.example:65535", "*.example:*", "A.example.:443", "10.0.0.1:80"));
	wrong(bh_pattern_connect, LIST("", "a", ":80", "a:", "a:0", "a:65536", "a:http", "a:080",
				       "*:443", "a:80:90", "[::1]:443"));
}

static void test_fold(void **state)
{
	static const char *const rows[][2] = {
		{ "Shop.Example.COM.", "shop.example.com" },
		{ "*.Example", "*.example" },
		{ "DB.example.:5432", "db.example:5432" },
		{ "db.example:*", "db.example:*" },
		{ "a", "a" },
		{ ".", "." },
	};

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(rows); i++) {
		char buf[64];

		(void)snprintf(buf, sizeof(buf), "%s", rows[i][0]);
		bh_pattern_fold(buf);
		assert_string_equal(buf, rows[i][1]);
	}
}

static void test_requests(void **state)
{
	char path[1100];

	(void)state;
	right(bh_pattern_path, LIST("/", "/a", "/a/", "/**", "/a/*/b", "/a*b", "/a//b", "/a b",
				    "/100%", "/.well-known/x", "/...", "/b\xc3\xbc"));
	wrong(bh_pattern_path, LIST("", "a", "*", "/a/***", "/a?b", "/a#b", "/./a", "/a/..", "/..",
				    "/a%20b", "/a\tb", "/a\x7f"));
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[1024] = '\0';
	assert_null(bh_pattern_path(path));
	path[1024] = 'a';
	path[1025] = '\0';
	assert_non_null(bh_pattern_path(path));
	right(bh_pattern_method,
	      LIST("GET", "M-SEARCH", "A_1", "ABCDEFGHIJKLMNOPQRSTUVWXYZ123456"));
	wrong(bh_pattern_method,
	      LIST("", "get", "Get", "G T", "G*", "ABCDEFGHIJKLMNOPQRSTUVWXYZ1234567"));
	right(bh_pattern_token, LIST("websocket", "h2c", "tls/1.0"));
	wrong(bh_pattern_token, LIST("", "WebSocket", "a b", "*"));
	right(bh_pattern_alpn, LIST("h2", "http/1.1", "\xc3\xbc"));
	wrong(bh_pattern_alpn, LIST(""));
	right(bh_pattern_service, LIST("Cart", "shop.Cart", "shop.v1.Cart_2", "shop.*", "shop.**",
				       "*", "**", "*.Cart", "_a"));
	wrong(bh_pattern_service,
	      LIST("", ".", "shop.", "shop..Cart", "shop.***", "shop.C*", "1a", "a/b", "a b"));
	right(bh_pattern_call, LIST("AddItem", "*", "_a1"));
	wrong(bh_pattern_call, LIST("", "**", "Add*", "a.b", "1a"));
}

static void test_times(void **state)
{
	static const struct {
		const char *text, *fault;
	} rows[] = {
		{ "2031-03-01T18:00:00Z", NULL },
		{ "2031-03-01t18:00:00z", NULL },
		{ "2031-03-01T18:00:00.123+01:00", NULL },
		{ "2032-02-29T00:00:00-23:59", NULL },
		{ "2016-12-31T23:59:60Z", NULL },
		{ "2031-13-01T00:00:00Z", "month 13" },
		{ "2031-00-01T00:00:00Z", "month 0" },
		{ "2031-02-29T00:00:00Z", "day 29: the month has 28" },
		{ "2031-04-00T00:00:00Z", "day 0: the month has 30" },
		{ "2031-04-01T24:00:00Z", "hour 24" },
		{ "2031-04-01T23:60:00Z", "minute 60" },
		{ "2031-04-01T23:00:61Z", "second 61" },
		{ "2031-04-01T23:00:60Z", "there is no such moment" },
		{ "0000-04-01T23:00:00Z", "there is no such moment" },
		{ "2031-04-01T23:00:00.Z", "no digits behind the point" },
		{ "2031-04-01T23:00:00", "no offset at the end: write Z for UTC" },
		{ "2031-04-01T23:00:00+24:00", "offset +24:00" },
		{ "2031-04-01T23:00:00+0100",
		  "what stands at the end must be Z, or an offset like +01:00" },
		{ "2031-04-01T23:00:00ZZ",
		  "what stands at the end must be Z, or an offset like +01:00" },
		{ "2031-04-01T23:00Z", "hour, minute and second must be written as 18:00:00" },
		{ "2031-04-01", "the time is missing" },
		{ "2031-04-01 23:00:00Z", "there must be a \"T\" between date and time" },
		{ "31-04-01T23:00:00Z", "the date must be written as 2031-03-01" },
		{ "", "the date must be written as 2031-03-01" },
	};

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(rows); i++) {
		char buf[BH_TIME_WHY];
		int64_t t = 4711, again = 0;
		const char *fault = bh_time_read(rows[i].text, &t, buf, sizeof(buf));

		if (rows[i].fault ? !bh_streq(fault, rows[i].fault) : fault != NULL)
			fail_msg("%s: %s", rows[i].text, fault ? fault : "nothing wrong");
		assert_int_equal(bh_time_parse(rows[i].text, &again), fault ? -EINVAL : 0);
		assert_int_equal(t, fault ? 4711 : again);
	}
	assert_int_equal(bh_day_minutes("00:00"), 0);
	assert_int_equal(bh_day_minutes("23:59"), 1439);
	assert_int_equal(bh_day_minutes("24:00"), 1440);
	right(bh_pattern_zone, LIST("UTC", "Europe/Vienna", "Etc/GMT+1",
				    "America/Argentina/ComodRivadavia", "America/Port-au-Prince"));
	wrong(bh_pattern_zone, LIST("", "/etc", "../a", "a/", "a//b", "a b", ".", "a.b"));
}

static void test_no_minutes(void **state)
{
	static const char *const rows[] = { "",       "8:00", "08:60", "24:01", "25:00",
					    "08:00Z", "0800", "ab:cd", "08:0",  "-1:00" };

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(rows); i++)
		assert_int_equal(bh_day_minutes(rows[i]), -1);
}

static void test_tables(void **state)
{
	char buf[BH_DNS_TYPE_STRLEN];
	struct bh_protoset set;
	uint16_t type = 0;
	const char *s;

	(void)state;
	for (unsigned i = 0; i <= UINT16_MAX; i++) {
		assert_int_equal(bh_dns_type_parse(bh_dns_type_name((uint16_t)i, buf), &type), 0);
		assert_int_equal(type, i);
	}
	assert_int_equal(bh_dns_type_parse("TYPE28", &type), 0);
	assert_string_equal(bh_dns_type_name(type, buf), "AAAA");
	for (size_t i = 0; (s = bh_dns_type_nth(i)) != NULL; i++)
		assert_int_equal(bh_dns_type_parse(s, &type), 0);
	assert_int_equal(bh_dns_type_parse("aaaa", &type), -EINVAL);
	assert_int_equal(bh_dns_type_parse("TYPE", &type), -EINVAL);
	assert_int_equal(bh_dns_type_parse("TYPE65536", &type), -EINVAL);
	for (size_t i = 0; (s = bh_risk_nth(i)) != NULL; i++) {
		assert_int_equal(bh_risk_by_name(s), i + 1);
		assert_string_equal(bh_risk_name((unsigned)i + 1), s);
	}
	assert_int_equal(bh_risk_by_name("none"), 0);
	assert_null(bh_risk_name(0));
	for (size_t i = 0; (s = bh_proto_family_nth(i)) != NULL; i++) {
		assert_true(bh_proto_family(s, &set));
		assert_false(bh_protoset_empty(&set));
		assert_int_equal(bh_proto_by_name(s), BH_PROTO_INVALID);
	}
	assert_false(bh_proto_family("http", &set));
	assert_true(bh_proto_can_be_told(BH_PROTO_HTTP));
	assert_true(bh_proto_can_be_told(BH_PROTO_RDP));
	assert_true(bh_proto_can_be_told(BH_PROTO_UNKNOWN));
	assert_false(bh_proto_can_be_told(BH_PROTO_INVALID));
	assert_false(bh_proto_can_be_told(BH_PROTO_UNDECIDED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),      cmocka_unit_test(test_fold),
		cmocka_unit_test(test_requests),   cmocka_unit_test(test_times),
		cmocka_unit_test(test_no_minutes), cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
