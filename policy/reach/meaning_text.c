// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/reach/meaning_text.c - meanings in few words, and as JSON
 */
#include "common/util.h"
#include "policy/meaning.h"
#include "policy/reach/meaning_internal.h"

#include <string.h>

#include "common/banned.h"

/* Ways to be allowed that are written out for one protocol, and conditions of one way. */
#define WAYS_MAX  6U
#define CONDS_MAX 12U

#define ALLOWING BH_LEAVES_ALLOW
#define REFUSING BH_LEAVES_REFUSE

/* Which outcomes are possible. Where it cannot be found out, all. */
static uint32_t leaves(struct bh_meanings *m, uint32_t what)
{
	uint32_t bits = 0;

	return bh_diagram_leaves(&m->d, what, &bits) < 0 ? ALLOWING | REFUSING : bits;
}

static uint32_t all_leaves(struct bh_meanings *m, uint32_t meaning)
{
	const struct bh_meaning *mean = bh_meaning_at(m, meaning);
	uint32_t bits = leaves(m, mean->other) | leaves(m, mean->unknown);

	for (uint32_t i = 0; i < mean->n; i++)
		bits |= leaves(m, bh_meaning_entries(mean)[i].what);
	return bits;
}

enum bh_extent bh_meaning_extent(struct bh_meanings *m, uint32_t meaning)
{
	uint32_t bits = all_leaves(m, meaning);

	if (!(bits & ALLOWING))
		return BH_EXTENT_NONE;
	if (!(bits & REFUSING))
		return BH_EXTENT_ALL;
	return leaves(m, bh_meaning_at(m, meaning)->other) & ALLOWING ? BH_EXTENT_MOST
								      : BH_EXTENT_SOME;
}

bool bh_meaning_conditional(const struct bh_meanings *m, uint32_t meaning)
{
	const struct bh_meaning *mean = bh_meaning_at(m, meaning);
	bool any = mean->other >= BH_LEAF_COUNT || mean->unknown >= BH_LEAF_COUNT;

	for (uint32_t i = 0; i < mean->n; i++)
		any |= bh_meaning_entries(mean)[i].what >= BH_LEAF_COUNT;
	return any;
}

bool bh_meaning_recorded(struct bh_meanings *m, uint32_t meaning)
{
	return all_leaves(m, meaning) & 1U << BH_LEAF_RECORD;
}

struct bh_protoset bh_meaning_spoken(struct bh_meanings *m, uint32_t meaning)
{
	const struct bh_meaning *mean = bh_meaning_at(m, meaning);
	struct bh_protoset set = { { 0 } };

	for (uint32_t i = 0; i < mean->n; i++) {
		if (leaves(m, bh_meaning_entries(mean)[i].what) & ALLOWING)
			bh_protoset_add(&set, bh_meaning_entries(mean)[i].proto);
	}
	if (leaves(m, mean->unknown) & ALLOWING)
		bh_protoset_add(&set, BH_PROTO_UNKNOWN);
	return set;
}

/* ---- conditions ---- */

struct ways {
	struct bh_meanings *m;
	struct bh_buf *out;
	unsigned n;
	struct {
		uint32_t var;
		bool holds;
	} cond[CONDS_MAX];
	unsigned n_cond;
};

/* "methods GET": without the kind, which the protocol tells. */
static const char *var_text(const struct bh_meanings *m, uint32_t var)
{
	const char *s = bh_intern_key(&m->vars, var, NULL);
	const char *space = strchr(s, ' ');

	return space ? space + 1 : s;
}

static void put_way(struct ways *w)
{
	if (w->n++ >= WAYS_MAX)
		return;
	if (w->n > 1)
		bh_buf_puts(w->out, " or ");
	for (unsigned i = 0; i < w->n_cond; i++)
		bh_buf_printf(w->out, "%s%s[%s]", i > 0 ? " and " : "",
			      w->cond[i].holds ? "" : "not ", var_text(w->m, w->cond[i].var));
}

static void find_ways(struct ways *w, uint32_t what);

static void find_with(struct ways *w, uint32_t what, uint32_t var, bool holds)
{
	if (w->n_cond == CONDS_MAX || w->n > WAYS_MAX) {
		w->n = WAYS_MAX + 1;
		return;
	}
	w->cond[w->n_cond].var = var;
	w->cond[w->n_cond++].holds = holds;
	find_ways(w, what);
	w->n_cond--;
}

/*
 * Every way to an allowing leaf. Where one answer allows at once, the other way need not say that it is the other:
 * "A or B" is the same as "A, or not A and B".
 */
static void find_ways(struct ways *w, uint32_t what)
{
	const struct bh_diagram_node *n = bh_diagram_node(&w->m->d, what);

	if (!n) {
		if (bh_leaf_allows(what))
			put_way(w);
		return;
	}
	if (n->yes == BH_LEAF_ALLOW || n->no == BH_LEAF_ALLOW) {
		find_with(w, BH_LEAF_ALLOW, n->var, n->yes == BH_LEAF_ALLOW);
		find_ways(w, n->yes == BH_LEAF_ALLOW ? n->no : n->yes);
		return;
	}
	find_with(w, n->yes, n->var, true);
	find_with(w, n->no, n->var, false);
}

