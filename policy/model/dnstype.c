/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/model/dnstype.c - types of DNS records by name
 *
 * Source: the registry of IANA ("Domain Name System (DNS) Parameters"), those that are in use. TYPEnnn is RFC 3597.
 */
#include "policy/dnstype.h"

#include "common/parse.h"
#include "common/util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/banned.h"

static const struct {
	uint16_t type;
	const char *name;
} types[] = {
	{ 1, "A" },           { 2, "NS" },      { 5, "CNAME" },   { 6, "SOA" },
	{ 12, "PTR" },        { 13, "HINFO" },  { 15, "MX" },     { 16, "TXT" },
	{ 17, "RP" },         { 18, "AFSDB" },  { 28, "AAAA" },   { 29, "LOC" },
	{ 33, "SRV" },        { 35, "NAPTR" },  { 36, "KX" },     { 37, "CERT" },
	{ 39, "DNAME" },      { 43, "DS" },     { 44, "SSHFP" },  { 46, "RRSIG" },
	{ 47, "NSEC" },       { 48, "DNSKEY" }, { 50, "NSEC3" },  { 51, "NSEC3PARAM" },
	{ 52, "TLSA" },       { 53, "SMIMEA" }, { 59, "CDS" },    { 60, "CDNSKEY" },
	{ 61, "OPENPGPKEY" }, { 62, "CSYNC" },  { 63, "ZONEMD" }, { 64, "SVCB" },
	{ 65, "HTTPS" },      { 99, "SPF" },    { 108, "EUI48" }, { 109, "EUI64" },
	{ 249, "TKEY" },      { 250, "TSIG" },  { 251, "IXFR" },  { 252, "AXFR" },
	{ 255, "ANY" },       { 256, "URI" },   { 257, "CAA" },
};

const char *bh_dns_type_name(uint16_t type, char *buf)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(types); i++)
		if (types[i].type == type)
			return types[i].name;
	(void)snprintf(buf, BH_DNS_TYPE_STRLEN, "TYPE%u", type);
	return buf;
}

int bh_dns_type_parse(const char *s, uint16_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].name, s) != 0)
			continue;
		*ret = types[i].type;
		return 0;
	}
	if (strncmp(s, "TYPE", 4) != 0 || bh_parse_u64(s + 4, UINT16_MAX, &v) < 0)
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

const char *bh_dns_type_nth(size_t i)
{
	return i < BH_ARRAY_SIZE(types) ? types[i].name : NULL;
}
