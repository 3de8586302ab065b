/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_load_policy.c - every field of NetworkPolicy, TrafficPolicy, ClusterTrafficPolicy is read
 *
 * A table for each kind: what is written, and the lines of the model (tests/lib/model_text.h) that must come of it.
 */
#include "policy/load.h"
#include "tests/lib/model_text.h"

#include "common/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
	const char *spec; /* below "spec:", two blanks to the right */
	const char *want; /* lines; "" where all is as usual */
	size_t warnings;
};

static bool has_line(const char *text, const char *line, size_t len)
{
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strcspn(p, "\n") == len && strncmp(p, line, len) == 0)
			return true;
	return false;
}

static void check_row(const char *head, const struct row *row)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf text = BH_BUF_INIT, got = BH_BUF_INIT;

	bh_buf_printf(&text, "%s%s", head, row->spec);
	assert_int_not_equal(bh_load_text(set, "t.yaml", text.data, text.len, &d), -ENOMEM);
	assert_int_not_equal(bh_load_finish(set, &d), -ENOMEM);
	if (d.n_errors || d.n_warnings != row->warnings) {
		bh_diags_print(&d, &got);
		fail_msg("%s\n%s", row->spec, got.data);
	}
	assert_int_equal(set->n_policies, 1);
	bh_model_put_policy(&got, set->policies[0]);
	for (const char *p = row->want; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (!has_line(bh_buf_str(&got), p, strcspn(p, "\n")))
			fail_msg("%s\nwants: %.*s\ngot:\n%s", row->spec, (int)strcspn(p, "\n"), p,
				 bh_buf_str(&got));
}

static void check_rows(const char *head, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_row(head, &rows[i]);
}

/* The text of all that a policy says. */
static void check_whole(const char *text, const char *want)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_buf_done) struct bh_buf got = BH_BUF_INIT;

	assert_int_equal(bh_load_text(set, "t.yaml", text, strlen(text), &d), 0);
	assert_int_equal(bh_load_finish(set, &d), 0);
	bh_model_put_policy(&got, set->policies[0]);
	assert_string_equal(bh_buf_str(&got), want);
}

#define RULE_DEFAULTS(at)                                                                      \
	at ".log no\n" at ".urgency info\n" at                                                 \
	   ".fail overload refuse midstream refuse unknown refuse\n" at ".switches usual\n" at \
	   ".proxy refuse\n" at ".evidence 0\n" at ".expires 0\n" at ".when always\n"

/* ---- NetworkPolicy ---- */

#define NP                                                                                         \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web, namespace: " \
	"shop}\nspec:\n"

static void test_network_policy(void **state)
{
	static const struct row rows[] = {
		{ "  podSelector: {matchLabels: {app: web}, matchExpressions: [{key: a, operator: NotIn, "
		  "values: [z, x]}, {key: b, operator: Exists}, {key: c, operator: DoesNotExist}]}\n",
		  "pods a notin (x, z), app in (web), b, !c\nnamespaces own\nisolates ingress\n",
		  0 },
		{ "  podSelector: {}\n  policyTypes: [Egress]\n",
		  "pods everything\nisolates egress\n", 0 },
		{ "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n",
		  "isolates ingress egress\n", 0 },
		{ "  podSelector: {}\n  ingress:\n  - from:\n    - podSelector: {matchLabels: {a: b}}\n"
		  "    - namespaceSelector: {}\n    - {namespaceSelector: {matchLabels: {c: m}}, podSelector: "
		  "{}}\n    - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0/16]}\n"
		  "    ports: [{}, {port: 53, protocol: UDP}, {port: 80, endPort: 90}, {port: http, protocol: "
		  "SCTP}]\n",
		  "ingress[0].peers[0] endpoints with a in (b)\n"
		  "ingress[0].peers[1] endpoints in everything\n"
		  "ingress[0].peers[2] endpoints in c in (m) with everything\n"
		  "ingress[0].peers[3] block 10.0.0.0/8 but 10.1.0.0/16 but 10.2.0.0/16\n"
		  "ingress[0].ports[0] tcp 0-65535\ningress[0].ports[1] udp 53-53\n"
		  "ingress[0].ports[2] tcp 80-90\ningress[0].ports[3] sctp http\n",
		  0 },
		{ "  podSelector: {}\n  egress: [{to: [{podSelector: {}}]}]\n",
		  "isolates ingress egress\negress[0].peers[0] endpoints with everything\n", 0 },
	};

	(void)state;
	check_rows(NP, rows, BH_ARRAY_SIZE(rows));
	check_whole(
	    NP "  podSelector: {}\n  ingress: [{}]\n",
	    "NetworkPolicy shop/web\ntier application\npriority -1\nmode enforce\n"
	    "promote monitor 0 enforce 0\nexpires 0\npods everything\nnamespaces own\n"
	    "isolates ingress\nunknown refuse\nevidence 0\n"
	    "ingress[0].name (none)\ningress[0].action allow\ningress[0].peers everybody\n"
	    "ingress[0].ports every\ningress[0].protocols any\n" RULE_DEFAULTS("ingress[0]"));
}

