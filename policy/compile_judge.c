/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile_judge.c - the rules that match a packet -> the word of its cell
 *
 * The order of evaluation is explained in compile.c. Here it is applied for each protocol that can make a
 * difference: those that a matching rule names, one that none names ("other"), "unknown" and "undecided".
 * If it turns out that neither the verdict nor what is recorded depends on the protocol, the cell gets a
 * plain word and no packet is held up for it; else it gets a contract.
 */
#include "common/util.h"
#include "policy/compile_internal.h"

#include <string.h>

#include "common/banned.h"

#define OTHER 0U /* no protocol has this number: in no list */

/* What an evaluation says, before there are words. */
struct verdict {
	uint32_t word; /* verdict and flags */
	enum bh_reason_kind kind;
	uint32_t policy;    /* index in the set; BH_NONE */
	uint32_t rule;      /* index in the policy's list; BH_NONE */
	bool stays_unknown; /* by unknownProtocol */
};

struct judge {
	struct bh_run *run;
	struct bh_sigma *s;
	const uint64_t *set;
	struct bh_protoset named;
};

static bool speaks(const struct bh_rule *r, unsigned proto)
{
	if (!r->has_protocols)
		return true;
	return bh_protoset_has(&r->protocols, proto) != r->negated;
}

/* Enforced, or the one monitor policy that is tried. */
static bool counts(const struct judge *j, uint32_t policy, uint32_t tried)
{
	return !j->run->policies[policy].monitor || policy == tried;
}

static bool isolated(const struct judge *j, uint32_t tried)
{
	return j->s->isolated ||
	       (tried != BH_NONE && j->run->policies[tried].src->isolates[j->s->dir]);
}

static struct verdict by_rule(uint32_t word, const struct bh_crule *cr)
{
	return (struct verdict){
		.word = word,
		.kind = BH_REASON_RULE,
		.policy = cr->policy,
		.rule = cr->index,
	};
}

/* The rules that decide, as far as a look at all of them tells. */
struct found {
	const struct bh_crule *refuse;    /* first deny or reject that holds */
	const struct bh_crule *allow;     /* first allow that holds */
	const struct bh_crule *proto;     /* first allow that fails for the protocol alone */
	bool unknown_deny, unknown_alert; /* among the policies of the latter kind */
};

static void look(const struct judge *j, unsigned proto, uint32_t tried, struct found *f)
{
	for (size_t i = 0; i < j->s->n_rules; i++) {
		const struct bh_crule *cr = j->s->rules[i];
		bool holds = speaks(cr->src, proto);

		if (!bh_set_has(j->set, i) || !counts(j, cr->policy, tried))
			continue;
		switch (cr->src->action) {
		case BH_ACTION_DENY:
		case BH_ACTION_REJECT:
			if (holds && !f->refuse)
				f->refuse = cr;
			break;
		case BH_ACTION_ALLOW:
			if (holds) {
				if (!f->allow)
					f->allow = cr;
				break;
			}
			if (!f->proto)
				f->proto = cr;
			f->unknown_alert |= cr->src->unknown == BH_FAIL_ALERT;
			f->unknown_deny |=
			    cr->src->unknown != BH_FAIL_ALERT && cr->src->unknown != BH_FAIL_ALLOW;
			break;
		default:
			break;
		}
	}
}

/* Allowed or refused, if besides the enforced policies @tried held. */
static struct verdict decide(const struct judge *j, unsigned proto, uint32_t tried)
{
	struct found f = { .refuse = NULL };
	struct verdict v;

	look(j, proto, tried, &f);
	if (f.refuse)
		return by_rule(f.refuse->src->action == BH_ACTION_REJECT ? BH_WORD_REJECT
									 : BH_WORD_DROP,
			       f.refuse);
	if (f.allow)
		return by_rule(BH_WORD_ALLOW, f.allow);
	if (!isolated(j, tried))
		return (struct verdict){ BH_WORD_ALLOW, BH_REASON_NOT_ISOLATED, BH_NONE, BH_NONE,
					 false };
	if (!f.proto)
		return (struct verdict){ BH_WORD_DROP, BH_REASON_ISOLATED, BH_NONE, BH_NONE,
					 false };
	v = by_rule(BH_WORD_DROP, f.proto);
	if (proto == BH_PROTO_UNKNOWN && !f.unknown_deny) {
		v.word = BH_WORD_ALLOW | (f.unknown_alert ? BH_WORD_REPORT : 0U);
		v.stays_unknown = true;
		return v;
	}
	v.kind = BH_REASON_PROTOCOL;
	return v;
}

