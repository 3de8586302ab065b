/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/fuzz/fuzz_yaml.c - bytes as text, lines, scalars, trees; and as what is written into the fields of a policy
 *
 * A tree that was read, written as JSON and read again is the same tree. Lines are found where they are. What is
 * found fault with in a time is what the reader of times refuses.
 */
#include "common/limits.h"
#include "common/util.h"
#include "policy/dnstype.h"
#include "policy/load/scalar.h"
#include "policy/names.h"
#include "policy/pattern.h"
#include "policy/when.h"
#include "policy/yaml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_lines(const char *data, size_t size)
{
	struct bh_text t;
	struct bh_pos pos;
	int r = bh_text_init(&t, "input", data, size, &pos, NULL);
	const char *before = t.data;

	must(r == 0 || r == -EINVAL);
	for (uint32_t i = 1; i <= t.n_lines && i < 2000; i++) {
		size_t n = 0;
		const char *line = bh_text_line(&t, i, &n);
		struct bh_pos at = { .line = i, .column = 1 };

		must(line && line >= before && line + n <= t.data + t.size);
		must(bh_text_offset(&t, at) == (size_t)(line - t.data));
		before = line + n;
	}
	must(!bh_text_line(&t, t.n_lines + 1, &size));
	bh_text_done(&t);
}

/* Numbers with a point are read for what they are nearly; nothing in a policy is one. */
static bool has_real(const struct bh_yaml_node *n)
{
	bool ret = n->type == BH_YAML_FLOAT;

	for (uint32_t i = 0; n->type == BH_YAML_LIST && i < n->n && !ret; i++)
		ret = has_real(n->items[i]);
	for (uint32_t i = 0; n->type == BH_YAML_MAP && i < n->n && !ret; i++)
		ret = has_real(n->pairs[i].value);
	return ret;
}

/* As JSON, one document a line. Return: every document was whole, and can be compared */
static bool print(const char *data, size_t size, struct bh_buf *out)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = NULL;
	const struct bh_yaml_doc *doc = NULL;
	bool whole = true;
	int r;

	must(bh_yaml_open("input", data, size, &d, &y) == 0);
	while ((r = bh_yaml_next(y, &doc)) == 1) {
		bh_buf_puts(out, "--- ");
		bh_yaml_print_json(doc->root, out);
		bh_buf_putc(out, '\n');
		whole &= !doc->bad && !has_real(doc->root);
	}
	must(r == 0 && !bh_buf_failed(out));
	for (size_t i = 0; i < d.n; i++)
		must(d.items[i].message &&
		     (d.items[i].severity == BH_SEVERITY_WARNING || d.n_errors));
	return whole && d.n_errors == 0;
}

static void check_tree(const char *data, size_t size)
{
	bh_cleanup(bh_buf_done) struct bh_buf first = BH_BUF_INIT, second = BH_BUF_INIT;

	if (!print(data, size, &first) || first.len > BH_YAML_FILE_MAX / 2)
		return;
	must(print(first.data ? first.data : "", first.len, &second));
	must(first.len == second.len);
	must(first.len == 0 || memcmp(first.data, second.data, first.len) == 0);
}

static void check_words(const char *s)
{
	static const char *(*const checks[])(const char *) = {
		bh_name_label_key,  bh_name_label_value, bh_name_dns_label, bh_name_dns_domain,
		bh_name_port,       bh_name_loose,       bh_name_text,      bh_pattern_name,
		bh_pattern_path,    bh_pattern_method,   bh_pattern_token,  bh_pattern_alpn,
		bh_pattern_service, bh_pattern_call,     bh_pattern_zone,   bh_pattern_connect,
	};
	struct bh_scalar v = bh_scalar_resolve(s, strlen(s));
	bh_autofree char *copy = strdup(s);
	char buf[BH_TIME_WHY];
	int64_t t = 0;
	uint16_t type;

	must(copy && v.type >= BH_YAML_NULL && v.type <= BH_YAML_STRING);
	for (size_t i = 0; i < BH_ARRAY_SIZE(checks); i++)
		(void)checks[i](s);
	if (bh_time_read(s, &t, buf, sizeof(buf)))
		must(bh_time_parse(s, &t) < 0 && t == 0);
	must(bh_day_minutes(s) <= 1440);
	if (bh_dns_type_parse(s, &type) == 0)
		must(bh_dns_type_name(type, buf) != NULL);
	if (bh_pattern_name(s) == NULL) { /* folded once is folded for ever, and still a name */
		bh_pattern_fold(copy);
		must(bh_pattern_name(copy) == NULL && strcspn(copy, "ABCXYZ") == strlen(copy));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bh_autofree char *s = strndup((const char *)data, size);

	must(s != NULL);
	check_lines((const char *)data, size);
	check_tree((const char *)data, size);
	check_words(s);
	return 0;
}
