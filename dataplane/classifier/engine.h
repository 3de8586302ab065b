/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/classifier/engine.h - packets of undecided flows in, verdicts and findings out
 *
 * The one judgement of the worker and of `bulkhead replay`. It rebuilds both sides of a flow, finds the
 * contracts of the flow in the rule set by the classes of its addresses, asks the probes that these
 * contracts name, and answers for each packet exactly once, at once or (out-of-order segments) later.
 *
 *	PASS	undecided so far; the packet may go on. What has passed is only ever a beginning of
 *		something allowed
 *	SUB	as PASS, and the flow's sub-state (dataplane/marks.h) changes
 *	RESULT	the protocol is certain (or unknown, or the budget ended): the kernel decides by it
 *	REFUSED	the same, where the engine's own look at the rule set says that the kernel will refuse
 *	DROP	neither: a segment that contradicts what was seen (the flow's finding says so), or one held
 *		too long
 *
 * The engine never allows by itself: where it finds no contract for a packet, it answers with the
 * protocol that is spoken and leaves the rest to the kernel. Pure: no sockets, no clock, no log. All memory is
 * taken when it is made; the packet path allocates nothing.
 *
 * Thread-safety: an engine belongs to one thread.
 */
#ifndef BH_DATAPLANE_CLASSIFIER_ENGINE_H
#define BH_DATAPLANE_CLASSIFIER_ENGINE_H

#include "common/clock.h"
#include "dataplane/addrtable.h"
#include "dataplane/marks.h"
#include "policy/ruleset.h"

struct bh_engine;

enum bh_verdict {
	BH_VERDICT_INVALID = 0,
	BH_VERDICT_PASS,
	BH_VERDICT_SUB,    /* value: BH_SUB_* */
	BH_VERDICT_RESULT, /* value: enum bh_proto, UNKNOWN, UNDECIDED, UNSEEN and UNJUDGED included */
	BH_VERDICT_REFUSED, /* as RESULT, and the rule set refuses it: nobody is to see the payload */
	BH_VERDICT_DROP,
};

/* Why a flow was judged as it was; the violation log's `reason` comes from it (docs/violation-log.md). */
enum bh_cause {
	BH_CAUSE_INVALID = 0,
	BH_CAUSE_PROTOCOL,  /* the protocol was recognised, or certainly not one that is named */
	BH_CAUSE_UNDECIDED, /* budget of bytes, packets or time at its end */
	BH_CAUSE_OVERLAP_CONFLICT, /* two copies of the same bytes differ */
	BH_CAUSE_STREAM_START,     /* data before the beginning, or the beginning was not seen */
	BH_CAUSE_TCP_URGENT,
	BH_CAUSE_TRUNCATED,      /* the copy was shorter than the packet, or a header lies */
	BH_CAUSE_RESOURCE_LIMIT, /* flow table or buffers full */
	BH_CAUSE_COUNT,
};
const char *
bh_cause_name(enum bh_cause c); /* "protocol_mismatch" is said of PROTOCOL when it is refused */

enum bh_by { /* who named the protocol */
	     BH_BY_NONE = 0,
	     BH_BY_PROBE,
	     BH_BY_NDPI, /* weak: a name, never a reason to allow */
};

#define BH_EVIDENCE_MAX 32U

/* Which end is the node that the other end, a container, runs on. */
enum bh_node_end {
	BH_NODE_NONE = 0,
	BH_NODE_CLIENT,
	BH_NODE_SERVER,
};

/* A flow was settled: reported once for each flow, also when it is allowed (report says if it must be logged). */
struct bh_finding {
	struct bh_addr src,
	    dst; /* client, server: as the packet of the original direction shows them */
	uint16_t sport, dport;
	uint8_t l4;
	uint8_t cause;         /* enum bh_cause */
	uint8_t by;            /* enum bh_by */
	uint8_t refused;       /* 1: the rule set refuses it, or the cause itself does */
	uint8_t after;         /* 1: some payload had passed before the refusal */
	uint8_t evidence_from; /* 0 client, 1 server */
	uint8_t evidence_len;
	uint8_t report;           /* 1: allowed, but to be recorded */
	uint8_t node;             /* enum bh_node_end */
	uint32_t proto;           /* result */
	uint32_t egress, ingress; /* words of the contracts; 0: none in that direction */
	uint32_t egress_final, ingress_final; /* as settled by proto */
	uint32_t pkts;                        /* with payload, until it was certain */
	uint32_t bytes_c, bytes_s;            /* rebuilt bytes until it was certain */
	uint64_t revision;
	char ndpi_name[24];                /* nDPI's own name where it has one; NUL-terminated */
	uint8_t evidence[BH_EVIDENCE_MAX]; /* first bytes of the side that decided */
};

/* One packet, from its IP header on. */
struct bh_packet {
	uint32_t id;         /* the queue's; given back with the verdict */
	const uint8_t *data; /* borrowed for the call */
	uint32_t len;        /* bytes at @data */
	uint32_t wire_len;   /* bytes of the whole packet; more than @len: it was cut */
	uint8_t hook;        /* NF_INET_*: flows are told apart by tuple and hook */
	uint32_t qmark;      /* BH_QMARK_* flags */
	bool
	    csum_unchecked; /* the checksum was not verified and is not to be filled in later: verify it */
	bh_msec_t now;
};

struct bh_engine_ops {
	/* Exactly once for every packet given to bh_engine_packet(). @result: BH_SUB_* or enum bh_proto. */
	void (*verdict)(void *arg, uint32_t id, enum bh_verdict v, unsigned result);
	void (*finding)(void *arg, const struct bh_finding *f);
};

struct bh_engine_config {
	uint32_t flows;     /* flow table, entries; rounded up to a power of two */
	uint32_t contexts;  /* flows under inspection at a time: buffers for both sides */
	uint8_t mark_down;  /* for who reads and answers the queue (dataplane/marks.h) */
	bool naming;        /* nDPI names what no probe knows */
	bool always_report; /* replay: findings for every flow */
};
#define BH_ENGINE_CONFIG_DEFAULT                                    \
	{                                                           \
		.flows = 1U << 17, .contexts = 8192, .naming = true \
	}

int bh_engine_new(const struct bh_engine_config *cfg, const struct bh_engine_ops *ops, void *arg,
		  struct bh_engine **ret, struct bh_err *err) bh_must_check;
struct bh_engine *bh_engine_free(struct bh_engine *e);
BH_DEFINE_CLEANUP(struct bh_engine, bh_engine_free);

/* Both borrowed until replaced. Flows under inspection look their contracts up again at their next packet. */
void bh_engine_set_rules(struct bh_engine *e, const struct bh_ruleset *rs,
			 const struct bh_addrtable *addrs);

void bh_engine_packet(struct bh_engine *e, const struct bh_packet *p);
/* Ends what waited too long. Return: ms until it should be called again, -1: nothing waits. */
int bh_engine_tick(struct bh_engine *e, bh_msec_t now);
/* Drops everything that is held (a verdict for each), before the end. */
void bh_engine_drain(struct bh_engine *e);

struct bh_engine_stats {
	uint64_t packets, flows, decided, refused, undecided, evicted, held, held_dropped,
	    conflicts;
	uint64_t repeated; /* packets of settled flows, answered without a finding */
	/* Flows that the contracts' fail modes let pass: nobody had time to look; their beginning was not seen. */
	uint64_t unjudged, unseen;
	uint32_t flows_now, contexts_now, held_now;
};
void bh_engine_stats_get(const struct bh_engine *e, struct bh_engine_stats *ret);

#endif
