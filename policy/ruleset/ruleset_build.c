/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/ruleset/ruleset_build.c - sections in, one block out
 */
#include "policy/ruleset/ruleset_build.h"

#include "common/map.h"

#include <string.h>

#include "common/banned.h"

struct bh_rs_text {
	UT_hash_handle hh;
	uint32_t off;
	char s[];
};

void bh_rs_builder_done(struct bh_rs_builder *b)
{
	struct bh_rs_text *t, *tmp;

	HASH_ITER(hh, b->texts, t, tmp) {
		HASH_DEL(b->texts, t);
		free(t);
	}
	for (unsigned s = 0; s < BH_RS_SECT_COUNT; s++)
		bh_buf_done(&b->sect[s]);
	b->failed = false;
}

uint32_t bh_rs_build_text(struct bh_rs_builder *b, const char *s)
{
	struct bh_buf *heap = &b->sect[BH_RS_TEXT];
	struct bh_rs_text *t;
	size_t len;

	if (heap->len == 0)
		bh_buf_add(heap, "", 1);
	if (!s || !*s)
		return 0;
	len = strlen(s);
	HASH_FIND(hh, b->texts, s, len, t);
	if (t)
		return t->off;
	t = malloc(sizeof(*t) + len + 1);
	if (!t || heap->len > UINT32_MAX - len - 1) {
		free(t);
		b->failed = true;
		return 0;
	}
	t->off = (uint32_t)heap->len;
	memcpy(t->s, s, len + 1);
	bh_buf_add(heap, s, len + 1);
	HASH_ADD_KEYPTR(hh, b->texts, t->s, len, t);
	if (!t->hh.tbl) {
		free(t);
		b->failed = true;
		return 0;
	}
	return t->off;
}

size_t bh_rs_build_count(const struct bh_rs_builder *b, enum bh_rs_sect s)
{
	return b->sect[s].len / bh_rs_elem_size(s);
}

uint32_t bh_rs_build_add(struct bh_rs_builder *b, enum bh_rs_sect s, const void *items, size_t n)
{
	size_t first = bh_rs_build_count(b, s);

	if (n >= UINT32_MAX || first >= UINT32_MAX - n) {
		b->failed = true;
		return BH_RS_NONE;
	}
	bh_buf_add(&b->sect[s], items, n * bh_rs_elem_size(s));
	return (uint32_t)first;
}

static size_t align8(size_t v)
{
	return (v + 7) & ~(size_t)7;
}

int bh_rs_build_finish(struct bh_rs_builder *b, uint64_t revision, struct bh_ruleset **ret,
		       struct bh_err *err)
{
	struct bh_rs_header h = {
		.magic = BH_RS_MAGIC,
		.version = BH_RS_VERSION,
		.n_sections = BH_RS_SECT_COUNT,
		.revision = revision,
	};
	size_t size = align8(sizeof(h));
	uint8_t *mem;

	(void)bh_rs_build_text(b, NULL);
	for (unsigned s = 0; s < BH_RS_SECT_COUNT; s++) {
		if (bh_buf_failed(&b->sect[s]) || b->failed)
			return bh_err_set(err, -ENOMEM, "out of memory for the rule set");
		h.sect[s].off = size;
		h.sect[s].n = bh_rs_build_count(b, s);
		size = align8(size + b->sect[s].len);
	}
	h.size = size;
	mem = calloc(1, size);
	if (!mem)
		return bh_err_set(err, -ENOMEM, "out of memory for the rule set");
	memcpy(mem, &h, sizeof(h));
	for (unsigned s = 0; s < BH_RS_SECT_COUNT; s++) {
		if (b->sect[s].len)
			memcpy(mem + h.sect[s].off, b->sect[s].data, b->sect[s].len);
	}
	return bh_rs_adopt(mem, size, b->trusted, ret, err);
}
