/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/oracle.c - the plain evaluator that the compiler is compared with
 */
#include "tests/lib/oracle.h"

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

static bool namespace_selected(const struct bh_policy_set *set, const struct bh_selector *s,
			       const char *name)
{
	struct bh_label only_name = { (char *)"kubernetes.io/metadata.name", (char *)name };
	struct bh_labels undeclared = { &only_name, 1 };

	for (size_t i = 0; i < set->n_namespaces; i++) {
		if (strcmp(set->namespaces[i]->name, name) == 0)
			return selector_holds(s, &set->namespaces[i]->labels);
	}
	return selector_holds(s, &undeclared);
}

/* ---- peers and ports ---- */

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

static bool peer_matches(const struct oracle_query *q, const struct bh_policy *p,
			 const struct bh_peer *peer)
{
	if (peer->kind == BH_PEER_BLOCK)
		return in_block(&peer->block, &q->peer_addr);
	if (!q->peer || (!peer->has_ns && !peer->has_pod))
		return false;
	if (peer->has_ns && !namespace_selected(q->set, &peer->ns, q->peer->ns))
		return false;
	if (!peer->has_ns && strcmp(q->peer->ns, p->ns) != 0)
		return false;
	return !peer->has_pod || selector_holds(&peer->pod, &q->peer->labels);
}

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

/* All but the protocol. */
static bool rule_reaches(const struct oracle_query *q, const struct bh_policy *p,
			 const struct bh_rule *r)
{
	bool peer = r->n_peers == 0, port = r->n_ports == 0;

	for (size_t i = 0; i < r->n_peers; i++)
		peer |= peer_matches(q, p, &r->peers[i]);
	for (size_t i = 0; i < r->n_ports; i++)
		port |= port_matches(q, &r->ports[i]);
	return peer && port;
}

static bool rule_speaks(const struct bh_rule *r, unsigned proto)
{
	bool listed = bh_protoset_has(&r->protocols, proto);

	if (!r->has_protocols)
		return true;
	return r->negated ? !listed : listed;
}

/* ---- policies ---- */

static bool holds_for(const struct oracle_query *q, const struct bh_policy *p)
{
	if (strcmp(p->ns, q->subject->ns) != 0 || !selector_holds(&p->pods, &q->subject->labels))
		return false;
	return p->isolates[q->dir] || (p->n_rules[q->dir] > 0 && p->kind != BH_KIND_NETWORK_POLICY);
}

/* The enforced policies, and @also. */
static bool in_force(const struct oracle_query *q, const struct bh_policy *p,
		     const struct bh_policy *also)
{
	return (p->mode == BH_MODE_ENFORCE || p == also) && holds_for(q, p);
}

/* The first rule in force of that action that matches; @ret_policy: whose it is. */
static const struct bh_rule *first_rule(const struct oracle_query *q, unsigned proto, bool refusing,
					const struct bh_policy *also,
					const struct bh_policy **ret_policy)
{
	for (size_t i = 0; i < q->set->n_policies; i++) {
		const struct bh_policy *p = q->set->policies[i];

		for (size_t k = 0; in_force(q, p, also) && k < p->n_rules[q->dir]; k++) {
			const struct bh_rule *r = &p->rules[q->dir][k];
			bool refuses = r->action == BH_ACTION_DENY || r->action == BH_ACTION_REJECT;

			if (refusing ? !refuses : r->action != BH_ACTION_ALLOW)
				continue;
			if (rule_reaches(q, p, r) && rule_speaks(r, proto)) {
				*ret_policy = p;
				return r;
			}
		}
	}
	return NULL;
}

static const struct bh_policy *first_isolator(const struct oracle_query *q,
					      const struct bh_policy *also)
{
	for (size_t i = 0; i < q->set->n_policies; i++) {
		const struct bh_policy *p = q->set->policies[i];

		if (in_force(q, p, also) && p->isolates[q->dir])
			return p;
	}
	return NULL;
}

/* Isolated, and no rule allows @proto: refused, unless it is unknown and all who might have allowed agree. */
static struct oracle_answer not_allowed(const struct oracle_query *q, unsigned proto,
					const struct bh_policy *also)
{
	struct oracle_answer a = { ORACLE_DROP, BH_REASON_ISOLATED, first_isolator(q, also), NULL };
	bool deny = false, alert = false;

	for (size_t i = 0; i < q->set->n_policies; i++) {
		const struct bh_policy *p = q->set->policies[i];

		for (size_t k = 0; in_force(q, p, also) && k < p->n_rules[q->dir]; k++) {
			const struct bh_rule *r = &p->rules[q->dir][k];

			if (r->action != BH_ACTION_ALLOW || !r->has_protocols ||
			    !rule_reaches(q, p, r))
				continue;
			if (!a.rule)
				a = (struct oracle_answer){ ORACLE_DROP, BH_REASON_PROTOCOL, p, r };
			alert |= r->unknown == BH_FAIL_ALERT;
			deny |= r->unknown != BH_FAIL_ALERT && r->unknown != BH_FAIL_ALLOW;
		}
	}
	if (a.rule && proto == BH_PROTO_UNKNOWN && !deny) {
		a.word = alert ? ORACLE_RECORD : ORACLE_ALLOW;
		a.kind = BH_REASON_RULE;
	}
	return a;
}

