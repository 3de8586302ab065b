// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/reach/party.c - classes of rule sets as parties
 */
#include "policy/party.h"

#include "common/util.h"
#include "policy/compile/compile_number.h"
#include "policy/reach/party_internal.h"
#include "policy/ruleset/ruleset_block.h"

#include <string.h>

#include "common/banned.h"

/* One address of somebody. */
struct spot {
	const char *ns;
	uint32_t cls[BH_PARTY_SETS];
	uint32_t who; /* index */
	uint8_t family;
};

struct making {
	const struct bh_party_input *in;
	struct bh_parties *out;
	size_t cap;
};

void bh_parties_done(struct bh_parties *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i].ns);
		free(p->items[i].name);
		free(p->items[i].members);
	}
	free(p->items);
	*p = (struct bh_parties){ .n = 0 };
}

const char *bh_party_kind_name(enum bh_party_kind k)
{
	static const char *const names[] = {
		[BH_PARTY_INVALID] = "invalid", [BH_PARTY_ENDPOINTS] = "endpoints",
		[BH_PARTY_HOST] = "node",       [BH_PARTY_NODES] = "nodes",
		[BH_PARTY_OUTSIDE] = "outside",
	};
	BH_STATIC_ASSERT_TABLE(names, BH_PARTY_COUNT);

	return names[k];
}

bool bh_party_can_meet(const struct bh_party *from, const struct bh_party *to)
{
	bool subject = from->kind == BH_PARTY_ENDPOINTS || to->kind == BH_PARTY_ENDPOINTS;

	/* What goes from one endpoint to itself is subject to nothing. */
	if (!subject || (from == to && from->n_members == 1))
		return false;
	return (from->v4 && to->v4) || (from->v6 && to->v6);
}

/* The next party, empty; NULL: out of memory. */
static struct bh_party *add(struct making *m, enum bh_party_kind kind, const char *ns,
			    const uint32_t *cls)
{
	struct bh_party *p;

	if (m->out->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 32;

		p = reallocarray(m->out->items, cap, sizeof(*p));
		if (!p)
			return NULL;
		m->out->items = p;
		m->cap = cap;
	}
	p = &m->out->items[m->out->n];
	*p = (struct bh_party){ .kind = kind, .ns = strdup(ns) };
	if (!p->ns)
		return NULL;
	memcpy(p->cls, cls, sizeof(p->cls));
	m->out->n++;
	return p;
}

static int take_name(struct bh_party *p, struct bh_buf *name)
{
	p->name = bh_buf_take(name);
	return p->name ? 0 : -ENOMEM;
}

/* ---- who has addresses ---- */

static int spot_cmp(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;
	int c = strcmp(x->ns, y->ns);

	for (unsigned i = 0; i < BH_PARTY_SETS && !c; i++)
		c = (x->cls[i] > y->cls[i]) - (x->cls[i] < y->cls[i]);
	return c ? c : (x->who > y->who) - (x->who < y->who);
}

static bool spot_same(const struct spot *a, const struct spot *b)
{
	return bh_streq(a->ns, b->ns) && memcmp(a->cls, b->cls, sizeof(a->cls)) == 0;
}

