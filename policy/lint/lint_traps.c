/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_traps.c - what people fall into, policy by policy
 *
 * Isolation that forgets DNS, address blocks that mean others than it seems, protocols on ports where they are
 * never spoken, rules that can match nothing, trials without an end.
 */
#include "policy/lint/lint_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

#define DNS_PORT 53U

struct traps {
	struct lint *l;
	struct lint_group isolating[BH_DIR_COUNT];
	struct lint_group asking_dns; /* that allow DNS */
	bool baseline[BH_DIR_COUNT];  /* it has rules */
	/* Refusals and records depend on what is spoken: then fail modes of allow rules count even where they are idle. */
	bool listening[BH_DIR_COUNT];
};

static void traps_done(struct traps *t)
{
	for (unsigned d = 0; d < BH_DIR_COUNT; d++)
		lint_group_done(&t->isolating[d]);
	lint_group_done(&t->asking_dns);
}

/* They may be for one endpoint. */
static bool meet(struct lint *l, const struct bh_policy *one, const struct bh_policy *p)
{
	struct lint_scope a = lint_subjects(one), b = lint_subjects(p);

	return lint_scopes_meet(l, &a, &b);
}

/* ---- isolation ---- */

static bool isolates(const struct lint *l, const struct bh_policy *p, enum bh_dir dir)
{
	return p->tier == BH_TIER_APPLICATION && p->isolates[dir];
}

/* Some rules allow, and none of them does anything else besides. */
static bool only_allows(const struct traps *t, const struct bh_policy *p, enum bh_dir dir)
{
	bool some = false;

	/* The first one that allows is asked whether it records: each may stand before another. */
	if (t->l->logging[dir])
		return false;
	for (size_t i = 0; i < p->n_rules[dir]; i++) {
		const struct bh_rule *r = &p->rules[dir][i];

		if (r->action != BH_ACTION_ALLOW)
			continue;
		if (t->listening[dir] && t->l->lenient[dir] && lint_asks(r))
			return false;
		some = true;
	}
	return some;
}

/* Allow rules where everything is allowed anyway. */
static int idle_rules(struct traps *t, const struct bh_policy *p, enum bh_dir dir)
{
	struct lint_where w = { .p = p, .part = LINT_PART_RULE, .dir = dir };

	if (!t->l->whole || p->tier != BH_TIER_APPLICATION || p->isolates[dir] ||
	    !only_allows(t, p, dir) || t->baseline[dir] ||
	    lint_group_any(t->l, &t->isolating[dir], p, meet))
		return 0;
	while (p->rules[dir][w.rule].action != BH_ACTION_ALLOW)
		w.rule++;
	return lint_warn(
	    t->l, &w, "w28",
	    dir == BH_DIR_INGRESS ? "add \"isolate: ingress\" if all else is to be refused"
				  : "add \"isolate: egress\" if all else is to be refused",
	    "allow rules for %s have no effect: neither this policy nor another one here "
	    "isolates these pods for %s, so everything is allowed",
	    bh_dir_name(dir), bh_dir_name(dir));
}

/* ---- DNS ---- */

static bool port_is_dns(const struct bh_port *p, uint8_t l4)
{
	if (p->l4 != l4 && p->l4 != BH_L4_ANY)
		return false;
	return p->name || (p->lo <= DNS_PORT && p->hi >= DNS_PORT);
}

static bool ports_are_dns(const struct bh_rule *r, uint8_t l4)
{
	for (size_t i = 0; i < r->n_ports; i++)
		if (port_is_dns(&r->ports[i], l4))
			return true;
	return r->n_ports == 0 && !r->has_ports;
}

/* To names alone nobody can ask DNS: they have no addresses before. */
static bool only_names(const struct bh_rule *r)
{
	for (size_t i = 0; i < r->n_peers; i++)
		if (r->peers[i].kind != BH_PEER_NAMES)
			return false;
	return r->n_peers > 0;
}

/* May be a way to ask DNS over this protocol. */
static bool rule_is_dns(const struct bh_rule *r, uint8_t l4)
{
	return r->action == BH_ACTION_ALLOW && ports_are_dns(r, l4) && !only_names(r) &&
	       lint_rule_speaks(r, BH_PROTO_DNS);
}

static bool allows_dns(const struct lint *l, const struct bh_policy *p, enum bh_dir dir)
{
	for (size_t i = 0; p->tier != BH_TIER_BASELINE && i < p->n_rules[dir]; i++)
		if (rule_is_dns(&p->rules[dir][i], BH_L4_UDP))
			return true;
	return false;
}

