// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/reach/party_name.c - names for parties that people know again
 */
#include "common/util.h"
#include "policy/reach/party_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* Prefixes that are written out. */
#define PREFIXES_SHOWN 3U

/* ---- endpoints ---- */

static const struct bh_endpoint *member(const struct bh_party_input *in, const struct bh_party *p,
					size_t i)
{
	return in->eps[p->members[i]];
}

/* What all names begin with, up to and with a '-', '.' or '_': "web-". 0: nothing worth showing. */
static size_t common_stem(const struct bh_party_input *in, const struct bh_party *p)
{
	const char *first = member(in, p, 0)->name;
	size_t n = strlen(first);

	for (size_t i = 1; i < p->n_members; i++) {
		const char *name = member(in, p, i)->name;
		size_t k = 0;

		while (k < n && name[k] == first[k])
			k++;
		n = k;
	}
	while (n > 0 && !strchr("-._", first[n - 1]))
		n--;
	return n > 1 ? n : 0;
}

/* A label by which people call a workload, if all members have it with one value. */
static const struct bh_label *common_label(const struct bh_party_input *in,
					   const struct bh_party *p)
{
	static const char *const keys[] = {
		"app.kubernetes.io/name",
		"app",
		"k8s-app",
		"com.docker.compose.service",
		"io.podman.compose.service",
		"app.kubernetes.io/component",
		"name",
		"role",
		"tier",
	};
	const struct bh_labels *first = &member(in, p, 0)->labels;

	for (size_t k = 0; k < BH_ARRAY_SIZE(keys); k++) {
		const char *value = bh_labels_get(first, keys[k]);
		size_t i = 1;

		if (!value)
			continue;
		while (i < p->n_members &&
		       bh_streq(bh_labels_get(&member(in, p, i)->labels, keys[k]), value))
			i++;
		for (size_t l = 0; i == p->n_members && l < first->n; l++) {
			if (bh_streq(first->items[l].key, keys[k]))
				return &first->items[l];
		}
	}
	return NULL;
}

static bool is_whole_namespace(const struct bh_party_input *in, const struct bh_party *p)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n_eps; i++)
		n += in->eps[i]->n_addrs > 0 && bh_streq(in->eps[i]->ns, p->ns);
	return n == p->n_members;
}

/* "a and b", "a and 4 more": no commas, which separate parties. */
static void put_names(struct bh_buf *out, const char *first, const char *second, size_t n)
{
	if (n == 2)
		bh_buf_printf(out, "%s and %s", first, second);
	else
		bh_buf_printf(out, "%s and %zu more", first, n - 1);
}

void bh_party_name_endpoints(const struct bh_party_input *in, const struct bh_party *p,
			     struct bh_buf *out)
{
	const struct bh_label *label;
	size_t stem;

	bh_buf_printf(out, "%s/", p->ns);
	if (p->n_members == 1) {
		bh_buf_puts(out, member(in, p, 0)->name);
		return;
	}
	if (is_whole_namespace(in, p)) {
		bh_buf_printf(out, "* (%zu)", p->n_members);
		return;
	}
	stem = common_stem(in, p);
	label = stem > 0 ? NULL : common_label(in, p);
	if (stem > 0) {
		bh_buf_add(out, member(in, p, 0)->name, stem);
		bh_buf_printf(out, "* (%zu)", p->n_members);
	} else if (label) {
		bh_buf_printf(out, "%s=%s (%zu)", label->key, label->value, p->n_members);
	} else {
		put_names(out, member(in, p, 0)->name, member(in, p, 1)->name, p->n_members);
	}
}

void bh_party_name_nodes(const struct bh_party_input *in, const struct bh_party *p,
			 struct bh_buf *out)
{
	bh_buf_puts(out, p->n_members == 1 ? "node " : "nodes ");
	if (p->n_members == 1)
		bh_buf_puts(out, in->nodes[p->members[0]]->name);
	else
		put_names(out, in->nodes[p->members[0]]->name, in->nodes[p->members[1]]->name,
			  p->n_members);
}

/* ---- addresses ---- */

/* The largest prefix that begins at @lo and does not reach beyond @hi. */
static struct bh_prefix first_prefix(const struct bh_addr *lo, const struct bh_addr *hi)
{
	uint8_t bits = (uint8_t)(bh_addr_size(lo) * 8);
	struct bh_prefix best = { .addr = *lo, .len = bits };

	for (uint8_t len = bits; len-- > 0;) {
		struct bh_prefix p = { .addr = *lo, .len = len };
		struct bh_addr first, last;

		bh_prefix_range(&p, &first, &last);
		if (!bh_addr_eq(&first, lo) || bh_addr_cmp(&last, hi) > 0)
			break;
		best = p;
	}
	return best;
}

struct prefixes {
	struct bh_prefix shown[PREFIXES_SHOWN];
	size_t n; /* counted up to one more than are shown */
};

