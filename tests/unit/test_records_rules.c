// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_records_rules.c - what rules, tiers and modes have to say in a record
 *
 * How urgent it is, which policy of which tier, what is an alarm and what is only learned; and that nothing is said which
 * nobody has looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char policies[] =
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: ClusterTrafficPolicy\n"
    "metadata: {name: guard}\n"
    "spec:\n"
    "  tier: admin\n"
    "  priority: 7\n"
    "  podSelector: {matchLabels: {app: web}}\n"
    "  ingress:\n"
    "  - {name: telnet, action: reject, ports: [23], severity: critical}\n"
    "  - {name: quiet, action: deny, ports: [24], severity: info}\n"
    "  - {name: watched, action: alert, ports: [25], severity: critical}\n"
    "  - {name: noted, action: log, ports: [26]}\n"
    "  - {name: no-types, action: deny, icmp: [13]}\n"
    "  - {name: names, action: alert, ports: [27], http: [{paths: [/admin]}]}\n"
    "  - {name: both, action: log, ports: [28]}\n"
    "  - {name: more, action: alert, ports: [28], http: [{paths: [/admin]}]}\n"
    "---\n"
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: TrafficPolicy\n"
    "metadata: {name: told, namespace: shop}\n"
    "spec:\n"
    "  podSelector: {matchLabels: {app: web}}\n"
    "  isolate: ingress\n"
    "  ingress:\n"
    "  - {name: open, ports: [30], log: true}\n"
    "  - {name: unknown, ports: [31], protocols: [http], unknownProtocol: alert}\n"
    "  - {name: precious, ports: [32], protocols: [http], severity: critical}\n"
    "  - {name: reads, ports: [33], http: [{methods: [GET]}]}\n"
    "  - {ports: [25, 26, 27, 28]}\n"
    "---\n"
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: TrafficPolicy\n"
    "metadata: {name: watch, namespace: shop}\n"
    "spec:\n"
    "  mode: monitor\n"
    "  podSelector: {matchLabels: {app: db}}\n"
    "  isolate: ingress\n"
    "  ingress:\n"
    "  - {name: no-sql, action: reject, ports: [5432], severity: critical}\n"
    "  - {ports: [5433]}\n"
    "---\n"
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: TrafficPolicy\n"
    "metadata: {name: pupil, namespace: shop}\n"
    "spec:\n"
    "  mode: learn\n"
    "  podSelector: {matchLabels: {role: client}}\n"
    "  isolate: ingress\n"
    "  ingress:\n"
    "  - {ports: [80]}\n";

#include "tests/lib/records_scene.h"

#define WEB    "10.1.0.9"
#define CLIENT "10.1.0.5"
#define DB     "10.1.0.7"

/* The record of what a packet to that port gives; owned by the caller. */
static json_t *one_record(struct fixture *f)
{
	bh_autojson json_t *list = records_of(f);

	assert_int_equal(json_array_size(list), 1);
	return json_incref(json_array_get(list, 0));
}

static json_t *packet(struct fixture *f, const char *dst, uint16_t port)
{
	struct bh_refused p = refused(f, "10.1.0.6", dst, 1000, port, BH_DIR_INGRESS);

	p.word |= word_for(f, "10.1.0.6", dst, port, BH_DIR_INGRESS) & BH_WORD_REPORT;
	bh_records_refused(f->records, T0, &p);
	return one_record(f);
}

static json_t *flow(struct fixture *f, const char *dst, uint16_t port, unsigned proto)
{
	struct bh_finding v = finding(f, "10.1.0.6", dst, 1000, port, proto);

	bh_records_finding(f->records, T0, &v);
	return one_record(f);
}

static void is(const json_t *r, const char *what, const char *value)
{
	if (strcmp(at(r, what), value) != 0)
		fail_msg("%s is %s, not %s", what, at(r, what), value);
}

