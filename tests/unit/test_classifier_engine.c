// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_classifier_engine.c - packets in, verdicts and findings out
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/util.h"
#include "config.h"
#include "tests/lib/lab_scene.h"

static const struct lab_tuple web6 = { .v6 = true, .cport = 40000, .sport = 80 };
static const struct lab_tuple ssh = { .cport = 40000, .sport = 22 };
static const struct lab_tuple dns = { .cport = 5353, .sport = 53 };

#define QUERY "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x00\x00\x01\x00\x01"

/* ---- an allowed flow ---- */

static void test_allowed(void **state)
{
	static const struct lab_tuple *const both[] = { &web, &web6 };
	size_t i;

	for (i = 0; i < 2; i++) {
		struct scene s = scene();
		struct lab *l = s.l;
		uint32_t n = strlen(REQ);

		start(l, both[i]);
		assert_sub(l, client(l, both[i], 0, REQ), BH_SUB_CONFIRM);
		/* Too little is acknowledged, then all. */
		assert_pass(l, server(l, both[i], 0, n - 1, ""));
		assert_result(l, server(l, both[i], 0, n, ""), BH_PROTO_HTTP);
		assert_kept(l, client(l, both[i], n, "more"), BH_PROTO_HTTP);
		assert_int_equal(l->n_findings, 0);
		assert_int_equal(stats(l).contexts_now, 0);
		assert_int_equal(stats(l).decided, 1);
		done(&s);
	}
}

/* Also the answer itself may acknowledge, and the request may come in the packet that begins. */
static void test_allowed_at_once(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	assert_sub(
	    l, lab_send_tcp(l, &web, false, BH_QMARK_START, CISN, SISN, LAB_ACK, REQ, strlen(REQ)),
	    BH_SUB_CONFIRM);
	assert_result(l, server(l, &web, 0, strlen(REQ), "HTTP/1.1 200 OK\r\n"), BH_PROTO_HTTP);
	done(&s);
}

static void test_byte_by_byte(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t i, line = strlen("GET / HTTP/1.1\r\n");

	start(l, &web);
	for (i = 0; i < line - 1; i++)
		assert_pass(l,
			    lab_send_tcp(l, &web, false, 0, CISN + i, SISN, LAB_ACK, &REQ[i], 1));
	assert_sub(l, lab_send_tcp(l, &web, false, 0, CISN + i, SISN, LAB_ACK, &REQ[i], 1),
		   BH_SUB_CONFIRM);
	/* What follows was not judged and need not be confirmed. */
	assert_pass(l, client(l, &web, line, "Host: web\r\n\r\n"));
	assert_result(l, server(l, &web, 0, line, ""), BH_PROTO_HTTP);
	done(&s);
}

static void test_queued_before_the_answer(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	/* All three were queued before the first was answered. */
	start(l, &web);
	assert_sub(l,
		   lab_send_tcp(l, &web, false, BH_QMARK_START, CISN, SISN, LAB_ACK, "GET / ", 6),
		   BH_SUB_UNDECIDED);
	assert_sub(l,
		   lab_send_tcp(l, &web, false, BH_QMARK_START, CISN + 6, SISN, LAB_ACK,
				"HTTP/1.1\r\n", 10),
		   BH_SUB_CONFIRM);
	assert_sub(
	    l, lab_send_tcp(l, &web, false, BH_QMARK_START, CISN + 16, SISN, LAB_ACK, "A: b", 4),
	    BH_SUB_CONFIRM);
	assert_int_equal(stats(l).flows, 1);
	done(&s);
}

static void test_server_speaks_first(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t n = strlen(SSH);

	start(l, &ssh);
	assert_pass(l, server(l, &ssh, 0, 0, SSH)); /* a banner alone proves nothing */
	assert_sub(l, lab_send_tcp(l, &ssh, false, 0, CISN, SISN + n, LAB_ACK, SSH, n),
		   BH_SUB_CONFIRM);
	assert_result(l, server(l, &ssh, n, n, ""), BH_PROTO_SSH);
	done(&s);
}

static void test_both_sides_confirmed(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t n = strlen(SSH);

	start(l, &ssh);
	assert_pass(l, server(l, &ssh, 0, 0, SSH));
	/* The client has not said that it has the banner. */
	assert_sub(l, client(l, &ssh, 0, SSH), BH_SUB_CONFIRM);
	assert_pass(l, server(l, &ssh, n, n, ""));
	assert_result(l, lab_send_tcp(l, &ssh, false, 0, CISN + n, SISN + n, LAB_ACK, NULL, 0),
		      BH_PROTO_SSH);
	done(&s);
}

