// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_status.c - bulkhead status: is everything enforced, and what is not as it should be
 */
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/view.h"
#include "common/json.h"
#include "common/util.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/banned.h"

/* A number, "?" where there is none: an absent field is no zero. */
static const char *number_of(const json_t *v, const char *key, char *buf, size_t size)
{
	uint64_t n = 0;

	if (bh_json_u64(v, key, UINT64_MAX, &n, NULL) < 0)
		return "?";
	(void)snprintf(buf, size, "%" PRIu64, n);
	return buf;
}

static bool is_zero(const json_t *v, const char *key)
{
	uint64_t n = 1;

	return bh_json_u64(v, key, UINT64_MAX, &n, NULL) == 0 && n == 0;
}

static bool enforced(const json_t *v)
{
	const json_t *rev = json_object_get(v, "revision");
	uint64_t wanted = 0, now = 1;

	return bh_json_u64(rev, "wanted", UINT64_MAX, &wanted, NULL) == 0 &&
	       bh_json_u64(rev, "enforced", UINT64_MAX, &now, NULL) == 0 && wanted == now;
}

static bool healthy(const json_t *v)
{
	return bh_view_true(v, "ready") && enforced(v) &&
	       bh_view_true(json_object_get(v, "policies"), "ok") &&
	       json_array_size(json_object_get(v, "errors")) == 0;
}

/* "key N, key N, ..." of an object's members. */
static void print_members(const json_t *obj, struct bh_buf *out)
{
	bool first = true;
	const char *key;
	json_t *item;

	json_object_foreach((json_t *)obj, key, item) {
		if (!json_is_integer(item))
			continue;
		bh_buf_puts(out, first ? "" : ", ");
		bh_put_clean(out, key);
		bh_buf_printf(out, " %" JSON_INTEGER_FORMAT, json_integer_value(item));
		first = false;
	}
}

static void line(struct bh_buf *out, const char *title)
{
	bh_buf_printf(out, "%-11s ", title);
}

static void print_agent(const json_t *v, bool colour, struct bh_buf *out)
{
	const json_t *rev = json_object_get(v, "revision");
	const char *error = bh_view_str(rev, "error");
	bool ready = bh_view_true(v, "ready"), same = enforced(v);
	char a[24], b[24];

	line(out, "agent");
	bh_put_colour(out, colour, ready ? BH_COLOUR_GREEN : BH_COLOUR_RED,
		      ready ? "ready" : "not ready");
	bh_buf_puts(out, ", version ");
	bh_put_clean(out, bh_view_str(v, "version"));
	bh_buf_printf(out, ", pid %s, node ", number_of(v, "pid", a, sizeof(a)));
	bh_put_clean(out, bh_view_str(v, "node"));
	bh_buf_puts(out, ", since ");
	bh_put_clean(out, bh_view_str(v, "started"));
	bh_buf_putc(out, '\n');

	line(out, "revision");
	bh_put_colour(out, colour, same ? BH_COLOUR_GREEN : BH_COLOUR_RED,
		      number_of(rev, "enforced", a, sizeof(a)));
	bh_buf_puts(out, same ? " enforced\n" : " enforced, ");
	if (!same)
		bh_buf_printf(out, "%s wanted\n", number_of(rev, "wanted", b, sizeof(b)));
	if (*error != '\0') {
		line(out, "");
		bh_put_colour(out, colour, BH_COLOUR_RED, error);
		bh_buf_putc(out, '\n');
	}
}

