// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/chains_level.c - the chains that look cells up
 *
 * DOC: One rule for each level
 *
 * A level is a way to name the peer (its class, any endpoint, the class of an outside address, any) with a way
 * to name the port (itself, its piece of a range, any of that protocol, any). They are asked in the order of
 * policy/ruleset.h, the first cell that hits ends it. A rule makes the key in registers 0-4, looks the cell up and goes by
 * the verdict in its word:
 *
 *	dir . subject . peer . port . l4 map @cell vmap { allow, drop, reject, contract }
 *
 * nft(8) 1.0.6 dies on a key in which it meets the result of a map. It looks at what the first register of the key was
 * loaded with, and goes on behind that. So the first four words of a key are loaded as one immediate of 16 bytes, of
 * which the first word stays, and the parts are put over the others; what comes behind is no map's result. The immediate
 * also zeroes what is "any". For the same reason the data of a cell are two words, the decision word and its verdict
 * alone: they land in two registers, of which nft knows the first only, so the key of the vmap is what it saw there
 * before, an immediate. (Nor has the verdict to be masked out.)
 *
 * An endpoint never goes by the CIDR that its address lies in: its class knows of it. So where CIDRs are in use,
 * endpoints take a chain of their own (..._ep).
 *
 * The same levels stand in several places: `fresh_*` (first packets, addresses from the header) and `again_*` (all others,
 * from the conntrack tuples). A third, `report_*`, exists while some cell allows and is to be recorded: it reports the
 * first packet of such a flow. What a cell refuses goes to a chain of its level, `why_*`, which loads its word once more:
 * chains_refuse.c.
 *
 * DOC: ICMP
 *
 * Type and code are the first two bytes of the header. Conntrack keeps them, too: in the tuple of the question, where
 * other protocols have their destination port (`ct original proto-dst`), and NAT never changes them. So every chain
 * that goes by the tuples knows them, for both directions. Conntrack follows only questions that have an answer (echo,
 * timestamp ...; node information). Errors belong to the connection that they speak of and pass as related; what is
 * neither is nobody's and ends in `untracked`, whatever the policies say.
 *
 * DOC: Contracts
 *
 * When a flow is decided again, each level has a chain judge_* for cells that are contracts. A level's rule that
 * hits goes there and never comes back to a lower level. There the same cell gives the number of the contract, and
 * (contract . result of the flow), else (contract . 0), the word.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/chains_internal.h"

#include "common/banned.h"

enum place { FRESH, AGAIN, REPORT };

/*
 * Registers: 0-4 the key of a cell, 5 its word, 6 its verdict, 7 a mark; 8-10 the key of a result, where an
 * address may have been.
 */
#define R_PORT    3U
#define R_L4      4U
#define R_WORD    5U
#define R_VERDICT 6U
#define R_RESULT  8U

static const char *const peer_names[] = { "class", "endpoint", "cidr", "host", "any" };
BH_STATIC_ASSERT_TABLE(peer_names, BH_LEVEL_PEER_COUNT);
static const char *const port_names[] = { "port",       "code",       "tcp_range", "udp_range",
					  "sctp_range", "icmp_range", "l4",        "any" };
BH_STATIC_ASSERT_TABLE(port_names, BH_LEVEL_PORT_COUNT);

/* A chain that a level has for itself: what its cells refuse, what its cells have a contract for. */
enum own { WHY, JUDGE };
#define OWN_NAME_SIZE 40
static const char *own_name(enum own own, unsigned dir, unsigned peer, unsigned port, char *buf)
{
	(void)snprintf(buf, OWN_NAME_SIZE, "%s_%s_%s_%s", own == WHY ? "why" : "judge",
		       dir == IN ? "in" : "eg", peer_names[peer], port_names[port]);
	return buf;
}

static void imm16(struct maker *m, uint32_t first, unsigned reg)
{
	const uint32_t words[4] = { first };

	bh_x_imm(&m->x, reg, words, sizeof(words));
}

static void load_port(struct maker *m, bool header, unsigned reg)
{
	if (header)
		bh_x_payload(&m->x, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg);
	else
		bh_x_ct(&m->x, NFT_CT_PROTO_SRC, reg, REPLY);
}

