// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/api_status.c - GET /v1/status, /v1/settings, /v1/endpoints, /v1/ruleset, /v1/live
 */
#include <fcntl.h>
#include <string.h>

#include "agent/agent_proxy.h"
#include "agent/api_internal.h"
#include "agent/bridgecheck.h"
#include "agent/wallclock.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/util.h"
#include "config.h"
#include "dataplane/kernel/live.h"
#include "policy/when.h"

#include "common/banned.h"

static void append(json_t *array, json_t *v)
{
	(void)json_array_append_new(array, v);
}

/* ---- warnings ---- */

/* By one read(2): a number in /proc/sys is given whole at the first, and nothing at the second. */
static bool read_number(const char *path, uint64_t *ret)
{
	bh_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return bh_parse_u64(text, UINT32_MAX, ret) == 0;
}

/* What cannot be read is not said to be wrong. */
static bool sysctl_is_zero(const char *path)
{
	uint64_t v;

	return read_number(path, &v) && v == 0;
}

static void warn_forwarding(const struct bh_agent *a, json_t *list)
{
	bool v4 = false, v6 = false;

	for (struct bh_ep *ep = bh_endpoints_first(a->eps); ep; ep = bh_endpoints_next(ep)) {
		for (size_t i = 0; i < ep->e->n_addrs; i++) {
			v4 = v4 || ep->e->addrs[i].family == 4;
			v6 = v6 || ep->e->addrs[i].family == 6;
		}
	}
	if (v4 && sysctl_is_zero("/proc/sys/net/ipv4/ip_forward"))
		append(list,
		       json_string("net.ipv4.ip_forward is 0: containers reach nobody by IPv4"));
	if (v6 && sysctl_is_zero("/proc/sys/net/ipv6/conf/all/forwarding"))
		append(list,
		       json_string("net.ipv6.conf.all.forwarding is 0: containers reach nobody "
				   "by IPv6"));
}

/* A full table drops new connections, whatever the policies say: better to hear of it before. */
static void warn_conntrack(json_t *list)
{
	uint64_t count, max;

	if (read_number("/proc/sys/net/netfilter/nf_conntrack_count", &count) &&
	    read_number("/proc/sys/net/netfilter/nf_conntrack_max", &max) &&
	    count >= max - max / 10 && max > 0)
		append(list,
		       json_sprintf("conntrack holds %llu connections of at most %llu "
				    "(net.netfilter.nf_conntrack_max): beyond that new ones fail",
				    (unsigned long long)count, (unsigned long long)max));
}

static void warn_workers(const struct bh_agent *a, json_t *list)
{
	for (unsigned i = 0; i < bh_pool_count(a->pool); i++) {
		struct bh_pool_worker w;

		bh_pool_get(a->pool, i, &w);
		if (!w.connected)
			append(list,
			       json_sprintf("worker %u is not there: connections that depend on "
					    "what is spoken wait for its successor",
					    i));
	}
}

/* ---- what policies are about to do, or cannot ---- */

#define DAY_SEC 86400

static bool opens_at_its_end(const struct bh_policy *p)
{
	return p->expires && p->mode == BH_MODE_ENFORCE &&
	       (p->isolates[BH_DIR_INGRESS] || p->isolates[BH_DIR_EGRESS]);
}

static void warn_end(json_t *list, const struct bh_policy *p, int64_t now)
{
	bh_cleanup(bh_buf_done) struct bh_buf name = BH_BUF_INIT;
	char at[32];

	if (!opens_at_its_end(p) || p->expires > now + DAY_SEC)
		return;
	bh_policy_put_name(&name, p);
	append(list,
	       json_sprintf(p->expires > now
				? "%s ends at %s: what it refuses will pass then, unless another "
				  "policy isolates"
				: "%s ended at %s and isolates nobody any more",
			    bh_buf_str(&name), bh_time_format(p->expires, at)));
}

static bool names_resolvers(const struct bh_policy *p)
{
	for (enum bh_dir d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++)
		for (size_t i = 0; i < p->n_rules[d]; i++)
			for (size_t k = 0; k < p->rules[d][i].n_peers; k++)
				if (p->rules[d][i].peers[k].kind == BH_PEER_ENTITY &&
				    p->rules[d][i].peers[k].entity == BH_ENTITY_DNS)
					return true;
	return false;
}

