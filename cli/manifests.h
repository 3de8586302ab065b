/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/manifests.h - the files of `apply -f` and `delete -f`, read once and checked
 *
 * Thread-safety: one thread.
 */
#ifndef BH_CLI_MANIFESTS_H
#define BH_CLI_MANIFESTS_H

#include "cli/cli.h"
#include "policy/load.h"

struct bh_manifests {
	struct bh_policy_set *set;
	struct bh_buf text; /* all documents, separated by "---" */
	size_t n_texts;
	char *
	    name; /* of the last text; where there is one text only, lines in it are lines of @text */
};
#define BH_MANIFESTS_INIT                        \
	{                                        \
		.set = NULL, .text = BH_BUF_INIT \
	}

void bh_manifests_done(struct bh_manifests *m);

/*
 * Files, folders (as the loader reads them) and "-", standard input. Errors are printed with file and line; warnings
 * are the agent's, who knows the other policies too. Return: exit code
 */
int bh_manifests_read(struct bh_manifests *m, const struct bh_strings *paths);

#endif