/* Would one of the monitor policies refuse it? The first one that would. */
static bool would_refuse(const struct judge *j, unsigned proto, struct verdict *ret)
{
	for (size_t i = 0; i < j->s->n_policies; i++) {
		uint32_t p = j->s->policies[i];
		struct verdict v;

		if (!j->run->policies[p].monitor)
			continue;
		v = decide(j, proto, p);
		if (!bh_word_refuses(v.word))
			continue;
		*ret = (struct verdict){
			.word = BH_WORD_ALLOW | BH_WORD_REPORT,
			.kind = BH_REASON_WOULD,
			.policy = p,
			.rule = v.policy == p ? v.rule : BH_NONE,
		};
		return true;
	}
	return false;
}

/* The first alert rule that holds, else the first log rule. */
static const struct bh_crule *recorder(const struct judge *j, unsigned proto)
{
	const struct bh_crule *log = NULL;

	for (size_t i = 0; i < j->s->n_rules; i++) {
		const struct bh_crule *cr = j->s->rules[i];

		if (!bh_set_has(j->set, i) || !speaks(cr->src, proto))
			continue;
		if (cr->src->action == BH_ACTION_ALERT)
			return cr;
		if (cr->src->action == BH_ACTION_LOG && !log)
			log = cr;
	}
	return log;
}

static struct verdict judge_proto(const struct judge *j, unsigned proto)
{
	struct verdict v = decide(j, proto, BH_NONE), would;
	const struct bh_crule *rec;

	if (bh_word_refuses(v.word))
		return v;
	if (would_refuse(j, proto, &would))
		return would;
	if (v.word & BH_WORD_REPORT)
		return v;
	rec = recorder(j, proto);
	return rec ? by_rule(BH_WORD_ALLOW | BH_WORD_REPORT, rec) : v;
}

/* ---- reasons ---- */

static void put_rule(struct bh_buf *b, const struct judge *j, uint32_t policy, uint32_t rule)
{
	const struct bh_policy *p = j->run->policies[policy].src;

	bh_buf_printf(b, "%s %s/%s", bh_kind_name(p->kind), p->ns, p->name);
	if (rule == BH_NONE)
		return;
	if (p->rules[j->s->dir][rule].name)
		bh_buf_printf(b, " rule \"%s\"", p->rules[j->s->dir][rule].name);
	else
		bh_buf_printf(b, " %s[%u]", bh_dir_name(j->s->dir), rule);
}

#define ISOLATORS_SHOWN 4U

static void put_isolated(struct bh_buf *b, const struct judge *j)
{
	unsigned n = 0;

	for (size_t i = 0; i < j->s->n_policies; i++) {
		const struct bh_cpolicy *cp = &j->run->policies[j->s->policies[i]];

		if (cp->monitor || !cp->src->isolates[j->s->dir])
			continue;
		if (n < ISOLATORS_SHOWN) {
			bh_buf_puts(b, n ? ", " : "isolated by ");
			put_rule(b, j, j->s->policies[i], BH_NONE);
		}
		n++;
	}
	if (n > ISOLATORS_SHOWN)
		bh_buf_printf(b, " and %u more", n - ISOLATORS_SHOWN);
	bh_buf_puts(b, "; no rule allows it");
}

static uint32_t first_isolator(const struct judge *j)
{
	for (size_t i = 0; i < j->s->n_policies; i++) {
		const struct bh_cpolicy *cp = &j->run->policies[j->s->policies[i]];

		if (!cp->monitor && cp->src->isolates[j->s->dir])
			return j->s->policies[i];
	}
	return BH_NONE;
}

static void put_names(struct bh_buf *b, const struct bh_protoset *set)
{
	const char *sep = "";

	for (unsigned p = BH_PROTO_FIRST; p < 256; p++) {
		if (!bh_protoset_has(set, p))
			continue;
		bh_buf_printf(b, "%s%s", sep, bh_proto_name(p) ? bh_proto_name(p) : "?");
		sep = ", ";
	}
}

static void put_action(struct bh_buf *b, enum bh_action a)
{
	static const char *const words[] = {
		[BH_ACTION_INVALID] = "",
		[BH_ACTION_ALLOW] = "allowed by ",
		[BH_ACTION_DENY] = "denied by ",
		[BH_ACTION_REJECT] = "rejected by ",
		[BH_ACTION_PASS] = "passed on by ",
		[BH_ACTION_ALERT] = "allowed, with an alert of ",
		[BH_ACTION_LOG] = "allowed, and logged by ",
	};
	BH_STATIC_ASSERT_TABLE(words, BH_ACTION_COUNT);

	bh_buf_puts(b, words[a]);
}

