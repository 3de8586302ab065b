/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/schema_text.h - what the tables of fields say: for people, for editors, for an API server
 *
 * Everything here is made from the tables of policy/schema.h and holds no list of fields of its own. A view is a
 * place in the tables: a kind, or a field below it. From there come the text and the JSON of `bulkhead explain-field`,
 * JSON Schema, manifests of CustomResourceDefinitions, and docs/policy-reference.md.
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_SCHEMA_TEXT_H
#define BH_POLICY_SCHEMA_TEXT_H

#include "common/buf.h"
#include "common/err.h"
#include "policy/schema.h"

#include <jansson.h>
#include <stdbool.h>

/* ---- schema_view.c ---- */

#define BH_SCHEMA_PATH 160

struct bh_schema_view {
	const struct bh_kind_info *kind;
	const struct bh_field *field;      /* NULL: the kind itself */
	const struct bh_object *in_object; /* the one that has @field; NULL for a kind */
	const struct bh_object *object;    /* what can be below; NULL: nothing with a name */
	unsigned in, level;                /* for what is below */
	char path[BH_SCHEMA_PATH]; /* "spec.ingress[].ports": "[]" behind lists of objects */
};

/**
 * bh_schema_kind_parse() - A kind as people write it: "TrafficPolicy" in any case, its plural, "tp"
 * @api:	Of several kinds of a name the one with this apiVersion; NULL: the first
 *
 * Return: 0; -EINVAL, with what was probably meant
 */
int bh_schema_kind_parse(const char *word, const char *api, const struct bh_kind_info **ret,
			 struct bh_err *err) bh_must_check;
/* Another kind of the same name: the next one behind @k; NULL: none. */
const struct bh_kind_info *bh_schema_kind_twin(const struct bh_kind_info *k);

/**
 * bh_schema_look() - The place that a path means
 * @path:	"spec.ingress[0].ports"; what is in brackets is left out of account; "": the kind
 *
 * Return: 0; -EINVAL, with what is wrong and what was probably meant
 */
int bh_schema_look(const struct bh_kind_info *k, const char *path, struct bh_schema_view *ret,
		   struct bh_err *err) bh_must_check;
/* The i-th field below, NULL past the end; fields that do not exist there are left out. */
const struct bh_field *bh_schema_nth(const struct bh_schema_view *v, size_t i);
/* A step down. */
struct bh_schema_view bh_schema_down(const struct bh_schema_view *v, const struct bh_field *f);

/* It must be written: required, or read even where it is missing and has something in it that is required. */
bool bh_schema_required(const struct bh_schema_view *v, const struct bh_field *f);
/* null is as good as leaving it out. */
bool bh_schema_nullable(const struct bh_schema_view *v, const struct bh_field *f);
/* Items of the list that @v is may be null, likewise. */
bool bh_schema_item_nullable(const struct bh_schema_view *v);

/* "[]string", "integer or string", "object" */
void bh_schema_put_type(struct bh_buf *out, const struct bh_field *f);
/* "1 to 65535; at most 25 entries", or nothing */
void bh_schema_put_limits(struct bh_buf *out, const struct bh_schema_view *v,
			  const struct bh_field *f);
/* Where the field does not exist: the i-th, NULL past the end. @v: the view that has it below. @buf: 128 bytes */
const char *bh_schema_not_in(const struct bh_schema_view *v, const struct bh_field *f, size_t i,
			     char *buf);

/* ---- schema_text.c: `bulkhead explain-field` ---- */

void bh_schema_put_text(struct bh_buf *out, const struct bh_schema_view *v, bool recursive);
/* NULL: out of memory. */
json_t *bh_schema_to_json(const struct bh_schema_view *v, bool recursive) bh_must_check;
/* The list of kinds. */
json_t *bh_schema_kinds_json(void) bh_must_check;

/* ---- schema_json.c ---- */

/* JSON Schema (2020-12) of manifests of a kind; NULL for every kind. NULL: out of memory. */
json_t *bh_schema_to_schema(const struct bh_kind_info *k) bh_must_check;
/* The same as a structural schema, for CustomResourceDefinitions: apiextensions.k8s.io/v1. */
json_t *bh_schema_to_structural(const struct bh_kind_info *k) bh_must_check;

/* ---- schema_crd.c ---- */

/* It is one of ours, that a cluster does not know by itself. */
bool bh_schema_has_crd(const struct bh_kind_info *k);
/* The manifest of its CustomResourceDefinition. NULL: out of memory. */
json_t *bh_schema_to_crd(const struct bh_kind_info *k) bh_must_check;

/* ---- schema_yaml.c ---- */

/* Block style, keys in their order, strings in quotes where they could be anything else. */
void bh_schema_put_yaml(struct bh_buf *out, const json_t *v);

/* ---- schema_reference.c ---- */

/* Markdown: every kind, every field. */
void bh_schema_put_reference(struct bh_buf *out);

#endif
