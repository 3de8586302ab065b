// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/packet.c - the headers of one IP packet, every length checked before it is used
 *
 * Sources: RFC 791 (IPv4), RFC 8200 and RFC 7045 (IPv6 and its extension headers), RFC 4302 (AH),
 * RFC 9293 (TCP), RFC 768 (UDP), RFC 9260 (SCTP), RFC 1071 (checksum).
 */
#include "dataplane/classifier/packet.h"

#include <string.h>

#include "dataplane/classifier/bytes.h"
#include "dataplane/icmp.h"

#include "common/banned.h"

/* A chain of extension headers longer than this serves nobody; the kernel's own parsers stop near it. */
#define EXT_HEADERS_MAX 8U

#define IPV6_HOP_BY_HOP  0U
#define IPV6_ROUTING     43U
#define IPV6_FRAGMENT    44U
#define IPV6_AUTH        51U
#define IPV6_DESTINATION 60U

/* What is left to read. @left counts bytes that the packet claims, @have those that are here. */
struct cursor {
	const uint8_t *p;
	uint32_t left;
	uint32_t have;
};

static bool advance(struct cursor *c, uint32_t n)
{
	if (n > c->left || n > c->have)
		return false;
	c->p += n;
	c->left -= n;
	c->have -= n;
	return true;
}

static bool parse_v4(struct cursor *c, struct bh_headers *h)
{
	uint32_t hlen, total;

	if (c->have < 20)
		return false;
	hlen = (c->p[0] & 15U) * 4U;
	total = bh_be16(c->p + 2);
	if (hlen < 20 || total < hlen || total > c->left)
		return false;
	/* Behind the packet there may be the padding of a link. */
	c->left = total;
	if (c->have > total)
		c->have = total;
	h->src = bh_addr_from_v4(c->p + 12);
	h->dst = bh_addr_from_v4(c->p + 16);
	h->l4 = c->p[9];
	if (bh_be16(c->p + 6) & 0x3fffU) /* more fragments, or an offset */
		return false;
	return advance(c, hlen);
}

/* One extension header at @c: its length and what follows it; 0 if it is none or lies. */
static uint32_t extension(const struct cursor *c, uint8_t type, uint8_t *ret_next)
{
	if (c->have < 8)
		return 0;
	*ret_next = c->p[0];
	if (type == IPV6_AUTH)
		return (c->p[1] + 2U) * 4U;
	if (type == IPV6_FRAGMENT) /* alone it is harmless: RFC 6946 */
		return bh_be16(c->p + 2) & 0xfff9U ? 0 : 8;
	return (c->p[1] + 1U) * 8U;
}

static bool parse_v6(struct cursor *c, struct bh_headers *h)
{
	uint32_t total;
	unsigned n;

	if (c->have < 40)
		return false;
	total = 40U + bh_be16(c->p + 4);
	if (total > c->left)
		return false;
	c->left = total;
	if (c->have > total)
		c->have = total;
	h->src = bh_addr_from_v6(c->p + 8);
	h->dst = bh_addr_from_v6(c->p + 24);
	h->l4 = c->p[6];
	if (!advance(c, 40))
		return false;

	for (n = 0; n <= EXT_HEADERS_MAX; n++) {
		uint32_t len;

		if (h->l4 != IPV6_HOP_BY_HOP && h->l4 != IPV6_ROUTING && h->l4 != IPV6_FRAGMENT &&
		    h->l4 != IPV6_AUTH && h->l4 != IPV6_DESTINATION)
			return true;
		if (h->l4 == IPV6_HOP_BY_HOP && n > 0) /* only right behind the first header */
			return false;
		len = extension(c, h->l4, &h->l4);
		if (len == 0 || !advance(c, len))
			return false;
	}
	return false;
}

static bool parse_tcp(struct cursor *c, struct bh_headers *h)
{
	uint32_t hlen;

	if (c->have < 20)
		return false;
	h->sport = bh_be16(c->p);
	h->dport = bh_be16(c->p + 2);
	h->seq = bh_be32(c->p + 4);
	h->ack = bh_be32(c->p + 8);
	hlen = (c->p[12] >> 4) * 4U;
	h->flags = c->p[13];
	h->urgent = bh_be16(c->p + 18);
	return hlen >= 20 && advance(c, hlen);
}

static bool parse_udp(struct cursor *c, struct bh_headers *h)
{
	if (c->have < 8)
		return false;
	h->sport = bh_be16(c->p);
	h->dport = bh_be16(c->p + 2);
	if (bh_be16(c->p + 4) != c->left)
		return false;
	return advance(c, 8);
}

