// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/explain/explain.c - the two ends of a connection, and what the rule set says of each direction
 *
 * Everything that is decided is looked up in the rule set. JSON (explain_json.c) and text (explain_text.c) are made
 * from the same structures, so that they cannot say different things.
 */
#include "policy/explain.h"

#include "common/util.h"
#include "policy/explain/explain_internal.h"

#include <string.h>

#include "common/banned.h"

static void explain_done(struct bh_explain_run *x)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(x->said); i++) {
		bh_cases_done(&x->said[i].cases);
		bh_trace_done(&x->said[i].trace);
		bh_misses_done(&x->said[i].misses);
	}
	bh_compiled_done(&x->own);
}

/* ---- the two ends ---- */

/* One end as it was asked for. */
struct end {
	size_t endpoint;
	const char *node;
	const struct bh_addr *addr;
};

static struct end end_from(const struct bh_query *q)
{
	return (struct end){ q->from_endpoint, q->from_node, &q->from_addr };
}

static struct end end_to(const struct bh_query *q)
{
	return (struct end){ q->to_endpoint, q->to_node, &q->to_addr };
}

static const struct bh_node *node_by_name(const struct bh_policy_set *set, const char *name)
{
	for (size_t i = 0; i < set->n_nodes; i++) {
		if (bh_streq(set->nodes[i]->name, name))
			return set->nodes[i];
	}
	return NULL;
}

/* Whose address it is. What was found out about an own node stays. */
static void side_resolve(const struct bh_explain_run *x, struct bh_explain_side *s)
{
	const struct bh_addr_class *a = bh_compiled_find(x->compiled, &s->addr);

	if (s->own_node)
		return;
	s->ep = a ? x->eps[a->endpoint] : NULL;
	s->cls = a ? a->cls : 0;
	s->local = a && (a->local || x->q->all_local);
}

static struct bh_addr addr_of(const struct bh_addr *addrs, size_t n, uint8_t family)
{
	for (size_t i = 0; i < n; i++) {
		if (addrs[i].family == family)
			return addrs[i];
	}
	return (struct bh_addr){ .family = 0 };
}

static bool speaks(const struct bh_policy_set *set, const struct bh_endpoint *const *eps,
		   const struct end *e, uint8_t family)
{
	const struct bh_endpoint *ep;
	const struct bh_node *node;

	if (e->endpoint != SIZE_MAX) {
		ep = eps[e->endpoint];
		return addr_of(ep->addrs, ep->n_addrs, family).family != 0;
	}
	if (!e->node)
		return e->addr->family == family;
	/* One of which nothing is known may be an own node: that has addresses of all families. */
	node = node_by_name(set, e->node);
	return !node || addr_of(node->addrs, node->n_addrs, family).family != 0;
}

uint8_t bh_explain_family(const struct bh_policy_set *set, const struct bh_endpoint *const *eps,
			  const struct bh_query *q)
{
	const struct end from = end_from(q), to = end_to(q);
	uint8_t family = q->family;

	for (uint8_t f = 4; f <= 6 && !family; f = (uint8_t)(f + 2)) {
		if (speaks(set, eps, &from, f) && speaks(set, eps, &to, f))
			family = f;
	}
	return family;
}

static int side_of_endpoint(const struct bh_explain_run *x, const struct end *e, uint8_t family,
			    struct bh_explain_side *s, struct bh_err *err)
{
	const struct bh_endpoint *ep = x->eps[e->endpoint];

	s->addr = addr_of(ep->addrs, ep->n_addrs, family);
	if (!s->addr.family)
		return bh_err_set(err, -EINVAL, "endpoint %s/%s has no IPv%u address", ep->ns,
				  ep->name, family);
	side_resolve(x, s);
	s->node = bh_node_of_addr(x->set, &s->addr);
	if (s->ep != ep)
		s->claims = ep;
	return 0;
}

