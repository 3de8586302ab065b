// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/agent_endpoints.c - what the agent does for an endpoint: adopt, release, watch its link, forget
 */
#include <string.h>
#include <sys/epoll.h>

#include "agent/agent.h"
#include "agent/attachment.h"
#include "agent/bridgecheck.h"
#include "common/log.h"
#include "common/util.h"

#include "common/banned.h"

#define GRACE_MS 5000

bool bh_agent_ep_enforced(const struct bh_agent *a, const struct bh_ep *ep)
{
	const struct bh_generation *g = a->rc ? bh_reconcile_enforced(a->rc) : NULL;

	if (!g || !ep->labels_final)
		return false;
	for (size_t i = 0; i < ep->e->n_addrs; i++) {
		if (bh_generation_local(g, &ep->e->addrs[i]) != ep)
			return false;
	}
	return true;
}

static void flush_conntrack(struct bh_agent *a, const struct bh_ep *ep)
{
	for (size_t i = 0; i < ep->e->n_addrs; i++) {
		char text[BH_ADDR_STRLEN];
		struct bh_err err = { 0 };
		int r = bh_kernel_flush_conntrack(a->kernel, &ep->e->addrs[i], &err);

		if (r < 0)
			bh_warning("conntrack entries of %s stay: %s",
				   bh_addr_format(&ep->e->addrs[i], text), bh_err_text(&err, r));
	}
}

static int release_one(struct bh_agent *a, struct bh_ep *ep, struct bh_err *err)
{
	struct bh_host_link link = { .group = 0 };
	int r;

	if (ep->host_index) {
		r = bh_rtnl_link_get(a->rtnl, ep->host_index, NULL, &link, err);
		/* The guard knows a link by its group; of links that others made, one that is in nobody's is taken. */
		if (r == 0 && (link.group == BH_GROUP_QUARANTINE || link.group == 0)) {
			r = bh_rtnl_link_set_group(a->rtnl, ep->host_index, BH_GROUP_MANAGED, err);
			link.group = BH_GROUP_MANAGED;
		}
		if (r < 0)
			return r;
	}
	ep->unguarded = ep->host_index == 0 || link.group != BH_GROUP_MANAGED;
	ep->released = true;
	return 0;
}

int bh_agent_release(struct bh_agent *a, struct bh_ep *ep, struct bh_err *err)
{
	int r;

	if (ep->released)
		return 0;
	if (!bh_agent_ep_enforced(a, ep))
		return bh_err_set(err, -EAGAIN, "its policy is not yet in force");
	r = release_one(a, ep, err);
	if (r == -ENODEV && ep->gone == 0)
		ep->gone = bh_clock_now();
	return r;
}

void bh_agent_release_all(struct bh_agent *a)
{
	if (a->all_released)
		return;
	a->all_released = true;
	for (struct bh_ep *ep = bh_endpoints_first(a->eps); ep; ep = bh_endpoints_next(ep)) {
		struct bh_err err = { 0 };
		int r;

		if (ep->released || ep->gone || !ep->labels_final)
			continue;
		r = bh_agent_release(a, ep, &err);
		if (r == 0)
			continue;
		a->all_released = false;
		bh_warning("'%s' stays in quarantine: %s", ep->e->name, bh_err_text(&err, r));
	}
}

/* The pass that takes it out of the kernel's sets is yet to come: that one says farewell. */
static bool still_enforced(const struct bh_agent *a, const struct bh_ep *ep)
{
	const struct bh_generation *g = bh_reconcile_enforced(a->rc);

	return g && bh_generation_local(g, &ep->e->addrs[0]) == ep;
}

void bh_agent_forget(struct bh_agent *a, struct bh_ep *ep)
{
	struct bh_ep **leaving;

	if (!ep->member)
		return;
	leaving = reallocarray(a->leaving, a->n_leaving + 1, sizeof(struct bh_ep *));
	if (leaving) {
		/* Its connections end when its addresses have left the kernel's sets. */
		a->leaving = leaving;
		a->leaving[a->n_leaving++] = bh_ep_ref(ep);
	}
	bh_endpoints_remove(a->eps, ep);
	if (a->rc)
		bh_reconcile_soon(a->rc);
}

void bh_agent_forgotten(struct bh_agent *a)
{
	if (a->n_leaving > 0)
		(void)bh_timer_set(a->farewell, 0, 0);
}

