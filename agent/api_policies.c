// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/api_policies.c - what is in force, and changes to it: all of a request or nothing
 */
#include <string.h>
#include <strings.h>

#include "agent/api_internal.h"
#include "agent/applied.h"
#include "agent/wallclock.h"
#include "common/log.h"
#include "common/util.h"
#include "policy/when.h"

#include "common/banned.h"

#define YAML_TYPE "text/yaml; charset=utf-8"

/* ---- reading ---- */

static void append_document(struct bh_buf *b, const char *text)
{
	size_t size = strlen(text);

	if (b->len > 0)
		bh_buf_puts(b, "---\n");
	bh_buf_add(b, text, size);
	if (size == 0 || text[size - 1] != '\n')
		bh_buf_putc(b, '\n');
}

static void append_namespace(struct bh_buf *b, const struct bh_namespace *n)
{
	if (b->len > 0)
		bh_buf_puts(b, "---\n");
	bh_namespace_print(n, b);
}

static void append_node(struct bh_buf *b, const struct bh_node *n)
{
	if (b->len > 0)
		bh_buf_puts(b, "---\n");
	bh_node_print(n, b);
}

static enum MHD_Result reply_yaml(struct bh_request *q, struct bh_buf *b)
{
	bh_buf_puts(b, "\n");
	if (b->len > 0)
		b->data[--b->len] = '\0'; /* so that there is memory to take also for nothing */
	return bh_reply_text(q, MHD_HTTP_OK, YAML_TYPE, bh_buf_take(b));
}

static enum MHD_Result all_as_yaml(struct bh_request *q, const struct bh_policy_set *set)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	for (size_t i = 0; i < set->n_namespaces; i++)
		append_namespace(&b, set->namespaces[i]);
	for (size_t i = 0; i < set->n_nodes; i++)
		append_node(&b, set->nodes[i]);
	for (size_t i = 0; i < set->n_policies; i++)
		append_document(&b, set->policies[i]->source);
	return reply_yaml(q, &b);
}

/* Where it was written, and what @more has; @more is taken. */
static json_t *object_json(const struct bh_policies *in, enum bh_kind kind, const char *ns,
			   const char *name, const char *file, const struct bh_pos *pos,
			   json_t *more)
{
	const struct bh_manifest *m = bh_policies_origin(in, file);
	bh_autojson json_t *owned = more;
	json_t *o =
	    json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "kind", bh_kind_name(kind), "namespace", ns,
		      "name", name, "origin", m && m->applied ? "applied" : "folder", "file",
		      file ? file : "", "line", (int)pos->line);

	if (o && owned)
		(void)json_object_update(o, owned);
	return o;
}

/* The mode that is in force now: promotion and time may have changed what is written. */
static const char *mode_name(const struct bh_policy *p)
{
	enum bh_mode mode = bh_policy_mode_at(p, bh_wallclock_now());

	return mode == BH_MODE_INVALID ? "expired" : bh_mode_name(mode);
}

static json_t *policy_json(const struct bh_policies *in, const struct bh_policy *p)
{
	json_t *more =
	    json_pack("{s:s, s:s, s:{s:I, s:I}}", "tier", bh_tier_name(p->tier), "mode",
		      mode_name(p), "rules", "ingress", (json_int_t)p->n_rules[BH_DIR_INGRESS],
		      "egress", (json_int_t)p->n_rules[BH_DIR_EGRESS]);

	if (p->tier != BH_TIER_APPLICATION && p->priority <= BH_PRIORITY_NONE - 1)
		(void)json_object_set_new(more, "priority", json_integer(p->priority));
	return object_json(in, p->kind, p->ns, p->name, p->file, &p->pos, more);
}

static json_t *labels_json(const struct bh_labels *l)
{
	json_t *o = json_object();

	for (size_t i = 0; i < l->n; i++)
		(void)json_object_set_new(o, l->items[i].key, json_string(l->items[i].value));
	return json_pack("{s:o}", "labels", o);
}

static json_t *addrs_json(const struct bh_labels *l, const struct bh_addr *addrs, size_t n)
{
	json_t *o = labels_json(l), *list = json_array();

	for (size_t i = 0; i < n; i++) {
		char text[BH_ADDR_STRLEN];

		(void)json_array_append_new(list, json_string(bh_addr_format(&addrs[i], text)));
	}
	(void)json_object_set_new(o, "addresses", list);
	return o;
}

