/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/model/pattern.c - what may be written where names, requests and times of day are matched
 *
 * Strict where a slip would match nothing for ever (a path without "/", a name with a port behind it): who writes
 * it believes that it holds. Names may have "_" in them, because container engines give such names and SRV records
 * begin with it.
 *
 * Source: RFC 1035, RFC 1123 (names), RFC 9110 (methods, tokens), RFC 7301 (ALPN).
 */
#include "policy/pattern.h"

#include "common/parse.h"
#include "common/timezone.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#define PATH_MAX_BYTES 1024

#define EMPTY "it must not be empty"

static bool only(const char *s, size_t n, const char *set)
{
	return strspn(s, set) >= n;
}

/* ---- names ---- */

static const char *label(const char *s, size_t n)
{
	if (n == 0)
		return "there must be something between the dots";
	if (n > 63)
		return "a part between dots must not be longer than 63 characters";
	if (!only(s, n, LOWER UPPER DIGITS "-_"))
		return "only letters, digits, \"-\", \"_\" and \".\" may stand in it";
	if (s[0] == '-' || s[n - 1] == '-')
		return "a part between dots must not begin or end with \"-\"";
	return NULL;
}

/* @n bytes at @s. */
static const char *name(const char *s, size_t n)
{
	size_t end = n;

	if (n == 0)
		return EMPTY;
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)s[i] >= 0x80)
			return "write it in its xn-- form";
	if (n == 1 && s[0] == '*')
		return "to mean every name, leave the field out";
	if (n > 2 && s[0] == '*' && s[1] == '.') {
		s += 2;
		end -= 2;
	}
	if (memchr(s, '*', end))
		return "\"*\" may stand in front only, as \"*.example.com\"";
	if (memchr(s, '/', end))
		return "write the name alone, without \"https://\" and path";
	if (memchr(s, ':', end))
		return "write the name alone, without port";
	if (end > 1 && s[end - 1] == '.')
		end--;
	if (end > 253)
		return "it must not be longer than 253 characters";
	for (size_t from = 0, i = 0; i <= end; i++) {
		const char *why;

		if (i < end && s[i] != '.')
			continue;
		why = label(s + from, i - from);
		if (why)
			return why;
		from = i + 1;
	}
	return NULL;
}

const char *bh_pattern_name(const char *s)
{
	return name(s, strlen(s));
}

const char *bh_pattern_connect(const char *s)
{
	const char *colon = strrchr(s, ':');
	const char *why;
	uint64_t port = 0;

	if (!colon)
		return "write it like db.example.com:5432 or db.example.com:*";
	why = name(s, (size_t)(colon - s));
	if (why)
		return why;
	if (bh_streq(colon + 1, "*"))
		return NULL;
	if (bh_parse_u64(colon + 1, UINT16_MAX, &port) < 0 || port == 0 || colon[1] == '0')
		return "behind \":\" there must be a port, 1-65535, or \"*\"";
	return NULL;
}

void bh_pattern_fold(char *s)
{
	char *end = strchr(s, ':');
	size_t n = end ? (size_t)(end - s) : strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] >= 'A' && s[i] <= 'Z')
			s[i] = (char)(s[i] + ('a' - 'A'));
	if (n > 1 && s[n - 1] == '.')
		memmove(s + n - 1, s + n, strlen(s + n) + 1);
}

/* ---- requests ---- */

static bool hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Requests are compared decoded, and without "." and "..": see policy/ruleset/attr.c. */
static const char *path_parts(const char *s)
{
	for (const char *p = s; *p; p += strcspn(p, "/")) {
		size_t n;

		p++;
		n = strcspn(p, "/");
		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return "requests are compared without \".\" and \"..\"";
	}
	for (const char *p = strchr(s, '%'); p; p = strchr(p + 1, '%'))
		if (hex(p[1]) && hex(p[2]))
			return "requests are compared decoded: write the character that %XX stands for";
	return NULL;
}

const char *bh_pattern_path(const char *s)
{
	if (s[0] != '/')
		return "it must begin with \"/\"";
	if (strlen(s) > PATH_MAX_BYTES)
		return "it must not be longer than 1024 bytes";
	for (const char *p = s; *p; p++)
		if ((uint8_t)*p < 0x20 || *p == 0x7f)
			return "it must not have control characters in it";
	if (strpbrk(s, "?#"))
		return "leave out \"?\" and what follows: requests are compared without it";
	if (strstr(s, "***"))
		return "write * (within a segment) or ** (over segments)";
	return path_parts(s);
}

const char *bh_pattern_method(const char *s)
{
	size_t n = strlen(s);

	if (n == 0)
		return EMPTY;
	if (n > 32)
		return "it must not be longer than 32 characters";
	if (only(s, n, LOWER UPPER DIGITS "-_") && !only(s, n, UPPER DIGITS "-_"))
		return "methods are written in capitals";
	return only(s, n, UPPER DIGITS "-_") ? NULL
					     : "only capitals, digits, \"-\" and \"_\" may stand "
					       "in it";
}

const char *bh_pattern_token(const char *s)
{
	size_t n = strlen(s);

	if (n == 0)
		return EMPTY;
	if (n > 64)
		return "it must not be longer than 64 characters";
	return only(s, n, LOWER DIGITS "-_./")
		   ? NULL
		   : "only lower-case letters, digits, \"-\", \"_\", \".\" and \"/\" may stand in "
		     "it";
}

const char *bh_pattern_alpn(const char *s)
{
	size_t n = strlen(s);

	if (n == 0)
		return EMPTY;
	return n > 255 ? "it must not be longer than 255 bytes" : NULL;
}

const char *bh_pattern_service(const char *s)
{
	size_t len = strlen(s);

	if (len == 0)
		return EMPTY;
	if (len > 255)
		return "it must not be longer than 255 characters";
	for (size_t from = 0, i = 0; i <= len; i++) {
		size_t n = i - from;

		if (i < len && s[i] != '.')
			continue;
		if (n == 0)
			return "there must be something between the dots";
		if (memchr(s + from, '*', n)) {
			if (n > 2 || !only(s + from, n, "*"))
				return "a part between dots is a word, * or **";
		} else if (!only(s + from, n, LOWER UPPER DIGITS "_") ||
			   (s[from] >= '0' && s[from] <= '9')) {
			return "write package.Service: letters, digits, \"_\" and dots";
		}
		from = i + 1;
	}
	return NULL;
}

const char *bh_pattern_call(const char *s)
{
	size_t n = strlen(s);

	if (bh_streq(s, "*"))
		return NULL;
	if (n == 0)
		return EMPTY;
	if (n > 255)
		return "it must not be longer than 255 characters";
	return only(s, n, LOWER UPPER DIGITS "_") && !(s[0] >= '0' && s[0] <= '9')
		   ? NULL
		   : "write the name of a method, or \"*\" for every";
}

/* ---- times ---- */

const char *bh_pattern_zone(const char *s)
{
	if (s[0] == '\0')
		return EMPTY;
	return bh_zone_is_name(s) ? NULL : "write it like \"Europe/Vienna\" or \"UTC\"";
}

int bh_day_minutes(const char *s)
{
	int h, m;

	if (strlen(s) != 5 || !only(s, 2, DIGITS) || s[2] != ':' || !only(s + 3, 2, DIGITS))
		return -1;
	h = (s[0] - '0') * 10 + (s[1] - '0');
	m = (s[3] - '0') * 10 + (s[4] - '0');
	if (m > 59 || h > 24 || (h == 24 && m > 0))
		return -1;
	return h * 60 + m;
}
