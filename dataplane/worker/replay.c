// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/replay.c - the judgement of the data plane over a capture, offline
 *
 * DOC: The kernel's part
 *
 * A flow begins with its first packet, which gives it its direction, its classes and its decision. Allowed and
 * refused ones are done with. One under a contract goes through the sub-states of dataplane/marks.h: START (the
 * next packet of the original direction that is no SYN is queued, bare or not), UNDECIDED (packets with
 * payload), CONFIRM (bare acknowledgements too). The engine's RESULT settles both directions.
 *
 * DOC: Checksums
 *
 * A packet with a wrong checksum goes nowhere, in the kernel and here. But a capture made on the sending host
 * has sums that its network card had yet to fill in. So a first pass over the file finds the senders of which no
 * packet at all is right: theirs are taken as they are, as are sums of the form that the kernel leaves to the card.
 */
#include "dataplane/worker/replay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <linux/netfilter.h>

#include "common/map.h"
#include "common/util.h"
#include "dataplane/icmp.h"
#include "dataplane/worker/replay_frag.h"
#include "dataplane/worker/replay_pcap.h"
#include "dataplane/worker/replay_sum.h"
#include "dataplane/worker/replay_tcp.h"

#include "common/banned.h"

#define FLOWS_MAX      1000000U
#define ASKED          65536U /* packets that can be with the engine at a time */
#define UDP_NEW_MS     30000  /* as conntrack forgets: without an answer, with one */
#define UDP_STREAM_MS  120000
#define TICKS_MAX      10000
#define WAIT_AT_END_MS 60000

enum state {
	STATE_DONE = 0, /* the kernel alone */
	STATE_INSPECT,  /* under a contract */
	STATE_NAMING,   /* allowed; the engine is asked for a name only */
};

struct key {
	uint8_t a[16], b[16];
	uint16_t pa, pb;
	uint8_t family, l4;
	uint8_t pad[2];
};

struct flow {
	struct bh_replay_flow pub; /* first: what is given out */
	struct key key;
	UT_hash_handle hh; /* the flow that has the key now */
	uint32_t index;
	bool client_is_a;
	uint8_t state, sub;
	bool found; /* the engine has said what it found */
	bool answered;
	bh_msec_t last;
	struct bh_tcp_track tcp;
};

struct sender {
	struct bh_addr addr;
	UT_hash_handle hh;
	bool good;
};

struct bh_replay {
	struct bh_replay_config cfg;
	struct bh_engine *engine;
	struct bh_addrtable *addrs;
	struct bh_frag *frag;
	struct bh_replay_stats stats;
	struct flow **flows;
	size_t n_flows, cap_flows;
	struct flow *by_key;
	struct sender *senders;
	struct {
		uint32_t id;
		uint32_t flow;
	} * asked;
	uint32_t last_id;
	struct flow *current;
	bh_msec_t now, tick_at; /* -1: no tick is due */
	int64_t wall_us;
	bool failed; /* out of memory */
};

/* ---- what the engine says ---- */

static void settle(struct bh_replay *r, struct flow *f, unsigned proto, enum bh_replay_why why)
{
	struct bh_replay_flow *p = &f->pub;
	enum bh_outcome o;

	p->final = bh_ruleset_settle_both(r->cfg.compiled->rules, &p->first, proto);
	o = bh_decision_outcome(&p->final);
	p->verdict = o == BH_OUTCOME_ALLOW ? BH_REPLAY_ALLOWED : BH_REPLAY_REFUSED;
	p->why = (uint8_t)why;
	if (p->proto == BH_PROTO_INVALID)
		p->proto = proto;
	f->state = STATE_DONE;
}

static void on_verdict(void *arg, uint32_t id, enum bh_verdict v, unsigned result)
{
	struct bh_replay *r = arg;
	struct flow *f;

	if (r->asked[id % ASKED].id != id)
		return;
	f = r->flows[r->asked[id % ASKED].flow];
	r->asked[id % ASKED].id = 0;
	if (f->state == STATE_DONE)
		return;
	if (v == BH_VERDICT_SUB)
		f->sub = (uint8_t)result;
	else if (v != BH_VERDICT_RESULT && v != BH_VERDICT_REFUSED)
		return;
	else if (f->state == STATE_INSPECT)
		settle(r, f, result, BH_REPLAY_WHY_PROTOCOL);
	else
		f->state = STATE_DONE;
}

