/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_golden_policy.c - manifests -> rule set, as a text that was reviewed
 *
 *	tests/golden/ruleset/NAME.yaml	policies, Namespaces, Endpoints
 *	tests/golden/ruleset/NAME.txt	the rule set as `bulkhead render` prints it
 *
 * BH_REGEN=1 writes the texts anew: review the difference.
 */
#include "common/file.h"
#include "common/util.h"
#include "policy/compile.h"
#include "policy/load.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAX_FILES 64

struct scene {
	struct bh_policy_set *set;
	struct bh_compiled out;
};

static const char *source_root(void)
{
	const char *root = getenv("BH_SOURCE_ROOT");

	return root ? root : ".";
}

static const struct bh_endpoint *const *endpoints(const struct scene *s)
{
	return (const struct bh_endpoint *const *)s->set->endpoints;
}

static void scene_load(struct scene *s, const char *name, const char *data, size_t size)
{
	struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct bh_err err = { .code = 0 };
	int r;

	s->set = bh_policy_set_new();
	assert_non_null(s->set);
	r = bh_load_text(s->set, name, data, size, &d);
	if (bh_load_finish(s->set, &d) < 0 || r < 0) {
		bh_diags_print(&d, &text);
		fail_msg("%s", bh_buf_str(&text));
	}
	bh_diags_done(&d);
	assert_int_equal(bh_compiler_new(&c), 0);
	const struct bh_compile_input in = {
		.set = s->set,
		.eps = endpoints(s),
		.n_eps = s->set->n_endpoints,
		.revision = 1,
	};

	if (bh_compile(c, &in, &s->out, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
}

static void scene_done(struct scene *s)
{
	bh_compiled_done(&s->out);
	bh_policy_set_free(s->set);
}

/* ---- what is compared ---- */

static void render(const struct scene *s, const char *data, struct bh_buf *out)
{
	for (size_t i = 0; i < s->out.n_addrs; i++) {
		const struct bh_addr_class *a = &s->out.addrs[i];
		const struct bh_endpoint *ep = s->set->endpoints[a->endpoint];
		char text[BH_ADDR_STRLEN];

		bh_buf_printf(out, "%-20s e%-3u %s/%s%s\n", bh_addr_format(&a->addr, text),
			      a->cls & ~BH_CLASS_ENDPOINT, ep->ns, ep->name,
			      a->local ? " (local)" : "");
	}
	bh_ruleset_print(s->out.rules, out);
}

/* ---- files ---- */

static void compare(const char *path, const char *got)
{
	bh_autofree char *want = NULL;
	struct bh_err err = { .code = 0 };
	size_t size;

	if (getenv("BH_REGEN")) {
		if (bh_file_write(path, got, strlen(got), 0644, &err) < 0)
			fail_msg("%s", err.msg);
		return;
	}
	if (bh_file_read(path, 1 << 20, &want, &size, &err) < 0)
		fail_msg("%s (BH_REGEN=1 makes it)", err.msg);
	if (strcmp(want, got) != 0) {
		fprintf(stderr, "--- got, instead of %s:\n%s---\n", path, got);
		fail_msg("%s: another text; BH_REGEN=1 writes it, git diff shows it", path);
	}
}

static void one_file(const char *folder, const char *name,
		     void (*make)(const struct scene *, const char *, struct bh_buf *))
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT, path = BH_BUF_INIT;
	bh_autofree char *data = NULL;
	struct scene s = { .set = NULL };
	struct bh_err err = { .code = 0 };
	size_t size;

	bh_buf_printf(&path, "%s/tests/golden/%s/%s", source_root(), folder, name);
	if (bh_file_read(bh_buf_str(&path), 1 << 20, &data, &size, &err) < 0)
		fail_msg("%s", err.msg);
	scene_load(&s, name, data, size);
	make(&s, data, &out);
	assert_false(bh_buf_failed(&out));
	path.len -= strlen(".yaml");
	bh_buf_puts(&path, ".txt");
	compare(bh_buf_str(&path), bh_buf_str(&out));
	scene_done(&s);
}

static int only_yaml(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 5 && strcmp(d->d_name + len - 5, ".yaml") == 0;
}

static void folder_run(const char *folder,
		       void (*make)(const struct scene *, const char *, struct bh_buf *))
{
	bh_cleanup(bh_buf_done) struct bh_buf path = BH_BUF_INIT;
	struct dirent **list;
	int n;

	bh_buf_printf(&path, "%s/tests/golden/%s", source_root(), folder);
	n = scandir(bh_buf_str(&path), &list, only_yaml, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		one_file(folder, list[i]->d_name, make);
		free(list[i]);
	}
	free(list);
}

static void test_rulesets(void **state)
{
	folder_run("ruleset", render);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rulesets),
	};

	return cmocka_run_group_tests_name("golden_policy", tests, NULL, NULL);
}
