/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile_emit.c - numbers for reasons and contracts; rows -> cells; the block
 *
 * Up to here words carry preliminary numbers (index + 1, in the order of the work). Here reasons, then
 * contracts get numbers from the compiler's dictionaries, in the order of their contents.
 */
#include "common/util.h"
#include "policy/compile_internal.h"
#include "policy/ruleset_build.h"

#include <string.h>

#include "common/banned.h"

struct emit {
	struct bh_run *run;
	struct bh_rs_builder b;
	uint32_t *contract_numbers;        /* by preliminary index */
	uint32_t *rule_base[BH_DIR_COUNT]; /* by policy: index of its first bh_rs_rule */
};

static void emit_done(struct emit *e)
{
	bh_rs_builder_done(&e->b);
	free(e->contract_numbers);
	for (unsigned d = 0; d < BH_DIR_COUNT; d++)
		free(e->rule_base[d]);
}

/* ---- final words ---- */

static uint32_t word_final(const struct emit *e, uint32_t word)
{
	uint32_t idx = bh_word_number(word) - 1;
	uint32_t number = bh_word_verdict(word) == BH_WORD_CONTRACT ? e->contract_numbers[idx]
								    : e->run->reasons[idx].number;

	return (word & ~BH_WORD_NUMBER) | number;
}

struct keyed {
	const void *key;
	size_t size;
	uint32_t idx;
};

static int keyed_cmp(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int c = memcmp(x->key, y->key, BH_MIN(x->size, y->size));

	return c ? c : (x->size > y->size) - (x->size < y->size);
}

static int reasons_number(struct bh_run *run)
{
	size_t n = run->reason_keys.n;
	bh_autofree struct keyed *k = calloc(n + 1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		k[i].key = bh_intern_key(&run->reason_keys, i, &k[i].size);
		k[i].idx = i;
	}
	qsort(k, n, sizeof(*k), keyed_cmp);
	for (size_t i = 0; i < n; i++) {
		int r = bh_dict_number(&run->c->reasons, k[i].key, k[i].size, run->c->revision,
				       &run->reasons[k[i].idx].number);

		if (r == -E2BIG)
			return bh_err_set(run->err, r, "no reason number is left");
		if (r < 0)
			return r;
	}
	return 0;
}

/* Contracts are known by their final words. Turns the keys into those, in place of a copy. */
static int contracts_number(struct emit *e)
{
	struct bh_run *run = e->run;
	size_t n = run->contracts.n;
	bh_autofree struct keyed *k = calloc(n + 1, sizeof(*k));
	int r = 0;

	e->contract_numbers = calloc(n + 1, sizeof(*e->contract_numbers));
	if (!k || !e->contract_numbers)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t *in = bh_intern_key(&run->contracts, i, &k[i].size);
		size_t words = k[i].size / sizeof(*in), named = (words - 3) / 2;
		uint32_t *out = malloc(k[i].size);

		k[i].key = out;
		k[i].idx = i;
		if (!out) {
			r = -ENOMEM;
			break;
		}
		for (size_t w = 0; w < words; w++)
			out[w] = w < 2 * named && w % 2 == 0 ? in[w] : word_final(e, in[w]);
	}
	if (r == 0)
		qsort(k, n, sizeof(*k), keyed_cmp);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = bh_dict_number(&run->c->contracts, k[i].key, k[i].size, run->c->revision,
				   &e->contract_numbers[k[i].idx]);
	for (size_t i = 0; i < n; i++)
		free((void *)k[i].key);
	return r == -E2BIG ? bh_err_set(run->err, r, "no contract number is left") : r;
}

/* ---- sections ---- */

static int emit_policies(struct emit *e)
{
	struct bh_run *run = e->run;
	size_t n = run->set->n_policies;

	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		e->rule_base[d] = calloc(n + 1, sizeof(*e->rule_base[d]));
		if (!e->rule_base[d])
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct bh_policy *p = run->set->policies[i];
		const struct bh_rs_policy rp = {
			.kind = p->kind,
			.mode = p->mode,
			.tier = p->tier,
			.ns = bh_rs_build_text(&e->b, p->ns),
			.name = bh_rs_build_text(&e->b, p->name),
			.file = bh_rs_build_text(&e->b, p->file),
			.line = p->pos.line,
		};

		(void)bh_rs_build_add(&e->b, BH_RS_POLICIES, &rp, 1);
		for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
			e->rule_base[d][i] = (uint32_t)bh_rs_build_count(&e->b, BH_RS_RULES);
			for (size_t k = 0; k < p->n_rules[d]; k++) {
				const struct bh_rule *rule = &p->rules[d][k];
				const struct bh_rs_rule rr = {
					.policy = i,
					.dir = d,
					.index = (uint32_t)k,
					.action = rule->action,
					.name = bh_rs_build_text(&e->b, rule->name),
					.line = rule->pos.line,
					.urgency = BH_URGENCY_INFO,
				};

				(void)bh_rs_build_add(&e->b, BH_RS_RULES, &rr, 1);
			}
		}
	}
	return 0;
}

