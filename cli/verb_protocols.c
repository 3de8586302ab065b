// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_protocols.c - bulkhead protocols: the names that policies may use
 */
#include "cli/cli.h"
#include "cli/out.h"
#include "common/json.h"
#include "common/util.h"
#include "policy/protocol.h"

#include "common/banned.h"

static int print_json(void)
{
	bh_autojson json_t *list = json_array();
	const char *name;

	for (size_t i = 0; list && (name = bh_proto_nth(i)); i++) {
		json_t *v = json_pack("{s:s, s:b}", "name", name, "probe",
				      bh_proto_has_probe(bh_proto_by_name(name)) ? 1 : 0);

		if (json_array_append_new(list, v) < 0)
			return bh_out_json(NULL);
	}
	return bh_out_json(list);
}

static int run(const struct bh_args *a)
{
	static const char *const head[] = { "NAME", "PROBE", "MAY STAND IN" };
	bh_cleanup(bh_table_done) struct bh_table t = { .n = 0 };
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	const char *name;

	if (a->format == BH_FORMAT_JSON)
		return print_json();
	bh_table_init(&t, head, BH_ARRAY_SIZE(head));
	for (size_t i = 0; (name = bh_proto_nth(i)); i++) {
		bool probe = bh_proto_has_probe(bh_proto_by_name(name));

		bh_table_add(&t, name);
		bh_table_add_colour(&t, probe ? "yes" : "no",
				    probe ? BH_COLOUR_GREEN : BH_COLOUR_NONE);
		bh_table_add(&t, probe ? "every rule" : "deny, reject, alert, log");
	}
	if (bh_table_print(&t, bh_colour_wanted(STDOUT_FILENO), &out) < 0) {
		bh_out_complain("out of memory");
		return BH_EXIT_FAILED;
	}
	return bh_out_write(&out);
}

const struct bh_verb bh_verb_protocols = {
	.name = "protocols",
	.words = "",
	.summary = "Lists the protocols that policies can name",
	.text =
	    "A protocol with a probe is recognised for certain, so rules may allow it. The others are\n"
	    "names for what is refused or recorded.\n",
	.formats = BH_FORMATS_TEXT,
	.exits = "  0  listed\n"
		 "  1  standard output cannot be written\n",
	.example = "bulkhead protocols -o json",
	.run = run,
};
