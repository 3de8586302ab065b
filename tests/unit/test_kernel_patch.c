// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_kernel_patch.c - a patch leads to what a projection made from scratch is
 *
 * Random addresses over a few classes, some of them subjects, under one rule set; some come, go, become another class's,
 * local or remote. Either the patch is made, and what it makes is the whole projection; or elements change that hang on
 * more than that address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dataplane/kernel/patch.h"
#include "tests/lib/hand.h"

#define CLASSES 6U /* of endpoints: 1 and 2 ingress, 2 and 3 egress */
#define ADDRS   48U
#define ROUNDS  20000U

static uint32_t state = 4711;

static uint32_t below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % n;
}

static void deny(struct hand *h, enum bh_dir dir, uint32_t subject, uint32_t peer)
{
	hand_cell(h, dir, subject, peer, BH_L4_ANY, BH_PORT_ANY, BH_WORD_DROP | 1);
}

static struct bh_ruleset *rules(void)
{
	struct hand *h = hand_new();
	struct bh_ruleset *rs;

	for (uint32_t c = 1; c <= CLASSES; c++)
		hand_class(h, HAND_EP(c));
	for (uint32_t c = 1; c <= 2; c++) {
		deny(h, BH_DIR_INGRESS, HAND_EP(c), BH_PEER_ANY);
		deny(h, BH_DIR_INGRESS, HAND_EP(c), HAND_EP(4));
		hand_cell(h, BH_DIR_INGRESS, HAND_EP(c), HAND_EP(4), BH_L4_TCP, 80,
			  BH_WORD_ALLOW | 2);
		deny(h, BH_DIR_EGRESS, HAND_EP(c + 1), BH_PEER_ANY);
	}
	deny(h, BH_DIR_EGRESS, HAND_EP(3), 2);
	hand_cell(h, BH_DIR_EGRESS, HAND_EP(3), 2, BH_L4_TCP, 5432, BH_WORD_CONTRACT | 1);
	hand_contract(h, 1, BH_PROTO_POSTGRES, BH_WORD_ALLOW | 4, BH_WORD_DROP | 5);
	hand_cidr(h, "10.0.0.0/8", 2);
	rs = hand_ruleset(h, 1);
	hand_free(h);
	return rs;
}

static int cmp_addr(const void *a, const void *b)
{
	return bh_addr_cmp(&((const struct bh_addr_class *)a)->addr,
			   &((const struct bh_addr_class *)b)->addr);
}

/* Few addresses, so that the same come again. */
static struct bh_addr_class any(void)
{
	uint8_t bytes[16] = { 0xfd, [15] = (uint8_t)below(ADDRS) };
	bool v6 = below(2);

	bytes[1] = v6 ? 0 : 9;
	if (!v6) {
		bytes[0] = 10;
		bytes[3] = bytes[15];
	}
	return (struct bh_addr_class){
		.addr = v6 ? bh_addr_from_v6(bytes) : bh_addr_from_v4(bytes),
		.cls = HAND_EP(1 + below(CLASSES)),
		.local = below(2),
	};
}

static size_t put(struct bh_addr_class *v, size_t n, struct bh_addr_class a)
{
	for (size_t i = 0; i < n; i++) {
		if (bh_addr_cmp(&v[i].addr, &a.addr) != 0)
			continue;
		/* It is there: it goes, or is another one now. */
		if (below(2))
			v[i] = v[--n];
		else
			v[i] = a;
		return n;
	}
	v[n] = a;
	return n + 1;
}

static bool hangs_on_addresses(const struct bh_kelem *e)
{
	return e->set == BH_KSET_PEER || e->set == BH_KSET_SUBJ_IN || e->set == BH_KSET_SUBJ_EG;
}

/* But for addresses. */
static bool same_rest(const struct bh_projection *a, const struct bh_projection *b)
{
	size_t i = 0, k = 0;

	for (;; i++, k++) {
		while (i < a->n && hangs_on_addresses(&a->elems[i]))
			i++;
		while (k < b->n && hangs_on_addresses(&b->elems[k]))
			k++;
		if (i == a->n || k == b->n)
			return i == a->n && k == b->n;
		if (memcmp(&a->elems[i], &b->elems[k], sizeof(a->elems[i])) != 0)
			return false;
	}
}

