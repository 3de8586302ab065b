/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/netns.h - network namespaces as descriptors
 *
 * Thread-safety: bh_netns_enter() moves the calling thread; the rest holds no state.
 */
#ifndef BH_CNI_NETNS_H
#define BH_CNI_NETNS_H

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

struct bh_netns {
	int fd; /* -1: none */
	uint64_t dev;
	uint64_t ino;
};
#define BH_NETNS_INIT    \
	{                \
		.fd = -1 \
	}

/**
 * bh_netns_open() - Open what CNI_NETNS names and make sure that it is a network namespace
 * @ret:	Release with bh_netns_done()
 *
 * Return: 0, -ENOENT no such file, -EINVAL something else than a network namespace, errno of open(2)
 */
int bh_netns_open(const char *path, struct bh_netns *ret, struct bh_err *err) bh_must_check;
/* The one the calling thread is in. */
int bh_netns_self(struct bh_netns *ret, struct bh_err *err) bh_must_check;
void bh_netns_done(struct bh_netns *n);
static inline bool bh_netns_same(const struct bh_netns *a, const struct bh_netns *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}
int bh_netns_enter(const struct bh_netns *n, struct bh_err *err) bh_must_check;

#endif
