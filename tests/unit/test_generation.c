// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_generation.c - what was built from changes is what would have been compiled from the beginning
 *
 * Endpoints of this host and of manifests, policies, time and surroundings come and go at random under policies with
 * selectors, CIDR blocks, named ports, tiers and hours. After each step the same state is compiled by a compiler that has
 * never seen anything else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/attachment.h"
#include "agent/builder.h"
#include "common/json.h"
#include "common/util.h"
#include "dataplane/kernel/projection.h"

/* Files of the policy folder; each is there or not. */
static const char *const texts[] = {
	"apiVersion: networking.k8s.io/v1\n"
	"kind: NetworkPolicy\n"
	"metadata: {name: a, namespace: n0}\n"
	"spec:\n"
	"  podSelector: {matchLabels: {app: a0}}\n"
	"  ingress:\n"
	"  - from: [{ipBlock: {cidr: 10.0.0.0/28, except: [10.0.0.8/30]}}, {ipBlock: {cidr: \"fd00::/124\"}}]\n"
	"    ports: [{port: web}]\n",
	"apiVersion: networking.k8s.io/v1\n"
	"kind: NetworkPolicy\n"
	"metadata: {name: b, namespace: n1}\n"
	"spec:\n"
	"  podSelector: {matchExpressions: [{key: app, operator: In, values: [a1, a2]}]}\n"
	"  policyTypes: [Egress, Ingress]\n"
	"  egress:\n"
	"  - to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: a0}}}]\n"
	"    ports: [{port: web}, {port: 53, protocol: UDP}]\n",
	"apiVersion: bulkhead.network/v1alpha1\n"
	"kind: ClusterTrafficPolicy\n"
	"metadata: {name: c}\n"
	"spec:\n"
	"  tier: admin\n"
	"  priority: 5\n"
	"  podSelector: {matchLabels: {app: a3}}\n"
	"  ingress:\n"
	"  - {name: nights, action: deny, from: [{entity: cluster}], ports: [80], when: {from: \"22:00\", to: \"06:00\"}}\n"
	"  - {action: pass, from: [{entity: world}]}\n"
	"  - {action: reject, ports: [81], expires: \"1970-01-05T00:00:00Z\"}\n",
	"apiVersion: bulkhead.network/v1alpha1\n"
	"kind: TrafficPolicy\n"
	"metadata: {name: d, namespace: n0}\n"
	"spec:\n"
	"  podSelector: {}\n"
	"  isolate: egress\n"
	"  egress:\n"
	"  - {to: [{entity: dns}], ports: [53/udp]}\n"
	"  - {to: [{podSelector: {}}], protocols: [http]}\n",
	"apiVersion: v1\n"
	"kind: Namespace\n"
	"metadata: {name: n1, labels: {team: x}}\n",
	"apiVersion: bulkhead.network/v1alpha1\n"
	"kind: Endpoint\n"
	"metadata: {name: far, namespace: n0, labels: {app: a0}}\n"
	"spec: {addresses: [10.0.0.3, 10.9.0.1], node: n2}\n",
	"apiVersion: bulkhead.network/v1alpha1\n"
	"kind: Endpoint\n"
	"metadata: {name: near, namespace: n1, labels: {app: a1}}\n"
	"spec: {addresses: [10.9.0.2], node: n1}\n"
	"---\n"
	"apiVersion: bulkhead.network/v1alpha1\n"
	"kind: Endpoint\n"
	"metadata: {name: far, namespace: n1, labels: {app: a2}}\n"
	"spec: {addresses: [10.9.0.3], node: n2}\n",
	"apiVersion: bulkhead.network/v1alpha1\n"
	"kind: Node\n"
	"metadata: {name: n2}\n"
	"spec: {addresses: [10.9.1.1]}\n",
};

#define ENDPOINTS 24U

