/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/explain.c - a decision in words, and as JSON
 *
 * Everything that is decided is looked up in the rule set. The words of a direction come from the reason of
 * its word; near misses from explain_miss.c. JSON (explain_json.c) and text are made from the same
 * structures, so that they cannot say different things.
 */
#include "policy/explain.h"

#include "common/util.h"
#include "policy/explain_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* Near misses shown for a direction. */
#define MISSES_SHOWN    8U
#define ISOLATORS_SHOWN 4U

static void explain_done(struct bh_explain_run *x)
{
	bh_misses_done(&x->said[0].misses);
	bh_misses_done(&x->said[1].misses);
	bh_compiled_done(&x->own);
}

/* ---- the two ends ---- */

static void side_resolve(const struct bh_explain_run *x, struct bh_explain_side *s)
{
	const struct bh_addr_class *a = bh_compiled_find(x->compiled, &s->addr);

	s->ep = a ? x->eps[a->endpoint] : NULL;
	s->cls = a ? a->cls : 0;
	s->local = a && (a->local || x->q->all_local);
}

static bool has_family(const struct bh_endpoint *ep, uint8_t family)
{
	for (size_t i = 0; i < ep->n_addrs; i++) {
		if (ep->addrs[i].family == family)
			return true;
	}
	return false;
}

static bool speaks(const struct bh_explain_run *x, size_t endpoint, const struct bh_addr *a,
		   uint8_t family)
{
	return endpoint == SIZE_MAX ? a->family == family : has_family(x->eps[endpoint], family);
}

static uint8_t family_choose(const struct bh_explain_run *x)
{
	const struct bh_query *q = x->q;

	for (uint8_t f = 4; f <= 6 && !q->family; f = (uint8_t)(f + 2)) {
		if (speaks(x, q->from_endpoint, &q->from_addr, f) &&
		    speaks(x, q->to_endpoint, &q->to_addr, f))
			return f;
	}
	return q->family;
}

static int side_make(const struct bh_explain_run *x, size_t endpoint, const struct bh_addr *addr,
		     uint8_t family, struct bh_explain_side *ret, struct bh_err *err)
{
	const struct bh_endpoint *ep;

	*ret = (struct bh_explain_side){ .addr = *addr };
	if (endpoint == SIZE_MAX) {
		char text[BH_ADDR_STRLEN];

		if (addr->family != family)
			return bh_err_set(err, -EINVAL, "%s is no IPv%u address",
					  bh_addr_format(addr, text), family);
		side_resolve(x, ret);
		return 0;
	}
	ep = x->eps[endpoint];
	ret->addr.family = 0;
	for (size_t i = 0; i < ep->n_addrs && !ret->addr.family; i++) {
		if (ep->addrs[i].family == family)
			ret->addr = ep->addrs[i];
	}
	if (!ret->addr.family)
		return bh_err_set(err, -EINVAL, "endpoint %s/%s has no IPv%u address", ep->ns,
				  ep->name, family);
	side_resolve(x, ret);
	if (ret->ep != ep)
		ret->claims = ep;
	return 0;
}

static int sides_make(struct bh_explain_run *x, struct bh_err *err)
{
	const struct bh_query *q = x->q;
	uint8_t family;
	int r;

	if ((q->from_endpoint != SIZE_MAX && q->from_endpoint >= x->n_eps) ||
	    (q->to_endpoint != SIZE_MAX && q->to_endpoint >= x->n_eps))
		return bh_err_set(err, -EINVAL, "there is no such endpoint");
	family = family_choose(x);
	if (!family)
		return bh_err_set(err, -EINVAL, "the two have no address family in common");
	r = side_make(x, q->from_endpoint, &q->from_addr, family, &x->from, err);
	return r < 0 ? r : side_make(x, q->to_endpoint, &q->to_addr, family, &x->to, err);
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
			   .revision = bh_ruleset_revision(x->compiled->rules),
		       },
		       &x->own, err);
	if (r == 0)
		x->compiled = &x->own;
	return r;
}

