/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_word.c - what happens to a packet -> the word of its cell
 *
 * For a set of rules that match peer and port, every protocol that can make a difference is judged: those that a rule
 * names, one that none names ("other"), and "unknown". Where predicates matter, each is supposed true and false in
 * turn, in the order in which the judgement asks for them: that makes a graph, with equal parts shared, and what the
 * judgement does not ask for is not in it. If it turns out that neither the verdict nor what is recorded depends on
 * anything that is spoken, the cell gets a plain word and no packet is held up for it; else it gets a contract.
 *
 * Words carry preliminary numbers here (index + 1, in the order of the work); compile_emit.c replaces them.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

/* So many predicates may decide about one protocol at one port. */
#define GRAPH_DEPTH_MAX BH_ARRAY_SIZE(((struct bh_judge_run *)NULL)->given)
#define GRAPH_WORK_MAX  65536U

struct run {
	struct bh_judge_run j;
	struct bh_protoset named;
	bool have_expected;
	struct bh_protoset expected; /* what would be allowed here */
	size_t work;
};

/* ---- predicates ---- */

void bh_detail_put_text(struct bh_buf *b, const struct bh_detail *d)
{
	for (size_t i = 0; i < d->n; i++) {
		for (size_t k = 0; k < d->clauses[i].n; k++) {
			const struct bh_test *t = &d->clauses[i].tests[k];

			bh_buf_printf(b, "%s%s ",
				      k   ? "; "
				      : i ? " or "
					  : "",
				      bh_attr_name(t->attr));
			for (size_t v = 0; v < t->values.n; v++)
				bh_buf_printf(b, "%s%s", v ? ", " : "", t->values.items[v]);
		}
	}
}

int bh_pred_get(struct bh_state *s, const struct bh_detail *d, struct bh_policy *p, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	uint32_t kind = d->kind;
	size_t n = s->pred_keys.n;
	int r;

	bh_buf_add(&key, &kind, sizeof(kind));
	for (size_t i = 0; i < d->n; i++) {
		for (size_t k = 0; k < d->clauses[i].n; k++) {
			const struct bh_test *t = &d->clauses[i].tests[k];
			const uint32_t head[] = { (uint32_t)i, t->attr, (uint32_t)t->values.n };

			bh_buf_add(&key, head, sizeof(head));
			for (size_t v = 0; v < t->values.n; v++)
				bh_buf_add(&key, t->values.items[v],
					   strlen(t->values.items[v]) + 1);
		}
	}
	if (bh_buf_failed(&key))
		return -ENOMEM;
	r = bh_grow(&s->preds, &s->cap_preds, n, sizeof(*s->preds));
	if (r == 0)
		r = bh_intern(&s->pred_keys, key.data, key.len, ret);
	if (r == 0 && *ret == n)
		s->preds[n] = (struct bh_cpred){ .detail = d, .owner = bh_policy_ref(p) };
	return r;
}

/* ---- what people read ---- */

static void put_rule(struct bh_buf *b, const struct run *x, uint32_t policy, uint32_t rule)
{
	const struct bh_policy *p = x->j.s->policies[policy]->src;

	bh_policy_put_name(b, p);
	if (rule == BH_NONE)
		return;
	if (p->rules[x->j.g->dir][rule].name)
		bh_buf_printf(b, " rule \"%s\"", p->rules[x->j.g->dir][rule].name);
	else
		bh_buf_printf(b, " %s[%u]", bh_dir_name(x->j.g->dir), rule);
}

static const struct bh_rule *rule_at(const struct run *x, uint32_t policy, uint32_t rule)
{
	return &x->j.s->policies[policy]->src->rules[x->j.g->dir][rule];
}

#define ISOLATORS_SHOWN 4U

static bool isolates(const struct run *x, uint32_t policy)
{
	const struct bh_cpolicy *cp = x->j.s->policies[policy];

	return cp->mode == BH_MODE_ENFORCE && cp->src->isolates[x->j.g->dir];
}