static void warn_policies(const struct bh_agent *a, json_t *list)
{
	const struct bh_policies *p = bh_store_current(a->store);
	int64_t now = bh_wallclock_now();
	bool resolvers = false;

	for (size_t i = 0; p && i < p->set->n_policies; i++) {
		warn_end(list, p->set->policies[i], now);
		resolvers = resolvers || names_resolvers(p->set->policies[i]);
	}
	if (resolvers && a->cfg.resolvers.n == 0)
		append(list,
		       json_string("a policy says \"entity: dns\", but no resolver is known: set "
				   "\"resolvers\" in the configuration"));
}

/* What the guard cannot hold here. */
static void warn_guard(const struct bh_agent *a, json_t *list)
{
	const struct bh_kernel_caps *caps = bh_kernel_caps_get(a->kernel);
	size_t routed = 0, bridged = 0, no_mac = 0, foreign = 0;

	for (struct bh_ep *ep = bh_endpoints_first(a->eps); ep; ep = bh_endpoints_next(ep)) {
		routed += ep->routed;
		bridged += !ep->routed;
		no_mac += !ep->has_mac;
		foreign += ep->unguarded;
	}
	if (!caps->arp && routed > 0)
		append(list,
		       json_sprintf("this kernel has no nftables tables of family arp "
				    "(CONFIG_NF_TABLES_ARP): containers can answer ARP in the "
				    "name of others"));
	if (!caps->bridge && bridged > 0)
		append(list,
		       json_sprintf("this kernel has no nftables tables of family bridge "
				    "(CONFIG_NF_TABLES_BRIDGE): containers on bridges can forge "
				    "addresses, ARP and neighbour discovery"));
	if (no_mac > 0)
		append(list, json_sprintf(
				 "of %zu endpoints the MAC is not known, because an older plugin "
				 "recorded them: their addresses are bound to their links, but not "
				 "to a MAC",
				 no_mac));
	if (foreign > 0)
		append(list, json_sprintf(
				 "%zu endpoints can forge addresses: their links were put into a "
				 "group by somebody else, or have none that the agent knows",
				 foreign));
}

static json_t *warnings(const struct bh_agent *a)
{
	json_t *list = json_array();
	struct bh_vlog_stats log;
	size_t unnamed = 0;

	bh_store_warnings(a->store, list);
	warn_forwarding(a, list);
	warn_conntrack(list);
	warn_workers(a, list);
	warn_policies(a, list);
	for (struct bh_ep *ep = bh_endpoints_first(a->eps); ep; ep = bh_endpoints_next(ep))
		unnamed += !ep->labels_final;
	if (unnamed > 0)
		append(list,
		       json_sprintf("%zu endpoints stay in quarantine: their labels are not known",
				    unnamed));
	warn_guard(a, list);
	bh_vlog_stats_get(a->log, &log);
	if (log.failing)
		append(list,
		       json_sprintf("the violation log %s cannot be written: records wait for it",
				    a->cfg.violation_log));
	return list;
}

/* ---- status ---- */

static json_t *status_revision(const struct bh_agent *a)
{
	const struct bh_generation *g = bh_reconcile_enforced(a->rc);
	struct bh_reconcile_state st;

	bh_reconcile_state_get(a->rc, &st);
	return json_pack("{s:I, s:I, s:I, s:s?}", "wanted", (json_int_t)st.wanted, "enforced",
			 (json_int_t)st.enforced, "rules",
			 (json_int_t)(g ? bh_ruleset_revision(g->rules->rs) : 0), "error",
			 st.error);
}

static json_t *status_policies(const struct bh_agent *a)
{
	const struct bh_policies *p = bh_store_current(a->store);

	return json_pack("{s:I, s:s, s:b, s:o}", "count", (json_int_t)(p ? p->set->n_policies : 0),
			 "folder", a->cfg.policy_dir, "ok", (int)bh_store_ok(a->store),
			 "diagnostics", bh_diags_json(bh_store_diags(a->store)));
}

static json_t *status_endpoints(const struct bh_agent *a)
{
	const struct bh_policies *p = bh_store_current(a->store);
	json_int_t local = 0, remote = 0, quarantined = 0;

	for (struct bh_ep *ep = bh_endpoints_first(a->eps); ep; ep = bh_endpoints_next(ep)) {
		local++;
		quarantined += !(ep->released && bh_agent_ep_enforced(a, ep));
	}
	for (size_t i = 0; p && i < p->set->n_endpoints; i++) {
		if (p->set->endpoints[i]->local)
			local++;
		else
			remote++;
	}
	return json_pack("{s:I, s:I, s:I}", "local", local, "remote", remote, "quarantined",
			 quarantined);
}

