/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_emit.c - what is known -> the block
 *
 * Everything is put down in the order in which it has to stand. Texts are kept between one block and the next, and
 * copied as a whole; when much of them is no longer needed, they are begun anew.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"
#include "policy/ruleset/ruleset_build.h"

#include <string.h>

#include "common/banned.h"

struct emit {
	struct bh_state *s;
	struct bh_rs_builder b;
	struct bh_live live;
	struct bh_u32s ids; /* of pieces of one range, to be sorted */
};

static void emit_done(struct emit *e)
{
	bh_rs_builder_done(&e->b);
	bh_live_done(&e->live);
	bh_u32s_done(&e->ids);
}

/* ---- texts ---- */

uint32_t bh_emit_text(struct bh_state *s, const char *text)
{
	uint32_t off;

	if (!text || !*text)
		return 0;
	off = (uint32_t)s->texts.len;
	bh_buf_add(&s->texts, text, strlen(text) + 1);
	return off;
}

/* Texts of what is gone stay until there is more of them than of the others. */
static void texts_tidy(struct bh_state *s)
{
	if (s->texts.len && s->texts.len < 2 * s->texts_kept + (1U << 20))
		return;
	bh_buf_clear(&s->texts);
	bh_buf_putc(&s->texts, '\0');
	for (size_t i = 0; i < s->class_keys.n; i++)
		s->classes[i].text = 0;
	for (size_t i = 0; i < s->reason_keys.n; i++)
		s->reasons[i].text_off = 0;
}

/* ---- sections ---- */

static void emit_policy(struct emit *e, uint32_t slot)
{
	struct bh_cpolicy *cp = e->s->policies[slot];
	const struct bh_policy *p = cp->src;
	const struct bh_rs_policy rp = {
		.kind = p->kind,
		.mode = cp->mode,
		.tier = p->tier,
		.ns = bh_emit_text(e->s, p->ns),
		.name = bh_emit_text(e->s, p->name),
		.file = bh_emit_text(e->s, p->file),
		.line = p->pos.line,
		.priority = p->tier == BH_TIER_APPLICATION ? 0 : (uint32_t)p->priority,
		.evidence = p->evidence,
	};

	cp->index = bh_rs_build_add(&e->b, BH_RS_POLICIES, &rp, 1);
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		cp->first[d] = (uint32_t)bh_rs_build_count(&e->b, BH_RS_RULES);
		for (size_t k = 0; k < p->n_rules[d]; k++) {
			const struct bh_rule *rule = &p->rules[d][k];
			const struct bh_rs_rule rr = {
				.policy = cp->index,
				.dir = d,
				.index = (uint32_t)k,
				.action = rule->action,
				.name = bh_emit_text(e->s, rule->name),
				.line = rule->pos.line,
				.urgency = rule->urgency ? rule->urgency : BH_URGENCY_INFO,
				.evidence = rule->evidence,
			};

			(void)bh_rs_build_add(&e->b, BH_RS_RULES, &rr, 1);
		}
	}
}

static int slot_by_name_cmp(const void *a, const void *b, void *arg)
{
	const struct bh_state *s = arg;
	const struct bh_policy *x = s->policies[*(const uint32_t *)a]->src,
			       *y = s->policies[*(const uint32_t *)b]->src;
	int c;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	c = strcmp(x->ns, y->ns);
	return c ? c : strcmp(x->name, y->name);
}

static void emit_policies(struct emit *e)
{
	struct bh_u32s *l = &e->live.policies;

	if (l->n)
		qsort_r(l->v, l->n, sizeof(*l->v), slot_by_name_cmp, e->s);
	for (size_t i = 0; i < l->n; i++)
		emit_policy(e, l->v[i]);
}

