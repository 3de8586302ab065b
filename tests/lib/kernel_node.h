/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/kernel_node.h - between a container and its node, both ways: what tests of the hooks input and output say most
 *
 * The node is the router, the container its client (tests/lib/kernel_scene.h).
 *
 * Thread-safety: one thread.
 */
#ifndef BH_TESTS_LIB_KERNEL_NODE_H
#define BH_TESTS_LIB_KERNEL_NODE_H

#include "tests/lib/kernel_scene.h"

#define HOST BH_CLASS_HOST

enum { TO_NODE, FROM_NODE };

static const struct side {
	enum netlab_end from, to;
	enum bh_dir dir; /* of the container's policies */
	uint8_t hook;
} sides[] = {
	{ NETLAB_CLIENT, NETLAB_ROUTER, BH_DIR_EGRESS, 1 },
	{ NETLAB_ROUTER, NETLAB_CLIENT, BH_DIR_INGRESS, 3 },
};

#define EACH_SIDE(w) for (const struct side *w = sides; w < sides + 2; w++)

static inline void cell(const struct side *w, uint32_t peer, uint8_t l4, uint32_t port,
			uint32_t word)
{
	hand_cell(s.h, w->dir, CLIENT, peer, l4, port, word);
}

static inline int dial(const struct side *w, uint16_t port, int timeout_ms)
{
	return netlab_connect(w->from, w->to, s.family, SOCK_STREAM, port, timeout_ms);
}

static inline struct conn open_side(const struct side *w, uint16_t port)
{
	struct conn c;

	c.listener = netlab_serve(w->to, s.family, SOCK_STREAM, port);
	c.client = dial(w, port, 2000);
	if (c.client < 0)
		fail_msg("port %u: %s", port, strerror(-c.client));
	c.server = netlab_accept(c.listener, 2000);
	assert_true(c.server >= 0);
	return c;
}

#endif
