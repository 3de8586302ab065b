/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/conformance/eval_views.c - the rule sets that the agents of the nodes would make
 *
 * An agent has cells for the endpoints of its own node only; the others are peers to it. Together the nodes must
 * decide as the one rule set of all endpoints does.
 */
#include "common/util.h"
#include "tests/conformance/eval.h"

#include <string.h>

#include "common/banned.h"

const struct bh_compiled *views_find(const struct views *v, const char *node)
{
	for (size_t i = 0; i < v->n; i++) {
		if (bh_streq(v->items[i].node, node))
			return &v->items[i].out;
	}
	return NULL;
}

static int compile_for(struct view *view, const struct world *w, uint64_t revision,
		       struct bh_err *err)
{
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct bh_compile_input in = world_input(w, revision);
	int r;

	if (bh_compiler_new(&c) < 0)
		must(NULL);
	for (size_t i = 0; i < w->n_eps; i++)
		w->eps[i]->local = bh_streq(w->eps[i]->node, view->node);
	r = bh_compile(c, &in, &view->out, err);
	for (size_t i = 0; i < w->n_eps; i++)
		w->eps[i]->local = true;
	return r;
}

int views_make(struct views *v, const struct world *w, uint64_t revision, struct bh_err *err)
{
	int r = 0;

	v->items = must(calloc(w->n_eps + 1, sizeof(*v->items)));
	for (size_t i = 0; r == 0 && i < w->n_eps; i++) {
		const char *node = w->eps[i]->node;

		if (!node || views_find(v, node))
			continue;
		v->items[v->n].node = must(strdup(node));
		r = compile_for(&v->items[v->n++], w, revision, err);
	}
	return r;
}

void views_done(struct views *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->items[i].node);
		bh_compiled_done(&v->items[i].out);
	}
	free(v->items);
	*v = (struct views){ .items = NULL };
}
