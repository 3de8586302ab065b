// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_classifier_probes.c - what each probe says of true, cut, foreign and made-up streams
 */
#include "tests/lib/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/util.h"

#define NO   BH_ANSWER_NO
#define MORE BH_ANSWER_MORE
#define YES  BH_ANSWER_YES

/* ---- sentences, one by one ---- */

struct sentence {
	enum bh_proto proto;
	enum bh_answer answer;
	const char *c;
	size_t nc;
	const char *s;
	size_t ns;
};

#define C(proto, answer, c)                                       \
	{                                                         \
		BH_PROTO_##proto, answer, c, sizeof(c) - 1, "", 0 \
	}
#define CS(proto, answer, c, s)                                              \
	{                                                                    \
		BH_PROTO_##proto, answer, c, sizeof(c) - 1, s, sizeof(s) - 1 \
	}

#define HELLO_BODY                         \
	"\x03\x03"                         \
	"0123456789abcdef0123456789abcdef" \
	"\x00"                             \
	"\x00\x02\x13\x01"                 \
	"\x01\x00"
/* 2 + 32 + 1 + 4 + 2 = 41; record 45; with empty extensions 43, 47 */
#define HELLO     "\x16\x03\x01\x00\x2d\x01\x00\x00\x29" HELLO_BODY
#define HELLO_EXT "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b" HELLO_BODY "\x00\x00"

#define SSLREQ "\x00\x00\x00\x08\x04\xd2\x16\x2f"
#define GSSREQ "\x00\x00\x00\x08\x04\xd2\x16\x30"

