// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/chains.c - the chains of a table
 *
 * DOC: Theory of operation
 *
 * One table for each family, with the same chains, which never change but for two numbers: the epoch, and which
 * levels of look-up are in use. What policies and endpoints say are elements of maps (projection.c). The decision
 * about a flow stands in its conntrack mark (dataplane/marks.h): state, epoch, result. E below is the epoch.
 *
 *  chain prerouting { hook prerouting, raw: before conntrack
 *	iifgroup MANAGED goto guard_ip(6)		# is it who it says? chains_guard.c
 *	iifgroup QUARANTINE goto quarantine }		# count, log, drop
 *  chain input, output: traffic with the own node, chains_local.c
 *  chain forward { hook forward, filter - 10
 *	oifgroup QUARANTINE goto quarantine
 *	ct mark & 0xffff0000 == ALLOW|E accept		# all that an established packet costs
 *	meta mark & 0xff000000 == VMARK jump repeat	# back from the queue: chains_l7.c
 *	ct mark & 0xffff0000 == 0 ct direction original goto fresh
 *	TCP SYN, ct mark & 0xffff0000 != 0, ct direction original: ct mark = NOTHING, goto fresh
 *	ct mark & 0xff000000 == ALLOW|E accept		# once under a contract: it has a result
 *	goto slow }
 *
 * The first packet of a flow. Addresses come from its header:
 *
 *  chain fresh {
 *	ct state established, related jump known
 *	ip daddr map @subj_in != 0 jump fresh_in
 *	ip saddr map @subj_eg != 0 jump fresh_eg
 *	nothing marked goto allow
 *	goto done }
 *  chain known {
 *	ct state established, nothing marked, existingConnections: keep: goto kept	# chains_fail.c
 *	ct state related, ICMP accept }
 *  chain fresh_in {		# one rule for each level in use, see chains_level.c
 *	key map @cell vmap { allow: return, drop: goto why_in_*, reject: goto why_in_*, contract: goto contract_in }
 *	goto no_in }		# a subject without a cell: closed
 *  chain contract_in {
 *	TCP, but no SYN: goto midstream_in	# the start must be seen; midstreamGrace: chains_fail.c
 *	goto stamp_start }	# ct mark = INSPECT|E, START (TCP) or UNDECIDED; back to fresh
 *				# of contracts that let pass what cannot be judged: chains_fail.c
 *  chain watch_in {		# an open contract, which is there for the record alone
 *	TCP, but no SYN: count, return	# the start was not seen: nothing to record
 *	goto stamp_open }
 *  chain report_in		# allowed, and to be recorded: "allow, report: goto report_in"
 *  chain done { ct mark state INSPECT goto inspect; ct mark result = ADMIT goto admitted; goto allow }
 *  chain allow { ct mark = ALLOW|E, result kept; accept }
 *
 * Any other packet of a flow that has no decision of this epoch. Addresses come from the conntrack tuples, which are the
 * same in both directions and under NAT:
 *
 *  chain slow {
 *	ct state invalid, untracked goto untracked
 *	jump state		# { INSPECT|E, sub-state: goto l7;  DENY|E: goto kill }
 *	goto again }		# also of ICMP errors, which have the mark and the tuples of the flow that they quote
 *  chain again {
 *	existingConnections: keep, and it was allowed, or is older than the tables: goto allow, kept
 *	ct reply saddr map @subj_in != 0 jump again_in
 *	ct original saddr map @subj_eg != 0 jump again_eg
 *	jump state
 *	ct mark result = ADMIT goto admitted
 *	goto allow }
 *  chain again_in {
 *	key map @cell vmap { allow: return, drop: goto why_in_*, reject: goto why_in_*, contract: goto judge_in_* }
 *	goto no_in }
 *  chain judge_in_* {		# one for each level
 *	result is a sub-state: by the contract's fail modes, chains_fail.c
 *	result is a sub-state: goto unjudged_in	 # { INSPECT: goto renew (INSPECT|E), return;  goto no_in }
 *	contract . result map @contract_result vmap { allow: return, drop: goto no_in, reject: goto no_in }
 *	result is one that somebody speaks, contract . 0 map @contract_result vmap { allow: return }
 *	goto no_in }
 *
 *  chain watched_in { INSPECT: goto renew; count what was never judged; return }		# of open contracts
 *
 * A flow under inspection (chains_l7.c): l7, verdict, inspect, handshake, to_queue.
 *
 * Refusals. A flow that was never confirmed vanishes with its packet. Of any other, the first refused packet is only
 * dropped (rules and maps flip one after the other: a packet may see a half of each, and TCP sends again); at the
 * next one both ends see a reset. What the classifier's verdict refuses is killed at once.
 *
 * chains_refuse.c: why_in_* of each level, no_in, refuse_in, strike_in.
 *
 * Chains that hold the epoch are small and few: epoch_chains below, bh_chain_fail_epoch. A bump flushes and fills them in
 * one transaction.
 *
 * DOC: The same ports again
 *
 * Conntrack keeps an entry for some seconds when a connection has ended by a reset, and takes the next connection with
 * the same ports for the same one if the reset came from the other side (nf_conntrack_proto_tcp.c resynchronises). So what
 * begins is decided as new, whatever stands in the mark: an answer of the classifier was about other bytes, and a
 * refusal, too, and what a fail mode let pass. A SYN that is only sent again comes to the same. The mark does not become
 * 0, so that `keep` does not take it for a connection that is older than the tables.
 *
 * DOC: Rules of nft(8) and of the kernel that shape this
 *
 * - A rule never uses a register that another one has loaded.
 * - The graph of gotos and jumps has no cycle and at most 16 levels (tests/unit/test_kernel_depth.c counts them).
 * - Older kernels (6.1) follow every way through that graph with each transaction that changes a rule. So what is asked
 *   one after the other is jumped to and comes back, and the ways add up; behind a goto they would multiply. The same
 *   test bounds how many there are.
 * - A condition made of a map whose result nobody uses does not show in `nft list`: so `!= 0` is compared.
 * - Base chains stay for the life of the table: removing one drops all queued packets of the namespace.
 */
