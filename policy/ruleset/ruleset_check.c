/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/ruleset/ruleset_check.c - is this block a rule set? Everything the look-ups rely on, checked once
 *
 * A worker maps what another process wrote. Here every number that is later used as an index, an offset or
 * a key is checked, and the promises of ruleset.h are held: sorted, unique, rows complete, words valid.
 * What is wrong is refused as a whole; nothing is repaired.
 */
#include "common/util.h"
#include "policy/ruleset/ruleset_block.h"

#include <string.h>

#include "common/banned.h"

static int bad(struct bh_err *err, const char *what, size_t i)
{
	return bh_err_set(err, -EPROTO, "inconsistent rule set: %s %zu", what, i);
}

static bool text_ok(const struct bh_ruleset *rs, uint32_t off)
{
	return off < rs->n[BH_RS_TEXT];
}

static bool index_ok(const struct bh_ruleset *rs, uint32_t idx, enum bh_rs_sect s)
{
	return idx == BH_RS_NONE || idx < rs->n[s];
}

static int check_text(const struct bh_ruleset *rs, struct bh_err *err)
{
	size_t n = rs->n[BH_RS_TEXT];

	if (n == 0 || rs->text[0] != '\0' || rs->text[n - 1] != '\0')
		return bh_err_set(err, -EPROTO, "inconsistent rule set: text is not terminated");
	return 0;
}

static int check_sources(const struct bh_ruleset *rs, struct bh_err *err)
{
	for (size_t i = 0; i < rs->n[BH_RS_POLICIES]; i++) {
		const struct bh_rs_policy *p = &rs->policies[i];

		if (p->kind == BH_KIND_INVALID || p->kind >= BH_KIND_COUNT ||
		    p->mode == BH_MODE_INVALID || p->mode >= BH_MODE_COUNT ||
		    p->tier == BH_TIER_INVALID || p->tier >= BH_TIER_COUNT || !text_ok(rs, p->ns) ||
		    !text_ok(rs, p->name) || !text_ok(rs, p->file))
			return bad(err, "policy", i);
	}
	for (size_t i = 0; i < rs->n[BH_RS_RULES]; i++) {
		const struct bh_rs_rule *r = &rs->rules[i];

		if (r->policy >= rs->n[BH_RS_POLICIES] || r->dir == BH_DIR_INVALID ||
		    r->dir >= BH_DIR_COUNT || r->action == BH_ACTION_INVALID ||
		    r->action >= BH_ACTION_COUNT || r->urgency == BH_URGENCY_UNSET ||
		    r->urgency >= BH_URGENCY_COUNT || !text_ok(rs, r->name))
			return bad(err, "rule", i);
	}
	return 0;
}

static int check_reasons(const struct bh_ruleset *rs, struct bh_err *err)
{
	for (size_t i = 0; i < rs->n[BH_RS_REASONS]; i++) {
		const struct bh_reason *r = &rs->reasons[i];

		if (r->number == 0 || r->number > BH_WORD_NUMBER ||
		    (i && rs->reasons[i - 1].number >= r->number) || r->kind == BH_REASON_INVALID ||
		    r->kind >= BH_REASON_COUNT || r->dir == BH_DIR_INVALID ||
		    r->dir >= BH_DIR_COUNT || !index_ok(rs, r->policy, BH_RS_POLICIES) ||
		    !index_ok(rs, r->rule, BH_RS_RULES) || !text_ok(rs, r->text) ||
		    !index_ok(rs, r->expected, BH_RS_PROTOSETS))
			return bad(err, "reason", i);
	}
	return 0;
}

/* ALLOW, DROP or REJECT with a reason that exists. */
static bool final_ok(const struct bh_ruleset *rs, uint32_t w)
{
	uint32_t v = bh_word_verdict(w), flags = w & ~(BH_WORD_VERDICT | BH_WORD_NUMBER);

	if (v != BH_WORD_ALLOW && v != BH_WORD_DROP && v != BH_WORD_REJECT)
		return false;
	if (flags & ~(v == BH_WORD_ALLOW ? BH_WORD_REPORT : 0U))
		return false;
	return bh_ruleset_reason(rs, bh_word_number(w)) != NULL;
}

static bool word_ok(const struct bh_ruleset *rs, uint32_t w)
{
	uint32_t flags = w & ~(BH_WORD_VERDICT | BH_WORD_NUMBER);

	if (bh_word_verdict(w) != BH_WORD_CONTRACT)
		return final_ok(rs, w);
	if (flags & ~BH_WORD_OPEN)
		return false;
	return bh_ruleset_contract(rs, bh_word_number(w)) != NULL;
}

/* A word, or a node that stands before @limit. */
static bool next_ok(const struct bh_ruleset *rs, uint32_t next, size_t limit)
{
	if (bh_word_verdict(next) != BH_WORD_CONTRACT)
		return final_ok(rs, next);
	return !(next & ~(BH_WORD_VERDICT | BH_WORD_NUMBER)) && bh_word_number(next) < limit;
}