static void test_a_rule_of_the_admin_tier(void **state)
{
	bh_autojson json_t *r = packet(*state, WEB, 23);

	is(r, "kind", "violation");
	is(r, "reason", "l3l4_denied");
	is(r, "severity", "critical");
	is(r, "mode", "enforce");
	is(r, "action", "reject");
	is(r, "verdicts[0].policy",
	   "{\"kind\":\"ClusterTrafficPolicy\",\"ns\":\"\",\"name\":\"guard\",\"tier\":\"admin\","
	   "\"priority\":7,\"mode\":\"enforce\"}");
	is(r, "verdicts[0].rule", "{\"index\":0,\"name\":\"telnet\"}");
}

static void test_a_refusal_that_is_no_news(void **state)
{
	bh_autojson json_t *r = packet(*state, WEB, 24);

	is(r, "severity", "info");
	is(r, "action", "drop");
}

static void test_alert(void **state)
{
	bh_autojson json_t *r = packet(*state, WEB, 25);

	is(r, "reason", "alert");
	is(r, "severity", "critical");
	is(r, "action", "none");
	is(r, "would", "null");
	is(r, "verdicts[0].action", "alert");
	is(r, "verdicts[0].rule.name", "watched");
}

static void test_log(void **state)
{
	bh_autojson json_t *r = packet(*state, WEB, 26);

	is(r, "reason", "log");
	is(r, "severity", "info");
	is(r, "verdicts[0].action", "log");
	is(r, "verdicts[0].rule.name", "noted");
}

static void test_an_allow_rule_that_logs(void **state)
{
	bh_autojson json_t *r = packet(*state, WEB, 30);

	is(r, "reason", "log");
	is(r, "verdicts[0].action", "log");
	is(r, "verdicts[0].rule.name", "open");
	is(r, "verdicts[0].policy.tier", "application");
}

static void test_unknown_with_an_alert(void **state)
{
	bh_autojson json_t *r = flow(*state, WEB, 31, BH_PROTO_UNKNOWN);

	is(r, "reason", "alert");
	is(r, "severity", "warning");
	is(r, "action", "none");
	is(r, "verdicts[0].action", "alert");
	is(r, "verdicts[0].rule.name", "unknown");
}

/* The rule allows something else there, and says how much it matters. */
static void test_the_wrong_protocol_at_a_precious_port(void **state)
{
	bh_autojson json_t *r = flow(*state, WEB, 32, BH_PROTO_SSH);

	is(r, "reason", "protocol_mismatch");
	is(r, "severity", "critical");
	is(r, "action", "reset");
}

static void test_the_right_protocol_that_nobody_looked_into(void **state)
{
	bh_autojson json_t *r = flow(*state, WEB, 33, BH_PROTO_HTTP);

	is(r, "reason", "not_judged");
	is(r, "severity", "warning");
	is(r, "action", "reset");
	is(r, "l7.expected", "[\"http\"]");
	is(r, "l7.seen", "http");
}

/* An alert on requests: whether there was one, nobody knows. */
static void test_nothing_is_said_that_nobody_knows(void **state)
{
	struct fixture *f = *state;
	struct bh_finding v = finding(f, CLIENT, WEB, 1000, 27, BH_PROTO_HTTP);
	bh_autojson json_t *r = NULL;

	assert_false(v.refused);
	assert_true(v.report);
	bh_records_finding(f->records, T0, &v);
	/* Where something is recorded either way, it is. */
	r = flow(f, WEB, 28, BH_PROTO_HTTP);
	assert_int_equal(atoi(at(r, "flow.dport")), 28);
	is(r, "action", "none");
}

static void test_monitor(void **state)
{
	bh_autojson json_t *r = packet(*state, DB, 5432);

	is(r, "reason", "l3l4_denied");
	is(r, "severity", "critical");
	is(r, "mode", "monitor");
	is(r, "action", "none");
	is(r, "would", "reject");
	is(r, "verdicts[0].action", "would_refuse");
	is(r, "verdicts[0].rule.name", "no-sql");
}

