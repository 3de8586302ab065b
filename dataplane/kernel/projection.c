// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/projection.c - what a rule set becomes in the kernel: elements of maps and sets
 *
 * DOC: What goes where
 *
 *	peer		every endpoint's address -> class
 *	subj_in/_eg	addresses of local endpoints that some policy selects in that direction -> class
 *	cidr		the rule set's CIDR pieces -> class. Only asked for addresses that are in no endpoint. If a
 *			cell names "the world", what lies between the pieces is the world
 *	port_*		ranges of ports that cells name -> piece; of ICMP those of this family's
 *	cell		the cells of subjects that have an address of this family here
 *	contract_result	each contract that such a cell refers to and that can refuse: a word for every result that
 *			has one of its own, those that say that nobody looked among them, and one for any other (0)
 *
 * What cannot be read as one of the known words becomes a drop: it never allows. A contract that refuses nothing,
 * whatever is spoken, is "open": it is there for the record, and who cannot be judged passes. Of one that can refuse
 * the word says which of its fail modes let pass; whether that is to be recorded the agent knows. Types of the other
 * family's ICMP stay out.
 *
 * DOC: Keys
 *
 * A key is what stands in the registers: numbers of ours in host order, header fields as in the packet. The order
 * of a cell's is direction, subject, peer, port, protocol, which chains_level.c explains. A
 * port is two bytes and two zero bytes; a piece of a range is its number as two bytes in network order, a
 * zero and a one, so that it never equals a port and nft(8) shows its number. Type and code of ICMP stand where a port
 * stands, and the protocol is then followed by two zero bytes and a one: what stands in an ICMP packet where others have
 * their ports is a checksum, which its sender chooses, and must not find them. A result stands where it
 * stands in the conntrack mark; before contract and result comes a zero, for the same reason.
 *
 * Cells come sorted from the rule set and in that order they go into the projection, so that a change of one
 * element among 100,000 costs a pass over them and no sorting.
 */
#include "dataplane/kernel/projection.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/projection_key.h"
#include "dataplane/marks.h"

#include "common/banned.h"

/* ---- maps and their keys ---- */

bool bh_kset_is_interval(enum bh_kset s)
{
	return s >= BH_KSET_CIDR && s <= BH_KSET_PORT_ICMP;
}

bool bh_kset_has_words(enum bh_kset s)
{
	return s == BH_KSET_CELL || s == BH_KSET_RESULT;
}

bool bh_kset_is_in(enum bh_kset s, uint8_t family)
{
	bool ip = family == 4, ip6 = family == 6, bridge = family == BH_FAMILY_BRIDGE;

	switch (s) {
	case BH_KSET_GUARD_LINK:
	case BH_KSET_GUARD_MAC:
		return true;
	case BH_KSET_GUARD_IP:
		return ip || bridge || family == BH_FAMILY_ARP;
	case BH_KSET_GUARD_IP6:
	case BH_KSET_GUARD_LL:
		return ip6 || bridge;
	default:
		return ip || ip6;
	}
}

size_t bh_kset_key_len(enum bh_kset s, uint8_t family)
{
	switch (s) {
	case BH_KSET_PORT_TCP:
	case BH_KSET_PORT_UDP:
	case BH_KSET_PORT_SCTP:
	case BH_KSET_PORT_ICMP:
		return 2;
	case BH_KSET_CELL:
		return 20;
	case BH_KSET_RESULT:
		return 12;
	case BH_KSET_STATE:
	case BH_KSET_GUARD_LINK:
		return 4;
	case BH_KSET_GUARD_MAC:
		return 12;
	case BH_KSET_GUARD_IP:
		return 16;
	case BH_KSET_GUARD_IP6:
	case BH_KSET_GUARD_LL:
		return 28;
	default:
		return family == 4 ? 4 : 16;
	}
}

