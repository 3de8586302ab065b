// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/matrix_text.c - who reaches whom as a grid, a list, CSV, JSON and for Graphviz
 */
#include "cli/markup.h"
#include "cli/matrix.h"
#include "cli/out.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

static const struct {
	const char *sign, *text, *id;
	enum bh_colour colour;
} sums[] = {
	[BH_SUM_NONE] = { " ", "cannot meet", "none", BH_COLOUR_NONE },
	[BH_SUM_REFUSED] = { ".", "refused", "refused", BH_COLOUR_RED },
	[BH_SUM_PORTS] = { "+", "some ports", "ports", BH_COLOUR_YELLOW },
	[BH_SUM_SPOKEN] = { "~", "some protocols", "protocols", BH_COLOUR_YELLOW },
	[BH_SUM_MOST] = { "*", "everything but some ports or protocols", "most", BH_COLOUR_GREEN },
	[BH_SUM_ALL] = { "#", "everything", "everything", BH_COLOUR_GREEN },
};
BH_STATIC_ASSERT_TABLE(sums, BH_SUM_COUNT);

static unsigned digits(size_t n)
{
	unsigned d = 1;

	for (; n >= 10; n /= 10)
		d++;
	return d;
}

/* Characters, not bytes. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* ---- grid ---- */

/* Numbers of the columns, one digit below the other. */
static void put_head(const struct bh_matrix *m, size_t left, struct bh_buf *out)
{
	unsigned rows = digits(m->n_to);

	for (unsigned r = 0; r < rows; r++) {
		size_t power = 1;

		for (unsigned i = r + 1; i < rows; i++)
			power *= 10;
		bh_buf_printf(out, "%-*s", (int)left, r == 0 ? "from \\ to" : "");
		for (size_t k = 1; k <= m->n_to; k++) {
			if (k < power)
				bh_buf_puts(out, "  ");
			else
				bh_buf_printf(out, " %zu", k / power % 10);
		}
		bh_buf_putc(out, '\n');
	}
}

static void put_legend(const struct bh_matrix *m, bool colour, struct bh_buf *out)
{
	bool used[BH_SUM_COUNT] = { false }, same = m->n_from == m->n_to;

	for (size_t i = 0; i < m->n_from * m->n_to; i++)
		used[m->pairs[i].sum] = true;
	bh_buf_putc(out, '\n');
	for (unsigned s = BH_SUM_ALL; s > BH_SUM_NONE; s--) {
		if (!used[s])
			continue;
		bh_put_colour(out, colour, sums[s].colour, sums[s].sign);
		bh_buf_printf(out, " %s\n", sums[s].text);
	}
	for (size_t i = 0; same && i < m->n_to; i++)
		same = m->from[i] == m->to[i];
	if (same)
		return;
	bh_buf_puts(out, "\nto\n");
	for (size_t i = 0; i < m->n_to; i++) {
		bh_buf_printf(out, "%*zu  ", (int)digits(m->n_to), i + 1);
		bh_put_clean(out, bh_matrix_to(m, i)->name);
		bh_buf_putc(out, '\n');
	}
}

void bh_matrix_put_table(const struct bh_matrix *m, bool colour, struct bh_buf *out)
{
	unsigned d = digits(m->n_from);
	size_t names = 9;

	for (size_t i = 0; i < m->n_from; i++)
		names = BH_MAX(names, width(bh_matrix_from(m, i)->name));
	put_head(m, d + 2 + names + 1, out);
	for (size_t i = 0; i < m->n_from; i++) {
		const char *name = bh_matrix_from(m, i)->name;

		bh_buf_printf(out, "%*zu  ", (int)d, i + 1);
		bh_put_clean(out, name);
		bh_buf_printf(out, "%*s", (int)(names - width(name) + 1), "");
		for (size_t k = 0; k < m->n_to; k++) {
			uint8_t s = bh_matrix_pair(m, i, k)->sum;

			bh_buf_putc(out, ' ');
			bh_put_colour(out, colour, sums[s].colour, sums[s].sign);
		}
		while (out->len > 0 && out->data && out->data[out->len - 1] == ' ')
			out->len--;
		bh_buf_putc(out, '\n');
	}
	put_legend(m, colour, out);
}

void bh_matrix_put_list(const struct bh_matrix *m, struct bh_buf *out)
{
	bh_cleanup(bh_buf_done) struct bh_buf line = BH_BUF_INIT;

	for (size_t i = 0; i < m->n_from; i++) {
		for (size_t k = 0; k < m->n_to; k++) {
			const struct bh_pair *p = bh_matrix_pair(m, i, k);

			if (p->sum == BH_SUM_NONE || p->sum == BH_SUM_REFUSED)
				continue;
			bh_buf_clear(&line);
			bh_buf_printf(&line, "%s -> %s: ", bh_matrix_from(m, i)->name,
				      bh_matrix_to(m, k)->name);
			bh_matrix_put_ports(m, p, &line);
			bh_put_clean(out, bh_buf_str(&line));
			bh_buf_putc(out, '\n');
		}
	}
	if (bh_buf_failed(&line))
		out->failed = true;
}

