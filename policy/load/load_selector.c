/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_selector.c - label selectors
 */
#include "policy/load/load_internal.h"

#include "common/util.h"
#include "policy/names.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

static int by_text(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

static int by_meaning(const void *x, const void *y)
{
	const struct bh_sel_req *a = x, *b = y;
	int c = strcmp(a->key, b->key);

	if (c)
		return c;
	if (a->op != b->op)
		return a->op < b->op ? -1 : 1;
	for (size_t i = 0; i < a->n_values && i < b->n_values; i++) {
		c = strcmp(a->values[i], b->values[i]);
		if (c)
			return c;
	}
	return a->n_values < b->n_values ? -1 : a->n_values > b->n_values;
}

static void req_done(struct bh_sel_req *r)
{
	for (size_t i = 0; i < r->n_values; i++)
		free(r->values[i]);
	free(r->values);
	free(r->key);
}

/* Sorted and without repetitions: selectors with the same meaning look alike. */
static void canonical(struct bh_selector *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct bh_sel_req *r = &s->reqs[i];
		size_t n_values = 0;

		if (r->n_values == 0)
			continue;
		qsort(r->values, r->n_values, sizeof(char *), by_text);
		for (size_t k = 0; k < r->n_values; k++) {
			if (n_values > 0 && strcmp(r->values[n_values - 1], r->values[k]) == 0)
				free(r->values[k]);
			else
				r->values[n_values++] = r->values[k];
		}
		r->n_values = n_values;
	}
	if (s->n == 0)
		return;
	qsort(s->reqs, s->n, sizeof(*s->reqs), by_meaning);
	for (size_t i = 0; i < s->n; i++) {
		if (n > 0 && by_meaning(&s->reqs[n - 1], &s->reqs[i]) == 0)
			req_done(&s->reqs[i]);
		else
			s->reqs[n++] = s->reqs[i];
	}
	s->n = n;
}

static void check_key(struct bh_load *l, const struct bh_yaml_node *n, const char *key)
{
	const char *why = bh_name_label_key(key);

	if (why)
		bh_complain(&l->rd, n, "e19", why, "\"%.80s\" is not a label key (%s)", key,
			    bh_path(&l->rd, ""));
}

static void check_value(struct bh_load *l, const struct bh_yaml_node *n, const char *value)
{
	const char *why = bh_name_label_value(value);

	if (why)
		bh_complain(&l->rd, n, "e19", why, "\"%.80s\" is not a label value (%s)", value,
			    bh_path(&l->rd, ""));
}

static void match_labels(struct bh_load *l, const struct bh_yaml_node *map, struct bh_selector *s)
{
	for (uint32_t i = 0; i < map->n; i++) {
		const struct bh_yaml_pair *p = &map->pairs[i];
		struct bh_sel_req *r = &s->reqs[s->n];

		if (!bh_node_is_null(p->value) && !bh_load_label_type(l, p))
			continue;
		check_key(l, p->key, p->name);
		check_value(l, p->value, bh_node_str(p->value));
		*r = (struct bh_sel_req){ .op = BH_SEL_IN };
		s->n++;
		r->key = bh_load_strdup(l, p->name);
		r->values = bh_load_array(l, 1, sizeof(char *));
		if (!r->key || !r->values)
			return;
		r->values[0] = bh_load_strdup(l, bh_node_str(p->value));
		if (!r->values[0])
			return;
		r->n_values = 1;
	}
}

static enum bh_sel_op operator(const char *s) {
	if (strcmp(s, "In") == 0) return BH_SEL_IN;
	if (strcmp(s, "NotIn") == 0) return BH_SEL_NOT_IN;
	if (strcmp(s, "Exists") == 0) return BH_SEL_EXISTS;
	return strcmp(s, "DoesNotExist") == 0 ? BH_SEL_DOES_NOT_EXIST : BH_SEL_INVALID;
}

static void requirement_values(struct bh_load *l, const struct bh_yaml_node *list,
			       struct bh_sel_req *r)
{
	const struct bh_field *f = &bh_object_requirement.fields[BH_F_REQ_VALUES];

