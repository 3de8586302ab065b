// SPDX-License-Identifier: GPL-3.0-or-later
/* tests/lib/netlab.c - a client, a router and a server in network namespaces of their own */
#include "tests/lib/netlab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/slow.h"

static const char *const suffix[NETLAB_ENDS] = { "c", "r", "s" };
static char lab_prefix[32];
#define SOCKETS_MAX 1024
/* Everything that was made: some may be closed and their numbers used again. */
static int sockets[SOCKETS_MAX];
static size_t n_sockets;
static int ns_fd[NETLAB_ENDS] = { -1, -1, -1 }, home_fd = -1;

static void die(const char *what)
{
	(void)fprintf(stderr, "netlab: %s: %s\n", what, strerror(errno));
	abort();
}

static int shell(const char *fmt, ...) __attribute__((__format__(__printf__, 1, 2)));
static int shell(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

static void must(int status, const char *what)
{
	if (status != 0)
		die(what);
}

static void enter(int fd)
{
	if (setns(fd, CLONE_NEWNET) < 0)
		die("setns");
}

static void link_up(const char *end, const char *dev, const char *router_dev, int net)
{
	must(shell("ip -n %s-%s link add %s type veth peer name %s netns %s-r", lab_prefix, end,
		   dev, router_dev, lab_prefix),
	     "veth");
	must(shell("ip -n %s-%s link set %s up && ip -n %s-r link set %s up", lab_prefix, end, dev,
		   lab_prefix, router_dev),
	     "link up");
	must(shell("ip -n %s-%s addr add 10.71.%d.2/24 dev %s && "
		   "ip -n %s-%s addr add fd71:%d::2/64 dev %s nodad",
		   lab_prefix, end, net, dev, lab_prefix, end, net, dev),
	     "addresses");
	must(shell("ip -n %s-r addr add 10.71.%d.1/24 dev %s && "
		   "ip -n %s-r addr add fd71:%d::1/64 dev %s nodad",
		   lab_prefix, net, router_dev, lab_prefix, net, router_dev),
	     "addresses of the router");
	must(shell("ip -n %s-%s route add default via 10.71.%d.1 && "
		   "ip -n %s-%s -6 route add default via fd71:%d::1",
		   lab_prefix, end, net, lab_prefix, end, net),
	     "routes");
}

void netlab_up(const char *prefix)
{
	char path[64];

	(void)snprintf(lab_prefix, sizeof(lab_prefix), "%s", prefix);
	home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home_fd < 0)
		die("own namespace");
	for (int i = 0; i < NETLAB_ENDS; i++) {
		/* No address waits for a second to be sure that it is alone. */
		must(shell("ip netns add %s-%s && ip netns exec %s-%s "
			   "sysctl -qw net.ipv6.conf.all.accept_dad=0 "
			   "net.ipv6.conf.default.accept_dad=0 && ip -n %s-%s link set lo up",
			   prefix, suffix[i], prefix, suffix[i], prefix, suffix[i]),
		     "ip netns add");
		(void)snprintf(path, sizeof(path), "/run/netns/%s-%s", prefix, suffix[i]);
		ns_fd[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (ns_fd[i] < 0)
			die(path);
	}
	link_up("c", "c0", "r0", 1);
	link_up("s", "s0", "r1", 2);
	must(netlab_run(NETLAB_ROUTER,
			"sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"),
	     "forwarding");
	enter(ns_fd[NETLAB_ROUTER]);
}

void netlab_down(void)
{
	enter(home_fd);
	for (int i = 0; i < NETLAB_ENDS; i++) {
		(void)close(ns_fd[i]);
		ns_fd[i] = -1;
		(void)shell("ip netns del %s-%s", lab_prefix, suffix[i]);
	}
	(void)close(home_fd);
	home_fd = -1;
}

int netlab_run(enum netlab_end end, const char *fmt, ...)
{
	char cmd[4096], full[4200];
	va_list ap;
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), status;

	va_start(ap, fmt);
	(void)vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	enter(ns_fd[end]);
	(void)snprintf(full, sizeof(full), "%s", cmd);
	status = system(full);
	enter(fd);
	(void)close(fd);
	return status;
}