/* "[methods GET] or [methods POST; paths /orders]". @what: with the leaves ALLOW and DROP. */
static void put_ways(struct bh_meanings *m, uint32_t what, struct bh_buf *out)
{
	struct ways w = { .m = m, .out = out };

	find_ways(&w, what);
	if (w.n > WAYS_MAX)
		bh_buf_puts(out, " or ...");
}

/* ---- text ---- */

static const char *proto_text(uint32_t proto)
{
	return bh_proto_name(proto) ? bh_proto_name(proto) : "?";
}

/* ALLOW, DROP, or a condition. */
static uint32_t plain(struct bh_meanings *m, uint32_t what, struct bh_buf *out)
{
	uint32_t p = BH_LEAF_DROP;

	if (bh_diagram_plain(&m->d, what, &p) < 0)
		out->failed = true;
	return p;
}

struct list {
	struct bh_buf *out;
	unsigned n;
};

static void put_item(struct list *l, const char *first, const char *item)
{
	bh_buf_printf(l->out, "%s%s", l->n++ > 0 ? ", " : first, item);
}

static void put_conditional(struct bh_meanings *m, struct list *l, const char *first,
			    uint32_t proto, uint32_t p)
{
	put_item(l, first, proto_text(proto));
	if (p == BH_LEAF_ALLOW)
		return;
	bh_buf_putc(l->out, ' ');
	put_ways(m, p, l->out);
}

/* "http, tls [server names a]" */
static void put_some(struct bh_meanings *m, const struct bh_meaning *mean, struct bh_buf *out)
{
	const struct bh_meaning_entry *e = bh_meaning_entries(mean);
	struct list l = { .out = out };
	uint32_t p;

	for (uint32_t i = 0; i < mean->n; i++) {
		p = plain(m, e[i].what, out);
		if (p != BH_LEAF_DROP)
			put_conditional(m, &l, "", e[i].proto, p);
	}
	p = plain(m, mean->unknown, out);
	if (p != BH_LEAF_DROP)
		put_conditional(m, &l, "", BH_PROTO_UNKNOWN, p);
}

/* "all but ssh, telnet; http only if methods GET" */
static void put_most(struct bh_meanings *m, const struct bh_meaning *mean, struct bh_buf *out)
{
	const struct bh_meaning_entry *e = bh_meaning_entries(mean);
	uint32_t p = plain(m, mean->other, out), u = plain(m, mean->unknown, out);
	struct list but = { .out = out };

	bh_buf_puts(out, "all");
	if (p != BH_LEAF_ALLOW) {
		bh_buf_puts(out, " if ");
		put_ways(m, p, out);
	}
	for (uint32_t i = 0; i < mean->n; i++) {
		if (plain(m, e[i].what, out) == BH_LEAF_DROP)
			put_item(&but, " but ", proto_text(e[i].proto));
	}
	if (u == BH_LEAF_DROP)
		put_item(&but, " but ", proto_text(BH_PROTO_UNKNOWN));
	for (uint32_t i = 0; i < mean->n; i++) {
		uint32_t q = plain(m, e[i].what, out);

		if (q == BH_LEAF_DROP || q == p)
			continue;
		bh_buf_printf(out, "; %s", proto_text(e[i].proto));
		if (q != BH_LEAF_ALLOW) {
			bh_buf_puts(out, " only if ");
			put_ways(m, q, out);
		}
	}
	if (u != BH_LEAF_DROP && u != p)
		bh_buf_printf(out, "; unknown%s", u == BH_LEAF_ALLOW ? "" : " by conditions");
}

/* "; NAME: http, unknown", "; NAME: all but ssh": what has one of these outcomes. */
static void put_those(struct bh_meanings *m, const struct bh_meaning *mean, const char *name,
		      uint32_t bits, struct bh_buf *out)
{
	const struct bh_meaning_entry *e = bh_meaning_entries(mean);
	const bool other = leaves(m, mean->other) & bits, unknown = leaves(m, mean->unknown) & bits;
	struct list l = { .out = out };

	if (other)
		bh_buf_printf(out, "%sall", name);
	for (uint32_t i = 0; i < mean->n; i++) {
		if (other != ((leaves(m, e[i].what) & bits) != 0))
			put_item(&l, other ? " but " : name, proto_text(e[i].proto));
	}
	if (other != unknown)
		put_item(&l, other ? " but " : name, proto_text(BH_PROTO_UNKNOWN));
}

static const char *const switch_names[] = { "starttls", "sslrequest" };