static void add_range(struct prefixes *l, struct bh_addr lo, const struct bh_addr *hi)
{
	while (l->n <= PREFIXES_SHOWN) {
		struct bh_prefix p = first_prefix(&lo, hi);
		struct bh_addr first, last;

		if (l->n < PREFIXES_SHOWN)
			l->shown[l->n] = p;
		l->n++;
		bh_prefix_range(&p, &first, &last);
		if (bh_addr_cmp(&last, hi) >= 0 || !bh_addr_next(&last, &lo))
			break;
	}
}

static void put_prefix(struct bh_buf *out, const struct bh_prefix *p)
{
	char text[BH_PREFIX_STRLEN];

	if (p->len == bh_addr_size(&p->addr) * 8)
		bh_buf_puts(out, bh_addr_format(&p->addr, text));
	else
		bh_buf_puts(out, bh_prefix_format(p, text));
}

static void put_prefixes(struct bh_buf *out, const struct prefixes *l)
{
	for (size_t i = 0; i < l->n && i < PREFIXES_SHOWN; i++) {
		bh_buf_puts(out, i > 0 ? " + " : "");
		put_prefix(out, &l->shown[i]);
	}
	if (l->n > PREFIXES_SHOWN)
		bh_buf_puts(out, " + ...");
}

/* The smallest prefix that holds both. */
static struct bh_prefix around(const struct bh_addr *lo, const struct bh_addr *hi)
{
	struct bh_prefix p = { .addr = *lo, .len = (uint8_t)(bh_addr_size(lo) * 8) };
	struct bh_addr first, last;

	for (;;) {
		bh_prefix_range(&p, &first, &last);
		if (bh_addr_cmp(&last, hi) >= 0 || p.len == 0)
			break;
		p.len--;
	}
	p.addr = first;
	return p;
}

/* Spans of one family: as they are, or as one prefix but for what is missing, whatever is shorter. */
static void put_family(struct bh_buf *out, const struct bh_span *s, size_t n)
{
	struct bh_prefix whole = around(&s[0].lo, &s[n - 1].hi);
	struct prefixes in = { .n = 0 }, but = { .n = 0 };
	struct bh_addr first, last, from, to;

	for (size_t i = 0; i < n && in.n <= PREFIXES_SHOWN; i++)
		add_range(&in, s[i].lo, &s[i].hi);
	bh_prefix_range(&whole, &first, &last);
	from = first;
	for (size_t i = 0; i <= n && but.n <= PREFIXES_SHOWN; i++) {
		bool gap = i < n ? bh_addr_cmp(&from, &s[i].lo) < 0 && bh_addr_prev(&s[i].lo, &to)
				 : bh_addr_cmp(&s[n - 1].hi, &last) < 0;

		if (gap)
			add_range(&but, from, i < n ? &to : &last);
		if (i < n && !bh_addr_next(&s[i].hi, &from))
			break;
	}
	if (in.n == 1 || (in.n <= PREFIXES_SHOWN && in.n <= but.n)) {
		put_prefixes(out, &in);
	} else if (but.n <= PREFIXES_SHOWN) {
		put_prefix(out, &whole);
		bh_buf_puts(out, " but ");
		put_prefixes(out, &but);
	} else {
		put_prefixes(out, &in);
	}
}

void bh_party_name_spans(const struct bh_span *spans, size_t n, struct bh_buf *out)
{
	size_t v4 = 0;

	while (v4 < n && spans[v4].lo.family == 4)
		v4++;
	if (v4 > 0)
		put_family(out, spans, v4);
	if (v4 > 0 && v4 < n)
		bh_buf_puts(out, " + ");
	if (v4 < n)
		put_family(out, spans + v4, n - v4);
}

/* ---- unique ---- */

static int by_name(const void *a, const void *b)
{
	const struct bh_party *const *x = a, *const *y = b;
	int c = strcmp((*x)->name, (*y)->name);

	return c ? c : (*x > *y) - (*x < *y);
}

static int rename_to(struct bh_party *p, const char *end)
{
	char *name = NULL;

	if (asprintf(&name, "%s%s", p->name, end) < 0)
		return -ENOMEM;
	free(p->name);
	p->name = name;
	return 0;
}

/* @n parties of one name: by their families if that is enough, else by numbers. */
static int part(struct bh_party **l, size_t n)
{
	bool families =
	    n == 2 && l[0]->v4 != l[1]->v4 && l[0]->v6 != l[1]->v6 && l[0]->v4 != l[0]->v6;
	char end[24];
	int r = 0;

	for (size_t i = families ? 0 : 1; i < n && r == 0; i++) {
		(void)snprintf(end, sizeof(end), " #%zu", i + 1);
		r = rename_to(l[i], !families ? end : l[i]->v4 ? " IPv4" : " IPv6");
	}
	return r;
}

int bh_party_names_part(struct bh_parties *p)
{
	bh_autofree struct bh_party **l = calloc(p->n + 1, sizeof(struct bh_party *));
	int r = l ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < p->n; i++)
		l[i] = &p->items[i];
	if (r == 0)
		qsort(l, p->n, sizeof(struct bh_party *), by_name);
	for (size_t i = 0, end; r == 0 && i < p->n; i = end) {
		for (end = i + 1; end < p->n && bh_streq(l[end]->name, l[i]->name);)
			end++;
		if (end > i + 1)
			r = part(l + i, end - i);
	}
	return r;
}
