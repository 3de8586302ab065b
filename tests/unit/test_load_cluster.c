/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_load_cluster.c - ClusterNetworkPolicy, its elders, and nodes: every field, every limit
 *
 * As test_load_policy.c; and all manifests of the truth tables (tests/conformance) are read.
 */
#include "common/file.h"
#include "common/limits.h"
#include "common/util.h"
#include "policy/load.h"
#include "policy/text.h"
#include "tests/lib/model_text.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
	const char *spec;
	const char *want; /* lines of the model */
	size_t warnings;
};

static bool has_line(const char *text, const char *line, size_t len)
{
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strcspn(p, "\n") == len && strncmp(p, line, len) == 0)
			return true;
	return false;
}

static void check_rows(const char *head, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
		bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
		bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT, got = BH_BUF_INIT;

		bh_buf_printf(&text, "%s%s", head, rows[i].spec);
		assert_int_not_equal(bh_load_text(set, "t.yaml", text.data, text.len, &d), -ENOMEM);
		assert_int_not_equal(bh_load_finish(set, &d), -ENOMEM);
		if (d.n_errors || d.n_warnings != rows[i].warnings) {
			bh_diags_print(&d, &got);
			fail_msg("%s\n%s", rows[i].spec, got.data);
		}
		assert_int_equal(set->n_policies, 1);
		bh_model_put_policy(&got, set->policies[0]);
		for (const char *p = rows[i].want; *p; p += strcspn(p, "\n"), p += *p == '\n')
			if (!has_line(bh_buf_str(&got), p, strcspn(p, "\n")))
				fail_msg("%s\nwants: %.*s\ngot:\n%s", rows[i].spec,
					 (int)strcspn(p, "\n"), p, bh_buf_str(&got));
	}
}

/* The first error that a manifest has: "CODE PATH". */
static void expect_error(const char *head, const char *spec, const char *want)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT, all = BH_BUF_INIT;
	char got[256] = "";

	bh_buf_printf(&text, "%s%s", head, spec);
	assert_int_equal(bh_load_text(set, "t.yaml", text.data, text.len, &d), -EINVAL);
	assert_int_equal(set->n_policies, 0);
	if (d.n)
		(void)snprintf(got, sizeof(got), "%s %s", d.items[0].code,
			       d.items[0].path ? d.items[0].path : "");
	if (strcmp(got, want) != 0 || d.n_errors != 1) {
		bh_diags_print(&d, &all);
		fail_msg("%s\nwants: %s\n%s", spec, want, bh_buf_str(&all));
	}
}

#define CNP                                                                                     \
	"apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: " \
	"{name: p}\nspec:\n"
#define ANP                                                                                   \
	"apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: " \
	"{name: p}\nspec:\n"
#define BANP                                                                                \
	"apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\n" \
	"metadata: {name: default}\nspec:\n"
#define ALL  "  subject: {namespaces: {}}\n"
#define CALL "  tier: Admin\n  priority: 1\n" ALL
#define AALL "  priority: 1\n" ALL

