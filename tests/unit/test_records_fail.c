// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_records_fail.c - records of connections that passed although nobody looked
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/netfilter.h>

static const char policies[] =
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: TrafficPolicy\n"
    "metadata: {name: web, namespace: shop}\n"
    "spec:\n"
    "  podSelector: {matchLabels: {app: web}}\n"
    "  isolate: ingress\n"
    "  ingress:\n"
    "  - {name: told, ports: [80], protocols: [http], onOverload: alert, midstream: alert}\n"
    "  - {name: counted, ports: [81], protocols: [http], onOverload: allow, midstream: allow}\n"
    "  - {name: shut, ports: [82], protocols: [http]}\n"
    "---\n"
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: TrafficPolicy\n"
    "metadata: {name: out, namespace: shop}\n"
    "spec:\n"
    "  podSelector: {matchLabels: {app: db}}\n"
    "  isolate: egress\n"
    "  egress:\n"
    "  - {name: node, action: deny, to: [{entity: host}], ports: [80], protocols: [ssh],\n"
    "     onOverload: alert, midstream: alert}\n"
    "  - {name: counted, ports: [80], protocols: [http], onOverload: allow, midstream: allow}\n";

#include "tests/lib/records_scene.h"

#define CLIENT "10.1.0.5"
#define WEB    "10.1.0.9"
#define DB     "10.1.0.7"
#define NODE   "10.1.0.1"

/* As the kernel reports what passed. */
static struct bh_refused passed(const struct fixture *f, char cause, uint16_t port, bool reply)
{
	struct bh_refused p = reply ? refused(f, WEB, CLIENT, port, 40000, BH_DIR_INGRESS)
				    : refused(f, CLIENT, WEB, 40000, port, BH_DIR_INGRESS);

	p.reason = 0;
	p.word = BH_WORD_ALLOW | BH_WORD_REPORT;
	p.dir = 0;
	p.cause = cause;
	p.reply = reply;
	return p;
}

static void test_the_kernel_lets_pass(void **state)
{
	struct fixture *f = *state;
	bh_autojson json_t *list = NULL;

	for (uint16_t port = 80; port <= 81; port++) {
		struct bh_refused full = passed(f, 'u', port, true);
		struct bh_refused start = passed(f, 'm', port, false);

		bh_records_refused(f->records, T0, &full);
		bh_records_refused(f->records, T0, &start);
	}
	list = records_of(f);
	/* Who allows is content with the count. */
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *r = json_array_get(list, i);

		assert_string_equal(at(r, "reason"), i == 0 ? "overload" : "midstream");
		assert_string_equal(at(r, "action"), "none");
		assert_string_equal(at(r, "mode"), "enforce");
		assert_string_equal(at(r, "severity"), "warning");
		/* Also where the server's packet was the one. */
		assert_string_equal(at(r, "flow.src"), CLIENT);
		assert_string_equal(at(r, "flow.dport"), "80");
		assert_string_equal(at(r, "verdicts[0].action"), "alert");
		assert_string_equal(at(r, "verdicts[0].rule.name"), "told");
		assert_string_equal(at(r, "verdicts[0].policy.name"), "web");
		assert_string_equal(at(r, "l7.expected"), "[\"http\"]");
	}
}

/* The hook says which end is the node, of a packet in either direction: else another rule would be named. */
static void test_with_the_own_node(void **state)
{
	struct fixture *f = *state;
	bh_autojson json_t *list = NULL;

	for (int reply = 0; reply < 2; reply++) {
		struct bh_refused p = passed(f, reply ? 'm' : 'u', 80, reply);

		*(reply ? &p.dst : &p.src) = addr(DB);
		*(reply ? &p.src : &p.dst) = addr(NODE);
		*(reply ? &p.dport : &p.sport) = (uint16_t)(50000 + reply);
		p.hook = NF_INET_FORWARD;
		bh_records_refused(f->records, T0, &p);
		p.hook = reply ? NF_INET_LOCAL_OUT : NF_INET_LOCAL_IN;
		bh_records_refused(f->records, T0, &p);
	}
	list = records_of(f);
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *r = json_array_get(list, i);

		assert_string_equal(at(r, "flow.src"), DB);
		assert_string_equal(at(r, "flow.sport"), i == 0 ? "50000" : "50001");
		assert_string_equal(at(r, "flow.dst"), NODE);
		assert_string_equal(at(r, "src.name"), "db");
		assert_string_equal(at(r, "verdicts[0].rule.name"), "node");
	}
}

/* Of a revision that nobody knows any more, it is told all the same. */
static void test_an_unknown_revision(void **state)
{
	struct fixture *f = *state;
	struct bh_history none = { .n = 0 };
	struct bh_refused p = passed(f, 'u', 81, false);
	bh_autojson json_t *list = NULL;

	bh_records_free(f->records);
	assert_int_equal(bh_records_new(f->log, &none, &f->records), 0);
	bh_records_refused(f->records, T0, &p);
	list = records_of(f);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(at(json_array_get(list, 0), "reason"), "overload");
	assert_string_equal(at(json_array_get(list, 0), "verdicts"), "[]");
}

static struct bh_finding blind(const struct fixture *f, uint16_t port, unsigned proto)
{
	struct bh_finding v = finding(f, CLIENT, WEB, port, port, proto);

	v.cause = proto == BH_PROTO_UNSEEN ? BH_CAUSE_STREAM_START : BH_CAUSE_RESOURCE_LIMIT;
	v.proto = proto == BH_PROTO_UNSEEN ? BH_PROTO_UNKNOWN : BH_PROTO_UNDECIDED;
	return v;
}

static void test_a_worker_lets_pass(void **state)
{
	static const unsigned protos[] = { BH_PROTO_UNSEEN, BH_PROTO_UNJUDGED };
	struct fixture *f = *state;
	bh_autojson json_t *list = NULL;

	for (uint16_t port = 80; port <= 82; port++) {
		for (size_t i = 0; i < BH_ARRAY_SIZE(protos); i++) {
			struct bh_finding v = blind(f, port, protos[i]);

			assert_int_equal(v.refused, port == 82);
			assert_int_equal(v.report, port == 80);
			bh_records_finding(f->records, T0, &v);
		}
	}
	list = records_of(f);
	assert_int_equal(json_array_size(list), 4);
	for (size_t i = 0; i < 4; i++) {
		const json_t *r = json_array_get(list, i);

		assert_string_equal(at(r, "reason"),
				    i % 2 == 0 ? "stream_start" : "resource_limit");
		assert_string_equal(at(r, "action"), i < 2 ? "none" : "reset");
		assert_string_equal(at(r, "severity"), "warning");
		assert_string_equal(at(r, "verdicts[0].action"), i < 2 ? "alert" : "refuse");
		assert_string_equal(at(r, "verdicts[0].rule.name"), i < 2 ? "told" : "shut");
	}
}

int main(void)
{
	scene_policies = policies;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_kernel_lets_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(test_with_the_own_node, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_unknown_revision, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_worker_lets_pass, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
