// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_records.c - what stands in a violation record: names, policy, rule, reason, and each only once
 *
 * Policies are loaded and compiled as the agent does it; what workers and kernel would report is made here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char policies[] =
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: TrafficPolicy\n"
    "metadata: {name: web, namespace: shop}\n"
    "spec:\n"
    "  podSelector: {matchLabels: {app: web}}\n"
    "  isolate: ingress\n"
    "  ingress:\n"
    "  - name: clients\n"
    "    from: [{podSelector: {matchLabels: {role: client}}}]\n"
    "    ports: [80]\n"
    "    protocols: [http]\n"
    "---\n"
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: TrafficPolicy\n"
    "metadata: {name: out, namespace: shop}\n"
    "spec:\n"
    "  podSelector: {matchLabels: {role: none}}\n"
    "  isolate: none\n"
    "  egress:\n"
    "  - {name: no-web, action: reject, to: [{podSelector: {matchLabels: {app: web}}}]}\n"
    "---\n"
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: TrafficPolicy\n"
    "metadata: {name: watch, namespace: shop}\n"
    "spec:\n"
    "  mode: monitor\n"
    "  podSelector: {matchLabels: {app: db}}\n"
    "  isolate: ingress\n"
    "  ingress:\n"
    "  - {name: sql, ports: [5432], protocols: [postgres]}\n";

#include "tests/lib/records_scene.h"

static void test_isolated(void **state)
{
	struct fixture *f = *state;
	struct bh_refused p = refused(f, "10.1.0.5", "10.1.0.9", 51514, 8080, BH_DIR_INGRESS);
	bh_autojson json_t *list = NULL;
	const json_t *r;

	bh_records_refused(f->records, T0, &p);
	list = records_of(f);
	assert_int_equal(json_array_size(list), 1);
	r = json_array_get(list, 0);
	assert_string_equal(at(r, "kind"), "violation");
	assert_string_equal(at(r, "reason"), "default_deny");
	assert_string_equal(at(r, "severity"), "warning");
	assert_string_equal(at(r, "mode"), "enforce");
	assert_string_equal(at(r, "action"), "drop");
	assert_string_equal(at(r, "would"), "null");
	assert_string_equal(at(r, "revision"), "42");
	assert_string_equal(at(r, "flow.src"), "10.1.0.5");
	assert_string_equal(at(r, "flow.sport"), "51514");
	assert_string_equal(at(r, "flow.dport"), "8080");
	assert_string_equal(at(r, "flow.proto"), "tcp");
	assert_string_equal(at(r, "flow.ipv"), "4");
	assert_non_null(strstr(at(r, "flow.id"), "1:"));
	assert_string_equal(at(r, "src"),
			    "{\"kind\":\"endpoint\",\"id\":\"client\",\"name\":\"client\","
			    "\"ns\":\"shop\",\"labels\":{\"role\":\"client\"}}");
	assert_string_equal(at(r, "dst.labels"), "{\"app\":\"web\"}");
	assert_string_equal(at(r, "verdicts[0].dir"), "ingress");
	assert_string_equal(at(r, "verdicts[0].action"), "refuse");
	assert_non_null(strstr(at(r, "verdicts[0].text"), "shop/web"));
	/* What came nearest, and why it did not match. */
	assert_non_null(strstr(at(r, "verdicts[0].text"), "8080"));
	assert_string_equal(at(r, "l7"), "null");
	assert_string_equal(at(r, "count"), "1");
}

static void test_both_directions_refuse(void **state)
{
	struct fixture *f = *state;
	struct bh_refused p = refused(f, "fd00::6", "fd00::9", 1000, 80, BH_DIR_EGRESS);
	bh_autojson json_t *list = NULL;
	const json_t *r;

	bh_records_refused(f->records, T0, &p);
	list = records_of(f);
	r = json_array_get(list, 0);
	assert_string_equal(at(r, "reason"), "l3l4_denied");
	assert_string_equal(at(r, "action"), "reject");
	assert_string_equal(at(r, "flow.ipv"), "6");
	assert_string_equal(at(r, "verdicts[0].dir"), "ingress");
	assert_string_equal(at(r, "verdicts[1].dir"), "egress");
	assert_string_equal(
	    at(r, "verdicts[1].policy"),
	    "{\"kind\":\"TrafficPolicy\",\"ns\":\"shop\",\"name\":\"out\",\"tier\":\"application\","
	    "\"mode\":\"enforce\"}");
	assert_string_equal(at(r, "verdicts[1].rule"), "{\"index\":0,\"name\":\"no-web\"}");
	assert_string_equal(at(r, "verdicts[2]"), "(absent)");
}

