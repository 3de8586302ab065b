/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/randset_change.c - a random world, and what changes in it
 *
 * A change makes new objects and frees the old ones: whoever borrowed one has it no more. Policies that did not
 * change are the same objects.
 */
#include "tests/lib/randset_internal.h"

#include "policy/when.h"

#include <stdio.h>
#include <string.h>

/* ---- surroundings ---- */

static void around_random(struct randset *w)
{
	static const char *const ranges[] = { "10.0.0.0/8", "10.0.1.0/24", "fd00::/8" };
	static const char *const resolvers[] = { "10.0.1.4", "192.0.2.53", "fd00:0:0:1::4" };
	static const char *const names[] = { "api.pay.example", "pay.example", "www.bank.example",
					     "x.y.bank.example" };
	static const char *const addrs[] = { "203.0.113.9", "10.0.2.5", "192.0.2.1", "2001:db8::1",
					     "10.0.1.200" };

	w->around = (struct bh_surroundings){ .cluster = w->cluster,
					      .resolvers = w->resolvers,
					      .names = w->names };
	for (uint32_t n = rnd_below(&w->r, 3); n > 0; n--) {
		if (bh_prefix_parse(PICK(&w->r, ranges), &w->cluster[w->around.n_cluster++]) < 0)
			abort();
	}
	for (uint32_t n = rnd_below(&w->r, 3); n > 0; n--) {
		if (bh_addr_parse(PICK(&w->r, resolvers), &w->resolvers[w->around.n_resolvers++]) <
		    0)
			abort();
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(names); i++) {
		struct bh_known_name *k = &w->names[w->around.n_names];

		if (rnd_one_in(&w->r, 3))
			continue;
		*k = (struct bh_known_name){ names[i], w->name_addrs[w->around.n_names], 0 };
		for (; k->n < rnd_below(&w->r, 3); k->n++) {
			if (bh_addr_parse(PICK(&w->r, addrs),
					  &w->name_addrs[w->around.n_names][k->n]) < 0)
				abort();
		}
		w->around.n_names++;
	}
}

/* ---- the world ---- */

static void nodes_random(struct randset *w)
{
	w->set->nodes = rs_must(calloc(w->cfg.nodes + 1, sizeof(struct bh_node *)));
	for (unsigned i = 0; i < w->cfg.nodes; i++)
		w->set->nodes[w->set->n_nodes++] = rs_node_random(&w->r, i);
}

struct randset *randset_new(uint64_t seed, const struct randset_config *c)
{
	struct randset *w = rs_must(calloc(1, sizeof(*w)));

	w->cfg = *c;
	w->r.state = seed;
	w->now = c->now;
	w->set = randset_policies(&w->r, c);
	w->eps = randset_endpoints(&w->r, c);
	w->n_eps = c->endpoints;
	w->made = c->policies > c->endpoints ? c->policies : c->endpoints;
	nodes_random(w);
	around_random(w);
	return w;
}

struct randset *randset_free(struct randset *w)
{
	if (w) {
		bh_policy_set_free(w->set);
		randset_endpoints_free(w->eps, w->n_eps);
		free(w);
	}
	return NULL;
}

/* ---- endpoints ---- */

static struct bh_endpoint *endpoint_copy(const struct bh_endpoint *ep)
{
	struct bh_endpoint *n = rs_must(calloc(1, sizeof(*n)));

	n->id = rs_copy(ep->id);
	n->ns = rs_copy(ep->ns);
	n->name = rs_copy(ep->name);
	n->node = ep->node ? rs_copy(ep->node) : NULL;
	n->local = ep->local;
	n->host_judged = ep->host_judged;
	for (size_t i = 0; i < ep->labels.n; i++) {
		if (bh_labels_set(&n->labels, ep->labels.items[i].key, ep->labels.items[i].value) <
		    0)
			abort();
	}
	n->addrs = rs_must(calloc(ep->n_addrs + 1, sizeof(*n->addrs)));
	for (; n->n_addrs < ep->n_addrs; n->n_addrs++)
		n->addrs[n->n_addrs] = ep->addrs[n->n_addrs];
	n->ports = rs_must(calloc(ep->n_ports + 1, sizeof(*n->ports)));
	for (; n->n_ports < ep->n_ports; n->n_ports++) {
		n->ports[n->n_ports] = ep->ports[n->n_ports];
		n->ports[n->n_ports].name = rs_copy(ep->ports[n->n_ports].name);
	}
	return n;
}