static const struct sentence sentences[] = {
	/* HTTP */
	C(HTTP, MORE, ""),
	C(HTTP, MORE, "G"),
	C(HTTP, MORE, "GET / HTTP/1.1\r"),
	C(HTTP, YES, "GET / HTTP/1.1\r\n"),
	C(HTTP, YES, "GET / HTTP/1.0\n"),
	C(HTTP, YES, "\r\n\n\r\nGET / HTTP/1.1\r\n"),
	C(HTTP, MORE, "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n"),
	C(HTTP, NO, "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r"),
	C(HTTP, NO, "\rGET / HTTP/1.1\r\n"),
	C(HTTP, YES, "PURGE http://web/\xc3\xa4 HTTP/1.1\r\nx"),
	C(HTTP, YES, "CONNECT web:443 HTTP/1.1\r\n"),
	C(HTTP, MORE, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"),
	C(HTTP, NO, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"),
	C(HTTP, NO, "GET /\r\n"),
	C(HTTP, NO, "GET  / HTTP/1.1\r\n"),
	C(HTTP, NO, "GET / HTTP/1.1 \r\n"),
	C(HTTP, NO, "GET / HTTP/1.x\r\n"),
	C(HTTP, NO, "GET / HTTP/2.0\r\n"),
	C(HTTP, NO, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	C(HTTP, NO, "GET /\x01 HTTP/1.1\r\n"),
	C(HTTP, NO, "GET\t/ HTTP/1.1\r\n"),
	C(HTTP, NO, "OPTIONS sip:a@b SIP/2.0\r\n"),
	CS(HTTP, MORE, "", "HTTP/1.0 408 Request Time-out\r\n"),
	CS(HTTP, MORE, "", "HT"),
	CS(HTTP, NO, "", "HTTP/1.0 200 OK\r\n"),
	CS(HTTP, NO, "", "220 mail\r\n"),
	CS(HTTP, MORE, "GET /", "HTTP/1.1 400 Bad\r\n"),
	CS(HTTP, NO, "GET /", "HTTP/1.1 200 OK\r\n"),
	CS(HTTP, NO, "GET /", "SSH-2.0-x\r\n"),
	/* TLS */
	C(TLS, MORE, ""),
	C(TLS, MORE, "\x16"),
	C(TLS, YES, HELLO),
	C(TLS, YES, HELLO_EXT),
	C(TLS, NO, "\x15\x03\x01\x00\x02\x02\x28"),
	C(TLS, NO, "\x16\x03\x01\x00\x00"),
	C(TLS, NO, "\x16\x03\x01\x40\x01"),
	C(TLS, NO, "\x16\x02\x01\x00\x2d"),
	C(TLS, NO, "\x16\x03\x01\x00\x2d\x02"),
	C(TLS, NO, "\x16\x03\x01\x00\x2d\x01\x00\x00\x10"),                   /* shorter than any */
	C(TLS, NO, "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x00"),           /* SSL 3.0 */
	C(TLS, NO, "\x16\x03\x01\x00\x2e\x01\x00\x00\x2a" HELLO_BODY "\x00"), /* half a length */
	C(TLS, NO, "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b" HELLO_BODY "\x00\x01"),
	C(TLS, NO, "\x80\x2e\x01\x03\x01"), /* SSL 2.0 framing */
	CS(TLS, NO, "", "\x15\x03\x03\x00\x02\x02\x28"),
	CS(TLS, MORE, "\x16\x03\x01", "\x15\x03\x03\x00\x02\x02\x28"),
	CS(TLS, NO, "\x16\x03\x01", "HTTP/1.1 400 Bad Request\r\n"),
	/* SSH */
	C(SSH, MORE, ""),
	C(SSH, MORE, "SSH-2.0-OpenSSH_9.2"),
	C(SSH, YES, "SSH-2.0-OpenSSH_9.2\r\n"),
	C(SSH, YES, "SSH-2.0-x\n"),
	C(SSH, YES, "SSH-1.99-Server comments here\r\n"),
	C(SSH, NO, "SSH-1.5-old\r\n"),
	C(SSH, NO, "SSH-2.0-\r\n"),
	C(SSH, NO, "SSH-2.0-\n"),
	C(SSH, NO, "SSH-2.0-a\rb\n"),
	C(SSH, NO, "SSH-2.0-a\x01"),
	C(SSH, NO, "ssh-2.0-a\r\n"),
	CS(SSH, MORE, "", "SSH-2.0-OpenSSH_9.2\r\n"), /* expected: the client has to say so */
	CS(SSH, MORE, "", "Go away\r\nor not\r\nSSH-2.0-OpenSSH_9.2\r\n"),
	CS(SSH, YES, "SSH-2.0-x\r\n", "Go away\r\nSSH-2.0-y\r\n"),
	CS(SSH, NO, "", "Go away\0\r\n"),
	CS(SSH, NO, "", "SSH-1.5-old\r\n"),
	/* DNS over TCP */
	C(DNS, MORE, "\x00"),
	C(DNS, MORE, "\x00\x15\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
	C(DNS, YES,
	  "\x00\x15\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03"
	  "web\x00\x00\x01\x00\x01"),
	C(DNS, NO,
	  "\x00\x16\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03"
	  "web\x00\x00\x01\x00\x01x"),
	C(DNS, NO, "\x00\x10\x12\x34"), /* too short for a question */
	C(DNS, NO, "\x40"),
	C(DNS, NO, "\x00\x15\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00"), /* an answer */
	C(DNS, NO, "\x00\x15\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00"), /* two questions */
	C(DNS, NO, "\x00\x15\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c"),
	C(DNS, NO, "\x00\x15\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x40"),
	CS(DNS, NO, "\x00", "x"),
	/* Redis */
	C(REDIS, MORE, ""),
	C(REDIS, MORE, "*1\r\n$4\r\nPING"),
	C(REDIS, YES, "*1\r\n$4\r\nPING\r\n"),
	C(REDIS, YES, "*3\r\n$8\r\nJSON.SET\r\n$1\r\na"),
	C(REDIS, NO, "*0\r\n"),
	C(REDIS, NO, "*-1\r\n"),
	C(REDIS, NO, "*1048577\r\n"),
	C(REDIS, MORE, "*1048576\r\n"),
	C(REDIS, NO, "*1\r\n$65\r\n"),
	C(REDIS, NO, "*1\r\n+PING"),
	C(REDIS, NO, "*1\r\n$4\r\nPI NG\r\n"),
	C(REDIS, NO, "*1\n"),
	C(REDIS, YES, "PING\r\n"),
	C(REDIS, YES, "\r\nping\n"),
	C(REDIS, MORE, "GET foo"),
	C(REDIS, YES, "GET foo\r\n"),
	C(REDIS, NO, "GET / HTTP/1.1\r\n"),
	C(REDIS, NO, "get / http/1.0\n"),
	C(REDIS, NO, "SUBSCRIBE sip:a@b SIP/2.0\r\n"),
	C(REDIS, NO, "POST / HTTP/1.1\r\n"),
	C(REDIS, NO, "HELO mail\r\n"),
	C(REDIS, NO, "GET a\0b\r\n"),
	CS(REDIS, NO, "", "+OK\r\n"),
	CS(REDIS, NO, "GET a", "+OK\r\n"),
	/* PostgreSQL */
	C(POSTGRES, MORE, ""),
	C(POSTGRES, MORE, SSLREQ),
	C(POSTGRES, NO, SSLREQ "x"),
	C(POSTGRES, NO, SSLREQ SSLREQ),
	CS(POSTGRES, MORE, SSLREQ, "S"),
	CS(POSTGRES, YES, SSLREQ HELLO, "S"),
	CS(POSTGRES, NO, SSLREQ "GET / HTTP/1.1\r\n", "S"),
	CS(POSTGRES, NO, SSLREQ, "x"),
	CS(POSTGRES, MORE, SSLREQ, "E"),
	CS(POSTGRES, NO, SSLREQ "x", "E"),
	CS(POSTGRES, MORE, SSLREQ, "N"),
	CS(POSTGRES, MORE, SSLREQ GSSREQ, "N"),
	CS(POSTGRES, NO, SSLREQ SSLREQ, "N"),
	CS(POSTGRES, YES, GSSREQ SSLREQ HELLO, "NS"),
	CS(POSTGRES, YES, GSSREQ "\x00\x00\x00\x80\x60", "G"),
	CS(POSTGRES, NO, GSSREQ "\x00\x00\x00\x80\x61", "G"),
	CS(POSTGRES, NO, GSSREQ "\x00\x01", "G"),
	C(POSTGRES, YES, "\x00\x00\x00\x12\x00\x03\x00\x00user\0bob\0\0"),
	C(POSTGRES, YES, "\x00\x00\x00\x12\x00\x03\x00\x02user\0bob\0\0Q"),
	C(POSTGRES, MORE, "\x00\x00\x00\x12\x00\x03\x00\x00user\0bob\0"),
	C(POSTGRES, NO, "\x00\x00\x00\x13\x00\x03\x00\x00user\0bob\0\0x"),
	C(POSTGRES, NO, "\x00\x00\x00\x12\x00\x03\x00\x00name\0bob\0\0"),
	C(POSTGRES, NO, "\x00\x00\x00\x12\x00\x02\x00\x00user\0bob\0\0"),
	C(POSTGRES, MORE, "\x00\x00\x27\x10\x00\x03\x00\x00"),
	C(POSTGRES, NO, "\x00\x00\x27\x11\x00\x03\x00\x00"),
	CS(POSTGRES, YES, SSLREQ "\x00\x00\x00\x12\x00\x03\x00\x00user\0bob\0\0", "N"),
	C(POSTGRES, YES, "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02"),
	C(POSTGRES, MORE, "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00"),
	C(POSTGRES, NO, "\x00\x00\x00\x0c\x04\xd2\x16\x2e"),
	C(POSTGRES, NO, "\x00\x00\x00\x0c\x04\xd2\x16\x2f"),
	CS(POSTGRES, NO, "", "N"),
	C(POSTGRES, NO, "\x01"),
};

static void test_sentences(void **state)
{
	size_t i;

	for (i = 0; i < BH_ARRAY_SIZE(sentences); i++) {
		const struct sentence *t = &sentences[i];
		struct bh_view v = {
			.c = (const uint8_t *)t->c,
			.s = (const uint8_t *)t->s,
			.nc = (uint32_t)t->nc,
			.ns = (uint32_t)t->ns,
		};
		const struct bh_probe *p = bh_probe_of(t->proto);

		if (p->fn(&v) != t->answer)
			fail_msg("%s, sentence %zu: \"%.40s\", answer %d instead of %d",
				 bh_proto_name(t->proto), i, t->c, p->fn(&v), t->answer);
	}
}

static void test_naming_wants_more(void **state)
{
	struct bh_view v = { .c = (const uint8_t *)"QUIT\r\n",
			     .s = (const uint8_t *)"221",
			     .nc = 6 };

	/* Words that others have too need the reply. */
	v.naming = true;
	assert_int_equal(bh_probe_redis(&v), MORE);
	v.ns = 3;
	assert_int_equal(bh_probe_redis(&v), NO);
	v.s = (const uint8_t *)"+OK";
	assert_int_equal(bh_probe_redis(&v), YES);
	assert_int_equal(bh_probe_name(&v, NULL), BH_PROTO_REDIS);

	/* For a name a banner is enough. */
	v.nc = 0;
	v.s = (const uint8_t *)"SSH-2.0-x\r\n";
	v.ns = 11;
	assert_int_equal(bh_probe_name(&v, NULL), BH_PROTO_SSH);
}

static void udp(enum bh_answer want, const char *c, size_t nc, const char *s, size_t ns)
{
	struct bh_view v = {
		.c = (const uint8_t *)c,
		.s = (const uint8_t *)s,
		.nc = (uint32_t)nc,
		.ns = (uint32_t)ns,
		.udp = true,
	};

	assert_int_equal(bh_probe_dns(&v), want);
}

#define QUERY    "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x00\x00\x01\x00\x01"
#define OPT      "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"
#define QUERYOPT "\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\x03web\x00\x00\x01\x00\x01" OPT
#define ANSWER                                                                        \
	"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x03web\x00\x00\x01\x00\x01" \
	"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01"

static void test_dns_datagrams(void **state)
{
	char loop[sizeof(ANSWER)];
	size_t i;

	udp(MORE, "", 0, "", 0);
	udp(YES, QUERY, sizeof(QUERY) - 1, "", 0);
	udp(YES, QUERYOPT, sizeof(QUERYOPT) - 1, "", 0);
	udp(YES, "", 0, ANSWER, sizeof(ANSWER) - 1);
	udp(NO, ANSWER, sizeof(ANSWER) - 1, "", 0); /* a client asks */
	udp(NO, QUERY "x", sizeof(QUERY), "", 0);   /* something behind it */
	/* What is missing from a datagram does not come. */
	for (i = 1; i < sizeof(QUERYOPT) - 1; i++)
		udp(NO, QUERYOPT, i, "", 0);
	/* Pointers lead backwards. */
	memcpy(loop, ANSWER, sizeof(ANSWER));
	for (i = 0; i < 64; i++) {
		loop[sizeof(QUERY) - 1 + 1] = (char)i;
		udp(i >= 12 && i < sizeof(QUERY) - 1 ? YES : NO, "", 0, loop, sizeof(ANSWER) - 1);
	}
}

/* ---- captures of real servers and clients ---- */

static const struct {
	const char *file;
	enum bh_proto proto; /* 0: none of those with a probe */
} captures[] = {
	{ "captures/http.pcap", BH_PROTO_HTTP },
	{ "captures/http-badport.pcap", BH_PROTO_HTTP },
	{ "captures/websocket.pcap", BH_PROTO_HTTP },
	{ "captures/tls.pcap", BH_PROTO_TLS },
	{ "captures/ssh.pcap", BH_PROTO_SSH },
	{ "captures/dns.pcap", BH_PROTO_DNS },
	{ "captures/redis.pcap", BH_PROTO_REDIS },
	{ "captures/redis-resp3.pcap", BH_PROTO_REDIS },
	{ "captures/postgres-md5.pcap", BH_PROTO_POSTGRES },
	{ "captures/postgres-scram.pcap", BH_PROTO_POSTGRES },
	{ "captures/postgres-tls.pcap", BH_PROTO_POSTGRES },
	{ "captures/amqp.pcap", 0 },
	{ "captures/bittorrent.pcap", 0 },
	{ "captures/cassandra.pcap", 0 },
	{ "captures/ftp.pcap", 0 },
	{ "captures/git.pcap", 0 },
	{ "captures/grpc.pcap", 0 },
	{ "captures/kafka.pcap", 0 },
	{ "captures/ldap.pcap", 0 },
	{ "captures/mariadb.pcap", 0 },
	{ "captures/memcached.pcap", 0 },
	{ "captures/mongodb.pcap", 0 },
	{ "captures/mqtt.pcap", 0 },
	{ "captures/nats.pcap", 0 },
	{ "captures/proxyproto.pcap", 0 },
	{ "captures/smb.pcap", 0 },
	{ "captures/snmp.pcap", 0 },
	{ "captures/stratum.pcap", 0 },
	{ "captures/vnc.pcap", 0 },
	{ "captures/zookeeper.pcap", 0 },
};

#define LOOK 3000U /* bytes of a side that are cut at every place */

/* MORE, ..., then one answer for good. Return: the last. */
static enum bh_answer follow(const struct bh_probe *p, const struct lab_flow *f, bool naming)
{
	enum bh_answer last = MORE;
	uint32_t have[2] = { 0, 0 };
	size_t i;

	for (i = 0; i < f->n_pieces; i++) {
		unsigned dir = f->pieces[i].dir;
		uint32_t end = have[dir] + f->pieces[i].len;

		while (have[dir] < end) {
			struct bh_view v = {
				.c = f->bytes[0],
				.s = f->bytes[1],
				.udp = f->l4 == BH_L4_UDP,
				.naming = naming,
			};
			enum bh_answer a;

			have[dir] = v.udp || have[dir] > LOOK ? end : have[dir] + 1;
			v.nc = have[0];
			v.ns = have[1];
			a = p->fn(&v);
			if (last != MORE && a != last)
				fail_msg("%s takes back %d for %d with %u and %u bytes",
					 bh_proto_name(p->proto), last, a, v.nc, v.ns);
			last = a;
		}
		if (last == NO || (f->l4 == BH_L4_UDP && have[0] && have[1]))
			break; /* not asked again; one datagram each */
	}
	return last;
}

static void test_captures(void **state)
{
	size_t i, k, n, flows = 0;

	for (i = 0; i < BH_ARRAY_SIZE(captures); i++) {
		struct lab_capture c;

		lab_capture_read(&c, captures[i].file);
		for (k = 0; k < c.n; k++) {
			const struct lab_flow *f = &c.flows[k];
			const struct bh_probe *p;

			if (f->n_pieces == 0)
				continue;
			flows++;
			for (n = 0; (p = bh_probe_nth(n)) != NULL; n++) {
				bool mine = p->proto == captures[i].proto;
				enum bh_answer a, named;

				if (!(f->l4 == BH_L4_UDP ? p->udp : p->tcp))
					continue;
				a = follow(p, f, false);
				named = follow(p, f, true);
				if (mine ? a != YES || named != YES : named == YES)
					fail_msg("%s, port %u: %s says %d, as a name %d",
						 captures[i].file, f->sport,
						 bh_proto_name(p->proto), a, named);
			}
		}
		lab_capture_done(&c);
	}
	assert_true(flows > 60);
}

/* Words and framings that many protocols have: only Redis' own, where it is expected, may say YES. */
static void test_foreign_streams_expected(void **state)
{
	size_t i, k, n;

	for (i = 0; i < BH_ARRAY_SIZE(captures); i++) {
		struct lab_capture c;

		lab_capture_read(&c, captures[i].file);
		for (k = 0; k < c.n; k++) {
			const struct bh_probe *p;

			for (n = 0; (p = bh_probe_nth(n)) != NULL; n++) {
				if (p->proto == captures[i].proto || p->proto == BH_PROTO_REDIS ||
				    !(c.flows[k].l4 == BH_L4_UDP ? p->udp : p->tcp))
					continue;
				assert_int_not_equal(follow(p, &c.flows[k], false), YES);
			}
		}
		lab_capture_done(&c);
	}
}

/* ---- made-up streams ---- */

static uint64_t seed = 42;

static uint32_t rnd(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % n;
}

static void test_random_streams(void **state)
{
	struct lab_flow f = { .l4 = BH_L4_TCP, .n_pieces = 2, .pieces = { { 0, 0 }, { 1, 0 } } };
	uint8_t c[128], s[64];
	unsigned i;
	size_t n, k;

	f.bytes[0] = c;
	f.bytes[1] = s;
	for (i = 0; i < 10000; i++) {
		const struct bh_probe *p;

		f.pieces[0].len = rnd(sizeof(c)) + 1;
		f.pieces[1].len = rnd(sizeof(s));
		for (k = 0; k < sizeof(c); k++)
			c[k] = (uint8_t)(i % 3 == 0   ? rnd(256)
					 : i % 3 == 1 ? 32 + rnd(95)
						      : rnd(3));
		for (k = 0; k < sizeof(s); k++)
			s[k] = (uint8_t)(i % 2 ? rnd(256) : 32 + rnd(95));
		f.l4 = i % 4 ? BH_L4_TCP : BH_L4_UDP;
		for (n = 0; (p = bh_probe_nth(n)) != NULL; n++) {
			if (!(f.l4 == BH_L4_UDP ? p->udp : p->tcp))
				continue;
			assert_int_not_equal(follow(p, &f, false), YES);
			assert_int_not_equal(follow(p, &f, true), YES);
		}
	}
}

/* True streams with a few bytes changed: the answer may be any, but it stands. */
static void test_mutated_streams(void **state)
{
	size_t i, k, n;
	unsigned round;

	for (i = 0; i < BH_ARRAY_SIZE(captures); i++) {
		struct lab_capture c;

		lab_capture_read(&c, captures[i].file);
		for (k = 0; k < c.n; k++) {
			struct lab_flow *f = &c.flows[k];
			const struct bh_probe *p;

			for (round = 0; round < 20 && f->n[0] > 0; round++) {
				uint32_t at = rnd(f->n[0] < 200 ? f->n[0] : 200);
				uint8_t was = f->bytes[0][at];

				f->bytes[0][at] = (uint8_t)rnd(256);
				for (n = 0; (p = bh_probe_nth(n)) != NULL; n++)
					(void)follow(p, f, round & 1);
				if (rnd(3))
					f->bytes[0][at] = was;
			}
		}
		lab_capture_done(&c);
	}
}

/* A hello in records of one byte, and one that is never complete. */
static void test_tls_records(void **state)
{
	const uint8_t *hello = (const uint8_t *)HELLO + 5;
	uint8_t cut[6 * 64];
	struct bh_view v = { .c = cut };
	size_t i, n = sizeof(HELLO) - 1 - 5;

	for (i = 0; i < n; i++) {
		memcpy(cut + 6 * i, "\x16\x03\x01\x00\x01", 5);
		cut[6 * i + 5] = hello[i];
		v.nc = (uint32_t)(6 * i + 5);
		assert_int_equal(bh_probe_tls(&v), MORE);
	}
	v.nc = (uint32_t)(6 * n);
	assert_int_equal(bh_probe_tls(&v), YES);
	cut[6 * 20] = 21; /* an alert between its parts */
	assert_int_equal(bh_probe_tls(&v), NO);
}

static void test_limits(void **state)
{
	static uint8_t b[70000];
	struct bh_view v = { .c = b };

	/* An SSH line has at most 255 characters, its end included. */
	memset(b, 'x', sizeof(b));
	memcpy(b, "SSH-2.0-", 8);
	b[253] = '\r';
	b[254] = '\n';
	v.nc = 255;
	assert_int_equal(bh_probe_ssh(&v), YES);
	b[253] = 'x';
	b[254] = '\r';
	b[255] = '\n';
	v.nc = 256;
	assert_int_equal(bh_probe_ssh(&v), NO);

	/* Lines before it: 50. */
	v.s = b;
	v.nc = 0;
	memset(b, '\n', 60);
	v.ns = 50;
	assert_int_equal(bh_probe_ssh(&v), MORE);
	v.ns = 51;
	assert_int_equal(bh_probe_ssh(&v), NO);
	v.ns = 0;

	/* A DNS name has at most 255 bytes: 3 x 64 + 62 and the zero. */
	memcpy(b, "\x01\x10\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 14);
	memset(b + 14, 'a', 300);
	b[14] = b[78] = b[142] = 63;
	b[206] = 61;
	b[268] = 0;
	memcpy(b + 269, "\x00\x01\x00\x01", 4);
	b[1] = 15;
	v.nc = 273;
	assert_int_equal(bh_probe_dns(&v), YES);
	b[206] = 62;
	b[269] = 0;
	memcpy(b + 270, "\x00\x01\x00\x01", 4);
	b[1] = 16;
	v.nc = 274;
	assert_int_equal(bh_probe_dns(&v), NO);
}

static void test_table(void **state)
{
	const struct bh_probe *p;
	const char *name;
	size_t i;

	/* What may stand in an allow rule has a probe, and nothing else. */
	for (i = 0; (name = bh_proto_nth(i)) != NULL; i++) {
		unsigned n = bh_proto_by_name(name);

		assert_int_equal(bh_proto_has_probe(n), bh_probe_of(n) != NULL);
	}
	for (i = 0; (p = bh_probe_nth(i)) != NULL; i++) {
		assert_true(p->tcp || p->udp);
		assert_ptr_equal(bh_probe_of(p->proto), p);
	}
	assert_null(bh_probe_of(BH_PROTO_UNKNOWN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_naming_wants_more),
		cmocka_unit_test(test_dns_datagrams),
		cmocka_unit_test(test_captures),
		cmocka_unit_test(test_foreign_streams_expected),
		cmocka_unit_test(test_random_streams),
		cmocka_unit_test(test_mutated_streams),
		cmocka_unit_test(test_tls_records),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
