// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/comment.c - what `nft list` shows beside our objects: which policy, which endpoint
 *
 * Names come from manifests, engines and other hosts: whatever they hold, nft(8) shows a comment between quotes, on a
 * terminal, or as JSON. So quotes and control characters are replaced, and a character is whole or not there.
 */
#include "dataplane/kernel/comment.h"

#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/projection_key.h"
#include "dataplane/marks.h"
#include "policy/protocol.h"
#include "policy/text.h"

#include "common/banned.h"

/* ---- text ---- */

/* Zero-width and direction-turning characters, and those beyond the control characters of Latin-1. */
static bool shows_itself(uint32_t c)
{
	return c >= 0x20 && !(c >= 0x7f && c <= 0x9f) && !(c >= 0x200b && c <= 0x200f) &&
	       !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2060 && c <= 0x206f) && c != 0xfeff;
}

/* What stands for a character that may not stand there; 0: it may. */
static char instead_of(size_t n, uint32_t c)
{
	if (n == 0 || !shows_itself(c))
		return '?';
	return c == '"' ? '\'' : c == '\\' ? '/' : '\0';
}

/* @text as it may stand between quotes, into @buf; "..." where it is longer. */
static const char *put(char *buf, size_t size, const char *text)
{
	static const char more[] = "...";
	size_t len = strlen(text), off = 0, out = 0, whole = 0;

	while (off < len) {
		uint32_t c = 0;
		size_t n = bh_utf8_next(text + off, len - off, &c);
		char other = instead_of(n, c);
		size_t width = other ? 1 : n;

		if (out + width >= size) {
			memcpy(buf + whole, more, sizeof(more));
			return buf;
		}
		memcpy(buf + out, other ? &other : text + off, width);
		out += width;
		off += n > 0 ? n : 1;
		if (out + sizeof(more) <= size)
			whole = out;
	}
	buf[out] = '\0';
	return buf;
}

/* ---- words ---- */

static const char *verdict(uint32_t word)
{
	switch (bh_word_verdict(word)) {
	case BH_WORD_ALLOW:
		return "allow";
	case BH_WORD_REJECT:
		return "reject";
	case BH_WORD_CONTRACT:
		return "by protocol";
	default:
		return "drop";
	}
}

/* "shop/web", "shop/web 'clients'", "shop/web ingress[2]" */
static void put_origin(struct bh_buf *b, const struct bh_ruleset *rs, const struct bh_reason *r)
{
	const struct bh_rs_policy *p = bh_ruleset_policy(rs, r->policy);
	const struct bh_rs_rule *rule = bh_ruleset_rule(rs, r->rule);
	const char *ns = p ? bh_ruleset_text(rs, p->ns) : "", *name;

	if (!p)
		return;
	bh_buf_printf(b, "%s%s%s", ns, *ns ? "/" : "", bh_ruleset_text(rs, p->name));
	name = rule ? bh_ruleset_text(rs, rule->name) : "";
	if (*name)
		bh_buf_printf(b, " '%s'", name);
	else if (rule)
		bh_buf_printf(b, " %s[%u]", bh_dir_name((enum bh_dir)rule->dir), rule->index);
}

static void put_reason(struct bh_buf *b, const struct bh_ruleset *rs, uint32_t number)
{
	static const char *const before[] = {
		[BH_REASON_INVALID] = "",
		[BH_REASON_RULE] = "",
		[BH_REASON_ISOLATED] = "isolated by ",
		[BH_REASON_PROTOCOL] = "other protocol, ",
		[BH_REASON_NOT_ISOLATED] = "not isolated",
		[BH_REASON_WOULD] = "would refuse: ",
		[BH_REASON_LEARN] = "to be learned by ",
		[BH_REASON_HOST] = "own node",
	};
	const struct bh_reason *r = bh_ruleset_reason(rs, number);

	BH_STATIC_ASSERT_TABLE(before, BH_REASON_COUNT);
	if (!r || r->kind >= BH_REASON_COUNT)
		return;
	bh_buf_puts(b, before[r->kind]);
	put_origin(b, rs, r);
}

/* "http, tls allow: shop/web 'clients'; else drop": the entries that are as the first one that allows (else the first). */
static void put_contract(struct bh_buf *b, const struct bh_ruleset *rs, uint32_t number)
{
	const struct bh_contract *c = bh_ruleset_contract(rs, number);
	const struct bh_contract_entry *e = c ? bh_ruleset_entries(rs, c) : NULL;
	const char *sep = "";
	uint32_t first = 0;

	if (!c)
		return;
	while (first < c->n && bh_word_verdict(e[first].word) != BH_WORD_ALLOW)
		first++;
	if (first == c->n)
		first = 0;
	for (uint32_t i = first; i < c->n; i++) {
		const char *name = bh_proto_name(e[i].proto);

		if (bh_word_verdict(e[i].word) != bh_word_verdict(e[first].word))
			continue;
		bh_buf_printf(b, "%s%s", sep, name ? name : "?");
		sep = ", ";
	}
	if (first < c->n) {
		bh_buf_printf(b, " %s: ", verdict(e[first].word));
		put_reason(b, rs, bh_word_number(e[first].word));
		bh_buf_puts(b, "; else ");
	}
	bh_buf_puts(b, verdict(c->other));
}

