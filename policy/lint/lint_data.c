/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint/lint_data.c - selectors and names of ports held against the endpoints that there are
 *
 * Selectors that match nothing are looked at condition by condition, for the word that was probably meant. Where not
 * all endpoints are known, only such a word makes a warning: what is not there may be elsewhere.
 *
 * Endpoints are found by their labels, so that a selector costs what it matches.
 */
#include "policy/lint/lint_index.h"
#include "policy/lint/lint_internal.h"

#include "common/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "common/banned.h"

/* Names that are compared with a wrong one. */
#define CANDIDATES_MAX 512U

struct data {
	struct lint *l;
	const struct bh_endpoint **eps; /* sorted by namespace */
	size_t n;
	const char **ns; /* all namespaces: of endpoints and declared ones, sorted */
	size_t n_ns;
	struct lint_index labels; /* namespace (or "any"), key, value -> endpoints */
	struct lint_index ports;  /* name -> endpoints */
};

static void data_done(struct data *x)
{
	free(x->eps);
	free(x->ns);
	lint_index_done(&x->labels);
	lint_index_done(&x->ports);
}

/* ---- filling ---- */

static const char *ns_of(const struct bh_endpoint *e)
{
	return e->ns ? e->ns : "";
}

static int by_namespace(const void *x, const void *y)
{
	return strcmp(ns_of(*(const struct bh_endpoint *const *)x),
		      ns_of(*(const struct bh_endpoint *const *)y));
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static uint64_t label_key(const char *ns, const char *key, const char *value)
{
	return lint_key2(ns ? lint_key_str(ns) : 0,
			 lint_key2(lint_key_str(key), lint_key_str(value)));
}

static int enter(struct data *x, uint32_t i)
{
	const struct bh_endpoint *e = x->eps[i];
	int r = 0;

	for (size_t k = 0; r == 0 && k < e->labels.n; k++) {
		const struct bh_label *lab = &e->labels.items[k];

		r = lint_index_add(&x->labels, label_key(ns_of(e), lab->key, lab->value), i);
		if (r == 0)
			r = lint_index_add(&x->labels, label_key(NULL, lab->key, lab->value), i);
	}
	for (size_t k = 0; r == 0 && k < e->n_ports; k++)
		if (e->ports[k].name)
			r = lint_index_add(&x->ports, lint_key_str(e->ports[k].name), i);
	return r;
}

static int namespaces(struct data *x)
{
	const struct bh_policy_set *set = x->l->in->set;
	size_t n = 0, used = 0;

	x->ns = calloc(x->n + set->n_namespaces + 1, sizeof(*x->ns));
	if (!x->ns)
		return -ENOMEM;
	for (size_t i = 0; i < x->n; i++)
		if (i == 0 || strcmp(ns_of(x->eps[i]), ns_of(x->eps[i - 1])) != 0)
			x->ns[n++] = ns_of(x->eps[i]);
	for (size_t i = 0; i < set->n_namespaces; i++)
		x->ns[n++] = set->namespaces[i]->name;
	if (n > 1)
		qsort(x->ns, n, sizeof(*x->ns), by_text);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(x->ns[used - 1], x->ns[i]) != 0)
			x->ns[used++] = x->ns[i];
	x->n_ns = used;
	return 0;
}

static int fill(struct data *x)
{
	const struct bh_lint_input *in = x->l->in;
	int r = 0;

	x->eps = calloc(in->n_eps + 1, sizeof(*x->eps));
	if (!x->eps || in->n_eps >= UINT32_MAX)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_eps; i++)
		x->eps[x->n++] = in->eps[i];
	if (x->n > 1)
		qsort(x->eps, x->n, sizeof(*x->eps), by_namespace);
	for (size_t i = 0; r == 0 && i < x->n; i++)
		r = enter(x, (uint32_t)i);
	if (r == 0)
		r = lint_index_seal(&x->labels);
	if (r == 0)
		r = lint_index_seal(&x->ports);
	return r == 0 ? namespaces(x) : r;
}

/* ---- who is there ---- */

/* The endpoints of a namespace; all: @ns NULL. */
static size_t range(const struct data *x, const char *ns, size_t *ret_n)
{
	size_t lo = 0, hi = x->n, end;

	*ret_n = x->n;
	if (!ns)
		return 0;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(ns_of(x->eps[mid]), ns) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (end = lo; end < x->n && strcmp(ns_of(x->eps[end]), ns) == 0;)
		end++;
	*ret_n = end - lo;
	return lo;
}

