/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile.c - policy set + endpoints -> rule set
 *
 * DOC: What a policy set means
 *
 * It is said here and nowhere else. For one direction of one connection (egress: the policies of the source;
 * ingress: those of the destination), at one moment, and for what is spoken:
 *
 *  1. The policies that count are those that select the endpoint and have an effect in this direction: they isolate
 *     it, or have rules. (A NetworkPolicy's rules count only where it isolates.) What has expired, and rules outside
 *     of their hours, are as if they were not there. Where no policy is left the endpoint is no subject: it has no
 *     cells, all is allowed.
 *  2. A rule matches if its peers match the other side, its ports the destination port, and what it says of the
 *     protocol what is spoken; each list may be absent. Peers are endpoints by namespace and labels; addresses by
 *     ipBlock, by being a node's, by a name that DNS knows, whoever has them; or entities. Named ports are looked up at
 *     the destination. A peer of a later version matches nothing, and makes a deny or pass rule deny everything.
 *  3. The admin tier: policies by priority, then name, rules in order. The first allow, deny or reject that matches
 *     decides; pass leaves the tier.
 *  4. The application tier is a set:
 *	a deny or reject rule matches	-> refused (the first by policy, then by place, says how)
 *	else an allow rule matches	-> allowed
 *	else a policy isolates		-> refused: "isolated", or "protocol" if an allow rule matches all but
 *					   what is spoken
 *	else				-> the next tier
 *  5. The baseline tier, like the admin tier. After it: allowed, "not isolated".
 *  6. A protocol that stays unknown matches what lists `unknown` (and notProtocols without it). If it
 *     would be refused only because no allow rule with protocols matches, unknownProtocol of those rules
 *     decides, the strictest of them.
 *  7. A protocol that is undecided may be anything: the worst of all answers.
 *  8. A policy in mode monitor changes none of this. If the enforced policies and this one together would
 *     refuse what is allowed, that is recorded ("would"). So it is with mode learn, where it is no alarm.
 *  9. What is allowed and matches an alert or log rule, or a rule that says `log`, is recorded too.
 * 10. Traffic with the own node: only rules that name entity host, nodes or all match, and nothing isolates. But what
 *     the node opens to an endpoint with hostToContainer: policy is judged as what anybody opens: rules without peers
 *     match too (and those that deny everything), and it is isolated from its node.
 *
 * "First by policy" is bh_policy_order(); then the place of the rule.
 *
 * The answer of a cell depends on nothing but what is spoken; if it does not even depend on that, the cell is
 * plain (compile_word.c).
 *
 * DOC: One state, single changes
 *
 * Everything that follows from the input stands in one state (compile_internal.h). A change is put in at its place and
 * leaves notes of what has to be looked at again; commit() then follows them in the direction in which things
 * depend on each other: pieces of the address space, groups, addresses, classes, subjects, rows, the block. bh_compile()
 * does the same with an empty state and everything as the change, so there is one way for both.
 *
 * If anything fails, the state is forgotten: it may be half changed. What was made before is in the caller's hands,
 * and the numbers in the dictionaries are kept.
 */
#include "policy/compile.h"

#include "common/util.h"
#include "policy/compile/compile_internal.h"

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

/* ---- the state ---- */

static void terms_free(struct bh_state *s)
{
	for (size_t i = 0; i < s->cap_terms; i++)
		bh_term_done(&s->terms[i]);
	for (size_t i = 0; i < s->cap_nssels; i++) {
		bh_policy_free(s->nssels[i].owner);
		bh_u32s_done(&s->nssels[i].namespaces);
		bh_u32s_done(&s->nssels[i].terms);
		bh_u32s_done(&s->nssels[i].bare);
	}
	for (size_t i = 0; i < s->cap_ns; i++) {
		bh_labels_done(&s->ns[i].labels);
		bh_u32s_done(&s->ns[i].nssels);
		bh_u32s_done(&s->ns[i].groups);
		bh_u32s_done(&s->ns[i].bare);
	}
	for (size_t i = 0; i < s->cap_labels; i++) {
		bh_u32s_done(&s->labels[i].groups);
		bh_u32s_done(&s->labels[i].terms);
	}
	bh_slots_done(&s->term_texts);
	bh_slots_done(&s->nssel_texts);
	bh_intern_done(&s->ns_names);
	bh_intern_done(&s->label_keys);
	free(s->terms);
	free(s->nssels);
	free(s->ns);
	free(s->labels);
}

static void policies_free(struct bh_state *s)
{
	for (size_t i = 0; i < s->n_policies; i++)
		bh_cpolicy_free(s->policies[i]);
	for (size_t i = 0; i < s->cap_names; i++) {
		bh_u32s_done(&s->names[i].groups);
		bh_u32s_done(&s->names[i].vecs);
		bh_u32s_done(&s->names[i].sigmas);
	}
	bh_u32s_done(&s->free_policies);
	bh_u32s_done(&s->later_policies);
	bh_intern_done(&s->port_names);
	bh_slots_done(&s->ranges);
	free(s->policies);
	free(s->in_set);
	free(s->names);
	free(s->cuts);
}

static void endpoints_free(struct bh_state *s)
{
	for (size_t i = 0; i < s->cap_groups; i++)
		bh_group_done(&s->groups[i]);
	for (size_t i = 0; i < s->n_addrs; i++)
		bh_u32s_done(&s->addrs[i].claims);
	for (size_t i = 0; i < s->n_eps; i++)
		free(s->eps[i].addrs);
	for (size_t i = 0; i < s->n_nodes; i++)
		bh_node_free(s->nodes[i]);
	bh_surroundings_forget(s);
	bh_slots_done(&s->group_keys);
	bh_u32s_done(&s->free_addrs);
	free(s->nodes);
	free(s->groups);
	free(s->addrs);
	free(s->by_addr);
	free(s->eps);
}

static void classes_free(struct bh_state *s)
{
	for (size_t i = 0; i < s->cap_csets; i++)
		bh_u32s_done(&s->csets[i].classes);
	for (size_t i = 0; i < s->cap_vecs; i++)
		bh_u32s_done(&s->vecs[i].classes);
	for (size_t i = 0; i < s->cap_sigmas; i++)
		bh_sigma_done(&s->sigmas[i]);
	bh_slots_done(&s->cset_keys);
	bh_slots_done(&s->vec_keys);
	bh_slots_done(&s->class_keys);
	bh_slots_done(&s->sigma_keys);
	bh_slots_done(&s->row_keys);
	free(s->csets);
	free(s->pieces);
	free(s->vecs);
	free(s->classes);
	free(s->sigmas);
	free(s->by_number);
}

static void words_free(struct bh_state *s)
{
	for (size_t i = 0; i < s->cap_reasons; i++)
		free(s->reasons[i].text);
	for (size_t i = 0; i < s->cap_preds; i++)
		bh_policy_free(s->preds[i].owner);
	bh_intern_done(&s->reason_keys);
	bh_intern_done(&s->contract_keys);
	bh_intern_done(&s->node_keys);
	bh_intern_done(&s->pred_keys);
	bh_buf_done(&s->texts);
	free(s->reasons);
	free(s->contracts);
	free(s->node_infos);
	free(s->preds);
}

static struct bh_state *state_free(struct bh_state *s)
{
	if (!s)
		return NULL;
	words_free(s);
	classes_free(s);
	endpoints_free(s);
	policies_free(s);
	terms_free(s);
	bh_u32s_done(&s->dirty_groups);
	bh_u32s_done(&s->dirty_addrs);
	bh_u32s_done(&s->born);
	bh_u32s_done(&s->resubject);
	bh_u32s_done(&s->idle);
	bh_u32s_done(&s->ep_csets);
	bh_u32s_done(&s->outsiders);
	bh_buf_done(&s->key);
	bh_ruleset_free(s->rules);
	free(s);
	return NULL;
}

/* The world, which no term covers, is there in both families, and stays. */
static int state_new(struct bh_compiler *c, struct bh_state **ret)
{
	struct bh_state *s = calloc(1, sizeof(*s));
	uint32_t empty;
	int r;

	if (!s)
		return -ENOMEM;
	s->c = c;
	r = bh_cset_get(s, NULL, 0, &empty);
	for (uint8_t family = 4; r == 0 && family <= 6; family = (uint8_t)(family + 2))
		r = bh_class_outside(s, empty, family);
	if (r < 0) {
		state_free(s);
		return r;
	}
	*ret = s;
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
	bh_dict_init(&c->out_classes, BH_CLASS_WORLD + 1, BH_CLASS_HOST - 1);
	bh_dict_init(&c->pieces, BH_PORT_PIECE_BASE, BH_CLASS_ENDPOINT - 1);
	bh_dict_init(&c->reasons, 1, BH_WORD_NUMBER);
	bh_dict_init(&c->contracts, 1, BH_WORD_NUMBER);
	bh_dict_init(&c->preds, 1, BH_WORD_NUMBER);
	*ret = c;
	return 0;
}

struct bh_compiler *bh_compiler_free(struct bh_compiler *c)
{
	if (c) {
		state_free(c->s);
		bh_dict_done(&c->terms);
		bh_dict_done(&c->ep_classes);
		bh_dict_done(&c->out_classes);
		bh_dict_done(&c->pieces);
		bh_dict_done(&c->reasons);
		bh_dict_done(&c->contracts);
		bh_dict_done(&c->preds);
		free(c);
	}
	return NULL;
}

/* ---- following the notes ---- */

/* What was given up is named nowhere any more: slots may be used again. */
static int settle(struct bh_state *s)
{
	struct bh_slots *const all[] = {
		&s->nssel_texts, &s->ranges,     &s->group_keys, &s->cset_keys,
		&s->vec_keys,    &s->class_keys, &s->sigma_keys, &s->row_keys,
	};
	int r = 0;

	for (size_t i = 0; i < s->term_texts.later.n; i++)
		bh_term_done(&s->terms[s->term_texts.later.v[i]]);
	r = bh_slots_settle(&s->term_texts);
	for (; r == 0 && s->later_policies.n; s->later_policies.n--) {
		uint32_t slot = s->later_policies.v[s->later_policies.n - 1];

		bh_cpolicy_free(s->policies[slot]);
		s->policies[slot] = NULL;
		r = bh_u32s_add(&s->free_policies, slot);
	}
	for (size_t i = 0; r == 0 && i < BH_ARRAY_SIZE(all); i++)
		r = bh_slots_settle(all[i]);
	return r;
}

static int addrs_make(const struct bh_state *s, struct bh_compiled *ret)
{
	ret->addrs = malloc((s->n_by_addr + 1) * sizeof(*ret->addrs));
	if (!ret->addrs)
		return -ENOMEM;
	ret->n_addrs = s->n_by_addr;
	for (size_t i = 0; i < s->n_by_addr; i++) {
		const struct bh_caddr *a = &s->addrs[s->by_addr[i]];

		ret->addrs[i] = (struct bh_addr_class){
			.addr = a->addr,
			.cls = s->classes[a->cls].number,
			.local = a->local,
			.endpoint = a->owner,
		};
	}
	return 0;
}

/* @policies: terms may have gone, which idle classes still name. */
static int commit(struct bh_state *s, bool policies, bool check, struct bh_compiled *out)
{
	int r = bh_classes_settle(s);

	if (r == 0 && (s->n_local == 0) != s->offline)
		return -EAGAIN;
	if (r == 0 && policies)
		r = bh_classes_purge(s);
	if (r == 0)
		r = bh_sigmas_settle(s);
	if (r == 0 && s->cuts_dirty)
		r = bh_cuts_make(s);
	if (r == 0 && (s->changed || !s->rules)) {
		r = bh_classes_purge(s);
		if (r == 0)
			r = bh_sigmas_settle(s);
		if (r == 0)
			r = bh_emit(s, s->c->revision, check);
	}
	if (r == 0)
		r = settle(s);
	if (r == 0)
		r = addrs_make(s, out);
	if (r == 0)
		out->rules = bh_ruleset_ref(s->rules);
	return r;
}

/* The end of a call: what went wrong is told, and the state forgotten. */
static int finish(struct bh_compiler *c, int r, const struct bh_err *why, struct bh_compiled *out,
		  struct bh_compiled *ret, struct bh_err *err)
{
	if (r == 0) {
		c->s->err = NULL;
		*ret = *out;
		return 0;
	}
	c->s = state_free(c->s);
	bh_compiled_done(out);
	return bh_err_set(err, r, "%s", bh_err_text(why, r));
}

static int apply_policies(struct bh_state *s, const struct bh_compile_input *in)
{
	bool back = in->now < s->now;
	int r;

	s->now = in->now;
	r = bh_ns_declare(s, in->set);
	if (r == 0)
		r = bh_surroundings_apply(s, in->set, in->around);
	return r < 0 ? r : bh_policies_apply(s, in->set, back);
}

static bool nobody_is_local(const struct bh_compile_input *in)
{
	for (size_t i = 0; i < in->n_eps; i++) {
		if (in->eps[i]->local && in->eps[i]->n_addrs)
			return false;
	}
	return true;
}

int bh_compile(struct bh_compiler *c, const struct bh_compile_input *in, struct bh_compiled *ret,
	       struct bh_err *err)
{
	struct bh_err local = { .code = 0 };
	struct bh_compiled out = { .rules = NULL };
	int r;

	c->revision = BH_MAX(c->revision, in->revision);
	c->s = state_free(c->s);
	if (in->n_eps >= BH_CLASS_ENDPOINT)
		return bh_err_set(err, -E2BIG, "too many endpoints");
	r = state_new(c, &c->s);
	if (r < 0)
		return bh_err_set(err, r, "out of memory");
	c->s->err = &local;
	/* Offline nothing is local: then the rule set is made for every endpoint. */
	c->s->offline = nobody_is_local(in);
	r = apply_policies(c->s, in);
	for (uint32_t i = 0; r == 0 && i < in->n_eps; i++)
		r = bh_endpoint_put(c->s, i, in->eps[i]);
	if (r == 0)
		r = commit(c->s, true, true, &out);
	return finish(c, r, &local, &out, ret, err);
}

int bh_compile_endpoints(struct bh_compiler *c, const struct bh_endpoint_change *changes, size_t n,
			 uint64_t revision, struct bh_compiled *ret, struct bh_err *err)
{
	struct bh_err local = { .code = 0 };
	struct bh_compiled out = { .rules = NULL };
	int r = 0;

	if (!c->s || c->s->stale)
		return bh_err_set(err, -EAGAIN, "nothing is known to go on from");
	c->revision = BH_MAX(c->revision, revision);
	c->s->err = &local;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = bh_endpoint_put(c->s, changes[i].index, changes[i].ep);
	if (r == 0)
		r = commit(c->s, false, false, &out);
	return finish(c, r, &local, &out, ret, err);
}

int bh_compile_policies(struct bh_compiler *c, const struct bh_compile_input *in,
			struct bh_compiled *ret, struct bh_err *err)
{
	struct bh_err local = { .code = 0 };
	struct bh_compiled out = { .rules = NULL };
	int r;

	if (!c->s || c->s->stale)
		return bh_err_set(err, -EAGAIN, "nothing is known to go on from");
	c->revision = BH_MAX(c->revision, in->revision);
	c->s->err = &local;
	r = apply_policies(c->s, in);
	if (r == 0)
		r = commit(c->s, true, false, &out);
	return finish(c, r, &local, &out, ret, err);
}

int64_t bh_compile_next_change(const struct bh_compiler *c)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; c->s && i < c->s->n_policies; i++) {
		if (c->s->policies[i])
			next = BH_MIN(next, c->s->policies[i]->next);
	}
	return next;
}

/* ---- what came out ---- */

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
