// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/difference.c - which connections change their verdict from one policy set to another
 *
 * Every pair of parties is compared; pairs that change in the same words are put together: first all that change
 * towards one party, then those parties towards which the same ones change.
 */
#include "cli/difference.h"

#include "cli/out.h"
#include "common/limits.h"
#include "common/util.h"

#include <string.h>

#include "common/banned.h"

/* Names of one side that are written out; -o json has all. */
#define NAMES_SHOWN 6U

void bh_differences_done(struct bh_differences *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->items[i].from);
		free(d->items[i].to);
	}
	free(d->items);
	(void)bh_changes_free(d->changes);
	(void)bh_reach_free(d->reach_was);
	(void)bh_reach_free(d->reach_is);
	(void)bh_meanings_free(d->meanings);
	bh_parties_done(&d->parties);
	bh_compiled_done(&d->was);
	bh_compiled_done(&d->is);
	*d = (struct bh_differences)BH_DIFFERENCES_INIT;
}

/* ---- what changes ---- */

struct changed {
	uint32_t words, to, from, list;
};

struct found {
	struct changed *items;
	size_t n, cap;
};

static int found_add(struct found *f, const struct changed *c)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 256;
		struct changed *items = reallocarray(f->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		f->items = items;
		f->cap = cap;
	}
	f->items[f->n++] = *c;
	return 0;
}

static int compare_pair(struct bh_differences *d, uint32_t from, uint32_t to, struct found *f,
			struct bh_err *err)
{
	const struct bh_party *a = &d->parties.items[from], *b = &d->parties.items[to];
	struct bh_change_list l;
	struct changed c = { .from = from, .to = to };
	const char *text;
	int r;

	if (!bh_party_can_meet(a, b))
		return 0;
	r = bh_changes_pair(d->changes, a->cls, b->cls, &l, err);
	if (r < 0 || !l.differs)
		return r;
	c.list = l.number;
	r = bh_changes_words(d->changes, l.number, &c.words, &text);
	return r == 0 ? found_add(f, &c) : r;
}

static int changed_cmp(const void *a, const void *b)
{
	const struct changed *x = a, *y = b;

	if (x->words != y->words)
		return x->words < y->words ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (x->from > y->from) - (x->from < y->from);
}

/* ---- putting together ---- */

static int item_add(struct bh_differences *d, size_t *cap, const struct changed *c, size_t n)
{
	struct bh_difference *x;

	if (d->n == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		x = reallocarray(d->items, *cap, sizeof(*x));
		if (!x)
			return -ENOMEM;
		d->items = x;
	}
	x = &d->items[d->n];
	*x = (struct bh_difference){ .list = c->list, .words = c->words };
	x->from = calloc(n, sizeof(*x->from));
	x->to = calloc(1, sizeof(*x->to));
	d->n++;
	if (!x->from || !x->to)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		x->from[x->n_from++] = c[i].from;
	x->to[x->n_to++] = c->to;
	return 0;
}

/* Equal: the same ones change in the same words. */
static int item_same(const struct bh_difference *x, const struct bh_difference *y)
{
	if (x->words != y->words)
		return x->words < y->words ? -1 : 1;
	if (x->n_from != y->n_from)
		return x->n_from < y->n_from ? -1 : 1;
	return memcmp(x->from, y->from, x->n_from * sizeof(*x->from));
}

static int item_cmp(const void *a, const void *b)
{
	const struct bh_difference *x = a, *y = b;
	int c = item_same(x, y);

	return c ? c : (x->to[0] > y->to[0]) - (x->to[0] < y->to[0]);
}

static int place_cmp(const void *a, const void *b)
{
	const struct bh_difference *x = a, *y = b;

	if (x->from[0] != y->from[0])
		return x->from[0] < y->from[0] ? -1 : 1;
	if (x->to[0] != y->to[0])
		return x->to[0] < y->to[0] ? -1 : 1;
	return (x->words > y->words) - (x->words < y->words);
}

