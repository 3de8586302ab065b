// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/name_ndpi.c - what nDPI calls bytes that no probe knows
 *
 * The only file that includes nDPI.
 *
 * DOC: Sterile feeding
 *
 * Of what nDPI 4.2 reports as found by inspection, about a quarter rests on a port or an address, and one
 * flow of some protocols taints every later flow between the same two hosts. So it never sees a packet of
 * the network: it gets packets made up here, with the bytes as they were rebuilt, always the same two
 * ports, which belong to nobody, and a pair of IPv6 addresses used once (its caches and address lists are of
 * IPv4). What is left to decide by is what was said. One flow structure is enough, emptied each time.
 *
 * Some of its dissectors read a little beyond the end of a packet: 64 zero bytes stand behind each.
 */
#include "dataplane/classifier/name_ndpi.h"

#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "config.h"

#if BH_HAVE_NDPI

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wredundant-decls"
#include <ndpi_api.h>
#pragma GCC diagnostic pop

#include "common/banned.h"

#define VERSION (NDPI_MAJOR * 100 + NDPI_MINOR)

#if VERSION >= 411
#define NDPI_RESP NDPI_PROTOCOL_RESP
#else
#define NDPI_RESP NDPI_PROTOCOL_REDIS
#endif

#define PIECE_MAX   8192U /* bytes in one made-up packet */
#define IP6_HEADER  40U
#define TCP_HEADER  20U
#define UDP_HEADER  8U
#define BEHIND      64U
#define CLIENT_PORT 43211U
#define SERVER_PORT 23456U

struct bh_namer {
	struct ndpi_detection_module_struct *mod;
	struct ndpi_flow_struct *flow;
	uint64_t serial; /* of the address pair */
	uint8_t packet[IP6_HEADER + TCP_HEADER + PIECE_MAX + BEHIND];
};

static const struct {
	uint16_t ndpi;
	uint8_t proto;
} numbers[] = {
	{ NDPI_PROTOCOL_FTP_CONTROL, BH_PROTO_FTP },
	{ NDPI_PROTOCOL_MAIL_POP, BH_PROTO_POP3 },
	{ NDPI_PROTOCOL_MAIL_SMTP, BH_PROTO_SMTP },
	{ NDPI_PROTOCOL_MAIL_IMAP, BH_PROTO_IMAP },
	{ NDPI_PROTOCOL_DNS, BH_PROTO_DNS },
	{ NDPI_PROTOCOL_HTTP, BH_PROTO_HTTP },
	{ NDPI_PROTOCOL_HTTP_CONNECT, BH_PROTO_HTTP },
	{ NDPI_PROTOCOL_HTTP_PROXY, BH_PROTO_HTTP },
	{ NDPI_PROTOCOL_NTP, BH_PROTO_NTP },
	{ NDPI_PROTOCOL_NFS, BH_PROTO_NFS },
	{ NDPI_PROTOCOL_SNMP, BH_PROTO_SNMP },
	{ NDPI_PROTOCOL_SMBV1, BH_PROTO_SMB },
	{ NDPI_PROTOCOL_SMBV23, BH_PROTO_SMB },
	{ NDPI_PROTOCOL_SYSLOG, BH_PROTO_SYSLOG },
	{ NDPI_PROTOCOL_POSTGRES, BH_PROTO_POSTGRES },
	{ NDPI_PROTOCOL_MYSQL, BH_PROTO_MYSQL },
	{ NDPI_PROTOCOL_DTLS, BH_PROTO_DTLS },
	{ NDPI_PROTOCOL_BITTORRENT, BH_PROTO_BITTORRENT },
	{ NDPI_PROTOCOL_MEMCACHED, BH_PROTO_MEMCACHED },
	{ NDPI_PROTOCOL_MINING, BH_PROTO_MINING },
	{ NDPI_PROTOCOL_RTSP, BH_PROTO_RTSP },
	{ NDPI_PROTOCOL_MONGODB, BH_PROTO_MONGODB },
	{ NDPI_PROTOCOL_NATS, BH_PROTO_NATS },
	{ NDPI_PROTOCOL_TELNET, BH_PROTO_TELNET },
	{ NDPI_PROTOCOL_STUN, BH_PROTO_STUN },
	{ NDPI_PROTOCOL_RTP, BH_PROTO_RTP },
	{ NDPI_PROTOCOL_RDP, BH_PROTO_RDP },
	{ NDPI_PROTOCOL_VNC, BH_PROTO_VNC },
	{ NDPI_PROTOCOL_TLS, BH_PROTO_TLS },
	{ NDPI_PROTOCOL_SSH, BH_PROTO_SSH },
	{ NDPI_PROTOCOL_SIP, BH_PROTO_SIP },
	{ NDPI_PROTOCOL_KERBEROS, BH_PROTO_KERBEROS },
	{ NDPI_PROTOCOL_LDAP, BH_PROTO_LDAP },
	{ NDPI_PROTOCOL_OPENVPN, BH_PROTO_OPENVPN },
	{ NDPI_PROTOCOL_TOR, BH_PROTO_TOR },
	{ NDPI_PROTOCOL_RSYNC, BH_PROTO_RSYNC },
	{ NDPI_PROTOCOL_SOCKS, BH_PROTO_SOCKS },
	{ NDPI_RESP, BH_PROTO_REDIS },
	{ NDPI_PROTOCOL_QUIC, BH_PROTO_QUIC },
	{ NDPI_PROTOCOL_AMQP, BH_PROTO_AMQP },
	{ NDPI_PROTOCOL_WIREGUARD, BH_PROTO_WIREGUARD },
	{ NDPI_PROTOCOL_MQTT, BH_PROTO_MQTT },
	{ NDPI_PROTOCOL_GIT, BH_PROTO_GIT },
	{ NDPI_PROTOCOL_WEBSOCKET, BH_PROTO_WEBSOCKET },
	{ NDPI_PROTOCOL_CASSANDRA, BH_PROTO_CASSANDRA },
#if VERSION >= 410
	{ NDPI_PROTOCOL_HTTP2, BH_PROTO_HTTP2 },
	{ NDPI_PROTOCOL_KAFKA, BH_PROTO_KAFKA },
#endif
};

