// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_replay.c - bulkhead replay: what the policies would have done with a capture
 *
 * The engine of the workers judges the packets; dataplane/worker/replay.c plays the kernel. Nothing is sent, and
 * no privilege is needed. Policies of both ends are asked, wherever the ends run.
 */
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/world.h"
#include "common/json.h"
#include "common/util.h"
#include "dataplane/worker/replay.h"

#include <stdio.h>

#include "common/banned.h"

static const char *why_name(unsigned why)
{
	switch (why) {
	case BH_REPLAY_WHY_ADDRESS:
		return "address";
	case BH_REPLAY_WHY_PROTOCOL:
		return "protocol";
	case BH_REPLAY_WHY_MIDSTREAM:
		return "midstream";
	default:
		return NULL;
	}
}

static const char *by_name(unsigned by)
{
	return by == BH_BY_PROBE ? "probe" : by == BH_BY_NDPI ? "ndpi" : NULL;
}

static const char *action_name(uint32_t word)
{
	switch (bh_word_verdict(word)) {
	case BH_WORD_ALLOW:
		return "allow";
	case BH_WORD_DROP:
		return "drop";
	case BH_WORD_REJECT:
		return "reject";
	case BH_WORD_CONTRACT:
		return "depends";
	default:
		return "invalid";
	}
}

/* ---- JSON ---- */

static json_t *end_json(const struct bh_world *w, const struct bh_addr *a, uint16_t port,
			uint32_t endpoint)
{
	char text[BH_ADDR_STRLEN];
	json_t *v = json_object();

	(void)json_object_set_new(v, "address", json_string(bh_addr_format(a, text)));
	(void)json_object_set_new(v, "port", json_integer(port));
	(void)json_object_set_new(v, "endpoint",
				  endpoint < w->n_eps ? json_sprintf("%s/%s", w->eps[endpoint]->ns,
								     w->eps[endpoint]->name)
						      : json_null());
	return v;
}

static json_t *policy_json(const struct bh_ruleset *rs, const struct bh_reason *reason)
{
	const struct bh_rs_policy *p = bh_ruleset_policy(rs, reason->policy);

	if (!p)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:i}", "kind", bh_kind_name((enum bh_kind)p->kind),
			 "namespace", bh_ruleset_text(rs, p->ns), "name",
			 bh_ruleset_text(rs, p->name), "file", bh_ruleset_text(rs, p->file), "line",
			 (int)p->line);
}

static json_t *rule_json(const struct bh_ruleset *rs, const struct bh_reason *reason)
{
	const struct bh_rs_rule *r = bh_ruleset_rule(rs, reason->rule);

	if (!r)
		return json_null();
	return json_pack("{s:i, s:s, s:i}", "index", (int)r->index, "name",
			 bh_ruleset_text(rs, r->name), "line", (int)r->line);
}

static void add_direction(json_t *list, const struct bh_ruleset *rs, enum bh_dir dir, uint32_t word)
{
	const struct bh_reason *reason = NULL;
	json_t *v;

	if (!word)
		return;
	if (bh_word_verdict(word) != BH_WORD_CONTRACT)
		reason = bh_ruleset_reason(rs, bh_word_number(word));
	v = json_pack("{s:s, s:s}", "dir", bh_dir_name(dir), "action", action_name(word));
	(void)json_object_set_new(v, "policy", reason ? policy_json(rs, reason) : json_null());
	(void)json_object_set_new(v, "rule", reason ? rule_json(rs, reason) : json_null());
	(void)json_object_set_new(
	    v, "text", reason ? json_string(bh_ruleset_text(rs, reason->text)) : json_null());
	(void)json_array_append_new(list, v);
}

static json_t *string_or_null(const char *s)
{
	return s && *s ? json_string(s) : json_null();
}

static json_t *flow_json(const struct bh_world *w, const struct bh_ruleset *rs, const char *file,
			 const struct bh_replay_flow *f)
{
	char l4[8], start[BH_TIME_STRLEN];
	json_t *v = json_object(), *dirs = json_array();

	add_direction(dirs, rs, BH_DIR_EGRESS, f->final.egress);
	add_direction(dirs, rs, BH_DIR_INGRESS, f->final.ingress);
	(void)json_object_set_new(v, "file", json_string(file));
	(void)json_object_set_new(v, "start", json_string(bh_clock_format(f->wall_us, start)));
	(void)json_object_set_new(v, "client",
				  end_json(w, &f->client, f->cport, f->client_endpoint));
	(void)json_object_set_new(v, "server",
				  end_json(w, &f->server, f->sport, f->server_endpoint));
	(void)json_object_set_new(v, "transport", json_string(bh_l4_name(f->l4, l4)));
	(void)json_object_set_new(
	    v, "verdict", json_string(bh_replay_verdict_name((enum bh_replay_verdict)f->verdict)));
	(void)json_object_set_new(v, "decidedBy", string_or_null(why_name(f->why)));
	(void)json_object_set_new(v, "protocol", string_or_null(bh_proto_name(f->proto)));
	(void)json_object_set_new(v, "by", string_or_null(by_name(f->by)));
	(void)json_object_set_new(v, "ndpi", string_or_null(f->ndpi_name));
	(void)json_object_set_new(v, "cause",
				  f->cause == BH_CAUSE_INVALID
				      ? json_null()
				      : string_or_null(bh_cause_name((enum bh_cause)f->cause)));
	(void)json_object_set_new(v, "untilCertain",
				  json_pack("{s:I, s:I, s:I}", "packets", (json_int_t)f->pkts,
					    "clientBytes", (json_int_t)f->bytes_c, "serverBytes",
					    (json_int_t)f->bytes_s));
	(void)json_object_set_new(v, "packets", json_integer((json_int_t)f->packets));
	(void)json_object_set_new(v, "bytes", json_integer((json_int_t)f->bytes));
	(void)json_object_set_new(v, "queued", json_integer((json_int_t)f->queued));
	(void)json_object_set_new(v, "invalid", json_integer((json_int_t)f->invalid));
	(void)json_object_set_new(v, "midstream", json_boolean(f->midstream));
	(void)json_object_set_new(v, "recorded", json_boolean(f->report));
	(void)json_object_set_new(v, "directions", dirs);
	return v;
}

