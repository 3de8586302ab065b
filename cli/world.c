// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/world.c - policies and endpoints to ask questions about: from files, or from the agent
 */
#include "cli/world.h"

#include "cli/agent.h"
#include "cli/out.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

void bh_world_done(struct bh_world *w)
{
	(void)bh_policy_set_free(w->set);
	bh_diags_done(&w->diags);
	for (size_t i = 0; i < w->n_own; i++)
		(void)bh_endpoint_free(w->own[i]);
	free(w->own);
	free(w->quarantined);
	free(w->eps);
	for (size_t i = 0; i < w->around.n_names; i++) {
		free((char *)w->names[i].name);
		free((struct bh_addr *)w->names[i].addrs);
	}
	free(w->names);
	free(w->ranges);
	free(w->resolvers);
	*w = (struct bh_world)BH_WORLD_INIT;
}

static int out_of_memory(void)
{
	bh_out_complain("out of memory");
	return BH_EXIT_FAILED;
}

/* Errors are shown, warnings are for lint. */
static int show_errors(struct bh_world *w)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;

	if (w->diags.n_errors == 0)
		return BH_EXIT_OK;
	bh_diags_sort(&w->diags);
	bh_diags_print(&w->diags, &out);
	(void)fputs(bh_buf_str(&out), stderr);
	return BH_EXIT_FAILED;
}

static int from_files(struct bh_world *w, const struct bh_args *a)
{
	const struct bh_strings *lists[] = { &a->policies, &a->endpoints };
	int r;

	for (size_t i = 0; i < BH_ARRAY_SIZE(lists); i++) {
		for (size_t j = 0; j < lists[i]->n; j++) {
			r = bh_load_path(w->set, lists[i]->items[j], &w->diags);
			if (r == -ENOMEM)
				return out_of_memory();
			/* Anything else is in the diagnostics. */
		}
	}
	r = bh_load_finish(w->set, &w->diags);
	if (r == -ENOMEM)
		return out_of_memory();
	return show_errors(w);
}

static int fetch_endpoints(struct bh_world *w, const char *socket)
{
	const struct bh_request req = { .socket = socket,
					.method = "GET",
					.path = "/v1/endpoints" };
	bh_autojson json_t *v = NULL;
	struct bh_err err = { .code = 0 };
	json_t *list = NULL;
	size_t n;
	int r;

	if (bh_agent_json(&req, &v) < 0)
		return BH_EXIT_FAILED;
	r = bh_json_arr(v, "endpoints", &list, &err);
	n = r == 0 ? json_array_size(list) : 0;
	w->own = calloc(n + 1, sizeof(struct bh_endpoint *));
	w->quarantined = calloc(n + 1, sizeof(bool));
	if (!w->own || !w->quarantined)
		return out_of_memory();
	for (size_t i = 0; i < n && r == 0; i++) {
		r = bh_endpoint_from_json(json_array_get(list, i), &w->own[i], &w->quarantined[i],
					  &err);
		if (r < 0)
			(void)bh_err_wrap(&err, r, "endpoint %zu", i);
		else
			w->n_own++;
	}
	if (r < 0) {
		bh_out_complain("the agent's list of endpoints cannot be read: %s",
				bh_err_text(&err, r));
		return BH_EXIT_FAILED;
	}
	return BH_EXIT_OK;
}

static int fetch_policies(struct bh_world *w, const char *socket)
{
	const struct bh_request req = { .socket = socket,
					.method = "GET",
					.path = "/v1/policies?format=yaml" };
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	int r;

	if (bh_agent_text(&req, &text) < 0)
		return BH_EXIT_FAILED;
	r = bh_load_text(w->set, "in force", bh_buf_str(&text), text.len, &w->diags);
	if (r != -ENOMEM)
		r = bh_load_finish(w->set, &w->diags);
	if (r == -ENOMEM)
		return out_of_memory();
	if (show_errors(w) != BH_EXIT_OK) {
		bh_out_complain(
		    "the policies in force cannot be read; are this program and the agent of one version?");
		return BH_EXIT_FAILED;
	}
	return BH_EXIT_OK;
}

static void add_all(struct bh_world *w, struct bh_endpoint *const *list, size_t n, bool local)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i]->local == local)
			w->eps[w->n_eps++] = list[i];
	}
}

/*
 * All endpoints in one list, and none of them local, so that the compiler makes rows for all. Those that were come
 * last: of two that claim an address, the later one gets it.
 */
