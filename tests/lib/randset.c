/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/randset.c - the generator, selectors, endpoints, namespaces, nodes
 */
#include "tests/lib/randset.h"

#include "tests/lib/randset_internal.h"

#include <stdio.h>
#include <string.h>

static const char *const namespaces[] = { "x", "y", "z", "undeclared" };
static const char *const keys[] = { "app", "role", "tier" };
static const char *const values[] = { "a", "b", "c", "" };
static const char *const port_names[] = { "web", "metrics", "nobody-has-it" };
static const char *const outside[] = {
	"192.0.2.1",       "10.0.1.200",    "10.0.1.6",    "10.200.0.1",     "203.0.113.9",
	"255.255.255.255", "0.0.0.0",       "2001:db8::1", "fd00:0:0:1::77", "fe80::1",
	"ffff:ffff::1",    "fd00:0:0:2::1", NULL,
};

/* Source: S. Vigna, splitmix64, public domain; written anew. */
uint64_t rnd_next(struct rnd *r)
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

unsigned rnd_from_env(const char *name, unsigned otherwise)
{
	const char *s = getenv(name);

	return s && *s ? (unsigned)strtoul(s, NULL, 10) : otherwise;
}

const char *randset_outside(size_t i)
{
	return i < BH_ARRAY_SIZE(outside) ? outside[i] : NULL;
}

void *rs_must(void *p)
{
	if (!p)
		abort();
	return p;
}

char *rs_copy(const char *s)
{
	return rs_must(strdup(s));
}

const char *rs_namespace(struct rnd *r)
{
	return PICK(r, namespaces);
}

const char *rs_port_name(struct rnd *r)
{
	return PICK(r, port_names);
}

void rs_labels_random(struct rnd *r, struct bh_labels *l)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(keys); i++) {
		if (!rnd_one_in(r, 3) && bh_labels_set(l, keys[i], PICK(r, values)) < 0)
			abort();
	}
}

/* ---- selectors ---- */

void rs_selector_random(struct rnd *r, struct bh_selector *s, uint32_t all_one_in)
{
	size_t n = rnd_one_in(r, all_one_in) ? 0 : 1 + rnd_below(r, 2);

	s->reqs = rs_must(calloc(n + 1, sizeof(*s->reqs)));
	for (; s->n < n; s->n++) {
		struct bh_sel_req *q = &s->reqs[s->n];

		q->op = BH_SEL_IN + rnd_below(r, 4);
		if (rnd_one_in(r, 2))
			q->op = BH_SEL_IN;
		q->key = rs_copy(PICK(r, keys));
		if (q->op != BH_SEL_IN && q->op != BH_SEL_NOT_IN)
			continue;
		/* Sorted: "", then a or b, then c. */
		q->values = rs_must(calloc(3, sizeof(*q->values)));
		if (rnd_one_in(r, 6))
			q->values[q->n_values++] = rs_copy("");
		q->values[q->n_values++] = rs_copy(values[rnd_below(r, 2)]);
		if (rnd_one_in(r, 4))
			q->values[q->n_values++] = rs_copy("c");
	}
}

void rs_ns_selector_random(struct rnd *r, struct bh_selector *s)
{
	if (!rnd_one_in(r, 4)) {
		rs_selector_random(r, s, 3);
		return;
	}
	s->reqs = rs_must(calloc(1, sizeof(*s->reqs)));
	s->reqs[0].op = rnd_one_in(r, 4) ? BH_SEL_NOT_IN : BH_SEL_IN;
	s->reqs[0].key = rs_copy("kubernetes.io/metadata.name");
	s->reqs[0].values = rs_must(calloc(1, sizeof(*s->reqs[0].values)));
	s->reqs[0].values[0] = rs_copy(PICK(r, namespaces));
	s->reqs[0].n_values = 1;
	s->n = 1;
}

/* ---- endpoints ---- */

void rs_addr_random(struct rnd *r, unsigned i, bool v6, struct bh_addr *ret)
{
	char text[BH_ADDR_STRLEN];

	if (rnd_one_in(r, 12))
		i = rnd_below(r, 4); /* may be another's too */
	if (v6)
		snprintf(text, sizeof(text), "fd00:0:0:%x::%x", 1 + i % 3, i);
	else
		snprintf(text, sizeof(text), "10.0.%u.%u", 1 + i % 3,
			 i < 3 ? 4 + i : 126 + i % 100);
	if (bh_addr_parse(text, ret) < 0)
		abort();
}

struct bh_endpoint *rs_endpoint_random(struct rnd *r, unsigned i, const struct randset_config *c)
{
	struct bh_endpoint *ep = rs_must(calloc(1, sizeof(*ep)));
	char name[32];

