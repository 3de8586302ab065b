/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/ruleset.h - the compiled rule set: the one bridge between policy and everything below it
 *
 * Made by policy/compile.h, immutable, one block of memory without pointers inside: it is written to a
 * sealed memory file and mapped by the workers as it is. The kernel's maps are a projection of it
 * (dataplane/kernel/projection.h). explain, test, replay, the workers and the conformance suite all look
 * decisions up by the functions below: there is one evaluator.
 *
 * Classes. Every address has one number as a peer. Endpoints' classes carry BH_CLASS_ENDPOINT; the address
 * table (dataplane/addrtable.h) or the list made by the compiler says which address has which. Addresses
 * of no endpoint have the class of the CIDR piece they lie in, else BH_CLASS_WORLD.
 *
 * Cells. (direction, subject class, peer, L4 protocol, port) -> decision word. Peer may be a class, "any
 * endpoint" or "any"; port may be a number, a piece of a range, or any; protocol may be any. They are
 * looked up in one fixed order and the first hit ends the direction:
 *
 *	peer:	the class; then, for endpoints, BH_PEER_ANY_ENDPOINT; then BH_PEER_ANY
 *	port:	for each of these (protocol, port), (protocol, piece), (protocol, any), (any, any)
 *
 * The compiler emits complete rows: where a (subject, peer) pair has any cell, it has (any, any) too, so
 * the search never leaves a row that it has entered, and a subject that any policy selects in a direction
 * has the row BH_PEER_ANY. A miss is therefore "no policy selects this address in this direction".
 *
 * Decision words. Thirty-two bits: what, flags, number. 0 is invalid and never allows.
 *
 * Own node. Traffic between a subject and the node it runs on has the peer BH_CLASS_HOST, whatever address
 * the node has; who asks knows (the kernel by the hook, others by the names of nodes).
 *
 * Ports. TCP, UDP and SCTP have ports. ICMP and ICMPv6 have type << 8 | code in their place; a type with every
 * code is a piece. Other protocols have port 0.
 *
 * Contracts. What depends on the protocol that is spoken: an ordered list of (protocol -> word), and words
 * for everything else, for "unknown" and for "undecided". Where not even the protocol tells, because rules ask
 * for methods, names and the like, there is a decision graph: each node asks one predicate and goes on to a
 * word or another node. The word beside it is then the worst that can come out: who cannot ask predicates goes
 * by it and is never too lenient.
 *
 * Thread-safety: read-only, any thread or process.
 */
#ifndef BH_POLICY_RULESET_H
#define BH_POLICY_RULESET_H

#include "common/addr.h"
#include "common/buf.h"
#include "common/err.h"
#include "policy/model.h"

/* ---- numbers ---- */

#define BH_CLASS_INVALID     0U
#define BH_CLASS_WORLD       1U          /* no endpoint, in no CIDR of any policy */
#define BH_CLASS_HOST        0x7fffffffU /* the node that the subject runs on */
#define BH_CLASS_ENDPOINT    0x80000000U /* bit: class of an endpoint */
#define BH_PEER_ANY          0U          /* in the peer field of a cell */
#define BH_PEER_ANY_ENDPOINT BH_CLASS_ENDPOINT

#define BH_PORT_ANY        0U
#define BH_PORT_PIECE_BASE 0x10000U /* piece n of the port ranges is BH_PORT_PIECE_BASE + n */

/* Decision word: bits 31-29 verdict, 28-24 flags, 23-0 number of a reason or of a contract. */
#define BH_WORD_VERDICT  0xe0000000U
#define BH_WORD_ALLOW    0x20000000U
#define BH_WORD_DROP     0x40000000U
#define BH_WORD_REJECT   0x60000000U
#define BH_WORD_CONTRACT 0x80000000U
#define BH_WORD_REPORT   0x10000000U /* allowed, and to be recorded (monitor, alert, log) */
#define BH_WORD_OPEN \
	0x08000000U /* contract: passes when it cannot be judged (onOverload, or only recorded) */
#define BH_WORD_NUMBER 0x00ffffffU

static inline uint32_t bh_word_verdict(uint32_t w)
{
	return w & BH_WORD_VERDICT;
}
static inline uint32_t bh_word_number(uint32_t w)
{
	return w & BH_WORD_NUMBER;
}
/* Refused for any reason, an invalid word included. */
static inline bool bh_word_refuses(uint32_t w)
{
	return bh_word_verdict(w) != BH_WORD_ALLOW && bh_word_verdict(w) != BH_WORD_CONTRACT;
}

