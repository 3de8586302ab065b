/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/proto.h - what the agent and a worker say to each other
 *
 * One SOCK_SEQPACKET unix connection; the worker listens (RUNDIR/worker-N.sock), so that a worker outlives
 * the agent and the next agent finds it. Every message is one struct bh_wmsg; descriptors travel beside it
 * by SCM_RIGHTS. Same machine, same build: host byte order; the version is checked in HELLO, and a worker of
 * another version is replaced.
 *
 *	worker -> agent	HELLO (+ queue socket)	first message on every connection; *_rev: what it runs
 *			RULES_OK / RULES_BAD	answer to RULES, with its revision
 *			FINDING			a flow was settled and is to be recorded
 *			STATS			answer to GET_STATS, and once a second if anything changed
 *	agent -> worker	RULES (+ rule set, address table: memory files)
 *			GET_STATS, STOP
 *
 * A finding that does not fit into the socket waits in a ring in the worker; where the ring is full, the oldest
 * is given up and counted: STATS.lost, and the gap in seq shows it.
 */
#ifndef BH_DATAPLANE_WORKER_PROTO_H
#define BH_DATAPLANE_WORKER_PROTO_H

#include "dataplane/classifier/engine.h"

#define BH_WORKER_PROTO_VERSION 1U

enum bh_wmsg_type {
	BH_WMSG_INVALID = 0,
	BH_WMSG_HELLO,
	BH_WMSG_RULES,
	BH_WMSG_RULES_OK,
	BH_WMSG_RULES_BAD,
	BH_WMSG_FINDING,
	BH_WMSG_STATS,
	BH_WMSG_GET_STATS,
	BH_WMSG_STOP,
};

struct bh_worker_stats {
	struct bh_engine_stats engine;
	uint64_t verdicts;	 /* sent */
	uint64_t verdict_errors; /* refused by the kernel */
	uint64_t queue_dropped;	 /* by the kernel: queue full */
	uint64_t user_dropped;	 /* by the kernel: socket buffer full */
	uint64_t findings;	 /* made */
	uint64_t lost;		 /* findings given up for want of room */
};

struct bh_wmsg {
	uint32_t type; /* enum bh_wmsg_type */
	uint32_t version;
	uint64_t seq;  /* of FINDING: counts findings from 1 */
	union {
		struct {
			int32_t pid;
			uint16_t queue;
			uint16_t pad;
			uint64_t revision; /* 0: none yet */
		} hello;
		struct {
			uint64_t revision;
			char text[128]; /* RULES_BAD: why */
		} rules;
		struct {
			int64_t wall_us;
			struct bh_finding f;
		} finding;
		struct bh_worker_stats stats;
	};
};

#endif
