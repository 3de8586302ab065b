/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile_terms.c - policies -> terms and rules
 *
 * A term is one question about an address: does this selector match its endpoint, does it lie in this
 * ipBlock. Equal questions of different policies are one term, known by its canonical text; the text also
 * gives the term a number that lasts (vectors of these numbers are what classes are known by).
 */
#include "common/util.h"
#include "policy/compile_internal.h"

#include <string.h>

#include "common/banned.h"

/* ---- canonical text ---- */

/* So that no value can be mistaken for punctuation: "a,b" is one value, not two. */
static void put_escaped(struct bh_buf *b, const char *s)
{
	for (; *s; s++) {
		if (strchr("\\,()!=;:{} ", *s))
			bh_buf_putc(b, '\\');
		bh_buf_putc(b, *s);
	}
}

static void put_requirement(struct bh_buf *b, const struct bh_sel_req *q)
{
	switch (q->op) {
	case BH_SEL_EXISTS:
		put_escaped(b, q->key);
		return;
	case BH_SEL_DOES_NOT_EXIST:
		bh_buf_putc(b, '!');
		put_escaped(b, q->key);
		return;
	case BH_SEL_IN:
	case BH_SEL_NOT_IN:
		break;
	case BH_SEL_INVALID:
		bh_buf_puts(b, "(never)");
		return;
	}
	put_escaped(b, q->key);
	if (q->n_values == 1) {
		bh_buf_puts(b, q->op == BH_SEL_IN ? "=" : "!=");
		put_escaped(b, q->values[0]);
		return;
	}
	bh_buf_puts(b, q->op == BH_SEL_IN ? " in (" : " notin (");
	for (size_t i = 0; i < q->n_values; i++) {
		if (i)
			bh_buf_putc(b, ',');
		put_escaped(b, q->values[i]);
	}
	bh_buf_putc(b, ')');
}

static void put_selector(struct bh_buf *b, const struct bh_selector *s)
{
	if (!s || s->n == 0) {
		bh_buf_putc(b, '*');
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			bh_buf_puts(b, ", ");
		put_requirement(b, &s->reqs[i]);
	}
}

static void put_block(struct bh_buf *b, const struct bh_ip_block *blk)
{
	char p[BH_PREFIX_STRLEN];

	bh_buf_puts(b, bh_prefix_format(&blk->cidr, p));
	for (size_t i = 0; i < blk->n_except; i++)
		bh_buf_printf(b, "%s%s", i ? ", " : " except ",
			      bh_prefix_format(&blk->except[i], p));
}

static void put_term(struct bh_buf *b, const struct bh_term *t)
{
	if (t->kind == BH_TERM_BLOCK) {
		put_block(b, t->block);
		return;
	}
	if (t->ns) {
		put_escaped(b, t->ns);
	} else {
		bh_buf_putc(b, '{');
		put_selector(b, t->ns_sel);
		bh_buf_putc(b, '}');
	}
	bh_buf_puts(b, ": ");
	put_selector(b, t->pod);
}

/* ---- collection ---- */

static int term_add(struct bh_run *run, const struct bh_term *t, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	size_t n = run->term_texts.n;
	int r;

	put_term(&text, t);
	if (bh_buf_failed(&text))
		return -ENOMEM;
	r = bh_grow(&run->terms, &run->cap_terms, n, sizeof(*run->terms));
	if (r < 0)
		return r;
	r = bh_intern(&run->term_texts, bh_buf_str(&text), text.len, ret);
	if (r < 0)
		return r;
	if (*ret == n)
		run->terms[n] = *t;
	return 0;
}

static bool selects_all(const struct bh_selector *s)
{
	return s->n == 0;
}

static int peer_add(struct bh_run *run, struct bh_crule *cr, const char *ns,
		    const struct bh_peer *p)
{
	struct bh_term t = { .kind = BH_TERM_SELECTOR };
	uint32_t idx;
	int r;

	if (p->kind == BH_PEER_BLOCK) {
		t.kind = BH_TERM_BLOCK;
		t.block = &p->block;
	} else if (!p->has_ns && !p->has_pod) {
		return 0; /* says nothing: matches nothing */
	} else {
		if (p->has_ns && selects_all(&p->ns) && (!p->has_pod || selects_all(&p->pod))) {
			cr->any_endpoint = true;
			return 0;
		}
		if (p->has_ns)
			t.ns_sel = &p->ns;
		else
			t.ns = ns;
		if (p->has_pod && !selects_all(&p->pod))
			t.pod = &p->pod;
	}
	r = term_add(run, &t, &idx);
	return r < 0 ? r : bh_u32s_add(&cr->peers, idx);
}

/* Ports exist in these protocols only: a range without a protocol means all three. */
static const uint8_t with_ports[] = { BH_L4_TCP, BH_L4_UDP, BH_L4_SCTP };

