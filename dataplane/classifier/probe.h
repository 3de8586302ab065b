/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/classifier/probe.h - can these bytes be that protocol?
 *
 * A probe sees what each side has said so far, in order, and nothing else: no port, no address, no other
 * flow. NO and YES are final: who has heard one of them does not ask again, and how the bytes were cut into
 * segments does not change the answer. A probe never answers MORE for a complete command of its protocol,
 * because undecided bytes pass. One small file for each protocol, with the source of its rules.
 *
 * Thread-safety: pure functions.
 */
#ifndef BH_DATAPLANE_CLASSIFIER_PROBE_H
#define BH_DATAPLANE_CLASSIFIER_PROBE_H

#include "policy/protocol.h"

#include <stdbool.h>
#include <stdint.h>

enum bh_answer {
	BH_ANSWER_INVALID = 0,
	BH_ANSWER_NO,   /* these bytes cannot be the protocol */
	BH_ANSWER_MORE, /* nothing against it so far */
	BH_ANSWER_YES,  /* certain enough to act on */
};

/* What both sides have said. For UDP: the first datagram of each side. */
struct bh_view {
	const uint8_t *c, *s; /* client (original direction), server */
	uint32_t nc, ns;
	bool udp;
	bool
	    naming; /* asked for a name, not whether it is what was expected: hints are not enough */
};

/* A flow keeps which of them it waits for in so many bits. */
#define BH_PROBES_MAX 16U

struct bh_probe {
	enum bh_proto proto;
	bool tcp, udp;
	enum bh_answer (*fn)(const struct bh_view *v);
};

/* The probe of a protocol; NULL if it has none. */
const struct bh_probe *bh_probe_of(unsigned proto);
/* Every probe, in the order in which they are asked for a name: the stricter first. NULL past the end. */
const struct bh_probe *bh_probe_nth(size_t i);
/* The first that says YES; BH_PROTO_UNKNOWN if none does. *@ret_more: some are still open; may be NULL. */
unsigned bh_probe_name(const struct bh_view *v, bool *ret_more);

enum bh_answer bh_probe_http(const struct bh_view *v);
enum bh_answer bh_probe_tls(const struct bh_view *v);
enum bh_answer bh_probe_ssh(const struct bh_view *v);
enum bh_answer bh_probe_dns(const struct bh_view *v);
enum bh_answer bh_probe_redis(const struct bh_view *v);
enum bh_answer bh_probe_postgres(const struct bh_view *v);

#endif
