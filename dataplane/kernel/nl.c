// SPDX-License-Identifier: GPL-3.0-or-later
/* dataplane/kernel/nl.c - a netfilter netlink socket */
#include "dataplane/kernel/nl.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/util.h"

#include "common/banned.h"

/* A first load of 100,000 cells is some 10 MB and leaves by one sendmsg(2). */
#define BUFFER_SIZE    (64 * 1024 * 1024)
#define DUMP_ATTEMPTS  20
#define RECV_TIMEOUT_S 10 /* the kernel answers at once: this only keeps a bug from hanging us */

static void nl_option(int fd, int level, int option, int value)
{
	/* Wishes: what they are for works without them, in smaller steps or with fewer words. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

int bh_nl_open(struct bh_nl *nl, struct bh_err *err)
{
	const struct timeval tv = { .tv_sec = RECV_TIMEOUT_S };
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(sa);
	int r;

	*nl = (struct bh_nl)BH_NL_INIT;
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (nl->fd < 0)
		return bh_err_set(err, -errno, "cannot open a netfilter socket: %s",
				  strerror(errno));
	if (bind(nl->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    getsockname(nl->fd, (struct sockaddr *)&sa, &len) < 0) {
		r = -errno;
		bh_nl_close(nl);
		return bh_err_set(err, r, "cannot bind a netfilter socket: %s", strerror(-r));
	}
	nl->portid = sa.nl_pid;
	nl->seq = 1;
	nl_option(nl->fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_SIZE);
	nl_option(nl->fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_SIZE);
	nl_option(nl->fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
	nl_option(nl->fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
	(void)setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	nl->rcv = malloc(BH_NL_RCV_SIZE);
	if (!nl->rcv) {
		bh_nl_close(nl);
		return bh_err_set(err, -ENOMEM, "out of memory");
	}
	return 0;
}

void bh_nl_close(struct bh_nl *nl)
{
	bh_closep(&nl->fd);
	free(nl->rcv);
	*nl = (struct bh_nl)BH_NL_INIT;
}

const struct nlattr *bh_nl_next_attr(const void *start, size_t size, const struct nlattr *a)
{
	size_t off =
	    a ? (size_t)((const char *)a - (const char *)start) + bh_nl_align(a->nla_len) : 0;
	const struct nlattr *next;

	if (off > size || size - off < sizeof(*next))
		return NULL;
	next = (const void *)((const char *)start + off);
	if (next->nla_len < sizeof(*next) || next->nla_len > size - off)
		return NULL;
	return next;
}

static const struct nlattr *find(const void *start, size_t size, unsigned type)
{
	const struct nlattr *a;

	bh_nl_each_attr(a, start, size) if (mnl_attr_get_type(a) == type) return a;
	return NULL;
}

const struct nlattr *bh_nl_attr(const struct nlmsghdr *h, unsigned type)
{
	size_t size = mnl_nlmsg_get_payload_len(h), own = bh_nl_align(sizeof(struct nfgenmsg));

	if (size < own)
		return NULL;
	return find((const char *)mnl_nlmsg_get_payload(h) + own, size - own, type);
}

const struct nlattr *bh_nl_nested(const struct nlattr *nest, unsigned type)
{
	return nest ? find(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), type) : NULL;
}

uint32_t bh_nl_u32(const struct nlattr *a)
{
	uint32_t v;

	if (!a || mnl_attr_get_payload_len(a) != sizeof(v))
		return 0;
	memcpy(&v, mnl_attr_get_payload(a), sizeof(v));
	return ntohl(v);
}

uint64_t bh_nl_u64(const struct nlattr *a)
{
	uint64_t v;

	if (!a || mnl_attr_get_payload_len(a) != sizeof(v))
		return 0;
	memcpy(&v, mnl_attr_get_payload(a), sizeof(v));
	return be64toh(v);
}

const char *bh_nl_str(const struct nlattr *a)
{
	return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(a) : "";
}

/* What stands behind an error: words and the place in the message. */
static void nl_ext_ack(const struct nlmsghdr *h, struct bh_nl_error *e)
{
	const struct nlmsgerr *ne = mnl_nlmsg_get_payload(h);
	size_t off = sizeof(*ne), size = mnl_nlmsg_get_payload_len(h);
	const struct nlattr *a;
	const char *tlvs, *s;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED) && ne->msg.nlmsg_len >= sizeof(ne->msg))
		off += bh_nl_align(ne->msg.nlmsg_len - sizeof(ne->msg));
	if (off > size)
		return;
	tlvs = (const char *)ne + off;
	s = bh_nl_str(find(tlvs, size - off, NLMSGERR_ATTR_MSG));
	(void)snprintf(e->text, sizeof(e->text), "%s", s);
	a = find(tlvs, size - off, NLMSGERR_ATTR_OFFS);
	if (a && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
		e->off = mnl_attr_get_u32(a); /* host order, unlike netfilter's own */
}