/* What is no policy, but was written as a manifest like one. */
static json_t *others_json(const struct bh_policies *in)
{
	const struct bh_policy_set *set = in->set;
	json_t *list = json_array();

	for (size_t i = 0; i < set->n_namespaces; i++) {
		const struct bh_namespace *n = set->namespaces[i];

		(void)json_array_append_new(list,
					    object_json(in, BH_KIND_NAMESPACE, "", n->name, n->file,
							&n->pos, labels_json(&n->labels)));
	}
	for (size_t i = 0; i < set->n_nodes; i++) {
		const struct bh_node *n = set->nodes[i];

		(void)json_array_append_new(
		    list, object_json(in, BH_KIND_NODE, "", n->name, n->file, &n->pos,
				      addrs_json(&n->labels, n->addrs, n->n_addrs)));
	}
	for (size_t i = 0; i < set->n_endpoints; i++) {
		const struct bh_endpoint *e = set->endpoints[i];

		(void)json_array_append_new(
		    list, object_json(in, BH_KIND_ENDPOINT, e->ns, e->name, e->file, &e->pos,
				      addrs_json(&e->labels, e->addrs, e->n_addrs)));
	}
	return list;
}

/* What is in force: an older set than the wanted one while that cannot be enforced. */
static struct bh_policies *in_force(const struct bh_agent *a)
{
	const struct bh_generation *g = bh_reconcile_enforced(a->rc);

	return g ? g->policies : bh_store_current(a->store);
}

enum MHD_Result bh_api_policies_list(struct bh_request *q)
{
	struct bh_policies *p = in_force(q->api->a);
	const char *format = bh_request_arg(q, "format");
	json_t *list;

	if (format && strcmp(format, "yaml") != 0 && strcmp(format, "json") != 0)
		return bh_reply_error(q, MHD_HTTP_BAD_REQUEST, "format is yaml or json");
	if (!p)
		return bh_reply_error(q, MHD_HTTP_SERVICE_UNAVAILABLE, "no policies are known");
	if (format && strcmp(format, "yaml") == 0)
		return all_as_yaml(q, p->set);
	list = json_array();
	for (size_t i = 0; i < p->set->n_policies; i++)
		(void)json_array_append_new(list, policy_json(p, p->set->policies[i]));
	return bh_reply_json(q, MHD_HTTP_OK,
			     json_pack("{s:o, s:o}", "policies", list, "others", others_json(p)));
}

/* KIND/NAMESPACE/NAME, or KIND/NAME for what stands in no namespace. */
struct object {
	enum bh_kind kind;
	const char *ns, *name;
};

static bool parse_object(struct bh_request *q, struct object *o)
{
	*o = (struct object){ .kind = BH_KIND_INVALID };
	for (unsigned k = BH_KIND_INVALID + 1; k < BH_KIND_COUNT; k++)
		if (strcasecmp(q->parts[2], bh_kind_name(k)) == 0)
			o->kind = k;
	o->ns = q->parts[4] ? q->parts[3] : "";
	o->name = q->parts[4] ? q->parts[4] : q->parts[3];
	return o->kind != BH_KIND_INVALID && bh_kind_has_ns(o->kind) == (q->parts[4] != NULL);
}

static enum MHD_Result not_found(struct bh_request *q)
{
	return bh_reply_error(q, MHD_HTTP_NOT_FOUND, "there is no %s %s%s%s", q->parts[2],
			      q->parts[3], q->parts[4] ? "/" : "", q->parts[4] ? q->parts[4] : "");
}

enum MHD_Result bh_api_policies_get(struct bh_request *q)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	struct bh_policies *in = in_force(q->api->a);
	const struct bh_policy *p;
	struct object o;

	if (!in || !parse_object(q, &o))
		return not_found(q);
	if (o.kind == BH_KIND_NODE) {
		for (size_t i = 0; i < in->set->n_nodes && b.len == 0; i++)
			if (strcmp(in->set->nodes[i]->name, o.name) == 0)
				bh_node_print(in->set->nodes[i], &b);
	} else if (o.kind == BH_KIND_NAMESPACE) {
		for (size_t i = 0; i < in->set->n_namespaces && b.len == 0; i++)
			if (strcmp(in->set->namespaces[i]->name, o.name) == 0)
				bh_namespace_print(in->set->namespaces[i], &b);
	} else if (o.kind == BH_KIND_ENDPOINT) {
		for (size_t i = 0; i < in->set->n_endpoints && b.len == 0; i++)
			if (strcmp(in->set->endpoints[i]->name, o.name) == 0 &&
			    strcmp(in->set->endpoints[i]->ns, o.ns) == 0)
				bh_endpoint_print(in->set->endpoints[i], &b);
	} else {
		p = bh_policy_set_find(in->set, o.kind, o.ns, o.name);
		if (p)
			append_document(&b, p->source);
	}
	return b.len > 0 ? reply_yaml(q, &b) : not_found(q);
}

/* ---- changing ---- */

