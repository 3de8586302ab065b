// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/reconcile.c - from what is wanted to what is enforced
 *
 * DOC: The address table
 *
 * Workers and agent share one table. New addresses are put into it before the rule set is published,
 * addresses that go are taken out after the kernel has forgotten them. An address whose class changes has
 * two meanings for a moment, so then the workers get a new table together with their rule set; likewise
 * when the old one is three quarters full, and when the contents of the old one are uncertain because a
 * pass failed halfway. Where only addresses come and go there is nothing to publish: what is put into the table, they
 * know. A worker whose rule set does not know a class finds no contract for it and
 * answers with the protocol it sees; the kernel decides.
 *
 * DOC: Addresses that come again
 *
 * Conntrack may know connections of an address from the time before its endpoint: of a container that had it, or of
 * somebody who tried it while nobody did. What was allowed then must not go on unasked. To find and delete such entries
 * costs a walk through the whole table, 3.4 ms at 262,144 buckets however few entries it has; a new epoch costs a tenth
 * of that, and has every connection decided again by the policies of who has the address now. So an endpoint that is
 * new here brings a new epoch, before it leaves the quarantine. Where connections that were allowed live on
 * (existingConnections: keep), an epoch ends none of them, and the walk is made.
 *
 * DOC: Time
 *
 * What holds is what holds at the moment of a pass, by the clock as it is set then. The compiler says when that changes
 * next, and a pass is made then; one is also made when somebody sets the clock, whichever way. A pass too many finds
 * nothing to do in the kernel.
 */
#include "agent/reconcile.h"

#include <stdio.h>
#include <string.h>

#include "agent/builder.h"
#include "agent/guard.h"
#include "agent/wallclock.h"
#include "common/log.h"
#include "common/util.h"
#include "dataplane/addrtable.h"

#include "common/banned.h"

#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS  30000
#define TABLE_MIN      1024U

struct bh_reconcile {
	struct bh_reconcile_config cfg;
	struct bh_builder *builder;
	struct bh_source *timer;
	struct bh_wallclock *clock;
	uint64_t wanted, enforced;
	struct bh_err err;
	bh_msec_t retry_ms; /* 0: the last pass went well */

	struct bh_addrtable *table;      /* as the workers have it; NULL: none yet */
	bool table_uncertain;            /* its contents may differ from the enforced revision's */
	struct bh_generation *built;     /* what is wanted; NULL: it could not be compiled */
	struct bh_generation *published; /* the workers' */
	struct bh_generation
	    *telling;              /* whose names the kernel asks for, while it is told; borrowed */
	struct bh_history history; /* the newest is enforced */
	bool bump_due;             /* the kernel has the rules, but not the epoch */
	bool renew_due;            /* time or surroundings: the rules are not what they were */
	bool all_due;              /* who came and went is not known */
	bool running;
	/* With cfg.keep: of endpoints that are new here; what conntrack knows of them is to go. */
	struct bh_addr *fresh;
	size_t n_fresh;
	bool doubt_due; /* who is new is not known, or others had a hand in the tables */
};

/* ---- the address table ---- */

struct diff {
	size_t added, removed, changed;
};

struct addrs {
	const struct bh_addr_class *v;
	size_t n;
};

static struct addrs addrs_of(const struct bh_generation *g)
{
	return g ? (struct addrs){ g->addrs, g->n_addrs } : (struct addrs){ NULL, 0 };
}

/* Walks both lists, which are sorted. @added, @removed may be NULL. */
static int walk(struct addrs old, struct addrs new, struct diff *d,
		int (*added)(struct bh_addrtable *t, const struct bh_addr_class *a),
		int (*removed)(struct bh_addrtable *t, const struct bh_addr_class *a),
		struct bh_addrtable *t)
{
	size_t i = 0, k = 0;
	int r = 0;

