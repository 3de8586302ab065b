// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_violation_log.c - what stands in the violation log: aggregation, sequence, full disks
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/violation_log.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"

#define BODY "\"kind\":\"violation\",\"reason\":\"default_deny\""
#define T0   1767323045678901LL

struct fixture {
	char dir[64], path[128];
	struct bh_vlog *log;
	unsigned heard;
};

static void on_line(void *arg, const char *line, size_t len)
{
	struct fixture *f = arg;

	assert_int_equal(line[len - 1], '\n');
	f->heard++;
}

static void begin(struct fixture *f, unsigned max_keys, size_t max_pending, unsigned keep)
{
	struct bh_vlog_config cfg = { .path = f->path,
				      .node = "n\"1",
				      .boot = "c0ffee0123456789",
				      .max_keys = max_keys,
				      .max_pending = max_pending,
				      .keep = keep,
				      .line = on_line,
				      .arg = f };

	assert_int_equal(bh_vlog_new(&cfg, &f->log, NULL), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/bh-vlog.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/deep/violations.jsonl", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char folder[80], old[160];

	bh_vlog_free(f->log);
	(void)snprintf(folder, sizeof(folder), "%s/deep", f->dir);
	(void)snprintf(old, sizeof(old), "%s.1", f->path);
	(void)unlink(f->path);
	(void)unlink(old);
	(void)rmdir(folder);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static struct bh_vlog_key key_of(unsigned n)
{
	struct bh_vlog_key k;

	memset(&k, 0, sizeof(k));
	k.src.family = k.dst.family = 4;
	k.src.bytes[0] = 10;
	k.src.bytes[3] = (uint8_t)n;
	k.src.bytes[2] = (uint8_t)(n >> 8);
	k.dport = 80;
	k.l4 = 6;
	return k;
}

/* As records.c does it. */
static void violate(struct fixture *f, unsigned n, bh_msec_t now)
{
	struct bh_vlog_key k = key_of(n);

	if (!bh_vlog_repeat(f->log, &k, T0 + now * 1000, 1))
		bh_vlog_violation(f->log, &k, now, T0 + now * 1000, BODY);
}

/* All records of the file, checked for the numbers they carry. */
static json_t *records_of(const char *path, uint64_t first_seq)
{
	bh_autofree char *text = NULL;
	json_t *list = json_array();
	size_t size;

	assert_int_equal(bh_file_read(path, 1 << 20, &text, &size, NULL), 0);
	for (char *p = text; *p;) {
		char *end = strchr(p, '\n');
		json_t *v = NULL;
		uint64_t seq;

		assert_non_null(end);
		assert_int_equal(bh_json_load(p, (size_t)(end - p), 1 << 20, &v, NULL), 0);
		assert_int_equal(bh_json_u64(v, "seq", UINT64_MAX / 2, &seq, NULL), 0);
		assert_int_equal(seq, first_seq + json_array_size(list));
		(void)json_array_append_new(list, v);
		p = end + 1;
	}
	return list;
}

static uint64_t number(const json_t *list, size_t i, const char *key)
{
	uint64_t v;

	assert_int_equal(bh_json_u64(json_array_get(list, i), key, UINT64_MAX / 2, &v, NULL), 0);
	return v;
}

static const char *string(const json_t *list, size_t i, const char *key)
{
	const char *s;

	assert_int_equal(bh_json_str(json_array_get(list, i), key, &s, NULL), 0);
	return s;
}

static void test_first_at_once_repeats_after_the_window(void **state)
{
	struct fixture *f = *state;
	bh_autojson json_t *early = NULL, *late = NULL, *again = NULL;

	begin(f, 0, 0, 0);
	for (unsigned i = 0; i < 5; i++)
		violate(f, 1, i * 1000);
	violate(f, 2, 4500);
	early = records_of(f->path, 1);
	assert_int_equal(json_array_size(early), 2);
	assert_string_equal(string(early, 0, "node"), "n\"1");
	assert_string_equal(string(early, 0, "boot"), "c0ffee0123456789");
	assert_string_equal(string(early, 0, "kind"), "violation");
	assert_string_equal(string(early, 0, "ts"), "2026-01-02T03:04:05.678901Z");
	assert_int_equal(number(early, 0, "count"), 1);

	bh_vlog_tick(f->log, 9999);
	bh_vlog_tick(f->log, 10000);
	late = records_of(f->path, 1);
	assert_int_equal(json_array_size(late), 3);
	assert_int_equal(number(late, 2, "count"), 4);
	assert_string_equal(string(late, 2, "first"), "2026-01-02T03:04:06.678901Z");
	assert_string_equal(string(late, 2, "last"), "2026-01-02T03:04:09.678901Z");

	/* The window goes on; a quiet one is forgotten, and the next is a first one again. */
	violate(f, 1, 12000);
	bh_vlog_tick(f->log, 20000);
	bh_vlog_tick(f->log, 30000);
	violate(f, 1, 31000);
	again = records_of(f->path, 1);
	assert_int_equal(json_array_size(again), 5);
	assert_int_equal(number(again, 3, "count"), 1);
	assert_int_equal(number(again, 4, "count"), 1);
	assert_int_equal(f->heard, 5);
}

static void test_flush_and_end_write_what_is_counted(void **state)
{
	struct fixture *f = *state;
	struct bh_vlog_stats st;
	bh_autojson json_t *flushed = NULL, *ended = NULL;

	begin(f, 0, 0, 0);
	violate(f, 1, 0);
	violate(f, 1, 1);
	bh_vlog_flush(f->log);
	flushed = records_of(f->path, 1);
	assert_int_equal(json_array_size(flushed), 2);
	violate(f, 1, 2);
	violate(f, 1, 3);
	bh_vlog_stats_get(f->log, &st);
	assert_int_equal(st.written, 2);
	assert_int_equal(st.suppressed, 3);
	assert_int_equal(st.lost, 0);
	f->log = bh_vlog_free(f->log);
	ended = records_of(f->path, 1);
	assert_int_equal(json_array_size(ended), 3);
	assert_int_equal(number(ended, 2, "count"), 2);
}

static void test_a_full_table_writes_the_count_of_who_goes(void **state)
{
	struct fixture *f = *state;
	bh_autojson json_t *list = NULL;
	uint64_t total = 0;

	begin(f, 4, 0, 0);
	violate(f, 1, 0);
	violate(f, 1, 1);
	violate(f, 1, 2);
	for (unsigned n = 2; n < 10; n++)
		violate(f, n, 3);
	bh_vlog_flush(f->log);
	list = records_of(f->path, 1);
	assert_int_equal(json_array_size(list), 10);
	for (size_t i = 0; i < json_array_size(list); i++)
		total += number(list, i, "count");
	assert_int_equal(total, 11);
}

static void test_losses_are_counted_by_cause(void **state)
{
	struct fixture *f = *state;
	bh_autojson json_t *list = NULL;
	struct bh_vlog_stats st;

	begin(f, 0, 0, 0);
	bh_vlog_loss(f->log, "queue_full", 3);
	bh_vlog_loss(f->log, "nflog_overrun", 1);
	bh_vlog_loss(f->log, "queue_full", 4);
	bh_vlog_loss(f->log, "nothing", 0);
	bh_vlog_tick(f->log, 1000);
	bh_vlog_tick(f->log, 2000);
	list = records_of(f->path, 1);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(string(list, 0, "kind"), "loss");
	assert_string_equal(string(list, 0, "cause"), "queue_full");
	assert_int_equal(number(list, 0, "count"), 7);
	assert_int_equal(number(list, 1, "count"), 1);
	bh_vlog_stats_get(f->log, &st);
	assert_int_equal(st.lost, 8);
	assert_null(json_object_get(json_array_get(list, 0), "openMs"));
}

static void test_a_loss_says_how_long_it_was_open(void **state)
{
	struct fixture *f = *state;
	bh_autojson json_t *list = NULL;

	begin(f, 0, 0, 0);
	bh_vlog_loss_open(f->log, "tables_changed", 120);
	bh_vlog_loss_open(f->log, "tables_changed", 90);
	bh_vlog_tick(f->log, 1000);
	bh_vlog_loss_open(f->log, "tables_changed", 0);
	bh_vlog_tick(f->log, 2000);
	bh_vlog_loss(f->log, "tables_changed", 1);
	bh_vlog_tick(f->log, 3000);
	list = records_of(f->path, 1);
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(number(list, 0, "count"), 2);
	assert_int_equal(number(list, 0, "openMs"), 120);
	assert_int_equal(number(list, 1, "openMs"), 0);
	assert_null(json_object_get(json_array_get(list, 2), "openMs"));
}

/* The limit makes write(2) stop in the middle of a line, as a full disk does. */
static void test_a_full_disk_loses_nothing_silently(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, tight;
	bh_autojson json_t *list = NULL;
	struct bh_vlog_stats st;
	uint64_t lost = 0, firsts = 0;

	begin(f, 0, 2000, 0);
	violate(f, 1, 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 300;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (unsigned n = 2; n < 30; n++)
		violate(f, n, 1);
	bh_vlog_stats_get(f->log, &st);
	assert_true(st.failing);
	assert_true(st.lost > 0);
	bh_vlog_tick(f->log, 1000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	bh_vlog_tick(f->log, 2000);
	bh_vlog_tick(f->log, 3000);
	bh_vlog_stats_get(f->log, &st);
	assert_false(st.failing);
	/* Whole lines, no gap in the numbers, and what is missing is counted. */
	list = records_of(f->path, 1);
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (strcmp(string(list, i, "kind"), "loss") == 0) {
			assert_string_equal(string(list, i, "cause"), "log_write");
			lost += number(list, i, "count");
		} else {
			firsts++;
		}
	}
	assert_true(lost > 0);
	assert_int_equal(firsts + lost, 29);
	assert_int_equal(st.lost, lost);
}

static void test_rotation(void **state)
{
	struct fixture *f = *state;
	bh_autojson json_t *old = NULL, *new = NULL, *third = NULL;
	char moved[160];

	begin(f, 0, 0, 0);
	violate(f, 1, 0);
	(void)snprintf(moved, sizeof(moved), "%s.1", f->path);
	assert_int_equal(rename(f->path, moved), 0);
	violate(f, 2, 0);
	assert_int_equal(bh_vlog_reopen(f->log, NULL), 0);
	violate(f, 3, 0);
	old = records_of(moved, 1);
	new = records_of(f->path, 3);
	assert_int_equal(json_array_size(old), 2);
	assert_int_equal(json_array_size(new), 1);
	/* Removed without a word: noticed by itself. */
	assert_int_equal(unlink(f->path), 0);
	bh_vlog_tick(f->log, 1000);
	violate(f, 4, 1000);
	third = records_of(f->path, 4);
	assert_int_equal(json_array_size(third), 1);
}

static void count_lines(void *arg, const char *line, size_t len)
{
	assert_int_equal(line[len - 1], '\n');
	assert_int_equal(strlen(line), len);
	(*(unsigned *)arg)++;
}

static void remember_first(void *arg, const char *line, size_t len)
{
	if (!*(char *)arg)
		(void)snprintf(arg, 512, "%s", line);
}

static void test_last_lines(void **state)
{
	struct fixture *f = *state;
	char first[512] = { 0 };
	unsigned n = 0;

	begin(f, 0, 0, 8);
	for (unsigned i = 0; i < 20; i++)
		violate(f, i, 0);
	bh_vlog_last(f->log, 100, count_lines, &n);
	assert_int_equal(n, 8);
	n = 0;
	bh_vlog_last(f->log, 3, count_lines, &n);
	assert_int_equal(n, 3);
	bh_vlog_last(f->log, 3, remember_first, first);
	assert_non_null(strstr(first, "\"seq\":18,"));
}

static void test_fifty_thousand_repeats_are_one_record(void **state)
{
	struct fixture *f = *state;
	bh_autojson json_t *list = NULL;

	begin(f, 0, 0, 0);
	for (unsigned i = 0; i < 50000; i++)
		violate(f, i % 100, 0);
	bh_vlog_flush(f->log);
	list = records_of(f->path, 1);
	assert_int_equal(json_array_size(list), 200);
	assert_int_equal(number(list, 199, "count"), 499);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_at_once_repeats_after_the_window, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_flush_and_end_write_what_is_counted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_full_table_writes_the_count_of_who_goes,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_losses_are_counted_by_cause, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_loss_says_how_long_it_was_open, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_full_disk_loses_nothing_silently, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fifty_thousand_repeats_are_one_record, setup,
						teardown),
	};

	bh_log_init("test_violation_log", BH_LOG_ERROR);
	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
