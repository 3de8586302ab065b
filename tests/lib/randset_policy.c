/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/randset_policy.c - policies: who they are, whom they select, what each kind may say
 */
#include "tests/lib/randset_internal.h"

#include <stdio.h>
#include <string.h>

static const char *const cidrs[] = {
	"0.0.0.0/0",   "10.0.0.0/8",      "10.0.1.0/24",       "10.0.1.128/25",    "10.0.1.4/30",
	"10.0.2.0/24", "192.0.2.0/24",    "10.0.1.5/32",       "255.255.255.0/24", "::/0",
	"fd00::/8",    "fd00:0:0:1::/64", "fd00:0:0:1::5/128", "2001:db8::/32",    "ffff::/16",
};
static const char *const name_patterns[] = { "api.pay.example", "*.bank.example", "*.example",
					     "nobody.example" };

static bool is_ours(enum bh_kind k)
{
	return k == BH_KIND_TRAFFIC_POLICY || k == BH_KIND_CLUSTER_TRAFFIC_POLICY;
}

/* ---- peers ---- */

static void block_random(struct rnd *r, struct bh_ip_block *b, bool except)
{
	if (bh_prefix_parse(PICK(r, cidrs), &b->cidr) < 0)
		abort();
	b->except = rs_must(calloc(3, sizeof(*b->except)));
	for (size_t i = 0; i < 3; i++) {
		struct bh_prefix e;

		if (bh_prefix_parse(PICK(r, cidrs), &e) < 0)
			abort();
		if (except && e.len > b->cidr.len && bh_prefix_covers(&b->cidr, &e))
			b->except[b->n_except++] = e;
	}
}

static void endpoints_random(struct rnd *r, struct bh_peer *p, bool cluster)
{
	p->kind = BH_PEER_ENDPOINTS;
	p->has_pod = !rnd_one_in(r, 3);
	p->has_ns = !p->has_pod || rnd_one_in(r, cluster ? 2 : 3);
	if (p->has_pod)
		rs_selector_random(r, &p->pod, 5);
	if (p->has_ns)
		rs_ns_selector_random(r, &p->ns);
}

static void names_random(struct rnd *r, struct bh_peer *p)
{
	size_t n = 1 + rnd_below(r, 2);

	p->kind = BH_PEER_NAMES;
	p->names.items = rs_must(calloc(n, sizeof(*p->names.items)));
	while (p->names.n < n)
		p->names.items[p->names.n++] = rs_copy(PICK(r, name_patterns));
}

/* Egress of the standard cluster-scoped kinds, and ours: nodes and names; a peer of a later version. */
static bool special_random(struct rnd *r, struct bh_peer *p, const struct bh_policy *by,
			   enum bh_dir dir, bool allow, unsigned features)
{
	bool ours =
	    by->kind == BH_KIND_TRAFFIC_POLICY || by->kind == BH_KIND_CLUSTER_TRAFFIC_POLICY;
	bool standard = !ours && by->kind != BH_KIND_NETWORK_POLICY;

	if (ours && (features & RANDSET_ENTITY) && rnd_one_in(r, 3)) {
		p->kind = BH_PEER_ENTITY;
		p->entity = BH_ENTITY_WORLD + rnd_below(r, BH_ENTITY_COUNT - BH_ENTITY_WORLD);
		return true;
	}
	if (standard && (features & RANDSET_UNKNOWN) && rnd_one_in(r, 8)) {
		p->kind = BH_PEER_UNKNOWN;
		return true;
	}
	if (dir != BH_DIR_EGRESS)
		return false;
	if (standard && (features & RANDSET_NODE) && rnd_one_in(r, 5)) {
		p->kind = BH_PEER_NODES;
		rs_selector_random(r, &p->pod, 4);
		return true;
	}
	if ((ours || standard) && allow && (features & RANDSET_NAME) && rnd_one_in(r, 4)) {
		names_random(r, p);
		return true;
	}
	return false;
}

static void peer_random(struct rnd *r, struct bh_peer *p, const struct bh_policy *by,
			enum bh_dir dir, bool allow, unsigned features)
{
	bool cluster = *by->ns == '\0';
	bool blocks =
	    !cluster || by->kind == BH_KIND_CLUSTER_TRAFFIC_POLICY || dir == BH_DIR_EGRESS;

