/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/classifier/engine_internal.h - the parts of the engine among themselves
 *
 *	engine.c	its life, and which kind of packet goes where; UDP and what has no stream
 *	engine_tcp.c	TCP
 *	engine_settle.c	buffers, answers, findings: how a flow ends
 *
 * Thread-safety: as engine.h.
 */
#ifndef BH_DATAPLANE_CLASSIFIER_ENGINE_INTERNAL_H
#define BH_DATAPLANE_CLASSIFIER_ENGINE_INTERNAL_H

#include "dataplane/classifier/engine.h"
#include "dataplane/classifier/judge.h"
#include "dataplane/classifier/packet.h"
#include "dataplane/classifier/stream.h"

#define BH_BUDGET_MS        10000
#define BH_BUDGET_PACKETS   512U
#define BH_BUDGET_DATAGRAMS 8U
#define BH_HOLD_MS          200
#define BH_HELD_MAX         4096U /* packets of all flows */

/* Buffers of a flow under inspection. */
struct bh_context {
	struct bh_stream st;
	uint32_t next_free;
	uint32_t holder; /* place among the holders; BH_FLOW_NONE: holds nothing */
};

struct bh_engine {
	struct bh_engine_config cfg;
	struct bh_engine_ops ops;
	void *arg;
	struct bh_rules rules;
	struct bh_flow_table *flows;
	struct bh_context *contexts;
	uint8_t *buffers;
	uint32_t free_context;  /* chain */
	uint32_t fresh_context; /* from here on none was ever used */
	uint32_t *holders;      /* contexts that hold packets, in no order */
	uint32_t n_holders;
	struct bh_namer *namer;
	struct bh_engine_stats stats;
};

/* A packet together with what was read from it. */
struct bh_input {
	const struct bh_packet *p;
	struct bh_headers h;
	bool cut;     /* not all of its payload is there */
	unsigned dir; /* 0: from the client */
};

/* ---- engine_settle.c ---- */

void bh_engine_answer(struct bh_engine *e, uint32_t id, enum bh_verdict v, unsigned result);
/* What a settled flow answers. */
void bh_engine_answer_settled(struct bh_engine *e, uint32_t id, const struct bh_flow *f);
/* Undecided: the packet may go on. */
void bh_engine_pass(struct bh_engine *e, const struct bh_input *in, struct bh_flow *f);

/* The buffers of a flow; it gets some, from another flow if need be. NULL: there are none at all. */
struct bh_stream *bh_engine_context(struct bh_engine *e, struct bh_flow *f, bh_msec_t now);
struct bh_stream *bh_engine_stream(struct bh_engine *e, const struct bh_flow *f); /* or NULL */
/* The stream began or ceased to hold packets. */
void bh_engine_note_held(struct bh_engine *e, const struct bh_flow *f);
/* Every held packet of the flow gets this answer. */
void bh_engine_release_held(struct bh_engine *e, struct bh_flow *f, enum bh_verdict v);

/* A new flow in the table, in place of another if need be. */
struct bh_flow *bh_engine_add_flow(struct bh_engine *e, const struct bh_flow_key *key,
				   bh_msec_t now);
/* Out of the table: what it holds is dropped, what it owed is reported. */
void bh_engine_forget(struct bh_engine *e, struct bh_flow *f);

/**
 * bh_engine_settle() - The end of a judgement
 * @f:		proto, cause, by, decider are set
 * @in:		The packet that brought it, to be answered; NULL: none
 * @id:		Of the packet to be answered, if @in is not NULL
 * @name:	nDPI's name, or NULL
 */
void bh_engine_settle(struct bh_engine *e, struct bh_flow *f, const struct bh_input *in,
		      uint32_t id, bh_msec_t now, const char *name);
/* The flow is refused for what it does, whatever it speaks; unless its contracts refuse nothing at all. */
void bh_engine_refuse(struct bh_engine *e, struct bh_flow *f, const struct bh_input *in,
		      enum bh_cause cause);

/* ---- engine_tcp.c ---- */

void bh_engine_tcp(struct bh_engine *e, struct bh_input *in, const struct bh_flow_key *key);

#endif
