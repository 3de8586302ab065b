// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/transaction.c - from what the kernel holds to a rule set, in one transaction
 *
 * Both are sorted lists of elements (projection.h; if only addresses changed, patch.h): one pass finds what goes and what comes. First everything
 * that goes, then everything that comes: an element whose data changes goes and comes. If other levels are in
 * use than before, the chains that look cells up are made anew in the same transaction.
 *
 * DOC: When existing flows must be decided again
 *
 * A flow is decided once in an epoch. What only adds something that nobody could have been decided by needs no new
 * epoch: an address that was not known, as a peer or a subject; cells of a subject class that had none
 * in that direction (its addresses were closed); results of a contract that was not there. Everything else
 * does. So does the first apply to empty tables: until then all was let through. Tables that are made with it begin with
 * an epoch in which nothing was decided (kernel.c).
 */
#include <arpa/inet.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>

#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"
#include "dataplane/kernel/patch.h"
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

/* @say: NULL takes the element out. */
static void put_elem(struct bh_batch *b, const struct bh_commenter *say, const struct bh_kelem *e)
{
	uint8_t family = bh_nfproto[bh_table_of(e->family)], end[sizeof(e->key_end)];
	char comment[BH_COMMENT_SIZE];

	bh_batch_elem(b, say, family, e->set, e->key, e->key_len, 0,
		      say && !bh_kset_is_guard(e->set) ? &e->data : NULL,
		      say ? bh_comment_elem(say, e, comment, sizeof(comment)) : NULL);
	if (bh_kset_is_interval(e->set) && end_of(e, end))
		bh_batch_elem(b, say, family, e->set, end, e->key_len, NFT_SET_ELEM_INTERVAL_END,
			      NULL, NULL);
}

static bool same_data(const struct bh_kelem *a, const struct bh_kelem *b)
{
	return a->data == b->data &&
	       (!bh_kset_is_interval(a->set) || memcmp(a->key_end, b->key_end, a->key_len) == 0);
}

typedef void (*diff_fn)(const struct bh_kelem *gone, const struct bh_kelem *come, void *arg);

/* Comments are not looked at: only a name that is known to be another now is a difference. */
static bool same(const struct bh_kelem *a, const struct bh_kelem *b)
{
	return same_data(a, b) && !(b->flag & BH_KELEM_RENAMED);
}

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
	const struct bh_projection *all; /* that was there: not only what changes */
	const struct bh_commenter *say;
	struct bh_kernel_change *change;
};

/* The first element of @p that is not before @e. */
static struct bh_kelem *find_from(const struct bh_projection *p, const struct bh_kelem *e)
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

	/* The guard looks at every packet and decides about no flow. */
	if (bh_kset_is_guard((gone ? gone : come)->set))
		return false;
	if (gone)
		return !come || !same_data(gone, come);
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

	if (could_matter(d->all, gone, come))
		d->change->needs_bump = true;
	if (!gone)
		return;
	d->change->removed++;
	put_elem(d->b, NULL, gone);
}

static void diff_come(const struct bh_kelem *gone, const struct bh_kelem *come, void *arg)
{
	struct diff *d = arg;

	if (!come)
		return;
	d->change->added++;
	put_elem(d->b, d->say, come);
}

void bh_kernel_diff(struct bh_batch *b, const struct bh_projection *from,
		    const struct bh_projection *to, const struct bh_commenter *say,
		    struct bh_kernel_change *ret)
{
	struct diff d = { .b = b, .all = from, .say = say, .change = ret };

	diff_each(from, to, diff_gone, &d);
	diff_each(from, to, diff_come, &d);
	bh_batch_elems_end(b);
}

static void diff_patch(struct bh_batch *b, const struct bh_projection *all,
		       const struct bh_patch *p, const struct bh_commenter *say,
		       struct bh_kernel_change *ret)
{
	struct diff d = { .b = b, .all = all, .say = say, .change = ret };

