/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/chains_internal.h - what the files that make chains share
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_KERNEL_CHAINS_INTERNAL_H
#define BH_DATAPLANE_KERNEL_CHAINS_INTERNAL_H

#include "dataplane/kernel/chains.h"
#include "dataplane/kernel/expr.h"
#include "dataplane/kernel/projection.h"
#include "dataplane/marks.h"

/* State and epoch together: what decides whether a packet's flow is decided. */
#define MARK_SE (BH_MARK_STATE | BH_MARK_EPOCH)

/* What differs between the two families. */
struct family {
	uint8_t nfproto;
	uint8_t addr_len, saddr, daddr; /* bytes and offsets in the header */
	uint8_t reg_addr;               /* register for an address, out of the way of keys */
	enum nft_ct_keys ct_saddr, ct_daddr;
	uint8_t icmp, icmp_prohibited; /* protocol number, code */
	int csum;                      /* offset of the header's checksum, -1: none */
};

/* A table in the making. */
struct maker {
	struct bh_x x;
	const struct bh_chains *c;
	const struct family *f;
};

/* Flags of TCP (RFC 9293). */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

enum { IN, EG };
/* Two chains of one kind, for ingress and egress. */
struct pair {
	const char *name[2];
};

extern const struct pair bh_chain_fresh, bh_chain_fresh_ep, bh_chain_fresh_host, bh_chain_again,
    bh_chain_again_ep, bh_chain_again_host, bh_chain_report, bh_chain_report_ep,
    bh_chain_report_host, bh_chain_no, bh_chain_contract, bh_chain_unjudged, bh_chain_watch,
    bh_chain_watched, bh_chain_midstream;
/* chains_fail.c: of contracts with BH_KWORD_BLIND, with BH_KWORD_UNSEEN, with both; first packets, all others. */
#define BH_CHAIN_LENIENT 3
extern const struct pair bh_chain_lenient[BH_CHAIN_LENIENT], bh_chain_unjudged_by[BH_CHAIN_LENIENT];

enum { ORIGINAL, REPLY }; /* directions of a connection */

/*
 * Addresses of a flow, of the side whose policies are asked and of the other. From the header (first packets: DNAT
 * is done, SNAT is not) or from the conntrack tuples (the same values for any packet of the flow).
 */
void bh_chain_subject(struct maker *m, unsigned dir, bool header, unsigned reg);
void bh_chain_peer(struct maker *m, unsigned dir, bool header, unsigned reg);
/* The rule goes on if that side is a subject: looks it up and compares, so that nft(8) shows it. */
void bh_chain_if_subject(struct maker *m, unsigned dir, bool header);

/* The rule goes on for the first packet of a TCP connection. */
void bh_chain_if_syn(struct maker *m);
/* The rule goes on for TCP that begins nothing: how it began was not seen, or it ends. */
void bh_chain_if_midstream(struct maker *m);
/* ICMP errors pass with the flow that they speak of. */
void bh_chain_accept_related(struct maker *m, const char *chain);
/* Asks the cells of both sides by the conntrack tuples: a refusal does not come back. */
void bh_chain_ask_again(struct maker *m, const char *chain, const struct pair *again);
/*
 * @chain: a flow that is allowed was to be inspected, and is not any more. Those of its packets that a worker has are
 * back soon, with a mark. So it gets a result: of flows without one no packet is asked for such a mark.
 */
void bh_chain_inspected(struct maker *m, const char *chain);
/* What becomes of a flow that neither direction refuses; ends @chain. */
void bh_chain_not_refused(struct maker *m, const char *chain);
/* Asks again, and what becomes of a flow that none refuses; ends @chain. */
void bh_chain_decide_again(struct maker *m, const char *chain, const struct pair *again);

/*
 * Reports a packet that lives on: register @reg, 0 to 6, stands in its mark for the time of the report. Register 7 holds
 * its own meanwhile.
 */
void bh_chain_log_alive(struct maker *m, unsigned reg, const char *prefix);
/* Rules that end @chain: count, report with no reason, drop. */
void bh_chain_log_drop(struct maker *m, const char *chain, const char *counter, const char *prefix);

