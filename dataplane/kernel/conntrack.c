// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/conntrack.c - connections: forgetting those of an address, and old epochs in marks
 *
 * A dump and a change cannot share a socket at the same time: what is to be changed is collected first. What vanishes
 * in between is no error. A mark is written under a mask, so that a state that the packet path stamps meanwhile is lost
 * at worst, and then decided again.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "common/buf.h"
#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"
#include "dataplane/marks.h"
#include "policy/protocol.h"

#include "common/banned.h"

#define EPOCHS (BH_EPOCH_MAX + 1)
/* Of CTA_FILTER: net/netfilter/nf_internals.h, CTA_FILTER_F_CTA_IP_SRC. */
#define FILTER_IP_SRC 1U
#define REQUEST_SIZE  256
#define ENTRY_SIZE    512           /* a change of one entry */
#define SEND_MAX      (128U * 1024) /* requests by one sendmsg(2) */

static struct nlmsghdr *message(void *buf, unsigned type, unsigned flags, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	h->nlmsg_flags = (uint16_t)flags;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	return h;
}

/* Entries that were found, as requests to change them. */
struct sweep {
	struct bh_buf out;
	uint64_t used;   /* epochs: to be told */
	uint64_t retire; /* epochs: to be replaced by `to` */
	uint32_t to;     /* epoch bits of a mark */
	uint8_t mark_down;
	const struct bh_addr *addr; /* entries of this one are to be deleted */
};

static void sweep_begin(void *arg)
{
	struct sweep *s = arg;

	bh_buf_clear(&s->out);
	s->used = 0;
}

/* A request about the entry that @entry describes; its attributes are added behind it. */
static struct nlmsghdr *request(struct sweep *s, const struct nlmsghdr *entry, unsigned type)
{
	static const unsigned same[] = { CTA_TUPLE_ORIG, CTA_ZONE };
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(entry);
	size_t off = s->out.len;
	char *room = bh_buf_reserve(&s->out, ENTRY_SIZE);
	struct nlmsghdr *h;

	if (!room)
		return NULL;
	s->out.len = off;
	memset(room, 0, ENTRY_SIZE);
	h = message(room, type, NLM_F_REQUEST, g->nfgen_family);
	for (size_t i = 0; i < BH_ARRAY_SIZE(same); i++) {
		const struct nlattr *a = bh_nl_attr(entry, same[i]);

		if (!a)
			continue;
		if (a->nla_len > ENTRY_SIZE / 2)
			return NULL;
		mnl_attr_put(h, a->nla_type, mnl_attr_get_payload_len(a), mnl_attr_get_payload(a));
	}
	return h;
}

static void request_end(struct sweep *s, const struct nlmsghdr *h)
{
	s->out.len += bh_nl_align(h->nlmsg_len);
}

static int sweep_mark(const struct nlmsghdr *h, void *arg)
{
	struct sweep *s = arg;
	uint32_t mark = bh_mark_read(bh_nl_u32(bh_nl_attr(h, CTA_MARK)), s->mark_down);
	unsigned epoch = (mark & BH_MARK_EPOCH) >> BH_MARK_EPOCH_SHIFT;
	struct nlmsghdr *n;

	if ((mark & BH_MARK_STATE) == 0)
		return 0;
	s->used |= UINT64_C(1) << epoch;
	if (!(s->retire >> epoch & 1))
		return 0;
	n = request(s, h, IPCTNL_MSG_CT_NEW);
	if (!n)
		return -ENOMEM;
	mnl_attr_put_u32(n, CTA_MARK, htonl(bh_mark_place(s->to, s->mark_down)));
	mnl_attr_put_u32(n, CTA_MARK_MASK, htonl(bh_mark_place(BH_MARK_EPOCH, s->mark_down)));
	request_end(s, n);
	return 0;
}

static bool tuple_has(const struct nlattr *tuple, const struct bh_addr *a)
{
	static const unsigned v4[] = { CTA_IP_V4_SRC, CTA_IP_V4_DST };
	static const unsigned v6[] = { CTA_IP_V6_SRC, CTA_IP_V6_DST };
	const struct nlattr *ip = bh_nl_nested(tuple, CTA_TUPLE_IP), *v;

	for (size_t i = 0; i < 2; i++) {
		v = bh_nl_nested(ip, a->family == 4 ? v4[i] : v6[i]);
		if (v && mnl_attr_get_payload_len(v) == bh_addr_size(a) &&
		    memcmp(mnl_attr_get_payload(v), a->bytes, bh_addr_size(a)) == 0)
			return true;
	}
	return false;
}