static int collect(struct bh_world *w)
{
	/* The agent's list holds the manifests' endpoints already. */
	struct bh_endpoint *const *list = w->fetched ? w->own : w->set->endpoints;
	size_t n = w->fetched ? w->n_own : w->set->n_endpoints;

	w->eps = calloc(n + 1, sizeof(*w->eps));
	if (!w->eps)
		return out_of_memory();
	add_all(w, list, n, false);
	add_all(w, list, n, true);
	for (size_t i = 0; i < n; i++)
		list[i]->local = false;
	return BH_EXIT_OK;
}

int bh_world_get(struct bh_world *w, const struct bh_args *a)
{
	int code = bh_world_surround(w, a);

	if (code != BH_EXIT_OK)
		return code;
	w->set = bh_policy_set_new();
	if (!w->set)
		return out_of_memory();
	if (a->policies.n > 0) {
		code = from_files(w, a);
	} else if (a->endpoints.n > 0) {
		bh_out_complain("--endpoints goes with --policy; without both, the agent is asked");
		return BH_EXIT_USAGE;
	} else {
		w->fetched = true;
		code = fetch_policies(w, a->socket);
		if (code == BH_EXIT_OK)
			code = fetch_endpoints(w, a->socket);
	}
	return code == BH_EXIT_OK ? collect(w) : code;
}

bool bh_world_quarantined(const struct bh_world *w, size_t endpoint)
{
	if (endpoint >= w->n_eps)
		return false;
	for (size_t i = 0; i < w->n_own; i++) {
		if (w->own[i] == w->eps[endpoint])
			return w->quarantined[i];
	}
	return false;
}

static bool is_named(const struct bh_endpoint *e, const char *what)
{
	const char *slash = strchr(what, '/');
	size_t n = slash ? (size_t)(slash - what) : 0;

	if (!slash)
		return bh_streq(e->name, what) || bh_streq(e->id, what);
	return e->ns && strlen(e->ns) == n && memcmp(e->ns, what, n) == 0 &&
	       bh_streq(e->name, slash + 1);
}

/* What was probably meant, "shop/web" or "web" by what was asked. */
static int no_endpoint(const struct bh_world *w, const char *what, struct bh_err *err)
{
	bh_autofree const char **names = calloc(w->n_eps + 1, sizeof(*names));
	bool with_ns = strchr(what, '/') != NULL;
	const char *near = NULL;
	char *made = NULL;
	int r;

	if (!names)
		return bh_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < w->n_eps; i++) {
		made = NULL;
		if (with_ns && asprintf(&made, "%s/%s", w->eps[i]->ns, w->eps[i]->name) < 0)
			made = NULL;
		names[i] = with_ns ? made : w->eps[i]->name;
	}
	near = bh_nearest(what, names, w->n_eps);
	if (near)
		r = bh_err_set(err, -ENOENT, "no endpoint '%s'; did you mean '%s'?", what, near);
	else if (w->n_eps == 0)
		r = bh_err_set(err, -ENOENT, "no endpoint '%s': no endpoints are known at all",
			       what);
	else
		r = bh_err_set(err, -ENOENT, "no endpoint '%s', and it is no address either", what);
	for (size_t i = 0; with_ns && i < w->n_eps; i++)
		free((char *)names[i]);
	return r;
}

static size_t owner_of(const struct bh_world *w, const struct bh_addr *a)
{
	size_t found = SIZE_MAX;

	/* As the compiler does: the last one gets it. */
	for (size_t i = 0; i < w->n_eps; i++) {
		const struct bh_endpoint *e = w->eps[i];

		for (size_t j = 0; j < e->n_addrs; j++) {
			if (bh_addr_eq(&e->addrs[j], a))
				found = i;
		}
	}
	return found;
}

int bh_world_find(const struct bh_world *w, const char *what, size_t *ret, struct bh_addr *ret_addr,
		  struct bh_err *err)
{
	struct bh_addr a = { .family = 0 };
	size_t found = SIZE_MAX;

	if (bh_addr_parse(what, &a) == 0) {
		*ret = owner_of(w, &a);
		*ret_addr = a;
		return 0;
	}
	for (size_t i = 0; i < w->n_eps; i++) {
		const struct bh_endpoint *e = w->eps[i];

		if (!is_named(e, what))
			continue;
		if (found != SIZE_MAX)
			return bh_err_set(
			    err, -EINVAL, "'%s' may be %s/%s or %s/%s: say which%s", what,
			    w->eps[found]->ns, w->eps[found]->name, e->ns, e->name,
			    bh_streq(w->eps[found]->ns, e->ns) ? " by its address" : "");
		found = i;
	}
	if (found == SIZE_MAX)
		return no_endpoint(w, what, err);
	*ret = found;
	*ret_addr = a;
	return 0;
}

