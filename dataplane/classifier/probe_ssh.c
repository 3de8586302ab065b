// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/classifier/probe_ssh.c - SSH 2
 *
 * Sources: RFC 4253 section 4.2 (each side sends "SSH-protoversion-softwareversion SP comments CR LF", at
 * most 255 characters; before it the server may send other lines, which do not begin with "SSH-"), 5.1 (a
 * server of both versions calls itself 1.99, and LF alone may end the line).
 *
 * Both sides send their line without waiting for the other. What is expected is therefore the client's: a
 * banner alone says only what the server would like to speak. For a name a banner is enough.
 */
#include "dataplane/classifier/bytes.h"

#include "common/banned.h"

#define LINE_MAX_BYTES   255U
#define BANNER_LINES_MAX 50U
#define BANNER_LINE_MAX  1024U

static enum bh_answer identification(const uint8_t *p, uint32_t n)
{
	enum bh_answer a = bh_begins(p, n, "SSH-2.0-"), old = bh_begins(p, n, "SSH-1.99-");
	uint32_t i, start = a == BH_ANSWER_YES ? 8 : 9;

	if (a != BH_ANSWER_YES && old != BH_ANSWER_YES)
		return a == BH_ANSWER_MORE || old == BH_ANSWER_MORE ? BH_ANSWER_MORE : BH_ANSWER_NO;
	for (i = start; i < n; i++) {
		if (i >= LINE_MAX_BYTES)
			return BH_ANSWER_NO;
		if (p[i] == '\n')
			return i > start ? BH_ANSWER_YES : BH_ANSWER_NO;
		if (p[i] == '\r') {
			if (i == start || (i + 1 < n && p[i + 1] != '\n'))
				return BH_ANSWER_NO;
		} else if (p[i] < 0x20 || p[i] == 0x7f) {
			return BH_ANSWER_NO;
		}
	}
	return BH_ANSWER_MORE;
}

/* Lines of text, then the identification. */
static enum bh_answer server_side(const uint8_t *p, uint32_t n)
{
	uint32_t i = 0, lines = 0;

	while (i < n) {
		uint32_t end, k;

		if (bh_begins(p + i, n - i, "SSH-") != BH_ANSWER_NO)
			return identification(p + i, n - i);
		end = bh_line_end(p, n, i);
		if (end - i > BANNER_LINE_MAX || ++lines > BANNER_LINES_MAX)
			return BH_ANSWER_NO;
		for (k = i; k < end; k++)
			if (p[k] < 0x20 && p[k] != '\t' && p[k] != '\r')
				return BH_ANSWER_NO;
		i = end + 1;
	}
	return BH_ANSWER_MORE;
}

enum bh_answer bh_probe_ssh(const struct bh_view *v)
{
	enum bh_answer c = identification(v->c, v->nc);
	enum bh_answer s = server_side(v->s, v->ns);

	if (v->udp)
		return BH_ANSWER_NO;
	if (v->naming && s == BH_ANSWER_YES)
		return BH_ANSWER_YES;
	if (c != BH_ANSWER_MORE)
		return c;
	return s == BH_ANSWER_NO ? BH_ANSWER_NO : BH_ANSWER_MORE;
}
