/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/ruleset/ruleset.c - views of compiled rule sets, and the evaluator
 *
 * DOC: Theory of operation
 *
 * A rule set is one block (ruleset_block.h). Mapping it checks every offset and every number in it once
 * (ruleset_check.c), so that no look-up has to; the memory must not change afterwards (the agent seals it).
 * The view keeps one thing of its own: where each row (direction, subject, peer) begins and ends. A
 * look-up is at most three binary searches for a row and four inside it.
 *
 * Whoever asks for a subject that the rule set does not know, or was not made for, gets a refusal: only a
 * known class that no policy selects is free of policy.
 */
#include "policy/ruleset.h"

#include "common/util.h"
#include "policy/ruleset/ruleset_block.h"

#include <string.h>

#include "common/banned.h"

size_t bh_rs_elem_size(enum bh_rs_sect s)
{
	static const size_t sizes[] = {
		[BH_RS_CELLS] = sizeof(struct bh_cell),
		[BH_RS_PORTS] = sizeof(struct bh_port_piece),
		[BH_RS_CIDRS] = sizeof(struct bh_cidr_piece),
		[BH_RS_CLASSES] = sizeof(struct bh_class),
		[BH_RS_CONTRACTS] = sizeof(struct bh_contract),
		[BH_RS_ENTRIES] = sizeof(struct bh_contract_entry),
		[BH_RS_NODES] = sizeof(struct bh_rs_node),
		[BH_RS_PREDS] = sizeof(struct bh_rs_pred),
		[BH_RS_TESTS] = sizeof(struct bh_rs_test),
		[BH_RS_VALUES] = sizeof(struct bh_rs_value),
		[BH_RS_REASONS] = sizeof(struct bh_reason),
		[BH_RS_POLICIES] = sizeof(struct bh_rs_policy),
		[BH_RS_RULES] = sizeof(struct bh_rs_rule),
		[BH_RS_PROTOSETS] = sizeof(struct bh_protoset),
		[BH_RS_TEXT] = 1,
	};
	BH_STATIC_ASSERT_TABLE(sizes, BH_RS_SECT_COUNT);

	return sizes[s];
}

/* ---- mapping ---- */

