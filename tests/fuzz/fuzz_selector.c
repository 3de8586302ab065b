/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_selector.c - what a selector matches is what its text says; the same meaning is the same selector
 *
 * The bytes are a recipe: labels, then conditions, over a few keys and values. The selector is written as YAML, read
 * by the loader, and asked; the answer is held against one that is worked out here from the recipe. Written the
 * other way round it must come out alike.
 */
#include "common/buf.h"
#include "common/util.h"
#include "policy/load.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQS_MAX 8U

static const char *const keys[] = { "a", "b", "example.com/c", "d" };
static const char *const values[] = { "", "x", "X", "web-1" };
static const char *const ops[] = { "In", "NotIn", "Exists", "DoesNotExist" };

struct req {
	unsigned key, op, set; /* @set: a bit for each value */
};

struct recipe {
	unsigned has, label[4]; /* @has: a bit for each key; the value of each */
	struct req reqs[REQS_MAX];
	size_t n;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void read_recipe(const uint8_t *data, size_t size, struct recipe *r)
{
	*r = (struct recipe){ .n = 0 };
	if (size < 2)
		return;
	r->has = data[0] & 15;
	for (unsigned k = 0; k < 4; k++)
		r->label[k] = data[1] >> (2 * k) & 3;
	for (size_t i = 2; i < size && r->n < REQS_MAX; i++) {
		struct req q = { .key = data[i] & 3, .op = data[i] >> 2 & 3, .set = data[i] >> 4 };

		if (q.op < 2 && q.set == 0)
			q.set = 1;
		r->reqs[r->n++] = q;
	}
}

static bool holds(const struct recipe *r, const struct req *q)
{
	bool has = r->has >> q->key & 1;
	bool in = has && q->set >> r->label[q->key] & 1;

	switch (q->op) {
	case 0:
		return in;
	case 1:
		return !in;
	case 2:
		return has;
	default:
		return !has;
	}
}

/* @backwards: conditions and values in the other order, and each said twice. */
static void write_selector(const struct recipe *r, bool backwards, struct bh_buf *b)
{
	bh_buf_puts(b,
		    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\n"
		    "spec:\n  podSelector:\n    matchExpressions: [");
	for (size_t n = 0; n < r->n * (backwards ? 2 : 1); n++) {
		const struct req *q = &r->reqs[backwards ? r->n - 1 - n % r->n : n];

		bh_buf_printf(b, "%s{key: %s, operator: %s", n ? ", " : "", keys[q->key],
			      ops[q->op]);
		if (q->op < 2) {
			bh_buf_puts(b, ", values: [");
			for (unsigned i = 0; i < 4; i++) {
				unsigned v = backwards ? 3 - i : i;

				if (q->set >> v & 1)
					bh_buf_printf(b, "\"%s\",", values[v]);
			}
			bh_buf_puts(b, "]");
		}
		bh_buf_puts(b, "}");
	}
	bh_buf_puts(b, "]\n");
}

static struct bh_policy_set *load(const struct recipe *r, bool backwards)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	struct bh_policy_set *set = bh_policy_set_new();

	write_selector(r, backwards, &b);
	must(set && bh_load_text(set, "t", bh_buf_str(&b), b.len, &d) == 0);
	must(set->n_policies == 1);
	return set;
}

static void same(const struct bh_selector *a, const struct bh_selector *b)
{
	must(a->n == b->n);
	for (size_t i = 0; i < a->n; i++) {
		must(a->reqs[i].op == b->reqs[i].op && bh_streq(a->reqs[i].key, b->reqs[i].key));
		must(a->reqs[i].n_values == b->reqs[i].n_values);
		for (size_t k = 0; k < a->reqs[i].n_values; k++)
			must(bh_streq(a->reqs[i].values[k], b->reqs[i].values[k]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recipe r;
	struct bh_labels labels = { .items = NULL };
	bool want = true;

	read_recipe(data, size, &r);
	for (unsigned k = 0; k < 4; k++)
		if (r.has >> k & 1)
			must(bh_labels_set(&labels, keys[k], values[r.label[k]]) == 0);
	for (size_t i = 0; i < r.n; i++)
		want &= holds(&r, &r.reqs[i]);
	{
		bh_cleanup(bh_policy_set_freep) struct bh_policy_set *one = load(&r, false);
		bh_cleanup(bh_policy_set_freep) struct bh_policy_set *two = load(&r, true);

		must(bh_selector_match(&one->policies[0]->pods, &labels) == want);
		same(&one->policies[0]->pods, &two->policies[0]->pods);
	}
	bh_labels_done(&labels);
	return 0;
}
