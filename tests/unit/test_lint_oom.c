/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_lint_oom.c - running out of memory is an error of lint, not its end
 *
 * Over all golden manifests: every allocation fails once, alone and with all after it.
 */
#include "common/file.h"
#include "common/limits.h"
#include "policy/lint.h"
#include "tests/lib/oom.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int is_yaml(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0;
}

static int lint(void *arg)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	const struct bh_policy_set *set = arg;
	const struct bh_surroundings nothing = { .n_cluster = 0 };
	const struct bh_lint_input in = {
		.set = set,
		.eps = (const struct bh_endpoint *const *)set->endpoints,
		.n_eps = set->n_endpoints,
		.endpoints = BH_LINT_ALL,
		.around = &nothing,
		.no_resolvers = true,
		.now = 1930316400,
	};

	return bh_lint(&in, &d);
}

static void test_golden(void **state)
{
	const char *root = getenv("BH_SOURCE_ROOT");
	struct dirent **names = NULL;
	char path[8192];
	int n;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/tests/golden/lint", root ? root : ".");
	n = scandir(path, &names, is_yaml, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
		bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;

		(void)snprintf(path, sizeof(path), "%s/tests/golden/lint/%s", root ? root : ".",
			       names[i]->d_name);
		assert_true(bh_load_path(set, path, &d) != -ENOMEM);
		assert_true(bh_load_finish(set, &d) != -ENOMEM);
		oom_everywhere(lint, set, 0, 5);
		free(names[i]);
	}
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_golden) };

	return cmocka_run_group_tests_name("lint_oom", tests, NULL, NULL);
}
