// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/guard.c - what a local endpoint may call itself: elements of the guard's sets
 *
 * DOC: What goes where
 *
 * For each interface that leads to a local endpoint, in the tables ip, ip6, arp and bridge:
 *
 *	guard_link		interface
 *	guard_mac		interface . MAC
 *	guard_ip, guard_ip6	interface . MAC . address
 *	guard_linklocal		interface . MAC . the link-local address that this MAC gives
 *
 * Where the MAC is not known (records of an older plugin), zeros stand for it and only the address is bound. Sets of
 * addresses are only in tables that meet such addresses. A routed link has no elements in the table of bridges: if
 * somebody puts it into one, nothing of it passes there.
 *
 * DOC: Changes
 *
 * An endpoint has a dozen elements, and one that comes among 10,000 must not cost the making of 100,000. So the entries
 * are kept, and elements are made only of those that changed. Interfaces are compared as numbers: entries that come in
 * their order give elements in order.
 */
#include "dataplane/kernel/guard.h"

#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/projection_key.h"

#include "common/banned.h"

#define KEY_MAC  4 /* behind the interface; padded to 8 bytes */
#define KEY_ADDR 12

/* The link-local address that a MAC gives (RFC 4291, appendix A). @ret: 16 bytes */
static void link_local(const uint8_t mac[6], uint8_t *ret)
{
	const uint8_t addr[16] = {
		0xfe,          0x80,   0,      0,    0,    0,      0,      0,
		mac[0] ^ 0x02, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]
	};

	memcpy(ret, addr, sizeof(addr));
}

/* Elements of one set in one table. */
struct run {
	struct bh_kelem *v; /* room is there */
	size_t n;
	uint8_t set, family;
};

static void add(struct run *r, const struct bh_guard *g, const uint8_t *addr)
{
	struct bh_kelem *e = &r->v[r->n++];

	*e = (struct bh_kelem){ .set = r->set, .family = r->family };
	e->key_len = (uint8_t)bh_kset_key_len(r->set, r->family);
	memcpy(e->key, &g->ifindex, sizeof(g->ifindex));
	if (r->set != BH_KSET_GUARD_LINK && g->has_mac)
		memcpy(&e->key[KEY_MAC], g->mac, sizeof(g->mac));
	if (addr)
		memcpy(&e->key[KEY_ADDR], addr, e->key_len - KEY_ADDR);
}

static void add_entry(struct run *r, const struct bh_guard *g)
{
	uint8_t family = r->set == BH_KSET_GUARD_IP ? 4 : 6, local[16];

	switch (r->set) {
	case BH_KSET_GUARD_LINK:
	case BH_KSET_GUARD_MAC:
		add(r, g, NULL);
		break;
	case BH_KSET_GUARD_LL:
		link_local(g->mac, local);
		if (g->has_mac)
			add(r, g, local);
		break;
	default:
		for (size_t i = 0; i < g->n_addrs; i++)
			if (g->addrs[i].family == family)
				add(r, g, g->addrs[i].bytes);
		break;
	}
}

static int cmp_elems(const void *a, const void *b)
{
	return bh_kelem_cmp(a, b);
}

static void put_in_order(struct run *r)
{
	size_t i, out = 0;

	for (i = 1; i < r->n; i++)
		if (cmp_elems(&r->v[i - 1], &r->v[i]) >= 0)
			break;
	if (i >= r->n)
		return;
	qsort(r->v, r->n, sizeof(*r->v), cmp_elems);
	for (i = 1; i < r->n; i++)
		if (cmp_elems(&r->v[out], &r->v[i]) != 0)
			r->v[++out] = r->v[i];
	r->n = out + 1;
}

/* All sets of one table, at @to. Return: how many elements */
static size_t add_table(struct bh_kelem *to, uint8_t family, const struct bh_guard *guard, size_t n)
{
	size_t sum = 0;

	for (unsigned s = BH_KSET_GUARD_LINK; s <= BH_KSET_GUARD_LL; s++) {
		struct run r = { .v = &to[sum], .set = (uint8_t)s, .family = family };

		if (!bh_kset_is_in(s, family))
			continue;
		for (size_t i = 0; i < n; i++)
			if (family != BH_FAMILY_BRIDGE || !guard[i].routed)
				add_entry(&r, &guard[i]);
		put_in_order(&r);
		sum += r.n;
	}
	return sum;
}

static int check(const struct bh_guard *guard, size_t n, size_t *ret_addrs)
{
	*ret_addrs = 0;
	for (size_t i = 0; i < n; i++) {
		if (guard[i].ifindex == 0)
			return -EPROTO;
		for (size_t k = 0; k < guard[i].n_addrs; k++)
			if (guard[i].addrs[k].family != 4 && guard[i].addrs[k].family != 6)
				return -EPROTO;
		*ret_addrs += guard[i].n_addrs;
	}
	return 0;
}

int bh_guard_elems(const struct bh_guard *guard, size_t n, const struct bh_kernel_caps *caps,
		   struct bh_projection *ret)
{
	const uint8_t families[] = { 4, 6, caps->arp ? BH_FAMILY_ARP : 0,
				     caps->bridge ? BH_FAMILY_BRIDGE : 0 };
	struct bh_projection p = { .n = 0 };
	size_t n_addrs;
	int r = check(guard, n, &n_addrs);

	if (r < 0)
		return r;
	/* Interface, MAC and link-local address in each of four tables; an address is in three at most. */
	p.elems = calloc(12 * n + 3 * n_addrs + 1, sizeof(*p.elems));
	if (!p.elems)
		return -ENOMEM;
	for (size_t i = 0; i < BH_ARRAY_SIZE(families); i++)
		if (families[i])
			p.n += add_table(&p.elems[p.n], families[i], guard, n);
	*ret = p;
	return 0;
}