/* Type and code of ICMP; conntrack has those of the question where others have the port that is asked for. */
static void load_code(struct maker *m, bool header, unsigned reg)
{
	if (header)
		bh_x_payload(&m->x, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, reg);
	else
		bh_x_ct(&m->x, NFT_CT_PROTO_DST, reg, ORIGINAL);
}

/* Of the flow: an ICMP error has the tuples of another protocol's. */
static void load_l4(struct maker *m, bool header, unsigned reg)
{
	if (header)
		bh_x_meta(&m->x, NFT_META_L4PROTO, reg);
	else
		bh_x_ct(&m->x, NFT_CT_PROTOCOL, reg, BH_X_NO_DIR);
}

static void if_l4(struct maker *m, bool header, uint8_t l4)
{
	load_l4(m, header, 0);
	bh_x_cmp8(&m->x, NFT_CMP_EQ, 0, l4);
}

/* The word for the key at @key into R_WORD, its verdict alone into R_VERDICT. */
static void load_word(struct maker *m, enum bh_kset set, unsigned key)
{
	static const uint32_t none;

	bh_x_imm(&m->x, R_VERDICT, &none, sizeof(none));
	bh_x_map(&m->x, bh_kset_name(set), key, R_WORD);
}

static enum bh_kset range_set(unsigned port)
{
	return port == BH_LEVEL_PORT_TCP    ? BH_KSET_PORT_TCP
	       : port == BH_LEVEL_PORT_UDP  ? BH_KSET_PORT_UDP
	       : port == BH_LEVEL_PORT_SCTP ? BH_KSET_PORT_SCTP
					    : BH_KSET_PORT_ICMP;
}

/* The protocol and the port of a level's key. */
static void load_l4_port(struct maker *m, unsigned port, bool header)
{
	static const uint32_t zero;
	const uint8_t code[4] = { m->f->icmp, 0, 0, 1 };
	unsigned addr = m->f->reg_addr;
	struct bh_x *x = &m->x;

	if (port == BH_LEVEL_PORT_ANY)
		bh_x_imm(x, R_L4, &zero, sizeof(zero));
	else if (port == BH_LEVEL_PORT_CODE)
		bh_x_imm(x, R_L4, code, sizeof(code));
	else
		load_l4(m, header, R_L4);
	switch (port) {
	case BH_LEVEL_PORT_EXACT:
		load_port(m, header, R_PORT);
		break;
	case BH_LEVEL_PORT_CODE:
		load_code(m, header, R_PORT);
		break;
	case BH_LEVEL_PORT_TCP:
	case BH_LEVEL_PORT_UDP:
	case BH_LEVEL_PORT_SCTP:
		load_port(m, header, addr);
		bh_x_map(x, bh_kset_name(range_set(port)), addr, R_PORT);
		break;
	case BH_LEVEL_PORT_ICMP:
		load_code(m, header, addr);
		bh_x_map(x, bh_kset_name(range_set(port)), addr, R_PORT);
		break;
	default:
		break;
	}
}

/* The key of a level's cell in registers 0-4, and its word in R_WORD. */
static void load_cell(struct maker *m, unsigned dir, unsigned peer, unsigned port, bool header)
{
	static const uint32_t host = BH_CLASS_HOST;
	unsigned addr = m->f->reg_addr;
	struct bh_x *x = &m->x;

	if (port == BH_LEVEL_PORT_TCP)
		if_l4(m, header, IPPROTO_TCP);
	else if (port == BH_LEVEL_PORT_UDP)
		if_l4(m, header, IPPROTO_UDP);
	else if (port == BH_LEVEL_PORT_SCTP)
		if_l4(m, header, IPPROTO_SCTP);
	else if (port == BH_LEVEL_PORT_CODE || port == BH_LEVEL_PORT_ICMP)
		if_l4(m, header, m->f->icmp);

	imm16(m, dir == IN ? BH_DIR_INGRESS : BH_DIR_EGRESS, 0);
	bh_chain_subject(m, dir, header, addr);
	bh_x_map(x, bh_kset_name(dir == IN ? BH_KSET_SUBJ_IN : BH_KSET_SUBJ_EG), addr, 1);
	if (peer == BH_LEVEL_PEER_HOST) {
		bh_x_imm(x, 2, &host, sizeof(host));
	} else if (peer != BH_LEVEL_PEER_ANY) {
		bh_chain_peer(m, dir, header, addr);
		bh_x_map(x, bh_kset_name(peer == BH_LEVEL_PEER_CIDR ? BH_KSET_CIDR : BH_KSET_PEER),
			 addr, 2);
		if (peer == BH_LEVEL_PEER_ENDPOINT)
			bh_x_bits32(x, 2, 2, BH_PEER_ANY_ENDPOINT, 0);
	}
	load_l4_port(m, port, header);
	load_word(m, BH_KSET_CELL, 0);
}