char *netlab_output(enum netlab_end end, const char *fmt, ...)
{
	size_t cap = 1U << 22, n = 0;
	char cmd[1024], *out = calloc(1, cap);
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	(void)vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	enter(ns_fd[end]);
	f = popen(cmd, "r");
	enter(fd);
	(void)close(fd);
	if (!out || !f)
		die(cmd);
	n = fread(out, 1, cap - 1, f);
	out[n] = '\0';
	if (pclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

const char *netlab_addr(enum netlab_end end, int family)
{
	static const char *const addrs[NETLAB_VIP + 1][2] = {
		{ "10.71.1.2", "fd71:1::2" },
		{ "10.71.2.1", "fd71:2::1" },
		{ "10.71.2.2", "fd71:2::2" },
		{ "10.71.9.9", "fd71:9::9" },
	};

	return addrs[end][family == 4 ? 0 : 1];
}

struct sockaddr_storage netlab_sockaddr(enum netlab_end end, int family, uint16_t port,
					socklen_t *ret_len)
{
	struct sockaddr_storage ss = { .ss_family = family == 4 ? AF_INET : AF_INET6 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;

	if (family == 4) {
		v4->sin_port = htons(port);
		(void)inet_pton(AF_INET, netlab_addr(end, family), &v4->sin_addr);
		*ret_len = sizeof(*v4);
	} else {
		v6->sin6_port = htons(port);
		(void)inet_pton(AF_INET6, netlab_addr(end, family), &v6->sin6_addr);
		*ret_len = sizeof(*v6);
	}
	return ss;
}

static int keep(int fd)
{
	if (fd >= 0 && n_sockets < SOCKETS_MAX)
		sockets[n_sockets++] = fd;
	return fd;
}

/* Is it a connection or a server of a test, and not something that took the number since? */
static bool is_internet(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       (domain == AF_INET || domain == AF_INET6);
}

void netlab_close_all(void)
{
	while (n_sockets > 0)
		if (is_internet(sockets[--n_sockets]))
			(void)close(sockets[n_sockets]);
}

int netlab_socket(enum netlab_end end, int family, int type)
{
	int fd;

	enter(ns_fd[end]);
	fd = socket(family == 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enter(ns_fd[NETLAB_ROUTER]);
	if (fd < 0)
		die("socket");
	return keep(fd);
}

int netlab_capture(enum netlab_end end)
{
	int fd;

	enter(ns_fd[end]);
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	enter(ns_fd[NETLAB_ROUTER]);
	if (fd < 0)
		die("packet socket");
	return fd;
}

int netlab_serve(enum netlab_end end, int family, int type, uint16_t port)
{
	int fd = netlab_socket(end, family, type), one = 1;
	socklen_t len;
	struct sockaddr_storage ss = netlab_sockaddr(end, family, port, &len);

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 64) < 0))
		die("serve");
	return fd;
}

static int wait_for(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, slow(timeout_ms));
}