	if (features && special_random(r, p, by, dir, allow, features))
		return;
	if (blocks && rnd_one_in(r, 3)) {
		p->kind = BH_PEER_BLOCK;
		block_random(r, &p->block, !cluster || by->kind == BH_KIND_CLUSTER_TRAFFIC_POLICY);
		return;
	}
	endpoints_random(r, p, cluster);
}

/* ---- ports ---- */

static void icmp_random(struct rnd *r, struct bh_port *p)
{
	static const uint16_t types[] = { 8, 3, 128, 0 };
	uint16_t type = (uint16_t)(PICK(r, types) << 8);

	p->l4 = rnd_one_in(r, 2) ? BH_L4_ICMP : BH_L4_ICMPV6;
	p->lo = type;
	p->hi = type | 0xff;
	/* Type 0, code 0 alone is an echo reply, which no connection begins with: the loader lets it match nothing. */
	if (rnd_one_in(r, 3))
		p->lo = p->hi = type | (uint16_t)(rnd_below(r, 3) + (type == 0));
}

static void port_random(struct rnd *r, struct bh_port *p, unsigned features)
{
	static const uint8_t l4s[] = { BH_L4_TCP,  BH_L4_TCP, BH_L4_TCP, BH_L4_UDP,
				       BH_L4_SCTP, BH_L4_ANY, BH_L4_ICMP };
	static const uint16_t ranges[][2] = {
		{ 80, 80 },   { 81, 81 },   { 8080, 8080 }, { 80, 90 },       { 79, 81 },
		{ 85, 8080 }, { 1, 65535 }, { 0, 65535 },   { 65535, 65535 }, { 86, 87 },
	};
	const uint16_t *range = PICK(r, ranges);

	if ((features & RANDSET_ICMP) && rnd_one_in(r, 5)) {
		icmp_random(r, p);
		return;
	}
	p->l4 = PICK(r, l4s);
	if (p->l4 == BH_L4_ICMP || p->l4 == BH_L4_ANY) {
		p->hi = UINT16_MAX;
		if (p->l4 == BH_L4_ANY && rnd_one_in(r, 2))
			p->name = rs_copy(rs_port_name(r));
		return;
	}
	if (rnd_one_in(r, 4)) {
		p->name = rs_copy(rs_port_name(r));
		return;
	}
	p->lo = range[0];
	p->hi = range[1];
}

/* ---- rules ---- */

static enum bh_action action_random(struct rnd *r, const struct bh_policy *p)
{
	static const enum bh_action ours[] = {
		BH_ACTION_ALLOW,  BH_ACTION_ALLOW, BH_ACTION_ALLOW, BH_ACTION_DENY,
		BH_ACTION_REJECT, BH_ACTION_ALERT, BH_ACTION_LOG,   BH_ACTION_PASS,
	};
	static const enum bh_action standard[] = { BH_ACTION_ALLOW, BH_ACTION_DENY,
						   BH_ACTION_PASS };

	switch (p->kind) {
	case BH_KIND_NETWORK_POLICY:
		return BH_ACTION_ALLOW;
	case BH_KIND_CLUSTER_NETWORK_POLICY:
	case BH_KIND_ADMIN_NETWORK_POLICY:
		return PICK(r, standard);
	case BH_KIND_BASELINE_ADMIN_NETWORK_POLICY:
		return standard[rnd_below(r, 2)];
	default:
		return ours[rnd_below(r, p->tier == BH_TIER_APPLICATION ? 7 : 8)];
	}
}