	while (r == 0 && (i < old.n || k < new.n)) {
		int c = i == old.n   ? 1
			: k == new.n ? -1
				     : bh_addr_cmp(&old.v[i].addr, &new.v[k].addr);

		if (c == 0) {
			d->changed +=
			    old.v[i].cls != new.v[k].cls || old.v[i].local != new.v[k].local;
			i++;
			k++;
		} else if (c < 0) {
			d->removed++;
			if (removed)
				r = removed(t, &old.v[i]);
			i++;
		} else {
			d->added++;
			if (added)
				r = added(t, &new.v[k]);
			k++;
		}
	}
	return r;
}

static int put_addr(struct bh_addrtable *t, const struct bh_addr_class *a)
{
	return bh_addrtable_set(t, &a->addr, a->cls, a->local);
}

static int take_addr(struct bh_addrtable *t, const struct bh_addr_class *a)
{
	bh_addrtable_remove(t, &a->addr);
	return 0;
}

/* A table of all addresses of the new revision, and of those of the old one that go. */
static int make_table(struct addrs old, struct addrs new, struct bh_addrtable **ret,
		      struct bh_err *err)
{
	bh_cleanup(bh_addrtable_freep) struct bh_addrtable *t = NULL;
	struct diff d = { 0 };
	size_t n = new.n + old.n;
	int r = bh_addrtable_new(BH_MAX(n + n / 2, (size_t)TABLE_MIN), &t, err);

	for (size_t i = 0; r == 0 && i < new.n; i++)
		r = put_addr(t, &new.v[i]);
	if (r == 0)
		r = walk(old, new, &d, NULL, put_addr, t);
	if (r < 0)
		return bh_err_wrap(err, r, "address table");
	*ret = bh_take_ptr(&t);
	return 0;
}

/* @ret: the table to be published: the present one with the new addresses, or a new one (*ret_fresh). */
static int prepare_table(struct bh_reconcile *rc, const struct bh_generation *g,
			 struct bh_addrtable **ret, bool *ret_fresh, struct bh_err *err)
{
	struct addrs old = addrs_of(bh_history_newest(&rc->history)), new = addrs_of(g);
	struct diff d = { 0 };

	*ret_fresh = true;
	(void)walk(old, new, &d, NULL, NULL, NULL);
	if (rc->table && !rc->table_uncertain && d.changed == 0) {
		int r = walk(old, new, &(struct diff){ 0 }, put_addr, NULL, rc->table);

		if (r == 0) {
			*ret = rc->table;
			*ret_fresh = false;
			return 0;
		}
		/* Full, three quarters of it used: a larger one. */
		rc->table_uncertain = true;
		if (r != -ENOSPC)
			return bh_err_set(err, r, "address table: %s", strerrordesc_np(-r));
	}
	return make_table(old, new, ret, err);
}

/* ---- the way ---- */

static int publish(struct bh_reconcile *rc, struct bh_generation *g, struct bh_err *err)
{
	struct bh_addrtable *table = NULL;
	bool fresh;
	int r = prepare_table(rc, g, &table, &fresh, err);

	if (r < 0)
		return r;
	/* From here on the table holds what is in force and what is to be: not the one nor the other. */
	rc->table_uncertain = true;
	if (fresh || !rc->published || rc->published->rules != g->rules)
		r = bh_pool_publish(rc->cfg.pool, g->rules->rs, table, err);
	if (r < 0) {
		if (fresh)
			bh_addrtable_free(table);
		return bh_err_wrap(err, r, "workers");
	}
	if (fresh) {
		bh_addrtable_free(rc->table);
		rc->table = table;
	}
	bh_generation_unref(rc->published);
	rc->published = bh_generation_ref(g);
	return 0;
}

/* ---- comments in the kernel ---- */

static void who(void *arg, const struct bh_addr *a, char *buf, size_t size)
{
	const struct bh_reconcile *rc = arg;
	const struct bh_generation *g = rc->telling ? rc->telling : bh_history_newest(&rc->history);
	const struct bh_endpoint *e = g ? bh_generation_endpoint(g, a) : NULL;

	*buf = '\0';
	if (e)
		(void)snprintf(buf, size, "%s%s%s", e->ns ? e->ns : "", e->ns ? "/" : "", e->name);
}

