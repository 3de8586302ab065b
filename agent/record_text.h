/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/record_text.h - the body of a violation record, as docs/violation-log.md has it
 *
 * Thread-safety: no state.
 */
#ifndef BH_AGENT_RECORD_TEXT_H
#define BH_AGENT_RECORD_TEXT_H

#include "agent/generation.h"
#include "common/buf.h"
#include "dataplane/classifier/engine.h"
#include "dataplane/kernel/nflog.h"

/* The closed set of reasons; docs/violation-log.md lists it. */
enum bh_violation {
	BH_VIOLATION_INVALID = 0,
	BH_VIOLATION_DEFAULT_DENY,
	BH_VIOLATION_L3L4_DENIED,
	BH_VIOLATION_PROTOCOL_MISMATCH,
	BH_VIOLATION_PROTOCOL_UNKNOWN,
	BH_VIOLATION_UNDECIDED,
	BH_VIOLATION_OVERLAP_CONFLICT,
	BH_VIOLATION_STREAM_START,
	BH_VIOLATION_TCP_URGENT,
	BH_VIOLATION_TRUNCATED,
	BH_VIOLATION_RESOURCE_LIMIT,
	BH_VIOLATION_OVERLOAD, /* passed: nobody had time to look */
	BH_VIOLATION_MIDSTREAM,
	BH_VIOLATION_POLICY_CHANGED,
	BH_VIOLATION_QUARANTINE,
	BH_VIOLATION_SPOOF, /* from here on, by the guard: a source address of somebody else */
	BH_VIOLATION_SPOOF_MAC,
	BH_VIOLATION_SPOOF_ARP,
	BH_VIOLATION_SPOOF_ND,
	BH_VIOLATION_ROGUE_ROUTER,
	BH_VIOLATION_ROGUE_DHCP,
	BH_VIOLATION_FOREIGN_FRAME,
	BH_VIOLATION_NO_POLICY_MATCH,
	BH_VIOLATION_NOT_JUDGED, /* a rule asks for more than the protocol, which nobody looks at yet */
	BH_VIOLATION_ALERT,      /* allowed, by a rule that wants to be told */
	BH_VIOLATION_LOG,
	BH_VIOLATION_NOT_COVERED, /* allowed; a policy that learns has no rule for it */
	BH_VIOLATION_COUNT,
};
const char *bh_violation_name(enum bh_violation v);

/* One direction that refused, or has something to say. */
struct bh_record_verdict {
	enum bh_dir dir;
	uint32_t word; /* the final one: its number is a reason of the generation's rule set */
};

struct bh_record {
	struct bh_generation *gen; /* NULL: nothing is known of the revision */
	enum bh_violation reason;
	bool learned;                                 /* of the kind "learn": no violation */
	const char *severity, *mode, *action, *would; /* @would may be NULL */
	struct bh_addr src, dst;
	uint8_t l4;
	uint16_t sport, dport; /* ICMP: dataplane/icmp.h */
	enum bh_node_end node; /* of src (client) and dst (server) */
	struct bh_record_verdict verdicts[2];
	unsigned n_verdicts;
	const struct bh_finding *l7; /* NULL: no worker saw it */
	bool contract;               /* a protocol was asked for, although no worker told of it */
	/* By the guard: who sent it is who is behind the link, whatever it says. */
	const struct bh_refused *guard; /* NULL: another's */
	const struct bh_ep *sender;     /* NULL: nobody that is known */
};

void bh_record_print(const struct bh_record *r, struct bh_buf *out);

#endif