/* The rule to point at: the first that needs names, else the first that allows something beyond the own node. */
static const struct bh_rule *needs_dns(const struct bh_policy *p, bool *ret_by_name)
{
	const struct bh_rule *first = NULL;

	*ret_by_name = false;
	for (size_t i = 0; i < p->n_rules[BH_DIR_EGRESS]; i++) {
		const struct bh_rule *r = &p->rules[BH_DIR_EGRESS][i];

		if (r->action != BH_ACTION_ALLOW)
			continue;
		for (size_t k = 0; k < r->n_peers; k++) {
			if (r->peers[k].kind == BH_PEER_NAMES) {
				*ret_by_name = true;
				return r;
			}
		}
		if (!first)
			first = r;
	}
	return first;
}

static const struct bh_rule *dns_over_tcp(const struct bh_policy *p)
{
	for (size_t i = 0; i < p->n_rules[BH_DIR_EGRESS]; i++) {
		const struct bh_rule *r = &p->rules[BH_DIR_EGRESS][i];

		if (r->n_ports > 0 && rule_is_dns(r, BH_L4_TCP))
			return r;
	}
	return NULL;
}

/* The loader said so already, of this rule (w4: port 53 means TCP). */
static bool told(const struct lint *l, const struct bh_policy *p, const struct bh_rule *r)
{
	for (size_t i = 0; i < l->d->n; i++) {
		const struct bh_diag *g = &l->d->items[i];

		if (strcmp(g->code, "w4") == 0 && bh_streq(g->file, p->file) && r->n_ports > 0 &&
		    g->pos.line >= r->pos.line && g->pos.line <= r->ports[r->n_ports - 1].pos.line)
			return true;
	}
	return false;
}

#define DNS_HINT "add {to: [{entity: dns}], ports: [53/udp, 53/tcp]}"

static int forgotten_dns(struct traps *t, const struct bh_policy *p)
{
	bool standard = p->kind == BH_KIND_NETWORK_POLICY, by_name;
	const struct bh_rule *r = needs_dns(p, &by_name), *tcp;
	struct lint_where w = { .p = p, .part = LINT_PART_RULE, .dir = BH_DIR_EGRESS };
	const char *hint =
	    standard ? "add a rule for UDP and TCP port 53 to the resolvers" : DNS_HINT;
	/* A policy on trial isolates nobody yet. */
	const char *are = lint_enforced(t->l, p) ? "are" : "would be";

	if (!t->l->whole || !isolates(t->l, p, BH_DIR_EGRESS) || !r ||
	    lint_group_any(t->l, &t->asking_dns, p, meet))
		return 0;
	w.rule = (size_t)(r - p->rules[BH_DIR_EGRESS]);
	if (by_name)
		return lint_warn(
		    t->l, &w, "w41", hint,
		    "fqdn peers get their addresses from DNS answers, and nothing here allows these pods to "
		    "ask DNS (UDP 53), except at their own node");
	tcp = dns_over_tcp(p);
	if (!tcp)
		return lint_warn(
		    t->l, &w, "w40", hint,
		    "the pods %s isolated for egress, and nothing here allows them to ask DNS (UDP 53), "
		    "except at their own node",
		    are);
	w.rule = (size_t)(tcp - p->rules[BH_DIR_EGRESS]);
	if (told(t->l, p, tcp))
		return 0;
	return lint_warn(
	    t->l, &w, "w40", "add 53/udp",
	    "the pods %s isolated for egress, and nothing here allows DNS over UDP: TCP 53 alone "
	    "is not enough for most",
	    are);
}

/* ---- rules by themselves ---- */

/* Where protocols are spoken. Those that are not listed: TCP and UDP. */
static bool spoken_over(unsigned proto, uint8_t l4)
{
	static const uint8_t tcp_only[] = {
		BH_PROTO_HTTP,      BH_PROTO_HTTP2,     BH_PROTO_GRPC,      BH_PROTO_TLS,
		BH_PROTO_SSH,       BH_PROTO_REDIS,     BH_PROTO_POSTGRES,  BH_PROTO_MYSQL,
		BH_PROTO_MONGODB,   BH_PROTO_KAFKA,     BH_PROTO_AMQP,      BH_PROTO_NATS,
		BH_PROTO_CASSANDRA, BH_PROTO_ZOOKEEPER, BH_PROTO_SMTP,      BH_PROTO_FTP,
		BH_PROTO_IMAP,      BH_PROTO_POP3,      BH_PROTO_GIT,       BH_PROTO_RSYNC,
		BH_PROTO_VNC,       BH_PROTO_TELNET,    BH_PROTO_WEBSOCKET,
	};
	static const uint8_t udp_only[] = { BH_PROTO_QUIC, BH_PROTO_WIREGUARD, BH_PROTO_NTP };

	if (l4 == BH_L4_ICMP || l4 == BH_L4_ICMPV6)
		return false;
	for (size_t i = 0; i < BH_ARRAY_SIZE(tcp_only); i++)
		if (tcp_only[i] == proto)
			return l4 != BH_L4_UDP;
	for (size_t i = 0; i < BH_ARRAY_SIZE(udp_only); i++)
		if (udp_only[i] == proto)
			return l4 != BH_L4_TCP;
	return true;
}