	snprintf(name, sizeof(name), "pod-%u", i);
	ep->id = rs_copy(name);
	ep->name = rs_copy(name);
	ep->ns = rs_copy(PICK(r, namespaces));
	ep->local = rnd_below(r, 100) < c->local_percent;
	rs_labels_random(r, &ep->labels);
	ep->addrs = rs_must(calloc(2, sizeof(*ep->addrs)));
	if (!rnd_one_in(r, 8))
		rs_addr_random(r, i, false, &ep->addrs[ep->n_addrs++]);
	if (!rnd_one_in(r, 3))
		rs_addr_random(r, i, true, &ep->addrs[ep->n_addrs++]);
	ep->ports = rs_must(calloc(3, sizeof(*ep->ports)));
	while (ep->n_ports < 3 && !rnd_one_in(r, 3)) {
		static const uint16_t numbers[] = { 80, 81, 8080, 85 };
		struct bh_named_port *p = &ep->ports[ep->n_ports++];

		p->name = rs_copy(port_names[rnd_below(r, 2)]);
		p->l4 = rnd_one_in(r, 4) ? BH_L4_UDP : BH_L4_TCP;
		p->port = PICK(r, numbers);
	}
	if (c->nodes > 0 && !rnd_one_in(r, 4)) {
		snprintf(name, sizeof(name), "node-%u", rnd_below(r, c->nodes));
		ep->node = rs_copy(name);
	}
	if (c->features & RANDSET_HOST)
		ep->host_judged = rnd_one_in(r, 3);
	return ep;
}

struct bh_endpoint **randset_endpoints(struct rnd *r, const struct randset_config *c)
{
	struct bh_endpoint **eps = rs_must(calloc(c->endpoints + 1, sizeof(struct bh_endpoint *)));

	for (unsigned i = 0; i < c->endpoints; i++)
		eps[i] = rs_endpoint_random(r, i, c);
	return eps;
}

void randset_endpoints_free(struct bh_endpoint **eps, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		bh_endpoint_free(eps[i]);
	free(eps);
}

/* ---- namespaces and nodes ---- */

struct bh_namespace *rs_namespace_random(struct rnd *r, const char *name)
{
	struct bh_namespace *ns = rs_must(calloc(1, sizeof(*ns)));

	ns->name = rs_copy(name);
	ns->file = rs_copy("random.yaml");
	rs_labels_random(r, &ns->labels);
	if (bh_labels_set(&ns->labels, "kubernetes.io/metadata.name", name) < 0)
		abort();
	return ns;
}

struct bh_node *rs_node_random(struct rnd *r, unsigned i)
{
	struct bh_node *n = rs_must(calloc(1, sizeof(*n)));
	char text[BH_ADDR_STRLEN];

	snprintf(text, sizeof(text), "node-%u", i);
	n->name = rs_copy(text);
	n->file = rs_copy("random.yaml");
	rs_labels_random(r, &n->labels);
	n->addrs = rs_must(calloc(3, sizeof(*n->addrs)));
	snprintf(text, sizeof(text), rnd_one_in(r, 2) ? "192.0.2.%u" : "10.0.1.%u", 200 + i);
	if (bh_addr_parse(text, &n->addrs[n->n_addrs++]) < 0)
		abort();
	if (rnd_one_in(r, 2)) {
		snprintf(text, sizeof(text), "fd00:0:0:2::%x", 1 + i);
		if (bh_addr_parse(text, &n->addrs[n->n_addrs++]) < 0)
			abort();
	}
	/* A workload in the network of the host. */
	if (rnd_one_in(r, 4))
		rs_addr_random(r, rnd_below(r, 8), false, &n->addrs[n->n_addrs++]);
	return n;
}

/* ---- the set ---- */

static int identity_cmp(const struct bh_policy *a, const struct bh_policy *b)
{
	int c = (a->kind > b->kind) - (a->kind < b->kind);

	if (c == 0)
		c = strcmp(a->ns, b->ns);
	return c ? c : strcmp(a->name, b->name);
}

bool rs_set_insert(struct bh_policy_set *set, struct bh_policy *p)
{
	size_t at = set->n_policies;

	for (size_t i = 0; i < set->n_policies; i++) {
		if (identity_cmp(set->policies[i], p) == 0)
			return false;
	}
	set->policies =
	    rs_must(reallocarray(set->policies, set->n_policies + 1, sizeof(struct bh_policy *)));
	for (; at > 0 && identity_cmp(set->policies[at - 1], p) > 0; at--)
		set->policies[at] = set->policies[at - 1];
	set->policies[at] = p;
	set->n_policies++;
	return true;
}

struct bh_policy_set *randset_policies(struct rnd *r, const struct randset_config *c)
{
	struct bh_policy_set *set = rs_must(bh_policy_set_new());

	for (unsigned i = 0; i < c->policies; i++) {
		struct rs_identity id;
		struct bh_policy *p;

		rs_identity_random(r, c, i, &id);
		p = rs_policy_make(&id, rnd_next(r), c);
		if (!rs_set_insert(set, p))
			bh_policy_free(p);
	}
	set->namespaces = rs_must(calloc(4, sizeof(struct bh_namespace *)));
	for (; set->n_namespaces < 3; set->n_namespaces++)
		set->namespaces[set->n_namespaces] =
		    rs_namespace_random(r, namespaces[set->n_namespaces]);
	return set;
}
