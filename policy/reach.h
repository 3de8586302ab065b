/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/reach.h - who reaches whom: every port at once, read from the cells of a rule set
 *
 * Where explain asks about one connection, this answers for a pair of classes with all ports of all protocols: the
 * range of ports is cut wherever a cell of either direction begins or ends, and one look-up between two cuts tells
 * for all of them. Rows with equal words are one shape, and pairs of equal shapes one answer, so that ten thousand
 * pairs cost little more than those that differ.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_POLICY_REACH_H
#define BH_POLICY_REACH_H

#include "policy/meaning.h"

/* Ports that are decided alike. ICMP and ICMPv6 have type << 8 | code. */
struct bh_reach_piece {
	uint32_t l4; /* 0: every other protocol; lo and hi mean nothing then */
	uint32_t lo, hi;
	struct bh_decision words; /* 0: no policy */
	uint32_t meaning;
};

/* By protocol and port; "every other protocol" last. Protocols that are all like it are not listed. */
struct bh_reach_list {
	const struct bh_reach_piece *items;
	size_t n;
	uint32_t number; /* equal numbers of one struct bh_reach: equal lists */
};

struct bh_reach;

/* @rs, @m: borrowed; @source: of @rs in @m. */
int bh_reach_new(const struct bh_ruleset *rs, struct bh_meanings *m, unsigned source,
		 struct bh_reach **ret) bh_must_check;
struct bh_reach *bh_reach_free(struct bh_reach *r);
BH_DEFINE_CLEANUP(struct bh_reach, bh_reach_free);

const struct bh_ruleset *bh_reach_rules(const struct bh_reach *r);
struct bh_meanings *bh_reach_meanings(const struct bh_reach *r);

/**
 * bh_reach_pair() - What may be connected from one class to another
 * @from, @to:	Classes: of endpoints, of addresses of no endpoint, or (one of the two) BH_CLASS_HOST
 * @ret:	Borrowed until the struct bh_reach is released
 *
 * Classes of no endpoint have no policies: only the other side's are asked. Return: 0; -E2BIG, -ENOMEM
 */
int bh_reach_pair(struct bh_reach *r, uint32_t from, uint32_t to, struct bh_reach_list *ret,
		  struct bh_err *err) bh_must_check;

/* The list of a number that bh_reach_pair() gave. */
struct bh_reach_list bh_reach_list_at(const struct bh_reach *r, uint32_t number);

/* Reads on after the pieces that follow the one at @i and mean the same: the index behind them. */
size_t bh_reach_alike(const struct bh_reach_list *l, size_t i);

/* The first and last port of a protocol as pieces have them. */
uint32_t bh_reach_first_port(uint32_t l4);
#define BH_REACH_LAST_PORT 65535U

/* "80/tcp", "9000-9010/udp", "tcp" (every port), "icmp echo-request", "icmp 3/4", "everything else". */
void bh_reach_put_port(struct bh_buf *out, uint32_t l4, uint32_t lo, uint32_t hi);

/*
 * Who decides: 'TrafficPolicy shop/web rule "clients"', for what is refused for want of a rule "isolated by
 * TrafficPolicy shop/web". @allowing: the rules that allow, else those that refuse. Nothing where nobody decides.
 */
void bh_reach_put_why(const struct bh_ruleset *rs, const struct bh_decision *d, bool allowing,
		      struct bh_buf *out);
/* The same as an array of {direction, policy, rule, text}. NULL: out of memory. */
json_t *bh_reach_why_json(const struct bh_ruleset *rs, const struct bh_decision *d, bool allowing);

#endif
