// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/kernel.c - the rule set in nftables: opening, taking over, looking after
 *
 * DOC: Taking over
 *
 * Tables outlive the agent. On kernels that know it (6.9 and later) they have an owner, so that nobody else can change
 * them, and stay when it goes; the next one owns them again by asking. Elsewhere they are plain, and what others do
 * to them is noticed by the monitor (monitor.c).
 *
 * What is found under our name is kept if its maps have our format: as it is, if the chains are those that this program
 * would make (the hash in the map `state`, their names, hooks, rules); else the table is made anew in one
 * transaction with the elements that were read from it, so that nothing is open for a moment. Only a table whose format
 * nobody can read is replaced by an empty one. A start of what was started before repairs: what must be there is known.
 *
 * DOC: The first epoch
 *
 * Marks of connections outlive tables. New tables begin with an epoch that stands in no mark: one behind which
 * the rest of its block is in none either. Where there is no such epoch, marks of others get the one before, so that none
 * can look decided by accident.
 */
#include "dataplane/kernel/kernel.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#include "common/limits.h"
#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"
#include "dataplane/marks.h"

#include "common/banned.h"

#define EPOCHS (BH_EPOCH_MAX + 1)

static int check_config(const struct bh_kernel_config *cfg, struct bh_err *err)
{
	if (!cfg->table || !*cfg->table || strlen(cfg->table) > NFT_NAME_MAXLEN / 4)
		return bh_err_set(err, -EINVAL,
				  "the name of the table must have 1 to %d characters",
				  NFT_NAME_MAXLEN / 4);
	if (cfg->n_queues == 0 || cfg->n_queues > BH_WORKERS_MAX ||
	    cfg->queue_base > UINT16_MAX - BH_QUEUE_OPEN - cfg->n_queues + 1)
		return bh_err_set(
		    err, -EINVAL,
		    "%u pairs of queues from number %u on: there must be one at least and "
		    "%u at most, and no number above 65535",
		    cfg->n_queues, cfg->queue_base, BH_WORKERS_MAX);
	if (cfg->mark_down > 16)
		return bh_err_set(err, -EINVAL,
				  "16 bits of a mark cannot be %u bits below its upper half",
				  cfg->mark_down);
	if (cfg->group_quarantine == 0 || cfg->group_managed == 0 ||
	    cfg->group_quarantine == cfg->group_managed)
		return bh_err_set(err, -EINVAL,
				  "link groups %u and %u: they must differ, and 0 is every link's",
				  cfg->group_quarantine, cfg->group_managed);
	return 0;
}

static int init(struct bh_kernel *k, const struct bh_kernel_config *cfg, struct bh_err *err)
{
	int r;

	k->nl.fd = k->monitor = -1;
	k->cfg = *cfg;
	k->cfg.table = k->table = strdup(cfg->table);
	if (!k->table)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = bh_nl_open(&k->nl, err);
	if (r == 0)
		bh_ahead_begin(k);
	return r;
}

int bh_kernel_open(const struct bh_kernel_config *cfg, struct bh_kernel **ret, struct bh_err *err)
{
	struct bh_kernel *k;
	int r;

	r = check_config(cfg, err);
	if (r < 0)
		return r;
	k = calloc(1, sizeof(*k));
	if (!k)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = init(k, cfg, err);
	if (r < 0) {
		bh_kernel_close(k);
		return r;
	}
	*ret = k;
	return 0;
}

struct bh_kernel *bh_kernel_close(struct bh_kernel *k)
{
	if (!k)
		return NULL;
	bh_ahead_end(k);
	bh_closep(&k->monitor);
	bh_nl_close(&k->nl);
	bh_projection_done(&k->now);
	bh_ruleset_free(k->rs);
	bh_buf_done(&k->renamed);
	bh_guard_held_done(&k->guard);
	free(k->table);
	free(k);
	return NULL;
}

const struct bh_kernel_caps *bh_kernel_caps_get(const struct bh_kernel *k)
{
	return &k->caps;
}

unsigned bh_kernel_epoch(const struct bh_kernel *k)
{
	return k->epoch;
}

/* ---- start ---- */