/* Endpoints that a condition "key = value" leaves; *@ret_all: the selector has no such condition. */
static const struct lint_entry *narrow(const struct data *x, const char *ns,
				       const struct bh_selector *s, size_t *ret_n, bool *ret_all)
{
	const struct lint_entry *best = NULL;

	*ret_all = true;
	*ret_n = 0;
	for (size_t i = 0; s && i < s->n; i++) {
		const struct bh_sel_req *r = &s->reqs[i];
		const struct lint_entry *e;
		size_t n;

		if (r->op != BH_SEL_IN || r->n_values != 1)
			continue;
		e = lint_index_find(&x->labels, label_key(ns, r->key, r->values[0]), &n);
		if (*ret_all || n < *ret_n) {
			best = e;
			*ret_n = n;
		}
		*ret_all = false;
	}
	return best;
}

/* Some endpoint of a namespace (NULL: of any) has such labels. Said too if it cannot be found out. */
static bool some_in(struct data *x, const char *ns, const struct bh_selector *s)
{
	size_t n, n_all;
	bool all;
	const struct lint_entry *e = narrow(x, ns, s, &n, &all);
	size_t first = range(x, ns, &n_all);

	for (size_t i = 0; i < (all ? n_all : n); i++) {
		const struct bh_endpoint *ep = x->eps[all ? first + i : e[i].value];

		if (!lint_pay(&x->l->steps, 1 + (s ? s->n : 0)) || !s ||
		    bh_selector_match(s, &ep->labels))
			return true;
	}
	return false;
}

static bool namespace_has(const struct data *x, const char *name, const struct bh_selector *s)
{
	const struct bh_namespace *ns = lint_namespace(x->l, name);
	struct bh_label label = { (char *)LINT_NAME, (char *)name };
	struct bh_labels only_name = { &label, 1 };

	return bh_selector_match(s, ns ? &ns->labels : &only_name);
}

static bool some_in_scope(struct data *x, const struct lint_scope *s)
{
	if (!s->ns_sel)
		return some_in(x, s->ns, s->pods);
	for (size_t i = 0; i < x->n_ns; i++) {
		if (!lint_pay(&x->l->steps, 4))
			return true;
		if (namespace_has(x, x->ns[i], s->ns_sel) && some_in(x, x->ns[i], s->pods))
			return true;
	}
	return false;
}

static bool in_scope(const struct data *x, const struct lint_scope *s, const struct bh_endpoint *e)
{
	if (s->ns && strcmp(s->ns, ns_of(e)) != 0)
		return false;
	if (s->ns_sel && !namespace_has(x, ns_of(e), s->ns_sel))
		return false;
	return !s->pods || bh_selector_match(s->pods, &e->labels);
}

/* ---- what was probably meant ---- */

/* Different words that were seen; borrowed. */
struct words {
	const char *v[CANDIDATES_MAX];
	size_t n;
};

static void add_word(struct words *w, const char *s)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->v[i], s) == 0)
			return;
	if (w->n < CANDIDATES_MAX)
		w->v[w->n++] = s;
}

/* "db-1" is not a slip of "db-2". */
static bool has_digit(const char *s)
{
	return s[strcspn(s, "0123456789")] != '\0';
}

static const char *nearest(const struct data *x, const char *word, const struct words *w)
{
	const char *near = bh_nearest(word, w->v, w->n);

	if (near && x->l->in->endpoints != BH_LINT_ALL && (has_digit(near) || has_digit(word)))
		return NULL;
	return near;
}

/* Calls @each for the labels of all endpoints in @s, or of all namespaces (@s NULL). */
static void each_labels(struct data *x, const struct lint_scope *s,
			void (*each)(struct words *w, const struct bh_labels *l, const char *key),
			struct words *w, const char *key)
{
	const struct bh_policy_set *set = x->l->in->set;
	const struct lint_scope around = { .ns = s ? s->ns : NULL, .ns_sel = s ? s->ns_sel : NULL };
	size_t n, first;

	for (size_t i = 0; !s && i < set->n_namespaces; i++)
		each(w, &set->namespaces[i]->labels, key);
	first = s ? range(x, s->ns, &n) : 0;
	for (size_t i = first; s && i < first + n && lint_pay(&x->l->steps, 8); i++)
		if (in_scope(x, &around, x->eps[i]))
			each(w, &x->eps[i]->labels, key);
}

