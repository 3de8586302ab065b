/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_addrtable.c - the table that the agent writes and the workers read
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/addrtable.h"

static struct bh_addr v4(uint32_t n)
{
	const uint8_t b[4] = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	struct bh_addr a = { .family = 4 };

	memcpy(a.bytes, b, 4);
	return a;
}

static struct bh_addr v6(uint32_t n)
{
	struct bh_addr a = { .bytes = { 0xfd }, .family = 6 };

	memcpy(a.bytes + 12, &n, 4);
	return a;
}

static struct bh_addrtable *table(size_t capacity)
{
	struct bh_addrtable *t = NULL;
	struct bh_err err = { 0 };

	assert_int_equal(bh_addrtable_new(capacity, &t, &err), 0);
	return t;
}

static void set_get_remove(void **state)
{
	bh_cleanup(bh_addrtable_freep) struct bh_addrtable *t = table(100), *r = NULL;
	struct bh_addr a = v4(1), b = v6(1), none = { .family = 0 };
	bool local = true;

	assert_int_equal(bh_addrtable_map(bh_addrtable_fd(t), &r, NULL), 0);
	assert_int_equal(bh_addrtable_get(r, &a, &local), 0);
	assert_false(local);
	assert_int_equal(bh_addrtable_set(t, &a, 0x80000005, true), 0);
	assert_int_equal(bh_addrtable_set(t, &b, 7, false), 0);
	assert_int_equal(bh_addrtable_get(r, &a, &local), 0x80000005);
	assert_true(local);
	assert_int_equal(bh_addrtable_get(r, &b, &local), 7);
	assert_false(local);
	assert_int_equal(bh_addrtable_set(t, &a, 9, false), 0);
	assert_int_equal(bh_addrtable_get(r, &a, &local), 9);
	assert_false(local);
	assert_int_equal(bh_addrtable_used(r), 2);
	bh_addrtable_remove(t, &a);
	assert_int_equal(bh_addrtable_get(r, &a, &local), 0);
	assert_false(local);
	assert_int_equal(bh_addrtable_get(r, &b, NULL), 7);
	assert_int_equal(bh_addrtable_set(t, &a, 3, true), 0);
	assert_int_equal(bh_addrtable_used(r), 2);
	/* No class, no address: refused, and an unknown address has no class. */
	assert_int_equal(bh_addrtable_set(t, &a, 0, true), -EINVAL);
	assert_int_equal(bh_addrtable_set(t, &none, 3, true), -EINVAL);
	assert_int_equal(bh_addrtable_get(r, &none, NULL), 0);
	/* Sixteen zero bytes of one family are not those of the other. */
	a = (struct bh_addr){ .family = 4 };
	b = (struct bh_addr){ .family = 6 };
	assert_int_equal(bh_addrtable_set(t, &a, 3, true), 0);
	assert_int_equal(bh_addrtable_get(r, &b, NULL), 0);
}

