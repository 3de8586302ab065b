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
#include "common/util.h"
#include "policy/explain.h"
#include "policy/icmp.h"
#include "policy/portspec.h"
#include "policy/spoken.h"

#include <string.h>

#include "common/banned.h"

#define AT(member) offsetof(struct bh_args, member)

static const struct bh_option options[] = {
	{ 0, "from", "A", BH_OPTION_TEXT, AT(from),
	  "who connects: NAMESPACE/NAME, NAME, node/NAME, or an address" },
	{ 0, "to", "B", BH_OPTION_TEXT, AT(to), "to whom: the same" },
	{ 0, "port", "PORT", BH_OPTION_TEXT, AT(port),
	  "80/tcp, 53/udp, 80 (tcp), icmp/8, icmpv6/echo-request" },
	{ 0, "icmp", "TYPE", BH_OPTION_TEXT, AT(icmp),
	  "in place of --port: echo-request, 8, or 3/1 (type/code)" },
	{ 0, "protocol", "NAME", BH_OPTION_TEXT, AT(protocol),
	  "what is spoken: http, ssh, unknown, ..." },
	{ 0, "http", "REQUEST", BH_OPTION_TEXT, AT(http),
	  "'GET /x', 'GET http://shop.example.com/x', 'CONNECT HOST:PORT'" },
	{ 0, "host", "NAME", BH_OPTION_TEXT, AT(host), "the host that the request names" },
	{ 0, "upgrade", "NAME", BH_OPTION_TEXT, AT(upgrade),
	  "what it wants to become: websocket, h2c; '-': nothing" },
	{ 0, "sni", "NAME", BH_OPTION_TEXT, AT(sni), "server name of TLS; '-': none" },
	{ 0, "alpn", "NAME,...", BH_OPTION_TEXT, AT(alpn), "what TLS offers: h2,http/1.1" },
	{ 0, "tls-version", "V", BH_OPTION_TEXT, AT(tls_version), "the highest it offers: 1.3" },
	{ 0, "ech", "present|absent", BH_OPTION_TEXT, AT(ech), "encrypted client hello" },
	{ 0, "dns", "NAME [TYPE]", BH_OPTION_TEXT, AT(dns),
	  "what is asked for: 'example.com AAAA'" },
	{ 0, "grpc", "SERVICE/METHOD", BH_OPTION_TEXT, AT(grpc), "what is called" },
	{ 0, "risk", "NAME,...", BH_OPTION_TEXT, AT(risk), "what nDPI finds in it; '-': nothing" },
	{ '4', NULL, NULL, BH_OPTION_FLAG, AT(v4), "over IPv4" },
	{ '6', NULL, NULL, BH_OPTION_FLAG, AT(v6), "over IPv6" },
	{ .kind = BH_OPTION_INVALID },
};

/* Options whose names bh_speech_set() knows. */
static int read_speech(const struct bh_args *a, struct bh_speech *s, struct bh_err *err)
{
	const char *what;

	for (size_t i = 0; (what = bh_speech_nth(i)); i++) {
		const struct bh_option *o = options;
		const char *value;
		int r;

		while (o->kind != BH_OPTION_INVALID && !bh_streq(o->name, what))
			o++;
		if (o->kind == BH_OPTION_INVALID)
			continue;
		value = *(const char *const *)(const void *)((const char *)a + o->offset);
		r = value ? bh_speech_set(s, what, value, err) : 0;
		if (r < 0 && bh_streq(what, "protocol"))
			return r;
		if (r < 0)
			return bh_err_wrap(err, r, "--%s %s", what, value);
	}
	return bh_speech_finish(s, err);
}

/* ICMP tells the family. */
static int take_family(const char *option, const char *value, uint8_t family, struct bh_query *q,
		       struct bh_err *err)
{
	if (q->family != 0 && q->family != family)
		return bh_err_set(err, -EINVAL, "--%s %s is not spoken over IPv%u", option, value,
				  q->family);
	q->family = family;
	return 0;
}

