// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_get.c - bulkhead get: the policies in force, as a list or as they were written
 */
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/view.h"
#include "common/json.h"
#include "common/util.h"

#include <inttypes.h>
#include <string.h>

#include "common/banned.h"

static bool wanted(const struct bh_args *a, enum bh_kind kind, const json_t *v)
{
	bool by_ns = a->ns && (kind == BH_KIND_INVALID || bh_kind_has_ns(kind));

	if (kind != BH_KIND_INVALID && !bh_streq(bh_view_str(v, "kind"), bh_kind_name(kind)))
		return false;
	if (by_ns && !bh_streq(bh_view_str(v, "namespace"), a->ns))
		return false;
	return a->words.n < 2 || bh_streq(bh_view_str(v, "name"), a->words.items[1]);
}

/* Which of the agent's lists: policies, or what else there are manifests of. */
static const char *list_of(enum bh_kind kind)
{
	return kind == BH_KIND_INVALID || bh_kind_is_policy(kind) ? "policies" : "others";
}

/* What is asked for, of the agent's list. */
static int fetch(const struct bh_args *a, enum bh_kind kind, json_t *ret_list)
{
	const struct bh_request req = { .socket = a->socket,
					.method = "GET",
					.path = "/v1/policies" };
	bh_autojson json_t *v = NULL;
	struct bh_err err = { .code = 0 };
	json_t *list = NULL, *item;
	size_t i;

	if (bh_agent_json(&req, &v) < 0)
		return BH_EXIT_FAILED;
	if (bh_json_arr(v, list_of(kind), &list, &err) < 0) {
		bh_out_complain("the agent's list of policies cannot be read: %s", err.msg);
		return BH_EXIT_FAILED;
	}
	json_array_foreach(list, i, item) {
		if (wanted(a, kind, item) && json_array_append(ret_list, item) < 0) {
			bh_out_complain("out of memory");
			return BH_EXIT_FAILED;
		}
	}
	if (a->words.n == 2 && json_array_size(ret_list) == 0) {
		bool ns = a->ns && bh_kind_has_ns(kind);

		bh_out_complain("no %s '%s'%s%s", bh_kind_name(kind), a->words.items[1],
				ns ? " in namespace " : "", ns ? a->ns : "");
		return BH_EXIT_FAILED;
	}
	return BH_EXIT_OK;
}

static void add_number(struct bh_table *t, const json_t *v, const char *key)
{
	uint64_t n = 0;

	if (bh_json_u64(v, key, UINT64_MAX, &n, NULL) < 0)
		bh_table_add(t, NULL);
	else
		bh_table_printf(t, "%" PRIu64, n);
}

/* With its place in the tier, where it has one. */
static void add_tier(struct bh_table *t, const json_t *v)
{
	const char *tier = bh_view_str(v, "tier");
	uint64_t priority = 0;

	if (bh_view_u64(v, "priority", &priority))
		bh_table_printf(t, "%s %" PRIu64, tier, priority);
	else
		bh_table_add(t, tier);
}

static int print_table(const json_t *list)
{
	static const char *const head[] = { "KIND",    "NAMESPACE", "NAME",   "TIER", "MODE",
					    "INGRESS", "EGRESS",    "ORIGIN", "FILE" };
	bh_cleanup(bh_table_done) struct bh_table t = { .n = 0 };
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	json_t *item;
	size_t i;

	bh_table_init(&t, head, BH_ARRAY_SIZE(head));
	json_array_foreach(list, i, item) {
		json_t *rules = json_object_get(item, "rules");
		const char *mode = bh_view_str(item, "mode");

		bh_table_add(&t, bh_view_str(item, "kind"));
		bh_table_add(&t, bh_view_str(item, "namespace"));
		bh_table_add(&t, bh_view_str(item, "name"));
		add_tier(&t, item);
		bh_table_add_colour(&t, mode,
				    bh_streq(mode, "enforce") ? BH_COLOUR_NONE : BH_COLOUR_YELLOW);
		add_number(&t, rules, "ingress");
		add_number(&t, rules, "egress");
		bh_table_add(&t, bh_view_str(item, "origin"));
		bh_view_add_place(&t, item);
	}
	if (bh_table_print(&t, bh_colour_wanted(STDOUT_FILENO), &out) < 0) {
		bh_out_complain("out of memory");
		return BH_EXIT_FAILED;
	}
	return bh_out_write(&out);
}

