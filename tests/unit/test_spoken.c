/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_spoken.c - what is spoken and where to, as people write it
 */
#include "common/util.h"
#include "policy/icmp.h"
#include "policy/portspec.h"
#include "policy/spoken.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_paths(void **state)
{
	static const char *const cases[][2] = {
		{ "/", "/" },
		{ "/a", "/a" },
		{ "/a/", "/a/" },
		{ "//a///b", "/a/b" },
		{ "/a/./b", "/a/b" },
		{ "/a/.", "/a/" },
		{ "/a/../b", "/b" },
		{ "/a/..", "/" },
		{ "/a/b/..", "/a/" },
		{ "/..", "/" },
		{ "/../../etc", "/etc" },
		{ "/a//../b", "/b" },
		{ "/a/...", "/a/..." },
		{ "/a/.b", "/a/.b" },
		{ "/a?b=/c/../d", "/a" },
		{ "/a#b", "/a" },
		{ "/?", "/" },
		{ "/c%20d", "/c d" },
		/* Decoded once, and before dots are looked at. */
		{ "/public/%2e%2E/admin", "/admin" },
		{ "/public/..%2fadmin", "/admin" },
		{ "/public/%252e%252e/admin", "/public/%2e%2e/admin" },
		{ "/a%3fb", "/a?b" },
		{ "/%c3%bc", "/\xc3\xbc" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_autofree char *got = NULL;

		assert_int_equal(bh_spoken_path(cases[i][0], &got, NULL), 0);
		assert_string_equal(got, cases[i][1]);
	}
}

static void test_names(void **state)
{
	static const char *const cases[][2] = {
		{ "Shop.Example.COM", "shop.example.com" },
		{ "shop.example.com.", "shop.example.com" },
		{ "_dns.a-b", "_dns.a-b" },
		{ "localhost", "localhost" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_autofree char *got = NULL;

		assert_int_equal(bh_spoken_name(cases[i][0], &got, NULL), 0);
		assert_string_equal(got, cases[i][1]);
	}
}

static const char *value(const struct bh_speech *s, enum bh_attr a)
{
	if (!(s->spoken.known >> a & 1))
		return "(not known)";
	if (s->spoken.attr[a].n == 0)
		return "(none)";
	assert_int_equal(s->spoken.attr[a].n, 1);
	return s->spoken.attr[a].v[0];
}

static void test_requests(void **state)
{
	static const struct {
		const char *http, *method, *path, *host, *connect;
	} cases[] = {
		{ "GET /x", "GET", "/x", "(not known)", "(none)" },
		{ "GET", "GET", "(not known)", "(not known)", "(none)" },
		{ "POST  /a/../b?q", "POST", "/b", "(not known)", "(none)" },
		{ "GET http://Shop.example.com:8080/x", "GET", "/x", "shop.example.com", "(none)" },
		{ "GET http://shop.example.com", "GET", "/", "shop.example.com", "(none)" },
		{ "GET http://shop.example.com?q", "GET", "/", "shop.example.com", "(none)" },
		{ "GET http://[FD00::1]:80/x", "GET", "/x", "[fd00::1]", "(none)" },
		{ "OPTIONS *", "OPTIONS", "*", "(not known)", "(none)" },
		{ "CONNECT DB.example.com:5432", "CONNECT", "(none)", "db.example.com",
		  "db.example.com:5432" },
		{ "CONNECT", "CONNECT", "(not known)", "(not known)", "(not known)" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_cleanup(bh_speech_done) struct bh_speech s = BH_SPEECH_INIT;
		struct bh_err err = { .code = 0 };

		if (bh_speech_set(&s, "http", cases[i].http, &err) < 0)
			fail_msg("%s: %s", cases[i].http, err.msg);
		assert_int_equal(bh_speech_finish(&s, NULL), 0);
		assert_int_equal(s.spoken.proto, BH_PROTO_HTTP);
		assert_string_equal(value(&s, BH_ATTR_HTTP_METHOD), cases[i].method);
		assert_string_equal(value(&s, BH_ATTR_HTTP_PATH), cases[i].path);
		assert_string_equal(value(&s, BH_ATTR_HTTP_HOST), cases[i].host);
		assert_string_equal(value(&s, BH_ATTR_HTTP_CONNECT), cases[i].connect);
		assert_string_equal(value(&s, BH_ATTR_HTTP_UPGRADE), "(not known)");
	}
}

static void test_the_others(void **state)
{
	static const struct {
		const char *what, *said;
		enum bh_attr attr;
		const char *want;
		unsigned proto;
	} cases[] = {
		{ "host", "Shop.example.com:80", BH_ATTR_HTTP_HOST, "shop.example.com",
		  BH_PROTO_HTTP },
		{ "host", "-", BH_ATTR_HTTP_HOST, "(none)", BH_PROTO_HTTP },
		{ "upgrade", "WebSocket", BH_ATTR_HTTP_UPGRADE, "websocket", BH_PROTO_HTTP },
		{ "upgrade", "-", BH_ATTR_HTTP_UPGRADE, "(none)", BH_PROTO_HTTP },
		{ "sni", "API.Stripe.example.", BH_ATTR_TLS_NAME, "api.stripe.example",
		  BH_PROTO_TLS },
		{ "sni", "-", BH_ATTR_TLS_NAME, "(none)", BH_PROTO_TLS },
		{ "alpn", "http/1.1", BH_ATTR_TLS_ALPN, "http/1.1", BH_PROTO_TLS },
		{ "tls-version", "1.2", BH_ATTR_TLS_VERSION, "1.2", BH_PROTO_TLS },
		{ "ech", "absent", BH_ATTR_TLS_ECH, "absent", BH_PROTO_TLS },
		{ "dns", "Example.com", BH_ATTR_DNS_NAME, "example.com", BH_PROTO_DNS },
		{ "dns", "Example.com aaaa", BH_ATTR_DNS_TYPE, "AAAA", BH_PROTO_DNS },
		{ "dns", "Example.com type28", BH_ATTR_DNS_TYPE, "AAAA", BH_PROTO_DNS },
		{ "dns", "Example.com TYPE64999", BH_ATTR_DNS_TYPE, "TYPE64999", BH_PROTO_DNS },
		{ "dns", "Example.com", BH_ATTR_DNS_TYPE, "(not known)", BH_PROTO_DNS },
		{ "grpc", "shop.Orders/List", BH_ATTR_GRPC_SERVICE, "shop.Orders", BH_PROTO_GRPC },
		{ "grpc", "/shop.Orders/List", BH_ATTR_GRPC_METHOD, "List", BH_PROTO_GRPC },
		{ "grpc", "shop.Orders", BH_ATTR_GRPC_METHOD, "(not known)", BH_PROTO_GRPC },
		/* A risk may be found in everything. */
		{ "risk", "tls-weak-cipher", BH_ATTR_RISK, "tls-weak-cipher", 0 },
		{ "risk", "-", BH_ATTR_RISK, "(none)", 0 },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_cleanup(bh_speech_done) struct bh_speech s = BH_SPEECH_INIT;
		struct bh_err err = { .code = 0 };

		if (bh_speech_set(&s, cases[i].what, cases[i].said, &err) < 0 ||
		    bh_speech_finish(&s, &err) < 0)
			fail_msg("%s %s: %s", cases[i].what, cases[i].said, err.msg);
		assert_string_equal(value(&s, cases[i].attr), cases[i].want);
		assert_int_equal(s.spoken.proto, cases[i].proto);
	}
}

static void test_several_things(void **state)
{
	bh_cleanup(bh_speech_done) struct bh_speech s = BH_SPEECH_INIT;

	assert_int_equal(bh_speech_set(&s, "protocol", "quic", NULL), 0);
	assert_int_equal(bh_speech_set(&s, "alpn", "h3,h2", NULL), 0);
	assert_int_equal(bh_speech_set(&s, "sni", "a.example", NULL), 0);
	assert_int_equal(bh_speech_finish(&s, NULL), 0);
	assert_int_equal(s.spoken.proto, BH_PROTO_QUIC);
	assert_int_equal(s.spoken.attr[BH_ATTR_TLS_ALPN].n, 2);
	assert_string_equal(s.spoken.attr[BH_ATTR_TLS_ALPN].v[1], "h2");
	assert_string_equal(value(&s, BH_ATTR_TLS_NAME), "a.example");
}

static void test_nothing_said(void **state)
{
	bh_cleanup(bh_speech_done) struct bh_speech s = BH_SPEECH_INIT;

	assert_int_equal(bh_speech_finish(&s, NULL), 0);
	assert_int_equal(s.spoken.proto, 0);
	assert_int_equal(s.spoken.known, 0);
}

/* Said one after the other; the last one (or the end) is complained about. */
static void test_complaints(void **state)
{
	static const struct {
		const char *said[5];
		const char *want;
	} cases[] = {
		{ { "protocol", "htpt" }, "unknown protocol 'htpt'; did you mean 'http'?" },
		{ { "protocol", "http", "protocol", "ssh" }, "it is given twice" },
		{ { "http", "GET /a", "http", "GET /b" }, "it is given twice" },
		{ { "http", "" }, "a request is 'METHOD PATH', like 'GET /x'" },
		{ { "http", "/x" }, "a request is 'METHOD PATH', like 'GET /x'" },
		{ { "http", "GET /x HTTP/1.1" }, "a request is 'METHOD PATH', like 'GET /x'" },
		{ { "http", "GET x" }, "path 'x' does not begin with a slash" },
		{ { "http", "GET /%zz" }, "'%zz' stands for no character" },
		{ { "http", "GET /%4" }, "'%4' stands for no character" },
		{ { "http", "GET /%" }, "'%' stands for no character" },
		{ { "http", "GET /%00" }, "'%00' stands for no character" },
		{ { "http", "GET /a\tb" }, "a path has no blanks: write %20" },
		{ { "http", "GET https://a.example/" },
		  "HTTP inside of TLS cannot be seen: ask for the name of the server instead" },
		{ { "http", "GET http:///x" }, "the host is missing" },
		{ { "http", "GET http://a.example:x/" }, "'x' is no port" },
		{ { "http", "GET http://[::1/" }, "'[::1' is no host" },
		{ { "http", "CONNECT a.example" }, "CONNECT wants HOST:PORT, not 'a.example'" },
		{ { "http", "CONNECT /x" }, "'/x' is no name of a host" },
		{ { "http", "GET http://a.example/", "host", "b.example" },
		  "two hosts for one request" },
		{ { "host", "*.example" }, "'*.example' is a pattern; one name is wanted" },
		{ { "sni", "a..b" }, "'a..b' is no name of a host" },
		{ { "sni", ".a" }, "'.a' is no name of a host" },
		{ { "sni", "b\xc3\xbc"
			   "cher.example" },
		  "'b\xc3\xbc"
		  "cher.example': write the name as it is sent, in ASCII (xn--...)" },
		{ { "alpn", "h2,,h3" }, "names are wanted, with commas between them" },
		{ { "alpn", "" }, "names are wanted, with commas between them" },
		{ { "tls-version", "1.4" }, "'1.4' is none of 1.0, 1.1, 1.2, 1.3" },
		{ { "tls-version", "-" }, "'-' is none of 1.0, 1.1, 1.2, 1.3" },
		{ { "ech", "yes" }, "'yes' is neither present nor absent" },
		{ { "dns", "a.example A B" },
		  "a question is 'NAME' or 'NAME TYPE', like 'example.com AAAA'" },
		{ { "dns", "a.example AAA" },
		  "unknown type of records 'AAA'; did you mean 'AAAA'?" },
		{ { "dns", "a.example nothing" },
		  "unknown type of records 'nothing'; write A, AAAA, MX ..., or TYPE and a number" },
		{ { "risk", "tls-weak-ciphers" },
		  "unknown risk 'tls-weak-ciphers'; did you mean 'tls-weak-cipher'?" },
		{ { "http", "get /x" }, "method 'get': methods are written in capitals" },
		{ { "grpc", "a/b/c" }, "a call is 'SERVICE/METHOD', like 'shop.Orders/List'" },
		{ { "grpc", "a/" }, "a call is 'SERVICE/METHOD', like 'shop.Orders/List'" },
		{ { "smtp", "x" }, "nobody knows what 'smtp' is" },
		{ { "http", "GET /", "sni", "a.example" },
		  "http and tls are not spoken in one connection" },
		{ { "http", "GET /", "protocol", "ssh" },
		  "what is said about http does not go with protocol ssh" },
		{ { "grpc", "a.B/C", "protocol", "http2" },
		  "what is said about grpc does not go with protocol http2" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_cleanup(bh_speech_done) struct bh_speech s = BH_SPEECH_INIT;
		struct bh_err err = { .code = 0 };
		const char *const *said = cases[i].said;
		int r = 0;

		for (size_t k = 0; r == 0 && said[k]; k += 2)
			r = bh_speech_set(&s, said[k], said[k + 1], &err);
		if (r == 0)
			r = bh_speech_finish(&s, &err);
		assert_true(r < 0);
		assert_string_equal(err.msg, cases[i].want);
	}
}

static void test_lengths(void **state)
{
	char text[9000], *got = NULL;

	memset(text, 'a', sizeof(text));
	text[0] = '/';
	text[8192] = '\0';
	assert_int_equal(bh_spoken_path(text, &got, NULL), 0);
	free(got);
	text[8192] = 'a';
	text[8193] = '\0';
	assert_int_equal(bh_spoken_path(text, &got, NULL), -EINVAL);
	text[0] = 'a';
	text[253] = '.';
	text[254] = '\0';
	assert_int_equal(bh_spoken_name(text, &got, NULL), 0);
	free(got);
	text[253] = 'a';
	assert_int_equal(bh_spoken_name(text, &got, NULL), -EINVAL);
}

static void test_ports(void **state)
{
	static const struct {
		const char *s;
		uint8_t l4;
		uint16_t port;
	} cases[] = {
		{ "80", BH_L4_TCP, 80 },
		{ "53/udp", BH_L4_UDP, 53 },
		{ "65535/SCTP", BH_L4_SCTP, 65535 },
		{ "icmp", BH_L4_ICMP, 8 << 8 },
		{ "icmpv6", BH_L4_ICMPV6, 128 << 8 },
		{ "icmp/echo-request", BH_L4_ICMP, 8 << 8 },
		{ "icmp/3/1", BH_L4_ICMP, 3 << 8 | 1 },
		{ "icmp/destination-unreachable/4", BH_L4_ICMP, 3 << 8 | 4 },
		{ "icmpv6/128", BH_L4_ICMPV6, 128 << 8 },
		{ "icmpv6/packet-too-big", BH_L4_ICMPV6, 2 << 8 },
		{ "icmp/0", BH_L4_ICMP, 0 },
	};
	static const char *const bad[][2] = {
		{ "0", "'0' is no port from 1 to 65535" },
		{ "65536/tcp", "'65536' is no port from 1 to 65535" },
		{ "/tcp", "'' is no port from 1 to 65535" },
		{ "80/tpc", "unknown protocol 'tpc'; did you mean 'tcp'?" },
		{ "80/", "'' is not tcp, udp or sctp" },
		{ "tcp", "a port is missing, like 80/tcp" },
		{ "tcp/80", "a port is missing, like 80/tcp" },
		{ "1/icmp", "icmp has no ports; write 'icmp'" },
		{ "icmp/256", "unknown type of ICMP '256'; write echo-request, 8, or 3/1" },
		{ "icmp/8/256", "'256' is no code of ICMP from 0 to 255" },
		{ "icmp/echo-reqest",
		  "unknown type of ICMP 'echo-reqest'; did you mean 'echo-request'?" },
		{ "icmp/packet-too-big", "icmp has no type packet-too-big" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		uint8_t l4 = 0;
		uint16_t port = 0;

		assert_int_equal(bh_portspec_parse(cases[i].s, &l4, &port, NULL), 0);
		assert_int_equal(l4, cases[i].l4);
		assert_int_equal(port, cases[i].port);
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++) {
		struct bh_err err = { .code = 0 };
		uint8_t l4;
		uint16_t port;

		assert_int_equal(bh_portspec_parse(bad[i][0], &l4, &port, &err), -EINVAL);
		assert_string_equal(err.msg, bad[i][1]);
	}
}

/* Every name is found by its number, and the other way round. */
static void test_icmp_names(void **state)
{
	const struct bh_icmp_type *t;

	for (size_t i = 0; (t = bh_icmp_nth(i)); i++) {
		uint16_t port;

		if (t->v4 >= 0) {
			assert_int_equal(bh_icmp_port(t->name, BH_L4_ICMP, &port, NULL), 0);
			assert_int_equal(port, t->v4 << 8);
			assert_string_equal(bh_icmp_name(BH_L4_ICMP, (uint8_t)t->v4), t->name);
		}
		if (t->v6 >= 0) {
			assert_int_equal(bh_icmp_port(t->name, BH_L4_ICMPV6, &port, NULL), 0);
			assert_int_equal(port, t->v6 << 8);
			assert_string_equal(bh_icmp_name(BH_L4_ICMPV6, (uint8_t)t->v6), t->name);
		}
	}
	assert_null(bh_icmp_name(BH_L4_ICMP, 77));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),          cmocka_unit_test(test_names),
		cmocka_unit_test(test_requests),       cmocka_unit_test(test_the_others),
		cmocka_unit_test(test_several_things), cmocka_unit_test(test_nothing_said),
		cmocka_unit_test(test_complaints),     cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_ports),          cmocka_unit_test(test_icmp_names),
	};

	return cmocka_run_group_tests_name("spoken", tests, NULL, NULL);
}