static int side_of_addr(const struct bh_explain_run *x, const struct end *e, uint8_t family,
			struct bh_explain_side *s, struct bh_err *err)
{
	char text[BH_ADDR_STRLEN];

	s->addr = *e->addr;
	if (s->addr.family != family)
		return bh_err_set(err, -EINVAL, "%s is no IPv%u address",
				  bh_addr_format(&s->addr, text), family);
	side_resolve(x, s);
	s->node = bh_node_of_addr(x->set, &s->addr);
	if (s->node && !s->ep)
		s->node_name = s->node->name;
	return 0;
}

static void side_of_node(const struct bh_explain_run *x, const struct end *e, uint8_t family,
			 struct bh_explain_side *s)
{
	s->node = node_by_name(x->set, e->node);
	s->node_name = e->node;
	if (s->node)
		s->addr = addr_of(s->node->addrs, s->node->n_addrs, family);
}

static int side_make(const struct bh_explain_run *x, const struct end *e, uint8_t family,
		     struct bh_explain_side *ret, struct bh_err *err)
{
	*ret = (struct bh_explain_side){ .ep = NULL };
	if (e->endpoint != SIZE_MAX)
		return side_of_endpoint(x, e, family, ret, err);
	if (!e->node)
		return side_of_addr(x, e, family, ret, err);
	side_of_node(x, e, family, ret);
	return 0;
}

/* The node on which the other end runs, or just the place where its address is. */
static int side_settle(const struct bh_explain_run *x, struct bh_explain_side *s,
		       const struct bh_explain_side *other, const struct end *e, uint8_t family,
		       struct bh_err *err)
{
	if (!s->node_name)
		return 0;
	if (other->ep && bh_streq(other->ep->node, s->node_name)) {
		s->own_node = true;
		s->cls = BH_CLASS_HOST;
		return 0;
	}
	if (!s->addr.family)
		return bh_err_set(err, -EINVAL, "no IPv%u address of node %s is known%s", family,
				  s->node_name, s->node ? "" : ": there is no Node manifest of it");
	if (e->node)
		side_resolve(x, s);
	return 0;
}

static int sides_make(struct bh_explain_run *x, struct bh_err *err)
{
	const struct bh_query *q = x->q;
	const struct end from = end_from(q), to = end_to(q);
	uint8_t family;
	int r;

	if ((from.endpoint != SIZE_MAX && from.endpoint >= x->n_eps) ||
	    (to.endpoint != SIZE_MAX && to.endpoint >= x->n_eps))
		return bh_err_set(err, -EINVAL, "there is no such endpoint");
	family = bh_explain_family(x->set, x->eps, q);
	if (!family)
		return bh_err_set(err, -EINVAL, "the two have no address family in common");
	r = side_make(x, &from, family, &x->from, err);
	if (r == 0)
		r = side_make(x, &to, family, &x->to, err);
	if (r == 0)
		r = side_settle(x, &x->from, &x->to, &from, family, err);
	if (r == 0)
		r = side_settle(x, &x->to, &x->from, &to, family, err);
	return r;
}

/* ---- the decision ---- */

static bool made_elsewhere(const struct bh_explain_run *x, const struct bh_explain_side *s,
			   enum bh_dir dir)
{
	const struct bh_class *c = bh_ruleset_class(x->compiled->rules, s->cls);

	if (!s->ep || !c)
		return false;
	return (dir == BH_DIR_INGRESS ? c->subject_in : c->subject_eg) == 2;
}

/* The endpoints, each with the addresses that are its own now, none of them local. */
static struct bh_endpoint *owners_copy(const struct bh_explain_run *x, struct bh_addr *pool)
{
	const struct bh_compiled *c = x->compiled;
	struct bh_endpoint *copies = calloc(x->n_eps + 1, sizeof(*copies));
	bh_autofree size_t *count = calloc(x->n_eps + 1, sizeof(*count));

