// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_classifier_engine.c - packets in, verdicts and findings out
 */
#include "tests/lib/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CISN 1000U
#define SISN 9000U
#define REQ  "GET / HTTP/1.1\r\nHost: web\r\n\r\n"
#define SSH  "SSH-2.0-OpenSSH_9.2\r\n"

static const struct lab_rule http_only[] = {
	{ .action = BH_ACTION_ALLOW, .l4 = BH_L4_TCP, .port = 80, .protos = { BH_PROTO_HTTP } },
	{ .action = BH_ACTION_ALLOW, .l4 = BH_L4_UDP, .port = 53, .protos = { BH_PROTO_DNS } },
	{ .action = BH_ACTION_ALLOW,
	  .l4 = BH_L4_TCP,
	  .port = 5432,
	  .protos = { BH_PROTO_POSTGRES } },
	{ .action = BH_ACTION_ALLOW, .l4 = BH_L4_TCP, .port = 22, .protos = { BH_PROTO_SSH } },
};

static const struct lab_tuple web = { .cport = 40000, .sport = 80 };
static const struct lab_tuple web6 = { .v6 = true, .cport = 40000, .sport = 80 };

struct scene {
	struct lab_rules rules;
	struct lab *l;
};

static struct scene scene_with(const struct lab_rule *r, size_t n, bool unknown_allow,
			       struct bh_engine_config cfg)
{
	struct scene s;

	lab_rules_make(&s.rules, r, n, unknown_allow);
	s.l = lab_new(&cfg, &s.rules);
	return s;
}

static struct scene scene(void)
{
	return scene_with(http_only, sizeof(http_only) / sizeof(http_only[0]), false,
			  (struct bh_engine_config){ .flows = 64, .contexts = 16 });
}

static void done(struct scene *s)
{
	lab_free(s->l);
	lab_rules_done(&s->rules);
}

static void assert_answer(struct lab *l, uint32_t id, enum bh_verdict v, unsigned result)
{
	assert_int_equal(l->verdicts[id].count, 1);
	assert_int_equal(l->verdicts[id].verdict, v);
	assert_int_equal(l->verdicts[id].result, result);
}

#define assert_pass(l, id)      assert_answer(l, id, BH_VERDICT_PASS, 0)
#define assert_drop(l, id)      assert_answer(l, id, BH_VERDICT_DROP, 0)
#define assert_sub(l, id, s)    assert_answer(l, id, BH_VERDICT_SUB, s)
#define assert_result(l, id, p) assert_answer(l, id, BH_VERDICT_RESULT, p)

/* The third packet of the handshake. */
static void start(struct lab *l, const struct lab_tuple *t)
{
	uint32_t id = lab_send_tcp(l, t, false, BH_QMARK_START, CISN, SISN, LAB_ACK, NULL, 0);

	assert_sub(l, id, BH_SUB_UNDECIDED);
}

static uint32_t client(struct lab *l, const struct lab_tuple *t, uint32_t off, const char *data)
{
	return lab_send_tcp(l, t, false, 0, CISN + off, SISN, LAB_ACK | LAB_PSH, data,
			    strlen(data));
}

static uint32_t server(struct lab *l, const struct lab_tuple *t, uint32_t off, uint32_t acked,
		       const char *data)
{
	return lab_send_tcp(l, t, true, 0, SISN + off, CISN + acked, LAB_ACK, data, strlen(data));
}

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
		assert_result(l, client(l, both[i], n, "more"), BH_PROTO_HTTP);
		assert_int_equal(l->n_findings, 0);
		done(&s);
	}
}

static void test_refused(void **state)
{
	struct scene s = scene();
	struct lab *l = s.l;
	const struct bh_finding *f = &l->findings[0];

	start(l, &web);
	assert_result(l, client(l, &web, 0, SSH), BH_PROTO_SSH);
	assert_result(l, client(l, &web, strlen(SSH), "more"), BH_PROTO_SSH);
	assert_int_equal(l->n_findings, 1);
	assert_int_equal(f->cause, BH_CAUSE_PROTOCOL);
	assert_int_equal(f->by, BH_BY_PROBE);
	assert_int_equal(f->refused, 1);
	assert_int_equal(f->after, 0);
	assert_int_equal(f->proto, BH_PROTO_SSH);
	assert_int_equal(f->sport, 40000);
	assert_int_equal(f->dport, 80);
	assert_int_equal(f->pkts, 1);
	assert_int_equal(f->bytes_c, strlen(SSH));
	assert_int_equal(f->evidence_from, 0);
	assert_int_equal(f->evidence_len, strlen(SSH));
	assert_memory_equal(f->evidence, SSH, strlen(SSH));
	assert_int_equal(f->revision, 7);
	assert_int_equal(bh_word_verdict(f->ingress), BH_WORD_CONTRACT);
	assert_true(bh_word_refuses(f->ingress_final));
	assert_int_equal(f->egress, 0);
	done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
