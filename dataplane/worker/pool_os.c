// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/pool_os.c - what the pool needs of the system: sockets, memory files, processes
 */
#include "dataplane/worker/pool_os.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/file.h"
#include "common/parse.h"
#include "common/util.h"

#include "common/banned.h"

#define BACKLOG     8
#define PROGRAM     "bulkhead-worker"
#define QUEUE_TABLE "/proc/thread-self/net/netfilter/nfnetlink_queue"

static int unix_address(const char *path, struct sockaddr_un *ret)
{
	size_t len = strlen(path);

	if (len >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, path, len + 1);
	return 0;
}

int bh_os_listen(const char *path, int *ret_fd, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	struct sockaddr_un sun;

	if (unix_address(path, &sun) < 0)
		return bh_err_set(err, -ENAMETOOLONG,
				  "%s: at most %zu bytes fit in a socket's name", path,
				  sizeof(sun.sun_path) - 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return bh_err_set(err, -errno, "%s: socket: %m", path);
	/* The name takes the mode of the socket: it is never there with another one. */
	if (fchmod(fd, 0600) < 0)
		return bh_err_set(err, -errno, "%s: fchmod: %m", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return bh_err_set(err, -errno, "%s: unlink: %m", path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return bh_err_set(err, -errno, "%s: bind: %m", path);
	if (listen(fd, BACKLOG) < 0)
		return bh_err_set(err, -errno, "%s: listen: %m", path);
	*ret_fd = bh_take_fd(&fd);
	return 0;
}

int bh_os_connect(const char *path, int *ret_fd)
{
	bh_autoclose int fd = -1;
	struct sockaddr_un sun;
	const int one = 1;

	if (unix_address(path, &sun) < 0)
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	*ret_fd = bh_take_fd(&fd);
	return 0;
}

int bh_os_send(int conn, const struct bh_wmsg *m, const int *fds, size_t n_fds)
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)m, .iov_len = sizeof(*m) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > 0) {
		struct cmsghdr *c;

		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	return sendmsg(conn, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void read_control(struct msghdr *mh, struct bh_os_msg *ret)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t size = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
		    size >= sizeof(struct ucred)) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			ret->pid = cred.pid;
			ret->uid = cred.uid;
		}
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < size / sizeof(int); i++, n++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n < BH_ARRAY_SIZE(ret->fds))
				ret->fds[n] = fd;
			else
				(void)close(fd);
		}
	}
}

int bh_os_recv(int conn, struct bh_os_msg *ret)
{
	union {
		char buf[CMSG_SPACE(4 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = &ret->m, .iov_len = sizeof(ret->m) };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf) };
	ssize_t n;

	*ret = (struct bh_os_msg){ .fds = { -1, -1 }, .uid = (uid_t)-1 };
	n = recvmsg(conn, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	ret->size = (size_t)n;
	read_control(&mh, ret);
	return 1;
}

int bh_os_rules_file(const struct bh_ruleset *rs, int *ret_fd, struct bh_err *err)
{
	const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	bh_autoclose int fd = -1;
	const char *data;
	size_t size;

	data = bh_ruleset_data(rs, &size);
	fd = memfd_create("bulkhead-rules", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return bh_err_set(err, -errno, "rule set: memfd_create: %m");
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, data + done, size - done);

		if (n < 0 && errno != EINTR)
			return bh_err_set(err, -errno, "rule set of %zu bytes: write: %m", size);
		done += n < 0 ? 0 : (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		return bh_err_set(err, -errno, "rule set: sealing: %m");
	*ret_fd = bh_take_fd(&fd);
	return 0;
}

/* 0 and 1 lead nowhere, 2 stays, 3 and 4 are the worker's, nothing else. */
static int file_actions(posix_spawn_file_actions_t *fa, int listen_fd, int queue_fd)
{
	int r = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDWR, 0);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(fa, 0, 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(fa, listen_fd, 3);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(fa, queue_fd, 4);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(fa, 5);
	return r;
}

static int attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						       POSIX_SPAWN_SETSIGDEF);
	return r;
}

