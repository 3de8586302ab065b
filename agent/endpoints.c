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
	free(s);
	return NULL;
}

void bh_endpoints_remove(struct bh_endpoints *s, struct bh_ep *ep)
{
	if (!ep->member)
		return;
	HASH_DEL(s->by_key, ep);
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
	HASH_ADD_KEYPTR(hh, s->by_key, ep->key, strlen(ep->key), ep);
	if (!ep->hh.tbl)
		return -ENOMEM;
	ep->member = true;
	bh_ep_ref(ep);
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

static bool has_addr(const struct bh_endpoint *e, const struct bh_addr *a)
{
	for (size_t i = 0; i < e->n_addrs; i++)
		if (bh_addr_eq(&e->addrs[i], a))
			return true;
	return false;
}

struct bh_ep *bh_endpoints_conflict(const struct bh_endpoints *s, const struct bh_ep *ep,
				    struct bh_addr *ret_addr)
{
	for (struct bh_ep *o = s->by_key; o; o = o->hh.next) {
		if (o == ep || strcmp(o->key, ep->key) == 0)
			continue;
		for (size_t i = 0; i < ep->e->n_addrs; i++) {
			if (has_addr(o->e, &ep->e->addrs[i])) {
				*ret_addr = ep->e->addrs[i];
				return o;
			}
		}
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
