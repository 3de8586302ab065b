/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_compile_property.c - the compiled rule set says what the policies say
 *
 * Random policy sets and endpoints; every pair of addresses, several ports and protocols: the decision looked
 * up in the rule set is compared with the plain evaluator of tests/lib/oracle.c, verdict and reason. Another
 * seed or number of sets: BH_TEST_SEED, BH_TEST_SETS.
 */
#include "policy/compile.h"
#include "tests/lib/oracle.h"
#include "tests/lib/randset.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED 20310301U
#define SETS 3000U

static const struct {
	uint8_t l4;
	uint16_t port;
} dports[] = {
	{ BH_L4_TCP, 80 }, { BH_L4_TCP, 81 },    { BH_L4_TCP, 85 },  { BH_L4_TCP, 8080 },
	{ BH_L4_TCP, 79 }, { BH_L4_TCP, 65535 }, { BH_L4_TCP, 9 },   { BH_L4_UDP, 80 },
	{ BH_L4_UDP, 86 }, { BH_L4_UDP, 53 },    { BH_L4_SCTP, 80 }, { BH_L4_SCTP, 81 },
	{ BH_L4_ICMP, 0 }, { BH_L4_ICMPV6, 0 },  { 47, 0 },          { BH_L4_TCP, 0 },
	{ BH_L4_TCP, 88 },
};

static const unsigned protos[] = { BH_PROTO_HTTP,    BH_PROTO_TLS,      BH_PROTO_SSH,
				   BH_PROTO_MYSQL,   BH_PROTO_KAFKA,    BH_PROTO_DNS,
				   BH_PROTO_UNKNOWN, BH_PROTO_UNDECIDED };

/* An address that somebody has, or nobody. */
struct spot {
	struct bh_addr addr;
	const struct bh_endpoint *ep;
	uint32_t cls;
	bool local;
};

struct scene {
	uint64_t seed;
	struct bh_policy_set *set;
	struct bh_endpoint **eps;
	unsigned n_eps;
	struct bh_compiled out;
	struct spot spots[128];
	size_t n_spots;
	bool offline;
	size_t checked, contracts;
};

static unsigned from_env(const char *name, unsigned otherwise)
{
	const char *s = getenv(name);

	return s && *s ? (unsigned)strtoul(s, NULL, 10) : otherwise;
}

/* Who has an address, by the rule of compile.h, not by the compiler's list. */
static const struct bh_endpoint *owner_of(const struct scene *sc, const struct bh_addr *a)
{
	const struct bh_endpoint *owner = NULL;

	for (unsigned i = 0; i < sc->n_eps; i++) {
		const struct bh_endpoint *ep = sc->eps[i];

		for (size_t k = 0; k < ep->n_addrs; k++) {
			if (bh_addr_eq(&ep->addrs[k], a) && (!owner || ep->local || !owner->local))
				owner = ep;
		}
	}
	return owner;
}

static void spots_make(struct scene *sc)
{
	sc->n_spots = 0;
	sc->offline = true;
	for (size_t i = 0; i < sc->out.n_addrs; i++) {
		const struct bh_addr_class *a = &sc->out.addrs[i];
		struct spot *s = &sc->spots[sc->n_spots++];

		*s = (struct spot){ a->addr, owner_of(sc, &a->addr), a->cls, a->local };
		assert_ptr_equal(s->ep, sc->eps[a->endpoint]);
		assert_int_equal(s->ep->local, a->local);
		assert_true(i == 0 || bh_addr_cmp(&a[-1].addr, &a->addr) < 0);
		sc->offline &= !a->local;
	}
	for (size_t i = 0; randset_outside(i); i++) {
		struct spot *s = &sc->spots[sc->n_spots++];

		*s = (struct spot){ .ep = NULL };
		assert_int_equal(bh_addr_parse(randset_outside(i), &s->addr), 0);
		if (owner_of(sc, &s->addr))
			sc->n_spots--;
	}
}

