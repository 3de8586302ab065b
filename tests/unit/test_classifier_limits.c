// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_classifier_limits.c - held segments, budgets, full tables; and one verdict for every packet
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/util.h"
#include "tests/lib/lab_scene.h"

static struct lab_tuple port(uint32_t n)
{
	return (struct lab_tuple){ .cport = (uint16_t)n, .sport = 80 };
}

/* ---- held segments ---- */

static void test_hold_and_release(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t a, b;

	start(l, &web);
	a = client(l, &web, 5, " HTTP/1.1\r\n");
	b = client(l, &web, 20, "later");
	assert_none(l, a);
	assert_none(l, b);
	assert_int_equal(stats(l).held_now, 2);
	assert_int_equal(bh_engine_tick(l->engine, l->now + 50), 150);
	/* The gap is filled: in order, each judged before it passes. What is behind another gap may go. */
	assert_pass(l, client(l, &web, 0, "GET /"));
	assert_sub(l, a, BH_SUB_CONFIRM);
	assert_pass(l, b);
	assert_int_equal(stats(l).held_now, 0);
	assert_int_equal(stats(l).held, 2);
	assert_int_equal(bh_engine_tick(l->engine, l->now), -1);
	done(&s);
}

static void test_hold_then_refused(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t a, b;

	start(l, &web);
	a = client(l, &web, 30, "later");
	b = client(l, &web, 4, "2.0-x\r\n");
	/* Could be the beginning of a method; what was held behind it shows that it is none. */
	assert_pass(l, client(l, &web, 0, "SSH-"));
	assert_result(l, b, BH_PROTO_SSH);
	assert_result(l, a, BH_PROTO_SSH);
	assert_refused(l, BH_CAUSE_PROTOCOL);
	assert_int_equal(l->findings[0].after, 1);
	done(&s);
}

static void test_hold_conflict(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t a;

	start(l, &web);
	a = client(l, &web, 5, "public");
	assert_result(l, client(l, &web, 0, "GET /admin HTTP/1.1\r\n"), BH_PROTO_UNKNOWN);
	assert_result(l, a, BH_PROTO_UNKNOWN);
	assert_refused(l, BH_CAUSE_OVERLAP_CONFLICT);
	done(&s);
}

static void test_hold_timeout(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t a, b;

	start(l, &web);
	a = client(l, &web, 5, "x");
	l->now += 100;
	b = client(l, &web, 7, "x");
	assert_int_equal(bh_engine_tick(l->engine, l->now), 100);
	l->now += 99;
	assert_int_equal(bh_engine_tick(l->engine, l->now), 1);
	assert_none(l, a);
	l->now += 1;
	assert_int_equal(bh_engine_tick(l->engine, l->now), 100);
	assert_drop(l, a);
	assert_none(l, b);
	l->now += 100;
	assert_int_equal(bh_engine_tick(l->engine, l->now), -1);
	assert_drop(l, b);
	assert_int_equal(stats(l).held_dropped, 2);
	/* Nobody is refused for it: it is sent again. */
	assert_sub(l, client(l, &web, 0, "GET / HTTP/1.1\r\n"), BH_SUB_CONFIRM);
	done(&s);
}

static void test_hold_limit_of_all(void **state)
{
	struct scene s = scene_small(1024, 1024);
	struct lab *l = s.l;
	uint32_t i, last = 0;

	for (i = 0; i < 4096; i++) {
		struct lab_tuple t = port(1 + i / 8);

		if (i % 8 == 0)
			start(l, &t);
		last = client(l, &t, 2 + 2 * (i % 8), "x");
		assert_none(l, last);
	}
	assert_int_equal(stats(l).held_now, 4096);
	start(l, &(struct lab_tuple){ .cport = 9999, .sport = 80 });
	assert_drop(l, client(l, &(struct lab_tuple){ .cport = 9999, .sport = 80 }, 2, "x"));
	bh_engine_drain(l->engine);
	assert_drop(l, last);
	assert_int_equal(stats(l).held_now, 0);
	assert_int_equal(stats(l).held_dropped, 4097);
	for (i = 0; i < l->next_id; i++)
		assert_int_equal(l->verdicts[i].count, 1);
	done(&s);
}

