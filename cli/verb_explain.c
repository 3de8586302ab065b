// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_explain.c - bulkhead explain: would this connection be allowed, and why
 *
 * Policies and endpoints come from files or from the agent; the answer is made here either way, from the
 * compiled rule set. Policies of both ends are asked, wherever the ends run.
 */
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/world.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/util.h"
#include "policy/explain.h"

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

static const struct transport *transport_find(const char *name)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(transports); i++) {
		if (strcasecmp(name, transports[i].name) == 0)
			return &transports[i];
	}
	return NULL;
}

static int unknown_transport(const char *s, const char *name, struct bh_err *err)
{
	const char *names[BH_ARRAY_SIZE(transports)], *near;

	for (size_t i = 0; i < BH_ARRAY_SIZE(transports); i++)
		names[i] = transports[i].name;
	near = bh_nearest(name, names, BH_ARRAY_SIZE(names));
	if (near)
		return bh_err_set(err, -EINVAL,
				  "--port %s: unknown protocol '%s'; did you mean '%s'?", s, name,
				  near);
	return bh_err_set(err, -EINVAL, "--port %s: '%s' is not tcp, udp or sctp", s, name);
}

/* "80/tcp", "80", "icmp" */
static int parse_port(const char *s, uint8_t *ret_l4, uint16_t *ret_port, struct bh_err *err)
{
	const char *slash = strchr(s, '/');
	bh_autofree char *number = slash ? strndup(s, (size_t)(slash - s)) : strdup(s);
	const struct transport *t = transport_find(slash ? slash + 1 : s);
	bool bare = !slash && t;
	uint64_t port = 0;

	if (!number)
		return bh_err_set(err, -ENOMEM, "out of memory");
	if (slash && !t)
		return unknown_transport(s, slash + 1, err);
	if (bare && t->ports)
		return bh_err_set(err, -EINVAL, "--port %s: a port is missing, like 80/%s", s,
				  t->name);
	if (slash && !t->ports)
		return bh_err_set(err, -EINVAL, "--port %s: %s has no ports; write '%s'", s,
				  t->name, t->name);
	if (!bare && (bh_parse_u64(number, UINT16_MAX, &port) < 0 || port == 0))
		return bh_err_set(err, -EINVAL, "--port %s: '%s' is no port from 1 to 65535", s,
				  number);
	*ret_l4 = t ? t->l4 : BH_L4_TCP;
	*ret_port = (uint16_t)port;
	return 0;
}

static int parse_protocol(const char *s, unsigned *ret, struct bh_err *err)
{
	const char *names[256], *near;
	size_t n = 0;

	*ret = bh_proto_by_name(s);
	if (*ret != BH_PROTO_INVALID)
		return 0;
	for (; n < BH_ARRAY_SIZE(names) && bh_proto_nth(n); n++)
		names[n] = bh_proto_nth(n);
	near = bh_nearest(s, names, n);
	if (near)
		return bh_err_set(err, -EINVAL, "unknown protocol '%s'; did you mean '%s'?", s,
				  near);
	return bh_err_set(err, -EINVAL,
			  "unknown protocol '%s'; 'bulkhead protocols' lists all names", s);
}

static int make_query(const struct bh_args *a, struct bh_query *q, struct bh_err *err)
{
	int r;

	if (!a->from || !a->to || !a->port)
		return bh_err_set(err, -EINVAL, "%s is missing",
				  !a->from ? "--from"
				  : !a->to ? "--to"
					   : "--port");
	if (a->v4 && a->v6)
		return bh_err_set(err, -EINVAL, "-4 and -6 exclude each other");
	q->family = a->v4 ? 4 : a->v6 ? 6 : 0;
	q->all_local = true;
	r = parse_port(a->port, &q->l4, &q->port, err);
	if (r == 0 && a->protocol)
		r = parse_protocol(a->protocol, &q->proto, err);
	return r;
}

/*
 * The end as an endpoint or, if an address is named, as exactly that address: it settles the family.
 * *ret_who: the endpoint either way, SIZE_MAX if there is none.
 */
static int find_end(const struct bh_world *w, const char *what, struct bh_query *q,
		    size_t *ret_endpoint, struct bh_addr *ret_addr, size_t *ret_who,
		    struct bh_err *err)
{
	int r = bh_world_find(w, what, ret_who, ret_addr, err);

	if (r < 0)
		return r;
	*ret_endpoint = ret_addr->family == 0 ? *ret_who : SIZE_MAX;
	if (ret_addr->family == 0)
		return 0;
	if (q->family != 0 && q->family != ret_addr->family)
		return bh_err_set(err, -EINVAL, "'%s' is no IPv%u address", what, q->family);
	q->family = ret_addr->family;
	return 0;
}