static void test_cluster_network_policy(void **state)
{
	static const struct row rows[] = {
		{ CALL,
		  "ClusterNetworkPolicy p\ntier admin\npriority 1\nmode enforce\npods everything\n"
		  "namespaces everything\nisolates\nunknown refuse\n",
		  0 },
		{ "  tier: Baseline\n  priority: 1000\n  subject: {pods: {namespaceSelector: {matchLabels: {a: "
		  "b}}, podSelector: {matchLabels: {c: d}}}}\n",
		  "tier baseline\npriority 1000\nnamespaces a in (b)\npods c in (d)\n", 0 },
		{ "  tier: Admin\n  priority: 0\n  subject: {pods: {podSelector: {}}}\n",
		  "namespaces everything\npods everything\n", 0 },
		{ CALL
		  "  ingress:\n  - {name: a, action: Accept, from: [{namespaces: {matchLabels: {a: "
		  "b}}}]}\n"
		  "  - {action: Deny, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: "
		  "{c: d}}}}, {namespaces: {}}]}\n"
		  "  - {action: Pass, from: [{namespaces: {}}], name: ''}\n",
		  "ingress[0].name a\ningress[0].action allow\ningress[0].urgency info\n"
		  "ingress[0].peers[0] endpoints in a in (b)\ningress[0].ports every\n"
		  "ingress[0].protocols any\ningress[0].switches usual\ningress[0].proxy refuse\n"
		  "ingress[0].fail overload refuse midstream refuse unknown refuse\n"
		  "ingress[1].action deny\ningress[1].urgency warning\n"
		  "ingress[1].peers[0] endpoints in everything with c in (d)\n"
		  "ingress[1].peers[1] endpoints in everything\n"
		  "ingress[2].action pass\ningress[2].name (none)\n",
		  0 },
		{ CALL
		  "  egress:\n  - {action: Deny, to: [{nodes: {matchLabels: {a: b}}}, {networks: "
		  "[10.0.0.0/8, 'fd00::/8']}, {nodes: {}}]}\n"
		  "  - {action: Accept, to: [{domainNames: [Kubernetes.io, '*.kubernetes.io.']}]}\n",
		  "egress[0].peers[0] nodes a in (b)\negress[0].peers[1] block 10.0.0.0/8\n"
		  "egress[0].peers[2] block fd00::/8\negress[0].peers[3] nodes everything\n"
		  "egress[1].peers[0] names kubernetes.io, *.kubernetes.io\n",
		  0 },
		{ CALL
		  "  ingress:\n  - action: Accept\n    from: [{namespaces: {}}]\n    protocols:\n"
		  "    - tcp: {destinationPort: {number: 80}}\n"
		  "    - udp: {destinationPort: {range: {start: 1, end: 65535}}}\n"
		  "    - sctp: {}\n    - tcp: {destinationPort: null}\n    - destinationNamedPort: web\n",
		  "ingress[0].ports[0] tcp 80-80\ningress[0].ports[1] udp 1-65535\n"
		  "ingress[0].ports[2] sctp 0-65535\ningress[0].ports[3] tcp 0-65535\n"
		  "ingress[0].ports[4] any web\n",
		  0 },
	};

	(void)state;
	check_rows(CNP, rows, BH_ARRAY_SIZE(rows));
}

static void test_admin_network_policy(void **state)
{
	static const struct row rows[] = {
		{ AALL,
		  "AdminNetworkPolicy p\ntier admin\npriority 1\nnamespaces everything\nisolates\n",
		  0 },
		{ AALL
		  "  ingress:\n  - {action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {port: "
		  "80}}, {portNumber: {protocol: UDP, port: 53}}, {portRange: {start: 5, end: 6}}, "
		  "{portRange: {protocol: SCTP, start: 7, end: 9}}, {namedPort: web}]}\n"
		  "  - {action: Deny, from: [{pods: {namespaceSelector: {}, podSelector: {}}}]}\n"
		  "  - {action: Pass, from: [{namespaces: {}}]}\n",
		  "ingress[0].action allow\ningress[0].ports[0] tcp 80-80\ningress[0].ports[1] udp 53-53\n"
		  "ingress[0].ports[2] tcp 5-6\ningress[0].ports[3] sctp 7-9\ningress[0].ports[4] any web\n"
		  "ingress[1].action deny\n"
		  "ingress[1].peers[0] endpoints in everything with everything\n"
		  "ingress[1].ports every\ningress[2].action pass\n",
		  0 },
		{ AALL
		  "  egress:\n  - {action: Allow, to: [{domainNames: [a.example]}, {nodes: {}}, "
		  "{networks: [0.0.0.0/0]}]}\n",
		  "egress[0].peers[0] names a.example\negress[0].peers[1] nodes everything\n"
		  "egress[0].peers[2] block 0.0.0.0/0\n",
		  0 },
	};
	static const struct row baseline[] = {
		{ ALL
		  "  ingress: [{action: Deny, from: [{namespaces: {}}]}]\n"
		  "  egress: [{action: Allow, to: [{networks: [10.0.0.0/8]}], ports: [{portNumber: {port: "
		  "80}}]}]\n",
		  "BaselineAdminNetworkPolicy default\ntier baseline\npriority 1001\n"
		  "ingress[0].action deny\negress[0].action allow\negress[0].ports[0] tcp 80-80\n",
		  0 },
	};

	(void)state;
	check_rows(ANP, rows, BH_ARRAY_SIZE(rows));
	check_rows(BANP, baseline, BH_ARRAY_SIZE(baseline));
}

