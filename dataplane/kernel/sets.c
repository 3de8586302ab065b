// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/sets.c - the maps of a table, as the kernel makes them and nft(8) shows them
 *
 * DOC: Sizes
 *
 * A map with a four-byte key and a size becomes a hash of fixed size, the fastest there is (31 ns against
 * 51 ns for one that grows); its buckets are taken at once (8 bytes for each of 4/3 of the size) and the size
 * is a hard limit. So `peer` of IPv4 has room for more addresses than the largest cluster that we design for
 * (150,000), 2.8 MB, and the subjects for three times what one host is to carry (10,000): larger costs a miss of
 * the cache in each packet that begins a flow. Keys of more than four bytes gain nothing by a size: those maps grow.
 *
 * DOC: What nft(8) shows
 *
 * Types are nft's own numbers. Byte orders stand in the user data, else nft prints marks swapped.
 */
#include "dataplane/kernel/sets.h"

#include <endian.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "common/util.h"
#include "dataplane/kernel/comment.h"

#include "common/banned.h"

#define PEER_SIZE    (1U << 18)
#define SUBJECT_SIZE (1U << 15)

/* nft's data types (its include/datatype.h), and how it packs them for concatenations. */
#define TYPE_IPADDR    7U
#define TYPE_IP6ADDR   8U
#define TYPE_ETHERADDR 9U
#define TYPE_PROTO     12U
#define TYPE_SERVICE   13U
#define TYPE_MARK      19U
#define TYPE_IFINDEX   20U
#define TYPE_CAT(a, b) ((a) << 6 | (b))

enum byteorder { ORDER_INVALID, ORDER_HOST, ORDER_NETWORK }; /* nft's enum byteorder */

const char *bh_nfproto_name(uint8_t nfproto)
{
	switch (nfproto) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_BRIDGE:
		return "bridge";
	default:
		return "?";
	}
}

static uint8_t element_family(uint8_t nfproto)
{
	return nfproto == NFPROTO_IPV4   ? 4
	       : nfproto == NFPROTO_IPV6 ? 6
	       : nfproto == NFPROTO_ARP  ? BH_FAMILY_ARP
					 : BH_FAMILY_BRIDGE;
}

static uint32_t key_type(enum bh_kset s, uint8_t family, enum byteorder *ret_order)
{
	*ret_order = ORDER_NETWORK;
	switch (s) {
	case BH_KSET_PORT_TCP:
	case BH_KSET_PORT_UDP:
	case BH_KSET_PORT_SCTP:
	case BH_KSET_PORT_ICMP:
		return TYPE_SERVICE;
	case BH_KSET_CELL:
		*ret_order = ORDER_INVALID;
		return TYPE_CAT(
		    TYPE_CAT(TYPE_CAT(TYPE_CAT(TYPE_MARK, TYPE_MARK), TYPE_MARK), TYPE_SERVICE),
		    TYPE_PROTO);
	case BH_KSET_RESULT:
		*ret_order = ORDER_INVALID;
		return TYPE_CAT(TYPE_CAT(TYPE_MARK, TYPE_MARK), TYPE_MARK);
	case BH_KSET_STATE:
		*ret_order = ORDER_HOST;
		return TYPE_MARK;
	case BH_KSET_GUARD_LINK:
		*ret_order = ORDER_HOST;
		return TYPE_IFINDEX;
	case BH_KSET_GUARD_MAC:
		*ret_order = ORDER_INVALID;
		return TYPE_CAT(TYPE_IFINDEX, TYPE_ETHERADDR);
	case BH_KSET_GUARD_IP:
		*ret_order = ORDER_INVALID;
		return TYPE_CAT(TYPE_CAT(TYPE_IFINDEX, TYPE_ETHERADDR), TYPE_IPADDR);
	case BH_KSET_GUARD_IP6:
	case BH_KSET_GUARD_LL:
		*ret_order = ORDER_INVALID;
		return TYPE_CAT(TYPE_CAT(TYPE_IFINDEX, TYPE_ETHERADDR), TYPE_IP6ADDR);
	default:
		return family == NFPROTO_IPV4 ? TYPE_IPADDR : TYPE_IP6ADDR;
	}
}