static void put_isolated(struct bh_buf *b, const struct run *x)
{
	unsigned n = 0;

	for (size_t i = 0; i < x->j.g->n_policies; i++) {
		if (!isolates(x, x->j.g->policies[i]))
			continue;
		if (n < ISOLATORS_SHOWN) {
			bh_buf_puts(b, n ? ", " : "isolated by ");
			put_rule(b, x, x->j.g->policies[i], BH_NONE);
		}
		n++;
	}
	if (n > ISOLATORS_SHOWN)
		bh_buf_printf(b, " and %u more", n - ISOLATORS_SHOWN);
	bh_buf_puts(b, "; no rule allows it");
}

static uint32_t first_isolator(const struct run *x)
{
	for (size_t i = 0; i < x->j.g->n_policies; i++) {
		if (isolates(x, x->j.g->policies[i]))
			return x->j.g->policies[i];
	}
	return BH_NONE;
}

/* "http (methods GET; hosts a.example), tls": details are those of @r. */
static void put_names(struct bh_buf *b, const struct bh_protoset *set, const struct bh_rule *r)
{
	const char *sep = "";

	for (unsigned p = BH_PROTO_FIRST; p < 256; p++) {
		if (!bh_protoset_has(set, p))
			continue;
		bh_buf_printf(b, "%s%s", sep, bh_proto_name(p) ? bh_proto_name(p) : "?");
		sep = ", ";
		for (size_t i = 0; r && i < r->n_details; i++) {
			if (!bh_protoset_has(&r->protocols, p) ||
			    !bh_detail_binds(r->details[i].kind, p))
				continue;
			bh_buf_puts(b, " (");
			bh_detail_put_text(b, &r->details[i]);
			bh_buf_putc(b, ')');
		}
	}
}

static void put_action(struct bh_buf *b, enum bh_action a)
{
	static const char *const words[] = {
		[BH_ACTION_INVALID] = "",
		[BH_ACTION_ALLOW] = "allowed by ",
		[BH_ACTION_DENY] = "denied by ",
		[BH_ACTION_REJECT] = "rejected by ",
		[BH_ACTION_PASS] = "denied by ", /* it has a peer of a later version */
		[BH_ACTION_ALERT] = "allowed, with an alert of ",
		[BH_ACTION_LOG] = "allowed, and logged by ",
	};
	BH_STATIC_ASSERT_TABLE(words, BH_ACTION_COUNT);

	bh_buf_puts(b, words[a]);
}

static bool has_unknown_peer(const struct bh_rule *r)
{
	for (size_t i = 0; i < r->n_peers; i++) {
		if (r->peers[i].kind == BH_PEER_UNKNOWN)
			return true;
	}
	return false;
}

static void put_by_rule(struct bh_buf *b, const struct run *x, const struct bh_answer *v)
{
	const struct bh_rule *r;

	if (v->stays_unknown) {
		bh_buf_puts(b, "protocol unknown; allowed by unknownProtocol of ");
		put_rule(b, x, v->policy, BH_NONE);
		return;
	}
	r = rule_at(x, v->policy, v->rule);
	put_action(b, r->action);
	put_rule(b, x, v->policy, v->rule);
	if (bh_word_refuses(v->word) && has_unknown_peer(r))
		bh_buf_puts(b, ", which has a peer that this version does not know");
}

static void put_would(struct bh_buf *b, const struct run *x, const struct bh_answer *v,
		      const struct bh_protoset *expected)
{
	const struct bh_rule *r = v->rule == BH_NONE ? NULL : rule_at(x, v->policy, v->rule);

	bh_buf_puts(b, "allowed, but in mode enforce ");
	put_rule(b, x, v->policy, v->rule);
	if (r && r->action != BH_ACTION_ALLOW) {
		bh_buf_puts(b, " would refuse it");
	} else if (!bh_protoset_empty(expected)) {
		bh_buf_puts(b, " would allow only ");
		put_names(b, expected, r);
		bh_buf_puts(b, " here");
	} else {
		bh_buf_puts(b, " would isolate, and no rule allows it");
	}
}

