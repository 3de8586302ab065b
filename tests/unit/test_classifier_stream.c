// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_classifier_stream.c - segments put in order, or found to contradict each other; the flow table
 */
#include "dataplane/classifier/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/util.h"

static uint8_t buf[2][BH_STREAM_CLIENT_MAX];
static struct bh_stream st;
static struct bh_side side;
static uint32_t next_id;

static void fresh(uint32_t base)
{
	memset(buf, 0, sizeof(buf));
	memset(&st, 0, sizeof(st));
	bh_stream_reset(&st);
	st.buf[0] = buf[0];
	st.buf[1] = buf[1];
	side = (struct bh_side){ .base = base, .next = base, .judged = base };
	next_id = 0;
}

static enum bh_segment put_n(uint32_t off, const void *data, size_t n)
{
	return bh_stream_segment(&st, &side, 0, false, side.base + off, data, (uint32_t)n,
				 next_id++, true, 100);
}

static enum bh_segment put(uint32_t off, const char *data)
{
	return put_n(off, data, strlen(data));
}

static void assert_text(const char *text)
{
	assert_int_equal(st.have[0], strlen(text));
	assert_memory_equal(buf[0], text, strlen(text));
	assert_int_equal(side.next, (uint32_t)(side.base + strlen(text)));
}

static unsigned take_all(void)
{
	struct bh_held h;
	unsigned n = 0;

	while (bh_stream_take(&st, &side, 0, &h))
		n++;
	return n;
}

/* Sequence numbers that wrap inside are like any others. */
static const uint32_t bases[] = { 1000, UINT32_MAX - 3, 0x7ffffffe };

static void test_order(void **state)
{
	size_t i;

	for (i = 0; i < BH_ARRAY_SIZE(bases); i++) {
		fresh(bases[i]);
		assert_int_equal(put(0, "abcd"), BH_SEGMENT_NEW);
		assert_int_equal(put(4, "efgh"), BH_SEGMENT_NEW);
		assert_int_equal(put(0, "abcd"), BH_SEGMENT_OLD);
		assert_int_equal(put(2, "cdefgh"), BH_SEGMENT_OLD);
		assert_int_equal(put(6, "ghij"), BH_SEGMENT_NEW);
		assert_text("abcdefghij");
	}
}

static void test_conflict(void **state)
{
	size_t i;

	for (i = 0; i < BH_ARRAY_SIZE(bases); i++) {
		fresh(bases[i]);
		(void)put(0, "abcdefgh");
		assert_int_equal(put(0, "abcX"), BH_SEGMENT_CONFLICT);
		assert_int_equal(put(6, "gXij"), BH_SEGMENT_CONFLICT);
		assert_int_equal(put(0, "Xbcdefghij"), BH_SEGMENT_CONFLICT);
		assert_int_equal(put(3, "X"), BH_SEGMENT_CONFLICT);
		assert_text("abcdefgh");
	}
}

static void test_holes(void **state)
{
	struct bh_held h;
	size_t i;

	for (i = 0; i < BH_ARRAY_SIZE(bases); i++) {
		fresh(bases[i]);
		assert_int_equal(put(4, "efgh"), BH_SEGMENT_HOLD);
		assert_int_equal(put(10, "kl"), BH_SEGMENT_HOLD);
		assert_int_equal(put(4, "efg"), BH_SEGMENT_DROP); /* waits already */
		assert_int_equal(put(2, "cdeX"), BH_SEGMENT_CONFLICT);
		assert_int_equal(put(9, "jk"), BH_SEGMENT_HOLD);
		assert_false(bh_stream_take(&st, &side, 0, &h));
		assert_int_equal(put(0, "abcd"), BH_SEGMENT_NEW);
		assert_text("abcd");
		assert_true(bh_stream_take(&st, &side, 0, &h));
		assert_int_equal(h.id, 0);
		assert_text("abcdefgh");
		assert_false(bh_stream_take(&st, &side, 0, &h));
		assert_int_equal(put(7, "hi"), BH_SEGMENT_NEW);
		assert_int_equal(take_all(), 2);
		assert_text("abcdefghijkl");
		assert_int_equal(st.n_held, 0);
		assert_int_equal(st.held_bytes, 0);
	}
}

