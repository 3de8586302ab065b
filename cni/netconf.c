// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/netconf.c - the network configuration on standard input
 *
 * Where a thing can be said in several places, the first of these wins: runtimeConfig (a capability),
 * args.cni of the configuration, CNI_ARGS, the configuration itself.
 */
#include "cni/netconf.h"

#include "common/limits.h"
#include "common/parse.h"
#include "common/util.h"
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/banned.h"

/* The default of "agentTimeout": the agent answers in milliseconds; ten seconds let it start. */
#define AGENT_TIMEOUT_MS 10000
/* Above this a container engine has long given up. */
#define AGENT_TIMEOUT_MAX_MS 300000
/* The smallest MTU over which IPv6 works, the smallest for IPv4, and the largest the kernel takes. */
#define MTU_MIN    68
#define MTU_MIN_V6 1280
#define MTU_MAX    65535
#define ROUTES_MAX 64U

const char *const bh_spec_name[] = {
	[BH_SPEC_0_1_0] = "0.1.0", [BH_SPEC_0_2_0] = "0.2.0", [BH_SPEC_0_3_0] = "0.3.0",
	[BH_SPEC_0_3_1] = "0.3.1", [BH_SPEC_0_4_0] = "0.4.0", [BH_SPEC_1_0_0] = "1.0.0",
	[BH_SPEC_1_1_0] = "1.1.0",
};
BH_STATIC_ASSERT_TABLE(bh_spec_name, BH_SPEC_COUNT);

json_t *bh_netconf_get(const json_t *obj, const char *key)
{
	const char *k;
	json_t *v = obj ? json_object_get(obj, key) : NULL;

	if (v)
		return json_is_null(v) ? NULL : v;
	if (!json_is_object(obj))
		return NULL;
	json_object_foreach((json_t *)(uintptr_t)obj, k, v)
		if (strcasecmp(k, key) == 0 && !json_is_null(v))
			return v;
	return NULL;
}

json_t *bh_netconf_arg(const struct bh_netconf *c, const char *key)
{
	return bh_netconf_get(bh_netconf_get(bh_netconf_get(c->root, "args"), "cni"), key);
}

json_t *bh_netconf_capability(const struct bh_netconf *c, const char *key)
{
	return bh_netconf_get(bh_netconf_get(c->root, "runtimeConfig"), key);
}

static enum bh_cni_code read_version(struct bh_netconf *c, struct bh_cni_error *e)
{
	json_t *v = json_object_get(c->root, "cniVersion");
	const char *s = json_string_value(v);

	if (v && !s)
		return bh_cni_fail(e, BH_CNI_DECODE, "cniVersion must be a string");
	if (!s || !s[0])
		return BH_CNI_OK; /* 0.1.0, as libcni reads it */
	for (size_t i = 0; i < BH_SPEC_COUNT; i++) {
		if (bh_streq(s, bh_spec_name[i])) {
			c->spec = (enum bh_spec)i;
			return BH_CNI_OK;
		}
	}
	return bh_cni_fail(
	    e, BH_CNI_VERSION,
	    "cniVersion '%.32s' is not supported; 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, "
	    "1.0.0 and 1.1.0 are",
	    s);
}

/* A string member, or @fallback where there is none. */
static enum bh_cni_code string_of(const json_t *o, const char *key, const char *fallback,
				  const char **ret, struct bh_cni_error *e)
{
	json_t *v = json_object_get(o, key);

	if (v && !json_is_null(v) && !json_is_string(v))
		return bh_cni_fail(e, BH_CNI_CONFIG, "%s must be a string", key);
	*ret = json_is_string(v) ? json_string_value(v) : fallback;
	return BH_CNI_OK;
}

static enum bh_cni_code read_timeout(struct bh_netconf *c, struct bh_cni_error *e)
{
	const char *s;
	enum bh_cni_code code = string_of(c->root, "agentTimeout", "", &s, e);

	c->agent_timeout_ms = AGENT_TIMEOUT_MS;
	if (code || !s[0])
		return code;
	if (bh_parse_duration(s, &c->agent_timeout_ms) < 0 || c->agent_timeout_ms < 1 ||
	    c->agent_timeout_ms > AGENT_TIMEOUT_MAX_MS)
		return bh_cni_fail(
		    e, BH_CNI_CONFIG,
		    "agentTimeout '%.32s' is not a time like 500ms or 10s, 5m at most", s);
	return BH_CNI_OK;
}

enum bh_cni_code bh_netconf_load(const char *data, size_t size, struct bh_netconf *ret,
				 struct bh_cni_error *e)
{
	struct bh_err err = { 0 };
	enum bh_cni_code code;
	int r;

