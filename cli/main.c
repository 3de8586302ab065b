// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/main.c - bulkhead: the table of verbs
 */
#include "cli/cli.h"
#include "cli/out.h"

#include <stdio.h>

#include "common/banned.h"

const struct bh_verb *const bh_verbs[] = {
	&bh_verb_lint,
	&bh_verb_explain,
	&bh_verb_explain_field,
	&bh_verb_test,
	&bh_verb_matrix,
	&bh_verb_diff,
	&bh_verb_apply,
	&bh_verb_get,
	&bh_verb_delete,
	&bh_verb_status,
	&bh_verb_endpoints,
	&bh_verb_violations,
	&bh_verb_render,
	&bh_verb_replay,
	&bh_verb_protocols,
	&bh_verb_version,
	NULL,
};

static int run(int argc, const char *const *argv)
{
	bh_cleanup(bh_args_done) struct bh_args a = { .socket = NULL };
	bh_cleanup(bh_buf_done) struct bh_buf help = BH_BUF_INIT;
	const struct bh_verb *verb = NULL;
	struct bh_err err = { .code = 0 };
	int r;

	if (argc < 2) {
		bh_help_print(NULL, &help);
		(void)fputs(bh_buf_str(&help), stderr);
		return BH_EXIT_USAGE;
	}
	r = bh_args_parse(argc, argv, &a, &verb, &err);
	if (r == -ENOMEM) {
		bh_out_complain("out of memory");
		return BH_EXIT_FAILED;
	}
	if (r < 0) {
		bh_out_complain("%s", bh_err_text(&err, r));
		return BH_EXIT_USAGE;
	}
	if (a.help || !verb) {
		bh_help_print(verb, &help);
		return bh_out_write(&help);
	}
	return verb->run(&a);
}

int main(int argc, char **argv)
{
	int code = run(argc, (const char *const *)argv);

	if (fflush(stdout) != 0 && code == BH_EXIT_OK) {
		bh_out_complain("cannot write to standard output: %m");
		code = BH_EXIT_FAILED;
	}
	return code;
}