static uint32_t size_of(enum bh_kset s, uint8_t family)
{
	if (family != NFPROTO_IPV4)
		return 0;
	if (s == BH_KSET_PEER)
		return PEER_SIZE;
	if (s == BH_KSET_SUBJ_IN || s == BH_KSET_SUBJ_EG)
		return SUBJECT_SIZE;
	return 0;
}

static bool fill(struct nftnl_set *n, struct nftnl_udata_buf *u, const char *table, enum bh_kset s,
		 uint8_t family)
{
	enum byteorder order;
	uint32_t type = key_type(s, family, &order);
	bool words = bh_kset_has_words(s);

	nftnl_set_set_u32(n, NFTNL_SET_FAMILY, family);
	nftnl_set_set_u32(n, NFTNL_SET_ID, s);
	if (!bh_kset_is_guard(s))
		nftnl_set_set_u32(n, NFTNL_SET_FLAGS,
				  NFT_SET_MAP | (bh_kset_is_interval(s) ? NFT_SET_INTERVAL : 0));
	nftnl_set_set_u32(n, NFTNL_SET_KEY_TYPE, type);
	nftnl_set_set_u32(n, NFTNL_SET_KEY_LEN,
			  (uint32_t)bh_kset_key_len(s, element_family(family)));
	if (!bh_kset_is_guard(s)) {
		nftnl_set_set_u32(n, NFTNL_SET_DATA_TYPE,
				  words ? TYPE_CAT(TYPE_MARK, TYPE_MARK) : TYPE_MARK);
		nftnl_set_set_u32(n, NFTNL_SET_DATA_LEN, words ? 8 : 4);
	}
	if (size_of(s, family) > 0)
		nftnl_set_set_u32(n, NFTNL_SET_DESC_SIZE, size_of(s, family));
	return nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER, order) &&
	       nftnl_udata_put_strz(u, NFTNL_UDATA_SET_COMMENT, bh_comment_set(s)) &&
	       (bh_kset_is_guard(s) || nftnl_udata_put_u32(u, NFTNL_UDATA_SET_DATABYTEORDER,
							   words ? ORDER_INVALID : ORDER_HOST)) &&
	       nftnl_set_set_str(n, NFTNL_SET_TABLE, table) == 0 &&
	       nftnl_set_set_str(n, NFTNL_SET_NAME, bh_kset_name(s)) == 0 &&
	       nftnl_set_set_data(n, NFTNL_SET_USERDATA, nftnl_udata_buf_data(u),
				  nftnl_udata_buf_len(u)) == 0;
}

static bool fill_told(struct nftnl_set *n, struct nftnl_udata_buf *u, const char *table,
		      uint8_t family)
{
	uint32_t addr = family == NFPROTO_IPV4 ? TYPE_IPADDR : TYPE_IP6ADDR;
	uint32_t len = family == NFPROTO_IPV4 ? 4 : 16;

	nftnl_set_set_u32(n, NFTNL_SET_FAMILY, family);
	nftnl_set_set_u32(n, NFTNL_SET_ID, BH_KSET_COUNT);
	nftnl_set_set_u32(n, NFTNL_SET_FLAGS, NFT_SET_EVAL);
	nftnl_set_set_u32(
	    n, NFTNL_SET_KEY_TYPE,
	    TYPE_CAT(TYPE_CAT(TYPE_CAT(TYPE_CAT(addr, addr), TYPE_PROTO), TYPE_SERVICE),
		     TYPE_MARK));
	nftnl_set_set_u32(n, NFTNL_SET_KEY_LEN, 2 * len + 12);
	nftnl_set_set_u32(n, NFTNL_SET_DESC_SIZE, BH_TOLD_SIZE);
	return nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER, ORDER_INVALID) &&
	       nftnl_set_set_str(n, NFTNL_SET_TABLE, table) == 0 &&
	       nftnl_set_set_str(n, NFTNL_SET_NAME, BH_TOLD_SET) == 0 &&
	       nftnl_set_set_data(n, NFTNL_SET_USERDATA, nftnl_udata_buf_data(u),
				  nftnl_udata_buf_len(u)) == 0;
}

