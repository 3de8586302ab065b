// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/records_guard.c - what the kernel's guard refused becomes violation records
 *
 * Named after the link, which is all that nobody can make up. So is the key, or a sender of made-up addresses would
 * fill the log: the first of a kind from a link is told, the others of that protocol are counted.
 */
#include "agent/records_guard.h"

#include <string.h>

#include "agent/guard.h"
#include "agent/record_text.h"
#include "common/util.h"

#include "common/banned.h"

static enum bh_violation reason_of(char cause)
{
	switch (cause) {
	case 'h':
		return BH_VIOLATION_SPOOF_MAC;
	case 'a':
		return BH_VIOLATION_SPOOF_ARP;
	case 'n':
		return BH_VIOLATION_SPOOF_ND;
	case 'r':
		return BH_VIOLATION_ROGUE_ROUTER;
	case 'd':
		return BH_VIOLATION_ROGUE_DHCP;
	case 'f':
		return BH_VIOLATION_FOREIGN_FRAME;
	default:
		return BH_VIOLATION_SPOOF;
	}
}

void bh_records_guarded(struct bh_vlog *log, struct bh_generation *g, int64_t wall_us,
			const struct bh_refused *p)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	struct bh_vlog_key key;
	struct bh_record r = { .gen = g,
			       .reason = reason_of(p->cause),
			       .severity = bh_urgency_name(BH_URGENCY_CRITICAL),
			       .mode = "enforce",
			       .action = "drop",
			       .src = p->src,
			       .dst = p->dst,
			       .l4 = p->l4,
			       .sport = p->sport,
			       .dport = p->dport,
			       .guard = p };

	memset(&key, 0, sizeof(key));
	key.cause = (uint8_t)p->cause;
	key.l4 = p->l4;
	key.dport = p->ethertype;
	key.proto = p->link;
	if (bh_vlog_repeat(log, &key, wall_us, 1))
		return;
	r.sender = bh_guard_endpoint(g, p->link);
	bh_record_print(&r, &b);
	if (bh_buf_failed(&b))
		bh_vlog_loss(log, "memory", 1);
	else
		bh_vlog_violation(log, &key, bh_clock_now(), wall_us, bh_buf_str(&b));
}
