// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/engine.c - packets of undecided flows in, verdicts and findings out
 *
 * DOC: Which flow
 *
 * Flows are told apart by tuple and hook. A connection between a container and this host enters by one hook
 * and its replies leave by another: the pair counts as one, according to where the connection began.
 *
 * DOC: A packet that cannot be read
 *
 * Conntrack has read every packet before it was queued. One that cannot be read here is damaged on purpose,
 * or was cut on its way to us. It is dropped and reported; where its addresses and ports are certain, its
 * flow is refused.
 */
#include "dataplane/classifier/engine_internal.h"

#include <linux/netfilter.h>
#include <string.h>

#include "common/util.h"

#include "common/banned.h"

/* A settled UDP flow is judged anew after so long, even if datagrams never stopped. */
#define UDP_AGAIN_MS 60000
/* Settled flows that are cleared away with each packet: more than can be added. */
#define EXPIRE_MAX 4

const char *bh_cause_name(enum bh_cause c)
{
	static const char *const names[] = {
		[BH_CAUSE_INVALID] = "invalid",
		[BH_CAUSE_PROTOCOL] = "protocol",
		[BH_CAUSE_UNDECIDED] = "undecided",
		[BH_CAUSE_OVERLAP_CONFLICT] = "overlap_conflict",
		[BH_CAUSE_STREAM_START] = "stream_start",
		[BH_CAUSE_TCP_URGENT] = "tcp_urgent",
		[BH_CAUSE_TRUNCATED] = "truncated",
		[BH_CAUSE_RESOURCE_LIMIT] = "resource_limit",
	};
	BH_STATIC_ASSERT_TABLE(names, BH_CAUSE_COUNT);

	return c > BH_CAUSE_INVALID && c < BH_CAUSE_COUNT ? names[c] : names[BH_CAUSE_INVALID];
}

int bh_engine_new(const struct bh_engine_config *cfg, const struct bh_engine_ops *ops, void *arg,
		  struct bh_engine **ret, struct bh_err *err)
{
	bh_cleanup(bh_engine_freep) struct bh_engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return bh_err_set(err, -ENOMEM, "out of memory for an engine");
	e->cfg = *cfg;
	e->ops = *ops;
	e->arg = arg;
	e->free_context = BH_FLOW_NONE;
	r = bh_flow_table_new(cfg->flows, bh_hash_key(), &e->flows);
	if (r < 0)
		return bh_err_set(err, r, "out of memory for %u flows", cfg->flows);
	/* Memory of a context is touched when it is first used. */
	e->contexts = calloc(BH_MAX(cfg->contexts, 1U), sizeof(*e->contexts));
	e->holders = calloc(BH_HELD_MAX, sizeof(*e->holders));
	e->buffers = calloc(BH_MAX(cfg->contexts, 1U), BH_STREAM_CLIENT_MAX + BH_STREAM_SERVER_MAX);
	if (!e->contexts || !e->holders || !e->buffers)
		return bh_err_set(err, -ENOMEM, "out of memory for the buffers of %u flows",
				  cfg->contexts);
	if (cfg->naming) {
		r = bh_namer_new(&e->namer, err);
		if (r < 0 && r != -ENOTSUP)
			return r;
	}
	*ret = bh_take_ptr(&e);
	return 0;
}

struct bh_engine *bh_engine_free(struct bh_engine *e)
{
	if (e) {
		bh_flow_table_free(e->flows);
		free(e->contexts);
		free(e->holders);
		free(e->buffers);
		bh_namer_free(e->namer);
		free(e);
	}
	return NULL;
}

void bh_engine_set_rules(struct bh_engine *e, const struct bh_ruleset *rs,
			 const struct bh_addrtable *addrs)
{
	e->rules.rs = rs;
	e->rules.addrs = addrs;
	e->rules.number++;
}

void bh_engine_stats_get(const struct bh_engine *e, struct bh_engine_stats *ret)
{
	*ret = e->stats;
}

