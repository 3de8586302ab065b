/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/classifier/packet.h - the headers of one IP packet, every length checked before it is used
 *
 * Reads IPv4 and IPv6 with their options and extension headers, TCP, UDP, SCTP and the type of ICMP. No
 * pointer into a packet is ever cast to a structure. A length that says more than there is, or that leaves
 * bytes unaccounted for, is an error: two readers of such a packet could see two messages in it. Fragments
 * are an error too: conntrack puts packets together before they are queued.
 *
 * Thread-safety: pure functions.
 */
#ifndef BH_DATAPLANE_CLASSIFIER_PACKET_H
#define BH_DATAPLANE_CLASSIFIER_PACKET_H

#include "common/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define BH_TCP_FIN 0x01U
#define BH_TCP_SYN 0x02U
#define BH_TCP_RST 0x04U
#define BH_TCP_ACK 0x10U
#define BH_TCP_URG 0x20U

enum bh_headers_result {
	BH_HEADERS_INVALID = 0,
	BH_HEADERS_OK,
	BH_HEADERS_BAD,   /* addresses and ports are not to be trusted */
	BH_HEADERS_SHORT, /* all of the headers were read, but not all of the payload is there */
};

struct bh_headers {
	struct bh_addr src, dst; /* family 0: not even that was there */
	uint8_t l4;              /* IANA number of the first header that is no extension */
	bool icmp_error;         /* ICMP, ICMPv6: speaks of another packet */
	uint8_t flags;           /* TCP */
	uint16_t sport, dport;   /* TCP, UDP, SCTP; ICMP: dataplane/icmp.h; else 0 */
	uint16_t urgent;         /* TCP */
	uint32_t seq, ack;       /* TCP */
	const uint8_t *l4_start; /* the transport header, borrowed */
	uint32_t l4_len;         /* with its payload */
	const uint8_t *payload;  /* TCP, UDP: behind the header, borrowed */
	uint32_t payload_len;
};

/**
 * bh_headers_parse() - Read the headers of a packet
 * @data, @len:	Its bytes from the IP header on
 * @wire_len:	How long it was on the wire; more than @len: the copy was cut
 * @ret:	Filled as far as it could be read
 */
enum bh_headers_result bh_headers_parse(const uint8_t *data, uint32_t len, uint32_t wire_len,
					struct bh_headers *ret);

/**
 * bh_headers_bare() - A TCP packet without its payload
 * @data:	The packet that @h was read from
 * @out:	@cap bytes; lengths and checksums in it are those of the shorter packet
 *
 * Return: bytes written; 0 where it is no TCP packet, or its headers do not fit
 */
uint32_t bh_headers_bare(const uint8_t *data, const struct bh_headers *h, uint8_t *out, size_t cap);

/* The checksum of TCP or UDP is right (a UDP/IPv4 checksum of 0 says "none"); true for other protocols. */
bool bh_headers_checksum_ok(const struct bh_headers *h);

#endif
