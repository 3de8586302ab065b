/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/classifier/probe_tls.h - the first message of a TLS client, also where TLS follows something
 *
 * Thread-safety: pure functions.
 */
#ifndef BH_DATAPLANE_CLASSIFIER_PROBE_TLS_H
#define BH_DATAPLANE_CLASSIFIER_PROBE_TLS_H

#include "dataplane/classifier/probe.h"

/* Are the @n bytes at @p the beginning of TLS as a client speaks it? */
enum bh_answer bh_tls_client_hello(const uint8_t *p, uint32_t n);

#endif