/* ---- refusals ---- */

static void test_refused(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	const struct bh_finding *f;

	start(l, &web);
	assert_cut(l, client(l, &web, 0, SSH), BH_PROTO_SSH);
	assert_cut(l, client(l, &web, strlen(SSH), "more"), BH_PROTO_SSH);
	assert_result(l, server(l, &web, 0, 0, "more"), BH_PROTO_SSH);
	assert_refused(l, BH_CAUSE_PROTOCOL);
	f = only_finding(l);
	assert_int_equal(f->by, BH_BY_PROBE);
	assert_int_equal(f->after, 0);
	assert_int_equal(f->proto, BH_PROTO_SSH);
	assert_int_equal(f->sport, 40000);
	assert_int_equal(f->dport, 80);
	assert_int_equal(f->pkts, 1);
	assert_int_equal(f->bytes_c, strlen(SSH));
	assert_int_equal(f->bytes_s, 0);
	assert_int_equal(f->evidence_from, 0);
	assert_int_equal(f->evidence_len, strlen(SSH));
	assert_memory_equal(f->evidence, SSH, strlen(SSH));
	assert_int_equal(f->revision, 7);
	assert_int_equal(bh_word_verdict(f->ingress), BH_WORD_CONTRACT);
	assert_true(bh_word_refuses(f->ingress_final));
	assert_int_equal(f->egress, 0);
	assert_int_equal(stats(l).refused, 1);
	assert_int_equal(stats(l).repeated, 2);
	done(&s);
}

static void test_refused_after_some(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	start(l, &web);
	assert_pass(l, client(l, &web, 0, "GET"));
	assert_result(l, server(l, &web, 0, 3, "220 mail ready\r\n"), BH_PROTO_UNKNOWN);
	assert_refused(l, BH_CAUSE_PROTOCOL);
	assert_int_equal(l->findings[0].after, 1);
	assert_int_equal(l->findings[0].evidence_from, 1);
	assert_memory_equal(l->findings[0].evidence, "220 mail", 8);
	assert_int_equal(l->findings[0].pkts, 2);
	done(&s);
}

static void test_conflict_undecided(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	start(l, &web);
	assert_pass(l, client(l, &web, 0, "GET /publ"));
	assert_pass(l, client(l, &web, 0, "GET /publ")); /* the same again */
	assert_result(l, client(l, &web, 0, "GET /admi"), BH_PROTO_UNKNOWN);
	assert_refused(l, BH_CAUSE_OVERLAP_CONFLICT);
	assert_int_equal(stats(l).conflicts, 1);
	done(&s);
}

static void test_conflict_confirming(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	char other[] = REQ;

	other[5] = 'x';
	start(l, &web);
	assert_sub(l, client(l, &web, 0, REQ), BH_SUB_CONFIRM);
	assert_pass(l, client(l, &web, 0, REQ));
	assert_result(l, client(l, &web, 0, other), BH_PROTO_UNKNOWN);
	assert_result(l, server(l, &web, 0, strlen(REQ), ""), BH_PROTO_UNKNOWN);
	assert_refused(l, BH_CAUSE_OVERLAP_CONFLICT);
	assert_int_equal(l->findings[0].proto, BH_PROTO_UNKNOWN);
	assert_int_equal(l->findings[0].after, 1);
	done(&s);
}

/* Where "unknown" is allowed, the kernel cannot be told to refuse: everything is dropped here. */
static void test_conflict_where_unknown_is_allowed(void **state)
{
	struct scene s =
	    scene_with(lab_usual, 1, true, (struct bh_engine_config){ .flows = 16, .contexts = 4 });
	struct lab *l = s.l;

	start(l, &web);
	assert_pass(l, client(l, &web, 0, "GET /publ"));
	assert_drop(l, client(l, &web, 0, "GET /admi"));
	assert_drop(l, client(l, &web, 9, "more"));
	assert_drop(l, server(l, &web, 0, 9, ""));
	assert_refused(l, BH_CAUSE_OVERLAP_CONFLICT);
	done(&s);
}

