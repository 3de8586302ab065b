/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/conformance/eval_changes.c - the rule set of a step, made by changes of the one before
 *
 * The way is made longer than it need be, so that a case of one step has something to change too. A case begins with
 * half of the endpoints, each with the labels, ports and addresses of the next, and with nothing else; endpoints change
 * in two lots, policies one at a time. There are two ways to go, as what comes later can hide what was forgotten: all
 * that surrounds the policies first, or last. What comes out must be what bh_compile() makes of the end.
 */
#include "common/util.h"
#include "tests/conformance/eval.h"

#include <string.h>

#include "common/banned.h"

static const struct bh_policy_set nothing;

/* ---- calls of the compiler ---- */

static int taken(struct changes *c, int r, struct bh_compiled *out)
{
	if (r < 0)
		return r;
	bh_compiled_done(&c->out);
	c->out = *out;
	return 0;
}

static int anew(struct changes *c, const struct bh_compile_input *in, struct bh_err *err)
{
	struct bh_compiled out = { .rules = NULL };

	return taken(c, bh_compile(c->compiler, in, &out, err), &out);
}

static int by_endpoints(struct changes *c, const struct bh_endpoint_change *changes, size_t n,
			struct bh_err *err)
{
	struct bh_compiled out = { .rules = NULL };

	return taken(c, bh_compile_endpoints(c->compiler, changes, n, ++c->revision, &out, err),
		     &out);
}

static int by_policies(struct changes *c, const struct bh_policy_set *set,
		       const struct bh_surroundings *around, struct bh_err *err)
{
	struct bh_compile_input in = {
		.set = set,
		.around = around,
		.revision = ++c->revision,
	};
	struct bh_compiled out = { .rules = NULL };

	return taken(c, bh_compile_policies(c->compiler, &in, &out, err), &out);
}

/* ---- endpoints ---- */

static void slot_add(struct changes *c, const struct bh_endpoint *ep)
{
	c->slots = must(reallocarray(c->slots, c->n_slots + 1, sizeof(*c->slots)));
	c->slots[c->n_slots++] = ep;
}

static bool labels_equal(const struct bh_labels *a, const struct bh_labels *b)
{
	for (size_t i = 0; a->n == b->n && i < a->n; i++) {
		if (!bh_streq(a->items[i].key, b->items[i].key) ||
		    !bh_streq(a->items[i].value, b->items[i].value))
			return false;
	}
	return a->n == b->n;
}

static bool endpoint_equal(const struct bh_endpoint *a, const struct bh_endpoint *b)
{
	if (a->n_addrs != b->n_addrs || a->n_ports != b->n_ports ||
	    !bh_streq(a->node ? a->node : "", b->node ? b->node : "") ||
	    !labels_equal(&a->labels, &b->labels))
		return false;
	for (size_t i = 0; i < a->n_addrs; i++) {
		if (!bh_addr_eq(&a->addrs[i], &b->addrs[i]))
			return false;
	}
	for (size_t i = 0; i < a->n_ports; i++) {
		const struct bh_named_port *x = &a->ports[i], *y = &b->ports[i];

		if (!bh_streq(x->name, y->name) || x->l4 != y->l4 || x->port != y->port)
			return false;
	}
	return true;
}

static const struct bh_endpoint *endpoint_find(const struct world *w, const char *id)
{
	for (size_t i = 0; i < w->n_eps; i++) {
		if (bh_streq(w->eps[i]->id, id))
			return w->eps[i];
	}
	return NULL;
}

static bool has_slot(const struct changes *c, const struct bh_endpoint *ep)
{
	for (size_t i = 0; i < c->n_slots; i++) {
		if (c->slots[i] == ep)
			return true;
	}
	return false;
}

/* The slots point to @now's endpoints afterwards. @ret: room for all. Return: how many changed */
static size_t endpoint_changes(struct changes *c, const struct world *now,
			       struct bh_endpoint_change *ret)
{
	size_t n = 0;

	for (uint32_t i = 0; i < c->n_slots; i++) {
		const struct bh_endpoint *old = c->slots[i], *ep;

		if (!old)
			continue;
		ep = endpoint_find(now, old->id);
		c->slots[i] = ep;
		if (!ep || !endpoint_equal(old, ep))
			ret[n++] = (struct bh_endpoint_change){ .index = i, .ep = ep };
	}
	for (size_t i = 0; i < now->n_eps; i++) {
		if (has_slot(c, now->eps[i]))
			continue;
		ret[n++] =
		    (struct bh_endpoint_change){ .index = (uint32_t)c->n_slots, .ep = now->eps[i] };
		slot_add(c, now->eps[i]);
	}
	return n;
}

static int change_endpoints(struct changes *c, const struct world *now, struct bh_err *err)
{
	bh_autofree struct bh_endpoint_change *changes =
	    must(calloc(c->n_slots + now->n_eps + 1, sizeof(*changes)));
	size_t n = endpoint_changes(c, now, changes), half = n / 2;
	int r = 0;

	if (half > 0)
		r = by_endpoints(c, changes, half, err);
	if (r == 0 && n > half)
		r = by_endpoints(c, changes + half, n - half, err);
	return r;
}

/* ---- policies ---- */

static int identity_cmp(const struct bh_policy *a, const struct bh_policy *b)
{
	int r;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	r = strcmp(a->ns, b->ns);
	return r ? r : strcmp(a->name, b->name);
}

