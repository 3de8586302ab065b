/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/model/model.c - life and questions of the model: sets, labels, selectors, names of enums
 */
#include "policy/model.h"

#include "common/buf.h"
#include "common/map.h"
#include "common/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- labels ---- */

/* Where @key is (true in @ret_found) or would be put. */
static size_t label_index(const struct bh_labels *l, const char *key, bool *ret_found)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(l->items[mid].key, key);

		if (c == 0) {
			*ret_found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_found = false;
	return lo;
}

int bh_labels_set(struct bh_labels *l, const char *key, const char *value)
{
	bool found;
	size_t i = label_index(l, key, &found);
	bh_autofree char *v = strdup(value);

	if (!v)
		return -ENOMEM;
	if (found) {
		free(l->items[i].value);
		l->items[i].value = bh_take_ptr(&v);
		return 0;
	}

	bh_autofree char *k = strdup(key);

	if (!k)
		return -ENOMEM;
	/* The room is doubled whenever the count is a power of two: no capacity needs to be kept. */
	if ((l->n & (l->n - 1)) == 0) {
		struct bh_label *items =
		    reallocarray(l->items, l->n ? l->n * 2 : 1, sizeof(*items));

		if (!items)
			return -ENOMEM;
		l->items = items;
	}
	memmove(l->items + i + 1, l->items + i, (l->n - i) * sizeof(*l->items));
	l->items[i] = (struct bh_label){ .key = bh_take_ptr(&k), .value = bh_take_ptr(&v) };
	l->n++;
	return 0;
}

const char *bh_labels_get(const struct bh_labels *l, const char *key)
{
	bool found;
	size_t i = label_index(l, key, &found);

	return found ? l->items[i].value : NULL;
}

void bh_labels_done(struct bh_labels *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].key);
		free(l->items[i].value);
	}
	free(l->items);
	*l = (struct bh_labels){ .items = NULL };
}

/* ---- selectors ---- */

static bool req_has_value(const struct bh_sel_req *r, const char *value)
{
	size_t lo = 0, hi = r->n_values;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(r->values[mid], value);

		if (c == 0)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static bool req_match(const struct bh_sel_req *r, const struct bh_labels *l)
{
	const char *value = bh_labels_get(l, r->key);

	switch (r->op) {
	case BH_SEL_IN:
		return value && req_has_value(r, value);
	case BH_SEL_NOT_IN:
		return !value || !req_has_value(r, value);
	case BH_SEL_EXISTS:
		return value != NULL;
	case BH_SEL_DOES_NOT_EXIST:
		return value == NULL;
	case BH_SEL_INVALID:
		break;
	}
	return false;
}

bool bh_selector_match(const struct bh_selector *s, const struct bh_labels *l)
{
	for (size_t i = 0; i < s->n; i++)
		if (!req_match(&s->reqs[i], l))
			return false;
	return true;
}

void bh_selector_done(struct bh_selector *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct bh_sel_req *r = &s->reqs[i];

		for (size_t j = 0; j < r->n_values; j++)
			free(r->values[j]);
		free(r->values);
		free(r->key);
	}
	free(s->reqs);
	*s = (struct bh_selector){ .reqs = NULL };
}

/* ---- objects ---- */

void bh_strlist_done(struct bh_strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct bh_strlist){ .items = NULL };
}

static void detail_done(struct bh_detail *d)
{
	for (size_t i = 0; i < d->n; i++) {
		for (size_t k = 0; k < d->clauses[i].n; k++)
			bh_strlist_done(&d->clauses[i].tests[k].values);
		free(d->clauses[i].tests);
	}
	free(d->clauses);
}

static void rule_done(struct bh_rule *r)
{
	for (size_t i = 0; i < r->n_peers; i++) {
		bh_selector_done(&r->peers[i].pod);
		bh_selector_done(&r->peers[i].ns);
		free(r->peers[i].block.except);
		bh_strlist_done(&r->peers[i].names);
	}
	for (size_t i = 0; i < r->n_details; i++)
		detail_done(&r->details[i]);
	free(r->details);
	free(r->when.zone);
	for (size_t i = 0; i < r->n_ports; i++)
		free(r->ports[i].name);
	free(r->peers);
	free(r->ports);
	free(r->name);
}

void bh_rules_free(struct bh_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rule_done(&rules[i]);
	free(rules);
}

