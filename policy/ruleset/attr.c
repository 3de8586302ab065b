/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/ruleset/attr.c - does a value match what a rule asks for?
 *
 * Values come normalised: paths decoded once, without dot segments, query and fragment; names in lower case,
 * without a dot at the end. Patterns were checked by the loader. What cannot be read matches nothing.
 */
#include "policy/ruleset.h"

#include "common/util.h"

#include <string.h>

#include "common/banned.h"

/*
 * * stands for anything within a segment, ** for anything. Two pointers and one place to come back to for each
 * kind of star: no recursion, and the time is bounded by length of pattern times length of value.
 */
static bool glob(const char *p, const char *s, char sep)
{
	const char *star = NULL, *star_s = NULL; /* behind the last "*", and where it ends so far */
	const char *deep = NULL, *deep_s = NULL; /* the same of the last "**" */

	for (;;) {
		if (p[0] == '*' && p[1] == '*') {
			p += 2;
			deep = p;
			deep_s = s;
			star = NULL;
			continue;
		}
		if (*p == '*') {
			star = ++p;
			star_s = s;
			continue;
		}
		if (*p == *s && *s) {
			p++;
			s++;
			continue;
		}
		if (!*p && !*s)
			return true;
		if (star && *star_s && *star_s != sep) {
			s = ++star_s;
			p = star;
			continue;
		}
		if (!deep || !*deep_s)
			return false;
		star = NULL;
		s = ++deep_s;
		p = deep;
	}
}

/* A pattern that ends in a slash and two stars also means the folder itself. */
static bool path_match(const char *pattern, const char *path)
{
	char folder[1024];
	size_t n = strlen(pattern);

	if (glob(pattern, path, '/'))
		return true;
	if (n <= 3 || n - 3 >= sizeof(folder) || !bh_streq(pattern + n - 3, "/**"))
		return false;
	memcpy(folder, pattern, n - 3);
	folder[n - 3] = '\0';
	return glob(folder, path, '/');
}

static bool connect_match(const char *pattern, const char *value)
{
	const char *p = strrchr(pattern, ':'), *v = strrchr(value, ':');
	char host[256], want[256];

	if (!p || !v || (size_t)(v - value) >= sizeof(host) ||
	    (size_t)(p - pattern) >= sizeof(want))
		return false;
	if (!bh_streq(p + 1, "*") && !bh_streq(p + 1, v + 1))
		return false;
	memcpy(host, value, (size_t)(v - value));
	host[v - value] = '\0';
	memcpy(want, pattern, (size_t)(p - pattern));
	want[p - pattern] = '\0';
	return bh_name_match(want, host);
}

/* "1.0" < "1.1" < "1.2" < "1.3"; what is none of these is less than all. */
static int tls_rank(const char *v)
{
	return strlen(v) == 3 && v[0] == '1' && v[1] == '.' && v[2] >= '0' && v[2] <= '3'
		   ? v[2] - '0'
		   : -1;
}

bool bh_attr_match(enum bh_attr attr, const char *pattern, const char *value)
{
	switch (attr) {
	case BH_ATTR_HTTP_PATH:
		return path_match(pattern, value);
	case BH_ATTR_HTTP_HOST:
	case BH_ATTR_TLS_NAME:
	case BH_ATTR_DNS_NAME:
		return bh_name_match(pattern, value);
	case BH_ATTR_HTTP_CONNECT:
		return connect_match(pattern, value);
	case BH_ATTR_TLS_VERSION:
		return tls_rank(pattern) >= 0 && tls_rank(value) >= tls_rank(pattern);
	case BH_ATTR_GRPC_SERVICE:
	case BH_ATTR_GRPC_METHOD:
		return glob(pattern, value, '.');
	case BH_ATTR_HTTP_METHOD:
	case BH_ATTR_HTTP_UPGRADE:
	case BH_ATTR_TLS_ALPN:
	case BH_ATTR_TLS_ECH:
	case BH_ATTR_DNS_TYPE:
	case BH_ATTR_RISK:
		return bh_streq(pattern, value);
	case BH_ATTR_INVALID:
	case BH_ATTR_COUNT:
		break;
	}
	return false;
}
