// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_version.c - bulkhead version
 */
#include "cli/cli.h"
#include "cli/out.h"
#include "common/json.h"

#include "config.h"

#include "common/banned.h"

static int run(const struct bh_args *a)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;

	if (a->format == BH_FORMAT_JSON) {
		bh_autojson json_t *v = json_pack("{s:s}", "version", BH_VERSION);

		return bh_out_json(v);
	}
	bh_buf_puts(&out, "bulkhead " BH_VERSION "\n");
	return bh_out_write(&out);
}

const struct bh_verb bh_verb_version = {
	.name = "version",
	.words = "",
	.summary = "Prints the version of this program",
	.text = "'bulkhead status' tells that of the agent.\n",
	.formats = BH_FORMATS_TEXT,
	.exits = "  0  printed\n"
		 "  1  standard output cannot be written\n",
	.example = "bulkhead version",
	.run = run,
};
