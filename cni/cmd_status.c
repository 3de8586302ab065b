// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/cmd_status.c - STATUS: could an ADD be served now
 *
 * Runtimes ask this all the time, so it costs one question to the agent and one look for a free address.
 */
#include "cni/cmd.h"

#include "cni/agent_client.h"
#include "cni/ipam.h"

#include "common/banned.h"

enum bh_cni_code bh_cmd_status(const struct bh_cni_args *a, struct bh_netconf *c,
			       struct bh_cni_error *e)
{
	bh_autojson json_t *request = json_pack("{s:i, s:s}", "v", 1, "op", "status"),
			   *reply = NULL;
	bh_cleanup(bh_attachment_done) struct bh_attachment at = BH_ATTACHMENT_INIT;
	struct bh_err err = { 0 };
	enum bh_cni_code code = bh_netconf_wiring(c, a, e);
	const char *msg = "the agent is not ready";
	bool ok = false;
	int r;

	if (code)
		return code;
	if (!request)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	r = bh_agent_call(c->run_dir, request, -1, BH_AGENT_SHORT_MS, -1, &reply, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_UNAVAILABLE, &err, r, "agent");
	if (bh_json_bool(reply, "ok", &ok, NULL) < 0 || !ok) {
		(void)!bh_json_str(reply, "msg", &msg, NULL);
		return bh_cni_fail(e, BH_CNI_UNAVAILABLE, "%s", msg);
	}
	r = bh_attachment_init(&at, c->run_dir, c->network, "status", "status", &err);
	if (r == 0)
		r = bh_ipam_free_left(c->run_dir, &at, &c->ranges, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_UNAVAILABLE, &err, r, "addresses");
	return BH_CNI_OK;
}