/* ---- flows ---- */

static struct key key_of(const struct bh_addr *src, const struct bh_addr *dst, uint16_t sport,
			 uint16_t dport, uint8_t l4, bool *ret_src_is_a)
{
	int c = bh_addr_cmp(src, dst);
	bool src_is_a = c < 0 || (c == 0 && sport <= dport);
	const struct bh_addr *a = src_is_a ? src : dst, *b = src_is_a ? dst : src;
	struct key k;

	memset(&k, 0, sizeof(k));
	memcpy(k.a, a->bytes, 16);
	memcpy(k.b, b->bytes, 16);
	k.pa = src_is_a ? sport : dport;
	k.pb = src_is_a ? dport : sport;
	k.family = src->family;
	k.l4 = l4;
	*ret_src_is_a = src_is_a;
	return k;
}

static struct flow *find(const struct bh_replay *r, const struct key *k)
{
	struct flow *f;

	HASH_FIND(hh, r->by_key, k, sizeof(*k), f);
	return f;
}

static void on_finding(void *arg, const struct bh_finding *fi)
{
	struct bh_replay *r = arg;
	bool src_is_a;
	struct key k = key_of(&fi->src, &fi->dst, fi->sport, fi->dport, fi->l4, &src_is_a);
	struct flow *f =
	    r->current && memcmp(&r->current->key, &k, sizeof(k)) == 0 ? r->current : find(r, &k);
	struct bh_replay_flow *p;

	if (!f || f->found)
		return;
	f->found = true;
	p = &f->pub;
	p->proto = fi->proto;
	p->cause = fi->cause;
	p->by = fi->by;
	p->pkts = fi->pkts;
	p->bytes_c = fi->bytes_c;
	p->bytes_s = fi->bytes_s;
	p->evidence_from = fi->evidence_from;
	p->evidence_len = (uint8_t)BH_MIN(fi->evidence_len, BH_EVIDENCE_MAX);
	memcpy(p->evidence, fi->evidence, sizeof(p->evidence));
	memcpy(p->ndpi_name, fi->ndpi_name, sizeof(p->ndpi_name));
	p->ndpi_name[sizeof(p->ndpi_name) - 1] = '\0';
	if (f->state == STATE_NAMING)
		return;
	p->report = fi->report;
	p->why = BH_REPLAY_WHY_PROTOCOL;
	p->final = (struct bh_decision){ fi->egress_final, fi->ingress_final };
	p->verdict = fi->refused ? BH_REPLAY_REFUSED : BH_REPLAY_ALLOWED;
	if (fi->refused)
		f->state = STATE_DONE;
}

/* What the kernel's maps say about the first packet. */
static void decide(struct bh_replay *r, struct flow *f)
{
	struct bh_replay_flow *p = &f->pub;
	const struct bh_addr_class *c = bh_compiled_find(r->cfg.compiled, &p->client),
				   *s = bh_compiled_find(r->cfg.compiled, &p->server);
	const struct bh_conn conn = {
		.src = p->client,
		.dst = p->server,
		.src_class = c ? c->cls : 0,
		.dst_class = s ? s->cls : 0,
		.src_local = c && (c->local || r->cfg.all_local),
		.dst_local = s && (s->local || r->cfg.all_local),
		.l4 = p->l4,
		.dport = p->icmp ? p->icmp : p->sport,
	};
	bool judged = p->l4 == IPPROTO_TCP || p->l4 == IPPROTO_UDP;

	p->client_endpoint = c ? c->endpoint : UINT32_MAX;
	p->server_endpoint = s ? s->endpoint : UINT32_MAX;
	p->first = bh_ruleset_decide(r->cfg.compiled->rules, &conn);
	p->final = p->first;
	p->why = BH_REPLAY_WHY_ADDRESS;
	switch (bh_decision_outcome(&p->first)) {
	case BH_OUTCOME_ALLOW:
		p->verdict = BH_REPLAY_ALLOWED;
		p->report = (p->first.egress | p->first.ingress) & BH_WORD_REPORT;
		if (r->cfg.name_allowed && judged && !p->midstream)
			f->state = STATE_NAMING;
		break;
	case BH_OUTCOME_CONTRACT:
		p->verdict = BH_REPLAY_OPEN;
		p->why = BH_REPLAY_WHY_NONE;
		if (p->midstream) {
			settle(r, f, BH_PROTO_UNDECIDED, BH_REPLAY_WHY_MIDSTREAM);
			p->verdict = BH_REPLAY_REFUSED;
			p->proto = BH_PROTO_INVALID;
			p->cause = BH_CAUSE_STREAM_START;
		} else if (judged) {
			f->state = STATE_INSPECT;
		} else {
			/* Nothing that could be recognised: certainly none of the named ones. */
			settle(r, f, BH_PROTO_UNKNOWN, BH_REPLAY_WHY_PROTOCOL);
		}
		break;
	default:
		p->verdict = BH_REPLAY_REFUSED;
		break;
	}
}