/* One each round: a walk through the connections takes milliseconds, and others wait for the loop. */
int bh_agent_farewell(struct bh_source *s, void *arg)
{
	struct bh_agent *a = arg;
	struct bh_addr addr;
	struct bh_ep *ep;
	size_t i = 0;

	while (i < a->n_leaving && still_enforced(a, a->leaving[i]))
		i++;
	if (i == a->n_leaving)
		return 0;
	ep = a->leaving[i];
	a->leaving[i] = a->leaving[--a->n_leaving];
	/* Not of addresses that somebody else has by now: his are judged anew in any case. */
	if (!bh_endpoints_conflict(a->eps, ep, &addr))
		flush_conntrack(a, ep);
	bh_ep_unref(ep);
	if (a->n_leaving > 0)
		(void)bh_timer_set(s, 0, 0);
	return 0;
}

/* ---- links ---- */

static void link_gone(void *arg, unsigned index)
{
	struct bh_agent *a = arg;
	struct bh_ep *ep = bh_endpoints_by_link(a->eps, index);

	if (ep && ep->gone == 0) {
		bh_info("the link '%s' of '%s' vanished", ep->host_if, ep->e->name);
		ep->gone = bh_clock_now();
	}
}

static void look_at_all_links(struct bh_agent *a)
{
	for (struct bh_ep *ep = bh_endpoints_first(a->eps); ep; ep = bh_endpoints_next(ep)) {
		struct bh_host_link link;

		if (ep->host_index && ep->gone == 0 &&
		    bh_rtnl_link_get(a->rtnl, ep->host_index, NULL, &link, NULL) == -ENODEV)
			ep->gone = bh_clock_now();
	}
}

static int on_links(struct bh_source *s, int fd, uint32_t events, void *arg)
{
	struct bh_agent *a = arg;
	bool lost = false;
	int r = bh_rtnl_monitor_read(a->rtnl, link_gone, a, &lost);

	if (r < 0)
		bh_warning("cannot hear of links that vanish: %s", strerrordesc_np(-r));
	if (lost || r < 0)
		look_at_all_links(a);
	bh_bridgecheck_due(a->bridges);
	return 0;
}

int bh_agent_watch_links(struct bh_agent *a, struct bh_err *err)
{
	int r = bh_loop_add_io(a->loop, "links", bh_rtnl_monitor_fd(a->rtnl), EPOLLIN, on_links, a,
			       &a->links);

	return r < 0 ? bh_err_set(err, r, "links: %s", strerrordesc_np(-r)) : 0;
}

void bh_agent_bury(struct bh_agent *a, bh_msec_t now)
{
	struct bh_ep *next;

	for (struct bh_ep *ep = bh_endpoints_first(a->eps); ep; ep = next) {
		next = bh_endpoints_next(ep);
		if (ep->gone == 0 || now - ep->gone < GRACE_MS)
			continue;
		bh_notice("endpoint '%s' is removed: its link vanished and no DEL came",
			  ep->e->name);
		bh_agent_forget(a, ep);
	}
}

/* ---- start ---- */

static void adopt_one(void *arg, struct bh_ep *ep)
{
	struct bh_agent *a = arg;
	struct bh_host_link link = { 0 };
	struct bh_addr addr;
	struct bh_ep *other;
	bool ours;

	if (ep->host_index) {
		int r = bh_rtnl_link_get(a->rtnl, ep->host_index, NULL, &link, NULL);

		ours = link.group == BH_GROUP_QUARANTINE || link.group == BH_GROUP_MANAGED;
		/* One that was renamed is still known by its group. */
		if (r < 0 || (strcmp(link.name, ep->host_if) != 0 && !ours)) {
			bh_info("the link of '%s' is gone, so is the endpoint", ep->e->name);
			return;
		}
		/* What was released before is not to lose its connections now. */
		ep->fresh = link.group == BH_GROUP_QUARANTINE;
	} else {
		ep->fresh = false;
	}
	other = bh_endpoints_conflict(a->eps, ep, &addr);
	if (other) {
		char text[BH_ADDR_STRLEN];

		bh_warning("'%s' and '%s' have the same address %s: the second is left out and "
			   "stays cut off",
			   other->e->name, ep->e->name, bh_addr_format(&addr, text));
		return;
	}
	if (bh_endpoints_put(a->eps, ep) < 0)
		bh_error("out of memory: '%s' is left out", ep->e->name);
}

void bh_agent_adopt(struct bh_agent *a)
{
	int n = bh_attachments_load(a->cfg.run_dir, a->cfg.node_name, adopt_one, a);

	if (n < 0)
		bh_warning("cannot read who exists in '%s/attachments': %s", a->cfg.run_dir,
			   strerrordesc_np(-n));
	else if (n > 0)
		bh_info("%d endpoints taken over", n);
}
