/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_load.c - manifests become the model: defaults, short forms, objects, lists, files, folders
 */
#include "common/file.h"
#include "common/limits.h"
#include "common/util.h"
#include "policy/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define TP                                                                                              \
	"apiVersion: bulkhead.network/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: web, namespace: " \
	"shop}\nspec:\n  podSelector: {matchLabels: {app: web}}\n"
#define NP                                                                                         \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web, namespace: " \
	"shop}\nspec:\n  podSelector: {matchLabels: {app: web}}\n"

static struct bh_policy_set *load(const char *text, size_t warnings)
{
	struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	int r, q;

	assert_non_null(set);
	r = bh_load_text(set, "t.yaml", text, strlen(text), &d);
	q = bh_load_finish(set, &d);
	if (r < 0 || q < 0 || d.n_warnings != warnings) {
		bh_diags_print(&d, &b);
		fail_msg("%s", b.data);
	}
	return set;
}

static void test_traffic_policy(void **state)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = load(
	    TP
	    "  isolate: both\n  mode: monitor\n  unknownProtocol: alert\n  ingress:\n"
	    "  - name: clients\n    action: reject\n    ports: [80, 53/udp, 8000-8100, "
	    "9/SCTP, http, metrics/udp, '443', 5-6/udp]\n    protocols: [http, unknown, postgresql]\n"
	    "  - notProtocols: [tls]\n  egress: []\n",
	    0);
	const struct bh_policy *p = set->policies[0];
	const struct bh_rule *r = &p->rules[BH_DIR_INGRESS][0];
	static const struct {
		uint8_t l4;
		uint16_t lo, hi;
		const char *name;
	} ports[] = { { BH_L4_TCP, 80, 80, NULL },     { BH_L4_UDP, 53, 53, NULL },
		      { BH_L4_TCP, 8000, 8100, NULL }, { BH_L4_SCTP, 9, 9, NULL },
		      { BH_L4_TCP, 0, 0, "http" },     { BH_L4_UDP, 0, 0, "metrics" },
		      { BH_L4_TCP, 443, 443, NULL },   { BH_L4_UDP, 5, 6, NULL } };

	(void)state;
	assert_int_equal(p->kind, BH_KIND_TRAFFIC_POLICY);
	assert_string_equal(p->ns, "shop");
	assert_string_equal(p->file, "t.yaml");
	assert_int_equal(p->tier, BH_TIER_APPLICATION);
	assert_int_equal(p->priority, -1);
	assert_int_equal(p->mode, BH_MODE_MONITOR);
	assert_int_equal(p->unknown, BH_FAIL_ALERT);
	assert_true(p->isolates[BH_DIR_INGRESS]);
	assert_true(p->isolates[BH_DIR_EGRESS]);
	assert_int_equal(p->n_rules[BH_DIR_INGRESS], 2);
	assert_int_equal(p->n_rules[BH_DIR_EGRESS], 0);
	assert_int_equal(r->action, BH_ACTION_REJECT);
	assert_string_equal(r->name, "clients");
	assert_int_equal(r->pos.line, 10);
	assert_int_equal(r->n_ports, BH_ARRAY_SIZE(ports));
	for (size_t i = 0; i < r->n_ports; i++) {
		assert_int_equal(r->ports[i].l4, ports[i].l4);
		assert_int_equal(r->ports[i].lo, ports[i].lo);
		assert_int_equal(r->ports[i].hi, ports[i].hi);
		assert_true(ports[i].name ? bh_streq(r->ports[i].name, ports[i].name)
					  : !r->ports[i].name);
	}
	assert_true(r->has_protocols);
	assert_false(r->negated);
	assert_true(bh_protoset_has(&r->protocols, BH_PROTO_HTTP));
	assert_true(bh_protoset_has(&r->protocols, BH_PROTO_UNKNOWN));
	assert_true(bh_protoset_has(&r->protocols, BH_PROTO_POSTGRES));
	assert_false(bh_protoset_has(&r->protocols, BH_PROTO_TLS));
	r = &p->rules[BH_DIR_INGRESS][1];
	assert_int_equal(r->action, BH_ACTION_ALLOW);
	assert_true(r->has_protocols && r->negated);
	assert_int_equal(r->n_peers + r->n_ports, 0);
}

