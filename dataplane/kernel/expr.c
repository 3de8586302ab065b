// SPDX-License-Identifier: GPL-3.0-or-later
/* dataplane/kernel/expr.c - rules from expressions: a function for each expression that we use */
#include "dataplane/kernel/expr.h"

#include <arpa/inet.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/marks.h"

#include "common/banned.h"

/* Information of the xt target NFQUEUE, revision 3, as linux/netfilter/xt_NFQUEUE.h has it, padded. */
#define NFQ_BYPASS 0x01 /* NFQ_FLAG_BYPASS of linux/netfilter/xt_NFQUEUE.h */
struct xt_nfqueue {
	uint16_t num, total, flags, pad;
};

static uint32_t reg_of(unsigned word)
{
	return NFT_REG32_00 + word;
}

static struct nftnl_expr *add(struct bh_x *x, const char *name)
{
	struct nftnl_expr *e = x->rule ? nftnl_expr_alloc(name) : NULL;

	if (e)
		nftnl_rule_add_expr(x->rule, e);
	else
		x->b->failed = true;
	return e;
}

/* All setters do nothing for an expression that could not be made: the batch has failed already. */
static void u32(struct nftnl_expr *e, uint16_t attr, uint32_t v)
{
	if (e)
		nftnl_expr_set_u32(e, attr, v);
}

static void str(struct bh_x *x, struct nftnl_expr *e, uint16_t attr, const char *s)
{
	if (e && nftnl_expr_set_str(e, attr, s) < 0)
		x->b->failed = true;
}

static void bytes(struct bh_x *x, struct nftnl_expr *e, uint16_t attr, const void *data,
		  unsigned len)
{
	if (e && nftnl_expr_set(e, attr, data, len) < 0)
		x->b->failed = true;
}

void bh_x_rule(struct bh_x *x, const char *chain)
{
	x->rule = nftnl_rule_alloc();
	if (!x->rule || nftnl_rule_set_str(x->rule, NFTNL_RULE_TABLE, x->b->table) < 0 ||
	    nftnl_rule_set_str(x->rule, NFTNL_RULE_CHAIN, chain) < 0)
		x->b->failed = true;
	if (x->rule)
		nftnl_rule_set_u32(x->rule, NFTNL_RULE_FAMILY, x->family);
}

void bh_x_comment(struct bh_x *x, const char *text)
{
	struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(NFTNL_UDATA_COMMENT_MAXLEN + 2);

	if (!u || !x->rule || !nftnl_udata_put_strz(u, NFTNL_UDATA_RULE_COMMENT, text) ||
	    nftnl_rule_set_data(x->rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(u),
				nftnl_udata_buf_len(u)) < 0)
		x->b->failed = true;
	if (u)
		nftnl_udata_buf_free(u);
}

void bh_x_end(struct bh_x *x)
{
	bh_batch_rule(x->b, x->rule);
	x->rule = NULL;
}

static void verdict(struct bh_x *x, int code, const char *chain)
{
	struct nftnl_expr *e = add(x, "immediate");

	u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
	if (chain)
		str(x, e, NFTNL_EXPR_IMM_CHAIN, chain);
	bh_x_end(x);
}

void bh_x_accept(struct bh_x *x)
{
	verdict(x, NF_ACCEPT, NULL);
}

void bh_x_drop(struct bh_x *x)
{
	verdict(x, NF_DROP, NULL);
}

void bh_x_return(struct bh_x *x)
{
	verdict(x, NFT_RETURN, NULL);
}

void bh_x_goto(struct bh_x *x, const char *chain)
{
	verdict(x, NFT_GOTO, chain);
}

void bh_x_jump(struct bh_x *x, const char *chain)
{
	verdict(x, NFT_JUMP, chain);
}

static int case_add(struct nftnl_set *s, const struct bh_x_case *c)
{
	struct nftnl_set_elem *e = nftnl_set_elem_alloc();

	if (!e)
		return -ENOMEM;
	nftnl_set_elem_add(s, e);
	if (nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, &c->key, sizeof(c->key)) < 0)
		return -ENOMEM;
	nftnl_set_elem_set_u32(e, NFTNL_SET_ELEM_VERDICT, (uint32_t)c->verdict);
	if (c->chain && nftnl_set_elem_set_str(e, NFTNL_SET_ELEM_CHAIN, c->chain) < 0)
		return -ENOMEM;
	return 0;
}

