/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_json.c - the tables of fields as JSON Schema, and as the structural schema of a CustomResourceDefinition
 *
 * Both from one walk. They differ in what each can say: a structural schema has one type for each place, unknown
 * fields are refused without a word, null is "nullable", and a value of several types is anything at all (the agent
 * looks at it). What the loader takes is valid under both; what only the loader can know (a range that ends before it
 * begins, a deny rule without isolation) is valid too.
 *
 * Running out of memory: jansson refuses NULL where a value must be, so that it comes out at the top.
 */
#include "common/json.h"
#include "common/util.h"
#include "policy/schema/schema_format.h"
#include "policy/schema_text.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

struct walk {
	bool structural;
	bool failed; /* out of memory */
};

static void put(struct walk *w, json_t *to, const char *key, json_t *v)
{
	if (json_object_set_new(to, key, v) < 0)
		w->failed = true;
}

static void add(struct walk *w, json_t *to, json_t *v)
{
	if (json_array_append_new(to, v) < 0)
		w->failed = true;
}

static json_t *object_schema(struct walk *w, const struct bh_schema_view *v);

/* ---- values ---- */

static void put_type(struct walk *w, json_t *to, const char *type, bool nullable)
{
	if (nullable && !w->structural) {
		put(w, to, "type", json_pack("[s, s]", type, "null"));
		return;
	}
	put(w, to, "type", json_string(type));
	if (nullable)
		put(w, to, "nullable", json_true());
}

/* null among the legal values, or it would not be legal. */
static void put_enum(struct walk *w, json_t *to, const struct bh_field *f, bool nullable)
{
	const struct bh_field_format *format = bh_field_format(f->format);
	json_t *list = json_array();
	const char *word;

	for (size_t i = 0; f->values && f->values[i]; i++)
		add(w, list, json_string(f->values[i]));
	for (size_t i = 0; !f->values && (word = format->word(i)); i++)
		add(w, list, json_string(word));
	if (nullable)
		add(w, list, json_null());
	put(w, to, "enum", list);
}

/* What a string must look like. */
static void put_string(struct walk *w, json_t *to, const struct bh_field *f, bool nullable)
{
	const struct bh_field_format *format = bh_field_format(f->format);

	/* Names of protocols come and go with versions of the program, and a CRD outlives them. */
	if (f->values || (format && format->word && !w->structural)) {
		put_enum(w, to, f, nullable);
		return;
	}
	if (format && format->pattern)
		put(w, to, "pattern", json_string(format->pattern));
	if (format && format->longest)
		put(w, to, "maxLength", json_integer(format->longest));
}

static void put_range(struct walk *w, json_t *to, const struct bh_field *f)
{
	if (f->min == 0 && f->max == 0)
		return;
	put(w, to, "minimum", json_integer(f->min));
	put(w, to, "maximum", json_integer(f->max));
}

static void put_int_or_string(struct walk *w, json_t *to, const struct bh_field *f, bool nullable)
{
	if (w->structural) {
		put(w, to, "x-kubernetes-int-or-string", json_true());
		put(w, to, "anyOf",
		    json_pack("[{s:s}, {s:s}]", "type", "integer", "type", "string"));
		if (nullable)
			put(w, to, "nullable", json_true());
	} else if (nullable) {
		put(w, to, "type", json_pack("[s, s, s]", "integer", "string", "null"));
	} else {
		put(w, to, "type", json_pack("[s, s]", "integer", "string"));
	}
	put_range(w, to, f);
	put_string(w, to, f, nullable);
}

static void put_map(struct walk *w, json_t *to, const struct bh_schema_view *v, bool nullable);

/* One of several: a number, a string, an object with fields (of which null is an empty one). */
static void put_several(struct walk *w, json_t *to, const struct bh_schema_view *v,
			const struct bh_field *f)
{
	json_t *any, *text, *number, *map;

	if (w->structural) {
		put(w, to, "x-kubernetes-preserve-unknown-fields", json_true());
		return;
	}
	any = json_array();
	text = json_pack("{s:s}", "type", "string");
	if (text)
		put_string(w, text, f, false);
	add(w, any, text);
	number = json_pack("{s:s}", "type", "integer");
	put_range(w, number, f);
	add(w, any, number);
	if (f->object) {
		map = json_object();
		put_map(w, map, v, true);
		add(w, any, map);
	}
	put(w, to, "anyOf", any);
}

