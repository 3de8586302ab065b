// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/chains_fail.c - fail modes: who passes although nobody looked, and what was there before
 *
 * chains.c shows where these chains stand. docs/decisions/0009-fail-modes.md says why they are so.
 *
 * DOC: When there is no time to look (onOverload)
 *
 * A flow all of whose contracts let pass then has BH_SUB_OPEN beside its sub-state, set with its first packet and taken
 * away by any contract of its other direction, or of a later epoch, that does not. Its packets take a queue of their
 * own, which lets them pass when it is full, when the worker's socket is, or when nobody listens. The kernel then goes
 * on with the next hook function: no rule of the chain that queued the packet sees it any more. So another chain stands
 * right behind ours and finds them by the mark that only a worker takes off. It is there as soon as any contract lets
 * pass, and stays:
 *
 *  chain late { hook forward, filter - 9
 *	meta mark & 0xff000000 == QMARK goto passed }
 *  chain late_input, late_output { the same, where ct mark & 0xffff0000 != 0 }
 *  chain passed {
 *	ct mark state ALLOW goto passed_on	# decided while the packet waited
 *	ct mark not INSPECT with OPEN: count, drop
 *	payload goto blind
 *	goto passed_on }			# { clean the mark, accept }
 *  chain blind { count; ct mark = ALLOW, epoch kept, UNJUDGED; log; goto passed_on }
 *
 * From there on the flow is out of the worker's hands: what it has not seen it could not judge by. A later epoch asks
 * (contract . UNJUDGED), as the worker does when its own tables are full.
 *
 * DOC: When the beginning was not seen (midstream)
 *
 * A contract that lets such flows pass leaves the sub-state ADMIT, and the look-up goes on; only when the other direction
 * has not refused is it counted, logged and made the result UNSEEN:
 *
 *  first packets: ct mark result = ADMIT; back to `fresh`
 *  chain admit { ct mark result = ADMIT }	# all others: back to `again`
 *  chain admitted {
 *	1 in @grace: count; ct mark result = ADOPTED; goto allow
 *	count; log; ct mark result = UNSEEN; goto allow }
 *
 * The map `grace` has one element, which the kernel itself removes when the time is over that new tables give to
 * connections older than they are. An agent that dies meanwhile leaves nothing open.
 *
 * DOC: Connections that live on (existingConnections: keep)
 *
 * The map `state` says so. Then a flow that was allowed in any epoch is allowed in this one without a question, and so is
 * one that conntrack knew before these tables were made. What a new endpoint or foreign hands make doubtful is deleted,
 * or given another mark, by the agent (kernel.c).
 */
#include <netinet/in.h> /* before the kernel's own, which gives way */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_ipv4.h>

#include "common/util.h"
#include "dataplane/kernel/chains_internal.h"
#include "dataplane/kernel/sets.h"

#include "common/banned.h"

#define LATE_PRIO (NF_IP_PRI_FILTER - 9)

const struct pair bh_chain_lenient[BH_CHAIN_LENIENT] = {
	{ { "blind_in", "blind_eg" } },
	{ { "unseen_in", "unseen_eg" } },
	{ { "any_in", "any_eg" } },
};
const struct pair bh_chain_unjudged_by[BH_CHAIN_LENIENT] = {
	{ { "unjudged_blind_in", "unjudged_blind_eg" } },
	{ { "unjudged_unseen_in", "unjudged_unseen_eg" } },
	{ { "unjudged_any_in", "unjudged_any_eg" } },
};

const char *const bh_chain_fail_epoch[BH_CHAIN_FAIL_EPOCH] = { "stamp_open", "renew_open", "blind",
							       "admitted" };

/* Hooks at which flows are inspected, each with its chain right behind ours. */
static const struct {
	const char *name;
	unsigned hook;
	bool local; /* most of what passes here is none of ours */
} late[] = {
	{ "late", NF_INET_FORWARD, false },
	{ "late_input", NF_INET_LOCAL_IN, true },
	{ "late_output", NF_INET_LOCAL_OUT, true },
};

/* Prefixes in NFLOG, by the direction of the packet (nflog.c reads them). */
static const struct pair log_unjudged = { { "bh:u-a", "bh:u-ar" } };
static const struct pair log_unseen = { { "bh:m-a", "bh:m-ar" } };

