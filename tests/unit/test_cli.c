// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_cli.c - the command line as it is read, tables and records as they are shown
 */
#include "cli/cli.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/record.h"
#include "cli/world.h"
#include "common/json.h"
#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define AT(member) offsetof(struct bh_args, member)

static const struct bh_option shoot_options[] = {
	{ 'n', "namespace", "NS", BH_OPTION_TEXT, AT(ns), "where" },
	{ 'f', "filename", "FILE", BH_OPTION_LIST, AT(files), "what" },
	{ 0, "count", "N", BH_OPTION_COUNT_, AT(count), "how many" },
	{ 0, "strict", NULL, BH_OPTION_FLAG, AT(strict), "hard" },
	{ '4', NULL, NULL, BH_OPTION_FLAG, AT(v4), "old" },
	{ '6', NULL, NULL, BH_OPTION_FLAG, AT(v6), "new" },
	{ .kind = BH_OPTION_INVALID },
};

static const struct bh_verb shoot = {
	.name = "shoot",
	.words = "TARGET...",
	.summary = "Shoots at targets",
	.text = "Many words.\n",
	.options = shoot_options,
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.min_words = 1,
	.max_words = 2,
	.exits = "  0  hit\n",
	.example = "bulkhead shoot duck",
};
static const struct bh_verb version = {
	.name = "version",
	.words = "",
	.summary = "Prints the version",
	.exits = "  0  printed\n",
	.example = "bulkhead version",
};
const struct bh_verb *const bh_verbs[] = { &shoot, &version, NULL };

static int parse(struct bh_args *a, const struct bh_verb **v, struct bh_err *err,
		 const char *const *words)
{
	int n = 0;

	while (words[n])
		n++;
	*err = (struct bh_err){ .code = 0 };
	return bh_args_parse(n, words, a, v, err);
}
#define PARSE(a, v, err, ...) \
	parse(a, v, err, (const char *const[]){ "bulkhead", __VA_ARGS__, NULL })

static void test_args(void **state)
{
	bh_cleanup(bh_args_done) struct bh_args a = { .socket = NULL }, b = { .socket = NULL };
	const struct bh_verb *v = NULL;
	struct bh_err err;

	assert_int_equal(PARSE(&a, &v, &err, "--socket", "/s", "shoot", "-46", "-n", "shop", "duck",
			       "-fa", "--filename=b", "--filename", "c", "--count=7", "-ojson",
			       "--", "-x"),
			 0);
	assert_ptr_equal(v, &shoot);
	assert_string_equal(a.socket, "/s");
	assert_true(a.v4 && a.v6);
	assert_false(a.strict || a.help);
	assert_string_equal(a.ns, "shop");
	assert_int_equal(a.files.n, 3);
	assert_string_equal(a.files.items[0], "a");
	assert_string_equal(a.files.items[1], "b");
	assert_string_equal(a.files.items[2], "c");
	assert_int_equal(a.count, 7);
	assert_true(a.count_given);
	assert_int_equal(a.format, BH_FORMAT_JSON);
	assert_int_equal(a.words.n, 2);
	assert_string_equal(a.words.items[0], "duck");
	assert_string_equal(a.words.items[1], "-x");

	/* The defaults, and "-" is a word. */
	assert_int_equal(setenv("BULKHEAD_SOCKET", "/env", 1), 0);
	assert_int_equal(PARSE(&b, &v, &err, "shoot", "-"), 0);
	assert_string_equal(b.socket, "/env");
	assert_int_equal(b.format, BH_FORMAT_TABLE);
	assert_string_equal(b.words.items[0], "-");
	assert_false(b.count_given);
	assert_int_equal(unsetenv("BULKHEAD_SOCKET"), 0);
}

static void test_default_socket(void **state)
{
	bh_cleanup(bh_args_done) struct bh_args a = { .socket = NULL };
	const struct bh_verb *v = NULL;
	struct bh_err err;

	assert_int_equal(unsetenv("BULKHEAD_SOCKET"), 0);
	assert_int_equal(PARSE(&a, &v, &err, "version"), 0);
	assert_string_equal(a.socket, "/run/bulkhead/api.sock");
}