struct fixture {
	struct bh_builder *builder;
	struct bh_manifest *files[BH_ARRAY_SIZE(texts)];
	bool there[BH_ARRAY_SIZE(texts)];
	struct bh_policies *policies;
	struct bh_endpoints *eps;
	struct bh_generation *g;
	struct bh_addr resolver;
	struct bh_surroundings around;
	struct bh_wanted w;
	unsigned long random;
};

static unsigned dice(struct fixture *f, unsigned n)
{
	f->random = f->random * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)(f->random >> 33) % n;
}

/* Read anew: another object with the same text. */
static void read_file(struct fixture *f, size_t i)
{
	char path[8];

	(void)snprintf(path, sizeof(path), "%zu", i);
	bh_manifest_unref(f->files[i]);
	assert_int_equal(
	    bh_manifest_new(path, strdup(texts[i]), strlen(texts[i]), false, &f->files[i]), 0);
	assert_false(f->files[i]->broken);
}

static void put_together(struct fixture *f)
{
	bh_cleanup(bh_manifests_done) struct bh_manifests folder = BH_MANIFESTS_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	static const struct bh_manifests none = BH_MANIFESTS_INIT;

	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++)
		if (f->there[i])
			assert_int_equal(bh_manifests_add(&folder, bh_manifest_ref(f->files[i])),
					 0);
	bh_policies_unref(f->policies);
	assert_int_equal(bh_policies_new(&folder, &none, &f->policies, &d), 0);
	f->w.policies = f->policies;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->random = 42;
	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++) {
		f->there[i] = true;
		read_file(f, i);
	}
	put_together(f);
	assert_int_equal(bh_endpoints_new(&f->eps), 0);
	assert_int_equal(bh_builder_new(&f->builder), 0);
	assert_int_equal(bh_addr_parse("10.9.0.3", &f->resolver), 0);
	f->around.resolvers = &f->resolver;
	f->w.node = "n1";
	f->w.eps = f->eps;
	f->w.around = &f->around;
	f->w.now = 100000;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bh_generation_unref(f->g);
	bh_builder_free(f->builder);
	bh_endpoints_free(f->eps);
	bh_policies_unref(f->policies);
	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++)
		bh_manifest_unref(f->files[i]);
	free(f);
	return 0;
}

static void toggle(struct fixture *f, unsigned i)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;
	bh_autojson json_t *v = NULL;
	char id[16], ip[32], ip6[32], app[8], ns[8];
	struct bh_addr at;

	(void)snprintf(id, sizeof(id), "e%u", i);
	ep = bh_endpoints_find(f->eps, "net", id, "eth0");
	if (ep && dice(f, 3) > 0) {
		bh_endpoints_remove(f->eps, bh_take_ptr(&ep));
		return;
	}
	ep = NULL; /* else other labels at the same address */
	(void)snprintf(ip, sizeof(ip), "10.0.0.%u", i + 1);
	(void)snprintf(ip6, sizeof(ip6), "fd00::%x", i + 1);
	(void)snprintf(app, sizeof(app), "a%u", dice(f, 4));
	(void)snprintf(ns, sizeof(ns), "n%u", dice(f, 2));
	v = json_pack("{s:s, s:s, s:s, s:s, s:{s:s}, s:[s, s], s:[]}", "network", "net", "id", id,
		      "ifname", "eth0", "namespace", ns, "labels", "app", app, "ips", ip, ip6,
		      "ports");
	if (dice(f, 3) == 0)
		(void)json_array_append_new(
		    json_object_get(v, "ports"),
		    json_pack("{s:s, s:i}", "name", "web", "port", 80 + (int)dice(f, 2)));
	assert_int_equal(bh_attachment_parse(v, "n1", &ep, NULL), 0);
	assert_null(bh_endpoints_conflict(f->eps, ep, &at));
	assert_int_equal(bh_endpoints_put(f->eps, ep), 0);
}

static struct bh_generation *build(struct fixture *f, struct bh_builder *b, bool all)
{
	struct bh_wanted w = f->w;
	struct bh_ep **changed = NULL;
	struct bh_generation *g = NULL;
	struct bh_err err = { 0 };
	size_t n = 0;