static int start_module(struct bh_namer *n)
{
#if VERSION >= 410
	n->mod = ndpi_init_detection_module(NULL);
#else
	/* The lists that can be left out are of addresses; made-up packets would not meet them anyway. */
	n->mod = ndpi_init_detection_module(ndpi_dont_load_tor_hosts);
#endif
	if (!n->mod)
		return -ENOMEM;
#if VERSION < 500
	{
		NDPI_PROTOCOL_BITMASK all;

		NDPI_BITMASK_SET_ALL(all);
		(void)ndpi_set_protocol_detection_bitmask2(n->mod, &all);
	}
#endif
	(void)ndpi_finalize_initialization(n->mod);
	return 0;
}

int bh_namer_new(struct bh_namer **ret, struct bh_err *err)
{
	bh_cleanup(bh_namer_freep) struct bh_namer *n = NULL;
	int r;

	if (ndpi_get_api_version() != NDPI_API_VERSION ||
	    ndpi_detection_get_sizeof_ndpi_flow_struct() != SIZEOF_FLOW_STRUCT)
		return bh_err_set(err, -ENOTSUP, "nDPI %s is not the one this was built for",
				  ndpi_revision());
	n = calloc(1, sizeof(*n));
	if (!n)
		return bh_err_set(err, -ENOMEM, "out of memory for nDPI");
	r = start_module(n);
	if (r < 0)
		return bh_err_set(err, r, "nDPI could not be started");
	n->flow = ndpi_flow_malloc(SIZEOF_FLOW_STRUCT);
	if (!n->flow)
		return bh_err_set(err, -ENOMEM, "out of memory for nDPI");
	memset(n->flow, 0, SIZEOF_FLOW_STRUCT);
	*ret = bh_take_ptr(&n);
	return 0;
}

