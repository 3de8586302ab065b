/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * common/json.h - jansson, strict and bounded
 *
 * Duplicate keys and trailing bytes are errors. Integers beyond 64 bits are read as reals (libcni
 * itself writes such numbers). Getters say which key is missing or of the wrong type, so that an absent
 * field never becomes a zero.
 *
 * Thread-safety: a tree belongs to one thread.
 */
#ifndef BH_COMMON_JSON_H
#define BH_COMMON_JSON_H

#include "common/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* @ret: owned by the caller (json_decref). -EINVAL with line and column, -E2BIG, -ENOMEM. */
int bh_json_load(const char *data, size_t size, size_t max, json_t **ret, struct bh_err *err)
    bh_must_check;

/* -ENOENT: no such key (or null); -EINVAL: of another type. Strings are borrowed from @obj. */
int bh_json_str(const json_t *obj, const char *key, const char **ret, struct bh_err *err)
    bh_must_check;
int bh_json_u64(const json_t *obj, const char *key, uint64_t max, uint64_t *ret, struct bh_err *err)
    bh_must_check;
int bh_json_bool(const json_t *obj, const char *key, bool *ret, struct bh_err *err) bh_must_check;
int bh_json_obj(const json_t *obj, const char *key, json_t **ret, struct bh_err *err) bh_must_check;
int bh_json_arr(const json_t *obj, const char *key, json_t **ret, struct bh_err *err) bh_must_check;

/* Compact text, owned by the caller; NULL: out of memory. */
char *bh_json_text(const json_t *v) bh_must_check;

static inline void bh_json_decrefp(json_t **p)
{
	json_decref(*p);
}
#define bh_autojson bh_cleanup(bh_json_decrefp)

#endif
