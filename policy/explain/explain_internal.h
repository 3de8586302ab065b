/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/explain/explain_internal.h - what the parts of an explanation share (inside policy/ only)
 *
 *	explain.c		the two ends, the verdict
 *	explain_case.c		an open verdict: what comes out when
 *	explain_trace.c		policies as they were written: which rules match, and what earlier tiers said
 *	explain_miss.c		near misses: rules that would have changed the verdict, and what kept them from it
 *	explain_match.c		does a rule match; if not, which part of it, in words
 *	explain_peer.c		its peers
 *	explain_detail.c	its details
 *	explain_text.c, explain_json.c	the same for people and for programs
 *
 * Verdicts are looked up in the rule set. What is read in policies only says what they have to do with it.
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_EXPLAIN_INTERNAL_H
#define BH_POLICY_EXPLAIN_INTERNAL_H

#include "policy/explain.h"

/* Adds to a text that may not be wanted. */
#define BH_SAY(b, ...)                                 \
	do {                                           \
		if (b)                                 \
			bh_buf_printf(b, __VA_ARGS__); \
	} while (0)

/* The same of a text that was made apart. */
static inline void bh_say_buf(struct bh_buf *b, const struct bh_buf *part)
{
	if (!b)
		return;
	bh_buf_puts(b, bh_buf_str(part));
	b->failed |= part->failed;
}

/* A value that came from outside, without what a terminal would obey. */
void bh_put_shown(struct bh_buf *b, const char *value);

/* Lists are cut after so many. */
#define BH_SHOWN 4U

/* One direction of one connection, as policies are asked about it. */
struct bh_asked {
	const struct bh_policy_set *set;
	const struct bh_surroundings *around; /* NULL: nothing is known */
	int64_t now;
	enum bh_dir dir;
	const struct bh_endpoint *subject;
	const struct bh_endpoint *peer;  /* NULL: no endpoint's address */
	const struct bh_node *node;      /* whose address it is; NULL: no node's */
	const struct bh_addr *peer_addr; /* family 0: not known, of the own node only */
	bool own_node;                   /* the peer is the node that the subject runs on */
	uint8_t l4;
	uint16_t port;
	const struct bh_spoken *spoken; /* never NULL */
};

/* The own node, not judged as others are: isolation does not bind it, and rules without peers do not mean it. */
static inline bool bh_host_is_free(const struct bh_asked *q)
{
	return q->own_node && !(q->dir == BH_DIR_INGRESS && q->subject->host_judged);
}

/* ---- explain_match.c ---- */

/* Is @ep a subject of the policy? */
bool bh_policy_selects(const struct bh_policy_set *set, const struct bh_policy *p,
		       const struct bh_endpoint *ep);
/* And does the policy, if it is in force, have an effect in that direction? */
bool bh_policy_holds_for(const struct bh_policy_set *set, const struct bh_policy *p,
			 const struct bh_endpoint *ep, enum bh_dir dir);
/* Of that name, as far as they are declared. */
const struct bh_labels *bh_namespace_labels(const struct bh_policy_set *set, const char *name);
/* The selector, and the labels of that namespace. */
bool bh_namespace_matches(const struct bh_policy_set *set, const struct bh_selector *s,
			  const char *name);

/* Parts of a rule that can fail to match, as bits. */
enum {
	BH_PART_MOMENT = 1 << 0,
	BH_PART_PEERS = 1 << 1,
	BH_PART_PORTS = 1 << 2,
	BH_PART_PROTOCOL = 1 << 3,
	BH_PART_DETAILS = 1 << 4,
};

/*
 * Does the rule match? OPEN: it depends on what is not known of what is spoken. @ret_failed: the parts of it that do
 * not match. What keeps it from matching is said in @b, which may be NULL: "source has no label role=client; port 81
 * is not in 80". The policy's mode and end are not looked at.
 */
enum bh_truth bh_rule_match(const struct bh_asked *q, const struct bh_policy *p,
			    const struct bh_rule *r, unsigned *ret_failed, struct bh_buf *b);

/* A deny or pass rule with a peer that this version does not know: it denies everything. */
bool bh_rule_is_closed(const struct bh_rule *r);

/* "2031-03-01", "2031-03-01T18:00:00Z" */
void bh_put_moment(struct bh_buf *b, int64_t t);

