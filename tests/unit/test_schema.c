/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_schema.c - the tables that the loader reads by are complete, and answer questions
 */
#include "common/util.h"
#include "policy/schema.h"
#include "policy/schema/schema_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What does not exist in one form does in another. */
static bool has_twin(const struct bh_object *o, const struct bh_field *f)
{
	for (size_t i = 0; i < o->n; i++)
		if (&o->fields[i] != f && strcmp(o->fields[i].name, f->name) == 0)
			return true;
	return false;
}

static void check_field(const struct bh_object *o, const struct bh_field *f)
{
	bool list = f->type == BH_FIELD_LIST;
	unsigned type = list ? f->item : f->type;

	if (!f->name || !*f->name)
		fail_msg("%s: a field without a name", o->name);
	if (!f->help || !*f->help || strpbrk(f->help, "\n\t"))
		fail_msg("%s.%s: help", o->name, f->name);
	if (type == BH_FIELD_INVALID || type > BH_FIELD_ANY || type == BH_FIELD_LIST)
		fail_msg("%s.%s: type", o->name, f->name);
	if (f->format && !bh_field_format(f->format))
		fail_msg("%s.%s: format %s", o->name, f->name, f->format);
	if (f->min > f->max || ((f->min || f->max) && type != BH_FIELD_INT &&
				type != BH_FIELD_INT_OR_STRING && !(f->flags & BH_FIELD_SEVERAL)))
		fail_msg("%s.%s: range", o->name, f->name);
	if (f->values && (type != BH_FIELD_STRING || !f->values[0]))
		fail_msg("%s.%s: values", o->name, f->name);
	if (f->max_items && !list)
		fail_msg("%s.%s: max_items", o->name, f->name);
	if (f->flags & BH_FIELD_SEVERAL && type != BH_FIELD_ANY)
		fail_msg("%s.%s: of several types", o->name, f->name);
	if (f->flags & BH_FIELD_NOT_EMPTY && !list)
		fail_msg("%s.%s: not empty", o->name, f->name);
	if (f->not_in && strcmp(f->name, "status") != 0 && !f->not_here &&
	    strcmp(f->name, "protocol") != 0 && !has_twin(o, f))
		fail_msg("%s.%s: what to write instead", o->name, f->name);
	if (f->object)
		assert_true(type == BH_FIELD_MAP || type == BH_FIELD_ANY);
	/* Two of a name stand in different places. */
	for (const struct bh_field *g = o->fields; g < f; g++)
		if (strcmp(g->name, f->name) == 0 && !(f->not_in && g->not_in))
			fail_msg("%s.%s: twice", o->name, f->name);
}

static void check_object(const struct bh_object *o, unsigned depth)
{
	assert_true(depth < 12);
	assert_true(o->name && *o->name && o->help && *o->help && o->n > 0);
	for (size_t i = 0; i < o->n; i++) {
		check_field(o, &o->fields[i]);
		if (o->fields[i].object)
			check_object(o->fields[i].object, depth + 1);
	}
}

static void test_tables(void **state)
{
	const struct bh_kind_info *k;
	size_t n = 0;

	(void)state;
	for (; (k = bh_schema_kind(n)) != NULL; n++) {
		check_object(k->object, 0);
		if (k->kind != BH_KIND_INVALID)
			assert_string_equal(bh_kind_name(k->kind), k->name);
	}
	assert_int_equal(n, 11);
}

