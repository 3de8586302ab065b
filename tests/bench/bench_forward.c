// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/bench/bench_forward.c - what a packet costs on its way through a router, rules and all
 *
 *	bench_forward new|established|refused 4|6 BLOCK ROUNDS CONFIG...		(CONFIG: meter.h)
 *
 * One pinned thread puts frames into the client's link by a packet socket that goes past the queueing discipline. The
 * client's end, both links of the router, conntrack, the rules, and the drop at the server (its neighbour entry on the
 * router names a hardware address that is nobody's) all run in that thread, so the time of a block of frames is what
 * their whole way costs. Every configuration is open at once, and one block of each is run in turn.
 *
 *	new		each frame is a SYN from a port that was not seen yet
 *	established	data of connections whose handshake has passed
 *	refused		as new, to a port that no policy allows
 */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>

#include "common/util.h"
#include "tests/bench/meter.h"

#define FLOWS     64U /* established ones */
#define BLOCK_MAX 1024U
#define FRAME     160U
#define DATA      32U
#define WARMUP    2U

struct path {
	struct meter_config c;
	int client, server, conntrack;
	unsigned next; /* flow */
};

static struct {
	unsigned family;
	bool refused;
} opt;

static uint32_t sum(const void *data, size_t n, uint32_t s)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i += 2)
		s += (uint32_t)p[i] << 8 | (i + 1 < n ? p[i + 1] : 0);
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