static void begin_level(struct maker *m, const char *chain, unsigned peer, unsigned port)
{
	char text[40];

	bh_x_rule(&m->x, chain);
	(void)snprintf(text, sizeof(text), "peer %s, port %s", peer_names[peer], port_names[port]);
	bh_x_comment(&m->x, text);
}

static void report(struct maker *m, unsigned dir)
{
	struct bh_x *x = &m->x;

	bh_x_bits32(x, R_WORD, R_WORD, BH_WORD_NUMBER,
		    (uint32_t)m->c->epoch << BH_MARK_EPOCH_SHIFT);
	bh_chain_log_alive(m, R_WORD, dir == IN ? "bh:pia" : "bh:pea");
	bh_x_return(x);
}

static void level_rule(struct maker *m, enum place place, const char *chain, unsigned dir,
		       unsigned peer, unsigned port)
{
	const char *const contract[] = {
		bh_chain_contract.name[dir],   bh_chain_watch.name[dir],
		bh_chain_lenient[0].name[dir], bh_chain_lenient[1].name[dir],
		bh_chain_lenient[2].name[dir],
	};
	char judge[OWN_NAME_SIZE], why[OWN_NAME_SIZE];
	struct bh_x *x = &m->x;
	struct bh_x_case cases[] = {
		{ BH_WORD_ALLOW, NFT_RETURN, NULL },
		{ BH_WORD_ALLOW | BH_WORD_REPORT, NFT_RETURN, NULL },
		{ BH_WORD_DROP, NFT_GOTO, own_name(WHY, dir, peer, port, why) },
		{ BH_WORD_REJECT, NFT_GOTO, why },
		/* There is no such cell before the level of contracts is in use. */
		{ BH_WORD_CONTRACT, NF_DROP, NULL },
		{ BH_WORD_CONTRACT | BH_WORD_OPEN, NF_DROP, NULL },
		{ BH_WORD_CONTRACT | BH_KWORD_BLIND, NF_DROP, NULL },
		{ BH_WORD_CONTRACT | BH_KWORD_UNSEEN, NF_DROP, NULL },
		{ BH_WORD_CONTRACT | BH_KWORD_BLIND | BH_KWORD_UNSEEN, NF_DROP, NULL },
	};

	begin_level(m, chain, peer, port);
	load_cell(m, dir, peer, port, place != AGAIN);
	if (place == REPORT) {
		report(m, dir);
		return;
	}
	if (place == FRESH && (m->c->levels[dir] & BH_LEVEL_REPORT))
		cases[1] = (struct bh_x_case){ cases[1].key, NFT_GOTO, bh_chain_report.name[dir] };
	if (m->c->levels[dir] & BH_LEVEL_CONTRACT) {
		own_name(JUDGE, dir, peer, port, judge);
		for (unsigned i = 0; i < BH_ARRAY_SIZE(contract); i++)
			cases[4 + i] = (struct bh_x_case){ cases[4 + i].key, NFT_GOTO,
							   place == FRESH ? contract[i] : judge };
		if (place == AGAIN)
			cases[5].chain = bh_chain_watched.name[dir];
	}
	bh_x_switch(x, R_VERDICT, cases, BH_ARRAY_SIZE(cases));
}

static bool uses_peer(uint64_t levels, unsigned peer)
{
	for (unsigned port = 0; port < BH_LEVEL_PORT_COUNT; port++)
		if (levels & bh_level(peer, port))
			return true;
	return false;
}

/* @peers: bits of enum bh_level_peer. */
static void level_rules(struct maker *m, enum place place, const char *chain, unsigned dir,
			unsigned peers)
{
	for (unsigned peer = 0; peer < BH_LEVEL_PEER_COUNT; peer++)
		for (unsigned port = 0; port < BH_LEVEL_PORT_COUNT; port++)
			if ((peers >> peer & 1) && (m->c->levels[dir] & bh_level(peer, port)))
				level_rule(m, place, chain, dir, peer, port);
	if (place == REPORT)
		return;
	/* A subject without a cell that fits: closed. */
	bh_x_rule(&m->x, chain);
	bh_x_goto(&m->x, bh_chain_no.name[dir]);
}

