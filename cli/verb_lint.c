// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_lint.c - bulkhead lint: all errors and warnings of manifests, without an agent
 */
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/texts.h"
#include "cli/world.h"
#include "common/file.h"
#include "common/json.h"
#include "common/limits.h"
#include "common/util.h"
#include "policy/diag.h"
#include "policy/lint.h"

#include <string.h>

#include "common/banned.h"

/* "web.yaml:9:5: error: ..." with the severity in colour. The text is clean already. */
static void colour_line(struct bh_buf *out, const char *line, size_t len)
{
	static const struct {
		const char *text, *colour;
	} words[] = { { " error: ", "\x1b[31m" }, { " warning: ", "\x1b[33m" } };
	const char *first = NULL;
	size_t which = 0;

	for (size_t i = 0; i < 2 && line[0] != ' '; i++) {
		const char *at = memmem(line, len, words[i].text, strlen(words[i].text));

		if (at && (!first || at < first)) {
			first = at;
			which = i;
		}
	}
	if (!first) {
		bh_buf_add(out, line, len);
		return;
	}
	bh_buf_add(out, line, (size_t)(first + 1 - line));
	bh_buf_printf(out, "%s%.*s\x1b[0m", words[which].colour, (int)strlen(words[which].text) - 2,
		      words[which].text + 1);
	first += strlen(words[which].text) - 1;
	bh_buf_add(out, first, len - (size_t)(first - line));
}

static void print_text(const struct bh_diags *d, struct bh_buf *out)
{
	bh_cleanup(bh_buf_done) struct bh_buf plain = BH_BUF_INIT;
	const char *line, *nl;

	if (!bh_colour_wanted(STDOUT_FILENO)) {
		bh_diags_print(d, out);
		return;
	}
	bh_diags_print(d, &plain);
	for (line = bh_buf_str(&plain); (nl = strchr(line, '\n')); line = nl + 1)
		colour_line(out, line, (size_t)(nl + 1 - line));
	bh_buf_puts(out, line);
}

/* What is looked at, and what is needed for that. */
struct lint_run {
	struct bh_policy_set *set;
	struct bh_diags d;
	struct bh_texts texts;
	struct bh_world world; /* what surrounds it, and the agent's endpoints */
};

static void lint_run_done(struct lint_run *l)
{
	(void)bh_policy_set_free(l->set);
	bh_diags_done(&l->d);
	bh_texts_done(&l->texts);
	bh_world_done(&l->world);
}

/* ---- reading ---- */

static int read_stdin(struct lint_run *l)
{
	static const char name[] = "standard input";
	char *data = NULL;
	size_t size = 0;
	int r = bh_fd_read(STDIN_FILENO, BH_YAML_FILE_MAX, &data, &size);

	if (r < 0) {
		const struct bh_diag_at at = { .file = name };

		if (r == -ENOMEM)
			return r;
		r = bh_diag_add(&l->d, &at, BH_SEVERITY_ERROR, r == -E2BIG ? "e22" : "e23", NULL,
				"cannot be read: %s", strerrordesc_np(-r));
		return r;
	}
	r = bh_load_text(l->set, name, data, size, &l->d);
	if (r == -ENOMEM) {
		free(data);
		return r;
	}
	return bh_texts_add(&l->texts, name, data, size);
}

static int read_all(struct lint_run *l, const struct bh_args *a)
{
	const struct bh_strings *lists[] = { &a->words, &a->endpoints };
	int r = l->set ? 0 : -ENOMEM;

	for (size_t k = 0; k < BH_ARRAY_SIZE(lists); k++) {
		for (size_t i = 0; i < lists[k]->n && r != -ENOMEM; i++)
			r = bh_streq(lists[k]->items[i], "-")
				? read_stdin(l)
				: bh_load_path(l->set, lists[k]->items[i], &l->d);
	}
	/* What is wrong is in the diagnostics. */
	if (r != -ENOMEM)
		r = bh_load_finish(l->set, &l->d);
	return r == -ENOMEM ? r : 0;
}

static int look(struct lint_run *l, const struct bh_args *a)
{
	struct bh_lint_input in = {
		.set = l->set,
		.eps = (const struct bh_endpoint *const *)l->set->endpoints,
		.n_eps = l->set->n_endpoints,
		.endpoints = l->set->n_endpoints > 0 ? BH_LINT_SOME : BH_LINT_NONE,
		.around = &l->world.around,
		.now = l->world.now,
		.text = bh_texts_get,
		.ctx = &l->texts,
	};

	if (a->endpoints.n > 0)
		in.endpoints = BH_LINT_ALL;
	if (a->ask_agent) {
		struct bh_world mine = { .set = l->set };

		/* Namespaces and nodes that the files do not declare. */
		if (bh_world_adopt(&mine, &l->world) < 0)
			return -ENOMEM;
		in.eps = l->world.eps;
		in.n_eps = l->world.n_eps;
		in.endpoints = BH_LINT_ALL;
		in.no_resolvers = l->world.around.n_resolvers == 0;
	}
	return bh_lint(&in, &l->d);
}

