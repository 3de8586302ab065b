// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/test_run.c - tests of policies, run
 *
 * Each combination of what a test lists is one question to policy/explain.h, whose answer as JSON is compared with what
 * is expected: so a test can never see another verdict than `bulkhead explain` shows.
 */
#include "cli/test_run.h"

#include "cli/view.h"
#include "cli/world.h"
#include "common/util.h"
#include "policy/explain.h"
#include "policy/icmp.h"
#include "policy/portspec.h"
#include "policy/spoken.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* Connections of one test. */
#define CASES_MAX 10000U
/* What is listed: from, to, port, and what is said. */
#define AXES (3U + BH_TEST_SAID)

void bh_test_outcome_done(struct bh_test_outcome *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->items[i].name);
		for (size_t k = 0; k < BH_TEST_FAILURES_MAX; k++) {
			free(o->items[i].failures[k].what);
			free(o->items[i].failures[k].expected);
			free(o->items[i].failures[k].got);
			free(o->items[i].failures[k].why);
		}
	}
	free(o->items);
	free(o->path);
	free(o->error);
	*o = (struct bh_test_outcome){ .n = 0 };
}

/* A suite, as it is run. */
struct running {
	struct bh_test_file *file;
	const struct bh_world *w;
	const struct bh_compiled *compiled;
	const struct bh_claim *t;
	const struct bh_test_value *at[AXES]; /* the values of this case; NULL: none */
};

/* The value in question is wrong: said in the diagnostics. Return: -EINVAL, -ENOMEM */
static int wrong(const struct running *x, const struct bh_test_value *v, const struct bh_err *err,
		 int r)
{
	if (r == -ENOMEM)
		return r;
	r = bh_test_file_complain(x->file, v, NULL, "%s", bh_err_text(err, r));
	return r < 0 ? r : -EINVAL;
}

/* ---- one question ---- */

static int read_ends(const struct running *x, struct bh_query *q)
{
	struct bh_err err = { .code = 0 };
	int r = bh_world_from(x->w, x->at[0]->text, q, NULL, &err);

	if (r < 0)
		return wrong(x, x->at[0], &err, r);
	r = bh_world_to(x->w, x->at[1]->text, q, NULL, &err);
	return r < 0 ? wrong(x, x->at[1], &err, r) : 0;
}

static int read_port(const struct running *x, struct bh_query *q)
{
	const struct bh_test_value *v = x->at[2];
	struct bh_err err = { .code = 0 };
	uint8_t family;
	int r;

	if (!x->t->icmp) {
		r = bh_portspec_parse(v->text, &q->l4, &q->port, &err);
		if (r < 0)
			return wrong(x, v, &err, r);
		family = q->l4 == BH_L4_ICMP ? 4 : q->l4 == BH_L4_ICMPV6 ? 6 : q->family;
		if (q->family != 0 && family != q->family) {
			r = bh_err_set(&err, -EINVAL, "'%s' is not spoken over IPv%u", v->text,
				       q->family);
			return wrong(x, v, &err, r);
		}
		q->family = family;
		return 0;
	}
	/* A name of a type has a number in each family: which one, the ends tell. */
	family = bh_explain_family(x->w->set, x->w->eps, q);
	q->l4 = family == 6 ? BH_L4_ICMPV6 : BH_L4_ICMP;
	r = bh_icmp_port(v->text, q->l4, &q->port, &err);
	return r < 0 ? wrong(x, v, &err, r) : 0;
}

static int read_speech(const struct running *x, struct bh_speech *s)
{
	const struct bh_test_value *first = x->at[2];
	struct bh_err err = { .code = 0 };
	int r;

	for (unsigned i = 0; i < BH_TEST_SAID; i++) {
		const struct bh_test_value *v = x->at[3 + i];

		if (!v)
			continue;
		first = v;
		r = bh_speech_set(s, bh_speech_nth(i), v->text, &err);
		if (r < 0)
			return wrong(x, v, &err, r);
	}
	r = bh_speech_finish(s, &err);
	return r < 0 ? wrong(x, first, &err, r) : 0;
}