static struct nftnl_set *grace(const char *table, uint8_t family)
{
	struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(64);
	struct nftnl_set *n = nftnl_set_alloc();
	bool ok = u && n;

	if (ok) {
		nftnl_set_set_u32(n, NFTNL_SET_FAMILY, family);
		nftnl_set_set_u32(n, NFTNL_SET_ID, BH_KSET_COUNT + 1);
		nftnl_set_set_u32(n, NFTNL_SET_FLAGS, NFT_SET_MAP | NFT_SET_TIMEOUT);
		nftnl_set_set_u32(n, NFTNL_SET_KEY_TYPE, TYPE_MARK);
		nftnl_set_set_u32(n, NFTNL_SET_KEY_LEN, 4);
		nftnl_set_set_u32(n, NFTNL_SET_DATA_TYPE, TYPE_MARK);
		nftnl_set_set_u32(n, NFTNL_SET_DATA_LEN, 4);
		ok = nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER, ORDER_HOST) &&
		     nftnl_udata_put_u32(u, NFTNL_UDATA_SET_DATABYTEORDER, ORDER_HOST) &&
		     nftnl_set_set_str(n, NFTNL_SET_TABLE, table) == 0 &&
		     nftnl_set_set_str(n, NFTNL_SET_NAME, BH_GRACE_MAP) == 0 &&
		     nftnl_set_set_data(n, NFTNL_SET_USERDATA, nftnl_udata_buf_data(u),
					nftnl_udata_buf_len(u)) == 0;
	}
	if (u)
		nftnl_udata_buf_free(u);
	if (!ok && n) {
		nftnl_set_free(n);
		n = NULL;
	}
	return n;
}

void bh_sets_grace(struct bh_batch *b, uint8_t family, unsigned sec)
{
	const uint32_t key = BH_GRACE_KEY, one = 1;
	struct nlmsghdr *h = bh_batch_msg(b, NFT_MSG_NEWSETELEM, family, NLM_F_CREATE);
	struct nlattr *list, *elem, *value;

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, b->table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, BH_GRACE_MAP);
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	value = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, sizeof(key), &key);
	mnl_attr_nest_end(h, value);
	value = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
	mnl_attr_put(h, NFTA_DATA_VALUE, sizeof(one), &one);
	mnl_attr_nest_end(h, value);
	mnl_attr_put_u64(h, NFTA_SET_ELEM_TIMEOUT, htobe64((uint64_t)sec * 1000));
	mnl_attr_nest_end(h, elem);
	mnl_attr_nest_end(h, list);
	bh_batch_end(b, h);
}

void bh_sets_make(struct bh_batch *b, uint8_t family)
{
	for (enum bh_kset s = BH_KSET_INVALID + 1; s <= BH_KSET_COUNT; s++) {
		struct nftnl_udata_buf *u;
		struct nftnl_set *n;

		if (s == BH_KSET_COUNT ? family != NFPROTO_IPV4 && family != NFPROTO_IPV6
				       : !bh_kset_is_in(s, element_family(family)))
			continue;
		u = nftnl_udata_buf_alloc(128);
		n = nftnl_set_alloc();
		if (n && (!u || !(s == BH_KSET_COUNT ? fill_told(n, u, b->table, family)
						     : fill(n, u, b->table, s, family)))) {
			nftnl_set_free(n);
			n = NULL;
		}
		bh_batch_set(b, family, n);
		if (u)
			nftnl_udata_buf_free(u);
	}
	if (family == NFPROTO_IPV4 || family == NFPROTO_IPV6)
		bh_batch_set(b, family, grace(b->table, family));
	/* Maps of single rules get numbers above these. */
	if (b->next_set_id <= BH_KSET_COUNT + 1)
		b->next_set_id = BH_KSET_COUNT + 2;
}
