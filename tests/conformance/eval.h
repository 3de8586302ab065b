/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/conformance/eval.h - what the parts of conformance_eval share
 *
 * A program of the tests: where memory runs out, it ends.
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_CONFORMANCE_EVAL_H
#define BH_TESTS_CONFORMANCE_EVAL_H

#include "policy/compile.h"
#include "policy/load.h"

#include <jansson.h>

/* Everything that a compiler is given. */
struct world {
	struct bh_policy_set *set;
	struct bh_endpoint **eps;
	size_t n_eps;
	struct bh_known_name *names;
	struct bh_surroundings around;
};

/* One end of a connection. */
struct end {
	struct bh_addr addr[2]; /* IPv4, IPv6; family 0: it has none */
	bool endpoint;
	const char *node;               /* that it is, or runs on; NULL: outside. Borrowed */
	const struct bh_compiled *view; /* the rule set that has its policies */
};

void *must(void *p); /* p, or the end */
/* Owned by the caller; "" for a key that is absent. */
char *text_of(const json_t *obj, const char *key);
uint8_t l4_of(const char *name);

/* -EINVAL: manifests are refused; the messages stand in @error. */
int world_make(struct world *w, const json_t *req, struct bh_buf *error);
void world_done(struct world *w);
/* An array of ends, one more than *@ret_n. */
struct end *ends_make(const json_t *list, size_t *ret_n);
/* The input for a compiler, borrowed. */
struct bh_compile_input world_input(const struct world *w, uint64_t revision);

/* A compiler that is told what has changed. */
struct changes {
	struct bh_compiler *compiler;
	struct bh_compiled out;
	const struct bh_endpoint *
	    *slots; /* the compiler's list, of the last step's world; NULL: gone */
	size_t n_slots;
	uint64_t revision;
	bool again; /* the last step was left to bh_compile() */
};

enum way { POLICIES_FIRST, POLICIES_LAST, WAYS };

/* From the world of the step before to that of this step. After an error: changes_done(). */
int changes_step(struct changes *c, enum way way, const struct world *before,
		 const struct world *now, struct bh_err *err);
void changes_done(struct changes *c);

/* The rule set of each node: only its own endpoints are local. */
struct view {
	char *node;
	struct bh_compiled out;
};
struct views {
	struct view *items;
	size_t n;
};

/* Marks endpoints of @w as local and not, in turn; all are in the end. */
int views_make(struct views *v, const struct world *w, uint64_t revision, struct bh_err *err);
void views_done(struct views *v);
/* NULL: no endpoint runs there. */
const struct bh_compiled *views_find(const struct views *v, const char *node);

/* A policy as the model has it; validation.py says what means the same in a manifest. */
json_t *policy_json(const struct bh_policy *p);

#endif
