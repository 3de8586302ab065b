// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/engine_settle.c - buffers, answers, findings: how a flow ends
 */
#include "dataplane/classifier/engine_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/util.h"

#include "common/banned.h"

#define LOOK_MAX 16 /* flows that are looked at for one to rob */

void bh_engine_answer(struct bh_engine *e, uint32_t id, enum bh_verdict v, unsigned result)
{
	e->ops.verdict(e->arg, id, v, result);
}

void bh_engine_answer_settled(struct bh_engine *e, uint32_t id, const struct bh_flow *f)
{
	if (f->flags & BH_FLOW_DROP)
		bh_engine_answer(e, id, BH_VERDICT_DROP, 0);
	else
		bh_engine_answer(
		    e, id, f->flags & BH_FLOW_REFUSED ? BH_VERDICT_REFUSED : BH_VERDICT_RESULT,
		    f->proto);
}

void bh_engine_pass(struct bh_engine *e, const struct bh_input *in, struct bh_flow *f)
{
	if (in->h.payload_len > 0)
		f->flags |= BH_FLOW_PASSED;
	if (!(in->p->qmark & BH_QMARK_START))
		bh_engine_answer(e, in->p->id, BH_VERDICT_PASS, 0);
	else
		bh_engine_answer(e, in->p->id, BH_VERDICT_SUB,
				 f->state == BH_FLOW_CONFIRM ? BH_SUB_CONFIRM : BH_SUB_UNDECIDED);
}

/* ---- held packets ---- */

void bh_engine_note_held(struct bh_engine *e, const struct bh_flow *f)
{
	struct bh_context *c = &e->contexts[f->context];

	if (c->st.n_held > 0 && c->holder == BH_FLOW_NONE) {
		c->holder = e->n_holders;
		e->holders[e->n_holders++] = f->context;
	} else if (c->st.n_held == 0 && c->holder != BH_FLOW_NONE) {
		uint32_t last = e->holders[--e->n_holders];

		e->holders[c->holder] = last;
		e->contexts[last].holder = c->holder;
		c->holder = BH_FLOW_NONE;
	}
}

void bh_engine_release_held(struct bh_engine *e, struct bh_flow *f, enum bh_verdict v)
{
	struct bh_stream *st = bh_engine_stream(e, f);
	struct bh_held h;

	if (!st || st->n_held == 0)
		return;
	while (bh_stream_drop(st, INT64_MAX, &h)) {
		e->stats.held_now--;
		if (v == BH_VERDICT_RESULT) {
			bh_engine_answer_settled(e, h.id, f);
			continue;
		}
		if (v == BH_VERDICT_DROP)
			e->stats.held_dropped++;
		bh_engine_answer(e, h.id, v, 0);
	}
	bh_engine_note_held(e, f);
}

/* ---- buffers ---- */

struct bh_stream *bh_engine_stream(struct bh_engine *e, const struct bh_flow *f)
{
	return f->context == BH_FLOW_NONE ? NULL : &e->contexts[f->context].st;
}

/* Nothing is held any more. */
static void give_back(struct bh_engine *e, struct bh_flow *f)
{
	if (f->context == BH_FLOW_NONE)
		return;
	e->contexts[f->context].next_free = e->free_context;
	e->free_context = f->context;
	f->context = BH_FLOW_NONE;
	e->stats.contexts_now--;
}

/* The oldest of a list that has buffers, among the first few: those robbed were moved to the young end. */
static struct bh_flow *oldest_with_buffers(struct bh_engine *e, enum bh_flow_state state)
{
	struct bh_flow *f = bh_flow_oldest(e->flows, state);
	int n;

	for (n = 0; f && n < LOOK_MAX; n++, f = bh_flow_newer(e->flows, f))
		if (f->context != BH_FLOW_NONE)
			return f;
	return NULL;
}

/*
 * Takes the buffers of another flow. One that only waits for its confirmation can go on without: what
 * would have to be compared is then dropped. One that is undecided ends here, and its contracts say how.
 */
