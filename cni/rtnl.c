// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cni/rtnl.c - links, addresses, routes and neighbours
 *
 * libnl-route builds what changes something. It has no way to hand on the kernel's words, to filter a dump,
 * or to ask for one route, so sending, dumps and look-ups are done here on libnl's messages.
 *
 * What the kernel honours in the message that makes a veth: names, MACs, MTU, queues, group, the namespace
 * of the peer. Not: IFF_UP, the alias; they need a second message.
 */
#include "cni/rtnl.h"

#include "common/util.h"

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/banned.h"

/* Queues of a veth. The kernel's default is one for each possible CPU, which makes a veth cost 2 ms on a
 * machine with 64; a container's veth is processed where the packet came from anyway. */
#define QUEUES 1U
/* Largest message the kernel sends: its dump buffers. */
#define MESSAGE_MAX 32768U

static void link_putp(struct rtnl_link **p)
{
	if (*p)
		rtnl_link_put(*p);
}

static void addr_putp(struct nl_addr **p)
{
	if (*p)
		nl_addr_put(*p);
}

static void rtaddr_putp(struct rtnl_addr **p)
{
	if (*p)
		rtnl_addr_put(*p);
}

static void neigh_putp(struct rtnl_neigh **p)
{
	if (*p)
		rtnl_neigh_put(*p);
}

static void route_putp(struct rtnl_route **p)
{
	if (*p)
		rtnl_route_put(*p);
}

static void msg_freep(struct nl_msg **p)
{
	if (*p)
		nlmsg_free(*p);
}

static void cb_putp(struct nl_cb **p)
{
	if (*p)
		nl_cb_put(*p);
}

int bh_rtnl_open(struct nl_sock **ret, struct bh_err *err)
{
	struct nl_sock *sk = nl_socket_alloc();
	int one = 1;
	int r;

	if (!sk)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = nl_connect(sk, NETLINK_ROUTE); /* close-on-exec */
	if (r < 0) {
		nl_socket_free(sk);
		return bh_err_set(err, -EIO, "cannot open a netlink socket: %s", nl_geterror(r));
	}
	/* A buffer that holds any message of the kernel, so that none is asked for its size first. */
	nl_socket_disable_msg_peek(sk);
	(void)nl_socket_set_msg_buf_size(sk, MESSAGE_MAX);
	/* Kernels without them still answer, with fewer words and unfiltered dumps. */
	(void)setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	(void)setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one,
			 sizeof(one));
	*ret = sk;
	return 0;
}

void bh_rtnl_closep(struct nl_sock **sk)
{
	if (*sk)
		nl_socket_free(*sk);
	*sk = NULL;
}

struct reply {
	int error; /* negative errno of the kernel */
	bool done;
	char words[160];
	int (*each)(struct nlmsghdr *h, void *arg);
	void *arg;
};

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)((char *)e - NLMSG_HDRLEN);
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { NULL };
	struct reply *rep = arg;
	size_t skip = sizeof(*e);

	(void)from;
	rep->error = e->error;
	rep->done = true;
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NL_STOP;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - NLMSG_HDRLEN;
	if (NLMSG_HDRLEN + skip >= h->nlmsg_len)
		return NL_STOP;
	if (nla_parse(tb, NLMSGERR_ATTR_MAX, (struct nlattr *)(void *)((char *)e + skip),
		      (int)(h->nlmsg_len - NLMSG_HDRLEN - skip), NULL) == 0 &&
	    tb[NLMSGERR_ATTR_MSG])
		(void)nla_strlcpy(rep->words, tb[NLMSGERR_ATTR_MSG], sizeof(rep->words));
	return NL_STOP;
}

static int on_end(struct nl_msg *m, void *arg)
{
	(void)m;
	((struct reply *)arg)->done = true;
	return NL_STOP;
}

static int on_valid(struct nl_msg *m, void *arg)
{
	struct reply *rep = arg;

	return rep->each ? rep->each(nlmsg_hdr(m), rep->arg) : NL_OK;
}

