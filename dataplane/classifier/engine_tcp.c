// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/engine_tcp.c - the packets of TCP flows under inspection
 *
 * DOC: The beginning
 *
 * The kernel queues the first packet of the client that is no SYN, with BH_QMARK_START; its numbers say where
 * both streams begin. More packets with that mark may follow which were queued before the first was
 * answered. They acknowledge exactly the server's SYN, since the server cannot have heard the first one yet;
 * a packet with the mark that acknowledges anything else begins a new connection on the same ports.
 *
 * If the client's first packet is lost on its way to us and a later segment comes first, its number is taken
 * for the beginning; the bytes before it, when they are sent again, end the flow. Rare, and never open.
 *
 * DOC: The end
 *
 * While a flow is undecided its packets pass, in order. The packet that decides is judged before it passes.
 * A flow that is refused ends with it. For one that is allowed the judgement rests on bytes that the other
 * side may not have received yet, and which could be sent again with others in their place. So the kernel goes
 * on to queue, bare acknowledgements too, and the result is given with the packet that acknowledges
 * the last judged byte; until then retransmissions are compared.
 */
#include "dataplane/classifier/engine_internal.h"

#include "common/banned.h"

/* As far a client's packets can reach before it has heard from the server at all. */
#define FIRST_FLIGHT_MAX (1U << 20)

static uint8_t acked_flag(unsigned dir)
{
	return dir == 0 ? BH_FLOW_ACKED_C : BH_FLOW_ACKED_S;
}

static bool is_acked(const struct bh_flow *f, unsigned dir)
{
	return f->flags & acked_flag(dir);
}

/* A packet with BH_QMARK_START belongs to the connection that @f is of. */
static bool same_connection(const struct bh_flow *f, const struct bh_input *in)
{
	if (in->h.ack != f->side[1].base || in->h.seq - f->side[0].base > FIRST_FLIGHT_MAX)
		return false;
	/* Long after the answer nothing can wait for it. */
	return f->state != BH_FLOW_DONE || in->p->now - f->begun < BH_FLOW_LINGER_MIN_MS;
}

static struct bh_flow *begin(struct bh_engine *e, const struct bh_input *in,
			     const struct bh_flow_key *key)
{
	struct bh_flow *f = bh_engine_add_flow(e, key, in->p->now);

	f->side[0].base = f->side[0].next = f->side[0].judged = in->h.seq;
	f->side[1].base = f->side[1].next = f->side[1].judged = in->h.ack;
	return f;
}

/* The beginning of what this packet belongs to was not seen: it cannot be judged. */
static void unseen(struct bh_engine *e, const struct bh_input *in, const struct bh_flow_key *key)
{
	struct bh_flow *f = bh_engine_add_flow(e, key, in->p->now);

	f->pkts = in->h.payload_len > 0;
	if (in->cut) {
		bh_engine_refuse(e, f, in, BH_CAUSE_TRUNCATED);
		return;
	}
	bh_judge_contracts(&e->rules, f);
	f->proto = BH_PROTO_UNSEEN;
	f->cause = BH_CAUSE_STREAM_START;
	f->decider = (uint8_t)in->dir;
	bh_engine_settle(e, f, in, in->p->id, in->p->now, NULL);
}

static void note_ack(struct bh_flow *f, const struct bh_input *in)
{
	unsigned other = !in->dir;

	if (!(in->h.flags & BH_TCP_ACK))
		return;
	if (!is_acked(f, other) || (int32_t)(in->h.ack - f->side[other].acked) > 0)
		f->side[other].acked = in->h.ack;
	f->flags |= acked_flag(other);
}

/* Everything that was judged has been received. */
static bool confirmed(const struct bh_flow *f)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		const struct bh_side *s = &f->side[i];

		if (s->judged != s->base &&
		    (!is_acked(f, i) || (int32_t)(s->acked - s->judged) < 0))
			return false;
	}
	return true;
}

static void settle(struct bh_engine *e, struct bh_flow *f, const struct bh_input *in, uint32_t id,
		   const char *name)
{
	f->cause = f->proto == BH_PROTO_UNDECIDED ? BH_CAUSE_UNDECIDED : BH_CAUSE_PROTOCOL;
	bh_engine_settle(e, f, in, id, in->p->now, name);
}

