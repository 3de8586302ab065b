// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/transaction.c - from what the kernel holds to a rule set, in one transaction
 *
 * Both are sorted lists of elements (projection.h): one pass finds what goes and what comes. First everything
 * that goes, then everything that comes: an element whose data changes goes and comes. If other levels are in
 * use than before, the chains that look cells up are made anew in the same transaction.
 *
 * DOC: When existing flows must be decided again
 *
 * A flow is decided once in an epoch. What only adds something that nobody could have been decided by needs no new
 * epoch: an address that was not known, as a peer or a subject; cells of a subject class that had none
 * in that direction (its addresses were closed); results of a contract that was not there. Everything else
 * does. So does the first apply to new tables: until then all was let through.
 */
#include <arpa/inet.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>

#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"
#include "dataplane/marks.h"

#include "common/banned.h"

/* ---- elements ---- */

/* The first address behind an interval; false if it ends with the last there is. */
static bool end_of(const struct bh_kelem *e, uint8_t *ret)
{
	memcpy(ret, e->key_end, e->key_len);
	for (unsigned i = e->key_len; i-- > 0;)
		if (++ret[i] != 0)
			return true;
	return false;
}

static void put_elem(struct bh_batch *b, bool add, const struct bh_kelem *e)
{
	uint8_t family = bh_nfproto[e->family == 4 ? 0 : 1], end[sizeof(e->key_end)];

	bh_batch_elem(b, add, family, e->set, e->key, e->key_len, 0, add ? &e->data : NULL);
	if (bh_kset_is_interval(e->set) && end_of(e, end))
		bh_batch_elem(b, add, family, e->set, end, e->key_len, NFT_SET_ELEM_INTERVAL_END,
			      NULL);
}

static bool same(const struct bh_kelem *a, const struct bh_kelem *b)
{
	return a->data == b->data &&
	       (!bh_kset_is_interval(a->set) || memcmp(a->key_end, b->key_end, a->key_len) == 0);
}

typedef void (*diff_fn)(const struct bh_kelem *gone, const struct bh_kelem *come, void *arg);

/* @fn for every key that differs; one of the two may be NULL. */
static void diff_each(const struct bh_projection *from, const struct bh_projection *to, diff_fn fn,
		      void *arg)
{
	size_t i = 0, j = 0;

	while (i < from->n || j < to->n) {
		int r = i == from->n ? 1
			: j == to->n ? -1
				     : bh_kelem_cmp(&from->elems[i], &to->elems[j]);

		if (r < 0) {
			fn(&from->elems[i++], NULL, arg);
		} else if (r > 0) {
			fn(NULL, &to->elems[j++], arg);
		} else {
			if (!same(&from->elems[i], &to->elems[j]))
				fn(&from->elems[i], &to->elems[j], arg);
			i++;
			j++;
		}
	}
}

struct diff {
	struct bh_batch *b;
	const struct bh_projection *from;
	struct bh_kernel_change *change;
};

/* The first element of @p that is not before @e. */
static const struct bh_kelem *find_from(const struct bh_projection *p, const struct bh_kelem *e)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_kelem_cmp(&p->elems[mid], e) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < p->n ? &p->elems[lo] : NULL;
}

/* Is there an element of the same map whose key begins with the same bytes? */
static bool has_prefix(const struct bh_projection *p, const struct bh_kelem *e, size_t len)
{
	struct bh_kelem first = { .set = e->set, .family = e->family, .key_len = e->key_len };
	const struct bh_kelem *f;

	memcpy(first.key, e->key, len);
	f = find_from(p, &first);
	return f && f->set == e->set && f->family == e->family && memcmp(f->key, e->key, len) == 0;
}

static bool could_matter(const struct bh_projection *from, const struct bh_kelem *gone,
			 const struct bh_kelem *come)
{
	struct bh_kelem peer;

	if (gone)
		return true;
	switch (come->set) {
	case BH_KSET_PEER:
		return false;
	case BH_KSET_SUBJ_IN:
	case BH_KSET_SUBJ_EG:
		peer = *come;
		peer.set = BH_KSET_PEER;
		return has_prefix(from, &peer, peer.key_len);
	case BH_KSET_CELL:   /* direction and subject */
	case BH_KSET_RESULT: /* zero and contract */
		return has_prefix(from, come, 2 * sizeof(uint32_t));
	default:
		return true;
	}
}

