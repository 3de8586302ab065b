/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile_internal.h - what the phases of the compiler share (inside policy/ only)
 *
 * The phases, in order; each reads what those before it made and changes nothing of it:
 *
 *	compile_terms.c	policies -> terms (what a selector, an ipBlock can say about an address)
 *	compile_match.c	endpoints -> groups of equal namespace, labels, ports -> terms that match each
 *	compile_cidr.c	ipBlocks -> disjoint pieces of the address space
 *	compile_class.c	addresses -> classes by match vector, numbered
 *	compile_port.c	port ranges -> disjoint pieces
 *	compile_row.c	subjects x peers -> rows of (protocol, port) -> word
 *	compile_judge.c	the rules that match -> word, or contract
 *	compile_emit.c	numbers for reasons and contracts; the block
 *
 * Thread-safety: a run belongs to one thread.
 */
#ifndef BH_POLICY_COMPILE_INTERNAL_H
#define BH_POLICY_COMPILE_INTERNAL_H

#include "policy/compile.h"
#include "policy/compile_number.h"

#define BH_NONE UINT32_MAX

/* Address families of a class: subjects need no rows for peers that cannot reach them. */
#define BH_FAMILY_4    1U
#define BH_FAMILY_6    2U
#define BH_FAMILY_BOTH 3U

struct bh_compiler {
	struct bh_dict terms;       /* text of a term -> id; vectors are lists of ids */
	struct bh_dict ep_classes;  /* vector -> class of endpoints */
	struct bh_dict out_classes; /* vector -> class of a CIDR piece */
	struct bh_dict pieces;      /* (l4, lo, hi) -> port piece */
	struct bh_dict reasons;
	struct bh_dict contracts;
	uint64_t revision; /* highest seen */
};

enum bh_term_kind {
	BH_TERM_SELECTOR,
	BH_TERM_BLOCK,
};

/* One thing that policies ask of an address. */
struct bh_term {
	enum bh_term_kind kind;
	const char *ns; /* selector: this namespace; NULL: those that ns_sel matches */
	const struct bh_selector *ns_sel;
	const struct bh_selector *pod; /* NULL: every endpoint there */
	const struct bh_ip_block *block;
	uint32_t id;             /* in the compiler's dictionary */
	struct bh_u32s policies; /* selector: whose subject it is */
	struct bh_u32s classes;  /* indexes of classes it matches */
};

struct bh_cport {
	uint8_t l4; /* BH_L4_ANY only with a name, or with every port */
	uint16_t lo, hi;
	uint32_t name; /* index into port_names; BH_NONE: numeric */
};

/* A rule of a policy that has an effect in its direction. */
struct bh_crule {
	const struct bh_rule *src;
	uint32_t policy;      /* index in the set */
	uint32_t index;       /* in the policy's list */
	bool any_peer;        /* no peers: every address */
	bool any_endpoint;    /* some peer matches every endpoint there is */
	bool named;           /* some port is a name */
	struct bh_u32s peers; /* terms */
	struct bh_cport *ports;
	size_t n_ports;
};

struct bh_cpolicy {
	const struct bh_policy *src;
	bool monitor;
	bool effective[BH_DIR_COUNT]; /* isolates, or has rules that count */
	struct bh_crule *rules[BH_DIR_COUNT];
	size_t n_rules[BH_DIR_COUNT];
};

/* What a named port is on an endpoint; a port vector is an array of these, sorted. */
struct bh_resolved {
	uint32_t name; /* index into port_names */
	uint32_t l4, port;
};

/* Endpoints of one namespace with equal labels and ports. */
struct bh_group {
	const char *ns;
	const struct bh_labels *labels;
	uint32_t ports;       /* index into port_vecs */
	struct bh_u32s terms; /* selector terms that match, ascending */
};

struct bh_caddr {
	struct bh_addr addr;
	uint32_t ep, group, cls; /* indexes */
	bool local;
};

struct bh_piece {
	struct bh_addr lo, hi;
	uint32_t cidrs; /* index into cidr_sets */
	uint32_t cls;   /* index into classes */
};

/* One match vector. */
struct bh_cclass {
	bool endpoint, local;
	uint8_t families; /* of its addresses: FAMILY bits */
	uint32_t number;
	uint32_t group; /* one that has this vector; endpoints only */
	uint32_t cidrs; /* index into cidr_sets */
	uint32_t ports; /* index into port_vecs */
	/* Subject: index into sigmas; BH_NONE: no policy, or no cells. */
	uint32_t sigma[BH_DIR_COUNT];
	bool selected[BH_DIR_COUNT];
};

