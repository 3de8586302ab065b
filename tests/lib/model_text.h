/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/model_text.h - everything that a policy, a node ... of the model says, a line for each thing
 *
 * For tests that compare what was read with what should have been: "tier admin", "ingress[0].action deny",
 * "ingress[0].ports[1] udp 53-53". Nothing is left out, not even what is as usual.
 */
#ifndef BH_TESTS_LIB_MODEL_TEXT_H
#define BH_TESTS_LIB_MODEL_TEXT_H

#include "common/buf.h"
#include "policy/model.h"

void bh_model_put_policy(struct bh_buf *b, const struct bh_policy *p);
void bh_model_put_node(struct bh_buf *b, const struct bh_node *n);
/* "app=web, env in (a, b), !x" */
void bh_model_put_selector(struct bh_buf *b, const struct bh_selector *s);

#endif