/* What is isolated, and how many rules are left, for each direction: "I1 E0" or "-0 E1". */
static void expect_isolation(const char *text, size_t warnings, const char *want)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = load(text, warnings);
	const struct bh_policy *p = set->policies[0];
	char got[32];

	(void)snprintf(got, sizeof(got), "%s%zu %s%zu", p->isolates[BH_DIR_INGRESS] ? "I" : "-",
		       p->n_rules[BH_DIR_INGRESS], p->isolates[BH_DIR_EGRESS] ? "E" : "-",
		       p->n_rules[BH_DIR_EGRESS]);
	assert_string_equal(got, want);
}

static void test_isolation(void **state)
{
	(void)state;
	expect_isolation(NP, 0, "I0 -0");
	expect_isolation(NP "  egress: []\n", 0, "I0 -0");
	expect_isolation(NP "  egress: [{}]\n", 0, "I0 E1");
	expect_isolation(NP "  policyTypes: [Egress]\n", 0, "-0 E0");
	expect_isolation(NP "  policyTypes: []\n  egress: [{}]\n", 0, "I0 E1");
	/* Rules of a direction that policyTypes leaves out mean nothing, and a warning says so. */
	expect_isolation(NP "  policyTypes: [Egress]\n  ingress: [{}]\n", 1, "-0 E0");
	expect_isolation(TP "  policyTypes: [Egress]\n  ingress: [{}]\n", 1, "-0 E0");
	expect_isolation(TP "  policyTypes: [Egress]\n  ingress: [{action: deny}]\n", 0, "-1 E0");
	expect_isolation(TP, 0, "I0 -0");
	expect_isolation(TP "  egress: [{}]\n", 0, "I0 E1");
	expect_isolation(TP "  isolate: none\n  egress: [{action: deny}, {}]\n", 0, "-0 -2");
	expect_isolation(TP "  isolate: egress\n", 0, "-0 E0");
	expect_isolation(TP "  isolate: ingress\n  ingress: [null]\n", 1, "I1 -0");
}

static void test_network_policy(void **state)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = load(
	    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, uid: x, "
	    "resourceVersion: '5', managedFields: [{}]}, status: {}, spec: {podSelector: {}, ingress: [{from: "
	    "[{podSelector: {}}, {namespaceSelector: {}, podSelector: {matchLabels: {a: b}}}, {ipBlock: "
	    "{cidr: 10.1.2.3/8, except: [10.1.0.0/16]}}], ports: [{}, {protocol: UDP, port: 53}, {port: 80, "
	    "endPort: 90}, {port: http}]}]}}",
	    0);
	const struct bh_policy *p = set->policies[0];
	const struct bh_rule *r = &p->rules[BH_DIR_INGRESS][0];
	char buf[BH_PREFIX_STRLEN];

	(void)state;
	assert_string_equal(p->ns, "default");
	assert_int_equal(p->mode, BH_MODE_ENFORCE);
	assert_int_equal(r->action, BH_ACTION_ALLOW);
	assert_true(r->peers[0].has_pod && !r->peers[0].has_ns &&
		    r->peers[0].kind == BH_PEER_ENDPOINTS);
	assert_true(r->peers[1].has_pod && r->peers[1].has_ns);
	assert_true(r->peers[2].kind == BH_PEER_BLOCK);
	assert_string_equal(bh_prefix_format(&r->peers[2].block.cidr, buf), "10.0.0.0/8");
	assert_string_equal(bh_prefix_format(&r->peers[2].block.except[0], buf), "10.1.0.0/16");
	assert_int_equal(r->ports[0].l4, BH_L4_TCP);
	assert_int_equal(r->ports[0].lo, 0);
	assert_int_equal(r->ports[0].hi, 65535);
	assert_int_equal(r->ports[1].l4, BH_L4_UDP);
	assert_int_equal(r->ports[2].hi, 90);
	assert_string_equal(r->ports[3].name, "http");
}

