// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/world_pair.c - two worlds made comparable: other policies, the same endpoints
 */
#include "cli/world.h"
#include "common/util.h"

#include <string.h>

#include "common/banned.h"

static int by_name(const void *a, const void *b)
{
	const struct bh_endpoint *const *x = a, *const *y = b;
	int c = strcmp((*x)->ns, (*y)->ns);

	return c ? c : strcmp((*x)->name, (*y)->name);
}

int bh_worlds_unite(struct bh_world *first, struct bh_world *second)
{
	const size_t n = first->n_eps + second->n_eps;
	bh_autofree const struct bh_endpoint **sorted = calloc(first->n_eps + 1, sizeof(*sorted));
	const struct bh_endpoint **one = calloc(n + 1, sizeof(*one)), **two;
	size_t k = 0;

	two = one ? calloc(n + 1, sizeof(*two)) : NULL;
	if (!sorted || !two) {
		free(one);
		return -ENOMEM;
	}
	for (size_t i = 0; i < first->n_eps; i++)
		sorted[i] = first->eps[i];
	qsort(sorted, first->n_eps, sizeof(*sorted), by_name);
	/* Those of the first come last: of two that claim an address they get it. */
	for (size_t i = 0; i < second->n_eps; i++) {
		if (!bsearch(&second->eps[i], sorted, first->n_eps, sizeof(*sorted), by_name))
			one[k++] = second->eps[i];
	}
	for (size_t i = 0; i < first->n_eps; i++)
		one[k++] = first->eps[i];
	for (size_t i = 0; i < k; i++)
		two[i] = one[i];
	free(first->eps);
	free(second->eps);
	first->eps = one;
	second->eps = two;
	first->n_eps = k;
	second->n_eps = k;
	return 0;
}

/* ---- what one has and the other lacks ---- */

static struct bh_namespace *namespace_copy(const struct bh_namespace *n)
{
	struct bh_namespace *c = calloc(1, sizeof(*c));
	int r = c ? 0 : -ENOMEM;

	if (r == 0) {
		c->name = strdup(n->name);
		c->file = strdup(n->file ? n->file : "");
		r = c->name && c->file ? 0 : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < n->labels.n; i++)
		r = bh_labels_set(&c->labels, n->labels.items[i].key, n->labels.items[i].value);
	if (r < 0)
		c = bh_namespace_free(c);
	return c;
}

static struct bh_node *node_copy(const struct bh_node *n)
{
	struct bh_node *c = calloc(1, sizeof(*c));
	int r = c ? 0 : -ENOMEM;

	if (r == 0) {
		c->name = strdup(n->name);
		c->file = strdup(n->file ? n->file : "");
		c->addrs = calloc(n->n_addrs + 1, sizeof(*c->addrs));
		r = c->name && c->file && c->addrs ? 0 : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < n->n_addrs; i++)
		c->addrs[c->n_addrs++] = n->addrs[i];
	for (size_t i = 0; r == 0 && i < n->labels.n; i++)
		r = bh_labels_set(&c->labels, n->labels.items[i].key, n->labels.items[i].value);
	if (r < 0)
		c = bh_node_free(c);
	return c;
}

static int namespace_cmp(const void *a, const void *b)
{
	const struct bh_namespace *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int node_cmp(const void *a, const void *b)
{
	const struct bh_node *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int adopt_namespaces(struct bh_policy_set *to, const struct bh_policy_set *from)
{
	const size_t had = to->n_namespaces;
	struct bh_namespace **l =
	    reallocarray(to->namespaces, had + from->n_namespaces + 1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	to->namespaces = l;
	for (size_t i = 0; i < from->n_namespaces; i++) {
		if (bsearch(&from->namespaces[i], l, had, sizeof(*l), namespace_cmp))
			continue;
		l[to->n_namespaces] = namespace_copy(from->namespaces[i]);
		if (!l[to->n_namespaces])
			return -ENOMEM;
		to->n_namespaces++;
	}
	qsort(l, to->n_namespaces, sizeof(*l), namespace_cmp);
	return 0;
}

static int adopt_nodes(struct bh_policy_set *to, const struct bh_policy_set *from)
{
	const size_t had = to->n_nodes;
	struct bh_node **l = reallocarray(to->nodes, had + from->n_nodes + 1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	to->nodes = l;
	for (size_t i = 0; i < from->n_nodes; i++) {
		if (bsearch(&from->nodes[i], l, had, sizeof(*l), node_cmp))
			continue;
		l[to->n_nodes] = node_copy(from->nodes[i]);
		if (!l[to->n_nodes])
			return -ENOMEM;
		to->n_nodes++;
	}
	qsort(l, to->n_nodes, sizeof(*l), node_cmp);
	return 0;
}

int bh_world_adopt(struct bh_world *to, const struct bh_world *from)
{
	int r = adopt_namespaces(to->set, from->set);

	return r == 0 ? adopt_nodes(to->set, from->set) : r;
}
