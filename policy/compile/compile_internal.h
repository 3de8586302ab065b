/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_internal.h - what the parts of the compiler share (inside policy/ only)
 *
 * What is known stands in one state that grows and shrinks by single changes; compile.c tells which part is called when
 * something changes. The parts, in the direction in which things follow from each other:
 *
 *	compile_policy.c	policies -> rules, terms (what a selector, an ipBlock can say about an address), ranges
 *	compile_term.c		terms: their texts, and an index label -> terms, groups, so that few of them have to meet
 *	compile_group.c		endpoints -> addresses; endpoints of equal namespace, labels, ports -> groups
 *	compile_cidr.c		terms about addresses -> disjoint pieces of the address space
 *	compile_class.c		addresses -> classes by match vector
 *	compile_sigma.c		classes that are subjects -> what policies hold for them
 *	compile_peer.c		... and a row for every peer
 *	compile_row.c		the rules that match a peer -> (protocol, ports) -> word
 *	compile_judge.c		the rules that match a packet -> what happens, for every protocol
 *	compile_word.c		what happens -> words, reasons, contracts, graphs
 *	compile_vector.c	numbers of classes, that last
 *	compile_mark.c		which reasons, contracts, graphs are in use, and their numbers
 *	compile_emit.c		the block
 *
 * Things are kept in slots (compile_number.h), named by the slot's number, and counted.
 *
 * Thread-safety: a state belongs to one thread.
 */
#ifndef BH_POLICY_COMPILE_INTERNAL_H
#define BH_POLICY_COMPILE_INTERNAL_H

#include "policy/compile.h"
#include "policy/compile/compile_number.h"

#define BH_NONE UINT32_MAX

/* Address families of a class: subjects need no rows for peers that cannot reach them. */
#define BH_FAMILY_4    1U
#define BH_FAMILY_6    2U
#define BH_FAMILY_BOTH 3U

struct bh_state;

struct bh_compiler {
	/* Numbers, known by contents, that keep their meaning. */
	struct bh_dict terms;       /* text of a term -> id; vectors are lists of ids */
	struct bh_dict ep_classes;  /* vector -> class of endpoints */
	struct bh_dict out_classes; /* vector -> class of a CIDR piece */
	struct bh_dict pieces;      /* (l4, lo, hi) -> port piece */
	struct bh_dict reasons;
	struct bh_dict contracts;
	struct bh_dict preds;
	uint64_t revision; /* highest seen */
	uint64_t swept;
	struct bh_state *s; /* NULL: nothing is known */
};

/* ---- terms ---- */

enum bh_term_kind {
	BH_TERM_SELECTOR,
	/* About addresses: */
	BH_TERM_BLOCK,
	BH_TERM_NODES, /* of nodes with some labels */
	BH_TERM_NAMES, /* that DNS gave for some names */
	BH_TERM_RESOLVERS,
	BH_TERM_RESERVED, /* of nodes and in the cluster's ranges: not the world */
};

/* One thing that policies ask of an address. */
struct bh_term {
	enum bh_term_kind kind;
	struct bh_policy *owner;       /* a reference; what follows may point into it */
	uint32_t ns;                   /* SELECTOR: this namespace; BH_NONE: those of nssel */
	uint32_t nssel;                /* BH_NONE: bound to ns */
	const struct bh_selector *pod; /* NULL: every endpoint there */
	const struct bh_ip_block *block;
	const struct bh_selector *nodes; /* NULL: all */
	const struct bh_strlist *names;
	uint32_t id;             /* in the compiler's dictionary; 0: not yet */
	uint32_t label;          /* where it is filed: a label; BH_NONE: with ns or nssel */
	struct bh_u32s subjects; /* policies that have it as their subject */
	struct bh_u32s vecs;     /* of groups that match */
	struct bh_u32s csets;    /* of pieces that match */
	struct bh_u32s sigmas;   /* that have it as a peer */
};

/* A label (in one namespace, or in any): who has it, which terms want it. */
struct bh_label_entry {
	struct bh_u32s groups; /* in one namespace only */
	struct bh_u32s terms;
};

