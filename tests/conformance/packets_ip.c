// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/conformance/packets_ip.c - probes by the kernel's own sockets, and who answers them
 *
 * Every attempt of a stream (TCP; SCTP where the kernel has it) is a connection of its own: so a second SYN does not have to wait for the second that the
 * kernel would take. Connections end in a reset, so that none is left behind in a table of connections.
 */
#include "tests/conformance/packets.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/banned.h"

#define BACKLOG 4096

static void set_port(struct sockaddr_storage *a, uint16_t port)
{
	if (a->ss_family == AF_INET)
		((struct sockaddr_in *)a)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)a)->sin6_port = htons(port);
}

/* Closing is a reset. */
static void no_linger(int fd)
{
	const struct linger l = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

static int l4_socket(const struct end *e, int family, enum l4 l4)
{
	return socket_in(e, family, l4 == L4_UDP ? SOCK_DGRAM : SOCK_STREAM,
			 l4 == L4_SCTP ? IPPROTO_SCTP : 0);
}

/* 1: the token is whole; 0: not yet; -1: there will be none. */
static int read_token(struct sock *s)
{
	while (s->got < sizeof(s->token)) {
		ssize_t n =
		    recv(s->fd, (uint8_t *)&s->token + s->got, sizeof(s->token) - s->got, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -1;
		s->got += (size_t)n;
	}
	return 1;
}

/* ---- servers ---- */

static void stream_served(struct sock *s, uint32_t events)
{
	int r = read_token(s);

	if (r == 0)
		return;
	if (r < 0 || !token_received(&s->token, s->to, s->l4, s->v6, s->port)) {
		unwatch(s);
		return;
	}
	(void)!send(s->fd, &s->token, sizeof(s->token), MSG_NOSIGNAL);
	/* What comes next is the client's reset. */
	s->got = 0;
}

static void stream_accept(struct sock *s, uint32_t events)
{
	int fd;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct sock *c;

		no_linger(fd);
		c = watch(fd, EPOLLIN, stream_served);
		c->to = s->to;
		c->l4 = s->l4;
		c->v6 = s->v6;
		c->port = s->port;
	}
}

static void udp_served(struct sock *s, uint32_t events)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	struct token t;
	ssize_t n;

	while ((n = recvfrom(s->fd, &t, sizeof(t), MSG_TRUNC, (struct sockaddr *)&peer, &len)) >=
	       0) {
		if ((size_t)n == sizeof(t) && token_received(&t, s->to, L4_UDP, s->v6, s->port))
			(void)!sendto(s->fd, &t, sizeof(t), 0, (struct sockaddr *)&peer, len);
		len = sizeof(peer);
	}
}

void ip_serve(uint32_t to, enum l4 l4, bool v6, uint16_t port)
{
	const struct end *e = &ends[to];
	struct sockaddr_storage a = e->addr[v6];
	int fd = l4_socket(e, a.ss_family, l4), on = 1;
	struct sock *s;

	set_port(&a, port);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, e->len[v6]) < 0 ||
	    (l4 != L4_UDP && listen(fd, BACKLOG) < 0))
		die("no server on port %u of end %u: %s", port, to, strerror(errno));
	s = watch(fd, EPOLLIN, l4 == L4_UDP ? udp_served : stream_accept);
	s->to = to;
	s->l4 = (uint8_t)l4;
	s->v6 = v6;
	s->port = port;
}

/* ---- clients ---- */

/* A socket with the address of the end that asks; its port is the kernel's choice. */
static int client_socket(const struct probe *p)
{
	const struct end *e = &ends[p->from];
	int fd = l4_socket(e, e->addr[p->v6].ss_family, p->l4), on = 1;

	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&e->addr[p->v6], e->len[p->v6]) < 0)
		die("end %u has not its address: %s", p->from, strerror(errno));
	return fd;
}

static int connect_to(int fd, const struct probe *p)
{
	struct sockaddr_storage a = ends[p->to].addr[p->v6];

	set_port(&a, p->port);
	return connect(fd, (struct sockaddr *)&a, ends[p->to].len[p->v6]) < 0 ? -errno : 0;
}

static void stream_client(struct sock *s, uint32_t events)
{
	if (!s->connected) {
		int error = 0;
		socklen_t len = sizeof(error);

		if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			return;
		(void)getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error) {
			if (error != ETIMEDOUT)
				came(s->probe, REFUSED);
			unwatch(s);
			return;
		}
		s->connected = true;
		came(s->probe, CONNECTED);
		s->token = token_of(s->probe);
		(void)!send(s->fd, &s->token, sizeof(s->token), MSG_NOSIGNAL);
	}
	switch (read_token(s)) {
	case 0:
		return;
	case 1:
		token_returned(&s->token, s->probe);
		break;
	default:
		break;
	}
	unwatch(s);
}

void stream_try(uint32_t probe)
{
	const struct probe *p = &probes[probe];
	int fd = client_socket(p), r;
	struct sock *s;

	no_linger(fd);
	r = connect_to(fd, p);
	if (r < 0 && r != -EINPROGRESS) {
		came(probe, REFUSED);
		(void)close(fd);
		return;
	}
	s = watch(fd, EPOLLIN | EPOLLOUT | EPOLLET, stream_client);
	s->probe = probe;
}

static void udp_client(struct sock *s, uint32_t events)
{
	struct token t;
	ssize_t n;

	while ((n = recv(s->fd, &t, sizeof(t), MSG_TRUNC)) >= 0 || errno != EAGAIN) {
		if (n == (ssize_t)sizeof(t))
			token_returned(&t, s->probe);
		else if (n < 0 && errno != EINTR)
			came(s->probe, REFUSED);
	}
}

void udp_try(uint32_t probe)
{
	struct token t = token_of(probe);
	struct probe *p = &probes[probe];

	if (!p->udp) {
		int fd = client_socket(p), r = connect_to(fd, p);

		if (r < 0)
			die("no way from end %u to end %u: %s", p->from, p->to, strerror(-r));
		p->udp = watch(fd, EPOLLIN, udp_client);
		p->udp->probe = probe;
	}
	if (send(p->udp->fd, &t, sizeof(t), 0) < 0)
		came(probe, REFUSED);
}
