// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/wire.c - the routed veth: what is set up between a container and its host, in which order
 *
 * The container's end comes first. Duplicate address detection is off on both ends before they come up: with
 * it an address is unusable for more than a second, and there is nobody to collide with. The host's end is a
 * router towards one neighbour it knows: it takes no advertisements and no redirects, and drops what comes
 * with somebody else's source address (rp_filter for IPv4; the agent's rules do it for IPv6).
 */
#include "cni/wire.h"

#include "common/file.h"
#include "common/log.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/banned.h"

#define MTU_FALLBACK 1500U

struct setting {
	int family;       /* written if the attachment has an address of it */
	const char *path; /* %s: the interface */
	const char *value;
};

static const struct setting cont_settings[] = {
	{ 6, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", "0" },
	{ 6, "/proc/sys/net/ipv6/conf/%s/accept_dad", "0" },
	{ 6, "/proc/sys/net/ipv6/conf/%s/accept_ra", "0" },
};

static const struct setting host_settings[] = {
	{ 4, "/proc/sys/net/ipv4/conf/%s/forwarding", "1" },
	{ 4, "/proc/sys/net/ipv4/conf/%s/rp_filter", "1" },
	{ 4, "/proc/sys/net/ipv4/conf/%s/accept_redirects", "0" },
	{ 4, "/proc/sys/net/ipv4/conf/%s/send_redirects", "0" },
	{ 4, "/proc/sys/net/ipv4/conf/%s/proxy_arp", "1" },
	{ 4, "/proc/sys/net/ipv4/neigh/%s/proxy_delay", "0" },
	{ 6, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", "0" },
	{ 6, "/proc/sys/net/ipv6/conf/%s/accept_dad", "0" },
	{ 6, "/proc/sys/net/ipv6/conf/%s/accept_ra", "0" },
	{ 6, "/proc/sys/net/ipv6/conf/%s/accept_redirects", "0" },
	{ 6, "/proc/sys/net/ipv6/conf/%s/forwarding", "1" },
};

static bool has_family(const struct bh_wire *w, int family)
{
	for (size_t i = 0; i < w->n_ips; i++)
		if (w->ips[i].family == family)
			return true;
	return false;
}

static int apply(const struct bh_wire *w, const struct setting *s, size_t n, const char *ifname,
		 struct bh_err *err)
{
	char path[128];

	for (size_t i = 0; i < n; i++) {
		const char *mark = strstr(s[i].path, "%s");
		int r;

		if (!has_family(w, s[i].family))
			continue;
		(void)snprintf(path, sizeof(path), "%.*s%s%s", (int)(mark - s[i].path), s[i].path,
			       ifname, mark + 2);
		r = bh_sysctl_write(path, s[i].value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

struct bh_addr bh_wire_gateway(int family)
{
	struct bh_addr a = { .family = 0 };

	(void)!bh_addr_parse(family == 4 ? BH_GATEWAY_V4 : BH_GATEWAY_V6, &a);
	return a;
}

struct bh_prefix bh_wire_default(int family)
{
	return (struct bh_prefix){ .addr = { .family = (uint8_t)family }, .len = 0 };
}

static int random_mac(uint8_t *mac, struct bh_err *err)
{
	if (getrandom(mac, 6, 0) != 6)
		return bh_err_set(err, -EIO, "no random bytes for a MAC address");
	mac[0] = (uint8_t)((mac[0] & 0xfe) | 0x02); /* unicast, locally administered */
	return 0;
}

int bh_wire_plan(struct bh_wire *w, struct bh_err *err)
{
	int r = random_mac(w->host_mac, err);

	if (r == 0 && !w->conf->mac_given)
		r = random_mac(w->cont_mac, err);
	if (w->conf->mac_given)
		memcpy(w->cont_mac, w->conf->mac, sizeof(w->cont_mac));
	if (r < 0)
		return r;
	w->mtu = w->conf->mtu;
	for (int family = 4; !w->conf->mtu && family <= 6; family += 2) {
		uint32_t mtu = bh_rtnl_default_mtu(w->sk, family);

		/* Loopback and others have more than an Ethernet frame can hold. */
		if (mtu && mtu <= 65535 && (!w->mtu || mtu < w->mtu))
			w->mtu = mtu;
	}
	if (!w->mtu)
		w->mtu = MTU_FALLBACK;
	if (w->mtu < 1280 && !w->conf->mtu && has_family(w, 6))
		w->mtu = 1280;
	return 0;
}

static int forward_family(const char *path, const char *name, const char *also, struct bh_err *err)
{
	bh_autofree char *text = NULL;
	size_t size;
	int r = bh_file_read(path, 64, &text, &size, err);

	if (r < 0 || text[0] != '0')
		return r;
	r = bh_sysctl_write(path, "1", err);
	if (r == 0)
		bh_notice("%s was 0 and is 1 now: without it no packet reaches a container%s", name,
			  also);
	return r;
}

int bh_wire_forwarding(const struct bh_wire *w, struct bh_err *err)
{
	int r = 0;

	if (has_family(w, 4))
		r = forward_family("/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward", "", err);
	if (r == 0 && has_family(w, 6))
		r = forward_family(
		    "/proc/sys/net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding",
		    "; interfaces with accept_ra=1 ignore router advertisements from now "
		    "on (2 keeps them)",
		    err);
	return r;
}

int bh_wire_make(struct bh_wire *w, struct bh_err *err)
{
	struct bh_veth v = {
		.host_name = w->at->host_name,
		.cont_name = w->at->ifname,
		.cont_netns_fd = w->cont->fd,
		.mtu = w->mtu,
	};
	struct bh_link link;
	int r;

	memcpy(v.host_mac, w->host_mac, sizeof(v.host_mac));
	memcpy(v.cont_mac, w->cont_mac, sizeof(v.cont_mac));
	r = bh_rtnl_veth_add(w->sk, &v, err);
	if (r < 0)
		return r;
	r = bh_rtnl_link_get(w->sk, w->at->host_name, 0, &link, err);
	if (r < 0)
		return r;
	w->host_index = link.index;
	w->cont_index = link.peer_index;
	return 0;
}

static int add_route(struct bh_wire *w, struct nl_sock *sk, const struct bh_prefix *dst,
		     struct bh_err *err)
{
	struct bh_addr gw = bh_wire_gateway(dst->addr.family);
	struct bh_prefix *grown;
	int r = bh_rtnl_route_add(sk, w->cont_index, dst, &gw, err);

	if (r < 0)
		return r;
	grown = realloc(w->routes, (w->n_routes + 1) * sizeof(*grown));
	if (!grown)
		return bh_err_set(err, -ENOMEM, "out of memory");
	w->routes = grown;
	grown[w->n_routes++] = *dst;
	return 0;
}

/* The subnets of the network, for a container whose default route is another interface's. */
static int route_ranges(struct bh_wire *w, struct nl_sock *sk, int family, struct bh_err *err)
{
	for (size_t i = 0; i < w->conf->ranges.n; i++) {
		const struct bh_range_set *set = &w->conf->ranges.sets[i];

		for (size_t j = 0; j < set->n && set->r[j].lo.family == family; j++) {
			int r = add_route(w, sk, &set->r[j].subnet, err);

			if (r < 0 && r != -EEXIST)
				return r;
		}
	}
	return 0;
}

static int cont_routes(struct bh_wire *w, struct nl_sock *sk, struct bh_err *err)
{
	int r;

	for (size_t i = 0; i < w->conf->n_routes; i++) {
		if (!has_family(w, w->conf->routes[i].addr.family))
			continue;
		r = add_route(w, sk, &w->conf->routes[i], err);
		if (r < 0 && r != -EEXIST) /* another interface was first */
			return r;
	}
	for (int family = 4; family <= 6 && !w->conf->routes_given; family += 2) {
		struct bh_prefix dst = bh_wire_default(family);

		if (!has_family(w, family))
			continue;
		r = add_route(w, sk, &dst, err);
		if (r == -EEXIST)
			r = route_ranges(w, sk, family, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* In the container's namespace. */
static int cont_side(struct bh_wire *w, struct bh_err *err)
{
	bh_cleanup(bh_rtnl_closep) struct nl_sock *sk = NULL;
	int r = bh_rtnl_open(&sk, err);

	if (r == 0)
		r = apply(w, cont_settings, BH_ARRAY_SIZE(cont_settings), w->at->ifname, err);
	if (r == 0)
		r = bh_rtnl_link_up(sk, w->cont_index, NULL, err);
	for (size_t i = 0; r == 0 && i < w->n_ips; i++)
		r = bh_rtnl_addr_add(sk, w->cont_index, &w->ips[i], 0, err);
	for (int family = 4; r == 0 && family <= 6; family += 2) {
		struct bh_addr gw = bh_wire_gateway(family);

		if (has_family(w, family))
			r = bh_rtnl_neigh_add(sk, w->cont_index, &gw, w->host_mac, err);
	}
	if (r == 0)
		r = cont_routes(w, sk, err);
	return r;
}

static int host_side(struct bh_wire *w, struct bh_err *err)
{
	struct bh_addr gw6 = bh_wire_gateway(6);
	int r = apply(w, host_settings, BH_ARRAY_SIZE(host_settings), w->at->host_name, err);

	if (r == 0)
		r = bh_rtnl_link_up(w->sk, w->host_index, w->at->alias, err);
	if (r == 0 && has_family(w, 6))
		r = bh_rtnl_addr_add(w->sk, w->host_index, &gw6, 64, err);
	for (size_t i = 0; r == 0 && i < w->n_ips; i++) {
		struct bh_prefix dst = { .addr = w->ips[i],
					 .len = (uint8_t)(bh_addr_size(&w->ips[i]) * 8) };

		r = bh_rtnl_neigh_add(w->sk, w->host_index, &w->ips[i], w->cont_mac, err);
		if (r == 0)
			r = bh_rtnl_route_add(w->sk, w->host_index, &dst, NULL, err);
	}
	return r;
}

int bh_wire_setup(struct bh_wire *w, struct bh_err *err)
{
	struct bh_err back_err = { 0 };
	int r = bh_netns_enter(w->cont, err);
	int back;

	if (r < 0)
		return r;
	r = cont_side(w, err);
	back = bh_netns_enter(w->self, &back_err);
	if (back < 0) { /* nothing that follows may run in the container */
		bh_error("cannot come back from the container: %s", bh_err_text(&back_err, back));
		abort();
	}
	if (r < 0)
		return bh_err_wrap(err, r, "in the container");
	return host_side(w, err);
}

int bh_wire_find(struct nl_sock *sk, const struct bh_attachment *at, struct bh_link *ret,
		 struct bh_err *err)
{
	struct bh_link l;
	int r = bh_rtnl_link_get(sk, at->host_name, 0, &l, err);

	if (r < 0)
		return r;
	if (!l.veth || !(bh_streq(l.alias, at->alias) ||
			 (l.alias[0] == '\0' && l.group == BH_GROUP_QUARANTINE)))
		return bh_err_set(err, -EPERM,
				  "interface %s was not made for this container (alias '%.64s')",
				  at->host_name, l.alias);
	*ret = l;
	return 0;
}

int bh_wire_delete(struct nl_sock *sk, const struct bh_attachment *at, struct bh_err *err)
{
	struct bh_link l;
	int r = bh_wire_find(sk, at, &l, err);

	if (r == 0)
		r = bh_rtnl_link_delete(sk, l.index, err);
	return r == -ENODEV ? 0 : r;
}
