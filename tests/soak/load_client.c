// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/soak/load_client.c - clients of the soak: short and long connections, datagrams, allowed ones and refused ones
 *
 *	KIND HOW ADDRESS PORT [KEY=VALUE...]	HOW: tcp, udp
 *	format=raw|http|ssh	what is sent
 *	slots=N			that many at the same time
 *	each=N			messages of one connection or port, 0: without end
 *	window=N		messages without an answer at the same time
 *	pause=N			microseconds between the messages, and between the connections, of a slot
 *	wait=N			milliseconds after which an answer is missing
 *	expect=yes|no|either	whether they must work; with "either", every end of a connection is told, to be judged later
 *
 * A connection is good if every message came back, in order, and a last one was followed by the server's end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/soak/load.h"

#define SLOTS_MAX 1024
#define DRAIN_NS  UINT64_C(10000000000)
#define MS        UINT64_C(1000000)

enum expect { YES, NO, EITHER };

struct slot {
	int fd; /* -1: none */
	bool connecting, ending;
	uint64_t begun,
	    asked; /* asked: when the oldest message without an answer was sent, or the connection begun */
	uint64_t next;      /* not before */
	uint64_t sent, got; /* messages of this connection */
	size_t have;
	char buf[512];
};

static struct {
	unsigned kind;
	bool udp;
	struct sockaddr_storage to;
	socklen_t to_len;
	enum format format;
	enum expect expect;
	unsigned slots, window;
	uint64_t each, pause, wait;
} cfg = { .slots = 1, .window = 1, .each = 1, .wait = 10000 * MS };

static struct slot slots[SLOTS_MAX];
static int ep;
static bool stopping;

static void note_retransmissions(int fd)
{
	struct tcp_info info = { .tcpi_state = 0 };
	socklen_t len = sizeof(info);

	if (!cfg.udp && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0)
		counts[cfg.kind][C_RETRANS] += info.tcpi_total_retrans;
}

/* In host byte order; 0: none. */
static unsigned own_port(int fd)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_UNSPEC };
	socklen_t len = sizeof(sa);

	/* It stands in the same place in both families. */
	(void)getsockname(fd, (struct sockaddr *)&sa, &len);
	return ntohs(sa.sin6_port);
}

/* The end of a connection; @why: NULL: as it should be. */
static void end(struct slot *s, const char *why, int error)
{
	unsigned port = own_port(s->fd);
	uint64_t now = now_ns();

	note_retransmissions(s->fd);
	close(s->fd);
	if (why && cfg.expect != NO) {
		if (cfg.expect == YES)
			counts[cfg.kind][C_LOST]++;
		printf("failed %u %llu %llu port %u %s: %s, %llu sent, %llu answered\n", cfg.kind,
		       (unsigned long long)s->begun, (unsigned long long)now, port, why,
		       strerror(error), (unsigned long long)s->sent, (unsigned long long)s->got);
	} else if (cfg.expect == EITHER) {
		printf("worked %u %llu %llu\n", cfg.kind, (unsigned long long)s->begun,
		       (unsigned long long)now);
	}
	*s = (struct slot){ .fd = -1, .next = now + cfg.pause };
}

static void ask(struct slot *s, uint64_t now)
{
	while (s->sent - s->got < cfg.window && (cfg.each == 0 || s->sent < cfg.each) &&
	       now >= s->next && !stopping) {
		struct tag t = { .kind = cfg.kind, .sent = now, .number = s->sent };
		bool last = cfg.each > 0 && s->sent + 1 == cfg.each;
		char buf[256];
		size_t n = request_make(buf, cfg.format, &t, last);

		if (send(s->fd, buf, n, MSG_NOSIGNAL) != (ssize_t)n) {
			/* Its own queue is full: the connection stands still. */
			if (errno == EAGAIN)
				return;
			end(s, "send", errno);
			return;
		}
		counts[cfg.kind][C_SENT]++;
		if (s->sent == s->got)
			s->asked = now;
		s->sent++;
		s->next = now + cfg.pause;
	}
}

