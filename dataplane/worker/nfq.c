// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/nfq.c - one NFQUEUE on a plain netlink socket
 *
 * Facts that are not in any manual page, all from the kernel's nfnetlink_queue.c:
 *
 * - One message may bind the queue and set its parameters. In two messages the packets between them would
 *   be lost.
 * - Flags that the kernel does not know make the whole message fail.
 * - A message about a packet begins with the packet's id; so a message that is cut still names its packet.
 * - The kernel copies 65531 bytes at most. NFQA_CAP_LEN then says how long the packet is.
 * - Verdicts of one buffer are carried out one after the other; an error of one does not stop the others
 *   and comes back as a message of its own.
 */
#include "dataplane/worker/nfq.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/limits.h"
#include "common/util.h"

#include "common/banned.h"

#define RCVBUF       (16 * 1024 * 1024)
#define BUF_SIZE     (BH_QUEUE_COPY_MAX + 1U + 4096U) /* a packet and everything said about it */
#define VERDICT_SIZE 64U
#define OUT_SIZE     (256U * VERDICT_SIZE)
#define SEND_TRIES   8

/* In the sequence number of what we send, to tell the errors apart. */
enum { SEQ_CONFIG = 1, SEQ_VERDICT, SEQ_BATCH };

struct bh_nfq {
	int fd;
	uint16_t queue;
	struct bh_nfq_stats stats;
	uint32_t out_len, out_n; /* verdicts that wait to be sent */
	struct mmsghdr msgs[BH_NFQ_ROUND];
	struct iovec iovs[BH_NFQ_ROUND];
	struct sockaddr_nl from[BH_NFQ_ROUND];
	uint8_t *in; /* BH_NFQ_ROUND * BUF_SIZE */
	uint8_t *out;
};

static struct nlmsghdr *put_header(void *buf, uint16_t queue, uint16_t type, uint16_t flags,
				   uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type);
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(queue);
	return nlh;
}

/*
 * The answer to the configuration. Packets can overtake it, and are passed over: the worker begins with a
 * verdict about everything that is older than the first packet it reads.
 */
static int await_ack(int fd, uint16_t queue, struct bh_err *err)
{
	char buf[4096];
	const struct nlmsghdr *nlh = (const void *)buf;
	const struct nlmsgerr *e;
	ssize_t n;

	do {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0 && errno != EINTR)
			return bh_err_set(err, -errno, "queue %u: no answer from the kernel: %m",
					  queue);
	} while (n < (ssize_t)NLMSG_LENGTH(sizeof(*e)) || nlh->nlmsg_type != NLMSG_ERROR ||
		 nlh->nlmsg_seq != SEQ_CONFIG);
	e = mnl_nlmsg_get_payload(nlh);
	switch (e->error) {
	case 0:
		return 0;
	case -EBUSY:
		return bh_err_set(err, -EBUSY, "queue %u is bound by another program", queue);
	case -EPERM:
		return bh_err_set(err, -EPERM,
				  "queue %u: not permitted: CAP_NET_ADMIN is missing, or another "
				  "program has bound it",
				  queue);
	default:
		return bh_err_set(err, e->error, "queue %u: the kernel refuses it: %s", queue,
				  strerrordesc_np(-e->error));
	}
}