static struct flow *flow_new(struct bh_replay *r, const struct key *k)
{
	struct flow *old = find(r, k), *f;

	if (r->n_flows >= r->cfg.flows_max) {
		r->stats.no_flow++;
		return NULL;
	}
	if (r->n_flows == r->cap_flows) {
		size_t cap = r->cap_flows ? 2 * r->cap_flows : 256;
		struct flow **flows = reallocarray(r->flows, cap, sizeof(struct flow *));

		if (!flows) {
			r->failed = true;
			return NULL;
		}
		r->flows = flows;
		r->cap_flows = cap;
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		r->failed = true;
		return NULL;
	}
	f->key = *k;
	if (old)
		HASH_DEL(r->by_key, old);
	HASH_ADD(hh, r->by_key, key, sizeof(f->key), f);
	if (!f->hh.tbl) {
		free(f);
		r->failed = true;
		return NULL;
	}
	f->index = (uint32_t)r->n_flows;
	r->flows[r->n_flows++] = f;
	return f;
}

/* ---- one packet ---- */

struct packet {
	const uint8_t *data;
	size_t len, wire_len;
	struct bh_ip_view ip;
	struct key key;
	bool src_is_a;
	uint16_t sport, dport;
	size_t payload; /* bytes */
	bool syn;
	uint16_t icmp; /* type << 8 | code; an answer has none */
	struct bh_segment seg;
};

static bool is_icmp(uint8_t l4)
{
	return l4 == IPPROTO_ICMP || l4 == IPPROTO_ICMPV6;
}

/* Ports and payload. False: nothing to follow. */
static bool read_l4(struct bh_replay *r, struct packet *p)
{
	const uint8_t *l4 = p->data + p->ip.at;
	size_t len = p->ip.l4_len, at;

	switch (p->ip.l4) {
	case IPPROTO_TCP:
		if (!bh_tcp_parse(l4, len, &p->seg, &at))
			return false;
		/* Cut in the capture: the connection goes on as it was sent. */
		p->seg.len += (uint32_t)(p->wire_len - p->len);
		p->payload = p->seg.len;
		p->syn = p->seg.flags & TH_SYN;
		break;
	case IPPROTO_UDP:
		if (len < 8)
			return false;
		p->payload = len - 8;
		break;
	case IPPROTO_SCTP:
		if (len < 12)
			return false;
		break;
	case IPPROTO_ICMP:
		/* An echo is a flow of its own; errors belong to others. */
		if (len < 8 || (l4[0] != 8 && l4[0] != 0))
			return false;
		break;
	case IPPROTO_ICMPV6:
		if (len < 8 || (l4[0] != 128 && l4[0] != 129))
			return false;
		break;
	default:
		return true;
	}
	if (is_icmp(p->ip.l4)) {
		uint16_t question;

		bh_icmp_ports(p->ip.l4, l4[0], l4[1], &question, &p->icmp);
		p->sport = p->dport = (uint16_t)(l4[4] << 8 | l4[5]);
		return true;
	}
	p->sport = (uint16_t)(l4[0] << 8 | l4[1]);
	p->dport = (uint16_t)(l4[2] << 8 | l4[3]);
	return true;
}

