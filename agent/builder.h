/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/builder.h - from what is wanted to a generation: only what changed is compiled
 *
 * The compiler remembers what it was given last (policy/compile.h), and so does the builder: which policies, which
 * endpoints at which place of its list. What is different now is told to the compiler; if nothing is, the last
 * generation is the answer. The first time, after a failure, and where the compiler says so, everything is compiled.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_BUILDER_H
#define BH_AGENT_BUILDER_H

#include "agent/endpoints.h"
#include "agent/generation.h"

struct bh_builder;

int bh_builder_new(struct bh_builder **ret) bh_must_check;
struct bh_builder *bh_builder_free(struct bh_builder *b);
BH_DEFINE_CLEANUP(struct bh_builder, bh_builder_free);

struct bh_wanted {
	struct bh_policies *policies;
	const struct bh_surroundings *around; /* NULL: nothing is known */
	const char *node;                     /* Endpoint manifests of this node are local */
	int64_t now;                          /* UNIX seconds */
	bool renew; /* time, surroundings or node are not those of the last time */
	const struct bh_endpoints *eps;
	/* Who came or went since the last time (bh_endpoints_take_changes()); @all: not known, look at everybody. */
	struct bh_ep *const *changed;
	size_t n_changed;
	bool all;
	uint64_t revision; /* of the rule set, if it becomes another one */
};

/**
 * bh_builder_build() - What is wanted, compiled
 * @ret:	Owned by the caller. The very generation of the last time if nothing changed; with its rules if only
 *		addresses did. The revision is that of the rule set
 *
 * Return: 0, -E2BIG, -EINVAL, -ENOMEM
 */
int bh_builder_build(struct bh_builder *b, const struct bh_wanted *w, struct bh_generation **ret,
		     struct bh_err *err) bh_must_check;
/* When time alone makes the next difference to what was built last. */
int64_t bh_builder_next_change(const struct bh_builder *b);

#endif
