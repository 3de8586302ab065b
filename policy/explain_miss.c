/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/explain_miss.c - what kept a rule from matching, in words
 *
 * Policies are read here once more as they were written, to say which label, address, port or protocol was
 * the obstacle. Nothing is decided here.
 */
#include "policy/explain_internal.h"

#include "common/util.h"

#include <string.h>

#include "common/banned.h"

#define NAME_LABEL "kubernetes.io/metadata.name"

/* Lists are cut after so many. */
#define SHOWN 4U

void bh_misses_done(struct bh_misses *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->items[i].why);
	free(m->items);
	*m = (struct bh_misses){ .items = NULL };
}

void bh_put_rule_name(struct bh_buf *b, const struct bh_rule *r, uint32_t index, enum bh_dir dir)
{
	if (r->name)
		bh_buf_printf(b, "rule \"%s\"", r->name);
	else
		bh_buf_printf(b, "%s[%u]", bh_dir_name(dir), index);
}

bool bh_policy_holds_for(const struct bh_policy *p, const struct bh_endpoint *ep, enum bh_dir dir)
{
	if (!bh_streq(p->ns, ep->ns) || !bh_selector_match(&p->pods, &ep->labels))
		return false;
	return p->isolates[dir] || (p->n_rules[dir] > 0 && p->kind != BH_KIND_NETWORK_POLICY);
}

static const char *peer_word(const struct bh_miss_query *q)
{
	return q->dir == BH_DIR_INGRESS ? "source" : "destination";
}

/* ---- selectors ---- */

static void put_values(struct bh_buf *b, const struct bh_sel_req *r)
{
	for (size_t i = 0; i < r->n_values && i < SHOWN; i++)
		bh_buf_printf(b, "%s%s", i ? ", " : "", r->values[i]);
	if (r->n_values > SHOWN)
		bh_buf_puts(b, ", ...");
}

static bool requirement_holds(const struct bh_sel_req *r, const struct bh_labels *l)
{
	const struct bh_selector one = { .reqs = (struct bh_sel_req *)r, .n = 1 };

	return bh_selector_match(&one, l);
}

/* "source has no label role=client". @whose: "source", "namespace shop of the source". */
static void put_requirement(struct bh_buf *b, const char *whose, const struct bh_sel_req *r,
			    const struct bh_labels *l)
{
	const char *value = bh_labels_get(l, r->key);

	switch (r->op) {
	case BH_SEL_IN:
		if (!value && r->n_values == 1) {
			bh_buf_printf(b, "%s has no label %s=%s", whose, r->key, r->values[0]);
		} else if (!value) {
			bh_buf_printf(b, "%s has no label %s", whose, r->key);
		} else {
			bh_buf_printf(b, "%s has label %s=%s, not ", whose, r->key, value);
			put_values(b, r);
		}
		return;
	case BH_SEL_NOT_IN:
		bh_buf_printf(b, "%s has label %s=%s, which the rule excludes", whose, r->key,
			      value ? value : "");
		return;
	case BH_SEL_EXISTS:
		bh_buf_printf(b, "%s has no label %s", whose, r->key);
		return;
	case BH_SEL_DOES_NOT_EXIST:
		bh_buf_printf(b, "%s has label %s, which must be absent", whose, r->key);
		return;
	case BH_SEL_INVALID:
		bh_buf_printf(b, "%s cannot match", whose);
		return;
	}
}

/* The first requirement that fails. Return: one did. */
static bool put_selector_miss(struct bh_buf *b, const char *whose, const struct bh_selector *s,
			      const struct bh_labels *l)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!requirement_holds(&s->reqs[i], l)) {
			put_requirement(b, whose, &s->reqs[i], l);
			return true;
		}
	}
	return false;
}

