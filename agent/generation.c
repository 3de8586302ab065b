// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/generation.c - what is or was in force: policies, endpoints and the rule set compiled from them
 */
#include "agent/generation.h"

#include <string.h>

#include "common/util.h"

#include "common/banned.h"

/* Old revisions are a convenience of the log: they give way before the agent grows fat. */
#define HISTORY_BYTES_MAX (8U * 1024 * 1024)

/* ---- parts that are shared ---- */

static struct bh_rules *rules_unref(struct bh_rules *r)
{
	if (!r || --r->refs > 0)
		return NULL;
	bh_ruleset_free(r->rs);
	free(r->contract_reasons);
	free(r);
	return NULL;
}

static struct bh_roster *roster_unref(struct bh_roster *r)
{
	if (!r || --r->refs > 0)
		return NULL;
	for (size_t i = 0; i < r->n; i++)
		bh_ep_unref(r->local[i]);
	free(r->eps);
	free(r->local);
	free(r->shadowed);
	free(r);
	return NULL;
}

static int roster_add(struct bh_roster *r, const struct bh_endpoint *e, struct bh_ep *ep)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		const struct bh_endpoint **eps =
		    reallocarray(r->eps, cap, sizeof(const struct bh_endpoint *));
		struct bh_ep **local;

		if (!eps)
			return -ENOMEM;
		r->eps = eps;
		local = reallocarray(r->local, cap, sizeof(struct bh_ep *));
		if (!local)
			return -ENOMEM;
		r->local = local;
		r->cap = cap;
	}
	r->eps[r->n] = e;
	r->local[r->n] = ep ? bh_ep_ref(ep) : NULL;
	r->n++;
	return 0;
}

struct bh_generation *bh_generation_ref(struct bh_generation *g)
{
	g->refs++;
	return g;
}

struct bh_generation *bh_generation_unref(struct bh_generation *g)
{
	if (!g || --g->refs > 0)
		return NULL;
	free(g->addrs);
	rules_unref(g->rules);
	roster_unref(g->roster);
	bh_policies_unref(g->policies);
	free(g);
	return NULL;
}

/* ---- compiling ---- */

static int list_endpoints(struct bh_generation *g, const struct bh_endpoints *eps, const char *node)
{
	const struct bh_policy_set *set = g->policies->set;
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->n_endpoints; i++) {
		struct bh_endpoint *e = set->endpoints[i];

		/* Wired by somebody else, and said to be here: its policies are enforced here. */
		e->local = bh_streq(e->node, node);
		r = roster_add(g->roster, e, NULL);
	}
	for (struct bh_ep *ep = bh_endpoints_first(eps); r == 0 && ep; ep = bh_endpoints_next(ep)) {
		/* Who has yet to be named stays in quarantine and is nobody's peer. */
		if (ep->labels_final)
			r = roster_add(g->roster, ep->e, ep);
	}
	g->roster->compiled = g->roster->n;
	return r;
}

static int list_shadowed(struct bh_generation *g)
{
	struct bh_roster *r = g->roster;

	for (size_t i = 0; i < r->n && !r->local[i]; i++) {
		for (size_t k = 0; k < r->eps[i]->n_addrs; k++) {
			const struct bh_addr *a = &r->eps[i]->addrs[k];
			struct bh_addr *list;

			if (bh_generation_endpoint(g, a) == r->eps[i])
				continue;
			list = reallocarray(r->shadowed, r->n_shadowed + 1, sizeof(*list));
			if (!list)
				return -ENOMEM;
			r->shadowed = list;
			r->shadowed[r->n_shadowed++] = *a;
		}
	}
	return 0;
}

static struct bh_generation *blank(struct bh_policies *policies, uint64_t revision)
{
	struct bh_generation *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->refs = 1;
	g->revision = revision;
	g->policies = bh_policies_ref(policies);
	return g;
}

int bh_generation_new(struct bh_compiler *c, const struct bh_wanted *w,
		      const struct bh_endpoints *eps, uint64_t revision, struct bh_generation **ret,
		      struct bh_err *err)
{
	bh_cleanup(bh_generation_unrefp) struct bh_generation *g = blank(w->policies, revision);
	struct bh_compiled compiled = { .rules = NULL };
	int r = -ENOMEM;

