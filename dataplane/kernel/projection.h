/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/projection.h - what a rule set becomes in the kernel: elements of maps and sets
 *
 * Pure: no netlink. The golden tests print it; transaction.c sends the difference of two of them.
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_KERNEL_PROJECTION_H
#define BH_DATAPLANE_KERNEL_PROJECTION_H

#include "common/buf.h"
#include "policy/compile.h"

/* Maps and sets of each family's table. */
enum bh_kset {
	BH_KSET_INVALID = 0,
	BH_KSET_PEER,    /* address -> class: every endpoint */
	BH_KSET_SUBJ_IN, /* address -> class: local endpoints that some policy selects for ingress */
	BH_KSET_SUBJ_EG,  /* the same for egress */
	BH_KSET_CIDR,     /* address range -> class of addresses of no endpoint (interval) */
	BH_KSET_PORT_TCP, /* port range -> piece (interval) */
	BH_KSET_PORT_UDP,
	BH_KSET_PORT_SCTP,
	BH_KSET_PORT_ICMP,  /* types and codes of the family's ICMP -> piece (interval) */
	BH_KSET_CELL,       /* direction . subject . peer . port . l4 -> decision word */
	BH_KSET_RESULT,     /* 0 . contract . result -> decision word; result 0 is "any other" */
	BH_KSET_GUARD_LINK, /* interface: what the guard knows (chains_guard.c) */
	BH_KSET_GUARD_MAC,  /* interface . MAC; a MAC of zeros: it is not known */
	BH_KSET_GUARD_IP,   /* interface . MAC . address */
	BH_KSET_GUARD_IP6,
	BH_KSET_GUARD_LL, /* interface . MAC . link-local address: for neighbour discovery */
	BH_KSET_STATE,    /* what the next agent must know (sets.h); never in a projection */
	BH_KSET_COUNT,
};

/* Tables that only the guard has, beside those of 4 and 6. */
#define BH_FAMILY_ARP    8
#define BH_FAMILY_BRIDGE 9

#define BH_KELEM_LOCAL 0x01U /* the address is one of this host's */

struct bh_kelem {
	uint8_t set;    /* enum bh_kset */
	uint8_t family; /* of the table: 4, 6, BH_FAMILY_ARP, BH_FAMILY_BRIDGE */
	uint8_t key_len;
	uint8_t
	    flag; /* not for the kernel; of `peer` BH_KELEM_LOCAL; also for those who make and compare lists */
	uint32_t data;       /* as the register holds it */
	uint32_t comment;    /* bh_projection_comment(); 0: none is known */
	uint8_t key[28];     /* as the kernel compares it */
	uint8_t key_end[16]; /* interval sets: inclusive end */
};

/*
 * Levels of look-up: a way to name the peer with a way to name the port. Those that no cell of a direction
 * uses get no rule. In the order in which they are asked (policy/ruleset.h).
 */
enum bh_level_peer {
	BH_LEVEL_PEER_CLASS,
	BH_LEVEL_PEER_ENDPOINT, /* any endpoint */
	BH_LEVEL_PEER_CIDR,     /* class of an address of no endpoint */
	BH_LEVEL_PEER_HOST,     /* the own node: only asked where it is at one end */
	BH_LEVEL_PEER_ANY,
	BH_LEVEL_PEER_COUNT,
};
enum bh_level_port {
	BH_LEVEL_PORT_EXACT,
	BH_LEVEL_PORT_CODE, /* type and code of ICMP */
	BH_LEVEL_PORT_TCP,  /* piece of a range */
	BH_LEVEL_PORT_UDP,
	BH_LEVEL_PORT_SCTP,
	BH_LEVEL_PORT_ICMP,
	BH_LEVEL_PORT_L4, /* any port of one protocol */
	BH_LEVEL_PORT_ANY,
	BH_LEVEL_PORT_COUNT,
};
#define BH_LEVEL_CONTRACT (UINT64_C(1) << 63) /* some cell is a contract */
#define BH_LEVEL_REPORT   (UINT64_C(1) << 62) /* some cell allows and is to be recorded */
#define BH_LEVEL_OPEN     (UINT64_C(1) << 61) /* some contract lets pass what cannot be judged */
#define BH_LEVEL_ALL      (BH_LEVEL_CONTRACT | BH_LEVEL_REPORT | BH_LEVEL_OPEN | UINT64_C(0xffffffffff))

