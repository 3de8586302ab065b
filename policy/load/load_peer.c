/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_peer.c - peers of NetworkPolicy and of our own kinds
 */
#include "policy/load/load_internal.h"

#include "common/util.h"
#include "policy/pattern.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

bool bh_load_prefix(struct bh_load *l, const struct bh_yaml_node *n, struct bh_prefix *ret)
{
	if (bh_prefix_parse(bh_node_str(n), ret) == 0)
		return true;
	bh_complain(&l->rd, n, "e7", "write it like 10.1.0.0/16 or fd00:1::/32",
		    "\"%.80s\" in %s is not a range of addresses", bh_node_str(n),
		    bh_path(&l->rd, ""));
	return false;
}

static void block_except(struct bh_load *l, const struct bh_yaml_node *list, struct bh_ip_block *b)
{
	const struct bh_field *f = &bh_object_block.fields[BH_F_BLOCK_EXCEPT];
	char outer[BH_PREFIX_STRLEN];

	b->except = bh_load_array(l, list->n, sizeof(*b->except));
	for (uint32_t i = 0; b->except && i < list->n; i++) {
		const struct bh_yaml_node *e = list->items[i];
		struct bh_prefix *p = &b->except[b->n_except++];
		size_t mark = bh_path_key(&l->rd, "except");

		(void)bh_path_index(&l->rd, i);
		if ((bh_node_is_null(e) || bh_read_item(&l->rd, e, f)) && bh_load_prefix(l, e, p) &&
		    !(bh_prefix_covers(&b->cidr, p) && p->len > b->cidr.len))
			bh_complain(
			    &l->rd, e, "e7", "except takes smaller ranges out of cidr",
			    bh_prefix_covers(&b->cidr, p) ? "except %s leaves nothing of %s (%s)"
							  : "except %s is not inside %s (%s)",
			    bh_node_str(e), bh_prefix_format(&b->cidr, outer), bh_path(&l->rd, ""));
		bh_path_back(&l->rd, mark);
	}
}

static void block(struct bh_load *l, const struct bh_yaml_node *n, struct bh_ip_block *b)
{
	struct bh_got got[BH_F_BLOCK_COUNT];
	const struct bh_yaml_node *cidr, *except;
	bool ok = false;
	size_t mark;

	if (!bh_read_fields(&l->rd, n, &bh_object_block, l->in, got))
		return;
	cidr = got[BH_F_BLOCK_CIDR].value;
	except = got[BH_F_BLOCK_EXCEPT].value;
	mark = bh_path_key(&l->rd, "cidr");
	if (*bh_node_str(cidr))
		ok = bh_load_prefix(l, cidr, &b->cidr);
	else if (cidr || bh_node_is_null(bh_yaml_get(n, "cidr", NULL)))
		bh_complain(&l->rd, cidr ? cidr : n, "e18", "write it like 10.1.0.0/16",
			    "an ipBlock without \"cidr\"");
	bh_path_back(&l->rd, mark);
	if (ok && except)
		block_except(l, except, b);
}

static enum bh_entity entity_by_name(const char *s)
{
	for (unsigned e = BH_ENTITY_WORLD; e < BH_ENTITY_COUNT; e++)
		if (strcmp(bh_entity_name(e), s) == 0)
			return e;
	return BH_ENTITY_INVALID;
}

/* Addresses of a name are never all known: a rule that must catch all of them would not hold. */
static void fqdn(struct bh_load *l, const struct bh_got *got, const struct bh_rule *r,
		 struct bh_peer *p)
{
	size_t mark = bh_path_key(&l->rd, "fqdn");

	p->kind = BH_PEER_NAMES;
	bh_load_values(l, got->value, &bh_object_peer.fields[BH_F_PEER_FQDN], bh_pattern_name, true,
		       &p->names);
	if (r->action != BH_ACTION_ALLOW && r->action != BH_ACTION_INVALID)
		bh_complain(
		    &l->rd, got->key, "e9",
		    "deny by default (isolate: egress) and allow the names you want",
		    "fqdn in %s %s rule (%s): addresses of a name are never all known, so this "
		    "would not hold",
		    r->action == BH_ACTION_ALERT ? "an" : "a", bh_action_name(r->action),
		    bh_path(&l->rd, ""));
	bh_path_back(&l->rd, mark);
}

