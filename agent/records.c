// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/records.c - what workers and kernel report becomes violation records
 *
 * DOC: One violation, two reports
 *
 * A flow that a contract refuses is reported by the worker (a finding: what was seen, what was wanted) and, a
 * moment earlier or later, by the kernel, which drops the packet that came back with the result. They come
 * over different sockets. So a packet that a contract refused waits a second for the finding of its flow; and
 * a flow whose finding was told is remembered for ten seconds. What only the kernel reports is written after
 * the second, without the knowledge of the worker.
 */
#include "agent/records.h"

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <string.h>

#include "agent/record_blind.h"
#include "agent/record_text.h"
#include "agent/record_words.h"
#include "agent/records_guard.h"
#include "common/map.h"
#include "common/util.h"

#include "common/banned.h"

#define WAIT_MS     1000
#define JUDGED_MS   10000
#define WAITING_MAX 4096U
#define JUDGED_MAX  16384U

struct flow_key {
	struct bh_addr a, b; /* a <= b: both directions of a flow are one */
	uint16_t port_a, port_b;
	uint8_t l4;
	uint8_t pad;
};
_Static_assert(sizeof(struct flow_key) == 2 * sizeof(struct bh_addr) + 6, "a key has padding");

struct judged {
	struct flow_key key;
	UT_hash_handle hh;
	bh_msec_t until;
};

struct waiting {
	struct flow_key key;
	UT_hash_handle hh;
	bh_msec_t until;
	int64_t wall_us;
	struct bh_refused p;
};

struct bh_records {
	struct bh_vlog *log;
	const struct bh_history *history;
	struct judged *judged;   /* in the order in which they end */
	struct waiting *waiting; /* likewise */
};

static struct flow_key flow_key(const struct bh_addr *src, const struct bh_addr *dst, uint8_t l4,
				uint16_t sport, uint16_t dport)
{
	struct flow_key k;
	int c = bh_addr_cmp(src, dst);
	bool swap = c > 0 || (c == 0 && sport > dport);

	memset(&k, 0, sizeof(k));
	k.a = swap ? *dst : *src;
	k.b = swap ? *src : *dst;
	k.port_a = swap ? dport : sport;
	k.port_b = swap ? sport : dport;
	k.l4 = l4;
	return k;
}

static void emit(struct bh_records *rs, const struct bh_vlog_key *key, int64_t wall_us,
		 const struct bh_record *r)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	bh_record_print(r, &b);
	if (bh_buf_failed(&b))
		bh_vlog_loss(rs->log, "memory", 1);
	else
		bh_vlog_violation(rs->log, key, bh_clock_now(), wall_us, bh_buf_str(&b));
}

/* Which end of a packet is the own node: the hook tells. */
static enum bh_node_end node_of(const struct bh_refused *p)
{
	switch (p->hook) {
	case NF_INET_LOCAL_IN:
		return BH_NODE_SERVER;
	case NF_INET_LOCAL_OUT:
		return BH_NODE_CLIENT;
	default:
		return BH_NODE_NONE;
	}
}

static enum bh_node_end turned(enum bh_node_end end)
{
	return end == BH_NODE_NONE ? end : end == BH_NODE_CLIENT ? BH_NODE_SERVER : BH_NODE_CLIENT;
}

/* The connection whose first packet @p is; @back: which it answers. */
static struct bh_conn conn_of(const struct bh_generation *g, const struct bh_refused *p, bool back)
{
	const struct bh_addr *src = back ? &p->dst : &p->src, *dst = back ? &p->src : &p->dst;
	enum bh_node_end node = back ? turned(node_of(p)) : node_of(p);
	const struct bh_addr_class *s = node == BH_NODE_CLIENT ? NULL : bh_generation_addr(g, src),
				   *d = node == BH_NODE_SERVER ? NULL : bh_generation_addr(g, dst);
	struct bh_conn c = { .src = *src,
			     .dst = *dst,
			     .src_class = s ? s->cls : 0,
			     .dst_class = d ? d->cls : 0,
			     .src_local = s && s->local,
			     .dst_local = d && d->local,
			     .l4 = p->l4,
			     .dport = back ? p->sport : p->dport };