/* Else nft(8) prints the keys of a switch swapped. */
static bool host_order(struct nftnl_set *s)
{
	struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(16);
	bool ok = u && nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER, 1) &&
		  nftnl_set_set_data(s, NFTNL_SET_USERDATA, nftnl_udata_buf_data(u),
				     nftnl_udata_buf_len(u)) == 0;

	if (u)
		nftnl_udata_buf_free(u);
	return ok;
}

void bh_x_switch(struct bh_x *x, unsigned reg, const struct bh_x_case *cases, size_t n)
{
	static const char name[] = "__map%d"; /* the kernel makes a name of it */
	struct nftnl_set *s = nftnl_set_alloc();
	uint32_t id = x->b->next_set_id++;
	struct nftnl_expr *e;
	bool ok = s != NULL;

	if (ok) {
		ok = nftnl_set_set_str(s, NFTNL_SET_TABLE, x->b->table) == 0 &&
		     nftnl_set_set_str(s, NFTNL_SET_NAME, name) == 0 && host_order(s);
		nftnl_set_set_u32(s, NFTNL_SET_FAMILY, x->family);
		nftnl_set_set_u32(s, NFTNL_SET_ID, id);
		nftnl_set_set_u32(s, NFTNL_SET_FLAGS,
				  NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP);
		nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, sizeof(cases->key));
		nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, 19); /* nft's "mark" */
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, NFT_DATA_VERDICT);
		nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, (uint32_t)n);
	}
	for (size_t i = 0; ok && i < n; i++)
		ok = case_add(s, &cases[i]) == 0;
	if (!ok && s) {
		nftnl_set_free(s);
		s = NULL;
	}
	bh_batch_set(x->b, x->family, s);

	e = add(x, "lookup");
	u32(e, NFTNL_EXPR_LOOKUP_SREG, reg_of(reg));
	u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	u32(e, NFTNL_EXPR_LOOKUP_SET_ID, id);
	str(x, e, NFTNL_EXPR_LOOKUP_SET, name);
	bh_x_end(x);
}

void bh_x_meta(struct bh_x *x, enum nft_meta_keys key, unsigned reg)
{
	struct nftnl_expr *e = add(x, "meta");

	u32(e, NFTNL_EXPR_META_KEY, key);
	u32(e, NFTNL_EXPR_META_DREG, reg_of(reg));
}

void bh_x_ct(struct bh_x *x, enum nft_ct_keys key, unsigned reg, int dir)
{
	struct nftnl_expr *e = add(x, "ct");

	u32(e, NFTNL_EXPR_CT_KEY, key);
	u32(e, NFTNL_EXPR_CT_DREG, reg_of(reg));
	if (e && dir != BH_X_NO_DIR)
		nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, (uint8_t)dir);
}

void bh_x_payload(struct bh_x *x, enum nft_payload_bases base, unsigned off, unsigned len,
		  unsigned reg)
{
	struct nftnl_expr *e = add(x, "payload");

	u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, off);
	u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg_of(reg));
}

void bh_x_imm(struct bh_x *x, unsigned reg, const void *data, unsigned len)
{
	struct nftnl_expr *e = add(x, "immediate");

	u32(e, NFTNL_EXPR_IMM_DREG, reg_of(reg));
	bytes(x, e, NFTNL_EXPR_IMM_DATA, data, len);
}

void bh_x_fib_reverse(struct bh_x *x, unsigned reg)
{
	struct nftnl_expr *e = add(x, "fib");

	u32(e, NFTNL_EXPR_FIB_DREG, reg_of(reg));
	u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_OIF);
	u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
}

