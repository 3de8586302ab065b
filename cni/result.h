/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/result.h - what ADD answers, in the shape of each version of the specification
 *
 * Thread-safety: no state.
 */
#ifndef BH_CNI_RESULT_H
#define BH_CNI_RESULT_H

#include "cni/netconf.h"
#include "cni/wire.h"

/**
 * bh_result_add() - Result of an ADD
 * @netns_path:	CNI_NETNS as it came
 *
 * What a plugin before us in the list made (prevResult) stays in front. Return: owned, NULL: out of memory.
 */
json_t *bh_result_add(const struct bh_netconf *c, const struct bh_wire *w, const char *netns_path)
    bh_must_check;
/* @mac: 6 bytes. @buf: 18 bytes. Return: @buf */
const char *bh_mac_format(const uint8_t *mac, char *buf);
/* Answer to VERSION on standard output. @asked: the version the caller speaks, or NULL. Return: 0 or -EIO */
int bh_result_version(const char *asked);

#endif
