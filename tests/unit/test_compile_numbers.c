/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_compile_numbers.c - numbers keep their meaning from revision to revision
 *
 * Numbers of classes, contracts and reasons stand in the kernel's maps, in marks and in events. The same
 * thing keeps its number; a number that lost its meaning gets no other one for BH_NUMBER_KEEP revisions; an
 * agent that starts again gives the same numbers to the same input.
 */
#include "policy/compile.h"
#include "policy/compile/compile_number.h"
#include "tests/lib/randset.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct input {
	struct bh_policy_set *set;
	struct bh_endpoint **eps;
	unsigned n_eps;
};

static struct input input_make(uint64_t seed)
{
	struct rnd r = { .state = seed };
	const struct randset_config cfg = {
		.policies = 7, .endpoints = 9, .local_percent = 100, .features = RANDSET_HOST
	};
	struct input in = { .n_eps = cfg.endpoints };

	in.set = randset_policies(&r, &cfg);
	in.eps = randset_endpoints(&r, &cfg);
	return in;
}

static void input_done(struct input *in)
{
	bh_policy_set_free(in->set);
	randset_endpoints_free(in->eps, in->n_eps);
}

static void compile(struct bh_compiler *c, const struct input *in, uint64_t revision,
		    struct bh_compiled *out)
{
	struct bh_err err = { .code = 0 };

	const struct bh_compile_input all = {
		.set = in->set,
		.eps = (const struct bh_endpoint *const *)in->eps,
		.n_eps = in->n_eps,
		.revision = revision,
	};

	if (bh_compile(c, &all, out, &err) < 0)
		fail_msg("%s", err.msg);
}

static void assert_same_block(const struct bh_compiled *a, const struct bh_compiled *b)
{
	size_t na, nb;
	const void *ma = bh_ruleset_data(a->rules, &na), *mb = bh_ruleset_data(b->rules, &nb);

	assert_int_equal(na, nb);
	assert_memory_equal(ma, mb, na);
	assert_int_equal(a->n_addrs, b->n_addrs);
	for (size_t i = 0; i < a->n_addrs; i++) {
		assert_true(bh_addr_eq(&a->addrs[i].addr, &b->addrs[i].addr));
		assert_int_equal(a->addrs[i].cls, b->addrs[i].cls);
	}
}

static void test_restart_gives_the_same(void **state)
{
	for (uint64_t seed = 100; seed < 140; seed++) {
		struct input in = input_make(seed);
		bh_cleanup(bh_compiler_freep) struct bh_compiler *one = NULL, *two = NULL;
		struct bh_compiled a, b;

		assert_int_equal(bh_compiler_new(&one), 0);
		assert_int_equal(bh_compiler_new(&two), 0);
		compile(one, &in, 1, &a);
		compile(two, &in, 1, &b);
		assert_same_block(&a, &b);
		bh_compiled_done(&b);
		/* And so does the same compiler once more. */
		compile(one, &in, 1, &b);
		assert_same_block(&a, &b);
		bh_compiled_done(&a);
		bh_compiled_done(&b);
		input_done(&in);
	}
}

/*
 * One that comes again with the other hostToContainer is of another class, everybody else of the one they were of; with the
 * first value again it has its number again.
 */
static void test_what_its_node_may_comes_and_goes(void **state)
{
	struct input in = input_make(11);
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct bh_endpoint *ep = in.eps[2];
	struct bh_compiled first, other, again;
	struct bh_err err = { .code = 0 };
	size_t changed = 0;

	assert_true(ep->n_addrs > 0);
	assert_int_equal(bh_compiler_new(&c), 0);
	compile(c, &in, 1, &first);
	ep->host_judged = !ep->host_judged;
	assert_int_equal(
	    bh_compile_endpoints(c, &(struct bh_endpoint_change){ 2, ep }, 1, 2, &other, &err), 0);
	assert_int_equal(first.n_addrs, other.n_addrs);
	for (size_t i = 0; i < first.n_addrs; i++) {
		assert_int_equal(first.addrs[i].cls != other.addrs[i].cls,
				 first.addrs[i].endpoint == 2);
		changed += first.addrs[i].cls != other.addrs[i].cls;
	}
	assert_true(changed > 0);
	ep->host_judged = !ep->host_judged;
	assert_int_equal(
	    bh_compile_endpoints(c, &(struct bh_endpoint_change){ 2, ep }, 1, 3, &again, &err), 0);
	for (size_t i = 0; i < first.n_addrs; i++)
		assert_int_equal(first.addrs[i].cls, again.addrs[i].cls);
	bh_compiled_done(&first);
	bh_compiled_done(&other);
	bh_compiled_done(&again);
	input_done(&in);
}

