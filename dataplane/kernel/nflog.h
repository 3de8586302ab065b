/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/nflog.h - refused packets, as the kernel reports them
 *
 * Thread-safety: one thread.
 */
#ifndef BH_DATAPLANE_KERNEL_NFLOG_H
#define BH_DATAPLANE_KERNEL_NFLOG_H

#include "common/addr.h"
#include "common/err.h"

#include <stdbool.h>
#include <string.h>

struct bh_nflog;

struct bh_refused {
	uint32_t
	    reason; /* number in the rule set that was in force; 0: no cell hit (fail closed) */
	uint32_t
	    word; /* BH_WORD_DROP, _REJECT, or 0; _ALLOW | _REPORT: it passed, and is to be recorded */
	unsigned epoch;
	uint8_t dir; /* enum bh_dir, from the log prefix */
	char
	    cause; /* 'p' policy, 'c' cut (re-evaluated), 'm' midstream, 'q' quarantine, 'u' nobody looked; by the guard: 's' source
		      address, 'h' MAC, 'a' ARP, 'n' neighbour discovery, 'r' router, 'd' DHCP server, 'f' frame */
	bool reply;   /* of 'u', and of 'm' that passed: the packet runs in the reply direction */
	uint8_t hook; /* NF_INET_* */
	uint32_t iif, oif; /* 0: none */
	uint32_t link;     /* that it came by: of a bridge, the port; 0: none */
	bool has_mac;      /* of the sender, as the frame says */
	uint8_t mac[6];
	uint16_t ethertype;      /* ETH_P_*; 0x0806: ARP, and the addresses are those in it */
	struct bh_addr src, dst; /* of the packet; family 0: it has none */
	uint8_t l4;
	uint16_t sport, dport; /* 0 where the protocol has none; ICMP: dataplane/icmp.h */
	uint32_t len;          /* bytes of the packet */
};

/* The guard's: what is said of the sender in the packet may be made up, only the link is not. */
static inline bool bh_refused_by_guard(const struct bh_refused *r)
{
	return strchr("shanrdf", r->cause) && r->cause;
}

typedef void (*bh_nflog_fn)(void *arg, const struct bh_refused *r);

int bh_nflog_open(uint16_t group, struct bh_nflog **ret, struct bh_err *err) bh_must_check;
struct bh_nflog *bh_nflog_close(struct bh_nflog *n);
int bh_nflog_fd(const struct bh_nflog *n);
/* Everything that is there. *@ret_lost: messages the kernel dropped since the last call (sequence gaps). */
int bh_nflog_read(struct bh_nflog *n, bh_nflog_fn fn, void *arg, uint64_t *ret_lost) bh_must_check;

/* One message; false if it is none of ours, or says too little. Everything in it may be hostile. */
struct nlmsghdr;
bool bh_nflog_parse(const struct nlmsghdr *h, struct bh_refused *ret);

#endif
