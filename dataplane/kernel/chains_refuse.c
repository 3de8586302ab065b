// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/chains_refuse.c - what becomes of a packet that policy refuses: count, report, drop or reject
 *
 * chains.c shows where these chains stand.
 */
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include "common/util.h"
#include "dataplane/kernel/chains_internal.h"

#include "common/banned.h"

static const struct pair refuse = { { "refuse_in", "refuse_eg" } };
static const struct pair reject = { { "reject_in", "reject_eg" } };
static const struct pair strike = { { "strike_in", "strike_eg" } };

/* Prefixes in NFLOG: cause, direction, what became of it (nflog.c reads them). */
static const struct pair log_drop = { { "bh:pid", "bh:ped" } };
static const struct pair log_reject = { { "bh:pir", "bh:per" } };
static const struct pair log_cut = { { "bh:ci-", "bh:ce-" } };

static void refusals(struct maker *m, unsigned dir)
{
	const uint16_t group = m->c->cfg->nflog_group;
	struct bh_x *x = &m->x;
	const char *chain = bh_chain_no.name[dir];

	bh_x_rule(x, chain);
	bh_x_if_mark(x, BH_VMARK_MASK, NFT_CMP_EQ, BH_VMARK);
	bh_x_goto(x, "denied");
	bh_x_rule(x, chain);
	bh_x_jump(x, bh_chain_why.name[dir]);
	bh_x_rule(x, chain);
	bh_x_if_ct_state(x, NF_CT_STATE_BIT(IP_CT_NEW));
	bh_x_goto(x, refuse.name[dir]);
	bh_x_rule(x, chain);
	bh_x_goto(x, strike.name[dir]);

	/* A contract of the other direction may have stamped the flow, and it may outlive this packet. */
	chain = refuse.name[dir];
	bh_x_rule(x, chain);
	bh_x_counter(x, COUNT_REFUSED);
	bh_x_if_ct_mark(x, BH_MARK_OURS, NFT_CMP_NEQ, 0);
	bh_x_ct_mark(x, ~BH_MARK_OURS, 0);
	bh_x_end(x);
	bh_x_rule(x, chain);
	bh_x_if_mark(x, BH_WORD_VERDICT, NFT_CMP_EQ, BH_WORD_REJECT);
	bh_x_goto(x, reject.name[dir]);
	bh_x_rule(x, chain);
	bh_x_jump(x, "seal");
	bh_x_rule(x, chain);
	bh_x_log(x, group, log_drop.name[dir]);
	bh_x_drop(x);

	chain = reject.name[dir];
	bh_x_rule(x, chain);
	bh_x_jump(x, "seal");
	bh_x_rule(x, chain);
	bh_x_log(x, group, log_reject.name[dir]);
	bh_x_end(x);
	bh_x_rule(x, chain);
	bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_TCP);
	bh_x_reject_tcp(x);
	bh_x_rule(x, chain);
	bh_x_reject_icmp(x, m->f->icmp_prohibited);

	chain = strike.name[dir];
	bh_x_rule(x, chain);
	bh_x_counter(x, COUNT_KILLED);
	bh_x_jump(x, "stamp_deny");
	/* The number of a contract is no reason. */
	bh_x_rule(x, chain);
	bh_x_if_mark(x, BH_WORD_VERDICT, NFT_CMP_EQ, BH_WORD_CONTRACT);
	bh_x_mark(x, 0, 0);
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
}

void bh_chain_refusals(struct maker *m)
{
	for (unsigned dir = IN; dir <= EG; dir++)
		refusals(m, dir);
}
