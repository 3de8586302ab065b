// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/bridgecheck.c - do bridges hand the packets of our endpoints to nftables?
 *
 * Where both switches are on, which is the rule, a look is two small files. Only where one is not are the bridges
 * listed, and the ports of those without a switch of their own.
 */
#include "agent/bridgecheck.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"

#include "common/banned.h"

#define INTERVAL_MS 5000
#define GAPS_MAX    64U

/* Endpoints with addresses of a family behind a bridge that does not hand it over. */
struct gap {
	char bridge[IFNAMSIZ];
	unsigned family; /* 4, 6 */
	enum bh_bridge_switch state;
	size_t n;
	char first[128]; /* one of them */
};

struct bh_bridgecheck {
	struct bh_rtnl *rtnl;
	const struct bh_endpoints *eps;
	char *sysctl;
	struct gap gaps[GAPS_MAX], told[GAPS_MAX]; /* told: in the log */
	size_t n, n_told;
	char unknown[256]; /* why nobody can say; "": it is known */
	bool due, looked;
	bh_msec_t last;
};

static const char *switch_name(unsigned family)
{
	return family == 4 ? "bridge-nf-call-iptables" : "bridge-nf-call-ip6tables";
}

enum bh_bridge_switch bh_bridge_switch_read(const char *sysctl, unsigned family)
{
	bh_autoclose int fd = -1;
	char path[256], text[16];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", sysctl, switch_name(family));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? BH_BRIDGE_MISSING : BH_BRIDGE_OFF;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return BH_BRIDGE_OFF;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return bh_streq(text, "1") ? BH_BRIDGE_ON : BH_BRIDGE_OFF;
}

/* ---- looking ---- */

struct counting {
	const struct bh_bridgecheck *c;
	struct gap *gaps[2]; /* of IPv4, IPv6; NULL: handed over */
};

static bool has_family(const struct bh_endpoint *e, unsigned family)
{
	for (size_t i = 0; i < e->n_addrs; i++)
		if (e->addrs[i].family == family)
			return true;
	return false;
}

static void count_port(void *arg, unsigned index)
{
	struct counting *k = arg;
	const struct bh_ep *ep = bh_endpoints_by_link(k->c->eps, index);

	for (unsigned f = 0; ep && f < 2; f++) {
		struct gap *g = k->gaps[f];

		if (!g || !has_family(ep->e, g->family))
			continue;
		if (g->n++ == 0)
			(void)snprintf(g->first, sizeof(g->first), "%s%s%s",
				       ep->e->ns ? ep->e->ns : "", ep->e->ns ? "/" : "",
				       ep->e->name);
	}
}

static int look_at(struct bh_bridgecheck *c, const struct bh_host_bridge *b,
		   const enum bh_bridge_switch states[2], struct bh_err *err)
{
	struct gap gaps[2] = { { .family = 4, .state = states[0] },
			       { .family = 6, .state = states[1] } };
	struct counting k = { .c = c };
	bool any = false;
	int r;

	for (unsigned f = 0; f < 2; f++) {
		if (states[f] == BH_BRIDGE_ON || b->calls[f])
			continue;
		(void)snprintf(gaps[f].bridge, sizeof(gaps[f].bridge), "%s", b->name);
		k.gaps[f] = &gaps[f];
		any = true;
	}
	r = any ? bh_rtnl_ports(c->rtnl, b->index, count_port, &k, err) : 0;
	for (unsigned f = 0; r == 0 && f < 2; f++)
		if (gaps[f].n > 0 && c->n < GAPS_MAX)
			c->gaps[c->n++] = gaps[f];
	return r;
}

static void look(struct bh_bridgecheck *c)
{
	static struct bh_log_limit limit = BH_LOG_LIMIT_INIT;
	const enum bh_bridge_switch states[2] = { bh_bridge_switch_read(c->sysctl, 4),
						  bh_bridge_switch_read(c->sysctl, 6) };
	bh_autofree struct bh_host_bridge *bridges = NULL;
	struct bh_err err = { 0 };
	size_t n = 0;
	int r = 0;

	c->n = 0;
	c->unknown[0] = '\0';
	if (states[0] == BH_BRIDGE_ON && states[1] == BH_BRIDGE_ON)
		return;
	r = bh_rtnl_bridges(c->rtnl, &bridges, &n, &err);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = look_at(c, &bridges[i], states, &err);
	if (r == 0)
		return;
	(void)snprintf(c->unknown, sizeof(c->unknown),
		       "whether bridges hand their packets to nftables is not known: %s",
		       bh_err_text(&err, r));
	bh_log_limited(&limit, BH_LOG_WARNING, "%s", c->unknown);
}

