// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/communityid.c - Community ID v1
 *
 * SHA-1 here names, it does not protect: nothing depends on its strength.
 * Source: FIPS 180-4, section 6.1 (SHA-1); RFC 4648, section 4 (base64).
 */
#include "agent/communityid.h"

#include "common/util.h"
#include "policy/model.h"

#include <string.h>

#include "common/banned.h"

#define DIGEST_SIZE 20

static uint32_t rotl(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* One block is enough: the longest input is 2 + 16 + 16 + 2 + 4 = 40 bytes, 55 would fit. */
static void sha1_short(const uint8_t *data, size_t size, uint8_t digest[DIGEST_SIZE])
{
	uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], w[80];
	uint8_t block[64] = { 0 };

	memcpy(block, data, size);
	block[size] = 0x80;
	block[63] = (uint8_t)(size * 8);
	block[62] = (uint8_t)(size * 8 >> 8);
	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16 |
		       (uint32_t)block[i * 4 + 2] << 8 | block[i * 4 + 3];
	for (unsigned i = 16; i < 80; i++)
		w[i] = rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (unsigned i = 0; i < 80; i++) {
		uint32_t f, k, t;

		if (i < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (i < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (i < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		t = rotl(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rotl(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
	for (unsigned i = 0; i < DIGEST_SIZE; i++)
		digest[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
}

static char *base64(const uint8_t *data, size_t size, char *out)
{
	static const char set[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		uint32_t v = (uint32_t)data[i] << 16;

		if (i + 1 < size)
			v |= (uint32_t)data[i + 1] << 8;
		if (i + 2 < size)
			v |= data[i + 2];
		*out++ = set[v >> 18];
		*out++ = set[v >> 12 & 63];
		*out++ = i + 1 < size ? set[v >> 6 & 63] : '=';
		*out++ = i + 2 < size ? set[v & 63] : '=';
	}
	*out = '\0';
	return out;
}

static size_t put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return 2;
}

/*
 * The type and the one that answers it stand for ports; a message that has no counterpart has its code there, and one
 * direction. false: the type is not known.
 */
static bool icmp_ports(uint8_t l4, uint16_t *sport, uint16_t *dport, bool *ret_one_way)
{
	static const uint8_t pairs4[][2] = {
		{ 8, 0 }, { 13, 14 }, { 15, 16 }, { 10, 9 }, { 17, 18 }
	};
	static const uint8_t pairs6[][2] = { { 128, 129 }, { 133, 134 }, { 135, 136 },
					     { 130, 131 }, { 139, 140 }, { 144, 145 } };
	const uint8_t(*pairs)[2] = l4 == BH_L4_ICMP ? pairs4 : pairs6;
	size_t n = l4 == BH_L4_ICMP ? BH_ARRAY_SIZE(pairs4) : BH_ARRAY_SIZE(pairs6);
	bool answer = *dport == 0;
	unsigned type = answer ? *sport >> 8 : *dport >> 8, code = *dport & 0xff;

	if (*sport == 0 && *dport == 0)
		return false;
	*ret_one_way = true;
	for (size_t i = 0; i < n; i++) {
		for (unsigned k = 0; k < 2; k++) {
			if (pairs[i][k] != type)
				continue;
			*ret_one_way = false;
			code = pairs[i][!k];
		}
	}
	*sport = (uint16_t)(answer ? code : type);
	*dport = (uint16_t)(answer ? type : code);
	return true;
}

const char *bh_community_id(const struct bh_addr *src, const struct bh_addr *dst, uint8_t l4,
			    uint16_t sport, uint16_t dport, char *buf)
{
	uint8_t data[48] = { 0 }, digest[DIGEST_SIZE];
	bool icmp = l4 == BH_L4_ICMP || l4 == BH_L4_ICMPV6, one_way = false;
	bool ports = l4 == BH_L4_TCP || l4 == BH_L4_UDP || l4 == BH_L4_SCTP || icmp;
	size_t n = 2, alen; /* the seed is zero */
	int cmp;

	if (src->family != dst->family || (src->family != 4 && src->family != 6) ||
	    (icmp && !icmp_ports(l4, &sport, &dport, &one_way)))
		return NULL;
	alen = bh_addr_size(src);
	cmp = memcmp(src->bytes, dst->bytes, alen);
	if (!one_way && (cmp > 0 || (cmp == 0 && ports && sport > dport))) {
		const struct bh_addr *a = src;
		uint16_t p = sport;

		src = dst;
		dst = a;
		sport = dport;
		dport = p;
	}
	memcpy(data + n, src->bytes, alen);
	n += alen;
	memcpy(data + n, dst->bytes, alen);
	n += alen;
	data[n++] = l4;
	data[n++] = 0;
	if (ports) {
		n += put_u16(data + n, sport);
		n += put_u16(data + n, dport);
	}
	sha1_short(data, n, digest);
	buf[0] = '1';
	buf[1] = ':';
	(void)base64(digest, sizeof(digest), buf + 2);
	return buf;
}
