/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_policy.c - policies -> rules as they hold now, with the terms they ask about
 *
 * A new set is held against the one before: what is the same object, or the same text at the same place, stays as it
 * is. A policy whose time has come (bh_policy_next()) is taken out and put in again.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"
#include "policy/when.h"

#include <string.h>

#include "common/banned.h"

static bool selects_all(const struct bh_selector *s)
{
	return s->n == 0;
}

/* ---- peers ---- */

static int peer_term(struct bh_state *s, struct bh_crule *cr, struct bh_policy *p,
		     const struct bh_term *t, const struct bh_selector *ns_sel)
{
	uint32_t term;
	int r = bh_term_get(s, t, ns_sel, p, &term);

	if (r < 0)
		return r;
	r = bh_u32s_add(&cr->peers, term);
	if (r < 0)
		(void)!bh_term_put(s, term);
	return r;
}

static int peer_endpoints(struct bh_state *s, struct bh_crule *cr, struct bh_policy *p,
			  const struct bh_peer *peer)
{
	struct bh_term t = { .kind = BH_TERM_SELECTOR, .ns = BH_NONE };
	bool every_ns = peer->has_ns ? selects_all(&peer->ns) : bh_kind_is_cluster(p->kind);
	int r;

	if (!peer->has_ns && !peer->has_pod)
		return 0; /* says nothing: matches nothing */
	if (every_ns && (!peer->has_pod || selects_all(&peer->pod))) {
		cr->any_endpoint = true;
		return 0;
	}
	if (!peer->has_ns && !every_ns) {
		r = bh_ns_get(s, p->ns, &t.ns);
		if (r < 0)
			return r;
	}
	if (peer->has_pod && !selects_all(&peer->pod))
		t.pod = &peer->pod;
	return peer_term(s, cr, p, &t, peer->has_ns ? &peer->ns : NULL);
}

static int peer_entity(struct bh_state *s, struct bh_crule *cr, struct bh_policy *p,
		       enum bh_entity e)
{
	static const struct bh_term nodes = { .kind = BH_TERM_NODES },
				    resolvers = { .kind = BH_TERM_RESOLVERS },
				    reserved = { .kind = BH_TERM_RESERVED };

	switch (e) {
	case BH_ENTITY_WORLD:
		cr->world = true;
		return peer_term(s, cr, p, &reserved, NULL);
	case BH_ENTITY_HOST:
		cr->host = true;
		return 0;
	case BH_ENTITY_NODES:
		cr->host = true;
		return peer_term(s, cr, p, &nodes, NULL);
	case BH_ENTITY_CLUSTER:
		cr->any_endpoint = true;
		return peer_term(s, cr, p, &nodes, NULL);
	case BH_ENTITY_DNS:
		return peer_term(s, cr, p, &resolvers, NULL);
	case BH_ENTITY_ALL:
		cr->any_peer = cr->host = true;
		return 0;
	case BH_ENTITY_INVALID:
	case BH_ENTITY_COUNT:
		break;
	}
	return bh_err_set(s->err, -EINVAL, "a peer is no entity");
}

static int peer_add(struct bh_state *s, struct bh_crule *cr, struct bh_policy *p,
		    const struct bh_peer *peer)
{
	struct bh_term t = { .kind = BH_TERM_SELECTOR };

	switch (peer->kind) {
	case BH_PEER_ENDPOINTS:
		return peer_endpoints(s, cr, p, peer);
	case BH_PEER_BLOCK:
		t.kind = BH_TERM_BLOCK;
		t.block = &peer->block;
		return peer_term(s, cr, p, &t, NULL);
	case BH_PEER_ENTITY:
		return peer_entity(s, cr, p, peer->entity);
	case BH_PEER_NODES:
		t.kind = BH_TERM_NODES;
		t.nodes = selects_all(&peer->pod) ? NULL : &peer->pod;
		return peer_term(s, cr, p, &t, NULL);
	case BH_PEER_NAMES:
		t.kind = BH_TERM_NAMES;
		t.names = &peer->names;
		return peer_term(s, cr, p, &t, NULL);
	case BH_PEER_UNKNOWN:
		/* Fails closed: allows nothing; whatever else it was to do, it denies. */
		if (cr->src->action == BH_ACTION_DENY || cr->src->action == BH_ACTION_REJECT ||
		    cr->src->action == BH_ACTION_PASS)
			cr->deny_all = true;
		return 0;
	case BH_PEER_INVALID:
	case BH_PEER_COUNT:
		break;
	}
	return bh_err_set(s->err, -EINVAL, "a peer has no kind");
}

