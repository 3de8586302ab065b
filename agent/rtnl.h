/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/rtnl.h - network links of this host: find, move between groups, hear when they vanish
 *
 * Thread-safety: an object belongs to one thread.
 */
#ifndef BH_AGENT_RTNL_H
#define BH_AGENT_RTNL_H

#include "common/err.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct bh_rtnl;

struct bh_host_link {
	unsigned index;
	uint32_t group;
	char name[IFNAMSIZ];
};

int bh_rtnl_open(struct bh_rtnl **ret, struct bh_err *err) bh_must_check;
struct bh_rtnl *bh_rtnl_close(struct bh_rtnl *r);
BH_DEFINE_CLEANUP(struct bh_rtnl, bh_rtnl_close);

/* -ENODEV: there is none, or it has another name than @name (NULL: any). */
int bh_rtnl_link_get(struct bh_rtnl *r, unsigned index, const char *name, struct bh_host_link *ret,
		     struct bh_err *err) bh_must_check;
int bh_rtnl_link_set_group(struct bh_rtnl *r, unsigned index, uint32_t group, struct bh_err *err)
    bh_must_check;

/* A bridge, and whether it hands its packets to iptables and nftables by a switch of its own. */
struct bh_host_bridge {
	unsigned index;
	char name[IFNAMSIZ];
	bool calls[2]; /* IPv4, IPv6 */
};
/* *@ret: *@ret_n of them, to be freed. */
int bh_rtnl_bridges(struct bh_rtnl *r, struct bh_host_bridge **ret, size_t *ret_n,
		    struct bh_err *err) bh_must_check;
/* @fn for the index of each link that is a port of @bridge; it must not ask about links. */
int bh_rtnl_ports(struct bh_rtnl *r, unsigned bridge, void (*fn)(void *arg, unsigned index),
		  void *arg, struct bh_err *err) bh_must_check;

/* Readable when links changed. */
int bh_rtnl_monitor_fd(const struct bh_rtnl *r);
/*
 * @gone is called with the index of each link that vanished. *@ret_lost: messages were lost, who must know looks
 * for himself.
 */
int bh_rtnl_monitor_read(struct bh_rtnl *r, void (*gone)(void *arg, unsigned index), void *arg,
			 bool *ret_lost) bh_must_check;

#endif
