// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_kernel_depth.c - ways through the chains of a table: none longer than the kernel takes, nor too many
 *
 * nft_chain_validate() follows gotos and jumps alike from every base chain, and refuses a table with EMLINK where that leads
 * through more than NFT_JUMP_STACK_SIZE chains. Which levels are in use is known at run time only, so all of them are
 * tried.
 *
 * Older kernels (6.1) do not remember where they were, and follow every way with each transaction that changes a rule: a
 * chain that can be reached by ten ways is looked at ten times. A change of policy takes the longer there.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "common/util.h"
#include "dataplane/kernel/chains.h"
#include "dataplane/kernel/kernel_internal.h"
#include "dataplane/kernel/nl.h"

#define LONGEST    16U /* NFT_JUMP_STACK_SIZE, include/net/netfilter/nf_tables.h */
#define CHAINS_MAX 512U
#define EDGES_MAX  65536U

struct node {
	char name[64];
	bool base;
	unsigned depth; /* of what it leads to, with itself; 0: not known yet */
	uint64_t ways;  /* chains that are visited from here, with itself; 0: not known yet */
	bool open;      /* on the way that is being followed */
};

struct graph {
	struct node nodes[CHAINS_MAX];
	size_t n;
	struct edge {
		size_t from, to;
	} edges[EDGES_MAX];
	size_t n_edges;
	/* Elements of a rule's own map come before the rule. */
	size_t pending[64];
	size_t n_pending;
};

static size_t node(struct graph *g, const char *name)
{
	size_t i = 0;

	while (i < g->n && !bh_streq(g->nodes[i].name, name))
		i++;
	if (i < g->n)
		return i;
	assert_true(g->n < CHAINS_MAX && strlen(name) < sizeof(g->nodes[i].name));
	memcpy(g->nodes[i].name, name, strlen(name) + 1);
	return g->n++;
}

static void edge(struct graph *g, size_t from, size_t to)
{
	assert_true(g->n_edges < EDGES_MAX);
	g->edges[g->n_edges++] = (struct edge){ from, to };
}

static void see_elems(struct graph *g, const struct nlmsghdr *h)
{
	const struct nlattr *list = bh_nl_attr(h, NFTA_SET_ELEM_LIST_ELEMENTS), *e;

	bh_nl_each_attr(e, mnl_attr_get_payload(list), mnl_attr_get_payload_len(list))
	{
		const struct nlattr *v =
		    bh_nl_nested(bh_nl_nested(e, NFTA_SET_ELEM_DATA), NFTA_DATA_VERDICT);
		const struct nlattr *chain = v ? bh_nl_nested(v, NFTA_VERDICT_CHAIN) : NULL;

		if (!chain)
			continue;
		assert_true(g->n_pending < BH_ARRAY_SIZE(g->pending));
		g->pending[g->n_pending++] = node(g, bh_nl_str(chain));
	}
}

static void see_rule(struct graph *g, const struct nlmsghdr *h)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct nftnl_expr_iter *it;
	struct nftnl_expr *e;
	size_t from;

	assert_int_equal(nftnl_rule_nlmsg_parse(h, r), 0);
	from = node(g, nftnl_rule_get_str(r, NFTNL_RULE_CHAIN));
	it = nftnl_expr_iter_create(r);
	while ((e = nftnl_expr_iter_next(it)))
		if (nftnl_expr_is_set(e, NFTNL_EXPR_IMM_CHAIN) &&
		    bh_streq(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "immediate"))
			edge(g, from, node(g, nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN)));
	nftnl_expr_iter_destroy(it);
	nftnl_rule_free(r);
	for (size_t i = 0; i < g->n_pending; i++)
		edge(g, from, g->pending[i]);
	g->n_pending = 0;
}

static void see(const struct nlmsghdr *h, void *arg)
{
	struct graph *g = arg;

	switch (h->nlmsg_type & 0xff) {
	case NFT_MSG_NEWCHAIN:
		g->nodes[node(g, bh_nl_str(bh_nl_attr(h, NFTA_CHAIN_NAME)))].base =
		    bh_nl_attr(h, NFTA_CHAIN_HOOK) != NULL;
		break;
	case NFT_MSG_NEWRULE:
		see_rule(g, h);
		break;
	case NFT_MSG_NEWSETELEM:
		see_elems(g, h);
		break;
	default:
		break;
	}
}