/* ---- TrafficPolicy ---- */

#define TP                                                                                              \
	"apiVersion: bulkhead.network/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: web, namespace: " \
	"shop}\nspec:\n  podSelector: {}\n"

static void test_spec(void **state)
{
	static const struct row rows[] = {
		{ "  isolate: none\n", "isolates\n", 0 },
		{ "  isolate: ingress\n", "isolates ingress\n", 0 },
		{ "  isolate: egress\n", "isolates egress\n", 0 },
		{ "  isolate: both\n", "isolates ingress egress\n", 0 },
		{ "  policyTypes: [Egress]\n", "isolates egress\n", 0 },
		{ "  tier: application\n", "tier application\npriority -1\n", 0 },
		{ "  mode: monitor\n", "mode monitor\n", 0 },
		{ "  mode: learn\n", "mode learn\n", 0 },
		{ "  mode: enforce\n", "mode enforce\n", 0 },
		{ "  mode: learn\n  promote: {monitorAfter: '2030-01-01T00:00:00Z', enforceAfter: "
		  "2030-02-01T00:00:00+01:00}\n",
		  "promote monitor 1893456000 enforce 1896130800\n", 0 },
		{ "  mode: monitor\n  promote: {enforceAfter: '2030-01-01T00:00:00.5Z'}\n",
		  "promote monitor 0 enforce 1893456000\n", 0 },
		{ "  expires: 2031-03-08T00:00:00Z\n", "expires 1930694400\n", 0 },
		/* 0 would be "never". */
		{ "  expires: 1970-01-01T00:00:00Z\n", "expires 1\n", 0 },
		{ "  expires: 1960-01-01T00:00:00Z\n", "expires 1\n", 0 },
		{ "  unknownProtocol: alert\n  ingress: [{}]\n",
		  "unknown alert\ningress[0].fail overload refuse midstream refuse unknown alert\n",
		  0 },
		{ "  unknownProtocol: allow\n  onOverload: alert\n  midstream: allow\n  evidence: 64\n"
		  "  ingress: [{}, {unknownProtocol: deny, onOverload: refuse, midstream: alert, evidence: "
		  "0}]\n",
		  "unknown allow\nevidence 64\n"
		  "ingress[0].fail overload alert midstream allow unknown allow\ningress[0].evidence 64\n"
		  "ingress[1].fail overload refuse midstream alert unknown refuse\ningress[1].evidence 0\n",
		  0 },
	};

	(void)state;
	check_rows(TP, rows, BH_ARRAY_SIZE(rows));
	check_whole(TP "  isolate: none\n  egress: [{}]\n",
		    "TrafficPolicy shop/web\ntier application\npriority -1\nmode enforce\n"
		    "promote monitor 0 enforce 0\nexpires 0\npods everything\nnamespaces own\n"
		    "isolates\nunknown refuse\nevidence 0\n"
		    "egress[0].name (none)\negress[0].action allow\negress[0].peers everybody\n"
		    "egress[0].ports every\negress[0].protocols any\n" RULE_DEFAULTS("egress[0]"));
}

#define IN  "  isolate: none\n  ingress:\n  - "
#define OUT "  isolate: none\n  egress:\n  - "

