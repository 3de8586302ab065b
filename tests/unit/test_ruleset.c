/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_ruleset.c - rule sets in memory: look-ups, and blocks that were tampered with
 *
 * A worker maps what another process wrote. Whatever the bytes are, mapping refuses them or gives a view in
 * which every look-up stays inside the block (run under AddressSanitizer to see it) and never allows where
 * it cannot decide.
 */
#include "policy/compile.h"
#include "policy/ruleset/ruleset_build.h"
#include "tests/lib/randset.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- blocks made by hand ---- */

#define SUBJECT (BH_CLASS_ENDPOINT | 1)
#define PEER    (BH_CLASS_ENDPOINT | 2)
#define FREE    (BH_CLASS_ENDPOINT | 3)
#define REMOTE  (BH_CLASS_ENDPOINT | 4)

/* Reason 1, allow 80 and pieces; contract 1. */
static void hand_sections(struct bh_rs_builder *b)
{
	const uint32_t drop = BH_WORD_DROP | 1, allow = BH_WORD_ALLOW | 1;
	const struct bh_class classes[] = {
		{ .number = BH_CLASS_WORLD, .text = bh_rs_build_text(b, "world") },
		{ .number = 2, .text = bh_rs_build_text(b, "10.0.0.0/8") },
		{ .number = SUBJECT, .subject_in = 1 },
		{ .number = PEER },
		{ .number = FREE },
		{ .number = REMOTE, .subject_in = 2 },
	};
	const struct bh_reason reason = {
		.number = 1,
		.kind = BH_REASON_ISOLATED,
		.dir = BH_DIR_INGRESS,
		.policy = BH_RS_NONE,
		.rule = BH_RS_NONE,
		.expected = BH_RS_NONE,
		.text = bh_rs_build_text(b, "isolated"),
	};
	const struct bh_port_piece piece = {
		.id = BH_PORT_PIECE_BASE + 7,
		.lo = 8000,
		.hi = 8100,
		.l4 = BH_L4_TCP,
	};
	const struct bh_cidr_piece cidr = {
		.lo = { 10, 0, 0, 0 },
		.hi = { 10, 255, 255, 255 },
		.family = 4,
		.cls = 2,
	};
	const struct bh_contract_entry entry = {
		.contract = 1,
		.proto = BH_PROTO_HTTP,
		.word = allow,
		.next = allow,
	};
	const struct bh_contract contract = {
		.number = 1,
		.n = 1,
		.other = drop,
		.unknown = allow,
		.undecided = drop,
		.other_next = drop,
		.unknown_next = allow,
		.on_overload = BH_FAIL_REFUSE,
		.midstream = BH_FAIL_REFUSE,
	};
	const struct bh_cell cells[] = {
		{ BH_DIR_INGRESS, SUBJECT, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, drop },
		{ BH_DIR_INGRESS, SUBJECT, 2, BH_L4_ANY, BH_PORT_ANY, drop },
		{ BH_DIR_INGRESS, SUBJECT, 2, BH_L4_TCP, BH_PORT_ANY, allow },
		{ BH_DIR_INGRESS, SUBJECT, BH_PEER_ANY_ENDPOINT, BH_L4_ANY, BH_PORT_ANY, drop },
		{ BH_DIR_INGRESS, SUBJECT, BH_PEER_ANY_ENDPOINT, BH_L4_TCP, 8050, drop },
		{ BH_DIR_INGRESS, SUBJECT, BH_PEER_ANY_ENDPOINT, BH_L4_TCP, BH_PORT_PIECE_BASE + 7,
		  allow },
		{ BH_DIR_INGRESS, SUBJECT, PEER, BH_L4_ANY, BH_PORT_ANY, drop },
		{ BH_DIR_INGRESS, SUBJECT, PEER, BH_L4_TCP, 80, BH_WORD_CONTRACT | 1 },
	};

	(void)bh_rs_build_add(b, BH_RS_CLASSES, classes, BH_ARRAY_SIZE(classes));
	(void)bh_rs_build_add(b, BH_RS_REASONS, &reason, 1);
	(void)bh_rs_build_add(b, BH_RS_PORTS, &piece, 1);
	(void)bh_rs_build_add(b, BH_RS_CIDRS, &cidr, 1);
	(void)bh_rs_build_add(b, BH_RS_ENTRIES, &entry, 1);
	(void)bh_rs_build_add(b, BH_RS_CONTRACTS, &contract, 1);
	(void)bh_rs_build_add(b, BH_RS_CELLS, cells, BH_ARRAY_SIZE(cells));
}

static struct bh_ruleset *hand_made(void)
{
	struct bh_rs_builder b = BH_RS_BUILDER_INIT;
	struct bh_ruleset *rs = NULL;
	struct bh_err err = { .code = 0 };

