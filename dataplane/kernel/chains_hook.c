// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/chains_hook.c - what stands at the hooks before any decision: quarantine, untracked packets
 *
 * chains.c shows where these chains stand.
 */
#include <netinet/icmp6.h>
#include <netinet/in.h> /* before the kernel's own, which gives way */

#include <linux/netfilter.h>

#include "common/util.h"
#include "dataplane/kernel/chains_internal.h"

#include "common/banned.h"

#define LOG_QUARANTINE "bh:q--"

void bh_chain_if_group(struct maker *m, enum nft_meta_keys key, uint32_t group, const char *chain,
		       const char *to)
{
	bh_x_rule(&m->x, chain);
	bh_x_meta(&m->x, key, 0);
	bh_x_cmp32(&m->x, NFT_CMP_EQ, 0, group);
	bh_x_goto(&m->x, to);
}

void bh_chain_log_alive(struct maker *m, unsigned reg, const char *prefix)
{
	struct bh_x *x = &m->x;

	bh_x_meta(x, NFT_META_MARK, 7);
	bh_x_meta_set(x, NFT_META_MARK, reg);
	bh_x_log(x, m->c->cfg->nflog_group, prefix);
	bh_x_meta_set(x, NFT_META_MARK, 7);
}

void bh_chain_log_drop(struct maker *m, const char *chain, const char *counter, const char *prefix)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	bh_x_counter(x, counter);
	bh_x_word(x, 0, 0);
	bh_x_jump(x, "seal");
	bh_x_rule(x, chain);
	bh_x_log(x, m->c->cfg->nflog_group, prefix);
	bh_x_drop(x);
}

void bh_chain_hooks(struct maker *m)
{
	const struct bh_kernel_config *cfg = m->c->cfg;

	bh_chain_if_group(m, NFT_META_IIFGROUP, cfg->group_managed, "prerouting",
			  m->f->nfproto == NFPROTO_IPV4 ? "guard_ip" : "guard_ip6");
	bh_chain_if_group(m, NFT_META_IIFGROUP, cfg->group_quarantine, "prerouting", "quarantine");

	bh_chain_log_drop(m, "quarantine", COUNT_QUARANTINED, LOG_QUARANTINE);
}

void bh_chain_accept_nd(struct maker *m, const char *chain)
{
	static const uint8_t nd[] = { ND_ROUTER_SOLICIT, ND_ROUTER_ADVERT, ND_NEIGHBOR_SOLICIT,
				      ND_NEIGHBOR_ADVERT, ND_REDIRECT };
	struct bh_x *x = &m->x;

	for (size_t i = 0; m->f->nfproto == NFPROTO_IPV6 && i < BH_ARRAY_SIZE(nd); i++) {
		bh_x_rule(x, chain);
		bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_ICMPV6);
		bh_x_payload(x, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0);
		bh_x_cmp8(x, NFT_CMP_EQ, 0, nd[i]);
		bh_x_accept(x);
	}
}

/* No conntrack entry: nothing can be known of the flow. */
void bh_chain_untracked(struct maker *m)
{
	struct bh_x *x = &m->x;

	bh_chain_accept_nd(m, "untracked");
	for (unsigned dir = IN; dir <= EG; dir++) {
		bh_x_rule(x, "untracked");
		bh_chain_if_subject(m, dir, true);
		bh_x_counter(x, NULL);
		bh_x_drop(x);
	}
	bh_x_rule(x, "untracked");
	bh_x_accept(x);
}
