// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/builder.c - from what is wanted to a generation: only what changed is compiled
 *
 * DOC: Places
 *
 * Every endpoint has a place in the roster, by which the compiler knows it and generations name it. Generations of the
 * past look into the same roster, so a place is not given to somebody else while it is that roster. When many have
 * left, the next generation gets a copy of the roster, in which their places are free. Endpoint manifests come first
 * when everything is compiled; whoever comes later stands behind.
 */
#include "agent/builder.h"

#include <string.h>

#include "common/util.h"

#include "common/banned.h"

/* So many have left before the roster is copied; half as many as there are, at least. */
#define LEFT_MIN 1024U

struct numbers {
	uint32_t *v;
	size_t n, cap;
};

struct changes {
	struct bh_endpoint_change *v;
	size_t n, cap;
};

struct bh_builder {
	struct bh_compiler *compiler;
	struct bh_generation *last; /* as the compiler knows it; NULL: it knows nothing */
	struct numbers
	    places; /* of the Endpoint manifests of last->policies, in the order of the set */
	struct numbers left; /* places in last->roster of those who went */
	struct numbers free; /* places in it that nobody has */
};

int bh_builder_new(struct bh_builder **ret)
{
	struct bh_builder *b = calloc(1, sizeof(*b));
	int r = b ? bh_compiler_new(&b->compiler) : -ENOMEM;

	if (r < 0) {
		free(b);
		return r;
	}
	*ret = b;
	return 0;
}

static void forget(struct bh_builder *b)
{
	b->last = bh_generation_unref(b->last);
	b->places.n = b->left.n = b->free.n = 0;
}

struct bh_builder *bh_builder_free(struct bh_builder *b)
{
	if (!b)
		return NULL;
	forget(b);
	bh_compiler_free(b->compiler);
	free(b->places.v);
	free(b->left.v);
	free(b->free.v);
	free(b);
	return NULL;
}

int64_t bh_builder_next_change(const struct bh_builder *b)
{
	return b->last ? bh_compile_next_change(b->compiler) : INT64_MAX;
}

/* ---- lists ---- */

static int reserve(void *list, size_t *cap, size_t n, size_t size)
{
	void **p = list, *v;
	size_t more = BH_MAX(n, *cap * 2);

	if (n <= *cap)
		return 0;
	v = reallocarray(*p, more, size);
	if (!v)
		return -ENOMEM;
	*p = v;
	*cap = more;
	return 0;
}

static int add_number(struct numbers *l, uint32_t x)
{
	int r = reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));

	if (r == 0)
		l->v[l->n++] = x;
	return r;
}

static int add_change(struct changes *l, uint32_t place, const struct bh_endpoint *e)
{
	int r = reserve(&l->v, &l->cap, l->n + 1, sizeof(*l->v));

	if (r == 0)
		l->v[l->n++] = (struct bh_endpoint_change){ .index = place, .ep = e };
	return r;
}

static void changes_done(struct changes *l)
{
	free(l->v);
}

/* ---- places ---- */

/* @local and @owner: references are taken. */
static int take_place(struct bh_builder *b, struct bh_roster *r, const struct bh_endpoint *e,
		      struct bh_ep *local, struct bh_manifest *owner, uint32_t *ret)
{
	struct bh_member *m;

	if (b->free.n > 0) {
		*ret = b->free.v[--b->free.n];
	} else {
		if (reserve(&r->v, &r->cap, r->n + 1, sizeof(*r->v)) < 0)
			return -ENOMEM;
		*ret = (uint32_t)r->n++;
	}
	m = &r->v[*ret];
	*m = (struct bh_member){ .e = e,
				 .local = local ? bh_ep_ref(local) : NULL,
				 .owner = owner ? bh_manifest_ref(owner) : NULL };
	return 0;
}

/* Too many places of those who left: a roster of its own for what is to come. */
static int renew_roster(struct bh_builder *b, struct bh_roster **ret)
{
	const struct bh_roster *old = b->last->roster;
	struct bh_roster *r;

	if (b->left.n < LEFT_MIN || b->left.n < old->n / 2) {
		*ret = bh_roster_ref(b->last->roster);
		return 0;
	}
	r = bh_roster_copy(old, b->left.v, b->left.n);
	if (!r)
		return -ENOMEM;
	for (size_t i = 0; i < b->left.n; i++) {
		if (add_number(&b->free, b->left.v[i]) < 0) {
			bh_roster_unref(r);
			return -ENOMEM;
		}
	}
	b->left.n = 0;
	*ret = r;
	return 0;
}

/* ---- Endpoint manifests ---- */