	hand_sections(&b);
	if (bh_rs_build_finish(&b, 42, &rs, &err) < 0)
		fail_msg("%s", err.msg);
	bh_rs_builder_done(&b);
	return rs;
}

static void test_order_of_search(void **state)
{
	bh_cleanup(bh_ruleset_freep) struct bh_ruleset *rs = hand_made();
	const uint32_t drop = BH_WORD_DROP | 1, allow = BH_WORD_ALLOW | 1;

	assert_int_equal(bh_ruleset_revision(rs), 42);
	/* The peer's own row, and nothing but it. */
	assert_int_equal(bh_ruleset_lookup(rs, BH_DIR_INGRESS, SUBJECT, PEER, BH_L4_TCP, 80),
			 BH_WORD_CONTRACT | 1);
	assert_int_equal(bh_ruleset_lookup(rs, BH_DIR_INGRESS, SUBJECT, PEER, BH_L4_TCP, 8000),
			 drop);
	/* Any endpoint: exact port before piece before the rest. */
	assert_int_equal(bh_ruleset_lookup(rs, BH_DIR_INGRESS, SUBJECT, FREE, BH_L4_TCP, 8050),
			 drop);
	assert_int_equal(bh_ruleset_lookup(rs, BH_DIR_INGRESS, SUBJECT, FREE, BH_L4_TCP, 8100),
			 allow);
	assert_int_equal(bh_ruleset_lookup(rs, BH_DIR_INGRESS, SUBJECT, FREE, BH_L4_TCP, 8101),
			 drop);
	assert_int_equal(bh_ruleset_lookup(rs, BH_DIR_INGRESS, SUBJECT, FREE, BH_L4_UDP, 8100),
			 drop);
	/* Addresses of no endpoint do not use the row of endpoints. */
	assert_int_equal(bh_ruleset_lookup(rs, BH_DIR_INGRESS, SUBJECT, 2, BH_L4_TCP, 9), allow);
	assert_int_equal(bh_ruleset_lookup(rs, BH_DIR_INGRESS, SUBJECT, 2, BH_L4_UDP, 9), drop);
	assert_int_equal(
	    bh_ruleset_lookup(rs, BH_DIR_INGRESS, SUBJECT, BH_CLASS_WORLD, BH_L4_TCP, 8100), drop);
}

static void test_no_subject_and_unknown_subject(void **state)
{
	bh_cleanup(bh_ruleset_freep) struct bh_ruleset *rs = hand_made();

	assert_int_equal(bh_ruleset_lookup(rs, BH_DIR_INGRESS, FREE, PEER, BH_L4_TCP, 80), 0);
	assert_int_equal(bh_ruleset_lookup(rs, BH_DIR_EGRESS, SUBJECT, PEER, BH_L4_TCP, 80), 0);
	/* Selected, but the rule set was made for another host; never heard of; no endpoint; no direction. */
	assert_true(
	    bh_word_refuses(bh_ruleset_lookup(rs, BH_DIR_INGRESS, REMOTE, PEER, BH_L4_TCP, 80)));
	assert_true(bh_word_refuses(
	    bh_ruleset_lookup(rs, BH_DIR_INGRESS, BH_CLASS_ENDPOINT | 99, PEER, BH_L4_TCP, 80)));
	assert_true(bh_word_refuses(bh_ruleset_lookup(rs, BH_DIR_INGRESS, 2, PEER, BH_L4_TCP, 80)));
	assert_true(
	    bh_word_refuses(bh_ruleset_lookup(rs, BH_DIR_INVALID, SUBJECT, PEER, BH_L4_TCP, 80)));
}

static void test_addresses(void **state)
{
	static const struct {
		const char *addr;
		uint32_t cls;
	} cases[] = {
		{ "10.0.0.0", 2 },      { "10.255.255.255", 2 },
		{ "9.255.255.255", 1 }, { "11.0.0.0", 1 },
		{ "0.0.0.0", 1 },       { "255.255.255.255", 1 },
		{ "a00::", 1 },         { "::", 1 },
	};
	bh_cleanup(bh_ruleset_freep) struct bh_ruleset *rs = hand_made();

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_addr a;

		assert_int_equal(bh_addr_parse(cases[i].addr, &a), 0);
		assert_int_equal(bh_ruleset_outside_class(rs, &a), cases[i].cls);
	}
}

