/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_cluster.c - ClusterNetworkPolicy, AdminNetworkPolicy, BaselineAdminNetworkPolicy
 *
 * A peer that has no field known here was written for a later version of the API. It fails closed: it matches
 * nothing where the rule accepts, and a Deny or Pass rule with it denies everything (BH_PEER_UNKNOWN; what that means
 * is the compiler's). It is a warning, because servers of that version accept it. Every other unknown field is an
 * error.
 */
#include "policy/load/load_internal.h"

#include "common/util.h"
#include "policy/pattern.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* Which table: of ClusterNetworkPolicy, or of the two older kinds. */
static unsigned version(const struct bh_load *l)
{
	return l->kind == BH_KIND_CLUSTER_NETWORK_POLICY ? 0 : 1;
}

size_t bh_load_only_one(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_object *o,
			const struct bh_got *got)
{
	size_t first = SIZE_MAX, second = SIZE_MAX, known = 0;
	char names[128] = "";
	bool wrong = false; /* something is there, and was complained about */

	for (uint32_t i = 0; !bh_node_is_null(n) && i < n->n; i++)
		wrong |= n->pairs[i].value->type != BH_YAML_NULL;
	for (size_t i = 0; i < o->n; i++) {
		size_t used = strlen(names);

		if (o->fields[i].not_in & l->in)
			continue;
		(void)snprintf(names + used, sizeof(names) - used, "%s%s", known++ ? ", " : "",
			       o->fields[i].name);
		if (!got[i].value)
			continue;
		if (first == SIZE_MAX)
			first = i;
		else
			second = i;
	}
	if (second != SIZE_MAX) {
		const char *path = bh_path(&l->rd, " ");

		bh_complain(&l->rd, got[second].key, "e3",
			    path[strlen(path) - 1] == ']' ? "to mean either, write two items"
							  : "keep one of them",
			    "%s has both %s and %s: one of them", bh_path(&l->rd, o->name),
			    o->fields[first].name, o->fields[second].name);
		return SIZE_MAX;
	}
	if (first == SIZE_MAX && !wrong) {
		char hint[160];

		(void)snprintf(hint, sizeof(hint), "write one of: %s", names);
		bh_complain(&l->rd, n, "e3", hint, "%s says nothing", bh_path(&l->rd, o->name));
	}
	return first;
}

/* ---- pods ---- */

/* {namespaceSelector: ..., podSelector: ...} */
static void pods(struct bh_load *l, const struct bh_yaml_node *n, struct bh_selector *ns,
		 struct bh_selector *pod)
{
	struct bh_got got[BH_F_PODS_COUNT];
	size_t mark = bh_path_key(&l->rd, "pods");

	if (bh_read_fields(&l->rd, n, &bh_object_pods[version(l)], l->in, got)) {
		bh_load_selector_at(l, "namespaceSelector", got[BH_F_PODS_NS].value, NULL, ns);
		bh_load_selector_at(l, "podSelector", got[BH_F_PODS_POD].value, NULL, pod);
	}
	bh_path_back(&l->rd, mark);
}

static void subject(struct bh_load *l, const struct bh_yaml_node *n, struct bh_policy *p)
{
	const struct bh_object *o = &bh_object_subject[version(l)];
	struct bh_got got[BH_F_SUBJECT_COUNT];
	size_t mark = bh_path_key(&l->rd, "subject"), which;

	p->has_ns = true;
	if (bh_read_fields(&l->rd, n, o, l->in, got)) {
		which = bh_load_only_one(l, n, o, got);
		if (which == BH_F_SUBJECT_NAMESPACES)
			bh_load_selector_at(l, "namespaces", got[which].value, NULL, &p->ns_sel);
		else if (which == BH_F_SUBJECT_PODS)
			pods(l, got[which].value, &p->ns_sel, &p->pods);
	}
	bh_path_back(&l->rd, mark);
}

/* ---- peers ---- */

/* Says something that is known here. */
static bool known_peer(const struct bh_load *l, const struct bh_yaml_node *n,
		       const struct bh_object *o)
{
	if (bh_node_is_null(n))
		return false;
	if (n->type != BH_YAML_MAP)
		return true; /* known to be wrong */
	for (size_t i = 0; i < o->n; i++)
		if (!(o->fields[i].not_in & l->in) &&
		    !bh_node_is_null(bh_yaml_get(n, o->fields[i].name, NULL)))
			return true;
	return false;
}

static void unknown_peer(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_object *o,
			 const struct bh_rule *r, struct bh_peer *p)
{
	const char *names[BH_F_CPEER_COUNT];
	const char *what = r->action == BH_ACTION_ALLOW
			       ? "it matches nothing"
			       : "the rule denies everything, to be on the safe side";
	char near[96];
	const char *hint = NULL;
	size_t count = 0;

	p->kind = BH_PEER_UNKNOWN;
	if (bh_node_is_null(n) || n->n == 0) {
		bh_warn(&l->rd, n, "w9", NULL, "peer in %s says nothing (fails closed): %s",
			bh_path(&l->rd, ""), what);
		return;
	}
	for (size_t i = 0; i < o->n; i++)
		if (!(o->fields[i].not_in & l->in))
			names[count++] = o->fields[i].name;
		else if (strcmp(o->fields[i].name, n->pairs[0].name) == 0)
			hint = o->fields[i].not_here;
	if (!hint)
		hint = bh_suggest(n->pairs[0].name, names, count, near, sizeof(near));
	bh_warn(&l->rd, n->pairs[0].key, "w9", hint,
		"peer \"%.80s\" in %s is not known here (fails closed): %s", n->pairs[0].name,
		bh_path(&l->rd, ""), what);
}

static void networks(struct bh_load *l, const struct bh_yaml_node *list, const struct bh_field *f,
		     const struct bh_yaml_node *n, struct bh_rule *r)
{
	size_t mark = bh_path_key(&l->rd, f->name);

	for (uint32_t i = 0; i < list->n; i++) {
		struct bh_peer *p = &r->peers[r->n_peers++];
		size_t inner = bh_path_index(&l->rd, i);

		p->kind = BH_PEER_BLOCK;
		p->pos = n->pos;
		if (bh_read_item(&l->rd, list->items[i], f))
			(void)bh_load_prefix(l, list->items[i], &p->block.cidr);
		bh_path_back(&l->rd, inner);
	}
	bh_path_back(&l->rd, mark);
}

static void domains(struct bh_load *l, const struct bh_got *got, const struct bh_field *f,
		    const struct bh_rule *r, struct bh_peer *p)
{
	size_t mark = bh_path_key(&l->rd, f->name);

	p->kind = BH_PEER_NAMES;
	bh_load_values(l, got->value, f, bh_pattern_name, true, &p->names);
	if (r->action != BH_ACTION_ALLOW && r->action != BH_ACTION_INVALID)
		bh_complain(
		    &l->rd, got->key, "e9",
		    "deny the rest in a later rule, and accept the names you want",
		    "domainNames in a %s rule (%s): addresses of a name are never all known, so "
		    "this would not hold",
		    r->action == BH_ACTION_PASS ? "Pass" : "Deny", bh_path(&l->rd, ""));
	bh_path_back(&l->rd, mark);
}

/* @ret_addresses: set to what has addresses, but no names for ports. */
static void peer(struct bh_load *l, const struct bh_yaml_node *n, struct bh_rule *r,
		 const char **ret_addresses)
{
	const struct bh_object *o = &bh_object_cpeer[version(l)];
	struct bh_got got[BH_F_CPEER_COUNT];
	const struct bh_field *f;
	struct bh_peer *p;
	size_t which;

	if (!known_peer(l, n, o)) {
		p = &r->peers[r->n_peers++];
		p->pos = n->pos;
		unknown_peer(l, n, o, r, p);
		return;
	}
	if (!bh_read_fields(&l->rd, n, o, l->in, got))
		return;
	which = bh_load_only_one(l, n, o, got);
	if (which == SIZE_MAX)
		return;
	f = &o->fields[which];
	if (which != BH_F_CPEER_NAMESPACES && which != BH_F_CPEER_PODS)
		*ret_addresses = f->name;
	if (which == BH_F_CPEER_NETWORKS) {
		networks(l, got[which].value, f, n, r);
		return;
	}
	p = &r->peers[r->n_peers++];
	p->pos = n->pos;
	p->kind = which == BH_F_CPEER_NODES ? BH_PEER_NODES : BH_PEER_ENDPOINTS;
	if (which == BH_F_CPEER_DOMAINS) {
		domains(l, &got[which], f, r, p);
	} else if (which == BH_F_CPEER_NODES) {
		bh_load_selector_at(l, f->name, got[which].value, NULL, &p->pod);
	} else if (which == BH_F_CPEER_NAMESPACES) {
		bh_load_selector_at(l, f->name, got[which].value, &p->has_ns, &p->ns);
	} else {
		p->has_ns = p->has_pod = true;
		pods(l, got[which].value, &p->ns, &p->pod);
	}
}

/* Ranges become a peer each. */
static size_t count_peers(const struct bh_yaml_node *list)
{
	size_t n = list->n;

	for (uint32_t i = 0; i < list->n; i++) {
		const struct bh_yaml_node *nets = bh_yaml_get(list->items[i], "networks", NULL);

		if (nets && nets->type == BH_YAML_LIST)
			n += nets->n;
	}
	return n;
}

static void peers(struct bh_load *l, const struct bh_yaml_node *list, struct bh_rule *r,
		  const char **ret_addresses)
{
	r->peers = bh_load_array(l, count_peers(list), sizeof(*r->peers));
	for (uint32_t i = 0; r->peers && i < list->n; i++) {
		size_t mark = bh_path_index(&l->rd, i);

		peer(l, list->items[i], r, ret_addresses);
		bh_path_back(&l->rd, mark);
	}
}

/* ---- rules ---- */

static enum bh_action action_by_name(const char *s)
{
	if (strcmp(s, "Accept") == 0 || strcmp(s, "Allow") == 0)
		return BH_ACTION_ALLOW;
	if (strcmp(s, "Deny") == 0)
		return BH_ACTION_DENY;
	return strcmp(s, "Pass") == 0 ? BH_ACTION_PASS : BH_ACTION_INVALID;
}

static void rule(struct bh_load *l, const struct bh_yaml_node *n, enum bh_dir dir,
		 struct bh_rule *r)
{
	const struct bh_object *o = &bh_object_crule[version(l)];
	unsigned what = version(l) ? BH_F_CRULE_PORTS : BH_F_CRULE_PROTOCOLS;
	unsigned who = dir == BH_DIR_INGRESS ? BH_F_CRULE_FROM : BH_F_CRULE_TO;
	const struct bh_yaml_node *name, *act;
	struct bh_got got[BH_F_CRULE_COUNT];
	const char *addresses = NULL;
	size_t mark;

	bh_load_rule_init(l, n, r);
	r->action = BH_ACTION_INVALID;
	if (!bh_read_fields(&l->rd, n, o, l->in, got))
		return;
	act = got[BH_F_CRULE_ACTION].value;
	act = act ? act : got[BH_F_CRULE_ACTION_BASELINE].value;
	r->action = action_by_name(bh_node_str(act));
	bh_load_rule_urgency(r);
	name = got[BH_F_CRULE_NAME].value;
	if (name && *bh_node_str(name)) /* as good as none */
		bh_load_rule_name(l, name, r);
	if (got[who].value) {
		mark = bh_path_key(&l->rd, o->fields[who].name);
		peers(l, got[who].value, r, &addresses);
		bh_path_back(&l->rd, mark);
	}
	if (got[what].value) {
		mark = bh_path_key(&l->rd, o->fields[what].name);
		bh_load_cluster_ports(l, got[what].value, addresses, r);
		bh_path_back(&l->rd, mark);
	}
}

static void rules(struct bh_load *l, const struct bh_yaml_node *list, enum bh_dir dir,
		  struct bh_policy *p)
{
	unsigned in = l->in;

	if (!list)
		return;
	l->in |= dir == BH_DIR_INGRESS ? BH_IN_INGRESS : BH_IN_EGRESS;
	p->rules[dir] = bh_load_array(l, list->n, sizeof(*p->rules[dir]));
	for (uint32_t i = 0; p->rules[dir] && i < list->n; i++) {
		size_t mark = bh_path_key(&l->rd, bh_dir_name(dir));

		(void)bh_path_index(&l->rd, i);
		rule(l, list->items[i], dir, &p->rules[dir][p->n_rules[dir]++]);
		bh_path_back(&l->rd, mark);
	}
	l->in = in;
}

void bh_load_cluster_spec(struct bh_load *l, const struct bh_yaml_node *n, struct bh_policy *p)
{
	struct bh_got got[BH_F_CSPEC_COUNT];
	int64_t v = BH_PRIORITY_NONE;

	l->unknown = l->on_overload = l->midstream = BH_FAIL_REFUSE;
	l->evidence = 0;
	if (!bh_read_fields(&l->rd, n, &bh_object_cspec[version(l)], l->in, got))
		return;
	p->tier = l->kind == BH_KIND_ADMIN_NETWORK_POLICY ||
			  bh_streq(bh_node_str(got[BH_F_CSPEC_TIER].value), "Admin")
		      ? BH_TIER_ADMIN
		      : BH_TIER_BASELINE;
	if (got[BH_F_CSPEC_PRIORITY].value)
		(void)bh_node_int(got[BH_F_CSPEC_PRIORITY].value, &v);
	p->priority = (int)v;
	l->tier = p->tier;
	if (got[BH_F_CSPEC_SUBJECT].value)
		subject(l, got[BH_F_CSPEC_SUBJECT].value, p);
	rules(l, got[BH_F_CSPEC_INGRESS].value, BH_DIR_INGRESS, p);
	rules(l, got[BH_F_CSPEC_EGRESS].value, BH_DIR_EGRESS, p);
}
