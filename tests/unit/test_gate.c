// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_gate.c - what the dataplane cannot hold is an error or a warning, never silence
 *
 * Manifests as the agent reads them. What lets pass what a policy refuses must be an error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/manifest.h"
#include "common/buf.h"
#include "common/util.h"

#define SPEC(spec)                                \
	"apiVersion: bulkhead.network/v1alpha1\n" \
	"kind: ClusterTrafficPolicy\n"            \
	"metadata: {name: a}\n"                   \
	"spec:\n" spec

/* "e20 9:12 TEXT" for each diagnostic of the gate; others fail. */
static void found(const char *yaml, struct bh_buf *out, bool *ret_broken)
{
	bh_cleanup(bh_manifest_unrefp) struct bh_manifest *m = NULL;

	assert_int_equal(bh_manifest_new("a.yaml", strdup(yaml), strlen(yaml), false, &m), 0);
	for (size_t i = 0; i < m->diags.n; i++) {
		const struct bh_diag *d = &m->diags.items[i];

		if (strcmp(d->code, "e20") != 0 && strcmp(d->code, "w13") != 0) {
			if (d->severity == BH_SEVERITY_ERROR)
				fail_msg("%s: %s", d->code, d->message);
			continue;
		}
		bh_buf_printf(out, "%s %u:%u %s\n", d->code, d->pos.line, d->pos.column,
			      d->message);
	}
	*ret_broken = m->broken;
}

static void silent(const char *yaml)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	bool broken;

	found(yaml, &b, &broken);
	assert_string_equal(bh_buf_str(&b), "");
	assert_false(broken);
}

/* Exactly one, of that code, at that place, saying that. */
static void says(const char *yaml, const char *head, const char *text)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	bool broken;

	found(yaml, &b, &broken);
	if (strncmp(bh_buf_str(&b), head, strlen(head)) != 0 || !strstr(bh_buf_str(&b), text) ||
	    strchr(bh_buf_str(&b), '\n') != strrchr(bh_buf_str(&b), '\n'))
		fail_msg("not '%s ... %s' but: %s", head, text, bh_buf_str(&b));
	assert_int_equal(broken, head[0] == 'e');
}

static void test_what_would_pass(void **state)
{
	(void)state;
	says(SPEC("  isolate: ingress\n"
		  "  ingress:\n"
		  "  - {ports: [5432], protocols: [postgres], switches: []}\n"),
	     "e20 7:5 cannot be enforced by this version: switches", "spec.ingress[0]");
	says(SPEC("  isolate: ingress\n"
		  "  ingress:\n"
		  "  - {notProtocols: [ssh], switches: [sslrequest]}\n"),
	     "e20 7:5 ", "switches");
	silent(SPEC("  isolate: ingress\n"
		    "  ingress:\n"
		    "  - {ports: [5432], protocols: [postgres], switches: [sslrequest]}\n"
		    "  - {ports: [80], protocols: [http], switches: []}\n"
		    "  - {ports: [81], switches: []}\n"));
	says(SPEC("  isolate: ingress\n"
		  "  ingress:\n"
		  "  - {ports: [80], protocols: [http], proxyHeader: require}\n"),
	     "e20 7:5 ", "proxyHeader: require");
}

static void test_what_is_refused_or_not_recorded(void **state)
{
	(void)state;
	says(SPEC("  isolate: ingress\n"
		  "  ingress:\n"
		  "  - {ports: [80], http: [{methods: [GET]}]}\n"
		  "  - {ports: [81], http: [{methods: [PUT]}]}\n"),
	     "w13 7:", "what only this rule allows is refused");
	says(SPEC("  isolate: none\n"
		  "  ingress:\n"
		  "  - {action: deny, tls: {serverNames: [a.example]}}\n"),
	     "w13 7:", "every connection of these protocols is refused");
	says(SPEC("  isolate: none\n"
		  "  ingress:\n"
		  "  - {action: log, dns: {names: [a.example]}}\n"),
	     "w13 7:", "records nothing");
	says(SPEC("  isolate: none\n"
		  "  ingress:\n"
		  "  - {action: alert, risks: [tls-selfsigned-certificate]}\n"),
	     "w13 7:", "risks");
	says(SPEC("  isolate: egress\n"
		  "  egress:\n"
		  "  - {to: [{fqdn: [a.example]}], ports: [443]}\n"),
	     "w13 7:", "they match nobody");
	says(SPEC("  isolate: ingress\n"
		  "  ingress:\n"
		  "  - {ports: [80], protocols: [http], proxyHeader: allow}\n"),
	     "w13 7:5", "PROXY header");
	says(SPEC("  isolate: ingress\n"
		  "  evidence: 5\n"
		  "  ingress:\n"
		  "  - {ports: [80]}\n"),
	     "w13 8:5", "no packets are kept");
}

static void test_standard_kinds(void **state)
{
	(void)state;
	silent("apiVersion: networking.k8s.io/v1\n"
	       "kind: NetworkPolicy\n"
	       "metadata: {name: a}\n"
	       "spec: {podSelector: {}, policyTypes: [Ingress, Egress]}\n");
	silent("apiVersion: policy.networking.k8s.io/v1alpha1\n"
	       "kind: AdminNetworkPolicy\n"
	       "metadata: {name: a}\n"
	       "spec:\n"
	       "  priority: 5\n"
	       "  subject: {namespaces: {}}\n"
	       "  egress:\n"
	       "  - action: Deny\n"
	       "    to: [{nodes: {}}, {networks: [0.0.0.0/0]}]\n");
	says("apiVersion: policy.networking.k8s.io/v1alpha1\n"
	     "kind: AdminNetworkPolicy\n"
	     "metadata: {name: a}\n"
	     "spec:\n"
	     "  priority: 5\n"
	     "  subject: {namespaces: {}}\n"
	     "  egress:\n"
	     "  - action: Allow\n"
	     "    to: [{domainNames: [a.example]}]\n",
	     "w13 9:", "they match nobody");
}

/* All errors are said, and one warning of a kind for a policy; the line is shown. */
static void test_all_errors(void **state)
{
	static const char yaml[] = SPEC("  isolate: none\n"
					"  evidence: 3\n"
					"  ingress:\n"
					"  - {ports: [80], proxyHeader: require}\n"
					"  egress:\n"
					"  - {ports: [80], proxyHeader: require}\n");
	bh_cleanup(bh_manifest_unrefp) struct bh_manifest *m = NULL;
	unsigned warnings = 0;

	(void)state;
	assert_int_equal(bh_manifest_new("a.yaml", strdup(yaml), strlen(yaml), false, &m), 0);
	assert_true(m->broken);
	assert_int_equal(m->diags.n_errors, 2);
	for (size_t i = 0; i < m->diags.n; i++) {
		warnings += strcmp(m->diags.items[i].code, "w13") == 0;
		assert_string_equal(m->diags.items[i].file, "a.yaml");
		assert_non_null(m->diags.items[i].line);
	}
	assert_int_equal(warnings, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_would_pass),
		cmocka_unit_test(test_what_is_refused_or_not_recorded),
		cmocka_unit_test(test_standard_kinds),
		cmocka_unit_test(test_all_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
