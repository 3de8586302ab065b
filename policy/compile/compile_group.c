/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/compile/compile_group.c - endpoints, their addresses, and groups of those that look the same
 *
 * Endpoints with equal namespace, labels, named ports and hostToContainer are one group: a deployment of a thousand replicas is
 * matched once. An address belongs to one endpoint at a time: a local one before one that is not, then the one that
 * stands later in the list; who else claims it is remembered for when that one goes.
 *
 * What surrounds the endpoints (nodes, ranges, resolvers, names) is copied here, for compile_cidr.c.
 */
#include "common/util.h"
#include "policy/compile/compile_internal.h"

#include <string.h>

#include "common/banned.h"

/* ---- groups ---- */

int bh_port_name_get(struct bh_state *s, const char *name, uint32_t *ret)
{
	int r = bh_grow(&s->names, &s->cap_names, s->port_names.n, sizeof(*s->names));

	return r < 0 ? r : bh_intern(&s->port_names, name, strlen(name), ret);
}

static int resolved_cmp(const void *a, const void *b)
{
	const struct bh_resolved *x = a, *y = b;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	if (x->l4 != y->l4)
		return x->l4 < y->l4 ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

/* Sorted, each once. *@ret: owned by the caller. */
static int ports_of(struct bh_state *s, const struct bh_endpoint *ep, struct bh_resolved **ret,
		    size_t *ret_n)
{
	bh_autofree struct bh_resolved *v = calloc(ep->n_ports + 1, sizeof(*v));
	size_t n = 0, used = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < ep->n_ports; i++) {
		const struct bh_named_port *p = &ep->ports[i];
		int r;

		if (!p->name || !p->port)
			continue;
		r = bh_port_name_get(s, p->name, &v[n].name);
		if (r < 0)
			return r;
		v[n].l4 = p->l4;
		v[n++].port = p->port;
	}
	qsort(v, n, sizeof(*v), resolved_cmp);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || resolved_cmp(&v[i], &v[used - 1]) != 0)
			v[used++] = v[i];
	}
	*ret = bh_take_ptr(&v);
	*ret_n = used;
	return 0;
}

/* The labels, with texts that stand in the key. */
static int labels_from(struct bh_group *g, const char *text, size_t n)
{
	g->labels.items = calloc(n + 1, sizeof(*g->labels.items));
	if (!g->labels.items)
		return -ENOMEM;
	for (g->labels.n = 0; g->labels.n < n; g->labels.n++) {
		struct bh_label *l = &g->labels.items[g->labels.n];

		l->key = (char *)text;
		text += strlen(text) + 1;
		l->value = (char *)text;
		text += strlen(text) + 1;
	}
	return 0;
}

/* Words in front of a group's key: namespace, number of ports, host_judged. */
#define GROUP_HEAD 3U

static int group_begin(struct bh_state *s, uint32_t group, uint32_t ns,
		       const struct bh_endpoint *ep, struct bh_resolved **ports, size_t n_ports)
{
	struct bh_group *g = &s->groups[group];
	const char *key = bh_slot_key(&s->group_keys, group, NULL);
	int r;

	*g = (struct bh_group){ .ns = ns, .vec = BH_NONE, .host_judged = ep->host_judged };
	r = labels_from(g, key + GROUP_HEAD * sizeof(uint32_t) + n_ports * sizeof(**ports),
			ep->labels.n);
	if (r < 0)
		return r;
	g->ports = bh_take_ptr(ports);
	g->n_ports = n_ports;
	for (size_t i = 0; r == 0 && i < n_ports; i++) {
		if (i == 0 || g->ports[i].name != g->ports[i - 1].name)
			r = bh_u32s_add(&s->names[g->ports[i].name].groups, group);
	}
	if (r == 0)
		r = bh_group_index(s, group);
	return r < 0 ? r : bh_group_dirty(s, group);
}

void bh_group_done(struct bh_group *g)
{
	free(g->labels.items);
	free(g->ports);
	bh_u32s_done(&g->label_entries);
	bh_u32s_done(&g->terms);
	bh_u32s_done(&g->addrs);
	*g = (struct bh_group){ .vec = BH_NONE };
}

