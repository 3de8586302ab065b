/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/classifier/flow.h - the flows of one engine: a table of fixed size
 *
 * Found by tuple and hook through a keyed hash (open addressing, linear probing, no tombstones). Every flow
 * also stands in one of four lists, oldest first, according to where it is in its life:
 *
 *	IDLE	its beginning was seen, no payload yet (a pooled connection may stay here for days)
 *	OPEN	undecided, with payload
 *	CONFIRM	judged; waits until the judged bytes are acknowledged
 *	DONE	settled; stays a while, so that packets queued before the verdict get the same answer
 *
 * so that what is to be given up when the table is full is found at once.
 *
 * Thread-safety: a table belongs to one thread.
 */
#ifndef BH_DATAPLANE_CLASSIFIER_FLOW_H
#define BH_DATAPLANE_CLASSIFIER_FLOW_H

#include "common/clock.h"
#include "common/err.h"
#include "common/hash.h"
#include "dataplane/classifier/engine.h"

#include <stdbool.h>
#include <stdint.h>

#define BH_FLOW_NONE UINT32_MAX

/* A settled flow stays for so long. */
#define BH_FLOW_LINGER_MS 10000
/* By then every packet queued before its verdict was answered: it may go if its place is needed. */
#define BH_FLOW_LINGER_MIN_MS 1000
/* A connection that says nothing for so long in the middle of being judged is dead. */
#define BH_FLOW_DEAD_MS 600000

/* As the original direction shows it. Hashed as memory: no padding, unused bytes zero. */
struct bh_flow_key {
	uint8_t client[16], server[16];
	uint16_t cport, sport; /* ICMP: dataplane/icmp.h */
	uint8_t family;
	uint8_t l4;
	uint8_t where; /* the hook; input and output of this host count as one */
	uint8_t zero;
};
_Static_assert(sizeof(struct bh_flow_key) == 40, "a flow key has padding");

enum bh_node_end bh_flow_node_end(const struct bh_flow_key *key);

enum bh_flow_state {
	BH_FLOW_FREE = 0,
	BH_FLOW_IDLE,
	BH_FLOW_OPEN,
	BH_FLOW_CONFIRM,
	BH_FLOW_DONE,
	BH_FLOW_STATE_COUNT,
};

/* One side of a TCP connection: sequence numbers of what it sends. */
struct bh_side {
	uint32_t base;   /* of its first byte */
	uint32_t next;   /* behind what was rebuilt without a gap */
	uint32_t judged; /* behind what the judgement was made of (CONFIRM) */
	uint32_t acked;  /* the other side has so much; only with BH_FLOW_ACKED_C << side */
};

#define BH_FLOW_ACKED_C 0x01U
#define BH_FLOW_ACKED_S 0x02U
#define BH_FLOW_PASSED  0x04U /* some payload went through while it was undecided */
#define BH_FLOW_DROP \
	0x08U /* refused, and the kernel cannot be told by a result: drop all that comes */
#define BH_FLOW_REFUSED  0x10U
#define BH_FLOW_ASKED    0x20U /* contracts were looked up */
#define BH_FLOW_CONTRACT 0x40U /* and there is one */

struct bh_flow {
	struct bh_flow_key key;
	uint32_t hash;
	uint32_t newer, older; /* in its list; BH_FLOW_NONE */
	uint32_t context;      /* buffers; BH_FLOW_NONE */
	struct bh_side side[2];
	bh_msec_t since; /* of the state; of the last datagram of a settled UDP flow */
	bh_msec_t begun; /* first payload; DONE: when it was settled */
	uint32_t rules;  /* which rule set its contracts are of */
	uint32_t egress, ingress;
	uint16_t asked; /* probes that the contracts name, by index */
	uint16_t alive; /* those that have not said NO */
	uint16_t pkts;  /* with payload */
	uint8_t state;  /* enum bh_flow_state */
	uint8_t flags;
	uint8_t proto;
	uint8_t cause;
	uint8_t by;
	uint8_t decider; /* the side that decided: 0 client, 1 server */
};

_Static_assert(sizeof(struct bh_flow) == 128, "a flow is two cache lines");

struct bh_flow_table;

/* @capacity: rounded up to a power of two. */
int bh_flow_table_new(uint32_t capacity, const struct bh_hash_key *key, struct bh_flow_table **ret)
    bh_must_check;
struct bh_flow_table *bh_flow_table_free(struct bh_flow_table *t);
BH_DEFINE_CLEANUP(struct bh_flow_table, bh_flow_table_free);

struct bh_flow *bh_flow_find(struct bh_flow_table *t, const struct bh_flow_key *key);
/* The key must not be there yet. Return: the flow, IDLE, else zero; NULL: the table is full */
struct bh_flow *bh_flow_add(struct bh_flow_table *t, const struct bh_flow_key *key, bh_msec_t now);
void bh_flow_remove(struct bh_flow_table *t, struct bh_flow *f);
/* To the young end of the list of @state. */
void bh_flow_move(struct bh_flow_table *t, struct bh_flow *f, enum bh_flow_state state,
		  bh_msec_t now);
struct bh_flow *bh_flow_oldest(struct bh_flow_table *t, enum bh_flow_state state);
/* The next younger in its list; NULL. */
struct bh_flow *bh_flow_newer(struct bh_flow_table *t, const struct bh_flow *f);
/*
 * What to give up for a new flow: settled ones that nobody needs any more; those that wait without payload,
 * longest first; other settled ones; the oldest undecided; the oldest in CONFIRM. NULL: the table is empty.
 */
struct bh_flow *bh_flow_victim(struct bh_flow_table *t, bh_msec_t now);

uint32_t bh_flow_count(const struct bh_flow_table *t);
uint32_t bh_flow_index(const struct bh_flow_table *t, const struct bh_flow *f);
struct bh_flow *bh_flow_at(struct bh_flow_table *t, uint32_t index);

#endif