static void test_rule(void **state)
{
	static const struct row rows[] = {
		{ IN "name: the first one\n", "ingress[0].name the first one\n", 0 },
		{ IN "action: allow\n", "ingress[0].action allow\ningress[0].urgency info\n", 0 },
		{ IN "action: deny\n", "ingress[0].action deny\ningress[0].urgency warning\n", 0 },
		{ IN "action: reject\n", "ingress[0].action reject\ningress[0].urgency warning\n",
		  0 },
		{ IN "action: alert\n", "ingress[0].action alert\ningress[0].urgency warning\n",
		  0 },
		{ IN "action: log\n", "ingress[0].action log\ningress[0].urgency info\n", 0 },
		{ IN "{action: deny, severity: critical}\n", "ingress[0].urgency critical\n", 0 },
		{ IN "{action: deny, severity: info}\n", "ingress[0].urgency info\n", 0 },
		{ IN "{severity: warning}\n", "ingress[0].urgency warning\n", 0 },
		{ IN "log: true\n", "ingress[0].log yes\n", 0 },
		{ IN "log: false\n", "ingress[0].log no\n", 0 },
		{ IN "expires: '2031-03-01T18:00:00Z'\n", "ingress[0].expires 1930154400\n", 0 },
		{ IN
		  "when: {days: [Mon, Fri, Sun], from: 08:00, to: '18:30', timeZone: Europe/Vienna}\n",
		  "ingress[0].when days 0x51 08:00-18:30 Europe/Vienna\n", 0 },
		{ IN "when: {days: [Tue]}\n", "ingress[0].when days 0x02 00:00-24:00 UTC\n", 0 },
		{ IN "when: {from: '22:00', to: '06:00'}\n",
		  "ingress[0].when days 0x7f 22:00-06:00 UTC\n", 0 },
		{ IN "when: {to: '24:00', timeZone: UTC}\n",
		  "ingress[0].when days 0x7f 00:00-24:00 UTC\n", 0 },
		{ IN "onOverload: allow\n",
		  "ingress[0].fail overload allow midstream refuse unknown refuse\n", 0 },
		{ IN "midstream: alert\n",
		  "ingress[0].fail overload refuse midstream alert unknown refuse\n", 0 },
		{ IN "unknownProtocol: alert\n",
		  "ingress[0].fail overload refuse midstream refuse unknown alert\n", 0 },
		{ IN "switches: [starttls, sslrequest]\n",
		  "ingress[0].switches starttls sslrequest\n", 0 },
		{ IN "switches: [sslrequest]\n", "ingress[0].switches sslrequest\n", 0 },
		{ IN "switches: []\n", "ingress[0].switches none\n", 0 },
		{ IN "proxyHeader: refuse\n", "ingress[0].proxy refuse\n", 0 },
		{ IN "proxyHeader: allow\n", "ingress[0].proxy allow\n", 0 },
		{ IN "proxyHeader: require\n", "ingress[0].proxy require\n", 0 },
		{ IN "evidence: 12\n", "ingress[0].evidence 12\n", 0 },
	};

	(void)state;
	check_rows(TP, rows, BH_ARRAY_SIZE(rows));
}

static void test_peers(void **state)
{
	static const struct row rows[] = {
		{ IN
		  "from: [{entity: world}, {entity: host}, {entity: nodes}, {entity: cluster}, {entity: "
		  "dns}, {entity: all}]\n",
		  "ingress[0].peers[0] entity world\ningress[0].peers[1] entity host\n"
		  "ingress[0].peers[2] entity nodes\ningress[0].peers[3] entity cluster\n"
		  "ingress[0].peers[4] entity dns\ningress[0].peers[5] entity all\n",
		  0 },
		{ OUT "to: [{fqdn: [API.Stripe.example., '*.bank.example', _sip._udp.example]}]\n",
		  "egress[0].peers[0] names api.stripe.example, *.bank.example, _sip._udp.example\n",
		  0 },
		{ IN "from: []\n", "ingress[0].peers everybody\n", 0 },
		{ OUT
		  "to: [{podSelector: {matchLabels: {a: b}}, namespaceSelector: {}}, {ipBlock: {cidr: "
		  "'fd00::/8'}}]\n",
		  "egress[0].peers[0] endpoints in everything with a in (b)\n"
		  "egress[0].peers[1] block fd00::/8\n",
		  0 },
	};

	(void)state;
	check_rows(TP, rows, BH_ARRAY_SIZE(rows));
}

