/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_lint_property.c - a rule of which lint says that it has no effect has none
 *
 * Random worlds: each rule that lint names is taken out, and the policies with and without it must decide alike, now
 * and later, for pairs of ends, ports and what is spoken: verdict, and what is recorded, by whom. Two judges are asked:
 * the plain evaluator (tests/lib/oracle.c), and the compiled rule sets, whose contracts must also have the same fail
 * modes. Another seed or number of worlds: BH_SEED, BH_SETS; fewer features: BH_FEATURES.
 */
#include "policy/compile.h"
#include "policy/lint.h"
#include "tests/lib/oracle.h"
#include "tests/lib/randset.h"
#include "tests/lib/saying.h"
#include "tests/lib/wordcheck.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED 20310401U
#define SETS 300U
#define NOW  INT64_C(1930316400) /* Monday, 3 March 2031, 15:00 UTC */
/* Connections that are tried for a claim: two judges, and what is spoken. */
#define TRIES 700U
#define SPOTS 256U

static const struct {
	uint8_t l4;
	uint16_t port;
} dports[] = {
	{ BH_L4_TCP, 80 },      { BH_L4_TCP, 81 },          { BH_L4_TCP, 85 },
	{ BH_L4_TCP, 8080 },    { BH_L4_TCP, 86 },          { BH_L4_TCP, 9 },
	{ BH_L4_TCP, 65535 },   { BH_L4_UDP, 80 },          { BH_L4_UDP, 86 },
	{ BH_L4_UDP, 53 },      { BH_L4_SCTP, 80 },         { BH_L4_ICMP, 0 },
	{ BH_L4_ICMP, 8 << 8 }, { BH_L4_ICMPV6, 128 << 8 }, { 47, 0 },
};

static const unsigned protos[] = {
	BH_PROTO_HTTP,  BH_PROTO_HTTP2,   BH_PROTO_TLS,       BH_PROTO_QUIC,
	BH_PROTO_SSH,   BH_PROTO_DNS,     BH_PROTO_GRPC,      BH_PROTO_MYSQL,
	BH_PROTO_KAFKA, BH_PROTO_UNKNOWN, BH_PROTO_UNDECIDED,
};

/* Of one rule; of a port or peer of one; of all allow rules of a direction. */
static const char *const codes[] = { "w1",  "w20", "w21", "w22", "w23", "w24",
				     "w25", "w26", "w27", "w33", "w28" };
#define A_PART     (BH_ARRAY_SIZE(codes) - 2)
#define ALL_ALLOWS (BH_ARRAY_SIZE(codes) - 1)

struct spot {
	struct bh_addr addr;
	const struct bh_endpoint *ep;
	bool own_node;
};

/* The world with all rules, or without those that are claimed to have no effect. */
struct side {
	struct bh_rule *rules; /* of the policy and direction that the claim is about */
	size_t n_rules;
	struct oracle *oracle; /* reads the policies when it is asked */
	struct bh_compiled out;
};

struct scene {
	uint64_t seed;
	struct rnd r;
	struct randset *w;
	const struct bh_endpoint **eps;
	size_t n_eps;
	struct spot spots[SPOTS];
	size_t n_spots;
	const struct bh_diag *claim;
	struct bh_policy *about;
	enum bh_dir dir;
	size_t told[BH_ARRAY_SIZE(codes)], asked;
};

/* ---- rules ---- */

/* Each rule, port and peer gets a line of its own, by which a warning is known to be about it. */
static void number_rules(struct bh_policy_set *set)
{
	uint32_t line = 1;

	for (size_t i = 0; i < set->n_policies; i++) {
		struct bh_policy *p = set->policies[i];

		p->pos = (struct bh_pos){ line++, 1 };
		for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++)
			for (size_t k = 0; k < p->n_rules[d]; k++) {
				struct bh_rule *r = &p->rules[d][k];

				r->pos = (struct bh_pos){ line++, 1 };
				for (size_t n = 0; n < r->n_ports; n++)
					r->ports[n].pos = (struct bh_pos){ line++, 1 };
				for (size_t n = 0; n < r->n_peers; n++)
					r->peers[n].pos = (struct bh_pos){ line++, 1 };
			}
	}
}

