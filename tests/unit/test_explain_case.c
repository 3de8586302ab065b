/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_explain_case.c - verdicts that depend on what is spoken, of rule sets made by hand
 */
#include "common/json.h"
#include "common/util.h"
#include "policy/explain.h"
#include "policy/ruleset/ruleset_build.h"
#include "policy/spoken.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CLIENT (BH_CLASS_ENDPOINT | 1)
#define API    (BH_CLASS_ENDPOINT | 2)
#define NODE   BH_WORD_CONTRACT
/* A chain of so many predicates, each with an answer of its own: longer than what is shown. */
#define CHAIN 40U

enum { ORDERS = 1, READ, ONLY, ALERT, FREE };
#define ALLOW(r) (BH_WORD_ALLOW | (r))
#define DROP(r)  (BH_WORD_DROP | (r))

struct scene {
	struct bh_ruleset *rs;
	struct bh_addr_class addrs[2];
	struct bh_addr own[2];
	struct bh_endpoint eps[2];
	const struct bh_endpoint *list[2];
	struct bh_policy_set *set;
	struct bh_compiled compiled;
};

static void add_reasons(struct bh_rs_builder *b)
{
	static const struct {
		uint32_t number, kind, rule;
		const char *text;
	} list[] = {
		{ ORDERS, BH_REASON_RULE, 0, "allowed by TrafficPolicy shop/api rule \"orders\"" },
		{ READ, BH_REASON_RULE, 1, "allowed by TrafficPolicy shop/api rule \"read\"" },
		{ ONLY, BH_REASON_PROTOCOL, 0,
		  "only http allowed here, by TrafficPolicy shop/api rule \"orders\"" },
		{ ALERT, BH_REASON_RULE, 2,
		  "allowed, with an alert of TrafficPolicy shop/api rule \"odd\"" },
		{ FREE, BH_REASON_NOT_ISOLATED, BH_RS_NONE, "no policy isolates it for ingress" },
	};
	const struct bh_rs_policy policy = {
		.kind = BH_KIND_TRAFFIC_POLICY,
		.mode = BH_MODE_ENFORCE,
		.tier = BH_TIER_APPLICATION,
		.ns = bh_rs_build_text(b, "shop"),
		.name = bh_rs_build_text(b, "api"),
		.file = bh_rs_build_text(b, "api.yaml"),
		.line = 1,
	};
	static const char *const names[] = { "orders", "read", "odd" };

	(void)bh_rs_build_add(b, BH_RS_POLICIES, &policy, 1);
	for (uint32_t i = 0; i < BH_ARRAY_SIZE(names); i++) {
		const struct bh_rs_rule rule = {
			.dir = BH_DIR_INGRESS,
			.index = i,
			.action = i == 2 ? BH_ACTION_ALERT : BH_ACTION_ALLOW,
			.name = bh_rs_build_text(b, names[i]),
			.line = 8 + i,
			.urgency = BH_URGENCY_INFO,
		};

		(void)bh_rs_build_add(b, BH_RS_RULES, &rule, 1);
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(list); i++) {
		const struct bh_reason r = {
			.number = list[i].number,
			.kind = list[i].kind,
			.dir = BH_DIR_INGRESS,
			.policy = list[i].rule == BH_RS_NONE ? BH_RS_NONE : 0,
			.rule = list[i].rule,
			.text = bh_rs_build_text(b, list[i].text),
			.expected = BH_RS_NONE,
		};

		(void)bh_rs_build_add(b, BH_RS_REASONS, &r, 1);
	}
}

/* methods M; paths P */
static void add_pred(struct bh_rs_builder *b, uint32_t number, const char *method, const char *path)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	const struct bh_rs_value values[] = { { bh_rs_build_text(b, method) },
					      { bh_rs_build_text(b, path) } };
	uint32_t v = bh_rs_build_add(b, BH_RS_VALUES, values, 2);
	const struct bh_rs_test tests[] = {
		{ .clause = 0, .attr = BH_ATTR_HTTP_METHOD, .first = v, .n = 1 },
		{ .clause = 0, .attr = BH_ATTR_HTTP_PATH, .first = v + 1, .n = 1 },
	};
	struct bh_rs_pred p = {
		.number = number,
		.kind = BH_DETAIL_HTTP,
		.first = bh_rs_build_add(b, BH_RS_TESTS, tests, 2),
		.n = 2,
	};

	bh_buf_printf(&text, "methods %s; paths %s", method, path);
	p.text = bh_rs_build_text(b, bh_buf_str(&text));
	(void)bh_rs_build_add(b, BH_RS_PREDS, &p, 1);
}

