// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/chains_refuse.c - what becomes of a packet that policy refuses: count, report, drop or reject
 *
 * chains.c shows where these chains stand.
 *
 * DOC: To oneself
 *
 * What a container sends to its own address through a service (hairpin NAT) comes back by the link that it left by. It is
 * subject to no policy, but that is rare: so it is asked last, of what would be refused, by the set that the guard has.
 *
 * DOC: A flood
 *
 * A report costs more than all else that is done for a packet, and reports that do not fit into the agent's socket are
 * lost. So only the first packet of a kind (source, destination, protocol, port, reason) is reported; it leaves an element
 * in the set `told`, and those that find it there are only counted by it. The agent takes the elements out about once a
 * second (told.c), with their counts, and so the next one is reported again. What it does not take, because it is
 * dead, waits for the next agent. Where the set is full everything is reported.
 *
 * DOC: Why
 *
 * No register lives as long as from one rule to the next. So the word of the cell that refuses is looked up again, and
 * left in the mark of the packet, which dies: by a chain of its level, so that no other level is asked twice.
 *
 *  chain why_in_* {
 *	the destination is its own: goto own
 *	meta mark & 0xff000000 == VMARK goto denied	# { jump stamp_deny; goto kill }
 *	meta mark = 0
 *	meta mark = key map @cell
 *	ct state established, related, no TCP goto strike_in
 *	ct state established, related, TCP that begins nothing goto strike_in	# count, jump stamp_deny, log "bh:ci", drop
 *	goto refuse_in }
 *  chain no_in { the same without a cell }
 *
 *  chain refuse_in {		# reject_in: the same, but the packet is answered
 *	jump seal		# meta mark = reason, epoch
 *	jump told		# { key @told meta mark set TOLD return; add @told { key counter } }
 *	meta mark TOLD drop
 *	log "bh:pid" drop }
 */
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include "common/util.h"
#include "dataplane/kernel/chains_internal.h"
#include "dataplane/kernel/sets.h"

#include "common/banned.h"

/* In the mark of a packet that is only counted: no reason has this number. */
#define TOLD UINT32_MAX

static const struct pair refuse = { { "refuse_in", "refuse_eg" } };
static const struct pair reject = { { "reject_in", "reject_eg" } };
static const struct pair strike = { { "strike_in", "strike_eg" } };

/* Prefixes in NFLOG: cause, direction, what became of it (nflog.c reads them). */
static const struct pair log_drop = { { "bh:pid", "bh:ped" } };
static const struct pair log_reject = { { "bh:pir", "bh:per" } };
static const struct pair log_cut = { { "bh:ci-", "bh:ce-" } };

/* What else tells one refusal from another: beside reason and epoch in the mark. */
static uint32_t told_bits(unsigned dir, bool rejected)
{
	return (dir == EG ? BH_TOLD_EGRESS : 0) | (rejected ? BH_TOLD_REJECTED : 0);
}

/* Seals the packet and begins a rule for those that are like one that was reported. */
static void tell_once(struct maker *m, const char *chain, uint32_t bits)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	bh_x_jump(x, "seal");
	if (bits) {
		bh_x_rule(x, chain);
		bh_x_word(x, ~bits, bits);
		bh_x_end(x);
	}
	bh_x_rule(x, chain);
	bh_x_jump(x, "told");
	bh_x_rule(x, chain);
	bh_x_if_word(x, UINT32_MAX, NFT_CMP_EQ, TOLD);
}

/* Source, destination, protocol, port (or type and code), mark. */
static void told_key(struct maker *m, bool icmp)
{
	unsigned words = m->f->addr_len / 4U;
	struct bh_x *x = &m->x;

	bh_x_if_l4(x, icmp ? NFT_CMP_EQ : NFT_CMP_NEQ, m->f->icmp);
	bh_x_payload(x, NFT_PAYLOAD_NETWORK_HEADER, m->f->saddr, m->f->addr_len, 0);
	bh_x_payload(x, NFT_PAYLOAD_NETWORK_HEADER, m->f->daddr, m->f->addr_len, words);
	bh_x_meta(x, NFT_META_L4PROTO, 2 * words);
	bh_x_payload(x, NFT_PAYLOAD_TRANSPORT_HEADER, icmp ? 0 : 2, 2, 2 * words + 1);
	bh_x_meta(x, NFT_META_MARK, 2 * words + 2);
}

static void told(struct maker *m)
{
	struct bh_x *x = &m->x;

	for (int icmp = 0; icmp < 2; icmp++) {
		bh_x_rule(x, "told");
		told_key(m, icmp);
		bh_x_in_set(x, BH_TOLD_SET, 0);
		bh_x_word(x, 0, TOLD);
		bh_x_return(x);
	}
	for (int icmp = 0; icmp < 2; icmp++) {
		bh_x_rule(x, "told");
		told_key(m, icmp);
		bh_x_set_add(x, BH_TOLD_SET, 0);
		bh_x_return(x);
	}
}

