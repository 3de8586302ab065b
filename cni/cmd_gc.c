// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/cmd_gc.c - GC: take down what the runtime no longer knows
 *
 * A list of valid attachments, also an empty one, is the runtime's word: everything else of this network
 * goes. Without a list (the key missing, as cnitool calls it, or null) nothing is known of what is alive: only
 * attachments whose link is gone are removed.
 */
#include "cni/cmd.h"

#include "cni/wire.h"
#include "common/file.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/util.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "common/banned.h"

struct gc {
	const struct bh_netconf *conf;
	const json_t *valid; /* NULL: no list */
	struct nl_sock *sk;
	unsigned failed;
};

static bool is_valid(const struct gc *g, const char *id, const char *ifname)
{
	json_t *v;
	size_t i;

	json_array_foreach(g->valid, i, v)
		if (bh_streq(json_string_value(bh_netconf_get(v, "containerID")), id) &&
		    bh_streq(json_string_value(bh_netconf_get(v, "ifname")), ifname))
			return true;
	return false;
}

static int collect(struct gc *g, const char *id, const char *ifname, struct bh_err *err)
{
	bh_cleanup(bh_attachment_done) struct bh_attachment at = BH_ATTACHMENT_INIT;
	struct bh_link link;
	int r = bh_attachment_init(&at, g->conf->run_dir, g->conf->network, id, ifname, err);

	if (r == 0)
		r = bh_attachment_lock(&at, 0, err);
	if (r < 0)
		return r == -EBUSY ? 0 : r; /* somebody is at work on it: it is alive */
	if (!g->valid && bh_wire_find(g->sk, &at, &link, NULL) != -ENODEV)
		return 0;
	bh_notice("removing container %.64s, interface %s: the runtime no longer knows it", id,
		  ifname);
	return bh_tear_down(g->conf, &at, g->sk);
}

static void look_at(struct gc *g, const char *path)
{
	bh_autofree char *data = NULL;
	bh_autojson json_t *record = NULL;
	const char *network, *id, *ifname;
	struct bh_err err = { 0 };
	size_t size;
	int r;

	if (bh_file_read(path, BH_CNI_MSG_MAX, &data, &size, NULL) < 0 ||
	    bh_json_load(data, size, BH_CNI_MSG_MAX, &record, NULL) < 0 ||
	    bh_json_str(record, "network", &network, NULL) < 0 ||
	    bh_json_str(record, "id", &id, NULL) < 0 ||
	    bh_json_str(record, "ifname", &ifname, NULL) < 0)
		return; /* not a record, or gone meanwhile */
	if (!bh_streq(network, g->conf->network) || !bh_cni_name_ok(id) ||
	    !bh_cni_ifname_ok(ifname) || is_valid(g, id, ifname))
		return;
	r = collect(g, id, ifname, &err);
	if (r < 0) {
		bh_warning("container %.64s: %s", id, bh_err_text(&err, r));
		g->failed++;
	}
}

enum bh_cni_code bh_cmd_gc(const struct bh_cni_args *a, struct bh_netconf *c,
			   struct bh_cni_error *e)
{
	bh_cleanup(bh_rtnl_closep) struct nl_sock *sk = NULL;
	const json_t *list = json_object_get(c->root, "cni.dev/valid-attachments");
	struct gc g = { .conf = c };
	bh_autofree char *folder = NULL;
	const struct dirent *de;
	struct bh_err err = { 0 };
	DIR *d;
	int r;

	(void)a;
	if (!list)
		list = json_object_get(c->root, "cni.dev/attachments");
	if (list && !json_is_null(list) && !json_is_array(list))
		return bh_cni_fail(e, BH_CNI_DECODE, "cni.dev/valid-attachments must be a list");
	g.valid = json_is_array(list) ? list : NULL;
	r = bh_rtnl_open(&sk, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_SYSTEM, &err, r, "netlink");
	g.sk = sk;
	if (asprintf(&folder, "%s/attachments", c->run_dir) < 0)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	d = opendir(folder);
	if (!d)
		return errno == ENOENT ? BH_CNI_OK
				       : bh_cni_fail(e, BH_CNI_SYSTEM, "cannot read '%.200s': %s",
						     folder, strerrordesc_np(errno));
	// cppcheck-suppress readdirCalled
	while ((de = readdir(d))) {
		size_t len = strlen(de->d_name);
		bh_autofree char *path = NULL;

		if (de->d_name[0] == '.' || len < 5 || !bh_streq(de->d_name + len - 5, ".json"))
			continue;
		if (asprintf(&path, "%s/%s", folder, de->d_name) >= 0)
			look_at(&g, path);
	}
	(void)closedir(d);
	if (g.failed)
		return bh_cni_fail(e, BH_CNI_SYSTEM,
				   "%u attachments could not be removed; see stderr", g.failed);
	return BH_CNI_OK;
}