static bool same_name(const struct bh_endpoint *x, const struct bh_endpoint *y)
{
	return x == y || (bh_streq(x->name, y->name) && (x->ns == y->ns || bh_streq(x->ns, y->ns)));
}

/* An address that changed hands and nothing else is no news for the kernel, but its comment names somebody who is gone. */
static void tell_renamed(struct bh_reconcile *rc, const struct bh_generation *g)
{
	const struct bh_generation *old = bh_history_newest(&rc->history);
	size_t i = 0, k = 0;

	while (old && old->addrs != g->addrs && i < old->n_addrs && k < g->n_addrs) {
		const struct bh_addr_class *x = &old->addrs[i], *y = &g->addrs[k];
		int c = bh_addr_cmp(&x->addr, &y->addr);

		if (c == 0 && x->endpoint < old->roster->n && y->endpoint < g->roster->n &&
		    !same_name(old->roster->v[x->endpoint].e, g->roster->v[y->endpoint].e))
			bh_kernel_renamed(rc->cfg.kernel, &y->addr);
		i += c <= 0;
		k += c >= 0;
	}
}

/*
 * A new epoch does not end what is kept. So of a new endpoint's addresses, which are in the kernel's sets by now,
 * conntrack is made to forget what was there before.
 */
static int forget_fresh(struct bh_reconcile *rc, struct bh_err *err)
{
	int r = 0;

	if (rc->doubt_due && rc->cfg.keep)
		r = bh_kernel_doubt(rc->cfg.kernel, err);
	if (r == 0)
		rc->doubt_due = false;
	while (r == 0 && rc->n_fresh > 0) {
		r = bh_kernel_flush_conntrack(rc->cfg.kernel, &rc->fresh[rc->n_fresh - 1], err);
		if (r == 0)
			rc->n_fresh--;
	}
	return r < 0 ? bh_err_wrap(err, r, "kernel, connections") : 0;
}

static void note_fresh(struct bh_reconcile *rc, const struct bh_ep *ep)
{
	struct bh_addr *list;

	if (!rc->cfg.keep || ep->e->n_addrs == 0)
		return;
	list = reallocarray(rc->fresh, rc->n_fresh + ep->e->n_addrs, sizeof(*list));
	if (!list) {
		rc->doubt_due = true;
		return;
	}
	rc->fresh = list;
	for (size_t i = 0; i < ep->e->n_addrs; i++)
		rc->fresh[rc->n_fresh++] = ep->e->addrs[i];
}

static int apply(struct bh_reconcile *rc, struct bh_generation *g, struct bh_err *err)
{
	bh_autofree struct bh_guard *guard = NULL;
	struct bh_kernel_change change = { 0 };
	size_t n_guard;
	int r = bh_guard_of(g, &guard, &n_guard);

	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	tell_renamed(rc, g);
	rc->telling = g;
	r = bh_kernel_apply(rc->cfg.kernel, g->rules->rs, g->addrs, g->n_addrs, guard, n_guard,
			    &change, err);
	rc->telling = NULL;
	if (r < 0)
		return bh_err_wrap(err, r, "kernel");
	rc->bump_due = rc->bump_due || change.needs_bump;
	r = forget_fresh(rc, err);
	if (r < 0 || !rc->bump_due)
		return r;
	r = bh_kernel_bump(rc->cfg.kernel, err);
	if (r < 0)
		return bh_err_wrap(err, r, "kernel, new epoch");
	rc->bump_due = false;
	return 0;
}

static void set_in_force(struct bh_reconcile *rc, struct bh_generation *g, unsigned epoch_before)
{
	struct diff d = { 0 };

	(void)walk(addrs_of(bh_history_newest(&rc->history)), addrs_of(g), &d, NULL, take_addr,
		   rc->table);
	rc->table_uncertain = false;
	/* A failure that left nothing behind may have counted. */
	rc->enforced = rc->wanted = g->revision;
	if (g != bh_history_newest(&rc->history))
		bh_history_add(&rc->history, g, epoch_before);
	bh_history_epoch(&rc->history, bh_kernel_epoch(rc->cfg.kernel));
}