struct bh_policy *bh_policy_ref(struct bh_policy *p)
{
	p->refs = p->refs ? p->refs + 1 : 2;
	return p;
}

struct bh_policy *bh_policy_free(struct bh_policy *p)
{
	if (!p)
		return NULL;
	if (p->refs > 1) {
		p->refs--;
		return NULL;
	}
	for (unsigned dir = BH_DIR_INGRESS; dir < BH_DIR_COUNT; dir++)
		bh_rules_free(p->rules[dir], p->n_rules[dir]);
	bh_selector_done(&p->pods);
	bh_selector_done(&p->ns_sel);
	free(p->ns);
	free(p->name);
	free(p->file);
	free(p->source);
	free(p);
	return NULL;
}

struct bh_namespace *bh_namespace_free(struct bh_namespace *n)
{
	if (!n)
		return NULL;
	bh_labels_done(&n->labels);
	free(n->name);
	free(n->file);
	free(n);
	return NULL;
}

struct bh_node *bh_node_free(struct bh_node *n)
{
	if (!n)
		return NULL;
	bh_labels_done(&n->labels);
	free(n->addrs);
	free(n->name);
	free(n->file);
	free(n);
	return NULL;
}

struct bh_endpoint *bh_endpoint_free(struct bh_endpoint *e)
{
	if (!e)
		return NULL;
	for (size_t i = 0; i < e->n_ports; i++)
		free(e->ports[i].name);
	free(e->ports);
	free(e->addrs);
	bh_labels_done(&e->labels);
	free(e->id);
	free(e->ns);
	free(e->name);
	free(e->node);
	free(e->file);
	free(e);
	return NULL;
}

/* ---- the set ---- */

struct bh_policy_set *bh_policy_set_new(void)
{
	return calloc(1, sizeof(struct bh_policy_set));
}

struct bh_file_seen {
	UT_hash_handle hh;
	uint64_t id[2]; /* device, inode */
};

int bh_policy_set_read(struct bh_policy_set *s, uint64_t dev, uint64_t ino)
{
	const uint64_t id[2] = { dev, ino };
	struct bh_file_seen *f;

	HASH_FIND(hh, s->files, id, sizeof(id), f);
	if (f)
		return 1;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	memcpy(f->id, id, sizeof(id));
	HASH_ADD_KEYPTR(hh, s->files, f->id, sizeof(id), f);
	if (f->hh.tbl)
		return 0;
	free(f);
	return -ENOMEM;
}

struct bh_policy_set *bh_policy_set_free(struct bh_policy_set *s)
{
	struct bh_file_seen *f, *next;

	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_policies; i++)
		bh_policy_free(s->policies[i]);
	for (size_t i = 0; i < s->n_namespaces; i++)
		bh_namespace_free(s->namespaces[i]);
	for (size_t i = 0; i < s->n_endpoints; i++)
		bh_endpoint_free(s->endpoints[i]);
	for (size_t i = 0; i < s->n_nodes; i++)
		bh_node_free(s->nodes[i]);
	free(s->nodes);
	HASH_ITER(hh, s->files, f, next) {
		HASH_DEL(s->files, f);
		free(f);
	}
	free(s->policies);
	free(s->namespaces);
	free(s->endpoints);
	free(s);
	return NULL;
}

static int policy_identity_cmp(const struct bh_policy *p, enum bh_kind kind, const char *ns,
			       const char *name)
{
	if (p->kind != kind)
		return p->kind < kind ? -1 : 1;

	int c = strcmp(p->ns, ns);

	return c ? c : strcmp(p->name, name);
}