static int configure(int fd, uint16_t queue, uint32_t maxlen, uint32_t flags, struct bh_err *err)
{
	const struct nfqnl_msg_config_cmd cmd = { .command = NFQNL_CFG_CMD_BIND,
						  .pf = htons(AF_UNSPEC) };
	const struct nfqnl_msg_config_params params = { .copy_range = htonl(BH_QUEUE_COPY_MAX),
							.copy_mode = NFQNL_COPY_PACKET };
	struct nlmsghdr *nlh;
	char buf[512];

	nlh = put_header(buf, queue, NFQNL_MSG_CONFIG, NLM_F_ACK, SEQ_CONFIG);
	mnl_attr_put(nlh, NFQA_CFG_CMD, sizeof(cmd), &cmd);
	mnl_attr_put(nlh, NFQA_CFG_PARAMS, sizeof(params), &params);
	mnl_attr_put_u32(nlh, NFQA_CFG_QUEUE_MAXLEN, htonl(maxlen));
	mnl_attr_put_u32(nlh, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
	mnl_attr_put_u32(nlh, NFQA_CFG_FLAGS, htonl(flags));
	if (send(fd, buf, nlh->nlmsg_len, MSG_NOSIGNAL) < 0)
		return bh_err_set(err, -errno, "queue %u: configuration: %m", queue);
	return await_ack(fd, queue, err);
}

int bh_nfq_complete(int fd, uint16_t queue, uint32_t maxlen, struct bh_err *err)
{
	const struct timeval patience = { .tv_sec = 5 }, none = { 0 };
	uint16_t open = (uint16_t)(queue + BH_QUEUE_OPEN);
	int r;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return bh_err_set(err, -errno, "queue %u: socket options: %m", queue);
	/* Whole super-packets instead of ten segments. */
	r = configure(fd, queue, maxlen, NFQA_CFG_F_GSO, err);
	/* Of others' queues the kernel says EPERM. */
	if (r == 0 || r == -EBUSY)
		r = configure(fd, open, maxlen, NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN, err);
	if (r < 0 && r != -EBUSY)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)) < 0)
		return bh_err_set(err, -errno, "queue %u: socket options: %m", queue);
	return 0;
}

