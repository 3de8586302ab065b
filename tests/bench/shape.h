/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/bench/shape.h - the world that the benchmark of the dataplane measures: who is there, who may talk to whom
 *
 * Half of the endpoints are clients, half are servers. Both have as many applications as there are policies, or
 * servers if those are fewer: client i is one of application i mod A, and so is server i. Policy p is for servers of
 * application p mod A; it lets clients of the same application come by one TCP port, the first policy of an application
 * by PORT_FIRST, its second by the next, and so on. So the rules that linear chains need are as many as the policies
 * where each application has one member.
 *
 * Servers are local, at most LOCAL_MAX of them (what one host is to carry); the clients are too if both directions are
 * judged. Everything is worked out from numbers, so that programs that make rules, frames and connections agree.
 *
 * Thread-safety: no state.
 */
#ifndef BH_TESTS_BENCH_SHAPE_H
#define BH_TESTS_BENCH_SHAPE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LOCAL_MAX    10000U
#define PORT_FIRST   8080U
#define PORT_REFUSED 7U /* no policy allows it */
/* Pairs of hosts that "few" means, in every size: client i and server i, which belong together. */
#define FEW 5U

struct shape {
	unsigned clients, servers, apps, policies;
	bool both; /* egress of the clients is judged, too */
};

/* @endpoints: at least 10; @policies: at least 5. */
static inline struct shape shape_of(unsigned endpoints, unsigned policies, bool both)
{
	struct shape s = { .servers = endpoints / 2, .policies = policies, .both = both };

	s.clients = endpoints - s.servers;
	s.apps = policies < s.servers ? policies : s.servers;
	return s;
}

static inline unsigned shape_local(const struct shape *s)
{
	return s->servers < LOCAL_MAX ? s->servers : LOCAL_MAX;
}

/* The port of the policy in the middle of those that an application has. */
static inline uint16_t shape_port(const struct shape *s, unsigned app)
{
	unsigned n = (s->policies - app + s->apps - 1) / s->apps;

	return (uint16_t)(PORT_FIRST + n / 2);
}

/* Of the flow number @n, one of many: a local server, and a client that may come to it. */
static inline void shape_pair(const struct shape *s, unsigned n, bool few, unsigned *ret_client,
			      unsigned *ret_server)
{
	uint32_t h = n * 2654435761U, app;

	if (few) {
		*ret_client = *ret_server = n % FEW;
		return;
	}
	*ret_server = (h >> 7) % shape_local(s);
	app = *ret_server % s->apps;
	/* Of the clients app, app + A, app + 2A ... one. */
	*ret_client =
	    app + (h * 2246822519U >> 5) % ((s->clients - app + s->apps - 1) / s->apps) * s->apps;
}

/* 10.0.0.1 and up are clients, 10.16.0.1 and up servers; fd00:c::1, fd00:5::1. Return: bytes */
static inline unsigned shape_addr(unsigned family, bool server, unsigned i, uint8_t *ret)
{
	const uint32_t n = i + 1;
	const uint8_t low[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
				 (uint8_t)n };

	if (family == 4) {
		ret[0] = 10;
		ret[1] = (uint8_t)((server ? 16 : 0) + low[1]);
		ret[2] = low[2];
		ret[3] = low[3];
		return 4;
	}
	memset(ret, 0, 16);
	ret[0] = 0xfd;
	ret[3] = server ? 5 : 0xc;
	memcpy(ret + 12, low, sizeof(low));
	return 16;
}

#endif
