// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/batch.c - one nftables transaction
 *
 * Nothing is remembered beside the messages: what the kernel refused is read from the message that it names.
 */
#include "dataplane/kernel/batch.h"

#include <arpa/inet.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/comment.h"
#include "dataplane/kernel/sets.h"

#include "common/banned.h"

/* The length of a list of elements has 16 bits; one more element must always fit. */
#define MSG_ROOM  (72U * 1024)
#define ELEMS_MAX 60000U
/* Longer than any rule. Attributes are padded by leaving out bytes: these must not be chance (bh_chains_hash()). */
#define ZEROED 4096U

void bh_batch_init(struct bh_batch *b, const char *table)
{
	*b = (struct bh_batch){ .table = table, .seq = 1, .first_seq = 1, .next_set_id = 1 };
}

void bh_batch_done(struct bh_batch *b)
{
	bh_buf_done(&b->buf);
}

/* Room at the end of the buffer, not yet counted as used. */
static void *room(struct bh_batch *b)
{
	size_t off = b->buf.len;
	void *p = b->failed ? NULL : bh_buf_reserve(&b->buf, MSG_ROOM);

	if (!p) {
		b->failed = true;
		return NULL;
	}
	memset(p, 0, ZEROED);
	b->buf.len = off;
	b->msg_off = off;
	return p;
}

struct nlmsghdr *bh_batch_msg(struct bh_batch *b, unsigned type, uint8_t family, unsigned flags)
{
	void *p;

	bh_batch_elems_end(b);
	if (b->buf.len == 0) {
		p = room(b);
		if (!p)
			return NULL;
		bh_batch_end(b, nftnl_batch_begin(p, b->seq++));
	}
	p = room(b);
	return p ? nftnl_nlmsg_build_hdr(p, (uint16_t)type, family, (uint16_t)flags, b->seq++)
		 : NULL;
}

void bh_batch_end(struct bh_batch *b, struct nlmsghdr *h)
{
	if (h)
		b->buf.len = b->msg_off + bh_nl_align(h->nlmsg_len);
}

/* User data of nft(8): type, length with the NUL, text. The types of its comments are all 0. */
static void put_comment(struct nlmsghdr *h, uint16_t attr, const char *text)
{
	uint8_t tlv[2 + NFTNL_UDATA_COMMENT_MAXLEN];
	size_t len = text ? strlen(text) + 1 : 0;

	_Static_assert(NFTNL_UDATA_TABLE_COMMENT == 0 && NFTNL_UDATA_CHAIN_COMMENT == 0 &&
			   NFTNL_UDATA_SET_ELEM_COMMENT == 0,
		       "a comment has another type");
	if (len < 2 || len > NFTNL_UDATA_COMMENT_MAXLEN)
		return;
	tlv[0] = 0;
	tlv[1] = (uint8_t)len;
	memcpy(&tlv[2], text, len);
	mnl_attr_put(h, attr, 2 + len, tlv);
}

void bh_batch_table(struct bh_batch *b, uint8_t family, uint32_t flags)
{
	struct nlmsghdr *h = bh_batch_msg(b, NFT_MSG_NEWTABLE, family, NLM_F_CREATE);

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, b->table);
	mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(flags));
	put_comment(h, NFTA_TABLE_USERDATA, "Bulkhead; in words: bulkhead render --live");
	bh_batch_end(b, h);
}

void bh_batch_del_table(struct bh_batch *b, uint8_t family)
{
	struct nlmsghdr *h = bh_batch_msg(b, NFT_MSG_DELTABLE, family, 0);

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, b->table);
	bh_batch_end(b, h);
}

void bh_batch_chain(struct bh_batch *b, uint8_t family, const char *name)
{
	struct nlmsghdr *h = bh_batch_msg(b, NFT_MSG_NEWCHAIN, family, NLM_F_CREATE);

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, b->table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	put_comment(h, NFTA_CHAIN_USERDATA, bh_comment_chain(name));
	bh_batch_end(b, h);
}