static int sweep_addr(const struct nlmsghdr *h, void *arg)
{
	struct sweep *s = arg;
	const struct nlattr *id = bh_nl_attr(h, CTA_ID);
	struct nlmsghdr *n;

	if (!tuple_has(bh_nl_attr(h, CTA_TUPLE_ORIG), s->addr) &&
	    !tuple_has(bh_nl_attr(h, CTA_TUPLE_REPLY), s->addr))
		return 0;
	n = request(s, h, IPCTNL_MSG_CT_DELETE);
	if (!n)
		return -ENOMEM;
	/* Not its successor, should there be one by now. */
	if (id)
		mnl_attr_put(n, CTA_ID, mnl_attr_get_payload_len(id), mnl_attr_get_payload(id));
	request_end(s, n);
	return 0;
}

/* What was collected, in pieces. */
static int sweep_send(struct bh_nl *nl, const struct sweep *s)
{
	size_t off = 0;

	if (bh_buf_failed(&s->out))
		return -ENOMEM;
	while (off < s->out.len) {
		struct bh_nl_error e;
		size_t n = 0;
		int r;

		while (off + n < s->out.len && n < SEND_MAX) {
			const struct nlmsghdr *h = (const void *)(s->out.data + off + n);

			n += bh_nl_align(h->nlmsg_len);
		}
		r = bh_nl_send(nl, s->out.data + off, n, &e);
		if (r < 0 && r != -ENOENT)
			return r;
		off += n;
	}
	return 0;
}

/* A power of two of epochs, aligned, is some bits of the mark: the kernel leaves out the others. */
static void only_epochs(struct nlmsghdr *h, uint8_t mark_down, unsigned first, unsigned n)
{
	uint32_t mask = BH_MARK_EPOCH & ~((n - 1) << BH_MARK_EPOCH_SHIFT);

	mnl_attr_put_u32(h, CTA_MARK,
			 htonl(bh_mark_place((uint32_t)first << BH_MARK_EPOCH_SHIFT, mark_down)));
	mnl_attr_put_u32(h, CTA_MARK_MASK, htonl(bh_mark_place(mask, mark_down)));
}

int bh_ct_epochs(struct bh_nl *nl, uint8_t mark_down, uint64_t *ret_used)
{
	struct sweep s = { .out = BH_BUF_INIT, .mark_down = mark_down };
	char buf[REQUEST_SIZE];
	int r;

	r = bh_nl_dump(nl, message(buf, IPCTNL_MSG_CT_GET, 0, AF_UNSPEC), sweep_begin, sweep_mark,
		       &s);
	bh_buf_done(&s.out);
	if (r < 0)
		return r;
	*ret_used = s.used;
	return 0;
}