/* ---- budgets ---- */

static void test_budget_of_time(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	start(l, &web);
	l->now += 86400000; /* a connection that waits in a pool */
	assert_pass(l, client(l, &web, 0, "G"));
	l->now += 9999;
	assert_pass(l, client(l, &web, 1, "E"));
	l->now += 1;
	assert_result(l, client(l, &web, 2, "T"), BH_PROTO_UNDECIDED);
	assert_refused(l, BH_CAUSE_UNDECIDED);
	assert_int_equal(l->findings[0].after, 1);
	assert_int_equal(stats(l).undecided, 1);
	done(&s);

	/* A retransmission ends it just so. */
	s = scene();
	l = s.l;
	start(l, &web);
	assert_pass(l, client(l, &web, 0, "G"));
	l->now += 10000;
	assert_result(l, client(l, &web, 0, "G"), BH_PROTO_UNDECIDED);
	done(&s);
}

static void test_budget_of_packets(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t i;

	start(l, &web);
	assert_pass(l, client(l, &web, 0, "GET /"));
	for (i = 0; i < 510; i++)
		assert_pass(l, client(l, &web, 5 + i, "x"));
	assert_result(l, client(l, &web, 5 + i, "x"), BH_PROTO_UNDECIDED);
	assert_refused(l, BH_CAUSE_UNDECIDED);
	assert_int_equal(l->findings[0].pkts, 512);
	done(&s);
}

static void test_budget_of_bytes(void **state)
{
	static char path[16384];
	static const char *const banner = "a line of text that a server may send first\r\n";
	struct lab_tuple ssh = { .cport = 40000, .sport = 22 };
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t sent = 0, id = 0;

	memset(path, 'x', sizeof(path));
	memcpy(path, "GET /", 5);
	start(l, &web);
	assert_pass(l, lab_send_tcp(l, &web, false, 0, CISN, SISN, LAB_ACK, path, 16383));
	assert_result(l,
		      lab_send_tcp(l, &web, false, 0, CISN + 16383, SISN, LAB_ACK, path + 16383, 1),
		      BH_PROTO_UNDECIDED);
	assert_refused(l, BH_CAUSE_UNDECIDED);
	assert_int_equal(l->findings[0].bytes_c, 16384);
	done(&s);

	/* A request that is certain within the budget may be part of a packet beyond it. */
	s = scene();
	l = s.l;
	start(l, &web);
	memcpy(path, "GET / HTTP/1.1\r\n", 16);
	assert_sub(l, lab_send_tcp(l, &web, false, 0, CISN, SISN, LAB_ACK, path, sizeof(path)),
		   BH_SUB_CONFIRM);
	done(&s);

	s = scene();
	l = s.l;
	start(l, &ssh);
	while (sent + strlen(banner) < 8192 && sent / strlen(banner) < 49) {
		id = server(l, &ssh, sent, 0, banner);
		assert_pass(l, id);
		sent += (uint32_t)strlen(banner);
	}
	assert_pass(l, server(l, &ssh, sent, 0, banner));
	/* One line more than a banner may have. */
	assert_result(l, server(l, &ssh, sent + (uint32_t)strlen(banner), 0, banner),
		      BH_PROTO_UNKNOWN);
	done(&s);
}

static void test_budget_of_server_bytes(void **state)
{
	static char line[1024];
	struct lab_tuple ssh = { .cport = 40000, .sport = 22 };
	struct scene s = scene();
	struct lab *l = s.l;
	uint32_t i;

	memset(line, 'x', sizeof(line));
	line[1023] = '\n';
	start(l, &ssh);
	for (i = 0; i < 7; i++)
		assert_pass(
		    l, lab_send_tcp(l, &ssh, true, 0, SISN + 1024 * i, CISN, LAB_ACK, line, 1024));
	assert_result(l, lab_send_tcp(l, &ssh, true, 0, SISN + 1024 * i, CISN, LAB_ACK, line, 1024),
		      BH_PROTO_UNDECIDED);
	assert_int_equal(only_finding(l)->bytes_s, 8192);
	done(&s);
}