/* A peer of a version to come closes, and a warning says so. */
static void test_unknown_peers(void **state)
{
	static const struct row rows[] = {
		{ CALL
		  "  ingress: [{action: Accept, from: [{serviceAccounts: {}}, {namespaces: {}}]}]\n",
		  "ingress[0].peers[0] unknown\ningress[0].peers[1] endpoints in everything\n", 1 },
		{ CALL "  ingress: [{action: Deny, from: [{}]}]\n", "ingress[0].peers[0] unknown\n",
		  1 },
		{ CALL "  ingress: [{action: Pass, from: [null]}]\n",
		  "ingress[0].peers[0] unknown\n", 1 },
		{ CALL "  ingress: [{action: Deny, from: [{namespaces: null, pods: null}]}]\n",
		  "ingress[0].peers[0] unknown\n", 1 },
		/* These exist for egress only. */
		{ CALL
		  "  ingress: [{action: Accept, from: [{networks: [10.0.0.0/8]}, {nodes: {}}]}]\n",
		  "ingress[0].peers[0] unknown\ningress[0].peers[1] unknown\n", 2 },
		{ CALL "  egress: [{action: Deny, to: [{services: {name: api}, others: {}}]}]\n",
		  "egress[0].peers[0] unknown\n", 1 },
	};

	(void)state;
	check_rows(CNP, rows, BH_ARRAY_SIZE(rows));
	expect_error(CNP,
		     CALL
		     "  ingress: [{action: Deny, from: [{namespaces: {}, serviceAccounts: {}}]}]\n",
		     "e1 spec.ingress[0].from[0].serviceAccounts");
	expect_error(CNP, CALL "  ingress: [{action: Deny, from: [everybody]}]\n",
		     "e8 spec.ingress[0].from[0]");
}

#define IN(rest)  CALL "  ingress: [{" rest "}]\n"
#define OUT(rest) CALL "  egress: [{" rest "}]\n"
#define ANY       "action: Accept, from: [{namespaces: {}}], "