static struct flow *begin_flow(struct bh_replay *r, const struct packet *p)
{
	bool midstream = false,
	     ports = p->ip.l4 == IPPROTO_TCP || p->ip.l4 == IPPROTO_UDP || p->ip.l4 == IPPROTO_SCTP;
	struct bh_tcp_track track = { 0 };
	struct flow *f;

	/* An answer begins nothing. */
	if ((p->ip.l4 == IPPROTO_TCP && !bh_tcp_first(&track, &p->seg, &midstream)) ||
	    (is_icmp(p->ip.l4) && !p->icmp)) {
		r->stats.invalid++;
		return NULL;
	}
	f = flow_new(r, &p->key);
	if (!f)
		return NULL;
	f->client_is_a = p->src_is_a;
	f->tcp = track;
	f->pub.client = p->ip.src;
	f->pub.server = p->ip.dst;
	f->pub.cport = ports ? p->sport : 0;
	f->pub.sport = ports ? p->dport : 0;
	f->pub.icmp = p->icmp;
	f->pub.l4 = p->ip.l4;
	f->pub.midstream = midstream;
	f->pub.wall_us = r->wall_us;
	f->last = r->now;
	decide(r, f);
	return f;
}

static bool forgotten(const struct bh_replay *r, const struct flow *f)
{
	bh_msec_t idle = r->now - f->last;

	if (f->pub.l4 == IPPROTO_TCP)
		return false;
	return idle > (f->answered ? UDP_STREAM_MS : UDP_NEW_MS);
}

/* The flow of a packet that conntrack lets through; NULL: it goes nowhere. *@ret_reply: its direction. */
static struct flow *track(struct bh_replay *r, const struct packet *p, bool *ret_reply)
{
	struct flow *f = find(r, &p->key);
	enum bh_tcp_answer a = BH_TCP_VALID;
	bool reply;

	if (f && forgotten(r, f))
		f = NULL;
	reply = f && f->client_is_a != p->src_is_a;
	if (f && p->ip.l4 == IPPROTO_TCP) {
		/* A SYN with data: its options are taken away on the way, the data with them. */
		if (f->state == STATE_INSPECT && p->syn && p->payload)
			a = BH_TCP_INVALID;
		else
			a = bh_tcp_next(&f->tcp, reply, &p->seg);
	}
	if (f && a == BH_TCP_INVALID) {
		f->pub.invalid++;
		r->stats.invalid++;
		return NULL;
	}
	if (!f || a == BH_TCP_NEW) {
		reply = false;
		f = begin_flow(r, p);
		/* An answer that proves the SYN before it: that was the beginning. */
		if (f && f->pub.l4 == IPPROTO_TCP && f->state == STATE_INSPECT && p->payload &&
		    p->syn) {
			f->pub.invalid++;
			r->stats.invalid++;
			f->tcp = (struct bh_tcp_track){ 0 };
			return NULL;
		}
	}
	*ret_reply = reply;
	return f;
}

static void ask_engine(struct bh_replay *r, struct flow *f, const struct packet *p, bool reply)
{
	struct bh_packet bp = {
		.data = p->data,
		.len = (uint32_t)p->len,
		.wire_len = (uint32_t)p->wire_len,
		.hook = NF_INET_FORWARD,
		.qmark = BH_QMARK | (reply ? BH_QMARK_REPLY : 0) |
			 (f->sub == BH_SUB_START ? BH_QMARK_START : 0) |
			 (f->sub == BH_SUB_CONFIRM ? BH_QMARK_CONFIRM : 0),
		.now = r->now,
	};
	bool wanted =
	    p->payload > 0 || f->sub == BH_SUB_CONFIRM || (f->sub == BH_SUB_START && !reply);

	if (f->state == STATE_DONE || p->syn || !wanted)
		return;
	if (++r->last_id == 0)
		r->last_id = 1;
	bp.id = r->last_id;
	r->asked[bp.id % ASKED].id = bp.id;
	r->asked[bp.id % ASKED].flow = f->index;
	f->pub.queued++;
	r->current = f;
	bh_engine_packet(r->engine, &bp);
	r->current = NULL;
}

