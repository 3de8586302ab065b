/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_golden_bad.c - what a user reads about manifests that are wrong
 *
 *	tests/golden/bad/NAME.yaml	a manifest with errors or warnings
 *	tests/golden/bad/NAME.err	exactly what is printed
 */
#include "common/util.h"
#include "policy/load.h"
#include "tests/lib/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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
}

static void test_messages(void **state)
{
	golden_folder("bad", ".err", messages);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_messages) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
