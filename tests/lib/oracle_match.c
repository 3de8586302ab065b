/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/oracle_match.c - does a selector, peer, port or detail match?
 */
#include "tests/lib/oracle_match.h"

#include <stdlib.h>
#include <string.h>

/* ---- selectors ---- */

static bool requirement_holds(const struct bh_sel_req *r, const struct bh_labels *l)
{
	const char *value = NULL;
	bool listed = false;

	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->items[i].key, r->key) == 0)
			value = l->items[i].value;
	}
	for (size_t i = 0; value && i < r->n_values; i++)
		listed |= strcmp(value, r->values[i]) == 0;
	switch (r->op) {
	case BH_SEL_IN:
		return value && listed;
	case BH_SEL_NOT_IN:
		return !value || !listed;
	case BH_SEL_EXISTS:
		return value != NULL;
	case BH_SEL_DOES_NOT_EXIST:
		return value == NULL;
	case BH_SEL_INVALID:
		break;
	}
	return false;
}

static bool selector_holds(const struct bh_selector *s, const struct bh_labels *l)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!requirement_holds(&s->reqs[i], l))
			return false;
	}
	return true;
}

static bool namespace_selected(const struct oracle_world *w, const struct bh_selector *s,
			       const char *name)
{
	struct bh_label only_name = { (char *)"kubernetes.io/metadata.name", (char *)name };
	struct bh_labels undeclared = { &only_name, 1 };

	for (size_t i = 0; i < w->set->n_namespaces; i++) {
		if (strcmp(w->set->namespaces[i]->name, name) == 0)
			return selector_holds(s, &w->set->namespaces[i]->labels);
	}
	return selector_holds(s, &undeclared);
}

static bool stands_in_a_namespace(const struct bh_policy *p)
{
	return p->kind == BH_KIND_NETWORK_POLICY || p->kind == BH_KIND_TRAFFIC_POLICY;
}

bool oracle_selects(const struct oracle_world *w, const struct bh_policy *p,
		    const struct bh_endpoint *ep)
{
	if (stands_in_a_namespace(p) ? strcmp(p->ns, ep->ns) != 0
				     : p->has_ns && !namespace_selected(w, &p->ns_sel, ep->ns))
		return false;
	return selector_holds(&p->pods, &ep->labels);
}

/* ---- addresses ---- */

