// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_bridgecheck.c - what the bridge check makes of the links and switches of a host
 *
 * Links are stood in for by functions of this file, switches by files in a folder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/attachment.h"
#include "agent/bridgecheck.h"
#include "common/buf.h"
#include "common/file.h"
#include "common/json.h"
#include "common/util.h"

/* Ports of bridge 2 are links 10 and 11, of bridge 3 link 12. */
static struct {
	struct bh_host_bridge bridges[2];
	size_t n;
	unsigned asked; /* how often for bridges */
	int fails;
} host;

int bh_rtnl_bridges(struct bh_rtnl *r, struct bh_host_bridge **ret, size_t *ret_n,
		    struct bh_err *err)
{
	host.asked++;
	if (host.fails)
		return bh_err_set(err, host.fails, "no");
	*ret = calloc(host.n + 1, sizeof(**ret));
	assert_non_null(*ret);
	memcpy(*ret, host.bridges, host.n * sizeof(**ret));
	*ret_n = host.n;
	return 0;
}

int bh_rtnl_ports(struct bh_rtnl *r, unsigned bridge, void (*fn)(void *arg, unsigned index),
		  void *arg, struct bh_err *err)
{
	if (bridge == 2) {
		fn(arg, 10);
		fn(arg, 11);
		fn(arg, 99); /* nobody of ours */
	} else {
		fn(arg, 12);
	}
	return 0;
}

struct fixture {
	char dir[64];
	struct bh_endpoints *eps;
	struct bh_bridgecheck *c;
};

static void add(struct fixture *f, const char *name, unsigned index, const char *ip,
		const char *second)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;
	bh_autojson json_t *v =
	    json_pack("{s:s, s:s, s:s, s:s, s:s, s:{}, s:[s], s:{s:s, s:i}}", "network", "net",
		      "id", name, "ifname", "eth0", "name", name, "namespace", "shop", "labels",
		      "ips", ip, "host", "name", name, "index", (int)index);

	if (second)
		(void)json_array_append_new(json_object_get(v, "ips"), json_string(second));
	assert_int_equal(bh_attachment_parse(v, "n1", &ep, NULL), 0);
	assert_int_equal(bh_endpoints_put(f->eps, ep), 0);
}

/* @text: NULL: the switch is missing. */
static void set(const struct fixture *f, const char *name, const char *text)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/bridge-nf-call-%s", f->dir, name);
	if (text)
		assert_int_equal(bh_file_write(path, text, strlen(text), 0600, NULL), 0);
	else
		(void)unlink(path);
}

static int up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	memset(&host, 0, sizeof(host));
	host.bridges[0] = (struct bh_host_bridge){ .index = 2, .name = "br0" };
	host.bridges[1] = (struct bh_host_bridge){ .index = 3, .name = "br1" };
	host.n = 2;
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/bh-bridge.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(bh_endpoints_new(&f->eps), 0);
	assert_int_equal(bh_bridgecheck_new(NULL, f->eps, f->dir, &f->c), 0);
	set(f, "iptables", "1\n");
	set(f, "ip6tables", "1\n");
	add(f, "a", 10, "10.0.0.1", "fd00::1");
	add(f, "b", 11, "10.0.0.2", NULL);
	add(f, "c", 12, "fd00::3", NULL);
	add(f, "d", 13, "10.0.0.4", NULL); /* routed */
	*state = f;
	return 0;
}

static int down(void **state)
{
	struct fixture *f = *state;

	set(f, "iptables", NULL);
	set(f, "ip6tables", NULL);
	assert_int_equal(rmdir(f->dir), 0);
	bh_bridgecheck_free(f->c);
	bh_endpoints_free(f->eps);
	free(f);
	return 0;
}

/* "br0 ipv4 off 2; br0 ipv6 off 1; " and as many errors. */
static void says(struct fixture *f, const char *want)
{
	bh_autojson json_t *errors = json_array();
	bh_autojson json_t *list = bh_bridgecheck_json(f->c, errors);
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		bh_buf_printf(&b, "%s %s %s %d; ",
			      json_string_value(json_object_get(item, "bridge")),
			      json_string_value(json_object_get(item, "family")),
			      json_string_value(json_object_get(item, "state")),
			      (int)json_integer_value(json_object_get(item, "endpoints")));
	assert_string_equal(bh_buf_str(&b), want);
	assert_int_equal(json_array_size(errors), json_array_size(list));
}

