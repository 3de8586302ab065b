// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_diff.c - bulkhead diff: which connections change their verdict from one policy set to another
 *
 * As with diff(1) the exit status is the answer, so everything that goes wrong is 2.
 */
#include "cli/cli.h"
#include "cli/difference.h"
#include "cli/out.h"
#include "common/json.h"

#include "common/banned.h"

#define EXIT_SAME    0
#define EXIT_DIFFERS 1
#define EXIT_TROUBLE 2

/* @path: NULL for the agent's. */
static int get(struct bh_world *w, const struct bh_args *a, const char *path)
{
	struct bh_args one = *a;

	one.policies = (struct bh_strings){ .items = &path, .n = path ? 1 : 0 };
	return bh_world_get(w, &one);
}

static int get_both(const struct bh_args *a, struct bh_world *was, struct bh_world *is)
{
	bool agent = a->words.n == 1;
	int r, code;

	if (agent && a->endpoints.n > 0) {
		bh_out_complain(
		    "diff: --endpoints goes with two files; with one, the agent's count");
		return EXIT_TROUBLE;
	}
	code = get(was, a, agent ? NULL : a->words.items[0]);
	if (code == BH_EXIT_OK)
		code = get(is, a, a->words.items[agent ? 0 : 1]);
	if (code != BH_EXIT_OK)
		return EXIT_TROUBLE;
	/* The later ones count, but an agent knows its endpoints better than a file. */
	r = agent ? bh_world_adopt(is, was) : 0;
	if (r == 0)
		r = agent ? bh_worlds_unite(was, is) : bh_worlds_unite(is, was);
	if (r < 0) {
		bh_out_complain("out of memory");
		return EXIT_TROUBLE;
	}
	if (is->n_eps > 0)
		return BH_EXIT_OK;
	bh_out_complain("diff: no endpoints are known, so there is nobody to compare; --endpoints "
			"names manifests of them");
	return EXIT_TROUBLE;
}

static int run(const struct bh_args *a)
{
	bh_cleanup(bh_world_done) struct bh_world was = BH_WORLD_INIT, is = BH_WORLD_INIT;
	bh_cleanup(bh_differences_done) struct bh_differences d = BH_DIFFERENCES_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_autojson json_t *v = NULL;
	int code = get_both(a, &was, &is);

	if (code == BH_EXIT_OK)
		code = bh_differences_make(&d, &was, &is);
	if (code != BH_EXIT_OK)
		return EXIT_TROUBLE;
	if (a->format == BH_FORMAT_JSON) {
		v = bh_differences_json(&d);
		code = bh_out_json(v);
	} else {
		bh_differences_put(&d, bh_colour_wanted(STDOUT_FILENO), &out);
		code = bh_out_write(&out);
	}
	if (code != BH_EXIT_OK)
		return EXIT_TROUBLE;
	return d.n == 0 ? EXIT_SAME : EXIT_DIFFERS;
}

const struct bh_verb bh_verb_diff = {
	.name = "diff",
	.words = "[OLD] NEW",
	.summary = "Shows which connections change their verdict",
	.text =
	    "Compares two files or folders of policies; with one, the agent's policies with those. Both are asked\n"
	    "about the same endpoints, in every pair and for every port: what is allowed for another reason has\n"
	    "not changed. Endpoint manifests may stand in the files, those of NEW count.\n",
	.world = BH_WORLD_AROUND,
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.min_words = 1,
	.max_words = 2,
	.exits = "  0  no difference\n"
		 "  1  differences\n"
		 "  2  errors in manifests, no endpoints, no agent\n",
	.example = "bulkhead diff policies/ policies-new/ --endpoints endpoints.yaml",
	.run = run,
};