/* ---- the block ---- */

struct bh_ruleset; /* a view: owns its memory, or borrows a mapping */

/* Fixed layout: these structures stand in the block as they are, host byte order, no padding. */
struct bh_cell {
	uint32_t dir;     /* enum bh_dir */
	uint32_t subject; /* class */
	uint32_t peer;    /* class, BH_PEER_ANY_ENDPOINT, BH_PEER_ANY */
	uint32_t l4;      /* IANA number; 0: any */
	uint32_t port;    /* 1-65535, BH_PORT_PIECE_BASE + n, or BH_PORT_ANY */
	uint32_t word;
};

struct bh_port_piece {
	uint32_t id; /* BH_PORT_PIECE_BASE + n */
	uint16_t lo, hi;
	uint32_t l4; /* pieces of one protocol are disjoint */
};

struct bh_cidr_piece {          /* disjoint, sorted by lo */
	uint8_t lo[16], hi[16]; /* inclusive, network order; v4 uses the first four bytes */
	uint32_t family;        /* 4 or 6 */
	uint32_t cls;           /* class of addresses in it that are no endpoint's */
};

struct bh_class {
	uint32_t number;
	uint32_t text; /* offset of a description, e.g. "shop: app=web" */
	uint32_t
	    subject_in; /* 1: some policy selects it for ingress: it has cells. 2: the same, but none of
			      * its endpoints is local, so there are no cells. 0: no policy selects it */
	uint32_t subject_eg;
};

/*
 * A "next": a word (ALLOW, DROP or REJECT, with a reason), or BH_WORD_CONTRACT | index of a bh_rs_node.
 */
struct bh_contract_entry {
	uint32_t contract;
	uint32_t proto; /* enum bh_proto */
	uint32_t word;  /* ALLOW, DROP or REJECT, with a reason; the worst of @next */
	uint32_t next;
	uint32_t
	    switches;   /* BH_SWITCH_*: changes of protocol that the rules which allow it admit */
	uint32_t proxy; /* enum bh_proxy of those rules: the most that one of them admits */
};

struct bh_contract {
	uint32_t number;    /* from 1 */
	uint32_t first, n;  /* entries, in order of precedence, one for a protocol */
	uint32_t other;     /* word for a protocol that no entry names */
	uint32_t unknown;   /* certainly no protocol that is named here, and nobody knows it */
	uint32_t undecided; /* not certain within the budget */
	uint32_t other_next, unknown_next;
	uint32_t on_overload; /* enum bh_fail: the strictest of the rules it depends on */
	uint32_t midstream;   /* likewise */
};

/* Predicates are the details of rules; equal ones are one. Details that are ORed are its clauses. */
struct bh_rs_pred {
	uint32_t number;   /* lasts across revisions */
	uint32_t kind;     /* enum bh_detail_kind */
	uint32_t first, n; /* tests; clause after clause */
	uint32_t text;     /* canonical: "methods GET, HEAD; hosts shop.example.com" */
};

/* One test; within a clause they are ANDed. */
struct bh_rs_test {
	uint32_t clause;   /* of the predicate, from 0 */
	uint32_t attr;     /* enum bh_attr */
	uint32_t first, n; /* values: one of them must match */
};

struct bh_rs_value {
	uint32_t text;
};

struct bh_rs_node {
	uint32_t pred;    /* index */
	uint32_t yes, no; /* next; nodes come before those that lead to them */
};

enum bh_reason_kind {
	BH_REASON_INVALID = 0,
	BH_REASON_RULE,     /* this rule allowed, denied, rejected, alerted or logged */
	BH_REASON_ISOLATED, /* isolated, and no rule allows it */
	BH_REASON_PROTOCOL, /* a rule allows the port, but not this protocol */
	BH_REASON_NOT_ISOLATED, /* allowed: selected, but not isolated in this direction, and no deny matches */
	BH_REASON_WOULD, /* allowed; this monitor-mode policy would have refused */
	BH_REASON_LEARN, /* allowed; this policy in mode learn has no rule for it yet */
	BH_REASON_HOST,  /* allowed: traffic with the own node, which isolation does not bind */
	BH_REASON_COUNT,
};