static json_t *status_kernel(const struct bh_agent *a)
{
	const struct bh_kernel_caps *caps = bh_kernel_caps_get(a->kernel);
	struct bh_kernel_counters c = { 0 };
	struct bh_err err = { 0 };
	int r = bh_kernel_counters(a->kernel, &c, &err);

	if (r < 0)
		bh_debug("counters: %s", bh_err_text(&err, r));
	return json_pack(
	    "{s:i, s:b, s:s, s:s, s:s, s:{s:b, s:b}, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
	    "s:I, s:I, s:I, s:I, s:I, s:I}}",
	    "epoch", (int)bh_kernel_epoch(a->kernel), "adopted", (int)a->adopted, "queue",
	    caps->native_queue ? "native" : "xt", "owner", caps->owner_persist ? "persist" : "none",
	    "existingConnections", a->cfg.keep_connections ? "keep" : "cut", "guard", "arp",
	    (int)caps->arp, "bridge", (int)caps->bridge, "counters", "refused",
	    (json_int_t)c.refused, "killed", (json_int_t)c.killed, "queued", (json_int_t)c.queued,
	    "unwatched", (json_int_t)c.unwatched, "unjudged", (json_int_t)c.unjudged, "midstream",
	    (json_int_t)c.midstream, "quarantined", (json_int_t)c.quarantined, "spoofed",
	    (json_int_t)c.spoofed, "spoofedMac", (json_int_t)c.spoofed_mac, "spoofedArp",
	    (json_int_t)c.spoofed_arp, "spoofedNd", (json_int_t)c.spoofed_nd, "rogueRouter",
	    (json_int_t)c.rogue_router, "rogueDhcp", (json_int_t)c.rogue_dhcp, "foreignFrame",
	    (json_int_t)c.foreign_frame);
}

static json_t *status_workers(const struct bh_agent *a)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < bh_pool_count(a->pool); i++) {
		struct bh_pool_worker w;

		bh_pool_get(a->pool, i, &w);
		append(list,
		       json_pack(
			   "{s:i, s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "pid",
			   w.pid, "queue", (int)w.queue, "connected", (int)w.connected, "revision",
			   (json_int_t)w.revision, "restarts", (json_int_t)w.restarts, "verdicts",
			   (json_int_t)w.stats.verdicts, "verdictErrors",
			   (json_int_t)w.stats.verdict_errors, "queueDropped",
			   (json_int_t)(w.stats.queue_dropped + w.stats.user_dropped), "lost",
			   (json_int_t)w.stats.lost, "flows", (json_int_t)w.stats.engine.flows_now,
			   "unjudged", (json_int_t)w.stats.engine.unjudged, "midstream",
			   (json_int_t)w.stats.engine.unseen));
	}
	return list;
}

static json_t *status_violations(const struct bh_agent *a)
{
	struct bh_vlog_stats s;

	bh_vlog_stats_get(a->log, &s);
	return json_pack("{s:I, s:I, s:I, s:s}", "written", (json_int_t)s.written, "suppressed",
			 (json_int_t)s.suppressed, "lost", (json_int_t)s.lost, "file",
			 a->cfg.violation_log);
}

enum MHD_Result bh_api_status(struct bh_request *q)
{
	struct bh_agent *a = q->api->a;
	json_t *warned = warnings(a), *errors = json_array(), *v;
	char started[BH_TIME_STRLEN];

	v = json_pack("{s:s, s:s, s:i, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
		      BH_VERSION, "node", a->cfg.node_name, "pid", (int)getpid(), "started",
		      bh_clock_format(a->started_us, started), "ready",
		      (int)(bh_reconcile_enforced(a->rc) != NULL), "revision", status_revision(a),
		      "policies", status_policies(a), "endpoints", status_endpoints(a), "kernel",
		      status_kernel(a), "workers", status_workers(a), "violations",
		      status_violations(a));
	(void)json_object_set_new(v, "proxies", bh_agent_proxies(a, warned));
	(void)json_object_set_new(v, "bridges", bh_bridgecheck_json(a->bridges, errors));
	(void)json_object_set_new(v, "errors", errors);
	(void)json_object_set_new(v, "warnings", warned);
	return bh_reply_json(q, MHD_HTTP_OK, v);
}

/* ---- settings ---- */

/* What whoever explains policies elsewhere has to know of this host. */
enum MHD_Result bh_api_settings(struct bh_request *q)
{
	const struct bh_settings *cfg = &q->api->a->cfg;
	json_t *cluster = json_array(), *resolvers = json_array();