void bh_chain_fail_names(struct maker *m)
{
	static const char *const plain[] = { "passed", "passed_on", "blind",      "admit",
					     "kept",   "admitted",  "stamp_open", "renew_open" };
	struct bh_batch *b = m->x.b;
	uint8_t f = m->x.family;

	bh_batch_counter(b, f, COUNT_UNJUDGED);
	bh_batch_counter(b, f, COUNT_MIDSTREAM);
	for (size_t i = 0; i < BH_ARRAY_SIZE(plain); i++)
		bh_batch_chain(b, f, plain[i]);
	for (unsigned dir = IN; dir <= EG; dir++) {
		for (unsigned i = 0; i < BH_CHAIN_LENIENT; i++) {
			bh_batch_chain(b, f, bh_chain_lenient[i].name[dir]);
			bh_batch_chain(b, f, bh_chain_unjudged_by[i].name[dir]);
		}
	}
}

static void if_one(struct maker *m, const char *map, uint32_t key)
{
	struct bh_x *x = &m->x;

	bh_x_imm(x, 1, &key, sizeof(key));
	bh_x_map(x, map, 1, 2);
	bh_x_cmp32(x, NFT_CMP_EQ, 2, 1);
}

void bh_chain_if_state(struct maker *m, uint32_t key)
{
	if_one(m, bh_kset_name(BH_KSET_STATE), key);
}

static void if_grace(struct maker *m)
{
	if_one(m, BH_GRACE_MAP, BH_GRACE_KEY);
}

void bh_chain_keep(struct maker *m, const char *chain, bool errors)
{
	struct bh_x *x = &m->x;

	for (int error = 0; error < (errors ? 2 : 1); error++) {
		bh_x_rule(x, chain);
		bh_x_if_ct_state(x, NF_CT_STATE_BIT(error ? IP_CT_RELATED : IP_CT_ESTABLISHED));
		if (error)
			bh_x_if_l4(x, NFT_CMP_EQ, m->f->icmp);
		bh_x_if_ct_mark(x, BH_MARK_OURS, NFT_CMP_EQ, 0);
		bh_chain_if_state(m, BH_STATE_KEEP);
		bh_x_goto(x, "kept");
	}
}

static void set_result(struct maker *m, uint32_t value)
{
	bh_x_ct_mark(&m->x, ~BH_MARK_RESULT, value << BH_MARK_RESULT_SHIFT);
}

/* ---- first packets ---- */

/* Ends a rule: the look-up goes on. */
static void admit(struct maker *m)
{
	set_result(m, BH_SUB_ADMIT);
	bh_x_return(&m->x);
}

void bh_chain_no_start(struct maker *m, const char *chain, unsigned dir)
{
	struct bh_x *x = &m->x;

	for (int grace = 1; grace >= 0; grace--) {
		bh_x_rule(x, chain);
		bh_chain_if_midstream(m);
		if (grace) {
			if_grace(m);
			admit(m);
		} else {
			bh_x_goto(x, bh_chain_midstream.name[dir]);
		}
	}
}

static void first_packets(struct maker *m, unsigned dir, unsigned kind)
{
	const char *chain = bh_chain_lenient[kind].name[dir];
	struct bh_x *x = &m->x;

	if (kind == 0) {
		bh_chain_no_start(m, chain, dir);
	} else {
		bh_x_rule(x, chain);
		bh_chain_if_midstream(m);
		admit(m);
	}
	bh_x_rule(x, chain);
	bh_x_goto(x, kind == 1 ? "stamp_start" : "stamp_open");
}

/* ---- all others ---- */

void bh_chain_no_judgement(struct maker *m, const char *chain, unsigned dir)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	if_grace(m);
	bh_x_goto(x, "admit");
	bh_x_rule(x, chain);
	bh_x_goto(x, bh_chain_no.name[dir]);
}

static void later_packets(struct maker *m, unsigned dir, unsigned kind)
{
	const char *chain = bh_chain_unjudged_by[kind].name[dir];
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	bh_x_if_ct_mark(x, BH_MARK_STATE, NFT_CMP_EQ, BH_MARK_INSPECT);
	bh_x_goto(x, kind == 1 ? "renew" : "renew_open");
	if (kind == 0) {
		bh_chain_no_judgement(m, chain, dir);
	} else {
		bh_x_rule(x, chain);
		bh_x_goto(x, "admit");
	}
}

/* ---- what passed its queue ---- */

void bh_chain_late(struct maker *m)
{
	struct bh_x *x = &m->x;

	for (size_t i = 0; i < BH_ARRAY_SIZE(late); i++) {
		bh_batch_base_chain(x->b, x->family, late[i].name, late[i].hook, LATE_PRIO);
		bh_x_rule(x, late[i].name);
		bh_x_if_mark(x, BH_VMARK_MASK, NFT_CMP_EQ, BH_QMARK);
		/* Who gave a packet of the node's own such a mark is not to cut it off. */
		if (late[i].local)
			bh_x_if_ct_mark(x, BH_MARK_OURS, NFT_CMP_NEQ, 0);
		bh_x_goto(x, "passed");
	}
}