static bool rule_at(struct bh_policy_set *set, uint32_t line, struct bh_policy **ret_p,
		    enum bh_dir *ret_dir, size_t *ret_index)
{
	for (size_t i = 0; i < set->n_policies; i++) {
		for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++) {
			for (size_t k = 0; k < set->policies[i]->n_rules[d]; k++) {
				const struct bh_rule *r = &set->policies[i]->rules[d][k];

				if (line < r->pos.line ||
				    line > r->pos.line + r->n_ports + r->n_peers)
					continue;
				*ret_p = set->policies[i];
				*ret_dir = d;
				*ret_index = k;
				return true;
			}
		}
	}
	return false;
}

/* ---- ends and what is spoken ---- */

static void spot_add(struct scene *sc, struct spot s)
{
	if (sc->n_spots < SPOTS)
		sc->spots[sc->n_spots++] = s;
}

static void spots_make(struct scene *sc)
{
	const struct bh_policy_set *set = sc->w->set;
	struct bh_addr a;

	for (size_t i = 0; i < sc->n_eps; i++)
		for (size_t k = 0; k < sc->eps[i]->n_addrs; k++)
			spot_add(sc, (struct spot){ sc->eps[i]->addrs[k], sc->eps[i], false });
	for (int v6 = 0; v6 < 2; v6++) {
		assert_int_equal(bh_addr_parse(v6 ? "fd00:0:0:2::1" : "10.0.1.200", &a), 0);
		spot_add(sc, (struct spot){ a, NULL, true });
	}
	for (size_t i = 0; randset_outside(i); i++) {
		assert_int_equal(bh_addr_parse(randset_outside(i), &a), 0);
		spot_add(sc, (struct spot){ a, NULL, false });
	}
	for (size_t i = 0; i < set->n_nodes; i++)
		for (size_t k = 0; k < set->nodes[i]->n_addrs; k++)
			spot_add(sc, (struct spot){ set->nodes[i]->addrs[k], NULL, false });
	for (size_t i = 0; i < sc->w->around.n_resolvers; i++)
		spot_add(sc, (struct spot){ sc->w->around.resolvers[i], NULL, false });
	for (size_t i = 0; i < sc->w->around.n_names; i++)
		for (size_t k = 0; k < sc->w->around.names[i].n; k++)
			spot_add(sc, (struct spot){ sc->w->around.names[i].addrs[k], NULL, false });
}

/* ---- two sides ---- */

static void side_make(const struct scene *sc, int64_t now, struct side *s)
{
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct bh_err err = { .code = 0 };
	const struct bh_compile_input in = {
		.set = sc->w->set,
		.eps = sc->eps,
		.n_eps = sc->n_eps,
		.around = &sc->w->around,
		.now = now,
		.revision = 1,
	};

	s->oracle = oracle_new(sc->w->set, &sc->w->around, now);
	assert_int_equal(bh_compiler_new(&c), 0);
	if (bh_compile(c, &in, &s->out, &err) < 0)
		fail_msg("seed %llu: %s", (unsigned long long)sc->seed, err.msg);
}

static void side_done(struct side *s)
{
	oracle_free(s->oracle);
	bh_compiled_done(&s->out);
}

static void complain(const struct scene *sc, const struct oracle_query *q, const char *judge,
		     const char *with, const char *without)
{
	bh_cleanup(bh_buf_done) struct bh_buf spoken = BH_BUF_INIT, all = BH_BUF_INIT;
	char peer[BH_ADDR_STRLEN];

	randset_print(sc->w, &all);
	spoken_put(&spoken, &q->spoken);
	fprintf(stderr, "%s\n", bh_buf_str(&all));
	fail_msg(
	    "seed %llu: \"%s\" [%s], line %u; but %s of %s/%s, peer %s %s, l4 %u port %u, spoken %s: by the "
	    "%s it is %s, without the rule %s",
	    (unsigned long long)sc->seed, sc->claim->message, sc->claim->code, sc->claim->pos.line,
	    bh_dir_name(q->dir), q->subject->ns, q->subject->name,
	    bh_addr_format(&q->peer_addr, peer),
	    q->own_node ? "(own node)"
	    : q->peer   ? q->peer->name
			: "-",
	    q->l4, q->port, bh_buf_str(&spoken), judge, with, without);
}

