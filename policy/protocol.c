/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/protocol.c - names and numbers of application protocols
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

#define X(id, number, name, probe) \
	_Static_assert((number) >= BH_PROTO_FIRST && (number) < 252, #id " has a reserved number");
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

const char *bh_proto_nth(size_t i)
{
	return i < BH_ARRAY_SIZE(protocols) ? protocols[i].name : NULL;
}
