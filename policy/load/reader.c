/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/reader.c - typed values out of a tree of nodes, with complaints
 */
#include "policy/reader.h"

#include "common/parse.h"
#include "common/util.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* Fields of one object, and values of one field, that can be suggested. */
#define NAMES_MAX 64

/* ---- the reader ---- */

void bh_reader_init(struct bh_reader *rd, const struct bh_text *text, struct bh_diags *d)
{
	*rd = (struct bh_reader){ .text = text, .d = d };
}

void bh_reader_done(struct bh_reader *rd)
{
	bh_buf_done(&rd->path);
}

bool bh_reader_ok(const struct bh_reader *rd)
{
	return !rd->bad && rd->r == 0 && !bh_buf_failed(&rd->path);
}

void bh_reader_nomem(struct bh_reader *rd)
{
	rd->r = -ENOMEM;
}

size_t bh_path_key(struct bh_reader *rd, const char *key)
{
	size_t mark = rd->path.len;

	if (key[strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")])
		bh_buf_printf(&rd->path, "[%.100s]", key);
	else
		bh_buf_printf(&rd->path, "%s%.100s", mark ? "." : "", key);
	return mark;
}

size_t bh_path_index(struct bh_reader *rd, size_t i)
{
	size_t mark = rd->path.len;

	bh_buf_printf(&rd->path, "[%zu]", i);
	return mark;
}

void bh_path_back(struct bh_reader *rd, size_t mark)
{
	if (bh_buf_failed(&rd->path) || mark > rd->path.len || !rd->path.data)
		return;
	rd->path.len = mark;
	rd->path.data[mark] = '\0';
}

const char *bh_path(const struct bh_reader *rd, const char *otherwise)
{
	const char *s = bh_buf_str(&rd->path);

	return *s ? s : otherwise;
}

static void report(struct bh_reader *rd, enum bh_severity severity, struct bh_pos pos,
		   unsigned width, const char *code, const char *hint, const char *fmt, va_list ap)
    bh_printf(7, 0);
static void report(struct bh_reader *rd, enum bh_severity severity, struct bh_pos pos,
		   unsigned width, const char *code, const char *hint, const char *fmt, va_list ap)
{
	struct bh_diag_at at = {
		.text = rd->text, .pos = pos, .width = width, .path = bh_buf_str(&rd->path)
	};

	if (bh_diag_addv(rd->d, &at, severity, code, hint, fmt, ap) < 0)
		rd->r = -ENOMEM;
	if (severity == BH_SEVERITY_ERROR)
		rd->bad = true;
}

/* Scalars are underlined whole, of lists and maps only the beginning. */
static unsigned width_of(const struct bh_yaml_node *n)
{
	if (n->type == BH_YAML_LIST || n->type == BH_YAML_MAP || n->pos.line != n->end.line)
		return 1;
	return n->end.column > n->pos.column ? n->end.column - n->pos.column : 1;
}

void bh_complain(struct bh_reader *rd, const struct bh_yaml_node *n, const char *code,
		 const char *hint, const char *fmt, ...)
{
	va_list ap;

	if (!n)
		n = rd->around;
	va_start(ap, fmt);
	report(rd, BH_SEVERITY_ERROR, n ? n->pos : (struct bh_pos){ 0 }, n ? width_of(n) : 0, code,
	       hint, fmt, ap);
	va_end(ap);
}

void bh_warn(struct bh_reader *rd, const struct bh_yaml_node *n, const char *code, const char *hint,
	     const char *fmt, ...)
{
	va_list ap;

	if (!n)
		n = rd->around;
	va_start(ap, fmt);
	report(rd, BH_SEVERITY_WARNING, n ? n->pos : (struct bh_pos){ 0 }, n ? width_of(n) : 0,
	       code, hint, fmt, ap);
	va_end(ap);
}

void bh_complain_at(struct bh_reader *rd, struct bh_pos pos, const char *code, const char *hint,
		    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(rd, BH_SEVERITY_ERROR, pos, 1, code, hint, fmt, ap);
	va_end(ap);
}

const char *bh_suggest(const char *word, const char *const *names, size_t n, char *buf, size_t size)
{
	const char *best = NULL;

	for (size_t i = 0; i < n && !best; i++)
		if (strcasecmp(word, names[i]) == 0)
			best = names[i];
	if (!best)
		best = bh_nearest(word, names, n);
	if (!best)
		return NULL;
	(void)snprintf(buf, size, "did you mean \"%s\"?", best);
	return buf;
}

/* ---- values ---- */

bool bh_node_is_null(const struct bh_yaml_node *n)
{
	return !n || n->type == BH_YAML_NULL;
}

const char *bh_node_str(const struct bh_yaml_node *n)
{
	return bh_node_is_null(n) || !n->text ? "" : n->text;
}

bool bh_node_int(const struct bh_yaml_node *n, int64_t *ret)
{
	if (n->type == BH_YAML_INT) {
		*ret = n->integer;
		return true;
	}
	/* Beyond 2^53 a float is no exact integer. */
	if (n->type != BH_YAML_FLOAT || !(n->real >= -9007199254740992.0) ||
	    !(n->real <= 9007199254740992.0) || (double)(int64_t)n->real < n->real ||
	    (double)(int64_t)n->real > n->real)
		return false;
	*ret = (int64_t)n->real;
	return true;
}

static const char *field_type_name(enum bh_field_type t)
{
	switch (t) {
	case BH_FIELD_STRING:
		return "a string";
	case BH_FIELD_INT:
		return "a whole number";
	case BH_FIELD_BOOL:
		return "true or false";
	case BH_FIELD_INT_OR_STRING:
		return "a whole number or a name";
	case BH_FIELD_MAP:
		return "a map (lines of \"key: value\")";
	case BH_FIELD_STRINGS:
		return "a map of strings";
	case BH_FIELD_LIST:
		return "a list (lines that begin with \"- \")";
	case BH_FIELD_ANY:
	case BH_FIELD_INVALID:
		break;
	}
	return "anything";
}

static bool type_fits(const struct bh_yaml_node *n, enum bh_field_type t)
{
	int64_t i;

	switch (t) {
	case BH_FIELD_STRING:
		return n->type == BH_YAML_STRING;
	case BH_FIELD_INT:
		return bh_node_int(n, &i);
	case BH_FIELD_BOOL:
		return n->type == BH_YAML_BOOL;
	case BH_FIELD_INT_OR_STRING:
		return n->type == BH_YAML_STRING || bh_node_int(n, &i);
	case BH_FIELD_MAP:
	case BH_FIELD_STRINGS:
		return n->type == BH_YAML_MAP;
	case BH_FIELD_LIST:
		return n->type == BH_YAML_LIST;
	case BH_FIELD_ANY:
		return true;
	case BH_FIELD_INVALID:
		break;
	}
	return false;
}

static void wrong_type(struct bh_reader *rd, const struct bh_yaml_node *n, enum bh_field_type t)
{
	const char *where = bh_path(rd, "the document");
	char hint[160];

	if (t == BH_FIELD_STRING && n->type == BH_YAML_BOOL) {
		(void)snprintf(hint, sizeof(hint), "write \"%s\" in quotes", n->text);
		bh_complain(rd, n, "e8", hint, "%s is a boolean (YAML reads \"%s\" as %s)", where,
			    n->text, n->boolean ? "true" : "false");
	} else if (t == BH_FIELD_STRING && (n->type == BH_YAML_INT || n->type == BH_YAML_FLOAT)) {
		(void)snprintf(hint, sizeof(hint), "write \"%.80s\" in quotes", n->text);
		bh_complain(rd, n, "e8", hint, "%s is a number", where);
	} else {
		(void)snprintf(hint, sizeof(hint), "it must be %s", field_type_name(t));
		bh_complain(rd, n, "e8", hint, "%s is %s", where,
			    bh_yaml_type_name((enum bh_yaml_type)n->type));
	}
}

static bool listed(const char *const *names, const char *s)
{
	for (; names && *names; names++)
		if (strcmp(*names, s) == 0)
			return true;
	return false;
}

/* 'one of "a", "b", "c"' */
static void put_values(const char *const *values, char *buf, size_t size)
{
	size_t used = (size_t)snprintf(buf, size, "one of");

	for (size_t i = 0; values[i] && used < size; i++)
		used +=
		    (size_t)snprintf(buf + used, size - used, "%s \"%s\"", i ? "," : "", values[i]);
}

static bool value_fits(struct bh_reader *rd, const struct bh_yaml_node *n, const struct bh_field *f)
{
	const char *s = bh_node_str(n);
	char all[256], near[96], hint[384];
	size_t n_values = 0;

	if (!f->values || listed(f->values, s))
		return true;
	put_values(f->values, all, sizeof(all));
	while (f->values[n_values])
		n_values++;
	/* Of numbers the next is no better a guess than any. */
	if (s[strspn(s, "0123456789.")] && bh_suggest(s, f->values, n_values, near, sizeof(near)))
		(void)snprintf(hint, sizeof(hint), "%s (%s)", near, all);
	else
		(void)snprintf(hint, sizeof(hint), "it must be %s", all);
	bh_complain(rd, n, "e19", hint, "unknown value \"%.80s\" in %s", s, bh_path(rd, ""));
	return false;
}

static bool in_range(struct bh_reader *rd, const struct bh_yaml_node *n, const struct bh_field *f)
{
	bool port = f->format && strcmp(f->format, "port") == 0;
	int64_t v = 0;

	if ((f->min == 0 && f->max == 0) || !bh_node_int(n, &v) || (v >= f->min && v <= f->max))
		return true;
	bh_complain(rd, n, port ? "e6" : "e19", NULL, "%s %.40s in %s is not in %lld-%lld",
		    port ? "port" : f->name, bh_node_str(n), bh_path(rd, ""), (long long)f->min,
		    (long long)f->max);
	return false;
}

static bool read_typed(struct bh_reader *rd, const struct bh_yaml_node *n, const struct bh_field *f,
		       enum bh_field_type t)
{
	if (!type_fits(n, t)) {
		wrong_type(rd, n, t);
		return false;
	}
	if (t == BH_FIELD_STRING)
		return value_fits(rd, n, f);
	return (t != BH_FIELD_INT && t != BH_FIELD_INT_OR_STRING) || in_range(rd, n, f);
}

bool bh_read_value(struct bh_reader *rd, const struct bh_yaml_node *n, const struct bh_field *f)
{
	return read_typed(rd, n, f, f->type);
}

bool bh_read_item(struct bh_reader *rd, const struct bh_yaml_node *n, const struct bh_field *f)
{
	return read_typed(rd, n, f, f->item);
}

/* ---- maps ---- */

/* The one that exists here; else one that exists elsewhere; else NULL. */
static const struct bh_field *find_field(const struct bh_object *o, unsigned in, const char *name,
					 size_t *ret_i)
{
	const struct bh_field *elsewhere = NULL;

	for (size_t i = 0; i < o->n; i++) {
		if (strcmp(o->fields[i].name, name) != 0)
			continue;
		if (o->fields[i].not_in & in) {
			elsewhere = &o->fields[i];
			continue;
		}
		*ret_i = i;
		return &o->fields[i];
	}
	return elsewhere;
}

static void unknown_field(struct bh_reader *rd, const struct bh_yaml_pair *p,
			  const struct bh_object *o, unsigned in, const char *where,
			  const char *not_here)
{
	const char *names[NAMES_MAX];
	const char *hint = not_here;
	char buf[128];
	size_t n = 0;

	for (size_t i = 0; i < o->n && n < NAMES_MAX; i++)
		if (!(o->fields[i].not_in & in) &&
		    !(o->fields[i].flags & (BH_FIELD_UNSUPPORTED | BH_FIELD_IGNORED)))
			names[n++] = o->fields[i].name;
	if (!hint)
		hint = bh_suggest(p->name, names, n, buf, sizeof(buf));
	bh_complain(rd, p->key, "e1", hint, "unknown field \"%.80s\" in %s", p->name, where);
}

static void read_field(struct bh_reader *rd, const struct bh_yaml_pair *p, const struct bh_field *f,
		       const char *where, struct bh_got *got)
{
	if (f->flags & BH_FIELD_UNSUPPORTED) {
		bh_complain(rd, p->key, "e20",
			    f->not_here ? f->not_here
					: "without it the policy would mean something else",
			    "\"%s\" in %s is not supported by this version", f->name, where);
		return;
	}
	got->key = p->key;
	if (f->flags & BH_FIELD_IGNORED)
		return;
	if (p->value->type == BH_YAML_NULL) {
		if (f->flags & BH_FIELD_NOT_NULL)
			bh_complain(rd, p->key, "e8", "give it a value, or leave it out",
				    "%s has no value", bh_path(rd, f->name));
		return;
	}
	if (!bh_read_value(rd, p->value, f))
		return;
	got->value = p->value;
	if (f->type != BH_FIELD_LIST)
		return;
	if (p->value->n == 0 && f->flags & BH_FIELD_NOT_EMPTY)
		bh_complain(rd, p->value, "e18",
			    f->flags & BH_FIELD_REQUIRED ? f->help
							 : "write at least one, or leave it out",
			    "%s is empty", bh_path(rd, f->name));
	if (f->max_items && p->value->n > f->max_items)
		bh_complain(rd, p->value, "e22", NULL, "%s has %u entries: more than %u",
			    bh_path(rd, f->name), p->value->n, f->max_items);
}

bool bh_read_fields(struct bh_reader *rd, const struct bh_yaml_node *n, const struct bh_object *o,
		    unsigned in, struct bh_got *got)
{
	static const struct bh_field a_map = { .name = "", .type = BH_FIELD_MAP };
	char where[256];

	memset(got, 0, o->n * sizeof(*got));
	if (!bh_node_is_null(n) && !bh_read_value(rd, n, &a_map))
		return false;
	(void)snprintf(where, sizeof(where), "%s", bh_path(rd, o->name));
	for (uint32_t k = 0; !bh_node_is_null(n) && k < n->n; k++) {
		const struct bh_yaml_pair *p = &n->pairs[k];
		size_t i = 0, mark = bh_path_key(rd, p->name);
		const struct bh_field *f = find_field(o, in, p->name, &i);

		if (!f && o->flags & BH_OBJECT_OPEN)
			; /* ignored */
		else if (!f || f->not_in & in)
			unknown_field(rd, p, o, in, where, f ? f->not_here : NULL);
		else
			read_field(rd, p, f, where, &got[i]);
		bh_path_back(rd, mark);
	}
	for (size_t i = 0; i < o->n; i++) {
		const struct bh_field *f = &o->fields[i];
		bool null = got[i].key && !got[i].value && !bh_node_is_null(n) &&
			    bh_node_is_null(bh_yaml_get(n, f->name, NULL));
		size_t mark;

		if (!(f->flags & BH_FIELD_REQUIRED) || f->not_in & in || (got[i].key && !null))
			continue;
		mark = bh_path_key(rd, f->name);
		bh_complain(rd, got[i].key ? got[i].key : n, "e18", f->help, "%s has no \"%s\"",
			    where, f->name);
		bh_path_back(rd, mark);
	}
	return true;
}