static uint32_t line_of(const struct oracle_answer *a)
{
	return a->rule ? a->rule->pos.line : 0;
}

/*
 * Free is as good as allowed. Who allows or refuses may be another one; who records may not, but for the rule that a
 * monitor policy comes nearest with.
 */
static bool same_answer(const struct oracle_answer *a, const struct oracle_answer *b)
{
	enum oracle_word x = a->word == ORACLE_FREE ? ORACLE_ALLOW : a->word;
	enum oracle_word y = b->word == ORACLE_FREE ? ORACLE_ALLOW : b->word;

	if (x != y)
		return false;
	return x != ORACLE_RECORD || (a->kind == b->kind && a->policy == b->policy &&
				      (a->kind == BH_REASON_WOULD || line_of(a) == line_of(b)));
}

static void put_in_place(const struct scene *sc, const struct side *s)
{
	sc->about->rules[sc->dir] = s->rules;
	sc->about->n_rules[sc->dir] = s->n_rules;
}

static void ask_oracles(const struct scene *sc, const struct oracle_query *q, const struct side *a,
			const struct side *b)
{
	struct oracle_answer x, y;

	put_in_place(sc, b);
	y = oracle_ask(b->oracle, q, NULL);
	put_in_place(sc, a);
	x = oracle_ask(a->oracle, q, NULL);
	if (!same_answer(&x, &y))
		complain(sc, q, "oracle", oracle_word_name(x.word), oracle_word_name(y.word));
}

/* Of the family of the other end. */
static const struct bh_addr *subject_addr(const struct oracle_query *q)
{
	for (size_t i = 0; i < q->subject->n_addrs; i++)
		if (q->subject->addrs[i].family == q->peer_addr.family)
			return &q->subject->addrs[i];
	return NULL;
}

static uint32_t word_of(const struct side *s, const struct oracle_query *q)
{
	const struct bh_addr_class *subject = bh_compiled_find(&s->out, subject_addr(q));
	const struct bh_addr_class *peer = bh_compiled_find(&s->out, &q->peer_addr);
	uint32_t cls = q->own_node ? BH_CLASS_HOST
		       : peer      ? peer->cls
				   : bh_ruleset_outside_class(s->out.rules, &q->peer_addr);

	assert_non_null(subject);
	return bh_ruleset_lookup(s->out.rules, q->dir, subject->cls, cls, q->l4, q->port);
}

/* Verdict, and whether it is recorded. */
static uint32_t meaning(const struct side *s, const struct oracle_query *q, uint32_t word)
{
	bool open = false;
	uint32_t w = word == 0 ? BH_WORD_ALLOW
		     : q->spoken.known
			 ? bh_ruleset_settle_spoken(s->out.rules, word, &q->spoken, &open)
			 : bh_ruleset_settle(s->out.rules, word, q->spoken.proto);

	return w & (BH_WORD_VERDICT | BH_WORD_REPORT);
}

