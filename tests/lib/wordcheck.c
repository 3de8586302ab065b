/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/wordcheck.c - words against answers
 */
#include "tests/lib/wordcheck.h"

#include <stdio.h>
#include <string.h>

int word_badness(uint32_t word)
{
	if (bh_word_refuses(word))
		return 2;
	return word & BH_WORD_REPORT ? 1 : 0;
}

static uint32_t verdict_of(const struct oracle_answer *a)
{
	switch (a->word) {
	case ORACLE_ALLOW:
	case ORACLE_RECORD:
		return BH_WORD_ALLOW;
	case ORACLE_DROP:
		return BH_WORD_DROP;
	case ORACLE_REJECT:
		return BH_WORD_REJECT;
	default:
		return 0;
	}
}

static bool same_policy(const struct bh_ruleset *rs, const struct bh_rs_policy *p,
			const struct bh_policy *want)
{
	return p->kind == (uint32_t)want->kind && p->tier == (uint32_t)want->tier &&
	       strcmp(bh_ruleset_text(rs, p->name), want->name) == 0 &&
	       strcmp(bh_ruleset_text(rs, p->ns), want->ns) == 0;
}

bool word_says(const struct bh_ruleset *rs, uint32_t word, const struct oracle_answer *a)
{
	const struct bh_reason *r = bh_ruleset_reason(rs, bh_word_number(word));
	const struct bh_rs_policy *p = r ? bh_ruleset_policy(rs, r->policy) : NULL;
	const struct bh_rs_rule *rule = r ? bh_ruleset_rule(rs, r->rule) : NULL;

	if (bh_word_verdict(word) != verdict_of(a) || word_badness(word) != oracle_badness(a))
		return false;
	if (!r || r->kind != (uint32_t)a->kind || !p != !a->policy || !rule != !a->rule)
		return false;
	if (p && !same_policy(rs, p, a->policy))
		return false;
	return !rule || (rule->dir == r->dir && rule->policy == r->policy &&
			 rule->index < a->policy->n_rules[r->dir] &&
			 &a->policy->rules[r->dir][rule->index] == a->rule);
}

/* ---- for people ---- */

void word_put(struct bh_buf *b, const struct bh_ruleset *rs, uint32_t word)
{
	const struct bh_reason *r = NULL;

	bh_buf_printf(b, "%08x", word);
	if (bh_word_verdict(word) != BH_WORD_CONTRACT)
		r = bh_ruleset_reason(rs, bh_word_number(word));
	if (r)
		bh_buf_printf(b, " kind %u: %s", r->kind, bh_ruleset_text(rs, r->text));
}

void spoken_put(struct bh_buf *b, const struct bh_spoken *sp)
{
	bh_buf_puts(b, sp->proto ? bh_proto_name(sp->proto) : "anything");
	for (enum bh_attr a = BH_ATTR_HTTP_METHOD; a < BH_ATTR_COUNT; a++) {
		if (!(sp->known & 1U << a))
			continue;
		bh_buf_printf(b, " %s=", bh_attr_name(a));
		for (size_t i = 0; i < sp->attr[a].n; i++)
			bh_buf_printf(b, "%s%s", i ? "," : "", sp->attr[a].v[i]);
	}
}

const char *oracle_word_name(enum oracle_word w)
{
	static const char *const names[] = {
		"invalid", "free", "allowed", "allowed and recorded", "dropped", "rejected", "open"
	};

	return names[w];
}

/* ---- soundness ---- */