void bh_batch_base_chain(struct bh_batch *b, uint8_t family, const char *name, unsigned hook,
			 int prio)
{
	struct nlmsghdr *h = bh_batch_msg(b, NFT_MSG_NEWCHAIN, family, NLM_F_CREATE);
	struct nlattr *nest;

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, b->table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	nest = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(hook));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)prio));
	mnl_attr_nest_end(h, nest);
	mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	put_comment(h, NFTA_CHAIN_USERDATA, bh_comment_chain(name));
	bh_batch_end(b, h);
}

void bh_batch_flush_chain(struct bh_batch *b, uint8_t family, const char *name)
{
	struct nlmsghdr *h = bh_batch_msg(b, NFT_MSG_DELRULE, family, 0);

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, b->table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, name);
	bh_batch_end(b, h);
}

void bh_batch_counter(struct bh_batch *b, uint8_t family, const char *name)
{
	struct nlmsghdr *h = bh_batch_msg(b, NFT_MSG_NEWOBJ, family, NLM_F_CREATE);
	struct nlattr *nest;

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_OBJ_TABLE, b->table);
	mnl_attr_put_strz(h, NFTA_OBJ_NAME, name);
	mnl_attr_put_u32(h, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
	nest = mnl_attr_nest_start(h, NFTA_OBJ_DATA);
	mnl_attr_put_u64(h, NFTA_COUNTER_BYTES, 0);
	mnl_attr_put_u64(h, NFTA_COUNTER_PACKETS, 0);
	mnl_attr_nest_end(h, nest);
	bh_batch_end(b, h);
}

void bh_batch_rule(struct bh_batch *b, struct nftnl_rule *r)
{
	struct nlmsghdr *h;

	if (!r) {
		b->failed = true;
		return;
	}
	h = bh_batch_msg(b, NFT_MSG_NEWRULE, (uint8_t)nftnl_rule_get_u32(r, NFTNL_RULE_FAMILY),
			 NLM_F_CREATE | NLM_F_APPEND);
	if (h) {
		nftnl_rule_nlmsg_build_payload(h, r);
		bh_batch_end(b, h);
	}
	nftnl_rule_free(r);
}

void bh_batch_set(struct bh_batch *b, uint8_t family, struct nftnl_set *s)
{
	struct nlmsghdr *h;

	if (!s) {
		b->failed = true;
		return;
	}
	h = bh_batch_msg(b, NFT_MSG_NEWSET, family, NLM_F_CREATE);
	if (h) {
		nftnl_set_nlmsg_build_payload(h, s);
		bh_batch_end(b, h);
	}
	/* A set that belongs to a rule brings its few elements. */
	if (nftnl_set_get_u32(s, NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS) {
		h = bh_batch_msg(b, NFT_MSG_NEWSETELEM, family, NLM_F_CREATE);
		if (h) {
			nftnl_set_elems_nlmsg_build_payload(h, s);
			bh_batch_end(b, h);
		}
	}
	nftnl_set_free(s);
}

/* ---- elements ---- */

static void elems_begin(struct bh_batch *b, unsigned type, uint8_t family, uint8_t set)
{
	struct nlmsghdr *h =
	    bh_batch_msg(b, type, family, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, b->table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, bh_kset_name(set));
	b->elems = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	b->elems_set = set;
	b->elems_family = family;
	b->elems_type = (uint8_t)type;
}

static void put_value(struct nlmsghdr *h, uint16_t attr, const void *data, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(h, attr);

	mnl_attr_put(h, NFTA_DATA_VALUE, len, data);
	mnl_attr_nest_end(h, nest);
}

void bh_batch_elem(struct bh_batch *b, bool add, uint8_t family, uint8_t set, const void *key,
		   size_t key_len, uint32_t flags, const uint32_t *data, const char *comment)
{
	unsigned type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
	struct nlattr *nest;
	struct nlmsghdr *h;

	if (b->elems && (b->elems_set != set || b->elems_family != family || b->elems_type != type))
		bh_batch_elems_end(b);
	if (!b->elems)
		elems_begin(b, type, family, set);
	if (!b->elems)
		return;
	h = (void *)(b->buf.data + b->msg_off);
	nest = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	if (flags)
		mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htonl(flags));
	put_value(h, NFTA_SET_ELEM_KEY, key, key_len);
	if (data) {
		const uint32_t words[2] = { *data, bh_kset_verdict(*data) };

		put_value(h, NFTA_SET_ELEM_DATA, words,
			  bh_kset_has_words(set) ? sizeof(words) : sizeof(*data));
	}
	put_comment(h, NFTA_SET_ELEM_USERDATA, comment);
	mnl_attr_nest_end(h, nest);
	if ((size_t)((char *)mnl_nlmsg_get_payload_tail(h) - (char *)b->elems) > ELEMS_MAX)
		bh_batch_elems_end(b);
}

