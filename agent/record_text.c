// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/record_text.c - the body of a violation record, as docs/violation-log.md has it
 */
#include "agent/record_text.h"

#include <inttypes.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "agent/communityid.h"
#include "agent/jsonw.h"
#include "common/clock.h"
#include "common/util.h"
#include "policy/explain.h"

#include "common/banned.h"

const char *bh_violation_name(enum bh_violation v)
{
	static const char *const names[] = {
		[BH_VIOLATION_DEFAULT_DENY] = "default_deny",
		[BH_VIOLATION_L3L4_DENIED] = "l3l4_denied",
		[BH_VIOLATION_PROTOCOL_MISMATCH] = "protocol_mismatch",
		[BH_VIOLATION_PROTOCOL_UNKNOWN] = "protocol_unknown",
		[BH_VIOLATION_UNDECIDED] = "undecided",
		[BH_VIOLATION_OVERLAP_CONFLICT] = "overlap_conflict",
		[BH_VIOLATION_STREAM_START] = "stream_start",
		[BH_VIOLATION_TCP_URGENT] = "tcp_urgent",
		[BH_VIOLATION_TRUNCATED] = "truncated",
		[BH_VIOLATION_RESOURCE_LIMIT] = "resource_limit",
		[BH_VIOLATION_OVERLOAD] = "overload",
		[BH_VIOLATION_MIDSTREAM] = "midstream",
		[BH_VIOLATION_POLICY_CHANGED] = "policy_changed",
		[BH_VIOLATION_QUARANTINE] = "quarantine",
		[BH_VIOLATION_SPOOF] = "spoof",
		[BH_VIOLATION_SPOOF_MAC] = "spoof_mac",
		[BH_VIOLATION_SPOOF_ARP] = "spoof_arp",
		[BH_VIOLATION_SPOOF_ND] = "spoof_nd",
		[BH_VIOLATION_ROGUE_ROUTER] = "rogue_router",
		[BH_VIOLATION_ROGUE_DHCP] = "rogue_dhcp",
		[BH_VIOLATION_FOREIGN_FRAME] = "foreign_frame",
		[BH_VIOLATION_NO_POLICY_MATCH] = "no_policy_match",
		[BH_VIOLATION_NOT_JUDGED] = "not_judged",
		[BH_VIOLATION_ALERT] = "alert",
		[BH_VIOLATION_LOG] = "log",
		[BH_VIOLATION_NOT_COVERED] = "not_covered",
	};

	BH_STATIC_ASSERT_TABLE(names, BH_VIOLATION_COUNT);
	return (unsigned)v < BH_VIOLATION_COUNT && names[v] ? names[v] : "no_policy_match";
}

static void member(struct bh_buf *b, const char *key, const char *value)
{
	bh_buf_printf(b, ",\"%s\":", key);
	bh_jsonw_str(b, value);
}

/* Of the question, also where an answer was refused. */
static void print_icmp(const struct bh_record *r, struct bh_buf *b)
{
	unsigned what = r->dport ? r->dport : r->sport;

	if (what)
		bh_buf_printf(b, ",\"icmp\":{\"type\":%u,\"code\":%u}", what >> 8, what & 255);
}

static void print_flow(const struct bh_record *r, struct bh_buf *b)
{
	char id[BH_COMMUNITY_ID_STRLEN], l4[8];
	bool ports = r->l4 == BH_L4_TCP || r->l4 == BH_L4_UDP || r->l4 == BH_L4_SCTP;

	bh_buf_puts(b, ",\"flow\":{\"id\":");
	bh_jsonw_str(b, bh_community_id(&r->src, &r->dst, r->l4, r->sport, r->dport, id));
	bh_buf_printf(b, ",\"ipv\":%u", r->src.family);
	member(b, "proto", bh_l4_name(r->l4, l4));
	bh_buf_puts(b, ",\"src\":");
	bh_jsonw_addr(b, &r->src);
	if (ports)
		bh_buf_printf(b, ",\"sport\":%u", r->sport);
	bh_buf_puts(b, ",\"dst\":");
	bh_jsonw_addr(b, &r->dst);
	if (ports)
		bh_buf_printf(b, ",\"dport\":%u", r->dport);
	if (r->l4 == BH_L4_ICMP || r->l4 == BH_L4_ICMPV6)
		print_icmp(r, b);
	bh_buf_putc(b, '}');
}

/* Below IP: no ports, and what is no ARP has no addresses that we could read. */
static void print_frame(const struct bh_record *r, struct bh_buf *b)
{
	bh_buf_puts(b, ",\"flow\":{\"id\":null,\"ipv\":");
	if (r->guard->ethertype == ETH_P_ARP)
		bh_buf_puts(b, "4,\"proto\":\"arp\"");
	else
		bh_buf_printf(b, "null,\"proto\":\"0x%04x\"", r->guard->ethertype);
	bh_buf_puts(b, ",\"src\":");
	bh_jsonw_addr(b, &r->src);
	bh_buf_puts(b, ",\"dst\":");
	bh_jsonw_addr(b, &r->dst);
	bh_buf_putc(b, '}');
}

