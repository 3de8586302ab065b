/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_text.c - a place in the tables of fields as text and as JSON: what `bulkhead explain-field` prints
 */
#include "policy/schema_text.h"

#include "common/json.h"
#include "common/util.h"
#include "policy/schema/schema_format.h"

#include <string.h>

#include "common/banned.h"

#define WIDTH  100
#define INDENT 13 /* of what stands behind "DESCRIPTION: " */

/* ---- text ---- */

/* Words from column @at on, further lines from @indent on. */
static void put_wrapped(struct bh_buf *out, const char *text, size_t at, size_t indent)
{
	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (at > indent && at + 1 + n > WIDTH) {
			bh_buf_printf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			bh_buf_putc(out, ' ');
			at++;
		}
		bh_buf_add(out, text, n);
		at += n;
		text += n;
		text += strspn(text, " ");
	}
	bh_buf_putc(out, '\n');
}

static void put_line(struct bh_buf *out, const char *title, const char *text)
{
	if (*text == '\0')
		return;
	bh_buf_printf(out, "%-*s", INDENT, title);
	put_wrapped(out, text, INDENT, INDENT);
}

static void put_values(struct bh_buf *out, const struct bh_field *f)
{
	const struct bh_field_format *format = bh_field_format(f->format);

	for (size_t i = 0; f->values && f->values[i]; i++)
		bh_buf_printf(out, "%s%s", i ? ", " : "", f->values[i]);
	if (format)
		bh_buf_puts(out, format->text);
}

static void put_not_in(struct bh_buf *out, const struct bh_schema_view *v, const struct bh_field *f)
{
	char buf[128];
	const char *where;

	for (size_t i = 0; (where = bh_schema_not_in(v, f, i, buf)); i++)
		bh_buf_printf(out, "%s%s", i ? ", " : "", where);
}

/* The view that has @v's field below. */
static struct bh_schema_view above(const struct bh_schema_view *v)
{
	return (struct bh_schema_view){
		.kind = v->kind,
		.object = v->in_object,
		.in = v->in,
		.level = v->level - 1,
	};
}

static void put_facts(struct bh_buf *out, const struct bh_schema_view *v)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	struct bh_schema_view up = above(v);
	const struct bh_field *f = v->field;

	bh_schema_put_type(&b, f);
	bh_buf_puts(&b, bh_schema_required(&up, f) ? " -required-" : "");
	put_line(out, "TYPE:", bh_buf_str(&b));
	bh_buf_clear(&b);
	put_values(&b, f);
	put_line(out, "VALUES:", bh_buf_str(&b));
	put_line(out, "DEFAULT:", f->otherwise ? f->otherwise : "");
	bh_buf_clear(&b);
	bh_schema_put_limits(&b, &up, f);
	put_line(out, "LIMITS:", bh_buf_str(&b));
	bh_buf_clear(&b);
	put_not_in(&b, &up, f);
	if (b.len && f->not_here)
		bh_buf_printf(&b, ": %s", f->not_here);
	put_line(out, "NOT IN:", bh_buf_str(&b));
}

static void name_and_type(struct bh_buf *b, const struct bh_schema_view *v,
			  const struct bh_field *f)
{
	bh_buf_clear(b);
	bh_buf_putc(b, '<');
	bh_schema_put_type(b, f);
	bh_buf_puts(b, bh_schema_required(v, f) ? "> -required-" : ">");
}

/* A tree of names and types. */
static void put_tree(struct bh_buf *out, const struct bh_schema_view *v, int depth)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	const struct bh_field *f;

	for (size_t i = 0; (f = bh_schema_nth(v, i)); i++) {
		struct bh_schema_view below = bh_schema_down(v, f);

		name_and_type(&b, v, f);
		bh_buf_printf(out, "%*s%s  %s\n", 2 * depth, "", f->name, bh_buf_str(&b));
		put_tree(out, &below, depth + 1);
	}
}

static void put_fields(struct bh_buf *out, const struct bh_schema_view *v)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	size_t names = 0, types = 0, indent;
	const struct bh_field *f;

	for (size_t i = 0; (f = bh_schema_nth(v, i)); i++) {
		name_and_type(&b, v, f);
		names = BH_MAX(names, strlen(f->name));
		types = BH_MAX(types, b.len);
	}
	indent = 2 + names + 2 + types + 2;
	for (size_t i = 0; (f = bh_schema_nth(v, i)); i++) {
		name_and_type(&b, v, f);
		bh_buf_printf(out, "  %-*s  %-*s  ", (int)names, f->name, (int)types,
			      bh_buf_str(&b));
		put_wrapped(out, f->help, indent, indent);
	}
}

static void put_head(struct bh_buf *out, const struct bh_schema_view *v)
{
	const struct bh_kind_info *twin = bh_schema_kind_twin(v->kind);

	put_line(out, "KIND:", v->kind->name);
	put_line(out, "API VERSION:", v->kind->api);
	if (twin)
		put_line(out, "ALSO:", twin->api);
}

void bh_schema_put_text(struct bh_buf *out, const struct bh_schema_view *v, bool recursive)
{
	put_head(out, v);
	if (v->field) {
		put_line(out, "FIELD:", v->path);
		put_facts(out, v);
	}
	put_line(out, "DESCRIPTION:", v->field ? v->field->help : v->object->help);
	if (v->field && v->object && !bh_streq(v->field->help, v->object->help))
		put_line(out, "", v->object->help);
	if (!bh_schema_nth(v, 0))
		return;
	bh_buf_puts(out, "\nFIELDS:\n");
	if (recursive)
		put_tree(out, v, 1);
	else
		put_fields(out, v);
}

