// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/replay_sum.c - IP packets of a capture: where their parts are, and whether their sums are right
 */
#include "dataplane/worker/replay_sum.h"

#include <netinet/in.h>
#include <string.h>

#include "common/banned.h"

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)(p[0] << 8 | p[1]);
}

static bool parse6(const uint8_t *p, size_t len, struct bh_ip_view *ret)
{
	uint8_t next = p[6];
	size_t at = 40;

	for (int i = 0; i < 8; i++) {
		switch (next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			if (at + 8 > len)
				return false;
			next = p[at];
			at += (p[at + 1] + 1U) * 8;
			break;
		case IPPROTO_AH:
			if (at + 8 > len)
				return false;
			next = p[at];
			at += (p[at + 1] + 2U) * 4;
			break;
		case IPPROTO_FRAGMENT:
			if (at + 8 > len)
				return false;
			/* A fragment that is the whole packet is none. */
			ret->fragment = (get16(p + at + 2) & 0xfff9) != 0;
			ret->l4 = p[at];
			if (ret->fragment)
				return true;
			next = p[at];
			at += 8;
			break;
		default:
			if (at > len)
				return false;
			ret->l4 = next;
			ret->at = at;
			ret->l4_len = len - at;
			return true;
		}
		if (at > len)
			return false;
	}
	return false;
}

bool bh_ip_parse(const uint8_t *p, size_t len, struct bh_ip_view *ret)
{
	size_t header;

	*ret = (struct bh_ip_view){ .l4 = 0 };
	if (len >= 40 && p[0] >> 4 == 6) {
		ret->src = bh_addr_from_v6(p + 8);
		ret->dst = bh_addr_from_v6(p + 24);
		return parse6(p, len, ret);
	}
	if (len < 20 || p[0] >> 4 != 4)
		return false;
	header = (p[0] & 15U) * 4U;
	if (header < 20 || header > len)
		return false;
	ret->src = bh_addr_from_v4(p + 12);
	ret->dst = bh_addr_from_v4(p + 16);
	ret->l4 = p[9];
	ret->fragment = get16(p + 6) & 0x3fff;
	ret->at = header;
	ret->l4_len = len - header;
	return true;
}

static uint32_t sum(const uint8_t *p, size_t len, uint32_t s)
{
	for (; len > 1; p += 2, len -= 2)
		s += get16(p);
	if (len)
		s += (uint32_t)(p[0] << 8);
	return (s & 0xffff) + (s >> 16);
}

static uint32_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

enum bh_sum bh_ip_checksum(const uint8_t *p, const struct bh_ip_view *v)
{
	const uint8_t *l4 = p + v->at;
	uint32_t pseudo = 0, field;
	size_t at;

	if (v->fragment)
		return BH_SUM_NONE;
	if (v->src.family == 4 && fold(sum(p, v->at, 0)) != 0xffff)
		return BH_SUM_BAD;
	switch (v->l4) {
	case IPPROTO_TCP:
		at = 16;
		break;
	case IPPROTO_UDP:
		at = 6;
		break;
	case IPPROTO_ICMPV6:
	case IPPROTO_ICMP:
		at = 2;
		break;
	default:
		return BH_SUM_NONE;
	}
	if (v->l4_len < at + 2)
		return BH_SUM_NONE;
	field = get16(l4 + at);
	if (v->l4 == IPPROTO_UDP && field == 0)
		return v->src.family == 4 ? BH_SUM_NONE : BH_SUM_BAD;
	if (v->l4 != IPPROTO_ICMP) {
		pseudo = sum(v->src.bytes, bh_addr_size(&v->src), 0);
		pseudo = sum(v->dst.bytes, bh_addr_size(&v->dst), pseudo);
		pseudo = fold(pseudo + v->l4 + (uint32_t)(v->l4_len & 0xffff) +
			      (uint32_t)(v->l4_len >> 16));
	}
	if (fold(sum(l4, v->l4_len, pseudo)) == 0xffff)
		return BH_SUM_GOOD;
	return v->l4 != IPPROTO_ICMP && field == pseudo ? BH_SUM_PARTIAL : BH_SUM_BAD;
}