const struct bh_policy *bh_policy_set_find(const struct bh_policy_set *s, enum bh_kind kind,
					   const char *ns, const char *name)
{
	size_t lo = 0, hi = s->n_policies;

	while (lo < hi && !s->unsorted) {
		size_t mid = lo + (hi - lo) / 2;
		int c = policy_identity_cmp(s->policies[mid], kind, ns, name);

		if (c == 0)
			return s->policies[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = 0; i < s->n_policies && s->unsorted; i++)
		if (policy_identity_cmp(s->policies[i], kind, ns, name) == 0)
			return s->policies[i];
	return NULL;
}

const struct bh_namespace *bh_policy_set_namespace(const struct bh_policy_set *set,
						   const char *name)
{
	size_t lo = 0, hi = set->n_namespaces;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(set->namespaces[mid]->name, name);

		if (c == 0)
			return set->namespaces[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* ---- policies ---- */

bool bh_kind_is_policy(enum bh_kind k)
{
	return k > BH_KIND_INVALID && k <= BH_KIND_CLUSTER_TRAFFIC_POLICY;
}

bool bh_kind_is_cluster(enum bh_kind k)
{
	return k >= BH_KIND_CLUSTER_NETWORK_POLICY && k <= BH_KIND_CLUSTER_TRAFFIC_POLICY;
}

bool bh_kind_has_ns(enum bh_kind k)
{
	return k == BH_KIND_NETWORK_POLICY || k == BH_KIND_TRAFFIC_POLICY || k == BH_KIND_ENDPOINT;
}

void bh_policy_put_name(struct bh_buf *b, const struct bh_policy *p)
{
	bh_buf_printf(b, "%s %s%s%s", bh_kind_name(p->kind), p->ns, *p->ns ? "/" : "", p->name);
}

int bh_policy_order(const struct bh_policy *a, const struct bh_policy *b)
{
	int c;

	if (a->tier != b->tier)
		return a->tier < b->tier ? -1 : 1;
	if (a->tier != BH_TIER_APPLICATION) {
		if (a->priority != b->priority)
			return a->priority < b->priority ? -1 : 1;
		c = strcmp(a->name, b->name);
		if (c)
			return c;
	}
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	c = strcmp(a->ns, b->ns);
	return c ? c : strcmp(a->name, b->name);
}

bool bh_name_match(const char *pattern, const char *name)
{
	size_t n, p;

	if (strncmp(pattern, "*.", 2) != 0)
		return strcmp(pattern, name) == 0;
	n = strlen(name);
	p = strlen(pattern + 1);
	return n > p && strcmp(name + n - p, pattern + 1) == 0;
}

bool bh_detail_binds(enum bh_detail_kind k, unsigned proto)
{
	switch (k) {
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
	return true; /* whatever it asks, it is asked of everything, and never holds */
}

/* ---- names ---- */

const char *bh_kind_name(enum bh_kind k)
{
	static const char *const names[] = {
		[BH_KIND_INVALID] = "invalid",
		[BH_KIND_NETWORK_POLICY] = "NetworkPolicy",
		[BH_KIND_TRAFFIC_POLICY] = "TrafficPolicy",
		[BH_KIND_CLUSTER_NETWORK_POLICY] = "ClusterNetworkPolicy",
		[BH_KIND_ADMIN_NETWORK_POLICY] = "AdminNetworkPolicy",
		[BH_KIND_BASELINE_ADMIN_NETWORK_POLICY] = "BaselineAdminNetworkPolicy",
		[BH_KIND_CLUSTER_TRAFFIC_POLICY] = "ClusterTrafficPolicy",
		[BH_KIND_NAMESPACE] = "Namespace",
		[BH_KIND_ENDPOINT] = "Endpoint",
		[BH_KIND_NODE] = "Node",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_KIND_COUNT);
	return (unsigned)k < BH_KIND_COUNT ? names[k] : "invalid";
}

const char *bh_dir_name(enum bh_dir d)
{
	static const char *const names[] = {
		[BH_DIR_INVALID] = "invalid",
		[BH_DIR_INGRESS] = "ingress",
		[BH_DIR_EGRESS] = "egress",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_DIR_COUNT);
	return (unsigned)d < BH_DIR_COUNT ? names[d] : "invalid";
}

const char *bh_action_name(enum bh_action a)
{
	static const char *const names[] = {
		[BH_ACTION_INVALID] = "invalid", [BH_ACTION_ALLOW] = "allow",
		[BH_ACTION_DENY] = "deny",       [BH_ACTION_REJECT] = "reject",
		[BH_ACTION_PASS] = "pass",       [BH_ACTION_ALERT] = "alert",
		[BH_ACTION_LOG] = "log",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_ACTION_COUNT);
	return (unsigned)a < BH_ACTION_COUNT ? names[a] : "invalid";
}

const char *bh_mode_name(enum bh_mode m)
{
	static const char *const names[] = {
		[BH_MODE_INVALID] = "invalid",
		[BH_MODE_ENFORCE] = "enforce",
		[BH_MODE_MONITOR] = "monitor",
		[BH_MODE_LEARN] = "learn",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_MODE_COUNT);
	return (unsigned)m < BH_MODE_COUNT ? names[m] : "invalid";
}

const char *bh_tier_name(enum bh_tier t)
{
	static const char *const names[] = {
		[BH_TIER_INVALID] = "invalid",
		[BH_TIER_ADMIN] = "admin",
		[BH_TIER_APPLICATION] = "application",
		[BH_TIER_BASELINE] = "baseline",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_TIER_COUNT);
	return (unsigned)t < BH_TIER_COUNT ? names[t] : "invalid";
}

const char *bh_entity_name(enum bh_entity e)
{
	static const char *const names[] = {
		[BH_ENTITY_INVALID] = "invalid", [BH_ENTITY_WORLD] = "world",
		[BH_ENTITY_HOST] = "host",       [BH_ENTITY_NODES] = "nodes",
		[BH_ENTITY_CLUSTER] = "cluster", [BH_ENTITY_DNS] = "dns",
		[BH_ENTITY_ALL] = "all",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_ENTITY_COUNT);
	return (unsigned)e < BH_ENTITY_COUNT ? names[e] : "invalid";
}

const char *bh_attr_name(enum bh_attr a)
{
	static const char *const names[] = {
		[BH_ATTR_INVALID] = "invalid",
		[BH_ATTR_HTTP_METHOD] = "methods",
		[BH_ATTR_HTTP_PATH] = "paths",
		[BH_ATTR_HTTP_HOST] = "hosts",
		[BH_ATTR_HTTP_CONNECT] = "connect",
		[BH_ATTR_HTTP_UPGRADE] = "upgrade",
		[BH_ATTR_TLS_NAME] = "serverNames",
		[BH_ATTR_TLS_ALPN] = "alpn",
		[BH_ATTR_TLS_VERSION] = "minVersion",
		[BH_ATTR_TLS_ECH] = "ech",
		[BH_ATTR_DNS_NAME] = "names",
		[BH_ATTR_DNS_TYPE] = "types",
		[BH_ATTR_GRPC_SERVICE] = "services",
		[BH_ATTR_GRPC_METHOD] = "methods",
		[BH_ATTR_RISK] = "risks",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_ATTR_COUNT);
	return (unsigned)a < BH_ATTR_COUNT ? names[a] : "invalid";
}

const char *bh_detail_name(enum bh_detail_kind k)
{
	static const char *const names[] = {
		[BH_DETAIL_INVALID] = "invalid", [BH_DETAIL_HTTP] = "http",
		[BH_DETAIL_TLS] = "tls",         [BH_DETAIL_DNS] = "dns",
		[BH_DETAIL_GRPC] = "grpc",       [BH_DETAIL_RISK] = "risks",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_DETAIL_COUNT);
	return (unsigned)k < BH_DETAIL_COUNT ? names[k] : "invalid";
}

const char *bh_fail_name(enum bh_fail f)
{
	static const char *const names[] = {
		[BH_FAIL_UNSET] = "unset",
		[BH_FAIL_REFUSE] = "refuse",
		[BH_FAIL_ALERT] = "alert",
		[BH_FAIL_ALLOW] = "allow",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_FAIL_COUNT);
	return (unsigned)f < BH_FAIL_COUNT ? names[f] : "invalid";
}

const char *bh_urgency_name(enum bh_urgency u)
{
	static const char *const names[] = {
		[BH_URGENCY_UNSET] = "unset",
		[BH_URGENCY_INFO] = "info",
		[BH_URGENCY_WARNING] = "warning",
		[BH_URGENCY_CRITICAL] = "critical",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_URGENCY_COUNT);
	return (unsigned)u < BH_URGENCY_COUNT ? names[u] : "invalid";
}

const char *bh_l4_name(unsigned l4, char *buf)
{
	switch (l4) {
	case BH_L4_ANY:
		return "any";
	case BH_L4_ICMP:
		return "icmp";
	case BH_L4_TCP:
		return "tcp";
	case BH_L4_UDP:
		return "udp";
	case BH_L4_ICMPV6:
		return "icmpv6";
	case BH_L4_SCTP:
		return "sctp";
	default:
		(void)snprintf(buf, 8, "%u", l4);
		return buf;
	}
}
