// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/explain/explain_peer.c - does one of a rule's peers mean the other end; if not, why none does
 */
#include "policy/explain/explain_internal.h"

#include "common/util.h"

#include <string.h>

#include "common/banned.h"

#define NAME_LABEL "kubernetes.io/metadata.name"

static bool node_has(const struct bh_node *n, const struct bh_addr *a)
{
	for (size_t i = 0; i < n->n_addrs; i++) {
		if (bh_addr_eq(&n->addrs[i], a))
			return true;
	}
	return false;
}

const struct bh_node *bh_node_of_addr(const struct bh_policy_set *set, const struct bh_addr *a)
{
	for (size_t i = 0; i < set->n_nodes && a->family; i++) {
		if (node_has(set->nodes[i], a))
			return set->nodes[i];
	}
	return NULL;
}

static const char *peer_word(const struct bh_asked *q)
{
	return q->dir == BH_DIR_INGRESS ? "source" : "destination";
}

/* "source 192.0.2.1", "source shop/web", "source node n1" */
static void put_peer(struct bh_buf *b, const struct bh_asked *q)
{
	char addr[BH_ADDR_STRLEN];

	BH_SAY(b, "%s ", peer_word(q));
	if (q->peer)
		BH_SAY(b, "%s/%s", q->peer->ns, q->peer->name);
	else if (q->peer_addr->family)
		BH_SAY(b, "%s", bh_addr_format(q->peer_addr, addr));
	if (!q->peer && q->node)
		BH_SAY(b, "%snode %s%s", q->peer_addr->family ? " (" : "", q->node->name,
		       q->peer_addr->family ? ")" : "");
}

/* ---- selectors ---- */

static void put_values(struct bh_buf *b, const struct bh_sel_req *r)
{
	for (size_t i = 0; i < r->n_values && i < BH_SHOWN; i++)
		BH_SAY(b, "%s%s", i ? ", " : "", r->values[i]);
	if (r->n_values > BH_SHOWN)
		BH_SAY(b, ", ...");
}

/* "source has no label role=client". @whose: "source", "namespace shop of the source". */
static void put_requirement(struct bh_buf *b, const char *whose, const struct bh_sel_req *r,
			    const struct bh_labels *l)
{
	const char *value = bh_labels_get(l, r->key);

	switch (r->op) {
	case BH_SEL_IN:
		if (!value && r->n_values == 1) {
			BH_SAY(b, "%s has no label %s=%s", whose, r->key, r->values[0]);
		} else if (!value) {
			BH_SAY(b, "%s has no label %s", whose, r->key);
		} else {
			BH_SAY(b, "%s has label %s=%s, not ", whose, r->key, value);
			put_values(b, r);
		}
		return;
	case BH_SEL_NOT_IN:
		BH_SAY(b, "%s has label %s=%s, which the rule excludes", whose, r->key,
		       value ? value : "");
		return;
	case BH_SEL_EXISTS:
		BH_SAY(b, "%s has no label %s", whose, r->key);
		return;
	case BH_SEL_DOES_NOT_EXIST:
		BH_SAY(b, "%s has label %s, which must be absent", whose, r->key);
		return;
	case BH_SEL_INVALID:
		BH_SAY(b, "%s cannot match", whose);
		return;
	}
}

/* Says which requirement fails first. */
static bool selector_matches(struct bh_buf *b, const char *whose, const struct bh_selector *s,
			     const struct bh_labels *l)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct bh_selector one = { .reqs = &s->reqs[i], .n = 1 };

		if (!bh_selector_match(&one, l)) {
			put_requirement(b, whose, &s->reqs[i], l);
			return false;
		}
	}
	return true;
}

static bool ns_matches(struct bh_buf *b, const struct bh_asked *q, const struct bh_selector *s,
		       const char *name)
{
	struct bh_label only_name = { (char *)NAME_LABEL, (char *)name };
	const struct bh_labels undeclared = { &only_name, 1 };
	const struct bh_labels *labels = bh_namespace_labels(q->set, name);
	bh_cleanup(bh_buf_done) struct bh_buf whose = BH_BUF_INIT;

	if (b)
		bh_buf_printf(&whose, "namespace %s of the %s", name, peer_word(q));
	return selector_matches(b, bh_buf_str(&whose), s, labels ? labels : &undeclared);
}

/* ---- kinds of peers ---- */

