// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_hash.c - SipHash-2-4 against the vectors of its authors
 */
#include "common/hash.h"
#include "common/map.h"
#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/*
 * Key 00 01 .. 0f, input 00 01 .. (n-1). Source: the SipHash paper, appendix A (n = 15), and the first of the
 * authors' published vectors (vectors.h, siphash 2-4, 64 bits).
 */
static void test_vectors(void **state)
{
	static const struct {
		size_t n;
		uint64_t hash;
	} vectors[] = {
		{ 0, UINT64_C(0x726fdb47dd0e0e31) }, { 1, UINT64_C(0x74f839c593dc67fd) },
		{ 2, UINT64_C(0x0d6c8009d9a94f5a) }, { 7, UINT64_C(0xab0200f58b01d137) },
		{ 8, UINT64_C(0x93f5f5799a932462) }, { 15, UINT64_C(0xa129ca6149be45e5) },
	};
	const struct bh_hash_key key = { { UINT64_C(0x0706050403020100),
					   UINT64_C(0x0f0e0d0c0b0a0908) } };
	uint8_t in[16];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t i = 0; i < BH_ARRAY_SIZE(vectors); i++)
		assert_true(bh_siphash(in, vectors[i].n, &key) == vectors[i].hash);
}

static void test_unaligned(void **state)
{
	const struct bh_hash_key key = { { 1, 2 } };
	uint8_t in[40] = { 0 };

	memcpy(in + 3, "the same bytes at an odd place", 30);
	assert_true(bh_siphash(in + 3, 30, &key) ==
		    bh_siphash("the same bytes at an odd place", 30, &key));
	in[20] ^= 1;
	assert_false(bh_siphash(in + 3, 30, &key) ==
		     bh_siphash("the same bytes at an odd place", 30, &key));
}

static void test_process_key(void **state)
{
	const struct bh_hash_key *k = bh_hash_key();

	assert_ptr_equal(k, bh_hash_key());
	assert_true(k->k[0] != 0 || k->k[1] != 0);
}

struct item {
	char name[16];
	UT_hash_handle hh;
};

static void test_map(void **state)
{
	struct item items[100], *table = NULL, *found;
	char name[16];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(items[i].name, sizeof(items[i].name), "item%d", i);
		HASH_ADD_STR(table, name, &items[i]);
		assert_non_null(items[i].hh.tbl);
	}
	assert_int_equal(HASH_COUNT(table), 100);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "item%d", i);
		HASH_FIND_STR(table, name, found);
		assert_ptr_equal(found, &items[i]);
	}
	HASH_FIND_STR(table, "item100", found);
	assert_null(found);
	HASH_CLEAR(hh, table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_unaligned),
		cmocka_unit_test(test_process_key),
		cmocka_unit_test(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