struct bh_reason {
	uint32_t number; /* from 1; decision words carry it */
	uint32_t kind;   /* enum bh_reason_kind */
	uint32_t dir;    /* enum bh_dir */
	uint32_t policy; /* index of bh_rs_policy; UINT32_MAX: none */
	uint32_t rule;   /* index of bh_rs_rule; UINT32_MAX: none */
	uint32_t text;   /* offset: "isolated by NetworkPolicy shop/deny-all, ..." */
	uint32_t
	    expected; /* index of a bh_protoset; UINT32_MAX: none. What would have been allowed here */
};

struct bh_rs_policy {
	uint32_t kind, mode, tier; /* enums of policy/model.h */
	uint32_t ns, name, file;   /* offsets; ns "": cluster-scoped */
	uint32_t line;
	uint32_t priority; /* admin and baseline tiers */
	uint32_t evidence; /* packets to keep of what isolation refuses */
};

struct bh_rs_rule {
	uint32_t policy; /* index */
	uint32_t dir, index, action;
	uint32_t name; /* offset; "" where the rule has none */
	uint32_t line;
	uint32_t urgency;  /* enum bh_urgency; never UNSET */
	uint32_t evidence; /* packets to keep of what it refuses */
};

/**
 * bh_ruleset_map() - Look at a rule set in memory
 * @mem, @size:	Borrowed for the life of the view; need not be trusted: every offset is checked
 *
 * Return: 0, -EPROTO (not a rule set, another version, inconsistent), -ENOMEM
 */
int bh_ruleset_map(const void *mem, size_t size, struct bh_ruleset **ret, struct bh_err *err)
    bh_must_check;
/* Views are counted: one more reference, one back. */
struct bh_ruleset *bh_ruleset_ref(struct bh_ruleset *rs);
struct bh_ruleset *bh_ruleset_free(struct bh_ruleset *rs);
BH_DEFINE_CLEANUP(struct bh_ruleset, bh_ruleset_free);

/* The block, to be written to a memory file. */
const void *bh_ruleset_data(const struct bh_ruleset *rs, size_t *ret_size);
uint64_t bh_ruleset_revision(const struct bh_ruleset *rs);
/* The text at an offset; "" for an offset that is none. */
const char *bh_ruleset_text(const struct bh_ruleset *rs, uint32_t offset);

const struct bh_cell *bh_ruleset_cells(const struct bh_ruleset *rs,
				       size_t *ret_n); /* sorted by key */
const struct bh_port_piece *bh_ruleset_port_pieces(const struct bh_ruleset *rs, size_t *ret_n);
const struct bh_cidr_piece *bh_ruleset_cidr_pieces(const struct bh_ruleset *rs, size_t *ret_n);
const struct bh_class *bh_ruleset_classes(const struct bh_ruleset *rs,
					  size_t *ret_n); /* sorted by number */
const struct bh_contract *bh_ruleset_contracts(const struct bh_ruleset *rs, size_t *ret_n);
const struct bh_contract_entry *bh_ruleset_entries(const struct bh_ruleset *rs,
						   const struct bh_contract *c);

/* By number; NULL if there is none. */
const struct bh_class *bh_ruleset_class(const struct bh_ruleset *rs, uint32_t number);
const struct bh_contract *bh_ruleset_contract(const struct bh_ruleset *rs, uint32_t number);
const struct bh_reason *bh_ruleset_reason(const struct bh_ruleset *rs, uint32_t number);
const struct bh_rs_policy *bh_ruleset_policy(const struct bh_ruleset *rs, uint32_t index);
const struct bh_rs_rule *bh_ruleset_rule(const struct bh_ruleset *rs, uint32_t index);
const struct bh_protoset *bh_ruleset_protoset(const struct bh_ruleset *rs, uint32_t index);

/* ---- the evaluator ---- */

/* Class of an address that is no endpoint's: a CIDR piece's, else BH_CLASS_WORLD. */
uint32_t bh_ruleset_outside_class(const struct bh_ruleset *rs, const struct bh_addr *a);