static void test_namespace_and_endpoint(void **state)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = load(
	    "apiVersion: v1\nkind: Namespace\nmetadata: {name: my_shop, labels: {team: web}}\n"
	    "spec: {finalizers: [kubernetes]}\nstatus: {phase: Active}\n---\n"
	    "apiVersion: v1\nkind: Namespace\nmetadata: {name: b, labels: "
	    "{kubernetes.io/metadata.name: c}}\n---\n"
	    "apiVersion: bulkhead.network/v1alpha1\nkind: Endpoint\nmetadata: {name: db_1, "
	    "namespace: my_shop, labels: {app: db, com.docker/x/y: 'a b'}}\nspec:\n"
	    "  addresses: [10.0.0.5, fd00::5]\n  node: host-2\n  local: yes\n  ports:\n"
	    "  - {name: pg, port: 5432}\n  - {name: dns, port: 53, protocol: UDP}\n---\n"
	    "apiVersion: bulkhead.network/v1alpha1\nkind: Endpoint\nmetadata: {name: a}\nspec: "
	    "{addresses: [10.0.0.6]}\n",
	    0);
	const struct bh_endpoint *e = set->endpoints[1];
	char buf[BH_ADDR_STRLEN];

	(void)state;
	assert_int_equal(set->n_namespaces, 2);
	assert_string_equal(set->namespaces[0]->name, "b");
	assert_string_equal(
	    bh_labels_get(&set->namespaces[0]->labels, "kubernetes.io/metadata.name"), "c");
	assert_string_equal(
	    bh_labels_get(&set->namespaces[1]->labels, "kubernetes.io/metadata.name"), "my_shop");
	assert_string_equal(bh_labels_get(&set->namespaces[1]->labels, "team"), "web");
	assert_int_equal(set->n_endpoints, 2);
	assert_string_equal(set->endpoints[0]->id, "default/a");
	assert_false(set->endpoints[0]->local);
	assert_null(set->endpoints[0]->node);
	assert_string_equal(e->id, "my_shop/db_1");
	assert_string_equal(bh_labels_get(&e->labels, "com.docker/x/y"), "a b");
	assert_string_equal(e->node, "host-2");
	assert_true(e->local);
	assert_int_equal(e->n_addrs, 2);
	assert_string_equal(bh_addr_format(&e->addrs[1], buf), "fd00::5");
	assert_int_equal(e->n_ports, 2);
	assert_string_equal(e->ports[1].name, "dns");
	assert_int_equal(e->ports[1].l4, BH_L4_UDP);
	assert_int_equal(e->ports[0].l4, BH_L4_TCP);
	assert_int_equal(e->ports[0].port, 5432);
}

/* The source of a policy is a document that means the same. */
static void test_source(void **state)
{
	static const char text[] =
	    "# about a\n---\n# in a\n" NP "---\n# about b\n" TP
	    "--- {apiVersion: v1, kind: List, items: [{apiVersion: networking.k8s.io/v1, kind: "
	    "NetworkPolicy, metadata: {name: c}, spec: {podSelector: &x {}}}, {apiVersion: "
	    "networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: d}, spec: {podSelector: *x}}]}\n"
	    "---\napiVersion: v1\nkind: List\nitems:\n  - apiVersion: networking.k8s.io/v1\n"
	    "    kind: NetworkPolicy\n    metadata: {name: e}\n    spec:\n      podSelector: {}\n";
	static const char *const want[] = {
		"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: c}, spec: "
		"{podSelector: &x {}}}\n",
		"{\"apiVersion\": \"networking.k8s.io/v1\", \"kind\": \"NetworkPolicy\", \"metadata\": {\"name\": "
		"\"d\"}, \"spec\": {\"podSelector\": {}}}\n",
		"    apiVersion: networking.k8s.io/v1\n    kind: NetworkPolicy\n    metadata: {name: e}\n    "
		"spec:\n      podSelector: {}\n",
		"# about a\n---\n# in a\n" NP,
		"# about b\n" TP,
	};
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = load(text, 0);

	(void)state;
	assert_int_equal(set->n_policies, BH_ARRAY_SIZE(want));
	for (size_t i = 0; i < BH_ARRAY_SIZE(want); i++) {
		const struct bh_policy *p = set->policies[i];
		const char *source = strstr(p->source, want[i]);
		bh_cleanup(bh_policy_set_freep) struct bh_policy_set *again = load(p->source, 0);

		if (!source)
			fail_msg("%s", p->source);
		assert_int_equal(again->n_policies, 1);
		assert_string_equal(again->policies[0]->name, p->name);
		assert_non_null(bh_policy_set_find(set, p->kind, p->ns, p->name));
	}
	assert_null(bh_policy_set_find(set, BH_KIND_NETWORK_POLICY, "shop", "other"));
}

