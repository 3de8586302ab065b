/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/conformance/eval.c - answers questions of the conformance runner by the compiled rule set
 *
 * One JSON object a line in, one a line out. A request is one step of a case: all policies as text, all
 * namespaces and endpoints, and pairs of addresses to ask about. The compiler lives as long as the process,
 * so that steps of a case also show that a new revision says what it should.
 *
 *	{"reset": true, "documents": [{"file": "f", "text": "..."}],
 *	 "endpoints": [{"ns","name","labels":{},"addresses":[],"ports":[{"name","protocol","port"}]}],
 *	 "probes": [{"protocol": "TCP", "port": 80, "pairs": [["10.0.0.1","10.0.0.2"],...]}]}
 *
 * answers {"probes": ["..ei", ...]}, a character for each pair: '.' allowed, 'e' refused by the source's
 * policies, 'i' by the destination's, 'b' by both, 'c' depends on the protocol; or {"error": "..."}.
 */
#include "common/util.h"
#include "policy/compile.h"
#include "policy/load.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct eval {
	struct bh_compiler *compiler;
	uint64_t revision;
	struct bh_policy_set *set;
	struct bh_endpoint **eps;
	size_t n_eps;
	struct bh_compiled out;
	char error[4096];
};

static void *must(void *p)
{
	if (!p) {
		fputs("conformance_eval: out of memory\n", stderr);
		exit(2);
	}
	return p;
}

static char *text_of(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return must(strdup(s ? s : ""));
}

static uint8_t l4_of(const char *name)
{
	if (bh_streq(name, "UDP"))
		return BH_L4_UDP;
	return bh_streq(name, "SCTP") ? BH_L4_SCTP : BH_L4_TCP;
}

static void step_done(struct eval *e)
{
	bh_policy_set_free(e->set);
	e->set = NULL;
	for (size_t i = 0; i < e->n_eps; i++)
		bh_endpoint_free(e->eps[i]);
	free(e->eps);
	e->eps = NULL;
	e->n_eps = 0;
	bh_compiled_done(&e->out);
}

static int documents_load(struct eval *e, const json_t *docs)
{
	struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	const json_t *doc;
	size_t i;
	int r = 0;

	e->set = must(bh_policy_set_new());
	json_array_foreach(docs, i, doc) {
		const json_t *t = json_object_get(doc, "text");
		bh_autofree char *file = text_of(doc, "file");

		if (bh_load_text(e->set, file, json_string_value(t), json_string_length(t), &d) < 0)
			r = -EINVAL;
	}
	if (bh_load_finish(e->set, &d) < 0)
		r = -EINVAL;
	if (r < 0) {
		bh_diags_sort(&d);
		bh_diags_print(&d, &text);
		snprintf(e->error, sizeof(e->error), "%s", bh_buf_str(&text));
	}
	bh_diags_done(&d);
	return r;
}

static struct bh_endpoint *endpoint_make(const json_t *j)
{
	struct bh_endpoint *ep = must(calloc(1, sizeof(*ep)));
	json_t *addrs = json_object_get(j, "addresses"), *ports = json_object_get(j, "ports");
	json_t *labels = json_object_get(j, "labels"), *v;
	const char *key;
	size_t i;

	ep->id = text_of(j, "name");
	ep->ns = text_of(j, "ns");
	ep->name = text_of(j, "name");
	ep->local = true;
	json_object_foreach(labels, key, v) {
		if (bh_labels_set(&ep->labels, key, json_string_value(v)) < 0)
			must(NULL);
	}
	ep->addrs = must(calloc(json_array_size(addrs) + 1, sizeof(*ep->addrs)));
	json_array_foreach(addrs, i, v) {
		if (bh_addr_parse(json_string_value(v), &ep->addrs[ep->n_addrs]) == 0)
			ep->n_addrs++;
	}
	ep->ports = must(calloc(json_array_size(ports) + 1, sizeof(*ep->ports)));
	json_array_foreach(ports, i, v) {
		struct bh_named_port *p = &ep->ports[ep->n_ports++];

		p->name = text_of(v, "name");
		p->l4 = l4_of(json_string_value(json_object_get(v, "protocol")));
		p->port = (uint16_t)json_integer_value(json_object_get(v, "port"));
	}
	return ep;
}

