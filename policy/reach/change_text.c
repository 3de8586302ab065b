// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/reach/change_text.c - what two rule sets differ in, in words and as JSON
 */
#include "common/util.h"
#include "policy/change.h"
#include "policy/reach/change_internal.h"

#include <string.h>

#include "common/banned.h"

/* Ports that "everything but ..." names; with more it is "everything else". */
#define BUT_MAX 6U

static bool alike(const struct bh_change_piece *a, const struct bh_change_piece *b)
{
	return a->was.meaning == b->was.meaning && a->is.meaning == b->is.meaning;
}

static int add_text(struct bh_strlist *l, struct bh_buf *text)
{
	char *s = bh_buf_take(text);
	char **items;

	if (!s)
		return -ENOMEM;
	/* The room is doubled whenever the count is a power of two. */
	if ((l->n & (l->n - 1)) == 0) {
		items = reallocarray(l->items, l->n ? l->n * 2 : 1, sizeof(*items));
		if (!items) {
			free(s);
			return -ENOMEM;
		}
		l->items = items;
	}
	l->items[l->n++] = s;
	return 0;
}

/* ---- words for one piece ---- */

/* "refused", "allowed", "allowed if http", "allowed, all but ssh" */
static void put_verdict(struct bh_meanings *m, uint32_t meaning, bool exact, struct bh_buf *out)
{
	enum bh_extent e = bh_meaning_extent(m, meaning);

	if (e == BH_EXTENT_SOME)
		bh_buf_puts(out, "allowed if ");
	else if (e == BH_EXTENT_MOST)
		bh_buf_puts(out, "allowed, ");
	bh_meaning_put(m, meaning, exact, out);
}

static int verdicts_make(struct bh_meanings *m, const struct bh_change_piece *p,
			 struct bh_change_group *g)
{
	for (unsigned exact = 0; exact < 2; exact++) {
		bh_cleanup(bh_buf_done) struct bh_buf was = BH_BUF_INIT, is = BH_BUF_INIT;

		put_verdict(m, p->was.meaning, exact != 0, &was);
		put_verdict(m, p->is.meaning, exact != 0, &is);
		if (exact == 0 && bh_streq(bh_buf_str(&was), bh_buf_str(&is)))
			continue; /* they differ in what is not in the short form */
		g->was = bh_buf_take(&was);
		g->is = bh_buf_take(&is);
		return g->was && g->is ? 0 : -ENOMEM;
	}
	return -ENOMEM;
}

/* Who made the difference: who decides now, or if that is nobody, who decided before. */
static int why_make(struct bh_changes *c, const struct bh_change_piece *p,
		    struct bh_change_group *g)
{
	struct bh_meanings *m = bh_reach_meanings(c->is);
	bh_cleanup(bh_buf_done) struct bh_buf why = BH_BUF_INIT;
	enum bh_extent was = bh_meaning_extent(m, p->was.meaning);
	enum bh_extent is = bh_meaning_extent(m, p->is.meaning);

	g->more = (is > was) - (is < was);
	g->allowing = g->more > 0 || (g->more == 0 && is != BH_EXTENT_NONE);
	g->why_is = true;
	bh_reach_put_why(bh_reach_rules(c->is), &p->is.words, g->allowing, &why);
	if (why.len == 0) {
		g->why_is = false;
		bh_reach_put_why(bh_reach_rules(c->was), &p->was.words, !g->allowing, &why);
	}
	g->why = why.len > 0 ? bh_buf_take(&why) : strdup("");
	return g->why ? 0 : -ENOMEM;
}

/* ---- ports ---- */

/* "everything", "everything but 22/tcp, icmp" */
static void put_everything(const struct bh_change_list *l, struct bh_buf *out)
{
	const struct bh_change_piece *other = &l->items[l->n - 1];
	bh_cleanup(bh_buf_done) struct bh_buf but = BH_BUF_INIT;
	size_t n = 0;

	for (size_t i = 0, end; i + 1 < l->n && n <= BUT_MAX; i = end) {
		const struct bh_change_piece *p = &l->items[i];

		for (end = i + 1; end + 1 < l->n && l->items[end].l4 == p->l4 &&
				  alike(&l->items[end], other) == alike(p, other);)
			end++;
		if (alike(p, other))
			continue;
		bh_buf_puts(&but, n++ > 0 ? ", " : " but ");
		bh_reach_put_port(&but, p->l4, p->lo, l->items[end - 1].hi);
	}
	bh_buf_puts(out, n > BUT_MAX ? "everything else" : "everything");
	if (n <= BUT_MAX)
		bh_buf_puts(out, bh_buf_str(&but));
	if (bh_buf_failed(&but))
		out->failed = true;
}

struct making {
	struct bh_changes *c;
	const struct bh_change_list *l;
	struct bh_change_groups *out;
	struct bh_intern keys; /* verdicts and why, at the indexes of the groups */
	size_t cap;
};

