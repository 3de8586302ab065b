// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/sandbox.c - what a worker gives up before it sees the first packet
 *
 * A worker reads what anybody sends. Whoever takes it over finds: the queue's netlink socket, the
 * connection to the agent, two read-only mappings. No file can be opened, no socket made, no program run, no
 * memory made executable. CAP_NET_ADMIN stays, and the netlink socket could speak to other netfilter
 * subsystems: that is the remaining risk (docs/threat-model.md).
 *
 * The filter is the list below, sorted by what needs it. It stands in one place, so that a test can put it
 * on another program.
 */
#include "dataplane/worker/sandbox.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "common/util.h"

#include "common/banned.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif

/* 0-2, listening socket, queue, epoll, a connection and its successor, two rule sets' descriptors, some room. */
#define FILES_MAX 16

int bh_sandbox_capabilities(struct bh_err *err)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) < 0)
		return bh_err_set(err, -EINVAL, "cannot name CAP_NET_ADMIN");
	/* Without CAP_SETPCAP the bounding set stays as it is: no_new_privs makes it of no use. */
	(void)capng_apply(CAPNG_SELECT_BOUNDS);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return bh_err_set(err, -EPERM,
				  "cannot keep CAP_NET_ADMIN and drop all other capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return bh_err_set(err, -errno, "no_new_privs: %m");
	return 0;
}

int bh_sandbox_limits(struct bh_err *err)
{
	static const struct {
		__rlimit_resource_t what;
		rlim_t max;
	} limits[] = {
		{ RLIMIT_NOFILE, FILES_MAX }, { RLIMIT_NPROC, 0 },   { RLIMIT_FSIZE, 0 },
		{ RLIMIT_CORE, 0 },           { RLIMIT_MEMLOCK, 0 }, { RLIMIT_MSGQUEUE, 0 },
	};

	/* A log that goes to a file is cut by the limit above: an error, not the end. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return bh_err_set(err, -errno, "signal: %m");
	for (size_t i = 0; i < BH_ARRAY_SIZE(limits); i++) {
		const struct rlimit rl = { limits[i].max, limits[i].max };

		if (setrlimit(limits[i].what, &rl) < 0)
			return bh_err_set(err, -errno, "resource limit %d: %m",
					  (int)limits[i].what);
	}
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return bh_err_set(err, -errno, "PR_SET_DUMPABLE: %m");
	return 0;
}

static const int calls[] = {
	/* the queue, the connection */
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(accept4),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(close),
	/* memory; mmap and fcntl are below, with their arguments */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(fstat),
	/* time, where the vdso cannot */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	/* log lines, randomness for hash keys, who am I */
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(geteuid),
	SCMP_SYS(futex),
	/* the end, also by abort() */
	SCMP_SYS(exit_group),
	SCMP_SYS(exit),
	SCMP_SYS(tgkill),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall),
#ifdef SANITIZED
	SCMP_SYS(sigaltstack),
	SCMP_SYS(sched_yield),
	SCMP_SYS(rt_sigaction),
#endif
};

static int add_rules(scmp_filter_ctx ctx)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < BH_ARRAY_SIZE(calls); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	/* Never executable. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Who is at the other end, and room for what it does not read at once. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), 2,
				     SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET),
				     SCMP_A2(SCMP_CMP_EQ, SO_PEERCRED));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
				     SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET),
				     SCMP_A2(SCMP_CMP_EQ, SO_SNDBUFFORCE));
	/* What the checks of a received memory file ask. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1(SCMP_CMP_EQ, F_GET_SEALS));
	/* fstat(3) of newer C libraries. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	return r;
}

int bh_sandbox_filter(struct bh_err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!ctx)
		return bh_err_set(err, -ENOMEM, "seccomp: out of memory");
	r = add_rules(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	if (r < 0)
		return bh_err_set(err, r, "seccomp: %s", strerrordesc_np(-r));
	return 0;
}