/* ---- ports ---- */

/* Ports exist in these protocols only: a range without a protocol means all three. */
static const uint8_t with_ports[] = { BH_L4_TCP, BH_L4_UDP, BH_L4_SCTP };

static bool is_range(const struct bh_cport *p)
{
	return p->name == BH_NONE && p->lo < p->hi && (p->lo != 0 || p->hi != UINT16_MAX);
}

static int name_used(struct bh_state *s, uint32_t name, bool more)
{
	struct bh_port_name *n = &s->names[name];
	bool flips = more ? n->uses++ == 0 : --n->uses == 0;
	int r = 0;

	/* Names that nobody uses tell no endpoints apart. */
	for (size_t i = 0; r == 0 && flips && i < n->groups.n; i++)
		r = bh_group_dirty(s, n->groups.v[i]);
	return r;
}

static int port_add(struct bh_state *s, struct bh_crule *cr, const struct bh_cport *p)
{
	const uint32_t key[] = { p->l4, p->lo, p->hi };
	uint32_t slot;
	bool fresh;
	int r = 0;

	if (is_range(p)) {
		r = bh_slot_get(&s->ranges, key, sizeof(key), &slot, &fresh);
		if (r < 0)
			return r;
		s->cuts_dirty |= fresh;
	}
	cr->ports[cr->n_ports++] = *p;
	if (p->name != BH_NONE) {
		cr->named = true;
		r = name_used(s, p->name, true);
	}
	return r;
}

static int ports_add(struct bh_state *s, struct bh_crule *cr)
{
	const struct bh_rule *src = cr->src;
	int r = 0;

	cr->no_ports = src->has_ports && src->n_ports == 0;
	if (src->n_ports == 0 || cr->deny_all)
		return 0;
	cr->ports = calloc(src->n_ports, sizeof(*cr->ports) * BH_ARRAY_SIZE(with_ports));
	if (!cr->ports)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < src->n_ports; i++) {
		const struct bh_port *p = &src->ports[i];
		struct bh_cport cp = { .l4 = p->l4, .lo = p->lo, .hi = p->hi, .name = BH_NONE };

		if (p->name) {
			r = bh_port_name_get(s, p->name, &cp.name);
		} else if (p->l4 == BH_L4_ANY && (p->lo != 0 || p->hi != UINT16_MAX)) {
			for (size_t k = 0; r == 0 && k < BH_ARRAY_SIZE(with_ports); k++) {
				cp.l4 = with_ports[k];
				r = port_add(s, cr, &cp);
			}
			continue;
		}
		if (r == 0)
			r = port_add(s, cr, &cp);
	}
	return r;
}

/* ---- rules ---- */

static int rule_add(struct bh_state *s, struct bh_crule *cr, struct bh_policy *p)
{
	const struct bh_rule *src = cr->src;
	int r = 0;

	if (src->action == BH_ACTION_INVALID || src->action >= BH_ACTION_COUNT ||
	    (src->action == BH_ACTION_PASS && p->tier == BH_TIER_APPLICATION))
		return bh_err_set(s->err, -EINVAL, "rule %u has no action", cr->index);
	cr->any_peer = src->n_peers == 0;
	for (size_t i = 0; r == 0 && i < src->n_peers; i++)
		r = peer_add(s, cr, p, &src->peers[i]);
	cr->any_peer |= cr->deny_all;
	if (r == 0)
		r = ports_add(s, cr);
	if (r < 0 || src->n_details == 0)
		return r;
	cr->preds = calloc(src->n_details, sizeof(*cr->preds));
	if (!cr->preds)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < src->n_details; i++)
		r = bh_pred_get(s, &src->details[i], p, &cr->preds[i]);
	return r;
}