static void quarantine_note(const struct bh_world *w, size_t endpoint, struct bh_buf *text,
			    json_t *v, enum bh_outcome *outcome)
{
	const struct bh_endpoint *e;
	json_t *list;

	if (!bh_world_quarantined(w, endpoint))
		return;
	e = w->eps[endpoint];
	*outcome = BH_OUTCOME_REFUSE;
	bh_buf_puts(text, "But nothing passes now: ");
	bh_put_clean(text, e->ns);
	bh_buf_putc(text, '/');
	bh_put_clean(text, e->name);
	bh_buf_puts(text, " is in quarantine until its policies are in the kernel.\n");
	if (!v)
		return;
	list = json_object_get(v, "quarantined");
	if (!list) {
		list = json_array();
		(void)json_object_set_new(v, "quarantined", list);
	}
	(void)json_array_append_new(list, json_sprintf("%s/%s", e->ns, e->name));
}

static int exit_of(enum bh_outcome o)
{
	switch (o) {
	case BH_OUTCOME_ALLOW:
		return BH_EXIT_OK;
	case BH_OUTCOME_CONTRACT:
		return BH_EXIT_DEPENDS;
	case BH_OUTCOME_REFUSE:
	case BH_OUTCOME_INVALID:
		break;
	}
	return BH_EXIT_REFUSED;
}

static int answer(const struct bh_args *a, const struct bh_world *w,
		  const struct bh_compiled *compiled, const struct bh_query *q, const size_t who[2])
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	bh_autojson json_t *v = NULL;
	enum bh_outcome outcome = BH_OUTCOME_INVALID;
	struct bh_err err = { .code = 0 };
	bool json = a->format == BH_FORMAT_JSON;
	int r, code;

	r = bh_explain(w->set, w->eps, w->n_eps, compiled, q, json ? NULL : &text, json ? &v : NULL,
		       &outcome, &err);
	if (r < 0) {
		bh_out_complain("%s", bh_err_text(&err, r));
		return BH_EXIT_FAILED;
	}
	quarantine_note(w, who[0], &text, v, &outcome);
	if (who[1] != who[0])
		quarantine_note(w, who[1], &text, v, &outcome);
	code = json ? bh_out_json(v) : bh_out_write(&text);
	return code == BH_EXIT_OK ? exit_of(outcome) : code;
}

static int run(const struct bh_args *a)
{
	bh_cleanup(bh_world_done) struct bh_world w = BH_WORLD_INIT;
	bh_cleanup(bh_compiled_done) struct bh_compiled compiled = { .rules = NULL };
	struct bh_query q = { .from_endpoint = SIZE_MAX, .to_endpoint = SIZE_MAX };
	size_t who[2] = { SIZE_MAX, SIZE_MAX };
	struct bh_err err = { .code = 0 };
	int r, code;

	r = make_query(a, &q, &err);
	if (r < 0) {
		bh_out_complain("explain: %s", bh_err_text(&err, r));
		return r == -EINVAL ? BH_EXIT_USAGE : BH_EXIT_FAILED;
	}
	code = bh_world_get(&w, a);
	if (code == BH_EXIT_OK)
		code = bh_world_compile(&w, &compiled);
	if (code != BH_EXIT_OK)
		return code;
	r = find_end(&w, a->from, &q, &q.from_endpoint, &q.from_addr, &who[0], &err);
	if (r == 0)
		r = find_end(&w, a->to, &q, &q.to_endpoint, &q.to_addr, &who[1], &err);
	if (r < 0) {
		bh_out_complain("%s", bh_err_text(&err, r));
		return BH_EXIT_FAILED;
	}
	return answer(a, &w, &compiled, &q, who);
}

#define AT(member) offsetof(struct bh_args, member)

static const struct bh_option options[] = {
	{ 0, "from", "A", BH_OPTION_TEXT, AT(from),
	  "who connects: NAMESPACE/NAME, NAME, or an address" },
	{ 0, "to", "B", BH_OPTION_TEXT, AT(to), "to whom: the same" },
	{ 0, "port", "PORT", BH_OPTION_TEXT, AT(port), "80/tcp, 53/udp, 80 (tcp), icmp, icmpv6" },
	{ 0, "protocol", "NAME", BH_OPTION_TEXT, AT(protocol),
	  "what is spoken: http, ssh, unknown, ..." },
	{ '4', NULL, NULL, BH_OPTION_FLAG, AT(v4), "over IPv4" },
	{ '6', NULL, NULL, BH_OPTION_FLAG, AT(v6), "over IPv6" },
	{ 0, "policy", "FILE|DIR", BH_OPTION_LIST, AT(policies),
	  "policies to ask instead of the agent's (may come again)" },
	{ 0, "endpoints", "FILE", BH_OPTION_LIST, AT(endpoints),
	  "Endpoint and Namespace manifests, with --policy" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_explain = {
	.name = "explain",
	.words = "",
	.summary = "Says whether a connection is allowed, and why",
	.text =
	    "Asks the policies of both ends, wherever they run: those that the agent enforces, or with\n"
	    "--policy those in files. Without --protocol, ports that only some protocols may use depend.\n",
	.options = options,
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.exits = "  0  allowed\n"
		 "  1  it cannot be said: errors in manifests, no such endpoint, no agent\n"
		 "  3  refused\n"
		 "  4  depends on the protocol that is spoken\n",
	.example = "bulkhead explain --from shop/client --to shop/web --port 80/tcp --protocol ssh",
	.run = run,
};