	*ret = (struct bh_netconf){ .spec = BH_SPEC_0_1_0 };
	r = bh_json_load(data, size, BH_CNI_STDIN_MAX, &ret->root, &err);
	if (r < 0)
		return bh_cni_fail_err(e, BH_CNI_DECODE, &err, r, "network configuration");
	if (!json_is_object(ret->root))
		return bh_cni_fail(e, BH_CNI_DECODE,
				   "network configuration: standard input must be one JSON object");
	code = read_version(ret, e);
	if (!code)
		code = string_of(ret->root, "name", "", &ret->network, e);
	if (!code)
		code = string_of(ret->root, "runDir", BH_RUNDIR, &ret->run_dir, e);
	if (code)
		return code;
	if (!ret->network[0])
		return bh_cni_fail(e, BH_CNI_CONFIG, "the network has no name");
	if (!bh_cni_name_ok(ret->network) || strlen(ret->network) > 200)
		return bh_cni_fail(
		    e, BH_CNI_CONFIG,
		    "network name '%.64s' must be a letter or digit, then letters, digits, "
		    "'_', '.' or '-', 200 bytes at most",
		    ret->network);
	if (ret->run_dir[0] != '/')
		return bh_cni_fail(e, BH_CNI_CONFIG, "runDir '%.64s' must be an absolute path",
				   ret->run_dir);
	ret->prev = json_object_get(ret->root, "prevResult");
	if (json_is_null(ret->prev))
		ret->prev = NULL;
	return BH_CNI_OK;
}

static enum bh_cni_code read_policy_keys(struct bh_netconf *c, struct bh_cni_error *e)
{
	static const char *const sources[] = { "cni", "docker", "podman", "containerd" };
	const char *s;
	enum bh_cni_code code = string_of(c->root, "onAgentDown", "fail", &s, e);

	if (!code && !bh_streq(s, "fail"))
		return bh_cni_fail(e, BH_CNI_CONFIG,
				   "onAgentDown '%.32s': only 'fail' is supported", s);
	if (!code)
		code = string_of(c->root, "labelsFrom", "cni", &s, e);
	if (code)
		return code;
	c->labels_final = bh_streq(s, "cni");
	for (size_t i = 0; i < BH_ARRAY_SIZE(sources); i++)
		if (bh_streq(s, sources[i]))
			return BH_CNI_OK;
	return bh_cni_fail(e, BH_CNI_CONFIG,
			   "labelsFrom '%.32s' must be cni, docker, podman or containerd", s);
}

static enum bh_cni_code read_ranges(struct bh_netconf *c, struct bh_cni_error *e)
{
	const json_t *ipam = bh_netconf_get(c->root, "ipam");
	const char *type = json_string_value(json_object_get(ipam, "type"));
	json_t *ranges = bh_netconf_capability(c, "ipRanges");
	json_t *exclude[] = { json_object_get(ipam, "exclude"),
			      json_object_get(c->root, "exclude") };
	enum bh_cni_code code;

	if (ipam && !json_is_object(ipam))
		return bh_cni_fail(e, BH_CNI_CONFIG, "ipam must be an object");
	if (type && type[0] && !bh_streq(type, "bulkhead-cni"))
		return bh_cni_fail(
		    e, BH_CNI_FIELD,
		    "ipam.type '%.64s': bulkhead-cni gives out addresses itself; leave "
		    "the type out and write ipam.ranges",
		    type);
	if (!ranges || json_array_size(ranges) == 0)
		ranges = json_object_get(ipam, "ranges");
	if (!ranges)
		ranges = json_object_get(c->root, "ranges");
	if (!ranges)
		return bh_cni_fail(e, BH_CNI_CONFIG,
				   "no address ranges: write \"ipam\": {\"ranges\": "
				   "[[\"10.88.0.0/16\"], [\"fd00:88::/64\"]]}");
	code = bh_ranges_parse(ranges, &c->ranges, e);
	if (!code && c->ranges.n == 0)
		return bh_cni_fail(e, BH_CNI_CONFIG, "ranges is empty");
	for (size_t i = 0; !code && i < BH_ARRAY_SIZE(exclude); i++)
		if (exclude[i] && !json_is_null(exclude[i]))
			code = bh_ranges_exclude(exclude[i], &c->ranges, e);
	return code;
}

static enum bh_cni_code want_list(struct bh_netconf *c, json_t *v, struct bh_cni_error *e)
{
	enum bh_cni_code code;
	json_t *item;
	size_t i;

	if (!json_is_array(v))
		return bh_cni_fail(e, BH_CNI_CONFIG, "ips must be a list of addresses");
	json_array_foreach(v, i, item) {
		if (!json_is_string(item))
			return bh_cni_fail(e, BH_CNI_CONFIG, "ips must be a list of addresses");
		code = bh_ranges_want(json_string_value(item), &c->ranges, e);
		if (code)
			return code;
	}
	return BH_CNI_OK;
}