	for (size_t i = 0; i < cfg->cluster.n; i++) {
		char text[BH_PREFIX_STRLEN];

		append(cluster, json_string(bh_prefix_format(&cfg->cluster.items[i], text)));
	}
	for (size_t i = 0; i < cfg->resolvers.n; i++) {
		char text[BH_ADDR_STRLEN];

		append(resolvers, json_string(bh_addr_format(&cfg->resolvers.items[i], text)));
	}
	return bh_reply_json(q, MHD_HTTP_OK,
			     json_pack("{s:s, s:o, s:o}", "nodeName", cfg->node_name,
				       "clusterRanges", cluster, "resolvers", resolvers));
}

/* ---- endpoints ---- */

static json_t *labels_json(const struct bh_labels *l)
{
	json_t *o = json_object();

	for (size_t i = 0; i < l->n; i++)
		(void)json_object_set_new(o, l->items[i].key, json_string(l->items[i].value));
	return o;
}

static json_t *ports_json(const struct bh_endpoint *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->n_ports; i++)
		append(list, json_pack("{s:s, s:i, s:s}", "name", e->ports[i].name, "port",
				       (int)e->ports[i].port, "protocol",
				       e->ports[i].l4 == BH_L4_UDP    ? "UDP"
				       : e->ports[i].l4 == BH_L4_SCTP ? "SCTP"
								      : "TCP"));
	return list;
}

static json_t *endpoint_json(const struct bh_agent *a, const struct bh_endpoint *e,
			     const struct bh_ep *ep)
{
	const struct bh_generation *g = bh_reconcile_enforced(a->rc);
	json_t *addrs = json_array(), *classes = json_array();
	bool enforced = ep ? ep->released && bh_agent_ep_enforced(a, ep) : true;

	for (size_t i = 0; i < e->n_addrs; i++) {
		const struct bh_addr_class *ac = g ? bh_generation_addr(g, &e->addrs[i]) : NULL;
		char text[BH_ADDR_STRLEN];

		append(addrs, json_string(bh_addr_format(&e->addrs[i], text)));
		if (ac && bh_generation_endpoint(g, &e->addrs[i]) == e)
			append(classes, json_integer(ac->cls));
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:b, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:o, "
			 "s:o, s:s}",
			 "id", e->id, "name", e->name, "namespace", e->ns, "labels",
			 labels_json(&e->labels), "addresses", addrs, "local", (int)e->local,
			 "source", ep ? "cni" : "manifest", "state",
			 enforced ? "enforced" : "quarantined", "network", ep ? ep->network : NULL,
			 "ifname", ep ? ep->ifname : NULL, "hostIf", ep ? ep->host_if : NULL,
			 "node", e->node, "classes", classes, "ports", ports_json(e),
			 "hostToContainer", e->host_judged ? "policy" : "allow");
}

enum MHD_Result bh_api_endpoints(struct bh_request *q)
{
	const struct bh_agent *a = q->api->a;
	const struct bh_policies *p = bh_store_current(a->store);
	json_t *list = json_array();

	for (struct bh_ep *ep = bh_endpoints_first(a->eps); ep; ep = bh_endpoints_next(ep))
		append(list, endpoint_json(a, ep->e, ep));
	for (size_t i = 0; p && i < p->set->n_endpoints; i++)
		append(list, endpoint_json(a, p->set->endpoints[i], NULL));
	return bh_reply_json(q, MHD_HTTP_OK, json_pack("{s:o}", "endpoints", list));
}

/* ---- the compiled rule set ---- */

enum MHD_Result bh_api_ruleset(struct bh_request *q)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	const struct bh_generation *g = bh_reconcile_enforced(q->api->a->rc);

	if (!g)
		return bh_reply_error(q, MHD_HTTP_SERVICE_UNAVAILABLE, "nothing is in force yet");
	bh_ruleset_print(g->rules->rs, &b);
	bh_buf_puts(&b, "");
	return bh_reply_text(q, MHD_HTTP_OK, "text/plain; charset=utf-8",
			     b.data ? bh_buf_take(&b) : strdup(""));
}

/* ---- what the kernel made of it ---- */

enum MHD_Result bh_api_live(struct bh_request *q)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	struct bh_err err = { 0 };
	int r = bh_kernel_live(q->api->a->kernel, &b, &err);

	if (r < 0)
		return bh_reply_error(q, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s",
				      bh_err_text(&err, r));
	bh_buf_putc(&b, '\n');
	return bh_reply_text(q, MHD_HTTP_OK, "application/json", bh_buf_take(&b));
}