#include "dataplane/kernel/chains.h"

#include <netinet/icmp6.h>
#include <netinet/in.h> /* before the kernel's own, which gives way */
#include <netinet/ip_icmp.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_ipv4.h>

#include "common/hash.h"
#include "common/util.h"
#include "dataplane/kernel/chains_internal.h"
#include "dataplane/kernel/sets.h"

#include "common/banned.h"

#define FORWARD_PRIO     (NF_IP_PRI_FILTER - 10)
#define LOOPBACK_IFINDEX 1U /* include/net/flow.h: in every network namespace */

static const struct family family4 = {
	.nfproto = NFPROTO_IPV4,
	.addr_len = 4,
	.saddr = 12,
	.daddr = 16,
	.reg_addr = 8,
	.ct_saddr = NFT_CT_SRC_IP,
	.ct_daddr = NFT_CT_DST_IP,
	.icmp = IPPROTO_ICMP,
	.icmp_prohibited = ICMP_PKT_FILTERED,
	.csum = 10,
};

static const struct family family6 = {
	.nfproto = NFPROTO_IPV6,
	.addr_len = 16,
	.saddr = 8,
	.daddr = 24,
	.reg_addr = 12,
	.ct_saddr = NFT_CT_SRC_IP6,
	.ct_daddr = NFT_CT_DST_IP6,
	.icmp = IPPROTO_ICMPV6,
	.icmp_prohibited = ICMP6_DST_UNREACH_ADMIN,
	.csum = -1,
};

const struct pair bh_chain_fresh = { { "fresh_in", "fresh_eg" } };
const struct pair bh_chain_fresh_ep = { { "fresh_in_ep", "fresh_eg_ep" } };
const struct pair bh_chain_fresh_host = { { "fresh_in_host", "fresh_eg_host" } };
const struct pair bh_chain_again = { { "again_in", "again_eg" } };
const struct pair bh_chain_again_ep = { { "again_in_ep", "again_eg_ep" } };
const struct pair bh_chain_again_host = { { "again_in_host", "again_eg_host" } };
const struct pair bh_chain_report = { { "report_in", "report_eg" } };
const struct pair bh_chain_report_ep = { { "report_in_ep", "report_eg_ep" } };
const struct pair bh_chain_report_host = { { "report_in_host", "report_eg_host" } };
const struct pair bh_chain_no = { { "no_in", "no_eg" } };
const struct pair bh_chain_contract = { { "contract_in", "contract_eg" } };
const struct pair bh_chain_unjudged = { { "unjudged_in", "unjudged_eg" } };
const struct pair bh_chain_watch = { { "watch_in", "watch_eg" } };
const struct pair bh_chain_watched = { { "watched_in", "watched_eg" } };
const struct pair bh_chain_midstream = { { "midstream_in", "midstream_eg" } };

