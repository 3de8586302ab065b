// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/probe_postgres.c - PostgreSQL, protocol 3
 *
 * Sources: PostgreSQL documentation, "Frontend/Backend Protocol", sections "Message Flow" (start-up, SSL and
 * GSSAPI session encryption, cancelling) and "Message Formats" (StartupMessage, SSLRequest,
 * GSSENCRequest, CancelRequest); the limit of 10,000 bytes is MAX_STARTUP_PACKET_LENGTH, that of tokens
 * PQ_GSS_MAX_PACKET_SIZE.
 *
 * A client may first ask for encryption, once for each kind, and goes on according to one byte of the
 * server: S, then only a ClientHello can follow; G, a GSSAPI token; N, the next request. So a request for
 * encryption does not decide by itself: anything could follow it. The StartupMessage is certain when all of
 * it is there, which is before the server answers; how the user then proves who he is (SCRAM, md5, ...)
 * stands in what follows and does not matter.
 */
#include "dataplane/classifier/bytes.h"
#include "dataplane/classifier/probe_tls.h"

#include "common/banned.h"

#define CODE_CANCEL 80877102U
#define CODE_SSL    80877103U
#define CODE_GSSENC 80877104U

#define STARTUP_MAX   10000U
#define CANCEL_MIN    16U
#define CANCEL_MAX    268U /* since protocol 3.2 the key may have up to 256 bytes */
#define GSS_TOKEN_MAX 16384U
#define GSS_INITIAL   0x60U /* RFC 2743 section 3.1 */

/* Pairs of strings, each ended by a zero, and a zero behind the last pair. */
static enum bh_answer parameters(const uint8_t *p, uint32_t n, uint32_t len)
{
	uint32_t i = 8, start = 8, strings = 0;
	bool user = false;

	for (; i < len; i++) {
		if (i >= n)
			return BH_ANSWER_MORE;
		if (p[i] != 0)
			continue;
		if (i == start && strings % 2 == 0)
			return i + 1 == len && user ? BH_ANSWER_YES : BH_ANSWER_NO;
		if (strings % 2 == 0 && i - start == 4 && memcmp(p + start, "user", 4) == 0)
			user = true;
		strings++;
		start = i + 1;
	}
	return BH_ANSWER_NO;
}

static enum bh_answer startup(const uint8_t *p, uint32_t n)
{
	uint32_t len, code;

	if (n >= 1 && p[0] != 0)
		return BH_ANSWER_NO;
	if (n >= 2 && p[1] != 0)
		return BH_ANSWER_NO;
	if (n < 4)
		return BH_ANSWER_MORE;
	len = bh_be32(p);
	if (len < 8 || len > STARTUP_MAX)
		return BH_ANSWER_NO;
	if (n < 8)
		return BH_ANSWER_MORE;
	code = bh_be32(p + 4);
	if (code == CODE_CANCEL) {
		if (len < CANCEL_MIN || len > CANCEL_MAX)
			return BH_ANSWER_NO;
		return n < len ? BH_ANSWER_MORE : BH_ANSWER_YES;
	}
	return code >> 16 == 3 ? parameters(p, n, len) : BH_ANSWER_NO;
}

/* Two bytes of 0 are part of the length, then the token. */
static enum bh_answer gss_token(const uint8_t *p, uint32_t n)
{
	uint32_t len;

	if (n >= 1 && p[0] != 0)
		return BH_ANSWER_NO;
	if (n >= 2 && p[1] != 0)
		return BH_ANSWER_NO;
	if (n < 5)
		return BH_ANSWER_MORE;
	len = bh_be32(p);
	return len > 0 && len <= GSS_TOKEN_MAX && p[4] == GSS_INITIAL ? BH_ANSWER_YES
								      : BH_ANSWER_NO;
}

/* The code at @p is a request for encryption: which, or 0. */
static uint32_t encryption_request(const uint8_t *p, uint32_t n)
{
	uint32_t code;

	if (n < 8 || bh_be32(p) != 8)
		return 0;
	code = bh_be32(p + 4);
	return code == CODE_SSL || code == CODE_GSSENC ? code : 0;
}

enum bh_answer bh_probe_postgres(const struct bh_view *v)
{
	uint32_t at = 0, answered = 0, last = 0, code;
	enum bh_answer a;

	if (v->udp)
		return BH_ANSWER_NO;
	while ((code = encryption_request(v->c + at, v->nc - at)) != 0) {
		uint8_t answer;

		if (answered == 2 || code == last)
			return BH_ANSWER_NO;
		if (v->naming)
			return BH_ANSWER_YES;
		last = code;
		at += 8;
		if (answered == v->ns) /* until then the client has nothing more to say */
			return v->nc > at ? BH_ANSWER_NO : BH_ANSWER_MORE;
		answer = v->s[answered++];
		if (answer == 'S' && code == CODE_SSL)
			return bh_tls_client_hello(v->c + at, v->nc - at);
		if (answer == 'G' && code == CODE_GSSENC)
			return gss_token(v->c + at, v->nc - at);
		if (answer == 'E') /* of a server too old to know it: an error, and the end */
			return v->nc > at ? BH_ANSWER_NO : BH_ANSWER_MORE;
		if (answer != 'N')
			return BH_ANSWER_NO;
	}
	a = startup(v->c + at, v->nc - at);
	if (a == BH_ANSWER_MORE && v->ns > answered)
		return BH_ANSWER_NO; /* nothing to answer yet */
	return a;
}