static int rules_add(struct bh_state *s, struct bh_cpolicy *cp, uint32_t slot, enum bh_dir dir)
{
	struct bh_policy *p = cp->src;
	int r = 0;

	if (p->n_rules[dir] == 0)
		return 0;
	cp->rules[dir] = calloc(p->n_rules[dir], sizeof(*cp->rules[dir]));
	if (!cp->rules[dir])
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < p->n_rules[dir]; i++) {
		struct bh_crule *cr;

		if (!bh_rule_holds_at(&p->rules[dir][i], s->now))
			continue;
		cr = &cp->rules[dir][cp->n_rules[dir]++];
		cr->src = &p->rules[dir][i];
		cr->policy = slot;
		cr->index = (uint32_t)i;
		r = rule_add(s, cr, p);
	}
	return r;
}

/* ---- policies ---- */

static void crule_done(struct bh_crule *cr)
{
	bh_u32s_done(&cr->peers);
	free(cr->ports);
	free(cr->preds);
}

void bh_cpolicy_free(struct bh_cpolicy *cp)
{
	if (!cp)
		return;
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t i = 0; i < cp->n_rules[d]; i++)
			crule_done(&cp->rules[d][i]);
		free(cp->rules[d]);
	}
	bh_policy_free(cp->src);
	free(cp);
}

/* Rules of a NetworkPolicy count only in directions that it isolates (N4). */
static bool may_have_effect(const struct bh_policy *p, enum bh_dir dir)
{
	return p->isolates[dir] || p->kind != BH_KIND_NETWORK_POLICY;
}

static int subject_add(struct bh_state *s, struct bh_cpolicy *cp, uint32_t slot)
{
	struct bh_policy *p = cp->src;
	struct bh_term t = { .kind = BH_TERM_SELECTOR, .ns = BH_NONE };
	int r = 0;

	if (!bh_kind_is_cluster(p->kind))
		r = bh_ns_get(s, p->ns, &t.ns);
	if (r < 0)
		return r;
	if (!selects_all(&p->pods))
		t.pod = &p->pods;
	r = bh_term_get(s, &t, p->has_ns ? &p->ns_sel : NULL, p, &cp->subject);
	if (r == 0)
		r = bh_u32s_add(&s->terms[cp->subject].subjects, slot);
	return r < 0 ? r : bh_term_resubject(s, cp->subject);
}

static int policy_fill(struct bh_state *s, struct bh_cpolicy *cp, uint32_t slot)
{
	const struct bh_policy *p = cp->src;
	bool any = false;

	if (p->tier == BH_TIER_INVALID || p->tier >= BH_TIER_COUNT)
		return bh_err_set(s->err, -EINVAL, "no tier");
	if (p->mode == BH_MODE_INVALID || p->mode >= BH_MODE_COUNT)
		return bh_err_set(s->err, -EINVAL, "no mode");
	cp->mode = bh_policy_mode_at(p, s->now);
	cp->next = bh_policy_next(p, s->now);
	if (cp->mode == BH_MODE_INVALID)
		return 0; /* expired */
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		int r;

		if (!may_have_effect(p, d))
			continue;
		r = rules_add(s, cp, slot, d);
		if (r < 0)
			return r;
		cp->effective[d] = p->isolates[d] || cp->n_rules[d] > 0;
		any |= cp->effective[d];
	}
	return any ? subject_add(s, cp, slot) : 0;
}

static int policy_slot(struct bh_state *s, uint32_t *ret)
{
	int r = 0;

	if (s->free_policies.n) {
		*ret = s->free_policies.v[--s->free_policies.n];
		return 0;
	}
	if (s->n_policies >= BH_NONE - 1)
		return -E2BIG;
	r = bh_grow(&s->policies, &s->cap_policies, s->n_policies, sizeof(struct bh_cpolicy *));
	if (r == 0)
		*ret = (uint32_t)s->n_policies++;
	return r;
}