/* Neighbours (in the order of item_cmp()) that are the same but for one party towards which they change. */
static int join(struct bh_differences *d)
{
	size_t kept = 0, end;

	for (size_t i = 0; i < d->n; i = end) {
		struct bh_difference x = d->items[i];
		uint32_t *to;

		for (end = i + 1; end < d->n && item_same(&d->items[end], &x) == 0;)
			end++;
		to = reallocarray(x.to, end - i, sizeof(*to));
		if (!to)
			return -ENOMEM;
		d->items[i].to = to;
		x.to = to;
		for (size_t k = i + 1; k < end; k++) {
			x.to[x.n_to++] = d->items[k].to[0];
			free(d->items[k].from);
			free(d->items[k].to);
			d->items[k].from = NULL;
			d->items[k].to = NULL;
		}
		d->items[i] = (struct bh_difference){ .n_to = 0 };
		d->items[kept++] = x;
	}
	d->n = kept;
	return 0;
}

static int put_together(struct bh_differences *d, struct found *f)
{
	size_t cap = 0, end;
	int r = 0;

	d->n_pairs = f->n;
	if (f->n == 0)
		return 0;
	qsort(f->items, f->n, sizeof(*f->items), changed_cmp);
	for (size_t i = 0; i < f->n && r == 0; i = end) {
		const struct changed *c = &f->items[i];

		for (end = i + 1;
		     end < f->n && f->items[end].words == c->words && f->items[end].to == c->to;)
			end++;
		r = item_add(d, &cap, c, end - i);
	}
	if (r == 0)
		qsort(d->items, d->n, sizeof(*d->items), item_cmp);
	if (r == 0)
		r = join(d);
	if (r == 0)
		qsort(d->items, d->n, sizeof(*d->items), place_cmp);
	return r;
}

/* ---- all ---- */

static int parts_make(struct bh_differences *d, const struct bh_world *is, struct bh_err *err)
{
	const struct bh_party_input in = {
		.compiled = { &d->was, &d->is },
		.n_compiled = 2,
		.eps = is->eps,
		.n_eps = is->n_eps,
		.nodes = is->set->nodes,
		.n_nodes = is->set->n_nodes,
	};
	unsigned sources[2];
	int r = bh_meanings_new(&d->meanings);

	if (r == 0)
		r = bh_meanings_add(d->meanings, d->was.rules, &sources[0], err);
	if (r == 0)
		r = bh_meanings_add(d->meanings, d->is.rules, &sources[1], err);
	if (r == 0)
		r = bh_reach_new(d->was.rules, d->meanings, sources[0], &d->reach_was);
	if (r == 0)
		r = bh_reach_new(d->is.rules, d->meanings, sources[1], &d->reach_is);
	if (r == 0)
		r = bh_changes_new(d->reach_was, d->reach_is, &d->changes);
	return r == 0 ? bh_parties_make(&in, &d->parties, err) : r;
}

static int compare_all(struct bh_differences *d, struct bh_err *err)
{
	struct found f = { .n = 0 };
	const size_t n = d->parties.n;
	int r = 0;

	if (n > 0 && n > BH_REACH_PAIRS_MAX / n)
		return bh_err_set(err, -E2BIG,
				  "%zu parties that the policies tell apart are too many pairs "
				  "(more than %u)",
				  n, BH_REACH_PAIRS_MAX);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		for (uint32_t k = 0; k < n && r == 0; k++)
			r = compare_pair(d, i, k, &f, err);
	}
	if (r == 0)
		r = put_together(d, &f);
	free(f.items);
	return r;
}

int bh_differences_make(struct bh_differences *d, const struct bh_world *was,
			const struct bh_world *is)
{
	struct bh_err err = { .code = 0 };
	int r, code = bh_world_compile(was, &d->was);

	if (code == BH_EXIT_OK)
		code = bh_world_compile(is, &d->is);
	if (code != BH_EXIT_OK)
		return code;
	d->eps = is->eps;
	r = parts_make(d, is, &err);
	if (r == 0)
		r = compare_all(d, &err);
	if (r == 0)
		return BH_EXIT_OK;
	bh_out_complain("diff: %s", bh_err_text(&err, r));
	return BH_EXIT_FAILED;
}

/* ---- shown ---- */

/* Everybody who can connect to (or be reached by) the first of the other side. */
static bool is_everybody(const struct bh_differences *d, size_t n, const struct bh_party *other,
			 bool from)
{
	size_t all = 0;

	for (size_t i = 0; i < d->parties.n; i++) {
		const struct bh_party *p = &d->parties.items[i];

		all += from ? bh_party_can_meet(p, other) : bh_party_can_meet(other, p);
	}
	return n > 1 && n == all;
}