/* A clock that is set while we look is told to us by the same timer. */
static void wait_for_time(struct bh_reconcile *rc, int64_t now)
{
	int64_t next = bh_builder_next_change(rc->builder);
	int r = bh_wallclock_at(rc->clock, BH_MAX(next, now + 1));

	if (r < 0)
		bh_error("nobody waits for the time at which rules begin or end: %s",
			 strerrordesc_np(-r));
}

/* An address that only comes or goes is no revision of its own. */
static bool is_news(const struct bh_generation *g, const struct bh_generation *before)
{
	return !before || g->rules != before->rules || g->policies != before->policies;
}

/* What is wanted now becomes rc->built. */
static int build(struct bh_reconcile *rc, struct bh_policies *policies,
		 struct bh_ep *const *changed, size_t n, struct bh_err *err)
{
	const struct bh_wanted w = { .policies = policies,
				     .around = rc->cfg.around,
				     .node = rc->cfg.node,
				     .now = bh_wallclock_now(),
				     .renew = rc->renew_due,
				     .eps = rc->cfg.eps,
				     .changed = changed,
				     .n_changed = n,
				     .all = rc->all_due,
				     .revision = rc->wanted + 1 };
	struct bh_generation *g = NULL;
	int r = bh_builder_build(rc->builder, &w, &g, err);

	if (r < 0) {
		rc->built = bh_generation_unref(rc->built);
		return r;
	}
	rc->renew_due = rc->all_due = false;
	wait_for_time(rc, w.now);
	if (g != rc->built)
		g->revision = is_news(g, rc->built) ? ++rc->wanted : rc->built->revision;
	bh_generation_unref(rc->built);
	rc->built = g;
	return 0;
}

/* Builds with who came or went; whoever is new here brings a new epoch. */
static int build_wanted(struct bh_reconcile *rc, struct bh_policies *policies, struct bh_err *err)
{
	struct bh_ep **changed;
	size_t n;
	int r;

	if (!bh_endpoints_take_changes(rc->cfg.eps, &changed, &n))
		rc->all_due = rc->bump_due = rc->doubt_due = true;
	for (size_t i = 0; i < n; i++) {
		if (changed[i]->member && changed[i]->fresh)
			note_fresh(rc, changed[i]);
		rc->bump_due = rc->bump_due || (changed[i]->member && changed[i]->fresh);
		changed[i]->fresh = false;
	}
	r = build(rc, policies, changed, n, err);
	for (size_t i = 0; i < n; i++)
		bh_ep_unref(changed[i]);
	free(changed);
	return r;
}

static int pass(struct bh_reconcile *rc, struct bh_err *err)
{
	struct bh_policies *policies = bh_store_current(rc->cfg.store);
	unsigned epoch = bh_kernel_epoch(rc->cfg.kernel);
	int r;

	if (!policies)
		return bh_err_set(err, -ENODATA,
				  "no policies are known: the policy folder has errors, and "
				  "no earlier set can be used");
	r = build_wanted(rc, policies, err);
	if (r == 0)
		r = publish(rc, rc->built, err);
	if (r == 0)
		r = apply(rc, rc->built, err);
	if (r < 0) {
		rc->table_uncertain = true;
		return r;
	}
	set_in_force(rc, rc->built, epoch);
	return 0;
}

/* What is wanted and not in force has a revision of its own, to be seen by. */
static void note_failure(struct bh_reconcile *rc)
{
	if (rc->wanted != rc->enforced)
		return;
	rc->wanted++;
	if (rc->built && rc->built != bh_history_newest(&rc->history))
		rc->built->revision = rc->wanted;
}