static void test_settling(void **state)
{
	bh_cleanup(bh_ruleset_freep) struct bh_ruleset *rs = hand_made();
	const uint32_t drop = BH_WORD_DROP | 1, allow = BH_WORD_ALLOW | 1;
	const struct bh_decision d = { .egress = 0, .ingress = BH_WORD_CONTRACT | 1 };
	const struct bh_decision gone = { .egress = 0, .ingress = BH_WORD_CONTRACT | 9 };
	struct bh_decision s;
	struct bh_protoset named = bh_ruleset_named(rs, &d);

	assert_true(bh_protoset_has(&named, BH_PROTO_HTTP));
	assert_false(bh_protoset_has(&named, BH_PROTO_SSH));
	assert_int_equal(bh_decision_outcome(&d), BH_OUTCOME_CONTRACT);
	assert_int_equal(bh_ruleset_settle(rs, d.ingress, BH_PROTO_HTTP), allow);
	assert_int_equal(bh_ruleset_settle(rs, d.ingress, BH_PROTO_SSH), drop);
	assert_int_equal(bh_ruleset_settle(rs, d.ingress, BH_PROTO_UNKNOWN), allow);
	assert_int_equal(bh_ruleset_settle(rs, d.ingress, BH_PROTO_UNDECIDED), drop);
	assert_int_equal(bh_ruleset_settle(rs, d.ingress, BH_PROTO_INVALID), drop);
	assert_int_equal(bh_ruleset_settle(rs, allow, BH_PROTO_SSH), allow);
	s = bh_ruleset_settle_both(rs, &d, BH_PROTO_HTTP);
	assert_int_equal(s.egress, 0);
	assert_int_equal(bh_decision_outcome(&s), BH_OUTCOME_ALLOW);
	/* A contract that does not exist: no word, and never "no policy". */
	assert_int_equal(bh_ruleset_settle(rs, gone.ingress, BH_PROTO_HTTP), 0);
	s = bh_ruleset_settle_both(rs, &gone, BH_PROTO_HTTP);
	assert_int_equal(bh_decision_outcome(&s), BH_OUTCOME_REFUSE);
}

static void test_either_refusal_refuses(void **state)
{
	const struct {
		struct bh_decision d;
		enum bh_outcome want;
	} cases[] = {
		{ { 0, 0 }, BH_OUTCOME_ALLOW },
		{ { BH_WORD_ALLOW | 1, 0 }, BH_OUTCOME_ALLOW },
		{ { BH_WORD_ALLOW | 1, BH_WORD_DROP | 1 }, BH_OUTCOME_REFUSE },
		{ { BH_WORD_REJECT | 1, BH_WORD_CONTRACT | 1 }, BH_OUTCOME_REFUSE },
		{ { BH_WORD_CONTRACT | 1, BH_WORD_ALLOW | 1 }, BH_OUTCOME_CONTRACT },
		{ { 0, BH_WORD_CONTRACT | 1 }, BH_OUTCOME_CONTRACT },
		{ { 0xe0000001U, BH_WORD_ALLOW | 1 }, BH_OUTCOME_REFUSE },
		{ { 1, 0 }, BH_OUTCOME_REFUSE },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++)
		assert_int_equal(bh_decision_outcome(&cases[i].d), cases[i].want);
}

/* ---- blocks that lie ---- */

static struct bh_ruleset *compiled(uint64_t seed)
{
	struct rnd r = { .state = seed };
	const struct randset_config cfg = { .policies = 6, .endpoints = 8, .local_percent = 100 };
	struct bh_policy_set *set = randset_policies(&r, &cfg);
	struct bh_endpoint **eps = randset_endpoints(&r, &cfg);
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct bh_compiled out;
	struct bh_ruleset *rs;

	assert_int_equal(bh_compiler_new(&c), 0);
	const struct bh_compile_input in = {
		.set = set,
		.eps = (const struct bh_endpoint *const *)eps,
		.n_eps = cfg.endpoints,
		.revision = 7,
	};

	assert_int_equal(bh_compile(c, &in, &out, NULL), 0);
	rs = bh_take_ptr(&out.rules);
	bh_compiled_done(&out);
	bh_policy_set_free(set);
	randset_endpoints_free(eps, cfg.endpoints);
	return rs;
}

/* Every look-up there is; whatever a block says, nothing may be read outside of it. */
static void use(const struct bh_ruleset *rs, struct rnd *r)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	const struct bh_class *cls;
	size_t n;

	bh_ruleset_print(rs, &text);
	assert_false(bh_buf_failed(&text));
	cls = bh_ruleset_classes(rs, &n);
	for (size_t i = 0; i < 64 && n; i++) {
		struct bh_addr a = { .family = rnd_one_in(r, 2) ? 4 : 6 };
		struct bh_conn c = {
			.src_class = cls[rnd_below(r, (uint32_t)n)].number,
			.dst_class = cls[rnd_below(r, (uint32_t)n)].number,
			.src_local = true,
			.dst_local = true,
			.l4 = rnd_one_in(r, 2) ? BH_L4_TCP : BH_L4_UDP,
			.dport = (uint16_t)rnd_below(r, 65536),
		};
		struct bh_decision d = bh_ruleset_decide(rs, &c);

		a.bytes[0] = (uint8_t)rnd_below(r, 256);
		(void)bh_ruleset_outside_class(rs, &a);
		for (unsigned p = 0; p < 256; p += 7) {
			struct bh_decision s = bh_ruleset_settle_both(rs, &d, p);

			assert_int_not_equal(bh_decision_outcome(&s), BH_OUTCOME_CONTRACT);
		}
		(void)bh_ruleset_named(rs, &d);
	}
}

