// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_settings.c - what the configuration says of the world around
 *
 * Keys, types and messages are tested with the program itself (tests/integration/test_agent_life.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/settings.h"
#include "common/buf.h"
#include "common/util.h"

static void read_settings(struct bh_settings *s, const char *text, int expect)
{
	bh_cleanup(bh_diags_done) struct bh_diags d = BH_DIAGS_INIT;

	assert_int_equal(bh_settings_parse(s, "b.yaml", text, strlen(text), &d), expect);
	assert_int_equal(d.n_errors > 0, expect == -EINVAL);
}

static void test_ranges_and_resolvers(void **state)
{
	bh_cleanup(bh_settings_done) struct bh_settings s = { .run_dir = NULL };
	struct bh_surroundings around;
	char text[BH_PREFIX_STRLEN];

	read_settings(&s,
		      "clusterRanges: [10.244.3.7/16, \"fd00:244::/48\"]\n"
		      "resolvers:\n- 192.0.2.53\n- \"2001:db8::53\"\n- 192.0.2.53\n",
		      0);
	around = bh_settings_surroundings(&s);
	assert_int_equal(around.n_cluster, 2);
	assert_string_equal(bh_prefix_format(&around.cluster[0], text), "10.244.0.0/16");
	assert_string_equal(bh_prefix_format(&around.cluster[1], text), "fd00:244::/48");
	assert_int_equal(around.n_resolvers, 2);
	assert_string_equal(bh_addr_format(&around.resolvers[1], text), "2001:db8::53");
	assert_int_equal(around.n_names, 0);
}

/* Nobody is one of the answers. */
static void test_no_resolvers_is_said(void **state)
{
	bh_cleanup(bh_settings_done) struct bh_settings s = { .run_dir = NULL };

	read_settings(&s, "workers: 1\n", 0);
	assert_false(s.resolvers_given);
	read_settings(&s, "resolvers: []\n", 0);
	assert_true(s.resolvers_given);
	assert_int_equal(s.resolvers.n, 0);
}

static void test_what_is_no_address(void **state)
{
	static const char *const wrong[] = {
		"clusterRanges: 10.0.0.0/8\n",     "clusterRanges: [10.0.0.0]\n",
		"clusterRanges: [[10.0.0.0/8]]\n", "clusterRanges: [10]\n",
		"resolvers: [10.0.0.0/8]\n",       "resolvers: [dns.example]\n",
		"resolvers: {a: 10.0.0.1}\n",      "resolvers: [~]\n",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(wrong); i++) {
		bh_cleanup(bh_settings_done) struct bh_settings s = { .run_dir = NULL };

		read_settings(&s, wrong[i], -EINVAL);
		assert_int_equal(s.cluster.n + s.resolvers.n, 0);
	}
}

static void test_comments(void **state)
{
	static const struct {
		const char *text;
		int r;
		enum bh_comments want;
	} cases[] = {
		{ "nodeName: n1\n", 0, BH_COMMENTS_FULL },
		{ "nftComments: full\n", 0, BH_COMMENTS_FULL },
		{ "nftComments: names\n", 0, BH_COMMENTS_NAMES },
		{ "nftComments: off\n", 0, BH_COMMENTS_OFF },
		{ "nftComments: \"off\"\n", 0, BH_COMMENTS_OFF },
		{ "nftComments: some\n", -EINVAL, BH_COMMENTS_FULL },
		{ "nftComments: [off]\n", -EINVAL, BH_COMMENTS_FULL },
		{ "nftComments: 1\n", -EINVAL, BH_COMMENTS_FULL },
		{ "nftComments: ~\n", -EINVAL, BH_COMMENTS_FULL },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		bh_cleanup(bh_settings_done) struct bh_settings s = { .run_dir = NULL };

		read_settings(&s, cases[i].text, cases[i].r);
		assert_int_equal(s.comments, cases[i].want);
	}
}

static void test_resolv_conf(void **state)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	struct bh_addrs l = { .n = 0 };

	assert_int_equal(bh_resolvers_parse("# nameserver 192.0.2.1\n"
					    "search example.com\n"
					    "nameserver 127.0.0.53\n"
					    "nameserver ::1\n"
					    "nameserver 0.0.0.0\n"
					    "nameserver 192.0.2.2\n"
					    "nameserver\t2001:db8::53 # the other one\r\n"
					    "nameserver fe80::1%eth0\n"
					    "nameserver192.0.2.3\n"
					    "nameservers 192.0.2.4\n"
					    "nameserver 192.0.2.2\n"
					    "nameserver \n"
					    "nameserver 192.0.2.500\n"
					    "nameserver 192.0.2.6",
					    &l),
			 0);
	for (size_t i = 0; i < l.n; i++) {
		char text[BH_ADDR_STRLEN];

		bh_buf_printf(&b, "%s ", bh_addr_format(&l.items[i], text));
	}
	assert_string_equal(bh_buf_str(&b), "192.0.2.2 2001:db8::53 fe80::1 192.0.2.6 ");
	free(l.items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_and_resolvers),
		cmocka_unit_test(test_no_resolvers_is_said),
		cmocka_unit_test(test_what_is_no_address),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_resolv_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
