/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_view.c - the way through the tables of fields, and what each field says of itself
 */
#include "policy/schema_text.h"

#include "common/parse.h"
#include "common/util.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/banned.h"

#define KINDS_MAX  16
#define FIELDS_MAX 64

/* ---- kinds ---- */

static bool is_called(const struct bh_kind_info *k, const char *word)
{
	return strcasecmp(k->name, word) == 0 || strcasecmp(k->plural, word) == 0 ||
	       (k->short_name && strcasecmp(k->short_name, word) == 0);
}

static void to_lower(const char *s, char *buf, size_t size)
{
	size_t n = 0;

	for (; n + 1 < size && s[n] != '\0'; n++)
		buf[n] = (char)tolower((unsigned char)s[n]);
	buf[n] = '\0';
}

static int unknown_kind(const char *word, struct bh_err *err)
{
	bh_cleanup(bh_buf_done) struct bh_buf all = BH_BUF_INIT;
	char lower[KINDS_MAX][40], wanted[40];
	const char *names[3 * KINDS_MAX], *near, *last = "";
	const struct bh_kind_info *k;
	size_t n = 0;

	/* Lists are not asked for by name. */
	for (size_t i = 0; i < KINDS_MAX && (k = bh_schema_kind(i)) && k->kind; i++) {
		if (strcmp(last, k->name) == 0)
			continue;
		last = k->name;
		to_lower(k->name, lower[i], sizeof(lower[i]));
		names[n++] = lower[i];
		names[n++] = k->plural;
		names[n++] = k->short_name;
		bh_buf_printf(&all, "%s%s", i ? ", " : "", k->name);
	}
	to_lower(word, wanted, sizeof(wanted));
	near = strlen(word) < sizeof(wanted) ? bh_nearest(wanted, names, n) : NULL;
	if (near)
		return bh_err_set(err, -EINVAL, "unknown kind '%.80s'; did you mean '%s'?", word,
				  near);
	return bh_err_set(err, -EINVAL, "unknown kind '%.80s'; there are %s", word,
			  bh_buf_str(&all));
}

int bh_schema_kind_parse(const char *word, const char *api, const struct bh_kind_info **ret,
			 struct bh_err *err)
{
	const struct bh_kind_info *k, *named = NULL;

	for (size_t i = 0; (k = bh_schema_kind(i)); i++) {
		if (!is_called(k, word))
			continue;
		if (!api || bh_streq(k->api, api)) {
			*ret = k;
			return 0;
		}
		named = named ? named : k;
	}
	if (!named)
		return unknown_kind(word, err);
	k = bh_schema_kind_twin(named);
	return bh_err_set(err, -EINVAL, "no %s of apiVersion '%.80s'; there is %s%s%s", named->name,
			  api, named->api, k ? " and " : "", k ? k->api : "");
}

const struct bh_kind_info *bh_schema_kind_twin(const struct bh_kind_info *k)
{
	const struct bh_kind_info *other;
	bool behind = false;

	for (size_t i = 0; (other = bh_schema_kind(i)); i++) {
		if (behind && bh_streq(other->name, k->name))
			return other;
		behind |= other == k;
	}
	return NULL;
}

/* ---- fields ---- */

const struct bh_field *bh_schema_nth(const struct bh_schema_view *v, size_t i)
{
	for (size_t k = 0; v->object && k < v->object->n; k++) {
		const struct bh_field *f = &v->object->fields[k];

		if (!(f->not_in & v->in) && i-- == 0)
			return f;
	}
	return NULL;
}

struct bh_schema_view bh_schema_down(const struct bh_schema_view *v, const struct bh_field *f)
{
	struct bh_schema_view ret = {
		.kind = v->kind,
		.field = f,
		.in_object = v->object,
		.object = f->object,
		.in = bh_schema_below(v->in, v->level, f),
		.level = v->level + 1,
	};
	int n;