static void test_keep_alive_probe(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	start(l, &web);
	assert_drop(l, lab_send_tcp(l, &web, false, 0, CISN - 1, SISN, LAB_ACK, "x", 1));
	assert_pass(l, client(l, &web, 0, "GET /"));
	assert_drop(l, lab_send_tcp(l, &web, false, 0, CISN + 4, SISN, LAB_ACK, "x", 1));
	assert_sub(l, client(l, &web, 5, " HTTP/1.1\r\n"), BH_SUB_CONFIRM);
	assert_int_equal(l->n_findings, 0);
	done(&s);
}

static void test_beginning_not_seen(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	assert_pass(l, client(l, &web, 0, "")); /* says nothing */
	assert_result(l, client(l, &web, 0, REQ), BH_PROTO_UNSEEN);
	assert_result(l, client(l, &web, 99, REQ), BH_PROTO_UNSEEN);
	assert_refused(l, BH_CAUSE_STREAM_START);
	assert_memory_equal(l->findings[0].evidence, REQ, 8);
	assert_int_equal(l->findings[0].proto, BH_PROTO_UNKNOWN);
	done(&s);

	/* The kernel waits for the confirmation of a flow that nobody here knows. */
	s = scene();
	l = s.l;
	assert_result(l,
		      lab_send_tcp(l, &web, true, BH_QMARK_CONFIRM, SISN, CISN, LAB_ACK, NULL, 0),
		      BH_PROTO_UNSEEN);
	assert_refused(l, BH_CAUSE_STREAM_START);
	done(&s);

	/* The server's word comes first, without a beginning. */
	s = scene();
	l = s.l;
	assert_result(l, server(l, &web, 0, 0, "HTTP/1.1 200 OK\r\n"), BH_PROTO_UNSEEN);
	assert_int_equal(only_finding(l)->dport, 80);
	done(&s);
}

static void test_data_before_the_beginning(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	start(l, &web);
	assert_result(l, lab_send_tcp(l, &web, false, 0, CISN - 5, SISN, LAB_ACK, "xxxxxGET /", 10),
		      BH_PROTO_UNKNOWN);
	assert_refused(l, BH_CAUSE_STREAM_START);
	done(&s);
}

static void test_urgent(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	start(l, &web);
	assert_result(
	    l, lab_send_tcp(l, &web, false, 0, CISN, SISN, LAB_ACK | LAB_URG, REQ, strlen(REQ)),
	    BH_PROTO_UNKNOWN);
	assert_refused(l, BH_CAUSE_TCP_URGENT);
	assert_int_equal(l->findings[0].pkts, 1);
	assert_memory_equal(l->findings[0].evidence, REQ, 8);
	done(&s);
}

static void test_cut_copy(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t n;

	start(l, &web);
	n = lab_tcp(l->buf, &web, false, CISN, SISN, LAB_ACK, REQ, strlen(REQ));
	assert_result(l, lab_packet(l, l->buf, n - 1, n, 0), BH_PROTO_UNKNOWN);
	assert_result(l, client(l, &web, 0, REQ), BH_PROTO_UNKNOWN);
	assert_refused(l, BH_CAUSE_TRUNCATED);
	done(&s);

	s = scene();
	l = s.l;
	n = lab_udp(l->buf, &dns, false, QUERY, sizeof(QUERY) - 1);
	assert_result(l, lab_packet(l, l->buf, n - 1, n, 0), BH_PROTO_UNKNOWN);
	assert_refused(l, BH_CAUSE_TRUNCATED);
	done(&s);
}

static void test_unreadable(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t n = lab_tcp(l->buf, &web, false, CISN, SISN, LAB_ACK, REQ, strlen(REQ));

	l->buf[32] = 0xf0; /* a TCP header longer than the packet */
	assert_drop(l, lab_packet(l, l->buf, n, n, BH_QMARK_START));
	assert_refused(l, BH_CAUSE_TRUNCATED);
	assert_int_equal(l->findings[0].dport, 0);
	assert_drop(l, lab_packet(l, l->buf, 0, 0, 0));
	assert_drop(l, lab_packet(l, "", 1, 1, 0));
	assert_int_equal(l->n_findings, 1);
	assert_int_equal(stats(l).flows, 0);
	done(&s);
}