/* All tables anew, with the elements and levels of k->now and k->epoch. @change: counts them; may be NULL. */
static int build(struct bh_kernel *k, const struct bh_found *found, unsigned grace_sec,
		 struct bh_kernel_change *change, struct bh_err *err)
{
	const struct bh_commenter say = bh_kernel_commenter(k, k->rs);
	bh_cleanup(bh_projection_done) struct bh_projection guard = { .n = 0 };
	const struct bh_projection none = { .n = 0 };
	struct bh_kernel_change ignored = { .changed = false };
	uint32_t state[BH_STATE_COUNT];
	struct bh_batch b;
	int r = bh_guard_held_elems(&k->guard, &k->caps, &guard);

	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	k->late = k->late || bh_projection_is_open(&k->now);
	bh_batch_init(&b, k->table);
	for (unsigned f = 0; f < BH_TABLES; f++) {
		struct bh_chains c = bh_kernel_chains(k, &b, f);

		if (found->exists[f])
			bh_batch_del_table(&b, bh_nfproto[f]);
		if (!bh_kernel_has(k, f))
			continue;
		bh_batch_table(&b, bh_nfproto[f],
			       k->caps.owner_persist ? BH_TABLE_OWNER_PERSIST : 0);
		bh_sets_make(&b, bh_nfproto[f]);
		bh_chains_make(&c);
		if (f >= BH_FAMILIES)
			continue;
		bh_kernel_state_of(k, f, state);
		bh_kernel_state(&b, f, NULL, state);
		if (grace_sec > 0)
			bh_sets_grace(&b, bh_nfproto[f], grace_sec);
	}
	bh_kernel_diff(&b, &none, &k->now, &say, change ? change : &ignored);
	bh_kernel_diff(&b, &none, &guard, &say, change ? change : &ignored);
	bh_monitor_listen(k->monitor, !k->caps.owner_persist);
	r = bh_batch_commit(&b, &k->nl, err);
	bh_batch_done(&b);
	if (r < 0)
		bh_monitor_listen(k->monitor, true);
	if (r == -EPERM)
		return bh_err_wrap(err, r, "table %s belongs to another program", k->table);
	if (r < 0) {
		bh_caps_explain(&k->nl, k->table, r, err);
		return r;
	}
	/* A kernel that gives rules back in other words than those we know is not to be repaired for ever. */
	k->blind = false;
	k->blind = bh_read_chains_check(k, NULL) == -ESTALE;
	return 0;
}

/*
 * With an epoch that stands in no mark: whatever is in the place of ours now means nothing. If all are in use, those of
 * the one that is taken must be decided again by a bump: change->needs_bump.
 */
static int build_unmarked(struct bh_kernel *k, const struct bh_found *found, unsigned grace_sec,
			  struct bh_kernel_change *change, struct bh_err *err)
{
	uint64_t used;
	int r;

	r = bh_ahead_epoch(k);
	if (r == 0)
		return build(k, found, grace_sec, change, err);
	if (r != -ENOENT)
		return bh_err_set(err, r, "cannot list the connections: %s", strerror(-r));
	r = bh_ct_epochs(&k->nl, k->cfg.mark_down, &used);
	if (r < 0)
		return bh_err_set(err, r, "cannot list the connections: %s", strerror(-r));
	k->epoch = 0;
	while (k->epoch < BH_EPOCH_MAX && (used >> k->epoch & 1))
		k->epoch++;
	change->needs_bump |= used >> k->epoch & 1;
	r = build(k, found, grace_sec, change, err);
	if (r < 0)
		return r;
	if (used == 0)
		return 0;
	r = bh_ct_retire(&k->nl, k->cfg.mark_down, k->epoch + 1, EPOCHS - 1,
			 (k->epoch + EPOCHS - 1) % EPOCHS);
	return r < 0 ? bh_err_set(err, r, "cannot clean the marks of old connections: %s",
				  strerror(-r))
		     : 0;
}

int bh_kernel_build(struct bh_kernel *k, struct bh_kernel_change *change, struct bh_err *err)
{
	struct bh_found found;
	int r = bh_read_tables(k, &found, err);

	if (r == 0)
		r = build_unmarked(k, &found, k->cfg.grace_sec, change, err);
	if (r < 0)
		return r;
	change->changed = true;
	k->started = true;
	return 0;
}

int bh_kernel_make(struct bh_kernel *k, struct bh_err *err)
{
	/* Who applies later brings the bump with it. */
	struct bh_kernel_change change = { .changed = false };

	if (k->started)
		return 0;
	k->untouched = true;
	return bh_kernel_build(k, &change, err);
}