static void emit_reasons(struct emit *e)
{
	struct bh_state *s = e->s;

	for (size_t i = 0; i < e->live.reasons.n; i++) {
		struct bh_creason *c = &s->reasons[e->live.reasons.v[i]];
		struct bh_reason r = {
			.number = c->number,
			.kind = c->kind,
			.dir = c->dir,
			.policy = BH_RS_NONE,
			.rule = BH_RS_NONE,
			.expected = BH_RS_NONE,
		};

		if (!c->text_off)
			c->text_off = bh_emit_text(s, c->text) + 1;
		r.text = c->text_off - 1;
		if (c->policy != BH_NONE) {
			r.policy = s->policies[c->policy]->index;
			if (c->rule != BH_NONE)
				r.rule = s->policies[c->policy]->first[c->dir] + c->rule;
		}
		if (c->has_expected)
			r.expected = bh_rs_build_add(&e->b, BH_RS_PROTOSETS, &c->expected, 1);
		(void)bh_rs_build_add(&e->b, BH_RS_REASONS, &r, 1);
	}
}

static void emit_tests(struct emit *e, const struct bh_detail *d)
{
	for (size_t i = 0; i < d->n; i++) {
		for (size_t k = 0; k < d->clauses[i].n; k++) {
			const struct bh_test *t = &d->clauses[i].tests[k];
			const struct bh_rs_test rt = {
				.clause = (uint32_t)i,
				.attr = t->attr,
				.first = (uint32_t)bh_rs_build_count(&e->b, BH_RS_VALUES),
				.n = (uint32_t)t->values.n,
			};

			for (size_t v = 0; v < t->values.n; v++) {
				const struct bh_rs_value rv = { bh_emit_text(e->s,
									     t->values.items[v]) };

				(void)bh_rs_build_add(&e->b, BH_RS_VALUES, &rv, 1);
			}
			(void)bh_rs_build_add(&e->b, BH_RS_TESTS, &rt, 1);
		}
	}
}

static int emit_preds(struct emit *e)
{
	struct bh_state *s = e->s;

	for (size_t i = 0; i < e->live.preds.n; i++) {
		const struct bh_cpred *c = &s->preds[e->live.preds.v[i]];
		bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
		struct bh_rs_pred p = {
			.number = c->number,
			.kind = c->detail->kind,
			.first = (uint32_t)bh_rs_build_count(&e->b, BH_RS_TESTS),
		};

		bh_detail_put_text(&text, c->detail);
		if (bh_buf_failed(&text))
			return -ENOMEM;
		p.text = bh_emit_text(s, bh_buf_str(&text));
		emit_tests(e, c->detail);
		p.n = (uint32_t)bh_rs_build_count(&e->b, BH_RS_TESTS) - p.first;
		(void)bh_rs_build_add(&e->b, BH_RS_PREDS, &p, 1);
	}
	for (size_t i = 0; i < e->live.nodes.n; i++) {
		const struct bh_cnode *c = bh_intern_key(&s->node_keys, e->live.nodes.v[i], NULL);
		const struct bh_rs_node n = {
			.pred = s->preds[c->pred].index,
			.yes = bh_next_final(s, c->yes),
			.no = bh_next_final(s, c->no),
		};

		(void)bh_rs_build_add(&e->b, BH_RS_NODES, &n, 1);
	}
	return 0;
}

static void emit_contracts(struct emit *e)
{
	const struct bh_state *s = e->s;

	for (size_t i = 0; i < e->live.contracts.n; i++) {
		uint32_t idx = e->live.contracts.v[i];
		const struct bh_contract_key *k = bh_intern_key(&s->contract_keys, idx, NULL);
		const struct bh_contract c = {
			.number = s->contracts[idx].number,
			.first = (uint32_t)bh_rs_build_count(&e->b, BH_RS_ENTRIES),
			.n = k->n,
			.other = bh_word_final(s, k->other),
			.unknown = bh_word_final(s, k->unknown),
			.undecided = bh_word_final(s, k->undecided),
			.other_next = bh_next_final(s, k->other_next),
			.unknown_next = bh_next_final(s, k->unknown_next),
			.on_overload = k->on_overload,
			.midstream = k->midstream,
		};

		for (uint32_t n = 0; n < k->n; n++) {
			const struct bh_contract_entry ce = {
				.contract = c.number,
				.proto = k->e[n].proto,
				.word = bh_word_final(s, k->e[n].word),
				.next = bh_next_final(s, k->e[n].next),
				.switches = k->e[n].switches,
				.proxy = k->e[n].proxy,
			};

			(void)bh_rs_build_add(&e->b, BH_RS_ENTRIES, &ce, 1);
		}
		(void)bh_rs_build_add(&e->b, BH_RS_CONTRACTS, &c, 1);
	}
}

