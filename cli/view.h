/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/view.h - members of the agent's answers, for showing only
 *
 * What decides goes through common/json.h, which tells a missing member from an empty one.
 *
 * Thread-safety: no state.
 */
#ifndef BH_CLI_VIEW_H
#define BH_CLI_VIEW_H

#include "cli/out.h"
#include "common/json.h"

/* Cells of tables: "10.1.0.5,fd00::5", "app=web,tier=front", "FILE:LINE". */
void bh_view_add_addresses(struct bh_table *t, const json_t *v);
void bh_view_add_labels(struct bh_table *t, const json_t *v);
void bh_view_add_place(struct bh_table *t, const json_t *v);

/* "" where it is missing or no string. */
static inline const char *bh_view_str(const json_t *v, const char *key)
{
	const char *s = "";

	return bh_json_str(v, key, &s, NULL) < 0 ? "" : s;
}

/* false where it is missing or no number. */
static inline bool bh_view_u64(const json_t *v, const char *key, uint64_t *ret)
{
	return bh_json_u64(v, key, UINT64_MAX, ret, NULL) == 0;
}

static inline bool bh_view_true(const json_t *v, const char *key)
{
	bool b = false;

	return bh_json_bool(v, key, &b, NULL) == 0 && b;
}

#endif
