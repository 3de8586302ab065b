/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/samerules.c - two rule sets, part by part
 */
#include "tests/lib/samerules.h"

#include "common/util.h"

#include <stdio.h>
#include <string.h>

/* Two rule sets. */
struct two {
	const struct bh_ruleset *a, *b;
	bool
	    exactly; /* else places and modes of policies may differ: numbers do not depend on them */
};

/* ---- reasons ---- */

static bool same_text(const struct two *t, uint32_t x, uint32_t y)
{
	return strcmp(bh_ruleset_text(t->a, x), bh_ruleset_text(t->b, y)) == 0;
}

static bool same_policies(const struct two *t, uint32_t x, uint32_t y)
{
	const struct bh_rs_policy *p = bh_ruleset_policy(t->a, x), *q = bh_ruleset_policy(t->b, y);

	if (!p || !q)
		return !p == !q;
	if (p->kind != q->kind || !same_text(t, p->ns, q->ns) || !same_text(t, p->name, q->name))
		return false;
	return !t->exactly || (p->mode == q->mode && p->tier == q->tier && p->line == q->line &&
			       p->priority == q->priority && p->evidence == q->evidence &&
			       same_text(t, p->file, q->file));
}

static bool same_rules(const struct two *t, uint32_t x, uint32_t y)
{
	const struct bh_rs_rule *p = bh_ruleset_rule(t->a, x), *q = bh_ruleset_rule(t->b, y);

	if (!p || !q)
		return !p == !q;
	if (p->dir != q->dir || p->index != q->index || !same_policies(t, p->policy, q->policy))
		return false;
	return !t->exactly ||
	       (p->action == q->action && p->line == q->line && p->urgency == q->urgency &&
		p->evidence == q->evidence && same_text(t, p->name, q->name));
}

static bool same_reasons(const struct two *t, const struct bh_reason *x, const struct bh_reason *y)
{
	const struct bh_protoset *p = bh_ruleset_protoset(t->a, x->expected);
	const struct bh_protoset *q = bh_ruleset_protoset(t->b, y->expected);

	if (x->kind != y->kind || x->dir != y->dir || !p != !q ||
	    (p && memcmp(p, q, sizeof(*p)) != 0))
		return false;
	return same_text(t, x->text, y->text) && same_policies(t, x->policy, y->policy) &&
	       same_rules(t, x->rule, y->rule);
}

/* A word with a reason. */
static bool same_leaf(const struct two *t, uint32_t x, uint32_t y)
{
	const struct bh_reason *p, *q;

	if ((x & ~BH_WORD_NUMBER) != (y & ~BH_WORD_NUMBER))
		return false;
	p = bh_ruleset_reason(t->a, bh_word_number(x));
	q = bh_ruleset_reason(t->b, bh_word_number(y));
	return p && q && same_reasons(t, p, q);
}

/* ---- contracts ---- */

static bool same_preds(const struct two *t, uint32_t x, uint32_t y)
{
	const struct bh_rs_pred *p = bh_ruleset_pred_at(t->a, x), *q = bh_ruleset_pred_at(t->b, y);

	return p && q && p->kind == q->kind && p->n == q->n && same_text(t, p->text, q->text);
}

static bool same_graphs(const struct two *t, uint32_t x, uint32_t y)
{
	const struct bh_rs_node *p = bh_ruleset_node(t->a, x), *q = bh_ruleset_node(t->b, y);

	if (!p || !q)
		return !p == !q && same_leaf(t, x, y);
	return same_preds(t, p->pred, q->pred) && same_graphs(t, p->yes, q->yes) &&
	       same_graphs(t, p->no, q->no);
}

static bool same_contracts(const struct two *t, const struct bh_contract *x,
			   const struct bh_contract *y)
{
	const struct bh_contract_entry *e = bh_ruleset_entries(t->a, x),
				       *f = bh_ruleset_entries(t->b, y);

	if (x->n != y->n || x->on_overload != y->on_overload || x->midstream != y->midstream)
		return false;
	for (uint32_t i = 0; i < x->n; i++) {
		if (e[i].proto != f[i].proto || e[i].switches != f[i].switches ||
		    e[i].proxy != f[i].proxy || !same_leaf(t, e[i].word, f[i].word) ||
		    !same_graphs(t, e[i].next, f[i].next))
			return false;
	}
	return same_leaf(t, x->other, y->other) && same_leaf(t, x->unknown, y->unknown) &&
	       same_leaf(t, x->undecided, y->undecided) &&
	       same_graphs(t, x->other_next, y->other_next) &&
	       same_graphs(t, x->unknown_next, y->unknown_next);
}

