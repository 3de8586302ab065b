/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_compile_property.c - the compiled rule set says what the policies say
 *
 * Random worlds; pairs of ends (endpoints, outside addresses at every border, the own node), ports and what is spoken:
 * what the rule set answers is compared with the plain evaluator of tests/lib/oracle.c, verdict, record and reason. A
 * world that fails is made as small as it can be and printed. Another seed or number of worlds: BH_SEED, BH_SETS.
 */
#include "policy/compile.h"
#include "policy/when.h"
#include "tests/lib/oracle.h"
#include "tests/lib/oracle_match.h"
#include "tests/lib/randset.h"
#include "tests/lib/saying.h"
#include "tests/lib/wordcheck.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED 20310301U
#define SETS 400U
#define NOW  INT64_C(1930316400) /* Monday, 3 March 2031, 15:00 UTC */

static const struct {
	uint8_t l4;
	uint16_t port;
} dports[] = {
	{ BH_L4_TCP, 80 },
	{ BH_L4_TCP, 81 },
	{ BH_L4_TCP, 85 },
	{ BH_L4_TCP, 8080 },
	{ BH_L4_TCP, 79 },
	{ BH_L4_TCP, 65535 },
	{ BH_L4_TCP, 9 },
	{ BH_L4_TCP, 90 },
	{ BH_L4_TCP, 91 },
	{ BH_L4_TCP, 88 },
	{ BH_L4_TCP, 8081 },
	{ BH_L4_TCP, 0 },
	{ BH_L4_UDP, 80 },
	{ BH_L4_UDP, 86 },
	{ BH_L4_UDP, 53 },
	{ BH_L4_SCTP, 80 },
	{ BH_L4_SCTP, 81 },
	{ BH_L4_ICMP, 0 },
	{ BH_L4_ICMP, 8 << 8 },
	{ BH_L4_ICMP, 8 << 8 | 1 },
	{ BH_L4_ICMP, 3 << 8 | 2 },
	{ BH_L4_ICMPV6, 128 << 8 },
	{ BH_L4_ICMPV6, 128 << 8 | 2 },
	{ BH_L4_ICMPV6, 0 },
	{ 47, 0 },
};

static const unsigned protos[] = {
	BH_PROTO_HTTP,  BH_PROTO_HTTP2,   BH_PROTO_TLS,       BH_PROTO_QUIC,
	BH_PROTO_SSH,   BH_PROTO_DNS,     BH_PROTO_GRPC,      BH_PROTO_MYSQL,
	BH_PROTO_KAFKA, BH_PROTO_UNKNOWN, BH_PROTO_UNDECIDED,
};

/* An address that somebody has, or nobody; or the own node of whoever is at the other end. */
struct spot {
	struct bh_addr addr;
	const struct bh_endpoint *ep;
	uint32_t cls;
	bool local, own_node;
};

#define SPOTS_MAX 400

struct scene {
	struct randset *w;
	struct rnd r;
	struct oracle *oracle;
	struct bh_compiled out;
	struct spot spots[SPOTS_MAX];
	size_t n_spots;
	bool offline, thorough;
	size_t checked, contracts, graphs, opens;
	/* What was wrong first. */
	bool failed;
	char wrong[512];
};

/* ---- what is wrong ---- */

static void complain(struct scene *sc, const struct oracle_query *q, uint32_t word,
		     const struct oracle_answer *want, const char *what)
{
	bh_cleanup(bh_buf_done) struct bh_buf got = BH_BUF_INIT, spoken = BH_BUF_INIT;
	char peer[BH_ADDR_STRLEN];

	if (sc->failed)
		return;
	sc->failed = true;
	word_put(&got, sc->out.rules, word);
	spoken_put(&spoken, &q->spoken);
	snprintf(
	    sc->wrong, sizeof(sc->wrong),
	    "%s of %s/%s, peer %s %s, l4 %u port %u, spoken %s: %s\n  got  %s\n  want %s, kind %u, %s %s",
	    bh_dir_name(q->dir), q->subject->ns, q->subject->name,
	    bh_addr_format(&q->peer_addr, peer),
	    q->own_node ? "(own node)"
	    : q->peer   ? q->peer->name
			: "-",
	    q->l4, q->port, bh_buf_str(&spoken), what, bh_buf_str(&got),
	    oracle_word_name(want->word), want->kind, want->policy ? want->policy->name : "-",
	    want->rule ? bh_action_name(want->rule->action) : "-");
}

