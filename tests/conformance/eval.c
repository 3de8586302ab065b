/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/conformance/eval.c - answers questions of the conformance runner by the compiled rule set
 *
 * One JSON object a line in, one a line out; "op" says what is asked.
 *
 * "step": one step of a case, with everything there is after it. The compilers live until "reset", so that the
 * steps of a case also show that a new revision says what it should.
 *
 *	{"op": "step", "reset": true, "documents": [{"file": "f", "text": "..."}],
 *	 "nodes": [{"name", "labels": {}, "addresses": []}], "names": [{"name", "addresses": []}],
 *	 "endpoints": [{"ns", "name", "node", "labels": {}, "addresses": [],
 *			"ports": [{"name", "protocol", "port"}]}],
 *	 "ends": [{"addresses": [], "endpoint": true, "node": "n1"}],
 *	 "probes": [{"protocol": "TCP", "port": 80, "family": 4}]}
 *
 * answers {"scratch": [[row, ...], ...], "policies first": [...], "policies last": [...], "nodes": [...], "again": false}:
 * what the rule set of all endpoints says; what it says when it is made by changes of the one before, in two ways
 * ("again": that would not do, it was bh_compile()); and what those say that the agent of each node makes, each asked for
 * its own endpoints. For each probe a row for each source, with a character for each destination as in the cases: '.',
 * 'e', 'i', 'b', 'x'; and 'c' where it depends on what is spoken, '!' where an endpoint's address has no class.
 * {"error": "..."} where manifests or the compiler refuse.
 *
 * "explain": {"op", "from": 0, "to": 1, "protocol", "port", "family"}, about the last step: {"text": "..."}.
 *
 * "load": {"op", "file", "text"}: {"accepted": true, "diagnostics": [...], "policies": [...]}.
 */
#include "tests/conformance/eval.h"
#include "common/util.h"
#include "policy/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/banned.h"

/* A request that takes longer has hung: the runner sees that the program ended. */
#define REQUEST_SECONDS 60

struct eval {
	struct bh_compiler *compiler;
	uint64_t revision;
	json_t *req; /* of the last step: ends borrow from it */
	struct world world;
	struct bh_compiled out;
	struct changes changes[WAYS];
	struct views views;
	struct end *ends;
	size_t n_ends;
};

static json_t *failed(const char *what, const char *text)
{
	return json_pack("{s:o}", "error", json_sprintf("%s: %s", what, text));
}

/* ---- cells ---- */

/* A pod and the machine it runs on. */
static bool own_node(const struct end *a, const struct end *b)
{
	return a->endpoint != b->endpoint && a->node && bh_streq(a->node, b->node);
}

static bool class_of(const struct bh_compiled *c, const struct end *e, const struct end *other,
		     size_t family, uint32_t *ret_class, bool *ret_local)
{
	const struct bh_addr_class *a;

	if (!e->endpoint) {
		*ret_class = own_node(e, other) ? BH_CLASS_HOST : 0;
		return true;
	}
	a = bh_compiled_find(c, &e->addr[family]);
	if (!a)
		return false;
	*ret_class = a->cls;
	*ret_local = a->local;
	return true;
}

/* What one rule set says to a connection; false: an endpoint's address has no class in it. */
static bool decide(const struct bh_compiled *c, const struct end *from, const struct end *to,
		   size_t family, const struct bh_conn *what, struct bh_decision *ret)
{
	struct bh_conn conn = *what;

	if (!c || !class_of(c, from, to, family, &conn.src_class, &conn.src_local) ||
	    !class_of(c, to, from, family, &conn.dst_class, &conn.dst_local))
		return false;
	*ret = bh_ruleset_decide(c->rules, &conn);
	return true;
}