static void put_would(struct bh_buf *b, const struct judge *j, const struct verdict *v,
		      const struct bh_protoset *expected)
{
	const struct bh_policy *p = j->run->policies[v->policy].src;

	bh_buf_puts(b, "allowed, but in mode enforce ");
	put_rule(b, j, v->policy, v->rule);
	if (v->rule != BH_NONE && p->rules[j->s->dir][v->rule].action != BH_ACTION_ALLOW) {
		bh_buf_puts(b, " would refuse it");
	} else if (!bh_protoset_empty(expected)) {
		bh_buf_puts(b, " would allow only ");
		put_names(b, expected);
		bh_buf_puts(b, " here");
	} else {
		bh_buf_puts(b, " would isolate, and no rule allows it");
	}
}

static void reason_text(struct bh_buf *b, const struct judge *j, const struct verdict *v,
			const struct bh_protoset *expected)
{
	switch (v->kind) {
	case BH_REASON_RULE:
		if (v->stays_unknown) {
			bh_buf_puts(b, "protocol unknown; allowed by unknownProtocol of ");
			put_rule(b, j, v->policy, BH_NONE);
			return;
		}
		put_action(b, j->run->policies[v->policy].src->rules[j->s->dir][v->rule].action);
		put_rule(b, j, v->policy, v->rule);
		return;
	case BH_REASON_ISOLATED:
		put_isolated(b, j);
		return;
	case BH_REASON_PROTOCOL:
		bh_buf_puts(b, bh_protoset_empty(expected) ? "no protocol" : "only ");
		put_names(b, expected);
		bh_buf_puts(b, " allowed here, by ");
		put_rule(b, j, v->policy, v->rule);
		return;
	case BH_REASON_NOT_ISOLATED:
		bh_buf_printf(b, "no policy isolates it for %s", bh_dir_name(j->s->dir));
		return;
	case BH_REASON_WOULD:
		put_would(b, j, v, expected);
		return;
	default:
		return;
	}
}

/* Protocols that would have been allowed where this verdict was given. */
static void expected_of(const struct judge *j, const struct verdict *v, struct bh_protoset *ret)
{
	uint32_t tried = v->kind == BH_REASON_WOULD ? v->policy : BH_NONE;

	*ret = (struct bh_protoset){ { 0 } };
	if (!bh_word_refuses(v->word) && v->kind != BH_REASON_WOULD)
		return;
	for (unsigned p = BH_PROTO_FIRST; p < BH_PROTO_UNDECIDED; p++) {
		if (bh_protoset_has(&j->named, p) && !bh_word_refuses(decide(j, p, tried).word))
			bh_protoset_add(ret, p);
	}
}

/* Equal reasons are one; the key holds what must be equal for the number to stay. */
static int reason_make(struct judge *j, const struct verdict *v, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	struct bh_run *run = j->run;
	struct bh_creason cr = {
		.kind = v->kind,
		.dir = j->s->dir,
		.policy = v->kind == BH_REASON_ISOLATED ? first_isolator(j) : v->policy,
		.rule = v->rule,
	};
	const uint32_t head[] = { cr.kind, cr.dir, cr.rule };
	size_t n = run->reason_keys.n, text_at;
	int r;

	expected_of(j, v, &cr.expected);
	cr.has_expected = !bh_protoset_empty(&cr.expected);
	bh_buf_add(&key, head, sizeof(head));
	bh_buf_add(&key, &cr.expected, sizeof(cr.expected));
	if (cr.policy != BH_NONE) {
		const struct bh_policy *p = run->policies[cr.policy].src;

		bh_buf_printf(&key, "%u", p->kind);
		bh_buf_add(&key, p->ns, strlen(p->ns) + 1);
		bh_buf_add(&key, p->name, strlen(p->name) + 1);
	}
	text_at = key.len;
	reason_text(&key, j, v, &cr.expected);
	if (bh_buf_failed(&key))
		return -ENOMEM;
	r = bh_grow(&run->reasons, &run->cap_reasons, n, sizeof(*run->reasons));
	if (r == 0)
		r = bh_intern(&run->reason_keys, key.data, key.len, ret);
	if (r < 0 || *ret != n)
		return r;
	if (n >= BH_WORD_NUMBER)
		return bh_err_set(run->err, -E2BIG, "more than %u reasons", BH_WORD_NUMBER);
	cr.text = strdup(key.data + text_at);
	run->reasons[n] = cr;
	return cr.text ? 0 : -ENOMEM;
}

/* Word with a preliminary reason number: index + 1. */
static int word_make(struct judge *j, const struct verdict *v, uint32_t *ret)
{
	uint32_t idx;
	int r = reason_make(j, v, &idx);

	if (r == 0)
		*ret = v->word | (idx + 1);
	return r;
}

