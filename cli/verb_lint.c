// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_lint.c - bulkhead lint: all errors and warnings of manifests, without an agent
 */
#include "cli/cli.h"
#include "cli/out.h"
#include "common/json.h"
#include "policy/load.h"

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

static void print_summary(const struct bh_diags *d, const struct bh_policy_set *set,
			  struct bh_buf *out)
{
	bh_buf_printf(
	    out, "%zu error%s, %zu warning%s; %zu polic%s, %zu namespace%s, %zu endpoint%s\n",
	    d->n_errors, d->n_errors == 1 ? "" : "s", d->n_warnings, d->n_warnings == 1 ? "" : "s",
	    set->n_policies, set->n_policies == 1 ? "y" : "ies", set->n_namespaces,
	    set->n_namespaces == 1 ? "" : "s", set->n_endpoints, set->n_endpoints == 1 ? "" : "s");
}

static int print_json(const struct bh_diags *d)
{
	bh_autojson json_t *list = bh_diags_json(d), *v = NULL;

	if (list)
		v = json_pack("{s:O, s:I, s:I, s:I}", "diagnostics", list, "errors",
			      (json_int_t)d->n_errors, "warnings", (json_int_t)d->n_warnings,
			      "omitted", (json_int_t)d->omitted);
	return bh_out_json(v);
}

static int run(const struct bh_args *a)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	int r = set ? 0 : -ENOMEM, code;

	for (size_t i = 0; i < a->words.n && r != -ENOMEM; i++)
		r = bh_load_path(set, a->words.items[i], &d);
	if (r != -ENOMEM)
		r = bh_load_finish(set, &d);
	if (r == -ENOMEM) {
		bh_out_complain("out of memory");
		return BH_EXIT_FAILED;
	}
	bh_diags_sort(&d);
	if (a->format == BH_FORMAT_JSON) {
		code = print_json(&d);
	} else {
		print_text(&d, &out);
		print_summary(&d, set, &out);
		code = bh_out_write(&out);
	}
	if (d.n_errors > 0 || (a->strict && d.n_warnings > 0))
		return BH_EXIT_FAILED;
	return code;
}

static const struct bh_option options[] = {
	{ 0, "strict", NULL, BH_OPTION_FLAG, offsetof(struct bh_args, strict),
	  "warnings count as errors" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_lint = {
	.name = "lint",
	.words = "FILE|DIR...",
	.summary = "Shows all errors and warnings of manifests",
	.text =
	    "Of a folder, everything below it that ends in .yaml, .yml or .json is read. All files are\n"
	    "checked together, as the agent reads them; no agent is needed. -o json prints\n"
	    "{\"diagnostics\": [{severity, code, file, line, column, path, message, hint}...], ...}.\n",
	.options = options,
	.formats = BH_FORMATS_TEXT,
	.min_words = 1,
	.max_words = SIZE_MAX,
	.exits = "  0  no errors (perhaps warnings)\n"
		 "  1  errors; with --strict also warnings\n",
	.example = "bulkhead lint --strict policies/",
	.run = run,
};
