// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/result.c - what ADD answers, in the shape of each version of the specification
 *
 * Source: CNI specifications 0.1.0 to 1.1.0, section "ADD Success" (formerly "Result").
 */
#include "cni/result.h"

#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

const char *bh_mac_format(const uint8_t *mac, char *buf)
{
	(void)snprintf(buf, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		       mac[4], mac[5]);
	return buf;
}

/* A list that the earlier plugins may have begun. */
static json_t *list_of(json_t *result, const char *key)
{
	json_t *v = json_object_get(result, key);

	if (json_is_array(v))
		return v;
	v = json_array();
	(void)json_object_set_new(result, key, v);
	return v;
}

static json_t *interface(const struct bh_netconf *c, const struct bh_wire *w, bool host,
			 const char *netns_path)
{
	char mac[18];
	json_t *o = json_pack("{s:s, s:s}", "name", host ? w->at->host_name : w->at->ifname, "mac",
			      bh_mac_format(host ? w->host_mac : w->cont_mac, mac));

	if (!host)
		(void)json_object_set_new(o, "sandbox", json_string(netns_path));
	if (c->spec >= BH_SPEC_1_1_0)
		(void)json_object_set_new(o, "mtu", json_integer(w->mtu));
	return o;
}

static json_t *ip(const struct bh_netconf *c, const struct bh_addr *a, json_int_t interface_idx)
{
	const char *gw = a->family == 4 ? BH_GATEWAY_V4 : BH_GATEWAY_V6;
	char text[BH_PREFIX_STRLEN];
	struct bh_prefix p = { .addr = *a, .len = (uint8_t)(bh_addr_size(a) * 8) };
	json_t *o = json_pack("{s:s, s:s, s:I}", "address", bh_prefix_format(&p, text), "gateway",
			      gw, "interface", interface_idx);

	if (c->spec < BH_SPEC_1_0_0)
		(void)json_object_set_new(o, "version", json_string(a->family == 4 ? "4" : "6"));
	return o;
}

static json_t *route(const struct bh_prefix *dst)
{
	char text[BH_PREFIX_STRLEN];

	return json_pack("{s:s, s:s}", "dst", bh_prefix_format(dst, text), "gw",
			 dst->addr.family == 4 ? BH_GATEWAY_V4 : BH_GATEWAY_V6);
}

/* 0.1.0 and 0.2.0 know one address of each family and no interfaces. */
static void old_shape(json_t *result, const struct bh_wire *w)
{
	char text[BH_PREFIX_STRLEN];

	for (size_t i = 0; i < w->n_ips; i++) {
		bool v4 = w->ips[i].family == 4;
		struct bh_prefix p = { .addr = w->ips[i],
				       .len = (uint8_t)(bh_addr_size(&w->ips[i]) * 8) };
		json_t *routes = json_array(), *o;

		for (size_t j = 0; j < w->n_routes; j++)
			if (w->routes[j].addr.family == w->ips[i].family)
				(void)json_array_append_new(routes, route(&w->routes[j]));
		o = json_pack("{s:s, s:s, s:o}", "ip", bh_prefix_format(&p, text), "gateway",
			      v4 ? BH_GATEWAY_V4 : BH_GATEWAY_V6, "routes", routes);
		if (i > 0 && json_object_get(result, v4 ? "ip4" : "ip6"))
			json_decref(o);
		else
			(void)json_object_set_new(result, v4 ? "ip4" : "ip6", o);
	}
}

static void new_shape(json_t *result, const struct bh_netconf *c, const struct bh_wire *w,
		      const char *netns_path)
{
	json_t *interfaces = list_of(result, "interfaces");
	json_t *ips = list_of(result, "ips"), *routes = list_of(result, "routes");
	json_int_t cont = (json_int_t)json_array_size(interfaces) + 1;

	(void)json_array_append_new(interfaces, interface(c, w, true, netns_path));
	(void)json_array_append_new(interfaces, interface(c, w, false, netns_path));
	for (size_t i = 0; i < w->n_ips; i++)
		(void)json_array_append_new(ips, ip(c, &w->ips[i], cont));
	for (size_t i = 0; i < w->n_routes; i++)
		(void)json_array_append_new(routes, route(&w->routes[i]));
}

/* The dns capability names its lists otherwise than results do. */
static json_t *dns_of(const struct bh_netconf *c)
{
	static const char *const keys[][2] = {
		{ "nameservers", "nameservers" }, { "servers", "nameservers" },
		{ "domain", "domain" },           { "search", "search" },
		{ "searches", "search" },         { "options", "options" },
	};
	json_t *dns = json_object();

	for (size_t i = 0; i < BH_ARRAY_SIZE(keys); i++) {
		json_t *v = bh_netconf_get(c->dns, keys[i][0]);

		if (v && !(json_is_array(v) && json_array_size(v) == 0))
			(void)json_object_set(dns, keys[i][1], v);
	}
	return dns;
}

json_t *bh_result_add(const struct bh_netconf *c, const struct bh_wire *w, const char *netns_path)
{
	bh_autojson json_t *result = c->prev ? json_deep_copy(c->prev) : json_object();
	bh_autojson json_t *dns = dns_of(c);

	if (!json_is_object(result) || !dns)
		return NULL;
	(void)json_object_set_new(result, "cniVersion", json_string(bh_spec_name[c->spec]));
	if (c->spec < BH_SPEC_0_3_0)
		old_shape(result, w);
	else
		new_shape(result, c, w, netns_path);
	/* 1.1.0 leaves an empty object out, the others carry it. */
	if (json_object_size(dns) > 0 ||
	    (c->spec < BH_SPEC_1_1_0 && !json_object_get(result, "dns")))
		(void)json_object_set(result, "dns", dns);
	return bh_take_ptr(&result);
}

int bh_result_version(const char *asked)
{
	json_t *list = json_array();
	bh_autojson json_t *o = NULL;
	const char *version = bh_spec_name[BH_SPEC_COUNT - 1];

	for (size_t i = 0; i < BH_SPEC_COUNT; i++) {
		(void)json_array_append_new(list, json_string(bh_spec_name[i]));
		if (bh_streq(asked, bh_spec_name[i]))
			version = bh_spec_name[i];
	}
	o = json_pack("{s:s, s:o}", "cniVersion", version, "supportedVersions", list);
	if (!o || json_dumpf(o, stdout, 0) < 0 || fputc('\n', stdout) == EOF || fflush(stdout) != 0)
		return -EIO;
	return 0;
}
