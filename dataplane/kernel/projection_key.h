/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/kernel/projection_key.h - the parts of an element's key (projection.c explains them)
 *
 * Thread-safety: no state.
 */
#ifndef BH_DATAPLANE_KERNEL_PROJECTION_KEY_H
#define BH_DATAPLANE_KERNEL_PROJECTION_KEY_H

#include "dataplane/kernel/projection.h"

#include <string.h>

/* Bytes of a cell's key behind direction, subject, peer. */
#define BH_KEY_PORT 12
#define BH_KEY_L4   16
#define BH_KEY_CODE 19 /* 1: type and code of ICMP stand for the port */

static inline uint32_t bh_key_word(const void *key, unsigned i)
{
	uint32_t w;

	memcpy(&w, (const uint8_t *)key + i * sizeof(w), sizeof(w));
	return w;
}

/* The port of a cell as a number that keeps the rule set's order: pieces behind all ports. */
static inline uint32_t bh_key_port(const uint8_t *key)
{
	const uint8_t *p = &key[BH_KEY_PORT];

	return (uint32_t)p[3] << 16 | (uint32_t)p[0] << 8 | p[1];
}

#endif