/* ---- full tables ---- */

static void test_idle_go_first(void **state)
{
	struct scene s = scene_small(16, 16);
	struct lab *l = s.l;
	uint32_t i;

	for (i = 1; i <= 16; i++) {
		struct lab_tuple t = port(i);

		start(l, &t);
	}
	for (i = 1; i <= 8; i++) {
		struct lab_tuple t = port(i);

		assert_pass(l, client(l, &t, 0, "GET"));
	}
	for (i = 17; i <= 24; i++) {
		struct lab_tuple t = port(i);

		start(l, &t); /* in place of 9 to 16 */
	}
	assert_int_equal(stats(l).evicted, 8);
	assert_int_equal(stats(l).flows_now, 16);
	for (i = 1; i <= 8; i++) {
		struct lab_tuple t = port(i);

		assert_sub(l, client(l, &t, 3, " / HTTP/1.1\r\n"), BH_SUB_CONFIRM);
	}
	assert_int_equal(l->n_findings, 0);
	/* Whose beginning was forgotten is refused. */
	assert_result(l, client(l, &(struct lab_tuple){ .cport = 9, .sport = 80 }, 0, REQ),
		      BH_PROTO_UNSEEN);
	assert_refused(l, BH_CAUSE_STREAM_START);
	done(&s);
}

static void test_buffers_run_out(void **state)
{
	struct scene s = scene_small(64, 2);
	struct lab *l = s.l;
	struct lab_tuple t[5];
	uint32_t i, held;

	for (i = 0; i < 5; i++) {
		t[i] = port(i + 1);
		start(l, &t[i]);
	}
	/* The oldest that is undecided pays for it, with all that it holds. */
	assert_pass(l, client(l, &t[0], 0, "GET"));
	held = client(l, &t[0], 9, "x");
	assert_none(l, held);
	l->now += 5;
	assert_pass(l, client(l, &t[1], 0, "GET"));
	assert_pass(l, client(l, &t[2], 0, "GET"));
	assert_result(l, held, BH_PROTO_UNJUDGED);
	assert_result(l, client(l, &t[0], 3, " /"), BH_PROTO_UNJUDGED);
	assert_refused(l, BH_CAUSE_RESOURCE_LIMIT);
	assert_memory_equal(l->findings[0].evidence, "GET", 3);

	/* One that waits for its confirmation goes on without buffers: nothing can be compared any more. */
	assert_sub(l, client(l, &t[1], 3, " / HTTP/1.1\r\n"), BH_SUB_CONFIRM);
	l->now += 2000;
	assert_pass(l, client(l, &t[3], 0, "GET"));
	assert_int_equal(l->n_findings, 1);
	assert_drop(l, client(l, &t[1], 0, "GET / HTTP/1.1\r\n"));
	assert_pass(l, client(l, &t[1], 16, "A: b\r\n"));
	assert_result(l, server(l, &t[1], 0, 16, ""), BH_PROTO_HTTP);
	assert_pass(l, client(l, &t[2], 3, " /"));
	assert_int_equal(stats(l).evicted, 2);
	assert_int_equal(stats(l).contexts_now, 2);
	done(&s);
}

static void test_no_buffers_at_all(void **state)
{
	struct scene s = scene_small(16, 0);
	struct lab *l = s.l;

	start(l, &web);
	assert_result(l, client(l, &web, 0, REQ), BH_PROTO_UNJUDGED);
	assert_refused(l, BH_CAUSE_RESOURCE_LIMIT);
	done(&s);
}