static bool wrong_sum(struct bh_replay *r, const struct packet *p)
{
	struct sender *s;

	if (p->len < p->wire_len || bh_ip_checksum(p->data, &p->ip) != BH_SUM_BAD)
		return false;
	HASH_FIND(hh, r->senders, &p->ip.src, sizeof(p->ip.src), s);
	return s && s->good;
}

static void tick(struct bh_replay *r, bh_msec_t until)
{
	/* A capture may pause for days; what waits is over after the first of these rounds. */
	for (int i = 0; i < TICKS_MAX && r->tick_at >= 0 && r->tick_at <= until; i++) {
		int ms;

		r->now = BH_MAX(r->now, r->tick_at);
		ms = bh_engine_tick(r->engine, r->now);
		r->tick_at = ms < 0 ? -1 : r->now + BH_MAX(ms, 1);
	}
	r->now = BH_MAX(r->now, until);
}

static void on_ip(struct bh_replay *r, const uint8_t *data, size_t len, size_t wire_len)
{
	struct packet p = { .data = data, .len = len, .wire_len = wire_len };
	struct flow *f;
	bool reply = false;
	int ms;

	if (!bh_ip_parse(data, len, &p.ip)) {
		r->stats.damaged++;
		return;
	}
	if (!read_l4(r, &p))
		return;
	if (wrong_sum(r, &p)) {
		r->stats.bad_checksum++;
		return;
	}
	p.key = key_of(&p.ip.src, &p.ip.dst, p.sport, p.dport, p.ip.l4, &p.src_is_a);
	f = track(r, &p, &reply);
	if (!f)
		return;
	f->pub.packets++;
	f->pub.bytes += wire_len;
	f->last = r->now;
	f->answered |= reply;
	ask_engine(r, f, &p, reply);
	ms = bh_engine_tick(r->engine, r->now);
	r->tick_at = ms < 0 ? -1 : r->now + BH_MAX(ms, 1);
}

static void on_packet(void *arg, const struct bh_pcap_packet *pp)
{
	struct bh_replay *r = arg;
	const uint8_t *data;
	size_t len;
	int n;

	r->stats.packets++;
	r->wall_us = pp->wall_us;
	tick(r, BH_MAX(pp->wall_us / 1000, r->now));
	if (!pp->data) {
		r->stats.not_ip++;
		return;
	}
	if (pp->len < pp->wire_len)
		r->stats.cut++;
	n = bh_frag_packet(r->frag, pp->data, pp->len, r->now, &data, &len);
	if (n < 0)
		r->stats.damaged++;
	else if (n > 0)
		on_ip(r, data, len, data == pp->data ? pp->wire_len : len);
}

/* The first pass: who sends sums that are right? */
static void on_sender(void *arg, const struct bh_pcap_packet *pp)
{
	struct bh_replay *r = arg;
	struct bh_ip_view v;
	struct sender *s;
	enum bh_sum sum;

	if (!pp->data || pp->len < pp->wire_len || !bh_ip_parse(pp->data, pp->len, &v))
		return;
	sum = bh_ip_checksum(pp->data, &v);
	if (sum != BH_SUM_GOOD)
		return;
	HASH_FIND(hh, r->senders, &v.src, sizeof(v.src), s);
	if (s || HASH_COUNT(r->senders) >= r->cfg.flows_max)
		return;
	s = calloc(1, sizeof(*s));
	if (!s) {
		r->failed = true;
		return;
	}
	s->addr = v.src;
	s->good = true;
	HASH_ADD(hh, r->senders, addr, sizeof(s->addr), s);
	if (!s->hh.tbl) {
		free(s);
		r->failed = true;
	}
}

/* ---- the interface ---- */

static int fill_addrs(struct bh_replay *r, struct bh_err *err)
{
	const struct bh_compiled *c = r->cfg.compiled;
	int n = bh_addrtable_new(BH_MAX(c->n_addrs, 16U), &r->addrs, err);

	for (size_t i = 0; n == 0 && i < c->n_addrs; i++) {
		n = bh_addrtable_set(r->addrs, &c->addrs[i].addr, c->addrs[i].cls,
				     c->addrs[i].local || r->cfg.all_local);
		if (n < 0)
			return bh_err_set(err, n, "address table: %s", strerrordesc_np(-n));
	}
	return n;
}