/* In whatever order they come, the text is the same. */
static void test_every_order(void **state)
{
	static const char text[] = "The quick brown fox jumps over";
	unsigned perm[6] = { 0, 1, 2, 3, 4, 5 }, n = 0;

	for (;;) {
		int i, k;
		unsigned x;

		fresh(UINT32_MAX - 10);
		for (i = 0; i < 6; i++)
			if (put_n(perm[i] * 5, text + perm[i] * 5, 5) == BH_SEGMENT_NEW)
				(void)take_all();
		assert_text(text);
		n++;
		for (i = 4; i >= 0 && perm[i] > perm[i + 1]; i--)
			;
		if (i < 0)
			break;
		for (k = 5; perm[k] < perm[i]; k--)
			;
		x = perm[i], perm[i] = perm[k], perm[k] = x;
		for (k = 5, i++; i < k; i++, k--)
			x = perm[i], perm[i] = perm[k], perm[k] = x;
	}
	assert_int_equal(n, 720);
}

static void test_before_the_first(void **state)
{
	fresh(1000);
	assert_int_equal(
	    bh_stream_segment(&st, &side, 0, false, 990, (const uint8_t *)"x", 1, 0, true, 0),
	    BH_SEGMENT_BEFORE);
	assert_int_equal(
	    bh_stream_segment(&st, &side, 0, false, 998, (const uint8_t *)"xyz", 3, 0, true, 0),
	    BH_SEGMENT_BEFORE);
	/* A keep-alive probe, as far as can be told: it does no harm where it does not arrive. */
	assert_int_equal(
	    bh_stream_segment(&st, &side, 0, false, 999, (const uint8_t *)"x", 1, 0, true, 0),
	    BH_SEGMENT_DROP);
	/* What the other side has acknowledged it throws away. */
	side.acked = 1000;
	assert_int_equal(
	    bh_stream_segment(&st, &side, 0, true, 999, (const uint8_t *)"x", 1, 0, true, 0),
	    BH_SEGMENT_OLD);
	assert_int_equal(
	    bh_stream_segment(&st, &side, 0, true, 998, (const uint8_t *)"xyz", 3, 0, true, 0),
	    BH_SEGMENT_BEFORE);
}

static void test_keep_alive_probe(void **state)
{
	fresh(1000);
	(void)put(0, "abcd");
	assert_int_equal(put(3, "d"), BH_SEGMENT_OLD);
	assert_int_equal(put(3, "X"), BH_SEGMENT_DROP);
	assert_int_equal(put(2, "X"), BH_SEGMENT_CONFLICT); /* not before the next byte */
	assert_int_equal(put(3, "Xe"), BH_SEGMENT_CONFLICT);
	assert_text("abcd");
}

static void test_hold_limits(void **state)
{
	static const uint8_t data[BH_STREAM_CLIENT_MAX + 1];
	struct bh_held h;
	unsigned i;

	fresh(1);
	for (i = 0; i < BH_STREAM_HELD_MAX; i++)
		assert_int_equal(put(2 + 2 * i, "x"), BH_SEGMENT_HOLD);
	assert_int_equal(put(100, "x"), BH_SEGMENT_DROP);

	/* As many bytes as may be held, and one more. */
	fresh(1);
	assert_int_equal(put_n(1, data, BH_STREAM_CLIENT_MAX - 1), BH_SEGMENT_HOLD);
	fresh(1);
	assert_int_equal(put_n(1, data, BH_STREAM_CLIENT_MAX), BH_SEGMENT_DROP);
	fresh(1);
	assert_int_equal(put_n(BH_STREAM_CLIENT_MAX, data, 1), BH_SEGMENT_DROP);
	assert_int_equal(put_n(BH_STREAM_CLIENT_MAX - 1, data, 1), BH_SEGMENT_HOLD);
	fresh(1);
	assert_int_equal(put_n(2, data, 10000), BH_SEGMENT_HOLD);
	assert_int_equal(bh_stream_segment(&st, &side, 1, false, 3, data, 6384, 9, true, 0),
			 BH_SEGMENT_HOLD);
	assert_int_equal(bh_stream_segment(&st, &side, 1, false, 7000, data, 1, 9, true, 0),
			 BH_SEGMENT_DROP);

	/* No room among all flows. */
	fresh(1);
	assert_int_equal(bh_stream_segment(&st, &side, 0, false, 3, data, 1, 9, false, 0),
			 BH_SEGMENT_DROP);

	/* By age. */
	fresh(1);
	(void)bh_stream_segment(&st, &side, 0, false, 3, data, 1, 1, true, 100);
	(void)bh_stream_segment(&st, &side, 0, false, 5, data, 1, 2, true, 101);
	assert_false(bh_stream_drop(&st, 100, &h));
	assert_true(bh_stream_drop(&st, 101, &h));
	assert_int_equal(h.id, 1);
	assert_false(bh_stream_drop(&st, 101, &h));
	assert_true(bh_stream_drop(&st, INT64_MAX, &h));
	assert_int_equal(st.held_bytes, 0);
	/* What was given up is not compared any more. */
	assert_int_equal(put(2, "x"), BH_SEGMENT_HOLD);
}