static void test_refused(void **state)
{
	static const struct {
		const char *spec, *want;
	} rows[] = {
		{ "  priority: 1\n" ALL, "e18 spec.tier" },
		{ "  tier: Admin\n" ALL, "e18 spec.priority" },
		{ "  tier: Admin\n  priority: 1\n", "e18 spec.subject" },
		{ "  tier: admin\n  priority: 1\n" ALL, "e19 spec.tier" },
		{ "  tier: Admin\n  priority: 1001\n" ALL, "e19 spec.priority" },
		{ "  tier: Admin\n  priority: -1\n" ALL, "e19 spec.priority" },
		{ "  tier: Admin\n  priority: '5'\n" ALL, "e8 spec.priority" },
		{ CALL "  isolate: both\n", "e1 spec.isolate" },
		{ "  tier: Admin\n  priority: 1\n  subject: {}\n", "e3 spec.subject" },
		{ "  tier: Admin\n  priority: 1\n  subject: {namespaces: {}, pods: {podSelector: {}}}\n",
		  "e3 spec.subject" },
		{ "  tier: Admin\n  priority: 1\n  subject: {pods: {namespaceSelector: {}}}\n",
		  "e18 spec.subject.pods.podSelector" },
		{ "  tier: Admin\n  priority: 1\n  subject: {namespaces: {matchLabels: {a: 1}}}\n",
		  "e8 spec.subject.namespaces.matchLabels" },
		{ IN("from: [{namespaces: {}}]"), "e18 spec.ingress[0].action" },
		{ IN("action: Allow, from: [{namespaces: {}}]"), "e19 spec.ingress[0].action" },
		{ IN("action: Accept"), "e18 spec.ingress[0].from" },
		{ IN("action: Accept, from: []"), "e18 spec.ingress[0].from" },
		{ IN("action: Accept, to: [{namespaces: {}}], from: [{namespaces: {}}]"),
		  "e1 spec.ingress[0].to" },
		{ IN(ANY "ports: []"), "e1 spec.ingress[0].ports" },
		{ IN(ANY "protocols: []"), "e18 spec.ingress[0].protocols" },
		{ IN(ANY "protocols: [{}]"), "e3 spec.ingress[0].protocols[0]" },
		{ IN(ANY "protocols: [{icmp: {}}]"), "e1 spec.ingress[0].protocols[0].icmp" },
		{ IN(ANY "protocols: [{tcp: {}, udp: {}}]"), "e3 spec.ingress[0].protocols[0]" },
		{ IN(ANY "protocols: [{tcp: {destinationPort: {}}}]"),
		  "e3 spec.ingress[0].protocols[0].tcp.destinationPort" },
		{ IN(ANY "protocols: [{tcp: {destinationPort: {number: 0}}}]"),
		  "e6 spec.ingress[0].protocols[0].tcp.destinationPort.number" },
		{ IN(ANY "protocols: [{tcp: {destinationPort: {range: {start: 80}}}}]"),
		  "e18 spec.ingress[0].protocols[0].tcp.destinationPort.range.end" },
		{ IN(ANY "protocols: [{tcp: {destinationPort: {range: {start: 80, end: 80}}}}]"),
		  "e5 spec.ingress[0].protocols[0].tcp.destinationPort.range" },
		{ IN(ANY
		     "protocols: [{tcp: {destinationPort: {range: {start: 1, end: 2, protocol: UDP}}}}]"),
		  "e1 spec.ingress[0].protocols[0].tcp.destinationPort.range.protocol" },
		{ IN(ANY "protocols: [{destinationNamedPort: '80'}]"),
		  "e6 spec.ingress[0].protocols[0].destinationNamedPort" },
		{ IN("action: Deny, from: [{namespaces: {}, pods: {podSelector: {}}}]"),
		  "e3 spec.ingress[0].from[0]" },
		{ OUT("action: Deny, to: [{domainNames: [a.example]}]"),
		  "e9 spec.egress[0].to[0].domainNames" },
		{ OUT("action: Pass, to: [{domainNames: [a.example]}]"),
		  "e9 spec.egress[0].to[0].domainNames" },
		{ OUT("action: Accept, to: [{domainNames: ['a.*.example']}]"),
		  "e19 spec.egress[0].to[0].domainNames[0]" },
		{ OUT("action: Accept, to: [{domainNames: []}]"),
		  "e18 spec.egress[0].to[0].domainNames" },
		{ OUT("action: Accept, to: [{networks: [10.0.0.0]}]"),
		  "e7 spec.egress[0].to[0].networks[0]" },
		{ OUT("action: Accept, to: [{networks: [10.0.0.0/8]}], protocols: [{destinationNamedPort: "
		      "web}]"),
		  "e6 spec.egress[0].protocols[0].destinationNamedPort" },
		{ OUT("action: Accept, to: [{namespaces: {}}, {nodes: {}}], protocols: "
		      "[{destinationNamedPort: web}]"),
		  "e6 spec.egress[0].protocols[0].destinationNamedPort" },
		{ OUT("action: Accept, to: [{domainNames: [a.b]}], protocols: [{destinationNamedPort: web}]"),
		  "e6 spec.egress[0].protocols[0].destinationNamedPort" },
	};
	static const struct {
		const char *spec, *want;
	} admin[] = {
		{ ALL, "e18 spec.priority" },
		{ AALL "  tier: Admin\n", "e1 spec.tier" },
		{ AALL "  ingress: [{action: Accept, from: [{namespaces: {}}]}]\n",
		  "e19 spec.ingress[0].action" },
		{ AALL
		  "  ingress: [{action: Allow, from: [{namespaces: {}}], protocols: [{tcp: {}}]}]\n",
		  "e1 spec.ingress[0].protocols" },
		{ AALL "  ingress: [{action: Allow, from: [{pods: {podSelector: {}}}]}]\n",
		  "e18 spec.ingress[0].from[0].pods.namespaceSelector" },
		{ AALL "  ingress: [{action: Allow, from: [{namespaces: {}}], ports: [{portNumber: "
		       "{protocol: UDP}}]}]\n",
		  "e18 spec.ingress[0].ports[0].portNumber.port" },
		{ AALL
		  "  ingress: [{action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {port: 80}, "
		  "namedPort: web}]}]\n",
		  "e3 spec.ingress[0].ports[0]" },
		{ AALL
		  "  egress: [{action: Allow, to: [{nodes: {}}], ports: [{namedPort: web}]}]\n",
		  "e6 spec.egress[0].ports[0].namedPort" },
	};
	static const struct {
		const char *spec, *want;
	} baseline[] = {
		{ AALL, "e1 spec.priority" },
		{ ALL "  ingress: [{action: Pass, from: [{namespaces: {}}]}]\n",
		  "e19 spec.ingress[0].action" },
	};

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(rows); i++)
		expect_error(CNP, rows[i].spec, rows[i].want);
	for (size_t i = 0; i < BH_ARRAY_SIZE(admin); i++)
		expect_error(ANP, admin[i].spec, admin[i].want);
	for (size_t i = 0; i < BH_ARRAY_SIZE(baseline); i++)
		expect_error(BANP, baseline[i].spec, baseline[i].want);
	expect_error(
	    "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\n"
	    "metadata: {name: other}\nspec:\n",
	    ALL, "e19 metadata.name");
	expect_error("apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n"
		     "metadata: {name: p, namespace: a}\nspec:\n",
		     CALL, "e1 metadata.namespace");
	expect_error("apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n"
		     "metadata: {name: p}\n",
		     "", "e18 spec");
}