/*
 * Sends @msg and reads to the end of the answer. @each sees what is no acknowledgement. "cannot <what>" begins
 * the message of an error, which carries the kernel's words where it has some.
 */
static int talk(struct nl_sock *sk, struct nl_msg *msg, int (*each)(struct nlmsghdr *, void *),
		void *arg, struct bh_err *err, const char *what)
{
	bh_cleanup(cb_putp) struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	struct reply rep = { .each = each, .arg = arg };
	int r;

	if (!cb)
		return bh_err_set(err, -ENOMEM, "out of memory");
	(void)nl_cb_err(cb, NL_CB_CUSTOM, on_error, &rep);
	(void)nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_end, &rep);
	(void)nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_end, &rep);
	(void)nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, &rep);
	r = nl_send_auto(sk, msg);
	while (r >= 0 && !rep.done)
		r = nl_recvmsgs(sk, cb);
	if (rep.error)
		return bh_err_set(err, rep.error, "cannot %s: %s%s%s%s", what,
				  strerrordesc_np(-rep.error), rep.words[0] ? " (" : "", rep.words,
				  rep.words[0] ? ")" : "");
	if (r < 0)
		return bh_err_set(err, -EIO, "cannot %s: netlink: %s", what, nl_geterror(r));
	return 0;
}

static int no_memory(struct bh_err *err)
{
	return bh_err_set(err, -ENOMEM, "out of memory");
}

static int set_end(struct rtnl_link *l, const char *name, const uint8_t *mac, uint32_t mtu)
{
	bh_cleanup(addr_putp) struct nl_addr *a = nl_addr_build(AF_LLC, mac, 6);

	if (!a)
		return -ENOMEM;
	rtnl_link_set_name(l, name);
	rtnl_link_set_addr(l, a);
	rtnl_link_set_mtu(l, mtu);
	rtnl_link_set_num_tx_queues(l, QUEUES);
	rtnl_link_set_num_rx_queues(l, QUEUES);
	return 0;
}

int bh_rtnl_veth_add(struct nl_sock *sk, const struct bh_veth *v, struct bh_err *err)
{
	bh_cleanup(link_putp) struct rtnl_link *host = rtnl_link_veth_alloc();
	bh_cleanup(link_putp) struct rtnl_link *peer = host ? rtnl_link_veth_get_peer(host) : NULL;
	bh_cleanup(msg_freep) struct nl_msg *msg = NULL;
	char what[64];

	if (!peer || set_end(host, v->host_name, v->host_mac, v->mtu) < 0 ||
	    set_end(peer, v->cont_name, v->cont_mac, v->mtu) < 0)
		return no_memory(err);
	rtnl_link_set_group(host, BH_GROUP_QUARANTINE);
	rtnl_link_set_ns_fd(peer, v->cont_netns_fd);
	if (rtnl_link_build_add_request(host, NLM_F_CREATE | NLM_F_EXCL, &msg) < 0)
		return no_memory(err);
	(void)snprintf(what, sizeof(what), "make the veth %s - %s", v->host_name, v->cont_name);
	return talk(sk, msg, NULL, NULL, err, what);
}

static int take_link(struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[IFLA_MAX + 1] = { NULL }, *info[IFLA_INFO_MAX + 1] = { NULL };
	const struct ifinfomsg *ifi = nlmsg_data(h);
	struct bh_link *l = arg;

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(*ifi), tb, IFLA_MAX, NULL) < 0)
		return NL_SKIP;
	*l = (struct bh_link){ .index = (uint32_t)ifi->ifi_index, .up = ifi->ifi_flags & IFF_UP };
	if (tb[IFLA_GROUP])
		l->group = nla_get_u32(tb[IFLA_GROUP]);
	if (tb[IFLA_MTU])
		l->mtu = nla_get_u32(tb[IFLA_MTU]);
	if (tb[IFLA_LINK])
		l->peer_index = nla_get_u32(tb[IFLA_LINK]);
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == sizeof(l->mac))
		memcpy(l->mac, nla_data(tb[IFLA_ADDRESS]), sizeof(l->mac));
	if (tb[IFLA_IFALIAS])
		(void)nla_strlcpy(l->alias, tb[IFLA_IFALIAS], sizeof(l->alias));
	if (tb[IFLA_LINKINFO] &&
	    nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) == 0 &&
	    info[IFLA_INFO_KIND])
		l->veth = nla_strcmp(info[IFLA_INFO_KIND], "veth") == 0;
	return NL_OK;
}