	n = snprintf(ret.path, sizeof(ret.path), "%s%s%s%s", v->path, *v->path ? "." : "", f->name,
		     f->type == BH_FIELD_LIST && f->object ? "[]" : "");
	if (n < 0 || (size_t)n >= sizeof(ret.path)) /* no table is that deep */
		ret.path[0] = '\0';
	return ret;
}

/* The same name where it does not exist. */
static const struct bh_field *elsewhere(const struct bh_object *o, const char *name, size_t len)
{
	for (size_t i = 0; i < o->n; i++)
		if (strlen(o->fields[i].name) == len && memcmp(o->fields[i].name, name, len) == 0)
			return &o->fields[i];
	return NULL;
}

/* @at: the part of the path that is right; @len: bytes of the one that is not, behind it. */
static int no_field(const struct bh_schema_view *v, const char *path, const char *at, size_t len,
		    struct bh_err *err)
{
	bh_cleanup(bh_buf_done) struct bh_buf where = BH_BUF_INIT, all = BH_BUF_INIT;
	const char *names[FIELDS_MAX], *near;
	const struct bh_field *f;
	char word[80], hint[160];
	size_t n = 0;

	bh_buf_puts(&where, v->kind->name);
	if (at > path)
		bh_buf_printf(&where, ".%.*s", (int)BH_MIN(at - path - 1, 200), path);
	(void)snprintf(word, sizeof(word), "%.*s", (int)BH_MIN(len, sizeof(word) - 1), at);
	if (!v->object) {
		bh_buf_puts(&all, "");
		bh_schema_put_type(&all, v->field);
		return bh_err_set(err, -EINVAL,
				  "%s has no field \"%s\": it has no fields at all (its type: %s)",
				  bh_buf_str(&where), word, bh_buf_str(&all));
	}
	f = elsewhere(v->object, at, len);
	if (f && f->not_here)
		return bh_err_set(err, -EINVAL, "%s has no field \"%s\": %s", bh_buf_str(&where),
				  word, f->not_here);
	while (n < FIELDS_MAX && (f = bh_schema_nth(v, n))) {
		bh_buf_printf(&all, "%s%s", n ? ", " : "", f->name);
		names[n++] = f->name;
	}
	near = bh_suggest(word, names, n, hint, sizeof(hint));
	if (near)
		return bh_err_set(err, -EINVAL, "%s has no field \"%s\"; %s", bh_buf_str(&where),
				  word, near);
	return bh_err_set(err, -EINVAL, "%s has no field \"%s\"; there are %s", bh_buf_str(&where),
			  word, bh_buf_str(&all));
}

int bh_schema_look(const struct bh_kind_info *k, const char *path, struct bh_schema_view *ret,
		   struct bh_err *err)
{
	struct bh_schema_view v = { .kind = k, .object = k->object, .in = k->in };

	for (const char *p = path; *p != '\0';) {
		size_t len = strcspn(p, ".[");
		const struct bh_field *f =
		    v.object ? bh_schema_field(v.object, v.in, p, len) : NULL;

		if (!f)
			return no_field(&v, path, p, len, err);
		v = bh_schema_down(&v, f);
		p += len;
		p += strcspn(p, ".");
		p += *p == '.';
	}
	*ret = v;
	return 0;
}

static bool has_required(const struct bh_schema_view *v)
{
	const struct bh_field *f;

	for (size_t i = 0; (f = bh_schema_nth(v, i)); i++)
		if (f->flags & BH_FIELD_REQUIRED)
			return true;
	return false;
}

bool bh_schema_required(const struct bh_schema_view *v, const struct bh_field *f)
{
	struct bh_schema_view below;

	if (f->flags & BH_FIELD_REQUIRED)
		return true;
	if (!(f->flags & BH_FIELD_READ_ANYWAY))
		return false;
	below = bh_schema_down(v, f);
	return has_required(&below);
}