int bh_nfq_open(uint16_t queue, uint32_t maxlen, int *ret_fd, struct bh_err *err)
{
	struct sockaddr_nl me = { .nl_family = AF_NETLINK };
	bh_autoclose int fd = -1;
	const int one = 1, rcvbuf = RCVBUF;
	int r;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		return bh_err_set(err, -errno, "queue %u: netlink socket: %m", queue);
	if (bind(fd, (struct sockaddr *)&me, sizeof(me)) < 0)
		return bh_err_set(err, -errno, "queue %u: bind of the netlink socket: %m", queue);
	/* The default overflows long before the queue does. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof(rcvbuf)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)) < 0)
		return bh_err_set(err, -errno, "queue %u: receive buffer: %m", queue);
	if (setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof(one)) < 0)
		return bh_err_set(err, -errno, "queue %u: socket options: %m", queue);
	r = bh_nfq_complete(fd, queue, maxlen, err);
	if (r < 0)
		return r;
	*ret_fd = bh_take_fd(&fd);
	return 0;
}

int bh_nfq_new(int fd, uint16_t queue, struct bh_nfq **ret)
{
	struct bh_nfq *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->fd = fd;
	q->queue = queue;
	q->in = malloc((size_t)BH_NFQ_ROUND * BUF_SIZE);
	q->out = malloc(OUT_SIZE);
	if (!q->in || !q->out) {
		bh_nfq_free(q);
		return -ENOMEM;
	}
	for (size_t i = 0; i < BH_NFQ_ROUND; i++) {
		q->iovs[i] =
		    (struct iovec){ .iov_base = q->in + i * BUF_SIZE, .iov_len = BUF_SIZE };
		q->msgs[i].msg_hdr.msg_iov = &q->iovs[i];
		q->msgs[i].msg_hdr.msg_iovlen = 1;
	}
	*ret = q;
	return 0;
}

struct bh_nfq *bh_nfq_free(struct bh_nfq *q)
{
	if (!q)
		return NULL;
	free(q->in);
	free(q->out);
	free(q);
	return NULL;
}

static uint32_t get_u32(const struct nlattr *a)
{
	return ntohl(mnl_attr_get_u32(a));
}

/* One attribute of a packet's message. Return: false if it is too short for what it says it is. */
static bool read_attr(const struct nlattr *a, struct bh_nfq_packet *p, bool *has_id)
{
	uint16_t size = mnl_attr_get_payload_len(a);
	struct nfqnl_msg_packet_hdr hdr;
	uint32_t info;

	switch (mnl_attr_get_type(a)) {
	case NFQA_PACKET_HDR:
		if (size < sizeof(hdr))
			return false;
		if (*has_id)
			return false;
		memcpy(&hdr, mnl_attr_get_payload(a), sizeof(hdr));
		p->id = ntohl(hdr.packet_id);
		p->hook = hdr.hook;
		*has_id = true;
		return true;
	case NFQA_MARK:
		if (size < sizeof(uint32_t))
			return false;
		p->mark = get_u32(a);
		return true;
	case NFQA_CAP_LEN:
		if (size < sizeof(uint32_t))
			return false;
		p->wire_len = get_u32(a);
		return true;
	case NFQA_SKB_INFO:
		if (size < sizeof(uint32_t))
			return false;
		info = get_u32(a);
		p->csum_unchecked =
		    (info & NFQA_SKB_CSUM_NOTVERIFIED) && !(info & NFQA_SKB_CSUMNOTREADY);
		return true;
	case NFQA_PAYLOAD:
		if (p->data)
			return false;
		p->data = mnl_attr_get_payload(a);
		p->len = size;
		return true;
	default:
		return true;
	}
}

/* @size: bytes of the message that were received, which may be fewer than it says. */
static void read_packet(struct bh_nfq *q, const struct nlmsghdr *nlh, size_t size, bool cut,
			bh_nfq_fn fn, void *arg)
{
	const size_t start = NLMSG_LENGTH(sizeof(struct nfgenmsg));
	const struct nfgenmsg *nfg = (const void *)((const char *)nlh + NLMSG_HDRLEN);
	const struct nlattr *a = (const void *)((const char *)nlh + start);
	struct bh_nfq_packet p = { .damaged = cut };
	bool has_id = false;
	size_t left;

	p.open = size >= start && nfg->res_id == htons((uint16_t)(q->queue + BH_QUEUE_OPEN));
	if (size < start || (!p.open && nfg->res_id != htons(q->queue))) {
		q->stats.foreign++;
		return;
	}
	for (left = size - start; mnl_attr_ok(a, (int)left);) {
		size_t step = BH_MIN((size_t)MNL_ALIGN(a->nla_len), left);

		if (!read_attr(a, &p, &has_id))
			p.damaged = true;
		left -= step;
		a = (const void *)((const char *)a + step);
	}
	if (!has_id) {
		q->stats.foreign++;
		return;
	}
	if (left > 0 || !p.data)
		p.damaged = true;
	p.wire_len = BH_MAX(p.wire_len, p.len);
	fn(arg, &p);
}

static void read_buffer(struct bh_nfq *q, const uint8_t *buf, size_t size, bool cut, bh_nfq_fn fn,
			void *arg)
{
	while (size >= NLMSG_HDRLEN) {
		const struct nlmsghdr *nlh = (const void *)buf;
		size_t len = nlh->nlmsg_len;
		bool short_of = len > size;

		if (len < NLMSG_HDRLEN) {
			q->stats.foreign++;
			return;
		}
		len = BH_MIN(len, size);
		if (nlh->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
			read_packet(q, nlh, len, cut || short_of, fn, arg);
		else if (nlh->nlmsg_type == NLMSG_ERROR && nlh->nlmsg_seq == SEQ_VERDICT)
			q->stats.errors++;
		else if (nlh->nlmsg_type != NLMSG_ERROR || nlh->nlmsg_seq != SEQ_BATCH)
			q->stats.foreign++;
		len = BH_MIN((size_t)NLMSG_ALIGN(len), size);
		buf += len;
		size -= len;
	}
}

int bh_nfq_read(struct bh_nfq *q, bh_nfq_fn fn, void *arg)
{
	int n;

	for (size_t i = 0; i < BH_NFQ_ROUND; i++) {
		q->from[i].nl_pid = 0;
		q->msgs[i].msg_hdr.msg_name = &q->from[i];
		q->msgs[i].msg_hdr.msg_namelen = sizeof(q->from[i]);
		q->msgs[i].msg_hdr.msg_flags = 0;
	}
	n = recvmmsg(q->fd, q->msgs, BH_NFQ_ROUND, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		const struct msghdr *m = &q->msgs[i].msg_hdr;

		/* Not from the kernel. */
		if (m->msg_namelen >= sizeof(q->from[i]) && q->from[i].nl_pid != 0)
			q->stats.foreign++;
		else
			read_buffer(q, q->iovs[i].iov_base,
				    BH_MIN((size_t)q->msgs[i].msg_len, (size_t)BUF_SIZE),
				    m->msg_flags & MSG_TRUNC, fn, arg);
	}
	return n;
}

void bh_nfq_flush(struct bh_nfq *q)
{
	ssize_t n = -1;

	if (q->out_len == 0)
		return;
	/* Memory can be short for a moment; a verdict that is lost for good leaves its packet unsent. */
	for (int i = 0; n < 0 && i < SEND_TRIES; i++) {
		n = send(q->fd, q->out, q->out_len, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR && errno != ENOBUFS && errno != ENOMEM &&
		    errno != EAGAIN)
			break;
	}
	if (n < 0)
		q->stats.errors += q->out_n;
	else
		q->stats.verdicts += q->out_n;
	q->out_len = 0;
	q->out_n = 0;
}

static uint16_t number(const struct bh_nfq *q, bool open)
{
	return (uint16_t)(q->queue + (open ? BH_QUEUE_OPEN : 0));
}

static void put_verdict(struct bh_nfq *q, bool open, uint16_t type, uint32_t seq, uint32_t id,
			uint32_t verdict, bool has_mark, uint32_t mark, const uint8_t *packet,
			uint32_t packet_len)
{
	const struct nfqnl_msg_verdict_hdr hdr = { .verdict = htonl(verdict), .id = htonl(id) };
	struct nlmsghdr *nlh;

	if (packet_len > BH_NFQ_PACKET_MAX)
		packet = NULL;
	if (q->out_len + VERDICT_SIZE + (packet ? BH_NFQ_PACKET_MAX : 0) > OUT_SIZE)
		bh_nfq_flush(q);
	nlh = put_header(q->out + q->out_len, number(q, open), type, 0, seq);
	mnl_attr_put(nlh, NFQA_VERDICT_HDR, sizeof(hdr), &hdr);
	if (has_mark)
		mnl_attr_put_u32(nlh, NFQA_MARK, htonl(mark));
	if (packet)
		mnl_attr_put(nlh, NFQA_PAYLOAD, packet_len, packet);
	q->out_len += (uint32_t)NLMSG_ALIGN(nlh->nlmsg_len);
	q->out_n += type == NFQNL_MSG_VERDICT;
}

void bh_nfq_verdict(struct bh_nfq *q, bool open, uint32_t id, uint32_t verdict, bool has_mark,
		    uint32_t mark, const uint8_t *packet, uint32_t packet_len)
{
	put_verdict(q, open, NFQNL_MSG_VERDICT, SEQ_VERDICT, id, verdict, has_mark, mark, packet,
		    packet_len);
}

void bh_nfq_give_up_until(struct bh_nfq *q, bool open, uint32_t id)
{
	put_verdict(q, open, NFQNL_MSG_VERDICT_BATCH, SEQ_BATCH, id, open ? NF_ACCEPT : NF_DROP,
		    false, 0, NULL, 0);
}

void bh_nfq_let_go(int fd, uint16_t queue, uint32_t id)
{
	const struct nfqnl_msg_verdict_hdr hdr = { .verdict = htonl(NF_ACCEPT), .id = htonl(id) };
	struct nlmsghdr *nlh;
	char buf[128];

	nlh = put_header(buf, (uint16_t)(queue + BH_QUEUE_OPEN), NFQNL_MSG_VERDICT_BATCH, 0,
			 SEQ_BATCH);
	mnl_attr_put(nlh, NFQA_VERDICT_HDR, sizeof(hdr), &hdr);
	(void)send(fd, buf, nlh->nlmsg_len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void bh_nfq_stats_get(const struct bh_nfq *q, struct bh_nfq_stats *ret)
{
	*ret = q->stats;
}
