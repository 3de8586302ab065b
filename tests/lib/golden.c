/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/golden.c - texts that a user reads, to the letter, as they were reviewed
 */
#include "tests/lib/golden.h"

#include "common/file.h"
#include "common/limits.h"
#include "common/util.h"

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

static bool same(const char *folder, const char *name, const char *suffix, golden_make *make)
{
	bh_autofree char *data = NULL, *want = NULL;
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	const bool quiet = strncmp(name, "quiet-", 6) == 0;
	char path[8192];
	size_t size = 0, n = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(bh_file_read(path, BH_YAML_FILE_MAX, &data, &size, NULL), 0);
	make(name, data, size, &out);
	bh_buf_puts(&out, ""); /* the NUL */
	assert_false(bh_buf_failed(&out));
	(void)snprintf(path, sizeof(path), "%s/%.*s%s", folder, (int)strlen(name) - 5, name,
		       suffix);
	if (quiet && out.len == 0)
		return true;
	if (!quiet && getenv("BH_REGEN")) {
		assert_int_equal(bh_file_write(path, out.data, out.len, 0644, NULL), 0);
		return true;
	}
	if (!quiet && bh_file_read(path, BH_YAML_FILE_MAX, &want, &n, NULL) == 0 && n == out.len &&
	    memcmp(want, out.data, n) == 0)
		return true;
	print_message("%s: expected:\n%s\nprinted:\n%s\n"
		      "(BH_REGEN=1 writes it, git diff shows it)\n",
		      path, want ? want : "(nothing)", out.data);
	return false;
}

void golden_folder(const char *folder, const char *suffix, golden_make *make)
{
	const char *root = getenv("BH_SOURCE_ROOT");
	struct dirent **names = NULL;
	unsigned wrong = 0;
	char path[4096];
	int n;

	(void)snprintf(path, sizeof(path), "%s/tests/golden/%s", root ? root : ".", folder);
	n = scandir(path, &names, is_yaml, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		wrong += !same(path, names[i]->d_name, suffix, make);
		free(names[i]);
	}
	free(names);
	assert_int_equal(wrong, 0);
}
