/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_port.c - ports: the form of NetworkPolicy, and the short forms of TrafficPolicy
 *
 * Short forms are 80, 443/tcp, 8000-8100, 53/udp, http, metrics/tcp. Without a protocol it is TCP.
 */
#include "policy/load/load_internal.h"

#include "common/parse.h"
#include "common/util.h"
#include "policy/names.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

#define SHORT_FORMS "write 80, 53/udp, 8000-8100, http or metrics/tcp"

uint8_t bh_load_l4(const struct bh_yaml_node *n)
{
	const char *s = n ? bh_node_str(n) : "TCP";

	if (strcasecmp(s, "TCP") == 0)
		return BH_L4_TCP;
	if (strcasecmp(s, "UDP") == 0)
		return BH_L4_UDP;
	return strcasecmp(s, "SCTP") == 0 ? BH_L4_SCTP : BH_L4_ANY;
}

bool bh_load_port_number(struct bh_load *l, const struct bh_yaml_node *n, int64_t v, uint16_t *ret)
{
	char hint[64];

	if (v < 1 || v > UINT16_MAX) {
		bh_complain(&l->rd, n, "e6", NULL, "port %.40s in %s is not in 1-65535",
			    bh_node_str(n), bh_path(&l->rd, ""));
		return false;
	}
	if (n->octal) {
		(void)snprintf(hint, sizeof(hint), "write %lld if that is meant", (long long)v);
		bh_warn(&l->rd, n, "w6", hint, "port %s is octal: port %lld", n->text,
			(long long)v);
	}
	*ret = (uint16_t)v;
	return true;
}

void bh_load_port_name(struct bh_load *l, const struct bh_yaml_node *n, const char *name,
		       struct bh_port *p)
{
	const char *why = bh_name_port(name);

	if (why) {
		bool digits = *name && name[strspn(name, "0123456789")] == '\0';

		bh_complain(&l->rd, n, "e6", digits ? "write the number without quotes" : why,
			    "\"%.80s\" in %s is neither a port number nor the name of a port", name,
			    bh_path(&l->rd, ""));
		return;
	}
	p->name = bh_load_strdup(l, name);
	p->lo = p->hi = 0;
}

/* ---- {port: 80, endPort: 90, protocol: TCP} ---- */

static void end_port(struct bh_load *l, const struct bh_yaml_node *port,
		     const struct bh_yaml_node *end, struct bh_port *p)
{
	size_t mark = bh_path_key(&l->rd, "endPort");
	int64_t v = 0;

	if (!port || port->type == BH_YAML_STRING)
		bh_complain(&l->rd, end, "e5", "give port a number",
			    port ? "%s needs a port that is a number, not a name"
				 : "%s needs a port in which the range begins",
			    bh_path(&l->rd, ""));
	else if (bh_node_int(end, &v) && bh_load_port_number(l, end, v, &p->hi) && p->hi < p->lo)
		bh_complain(&l->rd, end, "e5", NULL,
			    "\"%u-%u\" in %s: the range ends before it begins", p->lo, p->hi,
			    bh_path(&l->rd, ""));
	bh_path_back(&l->rd, mark);
}

/* Return: the protocol was written */
static bool port_map(struct bh_load *l, const struct bh_yaml_node *n, struct bh_port *p)
{
	struct bh_got got[BH_F_PORT_COUNT];
	const struct bh_yaml_node *port;
	size_t mark;
	int64_t v = 0;

	*p = (struct bh_port){ .l4 = BH_L4_TCP, .lo = 0, .hi = UINT16_MAX, .pos = n->pos };
	if (!bh_read_fields(&l->rd, n, &bh_object_port, l->in, got))
		return false;
	port = got[BH_F_PORT_PORT].value;
	if (got[BH_F_PORT_PROTOCOL].value)
		p->l4 = bh_load_l4(got[BH_F_PORT_PROTOCOL].value);
	if (port) {
		mark = bh_path_key(&l->rd, "port");
		if (port->type == BH_YAML_STRING) {
			bh_load_port_name(l, port, port->text, p);
		} else if (bh_node_int(port, &v) && bh_load_port_number(l, port, v, &p->lo)) {
			p->hi = p->lo;
		}
		bh_path_back(&l->rd, mark);
	}
	if (got[BH_F_PORT_END].value)
		end_port(l, port, got[BH_F_PORT_END].value, p);
	return got[BH_F_PORT_PROTOCOL].value != NULL;
}

/* ---- short forms ---- */