static bool endpoint_new(struct randset *w, struct randset_change *ret)
{
	unsigned at = rnd_below(&w->r, w->n_eps + 1);

	/* Where one has gone, or at the end. */
	if (at < w->n_eps && w->eps[at])
		at = w->n_eps;
	if (at == w->n_eps) {
		w->eps = rs_must(reallocarray(w->eps, w->n_eps + 1, sizeof(struct bh_endpoint *)));
		w->n_eps++;
	}
	w->eps[at] = rs_endpoint_random(&w->r, w->made++, &w->cfg);
	ret->endpoint = at;
	return true;
}

static void endpoint_moves(struct randset *w, struct bh_endpoint *ep)
{
	struct bh_addr *a;

	if (ep->n_addrs == 0) {
		rs_addr_random(&w->r, w->made++, false, &ep->addrs[ep->n_addrs++]);
		return;
	}
	a = &ep->addrs[rnd_below(&w->r, (uint32_t)ep->n_addrs)];
	/* An address of somebody else, or one that nobody had. */
	rs_addr_random(&w->r, rnd_one_in(&w->r, 2) ? rnd_below(&w->r, w->made) : w->made++,
		       a->family == 6, a);
}

static void endpoint_ports_change(struct randset *w, struct bh_endpoint *ep)
{
	if (ep->n_ports > 0 && rnd_one_in(&w->r, 2)) {
		free(ep->ports[--ep->n_ports].name);
		return;
	}
	ep->ports = rs_must(reallocarray(ep->ports, ep->n_ports + 1, sizeof(struct bh_named_port)));
	ep->ports[ep->n_ports++] = (struct bh_named_port){
		.name = rs_copy(rs_port_name(&w->r)),
		.l4 = BH_L4_TCP,
		.port = (uint16_t)(80 + rnd_below(&w->r, 8)),
	};
}

static bool endpoint_change(struct randset *w, enum randset_kind kind, struct randset_change *ret)
{
	struct bh_endpoint *ep;
	unsigned at;

	if (kind == RANDSET_EP_NEW)
		return endpoint_new(w, ret);
	at = w->n_eps ? rnd_below(&w->r, w->n_eps) : 0;
	if (at >= w->n_eps || !w->eps[at])
		return false;
	ep = endpoint_copy(w->eps[at]);
	switch (kind) {
	case RANDSET_EP_RELABELLED:
		bh_labels_done(&ep->labels);
		rs_labels_random(&w->r, &ep->labels);
		break;
	case RANDSET_EP_MOVED:
		endpoint_moves(w, ep);
		break;
	case RANDSET_EP_LOCAL:
		ep->local = !ep->local;
		break;
	case RANDSET_EP_PORTS:
		endpoint_ports_change(w, ep);
		break;
	case RANDSET_EP_HOST:
		ep->host_judged = !ep->host_judged;
		break;
	default: /* gone */
		bh_endpoint_free(ep);
		ep = NULL;
	}
	bh_endpoint_free(w->eps[at]);
	w->eps[at] = ep;
	ret->endpoint = at;
	return true;
}

/* ---- policies, namespaces, nodes ---- */

/* The set with other objects: everything but policies is made anew by the callers. */
static void identity_of(const struct bh_policy *p, struct rs_identity *ret)
{
	*ret = (struct rs_identity){ .kind = p->kind };
	snprintf(ret->ns, sizeof(ret->ns), "%s", p->ns);
	snprintf(ret->name, sizeof(ret->name), "%s", p->name);
}

static uint64_t seed_of(const struct bh_policy *p)
{
	return strtoull(p->source + 2, NULL, 16);
}

static void policy_replace(struct randset *w, size_t i, uint64_t seed)
{
	struct rs_identity id;

	identity_of(w->set->policies[i], &id);
	bh_policy_free(w->set->policies[i]);
	w->set->policies[i] = rs_policy_make(&id, seed, &w->cfg);
}

static bool policy_change(struct randset *w, enum randset_kind kind)
{
	struct bh_policy_set *s = w->set;
	struct rs_identity id;
	struct bh_policy *p;
	size_t i = 0;

	if (kind != RANDSET_POLICY_ADDED) {
		if (s->n_policies == 0)
			return false;
		i = rnd_below(&w->r, (uint32_t)s->n_policies);
	}
	switch (kind) {
	case RANDSET_POLICY_ADDED:
		rs_identity_random(&w->r, &w->cfg, w->made++, &id);
		p = rs_policy_make(&id, rnd_next(&w->r), &w->cfg);
		if (rs_set_insert(s, p))
			return true;
		bh_policy_free(p);
		return false;
	case RANDSET_POLICY_REMOVED:
		bh_policy_free(s->policies[i]);
		s->n_policies--;
		memmove(s->policies + i, s->policies + i + 1,
			(s->n_policies - i) * sizeof(struct bh_policy *));
		return true;
	case RANDSET_POLICY_ALTERED:
		policy_replace(w, i, rnd_next(&w->r));
		return true;
	default: /* again */
		for (i = 0; i < s->n_policies; i++)
			policy_replace(w, i, seed_of(s->policies[i]));
		return true;
	}
}

