/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/model_text.c - the model as lines of text
 */
#include "tests/lib/model_text.h"

#include <inttypes.h>
#include <stdio.h>

void bh_model_put_selector(struct bh_buf *b, const struct bh_selector *s)
{
	if (s->n == 0)
		bh_buf_puts(b, "everything");
	for (size_t i = 0; i < s->n; i++) {
		const struct bh_sel_req *r = &s->reqs[i];

		bh_buf_puts(b, i ? ", " : "");
		if (r->op == BH_SEL_EXISTS || r->op == BH_SEL_DOES_NOT_EXIST) {
			bh_buf_printf(b, "%s%s", r->op == BH_SEL_EXISTS ? "" : "!", r->key);
			continue;
		}
		bh_buf_printf(b, "%s %s (", r->key, r->op == BH_SEL_IN ? "in" : "notin");
		for (size_t k = 0; k < r->n_values; k++)
			bh_buf_printf(b, "%s%s", k ? ", " : "", r->values[k]);
		bh_buf_puts(b, ")");
	}
}

static void put_list(struct bh_buf *b, const struct bh_strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		bh_buf_printf(b, "%s%s", i ? ", " : "", l->items[i]);
}

static void put_peer(struct bh_buf *b, const struct bh_peer *p)
{
	char buf[BH_PREFIX_STRLEN];

	switch (p->kind) {
	case BH_PEER_ENDPOINTS:
		bh_buf_puts(b, "endpoints");
		if (p->has_ns) {
			bh_buf_puts(b, " in ");
			bh_model_put_selector(b, &p->ns);
		}
		if (p->has_pod) {
			bh_buf_puts(b, " with ");
			bh_model_put_selector(b, &p->pod);
		}
		break;
	case BH_PEER_BLOCK:
		bh_buf_printf(b, "block %s", bh_prefix_format(&p->block.cidr, buf));
		for (size_t i = 0; i < p->block.n_except; i++)
			bh_buf_printf(b, " but %s", bh_prefix_format(&p->block.except[i], buf));
		break;
	case BH_PEER_ENTITY:
		bh_buf_printf(b, "entity %s", bh_entity_name(p->entity));
		break;
	case BH_PEER_NODES:
		bh_buf_puts(b, "nodes ");
		bh_model_put_selector(b, &p->pod);
		break;
	case BH_PEER_NAMES:
		bh_buf_puts(b, "names ");
		put_list(b, &p->names);
		break;
	case BH_PEER_UNKNOWN:
		bh_buf_puts(b, "unknown");
		break;
	case BH_PEER_INVALID:
	case BH_PEER_COUNT:
		bh_buf_puts(b, "invalid");
		break;
	}
}

static void put_port(struct bh_buf *b, const struct bh_port *p)
{
	char buf[8];

	bh_buf_puts(b, bh_l4_name(p->l4, buf));
	if (p->name)
		bh_buf_printf(b, " %s", p->name);
	else if (p->l4 == BH_L4_ICMP || p->l4 == BH_L4_ICMPV6)
		bh_buf_printf(b, " %d/%d-%d/%d", p->lo >> 8, p->lo & 255, p->hi >> 8, p->hi & 255);
	else
		bh_buf_printf(b, " %u-%u", p->lo, p->hi);
}

static void put_protocols(struct bh_buf *b, const struct bh_rule *r)
{
	if (!r->has_protocols) {
		bh_buf_puts(b, "any");
		return;
	}
	bh_buf_puts(b, r->negated ? "not" : "one of");
	for (unsigned n = 0; n < 256; n++)
		if (bh_protoset_has(&r->protocols, n))
			bh_buf_printf(b, " %s", bh_proto_name(n) ? bh_proto_name(n) : "?");
}

static void put_details(struct bh_buf *b, const char *at, const struct bh_rule *r)
{
	for (size_t i = 0; i < r->n_details; i++) {
		const struct bh_detail *d = &r->details[i];

		for (size_t c = 0; c < d->n; c++) {
			bh_buf_printf(b, "%s.%s[%zu]", at, bh_detail_name(d->kind), c);
			for (size_t t = 0; t < d->clauses[c].n; t++) {
				const struct bh_test *test = &d->clauses[c].tests[t];

				bh_buf_printf(b, "%s %s ", t ? ";" : "", bh_attr_name(test->attr));
				put_list(b, &test->values);
			}
			bh_buf_putc(b, '\n');
		}
	}
}

static void put_switches(struct bh_buf *b, uint8_t s)
{
	bh_buf_printf(b, "%s%s%s%s\n", s == 0 ? " none" : "", s & BH_SWITCH_USUAL ? " usual" : "",
		      s & BH_SWITCH_STARTTLS ? " starttls" : "",
		      s & BH_SWITCH_SSLREQUEST ? " sslrequest" : "");
}