static void begin(struct slot *s, uint64_t now)
{
	int type = (cfg.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	struct epoll_event e = { .events = EPOLLIN | (cfg.udp ? 0 : EPOLLOUT),
				 .data.u32 = (uint32_t)(s - slots) };
	const int one = 1;

	*s = (struct slot){ .fd = socket(cfg.to.ss_family, type, 0),
			    .begun = now,
			    .asked = now,
			    .connecting = !cfg.udp };
	if (s->fd < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &e) < 0)
		fail("socket");
	if (!cfg.udp)
		(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	counts[cfg.kind][C_OPENED]++;
	if (connect(s->fd, (struct sockaddr *)&cfg.to, cfg.to_len) < 0 && errno != EINPROGRESS)
		end(s, "connect", errno);
	else if (cfg.udp)
		ask(s, now);
}

/* What came back. Returns false where the connection has ended. */
static bool answers(struct slot *s, uint64_t now)
{
	size_t size = answer_size(cfg.format);
	struct tag t;

	for (; s->have >= size; s->have -= size, memmove(s->buf, s->buf + size, s->have)) {
		uint64_t waited;

		if (!tag_find(s->buf, size, &t) || t.kind != cfg.kind || t.number != s->got) {
			end(s, "another answer than the next one", 0);
			return false;
		}
		s->got++;
		counts[cfg.kind][C_ANSWERED]++;
		waited = now - s->asked;
		if (waited > counts[cfg.kind][C_WORST])
			counts[cfg.kind][C_WORST] = waited;
		s->asked = now;
	}
	if (cfg.each > 0 && s->got == cfg.each) {
		s->ending = true;
		if (cfg.udp) {
			end(s, NULL, 0);
			return false;
		}
	}
	return true;
}

static void on_input(struct slot *s, uint64_t now)
{
	while (s->fd >= 0) {
		ssize_t n = recv(s->fd, s->buf + s->have, sizeof(s->buf) - s->have, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			end(s, "recv", errno);
		else if (n == 0)
			end(s, s->ending ? NULL : "ended by the server", 0);
		else
			s->have += (size_t)n;
		if (n <= 0 || !answers(s, now))
			return;
	}
}

static void on_event(struct slot *s, uint32_t events)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = (uint32_t)(s - slots) };
	uint64_t now = now_ns();

	if (s->fd < 0)
		return;
	if (s->connecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		int error = 0;
		socklen_t len = sizeof(error);

		(void)getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error) {
			end(s, "connect", error);
			return;
		}
		s->connecting = false;
		(void)epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &e);
		ask(s, now);
	}
	if (s->fd >= 0 && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		on_input(s, now);
	if (s->fd >= 0 && !s->connecting)
		ask(s, now_ns());
}

/* Who waits, who is too late, who may begin. Returns how many still wait. */
static unsigned tick(uint64_t now)
{
	unsigned waiting = 0;

	for (unsigned i = 0; i < cfg.slots; i++) {
		struct slot *s = &slots[i];

		if (s->fd < 0 && !stopping && now >= s->next)
			begin(s, now);
		if (s->fd < 0)
			continue;
		if (!s->connecting)
			ask(s, now);
		if (s->fd >= 0 && (s->connecting || s->ending || s->sent > s->got)) {
			if (now > s->asked + cfg.wait)
				end(s, "no answer", ETIMEDOUT);
			else
				waiting++;
		}
	}
	return waiting;
}

static int loop(void)
{
	uint64_t idle = cfg.pause > 0 && cfg.pause < 5 * MS ? 1 : 5, last = 0, end_of_time = 0;
	struct epoll_event events[SLOTS_MAX];

	for (;;) {
		int n = epoll_wait(ep, events, SLOTS_MAX, (int)idle);
		uint64_t now;

		for (int i = 0; i < n; i++)
			on_event(&slots[events[i].data.u32], events[i].events);
		now = now_ns();
		/* Without a pause the next connection begins at once. */
		if (cfg.pause > 0 && now - last < idle * MS)
			continue;
		if (!stopping && now - last >= idle * MS && told_to_stop()) {
			stopping = true;
			end_of_time = now + DRAIN_NS;
		}
		last = now - last >= idle * MS ? now : last;
		if (tick(now) == 0 && stopping)
			break;
		if (stopping && (cfg.expect == NO || now > end_of_time))
			break;
	}
	for (unsigned i = 0; i < cfg.slots; i++) {
		struct slot *s = &slots[i];

		if (s->fd < 0)
			continue;
		if (s->sent > s->got && cfg.expect == YES)
			end(s, "no answer until the end", ETIMEDOUT);
		else
			note_retransmissions(s->fd);
	}
	return 0;
}

static void option(char *arg)
{
	char *value = strchr(arg, '=');
	unsigned long long n;

	if (!value)
		fail(arg);
	*value++ = '\0';
	n = strtoull(value, NULL, 10);
	if (strcmp(arg, "format") == 0)
		cfg.format = *value == 'h' ? F_HTTP : *value == 's' ? F_SSH : F_RAW;
	else if (strcmp(arg, "expect") == 0)
		cfg.expect = *value == 'y' ? YES : *value == 'n' ? NO : EITHER;
	else if (strcmp(arg, "slots") == 0 && n > 0 && n <= SLOTS_MAX)
		cfg.slots = (unsigned)n;
	else if (strcmp(arg, "each") == 0)
		cfg.each = n;
	else if (strcmp(arg, "window") == 0 && n > 0)
		cfg.window = (unsigned)n;
	else if (strcmp(arg, "pause") == 0)
		cfg.pause = n * 1000;
	else if (strcmp(arg, "wait") == 0 && n > 0)
		cfg.wait = n * MS;
	else
		fail(arg);
}

int client(int argc, char **argv)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&cfg.to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&cfg.to;
	uint16_t port = htons((uint16_t)atoi(argv[3]));

	cfg.kind = (unsigned)atoi(argv[0]);
	cfg.udp = strcmp(argv[1], "udp") == 0;
	if (inet_pton(AF_INET, argv[2], &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		cfg.to_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, argv[2], &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		cfg.to_len = sizeof(*v6);
	}
	if (cfg.kind >= KINDS || cfg.to_len == 0)
		fail("no kind or address");
	for (int i = 4; i < argc; i++)
		option(argv[i]);
	for (unsigned i = 0; i < cfg.slots; i++)
		slots[i] = (struct slot){ .fd = -1 };
	ep = epoll_create1(EPOLL_CLOEXEC);
	return loop();
}
