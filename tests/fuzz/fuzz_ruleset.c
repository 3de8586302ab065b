// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/fuzz/fuzz_ruleset.c - the block that a worker maps
 *
 * Whatever the bytes are, they are refused or every look-up stays inside of them and ends in a verdict. The
 * size field is mended first, so that inputs may grow and shrink.
 */
#include "policy/ruleset/ruleset_block.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct bh_ruleset *rs)
{
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT;
	size_t n_classes, n_cells;
	const struct bh_class *cls = bh_ruleset_classes(rs, &n_classes);
	const struct bh_cell *cells = bh_ruleset_cells(rs, &n_cells);
	struct bh_addr a = { .family = 4 };

	bh_ruleset_print(rs, &text);
	for (size_t i = 0; i < n_classes && i < 16; i++) {
		for (size_t k = 0; k < n_classes && k < 16; k++) {
			struct bh_conn c = {
				.src_class = cls[i].number,
				.dst_class = cls[k].number,
				.src_local = true,
				.dst_local = true,
				.l4 = BH_L4_TCP,
				.dport =
				    n_cells ? (uint16_t)cells[(i * 16 + k) % n_cells].port : 80,
			};
			struct bh_decision d = bh_ruleset_decide(rs, &c);
			struct bh_decision s = bh_ruleset_settle_both(rs, &d, BH_PROTO_UNKNOWN);

			if (bh_decision_outcome(&s) == BH_OUTCOME_CONTRACT)
				abort();
			(void)bh_ruleset_named(rs, &d);
		}
		a.bytes[0] = (uint8_t)i;
		(void)bh_ruleset_outside_class(rs, &a);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct bh_ruleset *rs;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	if (size >= sizeof(struct bh_rs_header)) {
		uint64_t n = size;

		memcpy(copy + offsetof(struct bh_rs_header, size), &n, sizeof(n));
	}
	if (bh_ruleset_map(copy, size, &rs, NULL) == 0) {
		use(rs);
		bh_ruleset_free(rs);
	}
	free(copy);
	return 0;
}