/* Clears away what nobody will ask for any more. */
static void expire(struct bh_engine *e, bh_msec_t now)
{
	static const struct {
		enum bh_flow_state state;
		bh_msec_t after;
	} lists[] = {
		{ BH_FLOW_DONE, BH_FLOW_LINGER_MS },
		{ BH_FLOW_OPEN, BH_FLOW_DEAD_MS },
		{ BH_FLOW_CONFIRM, BH_FLOW_DEAD_MS },
	};
	size_t i;
	int n = 0;

	for (i = 0; i < BH_ARRAY_SIZE(lists); i++) {
		struct bh_flow *f;

		while (n < EXPIRE_MAX && (f = bh_flow_oldest(e->flows, lists[i].state)) != NULL &&
		       now - f->since >= lists[i].after) {
			bh_engine_forget(e, f);
			n++;
		}
	}
}

static uint8_t where(const struct bh_packet *p, bool reply)
{
	if (p->hook == NF_INET_LOCAL_IN)
		return reply ? NF_INET_LOCAL_OUT : NF_INET_LOCAL_IN;
	if (p->hook == NF_INET_LOCAL_OUT)
		return reply ? NF_INET_LOCAL_IN : NF_INET_LOCAL_OUT;
	return p->hook;
}

static void make_key(const struct bh_input *in, struct bh_flow_key *key)
{
	const struct bh_headers *h = &in->h;
	bool reply = in->dir == 1;

	memset(key, 0, sizeof(*key));
	memcpy(key->client, reply ? h->dst.bytes : h->src.bytes, sizeof(key->client));
	memcpy(key->server, reply ? h->src.bytes : h->dst.bytes, sizeof(key->server));
	key->cport = reply ? h->dport : h->sport;
	key->sport = reply ? h->sport : h->dport;
	key->family = h->src.family;
	key->l4 = h->l4;
	key->where = where(in->p, reply);
}

/* Not even its ports are certain: it belongs to no flow. */
static void unreadable(struct bh_engine *e, const struct bh_input *in)
{
	const struct bh_headers *h = &in->h;

	bh_engine_answer(e, in->p->id, BH_VERDICT_DROP, 0);
	e->stats.refused++;
	if (h->src.family) {
		struct bh_finding n;

		memset(&n, 0, sizeof(n));
		n.src = in->dir ? h->dst : h->src;
		n.dst = in->dir ? h->src : h->dst;
		n.l4 = h->l4;
		n.cause = BH_CAUSE_TRUNCATED;
		n.refused = 1;
		n.proto = BH_PROTO_UNKNOWN;
		n.revision = e->rules.rs ? bh_ruleset_revision(e->rules.rs) : 0;
		e->ops.finding(e->arg, &n);
	}
}

/* Protocols in which nothing can be recognised. */
static void other(struct bh_engine *e, const struct bh_input *in, const struct bh_flow_key *key)
{
	struct bh_flow *f;

	/* It speaks of another connection, and must not decide over that. */
	if (in->h.icmp_error) {
		bh_engine_answer(e, in->p->id, BH_VERDICT_DROP, 0);
		return;
	}
	f = bh_flow_find(e->flows, key);
	if (f) {
		e->stats.repeated++;
		bh_engine_answer_settled(e, in->p->id, f);
		return;
	}
	f = bh_engine_add_flow(e, key, in->p->now);
	if (in->cut) {
		bh_engine_refuse(e, f, in, BH_CAUSE_TRUNCATED);
		return;
	}
	bh_judge_contracts(&e->rules, f);
	f->proto = BH_PROTO_UNKNOWN;
	f->cause = BH_CAUSE_PROTOCOL;
	f->pkts = 1;
	bh_engine_settle(e, f, in, in->p->id, in->p->now, NULL);
}