static void put_word(struct bh_buf *b, const struct bh_ruleset *rs, uint32_t word)
{
	if (bh_word_verdict(word) == BH_WORD_CONTRACT) {
		put_contract(b, rs, bh_word_number(word));
		return;
	}
	bh_buf_printf(b, "%s", verdict(word));
	if (bh_ruleset_reason(rs, bh_word_number(word))) {
		bh_buf_puts(b, ": ");
		put_reason(b, rs, bh_word_number(word));
	}
}

const char *bh_comment_word(const struct bh_ruleset *rs, uint32_t word, char *buf, size_t size)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	put_word(&b, rs, word);
	return put(buf, size, bh_buf_str(&b));
}

const char *bh_comment_result(unsigned result)
{
	const char *name = bh_proto_name(result);

	switch (result) {
	case 0:
		return "other";
	case BH_PROTO_ADOPTED:
		return "adopted";
	case BH_PROTO_UNJUDGED:
		return "unjudged";
	case BH_PROTO_UNSEEN:
		return "unseen";
	default:
		return name ? name : "?";
	}
}

/* Of (contract . result): what is spoken, and what becomes of it. */
static void put_result(struct bh_buf *b, const struct bh_ruleset *rs, const struct bh_kelem *e)
{
	bh_buf_printf(b, "%s ", bh_comment_result(bh_key_word(e->key, 2) >> BH_MARK_RESULT_SHIFT));
	put_word(b, rs, e->data);
}

/* ---- elements ---- */

const char *bh_comment_elem(const struct bh_commenter *c, const struct bh_kelem *e, char *buf,
			    size_t size)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	const struct bh_class *cls;
	struct bh_addr a;
	char who[256] = "";

	*buf = '\0';
	if (e->comment > 0 && c->source)
		return put(buf, size, bh_projection_comment(c->source, e));
	switch (e->set) {
	case BH_KSET_PEER:
	case BH_KSET_SUBJ_IN:
	case BH_KSET_SUBJ_EG:
		a = e->family == 4 ? bh_addr_from_v4(e->key) : bh_addr_from_v6(e->key);
		if (c->who)
			c->who(c->arg, &a, who, sizeof(who));
		return put(buf, size, who);
	case BH_KSET_CIDR:
		cls = c->rs ? bh_ruleset_class(c->rs, e->data) : NULL;
		return cls ? put(buf, size, bh_ruleset_text(c->rs, cls->text)) : buf;
	case BH_KSET_CELL:
		return c->rs ? bh_comment_word(c->rs, e->data, buf, size) : buf;
	case BH_KSET_RESULT:
		if (c->rs)
			put_result(&b, c->rs, e);
		return put(buf, size, bh_buf_str(&b));
	default:
		return buf;
	}
}

/* ---- what never changes ---- */

const char *bh_comment_set(enum bh_kset s)
{
	static const char *const texts[] = {
		[BH_KSET_INVALID] = "",
		[BH_KSET_PEER] = "address of an endpoint -> class",
		[BH_KSET_SUBJ_IN] = "local endpoints selected for ingress -> class",
		[BH_KSET_SUBJ_EG] = "local endpoints selected for egress -> class",
		[BH_KSET_CIDR] = "ranges of addresses of no endpoint -> class",
		[BH_KSET_PORT_TCP] = "ranges of TCP ports that policies name -> piece",
		[BH_KSET_PORT_UDP] = "ranges of UDP ports that policies name -> piece",
		[BH_KSET_PORT_SCTP] = "ranges of SCTP ports that policies name -> piece",
		[BH_KSET_PORT_ICMP] = "types * 256 + codes of ICMP that policies name -> piece",
		[BH_KSET_CELL] = "direction . subject . peer . port . protocol -> decision",
		[BH_KSET_RESULT] = "0 . contract . what is spoken -> decision",
		[BH_KSET_GUARD_LINK] = "interfaces of endpoints, as the guard knows them",
		[BH_KSET_GUARD_MAC] = "interface . MAC that it may send from",
		[BH_KSET_GUARD_IP] = "interface . MAC . address that it may have",
		[BH_KSET_GUARD_IP6] = "interface . MAC . address that it may have",
		[BH_KSET_GUARD_LL] = "interface . MAC . link-local address",
		[BH_KSET_STATE] = "what the next agent must know",
	};
	BH_STATIC_ASSERT_TABLE(texts, BH_KSET_COUNT);

	return s < BH_KSET_COUNT ? texts[s] : "";
}

const char *bh_comment_state(enum bh_state_key k)
{
	static const char *const texts[BH_STATE_COUNT] = {
		[BH_STATE_FORMAT] = "format of the maps",
		[BH_STATE_CHAINS_LO] = "hash of the chains, low half",
		[BH_STATE_CHAINS_HI] = "hash of the chains, high half",
		[BH_STATE_EPOCH] = "epoch",
		[BH_STATE_REVISION_LO] = "revision, low half",
		[BH_STATE_REVISION_HI] = "revision, high half",
		[BH_STATE_APPLIED] = "1: policies are in force",
		[BH_STATE_KEEP] = "1: what was allowed lives on",
		[BH_STATE_LATE] = "1: contracts may let pass unjudged",
	};

	return k < BH_STATE_COUNT && texts[k] ? texts[k] : "";
}

