// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/nflog.c - refused packets, as the kernel reports them
 *
 * The chains put reason and epoch into the mark of a packet that dies (or for the moment of the report), and cause, direction and what became of it into
 * the prefix of the log: "bh:" and one letter each, and an "r" where the packet is one of the answering side. Of the packet itself, the headers are copied. Everything in them
 * was written by whoever sent the packet and is read with bounds.
 */
#include "dataplane/kernel/nflog.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <string.h>
#include <sys/socket.h>

#include "common/util.h"
#include "dataplane/icmp.h"
#include "dataplane/kernel/nl.h"
#include "dataplane/marks.h"
#include "policy/ruleset.h"

#include "common/banned.h"

#define RCVBUF     (8 * 1024 * 1024)
#define COPY_RANGE 256U /* IPv6 with some extension headers, and the ports */
#define BATCH      64U  /* packets in a message, or */
#define DELAY      2U   /* what came in so many hundredths of a second */

struct bh_nflog {
	struct bh_nl nl;
	uint16_t group;
	uint32_t seq; /* of the next message */
	bool seq_known;
};

/* ---- configuration ---- */

static struct nlmsghdr *config(void *buf, uint16_t group)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	h->nlmsg_flags = NLM_F_REQUEST;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(group);
	return h;
}

static int bind_group(struct bh_nflog *n)
{
	const struct nfulnl_msg_config_cmd cmd = { .command = NFULNL_CFG_CMD_BIND };
	struct nfulnl_msg_config_mode mode = {
		.copy_range = htonl(COPY_RANGE),
		.copy_mode = NFULNL_COPY_PACKET,
	};
	struct bh_nl_error e;
	char buf[256];
	struct nlmsghdr *h = config(buf, n->group);
	int r;

	mnl_attr_put(h, NFULA_CFG_CMD, sizeof(cmd), &cmd);
	r = bh_nl_send(&n->nl, h, h->nlmsg_len, &e);
	if (r < 0)
		return r;
	h = config(buf, n->group);
	mnl_attr_put(h, NFULA_CFG_MODE, sizeof(mode), &mode);
	mnl_attr_put_u16(h, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
	mnl_attr_put_u32(h, NFULA_CFG_QTHRESH, htonl(BATCH));
	mnl_attr_put_u32(h, NFULA_CFG_TIMEOUT, htonl(DELAY));
	return bh_nl_send(&n->nl, h, h->nlmsg_len, &e);
}

int bh_nflog_open(uint16_t group, struct bh_nflog **ret, struct bh_err *err)
{
	const int size = RCVBUF;
	struct bh_nflog *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return bh_err_set(err, -ENOMEM, "out of memory");
	n->group = group;
	r = bh_nl_open(&n->nl, err);
	if (r < 0) {
		free(n);
		return r;
	}
	(void)setsockopt(n->nl.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	r = bind_group(n);
	if (r < 0) {
		bh_nflog_close(n);
		if (r == -EBUSY)
			return bh_err_set(err, r, "NFLOG group %u is in use by another program",
					  group);
		return bh_err_set(err, r, "cannot listen to NFLOG group %u: %s", group,
				  strerror(-r));
	}
	*ret = n;
	return 0;
}

struct bh_nflog *bh_nflog_close(struct bh_nflog *n)
{
	if (n) {
		bh_nl_close(&n->nl);
		free(n);
	}
	return NULL;
}

int bh_nflog_fd(const struct bh_nflog *n)
{
	return n->nl.fd;
}

/* ---- packets ---- */

static uint16_t be16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void read_ports(struct bh_refused *r, const uint8_t *p, size_t len)
{
	bool ported = r->l4 == BH_L4_TCP || r->l4 == BH_L4_UDP || r->l4 == BH_L4_SCTP;

	if ((r->l4 == BH_L4_ICMP || r->l4 == BH_L4_ICMPV6) && len >= 2)
		bh_icmp_ports(r->l4, p[0], p[1], &r->sport, &r->dport);
	if (!ported || len < 4)
		return;
	r->sport = be16_at(p);
	r->dport = be16_at(p + 2);
}

static bool read_v4(struct bh_refused *r, const uint8_t *p, size_t len)
{
	size_t head;

	if (len < 20)
		return false;
	head = (size_t)(p[0] & 15) * 4;
	r->len = be16_at(p + 2);
	r->l4 = p[9];
	r->src = bh_addr_from_v4(p + 12);
	r->dst = bh_addr_from_v4(p + 16);
	/* Of a later fragment the ports are elsewhere. */
	if (head >= 20 && head <= len && (be16_at(p + 6) & 0x1fff) == 0)
		read_ports(r, p + head, len - head);
	return true;
}

static bool read_v6(struct bh_refused *r, const uint8_t *p, size_t len)
{
	size_t off = 40;

	if (len < off)
		return false;
	r->len = be16_at(p + 4) + 40U;
	r->l4 = p[6];
	r->src = bh_addr_from_v6(p + 8);
	r->dst = bh_addr_from_v6(p + 24);
	/* Hop-by-hop, routing, destination options; a fragment header; authentication. */
	while (r->l4 == 0 || r->l4 == 43 || r->l4 == 60 || r->l4 == 44 || r->l4 == 51) {
		const uint8_t *h = p + off;

		if (len - off < 8)
			return true;
		if (r->l4 == 44 && (be16_at(h + 2) & 0xfff8) != 0) {
			r->l4 = h[0];
			return true;
		}
		off += r->l4 == 44 ? 8 : r->l4 == 51 ? (h[1] + 2U) * 4 : (h[1] + 1U) * 8;
		r->l4 = h[0];
		if (off > len)
			return true;
	}
	read_ports(r, p + off, len - off);
	return true;
}

static bool read_prefix(struct bh_refused *r, const char *s)
{
	size_t len = strlen(s);

	if (strncmp(s, "bh:", 3) != 0 || len < 6 || len > 7 || !strchr("pcmqshanrdfu", s[3]) ||
	    (len == 7 && s[6] != 'r'))
		return false;
	r->reply = len == 7;
	r->cause = s[3];
	r->dir = s[4] == 'i' ? BH_DIR_INGRESS : s[4] == 'e' ? BH_DIR_EGRESS : 0;
	r->word = s[5] == 'd'   ? BH_WORD_DROP
		  : s[5] == 'r' ? BH_WORD_REJECT
		  : s[5] == 'a' ? BH_WORD_ALLOW | BH_WORD_REPORT
				: 0;
	return true;
}

/* RFC 826, of Ethernet and IPv4; of others nothing can be said. */
static void read_arp(struct bh_refused *r, const uint8_t *p, size_t len)
{
	static const uint8_t form[] = { 0, 1, 8, 0, 6, 4 };

	r->len = (uint32_t)len;
	if (len < 28 || memcmp(p, form, sizeof(form)) != 0)
		return;
	r->src = bh_addr_from_v4(p + 14);
	r->dst = bh_addr_from_v4(p + 24);
}

static void read_mac(struct bh_refused *r, const struct nlattr *a)
{
	struct nfulnl_msg_packet_hw hw;

	if (!a || mnl_attr_get_payload_len(a) < sizeof(hw))
		return;
	memcpy(&hw, mnl_attr_get_payload(a), sizeof(hw));
	if (ntohs(hw.hw_addrlen) != sizeof(r->mac))
		return;
	memcpy(r->mac, hw.hw_addr, sizeof(r->mac));
	r->has_mac = true;
}

bool bh_nflog_parse(const struct nlmsghdr *h, struct bh_refused *r)
{
	const struct nlattr *hdr = bh_nl_attr(h, NFULA_PACKET_HDR),
			    *payload = bh_nl_attr(h, NFULA_PAYLOAD);
	uint32_t mark = bh_nl_u32(bh_nl_attr(h, NFULA_MARK));
	struct nfulnl_msg_packet_hdr ph;
	const uint8_t *p;
	size_t len;

	*r = (struct bh_refused){ .reason = 0 };
	if (!read_prefix(r, bh_nl_str(bh_nl_attr(h, NFULA_PREFIX))))
		return false; /* somebody else's, in our group */
	if (!hdr || mnl_attr_get_payload_len(hdr) < sizeof(ph) || !payload)
		return false;
	memcpy(&ph, mnl_attr_get_payload(hdr), sizeof(ph));
	r->hook = ph.hook;
	r->reason = mark & BH_WORD_NUMBER;
	r->epoch = (mark & BH_MARK_EPOCH) >> BH_MARK_EPOCH_SHIFT;
	r->iif = bh_nl_u32(bh_nl_attr(h, NFULA_IFINDEX_INDEV));
	r->oif = bh_nl_u32(bh_nl_attr(h, NFULA_IFINDEX_OUTDEV));
	r->link = bh_nl_u32(bh_nl_attr(h, NFULA_IFINDEX_PHYSINDEV));
	if (r->link == 0)
		r->link = r->iif;
	read_mac(r, bh_nl_attr(h, NFULA_HWADDR));
	r->ethertype = ntohs(ph.hw_protocol);
	p = mnl_attr_get_payload(payload);
	len = mnl_attr_get_payload_len(payload);
	if (r->ethertype == ETH_P_ARP) {
		read_arp(r, p, len);
		return true;
	}
	if (r->cause == 'f' && r->ethertype != ETH_P_IP && r->ethertype != ETH_P_IPV6)
		return true;
	return len > 0 &&
	       (p[0] >> 4 == 4 ? read_v4(r, p, len) : p[0] >> 4 == 6 && read_v6(r, p, len));
}

int bh_nflog_read(struct bh_nflog *n, bh_nflog_fn fn, void *arg, uint64_t *ret_lost)
{
	uint64_t lost = 0;

	for (;;) {
		ssize_t got = recv(n->nl.fd, n->nl.rcv, BH_NL_RCV_SIZE, MSG_DONTWAIT);
		const struct nlmsghdr *h = (const void *)n->nl.rcv;
		int left = (int)got;

		if (got < 0 && (errno == EINTR || errno == ENOBUFS))
			continue; /* what was lost shows in the numbers */
		if (got < 0 && errno != EAGAIN)
			return -errno;
		if (got <= 0)
			break;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlattr *seq = bh_nl_attr(h, NFULA_SEQ);
			struct bh_refused r;

			if (h->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
				continue;
			if (seq && n->seq_known)
				lost += bh_nl_u32(seq) - n->seq;
			if (seq) {
				n->seq = bh_nl_u32(seq) + 1;
				n->seq_known = true;
			}
			if (bh_nflog_parse(h, &r))
				fn(arg, &r);
		}
	}
	*ret_lost = lost;
	return 0;
}