static void ask_rulesets(const struct scene *sc, const struct oracle_query *q, const struct side *a,
			 const struct side *b)
{
	uint32_t x = word_of(a, q), y = word_of(b, q);
	const struct bh_contract *cx = NULL, *cy = NULL;
	char with[32], without[32];

	if (meaning(a, q, x) != meaning(b, q, y)) {
		snprintf(with, sizeof(with), "%08x", meaning(a, q, x));
		snprintf(without, sizeof(without), "%08x", meaning(b, q, y));
		complain(sc, q, "rule set", with, without);
	}
	if (bh_word_verdict(x) == BH_WORD_CONTRACT)
		cx = bh_ruleset_contract(a->out.rules, bh_word_number(x));
	if (bh_word_verdict(y) == BH_WORD_CONTRACT)
		cy = bh_ruleset_contract(b->out.rules, bh_word_number(y));
	if (!cx != !cy)
		complain(sc, q, "rule set", cx ? "a contract" : "none", cy ? "a contract" : "none");
	if (cx && cy && (cx->on_overload != cy->on_overload || cx->midstream != cy->midstream)) {
		snprintf(with, sizeof(with), "failing %u %u", cx->on_overload, cx->midstream);
		snprintf(without, sizeof(without), "failing %u %u", cy->on_overload, cy->midstream);
		complain(sc, q, "rule set", with, without);
	}
}

static void compare(struct scene *sc, const struct side *a, const struct side *b)
{
	for (unsigned n = 0; n < TRIES; n++) {
		const struct spot *peer = &sc->spots[rnd_below(&sc->r, (uint32_t)sc->n_spots)];
		size_t port = rnd_below(&sc->r, BH_ARRAY_SIZE(dports));
		struct oracle_query q = {
			.dir = sc->dir,
			.subject = sc->eps[rnd_below(&sc->r, (uint32_t)sc->n_eps)],
			.own_node = peer->own_node,
			.peer = peer->ep,
			.peer_addr = peer->addr,
			.l4 = dports[port].l4,
			.port = dports[port].port,
		};
		const struct bh_addr_class *owner;
		struct saying s;

		/* Where two endpoints claim an address, the compiler says whose it is. */
		owner = bh_compiled_find(&a->out, &peer->addr);
		if (owner && !peer->own_node)
			q.peer = sc->eps[owner->endpoint];
		if (!subject_addr(&q) || bh_addr_eq(subject_addr(&q), &q.peer_addr))
			continue;
		owner = bh_compiled_find(&a->out, subject_addr(&q));
		if (!owner || sc->eps[owner->endpoint] != q.subject)
			continue;
		saying_random(&sc->r, protos[rnd_below(&sc->r, BH_ARRAY_SIZE(protos))], 0, &s);
		q.spoken = s.sp;
		if (rnd_one_in(&sc->r, 3))
			q.spoken = (struct bh_spoken){ .proto = s.sp.proto };
		sc->asked++;
		ask_oracles(sc, &q, a, b);
		ask_rulesets(sc, &q, a, b);
	}
}

/* ---- claims ---- */

/* Without the port or peer that has this line. @room: for the list that is left. */
static void take_part(struct bh_rule *r, uint32_t line, struct bh_port *ports,
		      struct bh_peer *peers)
{
	size_t n_ports = 0, n_peers = 0;

	for (size_t i = 0; i < r->n_ports; i++)
		if (r->ports[i].pos.line != line)
			ports[n_ports++] = r->ports[i];
	for (size_t i = 0; i < r->n_peers; i++)
		if (r->peers[i].pos.line != line)
			peers[n_peers++] = r->peers[i];
	assert_int_equal(n_ports + n_peers + 1, r->n_ports + r->n_peers);
	r->ports = ports;
	r->n_ports = n_ports;
	r->peers = peers;
	r->n_peers = n_peers;
}

/* Without one rule, a part of it, or all allow rules of its direction. */
static void take_out(struct scene *sc, struct side *with, int64_t now, size_t code)
{
	struct side without = { .n_rules = 0 };
	struct bh_port ports[8];
	struct bh_peer peers[8];
	size_t index = 0;

	assert_true(rule_at(sc->w->set, sc->claim->pos.line, &sc->about, &sc->dir, &index));
	with->rules = sc->about->rules[sc->dir];
	with->n_rules = sc->about->n_rules[sc->dir];
	without.rules = calloc(with->n_rules + 1, sizeof(*without.rules));
	assert_non_null(without.rules);
	for (size_t i = 0; i < with->n_rules; i++) {
		const struct bh_rule *r = &with->rules[i];

		if (code == ALL_ALLOWS ? r->action == BH_ACTION_ALLOW
				       : i == index && code != A_PART)
			continue;
		without.rules[without.n_rules++] = *r;
		if (i == index && code == A_PART) {
			assert_true(r->n_ports <= 8 && r->n_peers <= 8);
			take_part(&without.rules[i], sc->claim->pos.line, ports, peers);
		}
	}
	put_in_place(sc, &without);
	side_make(sc, now, &without);
	compare(sc, with, &without);
	put_in_place(sc, with);
	side_done(&without);
	free(without.rules);
}