static void put_entry_rest(const struct bh_meaning_entry *e, struct bh_buf *out)
{
	struct list l = { .out = out };

	if (!(e->switches & BH_SWITCH_USUAL)) {
		bh_buf_printf(out, "; %s may become: ", proto_text(e->proto));
		for (unsigned i = 0; i < BH_ARRAY_SIZE(switch_names); i++) {
			if (e->switches & 1U << i)
				put_item(&l, "", switch_names[i]);
		}
		if (l.n == 0)
			bh_buf_puts(out, "nothing else");
	}
	if (e->proxy == BH_PROXY_ALLOW || e->proxy == BH_PROXY_REQUIRE)
		bh_buf_printf(out, "; PROXY header before %s: %s", proto_text(e->proto),
			      e->proxy == BH_PROXY_ALLOW ? "allowed" : "required");
}

/* Everything else that two meanings can differ in. */
static void put_rest(struct bh_meanings *m, const struct bh_meaning *mean, uint32_t bits,
		     struct bh_buf *out)
{
	if (bits & REFUSING && !(bits & 1U << BH_LEAF_DROP))
		bh_buf_puts(out, bits & ALLOWING ? "; refused with an answer" : " with an answer");
	else if (bits & 1U << BH_LEAF_REJECT)
		put_those(m, mean, "; refused with an answer: ", 1U << BH_LEAF_REJECT, out);
	if (bits == 1U << BH_LEAF_RECORD)
		bh_buf_puts(out, ", recorded");
	else if (bits & 1U << BH_LEAF_RECORD)
		put_those(m, mean, "; recorded: ", 1U << BH_LEAF_RECORD, out);
	if (bits & ALLOWING && bits & REFUSING && bh_leaf_allows(mean->undecided))
		bh_buf_puts(out, mean->undecided == BH_LEAF_RECORD
				     ? "; not known in time: allowed, recorded"
				     : "; not known in time: allowed");
	if (mean->on_overload > BH_FAIL_REFUSE)
		bh_buf_printf(out, "; under overload: %s",
			      bh_fail_name((enum bh_fail)mean->on_overload));
	if (mean->midstream > BH_FAIL_REFUSE)
		bh_buf_printf(out, "; in the middle of a connection: %s",
			      bh_fail_name((enum bh_fail)mean->midstream));
	for (uint32_t i = 0; i < mean->n; i++)
		put_entry_rest(&bh_meaning_entries(mean)[i], out);
}

void bh_meaning_put(struct bh_meanings *m, uint32_t meaning, bool exact, struct bh_buf *out)
{
	const struct bh_meaning *mean = bh_meaning_at(m, meaning);

	switch (bh_meaning_extent(m, meaning)) {
	case BH_EXTENT_ALL:
		bh_buf_puts(out, "allowed");
		break;
	case BH_EXTENT_MOST:
		put_most(m, mean, out);
		break;
	case BH_EXTENT_SOME:
		put_some(m, mean, out);
		break;
	case BH_EXTENT_NONE:
	case BH_EXTENT_INVALID:
		bh_buf_puts(out, "refused");
		break;
	}
	if (exact)
		put_rest(m, mean, all_leaves(m, meaning), out);
}

/* ---- JSON ---- */

static const char *outcome_name(uint32_t bits)
{
	if (!(bits & ALLOWING))
		return bits & 1U << BH_LEAF_DROP ? "refuse" : "reject";
	return bits & REFUSING ? "depends" : "allow";
}

/* {outcome, recorded, if} */
static json_t *json_of(struct bh_meanings *m, uint32_t what)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	uint32_t bits = leaves(m, what), p = plain(m, what, &text);
	json_t *v = json_pack("{s:s, s:b}", "outcome", outcome_name(bits), "recorded",
			      (bits & 1U << BH_LEAF_RECORD) != 0);

	if (p < BH_LEAF_COUNT)
		return v;
	put_ways(m, p, &text);
	if (bh_buf_failed(&text) ||
	    (v && json_object_set_new(v, "if", json_string(bh_buf_str(&text)))))
		json_decref(bh_take_ptr(&v));
	return v;
}

json_t *bh_meaning_json(struct bh_meanings *m, uint32_t meaning)
{
	const struct bh_meaning *mean = bh_meaning_at(m, meaning);
	const struct bh_meaning_entry *e = bh_meaning_entries(mean);
	uint32_t bits = all_leaves(m, meaning);
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	bool bad = false;
	json_t *v, *list;

	bh_meaning_put(m, meaning, true, &text);
	v = json_pack("{s:s, s:b, s:s}", "outcome", outcome_name(bits), "recorded",
		      (bits & 1U << BH_LEAF_RECORD) != 0, "text", bh_buf_str(&text));
	if (!v || !(bits & ALLOWING) || !(bits & REFUSING))
		return v;
	list = json_array();
	for (uint32_t i = 0; i < mean->n; i++) {
		json_t *one = json_of(m, e[i].what);

		bad |= json_object_set_new(one, "name", json_string(proto_text(e[i].proto))) < 0;
		bad |= json_array_append_new(list, one) < 0;
	}
	bad |= json_object_set_new(v, "protocols", list) < 0;
	bad |= json_object_set_new(v, "other", json_of(m, mean->other)) < 0;
	bad |= json_object_set_new(v, "unknown", json_of(m, mean->unknown)) < 0;
	if (bad || bh_buf_failed(&text))
		json_decref(bh_take_ptr(&v));
	return v;
}
