/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/conformance/eval_model.c - what the loader understood of a policy, as JSON
 *
 * One form for all kinds, that of the model: what means the same looks the same. Selectors are lists of [key,
 * operator, values]; null where there is none.
 */
#include "common/util.h"
#include "tests/conformance/eval.h"

#include <string.h>

#include "common/banned.h"

static const char *const operators[] = {
	[BH_SEL_INVALID] = "?",
	[BH_SEL_IN] = "In",
	[BH_SEL_NOT_IN] = "NotIn",
	[BH_SEL_EXISTS] = "Exists",
	[BH_SEL_DOES_NOT_EXIST] = "DoesNotExist",
};

static void append(json_t *list, json_t *v)
{
	if (json_array_append_new(list, must(v)) < 0)
		must(NULL);
}

static json_t *selector_json(const struct bh_selector *s)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < s->n; i++) {
		const struct bh_sel_req *r = &s->reqs[i];
		json_t *values = must(json_array());

		for (size_t k = 0; k < r->n_values; k++)
			append(values, json_string(r->values[k]));
		append(list, json_pack("[s, s, o]", r->key, operators[r->op], values));
	}
	return list;
}

static json_t *optional(bool there, const struct bh_selector *s)
{
	return there ? selector_json(s) : must(json_null());
}

static json_t *strings_json(const struct bh_strlist *l)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < l->n; i++)
		append(list, json_string(l->items[i]));
	return list;
}

static json_t *block_json(const struct bh_ip_block *b)
{
	char buf[BH_PREFIX_STRLEN];
	json_t *except = must(json_array());

	for (size_t i = 0; i < b->n_except; i++)
		append(except, json_string(bh_prefix_format(&b->except[i], buf)));
	return json_pack("{s:s, s:o}", "cidr", bh_prefix_format(&b->cidr, buf), "except", except);
}

static json_t *peer_json(const struct bh_peer *p)
{
	switch (p->kind) {
	case BH_PEER_ENDPOINTS:
		return json_pack("{s:o, s:o}", "pods", optional(p->has_pod, &p->pod), "namespaces",
				 optional(p->has_ns, &p->ns));
	case BH_PEER_BLOCK:
		return block_json(&p->block);
	case BH_PEER_ENTITY:
		return json_pack("{s:s}", "entity", bh_entity_name(p->entity));
	case BH_PEER_NODES:
		return json_pack("{s:o}", "nodes", selector_json(&p->pod));
	case BH_PEER_NAMES:
		return json_pack("{s:o}", "names", strings_json(&p->names));
	case BH_PEER_UNKNOWN:
	case BH_PEER_INVALID:
	case BH_PEER_COUNT:
		break;
	}
	return json_pack("{s:b}", "unknown", 1);
}

static json_t *port_json(const struct bh_port *p)
{
	char buf[8];
	const char *l4 = bh_l4_name(p->l4, buf);

	if (p->name)
		return json_pack("[s, s]", l4, p->name);
	return json_pack("[s, i, i]", l4, (int)p->lo, (int)p->hi);
}

static json_t *rule_json(const struct bh_rule *r)
{
	json_t *peers = must(json_array()), *ports = must(json_array());

	for (size_t i = 0; i < r->n_peers; i++)
		append(peers, peer_json(&r->peers[i]));
	for (size_t i = 0; i < r->n_ports; i++)
		append(ports, port_json(&r->ports[i]));
	return json_pack("{s:s, s:s, s:o, s:o}", "name", r->name ? r->name : "", "action",
			 bh_action_name(r->action), "peers", peers, "ports", ports);
}

static json_t *rules_json(const struct bh_policy *p, enum bh_dir dir)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < p->n_rules[dir]; i++)
		append(list, rule_json(&p->rules[dir][i]));
	return list;
}

json_t *policy_json(const struct bh_policy *p)
{
	json_t *isolates = must(json_array());

	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		if (p->isolates[d])
			append(isolates, json_string(bh_dir_name(d)));
	}
	return must(json_pack(
	    "{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "kind", bh_kind_name(p->kind),
	    "namespace", p->ns, "name", p->name, "tier", bh_tier_name(p->tier), "priority",
	    p->priority, "pods", selector_json(&p->pods), "namespaces",
	    optional(p->has_ns, &p->ns_sel), "isolates", isolates, "ingress",
	    rules_json(p, BH_DIR_INGRESS), "egress", rules_json(p, BH_DIR_EGRESS)));
}
