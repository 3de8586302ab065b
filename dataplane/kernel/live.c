// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/live.c - what stands in the kernel now, in our words, and what of it should not
 *
 * Elements are compared as lists in order, as transaction.c does it, each family by itself: a table that is gone does not
 * hide what became of the other.
 */
#include "dataplane/kernel/live.h"

#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"
#include "dataplane/kernel/live_internal.h"
#include "dataplane/kernel/projection_key.h"

#include "common/banned.h"

static void item(struct bh_buf *b, json_t *v)
{
	bh_autojson json_t *owned = v;
	bh_autofree char *text = owned ? bh_json_text(owned) : NULL;

	if (!text) {
		b->failed = true;
		return;
	}
	if (b->len > 0 && b->data[b->len - 1] != '[')
		bh_buf_putc(b, ',');
	bh_buf_puts(b, text);
}

/* ---- differences ---- */

static void differs(struct bh_live *l, const char *family, const char *object, const char *what,
		    const char *text)
{
	if (l->n_diffs++ < BH_LIVE_DIFFERENCES_MAX)
		item(&l->diffs, json_pack("{s:s, s:s, s:s, s:s}", "family", family, "object",
					  object, "what", what, "text", text));
}

/* @is, @should: one of them may be NULL. */
static void elem_differs(struct bh_live *l, const struct bh_kelem *is,
			 const struct bh_kelem *should)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	const struct bh_kelem *e = is ? is : should;
	const char *what = is && should ? "changed" : is ? "extra" : "missing";

	if (!e)
		return;
	if (l->n_diffs < BH_LIVE_DIFFERENCES_MAX)
		bh_live_put_sentence(l, e, &b);
	if (l->n_diffs < BH_LIVE_DIFFERENCES_MAX && should && should != e) {
		bh_buf_puts(&b, "; should be: ");
		bh_live_put_sentence(l, should, &b);
	}
	differs(l, bh_live_family_name(bh_live_family_of(e)), bh_kset_name(e->set), what,
		bh_buf_str(&b));
}

static bool same(const struct bh_kelem *a, const struct bh_kelem *b)
{
	return a->data == b->data &&
	       (!bh_kset_is_interval(a->set) || memcmp(a->key_end, b->key_end, a->key_len) == 0);
}

/* Classes stay for a while when their last address is gone, and so do cells about them: no packet finds those. */
static bool is_idle(const struct bh_live *l, const struct bh_kelem *e)
{
	uint32_t peer = bh_key_word(e->key, 2);

	if (e->set == BH_KSET_RESULT)
		return true; /* compared where a cell refers to it */
	if (e->set != BH_KSET_CELL || peer == BH_PEER_ANY_ENDPOINT || !(peer & BH_CLASS_ENDPOINT))
		return false;
	for (unsigned f = 0; f < BH_FAMILIES; f++)
		if (bh_live_has_members(l, f, peer))
			return false;
	return true;
}

static void compare_elems(struct bh_live *l, unsigned f)
{
	const struct bh_projection *is = &l->is[f];
	const struct bh_kelem *s = l->should->elems, *end = s + l->should->n;
	size_t i = 0;

	while (s < end && bh_live_family_of(s) != f)
		s++;
	while (i < is->n || (s < end && bh_live_family_of(s) == f)) {
		int r = i == is->n                              ? 1
			: s == end || bh_live_family_of(s) != f ? -1
								: bh_kelem_cmp(&is->elems[i], s);

		if (r < 0 && l->should == &l->matched && is_idle(l, &is->elems[i]))
			i++;
		else if (r < 0)
			elem_differs(l, &is->elems[i++], NULL);
		else if (r > 0)
			elem_differs(l, NULL, s++);
		else {
			if (!same(&is->elems[i], s))
				elem_differs(l, &is->elems[i], s);
			i++;
			s++;
		}
	}
}

