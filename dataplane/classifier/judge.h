/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/classifier/judge.h - what a flow may speak, and what it does speak
 *
 * Thread-safety: a flow belongs to one thread.
 */
#ifndef BH_DATAPLANE_CLASSIFIER_JUDGE_H
#define BH_DATAPLANE_CLASSIFIER_JUDGE_H

#include "dataplane/addrtable.h"
#include "dataplane/classifier/engine.h"
#include "dataplane/classifier/flow.h"
#include "dataplane/classifier/name_ndpi.h"

/* The rule set that is in force for the engine. */
struct bh_rules {
	const struct bh_ruleset *rs; /* NULL: none */
	const struct bh_addrtable *addrs;
	uint32_t number; /* counts replacements */
};

struct bh_judgement {
	bool certain;
	uint8_t proto; /* enum bh_proto */
	uint8_t by;    /* enum bh_by */
	char ndpi_name[BH_NDPI_NAME_SIZE];
};

/* Looks up the contracts of a flow where they are not those of @r: words, and which probes may speak. */
void bh_judge_contracts(const struct bh_rules *r, struct bh_flow *f);

/* Words of both directions if the protocol is @proto. Without a contract: the words as they are. */
struct bh_decision bh_judge_settle(const struct bh_rules *r, const struct bh_flow *f,
				   unsigned proto);
/* A contract of the flow refuses @proto. */
bool bh_judge_refuses(const struct bh_rules *r, const struct bh_flow *f, unsigned proto);
/* No contract of it refuses anything: it is looked at for the record alone. */
bool bh_judge_only_looks(const struct bh_rules *r, const struct bh_flow *f);

/**
 * bh_judge_bytes() - What do these bytes say?
 * @namer:	May be NULL
 * @last:	The budget ends here: an answer there must be
 */
void bh_judge_bytes(const struct bh_rules *r, struct bh_namer *namer, struct bh_flow *f,
		    const struct bh_stream *st, bool last, struct bh_judgement *ret);

#endif