	if (g) {
		g->rules = calloc(1, sizeof(*g->rules));
		g->roster = calloc(1, sizeof(*g->roster));
	}
	if (g && g->rules && g->roster) {
		g->rules->refs = 1;
		g->roster->refs = 1;
		r = list_endpoints(g, eps, w->node);
	}
	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	r = bh_compile(c,
		       &(struct bh_compile_input){
			   .set = w->policies->set,
			   .eps = g->roster->eps,
			   .n_eps = g->roster->n,
			   .around = w->around,
			   .now = w->now,
			   .revision = revision,
		       },
		       &compiled, err);
	if (r < 0)
		return bh_err_wrap(err, r, "the policies cannot be compiled");
	g->rules->rs = compiled.rules;
	g->addrs = compiled.addrs;
	g->n_addrs = compiled.n_addrs;
	if (list_shadowed(g) < 0)
		return bh_err_set(err, -ENOMEM, "out of memory");
	(void)bh_ruleset_data(g->rules->rs, &g->bytes);
	g->bytes += g->n_addrs * sizeof(*g->addrs) +
		    g->roster->n * (sizeof(*g->roster->eps) + sizeof(*g->roster->local));
	*ret = bh_take_ptr(&g);
	return 0;
}

/* ---- deriving ---- */

/* The roster also holds those who went: it is compiled anew when they become many. */
#define ROSTER_SLACK 1024U

static int by_addr(const void *a, const void *b)
{
	const struct bh_addr_class *x = a, *y = b;

	return bh_addr_cmp(&x->addr, &y->addr);
}

/*
 * A class is a vector of selectors, CIDR pieces and named ports (policy/compile.h). Twins agree in the first and the
 * last; addresses that would have the same class if they were no endpoint's agree in the second.
 */
static uint32_t class_by_twin(const struct bh_generation *g, const struct bh_ep *ep,
			      const struct bh_addr *a)
{
	uint32_t outside = bh_ruleset_outside_class(g->rules->rs, a);
	unsigned looked = 0;

	for (const struct bh_ep *t = ep->group ? ep->group->first : NULL; t && looked < 64;
	     t = t->next_twin, looked++) {
		for (size_t i = 0; i < t->e->n_addrs; i++) {
			const struct bh_addr *ta = &t->e->addrs[i];
			const struct bh_addr_class *ac;

			if (t == ep || ta->family != a->family ||
			    bh_ruleset_outside_class(g->rules->rs, ta) != outside)
				continue;
			ac = bh_generation_addr(g, ta);
			if (ac && ac->local && bh_generation_local(g, ta) == t)
				return ac->cls;
		}
	}
	return 0;
}

struct delta {
	struct bh_addr_class *add; /* sorted */
	size_t n_add;
	struct bh_addr *gone; /* sorted */
	size_t n_gone;
};

static void delta_done(struct delta *d)
{
	free(d->add);
	free(d->gone);
}

static int by_plain_addr(const void *a, const void *b)
{
	return bh_addr_cmp(a, b);
}

static int delta_add(const struct bh_generation *from, struct bh_ep *ep, struct delta *d)
{
	size_t index = from->roster->n;

	for (size_t i = 0; i < ep->e->n_addrs; i++) {
		const struct bh_addr *a = &ep->e->addrs[i];
		uint32_t cls = class_by_twin(from, ep, a);

		/* Who has it now may be leaving, or be a manifest's: the compiler knows who wins. */
		if (cls == 0 || bh_generation_addr(from, a))
			return -EAGAIN;
		d->add[d->n_add++] = (struct bh_addr_class){
			.addr = *a, .cls = cls, .local = true, .endpoint = (uint32_t)index
		};
	}
	return roster_add(from->roster, ep->e, ep);
}

/* Somebody else who claims the address, too, would have it now: only a manifest can. */
static bool is_shadowed(const struct bh_roster *r, const struct bh_addr *a)
{
	for (size_t i = 0; i < r->n_shadowed; i++)
		if (bh_addr_eq(&r->shadowed[i], a))
			return true;
	return false;
}

