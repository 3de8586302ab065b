/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_icmp.c - types of ICMP and ICMPv6, by name or number
 *
 * They become ports of the rule, type << 8 | code. A name has its numbers in both families; a bare number means that
 * number in both. The names are in policy/icmp.h.
 */
#include "policy/load/load_internal.h"

#include "common/parse.h"
#include "common/util.h"
#include "policy/icmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

#define NAMES_MAX 32

static void add(struct bh_rule *r, uint8_t l4, unsigned type, unsigned code, unsigned last,
		struct bh_pos pos)
{
	r->ports[r->n_ports++] = (struct bh_port){
		.l4 = l4,
		.lo = (uint16_t)(type << 8 | code),
		.hi = (uint16_t)(type << 8 | last),
		.pos = pos,
	};
}

static void add_both(struct bh_rule *r, unsigned type, unsigned code, unsigned last,
		     struct bh_pos pos)
{
	add(r, BH_L4_ICMP, type, code, last, pos);
	add(r, BH_L4_ICMPV6, type, code, last, pos);
}

static void by_name(struct bh_load *l, const struct bh_yaml_node *n, struct bh_rule *r)
{
	const char *names[NAMES_MAX];
	const struct bh_icmp_type *t;
	char near[96];
	const char *hint;
	size_t count = 0;

	for (; count < NAMES_MAX && (t = bh_icmp_nth(count)); count++) {
		names[count] = t->name;
		if (strcmp(t->name, n->text) != 0)
			continue;
		if (t->reply)
			bh_warn(&l->rd, n, "w10", "leave it out, or write echo-request",
				"%s matches nothing: replies of what is allowed pass by themselves",
				n->text);
		if (!t->reply && t->v4 >= 0)
			add(r, BH_L4_ICMP, (unsigned)t->v4, 0, 255, n->pos);
		if (!t->reply && t->v6 >= 0)
			add(r, BH_L4_ICMPV6, (unsigned)t->v6, 0, 255, n->pos);
		return;
	}
	hint = bh_suggest(n->text, names, count, near, sizeof(near));
	bh_complain(&l->rd, n, "e19", hint ? hint : "write echo-request, 8, or 3/1 (type/code)",
		    "unknown type of ICMP \"%.80s\" in %s", n->text, bh_path(&l->rd, ""));
}

/* "8", "3/1" */
static bool by_numbers(struct bh_load *l, const struct bh_yaml_node *n, struct bh_rule *r)
{
	bh_autofree char *s = bh_load_strdup(l, n->text);
	char *slash = s ? strchr(s, '/') : NULL;
	uint64_t type = 0, code = 0;

	if (!s)
		return true;
	if (slash)
		*slash = '\0';
	if (bh_parse_u64(s, 255, &type) < 0 || (slash && bh_parse_u64(slash + 1, 255, &code) < 0))
		return false;
	add_both(r, (unsigned)type, (unsigned)code, slash ? (unsigned)code : 255, n->pos);
	return true;
}

void bh_load_icmp(struct bh_load *l, const struct bh_yaml_node *list, struct bh_rule *r)
{
	const struct bh_field *f = &bh_object_rule.fields[BH_F_RULE_ICMP];
	struct bh_port *ports;

	if (list->n == 0 || list->n > f->max_items)
		return; /* complained about */
	ports = reallocarray(r->ports, r->n_ports + (size_t)list->n * 2, sizeof(*ports));
	if (!ports) {
		bh_reader_nomem(&l->rd);
		return;
	}
	r->ports = ports;
	r->has_ports = true;
	for (uint32_t i = 0; i < list->n; i++) {
		const struct bh_yaml_node *n = list->items[i];
		size_t mark = bh_path_index(&l->rd, i);
		int64_t v = 0;

		if (bh_read_item(&l->rd, n, f)) {
			if (bh_node_int(n, &v)) {
				char hint[64];

				(void)snprintf(hint, sizeof(hint), "write %lld if that is meant",
					       (long long)v);
				if (n->octal)
					bh_warn(&l->rd, n, "w6", hint,
						"type %s is octal: type %lld", n->text,
						(long long)v);
				add_both(r, (unsigned)v, 0, 255, n->pos);
			} else if (!by_numbers(l, n, r)) {
				by_name(l, n, r);
			}
		}
		bh_path_back(&l->rd, mark);
	}
}
