// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_classifier_packet.c - headers of packets, true and lying
 */
#include "dataplane/classifier/packet.h"
#include "tests/lib/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct lab_tuple t4 = { .cport = 40000, .sport = 80 };
static const struct lab_tuple t6 = { .v6 = true, .cport = 40000, .sport = 80 };
static uint8_t b[LAB_PACKET_MAX];

static enum bh_headers_result parse(uint32_t len, struct bh_headers *h)
{
	return bh_headers_parse(b, len, len, h);
}

static void assert_bad(uint32_t len)
{
	struct bh_headers h;

	assert_int_equal(parse(len, &h), BH_HEADERS_BAD);
}

static void test_tcp(void **state)
{
	static const struct lab_tuple *const tuples[] = { &t4, &t6 };
	size_t i;

	for (i = 0; i < 2; i++) {
		uint32_t n = lab_tcp(b, tuples[i], false, 7, 9, LAB_ACK | LAB_URG, "hello", 5);
		struct bh_headers h;
		char text[BH_ADDR_STRLEN];

		assert_int_equal(parse(n, &h), BH_HEADERS_OK);
		assert_int_equal(h.l4, 6);
		assert_int_equal(h.sport, 40000);
		assert_int_equal(h.dport, 80);
		assert_int_equal(h.seq, 7);
		assert_int_equal(h.ack, 9);
		assert_int_equal(h.flags, LAB_ACK | LAB_URG);
		assert_int_equal(h.urgent, 1);
		assert_int_equal(h.payload_len, 5);
		assert_memory_equal(h.payload, "hello", 5);
		assert_string_equal(bh_addr_format(&h.src, text), i ? "fd09::1" : "10.9.0.1");
		assert_string_equal(bh_addr_format(&h.dst, text), i ? "fd09::2" : "10.9.0.2");
		assert_true(bh_headers_checksum_ok(&h));
		b[n - 1] ^= 1;
		assert_false(bh_headers_checksum_ok(&h));
	}
}

static void test_cut(void **state)
{
	static const struct lab_tuple *const tuples[] = { &t4, &t6 };
	size_t i;

	for (i = 0; i < 2; i++) {
		uint32_t n = lab_tcp(b, tuples[i], false, 7, 9, LAB_ACK, "hello", 5), k;
		struct bh_headers h;

		/* The copy is shorter than the packet: headers, or only payload missing. */
		for (k = 0; k < n; k++)
			assert_int_equal(bh_headers_parse(b, k, n, &h),
					 k < n - 5 ? BH_HEADERS_BAD : BH_HEADERS_SHORT);
		/* The packet is shorter than it says. */
		for (k = 0; k < n; k++)
			assert_bad(k);
		/* Longer: padding of the link. */
		assert_int_equal(parse(n + 6, &h), BH_HEADERS_OK);
		assert_int_equal(h.payload_len, 5);
		/* More of it than there was. */
		assert_int_equal(bh_headers_parse(b, n, n - 1, &h), BH_HEADERS_BAD);
	}
}

static void test_v4_lies(void **state)
{
	uint32_t n = lab_tcp(b, &t4, false, 7, 9, LAB_ACK, "hello", 5);
	static const struct {
		unsigned at;
		uint8_t value;
	} lies[] = {
		{ 0, 0x44 }, { 0, 0x40 }, { 0, 0x4f }, { 0, 0x55 }, { 0, 0x05 },  { 2, 0xff },
		{ 3, 0x13 }, { 3, 0x27 }, { 6, 0x20 }, { 7, 0x01 }, { 32, 0x40 }, { 32, 0xf0 },
	};
	size_t i;

	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint8_t was = b[lies[i].at];

		b[lies[i].at] = lies[i].value;
		assert_bad(n);
		b[lies[i].at] = was;
	}
	b[6] = 0x40; /* don't fragment */
	assert_true(bh_headers_parse(b, n, n, &(struct bh_headers){ 0 }) == BH_HEADERS_OK);
}

static void test_v4_options(void **state)
{
	uint32_t n = lab_tcp(b, &t4, false, 7, 9, LAB_ACK, "hello", 5);
	struct bh_headers h;

	memmove(b + 40, b + 20, n - 20);
	memset(b + 20, 1, 20);
	b[0] = 0x4a;
	b[3] = (uint8_t)(n + 20);
	assert_int_equal(parse(n + 20, &h), BH_HEADERS_OK);
	assert_int_equal(h.sport, 40000);
	assert_int_equal(h.payload_len, 5);
	assert_true(bh_headers_checksum_ok(&h));
}

/* Puts @len bytes of an extension header of @type behind the IPv6 header, before what is there. */
static uint32_t insert(uint32_t n, uint8_t type, const uint8_t *ext, uint32_t len)
{
	memmove(b + 40 + len, b + 40, n - 40);
	memcpy(b + 40, ext, len);
	b[40] = b[6];
	b[6] = type;
	n += len;
	b[4] = (uint8_t)((n - 40) >> 8);
	b[5] = (uint8_t)(n - 40);
	return n;
}

