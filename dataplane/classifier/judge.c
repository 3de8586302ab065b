// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/judge.c - what a flow may speak, and what it does speak
 *
 * DOC: The question
 *
 * The contracts of a flow name protocols. Those of them that have a probe are asked, each until it has said
 * NO (which it never takes back). The first YES is the answer; while one may still come, the flow is
 * undecided. When all have said NO it is certain that the flow is none of what was asked for, and only its
 * name is open: some probe knows it, or nDPI has a name for it, or it is unknown.
 *
 * DOC: When a name is worth waiting for
 *
 * "Unknown", "any other protocol" and protocols that only nDPI knows may have different words in a contract.
 * So naming goes on while some name could still turn up that changes what "unknown" would get. If none could,
 * the flow is unknown at once. A name of nDPI can make a flow refused or reported, never allowed: where
 * unknown is refused and its name would not be, it stays unknown.
 */
#include "dataplane/classifier/judge.h"

#include <string.h>

#include "dataplane/classifier/probe.h"

#include "common/banned.h"

/* nDPI has 99 of 100 names by then (measured: 4,007 flows). */
#define NDPI_PACKETS_MAX 8U

enum effect { /* of a word, as far as it is worth waiting for */
	      EFFECT_REFUSE,
	      EFFECT_ALLOW,
	      EFFECT_REPORT,
};

static struct bh_addr address(const struct bh_flow *f, const uint8_t *bytes)
{
	return f->key.family == 4 ? bh_addr_from_v4(bytes) : bh_addr_from_v6(bytes);
}

static bool speaks(const struct bh_probe *p, const struct bh_flow *f)
{
	return f->key.l4 == BH_L4_UDP ? p->udp : f->key.l4 == BH_L4_TCP && p->tcp;
}

void bh_judge_contracts(const struct bh_rules *r, struct bh_flow *f)
{
	struct bh_conn c = {
		.src = address(f, f->key.client),
		.dst = address(f, f->key.server),
		.l4 = f->key.l4,
		.dport = f->key.sport,
	};
	struct bh_decision d = { 0, 0 };
	struct bh_protoset named;
	const struct bh_probe *p;
	size_t i;

	if ((f->flags & BH_FLOW_ASKED) && f->rules == r->number)
		return;
	f->rules = r->number;
	f->flags |= BH_FLOW_ASKED;
	f->flags &= (uint8_t)~BH_FLOW_CONTRACT;
	f->alive = f->asked = 0;
	f->egress = f->ingress = 0;
	if (!r->rs || !r->addrs)
		return;
	c.src_class = bh_addrtable_get(r->addrs, &c.src, &c.src_local);
	c.dst_class = bh_addrtable_get(r->addrs, &c.dst, &c.dst_local);
	switch (bh_flow_node_end(&f->key)) {
	case BH_NODE_CLIENT:
		c.src_class = BH_CLASS_HOST;
		c.src_local = false;
		break;
	case BH_NODE_SERVER:
		c.dst_class = BH_CLASS_HOST;
		c.dst_local = false;
		break;
	case BH_NODE_NONE:
		break;
	}
	d = bh_ruleset_decide(r->rs, &c);
	if (bh_decision_outcome(&d) != BH_OUTCOME_CONTRACT)
		return;
	f->flags |= BH_FLOW_CONTRACT;
	f->egress = d.egress;
	f->ingress = d.ingress;
	named = bh_ruleset_named(r->rs, &d);
	for (i = 0; (p = bh_probe_nth(i)) != NULL; i++)
		if (speaks(p, f) && bh_protoset_has(&named, (unsigned)p->proto))
			f->asked |= (uint16_t)(1U << i);
	f->alive = f->asked;
}

struct bh_decision bh_judge_settle(const struct bh_rules *r, const struct bh_flow *f,
				   unsigned proto)
{
	struct bh_decision d = { f->egress, f->ingress };

	return r->rs && (f->flags & BH_FLOW_CONTRACT) ? bh_ruleset_settle_both(r->rs, &d, proto)
						      : d;
}

static enum effect effect_of(const struct bh_rules *r, const struct bh_flow *f, unsigned proto)
{
	struct bh_decision d = bh_judge_settle(r, f, proto);

	/* A word of 0 in a direction that has a contract is no permission. */
	if ((f->egress && bh_word_refuses(d.egress)) || (f->ingress && bh_word_refuses(d.ingress)))
		return EFFECT_REFUSE;
	return (d.egress | d.ingress) & BH_WORD_REPORT ? EFFECT_REPORT : EFFECT_ALLOW;
}

bool bh_judge_refuses(const struct bh_rules *r, const struct bh_flow *f, unsigned proto)
{
	return (f->flags & BH_FLOW_CONTRACT) && effect_of(r, f, proto) == EFFECT_REFUSE;
}

bool bh_judge_only_looks(const struct bh_rules *r, const struct bh_flow *f)
{
	/* A word of 0 is a direction that has no say. */
	return r->rs && (f->flags & BH_FLOW_CONTRACT) &&
	       (!f->egress || !bh_ruleset_may_refuse(r->rs, f->egress)) &&
	       (!f->ingress || !bh_ruleset_may_refuse(r->rs, f->ingress));
}