static int make_query(const struct running *x, struct bh_query *q, struct bh_speech *s)
{
	int r;

	*q = (struct bh_query){
		.family = x->t->family,
		.all_local = true,
		.now = x->w->now,
		.around = &x->w->around,
	};
	r = read_ends(x, q);
	if (r == 0)
		r = read_port(x, q);
	if (r == 0)
		r = read_speech(x, s);
	if (r == 0)
		q->spoken = s->spoken;
	return r;
}

/* ---- what comes out ---- */

struct answer {
	const json_t *dirs;
	enum bh_test_expect verdict; /* REFUSE: in one way or the other */
	bool recorded;
};

static enum bh_test_expect verdict_of(const char *s)
{
	static const struct {
		const char *name;
		enum bh_test_expect verdict;
	} names[] = {
		{ "allow", BH_EXPECT_ALLOW },      { "drop", BH_EXPECT_DROP },
		{ "reject", BH_EXPECT_REJECT },    { "refuse", BH_EXPECT_REFUSE },
		{ "contract", BH_EXPECT_DEPENDS },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(names); i++) {
		if (bh_streq(s, names[i].name))
			return names[i].verdict;
	}
	return BH_EXPECT_REFUSE;
}

static bool refuses(enum bh_test_expect v)
{
	return v == BH_EXPECT_REFUSE || v == BH_EXPECT_DROP || v == BH_EXPECT_REJECT;
}

/* The test is about this direction. */
static bool asked(const struct bh_claim *t, const json_t *dir)
{
	return t->dir == BH_DIR_INVALID ||
	       bh_streq(bh_view_str(dir, "direction"), bh_dir_name(t->dir));
}

/* The first that refuses says how; else the first that is open; else it is allowed. */
static struct answer answer_of(const struct bh_claim *t, const json_t *v)
{
	struct answer a = { .dirs = json_object_get(v, "directions"), .verdict = BH_EXPECT_ALLOW };
	size_t n = json_array_size(a.dirs);

	for (size_t i = 0; i < n; i++) {
		const json_t *d = json_array_get(a.dirs, i);
		enum bh_test_expect one = verdict_of(bh_view_str(d, "verdict"));

		if (!asked(t, d))
			continue;
		a.recorded |= bh_view_true(d, "recorded");
		if (refuses(a.verdict))
			continue;
		if (refuses(one) || one == BH_EXPECT_DEPENDS)
			a.verdict = one;
	}
	a.recorded &= a.verdict == BH_EXPECT_ALLOW;
	return a;
}

/* Part of a name: "web" does not stand in "shop/web-2". */
static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

static bool stands_in(const char *text, const char *by)
{
	const size_t n = strlen(by);

	for (const char *p = strstr(text, by); p; p = strstr(p + 1, by)) {
		if ((p == text || !is_name(p[-1]) || !is_name(by[0])) &&
		    (!is_name(p[n]) || !is_name(by[n - 1])))
			return true;
	}
	return false;
}

/* Some direction that came to the verdict, or one of its tiers, names it. */
static bool decided_by(const struct bh_claim *t, const struct answer *a)
{
	for (size_t i = 0; i < json_array_size(a->dirs); i++) {
		const json_t *d = json_array_get(a->dirs, i);
		const json_t *tiers = json_object_get(d, "otherTiers");

		if (!asked(t, d) ||
		    refuses(verdict_of(bh_view_str(d, "verdict"))) != refuses(a->verdict))
			continue;
		if (stands_in(bh_view_str(d, "text"), t->by))
			return true;
		for (size_t k = 0; k < json_array_size(tiers); k++) {
			const char *text = bh_view_str(json_array_get(tiers, k), "text");

			if (strncmp(text, "no rule", 7) != 0 && stands_in(text, t->by))
				return true;
		}
	}
	return false;
}

static bool as_expected(const struct bh_claim *t, const struct answer *a)
{
	bool same =
	    t->expect == a->verdict || (t->expect == BH_EXPECT_REFUSE && refuses(a->verdict));

	if (!same || (t->has_recorded && t->recorded != a->recorded))
		return false;
	return !t->by || decided_by(t, a);
}

/* ---- what is told of it ---- */

