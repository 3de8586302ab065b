// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/cmd_del.c - DEL: take an attachment down, as often as asked
 *
 * A DEL that fails makes a container unremovable, so nothing of ours makes it fail: what could not be done
 * is said on stderr, stays on disk, and is tried again by the next call and by the agent. The container's
 * namespace is never entered: it may be gone, or its path may lead to somebody else's by now; the host's end
 * is enough, the other one goes with it. prevResult is not looked at.
 */
#include "cni/cmd.h"

#include "cni/agent_client.h"
#include "cni/ipam.h"
#include "cni/wire.h"
#include "common/log.h"

#include "common/banned.h"

json_t *bh_agent_request(const char *op, const struct bh_attachment *at)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:s}", "v", 1, "op", op, "network", at->network,
			 "id", at->id, "ifname", at->ifname);
}

static void tell_agent(const struct bh_netconf *c, const struct bh_attachment *at)
{
	bh_autojson json_t *request = bh_agent_request("del", at), *reply = NULL;
	struct bh_err err = { 0 };
	int r;

	if (!request)
		return;
	r = bh_agent_call(c->run_dir, request, -1, BH_AGENT_SHORT_MS, -1, &reply, &err);
	if (r < 0)
		bh_info("the agent was not told of the removal: %s", bh_err_text(&err, r));
}

int bh_tear_down(const struct bh_netconf *c, const struct bh_attachment *at, struct nl_sock *sk)
{
	struct bh_addr ips[BH_RANGE_SETS_MAX];
	bh_autojson json_t *record = NULL;
	struct bh_err err = { 0 };
	int known = bh_record_read(at, &record, NULL);
	size_t n = known == 0 ? bh_record_ips(record, ips, BH_RANGE_SETS_MAX) : 0;
	int r = bh_wire_delete(sk, at, &err);

	if (r < 0 && r != -EPERM) {
		bh_warning("%s; the container's addresses stay taken", bh_err_text(&err, r));
		return r;
	}
	if (r == -EPERM)
		bh_warning("%s; left alone", bh_err_text(&err, r));
	if (known == -ENOENT || known == -EPERM)
		return 0; /* never added, or removed before: addresses go before the record */
	tell_agent(c, at);
	r = bh_ipam_release(c->run_dir, at, n > 0 ? ips : NULL, n, &err);
	if (r == 0)
		r = bh_record_remove(at, &err);
	if (r < 0)
		bh_warning("%s", bh_err_text(&err, r));
	return r;
}

enum bh_cni_code bh_cmd_del(const struct bh_cni_args *a, struct bh_netconf *c,
			    struct bh_cni_error *e)
{
	bh_cleanup(bh_attachment_done) struct bh_attachment at = BH_ATTACHMENT_INIT;
	bh_cleanup(bh_rtnl_closep) struct nl_sock *sk = NULL;
	struct bh_err err = { 0 };
	int r;

	(void)e;
	r = bh_attachment_init(&at, c->run_dir, c->network, a->container_id, a->ifname, &err);
	if (r == 0)
		r = bh_attachment_lock(&at, BH_LOCK_WAIT_MS, &err);
	if (r == 0)
		r = bh_rtnl_open(&sk, &err);
	if (r == 0)
		(void)bh_tear_down(c, &at, sk);
	else
		bh_warning("%s; nothing was removed", bh_err_text(&err, r));
	return BH_CNI_OK;
}