/* By the fail modes of the contract; the kernel is told that nobody looked, and decides by the same. */
static void test_fail_modes(void **state)
{
	static const struct lab_rule modes[] = {
		{ .action = BH_ACTION_ALLOW,
		  .l4 = BH_L4_TCP,
		  .port = 80,
		  .protos = { BH_PROTO_HTTP },
		  .on_overload = BH_FAIL_ALERT,
		  .midstream = BH_FAIL_ALLOW },
		{ .action = BH_ACTION_ALLOW,
		  .l4 = BH_L4_UDP,
		  .port = 53,
		  .protos = { BH_PROTO_DNS },
		  .on_overload = BH_FAIL_ALLOW },
		{ .action = BH_ACTION_ALLOW,
		  .l4 = BH_L4_TCP,
		  .port = 22,
		  .protos = { BH_PROTO_SSH },
		  .midstream = BH_FAIL_ALERT },
	};
	struct lab_tuple ssh = { .cport = 5, .sport = 22 }, dns = { .cport = 6, .sport = 53 };
	struct scene s = scene_with(modes, BH_ARRAY_SIZE(modes), false,
				    (struct bh_engine_config){ .flows = 64, .contexts = 0 });
	struct lab *l = s.l;

	/* No room: an alert is a finding, and refuses nothing. */
	start(l, &web);
	assert_kept(l, client(l, &web, 0, SSH), BH_PROTO_UNJUDGED);
	assert_int_equal(l->n_findings, 1);
	assert_int_equal(l->findings[0].cause, BH_CAUSE_RESOURCE_LIMIT);
	assert_int_equal(l->findings[0].proto, BH_PROTO_UNDECIDED);
	assert_true(l->findings[0].report && !l->findings[0].refused);
	assert_kept(l, client(l, &web, 21, "more"), BH_PROTO_UNJUDGED);
	assert_kept(l, lab_send_udp(l, &dns, false, 0, "x", 1), BH_PROTO_UNJUDGED);
	assert_int_equal(l->n_findings, 1);
	start(l, &ssh);
	assert_cut(l, client(l, &ssh, 0, SSH), BH_PROTO_UNJUDGED);
	assert_int_equal(l->n_findings, 2);
	assert_true(l->findings[1].refused);
	assert_int_equal(stats(l).unjudged, 2);

	/* No beginning. */
	ssh.cport = 15;
	assert_kept(l, client(l, &ssh, 0, "x"), BH_PROTO_UNSEEN);
	assert_int_equal(l->n_findings, 3);
	assert_int_equal(l->findings[2].cause, BH_CAUSE_STREAM_START);
	assert_int_equal(l->findings[2].proto, BH_PROTO_UNKNOWN);
	assert_true(l->findings[2].report && !l->findings[2].refused);
	assert_kept(l, client(l, &(struct lab_tuple){ .cport = 16, .sport = 80 }, 0, "x"),
		    BH_PROTO_UNSEEN);
	assert_int_equal(l->n_findings, 3);
	assert_int_equal(stats(l).unseen, 2);
	assert_int_equal(stats(l).refused, 1);
	done(&s);
}

static void test_settled_are_forgotten(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;

	start(l, &web);
	assert_result(l, client(l, &web, 0, SSH), BH_PROTO_SSH);
	l->now += 9999;
	assert_result(l, client(l, &web, 0, SSH), BH_PROTO_SSH);
	assert_int_equal(stats(l).flows_now, 1);
	l->now += 1;
	(void)bh_engine_tick(l->engine, l->now);
	assert_int_equal(stats(l).flows_now, 0);
	done(&s);
}

static void test_dead_connections_give_back(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	struct lab_tuple other = port(2);

	start(l, &web);
	start(l, &other);
	assert_pass(l, client(l, &web, 0, "GET"));
	assert_sub(l, client(l, &other, 0, REQ), BH_SUB_CONFIRM);
	assert_int_equal(stats(l).contexts_now, 2);
	l->now += 600000;
	(void)bh_engine_tick(l->engine, l->now);
	assert_int_equal(stats(l).contexts_now, 0);
	done(&s);
}

/* ---- whatever comes, each packet is answered once ---- */

static uint64_t seed = 1;

static uint32_t rnd(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % n;
}