const char *bh_comment_chain(const char *name)
{
	/* A name that ends in "_" stands for every chain whose name begins so. */
	static const struct {
		const char *name, *text;
	} texts[] = {
		{ "prerouting", "what no endpoint may send at all" },
		{ "input", "from containers to this node" },
		{ "forward", "decided in this epoch: accept; else look" },
		{ "output", "from this node to containers" },
		{ "quarantine", "its policy is not yet in force: drop" },
		{ "guard", "does the source live on this interface?" },
		{ "spoofed", "a source that does not live there: drop" },
		{ "repeat", "back from a worker" },
		{ "repeat_local", "with this node: back from a worker" },
		{ "fresh", "first packet: what do policies of both ends say?" },
		{ "known", "first packet to us, not of its connection" },
		{ "done", "first packet: neither direction refuses" },
		{ "slow", "no decision of this epoch" },
		{ "state", "under inspection, or refused in this epoch" },
		{ "again", "decide a flow again" },
		{ "allow", "remember the decision in the ct mark" },
		{ "renew", "goes on under inspection in this epoch" },
		{ "untracked", "no connection: nothing of a selected endpoint" },
		{ "stamp_start", "ct mark: under inspection" },
		{ "stamp_deny", "ct mark: refused" },
		{ "seal", "reason and epoch into the mark, for the log" },
		{ "l7", "under inspection: a worker's answer, or a packet" },
		{ "verdict", "what a worker says: decide" },
		{ "named", "a worker named the protocol" },
		{ "inspect", "payload goes to a worker" },
		{ "handshake", "SYN and RST of a flow under inspection" },
		{ "syn_data", "payload in a SYN: drop" },
		{ "to_queue", "to a worker, by NFQUEUE" },
		{ "denied", "refused by what is spoken" },
		{ "kill", "end a refused connection at both ends" },
		{ "kill_sender", "tell the sender alone" },
		{ "fresh_", "look the first packet's cell up" },
		{ "again_", "look a flow's cell up" },
		{ "why_", "find the reason of a refusal" },
		{ "report_", "record what passes" },
		{ "no_", "refuse" },
		{ "refuse_", "refuse a new flow: count, log" },
		{ "reject_", "refuse, and say so" },
		{ "strike_", "refuse a flow that was allowed: next packet ends it" },
		{ "contract_", "depends on the protocol: inspect" },
		{ "unjudged_", "not yet known what is spoken" },
		{ "midstream_", "depends on the protocol, and its start was not seen" },
		{ "watch_", "inspected for the record alone" },
		{ "watched_", "inspected for the record alone, decided again" },
		{ "judge_", "decision by contract and protocol" },
		{ "answer", "answer who was refused" },
		{ "own", "a container to itself: allow" },
		{ "told", "reports of refusals: the first one at once" },
		{ "input_first", "to this node: egress policies of the sender" },
		{ "output_first", "from this node: ingress policies of the receiver" },
		{ "input_", "to this node: is the sender selected?" },
		{ "output_", "from this node: is the receiver selected?" },
		{ "slow_local", "with this node: no decision of this epoch" },
		{ "slow_output", "from this node: no decision of this epoch" },
		{ "verdict_local", "with this node: what a worker says: decide" },
		{ "guard_", "what an endpoint may call itself" },
		{ "spoofed_", "forged by an endpoint: drop" },
		{ "late", "passed its queue, or not queued" },
		{ "late_", "passed its queue, or not queued" },
		{ "passed", "its queue let it pass" },
		{ "passed_on", "its queue let it pass: clean the mark" },
		{ "blind", "passed unjudged: count, log, allow" },
		{ "blind_", "depends on the protocol, onOverload lets pass" },
		{ "unseen_", "depends on the protocol, midstream lets pass" },
		{ "any_", "depends on the protocol, both fail modes let pass" },
		{ "admit", "its start was not seen, which a rule allows" },
		{ "admitted", "its start was not seen: count, log, allow" },
		{ "kept", "older than these tables, and kept" },
		{ "stamp_open", "ct mark: under inspection, may pass unjudged" },
		{ "renew_open", "goes on under inspection, may pass unjudged" },
		{ "sub_state", "a worker wants more of it" },
		{ "foreign_frame", "neither IP nor ARP from an endpoint: drop" },
		{ "rogue_router", "a router's advertisement from an endpoint: drop" },
		{ "rogue_dhcp", "a DHCP server's answer from an endpoint: drop" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++) {
		size_t len = strlen(texts[i].name);

		if (texts[i].name[len - 1] == '_' ? strncmp(name, texts[i].name, len) == 0
						  : bh_streq(name, texts[i].name))
			return texts[i].text;
	}
	return "";
}