static void test_bad_checksum(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t n;

	start(l, &web);
	n = lab_tcp(l->buf, &web, false, CISN, SISN, LAB_ACK, SSH, strlen(SSH));
	l->buf[36] ^= 1;
	l->csum_unchecked = true;
	assert_drop(l, lab_packet(l, l->buf, n, n, 0));
	assert_sub(l, client(l, &web, 0, REQ), BH_SUB_CONFIRM);
	assert_int_equal(l->n_findings, 0);
	done(&s);
}

static void test_not_of_a_stream(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	start(l, &web);
	assert_pass(l, lab_send_tcp(l, &web, false, 0, CISN, SISN, LAB_RST, NULL, 0));
	assert_pass(l, lab_send_tcp(l, &web, false, BH_QMARK_START, CISN, 0, LAB_RST, NULL, 0));
	assert_pass(l, lab_send_tcp(l, &web, false, 0, CISN - 1, 0, LAB_SYN, NULL, 0));
	assert_drop(l, lab_send_tcp(l, &web, false, 0, CISN - 1, 0, LAB_SYN, "x", 1));
	assert_drop(l, lab_send_tcp(l, &web, false, 0, CISN, SISN, LAB_RST | LAB_ACK, "x", 1));
	assert_drop(l, lab_send_tcp(l, &web, false, 0, CISN, 0, 0, "x", 1));
	assert_int_equal(stats(l).flows, 1);
	assert_sub(l, client(l, &web, 0, REQ), BH_SUB_CONFIRM);
	done(&s);
}

static void test_icmp_and_sctp(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t n = lab_udp(l->buf, &web, false, "hello, world", 12);

	l->buf[9] = 132;
	assert_result(l, lab_packet(l, l->buf, n, n, BH_QMARK_START), BH_PROTO_UNKNOWN);
	assert_refused(l, BH_CAUSE_PROTOCOL);
	assert_result(l, lab_packet(l, l->buf, n, n, BH_QMARK_START), BH_PROTO_UNKNOWN);
	assert_int_equal(l->n_findings, 1);
	/* An error about another connection must not decide over it. */
	l->buf[9] = 1;
	l->buf[20] = 3;
	assert_drop(l, lab_packet(l, l->buf, n, n, 0));
	assert_int_equal(l->n_findings, 1);
	done(&s);
}

/* ---- UDP ---- */

static void test_dns(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	assert_sub(l, lab_send_udp(l, &dns, false, BH_QMARK_START, "", 0), BH_SUB_UNDECIDED);
	assert_result(l, lab_send_udp(l, &dns, false, BH_QMARK_START, QUERY, sizeof(QUERY) - 1),
		      BH_PROTO_DNS);
	assert_result(l, lab_send_udp(l, &dns, true, 0, "anything", 8), BH_PROTO_DNS);
	assert_int_equal(l->n_findings, 0);
	assert_int_equal(stats(l).contexts_now, 0);
	done(&s);
}

static void test_refused_datagrams(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	unsigned i;

	/* Nine a second for two minutes: a record a minute. */
	for (i = 0; i < 1080; i++) {
		assert_result(l, lab_send_udp(l, &dns, false, BH_QMARK_START, "not dns", 7),
			      BH_PROTO_UNKNOWN);
		l->now += 111;
	}
	assert_int_equal(l->n_findings, 2);
	assert_int_equal(l->findings[0].refused, 1);
	assert_memory_equal(l->findings[0].evidence, "not dns", 7);
	assert_int_equal(stats(l).repeated, 1078);

	/* Silence ends it too. */
	l->now += 10001;
	assert_result(l, lab_send_udp(l, &dns, false, BH_QMARK_START, QUERY, sizeof(QUERY) - 1),
		      BH_PROTO_DNS);
	done(&s);
}

/* ---- rules ---- */

static void test_no_rules(void **state)
{
	struct bh_engine_config cfg = { .flows = 16, .contexts = 4 };
	struct lab *l = lab_new(&cfg, NULL);

	/* It says what it sees; the kernel decides. */
	start(l, &web);
	assert_pass(l, client(l, &web, 0, "GET /"));
	assert_result(l, client(l, &web, 5, " HTTP/1.1\r\n"), BH_PROTO_HTTP);
	assert_int_equal(l->n_findings, 0);
	/* But what contradicts itself goes nowhere. */
	start(l, &ssh);
	assert_pass(l, client(l, &ssh, 0, "SSH-2"));
	assert_drop(l, client(l, &ssh, 0, "SSH-1"));
	assert_refused(l, BH_CAUSE_OVERLAP_CONFLICT);
	lab_free(l);
}

