/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/netconf.h - the network configuration on standard input
 *
 * Read in two steps. bh_netconf_load() reads what every verb needs (version, name, run folder), so that DEL
 * works with a configuration whose other keys somebody broke since. bh_netconf_wiring() reads what ADD,
 * STATUS and CHECK need besides: ranges, requested addresses, routes, MTU. Keys that are not ours are left
 * alone; ours with a wrong type or value are errors.
 *
 * Thread-safety: a configuration belongs to one thread.
 */
#ifndef BH_CNI_NETCONF_H
#define BH_CNI_NETCONF_H

#include "cni/args.h"
#include "cni/error.h"
#include "cni/ranges.h"
#include "common/json.h"

#include <stdbool.h>
#include <stdint.h>

/* Versions of the specification, in order. bh_spec_name[] names them. */
enum bh_spec {
	BH_SPEC_0_1_0,
	BH_SPEC_0_2_0,
	BH_SPEC_0_3_0,
	BH_SPEC_0_3_1,
	BH_SPEC_0_4_0,
	BH_SPEC_1_0_0,
	BH_SPEC_1_1_0,
	BH_SPEC_COUNT,
};
extern const char *const bh_spec_name[];

struct bh_netconf {
	json_t *root; /* owned; every pointer below points into it */
	enum bh_spec spec;
	const char *network;
	const char *run_dir; /* absolute */
	json_t *prev;        /* prevResult, or NULL */
	int64_t agent_timeout_ms;
	bool labels_final; /* labelsFrom is "cni": nobody will bring more */
	bool host_judged;  /* hostToContainer is "policy": what the node opens is judged too */
	/* bh_netconf_wiring() */
	struct bh_ranges ranges;
	struct bh_prefix *routes; /* instead of the default routes */
	size_t n_routes;
	bool routes_given;
	json_t *dns;  /* for the result, or NULL */
	uint32_t mtu; /* 0: that of the host's default routes */
	bool mac_given;
	uint8_t mac[6];
};

/* Release with bh_netconf_done(), also after a failure: what was read until then is in it. */
enum bh_cni_code bh_netconf_load(const char *data, size_t size, struct bh_netconf *ret,
				 struct bh_cni_error *e);
enum bh_cni_code bh_netconf_wiring(struct bh_netconf *c, const struct bh_cni_args *a,
				   struct bh_cni_error *e);
void bh_netconf_done(struct bh_netconf *c);
/* The member @key of @obj, NULL if it is missing, null, or @obj no object. Keys are compared without case:
 * go-cni sends Go's field names. */
json_t *bh_netconf_get(const json_t *obj, const char *key);
/* args.cni.@key, or NULL. */
json_t *bh_netconf_arg(const struct bh_netconf *c, const char *key);
/* runtimeConfig.@key, or NULL. */
json_t *bh_netconf_capability(const struct bh_netconf *c, const char *key);

#endif
