/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/icmp.h - types of ICMP and ICMPv6 by name
 *
 * Thread-safety: constants.
 */
#ifndef BH_POLICY_ICMP_H
#define BH_POLICY_ICMP_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bh_icmp_type {
	const char *name;
	int v4, v6; /* -1: there is none in that family */
	bool reply; /* belongs to a request, with which it passes: no rule can mean it */
};

/* The i-th; NULL past the end. */
const struct bh_icmp_type *bh_icmp_nth(size_t i);
/* By its number in the family of @l4 (BH_L4_ICMP, BH_L4_ICMPV6); NULL: it has none. */
const char *bh_icmp_name(uint8_t l4, uint8_t type);

/**
 * bh_icmp_port() - A type, and perhaps a code, as rule sets have it in place of a port
 * @s:		"echo-request", "8", "3/1", "destination-unreachable/1"
 * @l4:		The family: a name has a number in each
 * @ret:	type << 8 | code; code 0 where none is written
 *
 * Return: 0; -EINVAL: unknown, or not of that family (in @err what was probably meant)
 */
int bh_icmp_port(const char *s, uint8_t l4, uint16_t *ret, struct bh_err *err) bh_must_check;

#endif
