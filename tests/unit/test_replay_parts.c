// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_replay_parts.c - the kernel's part of a replay: fragments, checksums, connection tracking
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/worker/replay_frag.h"
#include "dataplane/worker/replay_sum.h"
#include "dataplane/worker/replay_tcp.h"

/* ---- fragments ---- */

/* 100 bytes of UDP from 10.0.0.1 to 10.0.0.2, or the same in IPv6: a part of it. */
static size_t part(uint8_t *out, int family, uint32_t id, uint32_t offset, uint32_t len, bool more,
		   uint8_t salt)
{
	size_t header = family == 4 ? 20 : 48;

	memset(out, 0, header);
	if (family == 4) {
		out[0] = 0x45;
		out[2] = (uint8_t)((header + len) >> 8);
		out[3] = (uint8_t)(header + len);
		out[4] = (uint8_t)(id >> 8);
		out[5] = (uint8_t)id;
		out[6] = (uint8_t)((more ? 0x20 : 0) | offset / 8 >> 8);
		out[7] = (uint8_t)(offset / 8);
		out[8] = 64;
		out[9] = IPPROTO_UDP;
		out[12] = out[16] = 10;
		out[15] = 1;
		out[19] = 2;
	} else {
		out[0] = 0x60;
		out[4] = (uint8_t)((8 + len) >> 8);
		out[5] = (uint8_t)(8 + len);
		out[6] = IPPROTO_FRAGMENT;
		out[8] = out[24] = 0xfd;
		out[23] = 1;
		out[39] = 2;
		out[40] = IPPROTO_UDP;
		out[42] = (uint8_t)(offset >> 8);
		out[43] = (uint8_t)((offset & 0xf8) | more);
		out[46] = (uint8_t)(id >> 8);
		out[47] = (uint8_t)id;
	}
	for (uint32_t i = 0; i < len; i++)
		out[header + i] = (uint8_t)(offset + i + salt);
	return header + len;
}

struct frag_scene {
	struct bh_frag *f;
	const uint8_t *data;
	size_t len;
	int family;
};

static int give(struct frag_scene *s, uint32_t id, uint32_t offset, uint32_t len, bool more,
		uint8_t salt, bh_msec_t now)
{
	uint8_t p[2048];
	/* Exactly as large as it is: reading past it is seen by the sanitizer. */
	size_t n = part(p, s->family, id, offset, len, more, salt);
	bh_autofree uint8_t *exact = malloc(n);

	assert_non_null(exact);
	memcpy(exact, p, n);
	return bh_frag_packet(s->f, exact, n, now, &s->data, &s->len);
}

static void whole(const struct frag_scene *s, size_t payload)
{
	struct bh_ip_view v;

	assert_true(bh_ip_parse(s->data, s->len, &v));
	assert_false(v.fragment);
	assert_int_equal(v.l4, IPPROTO_UDP);
	assert_int_equal(v.l4_len, payload);
	for (size_t i = 0; i < payload; i++)
		assert_int_equal(s->data[v.at + i], (uint8_t)i);
	if (s->family == 4)
		assert_int_equal(s->data[2] << 8 | s->data[3], s->len);
	else
		assert_int_equal((s->data[4] << 8 | s->data[5]) + 40, s->len);
}

