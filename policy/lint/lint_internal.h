/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_internal.h - what the parts of lint share
 *
 * lint_imply.c proves (selectors, scopes) and lint_cover.c (peers, ports, what is spoken) that one thing matches
 * all that another matches, lint_relation.c says what that does, lint_shadow.c finds pairs of rules worth asking about;
 * lint_order.c, lint_traps.c, lint_time.c and lint_data.c look at policies; lint_text.c has the words, lint_place.c
 * the places.
 *
 * Every proof costs steps out of one purse. When it is empty proofs fail, so nothing is told any more.
 *
 * Thread-safety: a run belongs to one thread.
 */
#ifndef BH_POLICY_LINT_INTERNAL_H
#define BH_POLICY_LINT_INTERNAL_H

#include "common/buf.h"
#include "common/limits.h"
#include "common/util.h"
#include "policy/diag.h"
#include "policy/lint.h"

#define LINT_NONE SIZE_MAX
#define LINT_NAME "kubernetes.io/metadata.name"

struct lint_steps {
	uint64_t left;
	bool empty;
};

/* Pays for @n steps; false: they are not there. */
static inline bool lint_pay(struct lint_steps *s, uint64_t n)
{
	if (s->left < n) {
		s->empty = true;
		return false;
	}
	s->left -= n;
	return true;
}

/* Why a rule has no effect. */
enum lint_why {
	LINT_WHY_NOT = 0,
	LINT_WHY_ALLOWED,    /* w1: allowed anyway */
	LINT_WHY_TWICE,      /* w20 */
	LINT_WHY_BEATEN,     /* w21: a deny always beats it */
	LINT_WHY_BEHIND,     /* w22: never reached in its tier */
	LINT_WHY_TIER,       /* w23: an earlier tier decides */
	LINT_WHY_ISOLATED,   /* w23: the subjects are isolated, so baseline is not asked */
	LINT_WHY_REFUSED,    /* w24: refused anyway */
	LINT_WHY_UNRECORDED, /* w25: what is refused is not recorded by it */
	LINT_WHY_RECORDED,   /* w26: another one records it */
	LINT_WHY_COUNT,
};

/* A rule that is in force now or later. In order of evaluation, within a policy ingress before egress. */
struct lint_rule {
	const struct bh_policy *p;
	const struct bh_rule *r;
	enum bh_dir dir;
	size_t index; /* in the policy's list */
	bool odd;     /* not to be compared: peers of a later version, or it matches nothing */
	enum lint_why why;
	size_t because; /* index of the rule, or (ISOLATED) of the policy in order */
};

struct lint {
	const struct bh_lint_input *in;
	struct bh_diags *d;
	bool whole;       /* no errors: what is not there is not there */
	uint8_t told[64]; /* warnings kept, by the number of their code */
	struct lint_steps steps;
	const struct bh_policy **order; /* those that have not expired, in order of evaluation */
	size_t n_order;
	struct lint_rule *rules;
	size_t n_rules;
	/* Some rules that ask what is spoken let pass what cannot be judged: then the others' strictness counts. */
	bool lenient[BH_DIR_COUNT];
	bool logging[BH_DIR_COUNT];  /* some allow rules record what they allow */
	bool alerting[BH_DIR_COUNT]; /* some record what stays unknown */
	/* The first rules of the admin tier that let something out of it: pass; pass or allow. Indices. */
	size_t first_pass[BH_DIR_COUNT], first_open[BH_DIR_COUNT];
};

/* What is spoken decides whether it matches. */
static inline bool lint_asks(const struct bh_rule *r)
{
	return r->has_protocols || r->n_details > 0;
}

/* ---- lint_imply.c: whatever matches @b matches @a ---- */

/* By a selector, in namespaces: those that @ns_sel matches; NULL: @ns; both NULL: all. */
struct lint_scope {
	const char *ns;
	const struct bh_selector *ns_sel;
	const struct bh_selector *pods; /* NULL: all */
};

bool lint_selector_within(struct lint_steps *s, const struct bh_selector *b,
			  const struct bh_selector *a);
/* Some labels match both. Said too if it cannot be found out. */
bool lint_selectors_meet(struct lint_steps *s, const struct bh_selector *a,
			 const struct bh_selector *b);
struct lint_scope lint_subjects(const struct bh_policy *p);
/* Of a peer of kind ENDPOINTS in @p. */
struct lint_scope lint_peer_scope(const struct bh_policy *p, const struct bh_peer *peer);
bool lint_scope_within(struct lint *l, const struct lint_scope *b, const struct lint_scope *a);
/* Some endpoint may be in both. Said too if it cannot be found out. */
bool lint_scopes_meet(struct lint *l, const struct lint_scope *a, const struct lint_scope *b);
const struct bh_namespace *lint_namespace(const struct lint *l, const char *name);

/* ---- lint_cover.c: the same for rules ---- */

bool lint_prefix_covered(struct lint_steps *s, const struct bh_prefix *p,
			 const struct bh_prefix *by, size_t n);
bool lint_peer_within(struct lint *l, const struct bh_policy *bp, const struct bh_peer *b,
		      const struct bh_policy *ap, const struct bh_peer *a);