static int check_preds(const struct bh_ruleset *rs, struct bh_err *err)
{
	for (size_t i = 0; i < rs->n[BH_RS_VALUES]; i++) {
		if (!text_ok(rs, rs->values[i].text))
			return bad(err, "value", i);
	}
	for (size_t i = 0; i < rs->n[BH_RS_TESTS]; i++) {
		const struct bh_rs_test *t = &rs->tests[i];

		if (t->attr == BH_ATTR_INVALID || t->attr >= BH_ATTR_COUNT ||
		    t->first > rs->n[BH_RS_VALUES] || t->n > rs->n[BH_RS_VALUES] - t->first)
			return bad(err, "test", i);
	}
	for (size_t i = 0; i < rs->n[BH_RS_PREDS]; i++) {
		const struct bh_rs_pred *p = &rs->preds[i];

		if (p->kind == BH_DETAIL_INVALID || p->kind >= BH_DETAIL_COUNT ||
		    p->first > rs->n[BH_RS_TESTS] || p->n > rs->n[BH_RS_TESTS] - p->first ||
		    p->n == 0 || !text_ok(rs, p->text))
			return bad(err, "predicate", i);
		for (uint32_t k = 1; k < p->n; k++) {
			if (rs->tests[p->first + k].clause < rs->tests[p->first + k - 1].clause)
				return bad(err, "predicate", i);
		}
	}
	for (size_t i = 0; i < rs->n[BH_RS_NODES]; i++) {
		const struct bh_rs_node *n = &rs->nodes[i];

		if (n->pred >= rs->n[BH_RS_PREDS] || !next_ok(rs, n->yes, i) ||
		    !next_ok(rs, n->no, i))
			return bad(err, "node", i);
	}
	return 0;
}

static bool contract_ok(const struct bh_ruleset *rs, const struct bh_contract *c)
{
	struct bh_protoset seen = { { 0 } };

	if (c->number == 0 || c->number > BH_WORD_NUMBER)
		return false;
	if (c->first > rs->n[BH_RS_ENTRIES] || c->n > rs->n[BH_RS_ENTRIES] - c->first || c->n > 256)
		return false;
	for (uint32_t i = 0; i < c->n; i++) {
		const struct bh_contract_entry *e = &rs->entries[c->first + i];

		if (e->contract != c->number || e->proto < BH_PROTO_FIRST ||
		    e->proto >= BH_PROTO_RESERVED || bh_protoset_has(&seen, e->proto) ||
		    !final_ok(rs, e->word) || !next_ok(rs, e->next, rs->n[BH_RS_NODES]) ||
		    e->proxy >= BH_PROXY_COUNT)
			return false;
		bh_protoset_add(&seen, e->proto);
	}
	if (c->on_overload == BH_FAIL_UNSET || c->on_overload >= BH_FAIL_COUNT ||
	    c->midstream == BH_FAIL_UNSET || c->midstream >= BH_FAIL_COUNT)
		return false;
	return final_ok(rs, c->other) && final_ok(rs, c->unknown) && final_ok(rs, c->undecided) &&
	       next_ok(rs, c->other_next, rs->n[BH_RS_NODES]) &&
	       next_ok(rs, c->unknown_next, rs->n[BH_RS_NODES]);
}

static int check_contracts(const struct bh_ruleset *rs, struct bh_err *err)
{
	for (size_t i = 0; i < rs->n[BH_RS_CONTRACTS]; i++) {
		const struct bh_contract *c = &rs->contracts[i];

		if ((i && c[-1].number >= c->number) || !contract_ok(rs, c))
			return bad(err, "contract", i);
	}
	return 0;
}

static int check_classes(const struct bh_ruleset *rs, struct bh_err *err)
{
	for (size_t i = 0; i < rs->n[BH_RS_CLASSES]; i++) {
		const struct bh_class *c = &rs->classes[i];
		bool ep = c->number & BH_CLASS_ENDPOINT;

		if (c->number == BH_CLASS_INVALID || c->number == BH_PEER_ANY_ENDPOINT ||
		    (i && c[-1].number >= c->number) || !text_ok(rs, c->text) ||
		    c->subject_in > 2 || c->subject_eg > 2 ||
		    (!ep && (c->subject_in || c->subject_eg)))
			return bad(err, "class", i);
		if ((c->subject_in == 1) !=
			!!bh_rs_row_find(rs, BH_DIR_INGRESS, c->number, BH_PEER_ANY) ||
		    (c->subject_eg == 1) !=
			!!bh_rs_row_find(rs, BH_DIR_EGRESS, c->number, BH_PEER_ANY))
			return bad(err, "rows of class", i);
	}
	return 0;
}