void bh_batch_flush_set(struct bh_batch *b, uint8_t family, const char *name)
{
	struct nlmsghdr *h = bh_batch_msg(b, NFT_MSG_DELSETELEM, family, NLM_F_ECHO);

	if (!h)
		return;
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, b->table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, name);
	bh_batch_end(b, h);
}

void bh_batch_elems_end(struct bh_batch *b)
{
	struct nlmsghdr *h;

	if (!b->elems)
		return;
	h = (void *)(b->buf.data + b->msg_off);
	mnl_attr_nest_end(h, b->elems);
	b->elems = NULL;
	bh_batch_end(b, h);
}

/* ---- what was refused ---- */

static const struct nlmsghdr *next_msg(const struct bh_batch *b, size_t *off)
{
	const struct nlmsghdr *h = (const void *)(b->buf.data + *off);

	if (*off + sizeof(*h) > b->buf.len || h->nlmsg_len < sizeof(*h) ||
	    *off + h->nlmsg_len > b->buf.len)
		return NULL;
	*off += bh_nl_align(h->nlmsg_len);
	return h;
}

void bh_batch_each(const struct bh_batch *b, bh_batch_fn fn, void *arg)
{
	const struct nlmsghdr *h;
	size_t off = 0;

	while ((h = next_msg(b, &off)))
		if (h->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES)
			fn(h, arg);
}

static const char *name_of(const struct nlmsghdr *h, unsigned type)
{
	const char *s = bh_nl_str(bh_nl_attr(h, type));

	return *s ? s : "?";
}

