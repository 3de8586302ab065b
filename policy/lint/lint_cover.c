/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_cover.c - which rules match no more than others: peers, ports, what is spoken; and which meet
 *
 * "Within" is proved entry by entry: each peer (port, clause) of the narrower rule must lie in one of the wider
 * rule; only ranges of ports and addresses are put together. What is not found this way is not claimed.
 */
#include "policy/lint/lint_internal.h"
#include "policy/ruleset.h"

#include <string.h>

#include "common/banned.h"

/* ---- addresses ---- */

static const struct bh_prefix *holder(const struct bh_addr *a, const struct bh_prefix *by, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bh_prefix_contains(&by[i], a))
			return &by[i];
	return NULL;
}

/* Every address of @p lies in one of two lists: walks through it, from one range to the next. */
static bool covered(struct lint_steps *s, const struct bh_prefix *p, const struct bh_prefix *x,
		    size_t nx, const struct bh_prefix *y, size_t ny)
{
	struct bh_addr at, end;

	bh_prefix_range(p, &at, &end);
	for (size_t i = 0; i <= nx + ny; i++) {
		const struct bh_prefix *by;
		struct bh_addr lo, hi;

		if (!lint_pay(s, nx + ny + 1))
			return false;
		by = holder(&at, x, nx);
		if (!by)
			by = holder(&at, y, ny);
		if (!by)
			return false;
		bh_prefix_range(by, &lo, &hi);
		if (bh_addr_cmp(&hi, &end) >= 0 || !bh_addr_next(&hi, &at))
			return true;
	}
	return false;
}

bool lint_prefix_covered(struct lint_steps *s, const struct bh_prefix *p,
			 const struct bh_prefix *by, size_t n)
{
	return covered(s, p, by, n, NULL, 0);
}

static bool block_within(struct lint_steps *s, const struct bh_ip_block *b,
			 const struct bh_ip_block *a)
{
	/* What lies outside of @a, @b must leave out. */
	if (!covered(s, &b->cidr, &a->cidr, 1, b->except, b->n_except))
		return false;
	for (size_t i = 0; i < a->n_except; i++) {
		const struct bh_prefix *e = &a->except[i];

		/* What @a leaves out too, as far as it concerns it. */
		if (bh_prefix_covers(e, &b->cidr))
			e = &b->cidr;
		else if (!bh_prefix_covers(&b->cidr, e))
			continue;
		if (!lint_prefix_covered(s, e, b->except, b->n_except))
			return false;
	}
	return true;
}

static bool blocks_clash(struct lint_steps *s, const struct bh_ip_block *a,
			 const struct bh_ip_block *b)
{
	const struct bh_prefix *inner = a->cidr.len >= b->cidr.len ? &a->cidr : &b->cidr;
	const struct bh_prefix *outer = inner == &a->cidr ? &b->cidr : &a->cidr;

	return bh_prefix_covers(outer, inner) &&
	       !covered(s, inner, a->except, a->n_except, b->except, b->n_except);
}

/* ---- peers ---- */

bool lint_has_entity(const struct bh_rule *r, enum bh_entity e)
{
	for (size_t i = 0; i < r->n_peers; i++)
		if (r->peers[i].kind == BH_PEER_ENTITY && r->peers[i].entity == e)
			return true;
	return false;
}

static bool has_whole_family(const struct bh_rule *r, uint8_t family)
{
	for (size_t i = 0; i < r->n_peers; i++) {
		const struct bh_ip_block *b = &r->peers[i].block;

		if (r->peers[i].kind == BH_PEER_BLOCK && b->cidr.len == 0 &&
		    b->cidr.addr.family == family && b->n_except == 0)
			return true;
	}
	return false;
}

bool lint_any_peer(const struct bh_rule *r)
{
	return r->n_peers == 0 || lint_has_entity(r, BH_ENTITY_ALL) ||
	       (has_whole_family(r, 4) && has_whole_family(r, 6));
}

