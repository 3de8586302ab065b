// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/probe_http.c - HTTP/1.x
 *
 * Sources: RFC 9112 section 3 (request line: method SP request-target SP HTTP-version CRLF), 2.2 (empty
 * lines before it may be skipped, LF alone may end a line), 2.3 (version); RFC 9110 section 9 (methods).
 *
 * Certain with the end of the request line, which is before any server can act. Not HTTP/1: a request
 * without a version (HTTP/0.9), the preface of HTTP/2 (its version is 2.0), and a server that speaks first,
 * but for the answer 408 that proxies send on connections left idle (RFC 9110 section 15.5.9).
 */
#include "dataplane/classifier/bytes.h"

#include "common/banned.h"

#define EMPTY_LINES_MAX 8U
#define METHOD_MAX      32U

/*
 * The grammar lets a method be any token; every method of the IANA registry is letters and '-'. What
 * is not, no server knows; and "SSH-2.0" is a token.
 */
static bool is_method(uint8_t c)
{
	return (bh_lower(c) >= 'a' && bh_lower(c) <= 'z') || c == '-' || c == '_';
}

/* Behind the empty lines; @ret_at is @n where they have not ended. False: a CR alone, or too many. */
static bool skip_empty_lines(const uint8_t *p, uint32_t n, uint32_t *ret_at)
{
	uint32_t i = 0, lines = 0;

	while (i < n && (p[i] == '\r' || p[i] == '\n')) {
		if (++lines > EMPTY_LINES_MAX)
			return false;
		if (p[i] == '\r' && ++i < n && p[i] != '\n')
			return false;
		i++;
	}
	*ret_at = i < n ? i : n;
	return true;
}

static enum bh_answer version(const uint8_t *p, uint32_t n)
{
	enum bh_answer a = bh_begins(p, n, "HTTP/1.");

	if (a != BH_ANSWER_YES)
		return a;
	if (n < 8)
		return BH_ANSWER_MORE;
	if (!bh_is_digit(p[7]))
		return BH_ANSWER_NO;
	a = bh_begins(p + 8, n - 8, "\r\n");
	return a == BH_ANSWER_NO ? bh_begins(p + 8, n - 8, "\n") : a;
}

static enum bh_answer request_line(const uint8_t *p, uint32_t n)
{
	uint32_t i, start;

	if (!skip_empty_lines(p, n, &i))
		return BH_ANSWER_NO;
	for (start = i; i < n && is_method(p[i]); i++)
		if (i - start >= METHOD_MAX)
			return BH_ANSWER_NO;
	if (i == n)
		return BH_ANSWER_MORE;
	if (i == start || p[i] != ' ')
		return BH_ANSWER_NO;
	/* RFC 3986 allows less, but clients send bytes of UTF-8 as they are. */
	for (start = ++i; i < n && p[i] > 0x20 && p[i] != 0x7f; i++)
		;
	if (i == n)
		return BH_ANSWER_MORE;
	if (i == start || p[i] != ' ')
		return BH_ANSWER_NO;
	return version(p + i + 1, n - i - 1);
}

/* The server speaks although no request is complete. */
static bool early_answer_fits(const struct bh_view *v)
{
	enum bh_answer a = bh_begins(v->s, v->ns, "HTTP/1.");

	if (a != BH_ANSWER_YES)
		return a == BH_ANSWER_MORE;
	if (v->ns > 7 && !bh_is_digit(v->s[7]))
		return false;
	if (v->ns <= 8)
		return true;
	/* Without any request only "you were too slow" makes sense; with the start of one, any refusal. */
	if (v->nc == 0)
		return bh_begins(v->s + 8, v->ns - 8, " 408 ") != BH_ANSWER_NO;
	return bh_begins(v->s + 8, v->ns - 8, " 4") != BH_ANSWER_NO ||
	       bh_begins(v->s + 8, v->ns - 8, " 5") != BH_ANSWER_NO;
}

enum bh_answer bh_probe_http(const struct bh_view *v)
{
	enum bh_answer a = request_line(v->c, v->nc);

	if (v->udp)
		return BH_ANSWER_NO;
	if (a == BH_ANSWER_MORE && v->ns > 0 && !early_answer_fits(v))
		return BH_ANSWER_NO;
	return a;
}
