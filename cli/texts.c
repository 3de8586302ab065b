// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/texts.c - the texts of files, read once more to show lines of them
 */
#include "cli/texts.h"

#include "common/file.h"
#include "common/limits.h"
#include "common/util.h"

#include <errno.h>
#include <stdlib.h>

#include "common/banned.h"

/* All together: what is shown is a few lines of each. */
#define BYTES_MAX (64U * 1024 * 1024)

struct bh_text_of {
	char *name, *data;
	struct bh_text text;
	bool good;
};

static struct bh_text_of *text_free(struct bh_text_of *o)
{
	if (!o)
		return NULL;
	bh_text_done(&o->text);
	free(o->name);
	free(o->data);
	free(o);
	return NULL;
}

void bh_texts_done(struct bh_texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		(void)text_free(t->items[i]);
	free(t->items);
	*t = (struct bh_texts)BH_TEXTS_INIT;
}

int bh_texts_add(struct bh_texts *t, const char *name, char *data, size_t size)
{
	bh_autofree char *owned = data;
	struct bh_text_of **items = reallocarray(t->items, t->n + 1, sizeof(*items));
	struct bh_text_of *o = calloc(1, sizeof(*o));
	struct bh_pos pos;

	if (items)
		t->items = items;
	if (o)
		o->name = strdup(name);
	if (!items || !o || !o->name) {
		(void)text_free(o);
		return -ENOMEM;
	}
	o->data = bh_take_ptr(&owned);
	/* The loader has complained about what is no text. */
	o->good = o->data && bh_text_init(&o->text, o->name, o->data, size, &pos, NULL) == 0;
	t->items[t->n++] = o;
	t->bytes += size;
	return 0;
}

const struct bh_text *bh_texts_get(void *ctx, const char *name)
{
	struct bh_texts *t = ctx;
	bh_autofree char *data = NULL;
	size_t size = 0;

	for (size_t i = 0; i < t->n; i++)
		if (bh_streq(t->items[i]->name, name))
			return t->items[i]->good ? &t->items[i]->text : NULL;
	if (t->bytes >= BYTES_MAX || bh_file_read(name, BH_YAML_FILE_MAX, &data, &size, NULL) < 0 ||
	    bh_texts_add(t, name, bh_take_ptr(&data), size) < 0)
		return NULL;
	return t->items[t->n - 1]->good ? &t->items[t->n - 1]->text : NULL;
}
