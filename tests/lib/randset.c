/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/randset.c - random policy sets and endpoints
 */
#include "tests/lib/randset.h"

#include "common/util.h"

#include <stdio.h>
#include <string.h>

#define PICK(r, list) ((list)[rnd_below((r), (uint32_t)BH_ARRAY_SIZE(list))])

static const char *const namespaces[] = { "x", "y", "z", "undeclared" };
static const char *const keys[] = { "app", "role", "tier" };
static const char *const values[] = { "a", "b", "c", "" };
static const char *const port_names[] = { "web", "metrics", "nobody-has-it" };
static const char *const cidrs[] = {
	"0.0.0.0/0",   "10.0.0.0/8",      "10.0.1.0/24",       "10.0.1.128/25",    "10.0.1.4/30",
	"10.0.2.0/24", "192.0.2.0/24",    "10.0.1.5/32",       "255.255.255.0/24", "::/0",
	"fd00::/8",    "fd00:0:0:1::/64", "fd00:0:0:1::5/128", "2001:db8::/32",    "ffff::/16",
};
static const uint8_t protocols[] = { BH_PROTO_HTTP, BH_PROTO_TLS,   BH_PROTO_SSH,
				     BH_PROTO_DNS,  BH_PROTO_MYSQL, BH_PROTO_UNKNOWN };
static const char *const outside[] = {
	"192.0.2.1",       "10.0.1.200",    "10.0.1.6",    "10.200.0.1",     "203.0.113.9",
	"255.255.255.255", "0.0.0.0",       "2001:db8::1", "fd00:0:0:1::77", "fe80::1",
	"ffff:ffff::1",    "fd00:0:0:2::1", NULL,
};

/* Source: S. Vigna, splitmix64, public domain; written anew. */
static uint64_t rnd_next(struct rnd *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint32_t rnd_below(struct rnd *r, uint32_t n)
{
	return (uint32_t)(rnd_next(r) % n);
}

bool rnd_one_in(struct rnd *r, uint32_t n)
{
	return rnd_below(r, n) == 0;
}

const char *randset_outside(size_t i)
{
	return i < BH_ARRAY_SIZE(outside) ? outside[i] : NULL;
}

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static char *copy(const char *s)
{
	return must(strdup(s));
}

static void labels_random(struct rnd *r, struct bh_labels *l)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(keys); i++) {
		if (!rnd_one_in(r, 3) && bh_labels_set(l, keys[i], PICK(r, values)) < 0)
			abort();
	}
}

/* ---- endpoints ---- */

static void addr_random(struct rnd *r, unsigned i, bool v6, struct bh_addr *ret)
{
	char text[BH_ADDR_STRLEN];

	if (rnd_one_in(r, 12))
		i = rnd_below(r, 4); /* may be another's too */
	if (v6)
		snprintf(text, sizeof(text), "fd00:0:0:%x::%x", 1 + i % 3, i);
	else
		snprintf(text, sizeof(text), "10.0.%u.%u", 1 + i % 3, i < 3 ? 4 + i : 126 + i);
	if (bh_addr_parse(text, ret) < 0)
		abort();
}

static struct bh_endpoint *endpoint_random(struct rnd *r, unsigned i, unsigned local_percent)
{
	struct bh_endpoint *ep = must(calloc(1, sizeof(*ep)));
	char name[32];

	snprintf(name, sizeof(name), "pod-%u", i);
	ep->id = copy(name);
	ep->name = copy(name);
	ep->ns = copy(PICK(r, namespaces));
	ep->local = rnd_below(r, 100) < local_percent;
	labels_random(r, &ep->labels);
	ep->addrs = must(calloc(2, sizeof(*ep->addrs)));
	if (!rnd_one_in(r, 8))
		addr_random(r, i, false, &ep->addrs[ep->n_addrs++]);
	if (!rnd_one_in(r, 3))
		addr_random(r, i, true, &ep->addrs[ep->n_addrs++]);
	ep->ports = must(calloc(3, sizeof(*ep->ports)));
	while (ep->n_ports < 3 && !rnd_one_in(r, 3)) {
		static const uint16_t numbers[] = { 80, 81, 8080, 85 };
		struct bh_named_port *p = &ep->ports[ep->n_ports++];

		p->name = copy(port_names[rnd_below(r, 2)]);
		p->l4 = rnd_one_in(r, 4) ? BH_L4_UDP : BH_L4_TCP;
		p->port = PICK(r, numbers);
	}
	return ep;
}