static void print_link(const struct bh_record *r, struct bh_buf *b)
{
	const uint8_t *m = r->guard->mac;
	char mac[18];

	(void)snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
		       m[4], m[5]);
	bh_buf_printf(b, ",\"link\":{\"index\":%u", r->guard->link);
	member(b, "name", r->sender ? r->sender->host_if : NULL);
	member(b, "mac", r->guard->has_mac ? mac : NULL);
	bh_buf_putc(b, '}');
}

static const struct bh_endpoint *endpoint_of(const struct bh_record *r, const struct bh_addr *a)
{
	return r->gen ? bh_generation_endpoint(r->gen, a) : NULL;
}

static void print_side(const char *key, const struct bh_addr *a, const struct bh_endpoint *e,
		       bool node, struct bh_buf *b)
{
	bh_buf_printf(b, ",\"%s\":{\"kind\":", key);
	if (node || !e) {
		bh_buf_printf(b, "\"%s\",\"address\":", node ? "node" : "outside");
		bh_jsonw_addr(b, a);
		bh_buf_putc(b, '}');
		return;
	}
	bh_buf_puts(b, "\"endpoint\"");
	member(b, "id", e->id);
	member(b, "name", e->name);
	member(b, "ns", e->ns);
	bh_buf_puts(b, ",\"labels\":");
	bh_jsonw_labels(b, &e->labels);
	bh_buf_putc(b, '}');
}

static void print_policy(const struct bh_ruleset *rs, const struct bh_reason *why, struct bh_buf *b)
{
	const struct bh_rs_policy *p = why ? bh_ruleset_policy(rs, why->policy) : NULL;
	const struct bh_rs_rule *rule = why ? bh_ruleset_rule(rs, why->rule) : NULL;

	bh_buf_puts(b, ",\"policy\":");
	if (p) {
		bh_buf_puts(b, "{\"kind\":");
		bh_jsonw_str(b, bh_kind_name(p->kind));
		member(b, "ns", bh_ruleset_text(rs, p->ns));
		member(b, "name", bh_ruleset_text(rs, p->name));
		member(b, "tier", bh_tier_name(p->tier));
		if (p->tier != BH_TIER_APPLICATION && p->priority < BH_PRIORITY_NONE)
			bh_buf_printf(b, ",\"priority\":%u", p->priority);
		member(b, "mode", bh_mode_name(p->mode));
		bh_buf_putc(b, '}');
	} else {
		bh_buf_puts(b, "null");
	}
	bh_buf_puts(b, ",\"rule\":");
	if (rule) {
		const char *name = bh_ruleset_text(rs, rule->name);

		bh_buf_printf(b, "{\"index\":%u,\"name\":", rule->index);
		bh_jsonw_str(b, *name ? name : NULL);
		bh_buf_putc(b, '}');
	} else {
		bh_buf_puts(b, "null");
	}
}

/* What the rule set says, and what came nearest to allowing it. */
static void print_text(const struct bh_record *r, const struct bh_record_verdict *v,
		       const struct bh_reason *why, struct bh_buf *b)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	bool egress = v->dir == BH_DIR_EGRESS;
	const struct bh_endpoint *subject = endpoint_of(r, egress ? &r->src : &r->dst);
	const struct bh_addr *peer = egress ? &r->dst : &r->src;
	bool own_node = r->node == (egress ? BH_NODE_SERVER : BH_NODE_CLIENT);

	if (why)
		bh_buf_puts(&text, bh_ruleset_text(r->gen->rules->rs, why->text));
	if (why && why->kind == BH_REASON_ISOLATED && subject) {
		size_t before = text.len;

		bh_buf_puts(&text, "; ");
		bh_explain_nearest(
		    &(struct bh_nearest){
			.set = r->gen->policies->set,
			.now = bh_clock_wall_us() / 1000000,
			.subject = subject,
			.peer = own_node ? NULL : endpoint_of(r, peer),
			.peer_addr = peer,
			.own_node = own_node,
			.dir = v->dir,
			.l4 = r->l4,
			.port = r->dport,
		    },
		    &text);
		if (text.len == before + 2)
			text.data[text.len = before] = '\0';
	}
	member(b, "text", bh_buf_str(&text));
}

