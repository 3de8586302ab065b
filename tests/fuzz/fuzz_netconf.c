// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/fuzz/fuzz_netconf.c - what a container runtime hands to the CNI plugin
 *
 * Up to the first NUL the input is CNI_ARGS, behind it the network configuration. Whatever can be read must come out
 * as a result that can be printed and a record that can be sent.
 */
#include "cni/args.h"
#include "cni/netconf.h"
#include "cni/result.h"
#include "cni/workload.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct bh_cni_args *a, struct bh_netconf *c)
{
	static const struct bh_attachment at = { .ifname = "eth0", .host_name = "bhk0" };
	struct bh_addr ips[BH_RANGE_SETS_MAX];
	struct bh_wire w = { .conf = c, .at = &at, .ips = ips, .mtu = 1500 };
	struct bh_workload wl = { .name = NULL };
	struct bh_cni_error e = { .msg = "" };

	if (bh_netconf_wiring(c, a, &e) == BH_CNI_OK) {
		for (size_t i = 0; i < c->ranges.n; i++)
			ips[w.n_ips++] = c->ranges.sets[i].r[0].lo;
		w.routes = c->routes;
		w.n_routes = c->n_routes;
		if (!c->prev || json_is_object(c->prev))
			json_decref(bh_result_add(c, &w, "/run/netns/x"));
	}
	if (bh_workload_read(c, a, &wl, &e) == BH_CNI_OK) {
		bh_autofree char *text = bh_json_text(wl.labels);

		if (!text || !wl.name || !wl.ns)
			abort();
	}
	bh_workload_done(&wl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, 0, size);
	size_t split = nul ? (size_t)(nul - data) : 0, skip = nul ? split + 1 : 0;
	bh_autofree char *args = strndup((const char *)data, split);
	struct bh_cni_error e = { .msg = "" };
	struct bh_cni_args a;
	struct bh_netconf c = { .root = NULL };

	if (!args || setenv("CNI_COMMAND", "ADD", 1) < 0 ||
	    setenv("CNI_CONTAINERID", "c1", 1) < 0 || setenv("CNI_NETNS", "/run/netns/x", 1) < 0 ||
	    setenv("CNI_IFNAME", "eth0", 1) < 0 || setenv("CNI_ARGS", args, 1) < 0)
		return 0;
	if (bh_cni_args_read(&a, &e) == BH_CNI_OK &&
	    bh_netconf_load((const char *)data + skip, size - skip, &c, &e) == BH_CNI_OK)
		read_all(&a, &c);
	else if (!e.msg[0])
		abort();
	bh_netconf_done(&c);
	bh_cni_args_done(&a);
	return 0;
}