static int delta_gone(const struct bh_generation *from, const struct bh_ep *ep, struct delta *d)
{
	for (size_t i = 0; i < ep->e->n_addrs; i++) {
		const struct bh_addr *a = &ep->e->addrs[i];

		if (bh_generation_local(from, a) != ep)
			continue;
		if (is_shadowed(from->roster, a))
			return -EAGAIN;
		d->gone[d->n_gone++] = *a;
	}
	return 0;
}

static int make_delta(struct bh_generation *from, struct bh_ep *const *changed, size_t n_changed,
		      struct delta *d)
{
	size_t n = 1;
	int r = 0;

	for (size_t i = 0; i < n_changed; i++)
		n += changed[i]->e->n_addrs;
	d->add = calloc(n, sizeof(*d->add));
	d->gone = calloc(n, sizeof(*d->gone));
	if (!d->add || !d->gone)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n_changed; i++) {
		struct bh_ep *ep = changed[i];

		if (!ep->labels_final)
			continue;
		if (!ep->member)
			r = delta_gone(from, ep, d);
		else if (bh_generation_local(from, &ep->e->addrs[0]) != ep)
			r = delta_add(from, ep, d);
	}
	if (r < 0)
		return r;
	qsort(d->add, d->n_add, sizeof(*d->add), by_addr);
	qsort(d->gone, d->n_gone, sizeof(*d->gone), by_plain_addr);
	return 0;
}

/* Both lists are sorted: one walk. */
static void merge(const struct bh_generation *from, const struct delta *d, struct bh_generation *g)
{
	size_t add = 0, gone = 0;

	for (size_t i = 0; i < from->n_addrs; i++) {
		const struct bh_addr_class *ac = &from->addrs[i];

		while (add < d->n_add && bh_addr_cmp(&d->add[add].addr, &ac->addr) < 0)
			g->addrs[g->n_addrs++] = d->add[add++];
		while (gone < d->n_gone && bh_addr_cmp(&d->gone[gone], &ac->addr) < 0)
			gone++;
		if (gone < d->n_gone && bh_addr_eq(&d->gone[gone], &ac->addr))
			continue;
		g->addrs[g->n_addrs++] = *ac;
	}
	while (add < d->n_add)
		g->addrs[g->n_addrs++] = d->add[add++];
}

int bh_generation_derive(struct bh_generation *from, struct bh_ep *const *changed, size_t n_changed,
			 struct bh_generation **ret)
{
	bh_cleanup(bh_generation_unrefp) struct bh_generation *g = NULL;
	bh_cleanup(delta_done) struct delta d = { .add = NULL };
	int r;

	if (from->roster->n + n_changed > from->roster->compiled + ROSTER_SLACK)
		return -EAGAIN;
	r = make_delta(from, changed, n_changed, &d);
	if (r < 0)
		return r;
	g = blank(from->policies, from->revision);
	if (!g)
		return -ENOMEM;
	g->addrs = calloc(from->n_addrs + d.n_add + 1, sizeof(*g->addrs));
	if (!g->addrs)
		return -ENOMEM;
	g->rules = from->rules;
	g->rules->refs++;
	g->roster = from->roster;
	g->roster->refs++;
	merge(from, &d, g);
	for (size_t i = 1; i < g->n_addrs && d.n_add > 0; i++)
		if (bh_addr_eq(&g->addrs[i - 1].addr, &g->addrs[i].addr))
			return -EAGAIN; /* two who came claim the same one */
	g->bytes = g->n_addrs * sizeof(*g->addrs);
	*ret = bh_take_ptr(&g);
	return 0;
}

/* ---- questions ---- */