static void endpoints_make(struct eval *e, const json_t *list)
{
	const json_t *j;
	size_t i;

	e->eps = must(calloc(json_array_size(list) + 1, sizeof(struct bh_endpoint *)));
	json_array_foreach(list, i, j)
		e->eps[e->n_eps++] = endpoint_make(j);
}

static uint32_t class_of(const struct eval *e, const struct bh_addr *a)
{
	for (size_t i = 0; i < e->out.n_addrs; i++) {
		if (bh_addr_eq(&e->out.addrs[i].addr, a))
			return e->out.addrs[i].cls;
	}
	return 0;
}

static char answer(const struct eval *e, const json_t *pair, uint8_t l4, uint16_t port)
{
	struct bh_conn c = { .l4 = l4, .dport = port };
	struct bh_decision d;
	bool eg, in;

	if (bh_addr_parse(json_string_value(json_array_get(pair, 0)), &c.src) < 0 ||
	    bh_addr_parse(json_string_value(json_array_get(pair, 1)), &c.dst) < 0)
		return '!';
	c.src_class = class_of(e, &c.src);
	c.dst_class = class_of(e, &c.dst);
	c.src_local = c.src_class != 0;
	c.dst_local = c.dst_class != 0;
	d = bh_ruleset_decide(e->out.rules, &c);
	if (bh_decision_outcome(&d) == BH_OUTCOME_CONTRACT)
		return 'c';
	eg = d.egress && bh_word_refuses(d.egress);
	in = d.ingress && bh_word_refuses(d.ingress);
	return eg && in ? 'b' : eg ? 'e' : in ? 'i' : '.';
}

static json_t *probe(const struct eval *e, const json_t *j)
{
	json_t *pairs = json_object_get(j, "pairs"), *pair;
	bh_cleanup(bh_buf_done) struct bh_buf row = BH_BUF_INIT;
	uint8_t l4 = l4_of(json_string_value(json_object_get(j, "protocol")));
	uint16_t port = (uint16_t)json_integer_value(json_object_get(j, "port"));
	size_t i;

	json_array_foreach(pairs, i, pair)
		bh_buf_putc(&row, answer(e, pair, l4, port));
	return json_string(bh_buf_str(&row));
}

static json_t *step(struct eval *e, const json_t *req)
{
	json_t *list = json_array(), *probes = json_object_get(req, "probes"), *p;
	struct bh_err err = { .code = 0 };
	size_t i;
	int r;

	e->error[0] = '\0';
	if (json_is_true(json_object_get(req, "reset")) || !e->compiler) {
		e->compiler = bh_compiler_free(e->compiler);
		if (bh_compiler_new(&e->compiler) < 0)
			must(NULL);
	}
	r = documents_load(e, json_object_get(req, "documents"));
	if (r == 0) {
		endpoints_make(e, json_object_get(req, "endpoints"));
		r = bh_compile(e->compiler,
			       &(struct bh_compile_input){
				   .set = e->set,
				   .eps = (const struct bh_endpoint *const *)e->eps,
				   .n_eps = e->n_eps,
				   .revision = ++e->revision,
			       },
			       &e->out, &err);
		if (r < 0)
			snprintf(e->error, sizeof(e->error), "%s", err.msg);
	}
	if (r < 0) {
		json_decref(list);
		return json_pack("{s:s}", "error", e->error[0] ? e->error : "refused");
	}
	json_array_foreach(probes, i, p)
		(void)json_array_append_new(list, probe(e, p));
	return json_pack("{s:o}", "probes", list);
}

int main(void)
{
	struct eval e = { .compiler = NULL };
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	while ((len = getline(&line, &cap, stdin)) > 0) {
		json_t *req = json_loadb(line, (size_t)len, 0, NULL);
		json_t *reply = req ? step(&e, req) : json_pack("{s:s}", "error", "not JSON");

		if (!reply || json_dumpf(reply, stdout, JSON_COMPACT) < 0)
			return 2;
		putchar('\n');
		fflush(stdout);
		json_decref(req);
		json_decref(reply);
		step_done(&e);
	}
	free(line);
	bh_compiler_free(e.compiler);
	return 0;
}