static void datagram(struct bh_engine *e, struct bh_flow *f, const struct bh_input *in)
{
	const struct bh_packet *p = in->p;
	struct bh_stream *st = bh_engine_context(e, f, p->now);
	struct bh_judgement j = { .certain = true, .proto = BH_PROTO_UNJUDGED };

	bh_judge_contracts(&e->rules, f);
	f->decider = (uint8_t)in->dir;
	if (f->state == BH_FLOW_IDLE) {
		bh_flow_move(e->flows, f, BH_FLOW_OPEN, p->now);
		f->begun = p->now;
	}
	f->pkts++;
	f->cause = BH_CAUSE_RESOURCE_LIMIT;
	if (st) {
		bh_stream_datagram(st, in->dir, in->h.payload, in->h.payload_len);
		bh_judge_bytes(&e->rules, e->namer, f, st,
			       f->pkts >= BH_BUDGET_DATAGRAMS || p->now - f->begun >= BH_BUDGET_MS,
			       &j);
		f->cause = j.proto == BH_PROTO_UNDECIDED ? BH_CAUSE_UNDECIDED : BH_CAUSE_PROTOCOL;
	}
	if (!j.certain) {
		bh_engine_pass(e, in, f);
		return;
	}
	f->proto = j.proto;
	f->by = j.by;
	bh_engine_settle(e, f, in, p->id, p->now, j.ndpi_name);
}

static void udp(struct bh_engine *e, const struct bh_input *in, const struct bh_flow_key *key)
{
	struct bh_flow *f = bh_flow_find(e->flows, key);
	bh_msec_t now = in->p->now;

	if (f && f->state == BH_FLOW_DONE) {
		if (now - f->begun < UDP_AGAIN_MS) {
			e->stats.repeated++;
			bh_flow_move(e->flows, f, BH_FLOW_DONE, now);
			bh_engine_answer_settled(e, in->p->id, f);
			return;
		}
		bh_engine_forget(e, f);
		f = NULL;
	}
	if (!f)
		f = bh_engine_add_flow(e, key, now);
	if (in->cut)
		bh_engine_refuse(e, f, in, BH_CAUSE_TRUNCATED);
	else if (in->h.payload_len == 0)
		bh_engine_pass(e, in, f); /* says nothing, for or against */
	else
		datagram(e, f, in);
}

void bh_engine_packet(struct bh_engine *e, const struct bh_packet *p)
{
	struct bh_input in = { .p = p, .dir = p->qmark & BH_QMARK_REPLY ? 1 : 0 };
	struct bh_flow_key key;
	enum bh_headers_result r;

	e->stats.packets++;
	expire(e, p->now);
	r = bh_headers_parse(p->data, p->len, p->wire_len, &in.h);
	if (r != BH_HEADERS_OK && r != BH_HEADERS_SHORT) {
		unreadable(e, &in);
		return;
	}
	in.cut = r == BH_HEADERS_SHORT;
	if (p->csum_unchecked && !in.cut && !bh_headers_checksum_ok(&in.h)) {
		bh_engine_answer(e, p->id, BH_VERDICT_DROP, 0); /* the receiver would, too */
		return;
	}
	make_key(&in, &key);
	if (in.h.l4 == BH_L4_TCP)
		bh_engine_tcp(e, &in, &key);
	else if (in.h.l4 == BH_L4_UDP)
		udp(e, &in, &key);
	else
		other(e, &in, &key);
}

int bh_engine_tick(struct bh_engine *e, bh_msec_t now)
{
	bh_msec_t next = INT64_MAX;
	uint32_t i = 0;

	expire(e, now);
	while (i < e->n_holders) {
		uint32_t c = e->holders[i];
		struct bh_stream *st = &e->contexts[c].st;
		const struct bh_flow *f = bh_flow_at(e->flows, st->flow);
		struct bh_held h;
		unsigned k;

		while (bh_stream_drop(st, now - BH_HOLD_MS + 1, &h)) {
			e->stats.held_now--;
			e->stats.held_dropped++;
			bh_engine_answer(e, h.id, BH_VERDICT_DROP, 0);
		}
		for (k = 0; k < st->n_held; k++)
			next = BH_MIN(next, st->held[k].since + BH_HOLD_MS);
		bh_engine_note_held(e, f);
		if (i < e->n_holders && e->holders[i] == c)
			i++;
	}
	return next == INT64_MAX ? -1 : (int)BH_MAX(next - now, 1);
}

void bh_engine_drain(struct bh_engine *e)
{
	while (e->n_holders > 0) {
		struct bh_context *c = &e->contexts[e->holders[e->n_holders - 1]];

		bh_engine_release_held(e, bh_flow_at(e->flows, c->st.flow), BH_VERDICT_DROP);
	}
}
