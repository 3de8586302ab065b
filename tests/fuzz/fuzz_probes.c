// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/fuzz/fuzz_probes.c - what the probes say of two sides that speak in turn
 *
 * The first byte says which transport it is and whether a name is asked for. Then pieces: a byte with side and
 * length, and the bytes. A YES must stand whatever follows; a NO must stand to the end of its piece (no probe that
 * said NO is asked again).
 */
#include "dataplane/classifier/probe.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIDE_MAX 4096U

struct talk {
	uint8_t *side[2];
	uint32_t n[2];
};

/* A probe sees memory that ends where the bytes end. */
static enum bh_answer ask(const struct bh_probe *p, const struct talk *t, const uint32_t n[2],
			  uint8_t flags)
{
	struct bh_view v = { .nc = n[0], .ns = n[1], .udp = flags & 1, .naming = flags & 2 };
	uint8_t *c = malloc(n[0] ? n[0] : 1), *s = malloc(n[1] ? n[1] : 1);
	enum bh_answer a;

	if (!c || !s)
		abort();
	memcpy(c, t->side[0], n[0]);
	memcpy(s, t->side[1], n[1]);
	v.c = c;
	v.s = s;
	a = p->fn(&v);
	free(c);
	free(s);
	if (a != BH_ANSWER_NO && a != BH_ANSWER_MORE && a != BH_ANSWER_YES)
		abort();
	return a;
}

/* Pieces of @data from @at on. Return: the place behind the piece; 0 at the end */
static size_t next_piece(const uint8_t *data, size_t size, size_t at, unsigned *ret_dir,
			 uint32_t *ret_len)
{
	if (at >= size)
		return 0;
	*ret_dir = data[at] >> 7;
	*ret_len = data[at] & 0x7fU;
	at++;
	if (*ret_len > size - at)
		*ret_len = (uint32_t)(size - at);
	return at + *ret_len;
}

static void follow(const struct bh_probe *p, const uint8_t *data, size_t size)
{
	uint8_t sides[2][SIDE_MAX];
	struct talk t = { .side = { sides[0], sides[1] } };
	enum bh_answer last = BH_ANSWER_MORE;
	uint32_t n[2] = { 0, 0 }, len;
	size_t at = 1, next;
	unsigned dir;

	while ((next = next_piece(data, size, at, &dir, &len)) != 0) {
		if (n[dir] + len > SIDE_MAX || ((data[0] & 1) && n[dir]))
			return; /* of datagrams the first of each side is judged */
		memcpy(sides[dir] + n[dir], data + next - len, len);
		while (len > 0) {
			uint32_t step = data[0] & 1 ? len : 1;
			enum bh_answer a;

			n[dir] += step;
			len -= step;
			a = ask(p, &t, n, data[0]);
			if (last != BH_ANSWER_MORE && a != last)
				abort();
			last = a;
		}
		if (last == BH_ANSWER_NO)
			return;
		at = next;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bh_probe *p;
	size_t i;

	if (size < 1 || size > 2048)
		return 0;
	for (i = 0; (p = bh_probe_nth(i)) != NULL; i++)
		if (data[0] & 1 ? p->udp : p->tcp)
			follow(p, data, size);
	return 0;
}
