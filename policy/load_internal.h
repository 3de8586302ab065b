/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load_internal.h - what the parts of the loader share
 *
 * Every part fills a piece of the model and complains through the reader; nothing is returned. A piece with
 * errors can be released but not used: who put the object together asks bh_reader_ok().
 *
 * Thread-safety: a load belongs to one thread.
 */
#ifndef BH_POLICY_LOAD_INTERNAL_H
#define BH_POLICY_LOAD_INTERNAL_H

#include "policy/load.h"
#include "policy/reader.h"
#include "policy/schema.h"

/* One text that is being loaded. */
struct bh_load {
	struct bh_reader rd;
	struct bh_policy_set *set;
	const char *file;
	/* of the object at hand */
	enum bh_kind kind;
	unsigned in;    /* BH_IN_* */
	const char *ns; /* its namespace */
	char *source;   /* its text, to be taken; may be NULL */
};

/* load_policy.c */
void bh_load_policy(struct bh_load *l, const struct bh_yaml_node *root);
/* load_rule.c */
void bh_load_rule(struct bh_load *l, const struct bh_yaml_node *n, enum bh_dir dir,
		  struct bh_rule *r);
/* load_peer.c */
void bh_load_peers(struct bh_load *l, const struct bh_yaml_node *list, struct bh_rule *r);
void bh_load_selector(struct bh_load *l, const struct bh_yaml_node *n, struct bh_selector *s);
/* load_port.c */
void bh_load_ports(struct bh_load *l, const struct bh_yaml_node *list, struct bh_rule *r);
/* Complains (e6) about what is not in 1-65535; false then. */
bool bh_load_port_number(struct bh_load *l, const struct bh_yaml_node *n, int64_t v, uint16_t *ret);
uint8_t bh_load_l4(const struct bh_yaml_node *n); /* TCP where @n is NULL */
/* load_object.c */
void bh_load_namespace(struct bh_load *l, const struct bh_yaml_node *root);
void bh_load_endpoint(struct bh_load *l, const struct bh_yaml_node *root);
/* Name and namespace of the object; @labels may be NULL: then they are checked and forgotten. */
void bh_load_meta(struct bh_load *l, const struct bh_yaml_node *meta, char **ret_ns,
		  char **ret_name, struct bh_labels *labels);
/* The value of a label is a string; complains (e8) and returns false if it is not. */
bool bh_load_label_type(struct bh_load *l, const struct bh_yaml_pair *p);

/* Copies that note a lack of memory in the reader. */
char *bh_load_strdup(struct bh_load *l, const char *s);
/* Zeroed; NULL where @n is 0. */
void *bh_load_array(struct bh_load *l, size_t n, size_t size);
/* Appends to a list of pointers; false: no memory (noted). */
bool bh_load_append(struct bh_load *l, void *list, size_t *n, void *item);

#endif
