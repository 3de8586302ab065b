/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/record.h - a record of the violation log as one line for people
 *
 * Thread-safety: no state.
 */
#ifndef BH_CLI_RECORD_H
#define BH_CLI_RECORD_H

#include "common/buf.h"

#include <jansson.h>
#include <stdbool.h>

/* @v: any JSON; what is missing is left out or shown as "?". Ends in a newline. */
void bh_record_line(const json_t *v, bool colour, struct bh_buf *out);

#endif
