/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/gate.h - what the language has and the dataplane of this version does not
 *
 * Policies are read and compiled whole; not everything that they can say is held by kernel and workers yet. What they
 * would ignore is never ignored in silence: where something would pass that a policy refuses, the manifest is an
 * error (e20) and nothing of it comes into force; where too much is refused or too little recorded, it is a
 * warning (w13). The verbs of the command line that work offline do not ask: there the language counts.
 *
 * Thread-safety: no state.
 */
#ifndef BH_AGENT_GATE_H
#define BH_AGENT_GATE_H

#include "policy/load.h"

/**
 * bh_gate_check() - Look at what was read from one file
 * @text, @size:	The file, for the lines in messages
 *
 * Return: 0; -EINVAL: an error was added to @d; -ENOMEM
 */
int bh_gate_check(const struct bh_policy_set *set, const char *file, const char *text, size_t size,
		  struct bh_diags *d) bh_must_check;

#endif
