/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/unix.h - unix sockets that listen in the run folder
 *
 * Thread-safety: bh_unix_listen() changes the umask for a moment: one thread.
 */
#ifndef BH_AGENT_UNIX_H
#define BH_AGENT_UNIX_H

#include "common/err.h"

#include <sys/socket.h>
#include <sys/types.h>

/*
 * A socket at @path instead of whatever stands there (the caller holds the lock of the run folder).
 * @group: who may connect besides root, as far as @mode says so; (gid_t)-1: root's
 */
int bh_unix_listen(const char *path, mode_t mode, gid_t group, int *ret_fd, struct bh_err *err)
    bh_must_check;
/* Who is at the other end. */
int bh_unix_peer(int fd, struct ucred *ret) bh_must_check;

#endif