static void test_from_outside(void **state)
{
	struct fixture *f = *state;
	struct bh_refused p = refused(f, "192.0.2.1", "10.1.0.9", 1000, 80, BH_DIR_INGRESS);
	bh_autojson json_t *list = NULL;

	bh_records_refused(f->records, T0, &p);
	list = records_of(f);
	assert_string_equal(at(json_array_get(list, 0), "src"),
			    "{\"kind\":\"outside\",\"address\":\"192.0.2.1\"}");
}

static void test_wrong_protocol_is_one_violation(void **state)
{
	struct fixture *f = *state;
	struct bh_finding v = finding(f, "10.1.0.5", "10.1.0.9", 51514, 80, BH_PROTO_SSH);
	struct bh_refused p = refused(f, "10.1.0.5", "10.1.0.9", 51514, 80, BH_DIR_INGRESS), back;
	bh_autojson json_t *list = NULL, *later = NULL;
	const json_t *r;

	assert_true(v.refused);
	p.reason = bh_word_number(v.ingress_final);
	p.word = BH_WORD_DROP;
	/* The kernel's word first, the finding, then what the client sends again, and the server. */
	bh_records_refused(f->records, T0, &p);
	bh_records_finding(f->records, T0, &v);
	bh_records_refused(f->records, T0, &p);
	back = p;
	back.src = p.dst;
	back.dst = p.src;
	back.sport = p.dport;
	back.dport = p.sport;
	bh_records_refused(f->records, T0, &back);
	bh_records_flush(f->records);
	bh_vlog_flush(f->log);
	list = records_of(f);
	assert_int_equal(json_array_size(list), 1);
	r = json_array_get(list, 0);
	assert_string_equal(at(r, "reason"), "protocol_mismatch");
	assert_string_equal(at(r, "action"), "reset");
	assert_string_equal(at(r, "verdicts[0].policy.name"), "web");
	assert_string_equal(at(r, "verdicts[0].rule.name"), "clients");
	assert_string_equal(
	    at(r, "l7"),
	    "{\"expected\":[\"http\"],\"seen\":\"ssh\",\"by\":\"probe\",\"pkts\":1,\"bytes\":21,"
	    "\"evidence\":\"5353482d\",\"ndpi\":null}");
	/* The next connection is a repeat, from another port. */
	v.sport = 51515;
	bh_records_finding(f->records, T0 + 1, &v);
	bh_vlog_flush(f->log);
	later = records_of(f);
	assert_int_equal(json_array_size(later), 2);
	assert_string_equal(at(json_array_get(later, 1), "count"), "1");
}

static void test_a_finding_that_never_comes(void **state)
{
	struct fixture *f = *state;
	struct bh_finding v = finding(f, "10.1.0.5", "10.1.0.9", 51514, 80, BH_PROTO_SSH);
	struct bh_refused p = refused(f, "10.1.0.5", "10.1.0.9", 51514, 80, BH_DIR_INGRESS);
	bh_autojson json_t *early = NULL, *list = NULL;

	p.reason = bh_word_number(v.ingress_final);
	p.word = BH_WORD_DROP;
	bh_records_refused(f->records, T0, &p);
	early = records_of(f);
	assert_int_equal(json_array_size(early), 0);
	bh_records_tick(f->records, bh_clock_now() + 2000);
	list = records_of(f);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(at(json_array_get(list, 0), "reason"), "protocol_mismatch");
	assert_string_equal(at(json_array_get(list, 0), "l7.expected"), "[\"http\"]");
	assert_string_equal(at(json_array_get(list, 0), "l7.seen"), "null");
}