	if (node == BH_NODE_CLIENT)
		c.src_class = BH_CLASS_HOST;
	else if (node == BH_NODE_SERVER)
		c.dst_class = BH_CLASS_HOST;
	return c;
}

/* ---- what the workers find ---- */

static enum bh_violation cause_reason(unsigned cause)
{
	switch ((enum bh_cause)cause) {
	case BH_CAUSE_UNDECIDED:
		return BH_VIOLATION_UNDECIDED;
	case BH_CAUSE_OVERLAP_CONFLICT:
		return BH_VIOLATION_OVERLAP_CONFLICT;
	case BH_CAUSE_STREAM_START:
		return BH_VIOLATION_STREAM_START;
	case BH_CAUSE_TCP_URGENT:
		return BH_VIOLATION_TCP_URGENT;
	case BH_CAUSE_TRUNCATED:
		return BH_VIOLATION_TRUNCATED;
	case BH_CAUSE_RESOURCE_LIMIT:
		return BH_VIOLATION_RESOURCE_LIMIT;
	case BH_CAUSE_PROTOCOL:
	case BH_CAUSE_INVALID:
	case BH_CAUSE_COUNT:
		break;
	}
	return BH_VIOLATION_INVALID;
}

static enum bh_violation finding_reason(const struct bh_record *r, const struct bh_finding *f,
					const struct bh_reason *why)
{
	enum bh_violation cause = cause_reason(f->cause);
	const struct bh_protoset *expected = NULL;

	if (cause != BH_VIOLATION_INVALID)
		return cause;
	if (why)
		expected = bh_ruleset_protoset(r->gen->rules->rs, why->expected);
	if (why && !expected && (why->kind == BH_REASON_RULE || bh_record_rule(r, why)))
		return BH_VIOLATION_L3L4_DENIED;
	if (why && !expected && (why->kind == BH_REASON_ISOLATED || why->kind == BH_REASON_WOULD))
		return BH_VIOLATION_DEFAULT_DENY;
	if (expected && bh_protoset_has(expected, f->proto))
		return BH_VIOLATION_NOT_JUDGED;
	return f->proto == BH_PROTO_UNKNOWN ? BH_VIOLATION_PROTOCOL_UNKNOWN
					    : BH_VIOLATION_PROTOCOL_MISMATCH;
}

static void add_verdict(struct bh_record *r, enum bh_dir dir, uint32_t word, bool wanted)
{
	if (wanted && r->n_verdicts < BH_ARRAY_SIZE(r->verdicts))
		r->verdicts[r->n_verdicts++] = (struct bh_record_verdict){ dir, word };
}

/* Where @contract goes on from @proto: a word, or a node that asks what nobody looks at yet. */
static uint32_t next_of(const struct bh_ruleset *rs, uint32_t contract, unsigned proto)
{
	const struct bh_contract *c = bh_ruleset_contract(rs, bh_word_number(contract));
	const struct bh_contract_entry *e = c ? bh_ruleset_entries(rs, c) : NULL;

	if (!c || bh_word_verdict(contract) != BH_WORD_CONTRACT || proto == BH_PROTO_UNDECIDED)
		return 0;
	for (uint32_t i = 0; e && i < c->n; i++)
		if (e[i].proto == proto)
			return e[i].next;
	return proto == BH_PROTO_UNKNOWN ? c->unknown_next : c->other_next;
}

/*
 * A direction is to be recorded, whatever the answers to those questions would be: else nobody can say that it is.
 * @blind: a fail mode said so, and nothing was asked.
 */
static bool is_reported(const struct bh_record *r, uint32_t contract, uint32_t final,
			unsigned proto, bool blind)
{
	const struct bh_ruleset *rs = r->gen ? r->gen->rules->rs : NULL;
	bh_autofree bool *all = NULL;
	uint32_t next, n;

	if (!contract || !(final & BH_WORD_REPORT))
		return false;
	if (blind)
		return true;
	next = rs ? next_of(rs, contract, proto) : 0;
	if (bh_word_verdict(next) != BH_WORD_CONTRACT)
		return true;
	n = bh_word_number(next) + 1;
	all = calloc(n, sizeof(*all));
	/* A node comes before those that lead to it. */
	for (uint32_t i = 0; all && i < n; i++) {
		const struct bh_rs_node *node = bh_ruleset_node(rs, BH_WORD_CONTRACT | i);
		const uint32_t ways[] = { node ? node->yes : 0, node ? node->no : 0 };

		all[i] = true;
		for (size_t k = 0; k < BH_ARRAY_SIZE(ways); k++) {
			if (bh_word_verdict(ways[k]) != BH_WORD_CONTRACT)
				all[i] = all[i] && (ways[k] & BH_WORD_REPORT);
			else
				all[i] = all[i] && bh_word_number(ways[k]) < i &&
					 all[bh_word_number(ways[k])];
		}
	}
	return !all || all[n - 1];
}

