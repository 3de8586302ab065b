// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_worker_sandbox.c - what a worker cannot do any more
 *
 * Each attempt is made by a child that has put the worker's own limits and filter on itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/util.h"
#include "dataplane/worker/sandbox.h"

static int pair[2];
static int memory_file;

/* Return: how the child ended. */
static int attempt(void (*fn)(void))
{
	int status = 0;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (bh_sandbox_limits(NULL) < 0 || bh_sandbox_filter(NULL) < 0)
			_exit(99);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(pair[0]);
	(void)close(pair[1]);
	return status;
}

static void try_open(void)
{
	(void)!open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static void try_socket(void)
{
	(void)!socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void try_netlink(void)
{
	(void)!socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 12);
}

static void try_exec(void)
{
	char *argv[] = { NULL };

	(void)!execv("/bin/true", argv);
}

static void try_fork(void)
{
	(void)!fork();
}

static void try_code(void)
{
	(void)!mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)!mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static void try_ptrace(void)
{
	(void)!ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static void try_kill(void)
{
	(void)!kill(getppid(), 0);
}

static void try_connect(void)
{
	(void)!connect(pair[0], NULL, 0);
}

static void try_option(void)
{
	const int one = 1;

	(void)!setsockopt(pair[0], SOL_SOCKET, SO_MARK, &one, sizeof(one));
}

static void try_setns(void)
{
	(void)!syscall(SYS_setns, 0, 0);
}

static void try_bpf(void)
{
	(void)!syscall(SYS_bpf, 0, NULL, 0);
}

static void forbidden_ends_it(void **state)
{
	static void (*const tries[])(void) = {
		try_open,   try_socket, try_netlink, try_exec,   try_fork,  try_code, try_make_code,
		try_ptrace, try_kill,   try_connect, try_option, try_setns, try_bpf,
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(tries); i++) {
		int status = attempt(tries[i]);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("attempt %zu ended with status %#x", i, (unsigned)status);
	}
}

/* What a worker does all day. */
static void daily_work(void)
{
	char buf[64];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct mmsghdr mm = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	void *p, *q;

	if (send(pair[0], "x", 1, MSG_NOSIGNAL) != 1 || recvmmsg(pair[1], &mm, 1, 0, NULL) != 1)
		_exit(2);
	if (sendmmsg(pair[0], &mm, 1, 0) != 1)
		_exit(3);
	p = malloc(100);
	q = malloc(64U << 20);
	if (!p || !q)
		_exit(4);
	memset(q, 1, 64U << 20);
	q = realloc(q, 128U << 20);
	free(q);
	free(p);
	if (fcntl(memory_file, F_GET_SEALS) < 0)
		_exit(5);
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, memory_file, 0);
	if (p == MAP_FAILED || munmap(p, 4096) < 0)
		_exit(6);
	if (bh_clock_now() == 0 || bh_clock_wall_us() == 0)
		_exit(7);
	_exit(42);
}

static void allowed_goes_on(void **state)
{
	int status = attempt(daily_work);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

static void try_dup(void)
{
	int fds[64] = { 0 };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;

	/* No call of its own makes a descriptor; one that arrives needs room. */
	for (int i = 0; i < 64; i++) {
		char c = 'x';
		struct iovec iov = { .iov_base = &c, .iov_len = 1 };
		struct msghdr mh = { .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control.buf,
				     .msg_controllen = sizeof(control.buf) };
		struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);

		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &memory_file, sizeof(int));
		if (sendmsg(pair[0], &mh, MSG_DONTWAIT) < 0)
			_exit(2);
		mh.msg_controllen = sizeof(control.buf);
		if (recvmsg(pair[1], &mh, MSG_DONTWAIT) < 0)
			_exit(3);
		cm = CMSG_FIRSTHDR(&mh);
		if (!cm)
			_exit(i >= 5 && i <= 16 ? 42 : 4);
		memcpy(&fds[i], CMSG_DATA(cm), sizeof(int));
	}
	_exit(5);
}

static void few_descriptors(void **state)
{
	int status = attempt(try_dup);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forbidden_ends_it),
		cmocka_unit_test(allowed_goes_on),
		cmocka_unit_test(few_descriptors),
	};

	memory_file = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory_file < 0 || ftruncate(memory_file, 4096) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
