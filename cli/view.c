// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/view.c - members of the agent's answers that several tables show
 */
#include "cli/view.h"

#include "common/buf.h"

#include "common/banned.h"

void bh_view_add_addresses(struct bh_table *t, const json_t *v)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	json_t *list = NULL, *item;
	size_t i;

	if (bh_json_arr(v, "addresses", &list, NULL) == 0) {
		json_array_foreach(list, i, item) {
			const char *s = json_string_value(item);

			bh_buf_printf(&b, "%s%s", i > 0 ? "," : "", s ? s : "?");
		}
	}
	bh_table_add(t, bh_buf_str(&b));
}

void bh_view_add_labels(struct bh_table *t, const json_t *v)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	json_t *obj = NULL, *item;
	const char *key;

	if (bh_json_obj(v, "labels", &obj, NULL) == 0) {
		json_object_foreach(obj, key, item) {
			const char *s = json_string_value(item);

			bh_buf_printf(&b, "%s%s=%s", b.len > 0 ? "," : "", key, s ? s : "?");
		}
	}
	bh_table_add(t, bh_buf_str(&b));
}

void bh_view_add_place(struct bh_table *t, const json_t *v)
{
	const char *file = bh_view_str(v, "file");
	uint64_t line = 0;

	if (*file != '\0' && bh_json_u64(v, "line", UINT32_MAX, &line, NULL) == 0 && line > 0)
		bh_table_printf(t, "%s:%llu", file, (unsigned long long)line);
	else
		bh_table_add(t, file);
}
