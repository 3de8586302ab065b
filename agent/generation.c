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

struct bh_roster *bh_roster_new(void)
{
	struct bh_roster *r = calloc(1, sizeof(*r));

	if (r)
		r->refs = 1;
	return r;
}

struct bh_roster *bh_roster_ref(struct bh_roster *r)
{
	r->refs++;
	return r;
}

struct bh_roster *bh_roster_unref(struct bh_roster *r)
{
	if (!r || --r->refs > 0)
		return NULL;
	for (size_t i = 0; i < r->n; i++) {
		bh_ep_unref(r->v[i].local);
		bh_manifest_unref(r->v[i].owner);
	}
	free(r->v);
	free(r);
	return NULL;
}

struct bh_roster *bh_roster_copy(const struct bh_roster *from, const uint32_t *without, size_t n)
{
	bh_cleanup(bh_roster_unrefp) struct bh_roster *r = bh_roster_new();

	if (!r)
		return NULL;
	r->v = calloc(from->n + 1, sizeof(*r->v));
	if (!r->v)
		return NULL;
	r->cap = from->n + 1;
	memcpy(r->v, from->v, from->n * sizeof(*r->v));
	for (size_t i = 0; i < n; i++)
		r->v[without[i]] = (struct bh_member){ .e = NULL };
	for (; r->n < from->n; r->n++) {
		struct bh_member *m = &r->v[r->n];

		if (m->local)
			(void)bh_ep_ref(m->local);
		if (m->owner)
			(void)bh_manifest_ref(m->owner);
	}
	return bh_take_ptr(&r);
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
	bh_roster_unref(g->roster);
	bh_policies_unref(g->policies);
	free(g);
	return NULL;
}

struct bh_generation *bh_generation_new(struct bh_policies *policies, struct bh_roster *roster,
					struct bh_compiled *c, const struct bh_generation *before)
{
	struct bh_compiled taken = *c;
	struct bh_generation *g = calloc(1, sizeof(*g));
	bool shared = before && before->rules->rs == taken.rules;

	*c = (struct bh_compiled){ .rules = NULL };
	if (g)
		g->rules = shared ? before->rules : calloc(1, sizeof(*g->rules));
	if (!g || !g->rules) {
		free(g);
		bh_compiled_done(&taken);
		return NULL;
	}
	g->refs = 1;
	g->rules->refs++;
	if (shared)
		bh_ruleset_free(taken.rules);
	else
		g->rules->rs = taken.rules;
	g->revision = bh_ruleset_revision(g->rules->rs);
	g->policies = bh_policies_ref(policies);
	g->roster = bh_roster_ref(roster);
	g->addrs = taken.addrs;
	g->n_addrs = taken.n_addrs;
	if (!shared)
		(void)bh_ruleset_data(g->rules->rs, &g->bytes);
	g->bytes += g->n_addrs * sizeof(*g->addrs);
	if (!before || before->roster != roster)
		g->bytes += roster->n * sizeof(*roster->v);
	return g;
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

	return ac && ac->endpoint < g->roster->n ? g->roster->v[ac->endpoint].e : NULL;
}

const struct bh_ep *bh_generation_local(const struct bh_generation *g, const struct bh_addr *a)
{
	const struct bh_addr_class *ac = bh_generation_addr(g, a);

	return ac && ac->endpoint < g->roster->n ? g->roster->v[ac->endpoint].local : NULL;
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
		if (bh_ruleset_revision(h->items[nth(h, age)].g->rules->rs) == revision)
			return h->items[nth(h, age)].g;
	return NULL;
}

struct bh_generation *bh_history_newest(const struct bh_history *h)
{
	return h->n > 0 ? h->items[nth(h, 0)].g : NULL;
}