/* Prefix in NFLOG: cause, direction, what became of it (nflog.c reads them). */
static const struct pair log_midstream = { { "bh:mi-", "bh:me-" } };

static uint32_t epoch_bits(const struct maker *m)
{
	return (uint32_t)m->c->epoch << BH_MARK_EPOCH_SHIFT;
}

/* ---- addresses ---- */

static void load_addr(struct maker *m, unsigned offset, unsigned tuple_dir, bool header,
		      unsigned reg)
{
	if (header)
		bh_x_payload(&m->x, NFT_PAYLOAD_NETWORK_HEADER, offset, m->f->addr_len, reg);
	else
		bh_x_ct(&m->x, m->f->ct_saddr, reg, (int)tuple_dir);
}

void bh_chain_subject(struct maker *m, unsigned dir, bool header, unsigned reg)
{
	if (dir == IN)
		load_addr(m, m->f->daddr, REPLY, header, reg);
	else
		load_addr(m, m->f->saddr, ORIGINAL, header, reg);
}

void bh_chain_peer(struct maker *m, unsigned dir, bool header, unsigned reg)
{
	bh_chain_subject(m, dir == IN ? EG : IN, header, reg);
}

void bh_chain_if_subject(struct maker *m, unsigned dir, bool header)
{
	bh_chain_subject(m, dir, header, m->f->reg_addr);
	bh_x_map(&m->x, bh_kset_name(dir == IN ? BH_KSET_SUBJ_IN : BH_KSET_SUBJ_EG), m->f->reg_addr,
		 1);
	bh_x_cmp32(&m->x, NFT_CMP_NEQ, 1, BH_CLASS_INVALID);
}

/* ---- decisions ---- */

void bh_chain_accept_related(struct maker *m, const char *chain)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	bh_x_if_ct_state(x, NF_CT_STATE_BIT(IP_CT_RELATED));
	bh_x_if_l4(x, NFT_CMP_EQ, m->f->icmp);
	bh_x_accept(x);
}

void bh_chain_if_syn(struct maker *m)
{
	bh_x_if_tcp_flags(&m->x, TCP_SYN | TCP_ACK, NFT_CMP_EQ, TCP_SYN);
}

void bh_chain_if_midstream(struct maker *m)
{
	bh_x_if_tcp_flags(&m->x, TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK, NFT_CMP_NEQ, TCP_SYN);
}

static void fresh(struct maker *m)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, "fresh");
	bh_x_if_ct_state(x, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
	bh_x_jump(x, "known");
	bh_chain_keep(m, "known", false);
	bh_chain_accept_related(m, "known");
	for (unsigned dir = IN; dir <= EG; dir++) {
		bh_x_rule(x, "fresh");
		bh_chain_if_subject(m, dir, true);
		bh_x_jump(x, bh_chain_fresh.name[dir]);
	}
	/* Nearly every new flow: no contract has anything to say. */
	bh_x_rule(x, "fresh");
	bh_x_if_ct_mark(x, BH_MARK_OURS, NFT_CMP_EQ, 0);
	bh_x_goto(x, "allow");
	bh_x_rule(x, "fresh");
	bh_x_goto(x, "done");

	bh_x_rule(x, "done");
	bh_x_if_ct_mark(x, BH_MARK_STATE, NFT_CMP_EQ, BH_MARK_INSPECT);
	bh_x_goto(x, "inspect");
	bh_chain_not_refused(m, "done");
}

static void contracts(struct maker *m)
{
	struct bh_x *x = &m->x;

	for (unsigned dir = IN; dir <= EG; dir++) {
		const char *chain = bh_chain_contract.name[dir];

		bh_chain_no_start(m, chain, dir);
		bh_x_rule(x, chain);
		bh_x_goto(x, "stamp_start");

		chain = bh_chain_midstream.name[dir];
		bh_x_rule(x, chain);
		bh_x_counter(x, COUNT_REFUSED);
		bh_x_word(x, 0, 0);
		bh_x_jump(x, "seal");
		bh_x_rule(x, chain);
		bh_x_log(x, m->c->cfg->nflog_group, log_midstream.name[dir]);
		bh_x_end(x);
		/* Nobody is told twice: a flow that conntrack has just picked up gets its answer at once. */
		bh_x_rule(x, chain);
		bh_x_if_ct_state(x, NF_CT_STATE_BIT(IP_CT_NEW));
		bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_TCP);
		bh_x_reject_tcp(x);
		bh_x_rule(x, chain);
		bh_x_jump(x, "stamp_deny");
		bh_x_rule(x, chain);
		bh_x_drop(x);
	}
}