static bool endpoints_match(struct bh_buf *b, const struct bh_asked *q, const struct bh_policy *pol,
			    const struct bh_peer *p)
{
	if (!q->peer) {
		put_peer(b, q);
		BH_SAY(b, " is no endpoint");
		return false;
	}
	if (p->has_ns) {
		if (!ns_matches(b, q, &p->ns, q->peer->ns))
			return false;
	} else if (!bh_kind_is_cluster(pol->kind) && !bh_streq(q->peer->ns, pol->ns)) {
		BH_SAY(b, "%s is in namespace %s, not %s", peer_word(q), q->peer->ns, pol->ns);
		return false;
	}
	return !p->has_pod || selector_matches(b, peer_word(q), &p->pod, &q->peer->labels);
}

static bool block_matches(struct bh_buf *b, const struct bh_asked *q, const struct bh_ip_block *blk)
{
	char addr[BH_ADDR_STRLEN], p[BH_PREFIX_STRLEN], e[BH_PREFIX_STRLEN];

	if (!bh_prefix_contains(&blk->cidr, q->peer_addr)) {
		BH_SAY(b, "%s %s is not in %s", peer_word(q), bh_addr_format(q->peer_addr, addr),
		       bh_prefix_format(&blk->cidr, p));
		return false;
	}
	for (size_t i = 0; i < blk->n_except; i++) {
		if (!bh_prefix_contains(&blk->except[i], q->peer_addr))
			continue;
		BH_SAY(b, "%s %s is in %s, which is excepted from %s", peer_word(q),
		       bh_addr_format(q->peer_addr, addr), bh_prefix_format(&blk->except[i], e),
		       bh_prefix_format(&blk->cidr, p));
		return false;
	}
	return true;
}

/* Neither an endpoint nor a node, nor inside of what belongs to the cluster. */
static bool is_world(struct bh_buf *b, const struct bh_asked *q)
{
	char addr[BH_ADDR_STRLEN], p[BH_PREFIX_STRLEN];

	if (q->peer || q->node) {
		put_peer(b, q);
		BH_SAY(b, " is %s, not of the world", q->peer ? "an endpoint" : "a node");
		return false;
	}
	for (size_t i = 0; q->around && i < q->around->n_cluster; i++) {
		if (!bh_prefix_contains(&q->around->cluster[i], q->peer_addr))
			continue;
		BH_SAY(b, "%s %s is in %s, which belongs to the cluster, not to the world",
		       peer_word(q), bh_addr_format(q->peer_addr, addr),
		       bh_prefix_format(&q->around->cluster[i], p));
		return false;
	}
	return true;
}

static bool is_resolver(struct bh_buf *b, const struct bh_asked *q)
{
	for (size_t i = 0; q->around && i < q->around->n_resolvers; i++) {
		if (bh_addr_eq(&q->around->resolvers[i], q->peer_addr))
			return true;
	}
	put_peer(b, q);
	BH_SAY(b, "%s",
	       !q->around || q->around->n_resolvers ? " is no resolver"
						    : " is no resolver: none is known");
	return false;
}

static bool entity_matches(struct bh_buf *b, const struct bh_asked *q, enum bh_entity e)
{
	switch (e) {
	case BH_ENTITY_ALL:
		return true;
	case BH_ENTITY_WORLD:
		return is_world(b, q);
	case BH_ENTITY_DNS:
		return is_resolver(b, q);
	case BH_ENTITY_HOST:
		put_peer(b, q);
		BH_SAY(b, " is not the node that %s/%s runs on", q->subject->ns, q->subject->name);
		return false;
	case BH_ENTITY_NODES:
		if (q->node)
			return true;
		put_peer(b, q);
		BH_SAY(b, " is no node");
		return false;
	case BH_ENTITY_CLUSTER:
		if (q->peer || q->node)
			return true;
		put_peer(b, q);
		BH_SAY(b, " is neither an endpoint nor a node");
		return false;
	case BH_ENTITY_INVALID:
	case BH_ENTITY_COUNT:
		break;
	}
	BH_SAY(b, "the rule names nobody");
	return false;
}

/* Should two nodes claim the address, either may be meant; the first one's labels are told about. */
static bool nodes_match(struct bh_buf *b, const struct bh_asked *q, const struct bh_peer *p)
{
	bh_cleanup(bh_buf_done) struct bh_buf whose = BH_BUF_INIT;

	if (!q->node) {
		put_peer(b, q);
		BH_SAY(b, " is no node");
		return false;
	}
	for (size_t i = 0; i < q->set->n_nodes; i++) {
		if (node_has(q->set->nodes[i], q->peer_addr) &&
		    bh_selector_match(&p->pod, &q->set->nodes[i]->labels))
			return true;
	}
	if (b)
		bh_buf_printf(&whose, "node %s", q->node->name);
	(void)selector_matches(b, bh_buf_str(&whose), &p->pod, &q->node->labels);
	return false;
}