static void test_longer_than_kept(void **state)
{
	static uint8_t data[65495];
	struct bh_held h;

	memset(data, 'a', sizeof(data));
	fresh(UINT32_MAX - 100);
	assert_int_equal(put(4, "aa"), BH_SEGMENT_HOLD);
	assert_int_equal(put_n(0, data, sizeof(data)), BH_SEGMENT_NEW);
	assert_true(bh_stream_full(&st, 0));
	assert_int_equal(st.have[0], BH_STREAM_CLIENT_MAX);
	assert_true(bh_stream_take(&st, &side, 0, &h));
	assert_int_equal(st.have[0], BH_STREAM_CLIENT_MAX);
	assert_int_equal(st.n_runs, 1);
	assert_int_equal(st.runs[0].len, BH_STREAM_CLIENT_MAX);
}

static void test_compare(void **state)
{
	const uint8_t *same = (const uint8_t *)"abcdefgh", *other = (const uint8_t *)"abcdefgX";
	size_t i;

	for (i = 0; i < BH_ARRAY_SIZE(bases); i++) {
		uint32_t b = bases[i];

		fresh(b);
		(void)put(0, "abcdef");
		side.judged = b + 6;
		assert_int_equal(bh_stream_compare(&st, &side, 0, false, b, same, 6),
				 BH_SEGMENT_OLD);
		assert_int_equal(bh_stream_compare(&st, &side, 0, false, b, same, 8),
				 BH_SEGMENT_OLD);
		/* What was not judged may be anything. */
		assert_int_equal(bh_stream_compare(&st, &side, 0, false, b, other, 8),
				 BH_SEGMENT_OLD);
		assert_int_equal(bh_stream_compare(&st, &side, 0, false, b + 6, other, 8),
				 BH_SEGMENT_NEW);
		assert_int_equal(bh_stream_compare(&st, &side, 0, false, b + 100000, other, 8),
				 BH_SEGMENT_NEW);
		assert_int_equal(bh_stream_compare(&st, &side, 0, false, b + 1, same, 6),
				 BH_SEGMENT_CONFLICT);
		assert_int_equal(bh_stream_compare(&st, &side, 0, false, b + 5, same, 1),
				 BH_SEGMENT_DROP);
		assert_int_equal(bh_stream_compare(&st, &side, 0, false, b - 8, same, 8),
				 BH_SEGMENT_BEFORE);
		/* Without the bytes: only what was received is let through. */
		assert_int_equal(bh_stream_compare(NULL, &side, 0, false, b, same, 6),
				 BH_SEGMENT_DROP);
		side.acked = b + 5;
		assert_int_equal(bh_stream_compare(NULL, &side, 0, true, b, same, 6),
				 BH_SEGMENT_DROP);
		assert_int_equal(bh_stream_compare(NULL, &side, 0, true, b, same, 5),
				 BH_SEGMENT_OLD);
	}
}

static void test_runs(void **state)
{
	unsigned i;

	fresh(1);
	(void)put(0, "ab");
	(void)put(2, "c");
	(void)bh_stream_segment(&st, &(struct bh_side){ 0 }, 1, false, 0, (const uint8_t *)"XY", 2,
				0, true, 0);
	(void)put(3, "d");
	assert_int_equal(st.n_runs, 3);
	assert_int_equal(st.runs[0].len, 3);
	assert_int_equal(st.runs[1].dir, 1);
	assert_int_equal(st.runs[2].len, 1);

	fresh(1);
	for (i = 0; i < 100; i++) {
		struct bh_side s = { .base = 0 };

		(void)put(i, "a");
		(void)bh_stream_segment(&st, &s, 1, false, i, (const uint8_t *)"b", 1, 0, true, 0);
	}
	assert_int_equal(st.n_runs, BH_STREAM_RUNS_MAX);
}

