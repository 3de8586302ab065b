/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/kernel.h - the rule set in nftables
 *
 * Tables of one name, families ip and ip6, and for the guard arp and bridge, with static chains; what changes are
 * elements of data maps and sets. Everything goes by libnftnl over libmnl, one sendmsg(2) a transaction. chains.c explains the
 * chains, projection.c what a rule set becomes, transaction.c how it gets there.
 *
 *	open -> take_over -> { apply -> bump } ... -> close
 *
 * Where nothing can be taken over, the first apply makes the tables, together with what it brings: for as long as that takes
 * nothing is enforced. make() makes them without it, start() is take_over() and make().
 *
 * close leaves the rules in force: an agent that stops or dies does not open the host.
 *
 * Thread-safety: one thread. All calls block for the time of a netlink transaction (microseconds to some
 * hundred milliseconds for a first load of 100,000 elements).
 */
#ifndef BH_DATAPLANE_KERNEL_KERNEL_H
#define BH_DATAPLANE_KERNEL_KERNEL_H

#include "dataplane/kernel/comment.h"
#include "dataplane/kernel/nflog.h"
#include "policy/compile.h"
#include "policy/ruleset.h"

struct bh_kernel;

/* What stands beside elements in `nft list` (docs/decisions/0010-comments.md). */
enum bh_comments {
	BH_COMMENTS_FULL = 0,
	BH_COMMENTS_NAMES, /* of endpoints */
	BH_COMMENTS_OFF,
};

struct bh_kernel_config {
	const char *table;    /* name of the tables; "bulkhead" */
	uint16_t queue_base;  /* first NFQUEUE number; the open ones begin BH_QUEUE_OPEN above */
	uint16_t n_queues;    /* 1 to BH_WORKERS_MAX; fixed while the table lives */
	uint16_t nflog_group; /* refused packets go there */
	uint32_t group_quarantine; /* link group of veths that wait for their policy: dropped */
	uint32_t group_managed;    /* link group of veths that were released */
	uint8_t mark_down;         /* of our bits in marks (dataplane/marks.h) */
	enum bh_comments comments;
	bool keep;          /* what was allowed once stays so whatever the rules become */
	uint16_t grace_sec; /* new tables: for so long flows without a beginning pass */
};

/* What this kernel can do, found by trying in a scratch table. */
struct bh_kernel_caps {
	bool native_queue; /* nft "queue" expression; else the xt target NFQUEUE */
	bool
	    inner_payload; /* payload base "inner header" (@ih): payload-less packets need not be queued */
	bool owner_persist; /* tables with an owner that survive it */
	bool dup;           /* nft "dup": both ends of a cut connection see a reset */
	bool exthdr_reset;  /* "reset tcp option" */
	bool arp;           /* tables of the family arp: the guard sees ARP of routed links */
	bool bridge;        /* tables of the family bridge: the guard sees ports of bridges */
};

/* @cfg is copied. What the kernel can do is found out meanwhile; bh_kernel_take_over() waits for it. */
int bh_kernel_open(const struct bh_kernel_config *cfg, struct bh_kernel **ret, struct bh_err *err)
    bh_must_check;
struct bh_kernel *bh_kernel_close(struct bh_kernel *k);
BH_DEFINE_CLEANUP(struct bh_kernel, bh_kernel_close);
/* Known when it has been taken over. */
const struct bh_kernel_caps *bh_kernel_caps_get(const struct bh_kernel *k);

/**
 * bh_kernel_take_over() - Take over tables that are there
 *
 * Tables of our name and format are read back and kept: flows, marks and elements stay as they are. Such with
 * other chains than ours are made anew in one transaction. Of tables in a format that nobody can read the first apply, or
 * bh_kernel_make(), makes new ones.
 *
 * *@ret_adopted: true if tables were taken over.
 * Return: 0, -EPERM (no CAP_NET_ADMIN, or a table of that name is owned by somebody else), -ENOTSUP with what the kernel
 * lacks, a negative errno of the kernel
 */
int bh_kernel_take_over(struct bh_kernel *k, bool *ret_adopted, struct bh_err *err) bh_must_check;
/*
 * If there are none yet: new tables, which hold only the quarantine and let everything else pass until the first apply.
 */
int bh_kernel_make(struct bh_kernel *k, struct bh_err *err) bh_must_check;

/**
 * bh_kernel_start() - Take over tables that are there, or make them
 *
 * Called again, it repairs: if the tables do not stand as they were left (bh_kernel_verify()), they are made
 * as they were, in one transaction. A bump should follow, because what others put there may have decided, and, with
 * cfg.keep, bh_kernel_doubt() before it.
 */
int bh_kernel_start(struct bh_kernel *k, bool *ret_adopted, struct bh_err *err) bh_must_check;

struct bh_kernel_change {
	bool changed;          /* a transaction was made */
	bool needs_bump;       /* existing flows could now be decided otherwise */
	size_t added, removed; /* elements */
	uint32_t rules;        /* rules rebuilt because levels appeared or vanished */
};

