/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/ruleset/ruleset_print.c - a rule set as text: for golden tests, `bulkhead render` and people
 *
 * Canonical: the same block gives the same text. Classes of endpoints are written e1, e2, ... (the number
 * less BH_CLASS_ENDPOINT), reasons #1, #2, ..., predicates ?1, ?2, ... by their numbers, nodes of decision graphs by
 * their places, which only this text has to know.
 */
#include "common/util.h"
#include "policy/ruleset/ruleset_block.h"

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

/* "80", "80-90"; of ICMP types and codes: "type 8", "3/4", "3/0-5/255". */
static void put_range(struct bh_buf *out, uint32_t l4, unsigned lo, unsigned hi)
{
	bool icmp = l4 == BH_L4_ICMP || l4 == BH_L4_ICMPV6;

	if (!icmp && lo == hi)
		bh_buf_printf(out, "%u", lo);
	else if (!icmp)
		bh_buf_printf(out, "%u-%u", lo, hi);
	else if (lo % 256 == 0 && hi == (lo | 255U))
		bh_buf_printf(out, "type %u", lo >> 8);
	else if (lo == hi)
		bh_buf_printf(out, "%u/%u", lo >> 8, lo & 255);
	else
		bh_buf_printf(out, "%u/%u-%u/%u", lo >> 8, lo & 255, hi >> 8, hi & 255);
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

		bh_buf_printf(out, "  p%-5u %s ", p->id - BH_PORT_PIECE_BASE,
			      bh_l4_name(p->l4, l4));
		put_range(out, p->l4, p->lo, p->hi);
		bh_buf_putc(out, '\n');
	}
}

static void put_port(struct bh_buf *out, const struct bh_ruleset *rs, const struct bh_cell *c)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	const struct bh_port_piece *p = bh_rs_piece_by_id(rs, c->port);
	char l4[8];

	bh_buf_puts(&text, bh_l4_name(c->l4, l4));
	if (c->port != BH_PORT_ANY)
		bh_buf_putc(&text, ' ');
	if (p)
		put_range(&text, c->l4, p->lo, p->hi);
	else if (c->port >= BH_PORT_PIECE_BASE)
		bh_buf_putc(&text, '?');
	else if (c->port != BH_PORT_ANY)
		put_range(&text, c->l4, c->port, c->port);
	bh_buf_printf(out, "    %-16s ", bh_buf_str(&text));
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

/* A word, or the node that decides and the worst that can come of it. */
static void put_next(struct bh_buf *out, const struct bh_ruleset *rs, uint32_t next)
{
	if (bh_ruleset_node(rs, next))
		bh_buf_printf(out, "node %u", bh_word_number(next));
	else
		put_word(out, next);
}

static void put_answer(struct bh_buf *out, const struct bh_ruleset *rs, const char *name,
		       uint32_t word, uint32_t next)
{
	bh_buf_printf(out, "    %-16s ", name);
	put_next(out, rs, next);
	if (next != word) {
		bh_buf_puts(out, ", at worst ");
		put_word(out, word);
	}
}

static void put_switches(struct bh_buf *out, uint32_t switches)
{
	static const char *const names[] = { "starttls", "sslrequest" };
	const char *sep = "";

	if (switches & BH_SWITCH_USUAL)
		return;
	bh_buf_puts(out, " [switches: ");
	for (unsigned i = 0; i < BH_ARRAY_SIZE(names); i++) {
		if (switches & 1U << i) {
			bh_buf_printf(out, "%s%s", sep, names[i]);
			sep = ", ";
		}
	}
	bh_buf_puts(out, *sep ? "]" : "none]");
}

static void print_entry(const struct bh_ruleset *rs, const struct bh_contract_entry *e,
			struct bh_buf *out)
{
	put_answer(out, rs, bh_proto_name(e->proto) ? bh_proto_name(e->proto) : "?", e->word,
		   e->next);
	if (bh_word_verdict(e->next) == BH_WORD_ALLOW || bh_ruleset_node(rs, e->next))
		put_switches(out, e->switches);
	if (e->proxy == BH_PROXY_ALLOW || e->proxy == BH_PROXY_REQUIRE)
		bh_buf_printf(out, " [PROXY header: %s]",
			      e->proxy == BH_PROXY_ALLOW ? "allowed" : "required");
	bh_buf_putc(out, '\n');
}

static void print_contracts(const struct bh_ruleset *rs, struct bh_buf *out)
{
	for (size_t i = 0; i < rs->n[BH_RS_CONTRACTS]; i++) {
		const struct bh_contract *c = &rs->contracts[i];
		const struct bh_contract_entry *e = bh_ruleset_entries(rs, c);

		bh_buf_printf(out, "\ncontract %u\n", c->number);
		for (uint32_t k = 0; k < c->n; k++)
			print_entry(rs, &e[k], out);
		put_answer(out, rs, "other", c->other, c->other_next);
		bh_buf_putc(out, '\n');
		put_answer(out, rs, "unknown", c->unknown, c->unknown_next);
		bh_buf_putc(out, '\n');
		put_answer(out, rs, "undecided", c->undecided, c->undecided);
		bh_buf_putc(out, '\n');
		if (c->on_overload > BH_FAIL_REFUSE)
			bh_buf_printf(out, "    %-16s %s\n", "on overload",
				      bh_fail_name((enum bh_fail)c->on_overload));
		if (c->midstream > BH_FAIL_REFUSE)
			bh_buf_printf(out, "    %-16s %s\n", "midstream",
				      bh_fail_name((enum bh_fail)c->midstream));
	}
}

static void print_graphs(const struct bh_ruleset *rs, struct bh_buf *out)
{
	if (rs->n[BH_RS_NODES])
		bh_buf_puts(out, "\nnodes\n");
	for (size_t i = 0; i < rs->n[BH_RS_NODES]; i++) {
		const struct bh_rs_node *n = &rs->nodes[i];
		const struct bh_rs_pred *p = bh_ruleset_pred_at(rs, n->pred);

		bh_buf_printf(out, "  %-6zu ?%u: ", i, p ? p->number : 0);
		put_next(out, rs, n->yes);
		bh_buf_puts(out, ", else ");
		put_next(out, rs, n->no);
		bh_buf_putc(out, '\n');
	}
	if (rs->n[BH_RS_PREDS])
		bh_buf_puts(out, "\npredicates\n");
	for (size_t i = 0; i < rs->n[BH_RS_PREDS]; i++) {
		const struct bh_rs_pred *p = &rs->preds[i];

		bh_buf_printf(out, "  ?%-5u %-5s %s\n", p->number,
			      bh_detail_name((enum bh_detail_kind)p->kind),
			      bh_ruleset_text(rs, p->text));
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
	print_graphs(rs, out);
	print_reasons(rs, out);
}
