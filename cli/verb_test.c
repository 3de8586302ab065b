// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_test.c - bulkhead test: do policies do what somebody wrote down that they should?
 */
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/test_run.h"
#include "common/limits.h"
#include "common/util.h"
#include "policy/load.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "common/banned.h"

static int no_memory(void)
{
	bh_out_complain("out of memory");
	return BH_EXIT_FAILED;
}

static void outcomes_done(struct bh_test_outcomes *o)
{
	for (size_t i = 0; i < o->n; i++)
		bh_test_outcome_done(&o->items[i]);
	free(o->items);
}

static int run_file(const struct bh_args *a, const char *path, struct bh_test_outcomes *o)
{
	struct bh_test_outcome *items = reallocarray(o->items, o->n + 1, sizeof(*items));

	if (!items)
		return no_memory();
	o->items = items;
	return bh_test_run(a, path, &items[o->n++]) < 0 ? no_memory() : BH_EXIT_OK;
}

static int run_path(const struct bh_args *a, const char *path, unsigned depth,
		    struct bh_test_outcomes *o);

static int of_interest(const struct dirent *e)
{
	return e->d_name[0] != '.' && (e->d_type != DT_REG || bh_load_is_test(e->d_name));
}

/* Tests below a folder, sorted by name. */
static int run_folder(const struct bh_args *a, const char *path, unsigned depth,
		      struct bh_test_outcomes *o)
{
	struct dirent **names = NULL;
	int n, code = BH_EXIT_OK;

	if (depth > BH_FOLDER_DEPTH_MAX) {
		bh_out_complain("test: '%s' lies in more than %u folders", path,
				BH_FOLDER_DEPTH_MAX);
		return BH_EXIT_FAILED;
	}
	n = scandir(path, &names, of_interest, alphasort);
	if (n < 0) {
		bh_out_complain("test: cannot read the folder '%s': %s", path,
				strerrordesc_np(errno));
		return BH_EXIT_FAILED;
	}
	for (int i = 0; i < n; i++) {
		bh_cleanup(bh_buf_done) struct bh_buf sub = BH_BUF_INIT;
		size_t len = strlen(path);
		struct stat st;

		bh_buf_printf(&sub, "%s%s%s", path, len > 0 && path[len - 1] == '/' ? "" : "/",
			      names[i]->d_name);
		if (code == BH_EXIT_OK && bh_buf_failed(&sub))
			code = no_memory();
		if (code == BH_EXIT_OK &&
		    (bh_load_is_test(names[i]->d_name) ||
		     (lstat(bh_buf_str(&sub), &st) == 0 && S_ISDIR(st.st_mode))))
			code = run_path(a, bh_buf_str(&sub), depth + 1, o);
		free(names[i]);
	}
	free(names);
	return code;
}

static int run_path(const struct bh_args *a, const char *path, unsigned depth,
		    struct bh_test_outcomes *o)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return run_folder(a, path, depth, o);
	return run_file(a, path, o);
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
	int code = BH_EXIT_OK;

	for (size_t i = 0; i < a->words.n && code == BH_EXIT_OK; i++)
		code = run_path(a, a->words.items[i], 0, &o);
	if (code != BH_EXIT_OK)
		return code;
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
