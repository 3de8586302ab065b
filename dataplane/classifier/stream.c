// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/stream.c - what both sides of a flow have said, in order and without contradiction
 *
 * DOC: What is compared, and what is not
 *
 * Offsets are counted from the first byte of the side. All that was let through while the flow is undecided
 * is kept, so every retransmission can be compared in full.
 *
 * Bytes that the other side has acknowledged are thrown away by it, whatever they hold; a segment that lies
 * before the first byte but is acknowledged is therefore harmless (old keep-alive probes).
 *
 * A keep-alive probe of some systems carries one byte of anything at the sequence number before the next
 * one. It can only be told from an attempt to replace that byte by knowing that the byte was received; and
 * bare acknowledgements are not queued while a flow is undecided. Such a probe, or one at the byte before the
 * first, is dropped: the connection loses a probe, and nobody a byte. Any other difference is a conflict.
 */
#include "dataplane/classifier/stream.h"

#include <string.h>

#include "common/util.h"

#include "common/banned.h"

static uint32_t capacity(unsigned dir)
{
	return dir == 0 ? BH_STREAM_CLIENT_MAX : BH_STREAM_SERVER_MAX;
}

void bh_stream_reset(struct bh_stream *st)
{
	st->have[0] = st->have[1] = 0;
	st->held_bytes = 0;
	st->n_held = 0;
	st->n_runs = 0;
}

bool bh_stream_full(const struct bh_stream *st, unsigned dir)
{
	return st->have[dir] >= capacity(dir);
}

static void add_run(struct bh_stream *st, unsigned dir, uint32_t len)
{
	struct bh_run *r = st->n_runs ? &st->runs[st->n_runs - 1] : NULL;

	if (len == 0)
		return;
	if (!r || r->dir != dir) {
		if (st->n_runs == BH_STREAM_RUNS_MAX)
			return;
		r = &st->runs[st->n_runs++];
		r->dir = (uint8_t)dir;
		r->len = 0;
	}
	r->len = (uint16_t)(r->len + len);
}

/* The part of [off, off + len) that lies in [lo, hi) is the same there. */
static bool same(const struct bh_stream *st, unsigned dir, uint32_t off, const uint8_t *data,
		 uint32_t len, uint32_t lo, uint32_t hi)
{
	uint32_t from = BH_MAX(off, lo), to = BH_MIN(off + len, hi);

	return from >= to || memcmp(st->buf[dir] + from, data + (from - off), to - from) == 0;
}

static bool agrees(const struct bh_stream *st, unsigned dir, uint32_t off, const uint8_t *data,
		   uint32_t len)
{
	unsigned i;

	if (!same(st, dir, off, data, len, 0, st->have[dir]))
		return false;
	for (i = 0; i < st->n_held; i++) {
		const struct bh_held *h = &st->held[i];

		if (h->dir == dir && !same(st, dir, off, data, len, h->off, h->off + h->len))
			return false;
	}
	return true;
}

/* @len >= 1; is the last byte of it known to be received? */
static bool is_acked(const struct bh_side *s, bool acked, uint32_t seq, uint32_t len)
{
	return acked && (int32_t)(s->acked - (seq + len)) >= 0;
}

static enum bh_segment before_first(const struct bh_side *s, bool acked, uint32_t seq, uint32_t len)
{
	if (is_acked(s, acked, seq, len))
		return BH_SEGMENT_OLD;
	return len == 1 && seq + 1 == s->base ? BH_SEGMENT_DROP : BH_SEGMENT_BEFORE;
}

static enum bh_segment hold(struct bh_stream *st, unsigned dir, uint32_t off, const uint8_t *data,
			    uint32_t len, uint32_t id, bh_msec_t now)
{
	unsigned i;

	if (off >= capacity(dir) || len > capacity(dir) - off)
		return BH_SEGMENT_DROP;
	for (i = 0; i < st->n_held; i++) {
		const struct bh_held *h = &st->held[i];

		if (h->dir == dir && off >= h->off && off + len <= h->off + h->len)
			return BH_SEGMENT_DROP; /* once more what waits already */
	}
	if (st->n_held == BH_STREAM_HELD_MAX || len > BH_STREAM_HELD_BYTES - st->held_bytes)
		return BH_SEGMENT_DROP;
	memcpy(st->buf[dir] + off, data, len);
	st->held[st->n_held++] = (struct bh_held){
		.id = id,
		.off = off,
		.len = len,
		.since = now,
		.dir = (uint8_t)dir,
	};
	st->held_bytes += len;
	return BH_SEGMENT_HOLD;
}

