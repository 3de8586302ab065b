/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cli/names.h - kinds of objects as people write them on a command line
 *
 * Thread-safety: no state.
 */
#ifndef BH_CLI_NAMES_H
#define BH_CLI_NAMES_H

#include "common/buf.h"
#include "common/err.h"
#include "policy/model.h"

/*
 * In any case: "NetworkPolicy", its plural, "netpol"; so are the others: tp, ctp, cnp, anp, banp, ns, ep, node. -EINVAL
 * with what was probably meant.
 */
int bh_kind_parse(const char *word, enum bh_kind *ret, struct bh_err *err) bh_must_check;

/* "/v1/policies/KIND/NAMESPACE/NAME". @ns: NULL or "" for what has none */
void bh_policy_path(struct bh_buf *out, const char *kind, const char *ns, const char *name);

#endif