/* On error the set holds what was right. */
static void test_the_right_ones_stay(void **state)
{
	static const char text[] = NP "---\n" TP "  nonsense: 1\n---\n@\n---\nkind: [\n---\n"
				      "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;

	(void)state;
	assert_int_equal(bh_load_text(set, "t", text, sizeof(text) - 1, &d), -EINVAL);
	assert_int_equal(d.n_errors, 3);
	assert_int_equal(set->n_policies, 1);
	assert_int_equal(set->n_namespaces, 1);
	assert_int_equal(bh_load_text(set, "u", TP, sizeof(TP) - 1, &d), 0);
	assert_int_equal(bh_load_finish(set, &d), 0);
	/* The same identity in another file. */
	assert_int_equal(bh_load_text(set, "v", TP, sizeof(TP) - 1, &d), 0);
	assert_int_equal(bh_load_finish(set, &d), -EINVAL);
	assert_string_equal(d.items[3].message,
			    "TrafficPolicy shop/web is defined twice: here and in u:1:1");
	assert_string_equal(d.items[3].file, "v");
	assert_string_equal(d.items[3].code, "e14");
}

static void test_order(void **state)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	char text[256];

	(void)state;
	for (int i = 0; i < 300; i++) {
		int n = snprintf(
		    text, sizeof(text),
		    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: "
		    "p%03d, namespace: n%d}, spec: {podSelector: {}}}",
		    i * 7 % 300, i % 3);

		assert_int_equal(bh_load_text(set, "t", text, (size_t)n, &d), 0);
	}
	assert_non_null(bh_policy_set_find(set, BH_KIND_NETWORK_POLICY, "n1", "p007"));
	assert_int_equal(bh_load_finish(set, &d), 0);
	for (size_t i = 1; i < set->n_policies; i++) {
		int c = strcmp(set->policies[i - 1]->ns, set->policies[i]->ns);

		assert_true(c < 0 || (c == 0 && strcmp(set->policies[i - 1]->name,
						       set->policies[i]->name) < 0));
	}
	assert_non_null(bh_policy_set_find(set, BH_KIND_NETWORK_POLICY, "n1", "p007"));
	assert_null(bh_policy_set_find(set, BH_KIND_TRAFFIC_POLICY, "n1", "p007"));
}

static void test_many_errors(void **state)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT, out = BH_BUF_INIT;
	json_t *json;

	(void)state;
	/* Warnings first: errors take their places. */
	for (unsigned i = 0; i < BH_DIAG_MAX; i++)
		bh_buf_puts(
		    &b,
		    "--- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: "
		    "a}}\n");
	bh_buf_puts(&b, "---\n" TP);
	for (unsigned i = 0; i < BH_DIAG_MAX + 50; i++)
		bh_buf_printf(&b, "  x%u: 1\n", i);
	assert_int_equal(bh_load_text(set, "t", b.data, b.len, &d), -EINVAL);
	assert_int_equal(d.n, BH_DIAG_MAX);
	assert_int_equal(d.n_errors, BH_DIAG_MAX + 50);
	assert_int_equal(d.n_warnings, BH_DIAG_MAX);
	assert_int_equal(d.omitted, BH_DIAG_MAX + 50);
	for (size_t i = 0; i < d.n; i++)
		assert_int_equal(d.items[i].severity, BH_SEVERITY_ERROR);
	bh_diags_sort(&d);
	bh_diags_print(&d, &out);
	assert_non_null(strstr(bh_buf_str(&out), "250 more errors and warnings are not shown\n"));
	json = bh_diags_json(&d);
	assert_int_equal(json_array_size(json), BH_DIAG_MAX);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json, 0), "path")),
			    "spec.x0");
	assert_string_equal(json_string_value(json_object_get(json_array_get(json, 0), "severity")),
			    "error");
	assert_string_equal(json_string_value(json_object_get(json_array_get(json, 0), "code")),
			    "e1");
	json_decref(json);
}

/* ---- files and folders ---- */

static char dir[64];

static void put(const char *name, const char *text)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(bh_file_write(path, text, strlen(text), 0644, NULL), 0);
}

