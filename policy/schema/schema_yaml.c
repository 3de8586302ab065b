/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema/schema_yaml.c - JSON as YAML in block style, as people write manifests
 *
 * Only for trees that we made ourselves (schemas): their depth is that of the tables.
 */
#include "common/cleanup.h"
#include "policy/load/scalar.h"
#include "policy/schema_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

#define PLAIN                                                                  \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./, " \
	"()+;<>$"

/* It is this string to every reader of YAML, without quotes. */
static bool plain(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && (isalpha((unsigned char)s[0]) || s[0] == '$' || s[0] == '.') &&
	       s[n - 1] != ' ' && strspn(s, PLAIN) == n &&
	       bh_scalar_resolve(s, n).type == BH_YAML_STRING;
}

static void put_string(struct bh_buf *out, const char *s)
{
	json_t *v;
	char *text;

	if (plain(s)) {
		bh_buf_puts(out, s);
		return;
	}
	/* What JSON writes in quotes, YAML reads. */
	v = json_string(s);
	text = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;
	if (text)
		bh_buf_puts(out, text);
	else
		out->failed = true;
	free(text);
	json_decref(v);
}

static void put_scalar(struct bh_buf *out, const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		put_string(out, json_string_value(v));
		break;
	case JSON_INTEGER:
		bh_buf_printf(out, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_TRUE:
		bh_buf_puts(out, "true");
		break;
	case JSON_FALSE:
		bh_buf_puts(out, "false");
		break;
	case JSON_OBJECT:
		bh_buf_puts(out, "{}");
		break;
	case JSON_ARRAY:
		bh_buf_puts(out, "[]");
		break;
	case JSON_REAL:
		bh_buf_printf(out, "%.17g", json_real_value(v));
		break;
	case JSON_NULL:
		bh_buf_puts(out, "null");
		break;
	}
	bh_buf_putc(out, '\n');
}

static bool is_block(const json_t *v)
{
	return json_object_size(v) > 0 || json_array_size(v) > 0;
}

/* @hanging: the first line is begun already. */
static void put(struct bh_buf *out, const json_t *v, int indent, bool hanging)
{
	const char *key;
	json_t *item;
	size_t i;

	if (!is_block(v)) {
		put_scalar(out, v);
		return;
	}
	json_array_foreach(v, i, item) {
		bh_buf_printf(out, "%*s- ", hanging ? 0 : indent, "");
		put(out, item, indent + 2, true);
		hanging = false;
	}
	json_object_foreach((json_t *)v, key, item) {
		bh_buf_printf(out, "%*s", hanging ? 0 : indent, "");
		put_string(out, key);
		bh_buf_puts(out, is_block(item) ? ":\n" : ": ");
		/* Lists stand below their key, not further in. */
		put(out, item, json_is_array(item) ? indent : indent + 2, false);
		hanging = false;
	}
}

void bh_schema_put_yaml(struct bh_buf *out, const json_t *v)
{
	put(out, v, 0, false);
}