/* ---- CSV ---- */

static const char *l4_text(uint32_t l4, char *buf)
{
	return l4 == BH_L4_ANY ? "other" : bh_l4_name(l4, buf);
}

static void csv_piece(const struct bh_matrix *m, const struct bh_party *from,
		      const struct bh_party *to, const struct bh_reach_piece *p, struct bh_buf *out)
{
	bh_cleanup(bh_buf_done) struct bh_buf spoken = BH_BUF_INIT, why = BH_BUF_INIT;
	enum bh_extent e = bh_meaning_extent(m->meanings, p->meaning);
	char buf[8];

	bh_put_csv(out, from->name);
	bh_buf_putc(out, ',');
	bh_put_csv(out, to->name);
	bh_buf_printf(out, ",%s,", l4_text(p->l4, buf));
	if (p->l4 != BH_L4_ANY)
		bh_buf_printf(out, "%u,%u,", p->lo, p->hi);
	else
		bh_buf_puts(out, ",,");
	bh_buf_puts(out, e == BH_EXTENT_ALL    ? "allow,"
			 : e == BH_EXTENT_NONE ? "refuse,"
					       : "depends,");
	bh_meaning_put(m->meanings, p->meaning, true, &spoken);
	bh_reach_put_why(m->compiled.rules, &p->words, e != BH_EXTENT_NONE, &why);
	bh_put_csv(out, bh_buf_str(&spoken));
	bh_buf_putc(out, ',');
	bh_put_csv(out, bh_buf_str(&why));
	bh_buf_puts(out, "\r\n");
	if (bh_buf_failed(&spoken) || bh_buf_failed(&why))
		out->failed = true;
}

void bh_matrix_put_csv(const struct bh_matrix *m, struct bh_buf *out)
{
	bh_buf_puts(out, "from,to,transport,first_port,last_port,outcome,spoken,by\r\n");
	for (size_t i = 0; i < m->n_from; i++) {
		for (size_t k = 0; k < m->n_to; k++) {
			const struct bh_pair *p = bh_matrix_pair(m, i, k);
			struct bh_reach_list l;

			if (p->sum == BH_SUM_NONE)
				continue;
			l = bh_reach_list_at(m->reach, p->list);
			for (size_t j = 0; j < l.n; j++) {
				/* "Everything else" always, so that no pair is missing. */
				if (bh_matrix_worth(m, &l, j) || j + 1 == l.n)
					csv_piece(m, bh_matrix_from(m, i), bh_matrix_to(m, k),
						  &l.items[j], out);
			}
		}
	}
}

/* ---- JSON ---- */

static json_t *party_json(const struct bh_matrix *m, const struct bh_party *p)
{
	json_t *v = json_pack("{s:s, s:s, s:[]}", "name", p->name, "kind",
			      bh_party_kind_name(p->kind), "members");
	json_t *members = json_object_get(v, "members");
	bool bad = !v;

	if (p->kind == BH_PARTY_ENDPOINTS)
		bad |= json_object_set_new(v, "namespace", json_string(p->ns)) < 0;
	for (size_t i = 0; i < p->n_members && !bad; i++) {
		const struct bh_endpoint *e = m->eps[p->members[i]];

		if (p->kind == BH_PARTY_ENDPOINTS)
			bad |= json_array_append_new(members,
						     json_sprintf("%s/%s", e->ns, e->name)) < 0;
		else
			bad |= json_array_append_new(
				   members, json_string(m->nodes[p->members[i]]->name)) < 0;
	}
	if (bad)
		json_decref(bh_take_ptr(&v));
	return v;
}

static json_t *piece_json(const struct bh_matrix *m, const struct bh_reach_piece *p)
{
	json_t *v = bh_meaning_json(m->meanings, p->meaning);
	bool refused = bh_meaning_extent(m->meanings, p->meaning) == BH_EXTENT_NONE;
	char buf[8];
	bool bad = !v;

	bad |= json_object_set_new(v, "transport", json_string(l4_text(p->l4, buf))) < 0;
	if (p->l4 != BH_L4_ANY) {
		bad |= json_object_set_new(v, "first", json_integer(p->lo)) < 0;
		bad |= json_object_set_new(v, "last", json_integer(p->hi)) < 0;
	}
	bad |= json_object_set_new(v, "by",
				   bh_reach_why_json(m->compiled.rules, &p->words, !refused)) < 0;
	if (bad)
		json_decref(bh_take_ptr(&v));
	return v;
}

