/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_text.c - selectors, rules and what they match, in words
 *
 * Lists are shown up to LIST_MAX entries: a warning is one line.
 */
#include "policy/lint/lint_internal.h"

#include <string.h>

#include "common/banned.h"

#define LIST_MAX 3U

static void put_more(struct bh_buf *b, size_t n)
{
	if (n > LIST_MAX)
		bh_buf_printf(b, " and %zu more", n - LIST_MAX);
}

/* ---- selectors ---- */

static void put_values(struct bh_buf *b, const struct bh_sel_req *r)
{
	bh_buf_putc(b, '(');
	for (size_t i = 0; i < r->n_values && i < LIST_MAX; i++)
		bh_buf_printf(b, "%s%.63s", i ? ", " : "", r->values[i]);
	put_more(b, r->n_values);
	bh_buf_putc(b, ')');
}

static void put_requirement(struct bh_buf *b, const struct bh_sel_req *r)
{
	switch (r->op) {
	case BH_SEL_IN:
		bh_buf_printf(b, r->n_values == 1 ? "%.120s=%.63s" : "%.120s in ", r->key,
			      r->n_values == 1 ? r->values[0] : "");
		if (r->n_values != 1)
			put_values(b, r);
		break;
	case BH_SEL_NOT_IN:
		bh_buf_printf(b, r->n_values == 1 ? "%.120s!=%.63s" : "%.120s not in ", r->key,
			      r->n_values == 1 ? r->values[0] : "");
		if (r->n_values != 1)
			put_values(b, r);
		break;
	case BH_SEL_EXISTS:
		bh_buf_printf(b, "%.120s", r->key);
		break;
	default:
		bh_buf_printf(b, "!%.120s", r->key);
		break;
	}
}

void lint_put_selector(struct bh_buf *b, const struct bh_selector *s)
{
	for (size_t i = 0; i < s->n && i < LIST_MAX; i++) {
		bh_buf_puts(b, i ? ", " : "");
		put_requirement(b, &s->reqs[i]);
	}
	put_more(b, s->n);
}

/* The one name that a selector of namespaces asks for. */
static const char *named(const struct bh_selector *s)
{
	const struct bh_sel_req *r = s->n == 1 ? &s->reqs[0] : NULL;

	return r && r->op == BH_SEL_IN && r->n_values == 1 && strcmp(r->key, LINT_NAME) == 0
		   ? r->values[0]
		   : NULL;
}

void lint_put_scope(struct bh_buf *b, const struct lint_scope *s)
{
	if (s->pods) {
		bh_buf_puts(b, "pods ");
		lint_put_selector(b, s->pods);
	} else {
		bh_buf_puts(b, "all pods");
	}
	if (s->ns_sel && named(s->ns_sel)) {
		bh_buf_printf(b, " of namespace \"%.63s\"", named(s->ns_sel));
	} else if (s->ns_sel) {
		bh_buf_puts(b, " of namespaces ");
		lint_put_selector(b, s->ns_sel);
	} else if (s->ns) {
		bh_buf_printf(b, " of namespace \"%.63s\"", s->ns);
	}
}

/* ---- rules and policies ---- */

void lint_put_rule(struct bh_buf *b, const struct bh_rule *r, enum bh_dir dir, size_t index)
{
	if (r->name)
		bh_buf_printf(b, "rule \"%.100s\"", r->name);
	else
		bh_buf_printf(b, "rule %s[%zu]", bh_dir_name(dir), index);
}

static void put_place(struct bh_buf *b, const struct bh_policy *p, struct bh_pos pos)
{
	if (p->file && pos.line)
		bh_buf_printf(b, " (%s:%u:%u)", p->file, pos.line, pos.column);
}

void lint_put_policy(struct bh_buf *b, const struct bh_policy *p)
{
	bh_policy_put_name(b, p);
	put_place(b, p, p->pos);
}

void lint_put_other(struct bh_buf *b, const struct bh_policy *from, const struct lint_rule *a)
{
	if (a->p == from) {
		lint_put_rule(b, a->r, a->dir, a->index);
		if (a->r->pos.line)
			bh_buf_printf(b, " (line %u)", a->r->pos.line);
		return;
	}
	bh_policy_put_name(b, a->p);
	if (a->r->name) {
		bh_buf_putc(b, ' ');
		lint_put_rule(b, a->r, a->dir, a->index);
	}
	put_place(b, a->p, a->r->pos);
}

/* ---- what a rule matches ---- */