/* ---- JSON ---- */

/* A list of what @put or the table says; 0, -ENOMEM */
static int set_strings(json_t *to, const char *key, const char *const *values)
{
	bh_autojson json_t *list = json_array();

	for (size_t i = 0; values && values[i]; i++)
		if (json_array_append_new(list, json_string(values[i])) < 0)
			return -ENOMEM;
	return json_object_set(to, key, list) < 0 ? -ENOMEM : 0;
}

static int set_text(json_t *to, const char *key, const char *text)
{
	return text && json_object_set_new(to, key, json_string(text)) < 0 ? -ENOMEM : 0;
}

static int set_number(json_t *to, const char *key, int64_t n)
{
	return json_object_set_new(to, key, json_integer(n)) < 0 ? -ENOMEM : 0;
}

static int set_not_in(json_t *to, const struct bh_schema_view *v, const struct bh_field *f)
{
	bh_autojson json_t *list = json_array();
	const char *where;
	char buf[128];

	for (size_t i = 0; (where = bh_schema_not_in(v, f, i, buf)); i++)
		if (json_array_append_new(list, json_string(where)) < 0)
			return -ENOMEM;
	if (json_array_size(list) == 0)
		return list ? 0 : -ENOMEM;
	return json_object_set(to, "notIn", list) < 0 ? -ENOMEM : 0;
}

static int set_limits(json_t *to, const struct bh_field *f)
{
	int r = 0;

	if (f->min || f->max)
		r = set_number(to, "minimum", f->min) < 0 || set_number(to, "maximum", f->max) < 0;
	if (f->flags & BH_FIELD_NOT_EMPTY)
		r = r || set_number(to, "minItems", 1) < 0;
	if (f->max_items)
		r = r || set_number(to, "maxItems", f->max_items) < 0;
	return r ? -ENOMEM : 0;
}

static int set_fields(json_t *to, const struct bh_schema_view *v, bool recursive);

/* What a field says of itself. @v: the view that has it below */
static json_t *field_json(const struct bh_schema_view *v, const struct bh_field *f, bool fields,
			  bool recursive)
{
	bh_cleanup(bh_buf_done) struct bh_buf type = BH_BUF_INIT;
	const struct bh_field_format *format = bh_field_format(f->format);
	struct bh_schema_view below = bh_schema_down(v, f);
	bh_autojson json_t *to = NULL;

	bh_schema_put_type(&type, f);
	to = json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", f->name, "type", bh_buf_str(&type),
		       "required", bh_schema_required(v, f) ? 1 : 0, "nullable",
		       bh_schema_nullable(v, f) ? 1 : 0, "description", f->help);
	if (!to || (f->values && set_strings(to, "values", f->values) < 0) ||
	    set_text(to, "format", f->format) < 0 ||
	    set_text(to, "example", format ? format->text : NULL) < 0 ||
	    set_text(to, "default", f->otherwise) < 0 || set_limits(to, f) < 0 ||
	    set_not_in(to, v, f) < 0)
		return NULL;
	if (fields && set_fields(to, &below, recursive) < 0)
		return NULL;
	return json_incref(to);
}

static int set_fields(json_t *to, const struct bh_schema_view *v, bool recursive)
{
	bh_autojson json_t *list = json_array();
	const struct bh_field *f;

	for (size_t i = 0; (f = bh_schema_nth(v, i)); i++)
		if (json_array_append_new(list, field_json(v, f, recursive, recursive)) < 0)
			return -ENOMEM;
	if (json_array_size(list) == 0)
		return list ? 0 : -ENOMEM;
	return json_object_set(to, "fields", list) < 0 ? -ENOMEM : 0;
}

json_t *bh_schema_to_json(const struct bh_schema_view *v, bool recursive)
{
	bh_autojson json_t *to =
	    json_pack("{s:s, s:s}", "kind", v->kind->name, "apiVersion", v->kind->api);
	bh_autojson json_t *field = NULL;
	struct bh_schema_view up;

	if (!to)
		return NULL;
	if (v->field) {
		up = above(v);
		field = field_json(&up, v->field, false, false);
		if (!field || set_text(to, "path", v->path) < 0 ||
		    json_object_update(to, field) < 0)
			return NULL;
	} else if (set_text(to, "description", v->object->help) < 0) {
		return NULL;
	}
	return set_fields(to, v, recursive) < 0 ? NULL : json_incref(to);
}

json_t *bh_schema_kinds_json(void)
{
	bh_autojson json_t *list = json_array();
	const struct bh_kind_info *k;

	for (size_t i = 0; (k = bh_schema_kind(i)); i++) {
		json_t *v =
		    json_pack("{s:s, s:s, s:s, s:s*, s:b, s:s}", "kind", k->name, "apiVersion",
			      k->api, "plural", k->plural, "shortName", k->short_name, "namespaced",
			      k->in & BH_IN_NO_NAMESPACE ? 0 : 1, "description", k->object->help);

		if (json_array_append_new(list, v) < 0)
			return NULL;
	}
	return json_pack("{s:O}", "kinds", list);
}