static void reason_text(struct bh_buf *b, const struct run *x, const struct bh_answer *v,
			const struct bh_protoset *expected)
{
	switch (v->kind) {
	case BH_REASON_RULE:
		put_by_rule(b, x, v);
		return;
	case BH_REASON_ISOLATED:
		put_isolated(b, x);
		return;
	case BH_REASON_PROTOCOL:
		bh_buf_puts(b, bh_protoset_empty(expected) ? "no protocol" : "only ");
		put_names(b, expected, rule_at(x, v->policy, v->rule));
		bh_buf_puts(b, " allowed here, by ");
		put_rule(b, x, v->policy, v->rule);
		return;
	case BH_REASON_NOT_ISOLATED:
		bh_buf_printf(b, "no policy isolates it for %s", bh_dir_name(x->j.g->dir));
		return;
	case BH_REASON_WOULD:
		put_would(b, x, v, expected);
		return;
	case BH_REASON_LEARN:
		bh_buf_puts(b, "allowed, and no rule of ");
		put_rule(b, x, v->policy, BH_NONE);
		bh_buf_puts(b, " covers it, which is being learned");
		return;
	case BH_REASON_HOST:
		bh_buf_puts(b, "traffic with the own node");
		return;
	case BH_REASON_INVALID:
	case BH_REASON_COUNT:
		return;
	}
}

/* ---- reasons ---- */

/* Protocols that would be allowed, some way or other, where the verdict was given. */
static void expected_of(struct run *x, const struct bh_answer *v, struct bh_protoset *ret)
{
	bool would = v->kind == BH_REASON_WOULD;
	struct bh_judge_run j = x->j;

	*ret = (struct bh_protoset){ { 0 } };
	if (!bh_word_refuses(v->word) && !would)
		return;
	if (!would && x->have_expected) {
		*ret = x->expected;
		return;
	}
	j.hopeful = true;
	j.n_given = 0;
	for (unsigned p = BH_PROTO_FIRST; p < BH_PROTO_UNDECIDED; p++) {
		struct bh_answer a;

		if (bh_protoset_has(&x->named, p) &&
		    bh_judge_verdict(&j, p, would ? v->policy : BH_NONE, &a) &&
		    !bh_word_refuses(a.word))
			bh_protoset_add(ret, p);
	}
	if (would)
		return;
	x->expected = *ret;
	x->have_expected = true;
}

/*
 * Equal reasons are one. Behind the policy's serial number the key holds what must be equal for the number to stay
 * (compile_emit.c).
 */
static int reason_make(struct run *x, const struct bh_answer *v, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	struct bh_state *s = x->j.s;
	struct bh_creason cr = {
		.kind = v->kind,
		.dir = x->j.g->dir,
		.policy = v->kind == BH_REASON_ISOLATED ? first_isolator(x) : v->policy,
		.rule = v->rule,
	};
	const struct bh_cpolicy *cp = cr.policy == BH_NONE ? NULL : s->policies[cr.policy];
	const uint64_t serial = cp ? cp->serial : 0;
	const uint32_t head[] = { cr.kind, cr.dir, cr.rule };
	size_t n = s->reason_keys.n, text_at;
	int r;

	expected_of(x, v, &cr.expected);
	cr.has_expected = !bh_protoset_empty(&cr.expected);
	bh_buf_add(&key, &serial, sizeof(serial));
	bh_buf_add(&key, head, sizeof(head));
	bh_buf_add(&key, &cr.expected, sizeof(cr.expected));
	if (cp) {
		bh_buf_printf(&key, "%u", cp->src->kind);
		bh_buf_add(&key, cp->src->ns, strlen(cp->src->ns) + 1);
		bh_buf_add(&key, cp->src->name, strlen(cp->src->name) + 1);
	}
	text_at = key.len;
	reason_text(&key, x, v, &cr.expected);
	if (bh_buf_failed(&key))
		return -ENOMEM;
	r = bh_grow(&s->reasons, &s->cap_reasons, n, sizeof(*s->reasons));
	if (r == 0)
		r = bh_intern(&s->reason_keys, key.data, key.len, ret);
	if (r < 0 || *ret != n)
		return r;
	if (n >= BH_WORD_NUMBER)
		return bh_err_set(s->err, -E2BIG, "more than %u reasons", BH_WORD_NUMBER);
	cr.text = strdup(key.data + text_at);
	s->reasons[n] = cr;
	return cr.text ? 0 : -ENOMEM;
}

/* ---- graphs ---- */

