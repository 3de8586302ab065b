/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/risk.h - what nDPI finds suspicious, by the names that rules use
 *
 * Names and numbers are those of nDPI 4.2 (ndpi_risk_enum): a rule about a risk that a later version adds cannot be
 * written before this table has it.
 *
 * Thread-safety: constants.
 */
#ifndef BH_POLICY_RISK_H
#define BH_POLICY_RISK_H

#include <stddef.h>

/* X(number of nDPI, "name") */
#define BH_RISKS(X)                                    \
	X(1, "url-possible-xss")                       \
	X(2, "url-possible-sql-injection")             \
	X(3, "url-possible-rce-injection")             \
	X(4, "binary-application-transfer")            \
	X(5, "known-protocol-on-non-standard-port")    \
	X(6, "tls-selfsigned-certificate")             \
	X(7, "tls-obsolete-version")                   \
	X(8, "tls-weak-cipher")                        \
	X(9, "tls-certificate-expired")                \
	X(10, "tls-certificate-mismatch")              \
	X(11, "http-suspicious-user-agent")            \
	X(12, "http-numeric-ip-host")                  \
	X(13, "http-suspicious-url")                   \
	X(14, "http-suspicious-header")                \
	X(15, "tls-not-carrying-https")                \
	X(16, "suspicious-dga-domain")                 \
	X(17, "malformed-packet")                      \
	X(18, "ssh-obsolete-client-version-or-cipher") \
	X(19, "ssh-obsolete-server-version-or-cipher") \
	X(20, "smb-insecure-version")                  \
	X(21, "tls-suspicious-esni-usage")             \
	X(22, "unsafe-protocol")                       \
	X(23, "dns-suspicious-traffic")                \
	X(24, "tls-missing-sni")                       \
	X(25, "http-suspicious-content")               \
	X(26, "risky-asn")                             \
	X(27, "risky-domain")                          \
	X(28, "malicious-ja3")                         \
	X(29, "malicious-sha1-certificate")            \
	X(30, "desktop-or-file-sharing-session")       \
	X(31, "tls-uncommon-alpn")                     \
	X(32, "tls-cert-validity-too-long")            \
	X(33, "tls-suspicious-extension")              \
	X(34, "tls-fatal-alert")                       \
	X(35, "suspicious-entropy")                    \
	X(36, "clear-text-credentials")                \
	X(37, "dns-large-packet")                      \
	X(38, "dns-fragmented")                        \
	X(39, "invalid-characters")                    \
	X(40, "possible-exploit")                      \
	X(41, "tls-certificate-about-to-expire")

/* NULL: none. */
const char *bh_risk_name(unsigned number);
/* 0: none of this name. */
unsigned bh_risk_by_name(const char *name);
/* The i-th name, for listings and did-you-mean; NULL past the end. */
const char *bh_risk_nth(size_t i);

#endif