static inline uint64_t bh_level(enum bh_level_peer peer, enum bh_level_port port)
{
	return UINT64_C(1) << ((unsigned)peer * BH_LEVEL_PORT_COUNT + (unsigned)port);
}

struct bh_projection {
	struct bh_kelem *elems; /* sorted by (family, set, key) */
	size_t n;
	uint64_t levels[2][2]; /* of the tables of family 4, 6; ingress, egress */
	uint64_t revision;
	struct bh_buf texts; /* comments, of a projection that was read from the kernel */
};

/* What stands beside an element in the kernel, as whoever put it there wrote it; "" where nothing is known. */
static inline const char *bh_projection_comment(const struct bh_projection *p,
						const struct bh_kelem *e)
{
	return e->comment > 0 && e->comment <= p->texts.len ? p->texts.data + e->comment - 1 : "";
}

/*
 * -EPROTO: what stands in the rule set or in @addrs cannot be enforced as it stands (an endpoint without a
 * class, addresses out of order, a port of a protocol that has none).
 */
int bh_projection_make(const struct bh_ruleset *rs, const struct bh_addr_class *addrs,
		       size_t n_addrs, struct bh_projection *ret) bh_must_check;
/* The levels that the cells in it need: for a projection that was read from the kernel. */
void bh_projection_levels(struct bh_projection *p);
/* Does any level of it have BH_LEVEL_OPEN? */
bool bh_projection_is_open(const struct bh_projection *p);
void bh_projection_done(struct bh_projection *p);
void bh_projection_print(const struct bh_projection *p, struct bh_buf *out);
/* <0, 0, >0 by (family, set, key). */
int bh_kelem_cmp(const struct bh_kelem *a, const struct bh_kelem *b);

const char *bh_kset_name(enum bh_kset s);       /* as `nft list` shows it */
enum bh_kset bh_kset_by_name(const char *name); /* BH_KSET_INVALID: none of ours */
bool bh_kset_is_interval(enum bh_kset s);
/* One of the guard's: a set without data, whose key begins with the index of an interface. */
static inline bool bh_kset_is_guard(enum bh_kset s)
{
	return s >= BH_KSET_GUARD_LINK && s <= BH_KSET_GUARD_LL;
}
/* Does the table of that family have it? */
bool bh_kset_is_in(enum bh_kset s, uint8_t family);
/* Is the data a decision word? Then what the chains go by stands behind it: eight bytes. */
bool bh_kset_has_words(enum bh_kset s);
/*
 * What stands in the words of contracts here, instead of the compiled form's flags. BH_WORD_OPEN: it refuses nothing
 * and is there for the record alone. Of one that can refuse:
 */
#define BH_KWORD_BLIND  0x04000000U /* passes when nobody can look (onOverload) */
#define BH_KWORD_UNSEEN 0x02000000U /* passes when its beginning was not seen (midstream) */
#define BH_KWORD_FLAGS  (BH_WORD_OPEN | BH_KWORD_BLIND | BH_KWORD_UNSEEN)

/* The verdict of a word; of ALLOW also whether it is to be recorded, of a contract its flags. */
static inline uint32_t bh_kset_verdict(uint32_t word)
{
	switch (bh_word_verdict(word)) {
	case BH_WORD_ALLOW:
		return word & (BH_WORD_VERDICT | BH_WORD_REPORT);
	case BH_WORD_CONTRACT:
		return word & (BH_WORD_VERDICT | BH_KWORD_FLAGS);
	default:
		return bh_word_verdict(word);
	}
}
size_t bh_kset_key_len(enum bh_kset s, uint8_t family); /* bytes; @family: 4, 6 */
/* A key as people read it. Return: @buf */
const char *bh_kset_key_text(enum bh_kset s, uint8_t family, const void *key, size_t key_len,
			     char *buf, size_t size);

#endif