void bh_x_tcp_option(struct bh_x *x, unsigned option, unsigned reg)
{
	struct nftnl_expr *e = add(x, "exthdr");

	if (e)
		nftnl_expr_set_u8(e, NFTNL_EXPR_EXTHDR_TYPE, (uint8_t)option);
	u32(e, NFTNL_EXPR_EXTHDR_OFFSET, 0);
	u32(e, NFTNL_EXPR_EXTHDR_LEN, 1);
	u32(e, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
	u32(e, NFTNL_EXPR_EXTHDR_FLAGS, NFT_EXTHDR_F_PRESENT);
	u32(e, NFTNL_EXPR_EXTHDR_DREG, reg_of(reg));
}

void bh_x_frag_offset(struct bh_x *x, unsigned reg)
{
	struct nftnl_expr *e = add(x, "exthdr");

	if (e)
		nftnl_expr_set_u8(e, NFTNL_EXPR_EXTHDR_TYPE, IPPROTO_FRAGMENT);
	u32(e, NFTNL_EXPR_EXTHDR_OFFSET, 2);
	u32(e, NFTNL_EXPR_EXTHDR_LEN, 2);
	u32(e, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_IPV6);
	u32(e, NFTNL_EXPR_EXTHDR_DREG, reg_of(reg));
}

void bh_x_cmp(struct bh_x *x, enum nft_cmp_ops op, unsigned reg, const void *data, unsigned len)
{
	struct nftnl_expr *e = add(x, "cmp");

	u32(e, NFTNL_EXPR_CMP_SREG, reg_of(reg));
	u32(e, NFTNL_EXPR_CMP_OP, op);
	bytes(x, e, NFTNL_EXPR_CMP_DATA, data, len);
}

void bh_x_cmp32(struct bh_x *x, enum nft_cmp_ops op, unsigned reg, uint32_t value)
{
	bh_x_cmp(x, op, reg, &value, sizeof(value));
}

void bh_x_cmp8(struct bh_x *x, enum nft_cmp_ops op, unsigned reg, uint8_t value)
{
	bh_x_cmp(x, op, reg, &value, sizeof(value));
}

void bh_x_bits(struct bh_x *x, unsigned src, unsigned dst, const void *mask, const void * xor,
	       unsigned len)
{
	struct nftnl_expr *e = add(x, "bitwise");

	u32(e, NFTNL_EXPR_BITWISE_SREG, reg_of(src));
	u32(e, NFTNL_EXPR_BITWISE_DREG, reg_of(dst));
	u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	bytes(x, e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	bytes(x, e, NFTNL_EXPR_BITWISE_XOR, xor, len);
}

void bh_x_bits32(struct bh_x *x, unsigned src, unsigned dst, uint32_t mask, uint32_t xor)
{
	bh_x_bits(x, src, dst, &mask, &xor, sizeof(mask));
}

void bh_x_map(struct bh_x *x, const char *set, unsigned src, unsigned dst)
{
	struct nftnl_expr *e = add(x, "lookup");

	str(x, e, NFTNL_EXPR_LOOKUP_SET, set);
	u32(e, NFTNL_EXPR_LOOKUP_SREG, reg_of(src));
	u32(e, NFTNL_EXPR_LOOKUP_DREG, reg_of(dst));
}

static void in_set(struct bh_x *x, const char *set, unsigned reg, uint32_t flags)
{
	struct nftnl_expr *e = add(x, "lookup");

	str(x, e, NFTNL_EXPR_LOOKUP_SET, set);
	u32(e, NFTNL_EXPR_LOOKUP_SREG, reg_of(reg));
	if (flags)
		u32(e, NFTNL_EXPR_LOOKUP_FLAGS, flags);
}

void bh_x_in_set(struct bh_x *x, const char *set, unsigned reg)
{
	in_set(x, set, reg, 0);
}

void bh_x_not_in_set(struct bh_x *x, const char *set, unsigned reg)
{
	in_set(x, set, reg, NFT_LOOKUP_F_INV);
}

void bh_x_set_add(struct bh_x *x, const char *set, unsigned reg)
{
	struct nftnl_expr *e = add(x, "dynset"), *counter;

	str(x, e, NFTNL_EXPR_DYNSET_SET_NAME, set);
	u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_ADD);
	u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, reg_of(reg));
	counter = e ? nftnl_expr_alloc("counter") : NULL;
	if (!counter)
		x->b->failed = true;
	else
		nftnl_expr_set(e, NFTNL_EXPR_DYNSET_EXPR, counter, 0);
}

