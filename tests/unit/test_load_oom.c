/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_load_oom.c - running out of memory is an error of the loader, not its end
 *
 * The n-th allocation of a load fails, alone or with all after it, for every n. Each time -ENOMEM comes back
 * and nothing leaks. At last the load succeeds.
 */
#include "common/file.h"
#include "common/limits.h"
#include "policy/load.h"
#include "tests/lib/oom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Every kind, and every field that it has. */
static const char good[] =
    "apiVersion: bulkhead.network/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: web, labels: {a: b}}\n"
    "spec:\n  podSelector: {matchLabels: {app: web, b: c}, matchExpressions: [{key: k, operator: In, "
    "values: [b, a, b]}]}\n  isolate: both\n  mode: learn\n  tier: application\n  unknownProtocol: "
    "alert\n  onOverload: alert\n  midstream: allow\n  evidence: 4\n  expires: 2031-03-01T00:00:00Z\n"
    "  promote: {monitorAfter: 2030-01-01T00:00:00Z, enforceAfter: 2030-02-01T00:00:00Z}\n"
    "  ingress:\n  - name: clients\n    from:\n    - podSelector: "
    "&s {matchLabels: {role: client}}\n    - namespaceSelector: *s\n    - ipBlock: {cidr: 10.0.0.0/8, "
    "except: [10.1.0.0/16]}\n    - entity: cluster\n    ports: [80, http, 53/udp, {port: 9}]\n"
    "    protocols: [http, tls, dns, database]\n    http: [{methods: [GET], paths: [/a], hosts: [a.b]}, "
    "{connect: ['a.b:1'], upgrade: [h2c]}]\n    tls: {serverNames: [a.b], alpn: [h2], minVersion: '1.2', "
    "ech: absent}\n    dns: {names: [a.b], types: [A, TYPE9]}\n    log: true\n    severity: info\n"
    "    expires: 2031-03-01T00:00:00Z\n    when: {days: [Mon], from: '08:00', to: '18:00', timeZone: "
    "UTC}\n    unknownProtocol: deny\n    onOverload: refuse\n    midstream: refuse\n    switches: "
    "[starttls]\n    proxyHeader: allow\n    evidence: 1\n  - {action: deny, notProtocols: [mail]}\n"
    "  egress:\n  - {to: [{fqdn: [a.b, '*.c']}], icmp: [echo-request, 3/1, 9, echo-reply]}\n---\n"
    "apiVersion: bulkhead.network/v1alpha1\nkind: ClusterTrafficPolicy\nmetadata: {name: guard}\nspec:\n"
    "  tier: admin\n  priority: 5\n  namespaceSelector: {matchLabels: {a: b}}\n  ingress:\n"
    "  - {action: alert, risks: [tls-obsolete-version]}\n  - {action: pass, ports: [22]}\n---\n"
    "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: c}\n"
    "spec:\n  tier: Baseline\n  priority: 5\n  subject: {pods: {namespaceSelector: {matchLabels: {a: "
    "b}}, podSelector: {matchLabels: {c: d}}}}\n  ingress:\n  - {name: x, action: Deny, from: [{pods: "
    "{podSelector: {matchLabels: {c: d}}}}, {others: {}}], protocols: [{tcp: {destinationPort: {number: "
    "80}}}, {udp: {destinationPort: {range: {start: 1, end: 2}}}}, {destinationNamedPort: web}]}\n"
    "  egress:\n  - {action: Accept, to: [{nodes: {matchLabels: {a: b}}}, {networks: [10.0.0.0/8, "
    "11.0.0.0/8]}, {domainNames: [a.b]}, {namespaces: {}}]}\n---\n"
    "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: a}\nspec:\n"
    "  priority: 5\n  subject: {namespaces: {}}\n  ingress:\n  - {action: Allow, from: [{namespaces: "
    "{}}], ports: [{portNumber: {port: 80}}, {portRange: {start: 1, end: 2}}, {namedPort: a}]}\n---\n"
    "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\n"
    "metadata: {name: default}\nspec: {subject: {namespaces: {}}}\n---\n"
    "apiVersion: v1\nkind: List\nitems:\n- apiVersion: networking.k8s.io/v1\n  kind: NetworkPolicy\n"
    "  metadata: {name: np}\n  spec: {podSelector: {}, policyTypes: [Egress], ingress: [{}]}\n"
    "- {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {<<: {a: b}, c: d}}}\n"
    "- {apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: "
    "10.0.0.1}]}}\n"
    "- {apiVersion: bulkhead.network/v1alpha1, kind: Node, metadata: {name: n2, labels: {a: b}},\n"
    "   spec: {addresses: [10.0.0.2]}}\n"
    "- {apiVersion: bulkhead.network/v1alpha1, kind: Endpoint, metadata: {name: db, labels: {1: a}},\n"
    "   spec: {addresses: [10.0.0.1], node: host-1, ports: [{name: pg, port: 5432}]}}\n";

static const char bad[] =
    "a: {b\n---\nkind: NetworkPolic\napiVersion: v1\n---\n"
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, name: b}\n"
    "spec: {podSelectr: {}, ingress: [{from: [{}], ports: [{port: 99999}]}]}\n---\n"
    "apiVersion: bulkhead.network/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: a}\nspec:\n"
    "  expires: tomorrow\n  ingress:\n  - {http: [{paths: [a]}], protocols: [ssh], when: {timeZone: "
    "Moon}}\n  - {protocols: [mial], icmp: [ping], from: [{entity: all, podSelector: {}}]}\n---\n"
    "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {name: c}\n"
    "spec: {subject: {}, ingress: [{action: Deny, from: [{namespaces: {}, pods: {}}]}]}\n";

static int load(const char *text, bool print)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	int r, q;

	if (!set)
		return -ENOMEM;
	r = bh_load_text(set, "t.yaml", text, strlen(text), &d);
	if (r == -ENOMEM)
		return r;
	q = bh_load_finish(set, &d);
	if (q == -ENOMEM)
		return q;
	if (print) {
		bh_diags_print(&d, &out);
		if (bh_buf_failed(&out))
			return -ENOMEM;
	}
	return r < 0 ? r : q;
}

static int load_printed(void *text)
{
	return load(text, true);
}

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(load(good, false), 0);
	oom_everywhere(load_printed, (void *)good, 0, 50);
}

static void test_bad(void **state)
{
	(void)state;
	assert_int_equal(load(bad, false), -EINVAL);
	oom_everywhere(load_printed, (void *)bad, -EINVAL, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good),
					    cmocka_unit_test(test_bad) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