/* ---- what is held ---- */

static int cmp_entries(const void *a, const void *b)
{
	const struct bh_guard *x = a, *y = b;

	return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

int bh_guard_hold(const struct bh_guard *guard, size_t n, struct bh_guard_held *ret)
{
	struct bh_guard_held h = { .n = n };
	bool in_order = true;
	size_t n_addrs, at = 0;
	int r = check(guard, n, &n_addrs);

	if (r < 0)
		return r;
	h.v = calloc(n + 1, sizeof(*h.v));
	h.addrs = calloc(n_addrs + 1, sizeof(*h.addrs));
	if (!h.v || !h.addrs) {
		bh_guard_held_done(&h);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		h.v[i] = guard[i];
		h.v[i].addrs = &h.addrs[at];
		if (guard[i].n_addrs > 0)
			memcpy(&h.addrs[at], guard[i].addrs, guard[i].n_addrs * sizeof(*h.addrs));
		at += guard[i].n_addrs;
		in_order = in_order && (i == 0 || guard[i - 1].ifindex <= guard[i].ifindex);
	}
	if (!in_order)
		qsort(h.v, n, sizeof(*h.v), cmp_entries);
	*ret = h;
	return 0;
}

int bh_guard_take(struct bh_projection *p, struct bh_guard_held *ret)
{
	struct bh_guard_held h = { .found = true };
	size_t out = 0;

	h.elems.elems = calloc(p->n + 1, sizeof(*h.elems.elems));
	if (!h.elems.elems)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++) {
		if (bh_kset_is_guard(p->elems[i].set))
			h.elems.elems[h.elems.n++] = p->elems[i];
		else
			p->elems[out++] = p->elems[i];
	}
	p->n = out;
	*ret = h;
	return 0;
}

void bh_guard_held_done(struct bh_guard_held *h)
{
	free(h->v);
	free(h->addrs);
	bh_projection_done(&h->elems);
	*h = (struct bh_guard_held){ .n = 0 };
}

int bh_guard_held_elems(const struct bh_guard_held *h, const struct bh_kernel_caps *caps,
			struct bh_projection *ret)
{
	struct bh_projection p = { .n = h->elems.n };

	if (!h->found)
		return bh_guard_elems(h->v, h->n, caps, ret);
	p.elems = calloc(p.n + 1, sizeof(*p.elems));
	if (!p.elems)
		return -ENOMEM;
	if (p.n > 0)
		memcpy(p.elems, h->elems.elems, p.n * sizeof(*p.elems));
	*ret = p;
	return 0;
}

static bool same_entry(const struct bh_guard *a, const struct bh_guard *b)
{
	if (a->has_mac != b->has_mac || a->routed != b->routed || a->n_addrs != b->n_addrs ||
	    memcmp(a->mac, b->mac, sizeof(a->mac)) != 0)
		return false;
	for (size_t i = 0; i < a->n_addrs; i++)
		if (!bh_addr_eq(&a->addrs[i], &b->addrs[i]))
			return false;
	return true;
}

/* Entries of one interface, from @i on. */
static size_t group(const struct bh_guard_held *h, size_t i, uint32_t ifindex)
{
	size_t n = 0;

	while (i + n < h->n && h->v[i + n].ifindex == ifindex)
		n++;
	return n;
}

static bool same_group(const struct bh_guard *a, size_t n_a, const struct bh_guard *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!same_entry(&a[i], &b[i]))
			return false;
	return true;
}

/* The entries of interfaces that are not the same in both. @from, @to: room for all. */
static void differing(const struct bh_guard_held *a, const struct bh_guard_held *b,
		      struct bh_guard *from, size_t *n_from, struct bh_guard *to, size_t *n_to)
{
	size_t i = 0, k = 0;

	*n_from = *n_to = 0;
	while (i < a->n || k < b->n) {
		uint32_t next = i == a->n                           ? b->v[k].ifindex
				: k == b->n                         ? a->v[i].ifindex
				: a->v[i].ifindex < b->v[k].ifindex ? a->v[i].ifindex
								    : b->v[k].ifindex;
		size_t n_a = group(a, i, next), n_b = group(b, k, next);

		if (!same_group(&a->v[i], n_a, &b->v[k], n_b)) {
			memcpy(&from[*n_from], &a->v[i], n_a * sizeof(*from));
			memcpy(&to[*n_to], &b->v[k], n_b * sizeof(*to));
			*n_from += n_a;
			*n_to += n_b;
		}
		i += n_a;
		k += n_b;
	}
}

int bh_guard_diff(const struct bh_guard_held *from, const struct bh_guard_held *to,
		  const struct bh_kernel_caps *caps, struct bh_projection *ret_from,
		  struct bh_projection *ret_to)
{
	bh_autofree struct bh_guard *old = NULL, *new = NULL;
	size_t n_old = from->n, n_new = to->n;
	int r;

	*ret_from = *ret_to = (struct bh_projection){ .n = 0 };
	if (from->found) {
		r = bh_guard_held_elems(from, caps, ret_from);
		return r < 0 ? r : bh_guard_held_elems(to, caps, ret_to);
	}
	old = calloc(n_old + 1, sizeof(*old));
	new = calloc(n_new + 1, sizeof(*new));
	if (!old || !new)
		return -ENOMEM;
	differing(from, to, old, &n_old, new, &n_new);
	r = bh_guard_elems(old, n_old, caps, ret_from);
	return r < 0 ? r : bh_guard_elems(new, n_new, caps, ret_to);
}