static unsigned depth(struct graph *g, size_t i)
{
	struct node *n = &g->nodes[i];

	if (n->depth > 0)
		return n->depth;
	if (n->open)
		fail_msg("chain %s leads to itself", n->name);
	n->open = true;
	for (size_t k = 0; k < g->n_edges; k++)
		if (g->edges[k].from == i)
			n->depth = BH_MAX(n->depth, depth(g, g->edges[k].to));
	n->open = false;
	return ++n->depth;
}

static void print_way(struct graph *g, size_t i)
{
	print_error(" %s", g->nodes[i].name);
	for (size_t k = 0; k < g->n_edges; k++) {
		if (g->edges[k].from != i || depth(g, g->edges[k].to) + 1 != g->nodes[i].depth)
			continue;
		print_way(g, g->edges[k].to);
		return;
	}
}

static uint64_t ways(struct graph *g, size_t i)
{
	uint64_t sum = 1;

	if (g->nodes[i].ways > 0)
		return g->nodes[i].ways;
	for (size_t k = 0; k < g->n_edges; k++)
		if (g->edges[k].from == i)
			sum += ways(g, g->edges[k].to);
	return g->nodes[i].ways = sum;
}

/* The chains of table @t into @g, which must be all zero. */
static void follow(struct graph *g, unsigned t, uint64_t levels)
{
	static const struct bh_kernel_config config = { .table = "bulkhead",
							.queue_base = 100,
							.n_queues = 2,
							.nflog_group = 5,
							.group_quarantine = 7,
							.group_managed = 8 };
	static const struct bh_kernel_caps caps = { .inner_payload = true,
						    .dup = true,
						    .exthdr_reset = true,
						    .arp = true,
						    .bridge = true };
	bh_cleanup(bh_batch_done) struct bh_batch b;

	bh_batch_init(&b, config.table);
	bh_chains_make(&(struct bh_chains){ .b = &b,
					    .cfg = &config,
					    .caps = &caps,
					    .family = bh_nfproto[t],
					    .late = true,
					    .levels = { levels, levels } });
	assert_false(b.failed);
	bh_batch_each(&b, see, g);
}

static void longest_way(void **state)
{
	bool ok = true;

	(void)state;
	for (unsigned t = 0; t < BH_TABLES; t++) {
		bh_autofree struct graph *g = calloc(1, sizeof(*g));

		assert_non_null(g);
		follow(g, t, BH_LEVEL_ALL);
		for (size_t i = 0; i < g->n; i++) {
			if (!g->nodes[i].base || depth(g, i) <= LONGEST)
				continue;
			print_error("table %u, %u chains:", t, depth(g, i));
			print_way(g, i);
			print_error("\n");
			ok = false;
		}
	}
	assert_true(ok);
}

static void number_of_ways(void **state)
{
	const uint64_t some = bh_level(BH_LEVEL_PEER_ANY, BH_LEVEL_PORT_ANY) |
			      bh_level(BH_LEVEL_PEER_CLASS, BH_LEVEL_PORT_EXACT);
	const uint64_t more = some | bh_level(BH_LEVEL_PEER_CLASS, BH_LEVEL_PORT_TCP) |
			      bh_level(BH_LEVEL_PEER_ENDPOINT, BH_LEVEL_PORT_EXACT) |
			      bh_level(BH_LEVEL_PEER_ANY, BH_LEVEL_PORT_EXACT);
	const struct {
		uint64_t levels, most;
	} cases[] = {
		{ some, 5000 },
		{ some | BH_LEVEL_CONTRACT, 25000 },
		{ more | BH_LEVEL_CONTRACT, 50000 },
		{ BH_LEVEL_ALL, 500000 },
	};

	(void)state;
	for (size_t c = 0; c < BH_ARRAY_SIZE(cases); c++) {
		for (unsigned t = 0; t < BH_TABLES; t++) {
			bh_autofree struct graph *g = calloc(1, sizeof(*g));
			uint64_t sum = 0;

			assert_non_null(g);
			follow(g, t, cases[c].levels);
			for (size_t i = 0; i < g->n; i++)
				if (g->nodes[i].base)
					sum += ways(g, i);
			if (sum > cases[c].most)
				fail_msg("levels %" PRIx64 ", table %u: %" PRIu64
					 " visits, at most %" PRIu64,
					 cases[c].levels, t, sum, cases[c].most);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_way),
		cmocka_unit_test(number_of_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
