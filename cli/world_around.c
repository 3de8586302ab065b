// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/world_around.c - what surrounds the policies and stands in no manifest: --cluster-range, --resolver, --name, --at
 */
#include "cli/agent.h"
#include "cli/out.h"
#include "cli/world.h"
#include "common/json.h"
#include "common/util.h"
#include "policy/when.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "common/banned.h"

/* As DNS has it. */
#define NAME_MAX_LEN 253U

static int read_ranges(struct bh_world *w, const struct bh_strings *l, struct bh_err *err)
{
	w->ranges = calloc(l->n + 1, sizeof(*w->ranges));
	if (!w->ranges)
		return bh_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < l->n; i++) {
		if (bh_prefix_parse(l->items[i], &w->ranges[i]) < 0)
			return bh_err_set(err, -EINVAL,
					  "--cluster-range %s: it is no CIDR like 10.0.0.0/8",
					  l->items[i]);
	}
	w->around.cluster = w->ranges;
	w->around.n_cluster = l->n;
	return 0;
}

static int read_resolvers(struct bh_world *w, const struct bh_strings *l, struct bh_err *err)
{
	w->resolvers = calloc(l->n + 1, sizeof(*w->resolvers));
	if (!w->resolvers)
		return bh_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < l->n; i++) {
		if (bh_addr_parse(l->items[i], &w->resolvers[i]) < 0)
			return bh_err_set(err, -EINVAL, "--resolver %s: it is no address",
					  l->items[i]);
	}
	w->around.resolvers = w->resolvers;
	w->around.n_resolvers = l->n;
	return 0;
}

/* Lower case, without a dot at the end; NULL: no name (EINVAL), or out of memory. */
static char *plain_name(const char *s, size_t len)
{
	char *name;

	if (len > 0 && s[len - 1] == '.')
		len--;
	if (len == 0 || len > NAME_MAX_LEN || s[0] == '.') {
		errno = EINVAL;
		return NULL;
	}
	name = strndup(s, len);
	for (size_t i = 0; name && i < len; i++) {
		name[i] = (char)tolower((unsigned char)name[i]);
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i])) {
			free(name);
			errno = EINVAL;
			return NULL;
		}
	}
	return name;
}

/* "a.example=192.0.2.1,2001:db8::1" */
static int read_name(const char *s, struct bh_known_name *ret, struct bh_err *err)
{
	const char *eq = strchr(s, '=');
	bh_autofree char *list = eq ? strdup(eq + 1) : NULL;
	struct bh_addr *addrs;
	char *rest, *one;
	size_t n = 1;

	if (!eq)
		return bh_err_set(err, -EINVAL,
				  "--name %s: what is its address? Write NAME=ADDRESS", s);
	ret->name = list ? plain_name(s, (size_t)(eq - s)) : NULL;
	if (!list || (!ret->name && errno != EINVAL))
		return bh_err_set(err, -ENOMEM, "out of memory");
	if (!ret->name)
		return bh_err_set(err, -EINVAL, "--name %s: '%.*s' is no name of DNS", s,
				  (int)(eq - s), s);
	for (const char *p = list; *p != '\0'; p++)
		n += *p == ',';
	addrs = calloc(n, sizeof(*addrs));
	if (!addrs)
		return bh_err_set(err, -ENOMEM, "out of memory");
	ret->addrs = addrs;
	for (rest = list; (one = strsep(&rest, ","));) {
		if (bh_addr_parse(one, &addrs[ret->n]) < 0)
			return bh_err_set(err, -EINVAL, "--name %s: '%s' is no address", s, one);
		ret->n++;
	}
	return 0;
}

static int read_names(struct bh_world *w, const struct bh_strings *l, struct bh_err *err)
{
	int r = 0;

	w->names = calloc(l->n + 1, sizeof(*w->names));
	if (!w->names)
		return bh_err_set(err, -ENOMEM, "out of memory");
	w->around.names = w->names;
	for (size_t i = 0; i < l->n && r == 0; i++) {
		w->around.n_names++; /* also of one half read: it is released */
		r = read_name(l->items[i], &w->names[i], err);
	}
	return r;
}

int bh_world_surround(struct bh_world *w, const struct bh_args *a)
{
	struct bh_err err = { .code = 0 };
	int r = read_ranges(w, &a->ranges, &err);

	if (r == 0)
		r = read_resolvers(w, &a->resolvers, &err);
	if (r == 0)
		r = read_names(w, &a->known, &err);
	w->now = time(NULL);
	if (r == 0 && a->at && bh_time_parse(a->at, &w->now) < 0)
		r = bh_err_set(&err, -EINVAL, "--at %s: it is no time like 2031-03-01T18:00:00Z",
			       a->at);
	if (r < 0)
		bh_out_complain("%s", bh_err_text(&err, r));
	return r == 0 ? BH_EXIT_OK : r == -EINVAL ? BH_EXIT_USAGE : BH_EXIT_FAILED;
}

/* The strings of a list, borrowed from @v. */
static int strings_of(const json_t *v, const char *key, struct bh_strings *ret, struct bh_err *err)
{
	json_t *list = NULL;
	int r = bh_json_arr(v, key, &list, err);
	size_t n = r == 0 ? json_array_size(list) : 0;

	ret->items = calloc(n + 1, sizeof(*ret->items));
	if (!ret->items)
		return bh_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < n; i++) {
		ret->items[i] = json_string_value(json_array_get(list, i));
		if (!ret->items[i])
			r = bh_err_set(err, -EINVAL, "%s[%zu] is no string", key, i);
		else
			ret->n++;
	}
	return r;
}

static void strings_done(struct bh_strings *l)
{
	free(l->items);
}

int bh_world_settings(struct bh_world *w, const struct bh_args *a)
{
	const struct bh_request req = { .socket = a->socket,
					.method = "GET",
					.path = "/v1/settings" };
	bh_cleanup(strings_done) struct bh_strings ranges = { .n = 0 };
	bh_cleanup(strings_done) struct bh_strings resolvers = { .n = 0 };
	bh_autojson json_t *v = NULL;
	struct bh_err err = { .code = 0 };
	int r;

	if (bh_agent_json(&req, &v) < 0)
		return BH_EXIT_FAILED;
	r = strings_of(v, "clusterRanges", &ranges, &err);
	if (r == 0)
		r = strings_of(v, "resolvers", &resolvers, &err);
	if (r == 0 && a->ranges.n == 0) {
		free(w->ranges);
		r = read_ranges(w, &ranges, &err);
	}
	if (r == 0 && a->resolvers.n == 0) {
		free(w->resolvers);
		r = read_resolvers(w, &resolvers, &err);
	}
	if (r == 0)
		return BH_EXIT_OK;
	bh_out_complain("the agent's settings cannot be read: %s", bh_err_text(&err, r));
	return BH_EXIT_FAILED;
}