struct numbered {
	uint32_t number, idx;
};

static int numbered_cmp(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int emit_reasons(struct emit *e)
{
	struct bh_run *run = e->run;
	size_t n = run->reason_keys.n;
	bh_autofree struct numbered *o = calloc(n + 1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		o[i] = (struct numbered){ run->reasons[i].number, i };
	qsort(o, n, sizeof(*o), numbered_cmp);
	for (size_t i = 0; i < n; i++) {
		const struct bh_creason *c = &run->reasons[o[i].idx];
		struct bh_reason r = {
			.number = c->number,
			.kind = c->kind,
			.dir = c->dir,
			.policy = c->policy,
			.rule = BH_RS_NONE,
			.text = bh_rs_build_text(&e->b, c->text),
			.expected = BH_RS_NONE,
		};

		if (c->policy != BH_NONE && c->rule != BH_NONE)
			r.rule = e->rule_base[c->dir][c->policy] + c->rule;
		if (c->has_expected)
			r.expected = bh_rs_build_add(&e->b, BH_RS_PROTOSETS, &c->expected, 1);
		(void)bh_rs_build_add(&e->b, BH_RS_REASONS, &r, 1);
	}
	return 0;
}

static void emit_contract(struct emit *e, uint32_t idx)
{
	size_t size;
	const uint32_t *in = bh_intern_key(&e->run->contracts, idx, &size);
	size_t n = (size / sizeof(*in) - 3) / 2;
	const struct bh_contract c = {
		.number = e->contract_numbers[idx],
		.first = (uint32_t)bh_rs_build_count(&e->b, BH_RS_ENTRIES),
		.n = (uint32_t)n,
		.other = word_final(e, in[2 * n]),
		.unknown = word_final(e, in[2 * n + 1]),
		.undecided = word_final(e, in[2 * n + 2]),
		.other_next = word_final(e, in[2 * n]),
		.unknown_next = word_final(e, in[2 * n + 1]),
		.on_overload = BH_FAIL_REFUSE,
		.midstream = BH_FAIL_REFUSE,
	};

	for (size_t i = 0; i < n; i++) {
		const struct bh_contract_entry ce = {
			.contract = c.number,
			.proto = in[2 * i],
			.word = word_final(e, in[2 * i + 1]),
			.next = word_final(e, in[2 * i + 1]),
			.switches = BH_SWITCH_USUAL,
			.proxy = BH_PROXY_REFUSE,
		};

		(void)bh_rs_build_add(&e->b, BH_RS_ENTRIES, &ce, 1);
	}
	(void)bh_rs_build_add(&e->b, BH_RS_CONTRACTS, &c, 1);
}

static int emit_contracts(struct emit *e)
{
	size_t n = e->run->contracts.n;
	bh_autofree struct numbered *o = calloc(n + 1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		o[i] = (struct numbered){ e->contract_numbers[i], i };
	qsort(o, n, sizeof(*o), numbered_cmp);
	for (size_t i = 0; i < n; i++)
		emit_contract(e, o[i].idx);
	return 0;
}

#define CLASS_TEXT_MAX 240U

static int part_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What the vector says: "10.0.0.0/8; port web=80/tcp; shop: app=web". */
static int class_text(const struct bh_run *run, const struct bh_cclass *c, struct bh_buf *b)
{
	size_t n_blocks, n = 0;
	const uint32_t *blocks = bh_intern_key(&run->cidr_sets, c->cidrs, &n_blocks);
	const struct bh_group *g = c->endpoint ? &run->groups[c->group] : NULL;
	bh_autofree const char **parts = NULL;

	n_blocks /= sizeof(*blocks);
	parts = calloc(n_blocks + (g ? g->terms.n : 0) + 1, sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	for (size_t i = 0; i < n_blocks; i++)
		parts[n++] = bh_intern_key(&run->term_texts, blocks[i], NULL);
	for (size_t i = 0; g && i < g->terms.n; i++)
		parts[n++] = bh_intern_key(&run->term_texts, g->terms.v[i], NULL);
	if (g && run->port_vec_ids.v[g->ports] != BH_NONE)
		parts[n++] = bh_intern_key(&run->port_vec_texts, g->ports, NULL);
	qsort(parts, n, sizeof(*parts), part_cmp);
	for (size_t i = 0; i < n && b->len < CLASS_TEXT_MAX; i++)
		bh_buf_printf(b, "%s%s", i ? "; " : "", parts[i]);
	if (b->len >= CLASS_TEXT_MAX)
		bh_buf_puts(b, "; ...");
	if (n == 0)
		bh_buf_puts(b, g ? "other endpoints" : "world");
	return bh_buf_failed(b) ? -ENOMEM : 0;
}

static uint32_t subject_flag(const struct bh_cclass *c, enum bh_dir dir)
{
	if (c->sigma[dir] != BH_NONE)
		return 1;
	return c->selected[dir] ? 2 : 0;
}

static int emit_classes(struct emit *e)
{
	struct bh_run *run = e->run;

	for (size_t i = 0; i < run->n_classes; i++) {
		const struct bh_cclass *c = &run->classes[run->by_number[i]];
		bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
		struct bh_class out = {
			.number = c->number,
			.subject_in = subject_flag(c, BH_DIR_INGRESS),
			.subject_eg = subject_flag(c, BH_DIR_EGRESS),
		};

		if (class_text(run, c, &text) < 0)
			return -ENOMEM;
		out.text = bh_rs_build_text(&e->b, bh_buf_str(&text));
		(void)bh_rs_build_add(&e->b, BH_RS_CLASSES, &out, 1);
	}
	return 0;
}

static void emit_pieces(struct emit *e)
{
	struct bh_run *run = e->run;

	for (size_t i = 0; i < run->n_cuts; i++) {
		const struct bh_port_piece p = {
			.id = run->cuts[i].id,
			.lo = run->cuts[i].lo,
			.hi = run->cuts[i].hi,
			.l4 = run->cuts[i].l4,
		};

		(void)bh_rs_build_add(&e->b, BH_RS_PORTS, &p, 1);
	}
	for (size_t i = 0; i < run->n_pieces; i++) {
		const struct bh_piece *in = &run->pieces[i];
		struct bh_cidr_piece p = {
			.family = in->lo.family,
			.cls = run->classes[in->cls].number,
		};

		memcpy(p.lo, in->lo.bytes, sizeof(p.lo));
		memcpy(p.hi, in->hi.bytes, sizeof(p.hi));
		(void)bh_rs_build_add(&e->b, BH_RS_CIDRS, &p, 1);
	}
}

static int emit_row(struct emit *e, enum bh_dir dir, uint32_t subject,
		    const struct bh_sigma_peer *peer)
{
	size_t n;
	const struct bh_rcell *row = bh_intern_key(&e->run->rows, peer->row, &n);

	n /= sizeof(*row);
	if (bh_rs_build_count(&e->b, BH_RS_CELLS) + n > BH_CELLS_MAX)
		return bh_err_set(e->run->err, -E2BIG, "the policies make more than %u cells",
				  BH_CELLS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct bh_cell c = {
			.dir = dir,
			.subject = subject,
			.peer = peer->peer,
			.l4 = row[i].l4,
			.port = row[i].port,
			.word = word_final(e, row[i].word),
		};

		(void)bh_rs_build_add(&e->b, BH_RS_CELLS, &c, 1);
	}
	return 0;
}

static int emit_cells(struct emit *e)
{
	struct bh_run *run = e->run;
	int r = 0;

	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t i = 0; i < run->n_classes; i++) {
			const struct bh_cclass *c = &run->classes[run->by_number[i]];
			const struct bh_sigma *s;

			if (c->sigma[d] == BH_NONE)
				continue;
			s = &run->sigmas[c->sigma[d]];
			for (size_t k = 0; r == 0 && k < s->n_peers; k++) {
				if (s->peers[k].families & c->families)
					r = emit_row(e, d, c->number, &s->peers[k]);
			}
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int bh_phase_emit(struct bh_run *run, uint64_t revision, struct bh_ruleset **ret)
{
	bh_cleanup(emit_done) struct emit e = { .run = run, .b = BH_RS_BUILDER_INIT };
	int r = reasons_number(run);

	if (r == 0)
		r = contracts_number(&e);
	if (r == 0)
		r = emit_policies(&e);
	if (r == 0)
		r = emit_reasons(&e);
	if (r == 0)
		r = emit_contracts(&e);
	if (r == 0)
		r = emit_classes(&e);
	if (r < 0)
		return r;
	emit_pieces(&e);
	r = emit_cells(&e);
	return r < 0 ? r : bh_rs_build_finish(&e.b, revision, ret, run->err);
}