struct bh_endpoint **randset_endpoints(struct rnd *r, const struct randset_config *c)
{
	struct bh_endpoint **eps = must(calloc(c->endpoints + 1, sizeof(struct bh_endpoint *)));

	for (unsigned i = 0; i < c->endpoints; i++)
		eps[i] = endpoint_random(r, i, c->local_percent);
	return eps;
}

void randset_endpoints_free(struct bh_endpoint **eps, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		bh_endpoint_free(eps[i]);
	free(eps);
}

/* ---- policies ---- */

static void selector_random(struct rnd *r, struct bh_selector *s, uint32_t all_one_in)
{
	size_t n = rnd_one_in(r, all_one_in) ? 0 : 1 + rnd_below(r, 2);

	s->reqs = must(calloc(n + 1, sizeof(*s->reqs)));
	for (; s->n < n; s->n++) {
		struct bh_sel_req *q = &s->reqs[s->n];

		q->op = BH_SEL_IN + rnd_below(r, 4);
		if (rnd_one_in(r, 2))
			q->op = BH_SEL_IN;
		q->key = copy(PICK(r, keys));
		if (q->op != BH_SEL_IN && q->op != BH_SEL_NOT_IN)
			continue;
		/* Sorted: "", then a or b, then c. */
		q->values = must(calloc(3, sizeof(*q->values)));
		if (rnd_one_in(r, 6))
			q->values[q->n_values++] = copy("");
		q->values[q->n_values++] = copy(values[rnd_below(r, 2)]);
		if (rnd_one_in(r, 4))
			q->values[q->n_values++] = copy("c");
	}
}

static void ns_selector_random(struct rnd *r, struct bh_selector *s)
{
	if (!rnd_one_in(r, 4)) {
		selector_random(r, s, 3);
		return;
	}
	s->reqs = must(calloc(1, sizeof(*s->reqs)));
	s->reqs[0].op = rnd_one_in(r, 4) ? BH_SEL_NOT_IN : BH_SEL_IN;
	s->reqs[0].key = copy("kubernetes.io/metadata.name");
	s->reqs[0].values = must(calloc(1, sizeof(*s->reqs[0].values)));
	s->reqs[0].values[0] = copy(PICK(r, namespaces));
	s->reqs[0].n_values = 1;
	s->n = 1;
}

static void block_random(struct rnd *r, struct bh_ip_block *b)
{
	if (bh_prefix_parse(PICK(r, cidrs), &b->cidr) < 0)
		abort();
	b->except = must(calloc(3, sizeof(*b->except)));
	for (size_t i = 0; i < 3; i++) {
		struct bh_prefix e;

		if (bh_prefix_parse(PICK(r, cidrs), &e) < 0)
			abort();
		if (e.len > b->cidr.len && bh_prefix_covers(&b->cidr, &e))
			b->except[b->n_except++] = e;
	}
}

static void peer_random(struct rnd *r, struct bh_peer *p)
{
	if (rnd_one_in(r, 3)) {
		p->kind = BH_PEER_BLOCK;
		block_random(r, &p->block);
		return;
	}
	p->kind = BH_PEER_ENDPOINTS;
	p->has_pod = !rnd_one_in(r, 3);
	p->has_ns = !p->has_pod || rnd_one_in(r, 3);
	if (p->has_pod)
		selector_random(r, &p->pod, 5);
	if (p->has_ns)
		ns_selector_random(r, &p->ns);
}

static void port_random(struct rnd *r, struct bh_port *p)
{
	static const uint8_t l4s[] = { BH_L4_TCP,  BH_L4_TCP, BH_L4_TCP, BH_L4_UDP,
				       BH_L4_SCTP, BH_L4_ANY, BH_L4_ICMP };
	static const uint16_t ranges[][2] = {
		{ 80, 80 },   { 81, 81 },   { 8080, 8080 }, { 80, 90 },       { 79, 81 },
		{ 85, 8080 }, { 1, 65535 }, { 0, 65535 },   { 65535, 65535 }, { 86, 87 },
	};
	const uint16_t *range = PICK(r, ranges);

	p->l4 = PICK(r, l4s);
	if (p->l4 == BH_L4_ICMP || p->l4 == BH_L4_ANY) {
		p->hi = UINT16_MAX;
		if (p->l4 == BH_L4_ICMP || rnd_one_in(r, 2))
			return;
	}
	if (rnd_one_in(r, 4)) {
		p->name = copy(PICK(r, port_names));
		return;
	}
	p->lo = range[0];
	p->hi = range[1];
}