/* On trial, and for good only if it could be enforced and kept. */
static int carry_out(struct bh_agent *a, struct bh_change *c, struct bh_err *err)
{
	struct bh_err why = { 0 };
	int r = bh_store_stage(a->store, c, err);

	if (r < 0)
		return r;
	bh_store_try(a->store, c);
	a->changed = "policies";
	r = bh_reconcile_now(a->rc, err);
	if (r == 0)
		r = bh_store_commit(a->store, c, err);
	if (r == 0)
		return 0;
	bh_store_abort(a->store, c);
	a->changed = NULL;
	if (bh_reconcile_now(a->rc, &why) < 0)
		bh_error("what was in force before a change that failed: %s", why.msg);
	return r;
}

static json_t *revision_json(const struct bh_agent *a)
{
	struct bh_reconcile_state st;

	bh_reconcile_state_get(a->rc, &st);
	return json_pack("{s:I}", "revision", (json_int_t)st.enforced);
}

static enum MHD_Result reply_failure(struct bh_request *q, int r, const struct bh_err *err,
				     const struct bh_diags *d)
{
	switch (r) {
	case -EINVAL:
		return bh_reply_diags(q, MHD_HTTP_UNPROCESSABLE_CONTENT, bh_err_text(err, r), d);
	case -EEXIST:
		return bh_reply_diags(q, MHD_HTTP_CONFLICT, bh_err_text(err, r), d);
	case -ENODATA:
		return bh_reply_diags(q, MHD_HTTP_BAD_REQUEST, bh_err_text(err, r), d);
	case -ENOENT:
		return bh_reply_diags(q, MHD_HTTP_NOT_FOUND, bh_err_text(err, r), d);
	case -EBUSY:
		return bh_reply_diags(q, MHD_HTTP_SERVICE_UNAVAILABLE, bh_err_text(err, r), d);
	default:
		return bh_reply_diags(q, MHD_HTTP_INTERNAL_SERVER_ERROR, bh_err_text(err, r), d);
	}
}

static enum MHD_Result reply_failed_trial(struct bh_request *q, struct bh_err *err, int r)
{
	(void)bh_err_wrap(err, r, "nothing was changed: the change cannot be enforced");
	return bh_reply_error(q, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", bh_err_text(err, r));
}

enum MHD_Result bh_api_policies_apply(struct bh_request *q)
{
	bh_cleanup(bh_change_done) struct bh_change c = BH_CHANGE_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	struct bh_agent *a = q->api->a;
	const char *dry = bh_request_arg(q, "dryRun"), *file = bh_request_arg(q, "file");
	struct bh_err err = { 0 };
	json_t *list, *answer;
	int r;

	if (dry && strcmp(dry, "") != 0 && strcmp(dry, "1") != 0 && strcmp(dry, "0") != 0 &&
	    strcmp(dry, "true") != 0 && strcmp(dry, "false") != 0)
		return bh_reply_error(q, MHD_HTTP_BAD_REQUEST, "dryRun is 1 or 0");
	r = bh_store_prepare_apply(a->store, file && *file ? file : "request", bh_buf_str(&q->body),
				   q->body.len, &c, &d, &err);
	if (r < 0)
		return reply_failure(q, r, &err, &d);
	if (c.any && (!dry || strcmp(dry, "0") == 0 || strcmp(dry, "false") == 0)) {
		r = carry_out(a, &c, &err);
		if (r < 0)
			return reply_failed_trial(q, &err, r);
	}
	list = json_array();
	for (size_t i = 0; i < c.n; i++)
		(void)json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s, s:s}", "kind", bh_kind_name(c.items[i].kind),
				    "namespace", c.items[i].ns, "name", c.items[i].name, "result",
				    bh_change_result_name(c.items[i].result)));
	answer = revision_json(a);
	(void)json_object_set_new(answer, "applied", list);
	(void)json_object_set_new(answer, "diagnostics", bh_diags_json(&d));
	return bh_reply_json(q, MHD_HTTP_OK, answer);
}

enum MHD_Result bh_api_policies_delete(struct bh_request *q)
{
	bh_cleanup(bh_change_done) struct bh_change c = BH_CHANGE_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	struct bh_agent *a = q->api->a;
	struct bh_err err = { 0 };
	struct object o;
	int r;

	if (!parse_object(q, &o))
		return not_found(q);
	r = bh_store_prepare_delete(a->store, o.kind, o.ns, o.name, &c, &d, &err);
	if (r < 0)
		return reply_failure(q, r, &err, &d);
	r = carry_out(a, &c, &err);
	if (r < 0)
		return reply_failed_trial(q, &err, r);
	return bh_reply_json(q, MHD_HTTP_OK, revision_json(a));
}