/* @text: "chain 'FAMILY NAME' ..." */
static void chain_differs(void *arg, const char *text)
{
	struct bh_live *l = arg;

	for (unsigned t = 0; t < BH_TABLES; t++) {
		const char *name = bh_nfproto_name(bh_nfproto[t]);
		size_t len = strlen(name);

		/* Of a table that is gone nothing more has to be said. */
		if (strncmp(text, "chain '", 7) == 0 && strncmp(text + 7, name, len) == 0 &&
		    text[7 + len] == ' ' && l->found.exists[t])
			differs(l, name, "chain", "changed", text);
	}
}

/* Tables that only the guard has. */
static void compare_guard_tables(struct bh_live *l)
{
	for (unsigned t = BH_FAMILIES; t < BH_TABLES; t++) {
		const char *name = bh_nfproto_name(bh_nfproto[t]);

		if (!bh_kernel_has(l->k, t))
			continue;
		if (!l->found.exists[t])
			differs(l, name, "table", "missing", "the table is gone");
		else if (l->found.flags[t] & NFT_TABLE_F_DORMANT)
			differs(l, name, "table", "changed",
				"the table was put to sleep (dormant): nothing is enforced");
	}
}

/* Its sets are not told one by one. */
static int compare_guard(struct bh_live *l, struct bh_err *err)
{
	bh_cleanup(bh_projection_done) struct bh_projection all = { .n = 0 }, should = { .n = 0 };
	struct bh_guard_held held = { .n = 0 };
	struct bh_kernel_change change = { .changed = false };
	char text[96];
	struct bh_batch b;
	int r;

	r = bh_read_elements(l->k, &l->found, BH_STATE_FORMAT_NUMBER, false, &all);
	if (r == -ENOENT || r == -ESTALE)
		return 0; /* said already */
	if (r == 0)
		r = bh_guard_take(&all, &held);
	if (r == 0)
		r = bh_guard_held_elems(&l->k->guard, &l->k->caps, &should);
	if (r == 0) {
		bh_batch_init(&b, "");
		bh_kernel_diff(&b, &held.elems, &should, &(struct bh_commenter){ .rs = NULL },
			       &change);
		bh_batch_done(&b);
		(void)snprintf(text, sizeof(text),
			       "%zu elements are missing, %zu have no business there", change.added,
			       change.removed);
		if (change.added + change.removed > 0)
			differs(l, "guard", "guard", "changed", text);
	}
	bh_guard_held_done(&held);
	return r < 0 ? bh_err_set(err, r, "cannot read the guard's sets: %s", strerror(-r)) : 0;
}

static void compare_state(struct bh_live *l, unsigned f)
{
	uint32_t state[BH_STATE_COUNT];

	bh_kernel_state_of(l->k, f, state);
	for (enum bh_state_key i = BH_STATE_INVALID + 1; i < BH_STATE_COUNT; i++) {
		char text[128];

		if (state[i] == l->found.state[f][i])
			continue;
		(void)snprintf(text, sizeof(text), "%s: 0x%x; should be: 0x%x", bh_comment_state(i),
			       l->found.state[f][i], state[i]);
		differs(l, bh_live_family_name(f), "state", "changed", text);
	}
}

static int compare(struct bh_live *l, struct bh_err *err)
{
	int r;

	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		const char *name = bh_live_family_name(f);

		if (!l->found.exists[f]) {
			differs(l, name, "table", "missing", "the table is gone");
			continue;
		}
		if (l->found.flags[f] & NFT_TABLE_F_DORMANT)
			differs(l, name, "table", "changed",
				"the table was put to sleep (dormant): nothing is enforced");
		if (!l->readable[f]) {
			differs(l, name, "map", "changed",
				"a map is gone, or holds what we never put there");
			continue;
		}
		compare_elems(l, f);
		if (l->k->started)
			compare_state(l, f);
	}
	if (!l->k->started || (!l->found.exists[0] && !l->found.exists[1]))
		return 0;
	compare_guard_tables(l);
	r = compare_guard(l, err);
	return r < 0 ? r : bh_read_chains(l->k, chain_differs, l, err);
}

/* ---- reading ---- */

