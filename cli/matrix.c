// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/matrix.c - who reaches whom: parties, and what one sign says of each pair
 */
#include "cli/matrix.h"

#include "cli/out.h"
#include "common/limits.h"
#include "common/parse.h"
#include "common/util.h"

#include <string.h>

#include "common/banned.h"

void bh_matrix_done(struct bh_matrix *m)
{
	bh_parties_done(&m->parties);
	(void)bh_reach_free(m->reach);
	(void)bh_meanings_free(m->meanings);
	bh_compiled_done(&m->compiled);
	free(m->from);
	free(m->to);
	free(m->pairs);
	*m = (struct bh_matrix)BH_MATRIX_INIT;
}

/* ---- which parties ---- */

static bool has_member(const struct bh_party *p, enum bh_party_kind kind, size_t who)
{
	if (p->kind != kind)
		return false;
	for (size_t i = 0; i < p->n_members; i++) {
		if (p->members[i] == who)
			return true;
	}
	return false;
}

/* Is it the party that @what means? @side: what it means if it is an endpoint, a node or an address. */
static bool is_meant(const struct bh_matrix *m, const struct bh_party *p, const char *what,
		     const struct bh_side *side)
{
	size_t len = strlen(what);

	if (bh_streq(p->name, what))
		return true;
	if (len > 0 && what[len - 1] == '/')
		return strlen(p->ns) == len - 1 && memcmp(p->ns, what, len - 1) == 0;
	if (!side)
		return false;
	if (side->who != SIZE_MAX)
		return has_member(p, BH_PARTY_ENDPOINTS, side->who);
	if (side->node) {
		for (size_t i = 0; p->kind == BH_PARTY_NODES && i < p->n_members; i++) {
			if (bh_streq(m->nodes[p->members[i]]->name, side->node))
				return true;
		}
		return false;
	}
	return p->kind == BH_PARTY_OUTSIDE &&
	       p->cls[0] == bh_ruleset_outside_class(m->compiled.rules, &side->addr);
}

static int nobody(const struct bh_matrix *m, const char *option, const char *what)
{
	bh_autofree const char **names = calloc(m->parties.n + 1, sizeof(*names));
	const char *near = NULL;

	for (size_t i = 0; names && i < m->parties.n; i++)
		names[i] = m->parties.items[i].name;
	if (names)
		near = bh_nearest(what, names, m->parties.n);
	if (near)
		bh_out_complain("matrix: %s %s: nobody is called so; did you mean '%s'?", option,
				what, near);
	else
		bh_out_complain("matrix: %s %s: nobody is called so", option, what);
	return BH_EXIT_FAILED;
}

static int choose(const struct bh_matrix *m, const struct bh_world *w, const char *option,
		  const char *what, size_t **ret, size_t *ret_n)
{
	struct bh_err err = { .code = 0 };
	struct bh_side side;
	size_t *list = calloc(m->parties.n + 1, sizeof(*list)), n = 0;
	bool found = what && bh_world_side(w, what, &side, &err) == 0;

	if (!list) {
		bh_out_complain("out of memory");
		return BH_EXIT_FAILED;
	}
	for (size_t i = 0; i < m->parties.n; i++) {
		if (!what || is_meant(m, &m->parties.items[i], what, found ? &side : NULL))
			list[n++] = i;
	}
	*ret = list;
	*ret_n = n;
	if (n > 0 || !what)
		return BH_EXIT_OK;
	if (err.code == -EINVAL) { /* two of that name */
		bh_out_complain("matrix: %s: %s", option, err.msg);
		return BH_EXIT_FAILED;
	}
	return nobody(m, option, what);
}

/* ---- what each pair comes to ---- */

static enum bh_sum sum_of(const struct bh_matrix *m, const struct bh_reach_list *l)
{
	bool all = true, ports = false, spoken = false;
	enum bh_extent other = bh_meaning_extent(m->meanings, l->items[l->n - 1].meaning);

