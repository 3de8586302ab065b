// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/endpoints.c - the workloads of this host, as the CNI plugin announced them
 */
#include "agent/endpoints.h"

#include <stdio.h>
#include <string.h>

#include "common/util.h"

#include "common/banned.h"

struct bh_endpoints {
	struct bh_ep *by_key;
	struct bh_ep_addr *by_addr;
	struct bh_ep **changed;
	size_t n_changed, cap_changed;
	bool changes_lost;
};

/* None of the three may hold a control character, so that no two triples make one key. */
static char *make_key(const char *network, const char *id, const char *ifname)
{
	char *key;

	return asprintf(&key, "%s\x1f%s\x1f%s", network, id, ifname) < 0 ? NULL : key;
}

struct bh_ep *bh_ep_new(const char *network, const char *id, const char *ifname)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = calloc(1, sizeof(*ep));

	if (!ep)
		return NULL;
	ep->refs = 1;
	ep->place = BH_EP_NO_PLACE;
	ep->key = make_key(network, id, ifname);
	ep->network = strdup(network);
	ep->id = strdup(id);
	ep->ifname = strdup(ifname);
	if (!ep->key || !ep->network || !ep->id || !ep->ifname)
		return NULL;
	return bh_take_ptr(&ep);
}

struct bh_ep *bh_ep_ref(struct bh_ep *ep)
{
	ep->refs++;
	return ep;
}

struct bh_ep *bh_ep_unref(struct bh_ep *ep)
{
	if (!ep || --ep->refs > 0)
		return NULL;
	if (ep->e)
		bh_endpoint_free(ep->e);
	free(ep->key);
	free(ep->network);
	free(ep->id);
	free(ep->ifname);
	free(ep->host_if);
	free(ep);
	return NULL;
}

int bh_endpoints_new(struct bh_endpoints **ret)
{
	struct bh_endpoints *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	*ret = s;
	return 0;
}

struct bh_endpoints *bh_endpoints_free(struct bh_endpoints *s)
{
	if (!s)
		return NULL;
	while (s->by_key)
		bh_endpoints_remove(s, s->by_key);
	for (size_t i = 0; i < s->n_changed; i++)
		bh_ep_unref(s->changed[i]);
	free(s->changed);
	free(s);
	return NULL;
}

/* ---- addresses ---- */

/* Two members never have one address: agent/cni_server.c and the adoption see to it. The last one wins here. */
static int enter_addrs(struct bh_endpoints *s, struct bh_ep *ep)
{
	size_t n = ep->e->n_addrs;

	ep->addrs = calloc(n + 1, sizeof(*ep->addrs));
	if (!ep->addrs)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct bh_ep_addr *old = NULL, *a = &ep->addrs[i];

		a->addr = ep->e->addrs[i];
		a->ep = ep;
		HASH_FIND(hh, s->by_addr, &a->addr, sizeof(a->addr), old);
		if (old) {
			HASH_DEL(s->by_addr, old);
			old->ep = NULL;
		}
		HASH_ADD(hh, s->by_addr, addr, sizeof(a->addr), a);
		if (!a->hh.tbl) {
			a->ep = NULL;
			return -ENOMEM;
		}
	}
	return 0;
}

static void leave_addrs(struct bh_endpoints *s, struct bh_ep *ep)
{
	for (size_t i = 0; ep->addrs && i < ep->e->n_addrs; i++)
		if (ep->addrs[i].ep)
			HASH_DEL(s->by_addr, &ep->addrs[i]);
	free(bh_take_ptr(&ep->addrs));
}

/* ---- changes ---- */

static void note_change(struct bh_endpoints *s, struct bh_ep *ep)
{
	if (s->changes_lost)
		return;
	if (s->n_changed == s->cap_changed) {
		size_t cap = s->cap_changed ? s->cap_changed * 2 : 16;
		struct bh_ep **changed = reallocarray(s->changed, cap, sizeof(struct bh_ep *));

		if (!changed) {
			s->changes_lost = true;
			return;
		}
		s->changed = changed;
		s->cap_changed = cap;
	}
	s->changed[s->n_changed++] = bh_ep_ref(ep);
}

bool bh_endpoints_take_changes(struct bh_endpoints *s, struct bh_ep ***ret, size_t *ret_n)
{
	bool known = !s->changes_lost;

	*ret = s->changed;
	*ret_n = s->n_changed;
	s->changed = NULL;
	s->n_changed = s->cap_changed = 0;
	s->changes_lost = false;
	return known;
}

void bh_endpoints_remove(struct bh_endpoints *s, struct bh_ep *ep)
{
	if (!ep->member)
		return;
	HASH_DEL(s->by_key, ep);
	leave_addrs(s, ep);
	note_change(s, ep);
	ep->member = false;
	bh_ep_unref(ep);
}

static struct bh_ep *find_key(const struct bh_endpoints *s, const char *key)
{
	struct bh_ep *ep = NULL;

	HASH_FIND(hh, s->by_key, key, strlen(key), ep);
	return ep;
}

int bh_endpoints_put(struct bh_endpoints *s, struct bh_ep *ep)
{
	struct bh_ep *old = find_key(s, ep->key);

	if (old == ep)
		return 0;
	if (old)
		bh_endpoints_remove(s, old);
	ep->hh.tbl = NULL; /* it may have been a member before */
	if (enter_addrs(s, ep) == 0)
		HASH_ADD_KEYPTR(hh, s->by_key, ep->key, strlen(ep->key), ep);
	if (!ep->hh.tbl) {
		leave_addrs(s, ep);
		return -ENOMEM;
	}
	ep->member = true;
	bh_ep_ref(ep);
	note_change(s, ep);
	return 0;
}

struct bh_ep *bh_endpoints_find(const struct bh_endpoints *s, const char *network, const char *id,
				const char *ifname)
{
	bh_autofree char *key = make_key(network, id, ifname);

	return key ? find_key(s, key) : NULL;
}

struct bh_ep *bh_endpoints_by_link(const struct bh_endpoints *s, unsigned index)
{
	for (struct bh_ep *ep = s->by_key; ep; ep = ep->hh.next)
		if (index != 0 && ep->host_index == index)
			return ep;
	return NULL;
}

struct bh_ep *bh_endpoints_conflict(const struct bh_endpoints *s, const struct bh_ep *ep,
				    struct bh_addr *ret_addr)
{
	for (size_t i = 0; i < ep->e->n_addrs; i++) {
		const struct bh_addr *a = &ep->e->addrs[i];
		struct bh_ep_addr *found = NULL;

		HASH_FIND(hh, s->by_addr, a, sizeof(*a), found);
		if (!found || found->ep == ep || strcmp(found->ep->key, ep->key) == 0)
			continue;
		*ret_addr = *a;
		return found->ep;
	}
	return NULL;
}

size_t bh_endpoints_count(const struct bh_endpoints *s)
{
	return HASH_COUNT(s->by_key);
}

struct bh_ep *bh_endpoints_first(const struct bh_endpoints *s)
{
	return s->by_key;
}