static int check_cidrs(const struct bh_ruleset *rs, struct bh_err *err)
{
	for (size_t i = 0; i < rs->n[BH_RS_CIDRS]; i++) {
		const struct bh_cidr_piece *p = &rs->cidrs[i];
		size_t size = p->family == 4 ? 4 : 16;
		const struct bh_class *c = bh_ruleset_class(rs, p->cls);

		if ((p->family != 4 && p->family != 6) || memcmp(p->lo, p->hi, size) > 0 || !c ||
		    (c->number & BH_CLASS_ENDPOINT))
			return bad(err, "address piece", i);
		if (i && (p[-1].family > p->family ||
			  (p[-1].family == p->family && memcmp(p[-1].hi, p->lo, size) >= 0)))
			return bad(err, "order of address piece", i);
	}
	return 0;
}

struct piece_key {
	uint32_t id, l4;
};

static int piece_key_cmp(const void *a, const void *b)
{
	const struct piece_key *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* *@ret: the pieces by id, owned by the caller. */
static int check_ports(const struct bh_ruleset *rs, struct piece_key **ret, struct bh_err *err)
{
	size_t n = rs->n[BH_RS_PORTS];
	bh_autofree struct piece_key *keys = calloc(n ? n : 1, sizeof(*keys));

	if (!keys)
		return bh_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const struct bh_port_piece *p = &rs->ports[i];

		if (p->id < BH_PORT_PIECE_BASE || p->l4 == 0 || p->l4 > 255 || p->lo > p->hi ||
		    (i && (p[-1].l4 > p->l4 || (p[-1].l4 == p->l4 && p[-1].hi >= p->lo))))
			return bad(err, "port piece", i);
		keys[i] = (struct piece_key){ .id = p->id, .l4 = p->l4 };
	}
	qsort(keys, n, sizeof(*keys), piece_key_cmp);
	for (size_t i = 1; i < n; i++) {
		if (keys[i - 1].id == keys[i].id)
			return bad(err, "port piece", i);
	}
	*ret = bh_take_ptr(&keys);
	return 0;
}

static bool port_ok(const struct bh_ruleset *rs, const struct piece_key *keys,
		    const struct bh_cell *c)
{
	const struct piece_key want = { .id = c->port };
	const struct piece_key *k;

	if (c->l4 > 255 || (c->l4 == 0 && c->port != BH_PORT_ANY))
		return false;
	if (c->port < BH_PORT_PIECE_BASE)
		return true;
	k = bsearch(&want, keys, rs->n[BH_RS_PORTS], sizeof(*keys), piece_key_cmp);
	return k && k->l4 == c->l4;
}

static int check_cells(const struct bh_ruleset *rs, struct bh_err *err)
{
	bh_autofree struct piece_key *keys = NULL;
	int r = check_ports(rs, &keys, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < rs->n[BH_RS_CELLS]; i++) {
		const struct bh_cell *c = &rs->cells[i];

		if ((c->dir != BH_DIR_INGRESS && c->dir != BH_DIR_EGRESS) ||
		    !port_ok(rs, keys, c) || !word_ok(rs, c->word))
			return bad(err, "cell", i);
		if (i && bh_rs_cell_cmp(&c[-1], c) >= 0)
			return bad(err, "order of cell", i);
	}
	return 0;
}

/* Each row ends every search, and its subject has the row that ends every search for a row. */
static int check_rows(const struct bh_ruleset *rs, struct bh_err *err)
{
	for (size_t i = 0; i < rs->n_rows; i++) {
		const struct bh_rs_row *row = &rs->rows[i];
		const struct bh_cell *first = &rs->cells[row->first];
		const struct bh_class *c = bh_ruleset_class(rs, row->subject);

		if (!c || !(row->subject & BH_CLASS_ENDPOINT))
			return bad(err, "subject of row", i);
		if ((row->dir == BH_DIR_INGRESS ? c->subject_in : c->subject_eg) != 1)
			return bad(err, "subject of row", i);
		if (row->peer != BH_PEER_ANY && row->peer != BH_PEER_ANY_ENDPOINT &&
		    row->peer != BH_CLASS_HOST && !bh_ruleset_class(rs, row->peer))
			return bad(err, "peer of row", i);
		if (first->l4 != BH_L4_ANY || first->port != BH_PORT_ANY)
			return bad(err, "incomplete row", i);
	}
	return 0;
}

int bh_rs_check(const struct bh_ruleset *rs, struct bh_err *err)
{
	static int (*const checks[])(const struct bh_ruleset *, struct bh_err *) = {
		/* In this order: each relies on those before it. */
		check_text,  check_sources, check_reasons, check_preds, check_contracts,
		check_cells, check_classes, check_cidrs,   check_rows,
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(checks); i++) {
		int r = checks[i](rs, err);

		if (r < 0)
			return r;
	}
	return 0;
}
