/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/replay_tcp.h - which segments connection tracking lets through
 *
 * Thread-safety: no state but the caller's.
 */
#ifndef BH_DATAPLANE_WORKER_REPLAY_TCP_H
#define BH_DATAPLANE_WORKER_REPLAY_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bh_tcp_side {
	uint32_t end;    /* one past the highest byte it sent */
	uint32_t maxend; /* up to where it may send */
	uint32_t maxwin; /* the largest window it offered; 0: nothing was heard of it */
	uint32_t maxack; /* the highest acknowledgement it sent */
	uint8_t scale;
	bool scales, acked, fin;
};

struct bh_tcp_track {
	struct bh_tcp_side side[2]; /* 0: original direction */
	bool midstream, syn_ack, reset;
	bool
	    strange_syn; /* a SYN in a connection that is open: passed, and believed only if it is answered */
	uint8_t strange_dir;
	uint32_t strange_end;
};

struct bh_segment {
	uint32_t seq, ack;
	uint16_t win;
	uint8_t flags; /* TH_* */
	uint8_t scale; /* of the option; 255: none */
	uint32_t len;  /* of the payload */
};

/* @tcp: @size bytes from the TCP header on. False: no TCP header. *@ret_payload: where the payload begins. */
bool bh_tcp_parse(const uint8_t *tcp, size_t size, struct bh_segment *ret, size_t *ret_payload);

enum bh_tcp_answer {
	BH_TCP_INVALID = 0, /* dropped */
	BH_TCP_VALID,
	BH_TCP_NEW, /* the beginning of another connection between the same ports */
};

/* The first segment of a flow. False: no connection begins so. *@ret_midstream: its beginning was not seen. */
bool bh_tcp_first(struct bh_tcp_track *t, const struct bh_segment *s, bool *ret_midstream);
enum bh_tcp_answer bh_tcp_next(struct bh_tcp_track *t, unsigned dir, const struct bh_segment *s);

#endif