static void rules_random(struct rnd *r, struct bh_policy *p, enum bh_dir dir,
			 const struct randset_config *c)
{
	size_t n = rnd_below(r, c->rules ? c->rules + 1 : 4);

	p->rules[dir] = rs_must(calloc(n + 1, sizeof(*p->rules[dir])));
	for (; p->n_rules[dir] < n; p->n_rules[dir]++) {
		struct bh_rule *rule = &p->rules[dir][p->n_rules[dir]];
		size_t n_peers = rnd_below(r, 3), n_ports = rnd_below(r, 3);
		bool ours = is_ours(p->kind), cluster = *p->ns == '\0';

		rule->action = action_random(r, p);
		if (cluster && !ours && n_peers == 0)
			n_peers = 1;
		rule->peers = rs_must(calloc(n_peers + 1, sizeof(*rule->peers)));
		for (; rule->n_peers < n_peers; rule->n_peers++)
			peer_random(r, &rule->peers[rule->n_peers], p, dir,
				    rule->action == BH_ACTION_ALLOW, c->features);
		rule->ports = rs_must(calloc(n_ports + 1, sizeof(*rule->ports)));
		for (; rule->n_ports < n_ports; rule->n_ports++)
			port_random(r, &rule->ports[rule->n_ports], c->features);
		/* What asks for nothing but replies to a ping comes to nothing. */
		rule->has_ports =
		    n_ports > 0 || (ours && (c->features & RANDSET_ICMP) && rnd_one_in(r, 12));
		rule->unknown = p->unknown;
		rule->on_overload = rule->midstream = BH_FAIL_REFUSE;
		rule->urgency = BH_URGENCY_INFO;
		rule->switches = BH_SWITCH_USUAL;
		rule->proxy = BH_PROXY_REFUSE;
		if (rnd_one_in(r, 3)) {
			char name[16];

			snprintf(name, sizeof(name), "rule-%zu", p->n_rules[dir]);
			rule->name = rs_copy(name);
		}
		rs_rule_random(r, rule, p, dir, c);
	}
}

/* ---- policies ---- */

void rs_identity_random(struct rnd *r, const struct randset_config *c, unsigned i,
			struct rs_identity *ret)
{
	static const enum bh_kind kinds[] = {
		BH_KIND_TRAFFIC_POLICY,         BH_KIND_TRAFFIC_POLICY,
		BH_KIND_TRAFFIC_POLICY,         BH_KIND_NETWORK_POLICY,
		BH_KIND_CLUSTER_TRAFFIC_POLICY, BH_KIND_CLUSTER_TRAFFIC_POLICY,
		BH_KIND_CLUSTER_TRAFFIC_POLICY, BH_KIND_CLUSTER_NETWORK_POLICY,
		BH_KIND_ADMIN_NETWORK_POLICY,   BH_KIND_BASELINE_ADMIN_NETWORK_POLICY,
	};

	*ret = (struct rs_identity){
		.kind = kinds[rnd_below(r, c->features & RANDSET_CLUSTER ? 10 : 4)],
	};
	if (c->traffic_only_allow)
		ret->kind = BH_KIND_NETWORK_POLICY;
	if (!bh_kind_is_cluster(ret->kind))
		snprintf(ret->ns, sizeof(ret->ns), "%s", rs_namespace(r));
	/* Also a name that another has: of another kind, or in another namespace. */
	if (i > 0 && rnd_one_in(r, 6))
		i = rnd_below(r, i);
	snprintf(ret->name, sizeof(ret->name), "p%03u", i);
	if (ret->kind == BH_KIND_BASELINE_ADMIN_NETWORK_POLICY)
		snprintf(ret->name, sizeof(ret->name), "default");
}

static enum bh_fail fail_random(struct rnd *r)
{
	return rnd_one_in(r, 2) ? BH_FAIL_REFUSE : BH_FAIL_REFUSE + rnd_below(r, 3);
}

static void place_random(struct rnd *r, struct bh_policy *p)
{
	static const int priorities[] = { 0, 5, 5, 5, 10, 1000 };

	p->tier = BH_TIER_APPLICATION;
	p->priority = -1;
	switch (p->kind) {
	case BH_KIND_ADMIN_NETWORK_POLICY:
		p->tier = BH_TIER_ADMIN;
		break;
	case BH_KIND_BASELINE_ADMIN_NETWORK_POLICY:
		p->tier = BH_TIER_BASELINE;
		p->priority = BH_PRIORITY_NONE;
		return;
	case BH_KIND_CLUSTER_NETWORK_POLICY:
		p->tier = rnd_one_in(r, 2) ? BH_TIER_ADMIN : BH_TIER_BASELINE;
		break;
	case BH_KIND_CLUSTER_TRAFFIC_POLICY:
		p->tier = BH_TIER_ADMIN + rnd_below(r, 3);
		break;
	default:
		break;
	}
	if (p->tier != BH_TIER_APPLICATION)
		p->priority = PICK(r, priorities);
}