static void test_ports(void **state)
{
	static const struct row rows[] = {
		{ IN "ports: []\n", "ingress[0].ports every\n", 0 },
		{ IN
		  "ports: [80, 53/udp, 8000-8100, http, metrics/sctp, {port: 9, protocol: UDP}]\n",
		  "ingress[0].ports[0] tcp 80-80\ningress[0].ports[1] udp 53-53\n"
		  "ingress[0].ports[2] tcp 8000-8100\ningress[0].ports[3] tcp http\n"
		  "ingress[0].ports[4] sctp metrics\ningress[0].ports[5] udp 9-9\n",
		  0 },
		{ IN "icmp: [echo-request]\n",
		  "ingress[0].ports[0] icmp 8/0-8/255\ningress[0].ports[1] icmpv6 128/0-128/255\n",
		  0 },
		{ IN "{ports: [80], icmp: [packet-too-big, timestamp-request]}\n",
		  "ingress[0].ports[0] tcp 80-80\ningress[0].ports[1] icmpv6 2/0-2/255\n"
		  "ingress[0].ports[2] icmp 13/0-13/255\n",
		  0 },
		{ IN "icmp: [8, '3', 3/1]\n",
		  "ingress[0].ports[0] icmp 8/0-8/255\ningress[0].ports[1] icmpv6 8/0-8/255\n"
		  "ingress[0].ports[2] icmp 3/0-3/255\ningress[0].ports[4] icmp 3/1-3/1\n"
		  "ingress[0].ports[5] icmpv6 3/1-3/1\n",
		  0 },
		/* Nothing is left: nothing matches. */
		{ IN "icmp: [echo-reply]\n", "ingress[0].ports none\n", 1 },
		{ IN
		  "icmp: [destination-unreachable, time-exceeded, parameter-problem, redirect]\n",
		  "ingress[0].ports[0] icmp 3/0-3/255\ningress[0].ports[1] icmpv6 1/0-1/255\n"
		  "ingress[0].ports[2] icmp 11/0-11/255\ningress[0].ports[3] icmpv6 3/0-3/255\n"
		  "ingress[0].ports[4] icmp 12/0-12/255\ningress[0].ports[5] icmpv6 4/0-4/255\n"
		  "ingress[0].ports[6] icmp 5/0-5/255\ningress[0].ports[7] icmpv6 137/0-137/255\n",
		  0 },
	};

	(void)state;
	check_rows(TP, rows, BH_ARRAY_SIZE(rows));
}

static void test_protocols(void **state)
{
	static const struct row rows[] = {
		{ IN "protocols: [http, postgresql, unknown]\n",
		  "ingress[0].protocols one of http postgres unknown\n", 0 },
		{ IN "{action: deny, notProtocols: [tls, quic]}\n",
		  "ingress[0].protocols not tls quic\n", 0 },
		{ IN "{action: deny, protocols: [mail]}\n",
		  "ingress[0].protocols one of smtp imap pop3\n", 0 },
		{ IN "{action: reject, protocols: [database, ssh]}\n",
		  "ingress[0].protocols one of ssh redis postgres mysql mongodb memcached cassandra\n",
		  0 },
		{ IN "{action: alert, notProtocols: [remote-desktop]}\n",
		  "ingress[0].protocols not rdp vnc\n", 0 },
		{ IN "{action: log, protocols: [file-sharing, vpn]}\n",
		  "ingress[0].protocols one of smb nfs ftp rsync openvpn wireguard tor\n", 0 },
		/* What is known by name only is left out where it would be allowed. */
		{ IN "protocols: [database]\n", "ingress[0].protocols one of redis postgres\n", 1 },
	};

	(void)state;
	check_rows(TP, rows, BH_ARRAY_SIZE(rows));
}