static void note_value(struct words *w, const struct bh_labels *l, const char *key)
{
	const char *v = bh_labels_get(l, key);

	if (v)
		add_word(w, v);
}

static void note_keys(struct words *w, const struct bh_labels *l, const char *key)
{
	for (size_t i = 0; i < l->n; i++)
		add_word(w, l->items[i].key);
}

/* A condition that nothing meets by itself, and what comes near to it: "app=web"; "" for nothing. */
static void put_near(struct data *x, const struct lint_scope *s, const struct bh_sel_req *r,
		     struct bh_buf *b)
{
	struct words w = { .n = 0 };
	const char *near = NULL;

	if (r->op != BH_SEL_IN && r->op != BH_SEL_EXISTS)
		return;
	/* Looking for words is dear, and what is only counted needs none. */
	if (x->l->in->endpoints == BH_LINT_ALL && lint_only_counted(x->l, s ? "w5" : "w60"))
		return;
	if (r->op == BH_SEL_IN) {
		each_labels(x, s, note_value, &w, r->key);
		for (size_t i = 0; !s && strcmp(r->key, LINT_NAME) == 0 && i < x->n_ns; i++)
			add_word(&w, x->ns[i]);
		for (size_t i = 0; !near && i < r->n_values; i++)
			near = nearest(x, r->values[i], &w);
		if (near)
			bh_buf_printf(b, "%.120s=%.63s", r->key, near);
	}
	if (w.n > 0)
		return; /* the key is there */
	each_labels(x, s, note_keys, &w, NULL);
	near = nearest(x, r->key, &w);
	if (near)
		bh_buf_printf(b, "the label %.120s", near);
}

static bool some_has(struct data *x, const struct lint_scope *s, const struct bh_sel_req *r)
{
	struct bh_selector one = { (struct bh_sel_req *)r, 1 };
	struct lint_scope alone = { .ns = s->ns, .ns_sel = s->ns_sel, .pods = &one };

	return some_in_scope(x, &alone);
}

/* ---- selectors ---- */

/* A namespace without a single endpoint. */
static int nobody_there(struct data *x, const struct lint_where *w, const char *ns)
{
	struct words known = { .n = 0 };
	const char *near;

	for (size_t i = 0; i < x->n_ns && known.n < CANDIDATES_MAX; i++)
		if (strcmp(x->ns[i], ns) != 0)
			known.v[known.n++] = x->ns[i];
	near = nearest(x, ns, &known);
	if (near && !lint_namespace(x->l, ns))
		return lint_warn(
		    x->l, w, "w5", NULL,
		    "no pod is in namespace \"%.63s\" now; there is a namespace \"%.63s\"", ns,
		    near);
	if (x->l->in->endpoints != BH_LINT_ALL)
		return 0;
	return lint_warn(x->l, w, "w5", NULL, "no pod is in namespace \"%.63s\" now", ns);
}

static int nothing_matches(struct data *x, const struct lint_where *w, const struct lint_scope *s)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT, near = BH_BUF_INIT;
	const struct lint_scope around = { .ns = s->ns, .ns_sel = s->ns_sel };
	bool alone = false;

	if (s->ns && !some_in(x, s->ns, NULL)) /* once for a policy is enough */
		return w->part == LINT_PART_PODS ? nobody_there(x, w, s->ns) : 0;
	if (!s->pods || !some_in_scope(x, &around))
		return 0; /* of the namespaces something was told, or there is nobody at all */
	for (size_t i = 0; i < s->pods->n && near.len == 0; i++) {
		bool none = !some_has(x, s, &s->pods->reqs[i]);

		alone |= none;
		if (none)
			put_near(x, s, &s->pods->reqs[i], &near);
	}
	lint_put_selector(&text, s->pods);
	if (bh_buf_failed(&text) || bh_buf_failed(&near))
		return -ENOMEM;
	if (near.len > 0)
		return lint_warn(x->l, w, "w5", NULL,
				 "selector %s matches nothing now; there are pods with %s",
				 bh_buf_str(&text), bh_buf_str(&near));
	if (x->l->in->endpoints != BH_LINT_ALL)
		return 0;
	return lint_warn(x->l, w, "w5", NULL, "selector %s matches nothing now%s",
			 bh_buf_str(&text),
			 alone || s->pods->n < 2 ? "" : ": no pod meets all of its conditions");
}