static void folder(const char *name)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void link_to(const char *target, const char *name)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(symlink(target, path), 0);
}

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/bh-test-load.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static const char ns_a[] = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
static const char ns_b[] = "apiVersion: v1\nkind: Namespace\nmetadata: {name: b}\n";
static const char ns_c[] = "apiVersion: v1\nkind: Namespace\nmetadata: {name: c}\n";

static void test_folder(void **state)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	char path[4096];

	(void)state;
	put("b.yaml", ns_a);
	put("a.yml", NP);
	put("c.json",
	    "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"j\"}}");
	put("README.md", "no manifest");
	put("x.yaml~", "{");
	put(".hidden.yaml", "{");
	put("real.txt", ns_c);
	folder("sub");
	put("sub/d.yaml", ns_b);
	folder(".git");
	put(".git/e.yaml", "{");
	link_to("real.txt", "link.yaml"); /* to a file: read */
	link_to(".", "sub/loop");         /* to a folder: not followed, or it would not end */
	link_to("..", "up.yaml");
	link_to("/dev/zero", "device");
	assert_int_equal(bh_load_path(set, dir, &d), 0);
	assert_int_equal(d.n, 0);
	assert_int_equal(bh_load_finish(set, &d), 0);
	assert_int_equal(set->n_policies, 1);
	assert_int_equal(set->n_namespaces, 4);
	(void)snprintf(path, sizeof(path), "%s/sub/d.yaml", dir);
	assert_string_equal(set->namespaces[1]->file, path);
	/* A file by name may be called anything. */
	put("other.txt", "apiVersion: v1\nkind: Namespace\nmetadata: {name: d}\n");
	(void)snprintf(path, sizeof(path), "%s/other.txt", dir);
	assert_int_equal(bh_load_path(set, path, &d), 0);
	assert_int_equal(set->n_namespaces, 5);
	/* Read once, however often it is named: this one the folder had, by its link. */
	(void)snprintf(path, sizeof(path), "%s/real.txt", dir);
	assert_int_equal(bh_load_path(set, path, &d), 0);
	assert_int_equal(bh_load_finish(set, &d), 0);
	assert_int_equal(set->n_namespaces, 5);
}

static void expect_unreadable(const char *name, const char *code, const char *what)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;

	assert_int_equal(bh_load_path(set, dir, &d), -EINVAL);
	assert_int_equal(d.n_errors, 1);
	assert_int_equal(set->n_namespaces, 1); /* the others are read */
	if (!strstr(d.items[0].file, name) || !strstr(d.items[0].message, what) ||
	    strcmp(d.items[0].code, code) != 0)
		fail_msg("%s: %s [%s]", d.items[0].file, d.items[0].message, d.items[0].code);
}

static void test_unreadable(void **state)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_autofree char *big = malloc(17 * 1024 * 1024);
	char path[4096];

	(void)state;
	put("z.yaml", ns_a);
	link_to("nowhere", "dangling.yaml");
	expect_unreadable("/dangling.yaml", "e23", "No such file");
	(void)snprintf(path, sizeof(path), "%s/dangling.yaml", dir);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/fifo.yaml", dir);
	assert_int_equal(mkfifo(path, 0644), 0);
	expect_unreadable("/fifo.yaml", "e23", "cannot be read: ");
	assert_int_equal(unlink(path), 0);
	assert_non_null(big);
	memset(big, '#', 17 * 1024 * 1024);
	(void)snprintf(path, sizeof(path), "%s/big.yaml", dir);
	assert_int_equal(bh_file_write(path, big, 17 * 1024 * 1024, 0644, NULL), 0);
	expect_unreadable("/big.yaml", "e22", "16777216 bytes");
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(bh_load_path(set, path, &d), -EINVAL);
	assert_string_equal(d.items[0].code, "e23");
}

static void deep(unsigned n, bool ok)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	char name[256] = "d";

	folder("d");
	for (unsigned i = 1; i < n; i++) {
		(void)strncat(name, "/d", sizeof(name) - strlen(name) - 1);
		folder(name);
	}
	(void)strncat(name, "/a.yaml", sizeof(name) - strlen(name) - 1);
	put(name, ns_a);
	assert_int_equal(bh_load_path(set, dir, &d), ok ? 0 : -EINVAL);
	assert_int_equal(set->n_namespaces, ok);
	if (!ok)
		assert_string_equal(d.items[0].code, "e22");
}

