// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/reach/meaning.c - decisions of rule sets as meanings
 */
#include "policy/meaning.h"

#include "common/limits.h"
#include "common/util.h"
#include "policy/reach/meaning_internal.h"
#include "policy/ruleset/ruleset_block.h"

#include <string.h>

#include "common/banned.h"

/* Protocols have eight bits. */
#define PROTOS 256U

int bh_meanings_new(struct bh_meanings **ret)
{
	struct bh_meanings *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	*ret = m;
	return 0;
}

struct bh_meanings *bh_meanings_free(struct bh_meanings *m)
{
	if (!m)
		return NULL;
	bh_diagrams_done(&m->d);
	bh_intern_done(&m->vars);
	bh_intern_done(&m->meanings);
	bh_intern_done(&m->asked);
	bh_u32s_done(&m->answers);
	for (unsigned i = 0; i < m->n_sources; i++)
		free(m->sources[i].nodes);
	free(m);
	return NULL;
}

static int failed(struct bh_err *err, int r)
{
	if (r == -E2BIG)
		return bh_err_set(
		    err, r,
		    "the conditions of the rules are too many to be compared (more than %u)",
		    BH_MEANING_NODES_MAX);
	if (r == -ENOMEM)
		return bh_err_set(err, r, "out of memory");
	return r < 0 ? bh_err_set(err, r, "the rule set is not consistent") : 0;
}

/* ---- graphs ---- */

static int var_of(struct bh_meanings *m, const struct bh_ruleset *rs, uint32_t pred, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	const struct bh_rs_pred *p = bh_ruleset_pred_at(rs, pred);

	if (!p)
		return -EPROTO;
	bh_buf_printf(&key, "%s %s", bh_detail_name((enum bh_detail_kind)p->kind),
		      bh_ruleset_text(rs, p->text));
	return bh_buf_failed(&key) ? -ENOMEM : bh_intern(&m->vars, key.data, key.len, ret);
}

static uint32_t leaf_of(uint32_t word)
{
	switch (bh_word_verdict(word)) {
	case BH_WORD_ALLOW:
		return word & BH_WORD_REPORT ? BH_LEAF_RECORD : BH_LEAF_ALLOW;
	case BH_WORD_REJECT:
		return BH_LEAF_REJECT;
	default:
		return BH_LEAF_DROP;
	}
}

/* Where a word or a node leads. */
static uint32_t next_of(const struct bh_meaning_source *src, uint32_t next)
{
	if (bh_ruleset_node(src->rs, next))
		return src->nodes[bh_word_number(next)];
	return leaf_of(next);
}

static int add_nodes(struct bh_meanings *m, struct bh_meaning_source *src)
{
	const struct bh_ruleset *rs = src->rs;
	int r = 0;

	src->n_nodes = rs->n[BH_RS_NODES];
	src->nodes = calloc(src->n_nodes + 1, sizeof(*src->nodes));
	if (!src->nodes)
		return -ENOMEM;
	/* Variables get their numbers in the order in which they are asked: what leads to others stands last. */
	for (size_t i = src->n_nodes; i-- > 0 && r == 0;)
		r = var_of(m, rs, rs->nodes[i].pred, &src->nodes[i]);
	for (size_t i = 0; i < src->n_nodes && r == 0; i++)
		r = bh_diagram_choose(&m->d, src->nodes[i], next_of(src, rs->nodes[i].yes),
				      next_of(src, rs->nodes[i].no), &src->nodes[i]);
	return r;
}

int bh_meanings_add(struct bh_meanings *m, const struct bh_ruleset *rs, unsigned *ret_source,
		    struct bh_err *err)
{
	struct bh_meaning_source *src = &m->sources[m->n_sources];

	if (m->n_sources == BH_MEANING_SOURCES)
		return bh_err_set(err, -E2BIG, "only %u rule sets can be compared",
				  BH_MEANING_SOURCES);
	*ret_source = m->n_sources++;
	src->rs = rs;
	return failed(err, add_nodes(m, src));
}

/* ---- one direction ---- */

/* For every protocol, so that two directions can be put together. */
struct side {
	struct bh_meaning_entry of[PROTOS];
	bool named[PROTOS];
	uint32_t other, unknown, undecided;
	uint32_t on_overload, midstream;
};

static void side_plain(struct side *s, uint32_t leaf)
{
	*s = (struct side){ .other = leaf, .unknown = leaf, .undecided = leaf };
}

static void side_contract(const struct bh_meaning_source *src, const struct bh_contract *c,
			  struct side *s)
{
	const struct bh_contract_entry *e = bh_ruleset_entries(src->rs, c);

	*s = (struct side){
		.other = next_of(src, c->other_next),
		.unknown = next_of(src, c->unknown_next),
		.undecided = leaf_of(c->undecided),
		.on_overload = c->on_overload,
		.midstream = c->midstream,
	};
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t p = e[i].proto % PROTOS;

		if (s->named[p])
			continue; /* the first one counts */
		s->named[p] = true;
		s->of[p] = (struct bh_meaning_entry){
			.proto = p,
			.what = next_of(src, e[i].next),
			.switches = e[i].switches,
			.proxy = e[i].proxy,
		};
	}
}

static void side_make(const struct bh_meaning_source *src, uint32_t word, struct side *s)
{
	const struct bh_contract *c;

	if (word == 0) { /* no policy */
		side_plain(s, BH_LEAF_ALLOW);
		return;
	}
	c = bh_word_verdict(word) == BH_WORD_CONTRACT
		? bh_ruleset_contract(src->rs, bh_word_number(word))
		: NULL;
	if (c)
		side_contract(src, c, s);
	else
		side_plain(s, leaf_of(word));
}