/* One of the protocols may be spoken on one of the ports. */
static bool can_be_spoken(const struct bh_rule *r)
{
	if (!r->has_protocols || r->negated || r->n_ports == 0)
		return true;
	for (size_t i = 0; i < r->n_ports; i++) {
		if (r->ports[i].l4 == BH_L4_ANY || bh_protoset_has(&r->protocols, BH_PROTO_UNKNOWN))
			return true;
		for (unsigned p = BH_PROTO_FIRST; p < BH_PROTO_UNDECIDED; p++)
			if (bh_protoset_has(&r->protocols, p) && spoken_over(p, r->ports[i].l4))
				return true;
	}
	return false;
}

static int wrong_l4(struct lint *l, const struct lint_rule *a)
{
	const struct lint_where w = {
		.p = a->p, .part = LINT_PART_PROTOCOLS, .dir = a->dir, .rule = a->index
	};
	bh_cleanup(bh_buf_done) struct bh_buf who = BH_BUF_INIT;
	uint8_t l4 = a->r->ports[0].l4;
	unsigned first = BH_PROTO_FIRST;

	while (first < BH_PROTO_UNDECIDED && !bh_protoset_has(&a->r->protocols, first))
		first++;
	lint_put_rule(&who, a->r, a->dir, a->index);
	if (bh_buf_failed(&who))
		return -ENOMEM;
	return lint_warn(l, &w, "w30", NULL, "%s can match nothing: %s is never spoken over %s",
			 bh_buf_str(&who), bh_proto_name(first) ? bh_proto_name(first) : "that",
			 l4 == BH_L4_TCP   ? "TCP"
			 : l4 == BH_L4_UDP ? "UDP"
					   : "ICMP");
}

static bool contradicts(struct lint *l, const struct bh_selector *s)
{
	return !lint_selectors_meet(&l->steps, s, s);
}

/* No address is left of the block. */
static bool block_empty(struct lint *l, const struct bh_peer *p)
{
	return p->kind == BH_PEER_BLOCK &&
	       lint_prefix_covered(&l->steps, &p->block.cidr, p->block.except, p->block.n_except);
}

static bool peer_empty(struct lint *l, const struct lint_rule *a, const struct bh_peer *p)
{
	switch (p->kind) {
	case BH_PEER_ENDPOINTS:
		return (p->has_pod && contradicts(l, &p->pod)) ||
		       (p->has_ns && contradicts(l, &p->ns));
	case BH_PEER_NODES:
		return contradicts(l, &p->pod);
	case BH_PEER_BLOCK:
		return block_empty(l, p);
	case BH_PEER_UNKNOWN:
		/* A deny or pass rule with such a peer denies everything. */
		return a->r->action == BH_ACTION_ALLOW || a->r->action == BH_ACTION_ALERT ||
		       a->r->action == BH_ACTION_LOG;
	default:
		return false;
	}
}

static const char *empty_because(struct lint *l, const struct lint_rule *a)
{
	size_t empty = 0, later = 0;

	if (a->r->has_ports && a->r->n_ports == 0)
		return "nothing is left of its ports";
	if (a->r->has_protocols && !a->r->negated && bh_protoset_empty(&a->r->protocols))
		return "nothing is left of its protocols";
	for (size_t i = 0; i < a->r->n_peers; i++) {
		empty += peer_empty(l, a, &a->r->peers[i]);
		later += a->r->peers[i].kind == BH_PEER_UNKNOWN;
	}
	/* Of peers of a later version the loader has spoken. */
	if (a->r->n_peers == 0 || empty < a->r->n_peers || later == a->r->n_peers)
		return NULL;
	return "nothing is left of its peers";
}