static int group_get(struct bh_state *s, const struct bh_endpoint *ep, uint32_t *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf key = BH_BUF_INIT;
	bh_autofree struct bh_resolved *ports = NULL;
	uint32_t head[GROUP_HEAD];
	size_t n_ports = 0;
	bool fresh;
	int r = bh_ns_get(s, ep->ns, &head[0]);

	if (r == 0)
		r = ports_of(s, ep, &ports, &n_ports);
	if (r < 0)
		return r;
	head[1] = (uint32_t)n_ports;
	head[2] = ep->host_judged;
	bh_buf_add(&key, head, sizeof(head));
	bh_buf_add(&key, ports, n_ports * sizeof(*ports));
	for (size_t i = 0; i < ep->labels.n; i++) {
		bh_buf_add(&key, ep->labels.items[i].key, strlen(ep->labels.items[i].key) + 1);
		bh_buf_add(&key, ep->labels.items[i].value, strlen(ep->labels.items[i].value) + 1);
	}
	if (bh_buf_failed(&key))
		return -ENOMEM;
	r = bh_slot_get(&s->group_keys, key.data, key.len, ret, &fresh);
	if (r < 0 || !fresh)
		return r;
	r = bh_grow(&s->groups, &s->cap_groups, *ret, sizeof(*s->groups));
	return r < 0 ? r : group_begin(s, *ret, head[0], ep, &ports, n_ports);
}

/* Its addresses have left it. */
static void group_put(struct bh_state *s, uint32_t group)
{
	struct bh_group *g = &s->groups[group];

	if (!bh_slot_put(&s->group_keys, group))
		return;
	bh_group_unindex(s, group);
	for (size_t i = 0; i < g->n_ports; i++)
		bh_u32s_remove(&s->names[g->ports[i].name].groups, group);
	if (g->vec != BH_NONE)
		bh_vec_put(s, g->vec);
	bh_group_done(g);
}

/* ---- addresses ---- */

