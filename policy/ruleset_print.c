/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/ruleset_print.c - a rule set as text: for golden tests, `bulkhead render` and people
 *
 * Canonical: the same block gives the same text. Classes of endpoints are written e1, e2, ... (the number
 * less BH_CLASS_ENDPOINT), reasons #1, #2, ...
 */
#include "common/util.h"
#include "policy/ruleset_block.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* "e3", "2", "any", "any endpoint". @buf: 16 bytes. */
static const char *class_name(uint32_t cls, char *buf)
{
	if (cls == BH_PEER_ANY)
		return "any";
	if (cls == BH_PEER_ANY_ENDPOINT)
		return "any endpoint";
	if (cls == BH_CLASS_HOST)
		return "own node";
	snprintf(buf, 16, "%s%u", cls & BH_CLASS_ENDPOINT ? "e" : "", cls & ~BH_CLASS_ENDPOINT);
	return buf;
}

static void put_class(struct bh_buf *out, const struct bh_ruleset *rs, uint32_t cls)
{
	const struct bh_class *c = bh_ruleset_class(rs, cls);
	char name[16];

	bh_buf_puts(out, class_name(cls, name));
	if (c)
		bh_buf_printf(out, " (%s)", bh_ruleset_text(rs, c->text));
}

static const char *verdict_name(uint32_t word)
{
	switch (bh_word_verdict(word)) {
	case BH_WORD_ALLOW:
		return "allow";
	case BH_WORD_DROP:
		return "drop";
	case BH_WORD_REJECT:
		return "reject";
	case BH_WORD_CONTRACT:
		return "contract";
	default:
		return "invalid";
	}
}

static void put_word(struct bh_buf *out, uint32_t word)
{
	bh_buf_puts(out, verdict_name(word));
	if (word & BH_WORD_REPORT)
		bh_buf_puts(out, "+report");
	if (word & BH_WORD_OPEN)
		bh_buf_puts(out, "+open");
	bh_buf_printf(out, bh_word_verdict(word) == BH_WORD_CONTRACT ? " %u" : " #%u",
		      bh_word_number(word));
}

static void put_protoset(struct bh_buf *out, const struct bh_protoset *s)
{
	const char *sep = "";

	for (unsigned p = 0; p < 256; p++) {
		if (!bh_protoset_has(s, p))
			continue;
		bh_buf_puts(out, sep);
		if (bh_proto_name(p))
			bh_buf_puts(out, bh_proto_name(p));
		else
			bh_buf_printf(out, "%u", p);
		sep = ", ";
	}
}

static void print_classes(const struct bh_ruleset *rs, struct bh_buf *out)
{
	bh_buf_puts(out, "\nclasses\n");
	for (size_t i = 0; i < rs->n[BH_RS_CLASSES]; i++) {
		const struct bh_class *c = &rs->classes[i];
		char name[16];

		bh_buf_printf(out, "  %-6s %s", class_name(c->number, name),
			      bh_ruleset_text(rs, c->text));
		if (c->subject_in == 1 && c->subject_eg == 1)
			bh_buf_puts(out, "  [subject for ingress, egress]");
		else if (c->subject_in == 1 || c->subject_eg == 1)
			bh_buf_printf(out, "  [subject for %s]",
				      c->subject_in == 1 ? "ingress" : "egress");
		if (c->subject_in == 2 || c->subject_eg == 2)
			bh_buf_puts(out, "  [subject on other hosts]");
		bh_buf_putc(out, '\n');
	}
}

static void print_pieces(const struct bh_ruleset *rs, struct bh_buf *out)
{
	char l4[8], lo[BH_ADDR_STRLEN], hi[BH_ADDR_STRLEN], name[16];

	if (rs->n[BH_RS_CIDRS])
		bh_buf_puts(out, "\naddresses of no endpoint\n");
	for (size_t i = 0; i < rs->n[BH_RS_CIDRS]; i++) {
		const struct bh_cidr_piece *p = &rs->cidrs[i];
		struct bh_addr a, b;

		a = p->family == 4 ? bh_addr_from_v4(p->lo) : bh_addr_from_v6(p->lo);
		b = p->family == 4 ? bh_addr_from_v4(p->hi) : bh_addr_from_v6(p->hi);
		bh_buf_printf(out, "  %-6s %s - %s\n", class_name(p->cls, name),
			      bh_addr_format(&a, lo), bh_addr_format(&b, hi));
	}
	if (rs->n[BH_RS_PORTS])
		bh_buf_puts(out, "\nport pieces\n");
	for (size_t i = 0; i < rs->n[BH_RS_PORTS]; i++) {
		const struct bh_port_piece *p = &rs->ports[i];

		bh_buf_printf(out, "  p%-5u %s %u-%u\n", p->id - BH_PORT_PIECE_BASE,
			      bh_l4_name(p->l4, l4), p->lo, p->hi);
	}
}

