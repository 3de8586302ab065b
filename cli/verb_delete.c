// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_delete.c - bulkhead delete: takes policies and other manifests back
 */
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/manifests.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/view.h"
#include "common/json.h"

#include <inttypes.h>

#include "common/banned.h"

static int delete_one(const struct bh_args *a, enum bh_kind kind, const char *ns, const char *name,
		      json_t *done)
{
	bh_cleanup(bh_buf_done) struct bh_buf path = BH_BUF_INIT, body = BH_BUF_INIT,
					      out = BH_BUF_INIT;
	struct bh_request req = { .socket = a->socket, .method = "DELETE" };
	bh_autojson json_t *v = NULL;
	struct bh_err err = { .code = 0 };
	uint64_t revision = 0;
	long status = 0;
	int r;

	bh_policy_path(&path, bh_kind_name(kind), ns, name);
	req.path = bh_buf_str(&path);
	r = bh_agent_call(&req, &status, &body, &err);
	if (status == 404) {
		bh_out_complain("no %s '%s'%s%s%s", bh_kind_name(kind), name,
				ns ? " in namespace " : "", ns ? ns : "",
				!ns || a->ns || a->files.n > 0 ? ""
							       : "; -n names another namespace");
		return BH_EXIT_FAILED;
	}
	if (r < 0) {
		bh_agent_complain(&err, r, &body);
		return BH_EXIT_FAILED;
	}
	if (bh_json_load(bh_buf_str(&body), body.len, body.len, &v, NULL) < 0 ||
	    !bh_view_u64(v, "revision", &revision)) {
		bh_out_complain("the agent's answer cannot be read");
		return BH_EXIT_FAILED;
	}
	if (done) {
		(void)json_array_append_new(done,
					    json_pack("{s:s, s:s?, s:s, s:I}", "kind",
						      bh_kind_name(kind), "namespace", ns, "name",
						      name, "revision", (json_int_t)revision));
		return BH_EXIT_OK;
	}
	bh_buf_printf(&out, "%s ", bh_kind_name(kind));
	bh_put_clean(&out, ns ? ns : "");
	bh_buf_puts(&out, ns ? "/" : "");
	bh_put_clean(&out, name);
	bh_buf_printf(&out, " deleted; revision %" PRIu64 " is enforced\n", revision);
	return bh_out_write(&out);
}

/* What a file names; on after one that cannot be deleted. */
static int delete_files(const struct bh_args *a, json_t *done)
{
	bh_cleanup(bh_manifests_done) struct bh_manifests m = BH_MANIFESTS_INIT;
	int code = bh_manifests_read(&m, &a->files), failed = 0;

	if (code != BH_EXIT_OK)
		return code;
	if (m.set->n_policies + m.set->n_endpoints + m.set->n_namespaces + m.set->n_nodes == 0) {
		bh_out_complain("there is nothing to delete: no manifests");
		return BH_EXIT_FAILED;
	}
	for (size_t i = 0; i < m.set->n_policies; i++) {
		const struct bh_policy *p = m.set->policies[i];

		failed +=
		    delete_one(a, p->kind, *p->ns ? p->ns : NULL, p->name, done) != BH_EXIT_OK;
	}
	for (size_t i = 0; i < m.set->n_endpoints; i++) {
		const struct bh_endpoint *e = m.set->endpoints[i];

		failed += delete_one(a, BH_KIND_ENDPOINT, e->ns, e->name, done) != BH_EXIT_OK;
	}
	for (size_t i = 0; i < m.set->n_nodes; i++)
		failed +=
		    delete_one(a, BH_KIND_NODE, NULL, m.set->nodes[i]->name, done) != BH_EXIT_OK;
	for (size_t i = 0; i < m.set->n_namespaces; i++)
		failed += delete_one(a, BH_KIND_NAMESPACE, NULL, m.set->namespaces[i]->name,
				     done) != BH_EXIT_OK;
	return failed > 0 ? BH_EXIT_FAILED : BH_EXIT_OK;
}

static int usage(const struct bh_args *a, enum bh_kind *ret_kind)
{
	struct bh_err err = { .code = 0 };
	int r = 0;

	if (a->files.n > 0 && (a->words.n > 0 || a->ns))
		r = bh_err_set(&err, -EINVAL, "either KIND NAME or -f FILE");
	else if (a->files.n == 0 && a->words.n < 2)
		r = bh_err_set(&err, -EINVAL, "KIND NAME (or -f FILE) is missing");
	else if (a->files.n == 0)
		r = bh_kind_parse(a->words.items[0], ret_kind, &err);
	if (r == 0)
		return BH_EXIT_OK;
	bh_out_complain("delete: %s", err.msg);
	return BH_EXIT_USAGE;
}

static int run(const struct bh_args *a)
{
	bh_autojson json_t *done = NULL, *v = NULL;
	enum bh_kind kind = BH_KIND_INVALID;
	const char *ns = a->ns ? a->ns : "default";
	int code = usage(a, &kind), shown;

	if (code != BH_EXIT_OK)
		return code;
	if (!bh_kind_has_ns(kind))
		ns = NULL;
	if (a->format == BH_FORMAT_JSON)
		done = json_array();
	if (a->files.n > 0)
		code = delete_files(a, done);
	else
		code = delete_one(a, kind, ns, a->words.items[1], done);
	if (!done)
		return code;
	v = json_pack("{s:O}", "deleted", done);
	shown = bh_out_json(v);
	return code == BH_EXIT_OK ? shown : code;
}

#define AT(member) offsetof(struct bh_args, member)

static const struct bh_option options[] = {
	{ 'n', "namespace", "NS", BH_OPTION_TEXT, AT(ns), "its namespace (default: default)" },
	{ 'f', "filename", "FILE|DIR|-", BH_OPTION_LIST, AT(files),
	  "what these manifests name (may come again)" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_delete = {
	.name = "delete",
	.words = "[KIND NAME]",
	.summary = "Takes policies and other manifests back",
	.text =
	    "KIND is NetworkPolicy (netpol), TrafficPolicy (tp), ClusterTrafficPolicy (ctp),\n"
	    "ClusterNetworkPolicy (cnp), AdminNetworkPolicy (anp), BaselineAdminNetworkPolicy (banp),\n"
	    "Namespace (ns), Endpoint (ep) or Node, in any case. Only what was applied can be deleted:\n"
	    "what is in the policy folder goes by removing its file.\n"
	    "When it returns the change is enforced.\n",
	.options = options,
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.max_words = 2,
	.exits = "  0  all are deleted\n"
		 "  1  one does not exist or could not be deleted, or no agent\n",
	.example = "bulkhead delete TrafficPolicy web -n shop",
	.run = run,
};
