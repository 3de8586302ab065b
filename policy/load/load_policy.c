/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_policy.c - policies: the whole, its defaults, and checks across fields
 *
 * One spec for NetworkPolicy and our own kinds: a TrafficPolicy without fields of its own means what the
 * NetworkPolicy means. The spec of the cluster-scoped kinds of Kubernetes is read in load_cluster.c.
 *
 * What a policy isolates: `isolate` or `policyTypes` if written (one of them); else ingress, and egress if
 * there is an egress rule. A policy with a rule that is not "allow" must write it. Only the application tier
 * isolates.
 *
 * Directions that policyTypes leaves out have no rules: what the API says of NetworkPolicy holds for our kinds too.
 * With `isolate` rules count in both directions.
 */
#include "policy/load/load_internal.h"

#include "common/limits.h"
#include "common/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

static const char *const dir_keys[] = { "", "ingress", "egress" };
static const char *const dir_types[] = { "", "Ingress", "Egress" };

/* ---- isolation ---- */

/* Return: says something (null and [] do not) */
static bool policy_types(struct bh_load *l, const struct bh_yaml_node *list, struct bh_policy *p)
{
	const struct bh_field *f = &bh_object_spec.fields[BH_F_SPEC_POLICY_TYPES];
	static const struct bh_yaml_node empty = { .type = BH_YAML_STRING, .text = "" };
	size_t mark = bh_path_key(&l->rd, "policyTypes");

	for (uint32_t i = 0; list && i < list->n; i++) {
		const struct bh_yaml_node *n = list->items[i];
		size_t inner = bh_path_index(&l->rd, i);

		if (n->type == BH_YAML_NULL) {
			struct bh_yaml_node named = empty;

			named.pos = n->pos;
			named.end = n->end;
			(void)bh_read_item(&l->rd, &named, f);
		} else if (bh_read_item(&l->rd, n, f)) {
			p->isolates[strcmp(n->text, "Egress") == 0 ? BH_DIR_EGRESS
								   : BH_DIR_INGRESS] = true;
		}
		bh_path_back(&l->rd, inner);
	}
	bh_path_back(&l->rd, mark);
	return list && list->n > 0;
}

static void isolate(const struct bh_yaml_node *n, struct bh_policy *p)
{
	const char *s = bh_node_str(n);

	p->isolates[BH_DIR_INGRESS] = strcmp(s, "ingress") == 0 || strcmp(s, "both") == 0;
	p->isolates[BH_DIR_EGRESS] = strcmp(s, "egress") == 0 || strcmp(s, "both") == 0;
}

/* The first rule that is not "allow". */
static const struct bh_rule *special_rule(const struct bh_policy *p, enum bh_dir *ret_dir)
{
	for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t i = 0; i < p->n_rules[d]; i++) {
			if (p->rules[d][i].action == BH_ACTION_ALLOW)
				continue;
			*ret_dir = d;
			return &p->rules[d][i];
		}
	}
	return NULL;
}

static bool has_allow(const struct bh_policy *p, enum bh_dir dir)
{
	for (size_t i = 0; i < p->n_rules[dir]; i++)
		if (p->rules[dir][i].action == BH_ACTION_ALLOW)
			return true;
	return false;
}

static void drop_rules(struct bh_policy *p, enum bh_dir dir)
{
	bh_rules_free(p->rules[dir], p->n_rules[dir]);
	p->rules[dir] = NULL;
	p->n_rules[dir] = 0;
}

/* Rules in a direction that policyTypes does not name. */
static void inert_rules(struct bh_load *l, const struct bh_got *got, struct bh_policy *p)
{
	for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		const struct bh_got *g =
		    &got[d == BH_DIR_INGRESS ? BH_F_SPEC_INGRESS : BH_F_SPEC_EGRESS];
		const struct bh_rule *special = NULL;
		enum bh_dir at = BH_DIR_INVALID;
		size_t mark;

		if (p->isolates[d] || p->n_rules[d] == 0)
			continue;
		special = special_rule(p, &at);
		mark = bh_path_key(&l->rd, dir_keys[d]);
		if (special && at == d && has_allow(p, d)) {
			bh_complain(
			    &l->rd, g->key, "e4",
			    "say with \"isolate\" what is meant, or make it two policies",
			    "policyTypes does not name %s: the allow rules there would have no "
			    "effect, the others would",
			    dir_types[d]);
		} else if (!special || at != d) {
			bh_warn(&l->rd, g->key, "w8", "add it to policyTypes, or remove the rules",
				"policyTypes does not name %s: these rules have no effect",
				dir_types[d]);
			drop_rules(p, d);
		}
		bh_path_back(&l->rd, mark);
	}
}