static char cell(const struct end *from, const struct end *to, size_t family, uint8_t l4,
		 uint16_t port)
{
	const struct bh_conn what = {
		.src = from->addr[family], .dst = to->addr[family], .l4 = l4, .dport = port
	};
	struct bh_decision d = { 0, 0 }, other;
	bool eg, in;

	if (!what.src.family || !what.dst.family || (!from->endpoint && !to->endpoint))
		return 'x';
	if (from->endpoint && !decide(from->view, from, to, family, &what, &d))
		return '!';
	if (to->endpoint && to->view != from->view) {
		if (!decide(to->view, from, to, family, &what, &other))
			return '!';
		d.ingress = other.ingress;
	}
	if (bh_decision_outcome(&d) == BH_OUTCOME_CONTRACT)
		return 'c';
	eg = d.egress && bh_word_refuses(d.egress);
	in = d.ingress && bh_word_refuses(d.ingress);
	return eg && in ? 'b' : eg ? 'e' : in ? 'i' : '.';
}

static json_t *rows(const struct eval *e, const json_t *probe)
{
	json_t *list = must(json_array());
	uint8_t l4 = l4_of(json_string_value(json_object_get(probe, "protocol")));
	uint16_t port = (uint16_t)json_integer_value(json_object_get(probe, "port"));
	size_t family = json_integer_value(json_object_get(probe, "family")) == 6;
	bh_cleanup(bh_buf_done) struct bh_buf row = BH_BUF_INIT;

	for (size_t s = 0; s < e->n_ends; s++) {
		bh_buf_clear(&row);
		for (size_t d = 0; d < e->n_ends; d++)
			bh_buf_putc(&row, cell(&e->ends[s], &e->ends[d], family, l4, port));
		(void)json_array_append_new(list, json_string(bh_buf_str(&row)));
	}
	return list;
}

/* Every end asks the same rule set, or (@c NULL) that of its node. */
static json_t *tables(const struct eval *e, const struct bh_compiled *c)
{
	json_t *list = must(json_array()), *probe;
	size_t i;

	for (size_t k = 0; k < e->n_ends; k++) {
		struct end *end = &e->ends[k];

		end->view = !end->endpoint ? NULL : c ? c : views_find(&e->views, end->node);
	}
	json_array_foreach(json_object_get(e->req, "probes"), i, probe)
		(void)json_array_append_new(list, rows(e, probe));
	return list;
}

/* ---- steps ---- */

static void answers_done(struct eval *e)
{
	bh_compiled_done(&e->out);
	views_done(&e->views);
	free(e->ends);
	e->ends = NULL;
	e->n_ends = 0;
	json_decref(e->req);
	e->req = NULL;
}

static void forget_changes(struct eval *e)
{
	for (enum way w = 0; w < WAYS; w++)
		changes_done(&e->changes[w]);
}

static void reset(struct eval *e)
{
	forget_changes(e);
	world_done(&e->world);
	e->compiler = bh_compiler_free(e->compiler);
}

/* The rule sets of e->world; @before: what the one of changes stands at. */
static json_t *compile(struct eval *e, const struct world *before)
{
	struct bh_compile_input in = world_input(&e->world, ++e->revision);
	struct bh_err err = { .code = 0 };
	int r = bh_compile(e->compiler, &in, &e->out, &err);

	if (r < 0)
		return failed("from scratch", bh_err_text(&err, r));
	for (enum way w = 0; w < WAYS; w++) {
		r = changes_step(&e->changes[w], w, before, &e->world, &err);
		if (r < 0)
			return failed("by changes", bh_err_text(&err, r));
	}
	r = views_make(&e->views, &e->world, e->revision, &err);
	if (r < 0)
		return failed("for a node", bh_err_text(&err, r));
	return json_pack("{s:o, s:o, s:o, s:o, s:b}", "scratch", tables(e, &e->out),
			 "policies first", tables(e, &e->changes[POLICIES_FIRST].out),
			 "policies last", tables(e, &e->changes[POLICIES_LAST].out), "nodes",
			 tables(e, NULL), "again",
			 e->changes[POLICIES_FIRST].again || e->changes[POLICIES_LAST].again);
}