static int policy_add(struct bh_state *s, struct bh_policy *p, uint32_t *ret)
{
	struct bh_cpolicy *cp = calloc(1, sizeof(*cp));
	bh_cleanup(bh_buf_done) struct bh_buf name = BH_BUF_INIT;
	int r;

	if (!cp)
		return -ENOMEM;
	r = policy_slot(s, ret);
	if (r < 0) {
		free(cp);
		return r;
	}
	s->policies[*ret] = cp;
	cp->src = bh_policy_ref(p);
	cp->serial = ++s->serial;
	cp->subject = BH_NONE;
	r = policy_fill(s, cp, *ret);
	if (r == 0)
		return 0;
	bh_policy_put_name(&name, p);
	return bh_err_wrap(s->err, r, "%s", bh_buf_str(&name));
}

static int crule_release(struct bh_state *s, struct bh_crule *cr)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < cr->peers.n; i++)
		r = bh_term_put(s, cr->peers.v[i]);
	for (size_t i = 0; r == 0 && i < cr->n_ports; i++) {
		const struct bh_cport *p = &cr->ports[i];
		const uint32_t key[] = { p->l4, p->lo, p->hi };
		uint32_t slot;

		if (p->name != BH_NONE)
			r = name_used(s, p->name, false);
		else if (is_range(p) && bh_slot_find(&s->ranges, key, sizeof(key), &slot))
			s->cuts_dirty |= bh_slot_put(&s->ranges, slot);
	}
	return r;
}

/* Its slot and what it holds are given up when nobody names them any more (compile.c). */
static int policy_remove(struct bh_state *s, uint32_t slot)
{
	struct bh_cpolicy *cp = s->policies[slot];
	int r = 0;

	if (cp->subject != BH_NONE) {
		bh_u32s_remove(&s->terms[cp->subject].subjects, slot);
		r = bh_term_resubject(s, cp->subject);
		if (r == 0)
			r = bh_term_put(s, cp->subject);
	}
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t i = 0; r == 0 && i < cp->n_rules[d]; i++)
			r = crule_release(s, &cp->rules[d][i]);
	}
	return r < 0 ? r : bh_u32s_add(&s->later_policies, slot);
}

/* ---- sets ---- */

static int identity_cmp(const struct bh_policy *a, const struct bh_policy *b)
{
	int c;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	c = strcmp(a->ns, b->ns);
	return c ? c : strcmp(a->name, b->name);
}

static bool same(const struct bh_policy *a, const struct bh_policy *b)
{
	if (a == b)
		return true;
	return a->source && *a->source && bh_streq(a->source, b->source) &&
	       bh_streq(a->file, b->file) && a->pos.line == b->pos.line &&
	       a->pos.column == b->pos.column;
}

/* Time made another thing of it, or may have: time went back. */
static bool is_due(const struct bh_state *s, const struct bh_cpolicy *cp, bool back)
{
	return cp->next <= s->now || (back && bh_policy_next(cp->src, INT64_MIN) != INT64_MAX);
}

int bh_policies_apply(struct bh_state *s, const struct bh_policy_set *set, bool back)
{
	bh_autofree uint32_t *slots = calloc(set->n_policies + 1, sizeof(*slots));
	size_t i = 0, k = 0;
	int r = 0;

	if (!slots)
		return -ENOMEM;
	/* First what goes: what comes may take its place. */
	while (r == 0 && i < s->n_in_set) {
		const struct bh_cpolicy *cp = s->policies[s->in_set[i]];
		int c = k < set->n_policies ? identity_cmp(cp->src, set->policies[k]) : -1;

		if (c > 0) {
			slots[k++] = BH_NONE;
		} else if (c == 0 && same(cp->src, set->policies[k]) && !is_due(s, cp, back)) {
			slots[k++] = s->in_set[i++];
		} else {
			if (c == 0)
				slots[k++] = BH_NONE;
			r = policy_remove(s, s->in_set[i++]);
		}
	}
	for (; k < set->n_policies; k++)
		slots[k] = BH_NONE;
	for (k = 0; r == 0 && k < set->n_policies; k++) {
		if (slots[k] == BH_NONE)
			r = policy_add(s, set->policies[k], &slots[k]);
	}
	if (r < 0)
		return r;
	free(s->in_set);
	s->in_set = bh_take_ptr(&slots);
	s->n_in_set = set->n_policies;
	return 0;
}
