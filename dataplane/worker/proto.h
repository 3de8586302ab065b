/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/proto.h - what the agent and a worker say to each other
 *
 * One SOCK_SEQPACKET unix connection; the worker listens (RUNDIR/worker-N.sock), so that a worker outlives
 * the agent and the next agent finds it. Every message is one struct bh_wmsg; descriptors travel beside it
 * by SCM_RIGHTS. Same machine, same build: host byte order; the version is checked in HELLO, and a worker of
 * another version is replaced.
 *
 *	worker -> agent	HELLO (+ queue socket, listening socket)	first message on every connection
 *			RULES_OK / RULES_BAD	answer to RULES, with its revision
 *			FINDING			a flow was settled and is to be recorded
 *			STATS			answer to GET_STATS, and once a second if anything changed
 *	agent -> worker	RULES (+ rule set, address table: memory files)
 *			ACK			findings up to this one, and this many losses, are recorded
 *			GET_STATS, STOP
 *
 * The first sixteen bytes are the same in every version: STOP is understood by them alone, and HELLO says
 * with them which queue its socket has.
 *
 * Findings stand in a ring in the worker until they are acknowledged; at most BH_WORKER_WINDOW are under way.
 * A new connection gets the unacknowledged ones again: an agent that dies loses none, the next one may hear
 * some twice. Where the ring is full, the oldest is given up and counted: STATS.lost, and the gap in seq
 * shows it.
 *
 * Thread-safety: constants.
 */
#ifndef BH_DATAPLANE_WORKER_PROTO_H
#define BH_DATAPLANE_WORKER_PROTO_H

#include "dataplane/classifier/engine.h"

#define BH_WORKER_PROTO_VERSION 2U /* 2: the socket has a pair of queues */

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
	BH_WMSG_ACK,
};

#define BH_WORKER_WINDOW     1024U  /* findings sent and not acknowledged */
#define BH_WORKER_RING       65536U /* findings that can wait while no agent listens */
#define BH_WORKER_BUILD_SIZE 32

struct bh_worker_stats {
	struct bh_engine_stats engine;
	uint64_t verdicts;       /* sent */
	uint64_t verdict_errors; /* refused by the kernel */
	uint64_t queue_dropped;  /* by the kernel: queue full */
	uint64_t user_dropped;   /* by the kernel: socket buffer full */
	uint64_t findings;       /* made */
	uint64_t lost; /* findings given up: the ring was full, or an agent died with them */
};

struct bh_wmsg {
	uint32_t type; /* enum bh_wmsg_type */
	uint32_t version;
	/* FINDING: counts them from 1. RULES: anything, the answer repeats it. HELLO: number of the queue. */
	uint64_t seq;
	union {
		struct {
			int32_t pid;
			uint32_t pad;
			uint64_t revision;                /* 0: none yet */
			uint64_t acked, lost_acked;       /* by the last ACK */
			struct bh_engine_config engine;   /* as it was started with */
			char build[BH_WORKER_BUILD_SIZE]; /* another build is replaced */
		} hello;
		struct {
			uint64_t revision;
			char text[128]; /* RULES_BAD: why */
		} rules;
		struct {
			int64_t wall_us;
			struct bh_finding f;
		} finding;
		struct {
			uint64_t seq;  /* the last finding that is recorded */
			uint64_t lost; /* of STATS.lost, what is recorded */
		} ack;
		struct bh_worker_stats stats;
	};
};

#endif