enum bh_segment bh_stream_segment(struct bh_stream *st, struct bh_side *s, unsigned dir, bool acked,
				  uint32_t seq, const uint8_t *data, uint32_t len, uint32_t id,
				  bool may_hold, bh_msec_t now)
{
	uint32_t off = seq - s->base, have = st->have[dir], n;

	if ((int32_t)off < 0)
		return before_first(s, acked, seq, len);
	if (!agrees(st, dir, off, data, len)) {
		if (len == 1 && off + 1 == have)
			return BH_SEGMENT_DROP;
		return BH_SEGMENT_CONFLICT;
	}
	if (off > have)
		return may_hold ? hold(st, dir, off, data, len, id, now) : BH_SEGMENT_DROP;
	if (off + len <= have)
		return BH_SEGMENT_OLD;
	n = BH_MIN(off + len, capacity(dir)) - have;
	memcpy(st->buf[dir] + have, data + (have - off), n);
	st->have[dir] += n;
	s->next = s->base + st->have[dir];
	add_run(st, dir, n);
	return BH_SEGMENT_NEW;
}

enum bh_segment bh_stream_compare(const struct bh_stream *st, const struct bh_side *s, unsigned dir,
				  bool acked, uint32_t seq, const uint8_t *data, uint32_t len)
{
	uint32_t judged = s->judged - s->base, off = seq - s->base;

	if ((int32_t)(seq - s->judged) >= 0)
		return BH_SEGMENT_NEW;
	if ((int32_t)off < 0)
		return before_first(s, acked, seq, len);
	/* Without the bytes only what was received is known to be harmless. */
	if (!st)
		return is_acked(s, acked, seq, BH_MIN(len, judged - off)) ? BH_SEGMENT_OLD
									  : BH_SEGMENT_DROP;
	if (same(st, dir, off, data, len, 0, judged))
		return BH_SEGMENT_OLD;
	return len == 1 && off + 1 == judged ? BH_SEGMENT_DROP : BH_SEGMENT_CONFLICT;
}

static void remove_held(struct bh_stream *st, unsigned i)
{
	st->held_bytes -= st->held[i].len;
	st->n_held--;
	memmove(&st->held[i], &st->held[i + 1], (st->n_held - i) * sizeof(st->held[0]));
}

bool bh_stream_take(struct bh_stream *st, struct bh_side *s, unsigned dir, struct bh_held *ret)
{
	unsigned i;

	for (i = 0; i < st->n_held; i++) {
		const struct bh_held *h = &st->held[i];
		uint32_t end = h->off + h->len;

		if (h->dir != dir || h->off > st->have[dir])
			continue;
		*ret = *h;
		remove_held(st, i);
		if (end > st->have[dir]) { /* the bytes are there already */
			add_run(st, dir, end - st->have[dir]);
			st->have[dir] = end;
			s->next = s->base + end;
		}
		return true;
	}
	return false;
}

bool bh_stream_drop(struct bh_stream *st, bh_msec_t before, struct bh_held *ret)
{
	unsigned i;

	for (i = 0; i < st->n_held; i++) {
		if (st->held[i].since >= before)
			continue;
		*ret = st->held[i];
		remove_held(st, i);
		return true;
	}
	return false;
}

void bh_stream_datagram(struct bh_stream *st, unsigned dir, const uint8_t *data, uint32_t len)
{
	uint32_t n = BH_MIN(len, capacity(dir));

	if (st->have[dir] > 0)
		return;
	memcpy(st->buf[dir], data, n);
	st->have[dir] = n;
	add_run(st, dir, n);
}