/* Contracts that refuse nothing: judged if that can be done, and never in anybody's way. */
static void open_contracts(struct maker *m)
{
	struct bh_x *x = &m->x;

	for (unsigned dir = IN; dir <= EG; dir++) {
		const char *chain = bh_chain_watch.name[dir];

		bh_x_rule(x, chain);
		bh_chain_if_midstream(m);
		bh_x_counter(x, COUNT_UNWATCHED);
		bh_x_return(x);
		bh_x_rule(x, chain);
		bh_x_goto(x, "stamp_open");

		chain = bh_chain_watched.name[dir];
		bh_x_rule(x, chain);
		bh_x_if_ct_mark(x, BH_MARK_STATE, NFT_CMP_EQ, BH_MARK_INSPECT);
		bh_x_goto(x, "renew_open");
		bh_x_rule(x, chain);
		bh_x_if_ct_mark(x, BH_MARK_SUB_MASK, NFT_CMP_EQ, 0);
		bh_x_counter(x, COUNT_UNWATCHED);
		bh_x_return(x);
	}
}

void bh_chain_ask_again(struct maker *m, const char *chain, const struct pair *again)
{
	struct bh_x *x = &m->x;

	for (unsigned dir = IN; dir <= EG; dir++) {
		bh_x_rule(x, chain);
		bh_chain_if_subject(m, dir, false);
		bh_x_jump(x, again->name[dir]);
	}
}

void bh_chain_inspected(struct maker *m, const char *chain)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	bh_x_if_ct_mark(x, BH_MARK_STATE | BH_MARK_RESULT, NFT_CMP_EQ,
			BH_MARK_INSPECT | BH_SUB_START << BH_MARK_RESULT_SHIFT);
	bh_x_ct_mark(x, ~BH_MARK_RESULT, BH_SUB_UNDECIDED << BH_MARK_RESULT_SHIFT);
	bh_x_end(x);
}

void bh_chain_not_refused(struct maker *m, const char *chain)
{
	struct bh_x *x = &m->x;

	bh_chain_inspected(m, chain);
	bh_x_rule(x, chain);
	bh_x_if_ct_mark(x, BH_MARK_RESULT, NFT_CMP_EQ, BH_SUB_ADMIT << BH_MARK_RESULT_SHIFT);
	bh_x_goto(x, "admitted");
	bh_x_rule(x, chain);
	bh_x_goto(x, "allow");
}

void bh_chain_decide_again(struct maker *m, const char *chain, const struct pair *again)
{
	struct bh_x *x = &m->x;

	/* Not as what ports and addresses alone decide in this epoch: what begins on the same ports is not kept. */
	bh_x_rule(x, chain);
	bh_x_if_ct_mark(x, BH_MARK_STATE | BH_MARK_RESULT, NFT_CMP_EQ, BH_MARK_ALLOW);
	bh_chain_if_state(m, BH_STATE_KEEP);
	bh_x_ct_mark(x, ~BH_MARK_RESULT, BH_MARK_NOTHING);
	bh_x_end(x);
	bh_x_rule(x, chain);
	bh_x_if_ct_mark(x, BH_MARK_STATE, NFT_CMP_EQ, BH_MARK_ALLOW);
	bh_chain_if_state(m, BH_STATE_KEEP);
	bh_x_goto(x, "allow");
	bh_chain_keep(m, chain, true);
	bh_chain_ask_again(m, chain, again);
	bh_x_rule(x, chain);
	bh_x_jump(x, "state");
	bh_chain_not_refused(m, chain);
}

static void slow(struct maker *m)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, "slow");
	bh_x_if_ct_state(x, NF_CT_STATE_INVALID_BIT | NF_CT_STATE_UNTRACKED_BIT);
	bh_x_goto(x, "untracked");
	bh_x_rule(x, "slow");
	bh_x_jump(x, "state");
	bh_x_rule(x, "slow");
	bh_x_goto(x, "again");

	bh_chain_decide_again(m, "again", &bh_chain_again);

	for (unsigned dir = IN; dir <= EG; dir++) {
		bh_x_rule(x, bh_chain_unjudged.name[dir]);
		bh_x_if_ct_mark(x, BH_MARK_STATE, NFT_CMP_EQ, BH_MARK_INSPECT);
		bh_x_goto(x, "renew");
		bh_chain_no_judgement(m, bh_chain_unjudged.name[dir], dir);
	}
}

