/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/model/names.c - what a name, a label or a port may be called
 *
 * Source: the error messages of a Kubernetes API server (tests/conformance/validation.yaml) and RFC 1123,
 * RFC 6335.
 */
#include "policy/names.h"

#include "policy/text.h"

#include <string.h>

#include "common/banned.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define ALNUM  LOWER UPPER DIGITS

#define EMPTY  "it must not be empty"
#define LONG   "it must not be longer than 63 characters"
#define LONGER "it must not be longer than 253 characters"

static bool in(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Letters, digits and @inner; letters and digits (of @ends) at both ends. */
static const char *simple(const char *s, size_t len, const char *ends, const char *all,
			  const char *bad_end, const char *bad_char)
{
	for (size_t i = 0; i < len; i++)
		if (!in(s[i], all))
			return bad_char;
	return in(s[0], ends) && in(s[len - 1], ends) ? NULL : bad_end;
}

static const char *qualified(const char *s, size_t len)
{
	if (len == 0)
		return EMPTY;
	if (len > 63)
		return LONG;
	return simple(s, len, ALNUM, ALNUM "-_.", "it must begin and end with a letter or digit",
		      "only letters, digits, \"-\", \"_\" and \".\" may stand in it");
}

static const char *domain(const char *s, size_t len)
{
	size_t begin = 0;

	if (len == 0)
		return EMPTY;
	if (len > 253)
		return LONGER;
	for (size_t i = 0; i <= len; i++) {
		const char *why;

		if (i < len && s[i] != '.')
			continue;
		if (i == begin)
			return "there must be something between the dots";
		why = simple(s + begin, i - begin, LOWER DIGITS, LOWER DIGITS "-",
			     "each part must begin and end with a lower-case letter or digit",
			     "only lower-case letters, digits, \"-\" and \".\" may stand in it");
		if (why)
			return why;
		begin = i + 1;
	}
	return NULL;
}

const char *bh_name_label_key(const char *s)
{
	const char *slash = strchr(s, '/');
	const char *why;

	if (!slash)
		return qualified(s, strlen(s));
	if (strchr(slash + 1, '/'))
		return "there must be at most one \"/\" in it";
	why = domain(s, (size_t)(slash - s));
	if (why)
		return "what stands before \"/\" must be a domain name in lower case";
	return qualified(slash + 1, strlen(slash + 1));
}

const char *bh_name_label_value(const char *s)
{
	return *s ? qualified(s, strlen(s)) : NULL;
}

const char *bh_name_dns_label(const char *s)
{
	size_t len = strlen(s);

	if (len == 0)
		return EMPTY;
	if (len > 63)
		return LONG;
	return simple(s, len, LOWER DIGITS, LOWER DIGITS "-",
		      "it must begin and end with a lower-case letter or digit",
		      "only lower-case letters, digits and \"-\" may stand in it");
}

const char *bh_name_dns_domain(const char *s)
{
	return domain(s, strlen(s));
}

const char *bh_name_port(const char *s)
{
	size_t len = strlen(s);

	if (len == 0)
		return EMPTY;
	if (len > 15)
		return "it must not be longer than 15 characters";
	for (size_t i = 0; i < len; i++)
		if (!in(s[i], LOWER DIGITS "-"))
			return "only lower-case letters, digits and \"-\" may stand in it";
	if (s[0] == '-' || s[len - 1] == '-')
		return "it must not begin or end with \"-\"";
	if (strstr(s, "--"))
		return "it must not have two \"-\" in a row";
	if (strcspn(s, LOWER) == len)
		return "it must have at least one letter";
	return NULL;
}

const char *bh_name_loose(const char *s)
{
	size_t len = strlen(s);

	if (len == 0)
		return EMPTY;
	if (len > 253)
		return LONGER;
	if (!in(s[0], ALNUM))
		return "it must begin with a letter or digit";
	return simple(s, len, ALNUM "-_.", ALNUM "-_.", NULL,
		      "only letters, digits, \"-\", \"_\" and \".\" may stand in it");
}

const char *bh_name_text(const char *s)
{
	size_t len = strlen(s), chars = 0;

	if (len == 0)
		return EMPTY;
	for (size_t off = 0; off < len; chars++) {
		uint32_t c = 0;
		size_t n = bh_utf8_next(s + off, len - off, &c);

		if (n == 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029)
			return "it must be one line of text";
		off += n;
	}
	return chars > 100 ? "it must not be longer than 100 characters" : NULL;
}
