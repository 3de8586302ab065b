// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_kernel_projection.c - what becomes of a rule set in the kernel, without a kernel
 *
 * Text of the elements of maps (tests/golden/nft/projection.txt) and of all rules (tests/golden/nft/chains-*.txt).
 * BH_REGEN=1 writes the expected texts anew: read the difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/util.h"
#include "dataplane/kernel/chains.h"
#include "dataplane/kernel/guard.h"
#include "dataplane/kernel/projection.h"
#include "dataplane/kernel/sets.h"
#include "tests/lib/hand.h"

#define WEB   HAND_EP(1)
#define DB    HAND_EP(2)
#define OTHER HAND_EP(3)

#define ALLOW(n)    (BH_WORD_ALLOW | (n))
#define DROP(n)     (BH_WORD_DROP | (n))
#define REJECT(n)   (BH_WORD_REJECT | (n))
#define CONTRACT(n) (BH_WORD_CONTRACT | (n))

static void golden(const char *name, const char *text)
{
	const char *root = getenv("BH_SOURCE_ROOT");
	bh_autofree char *want = NULL;
	struct bh_err err = { .code = 0 };
	char path[1024];
	size_t size;

	assert_non_null(root);
	(void)snprintf(path, sizeof(path), "%s/tests/golden/nft/%s", root, name);
	if (getenv("BH_REGEN"))
		assert_int_equal(bh_file_write(path, text, strlen(text), 0644, &err), 0);
	if (bh_file_read(path, 1U << 22, &want, &size, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(text, want);
}

static struct bh_projection project(struct hand *h, int expect)
{
	struct bh_ruleset *rs = hand_ruleset(h, 7);
	struct bh_projection p = { .n = 0 };

	assert_int_equal(bh_projection_make(rs, h->addrs, h->n_addrs, &p), expect);
	bh_ruleset_free(rs);
	hand_free(h);
	return p;
}

static struct hand *shop(void)
{
	struct hand *h = hand_new();

	hand_addr(h, "10.1.0.5", WEB, true);
	hand_addr(h, "10.1.0.6", WEB, true);
	hand_addr(h, "10.2.0.5", DB, false);
	hand_addr(h, "10.1.0.7", DB, true);
	hand_addr(h, "fd01::5", WEB, true);
	hand_addr(h, "10.9.0.1", OTHER, false);
	hand_cidr(h, "10.0.0.0/8", 2);
	hand_cidr(h, "192.168.0.0/16", 3);
	hand_cidr(h, "fd00::/8", 4);
	hand_range(h, BH_L4_TCP, BH_PORT_PIECE_BASE + 1, 8000, 8099);
	hand_range(h, BH_L4_UDP, BH_PORT_PIECE_BASE, 5000, 65535);
	hand_contract(h, 3, BH_PROTO_HTTP, ALLOW(11), REJECT(12));
	hand_contract(h, 4, 0, 0, DROP(13));
	hand_contract(h, 5, BH_PROTO_SSH, ALLOW(17) | BH_WORD_REPORT,
		      ALLOW(18)); /* of the own node alone */
	hand_cell(h, BH_DIR_INGRESS, WEB, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(1));
	hand_cell(h, BH_DIR_INGRESS, WEB, DB, BH_L4_ANY, BH_PORT_ANY, DROP(2));
	hand_cell(h, BH_DIR_INGRESS, WEB, DB, BH_L4_TCP, 80, CONTRACT(3));
	hand_cell(h, BH_DIR_INGRESS, WEB, DB, BH_L4_TCP, BH_PORT_PIECE_BASE + 1, ALLOW(4));
	hand_cell(h, BH_DIR_INGRESS, WEB, DB, BH_L4_UDP, BH_PORT_PIECE_BASE, REJECT(5));
	hand_cell(h, BH_DIR_INGRESS, WEB, BH_PEER_ANY_ENDPOINT, BH_L4_ANY, BH_PORT_ANY, DROP(6));
	hand_cell(h, BH_DIR_INGRESS, WEB, BH_PEER_ANY_ENDPOINT, BH_L4_ICMP, BH_PORT_ANY,
		  ALLOW(7) | BH_WORD_REPORT);
	hand_range(h, BH_L4_ICMP, BH_PORT_PIECE_BASE + 2, 8 << 8, 8 << 8 | 255);
	hand_range(h, BH_L4_ICMPV6, BH_PORT_PIECE_BASE + 3, 128 << 8, 128 << 8 | 255);
	hand_cell(h, BH_DIR_INGRESS, WEB, DB, BH_L4_ICMP, BH_PORT_PIECE_BASE + 2, ALLOW(14));
	hand_cell(h, BH_DIR_INGRESS, WEB, DB, BH_L4_ICMP, 13 << 8, DROP(15));
	hand_cell(h, BH_DIR_INGRESS, WEB, DB, BH_L4_ICMPV6, BH_PORT_PIECE_BASE + 3, ALLOW(14));
	hand_cell(h, BH_DIR_INGRESS, WEB, DB, BH_L4_ICMPV6, 139 << 8 | 1, DROP(15));
	hand_cell(h, BH_DIR_INGRESS, WEB, BH_CLASS_HOST, BH_L4_ANY, BH_PORT_ANY, ALLOW(16));
	hand_cell(h, BH_DIR_INGRESS, WEB, BH_CLASS_HOST, BH_L4_TCP, 22, CONTRACT(5));
	hand_cell(h, BH_DIR_INGRESS, WEB, 3, BH_L4_ANY, BH_PORT_ANY, ALLOW(8));
	hand_cell(h, BH_DIR_INGRESS, WEB, 4, BH_L4_ANY, BH_PORT_ANY, ALLOW(8));
	hand_cell(h, BH_DIR_EGRESS, DB, BH_PEER_ANY, BH_L4_ANY, BH_PORT_ANY, DROP(9));
	hand_cell(h, BH_DIR_EGRESS, DB, BH_CLASS_WORLD, BH_L4_ANY, BH_PORT_ANY, ALLOW(10));
	return h;
}

static void projection_text(void **state)
{
	bh_cleanup(bh_projection_done) struct bh_projection p = project(shop(), 0);
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	(void)state;
	bh_projection_print(&p, &b);
	golden("projection.txt", bh_buf_str(&b));
}

static void projection_is_sorted(void **state)
{
	struct hand *h = shop();
	bh_cleanup(bh_projection_done) struct bh_projection p = { .n = 0 };

	(void)state;
	/* Numbers of pieces that run otherwise than their ports. */
	hand_range(h, BH_L4_SCTP, BH_PORT_PIECE_BASE + 9, 10, 19);
	hand_range(h, BH_L4_SCTP, BH_PORT_PIECE_BASE + 8, 20, 29);
	hand_cell(h, BH_DIR_INGRESS, WEB, BH_PEER_ANY, BH_L4_SCTP, BH_PORT_PIECE_BASE + 9,
		  ALLOW(1));
	hand_cell(h, BH_DIR_INGRESS, WEB, BH_PEER_ANY, BH_L4_SCTP, BH_PORT_PIECE_BASE + 8,
		  ALLOW(1));
	hand_cell(h, BH_DIR_INGRESS, WEB, BH_PEER_ANY, BH_L4_SCTP, 65535, ALLOW(1));
	hand_cell(h, BH_DIR_INGRESS, WEB, BH_PEER_ANY, BH_L4_SCTP, 256, ALLOW(1));
	p = project(h, 0);
	assert_true(p.n > 0);
	for (size_t i = 1; i < p.n; i++)
		assert_true(bh_kelem_cmp(&p.elems[i - 1], &p.elems[i]) < 0);
}

static struct bh_addr parsed(const char *s)
{
	struct bh_addr a = { .family = 0 };

	assert_int_equal(bh_addr_parse(s, &a), 0);
	return a;
}

/* Each endpoint in every table that may meet it; one whose MAC is not known; a port of a bridge. */
static void guard_text(void **state)
{
	const struct bh_kernel_caps caps = { .arp = true, .bridge = true }, few = { .arp = false };
	const struct bh_addr web[] = { parsed("10.1.0.5"), parsed("fd01::5") },
			     old[] = { parsed("10.1.0.6") },
			     port[] = { parsed("10.1.0.9"), parsed("10.1.0.8"), parsed("fd01::9") };
	const struct bh_guard guard[] = {
		{ 300, true, false, { 2, 0, 0, 0, 0, 9 }, port, 3 },
		{ 12, true, true, { 2, 0, 0, 0, 0, 5 }, web, 2 },
		{ 13, false, true, { 0 }, old, 1 },
		{ 12, true, true, { 2, 0, 0, 0, 0, 5 }, web, 2 }, /* twice is once */
	};
	bh_cleanup(bh_projection_done) struct bh_projection p = { .n = 0 }, less = { .n = 0 };
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	(void)state;
	assert_int_equal(bh_guard_elems(guard, BH_ARRAY_SIZE(guard), &caps, &p), 0);
	for (size_t i = 1; i < p.n; i++)
		assert_true(bh_kelem_cmp(&p.elems[i - 1], &p.elems[i]) < 0);
	bh_projection_print(&p, &b);
	golden("guard.txt", bh_buf_str(&b));
	/* A kernel without the families arp and bridge. */
	assert_int_equal(bh_guard_elems(guard, BH_ARRAY_SIZE(guard), &few, &less), 0);
	assert_int_equal(less.elems[less.n - 1].family, 6);
	assert_true(less.n < p.n);
}

static int cmp_kelem(const void *a, const void *b)
{
	return bh_kelem_cmp(a, b);
}

static struct bh_guard_held held(const struct bh_guard *guard, size_t n)
{
	struct bh_guard_held h = { .n = 0 };

	assert_int_equal(bh_guard_hold(guard, n, &h), 0);
	return h;
}

/* Whatever changes, what is made of the difference is the difference of all. */
static void guard_differences(void **state)
{
	static const struct bh_kernel_caps caps = { .arp = true, .bridge = true };
	const struct bh_addr a[] = { parsed("10.1.0.5"), parsed("fd01::5"), parsed("10.1.0.6") };
	const struct bh_guard all[] = {
		{ 12, true, true, { 2, 0, 0, 0, 0, 5 }, a, 2 },
		{ 9, true, true, { 2, 0, 0, 0, 0, 6 }, &a[2], 1 },
		{ 13, true, true, { 2, 0, 0, 0, 0, 5 }, a, 2 },
		{ 12, true, true, { 2, 0, 0, 0, 0, 5 }, &a[1], 2 }, /* the same link once more */
		{ 12, false, false, { 0 }, a, 3 },
		{ 300, true, false, { 2, 0, 0, 0, 0, 7 }, a, 3 },
	};

	(void)state;
	for (unsigned from = 0; from < 1U << BH_ARRAY_SIZE(all); from++) {
		for (unsigned to = 0; to < 1U << BH_ARRAY_SIZE(all); to++) {
			bh_cleanup(bh_projection_done) struct bh_projection gone = { .n = 0 },
									    come = gone, x = gone,
									    y = gone;
			bh_cleanup(bh_guard_held_done) struct bh_guard_held f = { .n = 0 }, t = f;
			struct bh_guard pick[2][BH_ARRAY_SIZE(all)];
			size_t n[2] = { 0, 0 }, i = 0, k = 0;

			for (unsigned e = 0; e < BH_ARRAY_SIZE(all); e++) {
				if (from >> e & 1)
					pick[0][n[0]++] = all[e];
				if (to >> e & 1)
					pick[1][n[1]++] = all[e];
			}
			f = held(pick[0], n[0]);
			t = held(pick[1], n[1]);
			assert_int_equal(bh_guard_diff(&f, &t, &caps, &gone, &come), 0);
			assert_int_equal(bh_guard_held_elems(&f, &caps, &x), 0);
			assert_int_equal(bh_guard_held_elems(&t, &caps, &y), 0);
			/* From the old to the new: what is not in both is in the difference, on its side. */
			while (i < x.n || k < y.n) {
				int c = i == x.n   ? 1
					: k == y.n ? -1
						   : bh_kelem_cmp(&x.elems[i], &y.elems[k]);
				const struct bh_kelem *e = c <= 0 ? &x.elems[i] : &y.elems[k];
				bool in_gone =
				    bsearch(e, gone.elems, gone.n, sizeof(*e), cmp_kelem);
				bool in_come =
				    bsearch(e, come.elems, come.n, sizeof(*e), cmp_kelem);

				if (c == 0)
					assert_true(in_gone == in_come);
				else
					assert_true(in_gone == (c < 0) && in_come == (c > 0));
				i += c <= 0;
				k += c >= 0;
			}
			if (from == to)
				assert_int_equal(gone.n + come.n, 0);
		}
	}
}

/* What was read belongs to the guard or to the rule set. */
static void guard_is_taken_out(void **state)
{
	const struct bh_kernel_caps caps = { .arp = true, .bridge = true };
	const struct bh_addr a[] = { parsed("10.1.0.5"), parsed("fd01::5") };
	const struct bh_guard one = { 12, true, true, { 2, 0, 0, 0, 0, 5 }, a, 2 };
	bh_cleanup(bh_projection_done) struct bh_projection rules = project(shop(), 0),
							    g = { .n = 0 }, both = { .n = 0 };
	bh_cleanup(bh_projection_done) struct bh_projection gone = { .n = 0 }, come = gone;
	bh_cleanup(bh_guard_held_done) struct bh_guard_held found = { .n = 0 }, known = found;

	(void)state;
	assert_int_equal(bh_guard_elems(&one, 1, &caps, &g), 0);
	both.elems = calloc(rules.n + g.n, sizeof(*both.elems));
	assert_non_null(both.elems);
	memcpy(both.elems, rules.elems, rules.n * sizeof(*rules.elems));
	memcpy(&both.elems[rules.n], g.elems, g.n * sizeof(*g.elems));
	both.n = rules.n + g.n;
	assert_int_equal(bh_guard_take(&both, &found), 0);
	assert_int_equal(both.n, rules.n);
	assert_memory_equal(both.elems, rules.elems, rules.n * sizeof(*rules.elems));
	assert_int_equal(found.elems.n, g.n);
	assert_memory_equal(found.elems.elems, g.elems, g.n * sizeof(*g.elems));
	/* Whose entries they were is not known: all is compared. */
	known = held(&one, 1);
	assert_int_equal(bh_guard_diff(&found, &known, &caps, &gone, &come), 0);
	assert_int_equal(gone.n, g.n);
	assert_int_equal(come.n, g.n);
}

static void guard_of_nothing(void **state)
{
	const struct bh_kernel_caps caps = { .arp = true };
	const struct bh_addr none[] = { { .family = 0 } };
	const struct bh_guard no_link = { .has_mac = true },
			      no_family = { 1, false, true, { 0 }, none, 1 };
	struct bh_projection p = { .n = 0 };
	struct bh_guard_held h;

	(void)state;
	assert_int_equal(bh_guard_elems(&no_link, 1, &caps, &p), -EPROTO);
	assert_int_equal(bh_guard_elems(&no_family, 1, &caps, &p), -EPROTO);
	assert_int_equal(bh_guard_hold(&no_family, 1, &h), -EPROTO);
	assert_int_equal(bh_guard_elems(NULL, 0, &caps, &p), 0);
	assert_int_equal(p.n, 0);
	bh_projection_done(&p);
}

/* Nothing that cannot be read as an answer may become one. */
static void nothing_unclear_gets_into_the_kernel(void **state)
{
	struct hand *h;

	(void)state;
	h = shop();
	hand_addr(h, "10.3.0.1", BH_CLASS_WORLD, false); /* no endpoint's class */
	(void)project(h, -EPROTO);
	h = shop();
	hand_addr(h, "10.1.0.5", DB, true); /* twice */
	(void)project(h, -EPROTO);
	h = shop();
	hand_cell(h, BH_DIR_INGRESS, WEB, BH_PEER_ANY, 47, 80, ALLOW(1)); /* no ports there */
	(void)project(h, -EPROTO);
	h = shop();
	hand_cidr(h, "fe00::/9", BH_CLASS_HOST); /* the own node is no block */
	(void)project(h, -EPROTO);
}

static uint32_t data_of(const struct bh_projection *p, enum bh_kset set, uint32_t contract,
			unsigned result)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct bh_kelem *e = &p->elems[i];
		uint32_t key[3];

		memcpy(key, e->key, sizeof(key));
		if (e->set != set || e->family != 4)
			continue;
		if (set == BH_KSET_RESULT ? key[1] == contract && key[2] == result << 16
					  : (e->data & ~BH_KWORD_FLAGS) == CONTRACT(contract))
			return e->data;
	}
	return 0;
}