static const char *const epoch_chains[] = { "input", "forward",     "output",     "state", "allow",
					    "renew", "stamp_start", "stamp_deny", "seal" };

/*
 * A verdict that comes back (@repeat), and what is allowed in this epoch; what begins goes to @fresh, whatever was decided.
 * @unmarked: by its direction; at the own node most of that is none of ours.
 */
static void entrance(struct maker *m, const char *hook, const char *repeat, const char *fresh,
		     bool unmarked)
{
	const uint32_t allowed = BH_MARK_ALLOW | epoch_bits(m);
	struct bh_x *x = &m->x;

	/* Ports and addresses alone decided: they are the same for whatever begins. No worker ever saw this flow. */
	bh_x_rule(x, hook);
	bh_x_if_ct_mark(x, MARK_SE | BH_MARK_RESULT, NFT_CMP_EQ, allowed);
	bh_x_accept(x);
	bh_x_rule(x, hook);
	bh_x_if_mark(x, BH_VMARK_MASK, NFT_CMP_EQ, BH_VMARK);
	bh_x_jump(x, repeat);
	if (unmarked) {
		bh_x_rule(x, hook);
		bh_x_if_ct_mark(x, BH_MARK_OURS, NFT_CMP_EQ, 0);
		bh_x_if_ct_dir(x, ORIGINAL);
		bh_x_goto(x, fresh);
	}
	bh_x_rule(x, hook);
	bh_chain_if_syn(m);
	bh_x_if_ct_mark(x, BH_MARK_OURS, NFT_CMP_NEQ, 0);
	bh_x_if_ct_dir(x, ORIGINAL);
	bh_x_ct_mark(x, ~BH_MARK_OURS, BH_MARK_NOTHING);
	bh_x_goto(x, fresh);
	bh_x_rule(x, hook);
	bh_x_if_ct_mark(x, MARK_SE, NFT_CMP_EQ, allowed);
	bh_x_accept(x);
}

static void with_epoch(struct maker *m)
{
	static const struct {
		const char *hook, *unmarked, *marked;
	} local[] = { { "input", "input_new", "slow_local" },
		      { "output", "output_new", "slow_output" } };
	const uint32_t e = epoch_bits(m);
	struct bh_x *x = &m->x;

	bh_chain_if_group(m, NFT_META_OIFGROUP, m->c->cfg->group_quarantine, "forward",
			  "quarantine");
	entrance(m, "forward", "repeat", "fresh", true);
	bh_x_rule(x, "forward");
	bh_x_goto(x, "slow");

	/* The own node. What comes by its loopback device is its own, or was made by the chain `kill`. */
	bh_chain_if_group(m, NFT_META_IIFGROUP, m->c->cfg->group_quarantine, "input", "quarantine");
	bh_x_rule(x, "input");
	bh_x_meta(x, NFT_META_IIF, 0);
	bh_x_cmp32(x, NFT_CMP_EQ, 0, LOOPBACK_IFINDEX);
	bh_x_accept(x);
	bh_chain_if_group(m, NFT_META_OIFGROUP, m->c->cfg->group_quarantine, "output",
			  "quarantine");
	for (size_t i = 0; i < BH_ARRAY_SIZE(local); i++) {
		entrance(m, local[i].hook, "repeat_local", local[i].unmarked, false);
		bh_x_rule(x, local[i].hook);
		bh_x_if_ct_mark(x, BH_MARK_OURS, NFT_CMP_NEQ, 0);
		bh_x_goto(x, local[i].marked);
		bh_x_rule(x, local[i].hook);
		bh_x_goto(x, local[i].unmarked);
	}

	bh_x_rule(x, "state");
	bh_x_if_ct_mark(x, MARK_SE | BH_MARK_SUB_MASK, NFT_CMP_EQ, BH_MARK_INSPECT | e);
	bh_x_goto(x, "l7");
	bh_x_rule(x, "state");
	bh_x_if_ct_mark(x, MARK_SE, NFT_CMP_EQ, BH_MARK_DENY | e);
	bh_x_goto(x, "kill");

	bh_x_rule(x, "allow");
	bh_x_ct_mark(x, ~MARK_SE, BH_MARK_ALLOW | e);
	bh_x_accept(x);

	bh_x_rule(x, "renew");
	/* Of flows that are not judged yet. A contract that is open keeps that: renew_open. */
	bh_x_ct_mark(x, ~(MARK_SE | BH_MARK_OPEN), BH_MARK_INSPECT | e);
	bh_x_end(x);

	bh_x_rule(x, "stamp_start");
	bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_TCP);
	bh_x_ct_mark(x, ~BH_MARK_OURS, BH_MARK_INSPECT | e | BH_SUB_START << BH_MARK_RESULT_SHIFT);
	bh_x_return(x);
	bh_x_rule(x, "stamp_start");
	bh_x_ct_mark(x, ~BH_MARK_OURS,
		     BH_MARK_INSPECT | e | BH_SUB_UNDECIDED << BH_MARK_RESULT_SHIFT);
	bh_x_end(x);

	bh_x_rule(x, "stamp_deny");
	bh_x_ct_mark(x, ~MARK_SE, BH_MARK_DENY | e);
	bh_x_end(x);

	bh_x_rule(x, "seal");
	bh_x_word(x, BH_WORD_NUMBER, e);
	bh_x_end(x);

	bh_chain_fail_with_epoch(m);
}