static void test_details(void **state)
{
	static const struct row rows[] = {
		{ IN
		  "http:\n    - {methods: [GET, M-SEARCH], paths: [/, '/public/**', '/a/*/b'], hosts: "
		  "[Shop.Example.COM, '*.example.com']}\n    - connect: ['DB.example:5432', "
		  "'*.example:*']\n    - {upgrade: [websocket]}\n",
		  "ingress[0].protocols one of http\n"
		  "ingress[0].http[0] methods GET, M-SEARCH; paths /, /public/**, /a/*/b; hosts "
		  "shop.example.com, *.example.com\n"
		  "ingress[0].http[1] connect db.example:5432, *.example:*\n"
		  "ingress[0].http[2] upgrade websocket\n",
		  0 },
		{ IN
		  "tls: {serverNames: [a.example], alpn: [h2, http/1.1], minVersion: '1.2', ech: "
		  "absent}\n",
		  "ingress[0].protocols one of tls\n"
		  "ingress[0].tls[0] serverNames a.example; alpn h2, http/1.1; minVersion 1.2; ech "
		  "absent\n",
		  0 },
		{ IN
		  "dns: {names: ['*.example', _dmarc.example], types: [A, AAAA, TYPE65, TYPE64999]}\n",
		  "ingress[0].protocols one of dns\n"
		  "ingress[0].dns[0] names *.example, _dmarc.example; types A, AAAA, HTTPS, TYPE64999\n",
		  0 },
		/* Each binds its own protocol. */
		{ IN "{http: [{methods: [GET]}], dns: {types: [A]}}\n",
		  "ingress[0].protocols one of http dns\ningress[0].http[0] methods GET\n"
		  "ingress[0].dns[0] types A\n",
		  0 },
		{ IN "{protocols: [ssh, tls], tls: {ech: present}}\n",
		  "ingress[0].protocols one of tls ssh\ningress[0].tls[0] ech present\n", 0 },
		{ IN "{action: deny, protocols: [quic], tls: {serverNames: [a.example]}}\n",
		  "ingress[0].protocols one of quic\ningress[0].tls[0] serverNames a.example\n",
		  0 },
	};

	(void)state;
	check_rows(TP, rows, BH_ARRAY_SIZE(rows));
}

/* ---- ClusterTrafficPolicy ---- */

#define CTP                                                                                    \
	"apiVersion: bulkhead.network/v1alpha1\nkind: ClusterTrafficPolicy\nmetadata: {name: " \
	"guard}\nspec:\n"

static void test_cluster_traffic_policy(void **state)
{
	static const struct row rows[] = {
		{ "  tier: admin\n  priority: 0\n  podSelector: {}\n",
		  "ClusterTrafficPolicy guard\ntier admin\npriority 0\nnamespaces all\nisolates\n",
		  0 },
		{ "  tier: baseline\n  priority: 1000\n  namespaceSelector: {matchLabels: {a: b}}\n"
		  "  podSelector: {matchLabels: {c: d}}\n",
		  "tier baseline\npriority 1000\nnamespaces a in (b)\npods c in (d)\nisolates\n",
		  0 },
		/* Rules in the application tier isolate like those of a TrafficPolicy. */
		{ "  podSelector: {}\n  egress: [{}]\n",
		  "tier application\npriority -1\nisolates ingress egress\n", 0 },
		{ "  tier: admin\n  priority: 7\n  ingress:\n  - {action: pass, protocols: [ssh], from: "
		  "[{podSelector: {}}]}\n  - {action: alert, risks: [tls-obsolete-version, "
		  "clear-text-credentials]}\n  - {action: log, risks: [possible-exploit], protocols: [http]}\n",
		  "ingress[0].action pass\ningress[0].urgency info\n"
		  "ingress[0].peers[0] endpoints with everything\n"
		  "ingress[1].protocols any\n"
		  "ingress[1].risks[0] risks tls-obsolete-version, clear-text-credentials\n"
		  "ingress[2].protocols one of http\ningress[2].risks[0] risks possible-exploit\n",
		  0 },
		/* Not a word of who is meant: a warning only where something is refused. */
		{ "  tier: admin\n  priority: 7\n  ingress: [{action: alert}]\n",
		  "namespaces all\n", 0 },
		{ "  tier: admin\n  priority: 7\n  ingress: [{action: deny}]\n", "namespaces all\n",
		  1 },
		{ "  isolate: both\n", "isolates ingress egress\n", 1 },
		{ "  isolate: both\n  namespaceSelector: {}\n", "namespaces everything\n", 0 },
	};

	(void)state;
	check_rows(CTP, rows, BH_ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_network_policy),
		cmocka_unit_test(test_spec),
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_cluster_traffic_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