static void test_usage_errors(void **state)
{
	static const struct {
		const char *words[6];
		const char *message;
	} cases[] = {
		{ { "bulkhead", "shot" }, "unknown verb 'shot'; did you mean 'shoot'?" },
		{ { "bulkhead", "dance" }, "unknown verb 'dance'" },
		{ { "bulkhead", "--verison" }, "unknown option '--verison'" },
		{ { "bulkhead", "shoot", "x", "--stric" },
		  "shoot: unknown option '--stric'; did you mean '--strict'?" },
		{ { "bulkhead", "shoot", "x", "--strickt=1" },
		  "shoot: unknown option '--strickt'; did you mean '--strict'?" },
		{ { "bulkhead", "shoot", "x", "--quack" }, "shoot: unknown option '--quack'" },
		{ { "bulkhead", "shoot", "x", "-4z" }, "shoot: unknown option '-z'" },
		{ { "bulkhead", "shoot", "x", "--strict=yes" }, "shoot: --strict takes no value" },
		{ { "bulkhead", "shoot", "x", "-n" }, "shoot: -n wants a value: -n NS" },
		{ { "bulkhead", "shoot", "x", "--namespace" },
		  "shoot: --namespace wants a value: --namespace NS" },
		{ { "bulkhead", "shoot", "x", "--namespace=" }, "shoot: --namespace is empty" },
		{ { "bulkhead", "shoot", "x", "-na", "-nb" }, "shoot: -n is given twice" },
		{ { "bulkhead", "shoot", "x", "--count", "-1" },
		  "shoot: --count -1: a number from 0 to 1000000 is wanted" },
		{ { "bulkhead", "shoot", "x", "--count", "1000001" },
		  "shoot: --count 1000001: a number from 0 to 1000000 is wanted" },
		{ { "bulkhead", "shoot", "x", "-o", "jsno" },
		  "shoot: unknown output format 'jsno'; did you mean 'json'?" },
		{ { "bulkhead", "shoot", "x", "-o", "yaml" },
		  "shoot: no output format 'yaml' here; there are table, json" },
		{ { "bulkhead", "-o", "yaml", "shoot", "x" },
		  "shoot: no output format 'yaml' here" },
		{ { "bulkhead", "version", "-o", "json" }, "version: unknown option '-o'" },
		{ { "bulkhead", "shoot" }, "shoot: TARGET... is missing" },
		{ { "bulkhead", "shoot", "a", "b", "c" }, "shoot: 'c' is one word too many" },
		{ { "bulkhead", "version", "a" }, "version: 'a' is one word too many" },
		{ { "bulkhead", "--socket", "/x" },
		  "what to do? 'bulkhead --help' lists the verbs" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_cleanup(bh_args_done) struct bh_args a = { .socket = NULL };
		const struct bh_verb *v = NULL;
		struct bh_err err;

		assert_int_equal(parse(&a, &v, &err, cases[i].words), -EINVAL);
		assert_string_equal(err.msg, cases[i].message);
	}
}

static void test_help(void **state)
{
	static const char *const ways[][4] = {
		{ "bulkhead", "help", "shoot" },
		{ "bulkhead", "shoot", "--help" },
		{ "bulkhead", "shoot", "-h" },
		{ "bulkhead", "--help", "shoot" },
	};
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT, all = BH_BUF_INIT;
	bh_cleanup(bh_args_done) struct bh_args b = { .socket = NULL };
	const struct bh_verb *v = NULL;
	struct bh_err err;

	for (size_t i = 0; i < BH_ARRAY_SIZE(ways); i++) {
		bh_cleanup(bh_args_done) struct bh_args a = { .socket = NULL };

		assert_int_equal(parse(&a, &v, &err, ways[i]), 0);
		assert_ptr_equal(v, &shoot);
		assert_true(a.help);
	}
	assert_int_equal(PARSE(&b, &v, &err, "--help"), 0);
	assert_null(v);

	bh_help_print(&shoot, &out);
	assert_string_equal(
	    bh_buf_str(&out),
	    "Usage: bulkhead shoot [OPTIONS] TARGET...\n"
	    "\n"
	    "Shoots at targets.\n"
	    "\n"
	    "Many words.\n"
	    "\n"
	    "Options:\n"
	    "  -n, --namespace NS      where\n"
	    "  -f, --filename FILE     what\n"
	    "      --count N           how many\n"
	    "      --strict            hard\n"
	    "  -4                      old\n"
	    "  -6                      new\n"
	    "  -o, --output FORMAT     table (default), json\n"
	    "      --socket PATH       the agent's socket (default: $BULKHEAD_SOCKET, else "
	    "/run/bulkhead/api.sock)\n"
	    "  -h, --help              show this help\n"
	    "\n"
	    "Exit status:\n"
	    "  0  hit\n"
	    "  2  the command line is wrong\n"
	    "\n"
	    "Example:\n"
	    "  bulkhead shoot duck\n");
	bh_help_print(NULL, &all);
	assert_non_null(strstr(bh_buf_str(&all), "\n  shoot          Shoots at targets\n"));
	assert_non_null(strstr(bh_buf_str(&all), "\n  version        Prints the version\n"));
}

static void test_clean(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;

	bh_put_clean(
	    &out,
	    "a\x1b[31m\n\t\x7f|\xc2\x9b|\xe2\x80\xae|\xef\xbb\xbf|\x9b|\xff|\xe2\x80|\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8d");
	assert_string_equal(bh_buf_str(&out),
			    "a?[31m???|?|?|?|?|?|??|\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8d");
}

static void test_table(void **state)
{
	static const char *const head[] = { "NAME", "N", "LAST" };
	bh_cleanup(bh_table_done) struct bh_table t = { .n = 0 };
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT, colour = BH_BUF_INIT;

	bh_table_init(&t, head, 3);
	bh_table_add(&t, "b\xc3\xa4r");
	bh_table_printf(&t, "%d", 12345);
	bh_table_add_colour(&t, "red", BH_COLOUR_RED);
	bh_table_add(&t, "longer");
	bh_table_add(&t, NULL);
	bh_table_add(&t, "");
	assert_int_equal(bh_table_print(&t, false, &out), 0);
	assert_string_equal(bh_buf_str(&out), "NAME    N      LAST\n"
					      "b\xc3\xa4r     12345  red\n"
					      "longer  -      -\n");
	assert_int_equal(bh_table_print(&t, true, &colour), 0);
	assert_non_null(strstr(bh_buf_str(&colour), "12345  \x1b[31mred\x1b[0m\n"));
}

static void test_no_colour(void **state)
{
	/* Neither a pipe nor a file is a terminal. */
	assert_int_equal(setenv("TERM", "xterm", 1), 0);
	assert_false(bh_colour_wanted(-1));
	assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
	assert_false(bh_colour_wanted(STDOUT_FILENO));
}

static void record(const char *json, const char *line)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_autojson json_t *v = NULL;

	assert_int_equal(bh_json_load(json, strlen(json), 10000, &v, NULL), 0);
	bh_record_line(v, false, &out);
	assert_string_equal(bh_buf_str(&out), line);
}

