// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/replay_tcp.c - which segments connection tracking lets through
 *
 * The four bounds of G. van Rooij, "Real Stateful TCP Packet Filtering in IP Filter" (2001), which the
 * kernel's conntrack uses too:
 *
 *	I	a segment begins not behind what the other side allows	(maxend)
 *	II	and ends not before what it may still be missing	(end - window of the other side)
 *	III	it acknowledges nothing that was not sent		(end of the other side)
 *	IV	and nothing from long ago				(end of the other side - window)
 *
 * A segment that breaks one is dropped and changes nothing, so a decoy that the receiver would not take does not
 * reach the judgement either.
 */
#include "dataplane/worker/replay_tcp.h"

#include <netinet/tcp.h>
#include <string.h>

#include "common/util.h"

#include "common/banned.h"

#define ACK_WINDOW_MIN 66000U
#define NO_SCALE       255U

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint8_t scale_option(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && p[i] != TCPOPT_EOL) {
		if (p[i] == TCPOPT_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= len || p[i + 1] < 2 || i + p[i + 1] > len)
			break;
		if (p[i] == TCPOPT_WINDOW && p[i + 1] == TCPOLEN_WINDOW)
			return BH_MIN(p[i + 2], 14);
		i += p[i + 1];
	}
	return NO_SCALE;
}

bool bh_tcp_parse(const uint8_t *tcp, size_t size, struct bh_segment *ret, size_t *ret_payload)
{
	size_t header;

	if (size < 20)
		return false;
	header = (size_t)(tcp[12] >> 4) * 4;
	if (header < 20 || header > size)
		return false;
	*ret = (struct bh_segment){ .seq = get32(tcp + 4),
				    .ack = get32(tcp + 8),
				    .win = (uint16_t)(tcp[14] << 8 | tcp[15]),
				    .flags = tcp[13],
				    .scale = scale_option(tcp + 20, header - 20),
				    .len = (uint32_t)(size - header) };
	*ret_payload = header;
	return true;
}

static uint32_t segment_end(const struct bh_segment *s)
{
	return s->seq + s->len + ((s->flags & TH_SYN) != 0) + ((s->flags & TH_FIN) != 0);
}

static void begin_side(struct bh_tcp_side *side, const struct bh_segment *s)
{
	*side = (struct bh_tcp_side){ .end = segment_end(s),
				      .maxend = segment_end(s),
				      .maxwin = BH_MAX(s->win, 1U),
				      .scales = s->scale != NO_SCALE,
				      .scale = s->scale == NO_SCALE ? 0 : s->scale };
}

bool bh_tcp_first(struct bh_tcp_track *t, const struct bh_segment *s, bool *ret_midstream)
{
	struct bh_tcp_side *me = &t->side[0], *other = &t->side[1];
	uint8_t kind = s->flags & (TH_SYN | TH_ACK | TH_RST | TH_FIN);

	memset(t, 0, sizeof(*t));
	if (kind == TH_SYN) {
		begin_side(me, s);
		*ret_midstream = false;
		return true;
	}
	/* Picked up on the way; a reset, or an answer to nothing, is no beginning of anything. */
	if ((kind & (TH_SYN | TH_RST)) || !(kind & TH_ACK))
		return false;
	*ret_midstream = true;
	t->midstream = true;
	me->end = segment_end(s);
	me->maxwin = BH_MAX(s->win, 1U) << 14; /* the scale is not known: the largest */
	me->maxend = me->end + me->maxwin;
	me->scale = 14;
	other->end = s->ack;
	other->maxend = s->ack + me->maxwin;
	return true;
}

static bool in_window(const struct bh_tcp_side *me, const struct bh_tcp_side *other,
		      const struct bh_segment *s, uint32_t ack)
{
	uint32_t end = segment_end(s);
	uint32_t ack_window = BH_MAX(me->maxwin, ACK_WINDOW_MIN);

	if (before(me->maxend, s->seq))
		return false;
	if (other->maxwin && before(end, me->end - other->maxwin))
		return false;
	if (before(other->end, ack))
		return false;
	return !before(ack, other->end - ack_window);
}