#define SCENE_ASSERT(sc, cond)                                                              \
	do {                                                                                \
		if (!(cond) && !(sc)->failed) {                                             \
			(sc)->failed = true;                                                \
			snprintf((sc)->wrong, sizeof((sc)->wrong), "line %d: %s", __LINE__, \
				 #cond);                                                    \
		}                                                                           \
	} while (0)

/* ---- who is there ---- */

/* Who has an address, by the rule of compile.h, not by the compiler's list. */
static const struct bh_endpoint *owner_of(const struct scene *sc, const struct bh_addr *a)
{
	const struct bh_endpoint *owner = NULL;

	for (unsigned i = 0; i < sc->w->n_eps; i++) {
		const struct bh_endpoint *ep = sc->w->eps[i];

		for (size_t k = 0; ep && k < ep->n_addrs; k++) {
			if (bh_addr_eq(&ep->addrs[k], a) && (!owner || ep->local || !owner->local))
				owner = ep;
		}
	}
	return owner;
}

static void spot_outside(struct scene *sc, const struct bh_addr *a)
{
	for (size_t i = 0; i < sc->n_spots; i++) {
		if (bh_addr_eq(&sc->spots[i].addr, a))
			return;
	}
	if (!owner_of(sc, a) && sc->n_spots < SPOTS_MAX)
		sc->spots[sc->n_spots++] = (struct spot){ .addr = *a };
}

static void spots_of_pieces(struct scene *sc)
{
	size_t n;
	const struct bh_cidr_piece *p = bh_ruleset_cidr_pieces(sc->out.rules, &n);

	for (size_t i = 0; i < n; i++) {
		struct bh_addr lo =
		    p[i].family == 4 ? bh_addr_from_v4(p[i].lo) : bh_addr_from_v6(p[i].lo);
		struct bh_addr hi =
		    p[i].family == 4 ? bh_addr_from_v4(p[i].hi) : bh_addr_from_v6(p[i].hi);
		struct bh_addr a;

		spot_outside(sc, &lo);
		spot_outside(sc, &hi);
		if (bh_addr_prev(&lo, &a))
			spot_outside(sc, &a);
		if (bh_addr_next(&hi, &a))
			spot_outside(sc, &a);
	}
}

static void spots_make(struct scene *sc, const struct bh_endpoint *const *eps)
{
	sc->offline = true;
	for (size_t i = 0; i < sc->out.n_addrs; i++) {
		const struct bh_addr_class *a = &sc->out.addrs[i];

		sc->spots[sc->n_spots++] =
		    (struct spot){ a->addr, owner_of(sc, &a->addr), a->cls, a->local, false };
		SCENE_ASSERT(sc, owner_of(sc, &a->addr) == eps[a->endpoint]);
		SCENE_ASSERT(sc, eps[a->endpoint]->local == a->local);
		SCENE_ASSERT(sc, i == 0 || bh_addr_cmp(&a[-1].addr, &a->addr) < 0);
		sc->offline &= !a->local;
	}
	for (int v6 = 0; v6 < 2; v6++) {
		struct spot *s = &sc->spots[sc->n_spots++];

		*s = (struct spot){ .own_node = true, .cls = BH_CLASS_HOST };
		assert_int_equal(bh_addr_parse(v6 ? "fd00:0:0:2::1" : "10.0.1.200", &s->addr), 0);
	}
	for (size_t i = 0; randset_outside(i); i++) {
		struct bh_addr a;

		assert_int_equal(bh_addr_parse(randset_outside(i), &a), 0);
		spot_outside(sc, &a);
	}
	for (size_t i = 0; i < sc->w->set->n_nodes; i++) {
		for (size_t k = 0; k < sc->w->set->nodes[i]->n_addrs; k++)
			spot_outside(sc, &sc->w->set->nodes[i]->addrs[k]);
	}
	for (size_t i = 0; i < sc->w->around.n_resolvers; i++)
		spot_outside(sc, &sc->w->around.resolvers[i]);
	for (size_t i = 0; i < sc->w->around.n_names; i++) {
		for (size_t k = 0; k < sc->w->around.names[i].n; k++)
			spot_outside(sc, &sc->w->around.names[i].addrs[k]);
	}
	spots_of_pieces(sc);
}

/* ---- one answer ---- */

static bool among(const struct scene *sc, uint32_t word, const struct oracle_answers *all)
{
	for (size_t i = 0; i < all->n; i++) {
		if (word_says(sc->out.rules, word, &all->all[i]))
			return true;
	}
	return false;
}

/* Only the protocol is known: who cannot ask for details goes by the worst of what they could bring. */
static void check_without_details(struct scene *sc, const struct oracle_query *q, uint32_t word,
				  const struct oracle_answers *all)
{
	uint32_t got = bh_ruleset_settle(sc->out.rules, word, q->spoken.proto);
	const struct oracle_answer *worst = &all->all[0];

	for (size_t i = 1; i < all->n; i++) {
		if (oracle_badness(&all->all[i]) > oracle_badness(worst))
			worst = &all->all[i];
	}
	if (word_badness(got) != oracle_badness(worst))
		complain(sc, q, got, worst, "without details not the worst");
	else if (!among(sc, got, all))
		complain(sc, q, got, worst, "without details another reason");
}

/*
 * With what is refused stands which protocols would have been allowed: none that cannot be, and all of the contract that
 * are, whatever else is spoken. (One that rules with details both allow and deny may stand there.)
 */
static void check_what_is_expected(struct scene *sc, const struct oracle_query *q,
				   uint32_t contract, uint32_t got)
{
	const struct bh_reason *r = bh_ruleset_reason(sc->out.rules, bh_word_number(got));
	const struct bh_protoset *expected =
	    r ? bh_ruleset_protoset(sc->out.rules, r->expected) : NULL;
	const struct bh_decision d = { .egress = contract };
	struct bh_protoset named = bh_ruleset_named(sc->out.rules, &d);

	for (size_t i = 0; i < BH_ARRAY_SIZE(protos); i++) {
		struct oracle_query other = *q;
		struct oracle_answers all;
		bool is = expected && bh_protoset_has(expected, protos[i]);
		size_t allowed = 0;

		if (protos[i] >= BH_PROTO_UNDECIDED)
			continue;
		other.spoken = (struct bh_spoken){ .proto = protos[i] };
		(void)oracle_ask(sc->oracle, &other, &all);
		for (size_t k = 0; k < all.n; k++)
			allowed += !oracle_refuses(&all.all[k]);
		if (is && allowed == 0 && all.n == 1)
			complain(sc, &other, got, &all.all[0], "expected, but never allowed");
		if (!is && allowed == all.n && bh_protoset_has(&named, protos[i]))
			complain(sc, &other, got, &all.all[0], "allowed, but not expected");
	}
}

/* A contract; what is spoken is known as far as @q says. */
static void check_spoken(struct scene *sc, const struct oracle_query *q, uint32_t word)
{
	struct oracle_answers all;
	struct oracle_answer want = oracle_ask(sc->oracle, q, &all);
	bool open;
	uint32_t got = bh_ruleset_settle_spoken(sc->out.rules, word, &q->spoken, &open);

	sc->checked++;
	sc->opens += open;
	if (open != (want.word == ORACLE_OPEN))
		complain(sc, q, got, &want, open ? "open, but nothing can change it" : "not open");
	else if (open && bh_word_verdict(got) != BH_WORD_CONTRACT)
		complain(sc, q, got, &want, "open, but no contract");
	else if (open && q->spoken.proto != 0 && !bh_ruleset_node(sc->out.rules, got))
		complain(sc, q, got, &want, "open, but no node");
	else if (!open && word_badness(got) != oracle_badness(&want))
		complain(sc, q, got, &want, "verdict");
	else if (!open && !among(sc, got, &all))
		complain(sc, q, got, &want, "reason");
	else if (!open && oracle_refuses(&want) && rnd_one_in(&sc->r, 8))
		check_what_is_expected(sc, q, word, got);
	if (q->spoken.known == 0 && q->spoken.proto != 0)
		check_without_details(sc, q, word, &all);
}

/* Everything that can be spoken, with details and without. */
static void check_contract(struct scene *sc, struct oracle_query *q, uint32_t word)
{
	unsigned more = sc->thorough ? 20 : 3;

	for (size_t i = 0; i < BH_ARRAY_SIZE(protos) && !sc->failed; i++) {
		q->spoken = (struct bh_spoken){ .proto = protos[i] };
		check_spoken(sc, q, word);
		for (unsigned k = 0; k < more && protos[i] != BH_PROTO_UNDECIDED; k++) {
			struct saying s;

			saying_random(&sc->r, protos[i], 2 + rnd_below(&sc->r, 4), &s);
			if (k % 2)
				saying_for_clause(&sc->r, sc->w->set, &s);
			q->spoken = s.sp;
			check_spoken(sc, q, word);
		}
	}
}

static uint32_t reason_kind(const struct scene *sc, uint32_t word)
{
	const struct bh_reason *r = bh_ruleset_reason(sc->out.rules, bh_word_number(word));

	return r ? r->kind : BH_REASON_INVALID;
}

static bool can_be_isolation(const struct oracle_answers *all)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->all[i].kind == BH_REASON_ISOLATED)
			return true;
	}
	return false;
}