void bh_x_meta_set(struct bh_x *x, enum nft_meta_keys key, unsigned reg)
{
	struct nftnl_expr *e = add(x, "meta");

	u32(e, NFTNL_EXPR_META_KEY, key);
	u32(e, NFTNL_EXPR_META_SREG, reg_of(reg));
}

void bh_x_ct_mark_set(struct bh_x *x, unsigned reg)
{
	struct nftnl_expr *e = add(x, "ct");

	u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	u32(e, NFTNL_EXPR_CT_SREG, reg_of(reg));
}

void bh_x_payload_set(struct bh_x *x, enum nft_payload_bases base, unsigned off, unsigned len,
		      unsigned reg, int csum_off, bool l4)
{
	struct nftnl_expr *e = add(x, "payload");

	u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, off);
	u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	u32(e, NFTNL_EXPR_PAYLOAD_SREG, reg_of(reg));
	u32(e, NFTNL_EXPR_PAYLOAD_CSUM_TYPE,
	    csum_off >= 0 ? NFT_PAYLOAD_CSUM_INET : NFT_PAYLOAD_CSUM_NONE);
	u32(e, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, csum_off >= 0 ? (uint32_t)csum_off : 0);
	u32(e, NFTNL_EXPR_PAYLOAD_FLAGS, l4 ? NFT_PAYLOAD_L4CSUM_PSEUDOHDR : 0);
}

void bh_x_tcp_option_reset(struct bh_x *x, unsigned option)
{
	struct nftnl_expr *e = add(x, "exthdr");

	/* Any further attribute, also a zero, and the kernel takes it for something else. */
	if (e)
		nftnl_expr_set_u8(e, NFTNL_EXPR_EXTHDR_TYPE, (uint8_t)option);
	u32(e, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT);
}

void bh_x_counter(struct bh_x *x, const char *name)
{
	struct nftnl_expr *e;

	if (!name) {
		(void)add(x, "counter");
		return;
	}
	e = add(x, "objref");
	u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	str(x, e, NFTNL_EXPR_OBJREF_IMM_NAME, name);
}

void bh_x_log(struct bh_x *x, uint16_t group, const char *prefix)
{
	struct nftnl_expr *e = add(x, "log");

	if (e)
		nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, group);
	str(x, e, NFTNL_EXPR_LOG_PREFIX, prefix);
}

void bh_x_dup(struct bh_x *x, unsigned reg_addr)
{
	u32(add(x, "dup"), NFTNL_EXPR_DUP_SREG_ADDR, reg_of(reg_addr));
}

void bh_x_queue(struct bh_x *x, bool native, uint16_t base, uint16_t n, bool bypass)
{
	struct nftnl_expr *e;
	struct xt_nfqueue *info;

	if (native) {
		e = add(x, "queue");
		if (e) {
			nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_NUM, base);
			nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_TOTAL, n);
			nftnl_expr_set_u16(e, NFTNL_EXPR_QUEUE_FLAGS,
					   bypass ? NFT_QUEUE_FLAG_BYPASS : 0);
		}
		return;
	}
	e = add(x, "target");
	str(x, e, NFTNL_EXPR_TG_NAME, "NFQUEUE");
	u32(e, NFTNL_EXPR_TG_REV, 3);
	info = e ? calloc(1, sizeof(*info)) : NULL;
	if (!info) {
		x->b->failed = true;
		return;
	}
	info->num = base;
	info->total = n;
	info->flags = bypass ? NFQ_BYPASS : 0;
	/* The expression owns it from here. */
	if (nftnl_expr_set(e, NFTNL_EXPR_TG_INFO, info, sizeof(*info)) < 0) {
		free(info);
		x->b->failed = true;
	}
}

void bh_x_reject_tcp(struct bh_x *x)
{
	u32(add(x, "reject"), NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
	bh_x_end(x);
}

void bh_x_reject_icmp(struct bh_x *x, uint8_t code)
{
	struct nftnl_expr *e = add(x, "reject");

	u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
	if (e)
		nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, code);
	bh_x_end(x);
}

