/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/dnstype.h - types of DNS records: the one way to write each, for rules and for what reads packets
 *
 * Thread-safety: constants.
 */
#ifndef BH_POLICY_DNSTYPE_H
#define BH_POLICY_DNSTYPE_H

#include "common/cleanup.h"

#include <stddef.h>
#include <stdint.h>

#define BH_DNS_TYPE_STRLEN 12

/* "AAAA"; "TYPE64999" for one without a name, in @buf (BH_DNS_TYPE_STRLEN bytes). */
const char *bh_dns_type_name(uint16_t type, char *buf);
/* "AAAA", "TYPE28": upper case, as RFC 3597 writes them. -EINVAL. */
int bh_dns_type_parse(const char *s, uint16_t *ret) bh_must_check;
/* The i-th name, for did-you-mean; NULL past the end. */
const char *bh_dns_type_nth(size_t i);

#endif