/* An exact copy, so that one byte further is not ours. Return: it was taken. */
static bool try_block(const uint8_t *mem, size_t size, struct rnd *r)
{
	bh_autofree uint8_t *copy = malloc(size ? size : 1);
	struct bh_ruleset *rs;
	struct bh_err err = { .code = 0 };
	int ret;

	assert_non_null(copy);
	memcpy(copy, mem, size);
	ret = bh_ruleset_map(copy, size, &rs, &err);
	if (ret < 0) {
		assert_int_equal(ret, -EPROTO);
		assert_true(err.msg[0] != '\0');
		return false;
	}
	use(rs, r);
	bh_ruleset_free(rs);
	return true;
}

static void test_truncated(void **state)
{
	bh_cleanup(bh_ruleset_freep) struct bh_ruleset *rs = compiled(1);
	struct rnd r = { .state = 1 };
	size_t size;
	const uint8_t *mem = bh_ruleset_data(rs, &size);

	assert_true(try_block(mem, size, &r));
	for (size_t n = 0; n < size; n++)
		assert_false(try_block(mem, n, &r));
}

static void test_not_aligned(void **state)
{
	bh_cleanup(bh_ruleset_freep) struct bh_ruleset *rs = compiled(1);
	size_t size;
	const uint8_t *mem = bh_ruleset_data(rs, &size);
	bh_autofree uint8_t *copy = malloc(size + 1);
	struct bh_ruleset *view;

	assert_non_null(copy);
	memcpy(copy + 1, mem, size);
	assert_int_equal(bh_ruleset_map(copy + 1, size, &view, NULL), -EPROTO);
}

static void test_flipped_bytes(void **state)
{
	size_t taken = 0, tried = 0;

	for (uint64_t seed = 1; seed <= 3; seed++) {
		bh_cleanup(bh_ruleset_freep) struct bh_ruleset *rs = compiled(seed);
		struct rnd r = { .state = seed };
		size_t size;
		const uint8_t *mem = bh_ruleset_data(rs, &size);
		bh_autofree uint8_t *copy = malloc(size);

		assert_non_null(copy);
		memcpy(copy, mem, size);
		for (size_t i = 0; i < size; i++) {
			copy[i] = (uint8_t)(mem[i] ^ (1U << rnd_below(&r, 8)));
			taken += try_block(copy, size, &r);
			copy[i] = (uint8_t)~mem[i];
			taken += try_block(copy, size, &r);
			copy[i] = mem[i];
			tried += 2;
		}
	}
	print_message("# %zu of %zu blocks with one wrong byte were refused\n", tried - taken,
		      tried);
}

/* Numbers that look right in the wrong place get further than noise does. */
static void test_swapped_words(void **state)
{
	static const uint32_t interesting[] = {
		0,
		1,
		2,
		255,
		65535,
		65536,
		UINT32_MAX,
		BH_CLASS_ENDPOINT,
		BH_CLASS_ENDPOINT | 1,
		BH_WORD_ALLOW | 1,
		BH_WORD_CONTRACT | 1,
		BH_WORD_CONTRACT | BH_WORD_NUMBER,
	};
	bh_cleanup(bh_ruleset_freep) struct bh_ruleset *rs = compiled(4);
	struct rnd r = { .state = 4 };
	size_t size;
	const uint8_t *mem = bh_ruleset_data(rs, &size);
	bh_autofree uint8_t *copy = malloc(size);

	assert_non_null(copy);
	for (unsigned n = 0; n < 20000; n++) {
		memcpy(copy, mem, size);
		for (uint32_t k = 1 + rnd_below(&r, 3); k > 0; k--) {
			size_t at = 4 * rnd_below(&r, (uint32_t)(size / 4));
			size_t from = 4 * rnd_below(&r, (uint32_t)(size / 4));

			if (rnd_one_in(&r, 2))
				memcpy(copy + at, mem + from, 4);
			else
				memcpy(copy + at,
				       &interesting[rnd_below(&r, BH_ARRAY_SIZE(interesting))], 4);
		}
		(void)try_block(copy, size, &r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_search),
		cmocka_unit_test(test_no_subject_and_unknown_subject),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_settling),
		cmocka_unit_test(test_either_refusal_refuses),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_not_aligned),
		cmocka_unit_test(test_flipped_bytes),
		cmocka_unit_test(test_swapped_words),
	};

	return cmocka_run_group_tests_name("ruleset", tests, NULL, NULL);
}
