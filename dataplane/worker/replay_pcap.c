// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/worker/replay_pcap.c - the IP packets of a capture
 *
 * libpcap reads the file; here only what stands before the IP header is taken off: Ethernet with VLAN tags
 * and PPPoE, Linux cooked (both), loopback, PPP, raw.
 */
#include "dataplane/worker/replay_pcap.h"

#include <pcap/pcap.h>
#include <stdbool.h>
#include <string.h>

#include "common/util.h"

#include "common/banned.h"

#define TAGS_MAX 4

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* After a protocol number of Ethernet at @at - 2. Return: where IP begins, 0: not IP. */
static size_t skip_ether(const uint8_t *p, size_t len, size_t at)
{
	for (int i = 0; i < TAGS_MAX && at <= len; i++) {
		uint16_t type = get16(p + at - 2);

		switch (type) {
		case 0x0800:
		case 0x86dd:
			return at;
		case 0x8100:
		case 0x88a8:
		case 0x9100:
			at += 4;
			break;
		case 0x8864: /* PPPoE: six bytes, then a protocol number of PPP */
			at += 8;
			if (at > len)
				return 0;
			return get16(p + at - 2) == 0x0021 || get16(p + at - 2) == 0x0057 ? at : 0;
		default:
			return 0;
		}
	}
	return 0;
}

static size_t skip_ppp(const uint8_t *p, size_t len)
{
	size_t at = len >= 2 && p[0] == 0xff && p[1] == 0x03 ? 2 : 0;

	if (at + 2 > len)
		return 0;
	return get16(p + at) == 0x0021 || get16(p + at) == 0x0057 ? at + 2 : 0;
}

/* Return: where IP begins; @len: nowhere. */
static size_t ip_offset(int link, const uint8_t *p, size_t len)
{
	size_t at = 0;

	switch (link) {
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return 0;
	case DLT_EN10MB:
		at = len >= 14 ? skip_ether(p, len, 14) : 0;
		break;
	case DLT_LINUX_SLL:
		at = len >= 16 ? skip_ether(p, len, 16) : 0;
		break;
	case DLT_LINUX_SLL2:
		/* The protocol stands first, and nothing is tagged there. */
		at = len >= 20 && (get16(p) == 0x0800 || get16(p) == 0x86dd) ? 20 : 0;
		break;
	case DLT_C_HDLC:
		at = len >= 4 ? skip_ether(p, len, 4) : 0;
		break;
	case DLT_PPP:
		at = skip_ppp(p, len);
		break;
	case DLT_NULL:
	case DLT_LOOP:
		/* An address family of some system, in some byte order: the IP version says enough. */
		at = 4;
		break;
	default:
		break;
	}
	return at ? at : len;
}

static bool known_link(int link)
{
	static const int known[] = { DLT_RAW,       DLT_IPV4,       DLT_IPV6,   DLT_EN10MB,
				     DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_C_HDLC, DLT_PPP,
				     DLT_NULL,      DLT_LOOP };

	for (size_t i = 0; i < BH_ARRAY_SIZE(known); i++)
		if (known[i] == link)
			return true;
	return false;
}

/* What the IP header says the packet's length is. 0: that is no IP header. */
static size_t ip_length(const uint8_t *p, size_t len, size_t wire_len)
{
	if (len >= 20 && p[0] >> 4 == 4) {
		/* Segmentation offload writes zero. */
		return get16(p + 2) ? get16(p + 2) : wire_len;
	}
	if (len >= 40 && p[0] >> 4 == 6)
		return get16(p + 4) ? get16(p + 4) + 40U : wire_len;
	return 0;
}

int bh_pcap_read(const char *path, void (*fn)(void *arg, const struct bh_pcap_packet *p), void *arg,
		 struct bh_err *err)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	const uint8_t *data;
	struct pcap_pkthdr *h;
	pcap_t *pcap;
	int link, r;

	pcap = pcap_open_offline(path, why);
	if (!pcap)
		return bh_err_set(err, -EINVAL, "%s%s%s", strstr(why, path) ? "" : path,
				  strstr(why, path) ? "" : ": ", why);
	link = pcap_datalink(pcap);
	if (!known_link(link)) {
		const char *name = pcap_datalink_val_to_name(link);

		r = bh_err_set(err, -EINVAL,
			       "%s: captured on a link layer that is not known here: %s", path,
			       name ? name : "without a name");
		pcap_close(pcap);
		return r;
	}
	while ((r = pcap_next_ex(pcap, &h, &data)) == 1) {
		struct bh_pcap_packet p = { .wall_us =
						(int64_t)h->ts.tv_sec * 1000000 + h->ts.tv_usec };
		size_t at = ip_offset(link, data, h->caplen);

		if (at < h->caplen && h->caplen <= h->len)
			p.wire_len = ip_length(data + at, h->caplen - at, h->len - at);
		if (p.wire_len) {
			p.data = data + at;
			p.len = BH_MIN(p.wire_len, h->caplen - at);
		}
		fn(arg, &p);
	}
	/* A file that ends in the middle of a packet has told what it has. */
	if (r == PCAP_ERROR && !strstr(pcap_geterr(pcap), "truncated")) {
		r = bh_err_set(err, -EINVAL, "%s: %s", path, pcap_geterr(pcap));
		pcap_close(pcap);
		return r;
	}
	pcap_close(pcap);
	return 0;
}