static const struct {
	const char *kind, *path;
	bool there;
} rows[] = {
	{ "TrafficPolicy", "spec.ingress[0].protocols", true },
	{ "TrafficPolicy", "spec.ingress.http.connect", true },
	{ "TrafficPolicy", "spec.egress.to.fqdn", true },
	{ "TrafficPolicy", "spec.ingress.from.fqdn", false },
	{ "TrafficPolicy", "spec.ingress.when.timeZone", true },
	{ "TrafficPolicy", "spec.promote.enforceAfter", true },
	{ "TrafficPolicy", "spec.ingress.risks", false },
	{ "TrafficPolicy", "spec.priority", false },
	{ "TrafficPolicy", "spec.podSelectors", false },
	{ "TrafficPolicy", "spec.mode.x", false },
	{ "TrafficPolicy", "spec.ingress.ports.endPort", true },
	{ "ClusterTrafficPolicy", "spec.priority", true },
	{ "ClusterTrafficPolicy", "spec.namespaceSelector.matchLabels", true },
	{ "ClusterTrafficPolicy", "spec.ingress.risks", true },
	{ "ClusterTrafficPolicy", "metadata.namespace", false },
	{ "NetworkPolicy", "metadata.namespace", true },
	{ "NetworkPolicy", "spec.ingress.protocols", false },
	{ "NetworkPolicy", "spec.egress.from", false },
	{ "NetworkPolicy", "spec.egress.to.ipBlock.cidr", true },
	{ "ClusterNetworkPolicy", "spec.tier", true },
	{ "ClusterNetworkPolicy", "spec.subject.pods.podSelector.matchExpressions.key", true },
	{ "ClusterNetworkPolicy", "spec.egress[3].to[0].domainNames", true },
	{ "ClusterNetworkPolicy", "spec.ingress.from.domainNames", false },
	{ "ClusterNetworkPolicy", "spec.ingress.protocols.tcp.destinationPort.range.start", true },
	{ "ClusterNetworkPolicy", "spec.ingress.protocols.tcp.destinationPort.range.protocol",
	  false },
	{ "ClusterNetworkPolicy", "spec.ingress.ports", false },
	{ "AdminNetworkPolicy", "spec.tier", false },
	{ "AdminNetworkPolicy", "spec.ingress.ports.portRange.protocol", true },
	{ "AdminNetworkPolicy", "spec.egress.to.domainNames", true },
	{ "BaselineAdminNetworkPolicy", "spec.priority", false },
	{ "BaselineAdminNetworkPolicy", "spec.egress.to.domainNames", false },
	{ "BaselineAdminNetworkPolicy", "spec.egress.to.nodes", true },
	{ "Endpoint", "spec.ports.protocol", true },
	{ "Endpoint", "status", false },
	{ "Node", "spec.addresses", true },
	{ "Node", "status.addresses.address", true },
	{ "Namespace", "metadata.labels", true },
	{ "List", "items", true },
	{ "Gateway", "spec", false },
};

static void test_find(void **state)
{
	const struct bh_object *o = NULL;
	const struct bh_field *f;
	unsigned in = 0;

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(rows); i++)
		if ((bh_schema_find(rows[i].kind, rows[i].path, NULL) != NULL) != rows[i].there)
			fail_msg("%s %s", rows[i].kind, rows[i].path);
	f = bh_schema_find("TrafficPolicy", "spec.ingress[0].protocols", &o);
	assert_string_equal(f->name, "protocols");
	assert_ptr_equal(o, &bh_object_rule);
	f = bh_schema_find("BaselineAdminNetworkPolicy", "spec.ingress.action", NULL);
	assert_null(f->values[2]);
	f = bh_schema_find("AdminNetworkPolicy", "spec.ingress.action", NULL);
	assert_string_equal(f->values[2], "Pass");
	f = bh_schema_find("ClusterNetworkPolicy", "spec.ingress", NULL);
	assert_int_equal(f->max_items, 25);
	f = bh_schema_find("AdminNetworkPolicy", "spec.ingress", NULL);
	assert_int_equal(f->max_items, 100);
	f = bh_schema_find_in(bh_schema_kind(2), "spec.egress", &o, &in);
	assert_non_null(f);
	assert_true(in & BH_IN_EGRESS && in & BH_IN_CLUSTER_TRAFFIC_POLICY);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_tables),
					    cmocka_unit_test(test_find) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