/* Which manifest an endpoint is of. Sorted by the endpoint. */
struct owned {
	const struct bh_endpoint *e;
	struct bh_manifest *owner;
};

static int cmp_owned(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;

	return (x->e > y->e) - (x->e < y->e);
}

/* @v: @n endpoints of @p, sorted; filled in. */
static void find_owners(const struct bh_policies *p, struct owned *v, size_t n)
{
	for (size_t i = 0; n > 0 && i < p->files.n; i++) {
		const struct bh_policy_set *set = p->files.items[i]->set;

		for (size_t k = 0; k < set->n_endpoints; k++) {
			const struct owned key = { .e = set->endpoints[k] };
			struct owned *o = bsearch(&key, v, n, sizeof(*v), cmp_owned);

			if (o)
				o->owner = p->files.items[i];
		}
	}
}

static int cmp_identity(const struct bh_endpoint *a, const struct bh_endpoint *b)
{
	int c = strcmp(a->ns, b->ns);

	return c != 0 ? c : strcmp(a->name, b->name);
}

/*
 * Which endpoints of @set are not those of the last time: their places become UINT32_MAX in @places; who went is a
 * change. Both sets are sorted; a file that did not change has the same objects.
 */
static int compare_manifests(struct bh_builder *b, const struct bh_policy_set *set,
			     struct numbers *places, struct changes *l)
{
	const struct bh_policy_set *old = b->last->policies->set;
	size_t i = 0, k = 0;
	int r = reserve(&places->v, &places->cap, set->n_endpoints + 1, sizeof(*places->v));

	while (r == 0 && (i < old->n_endpoints || k < set->n_endpoints)) {
		int c = i == old->n_endpoints ? 1
			: k == set->n_endpoints
			    ? -1
			    : cmp_identity(old->endpoints[i], set->endpoints[k]);
		bool same = c == 0 && old->endpoints[i] == set->endpoints[k];

		if (same) {
			places->v[places->n++] = b->places.v[i];
		} else if (c <= 0) {
			r = add_change(l, b->places.v[i], NULL);
			if (r == 0)
				r = add_number(&b->left, b->places.v[i]);
		}
		if (c >= 0 && !same)
			places->v[places->n++] = UINT32_MAX;
		i += c <= 0;
		k += c >= 0;
	}
	return r;
}

static int place_manifests(struct bh_builder *b, struct bh_roster *roster, struct bh_policies *p,
			   const char *node, struct numbers *places, struct changes *l)
{
	bh_autofree struct owned *new = calloc(p->set->n_endpoints + 1, sizeof(*new));
	size_t n = 0;
	int r = new ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < p->set->n_endpoints; i++)
		if (places->v[i] == UINT32_MAX)
			new[n++].e = p->set->endpoints[i];
	if (r == 0 && n > 0)
		qsort(new, n, sizeof(*new), cmp_owned);
	if (r == 0)
		find_owners(p, new, n);
	for (size_t i = 0; r == 0 && i < p->set->n_endpoints; i++) {
		struct bh_endpoint *e = p->set->endpoints[i];
		const struct owned key = { .e = e }, *o;

		if (places->v[i] != UINT32_MAX)
			continue;
		o = bsearch(&key, new, n, sizeof(*new), cmp_owned);
		/* Wired by somebody else, and said to be here: its policies are enforced here. */
		e->local = bh_streq(e->node, node);
		r = take_place(b, roster, e, NULL, o ? o->owner : NULL, &places->v[i]);
		if (r == 0 && l)
			r = add_change(l, places->v[i], e);
	}
	return r;
}

static int manifests_changed(struct bh_builder *b, struct bh_roster *roster,
			     const struct bh_wanted *w, struct changes *l)
{
	struct numbers places = { .v = NULL };
	int r;

	if (w->policies == b->last->policies)
		return 0;
	r = compare_manifests(b, w->policies->set, &places, l);
	if (r == 0)
		r = place_manifests(b, roster, w->policies, w->node, &places, l);
	free(b->places.v);
	b->places = places;
	return r;
}

/* ---- endpoints of this host ---- */

/* A number of an earlier roster means nothing in this one. */
static bool has_place(const struct bh_roster *roster, const struct bh_ep *ep)
{
	return ep->place < roster->n && roster->v[ep->place].local == ep;
}