static int empty_rule(struct lint *l, const struct lint_rule *a, const char *why)
{
	const struct lint_where w = {
		.p = a->p, .part = LINT_PART_RULE, .dir = a->dir, .rule = a->index
	};
	bh_cleanup(bh_buf_done) struct bh_buf who = BH_BUF_INIT;

	lint_put_rule(&who, a->r, a->dir, a->index);
	if (bh_buf_failed(&who))
		return -ENOMEM;
	return lint_warn(l, &w, "w27", NULL, "%s can match nothing: %s", bh_buf_str(&who), why);
}

static int contradiction(struct lint *l, const struct lint_where *w, const struct bh_selector *s)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;

	if (!contradicts(l, s))
		return 0;
	lint_put_selector(&text, s);
	if (bh_buf_failed(&text))
		return -ENOMEM;
	return lint_warn(l, w, "w31", NULL, "nothing can match the selector \"%s\"",
			 bh_buf_str(&text));
}

static int contradictions(struct lint *l, const struct bh_policy *p)
{
	struct lint_where w = { .p = p, .part = LINT_PART_PODS };
	int r = contradiction(l, &w, &p->pods);

	w.part = LINT_PART_NAMESPACES;
	if (r == 0 && p->has_ns)
		r = contradiction(l, &w, &p->ns_sel);
	return r;
}

static int contradictory_peer(struct lint *l, const struct lint_rule *a, size_t item)
{
	const struct bh_peer *peer = &a->r->peers[item];
	struct lint_where w = { .p = a->p,
				.part = LINT_PART_PEER_PODS,
				.dir = a->dir,
				.rule = a->index,
				.item = item };
	int r = 0;

	if ((peer->kind == BH_PEER_ENDPOINTS && peer->has_pod) || peer->kind == BH_PEER_NODES)
		r = contradiction(l, &w, &peer->pod);
	w.part = LINT_PART_PEER_NAMESPACES;
	if (r == 0 && peer->kind == BH_PEER_ENDPOINTS && peer->has_ns)
		r = contradiction(l, &w, &peer->ns);
	return r;
}

/* ---- address blocks and entities ---- */

static bool somebody_inside(const struct lint *l, const struct bh_prefix *p)
{
	for (size_t i = 0; i < l->in->n_eps; i++)
		for (size_t k = 0; k < l->in->eps[i]->n_addrs; k++)
			if (bh_prefix_contains(p, &l->in->eps[i]->addrs[k]))
				return true;
	for (size_t i = 0; i < l->in->set->n_nodes; i++)
		for (size_t k = 0; k < l->in->set->nodes[i]->n_addrs; k++)
			if (bh_prefix_contains(p, &l->in->set->nodes[i]->addrs[k]))
				return true;
	return false;
}

static const struct bh_prefix *loopback(uint8_t family)
{
	static const struct bh_prefix v4 = { { { 127 }, 4 }, 8 };
	static const struct bh_prefix v6 = { { { [15] = 1 }, 6 }, 128 };

	return family == 4 ? &v4 : &v6;
}

/* Whoever writes every pod or everybody beside it knows that pods are meant too. */
static bool means_pods_too(const struct bh_rule *r)
{
	if (lint_any_peer(r) || lint_has_entity(r, BH_ENTITY_CLUSTER))
		return true;
	for (size_t i = 0; i < r->n_peers; i++)
		if (r->peers[i].kind == BH_PEER_ENDPOINTS && r->peers[i].has_ns &&
		    r->peers[i].ns.n == 0 && (!r->peers[i].has_pod || r->peers[i].pod.n == 0))
			return true;
	return false;
}

static int block_and_cluster(struct lint *l, const struct lint_where *w, const struct bh_rule *r,
			     const struct bh_ip_block *b)
{
	const struct bh_surroundings *around = l->in->around;
	char block[BH_PREFIX_STRLEN], range[BH_PREFIX_STRLEN];

	for (size_t i = 0; around && i < around->n_cluster; i++) {
		const struct bh_prefix *c = &around->cluster[i];

		if (b->cidr.len < c->len && bh_prefix_covers(&b->cidr, c) && !means_pods_too(r) &&
		    !lint_prefix_covered(&l->steps, c, b->except, b->n_except) && !l->steps.empty)
			return lint_warn(
			    l, w, "w43",
			    "to leave them out, add it to \"except\", or write entity: world",
			    "ipBlock %s holds the cluster's own %s too: its pods and nodes are meant as well",
			    bh_prefix_format(&b->cidr, block), bh_prefix_format(c, range));
		if (l->in->endpoints == BH_LINT_ALL && bh_prefix_covers(c, &b->cidr) &&
		    lint_pay(&l->steps, l->in->n_eps) && !somebody_inside(l, &b->cidr))
			return lint_warn(
			    l, w, "w44",
			    "addresses of services are replaced before policies look: select the pods behind",
			    "ipBlock %s lies inside of the cluster's own %s, but no pod and no node has an "
			    "address in it",
			    bh_prefix_format(&b->cidr, block), bh_prefix_format(c, range));
	}
	return 0;
}

