// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/cmd_check.c - CHECK: is an attachment as ADD left it
 *
 * What ADD made and the result listed must be there; what later plugins of the list added or changed is
 * theirs (the MAC is compared with prevResult, which holds the final one). A quarantined endpoint is fine:
 * CRI-O checks right after ADD, when labels may still be on their way.
 */
#include "cni/cmd.h"

#include "cni/agent_client.h"
#include "cni/ipam.h"
#include "cni/netns.h"
#include "cni/result.h"
#include "cni/wire.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/banned.h"

/* How long the agent may take: it may be reading its state after a restart. */
#define AGENT_CHECK_MS 1000

struct check {
	const struct bh_cni_args *args;
	const struct bh_netconf *conf;
	struct bh_attachment at;
	struct bh_netns self, cont;
	json_t *record;
	struct bh_addr ips[BH_RANGE_SETS_MAX];
	size_t n_ips;
};

static void check_done(struct check *s)
{
	bh_attachment_done(&s->at);
	bh_netns_done(&s->self);
	bh_netns_done(&s->cont);
	json_decref(s->record);
}

/* The entry of prevResult for our interface, NULL if it has none. */
static const json_t *listed(const struct check *s)
{
	const json_t *list = json_object_get(s->conf->prev, "interfaces");
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		const char *name = json_string_value(json_object_get(v, "name"));
		const char *sandbox = json_string_value(json_object_get(v, "sandbox"));

		if (bh_streq(name, s->args->ifname) && sandbox && sandbox[0])
			return v;
	}
	return NULL;
}

/* prevResult lists @text under @key of some entry of @list. */
static bool lists(const struct check *s, const char *list, const char *key, const char *text)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(s->conf->prev, list), i, v)
		if (bh_streq(json_string_value(json_object_get(v, key)), text))
			return true;
	return false;
}