/* Two things that cannot stand together in one peer: the first and second of those that are there. */
static void too_many(struct bh_load *l, const struct bh_got *got)
{
	static const unsigned order[] = { BH_F_PEER_BLOCK, BH_F_PEER_ENTITY, BH_F_PEER_FQDN,
					  BH_F_PEER_POD, BH_F_PEER_NS };
	const char *first = NULL, *second = NULL;
	const struct bh_yaml_node *at = NULL;
	char hint[128];

	for (size_t i = 0; i < BH_ARRAY_SIZE(order) && !second; i++) {
		if (!got[order[i]].value)
			continue;
		if (first)
			second = bh_object_peer.fields[order[i]].name;
		else
			first = bh_object_peer.fields[order[i]].name;
		if (!at)
			at = got[order[i]].value;
	}
	if (!second)
		return;
	(void)snprintf(hint, sizeof(hint),
		       "to allow either, write two items: \"- %s: ...\" and \"- %s: ...\"", first,
		       second);
	bh_complain(&l->rd, at, "e3", hint,
		    "peer in %s has both %s and %s: one thing per list item", bh_path(&l->rd, ""),
		    first, second);
}

static void peer(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_rule *r,
		 struct bh_peer *p)
{
	struct bh_got got[BH_F_PEER_COUNT];
	size_t errors = l->rd.d->n_errors;
	bool null = false;
	unsigned alone = 0;
	size_t mark;

	p->pos = n->pos;
	p->kind = BH_PEER_ENDPOINTS;
	if (!bh_read_fields(&l->rd, n, &bh_object_peer, l->in, got))
		return;
	for (size_t i = 0; i < BH_F_PEER_COUNT; i++)
		null |= got[i].key != NULL; /* written at all, right or wrong */
	bh_load_selector_at(l, "podSelector", got[BH_F_PEER_POD].value, &p->has_pod, &p->pod);
	bh_load_selector_at(l, "namespaceSelector", got[BH_F_PEER_NS].value, &p->has_ns, &p->ns);
	if (got[BH_F_PEER_BLOCK].value) {
		alone++;
		p->kind = BH_PEER_BLOCK;
		mark = bh_path_key(&l->rd, "ipBlock");
		block(l, got[BH_F_PEER_BLOCK].value, &p->block);
		bh_path_back(&l->rd, mark);
	}
	if (got[BH_F_PEER_ENTITY].value) {
		alone++;
		p->kind = BH_PEER_ENTITY;
		p->entity = entity_by_name(bh_node_str(got[BH_F_PEER_ENTITY].value));
	}
	if (got[BH_F_PEER_FQDN].value) {
		alone++;
		fqdn(l, &got[BH_F_PEER_FQDN], r, p);
	}
	if (alone > 1 || (alone > 0 && (p->has_pod || p->has_ns)))
		too_many(l, got);
	else if (alone == 0 && !p->has_pod && !p->has_ns && l->rd.d->n_errors == errors)
		bh_complain(&l->rd, n, "e3", "to mean every peer, leave the list out",
			    null ? "peer in %s has only fields without a value"
				 : "peer in %s says nothing",
			    bh_path(&l->rd, ""));
}

void bh_load_peers(struct bh_load *l, const struct bh_yaml_node *list, struct bh_rule *r)
{
	r->peers = bh_load_array(l, list->n, sizeof(*r->peers));
	for (uint32_t i = 0; r->peers && i < list->n; i++) {
		size_t mark = bh_path_index(&l->rd, i);

		peer(l, list->items[i], r, &r->peers[r->n_peers++]);
		bh_path_back(&l->rd, mark);
	}
}
