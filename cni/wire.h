/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cni/wire.h - the routed veth: what is set up between a container and its host, in which order
 *
 *	container                                   host
 *	eth0  10.88.0.5/32, fd00:88::5/128  <---->  bhk...  fe80::1/64, in the quarantine group
 *	default via 169.254.1.1 onlink              10.88.0.5 dev bhk...
 *	default via fe80::1 onlink                  fd00:88::5 dev bhk...
 *
 * There is no shared segment: every packet of a container passes the host's IP hooks with the container's own
 * veth as its interface. Both ends know each other's MAC by permanent neighbour entries, so no first packet
 * waits for ARP or neighbour discovery; the host also answers for the gateway, for containers that flush them.
 *
 * Thread-safety: wiring moves the calling thread between namespaces and back.
 */
#ifndef BH_CNI_WIRE_H
#define BH_CNI_WIRE_H

#include "cni/attachment.h"
#include "cni/netconf.h"
#include "cni/netns.h"
#include "cni/rtnl.h"

#define BH_GATEWAY_V4 "169.254.1.1"
#define BH_GATEWAY_V6 "fe80::1"

struct bh_wire {
	const struct bh_netconf *conf;
	const struct bh_attachment *at;
	const struct bh_netns *self, *cont;
	struct nl_sock *sk; /* in the host's namespace */
	const struct bh_addr *ips;
	size_t n_ips;
	uint32_t mtu;
	uint8_t host_mac[6], cont_mac[6];
	/* Known when the veth is there. */
	uint32_t host_index, cont_index;
	/* The routes that exist now, for the result. */
	struct bh_prefix *routes; /* owned by the caller of bh_wire_setup(): free() */
	size_t n_routes;
};

/* MTU and MACs; nothing is touched. */
int bh_wire_plan(struct bh_wire *w, struct bh_err *err) bh_must_check;
/* ip_forward of the families in use; says on stderr what it changed. Stays after a failure. */
int bh_wire_forwarding(const struct bh_wire *w, struct bh_err *err) bh_must_check;
/* The veth itself. -EEXIST: a link of that name is there, on either side. */
int bh_wire_make(struct bh_wire *w, struct bh_err *err) bh_must_check;
/* Everything else, up and running, inside the quarantine. */
int bh_wire_setup(struct bh_wire *w, struct bh_err *err) bh_must_check;
/* @p: of the family's default gateway. */
struct bh_addr bh_wire_gateway(int family);
/* Every address, also 0.0.0.0/0 and ::/0: the default route of @family. */
struct bh_prefix bh_wire_default(int family);

/**
 * bh_wire_delete() - Delete the host's end of an attachment, and so both
 *
 * Only a veth with the attachment's name and alias, or in quarantine without an alias (its ADD was killed
 * between two messages), is ours.
 *
 * Return: 0 also if there is none, -EPERM if the link of that name is not ours
 */
int bh_wire_delete(struct nl_sock *sk, const struct bh_attachment *at, struct bh_err *err)
    bh_must_check;
/* The host's end. -ENODEV: none. -EPERM: the link of that name is not ours. */
int bh_wire_find(struct nl_sock *sk, const struct bh_attachment *at, struct bh_link *ret,
		 struct bh_err *err) bh_must_check;

#endif
