/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/texts.h - the texts of files, read once more to show lines of them
 *
 * Thread-safety: one thread.
 */
#ifndef BH_CLI_TEXTS_H
#define BH_CLI_TEXTS_H

#include "policy/text.h"

#include <stddef.h>

struct bh_texts {
	struct bh_text_of **items;
	size_t n, bytes;
};
#define BH_TEXTS_INIT         \
	{                     \
		.items = NULL \
	}

void bh_texts_done(struct bh_texts *t);
/* What cannot be read from a file by its name. @data becomes ours, also on error. 0, -ENOMEM */
int bh_texts_add(struct bh_texts *t, const char *name, char *data, size_t size) bh_must_check;
/* Reads the file at first use. NULL: it cannot be read any more, or there are too many. @ctx: struct bh_texts */
const struct bh_text *bh_texts_get(void *ctx, const char *name);

#endif