static bool name_has(const struct bh_known_name *n, const struct bh_addr *a)
{
	for (size_t i = 0; i < n->n; i++) {
		if (bh_addr_eq(&n->addrs[i], a))
			return true;
	}
	return false;
}

static void put_names(struct bh_buf *b, const struct bh_strlist *l)
{
	for (size_t i = 0; i < l->n && i < BH_SHOWN; i++)
		BH_SAY(b, "%s%s", i ? ", " : "", l->items[i]);
	if (l->n > BH_SHOWN)
		BH_SAY(b, ", ...");
}

/* A name that has the address, but that no pattern means, is what people look for. */
static bool names_match(struct bh_buf *b, const struct bh_asked *q, const struct bh_peer *p)
{
	const char *other = NULL;

	for (size_t i = 0; q->around && i < q->around->n_names; i++) {
		const struct bh_known_name *n = &q->around->names[i];

		if (!name_has(n, q->peer_addr))
			continue;
		for (size_t k = 0; k < p->names.n; k++) {
			if (bh_name_match(p->names.items[k], n->name))
				return true;
		}
		other = n->name;
	}
	put_peer(b, q);
	if (other)
		BH_SAY(b, " is known as %s, which is not in ", other);
	else
		BH_SAY(b, " is not known as an address of ");
	put_names(b, &p->names);
	return false;
}

/* The own node is meant by no other peer, and by none in policies of the standard kinds. */
static bool means_own_node(const struct bh_policy *pol, const struct bh_peer *p)
{
	if (pol->kind != BH_KIND_TRAFFIC_POLICY && pol->kind != BH_KIND_CLUSTER_TRAFFIC_POLICY)
		return false;
	return p->kind == BH_PEER_ENTITY &&
	       (p->entity == BH_ENTITY_HOST || p->entity == BH_ENTITY_NODES ||
		p->entity == BH_ENTITY_ALL);
}

static bool peer_matches(struct bh_buf *b, const struct bh_asked *q, const struct bh_policy *pol,
			 const struct bh_peer *p)
{
	switch (p->kind) {
	case BH_PEER_ENDPOINTS:
		return endpoints_match(b, q, pol, p);
	case BH_PEER_BLOCK:
		return block_matches(b, q, &p->block);
	case BH_PEER_ENTITY:
		return entity_matches(b, q, p->entity);
	case BH_PEER_NODES:
		return nodes_match(b, q, p);
	case BH_PEER_NAMES:
		return names_match(b, q, p);
	case BH_PEER_UNKNOWN:
	case BH_PEER_INVALID:
	case BH_PEER_COUNT:
		break;
	}
	BH_SAY(b, "the rule names a kind of peer that this version does not know");
	return false;
}

static bool own_node_matches(const struct bh_asked *q, const struct bh_policy *pol,
			     const struct bh_rule *r, struct bh_buf *b)
{
	if (r->n_peers == 0 && !bh_host_is_free(q))
		return true;
	for (size_t i = 0; i < r->n_peers; i++) {
		if (means_own_node(pol, &r->peers[i]))
			return true;
	}
	BH_SAY(b, "%s is the node that %s/%s runs on, which only %sentity host, nodes or all mean",
	       peer_word(q), q->subject->ns, q->subject->name,
	       bh_host_is_free(q) ? "" : "rules without peers and ");
	return false;
}

/* Adds @one to what was said, unless it was said before: selectors have the same to say about nobody's address. */
static void add_unless_said(struct bh_buf *all, const struct bh_buf *one, size_t *shown)
{
	all->failed |= one->failed;
	if (*shown >= BH_SHOWN || strstr(bh_buf_str(all), bh_buf_str(one)))
		return;
	bh_buf_printf(all, "%s%s", (*shown)++ ? ", and " : "", bh_buf_str(one));
}

bool bh_peers_match(const struct bh_asked *q, const struct bh_policy *p, const struct bh_rule *r,
		    struct bh_buf *b)
{
	bh_cleanup(bh_buf_done) struct bh_buf all = BH_BUF_INIT;
	size_t shown = 0;

	if (q->own_node)
		return own_node_matches(q, p, r, b);
	if (r->n_peers == 0)
		return true;
	for (size_t i = 0; i < r->n_peers; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf one = BH_BUF_INIT;

		if (peer_matches(b ? &one : NULL, q, p, &r->peers[i]))
			return true;
		if (b)
			add_unless_said(&all, &one, &shown);
	}
	if (shown == BH_SHOWN && r->n_peers > BH_SHOWN)
		bh_buf_puts(&all, ", and so on");
	bh_say_buf(b, &all);
	return false;
}