static void rob(struct bh_engine *e, bh_msec_t now)
{
	struct bh_flow *c = oldest_with_buffers(e, BH_FLOW_CONFIRM);
	struct bh_flow *o = oldest_with_buffers(e, BH_FLOW_OPEN);

	if (c && (!o || now - c->since > BH_FLOW_LINGER_MIN_MS)) {
		give_back(e, c);
		bh_flow_move(e->flows, c, BH_FLOW_CONFIRM, now);
	} else if (o) {
		o->proto = BH_PROTO_UNJUDGED;
		o->cause = BH_CAUSE_RESOURCE_LIMIT;
		bh_engine_settle(e, o, NULL, 0, now, NULL);
	} else {
		return;
	}
	e->stats.evicted++;
}

struct bh_stream *bh_engine_context(struct bh_engine *e, struct bh_flow *f, bh_msec_t now)
{
	struct bh_context *c;
	uint32_t i;

	if (f->context != BH_FLOW_NONE)
		return &e->contexts[f->context].st;
	if (e->free_context == BH_FLOW_NONE && e->fresh_context == e->cfg.contexts)
		rob(e, now);
	i = e->free_context;
	if (i != BH_FLOW_NONE)
		e->free_context = e->contexts[i].next_free;
	else if (e->fresh_context < e->cfg.contexts)
		i = e->fresh_context++;
	else
		return NULL;

	c = &e->contexts[i];
	c->holder = BH_FLOW_NONE;
	bh_stream_reset(&c->st);
	c->st.buf[0] = e->buffers + (size_t)i * (BH_STREAM_CLIENT_MAX + BH_STREAM_SERVER_MAX);
	c->st.buf[1] = c->st.buf[0] + BH_STREAM_CLIENT_MAX;
	c->st.flow = bh_flow_index(e->flows, f);
	f->context = i;
	e->stats.contexts_now++;
	return &c->st;
}

/* ---- flows ---- */

struct bh_flow *bh_engine_add_flow(struct bh_engine *e, const struct bh_flow_key *key,
				   bh_msec_t now)
{
	struct bh_flow *f = bh_flow_add(e->flows, key, now);

	if (!f) {
		f = bh_flow_victim(e->flows, now);
		if (f->state != BH_FLOW_DONE || now - f->since < BH_FLOW_LINGER_MIN_MS)
			e->stats.evicted++;
		bh_engine_forget(e, f);
		f = bh_flow_add(e->flows, key, now);
	}
	e->stats.flows++;
	e->stats.flows_now = bh_flow_count(e->flows);
	return f;
}

/* ---- findings ---- */

static struct bh_addr address(const struct bh_flow *f, const uint8_t *bytes)
{
	return f->key.family == 4 ? bh_addr_from_v4(bytes) : bh_addr_from_v6(bytes);
}

static void take_evidence(struct bh_finding *n, const struct bh_flow *f, const struct bh_stream *st,
			  const struct bh_input *in)
{
	unsigned dir = f->decider;

	n->evidence_from = (uint8_t)dir;
	if (st && st->have[dir] > 0) {
		n->evidence_len = (uint8_t)BH_MIN(st->have[dir], BH_EVIDENCE_MAX);
		memcpy(n->evidence, st->buf[dir], n->evidence_len);
	} else if (in && in->dir == dir) {
		n->evidence_len = (uint8_t)BH_MIN(in->h.payload_len, BH_EVIDENCE_MAX);
		if (n->evidence_len)
			memcpy(n->evidence, in->h.payload, n->evidence_len);
	}
}

/* What was spoken, where the result only says that nobody looked. */
static uint32_t shown(unsigned proto)
{
	return proto == BH_PROTO_UNSEEN     ? BH_PROTO_UNKNOWN
	       : proto == BH_PROTO_UNJUDGED ? BH_PROTO_UNDECIDED
					    : proto;
}