struct bh_nssel {
	struct bh_policy *owner;
	const struct bh_selector *sel;
	struct bh_u32s namespaces; /* that match; ascending */
	struct bh_u32s terms;      /* all that have it */
	struct bh_u32s bare;       /* those without a label to be filed by */
};

struct bh_ns {
	struct bh_labels labels;
	struct bh_u32s nssels; /* that match; ascending */
	struct bh_u32s groups;
	struct bh_u32s bare; /* terms of this namespace without a label to be filed by */
};

/* ---- policies ---- */

struct bh_cport {
	uint8_t l4; /* BH_L4_ANY only with a name, or with every port */
	uint16_t lo, hi;
	uint32_t name; /* port name; BH_NONE: numeric */
};

/* A rule of a policy that holds now and has an effect in its direction. */
struct bh_crule {
	const struct bh_rule *src;
	uint32_t policy;
	uint32_t index;    /* in the policy's list */
	bool any_peer;     /* every address; the own node's only where it is judged like others */
	bool any_endpoint; /* every endpoint */
	bool world;        /* every other address that is not RESERVED */
	bool host;         /* the own node */
	bool deny_all;     /* a peer of a later version: denies everything */
	bool named;        /* some port is a name */
	bool no_ports;     /* ports are asked for that are none: never matches */
	struct bh_u32s peers; /* terms */
	struct bh_cport *ports;
	size_t n_ports;
	uint32_t *preds; /* one for each detail */
};

struct bh_cpolicy {
	struct bh_policy *src; /* a reference */
	uint64_t serial;       /* never used again */
	enum bh_mode mode;     /* now */
	int64_t next;          /* when something about it changes */
	uint32_t subject;      /* term; BH_NONE: no effect at all */
	bool effective[BH_DIR_COUNT];
	struct bh_crule *rules[BH_DIR_COUNT]; /* with gaps: crule.index tells */
	size_t n_rules[BH_DIR_COUNT];
	uint32_t mark, index, first[BH_DIR_COUNT]; /* of the last emission: itself, its rules */
};

/* ---- endpoints ---- */

/* What a named port is on an endpoint. */
struct bh_resolved {
	uint32_t name, l4, port;
};

struct bh_group {
	uint32_t ns;
	struct bh_labels labels; /* the texts stand in the slot's key */
	struct bh_resolved *ports;
	size_t n_ports;
	struct bh_u32s label_entries;
	struct bh_u32s terms; /* that match, ascending */
	struct bh_u32s addrs; /* of those it belongs to */
	uint32_t vec;         /* BH_NONE: not yet */
	bool host_judged;     /* as of its endpoints */
	bool dirty;           /* vec has to be looked at again */
};

struct bh_caddr {
	struct bh_addr addr;
	uint32_t owner;     /* index of an endpoint */
	uint32_t group;     /* the owner's, in whose list it is; BH_NONE */
	uint32_t cset, cls; /* BH_NONE: not yet */
	bool local;
	bool counted_local;    /* in the class's count */
	bool dirty;            /* cls has to be looked at again */
	struct bh_u32s claims; /* everybody who lists it */
};

struct bh_cep {
	bool present, local;
	uint32_t group;
	uint32_t *addrs; /* slots */
	size_t n_addrs;
};

struct bh_port_name {
	uint32_t uses; /* by rules */
	struct bh_u32s groups;
	struct bh_u32s vecs;   /* that resolve it */
	struct bh_u32s sigmas; /* for egress, that have it */
};

/* ---- classes ---- */

/*
 * What selectors and named ports say, and whether the own node is judged like others. The key is a struct bh_vec_head,
 * terms, then struct bh_resolved.
 */
struct bh_vec_head {
	uint32_t n_terms, host_judged;
};
struct bh_vec {
	struct bh_u32s classes;
	uint32_t
	    ports_id; /* what ports come to, in the dictionary of terms; BH_NONE: to nothing; 0: not yet */
};
/* What terms about addresses say; the key is the terms, ascending. */
struct bh_cset {
	struct bh_u32s classes; /* of endpoints */
	uint32_t outside;       /* class of other addresses; BH_NONE */
};