/* Where @a is in by_addr, or would be. */
static size_t place_of(const struct bh_state *s, const struct bh_addr *a)
{
	size_t lo = 0, hi = s->n_by_addr;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&s->addrs[s->by_addr[mid]].addr, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int addr_get(struct bh_state *s, const struct bh_addr *a, uint32_t *ret)
{
	size_t at = place_of(s, a);
	uint32_t slot;
	int r;

	if (at < s->n_by_addr && bh_addr_eq(&s->addrs[s->by_addr[at]].addr, a)) {
		*ret = s->by_addr[at];
		return 0;
	}
	if (!s->free_addrs.n && s->n_addrs >= BH_CLASS_ENDPOINT)
		return bh_err_set(s->err, -E2BIG, "too many addresses");
	r = bh_grow(&s->by_addr, &s->cap_by_addr, s->n_by_addr, sizeof(*s->by_addr));
	if (r == 0)
		r = bh_grow(&s->addrs, &s->cap_addrs, s->n_addrs, sizeof(*s->addrs));
	if (r < 0)
		return r;
	slot = s->free_addrs.n ? s->free_addrs.v[--s->free_addrs.n] : (uint32_t)s->n_addrs++;
	s->addrs[slot] = (struct bh_caddr){
		.addr = *a,
		.owner = BH_NONE,
		.group = BH_NONE,
		.cset = BH_NONE,
		.cls = BH_NONE,
	};
	memmove(s->by_addr + at + 1, s->by_addr + at, (s->n_by_addr - at) * sizeof(*s->by_addr));
	s->by_addr[at] = slot;
	s->n_by_addr++;
	*ret = slot;
	return 0;
}

int bh_addr_dirty(struct bh_state *s, uint32_t addr)
{
	if (s->addrs[addr].dirty)
		return 0;
	s->addrs[addr].dirty = true;
	return bh_u32s_add(&s->dirty_addrs, addr);
}

static int addr_drop(struct bh_state *s, uint32_t slot)
{
	struct bh_caddr *a = &s->addrs[slot];
	size_t at = place_of(s, &a->addr);
	int r;

	memmove(s->by_addr + at, s->by_addr + at + 1,
		(s->n_by_addr - at - 1) * sizeof(*s->by_addr));
	s->n_by_addr--;
	if (a->group != BH_NONE)
		bh_u32s_remove(&s->groups[a->group].addrs, slot);
	if (a->local)
		s->n_local--;
	r = bh_class_leave(s, slot);
	if (r == 0 && a->cset != BH_NONE)
		r = bh_cset_put(s, a->cset);
	bh_u32s_done(&a->claims);
	*a = (struct bh_caddr){ .owner = BH_NONE };
	return r < 0 ? r : bh_u32s_add(&s->free_addrs, slot);
}

static bool claims_better(const struct bh_state *s, uint32_t a, uint32_t b)
{
	if (s->eps[a].local != s->eps[b].local)
		return s->eps[a].local;
	return a > b;
}

/* Who has it now? */
static int addr_settle(struct bh_state *s, uint32_t slot)
{
	struct bh_caddr *a = &s->addrs[slot];
	uint32_t best = BH_NONE, group;
	bool local;
	int r = 0;

	for (size_t i = 0; i < a->claims.n; i++) {
		uint32_t e = a->claims.v[i];

		if (best == BH_NONE || claims_better(s, e, best))
			best = e;
	}
	if (best == BH_NONE)
		return addr_drop(s, slot);
	group = s->eps[best].group;
	local = s->eps[best].local;
	a->owner = best;
	if (a->group == group && a->local == local)
		return 0;
	if (a->group != group) {
		if (a->group != BH_NONE)
			bh_u32s_remove(&s->groups[a->group].addrs, slot);
		a->group = BH_NONE;
		r = bh_u32s_add(&s->groups[group].addrs, slot);
		if (r < 0)
			return r;
		a->group = group;
	}
	if (a->local != local)
		s->n_local = local ? s->n_local + 1 : s->n_local - 1;
	a->local = local;
	return bh_addr_dirty(s, slot);
}

/* ---- endpoints ---- */

static int claim_all(struct bh_state *s, uint32_t index, const struct bh_endpoint *ep)
{
	struct bh_cep *e = &s->eps[index];

	e->addrs = calloc(ep->n_addrs + 1, sizeof(*e->addrs));
	if (!e->addrs)
		return -ENOMEM;
	for (size_t i = 0; i < ep->n_addrs; i++) {
		struct bh_u32s *claims;
		uint32_t slot = BH_NONE;
		bool have = false;
		int r = addr_get(s, &ep->addrs[i], &slot);

		if (r < 0)
			return r;
		claims = &s->addrs[slot].claims;
		for (size_t k = 0; k < claims->n; k++)
			have |= claims->v[k] == index;
		if (!have) {
			r = bh_u32s_add(claims, index);
			if (r < 0)
				return r;
		}
		e->addrs[e->n_addrs++] = slot;
	}
	return 0;
}

static bool lists(const struct bh_cep *e, uint32_t slot)
{
	for (size_t i = 0; i < e->n_addrs; i++) {
		if (e->addrs[i] == slot)
			return true;
	}
	return false;
}

int bh_endpoint_put(struct bh_state *s, uint32_t index, const struct bh_endpoint *ep)
{
	struct bh_cep old, *e;
	int r;

	if (index >= BH_CLASS_ENDPOINT)
		return bh_err_set(s->err, -E2BIG, "too many endpoints");
	r = bh_grow(&s->eps, &s->cap_eps, index, sizeof(*s->eps));
	if (r < 0)
		return r;
	s->n_eps = BH_MAX(s->n_eps, (size_t)index + 1);
	e = &s->eps[index];
	old = *e;
	*e = (struct bh_cep){ .present = ep != NULL, .local = ep && ep->local };
	if (ep) {
		r = group_get(s, ep, &e->group);
		e->present = r == 0;
	}
	if (r == 0 && ep)
		r = claim_all(s, index, ep);
	for (size_t i = 0; i < old.n_addrs; i++) {
		if (!lists(e, old.addrs[i]))
			bh_u32s_remove(&s->addrs[old.addrs[i]].claims, index);
	}
	for (size_t i = 0; r == 0 && i < e->n_addrs; i++)
		r = addr_settle(s, e->addrs[i]);
	for (size_t i = 0; r == 0 && i < old.n_addrs; i++) {
		/* Listed twice, it may be gone since the first time. */
		if (!lists(e, old.addrs[i]) && s->addrs[old.addrs[i]].addr.family)
			r = addr_settle(s, old.addrs[i]);
	}
	if (r == 0 && old.present)
		group_put(s, old.group);
	free(old.addrs);
	return r;
}

/* ---- surroundings ---- */

static bool nodes_are(const struct bh_state *s, const struct bh_policy_set *set)
{
	if (s->n_nodes != set->n_nodes)
		return false;
	for (size_t i = 0; i < s->n_nodes; i++) {
		const struct bh_node *a = s->nodes[i], *b = set->nodes[i];

		if (!bh_streq(a->name, b->name) || a->n_addrs != b->n_addrs ||
		    a->labels.n != b->labels.n)
			return false;
		for (size_t k = 0; k < a->n_addrs; k++) {
			if (!bh_addr_eq(&a->addrs[k], &b->addrs[k]))
				return false;
		}
		for (size_t k = 0; k < a->labels.n; k++) {
			if (!bh_streq(a->labels.items[k].key, b->labels.items[k].key) ||
			    !bh_streq(a->labels.items[k].value, b->labels.items[k].value))
				return false;
		}
	}
	return true;
}

static struct bh_node *node_copy(const struct bh_node *n)
{
	bh_cleanup(bh_node_freep) struct bh_node *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->name = strdup(n->name);
	c->addrs = calloc(n->n_addrs + 1, sizeof(*c->addrs));
	if (!c->name || !c->addrs)
		return NULL;
	for (; c->n_addrs < n->n_addrs; c->n_addrs++)
		c->addrs[c->n_addrs] = n->addrs[c->n_addrs];
	for (size_t i = 0; i < n->labels.n; i++) {
		if (bh_labels_set(&c->labels, n->labels.items[i].key, n->labels.items[i].value) < 0)
			return NULL;
	}
	return bh_take_ptr(&c);
}

static int nodes_copy(struct bh_state *s, const struct bh_policy_set *set)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		bh_node_free(s->nodes[i]);
	free(s->nodes);
	s->n_nodes = 0;
	s->nodes = calloc(set->n_nodes + 1, sizeof(struct bh_node *));
	if (!s->nodes)
		return -ENOMEM;
	for (; s->n_nodes < set->n_nodes; s->n_nodes++) {
		s->nodes[s->n_nodes] = node_copy(set->nodes[s->n_nodes]);
		if (!s->nodes[s->n_nodes])
			return -ENOMEM;
	}
	return 0;
}

