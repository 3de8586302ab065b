/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/randset_print.c - a random world in words, and a smaller one
 */
#include "common/buf.h"
#include "policy/when.h"
#include "tests/lib/randset_internal.h"

#include <string.h>

/* ---- in words ---- */

static void put_labels(struct bh_buf *b, const struct bh_labels *l)
{
	for (size_t i = 0; i < l->n; i++)
		bh_buf_printf(b, " %s=%s", l->items[i].key, l->items[i].value);
}

static void put_list(struct bh_buf *b, char *const *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bh_buf_printf(b, "%s\"%s\"", i ? "," : "", items[i]);
}

static void put_selector(struct bh_buf *b, const char *what, const struct bh_selector *s)
{
	static const char *const ops[] = { "?", "in", "notin", "exists", "absent" };

	bh_buf_printf(b, " %s{", what);
	for (size_t i = 0; i < s->n; i++) {
		bh_buf_printf(b, "%s%s %s ", i ? "; " : "", s->reqs[i].key, ops[s->reqs[i].op]);
		put_list(b, s->reqs[i].values, s->reqs[i].n_values);
	}
	bh_buf_puts(b, "}");
}

static void put_prefix(struct bh_buf *b, const char *what, const struct bh_prefix *p)
{
	char text[BH_PREFIX_STRLEN];

	bh_buf_printf(b, " %s%s", what, bh_prefix_format(p, text));
}

static void put_addrs(struct bh_buf *b, const struct bh_addr *a, size_t n)
{
	char text[BH_ADDR_STRLEN];

	for (size_t i = 0; i < n; i++)
		bh_buf_printf(b, " %s", bh_addr_format(&a[i], text));
}

static void put_peer(struct bh_buf *b, const struct bh_peer *p)
{
	bh_buf_puts(b, " peer[");
	if (p->kind == BH_PEER_ENDPOINTS && p->has_pod)
		put_selector(b, "pod", &p->pod);
	if (p->kind == BH_PEER_ENDPOINTS && p->has_ns)
		put_selector(b, "ns", &p->ns);
	if (p->kind == BH_PEER_BLOCK)
		put_prefix(b, "", &p->block.cidr);
	for (size_t i = 0; i < p->block.n_except; i++)
		put_prefix(b, "except ", &p->block.except[i]);
	if (p->kind == BH_PEER_ENTITY)
		bh_buf_printf(b, " entity %s", bh_entity_name(p->entity));
	if (p->kind == BH_PEER_NODES)
		put_selector(b, "nodes", &p->pod);
	if (p->kind == BH_PEER_NAMES)
		put_list(b, p->names.items, p->names.n);
	if (p->kind == BH_PEER_UNKNOWN)
		bh_buf_puts(b, " of a later version");
	bh_buf_puts(b, " ]");
}

static void put_ports(struct bh_buf *b, const struct bh_rule *r)
{
	char l4[8];

	if (r->has_ports && r->n_ports == 0)
		bh_buf_puts(b, " no port");
	for (size_t i = 0; i < r->n_ports; i++) {
		const struct bh_port *p = &r->ports[i];

		bh_buf_printf(b, " %s/", bh_l4_name(p->l4, l4));
		if (p->name)
			bh_buf_puts(b, p->name);
		else
			bh_buf_printf(b, "%u-%u", p->lo, p->hi);
	}
}

static void put_details(struct bh_buf *b, const struct bh_rule *r)
{
	for (size_t i = 0; i < r->n_details; i++) {
		const struct bh_detail *d = &r->details[i];

		bh_buf_printf(b, " %s(", bh_detail_name(d->kind));
		for (size_t k = 0; k < d->n; k++) {
			bh_buf_puts(b, k ? " or" : "");
			for (size_t t = 0; t < d->clauses[k].n; t++) {
				const struct bh_test *x = &d->clauses[k].tests[t];

				bh_buf_printf(b, " %s ", bh_attr_name(x->attr));
				put_list(b, x->values.items, x->values.n);
			}
		}
		bh_buf_puts(b, " )");
	}
}

static void put_time(struct bh_buf *b, const char *what, int64_t t)
{
	char text[32];

	if (t)
		bh_buf_printf(b, " %s %s", what, bh_time_format(t, text));
}