struct bh_port_cut {
	uint8_t l4;
	uint16_t lo, hi;
	uint32_t id;
};

struct bh_rcell {
	uint32_t l4, port, word;
};

struct bh_sigma_peer {
	uint32_t peer; /* as in a cell */
	uint32_t row;  /* index into rows */
	uint8_t families;
};

/* Subjects for which the same policies hold in a direction share one of these. */
struct bh_sigma {
	enum bh_dir dir;
	uint32_t ports; /* ingress: the subject's port vector */
	uint32_t *policies;
	size_t n_policies;
	const struct bh_crule **rules; /* in order of precedence */
	size_t n_rules;
	bool isolated; /* by an enforced policy */
	bool named;
	struct bh_intern memo; /* set of matching rules -> index into words */
	struct bh_u32s words;
	struct bh_sigma_peer *peers; /* sorted by peer */
	size_t n_peers;
};

/* A reason before it has its number. */
struct bh_creason {
	uint32_t kind, dir, policy, rule; /* rule: index in the policy's list */
	bool has_expected;
	struct bh_protoset expected;
	char *text;
	uint32_t number;
};

struct bh_run {
	struct bh_compiler *c;
	const struct bh_policy_set *set;
	const struct bh_endpoint *const *eps;
	size_t n_eps;
	struct bh_err *err;

	struct bh_intern term_texts;
	struct bh_term *terms;
	size_t cap_terms;
	struct bh_intern port_names;
	struct bh_u32s *port_classes; /* for each name: endpoint classes that resolve it */
	struct bh_cpolicy *policies;

	struct bh_intern port_vecs;      /* 0 is the empty one */
	struct bh_intern port_vec_texts; /* "port web=80/tcp", at the same indexes */
	/* Ids in the compiler's term dictionary; BH_NONE for the empty one. */
	struct bh_u32s port_vec_ids;
	struct bh_intern group_keys;
	struct bh_group *groups;
	size_t cap_groups;

	struct bh_intern cidr_sets; /* arrays of block terms; 0 is the empty one */
	struct bh_piece *pieces;    /* sorted, disjoint */
	size_t n_pieces;

	struct bh_caddr *addrs;
	size_t n_addrs;
	struct bh_cclass *classes;
	size_t n_classes;
	uint32_t *by_number; /* class indexes in order of their numbers */

	struct bh_port_cut *cuts; /* sorted by l4, lo */
	size_t n_cuts;

	struct bh_intern sigma_keys;
	struct bh_sigma *sigmas;
	size_t cap_sigmas;
	struct bh_intern rows; /* arrays of bh_rcell, words not yet final */

	struct bh_intern reason_keys;
	struct bh_creason *reasons;
	size_t cap_reasons;
	struct bh_intern contracts; /* arrays of words, not yet final */
};

/* Grows *@arr, an array of elements of @size bytes, to hold index @i; new room is zeroed. */
int bh_grow(void *arr, size_t *cap, size_t i, size_t size) bh_must_check;

int bh_phase_terms(struct bh_run *run) bh_must_check;
int bh_phase_match(struct bh_run *run) bh_must_check;
int bh_phase_cidr(struct bh_run *run) bh_must_check;
int bh_phase_class(struct bh_run *run) bh_must_check;
int bh_phase_port(struct bh_run *run) bh_must_check;
int bh_phase_row(struct bh_run *run) bh_must_check;
int bh_phase_emit(struct bh_run *run, uint64_t revision, struct bh_ruleset **ret) bh_must_check;

static inline uint8_t bh_family_bit(const struct bh_addr *a)
{
	return a->family == 4 ? BH_FAMILY_4 : BH_FAMILY_6;
}

/* Index into cidr_sets of the blocks that hold @a. */
uint32_t bh_cidr_set_of(const struct bh_run *run, const struct bh_addr *a);

/* Word for a set of rules of @s that match: @set is a bit set of n_rules bits. */
int bh_judge(struct bh_run *run, struct bh_sigma *s, const uint64_t *set, uint32_t *ret_word)
    bh_must_check;

static inline size_t bh_set_words(size_t n_bits)
{
	return (n_bits + 63) / 64;
}
static inline bool bh_set_has(const uint64_t *set, size_t i)
{
	return set[i / 64] >> (i % 64) & 1;
}
static inline void bh_set_add(uint64_t *set, size_t i)
{
	set[i / 64] |= UINT64_C(1) << (i % 64);
}

#endif