void bh_chain_refuse_begin(struct maker *m, const char *chain)
{
	struct bh_x *x = &m->x;

	bh_chain_if_own(m, chain, "own");
	bh_x_rule(x, chain);
	bh_x_if_mark(x, BH_VMARK_MASK, NFT_CMP_EQ, BH_VMARK);
	bh_x_goto(x, "denied");
	bh_x_rule(x, chain);
	bh_x_word(x, 0, 0);
	bh_x_end(x);
}

void bh_chain_refuse_end(struct maker *m, const char *chain, unsigned dir)
{
	struct bh_x *x = &m->x;

	for (int tcp = 0; tcp < 2; tcp++) {
		bh_x_rule(x, chain);
		bh_x_if_ct_state(x, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) |
					NF_CT_STATE_BIT(IP_CT_RELATED));
		if (tcp)
			/* A SYN may begin anew on an entry of a connection that has ended. */
			bh_chain_if_midstream(m);
		else
			bh_x_if_l4(x, NFT_CMP_NEQ, IPPROTO_TCP);
		bh_x_goto(x, strike.name[dir]);
	}
	bh_x_rule(x, chain);
	bh_x_goto(x, refuse.name[dir]);
}

static void refusals(struct maker *m, unsigned dir)
{
	const uint16_t group = m->c->cfg->nflog_group;
	struct bh_x *x = &m->x;
	const char *chain = bh_chain_no.name[dir];

	bh_chain_refuse_begin(m, chain);
	bh_chain_refuse_end(m, chain, dir);

	/* A contract of the other direction may have stamped the flow, and it may outlive this packet. */
	chain = refuse.name[dir];
	bh_x_rule(x, chain);
	bh_x_counter(x, COUNT_REFUSED);
	bh_x_if_ct_mark(x, BH_MARK_OURS, NFT_CMP_NEQ, 0);
	bh_x_ct_mark(x, ~BH_MARK_OURS, BH_MARK_NOTHING);
	bh_x_end(x);
	bh_x_rule(x, chain);
	bh_x_if_word(x, BH_WORD_VERDICT, NFT_CMP_EQ, BH_WORD_REJECT);
	bh_x_goto(x, reject.name[dir]);
	tell_once(m, chain, told_bits(dir, false));
	bh_x_drop(x);
	bh_x_rule(x, chain);
	bh_x_log(x, group, log_drop.name[dir]);
	bh_x_drop(x);

	chain = reject.name[dir];
	tell_once(m, chain, told_bits(dir, true));
	bh_x_goto(x, "answer");
	bh_x_rule(x, chain);
	bh_x_log(x, group, log_reject.name[dir]);
	bh_x_end(x);
	bh_x_rule(x, chain);
	bh_x_goto(x, "answer");

	chain = strike.name[dir];
	bh_x_rule(x, chain);
	bh_x_counter(x, COUNT_KILLED);
	bh_x_jump(x, "stamp_deny");
	/* The number of a contract is no reason. */
	bh_x_rule(x, chain);
	bh_x_if_word(x, BH_WORD_VERDICT, NFT_CMP_EQ, BH_WORD_CONTRACT);
	bh_x_word(x, 0, 0);
	bh_x_end(x);
	bh_x_rule(x, chain);
	bh_x_jump(x, "seal");
	bh_x_rule(x, chain);
	bh_x_log(x, group, log_cut.name[dir]);
	bh_x_drop(x);
}

void bh_chain_refuse_names(struct maker *m)
{
	static const struct pair *const pairs[] = { &bh_chain_no, &refuse, &reject, &strike };

	for (size_t i = 0; i < BH_ARRAY_SIZE(pairs); i++)
		for (unsigned dir = IN; dir <= EG; dir++)
			bh_batch_chain(m->x.b, m->x.family, pairs[i]->name[dir]);
	bh_batch_chain(m->x.b, m->x.family, "own");
	bh_batch_chain(m->x.b, m->x.family, "told");
	bh_batch_chain(m->x.b, m->x.family, "answer");
}

void bh_chain_refusals(struct maker *m)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, "own");
	bh_x_mark(x, ~BH_MARK_OURS, 0);
	bh_x_end(x);
	bh_chain_inspected(m, "own");
	bh_x_rule(x, "own");
	bh_x_goto(x, "allow");
	told(m);
	bh_x_rule(x, "answer");
	bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_TCP);
	bh_x_reject_tcp(x);
	bh_x_rule(x, "answer");
	bh_x_reject_icmp(x, m->f->icmp_prohibited);
	for (unsigned dir = IN; dir <= EG; dir++)
		refusals(m, dir);
}
