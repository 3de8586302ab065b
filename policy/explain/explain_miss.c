// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/explain/explain_miss.c - near misses: what would have changed the verdict, and what kept it from doing so
 *
 * Of a refusal: rules that allow (or pass on); of what is allowed: rules that refuse. One that stands before what
 * decided does not match, and is told why. One that matches stands behind it, or its policy is not enforced.
 */
#include "policy/explain/explain_internal.h"

#include "common/util.h"
#include "policy/when.h"

#include <string.h>

#include "common/banned.h"

void bh_misses_done(struct bh_misses *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->items[i].why);
	free(m->items);
	*m = (struct bh_misses){ .items = NULL };
}

void bh_put_rule_name(struct bh_buf *b, const struct bh_rule *r, uint32_t index, enum bh_dir dir)
{
	if (r->name)
		bh_buf_printf(b, "rule \"%s\"", r->name);
	else
		bh_buf_printf(b, "%s[%u]", bh_dir_name(dir), index);
}

/* "the policy is in mode monitor until 2031-03-01" */
static void put_mode(struct bh_buf *b, const struct bh_policy *p, enum bh_mode mode, int64_t now)
{
	if (mode == BH_MODE_INVALID) {
		bh_buf_puts(b, "the policy expired ");
		bh_put_moment(b, p->expires);
		return;
	}
	bh_buf_printf(b, "the policy is in mode %s", bh_mode_name(mode));
	if (p->enforce_after > now) {
		bh_buf_puts(b, " until ");
		bh_put_moment(b, p->enforce_after);
	}
	bh_buf_puts(b, " and changes no verdict");
}

/* A rule that matches stands behind what decided, at @rank. */
static void put_order(struct bh_buf *b, const struct bh_look *l, uint64_t rank)
{
	enum bh_tier tier = bh_rank_tier(rank), own = l->policy->tier;

	if (tier != own)
		bh_buf_printf(b, "the %s tier comes before the %s tier", bh_tier_name(tier),
			      bh_tier_name(own));
	else if (own == BH_TIER_APPLICATION)
		bh_buf_puts(b, "what refuses comes before all that allows");
	else
		bh_buf_puts(b, "what decides comes before it");
}

static bool refuses(const struct bh_rule *r)
{
	return r->action == BH_ACTION_DENY || r->action == BH_ACTION_REJECT || bh_rule_is_closed(r);
}

/* What the rule asks for, besides the moment. */
static unsigned parts_written(const struct bh_rule *r)
{
	return (r->n_peers ? BH_PART_PEERS : 0U) |
	       (r->n_ports || r->has_ports ? BH_PART_PORTS : 0U) |
	       (r->has_protocols ? BH_PART_PROTOCOL : 0U) | (r->n_details ? BH_PART_DETAILS : 0U);
}

/*
 * Among what refuses much is about somebody or something else, as it should be. Near is what its moment keeps away, or
 * one thing only while something else that it asks for is met.
 */
static bool refusal_is_near(const struct bh_look *l)
{
	unsigned met = parts_written(l->rule) & ~l->failed;

	return l->failed == BH_PART_MOMENT ||
	       (bh_parts(l->failed) == 1 && l->failed != BH_PART_PROTOCOL && met != 0);
}

/* It was told that this policy would refuse it, and it is not to be enforced at any time that could be told too. */
static bool was_told(const struct bh_asked *q, const struct bh_policy *p,
		     const struct bh_verdict *v)
{
	return p == v->would && p->enforce_after <= q->now;
}

/*
 * Is it worth telling? Behind what decided, nothing that does not match is; and what the baseline allows is allowed
 * without it too.
 */
static bool is_near(const struct bh_asked *q, const struct bh_look *l, const struct bh_verdict *v)
{
	bool passes = l->rule->action == BH_ACTION_PASS && !refuses(l->rule);
	bool refused = v->refused;
	uint64_t rank = v->rank;

	if (refuses(l->rule) == refused || l->truth == BH_OPEN || was_told(q, l->policy, v))
		return false;
	/* To pass on helps only against what the same tier refuses. */
	if (passes && bh_rank_tier(rank) != l->policy->tier)
		return false;
	if (l->truth == BH_TRUE && l->mode == BH_MODE_ENFORCE)
		return l->rank > rank && !(refused && l->policy->tier == BH_TIER_BASELINE);
	if (l->truth == BH_TRUE)
		return true;
	return l->mode == BH_MODE_ENFORCE && l->rank < rank && (refused || refusal_is_near(l));
}