	r->values = bh_load_array(l, list->n, sizeof(char *));
	if (!r->values)
		return;
	for (uint32_t i = 0; i < list->n; i++) {
		size_t mark = bh_path_index(&l->rd, i);
		const struct bh_yaml_node *v = list->items[i];

		if (bh_node_is_null(v) || bh_read_item(&l->rd, v, f)) {
			check_value(l, v, bh_node_str(v));
			r->values[r->n_values] = bh_load_strdup(l, bh_node_str(v));
			if (r->values[r->n_values])
				r->n_values++;
		}
		bh_path_back(&l->rd, mark);
	}
}

static void requirement(struct bh_load *l, const struct bh_yaml_node *n, struct bh_sel_req *r)
{
	struct bh_got got[BH_F_REQ_COUNT];
	const struct bh_yaml_node *key, *op, *values;
	size_t mark;

	if (!bh_read_fields(&l->rd, n, &bh_object_requirement, l->in, got))
		return;
	key = got[BH_F_REQ_KEY].value;
	op = got[BH_F_REQ_OPERATOR].value;
	values = got[BH_F_REQ_VALUES].value;
	r->key = bh_load_strdup(l, bh_node_str(key));
	r->op = operator(bh_node_str(op));
	mark = bh_path_key(&l->rd, "key");
	check_key(l, key ? key : n, bh_node_str(key));
	bh_path_back(&l->rd, mark);
	if (!op && bh_node_is_null(bh_yaml_get(n, "operator", NULL))) {
		mark = bh_path_key(&l->rd, "operator");
		bh_complain(&l->rd, n, "e18", "one of In, NotIn, Exists, DoesNotExist",
			    "a condition without \"operator\"");
		bh_path_back(&l->rd, mark);
	}
	mark = bh_path_key(&l->rd, "values");
	if (values)
		requirement_values(l, values, r);
	if ((r->op == BH_SEL_IN || r->op == BH_SEL_NOT_IN) && (!values || values->n == 0))
		bh_complain(&l->rd, values ? values : n, "e18",
			    "operator Exists asks for the key only", "operator %s needs values",
			    bh_node_str(op));
	if ((r->op == BH_SEL_EXISTS || r->op == BH_SEL_DOES_NOT_EXIST) && values && values->n > 0)
		bh_complain(&l->rd, values, "e19", "leave them out, or use In or NotIn",
			    "operator %s takes no values", bh_node_str(op));
	bh_path_back(&l->rd, mark);
}

void bh_load_selector(struct bh_load *l, const struct bh_yaml_node *n, struct bh_selector *s)
{
	struct bh_got got[BH_F_SELECTOR_COUNT];
	const struct bh_yaml_node *labels, *exprs;
	size_t mark, room;

	if (!bh_read_fields(&l->rd, n, &bh_object_selector, l->in, got))
		return;
	labels = got[BH_F_SELECTOR_LABELS].value;
	exprs = got[BH_F_SELECTOR_EXPRESSIONS].value;
	room = (labels ? labels->n : 0) + (size_t)(exprs ? exprs->n : 0);
	s->reqs = bh_load_array(l, room, sizeof(*s->reqs));
	if (!s->reqs)
		return;
	if (labels) {
		mark = bh_path_key(&l->rd, "matchLabels");
		match_labels(l, labels, s);
		bh_path_back(&l->rd, mark);
	}
	for (uint32_t i = 0; exprs && i < exprs->n; i++) {
		mark = bh_path_key(&l->rd, "matchExpressions");
		(void)bh_path_index(&l->rd, i);
		requirement(l, exprs->items[i], &s->reqs[s->n++]);
		bh_path_back(&l->rd, mark);
	}
	if (bh_reader_ok(&l->rd))
		canonical(s);
}

void bh_load_selector_at(struct bh_load *l, const char *key, const struct bh_yaml_node *n,
			 bool *ret_has, struct bh_selector *s)
{
	size_t mark;

	if (!n)
		return;
	if (ret_has)
		*ret_has = true;
	mark = bh_path_key(&l->rd, key);
	bh_load_selector(l, n, s);
	bh_path_back(&l->rd, mark);
}
