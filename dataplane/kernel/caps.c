// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/caps.c - what this kernel can do, found by trying
 *
 * Each attempt is one transaction that makes a scratch table with one rule and removes it again: nothing ever
 * stands in the kernel, and no packet meets it. The chain is at no hook, because removing one that is drops
 * all queued packets of the namespace.
 *
 * The first rule about connections in a namespace makes the kernel go through all of them, and again if it vanishes in
 * between; for that time tables that others removed are not back. So that one is not tried: bh_caps_explain() asks
 * afterwards.
 */
#include <linux/netfilter.h>
#include <stdio.h>

#include "dataplane/kernel/expr.h"
#include "dataplane/kernel/kernel_internal.h"

#include "common/banned.h"

#define CHAIN "try"

typedef void (*attempt_fn)(struct bh_x *x);

static int attempt_in(struct bh_nl *nl, uint8_t family, const char *table, uint32_t flags,
		      attempt_fn fn)
{
	struct bh_x x = { .family = family };
	struct bh_batch b;
	int r;

	bh_batch_init(&b, table);
	x.b = &b;
	bh_batch_table(&b, x.family, flags);
	bh_batch_chain(&b, x.family, CHAIN);
	if (fn) {
		bh_x_rule(&x, CHAIN);
		fn(&x);
		if (x.rule)
			bh_x_end(&x);
	}
	bh_batch_del_table(&b, x.family);
	r = bh_batch_commit(&b, nl, NULL);
	bh_batch_done(&b);
	return r;
}

static int attempt(struct bh_nl *nl, const char *table, uint32_t flags, attempt_fn fn)
{
	return attempt_in(nl, NFPROTO_IPV4, table, flags, fn);
}

static void try_queue(struct bh_x *x)
{
	bh_x_queue(x, true, 0, 1, true);
}

static void try_xt_queue(struct bh_x *x)
{
	bh_x_queue(x, false, 0, 1, true);
}

static void try_inner(struct bh_x *x)
{
	bh_x_if_payload(x);
}

static void try_dup(struct bh_x *x)
{
	bh_x_payload(x, NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 0);
	bh_x_dup(x, 0);
}

static void try_reset(struct bh_x *x)
{
	bh_x_if_tcp_flags(x, 0x02, NFT_CMP_NEQ, 0);
	bh_x_tcp_option_reset(x, 34);
}

static void try_fib(struct bh_x *x)
{
	bh_x_fib_reverse(x, 0);
}

static void try_log(struct bh_x *x)
{
	bh_x_log(x, 1, "try");
}

/* What the guard's rules have that is not every family's. */
static void try_guard(struct bh_x *x)
{
	bh_x_meta(x, NFT_META_IIFGROUP, 0);
	bh_x_cmp32(x, NFT_CMP_EQ, 0, 1);
	bh_x_payload(x, NFT_PAYLOAD_LL_HEADER, 6, 6, 1);
	bh_x_cmp32(x, NFT_CMP_EQ, 1, 0);
	if (x->family == NFPROTO_BRIDGE) {
		bh_x_frag_offset(x, 3);
		bh_x_if_l4(x, NFT_CMP_EQ, 58);
	}
	bh_x_log(x, 1, "try");
}

static void try_reject(struct bh_x *x)
{
	bh_x_reject_tcp(x);
}

static void try_ct(struct bh_x *x)
{
	bh_x_ct_mark(x, 0xffff, 0x10000);
}

void bh_caps_explain(struct bh_nl *nl, const char *table, int error, struct bh_err *err)
{
	char scratch[64];

	(void)snprintf(scratch, sizeof(scratch), "%.40s_probe", table);
	if ((error == -ENOENT || error == -EOPNOTSUPP) && attempt(nl, scratch, 0, try_ct) < 0)
		(void)bh_err_set(err, -ENOTSUP,
				 "this kernel lacks nftables' ct mark (CONFIG_NFT_CT, "
				 "CONFIG_NF_CONNTRACK_MARK)");
}

int bh_caps_probe(struct bh_nl *nl, const char *table, struct bh_kernel_caps *ret,
		  struct bh_err *err)
{
	/* Nothing can stand in for these. */
	static const struct {
		attempt_fn fn;
		const char *what;
	} needed[] = {
		{ try_inner, "nftables' inner header (Linux 5.16, CONFIG_NF_TABLES)" },
		{ try_fib, "nftables' fib (CONFIG_NFT_FIB_IPV4, CONFIG_NFT_FIB_IPV6)" },
		{ try_log, "nftables' log (CONFIG_NFT_LOG, CONFIG_NETFILTER_NETLINK_LOG)" },
		{ try_reject, "nftables' reject (CONFIG_NFT_REJECT_IPV4, CONFIG_NFT_REJECT_IPV6)" },
	};
	struct bh_kernel_caps caps = { .inner_payload = true };
	char scratch[64];
	int r;

	(void)snprintf(scratch, sizeof(scratch), "%.40s_probe", table);
	r = attempt(nl, scratch, 0, NULL);
	if (r == -EPERM)
		return bh_err_set(err, r, "changing nftables needs the capability CAP_NET_ADMIN");
	if (r < 0)
		return bh_err_set(err, -ENOTSUP, "this kernel makes no nftables table: %s",
				  bh_err_text(NULL, r));
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		r = attempt(nl, scratch, 0, needed[i].fn);
		if (r < 0)
			return bh_err_set(err, -ENOTSUP, "this kernel lacks %s: %s", needed[i].what,
					  bh_err_text(NULL, r));
	}
	caps.native_queue = attempt(nl, scratch, 0, try_queue) == 0;
	if (!caps.native_queue && (r = attempt(nl, scratch, 0, try_xt_queue)) < 0)
		return bh_err_set(
		    err, -ENOTSUP,
		    "this kernel can queue packets neither by nftables (CONFIG_NFT_QUEUE) nor by "
		    "the xt target NFQUEUE: %s",
		    bh_err_text(NULL, r));
	caps.dup = attempt(nl, scratch, 0, try_dup) == 0;
	caps.exthdr_reset = attempt(nl, scratch, 0, try_reset) == 0;
	caps.owner_persist = attempt(nl, scratch, BH_TABLE_OWNER_PERSIST, NULL) == 0;
	caps.arp = attempt_in(nl, NFPROTO_ARP, scratch, 0, try_guard) == 0;
	caps.bridge = attempt_in(nl, NFPROTO_BRIDGE, scratch, 0, try_guard) == 0;
	*ret = caps;
	return 0;
}
