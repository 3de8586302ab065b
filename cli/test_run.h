/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/test_run.h - tests of policies, run and reported
 *
 * Thread-safety: one thread.
 */
#ifndef BH_CLI_TEST_RUN_H
#define BH_CLI_TEST_RUN_H

#include "cli/test_file.h"

/* Failures of one test that are kept; the others are counted. */
#define BH_TEST_FAILURES_MAX 5U

/* One connection that came out otherwise. */
struct bh_test_failure {
	char *what; /* "shop/client -> shop/web 80/tcp http GET /x" */
	char *expected, *got;
	char *why; /* as `bulkhead explain` tells it */
};

struct bh_test_result {
	char *name;
	uint32_t line;
	size_t cases, failed; /* connections */
	struct bh_test_failure failures[BH_TEST_FAILURES_MAX];
	bool error; /* it could not be asked: what is wrong is in the diagnostics of the file */
};

struct bh_test_outcome {
	char *path; /* of the file */
	struct bh_test_result *items;
	size_t n;
	char *error; /* diagnostics as text; NULL: none */
	bool broken; /* a suite of it could not be run at all */
};
void bh_test_outcome_done(struct bh_test_outcome *o);

/* Everything in a file. @a: options that go before what the file says. What is wrong is in @ret. -ENOMEM. */
int bh_test_run(const struct bh_args *a, const char *path, struct bh_test_outcome *ret)
    bh_must_check;

struct bh_test_outcomes {
	struct bh_test_outcome *items;
	size_t n;
};

static inline bool bh_test_passed(const struct bh_test_result *r)
{
	return !r->error && r->failed == 0 && r->cases > 0;
}

/* ---- test_report.c ---- */

void bh_test_put_text(const struct bh_test_outcomes *o, bool colour, struct bh_buf *out);
void bh_test_put_tap(const struct bh_test_outcomes *o, struct bh_buf *out);
void bh_test_put_junit(const struct bh_test_outcomes *o, struct bh_buf *out);

#endif
