/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/file.h - whole files in and out
 *
 * Thread-safety: no state.
 */
#ifndef BH_COMMON_FILE_H
#define BH_COMMON_FILE_H

#include "common/err.h"

#include <stddef.h>
#include <sys/types.h>

/**
 * bh_file_read() - Read a whole regular file
 * @path:	Opened with O_CLOEXEC; anything but a regular file is refused (-EINVAL)
 * @max:	Bytes at most; -E2BIG beyond
 * @ret_data:	Owned by the caller, followed by a NUL that does not count
 *
 * Return: 0, or a negative errno of open(2)/read(2), -EINVAL, -E2BIG, -ENOMEM
 */
int bh_file_read(const char *path, size_t max, char **ret_data, size_t *ret_size,
		 struct bh_err *err) bh_must_check;
/* The same from an open descriptor, from its present position to its end; any kind of file. */
int bh_fd_read(int fd, size_t max, char **ret_data, size_t *ret_size) bh_must_check;

/* Temporary name in the same folder, write, fsync, rename, fsync of the folder. */
int bh_file_write(const char *path, const void *data, size_t size, mode_t mode, struct bh_err *err)
    bh_must_check;

/* mkdir -p. */
int bh_mkdir_parents(const char *path, mode_t mode, struct bh_err *err) bh_must_check;

/*
 * Exclusive flock(2) on @path (made if missing), held until the descriptor is closed: -EBUSY with the
 * holder's pid in the message if somebody has it.
 */
int bh_file_lock(const char *path, int *ret_fd, struct bh_err *err) bh_must_check;

/* Writes @text to a file of /proc or /sys: one write(2). */
int bh_sysctl_write(const char *path, const char *text, struct bh_err *err) bh_must_check;

#endif
