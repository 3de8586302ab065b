// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/unix.c - unix sockets that listen in the run folder
 */
#include "agent/unix.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/banned.h"

#define BACKLOG 512

int bh_unix_listen(const char *path, mode_t mode, gid_t group, int *ret_fd, struct bh_err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	bh_autoclose int fd = -1;
	size_t len = strlen(path);
	mode_t mask;
	int r;

	if (len >= sizeof(sun.sun_path))
		return bh_err_set(err, -ENAMETOOLONG, "the path '%s' is too long for a socket",
				  path);
	memcpy(sun.sun_path, path, len + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return bh_err_set(err, -errno, "socket: %s", strerrordesc_np(errno));
	if (unlink(path) < 0 && errno != ENOENT)
		return bh_err_set(err, -errno, "cannot remove the old '%s': %s", path,
				  strerrordesc_np(errno));
	/* Nobody but root at any moment. */
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ? -errno : 0;
	(void)umask(mask);
	if (r == 0 && group != (gid_t)-1 && lchown(path, 0, group) < 0)
		r = -errno;
	if (r == 0 && chmod(path, mode) < 0)
		r = -errno;
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return bh_err_set(err, r, "cannot listen on '%s': %s", path, strerrordesc_np(-r));
	*ret_fd = bh_take_fd(&fd);
	return 0;
}

int bh_unix_peer(int fd, struct ucred *ret)
{
	socklen_t size = sizeof(*ret);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &size) < 0)
		return -errno;
	return size == sizeof(*ret) ? 0 : -EPROTO;
}
