// SPDX-License-Identifier: GPL-3.0-or-later
/* tests/lib/teller.c - a stand-in for the worker: says which protocol it is by the first bytes */
#include "tests/lib/teller.h"

#include "dataplane/classifier/packet.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/limits.h"
#include "dataplane/marks.h"
#include "policy/protocol.h"

#define QUEUES_MAX 4

static struct {
	struct mnl_socket *nl[QUEUES_MAX];
	uint16_t n;
	uint32_t maxlen;
	bool running; /* the thread */
	int stop;
	pthread_t thread;
	pthread_mutex_t lock;
	struct teller_seen seen;
} teller = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct nlmsghdr *message(char *buf, int type, uint16_t queue)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type);
	h->nlmsg_flags = NLM_F_REQUEST;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	g->res_id = htons(queue);
	return h;
}

struct queued {
	uint32_t id, mark;
	const uint8_t *data;
	uint16_t len;
};

static int attribute(const struct nlattr *a, void *arg)
{
	struct queued *q = arg;
	const struct nfqnl_msg_packet_hdr *ph;

	switch (mnl_attr_get_type(a)) {
	case NFQA_PACKET_HDR:
		ph = mnl_attr_get_payload(a);
		q->id = ntohl(ph->packet_id);
		break;
	case NFQA_MARK:
		q->mark = ntohl(mnl_attr_get_u32(a));
		break;
	case NFQA_PAYLOAD:
		q->data = mnl_attr_get_payload(a);
		q->len = mnl_attr_get_payload_len(a);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

/* What stands behind the transport header. */
static const uint8_t *payload(const struct queued *q, size_t *ret)
{
	size_t head, l4;

	if (q->len < 28)
		return *ret = 0, NULL;
	head = q->data[0] >> 4 == 4 ? (q->data[0] & 15U) * 4U : 40U;
	l4 = q->data[0] >> 4 == 4 ? q->data[9] : q->data[6];
	head += l4 == 6 ? (q->data[head + 12] >> 4) * 4U : 8U;
	*ret = head < q->len ? q->len - head : 0;
	return q->data + head;
}

static uint32_t judge(const struct queued *q, uint32_t *ret_mark)
{
	struct teller_seen *s = &teller.seen;
	size_t n;
	const uint8_t *p = payload(q, &n);
	uint32_t result = BH_PROTO_UNKNOWN;

	s->packets++;
	s->bare += n == 0;
	s->start += !!(q->mark & BH_QMARK_START);
	s->confirm += !!(q->mark & BH_QMARK_CONFIRM);
	s->reply += !!(q->mark & BH_QMARK_REPLY);
	s->foreign = q->mark & ~BH_MARK_OURS;
	s->odd_mark |= (q->mark & 0xff000000) != BH_QMARK;
	*ret_mark = q->mark & ~BH_MARK_OURS;
	if (n == 0 && !(q->mark & BH_QMARK_START))
		return NF_ACCEPT;
	if (n == 0)
		result = BH_SUB_UNDECIDED;
	else if (n >= 4 && memcmp(p, "MORE", 4) == 0)
		return NF_ACCEPT;
	else if (n >= 7 && memcmp(p, "CONFIRM", 7) == 0)
		result = BH_SUB_CONFIRM;
	else if (n >= 3 && memcmp(p, "GET", 3) == 0)
		result = BH_PROTO_HTTP;
	else if (n >= 4 && memcmp(p, "SSH-", 4) == 0)
		result = BH_PROTO_SSH;
	else if (n >= 5 && memcmp(p, "BLIND", 5) == 0)
		result = BH_PROTO_UNJUDGED;
	else if (n >= 6 && memcmp(p, "UNSEEN", 6) == 0)
		result = BH_PROTO_UNSEEN;
	s->results += n > 0;
	*ret_mark |= BH_VMARK | result << BH_MARK_RESULT_SHIFT;
	return NF_REPEAT;
}

static void answer(unsigned i, const struct nlmsghdr *in)
{
	const struct nfgenmsg *g;
	struct queued q = { .id = 0 };
	struct nfqnl_msg_verdict_hdr v;
	struct nlmsghdr *h;
	struct bh_headers headers;
	uint8_t bare[128];
	uint32_t mark, n;
	char buf[512];

	if (mnl_attr_parse(in, sizeof(struct nfgenmsg), attribute, &q) < 0 || !q.data)
		return;
	(void)pthread_mutex_lock(&teller.lock);
	v.verdict = htonl(judge(&q, &mark));
	(void)pthread_mutex_unlock(&teller.lock);
	v.id = htonl(q.id);
	g = mnl_nlmsg_get_payload(in);
	h = message(buf, NFQNL_MSG_VERDICT, ntohs(g->res_id));
	mnl_attr_put(h, NFQA_VERDICT_HDR, sizeof(v), &v);
	mnl_attr_put_u32(h, NFQA_MARK, htonl(mark));
	/* As the worker does: what is refused does not travel on in the reset. */
	if ((mark & ~0xffffU) == (BH_VMARK | BH_PROTO_SSH << BH_MARK_RESULT_SHIFT) &&
	    bh_headers_parse(q.data, (uint32_t)q.len, (uint32_t)q.len, &headers) == BH_HEADERS_OK) {
		n = bh_headers_bare(q.data, &headers, bare, sizeof(bare));
		if (n > 0)
			mnl_attr_put(h, NFQA_PAYLOAD, n, bare);
	}
	(void)mnl_socket_sendto(teller.nl[i], h, h->nlmsg_len);
}

static void *run(void *arg)
{
	static char buf[0x20000];
	struct pollfd p[QUEUES_MAX + 1];

	(void)arg;
	for (;;) {
		p[0] = (struct pollfd){ .fd = teller.stop, .events = POLLIN };
		for (unsigned i = 0; i < teller.n; i++)
			p[i + 1] = (struct pollfd){ .fd = mnl_socket_get_fd(teller.nl[i]),
						    .events = POLLIN };
		(void)poll(p, teller.n + 1U, -1);
		if (p[0].revents)
			return NULL;
		for (unsigned i = 0; i < teller.n; i++) {
			const struct nlmsghdr *h = (const void *)buf;
			ssize_t got;
			int left;

			if (!p[i + 1].revents)
				continue;
			got = mnl_socket_recvfrom(teller.nl[i], buf, sizeof(buf));
			left = (int)got;
			for (; got > 0 && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
				if (h->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET))
					answer(i, h);
		}
	}
}

static void bind_queue(unsigned i, uint16_t queue, bool open)
{
	const struct nfqnl_msg_config_cmd cmd = { .command = NFQNL_CFG_CMD_BIND };
	struct nfqnl_msg_config_params params = { .copy_range = htonl(0xffff),
						  .copy_mode = NFQNL_COPY_PACKET };
	struct nlmsghdr *h;
	char buf[256];

	h = message(buf, NFQNL_MSG_CONFIG, queue);
	mnl_attr_put(h, NFQA_CFG_CMD, sizeof(cmd), &cmd);
	(void)mnl_socket_sendto(teller.nl[i], h, h->nlmsg_len);
	h = message(buf, NFQNL_MSG_CONFIG, queue);
	mnl_attr_put(h, NFQA_CFG_PARAMS, 5, &params);
	mnl_attr_put_u32(h, NFQA_CFG_QUEUE_MAXLEN, htonl(teller.maxlen));
	if (open) {
		mnl_attr_put_u32(h, NFQA_CFG_MASK, htonl(NFQA_CFG_F_FAIL_OPEN));
		mnl_attr_put_u32(h, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_FAIL_OPEN));
	}
	(void)mnl_socket_sendto(teller.nl[i], h, h->nlmsg_len);
}

static void start(uint16_t queue, uint16_t n)
{
	teller.n = n < QUEUES_MAX ? n : QUEUES_MAX;
	teller.stop = eventfd(0, EFD_CLOEXEC);
	for (unsigned i = 0; i < teller.n; i++) {
		teller.nl[i] = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
		if (!teller.nl[i] || mnl_socket_bind(teller.nl[i], 0, MNL_SOCKET_AUTOPID) < 0)
			abort();
		bind_queue(i, (uint16_t)(queue + i), false);
		bind_queue(i, (uint16_t)(queue + BH_QUEUE_OPEN + i), true);
	}
	if (teller.running && pthread_create(&teller.thread, NULL, run, NULL) != 0)
		abort();
}

void teller_start(uint16_t queue, uint16_t n)
{
	teller.maxlen = 1024;
	teller.running = true;
	start(queue, n);
}

void teller_hang(uint16_t queue, uint16_t n, uint32_t maxlen)
{
	teller.maxlen = maxlen;
	teller.running = false;
	start(queue, n);
}

void teller_stop(void)
{
	if (teller.n == 0)
		return;
	(void)eventfd_write(teller.stop, 1);
	if (teller.running)
		(void)pthread_join(teller.thread, NULL);
	(void)close(teller.stop);
	for (unsigned i = 0; i < teller.n; i++)
		(void)mnl_socket_close(teller.nl[i]);
	teller.n = 0;
	(void)teller_seen();
}

void teller_hold(void)
{
	(void)pthread_mutex_lock(&teller.lock);
}

void teller_go_on(void)
{
	(void)pthread_mutex_unlock(&teller.lock);
}

struct teller_seen teller_seen(void)
{
	struct teller_seen s;

	(void)pthread_mutex_lock(&teller.lock);
	s = teller.seen;
	memset(&teller.seen, 0, sizeof(teller.seen));
	(void)pthread_mutex_unlock(&teller.lock);
	return s;
}