static void test_folder_depth(void **state)
{
	(void)state;
	deep(BH_FOLDER_DEPTH_MAX, true);
}

static void test_folder_depth_over(void **state)
{
	(void)state;
	deep(BH_FOLDER_DEPTH_MAX + 1, false);
}

static void test_examples(void **state)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	const char *root = getenv("BH_SOURCE_ROOT");
	char path[4096];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/examples/policies", root ? root : ".");
	assert_int_equal(bh_load_path(set, path, &d), 0);
	assert_int_equal(bh_load_finish(set, &d), 0);
	/* Example 8 watches for a protocol that cannot be detected yet, and says so. */
	assert_int_equal(d.n_errors, 0);
	for (size_t i = 0; i < d.n; i++)
		assert_string_equal(d.items[i].code, "w12");
	assert_true(set->n_policies >= 7);
}

/* A list or map of @n entries is read, one of @n + 1 is not. */
static void check_limit(const char *before, const char *entry, const char *after, unsigned limit,
			const char *path)
{
	for (unsigned n = limit; n <= limit + 1; n++) {
		bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
		bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
		bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
		int r;

		bh_buf_puts(&b, before);
		for (unsigned i = 0; i < n; i++) {
			const char *hole = strchr(entry, '#');

			bh_buf_puts(&b, i ? ", " : "");
			if (hole)
				bh_buf_printf(&b, "%.*s%u.%u%s", (int)(hole - entry), entry,
					      i / 250, i % 250 + 1, hole + 1);
			else
				bh_buf_puts(&b, entry);
		}
		bh_buf_puts(&b, after);
		r = bh_load_text(set, "t.yaml", b.data, b.len, &d);
		assert_int_equal(r, n == limit ? 0 : -EINVAL);
		if (n == limit)
			continue;
		assert_int_equal(d.n_errors, 1);
		assert_string_equal(d.items[0].code, "e22");
		assert_string_equal(d.items[0].path, path);
	}
}

static void test_limits(void **state)
{
	(void)state;
	check_limit(TP "  egress: [{to: [{fqdn: [", "a#.example", "]}]}]\n", BH_DETAIL_VALUES_MAX,
		    "spec.egress[0].to[0].fqdn");
	check_limit(TP "  egress: [{http: [{paths: [", "/a", "]}]}]\n", BH_DETAIL_VALUES_MAX,
		    "spec.egress[0].http[0].paths");
	check_limit(TP "  egress: [{http: [", "{methods: [GET]}", "]}]\n", BH_DETAIL_CLAUSES_MAX,
		    "spec.egress[0].http");
	check_limit(TP "  egress: [{protocols: [", "ssh", "]}]\n", BH_DETAIL_VALUES_MAX,
		    "spec.egress[0].protocols");
	check_limit(TP "  egress: [{icmp: [", "8", "]}]\n", BH_DETAIL_VALUES_MAX,
		    "spec.egress[0].icmp");
	check_limit(
	    "{apiVersion: bulkhead.network/v1alpha1, kind: Endpoint, metadata: {name: a}, spec: "
	    "{addresses: [",
	    "10.0.#", "]}}", BH_ADDRESSES_MAX, "spec.addresses");
	check_limit(
	    "{apiVersion: bulkhead.network/v1alpha1, kind: Node, metadata: {name: a}, spec: "
	    "{addresses: [",
	    "10.0.#", "]}}", BH_ADDRESSES_MAX, "spec.addresses");
	check_limit("{apiVersion: v1, kind: Node, metadata: {name: a}, status: {addresses: [",
		    "{type: InternalIP, address: 10.0.#}", "]}}", BH_ADDRESSES_MAX,
		    "status.addresses");
	check_limit("{apiVersion: v1, kind: Namespace, metadata: {name: a, labels: {", "a#: b",
		    "}}}", BH_LABELS_MAX, "metadata.labels");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traffic_policy),
		cmocka_unit_test(test_isolation),
		cmocka_unit_test(test_network_policy),
		cmocka_unit_test(test_namespace_and_endpoint),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_the_right_ones_stay),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many_errors),
		cmocka_unit_test_setup_teardown(test_folder, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_unreadable, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_folder_depth, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_folder_depth_over, make_dir, remove_dir),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
