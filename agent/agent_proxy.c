// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/agent_proxy.c - which userland proxies open what policies close
 *
 * A proxy matters if its container is an endpoint of this host, and policies would refuse there what the world sends:
 * through the proxy it comes from this node.
 */
#include "agent/agent_proxy.h"

#include "common/json.h"
#include "common/log.h"
#include "common/util.h"

#include "common/banned.h"

#define TICK_LOOK_MS   5
#define STATUS_LOOK_MS 20

/* Something that the world may send to the port is refused, or depends on what is spoken. */
static bool opens(const struct bh_agent *a, const struct bh_port_proxy *p, const struct bh_ep **ret)
{
	const struct bh_generation *g = bh_reconcile_enforced(a->rc);
	const struct bh_addr_class *ac = g ? bh_generation_addr(g, &p->cont) : NULL;
	const struct bh_ep *ep = ac ? bh_generation_local(g, &p->cont) : NULL;
	const struct bh_class *cls = ep ? bh_ruleset_class(g->rules->rs, ac->cls) : NULL;
	uint32_t word;

	if (!cls || cls->subject_in == 0)
		return false;
	word = bh_ruleset_lookup(g->rules->rs, BH_DIR_INGRESS, ac->cls, BH_CLASS_WORLD, p->l4,
				 p->cont_port);
	*ret = ep;
	return bh_ruleset_may_refuse(g->rules->rs, word);
}

static const char *l4_name(uint8_t l4)
{
	return l4 == BH_L4_UDP ? "udp" : l4 == BH_L4_SCTP ? "sctp" : "tcp";
}

static void put_side(char *buf, size_t size, const struct bh_addr *addr, uint16_t port)
{
	char text[BH_ADDR_STRLEN];

	if (addr->family == 0)
		(void)snprintf(buf, size, "*:%u", port);
	else if (addr->family == 6)
		(void)snprintf(buf, size, "[%s]:%u", bh_addr_format(addr, text), port);
	else
		(void)snprintf(buf, size, "%s:%u", bh_addr_format(addr, text), port);
}

static void tell_one(const struct bh_port_proxy *p, const struct bh_ep *ep, json_t *list,
		     json_t *warnings)
{
	char host[BH_ADDR_STRLEN + 16], cont[BH_ADDR_STRLEN + 16], name[512];

	put_side(host, sizeof(host), &p->host, p->host_port);
	put_side(cont, sizeof(cont), &p->cont, p->cont_port);
	(void)snprintf(name, sizeof(name), "%s%s%s", ep->e->ns ? ep->e->ns : "",
		       ep->e->ns ? "/" : "", ep->e->name);
	(void)json_array_append_new(list,
				    json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "pid", (int)p->pid,
					      "program", p->program, "protocol", l4_name(p->l4),
					      "host", host, "container", cont, "endpoint", name));
	(void)json_array_append_new(
	    warnings,
	    json_sprintf(
		"%s (process %d) serves %s/%s for %s at %s: what it forwards comes from "
		"this node, and policies do not see who sent it; without \"userland-proxy\" "
		"(false in /etc/docker/daemon.json, restart the engine) they do",
		p->program, (int)p->pid, host, l4_name(p->l4), name, cont));
}

json_t *bh_agent_proxies(struct bh_agent *a, json_t *warnings)
{
	json_t *list = json_array();
	const struct bh_port_proxy *v;
	const struct bh_ep *ep;
	size_t n;

	if (!a->proxies)
		return list;
	bh_proxies_due(a->proxies, false);
	(void)bh_proxies_look(a->proxies, bh_clock_now(), STATUS_LOOK_MS);
	v = bh_proxies_get(a->proxies, &n);
	for (size_t i = 0; i < n; i++)
		if (opens(a, &v[i], &ep))
			tell_one(&v[i], ep, list, warnings);
	return list;
}

void bh_agent_proxies_tick(struct bh_agent *a, bh_msec_t now)
{
	const struct bh_port_proxy *v;
	const struct bh_ep *ep;
	size_t n, open = 0;

	if (!a->proxies || !bh_proxies_look(a->proxies, now, TICK_LOOK_MS))
		return;
	v = bh_proxies_get(a->proxies, &n);
	for (size_t i = 0; i < n; i++)
		open += opens(a, &v[i], &ep);
	if (open > a->n_proxies)
		bh_warning("%zu published ports of isolated endpoints are served by userland "
			   "proxies, past their policies: see bulkhead status",
			   open);
	a->n_proxies = open;
}

void bh_agent_proxies_start(struct bh_agent *a)
{
	int r = bh_proxies_new("/proc", &a->proxies);

	if (r < 0)
		bh_warning("userland proxies of published ports are not looked for: %s",
			   strerrordesc_np(-r));
}
