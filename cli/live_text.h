/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/live_text.h - the kernel's state (GET /v1/live) as people read it
 *
 * Thread-safety: no state.
 */
#ifndef BH_CLI_LIVE_TEXT_H
#define BH_CLI_LIVE_TEXT_H

#include "cli/out.h"

/* @v: as docs/api.md has it; what is missing is left out or shown as "?". */
void bh_live_text(const json_t *v, bool colour, struct bh_buf *out);

#endif