	if (!copies || !count) {
		free(copies);
		return NULL;
	}
	for (size_t i = 0; i < c->n_addrs; i++)
		count[c->addrs[i].endpoint]++;
	for (size_t i = 0; i < x->n_eps; i++) {
		copies[i] = *x->eps[i];
		copies[i].local = false;
		copies[i].addrs = pool;
		copies[i].n_addrs = 0;
		pool += count[i];
	}
	for (size_t i = 0; i < c->n_addrs; i++) {
		struct bh_endpoint *ep = &copies[c->addrs[i].endpoint];

		ep->addrs[ep->n_addrs++] = c->addrs[i].addr;
	}
	return copies;
}

/*
 * The rule set at hand has no cells for subjects of other hosts. To ask their policies too, one is made in
 * which no endpoint is local, which is to say that all are.
 */
static int compile_for_all(struct bh_explain_run *x, struct bh_err *err)
{
	bh_autofree struct bh_addr *pool = calloc(x->compiled->n_addrs + 1, sizeof(*pool));
	bh_autofree struct bh_endpoint *copies = pool ? owners_copy(x, pool) : NULL;
	bh_autofree const struct bh_endpoint **list =
	    calloc(x->n_eps + 1, sizeof(const struct bh_endpoint *));
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	int r;

	if (!copies || !list || bh_compiler_new(&c) < 0)
		return bh_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < x->n_eps; i++)
		list[i] = &copies[i];
	r = bh_compile(c,
		       &(struct bh_compile_input){
			   .set = x->set,
			   .eps = list,
			   .n_eps = x->n_eps,
			   .around = x->q->around,
			   .now = x->q->now,
			   .revision = bh_ruleset_revision(x->compiled->rules),
		       },
		       &x->own, err);
	if (r == 0)
		x->compiled = &x->own;
	return r;
}

/* ---- what is said about a direction ---- */

static void say_why_not(const struct bh_explain_run *x, struct bh_explain_said *s)
{
	if (x->from.addr.family && bh_addr_eq(&x->from.addr, &x->to.addr)) {
		s->why_not = "a connection to itself is subject to no policy";
		s->why_not_id = "self";
	} else if (!s->subject->ep && s->subject->node_name) {
		s->why_not = "no policy binds a node";
		s->why_not_id = "noEndpoint";
	} else if (!s->subject->ep) {
		s->why_not = "no endpoint has this address, so no policy binds it";
		s->why_not_id = "noEndpoint";
	} else if (!s->subject->local) {
		s->why_not = "it runs on another host, which decides this";
		s->why_not_id = "notLocal";
	} else if (s->word == 0) {
		s->why_not = s->dir == BH_DIR_INGRESS ? "no policy selects it for ingress"
						      : "no policy selects it for egress";
		s->why_not_id = "noPolicy";
	}
}

static enum bh_outcome outcome_of(uint32_t word)
{
	return word && bh_word_refuses(word) ? BH_OUTCOME_REFUSE : BH_OUTCOME_ALLOW;
}

/*
 * Whatever is spoken: the same? Where cases were cut off, only the worst of them is known. That it does not become known
 * in time is nothing that is spoken: then the worst comes out of all that it might have been.
 */
static enum bh_outcome outcome_of_cases(const struct bh_cases *c)
{
	bool allowed = false, refused = c->n == 0;

	for (size_t i = 0; i < c->n; i++) {
		bool refuses = bh_word_refuses(c->items[i].word);

		if (c->items[i].kind == BH_CASE_UNDECIDED)
			continue;
		refused |= refuses;
		allowed |= !refuses || c->items[i].cut;
	}
	if (allowed && refused)
		return BH_OUTCOME_CONTRACT;
	return refused ? BH_OUTCOME_REFUSE : BH_OUTCOME_ALLOW;
}

