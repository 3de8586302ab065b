/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile.c - policy set + endpoints -> rule set
 *
 * DOC: Theory of operation
 *
 * What a policy set means is said here and nowhere else. For one direction of one connection (egress: the
 * policies of the source; ingress: those of the destination) and one protocol that is spoken:
 *
 *  1. The policies that count are those of the endpoint's namespace whose podSelector matches it and that
 *     have an effect in this direction: they isolate it, or have rules. (A NetworkPolicy's rules count only
 *     where it isolates.) Where there is none, the endpoint is no subject: it has no cells, all is allowed.
 *  2. A rule matches if its peers match the other side, its ports the destination port, and its protocols
 *     what is spoken; each list may be absent. Peers are endpoints by namespace and labels, or addresses
 *     by ipBlock, whoever has them. Named ports are looked up at the destination.
 *  3. Enforced policies are a set:
 *	a deny or reject rule matches	-> refused (the first by policy, then by place, says how)
 *	else an allow rule matches	-> allowed
 *	else a policy isolates		-> refused: "isolated", or "protocol" if an allow rule matches all but
 *					   what is spoken
 *	else				-> allowed, "not isolated"
 *  4. A protocol that stays unknown matches what lists `unknown` (and notProtocols without it). If it
 *     would be refused only because no allow rule with protocols matches, unknownProtocol of those rules'
 *     policies decides, the strictest of them.
 *  5. A protocol that is undecided may be anything: the worst of all answers.
 *  6. A policy in mode monitor changes none of this. If the enforced policies and this one together would
 *     refuse what is allowed, that is recorded ("would").
 *  7. What is allowed and matches an alert or log rule is recorded too.
 *
 * "First by policy" is the order of the set: kind, namespace, name; then the place of the rule.
 *
 * The answer of a cell depends on nothing but the protocol; if it does not even depend on that, the cell is
 * plain (compile_judge.c). Only the application tier is compiled so far: other tiers are refused.
 *
 * The phases are listed in compile_internal.h. A run keeps nothing but the numbers it gave: bh_compiler
 * holds the dictionaries, and forgets what was not used for BH_NUMBER_KEEP revisions.
 */
#include "policy/compile.h"

#include "common/util.h"
#include "policy/compile_internal.h"

#include <string.h>

#include "common/banned.h"

int bh_grow(void *arr, size_t *cap, size_t i, size_t size)
{
	void **p = arr;
	size_t n = *cap ? *cap : 8;
	void *v;

	if (i < *cap)
		return 0;
	while (n <= i)
		n *= 2;
	v = reallocarray(*p, n, size);
	if (!v)
		return -ENOMEM;
	memset((char *)v + *cap * size, 0, (n - *cap) * size);
	*p = v;
	*cap = n;
	return 0;
}

/* ---- the compiler ---- */

int bh_compiler_new(struct bh_compiler **ret)
{
	struct bh_compiler *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	bh_dict_init(&c->terms, 1, BH_NONE - 1);
	bh_dict_init(&c->ep_classes, BH_CLASS_ENDPOINT + 1, BH_NONE - 1);
	bh_dict_init(&c->out_classes, BH_CLASS_WORLD + 1, BH_CLASS_ENDPOINT - 1);
	bh_dict_init(&c->pieces, BH_PORT_PIECE_BASE, BH_CLASS_ENDPOINT - 1);
	bh_dict_init(&c->reasons, 1, BH_WORD_NUMBER);
	bh_dict_init(&c->contracts, 1, BH_WORD_NUMBER);
	*ret = c;
	return 0;
}

struct bh_compiler *bh_compiler_free(struct bh_compiler *c)
{
	if (c) {
		bh_dict_done(&c->terms);
		bh_dict_done(&c->ep_classes);
		bh_dict_done(&c->out_classes);
		bh_dict_done(&c->pieces);
		bh_dict_done(&c->reasons);
		bh_dict_done(&c->contracts);
		free(c);
	}
	return NULL;
}

static void compiler_sweep(struct bh_compiler *c)
{
	bh_dict_sweep(&c->terms, c->revision);
	bh_dict_sweep(&c->ep_classes, c->revision);
	bh_dict_sweep(&c->out_classes, c->revision);
	bh_dict_sweep(&c->pieces, c->revision);
	bh_dict_sweep(&c->reasons, c->revision);
	bh_dict_sweep(&c->contracts, c->revision);
}

/* ---- a run ---- */

