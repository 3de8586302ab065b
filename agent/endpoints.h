/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * agent/endpoints.h - the workloads of this host, as the CNI plugin announced them
 *
 * A record is made once (agent/attachment.h) and never changed in what selectors see: an ADD that comes again makes a
 * new one. Records are counted, because violations are named after the endpoints of the revision in which
 * they happened, which may be gone by then. Endpoints of other hosts come from Endpoint manifests and are
 * not kept here.
 *
 * Thread-safety: the main thread.
 */
#ifndef BH_AGENT_ENDPOINTS_H
#define BH_AGENT_ENDPOINTS_H

#include "common/clock.h"
#include "common/map.h"
#include "policy/model.h"

#define BH_GROUP_QUARANTINE 0x42480001U
#define BH_GROUP_MANAGED    0x42480002U

struct bh_ep;

/* An address of a member, to be found by it. */
struct bh_ep_addr {
	UT_hash_handle hh;
	struct bh_addr addr;
	struct bh_ep *ep;
};

struct bh_ep {
	unsigned refs;
	UT_hash_handle hh; /* by key */

	/* Immutable. */
	char *key; /* network, id, interface */
	struct bh_endpoint *e;
	char *network, *id, *ifname;
	char *host_if;       /* the host's end; NULL: the plugin named none */
	unsigned host_index; /* 0: none */
	uint8_t mac[6];      /* of the container's end */
	bool has_mac;        /* false: the record does not say */
	bool routed;         /* its link was made by our plugin: no port of a bridge */
	bool labels_final;   /* false: an engine has yet to say who this is */

	/* Main thread. */
	uint32_t place;           /* in the newest roster (agent/builder.c) */
	struct bh_ep_addr *addrs; /* of e->n_addrs; NULL: not in the list */
	bool member;              /* in the list of endpoints now */
	bool fresh;               /* connections of its addresses may be older than it */
	bool released;            /* its link has left the quarantine */
	bool
	    unguarded; /* its link is in somebody's group, or not known: the guard does not see it */
	bh_msec_t gone; /* its link vanished then; 0: it is there */
};

#define BH_EP_NO_PLACE UINT32_MAX

struct bh_ep *bh_ep_new(const char *network, const char *id, const char *ifname);
struct bh_ep *bh_ep_ref(struct bh_ep *ep);
struct bh_ep *bh_ep_unref(struct bh_ep *ep);
BH_DEFINE_CLEANUP(struct bh_ep, bh_ep_unref);

struct bh_endpoints;

int bh_endpoints_new(struct bh_endpoints **ret);
struct bh_endpoints *bh_endpoints_free(struct bh_endpoints *s);
BH_DEFINE_CLEANUP(struct bh_endpoints, bh_endpoints_free);

/* Adds a reference of its own; replaces the record of the same key. -ENOMEM. */
int bh_endpoints_put(struct bh_endpoints *s, struct bh_ep *ep) bh_must_check;
/* Exactly this record leaves the list (not a later one of the same key). */
void bh_endpoints_remove(struct bh_endpoints *s, struct bh_ep *ep);
/* Borrowed; NULL if there is none. */
struct bh_ep *bh_endpoints_find(const struct bh_endpoints *s, const char *network, const char *id,
				const char *ifname);
struct bh_ep *bh_endpoints_by_link(const struct bh_endpoints *s, unsigned index);
/* Another endpoint than @ep that has one of its addresses. */
struct bh_ep *bh_endpoints_conflict(const struct bh_endpoints *s, const struct bh_ep *ep,
				    struct bh_addr *ret_addr);
/*
 * Who came or went since the last call: *@ret of them, each with a reference that is handed over (and a member or
 * not, as it is now). false: not known, everybody has to be looked at.
 */
bool bh_endpoints_take_changes(struct bh_endpoints *s, struct bh_ep ***ret, size_t *ret_n);
size_t bh_endpoints_count(const struct bh_endpoints *s);
/* The first, the one after; NULL at the end. In the order in which they came. */
struct bh_ep *bh_endpoints_first(const struct bh_endpoints *s);
static inline struct bh_ep *bh_endpoints_next(const struct bh_ep *ep)
{
	return ep->hh.next;
}

#endif