/* Decimal, without a leading zero. */
static bool short_number(struct bh_load *l, const struct bh_yaml_node *n, const char *s,
			 uint16_t *ret)
{
	uint64_t v = 0;
	int r = bh_parse_u64(s, UINT16_MAX, &v);

	if (r == -EINVAL || (s[0] == '0' && s[1] != '\0')) {
		bh_complain(&l->rd, n, "e6", SHORT_FORMS, "\"%.80s\" in %s is not a port",
			    bh_node_str(n), bh_path(&l->rd, ""));
		return false;
	}
	if (r < 0 || v == 0) {
		bh_complain(&l->rd, n, "e6", NULL, "port %.40s in %s is not in 1-65535", s,
			    bh_path(&l->rd, ""));
		return false;
	}
	*ret = (uint16_t)v;
	return true;
}

static void short_range(struct bh_load *l, const struct bh_yaml_node *n, char *s, struct bh_port *p)
{
	char *dash = strchr(s, '-');

	if (dash)
		*dash = '\0';
	if (!short_number(l, n, s, &p->lo))
		return;
	p->hi = p->lo;
	if (!dash || !short_number(l, n, dash + 1, &p->hi))
		return;
	if (p->hi < p->lo)
		bh_complain(&l->rd, n, "e5", NULL,
			    "\"%u-%u\" in %s: the range ends before it begins", p->lo, p->hi,
			    bh_path(&l->rd, ""));
}

/* Return: the protocol was written */
static bool port_text(struct bh_load *l, const struct bh_yaml_node *n, struct bh_port *p)
{
	bh_autofree char *s = bh_load_strdup(l, n->text);
	char *slash = s ? strchr(s, '/') : NULL;

	*p = (struct bh_port){ .l4 = BH_L4_TCP, .pos = n->pos };
	if (!s)
		return false;
	if (slash) {
		struct bh_yaml_node l4 = { .type = BH_YAML_STRING, .text = slash + 1 };

		*slash = '\0';
		p->l4 = bh_load_l4(&l4);
		if (p->l4 == BH_L4_ANY) {
			bh_complain(&l->rd, n, "e6", "after \"/\" there must be tcp, udp or sctp",
				    "unknown protocol \"%.40s\" in %s", slash + 1,
				    bh_path(&l->rd, ""));
			return true;
		}
	}
	if (s[strspn(s, "0123456789-")] == '\0' && s[strspn(s, "-")] != '\0')
		short_range(l, n, s, p);
	else
		bh_load_port_name(l, n, s, p);
	return slash != NULL;
}

static bool port(struct bh_load *l, const struct bh_yaml_node *n, struct bh_port *p)
{
	static const struct bh_field a_map = { .name = "", .type = BH_FIELD_MAP };
	int64_t v = 0;

	if (bh_node_is_null(n) || n->type == BH_YAML_MAP)
		return port_map(l, n, p);
	*p = (struct bh_port){ .l4 = BH_L4_TCP, .pos = n->pos };
	if (l->in & BH_IN_NETWORK_POLICY) {
		(void)bh_read_value(&l->rd, n, &a_map);
		return false;
	}
	if (bh_node_int(n, &v)) {
		if (bh_load_port_number(l, n, v, &p->lo))
			p->hi = p->lo;
		return false;
	}
	if (n->type == BH_YAML_STRING)
		return port_text(l, n, p);
	bh_complain(&l->rd, n, "e8", SHORT_FORMS, "%s is %s", bh_path(&l->rd, ""),
		    bh_yaml_type_name((enum bh_yaml_type)n->type));
	return false;
}

void bh_load_ports(struct bh_load *l, const struct bh_yaml_node *list, struct bh_rule *r)
{
	const struct bh_yaml_node *dns = NULL;
	bool udp = false;

	r->has_ports = list->n > 0;
	r->ports = bh_load_array(l, list->n, sizeof(*r->ports));
	for (uint32_t i = 0; r->ports && i < list->n; i++) {
		size_t mark = bh_path_index(&l->rd, i);
		struct bh_port *p = &r->ports[r->n_ports++];
		bool explicit = port(l, list->items[i], p);

		if (!p->name && p->lo == 53 && p->hi == 53 && !explicit)
			dns = list->items[i];
		udp |= !p->name && p->l4 == BH_L4_UDP && p->lo <= 53 && p->hi >= 53;
		bh_path_back(&l->rd, mark);
	}
	if (dns && !udp && r->action == BH_ACTION_ALLOW)
		bh_warn(&l->rd, dns, "w4", "add it, or say that TCP is meant: 53/tcp",
			"port 53 means 53/tcp; DNS needs 53/udp too");
}