static void learn(struct bh_tcp_side *me, struct bh_tcp_side *other, const struct bh_segment *s,
		  uint32_t ack)
{
	uint32_t end = segment_end(s), win = s->win;

	if (!(s->flags & TH_SYN))
		win <<= me->scale;
	me->maxwin = BH_MAX(me->maxwin, win);
	if (before(me->end, end))
		me->end = end;
	if (s->flags & TH_ACK) {
		if (!me->acked || before(me->maxack, ack))
			me->maxack = ack;
		me->acked = true;
	}
	/* It sent past the window that was seen: so a larger one was offered. */
	if (other->maxwin && before(me->maxend, end))
		other->maxwin += end - me->maxend;
	if (before(other->maxend, ack + win))
		other->maxend = ack + win + (win == 0);
	if (s->flags & TH_FIN)
		me->fin = true;
}

static enum bh_tcp_answer on_syn(struct bh_tcp_track *t, unsigned dir, const struct bh_segment *s)
{
	const struct bh_tcp_side *me = &t->side[dir];

	if (t->reset || (t->side[0].fin && t->side[1].fin))
		return BH_TCP_NEW;
	if (!t->syn_ack && dir == 0) {
		/* The same once more, or with another number: nothing was answered yet. */
		begin_side(&t->side[0], s);
		return BH_TCP_VALID;
	}
	if (!t->syn_ack && dir == 1) {
		/* Both call at once. */
		begin_side(&t->side[1], s);
		return BH_TCP_VALID;
	}
	t->strange_syn = segment_end(s) != me->end;
	t->strange_dir = (uint8_t)dir;
	t->strange_end = segment_end(s);
	return BH_TCP_VALID;
}

static enum bh_tcp_answer on_syn_ack(struct bh_tcp_track *t, unsigned dir,
				     const struct bh_segment *s)
{
	struct bh_tcp_side *me = &t->side[dir], *other = &t->side[!dir];

	if (t->strange_syn && dir != t->strange_dir && s->ack == t->strange_end)
		return BH_TCP_NEW;
	if (dir == 0 && !me->maxwin)
		return BH_TCP_INVALID;
	if (s->ack != other->end && !t->syn_ack)
		return BH_TCP_INVALID;
	if (!t->syn_ack) {
		begin_side(me, s);
		if (!me->scales || !other->scales)
			me->scale = other->scale = 0;
		me->maxend = me->end + other->maxwin;
		other->maxend = s->ack + me->maxwin;
		me->acked = true;
		me->maxack = s->ack;
		t->syn_ack = true;
	}
	return BH_TCP_VALID;
}

enum bh_tcp_answer bh_tcp_next(struct bh_tcp_track *t, unsigned dir, const struct bh_segment *s)
{
	struct bh_tcp_side *me = &t->side[dir], *other = &t->side[!dir];
	uint32_t ack = s->flags & TH_ACK ? s->ack : other->end;

	if ((s->flags & (TH_SYN | TH_FIN)) == (TH_SYN | TH_FIN) ||
	    (s->flags & (TH_SYN | TH_RST)) == (TH_SYN | TH_RST) ||
	    !(s->flags & (TH_SYN | TH_RST | TH_ACK)))
		return BH_TCP_INVALID;
	if ((s->flags & (TH_SYN | TH_ACK)) == TH_SYN)
		return on_syn(t, dir, s);
	if (s->flags & TH_SYN)
		return on_syn_ack(t, dir, s);
	if (s->flags & TH_RST) {
		if (s->ack == 0)
			ack = other->end;
		/* Older than what the other side has acknowledged: no receiver takes it. */
		if (other->acked && before(s->seq, other->maxack))
			return BH_TCP_INVALID;
		if (me->maxwin && !in_window(me, other, s, ack))
			return BH_TCP_INVALID;
		t->reset = true;
		return BH_TCP_VALID;
	}
	/* Nothing but the two greetings stands at the beginning. */
	if (!t->midstream && !t->syn_ack)
		return BH_TCP_INVALID;
	if (me->maxwin == 0) {
		/* Nothing of this side was seen: a flow that was picked up on the way. */
		me->end = segment_end(s);
		me->scale = 14;
		me->maxwin = BH_MAX(s->win, 1U) << 14;
		me->maxend = me->end + BH_MAX(other->maxwin, 1U);
	}
	if (!in_window(me, other, s, ack))
		return BH_TCP_INVALID;
	learn(me, other, s, ack);
	return BH_TCP_VALID;
}