const char *lint_l4_name(uint8_t l4)
{
	static const struct {
		uint8_t l4;
		const char *name;
	} names[] = { { BH_L4_ICMP, "ICMP" },
		      { BH_L4_TCP, "TCP" },
		      { BH_L4_UDP, "UDP" },
		      { BH_L4_ICMPV6, "ICMPv6" },
		      { BH_L4_SCTP, "SCTP" } };

	for (size_t i = 0; i < BH_ARRAY_SIZE(names); i++)
		if (names[i].l4 == l4)
			return names[i].name;
	return "another protocol";
}

void lint_put_port(struct bh_buf *b, const struct bh_port *p)
{
	bool icmp = p->l4 == BH_L4_ICMP || p->l4 == BH_L4_ICMPV6;

	if (p->l4 != BH_L4_ANY)
		bh_buf_puts(b, lint_l4_name(p->l4));
	else
		bh_buf_puts(b, p->name || p->lo > 0 || p->hi < UINT16_MAX ? "port" : "every port");
	if (p->name)
		bh_buf_printf(b, " \"%.63s\"", p->name);
	else if (icmp && p->hi - p->lo == 255)
		bh_buf_printf(b, " type %u", (unsigned)p->lo >> 8);
	else if (icmp && p->lo == p->hi)
		bh_buf_printf(b, " type %u code %u", (unsigned)p->lo >> 8, p->lo & 255U);
	else if (p->lo == p->hi)
		bh_buf_printf(b, " %u", p->lo);
	else if (p->lo > 1 || p->hi < UINT16_MAX)
		bh_buf_printf(b, " %u-%u", p->lo, p->hi);
}

static void put_ports(struct bh_buf *b, const struct bh_rule *r)
{
	for (size_t i = 0; i < r->n_ports && i < LIST_MAX; i++) {
		bh_buf_puts(b, i ? ", " : "");
		lint_put_port(b, &r->ports[i]);
	}
	put_more(b, r->n_ports);
}

static void put_protocols(struct bh_buf *b, const struct bh_rule *r)
{
	const char *sep = r->negated ? "all but " : "";
	size_t n = 0;

	for (unsigned p = BH_PROTO_FIRST; p < 256; p++) {
		if (!bh_protoset_has(&r->protocols, p))
			continue;
		if (n++ < LIST_MAX) {
			bh_buf_printf(b, "%s%s", sep, bh_proto_name(p) ? bh_proto_name(p) : "?");
			sep = ", ";
		}
	}
	put_more(b, n);
	if (r->n_details > 0)
		bh_buf_puts(b, " under conditions");
}

void lint_put_peer(struct bh_buf *b, const struct bh_policy *p, const struct bh_peer *peer)
{
	struct lint_scope s;
	char text[BH_PREFIX_STRLEN];

	switch (peer->kind) {
	case BH_PEER_ENDPOINTS:
		s = lint_peer_scope(p, peer);
		lint_put_scope(b, &s);
		break;
	case BH_PEER_BLOCK:
		bh_buf_puts(b, bh_prefix_format(&peer->block.cidr, text));
		if (peer->block.n_except == 1)
			bh_buf_printf(b, " except %s",
				      bh_prefix_format(&peer->block.except[0], text));
		else if (peer->block.n_except > 1)
			bh_buf_printf(b, " except %zu ranges", peer->block.n_except);
		break;
	case BH_PEER_ENTITY:
		bh_buf_printf(b, "entity %s", bh_entity_name(peer->entity));
		break;
	case BH_PEER_NODES:
		bh_buf_puts(b, peer->pod.n > 0 ? "nodes " : "all nodes");
		lint_put_selector(b, &peer->pod);
		break;
	case BH_PEER_NAMES:
		for (size_t i = 0; i < peer->names.n && i < LIST_MAX; i++)
			bh_buf_printf(b, "%s%.253s", i ? ", " : "", peer->names.items[i]);
		put_more(b, peer->names.n);
		break;
	default:
		bh_buf_puts(b, "peers of a later version");
		break;
	}
}

void lint_put_traffic(struct bh_buf *b, const struct lint_rule *a)
{
	const struct bh_rule *r = a->r;

	if (r->has_protocols || r->n_details > 0)
		put_protocols(b, r);
	if (r->n_ports > 0 && r->has_protocols)
		bh_buf_puts(b, " on ");
	if (r->n_ports > 0)
		put_ports(b, r);
	else if (!r->has_protocols && r->n_details == 0)
		bh_buf_puts(b, "everything");
	bh_buf_puts(b, a->dir == BH_DIR_INGRESS ? " from " : " to ");
	if (r->n_peers == 0)
		bh_buf_puts(b, "everywhere");
	for (size_t i = 0; i < r->n_peers && i < LIST_MAX; i++) {
		bh_buf_puts(b, i ? ", " : "");
		lint_put_peer(b, a->p, &r->peers[i]);
	}
	put_more(b, r->n_peers);
}