/* ---- contracts ---- */

#define MAX_NAMED 256U

struct answers {
	struct verdict named[MAX_NAMED];
	unsigned proto[MAX_NAMED];
	size_t n;
	struct verdict other, unknown, undecided;
};

/* 2: refused, 1: recorded, 0: neither. */
static int badness(const struct verdict *v)
{
	if (bh_word_refuses(v->word))
		return 2;
	return v->word & BH_WORD_REPORT ? 1 : 0;
}

/*
 * Undecided may still be anything: it gets the worst of all answers. Where several are equally bad, that of
 * "unknown", "other", and then the first of the named ones.
 */
static void undecided_make(struct answers *a)
{
	a->undecided = a->unknown;
	if (badness(&a->other) > badness(&a->undecided))
		a->undecided = a->other;
	for (size_t i = 0; i < a->n; i++) {
		if (badness(&a->named[i]) > badness(&a->undecided))
			a->undecided = a->named[i];
	}
}

/* Does it matter which of the two it is? */
static bool differs(const struct verdict *a, const struct verdict *b)
{
	if (badness(a) != badness(b))
		return true;
	return badness(a) == 1 && (a->kind != b->kind || a->policy != b->policy ||
				   a->rule != b->rule || a->stays_unknown != b->stays_unknown);
}

static bool depends(const struct answers *a)
{
	if (differs(&a->unknown, &a->other))
		return true;
	for (size_t i = 0; i < a->n; i++) {
		if (differs(&a->named[i], &a->other))
			return true;
	}
	return false;
}

static bool any_refused(const struct answers *a)
{
	return badness(&a->undecided) == 2;
}

/* Contract with preliminary numbers: (protocol, word)..., other, unknown, undecided. */
static int contract_make(struct judge *j, const struct answers *a, uint32_t *ret)
{
	uint32_t key[2 * MAX_NAMED + 3], idx;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->n; i++) {
		key[n++] = a->proto[i];
		r = word_make(j, &a->named[i], &key[n++]);
	}
	if (r == 0)
		r = word_make(j, &a->other, &key[n++]);
	if (r == 0)
		r = word_make(j, &a->unknown, &key[n++]);
	if (r == 0)
		r = word_make(j, &a->undecided, &key[n++]);
	if (r == 0)
		r = bh_intern(&j->run->contracts, key, n * sizeof(*key), &idx);
	if (r < 0)
		return r;
	if (idx >= BH_WORD_NUMBER)
		return bh_err_set(j->run->err, -E2BIG, "more than %u contracts", BH_WORD_NUMBER);
	/* One that is there only for the record must not stop anything. */
	*ret = BH_WORD_CONTRACT | (any_refused(a) ? 0U : BH_WORD_OPEN) | (idx + 1);
	return 0;
}

static int judge_set(struct judge *j, uint32_t *ret)
{
	struct answers a = { .n = 0 };
	bool by_proto = false;

	for (size_t i = 0; i < j->s->n_rules; i++) {
		const struct bh_rule *r = j->s->rules[i]->src;

		if (!bh_set_has(j->set, i) || !r->has_protocols)
			continue;
		by_proto = true;
		for (unsigned k = 0; k < BH_ARRAY_SIZE(j->named.bits); k++)
			j->named.bits[k] |= r->protocols.bits[k];
	}
	a.other = judge_proto(j, OTHER);
	if (!by_proto)
		return word_make(j, &a.other, ret);
	a.unknown = judge_proto(j, BH_PROTO_UNKNOWN);
	for (unsigned p = BH_PROTO_FIRST; p < BH_PROTO_UNDECIDED; p++) {
		if (!bh_protoset_has(&j->named, p))
			continue;
		a.proto[a.n] = p;
		a.named[a.n++] = judge_proto(j, p);
	}
	undecided_make(&a);
	if (!depends(&a))
		return word_make(j, &a.other, ret);
	return contract_make(j, &a, ret);
}

int bh_judge(struct bh_run *run, struct bh_sigma *s, const uint64_t *set, uint32_t *ret_word)
{
	struct judge j = { .run = run, .s = s, .set = set };
	size_t n = s->memo.n;
	uint32_t idx, word;
	int r = bh_intern(&s->memo, set, bh_set_words(s->n_rules) * sizeof(*set), &idx);

	if (r < 0)
		return r;
	if (idx < n) {
		*ret_word = s->words.v[idx];
		return 0;
	}
	r = judge_set(&j, &word);
	if (r == 0)
		r = bh_u32s_add(&s->words, word);
	if (r == 0)
		*ret_word = word;
	return r;
}
