// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_endpoints.c - bulkhead endpoints: whom the agent knows
 */
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/view.h"
#include "common/json.h"
#include "common/util.h"

#include "common/banned.h"

static int print_table(const json_t *list)
{
	static const char *const head[] = { "NAMESPACE", "NAME",      "STATE", "NODE",
					    "ADDRESSES", "INTERFACE", "LABELS" };
	bh_cleanup(bh_table_done) struct bh_table t = { .n = 0 };
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	json_t *item;
	size_t i;

	bh_table_init(&t, head, BH_ARRAY_SIZE(head));
	json_array_foreach(list, i, item) {
		const char *state = bh_view_str(item, "state");
		bool local = bh_view_true(item, "local");

		bh_table_add(&t, bh_view_str(item, "namespace"));
		bh_table_add(&t, bh_view_str(item, "name"));
		if (local)
			bh_table_add_colour(&t, state,
					    bh_streq(state, "enforced") ? BH_COLOUR_GREEN
									: BH_COLOUR_YELLOW);
		else
			bh_table_add(&t, "remote");
		bh_table_add(&t, bh_view_str(item, "node"));
		bh_view_add_addresses(&t, item);
		bh_table_add(&t, bh_view_str(item, "hostIf"));
		bh_view_add_labels(&t, item);
	}
	if (bh_table_print(&t, bh_colour_wanted(STDOUT_FILENO), &out) < 0) {
		bh_out_complain("out of memory");
		return BH_EXIT_FAILED;
	}
	return bh_out_write(&out);
}

static int run(const struct bh_args *a)
{
	const struct bh_request req = { .socket = a->socket,
					.method = "GET",
					.path = "/v1/endpoints" };
	bh_autojson json_t *v = NULL, *shown = json_array(), *all = NULL;
	struct bh_err err = { .code = 0 };
	json_t *list = NULL, *item;
	size_t i;

	if (bh_agent_json(&req, &v) < 0)
		return BH_EXIT_FAILED;
	if (bh_json_arr(v, "endpoints", &list, &err) < 0) {
		bh_out_complain("the agent's list of endpoints cannot be read: %s", err.msg);
		return BH_EXIT_FAILED;
	}
	json_array_foreach(list, i, item) {
		if (!a->ns || bh_streq(bh_view_str(item, "namespace"), a->ns))
			(void)json_array_append(shown, item);
	}
	if (a->format == BH_FORMAT_JSON) {
		all = json_pack("{s:O}", "endpoints", shown);
		return bh_out_json(all);
	}
	return print_table(shown);
}

static const struct bh_option options[] = {
	{ 'n', "namespace", "NS", BH_OPTION_TEXT, offsetof(struct bh_args, ns),
	  "only this namespace (default: all)" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_endpoints = {
	.name = "endpoints",
	.words = "",
	.summary = "Lists the workloads that the agent knows",
	.text =
	    "STATE: enforced, quarantined (nothing passes yet), remote (policies are enforced elsewhere).\n",
	.options = options,
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.exits = "  0  listed\n"
		 "  1  no agent\n",
	.example = "bulkhead endpoints -n shop",
	.run = run,
};