/* Labels of namespaces are known only from manifests. */
static bool knows_namespaces(const struct data *x, const struct bh_selector *s)
{
	bool by_name = true;

	for (size_t i = 0; i < s->n; i++)
		by_name &= strcmp(s->reqs[i].key, LINT_NAME) == 0;
	return by_name || (x->l->in->set->n_namespaces > 0 && x->l->in->endpoints == BH_LINT_ALL);
}

/* *@ret_none: no namespace matches. */
static int look_at_namespaces(struct data *x, const struct lint_where *w,
			      const struct bh_selector *s, bool *ret_none)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT, near = BH_BUF_INIT;

	*ret_none = false;
	for (size_t i = 0; i < x->n_ns; i++)
		if (!lint_pay(&x->l->steps, 4) || namespace_has(x, x->ns[i], s))
			return 0;
	*ret_none = true;
	for (size_t i = 0; i < s->n && near.len == 0; i++)
		put_near(x, NULL, &s->reqs[i], &near);
	lint_put_selector(&text, s);
	if (bh_buf_failed(&text) || bh_buf_failed(&near))
		return -ENOMEM;
	if (near.len > 0)
		return lint_warn(
		    x->l, w, "w60", NULL,
		    "namespaceSelector %s matches no namespace now; there are some with %s",
		    bh_buf_str(&text), bh_buf_str(&near));
	if (x->l->in->endpoints != BH_LINT_ALL || !knows_namespaces(x, s))
		return 0;
	return lint_warn(x->l, w, "w60", NULL, "namespaceSelector %s matches no namespace now",
			 bh_buf_str(&text));
}

/* @part_ns: what to point at where it is the namespaces. */
static int look_at_scope(struct data *x, const struct lint_where *w, enum lint_part part_ns,
			 const struct lint_scope *s)
{
	struct lint_where w_ns = *w;
	bool none = false;
	int r = 0;

	w_ns.part = part_ns;
	if (some_in_scope(x, s))
		return 0;
	if (s->ns_sel)
		r = look_at_namespaces(x, &w_ns, s->ns_sel, &none);
	/* With labels of namespaces that are not known nothing is certain about their pods. */
	if (r < 0 || none || (s->ns_sel && !knows_namespaces(x, s->ns_sel)))
		return r;
	return nothing_matches(x, w, s);
}

/* ---- names of ports ---- */

/* Some endpoint that @r is about has a port of this name (and protocol). */
static bool is_about(const struct data *x, const struct lint_rule *a, const struct bh_endpoint *e)
{
	struct lint_scope s;

	if (a->dir == BH_DIR_INGRESS) {
		s = lint_subjects(a->p);
		return in_scope(x, &s, e);
	}
	for (size_t i = 0; i < a->r->n_peers; i++) {
		if (a->r->peers[i].kind != BH_PEER_ENDPOINTS)
			return true;
		s = lint_peer_scope(a->p, &a->r->peers[i]);
		if (in_scope(x, &s, e))
			return true;
	}
	return a->r->n_peers == 0;
}

static const struct bh_named_port *port_named(const struct bh_endpoint *e, const char *name)
{
	for (size_t i = 0; i < e->n_ports; i++)
		if (bh_streq(e->ports[i].name, name))
			return &e->ports[i];
	return NULL;
}

static bool has_port(const struct bh_endpoint *e, const struct bh_port *p)
{
	for (size_t i = 0; i < e->n_ports; i++)
		if (bh_streq(e->ports[i].name, p->name) &&
		    (p->l4 == BH_L4_ANY || e->ports[i].l4 == p->l4))
			return true;
	return false;
}

/* Of another protocol. */
static const struct bh_named_port *other_port(struct data *x, const struct lint_rule *a,
					      const struct bh_port *p, bool *ret_there)
{
	size_t n;
	const struct lint_entry *e = lint_index_find(&x->ports, lint_key_str(p->name), &n);

	*ret_there = false;
	for (size_t i = 0; i < n; i++) {
		const struct bh_endpoint *ep = x->eps[e[i].value];

		if (!lint_pay(&x->l->steps, 16 + a->r->n_peers) ||
		    (has_port(ep, p) && is_about(x, a, ep))) {
			*ret_there = true;
			return NULL;
		}
	}
	for (size_t i = 0; i < n; i++)
		if (is_about(x, a, x->eps[e[i].value]))
			return port_named(x->eps[e[i].value], p->name);
	return NULL;
}