static enum bh_cni_code read_wanted(struct bh_netconf *c, const struct bh_cni_args *a,
				    struct bh_cni_error *e)
{
	const char *arg = bh_cni_args_get(a, "IP");
	bh_autofree char *list = NULL;
	enum bh_cni_code code;
	char *save = NULL;

	if (bh_netconf_capability(c, "ips"))
		return want_list(c, bh_netconf_capability(c, "ips"), e);
	if (bh_netconf_arg(c, "ips"))
		return want_list(c, bh_netconf_arg(c, "ips"), e);
	if (!arg)
		return BH_CNI_OK;
	list = strdup(arg);
	if (!list)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	for (char *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		code = bh_ranges_want(p, &c->ranges, e);
		if (code)
			return code;
	}
	return BH_CNI_OK;
}

static enum bh_cni_code read_mac(struct bh_netconf *c, const struct bh_cni_args *a,
				 struct bh_cni_error *e)
{
	const char *s = json_string_value(bh_netconf_capability(c, "mac"));

	if (!s || !s[0])
		s = json_string_value(bh_netconf_arg(c, "mac"));
	if (!s || !s[0])
		s = bh_cni_args_get(a, "MAC");
	if (!s || !s[0])
		return BH_CNI_OK;
	if (bh_parse_mac(s, c->mac) < 0)
		return bh_cni_fail(e, BH_CNI_CONFIG,
				   "requested MAC '%.32s' is not six bytes like 02:00:00:00:00:01",
				   s);
	if (c->mac[0] & 1)
		return bh_cni_fail(e, BH_CNI_CONFIG, "requested MAC '%.32s' is a multicast address",
				   s);
	c->mac_given = true;
	return BH_CNI_OK;
}

static enum bh_cni_code read_routes(struct bh_netconf *c, struct bh_cni_error *e)
{
	json_t *v = bh_netconf_get(bh_netconf_get(c->root, "ipam"), "routes");
	json_t *item;
	size_t i;

	if (!v)
		v = bh_netconf_get(c->root, "routes");
	if (!v)
		return BH_CNI_OK;
	if (!json_is_array(v) || json_array_size(v) > ROUTES_MAX)
		return bh_cni_fail(e, BH_CNI_CONFIG,
				   "routes must be a list of {\"dst\": SUBNET}, %u at most",
				   ROUTES_MAX);
	c->routes_given = true;
	c->routes = calloc(json_array_size(v) + 1, sizeof(*c->routes));
	if (!c->routes)
		return bh_cni_fail(e, BH_CNI_SYSTEM, "out of memory");
	json_array_foreach(v, i, item) {
		const char *dst = json_string_value(bh_netconf_get(item, "dst"));

		if (!dst || bh_prefix_parse(dst, &c->routes[i]) < 0)
			return bh_cni_fail(e, BH_CNI_CONFIG, "routes: dst '%.64s' is not a subnet",
					   dst ? dst : "");
		if (bh_netconf_get(item, "gw"))
			return bh_cni_fail(
			    e, BH_CNI_FIELD,
			    "routes: gw is not supported; a container's only neighbour is "
			    "its host");
		c->n_routes++;
	}
	return BH_CNI_OK;
}

static enum bh_cni_code read_mtu(struct bh_netconf *c, struct bh_cni_error *e)
{
	json_t *v = bh_netconf_get(c->root, "mtu");
	json_int_t min = MTU_MIN;

	for (size_t i = 0; i < c->ranges.n; i++)
		if (c->ranges.sets[i].r[0].lo.family == 6)
			min = MTU_MIN_V6;
	if (!v || (json_is_integer(v) && json_integer_value(v) == 0))
		return BH_CNI_OK;
	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > MTU_MAX)
		return bh_cni_fail(e, BH_CNI_CONFIG, "mtu must be a number from %d to %d", (int)min,
				   MTU_MAX);
	c->mtu = (uint32_t)json_integer_value(v);
	return BH_CNI_OK;
}

enum bh_cni_code bh_netconf_wiring(struct bh_netconf *c, const struct bh_cni_args *a,
				   struct bh_cni_error *e)
{
	enum bh_cni_code code = read_timeout(c, e);

	if (!code)
		code = read_policy_keys(c, e);
	if (!code)
		code = read_ranges(c, e);
	if (!code)
		code = read_wanted(c, a, e);
	if (!code)
		code = read_mac(c, a, e);
	if (!code)
		code = read_routes(c, e);
	if (!code)
		code = read_mtu(c, e);
	c->dns = bh_netconf_capability(c, "dns");
	if (!c->dns)
		c->dns = bh_netconf_get(c->root, "dns");
	return code;
}

void bh_netconf_done(struct bh_netconf *c)
{
	json_decref(c->root);
	bh_ranges_done(&c->ranges);
	free(c->routes);
	*c = (struct bh_netconf){ .root = NULL };
}
