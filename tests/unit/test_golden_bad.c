/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_golden_bad.c - what a user reads about manifests that are wrong
 *
 *	tests/golden/bad/NAME.yaml	a manifest with errors or warnings
 *	tests/golden/bad/NAME.err	exactly what is printed
 *
 * BH_REGEN=1 writes the texts anew: review the difference.
 */
#include "common/file.h"
#include "common/limits.h"
#include "common/util.h"
#include "policy/load.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char folder[4096];

static int is_yaml(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0;
}

/* What `bulkhead lint` prints. */
static void messages(const char *name, const char *data, size_t size, struct bh_buf *out)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	int r;

	assert_non_null(set);
	r = bh_load_text(set, name, data, size, &d);
	assert_int_equal(r, d.n_errors ? -EINVAL : 0);
	r = bh_load_finish(set, &d);
	assert_true(r == 0 || r == -EINVAL);
	assert_true(d.n_errors + d.n_warnings > 0);
	bh_diags_sort(&d);
	bh_diags_print(&d, out);
	assert_false(bh_buf_failed(out));
}

static bool same(const char *name)
{
	bh_autofree char *data = NULL, *want = NULL;
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	char path[8192];
	size_t size = 0, n = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(bh_file_read(path, BH_YAML_FILE_MAX, &data, &size, NULL), 0);
	messages(name, data, size, &out);
	(void)snprintf(path, sizeof(path), "%s/%.*s.err", folder, (int)strlen(name) - 5, name);
	if (getenv("BH_REGEN")) {
		assert_int_equal(bh_file_write(path, out.data, out.len, 0644, NULL), 0);
		return true;
	}
	if (bh_file_read(path, BH_YAML_FILE_MAX, &want, &n, NULL) == 0 && n == out.len &&
	    memcmp(want, out.data, n) == 0)
		return true;
	print_message("%s: expected:\n%s\nprinted:\n%s\n", name, want ? want : "(no file)",
		      out.data);
	return false;
}

static void test_messages(void **state)
{
	const char *root = getenv("BH_SOURCE_ROOT");
	struct dirent **names = NULL;
	unsigned wrong = 0;
	int n;

	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s/tests/golden/bad", root ? root : ".");
	n = scandir(folder, &names, is_yaml, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		wrong += !same(names[i]->d_name);
		free(names[i]);
	}
	free(names);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_messages) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
