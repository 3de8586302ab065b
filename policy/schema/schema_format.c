/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_format.c - the table of formats
 */
#include "policy/schema/schema_format.h"

#include "common/util.h"
#include "policy/protocol.h"
#include "policy/risk.h"

#include <string.h>

#include "common/banned.h"

#define LABEL      "[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
#define DNS_LABEL  "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
#define DNS_NAME   DNS_LABEL "(\\." DNS_LABEL ")*"
#define HOST_LABEL "[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?"
#define HOST_NAME  "(\\*\\.)?" HOST_LABEL "(\\." HOST_LABEL ")*\\.?"
/* 1-65535 */
#define PORT \
	"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
/* Parts of digits, the first with a letter, any. */
#define PORT_NAME "([0-9]+-)*[0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*"
#define WORD      "[A-Za-z_][A-Za-z0-9_]*"
#define SERVICE   "(" WORD "|\\*\\*?)"
#define DIGITS(n) "[0-9]{" n "}"

/* What can be written as a protocol: names, names of families, other names, and one that is none. */
static const char *protocol_word(size_t i)
{
	static const char *(*const lists[])(size_t) = { bh_proto_nth, bh_proto_family_nth,
							bh_proto_alias_nth };

	for (size_t k = 0; k < BH_ARRAY_SIZE(lists); k++) {
		size_t n = 0;

		while (lists[k](n)) {
			if (n == i)
				return lists[k](n);
			n++;
		}
		i -= n;
	}
	return i == 0 ? "unknown" : NULL;
}

static const struct bh_field_format formats[] = {
	{ "address", "an address: 10.1.2.3, fd00::1", "^[0-9A-Fa-f.:]+$", 64, NULL },
	{ "cidr", "a range of addresses: 10.1.0.0/16, fd00::/8", "^[0-9A-Fa-f.:]+/[0-9]{1,3}$", 70,
	  NULL },
	/* Where a string can stand for a number, it is the name of a port. */
	{ "port", "number of a port", "^" PORT_NAME "$", 15, NULL },
	{ "port-name", "a name of at most 15 lower-case letters, digits and \"-\"",
	  "^" PORT_NAME "$", 15, NULL },
	{ "port-short", "80, 443/tcp, 8000-8100, 53/udp, http, metrics/tcp",
	  "^(" PORT "(-" PORT ")?|" PORT_NAME ")(/([Tt][Cc][Pp]|[Uu][Dd][Pp]|[Ss][Cc][Tt][Pp]))?$",
	  0, NULL },
	{ "icmp", "echo-request, 8, 3/1 (type/code)", "^([0-9]+(/[0-9]+)?|[a-z][a-z0-9-]*)$", 0,
	  NULL },
	{ "name", "a domain name in lower case, at most 253 characters", "^" DNS_NAME "$", 253,
	  NULL },
	{ "loose-name",
	  "letters, digits, \"-\", \"_\" and \".\", a letter or digit first; at most 253 characters",
	  "^[A-Za-z0-9][-A-Za-z0-9_.]*$", 253, NULL },
	{ "namespace", "letters, digits, \"-\", \"_\" and \".\"; at most 253 characters",
	  "^([A-Za-z0-9][-A-Za-z0-9_.]*)?$", 253, NULL },
	{ "label-key", "a label key: app, example.com/app", "^(" DNS_NAME "/)?" LABEL "$", 317,
	  NULL },
	{ "label-value", "a label value: at most 63 letters, digits, \"-\", \"_\" and \".\"",
	  "^(" LABEL ")?$", 63, NULL },
	{ "text", "one line of at most 100 characters", "^[^\\n]+$", 100, NULL },
	{ "date-time", "a time as in RFC 3339: 2031-03-01T18:00:00Z",
	  "^" DIGITS("4") "-" DIGITS("2") "-" DIGITS("2") "[Tt]" DIGITS("2") ":" DIGITS(
	      "2") ":" DIGITS("2") "(\\.[0-9]+)?([Zz]|[-+]" DIGITS("2") ":" DIGITS("2") ")$",
	  0, NULL },
	{ "time-of-day", "a time of day: 08:00, up to 24:00",
	  "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", 5, NULL },
	{ "time-zone", "a name of the tz database: Europe/Vienna, UTC",
	  "^[-A-Za-z0-9+_]+(/[-A-Za-z0-9+_]+)*$", 64, NULL },
	{ "name-pattern", "shop.example.com, or *.example.com for every name below",
	  "^" HOST_NAME "$", 256, NULL },
	{ "path-glob", "/public/*: * stands for anything within a segment, ** over segments",
	  "^/[^?#]*$", 1024, NULL },
	{ "method", "a method in capitals: GET", "^[-A-Z0-9_]+$", 32, NULL },
	{ "token", "a word in lower case: websocket", "^[-a-z0-9_./]+$", 64, NULL },
	{ "connect-target", "db.example.com:5432, or db.example.com:* for every port",
	  "^" HOST_NAME ":(" PORT "|\\*)$", 262, NULL },
	{ "alpn", "a name of ALPN: h2, http/1.1", "^[\\s\\S]+$", 255, NULL },
	{ "dns-type", "a type of DNS records: AAAA, TYPE65", "^[A-Z0-9]+$", 0, NULL },
	{ "grpc-service", "package.Service: shop.Cart, shop.**", "^" SERVICE "(\\." SERVICE ")*$",
	  255, NULL },
	{ "grpc-method", "the name of a method, or * for every", "^(" WORD "|\\*)$", 255, NULL },
	{ "protocol", "a protocol or family: \"bulkhead protocols\" lists them",
	  "^[a-z0-9][-a-z0-9_]*$", 64, protocol_word },
	{ "risk", "the name of a risk: clear-text-credentials", "^[a-z0-9][-a-z0-9]*$", 64,
	  bh_risk_nth },
};

const struct bh_field_format *bh_field_format(const char *name)
{
	for (size_t i = 0; name && i < BH_ARRAY_SIZE(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}