static int cmp_u32(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int row_cmp(const struct bh_rs_row *a, uint32_t dir, uint32_t subject, uint32_t peer)
{
	int c = cmp_u32(a->dir, dir);

	if (!c)
		c = cmp_u32(a->subject, subject);
	return c ? c : cmp_u32(a->peer, peer);
}

int bh_rs_cell_cmp(const struct bh_cell *a, const struct bh_cell *b)
{
	int c = cmp_u32(a->dir, b->dir);

	if (!c)
		c = cmp_u32(a->subject, b->subject);
	if (!c)
		c = cmp_u32(a->peer, b->peer);
	if (!c)
		c = cmp_u32(a->l4, b->l4);
	return c ? c : cmp_u32(a->port, b->port);
}

/* Points the view into the block; every section lies inside it afterwards. */
static int map_sections(struct bh_ruleset *rs, struct bh_err *err)
{
	const void *ptr[BH_RS_SECT_COUNT];
	struct bh_rs_header h;

	if (rs->size < sizeof(h))
		return bh_err_set(err, -EPROTO, "rule set of %zu bytes is too short", rs->size);
	memcpy(&h, rs->mem, sizeof(h));
	if (memcmp(h.magic, BH_RS_MAGIC, sizeof(h.magic)) != 0)
		return bh_err_set(err, -EPROTO, "not a rule set");
	if (h.version != BH_RS_VERSION || h.n_sections != BH_RS_SECT_COUNT)
		return bh_err_set(err, -EPROTO, "rule set of another version (%u, want %u)",
				  h.version, BH_RS_VERSION);
	if (h.size != rs->size)
		return bh_err_set(err, -EPROTO, "rule set says it has %llu bytes, there are %zu",
				  (unsigned long long)h.size, rs->size);
	for (unsigned s = 0; s < BH_RS_SECT_COUNT; s++) {
		uint64_t off = h.sect[s].off, n = h.sect[s].n;

		if (off % 8 || off < sizeof(h) || off > rs->size || n > UINT32_MAX - 1 ||
		    n > (rs->size - off) / bh_rs_elem_size(s))
			return bh_err_set(err, -EPROTO,
					  "section %u of the rule set is out of bounds", s);
		ptr[s] = rs->mem + off;
		rs->n[s] = (size_t)n;
	}
	rs->revision = h.revision;
	rs->cells = ptr[BH_RS_CELLS];
	rs->ports = ptr[BH_RS_PORTS];
	rs->cidrs = ptr[BH_RS_CIDRS];
	rs->classes = ptr[BH_RS_CLASSES];
	rs->contracts = ptr[BH_RS_CONTRACTS];
	rs->entries = ptr[BH_RS_ENTRIES];
	rs->nodes = ptr[BH_RS_NODES];
	rs->preds = ptr[BH_RS_PREDS];
	rs->tests = ptr[BH_RS_TESTS];
	rs->values = ptr[BH_RS_VALUES];
	rs->reasons = ptr[BH_RS_REASONS];
	rs->policies = ptr[BH_RS_POLICIES];
	rs->rules = ptr[BH_RS_RULES];
	rs->protosets = ptr[BH_RS_PROTOSETS];
	rs->text = ptr[BH_RS_TEXT];
	return 0;
}

static bool row_begins(const struct bh_ruleset *rs, size_t i)
{
	const struct bh_cell *c = &rs->cells[i];

	return i == 0 || c[-1].dir != c->dir || c[-1].subject != c->subject ||
	       c[-1].peer != c->peer;
}

static int map_rows(struct bh_ruleset *rs)
{
	size_t n = 0;

	for (size_t i = 0; i < rs->n[BH_RS_CELLS]; i++)
		n += row_begins(rs, i);
	rs->rows = calloc(n ? n : 1, sizeof(*rs->rows));
	if (!rs->rows)
		return -ENOMEM;
	for (size_t i = 0; i < rs->n[BH_RS_CELLS]; i++) {
		const struct bh_cell *c = &rs->cells[i];

		if (row_begins(rs, i))
			rs->rows[rs->n_rows++] = (struct bh_rs_row){
				.dir = c->dir,
				.subject = c->subject,
				.peer = c->peer,
				.first = (uint32_t)i,
			};
		rs->rows[rs->n_rows - 1].n++;
	}
	return 0;
}

static int view_new(const void *mem, size_t size, void *owned, bool trusted,
		    struct bh_ruleset **ret, struct bh_err *err)
{
	int r;

	if ((uintptr_t)mem % 8) {
		free(owned);
		return bh_err_set(err, -EPROTO, "rule set is not aligned");
	}

	bh_cleanup(bh_ruleset_freep) struct bh_ruleset *rs = calloc(1, sizeof(*rs));

	if (!rs) {
		free(owned);
		return bh_err_set(err, -ENOMEM, "out of memory");
	}
	rs->refs = 1;
	rs->mem = mem;
	rs->size = size;
	rs->owned = owned;
	r = map_sections(rs, err);
	if (r < 0)
		return r;
	r = map_rows(rs);
	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	r = trusted ? 0 : bh_rs_check(rs, err);
	if (r < 0)
		return r;
	*ret = bh_take_ptr(&rs);
	return 0;
}

int bh_ruleset_map(const void *mem, size_t size, struct bh_ruleset **ret, struct bh_err *err)
{
	return view_new(mem, size, NULL, false, ret, err);
}

int bh_rs_adopt(void *mem, size_t size, bool trusted, struct bh_ruleset **ret, struct bh_err *err)
{
	return view_new(mem, size, mem, trusted, ret, err);
}

struct bh_ruleset *bh_ruleset_ref(struct bh_ruleset *rs)
{
	rs->refs++;
	return rs;
}

struct bh_ruleset *bh_ruleset_free(struct bh_ruleset *rs)
{
	if (rs && --rs->refs == 0) {
		free(rs->rows);
		free(rs->owned);
		free(rs);
	}
	return NULL;
}

/* ---- access ---- */

const void *bh_ruleset_data(const struct bh_ruleset *rs, size_t *ret_size)
{
	*ret_size = rs->size;
	return rs->mem;
}

uint64_t bh_ruleset_revision(const struct bh_ruleset *rs)
{
	return rs->revision;
}

const char *bh_ruleset_text(const struct bh_ruleset *rs, uint32_t offset)
{
	return offset < rs->n[BH_RS_TEXT] ? rs->text + offset : "";
}

const struct bh_cell *bh_ruleset_cells(const struct bh_ruleset *rs, size_t *ret_n)
{
	*ret_n = rs->n[BH_RS_CELLS];
	return rs->cells;
}

const struct bh_port_piece *bh_ruleset_port_pieces(const struct bh_ruleset *rs, size_t *ret_n)
{
	*ret_n = rs->n[BH_RS_PORTS];
	return rs->ports;
}

const struct bh_cidr_piece *bh_ruleset_cidr_pieces(const struct bh_ruleset *rs, size_t *ret_n)
{
	*ret_n = rs->n[BH_RS_CIDRS];
	return rs->cidrs;
}

const struct bh_class *bh_ruleset_classes(const struct bh_ruleset *rs, size_t *ret_n)
{
	*ret_n = rs->n[BH_RS_CLASSES];
	return rs->classes;
}

const struct bh_contract *bh_ruleset_contracts(const struct bh_ruleset *rs, size_t *ret_n)
{
	*ret_n = rs->n[BH_RS_CONTRACTS];
	return rs->contracts;
}

const struct bh_contract_entry *bh_ruleset_entries(const struct bh_ruleset *rs,
						   const struct bh_contract *c)
{
	return rs->entries + c->first;
}

/* The element whose first member is @number, in an array sorted by it. */
static const void *by_number(const void *base, size_t n, size_t size, uint32_t number)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const uint8_t *e = (const uint8_t *)base + mid * size;
		uint32_t v;

		memcpy(&v, e, sizeof(v));
		if (v == number)
			return e;
		if (v < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

_Static_assert(offsetof(struct bh_class, number) == 0, "by_number()");
_Static_assert(offsetof(struct bh_contract, number) == 0, "by_number()");
_Static_assert(offsetof(struct bh_reason, number) == 0, "by_number()");

const struct bh_class *bh_ruleset_class(const struct bh_ruleset *rs, uint32_t number)
{
	return by_number(rs->classes, rs->n[BH_RS_CLASSES], sizeof(*rs->classes), number);
}

const struct bh_contract *bh_ruleset_contract(const struct bh_ruleset *rs, uint32_t number)
{
	return by_number(rs->contracts, rs->n[BH_RS_CONTRACTS], sizeof(*rs->contracts), number);
}

const struct bh_reason *bh_ruleset_reason(const struct bh_ruleset *rs, uint32_t number)
{
	return by_number(rs->reasons, rs->n[BH_RS_REASONS], sizeof(*rs->reasons), number);
}

const struct bh_rs_policy *bh_ruleset_policy(const struct bh_ruleset *rs, uint32_t index)
{
	return index < rs->n[BH_RS_POLICIES] ? &rs->policies[index] : NULL;
}

const struct bh_rs_rule *bh_ruleset_rule(const struct bh_ruleset *rs, uint32_t index)
{
	return index < rs->n[BH_RS_RULES] ? &rs->rules[index] : NULL;
}

const struct bh_protoset *bh_ruleset_protoset(const struct bh_ruleset *rs, uint32_t index)
{
	return index < rs->n[BH_RS_PROTOSETS] ? &rs->protosets[index] : NULL;
}

/* ---- the evaluator ---- */

uint32_t bh_ruleset_outside_class(const struct bh_ruleset *rs, const struct bh_addr *a)
{
	size_t lo = 0, hi = rs->n[BH_RS_CIDRS];
	size_t size = bh_addr_size(a);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct bh_cidr_piece *p = &rs->cidrs[mid];

		if (p->family < a->family ||
		    (p->family == a->family && memcmp(p->hi, a->bytes, size) < 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < rs->n[BH_RS_CIDRS]) {
		const struct bh_cidr_piece *p = &rs->cidrs[lo];

		if (p->family == a->family && memcmp(p->lo, a->bytes, size) <= 0)
			return p->cls;
	}
	return BH_CLASS_WORLD;
}

const struct bh_rs_row *bh_rs_row_find(const struct bh_ruleset *rs, uint32_t dir, uint32_t subject,
				       uint32_t peer)
{
	size_t lo = 0, hi = rs->n_rows;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = row_cmp(&rs->rows[mid], dir, subject, peer);

		if (c == 0)
			return &rs->rows[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

const struct bh_port_piece *bh_rs_piece_by_id(const struct bh_ruleset *rs, uint32_t id)
{
	for (size_t i = 0; i < rs->n[BH_RS_PORTS]; i++) {
		if (rs->ports[i].id == id)
			return &rs->ports[i];
	}
	return NULL;
}

/* The piece that @port of @l4 lies in; 0: none. */
static uint32_t piece_of(const struct bh_ruleset *rs, uint8_t l4, uint16_t port)
{
	size_t lo = 0, hi = rs->n[BH_RS_PORTS];

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct bh_port_piece *p = &rs->ports[mid];

		if (p->l4 < l4 || (p->l4 == l4 && p->hi < port))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < rs->n[BH_RS_PORTS] && rs->ports[lo].l4 == l4 && rs->ports[lo].lo <= port)
		return rs->ports[lo].id;
	return 0;
}

/* The word of one cell of a row; 0: there is none. */
static uint32_t row_word(const struct bh_ruleset *rs, const struct bh_rs_row *row, uint32_t l4,
			 uint32_t port)
{
	size_t lo = row->first, hi = (size_t)row->first + row->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct bh_cell *c = &rs->cells[mid];

		if (c->l4 == l4 && c->port == port)
			return c->word;
		if (c->l4 < l4 || (c->l4 == l4 && c->port < port))
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

static uint32_t row_lookup(const struct bh_ruleset *rs, const struct bh_rs_row *row, uint8_t l4,
			   uint16_t port)
{
	uint32_t w = 0, piece;

	if (l4 != BH_L4_ANY) {
		if (port)
			w = row_word(rs, row, l4, port);
		if (!w) {
			piece = piece_of(rs, l4, port);
			if (piece)
				w = row_word(rs, row, l4, piece);
		}
		if (!w)
			w = row_word(rs, row, l4, BH_PORT_ANY);
	}
	if (!w)
		w = row_word(rs, row, BH_L4_ANY, BH_PORT_ANY);
	return w ? w : BH_WORD_DROP; /* a complete row never comes to this */
}

/* No row: is the subject really free of policy in this direction? */
static uint32_t no_row(const struct bh_ruleset *rs, enum bh_dir dir, uint32_t subject)
{
	const struct bh_class *c = bh_ruleset_class(rs, subject);

	if (!c || !(subject & BH_CLASS_ENDPOINT))
		return BH_WORD_DROP;
	if (dir == BH_DIR_INGRESS && !c->subject_in)
		return 0;
	if (dir == BH_DIR_EGRESS && !c->subject_eg)
		return 0;
	return BH_WORD_DROP;
}

uint32_t bh_ruleset_lookup(const struct bh_ruleset *rs, enum bh_dir dir, uint32_t subject,
			   uint32_t peer, uint8_t l4, uint16_t port)
{
	const struct bh_rs_row *row = bh_rs_row_find(rs, (uint32_t)dir, subject, peer);

	/* "Any" speaks of those that the rule set knows: what most of them get may be to be allowed. */
	if (!row && peer != BH_CLASS_HOST && !bh_ruleset_class(rs, peer))
		return no_row(rs, dir, subject);
	if (!row && (peer & BH_CLASS_ENDPOINT))
		row = bh_rs_row_find(rs, (uint32_t)dir, subject, BH_PEER_ANY_ENDPOINT);
	if (!row)
		row = bh_rs_row_find(rs, (uint32_t)dir, subject, BH_PEER_ANY);
	if (!row)
		return no_row(rs, dir, subject);
	return row_lookup(rs, row, l4, port);
}

struct bh_decision bh_ruleset_decide(const struct bh_ruleset *rs, const struct bh_conn *c)
{
	struct bh_decision d = { 0, 0 };
	uint32_t src = c->src_class, dst = c->dst_class;

	/* A pod that connects to its own address is subject to no policy. */
	if (c->src.family && bh_addr_eq(&c->src, &c->dst))
		return d;
	if (!src)
		src = bh_ruleset_outside_class(rs, &c->src);
	if (!dst)
		dst = bh_ruleset_outside_class(rs, &c->dst);
	if (c->src_local && c->src_class)
		d.egress = bh_ruleset_lookup(rs, BH_DIR_EGRESS, src, dst, c->l4, c->dport);
	if (c->dst_local && c->dst_class)
		d.ingress = bh_ruleset_lookup(rs, BH_DIR_INGRESS, dst, src, c->l4, c->dport);
	return d;
}

enum bh_outcome bh_decision_outcome(const struct bh_decision *d)
{
	if ((d->egress && bh_word_refuses(d->egress)) ||
	    (d->ingress && bh_word_refuses(d->ingress)))
		return BH_OUTCOME_REFUSE;
	if (bh_word_verdict(d->egress) == BH_WORD_CONTRACT ||
	    bh_word_verdict(d->ingress) == BH_WORD_CONTRACT)
		return BH_OUTCOME_CONTRACT;
	return BH_OUTCOME_ALLOW;
}

/* Nobody looked: what the contract's fail mode says. What is refused by nobody passes as it is. */
static uint32_t settle_blind(const struct bh_contract *c, uint32_t mode)
{
	if (!bh_word_refuses(c->undecided))
		return c->undecided;
	if (mode != BH_FAIL_ALLOW && mode != BH_FAIL_ALERT)
		return c->undecided;
	return BH_WORD_ALLOW | (mode == BH_FAIL_ALERT ? BH_WORD_REPORT : 0U) |
	       bh_word_number(c->undecided);
}

uint32_t bh_ruleset_settle(const struct bh_ruleset *rs, uint32_t word, unsigned proto)
{
	const struct bh_contract *c;
	const struct bh_contract_entry *e;

	if (bh_word_verdict(word) != BH_WORD_CONTRACT)
		return word;
	c = bh_ruleset_contract(rs, bh_word_number(word));
	if (!c)
		return 0;
	if (proto == BH_PROTO_UNKNOWN)
		return c->unknown;
	if (proto == BH_PROTO_UNSEEN)
		return settle_blind(c, c->midstream);
	if (proto == BH_PROTO_UNJUDGED)
		return settle_blind(c, c->on_overload);
	if (proto == BH_PROTO_ADOPTED)
		return settle_blind(c, BH_FAIL_ALLOW);
	if (proto >= BH_PROTO_RESERVED || proto < BH_PROTO_FIRST)
		return c->undecided;
	e = bh_ruleset_entries(rs, c);
	for (uint32_t i = 0; i < c->n; i++) {
		if (e[i].proto == proto)
			return e[i].word;
	}
	return c->other;
}

/* In a decision 0 says "no policy"; a contract that cannot be settled must not read so. */
static uint32_t settle_closed(const struct bh_ruleset *rs, uint32_t word, unsigned proto)
{
	uint32_t w = bh_ruleset_settle(rs, word, proto);

	return word && !w ? BH_WORD_DROP : w;
}

bool bh_ruleset_may_refuse(const struct bh_ruleset *rs, uint32_t word)
{
	const struct bh_contract *c;
	const struct bh_contract_entry *e;

	if (bh_word_verdict(word) != BH_WORD_CONTRACT)
		return bh_word_refuses(word);
	c = bh_ruleset_contract(rs, bh_word_number(word));
	if (!c || bh_word_refuses(c->other) || bh_word_refuses(c->unknown) ||
	    bh_word_refuses(c->undecided))
		return true;
	e = bh_ruleset_entries(rs, c);
	for (uint32_t i = 0; i < c->n; i++)
		if (bh_word_refuses(e[i].word))
			return true;
	return false;
}

struct bh_decision bh_ruleset_settle_both(const struct bh_ruleset *rs, const struct bh_decision *d,
					  unsigned proto)
{
	return (struct bh_decision){
		.egress = settle_closed(rs, d->egress, proto),
		.ingress = settle_closed(rs, d->ingress, proto),
	};
}

static void add_named(const struct bh_ruleset *rs, uint32_t word, struct bh_protoset *set)
{
	const struct bh_contract *c = NULL;
	const struct bh_contract_entry *e;

	if (bh_word_verdict(word) == BH_WORD_CONTRACT)
		c = bh_ruleset_contract(rs, bh_word_number(word));
	if (!c)
		return;
	e = bh_ruleset_entries(rs, c);
	for (uint32_t i = 0; i < c->n; i++)
		bh_protoset_add(set, e[i].proto);
}

struct bh_protoset bh_ruleset_named(const struct bh_ruleset *rs, const struct bh_decision *d)
{
	struct bh_protoset set = { { 0 } };

	add_named(rs, d->egress, &set);
	add_named(rs, d->ingress, &set);
	return set;
}