static void put_when(struct bh_buf *b, const struct bh_when *w)
{
	if (!w->zone) {
		bh_buf_puts(b, " always\n");
		return;
	}
	bh_buf_printf(b, " days 0x%02x %02u:%02u-%02u:%02u %s\n", w->days, w->from / 60,
		      w->from % 60, w->to / 60, w->to % 60, w->zone);
}

static void put_rule(struct bh_buf *b, const char *at, const struct bh_rule *r)
{
	static const char *const proxies[] = { "unset", "refuse", "allow", "require" };

	bh_buf_printf(b, "%s.name %s\n", at, r->name ? r->name : "(none)");
	bh_buf_printf(b, "%s.action %s\n", at, bh_action_name(r->action));
	if (r->n_peers == 0)
		bh_buf_printf(b, "%s.peers everybody\n", at);
	for (size_t i = 0; i < r->n_peers; i++) {
		bh_buf_printf(b, "%s.peers[%zu] ", at, i);
		put_peer(b, &r->peers[i]);
		bh_buf_putc(b, '\n');
	}
	if (r->n_ports == 0)
		bh_buf_printf(b, "%s.ports %s\n", at, r->has_ports ? "none" : "every");
	for (size_t i = 0; i < r->n_ports; i++) {
		bh_buf_printf(b, "%s.ports[%zu] ", at, i);
		put_port(b, &r->ports[i]);
		bh_buf_puts(b, r->has_ports ? "\n" : " (has_ports unset)\n");
	}
	bh_buf_printf(b, "%s.protocols ", at);
	put_protocols(b, r);
	bh_buf_putc(b, '\n');
	put_details(b, at, r);
	bh_buf_printf(b, "%s.log %s\n", at, r->log ? "yes" : "no");
	bh_buf_printf(b, "%s.urgency %s\n", at, bh_urgency_name(r->urgency));
	bh_buf_printf(b, "%s.fail overload %s midstream %s unknown %s\n", at,
		      bh_fail_name(r->on_overload), bh_fail_name(r->midstream),
		      bh_fail_name(r->unknown));
	bh_buf_printf(b, "%s.switches", at);
	put_switches(b, r->switches);
	bh_buf_printf(b, "%s.proxy %s\n", at, r->proxy < BH_PROXY_COUNT ? proxies[r->proxy] : "?");
	bh_buf_printf(b, "%s.evidence %u\n", at, r->evidence);
	bh_buf_printf(b, "%s.expires %" PRId64 "\n", at, r->expires);
	bh_buf_printf(b, "%s.when", at);
	put_when(b, &r->when);
}

void bh_model_put_policy(struct bh_buf *b, const struct bh_policy *p)
{
	bh_policy_put_name(b, p);
	bh_buf_printf(b, "\ntier %s\npriority %d\nmode %s\n", bh_tier_name(p->tier), p->priority,
		      bh_mode_name(p->mode));
	bh_buf_printf(b, "promote monitor %" PRId64 " enforce %" PRId64 "\n", p->monitor_after,
		      p->enforce_after);
	bh_buf_printf(b, "expires %" PRId64 "\npods ", p->expires);
	bh_model_put_selector(b, &p->pods);
	bh_buf_puts(b, "\nnamespaces ");
	if (p->has_ns)
		bh_model_put_selector(b, &p->ns_sel);
	else
		bh_buf_puts(b, bh_kind_is_cluster(p->kind) ? "all" : "own");
	bh_buf_printf(b, "\nisolates%s%s\n", p->isolates[BH_DIR_INGRESS] ? " ingress" : "",
		      p->isolates[BH_DIR_EGRESS] ? " egress" : "");
	bh_buf_printf(b, "unknown %s\nevidence %u\n", bh_fail_name(p->unknown), p->evidence);
	for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t i = 0; i < p->n_rules[d]; i++) {
			char at[32];

			(void)snprintf(at, sizeof(at), "%s[%zu]", bh_dir_name(d), i);
			put_rule(b, at, &p->rules[d][i]);
		}
	}
}

void bh_model_put_node(struct bh_buf *b, const struct bh_node *n)
{
	char buf[BH_ADDR_STRLEN];

	bh_buf_printf(b, "node %s\n", n->name);
	for (size_t i = 0; i < n->labels.n; i++)
		bh_buf_printf(b, "label %s=%s\n", n->labels.items[i].key, n->labels.items[i].value);
	for (size_t i = 0; i < n->n_addrs; i++)
		bh_buf_printf(b, "address %s\n", bh_addr_format(&n->addrs[i], buf));
}
