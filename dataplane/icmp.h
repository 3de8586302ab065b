/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/icmp.h - what stands for the ports of an ICMP packet
 *
 * Rule sets have type << 8 | code in the place of a destination port (policy/ruleset.h). A message that answers
 * another has that of its question for a source port, and no destination port, so that both are two directions of one
 * flow, as conntrack has it.
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_ICMP_H
#define BH_DATAPLANE_ICMP_H

#include "policy/model.h"

/* The type of the question that @type answers; -1: it answers none. RFC 792, 950, 4443, 4620 */
static inline int bh_icmp_question(uint8_t l4, uint8_t type)
{
	if (l4 == BH_L4_ICMPV6)
		return type == 129 || type == 140 ? type - 1 : -1;
	return type == 0 ? 8 : type == 14 || type == 16 || type == 18 ? type - 1 : -1;
}

static inline void bh_icmp_ports(uint8_t l4, uint8_t type, uint8_t code, uint16_t *ret_sport,
				 uint16_t *ret_dport)
{
	int question = bh_icmp_question(l4, type);

	*ret_sport = question < 0 ? 0 : (uint16_t)(question << 8 | code);
	*ret_dport = question < 0 ? (uint16_t)(type << 8 | code) : 0;
}

#endif