#define FLOW4                                                                         \
	"\"flow\":{\"ipv\":4,\"proto\":\"tcp\",\"src\":\"10.1.0.5\",\"sport\":51514," \
	"\"dst\":\"10.1.0.9\",\"dport\":80}"

static void test_record(void **state)
{
	record(
	    "{\"v\":1,\"ts\":\"2026-01-02T03:04:05.678901Z\",\"seq\":17,\"kind\":\"violation\","
	    "\"reason\":\"protocol_mismatch\",\"action\":\"reset\",\"would\":null," FLOW4 ","
	    "\"src\":{\"kind\":\"endpoint\",\"name\":\"shell\",\"ns\":\"shop\"},"
	    "\"dst\":{\"kind\":\"endpoint\",\"name\":\"web\",\"ns\":\"shop\"},"
	    "\"verdicts\":[{\"dir\":\"ingress\",\"action\":\"refuse\",\"policy\":{\"kind\":"
	    "\"TrafficPolicy\",\"ns\":\"shop\",\"name\":\"web\"},\"rule\":{\"index\":0,\"name\":"
	    "\"clients\"}}],\"l7\":{\"expected\":[\"http\",\"dns\"],\"seen\":\"ssh\",\"ndpi\":null},"
	    "\"count\":3}",
	    "2026-01-02 03:04:05.678Z reset shop/shell 10.1.0.5 -> shop/web 10.1.0.9:80/tcp "
	    "protocol_mismatch: TrafficPolicy shop/web rule 0 \"clients\" (ingress); expected http or "
	    "dns, seen ssh; 3 times\n");
	record(
	    "{\"ts\":\"2026-01-02T03:04:05.678901Z\",\"kind\":\"violation\",\"reason\":\"default_deny\","
	    "\"action\":\"none\",\"would\":\"drop\",\"flow\":{\"proto\":\"udp\",\"src\":\"fd00::5\","
	    "\"dst\":\"fd00::9\",\"sport\":1,\"dport\":53},\"src\":{\"kind\":\"outside\",\"address\":"
	    "\"fd00::5\"},\"dst\":{\"kind\":\"outside\",\"address\":\"fd00::9\"},\"verdicts\":[{\"dir\":"
	    "\"egress\",\"policy\":null,\"rule\":null,\"text\":\"isolated\"}],\"l7\":null,\"count\":1}",
	    "2026-01-02 03:04:05.678Z would drop fd00::5 -> [fd00::9]:53/udp default_deny: "
	    "isolated (egress)\n");
	record(
	    "{\"ts\":\"x\",\"kind\":\"violation\",\"reason\":\"log\",\"action\":\"none\",\"would\":null,"
	    "\"flow\":{\"proto\":\"icmp\",\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.2\"},"
	    "\"l7\":{\"expected\":[],\"seen\":null,\"ndpi\":\"Telnet\"}}",
	    "x log 10.0.0.1 -> 10.0.0.2/icmp log (nDPI says Telnet)\n");
	record(
	    "{\"ts\":\"x\",\"kind\":\"violation\",\"reason\":\"l3l4_denied\",\"action\":\"drop\","
	    "\"flow\":{\"proto\":\"icmp\",\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.2\",\"icmp\":"
	    "{\"type\":13,\"code\":0}},\"verdicts\":[{\"dir\":\"ingress\",\"policy\":{\"kind\":"
	    "\"ClusterTrafficPolicy\",\"ns\":\"\",\"name\":\"pings\"},\"rule\":{\"index\":1,"
	    "\"name\":null}}],\"l7\":null}",
	    "x drop 10.0.0.1 -> 10.0.0.2/icmp 13/0 l3l4_denied: ClusterTrafficPolicy pings rule 1 "
	    "(ingress)\n");
	record(
	    "{\"ts\":\"x\",\"kind\":\"violation\",\"reason\":\"spoof_arp\",\"action\":\"drop\","
	    "\"flow\":{\"id\":null,\"ipv\":4,\"proto\":\"arp\",\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.2\"},"
	    "\"src\":{\"kind\":\"endpoint\",\"name\":\"bad\",\"ns\":\"shop\"},\"verdicts\":[],\"l7\":null,"
	    "\"link\":{\"index\":4,\"name\":\"bhk1\",\"mac\":\"02:00:00:00:00:07\"}}",
	    "x drop shop/bad 10.0.0.1 -> 10.0.0.2/arp spoof_arp; on bhk1 from 02:00:00:00:00:07\n");
	record(
	    "{\"ts\":\"x\",\"kind\":\"violation\",\"reason\":\"foreign_frame\",\"action\":\"drop\","
	    "\"flow\":{\"id\":null,\"ipv\":null,\"proto\":\"0x88b5\",\"src\":null,\"dst\":null},"
	    "\"src\":{\"kind\":\"outside\",\"address\":null},\"verdicts\":[],\"l7\":null,"
	    "\"link\":{\"index\":4,\"name\":null,\"mac\":null}}",
	    "x drop ? -> ?/0x88b5 foreign_frame; on an unknown link\n");
	record(
	    "{\"ts\":\"2026-01-02T03:04:05.678901Z\",\"seq\":1,\"kind\":\"loss\",\"cause\":\"queue\","
	    "\"count\":12,\"note\":null}",
	    "2026-01-02 03:04:05.678Z loss cause=queue count=12\n");
}

