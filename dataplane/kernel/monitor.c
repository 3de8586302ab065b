// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/monitor.c - who changes nftables in this namespace
 *
 * The kernel tells every change to a multicast group, with the address of the socket that made it. Our own are taken
 * out by a filter on the socket, or a first load of 100,000 elements would overflow it. But the kernel writes them all the
 * same, a seventh of what any change costs; where nobody else can change our tables, nobody listens.
 */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"

#include "common/banned.h"

#define RCVBUF (8 * 1024 * 1024)

static int leave_out(int fd, uint32_t portid)
{
	/* The loads of the filter are in network order, the header is in ours. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(portid), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog prog = { .len = BH_ARRAY_SIZE(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

int bh_monitor_open(uint32_t our_portid, int *ret_fd, struct bh_err *err)
{
	const int group = NFNLGRP_NFTABLES, size = RCVBUF;
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	bh_autoclose int fd = -1;
	int r;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (fd < 0)
		return bh_err_set(err, -errno, "cannot open a socket to watch nftables: %s",
				  strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	r = leave_out(fd, our_portid);
	if (r < 0)
		return bh_err_set(err, r, "cannot filter the notices of nftables: %s",
				  strerror(-r));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return bh_err_set(err, -errno, "cannot watch nftables: %s", strerror(errno));
	*ret_fd = bh_take_fd(&fd);
	return 0;
}

void bh_monitor_listen(int fd, bool on)
{
	const int group = NFNLGRP_NFTABLES;

	(void)setsockopt(fd, SOL_NETLINK, on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP,
			 &group, sizeof(group));
}

static bool is_ours(const struct nlmsghdr *h, uint32_t our_portid, const char *table)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_pid == our_portid || h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return false;
	if (mnl_nlmsg_get_payload_len(h) < sizeof(*g) ||
	    (g->nfgen_family != NFPROTO_IPV4 && g->nfgen_family != NFPROTO_IPV6 &&
	     g->nfgen_family != NFPROTO_ARP && g->nfgen_family != NFPROTO_BRIDGE))
		return false;
	/* The name of the table is the first attribute of every kind of notice but the generation's. */
	if ((h->nlmsg_type & 0xff) == NFT_MSG_NEWGEN)
		return false;
	return bh_streq(bh_nl_str(bh_nl_attr(h, NFTA_TABLE_NAME)), table);
}

int bh_monitor_drain(int fd, uint32_t our_portid, const char *table, bool *ret_touched)
{
	bh_autofree char *buf = malloc(BH_NL_RCV_SIZE);
	bool touched = false;

	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t n = recv(fd, buf, BH_NL_RCV_SIZE, 0);
		const struct nlmsghdr *h = (const void *)buf;
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			touched = true; /* more than we could hear: better look */
			continue;
		}
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n <= 0)
			break;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			touched = touched || is_ours(h, our_portid, table);
	}
	*ret_touched = touched;
	return 0;
}
