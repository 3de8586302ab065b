// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_apply.c - bulkhead apply: manifests to the agent, all or none
 *
 * They are checked here first, so that errors name the file and line that somebody wrote; the agent checks them
 * again, together with what is in force.
 */
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/manifests.h"
#include "cli/out.h"
#include "cli/view.h"
#include "common/json.h"
#include "common/util.h"

#include <inttypes.h>

#include "common/banned.h"

static int print_result(const struct bh_args *a, const json_t *v)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bool colour = bh_colour_wanted(STDOUT_FILENO);
	json_t *list = NULL, *item;
	uint64_t revision = 0;
	size_t i;

	if (bh_json_arr(v, "applied", &list, NULL) == 0) {
		json_array_foreach(list, i, item) {
			const char *result = bh_view_str(item, "result"),
				   *ns = bh_view_str(item, "namespace");

			bh_put_clean(&out, bh_view_str(item, "kind"));
			bh_buf_putc(&out, ' ');
			bh_put_clean(&out, ns);
			bh_buf_puts(&out, *ns != '\0' ? "/" : "");
			bh_put_clean(&out, bh_view_str(item, "name"));
			bh_buf_putc(&out, ' ');
			bh_put_colour(&out, colour,
				      bh_streq(result, "unchanged") ? BH_COLOUR_NONE
								    : BH_COLOUR_GREEN,
				      result);
			bh_buf_puts(&out, a->dry_run ? " (dry run)\n" : "\n");
		}
	}
	if (!a->dry_run && bh_json_u64(v, "revision", UINT64_MAX, &revision, NULL) == 0)
		bh_buf_printf(&out, "revision %" PRIu64 " is enforced\n", revision);
	return bh_out_write(&out);
}

static int run(const struct bh_args *a)
{
	bh_cleanup(bh_manifests_done) struct bh_manifests m = BH_MANIFESTS_INIT;
	struct bh_request req = { .socket = a->socket, .method = "POST" };
	bh_cleanup(bh_buf_done) struct bh_buf path = BH_BUF_INIT;
	bh_autojson json_t *v = NULL;
	json_t *diags = NULL;
	int code;

	if (a->files.n == 0) {
		bh_out_complain("apply: -f FILE is missing");
		return BH_EXIT_USAGE;
	}
	code = bh_manifests_read(&m, &a->files);
	if (code != BH_EXIT_OK)
		return code;
	if (m.set->n_policies + m.set->n_namespaces + m.set->n_endpoints + m.set->n_nodes == 0) {
		bh_out_complain("there is nothing to apply: no manifests");
		return BH_EXIT_FAILED;
	}
	bh_buf_puts(&path, a->dry_run ? "/v1/policies?dryRun=1" : "/v1/policies");
	if (m.n_texts == 1) { /* or its messages would name the wrong lines */
		bh_buf_puts(&path, a->dry_run ? "&file=" : "?file=");
		bh_agent_escape(&path, m.name);
	}
	req.path = bh_buf_str(&path);
	req.body = bh_buf_str(&m.text);
	req.size = m.text.len;
	if (bh_agent_json(&req, &v) < 0)
		return BH_EXIT_FAILED;
	if (a->format == BH_FORMAT_JSON)
		return bh_out_json(v);
	if (bh_json_arr(v, "diagnostics", &diags, NULL) == 0)
		bh_agent_diags(diags);
	return print_result(a, v);
}

#define AT(member) offsetof(struct bh_args, member)

static const struct bh_option options[] = {
	{ 'f', "filename", "FILE|DIR|-", BH_OPTION_LIST, AT(files),
	  "manifests; - is standard input (may come again)" },
	{ 0, "dry-run", NULL, BH_OPTION_FLAG, AT(dry_run), "check only" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_apply = {
	.name = "apply",
	.words = "",
	.summary = "Puts manifests in force",
	.text = "All of them or, if anything is wrong, none. When it returns they are enforced.\n",
	.options = options,
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.exits = "  0  enforced (with --dry-run: nothing is wrong)\n"
		 "  1  errors in manifests, refused, or no agent; nothing was changed\n",
	.example = "bulkhead apply -f policies/web.yaml -f policies/db/",
	.run = run,
};