static void test_switches(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text;
		enum bh_bridge_switch want;
	} cases[] = {
		{ "1\n", BH_BRIDGE_ON },  { "1", BH_BRIDGE_ON },       { "0\n", BH_BRIDGE_OFF },
		{ "", BH_BRIDGE_OFF },    { "10\n", BH_BRIDGE_OFF },   { "on\n", BH_BRIDGE_OFF },
		{ "2\n", BH_BRIDGE_OFF }, { NULL, BH_BRIDGE_MISSING },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		set(f, "ip6tables", cases[i].text);
		assert_int_equal(bh_bridge_switch_read(f->dir, 6), cases[i].want);
		assert_int_equal(bh_bridge_switch_read(f->dir, 4), BH_BRIDGE_ON);
	}
}

static void test_who_is_not_judged(void **state)
{
	struct fixture *f = *state;

	says(f, "");
	assert_int_equal(host.asked, 0); /* nothing to look for */
	set(f, "iptables", "0\n");
	says(f, "br0 ipv4 off 2; ");
	set(f, "ip6tables", NULL);
	says(f, "br0 ipv4 off 2; br0 ipv6 missing 1; br1 ipv6 missing 1; ");
	/* A bridge can have the switch for itself. */
	host.bridges[0].calls[0] = true;
	says(f, "br0 ipv6 missing 1; br1 ipv6 missing 1; ");
	host.bridges[0].calls[1] = true;
	says(f, "br1 ipv6 missing 1; ");
	host.n = 1;
	says(f, "");
	/* No endpoint of ours is a port. */
	host.bridges[0].calls[0] = false;
	bh_endpoints_remove(f->eps, bh_endpoints_find(f->eps, "net", "a", "eth0"));
	says(f, "br0 ipv4 off 1; ");
	bh_endpoints_remove(f->eps, bh_endpoints_find(f->eps, "net", "b", "eth0"));
	says(f, "");
}

/* Who does not know does not say that all is well. */
static void test_not_known(void **state)
{
	struct fixture *f = *state;
	bh_autojson json_t *errors = json_array();
	bh_autojson json_t *list = NULL;

	set(f, "iptables", "0\n");
	host.fails = -EBUSY;
	list = bh_bridgecheck_json(f->c, errors);
	assert_int_equal(json_array_size(list), 0);
	assert_int_equal(json_array_size(errors), 1);
	assert_string_equal(json_string_value(json_array_get(errors, 0)),
			    "whether bridges hand their packets to nftables is not known: no");
	host.fails = 0;
	says(f, "br0 ipv4 off 2; ");
}

static void test_the_words(void **state)
{
	struct fixture *f = *state;
	bh_autojson json_t *errors = json_array();
	bh_autojson json_t *list = NULL;

	set(f, "iptables", "0\n");
	set(f, "ip6tables", NULL);
	list = bh_bridgecheck_json(f->c, errors);
	assert_string_equal(
	    json_string_value(json_array_get(errors, 0)),
	    "the bridge br0 does not hand IPv4 to nftables: what its ports, shop/a and 1 more among "
	    "them, say to each other is judged by no policy; net.bridge.bridge-nf-call-iptables is 0: "
	    "sysctl -w net.bridge.bridge-nf-call-iptables=1");
	assert_string_equal(
	    json_string_value(json_array_get(errors, 2)),
	    "the bridge br1 does not hand IPv6 to nftables: what its ports, shop/c among them, say to "
	    "each other is judged by no policy; net.bridge.bridge-nf-call-ip6tables is missing: "
	    "modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-ip6tables=1");
}

static void test_when_it_looks(void **state)
{
	struct fixture *f = *state;

	set(f, "iptables", "0\n");
	bh_bridgecheck_due(NULL);
	bh_bridgecheck_tick(f->c, 1000);
	assert_int_equal(host.asked, 1);
	bh_bridgecheck_tick(f->c, 2000);
	assert_int_equal(host.asked, 1);
	bh_bridgecheck_due(f->c);
	bh_bridgecheck_tick(f->c, 3000);
	assert_int_equal(host.asked, 2);
	bh_bridgecheck_tick(f->c, 7999);
	assert_int_equal(host.asked, 2);
	bh_bridgecheck_tick(f->c, 8000);
	assert_int_equal(host.asked, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_switches, up, down),
		cmocka_unit_test_setup_teardown(test_who_is_not_judged, up, down),
		cmocka_unit_test_setup_teardown(test_not_known, up, down),
		cmocka_unit_test_setup_teardown(test_the_words, up, down),
		cmocka_unit_test_setup_teardown(test_when_it_looks, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