/* What the chains go by, and what each answer that nobody looked gets; nothing that is left out allows. */
static void fail_modes(void **state)
{
	static const enum bh_fail modes[] = { BH_FAIL_REFUSE, BH_FAIL_ALERT, BH_FAIL_ALLOW };

	(void)state;
	for (size_t o = 0; o < 3; o++) {
		for (size_t m = 0; m < 3; m++) {
			bh_cleanup(bh_projection_done) struct bh_projection p = { .n = 0 };
			struct hand *h = shop();
			const uint32_t flags =
			    (o > 0 ? BH_KWORD_BLIND : 0) | (m > 0 ? BH_KWORD_UNSEEN : 0);
			const uint32_t words[] = { REJECT(12), ALLOW(12) | BH_WORD_REPORT,
						   ALLOW(12) };

			h->contracts[0].on_overload = modes[o];
			h->contracts[0].midstream = modes[m];
			p = project(h, 0);
			assert_int_equal(data_of(&p, BH_KSET_CELL, 3, 0), CONTRACT(3) | flags);
			assert_int_equal(data_of(&p, BH_KSET_RESULT, 3, BH_PROTO_UNJUDGED),
					 words[o]);
			assert_int_equal(data_of(&p, BH_KSET_RESULT, 3, BH_PROTO_UNSEEN), words[m]);
			assert_int_equal(data_of(&p, BH_KSET_RESULT, 3, BH_PROTO_ADOPTED),
					 ALLOW(12));
			assert_int_equal(data_of(&p, BH_KSET_RESULT, 3, BH_PROTO_UNDECIDED),
					 REJECT(12));
		}
	}
}

