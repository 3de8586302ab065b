/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_shadow.c - rules that have no effect because of another one
 *
 * Not every pair is asked (lint_relation.c). A rule that covers another covers its subjects, its first peer and its
 * first port; so each rule is entered under what it demands of these, and looked for under everything that could cover
 * them. A policy for app=web is never held against one for app=db.
 */
#include "policy/lint/lint_index.h"
#include "policy/lint/lint_internal.h"

#include <errno.h>
#include <stdio.h>

#include "common/banned.h"

/* Tokens of one rule that are asked; a rule with more of them is an exotic one and may be missed. */
#define TOKENS_MAX 192U
/* Rules that have no effect because of rules that have no effect because of ... */
#define CHAIN_MAX 64U

/* Ports and peers of one rule that are looked at one by one. */
#define PARTS_MAX 16U

#define ADD_UP                                                                               \
	"rules add up; to restrict what others allow, deny the rest: \"action: deny\" with " \
	"notProtocols"

/* Rules of one class can have the same effect on another. */
enum class {
	CLASS_DECIDES = 1, /* refuses, or stands in an ordered tier */
	CLASS_ALLOWS,      /* application tier */
	CLASS_RECORDS,
	CLASS_ISOLATES, /* a policy */
};

struct shadow {
	struct lint *l;
	struct lint_index index;
	uint64_t v4_lens, v6_lens[3]; /* lengths of prefixes that occur */
	uint32_t *asked; /* by rule: the last question in which it was held against another */
	uint32_t question;
	bool plain; /* only rules without conditions are asked about */
};

/* ---- tokens: what a rule is entered under ---- */

struct tokens {
	uint64_t v[TOKENS_MAX];
	size_t n;
};

static void put(struct tokens *t, uint64_t key)
{
	if (t->n < TOKENS_MAX)
		t->v[t->n++] = key;
}

static uint64_t any_token(void)
{
	return lint_key_str("any");
}

static uint64_t pair_token(const struct bh_sel_req *r)
{
	return lint_key2(lint_key_str(r->key), lint_key_str(r->values[0]));
}

static bool one_value(const struct bh_sel_req *r)
{
	return r->op == BH_SEL_IN && r->n_values == 1;
}

/* The most telling condition of a selector. */
static uint64_t selector_token(const struct bh_selector *s)
{
	if (!s || s->n == 0)
		return any_token();
	for (size_t i = 0; i < s->n; i++)
		if (one_value(&s->reqs[i]))
			return pair_token(&s->reqs[i]);
	return lint_key_str(s->reqs[0].key);
}

/* Under what a selector that matches no less than @s may be entered: its conditions are among those of @s. */
static void selector_asks(struct tokens *t, const struct bh_selector *s, uint64_t with)
{
	put(t, lint_key2(with, any_token()));
	for (size_t i = 0; s && i < s->n; i++) {
		if (one_value(&s->reqs[i]))
			put(t, lint_key2(with, pair_token(&s->reqs[i])));
		put(t, lint_key2(with, lint_key_str(s->reqs[i].key)));
	}
}

static uint64_t kind_token(enum bh_peer_kind k)
{
	return lint_key(&k, sizeof(k));
}

static uint64_t entity_token(enum bh_entity e)
{
	return lint_key2(kind_token(BH_PEER_ENTITY), (uint64_t)e);
}

/* The first @len bits of an address. */
static uint64_t prefix_token(const struct bh_addr *a, unsigned len)
{
	uint8_t key[18] = { a->family, (uint8_t)len };

	for (unsigned i = 0; i < len / 8; i++)
		key[2 + i] = a->bytes[i];
	if (len % 8)
		key[2 + len / 8] = (uint8_t)(a->bytes[len / 8] & (0xff00U >> len % 8));
	return lint_key(key, sizeof(key));
}

static bool len_occurs(const struct shadow *s, const struct bh_addr *a, unsigned len)
{
	if (a->family == 4)
		return s->v4_lens >> len & 1;
	return s->v6_lens[len / 64] >> len % 64 & 1;
}