static uint32_t add_node(struct bh_rs_builder *b, uint32_t pred, uint32_t yes, uint32_t no)
{
	const struct bh_rs_node n = { pred, yes, no };

	return NODE | bh_rs_build_add(b, BH_RS_NODES, &n, 1);
}

/* The contract of a port: its http and other graphs, and what is worst in them. */
static void add_contract(struct bh_rs_builder *b, uint32_t number, uint32_t http, uint32_t worst,
			 uint32_t other)
{
	const struct bh_contract_entry e[] = {
		{ number, BH_PROTO_HTTP, worst, http, 0, 0 },
		{ number, BH_PROTO_HTTP2, worst, http, 0, 0 },
	};
	const struct bh_contract c = {
		.number = number,
		.first = bh_rs_build_add(b, BH_RS_ENTRIES, e, 2),
		.n = 2,
		.other = other,
		.unknown = other,
		.undecided = bh_word_refuses(worst) ? worst : other,
		.other_next = other,
		.unknown_next = other,
		.on_overload = BH_FAIL_REFUSE,
		.midstream = BH_FAIL_REFUSE,
	};

	(void)bh_rs_build_add(b, BH_RS_CONTRACTS, &c, 1);
}

static void add_contracts(struct bh_rs_builder *b)
{
	uint32_t next = DROP(ONLY);

	add_pred(b, 1, "POST", "/orders");
	add_pred(b, 2, "GET", "/orders/*");
	/* Port 80: two requests, and nothing else. */
	add_contract(b, 1, add_node(b, 0, ALLOW(ORDERS), add_node(b, 1, ALLOW(READ), DROP(ONLY))),
		     DROP(ONLY), DROP(ONLY));
	/* Port 81: all is allowed, some of it with an alert. */
	add_contract(b, 2, add_node(b, 0, ALLOW(ALERT) | BH_WORD_REPORT, ALLOW(FREE)),
		     ALLOW(ALERT) | BH_WORD_REPORT, ALLOW(FREE));
	/* Port 82: both must hold. */
	add_contract(b, 3, add_node(b, 0, add_node(b, 1, ALLOW(READ), DROP(ONLY)), DROP(ONLY)),
		     DROP(ONLY), DROP(ONLY));
	/* Port 83: more than anybody wants to read. */
	for (uint32_t i = 0; i < CHAIN; i++) {
		char path[16];

		snprintf(path, sizeof(path), "/%u", i);
		add_pred(b, 10 + i, "GET", path);
		next = add_node(b, 2 + i, ALLOW(i % 2 ? READ : ORDERS), next);
	}
	add_contract(b, 4, next, DROP(ONLY), DROP(ONLY));
}

static void add_cells(struct bh_rs_builder *b)
{
	const struct bh_class classes[] = {
		{ .number = BH_CLASS_WORLD, .text = bh_rs_build_text(b, "world") },
		{ .number = CLIENT },
		{ .number = API, .subject_in = 1 },
	};
	const struct bh_cell any = { BH_DIR_INGRESS, API,         BH_PEER_ANY,
				     BH_L4_ANY,      BH_PORT_ANY, DROP(ONLY) };

	(void)bh_rs_build_add(b, BH_RS_CLASSES, classes, BH_ARRAY_SIZE(classes));
	(void)bh_rs_build_add(b, BH_RS_CELLS, &any, 1);
	for (uint32_t i = 0; i < 4; i++) {
		const struct bh_cell c = { BH_DIR_INGRESS, API,    BH_PEER_ANY,
					   BH_L4_TCP,      80 + i, BH_WORD_CONTRACT | (1 + i) };

		(void)bh_rs_build_add(b, BH_RS_CELLS, &c, 1);
	}
}

