// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/told.c - packets that were refused like one that was reported
 *
 * The rules count them by elements of the set `told` (chains_refuse.c says why). They are taken out all at once: the
 * kernel echoes each element that it removes, with the count at which it ended, so that none is counted twice or not at
 * all. The packet that made the element is counted by it, too (nft_dynset.c): that one was reported.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"
#include "dataplane/marks.h"

#include "common/banned.h"

struct taking {
	const char *table;
	bh_kernel_told_fn fn;
	void *arg;
};

/* @key: as chains_refuse.c makes it; padded to words. */
static bool read_key(uint8_t family, const struct nlattr *key, struct bh_refused *ret)
{
	size_t len = family == NFPROTO_IPV4 ? 4 : 16;
	const uint8_t *p;
	uint32_t mark;
	uint16_t port;

	if (!key || mnl_attr_get_payload_len(key) != 2 * len + 12)
		return false;
	p = mnl_attr_get_payload(key);
	*ret = (struct bh_refused){
		.src = len == 4 ? bh_addr_from_v4(p) : bh_addr_from_v6(p),
		.dst = len == 4 ? bh_addr_from_v4(p + len) : bh_addr_from_v6(p + len),
		.l4 = p[2 * len],
		.cause = 'p',
		.hook = NF_INET_NUMHOOKS,
	};
	memcpy(&port, p + 2 * len + 4, sizeof(port));
	memcpy(&mark, p + 2 * len + 8, sizeof(mark));
	ret->dport = ntohs(port);
	ret->reason = mark & BH_WORD_NUMBER;
	ret->epoch = (mark & BH_MARK_EPOCH) >> BH_MARK_EPOCH_SHIFT;
	ret->dir = mark & BH_TOLD_EGRESS ? BH_DIR_EGRESS : BH_DIR_INGRESS;
	ret->word = mark & BH_TOLD_REJECTED ? BH_WORD_REJECT : BH_WORD_DROP;
	return true;
}

static uint64_t count_of(const struct nlattr *elem)
{
	const struct nlattr *expr = bh_nl_nested(elem, NFTA_SET_ELEM_EXPR);

	if (!expr || !bh_streq(bh_nl_str(bh_nl_nested(expr, NFTA_EXPR_NAME)), "counter"))
		return 0;
	return bh_nl_u64(bh_nl_nested(bh_nl_nested(expr, NFTA_EXPR_DATA), NFTA_COUNTER_PACKETS));
}

static void take(const struct nlmsghdr *h, void *arg)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *list = bh_nl_attr(h, NFTA_SET_ELEM_LIST_ELEMENTS), *a;
	struct taking *t = arg;

	if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM) || !list ||
	    !bh_streq(bh_nl_str(bh_nl_attr(h, NFTA_SET_ELEM_LIST_TABLE)), t->table) ||
	    !bh_streq(bh_nl_str(bh_nl_attr(h, NFTA_SET_ELEM_LIST_SET)), BH_TOLD_SET))
		return;
	bh_nl_each_attr(a, mnl_attr_get_payload(list), mnl_attr_get_payload_len(list))
	{
		const struct nlattr *key =
		    bh_nl_nested(bh_nl_nested(a, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
		uint64_t n = count_of(a);
		struct bh_refused r;

		if (n > 1 && read_key(g->nfgen_family, key, &r))
			t->fn(t->arg, &r, n - 1);
	}
}

int bh_kernel_take_told(struct bh_kernel *k, bh_kernel_told_fn fn, void *arg, struct bh_err *err)
{
	struct taking t = { .table = k->table, .fn = fn, .arg = arg };
	struct bh_batch b;
	int r;

	if (!k->started)
		return bh_err_set(err, -EINVAL, "the tables were not started");
	bh_batch_init(&b, k->table);
	for (unsigned f = 0; f < BH_FAMILIES; f++)
		bh_batch_flush_set(&b, bh_nfproto[f], BH_TOLD_SET);
	r = bh_batch_commit_echo(&b, &k->nl, take, &t, err);
	bh_batch_done(&b);
	return r;
}