/* ---- the whole ---- */

static void names(struct maker *m)
{
	static const char *const plain[] = { "quarantine",  "repeat",     "repeat_local",
					     "fresh",       "known",      "done",
					     "slow",        "state",      "again",
					     "allow",       "renew",      "untracked",
					     "stamp_start", "stamp_deny", "seal" };
	static const struct pair *const pairs[] = {
		&bh_chain_report,   &bh_chain_report_ep,  &bh_chain_report_host, &bh_chain_fresh,
		&bh_chain_fresh_ep, &bh_chain_fresh_host, &bh_chain_contract,    &bh_chain_again,
		&bh_chain_again_ep, &bh_chain_again_host, &bh_chain_unjudged,    &bh_chain_watch,
		&bh_chain_watched,  &bh_chain_midstream,
	};
	static const char *const counters[] = { COUNT_REFUSED, COUNT_KILLED, COUNT_QUEUED,
						COUNT_UNWATCHED, COUNT_QUARANTINED };
	struct bh_batch *b = m->x.b;
	uint8_t f = m->x.family;

	for (size_t i = 0; i < BH_ARRAY_SIZE(counters); i++)
		bh_batch_counter(b, f, counters[i]);
	bh_batch_base_chain(b, f, "prerouting", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW);
	bh_batch_base_chain(b, f, "input", NF_INET_LOCAL_IN, FORWARD_PRIO);
	bh_batch_base_chain(b, f, "forward", NF_INET_FORWARD, FORWARD_PRIO);
	bh_batch_base_chain(b, f, "output", NF_INET_LOCAL_OUT, FORWARD_PRIO);
	for (size_t i = 0; i < BH_ARRAY_SIZE(plain); i++)
		bh_batch_chain(b, f, plain[i]);
	for (size_t i = 0; i < BH_ARRAY_SIZE(pairs); i++)
		for (unsigned dir = IN; dir <= EG; dir++)
			bh_batch_chain(b, f, pairs[i]->name[dir]);
	bh_chain_local_names(m);
	bh_chain_refuse_names(m);
	bh_chain_guard_names(m);
	bh_chain_fail_names(m);
	bh_chain_l7_names(m);
}

static struct maker maker_of(const struct bh_chains *c)
{
	return (struct maker){
		.x = { .b = c->b, .family = c->family, .mark_down = c->cfg->mark_down },
		.c = c,
		.f = c->family == NFPROTO_IPV4 ? &family4 : &family6,
	};
}

void bh_chains_make(const struct bh_chains *c)
{
	struct maker m = maker_of(c);

	if (c->family != NFPROTO_IPV4 && c->family != NFPROTO_IPV6) {
		bh_chain_guard_table(&m);
		return;
	}
	names(&m);
	bh_chain_level_names(&m, c->levels, false);
	bh_chain_hooks(&m);
	bh_chain_guard(&m);
	with_epoch(&m);
	fresh(&m);
	contracts(&m);
	open_contracts(&m);
	bh_chain_fail(&m);
	slow(&m);
	bh_chain_untracked(&m);
	bh_chain_local(&m);
	bh_chain_refusals(&m);
	bh_chain_l7(&m);
	bh_chain_levels(&m);
	bh_chain_reports(&m);
	if (c->late)
		bh_chain_late(&m);
}

