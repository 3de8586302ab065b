/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/args.h - the environment of a call: CNI_COMMAND and its companions, checked
 *
 * Thread-safety: reads the environment; call before any thread is made.
 */
#ifndef BH_CNI_ARGS_H
#define BH_CNI_ARGS_H

#include "cni/error.h"

#include <stdbool.h>
#include <stddef.h>

enum bh_cni_verb {
	BH_CNI_VERB_INVALID = 0,
	BH_CNI_ADD,
	BH_CNI_DEL,
	BH_CNI_CHECK,
	BH_CNI_STATUS,
	BH_CNI_GC,
	BH_CNI_VERSION_VERB,
	BH_CNI_VERB_COUNT,
};

struct bh_cni_pair {
	const char *key; /* not empty */
	const char *value;
};

struct bh_cni_args {
	enum bh_cni_verb verb;
	/* Borrowed from the environment; NULL when missing or empty. */
	const char *container_id;
	const char *netns;
	const char *ifname;
	/* CNI_ARGS. The strings point into @text. */
	struct bh_cni_pair *pairs;
	size_t n_pairs;
	char *text;
};

/*
 * Reads and checks what the verb needs. Names every missing variable in one message. A pair of CNI_ARGS
 * without "=" is an error, but not for DEL, which must not fail for it.
 */
enum bh_cni_code bh_cni_args_read(struct bh_cni_args *ret, struct bh_cni_error *e);
void bh_cni_args_done(struct bh_cni_args *a);
/* The last value of @key in CNI_ARGS, NULL if there is none; borrowed. */
const char *bh_cni_args_get(const struct bh_cni_args *a, const char *key);
/* Container ids and network names: a letter or digit, then letters, digits, "_", "." and "-". */
bool bh_cni_name_ok(const char *s);
/* 1-15 bytes, not "." or "..", no "/", ":" or white space. */
bool bh_cni_ifname_ok(const char *s);

#endif