static bool policy_equal(const struct bh_policy *a, const struct bh_policy *b)
{
	return a && b && bh_streq(a->source, b->source) && bh_streq(a->file, b->file) &&
	       a->pos.line == b->pos.line;
}

struct pair { /* of one identity; NULL: there is none */
	struct bh_policy *old, *new;
};

static size_t pairs_make(const struct bh_policy_set *a, const struct bh_policy_set *b,
			 struct pair *ret)
{
	size_t i = 0, k = 0, n = 0;

	while (i < a->n_policies || k < b->n_policies) {
		int cmp = i == a->n_policies   ? 1
			  : k == b->n_policies ? -1
					       : identity_cmp(a->policies[i], b->policies[k]);

		ret[n++] = (struct pair){
			.old = cmp <= 0 ? a->policies[i++] : NULL,
			.new = cmp >= 0 ? b->policies[k++] : NULL,
		};
	}
	return n;
}

/* @before: NULL at the beginning; @around: what stands around policies on the way */
static int change_policies(struct changes *c, const struct world *before, const struct world *now,
			   const struct world *around, struct bh_err *err)
{
	const struct bh_policy_set *from = before ? before->set : &nothing;
	size_t room = from->n_policies + now->set->n_policies + 1;
	bh_autofree struct pair *pairs = must(calloc(room, sizeof(*pairs)));
	bh_autofree struct bh_policy **list = must(calloc(room, sizeof(struct bh_policy *)));
	size_t n = pairs_make(from, now->set, pairs);
	struct bh_policy_set between = around ? *around->set : nothing;
	int r = 0;

	between.policies = list;
	for (size_t done = 1; r == 0 && done <= n; done++) {
		if (policy_equal(pairs[done - 1].old, pairs[done - 1].new))
			continue;
		between.n_policies = 0;
		for (size_t i = 0; i < n; i++) {
			struct bh_policy *p = i < done ? pairs[i].new : pairs[i].old;

			if (p)
				list[between.n_policies++] = p;
		}
		r = by_policies(c, &between, around ? &around->around : NULL, err);
	}
	return r;
}

/* What stands around @policies: one thing after the other. @before: NULL at the beginning */
static int change_the_rest(struct changes *c, const struct bh_policy_set *policies,
			   const struct world *before, const struct world *now, struct bh_err *err)
{
	struct bh_policy_set between = before ? *before->set : nothing;
	int r;

	between.policies = policies->policies;
	between.n_policies = policies->n_policies;
	r = by_policies(c, &between, &now->around, err);
	between.namespaces = now->set->namespaces;
	between.n_namespaces = now->set->n_namespaces;
	if (r == 0)
		r = by_policies(c, &between, &now->around, err);
	between.nodes = now->set->nodes;
	between.n_nodes = now->set->n_nodes;
	return r < 0 ? r : by_policies(c, &between, &now->around, err);
}

/* ---- steps ---- */

/* Room for the endpoints that a case begins with. */
static size_t half(const struct world *w)
{
	return (w->n_eps + 1) / 2;
}

static int begin(struct changes *c, const struct world *now, struct bh_endpoint *others,
		 struct bh_err *err)
{
	struct bh_compile_input in = { .set = &nothing, .revision = ++c->revision };

	if (bh_compiler_new(&c->compiler) < 0)
		must(NULL);
	for (size_t i = 0; i < half(now); i++) {
		const struct bh_endpoint *next = now->eps[(i + 1) % half(now)];

		others[i] = *next;
		others[i].id = now->eps[i]->id;
		others[i].ns = now->eps[i]->ns;
		others[i].name = now->eps[i]->name;
		slot_add(c, &others[i]);
	}
	in.eps = c->slots;
	in.n_eps = c->n_slots;
	return anew(c, &in, err);
}

/* What bh_compile_*() leave to bh_compile(). */
static int again(struct changes *c, const struct world *now, struct bh_err *err)
{
	struct bh_compile_input in = world_input(now, ++c->revision);

	c->again = true;
	c->n_slots = 0;
	for (size_t i = 0; i < now->n_eps; i++)
		slot_add(c, now->eps[i]);
	return anew(c, &in, err);
}

static int policies_last(struct changes *c, const struct world *before, const struct world *now,
			 struct bh_err *err)
{
	int r = change_endpoints(c, now, err);

	if (r == 0)
		r = change_the_rest(c, before ? before->set : &nothing, before, now, err);
	return r < 0 ? r : change_policies(c, before, now, now, err);
}

static int policies_first(struct changes *c, const struct world *before, const struct world *now,
			  struct bh_err *err)
{
	int r = change_policies(c, before, now, before, err);

	if (r == 0)
		r = change_the_rest(c, now->set, before, now, err);
	return r < 0 ? r : change_endpoints(c, now, err);
}

int changes_step(struct changes *c, enum way way, const struct world *before,
		 const struct world *now, struct bh_err *err)
{
	bh_autofree struct bh_endpoint *others = must(calloc(now->n_eps + 1, sizeof(*others)));
	const struct world *from = c->compiler ? before : NULL;
	int r = c->compiler ? 0 : begin(c, now, others, err);

	c->again = false;
	if (r == 0)
		r = way == POLICIES_LAST ? policies_last(c, from, now, err)
					 : policies_first(c, from, now, err);
	return r == -EAGAIN ? again(c, now, err) : r;
}

void changes_done(struct changes *c)
{
	bh_compiled_done(&c->out);
	bh_compiler_free(c->compiler);
	free(c->slots);
	*c = (struct changes){ .compiler = NULL };
}