int bh_rtnl_link_get(struct nl_sock *sk, const char *name, uint32_t index, struct bh_link *ret,
		     struct bh_err *err)
{
	bh_cleanup(msg_freep) struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
	struct ifinfomsg ifi = { .ifi_index = name ? 0 : (int)index };
	struct bh_link l = { .index = 0 };
	char what[64];
	int r;

	if (!msg || nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0 ||
	    (name && nla_put_string(msg, IFLA_IFNAME, name) < 0))
		return no_memory(err);
	if (name)
		(void)snprintf(what, sizeof(what), "find interface %s", name);
	else
		(void)snprintf(what, sizeof(what), "find interface %u", index);
	r = talk(sk, msg, take_link, &l, err, what);
	if (r == 0 && l.index == 0)
		r = bh_err_set(err, -ENODEV, "cannot %s", what);
	if (r == 0)
		*ret = l;
	return r;
}

int bh_rtnl_link_up(struct nl_sock *sk, uint32_t index, const char *alias, struct bh_err *err)
{
	bh_cleanup(msg_freep) struct nl_msg *msg = nlmsg_alloc_simple(RTM_SETLINK, 0);
	struct ifinfomsg ifi = { .ifi_index = (int)index,
				 .ifi_flags = IFF_UP,
				 .ifi_change = IFF_UP };
	char what[64];

	if (!msg || nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0 ||
	    (alias && nla_put(msg, IFLA_IFALIAS, (int)strlen(alias), alias) < 0))
		return no_memory(err);
	(void)snprintf(what, sizeof(what), "bring interface %u up", index);
	return talk(sk, msg, NULL, NULL, err, what);
}

int bh_rtnl_link_delete(struct nl_sock *sk, uint32_t index, struct bh_err *err)
{
	bh_cleanup(msg_freep) struct nl_msg *msg = nlmsg_alloc_simple(RTM_DELLINK, 0);
	struct ifinfomsg ifi = { .ifi_index = (int)index };
	char what[64];

	if (!msg || nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0)
		return no_memory(err);
	(void)snprintf(what, sizeof(what), "delete interface %u", index);
	return talk(sk, msg, NULL, NULL, err, what);
}

static int af(const struct bh_addr *a)
{
	return a->family == 4 ? AF_INET : AF_INET6;
}

static struct nl_addr *to_nl(const struct bh_addr *a, unsigned len)
{
	struct nl_addr *n = nl_addr_build(af(a), a->bytes, bh_addr_size(a));

	if (n)
		nl_addr_set_prefixlen(n, (int)len);
	return n;
}

int bh_rtnl_addr_add(struct nl_sock *sk, uint32_t index, const struct bh_addr *a, uint8_t len,
		     struct bh_err *err)
{
	unsigned full = (unsigned)bh_addr_size(a) * 8;
	bh_cleanup(rtaddr_putp) struct rtnl_addr *ra = rtnl_addr_alloc();
	bh_cleanup(addr_putp) struct nl_addr *local = to_nl(a, len ? len : full);
	bh_cleanup(msg_freep) struct nl_msg *msg = NULL;
	char text[BH_ADDR_STRLEN], what[BH_ADDR_STRLEN + 32];

	if (!ra || !local)
		return no_memory(err);
	rtnl_addr_set_ifindex(ra, (int)index);
	if (rtnl_addr_set_local(ra, local) < 0)
		return no_memory(err);
	if (a->family == 6)
		rtnl_addr_set_flags(ra, IFA_F_NODAD);
	if (rtnl_addr_build_add_request(ra, NLM_F_CREATE | NLM_F_EXCL, &msg) < 0)
		return no_memory(err);
	(void)snprintf(what, sizeof(what), "add the address %s", bh_addr_format(a, text));
	return talk(sk, msg, NULL, NULL, err, what);
}