/* The guard's sets are compared by themselves (compare_guard()). */
static int read_family(struct bh_live *l, unsigned f)
{
	struct bh_found only = { .exists = { false } };
	struct bh_guard_held guard = { .n = 0 };
	int r;

	only.exists[f] = true;
	r = bh_read_elements(l->k, &only, l->found.state[f][BH_STATE_FORMAT], true, &l->is[f]);
	if (r == 0)
		r = bh_guard_take(&l->is[f], &guard);
	bh_guard_held_done(&guard);
	return r;
}

static int read_all(struct bh_live *l, struct bh_err *err)
{
	int r = bh_read_tables(l->k, &l->found, err);

	for (unsigned f = 0; r == 0 && f < BH_FAMILIES; f++) {
		if (!l->found.exists[f])
			continue;
		r = bh_read_state(l->k, 1U << f, &l->found);
		if (r == 0)
			r = read_family(l, f);
		l->readable[f] = r == 0;
		if (r == -ENOENT || r == -ESTALE)
			r = 0;
		else if (r == 0)
			r = bh_live_index_members(l, f);
		if (r < 0)
			(void)bh_err_set(err, r, "cannot read the maps of table %s: %s",
					 l->k->table, strerror(-r));
	}
	return r;
}

/* ---- the answer ---- */

static void put_list(const struct bh_live *l, unsigned f, const char *name, enum bh_kset first,
		     enum bh_kset last, struct bh_buf *out)
{
	const struct bh_projection *p = &l->is[f];

	bh_buf_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < p->n; i++)
		if (p->elems[i].set >= first && p->elems[i].set <= last)
			item(out, bh_live_elem_json(l, &p->elems[i]));
	bh_buf_putc(out, ']');
}

static void put_table(const struct bh_live *l, unsigned f, struct bh_buf *out)
{
	bh_buf_printf(out, "{\"family\":\"%s\",\"state\":\"%s\",\"owner\":%s",
		      bh_live_family_name(f),
		      !l->found.exists[f]                       ? "missing"
		      : l->found.flags[f] & NFT_TABLE_F_DORMANT ? "dormant"
		      : !l->readable[f]                         ? "unreadable"
								: "present",
		      l->found.flags[f] & BH_TABLE_OWNER_PERSIST ? "true" : "false");
	put_list(l, f, "endpoints", BH_KSET_PEER, BH_KSET_PEER, out);
	put_list(l, f, "subjects", BH_KSET_SUBJ_IN, BH_KSET_SUBJ_EG, out);
	put_list(l, f, "ranges", BH_KSET_CIDR, BH_KSET_CIDR, out);
	put_list(l, f, "ports", BH_KSET_PORT_TCP, BH_KSET_PORT_ICMP, out);
	put_list(l, f, "cells", BH_KSET_CELL, BH_KSET_CELL, out);
	put_list(l, f, "contracts", BH_KSET_RESULT, BH_KSET_RESULT, out);
	bh_buf_putc(out, '}');
}

static json_t *counters_json(const struct bh_kernel_counters *c)
{
	const struct {
		const char *name;
		uint64_t n;
	} all[] = {
		{ "refused", c->refused },         { "killed", c->killed },
		{ "queued", c->queued },           { "unwatched", c->unwatched },
		{ "quarantined", c->quarantined }, { "spoofed", c->spoofed },
		{ "spoofedMac", c->spoofed_mac },  { "spoofedArp", c->spoofed_arp },
		{ "spoofedNd", c->spoofed_nd },    { "rogueRouter", c->rogue_router },
		{ "rogueDhcp", c->rogue_dhcp },    { "foreignFrame", c->foreign_frame },
	};
	json_t *v = json_object();

	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++)
		(void)json_object_set_new(v, all[i].name, json_integer((json_int_t)all[i].n));
	return v;
}