/* 2: refused, 1: recorded, 0: neither. */
static int badness(uint32_t word)
{
	if (bh_word_refuses(word))
		return 2;
	return word & BH_WORD_REPORT ? 1 : 0;
}

/* Does it matter which of the two it is? */
static bool differs(uint32_t a, uint32_t b)
{
	return badness(a) != badness(b) || (badness(a) == 1 && a != b);
}

static const struct bh_cnode_info *info_of(const struct bh_state *s, uint32_t next)
{
	return bh_word_verdict(next) == BH_WORD_CONTRACT ? &s->node_infos[bh_word_number(next)]
							 : NULL;
}

/* The worst that can come out; of equals the first. */
static uint32_t worst(const struct bh_state *s, uint32_t next)
{
	const struct bh_cnode_info *i = info_of(s, next);

	return i ? i->worst : next;
}

static uint32_t some_leaf(const struct bh_state *s, uint32_t next)
{
	const struct bh_cnode_info *i = info_of(s, next);

	return i ? i->sample : next;
}

static bool is_learning(const struct bh_state *s, uint32_t next)
{
	const struct bh_cnode_info *i = info_of(s, next);

	return i ? i->learning : s->reasons[bh_word_number(next) - 1].kind == BH_REASON_LEARN;
}

static bool is_mixed(const struct bh_state *s, uint32_t next)
{
	const struct bh_cnode_info *i = info_of(s, next);

	return i && i->mixed;
}

/* Some leaf differs from @word, or is there to be recorded with what is spoken. */
static bool depends(const struct bh_state *s, uint32_t next, uint32_t word)
{
	return is_learning(s, next) || is_mixed(s, next) || differs(some_leaf(s, next), word);
}

static int node_make(struct run *x, uint32_t pred, uint32_t yes, uint32_t no, uint32_t *ret)
{
	const struct bh_cnode n = { pred, yes, no };
	struct bh_state *s = x->j.s;
	uint32_t idx, w_yes, w_no;
	int r;

	if (yes == no) {
		*ret = yes;
		return 0;
	}
	r = bh_grow(&s->node_infos, &s->cap_node_infos, s->node_keys.n, sizeof(*s->node_infos));
	if (r == 0)
		r = bh_intern(&s->node_keys, &n, sizeof(n), &idx);
	if (r < 0)
		return r;
	if (idx > BH_WORD_NUMBER)
		return bh_err_set(s->err, -E2BIG, "more than %u conditions", BH_WORD_NUMBER);
	w_yes = worst(s, yes);
	w_no = worst(s, no);
	s->node_infos[idx] = (struct bh_cnode_info){
		.worst = badness(w_yes) >= badness(w_no) ? w_yes : w_no,
		.sample = some_leaf(s, yes),
		.learning = is_learning(s, yes) || is_learning(s, no),
		.mixed = is_mixed(s, yes) || is_mixed(s, no) ||
			 differs(some_leaf(s, yes), some_leaf(s, no)),
	};
	*ret = BH_WORD_CONTRACT | idx;
	return 0;
}

static int graph_make(struct run *x, unsigned proto, uint32_t *ret)
{
	struct bh_judge_run *j = &x->j;
	struct bh_answer a;
	uint32_t idx, pred, yes, no;
	int r;

	if (bh_judge_proto(j, proto, &a)) {
		r = reason_make(x, &a, &idx);
		*ret = r < 0 ? 0 : a.word | (idx + 1);
		return r;
	}
	pred = j->need;
	if (j->n_given == GRAPH_DEPTH_MAX || ++x->work > GRAPH_WORK_MAX)
		return bh_err_set(j->s->err, -E2BIG,
				  "too many details (http, tls, dns ...) of rules decide about one "
				  "port: write fewer, longer lists");
	j->given[j->n_given].pred = pred;
	j->given[j->n_given++].holds = true;
	r = graph_make(x, proto, &yes);
	if (r == 0) {
		j->given[j->n_given - 1].holds = false;
		r = graph_make(x, proto, &no);
	}
	j->n_given--;
	return r < 0 ? r : node_make(x, pred, yes, no, ret);
}

/* ---- contracts ---- */

#define MAX_NAMED 256U