static int cmp_u32(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

int bh_kelem_cmp(const struct bh_kelem *a, const struct bh_kelem *b)
{
	int r = cmp_u32(a->family, b->family);

	if (r == 0)
		r = cmp_u32(a->set, b->set);
	if (r != 0)
		return r;
	if (bh_kset_is_guard(a->set)) {
		r = cmp_u32(bh_key_word(a->key, 0), bh_key_word(b->key, 0));
		return r != 0 ? r : memcmp(a->key, b->key, a->key_len);
	}
	if (!bh_kset_has_words(a->set))
		return memcmp(a->key, b->key, a->key_len);
	for (unsigned i = 0; r == 0 && i < 3; i++)
		r = cmp_u32(bh_key_word(a->key, i), bh_key_word(b->key, i));
	if (r != 0 || a->set == BH_KSET_RESULT)
		return r;
	r = cmp_u32(a->key[BH_KEY_L4], b->key[BH_KEY_L4]);
	return r != 0 ? r : cmp_u32(bh_key_port(a->key), bh_key_port(b->key));
}

static int cmp_elems(const void *a, const void *b)
{
	return bh_kelem_cmp(a, b);
}

static uint8_t icmp_of(uint8_t family)
{
	return family == 4 ? BH_L4_ICMP : BH_L4_ICMPV6;
}

/* ---- making ---- */

/* What is known of a class while a family is made. */
#define LIVE_IN 1U /* a local address of this family is a subject for ingress */
#define LIVE_EG 2U

struct maker {
	const struct bh_ruleset *rs;
	const struct bh_addr_class *addrs;
	size_t n_addrs;
	const struct bh_class *classes;
	size_t n_classes;
	uint32_t *class_of;             /* by index of the address: of its class */
	const struct bh_class *subject; /* of the cell that was looked at last */
	const struct bh_cidr_piece *cidrs;
	size_t n_cidrs;
	const struct bh_contract *contracts;
	size_t n_contracts;
	uint8_t *live;     /* by index of the class */
	uint8_t *used;     /* by index of the contract: some cell refers to it */
	uint32_t *outside; /* classes of this family's CIDR pieces, sorted */
	size_t n_outside;
	uint8_t family;
	bool world; /* some cell names the world as its peer */
	struct bh_projection *p;
	size_t room;
};

static struct bh_kelem *add(struct maker *m, enum bh_kset s)
{
	struct bh_kelem *e;

	if (m->p->n == m->room) {
		size_t more = m->room > 0 ? m->room * 2 : 1024;

		e = reallocarray(m->p->elems, more, sizeof(*e));
		if (!e)
			return NULL;
		m->p->elems = e;
		m->room = more;
	}
	e = &m->p->elems[m->p->n++];
	*e = (struct bh_kelem){
		.set = (uint8_t)s,
		.family = m->family,
		.key_len = (uint8_t)bh_kset_key_len(s, m->family),
	};
	return e;
}

static int add_addr(struct maker *m, enum bh_kset s, const uint8_t *bytes, uint32_t data)
{
	struct bh_kelem *e = add(m, s);

	if (!e)
		return -ENOMEM;
	memcpy(e->key, bytes, e->key_len);
	e->data = data;
	return 0;
}

static int add_range(struct maker *m, enum bh_kset s, const void *lo, const void *hi, uint32_t data)
{
	struct bh_kelem *e = add(m, s);

	if (!e)
		return -ENOMEM;
	memcpy(e->key, lo, e->key_len);
	memcpy(e->key_end, hi, e->key_len);
	e->data = data;
	return 0;
}

/* Zero is nobody's class and a number without the bit is no endpoint's: neither may reach the kernel. */
static int check_addrs(const struct maker *m)
{
	for (size_t i = 0; i < m->n_addrs; i++) {
		const struct bh_addr_class *a = &m->addrs[i];
		const struct bh_class *c = bh_ruleset_class(m->rs, a->cls);

		if (a->addr.family != 4 && a->addr.family != 6)
			return -EPROTO;
		if (a->cls <= BH_CLASS_ENDPOINT || !c)
			return -EPROTO;
		m->class_of[i] = (uint32_t)(c - m->classes);
		if (i > 0 && bh_addr_cmp(&m->addrs[i - 1].addr, &a->addr) >= 0)
			return -EPROTO;
	}
	return 0;
}

static int make_addrs(struct maker *m, enum bh_kset s, uint8_t live_bit)
{
	for (size_t i = 0; i < m->n_addrs; i++) {
		const struct bh_addr_class *a = &m->addrs[i];
		const struct bh_class *c;
		int r;

		if (a->addr.family != m->family)
			continue;
		if (s != BH_KSET_PEER) {
			c = &m->classes[m->class_of[i]];
			if (!a->local || !(s == BH_KSET_SUBJ_IN ? c->subject_in : c->subject_eg))
				continue;
			m->live[c - m->classes] |= live_bit;
		}
		r = add_addr(m, s, a->addr.bytes, a->cls);
		if (r < 0)
			return r;
		m->p->elems[m->p->n - 1].flag = s == BH_KSET_PEER && a->local;
	}
	return 0;
}

static struct bh_addr addr_of(uint8_t family, const uint8_t *bytes)
{
	return family == 4 ? bh_addr_from_v4(bytes) : bh_addr_from_v6(bytes);
}

/* The pieces, and between them the world where somebody asks for it. */
static int make_cidrs(struct maker *m)
{
	static const uint8_t first[16];
	static const uint8_t last[16] = { 255, 255, 255, 255, 255, 255, 255, 255,
					  255, 255, 255, 255, 255, 255, 255, 255 };
	struct bh_addr next = addr_of(m->family, first), before;
	bool open = true; /* something is left from `next` on */
	int r;

	for (size_t i = 0; i < m->n_cidrs; i++) {
		const struct bh_cidr_piece *c = &m->cidrs[i];
		struct bh_addr lo = addr_of(m->family, c->lo), hi = addr_of(m->family, c->hi);

		if (c->family != m->family)
			continue;
		if (!open || bh_addr_cmp(&lo, &next) < 0 || bh_addr_cmp(&lo, &hi) > 0 ||
		    c->cls == BH_CLASS_INVALID || c->cls >= BH_CLASS_HOST)
			return -EPROTO;
		if (m->world && bh_addr_cmp(&next, &lo) < 0 && bh_addr_prev(&lo, &before)) {
			r = add_range(m, BH_KSET_CIDR, next.bytes, before.bytes, BH_CLASS_WORLD);
			if (r < 0)
				return r;
		}
		r = add_range(m, BH_KSET_CIDR, c->lo, c->hi, c->cls);
		if (r < 0)
			return r;
		open = bh_addr_next(&hi, &next);
	}
	if (!m->world || !open)
		return 0;
	return add_range(m, BH_KSET_CIDR, next.bytes, last, BH_CLASS_WORLD);
}

/* As it stands in the port field of a cell. */
static uint32_t piece_word(uint32_t id)
{
	return htonl((id - BH_PORT_PIECE_BASE) << 16 | 1);
}

static bool has_pieces(uint32_t l4)
{
	return l4 == BH_L4_TCP || l4 == BH_L4_UDP || l4 == BH_L4_SCTP || l4 == BH_L4_ICMP ||
	       l4 == BH_L4_ICMPV6;
}

static int make_ports(struct maker *m)
{
	const struct {
		enum bh_kset set;
		uint32_t l4;
	} maps[] = {
		{ BH_KSET_PORT_TCP, BH_L4_TCP },
		{ BH_KSET_PORT_UDP, BH_L4_UDP },
		{ BH_KSET_PORT_SCTP, BH_L4_SCTP },
		{ BH_KSET_PORT_ICMP, icmp_of(m->family) },
	};
	const struct bh_port_piece *pieces;
	size_t n;

	pieces = bh_ruleset_port_pieces(m->rs, &n);
	for (size_t i = 0; i < n; i++)
		if (!has_pieces(pieces[i].l4))
			return -EPROTO;
	for (size_t k = 0; k < BH_ARRAY_SIZE(maps); k++) {
		for (size_t i = 0; i < n; i++) {
			uint16_t lo = htons(pieces[i].lo), hi = htons(pieces[i].hi);

			if (pieces[i].l4 != maps[k].l4)
				continue;
			if (pieces[i].id - BH_PORT_PIECE_BASE > UINT16_MAX)
				return -EPROTO;
			if (add_range(m, maps[k].set, &lo, &hi, piece_word(pieces[i].id)) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static bool has_u32(const uint32_t *v, size_t n, uint32_t x)
{
	size_t lo = 0;

	while (n > lo) {
		size_t mid = lo + (n - lo) / 2;

		if (v[mid] == x)
			return true;
		if (v[mid] < x)
			lo = mid + 1;
		else
			n = mid;
	}
	return false;
}

/* Does the cell say anything in this family's table? */
static bool cell_is_live(struct maker *m, const struct bh_cell *c)
{
	uint8_t bit = c->dir == BH_DIR_INGRESS ? LIVE_IN : LIVE_EG;

	/* Cells of a subject stand together. */
	if (!m->subject || m->subject->number != c->subject)
		m->subject = bh_ruleset_class(m->rs, c->subject);
	if (!m->subject || !(m->live[m->subject - m->classes] & bit))
		return false;
	if (c->port != BH_PORT_ANY && c->l4 == icmp_of(m->family == 4 ? 6 : 4))
		return false;
	if (c->peer == BH_PEER_ANY || c->peer == BH_CLASS_WORLD || c->peer == BH_CLASS_HOST ||
	    (c->peer & BH_CLASS_ENDPOINT))
		return true;
	return has_u32(m->outside, m->n_outside, c->peer);
}

/* Of an element of `cell`: what its rule must look up, and what its word leads to. */
static uint64_t level_of(const struct bh_kelem *e)
{
	static const enum bh_level_port ranges[] = { BH_LEVEL_PORT_ICMP, BH_LEVEL_PORT_TCP,
						     BH_LEVEL_PORT_UDP, BH_LEVEL_PORT_SCTP };
	enum bh_level_peer peer = BH_LEVEL_PEER_CIDR;
	enum bh_level_port port = BH_LEVEL_PORT_ANY;
	uint32_t who = bh_key_word(e->key, 2), at = bh_key_port(e->key);
	uint8_t l4 = e->key[BH_KEY_L4];
	uint64_t level;

	if (who == BH_PEER_ANY)
		peer = BH_LEVEL_PEER_ANY;
	else if (who == BH_PEER_ANY_ENDPOINT)
		peer = BH_LEVEL_PEER_ENDPOINT;
	else if (who == BH_CLASS_HOST)
		peer = BH_LEVEL_PEER_HOST;
	else if (who & BH_CLASS_ENDPOINT)
		peer = BH_LEVEL_PEER_CLASS;
	if (at >= BH_PORT_PIECE_BASE)
		port = ranges[l4 == BH_L4_TCP ? 1 : l4 == BH_L4_UDP ? 2 : l4 == BH_L4_SCTP ? 3 : 0];
	else if (e->key[BH_KEY_CODE])
		port = BH_LEVEL_PORT_CODE;
	else if (at > 0)
		port = BH_LEVEL_PORT_EXACT;
	else if (l4 != BH_L4_ANY)
		port = BH_LEVEL_PORT_L4;
	level = bh_level(peer, port);
	if (bh_kset_verdict(e->data) == (BH_WORD_ALLOW | BH_WORD_REPORT))
		level |= BH_LEVEL_REPORT;
	if (bh_word_verdict(e->data) == BH_WORD_CONTRACT)
		level |= BH_LEVEL_CONTRACT;
	if (bh_word_verdict(e->data) == BH_WORD_CONTRACT &&
	    (bh_kset_verdict(e->data) & (BH_WORD_OPEN | BH_KWORD_BLIND)))
		level |= BH_LEVEL_OPEN;
	return level;
}

bool bh_projection_is_open(const struct bh_projection *p)
{
	uint64_t levels = 0;

	for (size_t i = 0; i < 4; i++)
		levels |= p->levels[i / 2][i % 2];
	return levels & BH_LEVEL_OPEN;
}

static void note_level(struct bh_projection *p, const struct bh_kelem *e)
{
	p->levels[e->family == 4 ? 0 : 1][bh_key_word(e->key, 0) == BH_DIR_INGRESS ? 0 : 1] |=
	    level_of(e);
}

void bh_projection_levels(struct bh_projection *p)
{
	memset(p->levels, 0, sizeof(p->levels));
	for (size_t i = 0; i < p->n; i++)
		if (p->elems[i].set == BH_KSET_CELL)
			note_level(p, &p->elems[i]);
}

static uint32_t fail_flags(const struct maker *m, uint32_t number)
{
	const struct bh_contract *c = bh_ruleset_contract(m->rs, number);
	uint32_t flags = 0;

	if (c && (c->on_overload == BH_FAIL_ALLOW || c->on_overload == BH_FAIL_ALERT))
		flags |= BH_KWORD_BLIND;
	if (c && (c->midstream == BH_FAIL_ALLOW || c->midstream == BH_FAIL_ALERT))
		flags |= BH_KWORD_UNSEEN;
	return flags;
}

/* A word that the chains can read; whatever else it is, it refuses. */
static uint32_t closed(const struct maker *m, uint32_t word)
{
	uint32_t number = bh_word_number(word);

	switch (bh_word_verdict(word)) {
	case BH_WORD_ALLOW:
	case BH_WORD_DROP:
	case BH_WORD_REJECT:
		return word;
	case BH_WORD_CONTRACT:
		return BH_WORD_CONTRACT | number |
		       (bh_ruleset_may_refuse(m->rs, word) ? fail_flags(m, number) : BH_WORD_OPEN);
	default:
		return BH_WORD_DROP | number;
	}
}

static int add_cell(struct maker *m, const struct bh_cell *c)
{
	const uint32_t key[] = { c->dir, c->subject, c->peer,
				 c->port >= BH_PORT_PIECE_BASE ? piece_word(c->port)
							       : htonl(c->port << 16) };
	struct bh_kelem *e;

	if (c->l4 > UINT8_MAX || c->port > BH_PORT_PIECE_BASE + UINT16_MAX ||
	    (c->port != BH_PORT_ANY && !has_pieces(c->l4)))
		return -EPROTO;
	e = add(m, BH_KSET_CELL);
	if (!e)
		return -ENOMEM;
	memcpy(e->key, key, sizeof(key));
	e->key[BH_KEY_L4] = (uint8_t)c->l4;
	e->key[BH_KEY_CODE] =
	    c->l4 == icmp_of(m->family) && c->port != BH_PORT_ANY && c->port < BH_PORT_PIECE_BASE;
	e->data = closed(m, c->word);
	note_level(m->p, e);
	return 0;
}

static int make_cells(struct maker *m)
{
	const struct bh_cell *cells;
	size_t n;

	cells = bh_ruleset_cells(m->rs, &n);
	for (size_t i = 0; i < n; i++) {
		const struct bh_cell *c = &cells[i];
		const struct bh_contract *k;
		int r;

		if (c->dir != BH_DIR_INGRESS && c->dir != BH_DIR_EGRESS)
			return -EPROTO;
		if (!cell_is_live(m, c))
			continue;
		r = add_cell(m, c);
		if (r < 0)
			return r;
		if (bh_word_verdict(c->word) == BH_WORD_CONTRACT) {
			k = bh_ruleset_contract(m->rs, bh_word_number(c->word));
			if (!k)
				return -EPROTO;
			if (bh_ruleset_may_refuse(m->rs, c->word))
				m->used[k - m->contracts] = 1;
		}
	}
	return 0;
}

static int add_result(struct maker *m, uint32_t contract, unsigned result, uint32_t word)
{
	const uint32_t key[3] = { 0, contract, result << BH_MARK_RESULT_SHIFT };
	struct bh_kelem *e = add(m, BH_KSET_RESULT);

	if (!e)
		return -ENOMEM;
	memcpy(e->key, key, sizeof(key));
	e->data = closed(m, word);
	/* A contract does not lead to another. */
	if (bh_word_verdict(e->data) == BH_WORD_CONTRACT)
		e->data = BH_WORD_DROP;
	return 0;
}

static int make_results(struct maker *m)
{
	for (size_t i = 0; i < m->n_contracts; i++) {
		const struct bh_contract *c = &m->contracts[i];
		const struct bh_contract_entry *e = bh_ruleset_entries(m->rs, c);
		struct bh_protoset own = { { 0 } };
		int r;

		if (!m->used[i])
			continue;
		for (uint32_t k = 0; k < c->n; k++)
			if (e[k].proto >= BH_PROTO_FIRST && e[k].proto <= UINT8_MAX)
				bh_protoset_add(&own, e[k].proto);
		bh_protoset_add(&own, BH_PROTO_UNKNOWN);
		bh_protoset_add(&own, BH_PROTO_UNDECIDED);
		bh_protoset_add(&own, BH_PROTO_UNSEEN);
		bh_protoset_add(&own, BH_PROTO_UNJUDGED);
		bh_protoset_add(&own, BH_PROTO_ADOPTED);
		r = add_result(m, c->number, 0, c->other);
		for (unsigned proto = BH_PROTO_FIRST; r == 0 && proto <= UINT8_MAX; proto++)
			if (bh_protoset_has(&own, proto))
				r = add_result(
				    m, c->number, proto,
				    bh_ruleset_settle(m->rs, BH_WORD_CONTRACT | c->number, proto));
		if (r < 0)
			return r;
	}
	return 0;
}

static int find_outside(struct maker *m)
{
	m->n_outside = 0;
	for (size_t i = 0; i < m->n_cidrs; i++)
		if (m->cidrs[i].family == m->family)
			m->outside[m->n_outside++] = m->cidrs[i].cls;
	return 0;
}

static int cmp_u32_ptr(const void *a, const void *b)
{
	return cmp_u32(*(const uint32_t *)a, *(const uint32_t *)b);
}

static bool names_world(struct maker *m)
{
	const struct bh_cell *cells;
	size_t n;

	cells = bh_ruleset_cells(m->rs, &n);
	for (size_t i = 0; i < n; i++)
		if (cells[i].peer == BH_CLASS_WORLD && cell_is_live(m, &cells[i]))
			return true;
	return false;
}

static int make_family(struct maker *m, uint8_t family)
{
	int r;

	m->family = family;
	memset(m->live, 0, m->n_classes);
	memset(m->used, 0, m->n_contracts);
	find_outside(m);
	qsort(m->outside, m->n_outside, sizeof(*m->outside), cmp_u32_ptr);

	r = make_addrs(m, BH_KSET_PEER, 0);
	if (r == 0)
		r = make_addrs(m, BH_KSET_SUBJ_IN, LIVE_IN);
	if (r == 0)
		r = make_addrs(m, BH_KSET_SUBJ_EG, LIVE_EG);
	m->world = names_world(m);
	if (r == 0)
		r = make_cidrs(m);
	if (r == 0)
		r = make_ports(m);
	if (r == 0)
		r = make_cells(m);
	if (r == 0)
		r = make_results(m);
	return r;
}

/* Sorted as made, unless the compiler's numbers of pieces run otherwise than their ports. */
static int put_in_order(struct bh_projection *p)
{
	size_t i;

	for (i = 1; i < p->n; i++)
		if (bh_kelem_cmp(&p->elems[i - 1], &p->elems[i]) >= 0)
			break;
	if (i >= p->n)
		return 0;
	qsort(p->elems, p->n, sizeof(*p->elems), cmp_elems);
	for (i = 1; i < p->n; i++)
		if (bh_kelem_cmp(&p->elems[i - 1], &p->elems[i]) == 0)
			return -EPROTO;
	return 0;
}

int bh_projection_make(const struct bh_ruleset *rs, const struct bh_addr_class *addrs,
		       size_t n_addrs, struct bh_projection *ret)
{
	bh_cleanup(bh_projection_done) struct bh_projection p = { .revision = 0 };
	struct maker m = { .rs = rs, .addrs = addrs, .n_addrs = n_addrs, .p = &p };
	bh_autofree uint8_t *live = NULL, *used = NULL;
	bh_autofree uint32_t *outside = NULL, *class_of = NULL;
	int r;

	m.classes = bh_ruleset_classes(rs, &m.n_classes);
	m.cidrs = bh_ruleset_cidr_pieces(rs, &m.n_cidrs);
	m.contracts = bh_ruleset_contracts(rs, &m.n_contracts);
	live = m.live = calloc(m.n_classes + 1, 1);
	used = m.used = calloc(m.n_contracts + 1, 1);
	outside = m.outside = calloc(m.n_cidrs + 1, sizeof(*outside));
	class_of = m.class_of = calloc(n_addrs + 1, sizeof(*class_of));
	if (!live || !used || !outside || !class_of)
		return -ENOMEM;
	p.revision = bh_ruleset_revision(rs);
	r = check_addrs(&m);
	if (r == 0)
		r = make_family(&m, 4);
	if (r == 0)
		r = make_family(&m, 6);
	if (r == 0)
		r = put_in_order(&p);
	if (r < 0)
		return r;
	*ret = p;
	p.elems = NULL;
	return 0;
}

void bh_projection_done(struct bh_projection *p)
{
	free(p->elems);
	bh_buf_done(&p->texts);
	*p = (struct bh_projection){ .n = 0 };
}
