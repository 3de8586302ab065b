/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_rule.c - a rule of NetworkPolicy or of our own kinds: its parts, and how they go together
 *
 * Peers, ports, protocols, details and times are read elsewhere.
 */
#include "policy/load/load_internal.h"

#include "common/util.h"
#include "policy/names.h"

#include <string.h>

#include "common/banned.h"

/* ---- words ---- */

static enum bh_action action_by_name(const char *s)
{
	for (unsigned a = BH_ACTION_ALLOW; a < BH_ACTION_COUNT; a++)
		if (strcmp(bh_action_name(a), s) == 0)
			return a;
	return BH_ACTION_INVALID;
}

static enum bh_urgency urgency_by_name(const char *s)
{
	for (unsigned u = BH_URGENCY_INFO; u < BH_URGENCY_COUNT; u++)
		if (strcmp(bh_urgency_name(u), s) == 0)
			return u;
	return BH_URGENCY_UNSET;
}

static enum bh_proxy proxy_by_name(const char *s)
{
	if (strcmp(s, "allow") == 0)
		return BH_PROXY_ALLOW;
	return strcmp(s, "require") == 0 ? BH_PROXY_REQUIRE : BH_PROXY_REFUSE;
}

enum bh_fail bh_load_fail(const struct bh_yaml_node *n, enum bh_fail otherwise)
{
	const char *s = bh_node_str(n);

	if (!n)
		return otherwise;
	if (strcmp(s, "allow") == 0)
		return BH_FAIL_ALLOW;
	return strcmp(s, "alert") == 0 ? BH_FAIL_ALERT : BH_FAIL_REFUSE;
}

uint16_t bh_load_evidence(const struct bh_yaml_node *n, uint16_t otherwise)
{
	int64_t v = 0;

	return n && bh_node_int(n, &v) ? (uint16_t)v : otherwise;
}

/* ---- what every rule has ---- */

void bh_load_rule_init(const struct bh_load *l, const struct bh_yaml_node *n, struct bh_rule *r)
{
	r->pos = n->pos;
	r->action = BH_ACTION_ALLOW;
	r->unknown = l->unknown;
	r->on_overload = l->on_overload;
	r->midstream = l->midstream;
	r->evidence = l->evidence;
	r->switches = BH_SWITCH_USUAL;
	r->proxy = BH_PROXY_REFUSE;
}

void bh_load_rule_urgency(struct bh_rule *r)
{
	if (r->urgency == BH_URGENCY_UNSET)
		r->urgency = r->action == BH_ACTION_DENY || r->action == BH_ACTION_REJECT ||
				     r->action == BH_ACTION_ALERT
				 ? BH_URGENCY_WARNING
				 : BH_URGENCY_INFO;
}

void bh_load_rule_name(struct bh_load *l, const struct bh_yaml_node *n, struct bh_rule *r)
{
	size_t mark = bh_path_key(&l->rd, "name");
	const char *why = bh_name_text(n->text);

	if (why)
		bh_complain(&l->rd, n, "e19", why, "%s is no name for a rule", bh_path(&l->rd, ""));
	r->name = bh_load_strdup(l, n->text);
	bh_path_back(&l->rd, mark);
}

/* ---- our own fields ---- */

static void action(struct bh_load *l, const struct bh_got *got, struct bh_rule *r)
{
	size_t mark;

	if (!got->key)
		return;
	r->action = action_by_name(bh_node_str(got->value));
	if (r->action != BH_ACTION_PASS || l->tier != BH_TIER_APPLICATION)
		return;
	mark = bh_path_key(&l->rd, "action");
	bh_complain(
	    &l->rd, got->value, "e10",
	    "pass skips the later rules of tiers admin and baseline; here leave the rule "
	    "out",
	    "action \"pass\" has no meaning in tier \"application\" (%s): its policies are a "
	    "set without an order",
	    bh_path(&l->rd, ""));
	bh_path_back(&l->rd, mark);
}

static void switches(struct bh_load *l, const struct bh_yaml_node *list, struct bh_rule *r)
{
	const struct bh_field *f = &bh_object_rule.fields[BH_F_RULE_SWITCHES];
	size_t mark = bh_path_key(&l->rd, f->name);

	r->switches = 0;
	for (uint32_t i = 0; i < list->n; i++) {
		const struct bh_yaml_node *n = list->items[i];
		size_t inner = bh_path_index(&l->rd, i);

		if (bh_read_item(&l->rd, n, f))
			r->switches |= strcmp(n->text, "starttls") == 0 ? BH_SWITCH_STARTTLS
									: BH_SWITCH_SSLREQUEST;
		bh_path_back(&l->rd, inner);
	}
	bh_path_back(&l->rd, mark);
}

static void unknown(struct bh_load *l, const struct bh_got *got, struct bh_rule *r)
{
	size_t mark;

	r->unknown = bh_load_fail(got->value, l->unknown);
	if (!got->value || l->tier == BH_TIER_APPLICATION || l->tier == BH_TIER_INVALID)
		return;
	mark = bh_path_key(&l->rd, "unknownProtocol");
	bh_complain(
	    &l->rd, got->key, "e10",
	    "leave it out: here what no rule decides goes on to the next tier",
	    "unknownProtocol has no meaning in tier \"%s\": only tier \"application\" isolates",
	    bh_tier_name(l->tier));
	bh_path_back(&l->rd, mark);
}

