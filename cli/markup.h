/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/markup.h - text inside of other languages: XML, Graphviz, CSV
 *
 * Names and labels come from elsewhere: whatever they hold, it stays text.
 *
 * Thread-safety: no state.
 */
#ifndef BH_CLI_MARKUP_H
#define BH_CLI_MARKUP_H

#include "common/buf.h"

/* Character data or the value of an attribute in double quotes. Newlines stay; what XML cannot hold becomes '?'. */
void bh_put_xml(struct bh_buf *out, const char *s);
/* A string of Graphviz, with its quotes. */
void bh_put_dot(struct bh_buf *out, const char *s);
/* One field (RFC 4180), in quotes where it needs them. */
void bh_put_csv(struct bh_buf *out, const char *s);

#endif
