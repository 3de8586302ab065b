/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/addr.h - IPv4 and IPv6 addresses and prefixes
 *
 * Bytes are in network order, as they stand in a packet. An IPv4 address uses the first four bytes, the
 * rest are zero, so that two addresses can be compared and hashed as memory. Family 0 is "no address".
 *
 * Thread-safety: no state.
 */
#ifndef BH_COMMON_ADDR_H
#define BH_COMMON_ADDR_H

#include "common/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bh_addr {
	uint8_t bytes[16];
	uint8_t family; /* 4, 6, or 0: none */
};

struct bh_prefix {
	struct bh_addr addr; /* host bits cleared */
	uint8_t len;         /* bits */
};

#define BH_ADDR_STRLEN   48
#define BH_PREFIX_STRLEN 52

struct bh_addr bh_addr_from_v4(const void *bytes4);
struct bh_addr bh_addr_from_v6(const void *bytes16);
static inline size_t bh_addr_size(const struct bh_addr *a)
{
	return a->family == 4 ? 4 : 16;
}
/* Whole string or -EINVAL; no zone, no netmask. inet_pton's forms. */
int bh_addr_parse(const char *s, struct bh_addr *ret) bh_must_check;
/* @buf: BH_ADDR_STRLEN bytes. Return: @buf */
const char *bh_addr_format(const struct bh_addr *a, char *buf);
bool bh_addr_eq(const struct bh_addr *a, const struct bh_addr *b);
/* Family first, then the bytes: <0, 0, >0. */
int bh_addr_cmp(const struct bh_addr *a, const struct bh_addr *b);
/* The address after @a, the one before; false on overflow. */
bool bh_addr_next(const struct bh_addr *a, struct bh_addr *ret);
bool bh_addr_prev(const struct bh_addr *a, struct bh_addr *ret);

/*
 * As the Kubernetes API server reads a CIDR: host bits are accepted and cleared, leading zeros are
 * decimal ("010.0.0.0/08" is 10.0.0.0/8); no zone, no dotted mask, no spaces. -EINVAL otherwise.
 */
int bh_prefix_parse(const char *s, struct bh_prefix *ret) bh_must_check;
/* @buf: BH_PREFIX_STRLEN bytes. Return: @buf */
const char *bh_prefix_format(const struct bh_prefix *p, char *buf);
bool bh_prefix_contains(const struct bh_prefix *p, const struct bh_addr *a);
/* @inner lies wholly inside @outer (equal counts); families must agree. */
bool bh_prefix_covers(const struct bh_prefix *outer, const struct bh_prefix *inner);
void bh_prefix_range(const struct bh_prefix *p, struct bh_addr *ret_lo, struct bh_addr *ret_hi);

#endif
