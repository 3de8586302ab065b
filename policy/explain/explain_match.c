// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/explain/explain_match.c - does a rule match, as it was written; if not, which part of it does not, in words
 *
 * Nothing is decided here: verdicts come from the rule set. The tests hold the two against each other.
 */
#include "policy/explain/explain_internal.h"

#include "common/util.h"
#include "policy/icmp.h"
#include "policy/when.h"

#include <string.h>

#include "common/banned.h"

#define NAME_LABEL "kubernetes.io/metadata.name"

/* ---- subjects ---- */

const struct bh_labels *bh_namespace_labels(const struct bh_policy_set *set, const char *name)
{
	size_t lo = 0, hi = set->n_namespaces;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(set->namespaces[mid]->name, name);

		if (c == 0)
			return &set->namespaces[mid]->labels;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool bh_namespace_matches(const struct bh_policy_set *set, const struct bh_selector *s,
			  const char *name)
{
	struct bh_label only_name = { (char *)NAME_LABEL, (char *)name };
	const struct bh_labels undeclared = { &only_name, 1 };
	const struct bh_labels *labels = bh_namespace_labels(set, name);

	return bh_selector_match(s, labels ? labels : &undeclared);
}

bool bh_policy_selects(const struct bh_policy_set *set, const struct bh_policy *p,
		       const struct bh_endpoint *ep)
{
	if (!bh_kind_is_cluster(p->kind)) {
		if (!bh_streq(p->ns, ep->ns))
			return false;
	} else if (p->has_ns && !bh_namespace_matches(set, &p->ns_sel, ep->ns)) {
		return false;
	}
	return bh_selector_match(&p->pods, &ep->labels);
}

bool bh_policy_holds_for(const struct bh_policy_set *set, const struct bh_policy *p,
			 const struct bh_endpoint *ep, enum bh_dir dir)
{
	if (!p->isolates[dir] && (p->n_rules[dir] == 0 || p->kind == BH_KIND_NETWORK_POLICY))
		return false;
	return bh_policy_selects(set, p, ep);
}

/* ---- moments ---- */

void bh_put_moment(struct bh_buf *b, int64_t t)
{
	char text[32];

	bh_time_format(t, text);
	if (bh_streq(strchr(text, 'T'), "T00:00:00Z"))
		*strchr(text, 'T') = '\0';
	BH_SAY(b, "%s", text);
}

/* "Mon-Fri", "Mon, Wed-Thu", "every day" */
static void put_days(struct bh_buf *b, uint8_t days)
{
	static const char names[7][4] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
	const char *sep = "";

	if ((days & 0x7f) == 0x7f) {
		BH_SAY(b, "every day");
		return;
	}
	for (unsigned d = 0; d < 7; d++) {
		unsigned last = d;

		if (!(days >> d & 1))
			continue;
		while (last + 1 < 7 && days >> (last + 1) & 1)
			last++;
		BH_SAY(b, "%s%s", sep, names[d]);
		if (last > d)
			BH_SAY(b, "-%s", names[last]);
		sep = ", ";
		d = last;
	}
}

static bool moment_matches(const struct bh_asked *q, const struct bh_rule *r, struct bh_buf *b)
{
	if (bh_rule_holds_at(r, q->now))
		return true;
	if (r->expires != 0 && q->now >= r->expires) {
		BH_SAY(b, "it expired ");
		bh_put_moment(b, r->expires);
		return false;
	}
	BH_SAY(b, "outside of its hours: ");
	put_days(b, r->when.days);
	BH_SAY(b, " %02u:%02u-%02u:%02u %s", r->when.from / 60, r->when.from % 60, r->when.to / 60,
	       r->when.to % 60, r->when.zone ? r->when.zone : "");
	return false;
}

/* ---- ports ---- */

static const struct bh_endpoint *destination(const struct bh_asked *q)
{
	return q->dir == BH_DIR_INGRESS ? q->subject : q->peer;
}

static bool port_matches(const struct bh_asked *q, const struct bh_port *p)
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

/* What a name is at the destination: "http (tcp/80 there)". */
static void put_named(struct bh_buf *b, const struct bh_asked *q, const struct bh_port *p)
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

static bool is_icmp(unsigned l4)
{
	return l4 == BH_L4_ICMP || l4 == BH_L4_ICMPV6;
}

static void put_icmp(struct bh_buf *b, uint8_t l4, uint16_t lo, uint16_t hi)
{
	const char *name = bh_icmp_name(l4, (uint8_t)(lo >> 8));
	char text[8];

	bh_buf_printf(b, "%s ", bh_l4_name(l4, text));
	if (name)
		bh_buf_puts(b, name);
	else
		bh_buf_printf(b, "type %d", lo >> 8);
	if (lo == hi && (lo & 255 || !name))
		bh_buf_printf(b, " code %d", lo & 255);
}

void bh_explain_put_port(struct bh_buf *b, uint8_t l4, uint16_t port)
{
	char text[8];

	if (is_icmp(l4)) {
		put_icmp(b, l4, port, port);
		return;
	}
	bh_buf_puts(b, bh_l4_name(l4, text));
	if (port)
		bh_buf_printf(b, "/%u", port);
}

static void put_port(struct bh_buf *b, const struct bh_asked *q, const struct bh_port *p,
		     bool with_l4)
{
	char l4[8];

	if (p->name) {
		put_named(b, q, p);
	} else if (p->lo == 0 && p->hi == UINT16_MAX) {
		bh_buf_puts(b, bh_l4_name(p->l4, l4));
	} else if (is_icmp(p->l4)) {
		put_icmp(b, p->l4, p->lo, p->hi);
	} else {
		if (with_l4)
			bh_buf_printf(b, "%s/", bh_l4_name(p->l4, l4));
		bh_buf_printf(b, "%u", p->lo);
		if (p->lo != p->hi)
			bh_buf_printf(b, "-%u", p->hi);
	}
}

static bool ports_match(const struct bh_asked *q, const struct bh_rule *r, struct bh_buf *b)
{
	bool with_l4 = is_icmp(q->l4);

	for (size_t i = 0; i < r->n_ports; i++) {
		if (port_matches(q, &r->ports[i]))
			return true;
		with_l4 |= r->ports[i].l4 != q->l4;
	}
	if (r->n_ports == 0 && !r->has_ports)
		return true;
	if (!b)
		return false;
	if (r->n_ports == 0) {
		bh_buf_puts(b, "none of its ports can be");
		return false;
	}
	if (with_l4 || q->port == 0)
		bh_explain_put_port(b, q->l4, q->port);
	else
		bh_buf_printf(b, "port %u", q->port);
	bh_buf_puts(b, " is not in ");
	for (size_t i = 0; i < r->n_ports && i < BH_SHOWN; i++) {
		bh_buf_puts(b, i ? ", " : "");
		put_port(b, q, &r->ports[i], with_l4);
	}
	if (r->n_ports > BH_SHOWN)
		bh_buf_puts(b, ", ...");
	return false;
}

/* ---- protocols ---- */

static void put_protocols(struct bh_buf *b, const struct bh_rule *r)
{
	const char *sep = r->negated ? "notProtocols [" : "[";

	for (unsigned p = 0; p < 256; p++) {
		const char *name = bh_proto_name(p);

		if (!bh_protoset_has(&r->protocols, p) || !name)
			continue;
		BH_SAY(b, "%s%s", sep, name);
		sep = ", ";
	}
	BH_SAY(b, "%s", bh_protoset_empty(&r->protocols) ? "[]" : "]");
}

static bool refuses(const struct bh_rule *r)
{
	return r->action == BH_ACTION_DENY || r->action == BH_ACTION_REJECT;
}

static enum bh_truth protocol_matches(const struct bh_asked *q, const struct bh_rule *r,
				      struct bh_buf *b)
{
	const char *name = bh_proto_name(q->spoken->proto);

	if (!r->has_protocols)
		return BH_TRUE;
	if (q->spoken->proto == 0) {
		BH_SAY(b, "the protocol is not said");
		return BH_OPEN;
	}
	if (q->spoken->proto == BH_PROTO_UNDECIDED) {
		/* The worst counts. */
		if (refuses(r))
			return BH_TRUE;
		BH_SAY(b, "it was not certain in time that what is spoken is in ");
	} else {
		if (bh_protoset_has(&r->protocols, q->spoken->proto) != r->negated)
			return BH_TRUE;
		BH_SAY(b, "protocol %s is %s ", name ? name : "?",
		       r->negated ? "one of" : "not in");
	}
	put_protocols(b, r);
	return BH_FALSE;
}

/* Nothing but a protocol that is known to be one of the rule's has details. */
static enum bh_truth details_match(const struct bh_asked *q, const struct bh_rule *r,
				   struct bh_buf *b)
{
	if (protocol_matches(q, r, NULL) == BH_FALSE)
		return BH_TRUE;
	if (q->spoken->proto == BH_PROTO_UNDECIDED && refuses(r))
		return BH_TRUE;
	return bh_details_match(q, r, b);
}

/* ---- rules ---- */

bool bh_rule_is_closed(const struct bh_rule *r)
{
	if (r->action == BH_ACTION_ALLOW || r->action == BH_ACTION_ALERT ||
	    r->action == BH_ACTION_LOG)
		return false;
	for (size_t i = 0; i < r->n_peers; i++) {
		if (r->peers[i].kind == BH_PEER_UNKNOWN)
			return true;
	}
	return false;
}

static enum bh_truth truth(bool holds)
{
	return holds ? BH_TRUE : BH_FALSE;
}

static enum bh_truth part_matches(unsigned part, const struct bh_asked *q,
				  const struct bh_policy *p, const struct bh_rule *r,
				  struct bh_buf *b)
{
	switch (part) {
	case BH_PART_MOMENT:
		return truth(moment_matches(q, r, b));
	case BH_PART_PEERS:
		return truth(bh_peers_match(q, p, r, b));
	case BH_PART_PORTS:
		return truth(ports_match(q, r, b));
	case BH_PART_PROTOCOL:
		return protocol_matches(q, r, b);
	default:
		return details_match(q, r, b);
	}
}

enum bh_truth bh_rule_match(const struct bh_asked *q, const struct bh_policy *p,
			    const struct bh_rule *r, unsigned *ret_failed, struct bh_buf *b)
{
	bool closed = bh_rule_is_closed(r) && !bh_host_is_free(q);
	bool open = false;

	*ret_failed = 0;
	for (unsigned part = BH_PART_MOMENT; part <= (closed ? BH_PART_MOMENT : BH_PART_DETAILS);
	     part <<= 1) {
		bh_cleanup(bh_buf_done) struct bh_buf one = BH_BUF_INIT;
		enum bh_truth t = part_matches(part, q, p, r, b ? &one : NULL);

		open |= t == BH_OPEN;
		if (t != BH_FALSE)
			continue;
		BH_SAY(b, "%s", *ret_failed ? "; " : "");
		bh_say_buf(b, &one);
		*ret_failed |= part;
	}
	if (*ret_failed > 0)
		return BH_FALSE;
	return open ? BH_OPEN : BH_TRUE;
}
