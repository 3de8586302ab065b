/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/saying.c - what might be spoken: attributes with values, some absent, some not known
 */
#include "tests/lib/saying.h"

#include "tests/lib/oracle_match.h"

/* NULL: it is absent. */
static void say(struct saying *s, enum bh_attr attr, const char *value)
{
	s->sp.known |= 1U << attr;
	s->v[attr][0] = value;
	s->sp.attr[attr].v = s->v[attr];
	s->sp.attr[attr].n = value ? 1 : 0;
}

static const char *value_random(struct rnd *r, enum bh_attr attr)
{
	size_t n = 0;

	while (randset_value(attr, n))
		n++;
	return randset_value(attr, rnd_below(r, (uint32_t)n));
}

void saying_random(struct rnd *r, unsigned proto, uint32_t unknown, struct saying *s)
{
	*s = (struct saying){ .sp.proto = proto };
	for (enum bh_attr a = BH_ATTR_HTTP_METHOD; a < BH_ATTR_COUNT; a++) {
		if (unknown > 0 && rnd_one_in(r, unknown))
			continue;
		say(s, a, rnd_one_in(r, 8) ? NULL : value_random(r, a));
		if (s->sp.attr[a].n && rnd_one_in(r, 3)) {
			s->v[a][1] = value_random(r, a);
			s->sp.attr[a].n = 2;
		}
	}
}

/* A value that the test takes, or one that it does not. */
static void say_for_test(struct rnd *r, struct saying *s, const struct bh_test *t, bool hit)
{
	for (unsigned tries = 0; tries < 20; tries++) {
		const char *v = value_random(r, t->attr);
		bool taken = false;

		for (size_t i = 0; i < t->values.n; i++)
			taken |= oracle_value_matches(t->attr, t->values.items[i], v);
		if (taken == hit) {
			say(s, t->attr, v);
			return;
		}
	}
}

void saying_for_clause(struct rnd *r, const struct bh_policy_set *set, struct saying *s)
{
	const struct bh_policy *p;
	const struct bh_rule *rule;
	const struct bh_detail *d;
	const struct bh_clause *c;
	enum bh_dir dir = BH_DIR_INGRESS + rnd_below(r, 2);
	size_t miss;

	for (unsigned tries = 0; set->n_policies > 0 && tries < 20; tries++) {
		p = set->policies[rnd_below(r, (uint32_t)set->n_policies)];
		if (p->n_rules[dir] == 0)
			continue;
		rule = &p->rules[dir][rnd_below(r, (uint32_t)p->n_rules[dir])];
		if (rule->n_details == 0)
			continue;
		d = &rule->details[rnd_below(r, (uint32_t)rule->n_details)];
		c = &d->clauses[rnd_below(r, (uint32_t)d->n)];
		miss = rnd_below(r, (uint32_t)c->n * 2);
		for (size_t i = 0; i < c->n; i++)
			say_for_test(r, s, &c->tests[i], i != miss);
		return;
	}
}
