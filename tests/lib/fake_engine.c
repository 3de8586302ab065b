// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/lib/fake_engine.c - an engine that does what the last byte of a packet says
 *
 * Stands in for dataplane/classifier where a test is about what is around it. 'P' pass, 'S' sub-state 1, 'R'
 * result http, 'D' drop, 'F' a finding and a pass, 'Z' a result that is no protocol, '2' two answers. Two bytes,
 * so that chance does not say them: "!H" held until the drain, "!A" the program aborts, "!L" it never comes
 * back. Everything else passes.
 */
#include "dataplane/classifier/engine.h"

#include <string.h>

#define HELD_MAX 65536U

struct bh_engine {
	struct bh_engine_ops ops;
	void *arg;
	uint32_t held[HELD_MAX];
	size_t n_held;
	struct bh_engine_stats stats;
};

int bh_engine_new(const struct bh_engine_config *cfg, const struct bh_engine_ops *ops, void *arg,
		  struct bh_engine **ret, struct bh_err *err)
{
	struct bh_engine *e = calloc(1, sizeof(*e));

	if (!e)
		return bh_err_set(err, -ENOMEM, "out of memory");
	e->ops = *ops;
	e->arg = arg;
	*ret = e;
	return 0;
}

struct bh_engine *bh_engine_free(struct bh_engine *e)
{
	free(e);
	return NULL;
}

void bh_engine_set_rules(struct bh_engine *e, const struct bh_ruleset *rs,
			 const struct bh_addrtable *addrs)
{
}

static void finding(struct bh_engine *e, const struct bh_packet *p)
{
	struct bh_finding f;

	memset(&f, 0, sizeof(f));
	f.l4 = BH_L4_UDP;
	f.cause = BH_CAUSE_PROTOCOL;
	f.pkts = (uint32_t)++e->stats.decided;
	f.bytes_c = p->len;
	e->ops.finding(e->arg, &f);
}

void bh_engine_packet(struct bh_engine *e, const struct bh_packet *p)
{
	volatile uint64_t forever = 1;

	e->stats.packets++;
	if (p->len > 1 && p->data[p->len - 2] == '!') {
		switch (p->data[p->len - 1]) {
		case 'H':
			if (e->n_held < HELD_MAX)
				e->held[e->n_held++] = p->id;
			return;
		case 'A':
			abort();
		case 'L':
			while (forever)
				forever++;
			return;
		default:
			break;
		}
	}
	switch (p->len > 0 ? p->data[p->len - 1] : 0) {
	case 'S':
		e->ops.verdict(e->arg, p->id, BH_VERDICT_SUB, BH_SUB_UNDECIDED);
		return;
	case 'R':
		e->ops.verdict(e->arg, p->id, BH_VERDICT_RESULT, BH_PROTO_HTTP);
		return;
	case 'Z':
		e->ops.verdict(e->arg, p->id, BH_VERDICT_RESULT, BH_SUB_CONFIRM);
		return;
	case 'D':
		e->ops.verdict(e->arg, p->id, BH_VERDICT_DROP, 0);
		return;
	case '2':
		e->ops.verdict(e->arg, p->id, BH_VERDICT_DROP, 0);
		e->ops.verdict(e->arg, p->id, BH_VERDICT_PASS, 0);
		return;
	case 'F':
		finding(e, p);
		break;
	default:
		break;
	}
	e->ops.verdict(e->arg, p->id, BH_VERDICT_PASS, 0);
}

int bh_engine_tick(struct bh_engine *e, bh_msec_t now)
{
	return -1;
}

void bh_engine_drain(struct bh_engine *e)
{
	for (size_t i = 0; i < e->n_held; i++)
		e->ops.verdict(e->arg, e->held[i], BH_VERDICT_DROP, 0);
	e->n_held = 0;
}

void bh_engine_stats_get(const struct bh_engine *e, struct bh_engine_stats *ret)
{
	*ret = e->stats;
	ret->held_now = (uint32_t)e->n_held;
}
