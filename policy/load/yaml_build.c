/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/yaml_build.c - from a row of events to a tree of nodes
 *
 * DOC: Theory of operation
 *
 * Finished nodes of all open lists and maps stand on one stack; closing a list or map takes its children
 * off and puts itself there. An alias puts the very node it names on the stack again: nothing is copied, so
 * "billion laughs" costs no memory. It is refused all the same, because who walks the tree would see the
 * billion: every node knows its weight (nodes below it, with aliases expanded) and height, and the weights
 * of all that was put down may not exceed BH_YAML_NODES_MAX in a file.
 *
 * A map is completed by sorting its pairs: what was written, then what "<<" brings, in this order. Of equal
 * names the first stays; two that were both written are an error.
 */
#include "policy/load/yaml_build.h"

#include "common/map.h"
#include "common/util.h"
#include "policy/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

/* ---- memory ---- */

#define CHUNK_SIZE (64U * 1024)

struct bh_chunk {
	struct bh_chunk *next;
	size_t used, size;
	_Alignas(max_align_t) char data[];
};

static void *arena(struct bh_build *b, size_t size)
{
	struct bh_chunk *c = b->chunks;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (!c || c->size - c->used < size) {
		size_t room = BH_MAX(size, CHUNK_SIZE);

		c = malloc(sizeof(*c) + room);
		if (!c)
			return NULL;
		*c = (struct bh_chunk){ .next = b->chunks, .size = room };
		b->chunks = c;
	}
	p = c->data + c->used;
	c->used += size;
	return p;
}

struct bh_anchor {
	const char *name;
	struct bh_yaml_node *node;
	UT_hash_handle hh;
};

void bh_build_reset(struct bh_build *b)
{
	HASH_CLEAR(hh, b->anchors);
	while (b->chunks) {
		struct bh_chunk *c = b->chunks;

		b->chunks = c->next;
		free(c);
	}
	b->n_anchors = 0;
	b->depth = 0;
	b->n_stack = 0;
	b->root = NULL;
	b->bad = false;
}

void bh_build_done(struct bh_build *b)
{
	bh_build_reset(b);
	free(b->stack);
	free(b->cands);
	b->stack = NULL;
	b->cands = NULL;
}

/* ---- messages ---- */