static uint32_t place(const struct bh_x *x, uint32_t v)
{
	return bh_mark_place(v, x->mark_down);
}

void bh_x_if_word(struct bh_x *x, uint32_t mask, enum nft_cmp_ops op, uint32_t value)
{
	bh_x_meta(x, NFT_META_MARK, 0);
	bh_x_bits32(x, 0, 0, mask, 0);
	bh_x_cmp32(x, op, 0, value);
}

void bh_x_if_mark(struct bh_x *x, uint32_t mask, enum nft_cmp_ops op, uint32_t value)
{
	bh_x_if_word(x, place(x, mask), op, place(x, value));
}

void bh_x_if_ct_mark(struct bh_x *x, uint32_t mask, enum nft_cmp_ops op, uint32_t value)
{
	bh_x_ct(x, NFT_CT_MARK, 0, BH_X_NO_DIR);
	bh_x_bits32(x, 0, 0, place(x, mask), 0);
	bh_x_cmp32(x, op, 0, place(x, value));
}

void bh_x_ct_mark_bits(struct bh_x *x, uint32_t mask, unsigned reg)
{
	const uint32_t down = x->mark_down;
	struct nftnl_expr *e;

	bh_x_ct(x, NFT_CT_MARK, reg, BH_X_NO_DIR);
	bh_x_bits32(x, reg, reg, place(x, mask), 0);
	if (down == 0)
		return;
	e = add(x, "bitwise");
	u32(e, NFTNL_EXPR_BITWISE_SREG, reg_of(reg));
	u32(e, NFTNL_EXPR_BITWISE_DREG, reg_of(reg));
	u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof(down));
	u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_LSHIFT);
	bytes(x, e, NFTNL_EXPR_BITWISE_DATA, &down, sizeof(down));
}

void bh_x_if_ct_state(struct bh_x *x, uint32_t bits)
{
	bh_x_ct(x, NFT_CT_STATE, 0, BH_X_NO_DIR);
	bh_x_bits32(x, 0, 0, bits, 0);
	bh_x_cmp32(x, NFT_CMP_NEQ, 0, 0);
}

void bh_x_if_ct_dir(struct bh_x *x, uint8_t dir)
{
	bh_x_ct(x, NFT_CT_DIRECTION, 0, BH_X_NO_DIR);
	bh_x_cmp8(x, NFT_CMP_EQ, 0, dir);
}

void bh_x_if_l4(struct bh_x *x, enum nft_cmp_ops op, uint8_t l4)
{
	bh_x_meta(x, NFT_META_L4PROTO, 0);
	bh_x_cmp8(x, op, 0, l4);
}

void bh_x_if_tcp_flags(struct bh_x *x, uint8_t mask, enum nft_cmp_ops op, uint8_t value)
{
	static const uint8_t zero;

	bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_TCP);
	bh_x_payload(x, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1, 0);
	bh_x_bits(x, 0, 0, &mask, &zero, 1);
	bh_x_cmp(x, op, 0, &value, 1);
}

void bh_x_if_payload(struct bh_x *x)
{
	/* A load behind the end of the packet does not match. */
	bh_x_payload(x, NFT_PAYLOAD_INNER_HEADER, 0, 1, 0);
}

void bh_x_word(struct bh_x *x, uint32_t keep, uint32_t bits)
{
	if (keep == 0) {
		bh_x_imm(x, 0, &bits, sizeof(bits));
	} else {
		bh_x_meta(x, NFT_META_MARK, 0);
		bh_x_bits32(x, 0, 0, keep, bits);
	}
	bh_x_meta_set(x, NFT_META_MARK, 0);
}

void bh_x_mark(struct bh_x *x, uint32_t keep, uint32_t bits)
{
	bh_x_word(x, place(x, keep), place(x, bits));
}

void bh_x_ct_mark(struct bh_x *x, uint32_t keep, uint32_t bits)
{
	bh_x_ct(x, NFT_CT_MARK, 0, BH_X_NO_DIR);
	bh_x_bits32(x, 0, 0, place(x, keep), place(x, bits));
	bh_x_ct_mark_set(x, 0);
}