static void passed(struct maker *m)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, "passed");
	bh_x_if_ct_mark(x, BH_MARK_STATE, NFT_CMP_EQ, BH_MARK_ALLOW);
	bh_x_goto(x, "passed_on");
	bh_x_rule(x, "passed");
	bh_x_if_ct_mark(x, BH_MARK_STATE | BH_MARK_SUB_MASK | BH_MARK_OPEN, NFT_CMP_NEQ,
			BH_MARK_INSPECT | BH_MARK_OPEN);
	bh_x_counter(x, COUNT_REFUSED);
	bh_x_drop(x);
	bh_chain_speaks(m, "passed", "blind");
	bh_x_rule(x, "passed");
	bh_x_goto(x, "passed_on");

	bh_x_rule(x, "passed_on");
	bh_x_mark(x, ~BH_MARK_OURS, 0);
	bh_x_accept(x);
}

/* ---- with the epoch ---- */

static void report(struct maker *m, const char *chain, const struct pair *prefix)
{
	const uint32_t no_reason = (uint32_t)m->c->epoch << BH_MARK_EPOCH_SHIFT;
	struct bh_x *x = &m->x;

	for (uint8_t dir = ORIGINAL; dir <= REPLY; dir++) {
		bh_x_rule(x, chain);
		bh_x_if_ct_dir(x, dir);
		bh_x_imm(x, 0, &no_reason, sizeof(no_reason));
		bh_chain_log_alive(m, 0, prefix->name[dir]);
		bh_x_end(x);
	}
}

void bh_chain_fail_with_epoch(struct maker *m)
{
	const uint32_t inspect =
	    BH_MARK_INSPECT | (uint32_t)m->c->epoch << BH_MARK_EPOCH_SHIFT | BH_MARK_OPEN;
	struct bh_x *x = &m->x;

	/* The other direction's contract has spoken: if it was a closed one, closed it stays. */
	bh_x_rule(x, "stamp_open");
	bh_x_if_ct_mark(x, BH_MARK_STATE, NFT_CMP_EQ, BH_MARK_INSPECT);
	bh_x_return(x);
	bh_x_rule(x, "stamp_open");
	bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_TCP);
	bh_x_ct_mark(x, ~BH_MARK_OURS, inspect | BH_SUB_START << BH_MARK_RESULT_SHIFT);
	bh_x_return(x);
	bh_x_rule(x, "stamp_open");
	bh_x_ct_mark(x, ~BH_MARK_OURS, inspect | BH_SUB_UNDECIDED << BH_MARK_RESULT_SHIFT);
	bh_x_end(x);

	bh_x_rule(x, "renew_open");
	bh_x_ct_mark(x, ~MARK_SE, inspect & MARK_SE);
	bh_x_end(x);

	bh_x_rule(x, "blind");
	bh_x_counter(x, COUNT_UNJUDGED);
	bh_x_ct_mark(x, ~(BH_MARK_STATE | BH_MARK_RESULT),
		     BH_MARK_ALLOW | BH_PROTO_UNJUDGED << BH_MARK_RESULT_SHIFT);
	bh_x_end(x);
	report(m, "blind", &log_unjudged);
	bh_x_rule(x, "blind");
	bh_x_goto(x, "passed_on");

	bh_x_rule(x, "admitted");
	bh_x_counter(x, COUNT_MIDSTREAM);
	bh_x_end(x);
	bh_x_rule(x, "admitted");
	if_grace(m);
	set_result(m, BH_PROTO_ADOPTED);
	bh_x_goto(x, "allow");
	report(m, "admitted", &log_unseen);
	bh_x_rule(x, "admitted");
	set_result(m, BH_PROTO_UNSEEN);
	bh_x_goto(x, "allow");
}

void bh_chain_fail(struct maker *m)
{
	struct bh_x *x = &m->x;

	for (unsigned dir = IN; dir <= EG; dir++) {
		for (unsigned kind = 0; kind < BH_CHAIN_LENIENT; kind++) {
			first_packets(m, dir, kind);
			later_packets(m, dir, kind);
		}
	}
	bh_x_rule(x, "admit");
	set_result(m, BH_SUB_ADMIT);
	bh_x_end(x);
	bh_x_rule(x, "kept");
	set_result(m, BH_PROTO_ADOPTED);
	bh_x_goto(x, "allow");
	passed(m);
}