bool bh_schema_nullable(const struct bh_schema_view *v, const struct bh_field *f)
{
	return !(f->flags & BH_FIELD_NOT_NULL) && !bh_schema_required(v, f);
}

bool bh_schema_item_nullable(const struct bh_schema_view *v)
{
	if (v->object && v->object->flags & BH_OBJECT_LATER)
		return true;
	return !has_required(v) && !v->field->values &&
	       !(v->field->flags & (BH_FIELD_NOT_NULL | BH_FIELD_NOT_EMPTY | BH_FIELD_REQUIRED));
}

/* ---- words ---- */

void bh_schema_put_type(struct bh_buf *out, const struct bh_field *f)
{
	static const char *const names[] = {
		[BH_FIELD_INVALID] = "",
		[BH_FIELD_STRING] = "string",
		[BH_FIELD_INT] = "integer",
		[BH_FIELD_BOOL] = "boolean",
		[BH_FIELD_INT_OR_STRING] = "integer or string",
		[BH_FIELD_MAP] = "object",
		[BH_FIELD_STRINGS] = "map[string]string",
		[BH_FIELD_LIST] = "list",
		[BH_FIELD_ANY] = "any",
	};
	bool list = f->type == BH_FIELD_LIST;
	unsigned type = list ? f->item : f->type;

	if (list)
		bh_buf_puts(out, "[]");
	if (f->flags & BH_FIELD_SEVERAL)
		bh_buf_puts(out, f->object ? "integer, string or object" : "integer or string");
	else if (type < BH_ARRAY_SIZE(names))
		bh_buf_puts(out, names[type]);
}

static void put_part(struct bh_buf *out, size_t before, const char *part)
{
	bh_buf_printf(out, "%s%s", out->len > before ? "; " : "", part);
}

void bh_schema_put_limits(struct bh_buf *out, const struct bh_schema_view *v,
			  const struct bh_field *f)
{
	size_t before = out->len;
	char part[64];

	if (f->min || f->max) {
		(void)snprintf(part, sizeof(part), "%lld to %lld", (long long)f->min,
			       (long long)f->max);
		put_part(out, before, part);
	}
	if (f->max_items) {
		(void)snprintf(part, sizeof(part), "%s%u entries",
			       f->flags & BH_FIELD_NOT_EMPTY ? "1 to " : "at most ", f->max_items);
		put_part(out, before, part);
	} else if (f->flags & BH_FIELD_NOT_EMPTY) {
		put_part(out, before, "at least one entry");
	}
	if (f->flags & BH_FIELD_NOT_NULL && !bh_schema_required(v, f))
		put_part(out, before, "not null");
	if (f->flags & BH_FIELD_UNSUPPORTED)
		put_part(out, before, "not supported by this version");
	if (f->object && f->object->flags & BH_OBJECT_ONE_OF)
		put_part(out, before, "exactly one of its fields");
}

/* Kinds whose table is the same, and in which the field does not stand in any form. */
static bool lacks(const struct bh_kind_info *k, const struct bh_object *o, const struct bh_field *f)
{
	return f->not_in & k->in && !bh_schema_field(o, k->in, f->name, strlen(f->name));
}

const char *bh_schema_not_in(const struct bh_schema_view *v, const struct bh_field *f, size_t i,
			     char *buf)
{
	const struct bh_kind_info *k, *other;
	size_t n = 0;

	for (size_t j = 0; (k = bh_schema_kind(j)); j++) {
		bool twice = false;

		if (!lacks(k, v->object, f) || n++ != i)
			continue;
		for (size_t m = 0; (other = bh_schema_kind(m)); m++)
			twice |= other != k && bh_streq(other->name, k->name);
		(void)snprintf(buf, 128, twice ? "%s of %s" : "%s", k->name, k->api);
		return buf;
	}
	if (f->not_in & BH_IN_INGRESS && n++ == i)
		return "ingress rules";
	if (f->not_in & BH_IN_EGRESS && n++ == i)
		return "egress rules";
	return NULL;
}
