/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_explain.c - explanations: what the golden texts do not show
 *
 * JSON, other hosts, addresses that changed hands, near misses for the violation log, and that the outcome
 * in words is the one that the rule set gives.
 */
#include "common/json.h"
#include "common/util.h"
#include "policy/explain.h"
#include "policy/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char manifests[] =
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: TrafficPolicy\n"
    "metadata: {name: web-http-only, namespace: shop}\n"
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
    "kind: Endpoint\n"
    "metadata: {name: client, namespace: shop, labels: {role: client}}\n"
    "spec: {addresses: [10.1.0.2, 'fd00::2']}\n"
    "---\n"
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: Endpoint\n"
    "metadata: {name: intruder, namespace: shop}\n"
    "spec: {addresses: [10.1.0.3]}\n"
    "---\n"
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: Endpoint\n"
    "metadata: {name: web, namespace: shop, labels: {app: web}}\n"
    "spec: {addresses: [10.1.0.1, 'fd00::1']}\n";

enum { CLIENT, INTRUDER, WEB }; /* sorted by name */

struct scene {
	struct bh_policy_set *set;
	struct bh_compiler *compiler;
	struct bh_compiled out;
};

static const struct bh_endpoint *const *endpoints(const struct scene *s)
{
	return (const struct bh_endpoint *const *)s->set->endpoints;
}