	for (size_t i = 0; i < l->n; i++) {
		enum bh_extent e = bh_meaning_extent(m->meanings, l->items[i].meaning);

		all &= e == BH_EXTENT_ALL;
		ports |= e == BH_EXTENT_ALL;
		spoken |= e == BH_EXTENT_SOME || e == BH_EXTENT_MOST;
	}
	if (all)
		return BH_SUM_ALL;
	if (other == BH_EXTENT_ALL || other == BH_EXTENT_MOST)
		return BH_SUM_MOST;
	if (spoken)
		return BH_SUM_SPOKEN;
	return ports ? BH_SUM_PORTS : BH_SUM_REFUSED;
}

/* Sums of lists that were met, so that each is found out once. */
struct sums {
	uint8_t *of; /* by number of list; 0: not yet */
	size_t n;
};

static int sum_get(const struct bh_matrix *m, struct sums *s, const struct bh_reach_list *l,
		   uint8_t *ret)
{
	if (l->number >= s->n) {
		size_t n = BH_MAX(s->n * 2, (size_t)l->number + 64);
		uint8_t *of = realloc(s->of, n);

		if (!of)
			return -ENOMEM;
		memset(of + s->n, 0, n - s->n);
		s->of = of;
		s->n = n;
	}
	if (s->of[l->number] == BH_SUM_NONE)
		s->of[l->number] = (uint8_t)sum_of(m, l);
	*ret = s->of[l->number];
	return 0;
}

static int pairs_make(struct bh_matrix *m, struct bh_err *err)
{
	struct sums sums = { .n = 0 };
	size_t n;
	int r = 0;

	if (!bh_size_muladd(m->n_from, m->n_to, 1, &n) || n > BH_REACH_PAIRS_MAX)
		return bh_err_set(err, -E2BIG,
				  "%zu parties reaching %zu are too many pairs (more than %u); "
				  "choose some by --from or --to",
				  m->n_from, m->n_to, BH_REACH_PAIRS_MAX);
	m->pairs = calloc(n, sizeof(*m->pairs));
	if (!m->pairs)
		return bh_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < m->n_from && r == 0; i++) {
		for (size_t k = 0; k < m->n_to && r == 0; k++) {
			const struct bh_party *from = bh_matrix_from(m, i),
					      *to = bh_matrix_to(m, k);
			struct bh_pair *p = &m->pairs[i * m->n_to + k];
			struct bh_reach_list l;

			if (!bh_party_can_meet(from, to))
				continue;
			r = bh_reach_pair(m->reach, from->cls[0], to->cls[0], &l, err);
			if (r == 0)
				r = sum_get(m, &sums, &l, &p->sum);
			p->list = r == 0 ? l.number : 0;
		}
	}
	free(sums.of);
	return r;
}

static int reach_make(struct bh_matrix *m, const struct bh_world *w, struct bh_err *err)
{
	const struct bh_party_input in = {
		.compiled = { &m->compiled },
		.n_compiled = 1,
		.eps = w->eps,
		.n_eps = w->n_eps,
		.nodes = w->set->nodes,
		.n_nodes = w->set->n_nodes,
	};
	unsigned source;
	int r = bh_meanings_new(&m->meanings);

	if (r == 0)
		r = bh_meanings_add(m->meanings, m->compiled.rules, &source, err);
	if (r == 0)
		r = bh_reach_new(m->compiled.rules, m->meanings, source, &m->reach);
	return r == 0 ? bh_parties_make(&in, &m->parties, err) : r;
}

int bh_matrix_make(struct bh_matrix *m, const struct bh_world *w, const char *from, const char *to)
{
	struct bh_err err = { .code = 0 };
	int r, code = bh_world_compile(w, &m->compiled);

	if (code != BH_EXIT_OK)
		return code;
	m->eps = w->eps;
	m->nodes = w->set->nodes;
	r = reach_make(m, w, &err);
	if (r == 0)
		code = choose(m, w, "--from", from, &m->from, &m->n_from);
	if (r == 0 && code == BH_EXIT_OK)
		code = choose(m, w, "--to", to, &m->to, &m->n_to);
	if (r == 0 && code == BH_EXIT_OK)
		r = pairs_make(m, &err);
	if (r == 0)
		return code;
	bh_out_complain("matrix: %s", bh_err_text(&err, r));
	return BH_EXIT_FAILED;
}

/* ---- in words ---- */

