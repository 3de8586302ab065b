// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/manifests.c - the files of `apply -f` and `delete -f`, read once and checked
 */
#include "cli/manifests.h"

#include "cli/out.h"
#include "common/file.h"
#include "common/folder.h"
#include "common/limits.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

void bh_manifests_done(struct bh_manifests *m)
{
	(void)bh_policy_set_free(m->set);
	bh_buf_done(&m->text);
	free(m->name);
	*m = (struct bh_manifests)BH_MANIFESTS_INIT;
}

static int add_text(struct bh_manifests *m, struct bh_diags *d, const char *name, const char *data,
		    size_t size)
{
	free(m->name);
	m->name = strdup(name);
	if (!m->name)
		return -ENOMEM;
	m->n_texts++;
	if (m->text.len > 0 && !(size >= 3 && memcmp(data, "---", 3) == 0))
		bh_buf_puts(&m->text, "---\n");
	bh_buf_add(&m->text, data, size);
	if (size > 0 && data[size - 1] != '\n')
		bh_buf_putc(&m->text, '\n');
	/* What is wrong goes to the diagnostics; only memory stops us. */
	return bh_load_text(m->set, name, data, size, d) == -ENOMEM ? -ENOMEM : 0;
}

static int add_stdin(struct bh_manifests *m, struct bh_diags *d, struct bh_err *err)
{
	bh_autofree char *data = NULL;
	size_t size = 0;
	int r = bh_fd_read(STDIN_FILENO, BH_API_BODY_MAX, &data, &size);

	if (r < 0)
		return bh_err_set(err, r, "cannot read standard input: %s", strerrordesc_np(-r));
	return add_text(m, d, "standard input", data, size);
}

struct reading {
	struct bh_manifests *m;
	struct bh_diags *d;
	struct bh_err *err;
};

static int on_file(void *arg, const char *path)
{
	bh_autofree char *data = NULL;
	struct reading *x = arg;
	size_t size = 0;
	int r = bh_load_was_read(x->m->set, path);

	if (r != 0)
		return r < 0 ? r : 0;
	r = bh_file_read(path, BH_YAML_FILE_MAX, &data, &size, x->err);
	return r < 0 ? r : add_text(x->m, x->d, path, data, size);
}

static int on_unreadable(void *arg, const char *path, int error)
{
	struct reading *x = arg;

	return bh_err_set(x->err, error, "cannot read '%s': %s", path,
			  error == -E2BIG ? "too many folders inside of each other"
					  : strerrordesc_np(-error));
}

int bh_manifests_read(struct bh_manifests *m, const struct bh_strings *paths)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	struct bh_err err = { .code = 0 };
	struct reading x = { m, &d, &err };
	const struct bh_folder_visitor v = { bh_load_is_manifest, on_file, on_unreadable, &x };
	int r;

	m->set = bh_policy_set_new();
	r = m->set ? 0 : -ENOMEM;
	for (size_t i = 0; i < paths->n && r == 0; i++) {
		if (bh_streq(paths->items[i], "-"))
			r = add_stdin(m, &d, &err);
		else
			r = bh_folder_walk(paths->items[i], &v);
	}
	if (r == 0 && bh_load_finish(m->set, &d) == -ENOMEM)
		r = -ENOMEM;
	if (r == 0 && bh_buf_failed(&m->text))
		r = -ENOMEM;
	if (r < 0) {
		bh_out_complain("%s", bh_err_text(&err, r));
		return BH_EXIT_FAILED;
	}
	if (d.n_errors > 0) {
		bh_diags_sort(&d);
		bh_diags_print(&d, &out);
		(void)fputs(bh_buf_str(&out), stderr);
		bh_out_complain("%zu error%s: nothing was done", d.n_errors,
				d.n_errors == 1 ? "" : "s");
		return BH_EXIT_FAILED;
	}
	return BH_EXIT_OK;
}