static int setup(void **state)
{
	static char names[2][8] = { "client", "api" }, ns[] = "shop";
	static const uint32_t classes[] = { CLIENT, API };
	struct scene *s = calloc(1, sizeof(*s));
	struct bh_rs_builder b = BH_RS_BUILDER_INIT;
	struct bh_err err = { .code = 0 };

	assert_non_null(s);
	add_reasons(&b);
	add_contracts(&b);
	add_cells(&b);
	if (bh_rs_build_finish(&b, 1, &s->rs, &err) < 0)
		fail_msg("%s", err.msg);
	bh_rs_builder_done(&b);
	for (uint32_t i = 0; i < 2; i++) {
		const uint8_t v4[] = { 10, 0, 0, (uint8_t)(1 + i) };

		s->own[i] = bh_addr_from_v4(v4);
		s->addrs[i] = (struct bh_addr_class){ s->own[i], classes[i], true, i };
		s->eps[i] = (struct bh_endpoint){
			.id = names[i],
			.ns = ns,
			.name = names[i],
			.addrs = &s->own[i],
			.n_addrs = 1,
		};
		s->list[i] = &s->eps[i];
	}
	s->set = bh_policy_set_new();
	assert_non_null(s->set);
	s->compiled = (struct bh_compiled){ s->rs, s->addrs, 2 };
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	bh_ruleset_free(s->rs);
	bh_policy_set_free(s->set);
	free(s);
	return 0;
}

static enum bh_outcome ask(const struct scene *s, uint16_t port, const char *http,
			   struct bh_buf *text, json_t **json)
{
	bh_cleanup(bh_speech_done) struct bh_speech speech = BH_SPEECH_INIT;
	struct bh_query q = {
		.from_endpoint = 0,
		.to_endpoint = 1,
		.l4 = BH_L4_TCP,
		.port = port,
		.all_local = true,
	};
	enum bh_outcome outcome = BH_OUTCOME_INVALID;
	struct bh_err err = { .code = 0 };

	if (http)
		assert_int_equal(bh_speech_set(&speech, "http", http, NULL), 0);
	assert_int_equal(bh_speech_finish(&speech, NULL), 0);
	q.spoken = speech.spoken;
	if (bh_explain(s->set, s->list, 2, &s->compiled, &q, text, json, &outcome, &err) < 0)
		fail_msg("%s", err.msg);
	return outcome;
}

/* The text without what is the same for all: the egress direction of the client. */
static void assert_text(const struct scene *s, uint16_t port, const char *http,
			enum bh_outcome outcome, const char *first, const char *rest)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT, want = BH_BUF_INIT;

	assert_int_equal(ask(s, port, http, &text, NULL), outcome);
	bh_buf_printf(&want,
		      "shop/client -> shop/api tcp/%u%s\n"
		      "  egress of shop/client: allowed (no policy selects it for egress)\n"
		      "  ingress of shop/api: %s",
		      port, first, rest);
	assert_string_equal(bh_buf_str(&text), bh_buf_str(&want));
}

static void test_protocol_not_said(void **state)
{
	assert_text(
	    *state, 80, NULL, BH_OUTCOME_CONTRACT, ": DEPENDS ON WHAT IS SPOKEN",
	    "depends on what is spoken\n"
	    "     http, http2: methods POST; paths /orders  -> application tier: allowed by "
	    "TrafficPolicy shop/api rule \"orders\" (api.yaml:8)\n"
	    "                  methods GET; paths /orders/* -> application tier: allowed by "
	    "TrafficPolicy shop/api rule \"read\" (api.yaml:9)\n"
	    "                  otherwise                    -> refused – application tier: only http "
	    "allowed here, by TrafficPolicy shop/api rule \"orders\" (api.yaml:8)\n"
	    "     anything else                             -> refused – application tier: only http "
	    "allowed here, by TrafficPolicy shop/api rule \"orders\" (api.yaml:8)\n");
}

/* What is known of a request cuts off what it cannot be. */
static void test_half_a_request(void **state)
{
	assert_text(*state, 80, "GET", BH_OUTCOME_CONTRACT,
		    " (http, GET): DEPENDS ON WHAT IS SPOKEN",
		    "depends on what is spoken\n"
		    "     paths /orders/* -> application tier: allowed by TrafficPolicy "
		    "shop/api rule \"read\" (api.yaml:9)\n"
		    "     otherwise       -> refused – application tier: only http allowed "
		    "here, by TrafficPolicy shop/api rule \"orders\" (api.yaml:8)\n");
}

