/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/world.h - policies and endpoints to ask questions about: from files, or from the agent
 *
 * Files may hold policies, Namespaces, Nodes and Endpoints in any order; what no manifest says (the cluster's own
 * ranges, resolvers, what DNS answered, the time) comes from options that all verbs of this kind have in common (struct bh_verb, world).
 *
 * Thread-safety: one thread.
 */
#ifndef BH_CLI_WORLD_H
#define BH_CLI_WORLD_H

#include "cli/cli.h"
#include "policy/compile.h"
#include "policy/explain.h"
#include "policy/load.h"

struct bh_world {
	struct bh_policy_set *set;
	struct bh_diags diags;
	struct bh_endpoint **own; /* made from the agent's JSON */
	bool *quarantined;        /* one for each of @own */
	size_t n_own;
	bool fetched; /* from the agent */
	/* All, borrowed from @set or @own. None is marked as local: policies of all are asked. */
	const struct bh_endpoint **eps;
	size_t n_eps;
	struct bh_surroundings around; /* points into what follows */
	struct bh_prefix *ranges;
	struct bh_addr *resolvers;
	struct bh_known_name *names;
	int64_t now; /* --at, else the present */
};
#define BH_WORLD_INIT       \
	{                   \
		.set = NULL \
	}

void bh_world_done(struct bh_world *w);

/*
 * From files where a->policies names any, else from the agent (then a->endpoints must be empty). What is wrong is
 * printed. Return: exit code
 */
int bh_world_get(struct bh_world *w, const struct bh_args *a);

/* The options about what surrounds the policies; bh_world_get() calls it first. Return: exit code */
int bh_world_surround(struct bh_world *w, const struct bh_args *a);

/* The agent's cluster ranges and resolvers, where the options name none. Return: exit code */
int bh_world_settings(struct bh_world *w, const struct bh_args *a);

/* One endpoint as docs/api.md has it. -EINVAL, -ENOENT, -ENOMEM. */
int bh_endpoint_from_json(const json_t *v, struct bh_endpoint **ret, bool *ret_quarantined,
			  struct bh_err *err) bh_must_check;

bool bh_world_quarantined(const struct bh_world *w, size_t endpoint);

/**
 * bh_world_find() - The endpoint that somebody means
 * @what:	"namespace/name", "name" or an address
 * @ret:	Index into w->eps; SIZE_MAX: @what is an address that no endpoint has
 * @ret_addr:	The address, if @what is one; family 0 else
 *
 * Return: 0; -ENOENT, -EINVAL (several have that name), with what was probably meant in @err
 */
int bh_world_find(const struct bh_world *w, const char *what, size_t *ret, struct bh_addr *ret_addr,
		  struct bh_err *err) bh_must_check;

/* One end of a connection. */
struct bh_side {
	size_t endpoint;     /* index into w->eps, or SIZE_MAX: */
	const char *node;    /* name of a Node, borrowed; NULL: */
	struct bh_addr addr; /* an address; of family 0 else */
	size_t who;          /* the endpoint either way; SIZE_MAX: none */
};

/* As bh_world_find(), and "node/NAME": that node, by its manifest or by endpoints that run there. */
int bh_world_side(const struct bh_world *w, const char *what, struct bh_side *ret,
		  struct bh_err *err) bh_must_check;

/*
 * The two ends of a question, @from and @to, and the family that an address among them has. @ret_who: the endpoints, as
 * in struct bh_side; may be NULL. -EINVAL: of another family than @q's, or the other end's.
 */
int bh_world_from(const struct bh_world *w, const char *from, struct bh_query *q, size_t *ret_who,
		  struct bh_err *err) bh_must_check;
int bh_world_to(const struct bh_world *w, const char *to, struct bh_query *q, size_t *ret_who,
		struct bh_err *err) bh_must_check;

/*
 * Two worlds get the same endpoints: those of the first, and what only the second has. Each keeps its own policies;
 * both must live as long as either is used. -ENOMEM.
 */
int bh_worlds_unite(struct bh_world *first, struct bh_world *second) bh_must_check;
/* Namespaces and Nodes of @from that @to does not have, copied. -ENOMEM. */
int bh_world_adopt(struct bh_world *to, const struct bh_world *from) bh_must_check;

/* The rule set of all endpoints. Prints what is wrong. Return: exit code */
int bh_world_compile(const struct bh_world *w, struct bh_compiled *ret);

#endif