/* Is what was found ours, in a format that we read? */
static bool is_readable(struct bh_kernel *k, struct bh_found *found)
{
	const uint32_t *s4 = found->state[0], *s6 = found->state[1];

	if (!found->exists[0] || !found->exists[1] || bh_read_state(k, BH_FAMILIES_ALL, found) < 0)
		return false;
	/* Both are always written together. */
	return s4[BH_STATE_FORMAT] >= BH_STATE_FORMAT_FIRST &&
	       s4[BH_STATE_FORMAT] <= BH_STATE_FORMAT_NUMBER &&
	       s6[BH_STATE_FORMAT] == s4[BH_STATE_FORMAT] &&
	       s4[BH_STATE_EPOCH] == s6[BH_STATE_EPOCH] && s4[BH_STATE_EPOCH] <= BH_EPOCH_MAX &&
	       s4[BH_STATE_REVISION_LO] == s6[BH_STATE_REVISION_LO] &&
	       s4[BH_STATE_REVISION_HI] == s6[BH_STATE_REVISION_HI] &&
	       s4[BH_STATE_APPLIED] == s6[BH_STATE_APPLIED];
}

static bool has_our_chains(struct bh_kernel *k, const struct bh_found *found)
{
	for (unsigned f = 0; f < BH_TABLES; f++)
		if (found->exists[f] != bh_kernel_has(k, f) ||
		    (found->flags[f] & NFT_TABLE_F_DORMANT))
			return false;
	for (unsigned f = 0; f < BH_FAMILIES; f++)
		if (found->state[f][BH_STATE_FORMAT] != BH_STATE_FORMAT_NUMBER ||
		    found->state[f][BH_STATE_CHAINS_LO] != (uint32_t)k->chains_hash ||
		    found->state[f][BH_STATE_CHAINS_HI] != (uint32_t)(k->chains_hash >> 32))
			return false;
	return bh_read_chains_check(k, NULL) == 0;
}

/* Ours from now on, where the kernel knows owners and the table was made with one. */
static int own(struct bh_kernel *k, const struct bh_found *found, struct bh_err *err)
{
	bool all = k->caps.owner_persist;
	struct bh_batch b;
	int r;

	bh_batch_init(&b, k->table);
	for (unsigned f = 0; f < BH_TABLES; f++) {
		if (!found->exists[f])
			continue;
		if (k->caps.owner_persist && (found->flags[f] & BH_TABLE_OWNER_PERSIST))
			bh_batch_table(&b, bh_nfproto[f], BH_TABLE_OWNER_PERSIST);
		else
			all = false;
	}
	r = bh_batch_commit(&b, &k->nl, err);
	bh_batch_done(&b);
	if (r == -EPERM)
		return bh_err_wrap(err, r, "table %s belongs to another program", k->table);
	if (r == 0)
		bh_monitor_listen(k->monitor, !all);
	return r;
}

static void take_state(struct bh_kernel *k, const struct bh_found *found)
{
	const uint32_t *s = found->state[0];

	k->epoch = s[BH_STATE_EPOCH];
	k->untouched = s[BH_STATE_APPLIED] == 0;
	k->late = s[BH_STATE_LATE] != 0 || bh_projection_is_open(&k->now);
	k->now.revision = (uint64_t)s[BH_STATE_REVISION_HI] << 32 | s[BH_STATE_REVISION_LO];
}

/* Whether connections are kept is not the last agent's to say. */
static int take_keep(struct bh_kernel *k, const struct bh_found *found, struct bh_err *err)
{
	uint32_t state[BH_STATE_COUNT];
	struct bh_batch b;
	int r;

	bh_batch_init(&b, k->table);
	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		bh_kernel_state_of(k, f, state);
		bh_kernel_state(&b, f, found->state[f], state);
	}
	r = bh_batch_commit(&b, &k->nl, err);
	bh_batch_done(&b);
	return r;
}

int bh_kernel_doubt(struct bh_kernel *k, struct bh_err *err)
{
	int r = k->cfg.keep ? bh_ct_doubt(&k->nl, k->cfg.mark_down) : 0;

	return r < 0 ? bh_err_set(err, r, "cannot mark the connections that were allowed: %s",
				  strerror(-r))
		     : 0;
}

/*
 * Our bits move to another place: what stood in the old one, a refusal for example, is not seen there. So nothing is kept
 * until conntrack knows that it is not to be.
 */
static int build_moved(struct bh_kernel *k, struct bh_found *found, struct bh_err *err)
{
	struct bh_kernel_change change = { .changed = false };
	const bool keep = k->cfg.keep;
	int r;

	k->cfg.keep = false;
	r = build_unmarked(k, found, 0, &change, err);
	for (unsigned f = 0; f < BH_FAMILIES; f++)
		bh_kernel_state_of(k, f, found->state[f]);
	k->cfg.keep = keep;
	if (r == 0)
		r = bh_kernel_doubt(k, err);
	return r < 0 ? r : take_keep(k, found, err);
}

