/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/classifier/name_ndpi.h - what nDPI calls bytes that no probe knows
 *
 * A name for the record and for rules that refuse; never a reason to allow. Built without nDPI there is no
 * namer, and everything unknown stays unknown.
 *
 * Thread-safety: a namer belongs to one thread; two must not be made at the same time.
 */
#ifndef BH_DATAPLANE_CLASSIFIER_NAME_NDPI_H
#define BH_DATAPLANE_CLASSIFIER_NAME_NDPI_H

#include "dataplane/classifier/stream.h"
#include "policy/protocol.h"

#define BH_NDPI_NAME_SIZE 24U

struct bh_namer;

/* -ENOTSUP: built without nDPI, or the library is not the one this was built for. */
int bh_namer_new(struct bh_namer **ret, struct bh_err *err) bh_must_check;
struct bh_namer *bh_namer_free(struct bh_namer *n);
BH_DEFINE_CLEANUP(struct bh_namer, bh_namer_free);

/**
 * bh_namer_name() - Ask for a name
 * @st:		What was said; nothing else enters the answer
 * @udp:	Each run of @st is one datagram
 * @ret_name:	nDPI's own name; "" where it has none
 *
 * Return: our number for it; BH_PROTO_UNKNOWN if we have none, or nDPI does not know
 */
unsigned bh_namer_name(struct bh_namer *n, const struct bh_stream *st, bool udp,
		       char ret_name[BH_NDPI_NAME_SIZE]);

#endif
