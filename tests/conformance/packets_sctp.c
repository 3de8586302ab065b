// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/conformance/packets_sctp.c - probes of SCTP where the kernel has no SCTP
 *
 * Connection tracking and nftables know the protocol without the kernel's own SCTP (a module that many do not have), so
 * both ends are played here, over raw sockets: the association of RFC 9260, 5.1, with the payload in the packet of
 * COOKIE ECHO and the answer in that of COOKIE ACK, as 5.1 allows. A kernel that has an SCTP of its own would abort
 * what it does not know; there packets_ip.c asks that one.
 *
 *	client				server
 *	INIT			->
 *				<-	INIT ACK, state cookie
 *	COOKIE ECHO, DATA	->
 *				<-	COOKIE ACK, DATA
 *	ABORT			->				(connection tracking forgets it sooner)
 *
 * All numbers are big-endian; checksums are CRC32c, stored little-endian (RFC 9260, appendix A).
 */
#include "tests/conformance/packets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/banned.h"

#define SCTP       132
#define BUFFER     (8 << 20)
#define FIRST_PORT 1024U

enum chunk {
	CHUNK_DATA = 0,
	CHUNK_INIT = 1,
	CHUNK_INIT_ACK = 2,
	CHUNK_ABORT = 6,
	CHUNK_COOKIE_ECHO = 10,
	CHUNK_COOKIE_ACK = 11,
};
#define PARAM_COOKIE 7
#define DATA_WHOLE   3 /* first and last fragment */

struct header {
	uint16_t from, to;
	uint32_t tag, sum;
};
struct chunk_header {
	uint8_t type, flags;
	uint16_t len; /* with this header, without padding */
};
struct init {
	uint32_t tag, window;
	uint16_t out, in;
	uint32_t tsn;
};
/* What the server would have to remember: the tags of both. */
struct cookie {
	uint32_t client, server;
};
struct data {
	uint32_t tsn;
	uint16_t stream, number;
	uint32_t ppid;
	struct token token;
};

struct packet {
	uint8_t bytes[256];
	size_t len;
};

/* Attempts of this step by the port they come from, which is one of all ends. */
static struct {
	uint32_t probe, tag, peer; /* tags: ours, and that of the server once it has answered */
	bool used;
} attempts[65536];
static uint32_t next_port = FIRST_PORT, next_tag = 0x51000001;

/* ---- packets ---- */