static int cells_cmp(const struct bh_cell *a, const struct bh_cell *b)
{
	const uint32_t x[] = { a->dir, a->subject, a->peer, a->l4, a->port };
	const uint32_t y[] = { b->dir, b->subject, b->peer, b->l4, b->port };

	for (size_t i = 0; i < 5; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

static bool same_row(const struct bh_cell *a, const struct bh_cell *b)
{
	return a->dir == b->dir && a->subject == b->subject && a->peer == b->peer;
}

/* The cells of a row; @ret_n is 0 where there is none. */
static const struct bh_cell *row_of(const struct bh_ruleset *rs, const struct bh_cell *like,
				    uint32_t peer, size_t *ret_n)
{
	struct bh_cell key = *like;
	size_t n, i = 0, k;
	const struct bh_cell *c = bh_ruleset_cells(rs, &n);

	key.peer = peer;
	while (i < n && !same_row(&c[i], &key))
		i++;
	for (k = i; k < n && same_row(&c[k], &key); k++)
		;
	*ret_n = k - i;
	return c + i;
}

/* No row and no port of a protocol that says what the look-up would find without it. */
static bool row_is_needed(const struct bh_ruleset *rs, const struct bh_cell *row, size_t n)
{
	const struct bh_cell *other;
	size_t n_other;

	for (size_t k = 1; k < n; k++) {
		if (row[k].port == BH_PORT_ANY && row[k].word == row[0].word)
			return false;
	}
	if (row->peer == BH_PEER_ANY || row->peer == BH_PEER_ANY_ENDPOINT)
		return true;
	other = row_of(rs, row, BH_PEER_ANY_ENDPOINT, &n_other);
	if (!(row->peer & BH_CLASS_ENDPOINT) || n_other == 0)
		other = row_of(rs, row, BH_PEER_ANY, &n_other);
	if (n != n_other)
		return true;
	for (size_t k = 0; k < n; k++) {
		if (row[k].l4 != other[k].l4 || row[k].port != other[k].port ||
		    row[k].word != other[k].word)
			return true;
	}
	return false;
}

static bool cells_are_sound(const struct bh_ruleset *rs, char *wrong, size_t size)
{
	size_t n, n_row, n_any;
	const struct bh_cell *c = bh_ruleset_cells(rs, &n);

	for (size_t i = 1; i < n; i++) {
		if (cells_cmp(&c[i - 1], &c[i]) >= 0) {
			snprintf(wrong, size, "cell %zu is not sorted", i);
			return false;
		}
	}
	for (size_t i = 0; i < n; i += n_row) {
		(void)row_of(rs, &c[i], c[i].peer, &n_row);
		(void)row_of(rs, &c[i], BH_PEER_ANY, &n_any);
		if (c[i].l4 != BH_L4_ANY || c[i].port != BH_PORT_ANY || n_any == 0) {
			snprintf(wrong, size, "row of subject %08x, peer %08x is not complete",
				 c[i].subject, c[i].peer);
			return false;
		}
		if (!row_is_needed(rs, &c[i], n_row)) {
			snprintf(wrong, size, "row of subject %08x, peer %08x says nothing new",
				 c[i].subject, c[i].peer);
			return false;
		}
	}
	return true;
}

/* The worst leaf; -1: a node that does not come before the one that leads to it. */
static int worst_leaf(const struct bh_ruleset *rs, uint32_t next, uint32_t before, uint32_t word,
		      bool *seen)
{
	const struct bh_rs_node *node = bh_ruleset_node(rs, next);
	int yes, no;

	if (!node) {
		*seen |= next == word;
		return bh_word_verdict(next) == BH_WORD_CONTRACT ? -1 : word_badness(next);
	}
	if (bh_word_number(next) >= before || !bh_ruleset_pred_at(rs, node->pred))
		return -1;
	yes = worst_leaf(rs, node->yes, bh_word_number(next), word, seen);
	no = worst_leaf(rs, node->no, bh_word_number(next), word, seen);
	if (yes < 0 || no < 0)
		return -1;
	return yes > no ? yes : no;
}

static bool graph_is_sound(const struct bh_ruleset *rs, uint32_t next, uint32_t word, int *worst)
{
	bool seen = false;
	int w = worst_leaf(rs, next, UINT32_MAX, word, &seen);

	if (w > *worst)
		*worst = w;
	return seen && w >= 0 && w == word_badness(word) &&
	       bh_word_verdict(word) != BH_WORD_CONTRACT;
}

bool ruleset_is_sound(const struct bh_ruleset *rs, char *wrong, size_t size)
{
	size_t n;
	const struct bh_contract *c = bh_ruleset_contracts(rs, &n);

	if (!cells_are_sound(rs, wrong, size))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct bh_contract_entry *e = bh_ruleset_entries(rs, &c[i]);
		bool sound = true;
		int worst = 0;

		for (uint32_t k = 0; k < c[i].n; k++)
			sound &= graph_is_sound(rs, e[k].next, e[k].word, &worst);
		sound &= graph_is_sound(rs, c[i].other_next, c[i].other, &worst);
		sound &= graph_is_sound(rs, c[i].unknown_next, c[i].unknown, &worst);
		if (!sound || word_badness(c[i].undecided) != worst) {
			snprintf(wrong, size, "contract %u: a word is not the worst of its graph",
				 c[i].number);
			return false;
		}
	}
	return true;
}

size_t ruleset_graphs(const struct bh_ruleset *rs)
{
	size_t n, graphs = 0;
	const struct bh_contract *c = bh_ruleset_contracts(rs, &n);

	for (size_t i = 0; i < n; i++) {
		const struct bh_contract_entry *e = bh_ruleset_entries(rs, &c[i]);

		for (uint32_t k = 0; k < c[i].n; k++)
			graphs += bh_ruleset_node(rs, e[k].next) != NULL;
		graphs += bh_ruleset_node(rs, c[i].other_next) != NULL;
		graphs += bh_ruleset_node(rs, c[i].unknown_next) != NULL;
	}
	return graphs;
}