/* @id: the packet that decided: @in's own, or one that was held. */
static void decided(struct bh_engine *e, struct bh_flow *f, const struct bh_input *in, uint32_t id,
		    const struct bh_judgement *j)
{
	unsigned i;

	f->proto = j->proto;
	f->by = j->by;
	f->decider = (uint8_t)in->dir;
	if (!(f->flags & BH_FLOW_CONTRACT) || f->proto == BH_PROTO_UNDECIDED ||
	    bh_judge_refuses(&e->rules, f, f->proto)) {
		settle(e, f, in, id, j->ndpi_name);
		return;
	}
	for (i = 0; i < 2; i++)
		f->side[i].judged = f->side[i].next;
	f->cause = BH_CAUSE_PROTOCOL;
	bh_flow_move(e->flows, f, BH_FLOW_CONFIRM, in->p->now);
	bh_engine_answer(e, id, BH_VERDICT_SUB, BH_SUB_CONFIRM);
	/* Behind a gap behind what was judged: like all that follows now. */
	bh_engine_release_held(e, f, BH_VERDICT_PASS);
}

/* New bytes of @in's side: judge them, and those that were held behind them, each before it passes. */
static void judge(struct bh_engine *e, struct bh_flow *f, struct bh_stream *st,
		  const struct bh_input *in, bool last)
{
	struct bh_judgement j;
	struct bh_held h;

	bh_judge_bytes(&e->rules, e->namer, f, st, last || bh_stream_full(st, in->dir), &j);
	if (j.certain) {
		decided(e, f, in, in->p->id, &j);
		return;
	}
	bh_engine_pass(e, in, f);
	while (bh_stream_take(st, &f->side[in->dir], in->dir, &h)) {
		e->stats.held_now--;
		bh_engine_note_held(e, f);
		bh_judge_bytes(&e->rules, e->namer, f, st, bh_stream_full(st, in->dir), &j);
		if (j.certain) {
			decided(e, f, in, h.id, &j);
			return;
		}
		bh_engine_answer(e, h.id, BH_VERDICT_PASS, 0);
	}
}

/* The budget is at its end, with a packet that brings nothing new. */
static void end_of_budget(struct bh_engine *e, struct bh_flow *f, const struct bh_stream *st,
			  const struct bh_input *in)
{
	struct bh_judgement j;

	bh_judge_bytes(&e->rules, e->namer, f, st, true, &j);
	f->proto = j.proto;
	f->by = j.by;
	f->decider = (uint8_t)in->dir;
	settle(e, f, in, in->p->id, j.ndpi_name);
}

static void undecided(struct bh_engine *e, struct bh_flow *f, const struct bh_input *in)
{
	const struct bh_packet *p = in->p;
	bool room = e->stats.held_now < BH_HELD_MAX, last;
	struct bh_stream *st = bh_engine_context(e, f, p->now);

	f->decider = (uint8_t)in->dir;
	if (!st) {
		f->proto = BH_PROTO_UNJUDGED;
		f->cause = BH_CAUSE_RESOURCE_LIMIT;
		bh_engine_settle(e, f, in, p->id, p->now, NULL);
		return;
	}
	if (f->state == BH_FLOW_IDLE) {
		bh_flow_move(e->flows, f, BH_FLOW_OPEN, p->now);
		f->begun = p->now;
	}
	last = f->pkts >= BH_BUDGET_PACKETS || p->now - f->begun >= BH_BUDGET_MS;

	switch (bh_stream_segment(st, &f->side[in->dir], in->dir, is_acked(f, in->dir), in->h.seq,
				  in->h.payload, in->h.payload_len, p->id, room && !last, p->now)) {
	case BH_SEGMENT_NEW:
		judge(e, f, st, in, last);
		return;
	case BH_SEGMENT_HOLD:
		e->stats.held++;
		e->stats.held_now++;
		bh_engine_note_held(e, f);
		return;
	case BH_SEGMENT_BEFORE:
		bh_engine_refuse(e, f, in, BH_CAUSE_STREAM_START);
		return;
	case BH_SEGMENT_CONFLICT:
		bh_engine_refuse(e, f, in, BH_CAUSE_OVERLAP_CONFLICT);
		return;
	case BH_SEGMENT_OLD:
		if (last)
			end_of_budget(e, f, st, in);
		else
			bh_engine_pass(e, in, f);
		return;
	case BH_SEGMENT_DROP:
	case BH_SEGMENT_INVALID:
		if (last) {
			end_of_budget(e, f, st, in);
			return;
		}
		break;
	}
	e->stats.held_dropped++;
	bh_engine_answer(e, p->id, BH_VERDICT_DROP, 0);
}

