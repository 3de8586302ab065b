/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/replay_frag.h - fragments into packets, as the kernel does before its rules see them
 *
 * IPv4 and IPv6; a bounded number of packets at a time. Overlapping parts end the whole packet, except a part
 * that comes twice just the same.
 *
 * Thread-safety: belongs to one thread.
 */
#ifndef BH_DATAPLANE_WORKER_REPLAY_FRAG_H
#define BH_DATAPLANE_WORKER_REPLAY_FRAG_H

#include <stddef.h>

#include "common/clock.h"
#include "common/err.h"

#include <stdbool.h>

struct bh_frag;

struct bh_frag_stats {
	uint64_t parts, rebuilt, dropped;
};

int bh_frag_new(struct bh_frag **ret) bh_must_check;
struct bh_frag *bh_frag_free(struct bh_frag *f);

/**
 * bh_frag_packet() - A packet that is or is not a part of one
 * @data, @len:	From the IP header on, cut to the length that header says
 * @ret_data:	The packet: @data itself, or one put together (valid until the next call)
 *
 * Return: 1: a packet; 0: a part, the rest is still to come (or it was given up); -EINVAL: no IP packet
 */
int bh_frag_packet(struct bh_frag *f, const uint8_t *data, size_t len, bh_msec_t now,
		   const uint8_t **ret_data, size_t *ret_len) bh_must_check;
void bh_frag_stats_get(const struct bh_frag *f, struct bh_frag_stats *ret);

#endif
