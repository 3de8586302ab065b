// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/reach/diagram.c - ordered decision diagrams: Bryant's algorithms, with more than two leaves
 *
 * Every operation remembers its results, so that none costs more than the product of the nodes it is about.
 */
#include "policy/diagram.h"

#include "common/limits.h"
#include "common/util.h"

#include "common/banned.h"

enum op { OP_CHOOSE, OP_BOTH, OP_PLAIN, OP_LEAVES };

struct call {
	uint32_t op, a, b, c;
};

void bh_diagrams_done(struct bh_diagrams *d)
{
	bh_intern_done(&d->nodes);
	bh_intern_done(&d->done);
	bh_u32s_done(&d->results);
}

const struct bh_diagram_node *bh_diagram_node(const struct bh_diagrams *d, uint32_t diagram)
{
	return diagram < BH_LEAF_COUNT ? NULL
				       : bh_intern_key(&d->nodes, diagram - BH_LEAF_COUNT, NULL);
}

/* Leaves come after every variable. */
static uint32_t var_of(const struct bh_diagrams *d, uint32_t a)
{
	const struct bh_diagram_node *n = bh_diagram_node(d, a);

	return n ? n->var : UINT32_MAX;
}

/* What is left of it where the answer to @var is known; @var comes first or not at all. */
static uint32_t given(const struct bh_diagrams *d, uint32_t a, uint32_t var, bool answer)
{
	const struct bh_diagram_node *n = bh_diagram_node(d, a);

	if (!n || n->var != var)
		return a;
	return answer ? n->yes : n->no;
}

static int node(struct bh_diagrams *d, uint32_t var, uint32_t yes, uint32_t no, uint32_t *ret)
{
	const struct bh_diagram_node n = { var, yes, no };
	int r;

	if (yes == no) {
		*ret = yes;
		return 0;
	}
	r = bh_intern(&d->nodes, &n, sizeof(n), ret);
	if (r < 0)
		return r;
	*ret += BH_LEAF_COUNT;
	return d->nodes.n > BH_MEANING_NODES_MAX ? -E2BIG : 0;
}

static bool known(const struct bh_diagrams *d, const struct call *c, uint32_t *ret)
{
	uint32_t i;

	if (!bh_intern_find(&d->done, c, sizeof(*c), &i))
		return false;
	*ret = d->results.v[i];
	return true;
}

static int remember(struct bh_diagrams *d, const struct call *c, uint32_t result)
{
	uint32_t i;
	int r = bh_intern(&d->done, c, sizeof(*c), &i);

	/* One result for each key, also after running out of memory. */
	while (r == 0 && d->results.n <= i)
		r = bh_u32s_add(&d->results, result);
	return r;
}

static int apply(struct bh_diagrams *d, const struct call *c, unsigned depth, uint32_t *ret);

/* Both answers to @var, each worked out by itself, and put together. */
static int split(struct bh_diagrams *d, const struct call *c, uint32_t var, unsigned depth,
		 uint32_t *ret)
{
	uint32_t half[2] = { 0, 0 };
	int r = 0;

	for (unsigned i = 0; i < 2 && r == 0; i++) {
		struct call sub = *c;

		if (c->op == OP_CHOOSE) { /* a is a variable here */
			sub.b = given(d, c->b, var, i == 0);
			sub.c = given(d, c->c, var, i == 0);
		} else {
			sub.a = given(d, c->a, var, i == 0);
			sub.b = given(d, c->b, var, i == 0);
		}
		r = apply(d, &sub, depth + 1, &half[i]);
	}
	if (r < 0)
		return r;
	if (c->op == OP_LEAVES) {
		*ret = half[0] | half[1];
		return 0;
	}
	return node(d, var, half[0], half[1], ret);
}

static uint32_t leaf_both(uint32_t a, uint32_t b)
{
	if (!bh_leaf_allows(a))
		return a;
	if (!bh_leaf_allows(b))
		return b;
	return a == BH_LEAF_RECORD ? a : b;
}

/* What needs no look at any variable. */
static bool at_once(const struct bh_diagrams *d, const struct call *c, uint32_t *ret)
{
	bool leaf = c->a < BH_LEAF_COUNT;

	switch ((enum op)c->op) {
	case OP_CHOOSE:
		*ret = c->b;
		return c->b == c->c;
	case OP_BOTH:
		*ret = c->a;
		if (leaf && (!bh_leaf_allows(c->a) || c->a == c->b))
			return true;
		*ret = c->b;
		if (c->a == BH_LEAF_ALLOW)
			return true;
		if (!leaf || c->b >= BH_LEAF_COUNT)
			return false;
		*ret = leaf_both(c->a, c->b);
		return true;
	case OP_PLAIN:
		*ret = bh_leaf_allows(c->a) ? BH_LEAF_ALLOW : BH_LEAF_DROP;
		return leaf;
	case OP_LEAVES:
		*ret = leaf ? 1U << c->a : 0;
		return leaf;
	}
	return false;
}

static int apply(struct bh_diagrams *d, const struct call *c, unsigned depth, uint32_t *ret)
{
	uint32_t va, vb, var;
	int r;

	if (at_once(d, c, ret) || known(d, c, ret))
		return 0;
	if (depth > BH_MEANING_DEPTH_MAX || d->done.n > 4 * (size_t)BH_MEANING_NODES_MAX)
		return -E2BIG;
	va = var_of(d, c->op == OP_CHOOSE ? c->b : c->a);
	vb = var_of(d, c->op == OP_CHOOSE ? c->c : c->b);
	var = BH_MIN(va, vb);
	if (c->op == OP_CHOOSE && c->a <= var)
		r = node(d, c->a, given(d, c->b, c->a, true), given(d, c->c, c->a, false), ret);
	else
		r = split(d, c, var, depth, ret);
	return r < 0 ? r : remember(d, c, *ret);
}

int bh_diagram_choose(struct bh_diagrams *d, uint32_t var, uint32_t yes, uint32_t no, uint32_t *ret)
{
	return apply(d, &(struct call){ OP_CHOOSE, var, yes, no }, 0, ret);
}

int bh_diagram_both(struct bh_diagrams *d, uint32_t first, uint32_t second, uint32_t *ret)
{
	return apply(d, &(struct call){ OP_BOTH, first, second, 0 }, 0, ret);
}

int bh_diagram_plain(struct bh_diagrams *d, uint32_t a, uint32_t *ret)
{
	return apply(d, &(struct call){ OP_PLAIN, a, 0, 0 }, 0, ret);
}

int bh_diagram_leaves(struct bh_diagrams *d, uint32_t a, uint32_t *ret_bits)
{
	return apply(d, &(struct call){ OP_LEAVES, a, 0, 0 }, 0, ret_bits);
}
