/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/lab.h - packets, rules and captures for tests of the classifier
 *
 * A small network that exists only as bytes: rules made by the real compiler, packets made here, an engine
 * whose verdicts and findings are written down.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_LIB_LAB_H
#define BH_TESTS_LIB_LAB_H

#include "dataplane/classifier/engine.h"
#include "dataplane/classifier/probe.h"
#include "policy/compile.h"

/* ---- rules ---- */

struct lab_rule {
	enum bh_action action;
	uint8_t l4;    /* BH_L4_ANY: all */
	uint16_t port; /* 0: all */
	bool negated;
	enum bh_fail on_overload, midstream; /* nothing: refuse */
	uint8_t protos[8];                   /* up to the first 0; none: whatever is spoken */
	bool node; /* of what comes from the own node; else from anybody */
};

struct lab_rules {
	struct bh_compiler *compiler;
	struct bh_compiled compiled;
	struct bh_addrtable *addrs;
};

/* Ingress rules of a TrafficPolicy for the server of the packets below, and of the captures (10.77.0.2). */
void lab_rules_make(struct lab_rules *r, const struct lab_rule *rules, size_t n,
		    bool unknown_allow);
void lab_rules_done(struct lab_rules *r);

/* ---- packets ---- */

#define LAB_FIN 0x01
#define LAB_SYN 0x02
#define LAB_RST 0x04
#define LAB_PSH 0x08
#define LAB_ACK 0x10
#define LAB_URG 0x20

/* Always given as from the client's side: @reply turns it round. */
struct lab_tuple {
	bool v6;
	uint16_t cport, sport;
};

#define LAB_PACKET_MAX 66000U

/* Return: length of the packet in @buf. Client 10.9.0.1 / fd09::1, server 10.9.0.2 / fd09::2. */
uint32_t lab_tcp(uint8_t *buf, const struct lab_tuple *t, bool reply, uint32_t seq, uint32_t ack,
		 unsigned flags, const void *data, uint32_t len);
uint32_t lab_udp(uint8_t *buf, const struct lab_tuple *t, bool reply, const void *data,
		 uint32_t len);

/* ---- an engine whose answers are written down ---- */

#define LAB_VERDICTS 262144U
#define LAB_FINDINGS 4096U

struct lab_verdict {
	uint8_t count; /* how many times it was answered */
	uint8_t verdict;
	uint8_t result;
};

struct lab {
	struct bh_engine *engine;
	bh_msec_t now;
	uint32_t next_id;
	struct lab_verdict verdicts[LAB_VERDICTS]; /* by id */
	struct bh_finding findings[LAB_FINDINGS];
	size_t n_findings;
	bool csum_unchecked;
	uint8_t hook; /* of both directions; 0: FORWARD */
	uint8_t buf[LAB_PACKET_MAX];
};

struct lab *lab_new(const struct bh_engine_config *cfg, const struct lab_rules *rules);
void lab_free(struct lab *l);
/* Return: the id of the packet; its verdict stands in l->verdicts[id] when there is one. */
uint32_t lab_packet(struct lab *l, const void *data, uint32_t len, uint32_t wire_len,
		    uint32_t qmark);
uint32_t lab_send_tcp(struct lab *l, const struct lab_tuple *t, bool reply, uint32_t qmark,
		      uint32_t seq, uint32_t ack, unsigned flags, const char *data, size_t len);
uint32_t lab_send_udp(struct lab *l, const struct lab_tuple *t, bool reply, uint32_t qmark,
		      const void *data, size_t len);

/* ---- captures ---- */

#define LAB_PIECES_MAX 256U

/* What both sides of a TCP or UDP flow said, piece by piece in the order of the capture. */
struct lab_flow {
	uint8_t l4;
	uint16_t cport, sport;
	uint8_t *bytes[2];
	uint32_t n[2];
	struct {
		uint8_t dir;
		uint32_t len;
	} pieces[LAB_PIECES_MAX];
	size_t n_pieces;
	uint32_t next[2]; /* sequence numbers, while it is read */
	bool begun[2];
	uint8_t ends[2][16]; /* addresses */
};

struct lab_capture {
	struct lab_flow *flows;
	size_t n;
};

/* @name: below tests/replay. Ends the test where it cannot be read. */
void lab_capture_read(struct lab_capture *c, const char *name);
void lab_capture_done(struct lab_capture *c);

#endif
