// SPDX-License-Identifier: GPL-3.0-or-later
/* tests/bench/world.c - the policies and endpoints of a shape, as the product takes them */
#include "tests/bench/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"
#include "common/util.h"
#include "policy/load.h"

#define NAMESPACE "apiVersion: v1\nkind: Namespace\nmetadata: {name: bench}\n"

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

unsigned world_policy_port(const struct shape *s, unsigned p)
{
	return PORT_FIRST + p / s->apps;
}

struct side {
	const char *name, *who, *peer, *type, *rules, *word;
};

static void put_side(struct bh_buf *b, const struct side *d, unsigned p, unsigned app,
		     unsigned port)
{
	bh_buf_printf(
	    b,
	    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
	    "metadata: {namespace: bench, name: %s-%06u}\n"
	    "spec: {podSelector: {matchLabels: {app: %s-%u}}, policyTypes: [%s], %s: [{%s: "
	    "[{podSelector: {matchLabels: {app: %s-%u}}}], ports: [{port: %u}]}]}\n",
	    d->name, p, d->who, app, d->type, d->rules, d->word, d->peer, app, port);
}

static void put_policy(struct bh_buf *b, const struct shape *s, unsigned p, unsigned port)
{
	static const struct side in = { "in", "server", "client", "Ingress", "ingress", "from" };
	static const struct side out = { "out", "client", "server", "Egress", "egress", "to" };

	put_side(b, &in, p, p % s->apps, port);
	if (!s->both)
		return;
	bh_buf_puts(b, "---\n");
	put_side(b, &out, p, p % s->apps, port);
}

char *world_policy_text(const struct shape *s, unsigned p, unsigned port)
{
	struct bh_buf b = BH_BUF_INIT;

	put_policy(&b, s, p, port);
	return must(bh_buf_take(&b));
}

static struct bh_policy_set *load(const char *text, size_t size)
{
	struct bh_policy_set *set = must(bh_policy_set_new());
	struct bh_diags d = BH_DIAGS_INIT;

	if (bh_load_text(set, "bench.yaml", text, size, &d) < 0 || bh_load_finish(set, &d) < 0) {
		(void)fprintf(stderr, "the policies of the benchmark: %s\n",
			      d.n ? d.items[0].message : "out of memory");
		exit(1);
	}
	bh_diags_done(&d);
	return set;
}

struct bh_policy_set *world_policies(const struct shape *s)
{
	struct bh_policy_set *set;
	struct bh_buf b = BH_BUF_INIT;

	bh_buf_puts(&b, NAMESPACE);
	for (unsigned p = 0; p < s->policies; p++) {
		bh_buf_puts(&b, "---\n");
		put_policy(&b, s, p, world_policy_port(s, p));
	}
	set = load(b.data, b.len);
	bh_buf_done(&b);
	return set;
}

struct bh_policy_set *world_policies_with(const struct bh_policy_set *old, const struct shape *s,
					  unsigned p, unsigned port)
{
	struct bh_policy_set *set = must(bh_policy_set_new()), *one;
	char *text = world_policy_text(s, p, port);

	one = load(text, strlen(text));
	free(text);
	set->policies = must(calloc(old->n_policies, sizeof(*set->policies)));
	for (size_t i = 0; i < old->n_policies; i++) {
		struct bh_policy *same = old->policies[i];

		for (size_t k = 0; k < one->n_policies; k++)
			if (bh_streq(same->name, one->policies[k]->name))
				same = one->policies[k];
		set->policies[set->n_policies++] = bh_policy_ref(same);
	}
	bh_policy_set_free(one);
	/* The namespace too: a set owns what it holds. */
	one = load(NAMESPACE, strlen(NAMESPACE));
	set->namespaces = one->namespaces;
	set->n_namespaces = one->n_namespaces;
	one->namespaces = NULL;
	one->n_namespaces = 0;
	bh_policy_set_free(one);
	return set;
}

struct bh_endpoint *world_endpoint(const struct shape *s, bool server, unsigned i)
{
	struct bh_endpoint *ep = must(calloc(1, sizeof(*ep)));
	const char *kind = server ? "server" : "client";
	char text[48];
	uint8_t bytes[16];

	(void)snprintf(text, sizeof(text), "%s-%u", kind, i);
	ep->id = must(strdup(text));
	ep->name = must(strdup(text));
	ep->ns = must(strdup("bench"));
	ep->local = server ? i < shape_local(s) || i >= s->servers : s->both;
	ep->addrs = must(calloc(2, sizeof(*ep->addrs)));
	ep->n_addrs = 2;
	(void)shape_addr(4, server, i, bytes);
	ep->addrs[0] = bh_addr_from_v4(bytes);
	(void)shape_addr(6, server, i, bytes);
	ep->addrs[1] = bh_addr_from_v6(bytes);
	(void)snprintf(text, sizeof(text), "%s-%u", kind, i % s->apps);
	if (bh_labels_set(&ep->labels, "app", text) < 0)
		abort();
	return ep;
}