static uint32_t subject_flag(const struct bh_cclass *c, enum bh_dir dir)
{
	if (c->sigma[dir] != BH_NONE)
		return 1;
	return c->selected[dir] ? 2 : 0;
}

static int emit_classes(struct emit *e)
{
	struct bh_state *s = e->s;

	for (size_t i = 0; i < s->n_by_number; i++) {
		struct bh_cclass *c = &s->classes[s->by_number[i]];
		struct bh_class out = {
			.number = c->number,
			.subject_in = subject_flag(c, BH_DIR_INGRESS),
			.subject_eg = subject_flag(c, BH_DIR_EGRESS),
		};
		int r = c->text ? 0 : bh_emit_class_text(s, s->by_number[i]);

		if (r < 0)
			return r;
		out.text = c->text - 1;
		c->emitted = bh_class_families(c);
		(void)bh_rs_build_add(&e->b, BH_RS_CLASSES, &out, 1);
	}
	return 0;
}

static void emit_pieces(struct emit *e)
{
	struct bh_state *s = e->s;

	for (size_t i = 0; i < s->n_cuts; i++) {
		const struct bh_port_piece p = {
			.id = s->cuts[i].id,
			.lo = s->cuts[i].lo,
			.hi = s->cuts[i].hi,
			.l4 = s->cuts[i].l4,
		};

		(void)bh_rs_build_add(&e->b, BH_RS_PORTS, &p, 1);
	}
	for (size_t i = 0; i < s->n_pieces; i++) {
		const struct bh_piece *in = &s->pieces[i];
		struct bh_cidr_piece p = {
			.family = in->lo.family,
			.cls = s->classes[s->csets[in->cset].outside].number,
		};

		memcpy(p.lo, in->lo.bytes, sizeof(p.lo));
		memcpy(p.hi, in->hi.bytes, sizeof(p.hi));
		(void)bh_rs_build_add(&e->b, BH_RS_CIDRS, &p, 1);
	}
}

/* ---- cells ---- */

static void cell_add(struct emit *e, struct bh_cell *c, uint32_t port)
{
	struct bh_buf *b = &e->b.sect[BH_RS_CELLS];
	struct bh_cell *at = bh_buf_reserve(b, sizeof(*at));

	c->port = port;
	if (at)
		*at = *c;
}

/* The numbered pieces that a row's piece consists of. */
static int cells_of_range(struct emit *e, const struct bh_rcell *rc)
{
	const struct bh_state *s = e->s;
	size_t lo = 0, hi = s->n_cuts;
	int r = 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct bh_port_cut *c = &s->cuts[mid];

		if (c->l4 < rc->l4 || (c->l4 == rc->l4 && c->hi < rc->lo))
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; r == 0 && lo < s->n_cuts && s->cuts[lo].l4 == rc->l4 && s->cuts[lo].lo <= rc->hi;
	     lo++)
		r = bh_u32s_add(&e->ids, s->cuts[lo].id);
	return r;
}

struct piece_word {
	uint32_t id, word;
};