static int locals_changed(struct bh_builder *b, struct bh_roster *roster, const struct bh_wanted *w,
			  struct changes *l)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->n_changed; i++) {
		struct bh_ep *ep = w->changed[i];
		/* Who has yet to be named stays in quarantine and is nobody's peer. */
		bool wanted = ep->member && ep->labels_final;

		if (wanted && !has_place(roster, ep)) {
			r = take_place(b, roster, ep->e, ep, NULL, &ep->place);
			if (r == 0)
				r = add_change(l, ep->place, ep->e);
		} else if (!wanted && has_place(roster, ep)) {
			r = add_change(l, ep->place, NULL);
			if (r == 0)
				r = add_number(&b->left, ep->place);
			ep->place = BH_EP_NO_PLACE;
		}
	}
	return r;
}

/* ---- building ---- */

static struct bh_compile_input input(const struct bh_wanted *w,
				     const struct bh_endpoint *const *eps, size_t n)
{
	return (struct bh_compile_input){ .set = w->policies->set,
					  .eps = eps,
					  .n_eps = n,
					  .around = w->around,
					  .now = w->now,
					  .revision = w->revision };
}

/* Takes what is in @c. */
static int keep(struct bh_builder *b, const struct bh_wanted *w, struct bh_roster *roster,
		struct bh_compiled *c)
{
	struct bh_generation *g =
	    bh_generation_new(w->policies, roster, c, b->last ? b->last : NULL);

	if (!g)
		return -ENOMEM;
	bh_generation_unref(b->last);
	b->last = g;
	return 0;
}

static int build_all(struct bh_builder *b, const struct bh_wanted *w, struct bh_err *err)
{
	bh_cleanup(bh_roster_unrefp) struct bh_roster *roster = bh_roster_new();
	bh_cleanup(bh_compiled_done) struct bh_compiled c = { .rules = NULL };
	bh_autofree const struct bh_endpoint **eps = NULL;
	struct bh_compile_input in;
	size_t n = w->policies->set->n_endpoints;
	int r =
	    roster ? reserve(&b->places.v, &b->places.cap, n + 1, sizeof(*b->places.v)) : -ENOMEM;

	forget(b);
	for (size_t i = 0; r == 0 && i < n; i++)
		b->places.v[b->places.n++] = UINT32_MAX;
	if (r == 0)
		r = place_manifests(b, roster, w->policies, w->node, &b->places, NULL);
	for (struct bh_ep *ep = bh_endpoints_first(w->eps); r == 0 && ep;
	     ep = bh_endpoints_next(ep)) {
		ep->place = BH_EP_NO_PLACE;
		if (ep->labels_final)
			r = take_place(b, roster, ep->e, ep, NULL, &ep->place);
	}
	if (r == 0) {
		eps = calloc(roster->n + 1, sizeof(const struct bh_endpoint *));
		r = eps ? 0 : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < roster->n; i++)
		eps[i] = roster->v[i].e;
	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	in = input(w, eps, roster->n);
	r = bh_compile(b->compiler, &in, &c, err);
	if (r == 0 && keep(b, w, roster, &c) < 0)
		r = bh_err_set(err, -ENOMEM, "out of memory");
	return r;
}

/* -EAGAIN: the compiler wants to begin anew. */
static int build_changes(struct bh_builder *b, const struct bh_wanted *w, struct bh_err *err)
{
	bh_cleanup(bh_compiled_done) struct bh_compiled c = { .rules = NULL };
	bh_cleanup(bh_roster_unrefp) struct bh_roster *roster = NULL;
	bh_cleanup(changes_done) struct changes l = { .v = NULL };
	struct bh_compile_input in = input(w, NULL, 0);
	bool policies = w->renew || w->policies != b->last->policies;
	int r = renew_roster(b, &roster);

	if (r == 0)
		r = manifests_changed(b, roster, w, &l);
	if (r == 0)
		r = locals_changed(b, roster, w, &l);
	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	if (policies)
		r = bh_compile_policies(b->compiler, &in, &c, err);
	if (r == 0 && l.n > 0) {
		bh_compiled_done(&c);
		r = bh_compile_endpoints(b->compiler, l.v, l.n, w->revision, &c, err);
	}
	if (r < 0 || (!policies && l.n == 0))
		return r;
	return keep(b, w, roster, &c) < 0 ? bh_err_set(err, -ENOMEM, "out of memory") : 0;
}

int bh_builder_build(struct bh_builder *b, const struct bh_wanted *w, struct bh_generation **ret,
		     struct bh_err *err)
{
	int r = -EAGAIN;

	if (b->last && !w->all)
		r = build_changes(b, w, err);
	if (r == -EAGAIN)
		r = build_all(b, w, err);
	if (r < 0) {
		forget(b);
		return bh_err_wrap(err, r, "the policies cannot be compiled");
	}
	*ret = bh_generation_ref(b->last);
	return 0;
}