static void test_unknown_and_undecided(void **state)
{
	struct fixture *f = *state;
	struct bh_finding a = finding(f, "10.1.0.5", "10.1.0.9", 1, 80, BH_PROTO_UNKNOWN);
	struct bh_finding b = finding(f, "10.1.0.5", "10.1.0.9", 2, 80, BH_PROTO_UNDECIDED);
	struct bh_finding c = b;
	bh_autojson json_t *list = NULL;

	b.cause = BH_CAUSE_UNDECIDED;
	c.cause = BH_CAUSE_OVERLAP_CONFLICT;
	bh_records_finding(f->records, T0, &a);
	bh_records_finding(f->records, T0, &b);
	bh_records_finding(f->records, T0, &c);
	list = records_of(f);
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(at(json_array_get(list, 0), "reason"), "protocol_unknown");
	assert_string_equal(at(json_array_get(list, 0), "l7.seen"), "unknown");
	assert_string_equal(at(json_array_get(list, 1), "reason"), "undecided");
	assert_string_equal(at(json_array_get(list, 2), "reason"), "overlap_conflict");
	assert_string_equal(at(json_array_get(list, 2), "severity"), "critical");
}

static void test_monitor(void **state)
{
	struct fixture *f = *state;
	struct bh_finding v = finding(f, "10.1.0.5", "10.1.0.7", 1, 5432, BH_PROTO_SSH);
	struct bh_finding allowed = finding(f, "10.1.0.5", "10.1.0.7", 2, 5432, BH_PROTO_POSTGRES);
	bh_autojson json_t *list = NULL;
	const json_t *r;

	assert_false(v.refused);
	assert_true(v.report);
	bh_records_finding(f->records, T0, &v);
	bh_records_finding(f->records, T0, &allowed);
	list = records_of(f);
	assert_int_equal(json_array_size(list), 1);
	r = json_array_get(list, 0);
	assert_string_equal(at(r, "mode"), "monitor");
	assert_string_equal(at(r, "action"), "none");
	assert_string_equal(at(r, "would"), "reset");
	assert_string_equal(at(r, "verdicts[0].policy.name"), "watch");
	assert_string_equal(at(r, "verdicts[0].action"), "would_refuse");
}

static void test_other_causes(void **state)
{
	static const struct {
		char cause;
		const char *reason, *action;
	} t[] = { { 'q', "quarantine", "drop" },
		  { 's', "spoof", "drop" },
		  { 'm', "midstream", "reset" },
		  { 'c', "policy_changed", "reset" },
		  { 'p', "no_policy_match", "drop" } };
	struct fixture *f = *state;
	bh_autojson json_t *list = NULL;

	for (size_t i = 0; i < BH_ARRAY_SIZE(t); i++) {
		struct bh_refused p = refused(f, "10.1.0.6", "10.1.0.9", 1, 80, BH_DIR_INGRESS);

		p.cause = t[i].cause;
		p.reason = t[i].cause == 'm' || t[i].cause == 'c' ? p.reason : 0;
		p.word = BH_WORD_DROP;
		bh_records_refused(f->records, T0, &p);
	}
	list = records_of(f);
	assert_int_equal(json_array_size(list), BH_ARRAY_SIZE(t));
	for (size_t i = 0; i < BH_ARRAY_SIZE(t); i++) {
		assert_string_equal(at(json_array_get(list, i), "reason"), t[i].reason);
		assert_string_equal(at(json_array_get(list, i), "action"), t[i].action);
	}
	assert_string_equal(at(json_array_get(list, 0), "verdicts"), "[]");
	assert_string_equal(at(json_array_get(list, 1), "severity"), "critical");
}

