// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/bench/bench_connect.c - what connections by real sockets cost through a router, rules and all
 *
 *	bench_connect request|handshake|refused|bulk 4|6 BLOCK ROUNDS CONFIG...	(CONFIG: meter.h, pairs "few")
 *
 * Both ends of all configurations are sockets of one pinned thread, so that the time of a block is what client, router and
 * server cost together; one block of each configuration is run in turn.
 *
 *	request		connect, a request of 100 bytes, an answer of 200, reset: as a client of HTTP does, ns each
 *	handshake	connect, reset
 *	refused		an attempt by a port that no policy allows (without rules: where nobody listens)
 *	bulk		BLOCK MiB over one connection, ns per MiB
 *
 * Refused packets are reported by NFLOG where our rules are; another thread reads the reports, as the agent does.
 */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>

#include "common/util.h"
#include "dataplane/kernel/nflog.h"
#include "tests/bench/meter.h"
#include "tests/bench/rules.h"

#define REQUEST    100U
#define ANSWER     200U
#define MIB        (1U << 20)
#define PIECE      (512U << 10)
#define BUFFERS    (4U << 20) /* that a piece fits into */
#define SLOW_START (2U * MIB)
#define WARMUP     2U

enum what { REQUESTS, HANDSHAKES, REFUSED, BULK, WHAT_COUNT };
static const char *const names[] = { "request", "handshake", "refused", "bulk" };
BH_STATIC_ASSERT_TABLE(names, WHAT_COUNT);

struct path {
	struct meter_config c;
	int client_ns, server_ns, conntrack;
	int listener[FEW];
	struct bh_nflog *log;
};

static unsigned family;
static char data[PIECE];

static struct sockaddr_storage address(bool server, unsigned i, uint16_t port, socklen_t *ret_len)
{
	struct sockaddr_storage ss = { .ss_family = family == 4 ? AF_INET : AF_INET6 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;

	if (family == 4) {
		(void)shape_addr(4, server, i, (uint8_t *)&v4->sin_addr);
		v4->sin_port = htons(port);
		*ret_len = sizeof(*v4);
	} else {
		(void)shape_addr(6, server, i, (uint8_t *)&v6->sin6_addr);
		v6->sin6_port = htons(port);
		*ret_len = sizeof(*v6);
	}
	return ss;
}

static int make_socket(int ns, int flags)
{
	int fd;

	/* Sockets stay in the namespace that they were made in. */
	if (setns(ns, CLONE_NEWNET) < 0)
		meter_die("setns");
	fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		meter_die("socket");
	return fd;
}

static int listen_at(const struct path *p, unsigned i)
{
	int fd = make_socket(p->server_ns, SOCK_NONBLOCK), one = 1, buffers = BUFFERS;
	socklen_t len;
	struct sockaddr_storage at = address(true, i, shape_port(&p->c.shape, i), &len);

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffers, sizeof(buffers));
	if (bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, 64) < 0)
		meter_die("listen");
	return fd;
}

/* Closing resets: no port waits for minutes. */
static void reset(int fd)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(fd);
}

static int connect_from(const struct path *p, unsigned i, uint16_t port, bool wait)
{
	/* The namespace was entered before: setns() is no part of what is measured. */
	int fd = socket(family == 4 ? AF_INET : AF_INET6,
			SOCK_STREAM | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);
	socklen_t len;
	struct sockaddr_storage from = address(false, i, 0, &len),
				to = address(true, i, port, &len);

	if (fd < 0 || bind(fd, (struct sockaddr *)&from, len) < 0)
		meter_die("bind");
	if (connect(fd, (struct sockaddr *)&to, len) < 0 && wait)
		meter_die(p->c.name);
	return fd;
}

static int accept_at(const struct path *p, unsigned i)
{
	int fd;

	for (;;) {
		struct pollfd wait = { .fd = p->listener[i], .events = POLLIN };

		fd = accept4(p->listener[i], NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != EAGAIN || poll(&wait, 1, 5000) <= 0)
			meter_die("accept");
	}
}

static void transfer(int from, int to, size_t n)
{
	if (send(from, data, n, MSG_NOSIGNAL) != (ssize_t)n ||
	    recv(to, data, n, MSG_WAITALL) != (ssize_t)n)
		meter_die("transfer");
}

static void connections(const struct path *p, unsigned n, bool request)
{
	for (unsigned k = 0; k < n; k++) {
		unsigned i = k % FEW;
		int client = connect_from(p, i, shape_port(&p->c.shape, i), true),
		    server = accept_at(p, i);

		if (request) {
			transfer(client, server, REQUEST);
			transfer(server, client, ANSWER);
		}
		reset(client);
		(void)close(server);
	}
}

static void attempts(const struct path *p, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		(void)close(connect_from(p, k % FEW, PORT_REFUSED, false));
}

