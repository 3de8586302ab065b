/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/protocol.h - the application protocols that policies can name
 *
 * One table gives every protocol its name and its number. Numbers stand in conntrack marks and survive
 * revisions, restarts and upgrades: a number, once given, is never changed or used again. Numbers fit in
 * eight bits; 0-15 are sub-states of a flow under inspection (dataplane/kernel), BH_PROTO_RESERVED-255 are reserved
 * for answers that are no protocol.
 *
 * A protocol with a probe (dataplane/classifier/probe_*.c) may stand in allow rules. The others are names
 * that nDPI can give to what was refused; they may stand in deny, reject, alert and log rules only.
 *
 * Thread-safety: constants.
 */
#ifndef BH_POLICY_PROTOCOL_H
#define BH_POLICY_PROTOCOL_H

#include "common/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(ENUM, number, "name", has a probe) */
#define BH_PROTOCOLS(X)                        \
	X(HTTP, 16, "http", true)              \
	X(HTTP2, 17, "http2", false)           \
	X(GRPC, 18, "grpc", false)             \
	X(TLS, 19, "tls", true)                \
	X(QUIC, 20, "quic", false)             \
	X(DNS, 21, "dns", true)                \
	X(SSH, 22, "ssh", true)                \
	X(REDIS, 23, "redis", true)            \
	X(POSTGRES, 24, "postgres", true)      \
	X(MYSQL, 25, "mysql", false)           \
	X(MONGODB, 26, "mongodb", false)       \
	X(KAFKA, 27, "kafka", false)           \
	X(AMQP, 28, "amqp", false)             \
	X(MQTT, 29, "mqtt", false)             \
	X(NATS, 30, "nats", false)             \
	X(MEMCACHED, 31, "memcached", false)   \
	X(CASSANDRA, 32, "cassandra", false)   \
	X(ZOOKEEPER, 33, "zookeeper", false)   \
	X(LDAP, 34, "ldap", false)             \
	X(SMTP, 35, "smtp", false)             \
	X(KERBEROS, 36, "kerberos", false)     \
	X(SMB, 37, "smb", false)               \
	X(NFS, 38, "nfs", false)               \
	X(FTP, 39, "ftp", false)               \
	X(IMAP, 40, "imap", false)             \
	X(POP3, 41, "pop3", false)             \
	X(GIT, 42, "git", false)               \
	X(RSYNC, 43, "rsync", false)           \
	X(RDP, 44, "rdp", false)               \
	X(VNC, 45, "vnc", false)               \
	X(TELNET, 46, "telnet", false)         \
	X(SIP, 47, "sip", false)               \
	X(RTSP, 48, "rtsp", false)             \
	X(STUN, 49, "stun", false)             \
	X(NTP, 50, "ntp", false)               \
	X(SNMP, 51, "snmp", false)             \
	X(SYSLOG, 52, "syslog", false)         \
	X(STATSD, 53, "statsd", false)         \
	X(OPENVPN, 54, "openvpn", false)       \
	X(WIREGUARD, 55, "wireguard", false)   \
	X(SOCKS, 56, "socks", false)           \
	X(MINING, 57, "mining", false)         \
	X(BITTORRENT, 58, "bittorrent", false) \
	X(WEBSOCKET, 59, "websocket", false)   \
	X(IPERF3, 60, "iperf3", false)         \
	X(RTP, 61, "rtp", false)               \
	X(TOR, 62, "tor", false)               \
	X(DTLS, 63, "dtls", false)

enum bh_proto {
	BH_PROTO_INVALID = 0,
#define X(id, number, name, probe) BH_PROTO_##id = number,
	BH_PROTOCOLS(X)
#undef X
	    BH_PROTO_FIRST = 16,  /* below: sub-states, never a protocol */
	BH_PROTO_RESERVED = 248,  /* from here on: no protocol, and never "any other" */
	BH_PROTO_ADOPTED = 250,   /* older than the enforcement, and taken over with it */
	BH_PROTO_UNJUDGED = 251,  /* there was no time to look: the contract's onOverload decides */
	BH_PROTO_UNSEEN = 252,    /* its beginning was not seen: the contract's midstream decides */
	BH_PROTO_UNDECIDED = 253, /* the budget ended before anything was certain */
	BH_PROTO_UNKNOWN =
	    254, /* certainly none of the protocols asked for, and nobody can name it */
};

/* "http"; "unknown", "undecided" for the two answers; NULL for a number without a name. */
const char *bh_proto_name(unsigned number);
/* By name (aliases too, "ftp_control" = ftp; "unknown" included); BH_PROTO_INVALID if there is none. */
enum bh_proto bh_proto_by_name(const char *name);
/* May stand in an allow rule. */
bool bh_proto_has_probe(unsigned number);
/* The i-th name, for listings and did-you-mean; NULL past the end. */
const char *bh_proto_nth(size_t i);
/* The i-th of the other names that protocols have; NULL past the end. */
const char *bh_proto_alias_nth(size_t i);

/*
 * Something here or nDPI 4.2 can tell it: there is a probe, or nDPI has a name for it. What nobody can tell cannot
 * stand in any rule.
 */
bool bh_proto_can_be_told(unsigned number);

/* A set of protocol numbers. */
struct bh_protoset {
	uint64_t bits[4];
};

static inline void bh_protoset_add(struct bh_protoset *s, unsigned n)
{
	s->bits[(n & 255) / 64] |= UINT64_C(1) << (n % 64);
}
static inline bool bh_protoset_has(const struct bh_protoset *s, unsigned n)
{
	return s->bits[(n & 255) / 64] >> (n % 64) & 1;
}
static inline bool bh_protoset_empty(const struct bh_protoset *s)
{
	return !(s->bits[0] | s->bits[1] | s->bits[2] | s->bits[3]);
}

/* Families are names for several protocols: "mail" stands for smtp, imap and pop3. false: there is none of that name. */
bool bh_proto_family(const char *name, struct bh_protoset *ret);
/* The i-th name of a family; NULL past the end. */
const char *bh_proto_family_nth(size_t i);

#endif