static void put_port(struct bh_buf *out, const struct bh_ruleset *rs, const struct bh_cell *c)
{
	const struct bh_port_piece *p;
	char l4[8], text[48];

	if (c->port == BH_PORT_ANY)
		snprintf(text, sizeof(text), "%s", bh_l4_name(c->l4, l4));
	else if (c->port < BH_PORT_PIECE_BASE)
		snprintf(text, sizeof(text), "%s %u", bh_l4_name(c->l4, l4), c->port);
	else if ((p = bh_rs_piece_by_id(rs, c->port)) != NULL)
		snprintf(text, sizeof(text), "%s %u-%u", bh_l4_name(c->l4, l4), p->lo, p->hi);
	else
		snprintf(text, sizeof(text), "%s ?", bh_l4_name(c->l4, l4));
	bh_buf_printf(out, "    %-16s ", text);
}

static void print_cells(const struct bh_ruleset *rs, struct bh_buf *out)
{
	for (size_t i = 0; i < rs->n[BH_RS_CELLS]; i++) {
		const struct bh_cell *c = &rs->cells[i];
		bool subject = i == 0 || c[-1].dir != c->dir || c[-1].subject != c->subject;

		if (subject) {
			bh_buf_printf(out, "\n%s of ", bh_dir_name((enum bh_dir)c->dir));
			put_class(out, rs, c->subject);
			bh_buf_putc(out, '\n');
		}
		if (subject || c[-1].peer != c->peer) {
			bh_buf_puts(out, c->dir == BH_DIR_INGRESS ? "  from " : "  to ");
			put_class(out, rs, c->peer);
			bh_buf_putc(out, '\n');
		}
		put_port(out, rs, c);
		put_word(out, c->word);
		bh_buf_putc(out, '\n');
	}
}

static void put_answer(struct bh_buf *out, const char *name, uint32_t word)
{
	bh_buf_printf(out, "    %-16s ", name);
	put_word(out, word);
	bh_buf_putc(out, '\n');
}

static void print_contracts(const struct bh_ruleset *rs, struct bh_buf *out)
{
	for (size_t i = 0; i < rs->n[BH_RS_CONTRACTS]; i++) {
		const struct bh_contract *c = &rs->contracts[i];
		const struct bh_contract_entry *e = bh_ruleset_entries(rs, c);

		bh_buf_printf(out, "\ncontract %u\n", c->number);
		for (uint32_t k = 0; k < c->n; k++)
			put_answer(out, bh_proto_name(e[k].proto) ? bh_proto_name(e[k].proto) : "?",
				   e[k].word);
		put_answer(out, "other", c->other);
		put_answer(out, "unknown", c->unknown);
		put_answer(out, "undecided", c->undecided);
	}
}

static void print_reasons(const struct bh_ruleset *rs, struct bh_buf *out)
{
	if (rs->n[BH_RS_REASONS])
		bh_buf_puts(out, "\nreasons\n");
	for (size_t i = 0; i < rs->n[BH_RS_REASONS]; i++) {
		const struct bh_reason *r = &rs->reasons[i];
		const struct bh_protoset *x = bh_ruleset_protoset(rs, r->expected);

		bh_buf_printf(out, "  #%-5u %-8s %s", r->number, bh_dir_name((enum bh_dir)r->dir),
			      bh_ruleset_text(rs, r->text));
		if (x) {
			bh_buf_puts(out, " [expected: ");
			put_protoset(out, x);
			bh_buf_putc(out, ']');
		}
		bh_buf_putc(out, '\n');
	}
}

void bh_ruleset_print(const struct bh_ruleset *rs, struct bh_buf *out)
{
	bh_buf_printf(out, "rule set of revision %llu: %zu classes, %zu cells, %zu contracts\n",
		      (unsigned long long)rs->revision, rs->n[BH_RS_CLASSES], rs->n[BH_RS_CELLS],
		      rs->n[BH_RS_CONTRACTS]);
	print_classes(rs, out);
	print_pieces(rs, out);
	print_cells(rs, out);
	print_contracts(rs, out);
	print_reasons(rs, out);
}