static bool same_words(const struct two *t, uint32_t x, uint32_t y)
{
	const struct bh_contract *p, *q;

	if (x == 0 || y == 0)
		return x == y;
	if (bh_word_verdict(x) != BH_WORD_CONTRACT)
		return same_leaf(t, x, y);
	p = bh_ruleset_contract(t->a, bh_word_number(x));
	q = bh_ruleset_contract(t->b, bh_word_number(y));
	return (x & ~BH_WORD_NUMBER) == (y & ~BH_WORD_NUMBER) && p && q && same_contracts(t, p, q);
}

/* ---- everything ---- */

/* An endpoint's address, one outside, or the own node. */
struct end {
	struct bh_addr addr;
	uint32_t a, b; /* classes */
	bool endpoint, local;
};

#define ENDS_MAX 800

/* Where nobody is local the rule set is made for everybody. */
static void all_local_if_none(struct end *ends, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= ends[i].local;
	for (size_t i = 0; i < n && !any; i++)
		ends[i].local = ends[i].endpoint;
}

static bool ends_make(const struct bh_compiled *a, const struct bh_compiled *b,
		      const struct bh_addr *spots, size_t n_spots, struct end *ends, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < a->n_addrs; i++) {
		const struct bh_addr_class *x = &a->addrs[i], *y = &b->addrs[i];

		if (!bh_addr_eq(&x->addr, &y->addr) || x->local != y->local)
			return false;
		ends[(*n)++] = (struct end){ x->addr, x->cls, y->cls, true, x->local };
	}
	for (size_t i = 0; i < n_spots; i++) {
		if (bh_compiled_find(a, &spots[i]))
			continue;
		ends[(*n)++] =
		    (struct end){ spots[i], bh_ruleset_outside_class(a->rules, &spots[i]),
				  bh_ruleset_outside_class(b->rules, &spots[i]), false, false };
	}
	ends[(*n)++] = (struct end){ { .family = 0 }, BH_CLASS_HOST, BH_CLASS_HOST, false, false };
	return true;
}

/* Two share a class in one if and only if they do in the other. */
static bool same_partition(const struct end *ends, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n; k++) {
			if ((ends[i].a == ends[k].a) != (ends[i].b == ends[k].b))
				return false;
		}
	}
	return true;
}

static bool same_class(const struct two *t, const struct end *e)
{
	const struct bh_class *x = bh_ruleset_class(t->a, e->a), *y = bh_ruleset_class(t->b, e->b);

	if (!x || !y || !same_text(t, x->text, y->text))
		return false;
	/* There may be cells yet for a class that is no longer on this host. */
	if (!e->local)
		return !x->subject_in == !y->subject_in && !x->subject_eg == !y->subject_eg;
	return x->subject_in == y->subject_in && x->subject_eg == y->subject_eg;
}

static bool same_answers(const struct two *t, const struct end *subject, const struct end *peer,
			 const struct same_port *ports, size_t n_ports, char *wrong, size_t size)
{
	/* An own node has addresses of every family. */
	if (peer->addr.family && subject->addr.family != peer->addr.family)
		return true;
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t k = 0; k < n_ports; k++) {
			uint32_t x = bh_ruleset_lookup(t->a, d, subject->a, peer->a, ports[k].l4,
						       ports[k].port);
			uint32_t y = bh_ruleset_lookup(t->b, d, subject->b, peer->b, ports[k].l4,
						       ports[k].port);
			char who[BH_ADDR_STRLEN], with[BH_ADDR_STRLEN];

			if (same_words(t, x, y))
				continue;
			snprintf(wrong, size, "%s of %s with %s, l4 %u port %u: %08x, %08x",
				 bh_dir_name(d), bh_addr_format(&subject->addr, who),
				 peer->addr.family ? bh_addr_format(&peer->addr, with)
						   : "its own node",
				 ports[k].l4, ports[k].port, x, y);
			return false;
		}
	}
	return true;
}

