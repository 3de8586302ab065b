/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile_port.c - port ranges -> disjoint pieces
 *
 * All ranges of all rules cut each protocol's ports into pieces that every range is a union of. Single
 * ports do not cut: they are looked up before pieces. "Every port" is no range either.
 */
#include "common/util.h"
#include "policy/compile_internal.h"

#include "common/banned.h"

struct port_edge {
	uint32_t at; /* up to 65536 */
	uint8_t l4;
	bool begins;
};

struct port_edges {
	struct port_edge *v;
	size_t n, cap;
};

static int port_edge_cmp(const void *a, const void *b)
{
	const struct port_edge *x = a, *y = b;

	if (x->l4 != y->l4)
		return x->l4 < y->l4 ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int rule_edges(struct port_edges *e, const struct bh_crule *cr)
{
	for (size_t i = 0; i < cr->n_ports; i++) {
		const struct bh_cport *p = &cr->ports[i];
		int r;

		if (p->name != BH_NONE || p->lo >= p->hi || (p->lo == 0 && p->hi == UINT16_MAX))
			continue;
		r = bh_grow(&e->v, &e->cap, e->n + 1, sizeof(*e->v));
		if (r < 0)
			return r;
		e->v[e->n++] = (struct port_edge){ p->lo, p->l4, true };
		e->v[e->n++] = (struct port_edge){ (uint32_t)p->hi + 1, p->l4, false };
	}
	return 0;
}

static int cut_add(struct bh_run *run, size_t *cap, uint8_t l4, uint32_t lo, uint32_t end)
{
	const uint32_t key[] = { l4, lo, end - 1 };
	struct bh_port_cut cut = { .l4 = l4, .lo = (uint16_t)lo, .hi = (uint16_t)(end - 1) };
	int r = bh_grow(&run->cuts, cap, run->n_cuts, sizeof(*run->cuts));

	if (r == 0)
		r = bh_dict_number(&run->c->pieces, key, sizeof(key), run->c->revision, &cut.id);
	if (r == 0)
		run->cuts[run->n_cuts++] = cut;
	return r;
}

static int cuts_make(struct bh_run *run, struct port_edges *e)
{
	size_t cap = 0, open = 0;
	int r = 0;

	if (e->n)
		qsort(e->v, e->n, sizeof(*e->v), port_edge_cmp);
	for (size_t i = 0; r == 0 && i < e->n; i++) {
		if (e->v[i].begins)
			open++;
		else
			open--;
		/* Within a protocol ranges are all closed at its last edge. */
		if (open && e->v[i + 1].at != e->v[i].at)
			r = cut_add(run, &cap, e->v[i].l4, e->v[i].at, e->v[i + 1].at);
	}
	return r;
}

int bh_phase_port(struct bh_run *run)
{
	struct port_edges e = { .v = NULL };
	int r = 0;

	for (size_t p = 0; p < run->set->n_policies; p++) {
		const struct bh_cpolicy *cp = &run->policies[p];

		for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
			for (size_t i = 0; r == 0 && i < cp->n_rules[d]; i++)
				r = rule_edges(&e, &cp->rules[d][i]);
		}
	}
	if (r == 0)
		r = cuts_make(run, &e);
	free(e.v);
	return r;
}