/* Endpoints in another order: the same numbers (only the indexes into the list differ). */
static void test_order_of_endpoints_is_nothing(void **state)
{
	struct input in = input_make(7);
	bh_cleanup(bh_compiler_freep) struct bh_compiler *one = NULL, *two = NULL;
	struct bh_compiled a, b;

	/* Addresses that two claim go to the later one: leave none. */
	for (unsigned i = 0; i < in.n_eps; i++) {
		for (size_t k = 0; k < in.eps[i]->n_addrs; k++)
			in.eps[i]->addrs[k].bytes[3] = (uint8_t)(100 + i);
	}
	assert_int_equal(bh_compiler_new(&one), 0);
	assert_int_equal(bh_compiler_new(&two), 0);
	compile(one, &in, 1, &a);
	for (unsigned i = 0; i < in.n_eps / 2; i++) {
		struct bh_endpoint *ep = in.eps[i];

		in.eps[i] = in.eps[in.n_eps - 1 - i];
		in.eps[in.n_eps - 1 - i] = ep;
	}
	compile(two, &in, 1, &b);
	assert_same_block(&a, &b);
	bh_compiled_done(&a);
	bh_compiled_done(&b);
	input_done(&in);
}

/* ---- what numbers mean, over many revisions ---- */

enum what { OUTSIDE, CLASS, REASON, CONTRACT, PIECE, WHAT_COUNT };

/* Meanings seen so far: (what, number) -> text and last revision; and back. */
struct meaning {
	enum what what;
	uint32_t number;
	uint64_t revision;
	char text[640];
};

struct history {
	struct meaning *m;
	size_t n, cap;
	size_t kept; /* seen again with the same number */
};

static void meet(struct history *h, enum what what, uint32_t number, uint64_t revision,
		 const char *text)
{
	struct meaning *free_slot = NULL;

	for (size_t i = 0; i < h->n; i++) {
		struct meaning *m = &h->m[i];
		bool recent = revision - m->revision <= BH_NUMBER_KEEP;

		if (m->what != what)
			continue;
		if (!recent) {
			free_slot = m;
			continue;
		}
		if (m->number == number && strcmp(m->text, text) != 0)
			fail_msg("revision %llu: number %u meant \"%s\", now \"%s\"",
				 (unsigned long long)revision, number, m->text, text);
		if (m->number != number && strcmp(m->text, text) == 0 && !strstr(text, "..."))
			fail_msg("revision %llu: \"%s\" had number %u, now %u",
				 (unsigned long long)revision, text, m->number, number);
		if (m->number == number) {
			h->kept += m->revision != revision;
			m->revision = revision;
			return;
		}
	}
	if (!free_slot) {
		if (h->n == h->cap) {
			h->cap = h->cap ? h->cap * 2 : 256;
			h->m = reallocarray(h->m, h->cap, sizeof(*h->m));
			assert_non_null(h->m);
		}
		free_slot = &h->m[h->n++];
	}
	*free_slot = (struct meaning){ .what = what, .number = number, .revision = revision };
	snprintf(free_slot->text, sizeof(free_slot->text), "%s", text);
}

static void word_text(const struct bh_ruleset *rs, uint32_t word, struct bh_buf *b)
{
	const struct bh_reason *r = bh_ruleset_reason(rs, bh_word_number(word));

	assert_non_null(r);
	bh_buf_printf(b, "%08x %s|", word & ~BH_WORD_NUMBER, bh_ruleset_text(rs, r->text));
}

