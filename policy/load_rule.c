/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load_rule.c - a rule: name, action, protocols; peers and ports are elsewhere
 */
#include "policy/load_internal.h"

#include "common/util.h"
#include "policy/names.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

#define NAMES_MAX 256

static enum bh_action action_by_name(const char *s)
{
	for (unsigned a = BH_ACTION_ALLOW; a < BH_ACTION_COUNT; a++)
		if (strcmp(bh_action_name(a), s) == 0)
			return a;
	return BH_ACTION_INVALID;
}

/* ---- protocols ---- */

/* Families of policy files to come, and names of what is something else here. */
static const char *other_name(const char *name)
{
	static const char *const families[] = { "mail", "database", "remote-desktop",
						"file-sharing", "vpn" };

	for (size_t i = 0; i < BH_ARRAY_SIZE(families); i++)
		if (strcmp(name, families[i]) == 0)
			return "families of protocols are not supported by this version: write the "
			       "names";
	if (strcasecmp(name, "https") == 0)
		return "write \"tls\": what is spoken inside of TLS is not visible";
	if (strcasecmp(name, "tcp") == 0 || strcasecmp(name, "udp") == 0)
		return "that belongs to ports: \"80/tcp\"";
	return NULL;
}

static void unknown_protocol(struct bh_load *l, const struct bh_yaml_node *n)
{
	const char *names[NAMES_MAX];
	char near[96], hint[192];
	const char *other = other_name(n->text);
	size_t count = 0;

	for (; count < NAMES_MAX - 1 && bh_proto_nth(count); count++)
		names[count] = bh_proto_nth(count);
	names[count++] = "unknown";
	if (other)
		(void)snprintf(hint, sizeof(hint), "%s", other);
	else if (bh_suggest(n->text, names, count, near, sizeof(near)))
		(void)snprintf(hint, sizeof(hint), "%s (\"bulkhead protocols\" lists all names)",
			       near);
	else
		(void)snprintf(hint, sizeof(hint), "\"bulkhead protocols\" lists all names");
	bh_complain(&l->rd, n, "e2", hint, "unknown protocol \"%.80s\" in %s", n->text,
		    bh_path(&l->rd, ""));
}

/* What only nDPI can name is good enough to refuse, not to allow. */
static void not_for_allow(struct bh_load *l, const struct bh_yaml_node *n)
{
	char hint[320];
	size_t used = (size_t)snprintf(hint, sizeof(hint), "allowed can be: unknown");
	const char *name;

	for (size_t i = 0; (name = bh_proto_nth(i)) != NULL && used < sizeof(hint); i++)
		if (bh_proto_has_probe(bh_proto_by_name(name)))
			used += (size_t)snprintf(hint + used, sizeof(hint) - used, ", %s", name);
	bh_complain(
	    &l->rd, n, "e17", hint,
	    "protocol \"%s\" cannot stand in an allow rule (%s): it is known by name only, and "
	    "that is not certain enough",
	    n->text, bh_path(&l->rd, ""));
}

static void protocol(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_field *f,
		     struct bh_rule *r)
{
	enum bh_proto p;

	if (!bh_read_item(&l->rd, n, f))
		return;
	p = bh_proto_by_name(n->text);
	if (p == BH_PROTO_INVALID)
		unknown_protocol(l, n);
	else if (r->action == BH_ACTION_ALLOW && p != BH_PROTO_UNKNOWN && !bh_proto_has_probe(p))
		not_for_allow(l, n);
	else
		bh_protoset_add(&r->protocols, p);
}

static void protocols(struct bh_load *l, const struct bh_got *yes, const struct bh_got *no,
		      struct bh_rule *r)
{
	const struct bh_field *f =
	    &bh_object_rule.fields[no->value ? BH_F_RULE_NOT_PROTOCOLS : BH_F_RULE_PROTOCOLS];
	const struct bh_yaml_node *list = no->value ? no->value : yes->value;
	size_t mark;

	if (yes->value && no->value) {
		mark = bh_path_key(&l->rd, "notProtocols");
		bh_complain(&l->rd, no->key, "e13", "write two rules if both are meant",
			    "both protocols (line %u) and notProtocols: keep one",
			    yes->key->pos.line);
		bh_path_back(&l->rd, mark);
		return;
	}
	if (!list)
		return;
	r->has_protocols = true;
	r->negated = no->value != NULL;
	mark = bh_path_key(&l->rd, f->name);
	if (list->n == 0)
		bh_complain(&l->rd, list, "e19", "name a protocol, or leave the field out",
			    "%s is empty", bh_path(&l->rd, ""));
	for (uint32_t i = 0; i < list->n; i++) {
		size_t inner = bh_path_index(&l->rd, i);

		protocol(l, list->items[i], f, r);
		bh_path_back(&l->rd, inner);
	}
	bh_path_back(&l->rd, mark);
}

/* ---- the rule ---- */

static void rule_name(struct bh_load *l, const struct bh_yaml_node *n, struct bh_rule *r)
{
	size_t mark = bh_path_key(&l->rd, "name");
	const char *why = bh_name_text(n->text);

	if (why)
		bh_complain(&l->rd, n, "e19", why, "%s is no name for a rule", bh_path(&l->rd, ""));
	r->name = bh_load_strdup(l, n->text);
	bh_path_back(&l->rd, mark);
}

void bh_load_rule(struct bh_load *l, const struct bh_yaml_node *n, enum bh_dir dir,
		  struct bh_rule *r)
{
	unsigned in = l->in | (dir == BH_DIR_INGRESS ? BH_IN_INGRESS : BH_IN_EGRESS);
	struct bh_got got[BH_F_RULE_COUNT];
	const struct bh_got *peers;
	size_t mark;

	r->pos = n->pos;
	r->action = BH_ACTION_ALLOW;
	if (n->type == BH_YAML_NULL)
		bh_warn(&l->rd, n, "w3", "write \"- {}\" if that is meant",
			"empty rule allows everything (%s is null)", bh_path(&l->rd, ""));
	if (!bh_read_fields(&l->rd, n, &bh_object_rule, in, got))
		return;
	if (got[BH_F_RULE_ACTION].key)
		r->action = action_by_name(bh_node_str(got[BH_F_RULE_ACTION].value));
	if (got[BH_F_RULE_NAME].value)
		rule_name(l, got[BH_F_RULE_NAME].value, r);
	peers = &got[dir == BH_DIR_INGRESS ? BH_F_RULE_FROM : BH_F_RULE_TO];
	if (peers->value) {
		mark = bh_path_key(&l->rd, dir == BH_DIR_INGRESS ? "from" : "to");
		bh_load_peers(l, peers->value, r);
		bh_path_back(&l->rd, mark);
	}
	if (got[BH_F_RULE_PORTS].value) {
		r->has_ports = got[BH_F_RULE_PORTS].value->n > 0;
		mark = bh_path_key(&l->rd, "ports");
		bh_load_ports(l, got[BH_F_RULE_PORTS].value, r);
		bh_path_back(&l->rd, mark);
	}
	protocols(l, &got[BH_F_RULE_PROTOCOLS], &got[BH_F_RULE_NOT_PROTOCOLS], r);
}
