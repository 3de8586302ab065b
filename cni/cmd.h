/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/cmd.h - the verbs
 *
 * Each gets the checked environment and the configuration as far as bh_netconf_load() reads it, prints its
 * result on standard output if it has one, and returns 0 or the code of an error that main() prints.
 *
 * Thread-safety: one verb per process.
 */
#ifndef BH_CNI_CMD_H
#define BH_CNI_CMD_H

#include "cni/args.h"
#include "cni/attachment.h"
#include "cni/error.h"
#include "cni/netconf.h"

/* How long a verb that must not hang on the agent waits for it. */
#define BH_AGENT_SHORT_MS 500
/* How long DEL waits for an ADD of the same attachment: longer than its default deadline. */
#define BH_LOCK_WAIT_MS 15000

enum bh_cni_code bh_cmd_add(const struct bh_cni_args *a, struct bh_netconf *c,
			    struct bh_cni_error *e);
enum bh_cni_code bh_cmd_del(const struct bh_cni_args *a, struct bh_netconf *c,
			    struct bh_cni_error *e);
enum bh_cni_code bh_cmd_check(const struct bh_cni_args *a, struct bh_netconf *c,
			      struct bh_cni_error *e);
enum bh_cni_code bh_cmd_status(const struct bh_cni_args *a, struct bh_netconf *c,
			       struct bh_cni_error *e);
enum bh_cni_code bh_cmd_gc(const struct bh_cni_args *a, struct bh_netconf *c,
			   struct bh_cni_error *e);

struct nl_sock;
/**
 * bh_tear_down() - Take back all that ADD made for an attachment, whatever is left of it
 * @at:		Locked
 *
 * Link first, then the agent is told, then the addresses become free, then the record goes: at no moment can
 * an address be given out again while somebody still acts on its old owner. A link that cannot be deleted
 * keeps its record and its addresses.
 *
 * Return: 0, or the error of the first step that failed (already told on stderr)
 */
int bh_tear_down(const struct bh_netconf *c, const struct bh_attachment *at, struct nl_sock *sk);
/* {"v": 1, "op": @op, "network", "id", "ifname"}; NULL: out of memory. */
json_t *bh_agent_request(const char *op, const struct bh_attachment *at);

#endif