static void put_rule(struct bh_buf *b, enum bh_dir d, size_t i, const struct bh_rule *r)
{
	bh_buf_printf(b, "    %s[%zu] %s", bh_dir_name(d), i, bh_action_name(r->action));
	for (size_t k = 0; k < r->n_peers; k++)
		put_peer(b, &r->peers[k]);
	put_ports(b, r);
	if (r->has_protocols)
		bh_buf_puts(b, r->negated ? " not:" : " protocols:");
	for (unsigned p = BH_PROTO_FIRST; r->has_protocols && p < 256; p++) {
		if (bh_protoset_has(&r->protocols, p))
			bh_buf_printf(b, " %s", bh_proto_name(p));
	}
	put_details(b, r);
	if (r->log)
		bh_buf_puts(b, " log");
	put_time(b, "expires", r->expires);
	if (r->when.zone)
		bh_buf_printf(b, " when days %02x %u-%u %s", r->when.days, r->when.from, r->when.to,
			      r->when.zone);
	bh_buf_printf(b, " unknown %s\n", bh_fail_name(r->unknown));
}

static void put_policy(struct bh_buf *b, const struct bh_policy *p)
{
	bh_buf_puts(b, "  ");
	bh_policy_put_name(b, p);
	bh_buf_printf(b, " %s %s", bh_tier_name(p->tier), bh_mode_name(p->mode));
	if (p->tier != BH_TIER_APPLICATION)
		bh_buf_printf(b, " priority %d", p->priority);
	put_selector(b, "pods", &p->pods);
	if (p->has_ns)
		put_selector(b, "ns", &p->ns_sel);
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		if (p->isolates[d])
			bh_buf_printf(b, " isolates %s", bh_dir_name(d));
	}
	put_time(b, "expires", p->expires);
	put_time(b, "monitorAfter", p->monitor_after);
	put_time(b, "enforceAfter", p->enforce_after);
	bh_buf_puts(b, "\n");
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t i = 0; i < p->n_rules[d]; i++)
			put_rule(b, d, i, &p->rules[d][i]);
	}
}

static void put_endpoint(struct bh_buf *b, const struct bh_endpoint *ep)
{
	char l4[8];

	bh_buf_printf(b, "  endpoint %s/%s%s%s", ep->ns, ep->name, ep->local ? " local" : "",
		      ep->host_judged ? " hostToContainer=policy" : "");
	put_labels(b, &ep->labels);
	put_addrs(b, ep->addrs, ep->n_addrs);
	for (size_t i = 0; i < ep->n_ports; i++)
		bh_buf_printf(b, " %s=%u/%s", ep->ports[i].name, ep->ports[i].port,
			      bh_l4_name(ep->ports[i].l4, l4));
	bh_buf_puts(b, "\n");
}

void randset_print(const struct randset *w, struct bh_buf *out)
{
	char text[32];

	bh_buf_printf(out, "  now %s\n", bh_time_format(w->now, text));
	for (size_t i = 0; i < w->set->n_policies; i++)
		put_policy(out, w->set->policies[i]);
	for (size_t i = 0; i < w->set->n_namespaces; i++) {
		bh_buf_printf(out, "  namespace %s", w->set->namespaces[i]->name);
		put_labels(out, &w->set->namespaces[i]->labels);
		bh_buf_puts(out, "\n");
	}
	for (size_t i = 0; i < w->set->n_nodes; i++) {
		bh_buf_printf(out, "  node %s", w->set->nodes[i]->name);
		put_labels(out, &w->set->nodes[i]->labels);
		put_addrs(out, w->set->nodes[i]->addrs, w->set->nodes[i]->n_addrs);
		bh_buf_puts(out, "\n");
	}
	for (unsigned i = 0; i < w->n_eps; i++) {
		if (w->eps[i])
			put_endpoint(out, w->eps[i]);
	}
	bh_buf_puts(out, "  surroundings: cluster");
	for (size_t i = 0; i < w->around.n_cluster; i++)
		put_prefix(out, "", &w->around.cluster[i]);
	bh_buf_puts(out, "; resolvers");
	put_addrs(out, w->around.resolvers, w->around.n_resolvers);
	for (size_t i = 0; i < w->around.n_names; i++) {
		bh_buf_printf(out, "; %s", w->around.names[i].name);
		put_addrs(out, w->around.names[i].addrs, w->around.names[i].n);
	}
	bh_buf_puts(out, "\n");
}