	diff_each(&p->gone, &p->come, diff_gone, &d);
	diff_each(&p->gone, &p->come, diff_come, &d);
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
	ret[BH_STATE_KEEP] = k->cfg.keep ? 1 : 0;
	ret[BH_STATE_LATE] = k->late ? 1 : 0;
}

void bh_kernel_state(struct bh_batch *b, unsigned family, const uint32_t *from, const uint32_t *to)
{
	for (uint32_t i = BH_STATE_INVALID + 1; from && i < BH_STATE_COUNT; i++)
		if (from[i] != to[i])
			bh_batch_elem(b, false, bh_nfproto[family], BH_KSET_STATE, &i, sizeof(i), 0,
				      NULL, NULL);
	for (uint32_t i = BH_STATE_INVALID + 1; i < BH_STATE_COUNT; i++)
		if (!from || from[i] != to[i])
			bh_batch_elem(b, true, bh_nfproto[family], BH_KSET_STATE, &i, sizeof(i), 0,
				      &to[i], bh_comment_state(i));
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
		.late = k->late,
		.levels = { family < BH_FAMILIES ? k->now.levels[family][0] : 0,
			    family < BH_FAMILIES ? k->now.levels[family][1] : 0 },
	};
}

static void count_rule(const struct nlmsghdr *h, void *arg)
{
	uint32_t *n = arg;

	if ((h->nlmsg_type & 0xff) == NFT_MSG_NEWRULE)
		(*n)++;
}

struct bh_commenter bh_kernel_commenter(const struct bh_kernel *k, const struct bh_ruleset *rs)
{
	struct bh_commenter say = { .source = &k->now };

	if (k->cfg.comments == BH_COMMENTS_OFF)
		return (struct bh_commenter){ .source = NULL };
	if (rs && k->cfg.comments == BH_COMMENTS_FULL)
		say.rs = rs;
	if (rs)
		say.who = k->who;
	say.arg = k->who_arg;
	return say;
}

void bh_kernel_names(struct bh_kernel *k, bh_who_fn who, void *arg)
{
	k->who = who;
	k->who_arg = arg;
}

void bh_kernel_renamed(struct bh_kernel *k, const struct bh_addr *a)
{
	bh_buf_add(&k->renamed, a, sizeof(*a));
}

/* @who: addresses whose comments are to be written anew. */
static void mark_renamed(const struct bh_buf *who, const struct bh_projection *next, bool mark)
{
	static const enum bh_kset sets[] = { BH_KSET_PEER, BH_KSET_SUBJ_IN, BH_KSET_SUBJ_EG };
	const struct bh_addr *a = (const void *)who->data;

	for (size_t i = 0; i < who->len / sizeof(*a); i++) {
		for (size_t s = 0; s < BH_ARRAY_SIZE(sets); s++) {
			struct bh_kelem key = { .set = (uint8_t)sets[s], .family = a[i].family };
			struct bh_kelem *e;

			key.key_len = (uint8_t)bh_kset_key_len(sets[s], a[i].family);
			memcpy(key.key, a[i].bytes, key.key_len);
			e = find_from(next, &key);
			if (e && bh_kelem_cmp(e, &key) == 0)
				e->flag = (uint8_t)(mark ? e->flag | BH_KELEM_RENAMED
							 : e->flag & ~BH_KELEM_RENAMED);
		}
	}
}

/* Everything that leads from k->now to @next; both stay as they are. */
static void make_change(struct bh_kernel *k, struct bh_batch *b, struct bh_projection *next,
			const struct bh_ruleset *rs, struct bh_kernel_change *change)
{
	const struct bh_commenter say = bh_kernel_commenter(k, rs);
	uint32_t from[BH_FAMILIES][BH_STATE_COUNT], to[BH_STATE_COUNT];
	struct bh_projection now = k->now;
	bool untouched = k->untouched, late = k->late;

	for (unsigned f = 0; f < BH_FAMILIES; f++)
		bh_kernel_state_of(k, f, from[f]);
	/* The chains and the state are made for what is to come. */
	k->now = *next;
	k->untouched = false;
	k->late = late || bh_projection_is_open(next);
	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		struct bh_chains c = bh_kernel_chains(k, b, f);

		if (k->late && !late)
			bh_chains_late(&c);
		if (memcmp(now.levels[f], next->levels[f], sizeof(now.levels[f])) != 0)
			bh_chains_relevel(&c, now.levels[f]);
		bh_kernel_state_of(k, f, to);
		bh_kernel_state(b, f, from[f], to);
	}
	k->now = now;
	k->untouched = untouched;
	k->late = late;
	bh_batch_each(b, count_rule, &change->rules);
	bh_kernel_diff(b, &k->now, next, &say, change);
}

