// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/record_blind.c - connections that passed although nobody looked: who wants to know
 *
 * The kernel counts and reports each; whether its rule says `alert` (a record) or `allow` (the count is enough) stands in
 * the contracts of both directions.
 */
#include "agent/record_blind.h"

#include <string.h>

#include "common/util.h"

#include "common/banned.h"

/* The fail mode of a direction's contract. */
static uint32_t mode_of(const struct bh_ruleset *rs, uint32_t word, bool unseen)
{
	const struct bh_contract *c = bh_word_verdict(word) == BH_WORD_CONTRACT
					  ? bh_ruleset_contract(rs, bh_word_number(word))
					  : NULL;

	return c ? (unseen ? c->midstream : c->on_overload) : BH_FAIL_UNSET;
}

static void add(struct bh_record *r, enum bh_dir dir, uint32_t word, bool unseen)
{
	const struct bh_ruleset *rs = r->gen->rules->rs;

	if (mode_of(rs, word, unseen) == BH_FAIL_ALERT &&
	    r->n_verdicts < BH_ARRAY_SIZE(r->verdicts))
		r->verdicts[r->n_verdicts++] = (struct bh_record_verdict){
			dir,
			bh_ruleset_settle(rs, word, unseen ? BH_PROTO_UNSEEN : BH_PROTO_UNJUDGED)
		};
}

void bh_record_blind_text(struct bh_record *r)
{
	r->mode = "enforce";
	r->action = "none";
	r->severity = bh_urgency_name(BH_URGENCY_WARNING);
}

bool bh_record_blind(const struct bh_refused *p, struct bh_generation *g,
		     const struct bh_decision *d, struct bh_record *r, struct bh_vlog_key *key)
{
	bool unseen = p->cause == 'm';

	*r = (struct bh_record){ .gen = g,
				 .reason = unseen ? BH_VIOLATION_MIDSTREAM : BH_VIOLATION_OVERLOAD,
				 .src = p->reply ? p->dst : p->src,
				 .dst = p->reply ? p->src : p->dst,
				 .l4 = p->l4,
				 .sport = p->reply ? p->dport : p->sport,
				 .dport = p->reply ? p->sport : p->dport,
				 .contract = true };
	bh_record_blind_text(r);
	if (g) {
		add(r, BH_DIR_INGRESS, d->ingress, unseen);
		add(r, BH_DIR_EGRESS, d->egress, unseen);
	}
	memset(key, 0, sizeof(*key));
	key->src = r->src;
	key->dst = r->dst;
	key->l4 = r->l4;
	key->dport = r->dport;
	key->cause = (uint8_t)p->cause;
	key->ingress = d->ingress;
	key->egress = d->egress;
	/* Of a revision that nobody knows any more, nobody can say that it was not wanted. */
	return !g || r->n_verdicts > 0;
}