static struct bh_meaning_entry side_of(const struct side *s, uint32_t proto)
{
	if (s->named[proto])
		return s->of[proto];
	return (struct bh_meaning_entry){
		.proto = proto,
		.what = s->other,
		.switches = BH_SWITCH_USUAL,
	};
}

/* ---- both ---- */

static uint32_t switches_both(uint32_t a, uint32_t b)
{
	if (a & BH_SWITCH_USUAL)
		return b & BH_SWITCH_USUAL ? BH_SWITCH_USUAL : b;
	return b & BH_SWITCH_USUAL ? a : a & b;
}

static uint32_t proxy_both(uint32_t a, uint32_t b)
{
	uint32_t least = !a || !b ? BH_MAX(a, b) : BH_MIN(a, b);

	return least == BH_PROXY_REFUSE ? BH_PROXY_UNSET : least;
}

static uint32_t fail_both(uint32_t a, uint32_t b)
{
	uint32_t strict = !a || !b ? BH_MAX(a, b) : BH_MIN(a, b);

	return strict ? strict : BH_FAIL_REFUSE;
}

static int entry_both(struct bh_meanings *m, const struct side *a, const struct side *b,
		      uint32_t proto, struct bh_meaning_entry *ret)
{
	const struct bh_meaning_entry x = side_of(a, proto), y = side_of(b, proto);
	int r = bh_diagram_both(&m->d, x.what, y.what, &ret->what);

	ret->proto = proto;
	if (bh_leaf_allows(ret->what) || ret->what >= BH_LEAF_COUNT) {
		ret->switches = switches_both(x.switches, y.switches);
		ret->proxy = proxy_both(x.proxy, y.proxy);
	} else { /* refused: nothing else is of interest */
		ret->switches = BH_SWITCH_USUAL;
		ret->proxy = BH_PROXY_UNSET;
	}
	return r;
}

static int keep(struct bh_meanings *m, struct bh_meaning *mean, const struct bh_meaning_entry *list,
		uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	uint32_t bits, all;
	int r = bh_diagram_leaves(&m->d, mean->other, &all);

	if (r == 0)
		r = bh_diagram_leaves(&m->d, mean->unknown, &bits);
	for (uint32_t i = 0; i < mean->n && r == 0; i++) {
		all |= bits;
		r = bh_diagram_leaves(&m->d, list[i].what, &bits);
	}
	if (r < 0)
		return r;
	all |= bits;
	if (!(all & BH_LEAVES_ALLOW) || !(all & BH_LEAVES_REFUSE)) {
		/* Whatever it turns out to be: nothing has to be waited for. */
		mean->undecided = BH_LEAF_DROP;
		mean->on_overload = BH_FAIL_REFUSE;
		mean->midstream = BH_FAIL_REFUSE;
	}
	bh_buf_add(&key, mean, sizeof(*mean));
	bh_buf_add(&key, list, mean->n * sizeof(*list));
	return bh_buf_failed(&key) ? -ENOMEM : bh_intern(&m->meanings, key.data, key.len, ret);
}

static int combine(struct bh_meanings *m, const struct side *a, const struct side *b, uint32_t *ret)
{
	struct bh_meaning_entry list[PROTOS];
	struct bh_meaning mean = {
		.on_overload = fail_both(a->on_overload, b->on_overload),
		.midstream = fail_both(a->midstream, b->midstream),
	};
	int r = bh_diagram_both(&m->d, a->other, b->other, &mean.other);

	if (r == 0)
		r = bh_diagram_both(&m->d, a->unknown, b->unknown, &mean.unknown);
	if (r == 0)
		r = bh_diagram_both(&m->d, a->undecided, b->undecided, &mean.undecided);
	for (uint32_t p = 0; p < PROTOS && r == 0; p++) {
		struct bh_meaning_entry *e = &list[mean.n];

		if (!a->named[p] && !b->named[p])
			continue;
		r = entry_both(m, a, b, p, e);
		if (e->what != mean.other || e->switches != BH_SWITCH_USUAL ||
		    e->proxy != BH_PROXY_UNSET)
			mean.n++;
	}
	return r < 0 ? r : keep(m, &mean, list, ret);
}

static bool flatly(uint32_t word)
{
	return word != 0 && bh_word_refuses(word);
}

static void side_mute(struct side *s)
{
	*s = (struct side){ .other = s->unknown, .unknown = s->unknown, .undecided = BH_LEAF_DROP };
}

int bh_meaning_of(struct bh_meanings *m, unsigned source, const struct bh_decision *d, bool mute,
		  uint32_t *ret, struct bh_err *err)
{
	const uint32_t key[] = { source, d->egress, d->ingress, mute };
	struct side egress, ingress;
	uint32_t i;
	int r;

	if (bh_intern_find(&m->asked, key, sizeof(key), &i)) {
		*ret = m->answers.v[i];
		return 0;
	}
	side_make(&m->sources[source], d->egress, &egress);
	side_make(&m->sources[source], d->ingress, &ingress);
	/* What one side refuses whatever is spoken is refused at once, in that side's way. */
	if (flatly(d->egress))
		side_plain(&ingress, BH_LEAF_ALLOW);
	else if (flatly(d->ingress))
		side_plain(&egress, BH_LEAF_ALLOW);
	if (mute) {
		side_mute(&egress);
		side_mute(&ingress);
	}
	r = combine(m, &egress, &ingress, ret);
	if (r == 0)
		r = bh_intern(&m->asked, key, sizeof(key), &i);
	while (r == 0 && m->answers.n <= i)
		r = bh_u32s_add(&m->answers, *ret);
	return failed(err, r);
}
