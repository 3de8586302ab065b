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

struct bh_nflog;

struct bh_refused {
	uint32_t
	    reason; /* number in the rule set that was in force; 0: no cell hit (fail closed) */
	uint32_t
	    word; /* BH_WORD_DROP, _REJECT, or 0; _ALLOW | _REPORT: it passed, and is to be recorded */
	unsigned epoch;
	uint8_t dir; /* enum bh_dir, from the log prefix */
	char
	    cause; /* 'p' policy, 'c' cut (re-evaluated), 'm' midstream, 'q' quarantine, 's' spoofed */
	uint8_t hook;            /* NF_INET_* */
	uint32_t iif, oif;       /* 0: none */
	struct bh_addr src, dst; /* of the packet */
	uint8_t l4;
	uint16_t sport, dport; /* 0 where the protocol has none; ICMP: dataplane/icmp.h */
	uint32_t len;          /* bytes of the packet */
};

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