/* What is read back from the kernel says what the chains must be. */
static void levels_of_elements(void **state)
{
	bh_cleanup(bh_projection_done) struct bh_projection p = project(shop(), 0);
	uint64_t levels[2][2];

	(void)state;
	memcpy(levels, p.levels, sizeof(levels));
	assert_true(levels[0][0] & BH_LEVEL_CONTRACT);
	memset(p.levels, 0xff, sizeof(p.levels));
	bh_projection_levels(&p);
	assert_memory_equal(p.levels, levels, sizeof(levels));
}

/*
 * Where TCP has its ports, an ICMP packet has a checksum, which its sender chooses: what he is allowed by type must not
 * be found by it.
 */
static void a_checksum_is_no_type(void **state)
{
	bh_cleanup(bh_projection_done) struct bh_projection p = project(shop(), 0);
	size_t codes = 0;

	(void)state;
	for (size_t i = 0; i < p.n; i++) {
		const struct bh_kelem *e = &p.elems[i];
		bool icmp = e->key[16] == BH_L4_ICMP || e->key[16] == BH_L4_ICMPV6;

		if (e->set != BH_KSET_CELL || !icmp || (e->key[12] == 0 && e->key[13] == 0))
			continue;
		/* A rule for ports fills neither of these bytes. */
		assert_true(e->key[15] != 0 || e->key[19] != 0);
		codes += e->key[19];
	}
	assert_int_equal(codes, 2);
}