/*
 * Plain only where nothing that is spoken can make a difference. It has the reason of a protocol that nobody names; but
 * where all is refused, and the endpoint is isolated, that is the reason.
 */
static void check_plain(struct scene *sc, struct oracle_query *q, uint32_t word,
			const struct oracle_answers *any)
{
	struct oracle_answers all;
	struct oracle_answer want;

	q->spoken = (struct bh_spoken){ .proto = BH_PROTO_KAFKA };
	want = oracle_ask(sc->oracle, q, &all);
	sc->checked++;
	if (word_badness(word) != oracle_badness(&want))
		complain(sc, q, word, &want, "verdict");
	else if (bh_word_refuses(word) && can_be_isolation(any)) {
		if (reason_kind(sc, word) != BH_REASON_ISOLATED || !among(sc, word, any))
			complain(sc, q, word, &want, "not the reason that always holds");
	} else if (!among(sc, word, &all))
		complain(sc, q, word, &want,
			 among(sc, word, any) ? "reason of a named protocol" : "reason");
}

static void check_direction(struct scene *sc, struct oracle_query *q, uint32_t word, bool local)
{
	struct oracle_answers any;
	struct oracle_answer want;
	bool open = bh_word_verdict(word) == BH_WORD_CONTRACT, refused = false;

	if (sc->failed)
		return;
	q->spoken = (struct bh_spoken){ .proto = 0 };
	want = oracle_ask(sc->oracle, q, &any);
	if (!local || want.word == ORACLE_FREE) {
		if (word != 0)
			complain(sc, q, word, &want, "word for what is no subject");
		return;
	}
	if (word == 0)
		complain(sc, q, word, &want, "no word for a subject");
	else if (open != (want.word == ORACLE_OPEN))
		complain(sc, q, word, &want, open ? "contract without need" : "no contract");
	if (!open) {
		check_plain(sc, q, word, &any);
		return;
	}
	for (size_t i = 0; i < any.n; i++)
		refused |= oracle_refuses(&any.all[i]);
	/* What is there only for the record must not stop anything. */
	if (!refused && !(word & BH_WORD_OPEN))
		complain(sc, q, word, &want, "may be held up, but refuses nothing");
	sc->contracts++;
	check_contract(sc, q, word);
}

