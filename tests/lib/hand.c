// SPDX-License-Identifier: GPL-3.0-or-later
/* tests/lib/hand.c - rule sets made by hand, cell by cell */
#include "tests/lib/hand.h"

#include <stdio.h>
#include <string.h>

#include "policy/ruleset/ruleset_build.h"

static void fail(const char *what, const char *text)
{
	(void)fprintf(stderr, "hand: %s %s\n", what, text);
	abort();
}

static void *must(void *p)
{
	if (!p)
		fail("memory", "");
	return p;
}

struct hand *hand_new(void)
{
	struct hand *h = must(calloc(1, sizeof(*h)));

	h->cells = must(calloc(HAND_MAX, sizeof(*h->cells)));
	h->classes = must(calloc(HAND_MAX, sizeof(*h->classes)));
	h->addrs = must(calloc(HAND_MAX, sizeof(*h->addrs)));
	hand_class(h, BH_CLASS_WORLD);
	return h;
}

void hand_free(struct hand *h)
{
	free(h->cells);
	free(h->classes);
	free(h->addrs);
	free(h);
}

static struct bh_class *find_class(struct hand *h, uint32_t number)
{
	for (size_t i = h->n_classes; i-- > 0;)
		if (h->classes[i].number == number)
			return &h->classes[i];
	return NULL;
}

void hand_class(struct hand *h, uint32_t number)
{
	if (!find_class(h, number))
		h->classes[h->n_classes++] = (struct bh_class){ .number = number };
}

void hand_cell(struct hand *h, enum bh_dir dir, uint32_t subject, uint32_t peer, uint8_t l4,
	       uint32_t port, uint32_t word)
{
	hand_class(h, subject);
	if (peer != BH_PEER_ANY && peer != BH_PEER_ANY_ENDPOINT)
		hand_class(h, peer);
	h->cells[h->n_cells++] = (struct bh_cell){ dir, subject, peer, l4, port, word };
	if (peer == BH_PEER_ANY && l4 == BH_L4_ANY && dir == BH_DIR_INGRESS)
		find_class(h, subject)->subject_in = 1;
	if (peer == BH_PEER_ANY && l4 == BH_L4_ANY && dir == BH_DIR_EGRESS)
		find_class(h, subject)->subject_eg = 1;
}

void hand_contract(struct hand *h, uint32_t number, unsigned proto, uint32_t word, uint32_t other)
{
	h->contracts[h->n_contracts++] = (struct bh_contract){
		.number = number,
		.first = (uint32_t)h->n_entries,
		.n = proto ? 1 : 0,
		.other = other,
		.unknown = other,
		.undecided = other,
		.other_next = other,
		.unknown_next = other,
		.on_overload = BH_FAIL_REFUSE,
		.midstream = BH_FAIL_REFUSE,
	};
	if (proto)
		h->entries[h->n_entries++] = (struct bh_contract_entry){
			.contract = number,
			.proto = proto,
			.word = word,
			.next = word,
		};
}

void hand_cidr(struct hand *h, const char *prefix, uint32_t cls)
{
	struct bh_cidr_piece *c = &h->cidrs[h->n_cidrs++];
	struct bh_addr lo, hi;
	struct bh_prefix p;

	if (bh_prefix_parse(prefix, &p) < 0)
		fail("prefix", prefix);
	bh_prefix_range(&p, &lo, &hi);
	memcpy(c->lo, lo.bytes, 16);
	memcpy(c->hi, hi.bytes, 16);
	c->family = lo.family;
	c->cls = cls;
	hand_class(h, cls);
}

void hand_range(struct hand *h, uint8_t l4, uint32_t piece, uint16_t lo, uint16_t hi)
{
	h->ports[h->n_ports++] = (struct bh_port_piece){ piece, lo, hi, l4 };
}

void hand_addr(struct hand *h, const char *addr, uint32_t cls, bool local)
{
	struct bh_addr_class *a = &h->addrs[h->n_addrs++];

	*a = (struct bh_addr_class){ .cls = cls, .local = local };
	if (bh_addr_parse(addr, &a->addr) < 0)
		fail("address", addr);
	hand_class(h, cls);
}

static int cmp_cell(const void *a, const void *b)
{
	return bh_rs_cell_cmp(a, b);
}

static int cmp_port(const void *a, const void *b)
{
	const struct bh_port_piece *x = a, *y = b;

	return x->l4 != y->l4 ? (x->l4 > y->l4) - (x->l4 < y->l4) : (int)x->lo - (int)y->lo;
}

static int cmp_class(const void *a, const void *b)
{
	const struct bh_class *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int cmp_addr(const void *a, const void *b)
{
	const struct bh_addr_class *x = a, *y = b;

	return bh_addr_cmp(&x->addr, &y->addr);
}

struct bh_ruleset *hand_ruleset(struct hand *h, uint64_t revision)
{
	bh_cleanup(bh_rs_builder_done) struct bh_rs_builder b = BH_RS_BUILDER_INIT;
	struct bh_ruleset *rs = NULL;
	struct bh_err err = { .code = 0 };

	qsort(h->cells, h->n_cells, sizeof(*h->cells), cmp_cell);
	qsort(h->ports, h->n_ports, sizeof(*h->ports), cmp_port);
	qsort(h->classes, h->n_classes, sizeof(*h->classes), cmp_class);
	qsort(h->addrs, h->n_addrs, sizeof(*h->addrs), cmp_addr);
	for (uint32_t i = 1; i < 100; i++) {
		const struct bh_reason r = {
			.number = i,
			.kind = BH_REASON_RULE,
			.dir = BH_DIR_INGRESS,
			.policy = BH_RS_NONE,
			.rule = BH_RS_NONE,
			.expected = BH_RS_NONE,
		};

		bh_rs_build_add(&b, BH_RS_REASONS, &r, 1);
	}
	bh_rs_build_add(&b, BH_RS_CELLS, h->cells, h->n_cells);
	bh_rs_build_add(&b, BH_RS_CLASSES, h->classes, h->n_classes);
	bh_rs_build_add(&b, BH_RS_CIDRS, h->cidrs, h->n_cidrs);
	bh_rs_build_add(&b, BH_RS_PORTS, h->ports, h->n_ports);
	bh_rs_build_add(&b, BH_RS_CONTRACTS, h->contracts, h->n_contracts);
	bh_rs_build_add(&b, BH_RS_ENTRIES, h->entries, h->n_entries);
	if (bh_rs_build_finish(&b, revision, &rs, &err) < 0)
		fail("rule set:", err.msg);
	return rs;
}