struct find {
	uint32_t index;
	const struct bh_addr *addr;
	unsigned len;
	bool found;
};

static bool attr_is(struct nlattr *at, const struct bh_addr *a)
{
	return at && nla_len(at) == (int)bh_addr_size(a) &&
	       memcmp(nla_data(at), a->bytes, bh_addr_size(a)) == 0;
}

static int match_addr(struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *ifa = nlmsg_data(h);
	struct nlattr *tb[IFA_MAX + 1] = { NULL };
	struct find *f = arg;

	if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof(*ifa), tb, IFA_MAX, NULL) < 0 ||
	    ifa->ifa_index != f->index)
		return NL_SKIP;
	if (attr_is(tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], f->addr))
		f->found = true;
	return NL_OK;
}

int bh_rtnl_addr_find(struct nl_sock *sk, uint32_t index, const struct bh_addr *a,
		      struct bh_err *err)
{
	bh_cleanup(msg_freep) struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg ifa = { .ifa_family = (uint8_t)af(a), .ifa_index = index };
	struct find f = { .index = index, .addr = a };
	char text[BH_ADDR_STRLEN];
	int r;

	if (!msg || nlmsg_append(msg, &ifa, sizeof(ifa), NLMSG_ALIGNTO) < 0)
		return no_memory(err);
	r = talk(sk, msg, match_addr, &f, err, "list addresses");
	if (r == 0 && !f.found)
		r = bh_err_set(err, -ENOENT, "the address %s is gone from the interface",
			       bh_addr_format(a, text));
	return r;
}

int bh_rtnl_neigh_add(struct nl_sock *sk, uint32_t index, const struct bh_addr *a,
		      const uint8_t *mac, struct bh_err *err)
{
	bh_cleanup(neigh_putp) struct rtnl_neigh *n = rtnl_neigh_alloc();
	bh_cleanup(addr_putp) struct nl_addr *dst = to_nl(a, (unsigned)bh_addr_size(a) * 8);
	bh_cleanup(addr_putp) struct nl_addr *ll = nl_addr_build(AF_LLC, mac, 6);
	bh_cleanup(msg_freep) struct nl_msg *msg = NULL;
	char text[BH_ADDR_STRLEN], what[BH_ADDR_STRLEN + 32];

	if (!n || !dst || !ll)
		return no_memory(err);
	rtnl_neigh_set_ifindex(n, (int)index);
	rtnl_neigh_set_state(n, NUD_PERMANENT);
	rtnl_neigh_set_lladdr(n, ll);
	if (rtnl_neigh_set_dst(n, dst) < 0 ||
	    rtnl_neigh_build_add_request(n, NLM_F_CREATE | NLM_F_REPLACE, &msg) < 0)
		return no_memory(err);
	(void)snprintf(what, sizeof(what), "add the neighbour %s", bh_addr_format(a, text));
	return talk(sk, msg, NULL, NULL, err, what);
}