static void complain(const struct scene *sc, const struct oracle_query *q, uint32_t word,
		     const struct oracle_answer *want, const char *what)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	char peer[BH_ADDR_STRLEN];

	if (getenv("BH_TEST_VERBOSE")) {
		bh_ruleset_print(sc->out.rules, &b);
		fprintf(stderr, "%s", bh_buf_str(&b));
	}
	fail_msg("seed %llu: %s of %s/%s, peer %s %s, l4 %u port %u proto %u: %s; word %08x, want "
		 "%u kind %u policy %s",
		 (unsigned long long)sc->seed, bh_dir_name(q->dir), q->subject->ns,
		 q->subject->name, bh_addr_format(&q->peer_addr, peer),
		 q->peer ? q->peer->name : "-", q->l4, q->port, q->proto, what, word, want->word,
		 want->kind, want->policy ? want->policy->name : "-");
}

static unsigned badness(const struct oracle_answer *a)
{
	return oracle_refuses(a) ? 2 : a->word == ORACLE_RECORD ? 1 : 0;
}

static unsigned word_badness(uint32_t w)
{
	return bh_word_refuses(w) ? 2 : w & BH_WORD_REPORT ? 1 : 0;
}

/* The reason behind a word names the same policy and rule. */
static bool same_reason(const struct scene *sc, uint32_t word, const struct oracle_answer *a)
{
	const struct bh_reason *r = bh_ruleset_reason(sc->out.rules, bh_word_number(word));
	const struct bh_rs_policy *p = r ? bh_ruleset_policy(sc->out.rules, r->policy) : NULL;
	const struct bh_rs_rule *rule = r ? bh_ruleset_rule(sc->out.rules, r->rule) : NULL;

	if (!r || r->kind != a->kind || !p != !a->policy || !rule != !a->rule)
		return false;
	if (p && (strcmp(bh_ruleset_text(sc->out.rules, p->name), a->policy->name) != 0 ||
		  strcmp(bh_ruleset_text(sc->out.rules, p->ns), a->policy->ns) != 0))
		return false;
	return !rule ||
	       (&a->policy->rules[r->dir][rule->index] == a->rule && rule->policy == r->policy);
}

/* What the compiled word says when @q->proto is spoken. */
static void check_proto(struct scene *sc, const struct oracle_query *q, uint32_t word, bool plain)
{
	struct oracle_answer want = oracle_ask(q);
	uint32_t got = bh_ruleset_settle(sc->out.rules, word, q->proto);

	sc->checked++;
	if (word_badness(got) != badness(&want))
		complain(sc, q, got, &want, "verdict");
	/* A plain word carries the reason of a protocol that nobody names. */
	if (q->proto != BH_PROTO_UNDECIDED && (!plain || q->proto == BH_PROTO_KAFKA) &&
	    !same_reason(sc, got, &want))
		complain(sc, q, got, &want, "reason");
	if (!plain && want.word == ORACLE_REJECT && q->proto != BH_PROTO_UNDECIDED &&
	    bh_word_verdict(got) != BH_WORD_REJECT)
		complain(sc, q, got, &want, "not rejected");
}

/* A contract only where verdict or record depend on the protocol. */
static void check_needed(struct scene *sc, struct oracle_query *q, uint32_t word)
{
	struct oracle_answer first = { .word = ORACLE_FREE }, a;
	bool differ = false, refused = false;

	for (size_t i = 0; i < BH_ARRAY_SIZE(protos) - 1; i++) {
		q->proto = protos[i];
		a = oracle_ask(q);
		refused |= oracle_refuses(&a);
		if (i == 0) {
			first = a;
			continue;
		}
		differ |= badness(&a) != badness(&first);
		if (badness(&a) == 1 && badness(&first) == 1)
			differ |= a.kind != first.kind || a.policy != first.policy ||
				  a.rule != first.rule;
	}
	if (differ != (bh_word_verdict(word) == BH_WORD_CONTRACT))
		complain(sc, q, word, &a, "contract without need, or none where needed");
	if (differ && refused == !!(word & BH_WORD_OPEN))
		complain(sc, q, word, &a, "open flag");
}