static void rule_random(struct rnd *r, struct bh_rule *rule, bool network_policy)
{
	static const enum bh_action actions[] = {
		BH_ACTION_ALLOW,  BH_ACTION_ALLOW, BH_ACTION_ALLOW, BH_ACTION_DENY,
		BH_ACTION_REJECT, BH_ACTION_ALERT, BH_ACTION_LOG,
	};
	size_t n_peers = rnd_below(r, 3), n_ports = rnd_below(r, 3);

	rule->action = network_policy ? BH_ACTION_ALLOW : PICK(r, actions);
	rule->peers = must(calloc(n_peers + 1, sizeof(*rule->peers)));
	for (; rule->n_peers < n_peers; rule->n_peers++)
		peer_random(r, &rule->peers[rule->n_peers]);
	rule->ports = must(calloc(n_ports + 1, sizeof(*rule->ports)));
	for (; rule->n_ports < n_ports; rule->n_ports++)
		port_random(r, &rule->ports[rule->n_ports]);
	if (network_policy || rnd_one_in(r, 2))
		return;
	rule->has_protocols = true;
	rule->negated = rnd_one_in(r, 4);
	for (uint32_t n = 1 + rnd_below(r, 3); n > 0; n--)
		bh_protoset_add(&rule->protocols, PICK(r, protocols));
}

static struct bh_policy *policy_random(struct rnd *r, unsigned i, bool network_policy)
{
	struct bh_policy *p = must(calloc(1, sizeof(*p)));
	char name[32];

	snprintf(name, sizeof(name), "p%03u", i);
	p->kind = network_policy ? BH_KIND_NETWORK_POLICY : BH_KIND_TRAFFIC_POLICY;
	p->ns = copy(PICK(r, namespaces));
	p->name = copy(name);
	p->file = copy("random.yaml");
	p->source = copy("");
	p->tier = BH_TIER_APPLICATION;
	p->priority = -1;
	p->mode = !network_policy && rnd_one_in(r, 4) ? BH_MODE_MONITOR : BH_MODE_ENFORCE;
	p->unknown = BH_FAIL_REFUSE;
	if (!network_policy && rnd_one_in(r, 4))
		p->unknown = BH_FAIL_ALLOW;
	else if (!network_policy && rnd_one_in(r, 4))
		p->unknown = BH_FAIL_ALERT;
	selector_random(r, &p->pods, 3);
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		size_t n = rnd_below(r, 4);

		p->isolates[d] = rnd_one_in(r, 2);
		p->rules[d] = must(calloc(n + 1, sizeof(*p->rules[d])));
		for (; p->n_rules[d] < n; p->n_rules[d]++) {
			rule_random(r, &p->rules[d][p->n_rules[d]], network_policy);
			p->rules[d][p->n_rules[d]].unknown = p->unknown;
		}
	}
	return p;
}

struct bh_policy_set *randset_policies(struct rnd *r, const struct randset_config *c)
{
	struct bh_policy_set *set = must(bh_policy_set_new());
	unsigned network = c->traffic_only_allow ? c->policies : rnd_below(r, c->policies + 1) / 2;

	/* Sorted by kind, namespace, name: the kinds apart, names in order within each namespace. */
	set->policies = must(calloc(c->policies + 1, sizeof(struct bh_policy *)));
	for (unsigned i = 0; i < c->policies; i++) {
		struct bh_policy *p = policy_random(r, i, i < network);
		size_t at = set->n_policies++;

		for (; at > 0; at--) {
			const struct bh_policy *q = set->policies[at - 1];

			if (q->kind < p->kind || (q->kind == p->kind && strcmp(q->ns, p->ns) <= 0))
				break;
			set->policies[at] = set->policies[at - 1];
		}
		set->policies[at] = p;
	}
	set->namespaces = must(calloc(3, sizeof(struct bh_namespace *)));
	for (; set->n_namespaces < 3; set->n_namespaces++) {
		struct bh_namespace *ns = must(calloc(1, sizeof(*ns)));

		ns->name = copy(namespaces[set->n_namespaces]);
		ns->file = copy("random.yaml");
		labels_random(r, &ns->labels);
		if (bh_labels_set(&ns->labels, "kubernetes.io/metadata.name", ns->name) < 0)
			abort();
		set->namespaces[set->n_namespaces] = ns;
	}
	return set;
}