/* Nobody looked, and it passed: a fail mode let it. */
static bool is_blind(const struct bh_record *r, const struct bh_finding *f)
{
	const struct bh_ruleset *rs = r->gen ? r->gen->rules->rs : NULL;

	/* What is there for the record alone passes in any case. */
	return !f->refused && rs &&
	       (f->cause == BH_CAUSE_STREAM_START || f->cause == BH_CAUSE_RESOURCE_LIMIT) &&
	       ((f->ingress && bh_ruleset_may_refuse(rs, f->ingress)) ||
		(f->egress && bh_ruleset_may_refuse(rs, f->egress)));
}

/* Directions that refuse; where the cause itself refuses, those that have a contract. */
static void finding_verdicts(struct bh_record *r, const struct bh_finding *f)
{
	bool in = f->ingress && bh_word_refuses(f->ingress_final);
	bool eg = f->egress && bh_word_refuses(f->egress_final);

	if (!f->refused) {
		in = is_reported(r, f->ingress, f->ingress_final, f->proto, is_blind(r, f));
		eg = is_reported(r, f->egress, f->egress_final, f->proto, is_blind(r, f));
	} else if (!in && !eg) {
		in = f->ingress != 0;
		eg = f->egress != 0;
	}
	/* Where both speak, the one of the server is what people look for first. */
	add_verdict(r, BH_DIR_INGRESS, f->ingress_final, in);
	add_verdict(r, BH_DIR_EGRESS, f->egress_final, eg);
}

static void describe_finding(struct bh_record *r, const struct bh_finding *f)
{
	uint32_t word = r->n_verdicts > 0 ? r->verdicts[0].word : 0;
	const struct bh_reason *why = bh_record_reason(r, word);
	const char *refusal = f->l4 == BH_L4_TCP                        ? "reset"
			      : bh_word_verdict(word) == BH_WORD_REJECT ? "reject"
									: "drop";

	r->reason = finding_reason(r, f, why);
	if (is_blind(r, f)) {
		bh_record_blind_text(r);
		return;
	}
	if (!f->refused) {
		bh_record_allowed(r, why, f->proto, refusal);
		return;
	}
	r->mode = "enforce";
	r->action = refusal;
	if (f->cause == BH_CAUSE_OVERLAP_CONFLICT)
		r->severity = bh_urgency_name(BH_URGENCY_CRITICAL);
	else
		bh_record_refusal_severity(r);
}

static void remember(struct bh_records *rs, const struct flow_key *key)
{
	struct judged *j = NULL;

	HASH_FIND(hh, rs->judged, key, sizeof(*key), j);
	if (j)
		HASH_DEL(rs->judged, j);
	else if (HASH_COUNT(rs->judged) >= JUDGED_MAX) {
		j = rs->judged;
		HASH_DEL(rs->judged, j);
	} else {
		j = malloc(sizeof(*j));
	}
	if (!j)
		return;
	j->key = *key;
	j->until = bh_clock_now() + JUDGED_MS;
	HASH_ADD(hh, rs->judged, key, sizeof(j->key), j);
	if (!j->hh.tbl)
		free(j);
}

