/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/yaml_node.c - what can be asked of a node: a key of a map, its text, its JSON
 */
#include "policy/yaml.h"

#include "common/util.h"

#include <inttypes.h>
#include <string.h>

#include "common/banned.h"

const struct bh_yaml_node *bh_yaml_get(const struct bh_yaml_node *map, const char *name,
				       const struct bh_yaml_node **ret_key)
{
	if (!map || map->type != BH_YAML_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->n; i++) {
		if (strcmp(map->pairs[i].name, name) != 0)
			continue;
		if (ret_key)
			*ret_key = map->pairs[i].key;
		return map->pairs[i].value;
	}
	return NULL;
}

/* As it is, it would be no text, or a line break that YAML folds away. */
static bool needs_escape(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
	       c == 0xfffe || c == 0xffff;
}

static void put_string(const char *s, struct bh_buf *out)
{
	size_t size = strlen(s);

	bh_buf_putc(out, '"');
	for (size_t off = 0; off < size;) {
		uint32_t c = 0;
		size_t n = bh_utf8_next(s + off, size - off, &c);

		if (n == 0) /* cannot be: texts are UTF-8 */
			break;
		if (c == '"' || c == '\\')
			bh_buf_printf(out, "\\%c", (char)c);
		else if (c == '\n')
			bh_buf_puts(out, "\\n");
		else if (needs_escape(c))
			bh_buf_printf(out, "\\u%04x", c);
		else
			bh_buf_add(out, s + off, n);
		off += n;
	}
	bh_buf_putc(out, '"');
}

/* libyaml looks for the colon behind a key no further than this, unless it is told that a key comes. */
#define SIMPLE_KEY_MAX 1000

static void put_key(const char *name, struct bh_buf *out)
{
	size_t before = out->len;

	put_string(name, out);
	if (out->len - before <= SIMPLE_KEY_MAX || bh_buf_failed(out))
		return;
	out->len = before;
	bh_buf_puts(out, "? ");
	put_string(name, out);
}

static void put_real(double v, struct bh_buf *out)
{
	if (__builtin_isnan(v))
		bh_buf_puts(out, ".nan");
	else if (__builtin_isinf(v))
		bh_buf_puts(out, v < 0 ? "-.inf" : ".inf");
	else
		bh_buf_printf(out, "%.17g", v);
}

void bh_yaml_print_json(const struct bh_yaml_node *n, struct bh_buf *out)
{
	switch ((enum bh_yaml_type)n->type) {
	case BH_YAML_NULL:
		bh_buf_puts(out, "null");
		break;
	case BH_YAML_BOOL:
		bh_buf_puts(out, n->boolean ? "true" : "false");
		break;
	case BH_YAML_INT:
		bh_buf_printf(out, "%" PRId64, n->integer);
		break;
	case BH_YAML_FLOAT:
		put_real(n->real, out);
		break;
	case BH_YAML_STRING:
		put_string(n->text, out);
		break;
	case BH_YAML_LIST:
		bh_buf_putc(out, '[');
		for (uint32_t i = 0; i < n->n; i++) {
			bh_buf_puts(out, i ? ", " : "");
			bh_yaml_print_json(n->items[i], out);
		}
		bh_buf_putc(out, ']');
		break;
	case BH_YAML_MAP:
		bh_buf_putc(out, '{');
		for (uint32_t i = 0; i < n->n; i++) {
			bh_buf_puts(out, i ? ", " : "");
			put_key(n->pairs[i].name, out);
			bh_buf_puts(out, ": ");
			bh_yaml_print_json(n->pairs[i].value, out);
		}
		bh_buf_putc(out, '}');
		break;
	case BH_YAML_INVALID:
		break;
	}
}

char *bh_yaml_copy(const struct bh_text *t, const struct bh_yaml_node *n)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	size_t begin, end;

	if (n->aliased) {
		bh_yaml_print_json(n, &b);
		bh_buf_putc(&b, '\n');
		return bh_buf_take(&b);
	}
	begin = bh_text_offset(t, n->pos);
	end = bh_text_offset(t, n->end);
	while (end > begin && strchr(" \t\r\n", t->data[end - 1]))
		end--;
	/* The other lines stand where they stood: so does the first. */
	for (uint32_t c = 1; c < n->pos.column; c++)
		bh_buf_putc(&b, ' ');
	bh_buf_add(&b, t->data + begin, end - begin);
	bh_buf_putc(&b, '\n');
	return bh_buf_take(&b);
}
