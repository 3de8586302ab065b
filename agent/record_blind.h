/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/record_blind.h - connections that passed although nobody looked
 *
 * Thread-safety: no state.
 */
#ifndef BH_AGENT_RECORD_BLIND_H
#define BH_AGENT_RECORD_BLIND_H

#include "agent/record_text.h"
#include "agent/violation_log.h"
#include "dataplane/kernel/nflog.h"

/**
 * bh_record_blind() - The record of a connection that passed its queue, or whose beginning was not seen
 * @p:		The first packet that passed, in either direction
 * @g:		The revision that let it pass; NULL: not known any more
 * @d:		Its words for both directions
 *
 * Return: true if a rule wants it recorded; @r (but for its node) and @key are filled, in the connection's direction
 */
bool bh_record_blind(const struct bh_refused *p, struct bh_generation *g,
		     const struct bh_decision *d, struct bh_record *r, struct bh_vlog_key *key);
/* Mode, action and severity of such a record. */
void bh_record_blind_text(struct bh_record *r);

#endif