static int ports_add(struct bh_run *run, struct bh_crule *cr)
{
	const struct bh_rule *src = cr->src;

	if (src->n_ports == 0)
		return 0;
	cr->ports = calloc(src->n_ports, sizeof(*cr->ports) * BH_ARRAY_SIZE(with_ports));
	if (!cr->ports)
		return -ENOMEM;
	for (size_t i = 0; i < src->n_ports; i++) {
		const struct bh_port *p = &src->ports[i];
		struct bh_cport cp = { .l4 = p->l4, .lo = p->lo, .hi = p->hi, .name = BH_NONE };

		if (p->name) {
			int r = bh_intern(&run->port_names, p->name, strlen(p->name), &cp.name);

			if (r < 0)
				return r;
			cr->named = true;
		} else if (p->l4 == BH_L4_ANY && (p->lo != 0 || p->hi != UINT16_MAX)) {
			for (size_t k = 0; k < BH_ARRAY_SIZE(with_ports); k++) {
				cp.l4 = with_ports[k];
				cr->ports[cr->n_ports++] = cp;
			}
			continue;
		}
		cr->ports[cr->n_ports++] = cp;
	}
	return 0;
}

static int rule_add(struct bh_run *run, struct bh_crule *cr, const char *ns)
{
	const struct bh_rule *src = cr->src;

	if (src->action == BH_ACTION_INVALID || src->action >= BH_ACTION_COUNT)
		return bh_err_set(run->err, -EINVAL, "rule %u has no action", cr->index);
	cr->any_peer = src->n_peers == 0;
	for (size_t i = 0; i < src->n_peers; i++) {
		int r = peer_add(run, cr, ns, &src->peers[i]);

		if (r < 0)
			return r;
	}
	bh_u32s_sort(&cr->peers);
	return ports_add(run, cr);
}

/* Rules of a NetworkPolicy count only in directions that it isolates (N4). */
static bool has_effect(const struct bh_policy *p, enum bh_dir dir)
{
	if (p->isolates[dir])
		return true;
	return p->n_rules[dir] > 0 && p->kind != BH_KIND_NETWORK_POLICY;
}

static int policy_rules(struct bh_run *run, struct bh_cpolicy *cp, uint32_t idx, enum bh_dir dir)
{
	const struct bh_policy *p = cp->src;

	if (p->n_rules[dir] == 0)
		return 0;
	cp->rules[dir] = calloc(p->n_rules[dir], sizeof(*cp->rules[dir]));
	if (!cp->rules[dir])
		return -ENOMEM;
	for (size_t i = 0; i < p->n_rules[dir]; i++) {
		struct bh_crule *cr = &cp->rules[dir][i];
		int r;

		cr->src = &p->rules[dir][i];
		cr->policy = idx;
		cr->index = (uint32_t)i;
		cp->n_rules[dir]++;
		r = rule_add(run, cr, p->ns);
		if (r < 0)
			return r;
	}
	return 0;
}

static int policy_add(struct bh_run *run, uint32_t idx)
{
	const struct bh_policy *p = run->set->policies[idx];
	struct bh_cpolicy *cp = &run->policies[idx];
	struct bh_term subject = { .kind = BH_TERM_SELECTOR, .ns = p->ns };
	uint32_t t;
	int r;

	if (p->tier != BH_TIER_APPLICATION)
		return bh_err_set(run->err, -ENOTSUP, "tier %s is not supported",
				  bh_tier_name(p->tier));
	if (p->mode != BH_MODE_ENFORCE && p->mode != BH_MODE_MONITOR)
		return bh_err_set(run->err, -EINVAL, "no mode");
	cp->src = p;
	cp->monitor = p->mode == BH_MODE_MONITOR;
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		cp->effective[d] = has_effect(p, d);
		if (!cp->effective[d])
			continue;
		r = policy_rules(run, cp, idx, d);
		if (r < 0)
			return r;
	}
	if (!cp->effective[BH_DIR_INGRESS] && !cp->effective[BH_DIR_EGRESS])
		return 0;
	if (!selects_all(&p->pods))
		subject.pod = &p->pods;
	r = term_add(run, &subject, &t);
	return r < 0 ? r : bh_u32s_add(&run->terms[t].policies, idx);
}

struct text_order {
	const char *text;
	size_t size;
	uint32_t term;
};

static int text_cmp(const void *a, const void *b)
{
	const struct text_order *x = a, *y = b;
	int c = memcmp(x->text, y->text, BH_MIN(x->size, y->size));

	return c ? c : (x->size > y->size) - (x->size < y->size);
}

/* In order of their texts, so that the same policies get the same numbers after a restart. */
static int terms_number(struct bh_run *run)
{
	size_t n = run->term_texts.n;
	bh_autofree struct text_order *o = calloc(n ? n : 1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		o[i].text = bh_intern_key(&run->term_texts, i, &o[i].size);
		o[i].term = i;
	}
	qsort(o, n, sizeof(*o), text_cmp);
	for (size_t i = 0; i < n; i++) {
		int r = bh_dict_number(&run->c->terms, o[i].text, o[i].size, run->c->revision,
				       &run->terms[o[i].term].id);

		if (r < 0)
			return r;
	}
	return 0;
}

int bh_phase_terms(struct bh_run *run)
{
	size_t n = run->set->n_policies;

	if (n >= BH_NONE)
		return -E2BIG;
	run->policies = calloc(n ? n : 1, sizeof(*run->policies));
	if (!run->policies)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct bh_policy *p = run->set->policies[i];
		int r = policy_add(run, i);

		if (r < 0)
			return bh_err_wrap(run->err, r, "%s %s/%s", bh_kind_name(p->kind), p->ns,
					   p->name);
	}
	return terms_number(run);
}