/* What an apply makes of what is held. */
struct step {
	bool patched; /* only addresses changed: @patch; else @whole */
	struct bh_patch patch;
	struct bh_projection whole;
	struct bh_guard_held guard;
	struct bh_projection guard_gone, guard_come;
	struct bh_buf renamed; /* struct bh_addr */
};

static void step_done(struct step *s)
{
	bh_patch_done(&s->patch);
	bh_projection_done(&s->whole);
	bh_guard_held_done(&s->guard);
	bh_projection_done(&s->guard_gone);
	bh_projection_done(&s->guard_come);
	bh_buf_done(&s->renamed);
}

static int step_rules(struct bh_kernel *k, const struct bh_ruleset *rs,
		      const struct bh_addr_class *addrs, size_t n_addrs, struct step *s,
		      struct bh_err *err)
{
	/* Names stand in no element: whose is another now is found in the whole. */
	int r = k->rs == rs && s->renamed.len == 0
		    ? bh_patch_make(&k->now, rs, addrs, n_addrs, &s->patch)
		    : 0;

	s->patched = r == 1;
	if (r >= 0)
		r = s->patched ? bh_patch_reserve(&k->now, &s->patch)
			       : bh_projection_make(rs, addrs, n_addrs, &s->whole);
	if (r == -EPROTO)
		return bh_err_set(
		    err, r,
		    "the rule set of revision %llu contradicts itself: it cannot be enforced",
		    (unsigned long long)bh_ruleset_revision(rs));
	return r < 0 ? bh_err_set(err, r, "out of memory for the maps of a rule set") : 0;
}

static int step_guard(struct bh_kernel *k, const struct bh_guard *guard, size_t n_guard,
		      struct step *s, struct bh_err *err)
{
	int r = bh_guard_hold(guard, n_guard, &s->guard);

	if (r == 0)
		r = bh_guard_diff(&k->guard, &s->guard, &k->caps, &s->guard_gone, &s->guard_come);
	if (r == -EPROTO)
		return bh_err_set(err, r,
				  "a link of the guard has no index, or an address no family");
	return r < 0 ? bh_err_set(err, r, "out of memory for the sets of the guard") : 0;
}

static int step_send(struct bh_kernel *k, const struct bh_ruleset *rs, struct step *s,
		     struct bh_kernel_change *change, struct bh_err *err)
{
	const struct bh_commenter none = { .rs = NULL }, say = bh_kernel_commenter(k, rs);
	struct bh_batch b;
	int r;

	bh_batch_init(&b, k->table);
	if (s->patched) {
		diff_patch(&b, &k->now, &s->patch, &say, change);
	} else {
		mark_renamed(&s->renamed, &s->whole, true);
		make_change(k, &b, &s->whole, rs, change);
		mark_renamed(&s->renamed, &s->whole, false);
	}
	bh_kernel_diff(&b, &s->guard_gone, &s->guard_come, &none, change);
	change->changed = b.buf.len > 0;
	r = bh_batch_commit(&b, &k->nl, err);
	bh_batch_done(&b);
	return r;
}