static void test_monitor_isolates(void **state)
{
	bh_autojson json_t *r = packet(*state, DB, 22);

	is(r, "reason", "default_deny");
	is(r, "severity", "info");
	is(r, "mode", "monitor");
	is(r, "would", "drop");
	is(r, "verdicts[0].rule", "null");
}

/* No alarm: a record of its own kind. */
static void test_learn(void **state)
{
	bh_autojson json_t *r = flow(*state, CLIENT, 22, BH_PROTO_SSH);

	is(r, "kind", "learn");
	is(r, "reason", "not_covered");
	is(r, "severity", "info");
	is(r, "mode", "learn");
	is(r, "action", "none");
	is(r, "would", "null");
	is(r, "verdicts[0].action", "learn");
	is(r, "verdicts[0].policy.name", "pupil");
	is(r, "l7.seen", "ssh");
}

static struct bh_refused message(const struct fixture *f, const char *src, const char *dst,
				 uint16_t sport, uint16_t dport)
{
	struct bh_addr s = addr("10.1.0.6"), d = addr(WEB);
	const struct bh_addr_class *sc = bh_generation_addr(f->g, &s),
				   *dc = bh_generation_addr(f->g, &d);
	const struct bh_conn c = { .src = s,
				   .dst = d,
				   .src_class = sc->cls,
				   .dst_class = dc->cls,
				   .dst_local = true,
				   .l4 = BH_L4_ICMP,
				   .dport = 13 << 8 };
	struct bh_decision v = bh_ruleset_decide(f->g->rules->rs, &c);

	return (struct bh_refused){ .reason = bh_word_number(v.ingress),
				    .word = v.ingress & BH_WORD_VERDICT,
				    .epoch = 7,
				    .dir = BH_DIR_INGRESS,
				    .cause = 'p',
				    .src = addr(src),
				    .dst = addr(dst),
				    .l4 = BH_L4_ICMP,
				    .sport = sport,
				    .dport = dport };
}

static void test_types_of_icmp(void **state)
{
	struct fixture *f = *state;
	struct bh_refused p = message(f, "10.1.0.6", WEB, 0, 13 << 8);
	bh_autojson json_t *r = NULL;

	bh_records_refused(f->records, T0, &p);
	r = one_record(f);
	is(r, "reason", "l3l4_denied");
	is(r, "flow.proto", "icmp");
	is(r, "flow.icmp", "{\"type\":13,\"code\":0}");
	is(r, "flow.dport", "(absent)");
	is(r, "verdicts[0].rule.name", "no-types");
}

/* Cut in its midst: the packet was an answer, the flow runs the other way. */
static void test_the_answer_of_an_icmp_question(void **state)
{
	struct fixture *f = *state;
	struct bh_refused p = message(f, WEB, "10.1.0.6", 13 << 8, 0);
	bh_autojson json_t *r = NULL;

	p.cause = 'c';
	bh_records_refused(f->records, T0, &p);
	r = one_record(f);
	is(r, "reason", "policy_changed");
	is(r, "flow.src", "10.1.0.6");
	is(r, "flow.dst", WEB);
	is(r, "flow.icmp", "{\"type\":13,\"code\":0}");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_rule_of_the_admin_tier),
		T(test_a_refusal_that_is_no_news),
		T(test_alert),
		T(test_log),
		T(test_an_allow_rule_that_logs),
		T(test_unknown_with_an_alert),
		T(test_the_wrong_protocol_at_a_precious_port),
		T(test_the_right_protocol_that_nobody_looked_into),
		T(test_nothing_is_said_that_nobody_knows),
		T(test_monitor),
		T(test_monitor_isolates),
		T(test_learn),
		T(test_types_of_icmp),
		T(test_the_answer_of_an_icmp_question),
	};

	bh_log_init("test_records_rules", BH_LOG_ERROR);
	scene_policies = policies;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