static void check_pair(struct scene *sc, const struct spot *src, const struct spot *dst)
{
	unsigned times = sc->thorough ? 60 : 8;

	for (unsigned n = 0; n < times && !sc->failed; n++) {
		size_t i = rnd_below(&sc->r, (uint32_t)BH_ARRAY_SIZE(dports));
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
		struct oracle_query q = { .l4 = c.l4, .port = c.dport };

		if (bh_addr_eq(&c.src, &c.dst)) {
			SCENE_ASSERT(sc, (d.egress | d.ingress) == 0);
			continue;
		}
		if (src->ep) {
			q.dir = BH_DIR_EGRESS;
			q.subject = src->ep;
			q.own_node = dst->own_node;
			q.peer = dst->ep;
			q.peer_addr = dst->addr;
			check_direction(sc, &q, d.egress, c.src_local);
		}
		if (dst->ep) {
			q.dir = BH_DIR_INGRESS;
			q.subject = dst->ep;
			q.own_node = src->own_node;
			q.peer = src->ep;
			q.peer_addr = src->addr;
			check_direction(sc, &q, d.ingress, c.dst_local);
		}
	}
}

/* Remote subjects: no cells, and whoever asks for them all the same is refused. */
static void check_remote(struct scene *sc)
{
	for (size_t i = 0; i < sc->n_spots; i++) {
		const struct spot *s = &sc->spots[i];
		struct oracle_query q = { .subject = s->ep, .peer_addr = s->addr };
		bool here = sc->offline || s->local;

		for (size_t k = 0; k < sc->n_spots; k++)
			here |= sc->spots[k].local && sc->spots[k].cls == s->cls;
		for (q.dir = BH_DIR_INGRESS; s->ep && q.dir < BH_DIR_COUNT; q.dir++) {
			const struct bh_class *c = bh_ruleset_class(sc->out.rules, s->cls);
			struct oracle_answer a = oracle_ask(sc->oracle, &q, NULL);
			uint32_t flag;

			SCENE_ASSERT(sc, c != NULL);
			if (!c)
				return;
			flag = q.dir == BH_DIR_INGRESS ? c->subject_in : c->subject_eg;
			if (flag != (a.word == ORACLE_FREE ? 0U : here ? 1U : 2U))
				complain(sc, &q, flag, &a, "subject or not");
			if (flag == 2)
				SCENE_ASSERT(sc, bh_word_refuses(bh_ruleset_lookup(
						     sc->out.rules, q.dir, s->cls, BH_CLASS_WORLD,
						     BH_L4_TCP, 80)));
		}
	}
}