static const char *verdict_action(const struct bh_record *r, const struct bh_reason *why,
				  uint32_t word)
{
	const struct bh_rs_rule *rule = why ? bh_ruleset_rule(r->gen->rules->rs, why->rule) : NULL;

	if (bh_word_verdict(word) != BH_WORD_ALLOW)
		return "refuse";
	if (why && why->kind == BH_REASON_WOULD)
		return "would_refuse";
	if (why && why->kind == BH_REASON_LEARN)
		return "learn";
	if (r->reason == BH_VIOLATION_LOG)
		return "log";
	return rule && rule->action == BH_ACTION_LOG ? "log" : "alert";
}

static void print_verdicts(const struct bh_record *r, struct bh_buf *b)
{
	bh_buf_puts(b, ",\"verdicts\":[");
	for (unsigned i = 0; i < r->n_verdicts; i++) {
		const struct bh_record_verdict *v = &r->verdicts[i];
		const struct bh_ruleset *rs = r->gen ? r->gen->rules->rs : NULL;
		const struct bh_reason *why =
		    rs ? bh_ruleset_reason(rs, bh_word_number(v->word)) : NULL;

		bh_buf_printf(b, "%s{\"dir\":\"%s\",\"action\":\"%s\"", i > 0 ? "," : "",
			      bh_dir_name(v->dir), verdict_action(r, why, v->word));
		print_policy(rs, why, b);
		print_text(r, v, why, b);
		bh_buf_putc(b, '}');
	}
	bh_buf_putc(b, ']');
}

/* What would have been allowed, in the words of the directions that refused. */
static void print_expected(const struct bh_record *r, struct bh_buf *b)
{
	struct bh_protoset all = { { 0 } };
	bool first = true;

	for (unsigned i = 0; i < r->n_verdicts && r->gen; i++) {
		const struct bh_ruleset *rs = r->gen->rules->rs;
		const struct bh_reason *why =
		    bh_ruleset_reason(rs, bh_word_number(r->verdicts[i].word));
		const struct bh_protoset *set = why ? bh_ruleset_protoset(rs, why->expected) : NULL;

		for (unsigned k = 0; set && k < BH_ARRAY_SIZE(all.bits); k++)
			all.bits[k] |= set->bits[k];
	}
	bh_buf_puts(b, "\"expected\":[");
	for (unsigned n = 0; n < 256; n++) {
		if (!bh_protoset_has(&all, n) || !bh_proto_name(n))
			continue;
		if (!first)
			bh_buf_putc(b, ',');
		first = false;
		bh_jsonw_str(b, bh_proto_name(n));
	}
	bh_buf_putc(b, ']');
}

static void print_l7(const struct bh_record *r, struct bh_buf *b)
{
	const struct bh_finding *f = r->l7;
	char ndpi[sizeof(f->ndpi_name) + 1] = { 0 };

	bh_buf_puts(b, ",\"l7\":");
	if (!f && !r->contract) {
		bh_buf_puts(b, "null");
		return;
	}
	bh_buf_putc(b, '{');
	print_expected(r, b);
	if (!f) {
		bh_buf_puts(b, ",\"seen\":null,\"by\":null,\"pkts\":null,\"bytes\":null,"
			       "\"evidence\":null,\"ndpi\":null}");
		return;
	}
	member(b, "seen", bh_proto_name(f->proto));
	member(b, "by", f->by == BH_BY_PROBE ? "probe" : f->by == BH_BY_NDPI ? "ndpi" : NULL);
	bh_buf_printf(b, ",\"pkts\":%u,\"bytes\":%" PRIu64 ",\"evidence\":", f->pkts,
		      (uint64_t)f->bytes_c + f->bytes_s);
	bh_jsonw_hex(b, f->evidence, BH_MIN(f->evidence_len, BH_EVIDENCE_MAX));
	memcpy(ndpi, f->ndpi_name, sizeof(f->ndpi_name));
	member(b, "ndpi", ndpi[0] ? ndpi : NULL);
	bh_buf_putc(b, '}');
}

void bh_record_print(const struct bh_record *r, struct bh_buf *out)
{
	bh_buf_printf(out, "\"kind\":\"%s\"", r->learned ? "learn" : "violation");
	member(out, "reason", bh_violation_name(r->reason));
	member(out, "severity", r->severity);
	member(out, "mode", r->mode);
	member(out, "action", r->action);
	member(out, "would", r->would);
	bh_buf_printf(out, ",\"revision\":%" PRIu64, r->gen ? r->gen->revision : 0);
	if (r->guard && (r->src.family == 0 || r->guard->ethertype == ETH_P_ARP))
		print_frame(r, out);
	else
		print_flow(r, out);
	print_side("src", &r->src,
		   !r->guard   ? endpoint_of(r, &r->src)
		   : r->sender ? r->sender->e
			       : NULL,
		   r->node == BH_NODE_CLIENT, out);
	print_side("dst", &r->dst, endpoint_of(r, &r->dst), r->node == BH_NODE_SERVER, out);
	if (r->guard)
		print_link(r, out);
	print_verdicts(r, out);
	print_l7(r, out);
}
