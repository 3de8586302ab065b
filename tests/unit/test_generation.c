// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_generation.c - a list of addresses that was derived is the one that would have been compiled
 *
 * Endpoints come and go at random under policies with selectors, CIDR blocks and named ports. After each step the
 * same state is compiled by the same compiler, whose numbers mean the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/attachment.h"
#include "agent/generation.h"
#include "common/json.h"
#include "common/util.h"

static const char policies[] =
    "apiVersion: networking.k8s.io/v1\n"
    "kind: NetworkPolicy\n"
    "metadata: {name: a, namespace: n0}\n"
    "spec:\n"
    "  podSelector: {matchLabels: {app: a0}}\n"
    "  ingress:\n"
    "  - from: [{ipBlock: {cidr: 10.0.0.0/28, except: [10.0.0.8/30]}}, {ipBlock: {cidr: \"fd00::/124\"}}]\n"
    "    ports: [{port: web}]\n"
    "---\n"
    "apiVersion: networking.k8s.io/v1\n"
    "kind: NetworkPolicy\n"
    "metadata: {name: b, namespace: n1}\n"
    "spec:\n"
    "  podSelector: {matchExpressions: [{key: app, operator: In, values: [a1, a2]}]}\n"
    "  policyTypes: [Egress, Ingress]\n"
    "  egress:\n"
    "  - to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: a0}}}]\n"
    "    ports: [{port: web}, {port: 53, protocol: UDP}]\n"
    "---\n"
    "apiVersion: bulkhead.network/v1alpha1\n"
    "kind: Endpoint\n"
    "metadata: {name: far, namespace: n0, labels: {app: a0}}\n"
    "spec: {addresses: [10.0.0.3, 10.9.0.1], node: n2}\n";

#define ENDPOINTS 24U

struct fixture {
	struct bh_compiler *compiler;
	struct bh_policies *policies;
	struct bh_endpoints *eps;
	struct bh_generation *g;
	unsigned long random;
};

static unsigned dice(struct fixture *f, unsigned n)
{
	f->random = f->random * 6364136223846793005UL + 1442695040888963407UL;
	return (unsigned)(f->random >> 33) % n;
}

static int setup(void **state)
{
	bh_cleanup(bh_manifests_done) struct bh_manifests folder = BH_MANIFESTS_INIT;
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	static const struct bh_manifests none = BH_MANIFESTS_INIT;
	struct fixture *f = calloc(1, sizeof(*f));
	struct bh_manifest *m;

	assert_int_equal(bh_manifest_new("p", strdup(policies), strlen(policies), false, &m), 0);
	assert_int_equal(bh_manifests_add(&folder, m), 0);
	assert_int_equal(bh_policies_new(&folder, &none, &f->policies, &d), 0);
	assert_int_equal(bh_endpoints_new(&f->eps), 0);
	assert_int_equal(bh_compiler_new(&f->compiler), 0);
	f->random = 42;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bh_generation_unref(f->g);
	bh_endpoints_free(f->eps);
	bh_policies_unref(f->policies);
	bh_compiler_free(f->compiler);
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
	if (ep) {
		bh_endpoints_remove(f->eps, bh_take_ptr(&ep));
		return;
	}
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

static void same(const struct bh_generation *derived, const struct bh_generation *compiled)
{
	assert_int_equal(derived->n_addrs, compiled->n_addrs);
	for (size_t i = 0; i < derived->n_addrs; i++) {
		const struct bh_addr *a = &derived->addrs[i].addr;

		assert_true(bh_addr_eq(a, &compiled->addrs[i].addr));
		assert_int_equal(derived->addrs[i].cls, compiled->addrs[i].cls);
		assert_int_equal(derived->addrs[i].local, compiled->addrs[i].local);
		assert_ptr_equal(bh_generation_endpoint(derived, a),
				 bh_generation_endpoint(compiled, a));
		assert_ptr_equal(bh_generation_local(derived, a), bh_generation_local(compiled, a));
	}
}

/* Every decision that the derived one makes is the compiled one's, also by rules of classes that went. */
static void same_decisions(const struct bh_generation *x, const struct bh_generation *y)
{
	static const uint16_t ports[] = { 53, 80, 81, 443 };

	for (size_t i = 0; i < x->n_addrs; i++) {
		for (size_t k = 0; k < x->n_addrs; k++) {
			struct bh_conn c = { .src = x->addrs[i].addr,
					     .dst = x->addrs[k].addr,
					     .src_class = x->addrs[i].cls,
					     .dst_class = x->addrs[k].cls,
					     .src_local = x->addrs[i].local,
					     .dst_local = x->addrs[k].local,
					     .l4 = BH_L4_TCP };

			if (c.src.family != c.dst.family)
				continue;
			for (size_t n = 0; n < BH_ARRAY_SIZE(ports); n++) {
				struct bh_decision a, b;

				c.dport = ports[n];
				a = bh_ruleset_decide(x->rules->rs, &c);
				b = bh_ruleset_decide(y->rules->rs, &c);
				assert_int_equal(a.ingress, b.ingress);
				assert_int_equal(a.egress, b.egress);
			}
		}
	}
}

static void test_derived_is_compiled(void **state)
{
	struct fixture *f = *state;
	const struct bh_wanted w = { .policies = f->policies, .node = "n1" };
	unsigned derived = 0, compiled = 0;
	uint64_t revision = 1;

	assert_int_equal(bh_generation_new(f->compiler, &w, f->eps, revision++, &f->g, NULL), 0);
	for (unsigned step = 0; step < 2000; step++) {
		struct bh_generation *next = NULL, *full = NULL;
		struct bh_ep **changed;
		size_t n;
		int r;

		for (unsigned i = 1 + dice(f, 3); i > 0; i--)
			toggle(f, dice(f, ENDPOINTS));
		assert_true(bh_endpoints_take_changes(f->eps, &changed, &n));
		r = bh_generation_derive(f->g, changed, n, &next);
		for (size_t i = 0; i < n; i++)
			bh_ep_unref(changed[i]);
		free(changed);
		assert_int_equal(
		    bh_generation_new(f->compiler, &w, f->eps, revision++, &full, NULL), 0);
		if (r == 0) {
			same(next, full);
			if (step % 10 == 0)
				same_decisions(next, full);
			derived++;
			/* On and on from what was derived, so that an error would add up. */
			bh_generation_unref(full);
			bh_generation_unref(f->g);
			f->g = next;
			continue;
		}
		assert_int_equal(r, -EAGAIN);
		compiled++;
		bh_generation_unref(f->g);
		f->g = full;
	}
	/* Both ways were gone. */
	assert_true(derived > 200);
	assert_true(compiled > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_derived_is_compiled, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