static bool namespace_change(struct randset *w)
{
	const char *name = rs_namespace(&w->r);
	struct bh_policy_set *s = w->set;
	size_t at = 0, n = s->n_namespaces;

	while (at < n && strcmp(s->namespaces[at]->name, name) < 0)
		at++;
	if (at == n || strcmp(s->namespaces[at]->name, name) != 0) {
		memmove(s->namespaces + at + 1, s->namespaces + at,
			(n - at) * sizeof(struct bh_namespace *));
		s->namespaces[at] = rs_namespace_random(&w->r, name);
		s->n_namespaces++;
		return true;
	}
	bh_namespace_free(s->namespaces[at]);
	if (rnd_one_in(&w->r, 4)) {
		s->n_namespaces--;
		memmove(s->namespaces + at, s->namespaces + at + 1,
			(s->n_namespaces - at) * sizeof(struct bh_namespace *));
		return true;
	}
	s->namespaces[at] = rs_namespace_random(&w->r, name);
	return true;
}

static bool node_change(struct randset *w)
{
	struct bh_policy_set *s = w->set;
	size_t i;

	if (s->n_nodes == 0)
		return false;
	i = rnd_below(&w->r, (uint32_t)s->n_nodes);
	if (rnd_one_in(&w->r, 6)) {
		bh_node_free(s->nodes[i]);
		s->n_nodes--;
		memmove(s->nodes + i, s->nodes + i + 1,
			(s->n_nodes - i) * sizeof(struct bh_node *));
		return true;
	}
	/* Names are sorted, so it keeps its own. */
	unsigned number = (unsigned)strtoul(s->nodes[i]->name + strlen("node-"), NULL, 10);

	bh_node_free(s->nodes[i]);
	s->nodes[i] = rs_node_random(&w->r, number);
	return true;
}

/* To the next moment at which something begins or ends, just short of it, or on and on. */
static void time_passes(struct randset *w)
{
	static const int64_t steps[] = { 1, 60, 3600, 86400 };
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < w->set->n_policies; i++)
		next = BH_MIN(next, bh_policy_next(w->set->policies[i], w->now));
	if (next == INT64_MAX || rnd_one_in(&w->r, 4))
		w->now += PICK(&w->r, steps);
	else
		w->now = next - (next > w->now + 1 && rnd_one_in(&w->r, 4));
}

bool randset_change(struct randset *w, enum randset_kind kind, struct randset_change *ret)
{
	static const char *const texts[] = {
		[RANDSET_EP_RELABELLED] = "endpoint relabelled",
		[RANDSET_EP_GONE] = "endpoint gone",
		[RANDSET_EP_NEW] = "endpoint new",
		[RANDSET_EP_MOVED] = "endpoint has another address",
		[RANDSET_EP_LOCAL] = "endpoint local or no longer",
		[RANDSET_EP_PORTS] = "endpoint has other ports",
		[RANDSET_EP_HOST] = "endpoint's node judged otherwise",
		[RANDSET_POLICY_ADDED] = "policy added",
		[RANDSET_POLICY_REMOVED] = "policy removed",
		[RANDSET_POLICY_ALTERED] = "policy altered",
		[RANDSET_POLICIES_AGAIN] = "policies read again",
		[RANDSET_NAMESPACE] = "namespace",
		[RANDSET_NODE_CHANGED] = "node",
		[RANDSET_AROUND] = "surroundings",
		[RANDSET_TIME_PASSES] = "time",
	};
	bool done = true;

	BH_STATIC_ASSERT_TABLE(texts, RANDSET_KINDS);
	*ret = (struct randset_change){ .kind = kind };
	if (kind < RANDSET_EP_KINDS)
		done = endpoint_change(w, kind, ret);
	else if (kind == RANDSET_NAMESPACE)
		done = namespace_change(w);
	else if (kind == RANDSET_NODE_CHANGED)
		done = node_change(w);
	else if (kind == RANDSET_AROUND)
		around_random(w);
	else if (kind == RANDSET_TIME_PASSES)
		time_passes(w);
	else
		done = policy_change(w, kind);
	snprintf(ret->text, sizeof(ret->text), "%s %u", texts[kind], ret->endpoint);
	return done;
}
