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

#include "agent/attachment.h"
#include "agent/builder.h"
#include "agent/records.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/util.h"

#define T0 1767323045678901LL

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

struct fixture {
	char dir[64], path[128];
	struct bh_vlog *log;
	struct bh_endpoints *eps;
	struct bh_builder *builder;
	struct bh_generation *g;
	struct bh_history history;
	struct bh_records *records;
};

static struct bh_addr addr(const char *s)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(s, &a), 0);
	return a;
}

static void add_endpoint(struct fixture *f, const char *name, const char *label, const char *value,
			 const char *ip, const char *ip6)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;
	bh_autojson json_t *v = json_pack(
	    "{s:s, s:s, s:s, s:s, s:s, s:{s:s}, s:[s, s]}", "network", "net", "id", name, "ifname",
	    "eth0", "name", name, "namespace", "shop", "labels", label, value, "ips", ip, ip6);

	assert_int_equal(bh_attachment_parse(v, "n1", &ep, NULL), 0);
	assert_int_equal(bh_endpoints_put(f->eps, ep), 0);
}

static int setup(void **state)
{
	bh_cleanup(bh_manifests_done) struct bh_manifests folder = BH_MANIFESTS_INIT;
	bh_cleanup(bh_policies_unrefp) struct bh_policies *p = NULL;
	struct fixture *f = calloc(1, sizeof(*f));
	struct bh_vlog_config cfg = { .path = f->path, .node = "n1", .boot = "0123456789abcdef" };
	static const struct bh_manifests none = BH_MANIFESTS_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	struct bh_wanted w = { .node = "n1", .revision = 42 };
	struct bh_manifest *m;

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/bh-records.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/log", f->dir);
	assert_int_equal(bh_vlog_new(&cfg, &f->log, NULL), 0);
	assert_int_equal(bh_manifest_new("p.yaml", strdup(policies), strlen(policies), false, &m),
			 0);
	assert_int_equal(bh_manifests_add(&folder, m), 0);
	assert_int_equal(bh_policies_new(&folder, &none, &p, &d), 0);
	assert_int_equal(bh_endpoints_new(&f->eps), 0);
	add_endpoint(f, "web", "app", "web", "10.1.0.9", "fd00::9");
	add_endpoint(f, "client", "role", "client", "10.1.0.5", "fd00::5");
	add_endpoint(f, "intruder", "role", "none", "10.1.0.6", "fd00::6");
	add_endpoint(f, "db", "app", "db", "10.1.0.7", "fd00::7");
	assert_int_equal(bh_builder_new(&f->builder), 0);
	w.policies = p;
	w.eps = f->eps;
	assert_int_equal(bh_builder_build(f->builder, &w, &f->g, NULL), 0);
	bh_history_add(&f->history, f->g, 7);
	assert_int_equal(bh_records_new(f->log, &f->history, &f->records), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bh_records_free(f->records);
	bh_vlog_free(f->log);
	bh_history_done(&f->history);
	bh_generation_unref(f->g);
	bh_builder_free(f->builder);
	bh_endpoints_free(f->eps);
	(void)unlink(f->path);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

/* The records so far. */
static json_t *records_of(struct fixture *f)
{
	bh_autofree char *text = NULL;
	json_t *list = json_array();
	size_t size;

	assert_int_equal(bh_file_read(f->path, 1 << 20, &text, &size, NULL), 0);
	for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1) {
		json_t *v = NULL;

		assert_int_equal(bh_json_load(p, (size_t)(end - p), 1 << 20, &v, NULL), 0);
		(void)json_array_append_new(list, v);
	}
	return list;
}

/* The value at "a.b[0].c" as text; strings without quotes. */
static const char *at(const json_t *v, const char *path)
{
	static char text[4096];
	char part[64];

	while (*path && v) {
		size_t n = strcspn(path, ".[");

		(void)snprintf(part, sizeof(part), "%.*s", (int)n, path);
		if (n > 0)
			v = json_object_get(v, part);
		path += n;
		if (*path == '[') {
			v = json_array_get(v, (size_t)(path[1] - '0'));
			path += 3;
		}
		if (*path == '.')
			path++;
	}
	if (json_is_string(v))
		return json_string_value(v);
	if (v) {
		bh_autofree char *dump = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

		(void)snprintf(text, sizeof(text), "%s", dump);
		return text;
	}
	return "(absent)";
}

static uint32_t word_for(const struct fixture *f, const char *src, const char *dst, uint16_t dport,
			 enum bh_dir dir)
{
	struct bh_addr s = addr(src), d = addr(dst);
	const struct bh_addr_class *sc = bh_generation_addr(f->g, &s),
				   *dc = bh_generation_addr(f->g, &d);
	struct bh_conn c = { .src = s,
			     .dst = d,
			     .src_class = sc ? sc->cls : 0,
			     .dst_class = dc ? dc->cls : 0,
			     .src_local = sc != NULL,
			     .dst_local = dc != NULL,
			     .l4 = BH_L4_TCP,
			     .dport = dport };
	struct bh_decision v = bh_ruleset_decide(f->g->rules->rs, &c);

	return dir == BH_DIR_EGRESS ? v.egress : v.ingress;
}

static struct bh_refused refused(const struct fixture *f, const char *src, const char *dst,
				 uint16_t sport, uint16_t dport, enum bh_dir dir)
{
	uint32_t word = word_for(f, src, dst, dport, dir);

	return (struct bh_refused){ .reason = bh_word_number(word),
				    .word = word & BH_WORD_VERDICT,
				    .epoch = 7,
				    .dir = (uint8_t)dir,
				    .cause = 'p',
				    .src = addr(src),
				    .dst = addr(dst),
				    .l4 = BH_L4_TCP,
				    .sport = sport,
				    .dport = dport,
				    .len = 60 };
}

static struct bh_finding finding(const struct fixture *f, const char *src, const char *dst,
				 uint16_t sport, uint16_t dport, unsigned proto)
{
	struct bh_finding v = { .src = addr(src),
				.dst = addr(dst),
				.sport = sport,
				.dport = dport,
				.l4 = BH_L4_TCP,
				.cause = BH_CAUSE_PROTOCOL,
				.by = BH_BY_PROBE,
				.proto = proto,
				.pkts = 1,
				.bytes_c = 21,
				.revision = 42,
				.evidence_len = 4,
				.evidence = "SSH-" };

	v.ingress = word_for(f, src, dst, dport, BH_DIR_INGRESS);
	v.ingress_final = bh_ruleset_settle(f->g->rules->rs, v.ingress, proto);
	v.refused = bh_word_refuses(v.ingress_final);
	v.report = (v.ingress_final & BH_WORD_REPORT) != 0;
	return v;
}

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
		cmocka_unit_test_setup_teardown(test_nonsense_from_a_worker, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fifty_thousand_a_second, setup, teardown),
	};

	bh_log_init("test_records", BH_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