static bool parse_icmp(const struct cursor *c, struct bh_headers *h)
{
	if (c->have < 4)
		return false;
	bh_icmp_ports(h->l4, c->p[0], c->p[1], &h->sport, &h->dport);
	if (h->l4 == BH_L4_ICMPV6)
		h->icmp_error = c->p[0] < 128;
	else /* unreachable, quench, redirect, time exceeded, parameter problem */
		h->icmp_error =
		    c->p[0] == 3 || c->p[0] == 4 || c->p[0] == 5 || c->p[0] == 11 || c->p[0] == 12;
	return true;
}

static bool parse_l4(struct cursor *c, struct bh_headers *h)
{
	switch (h->l4) {
	case BH_L4_TCP:
		return parse_tcp(c, h);
	case BH_L4_UDP:
		return parse_udp(c, h);
	case BH_L4_SCTP:
		if (c->have < 12)
			return false;
		h->sport = bh_be16(c->p);
		h->dport = bh_be16(c->p + 2);
		return true;
	case BH_L4_ICMP:
	case BH_L4_ICMPV6:
		return parse_icmp(c, h);
	default:
		return true;
	}
}

enum bh_headers_result bh_headers_parse(const uint8_t *data, uint32_t len, uint32_t wire_len,
					struct bh_headers *ret)
{
	struct cursor c = { .p = data, .left = wire_len, .have = len };
	bool ok;

	memset(ret, 0, sizeof(*ret));
	if (len == 0 || wire_len < len)
		return BH_HEADERS_BAD;
	switch (data[0] >> 4) {
	case 4:
		ok = parse_v4(&c, ret);
		break;
	case 6:
		ok = parse_v6(&c, ret);
		break;
	default:
		return BH_HEADERS_BAD;
	}
	if (!ok)
		return BH_HEADERS_BAD;

	ret->l4_start = c.p;
	ret->l4_len = c.have;
	if (!parse_l4(&c, ret))
		return BH_HEADERS_BAD;
	ret->payload = c.p;
	ret->payload_len = c.have;
	return c.have < c.left ? BH_HEADERS_SHORT : BH_HEADERS_OK;
}

/* Ones' complement sum of 16-bit words; an odd byte counts as the upper half of a word. */
static uint32_t sum16(uint32_t sum, const uint8_t *p, uint32_t n)
{
	uint64_t s = sum;

	for (; n >= 2; n -= 2, p += 2)
		s += bh_be16(p);
	if (n)
		s += (uint32_t)p[0] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint32_t)s;
}

bool bh_headers_checksum_ok(const struct bh_headers *h)
{
	uint32_t sum, alen;

	if (h->l4 != BH_L4_TCP && h->l4 != BH_L4_UDP)
		return true;
	if (h->l4 == BH_L4_UDP && bh_be16(h->l4_start + 6) == 0)
		return h->src.family == 4;
	alen = (uint32_t)bh_addr_size(&h->src);
	sum = h->l4 + (h->l4_len >> 16) + (h->l4_len & 0xffff);
	sum = sum16(sum, h->src.bytes, alen);
	sum = sum16(sum, h->dst.bytes, alen);
	return sum16(sum, h->l4_start, h->l4_len) == 0xffff;
}

static uint32_t tcp_sum(const struct bh_headers *h, const uint8_t *tcp, uint32_t len)
{
	uint32_t alen = (uint32_t)bh_addr_size(&h->src), sum = BH_L4_TCP + len;

	sum = sum16(sum, h->src.bytes, alen);
	sum = sum16(sum, h->dst.bytes, alen);
	return sum16(sum, tcp, len);
}

static void put_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

uint32_t bh_headers_bare(const uint8_t *data, const struct bh_headers *h, uint8_t *out, size_t cap)
{
	uint32_t l3, l4, len;

	if (h->l4 != BH_L4_TCP || !h->payload)
		return 0;
	l3 = (uint32_t)(h->l4_start - data);
	l4 = (uint32_t)(h->payload - h->l4_start);
	len = l3 + l4;
	if (len > cap)
		return 0;
	memcpy(out, data, len);
	if (h->src.family == 4) {
		put_be16(out + 2, len);
		put_be16(out + 10, 0);
		put_be16(out + 10, ~sum16(0, out, (out[0] & 15U) * 4U));
	} else {
		put_be16(out + 4, len - 40);
	}
	put_be16(out + l3 + 16, 0);
	put_be16(out + l3 + 16, ~tcp_sum(h, out + l3, l4));
	return len;
}