/* Whatever a record lacks, and whatever it says: one line, nothing that a terminal obeys. */
static void test_hostile_record(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"kind\":\"violation\"}",
		"{\"kind\":7,\"ts\":[]}",
		"{\"kind\":\"violation\",\"verdicts\":[1,{}],\"l7\":{\"expected\":[1]},\"flow\":[]}",
		"{\"kind\":\"violation\",\"action\":\"\\u001b[2J\\n\",\"src\":{\"name\":\"a\\nb\"}}",
		"{\"kind\":\"x\",\"a\\nb\":\"c\\r\\n\"}",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++) {
		bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
		bh_autojson json_t *v = NULL;

		assert_int_equal(bh_json_load(texts[i], strlen(texts[i]), 1000, &v, NULL), 0);
		bh_record_line(v, false, &out);
		assert_true(out.len > 1);
		for (size_t k = 0; k < out.len - 1; k++)
			assert_true((unsigned char)out.data[k] >= 0x20);
		assert_int_equal(out.data[out.len - 1], '\n');
	}
}

static void test_kinds(void **state)
{
	static const struct {
		const char *word;
		enum bh_kind kind;
	} good[] = {
		{ "NetworkPolicy", BH_KIND_NETWORK_POLICY },
		{ "networkpolicies", BH_KIND_NETWORK_POLICY },
		{ "NETPOL", BH_KIND_NETWORK_POLICY },
		{ "TrafficPolicy", BH_KIND_TRAFFIC_POLICY },
		{ "tp", BH_KIND_TRAFFIC_POLICY },
		{ "ClusterTrafficPolicy", BH_KIND_CLUSTER_TRAFFIC_POLICY },
		{ "ctp", BH_KIND_CLUSTER_TRAFFIC_POLICY },
		{ "clusternetworkpolicies", BH_KIND_CLUSTER_NETWORK_POLICY },
		{ "cnp", BH_KIND_CLUSTER_NETWORK_POLICY },
		{ "ANP", BH_KIND_ADMIN_NETWORK_POLICY },
		{ "baselineadminnetworkpolicies", BH_KIND_BASELINE_ADMIN_NETWORK_POLICY },
		{ "banp", BH_KIND_BASELINE_ADMIN_NETWORK_POLICY },
		{ "ns", BH_KIND_NAMESPACE },
		{ "ep", BH_KIND_ENDPOINT },
		{ "nodes", BH_KIND_NODE },
	};
	enum bh_kind kind = BH_KIND_INVALID;
	struct bh_err err = { .code = 0 };

	for (size_t i = 0; i < BH_ARRAY_SIZE(good); i++) {
		assert_int_equal(bh_kind_parse(good[i].word, &kind, &err), 0);
		assert_int_equal(kind, good[i].kind);
	}
	/* Each by its own name. */
	for (unsigned k = BH_KIND_INVALID + 1; k < BH_KIND_COUNT; k++) {
		assert_int_equal(bh_kind_parse(bh_kind_name(k), &kind, &err), 0);
		assert_int_equal(kind, k);
	}
	assert_int_equal(bh_kind_parse("TraficPolicy", &kind, &err), -EINVAL);
	assert_string_equal(err.msg, "unknown kind 'TraficPolicy'; did you mean 'trafficpolicy'?");
	assert_int_equal(bh_kind_parse("Pod", &kind, &err), -EINVAL);
	assert_int_equal(bh_kind_parse("", &kind, &err), -EINVAL);
	assert_int_equal(bh_kind_parse("networkpolicynetworkpolicynetworkpolicy", &kind, &err),
			 -EINVAL);
}