static void policy_done(struct bh_cpolicy *cp)
{
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
		for (size_t i = 0; i < cp->n_rules[d]; i++) {
			bh_u32s_done(&cp->rules[d][i].peers);
			free(cp->rules[d][i].ports);
		}
		free(cp->rules[d]);
	}
}

static void sigma_done(struct bh_sigma *s)
{
	free(s->policies);
	free(s->rules);
	free(s->peers);
	bh_intern_done(&s->memo);
	bh_u32s_done(&s->words);
}

static void run_done(struct bh_run *run)
{
	for (size_t i = 0; i < run->term_texts.n; i++) {
		bh_u32s_done(&run->terms[i].policies);
		bh_u32s_done(&run->terms[i].classes);
	}
	for (size_t i = 0; run->policies && i < run->set->n_policies; i++)
		policy_done(&run->policies[i]);
	for (size_t i = 0; i < run->group_keys.n; i++)
		bh_u32s_done(&run->groups[i].terms);
	for (size_t i = 0; run->port_classes && i < run->port_names.n; i++)
		bh_u32s_done(&run->port_classes[i]);
	for (size_t i = 0; i < run->sigma_keys.n; i++)
		sigma_done(&run->sigmas[i]);
	for (size_t i = 0; i < run->reason_keys.n; i++)
		free(run->reasons[i].text);
	bh_u32s_done(&run->port_vec_ids);
	bh_intern_done(&run->term_texts);
	bh_intern_done(&run->port_names);
	bh_intern_done(&run->port_vecs);
	bh_intern_done(&run->port_vec_texts);
	bh_intern_done(&run->group_keys);
	bh_intern_done(&run->cidr_sets);
	bh_intern_done(&run->sigma_keys);
	bh_intern_done(&run->rows);
	bh_intern_done(&run->reason_keys);
	bh_intern_done(&run->contracts);
	free(run->terms);
	free(run->policies);
	free(run->groups);
	free(run->port_classes);
	free(run->pieces);
	free(run->addrs);
	free(run->classes);
	free(run->by_number);
	free(run->cuts);
	free(run->sigmas);
	free(run->reasons);
}

static int addrs_make(const struct bh_run *run, struct bh_compiled *ret)
{
	ret->addrs = calloc(run->n_addrs + 1, sizeof(*ret->addrs));
	if (!ret->addrs)
		return -ENOMEM;
	ret->n_addrs = run->n_addrs;
	for (size_t i = 0; i < run->n_addrs; i++) {
		const struct bh_caddr *a = &run->addrs[i];

		ret->addrs[i] = (struct bh_addr_class){
			.addr = a->addr,
			.cls = run->classes[a->cls].number,
			.local = a->local,
			.endpoint = a->ep,
		};
	}
	return 0;
}

static int run_phases(struct bh_run *run, uint64_t revision, struct bh_compiled *out)
{
	static int (*const phases[])(struct bh_run *) = {
		bh_phase_terms, bh_phase_match, bh_phase_cidr,
		bh_phase_class, bh_phase_port,  bh_phase_row,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < BH_ARRAY_SIZE(phases); i++)
		r = phases[i](run);
	if (r == 0)
		r = bh_phase_emit(run, revision, &out->rules);
	if (r == 0)
		r = addrs_make(run, out);
	return r;
}

int64_t bh_compile_next_change(const struct bh_compiler *c)
{
	return INT64_MAX;
}

int bh_compile(struct bh_compiler *c, const struct bh_compile_input *in, struct bh_compiled *ret,
	       struct bh_err *err)
{
	uint64_t revision = in->revision;
	struct bh_err local = { .code = 0 };
	bh_cleanup(run_done) struct bh_run run = {
		.c = c,
		.set = in->set,
		.eps = in->eps,
		.n_eps = in->n_eps,
		.err = &local,
	};
	struct bh_compiled out = { .rules = NULL };
	int r;

	c->revision = BH_MAX(c->revision, revision);
	r = run_phases(&run, revision, &out);
	compiler_sweep(c);
	if (r < 0) {
		bh_compiled_done(&out);
		return bh_err_set(err, r, "%s", bh_err_text(&local, r));
	}
	*ret = out;
	return 0;
}

const struct bh_addr_class *bh_compiled_find(const struct bh_compiled *c, const struct bh_addr *a)
{
	size_t lo = 0, hi = c->n_addrs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = bh_addr_cmp(&c->addrs[mid].addr, a);

		if (cmp == 0)
			return &c->addrs[mid];
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

void bh_compiled_done(struct bh_compiled *c)
{
	c->rules = bh_ruleset_free(c->rules);
	free(c->addrs);
	*c = (struct bh_compiled){ .rules = NULL };
}