static void own_fields(struct bh_load *l, const struct bh_got *got, struct bh_rule *r)
{
	if (got[BH_F_RULE_LOG].value)
		r->log = got[BH_F_RULE_LOG].value->boolean;
	if (got[BH_F_RULE_SEVERITY].value)
		r->urgency = urgency_by_name(bh_node_str(got[BH_F_RULE_SEVERITY].value));
	bh_load_time(l, got[BH_F_RULE_EXPIRES].value, "expires", &r->expires);
	if (got[BH_F_RULE_WHEN].value)
		bh_load_when(l, got[BH_F_RULE_WHEN].value, &r->when);
	unknown(l, &got[BH_F_RULE_UNKNOWN], r);
	r->on_overload = bh_load_fail(got[BH_F_RULE_ON_OVERLOAD].value, l->on_overload);
	r->midstream = bh_load_fail(got[BH_F_RULE_MIDSTREAM].value, l->midstream);
	if (got[BH_F_RULE_SWITCHES].value)
		switches(l, got[BH_F_RULE_SWITCHES].value, r);
	if (got[BH_F_RULE_PROXY_HEADER].value)
		r->proxy = proxy_by_name(bh_node_str(got[BH_F_RULE_PROXY_HEADER].value));
	r->evidence = bh_load_evidence(got[BH_F_RULE_EVIDENCE].value, l->evidence);
}

/* ---- how the parts go together ---- */

/* ICMP speaks no protocol that could be asked for. */
static void icmp_alone(struct bh_load *l, const struct bh_got *got, const struct bh_rule *r)
{
	size_t mark;

	if (!got[BH_F_RULE_ICMP].value || (!r->has_protocols && r->n_details == 0))
		return;
	mark = bh_path_key(&l->rd, "icmp");
	bh_complain(&l->rd, got[BH_F_RULE_ICMP].key, "e25", "write a rule of its own for icmp",
		    "icmp beside protocols: ICMP carries none, so this would match nothing");
	bh_path_back(&l->rd, mark);
}

/* The place where somebody said http. */
static const struct bh_got *http_of(const struct bh_got *got)
{
	return got[BH_F_RULE_HTTP].value ? &got[BH_F_RULE_HTTP] : &got[BH_F_RULE_PROTOCOLS];
}

static void http_on_443(struct bh_load *l, const struct bh_got *got, const struct bh_rule *r)
{
	const struct bh_got *http = http_of(got);
	size_t mark;

	if (!http->value || r->negated || r->action != BH_ACTION_ALLOW ||
	    !bh_protoset_has(&r->protocols, BH_PROTO_HTTP) ||
	    bh_protoset_has(&r->protocols, BH_PROTO_TLS))
		return;
	for (size_t i = 0; i < r->n_ports; i++) {
		const struct bh_port *p = &r->ports[i];

		if (p->name || p->l4 != BH_L4_TCP || p->lo != 443 || p->hi != 443)
			continue;
		mark = bh_path_key(&l->rd, http == &got[BH_F_RULE_HTTP] ? "http" : "protocols");
		bh_warn(&l->rd, http->key, "w7", "did you mean \"tls: {serverNames: [...]}\"?",
			"http rule on port 443: HTTP inside TLS is not visible");
		bh_path_back(&l->rd, mark);
		return;
	}
}

void bh_load_rule(struct bh_load *l, const struct bh_yaml_node *n, enum bh_dir dir,
		  struct bh_rule *r)
{
	unsigned in = l->in;
	struct bh_got got[BH_F_RULE_COUNT];
	const struct bh_got *peers, *ports;
	size_t mark;

	bh_load_rule_init(l, n, r);
	if (n->type == BH_YAML_NULL)
		bh_warn(&l->rd, n, "w3", "write \"- {}\" if that is meant",
			"empty rule allows everything (%s is null)", bh_path(&l->rd, ""));
	l->in |= dir == BH_DIR_INGRESS ? BH_IN_INGRESS : BH_IN_EGRESS;
	if (!bh_read_fields(&l->rd, n, &bh_object_rule, l->in, got)) {
		l->in = in;
		return;
	}
	action(l, &got[BH_F_RULE_ACTION], r);
	if (got[BH_F_RULE_NAME].value)
		bh_load_rule_name(l, got[BH_F_RULE_NAME].value, r);
	peers = &got[dir == BH_DIR_INGRESS ? BH_F_RULE_FROM : BH_F_RULE_TO];
	if (peers->value) {
		mark = bh_path_key(&l->rd, dir == BH_DIR_INGRESS ? "from" : "to");
		bh_load_peers(l, peers->value, r);
		bh_path_back(&l->rd, mark);
	}
	ports = &got[l->in & BH_IN_NETWORK_POLICY ? BH_F_RULE_PORTS_MAPS : BH_F_RULE_PORTS];
	if (ports->value) {
		mark = bh_path_key(&l->rd, "ports");
		bh_load_ports(l, ports->value, r);
		bh_path_back(&l->rd, mark);
	}
	if (got[BH_F_RULE_ICMP].value) {
		mark = bh_path_key(&l->rd, "icmp");
		bh_load_icmp(l, got[BH_F_RULE_ICMP].value, r);
		bh_path_back(&l->rd, mark);
	}
	bh_load_details(l, got, r);
	bh_load_protocols(l, got, r);
	own_fields(l, got, r);
	bh_load_rule_urgency(r);
	icmp_alone(l, got, r);
	http_on_443(l, got, r);
	l->in = in;
}
