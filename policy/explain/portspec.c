/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/explain/portspec.c - one port, as people write it who ask about a connection
 */
#include "policy/portspec.h"

#include "common/parse.h"
#include "common/util.h"
#include "policy/icmp.h"
#include "policy/model.h"

#include <string.h>
#include <strings.h>

#include "common/banned.h"

struct transport {
	const char *name;
	uint8_t l4;
	bool ports;
};

static const struct transport transports[] = {
	{ "tcp", BH_L4_TCP, true },        { "udp", BH_L4_UDP, true },
	{ "sctp", BH_L4_SCTP, true },      { "icmp", BH_L4_ICMP, false },
	{ "icmpv6", BH_L4_ICMPV6, false },
};

static const struct transport *transport_find(const char *name, size_t n)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(transports); i++) {
		if (strlen(transports[i].name) == n &&
		    strncasecmp(name, transports[i].name, n) == 0)
			return &transports[i];
	}
	return NULL;
}

static int unknown_transport(const char *name, struct bh_err *err)
{
	const char *names[BH_ARRAY_SIZE(transports)], *near;

	for (size_t i = 0; i < BH_ARRAY_SIZE(transports); i++)
		names[i] = transports[i].name;
	near = bh_nearest(name, names, BH_ARRAY_SIZE(names));
	if (near)
		return bh_err_set(err, -EINVAL, "unknown protocol '%s'; did you mean '%s'?", name,
				  near);
	return bh_err_set(err, -EINVAL, "'%s' is not tcp, udp or sctp", name);
}

/* "80", "80/tcp" */
static int parse_number(const char *s, const char *slash, const struct transport *t,
			uint16_t *ret_port, struct bh_err *err)
{
	bh_autofree char *number = slash ? strndup(s, (size_t)(slash - s)) : strdup(s);
	uint64_t port = 0;

	if (!number)
		return bh_err_set(err, -ENOMEM, "out of memory");
	if (t && !t->ports)
		return bh_err_set(err, -EINVAL, "%s has no ports; write '%s'", t->name, t->name);
	if (bh_parse_u64(number, UINT16_MAX, &port) < 0 || port == 0)
		return bh_err_set(err, -EINVAL, "'%s' is no port from 1 to 65535", number);
	*ret_port = (uint16_t)port;
	return 0;
}

int bh_portspec_parse(const char *s, uint8_t *ret_l4, uint16_t *ret_port, struct bh_err *err)
{
	const char *slash = strchr(s, '/');
	const struct transport *front = transport_find(s, strcspn(s, "/")), *behind;
	int r;

	if (front && !front->ports) {
		*ret_l4 = front->l4;
		return bh_icmp_port(slash ? slash + 1 : "echo-request", front->l4, ret_port, err);
	}
	if (front)
		return bh_err_set(err, -EINVAL, "a port is missing, like 80/%s", front->name);
	behind = slash ? transport_find(slash + 1, strlen(slash + 1)) : &transports[0];
	if (!behind)
		return unknown_transport(slash + 1, err);
	r = parse_number(s, slash, behind, ret_port, err);
	if (r == 0)
		*ret_l4 = behind->l4;
	return r;
}
