// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/probe_dns.c - DNS over UDP and TCP
 *
 * Sources: RFC 1035 section 4.1 (header, question, resource records, compression), 4.2.2 (two bytes of
 * length over TCP); RFC 9619 (a query has one question); RFC 1996 (NOTIFY); RFC 2136 (UPDATE: one zone);
 * RFC 6891 (OPT); RFC 8945 (TSIG); RFC 1995 (IXFR: an SOA in the authority section of a query).
 *
 * A query is certain when every record in it was walked and it ends where the message ends: what could be
 * carried behind it would not be DNS. Compression pointers go backwards only, so that the walk ends.
 */
#include "common/util.h"
#include "dataplane/classifier/bytes.h"

#include "common/banned.h"

#define HEADER         12U
#define NAME_MAX_BYTES 255U
#define TCP_LEN_MAX    0x3effU /* of a query */

#define OP_QUERY  0U
#define OP_NOTIFY 4U
#define OP_UPDATE 5U

/*
 * One name at *@at. Of a message the length of which is @len, @n bytes are here. A pointer ends the name;
 * it must lead to a place behind the header and before the name itself.
 */
static enum bh_answer name(const uint8_t *p, uint32_t n, uint32_t len, uint32_t *at)
{
	uint32_t start = *at, i = start, total = 0;

	for (;;) {
		uint32_t l;

		if (i >= n)
			return i >= len ? BH_ANSWER_NO : BH_ANSWER_MORE;
		l = p[i];
		if (l == 0) {
			*at = i + 1;
			return BH_ANSWER_YES;
		}
		if ((l & 0xc0U) == 0xc0U) {
			uint32_t target;

			if (i + 1 >= n)
				return i + 1 >= len ? BH_ANSWER_NO : BH_ANSWER_MORE;
			target = bh_be16(p + i) & 0x3fffU;
			if (target < HEADER || target >= start)
				return BH_ANSWER_NO;
			*at = i + 2;
			return BH_ANSWER_YES;
		}
		if (l > 63)
			return BH_ANSWER_NO;
		total += l + 1;
		if (total >= NAME_MAX_BYTES)
			return BH_ANSWER_NO;
		i += l + 1;
	}
}

/* @bytes more from *@at: there, to come, or beyond the end of the message. */
static enum bh_answer room(uint32_t n, uint32_t len, uint32_t at, uint32_t bytes)
{
	if (bytes > len - at)
		return BH_ANSWER_NO;
	return bytes > n - at ? BH_ANSWER_MORE : BH_ANSWER_YES;
}

static enum bh_answer question(const uint8_t *p, uint32_t n, uint32_t len, uint32_t *at)
{
	enum bh_answer a = name(p, n, len, at);
	uint32_t cls;

	if (a != BH_ANSWER_YES)
		return a;
	a = room(n, len, *at, 4);
	if (a != BH_ANSWER_YES)
		return a;
	cls = bh_be16(p + *at + 2);
	if (bh_be16(p + *at) == 0)
		return BH_ANSWER_NO;
	if (cls != 1 && cls != 3 && cls != 4 && cls != 254 && cls != 255)
		return BH_ANSWER_NO;
	*at += 4;
	return BH_ANSWER_YES;
}

static enum bh_answer record(const uint8_t *p, uint32_t n, uint32_t len, uint32_t *at)
{
	enum bh_answer a = name(p, n, len, at);
	uint32_t data;

	if (a != BH_ANSWER_YES)
		return a;
	a = room(n, len, *at, 10);
	if (a != BH_ANSWER_YES)
		return a;
	if (bh_be16(p + *at) == 0)
		return BH_ANSWER_NO;
	data = bh_be16(p + *at + 8);
	*at += 10;
	a = room(n, len, *at, data);
	if (a != BH_ANSWER_YES)
		return a;
	*at += data;
	return BH_ANSWER_YES;
}

/* Counts of the sections, as far as a message of this kind can have them. */
static bool header_fits(const uint8_t *p, uint32_t len, bool reply)
{
	uint32_t flags = bh_be16(p + 2), op = flags >> 11 & 15U;
	uint32_t qd = bh_be16(p + 4), an = bh_be16(p + 6), ns = bh_be16(p + 8),
		 ar = bh_be16(p + 10);

	if ((flags >> 15 != 0) != reply || (flags & 0x0040U))
		return false;
	if (op != OP_QUERY && op != OP_NOTIFY && op != OP_UPDATE)
		return false;
	if (reply ? qd > 1 : qd != 1)
		return false;
	/* A question is at least 5 bytes, a record 11. */
	if (HEADER + qd * 5 + (an + ns + ar) * 11 > len)
		return false;
	if (reply || op == OP_UPDATE)
		return true;
	if ((flags & 15U) || ar > 4) /* no result code in a question; OPT, TSIG, SIG(0) */
		return false;
	return op == OP_NOTIFY ? an <= 1 && ns == 0 : an == 0 && ns <= 1;
}

static enum bh_answer message(const uint8_t *p, uint32_t n, uint32_t len, bool reply)
{
	uint32_t i, at = HEADER, records;
	enum bh_answer a;

	if (len < HEADER + 5)
		return BH_ANSWER_NO;
	if (n < HEADER)
		return BH_ANSWER_MORE;
	if (!header_fits(p, len, reply))
		return BH_ANSWER_NO;
	if (bh_be16(p + 4) == 1) {
		a = question(p, n, len, &at);
		if (a != BH_ANSWER_YES)
			return a;
	}
	records = (uint32_t)bh_be16(p + 6) + bh_be16(p + 8) + bh_be16(p + 10);
	for (i = 0; i < records; i++) {
		a = record(p, n, len, &at);
		if (a != BH_ANSWER_YES)
			return a;
	}
	return at == len ? BH_ANSWER_YES : BH_ANSWER_NO;
}

static enum bh_answer over_udp(const struct bh_view *v)
{
	/* All of a datagram is there: what is missing does not come. */
	if (v->nc > 0)
		return message(v->c, v->nc, v->nc, false) == BH_ANSWER_YES ? BH_ANSWER_YES
									   : BH_ANSWER_NO;
	if (v->ns > 0)
		return message(v->s, v->ns, v->ns, true) == BH_ANSWER_YES ? BH_ANSWER_YES
									  : BH_ANSWER_NO;
	return BH_ANSWER_MORE;
}

enum bh_answer bh_probe_dns(const struct bh_view *v)
{
	enum bh_answer a = BH_ANSWER_MORE;

	if (v->udp)
		return over_udp(v);
	/* What does not fit into what is kept of a client could never be judged. */
	if (v->nc > 0 && v->c[0] > TCP_LEN_MAX >> 8)
		return BH_ANSWER_NO;
	if (v->nc >= 2) {
		uint32_t len = bh_be16(v->c);

		a = message(v->c + 2, BH_MIN(v->nc - 2, len), len, false);
	}
	if (a == BH_ANSWER_MORE && v->ns > 0)
		return BH_ANSWER_NO; /* nothing to answer yet */
	return a;
}
