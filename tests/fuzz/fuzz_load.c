/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_load.c - a manifest, as anybody may send it to the agent
 *
 * Whatever the bytes are: they are read or refused with at least one message, messages hold no control
 * characters, the source that a policy keeps gives the same policy again, and no policy lacks a value. Lint looks at
 * what was read.
 */
#include "policy/lint.h"
#include "tests/lib/model_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_messages(struct bh_diags *d)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	json_t *json;

	bh_diags_sort(d);
	bh_diags_print(d, &out);
	for (size_t i = 0; i < out.len; i++) {
		uint8_t c = (uint8_t)out.data[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			abort();
	}
	json = bh_diags_json(d);
	if (!json)
		abort();
	json_decref(json);
}

/* Nothing that was read without an error lacks a value, or has one that allows by being nothing. */
static void check_sound(const struct bh_policy *p)
{
	if (!p->tier || !p->mode || !p->unknown ||
	    (p->tier != BH_TIER_APPLICATION && p->priority < 0))
		abort();
	for (unsigned dir = BH_DIR_INGRESS; dir < BH_DIR_COUNT; dir++) {
		for (size_t i = 0; i < p->n_rules[dir]; i++) {
			const struct bh_rule *r = &p->rules[dir][i];

			if (!r->action || !r->urgency || !r->unknown || !r->on_overload ||
			    !r->midstream || !r->proxy ||
			    r->n_ports > (r->has_ports ? SIZE_MAX : 0) ||
			    (r->has_protocols && bh_protoset_empty(&r->protocols)))
				abort();
			for (size_t k = 0; k < r->n_peers; k++)
				if (!r->peers[k].kind)
					abort();
			for (size_t k = 0; k < r->n_details; k++)
				for (size_t c = 0; c < r->details[k].n; c++)
					for (size_t t = 0; t < r->details[k].clauses[c].n; t++)
						if (r->details[k].clauses[c].tests[t].values.n == 0)
							abort();
		}
	}
}

static void check_source(const struct bh_policy *p)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf first = BH_BUF_INIT, second = BH_BUF_INIT;
	const struct bh_policy *q;

	if (bh_load_text(set, "again", p->source, strlen(p->source), &d) < 0)
		abort();
	q = bh_policy_set_find(set, p->kind, p->ns, p->name);
	if (!q || set->n_policies != 1)
		abort();
	bh_model_put_policy(&first, p);
	bh_model_put_policy(&second, q);
	if (strcmp(bh_buf_str(&first), bh_buf_str(&second)) != 0)
		abort();
	check_sound(p);
}

static void check_lint(const struct bh_policy_set *set, struct bh_diags *d)
{
	const struct bh_surroundings nothing = { .n_cluster = 0 };
	const struct bh_lint_input in = {
		.set = set,
		.eps = (const struct bh_endpoint *const *)set->endpoints,
		.n_eps = set->n_endpoints,
		.endpoints = set->n_namespaces % 2 ? BH_LINT_ALL : BH_LINT_SOME,
		.around = &nothing,
		.no_resolvers = true,
		.now = 1930316400,
	};
	size_t errors = d->n_errors;

	if (bh_lint(&in, d) < 0 || d->n_errors != errors)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	int r;

	if (!set)
		return 0;
	r = bh_load_text(set, "input", (const char *)data, size, &d);
	if (r != (d.n_errors ? -EINVAL : 0))
		abort();
	for (size_t i = 0; i < set->n_policies; i++)
		check_source(set->policies[i]);
	r = bh_load_finish(set, &d);
	if (r != 0 && r != -EINVAL)
		abort();
	check_lint(set, &d);
	check_messages(&d);
	return 0;
}