/* May be traffic with the own node. */
static bool touches_host(const struct bh_peer *p)
{
	return p->kind == BH_PEER_ENTITY &&
	       (p->entity == BH_ENTITY_HOST || p->entity == BH_ENTITY_NODES ||
		p->entity == BH_ENTITY_ALL);
}

static bool entity_within(const struct bh_peer *b, enum bh_entity a)
{
	bool same = b->kind == BH_PEER_ENTITY && b->entity == a;

	switch (a) {
	case BH_ENTITY_ALL:
		return b->kind != BH_PEER_UNKNOWN;
	case BH_ENTITY_CLUSTER:
		return same || b->kind == BH_PEER_ENDPOINTS || b->kind == BH_PEER_NODES;
	case BH_ENTITY_NODES:
		return same || b->kind == BH_PEER_NODES ||
		       (b->kind == BH_PEER_ENTITY && b->entity == BH_ENTITY_HOST);
	default:
		return same;
	}
}

/* "x.example" and "*.x.example" are within "*.example". */
static bool name_within(const char *b, const char *a)
{
	if (strcmp(a, b) == 0)
		return true;
	if (strncmp(a, "*.", 2) != 0)
		return false;
	return bh_name_match(a, strncmp(b, "*.", 2) == 0 ? b + 2 : b);
}

static bool names_within(struct lint_steps *s, const struct bh_strlist *b,
			 const struct bh_strlist *a)
{
	if (!lint_pay(s, 2 * (uint64_t)a->n * b->n))
		return false;
	for (size_t i = 0; i < b->n; i++) {
		bool found = false;

		for (size_t k = 0; !found && k < a->n; k++)
			found = name_within(b->items[i], a->items[k]);
		if (!found)
			return false;
	}
	return true;
}

bool lint_peer_within(struct lint *l, const struct bh_policy *bp, const struct bh_peer *b,
		      const struct bh_policy *ap, const struct bh_peer *a)
{
	struct lint_scope sa, sb;

	if (!lint_pay(&l->steps, 1))
		return false;
	if (a->kind == BH_PEER_ENTITY)
		return entity_within(b, a->entity);
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case BH_PEER_ENDPOINTS:
		sa = lint_peer_scope(ap, a);
		sb = lint_peer_scope(bp, b);
		return lint_scope_within(l, &sb, &sa);
	case BH_PEER_BLOCK:
		return block_within(&l->steps, &b->block, &a->block);
	case BH_PEER_NODES:
		return lint_selector_within(&l->steps, &b->pod, &a->pod);
	case BH_PEER_NAMES:
		return names_within(&l->steps, &b->names, &a->names);
	default:
		return false;
	}
}

bool lint_peers_within(struct lint *l, const struct lint_rule *lb, const struct lint_rule *la)
{
	const struct bh_rule *a = la->r, *b = lb->r;
	bool any = lint_any_peer(a), host = lint_has_entity(a, BH_ENTITY_ALL);

	/*
	 * Of what comes in, a rule without peers may mean the own node too (hostToContainer), which no block does: lint
	 * does not know all who may be selected.
	 */
	if (b->n_peers == 0)
		return lb->dir == BH_DIR_EGRESS ? any : a->n_peers == 0 || host;
	for (size_t i = 0; i < b->n_peers; i++) {
		bool found = any && b->peers[i].kind != BH_PEER_UNKNOWN &&
			     (host || !touches_host(&b->peers[i]));

		for (size_t k = 0; !found && k < a->n_peers; k++)
			found = lint_peer_within(l, lb->p, &b->peers[i], la->p, &a->peers[k]);
		if (!found)
			return false;
	}
	return true;
}

/* ---- ports ---- */

static bool every_port(const struct bh_port *p)
{
	return !p->name && p->lo == 0 && p->hi == UINT16_MAX;
}