struct bh_cclass {
	uint32_t vec; /* BH_NONE: of addresses of no endpoint */
	uint32_t cset;
	uint32_t n[2]; /* addresses (pieces) of family 4, 6 */
	uint32_t n_local;
	uint32_t number; /* 0: not yet */
	uint32_t text;   /* offset + 1; 0: not yet */
	uint32_t sigma[BH_DIR_COUNT];
	bool selected[BH_DIR_COUNT];
	bool resubject;  /* sigma has to be looked at again */
	uint8_t emitted; /* BH_FAMILY_*: for these the block has its cells */
};

struct bh_piece {
	struct bh_addr lo, hi;
	uint32_t cset;
};

struct bh_port_cut {
	uint8_t l4;
	uint16_t lo, hi;
	uint32_t id;
};

/* Ports of one protocol: all of them (0..65535), one, or a piece that ranges of the row's rules cut out. */
struct bh_rcell {
	uint16_t lo, hi;
	uint8_t l4; /* 0: every protocol */
	uint8_t pad[3];
	uint32_t word; /* with preliminary numbers */
};

struct bh_sigma_peer {
	uint32_t cls; /* slot */
	uint32_t row;
};
struct bh_sigma_term {
	uint32_t term, rule;
};

/* Subjects for which the same policies hold in a direction share one of these. */
struct bh_sigma {
	enum bh_dir dir;
	uint8_t families;
	struct bh_resolved *ports; /* ingress: what names are at the subject */
	size_t n_ports;
	uint32_t *policies; /* in order of evaluation */
	size_t n_policies;
	const struct bh_crule **rules; /* in order of evaluation */
	size_t n_rules;
	size_t first[BH_TIER_COUNT + 1]; /* rules of tier t: first[t] .. first[t + 1] - 1 */
	bool isolated;                   /* by an enforced policy */
	bool host_judged;                /* ingress: the own node is judged like others */
	bool named;
	bool world;                  /* some rule says so */
	struct bh_sigma_term *terms; /* ascending */
	size_t n_terms;
	uint64_t *every, *endpoints,
	    *outside;          /* rules for every address; endpoint; address of the world */
	uint64_t *scratch;     /* a set */
	struct bh_intern memo; /* set of matching rules -> index into words */
	struct bh_u32s words;
	struct bh_intern row_memo; /* (ports, set) -> index into rows */
	struct bh_u32s rows;
	uint32_t row_any, row_ep, row_host;
	bool unordered;                  /* by_number has to be made */
	struct bh_sigma_peer *by_number; /* peers in the order of their classes' numbers */
	/* row_ep, row_any are not what an endpoint, an address of the world gets that no term names. */
	bool ep_unusual, any_unusual;
	struct bh_sigma_peer
	    *peers; /* ascending by slot; only those whose row is another than row_any, row_ep */
	size_t n_peers, cap_peers;
};

/* ---- words ---- */

/* A reason before it has its number. */
struct bh_creason {
	uint32_t kind, dir, policy, rule; /* rule: index in the policy's list */
	bool has_expected;
	struct bh_protoset expected;
	char *text;
	uint32_t number;   /* 0: not yet */
	uint32_t text_off; /* offset + 1; 0: not yet */
	uint32_t mark;
};

struct bh_ccontract {
	uint32_t number;
	uint32_t mark;
};

struct bh_cnode {
	uint32_t pred, yes, no;
};

/* What is below a node. */
struct bh_cnode_info {
	uint32_t worst, sample; /* words of leaves */
	bool mixed;             /* leaves differ */
	bool learning;          /* some leaf is there to be learned from */
	uint32_t mark, index;   /* of the last emission */
};

struct bh_cpred {
	const struct bh_detail *detail; /* of the owner */
	struct bh_policy *owner;
	uint32_t number;
	uint32_t mark, index; /* of the last emission */
};

