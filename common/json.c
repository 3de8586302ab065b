// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * common/json.c - jansson, strict and bounded
 */
#include "common/json.h"

#include "common/buf.h"
#include "common/parse.h"

#include <inttypes.h>
#include <string.h>

#include "common/banned.h"

#define INTEGER_MAX UINT64_C(9223372036854775807)

/* An integer that jansson cannot hold: only digits, a minus sign before them at most. */
static bool too_big(const char *s, size_t n)
{
	char text[24];
	uint64_t v;

	if (n > 0 && *s == '-') {
		s++;
		n--;
	}
	if (n >= sizeof(text))
		return true;
	memcpy(text, s, n);
	text[n] = '\0';
	return bh_parse_u64(text, INTEGER_MAX, &v) == -ERANGE;
}

/* @data with ".0" behind each integer that does not fit, so that it is read as a real. */
static void widen(const char *data, size_t size, struct bh_buf *out)
{
	size_t i = 0;

	while (i < size) {
		size_t start = i;

		if (data[i] == '"') {
			for (i++; i < size && data[i] != '"'; i++) {
				if (data[i] == '\\')
					i++;
			}
			i = i < size ? i + 1 : size;
			bh_buf_add(out, data + start, i - start);
		} else if (data[i] == '-' || (data[i] >= '0' && data[i] <= '9')) {
			bool integer = true;

			for (i++; i < size && data[i] != '\0' && strchr("0123456789+-.eE", data[i]);
			     i++)
				integer = integer && data[i] >= '0' && data[i] <= '9';
			bh_buf_add(out, data + start, i - start);
			if (integer && too_big(data + start, i - start))
				bh_buf_puts(out, ".0");
		} else {
			bh_buf_putc(out, data[i++]);
		}
	}
}

int bh_json_load(const char *data, size_t size, size_t max, json_t **ret, struct bh_err *err)
{
	bh_cleanup(bh_buf_done) struct bh_buf wide = BH_BUF_INIT;
	json_error_t je;
	json_t *v;

	if (size > max)
		return bh_err_set(err, -E2BIG, "the JSON text is larger than %zu bytes", max);
	v = json_loadb(data, size, JSON_REJECT_DUPLICATES, &je);
	if (!v && json_error_code(&je) == json_error_numeric_overflow) {
		widen(data, size, &wide);
		if (bh_buf_failed(&wide))
			return bh_err_set(err, -ENOMEM, "out of memory");
		v = json_loadb(bh_buf_str(&wide), wide.len, JSON_REJECT_DUPLICATES, &je);
	}
	if (!v && json_error_code(&je) == json_error_out_of_memory)
		return bh_err_set(err, -ENOMEM, "out of memory");
	if (!v)
		return bh_err_set(err, -EINVAL, "line %d, column %d: %s", je.line, je.column,
				  je.text);
	*ret = v;
	return 0;
}

static const char *type_name(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a number";
	case JSON_REAL:
		return "a number with a fraction or beyond 64 bits";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	return "nothing known";
}

static int get(const json_t *obj, const char *key, json_t **ret, struct bh_err *err)
{
	json_t *v;

	if (!json_is_object(obj))
		return bh_err_set(err, -EINVAL, "\"%s\" looked for in %s, not in an object", key,
				  obj ? type_name(obj) : "nothing");
	v = json_object_get(obj, key);
	if (!v || json_is_null(v))
		return bh_err_set(err, -ENOENT, "\"%s\" is missing", key);
	*ret = v;
	return 0;
}

static int wrong_type(struct bh_err *err, const char *key, const char *wanted, const json_t *v)
{
	return bh_err_set(err, -EINVAL, "\"%s\" must be %s, and is %s", key, wanted, type_name(v));
}

int bh_json_str(const json_t *obj, const char *key, const char **ret, struct bh_err *err)
{
	json_t *v = NULL;
	int r = get(obj, key, &v, err);

	if (r < 0)
		return r;
	if (!json_is_string(v))
		return wrong_type(err, key, "a string", v);
	*ret = json_string_value(v);
	return 0;
}

int bh_json_u64(const json_t *obj, const char *key, uint64_t max, uint64_t *ret, struct bh_err *err)
{
	json_int_t n;
	json_t *v = NULL;
	int r = get(obj, key, &v, err);

	if (r < 0)
		return r;
	if (!json_is_integer(v))
		return wrong_type(err, key, "a whole number", v);
	n = json_integer_value(v);
	if (n < 0 || (uint64_t)n > max)
		return bh_err_set(err, -EINVAL,
				  "\"%s\" is %" JSON_INTEGER_FORMAT ", not in 0-%" PRIu64, key, n,
				  max);
	*ret = (uint64_t)n;
	return 0;
}

int bh_json_bool(const json_t *obj, const char *key, bool *ret, struct bh_err *err)
{
	json_t *v = NULL;
	int r = get(obj, key, &v, err);

	if (r < 0)
		return r;
	if (!json_is_boolean(v))
		return wrong_type(err, key, "true or false", v);
	*ret = json_is_true(v);
	return 0;
}

int bh_json_obj(const json_t *obj, const char *key, json_t **ret, struct bh_err *err)
{
	json_t *v = NULL;
	int r = get(obj, key, &v, err);

	if (r < 0)
		return r;
	if (!json_is_object(v))
		return wrong_type(err, key, "an object", v);
	*ret = v;
	return 0;
}

int bh_json_arr(const json_t *obj, const char *key, json_t **ret, struct bh_err *err)
{
	json_t *v = NULL;
	int r = get(obj, key, &v, err);

	if (r < 0)
		return r;
	if (!json_is_array(v))
		return wrong_type(err, key, "a list", v);
	*ret = v;
	return 0;
}

char *bh_json_text(const json_t *v)
{
	return json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
}