static bool has_port_numbers(uint8_t l4)
{
	return l4 == BH_L4_TCP || l4 == BH_L4_UDP || l4 == BH_L4_SCTP;
}

/* @p says something about @l4 in numbers. */
static bool speaks_of(const struct bh_port *p, uint8_t l4)
{
	if (p->name)
		return false;
	return p->l4 == l4 || (p->l4 == BH_L4_ANY && (has_port_numbers(l4) || every_port(p)));
}

static bool named_within(const struct bh_port *b, const struct bh_rule *a)
{
	for (size_t i = 0; i < a->n_ports; i++) {
		const struct bh_port *p = &a->ports[i];

		if (p->l4 != b->l4 && p->l4 != BH_L4_ANY)
			continue;
		if (every_port(p) || bh_streq(p->name, b->name))
			return true;
	}
	return false;
}

/* The numbers of @b lie in the ranges of @a put together. */
static bool numbers_within(const struct bh_port *b, const struct bh_rule *a)
{
	uint32_t at = b->lo;

	for (size_t round = 0; round < a->n_ports; round++) {
		uint32_t next = at;

		for (size_t i = 0; i < a->n_ports; i++) {
			const struct bh_port *p = &a->ports[i];

			if (speaks_of(p, b->l4) && p->lo <= at && p->hi >= at)
				next = BH_MAX(next, (uint32_t)p->hi + 1);
		}
		if (next > b->hi)
			return true;
		if (next == at)
			return false;
		at = next;
	}
	return false;
}

bool lint_ports_within(struct lint_steps *s, const struct bh_rule *b, const struct bh_rule *a)
{
	if (a->n_ports == 0)
		return !a->has_ports;
	if (b->n_ports == 0)
		return b->has_ports;
	for (size_t i = 0; i < b->n_ports; i++) {
		if (!lint_pay(s, a->n_ports))
			return false;
		if (b->ports[i].name ? !named_within(&b->ports[i], a)
				     : !numbers_within(&b->ports[i], a))
			return false;
	}
	return true;
}

/* ---- what is spoken ---- */

bool lint_rule_speaks(const struct bh_rule *r, unsigned proto)
{
	return !r->has_protocols || bh_protoset_has(&r->protocols, proto) != r->negated;
}

static bool subset(const struct bh_protoset *b, const struct bh_protoset *a)
{
	uint64_t left = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(a->bits); i++)
		left |= b->bits[i] & ~a->bits[i];
	return left == 0;
}

static bool disjoint(const struct bh_protoset *b, const struct bh_protoset *a)
{
	uint64_t both = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(a->bits); i++)
		both |= b->bits[i] & a->bits[i];
	return both == 0;
}

static bool protocols_within(const struct bh_rule *b, const struct bh_rule *a)
{
	if (!a->has_protocols)
		return true;
	if (!b->has_protocols)
		return false;
	if (a->negated)
		return b->negated ? subset(&a->protocols, &b->protocols)
				  : disjoint(&a->protocols, &b->protocols);
	return !b->negated && subset(&b->protocols, &a->protocols);
}

/* May @r match a protocol that a detail of this kind binds? */
static bool concerned(const struct bh_rule *r, enum bh_detail_kind k)
{
	static const uint8_t bound[BH_DETAIL_COUNT][2] = {
		[BH_DETAIL_HTTP] = { BH_PROTO_HTTP, BH_PROTO_HTTP2 },
		[BH_DETAIL_TLS] = { BH_PROTO_TLS, BH_PROTO_QUIC },
		[BH_DETAIL_DNS] = { BH_PROTO_DNS, BH_PROTO_DNS },
		[BH_DETAIL_GRPC] = { BH_PROTO_GRPC, BH_PROTO_GRPC },
	};

	if ((unsigned)k >= BH_DETAIL_COUNT || bound[k][0] == 0)
		return true;
	return lint_rule_speaks(r, bound[k][0]) || lint_rule_speaks(r, bound[k][1]);
}