/* Listed routes through our gateways are ours. */
static int cont_routes(const struct check *s, struct nl_sock *sk, uint32_t index,
		       struct bh_err *err)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(s->conf->prev, "routes"), i, v) {
		const char *gw = json_string_value(json_object_get(v, "gw"));
		const char *text = json_string_value(json_object_get(v, "dst"));
		struct bh_prefix dst;
		int r;

		if (!(bh_streq(gw, BH_GATEWAY_V4) || bh_streq(gw, BH_GATEWAY_V6)) || !text ||
		    bh_prefix_parse(text, &dst) < 0)
			continue;
		r = bh_rtnl_route_find(sk, index, &dst, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* In the container's namespace. */
static int cont_side(const struct check *s, const json_t *entry, struct bh_err *err)
{
	bh_cleanup(bh_rtnl_closep) struct nl_sock *sk = NULL;
	const char *want = json_string_value(json_object_get(entry, "mac"));
	char text[BH_PREFIX_STRLEN], mac[18];
	struct bh_link link = { .index = 0 };
	int r = bh_rtnl_open(&sk, err);

	if (r == 0)
		r = bh_rtnl_link_get(sk, s->args->ifname, 0, &link, err);
	if (r == 0 && !link.up)
		r = bh_err_set(err, -ENETDOWN, "interface %s is down", s->args->ifname);
	if (r == 0 && want && want[0] && strcasecmp(want, bh_mac_format(link.mac, mac)) != 0)
		r = bh_err_set(err, -ESTALE, "interface %s has the MAC %s instead of %.32s",
			       s->args->ifname, mac, want);
	for (size_t i = 0; r == 0 && i < s->n_ips; i++) {
		struct bh_prefix p = { .addr = s->ips[i],
				       .len = (uint8_t)(bh_addr_size(&s->ips[i]) * 8) };

		if (!lists(s, "ips", "address", bh_prefix_format(&p, text)))
			continue;
		r = bh_rtnl_addr_find(sk, link.index, &s->ips[i], err);
	}
	return r == 0 ? cont_routes(s, sk, link.index, err) : r;
}

static int host_side(const struct check *s, struct bh_err *err)
{
	bh_cleanup(bh_rtnl_closep) struct nl_sock *sk = NULL;
	struct bh_link link = { .index = 0 };
	int r = bh_rtnl_open(&sk, err);

	if (r == 0)
		r = bh_wire_find(sk, &s->at, &link, err);
	if (r == 0 && !link.up)
		r = bh_err_set(err, -ENETDOWN, "interface %s is down", s->at.host_name);
	for (size_t i = 0; r == 0 && i < s->n_ips; i++) {
		struct bh_prefix dst = { .addr = s->ips[i],
					 .len = (uint8_t)(bh_addr_size(&s->ips[i]) * 8) };

		r = bh_rtnl_route_find(sk, link.index, &dst, err);
		if (r == 0)
			r = bh_ipam_held(s->conf->run_dir, &s->at, &s->ips[i], err);
	}
	return r < 0 ? bh_err_wrap(err, r, "on the host") : 0;
}

static enum bh_cni_code prepare(struct check *s, struct bh_cni_error *e)
{
	struct bh_err err = { 0 };
	const char *phase;
	int r;

	if (!s->conf->prev)
		return bh_cni_fail(e, BH_CNI_CONFIG, "CHECK needs the prevResult of ADD");
	if (!json_is_object(s->conf->prev))
		return bh_cni_fail(e, BH_CNI_DECODE, "prevResult must be an object");
	if (!listed(s))
		return bh_cni_fail(
		    e, BH_CNI_CONFIG,
		    "prevResult has no interface %s of a container: it is not the result of "
		    "this ADD",
		    s->args->ifname);
	r = bh_netns_self(&s->self, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_SYSTEM, &err, r, "own network namespace");
	r = bh_netns_open(s->args->netns, &s->cont, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_ENV, &err, r, "CNI_NETNS");
	r = bh_attachment_init(&s->at, s->conf->run_dir, s->conf->network, s->args->container_id,
			       s->args->ifname, &err);
	if (r == 0)
		r = bh_record_read(&s->at, &s->record, &err);
	if (r == 0)
		r = bh_json_str(s->record, "phase", &phase, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_CHANGED, &err, r, "record of the attachment");
	if (!bh_streq(phase, "ready") || !bh_record_fresh(&s->at, s->record))
		return bh_cni_fail(e, BH_CNI_CHANGED,
				   "ADD has not come to its end for this container");
	s->n_ips = bh_record_ips(s->record, s->ips, BH_RANGE_SETS_MAX);
	return BH_CNI_OK;
}

static enum bh_cni_code ask_agent(const struct check *s, struct bh_cni_error *e)
{
	bh_autojson json_t *request = bh_agent_request("check", &s->at), *reply = NULL;
	struct bh_err err = { 0 };
	const char *msg = "the agent does not know this endpoint";
	bool ok = false;
	int r;

	if (!request)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	r = bh_agent_call(s->conf->run_dir, request, -1, AGENT_CHECK_MS, -1, &reply, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_TRY_AGAIN, &err, r, "agent");
	if (bh_json_bool(reply, "ok", &ok, NULL) == 0 && ok)
		return BH_CNI_OK;
	(void)!bh_json_str(reply, "msg", &msg, NULL);
	return bh_cni_fail(e, BH_CNI_CHANGED, "%s", msg);
}

enum bh_cni_code bh_cmd_check(const struct bh_cni_args *a, struct bh_netconf *c,
			      struct bh_cni_error *e)
{
	bh_cleanup(check_done) struct check s = {
		.args = a,
		.conf = c,
		.at = BH_ATTACHMENT_INIT,
		.self = BH_NETNS_INIT,
		.cont = BH_NETNS_INIT,
	};
	struct bh_err err = { 0 };
	enum bh_cni_code code = bh_netconf_wiring(c, a, e);
	int r;

	if (!code)
		code = prepare(&s, e);
	if (code)
		return code;
	r = host_side(&s, &err);
	if (r == 0)
		r = bh_netns_enter(&s.cont, &err);
	if (r == 0) {
		r = cont_side(&s, listed(&s), &err);
		if (bh_netns_enter(&s.self, NULL) < 0)
			abort();
		if (r < 0)
			r = bh_err_wrap(&err, r, "in the container");
	}
	if (r < 0)
		return bh_cni_fail(e, BH_CNI_CHANGED, "%s", bh_err_text(&err, r));
	return ask_agent(&s, e);
}
