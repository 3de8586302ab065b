/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dataplane/worker/link.h - the worker's side of its connection to the agent
 *
 * Listens, talks to one agent at a time (a new one replaces the old), and keeps the findings until an agent
 * has acknowledged them. Registers its descriptors in the epoll descriptor it is given, with BH_LINK_LISTEN
 * and BH_LINK_CONN as their data.u32.
 *
 * Thread-safety: a link belongs to one thread.
 */
#ifndef BH_DATAPLANE_WORKER_LINK_H
#define BH_DATAPLANE_WORKER_LINK_H

#include "dataplane/worker/proto.h"

struct bh_link;

#define BH_LINK_LISTEN 1U
#define BH_LINK_CONN   2U

struct bh_link_ops {
	/* Returns 0 or a negative errno with @err set. The descriptors are closed after the call. */
	int (*rules)(void *arg, int rules_fd, int addrs_fd, struct bh_err *err);
	uint64_t (*revision)(void *arg);
	/* Fills what the link does not know itself. */
	void (*stats)(void *arg, struct bh_worker_stats *ret);
};

struct bh_link_config {
	int listen_fd, queue_fd, epoll_fd; /* borrowed */
	uint16_t queue;
	uint32_t ring;                  /* findings; rounded up to a power of two */
	struct bh_engine_config engine; /* told in HELLO */
};

int bh_link_new(const struct bh_link_config *cfg, const struct bh_link_ops *ops, void *arg,
		struct bh_link **ret, struct bh_err *err) bh_must_check;
struct bh_link *bh_link_free(struct bh_link *l);
BH_DEFINE_CLEANUP(struct bh_link, bh_link_free);

/* Takes whoever waits at the listening socket. */
void bh_link_accept(struct bh_link *l);
/* Reads what the agent sent, and goes on sending. Return: true if the agent said STOP. */
bool bh_link_serve(struct bh_link *l) bh_must_check;
bool bh_link_connected(const struct bh_link *l);

void bh_link_finding(struct bh_link *l, const struct bh_finding *f);
/* Sends the findings that wait, and the statistics when they are due. Return: ms until it should be called again. */
int bh_link_flush(struct bh_link *l, bh_msec_t now);

#endif
