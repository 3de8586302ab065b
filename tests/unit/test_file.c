// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_file.c - whole files in and out, limits, kinds, locks
 */
#include "common/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[PATH_MAX];

/* @name in the test's folder; four at a time. */
static const char *in_dir(const char *name)
{
	static char paths[4][PATH_MAX + 64];
	static unsigned i;
	char *p = paths[i++ % 4];

	(void)snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static int make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(dir, sizeof(dir), "%s/bh-test-file.XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static void remove_below(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char sub[PATH_MAX + 300];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		if (unlink(sub) < 0)
			remove_below(sub);
	}
	if (d)
		(void)closedir(d);
	(void)rmdir(path);
}

static int remove_dir(void **state)
{
	remove_below(dir);
	return 0;
}

static unsigned entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2;
}

static void write_file(const char *path, const void *data, size_t size)
{
	struct bh_err err = { .code = 0 };

	assert_int_equal(bh_file_write(path, data, size, 0600, &err), 0);
}

static void test_write_and_read(void **state)
{
	const char *path = in_dir("a");
	bh_autofree char *data = NULL, *again = NULL;
	struct bh_err err = { .code = 0 };
	struct stat st;
	size_t size = 0;

	assert_int_equal(bh_file_write(path, "x\0y", 3, 0640, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(bh_file_read(path, 3, &data, &size, &err), 0);
	assert_int_equal(size, 3);
	assert_memory_equal(data, "x\0y", 4);
	assert_int_equal(bh_file_write(path, "", 0, 0600, &err), 0);
	assert_int_equal(bh_file_read(path, 3, &again, &size, &err), 0);
	assert_int_equal(size, 0);
	assert_string_equal(again, "");
	assert_int_equal(entries(dir), 1); /* no temporary file is left */
}

static void test_read_limit(void **state)
{
	static char big[200001];
	const char *path = in_dir("b");
	bh_autofree char *data = NULL;
	struct bh_err err = { .code = 0 };
	size_t size = 0;

	memset(big, 'b', sizeof(big));
	write_file(path, big, sizeof(big));
	assert_int_equal(bh_file_read(path, sizeof(big) - 1, &data, &size, &err), -E2BIG);
	assert_non_null(strstr(err.msg, "larger than 200000 bytes"));
	assert_null(data);
	assert_int_equal(bh_file_read(path, sizeof(big), &data, &size, &err), 0);
	assert_int_equal(size, sizeof(big));
	assert_memory_equal(data, big, sizeof(big));
}

static void test_read_refuses(void **state)
{
	const char *fifo = in_dir("fifo");
	bh_autofree char *data = NULL;
	struct bh_err err = { .code = 0 };
	size_t size = 0;

	assert_int_equal(bh_file_read(in_dir("nowhere"), 10, &data, &size, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "nowhere"));
	assert_int_equal(bh_file_read(dir, 10, &data, &size, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "folder"));
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(bh_file_read(fifo, 10, &data, &size, &err), -EINVAL);
	assert_int_equal(bh_file_read("/dev/zero", 10, &data, &size, &err), -EINVAL);
	assert_null(data);
}

/* /proc says that its files are empty. */
static void test_read_proc(void **state)
{
	bh_autofree char *data = NULL;
	struct bh_err err = { .code = 0 };
	size_t size = 0;

	assert_int_equal(bh_file_read("/proc/self/status", 1 << 20, &data, &size, &err), 0);
	assert_int_equal(strncmp(data, "Name:", 5), 0);
	assert_int_equal(strlen(data), size);
}

static void test_fd_read(void **state)
{
	bh_autofree char *data = NULL, *none = NULL;
	size_t size = 0;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(write(p[1], "12345", 5), 5);
	(void)close(p[1]);
	assert_int_equal(bh_fd_read(p[0], 5, &data, &size), 0);
	assert_string_equal(data, "12345");
	(void)close(p[0]);

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(write(p[1], "12345", 5), 5);
	(void)close(p[1]);
	assert_int_equal(bh_fd_read(p[0], 4, &none, &size), -E2BIG);
	(void)close(p[0]);
	assert_int_equal(bh_fd_read(-1, 4, &none, &size), -EBADF);
	assert_null(none);
}

static void test_write_refuses(void **state)
{
	struct bh_err err = { .code = 0 };

	assert_int_equal(bh_file_write(in_dir("no/such/folder"), "x", 1, 0600, &err), -ENOENT);
	assert_int_equal(bh_file_write(in_dir(""), "x", 1, 0600, &err), -EINVAL);
	assert_int_equal(bh_mkdir_parents(in_dir("target"), 0700, &err), 0);
	assert_int_equal(bh_file_write(in_dir("target"), "x", 1, 0600, &err), -EISDIR);
	assert_int_equal(entries(dir), 1);
}

static void test_mkdir(void **state)
{
	struct bh_err err = { .code = 0 };
	struct stat st;

	assert_int_equal(bh_mkdir_parents(in_dir("x/y//z/"), 0750, &err), 0);
	assert_int_equal(stat(in_dir("x/y/z"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(bh_mkdir_parents(in_dir("x/y/z"), 0750, &err), 0);
	write_file(in_dir("x/file"), "", 0);
	assert_int_equal(bh_mkdir_parents(in_dir("x/file"), 0750, &err), -ENOTDIR);
	assert_int_equal(bh_mkdir_parents(in_dir("x/file/y"), 0750, &err), -ENOTDIR);
	assert_int_equal(bh_mkdir_parents("", 0750, &err), -EINVAL);
}

static void test_lock(void **state)
{
	const char *path = in_dir("lock");
	struct bh_err err = { .code = 0 };
	char wanted[64];
	int a = -1, b = -1;

	assert_int_equal(bh_file_lock(path, &a, &err), 0);
	assert_int_equal(bh_file_lock(path, &b, &err), -EBUSY);
	(void)snprintf(wanted, sizeof(wanted), "is locked by process %d", (int)getpid());
	assert_non_null(strstr(err.msg, wanted));
	assert_int_equal(b, -1);
	(void)close(a);
	assert_int_equal(bh_file_lock(path, &b, &err), 0);
	(void)close(b);
	assert_int_equal(bh_file_lock(in_dir("no/lock"), &b, &err), -ENOENT);
}

static void test_sysctl(void **state)
{
	const char *path = in_dir("sysctl");
	bh_autofree char *data = NULL;
	struct bh_err err = { .code = 0 };
	size_t size = 0;

	assert_int_equal(bh_sysctl_write(path, "1", &err), -ENOENT); /* never makes the file */
	write_file(path, "0", 1);
	assert_int_equal(bh_sysctl_write(path, "1", &err), 0);
	assert_int_equal(bh_file_read(path, 10, &data, &size, &err), 0);
	assert_string_equal(data, "1");

	/* A number of more than one digit, which the kernel gives at the first read only. */
	free(bh_take_ptr(&data));
	assert_int_equal(bh_file_read("/proc/sys/kernel/pid_max", 64, &data, &size, &err), 0);
	assert_true(size > 2 && data[size - 1] == '\n');
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(test_write_and_read), IN_DIR(test_read_limit), IN_DIR(test_read_refuses),
		IN_DIR(test_read_proc),      IN_DIR(test_fd_read),    IN_DIR(test_write_refuses),
		IN_DIR(test_mkdir),          IN_DIR(test_lock),       IN_DIR(test_sysctl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