/* ---- smaller ---- */

/* Takes the @i-th of @n elements of @size bytes out of an array; it must have been released. */
static void take_out(void *base, size_t *n, size_t i, size_t size)
{
	(*n)--;
	memmove((char *)base + i * size, (char *)base + (i + 1) * size, (*n - i) * size);
}

static void rule_take(struct bh_policy *p, enum bh_dir d, size_t i)
{
	struct bh_rule *one = rs_must(malloc(sizeof(*one)));

	*one = p->rules[d][i];
	take_out(p->rules[d], &p->n_rules[d], i, sizeof(*one));
	bh_rules_free(one, 1);
}

/* A requirement, a peer, a port, a detail, a limit in time ... of a rule. */
static bool rule_shrink(struct bh_rule *r, size_t *i)
{
	if (*i < r->n_peers && r->n_peers > 1) {
		struct bh_rule *one = rs_must(calloc(1, sizeof(*one)));

		one->peers = rs_must(malloc(sizeof(*one->peers)));
		one->peers[one->n_peers++] = r->peers[*i];
		take_out(r->peers, &r->n_peers, *i, sizeof(*r->peers));
		bh_rules_free(one, 1);
		return true;
	}
	*i -= r->n_peers > 1 ? r->n_peers : 0;
	if (*i < r->n_ports) {
		free(r->ports[*i].name);
		take_out(r->ports, &r->n_ports, *i, sizeof(*r->ports));
		r->has_ports = r->n_ports > 0;
		return true;
	}
	*i -= r->n_ports;
	if (r->when.zone && (*i)-- == 0) {
		free(r->when.zone);
		r->when = (struct bh_when){ .zone = NULL };
		return true;
	}
	if (r->expires && (*i)-- == 0) {
		r->expires = 0;
		return true;
	}
	if (r->log && (*i)-- == 0) {
		r->log = false;
		return true;
	}
	return false;
}

static bool policy_shrink(struct bh_policy *p, size_t *i)
{
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		if (*i < p->n_rules[d]) {
			rule_take(p, d, *i);
			return true;
		}
		*i -= p->n_rules[d];
	}
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t k = 0; k < p->n_rules[d]; k++) {
			if (rule_shrink(&p->rules[d][k], i))
				return true;
		}
		if (p->isolates[d] && (*i)-- == 0) {
			p->isolates[d] = false;
			return true;
		}
	}
	if (p->pods.n > 0 && (*i)-- == 0) {
		bh_selector_done(&p->pods);
		return true;
	}
	return false;
}

bool randset_shrink(struct randset *w, size_t i)
{
	struct bh_policy_set *s = w->set;

	if (i < s->n_policies) {
		bh_policy_free(s->policies[i]);
		take_out(s->policies, &s->n_policies, i, sizeof(*s->policies));
		return true;
	}
	i -= s->n_policies;
	for (unsigned k = 0; k < w->n_eps; k++) {
		if (!w->eps[k] || i-- > 0)
			continue;
		w->eps[k] = bh_endpoint_free(w->eps[k]);
		return true;
	}
	for (size_t k = 0; k < s->n_policies; k++) {
		if (policy_shrink(s->policies[k], &i))
			return true;
	}
	if (i < s->n_nodes) {
		bh_node_free(s->nodes[i]);
		take_out(s->nodes, &s->n_nodes, i, sizeof(*s->nodes));
		return true;
	}
	i -= s->n_nodes;
	if (w->around.n_cluster > 0 && i-- == 0) {
		w->around.n_cluster--;
		return true;
	}
	if (w->around.n_resolvers > 0 && i-- == 0) {
		w->around.n_resolvers--;
		return true;
	}
	if (w->around.n_names > 0 && i == 0) {
		w->around.n_names--;
		return true;
	}
	return false;
}
