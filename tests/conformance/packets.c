// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/conformance/packets.c - asks every cell of a table by packets, from within the namespaces of its ends
 *
 * DOC: How a cell is decided
 *
 * tests/conformance/run --packets (packets.py) makes the namespaces and tells what is to be asked; nothing is known
 * here of policies. One process has a socket in every namespace: clients and servers of all cells of a step are asked
 * at once.
 *
 * A cell is answered if the server got the client's payload and its answer to just that payload came back. To say that
 * a cell is refused takes more than silence. It is tried twice, and each time *controls*, which are sent after the
 * attempts, are waited for: connections between the same namespaces on ways that policies have no say in. So nothing
 * here is decided by a clock: that a control has come back says that an answer would have come back, too. What is
 * wanted to be allowed, and the controls themselves, are tried again whenever nothing has come for RETRY_MS, until there
 * was no answer for the milliseconds that the program was called with.
 *
 * DOC: What is read and written
 *
 *	end PATH V4|- V6|-			numbers from 0; all before the first step
 *	probe FROM TO PROTOCOL 4|6 PORT +|-|c	+: wanted to be allowed; -: not; c: a control
 *	go					then one line is written: a character for each probe since the last one
 *	clear					forgets the ends
 *
 * '.' answered, 'r' the payload reached the server, 'c' the server answered the first packet, 'x' refused (a reset, an
 * ICMP error), '-' silence. On an error one line "error TEXT", and the program ends.
 */
#include "tests/conformance/packets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"

#include "common/banned.h"

#define RETRY_MS    500
#define ROUNDS      2
#define MAGIC       0x62686b70U
#define LINE_SIZE   512
#define EVENTS_SIZE 256

struct end *ends;
struct probe *probes;
size_t n_ends, n_probes;

struct server {
	uint32_t to;
	enum l4 l4;
	bool v6;
	uint16_t port;
};
static struct server *servers; /* of the step, sorted */
static size_t n_servers;
static struct sock *socks;
static int epoll_fd = -1;
static uint32_t step, round_no;
static bool
    raw_sctp; /* the kernel has no SCTP of its own (now: a module might come by the first socket) */
static long give_up_ms;
static size_t left; /* probes of this round that are waited for */

void die(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)printf("error %s\n", text);
	(void)fflush(stdout);
	exit(1);
}