static int piece_word_cmp(const void *a, const void *b)
{
	const struct piece_word *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Pieces of one protocol, from row[0] on: they stand in the order of their ids. */
static int cells_of_ranges(struct emit *e, struct bh_cell *c, const struct bh_rcell *row, size_t n)
{
	bh_autofree struct piece_word *pw = NULL;
	size_t n_pw = 0, cap = 0;

	for (size_t i = 0; i < n; i++) {
		int r;

		e->ids.n = 0;
		r = cells_of_range(e, &row[i]);
		for (size_t k = 0; r == 0 && k < e->ids.n; k++) {
			r = bh_grow(&pw, &cap, n_pw, sizeof(*pw));
			if (r == 0)
				pw[n_pw++] =
				    (struct piece_word){ e->ids.v[k],
							 bh_word_final(e->s, row[i].word) };
		}
		if (r < 0)
			return r;
	}
	if (n_pw)
		qsort(pw, n_pw, sizeof(*pw), piece_word_cmp);
	for (size_t i = 0; i < n_pw; i++) {
		c->word = pw[i].word;
		cell_add(e, c, pw[i].id);
	}
	return 0;
}

static bool is_range(const struct bh_rcell *rc)
{
	return rc->lo < rc->hi && (rc->lo != 0 || rc->hi != UINT16_MAX);
}

static int emit_row(struct emit *e, enum bh_dir dir, uint32_t subject, uint32_t peer, uint32_t slot)
{
	size_t n;
	const struct bh_rcell *row = bh_slot_key(&e->s->row_keys, slot, &n);
	struct bh_cell c = { .dir = dir, .subject = subject, .peer = peer };

	n /= sizeof(*row);
	for (size_t i = 0; i < n;) {
		size_t k = i;

		c.l4 = row[i].l4;
		while (k < n && row[k].l4 == row[i].l4 && is_range(&row[k]))
			k++;
		if (k > i) {
			int r = cells_of_ranges(e, &c, &row[i], k - i);

			if (r < 0)
				return r;
			i = k;
			continue;
		}
		c.word = bh_word_final(e->s, row[i].word);
		cell_add(e, &c, row[i].lo == row[i].hi ? row[i].lo : BH_PORT_ANY);
		i++;
	}
	if (bh_rs_build_count(&e->b, BH_RS_CELLS) > BH_CELLS_MAX)
		return bh_err_set(e->s->err, -E2BIG, "the policies make more than %u cells",
				  BH_CELLS_MAX);
	return 0;
}

static int peer_cmp(const void *a, const void *b, void *arg)
{
	const struct bh_state *s = arg;
	const struct bh_sigma_peer *x = a, *y = b;
	uint32_t p = s->classes[x->cls].number, q = s->classes[y->cls].number;

	return (p > q) - (p < q);
}

static int peers_order(struct bh_state *s, struct bh_sigma *g)
{
	struct bh_sigma_peer *o;

	if (!g->unordered && g->by_number)
		return 0;
	o = reallocarray(g->by_number, g->n_peers + 1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	g->by_number = o;
	if (g->n_peers) {
		memcpy(o, g->peers, g->n_peers * sizeof(*o));
		qsort_r(o, g->n_peers, sizeof(*o), peer_cmp, s);
	}
	g->unordered = false;
	return 0;
}

static int emit_subject(struct emit *e, const struct bh_cclass *c, enum bh_dir dir)
{
	struct bh_state *s = e->s;
	struct bh_sigma *g = &s->sigmas[c->sigma[dir]];
	bool outside = false;
	size_t i = 0;
	int r = peers_order(s, g);

	if (r == 0)
		r = emit_row(e, dir, c->number, BH_PEER_ANY, g->row_any);
	for (; r == 0 && i < g->n_peers; i++) {
		const struct bh_cclass *p = &s->classes[g->by_number[i].cls];

		if (p->number & BH_CLASS_ENDPOINT)
			break;
		if (!(bh_class_families(p) & bh_class_families(c)))
			continue;
		outside = true;
		r = emit_row(e, dir, c->number, p->number, g->by_number[i].row);
	}
	if (r == 0 && g->row_host != g->row_any)
		r = emit_row(e, dir, c->number, BH_CLASS_HOST, g->row_host);
	if (r == 0 && (outside || g->row_ep != g->row_any))
		r = emit_row(e, dir, c->number, BH_PEER_ANY_ENDPOINT, g->row_ep);
	for (; r == 0 && i < g->n_peers; i++) {
		const struct bh_cclass *p = &s->classes[g->by_number[i].cls];

		if (bh_class_families(p) & bh_class_families(c))
			r = emit_row(e, dir, c->number, p->number, g->by_number[i].row);
	}
	return r;
}

static int emit_cells(struct emit *e)
{
	struct bh_state *s = e->s;
	int r = 0;

	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t i = 0; r == 0 && i < s->n_by_number; i++) {
			const struct bh_cclass *c = &s->classes[s->by_number[i]];

			if (c->sigma[d] != BH_NONE)
				r = emit_subject(e, c, d);
		}
	}
	return r;
}