/* ---- telling ---- */

static const char *plural(size_t n, const char *one, const char *more)
{
	return n == 1 ? one : more;
}

static void print_summary(const struct lint_run *l, struct bh_buf *out)
{
	bh_buf_printf(out, "%zu file%s, %zu polic%s: %zu error%s, %zu warning%s\n", l->d.n_texts,
		      plural(l->d.n_texts, "", "s"), l->set->n_policies,
		      plural(l->set->n_policies, "y", "ies"), l->d.n_errors,
		      plural(l->d.n_errors, "", "s"), l->d.n_warnings,
		      plural(l->d.n_warnings, "", "s"));
}

static int print_json(const struct lint_run *l)
{
	bh_autojson json_t *list = bh_diags_json(&l->d), *v = NULL;

	if (list)
		v = json_pack("{s:O, s:I, s:I, s:I, s:I, s:I}", "diagnostics", list, "errors",
			      (json_int_t)l->d.n_errors, "warnings", (json_int_t)l->d.n_warnings,
			      "omitted", (json_int_t)l->d.omitted, "files",
			      (json_int_t)l->d.n_texts, "policies", (json_int_t)l->set->n_policies);
	return bh_out_json(v);
}

static int print_codes(const struct bh_args *a)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_autojson json_t *list = json_array();
	const struct bh_lint_code *c;

	for (size_t i = 0; (c = bh_lint_code(i)) != NULL; i++) {
		bh_buf_printf(&out, "%-4s  %s\n", c->code, c->text);
		if (json_array_append_new(list,
					  json_pack("{s:s, s:s, s:s}", "code", c->code, "severity",
						    c->code[0] == 'e' ? "error" : "warning", "text",
						    c->text)) < 0)
			return bh_out_json(NULL);
	}
	return a->format == BH_FORMAT_JSON ? bh_out_json(list) : bh_out_write(&out);
}

/* ---- the verb ---- */

static int check_args(const struct bh_args *a)
{
	if (a->words.n == 0) {
		bh_out_complain("lint: FILE|DIR|-... is missing");
		return BH_EXIT_USAGE;
	}
	if (a->ask_agent && a->endpoints.n > 0) {
		bh_out_complain(
		    "lint: --agent or --endpoints: the endpoints come from one of them");
		return BH_EXIT_USAGE;
	}
	return BH_EXIT_OK;
}

static int run(const struct bh_args *a)
{
	bh_cleanup(lint_run_done) struct lint_run l = { .set = NULL };
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	int r, code;

	if (a->codes)
		return print_codes(a);
	code = check_args(a);
	if (code == BH_EXIT_OK)
		code = a->ask_agent ? bh_world_get(&l.world, a) : bh_world_surround(&l.world, a);
	if (code == BH_EXIT_OK && a->ask_agent)
		code = bh_world_settings(&l.world, a);
	if (code != BH_EXIT_OK)
		return code;
	l.set = bh_policy_set_new();
	r = read_all(&l, a);
	if (r == 0)
		r = look(&l, a);
	if (r == -ENOMEM) {
		bh_out_complain("out of memory");
		return BH_EXIT_FAILED;
	}
	bh_diags_sort(&l.d);
	if (a->format == BH_FORMAT_JSON) {
		code = print_json(&l);
	} else {
		print_text(&l.d, &out);
		print_summary(&l, &out);
		code = bh_out_write(&out);
	}
	if (l.d.n_errors > 0 || (a->strict && l.d.n_warnings > 0))
		return BH_EXIT_FAILED;
	return code;
}

#define AT(member) offsetof(struct bh_args, member)

static const struct bh_option options[] = {
	{ 0, "strict", NULL, BH_OPTION_FLAG, AT(strict), "warnings count as errors" },
	{ 0, "agent", NULL, BH_OPTION_FLAG, AT(ask_agent),
	  "the agent says which endpoints, cluster ranges and resolvers there are" },
	{ 0, "codes", NULL, BH_OPTION_FLAG, AT(codes), "list all errors and warnings there are" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_lint = {
	.name = "lint",
	.words = "FILE|DIR|-...",
	.summary = "Shows all errors and warnings of manifests",
	.text =
	    "Of a folder, everything below it that ends in .yaml, .yml or .json is read; - is standard\n"
	    "input. All files are checked together, as the agent reads them: rules that have no effect\n"
	    "because of others are told too. With --endpoints or --agent, selectors and names of ports are\n"
	    "tried on all endpoints there are. -o json prints {\"diagnostics\": [{severity, code, file,\n"
	    "line, column, path, message, hint}...], ...}.\n",
	.options = options,
	.world = BH_WORLD_AROUND,
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.min_words = 0,
	.max_words = SIZE_MAX,
	.exits = "  0  no errors (perhaps warnings)\n"
		 "  1  errors; with --strict also warnings\n",
	.example = "bulkhead lint --strict policies/",
	.run = run,
};