/* A map, with or without fields that are known. */
static void put_map(struct walk *w, json_t *to, const struct bh_schema_view *v, bool nullable)
{
	json_t *o;

	put_type(w, to, "object", nullable);
	if (!v->object) {
		if (w->structural)
			put(w, to, "x-kubernetes-preserve-unknown-fields", json_true());
		return;
	}
	o = object_schema(w, v);
	if (!o || json_object_update(to, o) < 0)
		w->failed = true;
	json_decref(o);
}

static void put_value(struct walk *w, json_t *to, const struct bh_schema_view *v,
		      enum bh_field_type type, bool nullable)
{
	const struct bh_field *f = v->field;

	switch (type) {
	case BH_FIELD_STRING:
		put_type(w, to, "string", nullable);
		put_string(w, to, f, nullable);
		break;
	case BH_FIELD_INT:
		put_type(w, to, "integer", nullable);
		put_range(w, to, f);
		break;
	case BH_FIELD_BOOL:
		put_type(w, to, "boolean", nullable);
		break;
	case BH_FIELD_INT_OR_STRING:
		put_int_or_string(w, to, f, nullable);
		break;
	case BH_FIELD_MAP:
		put_map(w, to, v, nullable);
		break;
	case BH_FIELD_STRINGS:
		put_type(w, to, "object", nullable);
		put(w, to, "additionalProperties",
		    w->structural ? json_pack("{s:s, s:b}", "type", "string", "nullable", 1)
				  : json_pack("{s:[s, s]}", "type", "string", "null"));
		break;
	case BH_FIELD_ANY:
		if (f->flags & BH_FIELD_SEVERAL)
			put_several(w, to, v, f);
		else if (w->structural)
			put(w, to, "x-kubernetes-preserve-unknown-fields", json_true());
		break;
	case BH_FIELD_LIST:
	case BH_FIELD_INVALID:
		break;
	}
}

static void put_list(struct walk *w, json_t *to, const struct bh_schema_view *v, bool nullable)
{
	const struct bh_field *f = v->field;
	json_t *item = json_object();

	put_type(w, to, "array", nullable);
	if (f->flags & BH_FIELD_NOT_EMPTY)
		put(w, to, "minItems", json_integer(1));
	if (f->max_items)
		put(w, to, "maxItems", json_integer(f->max_items));
	put_value(w, item, v, (enum bh_field_type)f->item, bh_schema_item_nullable(v));
	put(w, to, "items", item);
}

/* ---- fields ---- */

/* The default, where it is a value and not a sentence. */
static void put_default(struct walk *w, json_t *to, const struct bh_field *f)
{
	const char *s = f->otherwise;

	if (!s || w->structural)
		return;
	for (size_t i = 0; f->type == BH_FIELD_STRING && f->values && f->values[i]; i++)
		if (bh_streq(f->values[i], s))
			put(w, to, "default", json_string(s));
	if (f->type == BH_FIELD_BOOL)
		put(w, to, "default", json_boolean(bh_streq(s, "true")));
	if (f->type == BH_FIELD_INT && s[strspn(s, "0123456789")] == '\0')
		put(w, to, "default", json_integer(strtol(s, NULL, 10)));
}

/* Help, default in words, and what a value looks like. */
static void put_description(struct walk *w, json_t *to, const struct bh_field *f)
{
	const struct bh_field_format *format = bh_field_format(f->format);
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	bh_buf_puts(&b, f->help);
	if (format && f->type != BH_FIELD_INT)
		bh_buf_printf(&b, ". %s: %s", f->type == BH_FIELD_LIST ? "Each" : "Form",
			      format->text);
	if (f->otherwise)
		bh_buf_printf(&b, ". Default: %s", f->otherwise);
	w->failed |= bh_buf_failed(&b);
	put(w, to, "description", json_string(bh_buf_str(&b)));
}

static json_t *field_schema(struct walk *w, const struct bh_schema_view *up,
			    const struct bh_field *f)
{
	struct bh_schema_view v = bh_schema_down(up, f);
	bool nullable = bh_schema_nullable(up, f);
	json_t *to = json_object();

	put_description(w, to, f);
	if (f->flags & BH_FIELD_IGNORED) {
		if (w->structural)
			put(w, to, "x-kubernetes-preserve-unknown-fields", json_true());
		return to;
	}
	if (f->type == BH_FIELD_LIST)
		put_list(w, to, &v, nullable);
	else
		put_value(w, to, &v, (enum bh_field_type)f->type, nullable);
	put_default(w, to, f);
	return to;
}