bool same_meaning(const struct bh_compiled *a, const struct bh_compiled *b,
		  const struct bh_addr *spots, size_t n_spots, const struct same_port *ports,
		  size_t n_ports, char *wrong, size_t size)
{
	static struct end ends[ENDS_MAX];
	const struct two t = { a->rules, b->rules, true };
	size_t n;

	snprintf(wrong, size, "addresses differ");
	if (a->n_addrs != b->n_addrs || a->n_addrs + n_spots + 1 > ENDS_MAX ||
	    !ends_make(a, b, spots, n_spots, ends, &n))
		return false;
	all_local_if_none(ends, n);
	snprintf(wrong, size, "classes are shared otherwise");
	if (!same_partition(ends, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		snprintf(wrong, size, "class %08x, %08x", ends[i].a, ends[i].b);
		if (ends[i].endpoint && !same_class(&t, &ends[i]))
			return false;
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; ends[i].local && k < n; k++) {
			if (!same_answers(&t, &ends[i], &ends[k], ports, n_ports, wrong, size))
				return false;
		}
	}
	*wrong = '\0';
	return true;
}

/* ---- numbers ---- */

/* Numbers of reasons and contracts stand in words; those of cells are enough. */
static bool reasons_keep(const struct two *t, uint32_t word, char *wrong, size_t size)
{
	const struct bh_reason *x = bh_ruleset_reason(t->a, bh_word_number(word)), *y;

	if (!x)
		return true;
	y = bh_ruleset_reason(t->b, x->number);
	if (y && !same_reasons(t, x, y)) {
		snprintf(wrong, size, "reason %u was \"%s\", is \"%s\"", x->number,
			 bh_ruleset_text(t->a, x->text), bh_ruleset_text(t->b, y->text));
		return false;
	}
	/* It is there no more, or under its number. */
	for (uint32_t i = 1; !y && i < 4096; i++) {
		const struct bh_reason *z = bh_ruleset_reason(t->b, i);

		if (z && same_reasons(t, x, z)) {
			snprintf(wrong, size, "reason %u is %u now: \"%s\"", x->number, i,
				 bh_ruleset_text(t->a, x->text));
			return false;
		}
	}
	return true;
}

static bool contracts_keep(const struct two *t, char *wrong, size_t size)
{
	size_t n, m;
	const struct bh_contract *x = bh_ruleset_contracts(t->a, &n),
				 *y = bh_ruleset_contracts(t->b, &m);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < m; k++) {
			if ((x[i].number == y[k].number) == same_contracts(t, &x[i], &y[k]))
				continue;
			snprintf(wrong, size, "contract %u is %u now, or another", x[i].number,
				 y[k].number);
			return false;
		}
	}
	return true;
}

static bool pieces_keep(const struct two *t, char *wrong, size_t size)
{
	size_t n, m;
	const struct bh_port_piece *x = bh_ruleset_port_pieces(t->a, &n);
	const struct bh_port_piece *y = bh_ruleset_port_pieces(t->b, &m);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < m; k++) {
			bool same = x[i].l4 == y[k].l4 && x[i].lo == y[k].lo && x[i].hi == y[k].hi;

			if ((x[i].id == y[k].id) == same)
				continue;
			snprintf(wrong, size, "piece %u is %u now, or another", x[i].id, y[k].id);
			return false;
		}
	}
	return true;
}

bool same_numbers(const struct bh_ruleset *a, const struct bh_ruleset *b, char *wrong, size_t size)
{
	const struct two t = { a, b, false };
	size_t n;
	const struct bh_cell *c = bh_ruleset_cells(a, &n);

	for (size_t i = 0; i < n; i++) {
		if (bh_word_verdict(c[i].word) != BH_WORD_CONTRACT &&
		    !reasons_keep(&t, c[i].word, wrong, size))
			return false;
	}
	return contracts_keep(&t, wrong, size) && pieces_keep(&t, wrong, size);
}