static const char *const words[] = {
	"GET / HTTP/1.1\r\n",
	"G",
	"ET /",
	" HTTP/1.1\r\n",
	"SSH-2.0-x\r\n",
	"SSH-",
	"\x16\x03\x01",
	"*1\r\n$4\r\nPING\r\n",
	"x",
	"garbage garbage garbage",
	"220 mail\r\n",
	"\r\n",
};

static void random_packet(struct lab *l)
{
	static const uint16_t ports[] = { 80, 22, 53, 4444 };
	static const uint32_t marks[] = { 0, 0, 0, 0, BH_QMARK_START, BH_QMARK_CONFIRM };
	static const unsigned flags[] = { LAB_ACK,           LAB_ACK, LAB_ACK,
					  LAB_ACK,           LAB_ACK, LAB_ACK | LAB_PSH,
					  LAB_ACK | LAB_FIN, LAB_RST, LAB_SYN,
					  LAB_ACK | LAB_URG, 0 };
	struct lab_tuple t = { .v6 = rnd(2),
			       .cport = (uint16_t)(1 + rnd(6)),
			       .sport = ports[rnd(BH_ARRAY_SIZE(ports))] };
	const char *w = rnd(4) ? words[rnd(BH_ARRAY_SIZE(words))] : "";
	uint32_t n, cut, mark = marks[rnd(BH_ARRAY_SIZE(marks))];
	bool reply = rnd(3) == 0;

	if (rnd(5) == 0)
		n = lab_udp(l->buf, &t, reply, w, (uint32_t)strlen(w));
	else
		n = lab_tcp(l->buf, &t, reply,
			    (reply ? SISN : CISN) + rnd(3) * rnd(12) - (rnd(9) == 0),
			    (reply ? CISN : SISN) + rnd(3) * rnd(24),
			    flags[rnd(BH_ARRAY_SIZE(flags))], w, (uint32_t)strlen(w));
	while (rnd(8) == 0)
		l->buf[rnd(n)] = (uint8_t)rnd(256);
	cut = rnd(12) ? n : rnd(n + 1);
	l->csum_unchecked = rnd(20) == 0;
	l->hook = (uint8_t)(rnd(30) ? 0 : 1 + rnd(3));
	(void)lab_packet(l, l->buf, cut, rnd(12) ? n : cut, mark | (reply ? BH_QMARK_REPLY : 0));
}

static void test_one_verdict_each(void **state)
{
	static const struct lab_rule other[] = {
		{ .action = BH_ACTION_DENY, .protos = { BH_PROTO_SSH } },
		{ .action = BH_ACTION_ALERT, .protos = { BH_PROTO_HTTP } },
		{ .action = BH_ACTION_ALLOW },
	};
	struct scene s = scene_small(32, 8);
	struct lab *l = s.l;
	struct lab_rules open;
	struct bh_engine_stats st;
	uint32_t i;

	lab_rules_make(&open, other, 3, true);
	for (i = 0; i < 120000; i++) {
		random_packet(l);
		l->now += rnd(4);
		if (rnd(50) == 0)
			(void)bh_engine_tick(l->engine, l->now);
		if (rnd(5000) == 0)
			bh_engine_drain(l->engine);
		if (rnd(2000) == 0)
			bh_engine_set_rules(l->engine,
					    rnd(2) ? s.rules.compiled.rules : open.compiled.rules,
					    rnd(2) ? s.rules.addrs : open.addrs);
		if (rnd(20000) == 0)
			bh_engine_set_rules(l->engine, NULL, NULL);
	}
	bh_engine_drain(l->engine);
	for (i = 0; i < l->next_id; i++) {
		const struct lab_verdict *v = &l->verdicts[i];

		if (v->count != 1)
			fail_msg("packet %u has %u verdicts", i, v->count);
		if (v->verdict == BH_VERDICT_SUB)
			assert_in_range(v->result, BH_SUB_UNDECIDED, BH_SUB_CONFIRM);
		if (v->verdict == BH_VERDICT_RESULT || v->verdict == BH_VERDICT_REFUSED)
			assert_true(bh_proto_name(v->result) || v->result == BH_PROTO_UNSEEN ||
				    v->result == BH_PROTO_UNJUDGED);
	}
	st = stats(l);
	assert_int_equal(st.packets, l->next_id);
	assert_int_equal(st.held_now, 0);
	assert_in_range(st.contexts_now, 0, 8);
	assert_in_range(st.flows_now, 1, 32);
	/* All of it was met. */
	assert_true(st.held > 100 && st.conflicts > 100 && st.evicted > 100 && st.decided > 100);
	assert_true(st.refused > 100 && st.undecided > 10 && l->n_findings > 100);
	lab_rules_done(&open);
	done(&s);
}