static void meet_all(struct history *h, const struct bh_ruleset *rs, uint64_t revision)
{
	const struct bh_class *cls;
	const struct bh_contract *con;
	const struct bh_port_piece *pp;
	size_t n;

	cls = bh_ruleset_classes(rs, &n);
	for (size_t i = 0; i < n; i++)
		meet(h, cls[i].number & BH_CLASS_ENDPOINT ? CLASS : OUTSIDE, cls[i].number,
		     revision, bh_ruleset_text(rs, cls[i].text));
	pp = bh_ruleset_port_pieces(rs, &n);
	for (size_t i = 0; i < n; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%u %u-%u", pp[i].l4, pp[i].lo, pp[i].hi);
		meet(h, PIECE, pp[i].id, revision, text);
	}
	con = bh_ruleset_contracts(rs, &n);
	for (size_t i = 0; i < n; i++) {
		const struct bh_contract_entry *e = bh_ruleset_entries(rs, &con[i]);
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

		for (uint32_t k = 0; k < con[i].n; k++) {
			bh_buf_printf(&b, "%u ", e[k].proto);
			word_text(rs, e[k].word, &b);
		}
		word_text(rs, con[i].other, &b);
		word_text(rs, con[i].unknown, &b);
		word_text(rs, con[i].undecided, &b);
		if (b.len < 600)
			meet(h, CONTRACT, con[i].number, revision, bh_buf_str(&b));
	}
	for (uint32_t num = 1; num < 4000; num++) {
		const struct bh_reason *r = bh_ruleset_reason(rs, num);
		const struct bh_protoset *x = r ? bh_ruleset_protoset(rs, r->expected) : NULL;
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

		if (!r)
			continue;
		bh_buf_printf(&b, "%u %u %s %llx %llx", r->kind, r->dir,
			      bh_ruleset_text(rs, r->text), x ? (unsigned long long)x->bits[0] : 0,
			      x ? (unsigned long long)x->bits[3] : 0);
		meet(h, REASON, num, revision, bh_buf_str(&b));
	}
}

/* Ten different inputs come and go, some for longer than numbers are remembered. */
static void test_meanings_last(void **state)
{
	struct history h = { .m = NULL };
	struct input in[10];
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct rnd r = { .state = 99 };

	for (unsigned i = 0; i < BH_ARRAY_SIZE(in); i++)
		in[i] = input_make(500 + i);
	assert_int_equal(bh_compiler_new(&c), 0);
	for (uint64_t rev = 1; rev <= 400; rev++) {
		/* Within a stretch of 50 revisions only three of them are in use. */
		unsigned i = (unsigned)(rev / 50 + rnd_below(&r, 3)) % BH_ARRAY_SIZE(in);
		struct bh_compiled out;

		compile(c, &in[i], rev, &out);
		meet_all(&h, out.rules, rev);
		bh_compiled_done(&out);
	}
	assert_true(h.kept > 1000);
	for (unsigned i = 0; i < BH_ARRAY_SIZE(in); i++)
		input_done(&in[i]);
	free(h.m);
}

/* ---- the dictionary itself ---- */

static uint32_t number_of(struct bh_dict *d, const char *key, uint64_t now)
{
	uint32_t n = 0;

	assert_int_equal(bh_dict_number(d, key, strlen(key), now, &n), 0);
	return n;
}

static void test_dict_waits_before_it_gives_again(void **state)
{
	struct bh_dict d;
	uint32_t n;

	bh_dict_init(&d, 5, 6);
	assert_int_equal(number_of(&d, "a", 1), 5);
	assert_int_equal(number_of(&d, "b", 1), 6);
	assert_int_equal(bh_dict_number(&d, "c", 1, 1, &n), -E2BIG);
	/* Used at 1: remembered up to 1 + KEEP. */
	bh_dict_sweep(&d, 1 + BH_NUMBER_KEEP);
	assert_int_equal(bh_dict_number(&d, "c", 1, 1 + BH_NUMBER_KEEP, &n), -E2BIG);
	assert_int_equal(number_of(&d, "a", 1 + BH_NUMBER_KEEP), 5);
	bh_dict_sweep(&d, 2 + BH_NUMBER_KEEP);
	assert_int_equal(number_of(&d, "c", 2 + BH_NUMBER_KEEP), 6);
	assert_int_equal(number_of(&d, "a", 2 + BH_NUMBER_KEEP), 5);
	bh_dict_done(&d);
}

static void test_dict_oldest_first(void **state)
{
	struct bh_dict d;
	char key[8];

	bh_dict_init(&d, 1, 1000);
	for (unsigned i = 1; i <= 300; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_int_equal(number_of(&d, key, i), i);
	}
	for (uint64_t now = 300; now < 300 + 2 * BH_NUMBER_KEEP; now++)
		bh_dict_sweep(&d, now);
	/* What was forgotten first comes back first. */
	assert_true(number_of(&d, "new", 900) < 300 - BH_NUMBER_KEEP);
	bh_dict_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restart_gives_the_same),
		cmocka_unit_test(test_order_of_endpoints_is_nothing),
		cmocka_unit_test(test_what_its_node_may_comes_and_goes),
		cmocka_unit_test(test_meanings_last),
		cmocka_unit_test(test_dict_waits_before_it_gives_again),
		cmocka_unit_test(test_dict_oldest_first),
	};

	return cmocka_run_group_tests_name("compile_numbers", tests, NULL, NULL);
}