struct bh_namer *bh_namer_free(struct bh_namer *n)
{
	if (n) {
		if (n->flow)
			ndpi_flow_free(n->flow);
		if (n->mod)
			ndpi_exit_detection_module(n->mod);
		free(n);
	}
	return NULL;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* A packet of our own around @len bytes. Return: its length */
static uint16_t make_packet(struct bh_namer *n, unsigned dir, bool udp, const uint32_t sent[2],
			    const uint8_t *data, uint32_t len)
{
	uint32_t hlen = udp ? UDP_HEADER : TCP_HEADER, i;
	uint8_t *p = n->packet, *l4 = p + IP6_HEADER;

	memset(p, 0, IP6_HEADER + hlen);
	p[0] = 0x60;
	put16(p + 4, hlen + len);
	p[6] = udp ? 17 : 6;
	p[7] = 64;
	p[8] = p[24] = 0xfd;
	for (i = 0; i < 7; i++)
		p[9 + i] = p[25 + i] = (uint8_t)(n->serial >> (8 * i));
	p[dir == 0 ? 23 : 39] = 1; /* the client is ::1, the server ::2 */
	p[dir == 0 ? 39 : 23] = 2;

	put16(l4, dir == 0 ? CLIENT_PORT : SERVER_PORT);
	put16(l4 + 2, dir == 0 ? SERVER_PORT : CLIENT_PORT);
	if (udp) {
		put16(l4 + 4, hlen + len);
	} else {
		put32(l4 + 4, 1000 + sent[dir]);
		put32(l4 + 8, 1000 + sent[!dir]);
		l4[12] = 0x50;
		l4[13] = 0x18; /* PSH, ACK */
		put16(l4 + 14, 0xffff);
	}
	memcpy(l4 + hlen, data, len);
	memset(l4 + hlen + len, 0, BEHIND);
	return (uint16_t)(IP6_HEADER + hlen + len);
}

static void feed(struct bh_namer *n, unsigned dir, uint16_t len, ndpi_protocol *ret)
{
#if VERSION >= 406
	struct ndpi_flow_input_info in;

	memset(&in, 0, sizeof(in));
	in.in_pkt_dir = dir == 0 ? NDPI_IN_PKT_DIR_C_TO_S : NDPI_IN_PKT_DIR_S_TO_C;
	in.seen_flow_beginning = NDPI_FLOW_BEGINNING_SEEN;
	*ret = ndpi_detection_process_packet(n->mod, n->flow, n->packet, len, 1000, &in);
#else
	*ret = ndpi_detection_process_packet(n->mod, n->flow, n->packet, len, 1000);
#endif
}

/* Number of what was found by the bytes themselves; 0: nothing. */
static uint16_t found(const struct bh_namer *n, const ndpi_protocol *p)
{
#if VERSION >= 411
	uint16_t id = p->proto.master_protocol ? p->proto.master_protocol : p->proto.app_protocol;
#else
	uint16_t id = p->master_protocol ? p->master_protocol : p->app_protocol;
#endif

	if (id == NDPI_PROTOCOL_UNKNOWN)
		return 0;
	if (n->flow->confidence == NDPI_CONFIDENCE_DPI)
		return id;
	/* Even a plain handshake is reported as from the cache, which is empty here. */
	if (id == NDPI_PROTOCOL_BITTORRENT && n->flow->confidence == NDPI_CONFIDENCE_DPI_CACHE)
		return id;
	return 0;
}

static uint16_t feed_all(struct bh_namer *n, const struct bh_stream *st, bool udp)
{
	uint32_t sent[2] = { 0, 0 };
	unsigned i;

	for (i = 0; i < st->n_runs; i++) {
		unsigned dir = st->runs[i].dir;
		uint32_t left = st->runs[i].len;

		while (left > 0) {
			uint32_t piece = BH_MIN(left, PIECE_MAX);
			ndpi_protocol p;
			uint16_t id,
			    len = make_packet(n, dir, udp, sent, st->buf[dir] + sent[dir], piece);

			feed(n, dir, len, &p);
			id = found(n, &p);
			if (id)
				return id;
			sent[dir] += piece;
			left -= piece;
		}
	}
	return 0;
}

unsigned bh_namer_name(struct bh_namer *n, const struct bh_stream *st, bool udp,
		       char ret_name[BH_NDPI_NAME_SIZE])
{
	uint16_t id;
	size_t i;

	ret_name[0] = '\0';
	n->serial++;
	id = feed_all(n, st, udp);
	/* What hangs off the flow is freed, and pointers to it stay behind: clear them first thing. */
	ndpi_free_flow_data(n->flow);
	memset(n->flow, 0, SIZEOF_FLOW_STRUCT);
	if (!id)
		return BH_PROTO_UNKNOWN;

	(void)snprintf(ret_name, BH_NDPI_NAME_SIZE, "%s", ndpi_get_proto_name(n->mod, id));
	for (i = 0; i < BH_ARRAY_SIZE(numbers); i++)
		if (numbers[i].ndpi == id)
			return numbers[i].proto;
	return BH_PROTO_UNKNOWN;
}

#else

#include "common/banned.h"

int bh_namer_new(struct bh_namer **ret, struct bh_err *err)
{
	return bh_err_set(err, -ENOTSUP, "built without nDPI");
}

struct bh_namer *bh_namer_free(struct bh_namer *n)
{
	return NULL;
}

unsigned bh_namer_name(struct bh_namer *n, const struct bh_stream *st, bool udp,
		       char ret_name[BH_NDPI_NAME_SIZE])
{
	ret_name[0] = '\0';
	return BH_PROTO_UNKNOWN;
}

#endif