static void fragments_one_family(int family)
{
	struct frag_scene s = { .family = family };
	struct bh_frag_stats st;

	assert_int_equal(bh_frag_new(&s.f), 0);
	/* Any order, with a copy in between. */
	assert_int_equal(give(&s, 1, 64, 36, false, 0, 0), 0);
	assert_int_equal(give(&s, 2, 0, 32, true, 0, 0), 0);
	assert_int_equal(give(&s, 1, 0, 32, true, 0, 0), 0);
	assert_int_equal(give(&s, 1, 0, 32, true, 0, 0), 0);
	assert_int_equal(give(&s, 1, 32, 32, true, 0, 0), 1);
	whole(&s, 100);
	assert_int_equal(give(&s, 2, 32, 8, false, 0, 10), 1);
	whole(&s, 40);
	/* Overlap: nothing of that packet is ever put together. */
	assert_int_equal(give(&s, 3, 0, 32, true, 0, 0), 0);
	assert_int_equal(give(&s, 3, 24, 32, true, 0, 0), 0);
	assert_int_equal(give(&s, 3, 32, 32, false, 0, 0), 0);
	/* A copy that says something else is one. */
	assert_int_equal(give(&s, 4, 0, 32, true, 0, 0), 0);
	assert_int_equal(give(&s, 4, 0, 32, true, 1, 0), 0);
	assert_int_equal(give(&s, 4, 32, 32, false, 0, 0), 0);
	/* Two ends, data behind the end, odd sizes. */
	assert_int_equal(give(&s, 5, 32, 32, false, 0, 0), 0);
	assert_int_equal(give(&s, 5, 64, 32, false, 0, 0), 0);
	assert_int_equal(give(&s, 5, 0, 32, true, 0, 0), 0);
	assert_int_equal(give(&s, 6, 64, 32, true, 0, 0), 0);
	assert_int_equal(give(&s, 6, 8, 32, false, 0, 0), 0);
	assert_int_equal(give(&s, 7, 0, 33, true, 0, 0), 0);
	assert_int_equal(give(&s, 7, 40, 8, false, 0, 0), 0);
	/* Too late. */
	assert_int_equal(give(&s, 8, 0, 32, true, 0, 100), 0);
	assert_int_equal(give(&s, 8, 32, 8, false, 0, 40000), 0);
	/* Past the largest packet. */
	assert_int_equal(give(&s, 9, 65528, 32, false, 0, 40000), 0);
	bh_frag_stats_get(s.f, &st);
	assert_int_equal(st.rebuilt, 2);
	assert_true(st.dropped >= 6);
	bh_frag_free(s.f);
}

static void fragments(void **state)
{
	fragments_one_family(4);
	fragments_one_family(6);
}

static void too_many_fragmented_packets(void **state)
{
	struct frag_scene s = { .family = 4 };
	struct bh_frag_stats st;

	assert_int_equal(bh_frag_new(&s.f), 0);
	for (uint32_t id = 0; id < 1000; id++)
		assert_int_equal(give(&s, id, 0, 8, true, 0, id), 0);
	/* The oldest were given up, the newest are there. */
	assert_int_equal(give(&s, 0, 8, 8, false, 0, 1000), 0);
	assert_int_equal(give(&s, 999, 8, 8, false, 0, 1000), 1);
	whole(&s, 16);
	bh_frag_stats_get(s.f, &st);
	assert_int_equal(st.rebuilt, 1);
	assert_true(st.dropped >= 1000 - 64);
	bh_frag_free(s.f);
}