/* What must be there is known: as it was, whatever became of it, in one transaction. */
static int repair(struct bh_kernel *k, struct bh_err *err)
{
	struct bh_found found;
	int r;

	r = bh_kernel_verify(k, NULL);
	if (r != -ESTALE)
		return r < 0
			   ? bh_err_set(err, r, "cannot read table %s: %s", k->table, strerror(-r))
			   : 0;
	r = bh_read_tables(k, &found, err);
	return r < 0 ? r : build(k, &found, 0, NULL, err);
}

int bh_kernel_take_over(struct bh_kernel *k, bool *ret_adopted, struct bh_err *err)
{
	struct bh_found found;
	int r;

	k->tidied = BH_TIDIED_NONE;
	bh_projection_done(&k->now);
	k->rs = bh_ruleset_free(k->rs);
	*ret_adopted = false;
	r = bh_ahead_caps(k, err);
	if (r == 0 && k->monitor < 0)
		r = bh_monitor_open(k->nl.portid, &k->monitor, err);
	if (r == 0)
		r = bh_read_tables(k, &found, err);
	if (r < 0)
		return r;
	if (found.exists[0] || found.exists[1] || found.exists[2] || found.exists[3]) {
		r = own(k, &found, err);
		if (r < 0)
			return r;
	}
	k->ready = true;
	if (!is_readable(k, &found) ||
	    bh_read_elements(k, &found, found.state[0][BH_STATE_FORMAT], true, &k->now) < 0 ||
	    bh_guard_take(&k->now, &k->guard) < 0) {
		bh_projection_done(&k->now);
		bh_guard_held_done(&k->guard);
		return 0;
	}
	*ret_adopted = true;
	take_state(k, &found);
	if (found.state[0][BH_STATE_MARK_DOWN] != k->cfg.mark_down)
		r = build_moved(k, &found, err);
	else
		r = has_our_chains(k, &found) ? take_keep(k, &found, err)
					      : build(k, &found, 0, NULL, err);
	k->started = r == 0;
	return r;
}

int bh_kernel_start(struct bh_kernel *k, bool *ret_adopted, struct bh_err *err)
{
	int r;

	if (k->started) {
		k->tidied = BH_TIDIED_NONE;
		*ret_adopted = true;
		return repair(k, err);
	}
	r = bh_kernel_take_over(k, ret_adopted, err);
	return r < 0 ? r : bh_kernel_make(k, err);
}

/* ---- looking after ---- */

/* Adds what differs. */
static void count_diff(const struct bh_projection *is, const struct bh_projection *should,
		       struct bh_kernel_change *ret)
{
	struct bh_batch b;

	bh_batch_init(&b, "");
	bh_kernel_diff(&b, is, should, &(struct bh_commenter){ .rs = NULL }, ret);
	bh_batch_done(&b);
}

int bh_kernel_verify(struct bh_kernel *k, struct bh_err *err)
{
	bh_cleanup(bh_guard_held_done) struct bh_guard_held is_guard = { .n = 0 };
	bh_cleanup(bh_projection_done) struct bh_projection is = { .n = 0 }, guard = { .n = 0 };
	uint32_t state[BH_STATE_COUNT];
	struct bh_kernel_change change = { .changed = false };
	struct bh_found found;
	int r;

	if (!k->started)
		return bh_err_set(err, -EINVAL, "the tables were not started");
	r = bh_read_tables(k, &found, err);
	if (r < 0)
		return r;
	for (unsigned f = 0; f < BH_TABLES; f++) {
		if (bh_kernel_has(k, f) && !found.exists[f])
			return bh_err_set(err, -ESTALE, "table %s %s is gone",
					  bh_nfproto_name(bh_nfproto[f]), k->table);
		if (found.flags[f] & NFT_TABLE_F_DORMANT)
			return bh_err_set(err, -ESTALE, "table %s %s was put to sleep (dormant)",
					  bh_nfproto_name(bh_nfproto[f]), k->table);
	}
	r = bh_read_chains_check(k, err);
	if (r < 0)
		return r;
	r = bh_read_state(k, BH_FAMILIES_ALL, &found);
	if (r == 0)
		r = bh_read_elements(k, &found, BH_STATE_FORMAT_NUMBER, false, &is);
	if (r == 0)
		r = bh_guard_take(&is, &is_guard);
	if (r == 0)
		r = bh_guard_held_elems(&k->guard, &k->caps, &guard);
	if (r == -ENOENT || r == -ESTALE)
		return bh_err_set(err, -ESTALE,
				  "maps of table %s are gone or hold what we never put there",
				  k->table);
	if (r < 0)
		return bh_err_set(err, r, "cannot read the maps of table %s: %s", k->table,
				  strerror(-r));
	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		bh_kernel_state_of(k, f, state);
		if (memcmp(state, found.state[f], sizeof(state)) != 0)
			return bh_err_set(err, -ESTALE, "map state of table %s was changed",
					  k->table);
	}
	count_diff(&is, &k->now, &change);
	count_diff(&is_guard.elems, &guard, &change);
	if (change.added + change.removed > 0)
		return bh_err_set(err, -ESTALE,
				  "maps of table %s were changed: %zu elements are missing or have "
				  "other data, %zu have none of ours",
				  k->table, change.added, change.removed);
	return 0;
}

