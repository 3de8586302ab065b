/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/yaml.h - YAML or JSON text in, trees of nodes out, one document at a time
 *
 * Every node knows where it stands. Anchors, aliases and merge keys ("<<") are resolved: an alias is the
 * node it names, so a tree is in fact a graph without loops, and whoever walks it sees at most
 * BH_YAML_NODES_MAX nodes in a file and BH_YAML_DEPTH_MAX levels (common/limits.h). A key that stands twice
 * in a map, an alias to what contains it, a NUL, bytes that are no UTF-8, and everything beyond a limit are
 * errors. Scalars are resolved as in policy/load/scalar.h.
 *
 * For policies (policy/load/load.c) and for configuration files alike; policy/reader.h has getters that complain.
 *
 *	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = NULL;
 *	r = bh_yaml_open(path, data, size, &diags, &y);
 *	while (r == 0 && (r = bh_yaml_next(y, &doc)) == 1) { ...; r = 0; }
 *
 * Thread-safety: a reader and its nodes belong to one thread.
 */
#ifndef BH_POLICY_YAML_H
#define BH_POLICY_YAML_H

#include "policy/load.h"
#include "policy/load/scalar.h"
#include "policy/text.h"

struct bh_yaml_pair;

struct bh_yaml_node {
	const char *text; /* scalars: as written, quotes and escapes resolved; never holds a NUL */
	union {
		bool boolean;
		int64_t integer; /* saturated */
		double real;
		struct bh_yaml_node **items;
		struct bh_yaml_pair *pairs; /* as written, then those that were merged in */
	};
	struct bh_pos pos, end; /* @end: the first place behind it */
	uint32_t n;             /* bytes of @text, items, pairs */
	uint32_t weight; /* nodes below, and itself, every alias counted as what it stands for */
	uint8_t type;    /* enum bh_yaml_type */
	uint8_t height;  /* levels below, and itself */
	bool plain;      /* a scalar without quotes */
	bool octal;      /* an integer such as 010 */
	bool aliased;    /* an alias stands somewhere in it: its text is not complete by itself */
	bool open;       /* not yet read to its end */
};

struct bh_yaml_pair {
	const char *name; /* the key as JSON has it: 1 is "1", on is "true" */
	const struct bh_yaml_node *key;
	const struct bh_yaml_node *value;
};

struct bh_yaml_doc {
	const struct bh_yaml_node *root;
	bool bad; /* an error was reported; the tree is whole, but what was wrong is left out */
	size_t begin,
	    end; /* bytes of the text: with the comments around it, without a first "---" line */
};

struct bh_yaml;

/**
 * bh_yaml_open() - Begin to read a text
 * @file:	Shown in messages; borrowed, like @data
 * @d:		Errors go here
 *
 * A text that is too large or no text at all is an error in @d, and has no documents.
 *
 * Return: 0, -ENOMEM
 */
int bh_yaml_open(const char *file, const char *data, size_t size, struct bh_diags *d,
		 struct bh_yaml **ret) bh_must_check;
struct bh_yaml *bh_yaml_free(struct bh_yaml *y);
BH_DEFINE_CLEANUP(struct bh_yaml, bh_yaml_free);

/**
 * bh_yaml_next() - The next document
 * @ret:	Valid until the next call; empty documents are documents of type BH_YAML_NULL
 *
 * After a syntax error reading goes on at the next line that begins with "---".
 *
 * Return: 1: there is one; 0: no more (errors are in the list given to bh_yaml_open()); -ENOMEM
 */
int bh_yaml_next(struct bh_yaml *y, const struct bh_yaml_doc **ret) bh_must_check;

const struct bh_text *bh_yaml_text(const struct bh_yaml *y);

/* The value of a key of a map, NULL if it has none. The place of the key in *@ret_key, which may be NULL. */
const struct bh_yaml_node *bh_yaml_get(const struct bh_yaml_node *map, const char *name,
				       const struct bh_yaml_node **ret_key);

/*
 * A node as text that is a document by itself: the part of the file where that is possible, else JSON.
 * Owned by the caller; NULL: out of memory.
 */
char *bh_yaml_copy(const struct bh_text *t, const struct bh_yaml_node *n) bh_must_check;
/* As one line of JSON; keys of more than a kilobyte as YAML wants them ("? " in front). */
void bh_yaml_print_json(const struct bh_yaml_node *n, struct bh_buf *out);

#endif