struct answers {
	unsigned proto[MAX_NAMED];
	uint32_t named[MAX_NAMED]; /* next */
	size_t n;
	uint32_t other, unknown; /* next */
};

/*
 * Undecided may still be anything: it gets the worst of all answers. Where several are equally bad, that of
 * "unknown", "other", and then the first of the named ones.
 */
static uint32_t undecided_of(const struct bh_state *s, const struct answers *a)
{
	uint32_t u = worst(s, a->unknown), w = worst(s, a->other);

	if (badness(w) > badness(u))
		u = w;
	for (size_t i = 0; i < a->n; i++) {
		w = worst(s, a->named[i]);
		if (badness(w) > badness(u))
			u = w;
	}
	return u;
}

static bool any_depends(const struct bh_state *s, const struct answers *a)
{
	uint32_t word = some_leaf(s, a->other);
	bool d = depends(s, a->other, word) || depends(s, a->unknown, word);

	for (size_t i = 0; i < a->n && !d; i++)
		d = depends(s, a->named[i], word);
	return d;
}

static enum bh_fail stricter(enum bh_fail a, enum bh_fail b)
{
	if (b == BH_FAIL_UNSET)
		b = BH_FAIL_REFUSE;
	return BH_MIN(a, b);
}

/* The strictest of the rules whose conditions matter; what is only recorded stops nothing. */
static void fail_modes(const struct run *x, struct bh_contract_key *k)
{
	enum bh_fail overload = BH_FAIL_ALLOW, midstream = BH_FAIL_ALLOW;

	for (size_t i = 0; badness(k->undecided) == 2 && i < x->j.g->n_rules; i++) {
		const struct bh_crule *cr = x->j.g->rules[i];
		const struct bh_rule *r = cr->src;

		if (!bh_set_has(x->j.set, i) || (!r->has_protocols && r->n_details == 0) ||
		    r->action == BH_ACTION_ALERT || r->action == BH_ACTION_LOG ||
		    x->j.s->policies[cr->policy]->mode != BH_MODE_ENFORCE)
			continue;
		overload = stricter(overload, r->on_overload);
		midstream = stricter(midstream, r->midstream);
	}
	k->on_overload = overload;
	k->midstream = midstream;
}

/* What the rules that may allow the protocol admit around it. */
static void entry_admits(const struct run *x, struct bh_contract_key_entry *e)
{
	bool any = false, plain = false, proxy = false, require = true;

	for (size_t i = 0; i < x->j.g->n_rules; i++) {
		const struct bh_crule *cr = x->j.g->rules[i];
		const struct bh_rule *r = cr->src;

		if (!bh_set_has(x->j.set, i) || r->action != BH_ACTION_ALLOW ||
		    x->j.s->policies[cr->policy]->mode != BH_MODE_ENFORCE ||
		    (r->has_protocols && bh_protoset_has(&r->protocols, e->proto) == r->negated))
			continue;
		any = true;
		plain |= !r->has_protocols;
		e->switches |= r->switches;
		proxy |= r->proxy == BH_PROXY_ALLOW || r->proxy == BH_PROXY_REQUIRE;
		require &= r->proxy == BH_PROXY_REQUIRE;
	}
	if (!any || plain)
		e->switches = BH_SWITCH_USUAL;
	e->proxy = !any || !proxy ? BH_PROXY_REFUSE : require ? BH_PROXY_REQUIRE : BH_PROXY_ALLOW;
}