/* ---- the table of flows ---- */

static struct bh_flow_key key_of(uint32_t n)
{
	struct bh_flow_key k;

	memset(&k, 0, sizeof(k));
	memcpy(k.client, &n, sizeof(n));
	k.family = 4;
	return k;
}

static struct bh_flow *add(struct bh_flow_table *t, uint32_t n, bh_msec_t now)
{
	struct bh_flow_key k = key_of(n);

	return bh_flow_add(t, &k, now);
}

static struct bh_flow *find(struct bh_flow_table *t, uint32_t n)
{
	struct bh_flow_key k = key_of(n);

	return bh_flow_find(t, &k);
}

static void test_table(void **state)
{
	struct bh_flow_table *t = NULL;
	bool there[4096] = { false };
	uint64_t x = 7;
	uint32_t i, n = 0;

	assert_int_equal(bh_flow_table_new(500, bh_hash_key(), &t), 0);
	for (i = 0; i < 200000; i++) {
		uint32_t k;

		x = x * UINT64_C(6364136223846793005) + 1;
		k = (uint32_t)(x >> 40) % 4096;
		assert_int_equal(find(t, k) != NULL, there[k]);
		if (there[k]) {
			bh_flow_remove(t, find(t, k));
			there[k] = false;
			n--;
		} else if (add(t, k, 0)) {
			assert_ptr_equal(bh_flow_at(t, bh_flow_index(t, find(t, k))), find(t, k));
			there[k] = true;
			n++;
		} else {
			assert_int_equal(n, 512); /* rounded up */
		}
		assert_int_equal(bh_flow_count(t), n);
	}
	for (i = 0; i < 4096; i++)
		assert_int_equal(find(t, i) != NULL, there[i]);
	bh_flow_table_free(t);
}

static void test_victims(void **state)
{
	struct bh_flow_table *t = NULL;
	static const struct {
		uint32_t n;
		enum bh_flow_state state;
		bh_msec_t since;
	} flows[] = {
		{ 1, BH_FLOW_CONFIRM, 0 },  { 2, BH_FLOW_OPEN, 0 },     { 3, BH_FLOW_DONE, 99500 },
		{ 4, BH_FLOW_IDLE, 50 },    { 5, BH_FLOW_IDLE, 60 },    { 6, BH_FLOW_OPEN, 70 },
		{ 7, BH_FLOW_DONE, 99600 }, { 8, BH_FLOW_CONFIRM, 80 },
	};
	static const uint32_t order[] = { 4, 5, 3, 7, 2, 6, 1, 8 };
	size_t i;

	assert_int_equal(bh_flow_table_new(16, bh_hash_key(), &t), 0);
	for (i = 0; i < BH_ARRAY_SIZE(flows); i++) {
		struct bh_flow *f = add(t, flows[i].n, flows[i].since);

		if (flows[i].state != BH_FLOW_IDLE)
			bh_flow_move(t, f, flows[i].state, flows[i].since);
	}
	/* A settled one that nobody needs any more goes before all. */
	bh_flow_move(t, find(t, 3), BH_FLOW_DONE, 0);
	bh_flow_move(t, find(t, 7), BH_FLOW_DONE, 99600);
	assert_ptr_equal(bh_flow_victim(t, 100000), find(t, 3));
	bh_flow_move(t, find(t, 3), BH_FLOW_DONE, 99500);
	bh_flow_move(t, find(t, 7), BH_FLOW_DONE, 99600);
	for (i = 0; i < BH_ARRAY_SIZE(order); i++) {
		struct bh_flow *f = bh_flow_victim(t, 100000);

		assert_ptr_equal(f, find(t, order[i]));
		bh_flow_remove(t, f);
	}
	assert_null(bh_flow_victim(t, 100000));
	bh_flow_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_every_order),
		cmocka_unit_test(test_before_the_first),
		cmocka_unit_test(test_keep_alive_probe),
		cmocka_unit_test(test_hold_limits),
		cmocka_unit_test(test_longer_than_kept),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_victims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
