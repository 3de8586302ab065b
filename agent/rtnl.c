// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/rtnl.c - network links of this host
 *
 * Two sockets: one asks and waits for the answer, one only listens, so that an answer is never mistaken
 * for news.
 */
#include "agent/rtnl.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/log.h"

#include "common/banned.h"

#define BUFFER_SIZE        32768U
#define MONITOR_RCVBUF     (1 << 20)
#define ANSWER_TIMEOUT_SEC 5

struct bh_rtnl {
	struct mnl_socket *ask, *hear;
	uint32_t seq;
	char buf[BUFFER_SIZE];
	char heard[BUFFER_SIZE]; /* who hears of a link may ask about it */
};

static int open_socket(unsigned groups, int flags, struct mnl_socket **ret, struct bh_err *err)
{
	struct timeval tv = { .tv_sec = ANSWER_TIMEOUT_SEC };
	int one = 1, size = MONITOR_RCVBUF;

	*ret = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	if (!*ret || mnl_socket_bind(*ret, groups, MNL_SOCKET_AUTOPID) < 0)
		return bh_err_set(err, -errno, "cannot open a route netlink socket: %s",
				  strerrordesc_np(errno));
	(void)mnl_socket_setsockopt(*ret, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(mnl_socket_get_fd(*ret), SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (groups && setsockopt(mnl_socket_get_fd(*ret), SOL_SOCKET, SO_RCVBUFFORCE, &size,
				 sizeof(size)) < 0)
		bh_debug("route netlink: receive buffer: %s", strerrordesc_np(errno));
	return 0;
}

int bh_rtnl_open(struct bh_rtnl **ret, struct bh_err *err)
{
	bh_cleanup(bh_rtnl_closep) struct bh_rtnl *rt = calloc(1, sizeof(*rt));
	int r;

	if (!rt)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = open_socket(0, 0, &rt->ask, err);
	if (r == 0)
		r = open_socket(RTMGRP_LINK, SOCK_NONBLOCK, &rt->hear, err);
	if (r < 0)
		return r;
	*ret = bh_take_ptr(&rt);
	return 0;
}

struct bh_rtnl *bh_rtnl_close(struct bh_rtnl *r)
{
	if (!r)
		return NULL;
	if (r->ask)
		(void)mnl_socket_close(r->ask);
	if (r->hear)
		(void)mnl_socket_close(r->hear);
	free(r);
	return NULL;
}

static struct nlmsghdr *request(struct bh_rtnl *r, uint16_t type, uint16_t flags, unsigned index)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(r->buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++r->seq;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)index;
	return nlh;
}

/* Sends, and gives every answer of this request to @fn until it is finished. */
static int talk(struct bh_rtnl *r, struct nlmsghdr *nlh, mnl_cb_t fn, void *arg)
{
	unsigned portid = mnl_socket_get_portid(r->ask);

	if (mnl_socket_sendto(r->ask, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(r->ask, r->buf, sizeof(r->buf));
		int ret;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		ret = mnl_cb_run(r->buf, (size_t)n, r->seq, portid, fn, arg);
		if (ret < 0 && (errno == EPROTO || errno == ESRCH))
			continue; /* a late answer to an earlier request */
		if (ret < 0)
			return -errno;
		if (ret == MNL_CB_STOP)
			return 0;
	}
}

static int on_attr(const struct nlattr *attr, void *arg)
{
	struct bh_host_link *link = arg;

	if (mnl_attr_get_type(attr) == IFLA_GROUP && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
		link->group = mnl_attr_get_u32(attr);
	if (mnl_attr_get_type(attr) == IFLA_IFNAME &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		(void)snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct bh_host_link *link = arg;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	link->index = (unsigned)ifi->ifi_index;
	return mnl_attr_parse(nlh, sizeof(*ifi), on_attr, link);
}

int bh_rtnl_link_get(struct bh_rtnl *r, unsigned index, const char *name, struct bh_host_link *ret,
		     struct bh_err *err)
{
	struct bh_host_link link = { 0 };
	int ret_code = -ENODEV;

	if (index > 0)
		ret_code = talk(r, request(r, RTM_GETLINK, NLM_F_ACK, index), on_link, &link);
	if (ret_code == -ENODEV || (ret_code == 0 && link.index != index))
		return bh_err_set(err, -ENODEV, "there is no link with index %u", index);
	if (ret_code < 0)
		return bh_err_set(err, ret_code, "cannot look for link %u: %s", index,
				  strerrordesc_np(-ret_code));
	if (name && strcmp(name, link.name) != 0)
		return bh_err_set(err, -ENODEV, "link %u is '%s', not '%s'", index, link.name,
				  name);
	*ret = link;
	return 0;
}

int bh_rtnl_link_set_group(struct bh_rtnl *r, unsigned index, uint32_t group, struct bh_err *err)
{
	struct nlmsghdr *nlh = request(r, RTM_SETLINK, NLM_F_ACK, index);
	int ret;

	mnl_attr_put_u32(nlh, IFLA_GROUP, group);
	ret = talk(r, nlh, NULL, NULL);
	if (ret < 0)
		return bh_err_set(err, ret, "cannot move link %u to group 0x%x: %s", index, group,
				  strerrordesc_np(-ret));
	return 0;
}

/* ---- bridges ---- */

struct bridges {
	struct bh_host_bridge *v;
	size_t n;
	bool failed;
};

static int on_bridge_data(const struct nlattr *attr, void *arg)
{
	struct bh_host_bridge *b = arg;

	if (mnl_attr_validate(attr, MNL_TYPE_U8) < 0)
		return MNL_CB_OK;
	if (mnl_attr_get_type(attr) == IFLA_BR_NF_CALL_IPTABLES)
		b->calls[0] = mnl_attr_get_u8(attr) != 0;
	if (mnl_attr_get_type(attr) == IFLA_BR_NF_CALL_IP6TABLES)
		b->calls[1] = mnl_attr_get_u8(attr) != 0;
	return MNL_CB_OK;
}

static int on_bridge_info(const struct nlattr *attr, void *arg)
{
	return mnl_attr_get_type(attr) == IFLA_INFO_DATA
		   ? mnl_attr_parse_nested(attr, on_bridge_data, arg)
		   : MNL_CB_OK;
}

static int on_bridge_attr(const struct nlattr *attr, void *arg)
{
	struct bh_host_bridge *b = arg;

	if (mnl_attr_get_type(attr) == IFLA_IFNAME &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		(void)snprintf(b->name, sizeof(b->name), "%s", mnl_attr_get_str(attr));
	return mnl_attr_get_type(attr) == IFLA_LINKINFO
		   ? mnl_attr_parse_nested(attr, on_bridge_info, arg)
		   : MNL_CB_OK;
}

static int on_bridge(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct bridges *l = arg;
	struct bh_host_bridge *v;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	v = reallocarray(l->v, l->n + 1, sizeof(*v));
	if (!v) {
		l->failed = true;
		return MNL_CB_OK;
	}
	l->v = v;
	v[l->n] = (struct bh_host_bridge){ .index = (unsigned)ifi->ifi_index };
	return mnl_attr_parse(nlh, sizeof(*ifi), on_bridge_attr, &v[l->n++]);
}

int bh_rtnl_bridges(struct bh_rtnl *r, struct bh_host_bridge **ret, size_t *ret_n,
		    struct bh_err *err)
{
	struct nlmsghdr *nlh = request(r, RTM_GETLINK, NLM_F_DUMP, 0);
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	struct bridges l = { .v = NULL };
	int code;

	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(nlh, info);
	code = talk(r, nlh, on_bridge, &l);
	if (code == 0 && l.failed)
		code = -ENOMEM;
	if (code < 0) {
		free(l.v);
		return bh_err_set(err, code, "cannot list the bridges: %s", strerrordesc_np(-code));
	}
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}

struct ports {
	void (*fn)(void *arg, unsigned index);
	void *arg;
};

static int on_port(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct ports *p = arg;

	if (nlh->nlmsg_type == RTM_NEWLINK)
		p->fn(p->arg, (unsigned)ifi->ifi_index);
	return MNL_CB_OK;
}

int bh_rtnl_ports(struct bh_rtnl *r, unsigned bridge, void (*fn)(void *arg, unsigned index),
		  void *arg, struct bh_err *err)
{
	struct nlmsghdr *nlh = request(r, RTM_GETLINK, NLM_F_DUMP, 0);
	struct ports p = { fn, arg };
	int code;

	mnl_attr_put_u32(nlh, IFLA_MASTER, bridge);
	code = talk(r, nlh, on_port, &p);
	return code < 0 ? bh_err_set(err, code, "cannot list the ports of a bridge: %s",
				     strerrordesc_np(-code))
			: 0;
}

int bh_rtnl_monitor_fd(const struct bh_rtnl *r)
{
	return mnl_socket_get_fd(r->hear);
}

struct news {
	void (*gone)(void *arg, unsigned index);
	void *arg;
};

static int on_news(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct news *news = arg;

	/* A link that leaves a bridge is told in the same words, with the bridge's family. */
	if (nlh->nlmsg_type == RTM_DELLINK && ifi->ifi_family == AF_UNSPEC)
		news->gone(news->arg, (unsigned)ifi->ifi_index);
	return MNL_CB_OK;
}

int bh_rtnl_monitor_read(struct bh_rtnl *r, void (*gone)(void *arg, unsigned index), void *arg,
			 bool *ret_lost)
{
	struct news news = { gone, arg };

	*ret_lost = false;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(r->hear, r->heard, sizeof(r->heard));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			*ret_lost = true;
			continue;
		}
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		(void)mnl_cb_run(r->heard, (size_t)n, 0, 0, on_news, &news);
	}
}