static void time_random(struct rnd *r, struct bh_policy *p, int64_t now)
{
	static const int64_t near[] = { -3600, -1, 0, 1, 60, 3600, 86400 };

	if (rnd_one_in(r, 8))
		p->expires = now + PICK(r, near);
	if (p->mode == BH_MODE_LEARN && rnd_one_in(r, 3))
		p->monitor_after = now + PICK(r, near);
	if (p->mode != BH_MODE_ENFORCE && rnd_one_in(r, 3)) {
		p->enforce_after = now + PICK(r, near);
		if (p->monitor_after >= p->enforce_after)
			p->monitor_after = p->enforce_after - 1;
	}
}

/* In the application tier of our kinds. */
static void unknown_random(struct rnd *r, struct bh_policy *p)
{
	if (rnd_one_in(r, 4))
		p->unknown = BH_FAIL_ALLOW;
	else if (rnd_one_in(r, 4))
		p->unknown = BH_FAIL_ALERT;
}

static void subjects_random(struct rnd *r, struct bh_policy *p)
{
	if (*p->ns == '\0' && !rnd_one_in(r, 3)) {
		p->has_ns = true;
		rs_ns_selector_random(r, &p->ns_sel);
	}
	rs_selector_random(r, &p->pods, 3);
}

struct bh_policy *rs_policy_make(const struct rs_identity *id, uint64_t seed,
				 const struct randset_config *c)
{
	struct bh_policy *p = rs_must(calloc(1, sizeof(*p)));
	bool ours =
	    id->kind == BH_KIND_TRAFFIC_POLICY || id->kind == BH_KIND_CLUSTER_TRAFFIC_POLICY;
	bool isolates = ours || id->kind == BH_KIND_NETWORK_POLICY;
	struct rnd r = { .state = seed };
	char text[64];

	p->kind = id->kind;
	p->ns = rs_copy(id->ns);
	p->name = rs_copy(id->name);
	p->file = rs_copy("random.yaml");
	/* Whoever compares texts sees another one where there is another content. */
	snprintf(text, sizeof(text), "# %llx\n", (unsigned long long)seed);
	p->source = rs_copy(text);
	place_random(&r, p);
	p->mode = ours && rnd_one_in(&r, 4) ? BH_MODE_MONITOR : BH_MODE_ENFORCE;
	if (ours && (c->features & RANDSET_LEARN) && rnd_one_in(&r, 8))
		p->mode = BH_MODE_LEARN;
	p->unknown = BH_FAIL_REFUSE;
	if (ours && p->tier == BH_TIER_APPLICATION)
		unknown_random(&r, p);
	if (ours && (c->features & RANDSET_TIME))
		time_random(&r, p, c->now);
	subjects_random(&r, p);
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		p->isolates[d] = isolates && p->tier == BH_TIER_APPLICATION && rnd_one_in(&r, 2);
		rules_random(&r, p, d, c);
	}
	for (enum bh_dir d = BH_DIR_INGRESS; (c->features & RANDSET_FAIL) && d < BH_DIR_COUNT;
	     d++) {
		for (size_t i = 0; ours && i < p->n_rules[d]; i++) {
			struct bh_rule *rule = &p->rules[d][i];

			rule->on_overload = fail_random(&r);
			rule->midstream = fail_random(&r);
			rule->urgency = BH_URGENCY_INFO + rnd_below(&r, 3);
			rule->evidence = (uint16_t)rnd_below(&r, 65);
			if (rnd_one_in(&r, 3))
				rule->switches = (uint8_t)rnd_below(&r, 4);
			rule->proxy = BH_PROXY_REFUSE + rnd_below(&r, 3);
			if (p->tier == BH_TIER_APPLICATION && rnd_one_in(&r, 3))
				rule->unknown = fail_random(&r);
		}
	}
	return p;
}