static json_t *step(struct eval *e, json_t *req)
{
	bh_cleanup(bh_buf_done) struct bh_buf error = BH_BUF_INIT;
	bh_cleanup(world_done) struct world before = { .set = NULL };
	json_t *reply;

	answers_done(e);
	if (json_is_true(json_object_get(req, "reset")))
		reset(e);
	if (!e->compiler && bh_compiler_new(&e->compiler) < 0)
		must(NULL);
	before = e->world;
	e->req = json_incref(req);
	if (world_make(&e->world, req, &error) < 0) {
		reply = failed("refused", bh_buf_str(&error));
	} else {
		e->ends = ends_make(json_object_get(req, "ends"), &e->n_ends);
		reply = compile(e, &before);
	}
	/* What begins anew needs nothing of the step before. */
	if (json_object_get(reply, "error"))
		forget_changes(e);
	return reply;
}

/* ---- the other questions ---- */

static json_t *explain(const struct eval *e, const json_t *req)
{
	size_t from = (size_t)json_integer_value(json_object_get(req, "from"));
	size_t to = (size_t)json_integer_value(json_object_get(req, "to"));
	size_t family = json_integer_value(json_object_get(req, "family")) == 6;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	struct bh_err err = { .code = 0 };
	enum bh_outcome outcome;
	int r;
	struct bh_query q = {
		.from_endpoint = SIZE_MAX,
		.to_endpoint = SIZE_MAX,
		.around = &e->world.around,
	};

	if (!e->out.rules || from >= e->n_ends || to >= e->n_ends)
		return failed("explain", "there is no rule set");
	q.from_addr = e->ends[from].addr[family];
	q.to_addr = e->ends[to].addr[family];
	q.family = family ? 6 : 4;
	q.l4 = l4_of(json_string_value(json_object_get(req, "protocol")));
	q.port = (uint16_t)json_integer_value(json_object_get(req, "port"));
	r = bh_explain(e->world.set, (const struct bh_endpoint *const *)e->world.eps,
		       e->world.n_eps, &e->out, &q, &text, NULL, &outcome, &err);
	if (r < 0)
		return failed("explain", bh_err_text(&err, r));
	return json_pack("{s:s}", "text", bh_buf_str(&text));
}

static json_t *load(const json_t *req)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = must(bh_policy_set_new());
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_autofree char *file = text_of(req, "file");
	const json_t *t = json_object_get(req, "text");
	json_t *policies = must(json_array());
	int r = bh_load_text(set, file, json_string_value(t), json_string_length(t), &d);

	if (r == 0)
		r = bh_load_finish(set, &d);
	for (size_t i = 0; r == 0 && i < set->n_policies; i++)
		(void)json_array_append_new(policies, policy_json(set->policies[i]));
	return json_pack("{s:b, s:o, s:o}", "accepted", r == 0, "diagnostics", bh_diags_json(&d),
			 "policies", policies);
}

static json_t *reply_to(struct eval *e, json_t *req)
{
	const char *op = json_string_value(json_object_get(req, "op"));

	if (bh_streq(op, "step"))
		return step(e, req);
	if (bh_streq(op, "explain"))
		return explain(e, req);
	if (bh_streq(op, "load"))
		return load(req);
	return failed("request", "unknown");
}

int main(void)
{
	struct eval e = { .compiler = NULL };
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	while ((len = getline(&line, &cap, stdin)) > 0) {
		json_t *req = json_loadb(line, (size_t)len, 0, NULL), *reply;

		(void)alarm(REQUEST_SECONDS);
		reply = must(reply_to(&e, req));
		(void)alarm(0);
		if (json_dumpf(reply, stdout, JSON_COMPACT) < 0)
			return 2;
		putchar('\n');
		fflush(stdout);
		json_decref(req);
		json_decref(reply);
	}
	answers_done(&e);
	reset(&e);
	free(line);
	return 0;
}
