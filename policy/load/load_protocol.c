/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_protocol.c - protocols of a rule, families of them, and the details that go with them
 *
 * What may stand where: an allow or pass rule takes protocols that have a probe, because a name that nDPI gives is a
 * guess, and nobody may come in by a guess (e17). What nothing can tell yet stands in no rule that decides (e12): such a
 * rule would never hold. In a policy that only watches it is worth a warning (w12).
 */
#include "policy/load/load_internal.h"

#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

#define NAMES_MAX 256

static bool opens(const struct bh_rule *r)
{
	return r->action == BH_ACTION_ALLOW || r->action == BH_ACTION_PASS;
}

static bool decides(const struct bh_rule *r)
{
	return r->action != BH_ACTION_ALERT && r->action != BH_ACTION_LOG;
}

/* ---- one name ---- */

/* Names of what is something else here. */
static const char *other_name(const char *name)
{
	if (strcasecmp(name, "https") == 0)
		return "write \"tls\": what is spoken inside of TLS is not visible";
	if (strcasecmp(name, "tcp") == 0 || strcasecmp(name, "udp") == 0)
		return "that belongs to ports: \"80/tcp\"";
	if (strcasecmp(name, "icmp") == 0 || strcasecmp(name, "ping") == 0)
		return "that has a field of its own: \"icmp: [echo-request]\"";
	return NULL;
}

