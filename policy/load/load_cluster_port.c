/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_cluster_port.c - ports in the forms of ClusterNetworkPolicy and of AdminNetworkPolicy
 *
 * A name stands for a port of whatever protocol, and of endpoints only: beside peers that are ranges of addresses,
 * nodes or names it is refused, as the API says.
 */
#include "policy/load/load_internal.h"

#include "common/util.h"

#include <string.h>

#include "common/banned.h"

static void number(struct bh_load *l, const struct bh_yaml_node *n, const char *key, uint16_t *ret)
{
	size_t mark = bh_path_key(&l->rd, key);
	int64_t v = 0;

	if (n && bh_node_int(n, &v))
		(void)bh_load_port_number(l, n, v, ret);
	bh_path_back(&l->rd, mark);
}

/* @o: bh_object_crange or bh_object_arange */
static void range(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_object *o,
		  struct bh_port *p)
{
	struct bh_got got[BH_F_RANGE_COUNT];
	const struct bh_yaml_node *end;

	if (!bh_read_fields(&l->rd, n, o, l->in, got))
		return;
	end = got[BH_F_RANGE_END].value;
	number(l, got[BH_F_RANGE_START].value, "start", &p->lo);
	number(l, end, "end", &p->hi);
	if (got[BH_F_RANGE_PROTOCOL].value)
		p->l4 = bh_load_l4(got[BH_F_RANGE_PROTOCOL].value);
	if (got[BH_F_RANGE_START].value && end && p->lo >= p->hi)
		bh_complain(&l->rd, end, "e5",
			    "start must be less than end; for one port write its number",
			    "\"%u-%u\" in %s: the range ends before it begins", p->lo, p->hi,
			    bh_path(&l->rd, ""));
}

static void named(struct bh_load *l, const struct bh_yaml_node *n, const char *addresses,
		  struct bh_port *p)
{
	p->l4 = BH_L4_ANY;
	bh_load_port_name(l, n, n->text, p);
	if (addresses)
		bh_complain(&l->rd, n, "e6", "write the number",
			    "a named port beside %s (%s): only pods have names for their ports",
			    addresses, bh_path(&l->rd, ""));
}

/* ---- v1alpha2: {tcp: {destinationPort: {number: 80}}} ---- */

static void destination(struct bh_load *l, const struct bh_yaml_node *n, struct bh_port *p)
{
	struct bh_got got[BH_F_CPORT_COUNT];
	const struct bh_yaml_node *value;
	size_t which, mark;

	if (!bh_read_fields(&l->rd, n, &bh_object_cport, l->in, got))
		return;
	which = bh_load_only_one(l, n, &bh_object_cport, got);
	if (which == SIZE_MAX)
		return;
	value = got[which].value;
	if (which == BH_F_CPORT_NUMBER) {
		number(l, value, "number", &p->lo);
		p->hi = p->lo;
		return;
	}
	mark = bh_path_key(&l->rd, "range");
	range(l, value, &bh_object_crange, p);
	bh_path_back(&l->rd, mark);
}

static void protocol(struct bh_load *l, const struct bh_yaml_node *n, const char *addresses,
		     struct bh_port *p)
{
	static const uint8_t l4[] = { BH_L4_TCP, BH_L4_UDP, BH_L4_SCTP };
	struct bh_got got[BH_F_CPROTO_COUNT], port[BH_F_CL4_COUNT];
	size_t which, mark;

	if (!bh_read_fields(&l->rd, n, &bh_object_cproto, l->in, got))
		return;
	which = bh_load_only_one(l, n, &bh_object_cproto, got);
	if (which == SIZE_MAX)
		return;
	mark = bh_path_key(&l->rd, bh_object_cproto.fields[which].name);
	if (which == BH_F_CPROTO_NAMED) {
		named(l, got[which].value, addresses, p);
	} else {
		p->l4 = l4[which];
		p->hi = UINT16_MAX;
		if (bh_read_fields(&l->rd, got[which].value, &bh_object_cl4, l->in, port) &&
		    port[BH_F_CL4_PORT].value) {
			(void)bh_path_key(&l->rd, "destinationPort");
			destination(l, port[BH_F_CL4_PORT].value, p);
		}
	}
	bh_path_back(&l->rd, mark);
}

/* ---- v1alpha1: {portNumber: {protocol: TCP, port: 80}} ---- */

static void port_number(struct bh_load *l, const struct bh_yaml_node *n, struct bh_port *p)
{
	struct bh_got got[BH_F_ANUMBER_COUNT];

	if (!bh_read_fields(&l->rd, n, &bh_object_anumber, l->in, got))
		return;
	p->l4 = bh_load_l4(got[BH_F_ANUMBER_PROTOCOL].value);
	number(l, got[BH_F_ANUMBER_PORT].value, "port", &p->lo);
	p->hi = p->lo;
}

static void admin_port(struct bh_load *l, const struct bh_yaml_node *n, const char *addresses,
		       struct bh_port *p)
{
	struct bh_got got[BH_F_APORT_COUNT];
	size_t which, mark;

	if (!bh_read_fields(&l->rd, n, &bh_object_aport, l->in, got))
		return;
	which = bh_load_only_one(l, n, &bh_object_aport, got);
	if (which == SIZE_MAX)
		return;
	mark = bh_path_key(&l->rd, bh_object_aport.fields[which].name);
	p->l4 = BH_L4_TCP;
	if (which == BH_F_APORT_NUMBER)
		port_number(l, got[which].value, p);
	else if (which == BH_F_APORT_NAMED)
		named(l, got[which].value, addresses, p);
	else
		range(l, got[which].value, &bh_object_arange, p);
	bh_path_back(&l->rd, mark);
}

void bh_load_cluster_ports(struct bh_load *l, const struct bh_yaml_node *list, const char *networks,
			   struct bh_rule *r)
{
	r->has_ports = true;
	r->ports = bh_load_array(l, list->n, sizeof(*r->ports));
	for (uint32_t i = 0; r->ports && i < list->n; i++) {
		size_t mark = bh_path_index(&l->rd, i);
		struct bh_port *p = &r->ports[r->n_ports++];

		/* Until it is known: one that matches nothing much. */
		*p = (struct bh_port){ .l4 = BH_L4_TCP, .pos = list->items[i]->pos };
		if (l->kind == BH_KIND_CLUSTER_NETWORK_POLICY)
			protocol(l, list->items[i], networks, p);
		else
			admin_port(l, list->items[i], networks, p);
		bh_path_back(&l->rd, mark);
	}
}