/* The key of a contract: the head, then n entries. */
struct bh_contract_key_entry {
	uint32_t proto, word, next, switches, proxy;
};
struct bh_contract_key {
	uint32_t other, unknown, undecided, other_next, unknown_next, on_overload, midstream, n;
	struct bh_contract_key_entry e[];
};

struct bh_state {
	struct bh_compiler *c;
	struct bh_err *err; /* of the call at hand */
	int64_t now;
	bool offline; /* nobody is local: everybody is a subject */
	bool stale;   /* too much has been given up: begin anew */

	struct bh_slots term_texts;
	struct bh_term *terms;
	size_t cap_terms;
	struct bh_slots nssel_texts;
	struct bh_nssel *nssels;
	size_t cap_nssels;
	struct bh_intern ns_names;
	struct bh_ns *ns;
	size_t cap_ns;
	struct bh_intern label_keys;
	struct bh_label_entry *labels;
	size_t cap_labels;

	/* Policies by slot; the set they came from keeps the order. */
	struct bh_cpolicy **policies;
	size_t n_policies, cap_policies;
	struct bh_u32s free_policies, later_policies;
	uint32_t *in_set; /* by the set's order: slots */
	size_t n_in_set;
	uint64_t serial;

	struct bh_intern port_names;
	struct bh_port_name *names;
	size_t cap_names;
	struct bh_slots ranges; /* (l4, lo, hi) of rules */
	struct bh_port_cut *cuts;
	size_t n_cuts;

	struct bh_node **nodes; /* copies; terms about addresses are made from them */
	size_t n_nodes;
	struct bh_prefix *cluster;
	size_t n_cluster;
	struct bh_addr *resolvers;
	size_t n_resolvers;
	struct bh_known_name *known; /* copies */
	size_t n_known;

	struct bh_slots group_keys;
	struct bh_group *groups;
	size_t cap_groups;
	struct bh_caddr *addrs;
	size_t n_addrs, cap_addrs; /* slots */
	struct bh_u32s free_addrs;
	uint32_t *by_addr; /* slots, in order of addresses */
	size_t n_by_addr, cap_by_addr;
	struct bh_cep *eps;
	size_t n_eps, cap_eps;

	struct bh_slots cset_keys; /* 0 is the empty one */
	struct bh_cset *csets;
	size_t cap_csets;
	struct bh_piece *pieces; /* sorted, disjoint, none with the empty set */
	size_t n_pieces;
	struct bh_slots vec_keys;
	struct bh_vec *vecs;
	size_t cap_vecs;
	struct bh_slots class_keys;
	struct bh_cclass *classes;
	size_t cap_classes;
	size_t n_local;      /* addresses */
	uint32_t *by_number; /* classes that have one, in its order */
	size_t n_by_number, cap_by_number;

	struct bh_slots sigma_keys;
	struct bh_sigma *sigmas;
	size_t cap_sigmas;
	struct bh_slots row_keys; /* arrays of bh_rcell */

	struct bh_intern reason_keys;
	struct bh_creason *reasons;
	size_t cap_reasons;
	struct bh_intern contract_keys;
	struct bh_ccontract *contracts;
	size_t cap_contracts;
	struct bh_intern node_keys; /* struct bh_cnode; each after those that it leads to */
	struct bh_cnode_info *node_infos;
	size_t cap_node_infos;
	struct bh_intern pred_keys;
	struct bh_cpred *preds;
	size_t cap_preds;
	struct bh_buf texts; /* as it will stand in the block */
	size_t texts_kept;   /* bytes when it was last made anew */

	/* What has to be done. */
	bool pieces_dirty, cuts_dirty;
	bool changed; /* the block is not what it was */
	struct bh_u32s dirty_groups, dirty_addrs;
	struct bh_u32s born; /* classes */
	struct bh_u32s resubject;
	struct bh_u32s
	    idle; /* classes that lost all of something: looked at before the next block is made */
	struct bh_u32s ep_csets;  /* with classes of endpoints; ascending */
	struct bh_u32s outsiders; /* classes of addresses of no endpoint; ascending */
	struct bh_buf key;        /* scratch: for whoever looks something up */