int bh_os_spawn(const struct bh_os_spawn *s, pid_t *ret_pid, int *ret_pidfd, struct bh_err *err)
{
	/* Above the numbers that the child gives them, so that one cannot overwrite the other. */
	bh_autoclose int listen_fd = fcntl(s->listen_fd, F_DUPFD_CLOEXEC, 10);
	bh_autoclose int queue_fd = fcntl(s->queue_fd, F_DUPFD_CLOEXEC, 10);
	char queue[16], flows[16], contexts[16], naming[2] = { s->engine.naming ? '1' : '0', 0 };
	char mark[4];
	char *argv[] = { (char[]){ PROGRAM },
			 (char[]){ "--listen-fd=3" },
			 (char[]){ "--queue-fd=4" },
			 (char[]){ "--queue" },
			 queue,
			 (char[]){ "--flows" },
			 flows,
			 (char[]){ "--contexts" },
			 contexts,
			 (char[]){ "--naming" },
			 naming,
			 (char[]){ "--mark-down" },
			 mark,
			 NULL };
	const char *journal = getenv("JOURNAL_STREAM");
	char stream[128] = "JOURNAL_STREAM=";
	char *env[] = { journal ? stream : NULL, NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	pid_t pid = -1;
	int r;

	if (listen_fd < 0 || queue_fd < 0)
		return bh_err_set(err, -errno, "%s: descriptors: %m", s->bin);
	(void)snprintf(queue, sizeof(queue), "%u", s->queue);
	(void)snprintf(flows, sizeof(flows), "%u", s->engine.flows);
	(void)snprintf(contexts, sizeof(contexts), "%u", s->engine.contexts);
	(void)snprintf(mark, sizeof(mark), "%u", s->engine.mark_down);
	if (journal)
		(void)snprintf(stream, sizeof(stream), "JOURNAL_STREAM=%s", journal);
	if (posix_spawn_file_actions_init(&fa) || posix_spawnattr_init(&attr))
		return bh_err_set(err, -ENOMEM, "%s: out of memory", s->bin);
	r = file_actions(&fa, listen_fd, queue_fd);
	if (r == 0)
		r = attributes(&attr);
	if (r == 0)
		r = posix_spawn(&pid, s->bin, &fa, &attr, argv, env);
	(void)posix_spawn_file_actions_destroy(&fa);
	(void)posix_spawnattr_destroy(&attr);
	if (r != 0)
		return bh_err_set(err, -r, "%s cannot be started: %s", s->bin, strerrordesc_np(r));
	/* Nobody has waited for it yet: the number is still its own. */
	*ret_pidfd = pidfd_open(pid, 0);
	if (*ret_pidfd < 0) {
		r = bh_err_set(err, -errno, "%s: pidfd_open: %m", s->bin);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return r;
	}
	*ret_pid = pid;
	return 0;
}

void bh_os_drain(int listen_fd)
{
	for (int i = 0; i <= BACKLOG; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		(void)close(fd);
	}
}

int bh_os_reap(int pidfd)
{
	siginfo_t si = { 0 };

	if (waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return -1;
	if (si.si_code == CLD_EXITED)
		return W_EXITCODE(si.si_status, 0);
	return W_EXITCODE(0, si.si_status);
}

bool bh_os_gone(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

void bh_os_kill(int pidfd)
{
	(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	(void)bh_os_gone(pidfd, 1000);
}

int bh_os_find(const char *pid_path, int *ret_pidfd)
{
	bh_autofree char *text = NULL;
	bh_autofree char *comm = NULL;
	bh_autoclose int fd = -1, pidfd = -1;
	char path[64];
	uint64_t pid;
	size_t size;

	if (bh_file_read(pid_path, 32, &text, &size, NULL) < 0)
		return -ENOENT;
	text[strcspn(text, "\n")] = '\0';
	if (bh_parse_u64(text, INT32_MAX, &pid) < 0 || pid == 0)
		return -ENOENT;
	/* First the descriptor, then the look: so both are about the same process. */
	pidfd = pidfd_open((pid_t)pid, 0);
	if (pidfd < 0)
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || bh_fd_read(fd, 64, &comm, &size) < 0 || strcmp(comm, PROGRAM "\n") != 0)
		return -ENOENT;
	*ret_pidfd = bh_take_fd(&pidfd);
	return 0;
}

int bh_os_queue_stats(struct bh_os_queue *qs, size_t n)
{
	bh_autoclose int fd = open(QUEUE_TABLE, O_RDONLY | O_CLOEXEC);
	bh_autofree char *text = NULL;
	size_t size;
	char *save = NULL;
	int r;

	if (fd < 0)
		return -errno;
	r = bh_fd_read(fd, 1U << 20, &text, &size);
	if (r < 0)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		/* number, port id, waiting, copy mode, copy range, dropped, dropped for the socket, last id */
		unsigned long long v[8];

		if (sscanf(line, "%llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2],
			   &v[3], &v[4], &v[5], &v[6], &v[7]) != 8)
			continue;
		for (size_t i = 0; i < n; i++) {
			if (qs[i].queue != v[0])
				continue;
			qs[i].dropped = v[5];
			qs[i].user_dropped = v[6];
			qs[i].waiting = (uint32_t)v[2];
			qs[i].last_id = (uint32_t)v[7];
		}
	}
	return 0;
}
