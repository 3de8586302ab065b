/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/cni_server.h - cni.sock: endpoints come and go
 *
 * docs/api.md is the protocol. Many connections at once; those whose `add` or `del` waits are answered after
 * the next pass of agent/reconcile.h, one pass for all of them.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_CNI_SERVER_H
#define BH_AGENT_CNI_SERVER_H

#include "agent/agent.h"

int bh_cni_server_new(struct bh_agent *a, struct bh_cni_server **ret, struct bh_err *err)
    bh_must_check;
struct bh_cni_server *bh_cni_server_free(struct bh_cni_server *s);
/* A pass ended: r == 0 or why it failed. */
void bh_cni_server_pass(struct bh_cni_server *s, int r, const char *why);
/* Connections whose sender is too slow. */
void bh_cni_server_tick(struct bh_cni_server *s, bh_msec_t now);

#endif