static uint32_t rnd(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

static void random_bytes(void **state)
{
	struct bh_frag *f;
	uint32_t seed = 7;

	assert_int_equal(bh_frag_new(&f), 0);
	for (unsigned i = 0; i < 300000; i++) {
		uint8_t b[256];
		size_t n = part(b, rnd(&seed) & 1 ? 4 : 6, rnd(&seed) % 8, rnd(&seed) % 12 * 8,
				rnd(&seed) % 60, rnd(&seed) & 1, 0);
		const uint8_t *data;
		struct bh_segment seg;
		struct bh_ip_view v;
		size_t len, at;

		for (unsigned k = rnd(&seed) % 4; k > 0; k--)
			b[rnd(&seed) % n] = (uint8_t)rnd(&seed);
		if (rnd(&seed) % 3 == 0)
			n = rnd(&seed) % (n + 1);
		bh_autofree uint8_t *exact = malloc(n + 1);

		assert_non_null(exact);
		memcpy(exact, b, n);
		if (bh_frag_packet(f, exact, n, i, &data, &len) == 1 &&
		    bh_ip_parse(data, len, &v)) {
			(void)bh_ip_checksum(data, &v);
			if (!v.fragment)
				(void)bh_tcp_parse(data + v.at, v.l4_len, &seg, &at);
		}
		if (bh_ip_parse(exact, n, &v))
			(void)bh_ip_checksum(exact, &v);
	}
	bh_frag_free(f);
}

/* ---- checksums ---- */

static void checksums(void **state)
{
	/* 10.0.0.1:1 -> 10.0.0.2:2, UDP, "hi"; sums computed by hand. */
	uint8_t p[] = { 0x45, 0,  0, 30, 0, 0, 0, 0, 64, 17, 0x66, 0xcd, 10,   0,   0,
			1,    10, 0, 0,  2, 0, 1, 0, 2,  0,  10,   0x83, 0x6b, 'h', 'i' };
	struct bh_ip_view v;
	uint8_t right[2];

	assert_true(bh_ip_parse(p, sizeof(p), &v));
	assert_int_equal(bh_ip_checksum(p, &v), BH_SUM_GOOD);
	memcpy(right, p + 26, 2);
	p[29] ^= 1;
	assert_int_equal(bh_ip_checksum(p, &v), BH_SUM_BAD);
	/* Left to the card: the pseudo header's sum. */
	p[26] = 0x14;
	p[27] = 0x1e;
	assert_int_equal(bh_ip_checksum(p, &v), BH_SUM_PARTIAL);
	/* None in IPv4. */
	p[26] = 0;
	p[27] = 0;
	assert_int_equal(bh_ip_checksum(p, &v), BH_SUM_NONE);
	/* The header's own. */
	p[29] ^= 1;
	memcpy(p + 26, right, 2);
	p[8]--;
	assert_int_equal(bh_ip_checksum(p, &v), BH_SUM_BAD);
}

/* ---- connections ---- */

struct tcp_scene {
	struct bh_tcp_track t;
};

static enum bh_tcp_answer seg(struct tcp_scene *s, unsigned dir, uint8_t flags, uint32_t seq,
			      uint32_t ack, uint32_t len)
{
	const struct bh_segment g = {
		.seq = seq, .ack = ack, .win = 1000, .flags = flags, .scale = 255, .len = len
	};

	return bh_tcp_next(&s->t, dir, &g);
}

static struct tcp_scene opened(uint32_t c, uint32_t sv)
{
	const struct bh_segment syn = { .seq = c, .win = 1000, .flags = TH_SYN, .scale = 255 };
	struct tcp_scene s;
	bool midstream = true;

	assert_true(bh_tcp_first(&s.t, &syn, &midstream));
	assert_false(midstream);
	assert_int_equal(seg(&s, 1, TH_SYN | TH_ACK, sv, c + 1, 0), BH_TCP_VALID);
	assert_int_equal(seg(&s, 0, TH_ACK, c + 1, sv + 1, 0), BH_TCP_VALID);
	return s;
}

static void a_connection(void **state)
{
	/* Across the wrap of the sequence numbers, too. */
	const uint32_t begins[] = { 1000, UINT32_MAX - 50 };

	for (size_t i = 0; i < BH_ARRAY_SIZE(begins); i++) {
		uint32_t c = begins[i], v = begins[i] + 77;
		struct tcp_scene s = opened(c, v);

		assert_int_equal(seg(&s, 0, TH_ACK, c + 1, v + 1, 100), BH_TCP_VALID);
		assert_int_equal(seg(&s, 0, TH_ACK, c + 1, v + 1, 100), BH_TCP_VALID); /* again */
		assert_int_equal(seg(&s, 0, TH_ACK, c + 201, v + 1, 100),
				 BH_TCP_VALID); /* a hole */
		assert_int_equal(seg(&s, 1, TH_ACK, v + 1, c + 101, 10), BH_TCP_VALID);
		assert_int_equal(seg(&s, 0, TH_ACK, c, v + 1, 1), BH_TCP_VALID); /* keep-alive */
		/* Acknowledges what was not sent; lies outside the window; from long ago. */
		assert_int_equal(seg(&s, 0, TH_ACK, c + 301, v + 500, 5), BH_TCP_INVALID);
		assert_int_equal(seg(&s, 0, TH_ACK, c + 5000, v + 1, 5), BH_TCP_INVALID);
		assert_int_equal(seg(&s, 0, TH_ACK, c - 5000, v + 1, 5), BH_TCP_INVALID);
		assert_int_equal(seg(&s, 0, TH_ACK, c + 301, v - 100000, 5), BH_TCP_INVALID);
		/* Flags that no stack sends. */
		assert_int_equal(seg(&s, 0, TH_SYN | TH_FIN, c + 301, 0, 0), BH_TCP_INVALID);
		assert_int_equal(seg(&s, 0, 0, c + 301, v + 11, 5), BH_TCP_INVALID);
		/* A reset from outside the window ends nothing. */
		assert_int_equal(seg(&s, 1, TH_RST, v - 500, 0, 0), BH_TCP_INVALID);
		assert_int_equal(seg(&s, 1, TH_RST, v + 5000, 0, 0), BH_TCP_INVALID);
		assert_false(s.t.reset);
		assert_int_equal(seg(&s, 0, TH_ACK | TH_FIN, c + 301, v + 11, 0), BH_TCP_VALID);
		/* Half closed: a SYN is none of a new connection yet. */
		assert_int_equal(seg(&s, 0, TH_SYN, c + 99999, 0, 0), BH_TCP_VALID);
		assert_int_equal(seg(&s, 1, TH_ACK | TH_FIN, v + 11, c + 302, 0), BH_TCP_VALID);
		assert_int_equal(seg(&s, 0, TH_SYN, c + 99999, 0, 0), BH_TCP_NEW);
	}
}

static void a_strange_syn_counts_when_it_is_answered(void **state)
{
	struct tcp_scene s = opened(1000, 2000);

	assert_int_equal(seg(&s, 0, TH_SYN, 70000, 0, 0), BH_TCP_VALID);
	assert_int_equal(seg(&s, 0, TH_ACK, 1001, 2001, 10), BH_TCP_VALID);
	assert_int_equal(seg(&s, 1, TH_SYN | TH_ACK, 3000, 70001, 0), BH_TCP_NEW);
}

static void beginnings(void **state)
{
	struct tcp_scene s;
	struct bh_segment g = { .seq = 5, .ack = 7, .win = 10, .scale = 255 };
	bool midstream = false;

	g.flags = TH_SYN | TH_ACK;
	assert_false(bh_tcp_first(&s.t, &g, &midstream));
	g.flags = TH_RST | TH_ACK;
	assert_false(bh_tcp_first(&s.t, &g, &midstream));
	g.flags = 0;
	assert_false(bh_tcp_first(&s.t, &g, &midstream));
	g.flags = TH_ACK;
	assert_true(bh_tcp_first(&s.t, &g, &midstream));
	assert_true(midstream);
	assert_int_equal(seg(&s, 1, TH_ACK, 7, 5, 100), BH_TCP_VALID);
	assert_int_equal(seg(&s, 0, TH_ACK, 5, 107, 100), BH_TCP_VALID);
	/* Nothing before the answer to the SYN; and that must be one. */
	g.flags = TH_SYN;
	assert_true(bh_tcp_first(&s.t, &g, &midstream));
	assert_false(midstream);
	assert_int_equal(seg(&s, 0, TH_ACK, 6, 1, 10), BH_TCP_INVALID);
	assert_int_equal(seg(&s, 1, TH_SYN | TH_ACK, 50, 99, 0), BH_TCP_INVALID);
	assert_int_equal(seg(&s, 1, TH_SYN | TH_ACK, 50, 6, 0), BH_TCP_VALID);
	assert_int_equal(seg(&s, 0, TH_ACK, 6, 51, 10), BH_TCP_VALID);
	/* Refused: a reset answers the SYN, and the next SYN is another connection. */
	assert_true(bh_tcp_first(&s.t, &g, &midstream));
	assert_int_equal(seg(&s, 1, TH_RST | TH_ACK, 0, 6, 0), BH_TCP_VALID);
	assert_int_equal(seg(&s, 0, TH_SYN, 5, 0, 0), BH_TCP_NEW);
}

static void window_scale(void **state)
{
	const struct bh_segment syn = { .seq = 0, .win = 1000, .flags = TH_SYN, .scale = 7 };
	struct bh_segment g = {
		.seq = 100, .ack = 1, .win = 1000, .flags = TH_SYN | TH_ACK, .scale = 7
	};
	struct tcp_scene s;
	bool midstream;

	assert_true(bh_tcp_first(&s.t, &syn, &midstream));
	assert_int_equal(bh_tcp_next(&s.t, 1, &g), BH_TCP_VALID);
	assert_int_equal(seg(&s, 0, TH_ACK, 1, 101, 0), BH_TCP_VALID);
	/* The window of 1000 is one of 128,000. */
	assert_int_equal(seg(&s, 1, TH_ACK, 101, 1, 0), BH_TCP_VALID);
	assert_int_equal(seg(&s, 0, TH_ACK, 100001, 101, 1000), BH_TCP_VALID);
	/* Scaled on one side only: not at all. */
	g.scale = 255;
	assert_true(bh_tcp_first(&s.t, &syn, &midstream));
	assert_int_equal(bh_tcp_next(&s.t, 1, &g), BH_TCP_VALID);
	assert_int_equal(seg(&s, 0, TH_ACK, 1, 101, 0), BH_TCP_VALID);
	assert_int_equal(seg(&s, 0, TH_ACK, 100001, 101, 1000), BH_TCP_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments),
		cmocka_unit_test(too_many_fragmented_packets),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(checksums),
		cmocka_unit_test(a_connection),
		cmocka_unit_test(a_strange_syn_counts_when_it_is_answered),
		cmocka_unit_test(beginnings),
		cmocka_unit_test(window_scale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