static void test_v6_extensions(void **state)
{
	static const uint8_t options[16] = { 0, 1 }, fragment[8] = { 0 }, more[8] = { 0, 0, 0, 1 },
			     later[8] = { 0, 0, 0, 8 }, auth[24] = { 0, 4 }, huge[8] = { 0, 255 };
	uint32_t n = lab_tcp(b, &t6, false, 7, 9, LAB_ACK, "hello", 5), i;
	struct bh_headers h;

	n = insert(n, 51, auth, sizeof(auth));
	n = insert(n, 44, fragment, sizeof(fragment)); /* alone: whole */
	n = insert(n, 43, options, sizeof(options));
	n = insert(n, 60, options, sizeof(options));
	n = insert(n, 0, options, sizeof(options));
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_int_equal(h.l4, 6);
	assert_int_equal(h.sport, 40000);
	assert_int_equal(h.payload_len, 5);
	assert_true(bh_headers_checksum_ok(&h));
	for (i = 0; i < n; i++)
		assert_bad(i);

	n = insert(n, 60, options, sizeof(options)); /* hop-by-hop is not the first any more */
	assert_bad(n);

	n = lab_tcp(b, &t6, false, 7, 9, LAB_ACK, "hello", 5);
	assert_bad(insert(n, 44, more, sizeof(more)));
	n = lab_tcp(b, &t6, false, 7, 9, LAB_ACK, "hello", 5);
	assert_bad(insert(n, 44, later, sizeof(later)));
	n = lab_tcp(b, &t6, false, 7, 9, LAB_ACK, "hello", 5);
	assert_bad(insert(n, 60, huge, sizeof(huge)));

	n = lab_tcp(b, &t6, false, 7, 9, LAB_ACK, "hello", 5);
	for (i = 0; i < 8; i++)
		n = insert(n, 60, options, sizeof(options));
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	n = insert(n, 60, options, sizeof(options));
	assert_bad(n);
}

static void test_udp(void **state)
{
	uint32_t n = lab_udp(b, &t4, true, "hello", 5);
	struct bh_headers h;

	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_int_equal(h.sport, 80);
	assert_int_equal(h.payload_len, 5);
	assert_true(bh_headers_checksum_ok(&h));
	b[27] ^= 1;
	assert_false(bh_headers_checksum_ok(&h));
	b[26] = b[27] = 0; /* none was made */
	assert_true(bh_headers_checksum_ok(&h));
	/* A length that leaves bytes over, or says too much. */
	b[25] = 12;
	assert_bad(n);
	b[25] = 14;
	assert_bad(n);
	b[25] = 7;
	assert_bad(n);

	n = lab_udp(b, &t6, true, "hello", 5);
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	b[46] = b[47] = 0; /* IPv6 does not allow that */
	assert_false(bh_headers_checksum_ok(&h));
}

static void test_others(void **state)
{
	static const uint8_t errors4[] = { 3, 4, 5, 11, 12 };
	uint32_t n = lab_udp(b, &t4, false, "hello, world", 12);
	struct bh_headers h;
	size_t i;

	b[9] = 132;
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_int_equal(h.dport, 80);
	b[9] = 47; /* GRE: no ports */
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_int_equal(h.dport, 0);
	b[9] = 1;
	b[20] = 8;
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	b[21] = 2;
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_false(h.icmp_error);
	assert_int_equal(h.sport, 0);
	assert_int_equal(h.dport, 8 << 8 | 2);
	/* The answer runs the other way, in the same flow. */
	b[20] = 0;
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_int_equal(h.sport, 8 << 8 | 2);
	assert_int_equal(h.dport, 0);
	for (i = 0; i < sizeof(errors4); i++) {
		b[20] = errors4[i];
		assert_int_equal(parse(n, &h), BH_HEADERS_OK);
		assert_true(h.icmp_error);
	}
	n = lab_udp(b, &t6, false, "hello, world", 12);
	b[6] = 58;
	b[40] = 128;
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_false(h.icmp_error);
	assert_int_equal(h.dport, 128 << 8 | b[41]);
	b[40] = 129;
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_int_equal(h.sport, 128 << 8 | b[41]);
	b[40] = 2;
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_true(h.icmp_error);
}

static void test_largest(void **state)
{
	static uint8_t data[65495];
	struct bh_headers h;
	uint32_t n = lab_tcp(b, &t4, false, 7, 9, LAB_ACK, data, sizeof(data));

	assert_int_equal(n, 65535);
	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_int_equal(h.payload_len, sizeof(data));
	assert_true(bh_headers_checksum_ok(&h));
}

/* What is sent on in place of a refused packet: the same headers, right in themselves, and nothing behind them. */
static void test_without_payload(void **state)
{
	static const struct lab_tuple *const tuples[] = { &t4, &t6 };
	size_t i;

	for (i = 0; i < 2; i++) {
		uint32_t n = lab_tcp(b, tuples[i], false, 7, 9, LAB_ACK, "secret", 6), bare;
		struct bh_headers h, again;
		uint8_t out[256];

		assert_int_equal(parse(n, &h), BH_HEADERS_OK);
		bare = bh_headers_bare(b, &h, out, sizeof(out));
		assert_int_equal(bare, n - 6);
		assert_int_equal(bh_headers_parse(out, bare, bare, &again), BH_HEADERS_OK);
		assert_int_equal(again.payload_len, 0);
		assert_int_equal(again.seq, 7);
		assert_int_equal(again.ack, 9);
		assert_int_equal(again.flags, LAB_ACK);
		assert_int_equal(again.dport, 80);
		assert_true(bh_headers_checksum_ok(&again));
		assert_int_equal(bh_headers_bare(b, &h, out, bare - 1), 0);
	}
	uint32_t n = lab_udp(b, &t4, false, "secret", 6);
	struct bh_headers h;
	uint8_t out[256];

	assert_int_equal(parse(n, &h), BH_HEADERS_OK);
	assert_int_equal(bh_headers_bare(b, &h, out, sizeof(out)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_v4_lies),
		cmocka_unit_test(test_v4_options),
		cmocka_unit_test(test_v6_extensions),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_without_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