static void diff_gone(const struct bh_kelem *gone, const struct bh_kelem *come, void *arg)
{
	struct diff *d = arg;

	if (could_matter(d->from, gone, come))
		d->change->needs_bump = true;
	if (!gone)
		return;
	d->change->removed++;
	put_elem(d->b, false, gone);
}

static void diff_come(const struct bh_kelem *gone, const struct bh_kelem *come, void *arg)
{
	struct diff *d = arg;

	if (!come)
		return;
	d->change->added++;
	put_elem(d->b, true, come);
}

void bh_kernel_diff(struct bh_batch *b, const struct bh_projection *from,
		    const struct bh_projection *to, struct bh_kernel_change *ret)
{
	struct diff d = { .b = b, .from = from, .change = ret };

	diff_each(from, to, diff_gone, &d);
	diff_each(from, to, diff_come, &d);
	bh_batch_elems_end(b);
}

/* ---- the map `state` ---- */

void bh_kernel_state_of(const struct bh_kernel *k, unsigned family, uint32_t ret[BH_STATE_COUNT])
{
	memset(ret, 0, BH_STATE_COUNT * sizeof(*ret));
	ret[BH_STATE_FORMAT] = BH_STATE_FORMAT_NUMBER;
	ret[BH_STATE_CHAINS_LO] = (uint32_t)k->chains_hash;
	ret[BH_STATE_CHAINS_HI] = (uint32_t)(k->chains_hash >> 32);
	ret[BH_STATE_EPOCH] = k->epoch;
	ret[BH_STATE_REVISION_LO] = (uint32_t)k->now.revision;
	ret[BH_STATE_REVISION_HI] = (uint32_t)(k->now.revision >> 32);
	ret[BH_STATE_APPLIED] = k->untouched ? 0 : 1;
	ret[BH_STATE_MARK_DOWN] = k->cfg.mark_down;
}

void bh_kernel_state(struct bh_batch *b, unsigned family, const uint32_t *from, const uint32_t *to)
{
	for (uint32_t i = BH_STATE_INVALID + 1; from && i < BH_STATE_COUNT; i++)
		if (from[i] != to[i])
			bh_batch_elem(b, false, bh_nfproto[family], BH_KSET_STATE, &i, sizeof(i), 0,
				      NULL);
	for (uint32_t i = BH_STATE_INVALID + 1; i < BH_STATE_COUNT; i++)
		if (!from || from[i] != to[i])
			bh_batch_elem(b, true, bh_nfproto[family], BH_KSET_STATE, &i, sizeof(i), 0,
				      &to[i]);
	bh_batch_elems_end(b);
}

/* ---- apply, bump ---- */

struct bh_chains bh_kernel_chains(struct bh_kernel *k, struct bh_batch *b, unsigned family)
{
	return (struct bh_chains){
		.b = b,
		.cfg = &k->cfg,
		.caps = &k->caps,
		.family = bh_nfproto[family],
		.epoch = k->epoch,
		.levels = { k->now.levels[family][0], k->now.levels[family][1] },
	};
}

static void count_rule(const struct nlmsghdr *h, void *arg)
{
	uint32_t *n = arg;

	if ((h->nlmsg_type & 0xff) == NFT_MSG_NEWRULE)
		(*n)++;
}

/* Everything that leads from k->now to @next; both stay as they are. */
static void make_change(struct bh_kernel *k, struct bh_batch *b, struct bh_projection *next,
			struct bh_kernel_change *change)
{
	uint32_t from[BH_FAMILIES][BH_STATE_COUNT], to[BH_STATE_COUNT];
	struct bh_projection now = k->now;
	bool untouched = k->untouched;