static void place_chains(struct maker *m, enum place place, unsigned dir)
{
	static const struct pair *const mains[] = { &bh_chain_fresh, &bh_chain_again,
						    &bh_chain_report };
	static const struct pair *const eps[] = { &bh_chain_fresh_ep, &bh_chain_again_ep,
						  &bh_chain_report_ep };
	static const struct pair *const hosts[] = { &bh_chain_fresh_host, &bh_chain_again_host,
						    &bh_chain_report_host };
	const unsigned endpoints = 1U << BH_LEVEL_PEER_CLASS | 1U << BH_LEVEL_PEER_ENDPOINT;
	const unsigned any = 1U << BH_LEVEL_PEER_ANY, cidr = 1U << BH_LEVEL_PEER_CIDR;
	const char *chain = mains[place]->name[dir], *ep = eps[place]->name[dir];
	const char *host = hosts[place]->name[dir];
	struct bh_x *x = &m->x;

	if (place == REPORT)
		bh_chain_if_local(m, chain, host);
	level_rules(m, place, host, dir, 1U << BH_LEVEL_PEER_HOST | any);
	if (!uses_peer(m->c->levels[dir], BH_LEVEL_PEER_CIDR)) {
		level_rules(m, place, chain, dir, endpoints | any);
		return;
	}
	bh_x_rule(x, chain);
	bh_chain_peer(m, dir, place != AGAIN, m->f->reg_addr);
	bh_x_map(x, bh_kset_name(BH_KSET_PEER), m->f->reg_addr, 1);
	bh_x_cmp32(x, NFT_CMP_NEQ, 1, 0);
	bh_x_goto(x, ep);
	level_rules(m, place, chain, dir, cidr | any);
	level_rules(m, place, ep, dir, endpoints | any);
}

/* Word of (contract . result), or of (contract . 0), behind which comes what is refused. */
static void judge_rule(struct maker *m, const char *chain, unsigned dir, unsigned peer,
		       unsigned port, bool other)
{
	const struct bh_x_case cases[] = {
		{ BH_WORD_ALLOW, NFT_RETURN, NULL },
		{ BH_WORD_ALLOW | BH_WORD_REPORT, NFT_RETURN, NULL }, /* the worker says so */
		{ BH_WORD_DROP, NFT_GOTO, bh_chain_no.name[dir] },
		{ BH_WORD_REJECT, NFT_GOTO, bh_chain_no.name[dir] },
	};
	static const uint32_t zero[3];
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	bh_x_comment(x, other ? "contract, any other result" : "contract, result");
	/* That nobody looked, or that both ends were reset, is nobody's "any other protocol". */
	if (other)
		bh_x_if_ct_mark(x, BH_PROTO_RESERVED << BH_MARK_RESULT_SHIFT, NFT_CMP_NEQ,
				BH_PROTO_RESERVED << BH_MARK_RESULT_SHIFT);
	load_cell(m, dir, peer, port, false);
	bh_x_imm(x, R_RESULT, zero, sizeof(zero));
	bh_x_bits32(x, R_WORD, R_RESULT + 1, BH_WORD_NUMBER, 0);
	if (!other) {
		bh_x_ct_mark_bits(x, BH_MARK_RESULT, R_RESULT + 2);
	}
	load_word(m, BH_KSET_RESULT, R_RESULT);
	bh_x_switch(x, R_VERDICT, cases, other ? 2 : BH_ARRAY_SIZE(cases));
}

/* Of a flow that was not judged: by the fail modes of the contract. */
static void unjudged_rule(struct maker *m, const char *chain, unsigned dir, unsigned peer,
			  unsigned port)
{
	struct bh_x_case cases[] = {
		{ BH_WORD_CONTRACT | BH_KWORD_BLIND, NFT_GOTO, NULL },
		{ BH_WORD_CONTRACT | BH_KWORD_UNSEEN, NFT_GOTO, NULL },
		{ BH_WORD_CONTRACT | BH_KWORD_BLIND | BH_KWORD_UNSEEN, NFT_GOTO, NULL },
	};
	struct bh_x *x = &m->x;

	for (unsigned i = 0; i < BH_CHAIN_LENIENT; i++)
		cases[i].chain = bh_chain_unjudged_by[i].name[dir];
	bh_x_rule(x, chain);
	bh_x_comment(x, "not judged");
	bh_x_if_ct_mark(x, BH_MARK_SUB_MASK, NFT_CMP_EQ, 0);
	load_cell(m, dir, peer, port, false);
	bh_x_switch(x, R_VERDICT, cases, BH_ARRAY_SIZE(cases));
}