static int read_port(const struct bh_args *a, struct bh_query *q, struct bh_err *err)
{
	int r = bh_portspec_parse(a->port, &q->l4, &q->port, err);

	if (r < 0)
		return bh_err_wrap(err, r, "--port %s", a->port);
	if (q->l4 == BH_L4_ICMP)
		return take_family("port", a->port, 4, q, err);
	return q->l4 == BH_L4_ICMPV6 ? take_family("port", a->port, 6, q, err) : 0;
}

/* A name of a type has a number in each family: which one, the ends tell. */
static int read_icmp(const struct bh_args *a, const struct bh_world *w, struct bh_query *q,
		     struct bh_err *err)
{
	uint8_t family;
	int r;

	if (!a->icmp)
		return 0;
	family = bh_explain_family(w->set, w->eps, q);
	q->l4 = family == 6 ? BH_L4_ICMPV6 : BH_L4_ICMP;
	r = bh_icmp_port(a->icmp, q->l4, &q->port, err);
	return r < 0 ? bh_err_wrap(err, r, "--icmp %s", a->icmp) : 0;
}

static int make_query(const struct bh_args *a, struct bh_query *q, struct bh_speech *s,
		      struct bh_err *err)
{
	int r;

	if (!a->from || !a->to || (!a->port && !a->icmp))
		return bh_err_set(err, -EINVAL, "%s is missing",
				  !a->from ? "--from"
				  : !a->to ? "--to"
					   : "--port");
	if (a->port && a->icmp)
		return bh_err_set(err, -EINVAL, "--port and --icmp exclude each other");
	if (a->v4 && a->v6)
		return bh_err_set(err, -EINVAL, "-4 and -6 exclude each other");
	q->family = a->v4 ? 4 : a->v6 ? 6 : 0;
	q->all_local = true;
	r = a->port ? read_port(a, q, err) : 0;
	if (r == 0)
		r = read_speech(a, s, err);
	if (r == 0)
		q->spoken = s->spoken;
	return r;
}

/* An endpoint, a node, or if an address is named, exactly that address: it settles the family. */
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
	bh_cleanup(bh_speech_done) struct bh_speech speech = BH_SPEECH_INIT;
	struct bh_query q = { .family = 0 };
	size_t who[2] = { SIZE_MAX, SIZE_MAX };
	struct bh_err err = { .code = 0 };
	int r, code;

	r = make_query(a, &q, &speech, &err);
	if (r < 0) {
		bh_out_complain("explain: %s", bh_err_text(&err, r));
		return r == -ENOMEM ? BH_EXIT_FAILED : BH_EXIT_USAGE;
	}
	code = bh_world_get(&w, a);
	if (code == BH_EXIT_OK)
		code = bh_world_compile(&w, &compiled);
	if (code != BH_EXIT_OK)
		return code;
	q.now = w.now;
	q.around = &w.around;
	r = bh_world_from(&w, a->from, &q, &who[0], &err);
	if (r == 0)
		r = bh_world_to(&w, a->to, &q, &who[1], &err);
	if (r == 0)
		r = read_icmp(a, &w, &q, &err);
	if (r < 0) {
		bh_out_complain("%s", bh_err_text(&err, r));
		return BH_EXIT_FAILED;
	}
	return answer(a, &w, &compiled, &q, who);
}

const struct bh_verb bh_verb_explain = {
	.name = "explain",
	.words = "",
	.summary = "Says whether a connection is allowed, and why",
	.text =
	    "Asks the policies of both ends, wherever they run: those that the agent enforces, or with\n"
	    "--policy those in files. What is not said of what is spoken leaves the answer open where it\n"
	    "matters: then it is listed what it depends on. An end node/NAME is a node; the one on which the\n"
	    "other end runs is its own node.\n",
	.options = options,
	.world = BH_WORLD_ALL,
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.exits = "  0  allowed\n"
		 "  1  it cannot be said: errors in manifests, no such endpoint, no agent\n"
		 "  3  refused\n"
		 "  4  depends on what is spoken\n",
	.example = "bulkhead explain --from shop/client --to shop/web --port 80/tcp --protocol ssh",
	.run = run,
};