static void same(const struct bh_projection *a, const struct bh_projection *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_memory_equal(&a->elems[i], &b->elems[i], sizeof(a->elems[i]));
	assert_memory_equal(a->levels, b->levels, sizeof(a->levels));
}

static void leads_to_the_whole(void **ignored)
{
	struct bh_ruleset *rs = rules();
	struct bh_addr_class v[4 * ADDRS];
	size_t n = 0, patched = 0, whole = 0;
	struct bh_projection now;

	(void)ignored;
	assert_int_equal(bh_projection_make(rs, v, 0, &now), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct bh_projection want;
		struct bh_patch p;
		int r;

		for (uint32_t k = below(4); k > 0; k--)
			n = put(v, n, any());
		qsort(v, n, sizeof(*v), cmp_addr);
		assert_int_equal(bh_projection_make(rs, v, n, &want), 0);
		r = bh_patch_make(&now, rs, v, n, &p);
		assert_int_equal(r, same_rest(&now, &want));
		if (r == 0) {
			whole++;
			bh_projection_done(&now);
			now = want;
			continue;
		}
		patched++;
		assert_int_equal(bh_patch_reserve(&now, &p), 0);
		bh_patch_apply(&now, &p);
		bh_patch_done(&p);
		same(&now, &want);
		bh_projection_done(&want);
	}
	/* Both happened. */
	assert_true(patched > ROUNDS / 2);
	assert_true(whole > 10);
	bh_projection_done(&now);
	bh_ruleset_free(rs);
}

/* What is wrong is left to who says so. */
static void wrong_addresses(void **ignored)
{
	struct bh_ruleset *rs = rules();
	struct bh_addr_class v[2] = { 0 };
	struct bh_projection now;
	struct bh_patch p;

	(void)ignored;
	assert_int_equal(bh_projection_make(rs, v, 0, &now), 0);
	assert_int_equal(bh_addr_parse("10.0.0.1", &v[0].addr), 0);
	assert_int_equal(bh_addr_parse("10.0.0.1", &v[1].addr), 0);
	v[0].cls = v[1].cls = HAND_EP(5);
	assert_int_equal(bh_patch_make(&now, rs, v, 2, &p), 0); /* twice */
	v[0].cls = 0;
	assert_int_equal(bh_patch_make(&now, rs, v, 1, &p), 0); /* nobody's class */
	v[0].cls = HAND_EP(99);
	assert_int_equal(bh_patch_make(&now, rs, v, 1, &p), 0); /* a class that is not there */
	v[0].cls = HAND_EP(5);
	v[0].addr.family = 5;
	assert_int_equal(bh_patch_make(&now, rs, v, 1, &p), 0);
	v[0].addr.family = 4;
	assert_int_equal(bh_patch_make(&now, rs, v, 1, &p), 1);
	bh_patch_done(&p);
	bh_projection_done(&now);
	bh_ruleset_free(rs);
}

/* So many that the whole is made, and not one less. */
static void too_many(void **ignored)
{
	struct bh_ruleset *rs = rules();
	struct bh_addr_class *v = calloc(BH_PATCH_MAX + 1, sizeof(*v));
	struct bh_projection now;
	struct bh_patch p;

	(void)ignored;
	assert_non_null(v);
	assert_int_equal(bh_projection_make(rs, v, 0, &now), 0);
	for (unsigned i = 0; i <= BH_PATCH_MAX; i++) {
		const uint8_t bytes[4] = { 10, 1, (uint8_t)(i >> 8), (uint8_t)i };

		v[i] = (struct bh_addr_class){ .addr = bh_addr_from_v4(bytes), .cls = HAND_EP(5) };
	}
	assert_int_equal(bh_patch_make(&now, rs, v, BH_PATCH_MAX + 1, &p), 0);
	assert_int_equal(bh_patch_make(&now, rs, v, BH_PATCH_MAX, &p), 1);
	assert_int_equal(p.come.n, BH_PATCH_MAX);
	assert_int_equal(p.gone.n, 0);
	bh_patch_done(&p);
	bh_projection_done(&now);
	bh_ruleset_free(rs);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leads_to_the_whole),
		cmocka_unit_test(wrong_addresses),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
