/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/yaml_build.h - from a row of events to a tree of nodes (used by policy/load/yaml.c only)
 *
 * Knows nothing of libyaml. Nodes live in an arena that is emptied with every document. Limits, anchors,
 * merge keys and keys written twice are dealt with here.
 *
 * Thread-safety: a builder belongs to one thread.
 */
#ifndef BH_POLICY_YAML_BUILD_H
#define BH_POLICY_YAML_BUILD_H

#include "common/limits.h"
#include "policy/yaml.h"

struct bh_chunk;
struct bh_anchor;
struct bh_cand;

/* A list or map that is not complete. */
struct bh_frame {
	struct bh_yaml_node *node;
	size_t base; /* its first child on the stack */
};

struct bh_build {
	const struct bh_text *text;
	struct bh_diags *d;
	struct bh_chunk *chunks;
	struct bh_anchor *anchors;
	size_t n_anchors;
	struct bh_frame frames[BH_YAML_DEPTH_MAX];
	unsigned depth;
	struct bh_yaml_node **stack; /* children of all open frames, keys and values in turn */
	size_t n_stack, cap_stack;
	struct bh_cand *cands; /* pairs of the map that is being completed */
	size_t n_cands, cap_cands;
	uint64_t nodes; /* of the file so far */
	struct bh_yaml_node *root;
	bool bad;
};

/* What a tag ("!!int") makes of a scalar. */
enum bh_tag {
	BH_TAG_INVALID = 0, /* one that we do not know */
	BH_TAG_NONE,
	BH_TAG_STR,
	BH_TAG_INT,
	BH_TAG_FLOAT,
	BH_TAG_BOOL,
	BH_TAG_NULL,
	BH_TAG_LIST,
	BH_TAG_MAP,
};

struct bh_build_at {
	struct bh_pos pos, end;
	const char *anchor; /* may be NULL */
	enum bh_tag tag;
};

/*
 * All return 0; -EINVAL: an error was reported and the rest of the document must be left out; -E2BIG: the
 * same for the rest of the file; -ENOMEM. Errors that leave the tree whole set @bad only.
 */
int bh_build_scalar(struct bh_build *b, const struct bh_build_at *at, const char *text, size_t len,
		    bool plain) bh_must_check;
int bh_build_open(struct bh_build *b, const struct bh_build_at *at, enum bh_yaml_type type)
    bh_must_check;
int bh_build_close(struct bh_build *b, struct bh_pos end) bh_must_check;
int bh_build_alias(struct bh_build *b, const struct bh_build_at *at, const char *name)
    bh_must_check;

void bh_build_reset(struct bh_build *b); /* for the next document */
void bh_build_done(struct bh_build *b);

#endif