static void test_whole_requests(void **state)
{
	assert_text(*state, 80, "GET /orders/7", BH_OUTCOME_ALLOW,
		    " (http, GET, /orders/7): ALLOWED",
		    "application tier: allowed by TrafficPolicy shop/api rule \"read\" "
		    "(api.yaml:9)\n");
	assert_text(*state, 80, "DELETE", BH_OUTCOME_REFUSE, " (http, DELETE): REFUSED",
		    "refused – application tier: only http allowed here, by TrafficPolicy shop/api "
		    "rule \"orders\" (api.yaml:8)\n");
}

/* Nothing that could come out is a refusal: it does not depend. */
static void test_only_the_record_depends(void **state)
{
	assert_text(
	    *state, 81, NULL, BH_OUTCOME_ALLOW, ": ALLOWED",
	    "allowed, whatever is spoken; why, or what is recorded, depends on it\n"
	    "     http, http2: methods POST; paths /orders -> allowed, with an alert "
	    "of TrafficPolicy shop/api rule \"odd\" (api.yaml:10)\n"
	    "                  otherwise                   -> allowed (no policy isolates it for "
	    "ingress)\n"
	    "     anything else                            -> allowed (no policy isolates it for "
	    "ingress)\n");
}

static void test_several_conditions(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;

	assert_int_equal(ask(*state, 82, NULL, &text, NULL), BH_OUTCOME_CONTRACT);
	assert_non_null(strstr(bh_buf_str(&text),
			       "http, http2: methods POST; paths /orders, and methods GET; paths "
			       "/orders/* -> application tier: allowed by"));
	/* Where the first holds and the second does not, the same comes out as where neither does. */
	assert_non_null(strstr(bh_buf_str(&text), "\n                  otherwise "));
	assert_null(strstr(bh_buf_str(&text), "\n                  methods"));
}

static void test_too_many(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	size_t lines = 0;

	assert_int_equal(ask(*state, 83, NULL, &text, NULL), BH_OUTCOME_CONTRACT);
	for (const char *p = bh_buf_str(&text); *p; p++)
		lines += *p == '\n';
	assert_true(lines < CHAIN);
	assert_non_null(strstr(bh_buf_str(&text), "otherwise, at worst"));
	/* Asked for, each is found. */
	assert_int_equal(ask(*state, 83, "GET /0", NULL, NULL), BH_OUTCOME_ALLOW);
	assert_int_equal(ask(*state, 83, "GET /39", NULL, NULL), BH_OUTCOME_ALLOW);
	assert_int_equal(ask(*state, 83, "GET /40", NULL, NULL), BH_OUTCOME_REFUSE);
}

static const char *str_at(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "(none)";
}

static void test_json(void **state)
{
	bh_autojson json_t *j = NULL;
	const json_t *in, *cases, *one;

	assert_int_equal(ask(*state, 80, NULL, NULL, &j), BH_OUTCOME_CONTRACT);
	assert_string_equal(str_at(j, "outcome"), "contract");
	in = json_array_get(json_object_get(j, "directions"), 1);
	assert_string_equal(str_at(in, "verdict"), "contract");
	cases = json_object_get(in, "cases");
	assert_int_equal(json_array_size(cases), 4);
	one = json_array_get(cases, 0);
	assert_string_equal(str_at(one, "protocol"), "named");
	assert_string_equal(json_string_value(json_array_get(json_object_get(one, "protocols"), 1)),
			    "http2");
	assert_string_equal(json_string_value(json_array_get(json_object_get(one, "when"), 0)),
			    "methods POST; paths /orders");
	assert_string_equal(str_at(one, "verdict"), "allow");
	assert_string_equal(str_at(one, "tier"), "application");
	assert_string_equal(str_at(json_object_get(one, "rule"), "name"), "orders");
	one = json_array_get(cases, 3);
	assert_string_equal(str_at(one, "protocol"), "other");
	assert_string_equal(str_at(one, "verdict"), "drop");
	json_decref(j);

	assert_int_equal(ask(*state, 80, "GET /orders/7", NULL, &j), BH_OUTCOME_ALLOW);
	one = json_object_get(json_object_get(j, "details"), "http");
	assert_string_equal(json_string_value(json_array_get(json_object_get(one, "paths"), 0)),
			    "/orders/7");
	assert_int_equal(json_array_size(json_object_get(one, "connect")), 0);
	assert_null(json_object_get(one, "hosts"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_protocol_not_said, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_a_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_the_record_depends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_conditions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
	};

	return cmocka_run_group_tests_name("explain_case", tests, NULL, NULL);
}
