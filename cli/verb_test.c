// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_test.c - bulkhead test: do policies do what somebody wrote down that they should?
 */
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/test_run.h"
#include "common/folder.h"
#include "common/util.h"
#include "policy/load.h"

#include <string.h>

#include "common/banned.h"

static void outcomes_done(struct bh_test_outcomes *o)
{
	for (size_t i = 0; i < o->n; i++)
		bh_test_outcome_done(&o->items[i]);
	free(o->items);
}

struct running {
	const struct bh_args *a;
	struct bh_test_outcomes *o;
};

static int on_file(void *arg, const char *path)
{
	const struct running *x = arg;
	struct bh_test_outcome *items = reallocarray(x->o->items, x->o->n + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	x->o->items = items;
	return bh_test_run(x->a, path, &items[x->o->n++]);
}

static int on_unreadable(void *arg, const char *path, int error)
{
	bh_out_complain("test: cannot read '%s': %s", path,
			error == -E2BIG ? "too many folders inside of each other"
					: strerrordesc_np(-error));
	return error;
}

static int show(const struct bh_args *a, const struct bh_test_outcomes *o)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;

	if (a->format == BH_FORMAT_TAP)
		bh_test_put_tap(o, &out);
	else if (a->format == BH_FORMAT_JUNIT)
		bh_test_put_junit(o, &out);
	else
		bh_test_put_text(o, bh_colour_wanted(STDOUT_FILENO), &out);
	return bh_out_write(&out);
}

static bool all_passed(const struct bh_test_outcomes *o)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct bh_test_outcome *f = &o->items[i];

		if (f->broken || f->n == 0)
			return false;
		for (size_t k = 0; k < f->n; k++) {
			if (!bh_test_passed(&f->items[k]))
				return false;
		}
	}
	return o->n > 0;
}

static int run(const struct bh_args *a)
{
	bh_cleanup(outcomes_done) struct bh_test_outcomes o = { .n = 0 };
	struct running x = { a, &o };
	const struct bh_folder_visitor v = { bh_load_is_test, on_file, on_unreadable, &x };
	int r = 0, code;

	for (size_t i = 0; i < a->words.n && r == 0; i++)
		r = bh_folder_walk(a->words.items[i], &v);
	if (r == -ENOMEM)
		bh_out_complain("out of memory");
	if (r < 0)
		return BH_EXIT_FAILED;
	if (o.n == 0) {
		bh_out_complain(
		    "test: there are no tests: of a folder, files that end in .test.yaml "
		    "are read");
		return BH_EXIT_FAILED;
	}
	code = show(a, &o);
	return code == BH_EXIT_OK && !all_passed(&o) ? BH_EXIT_FAILED : code;
}

const struct bh_verb bh_verb_test = {
	.name = "test",
	.words = "FILE|DIR...",
	.summary = "Runs tests of policies: what must be allowed, what must not",
	.text =
	    "A test names both ends, a port, perhaps what is spoken, and what is expected:\n"
	    "\n"
	    "  policies: [./]             # files or folders, relative to this file\n"
	    "  endpoints: [../endpoints.yaml]\n"
	    "  tests:\n"
	    "  - name: clients reach the web server\n"
	    "    from: [shop/client, 192.0.2.7]\n"
	    "    to: shop/web\n"
	    "    port: 80/tcp\n"
	    "    http: GET /public/x      # or protocol, sni, dns, grpc ... as `bulkhead explain` takes it\n"
	    "    expect: allow            # refuse, drop, reject, depends; with by, direction, recorded\n"
	    "\n"
	    "Lists stand for every combination. Of a folder, files that end in .test.yaml are read. What is given\n"
	    "here goes before what a file says; without policies anywhere the agent's are asked.\n",
	.world = BH_WORLD_ALL,
	.formats = 1U << BH_FORMAT_TABLE | 1U << BH_FORMAT_TAP | 1U << BH_FORMAT_JUNIT,
	.agent = true,
	.min_words = 1,
	.max_words = SIZE_MAX,
	.exits = "  0  all passed\n"
		 "  1  some failed, or could not be run\n",
	.example = "bulkhead test -o junit policies/ > results.xml",
	.run = run,
};