static void confirming(struct bh_engine *e, struct bh_flow *f, const struct bh_input *in)
{
	const struct bh_headers *h = &in->h;
	enum bh_segment seg = BH_SEGMENT_NEW;

	if (h->payload_len > 0)
		seg = bh_stream_compare(bh_engine_stream(e, f), &f->side[in->dir], in->dir,
					is_acked(f, in->dir), h->seq, h->payload, h->payload_len);
	switch (seg) {
	case BH_SEGMENT_BEFORE:
		bh_engine_refuse(e, f, in, BH_CAUSE_STREAM_START);
		return;
	case BH_SEGMENT_CONFLICT:
		bh_engine_refuse(e, f, in, BH_CAUSE_OVERLAP_CONFLICT);
		return;
	case BH_SEGMENT_NEW:
	case BH_SEGMENT_OLD:
		break;
	case BH_SEGMENT_DROP:
	case BH_SEGMENT_HOLD:
	case BH_SEGMENT_INVALID:
		e->stats.held_dropped++;
		bh_engine_answer(e, in->p->id, BH_VERDICT_DROP, 0);
		return;
	}
	/* Also where a new rule set has another opinion than the one it was judged by. */
	if (confirmed(f) || !(f->flags & BH_FLOW_CONTRACT) ||
	    bh_judge_refuses(&e->rules, f, f->proto))
		settle(e, f, in, in->p->id, NULL);
	else
		bh_engine_pass(e, in, f);
}

/*
 * The flow of a packet; a new one where it begins one. NULL: it was answered, since it is part of no stream
 * (a reset, a SYN) or its flow has no beginning.
 */
static struct bh_flow *flow_of(struct bh_engine *e, const struct bh_input *in,
			       const struct bh_flow_key *key)
{
	const struct bh_packet *p = in->p;
	const struct bh_headers *h = &in->h;
	struct bh_flow *f;

	/* Neither hands data to anybody; with data there is something wrong with them. */
	if ((h->flags & (BH_TCP_SYN | BH_TCP_RST)) || !(h->flags & BH_TCP_ACK)) {
		bool bare = h->payload_len == 0 && !in->cut;

		bh_engine_answer(e, p->id, bare ? BH_VERDICT_PASS : BH_VERDICT_DROP, 0);
		return NULL;
	}
	f = bh_flow_find(e->flows, key);
	if ((p->qmark & BH_QMARK_START) && in->dir == 0) {
		if (f && !same_connection(f, in)) {
			bh_engine_forget(e, f);
			f = NULL;
		}
		if (!f)
			f = begin(e, in, key);
	}
	if (f)
		return f;
	if (h->payload_len > 0 || in->cut || (p->qmark & BH_QMARK_CONFIRM))
		unseen(e, in, key);
	else
		bh_engine_answer(e, p->id, BH_VERDICT_PASS, 0);
	return NULL;
}

void bh_engine_tcp(struct bh_engine *e, struct bh_input *in, const struct bh_flow_key *key)
{
	struct bh_flow *f = flow_of(e, in, key);

	if (!f)
		return;
	if (f->state == BH_FLOW_DONE) {
		e->stats.repeated++;
		bh_engine_answer_settled(e, in->p->id, f);
		return;
	}
	bh_judge_contracts(&e->rules, f);
	if (in->h.payload_len > 0 && f->state != BH_FLOW_CONFIRM)
		f->pkts++;
	if (in->cut) {
		bh_engine_refuse(e, f, in, BH_CAUSE_TRUNCATED);
		return;
	}
	if (in->h.flags & BH_TCP_URG) {
		bh_engine_refuse(e, f, in, BH_CAUSE_TCP_URGENT);
		return;
	}
	note_ack(f, in);
	if (f->state == BH_FLOW_CONFIRM)
		confirming(e, f, in);
	else if (in->h.payload_len > 0)
		undecided(e, f, in);
	else
		bh_engine_pass(e, in, f);
}