static int find_node(const struct bh_world *w, const char *name, struct bh_side *ret,
		     struct bh_err *err)
{
	bh_autofree const char **names = calloc(w->set->n_nodes + 1, sizeof(*names));
	const char *near;

	if (!names)
		return bh_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < w->set->n_nodes; i++) {
		names[i] = w->set->nodes[i]->name;
		if (bh_streq(names[i], name)) {
			*ret = (struct bh_side){ SIZE_MAX, names[i], { .family = 0 }, SIZE_MAX };
			return 0;
		}
	}
	/* Without a manifest, but endpoints say that they run there. */
	for (size_t i = 0; i < w->n_eps; i++) {
		if (bh_streq(w->eps[i]->node, name)) {
			*ret = (struct bh_side){
				SIZE_MAX, w->eps[i]->node, { .family = 0 }, SIZE_MAX
			};
			return 0;
		}
	}
	near = bh_nearest(name, names, w->set->n_nodes);
	if (near)
		return bh_err_set(err, -ENOENT, "no Node '%s'; did you mean 'node/%s'?", name,
				  near);
	return bh_err_set(err, -ENOENT, "no Node '%s' is known", name);
}

int bh_world_side(const struct bh_world *w, const char *what, struct bh_side *ret,
		  struct bh_err *err)
{
	struct bh_err none = { .code = 0 };
	bool node = strncmp(what, "node/", 5) == 0;
	int r;

	*ret = (struct bh_side){ .endpoint = SIZE_MAX, .who = SIZE_MAX };
	r = bh_world_find(w, what, &ret->who, &ret->addr, node ? &none : err);
	if (r == -ENOENT && node)
		return find_node(w, what + 5, ret, err);
	if (r < 0)
		return node ? bh_err_set(err, r, "%s", bh_err_text(&none, r)) : r;
	if (ret->addr.family == 0)
		ret->endpoint = ret->who;
	return 0;
}

static int find_end(const struct bh_world *w, const char *what, struct bh_query *q,
		    struct bh_side *ret, size_t *ret_who, struct bh_err *err)
{
	int r = bh_world_side(w, what, ret, err);

	if (r < 0)
		return r;
	if (ret->addr.family != 0) {
		if (q->family != 0 && q->family != ret->addr.family)
			return bh_err_set(err, -EINVAL, "'%s' is no IPv%u address", what,
					  q->family);
		q->family = ret->addr.family;
	}
	if (ret_who)
		*ret_who = ret->who;
	return 0;
}

int bh_world_from(const struct bh_world *w, const char *from, struct bh_query *q, size_t *ret_who,
		  struct bh_err *err)
{
	struct bh_side side;
	int r = find_end(w, from, q, &side, ret_who, err);

	if (r < 0)
		return r;
	q->from_endpoint = side.endpoint;
	q->from_node = side.node;
	q->from_addr = side.addr;
	return 0;
}

int bh_world_to(const struct bh_world *w, const char *to, struct bh_query *q, size_t *ret_who,
		struct bh_err *err)
{
	struct bh_side side;
	int r = find_end(w, to, q, &side, ret_who, err);

	if (r < 0)
		return r;
	q->to_endpoint = side.endpoint;
	q->to_node = side.node;
	q->to_addr = side.addr;
	return 0;
}

int bh_world_compile(const struct bh_world *w, struct bh_compiled *ret)
{
	bh_cleanup(bh_compiler_freep) struct bh_compiler *c = NULL;
	struct bh_err err = { .code = 0 };
	int r;

	r = bh_compiler_new(&c);
	if (r == 0)
		r = bh_compile(c,
			       &(struct bh_compile_input){
				   .set = w->set,
				   .eps = w->eps,
				   .n_eps = w->n_eps,
				   .around = &w->around,
				   .now = w->now,
			       },
			       ret, &err);
	if (r < 0) {
		bh_out_complain("the policies cannot be compiled: %s", bh_err_text(&err, r));
		return BH_EXIT_FAILED;
	}
	return BH_EXIT_OK;
}