void bh_chains_late(const struct bh_chains *c)
{
	struct maker m = maker_of(c);

	bh_chain_late(&m);
}

void bh_chains_bump(const struct bh_chains *c)
{
	struct maker m = maker_of(c);

	for (size_t i = 0; i < BH_ARRAY_SIZE(epoch_chains); i++)
		bh_batch_flush_chain(c->b, c->family, epoch_chains[i]);
	for (size_t i = 0; i < BH_CHAIN_FAIL_EPOCH; i++)
		bh_batch_flush_chain(c->b, c->family, bh_chain_fail_epoch[i]);
	with_epoch(&m);
	for (unsigned dir = IN; dir <= EG; dir++) {
		if (!(c->levels[dir] & BH_LEVEL_REPORT))
			continue;
		bh_batch_flush_chain(c->b, c->family, bh_chain_report.name[dir]);
		bh_batch_flush_chain(c->b, c->family, bh_chain_report_ep.name[dir]);
		bh_batch_flush_chain(c->b, c->family, bh_chain_report_host.name[dir]);
	}
	bh_chain_reports(&m);
}

void bh_chains_relevel(const struct bh_chains *c, const uint64_t old[2])
{
	static const struct pair *const pairs[] = {
		&bh_chain_fresh,  &bh_chain_fresh_ep,  &bh_chain_fresh_host,
		&bh_chain_again,  &bh_chain_again_ep,  &bh_chain_again_host,
		&bh_chain_report, &bh_chain_report_ep, &bh_chain_report_host,
	};
	struct maker m = maker_of(c);

	for (size_t i = 0; i < BH_ARRAY_SIZE(pairs); i++)
		for (unsigned dir = IN; dir <= EG; dir++)
			bh_batch_flush_chain(c->b, c->family, pairs[i]->name[dir]);
	/* A chain of a level that is gone stays, empty: nothing leads there. */
	bh_chain_level_names(&m, old, true);
	bh_chain_level_names(&m, c->levels, true);
	bh_chain_levels(&m);
	bh_chain_reports(&m);
}

static void hash_msg(const struct nlmsghdr *h, void *arg)
{
	static const struct bh_hash_key key = { .k = { 0x62756c6b68656164, 0x636861696e733031 } };
	uint64_t *sum = arg;
	struct {
		uint64_t sum, msg;
	} mix = { *sum, bh_siphash((const char *)h + sizeof(*h), h->nlmsg_len - sizeof(*h), &key) };

	*sum = bh_siphash(&mix, sizeof(mix), &key) ^ h->nlmsg_type;
}

/* Every way to name a peer and every way to name a port: what is made for one pair is made for all. */
static uint64_t levels_of_each_kind(void)
{
	uint64_t levels = BH_LEVEL_CONTRACT | BH_LEVEL_REPORT | BH_LEVEL_OPEN;

	for (unsigned peer = 0; peer < BH_LEVEL_PEER_COUNT; peer++)
		levels |= bh_level((enum bh_level_peer)peer, BH_LEVEL_PORT_ANY);
	for (unsigned port = 0; port < BH_LEVEL_PORT_COUNT; port++)
		levels |= bh_level(BH_LEVEL_PEER_CLASS, (enum bh_level_port)port);
	return levels;
}

uint64_t bh_chains_hash(const struct bh_kernel_config *cfg, const struct bh_kernel_caps *caps)
{
	const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6, caps->arp ? NFPROTO_ARP : 0,
				     caps->bridge ? NFPROTO_BRIDGE : 0 };
	const uint64_t levels = levels_of_each_kind();
	uint64_t sum = 0;
	struct bh_batch b;

	bh_batch_init(&b, cfg->table);
	for (size_t i = 0; i < BH_ARRAY_SIZE(families); i++)
		if (families[i])
			bh_chains_make(&(struct bh_chains){
			    .b = &b,
			    .cfg = cfg,
			    .caps = caps,
			    .family = families[i],
			    .late = true,
			    .levels = { levels, levels },
			});
	bh_batch_each(&b, hash_msg, &sum);
	if (b.failed)
		sum = 0;
	else if (sum == 0)
		sum = 1;
	bh_batch_done(&b);
	return sum;
}