/*
 * A piece goes in, and comes out: as much is under way in every configuration. Each block has a connection of its own, so
 * that none is stuck with a window that happened to come out small. Return: when its slow start was over
 */
static double bulk(const struct path *p, size_t n)
{
	int client = connect_from(p, 0, shape_port(&p->c.shape, 0), true), server = accept_at(p, 0);
	int buffers = BUFFERS;
	double start = 0;

	(void)setsockopt(client, SOL_SOCKET, SO_SNDBUFFORCE, &buffers, sizeof(buffers));
	for (size_t done = 0; done < SLOW_START + n; done += PIECE) {
		if (done == SLOW_START)
			start = meter_now();
		transfer(client, server, PIECE);
	}
	reset(client);
	(void)close(server);
	return start;
}

static int end_ns(const char *name, char end)
{
	char path[96];
	int fd;

	(void)snprintf(path, sizeof(path), "/run/netns/%s-%c", name, end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		meter_die(path);
	return fd;
}

static void open_path(struct path *p)
{
	struct bh_err err = { .code = 0 };

	p->client_ns = end_ns(p->c.name, 'c');
	p->server_ns = end_ns(p->c.name, 's');
	meter_enter(p->c.name, 'r');
	p->conntrack = meter_conntrack();
	meter_forget(p->conntrack);
	if (bh_nflog_open(RULES_NFLOG, &p->log, &err) < 0) {
		(void)fprintf(stderr, "bench_connect: %s\n", err.msg);
		exit(1);
	}
	for (unsigned i = 0; i < FEW; i++)
		p->listener[i] = listen_at(p, i);
}

/* Of each block the first few are not counted: what comes after another topology finds nothing in the cache. */
#define COLD (2 * FEW)

static double block(const struct path *p, enum what what, unsigned n)
{
	double start;

	if (setns(p->client_ns, CLONE_NEWNET) < 0)
		meter_die("setns");
	switch (what) {
	case REFUSED:
		attempts(p, COLD);
		start = meter_now();
		attempts(p, n);
		break;
	case BULK:
		start = bulk(p, (size_t)n * MIB);
		break;
	default:
		connections(p, COLD, what == REQUESTS);
		start = meter_now();
		connections(p, n, what == REQUESTS);
		break;
	}
	return (meter_now() - start) / n;
}

/* ---- reports ---- */

static struct path *paths;
static unsigned n_paths;

static void forget(void *arg, const struct bh_refused *r)
{
	(void)arg;
	(void)r;
}

static void *read_reports(void *arg)
{
	struct pollfd *fds = calloc(n_paths, sizeof(*fds));
	uint64_t lost;

	(void)arg;
	meter_pin(1);
	if (!fds)
		meter_die("memory");
	for (unsigned i = 0; i < n_paths; i++)
		fds[i] = (struct pollfd){ .fd = bh_nflog_fd(paths[i].log), .events = POLLIN };
	while (poll(fds, n_paths, -1) >= 0)
		for (unsigned i = 0; i < n_paths; i++)
			if (fds[i].revents && bh_nflog_read(paths[i].log, forget, NULL, &lost) < 0)
				meter_die("reports");
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned size, rounds, what = 0, *order;
	pthread_t reader;

	n_paths = argc > 5 ? (unsigned)argc - 5 : 0;
	paths = calloc(n_paths + 1, sizeof(*paths));
	order = calloc(n_paths + 1, sizeof(*order));
	while (n_paths > 0 && what < WHAT_COUNT && strcmp(argv[1], names[what]) != 0)
		what++;
	if (n_paths == 0 || what == WHAT_COUNT || !paths || !order) {
		(void)fprintf(stderr,
			      "usage: bench_connect request|handshake|refused|bulk 4|6 BLOCK "
			      "ROUNDS NAME:ENDPOINTS:POLICIES:few...\n");
		return 2;
	}
	family = (unsigned)strtoul(argv[2], NULL, 10);
	size = (unsigned)strtoul(argv[3], NULL, 10);
	rounds = (unsigned)strtoul(argv[4], NULL, 10);
	for (unsigned i = 0; i < n_paths; i++) {
		meter_config(argv[5 + i], rounds, &paths[i].c);
		open_path(&paths[i]);
	}
	if (pthread_create(&reader, NULL, read_reports, NULL) != 0)
		meter_die("thread");
	meter_pin(0);
	for (unsigned r = 0; r < rounds + WARMUP; r++) {
		meter_shuffle(order, n_paths);
		for (unsigned i = 0; i < n_paths; i++) {
			struct path *p = &paths[order[i]];
			double ns = block(p, what, size);

			if (r >= WARMUP)
				p->c.v[p->c.n++] = ns;
			meter_forget(p->conntrack);
		}
	}
	for (unsigned i = 0; i < n_paths; i++)
		meter_print(&paths[i].c, argv[5 + i]);
	return 0;
}