/* A class that is selected but has no cells is closed: its address is a subject all the same. */
static void subjects_without_cells(void **state)
{
	struct hand *h = hand_new();
	bh_cleanup(bh_projection_done) struct bh_projection p = { .n = 0 };
	size_t subjects = 0;

	(void)state;
	hand_class(h, WEB);
	h->classes[h->n_classes - 1].subject_in = 2;
	hand_addr(h, "10.1.0.5", WEB, true);
	p = project(h, 0);
	for (size_t i = 0; i < p.n; i++)
		subjects += p.elems[i].set == BH_KSET_SUBJ_IN;
	assert_int_equal(subjects, 1);
	assert_int_equal(p.levels[0][0], 0);
}

/* ---- chains ---- */

static void print_chain(const struct nlmsghdr *h, struct bh_buf *out)
{
	struct nftnl_chain *c = nftnl_chain_alloc();

	assert_int_equal(nftnl_chain_nlmsg_parse(h, c), 0);
	bh_buf_printf(out, "chain %s", nftnl_chain_get_str(c, NFTNL_CHAIN_NAME));
	if (nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM))
		bh_buf_printf(out, " hook %u priority %d policy %u",
			      nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM),
			      nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO),
			      nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY));
	/* What nft(8) shows as its comment: type, length, text. */
	if (!bh_nl_attr(h, NFTA_CHAIN_USERDATA))
		fail_msg("chain %s has no comment (dataplane/kernel/comment.c)",
			 nftnl_chain_get_str(c, NFTNL_CHAIN_NAME));
	bh_buf_printf(out, " \"%s\"\n",
		      (const char *)mnl_attr_get_payload(bh_nl_attr(h, NFTA_CHAIN_USERDATA)) + 2);
	nftnl_chain_free(c);
}