	if (!all) {
		w.all = !bh_endpoints_take_changes(f->eps, &changed, &n);
		w.changed = changed;
		w.n_changed = n;
	}
	if (bh_builder_build(b, &w, &g, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < n; i++)
		bh_ep_unref(changed[i]);
	free(changed);
	return g;
}

/* What a word says, without its number: those of two compilers differ. */
static void put_word(const struct bh_generation *g, uint32_t word, unsigned proto, struct bh_buf *b)
{
	uint32_t w = bh_ruleset_settle(g->rules->rs, word, proto);
	const struct bh_reason *why = bh_ruleset_reason(g->rules->rs, bh_word_number(w));

	bh_buf_printf(b, " %x '%s'", w & ~BH_WORD_NUMBER,
		      why ? bh_ruleset_text(g->rules->rs, why->text) : "");
}

static void put_decision(const struct bh_generation *g, const struct bh_addr_class *s,
			 const struct bh_addr_class *d, uint8_t l4, uint16_t port, struct bh_buf *b)
{
	static const unsigned protos[] = { BH_PROTO_HTTP, BH_PROTO_SSH, BH_PROTO_UNKNOWN,
					   BH_PROTO_UNDECIDED };
	struct bh_conn c = { .src = s->addr,
			     .dst = d->addr,
			     .src_class = s->cls,
			     .dst_class = d->cls,
			     .src_local = s->local,
			     .dst_local = d->local,
			     .l4 = l4,
			     .dport = port };
	struct bh_decision v = bh_ruleset_decide(g->rules->rs, &c);

	for (size_t i = 0; i < BH_ARRAY_SIZE(protos); i++) {
		put_word(g, v.ingress, protos[i], b);
		put_word(g, v.egress, protos[i], b);
	}
}

static void same_decisions(const struct bh_generation *x, const struct bh_generation *y)
{
	static const uint16_t ports[] = { 53, 80, 81, 443 };

	for (size_t i = 0; i < x->n_addrs; i++) {
		for (size_t k = 0; k < x->n_addrs; k++) {
			for (size_t n = 0; n < BH_ARRAY_SIZE(ports); n++) {
				bh_cleanup(bh_buf_done) struct bh_buf a = BH_BUF_INIT,
								      b = BH_BUF_INIT;
				uint8_t l4 = ports[n] == 53 ? BH_L4_UDP : BH_L4_TCP;

				if (x->addrs[i].addr.family != x->addrs[k].addr.family)
					continue;
				put_decision(x, &x->addrs[i], &x->addrs[k], l4, ports[n], &a);
				put_decision(y, &y->addrs[i], &y->addrs[k], l4, ports[n], &b);
				assert_string_equal(bh_buf_str(&a), bh_buf_str(&b));
			}
		}
	}
}

/* Workers and kernel take it. */
static void taken(const struct bh_generation *g)
{
	bh_cleanup(bh_ruleset_freep) struct bh_ruleset *view = NULL;
	struct bh_projection p = { .n = 0 };
	struct bh_err err = { 0 };
	size_t size;
	const void *mem = bh_ruleset_data(g->rules->rs, &size);

	if (bh_ruleset_map(mem, size, &view, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(bh_projection_make(g->rules->rs, g->addrs, g->n_addrs, &p), 0);
	bh_projection_done(&p);
}

static void same(const struct bh_generation *g, const struct bh_generation *fresh)
{
	assert_ptr_equal(g->policies, fresh->policies);
	assert_int_equal(g->n_addrs, fresh->n_addrs);
	for (size_t i = 0; i < g->n_addrs; i++) {
		const struct bh_addr *a = &g->addrs[i].addr;

		assert_true(bh_addr_eq(a, &fresh->addrs[i].addr));
		assert_int_equal(g->addrs[i].local, fresh->addrs[i].local);
		assert_ptr_equal(bh_generation_endpoint(g, a), bh_generation_endpoint(fresh, a));
		assert_ptr_equal(bh_generation_local(g, a), bh_generation_local(fresh, a));
	}
}

/* The places in the roster are the builder's own: another one must not see them. */
static struct bh_generation *compiled(struct fixture *f)
{
	struct bh_builder *b = NULL;
	struct bh_generation *g;
	uint32_t places[ENDPOINTS];
	size_t n = 0;

	for (struct bh_ep *ep = bh_endpoints_first(f->eps); ep; ep = bh_endpoints_next(ep))
		places[n++] = ep->place;
	assert_int_equal(bh_builder_new(&b), 0);
	g = build(f, b, true);
	bh_builder_free(b);
	n = 0;
	for (struct bh_ep *ep = bh_endpoints_first(f->eps); ep; ep = bh_endpoints_next(ep))
		ep->place = places[n++];
	return g;
}

static void change_something(struct fixture *f)
{
	unsigned what = dice(f, 20), i = dice(f, (unsigned)BH_ARRAY_SIZE(texts));

	f->w.renew = false;
	switch (what) {
	case 0: /* a file comes or goes */
		f->there[i] = !f->there[i];
		put_together(f);
		break;
	case 1: /* a file was touched */
		read_file(f, i);
		put_together(f);
		break;
	case 2: /* hours go by, forwards or back */
		f->w.now += (int64_t)dice(f, 200000) - 90000;
		f->w.renew = true;
		break;
	case 3:
		f->around.n_resolvers = !f->around.n_resolvers;
		f->w.renew = true;
		break;
	default:
		break;
	}
	for (unsigned n = dice(f, 4); n > 0; n--)
		toggle(f, dice(f, ENDPOINTS));
}

static void test_built_is_compiled(void **state)
{
	struct fixture *f = *state;
	unsigned shared = 0, rules = 0, nothing = 0;

	f->g = build(f, f->builder, false);
	for (unsigned step = 0; step < 1500; step++) {
		struct bh_generation *next, *fresh;

		change_something(f);
		f->w.revision = step + 2;
		next = build(f, f->builder, false);
		fresh = compiled(f);
		same(next, fresh);
		taken(next);
		if (step % 3 == 0)
			same_decisions(next, fresh);
		nothing += next == f->g;
		shared += next != f->g && next->rules == f->g->rules;
		rules += next->rules != f->g->rules;
		bh_generation_unref(fresh);
		bh_generation_unref(f->g);
		f->g = next;
	}
	/* All ways were gone. */
	assert_true(nothing > 50);
	assert_true(shared > 100);
	assert_true(rules > 100);
}

/* Who has gone keeps its place for those who look back; the roster does not grow for ever. */
static void test_places_come_back(void **state)
{
	struct fixture *f = *state;
	struct bh_addr a;
	struct bh_generation *past;
	const struct bh_ep *ep;

	toggle(f, 0);
	toggle(f, 1);
	ep = bh_endpoints_find(f->eps, "net", "e1", "eth0");
	f->g = build(f, f->builder, false);
	past = bh_generation_ref(f->g);
	assert_int_equal(bh_addr_parse("10.0.0.2", &a), 0);
	assert_ptr_equal(bh_generation_local(past, &a), ep);
	for (unsigned i = 0; i < 5000; i++) {
		struct bh_ep *gone = bh_endpoints_find(f->eps, "net", "e1", "eth0");

		if (gone)
			bh_endpoints_remove(f->eps, gone);
		else
			toggle(f, 1);
		bh_generation_unref(f->g);
		f->g = build(f, f->builder, false);
	}
	assert_true(f->g->roster->n < 2000);
	assert_ptr_not_equal(bh_generation_local(f->g, &a), ep);
	assert_ptr_equal(bh_generation_local(past, &a), ep);
	bh_generation_unref(past);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_built_is_compiled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places_come_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
