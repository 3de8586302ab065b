// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_render.c - bulkhead render: the compiled rule set in words
 */
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/world.h"
#include "dataplane/kernel/projection.h"

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

static int run(const struct bh_args *a)
{
	bh_cleanup(bh_world_done) struct bh_world w = BH_WORLD_INIT;
	bh_cleanup(bh_compiled_done) struct bh_compiled compiled = { .rules = NULL };
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	int code;

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
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_render = {
	.name = "render",
	.words = "",
	.summary = "Prints the compiled rule set",
	.text =
	    "The agent's, which is in force, or with --policy that of files. One form for both, so that two can\n"
	    "be compared with diff. --nft makes the kernel's form as if all endpoints were on this host; what is in\n"
	    "the kernel, `nft list table ip bulkhead` shows.\n",
	.options = options,
	.world = BH_WORLD_ALL,
	.agent = true,
	.exits = "  0  printed\n"
		 "  1  errors in manifests, or no agent\n",
	.example = "bulkhead render --policy policies/ --endpoints endpoints.yaml",
	.run = run,
};