bool bh_matrix_worth(const struct bh_matrix *m, const struct bh_reach_list *l, size_t i)
{
	uint32_t other = l->items[l->n - 1].meaning;
	bool nothing = bh_meaning_extent(m->meanings, other) == BH_EXTENT_NONE;

	if (i + 1 == l->n)
		return !nothing || l->n == 1;
	if (nothing)
		return bh_meaning_extent(m->meanings, l->items[i].meaning) != BH_EXTENT_NONE;
	return l->items[i].meaning != other;
}

/* All ports of the meaning of the piece at @i, if that is the first of its meaning. */
static void put_group(const struct bh_matrix *m, const struct bh_reach_list *l, size_t i,
		      bool behind, struct bh_buf *out)
{
	const uint32_t meaning = l->items[i].meaning;
	size_t n = 0;

	for (size_t k = 0; k < i; k++) {
		if (l->items[k].meaning == meaning && bh_matrix_worth(m, l, k))
			return;
	}
	if (behind)
		bh_buf_puts(out, "; ");
	for (size_t k = i, end; k < l->n; k = end) {
		end = bh_reach_alike(l, k);
		if (l->items[k].meaning != meaning || !bh_matrix_worth(m, l, k) ||
		    l->items[k].l4 == BH_L4_ANY)
			continue;
		bh_buf_puts(out, n++ > 0 ? ", " : "");
		bh_reach_put_port(out, l->items[k].l4, l->items[k].lo, l->items[end - 1].hi);
	}
	if (bh_meaning_extent(m->meanings, meaning) == BH_EXTENT_ALL) {
		bh_buf_puts(out, bh_meaning_recorded(m->meanings, meaning) ? " (recorded)" : "");
		return;
	}
	bh_buf_putc(out, ' ');
	bh_meaning_put(m->meanings, meaning, false, out);
}

/* "everything", "everything but ssh", "all ports http" */
static void put_other(const struct bh_matrix *m, uint32_t meaning, struct bh_buf *out)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	enum bh_extent e = bh_meaning_extent(m->meanings, meaning);

	if (e == BH_EXTENT_ALL) {
		bh_buf_puts(out, bh_meaning_recorded(m->meanings, meaning) ? "everything (recorded)"
									   : "everything");
		return;
	}
	bh_meaning_put(m->meanings, meaning, false, &text);
	if (e == BH_EXTENT_MOST) /* it says "all but ssh" */
		bh_buf_printf(out, "everything%s", bh_buf_str(&text) + strlen("all"));
	else
		bh_buf_printf(out, "all ports %s", bh_buf_str(&text));
	if (bh_buf_failed(&text))
		out->failed = true;
}

void bh_matrix_put_ports(const struct bh_matrix *m, const struct bh_pair *p, struct bh_buf *out)
{
	struct bh_reach_list l;
	const struct bh_reach_piece *other;
	bool behind = false;
	size_t begin;

	if (p->sum == BH_SUM_NONE || p->sum == BH_SUM_REFUSED) {
		bh_buf_puts(out, p->sum == BH_SUM_NONE ? "-" : "refused");
		return;
	}
	l = bh_reach_list_at(m->reach, p->list);
	other = &l.items[l.n - 1];
	if (bh_matrix_worth(m, &l, l.n - 1)) {
		put_other(m, other->meaning, out);
		behind = true;
	}
	for (size_t i = 0; i + 1 < l.n; i++) {
		if (!bh_matrix_worth(m, &l, i))
			continue;
		begin = out->len;
		put_group(m, &l, i, behind, out);
		behind |= out->len > begin;
	}
}

struct bh_protoset bh_matrix_spoken(const struct bh_matrix *m, const struct bh_pair *p)
{
	struct bh_protoset all = { { 0 } };
	struct bh_reach_list l;

	if (p->sum != BH_SUM_SPOKEN)
		return all;
	l = bh_reach_list_at(m->reach, p->list);
	for (size_t i = 0; i < l.n; i++) {
		struct bh_protoset one = bh_meaning_spoken(m->meanings, l.items[i].meaning);

		if (bh_meaning_extent(m->meanings, l.items[i].meaning) == BH_EXTENT_ALL)
			continue;
		for (size_t k = 0; k < BH_ARRAY_SIZE(one.bits); k++)
			all.bits[k] |= one.bits[k];
	}
	return all;
}
