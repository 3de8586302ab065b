/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/portspec.h - one port, as people write it who ask about a connection
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_PORTSPEC_H
#define BH_POLICY_PORTSPEC_H

#include "common/err.h"

#include <stdint.h>

/**
 * bh_portspec_parse() - Where a connection goes
 * @s:		"80/tcp", "80" (TCP), "53/udp", "9000/sctp"; "icmp" (echo-request), "icmp/8", "icmp/3/1",
 *		"icmp/echo-request", the same with "icmpv6"
 * @ret_port:	ICMP and ICMPv6: type << 8 | code
 *
 * Return: 0; -EINVAL (what is wrong in @err, without @s in front), -ENOMEM
 */
int bh_portspec_parse(const char *s, uint8_t *ret_l4, uint16_t *ret_port, struct bh_err *err)
    bh_must_check;

#endif