/* Settles the word of a direction as far as what is spoken is known. */
static int settle(const struct bh_explain_run *x, struct bh_explain_said *s)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	struct bh_spoken spoken = x->q->spoken;
	uint32_t word = s->word;
	bool open = false;
	int r;

	/* Nobody looks into what is neither TCP nor UDP: whatever is spoken there stays unknown. */
	if (x->q->l4 != BH_L4_TCP && x->q->l4 != BH_L4_UDP && spoken.proto == 0)
		spoken.proto = BH_PROTO_UNKNOWN;
	if (bh_word_verdict(word) == BH_WORD_CONTRACT) {
		s->word = bh_ruleset_settle_spoken(rs, word, &spoken, &open);
		/* 0 would say that there is no policy. */
		if (!open && !s->word)
			s->word = BH_WORD_DROP;
	}
	if (!open) {
		s->outcome = outcome_of(s->word);
		return 0;
	}
	r = bh_cases_make(rs, word, &spoken, &s->cases);
	s->outcome = outcome_of_cases(&s->cases);
	if (r == 0 && s->cases.n == 1 && !s->cases.items[0].cut)
		s->word = s->cases.items[0].word;
	return r;
}

static bool is_open(const struct bh_explain_said *s)
{
	return bh_word_verdict(s->word) == BH_WORD_CONTRACT;
}

/*
 * Where what decided stands. A reason names it, but for those of records, which name what is recorded: then it is
 * read in the policies.
 */
static uint64_t rank_find(const struct bh_explain_run *x, const struct bh_explain_said *s)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	const struct bh_reason *why =
	    is_open(s) ? NULL : bh_ruleset_reason(rs, bh_word_number(s->word));
	const struct bh_rs_policy *p = why ? bh_ruleset_policy(rs, why->policy) : NULL;
	const struct bh_rs_rule *rule = why ? bh_ruleset_rule(rs, why->rule) : NULL;

	if (why && (why->kind == BH_REASON_ISOLATED || why->kind == BH_REASON_PROTOCOL))
		return BH_RANK_ISOLATION;
	if (why && (why->kind == BH_REASON_NOT_ISOLATED || why->kind == BH_REASON_HOST))
		return BH_RANK_NONE;
	for (size_t i = 0; p && rule && i < s->trace.n_looks; i++) {
		const struct bh_look *l = &s->trace.looks[i];

		if (l->index == rule->index && (uint32_t)l->policy->kind == p->kind &&
		    bh_streq(l->policy->ns, bh_ruleset_text(rs, p->ns)) &&
		    bh_streq(l->policy->name, bh_ruleset_text(rs, p->name)) &&
		    l->mode == BH_MODE_ENFORCE)
			return l->rank;
	}
	return bh_trace_decide(&s->asked, &s->trace).rank;
}

/* The policy of which the reason tells what it would do. */
static const struct bh_policy *would_find(const struct bh_explain_run *x,
					  const struct bh_explain_said *s)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	const struct bh_reason *why = bh_ruleset_reason(rs, bh_word_number(s->word));
	const struct bh_rs_policy *p = why ? bh_ruleset_policy(rs, why->policy) : NULL;

	if (!p || (why->kind != BH_REASON_WOULD && why->kind != BH_REASON_LEARN))
		return NULL;
	return bh_policy_set_find(x->set, (enum bh_kind)p->kind, bh_ruleset_text(rs, p->ns),
				  bh_ruleset_text(rs, p->name));
}

