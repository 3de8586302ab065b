// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/probe_tls.c - TLS 1.0 to 1.3 over a stream
 *
 * Sources: RFC 8446 section 5.1 (records: type, version, length 1..2^14; a handshake message may be spread
 * over several, nothing else may stand between its parts), 4.1.2 (ClientHello), D.5 (no SSL 2.0 framing);
 * RFC 5246 section 7.4.1.2; RFC 7568 (no SSL 3.0).
 *
 * Certain when every length of the ClientHello up to and including that of its extensions is there and
 * they add up to the length of the message: some 120 bytes, however they are cut into records.
 */
#include "dataplane/classifier/probe_tls.h"

#include "dataplane/classifier/bytes.h"

#include "common/banned.h"

#define RECORD_HANDSHAKE 22U
#define RECORD_ALERT     21U
#define RECORD_MAX       16384U
#define CLIENT_HELLO     1U
/* type and length, version, random, three empty or shortest vectors, no extensions */
#define HELLO_MIN (2U + 32U + 1U + 2U + 2U + 1U + 1U)
#define HELLO_MAX (2U + 32U + 33U + 2U + 65534U + 256U + 2U + 65535U)

/* The bytes of the handshake, one after the other, from record to record. */
struct walk {
	const uint8_t *p;
	uint32_t n;
	uint32_t at;
	uint32_t in_record; /* bytes left in the current one */
	uint32_t done;      /* handshake bytes given out */
};

static enum bh_answer next_record(struct walk *w)
{
	const uint8_t *r = w->p + w->at;
	uint32_t n = w->n - w->at, len;

	if (n >= 1 && r[0] != RECORD_HANDSHAKE)
		return BH_ANSWER_NO;
	if (n >= 2 && r[1] != 3)
		return BH_ANSWER_NO;
	if (n >= 3 && r[2] > 4)
		return BH_ANSWER_NO;
	if (n < 5)
		return BH_ANSWER_MORE;
	len = bh_be16(r + 3);
	if (len == 0 || len > RECORD_MAX)
		return BH_ANSWER_NO;
	w->at += 5;
	w->in_record = len;
	return BH_ANSWER_YES;
}

static enum bh_answer next_byte(struct walk *w, uint8_t *ret)
{
	if (w->in_record == 0) {
		enum bh_answer a = next_record(w);

		if (a != BH_ANSWER_YES)
			return a;
	}
	if (w->at == w->n)
		return BH_ANSWER_MORE;
	*ret = w->p[w->at++];
	w->in_record--;
	w->done++;
	return BH_ANSWER_YES;
}

static enum bh_answer skip(struct walk *w, uint32_t count)
{
	while (count > 0) {
		uint32_t k;

		if (w->in_record == 0) {
			enum bh_answer a = next_record(w);

			if (a != BH_ANSWER_YES)
				return a;
		}
		k = w->n - w->at;
		if (k == 0)
			return BH_ANSWER_MORE;
		if (k > w->in_record)
			k = w->in_record;
		if (k > count)
			k = count;
		w->at += k;
		w->in_record -= k;
		w->done += k;
		count -= k;
	}
	return BH_ANSWER_YES;
}

static enum bh_answer number(struct walk *w, unsigned bytes, uint32_t *ret)
{
	*ret = 0;
	while (bytes-- > 0) {
		uint8_t b = 0;
		enum bh_answer a = next_byte(w, &b);

		if (a != BH_ANSWER_YES)
			return a;
		*ret = *ret << 8 | b;
	}
	return BH_ANSWER_YES;
}

/* A vector with a length of @bytes bytes in front. NO if it is out of bounds or not @unit-wise. */
static enum bh_answer vector(struct walk *w, unsigned bytes, uint32_t min, uint32_t max,
			     uint32_t unit, uint32_t end)
{
	uint32_t len;
	enum bh_answer a = number(w, bytes, &len);

	if (a != BH_ANSWER_YES)
		return a;
	if (len < min || len > max || len % unit || len > end - w->done)
		return BH_ANSWER_NO;
	return skip(w, len);
}

enum bh_answer bh_tls_client_hello(const uint8_t *p, uint32_t n)
{
	struct walk w = { .p = p, .n = n };
	uint32_t v, end;
	enum bh_answer a;

	a = number(&w, 1, &v);
	if (a != BH_ANSWER_YES)
		return a;
	if (v != CLIENT_HELLO)
		return BH_ANSWER_NO;
	a = number(&w, 3, &v);
	if (a != BH_ANSWER_YES)
		return a;
	if (v < HELLO_MIN || v > HELLO_MAX)
		return BH_ANSWER_NO;
	end = 4 + v;

	a = number(&w, 1, &v);
	if (a != BH_ANSWER_YES)
		return a;
	if (v != 3)
		return BH_ANSWER_NO;
	a = number(&w, 1, &v);
	if (a != BH_ANSWER_YES)
		return a;
	if (v < 1 || v > 4)
		return BH_ANSWER_NO;
	a = skip(&w, 32);
	if (a == BH_ANSWER_YES)
		a = vector(&w, 1, 0, 32, 1, end); /* session id */
	if (a == BH_ANSWER_YES)
		a = vector(&w, 2, 2, 65534, 2, end); /* cipher suites */
	if (a == BH_ANSWER_YES)
		a = vector(&w, 1, 1, 255, 1, end); /* compression methods */
	if (a != BH_ANSWER_YES || w.done == end)
		return a;
	if (end - w.done < 2)
		return BH_ANSWER_NO;
	a = number(&w, 2, &v);
	if (a != BH_ANSWER_YES)
		return a;
	return v == end - w.done ? BH_ANSWER_YES : BH_ANSWER_NO;
}

enum bh_answer bh_probe_tls(const struct bh_view *v)
{
	enum bh_answer a = bh_tls_client_hello(v->c, v->nc);

	if (v->udp)
		return BH_ANSWER_NO;
	/* The server waits for the whole of it; before, it can only complain. */
	if (a == BH_ANSWER_MORE && v->ns > 0 &&
	    (v->nc == 0 || v->s[0] != RECORD_ALERT || (v->ns > 1 && v->s[1] != 3)))
		return BH_ANSWER_NO;
	return a;
}