void bh_records_finding(struct bh_records *rs, int64_t wall_us, const struct bh_finding *f)
{
	struct flow_key flow = flow_key(&f->src, &f->dst, f->l4, f->sport, f->dport);
	struct waiting *w = NULL;
	struct bh_vlog_key key;
	struct bh_record r = { .src = f->src,
			       .dst = f->dst,
			       .l4 = f->l4,
			       .sport = f->sport,
			       .dport = f->dport,
			       .node = f->node,
			       .l7 = f };

	if (!f->refused && !f->report)
		return;
	if (f->refused) {
		HASH_FIND(hh, rs->waiting, &flow, sizeof(flow), w);
		if (w) {
			HASH_DEL(rs->waiting, w);
			free(w);
		}
		remember(rs, &flow);
	}
	memset(&key, 0, sizeof(key));
	key.src = f->src;
	key.dst = f->dst;
	key.l4 = f->l4;
	key.dport = f->dport;
	key.cause = f->cause;
	key.proto = f->proto;
	key.egress = f->egress ? f->egress_final : 0;
	key.ingress = f->ingress ? f->ingress_final : 0;
	r.gen = bh_history_revision(rs->history, f->revision);
	if (!r.gen)
		r.gen = bh_history_newest(rs->history);
	finding_verdicts(&r, f);
	if (!f->refused && r.n_verdicts == 0)
		return;
	if (bh_vlog_repeat(rs->log, &key, wall_us, 1))
		return;
	describe_finding(&r, f);
	emit(rs, &key, wall_us, &r);
}

/* ---- what the kernel refuses ---- */

static uint32_t word_of(const struct bh_decision *d, enum bh_dir dir)
{
	return dir == BH_DIR_EGRESS ? d->egress : d->ingress;
}

/* Does this decision end in that reason, in that direction? */
static bool decides_so(const struct bh_ruleset *rs, const struct bh_decision *d,
		       const struct bh_refused *p)
{
	uint32_t word = word_of(d, p->dir);

	return word &&
	       (bh_word_verdict(word) == BH_WORD_CONTRACT ? p->reason != 0
							  : bh_word_number(word) == p->reason);
}

static enum bh_violation refused_reason(const struct bh_record *r, const struct bh_refused *p,
					const struct bh_reason *why)
{
	switch (p->cause) {
	case 'q':
		return BH_VIOLATION_QUARANTINE;
	case 'm':
		return BH_VIOLATION_MIDSTREAM;
	case 'c':
		return BH_VIOLATION_POLICY_CHANGED;
	default:
		break;
	}
	if (!why)
		return BH_VIOLATION_NO_POLICY_MATCH;
	if (why->kind == BH_REASON_PROTOCOL)
		return BH_VIOLATION_PROTOCOL_MISMATCH;
	return bh_record_rule(r, why) ? BH_VIOLATION_L3L4_DENIED : BH_VIOLATION_DEFAULT_DENY;
}

static void refused_verdicts(struct bh_record *r, const struct bh_refused *p,
			     const struct bh_decision *d, uint32_t word)
{
	enum bh_dir other = p->dir == BH_DIR_INGRESS ? BH_DIR_EGRESS : BH_DIR_INGRESS;
	uint32_t other_word = word_of(d, other);

	if (p->cause == 'q')
		return;
	word = (word & ~BH_WORD_NUMBER) | (p->reason & BH_WORD_NUMBER);
	add_verdict(r, p->dir, word, p->dir == BH_DIR_INGRESS || p->dir == BH_DIR_EGRESS);
	add_verdict(r, other, other_word,
		    r->n_verdicts > 0 && other_word && bh_word_refuses(other_word));
	if (r->n_verdicts == 2 && r->verdicts[0].dir == BH_DIR_EGRESS) {
		struct bh_record_verdict v = r->verdicts[0];

		r->verdicts[0] = r->verdicts[1];
		r->verdicts[1] = v;
	}
}

static void describe_refused(struct bh_record *r, const struct bh_refused *p,
			     const struct bh_decision *d)
{
	const struct bh_reason *why = bh_record_reason(r, p->reason);
	uint32_t word = p->word ? p->word : BH_WORD_DROP;

	refused_verdicts(r, p, d, word);
	r->reason = refused_reason(r, p, why);
	if (bh_word_verdict(word) == BH_WORD_ALLOW) {
		/* Not refused at all, but to be recorded. */
		bh_record_allowed(r, why, 0, "drop");
		return;
	}
	r->mode = "enforce";
	r->action = bh_word_verdict(word) == BH_WORD_REJECT ? "reject" : "drop";
	if (r->l4 == BH_L4_TCP && (p->cause == 'c' || p->cause == 'm' || r->contract))
		r->action = "reset";
	bh_record_refusal_severity(r);
}