static int packet_socket(const char *link)
{
	const struct sockaddr_ll at = { .sll_family = AF_PACKET,
					.sll_ifindex = (int)if_nametoindex(link) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1, size = 8 << 20;

	if (fd < 0 || bind(fd, (const void *)&at, sizeof(at)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		meter_die(link);
	return fd;
}

/* Return: bytes of the frame. @flags: of TCP. */
static unsigned frame(const struct path *p, unsigned n, bool reply, uint8_t flags, uint8_t *f)
{
	/* The router's links have these: tests/bench/dataplane. */
	static const uint8_t to_r0[] = { 2, 0, 0, 0, 0, 0xf0 }, to_r1[] = { 2, 0, 0, 0, 0, 0xf1 };
	static const uint8_t from_c0[] = METER_CLIENT_MAC, from_s0[] = METER_SERVER_MAC;
	const unsigned len = flags & TH_PUSH ? DATA : 0, l4 = (unsigned)sizeof(struct tcphdr) + len;
	uint8_t ends[2][16], *l3 = f + ETH_HLEN;
	const uint8_t *src = ends[reply ? 1 : 0], *dst = ends[reply ? 0 : 1];
	const struct shape *s = &p->c.shape;
	unsigned client, server, size;
	uint16_t cport = htons((uint16_t)(1024 + n % 64000)), sport;
	struct tcphdr t = { .doff = 5, .window = htons(65535) };
	uint32_t pseudo;

	shape_pair(s, n, p->c.few, &client, &server);
	sport = htons(opt.refused ? PORT_REFUSED : shape_port(s, server % s->apps));
	size = shape_addr(opt.family, false, client, ends[0]);
	(void)shape_addr(opt.family, true, server, ends[1]);

	memcpy(f, reply ? to_r1 : to_r0, ETH_ALEN);
	memcpy(f + ETH_ALEN, reply ? from_s0 : from_c0, ETH_ALEN);
	f[12] = opt.family == 4 ? 0x08 : 0x86;
	f[13] = opt.family == 4 ? 0x00 : 0xdd;
	if (opt.family == 4) {
		struct iphdr h = { .version = 4,
				   .ihl = 5,
				   .ttl = 64,
				   .protocol = IPPROTO_TCP,
				   .tot_len = htons((uint16_t)(sizeof(h) + l4)) };

		memcpy(&h.saddr, src, 4);
		memcpy(&h.daddr, dst, 4);
		h.check = fold(sum(&h, sizeof(h), 0));
		memcpy(l3, &h, sizeof(h));
		l3 += sizeof(h);
	} else {
		struct ip6_hdr h = { .ip6_plen = htons((uint16_t)l4),
				     .ip6_nxt = IPPROTO_TCP,
				     .ip6_hlim = 64 };

		h.ip6_vfc = 0x60; /* shares its bytes with the others */

		memcpy(&h.ip6_src, src, 16);
		memcpy(&h.ip6_dst, dst, 16);
		memcpy(l3, &h, sizeof(h));
		l3 += sizeof(h);
	}
	t.source = reply ? sport : cport;
	t.dest = reply ? cport : sport;
	t.th_flags = flags;
	t.seq = htonl(flags & TH_SYN ? 1000 : 1001);
	t.ack_seq = htonl(flags & TH_ACK ? 1001 : 0);
	memcpy(l3, &t, sizeof(t));
	memset(l3 + sizeof(t), 'x', len);
	pseudo = sum(src, size, sum(dst, size, IPPROTO_TCP + l4));
	t.check = fold(sum(l3, l4, pseudo));
	memcpy(l3, &t, sizeof(t));
	return (unsigned)(l3 - f) + l4;
}

static uint8_t bytes[BLOCK_MAX][FRAME];
static struct iovec iov[BLOCK_MAX];

/* @n frames are made; of the flows 0 to @flows - 1 in turn, or, 0, each of the next one. */
static void make_frames(struct path *p, unsigned n, unsigned flows, bool reply, uint8_t flags)
{
	for (unsigned i = 0; i < n; i++) {
		iov[i].iov_base = bytes[i];
		iov[i].iov_len = frame(p, flows ? i % flows : p->next++, reply, flags, bytes[i]);
	}
}

static void send_frames(const struct path *p, unsigned n, bool reply)
{
	struct mmsghdr m[BLOCK_MAX];
	unsigned sent = 0;

	memset(m, 0, n * sizeof(m[0]));
	for (unsigned i = 0; i < n; i++) {
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < n) {
		int r = sendmmsg(reply ? p->server : p->client, m + sent, n - sent, 0);

		if (r < 0 && errno != ENOBUFS && errno != EAGAIN)
			meter_die("sendmmsg");
		if (r > 0)
			sent += (unsigned)r;
	}
}

static void handshakes(struct path *p)
{
	make_frames(p, FLOWS, FLOWS, false, TH_SYN);
	send_frames(p, FLOWS, false);
	make_frames(p, FLOWS, FLOWS, true, TH_SYN | TH_ACK);
	send_frames(p, FLOWS, true);
	make_frames(p, FLOWS, FLOWS, false, TH_ACK);
	send_frames(p, FLOWS, false);
}

static void open_path(struct path *p, bool established)
{
	meter_enter(p->c.name, 'c');
	p->client = packet_socket("c0");
	meter_enter(p->c.name, 's');
	p->server = packet_socket("s0");
	meter_enter(p->c.name, 'r');
	p->conntrack = meter_conntrack();
	meter_forget(p->conntrack);
	if (established)
		handshakes(p);
}

int main(int argc, char **argv)
{
	bool established = argc > 1 && strcmp(argv[1], "established") == 0;
	unsigned n = argc > 5 ? (unsigned)argc - 5 : 0;
	struct path *paths = calloc(n, sizeof(*paths));
	unsigned block, rounds, *order = calloc(n, sizeof(*order));

	if (n == 0 || !paths || !order) {
		(void)fprintf(stderr,
			      "usage: bench_forward new|established|refused 4|6 BLOCK ROUNDS "
			      "NAME:ENDPOINTS:POLICIES:few|all...\n");
		return 2;
	}
	opt.refused = strcmp(argv[1], "refused") == 0;
	opt.family = (unsigned)strtoul(argv[2], NULL, 10);
	block = BH_MIN((unsigned)strtoul(argv[3], NULL, 10), BLOCK_MAX);
	rounds = (unsigned)strtoul(argv[4], NULL, 10);
	for (unsigned i = 0; i < n; i++) {
		meter_config(argv[5 + i], rounds, &paths[i].c);
		open_path(&paths[i], established);
	}
	meter_pin(0);
	for (unsigned r = 0; r < rounds + WARMUP; r++) {
		meter_shuffle(order, n);
		for (unsigned i = 0; i < n; i++) {
			struct path *p = &paths[order[i]];
			double start;

			make_frames(p, block, established ? FLOWS : 0, false,
				    established ? TH_PUSH | TH_ACK : TH_SYN);
			start = meter_now();
			send_frames(p, block, false);
			if (r >= WARMUP)
				p->c.v[p->c.n++] = (meter_now() - start) / block;
			if (!established)
				meter_forget(p->conntrack);
		}
	}
	for (unsigned i = 0; i < n; i++)
		meter_print(&paths[i].c, argv[5 + i]);
	return 0;
}
