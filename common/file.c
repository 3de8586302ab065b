// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * common/file.c - whole files in and out
 */
#include "common/file.h"

#include "common/parse.h"
#include "common/util.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/banned.h"

#define CHUNK 65536

int bh_fd_read(int fd, size_t max, char **ret_data, size_t *ret_size)
{
	bh_autofree char *data = NULL;
	size_t len = 0, cap;
	struct stat st;

	if (max > SIZE_MAX / 4)
		max = SIZE_MAX / 4;
	/*
	 * A regular file's size is a first guess only: it may grow, and /proc says 0, but gives a number whole at
	 * the first read and nothing at a second.
	 */
	cap = BH_MIN((size_t)CHUNK, max);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		cap = BH_MIN((size_t)st.st_size, max);
	for (;;) {
		ssize_t n;

		if (!data || len == cap) {
			char *p;

			/* One byte more than @max, to see that there is more. */
			cap = !data ? cap + 1 : BH_MIN(BH_MAX(cap * 2, (size_t)CHUNK), max + 1);
			p = realloc(data, cap + 1);
			if (!p)
				return -ENOMEM;
			data = p;
		}
		n = read(fd, data + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -E2BIG;
	}
	data[len] = '\0';
	*ret_data = bh_take_ptr(&data);
	*ret_size = len;
	return 0;
}

int bh_file_read(const char *path, size_t max, char **ret_data, size_t *ret_size,
		 struct bh_err *err)
{
	bh_autoclose int fd = -1;
	struct stat st;
	int r;

	/* Not to hang on a FIFO before it is seen to be one. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return bh_err_set(err, -errno, "cannot open '%s': %s", path,
				  strerrordesc_np(errno));
	if (fstat(fd, &st) < 0)
		return bh_err_set(err, -errno, "cannot read '%s': %s", path,
				  strerrordesc_np(errno));
	if (S_ISDIR(st.st_mode))
		return bh_err_set(err, -EINVAL, "'%s' is a folder, not a file", path);
	if (!S_ISREG(st.st_mode))
		return bh_err_set(err, -EINVAL, "'%s' is not a regular file", path);
	r = bh_fd_read(fd, max, ret_data, ret_size);
	if (r == -E2BIG)
		return bh_err_set(err, r, "'%s' is larger than %zu bytes", path, max);
	if (r < 0)
		return bh_err_set(err, r, "cannot read '%s': %s", path, strerrordesc_np(-r));
	return 0;
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

static int sync_folder(const char *folder)
{
	bh_autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* Some file systems have nothing to sync there. */
	if (fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		return -errno;
	return 0;
}

static int write_temporary(int fd, const void *data, size_t size, mode_t mode)
{
	int r = write_all(fd, data, size);

	if (r < 0)
		return r;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int bh_file_write(const char *path, const void *data, size_t size, mode_t mode, struct bh_err *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char tmp[PATH_MAX], folder[PATH_MAX];
	bh_autoclose int fd = -1;
	int n, r;

	if (*base == '\0')
		return bh_err_set(err, -EINVAL, "'%s' names no file", path);
	n = snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash + 1 - path) : 2,
		     slash ? path : "./");
	if (n < 0 || (size_t)n >= sizeof(folder))
		return bh_err_set(err, -ENAMETOOLONG, "the path '%.64s...' is too long", path);
	/* A dot in front: whoever reads the folder leaves it out. */
	n = snprintf(tmp, sizeof(tmp), "%s.%.200s.XXXXXX", folder, base);
	if (n < 0 || (size_t)n >= sizeof(tmp))
		return bh_err_set(err, -ENAMETOOLONG, "the path '%.64s...' is too long", path);

	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return bh_err_set(err, -errno, "cannot make a file in '%s': %s", folder,
				  strerrordesc_np(errno));
	r = write_temporary(fd, data, size, mode);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(tmp);
		return bh_err_set(err, r, "cannot write '%s': %s", path, strerrordesc_np(-r));
	}
	r = sync_folder(folder);
	if (r < 0)
		return bh_err_set(err, r, "cannot sync the folder '%s': %s", folder,
				  strerrordesc_np(-r));
	return 0;
}

int bh_mkdir_parents(const char *path, mode_t mode, struct bh_err *err)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	struct stat st;

	if (len == 0)
		return bh_err_set(err, -EINVAL, "an empty path names no folder");
	if (len >= sizeof(part))
		return bh_err_set(err, -ENAMETOOLONG, "the path '%.64s...' is too long", path);
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		char c = part[i];

		if (c != '/' && c != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return bh_err_set(err, -errno, "cannot make the folder '%s': %s", part,
					  strerrordesc_np(errno));
		part[i] = c;
	}
	if (stat(path, &st) < 0)
		return bh_err_set(err, -errno, "cannot make the folder '%s': %s", path,
				  strerrordesc_np(errno));
	if (!S_ISDIR(st.st_mode))
		return bh_err_set(err, -ENOTDIR, "'%s' exists and is not a folder", path);
	return 0;
}

int bh_file_lock(const char *path, int *ret_fd, struct bh_err *err)
{
	bh_autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char text[32] = { 0 };
	uint64_t pid;
	ssize_t len;
	int n;

	if (fd < 0)
		return bh_err_set(err, -errno, "cannot open '%s': %s", path,
				  strerrordesc_np(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return bh_err_set(err, -errno, "cannot lock '%s': %s", path,
					  strerrordesc_np(errno));
		len = pread(fd, text, sizeof(text) - 1, 0);
		if (len > 0 && text[len - 1] == '\n')
			text[len - 1] = '\0';
		if (len <= 0 || bh_parse_u64(text, INT_MAX, &pid) < 0)
			return bh_err_set(err, -EBUSY, "'%s' is locked by another process", path);
		return bh_err_set(err, -EBUSY, "'%s' is locked by process %d", path, (int)pid);
	}
	/* The number is for the message above only: failing to leave it is no failure. */
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (n > 0 && ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)n, 0);
	*ret_fd = bh_take_fd(&fd);
	return 0;
}

int bh_sysctl_write(const char *path, const char *text, struct bh_err *err)
{
	bh_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return bh_err_set(err, -errno, "cannot open '%s': %s", path,
				  strerrordesc_np(errno));
	n = write(fd, text, len);
	if (n < 0)
		return bh_err_set(err, -errno, "cannot write \"%s\" to '%s': %s", text, path,
				  strerrordesc_np(errno));
	if ((size_t)n != len)
		return bh_err_set(err, -EIO, "'%s' took %zd of %zu bytes", path, n, len);
	return 0;
}