static int contract_make(struct run *x, const struct answers *a, uint32_t *ret)
{
	struct bh_state *s = x->j.s;
	size_t size = sizeof(struct bh_contract_key) + a->n * sizeof(struct bh_contract_key_entry);
	bh_autofree struct bh_contract_key *k = calloc(1, size);
	size_t n = s->contract_keys.n;
	uint32_t idx;
	int r;

	if (!k)
		return -ENOMEM;
	k->n = (uint32_t)a->n;
	k->other_next = a->other;
	k->unknown_next = a->unknown;
	k->other = worst(s, a->other);
	k->unknown = worst(s, a->unknown);
	k->undecided = undecided_of(s, a);
	fail_modes(x, k);
	for (size_t i = 0; i < a->n; i++) {
		k->e[i].proto = a->proto[i];
		k->e[i].next = a->named[i];
		k->e[i].word = worst(s, a->named[i]);
		entry_admits(x, &k->e[i]);
	}
	r = bh_grow(&s->contracts, &s->cap_contracts, n, sizeof(*s->contracts));
	if (r == 0)
		r = bh_intern(&s->contract_keys, k, size, &idx);
	if (r < 0)
		return r;
	if (idx >= BH_WORD_NUMBER)
		return bh_err_set(s->err, -E2BIG, "more than %u contracts", BH_WORD_NUMBER);
	if (idx == n)
		s->contracts[n] = (struct bh_ccontract){ .number = 0 };
	*ret =
	    BH_WORD_CONTRACT | (k->on_overload == BH_FAIL_REFUSE ? 0U : BH_WORD_OPEN) | (idx + 1);
	return 0;
}

static bool is_isolation(const struct bh_state *s, uint32_t word)
{
	return bh_word_refuses(word) &&
	       s->reasons[bh_word_number(word) - 1].kind == BH_REASON_ISOLATED;
}

/*
 * It does not matter what is spoken. Where everything is refused, though for several reasons, the one that holds whatever
 * is spoken is told: that the endpoint is isolated. A rule about protocols may be the reason for some of them only.
 */
static uint32_t plain_of(const struct bh_state *s, const struct answers *a)
{
	uint32_t word = worst(s, a->other);

	if (badness(word) < 2 || is_isolation(s, word))
		return word;
	if (is_isolation(s, worst(s, a->unknown)))
		return worst(s, a->unknown);
	for (size_t i = 0; i < a->n; i++) {
		if (is_isolation(s, worst(s, a->named[i])))
			return worst(s, a->named[i]);
	}
	return word;
}

/* ---- the word ---- */

static int judge_set(struct run *x, uint32_t *ret)
{
	struct answers *a = NULL;
	bool by_what = false;
	int r;

	for (size_t i = 0; i < x->j.g->n_rules; i++) {
		const struct bh_rule *rule = x->j.g->rules[i]->src;

		if (!bh_set_has(x->j.set, i))
			continue;
		by_what |= rule->has_protocols || rule->n_details > 0;
		for (unsigned k = 0; rule->has_protocols && k < BH_ARRAY_SIZE(x->named.bits); k++)
			x->named.bits[k] |= rule->protocols.bits[k];
	}
	for (size_t i = 0; i < x->j.g->n_policies; i++)
		by_what |= x->j.s->policies[x->j.g->policies[i]]->mode == BH_MODE_LEARN;
	if (!by_what)
		return graph_make(x, BH_OTHER, ret);
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	r = graph_make(x, BH_OTHER, &a->other);
	if (r == 0)
		r = graph_make(x, BH_PROTO_UNKNOWN, &a->unknown);
	for (unsigned p = BH_PROTO_FIRST; r == 0 && p < BH_PROTO_UNDECIDED; p++) {
		if (!bh_protoset_has(&x->named, p))
			continue;
		a->proto[a->n] = p;
		r = graph_make(x, p, &a->named[a->n++]);
	}
	if (r == 0 && any_depends(x->j.s, a))
		r = contract_make(x, a, ret);
	else if (r == 0)
		*ret = plain_of(x->j.s, a);
	free(a);
	return r;
}

int bh_word_for(struct bh_state *s, struct bh_sigma *g, const uint64_t *set, bool host,
		uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	struct run x = { .j = { .s = s, .g = g, .set = set, .host = host } };
	uint32_t head = host, idx, word;
	size_t n = g->memo.n;
	int r;

	bh_buf_add(&key, set, bh_set_words(g->n_rules) * sizeof(*set));
	bh_buf_add(&key, &head, sizeof(head));
	if (bh_buf_failed(&key))
		return -ENOMEM;
	r = bh_intern(&g->memo, key.data, key.len, &idx);
	if (r < 0)
		return r;
	if (idx < n) {
		*ret = g->words.v[idx];
		return 0;
	}
	r = judge_set(&x, &word);
	if (r == 0)
		r = bh_u32s_add(&g->words, word);
	if (r == 0)
		*ret = word;
	return r;
}