static void judge_chain(struct maker *m, unsigned dir, unsigned peer, unsigned port)
{
	char name[OWN_NAME_SIZE];
	struct bh_x *x = &m->x;

	own_name(JUDGE, dir, peer, port, name);
	unjudged_rule(m, name, dir, peer, port);
	bh_x_rule(x, name);
	bh_x_if_ct_mark(x, BH_MARK_SUB_MASK, NFT_CMP_EQ, 0);
	bh_x_goto(x, bh_chain_unjudged.name[dir]);
	judge_rule(m, name, dir, peer, port, false);
	judge_rule(m, name, dir, peer, port, true);
	bh_x_rule(x, name);
	bh_x_goto(x, bh_chain_no.name[dir]);
}

static void why_chain(struct maker *m, unsigned dir, unsigned peer, unsigned port)
{
	char name[OWN_NAME_SIZE];
	struct bh_x *x = &m->x;

	own_name(WHY, dir, peer, port, name);
	bh_chain_refuse_begin(m, name);
	bh_x_rule(x, name);
	bh_x_comment(x, "the reason");
	load_cell(m, dir, peer, port, false);
	bh_x_meta_set(x, NFT_META_MARK, R_WORD);
	bh_x_end(x);
	bh_chain_refuse_end(m, name, dir);
}

/* @levels: of the direction. */
typedef void level_fn(struct maker *m, uint64_t levels, unsigned dir, unsigned peer, unsigned port);

static void each_level(struct maker *m, const uint64_t levels[2], level_fn *fn)
{
	for (unsigned dir = IN; dir <= EG; dir++)
		for (unsigned peer = 0; peer < BH_LEVEL_PEER_COUNT; peer++)
			for (unsigned port = 0; port < BH_LEVEL_PORT_COUNT; port++)
				if (levels[dir] & bh_level(peer, port))
					fn(m, levels[dir], dir, peer, port);
}

static void own_chains(struct maker *m, uint64_t levels, unsigned dir, unsigned peer, unsigned port)
{
	char name[OWN_NAME_SIZE];

	bh_batch_chain(m->x.b, m->x.family, own_name(WHY, dir, peer, port, name));
	if (levels & BH_LEVEL_CONTRACT)
		bh_batch_chain(m->x.b, m->x.family, own_name(JUDGE, dir, peer, port, name));
}

static void flush_own_chains(struct maker *m, uint64_t levels, unsigned dir, unsigned peer,
			     unsigned port)
{
	char name[OWN_NAME_SIZE];

	bh_batch_flush_chain(m->x.b, m->x.family, own_name(WHY, dir, peer, port, name));
	if (levels & BH_LEVEL_CONTRACT)
		bh_batch_flush_chain(m->x.b, m->x.family, own_name(JUDGE, dir, peer, port, name));
}

void bh_chain_level_names(struct maker *m, const uint64_t levels[2], bool flush)
{
	each_level(m, levels, own_chains);
	if (flush)
		each_level(m, levels, flush_own_chains);
}

void bh_chain_reports(struct maker *m)
{
	for (unsigned dir = IN; dir <= EG; dir++)
		if (m->c->levels[dir] & BH_LEVEL_REPORT)
			place_chains(m, REPORT, dir);
}

static void own_rules(struct maker *m, uint64_t levels, unsigned dir, unsigned peer, unsigned port)
{
	why_chain(m, dir, peer, port);
	if (levels & BH_LEVEL_CONTRACT)
		judge_chain(m, dir, peer, port);
}

void bh_chain_levels(struct maker *m)
{
	for (unsigned dir = IN; dir <= EG; dir++)
		for (enum place p = FRESH; p <= AGAIN; p++)
			place_chains(m, p, dir);
	each_level(m, m->c->levels, own_rules);
}
