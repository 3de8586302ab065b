/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/model/protocol.c - names and numbers of application protocols
 *
 * The table itself stands in protocol.h (BH_PROTOCOLS); here are the look-ups. Other names that people
 * know for the same thing are aliases: they are read, never printed.
 */
#include "policy/protocol.h"

#include "common/util.h"

struct protocol {
	const char *name;
	enum bh_proto number;
	bool probe;
};

static const struct protocol protocols[] = {
#define X(id, number, name, probe) { name, BH_PROTO_##id, probe },
	BH_PROTOCOLS(X)
#undef X
};

#define X(id, number, name, probe)                                                 \
	_Static_assert((number) >= BH_PROTO_FIRST && (number) < BH_PROTO_RESERVED, \
		       #id " has a reserved number");
BH_PROTOCOLS(X)
#undef X

static const struct protocol aliases[] = {
	{ "ftp_control", BH_PROTO_FTP, false },
	{ "mongo", BH_PROTO_MONGODB, false },
	{ "postgresql", BH_PROTO_POSTGRES, true },
	{ "ssl", BH_PROTO_TLS, true },
};

static const struct protocol *find(unsigned number)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == number)
			return &protocols[i];
	return NULL;
}

const char *bh_proto_name(unsigned number)
{
	const struct protocol *p = find(number);

	if (p)
		return p->name;
	if (number == BH_PROTO_UNKNOWN)
		return "unknown";
	if (number == BH_PROTO_UNDECIDED)
		return "undecided";
	return NULL;
}

enum bh_proto bh_proto_by_name(const char *name)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(protocols); i++)
		if (bh_streq(protocols[i].name, name))
			return protocols[i].number;
	for (size_t i = 0; i < BH_ARRAY_SIZE(aliases); i++)
		if (bh_streq(aliases[i].name, name))
			return aliases[i].number;
	return bh_streq(name, "unknown") ? BH_PROTO_UNKNOWN : BH_PROTO_INVALID;
}

bool bh_proto_has_probe(unsigned number)
{
	const struct protocol *p = find(number);

	return p && p->probe;
}

/*
 * Without a name in nDPI 4.2 (dataplane/classifier/name_ndpi.c). Later versions know some of them; who builds with
 * one may take these out.
 */
static const enum bh_proto nameless[] = {
	BH_PROTO_HTTP2,     BH_PROTO_GRPC,   BH_PROTO_KAFKA,
	BH_PROTO_ZOOKEEPER, BH_PROTO_STATSD, BH_PROTO_IPERF3,
};

bool bh_proto_can_be_told(unsigned number)
{
	if (number == BH_PROTO_UNKNOWN || bh_proto_has_probe(number))
		return true;
	for (size_t i = 0; i < BH_ARRAY_SIZE(nameless); i++)
		if (nameless[i] == number)
			return false;
	return find(number) != NULL;
}

#define FAMILY_MAX 8

static const struct {
	const char *name;
	enum bh_proto members[FAMILY_MAX]; /* INVALID at the end */
} families[] = {
	{ "mail", { BH_PROTO_SMTP, BH_PROTO_IMAP, BH_PROTO_POP3 } },
	{ "database",
	  { BH_PROTO_POSTGRES, BH_PROTO_MYSQL, BH_PROTO_REDIS, BH_PROTO_MONGODB, BH_PROTO_MEMCACHED,
	    BH_PROTO_CASSANDRA } },
	{ "remote-desktop", { BH_PROTO_RDP, BH_PROTO_VNC } },
	{ "file-sharing", { BH_PROTO_SMB, BH_PROTO_NFS, BH_PROTO_FTP, BH_PROTO_RSYNC } },
	{ "vpn", { BH_PROTO_OPENVPN, BH_PROTO_WIREGUARD, BH_PROTO_TOR } },
};

bool bh_proto_family(const char *name, struct bh_protoset *ret)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(families); i++) {
		if (!bh_streq(families[i].name, name))
			continue;
		*ret = (struct bh_protoset){ .bits = { 0 } };
		for (size_t k = 0; k < FAMILY_MAX && families[i].members[k]; k++)
			bh_protoset_add(ret, families[i].members[k]);
		return true;
	}
	return false;
}

const char *bh_proto_family_nth(size_t i)
{
	return i < BH_ARRAY_SIZE(families) ? families[i].name : NULL;
}

const char *bh_proto_alias_nth(size_t i)
{
	return i < BH_ARRAY_SIZE(aliases) ? aliases[i].name : NULL;
}

const char *bh_proto_nth(size_t i)
{
	return i < BH_ARRAY_SIZE(protocols) ? protocols[i].name : NULL;
}