static int put_head(const struct bh_live *l, struct bh_buf *out, struct bh_err *err)
{
	const uint32_t *s = l->found.state[l->found.exists[0] ? 0 : 1];
	uint64_t revision = (uint64_t)s[BH_STATE_REVISION_HI] << 32 | s[BH_STATE_REVISION_LO];
	struct bh_kernel_counters c = { .refused = 0 };
	int r = bh_kernel_counters(l->k, &c, err);

	if (r < 0)
		return r;
	/* The lists go in behind it. */
	item(out, json_pack("{s:s, s:I, s:i, s:b, s:b, s:b, s:o, s:I}", "table", l->k->table,
			    "revision", (json_int_t)revision, "epoch", (int)s[BH_STATE_EPOCH],
			    "applied", (int)(s[BH_STATE_APPLIED] != 0), "compared",
			    (int)(l->should != NULL), "equal", (int)(l->should && l->n_diffs == 0),
			    "counters", counters_json(&c), "differing", (json_int_t)l->n_diffs));
	return 0;
}

static int put_answer(const struct bh_live *l, struct bh_buf *out, struct bh_err *err)
{
	int r = put_head(l, out, err);

	if (r < 0)
		return r;
	if (!out->failed && out->len > 0)
		out->len--; /* its brace */
	bh_buf_puts(out, ",\"tables\":[");
	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		if (f > 0)
			bh_buf_putc(out, ',');
		put_table(l, f, out);
	}
	bh_buf_printf(out, "],\"differences\":[%s]}", bh_buf_str(&l->diffs));
	return out->failed || l->diffs.failed ? bh_err_set(err, -ENOMEM, "out of memory") : 0;
}

/* What was made elsewhere, with its comments, in the kernel's numbers. */
static int match(struct bh_live *l, const struct bh_commenter *say)
{
	const struct bh_projection *p = l->should;
	struct bh_projection *m = &l->matched;

	m->elems = calloc(p->n + 1, sizeof(*m->elems));
	if (!m->elems)
		return -ENOMEM;
	m->n = p->n;
	m->revision = p->revision;
	for (size_t i = 0; i < p->n; i++) {
		char text[BH_COMMENT_SIZE];

		m->elems[i] = p->elems[i];
		bh_comment_elem(say, &p->elems[i], text, sizeof(text));
		m->elems[i].comment = (uint32_t)m->texts.len + 1;
		bh_buf_add(&m->texts, text, strlen(text) + 1);
	}
	l->should = m;
	return bh_buf_failed(&m->texts) ? -ENOMEM : bh_live_match(m, l->is);
}

/* @made_by: says what @l->should means, which was made elsewhere; NULL: it was not. */
static int look(struct bh_live *l, const struct bh_commenter *made_by, struct bh_buf *json,
		struct bh_err *err)
{
	int r = read_all(l, err);

	if (r == 0 && !l->k->started && !l->found.exists[0] && !l->found.exists[1])
		r = bh_err_set(err, -ENOENT, "there is no table %s: nothing is enforced here",
			       l->k->table);
	if (r == 0 && l->should && made_by && match(l, made_by) < 0)
		r = bh_err_set(err, -ENOMEM, "out of memory");
	if (r == 0 && l->should)
		r = compare(l, err);
	if (r == 0)
		r = put_answer(l, json, err);
	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		bh_projection_done(&l->is[f]);
		free(l->members[f]);
	}
	bh_projection_done(&l->matched);
	bh_buf_done(&l->diffs);
	return r;
}

int bh_kernel_live(struct bh_kernel *k, struct bh_buf *json, struct bh_err *err)
{
	struct bh_live l = { .k = k,
			     .should = &k->now,
			     .say = { .rs = k->rs, .who = k->who, .arg = k->who_arg } };

	if (!k->started)
		return bh_err_set(err, -EINVAL, "the tables were not started");
	return look(&l, NULL, json, err);
}

int bh_live_read(const char *table, const struct bh_projection *should,
		 const struct bh_commenter *say, struct bh_buf *json, struct bh_err *err)
{
	struct bh_kernel k = { .nl = BH_NL_INIT, .monitor = -1, .table = strdup(table) };
	struct bh_live l = { .k = &k, .should = should };
	int r;

	if (!k.table)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = bh_nl_open(&k.nl, err);
	if (r == 0)
		r = look(&l, say, json, err);
	bh_nl_close(&k.nl);
	free(k.table);
	return r;
}
