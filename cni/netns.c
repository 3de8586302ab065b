// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/netns.c - network namespaces as descriptors
 *
 * A path is opened with O_NONBLOCK, so that a FIFO or a device put in place of the namespace cannot hold
 * the call up.
 */
#include "cni/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

int bh_netns_open(const char *path, struct bh_netns *ret, struct bh_err *err)
{
	bh_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		return bh_err_set(err, -errno, "cannot open network namespace '%.200s': %s", path,
				  strerror(errno));
	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return bh_err_set(err, -errno, "cannot look at network namespace '%.200s': %s",
				  path, strerror(errno));
	if (fs.f_type != NSFS_MAGIC || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return bh_err_set(err, -EINVAL, "'%.200s' is not a network namespace", path);
	*ret = (struct bh_netns){ .fd = bh_take_fd(&fd), .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

int bh_netns_self(struct bh_netns *ret, struct bh_err *err)
{
	return bh_netns_open("/proc/thread-self/ns/net", ret, err);
}

void bh_netns_done(struct bh_netns *n)
{
	bh_closep(&n->fd);
	n->fd = -1;
}

int bh_netns_enter(const struct bh_netns *n, struct bh_err *err)
{
	if (setns(n->fd, CLONE_NEWNET) < 0)
		return bh_err_set(err, -errno, "cannot enter the network namespace: %s",
				  strerror(errno));
	return 0;
}