/* Named after the link, which nobody can make up, whatever else is said. */
static void test_by_the_guard(void **state)
{
	static const struct {
		char cause;
		const char *reason;
	} t[] = { { 's', "spoof" },        { 'h', "spoof_mac" },    { 'a', "spoof_arp" },
		  { 'n', "spoof_nd" },     { 'r', "rogue_router" }, { 'd', "rogue_dhcp" },
		  { 'f', "foreign_frame" } };
	struct fixture *f = *state;
	struct bh_refused p = { .link = (uint32_t)scene_link("intruder"),
				.ethertype = 0x0800,
				.has_mac = true,
				.mac = { 2, 0, 0, 0, 0, 7 },
				.l4 = BH_L4_UDP,
				.sport = 67,
				.dport = 68,
				.src = addr("10.1.0.5"),
				.dst = addr("10.1.0.9") };
	struct bh_vlog_stats st;
	bh_autojson json_t *list = NULL;
	json_t *r;

	for (size_t i = 0; i < BH_ARRAY_SIZE(t); i++) {
		p.cause = t[i].cause;
		bh_records_refused(f->records, T0, &p);
	}
	/* Below IP, and by nobody that is known. */
	p.ethertype = 0x88b5;
	p.link = 4;
	p.has_mac = false;
	p.src = p.dst = (struct bh_addr){ .family = 0 };
	bh_records_refused(f->records, T0, &p);
	p.cause = 'a';
	p.ethertype = 0x0806;
	p.src = addr("10.1.0.1");
	bh_records_refused(f->records, T0, &p);
	/* However many names somebody makes up. */
	p.ethertype = 0x0800;
	p.cause = 's';
	for (unsigned i = 0; i < 10000; i++) {
		p.src.bytes[2] = (uint8_t)(i >> 8);
		p.src.bytes[3] = (uint8_t)i;
		p.dport = (uint16_t)i;
		bh_records_refused(f->records, T0, &p);
	}

	list = records_of(f);
	assert_int_equal(json_array_size(list), BH_ARRAY_SIZE(t) + 3);
	for (size_t i = 0; i < BH_ARRAY_SIZE(t); i++) {
		r = json_array_get(list, i);
		assert_string_equal(at(r, "reason"), t[i].reason);
		assert_string_equal(at(r, "severity"), "critical");
		assert_string_equal(at(r, "action"), "drop");
		assert_string_equal(at(r, "verdicts"), "[]");
		assert_string_equal(at(r, "src.name"), "intruder");
		assert_string_equal(at(r, "flow.src"), "10.1.0.5");
		assert_string_equal(at(r, "dst.name"), "web");
		assert_string_equal(at(r, "link.name"), "intruder");
		assert_string_equal(at(r, "link.mac"), "02:00:00:00:00:07");
	}
	r = json_array_get(list, BH_ARRAY_SIZE(t));
	assert_string_equal(
	    at(r, "flow"),
	    "{\"id\":null,\"ipv\":null,\"proto\":\"0x88b5\",\"src\":null,\"dst\":null}");
	assert_string_equal(at(r, "src"), "{\"kind\":\"outside\",\"address\":null}");
	assert_string_equal(at(r, "link"), "{\"index\":4,\"name\":null,\"mac\":null}");
	r = json_array_get(list, BH_ARRAY_SIZE(t) + 1);
	assert_string_equal(at(r, "flow.proto"), "arp");
	assert_string_equal(at(r, "flow.src"), "10.1.0.1");
	bh_vlog_stats_get(f->log, &st);
	assert_int_equal(st.suppressed, 9999);
}

/* Workers are not trusted: whatever they say becomes a line of JSON or nothing. */
static void test_nonsense_from_a_worker(void **state)
{
	struct fixture *f = *state;
	struct bh_finding v;
	bh_autojson json_t *list = NULL;

	memset(&v, 0xff, sizeof(v));
	bh_records_finding(f->records, T0, &v);
	memset(&v, 0, sizeof(v));
	v.refused = 1;
	bh_records_finding(f->records, T0, &v);
	list = records_of(f);
	assert_int_equal(json_array_size(list), 2);
}

/* The target is 50,000 a second; here nothing waits for a disk. */
static void test_fifty_thousand_a_second(void **state)
{
	struct fixture *f = *state;
	struct bh_refused p = refused(f, "10.1.0.5", "10.1.0.9", 51514, 8080, BH_DIR_INGRESS);
	bh_msec_t start = bh_clock_now();
	struct bh_vlog_stats st;

	for (unsigned i = 0; i < 50000; i++) {
		p.sport = (uint16_t)i;
		if (i % 10 == 0) {
			p.src.bytes[1] = (uint8_t)(i >> 8);
			p.src.bytes[2] = (uint8_t)i;
		}
		bh_records_refused(f->records, T0, &p);
	}
	assert_in_range(bh_clock_now() - start, 0, 1000);
	bh_vlog_stats_get(f->log, &st);
	assert_int_equal(st.written + st.suppressed, 50000);
	assert_int_equal(st.lost, 0);
}

int main(void)
{
	scene_policies = policies;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_isolated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_directions_refuse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_outside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_protocol_is_one_violation, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_finding_that_never_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_and_undecided, setup, teardown),
		cmocka_unit_test_setup_teardown(test_monitor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_causes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_the_guard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_from_a_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fifty_thousand_a_second, setup, teardown),
	};

	bh_log_init("test_records", BH_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
