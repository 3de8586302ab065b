// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/generation.c - one revision: policies, endpoints and the rule set compiled from them
 */
#include "agent/generation.h"

#include <string.h>

#include "common/util.h"

#include "common/banned.h"

/* Old revisions are a convenience of the log: they give way before the agent grows fat. */
#define HISTORY_BYTES_MAX (24U * 1024 * 1024)

struct bh_generation *bh_generation_ref(struct bh_generation *g)
{
	g->refs++;
	return g;
}

struct bh_generation *bh_generation_unref(struct bh_generation *g)
{
	if (!g || --g->refs > 0)
		return NULL;
	bh_compiled_done(&g->compiled);
	for (size_t i = 0; g->local && i < g->n_eps; i++)
		bh_ep_unref(g->local[i]);
	free(g->eps);
	free(g->local);
	free(g->contract_reasons);
	bh_policies_unref(g->policies);
	free(g);
	return NULL;
}

static int list_endpoints(struct bh_generation *g, const struct bh_endpoints *eps, const char *node)
{
	const struct bh_policy_set *set = g->policies->set;
	size_t n = set->n_endpoints + bh_endpoints_count(eps);

	g->eps = calloc(n + 1, sizeof(*g->eps));
	g->local = calloc(n + 1, sizeof(*g->local));
	if (!g->eps || !g->local)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_endpoints; i++) {
		struct bh_endpoint *e = set->endpoints[i];

		/* Wired by somebody else, and said to be here: its policies are enforced here. */
		e->local = bh_streq(e->node, node);
		g->eps[g->n_eps++] = e;
	}
	for (struct bh_ep *ep = bh_endpoints_first(eps); ep; ep = bh_endpoints_next(ep)) {
		/* Who has yet to be named stays in quarantine and is nobody's peer. */
		if (!ep->labels_final)
			continue;
		g->local[g->n_eps] = bh_ep_ref(ep);
		g->eps[g->n_eps++] = ep->e;
	}
	return 0;
}

int bh_generation_new(struct bh_compiler *c, struct bh_policies *policies,
		      const struct bh_endpoints *eps, const char *node, uint64_t revision,
		      struct bh_generation **ret, struct bh_err *err)
{
	bh_cleanup(bh_generation_unrefp) struct bh_generation *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return bh_err_set(err, -ENOMEM, "out of memory");
	g->refs = 1;
	g->revision = revision;
	g->policies = bh_policies_ref(policies);
	r = list_endpoints(g, eps, node);
	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	r = bh_compile(c, policies->set, g->eps, g->n_eps, revision, &g->compiled, err);
	if (r < 0)
		return bh_err_wrap(err, r, "the policies cannot be compiled");
	(void)bh_ruleset_data(g->compiled.rules, &g->bytes);
	g->bytes += g->compiled.n_addrs * sizeof(*g->compiled.addrs) +
		    g->n_eps * (sizeof(*g->eps) + sizeof(*g->local));
	*ret = bh_take_ptr(&g);
	return 0;
}

const struct bh_addr_class *bh_generation_addr(const struct bh_generation *g,
					       const struct bh_addr *a)
{
	size_t lo = 0, hi = g->compiled.n_addrs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = bh_addr_cmp(&g->compiled.addrs[mid].addr, a);

		if (c == 0)
			return &g->compiled.addrs[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int list_contract_reasons(struct bh_generation *g)
{
	size_t n_contracts, n = 0;
	const struct bh_contract *c = bh_ruleset_contracts(g->compiled.rules, &n_contracts);
	uint32_t *list;

	for (size_t i = 0; i < n_contracts; i++)
		n += c[i].n + 3;
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < n_contracts; i++) {
		const struct bh_contract_entry *e = bh_ruleset_entries(g->compiled.rules, &c[i]);

		for (uint32_t k = 0; e && k < c[i].n; k++)
			list[n++] = bh_word_number(e[k].word);
		list[n++] = bh_word_number(c[i].other);
		list[n++] = bh_word_number(c[i].unknown);
		list[n++] = bh_word_number(c[i].undecided);
	}
	qsort(list, n, sizeof(*list), by_number);
	g->contract_reasons = list;
	g->n_contract_reasons = n;
	return 0;
}

bool bh_generation_by_contract(struct bh_generation *g, uint32_t reason)
{
	if (!g->contract_reasons && list_contract_reasons(g) < 0)
		return false;
	return bsearch(&reason, g->contract_reasons, g->n_contract_reasons, sizeof(reason),
		       by_number) != NULL;
}

/* ---- the last revisions ---- */

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

		if (reason != 0 && !bh_ruleset_reason(g->compiled.rules, reason))
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