static struct oracle_answer verdict(const struct oracle_query *q, unsigned proto,
				    const struct bh_policy *also)
{
	struct oracle_answer a = { ORACLE_ALLOW, BH_REASON_RULE, NULL, NULL };

	a.rule = first_rule(q, proto, true, also, &a.policy);
	if (a.rule) {
		a.word = a.rule->action == BH_ACTION_REJECT ? ORACLE_REJECT : ORACLE_DROP;
		return a;
	}
	a.rule = first_rule(q, proto, false, also, &a.policy);
	if (a.rule)
		return a;
	if (first_isolator(q, also))
		return not_allowed(q, proto, also);
	a.kind = BH_REASON_NOT_ISOLATED;
	return a;
}

/* ---- what is recorded ---- */

static struct oracle_answer recorded(const struct oracle_query *q, unsigned proto,
				     struct oracle_answer a)
{
	const enum bh_action order[] = { BH_ACTION_ALERT, BH_ACTION_LOG };

	for (size_t i = 0; i < q->set->n_policies; i++) {
		const struct bh_policy *p = q->set->policies[i];
		struct oracle_answer w;

		if (p->mode != BH_MODE_MONITOR || !holds_for(q, p))
			continue;
		w = verdict(q, proto, p);
		if (oracle_refuses(&w))
			return (struct oracle_answer){ ORACLE_RECORD, BH_REASON_WOULD, p,
						       w.policy == p ? w.rule : NULL };
	}
	if (a.word == ORACLE_RECORD)
		return a;
	for (size_t o = 0; o < 2; o++) {
		for (size_t i = 0; i < q->set->n_policies; i++) {
			const struct bh_policy *p = q->set->policies[i];

			for (size_t k = 0; holds_for(q, p) && k < p->n_rules[q->dir]; k++) {
				const struct bh_rule *r = &p->rules[q->dir][k];

				if (r->action == order[o] && rule_reaches(q, p, r) &&
				    rule_speaks(r, proto))
					return (struct oracle_answer){ ORACLE_RECORD,
								       BH_REASON_RULE, p, r };
			}
		}
	}
	return a;
}

static struct oracle_answer one(const struct oracle_query *q, unsigned proto)
{
	struct oracle_answer a = verdict(q, proto, NULL);

	return oracle_refuses(&a) ? a : recorded(q, proto, a);
}

static int badness(const struct oracle_answer *a)
{
	return oracle_refuses(a) ? 2 : a->word == ORACLE_RECORD ? 1 : 0;
}

/* Every protocol that some rule lists, and one that none does. */
static void protocols_that_matter(const struct bh_policy_set *set, struct bh_protoset *ret)
{
	unsigned p = BH_PROTO_FIRST;

	for (size_t i = 0; i < set->n_policies; i++) {
		for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
			for (size_t k = 0; k < set->policies[i]->n_rules[d]; k++) {
				for (unsigned w = 0; w < 4; w++)
					ret->bits[w] |=
					    set->policies[i]->rules[d][k].protocols.bits[w];
			}
		}
	}
	while (bh_protoset_has(ret, p))
		p++;
	bh_protoset_add(ret, p);
}

/* Undecided may be any protocol there is, and unknown: the worst of them. */
static struct oracle_answer undecided(const struct oracle_query *q)
{
	struct oracle_answer worst = one(q, BH_PROTO_UNKNOWN), a;
	struct bh_protoset some = { { 0 } };

	protocols_that_matter(q->set, &some);
	for (unsigned p = BH_PROTO_FIRST; p < BH_PROTO_UNDECIDED && badness(&worst) < 2; p++) {
		if (!bh_protoset_has(&some, p))
			continue;
		a = one(q, p);
		if (badness(&a) > badness(&worst))
			worst = a;
	}
	return worst;
}

struct oracle_answer oracle_ask(const struct oracle_query *q)
{
	bool subject = false;

	for (size_t i = 0; i < q->set->n_policies; i++)
		subject |= holds_for(q, q->set->policies[i]);
	if (!subject)
		return (struct oracle_answer){ ORACLE_FREE, BH_REASON_INVALID, NULL, NULL };
	return q->proto == BH_PROTO_UNDECIDED ? undecided(q) : one(q, q->proto);
}
