/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/expr.h - rules from expressions: a function for each expression that we use
 *
 * A rule is begun, expressions are added in the order in which the kernel runs them, and the rule ends with
 * what is to happen; it then stands in the batch. Registers are named by their 32-bit word, 0 to 15. Lack of
 * memory sticks to the batch.
 *
 * Thread-safety: as the batch.
 */
#ifndef BH_DATAPLANE_KERNEL_EXPR_H
#define BH_DATAPLANE_KERNEL_EXPR_H

#include "dataplane/kernel/batch.h"

#include <linux/netfilter/nf_tables.h>

struct bh_x {
	struct bh_batch *b;
	uint8_t family;          /* NFPROTO_IPV4, NFPROTO_IPV6 */
	struct nftnl_rule *rule; /* being made */
	uint8_t mark_down;       /* our bits in marks (dataplane/marks.h) */
};

void bh_x_rule(struct bh_x *x, const char *chain);
void bh_x_comment(struct bh_x *x, const char *text); /* shown by `nft list` */
void bh_x_end(struct bh_x *x);                       /* where the last expression ends it */

/* How a rule ends. */
void bh_x_accept(struct bh_x *x);
void bh_x_drop(struct bh_x *x);
void bh_x_return(struct bh_x *x);
void bh_x_goto(struct bh_x *x, const char *chain);
void bh_x_jump(struct bh_x *x, const char *chain);

struct bh_x_case {
	uint32_t key;
	int verdict;       /* NFT_GOTO, NFT_RETURN, ... */
	const char *chain; /* of NFT_GOTO, NFT_JUMP */
};
/*
 * By the value in register @reg; none of @cases: the rule does not match. Ends the rule. The register must be
 * one that nft(8) knows a length of (chains_level.c).
 */
void bh_x_switch(struct bh_x *x, unsigned reg, const struct bh_x_case *cases, size_t n);

/* Loads. */
void bh_x_meta(struct bh_x *x, enum nft_meta_keys key, unsigned reg);
#define BH_X_NO_DIR (-1)
void bh_x_ct(struct bh_x *x, enum nft_ct_keys key, unsigned reg, int dir);
void bh_x_payload(struct bh_x *x, enum nft_payload_bases base, unsigned off, unsigned len,
		  unsigned reg);
void bh_x_imm(struct bh_x *x, unsigned reg, const void *data, unsigned len);
void bh_x_fib_reverse(struct bh_x *x,
		      unsigned reg); /* 0 or 1: does the source route back where it came from */
void bh_x_tcp_option(struct bh_x *x, unsigned option, unsigned reg); /* 1 byte: is it there */
/* 2 bytes of an IPv6 fragment header; without one the rule does not match. Offset: the upper 13 bits */
void bh_x_frag_offset(struct bh_x *x, unsigned reg);

/* Comparisons: the rule does not match unless they hold. */
void bh_x_cmp(struct bh_x *x, enum nft_cmp_ops op, unsigned reg, const void *data, unsigned len);
void bh_x_cmp32(struct bh_x *x, enum nft_cmp_ops op, unsigned reg, uint32_t value);
void bh_x_cmp8(struct bh_x *x, enum nft_cmp_ops op, unsigned reg, uint8_t value);

/* @dst = @src & @mask ^ @xor */
void bh_x_bits(struct bh_x *x, unsigned src, unsigned dst, const void *mask, const void * xor,
	       unsigned len);
void bh_x_bits32(struct bh_x *x, unsigned src, unsigned dst, uint32_t mask, uint32_t xor);

/* @set: a map; the rule does not match if the key at @src is not in it. */
void bh_x_map(struct bh_x *x, const char *set, unsigned src, unsigned dst);

/* @set: no map; its elements count who finds them. The rule does not match if the key at @reg is not in it. */
void bh_x_in_set(struct bh_x *x, const char *set, unsigned reg);
/* The other way round: not if it is in it. */
void bh_x_not_in_set(struct bh_x *x, const char *set, unsigned reg);
/* The key at @reg is in @set from now on, with a counter of its own. The rule does not match where there is no room. */
void bh_x_set_add(struct bh_x *x, const char *set, unsigned reg);

/* Stores and statements. */
void bh_x_meta_set(struct bh_x *x, enum nft_meta_keys key, unsigned reg);
void bh_x_ct_mark_set(struct bh_x *x, unsigned reg);
/* @csum_off < 0: no checksum there; @l4: also the one of the transport header (pseudo header). */
void bh_x_payload_set(struct bh_x *x, enum nft_payload_bases base, unsigned off, unsigned len,
		      unsigned reg, int csum_off, bool l4);
void bh_x_tcp_option_reset(struct bh_x *x, unsigned option);
void bh_x_counter(struct bh_x *x, const char *name); /* NULL: the rule's own */
void bh_x_log(struct bh_x *x, uint16_t group, const char *prefix);
void bh_x_dup(struct bh_x *x, unsigned reg_addr);
/* @bypass: where nobody listens the packet goes on to the next hook; else it is dropped. */
void bh_x_queue(struct bh_x *x, bool native, uint16_t base, uint16_t n, bool bypass);
void bh_x_reject_tcp(struct bh_x *x);                /* ends the rule */
void bh_x_reject_icmp(struct bh_x *x, uint8_t code); /* ends the rule */

/* Short forms: (load & mask) op value. Of marks: our bits, in their usual place; the expressions have them in theirs. */
void bh_x_if_mark(struct bh_x *x, uint32_t mask, enum nft_cmp_ops op, uint32_t value);
void bh_x_if_ct_mark(struct bh_x *x, uint32_t mask, enum nft_cmp_ops op, uint32_t value);
void bh_x_if_ct_state(struct bh_x *x, uint32_t bits); /* one of them */
void bh_x_if_ct_dir(struct bh_x *x, uint8_t dir);
void bh_x_if_l4(struct bh_x *x, enum nft_cmp_ops op, uint8_t l4);
void bh_x_if_tcp_flags(struct bh_x *x, uint8_t mask, enum nft_cmp_ops op, uint8_t value);
void bh_x_if_payload(struct bh_x *x); /* behind the transport header stands at least a byte */
/* The whole mark of a packet that dies: reasons and words. */
void bh_x_if_word(struct bh_x *x, uint32_t mask, enum nft_cmp_ops op, uint32_t value);
void bh_x_word(struct bh_x *x, uint32_t keep, uint32_t bits);
/* Our bits of the connection's mark into @reg, @mask of them, in their usual place. */
void bh_x_ct_mark_bits(struct bh_x *x, uint32_t mask, unsigned reg);
/* mark = mark & keep | bits (bits outside of keep) */
void bh_x_mark(struct bh_x *x, uint32_t keep, uint32_t bits);
void bh_x_ct_mark(struct bh_x *x, uint32_t keep, uint32_t bits);

#endif