static void check_claims(struct scene *sc, const struct bh_diags *d, int64_t now)
{
	struct side with = { .oracle = NULL };

	side_make(sc, now, &with);
	for (size_t i = 0; i < d->n; i++) {
		sc->claim = &d->items[i];
		for (size_t k = 0; k < BH_ARRAY_SIZE(codes); k++) {
			if (strcmp(sc->claim->code, codes[k]) != 0)
				continue;
			sc->told[k]++;
			/* There are so many of these. */
			if (k != ALL_ALLOWS || rnd_one_in(&sc->r, 8))
				take_out(sc, &with, now, k);
		}
	}
	side_done(&with);
}

static void scene_run(uint64_t seed, size_t *told, size_t *asked)
{
	static const int64_t later[] = { 0, 0, 7200, 90000, 900000 };
	struct scene sc = { .seed = seed, .r.state = seed };
	struct randset_config cfg = {
		.policies = 2 + rnd_below(&sc.r, 10),
		.endpoints = 3 + rnd_below(&sc.r, 5),
		.nodes = rnd_below(&sc.r, 3),
		.local_percent = 100,
		.traffic_only_allow = rnd_one_in(&sc.r, 16),
		.features = RANDSET_ALL,
		.now = NOW,
	};
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	struct bh_lint_input in = { .n_eps = 0 };

	if (!rnd_one_in(&sc.r, 4))
		cfg.features &= rnd_below(&sc.r, RANDSET_ALL + 1);
	cfg.features &= rnd_from_env("BH_FEATURES", RANDSET_ALL);
	sc.w = randset_new(seed, &cfg);
	sc.eps = calloc(sc.w->n_eps + 1, sizeof(*sc.eps));
	assert_non_null(sc.eps);
	for (unsigned i = 0; i < sc.w->n_eps; i++)
		if (sc.w->eps[i])
			sc.eps[sc.n_eps++] = sc.w->eps[i];
	spots_make(&sc);
	number_rules(sc.w->set);
	in.set = sc.w->set;
	in.around = &sc.w->around;
	in.now = rnd_one_in(&sc.r, 2) ? sc.w->now : 0;
	assert_int_equal(bh_lint(&in, &d), 0);
	if (sc.n_eps > 0)
		check_claims(&sc, &d, sc.w->now + later[rnd_below(&sc.r, 5)]);
	for (size_t i = 0; i < BH_ARRAY_SIZE(sc.told); i++)
		told[i] += sc.told[i];
	*asked += sc.asked;
	free(sc.eps);
	(void)randset_free(sc.w);
}

static void test_what_has_no_effect_can_go(void **state)
{
	unsigned seed = rnd_from_env("BH_SEED", SEED), sets = rnd_from_env("BH_SETS", SETS);
	size_t told[BH_ARRAY_SIZE(codes)] = { 0 }, asked = 0;

	for (unsigned i = 0; i < sets; i++)
		scene_run(seed + i, told, &asked);
	for (size_t i = 0; i < BH_ARRAY_SIZE(codes); i++)
		print_message("# %s: %zu\n", codes[i], told[i]);
	print_message("# seed %u, %u sets: %zu answers compared\n", seed, sets, asked);
	/* The test would prove little if nothing was told. */
	assert_true(told[0] > 0 && told[3] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_has_no_effect_can_go),
	};

	return cmocka_run_group_tests_name("lint_property", tests, NULL, NULL);
}
