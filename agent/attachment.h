/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/attachment.h - the plugin's `add` requests and its records on disk: JSON to endpoint
 *
 * Both have one form (docs/api.md). Everything is checked: what the plugin says comes from a container engine, a
 * pod's annotations, somebody's configuration. Unknown fields are ignored.
 *
 * Thread-safety: no state.
 */
#ifndef BH_AGENT_ATTACHMENT_H
#define BH_AGENT_ATTACHMENT_H

#include "agent/endpoints.h"
#include "common/json.h"

#define BH_ATTACHMENT_ADDRS_MAX  32U
#define BH_ATTACHMENT_LABELS_MAX 4096U
#define BH_ATTACHMENT_PORTS_MAX  1024U

/* The three names by which an attachment is known; borrowed from the request. */
struct bh_attachment_key {
	const char *network, *id, *ifname;
};
int bh_attachment_key_parse(const json_t *msg, struct bh_attachment_key *ret, struct bh_err *err)
    bh_must_check;

/**
 * bh_attachment_parse() - Make an endpoint of an `add` request or a record
 * @node:	Name of this host
 *
 * Return: 0; -EINVAL with the field that is wrong, -E2BIG (too many of something), -ENOMEM
 */
int bh_attachment_parse(const json_t *msg, const char *node, struct bh_ep **ret, struct bh_err *err)
    bh_must_check;

/**
 * bh_attachments_load() - Who exists, by the plugin's records
 * @run_dir:	RUNDIR/attachments/\*.json is read
 * @fn:		Called with each record that is "ready" and of this boot; takes no reference
 *
 * A record that cannot be read is logged and left out: its link stays in quarantine.
 * Return: records taken, or a negative errno if the folder cannot be read; a folder that is missing is empty
 */
int bh_attachments_load(const char *run_dir, const char *node,
			void (*fn)(void *arg, struct bh_ep *ep), void *arg);

#endif