static void test_path(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;

	bh_policy_path(&out, "TrafficPolicy", "shop", "a/b?c d.e-f\xc3\xa4");
	assert_string_equal(bh_buf_str(&out),
			    "/v1/policies/TrafficPolicy/shop/a%2Fb%3Fc%20d.e-f%C3%A4");
	/* The agent's lists say "" of what stands in no namespace. */
	bh_buf_clear(&out);
	bh_policy_path(&out, "ClusterTrafficPolicy", "", "a");
	assert_string_equal(bh_buf_str(&out), "/v1/policies/ClusterTrafficPolicy/a");
	bh_buf_clear(&out);
	bh_policy_path(&out, "Node", NULL, "a");
	assert_string_equal(bh_buf_str(&out), "/v1/policies/Node/a");
}

static struct bh_endpoint *endpoint(const char *json, bool *quarantined, int wanted,
				    const char *message)
{
	bh_autojson json_t *v = NULL;
	struct bh_endpoint *e = NULL;
	struct bh_err err = { .code = 0 };

	assert_int_equal(bh_json_load(json, strlen(json), 10000, &v, NULL), 0);
	assert_int_equal(bh_endpoint_from_json(v, &e, quarantined, &err), wanted);
	if (message)
		assert_string_equal(err.msg, message);
	return e;
}