static bool put_ns_miss(struct bh_buf *b, const struct bh_miss_query *q,
			const struct bh_selector *s, const char *name)
{
	struct bh_label only_name = { (char *)NAME_LABEL, (char *)name };
	struct bh_labels labels = { &only_name, 1 };
	bh_cleanup(bh_buf_done) struct bh_buf whose = BH_BUF_INIT;

	for (size_t i = 0; i < q->set->n_namespaces; i++) {
		if (bh_streq(q->set->namespaces[i]->name, name))
			labels = q->set->namespaces[i]->labels;
	}
	bh_buf_printf(&whose, "namespace %s of the %s", name, peer_word(q));
	return put_selector_miss(b, bh_buf_str(&whose), s, &labels);
}

/* ---- peers ---- */

static bool put_block_miss(struct bh_buf *b, const struct bh_miss_query *q,
			   const struct bh_ip_block *blk)
{
	char addr[BH_ADDR_STRLEN], p[BH_PREFIX_STRLEN], e[BH_PREFIX_STRLEN];

	bh_addr_format(q->peer_addr, addr);
	bh_prefix_format(&blk->cidr, p);
	if (!bh_prefix_contains(&blk->cidr, q->peer_addr)) {
		bh_buf_printf(b, "%s %s is not in %s", peer_word(q), addr, p);
		return true;
	}
	for (size_t i = 0; i < blk->n_except; i++) {
		if (!bh_prefix_contains(&blk->except[i], q->peer_addr))
			continue;
		bh_buf_printf(b, "%s %s is in %s, which is excepted from %s", peer_word(q), addr,
			      bh_prefix_format(&blk->except[i], e), p);
		return true;
	}
	return false;
}

/* Return: the peer does not match, and why was said. */
static bool put_peer_miss(struct bh_buf *b, const struct bh_miss_query *q,
			  const struct bh_policy *pol, const struct bh_peer *p)
{
	char addr[BH_ADDR_STRLEN];

	if (p->kind == BH_PEER_BLOCK)
		return put_block_miss(b, q, &p->block);
	if (!q->peer) {
		bh_buf_printf(b, "%s %s is no endpoint", peer_word(q),
			      bh_addr_format(q->peer_addr, addr));
		return true;
	}
	if (p->has_ns) {
		if (put_ns_miss(b, q, &p->ns, q->peer->ns))
			return true;
	} else if (!bh_streq(q->peer->ns, pol->ns)) {
		bh_buf_printf(b, "%s is in namespace %s, not %s", peer_word(q), q->peer->ns,
			      pol->ns);
		return true;
	}
	return p->has_pod && put_selector_miss(b, peer_word(q), &p->pod, &q->peer->labels);
}

/* Return: no peer matches; then each one's obstacle was added. */
static bool put_peers_miss(struct bh_buf *b, const struct bh_miss_query *q,
			   const struct bh_policy *pol, const struct bh_rule *r)
{
	bh_cleanup(bh_buf_done) struct bh_buf all = BH_BUF_INIT;
	size_t shown = 0;

	for (size_t i = 0; i < r->n_peers; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf one = BH_BUF_INIT;

		if (!put_peer_miss(&one, q, pol, &r->peers[i]))
			return false;
		/* Several selectors have the same to say about an address of nobody. */
		if (shown >= SHOWN || strstr(bh_buf_str(&all), bh_buf_str(&one)))
			continue;
		bh_buf_printf(&all, "%s%s", shown++ ? ", and " : "", bh_buf_str(&one));
	}
	if (shown == SHOWN && r->n_peers > SHOWN)
		bh_buf_puts(&all, ", and so on");
	bh_buf_puts(b, bh_buf_str(&all));
	return r->n_peers > 0;
}

/* ---- ports ---- */

static const struct bh_endpoint *destination(const struct bh_miss_query *q)
{
	return q->dir == BH_DIR_INGRESS ? q->subject : q->peer;
}