static void put_what(const struct running *x, struct bh_buf *out)
{
	bh_buf_printf(out, "%s -> %s %s%s", x->at[0]->text, x->at[1]->text,
		      x->t->icmp ? "icmp " : "", x->at[2]->text);
	for (unsigned i = 3; i < AXES; i++) {
		if (x->at[i])
			bh_buf_printf(out, " %s%s%s", i == 3 ? "" : bh_speech_nth(i - 3),
				      i == 3 ? "" : " ", x->at[i]->text);
	}
}

static void put_expected(const struct bh_claim *t, struct bh_buf *out)
{
	bh_buf_puts(out, bh_test_expect_name(t->expect));
	if (t->has_recorded)
		bh_buf_puts(out, t->recorded ? ", recorded" : ", not recorded");
	if (t->by)
		bh_buf_printf(out, " by %s", t->by);
	if (t->dir != BH_DIR_INVALID)
		bh_buf_printf(out, " (%s)", bh_dir_name(t->dir));
}

static void put_got(const struct bh_claim *t, const struct answer *a, struct bh_buf *out)
{
	bool same =
	    t->expect == a->verdict || (t->expect == BH_EXPECT_REFUSE && refuses(a->verdict));

	bh_buf_puts(out, bh_test_expect_name(a->verdict));
	if (a->verdict == BH_EXPECT_ALLOW && (t->has_recorded || a->recorded))
		bh_buf_puts(out, a->recorded ? ", recorded" : ", not recorded");
	if (t->by && same && !decided_by(t, a))
		bh_buf_printf(out, ", but not by %s", t->by);
}

static int keep_failure(const struct running *x, const struct answer *a, const struct bh_query *q,
			struct bh_test_result *res)
{
	bh_cleanup(bh_buf_done) struct bh_buf what = BH_BUF_INIT, expected = BH_BUF_INIT,
					      got = BH_BUF_INIT, why = BH_BUF_INIT;
	struct bh_test_failure *f;
	enum bh_outcome outcome;
	int r;

	if (res->failed++ >= BH_TEST_FAILURES_MAX)
		return 0;
	f = &res->failures[res->failed - 1];
	r = bh_explain(x->w->set, x->w->eps, x->w->n_eps, x->compiled, q, &why, NULL, &outcome,
		       NULL);
	if (r < 0)
		return r;
	put_what(x, &what);
	put_expected(x->t, &expected);
	put_got(x->t, a, &got);
	f->what = bh_buf_take(&what);
	f->expected = bh_buf_take(&expected);
	f->got = bh_buf_take(&got);
	f->why = bh_buf_take(&why);
	return f->what && f->expected && f->got && f->why ? 0 : -ENOMEM;
}

/* ---- all combinations ---- */

static int run_case(const struct running *x, struct bh_test_result *res)
{
	bh_cleanup(bh_speech_done) struct bh_speech speech = BH_SPEECH_INIT;
	bh_autojson json_t *v = NULL;
	struct bh_err err = { .code = 0 };
	struct bh_query q;
	struct answer a;
	enum bh_outcome outcome;
	int r = make_query(x, &q, &speech);

	if (r < 0)
		return r;
	r = bh_explain(x->w->set, x->w->eps, x->w->n_eps, x->compiled, &q, NULL, &v, &outcome,
		       &err);
	if (r < 0)
		return wrong(x, x->at[1], &err, r);
	res->cases++;
	a = answer_of(x->t, v);
	return as_expected(x->t, &a) ? 0 : keep_failure(x, &a, &q, res);
}

static const struct bh_test_values *axis(const struct bh_claim *t, unsigned i)
{
	switch (i) {
	case 0:
		return &t->from;
	case 1:
		return &t->to;
	case 2:
		return &t->ports;
	default:
		return &t->said[i - 3];
	}
}

/* The next combination; false: that was the last. */
static bool next_case(const struct bh_claim *t, size_t *at)
{
	for (unsigned i = AXES; i-- > 0;) {
		if (axis(t, i)->n == 0)
			continue;
		if (++at[i] < axis(t, i)->n)
			return true;
		at[i] = 0;
	}
	return false;
}