static json_t *pair_json(const struct bh_matrix *m, size_t row, size_t column)
{
	const struct bh_pair *p = bh_matrix_pair(m, row, column);
	struct bh_reach_list l = bh_reach_list_at(m->reach, p->list);
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	json_t *v, *ports;
	bool bad;

	bh_matrix_put_ports(m, p, &text);
	v = json_pack("{s:s, s:s, s:s, s:s, s:[]}", "from", bh_matrix_from(m, row)->name, "to",
		      bh_matrix_to(m, column)->name, "sum", sums[p->sum].id, "text",
		      bh_buf_str(&text), "ports");
	ports = json_object_get(v, "ports");
	bad = !v || bh_buf_failed(&text);
	for (size_t i = 0; i < l.n && !bad; i++) {
		if (bh_matrix_worth(m, &l, i) || i + 1 == l.n)
			bad |= json_array_append_new(ports, piece_json(m, &l.items[i])) < 0;
	}
	if (bad)
		json_decref(bh_take_ptr(&v));
	return v;
}

json_t *bh_matrix_json(const struct bh_matrix *m)
{
	json_t *v = json_pack("{s:[], s:[]}", "parties", "pairs");
	bool bad = !v;

	for (size_t i = 0; i < m->parties.n && !bad; i++)
		bad = json_array_append_new(json_object_get(v, "parties"),
					    party_json(m, &m->parties.items[i])) < 0;
	for (size_t i = 0; i < m->n_from * m->n_to && !bad; i++) {
		if (m->pairs[i].sum != BH_SUM_NONE)
			bad = json_array_append_new(json_object_get(v, "pairs"),
						    pair_json(m, i / m->n_to, i % m->n_to)) < 0;
	}
	if (bad)
		json_decref(bh_take_ptr(&v));
	return v;
}

/* ---- Graphviz ---- */

static void dot_party(const struct bh_party *p, size_t number, struct bh_buf *out)
{
	const char *slash = p->kind == BH_PARTY_ENDPOINTS ? strchr(p->name, '/') : NULL;

	bh_buf_printf(out, "  n%zu [label=", number);
	bh_put_dot(out, slash ? slash + 1 : p->name);
	bh_buf_puts(out, p->kind == BH_PARTY_ENDPOINTS ? "];\n" : ", shape=ellipse];\n");
}

/* Parties that are shown; those of one namespace in one frame. */
static void dot_parties(const struct bh_matrix *m, const bool *shown, struct bh_buf *out)
{
	const char *ns = "";

	for (size_t i = 0; i < m->parties.n; i++) {
		const struct bh_party *p = &m->parties.items[i];

		if (!shown[i])
			continue;
		if (!bh_streq(p->ns, ns)) {
			if (*ns)
				bh_buf_puts(out, "  }\n");
			ns = p->ns;
			if (*ns) {
				bh_buf_printf(out, "  subgraph cluster_%zu {\n  label=", i);
				bh_put_dot(out, ns);
				bh_buf_puts(out, ";\n");
			}
		}
		dot_party(p, i, out);
	}
	if (*ns)
		bh_buf_puts(out, "  }\n");
}

static void dot_edge(const struct bh_matrix *m, size_t row, size_t column, struct bh_buf *out)
{
	static const char *const colours[] = {
		[BH_SUM_NONE] = "",          [BH_SUM_REFUSED] = "",     [BH_SUM_PORTS] = "#2e7d32",
		[BH_SUM_SPOKEN] = "#1565c0", [BH_SUM_MOST] = "#b26a00", [BH_SUM_ALL] = "#b26a00",
	};
	const struct bh_pair *p = bh_matrix_pair(m, row, column);
	bh_cleanup(bh_buf_done) struct bh_buf label = BH_BUF_INIT;

	bh_matrix_put_ports(m, p, &label);
	bh_buf_printf(out, "  n%zu -> n%zu [color=\"%s\", label=", m->from[row], m->to[column],
		      colours[p->sum]);
	bh_put_dot(out, bh_buf_str(&label));
	bh_buf_puts(out, "];\n");
	if (bh_buf_failed(&label))
		out->failed = true;
}

void bh_matrix_put_dot(const struct bh_matrix *m, struct bh_buf *out)
{
	bh_autofree bool *shown = calloc(m->parties.n + 1, sizeof(*shown));

	if (!shown) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < m->n_from; i++)
		shown[m->from[i]] = true;
	for (size_t i = 0; i < m->n_to; i++)
		shown[m->to[i]] = true;
	bh_buf_puts(out, "digraph matrix {\n"
			 "  rankdir=LR;\n"
			 "  node [shape=box, fontname=\"sans-serif\", fontsize=11];\n"
			 "  edge [fontname=\"sans-serif\", fontsize=9];\n");
	dot_parties(m, shown, out);
	for (size_t i = 0; i < m->n_from; i++) {
		for (size_t k = 0; k < m->n_to; k++) {
			if (bh_matrix_pair(m, i, k)->sum > BH_SUM_REFUSED)
				dot_edge(m, i, k, out);
		}
	}
	bh_buf_puts(out, "}\n");
}