static bool port_matches(const struct bh_miss_query *q, const struct bh_port *p)
{
	const struct bh_endpoint *dst = destination(q);

	if (p->l4 != BH_L4_ANY && p->l4 != q->l4)
		return false;
	if (!p->name)
		return p->lo <= q->port && q->port <= p->hi;
	for (size_t i = 0; dst && i < dst->n_ports; i++) {
		if (bh_streq(dst->ports[i].name, p->name) && dst->ports[i].l4 == q->l4 &&
		    dst->ports[i].port == q->port)
			return true;
	}
	return false;
}

/* What a name is at the destination: "http (80)", "http (no port of the destination)". */
static void put_named(struct bh_buf *b, const struct bh_miss_query *q, const struct bh_port *p)
{
	const struct bh_endpoint *dst = destination(q);

	bh_buf_puts(b, p->name);
	for (size_t i = 0; dst && i < dst->n_ports; i++) {
		const struct bh_named_port *n = &dst->ports[i];
		char l4[8];

		if (!bh_streq(n->name, p->name) || (p->l4 != BH_L4_ANY && p->l4 != n->l4))
			continue;
		bh_buf_printf(b, " (%s/%u there)", bh_l4_name(n->l4, l4), n->port);
		return;
	}
	bh_buf_puts(b, " (the destination has no port of that name)");
}

static void put_port(struct bh_buf *b, const struct bh_miss_query *q, const struct bh_port *p,
		     bool with_l4)
{
	char l4[8];

	if (p->name) {
		put_named(b, q, p);
		return;
	}
	if (p->lo == 0 && p->hi == UINT16_MAX) {
		bh_buf_puts(b, bh_l4_name(p->l4, l4));
		return;
	}
	if (with_l4)
		bh_buf_printf(b, "%s/", bh_l4_name(p->l4, l4));
	if (p->lo == p->hi)
		bh_buf_printf(b, "%u", p->lo);
	else
		bh_buf_printf(b, "%u-%u", p->lo, p->hi);
}

static bool put_ports_miss(struct bh_buf *b, const struct bh_miss_query *q, const struct bh_rule *r)
{
	bool with_l4 = false;
	char l4[8];

	for (size_t i = 0; i < r->n_ports; i++) {
		if (port_matches(q, &r->ports[i]))
			return false;
		with_l4 |= r->ports[i].l4 != q->l4;
	}
	if (r->n_ports == 0)
		return false;
	if (q->port == 0)
		bh_buf_puts(b, bh_l4_name(q->l4, l4));
	else if (with_l4)
		bh_buf_printf(b, "%s/%u", bh_l4_name(q->l4, l4), q->port);
	else
		bh_buf_printf(b, "port %u", q->port);
	bh_buf_puts(b, " is not in ");
	for (size_t i = 0; i < r->n_ports && i < SHOWN; i++) {
		bh_buf_puts(b, i ? ", " : "");
		put_port(b, q, &r->ports[i], with_l4);
	}
	if (r->n_ports > SHOWN)
		bh_buf_puts(b, ", ...");
	return true;
}

/* ---- protocols ---- */

static void put_protocols(struct bh_buf *b, const struct bh_rule *r)
{
	const char *sep = r->negated ? "notProtocols [" : "[";

	for (unsigned p = 0; p < 256; p++) {
		const char *name = bh_proto_name(p);

		if (!bh_protoset_has(&r->protocols, p) || !name)
			continue;
		bh_buf_printf(b, "%s%s", sep, name);
		sep = ", ";
	}
	bh_buf_puts(b, bh_protoset_empty(&r->protocols) ? "[]" : "]");
}

static bool put_proto_miss(struct bh_buf *b, const struct bh_miss_query *q, const struct bh_rule *r)
{
	const char *name = bh_proto_name(q->proto);

	if (!r->has_protocols || q->proto == 0)
		return false;
	if (q->proto == BH_PROTO_UNDECIDED) {
		bh_buf_puts(b, "it was not certain in time that what is spoken is in ");
	} else {
		if (bh_protoset_has(&r->protocols, q->proto) != r->negated)
			return false;
		bh_buf_printf(b, "protocol %s is %s ", name ? name : "?",
			      r->negated ? "one of" : "not in");
	}
	put_protocols(b, r);
	return true;
}