static void test_rules_change(void **state)
{
	static const struct lab_rule none[] = {
		{ .action = BH_ACTION_ALLOW,
		  .l4 = BH_L4_TCP,
		  .port = 80,
		  .protos = { BH_PROTO_SSH } },
	};
	struct scene s = scene();
	struct lab *l = s.l;
	struct lab_rules other;

	lab_rules_make(&other, none, 1, false);
	start(l, &web);
	assert_pass(l, client(l, &web, 0, "GET /"));
	bh_engine_set_rules(l->engine, other.compiled.rules, other.addrs);
	assert_result(l, client(l, &web, 5, " HTTP/1.1\r\n"), BH_PROTO_HTTP);
	assert_refused(l, BH_CAUSE_PROTOCOL);
	done(&s);

	/* Judged by the old rules, not yet confirmed: the new ones have the last word. */
	s = scene();
	l = s.l;
	start(l, &web);
	assert_sub(l, client(l, &web, 0, REQ), BH_SUB_CONFIRM);
	bh_engine_set_rules(l->engine, other.compiled.rules, other.addrs);
	assert_result(l, server(l, &web, 0, 1, ""), BH_PROTO_HTTP);
	assert_refused(l, BH_CAUSE_PROTOCOL);
	lab_rules_done(&other);
	done(&s);
}

static void test_report(void **state)
{
	static const struct lab_rule alert[] = {
		{ .action = BH_ACTION_ALERT,
		  .l4 = BH_L4_TCP,
		  .port = 80,
		  .protos = { BH_PROTO_HTTP } },
		{ .action = BH_ACTION_ALLOW, .l4 = BH_L4_TCP, .port = 80 },
	};
	struct scene s =
	    scene_with(alert, 2, false, (struct bh_engine_config){ .flows = 16, .contexts = 4 });
	struct lab *l = s.l;
	const struct bh_finding *f;

	start(l, &web);
	assert_sub(l, client(l, &web, 0, REQ), BH_SUB_CONFIRM);
	assert_result(l, server(l, &web, 0, strlen(REQ), ""), BH_PROTO_HTTP);
	f = only_finding(l);
	assert_int_equal(f->refused, 0);
	assert_int_equal(f->report, 1);
	assert_int_equal(f->proto, BH_PROTO_HTTP);
	assert_int_equal(f->bytes_c, strlen(REQ));
	done(&s);
}

static void test_always_report(void **state)
{
	struct scene s = scene_with(
	    lab_usual, 1, false,
	    (struct bh_engine_config){ .flows = 16, .contexts = 4, .always_report = true });
	struct lab *l = s.l;

	start(l, &web);
	assert_sub(l, client(l, &web, 0, REQ), BH_SUB_CONFIRM);
	assert_result(l, server(l, &web, 0, strlen(REQ), ""), BH_PROTO_HTTP);
	assert_int_equal(only_finding(l)->report, 0);
	assert_int_equal(only_finding(l)->refused, 0);
	done(&s);
}

/* "Anything but SSH" has to wait until it is certain that it is not SSH. */
static void test_negated(void **state)
{
	static const struct lab_rule but_ssh[] = {
		{ .action = BH_ACTION_DENY,
		  .l4 = BH_L4_TCP,
		  .port = 80,
		  .protos = { BH_PROTO_SSH } },
		{ .action = BH_ACTION_ALLOW, .l4 = BH_L4_TCP, .port = 80 },
	};
	struct scene s =
	    scene_with(but_ssh, 2, true, (struct bh_engine_config){ .flows = 16, .contexts = 4 });
	struct lab *l = s.l;

	start(l, &web);
	assert_pass(l, client(l, &web, 0, "SSH-2.0-"));
	assert_result(l, client(l, &web, 8, "x\r\n"), BH_PROTO_SSH);
	assert_refused(l, BH_CAUSE_PROTOCOL);
	start(l, &(struct lab_tuple){ .cport = 40001, .sport = 80 });
	assert_sub(l,
		   client(l, &(struct lab_tuple){ .cport = 40001, .sport = 80 }, 0, "\x7f garbage"),
		   BH_SUB_CONFIRM);
	done(&s);
}