static int miss_add(struct bh_misses *m, const struct bh_miss *one, struct bh_buf *why)
{
	struct bh_miss *items = reallocarray(m->items, m->n + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	m->items = items;
	items[m->n] = *one;
	items[m->n].why = bh_buf_take(why);
	if (!items[m->n].why)
		return -ENOMEM;
	m->n++;
	return 0;
}

static int look_add(const struct bh_asked *q, const struct bh_look *l, uint64_t rank,
		    struct bh_misses *m)
{
	bh_cleanup(bh_buf_done) struct bh_buf why = BH_BUF_INIT;
	const struct bh_miss one = {
		.policy = l->policy,
		.rule = l->rule,
		.index = l->index,
		.matches = l->truth == BH_TRUE,
		.failed = l->failed,
	};
	unsigned failed;

	if (l->truth != BH_TRUE)
		(void)bh_rule_match(q, l->policy, l->rule, &failed, &why);
	else if (l->mode != BH_MODE_ENFORCE)
		put_mode(&why, l->policy, l->mode, q->now);
	else
		put_order(&why, l, rank);
	return miss_add(m, &one, &why);
}

/* No rule of its own decides before its isolation would. */
static bool would_isolate(const struct bh_asked *q, const struct bh_trace *t,
			  const struct bh_policy *p)
{
	if (!p->isolates[q->dir] || bh_host_is_free(q))
		return false;
	for (size_t i = 0; i < t->n_looks; i++) {
		if (t->looks[i].policy == p && t->looks[i].truth != BH_FALSE)
			return false;
	}
	return true;
}

/* Where nothing of the application tier allows it, policies that are not enforced would refuse it. */
static int isolation_add(const struct bh_asked *q, const struct bh_trace *t,
			 const struct bh_verdict *v, struct bh_misses *m)
{
	for (size_t i = 0; i < t->n_policies; i++) {
		const struct bh_miss one = { .policy = t->policies[i], .matches = true };
		enum bh_mode mode = bh_policy_mode_at(one.policy, q->now);
		bh_cleanup(bh_buf_done) struct bh_buf why = BH_BUF_INIT;

		if (mode == BH_MODE_ENFORCE || !would_isolate(q, t, one.policy) ||
		    was_told(q, one.policy, v))
			continue;
		put_mode(&why, one.policy, mode, q->now);
		if (miss_add(m, &one, &why) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The nearest first; else in their order: there are few. */
static void sort(struct bh_misses *m)
{
	for (size_t i = 1; i < m->n; i++) {
		struct bh_miss one = m->items[i];
		size_t k = i;

		for (; k > 0 && bh_distance(m->items[k - 1].failed) > bh_distance(one.failed); k--)
			m->items[k] = m->items[k - 1];
		m->items[k] = one;
	}
}

int bh_misses_find(const struct bh_asked *q, const struct bh_trace *t, const struct bh_verdict *v,
		   struct bh_misses *ret)
{
	struct bh_misses m = { .items = NULL };
	int r = 0;

	for (size_t i = 0; i < t->n_looks && r == 0; i++) {
		if (is_near(q, &t->looks[i], v))
			r = look_add(q, &t->looks[i], v->rank, &m);
	}
	if (r == 0 && !v->refused && v->rank > BH_RANK_ISOLATION)
		r = isolation_add(q, t, v, &m);
	if (r < 0) {
		bh_misses_done(&m);
		return r;
	}
	sort(&m);
	*ret = m;
	return 0;
}

/* ---- for the log ---- */

/* The policies of a kind that can select the subject stand together in a set. */
static void range_of(const struct bh_policy_set *set, enum bh_kind kind, const char *ns,
		     size_t *ret_first, size_t *ret_end)
{
	size_t lo = 0, hi = set->n_policies;

	if (set->unsorted) {
		*ret_first = 0;
		*ret_end = kind == BH_KIND_NETWORK_POLICY ? hi : 0; /* all at once */
		return;
	}
	if (bh_kind_is_cluster(kind))
		ns = "";
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct bh_policy *p = set->policies[mid];

		if (p->kind < kind || (p->kind == kind && strcmp(p->ns, ns) < 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_first = *ret_end = lo;
	while (*ret_end < set->n_policies && set->policies[*ret_end]->kind == kind &&
	       bh_streq(set->policies[*ret_end]->ns, ns))
		(*ret_end)++;
}

/* The nearest rule so far. */
struct nearest {
	const struct bh_policy *policy;
	const struct bh_rule *rule;
	uint32_t index;
	unsigned distance;
};

/* A rule that misses by one part comes near. */
static void look_at(const struct bh_asked *q, const struct bh_policy *p, struct nearest *best)
{
	if (!bh_policy_holds_for(q->set, p, q->subject, q->dir) ||
	    bh_policy_mode_at(p, q->now) != BH_MODE_ENFORCE)
		return;
	for (size_t i = 0; i < p->n_rules[q->dir]; i++) {
		const struct bh_rule *r = &p->rules[q->dir][i];
		unsigned failed;

		if (r->action != BH_ACTION_ALLOW)
			continue;
		(void)bh_rule_match(q, p, r, &failed, NULL);
		if (bh_parts(failed) == 1 && (!best->rule || bh_distance(failed) < best->distance))
			*best = (struct nearest){ p, r, (uint32_t)i, bh_distance(failed) };
	}
}

void bh_explain_nearest(const struct bh_nearest *n, struct bh_buf *out)
{
	static const struct bh_spoken silence = { .proto = 0 };
	const struct bh_asked q = {
		.set = n->set,
		.around = n->around,
		.now = n->now,
		.dir = n->dir,
		.subject = n->subject,
		.peer = n->peer,
		.node = bh_node_of_addr(n->set, n->peer_addr),
		.peer_addr = n->peer_addr,
		.own_node = n->own_node,
		.l4 = n->l4,
		.port = n->port,
		.spoken = n->spoken ? n->spoken : &silence,
	};

	struct nearest best = { .rule = NULL };
	unsigned failed;

	for (enum bh_kind k = BH_KIND_NETWORK_POLICY; bh_kind_is_policy(k); k++) {
		size_t first, end;

		range_of(q.set, k, q.subject->ns, &first, &end);
		for (size_t i = first; i < end; i++)
			look_at(&q, q.set->policies[i], &best);
	}
	if (!best.rule)
		return;
	bh_buf_printf(out, "nearest rule %s%s%s#%u does not match: ", best.policy->ns,
		      *best.policy->ns ? "/" : "", best.policy->name, best.index);
	(void)bh_rule_match(&q, best.policy, best.rule, &failed, out);
}
