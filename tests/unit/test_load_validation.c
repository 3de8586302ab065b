/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/unit/test_load_validation.c - NetworkPolicy manifests are accepted and refused as an API server does it
 *
 * tests/conformance/validation.yaml holds manifests with the answer of a real server: stored how, or refused
 * at which field. The same fields must be named by us, and what was stored must be what we understood.
 */
#include "common/file.h"
#include "common/limits.h"
#include "common/util.h"
#include "policy/load.h"
#include "policy/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static unsigned n_entries, n_wrong;

static void wrong(const char *id, const char *fmt, ...) bh_printf(2, 3);
static void wrong(const char *id, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	print_message("# %s: %s\n", id, buf);
	n_wrong++;
}

static bool has_path(const struct bh_diags *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].severity == BH_SEVERITY_ERROR && bh_streq(d->items[i].path, path))
			return true;
	return false;
}

static void print_diags(const struct bh_diags *d)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;

	bh_diags_print(d, &b);
	print_message("%s", bh_buf_str(&b));
}

/* ---- what was stored is what we read ---- */

static uint32_t count(const struct bh_yaml_node *list)
{
	return list ? list->n : 0;
}

static void compare_port(const char *id, const struct bh_yaml_node *want, const struct bh_port *p)
{
	const struct bh_yaml_node *port = bh_yaml_get(want, "port", NULL);
	const struct bh_yaml_node *end = bh_yaml_get(want, "endPort", NULL);
	const struct bh_yaml_node *protocol = bh_yaml_get(want, "protocol", NULL);
	char buf[8];

	if (strcasecmp(bh_node_str(protocol), bh_l4_name(p->l4, buf)) != 0)
		wrong(id, "protocol %s, not %s", bh_l4_name(p->l4, buf), bh_node_str(protocol));
	if (!port) {
		if (p->name || p->lo != 0 || p->hi != UINT16_MAX)
			wrong(id, "not every port");
	} else if (port->type == BH_YAML_STRING) {
		if (!bh_streq(p->name, port->text))
			wrong(id, "port %s", p->name ? p->name : "without a name");
	} else if (p->name || p->lo != port->integer || p->hi != (end ? end : port)->integer) {
		wrong(id, "port %u-%u", p->lo, p->hi);
	}
}

static void compare_block(const char *id, const struct bh_yaml_node *want, const struct bh_peer *p)
{
	const struct bh_yaml_node *except = bh_yaml_get(want, "except", NULL);
	struct bh_prefix cidr;

	assert_int_equal(bh_prefix_parse(bh_node_str(bh_yaml_get(want, "cidr", NULL)), &cidr), 0);
	if (p->kind != BH_PEER_BLOCK || !bh_addr_eq(&cidr.addr, &p->block.cidr.addr) ||
	    cidr.len != p->block.cidr.len)
		wrong(id, "another cidr");
	if (p->block.n_except != count(except))
		wrong(id, "%zu except", p->block.n_except);
}

static void compare_rules(const char *id, const struct bh_yaml_node *want, enum bh_dir dir,
			  const struct bh_policy *p)
{
	if (p->n_rules[dir] != count(want)) {
		wrong(id, "%zu %s rules", p->n_rules[dir], bh_dir_name(dir));
		return;
	}
	for (uint32_t i = 0; i < count(want); i++) {
		const struct bh_rule *r = &p->rules[dir][i];
		const struct bh_yaml_node *ports = bh_yaml_get(want->items[i], "ports", NULL);
		const struct bh_yaml_node *peers =
		    bh_yaml_get(want->items[i], dir == BH_DIR_INGRESS ? "from" : "to", NULL);

		if (r->n_ports != count(ports) || r->n_peers != count(peers)) {
			wrong(id, "%zu ports, %zu peers", r->n_ports, r->n_peers);
			continue;
		}
		for (uint32_t k = 0; k < count(ports); k++)
			compare_port(id, ports->items[k], &r->ports[k]);
		for (uint32_t k = 0; k < count(peers); k++) {
			const struct bh_yaml_node *b =
			    bh_yaml_get(peers->items[k], "ipBlock", NULL);

			if (b)
				compare_block(id, b, &r->peers[k]);
		}
	}
}