/**
 * bh_ruleset_lookup() - The decision of one direction
 * @subject:	Class of the endpoint whose policies are asked
 * @peer:	Class of the other side
 * @l4:		IANA protocol number
 * @port:	Destination port; 0 for protocols without
 *
 * Return: the word of the first cell that hits; 0 if no policy selects @subject in this direction
 */
uint32_t bh_ruleset_lookup(const struct bh_ruleset *rs, enum bh_dir dir, uint32_t subject,
			   uint32_t peer, uint8_t l4, uint16_t port);

/* A connection, seen from its first packet. */
struct bh_conn {
	struct bh_addr src, dst;
	/* Of endpoints; BH_CLASS_HOST: the other side's own node; 0: neither (the outside class is looked up). */
	uint32_t src_class, dst_class;
	bool src_local, dst_local; /* subject on this host */
	uint8_t l4;
	uint16_t dport;
};

/* Words of both directions; 0 where the side is not local or no policy selects it. */
struct bh_decision {
	uint32_t egress;  /* by the policies of src */
	uint32_t ingress; /* by the policies of dst */
};

enum bh_outcome {
	BH_OUTCOME_INVALID = 0,
	BH_OUTCOME_ALLOW,
	BH_OUTCOME_REFUSE,
	BH_OUTCOME_CONTRACT, /* neither refuses, at least one depends on the protocol */
};

struct bh_decision bh_ruleset_decide(const struct bh_ruleset *rs, const struct bh_conn *c);
enum bh_outcome bh_decision_outcome(const struct bh_decision *d);

/*
 * The word that @word (a contract) becomes when the protocol is @proto, which may be BH_PROTO_UNKNOWN,
 * BH_PROTO_UNDECIDED or one of the answers that nobody looked, by which a contract's fail modes decide. Who passes by
 * them has the reason by which he would be refused. Where predicates decide it is the worst of what they could. Words that are no contract are
 * returned as they are; a contract that does not exist gives 0.
 */
uint32_t bh_ruleset_settle(const struct bh_ruleset *rs, uint32_t word, unsigned proto);
/*
 * Something that may be spoken is refused under this word: false for what is allowed, and for contracts that are there
 * for the record alone. What cannot be read refuses.
 */
bool bh_ruleset_may_refuse(const struct bh_ruleset *rs, uint32_t word);

/* ---- beyond the protocol ---- */

/* What is spoken, as far as it is known. */
struct bh_spoken {
	unsigned proto; /* enum bh_proto, UNKNOWN and UNDECIDED too; 0: not said: may be anything */
	uint32_t known; /* 1 << enum bh_attr: these are known, the others may be anything */
	/* Values of an attribute that is known; none: it is absent, and no test on it holds. */
	struct {
		const char *const *v;
		size_t n;
	} attr[BH_ATTR_COUNT];
};

enum bh_truth {
	BH_FALSE = 0,
	BH_TRUE,
	BH_OPEN, /* depends on what is not known */
};

enum bh_truth bh_ruleset_pred(const struct bh_ruleset *rs, uint32_t pred,
			      const struct bh_spoken *sp);
/* One test of one attribute, for readers that have its values at hand. @n 0: absent. */
bool bh_attr_match(enum bh_attr attr, const char *pattern, const char *value);

/*
 * As bh_ruleset_settle(), with predicates asked. A word with the verdict CONTRACT comes back where what is not
 * known can still change the verdict or what is recorded: the word itself if it is the protocol, else
 * BH_WORD_CONTRACT | node. 0: a contract that does not exist.
 */
uint32_t bh_ruleset_settle_spoken(const struct bh_ruleset *rs, uint32_t word,
				  const struct bh_spoken *sp, bool *ret_open);
const struct bh_rs_node *bh_ruleset_node(const struct bh_ruleset *rs, uint32_t next);
const struct bh_rs_pred *bh_ruleset_pred_at(const struct bh_ruleset *rs, uint32_t index);

/* Both directions settled. */
struct bh_decision bh_ruleset_settle_both(const struct bh_ruleset *rs, const struct bh_decision *d,
					  unsigned proto);
/* Protocols that the contracts of @d name (either direction): what must be probed for. */
struct bh_protoset bh_ruleset_named(const struct bh_ruleset *rs, const struct bh_decision *d);

/* Canonical text of the whole rule set, for golden tests and `bulkhead render`. */
void bh_ruleset_print(const struct bh_ruleset *rs, struct bh_buf *out);

#endif