static uint32_t crc32c(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	while (n-- > 0) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

static void add(struct packet *k, const void *data, size_t n)
{
	if (n > sizeof(k->bytes) - k->len)
		die("a packet of SCTP is too long");
	memcpy(k->bytes + k->len, data, n);
	k->len += n;
}

static void begin(struct packet *k, uint16_t from, uint16_t to, uint32_t tag)
{
	const struct header h = { .from = htons(from), .to = htons(to), .tag = htonl(tag) };

	k->len = 0;
	add(k, &h, sizeof(h));
}

/* All bodies here are of whole words: nothing has to be padded. */
static void add_chunk(struct packet *k, enum chunk type, uint8_t flags, const void *body, size_t n)
{
	const struct chunk_header c = { .type = (uint8_t)type,
					.flags = flags,
					.len = htons((uint16_t)(sizeof(c) + n)) };

	add(k, &c, sizeof(c));
	if (n > 0)
		add(k, body, n);
}

static void add_data(struct packet *k, uint32_t tsn, const struct token *t)
{
	const struct data d = { .tsn = htonl(tsn), .token = *t };

	add_chunk(k, CHUNK_DATA, DATA_WHOLE, &d, sizeof(d));
}

static void finish(struct packet *k)
{
	uint32_t sum = crc32c(k->bytes, k->len);
	const uint8_t little[4] = { (uint8_t)sum, (uint8_t)(sum >> 8), (uint8_t)(sum >> 16),
				    (uint8_t)(sum >> 24) };

	memcpy(k->bytes + offsetof(struct header, sum), little, sizeof(little));
}

/* -errno; what is refused on the way out is -EPERM. */
static int emit(uint32_t end, bool v6, const struct sockaddr_storage *to, struct packet *k)
{
	finish(k);
	return sendto(ends[end].raw[v6], k->bytes, k->len, 0, (const struct sockaddr *)to,
		      ends[end].len[v6]) < 0
		   ? -errno
		   : 0;
}

/* The body of the first chunk of a type. NULL: there is none of at least @size bytes */
static const void *find_chunk(const uint8_t *p, size_t n, enum chunk type, size_t size)
{
	size_t at = sizeof(struct header);

	while (at + sizeof(struct chunk_header) <= n) {
		struct chunk_header c;
		size_t len;

		memcpy(&c, p + at, sizeof(c));
		len = ntohs(c.len);
		if (len < sizeof(c) || len > n - at)
			return NULL;
		if (c.type == type)
			return len - sizeof(c) >= size ? p + at + sizeof(c) : NULL;
		at += (len + 3) / 4 * 4;
	}
	return NULL;
}

/* ---- the server ---- */

struct arrived {
	uint32_t end;
	bool v6;
	const uint8_t *bytes;
	size_t len;
	uint16_t from, to;
	uint32_t tag;
	struct sockaddr_storage peer;
};

static void on_init(const struct arrived *a, const struct init *theirs)
{
	const uint32_t server = next_tag++;
	const struct {
		struct init init;
		uint16_t type, len;
		struct cookie cookie;
	} body = {
		.init = { .tag = htonl(server),
			  .window = htonl(65536),
			  .out = htons(1),
			  .in = htons(1),
			  .tsn = htonl(1) },
		.type = htons(PARAM_COOKIE),
		.len = htons(4 + sizeof(struct cookie)),
		.cookie = { .client = theirs->tag, .server = htonl(server) },
	};
	struct packet k;

	begin(&k, a->to, a->from, ntohl(theirs->tag));
	add_chunk(&k, CHUNK_INIT_ACK, 0, &body, sizeof(body));
	(void)emit(a->end, a->v6, &a->peer, &k);
}

static void on_cookie(const struct arrived *a, const struct cookie *c)
{
	const struct data *d = find_chunk(a->bytes, a->len, CHUNK_DATA, sizeof(*d));
	struct cookie cookie;
	struct token t;
	struct packet k;

	memcpy(&cookie, c, sizeof(cookie));
	if (!d || ntohl(cookie.server) != a->tag)
		return;
	memcpy(&t, (const uint8_t *)d + offsetof(struct data, token), sizeof(t));
	if (!token_received(&t, a->end, L4_SCTP, a->v6, a->to))
		return;
	begin(&k, a->to, a->from, ntohl(cookie.client));
	add_chunk(&k, CHUNK_COOKIE_ACK, 0, NULL, 0);
	add_data(&k, 1, &t);
	(void)emit(a->end, a->v6, &a->peer, &k);
}

/* ---- the client ---- */

static void on_init_ack(const struct arrived *a, const struct init *theirs)
{
	const struct cookie *c = (const void *)((const uint8_t *)(theirs + 1) + 4);
	const uint32_t probe = attempts[a->to].probe;
	const struct token t = token_of(probe);
	struct packet k;

	came(probe, CONNECTED);
	attempts[a->to].peer = ntohl(theirs->tag);
	begin(&k, a->to, a->from, ntohl(theirs->tag));
	add_chunk(&k, CHUNK_COOKIE_ECHO, 0, c, sizeof(*c));
	add_data(&k, 1, &t);
	(void)emit(a->end, a->v6, &a->peer, &k);
}

static void on_cookie_ack(const struct arrived *a)
{
	const struct data *d = find_chunk(a->bytes, a->len, CHUNK_DATA, sizeof(*d));
	struct packet k;
	struct token t;

	if (!d)
		return;
	memcpy(&t, (const uint8_t *)d + offsetof(struct data, token), sizeof(t));
	token_returned(&t, attempts[a->to].probe);
	begin(&k, a->to, a->from, attempts[a->to].peer);
	add_chunk(&k, CHUNK_ABORT, 0, NULL, 0);
	(void)emit(a->end, a->v6, &a->peer, &k);
}

/* Is it for an attempt of this step, and with the tag that it asked for? */
static bool is_ours(const struct arrived *a)
{
	return attempts[a->to].used && a->tag == attempts[a->to].tag &&
	       probes[attempts[a->to].probe].from == a->end &&
	       probes[attempts[a->to].probe].port == a->from;
}

/* ---- both ---- */

static bool read_header(struct arrived *a)
{
	struct header h;
	struct packet whole = { .len = 0 };

	if (a->len < sizeof(h) || a->len > sizeof(whole.bytes))
		return false;
	memcpy(&h, a->bytes, sizeof(h));
	a->from = ntohs(h.from);
	a->to = ntohs(h.to);
	a->tag = ntohl(h.tag);
	add(&whole, a->bytes, a->len);
	memset(whole.bytes + offsetof(struct header, sum), 0, sizeof(h.sum));
	finish(&whole);
	return memcmp(whole.bytes, a->bytes, a->len) == 0;
}

static void dispatch(const struct arrived *a)
{
	const void *body;

	body = find_chunk(a->bytes, a->len, CHUNK_INIT, sizeof(struct init));
	if (body && a->tag == 0 && served(a->end, L4_SCTP, a->v6, a->to))
		on_init(a, body);
	body = find_chunk(a->bytes, a->len, CHUNK_COOKIE_ECHO, sizeof(struct cookie));
	if (body && served(a->end, L4_SCTP, a->v6, a->to))
		on_cookie(a, body);
	body = find_chunk(a->bytes, a->len, CHUNK_INIT_ACK,
			  sizeof(struct init) + 4 + sizeof(struct cookie));
	if (body && is_ours(a))
		on_init_ack(a, body);
	body = find_chunk(a->bytes, a->len, CHUNK_COOKIE_ACK, 0);
	if (body && is_ours(a))
		on_cookie_ack(a);
}

static void sctp_ready(struct sock *s, uint32_t events)
{
	/* Of whole words, as the parts of chunks are read in place. */
	_Alignas(uint32_t) uint8_t buf[2048];
	struct arrived a = { .end = s->to, .v6 = s->v6 };
	socklen_t len = sizeof(a.peer);
	ssize_t n;

	while ((n = recvfrom(s->fd, buf, sizeof(buf), 0, (struct sockaddr *)&a.peer, &len)) >= 0) {
		/* Only of IPv4 does a raw socket see the header. */
		size_t skip = s->v6 || n == 0 ? 0 : (size_t)(buf[0] & 15) * 4;

		a.bytes = buf + skip;
		a.len = (size_t)n > skip ? (size_t)n - skip : 0;
		if (s->v6) /* holds the protocol as a port, which sendto() does not take */
			((struct sockaddr_in6 *)&a.peer)->sin6_port = 0;
		if (read_header(&a))
			dispatch(&a);
		len = sizeof(a.peer);
	}
}

void sctp_open(uint32_t end, bool v6)
{
	struct end *e = &ends[end];
	int size = BUFFER, fd;
	struct sock *s;

	if (e->raw[v6] >= 0)
		return;
	fd = socket_in(e, e->addr[v6].ss_family, SOCK_RAW, SCTP);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&e->addr[v6], e->len[v6]) < 0)
		die("end %u has not its address: %s", end, strerror(errno));
	e->raw[v6] = fd;
	s = watch(fd, EPOLLIN, sctp_ready);
	s->to = end;
	s->v6 = v6;
}

void sctp_try(uint32_t probe)
{
	const struct probe *p = &probes[probe];
	const struct init init = { .tag = htonl(next_tag),
				   .window = htonl(65536),
				   .out = htons(1),
				   .in = htons(1),
				   .tsn = htonl(1) };
	struct packet k;

	begin(&k, (uint16_t)next_port, p->port, 0);
	add_chunk(&k, CHUNK_INIT, 0, &init, sizeof(init));
	attempts[next_port].probe = probe;
	attempts[next_port].tag = next_tag++;
	attempts[next_port].used = true;
	next_port = next_port == UINT16_MAX ? FIRST_PORT : next_port + 1;
	if (emit(p->from, p->v6, &ends[p->to].addr[p->v6], &k) < 0)
		came(probe, REFUSED);
}

void sctp_step_ends(void)
{
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		attempts[i].used = false;
	for (size_t i = 0; i < n_ends; i++)
		ends[i].raw[0] = ends[i].raw[1] = -1; /* closed with the sockets of the step */
}