static void note_len(struct shadow *s, const struct bh_prefix *p)
{
	if (p->addr.family == 4)
		s->v4_lens |= UINT64_C(1) << p->len;
	else
		s->v6_lens[p->len / 64] |= UINT64_C(1) << p->len % 64;
}

static void names_ask(struct tokens *t, const char *name)
{
	uint64_t kind = kind_token(BH_PEER_NAMES);
	char parent[256];

	put(t, lint_key2(kind, lint_key_str(name)));
	if (strncmp(name, "*.", 2) == 0)
		name += 2;
	for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
		int n = snprintf(parent, sizeof(parent), "*%s", dot);

		if (n > 0 && (size_t)n < sizeof(parent))
			put(t, lint_key2(kind, lint_key_str(parent)));
	}
}

/* Under what a peer that matches no less than this one may be entered. */
static void peer_asks(const struct shadow *s, struct tokens *t, const struct bh_peer *p)
{
	switch (p->kind) {
	case BH_PEER_ENDPOINTS:
		selector_asks(t, p->has_pod ? &p->pod : NULL, kind_token(p->kind));
		put(t, entity_token(BH_ENTITY_CLUSTER));
		break;
	case BH_PEER_BLOCK:
		for (unsigned len = 0; len <= p->block.cidr.len; len++)
			if (len_occurs(s, &p->block.cidr.addr, len))
				put(t, prefix_token(&p->block.cidr.addr, len));
		break;
	case BH_PEER_ENTITY:
		put(t, entity_token(p->entity));
		if (p->entity == BH_ENTITY_HOST)
			put(t, entity_token(BH_ENTITY_NODES));
		break;
	case BH_PEER_NODES:
		selector_asks(t, &p->pod, kind_token(p->kind));
		put(t, entity_token(BH_ENTITY_NODES));
		put(t, entity_token(BH_ENTITY_CLUSTER));
		break;
	case BH_PEER_NAMES:
		if (p->names.n > 0)
			names_ask(t, p->names.items[0]);
		break;
	default:
		break;
	}
}

static uint64_t port_token(const struct bh_port *p)
{
	const uint32_t key[] = { p->l4, p->lo };

	return lint_key(key, sizeof(key));
}

static bool one_port(const struct bh_rule *r)
{
	return r->n_ports == 1 && !r->ports[0].name && r->ports[0].lo == r->ports[0].hi &&
	       r->ports[0].l4 != BH_L4_ANY;
}

static uint64_t namespace_token(const struct bh_policy *p)
{
	return bh_kind_is_cluster(p->kind) ? any_token() : lint_key_str(p->ns);
}

static uint64_t whole_key(enum class c, enum bh_dir dir, uint64_t ns, uint64_t subject,
			  uint64_t peer, uint64_t port)
{
	const uint64_t key[] = { (uint64_t)c << 8 | (uint64_t)dir, ns, subject, peer, port };

	return lint_key(key, sizeof(key));
}

static enum class class_of(const struct lint_rule *r) {
	if (lint_records(r)) return CLASS_RECORDS;
	return r->p->tier == BH_TIER_APPLICATION && !lint_refuses(r) ? CLASS_ALLOWS : CLASS_DECIDES;
}

/* ---- filling the index ---- */

static int enter(struct shadow *s, size_t i, uint64_t peer)
{
	const struct lint_rule *r = &s->l->rules[i];
	uint64_t port = one_port(r->r) ? port_token(&r->r->ports[0]) : any_token();

	return lint_index_add(&s->index,
			      whole_key(class_of(r), r->dir, namespace_token(r->p),
					selector_token(&r->p->pods), peer, port),
			      (uint32_t)i);
}