/* What only a tier without an order can have. */
static void only_application(struct bh_load *l, const struct bh_got *got, const struct bh_policy *p)
{
	static const unsigned fields[] = { BH_F_SPEC_POLICY_TYPES, BH_F_SPEC_ISOLATE,
					   BH_F_SPEC_UNKNOWN };

	for (size_t i = 0; i < BH_ARRAY_SIZE(fields); i++) {
		const struct bh_field *f = &bh_object_spec.fields[fields[i]];
		size_t mark;

		if (!got[fields[i]].value)
			continue;
		mark = bh_path_key(&l->rd, f->name);
		bh_complain(&l->rd, got[fields[i]].key, "e10",
			    "leave it out: here what no rule decides goes on to the next tier",
			    "%s has no meaning in tier \"%s\": only tier \"application\" isolates",
			    f->name, bh_tier_name(p->tier));
		bh_path_back(&l->rd, mark);
	}
}

static void check_isolation(struct bh_load *l, const struct bh_got *got, struct bh_policy *p)
{
	const struct bh_got *types = &got[BH_F_SPEC_POLICY_TYPES];
	const struct bh_got *iso = &got[BH_F_SPEC_ISOLATE];
	bool by_types = policy_types(l, types->value, p);
	const struct bh_rule *special;
	enum bh_dir dir = BH_DIR_INVALID;
	char hint[128];

	if (iso->key && by_types) {
		size_t mark = bh_path_key(&l->rd, "isolate");

		bh_complain(
		    &l->rd, iso->key, "e13", NULL,
		    "both policyTypes (line %u) and isolate: they say the same thing, keep one",
		    types->key->pos.line);
		bh_path_back(&l->rd, mark);
		return;
	}
	if (iso->key) {
		isolate(iso->value, p);
		return;
	}
	if (by_types) {
		if (bh_reader_ok(&l->rd))
			inert_rules(l, got, p);
		return;
	}
	p->isolates[BH_DIR_INGRESS] = true;
	p->isolates[BH_DIR_EGRESS] = p->n_rules[BH_DIR_EGRESS] > 0;
	special = special_rule(p, &dir);
	if (!special || special->action == BH_ACTION_INVALID)
		return;
	(void)snprintf(
	    hint, sizeof(hint),
	    "add \"isolate: none\" (only the %s rules) or \"isolate: %s\" (everything else is "
	    "refused too)",
	    bh_action_name(special->action), dir_keys[dir]);
	bh_complain(
	    &l->rd, got[dir == BH_DIR_INGRESS ? BH_F_SPEC_INGRESS : BH_F_SPEC_EGRESS].key, "e4",
	    hint,
	    "policy \"%.80s\" has %s rules but does not say whether it also isolates the pods",
	    p->name, bh_action_name(special->action));
}

/* ---- spec ---- */

static void rules(struct bh_load *l, const struct bh_yaml_node *list, enum bh_dir dir,
		  struct bh_policy *p)
{
	if (!list)
		return;
	p->rules[dir] = bh_load_array(l, list->n, sizeof(*p->rules[dir]));
	for (uint32_t i = 0; p->rules[dir] && i < list->n; i++) {
		size_t mark = bh_path_key(&l->rd, dir_keys[dir]);

		(void)bh_path_index(&l->rd, i);
		bh_load_rule(l, list->items[i], dir, &p->rules[dir][p->n_rules[dir]++]);
		bh_path_back(&l->rd, mark);
	}
}

static enum bh_mode mode_by_name(const char *s)
{
	for (unsigned m = BH_MODE_ENFORCE; m < BH_MODE_COUNT; m++)
		if (strcmp(bh_mode_name(m), s) == 0)
			return m;
	return BH_MODE_INVALID;
}