/* ---- the whole ---- */

static int cuts_number(struct bh_state *s)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n_cuts; i++) {
		struct bh_port_cut *c = &s->cuts[i];
		const uint32_t key[] = { c->l4, c->lo, c->hi };

		r = bh_dict_number(&s->c->pieces, key, sizeof(key), s->c->revision, &c->id);
	}
	return r;
}

static int sections(struct emit *e)
{
	int r;

	texts_tidy(e->s);
	emit_policies(e);
	emit_reasons(e);
	r = emit_preds(e);
	if (r < 0)
		return r;
	emit_contracts(e);
	r = emit_classes(e);
	if (r < 0)
		return r;
	emit_pieces(e);
	r = emit_cells(e);
	if (r < 0)
		return r;
	if (bh_buf_failed(&e->s->texts) || e->s->texts.len >= UINT32_MAX)
		return -ENOMEM;
	bh_buf_add(&e->b.sect[BH_RS_TEXT], e->s->texts.data, e->s->texts.len);
	if (e->s->texts_kept == 0)
		e->s->texts_kept = e->s->texts.len;
	return 0;
}

/* What is kept for rows that nobody makes any more. */
static bool is_stale(const struct bh_state *s, const struct bh_live *l)
{
	return s->reason_keys.n > 65536 + 4 * l->reasons.n ||
	       s->contract_keys.n > 65536 + 4 * l->contracts.n ||
	       s->node_keys.n > 65536 + 4 * l->nodes.n || s->pred_keys.n > 65536 + 4 * l->preds.n ||
	       s->label_keys.n > 262144 + 16 * s->group_keys.n;
}

static void sweep(struct bh_compiler *c)
{
	bh_dict_sweep(&c->terms, c->revision);
	bh_dict_sweep(&c->ep_classes, c->revision);
	bh_dict_sweep(&c->out_classes, c->revision);
	bh_dict_sweep(&c->pieces, c->revision);
	bh_dict_sweep(&c->reasons, c->revision);
	bh_dict_sweep(&c->contracts, c->revision);
	bh_dict_sweep(&c->preds, c->revision);
	c->swept = c->revision;
}

int bh_emit(struct bh_state *s, uint64_t revision, bool check)
{
	bh_cleanup(emit_done) struct emit e = { .s = s, .b = BH_RS_BUILDER_INIT };
	/* Before anything is forgotten, what is alive says so. */
	bool all = s->c->revision - s->c->swept >= BH_NUMBER_KEEP / 2;
	struct bh_ruleset *rs = NULL;
	int r = bh_number_classes(s, all);

	if (r == 0)
		r = cuts_number(s);
	if (r == 0)
		r = bh_live_find(s, &e.live);
	if (r == 0)
		r = bh_live_number(s, &e.live, all);
	if (r == 0)
		r = sections(&e);
	e.b.trusted = !check;
	if (r == 0)
		r = bh_rs_build_finish(&e.b, revision, &rs, s->err);
	if (r < 0)
		return r;
	if (all)
		sweep(s->c);
	bh_ruleset_free(s->rules);
	s->rules = rs;
	s->stale = is_stale(s, &e.live);
	s->changed = false;
	return 0;
}