static int enter_peer(struct shadow *s, size_t i, const struct bh_peer *p)
{
	uint64_t kind = kind_token(p->kind);
	int r = 0;

	switch (p->kind) {
	case BH_PEER_ENDPOINTS:
		return enter(s, i, lint_key2(kind, selector_token(p->has_pod ? &p->pod : NULL)));
	case BH_PEER_BLOCK:
		note_len(s, &p->block.cidr);
		return enter(s, i, prefix_token(&p->block.cidr.addr, p->block.cidr.len));
	case BH_PEER_ENTITY:
		return enter(s, i, entity_token(p->entity));
	case BH_PEER_NODES:
		return enter(s, i, lint_key2(kind, selector_token(&p->pod)));
	case BH_PEER_NAMES:
		for (size_t k = 0; r == 0 && k < p->names.n; k++)
			r = enter(s, i, lint_key2(kind, lint_key_str(p->names.items[k])));
		return r;
	default:
		return 0;
	}
}

static int enter_rule(struct shadow *s, size_t i)
{
	const struct lint_rule *rule = &s->l->rules[i];
	int r = 0;

	if (rule->odd)
		return 0;
	if (lint_any_peer(rule->r))
		r = enter(s, i, any_token());
	for (size_t k = 0; r == 0 && k < rule->r->n_peers; k++)
		r = enter_peer(s, i, &rule->r->peers[k]);
	return r;
}

static int enter_isolator(struct shadow *s, size_t i)
{
	const struct bh_policy *p = s->l->order[i];
	int r = 0;

	if (p->tier != BH_TIER_APPLICATION || !lint_enforced(s->l, p))
		return 0;
	for (unsigned d = BH_DIR_INGRESS; r == 0 && d < BH_DIR_COUNT; d++)
		if (p->isolates[d])
			r = lint_index_add(&s->index,
					   whole_key(CLASS_ISOLATES, d, namespace_token(p),
						     selector_token(&p->pods), 0, 0),
					   (uint32_t)i);
	return r;
}

/* ---- asking it ---- */

struct question {
	struct tokens ns, subjects, peers, ports;
};

static void question_make(const struct shadow *s, const struct lint_rule *b, struct question *q)
{
	q->ns.n = q->subjects.n = q->peers.n = q->ports.n = 0;
	put(&q->ns, any_token());
	if (!bh_kind_is_cluster(b->p->kind))
		put(&q->ns, namespace_token(b->p));
	put(&q->subjects, any_token());
	for (size_t i = 0; i < b->p->pods.n; i++) {
		if (one_value(&b->p->pods.reqs[i]))
			put(&q->subjects, pair_token(&b->p->pods.reqs[i]));
		put(&q->subjects, lint_key_str(b->p->pods.reqs[i].key));
	}
	put(&q->peers, any_token());
	if (b->r->n_peers > 0)
		peer_asks(s, &q->peers, &b->r->peers[0]);
	put(&q->ports, any_token());
	if (b->r->n_ports > 0 && !b->r->ports[0].name && b->r->ports[0].lo == b->r->ports[0].hi)
		put(&q->ports, port_token(&b->r->ports[0]));
}

/* Would @a, by what it has no effect because of, come back to @b? Two rules must not excuse each other. */
static bool leads_to(const struct lint *l, size_t a, size_t b)
{
	for (unsigned hops = 0; hops < CHAIN_MAX; hops++) {
		if (a == b)
			return true;
		if (l->rules[a].why == LINT_WHY_NOT || l->rules[a].why == LINT_WHY_ISOLATED)
			return false;
		a = l->rules[a].because;
	}
	return true;
}

static bool ask_key(struct shadow *s, size_t ib, uint64_t key)
{
	size_t n;
	const struct lint_entry *e = lint_index_find(&s->index, key, &n);

	for (size_t i = 0; i < n; i++) {
		struct lint_rule *b = &s->l->rules[ib];
		size_t ia = e[i].value;
		enum lint_why why;

		if (s->asked[ia] == s->question || (s->plain && lint_asks(s->l->rules[ia].r)))
			continue;
		s->asked[ia] = s->question;
		why = lint_relation(s->l, ia, ib);
		if (why == LINT_WHY_NOT || leads_to(s->l, ia, ib))
			continue;
		b->why = why;
		b->because = ia;
		return true;
	}
	return false;
}