static enum bh_tier tier_by_name(const char *s)
{
	for (unsigned t = BH_TIER_ADMIN; t < BH_TIER_COUNT; t++)
		if (strcmp(bh_tier_name(t), s) == 0)
			return t;
	return BH_TIER_INVALID;
}

/* Tier and priority, which go together. */
static void tier(struct bh_load *l, const struct bh_got *got, struct bh_policy *p)
{
	const struct bh_got *t = &got[BH_F_SPEC_TIER], *prio = &got[BH_F_SPEC_PRIORITY];
	size_t mark;
	int64_t v = 0;

	if (t->key)
		p->tier = tier_by_name(bh_node_str(t->value));
	mark = bh_path_key(&l->rd, "tier");
	if ((p->tier == BH_TIER_ADMIN || p->tier == BH_TIER_BASELINE) &&
	    p->kind != BH_KIND_CLUSTER_TRAFFIC_POLICY) {
		bh_complain(&l->rd, t->value, "e10", "write \"kind: ClusterTrafficPolicy\"",
			    "tier \"%s\" is for ClusterTrafficPolicy; this is a %s in namespace "
			    "\"%.80s\"",
			    bh_tier_name(p->tier), bh_kind_name(p->kind), p->ns ? p->ns : "");
		bh_path_back(&l->rd, mark);
		return;
	}
	bh_path_back(&l->rd, mark);
	mark = bh_path_key(&l->rd, "priority");
	if (prio->value && bh_node_int(prio->value, &v))
		p->priority = (int)v;
	if (p->tier == BH_TIER_APPLICATION && prio->value)
		bh_complain(
		    &l->rd, prio->key, "e11", "leave it out, or write a tier",
		    "priority has no meaning in tier \"application\": its policies are a set "
		    "without an order");
	else if (p->tier != BH_TIER_APPLICATION && p->tier != BH_TIER_INVALID && !prio->key)
		bh_complain(&l->rd, t->key, "e11", NULL,
			    "priority is required in tier \"%s\" (0 to 1000, lower first)",
			    bh_tier_name(p->tier));
	bh_path_back(&l->rd, mark);
}

/* Refuses something, by isolation or by a rule. */
static bool refuses(const struct bh_policy *p)
{
	for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		if (p->isolates[d])
			return true;
		for (size_t i = 0; i < p->n_rules[d]; i++)
			if (p->rules[d][i].action == BH_ACTION_DENY ||
			    p->rules[d][i].action == BH_ACTION_REJECT)
				return true;
	}
	return false;
}

/* A policy for everybody because nobody wrote for whom. */
static void warn_of_all(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_got *got,
			const struct bh_yaml_node *key, const struct bh_policy *p)
{
	if (got[BH_F_SPEC_POD_SELECTOR].value || got[BH_F_SPEC_NS_SELECTOR].value ||
	    !bh_node_is_null(bh_yaml_get(n, "podSelector", NULL)))
		return;
	if (!bh_kind_is_cluster(p->kind))
		bh_warn(&l->rd, key, "w2", "write \"podSelector: {}\" if that is meant",
			"no podSelector: the policy selects all pods of namespace \"%s\"",
			p->ns ? p->ns : "");
	else if (refuses(p))
		bh_warn(&l->rd, key, "w2", "write \"podSelector: {}\" if that is meant",
			"neither podSelector nor namespaceSelector: the policy selects all pods of "
			"all namespaces");
}

static void spec(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_yaml_node *key,
		 struct bh_policy *p)
{
	struct bh_got got[BH_F_SPEC_COUNT];
	bool ok;

