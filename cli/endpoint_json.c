// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/endpoint_json.c - an endpoint as the agent lists it, made what policies are matched against
 */
#include "cli/world.h"

#include "common/json.h"
#include "common/util.h"

#include <string.h>
#include <strings.h>

#include "common/banned.h"

static int labels_from_json(const json_t *obj, struct bh_labels *ret, struct bh_err *err)
{
	const char *key;
	json_t *v;
	int r;

	json_object_foreach((json_t *)obj, key, v) {
		if (!json_is_string(v))
			return bh_err_set(err, -EINVAL, "label \"%s\" is not a string", key);
		r = bh_labels_set(ret, key, json_string_value(v));
		if (r < 0)
			return bh_err_set(err, r, "out of memory");
	}
	return 0;
}

static int addrs_from_json(const json_t *list, struct bh_endpoint *e, struct bh_err *err)
{
	size_t n = json_array_size(list);

	e->addrs = calloc(n > 0 ? n : 1, sizeof(*e->addrs));
	if (!e->addrs)
		return bh_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (!s || bh_addr_parse(s, &e->addrs[i]) < 0)
			return bh_err_set(err, -EINVAL, "\"addresses\"[%zu] is no address", i);
		e->n_addrs++;
	}
	return 0;
}

static int port_from_json(const json_t *v, struct bh_named_port *ret, struct bh_err *err)
{
	static const struct {
		const char *name;
		uint8_t l4;
	} protocols[] = { { "TCP", BH_L4_TCP }, { "UDP", BH_L4_UDP }, { "SCTP", BH_L4_SCTP } };
	const char *name = NULL, *protocol = "TCP";
	uint64_t port = 0;
	int r;

	r = bh_json_str(v, "name", &name, err);
	if (r < 0)
		return r;
	r = bh_json_u64(v, "port", UINT16_MAX, &port, err);
	if (r < 0)
		return r;
	r = bh_json_str(v, "protocol", &protocol, err);
	if (r < 0 && r != -ENOENT)
		return r;
	for (size_t i = 0; i < BH_ARRAY_SIZE(protocols); i++) {
		if (strcasecmp(protocol, protocols[i].name) != 0)
			continue;
		ret->name = strdup(name);
		ret->l4 = protocols[i].l4;
		ret->port = (uint16_t)port;
		return ret->name ? 0 : bh_err_set(err, -ENOMEM, "out of memory");
	}
	return bh_err_set(err, -EINVAL, "\"protocol\" \"%s\" is not TCP, UDP or SCTP", protocol);
}

static int ports_from_json(const json_t *list, struct bh_endpoint *e, struct bh_err *err)
{
	size_t n = json_array_size(list);
	int r;

	e->ports = calloc(n > 0 ? n : 1, sizeof(*e->ports));
	if (!e->ports)
		return bh_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		r = port_from_json(json_array_get(list, i), &e->ports[i], err);
		if (r < 0)
			return bh_err_wrap(err, r, "\"ports\"[%zu]", i);
		e->n_ports++;
	}
	return 0;
}

static int copy_str(const json_t *v, const char *key, bool must, char **ret, struct bh_err *err)
{
	const char *s = NULL;
	int r = bh_json_str(v, key, &s, err);

	if (r == -ENOENT && !must)
		return 0;
	if (r < 0)
		return r;
	*ret = strdup(s);
	return *ret ? 0 : bh_err_set(err, -ENOMEM, "out of memory");
}

/* An agent that does not say it does not know it: there it is allow. */
static int host_from_json(const json_t *v, struct bh_endpoint *e, struct bh_err *err)
{
	const char *s = "allow";
	int r = bh_json_str(v, "hostToContainer", &s, err);

	if (r < 0 && r != -ENOENT)
		return r;
	e->host_judged = bh_streq(s, "policy");
	if (!e->host_judged && !bh_streq(s, "allow"))
		return bh_err_set(err, -EINVAL, "\"hostToContainer\" \"%s\" is not allow or policy",
				  s);
	return 0;
}

int bh_endpoint_from_json(const json_t *v, struct bh_endpoint **ret, bool *ret_quarantined,
			  struct bh_err *err)
{
	bh_cleanup(bh_endpoint_freep) struct bh_endpoint *e = calloc(1, sizeof(*e));
	const char *state = "";
	json_t *labels = NULL, *addrs = NULL, *ports = NULL;
	int r;

	if (!e)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = copy_str(v, "id", true, &e->id, err);
	if (r == 0)
		r = copy_str(v, "name", true, &e->name, err);
	if (r == 0)
		r = copy_str(v, "namespace", true, &e->ns, err);
	if (r == 0)
		r = copy_str(v, "node", false, &e->node, err);
	if (r == 0)
		r = bh_json_bool(v, "local", &e->local, err);
	if (r == 0)
		r = bh_json_obj(v, "labels", &labels, err);
	if (r == 0)
		r = labels_from_json(labels, &e->labels, err);
	if (r == 0)
		r = bh_json_arr(v, "addresses", &addrs, err);
	if (r == 0)
		r = addrs_from_json(addrs, e, err);
	if (r == 0)
		r = host_from_json(v, e, err);
	if (r < 0)
		return r;
	r = bh_json_arr(v, "ports", &ports, err);
	if (r == 0)
		r = ports_from_json(ports, e, err);
	if (r < 0 && r != -ENOENT)
		return r;
	r = bh_json_str(v, "state", &state, err);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_quarantined = bh_streq(state, "quarantined");
	*ret = bh_take_ptr(&e);
	return 0;
}
