// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/fuzz/fuzz_engine.c - a stream of packets: every one must be answered, once
 *
 * Packets one after the other: a byte of flags, one that says whose it is, then by the lowest flag either a length and
 * that many bytes as they are, or numbers and payload from which a TCP or UDP packet is made.
 */
#include "tests/lib/lab.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAW     0x01U
#define REPLY   0x02U
#define START   0x04U
#define CONFIRM 0x08U
#define UDP     0x10U
#define CUT     0x20U
#define TICK    0x40U
#define RULES   0x80U

static const struct lab_rule closed[] = {
	{ .action = BH_ACTION_ALLOW, .port = 80, .l4 = BH_L4_TCP, .protos = { BH_PROTO_HTTP } },
	{ .action = BH_ACTION_ALLOW,
	  .port = 81,
	  .l4 = BH_L4_TCP,
	  .protos = { BH_PROTO_POSTGRES, BH_PROTO_REDIS, BH_PROTO_DNS } },
	{ .action = BH_ACTION_ALLOW, .port = 80, .l4 = BH_L4_UDP, .protos = { BH_PROTO_DNS } },
};

static const struct lab_rule open[] = {
	{ .action = BH_ACTION_DENY, .protos = { BH_PROTO_SSH, BH_PROTO_TLS } },
	{ .action = BH_ACTION_ALERT, .protos = { BH_PROTO_HTTP } },
	{ .action = BH_ACTION_ALLOW },
};

struct input {
	const uint8_t *p;
	size_t left;
};

static uint8_t take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static const uint8_t *take_bytes(struct input *in, uint32_t *n)
{
	const uint8_t *p = in->p;

	if (*n > in->left)
		*n = (uint32_t)in->left;
	in->p += *n;
	in->left -= *n;
	return p;
}

static void packet(struct lab *l, struct input *in)
{
	uint8_t flags = take(in), who = take(in);
	uint32_t mark = (flags & REPLY ? BH_QMARK_REPLY : 0) |
			(flags & START ? BH_QMARK_START : 0) |
			(flags & CONFIRM ? BH_QMARK_CONFIRM : 0);
	struct lab_tuple t = { .v6 = who & 1, .cport = who >> 4 & 3, .sport = 80 + (who >> 1 & 1) };
	uint32_t n, len;
	const uint8_t *p;
	uint8_t *copy;

	l->now += who >> 6 ? take(in) : 0;
	if (flags & RAW) {
		len = take(in);
		p = take_bytes(in, &len);
		if (len)
			memcpy(l->buf, p, len);
		n = len;
	} else if (flags & UDP) {
		len = take(in);
		p = take_bytes(in, &len);
		n = lab_udp(l->buf, &t, flags & REPLY, p, len);
	} else {
		uint32_t seq = 1000 + (uint32_t)(int8_t)take(in),
			 ack = 1000 + (uint32_t)(int8_t)take(in);
		unsigned tcp = take(in) ^ LAB_ACK;

		len = take(in);
		p = take_bytes(in, &len);
		n = lab_tcp(l->buf, &t, flags & REPLY, seq, ack, tcp, p, len);
	}
	/* Memory that ends where the packet ends. */
	copy = malloc(n ? n : 1);
	if (!copy)
		abort();
	memcpy(copy, l->buf, n);
	(void)lab_packet(l, copy, n, flags & CUT ? n + 1 : n, mark);
	free(copy);
	if (flags & TICK)
		(void)bh_engine_tick(l->engine, l->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lab_rules rules[2];
	struct bh_engine_config cfg = { .flows = 16, .contexts = 3 };
	struct input in = { .p = data, .left = size };
	struct bh_engine_stats st;
	struct lab *l;
	uint32_t i;

	if (!rules[0].addrs) {
		lab_rules_make(&rules[0], closed, 3, false);
		lab_rules_make(&rules[1], open, 3, true);
	}
	l = lab_new(&cfg, &rules[take(&in) & 1]);
	while (in.left > 0 && l->next_id < 500) {
		if (in.p[0] & RULES)
			bh_engine_set_rules(l->engine, rules[in.p[0] & 1].compiled.rules,
					    rules[0].addrs);
		packet(l, &in);
	}
	bh_engine_drain(l->engine);
	for (i = 0; i < l->next_id; i++) {
		const struct lab_verdict *v = &l->verdicts[i];

		if (v->count != 1)
			abort();
		if ((v->verdict == BH_VERDICT_RESULT || v->verdict == BH_VERDICT_REFUSED) &&
		    !bh_proto_name(v->result))
			abort();
	}
	bh_engine_stats_get(l->engine, &st);
	if (st.held_now != 0 || st.contexts_now > 3 || st.flows_now > 16)
		abort();
	lab_free(l);
	return 0;
}