static bool ask(struct shadow *s, size_t ib, enum class c, const struct question *q)
{
	enum bh_dir dir = s->l->rules[ib].dir;

	for (size_t n = 0; n < q->ns.n; n++)
		for (size_t u = 0; u < q->subjects.n; u++)
			for (size_t p = 0; p < q->peers.n; p++)
				for (size_t o = 0; o < q->ports.n; o++) {
					if (!lint_pay(&s->l->steps, 8))
						return false;
					if (ask_key(s, ib,
						    whole_key(c, dir, q->ns.v[n], q->subjects.v[u],
							      q->peers.v[p], q->ports.v[o])))
						return true;
				}
	return false;
}

static bool isolated_before(struct shadow *s, size_t ib, const struct question *q)
{
	struct lint_rule *b = &s->l->rules[ib];

	for (size_t u = 0; u < q->subjects.n; u++) {
		const struct lint_entry *e;
		size_t n;

		e = lint_index_find(
		    &s->index,
		    whole_key(CLASS_ISOLATES, b->dir, any_token(), q->subjects.v[u], 0, 0), &n);
		for (size_t i = 0; i < n && lint_pay(&s->l->steps, 4); i++) {
			if (!lint_isolated_by(s->l, b, s->l->order[e[i].value]))
				continue;
			b->why = LINT_WHY_ISOLATED;
			b->because = e[i].value;
			return true;
		}
	}
	return false;
}

static void look(struct shadow *s, size_t ib)
{
	const struct lint_rule *b = &s->l->rules[ib];
	struct question q;

	if (b->odd || s->l->steps.empty)
		return;
	s->question++;
	question_make(s, b, &q);
	if (ask(s, ib, CLASS_DECIDES, &q))
		return;
	if (lint_records(b)) {
		(void)ask(s, ib, CLASS_RECORDS, &q);
		return;
	}
	if (b->p->tier == BH_TIER_BASELINE && isolated_before(s, ib, &q))
		return;
	if (b->p->tier == BH_TIER_BASELINE ||
	    (b->p->tier == BH_TIER_APPLICATION && b->r->action == BH_ACTION_ALLOW))
		(void)ask(s, ib, CLASS_ALLOWS, &q);
}

/* ---- telling ---- */

/*
 * The rule to name: one that has an effect itself. What covers the rule that covers this one covers this one too, but
 * it may do something else to it, and where that cannot be proved nothing is said.
 */
static bool settle(struct shadow *s, size_t ib)
{
	struct lint_rule *b = &s->l->rules[ib];

	for (unsigned hops = 0; hops < CHAIN_MAX; hops++) {
		const struct lint_rule *a;
		enum lint_why why;

		if (b->why == LINT_WHY_ISOLATED)
			return true;
		a = &s->l->rules[b->because];
		if (a->why == LINT_WHY_NOT)
			return true;
		if (a->why == LINT_WHY_ISOLATED) /* then @a is of baseline, and so is @b */
			return true;
		why = lint_relation(s->l, a->because, ib);
		if (why == LINT_WHY_NOT)
			return false;
		b->why = why;
		b->because = a->because;
	}
	return false;
}

static const char *verb(const struct lint_rule *a)
{
	static const char *const verbs[] = {
		[BH_ACTION_INVALID] = "?",      [BH_ACTION_ALLOW] = "allows",
		[BH_ACTION_DENY] = "denies",    [BH_ACTION_REJECT] = "rejects",
		[BH_ACTION_PASS] = "passes on", [BH_ACTION_ALERT] = "alerts on",
		[BH_ACTION_LOG] = "logs",
	};
	BH_STATIC_ASSERT_TABLE(verbs, BH_ACTION_COUNT);

	return (unsigned)a->r->action < BH_ACTION_COUNT ? verbs[a->r->action] : "?";
}

