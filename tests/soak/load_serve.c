// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/soak/load_serve.c - the far end of the soak: what is answered, and what arrives
 *
 * The server sends back the tag of each request and counts it by its kind. The sniffer counts what reaches the
 * interface from clients whose packets must not get there, whatever the kernel above makes of them, and says when.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/soak/load.h"

#define FDS 65536

enum conn_type { NONE, LISTENER, DATAGRAMS, STREAM };

struct conn {
	enum conn_type type;
	enum format format;
	size_t have;
	char buf[256];
};

static struct conn conns[FDS];
static int ep;

static void watch(int fd, enum conn_type type, enum format f)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	if (fd >= FDS || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
		fail("epoll");
	conns[fd] = (struct conn){ .type = type, .format = f };
}

static void listen_on(unsigned port, int type, enum format f)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int one = 1, zero = 0, size = 16 << 20;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		fail("socket");
	if (type == SOCK_DGRAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 4096) < 0))
		fail("bind");
	watch(fd, type == SOCK_STREAM ? LISTENER : DATAGRAMS, f);
}

static void gone(int fd)
{
	conns[fd].type = NONE;
	close(fd);
}

static void on_listener(int fd)
{
	const int one = 1;

	for (;;) {
		int c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (c < 0)
			return;
		(void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		watch(c, STREAM, conns[fd].format);
	}
}

static void on_datagrams(int fd)
{
	char buf[2048], answer[256];
	struct sockaddr_in6 from;
	struct tag t;

	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n =
		    recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < MSG_SIZE || !tag_find(buf, (size_t)n, &t))
			continue;
		counts[t.kind][C_SENT]++;
		answer_make(answer, F_RAW, buf);
		if (sendto(fd, answer, MSG_SIZE, 0, (struct sockaddr *)&from, len) == MSG_SIZE)
			counts[t.kind][C_ANSWERED]++;
	}
}

/* Returns false when the connection is at its end. */
static bool answer_all(int fd, struct conn *c)
{
	size_t size = request_size(c->format);
	struct tag t;
	char answer[256];

	while (c->have >= size) {
		bool last = request_is_last(c->buf, c->format);
		size_t n = answer_make(answer, c->format, c->buf);

		/* What is no request of ours: whoever sent it is not to hear anything. */
		if (!tag_find(c->buf, size, &t))
			return false;
		counts[t.kind][C_SENT]++;
		if (send(fd, answer, n, MSG_NOSIGNAL) != (ssize_t)n)
			return false;
		counts[t.kind][C_ANSWERED]++;
		c->have -= size;
		memmove(c->buf, c->buf + size, c->have);
		if (last)
			return false;
	}
	return true;
}

static void on_stream(int fd)
{
	struct conn *c = &conns[fd];

	for (;;) {
		ssize_t n = recv(fd, c->buf + c->have, sizeof(c->buf) - c->have, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n > 0)
			c->have += (size_t)n;
		if (n <= 0 || !answer_all(fd, c)) {
			gone(fd);
			return;
		}
	}
}

int serve(int argc, char **argv)
{
	const struct rlimit many = { .rlim_cur = FDS, .rlim_max = FDS };
	struct epoll_event events[256];

	(void)setrlimit(RLIMIT_NOFILE, &many);
	ep = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < argc; i++) {
		enum format f = strchr(argv[i], 'h') ? F_HTTP : F_RAW;

		listen_on((unsigned)atoi(argv[i]), SOCK_STREAM, f);
		if (f == F_RAW)
			listen_on((unsigned)atoi(argv[i]), SOCK_DGRAM, f);
	}
	while (!told_to_stop()) {
		int n = epoll_wait(ep, events, 256, 100);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (conns[fd].type == LISTENER)
				on_listener(fd);
			else if (conns[fd].type == DATAGRAMS)
				on_datagrams(fd);
			else if (conns[fd].type == STREAM)
				on_stream(fd);
		}
	}
	return 0;
}

/* ---- the sniffer ---- */

struct watched {
	int family;
	uint8_t addr[16];
	unsigned kind;
	bool payload_only;
};

static struct watched watched[KINDS];
static unsigned n_watched;

static void watch_address(char *arg)
{
	struct watched *w = &watched[n_watched++];
	char *at = strchr(arg, ':'), *end;

	if (!at || n_watched > KINDS)
		fail(arg);
	w->kind = (unsigned)atoi(arg);
	end = at + strlen(at) - 1;
	w->payload_only = *end == 'p';
	if (w->payload_only)
		*end = '\0';
	w->family = strchr(at + 1, ':') ? AF_INET6 : AF_INET;
	if (w->kind >= KINDS || inet_pton(w->family, at + 1, w->addr) != 1)
		fail(arg);
}