	if (!bh_read_fields(&l->rd, n, &bh_object_spec, l->in, got))
		return;
	ok = bh_reader_ok(&l->rd);
	bh_load_selector_at(l, "podSelector", got[BH_F_SPEC_POD_SELECTOR].value, NULL, &p->pods);
	bh_load_selector_at(l, "namespaceSelector", got[BH_F_SPEC_NS_SELECTOR].value, &p->has_ns,
			    &p->ns_sel);
	if (got[BH_F_SPEC_MODE].key)
		p->mode = mode_by_name(bh_node_str(got[BH_F_SPEC_MODE].value));
	tier(l, got, p);
	p->unknown = bh_load_fail(got[BH_F_SPEC_UNKNOWN].value, BH_FAIL_REFUSE);
	p->evidence = bh_load_evidence(got[BH_F_SPEC_EVIDENCE].value, 0);
	bh_load_time(l, got[BH_F_SPEC_EXPIRES].value, "expires", &p->expires);
	if (got[BH_F_SPEC_PROMOTE].value)
		bh_load_promote(l, got[BH_F_SPEC_PROMOTE].value, p);
	l->tier = p->tier;
	l->tentative =
	    (p->mode == BH_MODE_MONITOR || p->mode == BH_MODE_LEARN) && !p->enforce_after;
	l->unknown = p->unknown;
	l->evidence = p->evidence;
	l->on_overload = bh_load_fail(got[BH_F_SPEC_ON_OVERLOAD].value, BH_FAIL_REFUSE);
	l->midstream = bh_load_fail(got[BH_F_SPEC_MIDSTREAM].value, BH_FAIL_REFUSE);
	rules(l, got[BH_F_SPEC_INGRESS].value, BH_DIR_INGRESS, p);
	rules(l, got[BH_F_SPEC_EGRESS].value, BH_DIR_EGRESS, p);
	if (p->tier == BH_TIER_APPLICATION)
		check_isolation(l, got, p);
	else
		only_application(l, got, p);
	if (ok)
		warn_of_all(l, n, got, key, p);
}

/* ---- the whole ---- */

static bool sorts_after(const struct bh_policy *a, const struct bh_policy *b)
{
	int c;

	if (a->kind != b->kind)
		return a->kind < b->kind;
	c = strcmp(a->ns, b->ns);
	return c ? c < 0 : strcmp(a->name, b->name) <= 0;
}

static void add(struct bh_load *l, struct bh_policy **p)
{
	struct bh_policy_set *s = l->set;

	if (s->n_policies >= BH_POLICIES_MAX) {
		bh_complain(&l->rd, NULL, "e22", NULL, "more than %u policies", BH_POLICIES_MAX);
		return;
	}
	if (s->n_policies > 0 && !sorts_after(s->policies[s->n_policies - 1], *p))
		s->unsorted = true;
	if (bh_load_append(l, &s->policies, &s->n_policies, *p))
		*p = NULL;
}

static void freep(struct bh_policy **p)
{
	bh_policy_free(*p);
}

static bool standard(enum bh_kind k)
{
	return k == BH_KIND_CLUSTER_NETWORK_POLICY || k == BH_KIND_ADMIN_NETWORK_POLICY ||
	       k == BH_KIND_BASELINE_ADMIN_NETWORK_POLICY;
}

void bh_load_policy(struct bh_load *l, const struct bh_yaml_node *root)
{
	bh_cleanup(freep) struct bh_policy *p = bh_load_array(l, 1, sizeof(*p));
	struct bh_got got[BH_F_TOP_COUNT];
	const struct bh_yaml_node *key;
	size_t mark;

	if (!p || !bh_read_fields(&l->rd, root, l->object, l->in, got))
		return;
	p->kind = l->kind;
	p->tier = BH_TIER_APPLICATION;
	p->priority = -1;
	p->mode = BH_MODE_ENFORCE;
	p->unknown = BH_FAIL_REFUSE;
	p->pos = root->pos;
	p->file = bh_load_strdup(l, l->file);
	if (bh_kind_is_cluster(l->kind))
		p->ns = bh_load_strdup(l, "");
	bh_load_meta(l, got[BH_F_TOP_META].value, bh_kind_is_cluster(l->kind) ? NULL : &p->ns,
		     &p->name, NULL);
	key = got[BH_F_TOP_SPEC].key;
	mark = bh_path_key(&l->rd, "spec");
	if (standard(l->kind)) {
		if (got[BH_F_TOP_SPEC].value)
			bh_load_cluster_spec(l, got[BH_F_TOP_SPEC].value, p);
	} else if (got[BH_F_TOP_SPEC].value || bh_node_is_null(bh_yaml_get(root, "spec", NULL))) {
		/* One of the wrong type was complained about; a missing one means all pods. */
		spec(l, got[BH_F_TOP_SPEC].value, key ? key : root, p);
	}
	bh_path_back(&l->rd, mark);
	p->source = bh_take_ptr(&l->source);
	if (bh_reader_ok(&l->rd))
		add(l, &p);
}