/* @n packets of a kind. */
static void write_refused(struct bh_records *rs, int64_t wall_us, const struct bh_refused *p,
			  uint64_t n, struct bh_generation *g, bool contract)
{
	struct bh_decision d = { 0 };
	struct bh_vlog_key key;
	struct bh_record r = { .gen = g,
			       .src = p->src,
			       .dst = p->dst,
			       .l4 = p->l4,
			       .sport = p->sport,
			       .dport = p->dport,
			       .node = node_of(p),
			       .contract = contract };

	memset(&key, 0, sizeof(key));
	key.src = p->src;
	key.dst = p->dst;
	key.l4 = p->l4;
	key.dport = p->dport;
	key.cause = (uint8_t)p->cause;
	key.egress = p->dir == BH_DIR_EGRESS ? p->reason : 0;
	key.ingress = p->dir == BH_DIR_EGRESS ? 0 : p->reason;
	if (bh_vlog_repeat(rs->log, &key, wall_us, n))
		return;
	if (g) {
		struct bh_conn c = conn_of(g, p, false);

		d = bh_ruleset_decide(g->rules->rs, &c);
		if (!decides_so(g->rules->rs, &d, p) && p->sport) {
			struct bh_conn back = conn_of(g, p, true);
			struct bh_decision b = bh_ruleset_decide(g->rules->rs, &back);

			/* A packet of the answering side: the flow is the other way round. */
			if (decides_so(g->rules->rs, &b, p)) {
				r.src = p->dst;
				r.dst = p->src;
				r.sport = p->dport;
				r.dport = p->sport;
				r.node = turned(r.node);
				d = b;
			}
		}
	}
	describe_refused(&r, p, &d);
	emit(rs, &key, wall_us, &r);
	if (n > 1 && !bh_vlog_repeat(rs->log, &key, wall_us, n - 1))
		bh_vlog_loss(rs->log, "memory", n - 1);
}

/* Is this the word of a contract, in either direction of the packet? */
static bool refused_by_contract(struct bh_generation *g, const struct bh_refused *p)
{
	struct bh_conn c = conn_of(g, p, false), back = conn_of(g, p, true);
	struct bh_decision d = bh_ruleset_decide(g->rules->rs, &c);
	struct bh_decision b = bh_ruleset_decide(g->rules->rs, &back);

	return bh_word_verdict(word_of(&d, p->dir)) == BH_WORD_CONTRACT ||
	       bh_word_verdict(word_of(&b, p->dir)) == BH_WORD_CONTRACT;
}

static void wait_for_finding(struct bh_records *rs, int64_t wall_us, const struct bh_refused *p,
			     const struct flow_key *flow, struct bh_generation *g)
{
	struct waiting *w = NULL;

	HASH_FIND(hh, rs->waiting, flow, sizeof(*flow), w);
	if (w)
		return; /* the same flow, sent again */
	w = HASH_COUNT(rs->waiting) < WAITING_MAX ? malloc(sizeof(*w)) : NULL;
	if (w) {
		w->key = *flow;
		w->until = bh_clock_now() + WAIT_MS;
		w->wall_us = wall_us;
		w->p = *p;
		HASH_ADD(hh, rs->waiting, key, sizeof(w->key), w);
		if (w->hh.tbl)
			return;
		free(w);
	}
	write_refused(rs, wall_us, p, 1, g, true);
}

/* ARP, neighbour discovery, reports to groups: every stack sends them when it comes up, and the kernel counts them. */
static bool is_link_housekeeping(const struct bh_refused *p)
{
	const uint8_t *d = p->dst.bytes;

	if (p->cause != 'q' || p->dst.family == 0 || p->ethertype == ETH_P_ARP)
		return p->cause == 'q';
	return p->dst.family == 6 ? d[0] == 0xff && (d[1] & 15) <= 2
				  : d[0] == 224 && d[1] == 0 && d[2] == 0;
}

/* It passed although nobody looked. */
static void write_blind(struct bh_records *rs, int64_t wall_us, const struct bh_refused *p,
			struct bh_generation *g)
{
	struct bh_decision d = { 0 };
	struct bh_vlog_key key;
	struct bh_record r;