static const struct {
	const char *code, *format; /* the other rule, what it does, to what */
} words[] = {
	[LINT_WHY_NOT] = { NULL, NULL },
	[LINT_WHY_ALLOWED] = { "w1", "has no effect: %s %s %s" },
	[LINT_WHY_TWICE] = { "w20", "says the same as %s, which %s %s" },
	[LINT_WHY_BEATEN] = { "w21", "has no effect: %s %s %s, and that beats every allow" },
	[LINT_WHY_BEHIND] = { "w22", "is never reached: %s comes before it and %s %s" },
	[LINT_WHY_TIER] = { "w23", "is never reached: %s, in an earlier tier, %s %s" },
	[LINT_WHY_ISOLATED] = { "w23", NULL },
	[LINT_WHY_REFUSED] = { "w24", "has no effect: %s %s %s already" },
	[LINT_WHY_UNRECORDED] = { "w25", "never records anything: %s %s %s" },
	[LINT_WHY_RECORDED] = { "w26", "never records anything: %s comes first and %s %s" },
};
BH_STATIC_ASSERT_TABLE(words, LINT_WHY_COUNT);

static const char *hint_for(const struct lint_rule *a, const struct lint_rule *b)
{
	if (b->why == LINT_WHY_ALLOWED && lint_asks(b->r) && !lint_asks(a->r))
		return ADD_UP;
	if (b->why == LINT_WHY_UNRECORDED)
		return "what is refused is recorded by the rule that refuses it";
	return NULL;
}

static int tell_isolated(struct lint *l, const struct lint_rule *b, const struct lint_where *w,
			 const char *who)
{
	bh_cleanup(bh_buf_done) struct bh_buf by = BH_BUF_INIT;

	lint_put_policy(&by, l->order[b->because]);
	if (bh_buf_failed(&by))
		return -ENOMEM;
	return lint_warn(
	    l, w, "w23", NULL,
	    "%s is never reached: %s isolates all its pods for %s, so tier baseline is not "
	    "asked",
	    who, bh_buf_str(&by), bh_dir_name(b->dir));
}

static int tell(struct lint *l, const struct lint_rule *b)
{
	bh_cleanup(bh_buf_done) struct bh_buf who = BH_BUF_INIT, other = BH_BUF_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf traffic = BH_BUF_INIT, text = BH_BUF_INIT;
	const struct lint_where w = {
		.p = b->p, .part = LINT_PART_RULE, .dir = b->dir, .rule = b->index
	};
	const struct lint_rule *a;

	lint_put_rule(&who, b->r, b->dir, b->index);
	if (bh_buf_failed(&who))
		return -ENOMEM;
	if (b->why == LINT_WHY_ISOLATED)
		return tell_isolated(l, b, &w, bh_buf_str(&who));
	a = &l->rules[b->because];
	if (a->why == LINT_WHY_ISOLATED)
		return tell_isolated(l, a, &w, bh_buf_str(&who));
	lint_put_other(&other, b->p, a);
	lint_put_traffic(&traffic, a);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	bh_buf_printf(&text, words[b->why].format, bh_buf_str(&other), verb(a),
		      bh_buf_str(&traffic));
#pragma GCC diagnostic pop
	if (bh_buf_failed(&other) || bh_buf_failed(&traffic) || bh_buf_failed(&text))
		return -ENOMEM;
	return lint_warn(l, &w, words[b->why].code, hint_for(a, b), "%s %s", bh_buf_str(&who),
			 bh_buf_str(&text));
}

/* ---- rules of which a part has no effect ---- */

/*
 * One port or one peer of a rule with conditions, which another rule allows without: the conditions do not hold there.
 * The rule is asked about as if it had nothing else. Return: what allows it; LINT_NONE
 */