/* ---- rules ---- */

/* Parts that fail; their texts in @b. */
static unsigned rule_miss(struct bh_buf *b, const struct bh_miss_query *q,
			  const struct bh_policy *p, const struct bh_rule *r)
{
	unsigned failed = 0;

	for (unsigned part = 0; part < 3; part++) {
		bh_cleanup(bh_buf_done) struct bh_buf one = BH_BUF_INIT;
		bool miss = part == 0   ? put_peers_miss(&one, q, p, r)
			    : part == 1 ? put_ports_miss(&one, q, r)
					: put_proto_miss(&one, q, r);

		if (!miss)
			continue;
		bh_buf_printf(b, "%s%s", failed ? "; " : "", bh_buf_str(&one));
		failed++;
	}
	return failed;
}

static int miss_add(struct bh_misses *m, size_t *cap, const struct bh_miss *one)
{
	if (m->n == *cap) {
		size_t n = *cap ? *cap * 2 : 8;
		struct bh_miss *items = reallocarray(m->items, n, sizeof(*items));

		if (!items)
			return -ENOMEM;
		m->items = items;
		*cap = n;
	}
	m->items[m->n++] = *one;
	return 0;
}

static int policy_misses(const struct bh_miss_query *q, const struct bh_policy *p,
			 struct bh_misses *m, size_t *cap)
{
	for (size_t i = 0; i < p->n_rules[q->dir]; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf why = BH_BUF_INIT;
		struct bh_miss one = { .policy = p,
				       .rule = &p->rules[q->dir][i],
				       .index = (uint32_t)i };

		if (one.rule->action != BH_ACTION_ALLOW)
			continue;
		one.failed = rule_miss(&why, q, p, one.rule);
		if (one.failed == 0)
			continue;
		one.why = bh_buf_take(&why);
		if (!one.why || miss_add(m, cap, &one) < 0) {
			free(one.why);
			return -ENOMEM;
		}
	}
	return 0;
}

int bh_misses_find(const struct bh_miss_query *q, struct bh_misses *ret)
{
	struct bh_misses m = { .items = NULL };
	size_t cap = 0;

	for (size_t i = 0; i < q->set->n_policies; i++) {
		const struct bh_policy *p = q->set->policies[i];

		if (p->mode != BH_MODE_ENFORCE || !bh_policy_holds_for(p, q->subject, q->dir))
			continue;
		m.n_policies++;
		if (policy_misses(q, p, &m, &cap) < 0) {
			bh_misses_done(&m);
			return -ENOMEM;
		}
	}
	/* The nearest first, else in the order of the set: there are few. */
	for (size_t i = 1; i < m.n; i++) {
		struct bh_miss one = m.items[i];
		size_t k = i;

		for (; k > 0 && m.items[k - 1].failed > one.failed; k--)
			m.items[k] = m.items[k - 1];
		m.items[k] = one;
	}
	*ret = m;
	return 0;
}

void bh_explain_nearest(const struct bh_policy_set *set, const struct bh_endpoint *subject,
			const struct bh_endpoint *peer, const struct bh_addr *peer_addr,
			enum bh_dir dir, uint8_t l4, uint16_t port, struct bh_buf *out)
{
	const struct bh_miss_query q = {
		.set = set,
		.dir = dir,
		.subject = subject,
		.peer = peer,
		.peer_addr = peer_addr,
		.l4 = l4,
		.port = port,
	};
	bh_cleanup(bh_misses_done) struct bh_misses m = { .items = NULL };

	/* Out of memory: the record goes without. */
	if (bh_misses_find(&q, &m) < 0 || m.n == 0 || m.items[0].failed > 1)
		return;
	bh_buf_printf(out, "nearest rule %s/%s#%u does not match: %s", m.items[0].policy->ns,
		      m.items[0].policy->name, m.items[0].index, m.items[0].why);
}