static void put_names(const struct bh_differences *d, const uint32_t *list, size_t n,
		      bool everybody, struct bh_buf *out)
{
	if (everybody) {
		bh_buf_puts(out, "everybody");
		return;
	}
	for (size_t i = 0; i < n && i < NAMES_SHOWN; i++)
		bh_buf_printf(out, "%s%s", i > 0 ? ", " : "", d->parties.items[list[i]].name);
	if (n > NAMES_SHOWN)
		bh_buf_printf(out, " and %zu more", n - NAMES_SHOWN);
}

static void put_who(const struct bh_differences *d, const struct bh_difference *x,
		    struct bh_buf *out)
{
	const struct bh_party *p = d->parties.items;

	put_names(d, x->from, x->n_from,
		  x->n_to == 1 && is_everybody(d, x->n_from, &p[x->to[0]], true), out);
	bh_buf_puts(out, " -> ");
	put_names(d, x->to, x->n_to,
		  x->n_from == 1 && is_everybody(d, x->n_to, &p[x->from[0]], false), out);
}

static enum bh_colour colour_of(struct bh_differences *d, const struct bh_difference *x)
{
	const struct bh_change_list l = bh_changes_list(d->changes, x->list);
	bh_cleanup(bh_change_groups_done) struct bh_change_groups g = { .n = 0 };
	bool more = false, less = false;

	if (bh_change_groups_make(d->changes, &l, &g) < 0)
		return BH_COLOUR_NONE;
	for (size_t i = 0; i < g.n; i++) {
		more |= g.items[i].more > 0;
		less |= g.items[i].more < 0;
	}
	return more == less ? BH_COLOUR_YELLOW : more ? BH_COLOUR_GREEN : BH_COLOUR_RED;
}

void bh_differences_put(struct bh_differences *d, bool colour, struct bh_buf *out)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct bh_difference *x = &d->items[i];
		bh_cleanup(bh_buf_done) struct bh_buf who = BH_BUF_INIT;
		enum bh_colour c = colour ? colour_of(d, x) : BH_COLOUR_NONE;
		const char *text = "", *nl;
		uint32_t number;

		if (bh_changes_words(d->changes, x->list, &number, &text) < 0)
			out->failed = true;
		put_who(d, x, &who);
		if (bh_buf_failed(&who))
			out->failed = true;
		nl = strchr(text, '\n');
		if (nl && nl[1] == '\0') { /* one line says all */
			bh_buf_printf(&who, " %.*s", (int)(nl - text), text);
			bh_put_colour(out, colour, c, bh_buf_str(&who));
			bh_buf_putc(out, '\n');
			continue;
		}
		bh_put_colour(out, colour, c, bh_buf_str(&who));
		bh_buf_putc(out, '\n');
		for (; nl; text = nl + 1, nl = strchr(text, '\n')) {
			bh_autofree char *line = strndup(text, (size_t)(nl - text));

			if (!line)
				out->failed = true;
			bh_buf_puts(out, "  ");
			bh_put_clean(out, line ? line : "");
			bh_buf_putc(out, '\n');
		}
	}
}

static json_t *names_json(const struct bh_differences *d, const uint32_t *list, size_t n)
{
	json_t *v = json_array();

	for (size_t i = 0; v && i < n; i++) {
		if (json_array_append_new(v, json_string(d->parties.items[list[i]].name)) < 0)
			json_decref(bh_take_ptr(&v));
	}
	return v;
}

json_t *bh_differences_json(struct bh_differences *d)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < d->n; i++) {
		const struct bh_difference *x = &d->items[i];
		const struct bh_change_list l = bh_changes_list(d->changes, x->list);
		bh_cleanup(bh_change_groups_done) struct bh_change_groups g = { .n = 0 };
		json_t *one = NULL;

		if (bh_change_groups_make(d->changes, &l, &g) == 0)
			one =
			    json_pack("{s:o, s:o, s:o}", "from", names_json(d, x->from, x->n_from),
				      "to", names_json(d, x->to, x->n_to), "changes",
				      bh_change_groups_json(d->changes, &g));
		if (json_array_append_new(list, one) < 0)
			json_decref(bh_take_ptr(&list));
	}
	return list ? json_pack("{s:o, s:I}", "differences", list, "pairs", (json_int_t)d->n_pairs)
		    : NULL;
}