static size_t part_of(struct shadow *s, size_t ib, const struct bh_rule *part)
{
	struct lint_rule *b = &s->l->rules[ib], whole = *b;
	struct question q;
	size_t found = LINT_NONE;

	b->r = part;
	s->question++;
	s->plain = true;
	question_make(s, b, &q);
	if (ask(s, ib, CLASS_ALLOWS, &q) && settle(s, ib) && b->why == LINT_WHY_ALLOWED)
		found = b->because;
	s->plain = false;
	*b = whole;
	return found;
}

static int tell_part(struct lint *l, const struct lint_rule *b, enum lint_part part, size_t item,
		     size_t because)
{
	bh_cleanup(bh_buf_done) struct bh_buf who = BH_BUF_INIT, what = BH_BUF_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf other = BH_BUF_INIT, traffic = BH_BUF_INIT;
	const struct lint_where w = {
		.p = b->p, .part = part, .dir = b->dir, .rule = b->index, .item = item
	};

	lint_put_rule(&who, b->r, b->dir, b->index);
	if (part == LINT_PART_PORT)
		lint_put_port(&what, &b->r->ports[item]);
	else
		lint_put_peer(&what, b->p, &b->r->peers[item]);
	lint_put_other(&other, b->p, &l->rules[because]);
	lint_put_traffic(&traffic, &l->rules[because]);
	if (bh_buf_failed(&who) || bh_buf_failed(&what) || bh_buf_failed(&other) ||
	    bh_buf_failed(&traffic))
		return -ENOMEM;
	return lint_warn(l, &w, "w33", ADD_UP, "%s has no effect %s %s: %s allows %s",
			 bh_buf_str(&who), part == LINT_PART_PORT ? "on" : "for", bh_buf_str(&what),
			 bh_buf_str(&other), bh_buf_str(&traffic));
}

static int parts(struct shadow *s, size_t ib)
{
	const struct lint_rule *b = &s->l->rules[ib];
	const struct bh_rule *whole = b->r;
	int r = 0;

	if (b->odd || b->why != LINT_WHY_NOT || b->p->tier != BH_TIER_APPLICATION ||
	    whole->action != BH_ACTION_ALLOW || !lint_asks(whole))
		return 0;
	for (size_t i = 0; r == 0 && whole->n_ports > 1 && i < BH_MIN(whole->n_ports, PARTS_MAX);
	     i++) {
		struct bh_rule part = *whole;
		size_t by;

		part.ports = &whole->ports[i];
		part.n_ports = 1;
		by = part_of(s, ib, &part);
		if (by != LINT_NONE)
			r = tell_part(s->l, b, LINT_PART_PORT, i, by);
	}
	for (size_t i = 0; r == 0 && whole->n_peers > 1 && i < BH_MIN(whole->n_peers, PARTS_MAX);
	     i++) {
		struct bh_rule part = *whole;
		size_t by;

		part.peers = &whole->peers[i];
		part.n_peers = 1;
		by = part_of(s, ib, &part);
		if (by != LINT_NONE)
			r = tell_part(s->l, b, LINT_PART_PEER, i, by);
	}
	return r;
}

/* ---- the whole ---- */

static void shadow_done(struct shadow *s)
{
	lint_index_done(&s->index);
	free(s->asked);
}

int lint_shadow(struct lint *l)
{
	bh_cleanup(shadow_done) struct shadow s = { .l = l };
	int r = 0;

	s.asked = calloc(l->n_rules + 1, sizeof(*s.asked));
	if (!s.asked)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < l->n_rules; i++)
		r = enter_rule(&s, i);
	for (size_t i = 0; r == 0 && i < l->n_order; i++)
		r = enter_isolator(&s, i);
	if (r == 0)
		r = lint_index_seal(&s.index);
	for (size_t i = 0; r == 0 && i < l->n_rules; i++)
		look(&s, i);
	for (size_t i = 0; r == 0 && i < l->n_rules; i++)
		if (l->rules[i].why != LINT_WHY_NOT && settle(&s, i))
			r = tell(l, &l->rules[i]);
	for (size_t i = 0; r == 0 && i < l->n_rules && !l->steps.empty; i++)
		r = parts(&s, i);
	return r;
}