static void *more(void *array, size_t n, size_t size)
{
	void *p = reallocarray(array, n, size);

	if (!p)
		die("out of memory");
	return p;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- sockets ---- */

int socket_in(const struct end *e, int family, int type, int protocol)
{
	int fd;

	if (setns(e->ns, CLONE_NEWNET) < 0)
		die("cannot enter a namespace: %s", strerror(errno));
	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	return fd;
}

struct sock *watch(int fd, uint32_t events, void (*ready)(struct sock *s, uint32_t events))
{
	struct sock *s = calloc(1, sizeof(*s));
	struct epoll_event e = { .events = events, .data.ptr = s };

	if (!s)
		die("out of memory");
	s->fd = fd;
	s->ready = ready;
	s->next = socks;
	socks = s;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll: %s", strerror(errno));
	return s;
}

/* It stays in the list: events of it may be on their way. */
void unwatch(struct sock *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

static void close_all(void)
{
	while (socks) {
		struct sock *s = socks;

		socks = s->next;
		unwatch(s);
		free(s);
	}
	sctp_step_ends();
}

/* ---- servers ---- */

static int server_cmp(const void *a, const void *b)
{
	const struct server *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	if (x->l4 != y->l4)
		return x->l4 < y->l4 ? -1 : 1;
	if (x->v6 != y->v6)
		return x->v6 ? 1 : -1;
	return (x->port > y->port) - (x->port < y->port);
}

bool served(uint32_t to, enum l4 l4, bool v6, uint16_t port)
{
	const struct server key = { .to = to, .l4 = l4, .v6 = v6, .port = port };

	return n_servers > 0 && bsearch(&key, servers, n_servers, sizeof(key), server_cmp);
}

/* Before the first client: it might take the port. */
static void serve(void)
{
	size_t n = 0;

	servers = more(servers, n_probes + 1, sizeof(*servers));
	for (size_t i = 0; i < n_probes; i++) {
		const struct probe *p = &probes[i];

		servers[i] =
		    (struct server){ .to = p->to, .l4 = p->l4, .v6 = p->v6, .port = p->port };
	}
	qsort(servers, n_probes, sizeof(*servers), server_cmp);
	for (size_t i = 0; i < n_probes; i++) {
		if (i == 0 || server_cmp(&servers[n - 1], &servers[i]) != 0)
			servers[n++] = servers[i];
	}
	n_servers = n;
	for (size_t i = 0; i < n; i++) {
		if (servers[i].l4 == L4_SCTP && raw_sctp)
			sctp_open(servers[i].to, servers[i].v6);
		else
			ip_serve(servers[i].to, servers[i].l4, servers[i].v6, servers[i].port);
	}
	for (size_t i = 0; i < n_probes; i++) {
		if (probes[i].l4 == L4_SCTP && raw_sctp)
			sctp_open(probes[i].from, probes[i].v6);
	}
}

/* ---- what comes back ---- */

struct token token_of(uint32_t probe)
{
	return (struct token){ .magic = MAGIC, .step = step, .round = round_no, .probe = probe };
}

static bool waited_for(const struct probe *p)
{
	return p->wanted || p->control;
}

void came(uint32_t probe, enum outcome outcome)
{
	struct probe *p = &probes[probe];

	if (outcome <= p->outcome)
		return;
	p->outcome = outcome;
	if (outcome == ANSWERED && waited_for(p))
		left--;
}

bool token_received(struct token *t, uint32_t to, enum l4 l4, bool v6, uint16_t port)
{
	const struct probe *p = &probes[t->probe];

	if (t->magic != MAGIC || t->step != step || t->probe >= n_probes || t->answer)
		return false;
	if (p->to != to || p->l4 != l4 || p->v6 != v6 || p->port != port)
		die("a packet to end %u, port %u came to end %u, port %u", p->to, p->port, to,
		    port);
	came(t->probe, REACHED);
	t->answer = 1;
	return true;
}

void token_returned(const struct token *t, uint32_t probe)
{
	bool fresh = t->round == round_no || !probes[probe].control;

	if (t->magic == MAGIC && t->step == step && t->probe == probe && t->answer && fresh)
		came(probe, ANSWERED);
}

/* ---- a step ---- */

static void try(uint32_t probe)
{
	const enum l4 l4 = probes[probe].l4;

	if (probes[probe].outcome == ANSWERED)
		return;
	if (l4 == L4_UDP)
		udp_try(probe);
	else if (l4 == L4_SCTP && raw_sctp)
		sctp_try(probe);
	else
		stream_try(probe);
}

/* Return: something came within @timeout_ms */
static bool wait_for_events(int64_t timeout_ms)
{
	struct epoll_event events[EVENTS_SIZE];
	int n = epoll_wait(epoll_fd, events, EVENTS_SIZE, (int)BH_MAX(timeout_ms, 0));

	for (int i = 0; i < n; i++) {
		struct sock *s = events[i].data.ptr;

		if (s->fd >= 0)
			s->ready(s, events[i].events);
	}
	return n > 0;
}

static void attempt(bool control)
{
	for (uint32_t i = 0; i < n_probes; i++) {
		if (probes[i].control == control)
			try(i);
	}
}

static void try_again(void)
{
	for (uint32_t i = 0; i < n_probes; i++) {
		if (waited_for(&probes[i]))
			try(i);
	}
}

/*
 * Everything that has no answer yet once more, and controls in any case. Who is still busy with what was sent is not
 * sent more: a slow machine would never come to an end.
 */
static void go_round(void)
{
	int64_t heard, answered, now;
	size_t before;

	left = 0;
	round_no++;
	for (size_t i = 0; i < n_probes; i++) {
		if (probes[i].control)
			probes[i].outcome = SILENT;
		left += waited_for(&probes[i]) && probes[i].outcome != ANSWERED;
	}
	attempt(false);
	attempt(true);
	before = left;
	heard = answered = now = now_ms();
	while (left > 0 && now - answered < give_up_ms) {
		if (now - heard >= RETRY_MS) {
			try_again();
			heard = now_ms();
		}
		if (wait_for_events(BH_MIN(heard + RETRY_MS, answered + give_up_ms) - now_ms()))
			heard = now_ms();
		now = now_ms();
		if (left < before)
			answered = now;
		before = left;
	}
}

static bool all_answered(void)
{
	for (size_t i = 0; i < n_probes; i++) {
		if (!probes[i].control && probes[i].outcome != ANSWERED)
			return false;
	}
	return true;
}

static void go(void)
{
	static const char mark[] = { '-', 'x', 'c', 'r', '.' };

	step++;
	serve();
	for (int i = 0; i < ROUNDS && !(i > 0 && all_answered()); i++) {
		go_round();
		/* A step that fails need not fail twice. */
		if (left > 0)
			break;
	}
	for (size_t i = 0; i < n_probes; i++)
		(void)putchar(mark[probes[i].outcome]);
	(void)putchar('\n');
	(void)fflush(stdout);
	close_all();
	n_probes = 0;
}

/* ---- the runner ---- */

static void set_addr(struct end *e, bool v6, const char *text)
{
	struct sockaddr_storage *a = &e->addr[v6];
	void *at = v6 ? (void *)&((struct sockaddr_in6 *)a)->sin6_addr
		      : (void *)&((struct sockaddr_in *)a)->sin_addr;

	e->raw[v6] = -1;
	if (bh_streq(text, "-"))
		return;
	a->ss_family = v6 ? AF_INET6 : AF_INET;
	if (inet_pton(a->ss_family, text, at) != 1)
		die("no address: %s", text);
	e->len[v6] = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static void read_end(const char *line)
{
	char path[256], v4[64], v6[64];
	struct end *e;

	if (sscanf(line, "end %255s %63s %63s", path, v4, v6) != 3)
		die("no end: %s", line);
	ends = more(ends, n_ends + 1, sizeof(*ends));
	e = &ends[n_ends++];
	*e = (struct end){ .ns = open(path, O_RDONLY | O_CLOEXEC) };
	if (e->ns < 0)
		die("%s: %s", path, strerror(errno));
	set_addr(e, false, v4);
	set_addr(e, true, v6);
}

static enum l4 l4_of(const char *name)
{
	static const char *const names[L4_COUNT] = { "TCP", "UDP", "SCTP" };

	for (enum l4 i = L4_TCP; i < L4_COUNT; i++) {
		if (bh_streq(names[i], name))
			return i;
	}
	die("no protocol: %s", name);
}

static void read_probe(const char *line)
{
	unsigned from, to, family, port;
	char l4[8], kind;
	struct probe *p;

	if (sscanf(line, "probe %u %u %7s %u %u %c", &from, &to, l4, &family, &port, &kind) != 6 ||
	    from >= n_ends || to >= n_ends || (family != 4 && family != 6) || port > UINT16_MAX)
		die("no probe: %s", line);
	probes = more(probes, n_probes + 1, sizeof(*probes));
	p = &probes[n_probes++];
	*p = (struct probe){ .from = from,
			     .to = to,
			     .l4 = l4_of(l4),
			     .v6 = family == 6,
			     .port = (uint16_t)port,
			     .wanted = kind == '+',
			     .control = kind == 'c' };
	if (ends[from].len[p->v6] == 0 || ends[to].len[p->v6] == 0)
		die("no address of IPv%u: %s", family, line);
}

static void clear(void)
{
	while (n_ends > 0)
		(void)close(ends[--n_ends].ns);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	char line[LINE_SIZE];

	give_up_ms = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	if (give_up_ms <= 0)
		die("usage: conformance_packets MILLISECONDS");

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	raw_sctp = access("/proc/net/sctp", F_OK) < 0;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll: %s", strerror(errno));
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "end ", 4) == 0)
			read_end(line);
		else if (strncmp(line, "probe ", 6) == 0)
			read_probe(line);
		else if (bh_streq(line, "go"))
			go();
		else if (bh_streq(line, "clear"))
			clear();
		else
			die("what is '%s'?", line);
	}
	clear();
	free(ends);
	free(probes);
	free(servers);
	return 0;
}