static void full(void **state)
{
	bh_cleanup(bh_addrtable_freep) struct bh_addrtable *t = table(1000);
	struct bh_addr a;
	uint32_t n = 0;
	int r;

	for (;; n++) {
		a = v4(n);
		r = bh_addrtable_set(t, &a, n + 1, false);
		if (r)
			break;
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(n, 2048 / 4 * 3);
	for (uint32_t i = 0; i < n; i++) {
		a = v4(i);
		assert_int_equal(bh_addrtable_get(t, &a, NULL), i + 1);
	}
	/* Addresses that are in it can still change, go and come back. */
	a = v4(5);
	assert_int_equal(bh_addrtable_set(t, &a, 77, true), 0);
	bh_addrtable_remove(t, &a);
	assert_int_equal(bh_addrtable_set(t, &a, 78, true), 0);
	assert_int_equal(bh_addrtable_get(t, &a, NULL), 78);
	a = v4(n);
	assert_int_equal(bh_addrtable_get(t, &a, NULL), 0);
	bh_addrtable_remove(t, &a);
}

static void readers_cannot_write(void **state)
{
	bh_cleanup(bh_addrtable_freep) struct bh_addrtable *t = table(10), *r = NULL;
	struct bh_addr a = v4(1);
	int fd = bh_addrtable_fd(t);

	assert_ptr_equal(mmap(NULL, 64, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(bh_addrtable_map(fd, &r, NULL), 0);
	assert_int_equal(bh_addrtable_set(r, &a, 1, true), -EINVAL);
	bh_addrtable_remove(r, &a);
	assert_int_equal(bh_addrtable_fd(r), -1);
}

/* A file of @size bytes that begins like a good table, with one 32-bit field changed. */
static int forged(size_t size, size_t at, uint32_t value, bool sealed)
{
	bh_cleanup(bh_addrtable_freep) struct bh_addrtable *t = table(8);
	int fd = memfd_create("forged", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	uint8_t b[64];

	assert_int_equal(pread(bh_addrtable_fd(t), b, sizeof(b), 0), sizeof(b));
	if (at < sizeof(b))
		memcpy(b + at, &value, 4);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_true(pwrite(fd, b, size < 64 ? size : 64, 0) >= 0);
	if (sealed)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
	return fd;
}

static void hostile_files(void **state)
{
	const size_t good = 64 + 16 * 24;
	const struct {
		size_t size, at;
		uint32_t value;
		bool sealed;
		int want;
	} c[] = {
		{ good, 64, 0, true, 0 },
		{ good, 64, 0, false, -EPROTO },
		{ 0, 64, 0, true, -EPROTO },
		{ 63, 64, 0, true, -EPROTO },
		{ good - 1, 64, 0, true, -EPROTO },
		{ good + 1, 64, 0, true, -EPROTO },
		{ good, 0, 1, true, -EPROTO },
		{ good, 8, 2, true, -EPROTO },
		{ good, 12, 16, true, -EPROTO },
		{ good, 16, 0, true, -EPROTO },
		{ good, 16, 15, true, -EPROTO },
		{ good, 16, 32, true, -EPROTO },
		{ good, 16, 1U << 31, true, -EPROTO },
	};
	struct bh_err err = { 0 };

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		bh_cleanup(bh_addrtable_freep) struct bh_addrtable *t = NULL;
		bh_autoclose int fd = forged(c[i].size, c[i].at, c[i].value, c[i].sealed);

		assert_int_equal(bh_addrtable_map(fd, &t, &err), c[i].want);
		assert_true(c[i].want == 0 || (!t && err.msg[0]));
	}
	bh_autoclose int dir = open("/", O_RDONLY | O_CLOEXEC);
	struct bh_addrtable *t = NULL;

	assert_int_equal(bh_addrtable_map(dir, &t, &err), -EPROTO);
	assert_int_equal(bh_addrtable_map(-1, &t, &err), -EPROTO);
}

/* A table whose slots are all taken by somebody else's bytes: a search ends, and finds nothing. */
static void full_of_foreign_words(void **state)
{
	bh_cleanup(bh_addrtable_freep) struct bh_addrtable *t = NULL;
	bh_autoclose int fd = forged(64 + 16 * 24, 64, 0, true);
	struct bh_addr a = v4(1);
	uint8_t ff[16 * 24];

	memset(ff, 0xff, sizeof(ff));
	assert_int_equal(pwrite(fd, ff, sizeof(ff), 64), sizeof(ff));
	assert_int_equal(bh_addrtable_map(fd, &t, NULL), 0);
	assert_int_equal(bh_addrtable_get(t, &a, NULL), 0);
}

#define N_SHARED 400U

/* Class of an address is (n << 8 | generation): anything else is something torn. */
static uint64_t read_round(const struct bh_addrtable *t, uint64_t *torn)
{
	uint64_t seen = 0;

	for (uint32_t n = 1; n <= N_SHARED; n++) {
		struct bh_addr a = n & 1 ? v4(n) : v6(n);
		bool local;
		uint32_t c = bh_addrtable_get(t, &a, &local);

		if (!c)
			continue;
		seen++;
		if (c >> 8 != n || local != (c & 1))
			(*torn)++;
	}
	return seen;
}

static void write_rounds(struct bh_addrtable *t, uint32_t rounds)
{
	for (uint32_t g = 0; rounds == 0 || g < rounds; g++)
		for (uint32_t n = 1; n <= N_SHARED; n++) {
			struct bh_addr a = n & 1 ? v4(n) : v6(n);

			if ((n + g) % 3 == 0)
				bh_addrtable_remove(t, &a);
			else if (bh_addrtable_set(t, &a, n << 8 | (g & 0xff), g & 1) < 0)
				_exit(3);
		}
}

static void reader_beside_writer(void **state)
{
	bh_cleanup(bh_addrtable_freep) struct bh_addrtable *t = table(N_SHARED), *r = NULL;
	uint64_t torn = 0, seen = 0;
	int status = 0;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		write_rounds(t, 3000);
		_exit(0);
	}
	assert_int_equal(bh_addrtable_map(bh_addrtable_fd(t), &r, NULL), 0);
	while (waitpid(pid, &status, WNOHANG) == 0)
		seen += read_round(r, &torn);
	assert_int_equal(status, 0);
	assert_int_equal(torn, 0);
	assert_true(seen + read_round(r, &torn) > 0);
}

static void writer_dies(void **state)
{
	for (unsigned i = 0; i < 50; i++) {
		bh_cleanup(bh_addrtable_freep) struct bh_addrtable *t = table(N_SHARED), *r = NULL;
		uint64_t torn = 0;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			write_rounds(t, 0);
			_exit(0);
		}
		assert_int_equal(bh_addrtable_map(bh_addrtable_fd(t), &r, NULL), 0);
		/* Not before it has written something; the round itself takes a different time each turn. */
		while (read_round(r, &torn) < i * 5)
			;
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		read_round(r, &torn);
		assert_int_equal(torn, 0);
		/* Who still has the writable mapping can go on. */
		write_rounds(t, 2);
		assert_true(read_round(r, &torn) >= N_SHARED / 2);
		assert_int_equal(torn, 0);
		assert_in_range(bh_addrtable_used(r), N_SHARED, N_SHARED + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_get_remove),        cmocka_unit_test(full),
		cmocka_unit_test(readers_cannot_write),  cmocka_unit_test(hostile_files),
		cmocka_unit_test(full_of_foreign_words), cmocka_unit_test(reader_beside_writer),
		cmocka_unit_test(writer_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