#if BH_HAVE_NDPI
#define MYSQL                            \
	"\x4a\0\0\0\x0a"                 \
	"5.7.30\0"                       \
	"\x08\0\0\0"                     \
	"abcdefgh\0"                     \
	"\xff\xf7\x08\x02\0\xff\x81\x15" \
	"\0\0\0\0\0\0\0\0\0\0"           \
	"abcdefghijkl\0"                 \
	"mysql_native_password\0"
#define BITTORRENT             \
	"\x13"                 \
	"BitTorrent protocol"  \
	"\0\0\0\0\0\x10\0\x05" \
	"aaaaaaaaaaaaaaaaaaaa" \
	"-TR2940-bbbbbbbbbbbb"

static void test_ndpi_refuses(void **state)
{
	static const struct lab_rule but_bt[] = {
		{ .action = BH_ACTION_DENY, .l4 = BH_L4_TCP, .protos = { BH_PROTO_BITTORRENT } },
		{ .action = BH_ACTION_ALLOW, .l4 = BH_L4_TCP },
	};
	struct scene s =
	    scene_with(but_bt, 2, true,
		       (struct bh_engine_config){ .flows = 16, .contexts = 4, .naming = true });
	struct lab *l = s.l;
	unsigned i;

	start(l, &web);
	assert_result(l,
		      lab_send_tcp(l, &web, false, 0, CISN, SISN, LAB_ACK, BITTORRENT,
				   sizeof(BITTORRENT) - 1),
		      BH_PROTO_BITTORRENT);
	assert_refused(l, BH_CAUSE_PROTOCOL);
	assert_int_equal(l->findings[0].by, BH_BY_NDPI);
	assert_string_equal(l->findings[0].ndpi_name, "BitTorrent");

	/* What has no name is waited for, but not for ever; and no flow taints the next. */
	start(l, &ssh);
	for (i = 0; i < 7; i++)
		assert_pass(l, client(l, &ssh, i, "\x7f"));
	assert_sub(l, client(l, &ssh, i, "\x7f"), BH_SUB_CONFIRM);
	assert_int_equal(l->n_findings, 1);
	done(&s);
}

/* A name that nDPI gives never allows what would be refused without it. */
static void test_ndpi_never_allows(void **state)
{
	/* The loader refuses such a rule; a rule set of another make could hold it. */
	static const struct lab_rule mysql[] = {
		{ .action = BH_ACTION_ALLOW,
		  .l4 = BH_L4_TCP,
		  .protos = { BH_PROTO_MYSQL, BH_PROTO_SSH } },
	};
	struct scene s =
	    scene_with(mysql, 1, false,
		       (struct bh_engine_config){ .flows = 16, .contexts = 4, .naming = true });
	struct lab *l = s.l;

	start(l, &web);
	assert_result(l,
		      lab_send_tcp(l, &web, true, 0, SISN, CISN, LAB_ACK, MYSQL, sizeof(MYSQL) - 1),
		      BH_PROTO_UNKNOWN);
	assert_refused(l, BH_CAUSE_PROTOCOL);
	assert_string_equal(l->findings[0].ndpi_name, "MySQL");
	assert_int_equal(l->findings[0].proto, BH_PROTO_UNKNOWN);
	/* What a probe says does. */
	start(l, &ssh);
	assert_sub(l, client(l, &ssh, 0, SSH), BH_SUB_CONFIRM);
	done(&s);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_allowed_at_once),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_queued_before_the_answer),
		cmocka_unit_test(test_server_speaks_first),
		cmocka_unit_test(test_both_sides_confirmed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_after_some),
		cmocka_unit_test(test_conflict_undecided),
		cmocka_unit_test(test_conflict_confirming),
		cmocka_unit_test(test_conflict_where_unknown_is_allowed),
		cmocka_unit_test(test_keep_alive_probe),
		cmocka_unit_test(test_beginning_not_seen),
		cmocka_unit_test(test_data_before_the_beginning),
		cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_cut_copy),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_bad_checksum),
		cmocka_unit_test(test_not_of_a_stream),
		cmocka_unit_test(test_icmp_and_sctp),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_refused_datagrams),
		cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_rules_change),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_always_report),
		cmocka_unit_test(test_negated),
#if BH_HAVE_NDPI
		cmocka_unit_test(test_ndpi_refuses),
		cmocka_unit_test(test_ndpi_never_allows),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
