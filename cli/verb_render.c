// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_render.c - bulkhead render: the compiled rule set in words, or what the kernel made of it
 */
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/live_text.h"
#include "cli/out.h"
#include "cli/view.h"
#include "cli/world.h"
#include "dataplane/kernel/live.h"
#include "dataplane/kernel/projection.h"

#include "common/util.h"

#include <stdio.h>
#include <unistd.h>

#include "common/banned.h"

static int from_agent(const struct bh_args *a)
{
	const struct bh_request req = { .socket = a->socket,
					.method = "GET",
					.path = "/v1/ruleset" };
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;

	if (bh_agent_text(&req, &text) < 0)
		return BH_EXIT_FAILED;
	return bh_out_write(&text);
}

/* What the kernel would be told, if all endpoints were on one host. */
static int print_kernel(struct bh_compiled *c, struct bh_buf *out)
{
	struct bh_projection p;
	int r;

	for (size_t i = 0; i < c->n_addrs; i++)
		c->addrs[i].local = true;
	r = bh_projection_make(c->rules, c->addrs, c->n_addrs, &p);
	if (r < 0) {
		bh_out_complain("render: it cannot be told to the kernel: %s",
				bh_err_text(NULL, r));
		return BH_EXIT_FAILED;
	}
	bh_projection_print(&p, out);
	bh_projection_done(&p);
	return BH_EXIT_OK;
}

/* ---- the kernel's state ---- */

#define TABLE "bulkhead"

static int print_live(const struct bh_args *a, json_t *v, const char *source)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	int code;

	(void)json_object_set_new(v, "source", json_string(source));
	if (a->format == BH_FORMAT_JSON) {
		code = bh_out_json(v);
	} else {
		bh_live_text(v, bh_colour_wanted(STDOUT_FILENO), &out);
		code = bh_out_write(&out);
	}
	if (code == BH_EXIT_OK && bh_view_true(v, "compared") && !bh_view_true(v, "equal"))
		code = BH_EXIT_FAILED;
	return code;
}

/* @should: NULL: nothing is compared. */
static int live_from_kernel(const struct bh_args *a, const struct bh_projection *should,
			    const struct bh_commenter *say)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	bh_autojson json_t *v = NULL;
	struct bh_err err = { .code = 0 };
	int r;

	r = bh_live_read(a->table ? a->table : TABLE, should, say, &text, &err);
	if (r == 0)
		r = bh_json_load(text.data, text.len, SIZE_MAX, &v, &err);
	if (r == -EPERM)
		bh_out_complain("render: only root can read the kernel's tables");
	else if (r < 0)
		bh_out_complain("render: %s", bh_err_text(&err, r));
	return r < 0 ? BH_EXIT_FAILED : print_live(a, v, "kernel");
}

struct made {
	const struct bh_world *world;
	const struct bh_compiled *compiled;
};

static void who(void *arg, const struct bh_addr *a, char *buf, size_t size)
{
	const struct made *m = arg;
	const struct bh_addr_class *ac = bh_compiled_find(m->compiled, a);
	const struct bh_endpoint *e = ac ? m->world->eps[ac->endpoint] : NULL;

	*buf = '\0';
	if (e)
		(void)snprintf(buf, size, "%s%s%s", e->ns ? e->ns : "", e->ns ? "/" : "", e->name);
}

/* What files say that should be there. Endpoints of other nodes are peers alone. */
static int live_by_files(const struct bh_args *a)
{
	bh_cleanup(bh_world_done) struct bh_world w = BH_WORLD_INIT;
	bh_cleanup(bh_compiled_done) struct bh_compiled c = { .rules = NULL };
	bh_cleanup(bh_projection_done) struct bh_projection p = { .n = 0 };
	struct made made = { &w, &c };
	char node[256] = "";
	int r, code;

	code = bh_world_get(&w, a);
	if (code == BH_EXIT_OK)
		code = bh_world_compile(&w, &c);
	if (code != BH_EXIT_OK)
		return code;
	(void)gethostname(node, sizeof(node) - 1);
	for (size_t i = 0; i < c.n_addrs; i++) {
		const char *on = w.eps[c.addrs[i].endpoint]->node;

		c.addrs[i].local = !on || bh_streq(on, node);
	}
	r = bh_projection_make(c.rules, c.addrs, c.n_addrs, &p);
	if (r < 0) {
		bh_out_complain("render: it cannot be told to the kernel: %s",
				bh_err_text(NULL, r));
		return BH_EXIT_FAILED;
	}
	return live_from_kernel(a, &p,
				&(struct bh_commenter){ .rs = c.rules, .who = who, .arg = &made });
}