static int strange_peer(struct lint *l, const struct lint_rule *a, size_t item)
{
	const struct bh_peer *p = &a->r->peers[item];
	const struct lint_where w = {
		.p = a->p, .part = LINT_PART_PEER, .dir = a->dir, .rule = a->index, .item = item
	};
	char text[BH_PREFIX_STRLEN];

	if (p->kind == BH_PEER_ENTITY && p->entity == BH_ENTITY_DNS && l->in->no_resolvers)
		return lint_warn(
		    l, &w, "w45", "name them in the agent's configuration",
		    "entity dns means the configured resolvers, and none are configured: it "
		    "matches nothing");
	if (p->kind != BH_PEER_BLOCK)
		return 0;
	if (bh_prefix_covers(loopback(p->block.cidr.addr.family), &p->block.cidr))
		return lint_warn(
		    l, &w, "w42", NULL,
		    "ipBlock %s is loopback: such traffic never leaves a pod, so this matches "
		    "nothing",
		    bh_prefix_format(&p->block.cidr, text));
	return block_and_cluster(l, &w, a->r, &p->block);
}

/* ---- the whole ---- */

static int endless_trial(struct lint *l, const struct bh_policy *p)
{
	const struct lint_where w = { .p = p, .part = LINT_PART_MODE };
	bool monitor = p->mode == BH_MODE_MONITOR;

	if (p->expires || p->enforce_after || (!monitor && p->mode != BH_MODE_LEARN) ||
	    (p->mode == BH_MODE_LEARN && p->monitor_after))
		return 0;
	return lint_warn(l, &w, "w46",
			 "say how long: \"promote: {enforceAfter: TIME}\" or \"expires: TIME\"",
			 "mode %s has no end: nothing is refused until somebody remembers it",
			 bh_mode_name(p->mode));
}

static int look_at_rule(struct lint *l, struct lint_rule *a)
{
	const char *why = empty_because(l, a);
	size_t before = l->d->n_warnings;
	int r = 0;

	/* Of what matches nothing anything can be said. */
	a->odd |= why || contradicts(l, &a->p->pods);
	for (size_t i = 0; r == 0 && i < a->r->n_peers; i++) {
		r = contradictory_peer(l, a, i);
		if (r == 0)
			r = strange_peer(l, a, i);
	}
	if (r == 0 && why && l->d->n_warnings == before)
		r = empty_rule(l, a, why);
	else if (r == 0 && !why && !can_be_spoken(a->r))
		r = wrong_l4(l, a);
	return r;
}

static int look_at_policy(struct traps *t, const struct bh_policy *p)
{
	int r = contradictions(t->l, p);

	for (unsigned d = BH_DIR_INGRESS; r == 0 && d < BH_DIR_COUNT; d++)
		r = idle_rules(t, p, d);
	if (r == 0)
		r = forgotten_dns(t, p);
	if (r == 0)
		r = endless_trial(t->l, p);
	return r;
}

int lint_traps(struct lint *l)
{
	bh_cleanup(traps_done) struct traps t = { .l = l };
	int r = lint_group_make(l, &t.asking_dns, allows_dns, BH_DIR_EGRESS);

	for (unsigned d = BH_DIR_INGRESS; r == 0 && d < BH_DIR_COUNT; d++)
		r = lint_group_make(l, &t.isolating[d], isolates, d);
	for (size_t i = 0; i < l->n_rules; i++) {
		const struct lint_rule *a = &l->rules[i];

		t.baseline[a->dir] |= a->p->tier == BH_TIER_BASELINE;
		t.listening[a->dir] |= lint_asks(a->r) && (a->p->tier != BH_TIER_APPLICATION ||
							   a->r->action != BH_ACTION_ALLOW);
	}
	for (size_t i = 0; r == 0 && i < l->n_order; i++)
		r = look_at_policy(&t, l->order[i]);
	for (size_t i = 0; r == 0 && i < l->n_rules; i++)
		r = look_at_rule(l, &l->rules[i]);
	return r;
}
