/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/pool_os.h - what the pool needs of the system: sockets, memory files, processes
 *
 * Only pool*.c includes this.
 *
 * Thread-safety: no state. bh_os_spawn() wants no other thread to open descriptors that are not close-on-exec.
 */
#ifndef BH_DATAPLANE_WORKER_POOL_OS_H
#define BH_DATAPLANE_WORKER_POOL_OS_H

#include <sys/types.h>

#include "dataplane/worker/pool.h"

/* Listens at @path, where a stale socket is replaced. */
int bh_os_listen(const char *path, int *ret_fd, struct bh_err *err) bh_must_check;
/* -ECONNREFUSED, -ENOENT: nobody is there. Non-blocking, hears who the sender of each message is. */
int bh_os_connect(const char *path, int *ret_fd) bh_must_check;

/* Descriptors @fds travel along. -EAGAIN: no room. */
int bh_os_send(int conn, const struct bh_wmsg *m, const int *fds, size_t n_fds) bh_must_check;

struct bh_os_msg {
	struct bh_wmsg m;
	size_t size; /* bytes that came; more than sizeof(m): cut */
	pid_t pid;   /* of the sender, as the kernel says */
	uid_t uid;
	int fds[2]; /* -1: none; the receiver closes them */
};
/* Return: 1, 0: nothing there, -ECONNRESET: the other end is closed, another negative errno */
int bh_os_recv(int conn, struct bh_os_msg *ret) bh_must_check;

/* A memory file with the rule set in it that nobody can change any more. */
int bh_os_rules_file(const struct bh_ruleset *rs, int *ret_fd, struct bh_err *err) bh_must_check;

struct bh_os_spawn {
	const char *bin;
	int listen_fd, queue_fd;
	uint16_t queue;
	struct bh_engine_config engine;
};
/* In a session of its own, with nothing open but what it is given and stderr. */
int bh_os_spawn(const struct bh_os_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct bh_err *err)
    bh_must_check;
/* Takes whoever waits at a listening socket, and hangs up. */
void bh_os_drain(int listen_fd);
/* The exit status of a child (as waitpid gives it), -1 if it is nobody's that we could know. */
int bh_os_reap(int pidfd);
/* A live worker whose pid stands in @pid_path: its pidfd. -ENOENT: there is none. */
int bh_os_find(const char *pid_path, int *ret_pidfd) bh_must_check;
/* SIGKILL, and waits until it is gone (a second at most). */
void bh_os_kill(int pidfd);
/* Waits at most @ms. */
bool bh_os_gone(int pidfd, int ms);

struct bh_os_queue {
	uint16_t queue;
	uint64_t dropped, user_dropped;
	uint32_t waiting, last_id;
};
/* Fills @qs, which say their queue, from this namespace's table of queues. */
int bh_os_queue_stats(struct bh_os_queue *qs, size_t n) bh_must_check;

#endif