/* chains_guard.c: what may come from a link that leads to a local endpoint. */
void bh_chain_guard_names(struct maker *m);
void bh_chain_guard(struct maker *m); /* @m: of a table ip or ip6 */
/* The whole table of a family that only the guard has: arp, bridge. */
void bh_chain_guard_table(struct maker *m);

/* chains_hook.c: prerouting, quarantine, what comes back from the queue; packets without a connection. */
void bh_chain_if_group(struct maker *m, enum nft_meta_keys key, uint32_t group, const char *chain,
		       const char *to);
void bh_chain_hooks(struct maker *m);
/* Neighbour discovery, which conntrack does not follow; none in IPv4. */
void bh_chain_accept_nd(struct maker *m, const char *chain);
void bh_chain_untracked(struct maker *m);

/* chains_local.c: between a container and its node. */
void bh_chain_local_names(struct maker *m);
void bh_chain_local(struct maker *m);
/* The packet comes from the own node or is for it: on to @to. */
void bh_chain_if_local(struct maker *m, const char *chain, const char *to);

/*
 * chains_guard.c: on to @to if the destination is an address of the endpoint from whose link the packet comes. Known for
 * routed links.
 */
void bh_chain_if_own(struct maker *m, const char *chain, const char *to);

/* chains_refuse.c */
void bh_chain_refuse_names(struct maker *m);
void bh_chain_refusals(struct maker *m);
/* First and last rules of a chain that refuses: the mark of the packet is the word in between, and 0 at first. */
void bh_chain_refuse_begin(struct maker *m, const char *chain);
void bh_chain_refuse_end(struct maker *m, const char *chain, unsigned dir);

/* chains_level.c: rules of the chains that look cells up. */
void bh_chain_levels(struct maker *m);
/* Those that record what passes; they hold the epoch. */
void bh_chain_reports(struct maker *m);
/* Makes the chains that each of @levels has for itself. */
void bh_chain_level_names(struct maker *m, const uint64_t levels[2], bool flush);

/* chains_fail.c */
void bh_chain_fail_names(struct maker *m);
void bh_chain_fail(struct maker *m);
void bh_chain_late(struct maker *m);
/* First rules of a chain for first packets: on to `midstream_*` where TCP does not begin. */
void bh_chain_no_start(struct maker *m, const char *chain, unsigned dir);
/* Last rules of a chain for flows that were never judged: refused. */
void bh_chain_no_judgement(struct maker *m, const char *chain, unsigned dir);
/* Those that hold the epoch. */
extern const char *const bh_chain_fail_epoch[];
#define BH_CHAIN_FAIL_EPOCH 4
void bh_chain_fail_with_epoch(struct maker *m);
/*
 * @chain: a connection that is older than the tables goes on if connections are kept. @errors: ICMP errors about it come by
 * here, too, and must not be decided for it.
 */
void bh_chain_keep(struct maker *m, const char *chain, bool errors);
/* The rule goes on if @key stands in the map `state` with 1. */
void bh_chain_if_state(struct maker *m, uint32_t key);

/* chains_l7.c */
void bh_chain_l7_names(struct maker *m);
void bh_chain_l7(struct maker *m);
/* @chain: on to @to with what a worker can judge by: payload, and what neither TCP nor UDP carries. */
void bh_chain_speaks(struct maker *m, const char *chain, const char *to);

/* Counters, shared by the rules. */
#define COUNT_REFUSED     "refused"
#define COUNT_KILLED      "killed"
#define COUNT_QUEUED      "queued"
#define COUNT_UNWATCHED   "unwatched"
#define COUNT_UNJUDGED    "unjudged"
#define COUNT_MIDSTREAM   "midstream"
#define COUNT_QUARANTINED "quarantined"
#define COUNT_SPOOFED     "spoofed"
#define COUNT_MAC         "spoofed_mac"
#define COUNT_ARP         "spoofed_arp"
#define COUNT_ND          "spoofed_nd"
#define COUNT_ROUTER      "rogue_router"
#define COUNT_DHCP        "rogue_dhcp"
#define COUNT_FRAME       "foreign_frame"

#endif