	struct bh_ruleset *rules; /* the last one made */
	uint32_t emission;
};

/* Grows *@arr, an array of elements of @size bytes, to hold index @i; new room is zeroed. */
int bh_grow(void *arr, size_t *cap, size_t i, size_t size) bh_must_check;

/* compile_term.c */
/* With a reference. @t: filled but for what the index keeps; @p: whose it is. */
int bh_term_get(struct bh_state *s, const struct bh_term *t, const struct bh_selector *ns_sel,
		struct bh_policy *p, uint32_t *ret) bh_must_check;
int bh_term_put(struct bh_state *s, uint32_t term) bh_must_check;
void bh_term_done(struct bh_term *t);
int bh_ns_get(struct bh_state *s, const char *name, uint32_t *ret) bh_must_check;
/* Labels of the namespaces that were declared; the others have their name only. */
int bh_ns_declare(struct bh_state *s, const struct bh_policy_set *set) bh_must_check;
/* Files the group, and finds the terms that match it. */
int bh_group_index(struct bh_state *s, uint32_t group) bh_must_check;
void bh_group_unindex(struct bh_state *s, uint32_t group);
int bh_group_dirty(struct bh_state *s, uint32_t group) bh_must_check;
/* All that have this term as their subject were policies are others now. */
int bh_term_resubject(struct bh_state *s, uint32_t term) bh_must_check;

/* compile_policy.c */
/* @back: time went back since the last call. */
int bh_policies_apply(struct bh_state *s, const struct bh_policy_set *set, bool back) bh_must_check;
void bh_cpolicy_free(struct bh_cpolicy *p);

/* compile_group.c */
int bh_port_name_get(struct bh_state *s, const char *name, uint32_t *ret) bh_must_check;
int bh_endpoint_put(struct bh_state *s, uint32_t index, const struct bh_endpoint *ep) bh_must_check;
int bh_surroundings_apply(struct bh_state *s, const struct bh_policy_set *set,
			  const struct bh_surroundings *around) bh_must_check;
void bh_surroundings_forget(struct bh_state *s);
int bh_addr_dirty(struct bh_state *s, uint32_t addr) bh_must_check;
void bh_group_done(struct bh_group *g);

/* compile_cidr.c */
int bh_pieces_make(struct bh_state *s) bh_must_check;
uint32_t bh_cset_of(const struct bh_state *s, const struct bh_addr *a);
const uint32_t *bh_cset_terms(const struct bh_state *s, uint32_t cset, size_t *ret_n);
int bh_cset_get(struct bh_state *s, const uint32_t *terms, size_t n, uint32_t *ret) bh_must_check;
int bh_cset_put(struct bh_state *s, uint32_t cset) bh_must_check;

/* compile_class.c */
int bh_classes_settle(struct bh_state *s) bh_must_check;
/* The address is in no class any more. */
int bh_class_leave(struct bh_state *s, uint32_t addr) bh_must_check;
/* A piece of the address space (or, with the empty set, the rest of it) comes, goes. */
int bh_class_outside(struct bh_state *s, uint32_t cset, uint8_t family) bh_must_check;
int bh_class_outside_drop(struct bh_state *s, uint32_t cset, uint8_t family) bh_must_check;
void bh_vec_put(struct bh_state *s, uint32_t vec);
int bh_classes_purge(struct bh_state *s) bh_must_check;
int bh_class_resubject(struct bh_state *s, uint32_t cls) bh_must_check;
const uint32_t *bh_vec_terms(const struct bh_state *s, uint32_t vec, size_t *ret_n);
const struct bh_resolved *bh_vec_ports(const struct bh_state *s, uint32_t vec, size_t *ret_n);
bool bh_vec_host_judged(const struct bh_state *s, uint32_t vec);
static inline uint8_t bh_class_families(const struct bh_cclass *c)
{
	return (uint8_t)((c->n[0] ? BH_FAMILY_4 : 0) | (c->n[1] ? BH_FAMILY_6 : 0));
}