/* As many as @n of @item, in a list. */
static void put_many(struct bh_buf *b, unsigned n, const char *item)
{
	bh_buf_putc(b, '[');
	for (unsigned i = 0; i < n; i++)
		bh_buf_printf(b, "%s%s", i ? ", " : "", item);
	bh_buf_puts(b, "]");
}

static void check_limit(const char *head, const char *before, const char *item, const char *after,
			unsigned limit, const char *path)
{
	for (unsigned n = limit; n <= limit + 1; n++) {
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
		struct row row = { .want = "" };

		bh_buf_puts(&b, before);
		put_many(&b, n, item);
		bh_buf_puts(&b, after);
		row.spec = b.data;
		if (n == limit)
			check_rows(head, &row, 1);
		else
			expect_error(head, b.data, path);
	}
}

static void test_limits(void **state)
{
	static const char name[] =
	    "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890";

	(void)state;
	check_limit(CNP, CALL "  ingress: ", "{action: Deny, from: [{namespaces: {}}]}", "\n", 25,
		    "e22 spec.ingress");
	check_limit(CNP, CALL "  egress: ", "{action: Deny, to: [{namespaces: {}}]}", "\n", 25,
		    "e22 spec.egress");
	check_limit(CNP, CALL "  ingress: [{action: Deny, from: ", "{namespaces: {}}", "}]\n", 25,
		    "e22 spec.ingress[0].from");
	check_limit(CNP, CALL "  egress: [{action: Deny, to: [{networks: ", "10.0.0.0/8", "}]}]\n",
		    25, "e22 spec.egress[0].to[0].networks");
	check_limit(CNP, CALL "  egress: [{action: Accept, to: [{domainNames: ", "a.b", "}]}]\n",
		    25, "e22 spec.egress[0].to[0].domainNames");
	check_limit(CNP, CALL "  ingress: [{" ANY "protocols: ", "{tcp: {}}", "}]\n", 25,
		    "e22 spec.ingress[0].protocols");
	check_limit(ANP, AALL "  ingress: ", "{action: Deny, from: [{namespaces: {}}]}", "\n", 100,
		    "e22 spec.ingress");
	check_limit(ANP, AALL "  egress: [{action: Deny, to: ", "{namespaces: {}}", "}]\n", 100,
		    "e22 spec.egress[0].to");
	check_limit(ANP, AALL "  egress: [{action: Deny, to: [{namespaces: {}}], ports: ",
		    "{namedPort: a}", "}]\n", 100, "e22 spec.egress[0].ports");
	for (unsigned longer = 0; longer < 2; longer++) {
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
		struct row row = { .want = "" };

		bh_buf_printf(&b, CALL "  ingress: [{" ANY "name: 'a%s'}]\n", name + !longer);
		row.spec = b.data;
		if (longer)
			expect_error(CNP, b.data, "e19 spec.ingress[0].name");
		else
			check_rows(CNP, &row, 1);
	}
}