/* Asks the probes that are still alive. Return: the protocol; 0 if none is certain */
static unsigned ask_named(struct bh_flow *f, const struct bh_view *v)
{
	const struct bh_probe *p;
	size_t i;

	for (i = 0; (p = bh_probe_nth(i)) != NULL; i++) {
		if (!(f->alive >> i & 1U))
			continue;
		switch (p->fn(v)) {
		case BH_ANSWER_YES:
			return (unsigned)p->proto;
		case BH_ANSWER_MORE:
			break;
		case BH_ANSWER_NO:
		case BH_ANSWER_INVALID:
			f->alive &= (uint16_t) ~(1U << i);
			break;
		}
	}
	return 0;
}

/* The first probe that knows a name, but for those that have said NO to the same bytes already. */
static unsigned ask_names(const struct bh_flow *f, const struct bh_view *v, bool *ret_more)
{
	struct bh_view naming = *v;
	const struct bh_probe *p;
	size_t i;

	naming.naming = true;
	*ret_more = false;
	for (i = 0; (p = bh_probe_nth(i)) != NULL; i++) {
		enum bh_answer a;

		if (!speaks(p, f) || (f->asked >> i & 1U))
			continue;
		a = p->fn(&naming);
		if (a == BH_ANSWER_YES)
			return (unsigned)p->proto;
		if (a == BH_ANSWER_MORE)
			*ret_more = true;
	}
	return BH_PROTO_UNKNOWN;
}

/* Could a name that is still to come change what unknown gets? @by_ndpi: such names count too. */
static bool name_matters(const struct bh_rules *r, const struct bh_flow *f, const struct bh_view *v,
			 bool by_ndpi)
{
	enum effect unknown = effect_of(r, f, BH_PROTO_UNKNOWN);
	struct bh_view naming = *v;
	const struct bh_probe *p;
	unsigned n;
	size_t i;

	naming.naming = true;
	for (i = 0; (p = bh_probe_nth(i)) != NULL; i++)
		if (speaks(p, f) && !(f->asked >> i & 1U) &&
		    effect_of(r, f, (unsigned)p->proto) != unknown &&
		    p->fn(&naming) == BH_ANSWER_MORE)
			return true;
	if (!by_ndpi || unknown == EFFECT_REFUSE)
		return false;
	for (n = BH_PROTO_FIRST; n < BH_PROTO_UNDECIDED; n++)
		if (bh_proto_name(n) && !bh_proto_has_probe(n) && effect_of(r, f, n) != unknown)
			return true;
	return false;
}

static void ask_ndpi(const struct bh_rules *r, struct bh_namer *namer, const struct bh_flow *f,
		     const struct bh_stream *st, struct bh_judgement *ret)
{
	unsigned n = bh_namer_name(namer, st, f->key.l4 == BH_L4_UDP, ret->ndpi_name);

	if (ret->ndpi_name[0])
		ret->by = BH_BY_NDPI;
	/* What a probe knows, a probe decides. */
	if (n == BH_PROTO_UNKNOWN || bh_proto_has_probe(n) || !(f->flags & BH_FLOW_CONTRACT))
		return;
	if (effect_of(r, f, BH_PROTO_UNKNOWN) == EFFECT_REFUSE &&
	    effect_of(r, f, n) != EFFECT_REFUSE)
		return;
	ret->proto = (uint8_t)n;
	ret->certain = true;
}

void bh_judge_bytes(const struct bh_rules *r, struct bh_namer *namer, struct bh_flow *f,
		    const struct bh_stream *st, bool last, struct bh_judgement *ret)
{
	struct bh_view v = {
		.c = st->buf[0],
		.s = st->buf[1],
		.nc = st->have[0],
		.ns = st->have[1],
		.udp = f->key.l4 == BH_L4_UDP,
	};
	bool more = false, by_ndpi = namer && f->pkts < NDPI_PACKETS_MAX && !last;
	unsigned n = ask_named(f, &v);

	memset(ret, 0, sizeof(*ret));
	ret->proto = BH_PROTO_UNKNOWN;
	if (!n && f->alive) {
		ret->proto = BH_PROTO_UNDECIDED;
		ret->certain = last;
		return;
	}
	if (!n)
		n = ask_names(f, &v, &more);
	if (n != BH_PROTO_UNKNOWN) {
		ret->proto = (uint8_t)n;
		ret->by = BH_BY_PROBE;
		ret->certain = true;
		return;
	}
	if (!(f->flags & BH_FLOW_CONTRACT)) {
		if (more && !last)
			return;
		if (more)
			ret->proto = BH_PROTO_UNDECIDED;
		ret->certain = true;
		if (namer)
			ask_ndpi(r, namer, f, st, ret);
		return;
	}
	ret->certain = last || !name_matters(r, f, &v, by_ndpi);
	if (namer && (ret->certain || by_ndpi))
		ask_ndpi(r, namer, f, st, ret);
}
