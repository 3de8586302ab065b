/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_internal.h - what the parts of the loader share
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
	unsigned in; /* BH_IN_*; within rules also the direction */
	const struct bh_object *object;
	char *source; /* its text, to be taken; may be NULL */
	/* of the policy at hand: what holds for rules that say nothing else */
	enum bh_tier tier;
	bool
	    tentative; /* it changes no verdict, now or later: mode monitor or learn, never promoted to enforce */
	enum bh_fail unknown, on_overload, midstream;
	uint16_t evidence;
	char zone[72]; /* the time zone that was last found to exist */
};

/* load_policy.c: every kind of policy */
void bh_load_policy(struct bh_load *l, const struct bh_yaml_node *root);
/* load_cluster.c: the spec of ClusterNetworkPolicy and its elders */
void bh_load_cluster_spec(struct bh_load *l, const struct bh_yaml_node *n, struct bh_policy *p);
/* load_cluster_port.c; @networks: what of the peers has no names for ports, or NULL */
void bh_load_cluster_ports(struct bh_load *l, const struct bh_yaml_node *list, const char *networks,
			   struct bh_rule *r);
/* The only field that is written; complains and returns SIZE_MAX if there is none, or more. */
size_t bh_load_only_one(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_object *o,
			const struct bh_got *got);

/* load_rule.c */
void bh_load_rule(struct bh_load *l, const struct bh_yaml_node *n, enum bh_dir dir,
		  struct bh_rule *r);
/* What a rule is before anything of it was read. */
void bh_load_rule_init(const struct bh_load *l, const struct bh_yaml_node *n, struct bh_rule *r);
/* The urgency that its action has, where none was written. */
void bh_load_rule_urgency(struct bh_rule *r);
void bh_load_rule_name(struct bh_load *l, const struct bh_yaml_node *n, struct bh_rule *r);
enum bh_fail bh_load_fail(const struct bh_yaml_node *n, enum bh_fail otherwise);
/* Number of packets; @otherwise where @n is NULL. */
uint16_t bh_load_evidence(const struct bh_yaml_node *n, uint16_t otherwise);
/* load_protocol.c: protocols and notProtocols, and what they have to do with the details that were read */
void bh_load_protocols(struct bh_load *l, const struct bh_got *got, struct bh_rule *r);
/* load_detail.c */
void bh_load_details(struct bh_load *l, const struct bh_got *got, struct bh_rule *r);
/* Values of a list, each held against @check; folded (bh_pattern_fold()) where @fold. */
void bh_load_values(struct bh_load *l, const struct bh_yaml_node *list, const struct bh_field *f,
		    const char *(*check)(const char *), bool fold, struct bh_strlist *ret);
/* load_time.c */
void bh_load_time(struct bh_load *l, const struct bh_yaml_node *n, const char *key, int64_t *ret);
void bh_load_when(struct bh_load *l, const struct bh_yaml_node *n, struct bh_when *w);
void bh_load_promote(struct bh_load *l, const struct bh_yaml_node *n, struct bh_policy *p);

/* load_peer.c */
void bh_load_peers(struct bh_load *l, const struct bh_yaml_node *list, struct bh_rule *r);
bool bh_load_prefix(struct bh_load *l, const struct bh_yaml_node *n, struct bh_prefix *ret);
/* load_selector.c */
void bh_load_selector(struct bh_load *l, const struct bh_yaml_node *n, struct bh_selector *s);
/* The same one step further, @key; nothing where @n is NULL. @ret_has: it was there; may be NULL. */
void bh_load_selector_at(struct bh_load *l, const char *key, const struct bh_yaml_node *n,
			 bool *ret_has, struct bh_selector *s);

/* load_port.c */
void bh_load_ports(struct bh_load *l, const struct bh_yaml_node *list, struct bh_rule *r);
/* Complains (e6) about what is not in 1-65535; false then. */
bool bh_load_port_number(struct bh_load *l, const struct bh_yaml_node *n, int64_t v, uint16_t *ret);
/* The name of a port of the destination; complains (e6). */
void bh_load_port_name(struct bh_load *l, const struct bh_yaml_node *n, const char *name,
		       struct bh_port *p);
uint8_t bh_load_l4(const struct bh_yaml_node *n); /* TCP where @n is NULL */
/* load_icmp.c: appends to the ports */
void bh_load_icmp(struct bh_load *l, const struct bh_yaml_node *list, struct bh_rule *r);

/* load_object.c */
void bh_load_namespace(struct bh_load *l, const struct bh_yaml_node *root);
void bh_load_endpoint(struct bh_load *l, const struct bh_yaml_node *root);
void bh_load_node(struct bh_load *l, const struct bh_yaml_node *root);
/*
 * Name and namespace of the object (@ret_ns NULL: the kind has none); @labels may be NULL: then they are checked and
 * forgotten.
 */
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