/* ---- table ---- */

static void add_end(struct bh_table *t, const struct bh_world *w, const struct bh_addr *a,
		    uint16_t port, uint32_t endpoint, bool with_port)
{
	char text[BH_ADDR_STRLEN];

	if (endpoint < w->n_eps && with_port)
		bh_table_printf(t, "%s/%s:%u", w->eps[endpoint]->ns, w->eps[endpoint]->name, port);
	else if (endpoint < w->n_eps)
		bh_table_printf(t, "%s/%s", w->eps[endpoint]->ns, w->eps[endpoint]->name);
	else if (with_port)
		bh_table_printf(t, a->family == 6 ? "[%s]:%u" : "%s:%u", bh_addr_format(a, text),
				port);
	else
		bh_table_add(t, bh_addr_format(a, text));
}

static const char *reason_text(const struct bh_ruleset *rs, const struct bh_replay_flow *f)
{
	const struct bh_reason *reason;
	uint32_t word = bh_replay_word(f, NULL);

	if (f->verdict == BH_REPLAY_OPEN)
		return "the capture ends before the protocol was certain";
	if (f->why == BH_REPLAY_WHY_MIDSTREAM)
		return "its beginning is not in the capture, and the protocol decides";
	if (!word)
		return "no policy selects either end";
	if (bh_word_verdict(word) == BH_WORD_CONTRACT)
		return "";
	reason = bh_ruleset_reason(rs, bh_word_number(word));
	return reason ? bh_ruleset_text(rs, reason->text) : "";
}

static void add_row(struct bh_table *t, const struct bh_world *w, const struct bh_ruleset *rs,
		    const struct bh_replay_flow *f)
{
	bool ports = f->l4 == BH_L4_TCP || f->l4 == BH_L4_UDP || f->l4 == BH_L4_SCTP;
	const char *proto = bh_proto_name(f->proto), *by = by_name(f->by);
	char l4[8];

	bh_table_add_colour(t, bh_replay_verdict_name((enum bh_replay_verdict)f->verdict),
			    f->verdict == BH_REPLAY_ALLOWED   ? BH_COLOUR_GREEN
			    : f->verdict == BH_REPLAY_REFUSED ? BH_COLOUR_RED
							      : BH_COLOUR_YELLOW);
	add_end(t, w, &f->client, f->cport, f->client_endpoint, ports);
	add_end(t, w, &f->server, f->sport, f->server_endpoint, false);
	if (ports)
		bh_table_printf(t, "%u/%s", f->sport, bh_l4_name(f->l4, l4));
	else
		bh_table_add(t, bh_l4_name(f->l4, l4));
	if (f->ndpi_name[0] && f->by == BH_BY_NDPI)
		bh_table_printf(t, "%s (%s)", proto ? proto : "-", f->ndpi_name);
	else
		bh_table_add(t, proto);
	bh_table_add(t, by);
	if (f->pkts)
		bh_table_printf(t, "%u/%u", f->pkts, f->bytes_c + f->bytes_s);
	else
		bh_table_add(t, NULL);
	bh_table_add(t, reason_text(rs, f));
}

/* ---- the verb ---- */

struct result {
	json_t *flows, *files; /* NULL: a table is wanted */
	struct bh_table table;
	size_t n[BH_REPLAY_OPEN + 1];
	uint64_t cut, damaged;
};

static int one_file(const char *path, const struct bh_world *w, const struct bh_compiled *compiled,
		    struct result *res)
{
	const struct bh_replay_config cfg = { .compiled = compiled,
					      .all_local = true,
					      .name_allowed = true,
					      .engine = BH_ENGINE_CONFIG_DEFAULT };
	bh_cleanup(bh_replay_freep) struct bh_replay *r = NULL;
	const struct bh_replay_flow *f;
	struct bh_replay_stats st;
	struct bh_err err = { .code = 0 };
	int n;