static void unknown_protocol(struct bh_load *l, const struct bh_yaml_node *n)
{
	const char *names[NAMES_MAX];
	char near[96], hint[192];
	const char *other = other_name(n->text);
	size_t count = 0, families = 0;

	for (; count < NAMES_MAX - 1 && bh_proto_nth(count); count++)
		names[count] = bh_proto_nth(count);
	names[count++] = "unknown";
	for (; count < NAMES_MAX && bh_proto_family_nth(families); count++)
		names[count] = bh_proto_family_nth(families++);
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

/* ", http, tls, dns": all with a probe. */
static void put_probed(char *buf, size_t size)
{
	size_t used = (size_t)snprintf(buf, size, "allowed can be: unknown");
	const char *name;

	for (size_t i = 0; (name = bh_proto_nth(i)) != NULL && used < size; i++)
		if (bh_proto_has_probe(bh_proto_by_name(name)))
			used += (size_t)snprintf(buf + used, size - used, ", %s", name);
}

/* @n: where it is named; @name: what. true: it may stand in this rule. */
static bool may_stand(struct bh_load *l, const struct bh_yaml_node *n, enum bh_proto p,
		      const char *name, const struct bh_rule *r)
{
	char hint[512];

	if (!bh_proto_can_be_told(p) && (l->tentative || !decides(r))) {
		bh_warn(&l->rd, n, "w12", "\"bulkhead protocols\" lists what can be detected",
			"protocol \"%s\" cannot be detected by this version (%s): until it can, no "
			"connection is taken for it",
			name, bh_path(&l->rd, ""));
		return true;
	}
	if (!bh_proto_can_be_told(p)) {
		bh_complain(
		    &l->rd, n, "e12",
		    "write the port without protocols; \"bulkhead protocols\" lists what can "
		    "be detected",
		    "protocol \"%s\" cannot be detected (%s): there is no probe for it, and "
		    "nDPI 4.2 does not know it",
		    name, bh_path(&l->rd, ""));
		return false;
	}
	if (!opens(r) || p == BH_PROTO_UNKNOWN || bh_proto_has_probe(p))
		return true;
	put_probed(hint, sizeof(hint));
	bh_complain(
	    &l->rd, n, "e17", hint,
	    "protocol \"%s\" cannot stand in %s rule (%s): it is known by name only, and that is not "
	    "certain enough",
	    name, r->action == BH_ACTION_PASS ? "a pass" : "an allow", bh_path(&l->rd, ""));
	return false;
}

/* ---- families ---- */

/* Names of the members with (or without) a probe: "postgres, redis". Return: how many there are */
static unsigned put_members(const struct bh_protoset *set, bool probe, char *buf, size_t size)
{
	unsigned n = 0;
	size_t used = 0;
	const char *name;

	buf[0] = '\0';
	for (size_t i = 0; (name = bh_proto_nth(i)) != NULL; i++) {
		enum bh_proto p = bh_proto_by_name(name);

		if (!bh_protoset_has(set, p) || bh_proto_has_probe(p) != probe)
			continue;
		if (used < size)
			used +=
			    (size_t)snprintf(buf + used, size - used, "%s%s", n ? ", " : "", name);
		n++;
	}
	return n;
}

/*
 * A rule that allows a family allows those that can be told for certain. One that allows all but a family cannot be:
 * a member that is not recognised would pass.
 */
static void family(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_protoset *set,
		   struct bh_rule *r)
{
	char with[128], without[128], hint[192];
	unsigned n_with = put_members(set, true, with, sizeof(with));
	unsigned n_without = put_members(set, false, without, sizeof(without));

	for (unsigned p = BH_PROTO_FIRST; p < BH_PROTO_UNDECIDED; p++)
		if (bh_protoset_has(set, p) && (!opens(r) || bh_proto_has_probe(p)))
			bh_protoset_add(&r->protocols, p);
	if (!opens(r) || n_without == 0)
		return;
	if (n_with == 0 || r->negated) {
		(void)snprintf(hint, sizeof(hint), "known by name only: %s", without);
		bh_complain(
		    &l->rd, n, "e17", hint,
		    "family \"%s\" cannot stand in %s of %s rule (%s): %s of its protocols can "
		    "be told for certain",
		    n->text, r->negated ? "notProtocols" : "protocols",
		    r->action == BH_ACTION_PASS ? "a pass" : "an allow", bh_path(&l->rd, ""),
		    n_with ? "not all" : "none");
		return;
	}
	(void)snprintf(hint, sizeof(hint), "not certain enough to be allowed: %s", without);
	bh_warn(&l->rd, n, "w11", hint, "family \"%s\" means %s in this rule", n->text, with);
}

static void protocol(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_field *f,
		     struct bh_rule *r)
{
	struct bh_protoset set;
	enum bh_proto p;

	if (!bh_read_item(&l->rd, n, f))
		return;
	if (bh_proto_family(n->text, &set)) {
		family(l, n, &set, r);
		return;
	}
	p = bh_proto_by_name(n->text);
	if (p == BH_PROTO_INVALID)
		unknown_protocol(l, n);
	else if (may_stand(l, n, p, n->text, r))
		bh_protoset_add(&r->protocols, p);
}

/* ---- with details ---- */

struct binding {
	unsigned field;
	enum bh_proto own, other; /* @own is what the detail alone means */
};

static const struct binding bindings[BH_DETAIL_COUNT] = {
	[BH_DETAIL_HTTP] = { BH_F_RULE_HTTP, BH_PROTO_HTTP, BH_PROTO_HTTP2 },
	[BH_DETAIL_TLS] = { BH_F_RULE_TLS, BH_PROTO_TLS, BH_PROTO_QUIC },
	[BH_DETAIL_DNS] = { BH_F_RULE_DNS, BH_PROTO_DNS, BH_PROTO_DNS },
	[BH_DETAIL_GRPC] = { BH_F_RULE_GRPC, BH_PROTO_GRPC, BH_PROTO_GRPC },
};

/* Details alone say what is spoken, too. */
static void implied(struct bh_load *l, const struct bh_got *got, struct bh_rule *r)
{
	for (size_t i = 0; i < r->n_details; i++) {
		const struct binding *b = &bindings[r->details[i].kind];
		size_t mark;

		if (r->details[i].kind == BH_DETAIL_RISK)
			continue;
		r->has_protocols = true;
		mark = bh_path_key(&l->rd, bh_object_rule.fields[b->field].name);
		if (may_stand(l, got[b->field].key, b->own, bh_proto_name(b->own), r))
			bh_protoset_add(&r->protocols, b->own);
		bh_path_back(&l->rd, mark);
	}
}

static void check_bound(struct bh_load *l, const struct bh_got *got, const struct bh_rule *r)
{
	char hint[96];

	for (size_t i = 0; i < r->n_details; i++) {
		const struct binding *b = &bindings[r->details[i].kind];
		const char *name;
		size_t mark;

		if (r->details[i].kind == BH_DETAIL_RISK)
			continue;
		name = bh_object_rule.fields[b->field].name;
		mark = bh_path_key(&l->rd, name);
		if (r->negated) {
			bh_complain(
			    &l->rd, got[b->field].key, "e25", "write two rules if both are meant",
			    "%s beside notProtocols: details are about what is spoken", name);
		} else if (!bh_protoset_has(&r->protocols, b->own) &&
			   !bh_protoset_has(&r->protocols, b->other)) {
			(void)snprintf(hint, sizeof(hint),
				       "add \"%s\" to protocols, or leave %s out",
				       bh_proto_name(b->own), name);
			bh_complain(&l->rd, got[b->field].key, "e25", hint,
				    "%s has no effect: protocols does not list %s%s%s", name,
				    bh_proto_name(b->own), b->other != b->own ? " or " : "",
				    b->other != b->own ? bh_proto_name(b->other) : "");
		}
		bh_path_back(&l->rd, mark);
	}
}

void bh_load_protocols(struct bh_load *l, const struct bh_got *got, struct bh_rule *r)
{
	const struct bh_got *yes = &got[BH_F_RULE_PROTOCOLS], *no = &got[BH_F_RULE_NOT_PROTOCOLS];
	const struct bh_field *f =
	    &bh_object_rule.fields[no->value ? BH_F_RULE_NOT_PROTOCOLS : BH_F_RULE_PROTOCOLS];
	const struct bh_yaml_node *list = no->value ? no->value : yes->value;
	size_t mark, errors = l->rd.d->n_errors;

	if (yes->value && no->value) {
		mark = bh_path_key(&l->rd, "notProtocols");
		bh_complain(&l->rd, no->key, "e13", "write two rules if both are meant",
			    "both protocols (line %u) and notProtocols: keep one",
			    yes->key->pos.line);
		bh_path_back(&l->rd, mark);
		return;
	}
	if (!list) {
		if (!yes->key && !no->key)
			implied(l, got, r);
		return;
	}
	r->has_protocols = true;
	r->negated = no->value != NULL;
	mark = bh_path_key(&l->rd, f->name);
	for (uint32_t i = 0; i < list->n && i < f->max_items; i++) {
		size_t inner = bh_path_index(&l->rd, i);

		protocol(l, list->items[i], f, r);
		bh_path_back(&l->rd, inner);
	}
	bh_path_back(&l->rd, mark);
	if (l->rd.d->n_errors == errors)
		check_bound(l, got, r);
}
