/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/model/icmp.c - types of ICMP and ICMPv6 by name
 *
 * Source: RFC 792, RFC 4443 and the registries of IANA. Discovery of neighbours always passes: it has no names here.
 */
#include "policy/icmp.h"

#include "common/parse.h"
#include "common/util.h"
#include "policy/model.h"

#include <string.h>

#include "common/banned.h"

#define NONE (-1)

static const struct bh_icmp_type types[] = {
	{ "echo-request", 8, 128, false },
	{ "destination-unreachable", 3, 1, false },
	{ "packet-too-big", NONE, 2, false },
	{ "time-exceeded", 11, 3, false },
	{ "parameter-problem", 12, 4, false },
	{ "redirect", 5, 137, false },
	{ "router-solicitation", 10, 133, false },
	{ "router-advertisement", 9, 134, false },
	{ "timestamp-request", 13, NONE, false },
	{ "timestamp-reply", 14, NONE, false },
	{ "mld-query", NONE, 130, false },
	{ "mld-report", NONE, 131, false },
	{ "mld-done", NONE, 132, false },
	{ "mld2-report", NONE, 143, false },
	{ "echo-reply", 0, 129, true },
};

const struct bh_icmp_type *bh_icmp_nth(size_t i)
{
	return i < BH_ARRAY_SIZE(types) ? &types[i] : NULL;
}

static int number_in(const struct bh_icmp_type *t, uint8_t l4)
{
	return l4 == BH_L4_ICMPV6 ? t->v6 : t->v4;
}

const char *bh_icmp_name(uint8_t l4, uint8_t type)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(types); i++) {
		if (number_in(&types[i], l4) == type)
			return types[i].name;
	}
	return NULL;
}

static int unknown(const char *name, struct bh_err *err)
{
	const char *names[BH_ARRAY_SIZE(types)], *near;

	for (size_t i = 0; i < BH_ARRAY_SIZE(types); i++)
		names[i] = types[i].name;
	near = bh_nearest(name, names, BH_ARRAY_SIZE(names));
	if (near)
		return bh_err_set(err, -EINVAL, "unknown type of ICMP '%s'; did you mean '%s'?",
				  name, near);
	return bh_err_set(err, -EINVAL, "unknown type of ICMP '%s'; write echo-request, 8, or 3/1",
			  name);
}

int bh_icmp_port(const char *s, uint8_t l4, uint16_t *ret, struct bh_err *err)
{
	const char *slash = strchr(s, '/');
	bh_autofree char *name = slash ? strndup(s, (size_t)(slash - s)) : strdup(s);
	const struct bh_icmp_type *t = NULL;
	uint64_t type = 0, code = 0;
	char text[8];

	if (!name)
		return bh_err_set(err, -ENOMEM, "out of memory");
	if (slash && bh_parse_u64(slash + 1, UINT8_MAX, &code) < 0)
		return bh_err_set(err, -EINVAL, "'%s' is no code of ICMP from 0 to 255", slash + 1);
	for (size_t i = 0; i < BH_ARRAY_SIZE(types) && !t; i++) {
		if (bh_streq(name, types[i].name))
			t = &types[i];
	}
	if (!t && bh_parse_u64(name, UINT8_MAX, &type) < 0)
		return unknown(name, err);
	if (t && number_in(t, l4) == NONE)
		return bh_err_set(err, -EINVAL, "%s has no type %s", bh_l4_name(l4, text), name);
	if (t)
		type = (uint64_t)number_in(t, l4);
	*ret = (uint16_t)(type << 8 | code);
	return 0;
}