/* Both of one direction. */
bool lint_peers_within(struct lint *l, const struct lint_rule *b, const struct lint_rule *a);
bool lint_ports_within(struct lint_steps *s, const struct bh_rule *b, const struct bh_rule *a);
bool lint_speech_within(struct lint_steps *s, const struct bh_rule *b, const struct bh_rule *a);
/* Every peer there is but the own node, and perhaps that too. */
bool lint_any_peer(const struct bh_rule *r);
bool lint_has_entity(const struct bh_rule *r, enum bh_entity e);
bool lint_rule_speaks(const struct bh_rule *r, unsigned proto);
/* There surely is a connection that both match, if their subjects meet. */
bool lint_rules_clash(struct lint *l, const struct lint_rule *a, const struct lint_rule *b);
/* There may be one. */
bool lint_rules_meet(struct lint *l, const struct lint_rule *a, const struct lint_rule *b);

/* ---- lint_relation.c ---- */

bool lint_refuses(const struct lint_rule *r);
bool lint_records(const struct lint_rule *r); /* alert, log */
/* What the rule with the index @ia does to that with @ib. */
enum lint_why lint_relation(struct lint *l, size_t ia, size_t ib);
/* A rule of the baseline tier is not asked, because this policy isolates all its subjects. */
bool lint_isolated_by(struct lint *l, const struct lint_rule *b, const struct bh_policy *p);

/* ---- lint_shadow.c, lint_order.c, lint_traps.c, lint_time.c, lint_data.c: 0 or -ENOMEM ---- */

int lint_shadow(struct lint *l) bh_must_check;
int lint_priorities(struct lint *l) bh_must_check;
int lint_traps(struct lint *l) bh_must_check;
int lint_time(struct lint *l) bh_must_check;
int lint_data(struct lint *l) bh_must_check;

/* ---- lint.c ---- */

/* No policy and no rule of it holds any more. */
bool lint_policy_over(const struct lint *l, const struct bh_policy *p);
bool lint_rule_over(const struct lint *l, const struct bh_rule *r);
/* Enforced from now on, as long as it lasts. */
bool lint_enforced(const struct lint *l, const struct bh_policy *p);

/* Policies with something in common, by namespace. */
struct lint_group {
	const struct bh_policy **v;
	size_t n;
};

void lint_group_done(struct lint_group *g);
int lint_group_make(const struct lint *l, struct lint_group *g,
		    bool (*want)(const struct lint *l, const struct bh_policy *p, enum bh_dir dir),
		    enum bh_dir dir) bh_must_check;
/*
 * One of those that can have to do with @p (of its namespace and of the cluster; all, if @p is of the cluster) is as
 * @is wants. True also if it cannot be found out.
 */
bool lint_group_any(struct lint *l, const struct lint_group *g, const struct bh_policy *p,
		    bool (*is)(struct lint *l, const struct bh_policy *one,
			       const struct bh_policy *p));

/* What of a policy a warning is about. */
enum lint_part {
	LINT_PART_POLICY = 0,
	LINT_PART_PODS, /* the selectors of the subjects */
	LINT_PART_NAMESPACES,
	LINT_PART_MODE,
	LINT_PART_PRIORITY,
	LINT_PART_EXPIRES,
	LINT_PART_RULE,
	LINT_PART_RULE_EXPIRES,
	LINT_PART_PROTOCOLS,
	LINT_PART_PEER,
	LINT_PART_PEER_PODS,
	LINT_PART_PEER_NAMESPACES,
	LINT_PART_PORT,
};

struct lint_where {
	const struct bh_policy *p;
	enum lint_part part;
	enum bh_dir dir; /* of parts of a rule */
	size_t rule;
	size_t item; /* peer or port */
};

/*
 * Of each code the first ones are kept, of the others there is only a count: what occurs everywhere must not leave out
 * what occurs once.
 */
bool lint_only_counted(const struct lint *l, const char *code);
int lint_warn(struct lint *l, const struct lint_where *w, const char *code, const char *hint,
	      const char *fmt, ...) bh_must_check bh_printf(5, 6);

/* ---- lint_place.c ---- */

struct lint_place {
	struct bh_pos pos;
	unsigned width;
	struct bh_buf path;
};

/*
 * Where a part stands. The model knows rules, peers and ports; for the rest the policy's text is read once more, if
 * it is short and stands as it is in the file. @path is to be released also on error. 0, -ENOMEM.
 */
int lint_find_place(const struct lint_where *w, struct lint_place *ret) bh_must_check;

/* ---- lint_text.c: bounded, whatever stands in the policies ---- */

void lint_put_selector(struct bh_buf *b, const struct bh_selector *s); /* "app=web, !debug" */
const char *lint_l4_name(uint8_t l4);                                  /* "TCP" */
/* "pods app=web of namespace \"shop\"" */
void lint_put_scope(struct bh_buf *b, const struct lint_scope *s);
/* "rule \"clients\"", "rule ingress[0]" */
void lint_put_rule(struct bh_buf *b, const struct bh_rule *r, enum bh_dir dir, size_t index);
/* The same seen from a rule of @from: with its policy if that is another one, and its place. */
void lint_put_other(struct bh_buf *b, const struct bh_policy *from, const struct lint_rule *a);
void lint_put_policy(struct bh_buf *b, const struct bh_policy *p); /* with its place */
void lint_put_port(struct bh_buf *b, const struct bh_port *p);     /* "TCP 80" */
/* "pods app=web of namespace \"shop\"", "entity world" */
void lint_put_peer(struct bh_buf *b, const struct bh_policy *p, const struct bh_peer *peer);
/* "TCP 80, UDP 53 from everywhere", "http on TCP 80 from pods app=web" */
void lint_put_traffic(struct bh_buf *b, const struct lint_rule *a);

#endif