static int look_at_port(struct data *x, const struct lint_rule *a, size_t item)
{
	const struct bh_port *p = &a->r->ports[item];
	const struct lint_where w = {
		.p = a->p, .part = LINT_PART_PORT, .dir = a->dir, .rule = a->index, .item = item
	};
	const struct bh_named_port *other;
	struct words known = { .n = 0 };
	const char *near;
	size_t about = 0;
	bool there;

	other = other_port(x, a, p, &there);
	if (there)
		return 0;
	if (other)
		return lint_warn(
		    x->l, &w, "w61", NULL,
		    "port \"%.63s\" is a %s port there, and %s is asked for: it matches nothing",
		    p->name, lint_l4_name(other->l4), lint_l4_name(p->l4));
	for (size_t i = 0; i < x->n && lint_pay(&x->l->steps, 16 + a->r->n_peers); i++) {
		if (!is_about(x, a, x->eps[i]))
			continue;
		about++;
		for (size_t k = 0; k < x->eps[i]->n_ports; k++)
			if (x->eps[i]->ports[k].name)
				add_word(&known, x->eps[i]->ports[k].name);
	}
	near = nearest(x, p->name, &known);
	if (about == 0 || x->l->steps.empty || (!near && x->l->in->endpoints != BH_LINT_ALL))
		return 0;
	return lint_warn(
	    x->l, &w, "w61", NULL,
	    "none of the pods that this is about (%zu) has a port \"%.63s\" now%s%.63s%s", about,
	    p->name, near ? "; there is \"" : "", near ? near : "", near ? "\"" : "");
}

/* ---- the whole ---- */

static int look_at_rule(struct data *x, const struct lint_rule *a)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->r->n_peers; i++) {
		const struct lint_where w = { .p = a->p,
					      .part = LINT_PART_PEER_PODS,
					      .dir = a->dir,
					      .rule = a->index,
					      .item = i };
		struct lint_scope s;

		if (a->r->peers[i].kind != BH_PEER_ENDPOINTS)
			continue;
		s = lint_peer_scope(a->p, &a->r->peers[i]);
		r = look_at_scope(x, &w, LINT_PART_PEER_NAMESPACES, &s);
	}
	for (size_t i = 0; r == 0 && i < a->r->n_ports; i++)
		if (a->r->ports[i].name)
			r = look_at_port(x, a, i);
	return r;
}

/* The loader's "selects all pods" with their number. */
static int count_all(struct data *x, struct bh_diag *g)
{
	const struct bh_policy_set *set = x->l->in->set;
	const struct bh_policy *of = NULL;
	static const char all[] = "the policy selects all pods of ";
	char *at = strstr(g->message, all), *made = NULL;
	size_t n;

	for (size_t i = 0; i < set->n_policies; i++) {
		const struct bh_policy *p = set->policies[i];

		if (bh_streq(p->file, g->file) && p->pos.line <= g->pos.line &&
		    (!of || p->pos.line >= of->pos.line))
			of = p;
	}
	if (!of || !at)
		return 0;
	(void)range(x, *of->ns ? of->ns : NULL, &n);
	if (asprintf(&made, "%.*sthe policy selects all %zu pods of %s", (int)(at - g->message),
		     g->message, n, at + strlen(all)) < 0)
		return -ENOMEM;
	free(g->message);
	g->message = made;
	return 0;
}

int lint_data(struct lint *l)
{
	bh_cleanup(data_done) struct data x = { .l = l };
	int r = 0;

	if (l->in->endpoints == BH_LINT_NONE || !l->whole)
		return 0;
	r = fill(&x);
	for (size_t i = 0; r == 0 && l->in->endpoints == BH_LINT_ALL && i < l->d->n; i++)
		if (strcmp(l->d->items[i].code, "w2") == 0)
			r = count_all(&x, &l->d->items[i]);
	for (size_t i = 0; r == 0 && i < l->n_order; i++) {
		const struct lint_where w = { .p = l->order[i], .part = LINT_PART_PODS };
		struct lint_scope s = lint_subjects(l->order[i]);

		r = look_at_scope(&x, &w, LINT_PART_NAMESPACES, &s);
	}
	for (size_t i = 0; r == 0 && i < l->n_rules; i++)
		if (!l->rules[i].odd)
			r = look_at_rule(&x, &l->rules[i]);
	return r;
}
