/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/jsonw.h - JSON text straight into a buffer, for records that are made by the thousand
 *
 * What comes out is valid JSON whatever goes in: control characters are escaped, bytes that are no UTF-8
 * become U+FFFD.
 *
 * Thread-safety: no state.
 */
#ifndef BH_AGENT_JSONW_H
#define BH_AGENT_JSONW_H

#include "common/addr.h"
#include "common/buf.h"
#include "policy/model.h"

/* A string with its quotes; NULL becomes null. */
void bh_jsonw_str(struct bh_buf *b, const char *s);
/* "10.1.0.5" with its quotes. */
void bh_jsonw_addr(struct bh_buf *b, const struct bh_addr *a);
/* {"app":"web"} */
void bh_jsonw_labels(struct bh_buf *b, const struct bh_labels *l);
/* Lower-case hexadecimal with its quotes. */
void bh_jsonw_hex(struct bh_buf *b, const uint8_t *data, size_t size);

#endif
