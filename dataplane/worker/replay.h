/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/replay.h - the judgement of the data plane over a capture, offline
 *
 * A capture (pcap, pcapng; Ethernet, raw IP, Linux cooked, loopback) goes through the engine of the workers,
 * and this file plays the kernel: it puts fragments together, follows connections as conntrack does, decides
 * each new flow by the compiled rule set, and sends to the engine what the queue rules would. Verdicts
 * are written down, not carried out; after a refusal the rest of the flow is passed over.
 *
 *	compile -> bh_replay_new() -> bh_replay_file()... -> bh_replay_finish() -> bh_replay_flow(i)
 *
 * What differs from the kernel, and why: a segment that the engine holds is only answered when the capture
 * goes on; ICMP errors of a flow are passed over; a capture that begins in the middle of a flow shows the kernel's
 * answer to that (under a contract: refused, its beginning was not seen).
 *
 * Thread-safety: a replay belongs to one thread.
 */
#ifndef BH_DATAPLANE_WORKER_REPLAY_H
#define BH_DATAPLANE_WORKER_REPLAY_H

#include "dataplane/classifier/engine.h"
#include "policy/compile.h"

struct bh_replay;

struct bh_replay_config {
	const struct bh_compiled *compiled; /* borrowed for the life of the replay */
	bool all_local;                     /* ask the policies of both ends, wherever they run */
	bool name_allowed; /* also say what is spoken in flows that need no judgement */
	struct bh_engine_config engine; /* always_report is set */
	uint32_t flows_max;             /* flows written down; 0: a million */
};

enum bh_replay_verdict {
	BH_REPLAY_INVALID = 0,
	BH_REPLAY_ALLOWED,
	BH_REPLAY_REFUSED,
	BH_REPLAY_OPEN, /* under a contract, and the capture ends before anything was certain: nothing but a beginning
			   passed */
};

enum bh_replay_why {
	BH_REPLAY_WHY_NONE = 0,
	BH_REPLAY_WHY_ADDRESS,   /* by addresses and ports alone */
	BH_REPLAY_WHY_PROTOCOL,  /* by what was spoken (or could not be made out): see cause */
	BH_REPLAY_WHY_MIDSTREAM, /* its beginning is not in the capture */
};

struct bh_replay_flow {
	struct bh_addr client, server;
	uint16_t cport, sport; /* ICMP: 0 */
	uint16_t icmp;         /* type << 8 | code of the question; 0: no ICMP */
	uint8_t l4;
	uint32_t client_endpoint,
	    server_endpoint;      /* indices as given to the compiler; UINT32_MAX: none's address */
	struct bh_decision first; /* by addresses and ports */
	struct bh_decision final; /* settled; as first where there is no contract */
	uint8_t verdict;          /* enum bh_replay_verdict */
	uint8_t why;              /* enum bh_replay_why */
	uint8_t cause;            /* enum bh_cause; INVALID where the engine had nothing to say */
	uint8_t by;               /* enum bh_by */
	bool midstream;
	bool report;    /* allowed, but to be recorded */
	uint32_t proto; /* enum bh_proto; INVALID: not seen */
	char ndpi_name[24];
	uint32_t pkts;             /* with payload, until it was certain */
	uint32_t bytes_c, bytes_s; /* rebuilt until then */
	int64_t wall_us;           /* of the first packet */
	uint64_t packets, bytes;   /* of the flow in the capture */
	uint64_t queued;           /* packets that went to the engine */
	uint64_t invalid; /* packets that conntrack would not have let through: checksum, window */
	uint8_t evidence_from, evidence_len;
	uint8_t evidence[BH_EVIDENCE_MAX];
};

struct bh_replay_stats {
	uint64_t packets;      /* in the captures */
	uint64_t not_ip;       /* ARP and others, link layers that are not known */
	uint64_t damaged;      /* IP packets that are no packets */
	uint64_t cut;          /* shorter in the capture than on the wire */
	uint64_t fragments;    /* packets that were parts */
	uint64_t rebuilt;      /* packets made of them */
	uint64_t frag_dropped; /* parts given up: overlap, too many, never complete */
	uint64_t bad_checksum; /* dropped for it */
	uint64_t invalid;      /* dropped by connection tracking */
	uint64_t no_flow;      /* packets of flows beyond flows_max */
};

int bh_replay_new(const struct bh_replay_config *cfg, struct bh_replay **ret, struct bh_err *err)
    bh_must_check;
struct bh_replay *bh_replay_free(struct bh_replay *r);
BH_DEFINE_CLEANUP(struct bh_replay, bh_replay_free);

/* One capture after the other, as one stretch of time. -EINVAL: libpcap cannot read it (said in @err). */
int bh_replay_file(struct bh_replay *r, const char *path, struct bh_err *err) bh_must_check;
/* After the last: settles what is settled by waiting, names what is open. */
void bh_replay_finish(struct bh_replay *r);

/* In the order of their first packets; NULL past the end. */
const struct bh_replay_flow *bh_replay_flow(const struct bh_replay *r, size_t i);
void bh_replay_stats_get(const struct bh_replay *r, struct bh_replay_stats *ret);

/*
 * The decision word that explains a flow's verdict: the refusing one (egress first), else one with a reason. *@ret_dir:
 * whose it is, BH_DIR_INVALID where no policy selects either end; may be NULL.
 */
uint32_t bh_replay_word(const struct bh_replay_flow *f, enum bh_dir *ret_dir);
const char *bh_replay_verdict_name(enum bh_replay_verdict v); /* "allowed" */

#endif