/* ---- explain_peer.c, explain_detail.c ---- */

/* NULL: no node's. */
const struct bh_node *bh_node_of_addr(const struct bh_policy_set *set, const struct bh_addr *a);

bool bh_peers_match(const struct bh_asked *q, const struct bh_policy *p, const struct bh_rule *r,
		    struct bh_buf *b);
/* One test. What fails or is open is said in @b, which may be NULL. */
enum bh_truth bh_test_holds(const struct bh_spoken *sp, const struct bh_test *t, struct bh_buf *b);
enum bh_truth bh_details_match(const struct bh_asked *q, const struct bh_rule *r, struct bh_buf *b);

/* ---- explain_trace.c ---- */

/* A rule that can decide, of a policy that selects the subject. */
struct bh_look {
	const struct bh_policy *policy;
	const struct bh_rule *rule;
	uint32_t index;    /* in the policy's list */
	enum bh_mode mode; /* the policy's; INVALID: it has expired */
	enum bh_truth truth;
	unsigned failed; /* BH_PART_* */
	uint64_t rank;   /* the smaller decides before the greater */
};

struct bh_trace {
	/* Those that select the subject and have an effect in the direction, also expired ones, in their order. */
	const struct bh_policy **policies;
	size_t n_policies;
	struct bh_look *looks;
	size_t n_looks;
};
void bh_trace_done(struct bh_trace *t);
int bh_trace_make(const struct bh_asked *q, struct bh_trace *ret) bh_must_check;

#define BH_RANK_ISOLATION ((uint64_t)BH_TIER_APPLICATION << 60 | UINT64_C(2) << 32)
#define BH_RANK_NONE      ((uint64_t)BH_TIER_COUNT << 60) /* no tier decides */
static inline enum bh_tier bh_rank_tier(uint64_t rank)
{
	return (enum bh_tier)(rank >> 60);
}

/* What decides, by the rules as they were written. */
struct bh_decided {
	uint64_t rank;
	const struct bh_look *look; /* NULL: isolation, or nothing */
	bool certain;               /* else it depends on what is not known */
};
struct bh_decided bh_trace_decide(const struct bh_asked *q, const struct bh_trace *t);

/* What a tier has to say that does not decide. */
struct bh_tier_said {
	const struct bh_look *passed; /* the rule that passes on; NULL: none matches */
	bool certain;
	size_t n_policies; /* enforced ones; 0: nothing to say */
};
struct bh_tier_said bh_trace_tier(const struct bh_trace *t, enum bh_tier tier, int64_t now);

/* ---- explain_miss.c ---- */

static inline unsigned bh_parts(unsigned failed)
{
	return (unsigned)__builtin_popcount(failed);
}
/* How far a rule is from matching: few parts are nearer than many, what is spoken is nearer than who and where. */
static inline unsigned bh_distance(unsigned failed)
{
	return bh_parts(failed) * 16 + 2 * bh_parts(failed & (BH_PART_PEERS | BH_PART_PORTS)) +
	       bh_parts(failed & (BH_PART_PROTOCOL | BH_PART_MOMENT));
}

/* What would have changed the verdict. */
struct bh_miss {
	const struct bh_policy *policy;
	const struct bh_rule *rule; /* NULL: the policy's isolation */
	uint32_t index;             /* in the policy's list */
	bool matches;               /* but does not come to it */
	unsigned failed;            /* BH_PART_* that do not match */
	char *why;                  /* "source has no label role=client; port 81 is not in 80" */
};

struct bh_misses {
	struct bh_miss *items; /* the nearest first */
	size_t n;
};
void bh_misses_done(struct bh_misses *m);

/* What was decided, and told of it. */
struct bh_verdict {
	uint64_t rank; /* of what decided */
	bool refused;
	const struct bh_policy *would; /* of which it was told what it would do; NULL: none */
};
/* -ENOMEM. */
int bh_misses_find(const struct bh_asked *q, const struct bh_trace *t, const struct bh_verdict *v,
		   struct bh_misses *ret) bh_must_check;

/* ---- explain_case.c ---- */

enum bh_case_kind {
	BH_CASE_INVALID = 0,
	BH_CASE_GIVEN, /* the protocol that was asked for */
	BH_CASE_NAMED, /* one of @protos */
	BH_CASE_OTHER, /* any other */
	BH_CASE_UNKNOWN,
	BH_CASE_UNDECIDED,
};

