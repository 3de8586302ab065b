/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile.h - policy set + endpoints -> rule set
 *
 * The compiler remembers which match vector got which class number (and which contract and reason got
 * which number), so that numbers stay the same across revisions wherever their meaning does. The order of
 * evaluation (tiers, deny before allow, isolation, modes) is explained in compile.c and nowhere else.
 *
 * Thread-safety: a compiler belongs to one thread.
 */
#ifndef BH_POLICY_COMPILE_H
#define BH_POLICY_COMPILE_H

#include "policy/model.h"
#include "policy/ruleset.h"

struct bh_compiler;

/* Cells of one rule set: 24 bytes each here, some 100 in the kernel. */
#define BH_CELLS_MAX (16U * 1024 * 1024)

int bh_compiler_new(struct bh_compiler **ret) bh_must_check;
struct bh_compiler *bh_compiler_free(struct bh_compiler *c);
BH_DEFINE_CLEANUP(struct bh_compiler, bh_compiler_free);

/* An address of an endpoint, and its class in the rule set made with it. */
struct bh_addr_class {
	struct bh_addr addr;
	uint32_t cls;
	bool local;
	uint32_t endpoint; /* index into the list of endpoints given to the compiler */
};

struct bh_compiled {
	struct bh_ruleset *rules;
	struct bh_addr_class *addrs; /* sorted by address, each once */
	size_t n_addrs;
};

void bh_compiled_done(struct bh_compiled *c);
/* Whose address it is, borrowed; NULL: no endpoint's. */
const struct bh_addr_class *bh_compiled_find(const struct bh_compiled *c, const struct bh_addr *a);

struct bh_compile_input {
	/* Policies, namespaces, nodes. Its Endpoint manifests are not looked at: pass them in @eps. */
	const struct bh_policy_set *set;
	/*
	 * Every endpoint known, local and remote. Where two claim an address, a local one wins over one that is
	 * not, else the one that stands later in the list.
	 */
	const struct bh_endpoint *const *eps;
	size_t n_eps;
	const struct bh_surroundings *around; /* NULL: nothing is known */
	int64_t now;                          /* UNIX seconds: what has expired, what has begun */
	uint64_t revision;                    /* stamped into the rule set */
};

/**
 * bh_compile() - Make the rule set
 * @ret:	Filled; to be released by bh_compiled_done()
 *
 * Cells are made for classes that have a local endpoint. If no endpoint at all is local (offline use), they
 * are made for all. Asked for the policies of another class, the rule set refuses (bh_class.subject_*: 2).
 *
 * The compiler keeps what it has found out, for bh_compile_endpoints() and bh_compile_policies(): references to the
 * policies, copies of the rest.
 *
 * Return: 0; -E2BIG (numbers or limits exhausted; said in @err), -EINVAL (a member of the model has no value),
 * -ENOMEM. The compiler stays usable.
 */
int bh_compile(struct bh_compiler *c, const struct bh_compile_input *in, struct bh_compiled *ret,
	       struct bh_err *err) bh_must_check;

/* The endpoint at @index of the list is another one now; NULL: there is none any more. The list may grow. */
struct bh_endpoint_change {
	uint32_t index;
	const struct bh_endpoint *ep;
};

/**
 * bh_compile_endpoints() - The same policies, some other endpoints
 *
 * Costs what the changed endpoints can touch. The rule set is the one before (the same view, with another
 * reference, and its revision) if only addresses changed.
 *
 * Return: as bh_compile(); -EAGAIN: nothing was compiled before, or the last time failed, or the answer to whether
 * anybody is local changed: bh_compile() first
 */
int bh_compile_endpoints(struct bh_compiler *c, const struct bh_endpoint_change *changes, size_t n,
			 uint64_t revision, struct bh_compiled *ret, struct bh_err *err)
    bh_must_check;

/**
 * bh_compile_policies() - The same endpoints, other policies, namespaces, nodes, surroundings, or time
 * @in:		As for bh_compile(); eps and n_eps are not looked at
 *
 * What is equal to what was there costs a comparison: a policy is if it is the same object, or has the same text,
 * file and place. Return: as bh_compile_endpoints()
 */
int bh_compile_policies(struct bh_compiler *c, const struct bh_compile_input *in,
			struct bh_compiled *ret, struct bh_err *err) bh_must_check;

/* When time alone makes the next difference (`when`, `expires`, `promote`): UNIX seconds; INT64_MAX: never. */
int64_t bh_compile_next_change(const struct bh_compiler *c);

#endif