static void report(struct bh_engine *e, const struct bh_flow *f, const struct bh_input *in,
		   const char *name)
{
	struct bh_decision final = bh_judge_settle(&e->rules, f, f->proto);
	const struct bh_stream *st = bh_engine_stream(e, f);
	bool refused = f->flags & BH_FLOW_REFUSED;
	bool noted = (final.egress | final.ingress) & BH_WORD_REPORT;
	struct bh_finding n;

	if (!refused && !noted && !e->cfg.always_report)
		return;
	memset(&n, 0, sizeof(n));
	n.src = address(f, f->key.client);
	n.dst = address(f, f->key.server);
	n.sport = f->key.cport;
	n.dport = f->key.sport;
	n.l4 = f->key.l4;
	n.node = (uint8_t)bh_flow_node_end(&f->key);
	n.cause = f->cause;
	n.by = f->by;
	n.refused = refused;
	n.after = refused && (f->flags & BH_FLOW_PASSED);
	n.report = !refused && noted;
	n.proto = shown(f->proto);
	if (bh_word_verdict(f->egress) == BH_WORD_CONTRACT)
		n.egress = f->egress;
	if (bh_word_verdict(f->ingress) == BH_WORD_CONTRACT)
		n.ingress = f->ingress;
	n.egress_final = final.egress;
	n.ingress_final = final.ingress;
	n.pkts = f->pkts;
	if (st) {
		n.bytes_c = st->have[0];
		n.bytes_s = st->have[1];
	}
	n.revision = e->rules.rs ? bh_ruleset_revision(e->rules.rs) : 0;
	if (name)
		(void)snprintf(n.ndpi_name, sizeof(n.ndpi_name), "%s", name);
	take_evidence(&n, f, st, in);
	e->ops.finding(e->arg, &n);
}

static void count(struct bh_engine *e, const struct bh_flow *f)
{
	if (f->proto == BH_PROTO_UNDECIDED || f->proto == BH_PROTO_UNJUDGED)
		e->stats.undecided++;
	else if (f->cause == BH_CAUSE_PROTOCOL)
		e->stats.decided++;
	if (f->flags & BH_FLOW_REFUSED)
		e->stats.refused++;
	if ((f->flags & BH_FLOW_REFUSED) || !(f->flags & BH_FLOW_CONTRACT))
		return;
	if (f->proto == BH_PROTO_UNJUDGED)
		e->stats.unjudged++;
	else if (f->proto == BH_PROTO_UNSEEN)
		e->stats.unseen++;
}

void bh_engine_settle(struct bh_engine *e, struct bh_flow *f, const struct bh_input *in,
		      uint32_t id, bh_msec_t now, const char *name)
{
	if (bh_judge_refuses(&e->rules, f, f->proto))
		f->flags |= BH_FLOW_REFUSED;
	report(e, f, in, name);
	count(e, f);
	bh_flow_move(e->flows, f, BH_FLOW_DONE, now);
	f->begun = now;
	if (in)
		bh_engine_answer_settled(e, id, f);
	bh_engine_release_held(e, f, BH_VERDICT_RESULT);
	give_back(e, f);
}

void bh_engine_refuse(struct bh_engine *e, struct bh_flow *f, const struct bh_input *in,
		      enum bh_cause cause)
{
	bh_judge_contracts(&e->rules, f);
	f->proto = BH_PROTO_UNKNOWN;
	f->cause = (uint8_t)cause;
	f->by = BH_BY_NONE;
	f->decider = (uint8_t)in->dir;
	if (bh_judge_only_looks(&e->rules, f)) {
		/* Whoever only looks is in nobody's way, also where he sees nothing. */
		f->proto = BH_PROTO_UNDECIDED;
	} else {
		f->flags |= BH_FLOW_REFUSED;
		/* The kernel refuses only what its contract refuses. */
		if (!bh_judge_refuses(&e->rules, f, BH_PROTO_UNKNOWN))
			f->flags |= BH_FLOW_DROP;
	}
	if (cause == BH_CAUSE_OVERLAP_CONFLICT)
		e->stats.conflicts++;
	bh_engine_settle(e, f, in, in->p->id, in->p->now, NULL);
}

void bh_engine_forget(struct bh_engine *e, struct bh_flow *f)
{
	if (f->state == BH_FLOW_CONFIRM) {
		report(e, f, NULL, NULL);
		count(e, f);
	}
	bh_engine_release_held(e, f, BH_VERDICT_DROP);
	give_back(e, f);
	bh_flow_remove(e->flows, f);
	e->stats.flows_now = bh_flow_count(e->flows);
}