static int live(const struct bh_args *a)
{
	const struct bh_request req = { .socket = a->socket, .method = "GET", .path = "/v1/live" };
	const struct bh_commenter nobody = { .rs = NULL };
	bh_cleanup(bh_buf_done) struct bh_buf body = BH_BUF_INIT;
	bh_autojson json_t *v = NULL;
	struct bh_err err = { .code = 0 };
	long status = 0;
	int r;

	if (a->policies.n > 0)
		return live_by_files(a);
	if (a->table)
		return live_from_kernel(a, NULL, &nobody);
	r = bh_agent_call(&req, &status, &body, &err);
	if (r < 0 && status == 0 && (r == -ENOENT || r == -ECONNREFUSED)) {
		bh_out_complain("no agent answers at %s: the kernel is read", a->socket);
		return live_from_kernel(a, NULL, &nobody);
	}
	if (r == 0)
		r = bh_json_load(body.data, body.len, SIZE_MAX, &v, &err);
	if (r < 0) {
		bh_agent_complain(&err, r, &body);
		return BH_EXIT_FAILED;
	}
	return print_live(a, v, "agent");
}

static int check(const struct bh_args *a)
{
	const char *wrong = NULL;

	if (a->format == BH_FORMAT_JSON && !a->live)
		wrong = "-o json goes with --live";
	else if (a->table && !a->live)
		wrong = "--table goes with --live";
	else if (a->live && a->nft)
		wrong = "either --live or --nft";
	if (!wrong)
		return BH_EXIT_OK;
	bh_out_complain("render: %s", wrong);
	return BH_EXIT_USAGE;
}

static int run(const struct bh_args *a)
{
	bh_cleanup(bh_world_done) struct bh_world w = BH_WORLD_INIT;
	bh_cleanup(bh_compiled_done) struct bh_compiled compiled = { .rules = NULL };
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	int code;

	code = check(a);
	if (code != BH_EXIT_OK)
		return code;
	if (a->live)
		return live(a);
	if (a->policies.n == 0 && a->endpoints.n == 0 && !a->nft)
		return from_agent(a);
	code = bh_world_get(&w, a);
	if (code == BH_EXIT_OK)
		code = bh_world_compile(&w, &compiled);
	if (code != BH_EXIT_OK)
		return code;
	if (a->nft)
		code = print_kernel(&compiled, &text);
	else
		bh_ruleset_print(compiled.rules, &text);
	return code == BH_EXIT_OK ? bh_out_write(&text) : code;
}

static const struct bh_option options[] = {
	{ 0, "nft", NULL, BH_OPTION_FLAG, offsetof(struct bh_args, nft),
	  "the elements of maps and sets that it becomes in the kernel" },
	{ 0, "live", NULL, BH_OPTION_FLAG, offsetof(struct bh_args, live),
	  "what stands in the kernel now, compared with what should" },
	{ 0, "table", "NAME", BH_OPTION_TEXT, offsetof(struct bh_args, table),
	  "read the tables of this name, without the agent (with --live)" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_render = {
	.name = "render",
	.words = "",
	.summary = "Prints the compiled rule set",
	.text =
	    "The agent's, which is in force, or with --policy that of files. One form for both, so that two can\n"
	    "be compared with diff. --nft makes the kernel's form as if all endpoints were on this host.\n"
	    "\n"
	    "--live reads the kernel: endpoints, ranges, cells and contracts with the policies and rules that they\n"
	    "come from, counters, and every difference to what the agent put there. Where no agent answers, root\n"
	    "reads the tables directly; names are then those that stand beside the elements. They are compared with\n"
	    "what --policy and --endpoints say: what happens, not why; endpoints whose node is another are peers.\n",
	.options = options,
	.world = BH_WORLD_ALL,
	.agent = true,
	.formats = BH_FORMATS_TEXT,
	.exits =
	    "  0  printed; with --live: and the kernel holds what it should, or that is not known\n"
	    "  1  errors in manifests, or no agent; with --live: the kernel does not hold what it should\n",
	.example = "bulkhead render --policy policies/ --endpoints endpoints.yaml",
	.run = run,
};