static int print_others(const json_t *list)
{
	static const char *const head[] = { "KIND",   "NAMESPACE", "NAME", "ADDRESSES",
					    "LABELS", "ORIGIN",    "FILE" };
	bh_cleanup(bh_table_done) struct bh_table t = { .n = 0 };
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	json_t *item;
	size_t i;

	bh_table_init(&t, head, BH_ARRAY_SIZE(head));
	json_array_foreach(list, i, item) {
		bh_table_add(&t, bh_view_str(item, "kind"));
		bh_table_add(&t, bh_view_str(item, "namespace"));
		bh_table_add(&t, bh_view_str(item, "name"));
		bh_view_add_addresses(&t, item);
		bh_view_add_labels(&t, item);
		bh_table_add(&t, bh_view_str(item, "origin"));
		bh_view_add_place(&t, item);
	}
	if (bh_table_print(&t, bh_colour_wanted(STDOUT_FILENO), &out) < 0) {
		bh_out_complain("out of memory");
		return BH_EXIT_FAILED;
	}
	return bh_out_write(&out);
}

static void add_document(struct bh_buf *out, const struct bh_buf *text)
{
	const char *s = bh_buf_str(text);

	if (out->len > 0 && strncmp(s, "---", 3) != 0)
		bh_buf_puts(out, "---\n");
	bh_buf_puts(out, s);
	if (text->len > 0 && s[text->len - 1] != '\n')
		bh_buf_putc(out, '\n');
}

static int print_yaml(const struct bh_args *a, const json_t *list)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		bh_cleanup(bh_buf_done) struct bh_buf path = BH_BUF_INIT, text = BH_BUF_INIT;
		struct bh_request req = { .socket = a->socket, .method = "GET" };

		bh_policy_path(&path, bh_view_str(item, "kind"), bh_view_str(item, "namespace"),
			       bh_view_str(item, "name"));
		req.path = bh_buf_str(&path);
		if (bh_agent_text(&req, &text) < 0)
			return BH_EXIT_FAILED;
		add_document(&out, &text);
	}
	return bh_out_write(&out);
}

/* Everything at once, namespaces and nodes too. */
static int print_all_yaml(const struct bh_args *a)
{
	const struct bh_request req = { .socket = a->socket,
					.method = "GET",
					.path = "/v1/policies?format=yaml" };
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;

	if (bh_agent_text(&req, &text) < 0)
		return BH_EXIT_FAILED;
	return bh_out_write(&text);
}

static int run(const struct bh_args *a)
{
	bh_autojson json_t *list = json_array(), *v = NULL;
	enum bh_kind kind = BH_KIND_INVALID;
	struct bh_err err = { .code = 0 };
	int code;

	if (a->words.n > 0 && bh_kind_parse(a->words.items[0], &kind, &err) < 0) {
		bh_out_complain("get: %s", err.msg);
		return BH_EXIT_USAGE;
	}
	if (a->format == BH_FORMAT_YAML && a->words.n == 0 && !a->ns)
		return print_all_yaml(a);
	code = fetch(a, kind, list);
	if (code != BH_EXIT_OK)
		return code;
	switch (a->format) {
	case BH_FORMAT_JSON:
		v = json_pack("{s:O}", list_of(kind), list);
		return bh_out_json(v);
	case BH_FORMAT_YAML:
		return print_yaml(a, list);
	default:
		break;
	}
	return bh_streq(list_of(kind), "policies") ? print_table(list) : print_others(list);
}

static const struct bh_option options[] = {
	{ 'n', "namespace", "NS", BH_OPTION_TEXT, offsetof(struct bh_args, ns),
	  "only this namespace (default: all)" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_get = {
	.name = "get",
	.words = "[KIND [NAME]]",
	.summary = "Lists the policies in force, or prints them as written",
	.text =
	    "KIND is NetworkPolicy (netpol), TrafficPolicy (tp), ClusterTrafficPolicy (ctp),\n"
	    "ClusterNetworkPolicy (cnp), AdminNetworkPolicy (anp), BaselineAdminNetworkPolicy (banp),\n"
	    "in any case; INGRESS and EGRESS count rules. Namespace (ns), Node and Endpoint (ep) list\n"
	    "what there are manifests of ('bulkhead endpoints' knows the others too). -o yaml prints the\n"
	    "manifests; without KIND those of policies, namespaces and nodes.\n",
	.options = options,
	.formats = BH_FORMATS_ALL,
	.agent = true,
	.max_words = 2,
	.exits = "  0  printed\n"
		 "  1  no such object, or no agent\n",
	.example = "bulkhead get TrafficPolicy web -n shop -o yaml",
	.run = run,
};