static void say_why_not(const struct bh_explain_run *x, struct bh_explain_said *s)
{
	if (bh_addr_eq(&x->from.addr, &x->to.addr)) {
		s->why_not = "a connection to itself is subject to no policy";
		s->why_not_id = "self";
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

/* Refused for want of an allow rule: then near misses help. */
static bool wants_misses(const struct bh_ruleset *rs, uint32_t word)
{
	const struct bh_reason *r = bh_ruleset_reason(rs, bh_word_number(word));

	return bh_word_refuses(word) && r &&
	       (r->kind == BH_REASON_ISOLATED || r->kind == BH_REASON_PROTOCOL);
}

static int say(struct bh_explain_run *x, struct bh_explain_said *s, enum bh_dir dir, uint32_t word)
{
	bool in = dir == BH_DIR_INGRESS;

	*s = (struct bh_explain_said){
		.dir = dir,
		.subject = in ? &x->to : &x->from,
		.peer = in ? &x->from : &x->to,
		.word = word,
	};
	say_why_not(x, s);
	if (s->why_not || !wants_misses(x->compiled->rules, word))
		return 0;
	return bh_misses_find(
	    &(struct bh_miss_query){
		.set = x->set,
		.dir = dir,
		.subject = s->subject->ep,
		.peer = s->peer->ep,
		.peer_addr = &s->peer->addr,
		.l4 = x->q->l4,
		.port = x->q->port,
		.proto = x->q->proto,
	    },
	    &s->misses);
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
	if (q->proto)
		d = bh_ruleset_settle_both(x->compiled->rules, &d, q->proto);
	x->outcome = bh_decision_outcome(&d);
	r = say(x, &x->said[0], BH_DIR_EGRESS, d.egress);
	if (r == 0)
		r = say(x, &x->said[1], BH_DIR_INGRESS, d.ingress);
	return r < 0 ? bh_err_set(err, r, "out of memory") : 0;
}

/* ---- words ---- */

void bh_explain_put_side(struct bh_buf *b, const struct bh_explain_side *s)
{
	char addr[BH_ADDR_STRLEN];

	if (s->ep)
		bh_buf_printf(b, "%s/%s", s->ep->ns, s->ep->name);
	else
		bh_buf_puts(b, bh_addr_format(&s->addr, addr));
}

static void put_place(struct bh_buf *b, const struct bh_ruleset *rs, const struct bh_reason *r)
{
	const struct bh_rs_policy *p = bh_ruleset_policy(rs, r->policy);
	const struct bh_rs_rule *rule = bh_ruleset_rule(rs, r->rule);
	uint32_t line = rule && rule->line ? rule->line : p ? p->line : 0;

	if (!p || !*bh_ruleset_text(rs, p->file))
		return;
	bh_buf_printf(b, " (%s", bh_ruleset_text(rs, p->file));
	if (line)
		bh_buf_printf(b, ":%u", line);
	bh_buf_putc(b, ')');
}

/* "isolated by TrafficPolicy shop/web (01-web.yaml:3); no rule allows it" */
static void put_isolated(struct bh_buf *b, const struct bh_explain_run *x,
			 const struct bh_explain_said *s)
{
	size_t n = 0;

	for (size_t i = 0; i < x->set->n_policies; i++) {
		const struct bh_policy *p = x->set->policies[i];

		if (p->mode != BH_MODE_ENFORCE || !p->isolates[s->dir] ||
		    !bh_policy_holds_for(p, s->subject->ep, s->dir))
			continue;
		if (n++ >= ISOLATORS_SHOWN)
			continue;
		bh_buf_printf(b, "%s%s %s/%s", n > 1 ? ", " : "isolated by ", bh_kind_name(p->kind),
			      p->ns, p->name);
		if (p->file && *p->file)
			bh_buf_printf(b, " (%s:%u)", p->file, p->pos.line);
	}
	if (n > ISOLATORS_SHOWN)
		bh_buf_printf(b, " and %zu more", n - ISOLATORS_SHOWN);
	bh_buf_puts(b, s->misses.n ? "; no rule allows it" : "; no rule allows anything");
}

/* The reason of a word that is no contract, with its place. */
void bh_explain_put_reason(struct bh_buf *b, const struct bh_explain_run *x,
			   const struct bh_explain_said *s, uint32_t word)
{
	const struct bh_ruleset *rs = x->compiled->rules;
	const struct bh_reason *r = bh_ruleset_reason(rs, bh_word_number(word));

	if (bh_word_refuses(word))
		bh_buf_puts(b, bh_word_verdict(word) == BH_WORD_REJECT ? "refused with an answer – "
								       : "refused – ");
	if (!r) {
		bh_buf_puts(b, "the rule set holds no decision for it");
	} else if (r->kind == BH_REASON_ISOLATED) {
		put_isolated(b, x, s);
	} else if (r->kind == BH_REASON_NOT_ISOLATED) {
		bh_buf_printf(b, "allowed (%s)", bh_ruleset_text(rs, r->text));
	} else {
		bh_buf_puts(b, bh_ruleset_text(rs, r->text));
		put_place(b, rs, r);
	}
}

struct row {
	char name[80];
	uint32_t word;
};

/* What a contract answers, equal answers together. @ret: at least n + 3 rows. Return: how many. */
static size_t contract_rows(const struct bh_ruleset *rs, uint32_t word, struct row *ret)
{
	const struct bh_contract *c = bh_ruleset_contract(rs, bh_word_number(word));
	const struct bh_contract_entry *e;
	size_t n = 0;

	if (!c)
		return 0;
	e = bh_ruleset_entries(rs, c);
	for (uint32_t i = 0; i < c->n; i++) {
		const char *name = bh_proto_name(e[i].proto) ? bh_proto_name(e[i].proto) : "?";
		size_t k = 0;

		while (k < n && (ret[k].word != e[i].word || strlen(ret[k].name) > 40))
			k++;
		if (k == n) {
			ret[n].word = e[i].word;
			snprintf(ret[n++].name, sizeof(ret[k].name), "%s", name);
		} else {
			size_t len = strlen(ret[k].name);

			snprintf(ret[k].name + len, sizeof(ret[k].name) - len, ", %s", name);
		}
	}
	ret[n].word = c->other;
	snprintf(ret[n++].name, sizeof(ret->name), "anything else");
	if (c->unknown != c->other) {
		ret[n].word = c->unknown;
		snprintf(ret[n++].name, sizeof(ret->name), "unknown");
	}
	if (c->undecided != c->other) {
		ret[n].word = c->undecided;
		snprintf(ret[n++].name, sizeof(ret->name), "not known in time");
	}
	return n;
}

#define ROWS_MAX 260U

static void text_contract(struct bh_buf *b, const struct bh_explain_run *x,
			  const struct bh_explain_said *s)
{
	bh_autofree struct row *rows = calloc(ROWS_MAX, sizeof(*rows));
	size_t n, width = 0;

	bh_buf_puts(b, "depends on the protocol that is spoken\n");
	if (!rows) {
		b->failed = true;
		return;
	}
	n = contract_rows(x->compiled->rules, s->word, rows);
	for (size_t i = 0; i < n; i++)
		width = BH_MAX(width, strlen(rows[i].name));
	for (size_t i = 0; i < n; i++) {
		bh_buf_printf(b, "     %-*s -> ", (int)width, rows[i].name);
		bh_explain_put_reason(b, x, s, rows[i].word);
		bh_buf_putc(b, '\n');
	}
}

static void put_miss(struct bh_buf *b, const struct bh_explain_said *s, const struct bh_miss *m)
{
	if (s->misses.n_policies > 1)
		bh_buf_printf(b, "%s/%s ", m->policy->ns, m->policy->name);
	bh_put_rule_name(b, m->rule, m->index, s->dir);
	if (m->rule->pos.line && s->misses.n_policies > 1 && m->policy->file)
		bh_buf_printf(b, " (%s:%u)", m->policy->file, m->rule->pos.line);
	else if (m->rule->pos.line)
		bh_buf_printf(b, " (line %u)", m->rule->pos.line);
	bh_buf_printf(b, " does not match: %s", m->why);
}

static void text_said(struct bh_buf *b, const struct bh_explain_run *x,
		      const struct bh_explain_said *s)
{
	bh_buf_printf(b, "  %s of ", bh_dir_name(s->dir));
	bh_explain_put_side(b, s->subject);
	bh_buf_puts(b, ": ");
	if (s->why_not) {
		bh_buf_printf(b, "%s (%s)\n",
			      bh_streq(s->why_not_id, "notLocal") ? "not asked" : "allowed",
			      s->why_not);
		return;
	}
	if (bh_word_verdict(s->word) == BH_WORD_CONTRACT) {
		text_contract(b, x, s);
		return;
	}
	bh_explain_put_reason(b, x, s, s->word);
	bh_buf_putc(b, '\n');
	for (size_t i = 0; i < s->misses.n && i < MISSES_SHOWN; i++) {
		bh_buf_puts(b, "     ");
		put_miss(b, s, &s->misses.items[i]);
		bh_buf_putc(b, '\n');
	}
	if (s->misses.n > MISSES_SHOWN)
		bh_buf_printf(b, "     and %zu more rules do not match\n",
			      s->misses.n - MISSES_SHOWN);
}

static void put_what(struct bh_buf *b, const struct bh_explain_run *x)
{
	char l4[8];

	bh_buf_puts(b, bh_l4_name(x->q->l4, l4));
	if (x->q->port)
		bh_buf_printf(b, "/%u", x->q->port);
	if (x->q->proto)
		bh_buf_printf(b, " (%s)",
			      bh_proto_name(x->q->proto) ? bh_proto_name(x->q->proto) : "?");
}

static void text_claims(struct bh_buf *b, const struct bh_explain_side *s)
{
	char addr[BH_ADDR_STRLEN];

	if (!s->claims)
		return;
	bh_buf_printf(b, "  note: %s of %s/%s belongs to ", bh_addr_format(&s->addr, addr),
		      s->claims->ns, s->claims->name);
	bh_explain_put_side(b, s);
	bh_buf_puts(b, " now\n");
}

static void explain_text(struct bh_buf *b, const struct bh_explain_run *x)
{
	static const char *const words[] = {
		[BH_OUTCOME_INVALID] = "REFUSED",
		[BH_OUTCOME_ALLOW] = "ALLOWED",
		[BH_OUTCOME_REFUSE] = "REFUSED",
		[BH_OUTCOME_CONTRACT] = "DEPENDS ON THE PROTOCOL",
	};

	bh_explain_put_side(b, &x->from);
	bh_buf_puts(b, " -> ");
	bh_explain_put_side(b, &x->to);
	bh_buf_putc(b, ' ');
	put_what(b, x);
	bh_buf_printf(b, ": %s\n", words[x->outcome]);
	text_claims(b, &x->from);
	text_claims(b, &x->to);
	text_said(b, x, &x->said[0]);
	text_said(b, x, &x->said[1]);
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
	int r = sides_make(&x, err);

	if (r == 0)
		r = decide(&x, err);
	if (r < 0)
		return r;
	if (text) {
		explain_text(text, &x);
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