	if (g) {
		struct bh_conn c = conn_of(g, p, p->reply);

		d = bh_ruleset_decide(g->rules->rs, &c);
	}
	if (!bh_record_blind(p, g, &d, &r, &key))
		return;
	r.node = p->reply ? turned(node_of(p)) : node_of(p);
	if (!bh_vlog_repeat(rs->log, &key, wall_us, 1))
		emit(rs, &key, wall_us, &r);
}

void bh_records_refused(struct bh_records *rs, int64_t wall_us, const struct bh_refused *p)
{
	struct bh_generation *g = bh_history_find(rs->history, p->epoch, p->reason);
	bool judged_by_worker =
	    g && p->reason && p->cause != 'q' && (p->l4 == BH_L4_TCP || p->l4 == BH_L4_UDP) &&
	    bh_generation_by_contract(g, p->reason) && refused_by_contract(g, p);
	struct judged *j = NULL;
	struct flow_key flow;

	if (is_link_housekeeping(p))
		return;
	if (bh_refused_by_guard(p)) {
		bh_records_guarded(rs->log, bh_history_newest(rs->history), wall_us, p);
		return;
	}
	if (p->cause == 'u' || (p->cause == 'm' && bh_word_verdict(p->word) == BH_WORD_ALLOW)) {
		write_blind(rs, wall_us, p, g);
		return;
	}
	if (!judged_by_worker) {
		write_refused(rs, wall_us, p, 1, g, false);
		return;
	}
	flow = flow_key(&p->src, &p->dst, p->l4, p->sport, p->dport);
	HASH_FIND(hh, rs->judged, &flow, sizeof(flow), j);
	if (j)
		return;
	/* What was decided again by the result of long ago has no finding to wait for. */
	if (p->cause == 'p')
		wait_for_finding(rs, wall_us, p, &flow, g);
	else
		write_refused(rs, wall_us, p, 1, g, true);
}

/* What was only counted does not know its hook any more: the one that explains the refusal. */
static uint8_t hook_of(const struct bh_generation *g, const struct bh_refused *p)
{
	struct bh_refused local = *p;
	struct bh_decision d;
	struct bh_conn c;

	local.hook = p->dir == BH_DIR_EGRESS ? NF_INET_LOCAL_IN : NF_INET_LOCAL_OUT;
	c = conn_of(g, p, false);
	d = bh_ruleset_decide(g->rules->rs, &c);
	if (decides_so(g->rules->rs, &d, p))
		return NF_INET_FORWARD;
	c = conn_of(g, &local, false);
	d = bh_ruleset_decide(g->rules->rs, &c);
	return decides_so(g->rules->rs, &d, p) ? local.hook : NF_INET_FORWARD;
}

void bh_records_repeated(struct bh_records *rs, int64_t wall_us, const struct bh_refused *p,
			 uint64_t n)
{
	struct bh_generation *g = bh_history_find(rs->history, p->epoch, p->reason);
	struct bh_refused q = *p;

	if (g)
		q.hook = hook_of(g, p);
	write_refused(rs, wall_us, &q, n, g, false);
}

/* ---- time ---- */

static void end_waiting(struct bh_records *rs, struct waiting *w)
{
	struct bh_generation *g = bh_history_find(rs->history, w->p.epoch, w->p.reason);

	HASH_DEL(rs->waiting, w);
	write_refused(rs, w->wall_us, &w->p, 1, g, true);
	free(w);
}

void bh_records_tick(struct bh_records *rs, bh_msec_t now)
{
	while (rs->waiting && rs->waiting->until <= now)
		end_waiting(rs, rs->waiting);
	while (rs->judged && rs->judged->until <= now) {
		struct judged *j = rs->judged;

		HASH_DEL(rs->judged, j);
		free(j);
	}
}

void bh_records_flush(struct bh_records *rs)
{
	while (rs->waiting)
		end_waiting(rs, rs->waiting);
}

int bh_records_new(struct bh_vlog *log, const struct bh_history *history, struct bh_records **ret)
{
	struct bh_records *rs = calloc(1, sizeof(*rs));

	if (!rs)
		return -ENOMEM;
	rs->log = log;
	rs->history = history;
	*ret = rs;
	return 0;
}

struct bh_records *bh_records_free(struct bh_records *rs)
{
	if (!rs)
		return NULL;
	bh_records_flush(rs);
	bh_records_tick(rs, INT64_MAX);
	free(rs);
	return NULL;
}