static void compare_stored(const char *id, const struct bh_yaml_node *stored,
			   const struct bh_policy *p)
{
	const struct bh_yaml_node *types = bh_yaml_get(stored, "policyTypes", NULL);
	const struct bh_yaml_node *labels =
	    bh_yaml_get(bh_yaml_get(stored, "podSelector", NULL), "matchLabels", NULL);
	bool isolates[BH_DIR_COUNT] = { false };

	for (uint32_t i = 0; i < count(types); i++)
		isolates[bh_streq(types->items[i]->text, "Egress") ? BH_DIR_EGRESS
								   : BH_DIR_INGRESS] = true;
	for (unsigned d = BH_DIR_INGRESS; d < BH_DIR_COUNT; d++)
		if (p->isolates[d] != isolates[d])
			wrong(id, "%s isolated: %d", bh_dir_name(d), p->isolates[d]);
	if (labels && p->pods.n != labels->n)
		wrong(id, "%zu conditions on labels", p->pods.n);
	for (uint32_t i = 0; labels && i < labels->n && i < p->pods.n; i++)
		if (!bh_streq(p->pods.reqs[i].key, labels->pairs[i].name) ||
		    !bh_streq(p->pods.reqs[i].values[0], labels->pairs[i].value->text))
			wrong(id, "label %s=%s", p->pods.reqs[i].key, p->pods.reqs[i].values[0]);
	compare_rules(id, bh_yaml_get(stored, "ingress", NULL), BH_DIR_INGRESS, p);
	compare_rules(id, bh_yaml_get(stored, "egress", NULL), BH_DIR_EGRESS, p);
}

/* ---- entries ---- */

static void check_entry(const struct bh_yaml_node *e)
{
	bh_cleanup(bh_policy_set_freep) struct bh_policy_set *set = bh_policy_set_new();
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	const char *id = bh_node_str(bh_yaml_get(e, "id", NULL));
	const struct bh_yaml_node *manifest = bh_yaml_get(e, "manifest", NULL);
	const struct bh_yaml_node *errors = bh_yaml_get(e, "errors", NULL);
	const char *message = bh_node_str(bh_yaml_get(e, "message", NULL));
	const char *field = strstr(message, "unknown field \"");
	bool accepted = bh_yaml_get(e, "accepted", NULL)->boolean;
	unsigned before = n_wrong;
	int r;

	assert_non_null(set);
	r = bh_load_text(set, id, manifest->text, manifest->n, &d);
	if (r == 0)
		r = bh_load_finish(set, &d);
	n_entries++;
	if (accepted != (r == 0))
		wrong(id, "%s, but the server %s it", r ? "refused" : "accepted",
		      accepted ? "accepts" : "refuses");
	if (accepted && r == 0) {
		assert_int_equal(set->n_policies, 1);
		compare_stored(id, bh_yaml_get(e, "stored", NULL), set->policies[0]);
	}
	for (uint32_t i = 0; i < count(errors); i++) {
		const char *path = bh_node_str(bh_yaml_get(errors->items[i], "field", NULL));

		if (!has_path(&d, path))
			wrong(id, "no error at %s", path);
	}
	if (field) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s", field + strlen("unknown field \""));
		path[strcspn(path, "\"")] = '\0';
		if (!has_path(&d, path))
			wrong(id, "no error at %s", path);
	}
	for (size_t i = 0; i < d.n; i++)
		if (d.items[i].severity == BH_SEVERITY_ERROR && d.items[i].pos.line == 0)
			wrong(id, "an error without a place");
	if (n_wrong != before)
		print_diags(&d);
}

static void test_as_the_api_server(void **state)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;
	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = NULL;
	bh_autofree char *data = NULL;
	const struct bh_yaml_doc *doc = NULL;
	const char *root = getenv("BH_SOURCE_ROOT");
	char path[4096];
	size_t size = 0;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/tests/conformance/validation.yaml",
		       root ? root : ".");
	assert_int_equal(bh_file_read(path, BH_YAML_FILE_MAX, &data, &size, NULL), 0);
	assert_int_equal(bh_yaml_open(path, data, size, &d, &y), 0);
	assert_int_equal(bh_yaml_next(y, &doc), 1);
	assert_int_equal(doc->root->type, BH_YAML_LIST);
	for (uint32_t i = 0; i < doc->root->n; i++)
		check_entry(doc->root->items[i]);
	assert_int_equal(bh_yaml_next(y, &doc), 0);
	assert_int_equal(d.n, 0);
	print_message("# %u manifests\n", n_entries);
	assert_int_equal(n_entries, 89);
	assert_int_equal(n_wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_as_the_api_server) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