/* A pattern that ends in a separator and two stars, with nothing else open: all that begins so. */
static bool below(const char *b, const char *a)
{
	size_t n = strlen(a);

	if (n < 2 || strcmp(a + n - 2, "**") != 0 || memchr(a, '*', n - 2))
		return false;
	return strncmp(a, b, n - 2) == 0;
}

static bool pattern_within(enum bh_attr attr, const char *b, const char *a)
{
	if (strcmp(a, b) == 0)
		return true;
	switch (attr) {
	case BH_ATTR_HTTP_HOST:
	case BH_ATTR_TLS_NAME:
	case BH_ATTR_DNS_NAME:
		return name_within(b, a);
	case BH_ATTR_HTTP_PATH:
	case BH_ATTR_GRPC_SERVICE:
	case BH_ATTR_GRPC_METHOD:
		/* A pattern without a star means itself. */
		return strchr(b, '*') ? below(b, a) : bh_attr_match(attr, a, b);
	case BH_ATTR_TLS_VERSION:
		return bh_attr_match(attr, a, b);
	default:
		return false;
	}
}

static bool test_within(struct lint_steps *s, const struct bh_test *b, const struct bh_test *a)
{
	if (a->attr != b->attr || !lint_pay(s, 2 * (uint64_t)a->values.n * b->values.n + 1))
		return false;
	for (size_t i = 0; i < b->values.n; i++) {
		bool found = false;

		for (size_t k = 0; !found && k < a->values.n; k++)
			found = pattern_within(a->attr, b->values.items[i], a->values.items[k]);
		if (!found)
			return false;
	}
	return true;
}

static bool clause_within(struct lint_steps *s, const struct bh_clause *b,
			  const struct bh_clause *a)
{
	for (size_t i = 0; i < a->n; i++) {
		bool found = false;

		for (size_t k = 0; !found && k < b->n; k++)
			found = test_within(s, &b->tests[k], &a->tests[i]);
		if (!found)
			return false;
	}
	return true;
}

static bool detail_within(struct lint_steps *s, const struct bh_detail *b,
			  const struct bh_detail *a)
{
	for (size_t i = 0; i < b->n; i++) {
		bool found = false;

		for (size_t k = 0; !found && k < a->n; k++)
			found = lint_pay(s, 1) && clause_within(s, &b->clauses[i], &a->clauses[k]);
		if (!found)
			return false;
	}
	return true;
}

bool lint_speech_within(struct lint_steps *s, const struct bh_rule *b, const struct bh_rule *a)
{
	if (!protocols_within(b, a))
		return false;
	for (size_t i = 0; i < a->n_details; i++) {
		const struct bh_detail *d = &a->details[i];
		bool found = !concerned(b, d->kind);

		for (size_t k = 0; !found && k < b->n_details; k++)
			found =
			    b->details[k].kind == d->kind && detail_within(s, &b->details[k], d);
		if (!found)
			return false;
	}
	return true;
}

/* ---- rules that meet ---- */

/* 0: never the same connection, 1: perhaps, 2: surely */
static int peers_meet(struct lint *l, const struct bh_policy *ap, const struct bh_peer *a,
		      const struct bh_policy *bp, const struct bh_peer *b)
{
	struct lint_scope sa, sb;

	if (a->kind == BH_PEER_UNKNOWN || b->kind == BH_PEER_UNKNOWN)
		return 1;
	if (a->kind == BH_PEER_ENTITY && b->kind != BH_PEER_ENTITY)
		return peers_meet(l, bp, b, ap, a);
	if (b->kind == BH_PEER_ENTITY) {
		bool apart = b->entity == BH_ENTITY_WORLD || b->entity == BH_ENTITY_HOST;

		if (entity_within(a, b->entity) ||
		    (a->kind == BH_PEER_ENTITY && entity_within(b, a->entity)))
			return 2;
		return a->kind == BH_PEER_ENDPOINTS && apart ? 0 : 1;
	}
	if (a->kind != b->kind)
		return 1;
	if (a->kind == BH_PEER_BLOCK)
		return blocks_clash(&l->steps, &a->block, &b->block) ? 2 : 0;
	if (a->kind != BH_PEER_ENDPOINTS)
		return 1;
	sa = lint_peer_scope(ap, a);
	sb = lint_peer_scope(bp, b);
	return lint_scopes_meet(l, &sa, &sb) ? 2 : 0;
}

