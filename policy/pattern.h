/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/pattern.h - what may be written where names, requests and times of day are matched
 *
 * As in policy/names.h each function returns NULL if the text is right, else what is wrong with it, as the end of
 * a sentence. What matches what: bh_attr_match() (policy/ruleset/attr.c) and bh_name_match().
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_PATTERN_H
#define BH_POLICY_PATTERN_H

#include <stddef.h>
#include <stdint.h>

const char *bh_pattern_name(const char *s);    /* "shop.example.com", "*.example.com" */
const char *bh_pattern_path(const char *s);    /* a glob: * within a segment, ** for anything */
const char *bh_pattern_method(const char *s);  /* "GET" */
const char *bh_pattern_token(const char *s);   /* "websocket": lower case */
const char *bh_pattern_connect(const char *s); /* "db.example.com:5432", "*.example.com:*" */
const char *bh_pattern_alpn(const char *s);    /* "h2" */
const char *bh_pattern_service(const char *s); /* "shop.Cart", "shop.*", "shop.**" */
const char *bh_pattern_call(const char *s);    /* "AddItem", "*" */
const char *bh_pattern_zone(const char *s);    /* "Europe/Vienna", whether it exists or not */

/* The one way to write a name, or a target of CONNECT: lower case, no dot at the end of the name. In place. */
void bh_pattern_fold(char *s);

/* "08:00", "24:00": minutes of the day; -1: neither. */
int bh_day_minutes(const char *s);

#endif