	n = bh_replay_new(&cfg, &r, &err);
	if (n == 0)
		n = bh_replay_file(r, path, &err);
	if (n < 0) {
		bh_out_complain("%s", bh_err_text(&err, n));
		return BH_EXIT_FAILED;
	}
	bh_replay_finish(r);
	for (size_t i = 0; (f = bh_replay_flow(r, i)); i++) {
		res->n[f->verdict]++;
		if (res->flows)
			(void)json_array_append_new(res->flows,
						    flow_json(w, compiled->rules, path, f));
		else
			add_row(&res->table, w, compiled->rules, f);
	}
	bh_replay_stats_get(r, &st);
	res->cut += st.cut;
	res->damaged += st.damaged;
	if (st.no_flow)
		bh_out_complain(
		    "%s: %llu packets belong to flows beyond the limit and were not judged", path,
		    (unsigned long long)st.no_flow);
	if (res->files)
		(void)json_array_append_new(
		    res->files,
		    json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "file", path,
			      "packets", (json_int_t)st.packets, "notIp", (json_int_t)st.not_ip,
			      "damaged", (json_int_t)st.damaged, "cut", (json_int_t)st.cut,
			      "fragments", (json_int_t)st.fragments, "badChecksum",
			      (json_int_t)st.bad_checksum, "invalid", (json_int_t)st.invalid,
			      "beyondLimit", (json_int_t)st.no_flow));
	return BH_EXIT_OK;
}

static int print(struct result *res)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;

	if (res->flows) {
		bh_autojson json_t *v = json_pack("{s:O, s:O, s:{s:I, s:I, s:I}}", "flows",
						  res->flows, "captures", res->files, "summary",
						  "allowed", (json_int_t)res->n[BH_REPLAY_ALLOWED],
						  "refused", (json_int_t)res->n[BH_REPLAY_REFUSED],
						  "open", (json_int_t)res->n[BH_REPLAY_OPEN]);

		return bh_out_json(v);
	}
	if (bh_table_print(&res->table, bh_colour_wanted(1), &out) < 0) {
		bh_out_complain("out of memory");
		return BH_EXIT_FAILED;
	}
	bh_buf_printf(&out, "\n%zu allowed, %zu refused", res->n[BH_REPLAY_ALLOWED],
		      res->n[BH_REPLAY_REFUSED]);
	if (res->n[BH_REPLAY_OPEN])
		bh_buf_printf(&out, ", %zu open", res->n[BH_REPLAY_OPEN]);
	bh_buf_putc(&out, '\n');
	if (res->cut)
		bh_buf_printf(
		    &out,
		    "%llu packets were cut when they were captured: what depends on them is refused "
		    "(capture whole packets: tcpdump -s 0)\n",
		    (unsigned long long)res->cut);
	return bh_out_write(&out);
}

static int run(const struct bh_args *a)
{
	static const char *const head[] = { "VERDICT", "CLIENT", "SERVER",     "PORT",
					    "SEEN",    "BY",     "PKTS/BYTES", "REASON" };
	bh_cleanup(bh_world_done) struct bh_world w = BH_WORLD_INIT;
	bh_cleanup(bh_compiled_done) struct bh_compiled compiled = { .rules = NULL };
	struct result res = { .flows = NULL };
	int code;

	code = bh_world_get(&w, a);
	if (code == BH_EXIT_OK)
		code = bh_world_compile(&w, &compiled);
	if (code != BH_EXIT_OK)
		return code;
	bh_table_init(&res.table, head, BH_ARRAY_SIZE(head));
	if (a->format == BH_FORMAT_JSON) {
		res.flows = json_array();
		res.files = json_array();
	}
	for (size_t i = 0; code == BH_EXIT_OK && i < a->words.n; i++)
		code = one_file(a->words.items[i], &w, &compiled, &res);
	if (code == BH_EXIT_OK)
		code = print(&res);
	bh_table_done(&res.table);
	json_decref(res.flows);
	json_decref(res.files);
	return code;
}

#define AT(member) offsetof(struct bh_args, member)

static const struct bh_option options[] = {
	{ 0, "policy", "FILE|DIR", BH_OPTION_LIST, AT(policies),
	  "policies to ask instead of the agent's (may come again)" },
	{ 0, "endpoints", "FILE", BH_OPTION_LIST, AT(endpoints),
	  "Endpoint and Namespace manifests, with --policy" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_replay = {
	.name = "replay",
	.words = "FILE.pcap...",
	.summary = "Says what the policies would have done with captured traffic",
	.text =
	    "Judges each flow of the captures as the data plane does: by addresses and ports, and by the\n"
	    "protocol where a rule names one. SEEN is what was spoken, PKTS/BYTES how much had to be seen until\n"
	    "that was certain. 'open' flows end before it was.\n",
	.options = options,
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.min_words = 1,
	.max_words = SIZE_MAX,
	.exits = "  0  replayed, whatever the verdicts\n"
		 "  1  errors in manifests, no agent, or a capture that cannot be read\n",
	.example = "bulkhead replay --policy policies/ --endpoints endpoints.yaml capture.pcap",
	.run = run,
};