int bh_reconcile_now(struct bh_reconcile *rc, struct bh_err *err)
{
	struct bh_err why = { 0 };
	bh_msec_t start = bh_clock_now();
	int r;

	if (rc->running)
		return bh_err_set(err, -EBUSY, "a change is being made");
	rc->running = true;
	(void)bh_timer_set(rc->timer, -1, 0);
	r = pass(rc, &why);
	rc->running = false;
	if (r == 0) {
		if (rc->retry_ms > 0)
			bh_notice("revision %llu is enforced now",
				  (unsigned long long)rc->enforced);
		else
			bh_debug("revision %llu enforced in %lld ms",
				 (unsigned long long)rc->enforced,
				 (long long)(bh_clock_now() - start));
		rc->retry_ms = 0;
		rc->err = (struct bh_err){ 0 };
	} else {
		note_failure(rc);
		if (strcmp(rc->err.msg, why.msg) != 0)
			bh_error("revision %llu cannot be enforced, what was in force stays: %s",
				 (unsigned long long)rc->wanted, bh_err_text(&why, r));
		rc->err = why;
		rc->err.code = r;
		rc->retry_ms =
		    rc->retry_ms == 0 ? RETRY_FIRST_MS : BH_MIN(rc->retry_ms * 2, RETRY_LAST_MS);
		/* Without policies only a new set helps, and that comes by itself. */
		if (r != -ENODATA)
			(void)bh_timer_set(rc->timer, rc->retry_ms, 0);
		(void)bh_err_set(err, r, "%s", bh_err_text(&why, r));
	}
	rc->cfg.done(rc->cfg.arg, r);
	return r;
}

static int on_timer(struct bh_source *s, void *arg)
{
	(void)!bh_reconcile_now(arg, NULL);
	return 0;
}

static void on_clock(void *arg)
{
	struct bh_reconcile *rc = arg;

	if (rc->cfg.time)
		rc->cfg.time(rc->cfg.arg);
	bh_reconcile_renew(rc);
}

void bh_reconcile_soon(struct bh_reconcile *rc)
{
	(void)bh_timer_set(rc->timer, 0, 0);
}

void bh_reconcile_renew(struct bh_reconcile *rc)
{
	rc->renew_due = true;
	bh_reconcile_soon(rc);
}

void bh_reconcile_distrust(struct bh_reconcile *rc)
{
	rc->bump_due = rc->doubt_due = true;
	bh_reconcile_soon(rc);
}

/* ---- life ---- */

int bh_reconcile_new(const struct bh_reconcile_config *cfg, struct bh_reconcile **ret,
		     struct bh_err *err)
{
	struct bh_reconcile *rc = calloc(1, sizeof(*rc));
	int r;

	if (!rc)
		return bh_err_set(err, -ENOMEM, "out of memory");
	rc->cfg = *cfg;
	rc->wanted = cfg->revision;
	r = bh_builder_new(&rc->builder);
	if (r == 0)
		r = bh_loop_add_timer(cfg->loop, "reconcile", on_timer, rc, &rc->timer);
	if (r < 0)
		(void)bh_err_set(err, r, "%s", strerrordesc_np(-r));
	else
		r = bh_wallclock_new(cfg->loop, on_clock, rc, &rc->clock, err);
	if (r < 0) {
		bh_reconcile_free(rc);
		return r;
	}
	bh_kernel_names(cfg->kernel, who, rc);
	*ret = rc;
	return 0;
}

struct bh_reconcile *bh_reconcile_free(struct bh_reconcile *rc)
{
	if (!rc)
		return NULL;
	bh_kernel_names(rc->cfg.kernel, NULL, NULL);
	bh_source_remove(rc->timer);
	bh_wallclock_free(rc->clock);
	bh_history_done(&rc->history);
	bh_generation_unref(rc->published);
	bh_generation_unref(rc->built);
	bh_addrtable_free(rc->table);
	bh_builder_free(rc->builder);
	free(rc->fresh);
	free(rc);
	return NULL;
}

void bh_reconcile_state_get(const struct bh_reconcile *rc, struct bh_reconcile_state *ret)
{
	ret->wanted = rc->wanted;
	ret->enforced = rc->enforced;
	ret->error = rc->retry_ms > 0 ? bh_err_text(&rc->err, rc->err.code) : NULL;
}

struct bh_generation *bh_reconcile_enforced(const struct bh_reconcile *rc)
{
	return bh_history_newest(&rc->history);
}

const struct bh_history *bh_reconcile_history(const struct bh_reconcile *rc)
{
	return &rc->history;
}