static void print_rule(const struct nlmsghdr *h, struct bh_buf *out)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	char text[16384];

	assert_int_equal(nftnl_rule_nlmsg_parse(h, r), 0);
	assert_true(nftnl_rule_snprintf(text, sizeof(text), r, NFTNL_OUTPUT_DEFAULT, 0) > 0);
	bh_buf_printf(out, "%s\n", text);
	nftnl_rule_free(r);
}

static void print_set(const struct nlmsghdr *h, struct bh_buf *out)
{
	struct nftnl_set *s = nftnl_set_alloc();
	char text[4096];

	assert_int_equal(nftnl_set_nlmsg_parse(h, s), 0);
	assert_true(nftnl_set_snprintf(text, sizeof(text), s, NFTNL_OUTPUT_DEFAULT, 0) > 0);
	bh_buf_printf(out, "map %s\n", text);
	nftnl_set_free(s);
}

/* Of the maps of single rules: value -> where to. */
static void print_elems(const struct nlmsghdr *h, struct bh_buf *out)
{
	const struct nlattr *list = bh_nl_attr(h, NFTA_SET_ELEM_LIST_ELEMENTS), *e, *key, *v;

	assert_non_null(list);
	bh_nl_each_attr(e, mnl_attr_get_payload(list), mnl_attr_get_payload_len(list))
	{
		uint32_t word;

		key = bh_nl_nested(bh_nl_nested(e, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
		v = bh_nl_nested(bh_nl_nested(e, NFTA_SET_ELEM_DATA), NFTA_DATA_VERDICT);
		assert_non_null(v);
		assert_int_equal(mnl_attr_get_payload_len(key), sizeof(word));
		memcpy(&word, mnl_attr_get_payload(key), sizeof(word));
		bh_buf_printf(out, "\t%x : %d %s\n", word,
			      (int)bh_nl_u32(bh_nl_nested(v, NFTA_VERDICT_CODE)),
			      bh_nl_str(bh_nl_nested(v, NFTA_VERDICT_CHAIN)));
	}
}

static void print_nlmsg(const struct nlmsghdr *h, void *arg)
{
	switch (h->nlmsg_type & 0xff) {
	case NFT_MSG_NEWCHAIN:
		print_chain(h, arg);
		break;
	case NFT_MSG_NEWRULE:
		print_rule(h, arg);
		break;
	case NFT_MSG_NEWSET:
		print_set(h, arg);
		break;
	case NFT_MSG_NEWSETELEM:
		print_elems(h, arg);
		break;
	default:
		break;
	}
}

static const struct bh_kernel_config config = {
	.table = "bulkhead",
	.queue_base = 100,
	.n_queues = 2,
	.nflog_group = 5,
	.group_quarantine = 7,
	.group_managed = 8,
};

static void chains_text(uint8_t family, const char *name)
{
	const struct bh_kernel_caps caps = { .inner_payload = true,
					     .dup = true,
					     .exthdr_reset = true };
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_cleanup(bh_batch_done) struct bh_batch b;

	/* Each way to name the peer and each way to name the port once. */
	bh_batch_init(&b, config.table);
	bh_sets_make(&b, family);
	bh_chains_make(&(struct bh_chains){
	    .b = &b,
	    .cfg = &config,
	    .caps = &caps,
	    .family = family,
	    .epoch = 5,
	    .late = true,
	    .levels = { bh_level(BH_LEVEL_PEER_CLASS, BH_LEVEL_PORT_EXACT) |
			    bh_level(BH_LEVEL_PEER_ENDPOINT, BH_LEVEL_PORT_TCP) |
			    bh_level(BH_LEVEL_PEER_CLASS, BH_LEVEL_PORT_CODE) |
			    bh_level(BH_LEVEL_PEER_ANY, BH_LEVEL_PORT_ICMP) |
			    bh_level(BH_LEVEL_PEER_CIDR, BH_LEVEL_PORT_L4) |
			    bh_level(BH_LEVEL_PEER_ANY, BH_LEVEL_PORT_ANY) | BH_LEVEL_CONTRACT,
			bh_level(BH_LEVEL_PEER_ANY, BH_LEVEL_PORT_ANY) },
	});
	assert_false(b.failed);
	bh_batch_each(&b, print_nlmsg, &out);
	golden(name, bh_buf_str(&out));
}

static void chains_text_ip(void **state)
{
	(void)state;
	chains_text(NFPROTO_IPV4, "chains-ip.txt");
}

static void chains_text_ip6(void **state)
{
	(void)state;
	chains_text(NFPROTO_IPV6, "chains-ip6.txt");
}

static void chains_text_arp(void **state)
{
	(void)state;
	chains_text(NFPROTO_ARP, "chains-arp.txt");
}

static void chains_text_bridge(void **state)
{
	(void)state;
	chains_text(NFPROTO_BRIDGE, "chains-bridge.txt");
}

/* The next agent compares this number: equal for equal chains, another for others. */
static void number_of_the_chains(void **state)
{
	const struct bh_kernel_caps caps = { .inner_payload = true };
	struct bh_kernel_config other = config;
	struct bh_kernel_caps reset = caps;
	uint64_t n = bh_chains_hash(&config, &caps);
	bh_autofree void *noise = malloc(1U << 20);

	(void)state;
	assert_int_not_equal(n, 0);
	assert_non_null(noise);
	memset(noise, 0x5a, 1U << 20);
	free(bh_take_ptr(&noise)); /* what is not written must not count */
	assert_true(bh_chains_hash(&config, &caps) == n);
	other.queue_base++;
	assert_true(bh_chains_hash(&other, &caps) != n);
	reset.exthdr_reset = true;
	assert_true(bh_chains_hash(&config, &reset) != n);
	reset = caps;
	reset.bridge = true;
	assert_true(bh_chains_hash(&config, &reset) != n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(projection_text),
		cmocka_unit_test(projection_is_sorted),
		cmocka_unit_test(nothing_unclear_gets_into_the_kernel),
		cmocka_unit_test(fail_modes),
		cmocka_unit_test(levels_of_elements),
		cmocka_unit_test(a_checksum_is_no_type),
		cmocka_unit_test(subjects_without_cells),
		cmocka_unit_test(chains_text_ip),
		cmocka_unit_test(chains_text_ip6),
		cmocka_unit_test(chains_text_arp),
		cmocka_unit_test(chains_text_bridge),
		cmocka_unit_test(guard_text),
		cmocka_unit_test(guard_of_nothing),
		cmocka_unit_test(guard_differences),
		cmocka_unit_test(guard_is_taken_out),
		cmocka_unit_test(number_of_the_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
