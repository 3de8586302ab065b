/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/test_file.h - tests of policies as they are written down
 *
 *	policies: [./shop/]              # files or folders, relative to this file
 *	endpoints: [./shop-endpoints.yaml]
 *	at: "2031-02-03T10:00:00Z"       # also clusterRanges, resolvers, names
 *	tests:
 *	- name: clients reach the web server
 *	  from: [shop/client, 192.0.2.7] # endpoints, addresses, node/NAME
 *	  to: shop/web
 *	  port: 80/tcp
 *	  http: GET /public/x            # what is spoken, as `bulkhead explain` takes it
 *	  expect: allow
 *
 * Lists stand for every combination. A document is a suite of its own; a file may hold several. Values keep their
 * places, so that what turns out to be wrong when a test runs is shown where it stands.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_CLI_TEST_FILE_H
#define BH_CLI_TEST_FILE_H

#include "cli/cli.h"
#include "policy/reader.h"

enum bh_test_expect {
	BH_EXPECT_INVALID = 0,
	BH_EXPECT_ALLOW,
	BH_EXPECT_REFUSE, /* in silence or with an answer */
	BH_EXPECT_DROP,
	BH_EXPECT_REJECT,
	BH_EXPECT_DEPENDS,
	BH_EXPECT_COUNT,
};
const char *bh_test_expect_name(enum bh_test_expect e);

struct bh_test_value {
	char *text;
	struct bh_pos pos;
	unsigned width;
};
struct bh_test_values {
	struct bh_test_value *items;
	size_t n;
};

/* What can be said of what is spoken: bh_speech_nth(). */
#define BH_TEST_SAID 11U

struct bh_claim {
	char *name;
	struct bh_pos pos;
	struct bh_test_values from, to;
	struct bh_test_values ports; /* of port or of icmp */
	bool icmp;
	struct bh_test_values said[BH_TEST_SAID];
	uint8_t family; /* 4, 6; 0: any */
	enum bh_test_expect expect;
	char *by;          /* NULL: whoever decides */
	enum bh_dir dir;   /* INVALID: both */
	bool has_recorded; /* then: */
	bool recorded;
};

/* One document. */
struct bh_test_suite {
	struct bh_strlist policies, endpoints; /* paths */
	struct bh_strlist ranges, resolvers, names;
	char *at;
	struct bh_claim *tests;
	size_t n;
};
void bh_test_suite_done(struct bh_test_suite *s);

/* A file that is open. */
struct bh_test_file {
	char *path, *data;
	struct bh_yaml *yaml;
	struct bh_diags diags;
};
#define BH_TEST_FILE_INIT    \
	{                    \
		.path = NULL \
	}
/* What cannot be read is an error in the diagnostics. -ENOMEM. */
int bh_test_file_open(struct bh_test_file *f, const char *path) bh_must_check;
void bh_test_file_done(struct bh_test_file *f);

/**
 * bh_test_file_next() - The next document
 *
 * Return: 1: there is one, good or with errors in the diagnostics; 0: no more; -ENOMEM
 */
int bh_test_file_next(struct bh_test_file *f, struct bh_test_suite *ret) bh_must_check;

/* An error about a value. @hint: may be NULL. -ENOMEM. */
int bh_test_file_complain(struct bh_test_file *f, const struct bh_test_value *v, const char *hint,
			  const char *fmt, ...) bh_must_check bh_printf(4, 5);

#endif