#define BH_CASE_PREDS 12U
/* Cases for one protocol, and in all. */
#define BH_CASES_EACH 24U
#define BH_CASES_MAX  400U

/* Read in their order: the first that holds is what comes out. */
struct bh_case {
	enum bh_case_kind kind;
	struct bh_protoset protos;
	uint32_t preds[BH_CASE_PREDS]; /* all must hold */
	unsigned n_preds;
	bool rest; /* behind others of these protocols: whatever they do not cover */
	bool cut;  /* there are more: the word is the worst of them */
	uint32_t word;
};

struct bh_cases {
	struct bh_case *items;
	size_t n;
};
void bh_cases_done(struct bh_cases *c);
/* @word: a contract. -ENOMEM. */
int bh_cases_make(const struct bh_ruleset *rs, uint32_t word, const struct bh_spoken *sp,
		  struct bh_cases *ret) bh_must_check;

/* ---- the explanation ---- */

/* One end of the connection. */
struct bh_explain_side {
	const struct bh_endpoint *ep;     /* NULL: no endpoint's */
	const struct bh_endpoint *claims; /* asked for, but @ep has the address now; else NULL */
	const struct bh_node *node;       /* of that manifest */
	const char *node_name;            /* NULL: no node's */
	bool own_node;                    /* of the other end */
	struct bh_addr addr;              /* family 0: of an own node without a manifest */
	uint32_t cls;                     /* 0: neither an endpoint's nor the own node */
	bool local;
};

/* What is said about one direction. */
struct bh_explain_said {
	enum bh_dir dir;
	const struct bh_explain_side *subject, *peer;
	struct bh_asked asked;
	uint32_t word; /* settled as far as what is spoken is known */
	enum bh_outcome outcome;
	struct bh_cases cases; /* where that is open */
	const char *why_not;   /* why no policy was asked; NULL: word tells */
	const char *why_not_id;
	struct bh_trace trace;
	uint64_t rank; /* of what decided */
	struct bh_misses misses;
};

struct bh_explain_run {
	const struct bh_policy_set *set;
	const struct bh_endpoint *const *eps;
	size_t n_eps;
	const struct bh_compiled *compiled;
	const struct bh_query *q;
	struct bh_compiled own; /* made here, where @compiled knows local subjects only */
	struct bh_explain_side from, to;
	struct bh_explain_said said[2];
	enum bh_outcome outcome;
};

/*
 * The tier that decides a word: that of the policy which its reason names, unless it names what is recorded. INVALID:
 * none decides, or it is not said.
 */
enum bh_tier bh_explain_tier(const struct bh_explain_run *x, const struct bh_explain_said *s,
			     uint32_t word);
/* What a predicate asks beyond what is known: "hosts shop.example.com". */
void bh_explain_put_pred(struct bh_buf *b, const struct bh_explain_run *x, uint32_t pred);
/* Something can come out that depends on more than the protocol. */
bool bh_cases_ask_more(const struct bh_cases *c);

/* `rule "clients"`, else `ingress[0]`. */
void bh_put_rule_name(struct bh_buf *b, const struct bh_rule *r, uint32_t index, enum bh_dir dir);
/* "shop/web", "node n1", "node n1 (10.0.0.1)", or the address. */
void bh_explain_put_side(struct bh_buf *b, const struct bh_explain_side *s);
/* The reason of a word that is no contract, with its place. */
void bh_explain_put_reason(struct bh_buf *b, const struct bh_explain_run *x,
			   const struct bh_explain_said *s, uint32_t word);
/* What a tier says that does not decide: "passed on by ..."; nothing if it has nothing to say. */
void bh_explain_put_tier(struct bh_buf *b, const struct bh_explain_run *x,
			 const struct bh_explain_said *s, enum bh_tier tier);
/* "icmp echo-request", "tcp/80" */
void bh_explain_put_port(struct bh_buf *b, uint8_t l4, uint16_t port);

void bh_explain_text(struct bh_buf *b, const struct bh_explain_run *x);
/* NULL: out of memory. */
json_t *bh_explain_json(const struct bh_explain_run *x);

#endif