static void check_direction(struct scene *sc, struct rnd *r, struct oracle_query *q, uint32_t word,
			    bool local)
{
	struct oracle_answer want;
	bool plain = bh_word_verdict(word) != BH_WORD_CONTRACT;

	q->proto = BH_PROTO_KAFKA;
	want = oracle_ask(q);
	if (!local || want.word == ORACLE_FREE) {
		if (word != 0)
			complain(sc, q, word, &want, "word for what is no subject");
		return;
	}
	if (word == 0)
		complain(sc, q, word, &want, "no word for a subject");
	sc->contracts += !plain;
	if (plain && !rnd_one_in(r, 4)) {
		check_proto(sc, q, word, true);
		return;
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(protos); i++) {
		q->proto = protos[i];
		check_proto(sc, q, word, plain);
	}
	check_needed(sc, q, word);
}

static void check_pair(struct scene *sc, struct rnd *r, const struct spot *src,
		       const struct spot *dst)
{
	for (unsigned n = 0; n < 5; n++) {
		size_t i = rnd_below(r, (uint32_t)BH_ARRAY_SIZE(dports));
		struct bh_conn c = {
			.src = src->addr,
			.dst = dst->addr,
			.src_class = src->cls,
			.dst_class = dst->cls,
			.src_local = src->ep && (src->local || sc->offline),
			.dst_local = dst->ep && (dst->local || sc->offline),
			.l4 = dports[i].l4,
			.dport = dports[i].port,
		};
		struct bh_decision d = bh_ruleset_decide(sc->out.rules, &c);
		struct oracle_query q = { .set = sc->set, .l4 = c.l4, .port = c.dport };

		if (bh_addr_eq(&c.src, &c.dst)) {
			assert_int_equal(d.egress | d.ingress, 0);
			continue;
		}
		if (src->ep) {
			q.dir = BH_DIR_EGRESS;
			q.subject = src->ep;
			q.peer = dst->ep;
			q.peer_addr = dst->addr;
			check_direction(sc, r, &q, d.egress, c.src_local);
		}
		if (dst->ep) {
			q.dir = BH_DIR_INGRESS;
			q.subject = dst->ep;
			q.peer = src->ep;
			q.peer_addr = src->addr;
			check_direction(sc, r, &q, d.ingress, c.dst_local);
		}
	}
}

/* Remote subjects: no cells, and whoever asks for them all the same is refused. */
static void check_remote(struct scene *sc)
{
	for (size_t i = 0; i < sc->n_spots; i++) {
		const struct spot *s = &sc->spots[i];
		struct oracle_query q = { .set = sc->set, .subject = s->ep, .peer_addr = s->addr };
		bool here = sc->offline || s->local;

		for (size_t k = 0; k < sc->n_spots; k++)
			here |= sc->spots[k].local && sc->spots[k].cls == s->cls;
		for (q.dir = BH_DIR_INGRESS; s->ep && q.dir < BH_DIR_COUNT; q.dir++) {
			const struct bh_class *c = bh_ruleset_class(sc->out.rules, s->cls);
			struct oracle_answer a = oracle_ask(&q);
			uint32_t flag;

			assert_non_null(c);
			flag = q.dir == BH_DIR_INGRESS ? c->subject_in : c->subject_eg;
			assert_int_equal(flag, a.word == ORACLE_FREE ? 0 : here ? 1 : 2);
			if (flag == 2)
				assert_true(bh_word_refuses(bh_ruleset_lookup(
				    sc->out.rules, q.dir, s->cls, BH_CLASS_WORLD, BH_L4_TCP, 80)));
		}
	}
}

