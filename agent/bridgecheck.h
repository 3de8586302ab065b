/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/bridgecheck.h - do bridges hand the packets of our endpoints to nftables?
 *
 * Two ports of one Linux bridge talk past the tables of IP unless br_netfilter is there and switched on, for each
 * network namespace (net.bridge.bridge-nf-call-iptables, -ip6tables) or for that bridge. Where it is not, and the
 * host's end of an endpoint is a port, policies between its neighbours are not enforced: an error in `status`.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_BRIDGECHECK_H
#define BH_AGENT_BRIDGECHECK_H

#include "agent/endpoints.h"
#include "agent/rtnl.h"
#include "common/json.h"

#define BH_BRIDGE_SYSCTL "/proc/sys/net/bridge"

struct bh_bridgecheck;

/* @rtnl, @eps: borrowed. @sysctl: the folder of the switches. */
int bh_bridgecheck_new(struct bh_rtnl *rtnl, const struct bh_endpoints *eps, const char *sysctl,
		       struct bh_bridgecheck **ret) bh_must_check;
struct bh_bridgecheck *bh_bridgecheck_free(struct bh_bridgecheck *c);

/* Links or endpoints changed: the next tick looks. NULL does nothing. */
void bh_bridgecheck_due(struct bh_bridgecheck *c);
/* Each second: looks when due, else each five seconds. What is new goes to the log. */
void bh_bridgecheck_tick(struct bh_bridgecheck *c, bh_msec_t now);
/* The list as docs/api.md has it, as it is now; a text for each in @errors. */
json_t *bh_bridgecheck_json(struct bh_bridgecheck *c, json_t *errors);

/* ---- for tests ---- */

enum bh_bridge_switch {
	BH_BRIDGE_MISSING = 0, /* br_netfilter is not there */
	BH_BRIDGE_OFF,         /* also what cannot be read */
	BH_BRIDGE_ON,
};
/* @family: 4, 6 */
enum bh_bridge_switch bh_bridge_switch_read(const char *sysctl, unsigned family);

#endif