const struct bh_addr_class *bh_generation_addr(const struct bh_generation *g,
					       const struct bh_addr *a)
{
	size_t lo = 0, hi = g->n_addrs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = bh_addr_cmp(&g->addrs[mid].addr, a);

		if (c == 0)
			return &g->addrs[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const struct bh_endpoint *bh_generation_endpoint(const struct bh_generation *g,
						 const struct bh_addr *a)
{
	const struct bh_addr_class *ac = bh_generation_addr(g, a);

	return ac && ac->endpoint < g->roster->n ? g->roster->eps[ac->endpoint] : NULL;
}

const struct bh_ep *bh_generation_local(const struct bh_generation *g, const struct bh_addr *a)
{
	const struct bh_addr_class *ac = bh_generation_addr(g, a);

	return ac && ac->endpoint < g->roster->n ? g->roster->local[ac->endpoint] : NULL;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int list_contract_reasons(struct bh_rules *rules)
{
	size_t n_contracts, n = 0;
	const struct bh_contract *c = bh_ruleset_contracts(rules->rs, &n_contracts);
	uint32_t *list;

	for (size_t i = 0; i < n_contracts; i++)
		n += c[i].n + 3;
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < n_contracts; i++) {
		const struct bh_contract_entry *e = bh_ruleset_entries(rules->rs, &c[i]);

		for (uint32_t k = 0; e && k < c[i].n; k++)
			list[n++] = bh_word_number(e[k].word);
		list[n++] = bh_word_number(c[i].other);
		list[n++] = bh_word_number(c[i].unknown);
		list[n++] = bh_word_number(c[i].undecided);
	}
	qsort(list, n, sizeof(*list), by_number);
	rules->contract_reasons = list;
	rules->n_contract_reasons = n;
	return 0;
}

bool bh_generation_by_contract(const struct bh_generation *g, uint32_t reason)
{
	struct bh_rules *r = g->rules;

	if (!r->contract_reasons && list_contract_reasons(r) < 0)
		return false;
	return bsearch(&reason, r->contract_reasons, r->n_contract_reasons, sizeof(reason),
		       by_number) != NULL;
}

/* ---- the last ones ---- */

static size_t nth(const struct bh_history *h, size_t age)
{
	return (h->next + BH_HISTORY_MAX - 1 - age) % BH_HISTORY_MAX;
}

static void forget_oldest(struct bh_history *h)
{
	size_t i = nth(h, h->n - 1);

	h->items[i].g = bh_generation_unref(h->items[i].g);
	h->n--;
}

void bh_history_done(struct bh_history *h)
{
	while (h->n > 0)
		forget_oldest(h);
}

void bh_history_add(struct bh_history *h, struct bh_generation *g, unsigned epoch)
{
	size_t bytes = g->bytes;

	if (h->n == BH_HISTORY_MAX)
		forget_oldest(h);
	h->items[h->next].g = bh_generation_ref(g);
	h->items[h->next].epoch_first = epoch;
	h->items[h->next].epoch_last = epoch;
	h->next = (h->next + 1) % BH_HISTORY_MAX;
	h->n++;
	for (size_t age = 1; age < h->n; age++) {
		bytes += h->items[nth(h, age)].g->bytes;
		/* The one before stays in any case: its packets are still on their way. */
		if (bytes > HISTORY_BYTES_MAX && age > 1) {
			while (h->n > age)
				forget_oldest(h);
		}
	}
}

void bh_history_epoch(struct bh_history *h, unsigned epoch)
{
	if (h->n > 0)
		h->items[nth(h, 0)].epoch_last = epoch;
}

/* Epochs wrap around: a first one may be above its last. */
static bool within(unsigned first, unsigned last, unsigned epoch)
{
	return first <= last ? epoch >= first && epoch <= last : epoch >= first || epoch <= last;
}

struct bh_generation *bh_history_find(const struct bh_history *h, unsigned epoch, uint32_t reason)
{
	struct bh_generation *any = NULL;

	for (size_t age = 0; age < h->n; age++) {
		size_t i = nth(h, age);
		struct bh_generation *g = h->items[i].g;

		if (reason != 0 && !bh_ruleset_reason(g->rules->rs, reason))
			continue;
		if (within(h->items[i].epoch_first, h->items[i].epoch_last, epoch))
			return g;
		if (!any)
			any = g;
	}
	return any;
}

struct bh_generation *bh_history_revision(const struct bh_history *h, uint64_t revision)
{
	for (size_t age = 0; age < h->n; age++)
		if (h->items[nth(h, age)].g->revision == revision)
			return h->items[nth(h, age)].g;
	return NULL;
}

struct bh_generation *bh_history_newest(const struct bh_history *h)
{
	return h->n > 0 ? h->items[nth(h, 0)].g : NULL;
}