/* The cells of a row. */
static const struct bh_cell *row_of(const struct scene *sc, const struct bh_cell *like,
				    uint32_t peer, size_t *ret_n)
{
	size_t n, i = 0, k;
	const struct bh_cell *c = bh_ruleset_cells(sc->out.rules, &n);

	while (i < n &&
	       (c[i].dir != like->dir || c[i].subject != like->subject || c[i].peer != peer))
		i++;
	for (k = i;
	     k < n && c[k].dir == like->dir && c[k].subject == like->subject && c[k].peer == peer;)
		k++;
	*ret_n = k - i;
	return c + i;
}

/* No row and no port of a protocol that says what the look-up would find without it. */
static void check_small(struct scene *sc)
{
	size_t n, n_row, n_other;
	const struct bh_cell *c = bh_ruleset_cells(sc->out.rules, &n), *row, *other;

	for (size_t i = 0; i < n; i += n_row) {
		bool same;

		row = row_of(sc, &c[i], c[i].peer, &n_row);
		assert_ptr_equal(row, &c[i]);
		for (size_t k = 1; k < n_row; k++)
			assert_false(row[k].port == BH_PORT_ANY && row[k].word == row[0].word);
		if (row->peer == BH_PEER_ANY || row->peer == BH_PEER_ANY_ENDPOINT)
			continue;
		other = row_of(sc, row, BH_PEER_ANY_ENDPOINT, &n_other);
		if (!(row->peer & BH_CLASS_ENDPOINT) || n_other == 0)
			other = row_of(sc, row, BH_PEER_ANY, &n_other);
		same = n_row == n_other;
		for (size_t k = 0; same && k < n_row; k++)
			same = row[k].l4 == other[k].l4 && row[k].port == other[k].port &&
			       row[k].word == other[k].word;
		assert_false(same);
	}
}

static void scene_run(uint64_t seed, size_t *checked, size_t *contracts)
{
	static const unsigned locals[] = { 100, 100, 100, 60, 0 };
	struct rnd r = { .state = seed };
	struct scene sc = { .seed = seed };
	struct randset_config cfg = {
		.policies = 1 + rnd_below(&r, 8),
		.endpoints = 3 + rnd_below(&r, 9),
		.local_percent = locals[rnd_below(&r, 5)],
		.traffic_only_allow = rnd_one_in(&r, 5),
	};
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct bh_err err = { .code = 0 };

	sc.set = randset_policies(&r, &cfg);
	sc.eps = randset_endpoints(&r, &cfg);
	sc.n_eps = cfg.endpoints;
	assert_int_equal(bh_compiler_new(&c), 0);
	const struct bh_compile_input in = {
		.set = sc.set,
		.eps = (const struct bh_endpoint *const *)sc.eps,
		.n_eps = sc.n_eps,
		.revision = 1,
	};

	if (bh_compile(c, &in, &sc.out, &err) < 0)
		fail_msg("seed %llu: %s", (unsigned long long)seed, err.msg);
	spots_make(&sc);
	for (size_t s = 0; s < sc.n_spots; s++) {
		for (size_t d = 0; d < sc.n_spots; d++) {
			if (sc.spots[s].addr.family == sc.spots[d].addr.family)
				check_pair(&sc, &r, &sc.spots[s], &sc.spots[d]);
		}
	}
	check_remote(&sc);
	check_small(&sc);
	*checked += sc.checked;
	*contracts += sc.contracts;
	bh_compiled_done(&sc.out);
	bh_policy_set_free(sc.set);
	randset_endpoints_free(sc.eps, sc.n_eps);
}

static void test_compiled_equals_plain(void **state)
{
	unsigned seed = from_env("BH_TEST_SEED", SEED), sets = from_env("BH_TEST_SETS", SETS);
	size_t checked = 0, contracts = 0;

	for (unsigned i = 0; i < sets; i++)
		scene_run(seed + i, &checked, &contracts);
	print_message("# seed %u, %u sets: %zu answers compared, %zu contracts met\n", seed, sets,
		      checked, contracts);
	/* The test would prove little if its random sets never made contracts. */
	assert_true(contracts > sets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compiled_equals_plain),
	};

	return cmocka_run_group_tests_name("compile_property", tests, NULL, NULL);
}