/* A link that leads to a local endpoint: what the guard lets come from it. */
struct bh_guard {
	uint32_t ifindex;            /* the host's end */
	bool has_mac;                /* else only the addresses are bound */
	bool routed;                 /* no port of a bridge */
	uint8_t mac[6];              /* of the endpoint's end */
	const struct bh_addr *addrs; /* borrowed */
	size_t n_addrs;
};

/**
 * bh_kernel_apply() - Bring the kernel to a rule set
 * @addrs:	Sorted by address, as made by the compiler
 * @guard:	Best sorted by interface. Of a link in the managed group that is not in it, IP packets pass if their
 *		source routes back to it, and nothing passes a bridge
 *
 * A reference to @rs is kept: with the same rule set again (as the compiler gives it where only endpoints changed)
 * nothing but the addresses is looked at.
 *
 * The difference to what the kernel holds, in one transaction: all of it or nothing. An error names the
 * object that the kernel refused, with the kernel's own words where it gives them. Keeps a reference of @rs.
 */
int bh_kernel_apply(struct bh_kernel *k, struct bh_ruleset *rs, const struct bh_addr_class *addrs,
		    size_t n_addrs, const struct bh_guard *guard, size_t n_guard,
		    struct bh_kernel_change *ret, struct bh_err *err) bh_must_check;

/* Who tells names of addresses, for comments: of what is being applied, later of what was applied last. */
void bh_kernel_names(struct bh_kernel *k, bh_who_fn who, void *arg);
/* Somebody else has the address now, and that may be all that changed: the next apply writes its comment anew. */
void bh_kernel_renamed(struct bh_kernel *k, const struct bh_addr *a);

/* Second transaction of a change: a new epoch, so that every flow is decided again at its next packet. */
int bh_kernel_bump(struct bh_kernel *k, struct bh_err *err) bh_must_check;
/*
 * Epochs come again, and every 16th bump first has to look through all connections for marks that are as old as that. A
 * call now and then does it before a change has to wait for it.
 */
int bh_kernel_tidy(struct bh_kernel *k, struct bh_err *err) bh_must_check;
unsigned bh_kernel_epoch(const struct bh_kernel *k);

/* Forget conntrack entries of an address (an endpoint's that comes with an address used before). */
int bh_kernel_flush_conntrack(struct bh_kernel *k, const struct bh_addr *a, struct bh_err *err)
    bh_must_check;

/*
 * With cfg.keep: what was allowed so far is decided again all the same. For when others may have let it pass.
 */
int bh_kernel_doubt(struct bh_kernel *k, struct bh_err *err) bh_must_check;

/* Do the tables still stand as we made them? 0; -ESTALE: somebody changed or removed them (said in @err). */
int bh_kernel_verify(struct bh_kernel *k, struct bh_err *err) bh_must_check;

/* Readable at any time for poll(2): nftables changes in this namespace, by anybody. */
int bh_kernel_monitor_fd(const struct bh_kernel *k);
/* Drains the monitor. *@ret_ours_touched: a foreign process changed or removed an object of ours. */
int bh_kernel_monitor_read(struct bh_kernel *k, bool *ret_ours_touched) bh_must_check;

struct bh_kernel_counters { /* packets since the tables were made, all of them together */
	uint64_t refused;   /* by L3/L4 policy */
	uint64_t killed;    /* of connections that were cut */
	uint64_t queued;
	uint64_t unwatched; /* passed, where a contract is there for the record alone */
	uint64_t unjudged;  /* connections that passed because nobody could look */
	uint64_t midstream; /* connections that passed although their beginning was not seen */
	uint64_t quarantined;
	/* By the guard. */
	uint64_t spoofed;       /* source address of somebody else */
	uint64_t spoofed_mac;   /* source MAC */
	uint64_t spoofed_arp;   /* ARP in the name of somebody else */
	uint64_t spoofed_nd;    /* neighbour discovery */
	uint64_t rogue_router;  /* router advertisements, redirects */
	uint64_t rogue_dhcp;    /* answers of a DHCP server */
	uint64_t foreign_frame; /* neither IPv4, IPv6 nor ARP, or in a VLAN */
};
int bh_kernel_counters(struct bh_kernel *k, struct bh_kernel_counters *ret, struct bh_err *err)
    bh_must_check;

/**
 * bh_kernel_take_told() - Packets that were refused like one that was reported, since the last call
 * @fn:		@r: as NFLOG would have told it, but for hook (NF_INET_NUMHOOKS: not known), ports of the source, length
 *		and devices; @n: how many
 *
 * The next packet of each kind is reported again. -ENOBUFS: there were too many to be told of.
 */
typedef void (*bh_kernel_told_fn)(void *arg, const struct bh_refused *r, uint64_t n);
int bh_kernel_take_told(struct bh_kernel *k, bh_kernel_told_fn fn, void *arg, struct bh_err *err)
    bh_must_check;

/* Removes our tables: nothing is enforced any more. For uninstalling. */
int bh_kernel_teardown(struct bh_kernel *k, struct bh_err *err) bh_must_check;

#endif