int bh_kernel_flush_conntrack(struct bh_kernel *k, const struct bh_addr *a, struct bh_err *err)
{
	char text[BH_ADDR_STRLEN];
	int r = bh_ct_delete(&k->nl, a);

	return r < 0 ? bh_err_set(err, r, "cannot forget the connections of %s: %s",
				  bh_addr_format(a, text), strerror(-r))
		     : 0;
}

int bh_kernel_monitor_fd(const struct bh_kernel *k)
{
	return k->monitor;
}

int bh_kernel_monitor_read(struct bh_kernel *k, bool *ret_ours_touched)
{
	return bh_monitor_drain(k->monitor, k->nl.portid, k->table, ret_ours_touched);
}

/* ---- counters ---- */

struct counting {
	const char *table;
	struct bh_kernel_counters *sum;
};

static void counting_begin(void *arg)
{
	struct counting *c = arg;

	*c->sum = (struct bh_kernel_counters){ .refused = 0 };
}

static int counting_one(const struct nlmsghdr *h, void *arg)
{
	struct counting *c = arg;
	const char *name = bh_nl_str(bh_nl_attr(h, NFTA_OBJ_NAME));
	const struct {
		const char *name;
		uint64_t *sum;
	} all[] = {
		{ "refused", &c->sum->refused },
		{ "killed", &c->sum->killed },
		{ "queued", &c->sum->queued },
		{ "spoofed", &c->sum->spoofed },
		{ "unjudged", &c->sum->unjudged },
		{ "midstream", &c->sum->midstream },
		{ "quarantined", &c->sum->quarantined },
		{ "unwatched", &c->sum->unwatched },
		{ "spoofed_mac", &c->sum->spoofed_mac },
		{ "spoofed_arp", &c->sum->spoofed_arp },
		{ "spoofed_nd", &c->sum->spoofed_nd },
		{ "rogue_router", &c->sum->rogue_router },
		{ "rogue_dhcp", &c->sum->rogue_dhcp },
		{ "foreign_frame", &c->sum->foreign_frame },
	};

	if (!bh_streq(bh_nl_str(bh_nl_attr(h, NFTA_OBJ_TABLE)), c->table))
		return 0;
	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++)
		if (bh_streq(name, all[i].name))
			*all[i].sum += bh_nl_u64(
			    bh_nl_nested(bh_nl_attr(h, NFTA_OBJ_DATA), NFTA_COUNTER_PACKETS));
	return 0;
}

int bh_kernel_counters(struct bh_kernel *k, struct bh_kernel_counters *ret, struct bh_err *err)
{
	struct counting c = { .table = k->table, .sum = ret };
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;
	int r;

	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETOBJ;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = NFPROTO_UNSPEC;
	r = bh_nl_dump(&k->nl, h, counting_begin, counting_one, &c);
	return r < 0 ? bh_err_set(err, r, "cannot read the counters of table %s: %s", k->table,
				  strerror(-r))
		     : 0;
}

int bh_kernel_teardown(struct bh_kernel *k, struct bh_err *err)
{
	struct bh_found found;
	struct bh_batch b;
	int r;

	bh_ahead_end(k);
	r = bh_read_tables(k, &found, err);
	if (r < 0)
		return r;
	bh_batch_init(&b, k->table);
	for (unsigned f = 0; f < BH_TABLES; f++)
		if (found.exists[f])
			bh_batch_del_table(&b, bh_nfproto[f]);
	r = bh_batch_commit(&b, &k->nl, err);
	bh_batch_done(&b);
	if (r == 0)
		k->started = false;
	return r;
}