/* It is in force: from now on it is what is held. */
static void step_keep(struct bh_kernel *k, struct bh_ruleset *rs, struct step *s)
{
	if (s->patched) {
		bh_patch_apply(&k->now, &s->patch);
	} else {
		bh_projection_done(&k->now);
		k->now = s->whole;
		s->whole = (struct bh_projection){ .n = 0 };
		bh_ruleset_free(k->rs);
		k->rs = bh_ruleset_ref(rs);
	}
	bh_guard_held_done(&k->guard);
	k->guard = s->guard;
	s->guard = (struct bh_guard_held){ .n = 0 };
	k->untouched = false;
	k->late = k->late || bh_projection_is_open(&k->now);
}

/* There are no tables: they come with what is to be in them. */
static int step_build(struct bh_kernel *k, struct bh_ruleset *rs, struct step *s,
		      struct bh_kernel_change *change, struct bh_err *err)
{
	int r;

	step_keep(k, rs, s);
	r = bh_kernel_build(k, change, err);
	if (r == 0)
		return 0;
	bh_projection_done(&k->now);
	bh_guard_held_done(&k->guard);
	k->rs = bh_ruleset_free(k->rs);
	k->late = false;
	return r;
}

int bh_kernel_apply(struct bh_kernel *k, struct bh_ruleset *rs, const struct bh_addr_class *addrs,
		    size_t n_addrs, const struct bh_guard *guard, size_t n_guard,
		    struct bh_kernel_change *ret, struct bh_err *err)
{
	struct bh_kernel_change change = { .needs_bump = k->untouched };
	const bool stood = k->started;
	/* Whoever fails is told again. */
	struct step s = { .patched = false, .renamed = k->renamed };
	int r;

	k->renamed = (struct bh_buf)BH_BUF_INIT;
	*ret = (struct bh_kernel_change){ .changed = false };
	r = k->ready ? step_rules(k, rs, addrs, n_addrs, &s, err)
		     : bh_err_set(err, -EINVAL, "what is there was not taken over");
	if (r == 0)
		r = step_guard(k, guard, n_guard, &s, err);
	if (r == 0) {
		r = stood ? step_send(k, rs, &s, &change, err)
			  : step_build(k, rs, &s, &change, err);
		if (r < 0)
			r = bh_err_wrap(err, r, "revision %llu is not in force",
					(unsigned long long)bh_ruleset_revision(rs));
	}
	if (r == 0) {
		if (stood)
			step_keep(k, rs, &s);
		*ret = change;
	}
	step_done(&s);
	return r;
}

/*
 * Flows that nobody has spoken on since an epoch was last in use still carry it. They get the one before this one: as
 * old, and not used again for a long time.
 */
static int clean_block(struct bh_kernel *k, unsigned first, struct bh_err *err)
{
	int r;

	if (k->tidied == first)
		return 0;
	r = bh_ct_retire(&k->nl, k->cfg.mark_down, first, BH_EPOCH_BLOCK,
			 k->epoch == 0 ? BH_EPOCH_MAX : k->epoch - 1);
	if (r < 0)
		return bh_err_set(err, r, "cannot look through the connections for epoch %u: %s",
				  first, strerror(-r));
	k->tidied = first;
	return 0;
}

int bh_kernel_tidy(struct bh_kernel *k, struct bh_err *err)
{
	unsigned next = (k->epoch / BH_EPOCH_BLOCK + 1) * BH_EPOCH_BLOCK;

	if (!k->started || k->epoch % BH_EPOCH_BLOCK < BH_EPOCH_BLOCK / 2)
		return 0;
	return clean_block(k, next > BH_EPOCH_MAX ? 0 : next, err);
}

int bh_kernel_bump(struct bh_kernel *k, struct bh_err *err)
{
	unsigned old = k->epoch, next = old >= BH_EPOCH_MAX ? 0 : old + 1;
	uint32_t from[BH_FAMILIES][BH_STATE_COUNT], to[BH_STATE_COUNT];
	struct bh_batch b;
	int r;

	if (!k->started)
		return bh_err_set(err, -EINVAL, "the tables were not started");
	if (next % BH_EPOCH_BLOCK == 0) {
		r = clean_block(k, next, err);
		if (r < 0)
			return r;
		k->tidied = BH_TIDIED_NONE;
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