static int run_test(struct running *x, struct bh_test_result *res)
{
	size_t at[AXES] = { 0 }, n = 1;
	int r;

	res->name = strdup(x->t->name);
	res->line = x->t->pos.line;
	if (!res->name)
		return -ENOMEM;
	for (unsigned i = 0; i < AXES; i++)
		n *= BH_MAX(BH_MIN(axis(x->t, i)->n, (size_t)CASES_MAX), (size_t)1) > CASES_MAX / n
			 ? CASES_MAX + 1
			 : BH_MAX(axis(x->t, i)->n, (size_t)1);
	if (n > CASES_MAX) {
		res->error = true;
		return bh_test_file_complain(x->file, &x->t->from.items[0], "write several tests",
					     "what this test lists makes more than %u connections",
					     CASES_MAX);
	}
	do {
		for (unsigned i = 0; i < AXES; i++)
			x->at[i] = axis(x->t, i)->n > 0 ? &axis(x->t, i)->items[at[i]] : NULL;
		r = run_case(x, res);
	} while (r == 0 && next_case(x->t, at));
	res->error = r == -EINVAL;
	return r == -EINVAL ? 0 : r;
}

/* ---- suites ---- */

/* The command line goes before the file. */
static struct bh_strings either(const struct bh_strings *given, const struct bh_strlist *written)
{
	if (given->n > 0)
		return *given;
	return (struct bh_strings){ .items = (const char **)written->items, .n = written->n };
}

static int run_suite(const struct bh_args *a, struct bh_test_file *f, const struct bh_test_suite *s,
		     struct bh_test_outcome *ret)
{
	bh_cleanup(bh_world_done) struct bh_world w = BH_WORLD_INIT;
	bh_cleanup(bh_compiled_done) struct bh_compiled compiled = { .rules = NULL };
	struct running x = { .file = f, .w = &w, .compiled = &compiled };
	struct bh_args args = *a;
	struct bh_test_result *items;
	int code, r = 0;

	args.policies = either(&a->policies, &s->policies);
	args.endpoints = either(&a->endpoints, &s->endpoints);
	args.ranges = either(&a->ranges, &s->ranges);
	args.resolvers = either(&a->resolvers, &s->resolvers);
	args.known = either(&a->known, &s->names);
	if (!args.at)
		args.at = s->at;
	code = bh_world_get(&w, &args);
	if (code == BH_EXIT_OK)
		code = bh_world_compile(&w, &compiled);
	if (code != BH_EXIT_OK) {
		ret->broken = true;
		return 0;
	}
	items = reallocarray(ret->items, ret->n + s->n, sizeof(*items));
	if (!items)
		return -ENOMEM;
	ret->items = items;
	for (size_t i = 0; i < s->n && r == 0; i++) {
		x.t = &s->tests[i];
		items[ret->n] = (struct bh_test_result){ .name = NULL };
		r = run_test(&x, &items[ret->n++]);
	}
	return r;
}

int bh_test_run(const struct bh_args *a, const char *path, struct bh_test_outcome *ret)
{
	bh_cleanup(bh_test_file_done) struct bh_test_file f = BH_TEST_FILE_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	size_t suites = 0, bad;
	int r;

	*ret = (struct bh_test_outcome){ .path = strdup(path) };
	r = ret->path ? bh_test_file_open(&f, path) : -ENOMEM;
	while (r == 0) {
		bh_cleanup(bh_test_suite_done) struct bh_test_suite s = { .n = 0 };

		bad = f.diags.n_errors;
		r = bh_test_file_next(&f, &s);
		if (r != 1)
			break;
		suites++;
		/* With an error nothing of it is run: it might be another test than was meant. */
		r = f.diags.n_errors == bad ? run_suite(a, &f, &s, ret) : 0;
	}
	if (r == 0 && suites == 0 && f.diags.n_errors == 0)
		r = bh_diag_add(&f.diags, &(struct bh_diag_at){ .file = path }, BH_SEVERITY_ERROR,
				"e18", "a list \"tests\" of {from, to, port, expect}",
				"there are no tests in it");
	if (r < 0)
		return r;
	if (f.diags.n_errors > 0) {
		ret->broken = true;
		bh_diags_sort(&f.diags);
		bh_diags_print(&f.diags, &text);
		ret->error = bh_buf_take(&text);
		return ret->error ? 0 : -ENOMEM;
	}
	return 0;
}