static int look_around(struct bh_explain_run *x, struct bh_explain_said *s)
{
	int r;

	s->asked = (struct bh_asked){
		.set = x->set,
		.around = x->q->around,
		.now = x->q->now,
		.dir = s->dir,
		.subject = s->subject->ep,
		.peer = s->peer->ep,
		.node = s->peer->node,
		.peer_addr = &s->peer->addr,
		.own_node = s->peer->own_node,
		.l4 = x->q->l4,
		.port = x->q->port,
		.spoken = &x->q->spoken,
	};
	r = bh_trace_make(&s->asked, &s->trace);
	if (r < 0)
		return r;
	s->rank = s->word ? rank_find(x, s) : BH_RANK_NONE;
	if (is_open(s))
		return 0;
	return bh_misses_find(&s->asked, &s->trace,
			      &(struct bh_verdict){
				  .rank = s->rank,
				  .refused = s->outcome == BH_OUTCOME_REFUSE,
				  .would = would_find(x, s),
			      },
			      &s->misses);
}

static int say(struct bh_explain_run *x, struct bh_explain_said *s, enum bh_dir dir, uint32_t word)
{
	bool in = dir == BH_DIR_INGRESS;
	int r;

	*s = (struct bh_explain_said){
		.dir = dir,
		.subject = in ? &x->to : &x->from,
		.peer = in ? &x->from : &x->to,
		.word = word,
	};
	say_why_not(x, s);
	r = settle(x, s);
	if (r < 0 || (s->why_not && !bh_streq(s->why_not_id, "noPolicy")))
		return r;
	return look_around(x, s);
}

static enum bh_outcome outcome_of_both(const struct bh_explain_said said[2])
{
	if (said[0].outcome == BH_OUTCOME_REFUSE || said[1].outcome == BH_OUTCOME_REFUSE)
		return BH_OUTCOME_REFUSE;
	if (said[0].outcome == BH_OUTCOME_CONTRACT || said[1].outcome == BH_OUTCOME_CONTRACT)
		return BH_OUTCOME_CONTRACT;
	return BH_OUTCOME_ALLOW;
}

static int decide(struct bh_explain_run *x, struct bh_err *err)
{
	const struct bh_query *q = x->q;
	struct bh_decision d;
	int r;

	if (q->all_local && (made_elsewhere(x, &x->from, BH_DIR_EGRESS) ||
			     made_elsewhere(x, &x->to, BH_DIR_INGRESS))) {
		r = compile_for_all(x, err);
		if (r < 0)
			return r;
		side_resolve(x, &x->from);
		side_resolve(x, &x->to);
	}
	d = bh_ruleset_decide(x->compiled->rules, &(struct bh_conn){
						      .src = x->from.addr,
						      .dst = x->to.addr,
						      .src_class = x->from.cls,
						      .dst_class = x->to.cls,
						      .src_local = x->from.local,
						      .dst_local = x->to.local,
						      .l4 = q->l4,
						      .dport = q->port,
						  });
	r = say(x, &x->said[0], BH_DIR_EGRESS, d.egress);
	if (r == 0)
		r = say(x, &x->said[1], BH_DIR_INGRESS, d.ingress);
	x->outcome = outcome_of_both(x->said);
	return r < 0 ? bh_err_set(err, r, "out of memory") : 0;
}

int bh_explain(const struct bh_policy_set *set, const struct bh_endpoint *const *eps, size_t n_eps,
	       const struct bh_compiled *compiled, const struct bh_query *q, struct bh_buf *text,
	       json_t **ret_json, enum bh_outcome *ret_outcome, struct bh_err *err)
{
	bh_cleanup(explain_done) struct bh_explain_run x = {
		.set = set,
		.eps = eps,
		.n_eps = n_eps,
		.compiled = compiled,
		.q = q,
	};
	int r;

	r = sides_make(&x, err);
	if (r == 0)
		r = decide(&x, err);
	if (r < 0)
		return r;
	if (text) {
		bh_explain_text(text, &x);
		if (bh_buf_failed(text))
			return bh_err_set(err, -ENOMEM, "out of memory");
	}
	if (ret_json) {
		*ret_json = bh_explain_json(&x);
		if (!*ret_json)
			return bh_err_set(err, -ENOMEM, "out of memory");
	}
	if (ret_outcome)
		*ret_outcome = x.outcome;
	return 0;
}