/* Parties from spots: one for each (namespace, classes). */
static int group(struct making *m, enum bh_party_kind kind, struct spot *s, size_t n)
{
	size_t end;

	qsort(s, n, sizeof(*s), spot_cmp);
	for (size_t i = 0; i < n; i = end) {
		bh_cleanup(bh_buf_done) struct bh_buf name = BH_BUF_INIT;
		struct bh_party *p = add(m, kind, s[i].ns, s[i].cls);

		for (end = i + 1; end < n && spot_same(&s[end], &s[i]);)
			end++;
		if (p)
			p->members = calloc(end - i, sizeof(*p->members));
		if (!p || !p->members)
			return -ENOMEM;
		for (size_t k = i; k < end; k++) {
			p->v4 |= s[k].family == 4;
			p->v6 |= s[k].family == 6;
			if (k == i || s[k].who != s[k - 1].who)
				p->members[p->n_members++] = s[k].who;
		}
		if (kind == BH_PARTY_NODES)
			bh_party_name_nodes(m->in, p, &name);
		else
			bh_party_name_endpoints(m->in, p, &name);
		if (take_name(p, &name) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int endpoint_parties(struct making *m, struct bh_err *err)
{
	const struct bh_compiled *first = m->in->compiled[0];
	bh_autofree struct spot *s = calloc(first->n_addrs + 1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < first->n_addrs; i++) {
		const struct bh_addr_class *a = &first->addrs[i];

		s[i] = (struct spot){
			.ns = m->in->eps[a->endpoint]->ns,
			.cls = { a->cls, a->cls },
			.who = a->endpoint,
			.family = a->addr.family,
		};
		for (size_t k = 1; k < m->in->n_compiled; k++) {
			const struct bh_compiled *c = m->in->compiled[k];

			if (c->n_addrs != first->n_addrs || c->addrs[i].endpoint != a->endpoint ||
			    !bh_addr_eq(&c->addrs[i].addr, &a->addr))
				return bh_err_set(err, -EINVAL,
						  "the rule sets are not of the same endpoints");
			s[i].cls[k] = c->addrs[i].cls;
		}
	}
	return group(m, BH_PARTY_ENDPOINTS, s, first->n_addrs);
}

static int node_parties(struct making *m)
{
	const struct bh_party_input *in = m->in;
	bh_autofree struct spot *s = NULL;
	size_t n = 0;

	for (size_t i = 0; i < in->n_nodes; i++)
		n += in->nodes[i]->n_addrs;
	s = calloc(n + 1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < in->n_nodes; i++) {
		for (size_t k = 0; k < in->nodes[i]->n_addrs; k++) {
			const struct bh_addr *a = &in->nodes[i]->addrs[k];

			if (bh_compiled_find(in->compiled[0], a))
				continue;
			s[n] = (struct spot){ .ns = "", .who = i, .family = a->family };
			for (unsigned j = 0; j < BH_PARTY_SETS; j++)
				s[n].cls[j] = bh_ruleset_outside_class(
				    in->compiled[j < in->n_compiled ? j : 0]->rules, a);
			n++;
		}
	}
	return group(m, BH_PARTY_NODES, s, n);
}

/*
 * Some policy says more of the own node than that it may do everything. A subject without a row of its own for its node
 * has that of "any", which comes before it.
 */
static bool speaks_of_host(const struct bh_ruleset *rs)
{
	const struct bh_cell *cells = rs->cells;
	size_t n = rs->n[BH_RS_CELLS], end;

	for (size_t i = 0; i < n; i = end) {
		bool any = false, own = false, more = false;

		for (end = i; end < n && cells[end].dir == cells[i].dir &&
			      cells[end].subject == cells[i].subject;
		     end++) {
			const struct bh_cell *c = &cells[end];
			bool says =
			    bh_word_verdict(c->word) != BH_WORD_ALLOW || (c->word & BH_WORD_REPORT);

			any |= c->peer == BH_PEER_ANY && says;
			own |= c->peer == BH_CLASS_HOST;
			more |= c->peer == BH_CLASS_HOST && says;
		}
		if (own ? more : any)
			return true;
	}
	return false;
}

static int host_party(struct making *m)
{
	static const uint32_t cls[BH_PARTY_SETS] = { BH_CLASS_HOST, BH_CLASS_HOST };
	bool spoken_of = false;
	struct bh_party *p;

	for (size_t k = 0; k < m->in->n_compiled; k++)
		spoken_of |= speaks_of_host(m->in->compiled[k]->rules);
	if (!spoken_of)
		return 0;
	p = add(m, BH_PARTY_HOST, "", cls);
	if (!p)
		return -ENOMEM;
	p->name = strdup("own node");
	p->v4 = true;
	p->v6 = true;
	return p->name ? 0 : -ENOMEM;
}

/* ---- the outside ---- */

struct spans {
	struct bh_span *items;
	size_t n, cap;
};

static struct bh_addr edge(uint8_t family, bool last)
{
	struct bh_addr a = { .family = family };

	if (last)
		memset(a.bytes, 0xff, bh_addr_size(&a));
	return a;
}

static struct bh_addr piece_addr(const struct bh_cidr_piece *p, const uint8_t *bytes)
{
	return p->family == 4 ? bh_addr_from_v4(bytes) : bh_addr_from_v6(bytes);
}

/* Class of @at and of those behind it, up to *end. */
static uint32_t class_from(const struct bh_ruleset *rs, const struct bh_addr *at,
			   struct bh_addr *end)
{
	size_t lo = 0, hi = rs->n[BH_RS_CIDRS];
	struct bh_addr first, last;

	while (lo < hi) { /* the first piece that does not end before @at */
		size_t mid = lo + (hi - lo) / 2;

		last = piece_addr(&rs->cidrs[mid], rs->cidrs[mid].hi);
		if (bh_addr_cmp(&last, at) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == rs->n[BH_RS_CIDRS] || rs->cidrs[lo].family != at->family)
		return BH_CLASS_WORLD;
	first = piece_addr(&rs->cidrs[lo], rs->cidrs[lo].lo);
	last = piece_addr(&rs->cidrs[lo], rs->cidrs[lo].hi);
	if (bh_addr_cmp(&first, at) > 0) {
		if (bh_addr_prev(&first, &last) && bh_addr_cmp(&last, end) < 0)
			*end = last;
		return BH_CLASS_WORLD;
	}
	if (bh_addr_cmp(&last, end) < 0)
		*end = last;
	return rs->cidrs[lo].cls;
}

/* Addresses that somebody has, between two. */
static size_t taken(const struct bh_party_input *in, const struct bh_span *s)
{
	const struct bh_compiled *c = in->compiled[0];
	size_t lo = 0, hi = c->n_addrs, n = 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&c->addrs[mid].addr, &s->lo) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < c->n_addrs && bh_addr_cmp(&c->addrs[lo].addr, &s->hi) <= 0; lo++)
		n++;
	for (size_t i = 0; i < in->n_nodes; i++) {
		for (size_t k = 0; k < in->nodes[i]->n_addrs; k++) {
			const struct bh_addr *a = &in->nodes[i]->addrs[k];

			n += bh_addr_cmp(a, &s->lo) >= 0 && bh_addr_cmp(a, &s->hi) <= 0 &&
			     !bh_compiled_find(c, a);
		}
	}
	return n;
}

/* Nobody is left in it: all its addresses are endpoints' or nodes'. Only small ones are looked at. */
static bool nobody_left(const struct bh_party_input *in, const struct bh_span *s)
{
	size_t bytes = bh_addr_size(&s->lo), size;

	if (memcmp(s->lo.bytes, s->hi.bytes, bytes - 1) != 0)
		return false;
	size = (size_t)(s->hi.bytes[bytes - 1] - s->lo.bytes[bytes - 1]) + 1;
	return taken(in, s) >= size;
}

static int span_add(struct spans *l, const struct bh_span *s)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct bh_span *items = reallocarray(l->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = *s;
	return 0;
}

static int cut_family(const struct bh_party_input *in, uint8_t family, struct spans *l)
{
	const struct bh_addr last = edge(family, true);
	struct bh_addr at = edge(family, false);
	int r = 0;

	for (bool more = true; more && r == 0;) {
		struct bh_span s = { .lo = at, .hi = last };

		for (unsigned j = 0; j < BH_PARTY_SETS; j++)
			s.cls[j] =
			    class_from(in->compiled[j < in->n_compiled ? j : 0]->rules, &at, &s.hi);
		if (!nobody_left(in, &s))
			r = span_add(l, &s);
		more = bh_addr_next(&s.hi, &at);
	}
	return r;
}

static bool is_world(const struct bh_span *s)
{
	for (unsigned j = 0; j < BH_PARTY_SETS; j++) {
		if (s->cls[j] != BH_CLASS_WORLD)
			return false;
	}
	return true;
}

static int span_cmp(const void *a, const void *b)
{
	const struct bh_span *x = a, *y = b;
	int c = (x->group > y->group) - (x->group < y->group);

	return c ? c : bh_addr_cmp(&x->lo, &y->lo);
}

static int span_groups(struct spans *l)
{
	struct bh_intern groups = { .table = NULL };
	int r = 0;

	for (size_t i = 0; i < l->n && r == 0; i++) {
		r = bh_intern(&groups, l->items[i].cls, sizeof(l->items[i].cls),
			      &l->items[i].group);
		if (is_world(&l->items[i]))
			l->items[i].group = UINT32_MAX;
	}
	bh_intern_done(&groups);
	if (r == 0)
		qsort(l->items, l->n, sizeof(*l->items), span_cmp);
	return r;
}

static int outside_parties(struct making *m)
{
	struct spans l = { .n = 0 };
	int r = cut_family(m->in, 4, &l);

	if (r == 0)
		r = cut_family(m->in, 6, &l);
	if (r == 0)
		r = span_groups(&l);
	for (size_t i = 0, end; i < l.n && r == 0; i = end) {
		bh_cleanup(bh_buf_done) struct bh_buf name = BH_BUF_INIT;
		const struct bh_span *s = &l.items[i];
		struct bh_party *p = add(m, BH_PARTY_OUTSIDE, "", s->cls);

		for (end = i + 1; end < l.n && l.items[end].group == s->group;)
			end++;
		if (!p) {
			r = -ENOMEM;
			break;
		}
		p->v4 = s->lo.family == 4;
		p->v6 = l.items[end - 1].lo.family == 6;
		if (is_world(s))
			bh_buf_puts(&name, "world");
		else
			bh_party_name_spans(s, end - i, &name);
		r = take_name(p, &name);
	}
	free(l.items);
	return r;
}

/* ---- all ---- */

/* Endpoints by name within their namespace; they come first. */
static int party_cmp(const void *a, const void *b)
{
	const struct bh_party *x = a, *y = b;
	int c = strcmp(x->ns, y->ns);

	return c ? c : strcmp(x->name, y->name);
}

int bh_parties_make(const struct bh_party_input *in, struct bh_parties *ret, struct bh_err *err)
{
	struct making m = { .in = in, .out = ret };
	int r;

	*ret = (struct bh_parties){ .n = 0 };
	r = endpoint_parties(&m, err);
	if (r == 0 && ret->n > 0)
		qsort(ret->items, ret->n, sizeof(*ret->items), party_cmp);
	if (r == 0)
		r = host_party(&m);
	if (r == 0)
		r = node_parties(&m);
	if (r == 0)
		r = outside_parties(&m);
	if (r == 0)
		r = bh_party_names_part(ret);
	if (r == -ENOMEM)
		(void)bh_err_set(err, r, "out of memory");
	if (r < 0)
		bh_parties_done(ret);
	return r;
}