/* ---- telling ---- */

static void text_of(const struct gap *g, char *buf, size_t size)
{
	char others[64] = "";

	if (g->n > 1)
		(void)snprintf(others, sizeof(others), " and %zu more", g->n - 1);
	(void)snprintf(buf, size,
		       "the bridge %s does not hand IPv%u to nftables: what its ports, %s%s among "
		       "them, say to each other is judged by no policy; net.bridge.%s is %s: "
		       "%ssysctl -w net.bridge.%s=1",
		       g->bridge, g->family, g->first, others, switch_name(g->family),
		       g->state == BH_BRIDGE_MISSING ? "missing" : "0",
		       g->state == BH_BRIDGE_MISSING ? "modprobe br_netfilter; " : "",
		       switch_name(g->family));
}

static bool was_told(const struct bh_bridgecheck *c, const struct gap *g)
{
	for (size_t i = 0; i < c->n_told; i++)
		if (c->told[i].family == g->family && c->told[i].state == g->state &&
		    bh_streq(c->told[i].bridge, g->bridge))
			return true;
	return false;
}

static void tell(struct bh_bridgecheck *c)
{
	char text[512];

	/* What was true before may be, still. */
	if (c->unknown[0])
		return;
	for (size_t i = 0; i < c->n; i++) {
		if (was_told(c, &c->gaps[i]))
			continue;
		text_of(&c->gaps[i], text, sizeof(text));
		bh_warning("%s", text);
	}
	if (c->n == 0 && c->n_told > 0)
		bh_notice("bridges hand the packets of all endpoints to nftables now");
	memcpy(c->told, c->gaps, c->n * sizeof(*c->gaps));
	c->n_told = c->n;
}

void bh_bridgecheck_due(struct bh_bridgecheck *c)
{
	if (c)
		c->due = true;
}

void bh_bridgecheck_tick(struct bh_bridgecheck *c, bh_msec_t now)
{
	if (c->looked && !c->due && now - c->last < INTERVAL_MS)
		return;
	c->due = false;
	c->looked = true;
	c->last = now;
	look(c);
	tell(c);
}

json_t *bh_bridgecheck_json(struct bh_bridgecheck *c, json_t *errors)
{
	json_t *list = json_array();
	char text[512];

	look(c);
	tell(c);
	if (c->unknown[0])
		(void)json_array_append_new(errors, json_string(c->unknown));
	for (size_t i = 0; i < c->n; i++) {
		const struct gap *g = &c->gaps[i];

		bh_autofree char *name = NULL;

		if (asprintf(&name, "net.bridge.%s", switch_name(g->family)) < 0)
			continue;
		text_of(g, text, sizeof(text));
		(void)json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s, s:s, s:I}", "bridge", g->bridge, "family",
				    g->family == 4 ? "ipv4" : "ipv6", "sysctl", name, "state",
				    g->state == BH_BRIDGE_MISSING ? "missing" : "off", "endpoints",
				    (json_int_t)g->n));
		(void)json_array_append_new(errors, json_string(text));
	}
	return list;
}

/* ---- life ---- */

int bh_bridgecheck_new(struct bh_rtnl *rtnl, const struct bh_endpoints *eps, const char *sysctl,
		       struct bh_bridgecheck **ret)
{
	struct bh_bridgecheck *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->rtnl = rtnl;
	c->eps = eps;
	c->sysctl = strdup(sysctl);
	if (!c->sysctl) {
		free(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

struct bh_bridgecheck *bh_bridgecheck_free(struct bh_bridgecheck *c)
{
	if (!c)
		return NULL;
	free(c->sysctl);
	free(c);
	return NULL;
}
