/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/lint.h - policies that are right, but do not do what somebody probably meant
 *
 * The loader finds what is wrong in one place. Here rules are held against each other, against what is known of
 * endpoints, and against a moment. A warning is a claim that can be proved: where one rule is said to have no effect
 * because of another, removing it changes no decision of the policies given. What cannot be proved by looking at
 * how rules are written is not said.
 *
 *	bh_load_path(set, ...); bh_load_finish(set, &diags); bh_lint(&in, &diags); bh_diags_sort(&diags);
 *
 * Thread-safety: no state; set, endpoints and texts are read only.
 */
#ifndef BH_POLICY_LINT_H
#define BH_POLICY_LINT_H

#include "policy/load.h"
#include "policy/text.h"

/* Everything that the loader and lint may say: X(code, text). Codes are stable; numbers of old ones are not used again. */
#define BH_LINT_CODES(X)                                                                           \
	X("e1", "a field that does not exist here")                                                \
	X("e2", "a protocol that does not exist")                                                  \
	X("e3", "a peer that is two things at once, or nothing")                                   \
	X("e4", "rules that are not \"allow\" in a policy that does not say what it isolates")     \
	X("e5", "a range of ports that ends before it begins")                                     \
	X("e6", "a port that is none")                                                             \
	X("e7", "an ipBlock that is none, or \"except\" outside of it")                            \
	X("e8", "a value of the wrong type: often YAML read \"on\" or 010 otherwise than meant")   \
	X("e9", "names in a rule that does not allow: not all of their addresses are ever known")  \
	X("e10", "a tier, or what belongs to one, in a policy that cannot have it")                \
	X("e11", "a priority that is missing, or not in 0-1000")                                   \
	X("e12", "a protocol that nothing on this host can detect")                                \
	X("e13", "two fields that say the same thing, or exclude each other")                      \
	X("e14", "an object that is defined twice")                                                \
	X("e15", "a time, a time of day or a time zone that is none")                              \
	X("e16", "not YAML, or no text")                                                           \
	X("e17", "a protocol in an allow rule that is known by name only")                         \
	X("e18", "something required is missing")                                                  \
	X("e19", "a value or name that is not allowed here")                                       \
	X("e20", "something that exists, but not in this version")                                 \
	X("e21", "a key that is written twice")                                                    \
	X("e22", "a limit")                                                                        \
	X("e23", "a file or folder that cannot be read")                                           \
	X("e24", "a kind that does not exist, or not in this apiVersion")                          \
	X("e25", "two fields of a rule that nothing can fulfil together")                          \
	X("w1", "an allow rule that adds nothing: another one allows the same without conditions") \
	X("w2", "no podSelector: the policy is for all")                                           \
	X("w3", "a null rule, which allows everything")                                            \
	X("w4", "port 53 for TCP only")                                                            \
	X("w5", "a selector that matches nothing now")                                             \
	X("w6", "YAML reads a port as octal, or a key as something else")                          \
	X("w7", "http conditions on port 443, where HTTP is not visible")                          \
	X("w8", "rules in a direction that policyTypes leaves out")                                \
	X("w9", "a peer of a later version: the rule fails closed")                                \
	X("w10", "echo replies in icmp: replies pass anyway")                                      \
	X("w11", "a family of protocols of which a rule can have some only")                       \
	X("w12", "a protocol that cannot be detected yet, in a rule that decides nothing")         \
	X("w13", "the agent: what this version refuses too much of, or records too little of")     \
	X("w20", "a rule that stands twice in one policy")                                         \
	X("w21", "an allow rule that a deny or reject rule always beats")                          \
	X("w22", "a rule that is never reached: an earlier one of its tier decides")               \
	X("w23", "a rule that is never reached: an earlier tier decides")                          \
	X("w24", "a deny or reject rule behind another one that refuses the same")                 \
	X("w25", "an alert or log rule for what is always refused")                                \
	X("w26", "an alert or log rule behind another one that records the same")                  \
	X("w27", "a rule that can match nothing")                                                  \
	X("w28", "allow rules in a direction that no policy isolates")                             \
	X("w29", "policies of one tier and priority whose rules contradict each other")            \
	X("w30", "protocols that are never spoken on the ports of the rule")                       \
	X("w31", "a selector that contradicts itself")                                             \
	X("w32", "too much to compare: not everything was looked at")                              \
	X("w33",                                                                                   \
	  "conditions that do not hold on one of the ports or peers: another rule allows it")      \
	X("w40", "isolated for egress, and nothing allows DNS")                                    \
	X("w41", "fqdn peers, and no way to ask DNS: the names never get addresses")               \
	X("w42", "an ipBlock of loopback addresses")                                               \
	X("w43", "an ipBlock that holds the cluster's own ranges too")                             \
	X("w44", "an ipBlock inside of the cluster's ranges in which nobody has an address")       \
	X("w45", "entity dns, and no resolvers are configured")                                    \
	X("w46", "mode monitor or learn without an end")                                           \
	X("w50", "a policy that has expired")                                                      \
	X("w51", "a rule that has expired")                                                        \
	X("w52", "a policy that expires soon, and what it isolates is open then")                  \
	X("w60", "a namespaceSelector that no namespace matches")                                  \
	X("w61", "the name of a port that no endpoint has")

struct bh_lint_code {
	const char *code, *text;
};
/* The i-th of the table; NULL past the end. */
const struct bh_lint_code *bh_lint_code(size_t i);

enum bh_lint_knowing {
	BH_LINT_NONE = 0, /* of endpoints */
	BH_LINT_SOME,     /* there may be others: only what looks like a slip is told */
	BH_LINT_ALL,
};

struct bh_lint_input {
	const struct bh_policy_set *set; /* after bh_load_finish() */
	const struct bh_endpoint *const *eps;
	size_t n_eps;
	enum bh_lint_knowing endpoints;
	const struct bh_surroundings *around; /* NULL: nothing is known */
	bool no_resolvers;                    /* it is certain that none are configured */
	int64_t now; /* UNIX seconds; 0: no moment, and nothing is told about time */
	/* The text of a file, to show lines of it; may be NULL, and return NULL. Borrowed until bh_lint() returns. */
	const struct bh_text *(*text)(void *ctx, const char *file);
	void *ctx;
};

/**
 * bh_lint() - Look for what nobody can have meant
 * @d:	What the loader found; warnings are added. Where it has errors, the set is not whole, and what depends
 *	on something not being there is not told
 *
 * Time is bounded (w32), for policies that somebody else wrote too.
 *
 * Return: 0, -ENOMEM
 */
int bh_lint(const struct bh_lint_input *in, struct bh_diags *d) bh_must_check;

#endif