static void describe_elem(const struct nlmsghdr *h, uint32_t at, char *buf, size_t size)
{
	const struct nlattr *list = bh_nl_attr(h, NFTA_SET_ELEM_LIST_ELEMENTS), *e, *v;
	const char *set = name_of(h, NFTA_SET_ELEM_LIST_SET);
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(h);
	char key[96];

	(void)snprintf(buf, size, "elements of map %s of ", set);
	if (!list || at == 0)
		return;
	bh_nl_each_attr(e, mnl_attr_get_payload(list), mnl_attr_get_payload_len(list))
	{
		size_t off = (size_t)((const char *)e - (const char *)h);

		if (at < off || at >= off + e->nla_len)
			continue;
		v = bh_nl_nested(bh_nl_nested(e, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
		if (!v)
			return;
		bh_kset_key_text(bh_kset_by_name(set), nfg->nfgen_family == NFPROTO_IPV4 ? 4 : 6,
				 mnl_attr_get_payload(v), mnl_attr_get_payload_len(v), key,
				 sizeof(key));
		(void)snprintf(buf, size, "element %s of map %s of ", key, set);
		return;
	}
}

/* The number of a rule in its chain, from 1, as this batch adds them. */
static unsigned rule_number(const struct bh_batch *b, const struct nlmsghdr *rule)
{
	const char *chain = name_of(rule, NFTA_RULE_CHAIN);
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(rule);
	const struct nlmsghdr *h;
	unsigned n = 1;
	size_t off = 0;

	while ((h = next_msg(b, &off)) && h != rule) {
		const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);

		if (h->nlmsg_type == rule->nlmsg_type && g->nfgen_family == nfg->nfgen_family &&
		    bh_streq(name_of(h, NFTA_RULE_CHAIN), chain))
			n++;
	}
	return n;
}

static void describe(const struct bh_batch *b, const struct nlmsghdr *h, uint32_t at, char *buf,
		     size_t size)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(h);
	char what[160] = "";

	switch (h->nlmsg_type & 0xff) {
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_DELCHAIN:
		(void)snprintf(what, sizeof(what), "chain %s of ", name_of(h, NFTA_CHAIN_NAME));
		break;
	case NFT_MSG_NEWRULE:
		(void)snprintf(what, sizeof(what), "rule %u of chain %s of ", rule_number(b, h),
			       name_of(h, NFTA_RULE_CHAIN));
		break;
	case NFT_MSG_DELRULE:
		(void)snprintf(what, sizeof(what), "rules of chain %s of ",
			       name_of(h, NFTA_RULE_CHAIN));
		break;
	case NFT_MSG_NEWSET:
		(void)snprintf(what, sizeof(what), "map %s of ", name_of(h, NFTA_SET_NAME));
		break;
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_DELSETELEM:
		describe_elem(h, at, what, sizeof(what));
		break;
	case NFT_MSG_NEWOBJ:
		(void)snprintf(what, sizeof(what), "counter %s of ", name_of(h, NFTA_OBJ_NAME));
		break;
	default:
		break;
	}
	(void)snprintf(buf, size, "%stable %s %s", what, bh_nfproto_name(nfg->nfgen_family),
		       b->table);
}

static const char *verb_of(const struct nlmsghdr *h)
{
	switch (h->nlmsg_type & 0xff) {
	case NFT_MSG_DELTABLE:
	case NFT_MSG_DELCHAIN:
	case NFT_MSG_DELRULE:
	case NFT_MSG_DELSETELEM:
		return "remove";
	default:
		return "make";
	}
}

static int refused(const struct bh_batch *b, const struct bh_nl_error *e, struct bh_err *err)
{
	const struct nlmsghdr *h = NULL;
	char what[256];
	size_t off = 0;

	while (e->seq > 0 && (h = next_msg(b, &off)))
		if (h->nlmsg_seq == e->seq)
			break;
	if (!h || h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return bh_err_set(err, e->code,
				  "the kernel does not take the change of table %s: %s%s%s",
				  b->table, strerror(-e->code), e->text[0] ? ": " : "", e->text);
	describe(b, h, e->off, what, sizeof(what));
	if (e->code == -ENFILE && (h->nlmsg_type & 0xff) == NFT_MSG_NEWSETELEM)
		return bh_err_set(err, e->code, "cannot make %s: the map is full", what);
	return bh_err_set(err, e->code, "cannot %s %s: %s%s%s", verb_of(h), what,
			  strerror(-e->code), e->text[0] ? ": " : "", e->text);
}

int bh_batch_commit_echo(struct bh_batch *b, struct bh_nl *nl, bh_nl_echo_fn fn, void *arg,
			 struct bh_err *err)
{
	struct bh_nl_error e;
	void *p;
	int r;

	bh_batch_elems_end(b);
	if (b->buf.len == 0 && !b->failed)
		return 0;
	p = room(b);
	if (p)
		bh_batch_end(b, nftnl_batch_end(p, b->seq++));
	if (b->failed || bh_buf_failed(&b->buf))
		return bh_err_set(err, -ENOMEM, "out of memory for a change of table %s", b->table);
	r = bh_nl_send_echo(nl, b->buf.data, b->buf.len, fn, arg, &e);
	return r < 0 ? refused(b, &e, err) : 0;
}

int bh_batch_commit(struct bh_batch *b, struct bh_nl *nl, struct bh_err *err)
{
	return bh_batch_commit_echo(b, nl, NULL, NULL, err);
}
