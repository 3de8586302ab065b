/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/names.h - what a name, a label or a port may be called
 *
 * Each function returns NULL if the text is right, else what is wrong with it, as the end of a sentence
 * ("it must not be longer than 63 characters"). Rules of Kubernetes where objects are of its kinds.
 *
 * Thread-safety: no state.
 */
#ifndef BH_POLICY_NAMES_H
#define BH_POLICY_NAMES_H

const char *bh_name_label_key(const char *s);   /* "app", "example.com/app" */
const char *bh_name_label_value(const char *s); /* "web"; may be empty */
const char *bh_name_dns_label(const char *s);   /* "shop": a namespace of Kubernetes */
const char *bh_name_dns_domain(const char *s);  /* "allow.web": name of an object */
const char *bh_name_port(const char *s);        /* "http": IANA service name */
/* "my_project.1": what container engines call things. At most 253 characters. */
const char *bh_name_loose(const char *s);
/* One line of text for people, 1 to 100 characters. */
const char *bh_name_text(const char *s);

#endif