static bool around_is(const struct bh_state *s, const struct bh_surroundings *a)
{
	if (s->n_cluster != a->n_cluster || s->n_resolvers != a->n_resolvers ||
	    s->n_known != a->n_names)
		return false;
	for (size_t i = 0; i < s->n_cluster; i++) {
		if (!bh_addr_eq(&s->cluster[i].addr, &a->cluster[i].addr) ||
		    s->cluster[i].len != a->cluster[i].len)
			return false;
	}
	for (size_t i = 0; i < s->n_resolvers; i++) {
		if (!bh_addr_eq(&s->resolvers[i], &a->resolvers[i]))
			return false;
	}
	for (size_t i = 0; i < s->n_known; i++) {
		if (!bh_streq(s->known[i].name, a->names[i].name) || s->known[i].n != a->names[i].n)
			return false;
		for (size_t k = 0; k < s->known[i].n; k++) {
			if (!bh_addr_eq(&s->known[i].addrs[k], &a->names[i].addrs[k]))
				return false;
		}
	}
	return true;
}

void bh_surroundings_forget(struct bh_state *s)
{
	for (size_t i = 0; i < s->n_known; i++) {
		free((char *)s->known[i].name);
		free((struct bh_addr *)s->known[i].addrs);
	}
	free(s->cluster);
	free(s->resolvers);
	free(s->known);
	s->cluster = NULL;
	s->resolvers = NULL;
	s->known = NULL;
	s->n_cluster = s->n_resolvers = s->n_known = 0;
}

static int around_copy(struct bh_state *s, const struct bh_surroundings *a)
{
	bh_surroundings_forget(s);
	s->cluster = calloc(a->n_cluster + 1, sizeof(*s->cluster));
	s->resolvers = calloc(a->n_resolvers + 1, sizeof(*s->resolvers));
	s->known = calloc(a->n_names + 1, sizeof(*s->known));
	if (!s->cluster || !s->resolvers || !s->known)
		return -ENOMEM;
	for (; s->n_cluster < a->n_cluster; s->n_cluster++)
		s->cluster[s->n_cluster] = a->cluster[s->n_cluster];
	for (; s->n_resolvers < a->n_resolvers; s->n_resolvers++)
		s->resolvers[s->n_resolvers] = a->resolvers[s->n_resolvers];
	for (size_t i = 0; i < a->n_names; i++) {
		struct bh_addr *addrs = calloc(a->names[i].n + 1, sizeof(*addrs));
		char *name = strdup(a->names[i].name);

		if (!addrs || !name) {
			free(addrs);
			free(name);
			return -ENOMEM;
		}
		for (size_t k = 0; k < a->names[i].n; k++)
			addrs[k] = a->names[i].addrs[k];
		s->known[s->n_known++] = (struct bh_known_name){ name, addrs, a->names[i].n };
	}
	return 0;
}

int bh_surroundings_apply(struct bh_state *s, const struct bh_policy_set *set,
			  const struct bh_surroundings *around)
{
	static const struct bh_surroundings nothing;
	int r = 0;

	if (!around)
		around = &nothing;
	if (!nodes_are(s, set)) {
		s->pieces_dirty = true;
		r = nodes_copy(s, set);
	}
	if (r == 0 && !around_is(s, around)) {
		s->pieces_dirty = true;
		r = around_copy(s, around);
	}
	return r;
}
