// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/verb_matrix.c - bulkhead matrix: who reaches whom, on which ports, speaking what
 */
#include "cli/cli.h"
#include "cli/matrix.h"
#include "cli/out.h"
#include "common/json.h"

#include "common/banned.h"

/* Cells of a picture: a browser shows as many without a pause. */
#define PICTURE_MAX 40000U

static int show(const struct bh_args *a, const struct bh_matrix *m)
{
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_autojson json_t *v = NULL;

	switch (a->format) {
	case BH_FORMAT_JSON:
		v = bh_matrix_json(m);
		return bh_out_json(v);
	case BH_FORMAT_CSV:
		bh_matrix_put_csv(m, &out);
		break;
	case BH_FORMAT_DOT:
		bh_matrix_put_dot(m, &out);
		break;
	case BH_FORMAT_SVG:
		if (m->n_from * m->n_to > PICTURE_MAX) {
			bh_out_complain(
			    "matrix: %zu rows and %zu columns are too many for a picture; "
			    "choose some by --from or --to",
			    m->n_from, m->n_to);
			return BH_EXIT_FAILED;
		}
		bh_matrix_put_svg(m, &out);
		break;
	default:
		if (a->ports)
			bh_matrix_put_list(m, &out);
		else
			bh_matrix_put_table(m, bh_colour_wanted(STDOUT_FILENO), &out);
	}
	return bh_out_write(&out);
}

static int run(const struct bh_args *a)
{
	bh_cleanup(bh_world_done) struct bh_world w = BH_WORLD_INIT;
	bh_cleanup(bh_matrix_done) struct bh_matrix m = BH_MATRIX_INIT;
	int code;

	if (a->ports && a->format != BH_FORMAT_TABLE) {
		bh_out_complain("matrix: --ports is about tables; the other forms have the ports");
		return BH_EXIT_USAGE;
	}
	code = bh_world_get(&w, a);
	if (code == BH_EXIT_OK)
		code = bh_matrix_make(&m, &w, a->from, a->to);
	return code == BH_EXIT_OK ? show(a, &m) : code;
}

#define AT(member) offsetof(struct bh_args, member)

static const struct bh_option options[] = {
	{ 0, "from", "A", BH_OPTION_TEXT, AT(from),
	  "only from NAMESPACE/NAME, NAMESPACE/, an address, world" },
	{ 0, "to", "B", BH_OPTION_TEXT, AT(to), "only to: the same" },
	{ 0, "ports", NULL, BH_OPTION_FLAG, AT(ports),
	  "a list with ports and protocols instead of a grid" },
	{ .kind = BH_OPTION_INVALID },
};

const struct bh_verb bh_verb_matrix = {
	.name = "matrix",
	.words = "",
	.summary = "Shows who reaches whom, on which ports, speaking what",
	.text =
	    "Asks the policies of both ends, the agent's or with --policy those in files. Endpoints that no\n"
	    "policy tells apart are one line; \"world\" is every address that no policy names. dot is for\n"
	    "Graphviz; svg is a picture whose cells tell the ports and the policies under the mouse.\n",
	.options = options,
	.world = BH_WORLD_ALL,
	.formats = 1U << BH_FORMAT_TABLE | 1U << BH_FORMAT_JSON | 1U << BH_FORMAT_CSV |
		   1U << BH_FORMAT_DOT | 1U << BH_FORMAT_SVG,
	.agent = true,
	.exits = "  0  shown\n"
		 "  1  errors in manifests, nobody of that name, no agent\n",
	.example =
	    "bulkhead matrix --policy policies/ --endpoints endpoints.yaml -o svg > matrix.svg",
	.run = run,
};
