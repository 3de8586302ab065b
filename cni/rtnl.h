/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/rtnl.h - links, addresses, routes and neighbours, in the words the plugin needs
 *
 * Messages are built by libnl-route and sent here, so that the kernel's own explanation of a refusal
 * (extended acknowledgement) reaches the user. A socket belongs to the network namespace it was made in, also
 * after the thread has moved on. Every change says what it was about when it fails.
 *
 * Thread-safety: a socket belongs to one thread.
 */
#ifndef BH_CNI_RTNL_H
#define BH_CNI_RTNL_H

#include "common/addr.h"
#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

struct nl_sock;

/* Link groups: the base table drops what comes from or goes to the first. */
#define BH_GROUP_QUARANTINE 0x42480001U
#define BH_GROUP_MANAGED    0x42480002U

/* In the present network namespace. */
int bh_rtnl_open(struct nl_sock **ret, struct bh_err *err) bh_must_check;
void bh_rtnl_closep(struct nl_sock **sk);

struct bh_veth {
	const char *host_name;
	const char *cont_name;
	int cont_netns_fd;
	uint8_t host_mac[6];
	uint8_t cont_mac[6];
	uint32_t mtu;
};
/* Down, the host's end in the quarantine group, the other one in its namespace from the start. */
int bh_rtnl_veth_add(struct nl_sock *sk, const struct bh_veth *v, struct bh_err *err) bh_must_check;

struct bh_link {
	uint32_t index;
	uint32_t group;
	uint32_t mtu;
	uint32_t peer_index; /* IFLA_LINK; 0: none */
	bool up;
	bool veth;
	uint8_t mac[6];
	char alias[256]; /* "" if there is none */
};
/* -ENODEV: no such link. By @name, or by @index if @name is NULL. */
int bh_rtnl_link_get(struct nl_sock *sk, const char *name, uint32_t index, struct bh_link *ret,
		     struct bh_err *err) bh_must_check;
int bh_rtnl_link_up(struct nl_sock *sk, uint32_t index, const char *alias, struct bh_err *err)
    bh_must_check;
/* -ENODEV: it is gone already. */
int bh_rtnl_link_delete(struct nl_sock *sk, uint32_t index, struct bh_err *err) bh_must_check;

/* With the full prefix length if @len is 0; usable at once (no duplicate address detection). */
int bh_rtnl_addr_add(struct nl_sock *sk, uint32_t index, const struct bh_addr *a, uint8_t len,
		     struct bh_err *err) bh_must_check;
/* -ENOENT: it is not on the link. */
int bh_rtnl_addr_find(struct nl_sock *sk, uint32_t index, const struct bh_addr *a,
		      struct bh_err *err) bh_must_check;
/* Permanent: never asked for, never forgotten. */
int bh_rtnl_neigh_add(struct nl_sock *sk, uint32_t index, const struct bh_addr *a,
		      const uint8_t *mac, struct bh_err *err) bh_must_check;
/* Through @gw, which needs no route of its own, or straight to the link (@gw NULL). -EEXIST. */
int bh_rtnl_route_add(struct nl_sock *sk, uint32_t index, const struct bh_prefix *dst,
		      const struct bh_addr *gw, struct bh_err *err) bh_must_check;
/* -ENOENT: no route to exactly @dst over the link. */
int bh_rtnl_route_find(struct nl_sock *sk, uint32_t index, const struct bh_prefix *dst,
		       struct bh_err *err) bh_must_check;
/* MTU of the device by which the host reaches the rest of the world; 0: it does not. */
uint32_t bh_rtnl_default_mtu(struct nl_sock *sk, int family);

#endif