static void compile(struct scene *s)
{
	bh_compiled_done(&s->out);
	const struct bh_compile_input in = {
		.set = s->set,
		.eps = endpoints(s),
		.n_eps = s->set->n_endpoints,
		.revision = 1,
	};

	assert_int_equal(bh_compile(s->compiler, &in, &s->out, NULL), 0);
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct bh_diags d = BH_DIAGS_INIT;

	assert_non_null(s);
	s->set = bh_policy_set_new();
	assert_non_null(s->set);
	assert_int_equal(bh_load_text(s->set, "01-web.yaml", manifests, strlen(manifests), &d), 0);
	assert_int_equal(bh_load_finish(s->set, &d), 0);
	bh_diags_done(&d);
	assert_int_equal(s->set->n_endpoints, 3);
	assert_int_equal(bh_compiler_new(&s->compiler), 0);
	compile(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	bh_compiled_done(&s->out);
	bh_compiler_free(s->compiler);
	bh_policy_set_free(s->set);
	free(s);
	return 0;
}

static enum bh_outcome ask(const struct scene *s, const struct bh_query *q, struct bh_buf *text,
			   json_t **json)
{
	enum bh_outcome outcome = BH_OUTCOME_INVALID;
	struct bh_err err = { .code = 0 };

	if (bh_explain(s->set, endpoints(s), s->set->n_endpoints, &s->out, q, text, json, &outcome,
		       &err) < 0)
		fail_msg("%s", err.msg);
	return outcome;
}

static const struct bh_query web_80 = {
	.from_endpoint = CLIENT,
	.to_endpoint = WEB,
	.l4 = BH_L4_TCP,
	.port = 80,
	.all_local = true,
};

static void test_text_of_the_first_example(void **state)
{
	static const char want[] =
	    "shop/intruder -> shop/web tcp/80: REFUSED\n"
	    "  egress of shop/intruder: allowed (no policy selects it for egress)\n"
	    "  ingress of shop/web: refused – application tier: isolated by TrafficPolicy shop/web-http-only "
	    "(01-web.yaml:1); no rule allows it\n"
	    "     rule \"clients\" (line 8) does not match: source has no label role=client\n";
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	struct bh_query q = web_80;

	q.from_endpoint = INTRUDER;
	assert_int_equal(ask(*state, &q, &text, NULL), BH_OUTCOME_REFUSE);
	assert_string_equal(bh_buf_str(&text), want);
}

static void test_outcomes(void **state)
{
	struct bh_query q = web_80;

	assert_int_equal(ask(*state, &q, NULL, NULL), BH_OUTCOME_CONTRACT);
	q.spoken.proto = BH_PROTO_HTTP;
	assert_int_equal(ask(*state, &q, NULL, NULL), BH_OUTCOME_ALLOW);
	q.spoken.proto = BH_PROTO_SSH;
	assert_int_equal(ask(*state, &q, NULL, NULL), BH_OUTCOME_REFUSE);
	q.spoken.proto = BH_PROTO_UNDECIDED;
	assert_int_equal(ask(*state, &q, NULL, NULL), BH_OUTCOME_REFUSE);
	q.spoken.proto = 0;
	q.port = 81;
	assert_int_equal(ask(*state, &q, NULL, NULL), BH_OUTCOME_REFUSE);
	q.to_endpoint = INTRUDER;
	assert_int_equal(ask(*state, &q, NULL, NULL), BH_OUTCOME_ALLOW);
}

/* The agent's rule set knows local subjects only; offline both ends are asked. */
static void test_other_hosts(void **state)
{
	struct scene *s = *state;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	struct bh_query q = web_80;

	s->set->endpoints[CLIENT]->local = true;
	compile(s);
	q.port = 81;
	q.all_local = false;
	assert_int_equal(ask(s, &q, &text, NULL), BH_OUTCOME_ALLOW);
	assert_non_null(
	    strstr(bh_buf_str(&text), "ingress of shop/web: not asked (it runs on another host"));
	bh_buf_clear(&text);
	q.all_local = true;
	assert_int_equal(ask(s, &q, &text, NULL), BH_OUTCOME_REFUSE);
	assert_non_null(strstr(bh_buf_str(&text), "port 81 is not in 80"));
}

static void test_address_that_changed_hands(void **state)
{
	struct scene *s = *state;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	struct bh_query q = web_80;

	/* The one that stands later in the list has it. */
	s->set->endpoints[INTRUDER]->addrs[0] = s->set->endpoints[CLIENT]->addrs[0];
	compile(s);
	q.family = 4;
	assert_int_equal(ask(s, &q, &text, NULL), BH_OUTCOME_REFUSE);
	assert_non_null(strstr(bh_buf_str(&text),
			       "note: 10.1.0.2 of shop/client belongs to shop/intruder now"));
}

static void test_families(void **state)
{
	struct scene *s = *state;
	struct bh_query q = web_80;
	enum bh_outcome outcome;
	struct bh_err err = { .code = 0 };

	q.family = 6;
	q.spoken.proto = BH_PROTO_HTTP;
	assert_int_equal(ask(s, &q, NULL, NULL), BH_OUTCOME_ALLOW);
	q.from_endpoint = INTRUDER;
	assert_int_equal(
	    bh_explain(s->set, endpoints(s), 3, &s->out, &q, NULL, NULL, &outcome, &err), -EINVAL);
	assert_string_equal(err.msg, "endpoint shop/intruder has no IPv6 address");
	q.family = 0;
	q.from_endpoint = SIZE_MAX;
	assert_int_equal(bh_addr_parse("2001:db8::1", &q.from_addr), 0);
	assert_int_equal(ask(s, &q, NULL, NULL), BH_OUTCOME_REFUSE);
	q.to_endpoint = INTRUDER;
	assert_int_equal(
	    bh_explain(s->set, endpoints(s), 3, &s->out, &q, NULL, NULL, &outcome, &err), -EINVAL);
	q.to_endpoint = 17;
	assert_int_equal(
	    bh_explain(s->set, endpoints(s), 3, &s->out, &q, NULL, NULL, &outcome, &err), -EINVAL);
}

static const char *str_at(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "(none)";
}

static void test_json(void **state)
{
	bh_autojson json_t *j = NULL;
	struct bh_query q = web_80;
	const json_t *in, *http, *miss;

	assert_int_equal(ask(*state, &q, NULL, &j), BH_OUTCOME_CONTRACT);
	assert_string_equal(str_at(j, "outcome"), "contract");
	assert_string_equal(str_at(json_object_get(j, "from"), "endpoint"), "shop/client");
	assert_string_equal(str_at(json_object_get(j, "to"), "address"), "10.1.0.1");
	assert_true(json_is_null(json_object_get(j, "spoken")));
	in = json_array_get(json_object_get(j, "directions"), 1);
	assert_string_equal(str_at(in, "direction"), "ingress");
	assert_string_equal(str_at(in, "verdict"), "contract");
	http = json_array_get(json_object_get(in, "cases"), 0);
	assert_string_equal(str_at(http, "verdict"), "allow");
	assert_string_equal(str_at(http, "tier"), "application");
	assert_string_equal(str_at(json_object_get(http, "policy"), "name"), "web-http-only");
	assert_string_equal(str_at(json_object_get(http, "rule"), "name"), "clients");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(http, "rule"), "line")),
			 8);
	http = json_array_get(json_object_get(in, "cases"), 1);
	assert_string_equal(str_at(http, "protocol"), "other");
	assert_string_equal(str_at(http, "reason"), "protocol");
	json_decref(j);

	q.from_endpoint = INTRUDER;
	assert_int_equal(ask(*state, &q, NULL, &j), BH_OUTCOME_REFUSE);
	in = json_array_get(json_object_get(j, "directions"), 1);
	assert_string_equal(str_at(in, "reason"), "isolated");
	assert_string_equal(str_at(in, "verdict"), "drop");
	miss = json_array_get(json_object_get(in, "nearMisses"), 0);
	assert_string_equal(str_at(miss, "why"), "source has no label role=client");
	assert_string_equal(str_at(json_array_get(json_object_get(j, "directions"), 0), "reason"),
			    "noPolicy");
}