/* Where nothing can be refused (alerts, modes monitor and learn), nothing is: also not for what cannot be judged. */
static void test_who_only_looks_refuses_nothing(void **state)
{
	static const struct lab_rule looks[] = {
		{ .action = BH_ACTION_ALLOW },
		{ .action = BH_ACTION_ALERT, .protos = { BH_PROTO_SSH } },
	};
	const struct bh_engine_config cfg = { .flows = 64, .contexts = 16 };
	struct scene s = scene_with(looks, 2, false, cfg);
	struct lab *l = s.l;
	uint32_t n;

	/* Urgent data. */
	start(l, &web);
	assert_kept(
	    l, lab_send_tcp(l, &web, false, 0, CISN, SISN, LAB_ACK | LAB_URG, REQ, strlen(REQ)),
	    BH_PROTO_UNDECIDED);
	assert_kept(l, client(l, &web, strlen(REQ), REQ), BH_PROTO_UNDECIDED);
	done(&s);

	/* A copy that is cut. */
	s = scene_with(looks, 2, false, cfg);
	l = s.l;
	start(l, &web);
	n = lab_tcp(l->buf, &web, false, CISN, SISN, LAB_ACK, REQ, strlen(REQ));
	assert_kept(l, lab_packet(l, l->buf, n - 1, n, 0), BH_PROTO_UNDECIDED);
	done(&s);

	/* The same bytes twice, and not the same; what was judged, sent again otherwise. */
	s = scene_with(looks, 2, false, cfg);
	l = s.l;
	start(l, &web);
	assert_pass(l, client(l, &web, 0, "SSH-"));
	assert_kept(l, client(l, &web, 0, "GET "), BH_PROTO_UNDECIDED);
	done(&s);
	s = scene_with(looks, 2, false, cfg);
	l = s.l;
	start(l, &web);
	assert_pass(l, server(l, &web, 0, 0, "SSH-2.0-x\r\n"));
	n = lab_send_tcp(l, &web, false, 0, CISN, SISN + 11, LAB_ACK, "SSH-2.0-y\r\n", 11);
	assert_sub(l, n, BH_SUB_CONFIRM);
	n = lab_send_tcp(l, &web, false, 0, CISN, SISN + 11, LAB_ACK, "SSH-2.0-z\r\n", 11);
	assert_kept(l, n, BH_PROTO_UNDECIDED);
	for (size_t i = 0; i < l->n_findings; i++)
		assert_int_equal(l->findings[i].refused, 0);
	done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_only_looks_refuses_nothing),
		cmocka_unit_test(test_hold_and_release),
		cmocka_unit_test(test_hold_then_refused),
		cmocka_unit_test(test_hold_conflict),
		cmocka_unit_test(test_hold_timeout),
		cmocka_unit_test(test_hold_limit_of_all),
		cmocka_unit_test(test_budget_of_time),
		cmocka_unit_test(test_budget_of_packets),
		cmocka_unit_test(test_budget_of_bytes),
		cmocka_unit_test(test_budget_of_server_bytes),
		cmocka_unit_test(test_idle_go_first),
		cmocka_unit_test(test_buffers_run_out),
		cmocka_unit_test(test_no_buffers_at_all),
		cmocka_unit_test(test_fail_modes),
		cmocka_unit_test(test_settled_are_forgotten),
		cmocka_unit_test(test_dead_connections_give_back),
		cmocka_unit_test(test_one_verdict_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