/* At the top of a CRD stands what an API server fills in itself. */
static json_t *server_field(const struct bh_schema_view *v, const struct bh_field *f)
{
	if (v->level > 0 || v->kind->object != v->object)
		return NULL;
	if (bh_streq(f->name, "metadata"))
		return json_pack("{s:s}", "type", "object");
	if (bh_streq(f->name, "apiVersion") || bh_streq(f->name, "kind"))
		return json_pack("{s:s, s:s}", "description", f->help, "type", "string");
	return NULL;
}

/* @schema holds as soon as one of the fields is there. */
static json_t *or_later(struct walk *w, const struct bh_schema_view *v, json_t *schema)
{
	json_t *to = json_object(), *any = json_array();
	const struct bh_field *f;

	for (size_t i = 0; (f = bh_schema_nth(v, i)); i++)
		add(w, any, json_pack("{s:[s]}", "required", f->name));
	put(w, to, "if", json_pack("{s:o}", "anyOf", any));
	put(w, to, "then", schema);
	return to;
}

static json_t *object_schema(struct walk *w, const struct bh_schema_view *v)
{
	json_t *to = json_object(), *fields = json_object();
	bh_autojson json_t *required = json_array();
	const struct bh_field *f;

	for (size_t i = 0; (f = bh_schema_nth(v, i)); i++) {
		json_t *server = w->structural ? server_field(v, f) : NULL;

		if (f->flags & BH_FIELD_UNSUPPORTED ||
		    (w->structural && v->level == 0 && f->flags & BH_FIELD_IGNORED))
			continue;
		put(w, fields, f->name, server ? server : field_schema(w, v, f));
		/* What the API server sees to itself. */
		if (bh_schema_required(v, f) && !server)
			add(w, required, json_string(f->name));
	}
	put(w, to, "properties", fields);
	if (json_array_size(required))
		put(w, to, "required", json_incref(required));
	if (v->object->flags & BH_OBJECT_ONE_OF) {
		put(w, to, "minProperties", json_integer(1));
		put(w, to, "maxProperties", json_integer(1));
	}
	if (w->structural && v->object->flags & BH_OBJECT_OPEN)
		put(w, to, "x-kubernetes-preserve-unknown-fields", json_true());
	else if (!w->structural && !(v->object->flags & BH_OBJECT_OPEN))
		put(w, to, "additionalProperties", json_false());
	return !w->structural && v->object->flags & BH_OBJECT_LATER ? or_later(w, v, to) : to;
}

/* ---- kinds ---- */

static json_t *kind_schema(struct walk *w, const struct bh_kind_info *k)
{
	const struct bh_schema_view v = { .kind = k, .object = k->object, .in = k->in };
	json_t *to = json_object(), *fields;

	put(w, to, "description", json_string(k->object->help));
	put_map(w, to, &v, false);
	fields = json_object_get(to, "properties");
	if (!w->structural) {
		put(w, json_object_get(fields, "apiVersion"), "const", json_string(k->api));
		put(w, json_object_get(fields, "kind"), "const", json_string(k->name));
	}
	return to;
}

json_t *bh_schema_to_structural(const struct bh_kind_info *k)
{
	struct walk w = { .structural = true };
	bh_autojson json_t *to = kind_schema(&w, k);

	return w.failed ? NULL : json_incref(to);
}

/* A manifest of any kind: which one it is held against, its kind and apiVersion say. */
static json_t *every_kind(struct walk *w)
{
	json_t *all = json_array(), *schema;
	const struct bh_kind_info *k;

	for (size_t i = 0; (k = bh_schema_kind(i)); i++) {
		schema = kind_schema(w, k);
		/* The items of a list are manifests themselves. */
		if (!k->kind)
			put(w, json_object_get(json_object_get(schema, "properties"), "items"),
			    "items", json_pack("{s:s}", "$ref", "#"));
		add(w, all, schema);
	}
	return json_pack("{s:o}", "oneOf", all);
}

json_t *bh_schema_to_schema(const struct bh_kind_info *k)
{
	struct walk w = { .structural = false };
	bh_autojson json_t *to =
	    json_pack("{s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema",
		      "title", k ? k->name : "manifests that Bulkhead reads");
	bh_autojson json_t *body = k ? kind_schema(&w, k) : every_kind(&w);

	if (!to || !body || w.failed || json_object_update(to, body) < 0)
		return NULL;
	return json_incref(to);
}