	for (unsigned f = 0; f < BH_FAMILIES; f++)
		bh_kernel_state_of(k, f, from[f]);
	/* The chains and the state are made for what is to come. */
	k->now = *next;
	k->untouched = false;
	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		struct bh_chains c = bh_kernel_chains(k, b, f);

		if (memcmp(now.levels[f], next->levels[f], sizeof(now.levels[f])) != 0)
			bh_chains_relevel(&c, now.levels[f]);
		bh_kernel_state_of(k, f, to);
		bh_kernel_state(b, f, from[f], to);
	}
	k->now = now;
	k->untouched = untouched;
	bh_batch_each(b, count_rule, &change->rules);
	bh_kernel_diff(b, &k->now, next, change);
}

int bh_kernel_apply(struct bh_kernel *k, const struct bh_ruleset *rs,
		    const struct bh_addr_class *addrs, size_t n_addrs, struct bh_kernel_change *ret,
		    struct bh_err *err)
{
	struct bh_kernel_change change = { .needs_bump = k->untouched };
	struct bh_projection next = { .n = 0 };
	struct bh_batch b;
	int r;

	*ret = (struct bh_kernel_change){ .changed = false };
	if (!k->started)
		return bh_err_set(err, -EINVAL, "the tables were not started");
	r = bh_projection_make(rs, addrs, n_addrs, &next);
	if (r == -EPROTO)
		return bh_err_set(
		    err, r,
		    "the rule set of revision %llu contradicts itself: it cannot be enforced",
		    (unsigned long long)bh_ruleset_revision(rs));
	if (r == -ENOTSUP)
		return bh_err_set(
		    err, r,
		    "the rule set of revision %llu refuses traffic between containers and this "
		    "node, which this version does not judge",
		    (unsigned long long)bh_ruleset_revision(rs));
	if (r < 0)
		return bh_err_set(err, r, "out of memory for the maps of a rule set");

	bh_batch_init(&b, k->table);
	make_change(k, &b, &next, &change);
	change.changed = b.buf.len > 0;
	r = bh_batch_commit(&b, &k->nl, err);
	bh_batch_done(&b);
	if (r < 0) {
		bh_projection_done(&next);
		return bh_err_wrap(err, r, "revision %llu is not in force",
				   (unsigned long long)bh_ruleset_revision(rs));
	}
	bh_projection_done(&k->now);
	k->now = next;
	k->untouched = false;
	*ret = change;
	return 0;
}

int bh_kernel_bump(struct bh_kernel *k, struct bh_err *err)
{
	unsigned old = k->epoch, next = old >= BH_EPOCH_MAX ? 0 : old + 1;
	uint32_t from[BH_FAMILIES][BH_STATE_COUNT], to[BH_STATE_COUNT];
	struct bh_batch b;
	int r;

	if (!k->started)
		return bh_err_set(err, -EINVAL, "the tables were not started");
	/*
	 * Flows that nobody has spoken on since an epoch was last in use still carry it. They get the one before
	 * this one: as old, and not used again for a long time.
	 */
	if (next % BH_EPOCH_BLOCK == 0) {
		r = bh_ct_retire(&k->nl, k->cfg.mark_down, next, BH_EPOCH_BLOCK,
				 old == 0 ? BH_EPOCH_MAX : old - 1);
		if (r < 0)
			return bh_err_set(err, r,
					  "cannot look through the connections for epoch %u: %s",
					  next, strerror(-r));
	}
	for (unsigned f = 0; f < BH_FAMILIES; f++)
		bh_kernel_state_of(k, f, from[f]);
	bh_batch_init(&b, k->table);
	k->epoch = next;
	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		struct bh_chains c = bh_kernel_chains(k, &b, f);

		bh_chains_bump(&c);
		bh_kernel_state_of(k, f, to);
		bh_kernel_state(&b, f, from[f], to);
	}
	r = bh_batch_commit(&b, &k->nl, err);
	bh_batch_done(&b);
	if (r < 0) {
		k->epoch = old;
		return bh_err_wrap(err, r, "flows are not decided again");
	}
	return 0;
}
