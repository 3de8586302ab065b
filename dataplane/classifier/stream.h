/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/classifier/stream.h - what both sides of a flow have said, in order and without contradiction
 *
 * The bytes of each side are kept from its first one on, each at its place. A segment that overlaps what is
 * kept is compared with it: two copies that differ are a contradiction, whichever the receiver would take.
 * A segment behind a gap is written to its place too, and its packet is held: it may go on when the gap is
 * filled, and nothing that was not in order was ever judged or let through.
 *
 * Thread-safety: a stream belongs to one thread.
 */
#ifndef BH_DATAPLANE_CLASSIFIER_STREAM_H
#define BH_DATAPLANE_CLASSIFIER_STREAM_H

#include "dataplane/classifier/flow.h"

#define BH_STREAM_CLIENT_MAX 16384U
#define BH_STREAM_SERVER_MAX 8192U
#define BH_STREAM_HELD_MAX   8U     /* segments of a flow */
#define BH_STREAM_HELD_BYTES 16384U /* of a flow */
#define BH_STREAM_RUNS_MAX   24U

struct bh_held {
	uint32_t id;       /* of the packet */
	uint32_t off, len; /* of what is kept of it */
	bh_msec_t since;
	uint8_t dir;
};

/* Bytes of one side without the other in between: for who has to see the order of speaking. */
struct bh_run {
	uint16_t len;
	uint8_t dir;
};

struct bh_stream {
	uint8_t *buf[2];  /* BH_STREAM_CLIENT_MAX, BH_STREAM_SERVER_MAX bytes */
	uint32_t have[2]; /* in order, from the first byte on */
	uint32_t flow;    /* index of its owner */
	uint32_t held_bytes;
	uint8_t n_held;
	uint8_t n_runs;
	struct bh_held held[BH_STREAM_HELD_MAX];
	struct bh_run runs[BH_STREAM_RUNS_MAX];
};

enum bh_segment {
	BH_SEGMENT_INVALID = 0,
	BH_SEGMENT_NEW,      /* appended; held ones may fit now */
	BH_SEGMENT_OLD,      /* nothing new in it, and the same as before */
	BH_SEGMENT_HOLD,     /* behind a gap: held */
	BH_SEGMENT_BEFORE,   /* speaks of bytes before the first */
	BH_SEGMENT_CONFLICT, /* differs from what is kept */
	BH_SEGMENT_DROP, /* cannot be held, or is held already, or contradicts harmlessly: see stream.c */
};

/* Forgets everything; the buffers stay. */
void bh_stream_reset(struct bh_stream *st);

/**
 * bh_stream_segment() - Put a TCP segment where it belongs
 * @s:		The side that sent it; its `next` moves
 * @dir:	0 client, 1 server
 * @acked:	@s->acked is known
 * @id, @now:	Of the packet, for the case that it is held
 * @may_hold:	There is room among all that is held
 *
 * Bytes beyond the buffer are not kept: a stream that needs more is over its budget.
 */
enum bh_segment bh_stream_segment(struct bh_stream *st, struct bh_side *s, unsigned dir, bool acked,
				  uint32_t seq, const uint8_t *data, uint32_t len, uint32_t id,
				  bool may_hold, bh_msec_t now);

/* The same comparison once judged, against the bytes before @s->judged; NEW: there is nothing to compare. */
enum bh_segment bh_stream_compare(const struct bh_stream *st, const struct bh_side *s, unsigned dir,
				  bool acked, uint32_t seq, const uint8_t *data, uint32_t len);

/* A held segment of @dir that fits now: appended and taken out. False: there is none. */
bool bh_stream_take(struct bh_stream *st, struct bh_side *s, unsigned dir, struct bh_held *ret);
/* Takes out any held segment (from before @before; INT64_MAX: all). False: there is none. */
bool bh_stream_drop(struct bh_stream *st, bh_msec_t before, struct bh_held *ret);

/* A datagram: kept if it is the first of its side. */
void bh_stream_datagram(struct bh_stream *st, unsigned dir, const uint8_t *data, uint32_t len);

bool bh_stream_full(const struct bh_stream *st, unsigned dir);

#endif