/* A node that no manifest tells about can only be an end's own one. */
static void test_own_node_without_a_manifest(void **state)
{
	struct scene *s = *state;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	bh_autojson json_t *j = NULL;
	struct bh_query q = web_80;
	enum bh_outcome outcome;
	struct bh_err err = { .code = 0 };

	s->set->endpoints[WEB]->node = strdup("n1");
	assert_non_null(s->set->endpoints[WEB]->node);
	q.from_endpoint = SIZE_MAX;
	q.from_node = "n1";
	assert_int_equal(ask(s, &q, &text, &j), BH_OUTCOME_ALLOW);
	assert_non_null(strstr(bh_buf_str(&text), "node n1 -> shop/web tcp/80: ALLOWED\n"));
	assert_non_null(
	    strstr(bh_buf_str(&text), "egress of node n1: allowed (no policy binds a node)"));
	assert_true(json_is_true(json_object_get(json_object_get(j, "from"), "ownNode")));
	assert_true(json_is_null(json_object_get(json_object_get(j, "from"), "address")));
	q.from_node = "n2";
	assert_int_equal(
	    bh_explain(s->set, endpoints(s), 3, &s->out, &q, NULL, NULL, &outcome, &err), -EINVAL);
	assert_string_equal(err.msg,
			    "no IPv4 address of node n2 is known: there is no Node manifest of it");
}

/* What the text shortens is complete for programs. */
static void test_json_of_tiers_and_misses(void **state)
{
	static const char more[] =
	    "apiVersion: bulkhead.network/v1alpha1\n"
	    "kind: ClusterTrafficPolicy\n"
	    "metadata: {name: fence}\n"
	    "spec:\n"
	    "  tier: admin\n"
	    "  priority: 7\n"
	    "  ingress:\n"
	    "  - {name: mine, action: pass, from: [{podSelector: {matchLabels: {role: client}}}]}\n"
	    "  - {name: shut, action: deny, ports: [80]}\n";
	struct scene *s = *state;
	struct bh_diags d = BH_DIAGS_INIT;
	bh_autojson json_t *j = NULL;
	struct bh_query q = web_80;
	const json_t *in, *one;

	assert_int_equal(bh_load_text(s->set, "02-fence.yaml", more, strlen(more), &d), 0);
	assert_int_equal(bh_load_finish(s->set, &d), 0);
	bh_diags_done(&d);
	compile(s);
	q.spoken.proto = BH_PROTO_HTTP;
	assert_int_equal(ask(s, &q, NULL, &j), BH_OUTCOME_ALLOW);
	in = json_array_get(json_object_get(j, "directions"), 1);
	assert_string_equal(str_at(in, "tier"), "application");
	one = json_array_get(json_object_get(in, "otherTiers"), 0);
	assert_string_equal(str_at(one, "tier"), "admin");
	assert_string_equal(
	    str_at(one, "text"),
	    "passed on by ClusterTrafficPolicy fence rule \"mine\" (02-fence.yaml:8)");
	/* The deny stands behind the rule that passes on. */
	one = json_array_get(json_object_get(in, "nearMisses"), 0);
	assert_null(one);
	json_decref(j);

	q.from_endpoint = INTRUDER;
	assert_int_equal(ask(s, &q, NULL, &j), BH_OUTCOME_REFUSE);
	in = json_array_get(json_object_get(j, "directions"), 1);
	assert_string_equal(str_at(in, "tier"), "admin");
	assert_string_equal(str_at(json_object_get(in, "policy"), "kind"), "ClusterTrafficPolicy");
	assert_string_equal(str_at(json_object_get(in, "policy"), "namespace"), "");
	assert_string_equal(str_at(json_object_get(in, "rule"), "name"), "shut");
	one = json_array_get(json_object_get(in, "nearMisses"), 0);
	assert_string_equal(str_at(one, "rule"), "mine");
	assert_string_equal(str_at(one, "action"), "pass");
	assert_true(json_is_false(json_object_get(one, "matches")));
	assert_string_equal(str_at(one, "why"), "source has no label role=client");
	assert_string_equal(str_at(one, "mode"), "enforce");
}