/* ---- worlds ---- */

/* The same for the same seed; the things in @less are taken away one after the other. */
struct recipe {
	uint64_t seed;
	size_t less[400];
	size_t n_less;
	bool thorough;
};

static struct randset_config config_random(struct rnd *r)
{
	static const unsigned locals[] = { 100, 100, 100, 60, 0 };
	struct randset_config cfg = {
		.policies = 1 + rnd_below(r, 12),
		.endpoints = 3 + rnd_below(r, 8),
		.nodes = rnd_below(r, 4),
		.local_percent = locals[rnd_below(r, 5)],
		.traffic_only_allow = rnd_one_in(r, 16),
		.features = RANDSET_ALL,
		.now = NOW,
	};

	/* Now and then without some of it, so that the rest meets more often. */
	if (rnd_one_in(r, 2))
		cfg.features &= rnd_below(r, RANDSET_ALL + 1);
	cfg.features &= rnd_from_env("BH_FEATURES", RANDSET_ALL);
	return cfg;
}

static void check_all(struct scene *sc, const struct bh_compiler *c,
		      const struct bh_endpoint *const *eps)
{
	int64_t next = INT64_MAX;

	spots_make(sc, eps);
	for (size_t s = 0; s < sc->n_spots; s++) {
		for (size_t d = 0; d < sc->n_spots && !sc->failed; d++) {
			const struct spot *a = &sc->spots[s], *b = &sc->spots[d];
			bool outside = (!a->ep && !a->own_node) || (!b->ep && !b->own_node);

			if (a->addr.family != b->addr.family || (!a->ep && !b->ep))
				continue;
			/* There are many addresses outside, and much about them is the same. */
			if (outside && !sc->thorough && !rnd_one_in(&sc->r, 2))
				continue;
			check_pair(sc, a, b);
		}
	}
	check_remote(sc);
	if (!sc->failed) {
		sc->failed = !ruleset_is_sound(sc->out.rules, sc->wrong, sizeof(sc->wrong));
		sc->graphs += ruleset_graphs(sc->out.rules);
	}
	for (size_t i = 0; i < sc->w->set->n_policies; i++)
		next = BH_MIN(next, bh_policy_next(sc->w->set->policies[i], sc->w->now));
	if (rnd_from_env("BH_FEATURES", RANDSET_ALL) & RANDSET_TIME)
		SCENE_ASSERT(sc, bh_compile_next_change(c) == next);
}