static void nl_error_of(const struct nlmsghdr *h, struct bh_nl_error *e)
{
	const struct nlmsgerr *ne = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(h) < sizeof(*ne) ||
	    ne->error >= 0 || e->code)
		return;
	e->code = ne->error;
	e->seq = ne->msg.nlmsg_seq;
	nl_ext_ack(h, e);
}

/* Everything that stands in the socket, without waiting. @fn: what is no error; may be NULL. */
static void nl_drain(struct bh_nl *nl, struct bh_nl_error *e, bh_nl_echo_fn fn, void *arg)
{
	for (;;) {
		ssize_t n = recv(nl->fd, nl->rcv, BH_NL_RCV_SIZE, MSG_DONTWAIT);
		const struct nlmsghdr *h = (const void *)nl->rcv;
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			/* So many errors that they did not fit: the batch failed. */
			if (!e->code)
				e->code = -ENOBUFS;
			continue;
		}
		if (n <= 0)
			return;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (fn && h->nlmsg_type >= NLMSG_MIN_TYPE)
				fn(h, arg);
			else
				nl_error_of(h, e);
		}
	}
}

int bh_nl_send_echo(struct bh_nl *nl, const void *data, size_t size, bh_nl_echo_fn fn, void *arg,
		    struct bh_nl_error *ret_error)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr m = {
		.msg_name = &sa,
		.msg_namelen = sizeof(sa),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	struct bh_nl_error old = { .code = 0 }, e = { .code = 0 };
	ssize_t n;

	nl_drain(nl, &old, NULL, NULL);
	do {
		n = sendmsg(nl->fd, &m, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		e.code = -errno;
	else
		nl_drain(nl, &e, fn, arg);
	*ret_error = e;
	return e.code;
}

int bh_nl_send(struct bh_nl *nl, const void *data, size_t size, struct bh_nl_error *ret_error)
{
	return bh_nl_send_echo(nl, data, size, NULL, NULL, ret_error);
}

/* One attempt. Return: 1 if the list changed meanwhile. */
static int nl_dump_once(struct bh_nl *nl, struct nlmsghdr *req, bh_nl_fn fn, void *arg)
{
	struct bh_nl_error e = { .code = 0 };
	bool changed = false;
	int r = 0;

	req->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
	req->nlmsg_seq = ++nl->seq;
	nl_drain(nl, &e, NULL, NULL);
	if (send(nl->fd, req, req->nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t n = recv(nl->fd, nl->rcv, BH_NL_RCV_SIZE, 0);
		const struct nlmsghdr *h = (const void *)nl->rcv;
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != req->nlmsg_seq)
				continue;
			if (h->nlmsg_flags & NLM_F_DUMP_INTR)
				changed = true;
			if (h->nlmsg_type == NLMSG_DONE)
				return r < 0 ? r : changed;
			if (h->nlmsg_type == NLMSG_ERROR) {
				e = (struct bh_nl_error){ .code = 0 };
				nl_error_of(h, &e);
				return e.code;
			}
			/* After an error of the reader the rest is read and forgotten. */
			if (r == 0)
				r = fn(h, arg);
		}
	}
}

int bh_nl_dump(struct bh_nl *nl, struct nlmsghdr *req, void (*begin)(void *arg), bh_nl_fn fn,
	       void *arg)
{
	for (int i = 0; i < DUMP_ATTEMPTS; i++) {
		int r;

		if (begin)
			begin(arg);
		r = nl_dump_once(nl, req, fn, arg);
		if (r <= 0)
			return r;
	}
	return -EAGAIN;
}