static void test_nearest_for_the_log(void **state)
{
	static const struct {
		size_t peer;
		uint16_t port;
		const char *want;
	} cases[] = {
		{ CLIENT, 8081,
		  "nearest rule shop/web-http-only#0 does not match: port 8081 is not in 80" },
		{ INTRUDER, 80,
		  "nearest rule shop/web-http-only#0 does not match: source has no label role=client" },
		{ INTRUDER, 81, "" },
		{ CLIENT, 80, "" },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
		const struct bh_endpoint *peer = s->set->endpoints[cases[i].peer];

		bh_explain_nearest(
		    &(struct bh_nearest){
			.set = s->set,
			.subject = s->set->endpoints[WEB],
			.peer = peer,
			.peer_addr = &peer->addrs[0],
			.dir = BH_DIR_INGRESS,
			.l4 = BH_L4_TCP,
			.port = cases[i].port,
		    },
		    &out);
		assert_string_equal(bh_buf_str(&out), cases[i].want);
	}
}

/* Rules of the cluster are asked too; what is spoken is nearer than who it is. */
static void test_nearest_of_all_tiers(void **state)
{
	static const char more[] =
	    "apiVersion: bulkhead.network/v1alpha1\n"
	    "kind: ClusterTrafficPolicy\n"
	    "metadata: {name: metrics}\n"
	    "spec:\n"
	    "  tier: admin\n"
	    "  priority: 7\n"
	    "  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}\n"
	    "  ingress:\n"
	    "  - {action: allow, from: [{entity: world}], ports: [9100], expires: \"2031-03-01T00:00:00Z\"}\n"
	    "  - {action: allow, from: [{entity: nodes}], ports: [9101]}\n";
	static const struct {
		const char *peer;
		uint16_t port;
		unsigned proto;
		int64_t now;
		bool own_node;
		const char *want;
	} cases[] = {
		{ "192.0.2.1", 9100, 0, INT64_C(1930000000), false, "" },
		{ "192.0.2.1", 9100, 0, INT64_C(1930300000), false,
		  "nearest rule metrics#0 does not match: it expired 2031-03-01" },
		{ "192.0.2.1", 9101, 0, 0, false,
		  "nearest rule metrics#0 does not match: port 9101 is not in 9100" },
		{ "192.0.2.1", 9101, 0, 0, true, "" },
		{ "10.1.0.2", 80, BH_PROTO_SSH, 0, false,
		  "nearest rule shop/web-http-only#0 does not match: protocol ssh is not in [http]" },
	};
	struct scene *s = *state;
	struct bh_diags d = BH_DIAGS_INIT;

	assert_int_equal(bh_load_text(s->set, "02-metrics.yaml", more, strlen(more), &d), 0);
	assert_int_equal(bh_load_finish(s->set, &d), 0);
	bh_diags_done(&d);
	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
		const struct bh_spoken spoken = { .proto = cases[i].proto };
		struct bh_addr addr;

		assert_int_equal(bh_addr_parse(cases[i].peer, &addr), 0);
		bh_explain_nearest(
		    &(struct bh_nearest){
			.set = s->set,
			.now = cases[i].now,
			.subject = s->set->endpoints[WEB],
			.peer = cases[i].proto ? s->set->endpoints[CLIENT] : NULL,
			.peer_addr = &addr,
			.own_node = cases[i].own_node,
			.dir = BH_DIR_INGRESS,
			.l4 = BH_L4_TCP,
			.port = cases[i].port,
			.spoken = &spoken,
		    },
		    &out);
		assert_string_equal(bh_buf_str(&out), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text_of_the_first_example, setup, teardown),
		cmocka_unit_test_setup_teardown(test_outcomes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_address_that_changed_hands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_families, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_node_without_a_manifest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json_of_tiers_and_misses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nearest_for_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nearest_of_all_tiers, setup, teardown),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
