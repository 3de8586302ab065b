// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/chains_local.c - between a container and the node it runs on: input and output
 *
 * DOC: Theory of operation
 *
 * At these hooks the node itself is one end, whatever address it uses, so nobody's class has to be looked up for it: the
 * cells that are asked are those of the peer BH_CLASS_HOST, and behind them those of "any" (the chains ..._host). Most of
 * what passes here is none of ours. It is found out by the address that can be a container's, with one lookup for each
 * direction that has policies, before anything else is asked, and it gets no mark.
 *
 *  chain input { hook input, filter - 10		# chains.c, because it holds the epoch
 *	iifgroup QUARANTINE goto quarantine
 *	iif lo accept
 *	ct mark & 0xffff0000 == ALLOW|E accept
 *	meta mark & 0xff000000 == VMARK jump repeat_local
 *	ct mark & 0xff000000 == ALLOW|E accept
 *	ct mark & 0xffff0000 != 0 goto slow_local
 *	goto input_new }
 *  chain input_new {
 *	ip saddr map @subj_in != 0 goto input_subject
 *	ip saddr map @subj_eg != 0 goto input_subject
 *	accept }
 *  chain input_subject {
 *	ct state invalid, untracked goto untracked
 *	ct state related, ICMP accept
 *	ct state established, nothing marked, existingConnections: keep: goto kept	# chains_fail.c
 *	ct direction original, ip saddr map @subj_eg != 0 goto input_first
 *	goto again_local }
 *  chain input_first { jump fresh_eg_host; goto done }
 *  chain output, output_new, output_subject: the same with daddr and fresh_in_host. What the node itself makes to end
 *  a flow must pass there before the flow is asked for:
 *	ct state related, untracked, TCP with RST accept	# of `reject` and `dup`
 *	ct state related, ICMP accept
 *  chain slow_output { these two; goto slow_local }
 *  chain slow_local { as `slow`; goto again_local }
 *  chain again_local: as `again`, by again_in_host and again_eg_host
 *
 * A connection between a container and its node crosses input one way and output the other. What a contract asks is
 * queued at both; the worker takes them for one connection (dataplane/classifier/engine.c).
 *
 * Chains that other hooks use, too, tell by the devices: a packet at input has no device to leave by, one at output none
 * that it came from.
 */
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include "common/util.h"
#include "dataplane/kernel/chains_internal.h"

#include "common/banned.h"

static const struct {
	const char *unmarked, *subject, *first;
	unsigned
	    dir; /* whose policies a connection that begins here asks: of who sends (EG), of who receives (IN) */
} hooks[] = {
	{ "input_new", "input_subject", "input_first", EG },
	{ "output_new", "output_subject", "output_first", IN },
};

void bh_chain_local_names(struct maker *m)
{
	struct bh_batch *b = m->x.b;

	for (size_t i = 0; i < BH_ARRAY_SIZE(hooks); i++) {
		bh_batch_chain(b, m->x.family, hooks[i].unmarked);
		bh_batch_chain(b, m->x.family, hooks[i].subject);
		bh_batch_chain(b, m->x.family, hooks[i].first);
	}
	bh_batch_chain(b, m->x.family, "slow_output");
	bh_batch_chain(b, m->x.family, "slow_local");
	bh_batch_chain(b, m->x.family, "again_local");
}

void bh_chain_if_local(struct maker *m, const char *chain, const char *to)
{
	static const enum nft_meta_keys devices[] = { NFT_META_OIF, NFT_META_IIF };

	for (size_t i = 0; i < BH_ARRAY_SIZE(devices); i++) {
		bh_x_rule(&m->x, chain);
		bh_x_meta(&m->x, devices[i], 0);
		bh_x_cmp32(&m->x, NFT_CMP_EQ, 0, 0);
		bh_x_goto(&m->x, to);
	}
}

/* The end of a packet at this hook that is not the node: its source at input, its destination at output. */
static void if_container(struct maker *m, unsigned fresh_dir, unsigned subject_dir)
{
	const char *set = bh_kset_name(subject_dir == IN ? BH_KSET_SUBJ_IN : BH_KSET_SUBJ_EG);

	bh_chain_subject(m, fresh_dir, true, m->f->reg_addr);
	bh_x_map(&m->x, set, m->f->reg_addr, 1);
	bh_x_cmp32(&m->x, NFT_CMP_NEQ, 1, BH_CLASS_INVALID);
}

/*
 * What the node makes to say that a flow has ended: the resets of `reject` belong to it as an error does, those of
 * `dup` to none.
 */
static void made_here(struct maker *m, const char *chain)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	bh_x_if_ct_state(x, NF_CT_STATE_BIT(IP_CT_RELATED) | NF_CT_STATE_UNTRACKED_BIT);
	bh_x_if_tcp_flags(x, TCP_RST, NFT_CMP_NEQ, 0);
	bh_x_accept(x);
	bh_chain_accept_related(m, chain);
}

static void hook(struct maker *m, size_t i)
{
	const unsigned dir = hooks[i].dir;
	const char *chain = hooks[i].unmarked;
	struct bh_x *x = &m->x;

	for (unsigned d = IN; d <= EG; d++) {
		bh_x_rule(x, chain);
		if_container(m, dir, d);
		bh_x_goto(x, hooks[i].subject);
	}
	bh_x_rule(x, chain);
	bh_x_accept(x);

	chain = hooks[i].subject;
	if (dir == IN)
		made_here(m, chain);
	bh_x_rule(x, chain);
	bh_x_if_ct_state(x, NF_CT_STATE_INVALID_BIT | NF_CT_STATE_UNTRACKED_BIT);
	bh_x_goto(x, "untracked");
	bh_chain_accept_related(m, chain);
	bh_chain_keep(m, chain, false);
	bh_x_rule(x, chain);
	bh_x_if_ct_dir(x, ORIGINAL);
	if_container(m, dir, dir);
	bh_x_goto(x, hooks[i].first);
	bh_x_rule(x, chain);
	bh_x_goto(x, "again_local");

	chain = hooks[i].first;
	bh_x_rule(x, chain);
	bh_x_jump(x, bh_chain_fresh_host.name[dir]);
	bh_x_rule(x, chain);
	bh_x_goto(x, "done");
}

void bh_chain_local(struct maker *m)
{
	struct bh_x *x = &m->x;

	for (size_t i = 0; i < BH_ARRAY_SIZE(hooks); i++)
		hook(m, i);
	made_here(m, "slow_output");
	bh_x_rule(x, "slow_output");
	bh_x_goto(x, "slow_local");

	bh_x_rule(x, "slow_local");
	bh_x_jump(x, "state");
	bh_x_rule(x, "slow_local");
	bh_x_goto(x, "again_local");
	bh_chain_decide_again(m, "again_local", &bh_chain_again_host);
}
