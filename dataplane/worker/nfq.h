/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/nfq.h - a pair of NFQUEUEs on a plain netlink socket
 *
 * The first queue is closed: what it or the socket cannot hold is dropped. The second, BH_QUEUE_OPEN numbers higher, is
 * open: there such packets go on, with the mark by which the kernel finds them (dataplane/kernel/chains_fail.c). Ids
 * are those of each queue.
 *
 * The queues belong to the socket that bound them, whoever holds a descriptor of it. So the agent opens it
 * and keeps one, and a worker that dies leaves the queues and the packets in them to its successor.
 *
 *	agent	bh_nfq_open()
 *	worker	bh_nfq_new() -> { bh_nfq_read() -> bh_nfq_verdict()... -> bh_nfq_flush() }...
 *
 * Thread-safety: a struct bh_nfq belongs to one thread.
 */
#ifndef BH_DATAPLANE_WORKER_NFQ_H
#define BH_DATAPLANE_WORKER_NFQ_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct bh_nfq;

struct bh_nfq_packet {
	uint32_t id;
	uint32_t mark;
	uint8_t hook;        /* NF_INET_* */
	bool open;           /* of the second queue */
	const uint8_t *data; /* from the IP header on; valid during the call */
	uint32_t len;
	uint32_t wire_len; /* more than @len: the copy was cut */
	bool csum_unchecked;
	bool damaged; /* the message about it was: there may be no data */
};

typedef void (*bh_nfq_fn)(void *arg, const struct bh_nfq_packet *p);

/**
 * bh_nfq_open() - Bind queue @queue of this network namespace, and its open companion, to a new socket
 * @maxlen:	Packets that may wait in each
 *
 * Return: 0, -EBUSY (somebody else has that queue), -EPERM (CAP_NET_ADMIN is missing), another negative errno
 */
int bh_nfq_open(uint16_t queue, uint32_t maxlen, int *ret_fd, struct bh_err *err) bh_must_check;
/* What of the pair a socket of an older program has not bound. Nobody else may read from it meanwhile. */
int bh_nfq_complete(int fd, uint16_t queue, uint32_t maxlen, struct bh_err *err) bh_must_check;
/* Every packet of the open queue up to @id goes on, unjudged; whoever holds the socket may say so. */
void bh_nfq_let_go(int fd, uint16_t queue, uint32_t id);

/* Reads and answers by @fd, which stays the caller's. All memory is taken here. */
int bh_nfq_new(int fd, uint16_t queue, struct bh_nfq **ret) bh_must_check;
struct bh_nfq *bh_nfq_free(struct bh_nfq *q);
BH_DEFINE_CLEANUP(struct bh_nfq, bh_nfq_free);

/**
 * bh_nfq_read() - One round: what is there, at most BH_NFQ_ROUND messages; does not wait
 * @fn:		Called for each packet whose id could be read
 *
 * Return: messages read, 0 if there was nothing, or a negative errno
 */
int bh_nfq_read(struct bh_nfq *q, bh_nfq_fn fn, void *arg) bh_must_check;
#define BH_NFQ_ROUND 32U

/* What a verdict may put in place of a packet, bytes: IPv6 with some extension headers, and TCP. */
#define BH_NFQ_PACKET_MAX 256U

/*
 * Collected, and sent by bh_nfq_flush() or when there is no more room. @verdict: NF_ACCEPT, NF_DROP, NF_REPEAT.
 * @packet: takes the place of the packet (@packet_len bytes, at most BH_NFQ_PACKET_MAX); NULL: it stays as it is.
 */
void bh_nfq_verdict(struct bh_nfq *q, bool open, uint32_t id, uint32_t verdict, bool has_mark,
		    uint32_t mark, const uint8_t *packet, uint32_t packet_len);
/*
 * Every packet of one queue that is still unanswered and not newer than @id: what a dead predecessor had read. Dropped; of
 * the open queue they go on as they are.
 */
void bh_nfq_give_up_until(struct bh_nfq *q, bool open, uint32_t id);
void bh_nfq_flush(struct bh_nfq *q);

struct bh_nfq_stats {
	uint64_t verdicts; /* sent */
	uint64_t errors;   /* verdicts the kernel did not take */
	uint64_t foreign;  /* messages that were no packets of this queue */
};
void bh_nfq_stats_get(const struct bh_nfq *q, struct bh_nfq_stats *ret);

#endif