/* False: it failed, as @sc->wrong says. */
static bool scene_run(const struct recipe *recipe, struct scene *sc)
{
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	bh_cleanup(bh_freep) const struct bh_endpoint **eps = NULL;
	struct bh_err err = { .code = 0 };
	struct randset_config cfg;
	size_t n = 0;

	*sc = (struct scene){ .r.state = recipe->seed, .thorough = recipe->thorough };
	cfg = config_random(&sc->r);
	sc->w = randset_new(recipe->seed, &cfg);
	for (size_t i = 0; i < recipe->n_less; i++)
		(void)randset_shrink(sc->w, recipe->less[i]);
	eps = calloc(sc->w->n_eps + 1, sizeof(*eps));
	assert_non_null(eps);
	for (unsigned i = 0; i < sc->w->n_eps; i++) {
		if (sc->w->eps[i])
			eps[n++] = sc->w->eps[i];
	}
	sc->oracle = oracle_new(sc->w->set, &sc->w->around, sc->w->now);
	assert_int_equal(bh_compiler_new(&c), 0);

	const struct bh_compile_input in = {
		.set = sc->w->set,
		.eps = eps,
		.n_eps = n,
		.around = &sc->w->around,
		.now = sc->w->now,
		.revision = 1,
	};

	if (bh_compile(c, &in, &sc->out, &err) < 0) {
		sc->failed = true;
		snprintf(sc->wrong, sizeof(sc->wrong), "%s", err.msg);
	} else {
		check_all(sc, c, eps);
	}
	bh_compiled_done(&sc->out);
	oracle_free(sc->oracle);
	return !sc->failed;
}

/* Takes away what it fails without. */
static void smallest(struct recipe *recipe)
{
	static struct scene sc; /* too large for the stack of a test */
	struct recipe less = *recipe;
	bool again = true, any;

	less.thorough = true;
	if (scene_run(&less, &sc))
		less.thorough = false;
	randset_free(sc.w);
	while (again) {
		again = false;
		for (size_t i = 0; less.n_less < BH_ARRAY_SIZE(less.less); i++) {
			struct recipe tried = less;
			bool fails;

			/* Not more than there is. */
			(void)scene_run(&less, &sc);
			any = randset_shrink(sc.w, i);
			randset_free(sc.w);
			if (!any)
				break;
			tried.less[tried.n_less++] = i;
			fails = !scene_run(&tried, &sc);
			randset_free(sc.w);
			if (fails) {
				less = tried;
				again = true;
				i--;
			}
		}
	}
	*recipe = less;
}

static void test_compiled_equals_plain(void **state)
{
	unsigned seed = rnd_from_env("BH_SEED", SEED), sets = rnd_from_env("BH_SETS", SETS);
	size_t checked = 0, contracts = 0, graphs = 0, opens = 0;
	static struct scene sc;

	for (unsigned i = 0; i < sets; i++) {
		struct recipe recipe = { .seed = seed + i };
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
		bool fine = scene_run(&recipe, &sc);

		checked += sc.checked;
		contracts += sc.contracts;
		graphs += sc.graphs;
		opens += sc.opens;
		randset_free(sc.w);
		if (fine)
			continue;
		print_message("# seed %u fails: %s\n", seed + i, sc.wrong);
		smallest(&recipe);
		(void)scene_run(&recipe, &sc);
		randset_print(sc.w, &b);
		randset_free(sc.w);
		print_message("# made smaller: %s\n%s", sc.wrong, bh_buf_str(&b));
		if (!getenv("BH_GO_ON"))
			fail_msg("seed %u", seed + i);
	}
	print_message(
	    "# seed %u, %u sets: %zu answers compared, %zu contracts met, %zu graphs, %zu open\n",
	    seed, sets, checked, contracts, graphs, opens);
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