int netlab_connect(enum netlab_end from, enum netlab_end to, int family, int type, uint16_t port,
		   int timeout_ms)
{
	int fd = netlab_socket(from, family, type), err = 0;
	socklen_t len;
	struct sockaddr_storage ss = netlab_sockaddr(to, family, port, &len);

	if (connect(fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS) {
		err = errno;
	} else if (type == SOCK_STREAM) {
		if (wait_for(fd, POLLOUT, timeout_ms) == 0)
			err = ETIMEDOUT;
		len = sizeof(err);
		if (!err && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			err = errno;
	}
	if (err == 0)
		return fd;
	(void)close(fd);
	return -err;
}

int netlab_accept(int listener, int timeout_ms)
{
	int fd;

	if (wait_for(listener, POLLIN, timeout_ms) == 0)
		return -ETIMEDOUT;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return fd < 0 ? -errno : keep(fd);
}

int netlab_read(int fd, void *buf, size_t size, int timeout_ms)
{
	ssize_t n;

	if (wait_for(fd, POLLIN, timeout_ms) == 0)
		return -ETIMEDOUT;
	n = recv(fd, buf, size, 0);
	return n < 0 ? -errno : (int)n;
}

int netlab_write(int fd, const void *buf, size_t size)
{
	ssize_t n = send(fd, buf, size, MSG_NOSIGNAL);

	return n < 0 ? -errno : (int)n;
}

static uint16_t checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static int raw_socket(enum netlab_end end, int family)
{
	int fd;

	enter(ns_fd[end]);
	fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	enter(ns_fd[NETLAB_ROUTER]);
	if (fd < 0)
		die("raw socket");
	return fd;
}

/* What is summed of ICMPv6 begins with source, destination, length and protocol: 40 bytes. */
static void pseudo_header(const char *from, enum netlab_end to, uint8_t n, uint8_t *out)
{
	(void)inet_pton(AF_INET6, from, out);
	(void)inet_pton(AF_INET6, netlab_addr(to, 6), out + 16);
	out[35] = n;
	out[39] = IPPROTO_ICMPV6;
}

/* The message of @n bytes behind the pseudo header, with its checksum. */
static void send_icmp(enum netlab_end from, const char *source, enum netlab_end to, int family,
		      uint8_t *all, size_t n)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	uint8_t *m = all + 40;
	uint16_t sum = family == 4 ? checksum(m, n) : checksum(all, 40 + n);
	socklen_t len;
	struct sockaddr_storage ss = netlab_sockaddr(to, family, 0, &len);
	int fd = raw_socket(from, family);

	m[2] = (uint8_t)(sum >> 8);
	m[3] = (uint8_t)sum;
	if (source && family == 4 &&
	    (inet_pton(AF_INET, source, &v4.sin_addr) != 1 ||
	     bind(fd, (void *)&v4, sizeof(v4)) < 0))
		die(source);
	if (source && family == 6 &&
	    (inet_pton(AF_INET6, source, &v6.sin6_addr) != 1 ||
	     bind(fd, (void *)&v6, sizeof(v6)) < 0))
		die(source);
	if (sendto(fd, m, n, 0, (struct sockaddr *)&ss, len) != (ssize_t)n)
		die("icmp");
	(void)close(fd);
}

void netlab_icmp(enum netlab_end from, enum netlab_end to, int family, uint8_t type, uint8_t code,
		 uint16_t sum)
{
	uint8_t all[40 + 16] = { 0 }, *m = &all[40], *begin = family == 4 ? m : all;
	size_t n = family == 4 ? 16 : sizeof(all);

	pseudo_header(netlab_addr(from, 6), to, 16, all);
	m[0] = type;
	m[1] = code;
	m[4] = m[5] = 0x71;
	if (sum != 0) {
		/* The last word brings the sum to where it is to be. */
		uint32_t word = (uint32_t)checksum(begin, n) + (uint16_t)~sum;

		word = (word & 0xffff) + (word >> 16);
		m[14] = (uint8_t)(word >> 8);
		m[15] = (uint8_t)word;
	}
	send_icmp(from, NULL, to, family, all, 16);
}

void netlab_too_big(enum netlab_end from, const char *router, enum netlab_end to, int family,
		    uint16_t sport, uint16_t dport, uint16_t mtu)
{
	static const uint8_t v4[20] = { 0x45, [3] = 28, [8] = 64, [9] = IPPROTO_UDP };
	static const uint8_t v6[40] = { 0x60, [5] = 8, [6] = IPPROTO_UDP, [7] = 64 };
	size_t head = family == 4 ? sizeof(v4) : sizeof(v6), n = 8 + head + 8;
	uint8_t all[40 + 8 + sizeof(v6) + 8] = { 0 }, *m = &all[40], *ip = m + 8, *udp = ip + head;

	pseudo_header(router ? router : netlab_addr(from, 6), to, (uint8_t)n, all);
	m[0] = family == 4 ? 3 : 2; /* destination unreachable, packet too big */
	m[1] = family == 4 ? 4 : 0; /* fragmentation needed */
	m[6] = (uint8_t)(mtu >> 8);
	m[7] = (uint8_t)mtu;
	memcpy(ip, family == 4 ? v4 : v6, head);
	(void)inet_pton(family == 4 ? AF_INET : AF_INET6, netlab_addr(to, family),
			ip + (family == 4 ? 12 : 8));
	(void)inet_pton(family == 4 ? AF_INET : AF_INET6, netlab_addr(from, family),
			ip + (family == 4 ? 16 : 24));
	udp[0] = (uint8_t)(sport >> 8);
	udp[1] = (uint8_t)sport;
	udp[2] = (uint8_t)(dport >> 8);
	udp[3] = (uint8_t)dport;
	udp[5] = 8;
	send_icmp(from, router, to, family, all, n);
}

bool netlab_ping(enum netlab_end from, enum netlab_end to, int family, int timeout_ms)
{
	uint8_t echo[16] = { family == 4 ? 8 : 128, 0, 0, 0, 0x71, 0x71, 0, 1 }, in[256];
	uint16_t sum = checksum(echo, sizeof(echo));
	socklen_t len;
	struct sockaddr_storage ss = netlab_sockaddr(to, family, 0, &len);
	bool got = false;
	int fd = raw_socket(from, family);

	if (family == 4) { /* of IPv6 the kernel makes it */
		echo[2] = (uint8_t)(sum >> 8);
		echo[3] = (uint8_t)sum;
	}
	/* What an own rule refuses is told at once. */
	if (sendto(fd, echo, sizeof(echo), 0, (struct sockaddr *)&ss, len) < 0 && errno != EPERM)
		die("ping");
	while (!got && wait_for(fd, POLLIN, timeout_ms) > 0) {
		ssize_t n = recv(fd, in, sizeof(in), 0);

		got = family == 4 ? n >= 28 && in[20] == 0 && in[24] == 0x71
				  : n >= 8 && in[0] == 129 && in[4] == 0x71;
	}
	(void)close(fd);
	return got;
}

int netlab_end_of(int fd, int timeout_ms)
{
	int err = 0;
	socklen_t len = sizeof(err);

	/* Error and hang-up alone. */
	if (wait_for(fd, 0, timeout_ms) == 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	return err ? -err : -ECONNRESET;
}
