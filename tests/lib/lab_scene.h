/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/lab_scene.h - the classifier's engine with rules, and what its tests say most
 *
 * Include after <cmocka.h>.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_LIB_LAB_SCENE_H
#define BH_TESTS_LIB_LAB_SCENE_H

#include "tests/lib/lab.h"

#include <string.h>

#define CISN 1000U
#define SISN 9000U
#define REQ  "GET / HTTP/1.1\r\nHost: web\r\n\r\n"
#define SSH  "SSH-2.0-OpenSSH_9.2\r\n"

/* Refused with a reset where nothing else is said. */
static const struct lab_rule lab_usual[] = {
	{ .action = BH_ACTION_ALLOW, .l4 = BH_L4_TCP, .port = 80, .protos = { BH_PROTO_HTTP } },
	{ .action = BH_ACTION_ALLOW, .l4 = BH_L4_UDP, .port = 53, .protos = { BH_PROTO_DNS } },
	{ .action = BH_ACTION_ALLOW, .l4 = BH_L4_TCP, .port = 22, .protos = { BH_PROTO_SSH } },
	{ .action = BH_ACTION_ALLOW, .l4 = BH_L4_SCTP, .port = 80, .protos = { BH_PROTO_HTTP } },
};

static const struct lab_tuple web = { .cport = 40000, .sport = 80 };

struct scene {
	struct lab_rules rules;
	struct lab *l;
};

static inline struct scene scene_with(const struct lab_rule *r, size_t n, bool unknown_allow,
				      struct bh_engine_config cfg)
{
	struct scene s;

	lab_rules_make(&s.rules, r, n, unknown_allow);
	s.l = lab_new(&cfg, &s.rules);
	return s;
}

static inline struct scene scene_small(uint32_t flows, uint32_t contexts)
{
	return scene_with(lab_usual, sizeof(lab_usual) / sizeof(lab_usual[0]), false,
			  (struct bh_engine_config){ .flows = flows, .contexts = contexts });
}

static inline struct scene scene(void)
{
	return scene_small(64, 16);
}

static inline void done(struct scene *s)
{
	lab_free(s->l);
	lab_rules_done(&s->rules);
}

#define assert_answer(l, id_, v, r)                                 \
	do {                                                        \
		uint32_t id__ = (id_);                              \
		assert_int_equal((l)->verdicts[id__].count, 1);     \
		assert_int_equal((l)->verdicts[id__].verdict, (v)); \
		assert_int_equal((l)->verdicts[id__].result, (r));  \
	} while (0)
#define assert_pass(l, id)   assert_answer(l, id, BH_VERDICT_PASS, 0)
#define assert_drop(l, id)   assert_answer(l, id, BH_VERDICT_DROP, 0)
#define assert_sub(l, id, s) assert_answer(l, id, BH_VERDICT_SUB, s)
/* The protocol; whether the rule set refuses it is what assert_cut() and assert_kept() ask. */
#define assert_result(l, id_, p)                                                              \
	do {                                                                                  \
		uint32_t id_result = (id_);                                                   \
		enum bh_verdict v_result = (l)->verdicts[id_result].verdict;                  \
		assert_true(v_result == BH_VERDICT_RESULT || v_result == BH_VERDICT_REFUSED); \
		assert_answer(l, id_result, v_result, p);                                     \
	} while (0)
#define assert_cut(l, id, p)  assert_answer(l, id, BH_VERDICT_REFUSED, p)
#define assert_kept(l, id, p) assert_answer(l, id, BH_VERDICT_RESULT, p)
#define assert_none(l, id)    assert_int_equal((l)->verdicts[id].count, 0)

/* The third packet of the handshake. */
static inline void start(struct lab *l, const struct lab_tuple *t)
{
	uint32_t id = lab_send_tcp(l, t, false, BH_QMARK_START, CISN, SISN, LAB_ACK, NULL, 0);

	assert_sub(l, id, BH_SUB_UNDECIDED);
}

static inline uint32_t client(struct lab *l, const struct lab_tuple *t, uint32_t off,
			      const char *data)
{
	return lab_send_tcp(l, t, false, 0, CISN + off, SISN, LAB_ACK | LAB_PSH, data,
			    strlen(data));
}

static inline uint32_t server(struct lab *l, const struct lab_tuple *t, uint32_t off,
			      uint32_t acked, const char *data)
{
	return lab_send_tcp(l, t, true, 0, SISN + off, CISN + acked, LAB_ACK, data, strlen(data));
}

static inline struct bh_engine_stats stats(const struct lab *l)
{
	struct bh_engine_stats s;

	bh_engine_stats_get(l->engine, &s);
	return s;
}

static inline const struct bh_finding *only_finding(const struct lab *l)
{
	assert_int_equal(l->n_findings, 1);
	return &l->findings[0];
}

static inline void assert_refused(const struct lab *l, enum bh_cause cause)
{
	const struct bh_finding *f = only_finding(l);

	assert_int_equal(f->refused, 1);
	assert_int_equal(f->report, 0);
	assert_string_equal(bh_cause_name(f->cause), bh_cause_name(cause));
}

#endif