int bh_replay_new(const struct bh_replay_config *cfg, struct bh_replay **ret, struct bh_err *err)
{
	static const struct bh_engine_ops ops = { .verdict = on_verdict, .finding = on_finding };
	bh_cleanup(bh_replay_freep) struct bh_replay *r = calloc(1, sizeof(*r));
	int n;

	if (!r)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r->cfg = *cfg;
	r->cfg.engine.always_report = true;
	if (!r->cfg.flows_max)
		r->cfg.flows_max = FLOWS_MAX;
	r->tick_at = -1;
	r->asked = calloc(ASKED, sizeof(*r->asked));
	if (!r->asked || bh_frag_new(&r->frag) < 0)
		return bh_err_set(err, -ENOMEM, "out of memory");
	n = fill_addrs(r, err);
	if (n == 0)
		n = bh_engine_new(&r->cfg.engine, &ops, r, &r->engine, err);
	if (n < 0)
		return n;
	bh_engine_set_rules(r->engine, cfg->compiled->rules, r->addrs);
	*ret = bh_take_ptr(&r);
	return 0;
}

static void forget_senders(struct bh_replay *r)
{
	struct sender *s, *next;

	HASH_ITER(hh, r->senders, s, next) {
		HASH_DEL(r->senders, s);
		free(s);
	}
}

struct bh_replay *bh_replay_free(struct bh_replay *r)
{
	if (!r)
		return NULL;
	bh_engine_free(r->engine);
	bh_addrtable_free(r->addrs);
	bh_frag_free(r->frag);
	forget_senders(r);
	HASH_CLEAR(hh, r->by_key);
	for (size_t i = 0; i < r->n_flows; i++)
		free(r->flows[i]);
	free(r->flows);
	free(r->asked);
	free(r);
	return NULL;
}

int bh_replay_file(struct bh_replay *r, const char *path, struct bh_err *err)
{
	int n;

	forget_senders(r);
	n = bh_pcap_read(path, on_sender, r, err);
	if (n == 0)
		n = bh_pcap_read(path, on_packet, r, err);
	if (n == 0 && r->failed)
		n = bh_err_set(err, -ENOMEM, "%s: out of memory after %zu flows", path, r->n_flows);
	return n;
}

void bh_replay_finish(struct bh_replay *r)
{
	tick(r, r->now + WAIT_AT_END_MS);
	bh_engine_drain(r->engine);
}

const struct bh_replay_flow *bh_replay_flow(const struct bh_replay *r, size_t i)
{
	return i < r->n_flows ? &r->flows[i]->pub : NULL;
}

void bh_replay_stats_get(const struct bh_replay *r, struct bh_replay_stats *ret)
{
	struct bh_frag_stats f;

	bh_frag_stats_get(r->frag, &f);
	*ret = r->stats;
	ret->fragments = f.parts;
	ret->rebuilt = f.rebuilt;
	ret->frag_dropped = f.dropped;
}

uint32_t bh_replay_word(const struct bh_replay_flow *f, enum bh_dir *ret_dir)
{
	enum bh_dir ignored = BH_DIR_INVALID, *dir = ret_dir ? ret_dir : &ignored;
	uint32_t e = f->final.egress, i = f->final.ingress;

	*dir = BH_DIR_INVALID;
	if (!e && !i)
		return 0;
	/* A refusal before what is to be recorded, that before an allowance; egress first. */
	if (e && (bh_word_refuses(e) || !i ||
		  (!bh_word_refuses(i) && ((e & BH_WORD_REPORT) || !(i & BH_WORD_REPORT))))) {
		*dir = BH_DIR_EGRESS;
		return e;
	}
	*dir = BH_DIR_INGRESS;
	return i;
}

const char *bh_replay_verdict_name(enum bh_replay_verdict v)
{
	switch (v) {
	case BH_REPLAY_ALLOWED:
		return "allowed";
	case BH_REPLAY_REFUSED:
		return "refused";
	case BH_REPLAY_OPEN:
		return "open";
	case BH_REPLAY_INVALID:
		break;
	}
	return "invalid";
}