static const struct watched *whose(int family, const uint8_t *src)
{
	for (unsigned i = 0; i < n_watched; i++)
		if (watched[i].family == family &&
		    memcmp(watched[i].addr, src, family == AF_INET ? 4 : 16) == 0)
			return &watched[i];
	return NULL;
}

static void look(const uint8_t *p, size_t size)
{
	int family = size > 0 && p[0] >> 4 == 4 ? AF_INET : AF_INET6;
	size_t head = family == AF_INET ? (size_t)(p[0] & 15) * 4 : 40, payload;
	const struct watched *w;
	bool reset = false;
	uint8_t l4;
	struct tag t = { .sent = 0 };

	if (size < (family == AF_INET ? 20U : 40U) || size < head + 8)
		return;
	w = whose(family, family == AF_INET ? p + 12 : p + 8);
	if (!w)
		return;
	l4 = family == AF_INET ? p[9] : p[6];
	size = head + (family == AF_INET
			   ? (size_t)(p[2] << 8 | p[3]) - head
			   : (size_t)(p[4] << 8 | p[5])); /* without what pads short frames */
	payload = size - head;
	if (l4 == IPPROTO_TCP && payload >= 20) {
		payload -= (size_t)(p[head + 12] >> 4) * 4;
		reset = p[head + 13] & 4;
	} else if (l4 == IPPROTO_UDP) {
		payload -= 8;
	}
	if (reset && payload == 0) {
		counts[w->kind][C_LOST]++;
		return;
	}
	if (w->payload_only && payload == 0)
		return;
	counts[w->kind][C_SENT]++;
	counts[w->kind][C_ANSWERED] += payload;
	(void)tag_find((const char *)p, size, &t);
	printf("arrived %u %llu %llu l4 %u ports %u %u flags 0x%02x payload %zu\n", w->kind,
	       (unsigned long long)now_ns(), (unsigned long long)t.sent, l4,
	       (unsigned)(p[head] << 8 | p[head + 1]), (unsigned)(p[head + 2] << 8 | p[head + 3]),
	       l4 == IPPROTO_TCP ? (unsigned)p[head + 13] : 0U, payload);
}

/* The kernel shows us only what may be of those: four bytes of the source are compared, look() compares all. */
static void leave_out_others(int fd)
{
	struct sock_filter code[8 + 2 * KINDS];
	struct sock_fprog prog = { .filter = code };
	unsigned short n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0);
	for (int family = AF_INET;; family = AF_INET6) {
		unsigned mine = 0;

		for (unsigned i = 0; i < n_watched; i++)
			mine += watched[i].family == family;
		if (family == AF_INET)
			code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0,
								 (uint8_t)(2 * mine + 2));
		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							 family == AF_INET ? 12 : 20);
		for (unsigned i = 0; i < n_watched; i++) {
			const uint8_t *a = watched[i].addr + (family == AF_INET ? 0 : 12);

			if (watched[i].family == family)
				code[n++] = (struct sock_filter)BPF_JUMP(
				    BPF_JMP | BPF_JEQ | BPF_K,
				    (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 |
					(uint32_t)a[2] << 8 | a[3],
				    0, 1),
				code[n++] =
				    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
		}
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
		if (family == AF_INET6)
			break;
	}
	prog.len = n;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		fail("filter");
}

int sniff(int argc, char **argv)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	const struct timeval tv = { .tv_usec = 100000 };
	const int size = 64 << 20;
	static uint8_t buf[70000];

	for (int i = 0; i < argc; i++)
		watch_address(argv[i]);
	sa.sll_ifindex = (int)if_nametoindex("eth0");
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		fail("packet socket");
	leave_out_others(fd);
	puts("ready");
	for (unsigned i = 0; i % 64 || !told_to_stop(); i++) {
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);
		ssize_t n =
		    recvfrom(fd, buf, sizeof(buf), MSG_TRUNC, (struct sockaddr *)&from, &len);

		if (n < 0)
			i |= 63;
		if (n > 0 && (size_t)n <= sizeof(buf) && from.sll_pkttype != PACKET_OUTGOING)
			look(buf, (size_t)n);
	}
	/* What did not fit into the socket's buffer was not looked at: that must be known. */
	struct tpacket_stats stats = { .tp_packets = 0 };
	socklen_t len = sizeof(stats);

	(void)getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
	printf("sniffed %u missed %u\n", stats.tp_packets, stats.tp_drops);
	return 0;
}