/* Return: 1: there is one; 0: there is more to read; -ENODATA: that was all. */
static int look_for_state(const char *buf, int left, uint8_t mark_down)
{
	for (const struct nlmsghdr *h = (const void *)buf; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return -ENODATA;
		if (h->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		if (bh_mark_read(bh_nl_u32(bh_nl_attr(h, CTA_MARK)), mark_down) & BH_MARK_STATE)
			return 1;
	}
	return 0;
}

int bh_ct_has_epochs(uint8_t mark_down, unsigned first, unsigned n, bool *ret)
{
	/* A socket of its own: closing it is the one way to end a list. */
	bh_autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	bh_autofree char *buf = malloc(BH_NL_RCV_SIZE);
	char req[REQUEST_SIZE];
	struct nlmsghdr *h = message(req, IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, AF_UNSPEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (!buf)
		return -ENOMEM;
	only_epochs(h, mark_down, first, n);
	if (send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	while (r == 0) {
		ssize_t size = recv(fd, buf, BH_NL_RCV_SIZE, 0);

		if (size < 0 && errno == EINTR)
			continue;
		r = size < 0 ? -errno : look_for_state(buf, (int)size, mark_down);
	}
	*ret = r == 1;
	return r == 1 || r == -ENODATA ? 0 : r;
}

int bh_ct_retire(struct bh_nl *nl, uint8_t mark_down, unsigned first, unsigned n, unsigned to)
{
	struct sweep s = { .out = BH_BUF_INIT,
			   .to = (uint32_t)to << BH_MARK_EPOCH_SHIFT,
			   .mark_down = mark_down };
	char buf[REQUEST_SIZE];
	struct nlmsghdr *h;
	int r;

	for (unsigned i = 0; i < n; i++)
		s.retire |= UINT64_C(1) << (first + i) % EPOCHS;
	s.retire &= ~(UINT64_C(1) << to);
	h = message(buf, IPCTNL_MSG_CT_GET, 0, AF_UNSPEC);
	if (n == BH_EPOCH_BLOCK && first % BH_EPOCH_BLOCK == 0)
		only_epochs(h, mark_down, first, n);
	r = bh_nl_dump(nl, h, sweep_begin, sweep_mark, &s);
	if (r == 0)
		r = sweep_send(nl, &s);
	bh_buf_done(&s.out);
	return r;
}

static int sweep_allowed(const struct nlmsghdr *h, void *arg)
{
	struct sweep *s = arg;
	uint32_t mark = bh_mark_read(bh_nl_u32(bh_nl_attr(h, CTA_MARK)), s->mark_down);
	struct nlmsghdr *n;
	bool judged;

	if ((mark & BH_MARK_OURS) != 0 && (mark & BH_MARK_STATE) != BH_MARK_ALLOW)
		return 0;
	n = request(s, h, IPCTNL_MSG_CT_NEW);
	if (!n)
		return -ENOMEM;
	mnl_attr_put_u32(n, CTA_MARK, htonl(bh_mark_place(BH_MARK_NOTHING, s->mark_down)));
	/* The protocol stays where one is known: it is judged by it. That it was there before is none. */
	judged = (mark & BH_MARK_SUB_MASK) != 0 &&
		 (mark & BH_MARK_RESULT) >> BH_MARK_RESULT_SHIFT != BH_PROTO_ADOPTED;
	mnl_attr_put_u32(n, CTA_MARK_MASK,
			 htonl(bh_mark_place(judged ? BH_MARK_STATE | BH_MARK_EPOCH : BH_MARK_OURS,
					     s->mark_down)));
	request_end(s, n);
	return 0;
}

int bh_ct_doubt(struct bh_nl *nl, uint8_t mark_down)
{
	struct sweep s = { .out = BH_BUF_INIT, .mark_down = mark_down };
	char buf[REQUEST_SIZE];
	int r = bh_nl_dump(nl, message(buf, IPCTNL_MSG_CT_GET, 0, AF_UNSPEC), sweep_begin,
			   sweep_allowed, &s);

	if (r == 0)
		r = sweep_send(nl, &s);
	bh_buf_done(&s.out);
	return r;
}

static void count_entries(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *n = bh_nl_attr(h, CTA_STATS_GLOBAL_ENTRIES);

	if (h->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS) && n)
		*(int64_t *)arg = bh_nl_u32(n);
}

/* How many connections there are in this namespace; -1: the kernel does not say. */
static int64_t entries(struct bh_nl *nl)
{
	char buf[REQUEST_SIZE];
	const struct nlmsghdr *h =
	    message(buf, IPCTNL_MSG_CT_GET_STATS, NLM_F_REQUEST | NLM_F_ACK, AF_UNSPEC);
	struct bh_nl_error e;
	int64_t n = -1;

	return bh_nl_send_echo(nl, h, h->nlmsg_len, count_entries, &n, &e) < 0 ? -1 : n;
}

/*
 * Only entries that come from @a, or (@reply) that are answered by it: who is at an end of a connection is the one or the
 * other, whatever NAT shows. A kernel that does not know filters (before 5.8) lists all.
 */
static void only_from(struct nlmsghdr *h, const struct bh_addr *a, bool reply)
{
	struct nlattr *tuple, *ip, *filter;

	tuple = mnl_attr_nest_start(h, reply ? CTA_TUPLE_REPLY : CTA_TUPLE_ORIG);
	ip = mnl_attr_nest_start(h, CTA_TUPLE_IP);
	mnl_attr_put(h, a->family == 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, bh_addr_size(a), a->bytes);
	mnl_attr_nest_end(h, ip);
	mnl_attr_nest_end(h, tuple);
	filter = mnl_attr_nest_start(h, CTA_FILTER);
	mnl_attr_put_u32(h, reply ? CTA_FILTER_REPLY_FLAGS : CTA_FILTER_ORIG_FLAGS, FILTER_IP_SRC);
	mnl_attr_nest_end(h, filter);
}

static int delete_some(struct bh_nl *nl, const struct bh_addr *a, bool filter, bool reply)
{
	struct sweep s = { .out = BH_BUF_INIT, .addr = a };
	char buf[REQUEST_SIZE];
	struct nlmsghdr *h =
	    message(buf, IPCTNL_MSG_CT_GET, 0, a->family == 4 ? AF_INET : AF_INET6);
	int r;

	if (filter)
		only_from(h, a, reply);
	r = bh_nl_dump(nl, h, sweep_begin, sweep_addr, &s);
	if (r == 0)
		r = sweep_send(nl, &s);
	bh_buf_done(&s.out);
	return r;
}

/* Going through the table costs as much as copying so many entries out of it. */
#define FEW_ENTRIES 4096U

int bh_ct_delete(struct bh_nl *nl, const struct bh_addr *a)
{
	int64_t n;
	int r;

	if (a->family != 4 && a->family != 6)
		return -EINVAL;
	n = entries(nl);
	if (n == 0)
		return 0;
	if (n > 0 && n < FEW_ENTRIES)
		return delete_some(nl, a, false, false);
	r = delete_some(nl, a, true, false);
	return r < 0 ? r : delete_some(nl, a, true, true);
}