static int some_peers_meet(struct lint *l, const struct lint_rule *a, const struct lint_rule *b)
{
	int most = 0;

	if (a->r->n_peers == 0 || b->r->n_peers == 0) {
		const struct bh_rule *other = a->r->n_peers == 0 ? b->r : a->r;

		/* The own node is not among "everybody". */
		for (size_t i = 0; i < other->n_peers; i++)
			most = BH_MAX(most, touches_host(&other->peers[i]) ? 1 : 2);
		return other->n_peers == 0 ? 2 : most;
	}
	for (size_t i = 0; i < a->r->n_peers && most < 2; i++) {
		for (size_t k = 0; k < b->r->n_peers && most < 2; k++) {
			if (!lint_pay(&l->steps, 1))
				return 1;
			most = BH_MAX(most,
				      peers_meet(l, a->p, &a->r->peers[i], b->p, &b->r->peers[k]));
		}
	}
	return most;
}

static int ports_meet(const struct bh_port *a, const struct bh_port *b)
{
	if (a->l4 != b->l4 && a->l4 != BH_L4_ANY && b->l4 != BH_L4_ANY)
		return 0;
	if (every_port(a) || every_port(b) || bh_streq(a->name, b->name))
		return 2;
	if (a->name || b->name)
		return 1;
	return a->lo <= b->hi && b->lo <= a->hi ? 2 : 0;
}

static int some_ports_meet(struct lint *l, const struct bh_rule *a, const struct bh_rule *b)
{
	int most = 0;

	if ((a->has_ports && a->n_ports == 0) || (b->has_ports && b->n_ports == 0))
		return 0;
	if (a->n_ports == 0 || b->n_ports == 0)
		return 2;
	if (!lint_pay(&l->steps, (uint64_t)a->n_ports * b->n_ports))
		return 1;
	for (size_t i = 0; i < a->n_ports; i++)
		for (size_t k = 0; k < b->n_ports; k++)
			most = BH_MAX(most, ports_meet(&a->ports[i], &b->ports[k]));
	return most;
}

static int speech_meets(const struct bh_rule *a, const struct bh_rule *b)
{
	if (a->has_protocols && b->has_protocols) {
		if (!a->negated && !b->negated && disjoint(&a->protocols, &b->protocols))
			return 0;
		if (a->negated && !b->negated && subset(&b->protocols, &a->protocols))
			return 0;
		if (b->negated && !a->negated && subset(&a->protocols, &b->protocols))
			return 0;
	}
	return a->n_details > 0 && b->n_details > 0 ? 1 : 2;
}

/* What two rules have in common: 0: nothing, 1: perhaps something, 2: something. */
static int common_traffic(struct lint *l, const struct lint_rule *a, const struct lint_rule *b)
{
	int least = some_ports_meet(l, a->r, b->r);

	if (least > 0)
		least = BH_MIN(least, speech_meets(a->r, b->r));
	if (least > 0)
		least = BH_MIN(least, some_peers_meet(l, a, b));
	return least;
}

bool lint_rules_meet(struct lint *l, const struct lint_rule *a, const struct lint_rule *b)
{
	return common_traffic(l, a, b) > 0;
}

bool lint_rules_clash(struct lint *l, const struct lint_rule *a, const struct lint_rule *b)
{
	return common_traffic(l, a, b) == 2 && !l->steps.empty;
}