static int group_add(struct making *m, struct bh_change_group *g)
{
	int r = verdicts_make(bh_reach_meanings(m->c->is), g->piece, g);

	if (r == 0 && m->out->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 8;
		struct bh_change_group *items = reallocarray(m->out->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		m->out->items = items;
		m->cap = cap;
	}
	if (r == 0) {
		m->out->items[m->out->n++] = *g;
		*g = (struct bh_change_group){ .why = NULL };
	}
	return r;
}

/* The group of a piece, a new one if there is none. */
static int group_of(struct making *m, const struct bh_change_piece *p, struct bh_change_group **ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	struct bh_change_group g = { .piece = p };
	uint32_t i = 0;
	int r = why_make(m->c, p, &g);

	if (r == 0) {
		bh_buf_add(&key, &p->was.meaning, sizeof(p->was.meaning));
		bh_buf_add(&key, &p->is.meaning, sizeof(p->is.meaning));
		bh_buf_puts(&key, g.why);
		r = bh_buf_failed(&key) ? -ENOMEM : bh_intern(&m->keys, key.data, key.len, &i);
	}
	if (r == 0 && i == m->out->n)
		r = group_add(m, &g);
	free(g.why);
	free(g.was);
	free(g.is);
	if (r == 0)
		*ret = &m->out->items[i];
	return r;
}

static int add_ports(struct making *m, size_t begin, size_t end)
{
	const struct bh_change_piece *p = &m->l->items[begin];
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	struct bh_change_group *g = NULL;
	int r = group_of(m, p, &g);

	if (r < 0)
		return r;
	if (p->l4 == BH_L4_ANY)
		put_everything(m->l, &text);
	else
		bh_reach_put_port(&text, p->l4, p->lo, m->l->items[end - 1].hi);
	return add_text(&g->ports, &text);
}

static bool same_words(const struct bh_change_piece *a, const struct bh_change_piece *b)
{
	return memcmp(&a->was.words, &b->was.words, sizeof(a->was.words)) == 0 &&
	       memcmp(&a->is.words, &b->is.words, sizeof(a->is.words)) == 0;
}

int bh_change_groups_make(struct bh_changes *c, const struct bh_change_list *l,
			  struct bh_change_groups *ret)
{
	struct making m = { .c = c, .l = l, .out = ret };
	const struct bh_change_piece *other = &l->items[l->n - 1];
	int r = 0;

	*ret = (struct bh_change_groups){ .n = 0 };
	for (size_t i = 0, end; i < l->n && r == 0; i = end) {
		const struct bh_change_piece *p = &l->items[i];

		for (end = i + 1; end < l->n && l->items[end].l4 == p->l4 &&
				  alike(&l->items[end], p) && same_words(&l->items[end], p);)
			end++;
		if (!bh_change_differs(p) || (p != other && alike(p, other)))
			continue;
		r = add_ports(&m, i, end);
	}
	bh_intern_done(&m.keys);
	if (r < 0)
		bh_change_groups_done(ret);
	return r;
}

void bh_change_groups_done(struct bh_change_groups *g)
{
	for (size_t i = 0; i < g->n; i++) {
		bh_strlist_done(&g->items[i].ports);
		free(g->items[i].was);
		free(g->items[i].is);
		free(g->items[i].why);
	}
	free(g->items);
	*g = (struct bh_change_groups){ .n = 0 };
}

void bh_change_groups_put(const struct bh_change_groups *g, struct bh_buf *out)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct bh_change_group *x = &g->items[i];

		for (size_t k = 0; k < x->ports.n; k++)
			bh_buf_printf(out, "%s%s", k > 0 ? ", " : "", x->ports.items[k]);
		bh_buf_printf(out, ": %s -> %s", x->was, x->is);
		if (*x->why)
			bh_buf_printf(out, " (%s%s)", x->why_is ? "" : "no longer ", x->why);
		bh_buf_putc(out, '\n');
	}
}

/* ---- JSON ---- */

static json_t *group_json(struct bh_changes *c, const struct bh_change_group *g)
{
	struct bh_meanings *m = bh_reach_meanings(c->is);
	json_t *ports = json_array(), *by;
	bool bad = !ports;

	for (size_t i = 0; i < g->ports.n; i++)
		bad |= json_array_append_new(ports, json_string(g->ports.items[i])) < 0;
	if (bad) {
		json_decref(ports);
		return NULL;
	}
	by = g->why_is
		 ? bh_reach_why_json(bh_reach_rules(c->is), &g->piece->is.words, g->more >= 0)
		 : bh_reach_why_json(bh_reach_rules(c->was), &g->piece->was.words, g->more < 0);
	return json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:s, s:o}", "ports", ports, "direction",
			 g->more > 0   ? "opened"
			 : g->more < 0 ? "closed"
				       : "changed",
			 "old", g->was, "new", g->is, "was",
			 bh_meaning_json(m, g->piece->was.meaning), "is",
			 bh_meaning_json(m, g->piece->is.meaning), "decided",
			 g->why_is ? "new" : "old", "by", by);
}

json_t *bh_change_groups_json(struct bh_changes *c, const struct bh_change_groups *g)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < g->n; i++) {
		if (json_array_append_new(list, group_json(c, &g->items[i])) < 0)
			json_decref(bh_take_ptr(&list));
	}
	return list;
}

/* ---- words for a list ---- */

int bh_changes_words(struct bh_changes *c, uint32_t list, uint32_t *ret_number,
		     const char **ret_text)
{
	const struct bh_change_list l = bh_changes_list(c, list);
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	bh_cleanup(bh_change_groups_done) struct bh_change_groups g = { .n = 0 };
	uint32_t *words = &c->lists[list].words;
	int r = 0;

	if (*words == UINT32_MAX) {
		r = bh_change_groups_make(c, &l, &g);
		if (r == 0)
			bh_change_groups_put(&g, &text);
		if (r == 0)
			r = bh_buf_failed(&text) ? -ENOMEM
						 : bh_intern(&c->words, text.data, text.len, words);
	}
	if (r < 0)
		return r;
	*ret_number = *words;
	*ret_text = bh_intern_key(&c->words, *words, NULL);
	return 0;
}