static void put_key(struct bh_buf *path, const char *key)
{
	if (key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")])
		bh_buf_printf(path, "[%.100s]", key);
	else
		bh_buf_printf(path, "%s%.100s", path->len ? "." : "", key);
}

/* Where in the document we are: "spec.ingress[0]", and @key of the innermost map. */
static void put_path(const struct bh_build *b, const char *key, struct bh_buf *path)
{
	for (unsigned i = 0; i < b->depth; i++) {
		const struct bh_frame *f = &b->frames[i];
		bool last = i + 1 == b->depth;
		size_t n = (last ? b->n_stack : b->frames[i + 1].base) - f->base;

		if (last && key)
			put_key(path, key);
		else if (f->node->type == BH_YAML_LIST)
			bh_buf_printf(path, "[%zu]", n);
		else if (n % 2 == 1)
			put_key(path, b->stack[f->base + n - 1]->text);
	}
}

static unsigned width_of(struct bh_pos pos, struct bh_pos end)
{
	return end.line == pos.line && end.column > pos.column ? end.column - pos.column : 1;
}

static int report(struct bh_build *b, enum bh_severity severity, const char *code,
		  struct bh_pos pos, struct bh_pos end, const char *key, const char *hint,
		  const char *fmt, ...) bh_printf(8, 9);
static int report(struct bh_build *b, enum bh_severity severity, const char *code,
		  struct bh_pos pos, struct bh_pos end, const char *key, const char *hint,
		  const char *fmt, ...)
{
	bh_cleanup(bh_buf_done) struct bh_buf path = BH_BUF_INIT;
	struct bh_diag_at at = { .text = b->text, .pos = pos, .width = width_of(pos, end) };
	va_list ap;
	int r;

	put_path(b, key, &path);
	if (bh_buf_failed(&path))
		return -ENOMEM;
	at.path = bh_buf_str(&path);
	va_start(ap, fmt);
	r = bh_diag_addv(b->d, &at, severity, code, hint, fmt, ap);
	va_end(ap);
	if (severity == BH_SEVERITY_ERROR)
		b->bad = true;
	return r;
}

/* ---- putting nodes down ---- */

static int count(struct bh_build *b, uint64_t weight, const struct bh_build_at *at)
{
	int r;

	b->nodes += weight;
	if (b->nodes <= BH_YAML_NODES_MAX)
		return 0;
	r = report(b, BH_SEVERITY_ERROR, "e22", at->pos, at->end, NULL,
		   "anchors that are used again count every time",
		   "more than %u nodes in one file: the rest is not read", BH_YAML_NODES_MAX);
	return r < 0 ? r : -E2BIG;
}

static int push(struct bh_build *b, struct bh_yaml_node *n)
{
	const struct bh_frame *f;

	if (b->depth == 0) {
		b->root = n;
		return 0;
	}
	f = &b->frames[b->depth - 1];
	if (f->node->type == BH_YAML_MAP && (b->n_stack - f->base) % 2 == 0 &&
	    (n->type == BH_YAML_LIST || n->type == BH_YAML_MAP)) {
		int r = report(b, BH_SEVERITY_ERROR, "e16", n->pos, n->end, NULL, NULL,
			       "%s cannot be a key", bh_yaml_type_name(n->type));

		return r < 0 ? r : -EINVAL;
	}
	if (b->n_stack == b->cap_stack) {
		size_t cap = b->cap_stack ? b->cap_stack * 2 : 64;
		struct bh_yaml_node **s =
		    reallocarray(b->stack, cap, sizeof(struct bh_yaml_node *));

		if (!s)
			return -ENOMEM;
		b->stack = s;
		b->cap_stack = cap;
	}
	b->stack[b->n_stack++] = n;
	return 0;
}

static int remember(struct bh_build *b, const struct bh_build_at *at, struct bh_yaml_node *n)
{
	size_t len = strlen(at->anchor);
	struct bh_anchor *a = NULL;
	char *name;

	HASH_FIND(hh, b->anchors, at->anchor, len, a);
	if (a) { /* may be given anew; earlier aliases mean the earlier node */
		a->node = n;
		return 0;
	}
	if (b->n_anchors == BH_YAML_ANCHORS_MAX) {
		int r = report(b, BH_SEVERITY_ERROR, "e22", at->pos, at->pos, NULL, NULL,
			       "more than %u anchors in one document", BH_YAML_ANCHORS_MAX);

		return r < 0 ? r : -EINVAL;
	}
	a = arena(b, sizeof(*a));
	name = arena(b, len + 1);
	if (!a || !name)
		return -ENOMEM;
	memcpy(name, at->anchor, len + 1);
	*a = (struct bh_anchor){ .name = name, .node = n };
	HASH_ADD_KEYPTR(hh, b->anchors, a->name, len, a);
	if (!a->hh.tbl)
		return -ENOMEM;
	b->n_anchors++;
	return 0;
}

static int node_new(struct bh_build *b, const struct bh_build_at *at, enum bh_yaml_type type,
		    struct bh_yaml_node **ret)
{
	struct bh_yaml_node *n;
	int r = count(b, 1, at);

	if (r < 0)
		return r;
	n = arena(b, sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = (struct bh_yaml_node){
		.pos = at->pos, .end = at->end, .type = (uint8_t)type, .weight = 1
	};
	*ret = n;
	return at->anchor ? remember(b, at, n) : 0;
}

/* ---- scalars ---- */

static int bad_tag(struct bh_build *b, const struct bh_build_at *at, const char *why)
{
	return report(b, BH_SEVERITY_ERROR, "e16", at->pos, at->end, NULL,
		      "leave it out: the type follows from how the value is written", "%s", why);
}

static int resolve(struct bh_build *b, const struct bh_build_at *at, struct bh_yaml_node *n)
{
	static const enum bh_yaml_type wanted[] = {
		[BH_TAG_INT] = BH_YAML_INT,
		[BH_TAG_FLOAT] = BH_YAML_FLOAT,
		[BH_TAG_BOOL] = BH_YAML_BOOL,
		[BH_TAG_NULL] = BH_YAML_NULL,
	};
	struct bh_scalar s = { .type = BH_YAML_STRING };

	n->type = BH_YAML_STRING;
	if (at->tag == BH_TAG_STR)
		return 0;
	if (at->tag == BH_TAG_NONE) {
		if (n->plain)
			s = bh_scalar_resolve(n->text, n->n);
	} else if (at->tag >= BH_TAG_INT && at->tag <= BH_TAG_NULL) {
		s = bh_scalar_resolve(n->text, n->n);
		if (s.type == BH_YAML_INT && at->tag == BH_TAG_FLOAT)
			s = (struct bh_scalar){ .type = BH_YAML_FLOAT, .real = (double)s.integer };
		if (s.type != wanted[at->tag])
			return bad_tag(b, at, "the value is not what its tag says");
	} else {
		return bad_tag(b, at, "a tag that has no meaning here");
	}
	n->type = (uint8_t)s.type;
	n->octal = s.octal;
	if (s.type == BH_YAML_BOOL)
		n->boolean = s.boolean;
	else if (s.type == BH_YAML_INT)
		n->integer = s.integer;
	else if (s.type == BH_YAML_FLOAT)
		n->real = s.real;
	return 0;
}

int bh_build_scalar(struct bh_build *b, const struct bh_build_at *at, const char *text, size_t len,
		    bool plain)
{
	struct bh_yaml_node *n = NULL;
	int r = node_new(b, at, BH_YAML_STRING, &n);
	char *copy;

	if (r < 0)
		return r;
	if (len > BH_YAML_SCALAR_MAX) {
		r = report(b, BH_SEVERITY_ERROR, "e22", at->pos, at->end, NULL, NULL,
			   "a value of %zu bytes: more than %u", len, BH_YAML_SCALAR_MAX);
		len = 0;
	} else if (memchr(text, '\0', len)) {
		r = report(b, BH_SEVERITY_ERROR, "e16", at->pos, at->end, NULL, NULL,
			   "a value with a NUL character");
		len = 0;
	}
	if (r < 0)
		return r;
	copy = arena(b, len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';
	n->text = copy;
	n->n = (uint32_t)len;
	n->plain = plain;
	r = resolve(b, at, n);
	return r < 0 ? r : push(b, n);
}

int bh_build_alias(struct bh_build *b, const struct bh_build_at *at, const char *name)
{
	struct bh_anchor *a = NULL;
	int r;

	HASH_FIND(hh, b->anchors, name, strlen(name), a);
	if (!a || a->node->open) {
		r = report(b, BH_SEVERITY_ERROR, "e16", at->pos, at->end, NULL, NULL,
			   a ? "alias \"*%.80s\" stands inside of what it means"
			     : "alias \"*%.80s\" has no anchor \"&%.80s\" before it",
			   name, name);
		return r < 0 ? r : -EINVAL;
	}
	if (b->depth + a->node->height > BH_YAML_DEPTH_MAX) {
		r = report(b, BH_SEVERITY_ERROR, "e22", at->pos, at->end, NULL, NULL,
			   "nested more than %u levels deep", BH_YAML_DEPTH_MAX);
		return r < 0 ? r : -EINVAL;
	}
	r = count(b, a->node->weight, at);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < b->depth; i++)
		b->frames[i].node->aliased = true;
	return push(b, a->node);
}

/* ---- lists and maps ---- */

int bh_build_open(struct bh_build *b, const struct bh_build_at *at, enum bh_yaml_type type)
{
	struct bh_yaml_node *n = NULL;
	int r;

	if (b->depth == BH_YAML_DEPTH_MAX) {
		r = report(b, BH_SEVERITY_ERROR, "e22", at->pos, at->pos, NULL, NULL,
			   "nested more than %u levels deep", BH_YAML_DEPTH_MAX);
		return r < 0 ? r : -EINVAL;
	}
	r = node_new(b, at, type, &n);
	if (r < 0)
		return r;
	if (at->tag != BH_TAG_NONE && at->tag != (type == BH_YAML_MAP ? BH_TAG_MAP : BH_TAG_LIST)) {
		r = bad_tag(b, at, "a tag that has no meaning here");
		if (r < 0)
			return r;
	}
	n->open = true;
	n->end = n->pos; /* for messages until it is closed */
	b->frames[b->depth++] = (struct bh_frame){ .node = n, .base = b->n_stack };
	return 0;
}

/* A pair that may come into a map. */
struct bh_cand {
	struct bh_yaml_pair pair;
	size_t order;
	bool merged;
};

static int cand_add(struct bh_build *b, const struct bh_yaml_pair *pair, bool merged)
{
	if (b->n_cands == b->cap_cands) {
		size_t cap = b->cap_cands ? b->cap_cands * 2 : 32;
		struct bh_cand *c = reallocarray(b->cands, cap, sizeof(*c));

		if (!c)
			return -ENOMEM;
		b->cands = c;
		b->cap_cands = cap;
	}
	b->cands[b->n_cands] =
	    (struct bh_cand){ .pair = *pair, .order = b->n_cands, .merged = merged };
	b->n_cands++;
	return 0;
}

static int by_name(const void *x, const void *y)
{
	const struct bh_cand *a = x, *b = y;
	int c = strcmp(a->pair.name, b->pair.name);

	if (c)
		return c;
	return a->order < b->order ? -1 : a->order > b->order;
}

static int by_order(const void *x, const void *y)
{
	const struct bh_cand *a = x, *b = y;

	return a->order < b->order ? -1 : a->order > b->order;
}

/* The key as JSON has it; NULL in *@ret: null cannot be a key. */
static int key_name(struct bh_build *b, const struct bh_yaml_node *key, const char **ret)
{
	char number[32];
	char *copy;
	int r;

	*ret = NULL;
	if (key->type == BH_YAML_STRING) {
		*ret = key->text;
		return 0;
	}
	if (key->type == BH_YAML_NULL) {
		return report(b, BH_SEVERITY_ERROR, "e16", key->pos, key->end, NULL, NULL,
			      "nothing (null) cannot be a key");
	}
	if (key->type == BH_YAML_BOOL) {
		*ret = key->boolean ? "true" : "false";
	} else {
		if (key->type == BH_YAML_INT)
			(void)snprintf(number, sizeof(number), "%lld", (long long)key->integer);
		else
			(void)snprintf(number, sizeof(number), "%.15g", key->real);
		copy = arena(b, sizeof(number));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, number, sizeof(number));
		*ret = copy;
	}
	if (strcmp(*ret, key->text) == 0)
		return 0;
	r = report(b, BH_SEVERITY_WARNING, "w6", key->pos, key->end, key->text,
		   "write it in quotes if it is a name", "YAML reads the key \"%.80s\" as \"%s\"",
		   key->text, *ret);
	return r;
}

static int merge(struct bh_build *b, const struct bh_yaml_node *from, bool nested)
{
	int r = 0;

	if (from->type == BH_YAML_MAP) {
		for (uint32_t i = 0; i < from->n && r == 0; i++)
			r = cand_add(b, &from->pairs[i], true);
		return r;
	}
	if (from->type != BH_YAML_LIST || nested)
		return report(b, BH_SEVERITY_ERROR, "e16", from->pos, from->end, "<<", NULL,
			      "\"<<\" takes a map, or a list of maps, not %s",
			      bh_yaml_type_name(from->type));
	for (uint32_t i = 0; i < from->n && r == 0; i++)
		r = merge(b, from->items[i], true);
	return r;
}

static bool is_merge(const struct bh_yaml_node *key)
{
	return key->plain && strcmp(key->text, "<<") == 0;
}

static int collect(struct bh_build *b, struct bh_yaml_node **kids, size_t n)
{
	const struct bh_yaml_node *first = NULL;
	int r = 0;

	for (size_t i = 0; i + 1 < n && r == 0; i += 2) {
		struct bh_yaml_pair pair = { .key = kids[i], .value = kids[i + 1] };

		if (is_merge(pair.key))
			continue;
		r = key_name(b, pair.key, &pair.name);
		if (r == 0 && pair.name)
			r = cand_add(b, &pair, false);
	}
	for (size_t i = 0; i + 1 < n && r == 0; i += 2) {
		if (!is_merge(kids[i]))
			continue;
		if (first)
			r = report(b, BH_SEVERITY_ERROR, "e21", kids[i]->pos, kids[i]->end, "<<",
				   "to merge several maps write a list: \"<<: [*a, *b]\"",
				   "key \"<<\" is written twice; the first is in line %u",
				   first->pos.line);
		else
			r = merge(b, kids[i + 1], false);
		first = kids[i];
	}
	return r;
}

/* Of equal names the first stays. */
static int unique(struct bh_build *b)
{
	size_t n = 0;

	qsort(b->cands, b->n_cands, sizeof(*b->cands), by_name);
	for (size_t i = 0; i < b->n_cands; i++) {
		const struct bh_cand *c = &b->cands[i];
		int r;

		if (n == 0 || strcmp(b->cands[n - 1].pair.name, c->pair.name) != 0) {
			b->cands[n++] = *c;
			continue;
		}
		if (c->merged)
			continue;
		r = report(b, BH_SEVERITY_ERROR, "e21", c->pair.key->pos, c->pair.key->end,
			   c->pair.name, NULL,
			   "key \"%.80s\" is written twice; the first is in line %u", c->pair.name,
			   b->cands[n - 1].pair.key->pos.line);
		if (r < 0)
			return r;
	}
	b->n_cands = n;
	qsort(b->cands, n, sizeof(*b->cands), by_order);
	return 0;
}

static int close_map(struct bh_build *b, struct bh_yaml_node *node, struct bh_yaml_node **kids,
		     size_t n)
{
	uint64_t weight = 1;
	int r;

	b->n_cands = 0;
	r = collect(b, kids, n);
	if (r == 0 && b->n_cands > 1)
		r = unique(b);
	if (r < 0)
		return r;
	node->pairs = arena(b, b->n_cands * sizeof(*node->pairs));
	if (!node->pairs)
		return -ENOMEM;
	for (size_t i = 0; i < b->n_cands; i++) {
		const struct bh_yaml_node *value = b->cands[i].pair.value;

		node->pairs[i] = b->cands[i].pair;
		weight += 1 + (uint64_t)value->weight;
		node->height = (uint8_t)BH_MAX(node->height, value->height);
	}
	node->n = (uint32_t)b->n_cands;
	/* Each part was counted when it was put down, so this is at most a little above the limit. */
	node->weight = (uint32_t)BH_MIN(weight, UINT32_MAX);
	return 0;
}

static int close_list(struct bh_build *b, struct bh_yaml_node *node, struct bh_yaml_node **kids,
		      size_t n)
{
	uint64_t weight = 1;

	node->items = arena(b, n * sizeof(struct bh_yaml_node *));
	if (!node->items)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		node->items[i] = kids[i];
		weight += kids[i]->weight;
		node->height = (uint8_t)BH_MAX(node->height, kids[i]->height);
	}
	node->n = (uint32_t)n;
	node->weight = (uint32_t)BH_MIN(weight, UINT32_MAX);
	return 0;
}

int bh_build_close(struct bh_build *b, struct bh_pos end)
{
	const struct bh_frame *f = &b->frames[b->depth - 1];
	struct bh_yaml_node *node = f->node;
	size_t base = f->base, n = b->n_stack - base;
	struct bh_yaml_node **kids = n ? b->stack + base : NULL;
	int r;

	r = node->type == BH_YAML_MAP ? close_map(b, node, kids, n) : close_list(b, node, kids, n);
	if (r < 0)
		return r;
	node->open = false;
	node->end = end;
	node->height++;
	b->n_stack = base;
	b->depth--;
	return push(b, node);
}
