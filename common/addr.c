// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * common/addr.c - IPv4 and IPv6 addresses and prefixes
 *
 * Addresses are read by inet_pton(). Prefixes are not: the API server reads the address part of a CIDR by
 * rules that are looser (leading zeros of any number), and a policy must mean here what it means there.
 */
#include "common/addr.h"

#include "common/parse.h"
#include "common/util.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/banned.h"

struct bh_addr bh_addr_from_v4(const void *bytes4)
{
	struct bh_addr a = { .family = 4 };

	memcpy(a.bytes, bytes4, 4);
	return a;
}

struct bh_addr bh_addr_from_v6(const void *bytes16)
{
	struct bh_addr a = { .family = 6 };

	memcpy(a.bytes, bytes16, 16);
	return a;
}

int bh_addr_parse(const char *s, struct bh_addr *ret)
{
	struct bh_addr a = { .family = 0 };

	if (!s)
		return -EINVAL;
	a.family = strchr(s, ':') ? 6 : 4;
	if (inet_pton(a.family == 6 ? AF_INET6 : AF_INET, s, a.bytes) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

const char *bh_addr_format(const struct bh_addr *a, char *buf)
{
	if ((a->family != 4 && a->family != 6) ||
	    !inet_ntop(a->family == 6 ? AF_INET6 : AF_INET, a->bytes, buf, BH_ADDR_STRLEN))
		(void)snprintf(buf, BH_ADDR_STRLEN, "none");
	return buf;
}

bool bh_addr_eq(const struct bh_addr *a, const struct bh_addr *b)
{
	return bh_addr_cmp(a, b) == 0;
}

int bh_addr_cmp(const struct bh_addr *a, const struct bh_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool bh_addr_next(const struct bh_addr *a, struct bh_addr *ret)
{
	struct bh_addr n = *a;

	if (a->family == 0)
		return false;
	for (size_t i = bh_addr_size(a); i-- > 0;) {
		if (++n.bytes[i] != 0) {
			*ret = n;
			return true;
		}
	}
	return false;
}

bool bh_addr_prev(const struct bh_addr *a, struct bh_addr *ret)
{
	struct bh_addr n = *a;

	if (a->family == 0)
		return false;
	for (size_t i = bh_addr_size(a); i-- > 0;) {
		if (n.bytes[i]-- != 0) {
			*ret = n;
			return true;
		}
	}
	return false;
}

/* Four decimal octets, any number of leading zeros; the whole of @s. */
static bool v4_loose(const char *s, uint8_t *ret4)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned v = 0, n = 0;

		if (i > 0 && *s++ != '.')
			return false;
		for (; *s >= '0' && *s <= '9'; s++, n++) {
			v = v * 10 + (unsigned)(*s - '0');
			if (v > 255)
				return false;
		}
		if (n == 0)
			return false;
		ret4[i] = (uint8_t)v;
	}
	return *s == '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Groups of hexadecimal digits, one "::" at most, the last two groups possibly as an IPv4 address. */
static bool v6_loose(const char *s, uint8_t *ret16)
{
	uint8_t out[16] = { 0 };
	size_t n = 0, gap = SIZE_MAX;

	if (s[0] == ':' && s[1] == ':') {
		gap = 0;
		s += 2;
	}
	while (*s != '\0') {
		const char *group = s;
		unsigned v = 0;
		int d;

		for (; (d = hex_digit(*s)) >= 0; s++) {
			v = v << 4 | (unsigned)d;
			if (v > 0xffff)
				return false;
		}
		if (*s == '.') {
			if (n > 12 || !v4_loose(group, out + n))
				return false;
			n += 4;
			break;
		}
		if (s == group || n == 16)
			return false;
		out[n++] = (uint8_t)(v >> 8);
		out[n++] = (uint8_t)v;
		if (*s == '\0')
			break;
		if (*s++ != ':')
			return false;
		if (*s == ':') {
			if (gap != SIZE_MAX)
				return false;
			gap = n;
			s++;
		} else if (*s == '\0') {
			return false;
		}
	}
	if (gap == SIZE_MAX ? n != 16 : n == 16)
		return false;
	if (gap == SIZE_MAX)
		gap = n;
	memset(ret16, 0, 16);
	memcpy(ret16, out, gap);
	memcpy(ret16 + 16 - (n - gap), out + gap, n - gap);
	return true;
}

/* Bits after the first @len set to zero or one. */
static void fill_tail(struct bh_addr *a, unsigned len, bool ones)
{
	for (unsigned i = 0; i < bh_addr_size(a); i++) {
		unsigned keep = len > i * 8 ? BH_MIN(len - i * 8, 8U) : 0;
		unsigned host = 0xffU >> keep;

		a->bytes[i] = (uint8_t)(ones ? a->bytes[i] | host : a->bytes[i] & ~host);
	}
}

int bh_prefix_parse(const char *s, struct bh_prefix *ret)
{
	struct bh_prefix p = { .len = 0 };
	const char *slash;
	char text[64];
	uint64_t len;
	size_t n;

	slash = s ? strchr(s, '/') : NULL;
	if (!slash)
		return -EINVAL;
	n = (size_t)(slash - s);
	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	p.addr.family = strchr(text, ':') ? 6 : 4;
	if (!(p.addr.family == 6 ? v6_loose : v4_loose)(text, p.addr.bytes))
		return -EINVAL;
	if (bh_parse_u64(slash + 1, bh_addr_size(&p.addr) * 8, &len) < 0)
		return -EINVAL;
	p.len = (uint8_t)len;
	fill_tail(&p.addr, p.len, false);
	*ret = p;
	return 0;
}

const char *bh_prefix_format(const struct bh_prefix *p, char *buf)
{
	char text[BH_ADDR_STRLEN];

	(void)snprintf(buf, BH_PREFIX_STRLEN, "%s/%u", bh_addr_format(&p->addr, text), p->len);
	return buf;
}

bool bh_prefix_contains(const struct bh_prefix *p, const struct bh_addr *a)
{
	struct bh_addr net = *a;

	if (a->family == 0 || a->family != p->addr.family)
		return false;
	fill_tail(&net, p->len, false);
	return bh_addr_eq(&net, &p->addr);
}

bool bh_prefix_covers(const struct bh_prefix *outer, const struct bh_prefix *inner)
{
	return inner->len >= outer->len && bh_prefix_contains(outer, &inner->addr);
}

void bh_prefix_range(const struct bh_prefix *p, struct bh_addr *ret_lo, struct bh_addr *ret_hi)
{
	*ret_lo = p->addr;
	fill_tail(ret_lo, p->len, false);
	*ret_hi = p->addr;
	fill_tail(ret_hi, p->len, true);
}
