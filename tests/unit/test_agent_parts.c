// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_agent_parts.c - Community IDs, JSON text, requests of the plugin, the list of endpoints, time of day
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/attachment.h"
#include "agent/communityid.h"
#include "agent/jsonw.h"
#include "agent/wallclock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/util.h"

static struct bh_addr addr(const char *s)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(s, &a), 0);
	return a;
}

/* ---- Community ID: vectors that the specification publishes, two computed apart ---- */

static void test_community_id(void **state)
{
	static const struct {
		const char *src, *dst;
		uint8_t l4;
		uint16_t sport, dport;
		const char *want;
	} t[] = {
		{ "128.232.110.120", "66.35.250.204", 6, 34855, 80,
		  "1:LQU9qZlK+B5F3KDmev6m5PMibrg=" },
		{ "192.168.1.52", "8.8.8.8", 17, 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=" },
		{ "192.168.170.8", "192.168.170.56", 132, 7, 7, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=" },
		{ "192.168.0.89", "192.168.0.1", 1, 0, 8 << 8, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(t); i++) {
		struct bh_addr src = addr(t[i].src), dst = addr(t[i].dst);
		char a[BH_COMMUNITY_ID_STRLEN], b[BH_COMMUNITY_ID_STRLEN];

		assert_non_null(bh_community_id(&src, &dst, t[i].l4, t[i].sport, t[i].dport, a));
		assert_non_null(bh_community_id(&dst, &src, t[i].l4, t[i].dport, t[i].sport, b));
		assert_string_equal(a, b);
		assert_string_equal(a, t[i].want);
	}
}

#define ONE_WAY "1:gkoOC4ouXvyYq0Ek/WqwbLoqcxM="

static void test_community_id_that_cannot_be(void **state)
{
	struct bh_addr a = addr("10.0.0.1"), b = addr("fd00::1"), c = addr("10.0.0.2");
	char buf[BH_COMMUNITY_ID_STRLEN];

	assert_null(bh_community_id(&a, &b, 6, 1, 2, buf));
	assert_null(bh_community_id(&a, &c, 1, 0, 0, buf));
	/* One way: the other direction is another message. */
	assert_string_equal(bh_community_id(&a, &c, 1, 0, 3 << 8 | 1, buf), ONE_WAY);
	assert_string_not_equal(bh_community_id(&c, &a, 1, 0, 3 << 8 | 1, buf), ONE_WAY);
	assert_non_null(bh_community_id(&a, &c, 47, 0, 0, buf));
}

/* ---- JSON ---- */

static void test_json_text_is_valid_whatever_goes_in(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	static const uint8_t bytes[] = { 0x00, 0x5a, 0xff };

	bh_jsonw_str(
	    &b, "a\"b\\c\n\t\x01\x7f é € 😀 \xff\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82");
	assert_string_equal(bh_buf_str(&b),
			    "\"a\\\"b\\\\c\\n\\t\\u0001\\u007f é € 😀 \\ufffd\\ufffd\\ufffd "
			    "\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\"");
	bh_buf_clear(&b);
	bh_jsonw_str(&b, NULL);
	bh_jsonw_hex(&b, bytes, sizeof(bytes));
	assert_string_equal(bh_buf_str(&b), "null\"005aff\"");
}

/* ---- requests of the plugin ---- */

#define ADD                                                                                      \
	"{\"v\":1,\"op\":\"add\",\"network\":\"shopnet\",\"id\":\"3f2a9c\",\"ifname\":\"eth0\"," \
	"\"host\":{\"name\":\"bhk0123456789a\",\"index\":12},"                                   \
	"\"cont\":{\"name\":\"eth0\",\"index\":2,\"mac\":\"02:00:00:00:aB:07\"},"                \
	"\"ips\":[\"10.1.0.5\",\"fd00::5\"],\"name\":\"web-1\",\"namespace\":\"shop\","          \
	"\"labels\":{\"app\":\"web\",\"a;b=c\":\"\"},\"labelsFinal\":true,"                      \
	"\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}],\"futureField\":[1]}"

static int parse(const char *text, struct bh_ep **ret, struct bh_err *err)
{
	bh_autojson json_t *v = NULL;

	assert_int_equal(bh_json_load(text, strlen(text), 1 << 20, &v, NULL), 0);
	return bh_attachment_parse(v, "n1", ret, err);
}

static void test_add_request(void **state)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;

	assert_int_equal(parse(ADD, &ep, NULL), 0);
	assert_string_equal(ep->network, "shopnet");
	assert_string_equal(ep->host_if, "bhk0123456789a");
	assert_int_equal(ep->host_index, 12);
	assert_true(ep->has_mac);
	assert_int_equal(ep->mac[0], 2);
	assert_int_equal(ep->mac[4], 0xab);
	assert_int_equal(ep->mac[5], 7);
	assert_true(ep->routed);
	assert_true(ep->labels_final);
	assert_true(ep->fresh);
	assert_string_equal(ep->e->id, "3f2a9c");
	assert_string_equal(ep->e->ns, "shop");
	assert_string_equal(ep->e->name, "web-1");
	assert_string_equal(ep->e->node, "n1");
	assert_true(ep->e->local);
	assert_int_equal(ep->e->n_addrs, 2);
	assert_int_equal(ep->e->addrs[1].family, 6);
	assert_string_equal(bh_labels_get(&ep->e->labels, "app"), "web");
	assert_string_equal(bh_labels_get(&ep->e->labels, "a;b=c"), "");
	assert_int_equal(ep->e->ports[0].l4, BH_L4_TCP);
}

static void test_add_request_with_the_least(void **state)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;

	assert_int_equal(
	    parse("{\"network\":\"n\",\"id\":\"abc\",\"ifname\":\"eth0\",\"ips\":[\"10.0.0.1\"]}",
		  &ep, NULL),
	    0);
	assert_string_equal(ep->e->ns, "default");
	assert_string_equal(ep->e->name, "abc");
	assert_null(ep->host_if);
	assert_false(ep->has_mac);
	assert_true(ep->routed);
}

/* What another plugin wired may be on a bridge. */
static void test_add_request_of_a_chain(void **state)
{
	bh_cleanup(bh_ep_unrefp) struct bh_ep *ep = NULL;

	assert_int_equal(parse("{\"network\":\"n\",\"id\":\"abc\",\"ifname\":\"eth0\","
			       "\"ips\":[\"10.0.0.1\"],\"mode\":\"chained\",\"cont\":{}}",
			       &ep, NULL),
			 0);
	assert_false(ep->has_mac);
	assert_false(ep->routed);
}

static void test_add_requests_that_are_wrong(void **state)
{
#define KEYS "\"network\":\"n\",\"id\":\"i\",\"ifname\":\"eth0\""
	static const struct {
		const char *text, *says;
	} t[] = {
		{ "{}", "network" },
		{ "{\"network\":1,\"id\":\"i\",\"ifname\":\"e\"}", "network" },
		{ "{\"network\":\"n\",\"id\":\"\",\"ifname\":\"e\"}", "id is empty" },
		{ "{\"network\":\"n\",\"id\":\"a\\u001fb\",\"ifname\":\"e\"}",
		  "control character" },
		{ "{\"network\":\"n\",\"id\":\"i\",\"ifname\":\"sixteencharacter\"}", "ifname" },
		{ "{" KEYS "}", "ips" },
		{ "{" KEYS ",\"ips\":[]}", "ips is empty" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1/24\"]}", "'10.0.0.1/24' is not an address" },
		{ "{" KEYS ",\"ips\":[\"0.0.0.0\"]}", "cannot be a container's address" },
		{ "{" KEYS ",\"ips\":[\"::\"]}", "cannot be a container's address" },
		{ "{" KEYS ",\"ips\":[\"127.0.0.1\"]}", "cannot be a container's address" },
		{ "{" KEYS ",\"ips\":[\"ff02::1\"]}", "cannot be a container's address" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\",\"10.0.0.1\"]}", "twice" },
		{ "{" KEYS ",\"ips\":[7]}", "not an address" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"labels\":{\"a\":1}}",
		  "label 'a' is not a string" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"labels\":[]}", "labels" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"labelsFinal\":\"yes\"}", "labelsFinal" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"ports\":[{\"name\":\"x\",\"port\":0}]}",
		  "port is 0" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"ports\":[{\"name\":\"x\",\"port\":70000}]}",
		  "port" },
		{ "{" KEYS
		  ",\"ips\":[\"10.0.0.1\"],\"ports\":[{\"name\":\"x\",\"port\":1,\"protocol\":\"x\"}]}",
		  "protocol 'x'" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"host\":{\"name\":\"a\"}}", "host" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"cont\":{\"mac\":\"02:00:00:00:00\"}}",
		  "cont.mac '02:00:00:00:00' is not" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"cont\":{\"mac\":\"01:00:5e:00:00:01\"}}",
		  "cont.mac" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"cont\":{\"mac\":\"00:00:00:00:00:00\"}}",
		  "cont.mac" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"cont\":{\"mac\":7}}", "cont" },
		{ "{" KEYS ",\"ips\":[\"10.0.0.1\"],\"host\":{\"name\":\"a\",\"index\":-1}}",
		  "index" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(t); i++) {
		struct bh_err err = { 0 };
		struct bh_ep *ep = NULL;

		assert_true(parse(t[i].text, &ep, &err) < 0);
		assert_null(ep);
		if (!strstr(err.msg, t[i].says))
			fail_msg("'%s': the message '%s' does not say '%s'", t[i].text, err.msg,
				 t[i].says);
	}
}

static void test_too_many(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	struct bh_ep *ep = NULL;

	for (unsigned n = BH_ATTACHMENT_ADDRS_MAX; n <= BH_ATTACHMENT_ADDRS_MAX + 1; n++) {
		bh_buf_clear(&b);
		bh_buf_puts(&b, "{" KEYS ",\"ips\":[");
		for (unsigned i = 0; i < n; i++)
			bh_buf_printf(&b, "%s\"10.0.0.%u\"", i ? "," : "", i + 1);
		bh_buf_puts(&b, "]}");
		assert_int_equal(parse(bh_buf_str(&b), &ep, NULL),
				 n == BH_ATTACHMENT_ADDRS_MAX ? 0 : -E2BIG);
		ep = bh_ep_unref(ep);
	}
}

/* ---- records on disk ---- */

static void take(void *arg, struct bh_ep *ep)
{
	unsigned *n = arg;

	assert_string_equal(ep->e->name, "web-1");
	(*n)++;
}

static void write_record(const char *dir, const char *name, const char *phase, const char *boot)
{
	bh_autofree char *text = NULL, *path = NULL;

	assert_true(asprintf(&text, "%.*s,\"phase\":\"%s\",\"boot\":\"%s\"}", (int)strlen(ADD) - 1,
			     ADD, phase, boot) > 0);
	assert_true(asprintf(&path, "%s/attachments/%s", dir, name) > 0);
	assert_int_equal(bh_file_write(path, text, strlen(text), 0600, NULL), 0);
}

static void test_records(void **state)
{
	char dir[] = "/tmp/bh-att.XXXXXX", path[64], command[80];
	bh_autofree char *boot = NULL;
	unsigned n = 0;
	size_t size;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(bh_attachments_load(dir, "n1", take, &n), 0);
	(void)snprintf(path, sizeof(path), "%s/attachments", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(bh_file_read("/proc/sys/kernel/random/boot_id", 64, &boot, &size, NULL),
			 0);
	boot[strcspn(boot, "\n")] = '\0';
	write_record(dir, "good.json", "ready", boot);
	write_record(dir, "begun.json", "adding", boot);
	write_record(dir, "old.json", "ready", "another-boot");
	write_record(dir, ".temporary.json", "ready", boot);
	write_record(dir, "other.txt", "ready", boot);
	(void)snprintf(path, sizeof(path), "%s/attachments/torn.json", dir);
	assert_int_equal(bh_file_write(path, "{\"v\":1,", 7, 0600, NULL), 0);
	assert_int_equal(bh_attachments_load(dir, "n1", take, &n), 1);
	assert_int_equal(n, 1);
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* ---- the list ---- */

static struct bh_ep *make(const char *network, const char *id, const char *ip, unsigned index)
{
	char text[256];
	struct bh_ep *ep = NULL;

	(void)snprintf(text, sizeof(text),
		       "{\"network\":\"%s\",\"id\":\"%s\",\"ifname\":\"eth0\",\"ips\":[\"%s\"],"
		       "\"host\":{\"name\":\"v%u\",\"index\":%u}}",
		       network, id, ip, index, index);
	assert_int_equal(parse(text, &ep, NULL), 0);
	return ep;
}

static void test_endpoints(void **state)
{
	bh_cleanup(bh_endpoints_freep) struct bh_endpoints *s = NULL;
	bh_cleanup(bh_ep_unrefp) struct bh_ep *a = make("net", "a", "10.0.0.1", 1);
	bh_cleanup(bh_ep_unrefp) struct bh_ep *b = make("net", "b", "10.0.0.2", 2);
	bh_cleanup(bh_ep_unrefp) struct bh_ep *again = make("net", "a", "10.0.0.1", 3);
	bh_cleanup(bh_ep_unrefp) struct bh_ep *thief = make("other", "a", "10.0.0.2", 4);
	struct bh_addr at;

	assert_int_equal(bh_endpoints_new(&s), 0);
	assert_int_equal(bh_endpoints_put(s, a), 0);
	assert_int_equal(bh_endpoints_put(s, b), 0);
	assert_int_equal(bh_endpoints_put(s, b), 0);
	assert_int_equal(bh_endpoints_count(s), 2);
	assert_ptr_equal(bh_endpoints_find(s, "net", "a", "eth0"), a);
	assert_null(bh_endpoints_find(s, "net", "a", "eth1"));
	assert_ptr_equal(bh_endpoints_by_link(s, 2), b);
	assert_null(bh_endpoints_by_link(s, 0));
	assert_ptr_equal(bh_endpoints_conflict(s, thief, &at), b);
	assert_null(bh_endpoints_conflict(s, again, &at));

	/* The same names again: the new record takes the place of the old one. */
	assert_int_equal(bh_endpoints_put(s, again), 0);
	assert_int_equal(bh_endpoints_count(s), 2);
	assert_false(a->member);
	assert_ptr_equal(bh_endpoints_find(s, "net", "a", "eth0"), again);
	/* Removing the old one afterwards does not touch the new one. */
	bh_endpoints_remove(s, a);
	assert_ptr_equal(bh_endpoints_find(s, "net", "a", "eth0"), again);
	bh_endpoints_remove(s, again);
	assert_null(bh_endpoints_find(s, "net", "a", "eth0"));
}

/* ---- time of day ---- */

static void count_call(void *arg)
{
	unsigned *n = arg;

	(*n)++;
}

static void test_wallclock(void **state)
{
	struct bh_wallclock *w = NULL;
	struct bh_loop *loop = NULL;
	unsigned n = 0;

	assert_int_equal(bh_loop_new(&loop, NULL), 0);
	assert_int_equal(bh_wallclock_new(loop, count_call, &n, &w, NULL), 0);
	assert_int_equal(bh_wallclock_at(w, INT64_MAX), 0);
	assert_int_equal(bh_loop_once(loop, 0), 0);
	assert_int_equal(n, 0);
	/* What has passed, even long ago, comes at once, and once. */
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(bh_wallclock_at(w, i == 1   ? bh_wallclock_now()
						    : i == 2 ? 0
							     : INT64_MIN),
				 0);
		assert_int_equal(bh_loop_once(loop, 1000), 0);
		assert_int_equal(n, i);
		assert_int_equal(bh_loop_once(loop, 0), 0);
		assert_int_equal(n, i);
	}
	bh_wallclock_free(w);
	bh_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_community_id),
		cmocka_unit_test(test_community_id_that_cannot_be),
		cmocka_unit_test(test_json_text_is_valid_whatever_goes_in),
		cmocka_unit_test(test_add_request),
		cmocka_unit_test(test_add_request_with_the_least),
		cmocka_unit_test(test_add_request_of_a_chain),
		cmocka_unit_test(test_add_requests_that_are_wrong),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_wallclock),
	};

	bh_log_init("test_agent_parts", BH_LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