#define HEAD "{\"id\":\"3f\",\"name\":\"web-1\",\"namespace\":\"shop\",\"local\":true,"

static void test_endpoint(void **state)
{
	bool q = false;
	bh_cleanup(bh_endpoint_freep) struct bh_endpoint *e = endpoint(
	    HEAD
	    "\"labels\":{\"app\":\"web\",\"a\":\"b\"},\"addresses\":[\"10.1.0.5\",\"fd00::5\"],"
	    "\"state\":\"quarantined\",\"node\":null,"
	    "\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}]}",
	    &q, 0, NULL);

	assert_true(q);
	assert_string_equal(e->name, "web-1");
	assert_string_equal(e->ns, "shop");
	assert_null(e->node);
	assert_true(e->local);
	assert_string_equal(bh_labels_get(&e->labels, "app"), "web");
	assert_int_equal(e->n_addrs, 2);
	assert_int_equal(e->addrs[1].family, 6);
	assert_int_equal(e->n_ports, 1);
	assert_int_equal(e->ports[0].port, 80);
	assert_int_equal(e->ports[0].l4, BH_L4_TCP);
}

static void test_endpoint_refused(void **state)
{
	static const struct {
		const char *json, *message;
		int r;
	} cases[] = {
		{ "[]", NULL, -EINVAL },
		{ "{\"id\":\"3f\"}", "\"name\" is missing", -ENOENT },
		{ HEAD "\"addresses\":[]}", "\"labels\" is missing", -ENOENT },
		{ HEAD "\"labels\":{}}", "\"addresses\" is missing", -ENOENT },
		{ HEAD "\"labels\":{\"a\":1},\"addresses\":[]}", "label \"a\" is not a string",
		  -EINVAL },
		{ HEAD "\"labels\":{},\"addresses\":[\"10.1.0\"]}",
		  "\"addresses\"[0] is no address", -EINVAL },
		{ HEAD
		  "\"labels\":{},\"addresses\":[],\"ports\":[{\"name\":\"x\",\"port\":65536}]}",
		  "\"ports\"[0]: \"port\" is 65536, not in 0-65535", -EINVAL },
		{ HEAD "\"labels\":{},\"addresses\":[],\"ports\":[{\"name\":\"x\",\"port\":1,"
		       "\"protocol\":\"IP\"}]}",
		  "\"ports\"[0]: \"protocol\" \"IP\" is not TCP, UDP or SCTP", -EINVAL },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bool q = false;

		assert_null(endpoint(cases[i].json, &q, cases[i].r, cases[i].message));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_default_socket),
		cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_no_colour),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_hostile_record),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_endpoint_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
