/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/replay_sum.h - IP packets of a capture: where their parts are, and whether their sums are right
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_WORKER_REPLAY_SUM_H
#define BH_DATAPLANE_WORKER_REPLAY_SUM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/addr.h"

struct bh_ip_view {
	struct bh_addr src, dst;
	uint8_t l4;        /* after extension headers */
	bool fragment;     /* a part; then @at is not set */
	size_t at, l4_len; /* of what the L4 protocol has */
};

/* @len: bytes there are. False: no IP packet, or its headers lie. */
bool bh_ip_parse(const uint8_t *p, size_t len, struct bh_ip_view *ret);

enum bh_sum {
	BH_SUM_NONE = 0, /* there is none, or it cannot be checked */
	BH_SUM_GOOD,
	BH_SUM_BAD,
	BH_SUM_PARTIAL, /* left to the network card: captured on the sending host */
};

/* The checksums of the IPv4 header and of TCP, UDP, ICMP over a whole packet. */
enum bh_sum bh_ip_checksum(const uint8_t *p, const struct bh_ip_view *v);

#endif