/* compile_peer.c */
/* Rows for all peers that there are. */
int bh_peers_make(struct bh_state *s, struct bh_sigma *g) bh_must_check;
/* The row of one, which may be there already. */
int bh_peer_update(struct bh_state *s, uint32_t sigma, uint32_t cls) bh_must_check;
/* The class is about to be forgotten. */
void bh_sigmas_forget(struct bh_state *s, uint32_t cls);

/* compile_sigma.c */
int bh_sigmas_settle(struct bh_state *s) bh_must_check;
int bh_sigma_put(struct bh_state *s, uint32_t sigma) bh_must_check;
void bh_sigma_done(struct bh_sigma *g);

/* compile_row.c */
int bh_cuts_make(struct bh_state *s) bh_must_check;
/* The row of a peer for which the rules @match hold and whose named ports are @ports; not referenced. */
int bh_row_make(struct bh_state *s, struct bh_sigma *g, const uint64_t *match,
		const struct bh_resolved *ports, size_t n_ports, bool host, uint32_t *ret)
    bh_must_check;

/* compile_judge.c: what happens to a packet for which a set of rules matches. */

/* A protocol that no rule names. */
#define BH_OTHER 0U

struct bh_answer {
	uint32_t word; /* verdict and flags */
	enum bh_reason_kind kind;
	uint32_t policy;    /* BH_NONE */
	uint32_t rule;      /* index in the policy's list; BH_NONE */
	bool stays_unknown; /* by unknownProtocol */
};

struct bh_judge_run {
	struct bh_state *s;
	struct bh_sigma *g;
	const uint64_t *set; /* rules of g that match peer and port */
	bool host;           /* the peer is the own node, which isolation does not bind */
	/* Predicates whose truth is supposed. */
	struct {
		uint32_t pred;
		bool holds;
	} given[64];
	size_t n_given;
	bool hopeful;  /* open conditions come out as well as they can */
	uint32_t need; /* the predicate that has to be known */
};
/* true: *@ret holds; false: j->need has to be given first. */
bool bh_judge_proto(struct bh_judge_run *j, unsigned proto, struct bh_answer *ret);
/* Only the verdict, if besides the enforced policies @tried held. */
bool bh_judge_verdict(struct bh_judge_run *j, unsigned proto, uint32_t tried,
		      struct bh_answer *ret);

/* compile_word.c */
int bh_word_for(struct bh_state *s, struct bh_sigma *g, const uint64_t *set, bool host,
		uint32_t *ret) bh_must_check;
int bh_pred_get(struct bh_state *s, const struct bh_detail *d, struct bh_policy *p, uint32_t *ret)
    bh_must_check;
void bh_detail_put_text(struct bh_buf *b, const struct bh_detail *d);

/* compile_emit.c */
int bh_emit(struct bh_state *s, uint64_t revision, bool check) bh_must_check;
/* Terms and classes. @all: those that have numbers, too: they are used. */
int bh_number_classes(struct bh_state *s, bool all) bh_must_check;
void bh_class_unnumber(struct bh_state *s, uint32_t cls);
uint32_t bh_emit_text(struct bh_state *s, const char *text);
int bh_emit_class_text(struct bh_state *s, uint32_t cls) bh_must_check;
/* compile_mark.c: what the block will name */
struct bh_live {
	struct bh_u32s reasons, contracts, preds, nodes; /* by their numbers; nodes by index */
	struct bh_u32s policies;
};
void bh_live_done(struct bh_live *l);
int bh_live_find(struct bh_state *s, struct bh_live *l) bh_must_check;
/* Their numbers. @all: as above. Sorts the lists by them. */
int bh_live_number(struct bh_state *s, struct bh_live *l, bool all) bh_must_check;
uint32_t bh_word_final(const struct bh_state *s, uint32_t word);
uint32_t bh_next_final(const struct bh_state *s, uint32_t next);

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