static void print_policies(const json_t *v, bool colour, struct bh_buf *out)
{
	const json_t *p = json_object_get(v, "policies"), *e = json_object_get(v, "endpoints");
	bool ok = bh_view_true(p, "ok");
	char a[24], b[24], c[24];

	line(out, "policies");
	bh_buf_printf(out, "%s in force, folder ", number_of(p, "count", a, sizeof(a)));
	bh_put_clean(out, bh_view_str(p, "folder"));
	bh_buf_putc(out, ' ');
	bh_put_colour(out, colour, ok ? BH_COLOUR_GREEN : BH_COLOUR_RED,
		      ok ? "ok" : "has errors: the last good set stays in force");
	bh_buf_putc(out, '\n');

	line(out, "endpoints");
	bh_buf_printf(out, "%s local, %s remote, ", number_of(e, "local", a, sizeof(a)),
		      number_of(e, "remote", b, sizeof(b)));
	bh_put_colour(out, colour, is_zero(e, "quarantined") ? BH_COLOUR_NONE : BH_COLOUR_YELLOW,
		      number_of(e, "quarantined", c, sizeof(c)));
	bh_buf_puts(out, " quarantined\n");
}

static void print_kernel(const json_t *v, struct bh_buf *out)
{
	const json_t *k = json_object_get(v, "kernel"), *vl = json_object_get(v, "violations");
	char a[24];

	line(out, "kernel");
	bh_buf_printf(out, "epoch %s, queue ", number_of(k, "epoch", a, sizeof(a)));
	bh_put_clean(out, bh_view_str(k, "queue"));
	bh_buf_puts(out, ", table owner ");
	bh_put_clean(out, bh_view_str(k, "owner"));
	if (bh_streq(bh_view_str(k, "existingConnections"), "keep"))
		bh_buf_puts(out, ", existing connections are kept");
	bh_buf_putc(out, '\n');
	line(out, "packets");
	print_members(json_object_get(k, "counters"), out);
	bh_buf_putc(out, '\n');

	line(out, "violations");
	print_members(vl, out);
	bh_buf_puts(out, " in ");
	bh_put_clean(out, bh_view_str(vl, "file"));
	bh_buf_putc(out, '\n');
}

static void print_workers(const json_t *v, bool colour, struct bh_buf *out)
{
	json_t *list = json_object_get(v, "workers"), *item;
	size_t i;

	json_array_foreach(list, i, item) {
		bh_buf_printf(out, "worker %-4zu ", i);
		print_members(item, out);
		if (json_is_false(json_object_get(item, "connected")))
			bh_put_colour(out, colour, BH_COLOUR_RED, ", not connected");
		bh_buf_putc(out, '\n');
	}
	if (json_array_size(list) == 0)
		bh_buf_puts(out, "workers     none\n");
}

static void print_list(const json_t *list, const char *title, enum bh_colour c, bool colour,
		       struct bh_buf *out)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *s = json_string_value(item);

		bh_put_colour(out, colour, c, title);
		bh_put_clean(out, s ? s : "?");
		bh_buf_putc(out, '\n');
	}
}

static int print_text(const json_t *v)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bool colour = bh_colour_wanted(STDOUT_FILENO);
	int code;

	print_agent(v, colour, &out);
	print_policies(v, colour, &out);
	print_kernel(v, &out);
	print_workers(v, colour, &out);
	print_list(json_object_get(v, "errors"), "error: ", BH_COLOUR_RED, colour, &out);
	print_list(json_object_get(v, "warnings"), "warning: ", BH_COLOUR_YELLOW, colour, &out);
	code = bh_out_write(&out);
	bh_agent_diags(json_object_get(json_object_get(v, "policies"), "diagnostics"));
	return code;
}

static int run(const struct bh_args *a)
{
	const struct bh_request req = { .socket = a->socket,
					.method = "GET",
					.path = "/v1/status" };
	bh_autojson json_t *v = NULL;
	int code;

	if (bh_agent_json(&req, &v) < 0)
		return BH_EXIT_FAILED;
	code = a->format == BH_FORMAT_JSON ? bh_out_json(v) : print_text(v);
	if (code == BH_EXIT_OK && !healthy(v))
		code = BH_EXIT_FAILED;
	return code;
}

const struct bh_verb bh_verb_status = {
	.name = "status",
	.words = "",
	.summary = "Shows whether everything wanted is enforced",
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.exits =
	    "  0  the agent is ready, the wanted revision is enforced, the policy folder and the host have no errors\n"
	    "  1  something of that is not so, or no agent\n",
	.example = "bulkhead status",
	.run = run,
};