static bool same_address(const struct bh_addr *a, const struct bh_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

/* Bit by bit, so that it shares nothing with common/addr.c. */
static bool in_prefix(const struct bh_prefix *p, const struct bh_addr *a)
{
	if (p->addr.family != a->family)
		return false;
	for (unsigned bit = 0; bit < p->len; bit++) {
		if ((p->addr.bytes[bit / 8] ^ a->bytes[bit / 8]) & (0x80 >> bit % 8))
			return false;
	}
	return true;
}

static bool in_block(const struct bh_ip_block *b, const struct bh_addr *a)
{
	if (!in_prefix(&b->cidr, a))
		return false;
	for (size_t i = 0; i < b->n_except; i++) {
		if (in_prefix(&b->except[i], a))
			return false;
	}
	return true;
}

/* Is it an address of a node, of one with these labels if there is a selector? */
static bool of_a_node(const struct oracle_world *w, const struct bh_selector *s,
		      const struct bh_addr *a)
{
	for (size_t i = 0; i < w->set->n_nodes; i++) {
		const struct bh_node *n = w->set->nodes[i];

		for (size_t k = 0; k < n->n_addrs; k++) {
			if (same_address(&n->addrs[k], a) && (!s || selector_holds(s, &n->labels)))
				return true;
		}
	}
	return false;
}

static bool in_cluster_ranges(const struct oracle_world *w, const struct bh_addr *a)
{
	for (size_t i = 0; w->around && i < w->around->n_cluster; i++) {
		if (in_prefix(&w->around->cluster[i], a))
			return true;
	}
	return false;
}

static bool of_a_resolver(const struct oracle_world *w, const struct bh_addr *a)
{
	for (size_t i = 0; w->around && i < w->around->n_resolvers; i++) {
		if (same_address(&w->around->resolvers[i], a))
			return true;
	}
	return false;
}

/* "a.example": itself. "*.example": one or more labels in front of ".example". */
static bool name_fits(const char *pattern, const char *name)
{
	const char *rest;

	if (pattern[0] != '*' || pattern[1] != '.')
		return strcmp(pattern, name) == 0;
	/* From label to label. */
	for (rest = strchr(name, '.'); rest; rest = strchr(rest + 1, '.')) {
		if (rest > name && strcmp(rest, pattern + 1) == 0)
			return true;
	}
	return false;
}

static bool of_a_name(const struct oracle_world *w, const struct bh_strlist *patterns,
		      const struct bh_addr *a)
{
	for (size_t i = 0; w->around && i < w->around->n_names; i++) {
		const struct bh_known_name *n = &w->around->names[i];
		bool asked_for = false;

		for (size_t k = 0; k < patterns->n; k++)
			asked_for |= name_fits(patterns->items[k], n->name);
		for (size_t k = 0; asked_for && k < n->n; k++) {
			if (same_address(&n->addrs[k], a))
				return true;
		}
	}
	return false;
}

/* ---- peers ---- */

static bool entity_matches(const struct oracle_world *w, const struct oracle_query *q,
			   enum bh_entity e)
{
	switch (e) {
	case BH_ENTITY_WORLD:
		return !q->own_node && !q->peer && !of_a_node(w, NULL, &q->peer_addr) &&
		       !in_cluster_ranges(w, &q->peer_addr);
	case BH_ENTITY_HOST:
		return q->own_node;
	case BH_ENTITY_NODES:
		return q->own_node || of_a_node(w, NULL, &q->peer_addr);
	case BH_ENTITY_CLUSTER:
		return !q->own_node && (q->peer || of_a_node(w, NULL, &q->peer_addr));
	case BH_ENTITY_DNS:
		return !q->own_node && of_a_resolver(w, &q->peer_addr);
	case BH_ENTITY_ALL:
		return true;
	case BH_ENTITY_INVALID:
	case BH_ENTITY_COUNT:
		break;
	}
	return false;
}

static bool endpoint_matches(const struct oracle_world *w, const struct oracle_query *q,
			     const struct bh_policy *p, const struct bh_peer *peer)
{
	if (!q->peer || (!peer->has_ns && !peer->has_pod))
		return false;
	if (peer->has_ns && !namespace_selected(w, &peer->ns, q->peer->ns))
		return false;
	if (!peer->has_ns && stands_in_a_namespace(p) && strcmp(q->peer->ns, p->ns) != 0)
		return false;
	return !peer->has_pod || selector_holds(&peer->pod, &q->peer->labels);
}

static bool peer_matches(const struct oracle_world *w, const struct oracle_query *q,
			 const struct bh_policy *p, const struct bh_peer *peer)
{
	switch (peer->kind) {
	case BH_PEER_ENTITY:
		return entity_matches(w, q, peer->entity);
	case BH_PEER_ENDPOINTS:
		return !q->own_node && endpoint_matches(w, q, p, peer);
	case BH_PEER_BLOCK:
		return !q->own_node && in_block(&peer->block, &q->peer_addr);
	case BH_PEER_NODES:
		return !q->own_node && of_a_node(w, &peer->pod, &q->peer_addr);
	case BH_PEER_NAMES:
		return !q->own_node && of_a_name(w, &peer->names, &q->peer_addr);
	case BH_PEER_UNKNOWN:
	case BH_PEER_INVALID:
	case BH_PEER_COUNT:
		break;
	}
	return false;
}

bool oracle_spares(const struct oracle_query *q)
{
	if (!q->own_node)
		return false;
	return q->dir == BH_DIR_EGRESS || !q->subject->host_judged;
}

bool oracle_peers_match(const struct oracle_world *w, const struct oracle_query *q,
			const struct bh_policy *p, const struct bh_rule *r)
{
	if (r->n_peers == 0)
		return !oracle_spares(q);
	for (size_t i = 0; i < r->n_peers; i++) {
		if (peer_matches(w, q, p, &r->peers[i]))
			return true;
	}
	return false;
}

bool oracle_has_unknown_peer(const struct bh_rule *r)
{
	for (size_t i = 0; i < r->n_peers; i++) {
		if (r->peers[i].kind == BH_PEER_UNKNOWN)
			return true;
	}
	return false;
}

/* ---- ports ---- */

static bool port_matches(const struct oracle_query *q, const struct bh_port *port)
{
	const struct bh_endpoint *dst = q->dir == BH_DIR_INGRESS ? q->subject : q->peer;

	if (port->l4 != BH_L4_ANY && port->l4 != q->l4)
		return false;
	if (!port->name)
		return port->lo <= q->port && q->port <= port->hi;
	for (size_t i = 0; dst && i < dst->n_ports; i++) {
		if (strcmp(dst->ports[i].name, port->name) == 0 && dst->ports[i].l4 == q->l4 &&
		    dst->ports[i].port == q->port)
			return true;
	}
	return false;
}

bool oracle_ports_match(const struct oracle_query *q, const struct bh_rule *r)
{
	if (r->n_ports == 0)
		return !r->has_ports;
	for (size_t i = 0; i < r->n_ports; i++) {
		if (port_matches(q, &r->ports[i]))
			return true;
	}
	return false;
}

/* ---- what is spoken ---- */

bool oracle_detail_binds(enum bh_detail_kind kind, unsigned proto)
{
	switch (kind) {
	case BH_DETAIL_HTTP:
		return proto == BH_PROTO_HTTP || proto == BH_PROTO_HTTP2;
	case BH_DETAIL_TLS:
		return proto == BH_PROTO_TLS || proto == BH_PROTO_QUIC;
	case BH_DETAIL_DNS:
		return proto == BH_PROTO_DNS;
	case BH_DETAIL_GRPC:
		return proto == BH_PROTO_GRPC;
	case BH_DETAIL_RISK:
		return true;
	case BH_DETAIL_INVALID:
	case BH_DETAIL_COUNT:
		break;
	}
	return false;
}

/* By trying everything that a star can stand for. */
static bool glob_fits(const char *pattern, const char *s, char separator)
{
	if (*pattern == '\0')
		return *s == '\0';
	if (pattern[0] == '*' && pattern[1] == '*') {
		for (;; s++) {
			if (glob_fits(pattern + 2, s, separator))
				return true;
			if (*s == '\0')
				return false;
		}
	}
	if (*pattern == '*') {
		for (;; s++) {
			if (glob_fits(pattern + 1, s, separator))
				return true;
			if (*s == '\0' || *s == separator)
				return false;
		}
	}
	return *pattern == *s && glob_fits(pattern + 1, s + 1, separator);
}

/* What stands below a folder includes the folder itself. */
static bool path_fits(const char *pattern, const char *path)
{
	size_t n = strlen(pattern);
	char folder[256];

	if (glob_fits(pattern, path, '/'))
		return true;
	if (n <= 3 || n - 3 >= sizeof(folder) || strcmp(pattern + n - 3, "/**") != 0)
		return false;
	memcpy(folder, pattern, n - 3);
	folder[n - 3] = '\0';
	return glob_fits(folder, path, '/');
}

static bool target_fits(const char *pattern, const char *target)
{
	const char *pattern_port = strrchr(pattern, ':'), *port = strrchr(target, ':');
	char name[256], names[256];

	if (!pattern_port || !port || port - target >= 256 || pattern_port - pattern >= 256)
		return false;
	memcpy(name, target, (size_t)(port - target));
	name[port - target] = '\0';
	memcpy(names, pattern, (size_t)(pattern_port - pattern));
	names[pattern_port - pattern] = '\0';
	return name_fits(names, name) &&
	       (strcmp(pattern_port, ":*") == 0 || strcmp(pattern_port, port) == 0);
}

static int version_of(const char *s)
{
	static const char *const versions[] = { "1.0", "1.1", "1.2", "1.3" };

	for (int i = 0; i < 4; i++) {
		if (strcmp(versions[i], s) == 0)
			return i;
	}
	return -1;
}

bool oracle_value_matches(enum bh_attr attr, const char *pattern, const char *value)
{
	switch (attr) {
	case BH_ATTR_HTTP_METHOD:
	case BH_ATTR_HTTP_UPGRADE:
	case BH_ATTR_TLS_ALPN:
	case BH_ATTR_TLS_ECH:
	case BH_ATTR_DNS_TYPE:
	case BH_ATTR_RISK:
		return strcmp(pattern, value) == 0;
	case BH_ATTR_HTTP_PATH:
		return path_fits(pattern, value);
	case BH_ATTR_HTTP_HOST:
	case BH_ATTR_TLS_NAME:
	case BH_ATTR_DNS_NAME:
		return name_fits(pattern, value);
	case BH_ATTR_HTTP_CONNECT:
		return target_fits(pattern, value);
	case BH_ATTR_TLS_VERSION:
		return version_of(value) >= version_of(pattern) && version_of(pattern) >= 0;
	case BH_ATTR_GRPC_SERVICE:
		return glob_fits(pattern, value, '.');
	case BH_ATTR_GRPC_METHOD:
		return strcmp(pattern, "*") == 0 || strcmp(pattern, value) == 0;
	case BH_ATTR_INVALID:
	case BH_ATTR_COUNT:
		break;
	}
	return false;
}

static bool test_holds(const struct bh_test *t, const struct bh_spoken *sp)
{
	/* Of these all that is offered or asked for must be listed; of the others something. */
	bool every = t->attr == BH_ATTR_TLS_ALPN || t->attr == BH_ATTR_DNS_NAME ||
		     t->attr == BH_ATTR_DNS_TYPE;
	bool some = false, all = true;

	for (size_t i = 0; i < sp->attr[t->attr].n; i++) {
		bool listed = false;

		for (size_t k = 0; k < t->values.n; k++)
			listed |= oracle_value_matches(t->attr, t->values.items[k],
						       sp->attr[t->attr].v[i]);
		some |= listed;
		all &= listed;
	}
	return every ? some && all : some;
}

enum bh_truth oracle_detail_holds(const struct bh_detail *d, const struct bh_spoken *sp)
{
	bool may = false;

	for (size_t i = 0; i < d->n; i++) {
		bool fails = false, open = false;

		for (size_t k = 0; k < d->clauses[i].n; k++) {
			const struct bh_test *t = &d->clauses[i].tests[k];

			if (!(sp->known & 1U << t->attr))
				open = true;
			else if (!test_holds(t, sp))
				fails = true;
		}
		if (!fails && !open)
			return BH_TRUE;
		may |= !fails;
	}
	return may ? BH_OPEN : BH_FALSE;
}

bool oracle_same_detail(const struct bh_detail *a, const struct bh_detail *b)
{
	if (a->kind != b->kind || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct bh_clause *x = &a->clauses[i], *y = &b->clauses[i];

		if (x->n != y->n)
			return false;
		for (size_t k = 0; k < x->n; k++) {
			const struct bh_strlist *v = &x->tests[k].values, *u = &y->tests[k].values;

			if (x->tests[k].attr != y->tests[k].attr || v->n != u->n)
				return false;
			for (size_t j = 0; j < v->n; j++) {
				if (strcmp(v->items[j], u->items[j]) != 0)
					return false;
			}
		}
	}
	return true;
}