/* ---- nodes ---- */

static void test_nodes(void **state)
{
	static const char text[] =
	    "apiVersion: v1\nkind: Node\nmetadata: {name: b, labels: {zone: x}, annotations: {a: b}}\n"
	    "spec: {podCIDR: 10.1.0.0/24, taints: [{key: a}]}\nstatus:\n  capacity: {cpu: 4}\n"
	    "  addresses:\n  - {type: Hostname, address: b.example}\n"
	    "  - {type: InternalIP, address: 192.0.2.2}\n  - {type: ExternalIP, address: 2001:db8::2}\n"
	    "  nodeInfo: {kernelVersion: '6'}\n---\n"
	    "apiVersion: bulkhead.network/v1alpha1\nkind: Node\nmetadata: {name: a, labels: {zone: w}}\n"
	    "spec: {addresses: [192.0.2.1, 2001:db8::1]}\n---\n"
	    "apiVersion: v1\nkind: Node\nmetadata: {name: c}\n";
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf got = BH_BUF_INIT;

	(void)state;
	assert_int_equal(bh_load_text(set, "n.yaml", text, sizeof(text) - 1, &d), 0);
	assert_int_equal(bh_load_finish(set, &d), 0);
	assert_int_equal(d.n, 0);
	for (size_t i = 0; i < set->n_nodes; i++)
		bh_model_put_node(&got, set->nodes[i]);
	assert_string_equal(got.data,
			    "node a\nlabel zone=w\naddress 192.0.2.1\naddress 2001:db8::1\n"
			    "node b\nlabel zone=x\naddress 192.0.2.2\naddress 2001:db8::2\n"
			    "node c\n");
	assert_int_equal(bh_load_text(set, "m.yaml", text, sizeof(text) - 1, &d), 0);
	assert_int_equal(bh_load_finish(set, &d), -EINVAL);
	assert_int_equal(d.n, 3);
	assert_string_equal(d.items[1].message, "Node b is defined twice: here and in m.yaml:1:1");
}

/* ---- the truth tables ---- */

static unsigned n_files;

static void load_case(const char *path)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf out = BH_BUF_INIT;
	bh_autofree char *data = NULL;
	struct bh_text t;
	struct bh_pos pos;
	size_t size = 0, off;
	uint32_t line;

	assert_int_equal(bh_file_read(path, BH_YAML_FILE_MAX, &data, &size, NULL), 0);
	assert_int_equal(bh_text_init(&t, path, data, size, &pos, NULL), 0);
	/* The first document is the case, and no manifest. */
	line = bh_text_find_document(&t, 2);
	off = line ? bh_text_offset(&t, (struct bh_pos){ .line = line, .column = 1 }) : t.size;
	if (bh_load_text(set, path, t.data + off, t.size - off, &d) < 0) {
		bh_diags_print(&d, &out);
		fail_msg("%s", out.data);
	}
	bh_text_done(&t);
	n_files++;
}

static void test_cases(void **state)
{
	static const char *const folders[] = { "cases", "random" };
	const char *root = getenv("BH_SOURCE_ROOT");

	(void)state;
	for (size_t f = 0; f < BH_ARRAY_SIZE(folders); f++) {
		char path[4096], file[8192];
		struct dirent *e;
		DIR *dir;

		(void)snprintf(path, sizeof(path), "%s/tests/conformance/%s", root ? root : ".",
			       folders[f]);
		dir = opendir(path);
		assert_non_null(dir);
		while ((e = readdir(dir)) != NULL) {
			if (e->d_name[0] == '.')
				continue;
			(void)snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
			load_case(file);
		}
		(void)closedir(dir);
	}
	assert_int_equal(n_files, 294);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cluster_network_policy),
		cmocka_unit_test(test_admin_network_policy),
		cmocka_unit_test(test_unknown_peers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