int bh_rtnl_route_add(struct nl_sock *sk, uint32_t index, const struct bh_prefix *dst,
		      const struct bh_addr *gw, struct bh_err *err)
{
	bh_cleanup(route_putp) struct rtnl_route *rt = rtnl_route_alloc();
	bh_cleanup(addr_putp) struct nl_addr *to = to_nl(&dst->addr, dst->len);
	bh_cleanup(addr_putp) struct nl_addr *via =
	    gw ? to_nl(gw, (unsigned)bh_addr_size(gw) * 8) : NULL;
	struct rtnl_nexthop *nh = rtnl_route_nh_alloc();
	bh_cleanup(msg_freep) struct nl_msg *msg = NULL;
	char text[BH_PREFIX_STRLEN], what[BH_PREFIX_STRLEN + 32];

	if (!rt || !to || !nh || (gw && !via) || rtnl_route_set_dst(rt, to) < 0) {
		if (nh)
			rtnl_route_nh_free(nh);
		return no_memory(err);
	}
	rtnl_route_nh_set_ifindex(nh, (int)index);
	if (gw) {
		rtnl_route_nh_set_gateway(nh, via);
		rtnl_route_nh_set_flags(nh, RTNH_F_ONLINK);
		rtnl_route_set_flags(rt, RTNH_F_ONLINK);
	}
	rtnl_route_add_nexthop(rt, nh); /* taken */
	rtnl_route_set_scope(rt, gw || dst->addr.family == 6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
	rtnl_route_set_table(rt, RT_TABLE_MAIN);
	rtnl_route_set_protocol(rt, RTPROT_STATIC);
	if (rtnl_route_build_add_request(rt, NLM_F_CREATE | NLM_F_EXCL, &msg) < 0)
		return no_memory(err);
	(void)snprintf(what, sizeof(what), "add the route to %s", bh_prefix_format(dst, text));
	return talk(sk, msg, NULL, NULL, err, what);
}

static int match_route(struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *rtm = nlmsg_data(h);
	struct nlattr *tb[RTA_MAX + 1] = { NULL };
	struct find *f = arg;

	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*rtm), tb, RTA_MAX, NULL) < 0)
		return NL_SKIP;
	if (rtm->rtm_type != RTN_UNICAST || rtm->rtm_dst_len != f->len || !tb[RTA_OIF] ||
	    nla_get_u32(tb[RTA_OIF]) != f->index)
		return NL_OK;
	if (f->len == 0 || attr_is(tb[RTA_DST], f->addr))
		f->found = true;
	return NL_OK;
}

int bh_rtnl_route_find(struct nl_sock *sk, uint32_t index, const struct bh_prefix *dst,
		       struct bh_err *err)
{
	bh_cleanup(msg_freep) struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg rtm = { .rtm_family = (unsigned char)af(&dst->addr) };
	struct find f = { .index = index, .addr = &dst->addr, .len = dst->len };
	char text[BH_PREFIX_STRLEN];
	int r;

	/* The kernel filters by device, or a host with many routes would be read as a whole. */
	if (!msg || nlmsg_append(msg, &rtm, sizeof(rtm), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(msg, RTA_OIF, index) < 0)
		return no_memory(err);
	r = talk(sk, msg, match_route, &f, err, "list routes");
	if (r == 0 && !f.found)
		r = bh_err_set(err, -ENOENT, "the route to %s is gone",
			       bh_prefix_format(dst, text));
	return r;
}

static int take_oif(struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[RTA_MAX + 1] = { NULL };
	const struct rtmsg *rtm = nlmsg_data(h);

	if (h->nlmsg_type == RTM_NEWROUTE && nlmsg_parse(h, sizeof(*rtm), tb, RTA_MAX, NULL) == 0 &&
	    rtm->rtm_type == RTN_UNICAST && tb[RTA_OIF])
		*(uint32_t *)arg = nla_get_u32(tb[RTA_OIF]);
	return NL_OK;
}

/*
 * One look-up of an address for documentation (RFC 5737, RFC 3849), which is reached by the default route or
 * not at all; a dump would read every container's route.
 */
uint32_t bh_rtnl_default_mtu(struct nl_sock *sk, int family)
{
	bh_cleanup(msg_freep) struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, 0);
	struct rtmsg rtm = { .rtm_family = family == 4 ? AF_INET : AF_INET6 };
	struct bh_link link;
	uint32_t index = 0;
	struct bh_addr a;

	if (bh_addr_parse(family == 4 ? "192.0.2.1" : "2001:db8::1", &a) < 0)
		return 0;
	rtm.rtm_dst_len = (unsigned char)(bh_addr_size(&a) * 8);
	if (!msg || nlmsg_append(msg, &rtm, sizeof(rtm), NLMSG_ALIGNTO) < 0 ||
	    nla_put(msg, RTA_DST, (int)bh_addr_size(&a), a.bytes) < 0)
		return 0;
	if (talk(sk, msg, take_oif, &index, NULL, "find the default route") < 0 || index == 0 ||
	    bh_rtnl_link_get(sk, NULL, index, &link, NULL) < 0)
		return 0;
	return link.mtu;
}
