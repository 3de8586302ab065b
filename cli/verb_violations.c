// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_violations.c - bulkhead violations: what was refused, a line each
 */
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/record.h"
#include "common/json.h"

#include <inttypes.h>
#include <string.h>

#include "common/banned.h"

#define RECORD_MAX (4U * 1024 * 1024)

struct view {
	bool json, colour;
	int code;
};

static int on_line(void *arg, char *text)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_autojson json_t *v = NULL;
	struct bh_err err = { .code = 0 };
	struct view *view = arg;
	size_t len = strlen(text);

	if (len == 0)
		return 0;
	if (view->json) {
		bh_buf_add(&out, text, len);
		bh_buf_putc(&out, '\n');
	} else if (bh_json_load(text, len, RECORD_MAX, &v, &err) < 0) {
		bh_out_complain("a record cannot be read: %s", err.msg);
		view->code = BH_EXIT_FAILED;
		return 0;
	} else {
		bh_record_line(v, view->colour, &out);
	}
	if (bh_out_write(&out) == BH_EXIT_OK)
		return 0;
	view->code = BH_EXIT_FAILED;
	return -EPIPE;
}

static int run(const struct bh_args *a)
{
	bh_cleanup(bh_buf_done) struct bh_buf path = BH_BUF_INIT;
	struct view view = { .json = a->format == BH_FORMAT_JSON,
			     .colour = bh_colour_wanted(STDOUT_FILENO) };
	struct bh_err err = { .code = 0 };
	int r;

	bh_buf_puts(&path, "/v1/violations");
	if (a->follow)
		bh_buf_puts(&path, "?follow=1");
	if (a->count_given)
		bh_buf_printf(&path, "%cn=%" PRIu64, a->follow ? '&' : '?', a->count);
	r = bh_agent_stream(a->socket, bh_buf_str(&path), on_line, &view, &err);
	if (r < 0 && view.code == BH_EXIT_OK) {
		bh_out_complain("%s", bh_err_text(&err, r));
		return BH_EXIT_FAILED;
	}
	if (r == 0 && a->follow) {
		bh_out_complain("the agent ended the stream");
		return BH_EXIT_FAILED;
	}
	return view.code;
}

#define AT(member) offsetof(struct bh_args, member)

static const struct bh_option options[] = {
	{ 'f', "follow", NULL, BH_OPTION_FLAG, AT(follow),
	  "go on with every new record until interrupted" },
	{ 'n', "count", "N", BH_OPTION_COUNT_, AT(count), "the last N (default: 100)" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_violations = {
	.name = "violations",
	.words = "",
	.summary = "Shows what was refused, and why",
	.text =
	    "A line: time, what happened, source -> destination, reason, policy and rule, what was expected\n"
	    "and seen, how often. -o json prints the records (docs/violation-log.md), a line each.\n",
	.options = options,
	.formats = BH_FORMATS_TEXT,
	.agent = true,
	.exits = "  0  shown\n"
		 "  1  no agent, or it ended the stream\n",
	.example = "bulkhead violations -f -n 20",
	.run = run,
};
