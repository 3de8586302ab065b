/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/replay_pcap.h - the IP packets of a capture
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_WORKER_REPLAY_PCAP_H
#define BH_DATAPLANE_WORKER_REPLAY_PCAP_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

struct bh_pcap_packet {
	int64_t wall_us;
	const uint8_t *data; /* from the IP header on; NULL: no IP packet */
	size_t len;          /* bytes there are, at most what the IP header says */
	size_t wire_len;     /* bytes of the whole packet by its IP header */
};

/* Return: 0, -EINVAL (libpcap's own words in @err) */
int bh_pcap_read(const char *path, void (*fn)(void *arg, const struct bh_pcap_packet *p), void *arg,
		 struct bh_err *err) bh_must_check;

#endif
