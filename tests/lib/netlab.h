/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/netlab.h - a client, a router and a server in network namespaces of their own
 *
 *	client 10.71.1.2, fd71:1::2 -- c0 | r0 router r1 | s0 -- server 10.71.2.2, fd71:2::2
 *
 * The program itself lives in the router's namespace; sockets are made in that of their end and stay there.
 * Everything fails the test that it is called from.
 *
 * Thread-safety: one thread makes sockets.
 */
#ifndef BH_TESTS_LIB_NETLAB_H
#define BH_TESTS_LIB_NETLAB_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* NETLAB_VIP is nobody: an address for a test's own NAT. */
enum netlab_end {
	NETLAB_CLIENT,
	NETLAB_ROUTER,
	NETLAB_SERVER,
	NETLAB_ENDS,
	NETLAB_VIP = NETLAB_ENDS
};

/* Makes the namespaces PREFIX-c, -r, -s and enters the router's. */
void netlab_up(const char *prefix);
/* Sockets that were made go with it. */
void netlab_down(void);

/* A command in the namespace of an end, by the shell. Return: its exit status */
int netlab_run(enum netlab_end end, const char *fmt, ...)
    __attribute__((__format__(__printf__, 2, 3)));
/* What it writes, to be freed. */
char *netlab_output(enum netlab_end end, const char *fmt, ...)
    __attribute__((__format__(__printf__, 2, 3)));

/* @family: 4, 6. */
const char *netlab_addr(enum netlab_end end, int family);
/* A socket of an end; non-blocking. */
int netlab_socket(enum netlab_end end, int family, int type);
/* Everything that its link receives, from the IP header on. */
int netlab_capture(enum netlab_end end);
struct sockaddr_storage netlab_sockaddr(enum netlab_end end, int family, uint16_t port,
					socklen_t *ret_len);

/* What a test left open, because it failed. */
void netlab_close_all(void);

/* Listens (TCP) or is bound (UDP) on @port. */
int netlab_serve(enum netlab_end end, int family, int type, uint16_t port);
/*
 * Return: a connected socket, or a negative errno: -ETIMEDOUT after @timeout_ms without an answer. For UDP the socket
 * is only connected.
 */
int netlab_connect(enum netlab_end from, enum netlab_end to, int family, int type, uint16_t port,
		   int timeout_ms);
int netlab_accept(int listener, int timeout_ms); /* -ETIMEDOUT */

/* Return: bytes, 0 at the end of the stream, or a negative errno; -ETIMEDOUT */
int netlab_read(int fd, void *buf, size_t size, int timeout_ms);
int netlab_write(int fd, const void *buf, size_t size);
/* One message, 16 bytes. @sum: its checksum comes out as this, by what else is in it; 0: as it comes out. */
void netlab_icmp(enum netlab_end from, enum netlab_end to, int family, uint8_t type, uint8_t code,
		 uint16_t sum);
/*
 * That a datagram of @to, from its port @sport to @dport of @from, was larger than @mtu. @router: who says so, an address
 * of the namespace of @from; NULL: @from itself.
 */
void netlab_too_big(enum netlab_end from, const char *router, enum netlab_end to, int family,
		    uint16_t sport, uint16_t dport, uint16_t mtu);
/* One echo request. */
bool netlab_ping(enum netlab_end from, enum netlab_end to, int family, int timeout_ms);
/* The error that ends the connection: waits for it. 0: none within @timeout_ms */
int netlab_end_of(int fd, int timeout_ms);

#endif
