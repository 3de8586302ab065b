/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/bench/meter.h - what the programs of the dataplane benchmark share: time, namespaces, results
 *
 * A topology NAME is three namespaces: NAME-c (the client, link c0), NAME-r (the router, which has the rules) and NAME-s
 * (the server, s0); tests/bench/dataplane makes them.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_BENCH_METER_H
#define BH_TESTS_BENCH_METER_H

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/shape.h"

#define METER_CLIENT_MAC            \
	{                           \
		2, 0, 0, 0, 0, 0xc0 \
	}
#define METER_SERVER_MAC            \
	{                           \
		2, 0, 0, 0, 0, 0x50 \
	}

__attribute__((noreturn)) static inline void meter_die(const char *what)
{
	(void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

/* Nanoseconds. */
static inline double meter_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* To one processor, and before everything else that wants it: where that is refused, results are noisier. */
static inline void meter_pin(unsigned cpu)
{
	const struct sched_param first = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
	(void)sched_setscheduler(0, SCHED_FIFO, &first);
}

/* Enters the namespace of an end: 'c', 'r', 's'. */
static inline void meter_enter(const char *topology, char end)
{
	char path[96];
	int fd;

	(void)snprintf(path, sizeof(path), "/run/netns/%s-%c", topology, end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		meter_die(path);
	(void)close(fd);
}

/* A socket by which meter_forget() empties the connection table of the namespace that it was made in. */
static inline int meter_conntrack(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		meter_die("netfilter socket");
	return fd;
}

static inline void meter_forget(int fd)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
	} m = {
		.h = { .nlmsg_len = sizeof(m),
		       .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.g = { .nfgen_family = AF_UNSPEC },
	};
	char answer[4096];

	if (send(fd, &m, sizeof(m), 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
		meter_die("cannot forget the connections");
}

/* Another order of the numbers 0 to @n - 1 for each round: nobody always comes after the same neighbour. */
static inline void meter_shuffle(unsigned *order, unsigned n)
{
	static uint32_t x = 2463534242U; /* xorshift */

	for (unsigned i = 0; i < n; i++) {
		unsigned k;

		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		k = x % (i + 1);
		order[i] = order[k];
		order[k] = i;
	}
}

/* NAME:ENDPOINTS:POLICIES:few or NAME:ENDPOINTS:POLICIES:all, as programs get them: which pairs of a world talk. */
struct meter_config {
	char name[64];
	unsigned endpoints, policies;
	struct shape shape;
	bool few;
	double *v; /* what a unit of each block cost, ns */
	size_t n;
};

static inline void meter_config(const char *text, size_t blocks, struct meter_config *ret)
{
	char pool[8];

	if (sscanf(text, "%63[^:]:%u:%u:%7s", ret->name, &ret->endpoints, &ret->policies, pool) !=
		4 ||
	    ret->endpoints < 2 * FEW || ret->policies < FEW)
		meter_die(text);
	ret->shape = shape_of(ret->endpoints, ret->policies, false);
	ret->few = strcmp(pool, "few") == 0;
	ret->v = calloc(blocks, sizeof(*ret->v));
	ret->n = 0;
	if (!ret->v)
		meter_die("memory");
}

/* One line of JSON: the configuration and the cost of each block, in the order in which they were run. */
static inline void meter_print(const struct meter_config *c, const char *text)
{
	printf("{\"config\": \"%s\", \"ns\": [", text);
	for (size_t i = 0; i < c->n; i++)
		printf("%s%.1f", i ? ", " : "", c->v[i]);
	printf("]}\n");
}

#endif
