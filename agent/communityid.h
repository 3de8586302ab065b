/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/communityid.h - a flow's Community ID v1, by which records of Bulkhead, Zeek and Suricata can be joined
 *
 * Source: "Community ID Flow Hashing", version 1 (seed 0, base64 of SHA-1).
 *
 * Thread-safety: no state.
 */
#ifndef BH_AGENT_COMMUNITYID_H
#define BH_AGENT_COMMUNITYID_H

#include "common/addr.h"

#define BH_COMMUNITY_ID_STRLEN 32

/**
 * bh_community_id() - Name a flow
 * @l4:		IANA protocol number; both directions of a flow get the same name
 * @sport, @dport: Of ICMP as in dataplane/icmp.h
 * @buf:	BH_COMMUNITY_ID_STRLEN bytes
 *
 * Return: @buf; NULL where the name cannot be made: addresses of different families, ICMP of which not even the type
 *	   is known
 */
const char *bh_community_id(const struct bh_addr *src, const struct bh_addr *dst, uint8_t l4,
			    uint16_t sport, uint16_t dport, char *buf);

#endif
